#include "syntax/csv.h"

enum { LOOK_AGAIN = 16 };           /* fingerprints looked up in the file again; behind that they are believed */

/* Reads the file a second time, up to the message `msg`, for a message with this key.  False: there is none. */
static bool find_key(const struct reader *r, const struct node *msg, struct slice key, uint64_t *at)
{
    struct arena whole, part;
    struct problems ps;
    struct source s;
    if (!source_open_anew(&s, r->source))
        return true;
    arena_init(&whole, 0);
    arena_init(&part, r->limits->message);
    problems_init(&ps, &whole, 1);
    struct reader twin = { .source = &s, .format = r->format, .limits = r->limits, .syntax = r->syntax, .arena = &whole };
    struct node *m = NULL;
    bool found = false;
    int rc = flat_read_open(&twin, &ps);
    struct flat_reader *st = twin.state;
    st->twin = true;
    while (!found && rc < STOP && (rc = flat_read(&twin, &part, &m, &ps)) != END && rc < STOP && m->at < msg->at) {
        found = slice_equal(node_key(&part, m), key);
        *at = m->at;
        arena_reset(&part);
    }
    flat_read_close(&twin);
    source_close(&s);
    arena_release(&part);
    arena_release(&whole);
    return found;
}

/*
 * A closed key that comes again: rows of one message that do not stand together.  Where a message is more than its row, the first
 * part of it was taken for the whole and is on its way already, so the file is refused; otherwise only this row is.
 */
int key_check(struct reader *r, struct node *msg, struct problems *ps)
{
    struct flat_reader *st = r->state;
    if (msg->group->nkeys == 0 || msg->group->again)
        return OK;
    struct slice key = node_key(st->arena, msg);
    if (key.n == 0 || keyset_add(st->keys, key))
        return OK;
    uint64_t first = 0;
    bool sure = r->source->start < 0 || st->verified >= LOOK_AGAIN;     /* a pipe, or a file full of them */
    if (!sure) {
        st->verified++;
        if (!find_key(r, msg, key, &first))
            return OK;
    }
    struct buf b = { 0 };
    buf_text(&b, "the key \"");
    buf_add_shown(&b, key, 60);
    buf_text(&b, "\" comes again");
    if (!sure) {
        buf_text(&b, ": it stood in ");
        buf_add(&b, flat_line(ps, first));
    }
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "KEY_SPLIT", .place = { .offset = msg->at }, .value = key,
                                       .text = buf_slice(&b), .hint = SLICE("rows of one key stand together; if this is another message, the format says `again`") });
    buf_release(&b);
    return st->flat->nlevels > 1 ? STOP : SKIP;
}
