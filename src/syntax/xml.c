#include "syntax/syntax.h"

#include "xmlpatch.h"
#include "xmlread.h"
#include "xmlwrite.h"

static const char *const options[] = { "declaration", "indent", NULL };

static int bid(struct slice head)
{
    enum charset bom;
    size_t skip = charset_bom(head, &bom);
    const char *p = head.p + skip, *end = head.p + head.n;

    if (skip && bom != CHARSET_UTF_8)
        return end - p >= 2 && (p[0] == '<' || p[1] == '<') ? 40 : 0;
    if (end - p >= 4 && ((p[0] == '<' && !p[1]) || (!p[0] && p[1] == '<')))
        return 40;
    if (end - p >= 4 && memcmp(p, "\x4C\x6F\xA7\x94", 4) == 0)
        return 32;
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++;
    if (end - p >= 6 && memcmp(p, "<?xml ", 6) == 0)
        return 48;
    if (end - p >= 2 && p[0] == '<' &&
        (p[1] == '!' || p[1] == '?' || p[1] == '_' || p[1] == ':' || ((p[1] | 32) >= 'a' && (p[1] | 32) <= 'z')))
        return 16;
    return 0;
}

const struct syntax syntax_xml = {
    .name = "xml",
    .spec = "XML 1.0 (fifth edition), Namespaces in XML 1.0",
    .options = options,
    .bid = bid,
    .plan = xplan_compile,
    .read_open = xread_open,
    .read = xread_next,
    .read_close = xread_close,
    .write_open = xwrite_open,
    .write = xwrite_message,
    .checks = true,
    .write_close = xwrite_close,
    .patch = xpatch_edit,
    .inspect = xread_inspect,
    .write_drop = xwrite_drop,
};
