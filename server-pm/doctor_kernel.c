/* SPDX-License-Identifier: GPL-2.0-only */
/* The doctor on the kernel and on our rights. */
#include "doctor_exam.h"

#include <errno.h>
#include <string.h>

#include <bpf/btf.h>
#include <linux/capability.h>
#include "item_sysctl.h"
#include "lib/pin.h"
#include "lib/sysctl.h"

void doctor_rights(struct examination *x)
{
	unsigned long long caps = machine_capabilities();

	if (!(caps & 1ULL << CAP_NET_ADMIN))
		doctor_found(x, DOCTOR_RIGHTS, doctor_advice(x, "run as root"),
			     "no right to configure the network (CAP_NET_ADMIN)");
	if (!(caps & (1ULL << CAP_BPF | 1ULL << CAP_SYS_ADMIN)))
		doctor_found(x, DOCTOR_RIGHTS, doctor_advice(x, "run as root"),
			     "no right to make BPF maps (CAP_BPF)");
	/* BPF_PROG_GET_FD_BY_ID and BPF_MAP_GET_FD_BY_ID are for nobody less
	 * (kernel/bpf/syscall.c). */
	if ((x->config->device || x->config->guard.on) && !(caps & 1ULL << CAP_SYS_ADMIN))
		doctor_found(x, DOCTOR_RIGHTS, doctor_advice(x, "run as root"),
			     "no right to find the programs on a device (CAP_SYS_ADMIN), which "
			     "%s needs",
			     x->config->device ? "decapsulate" : "the guard");
}

void doctor_pins(struct examination *x)
{
	char mend[2 * PIN_PATH_MAX + 64];
	int err = pin_check(x->pin_dir, mend, sizeof(mend));

	if (err)
		doctor_found(x, DOCTOR_PINS,
			     err == -ENOTSUP ? doctor_command(x, "%s", mend)
					     : doctor_advice(x, "%s", mend),
			     "pin folder %s %s%s", x->pin_dir,
			     err == -ENOTSUP ? "is not on a BPF file system" : "cannot be used: ",
			     err == -ENOTSUP ? "" : strerror(-err));
}

/* The programs read sockets of the kernel's by its own description of them. */
void doctor_btf(struct examination *x)
{
	struct btf *btf = btf__load_vmlinux_btf();

	if (!btf)
		doctor_found(x, DOCTOR_NO_BTF,
			     doctor_advice(x,
					   "boot one built with CONFIG_DEBUG_INFO_BTF=y, as "
					   "distributions' are, with /sys/kernel/btf to be read"),
			     "this kernel has no BTF, without which the BPF programs cannot be "
			     "loaded");
	btf__free(btf);
}

void doctor_mptcp(struct examination *x)
{
	struct item_sysctl manager;

	if (!x->machine.pm) {
		doctor_found(x, DOCTOR_NO_MPTCP,
			     doctor_advice(x, "boot one built with CONFIG_MPTCP=y"),
			     "this kernel has no MPTCP");
		return;
	}
	if (sysctl_number("net.mptcp.enabled", 1) == 0)
		doctor_found(x, DOCTOR_MPTCP_DISABLED,
			     doctor_command(x, "sysctl -w net.mptcp.enabled=1"),
			     "sysctl net.mptcp.enabled is 0: every connection is plain TCP");
	if (sysctl_number("net.mptcp.allow_join_initial_addr_port", -1) < 0)
		doctor_found(x, DOCTOR_OLD_KERNEL, doctor_advice(x, "boot Linux 6.1 or later"),
			     "this kernel cannot tell clients not to join a VIP "
			     "(net.mptcp.allow_join_initial_addr_port, Linux 5.14)");
	if (x->config->manager == SERVER_MANAGER_USERSPACE &&
	    !item_sysctl_manager(SERVER_MANAGER_USERSPACE, &manager))
		doctor_found(x, DOCTOR_NO_USERSPACE,
			     doctor_advice(x, "boot Linux 6.1 or later, or write path_manager: "
					      "kernel"),
			     "this kernel leaves path management to no program (it has neither "
			     "net.mptcp.path_manager nor net.mptcp.pm_type, Linux 5.19)");
}

/* net/mptcp/syncookies.c keeps the joins under way in COOKIE_JOIN_SLOTS entries. */
void doctor_syncookies(struct examination *x)
{
	if (sysctl_number("net.ipv4.tcp_syncookies", 1) == 2)
		doctor_found(x, DOCTOR_SYNCOOKIES,
			     doctor_command(x, "sysctl -w net.ipv4.tcp_syncookies=1"),
			     "sysctl net.ipv4.tcp_syncookies is 2: with a SYN cookie for every "
			     "connection, all joins under way share 1,024 entries of the kernel's, "
			     "and get lost where two meet in one");
}
