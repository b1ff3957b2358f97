/* SPDX-License-Identifier: GPL-2.0-only */
/* lib/prom.c, lb-agent/metrics.c: the text is what Prometheus reads. */
#include <criterion/criterion.h>

#include <event2/buffer.h>

#include "lb-agent/metrics.h"
#include "lib/prom.h"
#include "prom_check.h"
#include "server-pm/metrics.h"
#include "support.h"

static struct prom_check check;

/* The text of a buffer, with its end. */
static const char *text_of(struct evbuffer *buffer)
{
	evbuffer_add(buffer, "", 1);
	return (const char *)evbuffer_pullup(buffer, -1);
}

Test(prom, samples)
{
	struct evbuffer *out = evbuffer_new();

	prom_head(out, "a_total", "counter", "what \\ it\nis");
	prom_count(out, "a_total", UINT64_MAX, NULL);
	prom_count(out, "a_total", 1, "l", "quote \" slash \\ line \n end", "m", "", NULL);
	prom_head(out, "b", "gauge", "x");
	prom_gauge(out, "b", 0.000125, "l", "v", NULL);
	prom_gauge(out, "b", 1795233600.25, NULL);
	cr_assert_str_eq(text_of(out),
			 "# HELP a_total what \\\\ it\\nis\n# TYPE a_total counter\n"
			 "a_total 18446744073709551615\n"
			 "a_total{l=\"quote \\\" slash \\\\ line \\n end\",m=\"\"} 1\n"
			 "# HELP b x\n# TYPE b gauge\nb{l=\"v\"} 0.000125\nb 1795233600.25\n");
	cr_assert_str_eq(prom_fault(&check, text_of(out)), "");
	evbuffer_free(out);
}

/* The check itself: what it has to find. */
static const struct {
	const char *text, *fault;
} faults[] = {
	{ "a 1\n", "a sample without a head" },
	{ "# HELP a x\n# TYPE a gauge\na{l=v} 1\n", "bad labels" },
	{ "# HELP a x\n# TYPE a gauge\na{l=\"v\n\"} 1\n", "bad labels" },
	{ "# HELP a x\n# TYPE a gauge\na{l=\"v\"}1\n", "no value" },
	{ "# HELP a x\n# TYPE a gauge\na one\n", "not a number" },
	{ "# HELP a x\n# TYPE a gauge\na 1\na 2\n", "a series twice" },
	{ "# HELP a x\n# TYPE a counter\na 1\n", "counters end" },
	{ "# HELP a_total x\n# TYPE a_total gauge\n", "counters end" },
	{ "# HELP a x\n# TYPE b gauge\n", "TYPE does not follow" },
	{ "# HELP a x\n# TYPE a gauge\nb 1\n", "a sample under another" },
	{ "# HELP a x\n# TYPE a gauge\n# HELP a x\n", "a metric twice" },
	{ "# HELP a x\n# TYPE a gauge\na 1", "a line without end" },
};

Test(prom, check_finds_faults)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		const char *fault = prom_fault(&check, faults[i].text);

		cr_assert_eq(strncmp(fault, faults[i].fault, strlen(faults[i].fault)), 0,
			     "%zu: got \"%s\", want \"%s\"", i, fault, faults[i].fault);
	}
}

static json_t *vip(const char *name)
{
	json_t *row = json_pack("{s:s}", "name", name);

#define X(NAME, key, text) json_object_set_new(row, key, json_integer(MPLB_VIP_C_##NAME + 10));
	MPLB_VIP_COUNTERS(X)
#undef X
	return row;
}

static struct agent_metrics everything(void)
{
	return (struct agent_metrics){
		.vips = json_pack("[o, o]", vip("web"), vip("dns")),
		.backends = json_pack("[{s:s, s:s, s:i, s:I}]", "name", "b1", "pool", "p",
				      "packets", 7, "bytes", (json_int_t)1 << 40),
		.reasons = json_pack("[{s:s, s:s, s:i}, {s:s, s:s, s:i}, {s:s, s:s, s:i}]",
				     "reason", "not_vip", "action", "pass", "packets", 3, "reason",
				     "too_big", "action", "drop", "packets", 4, "reason",
				     "echo_reply", "action", "tx", "packets", 5),
		.nics = json_pack("[{s:s, s:s}]", "device", "eth0", "mode", "native"),
		.pools = json_pack("[{s:s, s:b}]", "name", "p", "settled", 0),
		.members = json_pack("[{s:s, s:s, s:s, s:i, s:b, s:b}]", "name", "b1", "pool", "p",
				     "state", "draining", "weight", 100, "takes_new", 0, "resolved",
				     1),
		.health = json_pack("[{s:s, s:s, s:s, s:i, s:i, s:i, s:f}]", "pool", "p", "backend",
				    "b1", "state", "up", "probes", 20, "failures", 2, "changes", 1,
				    "rtt_ms", 1.5),
		.anycast = json_pack("[{s:s, s:s, s:s, s:s, s:b}, {s:n, s:s, s:s, s:s, s:b}]",
				     "vip", "web", "protocol", "anycast_web", "bird", "enabled",
				     "state", "up", "has_problem", 0, "vip", "protocol", "node",
				     "bird", "missing", "state", "held", "has_problem", 1),
		.bird = json_pack("[{s:s, s:s, s:s}]", "protocol", "bgp1", "type", "BGP", "state",
				  "start"),
		.generation = 42,
		.applied_at = 1795233600.5,
	};
}

static const char *const wanted[] = {
	"mplb_build_info{version=\"" MPLB_VERSION "\"} 1\n",
	"mplb_table_generation 42\n",
	"mplb_last_apply_timestamp_seconds 1795233600.5\n",
	"mplb_reload_failed 0\n",
	"mplb_data_plane_attached 1\n",
	"mplb_nic_info{device=\"eth0\",mode=\"native\"} 1\n",
	"mplb_vip_packets_total{vip=\"web\"} 10\n",
	"mplb_vip_syn_mp_capable_total{vip=\"dns\"} 12\n",
	"mplb_backend_bytes_total{pool=\"p\",backend=\"b1\"} 1099511627776\n",
	"mplb_backend_weight{pool=\"p\",backend=\"b1\"} 100\n",
	"mplb_backend_takes_new{pool=\"p\",backend=\"b1\"} 0\n",
	"mplb_backend_resolved{pool=\"p\",backend=\"b1\"} 1\n",
	"mplb_pool_settled{pool=\"p\"} 0\n",
	"mplb_pool_backends{pool=\"p\",state=\"draining\"} 1\n",
	"mplb_pool_backends{pool=\"p\",state=\"active\"} 0\n",
	"mplb_backend_up{pool=\"p\",backend=\"b1\"} 1\n",
	"mplb_backend_probe_failures_total{pool=\"p\",backend=\"b1\"} 2\n",
	"mplb_backend_probe_seconds{pool=\"p\",backend=\"b1\"} 0.0015\n",
	"mplb_drops_total{reason=\"too_big\"} 4\n",
	"mplb_passed_total{reason=\"not_vip\"} 3\n",
	"mplb_answered_total{reason=\"echo_reply\"} 5\n",
	"mplb_anycast_announced{vip=\"web\",protocol=\"anycast_web\"} 1\n",
	"mplb_anycast_announced{vip=\"\",protocol=\"node\"} 0\n",
	"mplb_anycast_held{vip=\"\",protocol=\"node\"} 1\n",
	"mplb_anycast_problem{vip=\"\",protocol=\"node\"} 1\n",
	"mplb_bird_protocol_up{protocol=\"bgp1\",type=\"BGP\"} 0\n",
};

Test(agent_metrics, text)
{
	struct agent_metrics m = everything();
	struct evbuffer *out = evbuffer_new();
	const char *text;

	cr_assert_eq(agent_metrics_write(&m, out), 0);
	text = text_of(out);
	cr_assert_str_eq(prom_fault(&check, text), "");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		cr_assert(strstr(text, wanted[i]), "no %s in:\n%s", wanted[i], text);
	for (size_t i = 0; i < check.metrics; i++)
		cr_assert_eq(strncmp(check.names[i], "mplb_", 5), 0, "%s", check.names[i]);
	evbuffer_free(out);
	agent_metrics_drop(&m);
	cr_assert(!has_leaks());
}

/* Without data plane, health checks and anycast there is less, and all of it is well formed. */
Test(agent_metrics, nothing_there)
{
	struct agent_metrics m = { .reload_failed = true };
	struct evbuffer *out = evbuffer_new();

	cr_assert_eq(agent_metrics_write(&m, out), 0);
	cr_assert_str_eq(prom_fault(&check, text_of(out)), "");
	cr_assert_eq(check.metrics, 3);
	cr_assert(strstr(text_of(out), "mplb_reload_failed 1\n"));
	cr_assert_null(strstr(text_of(out), "attached"));
	evbuffer_free(out);
}

Test(server_metrics, text)
{
	struct pm_stats stats = { .established = 3, .join_ms = 1500 };
	struct metrics_source source = { .pm = &stats, .listeners = 1 };
	struct evbuffer *out = evbuffer_new();

	cr_assert_eq(metrics_write(&source, out), 0);
	cr_assert_str_eq(prom_fault(&check, text_of(out)), "");
	cr_assert_gt(check.samples, 20);
	evbuffer_free(out);
}
