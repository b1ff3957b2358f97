/* SPDX-License-Identifier: GPL-2.0-only */
#include "config_guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/mptcp_pm.h"

#define PREFIX_LEN "/64"

/* Every function here returns 0 or, having logged, -errno. */

static int read_on(struct server_config *c, const struct file_guard *file)
{
	const char *only = file->on_stale	 ? "guard_on_stale"
			   : file->devices_count ? "guard_devices"
			   : file->allow_count	 ? "guard_allow"
						 : NULL;

	if (file->guard && !strcmp(file->guard, "on"))
		c->guard.on = true;
	else if (file->guard && strcmp(file->guard, "off") != 0)
		return conf_error(c->conf, "guard", "'%s' is unknown; write on or off",
				  file->guard);
	if (!c->guard.on && only)
		return conf_error(c->conf, only,
				  "is of use with the guard only; add guard: on, or remove it");
	if (!c->guard.on && file->per_connection)
		return conf_error(c->conf, "per_connection",
				  "without the guard every address of the prefix would be open to "
				  "all; add guard: on");
	if (c->guard.on && !c->dedicated.n && !file->per_connection)
		return conf_error(c->conf, "guard",
				  "there is nothing to guard; list this backend's own addresses "
				  "under dedicated: [...], or remove guard");
	return 0;
}

static int read_on_stale(struct server_config *c, const char *text)
{
	if (!text || !strcmp(text, "open"))
		c->guard.closed = false;
	else if (!strcmp(text, "closed"))
		c->guard.closed = true;
	else
		return conf_error(c->conf, "guard_on_stale",
				  "'%s' is unknown; write open (any join is let in) or closed "
				  "(only joins to connections known before)",
				  text);
	return 0;
}

static int read_devices(struct server_config *c, const struct file_guard *file)
{
	size_t n = file->devices_count ? file->devices_count : c->device ? 1 : 0;

	if (!n)
		return conf_error(c->conf, "guard",
				  "on which device? Write guard_devices: [NAME, ...]: all on which "
				  "packets to dedicated addresses may arrive");
	c->guard.device = calloc(n, sizeof(*c->guard.device));
	if (!c->guard.device)
		return log_err_r(-ENOMEM, "out of memory reading the config; free some");
	c->guard.n_devices = n;
	for (size_t i = 0; i < n; i++) {
		c->guard.device[i] = file->devices_count ? file->devices[i] : c->device;
		for (size_t j = 0; j < i; j++)
			if (!strcmp(c->guard.device[i], c->guard.device[j]))
				return conf_error(c->conf, conf_path("guard_devices[%zu]", i),
						  "%s is listed twice; remove one",
						  c->guard.device[i]);
	}
	return 0;
}

/* A number from least to most that is all of text up to end. 0 or -EINVAL. */
static int number(const char *text, const char *end, unsigned long least, unsigned long most,
		  unsigned long *out)
{
	char *stop;
	unsigned long value;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	value = strtoul(text, &stop, 10);
	if (stop != end || value < least || value > most)
		return -EINVAL;
	*out = value;
	return 0;
}

/* What stands in front of TCP in IPv6 would let any SYN in. */
static bool is_extension(unsigned long proto)
{
	switch (proto) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_DSTOPTS:
	case 135: /* mobility */
	case 139: /* HIP */
	case 140: /* shim6 */
		return true;
	}
	return false;
}

static void allow(struct server_config *c, __u8 proto, unsigned long port)
{
	c->guard.allow[c->guard.n_allow++] =
		(struct mplb_guard_allow){ .proto = proto, .port = htons((__u16)port) };
}

/* All of a protocol of IP. */
static int read_protocol(struct server_config *c, const char *path, unsigned long n)
{
	if (n == IPPROTO_TCP || n == IPPROTO_UDP)
		return conf_error(c->conf, path,
				  "%lu is all of %s, which would leave no guard; write ports, such "
				  "as 22/%s",
				  n, n == IPPROTO_TCP ? "TCP" : "UDP",
				  n == IPPROTO_TCP ? "tcp" : "udp");
	if (is_extension(n))
		return conf_error(c->conf, path,
				  "%lu is an extension header of IPv6, behind which anything may "
				  "be; remove it",
				  n);
	allow(c, (__u8)n, 0);
	return 0;
}

static int read_allowed(struct server_config *c, const char *path, const char *text)
{
	const char *slash = strchr(text, '/');
	unsigned long n;

	if (!strcmp(text, "icmp")) {
		allow(c, IPPROTO_ICMP, 0);
		allow(c, IPPROTO_ICMPV6, 0);
		return 0;
	}
	if (slash && !strcmp(slash, "/ip") && !number(text, slash, 0, 255, &n))
		return read_protocol(c, path, n);
	if (slash && !strcmp(slash, "/tcp") && !number(text, slash, 1, 65535, &n)) {
		allow(c, IPPROTO_TCP, n);
		return 0;
	}
	if (slash && !strcmp(slash, "/udp") && !number(text, slash, 1, 65535, &n)) {
		allow(c, IPPROTO_UDP, n);
		return 0;
	}
	return conf_error(c->conf, path,
			  "'%s' is unknown; write a port (22/tcp, 53/udp), icmp, or a protocol of "
			  "IP by its number (4/ip: IP in IP, 50/ip: ESP)",
			  text);
}

static int read_allow(struct server_config *c, const struct file_guard *file)
{
	int err = 0;

	/* `icmp` takes two. */
	c->guard.allow = calloc(file->allow_count * 2 + 1, sizeof(*c->guard.allow));
	if (!c->guard.allow)
		return log_err_r(-ENOMEM, "out of memory reading the config; free some");
	for (uint32_t i = 0; i < file->allow_count; i++)
		err |= read_allowed(c, conf_path("guard_allow[%u]", i), file->allow[i]);
	return err ? -EINVAL : 0;
}

/* ---- an address per connection ---- */

static bool in_prefix(const struct ip *prefix, const struct ip *ip)
{
	return ip->family == MPLB_FAMILY_6 && ip->addr.word[0] == prefix->addr.word[0] &&
	       ip->addr.word[1] == prefix->addr.word[1];
}

static int check_outside(const struct server_config *c, const struct ip *prefix, const char *key,
			 const struct server_addresses *list)
{
	char text[IP_STRLEN];

	for (size_t i = 0; i < list->n; i++)
		if (in_prefix(prefix, &list->ip[i]))
			return conf_error(
				c->conf, "per_connection",
				"%s of %s is in the prefix, which is all for connections' "
				"addresses; give another prefix",
				ip_format(&list->ip[i], text), key);
	return 0;
}

static int parse_prefix(const char *text, struct ip *out)
{
	size_t len = strlen(text), tail = strlen(PREFIX_LEN);
	char address[IP_STRLEN + 4];

	if (len <= tail || strcmp(text + len - tail, PREFIX_LEN) != 0)
		return -EINVAL;
	snprintf(address, sizeof(address), "%.*s", (int)(len - tail), text);
	if (ip_parse(address, out) || out->family != MPLB_FAMILY_6 || out->addr.word[2] ||
	    out->addr.word[3])
		return -EINVAL;
	/* 2000::/3 and fc00::/7: what is routed (RFC 4291, RFC 4193). */
	return (ntohl(out->addr.word[0]) & 0xe0000000) == 0x20000000 ||
			       (ntohl(out->addr.word[0]) & 0xfe000000) == 0xfc000000
		       ? 0
		       : -EINVAL;
}

static int read_prefix(struct server_config *c, const char *text)
{
	struct ip prefix;

	if (!text)
		return 0;
	if (parse_prefix(text, &prefix))
		return conf_error(c->conf, "per_connection",
				  "'%s' is no prefix to make addresses from; write a global or "
				  "unique local IPv6 prefix of 64 bits, like \"2001:db8:0:1::/64\"",
				  text);
	if (c->manager != SERVER_MANAGER_USERSPACE)
		return conf_error(c->conf, "per_connection",
				  "the kernel's path manager announces the same addresses to all; "
				  "write path_manager: userspace");
	if (c->dedicated.n >= MPTCP_PM_MAX_ENDPOINTS)
		return conf_error(c->conf, "per_connection",
				  "with %d dedicated addresses there is no room for another one; "
				  "list fewer",
				  MPTCP_PM_MAX_ENDPOINTS);
	if (check_outside(c, &prefix, "vips", &c->vips) ||
	    check_outside(c, &prefix, "dedicated", &c->dedicated) ||
	    check_outside(c, &prefix, "balancers", &c->balancers))
		return -EINVAL;
	c->guard.prefix = prefix;
	return 0;
}

int server_config_read_guard(struct server_config *c, const struct file_guard *file)
{
	int err = read_on(c, file);

	if (err || !c->guard.on)
		return err;
	err |= read_on_stale(c, file->on_stale);
	err |= read_devices(c, file);
	err |= read_allow(c, file);
	err |= read_prefix(c, file->per_connection);
	return err ? -EINVAL : 0;
}
