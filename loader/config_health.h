/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_CONFIG_HEALTH_H
#define MPLB_CONFIG_HEALTH_H

#include "config.h"

/* A pool's `health`. */

/* As libcyaml loads it. What is NULL is not in the file. */
struct file_damping {
	uint16_t *downs;
	const char *within, *hold;
};

struct file_health {
	enum lb_health_type type;
	const char *interval, *timeout;
	uint16_t *rise, *fall, *port;
	const char *path, *host, *status, *body;
	enum mplb_all_down *all_down;
	struct file_damping *damping;
};

extern const cyaml_schema_field_t config_health_fields[];

/* Reads that of pools[p] into the config. from NULL: there is none. 0, or -EINVAL, logged. */
int config_health_read(struct lb_config *config, size_t p, const struct file_health *from);

/* Checks what needs pools and VIPs together: is there an address and a port to probe? Returns the
 * number of errors, logged. */
unsigned int config_health_check(const struct lb_config *config, size_t p);

#endif
