/*
 * Any bytes: our scanner and jansson must agree on verdict and values.  What can be read by a format is then changed in one
 * place, and reading the result has to give that change.
 */
#include <stdint.h>

#define KIT_KEEPS_FORMATS
#include "jsonequal.h"
#include "unit/xmlkit.h"

#define MEMBERS " No text\n Q decimal\n B boolean\n C text at a/c\n D text at a/d\n group L 0..* at ls {\n  X text\n }\n" \
    " group E 0..* at e/* {\n  K text at @name\n  V text at .\n }\n}\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The first message's field number i gets a value or loses it; what the field holds after re-reading. */
static void change(const char *format, struct slice text, size_t i, bool away)
{
    struct kit k, again;
    struct edits edits;
    struct patcher p;
    struct sink sink;
    struct value v = { .at = VALUE_NO_PLACE, .state = VALUE_PRESENT, .p = "n\"w", .n = 3 };

    kit_open(&k, format, text);
    struct node *m = kit_next(&k);
    if (m && k.rc <= WARN) {
        struct field *f = m->group->fields[i % m->group->nfields];
        if (f->type != TYPE_TEXT) {
            v.p = f->type == TYPE_DECIMAL ? "12" : "true";
            v.n = (uint32_t)strlen(v.p);
        }
        if (away)
            v.state = VALUE_ABSENT;
        patcher_init(&p, &k.reader, &k.arena);
        edits_init(&edits, &k.arena);
        edit_set(&edits, m, f, &v);
        struct slice now = kit_patch(&k, &p, &edits, text, &sink);
        if (now.n) {
            kit_open(&again, format, now);
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
    static const char *const formats[] = { "syntax json\nmessage M at /m {\n" MEMBERS, "syntax json\nmessage M {\n" MEMBERS,
                                           "syntax json lines\nF text at f\nmessage M {\n" MEMBERS };
    char *own = malloc(n ? n : 1);          /* a copy of just that length, so that the sanitizer sees a read beyond it */
    struct arena a;

    if (!own)
        abort();
    memcpy(own, data, n);
    arena_init(&a, 0);
    if (jequal_differ((struct slice){ own, n }, &a))
        abort();
    arena_release(&a);
    for (size_t i = 0; i < 5; i++)
        for (size_t f = 0; f < 3; f++) {
            change(formats[f], (struct slice){ own, n }, i, false);
            change(formats[f], (struct slice){ own, n }, i, true);
        }
    free(own);
    return 0;
}
