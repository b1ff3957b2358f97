// SPDX-License-Identifier: GPL-2.0-only
/* mplb-load: servers and clients whose every byte is verified, for the testbed and the tests. */
#include "load.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "lib/log.h"
#include "lib/monotonic.h"

static const struct load_command *const load_commands[] = {
	&load_serve, &load_get, &load_hold, &load_join_vip, &load_syn, NULL,
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
	return (double)monotonic_ns() / 1e9;
}

double load_clock(double now)
{
	struct timespec clock;

	clock_gettime(CLOCK_REALTIME, &clock);
	return (double)clock.tv_sec + (double)clock.tv_nsec / 1e9 - (load_now() - now);
}

/* Root may go beyond its hard limit, up to fs.nr_open. */
static rlim_t load_descriptors_max(void)
{
	unsigned long long max = 0;
	FILE *file = fopen("/proc/sys/fs/nr_open", "re");

	if (file && fscanf(file, "%llu", &max) != 1)
		max = 0;
	if (file)
		fclose(file);
	return max;
}

int load_descriptors(unsigned long long need)
{
	rlim_t max = load_descriptors_max();
	struct rlimit limit, want;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (need && need <= limit.rlim_cur)
		return 0;
	want.rlim_cur = want.rlim_max = need ? need : max;
	if (want.rlim_max < limit.rlim_max)
		want.rlim_max = limit.rlim_max;
	if (max && want.rlim_cur <= max && !setrlimit(RLIMIT_NOFILE, &want))
		return 0;
	limit.rlim_cur = limit.rlim_max;
	if (!setrlimit(RLIMIT_NOFILE, &limit) && need <= limit.rlim_cur)
		return 0;
	return log_err_r(-EPERM,
			 "%llu open descriptors are needed, %llu allowed: raise the limit "
			 "(ulimit -Hn), or have CAP_SYS_RESOURCE",
			 need, (unsigned long long)limit.rlim_max);
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
