// SPDX-License-Identifier: GPL-2.0-only
#include "model.h"

#define NS_PER_MS 1e6

/* splitmix64: a good 64-bit sequence from any seed, a word of state. */
static uint64_t link_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* From 0 up to, but not including, 1. */
static double link_chance(struct link_model *model, enum link_chance which)
{
	return (double)(link_random(&model->chance[which]) >> 11) * 0x1p-53;
}

void link_model_init(struct link_model *model, uint64_t seed, unsigned int direction)
{
	*model = (struct link_model){ 0 };
	for (size_t i = 0; i < LINK_CHANCE_MAX; i++) {
		uint64_t state = seed ^ ((uint64_t)direction * LINK_CHANCE_MAX + i) << 56;

		model->chance[i] = link_random(&state);
	}
}

/*
 * A Gilbert model: in a burst everything is lost, outside of one nothing. Bursts end with
 * probability 1/burst per packet and begin so often that the share of lost packets is the loss.
 * burst = 1/(1 - loss) would be independent losses; less than that cannot be had, and becomes it.
 */
static bool link_is_lost(struct link_model *model)
{
	const struct link_settings *s = &model->settings;
	double chance;

	/* One draw per packet, whatever the settings: they do not shift each other's sequences. */
	chance = link_chance(model, LINK_CHANCE_LOSS);
	if (s->loss <= 0) {
		model->in_burst = false;
		return false;
	}
	if (s->loss >= 1 || s->burst * (1 - s->loss) <= 1)
		return chance < s->loss;
	if (model->in_burst)
		model->in_burst = chance >= 1 / s->burst;
	else
		model->in_burst = chance < s->loss / (s->burst * (1 - s->loss));
	return model->in_burst;
}

/* When the rate has dealt with the packet; 0 if the queue in front of it has no room. */
static uint64_t link_pass_rate(struct link_model *model, uint64_t now, size_t len)
{
	const struct link_settings *s = &model->settings;
	uint64_t start = model->free_at > now ? model->free_at : now;
	double waiting;

	if (s->rate_mbit <= 0) {
		model->free_at = 0;
		return now;
	}
	waiting = (double)(start - now) * s->rate_mbit / 8e3;
	if (s->queue_kb > 0 && waiting + (double)len > s->queue_kb * 1e3)
		return 0;
	model->free_at = start + (uint64_t)((double)len * 8e3 / s->rate_mbit);
	return model->free_at;
}

enum link_fate link_model_admit(struct link_model *model, uint64_t now, size_t len, uint64_t *due,
				unsigned int *copies, bool *overtaken)
{
	const struct link_settings *s = &model->settings;
	bool lost = link_is_lost(model);
	double delay = s->delay_ms;
	uint64_t at;

	if (s->blackhole > 0)
		return LINK_FATE_BLACKHOLE;
	if (lost)
		return LINK_FATE_LOSS;
	at = link_pass_rate(model, now, len);
	if (!at)
		return LINK_FATE_QUEUE;
	if (s->jitter_ms > 0)
		delay += s->jitter_ms * (2 * link_chance(model, LINK_CHANCE_JITTER) - 1);
	if (delay > 0)
		at += (uint64_t)(delay * NS_PER_MS);
	if (at < model->latest)
		at = model->latest;
	*overtaken = s->reorder > 0 && link_chance(model, LINK_CHANCE_REORDER) < s->reorder;
	if (*overtaken)
		at += (uint64_t)(s->reorder_ms * NS_PER_MS);
	else
		model->latest = at;
	*due = at;
	*copies = 1;
	if (s->duplicate > 0 && link_chance(model, LINK_CHANCE_DUPLICATE) < s->duplicate)
		*copies = 2;
	return LINK_FATE_PASS;
}
