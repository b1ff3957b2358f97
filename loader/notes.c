/* SPDX-License-Identifier: GPL-2.0-only */
#include "notes.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WORDS(list) (sizeof(list) / sizeof(*(list)))

/* A change being noted: several details of one object make one entry. */
struct note {
	json_t *changes;
	const char *object;
	char name[2 * MPLB_NAME_LEN + 1];
	char detail[320];
	size_t len;
};

static const char *word(const char *const *list, size_t n, unsigned int i)
{
	return i < n ? list[i] : "?";
}

const char *state_word(enum mplb_member_state state)
{
	static const char *const words[] = { "joining", "active", "draining", "down" };

	return word(words, WORDS(words), state);
}

const char *forward_word(enum mplb_forward forward)
{
	static const char *const words[] = { "l2", "ipip", "gue" };

	return word(words, WORDS(words), forward);
}

const char *mp_join_word(enum mplb_mp_join mp_join)
{
	static const char *const words[] = { "reject", "hash", "steer" };

	return word(words, WORDS(words), mp_join);
}

/* Adds a detail. */
static void __attribute__((format(printf, 2, 3))) detail(struct note *note, const char *fmt, ...)
{
	size_t room;
	va_list ap;
	int n;

	if (note->len)
		note->len += (size_t)snprintf(note->detail + note->len,
					      sizeof(note->detail) - note->len, ", ");
	room = sizeof(note->detail) - note->len;
	va_start(ap, fmt);
	n = vsnprintf(note->detail + note->len, room, fmt, ap);
	va_end(ap);
	note->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

static void end(const struct note *note, const char *action)
{
	json_array_append_new(note->changes,
			      json_pack("{s:s, s:s, s:s, s:s}", "action", action, "object",
					note->object, "name", note->name, "detail", note->detail));
}

static void end_if_any(const struct note *note)
{
	if (note->len)
		end(note, "change");
}

/* VIPs */

static struct note begin_vip(json_t *changes, const struct state_vip *vip)
{
	struct note note = { .changes = changes, .object = "vip" };

	snprintf(note.name, sizeof(note.name), "%s", vip->name);
	return note;
}

static const char *service(const struct state_vip *vip, char buf[static IP_STRLEN + 16])
{
	char addr[IP_STRLEN];

	snprintf(buf, IP_STRLEN + 16, vip->addr.family == MPLB_FAMILY_4 ? "%s:%u/%s" : "[%s]:%u/%s",
		 ip_format(&vip->addr, addr), vip->port,
		 vip->protocol == IPPROTO_TCP ? "tcp" : "udp");
	return buf;
}

static const struct state_vip *find_vip(const struct state *state, const struct state_vip *vip)
{
	for (size_t v = 0; v < state->n_vips; v++) {
		const struct state_vip *other = &state->vips[v];

		if (ip_equal(&other->addr, &vip->addr) && other->port == vip->port &&
		    other->protocol == vip->protocol)
			return other;
	}
	return NULL;
}

static void note_vip(json_t *changes, const struct state *was, const struct state *want,
		     const struct state_vip *vip)
{
	const struct state_vip *old = find_vip(was, vip);
	const char *pool = want->pools[vip->pool].name;
	struct note note = begin_vip(changes, vip);
	char text[IP_STRLEN + 16];

	service(vip, text);
	if (!old) {
		detail(&note, "%s -> pool %s, mp_join %s", text, pool, mp_join_word(vip->mp_join));
		if (vip->join_base)
			detail(&note, "join_ports from %u", vip->join_base);
		end(&note, "add");
		return;
	}
	if (strcmp(was->pools[old->pool].name, pool) != 0)
		detail(&note, "%s pool %s -> %s", text, was->pools[old->pool].name, pool);
	if (old->mp_join != vip->mp_join)
		detail(&note, "%s mp_join %s -> %s", text, mp_join_word(old->mp_join),
		       mp_join_word(vip->mp_join));
	if (old->join_base != vip->join_base)
		detail(&note, "%s join_ports from %u -> %u", text, old->join_base, vip->join_base);
	if (strcmp(old->name, vip->name) != 0)
		detail(&note, "%s name %s -> %s", text, old->name, vip->name);
	end_if_any(&note);
}

/* Pools and backends */

static struct note begin_member(json_t *changes, const struct state_pool *pool,
				const struct state_member *m)
{
	struct note note = { .changes = changes, .object = "backend" };

	snprintf(note.name, sizeof(note.name), "%s/%s", pool->name, m->name);
	return note;
}

static void note_pool(json_t *changes, const struct state_pool *old, const struct state_pool *pool)
{
	struct note note = { .changes = changes, .object = "pool" };

	snprintf(note.name, sizeof(note.name), "%s", pool->name);
	if (old->forward != pool->forward)
		detail(&note, "forward %s -> %s", forward_word(old->forward),
		       forward_word(pool->forward));
	if (old->hash_addresses != pool->hash_addresses)
		detail(&note, "hash %s",
		       pool->hash_addresses ? "flow -> addresses" : "addresses -> flow");
	if (old->all_down != pool->all_down)
		detail(&note, "all_down %s",
		       pool->all_down == MPLB_ALL_DOWN_KEEP ? "stop -> keep" : "keep -> stop");
	if (old->hash_seed != pool->hash_seed)
		detail(&note, "hash_seed %#llx -> %#llx", old->hash_seed, pool->hash_seed);
	end_if_any(&note);
}

static void note_new_member(struct note *note, const struct state_pool *old,
			    const struct state_member *m)
{
	char addr[IP_STRLEN];

	detail(note, "%s id %u weight %u", ip_format(&m->addr, addr), m->id, m->weight);
	if (old && member_state(m) != MPLB_MEMBER_ACTIVE)
		detail(note, "%s", state_word(member_state(m)));
	end(note, "add");
}

/* A member that left the config, or came back to it, while its pool is not settled. */
static void note_gone(struct note *note, const struct state_member *m)
{
	char addr[IP_STRLEN];

	ip_format(&m->addr, addr);
	if (m->flags & MPLB_MEMBER_F_GONE) {
		detail(note, "%s, kept for its connections until the pool is settled", addr);
		end(note, "remove");
	} else {
		detail(note, "%s id %u weight %u, back before it was forgotten", addr, m->id,
		       m->weight);
		end(note, "add");
	}
}

static void note_member(json_t *changes, const struct state_pool *old,
			const struct state_pool *pool, const struct state_member *m)
{
	const struct state_member *before = old ? state_find_member(old, m->id, &m->addr) : NULL;
	struct note note = begin_member(changes, pool, m);
	__u8 turned;

	if (!before) {
		note_new_member(&note, old, m);
		return;
	}
	turned = before->flags ^ m->flags;
	if (turned & MPLB_MEMBER_F_GONE) {
		note_gone(&note, m);
		return;
	}
	if (before->weight != m->weight)
		detail(&note, "weight %u -> %u", before->weight, m->weight);
	if (turned & MPLB_MEMBER_F_WEIGHT)
		detail(&note,
		       m->flags & MPLB_MEMBER_F_WEIGHT ? "ordered: the config's (%u) waits"
						       : "as the config says (%u)",
		       m->config_weight);
	if (turned & MPLB_MEMBER_F_DRAIN)
		detail(&note, m->flags & MPLB_MEMBER_F_DRAIN ? "takes no new connections"
							     : "takes new connections");
	if (turned & MPLB_MEMBER_F_DOWN)
		detail(&note, m->flags & MPLB_MEMBER_F_DOWN ? "its health checks fail"
							    : "its health checks pass");
	if (turned & MPLB_MEMBER_F_KEPT)
		detail(&note, m->flags & MPLB_MEMBER_F_KEPT
				      ? "kept: all backends of the pool are down"
				      : "no longer kept");
	if (pool_has_second_chance(pool) && before->base != m->base)
		detail(&note, "base weight %u -> %u", before->base, m->base);
	if (strcmp(before->name, m->name) != 0)
		detail(&note, "name %s -> %s", before->name, m->name);
	end_if_any(&note);
}

static void note_removed(json_t *changes, const struct state *was, const struct state *want)
{
	for (size_t v = 0; v < was->n_vips; v++) {
		struct note note = begin_vip(changes, &was->vips[v]);
		char text[IP_STRLEN + 16];

		if (find_vip(want, &was->vips[v]))
			continue;
		detail(&note, "%s", service(&was->vips[v], text));
		end(&note, "remove");
	}
	for (size_t p = 0; p < was->n_pools; p++) {
		const struct state_pool *old = &was->pools[p];
		const struct state_pool *pool = state_find_pool(want, old->name);

		for (size_t i = 0; i < old->n_members; i++) {
			const struct state_member *m = &old->members[i];
			struct note note = begin_member(changes, old, m);
			char addr[IP_STRLEN];

			if (pool && state_find_member(pool, m->id, &m->addr))
				continue;
			detail(&note, "%s", ip_format(&m->addr, addr));
			end(&note, "remove");
		}
	}
}

void notes_write(const struct state *was, const struct state *want, json_t *changes)
{
	for (size_t p = 0; p < want->n_pools; p++) {
		const struct state_pool *pool = &want->pools[p];
		const struct state_pool *old = state_find_pool(was, pool->name);

		if (old)
			note_pool(changes, old, pool);
		for (size_t i = 0; i < pool->n_members; i++)
			note_member(changes, old, pool, &pool->members[i]);
	}
	for (size_t v = 0; v < want->n_vips; v++)
		note_vip(changes, was, want, &want->vips[v]);
	note_removed(changes, was, want);
	for (size_t p = 0; p < want->n_pools; p++) {
		struct note note = { .changes = changes, .object = "pool" };

		if (!pool_is_unsettled(&want->pools[p]))
			continue;
		snprintf(note.name, sizeof(note.name), "%s", want->pools[p].name);
		detail(&note, NOTES_UNSETTLED);
		end(&note, "unsettled");
	}
}
