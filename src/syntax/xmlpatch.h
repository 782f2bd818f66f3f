/*
 * xmlpatch - an edit of the tree as edits of the original's bytes
 *
 * The bytes of the message that an edit touches are read again and scanned into a table of elements; the edit finds its
 * place there.  A value is spelled in the form of the old one; before a byte is changed, the old spelling is undone and
 * compared.
 *
 * Errors:  OK; SKIP with XML_PATCH when the original cannot be changed there; TEMP when it cannot be read.
 * Limits:  not for charsets that only libxml2 reads, and not for pipes.
 */
#ifndef WAYBILL_SYNTAX_XMLPATCH_H
#define WAYBILL_SYNTAX_XMLPATCH_H

#include "syntax/syntax.h"

int xpatch_edit(struct patcher *p, const struct edit *e, struct problems *ps);

#endif
