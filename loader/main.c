/* SPDX-License-Identifier: GPL-2.0-only */
/* lbctl: attaches the data plane, applies a config, shows what is going on. */
#include "lbctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "mplb/maps.h"

struct command {
	const char *name;
	int (*run)(const struct lbctl *ctl, int argc, char **argv);
	const char *arguments;
	const char *summary;
	const char *details;
};

static int cmd_help(const struct lbctl *ctl, int argc, char **argv);

static const struct command commands[] = {
	{ "attach", cmd_attach, "DEV [mode native|generic|auto]", "put the balancer on a NIC",
	  "DEV is a network device of this network namespace. auto (the default) takes the "
	  "driver's\n"
	  "native XDP, else the kernel's generic XDP, and says so. Other XDP programs can share "
	  "the\n"
	  "NIC where the kernel lets libxdp chain programs. Without a config everything passes.\n"
	  "A NIC that runs the balancer already gets this version of the program in its place:\n"
	  "config, counters and traffic go on." },
	{ "detach", cmd_detach, "DEV | all", "take it off a NIC",
	  "all: off every NIC, and the state with it: config and counters are forgotten. After\n"
	  "`detach DEV` the state stays, for the next attach." },
	{ "check", cmd_check, "FILE", "validate a config, change nothing",
	  "Every mistake is named with file, line and key. Exit 0: `apply` would take the file." },
	{ "apply", cmd_apply, "FILE", "make the data plane match a config",
	  "All or nothing; prints what changed. What is unchanged keeps its counters. Routes and\n"
	  "neighbours of the backends are looked up again each time. Operators' orders (drain,\n"
	  "weight) stay." },
	{ "drain", cmd_drain, "[POOL/]BACKEND [wait] [deadline TIME]",
	  "send a backend no new connections",
	  "With forward: gue it keeps those that it has: it stays in the pool's fallback table.\n"
	  "The order lasts until `undrain`, or until the backend is removed. wait: show what is\n"
	  "left on it, until nothing is. deadline: wait for this long, such as 10m, at most; the\n"
	  "order stays." },
	{ "undrain", cmd_undrain, "[POOL/]BACKEND", "send it new connections again",
	  "Takes `drain` back." },
	{ "weight", cmd_weight, "[POOL/]BACKEND N | config", "change its share of new connections",
	  "N: 0 to 65535, whatever the config says, now and at later applies. config: as the "
	  "config\n"
	  "says, again." },
	{ "settle", cmd_settle, "[POOL]", "end the changes under way",
	  "While a pool with forward: gue changes, connections from before find their backend "
	  "through\n"
	  "its fallback table. settle makes the fallback table what the pool is now, and forgets\n"
	  "backends that were removed: connections that are still with a backend that was "
	  "drained,\n"
	  "removed or made lighter break. Without a word: all pools." },
	{ "show", cmd_show, "[attach | vip | pool | backend | table | health | anycast | settle]",
	  "what is in force",
	  "attach: the NICs. vip: addresses and policies. pool: how it forwards, and whether "
	  "changes\n"
	  "are under way. backend: its state, marks (drain, weight: orders; gone: no longer in "
	  "the\n"
	  "config), weight, share of new connections and of the fallback table, next hop, and what "
	  "is\n"
	  "wrong with the way there, asked of the kernel now. table: slots, by backend. Without a\n"
	  "word: those but the table. health, anycast, settle: what lb-agent knows of backends' "
	  "health,\n"
	  "announcements, and when pools will be settled." },
	{ "stats", cmd_stats, "[--watch]", "traffic by VIP and backend",
	  "Counts since the VIP or backend was added. --watch: rates, every second, until ^C." },
	{ "top", cmd_top, "[--once] [--interval SECONDS]", "a live view of traffic, states, drops",
	  "The busiest first. MPTCP: share of the new connections that are MPTCP. PKT/CONN: "
	  "packets "
	  "per\n"
	  "new connection; it falls when MPTCP connections leave the VIP for the servers' own "
	  "addresses.\n"
	  "JOIN/S: MP_JOINs to the VIP. SHARE: of the new connections of a pool. q ends it. "
	  "Without a\n"
	  "terminal, and with -j: a page every SECONDS (default 1). --once: one." },
	{ "drops", cmd_drops, "", "packets not forwarded, by reason",
	  "Every packet that did not go to a backend, with what was done with it and why." },
	{ "explain", cmd_explain,
	  "PROTOCOL SOURCE:PORT DESTINATION:PORT [syn | capable | join TOKEN] [dev DEV]",
	  "who would get this packet, and why",
	  "Runs the program that is on the NIC, now, on a made-up packet, without counting it.\n"
	  "PROTOCOL is tcp or udp. syn: a plain SYN; capable: a SYN with MP_CAPABLE; join TOKEN: a "
	  "SYN\n"
	  "with MP_JOIN (TOKEN in hex); else a segment of an established connection." },
	{ "help", cmd_help, "[COMMAND]", "this list, or one command in full", "" },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
	fputs("usage: lbctl [-j] [-v] [--pin-dir DIR] [--socket PATH] COMMAND ...\n\n", out);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
	fputs("\n  -j             JSON on stdout\n"
	      "  -v             say more: the libraries' messages too\n"
	      "  --pin-dir DIR  bpffs folder of the pinned maps (default " MPLB_PIN_ROOT ")\n"
	      "  --socket PATH  control socket of lb-agent (default: the one of that folder's)\n"
	      "  --version\n\n"
	      "A command may be cut short as long as it is one of a kind. Exit status: 0 ok, 1 "
	      "usage "
	      "or config, 2 the kernel or lb-agent refused.\n",
	      out);
}

int lbctl_word(const char *text, const char *const *words)
{
	int found = -1;

	if (!*text)
		return -1;
	for (int i = 0; words[i]; i++) {
		if (!strcmp(text, words[i]))
			return i;
		if (!strncmp(text, words[i], strlen(text))) {
			if (found >= 0)
				return -1;
			found = i;
		}
	}
	return found;
}

static const struct command *find_command(const char *text)
{
	const char *names[N_COMMANDS + 1] = { NULL };
	int i;

	for (size_t c = 0; c < N_COMMANDS; c++)
		names[c] = commands[c].name;
	i = lbctl_word(text, names);
	return i < 0 ? NULL : &commands[i];
}

int lbctl_usage(const char *command, const char *fmt, ...)
{
	const struct command *c = find_command(command);
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s: %s; usage: lbctl %s %s", c ? c->name : command, text, c ? c->name : command,
		  c ? c->arguments : "");
	return LBCTL_USAGE;
}

int lbctl_exit(int err)
{
	switch (err) {
	case 0:
		return LBCTL_OK;
	case -EINVAL:
	case -ENODEV:
	case -ENAMETOOLONG:
		return LBCTL_USAGE;
	default:
		return LBCTL_KERNEL;
	}
}

static int cmd_help(const struct lbctl *ctl, int argc, char **argv)
{
	const struct command *c;

	(void)ctl;
	if (argc < 2) {
		print_help(stdout);
		return LBCTL_OK;
	}
	c = find_command(argv[1]);
	if (!c)
		return lbctl_usage("help", "no command \"%s\"", argv[1]);
	printf("lbctl %s %s\n\n%s.\n%s%s", c->name, c->arguments, c->summary, c->details,
	       *c->details ? "\n" : "");
	return LBCTL_OK;
}

/* Takes the options in front of the command. Returns the index of the command, or -1 with
 * *exit_code set. */
static int parse_options(struct lbctl *ctl, int argc, char **argv, int *exit_code)
{
	int i;

	*exit_code = LBCTL_USAGE;
	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "-j") || !strcmp(argv[i], "--json")) {
			ctl->json = true;
		} else if (!strcmp(argv[i], "-v") || !strcmp(argv[i], "--verbose")) {
			log_init("lbctl", LOG_DEBUG);
		} else if (!strcmp(argv[i], "--pin-dir")) {
			if (++i == argc) {
				log_error("--pin-dir: needs a folder, such as " MPLB_PIN_ROOT);
				return -1;
			}
			ctl->pin_dir = argv[i];
		} else if (!strcmp(argv[i], "--socket")) {
			if (++i == argc) {
				log_error("--socket: needs a path, such as /run/mplb/agent.sock");
				return -1;
			}
			ctl->socket = argv[i];
		} else if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help")) {
			print_help(stdout);
			*exit_code = LBCTL_OK;
			return -1;
		} else if (!strcmp(argv[i], "-V") || !strcmp(argv[i], "--version")) {
			puts("lbctl " MPLB_VERSION);
			*exit_code = LBCTL_OK;
			return -1;
		} else {
			log_error("no option \"%s\"; options are -j, -v, --pin-dir DIR, --socket "
				  "PATH, --help and "
				  "--version, in front of the command",
				  argv[i]);
			return -1;
		}
	}
	return i;
}

int main(int argc, char **argv)
{
	struct lbctl ctl = { .pin_dir = MPLB_PIN_ROOT };
	char *show[] = { "show", NULL };
	const struct command *c;
	int at, exit_code;

	log_init("lbctl", LOG_WARN);
	log_bpf_init();
	at = parse_options(&ctl, argc, argv, &exit_code);
	if (at < 0)
		return exit_code;
	if (at == argc)
		return cmd_show(&ctl, 1, show);
	c = find_command(argv[at]);
	if (!c) {
		log_error("no command \"%s\"; see: lbctl help", argv[at]);
		return LBCTL_USAGE;
	}
	if (at + 1 < argc && (!strcmp(argv[at + 1], "help") || !strcmp(argv[at + 1], "--help")))
		return cmd_help(&ctl, 2, (char *[]){ "help", (char *)c->name, NULL });
	exit_code = c->run(&ctl, argc - at, argv + at);
	if (fflush(stdout) || ferror(stdout)) {
		log_error("stdout: %s", strerror(errno));
		return LBCTL_KERNEL;
	}
	return exit_code;
}
