/*
 * Any bytes: our tokenizer at once, byte by byte, and libxml2 must agree on verdict and events.  What can be read by a format
 * is then changed in one place, and reading the result has to give that change.
 */
#include <stdint.h>

#include "unit/xmlkit.h"
#include "xmlequal.h"

#define FORMAT "syntax xml indent \"  \"\nmessage M at /R/M {\n a text\n b text nothing blank\n at text at @at\n n decimal\n u text at n/@u\n" \
    " c text at C/c\n d text at C/d\n group G 0..* at L/G {\n  x text at @x\n  t text at .\n }\n}\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The first message's field number i gets a value or loses it; what the field holds after re-reading. */
static void change(struct slice text, size_t i, bool away)
{
    struct kit k, again;
    struct edits edits;
    struct patcher p;
    struct sink sink;
    struct value v = { .at = VALUE_NO_PLACE, .state = VALUE_PRESENT, .p = "<new>", .n = 5 };

    kit_open(&k, FORMAT, text);
    struct node *m = kit_next(&k);
    if (m && k.rc <= WARN) {
        struct field *f = m->group->fields[i % m->group->nfields];
        if (f->type == TYPE_DECIMAL)
            v = (struct value){ .at = VALUE_NO_PLACE, .state = VALUE_PRESENT, .p = "12", .n = 2 };
        if (away)
            v.state = VALUE_ABSENT;
        patcher_init(&p, &k.reader, &k.arena);
        edits_init(&edits, &k.arena);
        edit_set(&edits, m, f, &v);
        struct slice now = kit_patch(&k, &p, &edits, text, &sink);
        if (now.n) {
            kit_open(&again, FORMAT, now);
            struct node *back = kit_next(&again);
            struct slice got = back ? value_text(node_value(back, f)) : slice_none();
            if (!back || again.rc > WARN || !slice_equal(got, value_text(&v))) {
                kit_show(&again);
                fprintf(stderr, "field %zu away %d\n%.*s\n", i, away, SLICE_ARG(now));
                abort();
            }
            kit_close(&again);
        }
        sink_release(&sink);
    }
    kit_close(&k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct told ours, authority;
    char *own = malloc(n ? n : 1);          /* a copy of just that length, so that the sanitizer sees a read beyond it */

    if (!own)
        abort();
    memcpy(own, data, n);
    const char *differ = told_differ((struct slice){ own, n }, &ours, &authority);
    if (differ) {
        fprintf(stderr, "%s\nours: %d %s %s\nlibxml2: %d %s %s\n%.*s\n-----\n%.*s\n", differ, ours.status, ours.code, ours.text, authority.status,
                authority.code, authority.text, (int)ours.events.n, ours.events.p, (int)authority.events.n, authority.events.p);
        abort();
    }
    for (size_t i = 0; ours.status == END && i < 7; i++) {
        change((struct slice){ own, n }, i, false);
        change((struct slice){ own, n }, i, true);
    }
    told_release(&ours);
    told_release(&authority);
    free(own);
    return 0;
}
