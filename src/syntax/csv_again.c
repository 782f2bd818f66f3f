#include "syntax/csv.h"

/*
 * A closed key that comes again (KEY_SPLIT).  A fingerprint that is known already is no verdict: the file is read
 * again up to there to find the key itself, so no collision can refuse a good file.  Only where that is impossible
 * (pipes) or has been done often enough does the fingerprint decide: with a million keys one good pipe in 37 million
 * would be refused.
 */
enum { LOOK_AGAIN = 16, KEYS_OF_A_PASS = 300000 };

typedef bool each_message(void *owner, const struct node *msg, struct arena *a);

/* Reads the input anew, up to offset `until`, and gives its messages while `each` wants more. False: it cannot be
 * read. */
static bool read_before(const struct reader *r, uint64_t until, each_message *each, void *owner)
{
    struct arena whole, part;
    struct problems ps;
    struct source s;
    if (!source_open_anew(&s, r->source))
        return false;
    arena_init(&whole, 0);
    arena_init(&part, r->limits->message);
    problems_init(&ps, &whole, 1);
    struct reader twin = { .source = &s, .format = r->format, .limits = r->limits, .syntax = r->syntax, .arena = &whole,
                           .companions = NULL };
    struct node *m = NULL;
    int rc = flat_open_twin(&twin, &ps);
    while (rc < STOP && (rc = flat_read(&twin, &part, &m, &ps)) != END && rc < STOP && m->at < until
           && each(owner, m, &part))
        arena_reset(&part);
    flat_read_close(&twin);
    source_close(&s);
    arena_release(&part);
    arena_release(&whole);
    return true;
}

struct look {
    const struct reader *reader;
    struct keyset *keys;
    struct slice key;
    uint64_t at, first;
    bool found;
    uint64_t part, parts;
};

static bool is_key(void *owner, const struct node *msg, struct arena *a)
{
    struct look *l = owner;
    l->found = slice_equal(node_key(a, msg), l->key);
    l->first = msg->at;
    return !l->found;
}

static bool add_key(void *owner, const struct node *msg, struct arena *a)
{
    struct look *l = owner;
    struct slice key = node_key(a, msg);
    if (key.n)
        keyset_table(l->keys, keyset_fingerprint(key));
    return true;
}

static int key_split(struct reader *r, uint64_t at, struct slice key, const struct look *l, struct problems *ps)
{
    struct buf b = { 0 };
    buf_text(&b, "the key \"");
    buf_add_shown(&b, key, 60);
    buf_text(&b, "\" comes again");
    if (l->found) {
        buf_text(&b, ": it stood in ");
        buf_add(&b, flat_line(ps, ps->arena, l->first));
    }
    bool grouped = ((const struct flat_reader *)r->state)->flat->nlevels > 1;
    struct slice hint = grouped ? SLICE("rows of one key stand together; if this is another message, the format says `again`")
                                : SLICE("a key stands once; if this is another message, the format says `again`");
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR,
                                       .code = "KEY_SPLIT",
                                       .place = { .offset = at },
                                       .value = key,
                                       .text = buf_slice(&b),
                                       .hint = hint });
    buf_release(&b);
    struct flat_reader *st = r->state;
    return st->flat->nlevels > 1 || st->flat->d.tag ? STOP : SKIP;
}

/*
 * Where a message is more than its row, the first part of it was taken for the whole and is on its way already, so
 * the file is refused; otherwise only this row is.
 */
int key_check(struct reader *r, struct node *msg, struct problems *ps)
{
    struct flat_reader *st = r->state;
    if (msg->group->nkeys == 0 || msg->group->again)
        return OK;
    struct look l = { .reader = r, .keys = st->keys, .key = node_key(st->arena, msg) };
    enum key_seen seen = l.key.n ? keyset_add(st->keys, l.key) : KEY_NEW;
    if (seen == KEY_OUT_OF_ORDER) {
        read_before(r, msg->at, add_key, &l);
        seen = keyset_add(st->keys, l.key);
    }
    st->too_many |= seen == KEY_TOO_MANY;
    if (seen != KEY_SEEN)
        return OK;
    if (st->verified < LOOK_AGAIN && read_before(r, msg->at, is_key, &l) && !l.found)
        return OK;
    st->verified++;
    return key_split(r, msg->at, l.key, &l, ps);
}

/* Of the keys of one pass, those that come again. */
static bool add_part(void *owner, const struct node *msg, struct arena *a)
{
    struct look *l = owner;
    struct slice key = node_key(a, msg);
    uint64_t fingerprint = keyset_fingerprint(key);
    if (key.n == 0 || (fingerprint >> 32) % l->parts != l->part || keyset_table(l->keys, fingerprint) != KEY_SEEN)
        return true;
    struct look before = { .reader = l->reader, .key = key };
    read_before(l->reader, msg->at, is_key, &before);
    if (!before.found)
        return true;
    l->found = true;
    l->first = before.first;
    l->at = msg->at;
    l->key = arena_copy(l->reader->arena, key);
    return false;
}

/* After the last message: keys that were too many for the table are compared now, in passes over the file. */
int keys_end(struct reader *r, struct problems *ps)
{
    struct flat_reader *st = r->state;
    ps->message = 0;
    if (!st->too_many)
        return END;
    st->too_many = false;
    struct look l = { .reader = r, .parts = r->messages / KEYS_OF_A_PASS + 1 };
    for (l.part = 0; l.part < l.parts && !l.found; l.part++) {
        l.keys = keyset_new(r->arena, true);
        read_before(r, UINT64_MAX, add_part, &l);
        keyset_free(l.keys);
    }
    if (!l.found)
        return END;
    key_split(r, l.at, l.key, &l, ps);
    return STOP;
}
