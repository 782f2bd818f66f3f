#include "cmd/why.h"

#include "base/json.h"

static void shown(struct buf *out, const char *before, struct slice s)
{
    if (!s.n)
        return;
    buf_text(out, before);
    buf_add_shown(out, s, 200);
}

void why_head(struct buf *out, uint64_t message, struct slice key, struct slice state, struct slice code)
{
    if (key.n)
        buf_add_shown(out, key, 200);
    else
        buf_printf(out, "message %llu", (unsigned long long)message);
    shown(out, ": ", state);
    shown(out, ", ", code);
    buf_byte(out, '\n');
}

void why_tried(struct buf *out, const char *indent, const struct tried *first, size_t most)
{
    const struct tried *t = first;
    for (size_t n = 0; t && n < most; t = t->next, n++) {
        buf_text(out, indent);
        shown(out, "", t->line);
        if (t->line.n)
            buf_text(out, ": ");
        if (t->kind == TRIED_CHOSEN)
            shown(out, "into ", t->key);
        else if (t->kind == TRIED_NEW)
            shown(out, "new, ", t->code);
        else
            shown(out, "", t->key);
        if (t->kind == TRIED_FAILED)
            shown(out, ": ", t->code);
        shown(out, ", ", t->values);
        buf_byte(out, '\n');
    }
    if (t)
        buf_printf(out, "%s… and more\n", indent);
}

static void json_if(struct buf *out, const char *name, struct slice text)
{
    if (text.n)
        json_text(out, name, text);
}

void why_json(struct buf *out, const struct tried *first)
{
    json_open(out, '[');
    for (const struct tried *t = first; t; t = t->next) {
        json_open(out, '{');
        json_text(out, "kind", slice_of(tried_names[t->kind]));
        json_if(out, "line", t->line);
        json_if(out, "key", t->key);
        json_if(out, "code", t->code);
        json_if(out, "text", t->text);
        json_if(out, "values", t->values);
        json_close(out, '}');
    }
    json_close(out, ']');
}

void why_findings(struct buf *out, const struct finding *first)
{
    for (const struct finding *f = first; f; f = f->next) {
        buf_text(out, "  ");
        shown(out, "", f->line);
        shown(out, f->line.n ? ": " : "", slice_of(outcome_names[f->kind]));
        shown(out, ", ", f->code);
        shown(out, ": ", f->text);
        buf_byte(out, '\n');
    }
}
