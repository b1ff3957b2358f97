/* SPDX-License-Identifier: GPL-2.0-only */
/* The page of `lbctl top`. */
#include "top.h"

#include <stdarg.h>
#include <string.h>

#define LINE_MAX_BYTES 512
#define NUMBER	       16
#define LEAST_ROWS     3 /* of each table, however small the page */

struct page {
	FILE *out;
	int columns, lines; /* 0: no limit */
	int used; /* lines */
};

static void __attribute__((format(printf, 2, 3))) line(struct page *p, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list ap;
	size_t len;

	if (p->lines && p->used >= p->lines)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (p->columns && strlen(text) > (size_t)p->columns)
		text[p->columns] = '\0';
	for (len = strlen(text); len && text[len - 1] == ' '; len--)
		;
	/* The last line of a page has no end, or a terminal would scroll. */
	fprintf(p->out, "%s%.*s", p->used ? "\n" : "", (int)len, text);
	p->used++;
}

/* 3 digits at least, with a suffix: 950, 12.3k, 4.56M. */
static const char *number(double value, char buf[static NUMBER])
{
	static const char suffix[] = " kMGTP";
	size_t s = 0;

	for (; value >= 999.5 && s < sizeof(suffix) - 2; s++)
		value /= 1000;
	if (!s)
		snprintf(buf, NUMBER, value < 9.95 && value > 0 ? "%.1f" : "%.0f", value);
	else
		snprintf(buf, NUMBER,
			 value < 9.995	 ? "%.2f%c"
			 : value < 99.95 ? "%.1f%c"
					 : "%.0f%c",
			 value, suffix[s]);
	return buf;
}

static const char *value(const json_t *row, const char *key, double scale, char buf[static NUMBER])
{
	const json_t *v = json_object_get(row, key);

	if (!json_is_number(v))
		return "-";
	return number(json_number_value(v) * scale, buf);
}

static const char *percent(const json_t *row, const char *key, char buf[static NUMBER])
{
	const json_t *v = json_object_get(row, key);

	if (!json_is_number(v))
		return "-";
	snprintf(buf, NUMBER, "%.1f%%", json_number_value(v) * 100);
	return buf;
}

static const char *text(const json_t *row, const char *key)
{
	const char *t = json_string_value(json_object_get(row, key));

	return t ? t : "";
}

static void vip_line(struct page *p, const json_t *row)
{
	char n[6][NUMBER];

	line(p, "%-20.20s %9s %10s %8s %7s %9s %8s", text(row, "name"),
	     value(row, "packets_s", 1, n[0]), value(row, "bytes_s", 8, n[1]),
	     value(row, "connections_s", 1, n[2]), percent(row, "mptcp_share", n[3]),
	     value(row, "packets_per_connection", 1, n[4]), value(row, "joins_s", 1, n[5]));
}

static void backend_line(struct page *p, const json_t *row)
{
	char n[3][NUMBER], marks[64] = "";
	const json_t *mark;
	size_t i;

	json_array_foreach (json_object_get(row, "marks"), i, mark) {
		size_t len = strlen(marks);

		snprintf(marks + len, sizeof(marks) - len, " %s", json_string_value(mark));
	}
	line(p, "%-20.20s %9s %10s %8s  %-12.12s %s%s %s", text(row, "name"),
	     value(row, "packets_s", 1, n[0]), value(row, "bytes_s", 8, n[1]),
	     percent(row, "share", n[2]), text(row, "pool"), text(row, "state"), marks,
	     text(row, "problem"));
}

static void drop_line(struct page *p, const json_t *row)
{
	char n[2][NUMBER];

	line(p, "%-20.20s %9s %10s", text(row, "reason"), value(row, "packets_s", 1, n[0]),
	     value(row, "packets", 1, n[1]));
}

/* As many rows as there is room for, and how many are left out. */
static void rows(struct page *p, const json_t *list, int room,
		 void (*print)(struct page *p, const json_t *row))
{
	int n = (int)json_array_size(list), shown = n;

	if (p->lines && n > room)
		shown = room - 1;
	for (int i = 0; i < shown; i++)
		print(p, json_array_get(list, (size_t)i));
	if (shown < n)
		line(p, "... and %d more", n - shown);
}

static void head(struct page *p, const json_t *rates)
{
	const json_t *nics = json_object_get(rates, "nics"), *nic;
	char names[128] = "";
	size_t i;

	json_array_foreach (nics, i, nic) {
		size_t len = strlen(names);

		snprintf(names + len, sizeof(names) - len, "%s%s (%s)", i ? ", " : "",
			 text(nic, "device"), text(nic, "mode"));
	}
	line(p, "mplb on %s; rates of the last %.1f s", *names ? names : "no NIC",
	     json_number_value(json_object_get(rates, "seconds")));
}

static int at_least(int a, int least)
{
	return a > least ? a : least;
}

int top_print(const json_t *rates, FILE *out, int columns, int lines)
{
	struct page p = { .out = out, .columns = columns, .lines = lines };
	const json_t *vips = json_object_get(rates, "vips");
	const json_t *backends = json_object_get(rates, "backends");
	const json_t *drops = json_object_get(rates, "drops");
	int n_drops = (int)json_array_size(drops), n_vips = (int)json_array_size(vips), room;

	head(&p, rates);
	line(&p, "%s", "");
	/* Drops matter most and are few; VIPs get up to half of the rest, backends what is left. */
	n_drops = n_drops > 6 ? 6 : n_drops;
	room = lines - 7 - n_drops;
	n_vips = n_vips > room / 2 ? room / 2 : n_vips;
	line(&p, "%-20s %9s %10s %8s %7s %9s %8s", "VIP", "PKT/S", "BIT/S", "CONN/S", "MPTCP",
	     "PKT/CONN", "JOIN/S");
	rows(&p, vips, at_least(n_vips, LEAST_ROWS), vip_line);
	line(&p, "%s", "");
	line(&p, "%-20s %9s %10s %8s  %-12s %s", "BACKEND", "PKT/S", "BIT/S", "SHARE", "POOL",
	     "STATE");
	rows(&p, backends, at_least(room - n_vips, LEAST_ROWS), backend_line);
	line(&p, "%s", "");
	line(&p, "%-20s %9s %10s", json_array_size(drops) ? "DROPPED" : "NOTHING DROPPED",
	     json_array_size(drops) ? "PKT/S" : "", json_array_size(drops) ? "PACKETS" : "");
	rows(&p, drops, at_least(n_drops, 1), drop_line);
	return p.used;
}
