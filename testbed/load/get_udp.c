// SPDX-License-Identifier: GPL-2.0-only
#include "get.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/out.h"

#define UDP_BYTES_MAX 60000

/* One datagram and the socket that waits for its echo. */
struct udp_probe {
	struct get_udp *all;
	struct event *event;
	int fd;
	unsigned long long number;
};

struct get_udp {
	struct get *get;
	struct udp_probe *probes;
	json_t *servers;
	unsigned long long begun, ended, ok, lost, corrupt, unreachable;
	unsigned char data[UDP_BYTES_MAX], reply[UDP_BYTES_MAX + LOAD_LINE_MAX];
};

static void udp_begin_more(struct get_udp *all);

/* The echo is the server's name, a blank, and what was sent. */
static void udp_judge(struct udp_probe *probe, size_t len)
{
	struct get_udp *all = probe->all;
	size_t bytes = (size_t)all->get->bytes, name;
	json_int_t n;

	name = len > bytes ? len - bytes - 1 : 0;
	pattern_fill(all->get->seed + probe->number, 0, all->data, bytes);
	if (!name || all->reply[name] != ' ' ||
	    memcmp(all->reply + name + 1, all->data, bytes) != 0) {
		all->corrupt++;
		return;
	}
	all->reply[name] = '\0';
	n = json_integer_value(json_object_get(all->servers, (char *)all->reply));
	json_object_set_new(all->servers, (char *)all->reply, json_integer(n + 1));
	all->ok++;
}

static void udp_end(struct udp_probe *probe)
{
	struct get_udp *all = probe->all;

	if (probe->event)
		event_free(probe->event);
	close(probe->fd);
	probe->event = NULL;
	all->ended++;
	if (all->ended == all->get->count)
		event_base_loopbreak(all->get->base);
	else
		udp_begin_more(all);
}

static void udp_come(evutil_socket_t fd, short what, void *arg)
{
	struct udp_probe *probe = arg;
	ssize_t got;

	if (what & EV_TIMEOUT) {
		probe->all->lost++;
		udp_end(probe);
		return;
	}
	got = recv(fd, probe->all->reply, sizeof(probe->all->reply), 0);
	if (got < 0)
		probe->all->unreachable++;
	else
		udp_judge(probe, (size_t)got);
	udp_end(probe);
}

static bool udp_begin(struct udp_probe *probe)
{
	struct get *get = probe->all->get;
	struct timeval wait = { (time_t)get->stall, (suseconds_t)(get->stall * 1e6) % 1000000 };

	probe->fd = endpoint_socket(get->peer.addr.ss_family, IPPROTO_UDP,
				    get->source ? &get->bind : NULL);
	if (probe->fd < 0)
		return false;
	probe->event = event_new(get->base, probe->fd, EV_READ, udp_come, probe);
	if (!probe->event || event_add(probe->event, &wait) ||
	    connect(probe->fd, (void *)&get->peer.addr, get->peer.len))
		return false;
	pattern_fill(get->seed + probe->number, 0, probe->all->data, (size_t)get->bytes);
	return send(probe->fd, probe->all->data, (size_t)get->bytes, 0) >= 0;
}

static void udp_begin_more(struct get_udp *all)
{
	while (all->begun < all->get->count && all->begun - all->ended < all->get->parallel) {
		struct udp_probe *probe = &all->probes[all->begun];

		*probe = (struct udp_probe){ .all = all, .number = all->begun++ };
		/* One that could not be sent counts as lost when its time is over. */
		if (!udp_begin(probe) && !probe->event) {
			all->lost++;
			all->ended++;
		}
	}
}

int get_udp_run(struct get *get)
{
	struct get_udp *all = calloc(1, sizeof(*all));
	double began = load_now();
	json_t *report;
	int code = 2;

	if (get->bytes > UDP_BYTES_MAX) {
		log_error("--bytes: at most %d with --udp", UDP_BYTES_MAX);
		free(all);
		return 1;
	}
	if (all)
		all->probes = calloc(get->count, sizeof(*all->probes));
	if (!all || !all->probes) {
		log_error("out of memory for %llu datagrams", get->count);
		goto out;
	}
	all->get = get;
	all->servers = json_object();
	udp_begin_more(all);
	if (all->ended < get->count)
		event_base_dispatch(get->base);
	report = json_pack("{s:s, s:s, s:I, s:I, s:b, s:I, s:I, s:I, s:o, s:f}", "connect",
			   get->connect, "proto", "udp", "count", (json_int_t)get->count, "ok",
			   (json_int_t)all->ok, "all_ok", all->ok == get->count, "lost",
			   (json_int_t)all->lost, "corrupt", (json_int_t)all->corrupt,
			   "unreachable", (json_int_t)all->unreachable, "servers", all->servers,
			   "seconds", load_now() - began);
	out_json(report);
	json_decref(report);
	code = all->ok == get->count ? 0 : 1;
out:
	if (all)
		free(all->probes);
	free(all);
	return code;
}
