/* SPDX-License-Identifier: GPL-2.0-only */
#include "doctor_exam.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "lib/log.h"

enum grade { GRADE_BLOCKER, GRADE_FAULT, GRADE_WARNING };

static const struct {
	const char *name;
	enum grade grade;
} findings[DOCTOR_FINDING_MAX] = {
#define X(NAME, name, grade) [DOCTOR_##NAME] = { name, GRADE_##grade },
	DOCTOR_FINDINGS(X)
#undef X
};

static const char *const grades[] = {
	[GRADE_BLOCKER] = "blocker",
	[GRADE_FAULT] = "fault",
	[GRADE_WARNING] = "warning",
};

/* In this order. */
static const struct {
	void (*examine)(struct examination *x);
	enum doctor_when when; /* and later */
} checks[] = {
	{ doctor_btf, DOCTOR_BEFORE_RUN },	 { doctor_mptcp, DOCTOR_BEFORE_RUN },
	{ doctor_device, DOCTOR_BEFORE_RUN },	 { doctor_dedicated, DOCTOR_BEFORE_RUN },
	{ doctor_vips, DOCTOR_BEFORE_RUN },	 { doctor_arp, DOCTOR_BEFORE_RUN },
	{ doctor_endpoints, DOCTOR_BEFORE_RUN }, { doctor_guard, DOCTOR_BEFORE_RUN },
	{ doctor_syncookies, DOCTOR_WHOLE },	 { doctor_routes, DOCTOR_WHOLE },
	{ doctor_other_manager, DOCTOR_WHOLE },	 { doctor_daemon, DOCTOR_WHOLE },
	{ doctor_kept, DOCTOR_WHOLE },		 { doctor_maps, DOCTOR_WHOLE },
	{ doctor_services, DOCTOR_WHOLE },	 { doctor_firewall, DOCTOR_WHOLE },
};

static const char *mend_v(struct examination *x, bool is_command, const char *fmt, va_list ap)
{
	vsnprintf(x->mend, sizeof(x->mend), fmt, ap);
	x->is_command = is_command;
	return x->mend;
}

const char *doctor_command(struct examination *x, const char *fmt, ...)
{
	const char *mend;
	va_list ap;

	va_start(ap, fmt);
	mend = mend_v(x, true, fmt, ap);
	va_end(ap);
	return mend;
}

const char *doctor_advice(struct examination *x, const char *fmt, ...)
{
	const char *mend;
	va_list ap;

	va_start(ap, fmt);
	mend = mend_v(x, false, fmt, ap);
	va_end(ap);
	return mend;
}

void doctor_found(struct examination *x, enum doctor_finding what, const char *mend,
		  const char *fmt, ...)
{
	unsigned int *count[] = { &x->report.blockers, &x->report.faults, &x->report.warnings };
	enum grade grade = findings[what].grade;
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	++*count[grade];
	json_array_append_new(x->report.findings,
			      json_pack("{s:s, s:s, s:s, s:s, s:b}", "finding", findings[what].name,
					"grade", grades[grade], "text", text, "mend", mend,
					"command", x->is_command));
}

void doctor_log(const struct doctor_report *report)
{
	json_t *row;
	size_t i;

	json_array_foreach (report->findings, i, row)
		log_at(strcmp(json_string_value(json_object_get(row, "grade")),
			      grades[GRADE_BLOCKER])
			       ? LOG_WARN
			       : LOG_ERROR,
		       "%s (%s); %s", json_string_value(json_object_get(row, "text")),
		       json_string_value(json_object_get(row, "finding")),
		       json_string_value(json_object_get(row, "mend")));
}

static int examine(struct examination *x)
{
	int err = 0;

	doctor_rights(x);
	doctor_pins(x);
	x->blind = x->report.blockers;
	if (!x->blind)
		err = server_state_open(x->pin_dir, false, &x->state);
	if (err && err != -ENOENT)
		return err;
	x->running = x->state && server_state_is_locked(x->state);
	err = machine_look(&x->machine);
	for (size_t i = 0; !err && i < sizeof(checks) / sizeof(*checks); i++)
		if (checks[i].when <= x->when)
			checks[i].examine(x);
	return err;
}

int doctor_examine(const struct server_config *config, const char *pin_dir, enum doctor_when when,
		   struct doctor_report *out)
{
	struct examination x = { .config = config, .pin_dir = pin_dir, .when = when };
	int err = machine_open(&x.machine);

	if (err)
		return err;
	if (nl_open(NETLINK_SOCK_DIAG, 0, &x.diag))
		x.diag = NULL;
	x.report.findings = json_array();
	err = examine(&x);
	if (err)
		json_decref(x.report.findings);
	else
		*out = x.report;
	nl_close(x.diag);
	server_state_close(x.state);
	machine_close(&x.machine);
	return err;
}
