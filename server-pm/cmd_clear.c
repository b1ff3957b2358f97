/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>
#include "cmd.h"
#include "guard_maps.h"
#include "keep.h"
#include "lib/log.h"

static int clear_state(struct server_state *state, const char *pin_dir)
{
	struct machine machine = { 0 };
	struct item_place place = { .machine = &machine, .state = state };
	int err = server_state_lock(state);

	if (err == -EBUSY)
		return log_err_r(
			err,
			"server-pm runs in %s and would put everything back; stop it first "
			"(SIGTERM)",
			pin_dir);
	if (err)
		return log_err_r(err, "pin folder %s cannot be locked: %s; run as root", pin_dir,
				 strerror(-err));
	err = server_state_claim_netns(state);
	err = err ? err : machine_open(&machine);
	err = err ? err : keeper_take_back(&place, NULL, 0, false);
	err = err ? err : guard_maps_remove(state);
	err = err ? err : server_state_remove(state);
	machine_close(&machine);
	return err;
}

int server_cmd_clear(const struct server_options *options)
{
	struct server_state *state;
	int err = server_state_open(options->pin_dir, false, &state);

	if (err == -ENOENT) {
		log_info("nothing is set up in %s", options->pin_dir);
		return SERVER_OK;
	}
	if (err)
		return SERVER_REFUSED;
	err = clear_state(state, options->pin_dir);
	server_state_close(state);
	return err ? SERVER_REFUSED : SERVER_OK;
}
