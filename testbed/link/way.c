// SPDX-License-Identifier: GPL-2.0-only
#include "way.h"

#include "lib/monotonic.h"

/* Takes over the slot. */
static void link_way_push(struct link_way *way, uint64_t due, uint32_t slot, uint32_t len)
{
	struct link_packet packet = { .due = due, .slot = slot, .len = len };

	if (link_queue_push(way->queue, &packet))
		return;
	way->count.no_room++;
	link_pool_give(way->pool, slot);
}

static void link_way_take(struct link_way *way, uint64_t now, const struct link_frame *frame)
{
	unsigned int copies = 1;
	bool overtaken = false;
	enum link_fate fate;
	uint64_t due = now;
	int copy;

	way->count.received++;
	way->count.received_bytes += frame->len;
	if (frame->len > LINK_FRAME_MAX) {
		way->count.too_long++;
		link_pool_give(way->pool, frame->slot);
		return;
	}
	fate = link_model_admit(&way->model, now, frame->len, &due, &copies, &overtaken);
	way->count.fate[fate]++;
	if (fate != LINK_FATE_PASS) {
		link_pool_give(way->pool, frame->slot);
		return;
	}
	way->count.overtaken += overtaken;
	link_way_push(way, due, frame->slot, frame->len);
	if (copies > 1) {
		copy = link_pool_copy(way->pool, frame->slot, frame->len);
		if (copy < 0)
			return;
		way->count.duplicated++;
		link_way_push(way, due, (uint32_t)copy, frame->len);
	}
}

bool link_way_receive(struct link_way *way, uint64_t now)
{
	struct link_frame frames[LINK_BATCH];
	int n = link_wire_receive(way->from, way->pool, frames);

	for (int i = 0; i < n; i++)
		link_way_take(way, now, &frames[i]);
	return n > 0;
}

bool link_way_send(struct link_way *way, uint64_t now)
{
	struct link_frame frames[LINK_BATCH];
	const struct link_packet *first;
	uint64_t late, bytes = 0;
	size_t n = 0, sent;

	while (n < LINK_BATCH && (first = link_queue_first(way->queue)) && first->due <= now) {
		late = now - first->due;
		way->count.late_ns += late;
		if (late > way->count.late_ns_max)
			way->count.late_ns_max = late;
		frames[n++] = (struct link_frame){ first->slot, first->len };
		bytes += first->len;
		link_queue_pop(way->queue);
	}
	if (!n)
		return false;
	sent = link_wire_send(way->to, way->pool, frames, n);
	way->count.sent += sent;
	way->count.refused += n - sent;
	way->count.sent_bytes += bytes;
	while (n > 0)
		link_pool_give(way->pool, frames[--n].slot);
	return true;
}

json_t *link_way_show(struct link_way *way)
{
	static const char *const fates[] = {
#define X(NAME, name) name,
		LINK_FATES(X)
#undef X
	};
	json_t *packets = json_object();
	double n = (double)(way->count.sent + way->count.refused);

	way->count.overrun += link_wire_overrun(way->from);
	json_object_set_new(packets, "received", json_integer((json_int_t)way->count.received));
	for (size_t i = 0; i < LINK_FATE_MAX; i++)
		json_object_set_new(packets, fates[i],
				    json_integer((json_int_t)way->count.fate[i]));
	return json_pack(
		"{s:o, s:o, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}, s:f, s:f}", "settings",
		link_settings_write(&way->model.settings), "packets", packets, "counters",
		"received_bytes", (json_int_t)way->count.received_bytes, "sent",
		(json_int_t)way->count.sent, "sent_bytes", (json_int_t)way->count.sent_bytes,
		"duplicated", (json_int_t)way->count.duplicated, "overtaken",
		(json_int_t)way->count.overtaken, "overrun", (json_int_t)way->count.overrun,
		"no_room", (json_int_t)way->count.no_room, "too_long",
		(json_int_t)way->count.too_long, "refused", (json_int_t)way->count.refused,
		"late_us_mean", n > 0 ? (double)way->count.late_ns / n / 1e3 : 0.0, "late_us_max",
		(double)way->count.late_ns_max / 1e3);
}
