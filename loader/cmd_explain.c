/* SPDX-License-Identifier: GPL-2.0-only */
/* lbctl explain */
#include "lbctl.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "lib/log.h"
#include "lib/out.h"
#include "report.h"

/* Reads the words after the addresses: what kind of segment, and through which NIC. */
static int parse_rest(int argc, char **argv, struct explain_packet *p, const char **dev)
{
	static const char *const words[] = { "syn", "capable", "join", "dev", NULL };

	for (int i = 4; i < argc; i++) {
		int word = lbctl_word(argv[i], words);
		char *rest;

		if (word < 0)
			return lbctl_usage("explain", "cannot read \"%s\"", argv[i]);
		if (word >= 2 && i + 1 == argc)
			return lbctl_usage("explain", "%s what?", words[word]);
		if (word < 3 && p->protocol != IPPROTO_TCP)
			return lbctl_usage("explain", "%s is for tcp", words[word]);
		switch (word) {
		case 0:
			p->kind = EXPLAIN_SYN;
			break;
		case 1:
			p->kind = EXPLAIN_CAPABLE;
			break;
		case 2:
			p->kind = EXPLAIN_JOIN;
			errno = 0;
			p->token = (__u32)strtoul(argv[++i], &rest, 16);
			if (errno || *rest || rest == argv[i] || strlen(argv[i]) > 10)
				return lbctl_usage("explain", "token \"%s\" is not 32 bits in hex",
						   argv[i]);
			break;
		case 3:
			*dev = argv[++i];
			break;
		}
	}
	return LBCTL_OK;
}

static int parse(int argc, char **argv, struct explain_packet *p, const char **dev)
{
	static const char *const protocols[] = { "tcp", "udp", NULL };
	unsigned int sport, dport;
	int protocol;

	if (argc < 4)
		return lbctl_usage("explain", "which packet?");
	protocol = lbctl_word(argv[1], protocols);
	if (protocol < 0)
		return lbctl_usage("explain", "no protocol \"%s\"", argv[1]);
	p->protocol = protocol ? IPPROTO_UDP : IPPROTO_TCP;
	if (ip_parse_port(argv[2], &p->src, &sport))
		return lbctl_usage("explain", "\"%s\" is no ADDRESS:PORT or [IPV6]:PORT", argv[2]);
	if (ip_parse_port(argv[3], &p->dst, &dport))
		return lbctl_usage("explain", "\"%s\" is no ADDRESS:PORT or [IPV6]:PORT", argv[3]);
	if (p->src.family != p->dst.family)
		return lbctl_usage("explain", "%s and %s are of two families", argv[2], argv[3]);
	p->sport = (__u16)sport;
	p->dport = (__u16)dport;
	return parse_rest(argc, argv, p, dev);
}

/* The NIC to run on: the one named, or the first. 0 or -errno, logged. */
static int choose_nic(const struct datapath *dp, const char *dev, struct datapath_nic *out)
{
	struct datapath_nic *nics;
	size_t n, i;
	int err;

	err = datapath_nics(dp->vips, &nics, &n);
	if (err)
		return log_err_r(err, "cannot list the NICs: %s", strerror(-err));
	for (i = 0; i < n && dev && strcmp(nics[i].name, dev) != 0; i++)
		;
	if (i < n)
		*out = nics[i];
	free(nics);
	if (i < n)
		return 0;
	return log_err_r(-ENODEV, "%s: mplb is not attached %s; see: lbctl show attach",
			 dev ? dev : "explain", dev ? "here" : "to any NIC");
}

static const char *action_name(int action)
{
	static const char *const names[] = { "aborted", "drop", "pass", "tx", "redirect" };

	return action >= 0 && action < 5 ? names[action] : "?";
}

static const char *via_name(__u8 via)
{
	static const char *const names[] = { "hash", "token", "subflow", "port" };

	return via < 4 ? names[via] : "?";
}

static json_t *describe(const struct datapath *dp, const struct datapath_nic *nic,
			const struct explain_result *r)
{
	const struct mplb_trace *t = &r->trace;
	bool forwarded = t->reason == MPLB_R_FORWARDED;
	char dev[IF_NAMESIZE] = "";
	json_t *out;

	if (!r->reached)
		return json_pack("{s:s, s:s, s:s, s:s}", "device", nic->name, "action",
				 action_name(r->action), "reason", "other_program", "text",
				 "another XDP program on this NIC took the packet before mplb");
	out = json_pack("{s:s, s:s, s:s, s:s}", "device", nic->name, "action",
			action_name(r->action), "reason", report_reason_name(t->reason), "text",
			report_reason_text(t->reason));
	if (t->vip < MPLB_MAX_VIPS) {
		json_object_set_new(out, "vip", json_string(dp->vip_info[t->vip].name));
		json_object_set_new(out, "pool", json_string(dp->vip_info[t->vip].pool));
	}
	if (t->slot != MPLB_TRACE_NONE) {
		json_object_set_new(out, "hash", json_integer(t->hash));
		json_object_set_new(out, "slot", json_integer(t->slot));
	}
	if (forwarded)
		json_object_set_new(out, "picked_by", json_string(via_name(t->via)));
	if (t->owner < MPLB_MAX_BACKENDS)
		json_object_set_new(out, "backend", json_string(dp->backend_info[t->owner].name));
	if (t->fallback < MPLB_MAX_BACKENDS)
		json_object_set_new(out, "fallback",
				    json_string(dp->backend_info[t->fallback].name));
	if (forwarded && if_indextoname(t->ifindex, dev))
		json_object_set_new(out, "egress", json_string(dev));
	if (forwarded)
		json_object_set_new(out, "next_hop_from", json_string(t->fib ? "fib" : "backend"));
	return out;
}

static void print_result(const struct lbctl *ctl, const json_t *result)
{
	const char *key;
	const json_t *value;

	if (ctl->json) {
		out_json(result);
		return;
	}
	json_object_foreach ((json_t *)result, key, value) {
		if (json_is_string(value))
			printf("%-14s %s\n", key, json_string_value(value));
		else
			printf("%-14s %" JSON_INTEGER_FORMAT "\n", key, json_integer_value(value));
	}
}

int cmd_explain(const struct lbctl *ctl, int argc, char **argv)
{
	struct explain_packet packet = { 0 };
	struct explain_result result;
	struct datapath *dp = NULL;
	struct datapath_nic nic;
	const char *dev = NULL;
	json_t *out;
	int err;

	if (parse(argc, argv, &packet, &dev))
		return LBCTL_USAGE;
	err = datapath_open(ctl->pin_dir, &dp);
	if (!err)
		err = choose_nic(dp, dev, &nic);
	if (!err) {
		err = explain_run(&nic, &packet, &result);
		if (err)
			log_error("%s: cannot run the program: %s", nic.name, strerror(-err));
	}
	if (!err) {
		out = describe(dp, &nic, &result);
		print_result(ctl, out);
		json_decref(out);
	}
	datapath_close(dp);
	return lbctl_exit(err);
}
