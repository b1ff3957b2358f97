/* SPDX-License-Identifier: GPL-2.0-only */
#include "pins.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/log.h"
#include "lib/pin.h"
#include "mplb/server.h"

void server_pins_path(const char *pin_dir, int up, char *buf, size_t size)
{
	snprintf(buf, size, "%s/v%d/%s", pin_dir, MPLB_ABI, MPLB_SERVER_PIN_DIR);
	while (up--)
		pin_parent(buf);
}

int server_pins_make(const char *pin_dir)
{
	char mend[2 * PIN_PATH_MAX + 64], path[PATH_MAX];

	if (pin_check(pin_dir, mend, sizeof(mend)))
		return log_err_r(-ENOTSUP, "pin folder %s is not on a BPF file system; %s", pin_dir,
				 mend);
	for (int up = 2; up >= 0; up--) {
		server_pins_path(pin_dir, up, path, sizeof(path));
		if (mkdir(path, 0700) && errno != EEXIST) {
			int err = -errno;

			return log_err_r(
				err, "pin folder %s cannot be made: %s; %s", path, strerror(-err),
				err == -ENOENT ? "make the folder above it" : "run as root");
		}
	}
	return 0;
}
