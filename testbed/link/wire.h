/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LINK_WIRE_H
#define MPLB_LINK_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define LINK_FRAME_MAX 2048 /* bytes; longer frames are dropped and counted */
#define LINK_BATCH     64 /* frames per system call */

/* The bytes of frames under way, in slots of LINK_FRAME_MAX. */
struct link_pool;

/* NULL without memory. Memory is taken as slots are used, and the warmest is used first. */
struct link_pool *link_pool_new(uint32_t slots);
void link_pool_free(struct link_pool *pool);
void link_pool_give(struct link_pool *pool, uint32_t slot);
/* Copies a frame into a free slot; the slot, or -ENOBUFS. */
int link_pool_copy(struct link_pool *pool, uint32_t slot, size_t len);

/*
 * A packet socket on an interface: what comes in there, each frame as the wire has it, and what is
 * sent out there. The kernel is to merge no frames and leave no checksums open on it (ethtool -K
 * DEV tx off gro off). The descriptor to poll, or -errno, logged.
 */
int link_wire_open(const char *device);

/* Frames that the kernel dropped because nobody fetched them in time, since the last call. */
uint64_t link_wire_overrun(int fd);

struct link_frame {
	uint32_t slot;
	uint32_t len; /* may exceed LINK_FRAME_MAX: the frame was cut */
};

/* Fetches at most LINK_BATCH frames into slots that the caller then owns. How many, 0 if none is
 * there or no slot free, or -errno. */
int link_wire_receive(int fd, struct link_pool *pool, struct link_frame out[static LINK_BATCH]);

/* Sends n frames, at most LINK_BATCH. How many of them the interface took; the slots stay the
 * caller's. */
size_t link_wire_send(int fd, struct link_pool *pool, const struct link_frame *frames, size_t n);

#endif
