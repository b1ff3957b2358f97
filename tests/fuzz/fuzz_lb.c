/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Holds the balancer's program against the model of docs/packet-walk.md, packet by packet: verdict,
 * reason, and the frame that comes out; counters now and then.
 *
 *   fuzz-lb [--seed N] [--count N] [--time SECONDS] [--corpus DIR] [--out DIR] [--all]
 *   fuzz-lb --replay FILE
 *
 * --all goes on after a difference and lists one packet per kind of difference. Exit 0: the sides
 * agree. 1: they do not. 2: it could not run.
 */
#include "fuzz_lb.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <linux/bpf.h>

#include "lib/log.h"
#include "lib/monotonic.h"

#define DEFAULT_COUNT 200000
#define TALLY_EVERY   20000
#define KINDS_MAX     64
#define VERDICTS      (XDP_REDIRECT + 1)

struct fuzz {
	uint64_t seed, count;
	double seconds; /* 0: by count alone */
	const char *corpus, *out, *replay;
	bool all;

	struct world world;
	struct trial trial;
	struct tally tally;
	bool dirty; /* there was a difference since the tally began: it is not to be had */
	uint64_t seen[MPLB_R_MAX][VERDICTS];
	uint64_t starved; /* packets too big that the empty budget left without answer */
	char kinds[KINDS_MAX][160]; /* differences that were listed */
	size_t n_kinds;
};

static double now(void)
{
	return (double)monotonic_ns() / 1e9;
}

/* A difference without its numbers: which kind it is of. */
static bool is_new_kind(struct fuzz *f, const char *what)
{
	char kind[sizeof(f->kinds[0])];
	size_t n = 0;

	for (; *what && n + 1 < sizeof(kind); what++)
		if (!strchr("0123456789", *what))
			kind[n++] = *what;
	kind[n] = '\0';
	for (size_t i = 0; i < f->n_kinds; i++)
		if (!strcmp(f->kinds[i], kind))
			return false;
	if (f->n_kinds == KINDS_MAX)
		return false;
	memcpy(f->kinds[f->n_kinds++], kind, n + 1);
	return true;
}

/* Shows a difference and writes the small version of its packet to a file. */
static void report(struct fuzz *f, const struct shot *shot, const uint8_t *frame, size_t len)
{
	uint8_t small[WORLD_FRAME_MAX];
	size_t small_len = len;
	char path[512];
	FILE *file;

	if (!is_new_kind(f, f->trial.what))
		return;
	printf("\nDIFFERENCE: %s\n", f->trial.what);
	trial_print(stdout, &f->trial, shot, frame, len);
	memcpy(small, frame, len);
	trial_minimise(&f->trial, shot, small, &small_len);
	printf("-- made small:\n");
	trial_print(stdout, &f->trial, shot, small, small_len);
	mkdir(f->out, 0755);
	snprintf(path, sizeof(path), "%s/difference-%zu.hex", f->out, f->n_kinds);
	file = fopen(path, "w");
	if (!file) {
		log_error("%s: %s", path, strerror(errno));
		return;
	}
	trial_print(file, &f->trial, shot, small, small_len);
	fclose(file);
	printf("-- written to %s; see it again: fuzz-lb --replay %s\n", path, path);
}

/* One packet. False where the sides disagree. */
static bool shoot(struct fuzz *f, const struct shot *shot, const uint8_t *frame, size_t len)
{
	const struct model_result *m = &f->trial.model;

	if (!trial_run(&f->trial, shot, frame, len)) {
		f->dirty = true;
		report(f, shot, frame, len);
		return false;
	}
	if (!shot->traced)
		tally_add(&f->tally, &f->trial);
	if (f->trial.program.verdict == m->verdict)
		f->seen[m->reason][m->verdict]++;
	else
		f->starved++;
	return true;
}

/* A packet in every way in which it can come. */
static bool shoot_all_ways(struct fuzz *f, const uint8_t *frame, size_t len)
{
	bool same = true;

	for (int i = 0; i < 8; i++) {
		struct shot shot = { .ingress = i & 1 ? f->world.near : f->world.away,
				     .traced = !(i & 2),
				     .starved = i & 4 };

		same &= shoot(f, &shot, frame, len);
	}
	return same;
}

static int replay(struct fuzz *f, const char *path, bool *same)
{
	uint8_t frame[WORLD_FRAME_MAX];
	size_t len;
	int err = hex_read(path, frame, sizeof(frame), &len);

	if (err)
		return log_err_r(err, "%s: %s", path,
				 err == -EINVAL ? "not 14 or more bytes in hex" : strerror(-err));
	*same = shoot_all_ways(f, frame, len);
	return 0;
}

/* Says what becomes of the packet, and by whose account. */
static int replay_one(struct fuzz *f)
{
	struct shot shot = { .ingress = f->world.near, .traced = true };
	uint8_t frame[WORLD_FRAME_MAX];
	bool same = true;
	size_t len;
	int err = replay(f, f->replay, &same);

	if (err)
		return 2;
	hex_read(f->replay, frame, sizeof(frame), &len);
	if (same)
		trial_print(stdout, &f->trial, &shot, frame, len);
	return !same;
}

static int is_hex(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 4 && !strcmp(entry->d_name + len - 4, ".hex");
}

/* 0 or -errno, logged; *same: the sides agree about all of the corpus. */
static int replay_corpus(struct fuzz *f, bool *same)
{
	struct dirent **entries;
	int n = scandir(f->corpus, &entries, is_hex, alphasort), err = 0;

	if (n < 0)
		return log_err_r(-errno, "%s: %s", f->corpus, strerror(errno));
	for (int i = 0; i < n; i++) {
		char path[512];
		bool one = true;

		snprintf(path, sizeof(path), "%s/%s", f->corpus, entries[i]->d_name);
		free(entries[i]);
		if (!err)
			err = replay(f, path, &one);
		if (!one)
			printf("-- that was %s\n", path);
		*same &= one;
	}
	free(entries);
	printf("fuzz-lb: corpus: %d packets\n", n);
	return err;
}

static bool check_tally(struct fuzz *f)
{
	char what[200];

	if (f->dirty) {
		f->dirty = false;
		tally_begin(&f->world, &f->tally);
		return true;
	}
	if (tally_check(&f->world, &f->tally, what, sizeof(what)))
		return true;
	tally_begin(&f->world, &f->tally);
	if (is_new_kind(f, what))
		printf("\nDIFFERENCE: counters: %s\n", what);
	return false;
}

/* The budget of answers, with the first random packet that takes from it. */
static bool check_budget(struct fuzz *f)
{
	const struct shot shot = { .ingress = f->world.near, .traced = true };
	struct rng rng = { f->seed + 1 };
	struct gen_frame frame;
	char what[200];
	bool same;

	do {
		gen_packet(&rng, &frame);
		same = trial_run(&f->trial, &shot, frame.at, frame.len);
	} while (!same || f->trial.model.reason != MPLB_R_TOO_BIG_ANSWERED);
	same = budget_check(&f->world, frame.at, frame.len, what, sizeof(what));
	tally_begin(&f->world, &f->tally);
	if (!same)
		printf("\nDIFFERENCE: %s\n", what);
	return same;
}

/* Random packets. Returns how many; *same as above. */
static uint64_t shoot_many(struct fuzz *f, bool *same)
{
	struct rng rng = { f->seed * 0x9e3779b97f4a7c15ULL + 1 };
	static struct gen_frame frame, before;
	double end = f->seconds > 0 ? now() + f->seconds : 0;
	uint64_t n = 0;

	gen_packet(&rng, &before);
	while ((end ? now() < end : n < f->count) && (*same || f->all)) {
		struct shot shot = { .ingress = rng_chance(&rng, 3) ? f->world.away : f->world.near,
				     .traced = rng_chance(&rng, 2),
				     .starved = rng_chance(&rng, 1000) };

		gen_packet(&rng, &frame);
		if (rng_chance(&rng, 2))
			gen_mutate(&rng, &frame, &before);
		*same &= shoot(f, &shot, frame.at, frame.len);
		if (++n % TALLY_EVERY == 0)
			*same &= check_tally(f);
		before = frame;
	}
	*same &= check_tally(f);
	return n;
}

/* Reasons that the kernel's test runs cannot reach. */
static const char *unreachable(unsigned int reason)
{
	switch (reason) {
	case MPLB_R_NO_HEADROOM:
		return "not reachable: a test run has 256 bytes of room";
	case MPLB_R_JOIN_FULL:
	case MPLB_R_JOIN_LIMITED:
		return "not reachable: tables are emptied and budgets full";
	default:
		return NULL;
	}
}

static void print_coverage(const struct fuzz *f)
{
	static const char *const heads[VERDICTS] = { "aborted", "drop", "pass", "tx", "redirect" };

	printf("%-20s", "reason");
	for (int v = 1; v < VERDICTS; v++)
		printf(" %10s", heads[v]);
	printf("\n");
	for (unsigned int r = 0; r < MPLB_R_MAX; r++) {
		uint64_t sum = 0;

		printf("%-20s", model_reason_name(r));
		for (int v = 1; v < VERDICTS; v++) {
			sum += f->seen[r][v];
			printf(" %10llu", (unsigned long long)f->seen[r][v]);
		}
		if (!sum)
			printf("  %s", unreachable(r) ? unreachable(r) : "NEVER REACHED");
		printf("\n");
	}
}

static int fuzz(struct fuzz *f)
{
	unsigned int reached = 0, reachable = 0;
	bool same = true;
	double begin;
	uint64_t n;

	if (f->corpus && replay_corpus(f, &same))
		return 2;
	same &= check_budget(f);
	begin = now();
	n = same || f->all ? shoot_many(f, &same) : 0;
	print_coverage(f);
	for (unsigned int r = 0; r < MPLB_R_MAX; r++) {
		uint64_t sum = 0;

		for (int v = 0; v < VERDICTS; v++)
			sum += f->seen[r][v];
		reached += sum > 0;
		reachable += !unreachable(r);
	}
	printf("fuzz-lb: seed %llu: %llu packets, %.0f a second, %u of %u reasons, %s\n",
	       (unsigned long long)f->seed, (unsigned long long)n, (double)n / (now() - begin),
	       reached, reachable, same ? "no difference" : "DIFFERENCES");
	return !same;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: fuzz-lb [--seed N] [--count N] [--time SECONDS] [--corpus DIR] [--out DIR] "
		"[--all]\n       fuzz-lb --replay FILE\n");
	return 2;
}

/* On one CPU: each has a budget of its own. */
static void stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'n' },
		{ "time", required_argument, NULL, 't' },
		{ "corpus", required_argument, NULL, 'c' },
		{ "out", required_argument, NULL, 'o' },
		{ "all", no_argument, NULL, 'a' },
		{ "replay", required_argument, NULL, 'r' },
		{ 0 },
	};
	static struct fuzz f = { .seed = 1, .count = DEFAULT_COUNT, .out = "build/fuzz" };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			f.seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			f.count = strtoull(optarg, NULL, 0);
			break;
		case 't':
			f.seconds = strtod(optarg, NULL);
			break;
		case 'c':
			f.corpus = optarg;
			break;
		case 'o':
			f.out = optarg;
			break;
		case 'a':
			f.all = true;
			break;
		case 'r':
			f.replay = optarg;
			break;
		default:
			return usage();
		}
	}
	if (optind != argc)
		return usage();
	log_init("fuzz-lb", LOG_WARN);
	log_bpf_init();
	stay_here();
	if (world_open(&f.world) || tally_begin(&f.world, &f.tally))
		return 2;
	f.trial.world = &f.world;
	return f.replay ? replay_one(&f) : fuzz(&f);
}
