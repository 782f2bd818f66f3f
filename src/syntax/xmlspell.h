/*
 * xmlspell - text as XML spells it: references for what markup would misread
 *
 * Errors:  xspell: false when a character may not stand in XML (nothing is added then).
 * Source:  XML 1.0 sections 2.2, 2.4, 3.3.3; LIBS.md section 3.
 */
#ifndef WAYBILL_SYNTAX_XMLSPELL_H
#define WAYBILL_SYNTAX_XMLSPELL_H

#include "base/buf.h"
#include "base/charset.h"

enum xspell_place { XSPELL_TEXT, XSPELL_ATTRIBUTE /* in quotation marks */, XSPELL_APOSTROPHES, XSPELL_CDATA };

bool xspell(struct buf *out, struct slice text, enum xspell_place place);
/* UTF-8 markup in a charset: what it does not hold becomes `&#N;`. `text` must not hold such characters in names. */
void xspell_charset(struct buf *out, struct slice text, enum charset c);

#endif
