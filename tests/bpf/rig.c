/* SPDX-License-Identifier: GPL-2.0-only */
#include "rig.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bpf/lb.skel.h"
#include "kept.h"
#include "loader/pooltable.h"
#include "loader/viptable.h"
#include "mplb/hash.h"
#include "mplb/steer.h"

#define META_MAX    256
#define WORDS(type) (sizeof(type) / sizeof(__u64))

void rig_skip_kernel(const char *reason)
{
	/* Criterion keeps the reason to itself unless it is verbose. */
	fprintf(stderr, "[SKIP] %s\n", reason);
	cr_skip_test("%s", reason);
}

void rig_skip(const char *reason)
{
	const char *require = getenv("REQUIRE_ALL");

	if (require && strcmp(require, "0"))
		cr_assert_fail("skipped, and REQUIRE_ALL is set: %s", reason);
	rig_skip_kernel(reason);
}

unsigned int rig_scale(unsigned int full, unsigned int quick)
{
	return getenv("MPLB_QUICK") ? quick : full;
}

static void *map_memory(const struct bpf_map *map, size_t value_size)
{
	void *at = datapath_mmap(bpf_map__fd(map), bpf_map__max_entries(map) * value_size);

	cr_assert_not_null(at, "%s: mmap: %s", bpf_map__name(map), strerror(errno));
	return at;
}

static int print_warnings(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, args) : 0;
}

/* No VIP table is in force: the last test's goes. */
static void forget_vips(int vips)
{
	__u32 zero = 0;

	cr_assert(!bpf_map_delete_elem(vips, &zero) || errno == ENOENT, "the VIP table: %s",
		  strerror(errno));
}

void rig_open(struct rig *rig)
{
	struct datapath *dp = &rig->dp;

	memset(rig, 0, sizeof(*rig));
	if (geteuid() != 0)
		rig_skip("needs root");
	libbpf_set_print(print_warnings);
	rig->skel = lb_bpf__open();
	cr_assert_not_null(rig->skel, "cannot open bpf/lb.bpf.c: %s", strerror(errno));
	bpf_program__set_autoload(rig->skel->progs.mplb_probe, true);
	rig->kept = kept_load("lb", rig->skel->obj);
	rig->prog = kept_program(rig->kept, "mplb_lb");
	rig->probe = kept_program(rig->kept, "mplb_probe");
	dp->vips = bpf_map__fd(rig->skel->maps.mplb_vips);
	dp->tables = bpf_map__fd(rig->skel->maps.mplb_tables);
	dp->vip_stats = bpf_map__fd(rig->skel->maps.mplb_vip_stats);
	dp->backend_stats = bpf_map__fd(rig->skel->maps.mplb_backend_stats);
	dp->reasons = bpf_map__fd(rig->skel->maps.mplb_reasons);
	dp->members = bpf_map__fd(rig->skel->maps.mplb_members);
	dp->backends = map_memory(rig->skel->maps.mplb_backends, sizeof(*dp->backends));
	dp->tokens = map_memory(rig->skel->maps.mplb_tokens, sizeof(*dp->tokens));
	dp->subflows = map_memory(rig->skel->maps.mplb_subflows, sizeof(*dp->subflows));
	rig->table = viptable_new();
	cr_assert_not_null(rig->table);
	forget_vips(dp->vips);
}

void rig_close(struct rig *rig)
{
	munmap(rig->dp.backends, MPLB_MAX_BACKENDS * sizeof(*rig->dp.backends));
	munmap(rig->dp.tokens, MPLB_TOKEN_BUCKETS * sizeof(*rig->dp.tokens));
	munmap(rig->dp.subflows, MPLB_SUBFLOW_BUCKETS * sizeof(*rig->dp.subflows));
	free(rig->table);
	lb_bpf__destroy(rig->skel);
	close(rig->prog);
	close(rig->probe);
	close(rig->kept);
}

/* VIPs */

/* Puts one slot in; an address entry may be there already. */
static void insert(struct rig *rig, const struct mplb_vip_slot *slot, bool again)
{
	int err = viptable_insert(rig->table, slot);

	cr_assert(!err || (again && err == -EEXIST), "viptable_insert: %s", strerror(-err));
}

uint32_t rig_add_vip(struct rig *rig, const struct rig_vip *vip)
{
	uint32_t index = rig->n_vips++;
	struct rig_vip *own = &rig->vips[index];
	struct mplb_vip_slot slot = { 0 }, address = { 0 };

	cr_assert_lt(index, MPLB_MAX_VIPS);
	*own = *vip;
	if (!own->hash_key)
		own->hash_key = mplb_key(RIG_SEED, index);
	cr_assert_eq(ip_parse(own->addr, &own->ip), 0, "%s", own->addr);
	slot.addr = address.addr = own->ip.addr;
	slot.service = mplb_vip_service(htons(own->port), own->proto, own->ip.family);
	slot.mp_join = (__u8)own->mp_join;
	slot.hash_key = own->hash_key;
	slot.flags = own->addresses ? MPLB_VIP_F_ADDRESSES : 0;
	if (own->mp_join == MPLB_MP_JOIN_STEER)
		slot.flags |= MPLB_VIP_F_STEER;
	slot.join_base = own->join_base;
	slot.vip = index;
	slot.table = own->table;
	address.service = mplb_vip_service(0, 0, own->ip.family);
	insert(rig, &slot, false);
	insert(rig, &address, true);
	if (own->join_base) {
		slot.flags = MPLB_VIP_F_PORTS;
		slot.service = mplb_vip_service(
			htons((__u16)((own->join_base + 1) / MPLB_JOIN_BLOCK * MPLB_JOIN_BLOCK)),
			MPLB_JOIN_PROTO, own->ip.family);
		insert(rig, &slot, false);
	}
	return index;
}

/* All in one call: the kernel waits for a grace period after each. */
static void commit_pools(struct rig *rig)
{
	__u32 count = rig->n_pools;

	if (!count)
		return;
	cr_assert_eq(
		bpf_map_update_batch(rig->dp.tables, rig->pool_key, rig->pool_fd, &count, NULL), 0,
		"cannot write the pools' tables: %s", strerror(errno));
	while (rig->n_pools)
		close(rig->pool_fd[--rig->n_pools]);
}

void rig_commit(struct rig *rig)
{
	int err;

	commit_pools(rig);
	for (uint32_t i = 0; i < rig->n_vips; i++) {
		uint32_t table = rig->vips[i].table;

		cr_assert(table >= RIG_NO_POOL || rig->pool_set[table],
			  "pool %u is not set: the test might see another test's", table);
	}
	viptable_seal(rig->table);
	err = viptable_commit(&rig->dp, rig->table);
	cr_assert_eq(err, 0, "viptable_commit: %s", strerror(-err));
}

const struct rig_vip *rig_find_vip(const struct rig *rig, const struct ip *dst, uint16_t port,
				   uint8_t proto)
{
	const struct rig_vip *any = NULL;

	for (uint32_t i = 0; i < rig->n_vips; i++) {
		const struct rig_vip *vip = &rig->vips[i];

		if (vip->proto != proto || !ip_equal(&vip->ip, dst))
			continue;
		if (vip->port == port)
			return vip;
		if (!vip->port)
			any = vip;
	}
	return any;
}

/* Backends and pools */

/* Sum of what is constant in an outer IPv4 header, in the byte order in which a packet has it. */
static __u16 constant_sum(const struct mplb_backend *b)
{
	uint8_t head[20] = { 0x45, [6] = 0x40, [8] = 64 };

	memcpy(head + 12, &b->src, 4);
	memcpy(head + 16, &b->dst, 4);
	return htons(inet_sum(head, sizeof(head)));
}

void rig_set_backend(struct rig *rig, uint32_t index, const struct rig_backend *b)
{
	struct mplb_backend *entry = &rig->dp.backends[index];
	const uint8_t dmac[6] = { 2, 0xb0, 0, 0, (uint8_t)(index >> 8), (uint8_t)index };
	const uint8_t smac[6] = { 2, 0xa0, 0, 0, (uint8_t)(index >> 8), (uint8_t)index };
	struct ip dst, src;

	cr_assert(!ip_parse(b->dst, &dst) && !ip_parse(b->src, &src) && dst.family == src.family);
	*entry = (struct mplb_backend){
		.dst = dst.addr,
		.src = src.addr,
		.ifindex = b->ifindex,
		.flags = b->ifindex ? MPLB_BACKEND_F_RESOLVED : 0,
		.mtu = b->mtu ? b->mtu : 1500,
		.forward = (__u8)b->forward,
		.family = dst.family,
		.vlan = b->vlan,
	};
	memcpy(entry->dmac, dmac, 6);
	memcpy(entry->smac, smac, 6);
	if (dst.family == MPLB_FAMILY_4)
		entry->csum = constant_sum(entry);
}

struct outer rig_outer(const struct rig *rig, uint32_t index, uint32_t fallback, uint32_t hash)
{
	const struct mplb_backend *b = &rig->dp.backends[index];
	struct outer outer = { .dmac = b->dmac, .smac = b->smac, .vlan = b->vlan, .hash = hash };

	if (b->forward != MPLB_FORWARD_L2) {
		outer.dst = (struct ip){ b->dst, b->family };
		outer.src = (struct ip){ b->src, b->family };
	}
	outer.gue = b->forward == MPLB_FORWARD_GUE;
	if (fallback != index && fallback != MPLB_NO_BACKEND)
		outer.fallback = (struct ip){ rig->dp.backends[fallback].dst,
					      rig->dp.backends[fallback].family };
	return outer;
}

/* Keeps a table until rig_commit(). */
static void keep_table(struct rig *rig, uint32_t table, int fd, struct mplb_table_slot *slots)
{
	pooltable_unmap(slots);
	cr_assert(rig->n_pools < MPLB_MAX_POOLS && table < RIG_NO_POOL);
	rig->pool_set[table] = true;
	rig->pool_key[rig->n_pools] = table;
	rig->pool_fd[rig->n_pools++] = fd;
}

void rig_set_pool(struct rig *rig, uint32_t table, const struct maglev_member *members, size_t n,
		  struct mplb_table_slot *copy)
{
	struct mplb_table_slot *slots;
	int fd = pooltable_new(&slots);

	cr_assert_geq(fd, 0, "pooltable_new: %s", strerror(-fd));
	cr_assert_eq(maglev_build(members, n, RIG_SEED, slots), 0);
	if (copy)
		memcpy(copy, slots, MPLB_TABLE_SLOTS * sizeof(*slots));
	keep_table(rig, table, fd, slots);
}

void rig_set_constant_pool(struct rig *rig, uint32_t table, uint16_t backend)
{
	rig_set_constant_pair(rig, table, backend, backend);
}

void rig_set_constant_pair(struct rig *rig, uint32_t table, uint16_t owner, uint16_t fallback)
{
	struct mplb_table_slot *slots;
	int fd = pooltable_new(&slots);

	cr_assert_geq(fd, 0, "pooltable_new: %s", strerror(-fd));
	for (size_t i = 0; i < MPLB_TABLE_SLOTS; i++)
		slots[i] = (struct mplb_table_slot){ owner, fallback };
	keep_table(rig, table, fd, slots);
}

void rig_set_member(struct rig *rig, uint32_t table, uint32_t which, uint32_t backend)
{
	struct mplb_member_key key = { table, which };

	cr_assert_eq(bpf_map_update_elem(rig->dp.members, &key, &backend, BPF_ANY), 0);
}

uint32_t rig_hash(const struct rig_vip *vip, const struct ip *src, uint16_t sport, uint16_t dport)
{
	__be16 half[2] = { htons(sport), htons(dport) };
	uint64_t word[2];
	uint32_t ports;

	memcpy(&ports, half, sizeof(ports));
	if (vip->addresses)
		ports = 0;
	if (src->family == MPLB_FAMILY_4)
		return mplb_flow_hash4(vip->hash_key, src->addr.word[0], ports);
	memcpy(word, &src->addr, sizeof(word));
	return mplb_flow_hash6(vip->hash_key, word[0], word[1], ports);
}

uint32_t rig_hash_frame(const struct rig_vip *vip, const struct frame *f)
{
	const uint8_t *ip = f->at + ETH_HEAD, *l4;
	struct ip src = { .family = ip[0] >> 4 };

	l4 = ip + (src.family == MPLB_FAMILY_4 ? 20 : 40);
	memcpy(&src.addr, ip + (src.family == MPLB_FAMILY_4 ? 12 : 8), IP_KEYLEN(src.family));
	return rig_hash(vip, &src, (uint16_t)(l4[0] << 8 | l4[1]), (uint16_t)(l4[2] << 8 | l4[3]));
}

/* Running */

int rig_run_with(const struct rig *rig, const struct frame *in, const void *meta, size_t len,
		 uint32_t ingress, struct rig_result *out)
{
	uint8_t data[META_MAX + FRAME_MAX], back[sizeof(data) + 64];
	struct xdp_md ctx = { .data = (__u32)len,
			      .data_end = (__u32)(len + in->len),
			      .ingress_ifindex = ingress };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = ctx.data_end,
		    .data_out = back, .data_size_out = sizeof(back), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);

	if (len)
		memcpy(data, meta, len);
	memcpy(data + len, in->at, in->len);
	if (bpf_prog_test_run_opts(rig->prog, &opts))
		return -errno;
	out->verdict = (int)opts.retval;
	out->out.len = opts.data_size_out - len;
	cr_assert(opts.data_size_out >= len && out->out.len <= FRAME_MAX, "%u bytes came out",
		  opts.data_size_out);
	memcpy(out->out.at, back + len, out->out.len);
	if (len >= sizeof(out->trace))
		memcpy(&out->trace, back, sizeof(out->trace));
	return 0;
}

void rig_run(const struct rig *rig, const struct frame *in, struct rig_result *out)
{
	int err = rig_run_with(rig, in, NULL, 0, RIG_INGRESS, out);

	cr_assert_eq(err, 0, "a frame of %zu bytes: %s", in->len, strerror(-err));
}

void rig_explain(const struct rig *rig, const struct frame *in, struct rig_result *out)
{
	const struct mplb_trace trace = { .magic = MPLB_TRACE_MAGIC,
					  .vip = MPLB_TRACE_NONE,
					  .slot = MPLB_TRACE_NONE,
					  .owner = MPLB_NO_BACKEND,
					  .fallback = MPLB_NO_BACKEND,
					  .reason = MPLB_R_MAX };
	int err = rig_run_with(rig, in, &trace, sizeof(trace), RIG_INGRESS, out);

	cr_assert_eq(err, 0, "a frame of %zu bytes with a trace: %s", in->len, strerror(-err));
}

/* The first n values of a per-CPU map, each of some words, summed over the CPUs. */
static void sum_all(int map, uint32_t n, void *out, size_t words)
{
	size_t cpus = (size_t)libbpf_num_possible_cpus(), size = words * sizeof(__u64);
	__u32 keys[RIG_COUNTED], next, count = n;
	__u64 *values = calloc(n * cpus, size), *sum = out;

	cr_assert_leq(n, RIG_COUNTED);
	cr_assert_not_null(values);
	if (bpf_map_lookup_batch(map, NULL, &next, keys, values, &count, NULL) && errno != ENOENT)
		cr_assert_fail("cannot read counters: %s", strerror(errno));
	cr_assert_eq(count, n);
	memset(out, 0, n * size);
	for (size_t i = 0; i < n * cpus * words; i++)
		sum[keys[i / (cpus * words)] * words + i % words] += values[i];
	free(values);
}

void rig_count(const struct rig *rig, struct rig_counters *out)
{
	const struct datapath *dp = &rig->dp;

	sum_all(dp->reasons, MPLB_R_MAX, out->reason, 1);
	sum_all(dp->vip_stats, RIG_COUNTED, out->vip, WORDS(struct mplb_vip_stats));
	sum_all(dp->backend_stats, RIG_COUNTED, out->backend, WORDS(struct mplb_backend_stats));
}

uint64_t rig_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}
