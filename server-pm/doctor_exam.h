/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_SERVER_DOCTOR_EXAM_H
#define MPLB_SERVER_DOCTOR_EXAM_H

#include "doctor.h"
#include "machine.h"
#include "pm_diag.h"
#include "state.h"

/*
 * What the files of the doctor share. A finding's name is for scripts: it is never given a second
 * meaning. X(NAME, "name", grade); each is explained in docs/doctor.md, and planted and found in
 * tests/e2e/doctor.sh.
 */
/* clang-format off */
#define DOCTOR_FINDINGS(X)						\
	/* the kernel and our rights */					\
	X(RIGHTS, "rights", BLOCKER)					\
	X(PINS, "pins", BLOCKER)					\
	X(NO_BTF, "no_btf", BLOCKER)					\
	X(NO_MPTCP, "no_mptcp", BLOCKER)				\
	X(MPTCP_DISABLED, "mptcp_disabled", BLOCKER)			\
	X(OLD_KERNEL, "old_kernel", BLOCKER)				\
	X(NO_USERSPACE, "no_userspace", BLOCKER)			\
	X(SYNCOOKIES, "syncookies", WARNING)				\
	/* the device of the tunnel */					\
	X(DEVICE_MISSING, "device_missing", BLOCKER)			\
	X(XDP_FOREIGN, "xdp_foreign", BLOCKER)				\
	X(QDISC, "qdisc", BLOCKER)					\
	X(DEVICE_DOWN, "device_down", FAULT)				\
	X(GENERIC_MODE, "generic_mode", WARNING)			\
	X(MTU, "mtu", FAULT)						\
	X(RP_FILTER, "rp_filter", FAULT)				\
	X(TX_CHECKSUM, "tx_checksum", WARNING)				\
	/* addresses and routes */					\
	X(LO_DOWN, "lo_down", FAULT)					\
	X(DEDICATED_MISSING, "dedicated_missing", FAULT)		\
	X(DEDICATED_DOWN, "dedicated_down", FAULT)			\
	X(DEDICATED_TENTATIVE, "dedicated_tentative", FAULT)		\
	X(PRIVATE_ADDRESS, "private_address", WARNING)			\
	X(VIP_ON_SEGMENT, "vip_on_segment", FAULT)			\
	X(ARP_DEVICE, "arp_device", FAULT)				\
	X(NO_ROUTE, "no_route", FAULT)					\
	/* what server-pm keeps in place */				\
	X(ENDPOINT_CONFLICT, "endpoint_conflict", BLOCKER)		\
	X(ENDPOINT_ROOM, "endpoint_room", BLOCKER)			\
	X(ENDPOINT_IPV6_PORT, "endpoint_ipv6_port", FAULT)		\
	X(JOIN_PORT_IPV6, "join_port_ipv6", WARNING)			\
	X(JOIN_PORT_NOTHING, "join_port_nothing", FAULT)		\
	X(NOT_SET_UP, "not_set_up", FAULT)				\
	X(NOT_RUNNING, "not_running", FAULT)				\
	X(NOT_ANSWERING, "not_answering", FAULT)			\
	X(PATH_MANAGER, "path_manager", FAULT)				\
	X(C_FLAG, "c_flag", FAULT)					\
	X(ADD_ADDR_TIMEOUT, "add_addr_timeout", FAULT)			\
	X(ARP, "arp", FAULT)						\
	X(LIMIT, "limit", FAULT)					\
	X(VIP_MISSING, "vip_missing", FAULT)				\
	X(ENDPOINT_MISSING, "endpoint_missing", FAULT)			\
	X(DECAPSULATION_MISSING, "decapsulation_missing", FAULT)	\
	X(PASS_ON_MISSING, "pass_on_missing", FAULT)			\
	X(MSS_MISSING, "mss_missing", FAULT)				\
	X(FIRST_FLIGHT_MISSING, "first_flight_missing", WARNING)	\
	X(BALANCERS_DIFFER, "balancers_differ", FAULT)			\
	X(VIPS_DIFFER, "vips_differ", FAULT)				\
	X(GUARD_MISSING, "guard_missing", FAULT)			\
	X(ROUTE_MISSING, "route_missing", FAULT)			\
	/* the guard */							\
	X(GUARD_DEVICE, "guard_device", BLOCKER)			\
	X(GUARD_LINK, "guard_link", BLOCKER)				\
	X(GUARD_OTHER_DEVICE, "guard_other_device", WARNING)		\
	X(GUARD_CUTS_OFF, "guard_cuts_off", WARNING)			\
	/* others on this machine */					\
	X(OTHER_MANAGER, "other_manager", FAULT)			\
	X(NO_LISTENER, "no_listener", FAULT)				\
	X(PLAIN_TCP, "plain_tcp", FAULT)				\
	X(NO_MPTCP_SERVICE, "no_mptcp_service", WARNING)		\
	X(FIREWALL, "firewall", FAULT)
/* clang-format on */

enum doctor_finding {
#define X(NAME, name, grade) DOCTOR_##NAME,
	DOCTOR_FINDINGS(X)
#undef X
		DOCTOR_FINDING_MAX
};

struct examination {
	const struct server_config *config;
	const char *pin_dir;
	enum doctor_when when;
	struct machine machine;
	struct server_state *state; /* NULL: nothing is set up */
	bool blind; /* what is set up cannot be seen */
	bool running; /* a server-pm has the state locked */
	struct nl *diag; /* NULL: sockets cannot be seen */
	struct doctor_report report;
	char mend[512]; /* by doctor_command() or doctor_advice() */
	bool is_command;
};

/* Notes a finding. mend comes from one of the two below. */
void doctor_found(struct examination *x, enum doctor_finding what, const char *mend,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* How to mend it: a command that a shell takes as it stands, or advice. */
const char *doctor_command(struct examination *x, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
const char *doctor_advice(struct examination *x, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* doctor_kernel.c */
void doctor_rights(struct examination *x);
void doctor_pins(struct examination *x);
void doctor_btf(struct examination *x);
void doctor_mptcp(struct examination *x);
void doctor_syncookies(struct examination *x);
/* doctor_device.c */
void doctor_device(struct examination *x);
/* doctor_address.c */
void doctor_dedicated(struct examination *x);
void doctor_vips(struct examination *x);
void doctor_arp(struct examination *x);
void doctor_routes(struct examination *x);
/* doctor_kept.c */
void doctor_endpoints(struct examination *x);
void doctor_daemon(struct examination *x);
void doctor_kept(struct examination *x);
void doctor_maps(struct examination *x);
/* doctor_guard.c */
void doctor_guard(struct examination *x);
/* doctor_service.c */
void doctor_other_manager(struct examination *x);
void doctor_services(struct examination *x);
/* doctor_firewall.c */
void doctor_firewall(struct examination *x);

/* The MPTCP listeners, at most max of them; their number. */
size_t doctor_listeners(struct examination *x, struct pm_listener *out, size_t max);

/* Of a device: flags (IFF_*); 0 where it is not there. */
unsigned int doctor_device_flags(const char *device);

/* The device by which packets leave for an address that is on no network of this machine (a public
 * one stands for all), or -errno: -ENETUNREACH, .... */
int doctor_route(struct nl *route, __u8 family);
/* True where there is a route of the family through a router. */
bool doctor_has_router(struct nl *route, __u8 family);

#endif
