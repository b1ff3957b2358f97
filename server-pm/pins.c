/* SPDX-License-Identifier: GPL-2.0-only */
#include "pins.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <linux/magic.h>
#include "lib/log.h"
#include "mplb/server.h"

#define BPFFS_MOUNT "/sys/fs/bpf"

static void parent(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash)
		strcpy(path, ".");
	else if (slash == path)
		path[1] = '\0';
	else
		*slash = '\0';
}

void server_pins_path(const char *pin_dir, int up, char *buf, size_t size)
{
	snprintf(buf, size, "%s/v%d/%s", pin_dir, MPLB_ABI, MPLB_SERVER_PIN_DIR);
	while (up--)
		parent(buf);
}

int server_pins_check(const char *pin_dir, char *mend, size_t size)
{
	char path[PATH_MAX];
	struct statfs fs;
	const char *where = pin_dir;

	snprintf(path, sizeof(path), "%s", pin_dir);
	while (statfs(path, &fs)) {
		if (errno != ENOENT && errno != ENOTDIR) {
			snprintf(mend, size, "%s; run as root", strerror(errno));
			return -ENOTSUP;
		}
		if (!strcmp(path, "/") || !strcmp(path, "."))
			break;
		parent(path);
	}
	if (fs.f_type == BPF_FS_MAGIC)
		return 0;
	if (!strncmp(pin_dir, BPFFS_MOUNT "/", strlen(BPFFS_MOUNT "/")))
		where = BPFFS_MOUNT;
	snprintf(mend, size, "mount one: mkdir -p %s && mount -t bpf bpf %s", where, where);
	return -ENOTSUP;
}

int server_pins_make(const char *pin_dir)
{
	char mend[PATH_MAX + 64], path[PATH_MAX];

	if (server_pins_check(pin_dir, mend, sizeof(mend)))
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
