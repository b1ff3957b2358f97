/* SPDX-License-Identifier: GPL-2.0-only */
/* The doctor on the services that VIPs' connections and joins are for, and on other path managers.
 */
#include "doctor_exam.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "pm_flow.h"
#include "pm_listen.h"

#define MAX_LISTENERS 1024 /* looked at */

/* ---- mptcpd ---- */

static bool same_netns(const char *pid)
{
	char path[300];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	return !stat(path, &theirs) && !stat("/proc/self/ns/net", &ours) &&
	       theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

static bool is_mptcpd(const char *pid)
{
	char path[300], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = '\0';
	fclose(file);
	return !strcmp(name, "mptcpd\n");
}

/* It gives the kernel endpoints and limits of its own, and in userspace mode commands. */
void doctor_other_manager(struct examination *x)
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strspn(entry->d_name, "0123456789") == strlen(entry->d_name) &&
		    is_mptcpd(entry->d_name) && same_netns(entry->d_name))
			doctor_found(x, DOCTOR_OTHER_MANAGER,
				     doctor_command(x, "systemctl disable --now mptcp; kill %s",
						    entry->d_name),
				     "mptcpd runs here (process %s): two path managers undo each "
				     "other's work",
				     entry->d_name);
	if (dir)
		closedir(dir);
}

/* ---- listeners ---- */

struct listeners {
	struct pm_listener *entry;
	size_t n, max;
};

static int on_listener(const struct pm_listener *listener, void *data)
{
	struct listeners *list = data;

	if (list->n < list->max)
		list->entry[list->n++] = *listener;
	return 0;
}

size_t doctor_listeners(struct examination *x, struct pm_listener *out, size_t max)
{
	struct listeners list = { out, 0, max };

	if (!x->diag || pm_diag_listeners(x->diag, on_listener, &list))
		return 0;
	return list.n;
}

static bool takes_a_vip(const struct examination *x, const struct pm_listener *l)
{
	for (size_t i = 0; i < x->config->vips.n; i++)
		if (pm_listener_takes(l, &x->config->vips.ip[i]))
			return true;
	return false;
}

static bool is_vip(const struct examination *x, const struct ip *addr)
{
	for (size_t i = 0; i < x->config->vips.n; i++)
		if (ip_equal(&x->config->vips.ip[i], addr))
			return true;
	return false;
}

/* Joins to a dedicated address for which nobody listens. In userspace mode server-pm does, while it
 * runs. */
static void examine_joins(struct examination *x, const struct listeners *mptcp,
			  const struct pm_listener *service)
{
	const struct server_addresses *dedicated = &x->config->dedicated;
	char vip[PM_END_STRLEN], own[PM_END_STRLEN];

	if (!is_vip(x, &service->addr) ||
	    (x->config->manager == SERVER_MANAGER_USERSPACE && x->running))
		return;
	for (size_t i = 0; i < dedicated->n; i++)
		if (pm_listen_wanted(mptcp->entry, mptcp->n, &x->config->vips, &dedicated->ip[i],
				     service->port))
			doctor_found(
				x, DOCTOR_NO_LISTENER,
				doctor_advice(x, "have the application listen on every "
						 "address, or write path_manager: userspace: "
						 "server-pm then listens there"),
				"%s: an application listens on this VIP, and nobody on %s: the "
				"kernel refuses joins there",
				pm_end_format(&service->addr, service->port, vip),
				pm_end_format(&dedicated->ip[i], service->port, own));
}

static bool is_mptcp(const struct listeners *mptcp, const struct pm_listener *l)
{
	for (size_t i = 0; i < mptcp->n; i++)
		if (mptcp->entry[i].port == l->port && ip_equal(&mptcp->entry[i].addr, &l->addr))
			return true;
	return false;
}

#define USE_MPTCP                                                                                  \
	"start it under `mptcpize run`, `mptcpize enable UNIT`, or have it open its "              \
	"sockets with IPPROTO_MPTCP"

/* What is bound to a VIP is meant for it. What is bound to every address may be something else,
 * such as sshd: only where no MPTCP socket at all takes VIPs' connections can one say that it is
 * wrong. */
static void examine_plain(struct examination *x, const struct listeners *mptcp,
			  const struct listeners *tcp)
{
	bool served = false, plain = false;
	char end[PM_END_STRLEN];

	for (size_t i = 0; i < mptcp->n; i++)
		served = served || takes_a_vip(x, &mptcp->entry[i]);
	for (size_t i = 0; i < tcp->n; i++) {
		const struct pm_listener *l = &tcp->entry[i];

		if (is_mptcp(mptcp, l) || !takes_a_vip(x, l))
			continue;
		plain = true;
		if (is_vip(x, &l->addr))
			doctor_found(
				x, DOCTOR_PLAIN_TCP, doctor_advice(x, USE_MPTCP),
				"%s: the application that listens on this VIP speaks plain TCP",
				pm_end_format(&l->addr, l->port, end));
	}
	if (plain && !served)
		doctor_found(x, DOCTOR_NO_MPTCP_SERVICE, doctor_advice(x, USE_MPTCP),
			     "no MPTCP socket listens where connections to VIPs arrive, only plain "
			     "TCP ones");
}

void doctor_services(struct examination *x)
{
	static struct pm_listener mptcp_entry[MAX_LISTENERS], tcp_entry[MAX_LISTENERS];
	struct listeners mptcp = { mptcp_entry, 0, MAX_LISTENERS };
	struct listeners tcp = { tcp_entry, 0, MAX_LISTENERS };

	if (!x->diag || pm_diag_listeners(x->diag, on_listener, &mptcp) ||
	    pm_diag_tcp_listeners(x->diag, on_listener, &tcp))
		return;
	for (size_t i = 0; i < mptcp.n; i++)
		examine_joins(x, &mptcp, &mptcp.entry[i]);
	examine_plain(x, &mptcp, &tcp);
}
