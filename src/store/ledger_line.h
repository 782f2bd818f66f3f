/*
 * ledger_line - one record as a line of a ledger file, and back
 *
 * `CRC32 SHA256 JSON\n`: 8 and 64 hex digits.  SHA256 = SHA-256 of the previous line's SHA256 text and the JSON; 64
 * zeros before the first.  JSON:
 * {"batch":…,"part":…,"time":…,"message":…,"outcome":…,"code":…,"fields":{…},"commit":N,"end":true}; `end` on a group's
 * last line, and before it where in the file its commit began (not in ledgers of before November 2026).
 *
 * Errors:  ledger_line_check: false when the sums do not fit; ledger_line_read: false when the JSON is none of ours.
 */
#ifndef WAYBILL_STORE_LEDGER_LINE_H
#define WAYBILL_STORE_LEDGER_LINE_H

#include "base/buf.h"
#include "base/hash.h"
#include "store/ledger.h"

#define LEDGER_HEAD 74              /* bytes before the JSON */
#define LEDGER_LINE_MAX (512u << 20)    /* LEDGER_RECORD_MAX, each byte of it escaped, and the rest */

/* `commit`: it is the last one of its group; NULL = it is not. */
void ledger_line_write(struct buf *out, const struct ledger_record *r, const uint64_t *commit, char chain[SHA256_HEX]);
bool ledger_line_is_end(struct slice line);
/* Of a line that need not be whole: where the commit of a last line began; whether it is one that does not tell. */
bool ledger_line_commit(struct slice line, uint64_t *out);
bool ledger_line_is_old_end(struct slice line);
/* What groups are found by. */
uint64_t ledger_group_hash(struct slice batch, struct slice part);
/* `line` without its newline. On success `chain` becomes the line's. */
bool ledger_line_check(struct slice line, char chain[SHA256_HEX]);
bool ledger_line_read(struct slice line, struct arena *a, struct ledger_record *out, bool *end);

#endif
