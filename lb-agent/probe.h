/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_PROBE_H
#define MPLB_PROBE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "http_answer.h"

/*
 * One probe: a connection, and for http a request and its answer. Never blocks. It ends with a
 * reset and not with a FIN, so that neither side keeps the connection for TIME_WAIT: all backends
 * are probed at the same address and port, and the source ports would run out.
 */
union probe_addr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct probe_target {
	const struct lb_health *health;
	union probe_addr to, from; /* from: family AF_UNSPEC: the kernel chooses */
	uint32_t mark; /* of its packets; 0: none */
	const char *request; /* of http */
};

/* passed, or why not. Called from the loop, last: the probe may be started again in it. */
typedef void (*probe_done)(void *data, bool passed, const char *why);

struct probe {
	struct event event;
	const struct probe_target *target;
	char *answer; /* of http: HTTP_ANSWER_MAX bytes */
	size_t answer_len;
	probe_done done;
	void *data;
	uint64_t until_ms; /* of CLOCK_MONOTONIC: its time is over then */
	int early; /* what connect() said at once: an errno */
	bool connected;
	bool active;
};

/*
 * Starts it. target stays where it is until the probe ends. 0, then done(data) is called once, but
 * for probe_cancel(); or -errno: it could not be asked, for a reason on this machine, which says
 * nothing about the backend; not logged. -ENOTSUP: the kernel has no MPTCP.
 */
int probe_start(struct probe *probe, struct event_base *base, const struct probe_target *target,
		uint32_t timeout_ms, probe_done done, void *data);

/* Ends it without a result. May be called at any time. */
void probe_cancel(struct probe *probe);

#endif
