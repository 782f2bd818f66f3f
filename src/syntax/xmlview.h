/*
 * xmlview - the bytes of an XML file as UTF-8, whatever their charset, with true offsets
 *
 *     xview_open(&v, source, otherwise, problems);      finds the charset
 *     ... v.at .. v.end ...                             UTF-8 that is there
 *     while (xview_fill(&v, &keep)) ...                 more behind v.end; what lies from keep on stays, moved
 *
 * A UTF-8 file is not copied: at and end point into the window of the source.  Other charsets are decoded piece by
 * piece into a window of the view; an offset is found again by counting characters from a known point, which is linear
 * over the file because questions come in order.
 *
 * Units:   offsets in bytes of the file as it lies on disk.
 * Owner:   the view owns its window: xview_close.
 * Errors:  xview_open: OK, STOP (XML_ENCODING) or TEMP.  `foreign` is set for a charset that only libxml2 knows.
 *          Bytes that the charset does not define end the view; `bad` is their offset.
 * Source:  XML 1.0 appendix F.
 */
#ifndef WAYBILL_SYNTAX_XMLVIEW_H
#define WAYBILL_SYNTAX_XMLVIEW_H

#include "base/charset.h"
#include "base/problem.h"
#include "syntax/source.h"

struct xview {
    struct source *source;
    enum charset charset;
    bool direct;                    /* UTF-8: no window of our own */
    bool foreign;                   /* the charset is none of ours: UTF-32, EBCDIC, Shift_JIS … */
    bool declared;                  /* the declaration names the charset */
    bool marked;                    /* there is a byte order mark */
    char *at, *end;
    uint64_t bad;                   /* PLACE_NO_OFFSET = none so far */
    unsigned unit;                  /* bytes of a code unit: 1, 2 */
    size_t step;                    /* tests: show that many more bytes at a time; 0 = all that is there */
    struct buf text;
    const char *anchor;             /* a place in `text` … */
    uint64_t anchor_at;             /* … and its offset in the file */
    char name[48];                  /* the charset as the file spells it; "" = not declared */
};

int xview_open(struct xview *v, struct source *source, enum charset otherwise, struct problems *ps);
void xview_close(struct xview *v);
bool xview_fill(struct xview *v, char **keep);
/* Slow path of xview_offset. */
uint64_t xview_count(struct xview *v, const char *p);

static inline uint64_t xview_offset(struct xview *v, const char *p)
{
    return v->direct ? source_offset(v->source, p) : xview_count(v, p);
}

#endif
