// SPDX-License-Identifier: GPL-2.0-only
/* mplb-load: servers and clients whose every byte is verified, for the testbed and the tests. */
#include "load.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/log.h"

static const struct load_command *const load_commands[] = {
	&load_serve, &load_get, &load_join_vip, &load_flood, NULL,
};

static struct event *load_signals[2];

static void load_stop(evutil_socket_t signum, short what, void *base)
{
	(void)signum;
	(void)what;
	event_base_loopbreak(base);
}

struct event_base *load_loop_new(void)
{
	static const int signals[] = { SIGINT, SIGTERM };
	struct event_base *base = event_base_new();

	if (!base) {
		log_error("no event loop; out of memory or descriptors?");
		return NULL;
	}
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < 2; i++) {
		load_signals[i] = evsignal_new(base, signals[i], load_stop, base);
		if (!load_signals[i] || event_add(load_signals[i], NULL)) {
			log_error("cannot watch for signals; out of memory?");
			load_loop_free(base);
			return NULL;
		}
	}
	return base;
}

void load_loop_free(struct event_base *base)
{
	for (size_t i = 0; i < 2; i++) {
		if (load_signals[i])
			event_free(load_signals[i]);
		load_signals[i] = NULL;
	}
	event_base_free(base);
}

double load_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

uint64_t load_allowance(uint64_t rate, double seconds)
{
	return rate ? (uint64_t)((double)rate * (seconds + 0.25)) : UINT64_MAX;
}

static int load_help(void)
{
	printf("usage: mplb-load COMMAND [OPTION...]\n");
	for (size_t i = 0; load_commands[i]; i++) {
		printf("\n  %s: %s\n", load_commands[i]->name, load_commands[i]->help);
		options_help(load_commands[i]->options);
	}
	return 0;
}

int main(int argc, char **argv)
{
	log_init("mplb-load", LOG_INFO);
	if (argc < 2 || !strcmp(argv[1], "help") || !strcmp(argv[1], "--help"))
		return load_help();
	for (size_t i = 0; load_commands[i]; i++) {
		if (!strcmp(argv[1], load_commands[i]->name))
			return load_commands[i]->run(argc - 1, argv + 1);
	}
	log_error("%s: no such command; see `mplb-load help`", argv[1]);
	return 1;
}
