/*
 * A first line such as `decimal mark ","`, then any bytes as the value of a field so declared: what was read and can be
 * written comes back the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/charset.h"
#include "format/type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static const struct field *declare(struct arena *a, struct slice declaration)
{
    struct problems ps;
    struct conf *conf = NULL;
    struct format *f;
    problems_init(&ps, a, 10);
    struct slice text = arena_printf(a, "syntax csv\nmessage M {\n    F %.*s\n}\n", SLICE_ARG(declaration));
    if (memchr(declaration.p, '\0', declaration.n) || conf_parse(a, "fuzz.format", text, &conf, &ps) != OK)
        return NULL;
    if (format_compile(a, NULL, SLICE("fuzz"), conf, &f, &ps) != OK || f->nmessages == 0)
        return NULL;
    return f->messages[0]->nfields == 1 ? f->messages[0]->fields[0] : NULL;
}

static void round_trip(struct arena *a, const struct field *f, const struct value *v)
{
    struct buf out = { 0 };
    struct fault fault = { 0 };
    struct value back = { 0 };
    int rc = type_write(f, v, &out, a, &fault);
    if (rc == OK) {
        demand(type_read(f, arena_copy(a, buf_slice(&out)), a, &back, &fault) == OK);
        demand((f->type == TYPE_BOOLEAN && f->nnothing) || type_equal(f->type, v, &back));
    } else {
        demand(fault.code != NULL && fault.text.n > 0 && out.n == 0);
    }
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena a;
    struct fault fault = { 0 };
    struct value v = { 0 };
    const char *text = (const char *)data, *line = n ? memchr(text, '\n', n) : NULL;

    if (!line)
        return 0;
    arena_init(&a, 0);
    struct slice raw = arena_copy(&a, slice_range(line + 1, text + n));
    const struct field *f = declare(&a, slice_range(text, line));
    if (f && utf8_valid(raw) == raw.n) {
        if (type_read(f, raw, &a, &v, &fault) != OK)
            demand(fault.code != NULL && fault.text.n > 0);
        else
            round_trip(&a, f, &v);
    }
    arena_release(&a);
    return 0;
}
