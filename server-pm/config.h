/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_CONFIG_H
#define MPLB_SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include "lib/conf.h"
#include "lib/ip.h"
#include "mplb/guard.h"

/* A backend's config file, validated: addresses parsed, defaults in place. */

/* What becomes of the subflow through the VIP once a dedicated one is up. */
enum server_initial {
	SERVER_INITIAL_BACKUP, /* the client is told with MP_PRIO to use it as a backup only */
	SERVER_INITIAL_KEEP, /* nothing */
	SERVER_INITIAL_CLOSE, /* it is closed; under the userspace path manager only */
};

/* Who decides about paths. */
enum server_manager {
	SERVER_MANAGER_KERNEL, /* the kernel, by its endpoints */
	SERVER_MANAGER_USERSPACE, /* server-pm, per connection */
};

/* How the decapsulation is attached. */
enum server_mode {
	SERVER_MODE_AUTO, /* native, or generic where the driver cannot */
	SERVER_MODE_NATIVE,
	SERVER_MODE_GENERIC,
};

/* What the MSS that VIPs announce is to fit, besides a MTU in bytes. */
#define SERVER_MTU_DEVICE (-1) /* the device's own */
#define SERVER_MTU_ANY	  0 /* the MSS is left alone */

/* Segments of an answer that leave before the client's first acknowledgement, by default: as many
 * as Linux has for an initial window (TCP_INIT_CWND; RFC 6928). */
#define SERVER_FIRST_FLIGHT 10

struct server_addresses {
	struct ip *ip; /* in the order of the file */
	size_t n;
};

/* The guard of the dedicated addresses. */
struct server_guard_config {
	bool on;
	bool closed; /* when server-pm does not run, joins need a token that was known */
	const char **device; /* where it is attached: none without the guard */
	size_t n_devices;
	struct mplb_guard_allow *allow; /* `icmp` is both of its protocols */
	size_t n_allow;
	struct ip prefix; /* of an address per connection, 64 bits; family 0: there are none */
};

struct server_config {
	struct conf *conf; /* for conf_error() about what turns out wrong later */
	struct server_addresses vips;
	struct server_addresses dedicated;
	struct server_addresses balancers;
	bool join_vip; /* clients may join the VIP: no C flag */
	__u16 join_port; /* at which the balancer sends joins to this backend alone; 0: none */
	enum server_manager manager;
	enum server_initial initial;
	struct ip metrics; /* where metrics are served; family 0: nowhere */
	unsigned int metrics_port; /* host byte order */
	struct server_guard_config guard;
	const char *device; /* NULL: no decapsulation */
	enum server_mode mode;
	int mtu; /* of the path from the balancers, bytes; or one of SERVER_MTU_* */
	unsigned int first_flight; /* of answers from VIPs, segments; 0: no limit */
	void *file; /* as libcyaml loaded it */
};

/* Loads and validates. Everything wrong is logged, each with file, line and key. 0 with *out to be
 * freed by server_config_free(), or -errno with *out untouched. */
int server_config_load(const char *file, struct server_config **out);
void server_config_free(struct server_config *config);

/* "auto", "native", "generic", and back; -EINVAL for anything else. */
const char *server_mode_name(enum server_mode mode);
int server_mode_parse(const char *name, enum server_mode *out);

/* The number of MPTCP endpoints that the config asks for, at most. */
size_t server_config_endpoints(const struct server_config *config);

#endif
