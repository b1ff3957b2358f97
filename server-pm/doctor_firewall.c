/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The doctor on packet filters: whether nftables certainly drops joins to a dedicated address. A
 * rule is understood where all that it asks for is destination address, destination port, protocol
 * or input device; any other rule may match or not, and what it would do is not counted on. So what
 * is reported is so; what is not reported may still be dropped, by a rule that is not understood,
 * by iptables-legacy, or elsewhere on the way.
 */
#include "doctor_exam.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pm_flow.h"

#define MAX_LISTENERS 64

/* What a join looks like to a filter. */
struct join {
	struct ip addr;
	__u16 port;
};

enum answer { NO, PERHAPS, YES };

/* `nft -j list ruleset`, or NULL: no nft here, no rights, no rules. */
static json_t *ruleset(void)
{
	char *const words[] = { "nft", "-j", "list", "ruleset", NULL };
	posix_spawn_file_actions_t actions;
	json_t *all = NULL;
	FILE *file = NULL;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return NULL;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, words[0], &actions, NULL, words, environ))
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	file = fdopen(ends[0], "r");
	if (file && pid > 0)
		all = json_loadf(file, 0, NULL);
	if (file)
		fclose(file);
	else
		close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return all;
}

/* ---- one condition ---- */

static bool text_is(const json_t *object, const char *key, const char *value)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && !strcmp(text, value);
}

/* An address, a prefix, a port, a number; sets and ranges are not understood. */
static enum answer address_is(const json_t *right, const struct ip *addr)
{
	const json_t *prefix = json_object_get(right, "prefix");
	const char *text = json_string_value(prefix ? json_object_get(prefix, "addr") : right);
	json_int_t len = prefix ? json_integer_value(json_object_get(prefix, "len")) : 128;
	struct ip ip;

	if (!text || ip_parse(text, &ip))
		return PERHAPS;
	if (ip.family != addr->family)
		return NO;
	for (json_int_t bit = 0; bit < len && bit < (json_int_t)IP_KEYLEN(ip.family) * 8; bit++) {
		__u32 mask = htonl(1u << (31 - bit % 32));

		if ((ip.addr.word[bit / 32] ^ addr->addr.word[bit / 32]) & mask)
			return NO;
	}
	return YES;
}

/* A number, a range, or a set of these. */
static enum answer port_is(const json_t *right, __u16 port)
{
	const json_t *range = json_object_get(right, "range"), *set = json_object_get(right, "set");
	enum answer any = NO;
	json_t *one;
	size_t i;

	if (json_is_integer(right))
		return json_integer_value(right) == port ? YES : NO;
	if (range)
		return json_integer_value(json_array_get(range, 0)) <= port &&
				       port <= json_integer_value(json_array_get(range, 1))
			       ? YES
			       : NO;
	if (!json_is_array(set))
		return PERHAPS;
	json_array_foreach (set, i, one) {
		enum answer is = port_is(one, port);

		any = is > any ? is : any;
	}
	return any;
}

/* A SYN opens a connection: conntrack calls it new. */
static enum answer state_is(const json_t *right)
{
	json_t *one;
	size_t i;

	if (json_is_string(right))
		return strcmp(json_string_value(right), "new") ? NO : YES;
	json_array_foreach (right, i, one)
		if (state_is(one) == YES)
			return YES;
	return json_is_array(right) ? NO : PERHAPS;
}

static enum answer device_is(const json_t *right)
{
	/* Joins come from elsewhere. */
	return json_is_string(right) && !strcmp(json_string_value(right), "lo") ? NO : PERHAPS;
}

static enum answer protocol_is(const json_t *right)
{
	if (!json_is_string(right))
		return PERHAPS;
	return strcmp(json_string_value(right), "tcp") ? NO : YES;
}

static enum answer payload_is(const json_t *payload, const json_t *right, const struct join *join)
{
	const char *ours = join->addr.family == MPLB_FAMILY_4 ? "ip" : "ip6";
	bool ip = text_is(payload, "protocol", "ip") || text_is(payload, "protocol", "ip6");

	if (ip && !text_is(payload, "protocol", ours))
		return NO;
	if (!ip && !text_is(payload, "protocol", "tcp") && !text_is(payload, "protocol", "th"))
		return NO; /* ICMP, UDP, ... */
	if (text_is(payload, "field", "daddr"))
		return address_is(right, &join->addr);
	if (text_is(payload, "field", "dport"))
		return port_is(right, join->port);
	if (text_is(payload, "field", "protocol") || text_is(payload, "field", "nexthdr"))
		return protocol_is(right);
	return PERHAPS;
}

static enum answer field_is(const json_t *left, const json_t *right, const struct join *join)
{
	const json_t *payload = json_object_get(left, "payload");
	const json_t *meta = json_object_get(left, "meta");

	/* `tcp dport` has a protocol and a field, a raw payload has neither. */
	if (payload && json_object_get(payload, "field"))
		return payload_is(payload, right, join);
	if (text_is(meta, "key", "l4proto"))
		return protocol_is(right);
	if (text_is(meta, "key", "iifname") || text_is(meta, "key", "iif"))
		return device_is(right);
	if (text_is(json_object_get(left, "ct"), "key", "state"))
		return state_is(right);
	return PERHAPS;
}

static enum answer matches(const json_t *match, const struct join *join)
{
	enum answer is =
		field_is(json_object_get(match, "left"), json_object_get(match, "right"), join);

	if (text_is(match, "op", "!="))
		return is == PERHAPS ? PERHAPS : is == YES ? NO : YES;
	return text_is(match, "op", "==") || text_is(match, "op", "in") ? is : PERHAPS;
}

/* ---- rules and chains ---- */

enum fate { GOES_ON, UNKNOWN, ACCEPTED, DROPPED };

/* What a rule does to the join; UNKNOWN: it may save it. */
static enum fate rule_fate(const json_t *rule, const struct join *join)
{
	enum answer all = YES;
	json_t *part;
	size_t i;

	json_array_foreach (json_object_get(rule, "expr"), i, part) {
		const json_t *match = json_object_get(part, "match");
		enum answer is = match ? matches(match, join) : YES;

		all = is < all ? is : all;
		if (all == NO)
			return GOES_ON;
		if (json_object_get(part, "drop") || json_object_get(part, "reject"))
			return all == YES ? DROPPED : GOES_ON;
		if (json_object_get(part, "accept"))
			return all == YES ? ACCEPTED : UNKNOWN;
		if (!match && !json_object_get(part, "counter") && !json_object_get(part, "log"))
			return UNKNOWN;
	}
	return GOES_ON;
}

static bool same_chain(const json_t *chain, const json_t *rule)
{
	return text_is(rule, "family", json_string_value(json_object_get(chain, "family"))) &&
	       text_is(rule, "table", json_string_value(json_object_get(chain, "table"))) &&
	       text_is(rule, "chain", json_string_value(json_object_get(chain, "name")));
}

/* A base chain that sees what comes in. */
static bool is_filter(const json_t *chain, const struct join *join)
{
	if (!text_is(chain, "type", "filter") ||
	    (!text_is(chain, "hook", "input") && !text_is(chain, "hook", "prerouting")))
		return false;
	return text_is(chain, "family", "inet") ||
	       text_is(chain, "family", join->addr.family == MPLB_FAMILY_4 ? "ip" : "ip6");
}

/* True where the chain drops the join; *handle is that of the rule, 0: the chain's policy. */
static bool chain_drops(const json_t *all, const json_t *chain, const struct join *join,
			json_int_t *handle)
{
	enum fate fate = GOES_ON;
	json_t *entry;
	size_t i;

	*handle = 0;
	json_array_foreach (json_object_get(all, "nftables"), i, entry) {
		const json_t *rule = json_object_get(entry, "rule");

		if (!rule || fate != GOES_ON || !same_chain(chain, rule))
			continue;
		fate = rule_fate(rule, join);
		if (fate == DROPPED)
			*handle = json_integer_value(json_object_get(rule, "handle"));
	}
	return fate == DROPPED || (fate == GOES_ON && text_is(chain, "policy", "drop"));
}

static void examine_chain(struct examination *x, const json_t *all, const json_t *chain,
			  const struct join *join)
{
	const char *family = json_string_value(json_object_get(chain, "family")),
		   *table = json_string_value(json_object_get(chain, "table")),
		   *name = json_string_value(json_object_get(chain, "name"));
	char end[PM_END_STRLEN], addr[IP_STRLEN];
	json_int_t handle;

	if (!is_filter(chain, join) || !chain_drops(all, chain, join, &handle))
		return;
	if (handle)
		doctor_command(x, "nft delete rule %s %s %s handle %lld", family, table, name,
			       (long long)handle);
	else
		doctor_command(x, "nft insert rule %s %s %s %s daddr %s tcp dport %u accept",
			       family, table, name,
			       join->addr.family == MPLB_FAMILY_4 ? "ip" : "ip6",
			       ip_format(&join->addr, addr), join->port);
	doctor_found(x, DOCTOR_FIREWALL, x->mend,
		     "nftables drops joins to %s: table %s %s, chain %s, %s",
		     pm_end_format(&join->addr, join->port, end), family, table, name,
		     handle ? "by a rule" : "by its policy");
}

static void examine_join(struct examination *x, const json_t *all, const struct join *join)
{
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(all, "nftables"), i, entry) {
		const json_t *chain = json_object_get(entry, "chain");

		if (chain)
			examine_chain(x, all, chain, join);
	}
}

static bool is_service(const struct examination *x, const struct pm_listener *l)
{
	for (size_t i = 0; i < x->config->vips.n; i++)
		if (pm_listener_takes(l, &x->config->vips.ip[i]))
			return true;
	return false;
}

/* Joins come to the ports on which MPTCP is served on VIPs. An application often has a socket per
 * family for one port. */
void doctor_firewall(struct examination *x)
{
	struct pm_listener listener[MAX_LISTENERS];
	size_t n = doctor_listeners(x, listener, MAX_LISTENERS);
	json_t *all = n ? ruleset() : NULL;

	for (size_t i = 0; all && i < n; i++) {
		bool again = !is_service(x, &listener[i]);

		for (size_t j = 0; j < i; j++)
			again = again || listener[j].port == listener[i].port;
		for (size_t d = 0; !again && d < x->config->dedicated.n; d++) {
			struct join join = { x->config->dedicated.ip[d], listener[i].port };

			examine_join(x, all, &join);
		}
	}
	json_decref(all);
}
