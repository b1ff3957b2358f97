/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe_tc.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "lib/log.h"
#include "lib/nl.h"

#define DEVICE	 "lo"
#define PRIORITY 1
#define NAME	 "mplb_probe"

static struct bpf_tc_hook hook_of(enum bpf_tc_attach_point point)
{
	return (struct bpf_tc_hook){ .sz = sizeof(struct bpf_tc_hook),
				     .ifindex = (int)if_nametoindex(DEVICE),
				     .attach_point = point };
}

static struct bpf_tc_opts opts_of(const struct probe_tc *tc)
{
	return (struct bpf_tc_opts){ .sz = sizeof(struct bpf_tc_opts),
				     .handle = tc->handle,
				     .priority = PRIORITY };
}

static int print_nothing(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

/* id of the program at our place, 0: none. */
static __u32 find(const struct probe_tc *tc)
{
	struct bpf_tc_hook hook = hook_of(BPF_TC_EGRESS);
	struct bpf_tc_opts opts = opts_of(tc);
	libbpf_print_fn_t was = libbpf_set_print(print_nothing); /* it complains of what is not */
	int err = bpf_tc_query(&hook, &opts);

	libbpf_set_print(was);
	return err ? 0 : opts.prog_id;
}

bool probe_tc_is_there(const struct probe_tc *tc)
{
	return tc->program && find(tc) == tc->program;
}

static bool is_named(__u32 id, const char *name)
{
	int fd = bpf_prog_get_fd_by_id(id), err;
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	if (fd < 0)
		return false;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	return !err && !strcmp(info.name, name);
}

static int make_qdisc(struct probe_tc *tc)
{
	struct bpf_tc_hook hook = hook_of(BPF_TC_INGRESS | BPF_TC_EGRESS);
	libbpf_print_fn_t was = libbpf_set_print(print_nothing);
	int err = bpf_tc_hook_create(&hook);

	libbpf_set_print(was);
	if (!err)
		tc->made_qdisc = true;
	if (!err || err == -EEXIST)
		return 0;
	return log_err_r(err,
			 "device " DEVICE
			 ": no clsact qdisc can be made, which health probes need: "
			 "%s; run as root, on a kernel with CONFIG_NET_SCH_INGRESS",
			 strerror(-err));
}

int probe_tc_attach(struct probe_tc *tc, int program)
{
	struct bpf_tc_hook hook = hook_of(BPF_TC_EGRESS);
	struct bpf_tc_opts opts = opts_of(tc);
	__u32 there = find(tc);
	int err;

	if (there && !is_named(there, NAME))
		return log_err_r(-EBUSY,
				 "device " DEVICE ": another program has the place of the health "
				 "probes on egress, priority %d and handle 0x%x; give it another: "
				 "tc filter show dev " DEVICE " egress; or give another probe_mark",
				 PRIORITY, tc->handle);
	/* Left by one that was killed, and so is the qdisc. */
	tc->made_qdisc |= there != 0;
	err = make_qdisc(tc);
	if (err)
		return err;
	opts.prog_fd = program;
	opts.flags = BPF_TC_F_REPLACE;
	err = bpf_tc_attach(&hook, &opts);
	if (err)
		return log_err_r(
			err,
			"device " DEVICE ": the program of the health probes cannot be "
			"attached: %s; is this an ingress qdisc where clsact has to be? tc "
			"qdisc show dev " DEVICE,
			strerror(-err));
	tc->program = find(tc);
	return 0;
}

static int filter_msg(const struct nlmsghdr *nlh, void *data)
{
	int *filters = data;

	*filters += nlh->nlmsg_type == RTM_NEWTFILTER;
	return MNL_CB_OK;
}

/* Filters on both sides of the qdisc; -errno. */
static int count_filters(void)
{
	static const __u32 sides[] = { TC_H_MIN_INGRESS, TC_H_MIN_EGRESS };
	int filters = 0, err;
	struct nl *nl = NULL;

	err = nl_open(NETLINK_ROUTE, 0, &nl);
	for (int i = 0; !err && i < 2; i++) {
		struct nlmsghdr *nlh = nl_request(nl, RTM_GETTFILTER, NLM_F_DUMP);
		struct tcmsg *msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));

		msg->tcm_family = AF_UNSPEC;
		msg->tcm_ifindex = (int)if_nametoindex(DEVICE);
		msg->tcm_parent = TC_H_MAKE(TC_H_CLSACT, sides[i]);
		err = nl_talk(nl, nlh, filter_msg, &filters);
	}
	nl_close(nl);
	return err ? err : filters;
}

void probe_tc_detach(struct probe_tc *tc)
{
	struct bpf_tc_hook hook = hook_of(BPF_TC_EGRESS);
	struct bpf_tc_opts opts = opts_of(tc);
	int err = 0;

	if (probe_tc_is_there(tc))
		err = bpf_tc_detach(&hook, &opts);
	tc->program = 0;
	if (!err && tc->made_qdisc && !count_filters()) {
		hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
		err = bpf_tc_hook_destroy(&hook);
	}
	if (err)
		log_warn("device " DEVICE ": the program of the health probes stays: %s; tc filter "
			 "del dev " DEVICE " egress prio %d handle 0x%x bpf",
			 strerror(-err), PRIORITY, tc->handle);
}
