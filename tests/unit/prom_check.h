/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_TEST_PROM_CHECK_H
#define MPLB_TEST_PROM_CHECK_H

/* Holds a text against Prometheus' exposition format, version 0.0.4, and against its conventions:
 * counters end with _total, each metric has HELP and TYPE once, in front of its samples, which
 * stand together; no series twice. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct prom_check {
	char fault[256]; /* "": none */
	size_t metrics, samples;
	char names[256][96]; /* heads so far */
	char type[16]; /* of the last head */
	char series[4096][192];
};

static inline size_t prom_name_len(const char *text, int colon)
{
	size_t len = 0;

	while ((text[len] >= 'a' && text[len] <= 'z') || (text[len] >= 'A' && text[len] <= 'Z') ||
	       text[len] == '_' || (colon && text[len] == ':') ||
	       (len && text[len] >= '0' && text[len] <= '9'))
		len++;
	return len;
}

/* The length of a label list "{a="b",...}", 0: it is none. */
static inline size_t prom_labels_len(const char *text)
{
	size_t at = 1;

	for (;;) {
		size_t name = prom_name_len(text + at, 0);

		at += name;
		if (!name || text[at] != '=' || text[at + 1] != '"')
			return 0;
		for (at += 2; text[at] != '"'; at++) {
			if (!text[at] || text[at] == '\n')
				return 0;
			if (text[at] == '\\' && !strchr("\\\"n", text[++at]))
				return 0;
		}
		at++;
		if (text[at] == '}')
			return at + 1;
		if (text[at++] != ',')
			return 0;
	}
}

static inline const char *prom_head_fault(struct prom_check *c, const char *line)
{
	static char want[96];
	char keyword[8], name[96], rest[16] = "";

	if (sscanf(line, "# %7s %95s %15s", keyword, name, rest) != 3 ||
	    prom_name_len(name, 1) != strlen(name))
		return "not a head";
	if (!strcmp(keyword, "HELP")) {
		for (size_t i = 0; i < c->metrics; i++)
			if (!strcmp(c->names[i], name))
				return "a metric twice";
		if (c->metrics == 256)
			return "too many metrics for this check";
		strcpy(c->names[c->metrics++], name);
		*c->type = '\0';
		return NULL;
	}
	if (strcmp(keyword, "TYPE") != 0 || !c->metrics ||
	    strcmp(c->names[c->metrics - 1], name) != 0 || *c->type)
		return "TYPE does not follow its HELP";
	snprintf(c->type, sizeof(c->type), "%s", rest);
	if (strcmp(rest, "counter") != 0 && strcmp(rest, "gauge") != 0 &&
	    strcmp(rest, "histogram") != 0)
		return "an unknown type";
	snprintf(want, sizeof(want), "%s", strlen(name) > 6 ? name + strlen(name) - 6 : "");
	if (!strcmp(rest, "counter") != !strcmp(want, "_total"))
		return "counters end with _total, and nothing else does";
	return NULL;
}

static inline const char *prom_sample_fault(struct prom_check *c, const char *line)
{
	size_t name = prom_name_len(line, 1), labels = 0, len;
	const char *metric = c->metrics ? c->names[c->metrics - 1] : "";
	char *end;

	if (!name || !*c->type)
		return "a sample without a head";
	if (strncmp(line, metric, strlen(metric)) != 0 ||
	    (strlen(metric) != name && strcmp(c->type, "histogram") != 0))
		return "a sample under another metric's head";
	if (line[name] == '{' && !(labels = prom_labels_len(line + name)))
		return "bad labels";
	len = name + labels;
	if (line[len] != ' ')
		return "no value";
	if (len >= sizeof(c->series[0]) || c->samples == 4096)
		return "too much for this check";
	strtod(line + len + 1, &end);
	if (end == line + len + 1 || *end)
		return "not a number";
	for (size_t i = 0; i < c->samples; i++)
		if (strlen(c->series[i]) == len && !strncmp(c->series[i], line, len))
			return "a series twice";
	memcpy(c->series[c->samples], line, len);
	c->series[c->samples++][len] = '\0';
	return NULL;
}

/* Returns "" or what is wrong and where. text ends with a newline. */
static inline const char *prom_fault(struct prom_check *c, const char *text)
{
	char line[1024];

	memset(c, 0, sizeof(*c));
	while (*text) {
		size_t len = strcspn(text, "\n");
		const char *fault;

		if (!text[len] || len >= sizeof(line)) {
			snprintf(c->fault, sizeof(c->fault), "a line without end, or too long");
			break;
		}
		memcpy(line, text, len);
		line[len] = '\0';
		text += len + 1;
		fault = *line == '#' ? prom_head_fault(c, line) : prom_sample_fault(c, line);
		if (fault) {
			snprintf(c->fault, sizeof(c->fault), "%s: %.200s", fault, line);
			break;
		}
	}
	return c->fault;
}

#endif
