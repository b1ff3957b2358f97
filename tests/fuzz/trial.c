/* SPDX-License-Identifier: GPL-2.0-only */
#include "fuzz_lb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#define LEAST	     14
#define FORGET_EVERY 4000 /* runs: fewer entries than a model_state holds */
#define BUDGET_EVERY 500 /* runs: fewer answers than MPLB_ICMP_BURST */
#define TRIALS_MOST  20000 /* runs that a minimisation may take */

static const char *const verdicts[] = { "ABORTED", "DROP", "PASS", "TX", "REDIRECT" };

static const char *verdict_name(int verdict)
{
	return verdict >= 0 && verdict <= XDP_REDIRECT ? verdicts[verdict] : "refused";
}

/* The budget depends on time: beyond it the answer is left out. */
static bool is_starved(const struct trial *t, const struct shot *shot)
{
	return shot->starved && t->model.reason == MPLB_R_TOO_BIG_ANSWERED &&
	       t->program.verdict == XDP_DROP &&
	       (!shot->traced || t->program.trace.reason == MPLB_R_TOO_BIG);
}

static bool same_trace(struct trial *t)
{
	const struct mplb_trace *p = &t->program.trace;
	const struct model_result *m = &t->model;

	if (p->reason != m->reason) {
		snprintf(t->what, sizeof(t->what), "reason: program %s, model %s",
			 model_reason_name(p->reason), model_reason_name(m->reason));
		return false;
	}
	if (m->reason != MPLB_R_FORWARDED)
		return true;
	if (p->vip == (uint32_t)(m->vip - t->world->vips) && p->hash == m->hash &&
	    p->slot == m->slot && p->owner == m->owner && p->fallback == m->fallback &&
	    p->fib == m->fib && p->via == m->via && p->ifindex == m->ifindex)
		return true;
	snprintf(t->what, sizeof(t->what),
		 "trace: program vip %u hash %08x slot %u owner %u fallback %u fib %u via %u dev "
		 "%u; "
		 "model %zu %08x %u %u %u %u %u %u",
		 p->vip, p->hash, p->slot, p->owner, p->fallback, p->fib, p->via, p->ifindex,
		 (size_t)(m->vip - t->world->vips), m->hash, m->slot, m->owner, m->fallback, m->fib,
		 m->via, m->ifindex);
	return false;
}

static bool same_frame(struct trial *t)
{
	const struct world_result *p = &t->program;
	const struct model_result *m = &t->model;
	size_t i = 0;

	if (m->verdict == XDP_DROP)
		return true;
	while (i < p->len && i < m->len && p->frame[i] == m->frame[i])
		i++;
	if (i == p->len && i == m->len)
		return true;
	snprintf(t->what, sizeof(t->what),
		 "frame (%s): byte %zu: program %02x, model %02x; length: program %zu, model %zu",
		 model_reason_name(m->reason), i, p->frame[i], m->frame[i], p->len, m->len);
	return false;
}

bool trial_run(struct trial *t, const struct shot *shot, const uint8_t *frame, size_t len)
{
	t->what[0] = '\0';
	if (shot->starved || t->runs % BUDGET_EVERY == 0)
		world_set_budget(t->world, !shot->starved);
	if (t->runs++ % FORGET_EVERY == 0)
		world_forget(t->world);
	world_run(t->world, frame, len, shot->ingress, shot->traced, &t->program);
	model_run(&t->world->model, frame, len, shot->ingress, shot->traced, &t->model);
	if (shot->starved)
		world_set_budget(t->world, true);
	if (is_starved(t, shot))
		return true;
	if (shot->traced && t->program.verdict >= 0 && !same_trace(t))
		return false;
	if (t->program.verdict != t->model.verdict) {
		snprintf(t->what, sizeof(t->what), "verdict: program %s (%d), model %s (%s)",
			 verdict_name(t->program.verdict), t->program.verdict,
			 verdict_name(t->model.verdict), model_reason_name(t->model.reason));
		return false;
	}
	return same_frame(t);
}

/* Minimising */

struct shrink {
	struct trial *trial;
	const struct shot *shot;
	unsigned int left; /* runs */
};

static bool still_differs(struct shrink *s, const uint8_t *frame, size_t len)
{
	if (!s->left)
		return false;
	s->left--;
	return !trial_run(s->trial, s->shot, frame, len);
}

/* Leaves size bytes at at out, if it differs without them, too. */
static bool leave_out(struct shrink *s, uint8_t *frame, size_t *len, size_t at, size_t size)
{
	uint8_t less[WORLD_FRAME_MAX];

	if (at + size > *len || *len - size < LEAST)
		return false;
	memcpy(less, frame, at);
	memcpy(less + at, frame + at + size, *len - at - size);
	if (!still_differs(s, less, *len - size))
		return false;
	*len -= size;
	memcpy(frame, less, *len);
	return true;
}

static bool shorten(struct shrink *s, uint8_t *frame, size_t *len)
{
	bool any = false;

	for (size_t size = *len / 2; size; size /= 2)
		for (size_t at = *len; at >= size && s->left; at -= at > size ? size : at)
			any |= leave_out(s, frame, len, at - size, size);
	return any;
}

static bool zero(struct shrink *s, uint8_t *frame, size_t len)
{
	bool any = false;

	for (size_t i = 0; i < len && s->left; i++) {
		uint8_t was = frame[i];

		if (!was)
			continue;
		frame[i] = 0;
		if (still_differs(s, frame, len))
			any = true;
		else
			frame[i] = was;
	}
	return any;
}

void trial_minimise(struct trial *t, const struct shot *shot, uint8_t *frame, size_t *len)
{
	struct shrink s = { t, shot, TRIALS_MOST };
	bool any;

	do {
		any = shorten(&s, frame, len);
		any |= zero(&s, frame, *len);
	} while (any && s.left);
	trial_run(t, shot, frame, *len);
}

/* Text */

void hex_write(FILE *to, const uint8_t *frame, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fprintf(to, "%02x%s", frame[i], i % 32 == 31 || i + 1 == len ? "\n" : "");
}

void trial_print(FILE *to, struct trial *t, const struct shot *shot, const uint8_t *frame,
		 size_t len)
{
	trial_run(t, shot, frame, len);
	fprintf(to, "# %s\n# %zu bytes, in by device %u%s\n", t->what, len, shot->ingress,
		shot->traced ? ", traced" : "");
	fprintf(to, "# model: %s, %s\n", verdict_name(t->model.verdict),
		model_reason_name(t->model.reason));
	fprintf(to, "# program: %s%s%s\n", verdict_name(t->program.verdict),
		shot->traced ? ", " : "",
		shot->traced ? model_reason_name(t->program.trace.reason) : "");
	hex_write(to, frame, len);
	if (to != stdout || t->model.verdict < XDP_PASS)
		return;
	printf("# what the model makes of it\n");
	hex_write(to, t->model.frame, t->model.len);
	printf("# what the program makes of it\n");
	hex_write(to, t->program.frame, t->program.len);
}

static int hex_digit(int c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c > 0 ? strchr(digits, c | 0x20) : NULL;

	return at && *at ? (int)(at - digits) : -1;
}

int hex_read(const char *path, uint8_t *frame, size_t size, size_t *len)
{
	FILE *from = fopen(path, "r");
	size_t digits = 0;
	int c;

	if (!from)
		return -errno;
	while ((c = getc(from)) != EOF && digits < size * 2) {
		int digit = hex_digit(c);

		if (c == '#')
			while (c != '\n' && c != EOF)
				c = getc(from);
		if (digit < 0)
			continue;
		frame[digits / 2] = (uint8_t)(digits & 1 ? frame[digits / 2] | digit : digit << 4);
		digits++;
	}
	fclose(from);
	*len = digits / 2;
	return digits & 1 || *len < LEAST ? -EINVAL : 0;
}
