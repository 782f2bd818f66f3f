/*
 * formatkit - a format from its text
 *
 *     f = format_of(&arena, text, &problems);          NULL: it is none, problems say why
 *
 * With KIT_KEEPS_FORMATS (a fuzz harness says so) it is compiled once for all inputs: most of a harness's time went there.
 */
#ifndef TESTS_UNIT_FORMATKIT_H
#define TESTS_UNIT_FORMATKIT_H

#include <stdlib.h>

#include "syntax/syntax.h"

static inline struct format *format_made(struct arena *a, const char *text, struct problems *ps)
{
    struct conf *c = NULL;
    struct format *f = NULL;
    bool good = conf_parse(a, "test.format", slice_of(text), &c, ps) == OK &&
                format_compile(a, NULL, SLICE("test"), c, &f, ps) <= WARN && syntax_plan(f, a, ps) <= WARN;
    return good ? f : NULL;
}

#ifdef KIT_KEEPS_FORMATS
/* By the address of the text, which is a literal. */
static inline struct format *format_kept(const char *text)
{
    enum { MOST = 16 };
    static struct { const char *text; struct format *format; } kept[MOST];
    static struct arena a;                      /* reachable for ever, so no leak */
    struct problems ps;
    size_t i = 0;

    while (i < MOST && kept[i].text && kept[i].text != text)
        i++;
    if (i == MOST)
        abort();
    if (!kept[i].text) {
        problems_init(&ps, &a, 0);
        kept[i].text = text;
        kept[i].format = format_made(&a, text, &ps);
    }
    return kept[i].format;
}
#endif

static inline struct format *format_of(struct arena *a, const char *text, struct problems *ps)
{
#ifdef KIT_KEEPS_FORMATS
    struct format *kept = format_kept(text);
    if (kept)
        return kept;
#endif
    return format_made(a, text, ps);
}

#endif
