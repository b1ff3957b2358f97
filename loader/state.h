/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_STATE_H
#define MPLB_STATE_H

#include "in_force.h"
#include "lib/conf.h"
#include "lib/ip.h"

/*
 * The state of the balancer in words: VIPs, pools, members. What is (read back from the maps) and
 * what shall be (loader/plan.h) are told alike, so that a change is the difference of the two.
 */
#define STATE_NO_PLACE 0xffffffff

struct state_member {
	char name[MPLB_NAME_LEN];
	struct ip addr;
	__u16 id;
	__u16 config_weight; /* as the config says */
	__u32 weight; /* as the operator says, else the config */
	__u32 base; /* weight in the fallback table: before the changes under way */
	__u32 prev; /* weight between the first and the last of them; all 0: there was one only */
	__u8 flags; /* MPLB_MEMBER_F_* */
	__u32 index; /* into mplb_backends */
	size_t at; /* which of the pool's backends in the config, for complaints */
};

struct state_pool {
	char name[MPLB_NAME_LEN];
	enum mplb_forward forward;
	bool hash_addresses;
	enum mplb_all_down all_down;
	__u64 hash_seed;
	struct state_member *members;
	size_t n_members;
	__u32 table; /* index into mplb_tables */
	bool torn; /* its description is older than its table: an apply ended half way */
	size_t at; /* which pool in the config */
};

struct state_vip {
	char name[MPLB_NAME_LEN];
	struct ip addr;
	__u16 port; /* host byte order */
	__u8 protocol;
	enum mplb_mp_join mp_join;
	__u16 join_base; /* join_ports; 0: none */
	size_t pool;
	__u32 index; /* into mplb_vip_stats and mplb_vip_info */
};

struct state {
	struct state_vip *vips;
	size_t n_vips;
	struct state_pool *pools; /* each has a VIP */
	size_t n_pools;
	const struct conf *conf; /* the file it is from; NULL: none */
};

/* An empty one with room for this many, to be freed by state_free(). NULL: no memory. */
struct state *state_new(size_t vips, size_t pools);
void state_free(struct state *state);
struct state *state_copy(const struct state *from);
/* Gives the pool room for n members. 0 or -ENOMEM. */
int state_room(struct state_pool *pool, size_t n);

/* What is in force. now: from in_force_read(). 0 or -errno. */
int state_read(const struct datapath *dp, const struct in_force *now, struct state **out);

/* NULL: not there. */
struct state_pool *state_find_pool(const struct state *state, const char *name);
struct state_member *state_find_member(const struct state_pool *pool, __u16 id,
				       const struct ip *addr);

/* Weight in the owner table: 0 for a member that takes no new flows. */
__u32 member_owner(const struct state_member *m);
enum mplb_member_state member_state(const struct state_member *m);

/* Do backends pass on what is not theirs? If so, the fallback table stands still while changes are
 * under way; if not, it follows the owner table at once. */
bool pool_has_second_chance(const struct state_pool *pool);

/* Are changes under way: had anybody another weight for new flows since the pool was settled? */
bool pool_is_unsettled(const struct state_pool *pool);

#endif
