/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_ANYCAST_PRIV_H
#define MPLB_ANYCAST_PRIV_H

/* For anycast.c, which decides, and anycast_report.c, which tells. */
#include <stdint.h>
#include <sys/un.h>

#include "announce.h"
#include "anycast.h"
#include "bird.h"
#include "mplb/abi.h"

#define ANYCAST_WHY_LEN 128

/* Something that is announced, known by its socket and protocol. */
struct anycast_entry {
	char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char protocol[BIRD_NAME_MAX];
	char name[MPLB_NAME_LEN]; /* the VIP's, or "node" */
	const struct lb_anycast *conf; /* NULL: no longer in the config, to be withdrawn */
	bool kept; /* by the config that is being taken */
	struct bird *bird;
	struct announce announce;
	enum bird_want want;
	char why[ANYCAST_WHY_LEN]; /* it is not fit; "" */
};

struct anycast {
	struct anycast_env env;
	const struct lb_config *config;
	struct anycast_entry *entries;
	size_t n;
	struct bird **birds;
	size_t n_birds;
	struct event *timer;
	/* Leaving */
	bool leaving, confirmed;
	uint64_t give_up_ms; /* waiting for BIRD's confirmation */
	uint64_t end_ms; /* of the drain time; 0: it has not begun */
	uint32_t drain_ms;
	void (*left)(void *data);
	void *left_data;
};

#endif
