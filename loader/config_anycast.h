/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_CONFIG_ANYCAST_H
#define MPLB_CONFIG_ANYCAST_H

#include "config.h"

/* A config's `anycast` and `metrics`. */

enum file_speaker { SPEAKER_BIRD };

/* As libcyaml loads it. What is NULL is not in the file. */
struct file_anycast {
	const char *vip, *socket, *protocol, *hold_down, *drain_time;
	enum file_speaker *speaker;
	uint16_t *min_healthy;
};

struct file_metrics {
	const char *listen;
};

extern const cyaml_schema_value_t config_anycast_schema;
extern const cyaml_schema_field_t config_metrics_fields[];

/* Read them into the config, whose VIPs are there. 0, or -ENOMEM, or -EINVAL, logged. */
int config_anycast_read(struct lb_config *config, const struct file_anycast *from, size_t n);
int config_metrics_read(struct lb_config *config, const struct file_metrics *from);

#endif
