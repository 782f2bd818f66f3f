/* fuzz_waybill - any bytes as a waybill: refused, or written again as they came. The check is mended so that the
   members are reached. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "batch/waybill.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cuts a check that is there and puts the right one. */
static void mend(struct slice text, struct buf *out)
{
    char check[SHA256_HEX];
    for (size_t i = 0; i + 9 < text.n; i++) {
        if (memcmp(text.p + i, "\"check\":\"", 9) == 0)
            text.n = i;
    }
    buf_add(out, text);
    sha256_of(buf_slice(out), check);
    buf_printf(out, "\"check\":\"%s\"}\n", check);
}

static void try(struct slice text)
{
    struct arena a;
    struct problems problems;
    struct waybill *w, *again;
    struct buf b = { 0 }, c = { 0 };
    arena_init(&a, 0);
    problems_init(&problems, &a, 10);
    if (waybill_read(&a, text, "fuzz", &w, &problems) == OK) {
        waybill_write(w, &b);
        if (waybill_read(&a, buf_slice(&b), "fuzz", &again, &problems) != OK)
            abort();
        waybill_write(again, &c);
        if (!slice_equal(buf_slice(&b), buf_slice(&c)))
            abort();
        waybill_history_ok(again);
    } else if (problems.n == 0) {
        abort();
    }
    buf_release(&b);
    buf_release(&c);
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size };
    struct buf mended = { 0 };
    try(text);
    mend(text, &mended);
    try(buf_slice(&mended));
    buf_release(&mended);
    return 0;
}
