/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent_socket.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "mplb/abi.h"
#include "mplb/maps.h"

#define FOLDER "/run/mplb"

void agent_socket_default(const char *pin_dir, char out[static AGENT_SOCKET_MAX])
{
	const char *name = pin_dir;
	size_t room = AGENT_SOCKET_MAX - sizeof(FOLDER "/agent-.sock"), len;

	if (!strcmp(pin_dir, MPLB_PIN_ROOT)) {
		strcpy(out, FOLDER "/agent.sock");
		return;
	}
	/* Cut from the front: what differs is at the end. */
	name += strspn(name, "/");
	len = strlen(name);
	if (len > room)
		name += len - room;
	len = (size_t)snprintf(out, AGENT_SOCKET_MAX, FOLDER "/agent-%s", name);
	for (char *slash = out + strlen(FOLDER "/"); (slash = strchr(slash, '/'));)
		*slash = '-';
	snprintf(out + len, AGENT_SOCKET_MAX - len, ".sock");
}

static void link_path(const char *pin_dir, char out[static PIN_PATH_MAX])
{
	snprintf(out, PIN_PATH_MAX, "%s/v%d/agent/socket", pin_dir, MPLB_ABI);
}

void agent_socket_find(const char *pin_dir, char out[static AGENT_SOCKET_MAX])
{
	char path[PIN_PATH_MAX];
	ssize_t n;

	link_path(pin_dir, path);
	n = readlink(path, out, AGENT_SOCKET_MAX - 1);
	if (n > 0)
		out[n] = '\0';
	else
		agent_socket_default(pin_dir, out);
}

void agent_socket_record(const char *pin_dir, const char *path)
{
	char link[PIN_PATH_MAX], full[PATH_MAX];

	link_path(pin_dir, link);
	/* lbctl may be called in another folder than this. */
	if (*path != '/' && *path != '@' && realpath(path, full))
		path = full;
	if ((unlink(link) && errno != ENOENT) || symlink(path, link))
		log_warn("%s: %s; lbctl needs --socket %s", link, strerror(errno), path);
}

void agent_socket_forget(const char *pin_dir)
{
	char link[PIN_PATH_MAX];

	link_path(pin_dir, link);
	unlink(link);
}
