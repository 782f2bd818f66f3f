/* invertible - which expressions can be turned round: the table of LANGUAGE.md section 4. */
#include "program.h"

#include "format/type.h"
#include "func.h"

static bool is_place(const struct expr *e)
{
    return e->kind == EXPR_PATH && (e->root == ROOT_HERE || e->root == ROOT_FILE) && e->field;
}

static const struct expr *fault_path(const struct mapping *m, const struct expr *e, const char **why)
{
    if (is_place(e))
        return NULL;
    if (e->root == ROOT_TABLE && e->has_column) {
        for (size_t i = 0; i < e->keys->n; i++) {
            const struct expr *bad = invert_fault(m, e->keys->args[i], why);
            if (bad)
                return bad;
        }
        return NULL;
    }
    *why = "is outside the message";
    return e;
}

/* A number made of the factors 2 and 5 divides every decimal exactly. */
static bool divides_exactly(struct slice text)
{
    struct num n;
    if (!num_parse(text, &n) || n.value == 0)
        return false;
    while (n.value % 2 == 0)
        n.value /= 2;
    while (n.value % 5 == 0)
        n.value /= 5;
    return n.value == 1 || n.value == -1;
}

static bool is_zero(const struct expr *e)
{
    struct num n;
    return e->kind == EXPR_NUMBER && num_parse(e->text, &n) && n.value == 0;
}

static const struct expr *fault_binary(const struct mapping *m, const struct expr *e, const char **why)
{
    const struct expr *a = e->args[0], *b = e->args[1];
    bool const_a = a->kind == EXPR_NUMBER, const_b = b->kind == EXPR_NUMBER;
    if (e->op == BIN_ALT)
        return invert_fault(m, a, why);
    bool ok = const_a != const_b && (e->op == BIN_ADD || e->op == BIN_SUB || e->op == BIN_MUL || (e->op == BIN_DIV &&
            const_b));
    if (e->op == BIN_MUL && ok)
        ok = !is_zero(const_a ? a : b);
    if (e->op == BIN_DIV && ok)
        ok = divides_exactly(b->text);
    if (!ok) {
        *why = NULL;
        return e;
    }
    return invert_fault(m, const_a ? b : a, why);
}

static const struct expr *fault_args(const struct mapping *m, const struct expr *e, size_t from, const char **why)
{
    for (size_t i = from; i < e->nargs; i++) {
        const struct expr *bad = invert_fault(m, e->args[i], why);
        if (bad)
            return bad;
        if (e->args[i]->kind == EXPR_PATH && e->args[i]->many)
            return e;
    }
    return NULL;
}

static bool call_fits(const struct expr *e)
{
    size_t variable = 0;
    for (size_t i = 0; i < e->nargs; i++)
        variable += !expr_is_const(e->args[i]);
    switch (e->func->invert) {
    case INVERT_NOT:
        return false;
    case INVERT_CONCAT:
        return variable == 1;
    case INVERT_JOIN:
        return e->args[0]->kind == EXPR_TEXT && e->args[0]->text.n && variable == e->nargs - 1;
    case INVERT_PAD:
        return variable == 1 && e->args[2]->kind == EXPR_TEXT && slice_chars(e->args[2]->text) == 1;
    case INVERT_DATETIME:
        return e->nargs == 2 && variable == 2;
    case INVERT_TEXT:
        return e->nargs == 1 || (e->pattern && pattern_is_exact(e->pattern, (enum type)e->args[0]->type));
    case INVERT_LETTERS:
    case INVERT_PART:
    case INVERT_LENS:
        break;
    }
    return variable >= 1;
}

static const struct expr *fault_call(const struct mapping *m, const struct expr *e, const char **why)
{
    if (!call_fits(e)) {
        *why = NULL;
        return e;
    }
    switch (e->func->invert) {
    case INVERT_JOIN:
        return fault_args(m, e, 1, why);
    case INVERT_PAD:
    case INVERT_TEXT:
        return invert_fault(m, e->args[0], why);
    default:
        return fault_args(m, e, 0, why);
    }
}

const struct expr *invert_fault(const struct mapping *m, const struct expr *e, const char **why)
{
    switch (e->kind) {
    case EXPR_TEXT:
    case EXPR_NUMBER:
        return NULL;
    case EXPR_PATH:
        return fault_path(m, e, why);
    case EXPR_CALL:
        return fault_call(m, e, why);
    case EXPR_BINARY:
        return fault_binary(m, e, why);
    case EXPR_NEGATE:
        break;
    }
    return e->args[0]->kind == EXPR_NUMBER ? NULL : e;
}

void written_paths(struct expr *e, void (*visit)(void *owner, struct expr *path), void *owner)
{
    if (is_place(e))
        visit(owner, e);
    if (e->kind == EXPR_BINARY && e->op == BIN_ALT) {
        written_paths(e->args[0], visit, owner);
        return;
    }
    for (size_t i = 0; i < e->nargs; i++)
        written_paths(e->args[i], visit, owner);
    for (size_t i = 0; e->root == ROOT_TABLE && e->keys && i < e->keys->n; i++)
        written_paths(e->keys->args[i], visit, owner);
}

static void take_path(void *owner, struct expr *path)
{
    struct expr **first = owner;
    if (!*first)
        *first = path;
}

struct expr *invert_path(struct expr *e)
{
    struct expr *first = NULL;
    written_paths(e, take_path, &first);
    return first;
}
