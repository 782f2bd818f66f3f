/*
 * How a file is laid out: four blanks per block; arrows of a block under each other, as long as their left sides are
 * short; rows of a table in columns; one blank line at most.  Blanks that the author put between other tokens stay:
 * they may be columns that only he can see.
 */
#include "conf/conf.h"

#include "lex.h"

enum { INDENT = 4, LEFT_MAX = 44, DEPTH = 66 };

/* A line of the file. */
struct row {
    size_t first, n;                /* its tokens */
    size_t block;                   /* number of the block that it stands in */
    unsigned depth;
    bool continued;                 /* it goes on with the statement of the line before */
    bool unfinished;                /* its statement goes on */
    bool opens, closes;
    size_t arrow;                   /* index of its arrow among its tokens; 0 = none to align */
    struct slice note;              /* its comment */
    uint32_t note_column;
};

/* What is common to the rows of a block. */
struct block {
    size_t left;                    /* characters before the arrows */
    size_t rows, tokens;            /* tokens of each row, 0 when they differ */
    size_t *columns;                /* of a table: width of each; NULL = no table */
};

struct layout {
    struct arena arena;
    struct lexer lexer;
    struct token *tokens;
    size_t ntokens, tokens_cap;
    struct row *rows;
    size_t nrows, rows_cap;
    struct block *blocks;
    size_t nblocks, blocks_cap;
    size_t stack[DEPTH];            /* the blocks that are open */
    unsigned depth;
};

static struct slice written(const struct layout *l, const struct token *t)
{
    return (struct slice){ l->lexer.conf->text.p + t->offset, t->length };
}

static const struct token *token(const struct layout *l, const struct row *r, size_t i)
{
    return &l->tokens[r->first + i];
}

static bool is_blank(const struct row *r)
{
    return r->n == 0 && !r->opens && !r->closes && r->note.p == NULL;
}

static bool is_code(const struct row *r)
{
    return r->n && !r->closes;
}

/* Reads the pieces of one line; false at the end of the file. */
static bool read_row(struct layout *l, struct row *r)
{
    struct token t = { 0 };
    enum lex_kind kind;
    while ((kind = lex_next(&l->lexer, &t)) != LEX_EOL && kind != LEX_END && kind != LEX_FAULT) {
        if (kind == LEX_TOKEN) {
            ARENA_PUSH(&l->arena, l->tokens, l->ntokens, l->tokens_cap) = t;
            r->n++;
        } else if (kind == LEX_COMMENT) {
            r->note = slice_trim(t.text);
            r->note_column = t.column;
        } else if (kind == LEX_OPEN) {
            r->opens = true;
        } else {
            r->closes = true;
        }
    }
    bool last = kind != LEX_EOL;
    r->unfinished = !last && (l->lexer.nesting > 0 || (r->n && slice_is(l->tokens[l->ntokens - 1].text, "\\")));
    return !last;
}

/* A statement that begins with a keyword: a name and behind a blank something that is no operator.  Its `<=` is no
   arrow. */
static bool has_keyword(const struct layout *l, const struct row *r)
{
    static const char *const words[] = { "and", "or", "div", "mod" };
    const struct token *a = token(l, r, 0), *b = token(l, r, 1);
    if (a->kind != TOKEN_NAME || token_is(a, "key") || !b->spaced)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (token_is(b, words[i]))
            return false;
    }
    return b->kind != TOKEN_OP || b->op == OP_DOLLAR || b->op == OP_LPAREN || b->op == OP_DOT || b->op == OP_DOTDOT
        || b->op == OP_AT;
}

static void find_arrow(const struct layout *l, struct row *r)
{
    int nesting = 0;
    if (r->continued || r->unfinished || r->opens || r->n < 3 || has_keyword(l, r))
        return;
    for (size_t i = 1; i < r->n; i++) {
        const struct token *t = token(l, r, i);
        nesting += token_op(t, OP_LPAREN) || token_op(t, OP_LBRACK);
        nesting -= token_op(t, OP_RPAREN) || token_op(t, OP_RBRACK);
        if (nesting == 0 && (token_op(t, OP_BOTH) || token_op(t, OP_RIGHT) || token_op(t, OP_LEFT))) {
            r->arrow = i;
            return;
        }
    }
}

static size_t open_block(struct layout *l)
{
    ARENA_PUSH(&l->arena, l->blocks, l->nblocks, l->blocks_cap) = (struct block){ 0 };
    return l->nblocks - 1;
}

static void read_rows(struct layout *l)
{
    bool more = true, unfinished = false;
    l->stack[0] = open_block(l);
    while (more) {
        struct row r = { .first = l->ntokens, .continued = unfinished };
        more = read_row(l, &r);
        if (r.closes && l->depth)
            l->depth--;
        r.depth = l->depth;
        r.block = l->stack[l->depth];
        if (r.n || !unfinished)
            unfinished = r.unfinished;
        find_arrow(l, &r);
        if (r.opens && l->depth + 1 < DEPTH)
            l->stack[++l->depth] = open_block(l);
        ARENA_PUSH(&l->arena, l->rows, l->nrows, l->rows_cap) = r;
    }
}

static bool is_arrow(const struct token *t)
{
    return token_op(t, OP_BOTH) || token_op(t, OP_RIGHT);
}

/* Characters of the first n tokens with one blank where blanks are, or come beside an arrow. */
static size_t narrow_width(const struct layout *l, const struct row *r, size_t n)
{
    size_t width = 0;
    for (size_t i = 0; i < n; i++) {
        const struct token *t = token(l, r, i);
        width += t->width + (i && (t->spaced || is_arrow(t) || is_arrow(t - 1)));
    }
    return width;
}

static bool is_table_row(const struct layout *l, const struct row *r)
{
    for (size_t i = 0; i < r->n; i++) {
        if (token(l, r, i)->kind == TOKEN_OP || (i && !token(l, r, i)->spaced))
            return false;
    }
    return !r->opens && !r->continued && !r->unfinished;
}

static void measure(struct layout *l)
{
    for (size_t i = 0; i < l->nrows; i++) {
        const struct row *r = &l->rows[i];
        struct block *b = &l->blocks[r->block];
        size_t left = r->arrow ? narrow_width(l, r, r->arrow) : 0;
        if (left <= LEFT_MAX && left > b->left)
            b->left = left;
        if (!is_code(r))
            continue;
        size_t n = is_table_row(l, r) ? r->n : 0;
        b->tokens = b->rows++ == 0 ? n : b->tokens == n ? n : 0;
    }
    for (size_t i = 0; i < l->nblocks; i++) {
        struct block *b = &l->blocks[i];
        if (b->rows > 1 && b->tokens > 1)
            b->columns = arena_zero(&l->arena, b->tokens * sizeof *b->columns);
    }
    for (size_t i = 0; i < l->nrows; i++) {
        const struct row *r = &l->rows[i];
        size_t *columns = l->blocks[r->block].columns;
        for (size_t t = 0; columns && is_code(r) && t < r->n; t++) {
            if (token(l, r, t)->width > columns[t])
                columns[t] = token(l, r, t)->width;
        }
    }
}

static void add_blanks(struct buf *out, size_t n)
{
    memset(buf_room(out, n), ' ', n);
    out->n += n;
}

/* Blanks before token i > 0. */
static size_t gap(const struct layout *l, const struct row *r, size_t i)
{
    const struct token *t = token(l, r, i), *before = t - 1;
    const struct block *b = &l->blocks[r->block];
    if (b->columns)
        return b->columns[i - 1] - before->width + 1;
    if (r->arrow && i == r->arrow) {
        size_t left = narrow_width(l, r, i);
        return left < b->left ? b->left - left + 1 : 1;
    }
    if (r->arrow && i == r->arrow + 1)
        return 1;
    if (!t->spaced)
        return is_arrow(t) || is_arrow(before);
    return r->arrow ? 1 : t->column - before->column - before->width;
}

static void add_row(struct layout *l, const struct row *r, struct buf *out)
{
    size_t start = (size_t)(buf_room(out, 1) - out->p);
    bool closer = r->n && (token_op(token(l, r, 0), OP_RPAREN) || token_op(token(l, r, 0), OP_RBRACK));
    add_blanks(out, INDENT * (r->depth + (r->continued && !closer)));
    if (r->closes)
        buf_byte(out, '}');
    for (size_t i = 0; i < r->n; i++) {
        if (i)
            add_blanks(out, gap(l, r, i));
        buf_add(out, written(l, token(l, r, i)));
    }
    if (r->opens)
        buf_text(out, r->n ? " {" : "{");
    if (r->note.p) {
        size_t width = slice_chars(slice_range(out->p + start, out->p + out->n));
        bool alone = r->n == 0 && !r->opens && !r->closes;
        if (!alone)
            add_blanks(out, r->note_column > width + 2 ? r->note_column - 1 - width : 2);
        buf_add(out, r->note);
    }
    buf_byte(out, '\n');
}

/* A blank line is kept between two lines, one of several, but not where a block or the file begins or ends. */
static bool keeps_blank(const struct layout *l, size_t i)
{
    if (i == 0 || i + 1 >= l->nrows || is_blank(&l->rows[i + 1]))
        return false;
    for (size_t before = i; before-- > 0;) {
        if (!is_blank(&l->rows[before]))
            return !l->rows[before].opens && !l->rows[i + 1].closes;
    }
    return false;
}

int conf_format(const struct conf *c, struct buf *out)
{
    if (c->faulty)
        return STOP;
    struct layout l = { 0 };
    arena_init(&l.arena, 0);
    lex_init(&l.lexer, c, &l.arena, NULL);
    l.lexer.raw = true;
    read_rows(&l);
    measure(&l);
    for (size_t i = 0; i < l.nrows; i++) {
        if (!is_blank(&l.rows[i]))
            add_row(&l, &l.rows[i], out);
        else if (keeps_blank(&l, i))
            buf_byte(out, '\n');
    }
    arena_release(&l.arena);
    return OK;
}
