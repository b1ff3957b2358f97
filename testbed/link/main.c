// SPDX-License-Identifier: GPL-2.0-only
/* mplb-link: a link with faults between two interfaces, for kernels without netem. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "lib/log.h"
#include "lib/monotonic.h"

#define LINK_PACKETS 65536 /* under way, both ways together */

enum { POLL_SIGNAL, POLL_FORTH, POLL_BACK, POLL_LISTEN, POLL_CLIENT };
#define POLL_MAX (POLL_CLIENT + LINK_CONTROL_CLIENTS)

struct link {
	struct link_way ways[2];
	struct link_pool *pool;
	struct pollfd poll[POLL_MAX];
	const char *path; /* of the control socket, once it is ours */
};

static void link_close(struct link *link)
{
	for (size_t i = 0; i < POLL_MAX; i++) {
		if (link->poll[i].fd >= 0)
			close(link->poll[i].fd);
	}
	if (link->path)
		unlink(link->path);
	for (size_t i = 0; i < 2; i++)
		link_queue_free(link->ways[i].queue);
	link_pool_free(link->pool);
}

static int link_open(struct link *link, const char *path, char **devices, uint64_t seed)
{
	sigset_t signals;

	*link = (struct link){ .pool = link_pool_new(LINK_PACKETS) };
	for (size_t i = 0; i < POLL_MAX; i++)
		link->poll[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	for (unsigned int i = 0; i < 2; i++) {
		link_model_init(&link->ways[i].model, seed, i);
		link->ways[i].queue = link_queue_new(LINK_PACKETS);
		link->ways[i].pool = link->pool;
		if (!link->pool || !link->ways[i].queue)
			return log_err_r(-ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < 2; i++) {
		link->poll[POLL_FORTH + i].fd = link_wire_open(devices[i]);
		if (link->poll[POLL_FORTH + i].fd < 0)
			return link->poll[POLL_FORTH + i].fd;
	}
	link->ways[0].from = link->ways[1].to = link->poll[POLL_FORTH].fd;
	link->ways[0].to = link->ways[1].from = link->poll[POLL_BACK].fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	link->poll[POLL_SIGNAL].fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (link->poll[POLL_SIGNAL].fd < 0)
		return log_err_r(-errno, "cannot watch for signals: %s", strerror(errno));
	link->poll[POLL_LISTEN].fd = link_control_listen(path);
	if (link->poll[POLL_LISTEN].fd < 0)
		return link->poll[POLL_LISTEN].fd;
	link->path = path;
	return 0;
}

static void link_accept(struct link *link)
{
	int fd = accept4(link->poll[POLL_LISTEN].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (size_t i = POLL_CLIENT; fd >= 0 && i < POLL_MAX; i++) {
		if (link->poll[i].fd < 0) {
			link->poll[i].fd = fd;
			return;
		}
	}
	if (fd >= 0)
		close(fd);
}

static void link_control(struct link *link)
{
	for (size_t i = POLL_CLIENT; i < POLL_MAX; i++) {
		struct pollfd *client = &link->poll[i];

		if (client->fd < 0 || !client->revents)
			continue;
		if (link_control_serve(client->fd, link->ways)) {
			close(client->fd);
			client->fd = -1;
		}
	}
	if (link->poll[POLL_LISTEN].revents)
		link_accept(link);
}

/* Until something comes in or is due. */
static int link_wait(struct link *link, bool busy)
{
	struct timespec wait = { 0 }, *limit = NULL;
	const struct link_packet *first;
	uint64_t due = UINT64_MAX, now = monotonic_ns();

	for (size_t i = 0; i < 2; i++) {
		first = link_queue_first(link->ways[i].queue);
		if (first && first->due < due)
			due = first->due;
	}
	if (due != UINT64_MAX) {
		due = due > now ? due - now : 0;
		wait.tv_sec = (time_t)(due / 1000000000);
		wait.tv_nsec = (long)(due % 1000000000);
		limit = &wait;
	}
	if (busy) {
		wait = (struct timespec){ 0 };
		limit = &wait;
	}
	if (ppoll(link->poll, POLL_MAX, limit, NULL) < 0 && errno != EINTR)
		return log_err_r(-errno, "ppoll: %s", strerror(errno));
	return 0;
}

static int link_loop(struct link *link)
{
	bool busy;
	int err;

	for (;;) {
		busy = false;
		for (size_t i = 0; i < 2; i++) {
			busy |= link_way_receive(&link->ways[i], monotonic_ns());
			busy |= link_way_send(&link->ways[i], monotonic_ns());
		}
		err = link_wait(link, busy);
		if (err)
			return err;
		if (link->poll[POLL_SIGNAL].revents)
			return 0;
		link_control(link);
	}
}

static int link_run(int argc, char **argv)
{
	struct link link;
	uint64_t seed = 1;
	char *rest = "";
	int err;

	if (argc == 6 && !strcmp(argv[4], "seed"))
		seed = strtoull(argv[5], &rest, 0);
	else if (argc != 4)
		rest = "?";
	if (*rest) {
		log_error("run: want SOCKET DEVICE1 DEVICE2 [seed N]; see `mplb-link help`");
		return 1;
	}
	/* Timers to the microsecond (50 are usual), and ahead of those who make the load. */
	prctl(PR_SET_TIMERSLACK, 1);
	if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 1 }))
		log_warn("no real-time priority (%s); watch late_us_mean", strerror(errno));
	err = link_open(&link, argv[1], argv + 2, seed);
	if (!err) {
		log_info("ready: %s to %s", argv[2], argv[3]);
		err = link_loop(&link);
	}
	link_close(&link);
	return err ? 2 : 0;
}

static int link_help(void)
{
	puts("usage: mplb-link COMMAND\n"
	     "  run SOCKET DEVICE1 DEVICE2 [seed N]\n"
	     "      carries frames between the two interfaces, perfectly until told otherwise\n"
	     "  tell SOCKET [JSON]\n"
	     "      changes settings of the ways `forth` (DEVICE1 to DEVICE2) and `back`, while\n"
	     "      traffic runs; prints all settings and counters\n"
	     "\n"
	     "  mplb-link tell /tmp/link '{\"forth\": {\"delay_ms\": 50, \"loss\": 0.01}}'\n"
	     "  mplb-link tell /tmp/link '{\"forth\": null, \"back\": {\"blackhole\": true}}'\n"
	     "\n"
	     "  rate_mbit   0: no limit          queue_kb   may wait for the rate; 0: no limit\n"
	     "  delay_ms                         jitter_ms  up to so much more or less, in order\n"
	     "  loss        share, 0 to 1        burst      mean length of a run of losses\n"
	     "  reorder     share delayed by ... reorder_ms ... so much more\n"
	     "  duplicate   share, 0 to 1        blackhole  true or false");
	return 0;
}

int main(int argc, char **argv)
{
	log_init("mplb-link", LOG_INFO);
	if (argc < 2 || !strcmp(argv[1], "help") || !strcmp(argv[1], "--help"))
		return link_help();
	if (!strcmp(argv[1], "run"))
		return link_run(argc - 1, argv + 1);
	if (!strcmp(argv[1], "tell") && (argc == 3 || argc == 4))
		return link_control_tell(argv[2], argc == 4 ? argv[3] : "{}");
	log_error("%s: want `run` or `tell`; see `mplb-link help`", argv[1]);
	return 1;
}
