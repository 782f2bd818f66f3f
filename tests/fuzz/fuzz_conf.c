/* Any bytes as a .format, .map or site.conf: parse, show every problem, lay out, and laying out twice changes
   nothing. */
#include <stdlib.h>

#include "base/charset.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(const struct conf *c, const struct statement *s)
{
    for (; s; s = s->next) {
        for (size_t i = 0; i < s->n; i++) {
            if (s->tokens[i].offset + (size_t)s->tokens[i].length > c->text.n || s->tokens[i].line == 0)
                abort();
            conf_duration(&s->tokens[i]);
        }
        if (s->n == 0 || s->end.offset > c->text.n || (s->block && s->block->parent != s))
            abort();
        touch(c, s->block);
    }
}

static void show_all(const struct problems *ps)
{
    struct buf out = { 0 };
    for (const struct problem *p = ps->first; p; p = p->next) {
        problem_show(&out, p);
        problem_json(&out, p);
        buf_byte(&out, '\n');
    }
    if (utf8_valid(buf_slice(&out)) != out.n)
        abort();
    buf_release(&out);
}

static bool is_arrow(const struct token *t)
{
    return token_op(t, OP_BOTH) || token_op(t, OP_LEFT) || token_op(t, OP_RIGHT);
}

/* Same tokens, same blocks; only beside arrows blanks may be new. */
static void same(const struct statement *a, const struct statement *b)
{
    for (; a && b; a = a->next, b = b->next) {
        if (a->n != b->n || a->has_block != b->has_block)
            abort();
        for (size_t i = 0; i < a->n; i++) {
            const struct token *x = &a->tokens[i], *y = &b->tokens[i];
            if (x->kind != y->kind || x->op != y->op || !slice_equal(x->text, y->text))
                abort();
            if (x->spaced != y->spaced && !is_arrow(x) && (i == 0 || !is_arrow(x - 1)))
                abort();
        }
        same(a->block, b->block);
    }
    if (a || b)
        abort();
}

/* The layout must parse to the same statements and be its own layout. */
static void lay_out(struct arena *a, const struct conf *c, struct problems *ps)
{
    struct buf first = { 0 }, second = { 0 };
    struct conf *again;
    if (conf_format(c, &first) != OK || conf_parse(a, "again", buf_slice(&first), &again, ps) != OK)
        abort();
    same(c->first, again->first);
    if (conf_format(again, &second) != OK || !slice_equal(buf_slice(&first), buf_slice(&second)))
        abort();
    buf_release(&first);
    buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct problems ps;
    struct conf *c;
    arena_init(&a, 0);
    problems_init(&ps, &a, 100);
    int rc = conf_parse(&a, "fuzz", (struct slice){ (const char *)data, size }, &c, &ps);
    touch(c, c->first);
    show_all(&ps);
    if ((rc == OK) != (ps.errors == 0))
        abort();
    if (rc == OK)
        lay_out(&a, c, &ps);
    arena_release(&a);
    return 0;
}
