/* SPDX-License-Identifier: GPL-2.0-only */
#include "cmd.h"
#include "doctor.h"
#include "lib/log.h"

int server_cmd_check(const struct server_options *options)
{
	struct doctor_report report = { 0 };
	struct server_config *config;
	unsigned int wrong;
	int err;

	if (server_config_load(options->config, &config))
		return SERVER_USAGE;
	err = doctor_examine(config, options->pin_dir, &report);
	server_config_free(config);
	if (err)
		return SERVER_REFUSED;
	wrong = report.blockers + report.faults;
	if (!wrong) {
		log_info("%s: fine, and nothing on this machine is in its way", options->config);
		return SERVER_OK;
	}
	log_error("%s: the config is fine, but %u thing%s on this machine keep%s it from working",
		  options->config, wrong, wrong == 1 ? "" : "s", wrong == 1 ? "s" : "");
	return SERVER_USAGE;
}
