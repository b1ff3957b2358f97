/* SPDX-License-Identifier: GPL-2.0-only */
/* lb-agent: the balancer's daemon. The command line. */
#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "mplb/maps.h"

static const struct command {
	const char *name;
	int (*run)(const struct agent_options *options);
	const char *arguments, *text;
} commands[] = {
	{ "run", agent_cmd_run, "-c FILE",
	  "apply the config, log `ready`, and keep the backends' next hops up to date" },
	{ "check", agent_cmd_check, "-c FILE", "validate the config, change nothing" },
	{ "withdraw", agent_cmd_withdraw, "-c FILE",
	  "take back what is announced, where no lb-agent does it any more" },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int help(void)
{
	puts("usage: lb-agent [-v] [--pin-dir DIR] [--socket PATH] [--state FILE] COMMAND ...\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %-8s %-8s %s\n", commands[i].name, commands[i].arguments,
		       commands[i].text);
	puts("  help              this text\n\n"
	     "  -v             say more: the libraries' messages too\n"
	     "  --pin-dir DIR  bpffs folder of the pinned maps (default " MPLB_PIN_ROOT ")\n"
	     "  --socket PATH  control socket, for lbctl (default /run/mplb/agent.sock)\n"
	     "  --state FILE   where orders are kept for after a reboot (default\n"
	     "                 /var/lib/mplb/orders.json; of another --pin-dir: nowhere)\n"
	     "  --version\n\n"
	     "SIGHUP: read the config again. SIGTERM, SIGINT: stop; traffic flows on.\n"
	     "Exit status: 0 ok, 1 usage or config, 2 the kernel refused.");
	return AGENT_OK;
}

static int usage(const char *what, const char *word)
{
	log_error("%s%s%s%s; see: lb-agent help", what, word ? " \"" : "", word ? word : "",
		  word ? "\"" : "");
	return AGENT_USAGE;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* Takes an option that may stand anywhere. Returns how many words it was, 0: none, -1: it lacks
 * its argument. */
static int take_option(struct agent_options *options, char **words)
{
	const char **value = NULL;

	if (!strcmp(words[0], "-v") || !strcmp(words[0], "--verbose")) {
		options->verbose = true;
		return 1;
	}
	if (!strcmp(words[0], "--pin-dir"))
		value = &options->pin_dir;
	else if (!strcmp(words[0], "--socket"))
		value = &options->socket;
	else if (!strcmp(words[0], "--state"))
		value = &options->state;
	else if (!strcmp(words[0], "-c") || !strcmp(words[0], "--config"))
		value = &options->config;
	if (!value)
		return 0;
	if (!words[1])
		return -1;
	*value = words[1];
	return 2;
}

static int run(const struct command *command, const struct agent_options *options)
{
	int code;

	if (!options->config)
		return usage("which config? give -c FILE to", command->name);
	log_init("lb-agent", options->verbose ? LOG_DEBUG : LOG_INFO);
	code = command->run(options);
	if (fflush(stdout) || ferror(stdout)) {
		log_error("stdout: %s", strerror(errno));
		return AGENT_REFUSED;
	}
	return code;
}

int main(int argc, char **argv)
{
	struct agent_options options = { .pin_dir = MPLB_PIN_ROOT };
	const struct command *command = NULL;
	int taken;

	log_init("lb-agent", LOG_INFO);
	log_bpf_init();
	for (int i = 1; i < argc; i += taken ? taken : 1) {
		taken = take_option(&options, argv + i);
		if (taken < 0)
			return usage("an argument is missing after", argv[i]);
		if (taken)
			continue;
		if (!strcmp(argv[i], "help") || !strcmp(argv[i], "-h") ||
		    !strcmp(argv[i], "--help"))
			return help();
		if (!strcmp(argv[i], "-V") || !strcmp(argv[i], "--version"))
			return puts("lb-agent " MPLB_VERSION) < 0;
		if (argv[i][0] == '-')
			return usage("no option", argv[i]);
		if (command)
			return usage("one command at a time, not", argv[i]);
		command = find_command(argv[i]);
		if (!command)
			return usage("no command", argv[i]);
	}
	return command ? run(command, &options) : help();
}
