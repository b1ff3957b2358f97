/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Puts neighbour.bpf.o on a NIC through libxdp, as any other user of libxdp would, and takes it
 * off.
 *
 *	neighbour attach DEV OBJECT   prints the program's id
 *	neighbour detach DEV ID
 *	neighbour list DEV            "dispatcher ID" or "alone ID", then what is behind it: ID NAME
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xdp/libxdp.h>

static int explain(const char *what, int err)
{
	char text[128];

	libxdp_strerror(err, text, sizeof(text));
	fprintf(stderr, "neighbour: %s: %s\n", what, text);
	return 1;
}

static int attach(int ifindex, const char *object)
{
	struct xdp_program *prog = xdp_program__open_file(object, "xdp", NULL);
	int err = (int)libxdp_get_error(prog);

	if (err)
		return explain(object, err);
	err = xdp_program__attach(prog, ifindex, XDP_MODE_NATIVE, 0);
	if (!err)
		printf("%u\n", xdp_program__id(prog));
	xdp_program__close(prog);
	return err ? explain("attach", err) : 0;
}

static int detach(int ifindex, const char *id)
{
	struct xdp_program *prog = xdp_program__from_id((__u32)strtoul(id, NULL, 10));
	int err = (int)libxdp_get_error(prog);

	if (err)
		return explain(id, err);
	err = xdp_program__detach(prog, ifindex, XDP_MODE_NATIVE, 0);
	xdp_program__close(prog);
	return err ? explain("detach", err) : 0;
}

static int list(int ifindex)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex(ifindex);
	struct xdp_program *prog;
	int err = (int)libxdp_get_error(mp);

	if (err)
		return err == -ENOENT ? 0 : explain("list", err);
	prog = xdp_multiprog__main_prog(mp);
	printf("%s %u\n", xdp_multiprog__is_legacy(mp) ? "alone" : "dispatcher",
	       prog ? xdp_program__id(prog) : 0);
	for (prog = NULL; (prog = xdp_multiprog__next_prog(prog, mp));)
		printf("%u %s\n", xdp_program__id(prog), xdp_program__name(prog));
	xdp_multiprog__close(mp);
	return 0;
}

int main(int argc, char **argv)
{
	int ifindex = argc > 2 ? (int)if_nametoindex(argv[2]) : 0;

	if (ifindex && argc == 4 && !strcmp(argv[1], "attach"))
		return attach(ifindex, argv[3]);
	if (ifindex && argc == 4 && !strcmp(argv[1], "detach"))
		return detach(ifindex, argv[3]);
	if (ifindex && argc == 3 && !strcmp(argv[1], "list"))
		return list(ifindex);
	fprintf(stderr, "usage: neighbour attach DEV OBJECT | detach DEV ID | list DEV\n");
	return 1;
}
