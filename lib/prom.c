/* SPDX-License-Identifier: GPL-2.0-only */
#include "prom.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include <event2/buffer.h>

/* Backslash and newline are escaped everywhere, quotes in labels. */
static void add_text(struct evbuffer *out, const char *text, const char *special)
{
	while (*text) {
		size_t plain = strcspn(text, special);

		evbuffer_add(out, text, plain);
		text += plain;
		if (*text)
			evbuffer_add_printf(out, "\\%c", *text == '\n' ? 'n' : *text);
		text += *text != '\0';
	}
}

void prom_head(struct evbuffer *out, const char *name, const char *type, const char *help)
{
	evbuffer_add_printf(out, "# HELP %s ", name);
	add_text(out, help, "\\\n");
	evbuffer_add_printf(out, "\n# TYPE %s %s\n", name, type);
}

static void add_labels(struct evbuffer *out, const char *name, va_list labels)
{
	const char *label, *before = "{";

	evbuffer_add_printf(out, "%s", name);
	while ((label = va_arg(labels, const char *))) {
		evbuffer_add_printf(out, "%s%s=\"", before, label);
		add_text(out, va_arg(labels, const char *), "\\\n\"");
		evbuffer_add_printf(out, "\"");
		before = ",";
	}
	evbuffer_add_printf(out, "%s ", *before == ',' ? "}" : "");
}

void prom_count(struct evbuffer *out, const char *name, uint64_t value, ...)
{
	va_list labels;

	va_start(labels, value);
	add_labels(out, name, labels);
	va_end(labels);
	evbuffer_add_printf(out, "%" PRIu64 "\n", value);
}

void prom_gauge(struct evbuffer *out, const char *name, double value, ...)
{
	va_list labels;

	va_start(labels, value);
	add_labels(out, name, labels);
	va_end(labels);
	evbuffer_add_printf(out, "%.15g\n", value);
}
