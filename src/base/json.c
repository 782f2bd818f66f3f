#include "base/json.h"

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
    char digits[20];
    size_t at = sizeof digits;
    uint64_t left = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    before_value(b, key);
    do
        digits[--at] = (char)('0' + left % 10);
    while (left /= 10);
    if (n < 0)
        buf_byte(b, '-');
    buf_add(b, (struct slice){ digits + at, sizeof digits - at });
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
