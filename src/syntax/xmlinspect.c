/* What a file is, without any format: DESIGN.md section 9. */
#include "xmlread.h"

#include "base/json.h"
#include "xmlsax.h"

int xread_inspect(struct source *source, struct buf *json, struct problems *ps)
{
    struct arena a;
    struct xscan s;
    struct xsax *sax = NULL;
    struct buf root = { 0 }, namespace = { 0 };
    uint64_t elements = 0;

    arena_init(&a, 0);
    int rc = xscan_open(&s, source, source->limits, CHARSET_UNKNOWN, &a, ps);
    if (rc == OK && s.view.foreign)
        sax = xsax_open(&s);
    while (rc == OK && (rc = sax ? xsax_next(sax) : xscan_next(&s)) == OK) {
        if (s.event != XEVENT_START || elements++)
            continue;
        buf_add(&root, xscan_local(s.name, s.prefix));
        buf_add(&namespace, xscan_uri(&s, (struct slice){ s.name.p, s.prefix }));
    }
    json_key(json, "encoding");
    buf_add_json(json, slice_of(s.view.foreign || s.view.name[0] ? s.view.name : charset_name(s.view.charset)));
    buf_text(json, ",\"root\":");
    buf_add_json(json, buf_slice(&root));
    buf_text(json, ",\"namespace\":");
    buf_add_json(json, buf_slice(&namespace));
    buf_printf(json, ",\"elements\":%llu", (unsigned long long)elements);
    if (sax)
        xsax_close(sax);
    xscan_close(&s);
    buf_release(&root);
    buf_release(&namespace);
    arena_release(&a);
    return rc == END ? OK : rc;
}
