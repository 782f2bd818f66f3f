/*
 * xmlsax - the same events from libxml2: the authority, and the source for charsets that we do not decode
 *
 *     sax = xsax_open(&scan);          behind xscan_open, whose view gives the bytes
 *     while ((rc = xsax_next(sax)) == OK) ... scan.event ...
 *     xsax_close(sax);
 *
 * Fills the event of a struct xscan, without byte ranges (offsets are VALUE_NO_PLACE).  Nothing is loaded from
 * anywhere: no network, no external subset, no entities but the five; an internal subset is refused.
 *
 * Errors:  OK, END, STOP, TEMP as xscan_next.
 * Limits:  as xscan; element depth and text size are bounded by struct limits.
 */
#ifndef WAYBILL_SYNTAX_XMLSAX_H
#define WAYBILL_SYNTAX_XMLSAX_H

#include "xmlscan.h"

struct xsax;

struct xsax *xsax_open(struct xscan *s);
int xsax_next(struct xsax *x);
/* Where the start tag of the event, or the last one before it, ends; 0 = not known. */
uint32_t xsax_line(const struct xsax *x);
void xsax_close(struct xsax *x);

#endif
