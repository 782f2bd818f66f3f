#include "base/json.h"

#include <inttypes.h>

/* Commas follow from what stands before: only after an opening bracket, a colon or nothing there is none.  (A text
   ends in a quotation mark, so its own bytes are never taken for one of these.) */
static void comma(struct buf *b)
{
    char last = b->n ? b->p[b->n - 1] : '\n';
    if (last != '{' && last != '[' && last != ':' && last != '\n')
        buf_byte(b, ',');
}

void json_open(struct buf *b, char bracket)
{
    comma(b);
    buf_byte(b, bracket);
}

void json_close(struct buf *b, char bracket)
{
    buf_byte(b, bracket);
}

void json_key(struct buf *b, const char *key)
{
    comma(b);
    buf_add_json(b, slice_of(key));
    buf_byte(b, ':');
}

static void before_value(struct buf *b, const char *key)
{
    if (key)
        json_key(b, key);
    else
        comma(b);
}

void json_text(struct buf *b, const char *key, struct slice text)
{
    if (text.p == NULL)
        return;
    before_value(b, key);
    buf_add_json(b, text);
}

void json_number(struct buf *b, const char *key, int64_t n)
{
    before_value(b, key);
    buf_printf(b, "%" PRId64, n);
}

void json_bool(struct buf *b, const char *key, bool yes)
{
    before_value(b, key);
    buf_text(b, yes ? "true" : "false");
}

void json_raw(struct buf *b, const char *key, struct slice json)
{
    before_value(b, key);
    buf_add(b, json);
}
