/*
 * service - tells the service manager how a daemon stands, by the datagram protocol of sd_notify(3)
 *
 *     service_tell("READY=1\nSTATUS=3 flows");         nothing happens when NOTIFY_SOCKET is not set
 *     every = service_watchdog_ms();                   0 = nobody waits for WATCHDOG=1
 *
 * No library is needed: one datagram to the socket that NOTIFY_SOCKET names ("/run/…", or "@…" for an abstract one).
 *
 * Errors:  false when it could not be told; that is no reason to stop.
 * Source:  sd_notify(3), systemd.service(5) Type=notify-reload.
 */
#ifndef WAYBILL_BASE_SERVICE_H
#define WAYBILL_BASE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

/* Lines NAME=VALUE, parted by newlines; the text is ours, never the data's. */
bool service_tell(const char *lines);
/* RELOADING=1 with the monotonic time that belongs to it. */
bool service_reloading(void);
/* How often WATCHDOG=1 should be told: half of WATCHDOG_USEC, when that is meant for this process; else 0. */
int64_t service_watchdog_ms(void);

#endif
