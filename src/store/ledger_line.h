/*
 * ledger_line - one record as a line of a ledger file, and back
 *
 * `CRC32 SHA256 JSON\n`: 8 and 64 hex digits.  SHA256 = SHA-256 of the previous line's SHA256 text and the JSON; 64
 * zeros before the first.  JSON:
 * {"batch":…,"part":…,"time":…,"message":…,"outcome":…,"code":…,"fields":{…},"end":true}; `end` on a group's last line.
 *
 * Errors:  ledger_line_check: false when the sums do not fit; ledger_line_read: false when the JSON is none of ours.
 */
#ifndef WAYBILL_STORE_LEDGER_LINE_H
#define WAYBILL_STORE_LEDGER_LINE_H

#include "base/buf.h"
#include "base/hash.h"
#include "store/ledger.h"

#define LEDGER_HEAD 74              /* bytes before the JSON */
#define LEDGER_LINE_MAX (1u << 20)

void ledger_line_write(struct buf *out, const struct ledger_record *r, bool end, char chain[SHA256_HEX]);
/* `line` without its newline. On success `chain` becomes the line's. */
bool ledger_line_check(struct slice line, char chain[SHA256_HEX]);
bool ledger_line_read(struct slice line, struct arena *a, struct ledger_record *out, bool *end);

#endif
