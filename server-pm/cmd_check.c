/* SPDX-License-Identifier: GPL-2.0-only */
#include "cmd.h"
#include "doctor.h"
#include "lib/log.h"
#include "lib/out.h"

static void print_json(const struct doctor_report *report)
{
	json_t *all =
		json_pack("{s:b, s:i, s:i, s:i, s:O}", "ok", !(report->blockers + report->faults),
			  "blockers", (int)report->blockers, "faults", (int)report->faults,
			  "warnings", (int)report->warnings, "findings", report->findings);

	out_json(all);
	json_decref(all);
}

static void print_text(const struct doctor_report *report, const char *file)
{
	unsigned int wrong = report->blockers + report->faults;

	doctor_log(report);
	if (wrong)
		log_error("%s: the config is fine, but %u thing%s on this machine keep%s it from "
			  "working",
			  file, wrong, wrong == 1 ? "" : "s", wrong == 1 ? "s" : "");
	else
		log_info("%s: fine, and nothing on this machine is in its way", file);
}

int server_cmd_check(const struct server_options *options)
{
	struct doctor_report report;
	struct server_config *config;
	int err;

	if (server_config_load(options->config, &config))
		return SERVER_USAGE;
	if (options->only_config) {
		log_info("%s: fine", options->config);
		server_config_free(config);
		return SERVER_OK;
	}
	err = doctor_examine(config, options->pin_dir, DOCTOR_WHOLE, &report);
	server_config_free(config);
	if (err)
		return SERVER_REFUSED;
	if (options->json)
		print_json(&report);
	else
		print_text(&report, options->config);
	json_decref(report.findings);
	return report.blockers + report.faults ? SERVER_USAGE : SERVER_OK;
}
