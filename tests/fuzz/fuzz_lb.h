/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_FUZZ_LB_H
#define MPLB_FUZZ_LB_H

/* One packet through program and model, and what they disagree in. */
#include <stdio.h>
#include "gen.h"
#include "model.h"
#include "world.h"

/* How a packet is run. */
struct shot {
	uint32_t ingress;
	bool traced; /* the reason is known, nothing is counted */
	bool starved; /* the budget of ICMP errors is empty */
};

struct trial {
	const struct world *world;
	struct model_result model;
	struct world_result program;
	unsigned int runs;
	char what[160]; /* they disagree in; "": nothing */
};

/* Runs it on both sides. False, with trial->what, where they disagree. */
bool trial_run(struct trial *trial, const struct shot *shot, const uint8_t *frame, size_t len);

/* Makes the frame smaller and plainer as long as the sides go on disagreeing. */
void trial_minimise(struct trial *trial, const struct shot *shot, uint8_t *frame, size_t *len);

/* Prints frame and both decisions. */
void trial_print(FILE *to, struct trial *trial, const struct shot *shot, const uint8_t *frame,
		 size_t len);

/* What the program must have counted since the last check, and the check. */
struct tally {
	uint64_t reason[MPLB_R_MAX];
	uint64_t vip_packets[WORLD_VIPS_MAX], vip_bytes[WORLD_VIPS_MAX];
	uint64_t backend_packets[WORLD_BACKENDS], backend_bytes[WORLD_BACKENDS];
	uint64_t too_big; /* of reason[]: TOO_BIG or TOO_BIG_ANSWERED, as the budget had it */
};

void tally_add(struct tally *tally, const struct trial *trial);
/* Starts anew from what the program's counters say. 0 or -errno. */
int tally_begin(const struct world *world, struct tally *tally);
/* False, with a text in what[size], where the counters differ from the tally. */
bool tally_check(const struct world *world, const struct tally *tally, char *what, size_t size);

/* False, with a text, where a burst of this packet (one that is too big and answered) gets more
 * answers than the budget allows, or fewer. Counts. */
bool budget_check(const struct world *world, const uint8_t *frame, size_t len, char *what,
		  size_t size);

/* Files of hex digits, with comments from # to the end of the line. read: 0 or -errno, logged. */
int hex_read(const char *path, uint8_t *frame, size_t size, size_t *len);
void hex_write(FILE *to, const uint8_t *frame, size_t len);

#endif
