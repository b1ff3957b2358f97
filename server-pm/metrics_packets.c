/* SPDX-License-Identifier: GPL-2.0-only */
/* What the programs count, for metrics. */
#include "metrics.h"

#include <event2/buffer.h>
#include "decap.h"
#include "guard.h"

static const struct {
	unsigned int reason;
	const char *name;
} reasons[] = {
#define X(number, NAME, name, action, text) { number, name },
	MPLB_SERVER_REASONS(X)
#undef X
};

static void write_reasons(const struct server_state *state, struct evbuffer *out)
{
	evbuffer_add_printf(out, "# HELP mplb_server_packets_total What became of received packets "
				 "(`server-pm status` has the meanings).\n"
				 "# TYPE mplb_server_packets_total counter\n");
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		struct mplb_server_count count;

		if (!server_decap_count(state, reasons[i].reason, &count))
			evbuffer_add_printf(out, "mplb_server_packets_total{reason=\"%s\"} %llu\n",
					    reasons[i].name, (unsigned long long)count.packets);
	}
}

static void write_guard(const struct server_state *state, const struct guard *guard,
			struct evbuffer *out)
{
	const struct guard_stats *stats = guard_stats(guard);
	json_t *now = guard_json(state);

	evbuffer_add_printf(
		out,
		"# HELP mplb_server_guard_tokens Live connections that joins may name.\n"
		"# TYPE mplb_server_guard_tokens gauge\n"
		"mplb_server_guard_tokens %" JSON_INTEGER_FORMAT "\n"
		"# HELP mplb_server_guard_looks_total Times that the guard's tokens were "
		"compared with all sockets.\n"
		"# TYPE mplb_server_guard_looks_total counter\n"
		"mplb_server_guard_looks_total %llu\n"
		"# HELP mplb_server_guard_lost_total Times that events of connections "
		"were lost.\n"
		"# TYPE mplb_server_guard_lost_total counter\n"
		"mplb_server_guard_lost_total %llu\n"
		"# HELP mplb_server_guard_full_total Connections beyond the room for "
		"tokens.\n"
		"# TYPE mplb_server_guard_full_total counter\n"
		"mplb_server_guard_full_total %llu\n",
		json_integer_value(json_object_get(now, "tokens")),
		(unsigned long long)stats->looks, (unsigned long long)stats->lost,
		(unsigned long long)stats->full);
	json_decref(now);
}

void metrics_write_packets(const struct metrics_source *source, struct evbuffer *out)
{
	if (source->state)
		write_reasons(source->state, out);
	if (source->state && source->guard)
		write_guard(source->state, source->guard, out);
}
