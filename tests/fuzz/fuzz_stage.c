/* fuzz_stage - any bytes as a staged document: what can be read is written, read back as the same and written the same. */
#include <stdint.h>
#include <string.h>

#include "unit/xmlkit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char format[] =
    "syntax json lines\nencoding utf-8\nBatch text\nmessage Order key No {\n No text required\n Name text\n Lax decimal lax\n"
    " Yes boolean\n Day date\n Sent datetime\n group Line 0..* key Item at lines {\n  Item text required\n  Qty decimal\n"
    "  Bin binary\n  group Note 0..* at notes {\n   Text text\n  }\n }\n group One {\n  X text\n }\n}\n";

/* Text and problems of one way through; the number of problems. */
static size_t rewrite(struct slice in, struct buf *out)
{
    struct kit k;
    struct sink sink;
    kit_open(&k, format, in);
    k.exact = true;                     /* as stages are written: an empty group stays */
    struct slice text = kit_rewrite(&k, &sink);
    if (k.rc == END)
        buf_add(out, text);
    size_t n = k.problems.n + (k.rc != END);
    sink_release(&sink);
    kit_close(&k);
    return n;
}

static void dump(struct slice in, struct buf *out)
{
    struct kit k;
    kit_open(&k, format, in);
    buf_text(out, kit_dump(&k));
    kit_close(&k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice text = { (const char *)data, n };
    struct buf once = { 0 }, twice = { 0 }, had = { 0 }, got = { 0 };
    if (rewrite(text, &once) == 0) {
        dump(text, &had);
        dump(buf_slice(&once), &got);
        bool clean = rewrite(buf_slice(&once), &twice) == 0;
        if (once.n && (!clean || !slice_equal(buf_slice(&once), buf_slice(&twice)) ||
                       !slice_equal(buf_slice(&had), buf_slice(&got)))) {
            fprintf(stderr, "once:\n%.*s\ntwice:\n%.*s\nhad:\n%.*s\ngot:\n%.*s\n", SLICE_ARG(buf_slice(&once)),
                    SLICE_ARG(buf_slice(&twice)), SLICE_ARG(buf_slice(&had)), SLICE_ARG(buf_slice(&got)));
            abort();
        }
    }
    buf_release(&once);
    buf_release(&twice);
    buf_release(&had);
    buf_release(&got);
    return 0;
}
