#include "jsonpatch.h"
#include "jsonread.h"
#include "jsonwrite.h"

static const char *const options[] = { "lines", "indent", NULL };

static const char *blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++;
    return p;
}

/* An opening bracket and what may follow it.  A single number or text is JSON too, and also a row of CSV. */
static int bid(struct slice head)
{
    enum charset bom;
    size_t skip = charset_bom(head, &bom);
    const char *end = head.p + head.n, *p = blanks(head.p + skip, end);

    if ((skip && bom != CHARSET_UTF_8) || p >= end || (*p != '{' && *p != '['))
        return 0;
    const char *next = blanks(p + 1, end);
    if (next >= end)
        return 24;
    if (*p == '{')
        return *next == '"' || *next == '}' ? 40 : 20;
    return strchr("\"{[]-0123456789tfn", *next) && *next ? 40 : 0;
}

const struct syntax syntax_json = {
    .name = "json",
    .spec = "RFC 8259",
    .options = options,
    .bid = bid,
    .plan = jplan_compile,
    .read_open = jread_open,
    .read = jread_next,
    .read_close = jread_close,
    .write_open = jwrite_open,
    .write = jwrite_message,
    .write_close = jwrite_close,
    .write_drop = jwrite_drop,
    .patch = jpatch_edit,
    .inspect = jread_inspect,
};
