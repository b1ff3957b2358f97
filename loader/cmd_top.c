/* SPDX-License-Identifier: GPL-2.0-only */
/* lbctl top */
#include "lbctl.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/monotonic.h"
#include "lib/out.h"
#include "top.h"

/* Terminal control (ECMA-48; 1049 and 25 are xterm's: another screen, the cursor). */
#define ENTER  "\033[?1049h\033[?25l"
#define LEAVE  "\033[?25h\033[?1049l"
#define HOME   "\033[H"
#define TO_EOL "\033[K"
#define TO_END "\033[J"
#define MIN_MS 100
#define MAX_MS 3600000

static volatile sig_atomic_t ended, resized;

static void on_end(int number)
{
	(void)number;
	ended = 1;
}

static void on_resize(int number)
{
	(void)number;
	resized = 1;
}

/* Signals come in ppoll() alone; *open is the mask to wait with. */
static void catch_signals(sigset_t *open)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction end = { .sa_handler = on_end }, resize = { .sa_handler = on_resize };
	sigset_t ours;

	sigemptyset(&ours);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		sigaddset(&ours, ends[i]);
		sigaction(ends[i], &end, NULL);
	}
	sigaddset(&ours, SIGWINCH);
	sigaction(SIGWINCH, &resize, NULL);
	sigprocmask(SIG_BLOCK, &ours, open);
}

/* Waits until the time, a key that ends (q), or a signal. False: it is the end. redraw is called
 * when the window has another size. */
static bool wait_until(long due, bool keys, const sigset_t *open, void (*redraw)(void *data),
		       void *data)
{
	for (;;) {
		struct pollfd in = { .fd = keys ? STDIN_FILENO : -1, .events = POLLIN };
		long left = due - (long)monotonic_ms();
		const struct timespec wait = { left > 0 ? left / 1000 : 0,
					       left > 0 ? left % 1000 * 1000000 : 0 };
		int n = ppoll(&in, 1, &wait, open);
		char key;

		if (ended || (n < 0 && errno != EINTR))
			return false;
		if (resized) {
			resized = 0;
			redraw(data);
		} else if (n == 0) {
			return true;
		} else if (n > 0 &&
			   (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q')) {
			return false;
		}
	}
}

/* ---- the page on a terminal ---- */

static void draw(void *data)
{
	const json_t *rates = data;
	struct winsize size = { .ws_col = 80, .ws_row = 24 };
	char *page = NULL;
	size_t len = 0;
	FILE *out;

	if (!rates)
		return;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col || !size.ws_row)
		size = (struct winsize){ .ws_col = 80, .ws_row = 24 };
	out = open_memstream(&page, &len);
	if (!out)
		return;
	top_print(rates, out, size.ws_col, size.ws_row);
	fclose(out);
	fputs(HOME, stdout);
	for (const char *at = page; *at;) {
		size_t line = strcspn(at, "\n");

		printf("%.*s" TO_EOL "%s", (int)line, at, at[line] ? "\r\n" : "");
		at += line + (at[line] != '\0');
	}
	fputs(TO_END, stdout);
	fflush(stdout);
	free(page);
}

static bool take_terminal(struct termios *was)
{
	struct termios raw;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, was))
		return false;
	raw = *was;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* the shell would find itself on our screen */
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	return !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

/* ---- the loop ---- */

struct top {
	const struct lbctl *ctl;
	long interval_ms;
	bool once, live; /* live: on a terminal */
};

static void print(const struct top *top, json_t *rates)
{
	if (top->live) {
		draw(rates);
	} else if (top->ctl->json) {
		out_json(rates);
	} else {
		top_print(rates, stdout, 0, 0);
		puts(top->once ? "" : "\n");
	}
	fflush(stdout);
}

static int loop(const struct top *top, const struct datapath *dp, bool keys, const sigset_t *open)
{
	struct top_sample before = { 0 }, now = { 0 };
	json_t *rates = NULL;
	int err = top_read(dp, &before);
	long due = (long)monotonic_ms();

	while (!err && !ferror(stdout)) {
		due += top->interval_ms;
		if (due < (long)monotonic_ms()) /* stopped for a while, or too much to look at */
			due = (long)monotonic_ms() + top->interval_ms;
		if (!wait_until(due, keys, open, draw, rates))
			break;
		err = datapath_is_current(dp) ? top_read(dp, &now) : -ENOENT;
		if (!err) {
			json_decref(rates);
			rates = top_rates(&before, &now);
			print(top, rates);
		}
		top_drop(&before);
		before = now;
		now = (struct top_sample){ 0 };
		if (top->once)
			break;
	}
	json_decref(rates);
	top_drop(&before);
	return err ? LBCTL_KERNEL : LBCTL_OK;
}

static int run(const struct top *top, const struct datapath *dp)
{
	struct termios was;
	bool keys = top->live && take_terminal(&was);
	sigset_t open;
	int code;

	catch_signals(&open);
	if (top->live) {
		fputs(ENTER, stdout);
		fflush(stdout);
	}
	code = loop(top, dp, keys, &open);
	if (top->live) {
		fputs(LEAVE, stdout);
		fflush(stdout);
	}
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &was);
	if (code) /* here, where it can be read */
		log_error("top: the data plane was taken away, or cannot be read any more");
	return code;
}

static int read_interval(const char *text, long *ms)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds * 1000 >= MIN_MS && seconds * 1000 <= MAX_MS))
		return -EINVAL;
	*ms = (long)(seconds * 1000);
	return 0;
}

int cmd_top(const struct lbctl *ctl, int argc, char **argv)
{
	struct top top = { .ctl = ctl, .interval_ms = 1000 };
	struct datapath *dp;
	int err, code;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--once")) {
			top.once = true;
		} else if (!strcmp(argv[i], "--interval") && i + 1 < argc) {
			if (read_interval(argv[++i], &top.interval_ms))
				return lbctl_usage("top",
						   "\"%s\" is no interval; give 0.1 to 3600 "
						   "seconds",
						   argv[i]);
		} else {
			return lbctl_usage("top", "cannot read \"%s\"", argv[i]);
		}
	}
	top.live = !ctl->json && !top.once && isatty(STDOUT_FILENO);
	err = datapath_open(ctl->pin_dir, &dp);
	if (err)
		return lbctl_exit(err);
	code = run(&top, dp);
	datapath_close(dp);
	return code;
}
