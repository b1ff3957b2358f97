/* SPDX-License-Identifier: GPL-2.0-only */
#include "pin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "log.h"
#include "mplb/abi.h"

#define BPFFS "/sys/fs/bpf"

void pin_parent(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash)
		strcpy(path, ".");
	else if (slash == path)
		path[1] = '\0';
	else
		*slash = '\0';
}

/* The nearest ancestor of path (or path itself) that exists, in place, with its file system. */
static int nearest_existing(char *path, struct statfs *fs)
{
	while (statfs(path, fs)) {
		if ((errno != ENOENT && errno != ENOTDIR) || !strcmp(path, "/") ||
		    !strcmp(path, "."))
			return -errno;
		pin_parent(path);
	}
	return 0;
}

/* Where the bpffs that holds path is mounted, in place: one folder below a change of device. */
static void mount_of(char *path)
{
	char up[PIN_PATH_MAX];
	struct stat here, above;

	for (;;) {
		strcpy(up, path);
		pin_parent(up);
		if (stat(path, &here) || stat(up, &above) || here.st_dev != above.st_dev ||
		    !strcmp(up, path))
			return;
		strcpy(path, up);
	}
}

int pin_check(const char *root, char *mend, size_t size)
{
	const char *where = root;
	char at[PIN_PATH_MAX];
	struct statfs fs;
	int err;

	if (strlen(root) >= sizeof(at)) {
		snprintf(mend, size, "give a shorter path");
		return -ENAMETOOLONG;
	}
	strcpy(at, root);
	err = nearest_existing(at, &fs);
	if (err) {
		snprintf(mend, size, "run as root");
		return err;
	}
	if (fs.f_type == BPF_FS_MAGIC)
		return 0;
	if (!strncmp(root, BPFFS "/", strlen(BPFFS "/")))
		where = BPFFS;
	snprintf(mend, size, "mount one: mkdir -p %s && mount -t bpf bpf %s", where, where);
	return -ENOTSUP;
}

static int make_folder(const char *path)
{
	if (mkdir(path, 0700) && errno != EEXIST)
		return log_err_r(-errno, "%s: cannot make this folder: %s%s", path, strerror(errno),
				 errno == EACCES || errno == EPERM ? "; run as root" : "");
	return 0;
}

int pin_folder(const char *root, const char *sub, int create, char out[static PIN_PATH_MAX])
{
	char path[PIN_PATH_MAX], at[PIN_PATH_MAX], mend[2 * PIN_PATH_MAX + 64];
	struct statfs fs;
	int err, len;

	len = snprintf(path, sizeof(path), "%s/v%d%s%s", root, MPLB_ABI, sub ? "/" : "",
		       sub ? sub : "");
	if (len < 0 || (size_t)len > sizeof(path) - 64)
		return log_err_r(-ENAMETOOLONG, "--pin-dir %s: the path is too long", root);
	err = pin_check(root, mend, sizeof(mend));
	if (err == -ENOTSUP)
		return log_err_r(-EINVAL, "--pin-dir %s is not on a bpffs; %s", root, mend);
	if (err)
		return log_err_r(err, "--pin-dir %s: %s; %s", root, strerror(-err), mend);
	strcpy(at, root);
	nearest_existing(at, &fs);
	mount_of(at);
	setenv("LIBXDP_BPFFS", at, 0);
	if (create) {
		char step[PIN_PATH_MAX];

		strcpy(step, root);
		err = make_folder(step);
		snprintf(step, sizeof(step), "%.*s/v%d", PIN_PATH_MAX - 16, root, MPLB_ABI);
		if (!err)
			err = make_folder(step);
		if (!err && sub)
			err = make_folder(path);
		if (err)
			return err;
	}
	strcpy(out, path);
	return 0;
}

int pin_lock(const char *folder, int wait)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (fd < 0)
		return log_err_r(-errno, "%s: %s", folder, strerror(errno));
	if (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB))) {
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
		close(fd);
		return err == -EBUSY
			       ? err
			       : log_err_r(err, "%s: cannot lock: %s", folder, strerror(-err));
	}
	return fd;
}
