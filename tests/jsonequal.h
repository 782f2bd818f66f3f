/* An authority on JSON: jansson reads the same bytes; verdict and values are compared with those of our scanner. */
#ifndef TESTS_JSONEQUAL_H
#define TESTS_JSONEQUAL_H

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/buf.h"
#include "syntax/jsonscan.h"

/* Events as text: brackets, names, texts; numbers as the authority sees them, by strtod. */
static inline int jequal_ours(struct slice text, struct buf *out, struct problems *ps, struct arena *a)
{
    struct source src;
    struct jscan s;
    int rc;
    char number[512];

    source_open_text(&src, text, "t.json", NULL);
    jscan_open(&s, &src, &limits_default, false, a, ps);
    while ((rc = jscan_next(&s)) == OK) {
        if (s.event == JEVENT_NUMBER && s.text.n < sizeof number) {
            memcpy(number, s.text.p, s.text.n);
            number[s.text.n] = 0;
            buf_printf(out, "%.9g ", strtod(number, NULL) + 0.0);    /* jansson drops the sign of a whole -0 */
        } else if (s.event <= JEVENT_CLOSE) {
            buf_text(out, s.event == JEVENT_OBJECT ? "{ " : s.event == JEVENT_ARRAY ? "[ " : "] ");
        } else if (s.event == JEVENT_NAME || s.event == JEVENT_STRING) {
            buf_add(out, s.text);
            buf_text(out, " ");
        } else {
            buf_text(out, s.event == JEVENT_NULL ? "null " : s.event == JEVENT_TRUE ? "true " : "false ");
        }
    }
    jscan_close(&s);
    return rc;
}

static inline void jequal_theirs(const json_t *j, struct buf *out)
{
    const char *name;
    json_t *kid;
    size_t i;

    switch (json_typeof(j)) {
    case JSON_OBJECT:
        buf_text(out, "{ ");
        json_object_foreach((json_t *)(uintptr_t)j, name, kid) {
            buf_printf(out, "%s ", name);
            jequal_theirs(kid, out);
        }
        buf_text(out, "] ");
        break;
    case JSON_ARRAY:
        buf_text(out, "[ ");
        json_array_foreach(j, i, kid) jequal_theirs(kid, out);
        buf_text(out, "] ");
        break;
    case JSON_STRING:
        buf_add(out, (struct slice){ json_string_value(j), json_string_length(j) });
        buf_text(out, " ");
        break;
    case JSON_NULL: buf_text(out, "null "); break;
    case JSON_TRUE: buf_text(out, "true "); break;
    case JSON_FALSE: buf_text(out, "false "); break;
    default: buf_printf(out, "%.9g ", json_number_value(j) + 0.0);
    }
}

/* What differs, or NULL.  Known differences: jansson takes no byte order mark, no name with U+0000 and no number beyond a
   double, goes deeper, and ends at a NUL behind the document. */
static inline const char *jequal_differ(struct slice text, struct arena *a)
{
    struct problems ps;
    struct buf ours = { 0 }, theirs = { 0 };
    json_error_t error = { 0 };
    const char *differ = NULL;

    problems_init(&ps, a, 0);
    int rc = jequal_ours(text, &ours, &ps, a);
    bool bom = text.n >= 3 && memcmp(text.p, "\xEF\xBB\xBF", 3) == 0;
    json_t *j = json_loadb(text.p + (bom ? 3 : 0), text.n - (bom ? 3 : 0),
                           JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (j)
        jequal_theirs(j, &theirs);
    enum json_error_code why = json_error_code(&error);
    bool known = rc == STOP && (slice_starts(slice_of(ps.first->code), SLICE("LIMIT_")));
    if (text.n && memchr(text.p, 0, text.n))    /* jansson takes a NUL behind the document for its end */
        known = true;
    if (!j && (why == json_error_numeric_overflow || why == json_error_null_byte_in_key))
        known = true;
    if ((rc == END) != (j != NULL))
        differ = known ? NULL : rc == END ? "taken, but jansson refuses it" : "refused, but jansson takes it";
    else if (j && !slice_equal(buf_slice(&ours), buf_slice(&theirs)))
        differ = "the values are others";
    if (rc != END && rc != STOP)
        differ = "neither END nor STOP";
    if (differ)
        fprintf(stderr, "%s (%s; %s)\n", differ, ps.first ? ps.first->code : "", error.text);
    json_decref(j);
    buf_release(&ours);
    buf_release(&theirs);
    return differ;
}

#endif
