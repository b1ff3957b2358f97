// SPDX-License-Identifier: GPL-2.0-only
/*
 * mplb-load syn: SYNs through a raw socket: plain ones, or with MP_JOIN, as somebody sends who
 * guesses, or who wants a machine to be busy. What comes back is not looked at.
 */
#include "load.h"

#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "endpoint.h"
#include "lib/log.h"
#include "lib/out.h"
#include "syn_packet.h"

#define SYN_PAUSE_US 1000
#define SYN_BATCH    64 /* packets between two looks at the clock */

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif

struct syn {
	const char *to, *source, *join;
	unsigned long long rate, count;
	double seconds;
	struct syn_plan plan;
	int fd;
	uint64_t sent, failed;
};

static const struct option syn_options[] = {
	{ "--to", OPTION_TEXT, offsetof(struct syn, to), "ADDR:PORT", "send there" },
	{ "--source", OPTION_TEXT, offsetof(struct syn, source), "ADDR",
	  "from this address; default: made-up ones (198.18.0.0/15, 2001:2::/48)" },
	{ "--rate", OPTION_NUMBER, offsetof(struct syn, rate), "N",
	  "packets a second; default: as many as can be" },
	{ "--count", OPTION_NUMBER, offsetof(struct syn, count), "N", "end after so many" },
	{ "--seconds", OPTION_SECONDS, offsetof(struct syn, seconds), "S", "end after so long" },
	{ "--join", OPTION_TEXT, offsetof(struct syn, join), "TOKEN",
	  "with MP_JOIN: a token like 0x1234abcd, or random; default: plain SYNs" },
	{ 0 },
};

static void syn_send(struct syn *syn, size_t n)
{
	uint8_t packet[SYN_BATCH][SYN_PACKET_MAX];
	struct mmsghdr message[SYN_BATCH] = { 0 };
	struct endpoint to = syn->plan.to;
	struct iovec part[SYN_BATCH];
	int sent;

	/* The destination of a raw socket has no port. */
	endpoint_set_port(&to, 0);
	for (size_t i = 0; i < n; i++) {
		part[i] = (struct iovec){ packet[i], syn_packet(&syn->plan, packet[i]) };
		message[i].msg_hdr = (struct msghdr){
			.msg_name = &to.addr,
			.msg_namelen = to.len,
			.msg_iov = &part[i],
			.msg_iovlen = 1,
		};
	}
	/* It ends before one that cannot be sent, and fails where that is the first. */
	sent = sendmmsg(syn->fd, message, (unsigned int)n, 0);
	if (sent > 0)
		syn->sent += (uint64_t)sent;
	else
		syn->failed++;
}

/* How many may go now. */
static size_t syn_due(const struct syn *syn, double passed)
{
	uint64_t done = syn->sent + syn->failed, due = SYN_BATCH;

	if (syn->rate) {
		uint64_t until_now = (uint64_t)((double)syn->rate * passed) + 1;

		due = until_now > done ? until_now - done : 0;
	}
	if (syn->count && due > syn->count - done)
		due = syn->count - done;
	return due > SYN_BATCH ? SYN_BATCH : (size_t)due;
}

static bool syn_is_over(const struct syn *syn, double passed)
{
	return (syn->count && syn->sent + syn->failed >= syn->count) ||
	       (syn->seconds > 0 && passed >= syn->seconds);
}

/* Until it is over, or a signal ends the loop; how long it took. */
static double syn_until_over(struct syn *syn, struct event_base *base)
{
	double began = load_now(), passed = 0;

	while (!syn_is_over(syn, passed) && !event_base_got_break(base)) {
		size_t n = syn_due(syn, passed);

		if (n)
			syn_send(syn, n);
		else
			usleep(SYN_PAUSE_US);
		event_base_loop(base, EVLOOP_NONBLOCK);
		passed = load_now() - began;
	}
	return passed;
}

static int syn_open(struct syn *syn)
{
	int family = syn->plan.to.addr.ss_family, one = 1, buffer = 1 << 22;

	syn->fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (syn->fd < 0 || (family == AF_INET6 &&
			    setsockopt(syn->fd, IPPROTO_IPV6, IPV6_HDRINCL, &one, sizeof(one))))
		return log_err_r(-errno, "syn: no raw socket: %s; run as root", strerror(errno));
	setsockopt(syn->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
	return 0;
}

static int syn_read(struct syn *syn, int argc, char **argv)
{
	struct syn_plan *plan = &syn->plan;
	char *rest;

	if (options_read(syn_options, syn, argc, argv))
		return -EINVAL;
	if (!syn->to || endpoint_parse(syn->to, &plan->to) || !endpoint_port(&plan->to))
		return log_err_r(-EINVAL, "syn: --to ADDR:PORT is needed");
	if (syn->source && endpoint_parse(syn->source, &plan->from))
		return -EINVAL;
	if (syn->source && plan->from.addr.ss_family != plan->to.addr.ss_family)
		return log_err_r(-EINVAL, "syn: --to and --source are of different families");
	if (!syn->count && syn->seconds <= 0)
		return log_err_r(-EINVAL, "syn: --count or --seconds is needed");
	if (!syn->join)
		return 0;
	plan->join = true;
	plan->random_token = !strcmp(syn->join, "random");
	plan->token = (uint32_t)strtoul(syn->join, &rest, 0);
	if (!plan->random_token && (rest == syn->join || *rest))
		return log_err_r(-EINVAL, "syn: --join %s: neither a token nor random", syn->join);
	return 0;
}

static int syn_run(int argc, char **argv)
{
	struct syn syn = { .fd = -1 };
	struct event_base *base;
	double passed;
	json_t *report;

	if (syn_read(&syn, argc, argv))
		return 1;
	if (getrandom(&syn.plan.state, sizeof(syn.plan.state), 0) < 0 || syn_open(&syn))
		return 2;
	syn.plan.state |= 1;
	base = load_loop_new();
	if (!base)
		return 2;
	log_info("ready");
	passed = syn_until_over(&syn, base);
	report = json_pack("{s:I, s:I, s:f, s:f}", "sent", (json_int_t)syn.sent, "failed",
			   (json_int_t)syn.failed, "seconds", passed, "rate",
			   passed > 0 ? (double)syn.sent / passed : 0);
	out_json(report);
	json_decref(report);
	load_loop_free(base);
	close(syn.fd);
	return 0;
}

const struct load_command load_syn = {
	"syn",
	"SYNs to an address, from made-up ones or one of ours, with MP_JOIN or plain; prints JSON",
	syn_options,
	syn_run,
};
