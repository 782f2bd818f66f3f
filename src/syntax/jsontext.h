/*
 * jsontext - the spelling of texts and numbers in JSON: escapes, lexemes, and what to say when they are wrong
 *
 * Owner:   results of the hints are constant texts.
 * Source:  RFC 8259, sections 6 and 7.
 */
#ifndef WAYBILL_SYNTAX_JSONTEXT_H
#define WAYBILL_SYNTAX_JSONTEXT_H

#include "base/buf.h"

/* Resolves escapes into out; NULL when all is well, else what is wrong, with the offset and a hint. */
const char *jtext_decode(struct slice raw, struct buf *out, size_t *at, const char **hint);
/* Adds a text with its quotes; only what must be escaped is. */
void jtext_spell(struct buf *out, struct slice text);
/* What is wrong with a lexeme as number; NULL = nothing. */
const char *jtext_number_hint(struct slice lexeme);
static inline bool jtext_is_number(struct slice lexeme)
{
    return jtext_number_hint(lexeme) == NULL;
}
/* A number with an exponent written out into `out`; false when that takes more than 1,000 digits. */
bool jtext_expand(struct slice lexeme, struct buf *out);

/* What to tell at a byte where something else is expected. */
const char *jtext_word_hint(struct slice word);
const char *jtext_no_value(int c, const char **hint);
const char *jtext_no_name(int c, const char **hint);
const char *jtext_no_comma(int c, bool object, const char **hint);

#endif
