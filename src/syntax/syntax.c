#include "syntax/syntax.h"

extern const struct syntax syntax_csv;
extern const struct syntax syntax_json;
extern const struct syntax syntax_xml;

/* A new syntax is one line here. */
const struct syntax *const syntax_table[] = {
    &syntax_csv,
    &syntax_xml,
    &syntax_json,
    NULL,
};

const struct syntax *syntax_find(struct slice name)
{
    for (size_t i = 0; syntax_table[i]; i++)
        if (slice_is(name, syntax_table[i]->name))
            return syntax_table[i];
    return NULL;
}

const struct syntax *syntax_detect(struct slice head)
{
    const struct syntax *best = NULL;
    int most = 0;
    for (size_t i = 0; syntax_table[i]; i++) {
        int bits = syntax_table[i]->bid ? syntax_table[i]->bid(head) : 0;
        if (bits > most) {
            most = bits;
            best = syntax_table[i];
        }
    }
    return best;
}

static bool option_known(const struct syntax *sx, struct slice name)
{
    for (const char *const *o = sx->options; o && *o; o++)
        if (slice_is(name, *o))
            return true;
    return false;
}

/* Where a format has its `syntax` line, for problems; the first token of the file when it has none. */
static const struct token *syntax_token(const struct format *f)
{
    if (!f->conf)
        return NULL;
    for (const struct statement *st = f->conf->first; st; st = st->next)
        if (st->n > 1 && token_is(&st->tokens[0], "syntax"))
            return &st->tokens[1];
    return f->conf->first ? &f->conf->first->tokens[0] : NULL;
}

int syntax_problem(const struct format *f, const struct token *t, const char *code, struct problems *ps,
                   const char *hint, const char *text)
{
    const struct token *at = t && t->line ? t : syntax_token(f);
    if (f->conf && at)
        return conf_problem(format_conf(f, at), at, PROBLEM_ERROR, code, ps, hint, "%s", text);
    problem_addf(ps, PROBLEM_ERROR, code, (struct place){ .file = f->file, .offset = PLACE_NO_OFFSET }, "%s", text);
    return STOP;
}

static int check_options(const struct format *f, const struct syntax *sx, struct problems *ps)
{
    int rc = OK;
    struct slice names[32] = { 0 };
    size_t n = 0;
    for (const char *const *o = sx->options; o && *o && n < 32; o++)
        names[n++] = slice_of(*o);
    for (size_t i = 0; i < f->noptions; i++) {
        const struct header *o = &f->options[i];
        if (option_known(sx, o->name))
            continue;
        struct slice hint = problem_suggest(ps->arena, o->name, names, n);
        struct slice text = arena_printf(ps->arena, "%s has no option \"%.*s\"", sx->name, SLICE_ARG(o->name));
        rc = syntax_problem(f, &o->token, "SYNTAX_OPTION", ps, hint.p ? arena_cstr(ps->arena, hint) : NULL,
                            arena_cstr(ps->arena, text));
    }
    return rc;
}

/* "did you mean `csv`?", or all that there are. */
static const char *known_syntaxes(struct slice name, struct arena *a)
{
    struct slice names[32] = { 0 };
    struct buf all = { 0 };
    size_t n = 0;
    for (; n < 32 && syntax_table[n]; n++) {
        names[n] = slice_of(syntax_table[n]->name);
        buf_printf(&all, "%s`%s`", n ? ", " : "this version knows ", syntax_table[n]->name);
    }
    struct slice hint = problem_suggest(a, name, names, n);
    const char *text = arena_cstr(a, hint.n ? hint : buf_slice(&all));
    buf_release(&all);
    return text;
}

int syntax_plan(struct format *f, struct arena *a, struct problems *ps)
{
    const struct syntax *sx = syntax_find(f->syntax);
    if (!sx) {
        struct slice text = arena_printf(ps->arena, "there is no syntax \"%.*s\"", SLICE_ARG(f->syntax));
        return syntax_problem(f, NULL, "FMT_SYNTAX", ps, known_syntaxes(f->syntax, ps->arena),
                              arena_cstr(ps->arena, text));
    }
    int rc = check_options(f, sx, ps);
    int planned = sx->plan ? sx->plan(f, a, ps) : OK;
    return planned > rc ? planned : rc;
}

int syntax_format(struct arena *a, const struct finder *finder, struct slice name, const char *from,
                  struct format **out, struct problems *ps)
{
    int rc = format_load(a, finder, name, from, out, ps);
    if (rc < SKIP)
        return syntax_plan(*out, a, ps);
    const struct syntax *sx = *out ? syntax_find((*out)->syntax) : NULL;
    if (sx)
        check_options(*out, sx, ps);            /* all errors of the file at once */
    return rc;
}

static int cannot(const char *name, const char *what, struct slice syntax, struct problems *ps)
{
    problem_addf(ps, PROBLEM_ERROR, "SYNTAX_UNKNOWN", (struct place){ .file = name, .offset = PLACE_NO_OFFSET },
                 "%s: %s", what, syntax.n ? arena_cstr(ps->arena, syntax) : "the syntax of this file is not known");
    return STOP;
}

int reader_open(struct reader *r, struct arena *a, struct problems *ps)
{
    r->arena = a;
    if (r->format)
        problems_hide(ps, &r->format->hidden);
    if (!r->limits)
        r->limits = r->source->limits;
    if (r->format)
        r->syntax = syntax_find(r->format->syntax);
    if (!r->syntax && !r->format) {
        if (r->source->at == r->source->end)
            source_fill(r->source, NULL);
        r->syntax = syntax_detect(slice_range(r->source->at, r->source->end));
    }
    if (!r->syntax || !r->syntax->read_open)
        return cannot(r->source->name, "cannot be read", r->format ? r->format->syntax : slice_none(), ps);
    int rc = r->syntax->read_open(r, ps);
    if (rc > WARN) {
        reader_close(r);
        r->state = NULL;                /* so that whoever closes it as well closes nothing */
    }
    return rc;
}

int reader_read(struct reader *r, struct arena *a, struct node **msg_out, struct problems *ps)
{
    *msg_out = NULL;
    return r->state ? r->syntax->read(r, a, msg_out, ps) : STOP;     /* its opening failed */
}

void reader_close(struct reader *r)
{
    if (r->syntax && r->syntax->read_close)
        r->syntax->read_close(r);
}

int writer_open(struct writer *w, struct arena *a, struct problems *ps)
{
    w->arena = a;
    problems_hide(ps, &w->format->hidden);
    if (!w->limits)
        w->limits = &limits_default;
    w->syntax = syntax_find(w->format->syntax);
    if (!w->syntax || !w->syntax->write_open)
        return cannot(w->sink->name, "cannot be written", w->format->syntax, ps);
    return w->syntax->write_open(w, ps);
}

int writer_check(const struct node *n, struct problems *ps)
{
    struct arena a;
    arena_init(&a, 0);
    int rc = node_check(n, &a, ps);
    arena_release(&a);
    return rc;
}

int writer_write(struct writer *w, const struct node *msg, struct problems *ps)
{
    int rc = w->syntax->checks ? OK : writer_check(msg, ps);
    if (rc < SKIP)
        rc = w->syntax->write(w, msg, ps);
    sink_turn(w->sink);
    return rc;
}

int writer_close(struct writer *w, struct problems *ps)
{
    int rc = w->syntax->checks || !w->file ? OK : writer_check(w->file, ps);
    if (rc >= SKIP)
        return STOP;                /* what the whole file must say is missing */
    return w->syntax->write_close ? w->syntax->write_close(w, ps) : OK;
}

void writer_drop(struct writer *w)
{
    if (w->syntax && w->state && w->syntax->write_drop)
        w->syntax->write_drop(w);
    w->state = NULL;
}

int syntax_encode(enum charset c, struct slice utf8, struct buf *out, struct fault *fault)
{
    if (c == CHARSET_UTF_8) {
        buf_add(out, utf8);
        return OK;
    }
    size_t start = out->n, taken = charset_encode(c, utf8, out);
    if (taken == utf8.n)
        return OK;
    out->n = start;
    const char *p = utf8.p + taken, *end = utf8.p + utf8.n;
    utf8_next(&p, end);
    *fault = (struct fault){ .code = "CHARSET_CANNOT",
                             .text = SLICE("has a character that the charset of this file does not have"),
                             .hint = slice_range(utf8.p + taken, p) };
    return SKIP;
}
