/*
 * fuzz_ledger - any bytes as the JSON of a ledger's line: none of ours, or a record; what is a record is written as a line
 * that passes its sums and reads back as the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "store/ledger_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void same(struct slice a, struct slice b)
{
    if (!slice_equal(a, b) || (a.p == NULL) != (b.p == NULL))
        abort();
}

static void same_records(const struct ledger_record *a, const struct ledger_record *b)
{
    same(a->batch, b->batch);
    same(a->part, b->part);
    same(a->time, b->time);
    same(a->outcome, b->outcome);
    same(a->code, b->code);
    if (a->message != b->message)
        abort();
    for (size_t i = 0; i < a->nfields; i++)         /* a name that came twice counts once */
        same(ledger_value(a, a->fields[i].name), ledger_value(b, a->fields[i].name));
}

static void written_again(const struct ledger_record *r, struct arena *a)
{
    struct buf line = { 0 };
    struct ledger_record again;
    uint64_t commit = 4711, found = 0;
    bool end = false;
    char wrote[SHA256_HEX] = { 0 }, checked[SHA256_HEX] = { 0 };
    memset(wrote, '0', SHA256_HEX - 1);
    memset(checked, '0', SHA256_HEX - 1);
    ledger_line_write(&line, r, &commit, wrote);
    struct slice text = { line.p, line.n - 1 };
    if (!ledger_line_check(text, checked) || memcmp(wrote, checked, SHA256_HEX) != 0 || !ledger_line_is_end(text) ||
        !ledger_line_commit(text, &found) || found != commit || !ledger_line_read(text, a, &again, &end) || !end)
        abort();
    same_records(r, &again);
    buf_release(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *copy = malloc(LEDGER_HEAD + n);           /* of its size, so that a step beyond it is seen */
    struct slice line = { copy, LEDGER_HEAD + n };
    struct ledger_record r;
    struct arena a;
    uint64_t commit;
    bool end;
    memset(copy, '0', LEDGER_HEAD);
    if (n)
        memcpy(copy + LEDGER_HEAD, data, n);
    arena_init(&a, 0);
    ledger_line_commit(line, &commit);
    ledger_line_is_old_end(line);
    if (ledger_line_read(line, &a, &r, &end))
        written_again(&r, &a);
    arena_release(&a);
    free(copy);
    return 0;
}
