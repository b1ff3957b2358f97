/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_LINK_SETTINGS_H
#define MPLB_LINK_SETTINGS_H

#include <jansson.h>
#include <stddef.h>

/* How one direction of the link treats packets. All zero: a perfect link. */
struct link_settings {
	double rate_mbit; /* 0: no limit. Frames count with their Ethernet header, as in tc */
	double queue_kb; /* bytes / 1000 that may wait for the rate; 0: no limit */
	double delay_ms;
	double jitter_ms; /* up to so much more or less, uniform; keeps the order */
	double loss; /* share of packets, 0 to 1 */
	double burst; /* mean length of a run of losses; up to 1: each for itself */
	double duplicate; /* share of packets that arrive twice */
	double reorder; /* share of packets that others may overtake ... */
	double reorder_ms; /* ... by being so much later */
	double blackhole; /* not 0: nothing passes */
};

#define LINK_SETTINGS_ERROR 160

/*
 * Changes the settings that the object names; null instead of an object makes the link perfect.
 * 0, or -EINVAL with *settings untouched and error saying which key is wrong and what it takes.
 */
int link_settings_read(const json_t *object, struct link_settings *settings,
		       char error[static LINK_SETTINGS_ERROR]);

/* The settings as an object that link_settings_read() takes. NULL without memory. */
json_t *link_settings_write(const struct link_settings *settings);

#endif
