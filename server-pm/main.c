/* SPDX-License-Identifier: GPL-2.0-only */
/* server-pm: the backend's side of mplb. The command line; commands are in cmd_*.c. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "cmd.h"
#include "lib/log.h"
#include "mplb/maps.h"

static int cmd_help(const struct server_options *options);

/* An option: where its argument, or that it is given, is stored. */
struct option {
	const char *name, *alias;
	const char *argument; /* NULL: none */
	size_t offset; /* into struct server_options: const char * with an argument, else bool */
	const char *text;
};

#define OPTION(member) offsetof(struct server_options, member)

static const struct option general_options[] = {
	{ "--pin-dir", NULL, "DIR", OPTION(pin_dir),
	  "keep the state in DIR, on a BPF file system (default: " MPLB_PIN_ROOT ")" },
	{ "-v", "--verbose", NULL, OPTION(verbose), "say more, also what libbpf and libxdp say" },
	{ 0 },
};

static const struct option config_options[] = {
	{ "-c", "--config", "FILE", OPTION(config), "the config file" },
	{ 0 },
};

static const struct option check_options[] = {
	{ "-c", "--config", "FILE", OPTION(config), "the config file" },
	{ "-j", "--json", NULL, OPTION(json), "print JSON" },
	{ "-n", "--only-config", NULL, OPTION(only_config), "do not look at the machine" },
	{ 0 },
};

static const struct option status_options[] = {
	{ "-j", "--json", NULL, OPTION(json), "print JSON" },
	{ 0 },
};

static const struct option no_options[] = { { 0 } };

static const struct command {
	const char *name;
	int (*function)(const struct server_options *options);
	const struct option *options;
	bool needs_config;
	const char *usage, *text;
} commands[] = {
	{ "run", server_cmd_run, config_options, true, "run -c FILE",
	  "set everything up, log `ready`, and put back what someone removes" },
	{ "check", server_cmd_check, check_options, true, "check -c FILE [-j] [-n]",
	  "validate the config, then say what on this machine keeps it from working" },
	{ "status", server_cmd_status, status_options, false, "status [-j]",
	  "what is set up, whether it is in place, and counters (the default)" },
	{ "connections", server_cmd_connections, status_options, false, "connections [-j]",
	  "the live MPTCP connections that clients have opened, and which way they go" },
	{ "clear", server_cmd_clear, no_options, false, "clear",
	  "take back exactly what run has set" },
	{ "help", cmd_help, no_options, false, "help [COMMAND]", "this text, or about a command" },
};

#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void print_options(const struct option *o)
{
	for (; o->name; o++) {
		char names[64];

		snprintf(names, sizeof(names), "%s%s%s%s%s", o->name, o->alias ? ", " : "",
			 o->alias ? o->alias : "", o->argument ? " " : "",
			 o->argument ? o->argument : "");
		printf("  %-20s %s\n", names, o->text);
	}
}

static int cmd_help(const struct server_options *options)
{
	(void)options;
	printf("Usage: server-pm [OPTIONS] COMMAND\n\nCommands:\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %-20s %s\n", commands[i].usage, commands[i].text);
	printf("\nOptions:\n");
	print_options(general_options);
	printf("  %-20s %s\n", "-V, --version", "the version");
	printf("\nExit status: 0 ok, 1 usage or config, 2 the kernel refused.\n");
	return SERVER_OK;
}

static int help_about(const char *name)
{
	const struct command *command = find_command(name);

	if (!command) {
		log_error("no command '%s'; `server-pm help` lists them", name);
		return SERVER_USAGE;
	}
	printf("Usage: server-pm [OPTIONS] %s\n\n  %s\n", command->usage, command->text);
	if (command->options->name)
		printf("\n");
	print_options(command->options);
	return SERVER_OK;
}

static const struct option *find_option(const struct option *o, const char *name)
{
	for (; o->name; o++)
		if (!strcmp(o->name, name) || (o->alias && !strcmp(o->alias, name)))
			return o;
	return NULL;
}

/* Reads options up to the first other word. The number of words read, or -1, logged. */
static int read_options(char **words, const struct option *known, struct server_options *out)
{
	int n = 0;

	for (; words[n] && words[n][0] == '-'; n++) {
		const struct option *o = find_option(known, words[n]);

		if (!o) {
			log_error("unknown option '%s' here; `server-pm help` lists them",
				  words[n]);
			return -1;
		}
		if (!o->argument) {
			*(bool *)((char *)out + o->offset) = true;
		} else if (!words[n + 1] || !*words[n + 1]) {
			log_error("option %s needs an argument: %s %s", o->name, o->name,
				  o->argument);
			return -1;
		} else {
			*(const char **)((char *)out + o->offset) = words[++n];
		}
	}
	return n;
}

static int run_command(const struct command *command, char **words, struct server_options *options)
{
	int n = read_options(words, command->options, options);

	if (n < 0)
		return SERVER_USAGE;
	if (command->function == cmd_help && words[n] && !words[n + 1])
		return help_about(words[n]);
	if (words[n]) {
		log_error("'%s' is one word too many; usage: server-pm %s", words[n],
			  command->usage);
		return SERVER_USAGE;
	}
	if (command->needs_config && !options->config) {
		log_error("which config file? server-pm %s", command->usage);
		return SERVER_USAGE;
	}
	return command->function(options);
}

int main(int argc, char **argv)
{
	struct server_options options = { .pin_dir = MPLB_PIN_ROOT };
	const struct command *command;
	int n;

	(void)argc;
	log_init("server-pm", LOG_INFO);
	if (argv[0] && argv[1] && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")))
		return cmd_help(&options);
	if (argv[0] && argv[1] && (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version")))
		return puts("server-pm " MPLB_VERSION) < 0 ? SERVER_REFUSED : SERVER_OK;
	n = read_options(argv + 1, general_options, &options);
	if (n < 0)
		return SERVER_USAGE;
	log_init("server-pm", options.verbose ? LOG_DEBUG : LOG_INFO);
	log_bpf_init();
	argv += n + 1;
	command = find_command(*argv ? *argv : "status");
	if (!command) {
		log_error("no command '%s'; `server-pm help` lists them", *argv);
		return SERVER_USAGE;
	}
	return run_command(command, *argv ? argv + 1 : argv, &options);
}
