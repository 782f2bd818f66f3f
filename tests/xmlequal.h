/*
 * xmlequal - the events of one document by our tokenizer, at once and byte by byte, and by libxml2, as text to compare
 *
 * Deliberate differences, where libxml2 may accept what we refuse: an internal subset (XML_DTD), everything beyond a
 * limit (LIMIT_…), a declared charset that the first bytes disprove (XML_ENCODING), an undefined entity behind an
 * external DOCTYPE (XML_ENTITY), a character reference of more than 64 bytes (XML_ENTITY).
 */
#ifndef WAYBILL_TESTS_XMLEQUAL_H
#define WAYBILL_TESTS_XMLEQUAL_H

#include <stdio.h>
#include <stdlib.h>

#include "syntax/xmlsax.h"
#include "syntax/xmlscan.h"

struct told {
    struct buf events;              /* names, namespaces, attributes, text */
    struct buf places;              /* the same with byte ranges */
    int status;
    char code[40];                  /* of the first problem */
    char text[200];
};

static void told_name(struct buf *b, const struct xscan *s, struct slice name, size_t prefix, bool attribute)
{
    struct slice uri = prefix || !attribute ? xscan_uri(s, (struct slice){ name.p, prefix }) : (struct slice){ "", 0 };

    buf_printf(b, "{%.*s}", SLICE_ARG(uri));
    buf_add(b, name);
}

static void told_event(struct told *t, const struct xscan *s, bool *in_text)
{
    char place[80];

    if (s->event == XEVENT_TEXT) {
        if (s->text.n == 0)
            return;
        if (!*in_text)
            buf_text(&t->events, "\nT ");
        *in_text = true;
        buf_add(&t->events, s->text);
        return;
    }
    *in_text = false;
    buf_text(&t->events, s->event == XEVENT_START ? "\nS " : "\nE ");
    snprintf(place, sizeof place, "%d %llu-%llu %u\n", s->event, (unsigned long long)s->at, (unsigned long long)s->end,
             s->marks);
    buf_text(&t->places, place);
    if (s->event == XEVENT_END) {
        buf_add(&t->events, s->name);
        return;
    }
    told_name(&t->events, s, s->name, s->prefix, false);
    for (size_t i = 0; i < s->nattrs; i++) {
        const struct xattr *a = &s->attrs[i];
        buf_text(&t->events, "\nA ");
        told_name(&t->events, s, a->name, a->prefix, true);
        buf_text(&t->events, "=");
        buf_add(&t->events, a->value);
        snprintf(place, sizeof place, "a %llu+%u\n", (unsigned long long)a->at, a->len);
        buf_text(&t->places, place);
    }
}

/* `authority`: by libxml2; `step`: bytes that become visible at a time, 0 = all. */
static void tell(struct told *t, struct slice bytes, bool authority, size_t step)
{
    struct arena a;
    struct problems ps;
    struct source src;
    struct xscan s;
    struct xsax *sax = NULL;
    bool in_text = false;

    arena_init(&a, 0);
    problems_init(&ps, &a, 100);
    source_open_text(&src, bytes, "test.xml", &limits_default);
    *t = (struct told){ 0 };
    int rc = xscan_open(&s, &src, &limits_default, CHARSET_UNKNOWN, &a, &ps);
    if (step) {
        s.view.step = step;
        s.last = s.view.end = s.view.at;
    }
    if (rc == OK && (authority || s.view.foreign))
        sax = xsax_open(&s);
    while (rc == OK && (rc = sax ? xsax_next(sax) : xscan_next(&s)) == OK)
        told_event(t, &s, &in_text);
    t->status = rc;
    if (ps.first) {
        snprintf(t->code, sizeof t->code, "%s", ps.first->code);
        snprintf(t->text, sizeof t->text, "%.*s", SLICE_ARG(ps.first->text));
        snprintf(t->text + strlen(t->text), sizeof t->text - strlen(t->text), " at %lld",
                 (long long)ps.first->place.offset);
    }
    if (sax)
        xsax_close(sax);
    xscan_close(&s);
    source_close(&src);
    arena_release(&a);
}

static void told_release(struct told *t)
{
    buf_release(&t->events);
    buf_release(&t->places);
}

static bool told_is_deliberate(const char *code)
{
    return strncmp(code, "LIMIT_", 6) == 0 || strcmp(code, "XML_DTD") == 0 || strcmp(code, "XML_ENCODING") == 0 ||
           strcmp(code, "XML_ENTITY") == 0;
}

/* We know names of charsets that libxml2 does not ("win1252", "csUTF-8"); it can be no judge of such a document. */
static bool told_is_other_name(const struct told *authority)
{
    return strcmp(authority->code, "XML_ENCODING") == 0 && strncmp(authority->text, "Unsupported encoding", 20) == 0;
}

/* NULL = the three ways agree on these bytes; else which do not. */
static inline const char *told_differ(struct slice bytes, struct told *whole, struct told *authority)
{
    struct told step;
    const char *differ = NULL;

    tell(whole, bytes, false, 0);
    tell(&step, bytes, false, 1);
    tell(authority, bytes, true, 0);
    if (whole->status != step.status || strcmp(whole->code, step.code) != 0)
        differ = "byte by byte gives another verdict",
        fprintf(stderr, "step: %d %s %s\n", step.status, step.code, step.text);
    else if (whole->status == END && !slice_equal(buf_slice(&whole->events), buf_slice(&step.events)))
        differ = "byte by byte gives other events";
    else if (whole->status == END && !slice_equal(buf_slice(&whole->places), buf_slice(&step.places)))
        differ = "byte by byte gives other places";
    else if ((whole->status == END) != (authority->status == END) && !told_is_deliberate(whole->code) &&
             strncmp(authority->code, "LIMIT_", 6) != 0 && !told_is_other_name(authority))
        differ = "libxml2 gives another verdict";
    else if (whole->status == END && authority->status == END &&
             !slice_equal(buf_slice(&whole->events), buf_slice(&authority->events)))
        differ = "libxml2 gives other events";
    told_release(&step);
    return differ;
}

#endif
