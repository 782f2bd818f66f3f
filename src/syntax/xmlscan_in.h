/*
 * xmlscan_in - what the files of the tokenizer share: xmlscan.c (the document), xmltext.c (characters), xmltag.c (tags)
 *
 * Errors:  functions that return a pointer give NULL after adding a problem, or with `need` set when the window ended
 * first.
 */
#ifndef WAYBILL_SYNTAX_XMLSCAN_IN_H
#define WAYBILL_SYNTAX_XMLSCAN_IN_H

#include "xmlchars.h"
#include "xmlscan.h"

/* Adds a problem at p; returns STOP. */
int xscan_fault(struct xscan *s, const char *p, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A problem about the bytes at p, which no character of a document may be. */
int xscan_bad_char(struct xscan *s, const char *p);
/* The end of the document came too early: XML_TRUNCATED, a charset fault or a read error. */
int xscan_truncated(struct xscan *s);

/* More bytes behind `last`; p and *keep (which may be NULL for p) move along. False at the end. */
bool xscan_more(struct xscan *s, char **keep);
/* Whether n bytes can be had from p on, keeping *keep. */
bool xscan_has(struct xscan *s, size_t n, char **keep);

/* The end of the name at p (QName), *prefix its prefix's length. */
char *xscan_name(struct xscan *s, char *p, size_t *prefix, bool colon);
/* The end of the character or entity reference at p; its text goes into spare. */
char *xscan_reference(struct xscan *s, char *p);

/* Text up to the next `<`, or a CDATA section whose opening is behind p. */
int xscan_text(struct xscan *s);
int xscan_cdata(struct xscan *s);
/* Behind `<!--` or `<?`: skips it. */
int xscan_comment(struct xscan *s);
int xscan_pi(struct xscan *s);

int xscan_start_tag(struct xscan *s);
int xscan_end_tag(struct xscan *s);
/* Closes the innermost element. */
void xscan_pop(struct xscan *s);

#endif
