// SPDX-License-Identifier: GPL-2.0-only
#include "queue.h"

#include <stdlib.h>

struct link_queue {
	size_t n, capacity;
	uint64_t pushed;
	struct link_packet heap[]; /* the children of i are 2i + 1 and 2i + 2 */
};

struct link_queue *link_queue_new(size_t capacity)
{
	struct link_queue *queue;

	queue = malloc(sizeof(*queue) + capacity * sizeof(queue->heap[0]));
	if (queue)
		*queue = (struct link_queue){ .capacity = capacity };
	return queue;
}

void link_queue_free(struct link_queue *queue)
{
	free(queue);
}

static bool link_before(const struct link_packet *a, const struct link_packet *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

bool link_queue_push(struct link_queue *queue, const struct link_packet *packet)
{
	struct link_packet *heap = queue->heap, new = *packet;
	size_t i = queue->n;

	if (queue->n == queue->capacity)
		return false;
	new.order = queue->pushed++;
	queue->n++;
	while (i > 0 && link_before(&new, &heap[(i - 1) / 2])) {
		heap[i] = heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap[i] = new;
	return true;
}

const struct link_packet *link_queue_first(const struct link_queue *queue)
{
	return queue->n ? &queue->heap[0] : NULL;
}

void link_queue_pop(struct link_queue *queue)
{
	struct link_packet *heap = queue->heap, last;
	size_t i = 0, child;

	if (!queue->n)
		return;
	last = heap[--queue->n];
	while ((child = 2 * i + 1) < queue->n) {
		if (child + 1 < queue->n && link_before(&heap[child + 1], &heap[child]))
			child++;
		if (!link_before(&heap[child], &last))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
}

size_t link_queue_length(const struct link_queue *queue)
{
	return queue->n;
}
