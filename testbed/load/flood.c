// SPDX-License-Identifier: GPL-2.0-only
/*
 * mplb-load flood: SYNs with MP_JOIN and random tokens, as somebody sends who guesses, or who wants
 * the balancer to be busy. Raw sockets; what comes back is not looked at.
 */
#include "load.h"

#include <errno.h>
#include <jansson.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "endpoint.h"
#include "flood_packet.h"
#include "lib/log.h"
#include "lib/out.h"

#define FLOOD_BATCH 64

struct flood {
	const char *connect, *source;
	unsigned long long rate;
	double seconds;
	struct endpoint from, to;
	int fd;
	uint64_t random, sent, refused;
	struct flood_packet packet[FLOOD_BATCH];
};

static const struct option flood_options[] = {
	{ "--connect", OPTION_TEXT, offsetof(struct flood, connect), "ADDR:PORT", "the VIP" },
	{ "--source", OPTION_TEXT, offsetof(struct flood, source), "ADDR",
	  "send from this address" },
	{ "--seconds", OPTION_SECONDS, offsetof(struct flood, seconds), "S", "default 5" },
	{ "--rate", OPTION_NUMBER, offsetof(struct flood, rate), "N",
	  "packets a second, default: as many as go" },
	{ 0 },
};

/* splitmix64: fast, and random enough for tokens that nobody has. */
static uint64_t flood_random(struct flood *flood)
{
	uint64_t z = flood->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static int flood_open(struct flood *flood)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog filter = { 1, &nothing };
	struct endpoint to = flood->to;

	/* The destination of a raw socket has no port. */
	endpoint_set_port(&to, 0);
	flood->fd = socket(to.addr.ss_family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
	if (flood->fd < 0)
		return log_err_r(-errno, "no raw socket: %s; run as root", strerror(errno));
	if (setsockopt(flood->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) ||
	    bind(flood->fd, (void *)&flood->from.addr, flood->from.len) ||
	    connect(flood->fd, (void *)&to.addr, to.len)) {
		int err = -errno;

		close(flood->fd);
		return log_err_r(err, "from %s to %s: %s", flood->source, flood->connect,
				 strerror(-err));
	}
	return 0;
}

static void flood_send(struct flood *flood, size_t n)
{
	struct mmsghdr message[FLOOD_BATCH] = { 0 };
	struct iovec part[FLOOD_BATCH];
	int sent;

	for (size_t i = 0; i < n; i++) {
		uint64_t r = flood_random(flood);

		flood_packet_set(&flood->packet[i], (uint16_t)(1024 + r % 64000),
				 (uint32_t)(r >> 16), (uint32_t)(r >> 32));
		part[i] = (struct iovec){ flood->packet[i].tcp, FLOOD_PACKET_LEN };
		message[i].msg_hdr = (struct msghdr){ .msg_iov = &part[i], .msg_iovlen = 1 };
	}
	sent = sendmmsg(flood->fd, message, (unsigned int)n, 0);
	if (sent > 0)
		flood->sent += (uint64_t)sent;
	if (sent < (int)n)
		flood->refused++;
}

/* A few packets ahead of the rate at most, so that a slow machine does not make up for it in
 * bursts. */
static size_t flood_due(const struct flood *flood, double passed)
{
	double due = (double)flood->rate * passed - (double)(flood->sent + flood->refused);

	if (!flood->rate)
		return FLOOD_BATCH;
	return due < 1 ? 0 : due > FLOOD_BATCH ? FLOOD_BATCH : (size_t)due;
}

static double flood_until_over(struct flood *flood, struct event_base *base)
{
	double began = load_now(), passed = 0;

	while (passed < flood->seconds && !event_base_got_break(base)) {
		size_t n = flood_due(flood, passed);

		if (n)
			flood_send(flood, n);
		else
			usleep(200);
		event_base_loop(base, EVLOOP_NONBLOCK);
		passed = load_now() - began;
	}
	return passed;
}

static int flood_run(int argc, char **argv)
{
	struct flood flood = { .seconds = 5 };
	struct event_base *base;
	double passed;
	json_t *report;

	if (options_read(flood_options, &flood, argc, argv))
		return 1;
	if (!flood.connect || !flood.source) {
		log_error("flood: --connect and --source are needed");
		return 1;
	}
	if (endpoint_parse(flood.connect, &flood.to) || endpoint_parse(flood.source, &flood.from))
		return 1;
	if (flood.from.addr.ss_family != flood.to.addr.ss_family) {
		log_error("flood: --connect and --source are of different families");
		return 1;
	}
	if (getrandom(&flood.random, sizeof(flood.random), 0) < 0 || flood_open(&flood))
		return 2;
	base = load_loop_new();
	if (!base)
		return 2;
	for (size_t i = 0; i < FLOOD_BATCH; i++)
		flood_packet_init(&flood.packet[i], &flood.from, &flood.to);
	log_info("ready");
	passed = flood_until_over(&flood, base);
	report = json_pack("{s:I, s:I, s:f, s:f}", "sent", (json_int_t)flood.sent, "refused",
			   (json_int_t)flood.refused, "seconds", passed, "rate",
			   passed > 0 ? (double)flood.sent / passed : 0);
	out_json(report);
	json_decref(report);
	load_loop_free(base);
	close(flood.fd);
	return 0;
}

const struct load_command load_flood = {
	"flood",
	"SYNs with MP_JOIN and random tokens to a VIP; prints JSON",
	flood_options,
	flood_run,
};
