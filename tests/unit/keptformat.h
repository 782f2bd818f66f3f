/* A format from its text, compiled once for all inputs of a harness: most of its time went there. */
#ifndef TESTS_UNIT_KEPTFORMAT_H
#define TESTS_UNIT_KEPTFORMAT_H

#include <stdlib.h>

#include "syntax/syntax.h"

/* By the address of the text, which is a literal; NULL: it is no format. */
static inline struct format *kept_format(const char *text)
{
    enum { MOST = 16 };
    static struct { const char *text; struct format *format; } kept[MOST];
    static struct arena a;                      /* reachable for ever, so no leak */
    struct problems ps;
    struct conf *c = NULL;
    size_t i = 0;

    while (i < MOST && kept[i].text && kept[i].text != text)
        i++;
    if (i == MOST)
        abort();
    if (kept[i].text)
        return kept[i].format;
    problems_init(&ps, &a, 0);
    kept[i].text = text;
    if (conf_parse(&a, "test.format", slice_of(text), &c, &ps) != OK ||
        format_compile(&a, NULL, SLICE("test"), c, &kept[i].format, &ps) > WARN || syntax_plan(kept[i].format, &a, &ps) > WARN)
        kept[i].format = NULL;
    return kept[i].format;
}

#endif
