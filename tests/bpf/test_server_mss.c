/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/mss.h: the MSS in SYN/ACKs of VIPs, frame in, frame out. */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/pkt_cls.h>
#include <net/if.h>
#include "server_rig.h"

#define CASES(a) (sizeof(a) / sizeof(*(a)))

#define OVERHEAD4 40
#define OVERHEAD6 72
#define MTU	  1500

static struct server_rig rig;

static void set_up(void)
{
	server_rig_open(&rig, "mplb_mss", NULL);
	server_rig_settings(&rig, OVERHEAD6, MTU);
}

static void tear_down(void)
{
	server_rig_close(&rig);
}

TestSuite(server_mss, .init = set_up, .fini = tear_down);

static size_t options_at(bool six)
{
	return ETH_HEAD + (six ? 60 : 40);
}

/* The frame after the program, its verdict and what it counted checked. */
static void run(const char *name, const struct frame *in, bool lowered, struct frame *out)
{
	__u64 before = server_rig_count(&rig, MPLB_SERVER_R_MSS_LOWERED).packets;

	cr_expect_eq(server_rig_mss(&rig, in, out), TC_ACT_UNSPEC, "%s", name);
	cr_expect_eq(server_rig_count(&rig, MPLB_SERVER_R_MSS_LOWERED).packets - before, lowered,
		     "%s: counted", name);
}

/* The program writes value at this place behind the TCP header, and mends the checksum. */
static void expect_lowered(const char *name, const struct packet *p, size_t at, uint16_t value)
{
	bool six = strchr(p->src, ':');
	struct frame in, out;
	uint8_t *mss;

	packet_build(p, &in);
	run(name, &in, true, &out);
	mss = out.at + options_at(six) + at;
	cr_expect_eq(mss[0] << 8 | mss[1], value, "%s: %d, not %d", name, mss[0] << 8 | mss[1],
		     value);
	cr_expect(l4_checksum_ok(&out), "%s: checksum", name);
	memcpy(mss, in.at + options_at(six) + at, 2);
	memcpy(out.at + options_at(six) - 4, in.at + options_at(six) - 4, 2);
	cr_expect_eq(frame_diff(&in, &out), -1, "%s: more was changed", name);
}

static void expect_untouched(const char *name, const struct packet *p)
{
	struct frame in, out;

	packet_build(p, &in);
	run(name, &in, false, &out);
	cr_expect_eq(frame_diff(&in, &out), -1, "%s: changed", name);
}

static const struct bytes linux_options = BYTES(OPT_MSS, OPT_SACK, OPT_TIME, OPT_NOP, OPT_WSCALE);

/* As a VIP answers. */
static struct packet answer(bool six)
{
	return (struct packet){
		.src = six ? VIP6 : VIP4,
		.dst = six ? CLIENT_6 : CLIENT_4,
		.flags = FLAG_SYN | FLAG_ACK,
		.options = linux_options,
	};
}

Test(server_mss, lowered_to_what_fits_the_tunnel)
{
	for (int six = 0; six < 2; six++) {
		struct packet p = answer(six);
		uint16_t headers = six ? 60 : 40;

		expect_lowered("IPv6 outside", &p, 2, (uint16_t)(MTU - OVERHEAD6 - headers));
		server_rig_settings(&rig, OVERHEAD4, MTU);
		expect_lowered("IPv4 outside", &p, 2, (uint16_t)(MTU - OVERHEAD4 - headers));
		server_rig_settings(&rig, OVERHEAD6, MTU);
	}
}

Test(server_mss, wherever_the_option_stands)
{
	for (int six = 0; six < 2; six++) {
		uint16_t value = six ? 1368 : 1388;
		struct packet p = answer(six);

		p.options = (struct bytes)BYTES(OPT_NOP, OPT_MSS);
		expect_lowered("at an odd place", &p, 3, value);
		p.options = (struct bytes)BYTES(OPT_NOP, OPT_NOP, OPT_NOP, OPT_MSS);
		expect_lowered("at another odd place", &p, 5, value);
		p.options = (struct bytes)BYTES(OPT_SACK, OPT_TIME, OPT_MSS);
		expect_lowered("behind others", &p, 14, value);
		p.options = (struct bytes)BYTES(OPT_TIME, OPT_TIME, OPT_TIME, OPT_SACK, OPT_NOP,
						OPT_NOP, OPT_MSS);
		expect_lowered("as far back as can be", &p, 36, value);
	}
}

Test(server_mss, the_mtu_is_the_devices_where_none_is_given)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_mtu = 1400 };
	struct packet p = answer(false);
	int fd;

	server_rig_netns((const char *const[]){ NULL });
	server_rig_settings(&rig, OVERHEAD4, 0);
	expect_untouched("a device with a large MTU", &p);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	cr_assert(fd >= 0 && !ioctl(fd, SIOCSIFMTU, &request), "%s", strerror(errno));
	close(fd);
	expect_lowered("MTU 1400", &p, 2, 1400 - OVERHEAD4 - 40);
}

static const struct bytes odd[] = {
	BYTES(OPT_SACK, OPT_TIME),     BYTES(OPT_EOL, OPT_MSS),	    BYTES(2, 3, 9, 9, 9, 9, 9, 9),
	BYTES(2, 6, 9, 9, 9, 9, 9, 9), BYTES(99, 0, OPT_MSS, 0, 0), BYTES(99, 1, OPT_MSS, 0, 0),
	BYTES(99, 200, OPT_MSS, 0, 0), BYTES(OPT_SACK, 2, 4, 5),
};

Test(server_mss, all_else_is_left_alone)
{
	for (int six = 0; six < 2; six++) {
		struct packet p = answer(six);

		p.src = six ? OTHER6 : OTHER4;
		expect_untouched("another address", &p);
		p = answer(six);
		p.flags = FLAG_SYN;
		expect_untouched("SYN", &p);
		p.flags = FLAG_ACK;
		expect_untouched("ACK", &p);
		p = answer(six);
		p.proto = IPPROTO_UDP;
		expect_untouched("UDP", &p);
		p = answer(six);
		p.options = (struct bytes)BYTES(2, 4, 0x05, 0x58 /* 1368 */);
		expect_untouched("small enough", &p);
		for (size_t i = 0; i < CASES(odd); i++) {
			p = answer(six);
			p.options = odd[i];
			expect_untouched("odd options", &p);
		}
		p = answer(six);
		p.doff = 4;
		expect_untouched("a header of 16 bytes", &p);
		p = answer(six);
		/* BPF_PROG_TEST_RUN takes no frame without an IP header. */
		for (p.cut = options_at(six) - 20; p.cut < options_at(six) + 4; p.cut++)
			expect_untouched("cut off", &p);
	}
}

Test(server_mss, nothing_fits_a_mtu_below_the_headers)
{
	struct packet p = answer(true);

	server_rig_settings(&rig, OVERHEAD6, OVERHEAD6 + 60);
	expect_untouched("nothing is left", &p);
}
