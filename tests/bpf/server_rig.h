/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_TEST_SERVER_RIG_H
#define MPLB_TEST_SERVER_RIG_H

/* The backend's programs, loaded but on no device and not pinned. What goes wrong in here ends the
 * test that called. */
#include <stdint.h>
#include <sys/socket.h>
#include "mplb/server.h"
#include "packet.h"

#define BALANCER4 "10.0.0.2"
#define BALANCER6 "fd00::2"
#define BACKEND4  "10.0.0.11"
#define BACKEND6  "fd00::11"
#define FALLBACK4 "10.0.0.12"
#define FALLBACK6 "fd00::12"
#define VIP4	  "198.51.100.1"
#define VIP6	  "2001:db8::1"
#define STRANGER4 "10.0.0.66"
#define STRANGER6 "fd00::66"
#define OTHER4	  "198.51.100.99"
#define OTHER6	  "2001:db8::99"

struct server_bpf;

struct server_rig {
	struct server_bpf *skel;
};

/* Loads the programs of these names (other may be NULL), with the balancers and VIPs above. */
void server_rig_open(struct server_rig *rig, const char *program, const char *other);
void server_rig_close(struct server_rig *rig);

/* What server-pm would tell them. */
void server_rig_settings(struct server_rig *rig, uint16_t overhead, uint16_t mtu);
void server_rig_segments(struct server_rig *rig, uint16_t first_flight);

/* The sum over all CPUs. */
struct mplb_server_count server_rig_count(const struct server_rig *rig, unsigned int reason);

/* Runs the XDP program: its verdict, the frame after it in *out, and the one reason that counted in
 * *reason, MPLB_SERVER_R_MAX where none did. */
int server_rig_run(const struct server_rig *rig, const struct frame *in, struct frame *out,
		   unsigned int *reason);

/* The same with the guard. */
int server_rig_guard(const struct server_rig *rig, const struct frame *in, unsigned int *reason);

/* Runs a tc program; the verdict (TC_ACT_*). */
int server_rig_pass_on(const struct server_rig *rig, const struct frame *in);
int server_rig_mss(const struct server_rig *rig, const struct frame *in, struct frame *out);
int server_rig_first_flight(const struct server_rig *rig, const struct frame *in,
			    struct frame *out);

/* The address that a text stands for. */
struct ip server_rig_ip(const char *text);

/* A network namespace of the test's own, lo up, with these addresses on it (up to NULL). */
void server_rig_netns(const char *const *addresses);

/* A packet socket on a device: the far end of the wire to another. */
int server_rig_wire(const char *dev);
/* The next frame of this protocol that comes to it. False where none comes in time. */
bool server_rig_next(int wire, uint8_t proto, int ms, struct frame *out);

/* An address and port for a socket; its length. */
socklen_t server_rig_sockaddr(const char *text, uint16_t port, struct sockaddr_storage *out);

#endif
