/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_HEALTH_H
#define MPLB_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ip.h"

/*
 * Health of the backends: probes as the pools' `health` asks for, and what they say, after rise,
 * fall and damping. A probe goes to the pool's VIPs through the tunnel to one backend, as a
 * client's packets would (lb-agent/probe_path.h); without a data plane, as on a backend that
 * announces VIPs itself, it connects to the VIP directly. docs/health.md
 *
 * Times are milliseconds of CLOCK_MONOTONIC.
 */
struct datapath;
struct event_base;
struct health;
struct lb_config;

enum health_state {
	HEALTH_UNKNOWN, /* no result yet, or the pool has `health: {type: none}` */
	HEALTH_UP,
	HEALTH_DOWN,
};

/* What is known of a member. Valid during the call it is handed to. */
struct health_member {
	const char *pool, *backend;
	uint16_t id;
	struct ip addr; /* of the backend */
	enum health_state state;
	unsigned int passes, fails; /* in a row; one of them is 0 */
	uint64_t since_ms; /* of the state */
	uint64_t last_ms; /* of the last result; 0: none yet */
	double rtt_ms; /* of the last probe that passed, connection to verdict */
	const char *why; /* the last probe failed; "" if it passed */
	uint64_t probes, failures, changes; /* results, those that failed, changes of the state */
	bool damped; /* goes up and down too often: held down until it has been well for a while */
};

struct health_env {
	struct event_base *base;
	struct datapath *datapath; /* NULL: probes connect directly */
	/* The member's state has changed, from and to HEALTH_UNKNOWN too. Called from the loop; may
	 * call anything of this but health_close(). */
	void (*change)(void *data, const struct health_member *member);
	void *data;
};

/* Makes a health that probes nothing yet. 0 or -errno, logged. */
int health_open(const struct health_env *env, struct health **out);

/*
 * Probes the members of this config from now on. To be called again after each apply, also with the
 * same config, for the backends' places in the data plane may have moved. Members keep their state
 * by pool, id and address; one that the tables hold for down begins as down. The config is copied
 * from. 0 or -errno, logged: then probes go on as they did.
 */
int health_configure(struct health *h, const struct lb_config *config);

/* Shows every member of the config, in the order of the file. */
void health_each(const struct health *h, void (*see)(void *data, const struct health_member *m),
		 void *data);

/* Members of a pool in this state; 0 of a pool that is not known. */
size_t health_count(const struct health *h, const char *pool, enum health_state state);

/* Ends all probes and takes back what they needed of the kernel. NULL is allowed. */
void health_close(struct health *h);

#endif
