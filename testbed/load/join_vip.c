// SPDX-License-Identifier: GPL-2.0-only
/*
 * mplb-load join-vip: a client's path manager that ignores the C flag (RFC 8684, 3.1) and joins the
 * address that the connection was made to. Needs net.mptcp.path_manager=userspace (before Linux
 * 6.15: pm_type=1) in its network namespace; runs beside the program whose connections it joins.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "endpoint.h"
#include "lib/log.h"
#include "lib/nl.h"
#include "lib/out.h"
#include "mptcp_event.h"

#define JOIN_FIRST_ID 1 /* address ids of our end; 0 is the first subflow's */
#define JOIN_MAX      100000

struct join_vip {
	struct option_list local;
	const char *to_text;
	struct endpoint to;
	bool announced;
	double seconds;
	struct endpoint from[OPTION_LIST_MAX];
	struct nl *events, *commands;
	int family;
	struct event_base *base;
	json_t *joins; /* a row per SUBFLOW_CREATE */
	json_t *ports; /* token -> port that the connection was made to */
	unsigned long long connections, attempted, refused, established, closed;
};

static const struct option join_options[] = {
	{ "--local", OPTION_LIST, offsetof(struct join_vip, local), "ADDR",
	  "join from this address; may be repeated, once per family" },
	{ "--to", OPTION_TEXT, offsetof(struct join_vip, to_text), "ADDR:PORT",
	  "join this address, of whatever family, and not the one connected to" },
	{ "--announced", OPTION_FLAG, offsetof(struct join_vip, announced), NULL,
	  "join what the server announces as well" },
	{ "--seconds", OPTION_SECONDS, offsetof(struct join_vip, seconds), "S",
	  "end after so long; default: with SIGTERM" },
	{ 0 },
};

#define TOKEN_STRLEN 11

static void join_format_token(uint32_t token, char buf[static TOKEN_STRLEN])
{
	snprintf(buf, TOKEN_STRLEN, "0x%08x", token);
}

/* An address as the commands want it. Nested attributes need NLA_F_NESTED, which libmnl sets. */
static void join_put_addr(struct nlmsghdr *nlh, uint16_t type, const struct endpoint *at,
			  uint8_t id, uint16_t port)
{
	const struct sockaddr_in6 *six = (const void *)&at->addr;
	const struct sockaddr_in *four = (const void *)&at->addr;
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put_u16(nlh, MPTCP_PM_ADDR_ATTR_FAMILY, at->addr.ss_family);
	mnl_attr_put_u8(nlh, MPTCP_PM_ADDR_ATTR_ID, id);
	if (at->addr.ss_family == AF_INET6)
		mnl_attr_put(nlh, MPTCP_PM_ADDR_ATTR_ADDR6, sizeof(six->sin6_addr),
			     &six->sin6_addr);
	else
		mnl_attr_put(nlh, MPTCP_PM_ADDR_ATTR_ADDR4, sizeof(four->sin_addr),
			     &four->sin_addr);
	if (port)
		mnl_attr_put_u16(nlh, MPTCP_PM_ADDR_ATTR_PORT, port);
	mnl_attr_nest_end(nlh, nest);
}

static void join_create(struct join_vip *join, const struct mptcp_event *event,
			const struct endpoint *remote)
{
	char local[ENDPOINT_STRLEN], to[ENDPOINT_STRLEN], token[TOKEN_STRLEN];
	const struct endpoint *from = NULL;
	struct nlmsghdr *nlh;
	uint8_t id = 0;
	int err;

	for (size_t i = 0; i < join->local.n && !from; i++) {
		if (join->from[i].addr.ss_family == remote->addr.ss_family) {
			from = &join->from[i];
			id = (uint8_t)(JOIN_FIRST_ID + i);
		}
	}
	if (!from || join->attempted == JOIN_MAX)
		return;
	nlh = nl_genl(join->commands, join->family, 0, MPTCP_PM_CMD_SUBFLOW_CREATE, MPTCP_PM_VER);
	mnl_attr_put_u32(nlh, MPTCP_PM_ATTR_TOKEN, event->token);
	join_put_addr(nlh, MPTCP_PM_ATTR_ADDR, from, id, 0);
	join_put_addr(nlh, MPTCP_PM_ATTR_ADDR_REMOTE, remote, event->rem_id, endpoint_port(remote));
	err = nl_talk(join->commands, nlh, NULL, NULL);
	join->attempted++;
	join->refused += err != 0;
	join_format_token(event->token, token);
	json_array_append_new(join->joins,
			      json_pack("{s:s, s:s, s:s, s:s, s:s}", "token", token, "local",
					endpoint_format(&from->addr, local), "remote",
					endpoint_format(&remote->addr, to), "request",
					err ? nl_error(join->commands) : "ok", "outcome",
					err ? "refused" : "unanswered"));
}

static bool join_field_is(const json_t *row, const char *key, const char *want)
{
	return !strcmp(json_string_value(json_object_get(row, key)), want);
}

/* The row of this connection and remote address that still waits for its outcome. */
static void join_outcome(struct join_vip *join, const struct mptcp_event *event, bool up)
{
	char token[TOKEN_STRLEN], remote[ENDPOINT_STRLEN];
	json_t *row;
	size_t i;

	join_format_token(event->token, token);
	endpoint_format(&event->remote.addr, remote);
	json_array_foreach (join->joins, i, row) {
		if (!join_field_is(row, "token", token) || !join_field_is(row, "remote", remote) ||
		    !join_field_is(row, "outcome", "unanswered"))
			continue;
		json_object_set_new(row, "outcome", json_string(up ? "established" : "closed"));
		json_object_set_new(row, "error", json_integer(event->error));
		json_object_set_new(row, "reset_reason", json_integer(event->reset_reason));
		if (up)
			join->established++;
		else
			join->closed++;
		return;
	}
}

/* An announcement without a port means the port of the connection (RFC 8684, 3.4.1). */
static void join_announced(struct join_vip *join, struct mptcp_event *event)
{
	char token[TOKEN_STRLEN];
	json_int_t port;

	if (!join->announced)
		return;
	join_format_token(event->token, token);
	port = json_integer_value(json_object_get(join->ports, token));
	if (!endpoint_port(&event->remote))
		endpoint_set_port(&event->remote, (uint16_t)port);
	if (endpoint_port(&event->remote))
		join_create(join, event, &event->remote);
}

static int join_message(const struct nlmsghdr *nlh, void *data)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	struct join_vip *join = data;
	struct mptcp_event event;
	char token[TOKEN_STRLEN];

	if (nlh->nlmsg_type != join->family || !mptcp_event_read(nlh, &event))
		return MNL_CB_OK;
	switch (genl->cmd) {
	case MPTCP_EVENT_ESTABLISHED:
		if (event.server_side)
			break;
		join->connections++;
		join_format_token(event.token, token);
		json_object_set_new(join->ports, token, json_integer(endpoint_port(&event.remote)));
		join_create(join, &event, join->to_text ? &join->to : &event.remote);
		break;
	case MPTCP_EVENT_ANNOUNCED:
		join_announced(join, &event);
		break;
	case MPTCP_EVENT_SUB_ESTABLISHED:
		join_outcome(join, &event, true);
		break;
	case MPTCP_EVENT_SUB_CLOSED:
		join_outcome(join, &event, false);
		break;
	}
	return MNL_CB_OK;
}

static void join_receive(evutil_socket_t fd, short what, void *arg)
{
	struct join_vip *join = arg;
	int err;

	(void)fd;
	(void)what;
	err = nl_receive(join->events, join_message, join);
	if (err == -ENOBUFS)
		log_warn("the kernel dropped events: some connections were not joined");
	else if (err)
		log_warn("receiving events: %s", strerror(-err));
}

static int join_open(struct join_vip *join)
{
	int room = 16 << 20;
	unsigned int group;
	int err;

	err = nl_open(NETLINK_GENERIC, 0, &join->events)
		      ?: nl_open(NETLINK_GENERIC, 0, &join->commands);
	if (err)
		return log_err_r(err, "netlink: %s", strerror(-err));
	join->family = nl_family(join->commands, MPTCP_PM_NAME, MPTCP_PM_EV_GRP_NAME, &group);
	if (join->family < 0)
		return log_err_r(join->family,
				 "no " MPTCP_PM_NAME ": does this kernel have MPTCP?");
	/* Room for the events of some ten thousand connections, should this process have to wait.
	 */
	if (setsockopt(nl_fd(join->events), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		log_debug("no large buffer for events: %s", strerror(errno));
	err = nl_join(join->events, group);
	return err ? log_err_r(err, "events of " MPTCP_PM_NAME ": %s; not root?", strerror(-err))
		   : 0;
}

static void join_report(struct join_vip *join)
{
	json_t *report = json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:o}", "connections", (json_int_t)join->connections,
		"attempted", (json_int_t)join->attempted, "refused", (json_int_t)join->refused,
		"established", (json_int_t)join->established, "closed", (json_int_t)join->closed,
		"joins", join->joins);

	out_json(report);
	json_decref(report);
	json_decref(join->ports);
}

static int join_run(int argc, char **argv)
{
	struct join_vip join = { 0 };
	struct event *receive = NULL;
	struct timeval end;
	int code = 2;

	if (options_read(join_options, &join, argc, argv))
		return 1;
	for (size_t i = 0; i < join.local.n; i++) {
		if (endpoint_parse(join.local.text[i], &join.from[i]))
			return 1;
	}
	if (join.to_text && endpoint_parse(join.to_text, &join.to))
		return 1;
	if (!join.local.n) {
		log_error("join-vip: --local is needed");
		return 1;
	}
	join.base = load_loop_new();
	if (!join.base || join_open(&join))
		goto out;
	receive =
		event_new(join.base, nl_fd(join.events), EV_READ | EV_PERSIST, join_receive, &join);
	if (!receive || event_add(receive, NULL))
		goto out;
	end = (struct timeval){ (time_t)join.seconds, (suseconds_t)(join.seconds * 1e6) % 1000000 };
	if (join.seconds > 0)
		event_base_loopexit(join.base, &end);
	join.joins = json_array();
	join.ports = json_object();
	log_info("ready");
	event_base_dispatch(join.base);
	join_report(&join);
	code = 0;
out:
	if (receive)
		event_free(receive);
	if (join.base)
		load_loop_free(join.base);
	nl_close(join.events);
	nl_close(join.commands);
	return code;
}

const struct load_command load_join_vip = {
	"join-vip",
	"a client's path manager that joins the VIP whatever the C flag says; prints JSON",
	join_options,
	join_run,
};
