/* SPDX-License-Identifier: GPL-2.0-only */
/* lib/notify.c: what reaches $NOTIFY_SOCKET. */
#include <criterion/criterion.h>

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/notify.h"

/* name as in the variable: "/..." or "@...". */
static int receiver(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	strcpy(at.sun_path, name);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	cr_assert_eq(bind(fd, (void *)&at,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
		     0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void expect(int fd, const char *want)
{
	char text[1024];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	cr_expect_str_eq(text, want);
}

Test(notify, reaches_a_path_and_an_abstract_name)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/tmp/mplb-test-notify-%d", (int)getpid());
	fd = receiver(name);
	notify("READY=1\nSTATUS=%d things", 3);
	expect(fd, "READY=1\nSTATUS=3 things");
	close(fd);
	unlink(name);
	name[0] = '@';
	fd = receiver(name);
	notify("STOPPING=1");
	expect(fd, "STOPPING=1");
	close(fd);
	notify("and where nobody listens nothing happens");
}

Test(notify, a_variable_that_is_none_of_both)
{
	static const char *const names[] = { "", "/", "@", "relative", NULL };
	char longer[200];

	memset(longer, 'a', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	for (size_t i = 0; names[i]; i++) {
		setenv("NOTIFY_SOCKET", names[i], 1);
		notify("READY=1");
	}
	setenv("NOTIFY_SOCKET", longer, 1);
	notify("READY=1");
	unsetenv("NOTIFY_SOCKET");
	notify("READY=1");
}

Test(notify, watchdog_is_of_one_process)
{
	char pid[16];

	unsetenv("WATCHDOG_USEC");
	cr_expect_not(notify_has_watchdog());
	setenv("WATCHDOG_USEC", "30000000", 1);
	cr_expect(notify_has_watchdog());
	setenv("WATCHDOG_PID", "1", 1);
	cr_expect_not(notify_has_watchdog());
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	cr_expect(notify_has_watchdog());
}
