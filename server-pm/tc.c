/* SPDX-License-Identifier: GPL-2.0-only */
#include "tc.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include "lib/log.h"
#include "object.h"

/* First, so that no other filter's verdict comes before ours; filters of one priority have handles
 * of their own, and ours is unlikely to be another's. */
#define PRIORITY     1
#define HANDLE	     0x6d706c62 /* "mplb" */
#define HANDLE_GUARD 0x6d706c63
#define HANDLE_FIRST 0x6d706c64
#define LOCKDOWN     "/sys/kernel/security/lockdown"

static const struct {
	const char *program;
	enum bpf_tc_attach_point point;
	__u32 handle;
	const char *what; /* in messages */
	const char *side; /* of `tc filter` */
} programs[] = {
	[SERVER_TC_PASS_ON] = { "mplb_pass_on", BPF_TC_INGRESS, HANDLE, "second chance",
				"ingress" },
	[SERVER_TC_MSS] = { "mplb_mss", BPF_TC_EGRESS, HANDLE, "MSS of the VIPs", "egress" },
	[SERVER_TC_GUARD] = { SERVER_GUARD_PROGRAM, BPF_TC_INGRESS, HANDLE_GUARD, "guard",
			      "ingress" },
	[SERVER_TC_FIRST_FLIGHT] = { "mplb_first_flight", BPF_TC_INGRESS, HANDLE_FIRST,
				     "first flight", "ingress" },
};

static bool is_locked_down(void)
{
	FILE *file = fopen(LOCKDOWN, "re");
	char modes[64] = "";

	if (!file)
		return false;
	if (!fgets(modes, sizeof(modes), file))
		modes[0] = '\0';
	fclose(file);
	return strstr(modes, "[confidentiality]");
}

const char *server_tc_obstacle(enum server_tc which)
{
	return which == SERVER_TC_FIRST_FLIGHT && is_locked_down()
		       ? "the kernel's lockdown keeps BPF programs from reading it"
		       : NULL;
}

static struct bpf_tc_hook hook_of(const char *device, enum bpf_tc_attach_point point)
{
	return (struct bpf_tc_hook){ .sz = sizeof(struct bpf_tc_hook),
				     .ifindex = (int)if_nametoindex(device),
				     .attach_point = point };
}

static struct bpf_tc_opts opts_of(enum server_tc which)
{
	return (struct bpf_tc_opts){ .sz = sizeof(struct bpf_tc_opts),
				     .handle = programs[which].handle,
				     .priority = PRIORITY };
}

/* 1 with the program's id, 0 where nothing has our handle, -ENODEV or -errno. */
static int find(const char *device, enum server_tc which, __u32 *id)
{
	struct bpf_tc_hook hook = hook_of(device, programs[which].point);
	struct bpf_tc_opts opts = opts_of(which);
	libbpf_print_fn_t was;
	int err;

	if (!hook.ifindex)
		return -ENODEV;
	was = libbpf_set_print(server_object_print_debug); /* it complains where there is none */
	err = bpf_tc_query(&hook, &opts);
	libbpf_set_print(was);
	/* -EINVAL: there is no qdisc either. */
	if (err == -ENOENT || err == -EINVAL)
		return 0;
	if (err)
		return err;
	*id = opts.prog_id;
	return 1;
}

int server_tc_look(const struct server_state *state, const char *device, enum server_tc which)
{
	__u32 id = 0;
	int is = find(device, which, &id);

	if (is != 1)
		return is;
	return server_object_is_ours(state, id) ? 1 : -EEXIST;
}

/* ---- the qdisc ---- */

struct qdisc_search {
	int ifindex;
	char *kind;
};

static int qdisc_attr(const struct nlattr *attr, void *data)
{
	const struct nlattr **kind = data;

	if (mnl_attr_get_type(attr) == TCA_KIND && !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
		*kind = attr;
	return MNL_CB_OK;
}

static int qdisc_msg(const struct nlmsghdr *nlh, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);
	const struct qdisc_search *search = data;
	const struct nlattr *kind = NULL;

	if (nlh->nlmsg_type != RTM_NEWQDISC || tc->tcm_ifindex != search->ifindex ||
	    tc->tcm_parent != TC_H_INGRESS)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*tc), qdisc_attr, &kind);
	if (kind)
		snprintf(search->kind, SERVER_TC_QDISC_LEN, "%s", mnl_attr_get_str(kind));
	return MNL_CB_OK;
}

static struct nlmsghdr *request(struct nl *nl, int type, int flags, const char *device,
				__u32 parent)
{
	struct nlmsghdr *nlh = nl_request(nl, type, flags);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));

	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)if_nametoindex(device);
	tc->tcm_parent = parent;
	return nlh;
}

int server_tc_qdisc(struct nl *nl, const char *device, char buf[static SERVER_TC_QDISC_LEN])
{
	struct qdisc_search search = { .ifindex = (int)if_nametoindex(device), .kind = buf };

	buf[0] = '\0';
	if (!search.ifindex)
		return 0;
	return nl_talk(nl, request(nl, RTM_GETQDISC, NLM_F_DUMP, device, 0), qdisc_msg, &search);
}

static int filter_msg(const struct nlmsghdr *nlh, void *data)
{
	int *filters = data;

	*filters += nlh->nlmsg_type == RTM_NEWTFILTER;
	return MNL_CB_OK;
}

int server_tc_remove_qdisc(struct nl *nl, const char *device)
{
	static const __u32 sides[] = { TC_H_MIN_INGRESS, TC_H_MIN_EGRESS };
	char kind[SERVER_TC_QDISC_LEN];
	struct bpf_tc_hook hook;
	int filters = 0, err = server_tc_qdisc(nl, device, kind);

	if (!err && strcmp(kind, "clsact") != 0)
		return 0;
	for (int i = 0; !err && i < 2; i++)
		err = nl_talk(nl,
			      request(nl, RTM_GETTFILTER, NLM_F_DUMP, device,
				      TC_H_MAKE(TC_H_CLSACT, sides[i])),
			      filter_msg, &filters);
	if (!err && filters)
		return 0;
	hook = hook_of(device, BPF_TC_INGRESS | BPF_TC_EGRESS);
	err = err ? err : bpf_tc_hook_destroy(&hook);
	if (err)
		log_error("device %s: clsact qdisc cannot be removed: %s; tc qdisc del dev %s "
			  "clsact",
			  device, strerror(-err), device);
	return err;
}

static int make_qdisc(struct nl *nl, const char *device)
{
	struct bpf_tc_hook hook = hook_of(device, BPF_TC_INGRESS | BPF_TC_EGRESS);
	char kind[SERVER_TC_QDISC_LEN];
	int err = server_tc_qdisc(nl, device, kind);

	if (!err && !strcmp(kind, "clsact"))
		return 0;
	if (!err && *kind)
		return log_err_r(-EBUSY,
				 "device %s: its %s qdisc is where clsact has to be; remove it: tc "
				 "qdisc del dev %s %s",
				 device, kind, device, kind);
	err = err ? err : bpf_tc_hook_create(&hook);
	if (!err || err == -EEXIST)
		return 0;
	return log_err_r(err,
			 "device %s: no clsact qdisc can be made: %s; run as root, on a kernel "
			 "with CONFIG_NET_SCH_INGRESS",
			 device, strerror(-err));
}

/* ---- programs ---- */

/* Loads the program and puts it on the device, unless old_id is one that does the same (0: none).
 * 0 or -errno, not logged. */
static int put(const struct server_state *state, const char *device, enum server_tc which,
	       __u32 old_id)
{
	struct bpf_tc_hook hook = hook_of(device, programs[which].point);
	struct bpf_tc_opts opts = opts_of(which);
	struct bpf_object *object;
	int err;

	opts.prog_fd =
		server_object_load(server_state_path(state), programs[which].program, &object);
	if (opts.prog_fd < 0)
		return opts.prog_fd;
	opts.flags = BPF_TC_F_REPLACE;
	err = old_id ? server_object_same_code(opts.prog_fd, old_id) : 0;
	if (err <= 0)
		err = err ? err : bpf_tc_attach(&hook, &opts);
	bpf_object__close(object);
	return err < 0 ? err : 0;
}

static int put_error(const char *device, enum server_tc which, int err)
{
	return log_err_r(err,
			 "device %s: the program for the %s cannot be attached: %s; `tc filter "
			 "show dev %s %s` shows what is there, -v what the kernel says",
			 device, programs[which].what, strerror(-err), device,
			 programs[which].side);
}

int server_tc_attach(const struct server_state *state, struct nl *nl, const char *device,
		     enum server_tc which)
{
	int err;

	if (!if_nametoindex(device))
		return log_err_r(-ENODEV, "device %s: no such device; `ip link` lists them",
				 device);
	if (server_tc_look(state, device, which) == -EEXIST)
		return log_err_r(-EBUSY,
				 "device %s: another program has our place on %s, priority %d and "
				 "handle 0x%x; give it another: tc filter show dev %s %s",
				 device, programs[which].side, PRIORITY, programs[which].handle,
				 device, programs[which].side);
	err = make_qdisc(nl, device);
	if (err)
		return err;
	err = put(state, device, which, 0);
	return err ? put_error(device, which, err) : 0;
}

int server_tc_upgrade(const struct server_state *state, const char *device, enum server_tc which)
{
	__u32 id = 0;
	int err = find(device, which, &id);

	if (err == 1)
		err = put(state, device, which, id);
	return err < 0 ? put_error(device, which, err) : 0;
}

int server_tc_detach(const struct server_state *state, const char *device, enum server_tc which)
{
	struct bpf_tc_hook hook = hook_of(device, programs[which].point);
	struct bpf_tc_opts opts = opts_of(which);
	int err = server_tc_look(state, device, which);

	/* Another's program in our place is none of ours to take off. */
	if (!err || err == -ENODEV || err == -EEXIST)
		return 0;
	if (err == 1)
		err = bpf_tc_detach(&hook, &opts);
	if (err)
		log_error("device %s: the program for the %s cannot be detached: %s; tc filter del "
			  "dev %s %s prio %d handle 0x%x bpf",
			  device, programs[which].what, strerror(-err), device,
			  programs[which].side, PRIORITY, programs[which].handle);
	return err;
}
