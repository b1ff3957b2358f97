// SPDX-License-Identifier: GPL-2.0-only
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"

#define LINK_SOCKET_BYTES (32 << 20) /* so that a time slice of somebody else's loses nothing */

struct link_pool {
	unsigned char *memory;
	uint32_t slots, n; /* n: free ones */
	uint32_t free[];
};

struct link_pool *link_pool_new(uint32_t slots)
{
	struct link_pool *pool = malloc(sizeof(*pool) + slots * sizeof(pool->free[0]));

	if (!pool)
		return NULL;
	pool->memory = mmap(NULL, (size_t)slots * LINK_FRAME_MAX, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool->memory == MAP_FAILED) {
		free(pool);
		return NULL;
	}
	pool->slots = pool->n = slots;
	for (uint32_t i = 0; i < slots; i++)
		pool->free[i] = slots - 1 - i;
	return pool;
}

void link_pool_free(struct link_pool *pool)
{
	if (!pool)
		return;
	munmap(pool->memory, (size_t)pool->slots * LINK_FRAME_MAX);
	free(pool);
}

static void *link_pool_at(struct link_pool *pool, uint32_t slot)
{
	return pool->memory + (size_t)slot * LINK_FRAME_MAX;
}

/* A free slot, or -ENOBUFS. */
static int link_pool_take(struct link_pool *pool)
{
	return pool->n ? (int)pool->free[--pool->n] : -ENOBUFS;
}

void link_pool_give(struct link_pool *pool, uint32_t slot)
{
	pool->free[pool->n++] = slot;
}

int link_pool_copy(struct link_pool *pool, uint32_t slot, size_t len)
{
	int copy = link_pool_take(pool);

	if (copy >= 0)
		memcpy(link_pool_at(pool, (uint32_t)copy), link_pool_at(pool, slot), len);
	return copy;
}

/* Each option, and whether the link can do without. */
static int link_wire_options(int fd, const char *device, int ifindex)
{
	static const int one = 1, size = LINK_SOCKET_BYTES;
	struct packet_mreq promiscuous = { .mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC };

	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)))
		return log_err_r(-errno,
				 "%s: the kernel cannot leave out sent frames (%s); it "
				 "takes Linux 4.20",
				 device, strerror(errno));
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)))
		return log_err_r(-errno, "%s: no promiscuous mode: %s", device, strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		log_warn("%s: small socket buffers (%s); watch the counter overrun", device,
			 strerror(errno));
	if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)))
		log_warn("%s: frames pass its queueing discipline: %s", device, strerror(errno));
	return 0;
}

int link_wire_open(const char *device)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd, err;

	at.sll_ifindex = (int)if_nametoindex(device);
	if (!at.sll_ifindex)
		return log_err_r(-ENODEV, "%s: no such interface here; `ip link` lists them",
				 device);
	/* Protocol 0: nothing comes in before everything is set. */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return log_err_r(-errno, "%s: no packet socket: %s; it takes CAP_NET_RAW", device,
				 strerror(errno));
	err = link_wire_options(fd, device, at.sll_ifindex);
	if (!err && bind(fd, (struct sockaddr *)&at, sizeof(at)))
		err = log_err_r(-errno, "%s: cannot bind: %s", device, strerror(errno));
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

uint64_t link_wire_overrun(int fd)
{
	struct tpacket_stats stats = { 0 };
	socklen_t len = sizeof(stats);

	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len))
		return 0;
	return stats.tp_drops;
}

int link_wire_receive(int fd, struct link_pool *pool, struct link_frame out[static LINK_BATCH])
{
	struct mmsghdr messages[LINK_BATCH] = { 0 };
	struct iovec parts[LINK_BATCH];
	int n = 0, got, slot;

	while (n < LINK_BATCH && (slot = link_pool_take(pool)) >= 0) {
		out[n].slot = (uint32_t)slot;
		parts[n] = (struct iovec){ link_pool_at(pool, out[n].slot), LINK_FRAME_MAX };
		messages[n].msg_hdr.msg_iov = &parts[n];
		messages[n].msg_hdr.msg_iovlen = 1;
		n++;
	}
	/* MSG_TRUNC: the length that the frame had. */
	got = recvmmsg(fd, messages, (unsigned int)n, MSG_DONTWAIT | MSG_TRUNC, NULL);
	if (got < 0)
		got = errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < got; i++)
		out[i].len = messages[i].msg_len;
	/* Back in the order in which they came, so that the warm ones stay on top. */
	while (n > (got > 0 ? got : 0))
		link_pool_give(pool, out[--n].slot);
	return got;
}

size_t link_wire_send(int fd, struct link_pool *pool, const struct link_frame *frames, size_t n)
{
	struct mmsghdr messages[LINK_BATCH] = { 0 };
	struct iovec parts[LINK_BATCH];
	size_t done = 0, sent = 0;

	for (size_t i = 0; i < n; i++) {
		parts[i] = (struct iovec){ link_pool_at(pool, frames[i].slot), frames[i].len };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (done < n) {
		int took = sendmmsg(fd, messages + done, (unsigned int)(n - done), MSG_DONTWAIT);

		/* An error is about the first frame left: pass over it. */
		if (took > 0) {
			done += (size_t)took;
			sent += (size_t)took;
		} else {
			done++;
		}
	}
	return sent;
}
