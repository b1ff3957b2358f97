/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>
#include "gen.h"

#define LEAST 14 /* bytes of a frame that the kernel runs */
#define HEADS 140 /* most changes fall into the first bytes, where the headers are */

static const uint16_t interesting[] = { 0,	1,	2,	4,	5,	6,	8,
					17,	19,	20,	21,	27,	28,	39,
					40,	41,	43,	44,	48,	58,	60,
					63,	64,	127,	128,	255,	256,	1280,
					1500,	1501,	0x0800, 0x1fff, 0x2000, 0x4000, 0x7fff,
					0x8000, 0x8100, 0x86dd, 0x88a8, 0xfffe, 0xffff };

static size_t gen_place(struct rng *rng, const struct gen_frame *f)
{
	uint32_t most = (uint32_t)f->len;

	if (most > HEADS && !rng_chance(rng, 10))
		most = HEADS;
	return rng_below(rng, most);
}

static void flip_bit(struct rng *rng, struct gen_frame *f)
{
	f->at[gen_place(rng, f)] ^= (uint8_t)(1 << rng_below(rng, 8));
}

static void set_byte(struct rng *rng, struct gen_frame *f)
{
	f->at[gen_place(rng, f)] =
		(uint8_t)(rng_chance(rng, 3) ? rng_next(rng) : RNG_PICK(rng, interesting));
}

static void set_word(struct rng *rng, struct gen_frame *f)
{
	size_t at = gen_place(rng, f);
	uint16_t value = RNG_PICK(rng, interesting);

	if (at + 2 > f->len)
		return;
	f->at[at] = (uint8_t)(value >> 8);
	f->at[at + 1] = (uint8_t)value;
}

static void cut(struct rng *rng, struct gen_frame *f)
{
	size_t most = f->len > HEADS && !rng_chance(rng, 4) ? HEADS : f->len;

	f->len = LEAST + rng_below(rng, (uint32_t)(most - LEAST) + 1);
}

static void extend(struct rng *rng, struct gen_frame *f)
{
	gen_room(f, rng_below(rng, rng_chance(rng, 4) ? 2000 : 40));
}

static void drop_bytes(struct rng *rng, struct gen_frame *f)
{
	size_t at = gen_place(rng, f), n = 1 + rng_below(rng, 24);

	if (at + n > f->len || f->len - n < LEAST)
		return;
	memmove(f->at + at, f->at + at + n, f->len - at - n);
	f->len -= n;
}

static void repeat_bytes(struct rng *rng, struct gen_frame *f)
{
	size_t at = gen_place(rng, f), n = 1 + rng_below(rng, 24);

	if (at + n > f->len || f->len + n > sizeof(f->at))
		return;
	memmove(f->at + at + n, f->at + at, f->len - at);
	f->len += n;
}

/* One of the fields that say how long or of what kind something is, one more or less or odd. */
static void change_field(struct rng *rng, struct gen_frame *f)
{
	const size_t l3 = f->l3, l4 = f->l4;
	const size_t fields[] = { l3, l3 + 2,  l3 + 3,	l3 + 4,	 l3 + 5,  l3 + 6,  l3 + 7, l3 + 9,
				  l4, l4 + 1,  l4 + 3,	l4 + 12, l4 + 13, l4 + 21, 12,	   13,
				  0,  l3 + 40, l3 + 41, l3 + 43, l4 + 8,  l4 + 14, l4 + 17 };
	size_t at = RNG_PICK(rng, fields);

	if (at >= f->len)
		return;
	switch (rng_below(rng, 5)) {
	case 0:
		f->at[at]++;
		break;
	case 1:
		f->at[at]--;
		break;
	case 2:
		f->at[at] = (uint8_t)(f->at[at] + 0x10);
		break;
	case 3:
		f->at[at] = (uint8_t)(f->at[at] - 0x10);
		break;
	default:
		f->at[at] = (uint8_t)RNG_PICK(rng, interesting);
	}
}

/* The head of one packet and the tail of another. */
static void splice(struct rng *rng, struct gen_frame *f, const struct gen_frame *other)
{
	size_t at = gen_place(rng, f), from = rng_below(rng, (uint32_t)other->len);
	size_t n = other->len - from;

	if (at < LEAST)
		return;
	if (rng_chance(rng, 2)) {
		from = at < other->len ? at : 0;
		n = other->len - from;
	}
	if (at + n > sizeof(f->at))
		n = sizeof(f->at) - at;
	memcpy(f->at + at, other->at + from, n);
	f->len = at + n;
}

void gen_mutate(struct rng *rng, struct gen_frame *f, const struct gen_frame *other)
{
	static void (*const ways[])(struct rng *, struct gen_frame *) = {
		flip_bit,     flip_bit,	    set_byte,	  set_byte, set_word,	cut,
		change_field, change_field, change_field, extend,   drop_bytes, repeat_bytes,
	};

	for (uint32_t n = 1 + rng_below(rng, 4); n; n--) {
		if (rng_chance(rng, 16))
			splice(rng, f, other);
		else
			RNG_PICK(rng, ways)(rng, f);
	}
}
