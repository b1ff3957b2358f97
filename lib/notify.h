/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_NOTIFY_H
#define MPLB_NOTIFY_H

#include <stdbool.h>

/*
 * What a service tells systemd (sd_notify(3)): lines "READY=1", "STATUS=...", in one datagram to
 * $NOTIFY_SOCKET. Without that variable nothing is sent, and nothing is wrong.
 */
void notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* True where systemd expects "WATCHDOG=1" from this process now and then ($WATCHDOG_USEC). */
bool notify_has_watchdog(void);

#endif
