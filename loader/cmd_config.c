/* SPDX-License-Identifier: GPL-2.0-only */
/* lbctl check, apply */
#include "lbctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "lib/log.h"
#include "lib/out.h"

int cmd_check(const struct lbctl *ctl, int argc, char **argv)
{
	struct lb_config *config;
	int err;

	if (argc != 2)
		return lbctl_usage("check", "which file?");
	err = lb_config_load(argv[1], &config);
	if (err)
		return LBCTL_USAGE;
	if (ctl->json) {
		json_t *result = json_pack("{s:s, s:i, s:i}", "file", argv[1], "vips",
					   (int)config->n_vips, "pools", (int)config->n_pools);

		out_json(result);
		json_decref(result);
	} else {
		printf("%s: ok: %zu VIPs, %zu pools\n", argv[1], config->n_vips, config->n_pools);
	}
	lb_config_free(config);
	return LBCTL_OK;
}

static const char *text_at(const json_t *change, const char *key)
{
	return json_string_value(json_object_get(change, key));
}

void lbctl_print_changes(const struct lbctl *ctl, const json_t *changes)
{
	const json_t *change;
	size_t i, changed = 0;

	if (ctl->json) {
		out_json(changes);
		return;
	}
	json_array_foreach (changes, i, change) {
		const char *action = text_at(change, "action");

		/* Those come last. */
		if (!strcmp(action, "unsettled"))
			break;
		printf("%c %-7s %-24s %s\n",
		       !strcmp(action, "add")	   ? '+'
		       : !strcmp(action, "remove") ? '-'
						   : '~',
		       text_at(change, "object"), text_at(change, "name"),
		       text_at(change, "detail"));
		changed++;
	}
	if (!changed)
		puts("nothing to change");
	for (; i < json_array_size(changes); i++) {
		change = json_array_get(changes, i);
		printf("pool %s: %s\n", text_at(change, "name"), text_at(change, "detail"));
	}
}

/* Has the agent apply it, if one runs. Which file is lbctl's to read: it may not be the agent's. */
static bool ask_to_apply(const struct lbctl *ctl, const char *file, const char *text, size_t len,
			 int *code)
{
	char *full = realpath(file, NULL);
	json_t *name = json_string(full ? full : file), *content = json_stringn(text, len);
	json_t *answer = NULL;
	bool asked = false;

	free(full);
	/* No UTF-8, or a NUL: the parser says where. */
	if (name && content) {
		asked = lbctl_ask(ctl,
				  json_pack("{s:s, s:O, s:O}", "request", "apply", "name", name,
					    "text", content),
				  code, &answer);
		if (asked && *code == LBCTL_OK)
			lbctl_print_changes(ctl, json_object_get(answer, "changes"));
	}
	json_decref(answer);
	json_decref(name);
	json_decref(content);
	return asked;
}

static int apply_alone(const struct lbctl *ctl, const char *file, const char *text, size_t len)
{
	json_t *changes = json_array();
	struct lb_config *config = NULL;
	struct datapath *dp = NULL;
	int err = lb_config_parse(file, text, len, &config), code;

	code = err ? LBCTL_USAGE : LBCTL_OK;
	if (!err && config->no_data_plane) {
		err = log_err_r(-EINVAL,
				"%s says data_plane: none, so there is nothing to apply it to; it "
				"is for lb-agent alone",
				file);
		code = LBCTL_USAGE;
	} else if (!err) {
		err = datapath_open(ctl->pin_dir, &dp);
		if (!err)
			err = apply_config(dp, config, changes);
		code = lbctl_exit(err);
	}
	if (!err)
		lbctl_print_changes(ctl, changes);
	json_decref(changes);
	datapath_close(dp);
	lb_config_free(config);
	return code;
}

int cmd_apply(const struct lbctl *ctl, int argc, char **argv)
{
	char *text = NULL;
	size_t len = 0;
	int code = LBCTL_OK;

	if (argc != 2)
		return lbctl_usage("apply", "which file?");
	if (conf_read(argv[1], &text, &len))
		return LBCTL_USAGE;
	if (!ask_to_apply(ctl, argv[1], text, len, &code))
		code = apply_alone(ctl, argv[1], text, len);
	free(text);
	return code;
}
