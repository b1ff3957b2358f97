/* SPDX-License-Identifier: GPL-2.0-only */
/* The doctor on what server-pm keeps in place, and on server-pm itself. */
#include "doctor_exam.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/mptcp.h>
#include "announce.h"
#include "control.h"
#include "decap.h"
#include "item.h"
#include "lib/sysctl.h"

static struct ip ip_of(const struct mplb_server_item *item)
{
	return (struct ip){ .addr = item->addr, .family = item->family };
}

/* ---- endpoints that are in the way ---- */

static void examine_conflict(struct examination *x, const struct mplb_server_item *item)
{
	const struct item_place place = { .machine = &x->machine, .state = x->state };
	const struct ip ip = ip_of(item);
	const struct mptcp_endpoint *e = machine_endpoint(&x->machine, &ip, item->port);
	char text[ITEM_TEXT];

	if (e && item_look(&place, item) == -EEXIST)
		doctor_found(
			x, DOCTOR_ENDPOINT_CONFLICT,
			doctor_command(x, "ip mptcp endpoint delete id %u", e->id),
			"%s: there is an endpoint of this address with other flags, not set by "
			"server-pm",
			item_text(item, text));
}

/* True for an endpoint that the list of items has, or, with `ours`, that server-pm has set. */
static bool is_listed(const struct mptcp_endpoint *e, const struct mplb_server_item *items,
		      size_t n, bool ours)
{
	for (size_t i = 0; i < n; i++) {
		const struct ip ip = ip_of(&items[i]);

		if (items[i].kind == MPLB_SERVER_ENDPOINT && items[i].port == e->port &&
		    ip_equal(&ip, &e->addr) && (!ours || items[i].flags & MPLB_SERVER_F_OURS))
			return true;
	}
	return false;
}

/* server-pm's own of another config give way; others' do not. */
static void examine_room(struct examination *x, const struct mplb_server_item *plan, size_t n)
{
	const struct mplb_server_item *ours = NULL;
	size_t n_ours = x->state ? server_state_items(x->state, &ours) : 0, wanted = 0, others = 0;

	for (size_t i = 0; i < n; i++)
		wanted += plan[i].kind == MPLB_SERVER_ENDPOINT;
	for (size_t i = 0; i < x->machine.n_endpoints; i++)
		others += !is_listed(&x->machine.endpoints[i], plan, n, false) &&
			  !is_listed(&x->machine.endpoints[i], ours, n_ours, true);
	if (!wanted || wanted + others <= MPTCP_PM_MAX_ENDPOINTS)
		return;
	doctor_found(x, DOCTOR_ENDPOINT_ROOM,
		     doctor_advice(x, "`ip mptcp endpoint` lists them: delete some"),
		     "%zu other MPTCP endpoints are there and %zu are wanted, and the kernel has "
		     "room for %d",
		     others, wanted, MPTCP_PM_MAX_ENDPOINTS);
}

/* Option space: 30 bytes for the address, 12 for the timestamp, of 40 (RFC 8684, 3.4.1). */
static void examine_ipv6_port(struct examination *x, const struct mptcp_endpoint *e)
{
	char text[IP_STRLEN];

	if (e->addr.family != MPLB_FAMILY_6 || !e->port ||
	    !(e->flags & MPTCP_PM_ADDR_FLAG_SIGNAL) || announce_port_fits_ipv6())
		return;
	doctor_found(x, DOCTOR_ENDPOINT_IPV6_PORT,
		     doctor_command(x, "ip mptcp endpoint delete id %u", e->id),
		     "endpoint %s port %u: an IPv6 address with a port does not fit beside TCP "
		     "timestamps; the kernel sends neither it nor any address behind it",
		     ip_format(&e->addr, text), e->port);
}

/* The same of join_port, which server-pm then leaves out. */
static void examine_join_port(struct examination *x)
{
	const struct server_config *c = x->config;
	struct announced list[MPTCP_PM_MAX_ENDPOINTS];
	size_t all = announce_list(c, true, list), left = announce_list(c, false, list);
	char text[IP_STRLEN];

	if (!c->join_port || all == left || announce_port_fits_ipv6())
		return;
	if (left)
		doctor_found(x, DOCTOR_JOIN_PORT_IPV6,
			     doctor_command(x, "sysctl -w net.ipv4.tcp_timestamps=0"),
			     "join_port: this kernel sends no ADD_ADDR with an IPv6 address and a "
			     "port beside TCP timestamps, so IPv6 VIPs are not announced; "
			     "connections to them are told %s, which clients without that family "
			     "cannot join (Linux 7.2 can; or mp_join: steer on the balancer)",
			     ip_format(&list[0].addr, text));
	else
		doctor_found(x, DOCTOR_JOIN_PORT_NOTHING,
			     doctor_advice(x, "sysctl -w net.ipv4.tcp_timestamps=0 and start anew, "
					      "boot Linux 7.2, give an IPv4 VIP or a dedicated "
					      "address, or write mp_join: steer on the balancer"),
			     "join_port: this kernel sends no ADD_ADDR with an IPv6 address and a "
			     "port beside TCP timestamps, so nothing is announced");
}

void doctor_endpoints(struct examination *x)
{
	struct mplb_server_item *plan;
	int n = x->machine.pm ? item_plan(x->config, &plan) : -ENOENT;

	if (n < 0)
		return;
	examine_join_port(x);
	for (int i = 0; i < n; i++)
		if (plan[i].kind == MPLB_SERVER_ENDPOINT)
			examine_conflict(x, &plan[i]);
	examine_room(x, plan, (size_t)n);
	free(plan);
	for (size_t i = 0; i < x->machine.n_endpoints; i++)
		examine_ipv6_port(x, &x->machine.endpoints[i]);
}

/* ---- the daemon ---- */

#define START "systemctl start server-pm, or server-pm run -c FILE"

void doctor_daemon(struct examination *x)
{
	json_t *answer;

	if (x->blind)
		return;
	if (!x->state) {
		doctor_found(x, DOCTOR_NOT_SET_UP, doctor_advice(x, START),
			     "nothing is set up in pin folder %s", x->pin_dir);
		return;
	}
	if (!x->running) {
		doctor_found(
			x, DOCTOR_NOT_RUNNING, doctor_advice(x, START),
			x->config->manager == SERVER_MANAGER_USERSPACE
				? "server-pm does not run: new connections stay on the VIP"
				: "server-pm does not run: what it set works on, and nobody puts "
				  "back what is removed");
		return;
	}
	answer = server_control_ask(x->pin_dir);
	if (!answer)
		doctor_found(x, DOCTOR_NOT_ANSWERING,
			     doctor_advice(x, "systemctl restart server-pm; connections go on"),
			     "server-pm runs and does not answer within two seconds");
	json_decref(answer);
}

/* ---- what it keeps ---- */

static enum doctor_finding finding_of(const struct mplb_server_item *item)
{
	static const struct {
		const char *part;
		enum doctor_finding finding;
	} sysctls[] = {
		{ "net.mptcp.allow_join", DOCTOR_C_FLAG },
		{ "net.mptcp.add_addr_timeout", DOCTOR_ADD_ADDR_TIMEOUT },
		{ "net.ipv4.conf.all.arp", DOCTOR_ARP },
	};

	switch (item->kind) {
	case MPLB_SERVER_LIMIT:
		return DOCTOR_LIMIT;
	case MPLB_SERVER_ADDRESS:
		return DOCTOR_VIP_MISSING;
	case MPLB_SERVER_ENDPOINT:
		return DOCTOR_ENDPOINT_MISSING;
	case MPLB_SERVER_PASS_ON:
		return DOCTOR_PASS_ON_MISSING;
	case MPLB_SERVER_MSS:
		return DOCTOR_MSS_MISSING;
	case MPLB_SERVER_FIRST_FLIGHT:
		return DOCTOR_FIRST_FLIGHT_MISSING;
	case MPLB_SERVER_XDP:
		return DOCTOR_DECAPSULATION_MISSING;
	case MPLB_SERVER_GUARD:
		return DOCTOR_GUARD_MISSING;
	case MPLB_SERVER_ROUTE:
		return DOCTOR_ROUTE_MISSING;
	}
	for (size_t i = 0; i < sizeof(sysctls) / sizeof(*sysctls); i++)
		if (!strncmp(item->name, sysctls[i].part, strlen(sysctls[i].part)))
			return sysctls[i].finding;
	return DOCTOR_PATH_MANAGER;
}

/* What it means for connections. */
static const char *effect_of(enum doctor_finding finding)
{
	switch (finding) {
	case DOCTOR_PATH_MANAGER:
		return "new connections get another path manager than path_manager says";
	case DOCTOR_C_FLAG:
		return "clients are not told to leave the VIP alone (C flag), and join it";
	case DOCTOR_ADD_ADDR_TIMEOUT:
		return "a client whose ADD_ADDR is lost gets the next one late, or never";
	case DOCTOR_ARP:
		return "this backend's answers draw the VIP's packets past the balancer";
	case DOCTOR_LIMIT:
		return "joins beyond the limit are refused";
	case DOCTOR_VIP_MISSING:
		return "the kernel does not take the VIP's packets";
	case DOCTOR_ENDPOINT_MISSING:
		return "clients are not told where to join, or stay on the VIP all the same";
	case DOCTOR_DECAPSULATION_MISSING:
		return "the balancers' packets are not taken out of the tunnel";
	case DOCTOR_PASS_ON_MISSING:
		return "packets of connections that another backend has are lost";
	case DOCTOR_GUARD_MISSING:
		return "dedicated addresses are open to everything";
	case DOCTOR_ROUTE_MISSING:
		return "the kernel does not take packets to connections' addresses";
	case DOCTOR_FIRST_FLIGHT_MISSING:
		return "up to 64 KB of an answer are left to the path through the balancer";
	default:
		return "full segments from clients do not fit the tunnel";
	}
}

static const char *mend_of(struct examination *x, const struct mplb_server_item *item)
{
	const struct ip ip = ip_of(item);
	char text[IP_STRLEN];

	switch (item->kind) {
	case MPLB_SERVER_SYSCTL:
		return doctor_command(x, "sysctl -w %s=%s", item->name, item->value);
	case MPLB_SERVER_LIMIT:
		return doctor_command(x, "ip mptcp limits set %s %s", item->name, item->value);
	case MPLB_SERVER_ADDRESS:
		return doctor_command(x, "ip address add %s dev %s", ip_format(&ip, text),
				      item->name);
	case MPLB_SERVER_ROUTE:
		return doctor_command(x, "ip -6 route add local %s/64 dev %s", ip_format(&ip, text),
				      item->name);
	case MPLB_SERVER_ENDPOINT:
		if (machine_endpoint(&x->machine, &ip, item->port))
			return doctor_advice(x, "server-pm sets its flags within a second: " START);
		return doctor_command(x, "ip mptcp endpoint add %s %s", ip_format(&ip, text),
				      item->value);
	}
	return doctor_advice(x, "server-pm attaches it within a second: " START);
}

static void examine_item(struct examination *x, const struct mplb_server_item *item)
{
	const struct item_place place = { .machine = &x->machine, .state = x->state };
	enum doctor_finding finding = finding_of(item);
	char text[ITEM_TEXT], now[32] = "";
	bool no_device = item->kind >= MPLB_SERVER_PASS_ON && !if_nametoindex(item->name);
	int is = no_device ? -ENODEV : item_look(&place, item);

	if (is)
		return; /* in place, or found elsewhere to be in the way */
	if (item->kind == MPLB_SERVER_SYSCTL && !sysctl_read(item->name, now, sizeof(now)))
		doctor_found(x, finding, mend_of(x, item), "%s is %s: %s", item->name, now,
			     effect_of(finding));
	else
		doctor_found(x, finding, mend_of(x, item), "%s is not in place: %s",
			     item_text(item, text), effect_of(finding));
}

/* Before `run` has set anything up, that one thing is the matter. */
void doctor_kept(struct examination *x)
{
	struct mplb_server_item *plan;
	int n = x->state && x->machine.pm ? item_plan(x->config, &plan) : -ENOENT;

	if (n < 0)
		return;
	for (int i = 0; i < n; i++)
		examine_item(x, &plan[i]);
	free(plan);
}

static void examine_map(struct examination *x, enum server_map map, const char *what,
			const struct server_addresses *list, enum doctor_finding finding)
{
	size_t missing, others;

	if (server_decap_compare(x->state, map, list, &missing, &others) || (!missing && !others))
		return;
	doctor_found(x, finding,
		     doctor_advice(x, "have it read the config again: systemctl reload server-pm, "
				      "or SIGHUP"),
		     "the decapsulation lacks %zu of the config's %s, and has %zu others: it was "
		     "set up from another config, or someone wrote to its maps",
		     missing, what, others);
}

void doctor_maps(struct examination *x)
{
	if (!x->state || !x->config->device)
		return;
	examine_map(x, SERVER_MAP_BALANCERS, "balancers", &x->config->balancers,
		    DOCTOR_BALANCERS_DIFFER);
	examine_map(x, SERVER_MAP_VIPS, "VIPs", &x->config->vips, DOCTOR_VIPS_DIFFER);
}
