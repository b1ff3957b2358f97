/* SPDX-License-Identifier: GPL-2.0-only */
/* docs/packet-walk.md, 7: joins and their subflows. */
#include <netinet/in.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "model_frame.h"
#include "mplb/maps.h"

#define SYN 0x02
#define RST 0x04
#define ACK 0x10

/* The members of a pool that an id or a backend stands for; -1: none. */
static int find_member(const struct walk *w, uint32_t pool, uint32_t which)
{
	for (size_t i = 0; i < w->model->n_members; i++)
		if (w->model->members[i].pool == pool && w->model->members[i].which == which)
			return w->model->members[i].index;
	return -1;
}

/* Options */

/* The last MPTCP option of this subtype whose length is one of up to three; NULL: none. Walked as
 * Linux does (tcp_input.c, tcp_parse_options). */
static const uint8_t *last_option(const uint8_t *opt, size_t left, uint8_t subtype,
				  const uint8_t lens[3])
{
	const uint8_t *found = NULL;

	while (left > 0 && opt[0] != 0) {
		size_t size = 1;

		if (opt[0] != 1) {
			if (left < 2 || opt[1] < 2 || opt[1] > left)
				break;
			size = opt[1];
		}
		if (opt[0] == 30 && size > 2 && opt[2] >> 4 == subtype &&
		    (size == lens[0] || size == lens[1] || size == lens[2]))
			found = opt;
		opt += size;
		left -= size;
	}
	return found;
}

/* Whether there is one of this subtype, of whatever length. */
static bool has_option(const uint8_t *opt, size_t left, uint8_t subtype)
{
	for (uint8_t len = 3; len <= 40; len++)
		if (last_option(opt, left, subtype, (uint8_t[3]){ len, len, len }))
			return true;
	return false;
}

/* The options that begin with DSS, or with timestamps as Linux writes them and DSS. */
static bool begins_with_dss(const uint8_t *opt, size_t len)
{
	static const uint8_t stamps[] = { 1, 1, 8, 10 };

	if (len < 16)
		return false;
	if (!memcmp(opt, stamps, 4))
		opt += 12;
	return opt[0] == 30 && opt[2] >> 4 == 2;
}

/* What has been learnt */

static struct model_token *find_token(const struct walk *w, uint32_t token)
{
	struct model_state *state = w->model->state;

	for (size_t i = 0; i < state->n_tokens; i++)
		if (state->tokens[i].token == token)
			return &state->tokens[i];
	return NULL;
}

static struct model_subflow *find_subflow(const struct walk *w, const struct flow *flow,
					  const struct model_vip *vip)
{
	struct model_state *state = w->model->state;

	for (size_t i = 0; i < state->n_subflows; i++) {
		struct model_subflow *s = &state->subflows[i];

		if (s->vip == vip && s->sport == flow->sport && s->dport == flow->dport &&
		    !memcmp(s->src, flow->src, IP_KEYLEN(w->family)))
			return s;
	}
	return NULL;
}

static void forget_subflow(const struct walk *w, struct model_subflow *s)
{
	if (s)
		*s = w->model->state->subflows[--w->model->state->n_subflows];
}

static void put_subflow(const struct walk *w, const struct flow *flow, const struct model_vip *vip,
			uint16_t owner, bool joined)
{
	struct model_state *state = w->model->state;
	struct model_subflow *s;

	forget_subflow(w, find_subflow(w, flow, vip));
	if (state->n_subflows == MODEL_STATE_MAX)
		abort();
	s = &state->subflows[state->n_subflows++];
	*s = (struct model_subflow){ vip, { 0 }, flow->sport, flow->dport, owner, joined };
	memcpy(s->src, flow->src, IP_KEYLEN(w->family));
}

static void learn(const struct walk *w, const uint8_t *option, const struct flow *flow,
		  const struct model_result *out)
{
	const struct model_subflow *syn = find_subflow(w, flow, out->vip);
	struct model_state *state = w->model->state;
	uint8_t digest[SHA256_DIGEST_LENGTH];
	struct model_token *known;
	uint32_t token;

	SHA256(option + 12, 8, digest);
	token = model_get32(digest);
	known = find_token(w, token);
	if (known) {
		if (known->collided || known->owner == out->owner || known->owner == out->fallback)
			return;
		if (find_member(w, out->vip->pool, known->owner) == out->owner)
			known->owner = out->owner;
		else
			known->collided = true;
		return;
	}
	if (out->fallback != out->owner && out->fallback != MPLB_NO_BACKEND &&
	    !(syn && syn->owner == out->owner))
		return;
	if (state->n_tokens == MODEL_STATE_MAX)
		abort();
	state->tokens[state->n_tokens++] = (struct model_token){ token, out->owner, false };
}

/* Packets */

static enum mplb_reason steer_join(const struct walk *w, const uint8_t *option,
				   const struct flow *flow, struct model_result *out)
{
	const struct model_token *token = option ? find_token(w, model_get32(option + 4)) : NULL;
	int member;

	if (!token)
		return MPLB_R_JOIN_UNKNOWN;
	if (token->collided)
		return MPLB_R_JOIN_COLLISION;
	member = find_member(w, out->vip->pool, token->owner);
	if (member < 0)
		return MPLB_R_JOIN_GONE;
	if (!w->traced)
		put_subflow(w, flow, out->vip, (uint16_t)member, true);
	out->owner = (uint16_t)member;
	out->fallback = MPLB_NO_BACKEND;
	out->via = MPLB_VIA_TOKEN;
	return GO_ON;
}

static enum mplb_reason steer_syn(const struct walk *w, const uint8_t *opt, size_t len,
				  const struct flow *flow, struct model_result *out)
{
	if (has_option(opt, len, 1)) {
		const uint8_t *join = last_option(opt, len, 1, (uint8_t[3]){ 12, 12, 12 });
		enum mplb_reason reason = steer_join(w, join, flow, out);

		if (reason != GO_ON)
			frame_reset(w, out);
		return reason;
	}
	if (w->traced)
		return GO_ON;
	if (has_option(opt, len, 0) && out->owner != out->fallback &&
	    out->owner != MPLB_NO_BACKEND && out->fallback != MPLB_NO_BACKEND)
		put_subflow(w, flow, out->vip, out->owner, false);
	else
		forget_subflow(w, find_subflow(w, flow, out->vip));
	return GO_ON;
}

static void steer_segment(const struct walk *w, const uint8_t *tcp, size_t len,
			  const struct flow *flow, struct model_result *out)
{
	const struct model_subflow *s = find_subflow(w, flow, out->vip);
	const uint8_t *option = NULL;

	if (s && s->joined) {
		out->via = MPLB_VIA_SUBFLOW;
		if (s->owner != out->owner) {
			out->fallback = out->owner;
			out->owner = s->owner;
		}
		return;
	}
	if (!tcp || w->traced || out->owner == MPLB_NO_BACKEND ||
	    (tcp[13] & (SYN | RST | ACK)) != ACK || begins_with_dss(tcp + TCP_HEAD, len))
		return;
	option = last_option(tcp + TCP_HEAD, len, 0, (uint8_t[3]){ 20, 22, 24 });
	if (option && (option[2] & 15) == 1)
		learn(w, option, flow, out);
}

static enum mplb_reason steer_port(const struct walk *w, const uint8_t *tcp, size_t len,
				   const struct flow *flow, struct model_result *out)
{
	uint32_t id = (uint32_t)(flow->dport - out->vip->join_base);
	int member = find_member(w, out->vip->pool, MPLB_MEMBER_ID | id);
	bool syn = tcp && (tcp[13] & (SYN | RST | ACK)) == SYN;

	if (syn && !has_option(tcp + TCP_HEAD, len, 1)) {
		frame_plain_reset(w, out);
		return MPLB_R_JOIN_PORT_PLAIN;
	}
	if (member < 0) {
		if (syn)
			frame_reset(w, out);
		return syn ? MPLB_R_JOIN_GONE : MPLB_R_JOIN_PORT_LOST;
	}
	out->owner = (uint16_t)member;
	out->fallback = MPLB_NO_BACKEND;
	out->via = MPLB_VIA_PORT;
	return GO_ON;
}

enum mplb_reason steer_packet(const struct walk *w, const struct flow *flow,
			      struct model_result *out)
{
	const uint8_t *tcp = w->error ? NULL : w->frame + w->l4;
	size_t len = tcp ? (tcp[12] >> 4) * 4u - TCP_HEAD : 0;

	if (out->vip->join_base && out->vip->port != flow->dport)
		return steer_port(w, tcp, len, flow, out);
	if (out->vip->mp_join != MPLB_MP_JOIN_STEER)
		return GO_ON;
	if (tcp && (tcp[13] & (SYN | RST | ACK)) == SYN)
		return steer_syn(w, tcp + TCP_HEAD, len, flow, out);
	steer_segment(w, tcp, len, flow, out);
	return GO_ON;
}
