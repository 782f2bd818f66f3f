/*
 * sftp - the system's sftp(1), run with a list of commands
 *
 *     struct sftp s = { .host = "sftp.partner.com", .user = "acme", .identity = "…/id_ed25519", .known_hosts = "…" };
 *     rc = sftp_run(&s, folder, "cd in\nput -f a.xml .part-a.xml\n…", &out, problems);
 *
 * The commands run in the local folder given, so that they name plain files only.  Nobody is asked anything: no
 * password, no unknown host key (known_hosts must hold it), and the whole run ends within timeout_ms.  sftp stops at
 * the first command that fails, unless it begins with `-`.
 *
 * Errors:  OK: all commands were carried out, as sftp has shown the last one; its code alone is no proof.  SKIP: a
 *          command failed, the last one that sftp_reached finds; sftp's words stand in the problem EXCHANGE_REFUSED.
 *          TEMP with EXCHANGE_FAILED (no connection, a wrong key, a timeout, not all heard), EXCHANGE_NONE (no sftp on
 *          this machine).
 * Limits:  16 MiB that sftp says, some 200,000 files of a folder: with more nothing is believed (EXCHANGE_FAILED).
 */
#ifndef WAYBILL_DROP_SFTP_H
#define WAYBILL_DROP_SFTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/problem.h"

struct sftp {
    const char *host, *user;        /* user NULL = as ssh decides */
    unsigned port;                  /* 0 = 22 */
    const char *identity;           /* private key; NULL = as ssh decides */
    const char *known_hosts;        /* NULL = the user's and the system's */
    int64_t timeout_ms;             /* 0 = 15 minutes */
};

int sftp_run(const struct sftp *s, int folder, const char *commands, struct buf *out, struct problems *ps);
/* Whether sftp came to a command that begins so: it failed or was carried out.  `said` is the out of a run. */
bool sftp_reached(struct slice said, const char *command);

/* One line of `ls -ln`. */
struct sftp_entry {
    struct slice name;
    bool regular;
    uint64_t size;
    struct slice stamp;             /* as sftp spells it: compared, never read */
};
/* Takes the next line off the front; false at the end. Lines that are no entries are left out. */
bool sftp_entry(struct slice *listing, struct sftp_entry *out);
/* A name that may stand in a command and in a folder as it is: [A-Za-z0-9._-], no dot or hyphen in front, up to 180. */
bool sftp_plain(struct slice name);

#endif
