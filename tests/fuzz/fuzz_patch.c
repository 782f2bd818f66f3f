/*
 * fuzz_patch - any bytes as an original, and ahead of them a script of edits: values set and taken away, lines added and
 * deleted.  What is patched
 *     reads back as the tree with the same edits (PutGet)
 *     has the bytes of the original around and between the messages, and in each message that no edit touched
 *     stays as it is when the values that were set are set to what is read (GetPut)
 *
 *     bytes:  format, length of the script, script, original
 */
#include <stdint.h>
#include <string.h>

#define KIT_KEEPS_FORMATS
#include "unit/xmlkit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MEMBERS(id, q) "{\n Id text required" id "\n A text\n Q decimal" q "\n group L 0..* key K {\n  K text required\n  V text\n }\n}\n"

static const char *const formats[] = {
    "syntax csv\nmessage M key Id " MEMBERS("", ""),
    "syntax csv delimiter \";\" header no\nmessage M key Id again " MEMBERS("", " mark \",\""),
    "syntax xml\nmessage M at /r/m key Id " MEMBERS(" at @id", " scale 0..3"),
    "syntax xml\nmessage M at /r/m key Id {\n Id text required\n A text at a/@a\n Q decimal\n group L 0..* at ls/l key K {\n"
    "  K text required at @k\n  V text at .\n }\n}\n",
    "syntax json\nmessage M at /m key Id " MEMBERS("", ""),
    "syntax json lines\nmessage M key Id " MEMBERS("", ""),
};

enum { MESSAGES = 64, SETS = 256, SCRIPT = 64 };

struct script {
    const uint8_t *p, *end;
};

/* Where a value was set: it is found again by the places of its instances. */
struct set {
    size_t message, line;           /* line 0 = a field of the message */
    const struct field *field;
};

struct document {
    struct kit kit;
    struct edits edits;
    struct node *messages[MESSAGES];
    bool touched[MESSAGES];
    size_t n;
    struct slice text;
};

static unsigned next(struct script *s)
{
    return s->p < s->end ? *s->p++ : 0;
}

/* False: not all of it can be read, or nothing. */
static bool open_document(struct document *d, const char *format, struct slice text)
{
    memset(d, 0, sizeof *d);
    d->text = text;
    kit_open(&d->kit, format, text);
    edits_init(&d->edits, &d->kit.arena);
    while (d->kit.rc < STOP && d->n < MESSAGES) {
        d->kit.rc = reader_read(&d->kit.reader, &d->kit.arena, &d->messages[d->n], &d->kit.problems);
        if (d->kit.rc != OK)
            break;
        d->n++;
    }
    return d->kit.rc == END && d->kit.problems.n == 0 && d->n > 0;
}

static struct slice patched(struct document *d, struct sink *sink)
{
    struct patcher p;
    patcher_init(&p, &d->kit.reader, &d->kit.arena);
    struct slice now = kit_patch(&d->kit, &p, &d->edits, d->text, sink);
    return d->kit.problems.n ? (struct slice){ "", 0 } : now;
}

static struct value some_value(const struct field *f, unsigned which)
{
    static const char *const texts[] = { NULL, "x", "n;\"w\",|", " a\tb ", "<&>]]>", "\xC3\xA9\xE2\x82\xAC", "l1\nl2", "'",
                                         "a long text that does not fit into thirty-two bytes at all" };
    static const char *const numbers[] = { NULL, "12", "-0.5", "1.25", "0", "100000000" };
    const char *p = f->type == TYPE_TEXT ? texts[which % (sizeof texts / sizeof *texts)]
                                         : numbers[which % (sizeof numbers / sizeof *numbers)];
    return (struct value){ .p = p, .n = p ? (uint32_t)strlen(p) : 0, .state = p ? VALUE_PRESENT : VALUE_ABSENT,
                           .at = VALUE_NO_PLACE };
}

static void set_some(struct document *d, size_t message, size_t line, struct node *n, const char *name, unsigned which,
                     struct set *sets, size_t *nsets)
{
    const struct field *f = group_field(n->group, slice_of(name));
    struct value v = some_value(f, which);
    for (size_t i = 0; i < *nsets; i++)
        if (sets[i].message == message && sets[i].line == line && sets[i].field == f)
            return;
    if (*nsets == SETS)
        return;
    edit_set(&d->edits, n, f, &v);
    sets[(*nsets)++] = (struct set){ message, line, f };
}

static void insert_line(struct document *d, struct node *m, struct node *after, unsigned number, unsigned which)
{
    const struct group *g = m->group->groups[0];
    struct node *line = node_new(&d->kit.arena, g, m);
    struct slice key = arena_printf(&d->kit.arena, "new%u", number);
    *node_value(line, group_field(g, SLICE("K"))) =
        (struct value){ .p = key.p, .n = (uint32_t)key.n, .state = VALUE_PRESENT, .at = VALUE_NO_PLACE };
    *node_value(line, group_field(g, SLICE("V"))) = some_value(group_field(g, SLICE("V")), which);
    edit_insert(&d->edits, line, m, after);
}

/* The script's edits of one message; true: lines came or went. */
static bool edit_message(struct document *d, size_t i, struct script *s, struct set *sets, size_t *nsets)
{
    struct node *m = d->messages[i], *gone = NULL;
    struct node_list *lines = node_list(m, m->group->groups[0]);
    unsigned n = next(s) % 4;
    bool moved = false, added = false;
    d->touched[i] = n > 0;
    for (unsigned k = 0; k < n; k++) {
        unsigned op = next(s), which = next(s);
        size_t at = lines->n ? 1 + op / 4 % lines->n : 0;
        struct node *line = lines->first;
        for (size_t skip = at; skip > 1; skip--)
            line = line->next;
        if (op % 4 == 0 || (!line && op % 4 != 3)) {
            set_some(d, i, 0, m, which & 128 ? "Q" : "A", which & 127, sets, nsets);
        } else if (op % 4 == 1 && line != gone) {
            set_some(d, i, at, line, "V", which, sets, nsets);
        } else if (op % 4 == 2 && !gone && k == 0) {    /* ahead of the others, which leave it alone */
            edit_delete(&d->edits, gone = line);
            moved = true;
        } else if (op % 4 == 3 && !added) {             /* of two at one place the order would be a matter of taste */
            added = true;
            insert_line(d, m, which & 64 || line == gone ? NULL : line, k, which & 63);
            moved = true;
        }
    }
    return moved;
}

static void differ(const char *what, const struct document *d, struct slice a, struct slice b)
{
    fprintf(stderr, "%s\nfrom:\n%.*s\nbytes:\n%.*s\nand:\n%.*s\n", what, SLICE_ARG(d->text), SLICE_ARG(a), SLICE_ARG(b));
    abort();
}

static struct slice part(struct slice text, uint64_t from, uint64_t to)
{
    return (struct slice){ text.p + from, (size_t)(to - from) };
}

/* Around and between the messages, and in those that were left alone. */
static void same_bytes(const struct document *old, const struct document *now)
{
    uint64_t a = 0, b = 0;
    if (old->n != now->n)
        differ("messages", old, now->text, (struct slice){ "", 0 });
    for (size_t i = 0; i < old->n; i++) {
        const struct node *m = old->messages[i], *k = now->messages[i];
        struct slice gap = part(old->text, a, m->at), left = part(now->text, b, k->at);
        if (old->touched[i] || (i && old->touched[i - 1]))  /* an empty line within a message may now stand ahead of it */
            gap = slice_trim(gap), left = slice_trim(left);
        if (!slice_equal(gap, left))
            differ("between messages", old, now->text, part(now->text, b, k->at));
        if (!old->touched[i] && !slice_equal(part(old->text, m->at, m->end), part(now->text, k->at, k->end)))
            differ("a message without edits", old, now->text, part(now->text, k->at, k->end));
        a = m->end;
        b = k->end;
    }
    if (!slice_equal(part(old->text, a, old->text.n), part(now->text, b, now->text.n)))
        differ("behind the messages", old, now->text, part(now->text, b, now->text.n));
}

/* The values that were set, set to what is read now. */
static void set_again(struct document *now, const struct set *sets, size_t nsets)
{
    struct sink sink;
    for (size_t i = 0; i < nsets; i++) {
        struct node *n = now->messages[sets[i].message];
        if (sets[i].line) {
            n = node_list(n, n->group->groups[0])->first;
            for (size_t skip = sets[i].line; skip > 1 && n; skip--)
                n = n->next;
        }
        if (!n)
            return;
        edit_set(&now->edits, n, sets[i].field, node_value(n, sets[i].field));
    }
    struct slice again = patched(now, &sink);
    if (again.n && !slice_equal(again, now->text))
        differ("GetPut", now, again, (struct slice){ "", 0 });
    sink_release(&sink);
}

/* 1.50 is 1.5: rows of one message may spell a number in several ways, and the first of them may go. */
static void put_line(struct buf *out, struct slice line)
{
    static const char number[] = "  Q = \"";
    buf_add(out, line);
    if (!slice_starts(line, SLICE(number)) || !memchr(line.p, '.', line.n))
        return;
    out->n -= 2;                                /* the quote and the line end */
    while (out->p[out->n - 1] == '0')
        out->n--;
    out->n -= out->p[out->n - 1] == '.';
    buf_text(out, "\"\n");
}

/* The tree as text; a value that is there and empty is nothing too, as `""` in a row is. */
static void dump(struct buf *out, const struct node *n)
{
    struct buf b = { 0 };
    node_dump(&b, n);
    for (const char *p = b.p, *end = b.p + b.n, *line; p < end; p = line) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        line = stop ? stop + 1 : end;
        if (line - p < 4 || memcmp(line - 4, " = \n", 4) != 0)
            put_line(out, slice_range(p, line));
    }
    buf_release(&b);
}

static void run(const char *format, struct script *s, struct slice text)
{
    struct document old, now;
    struct set sets[SETS];
    struct sink sink = { .fd = -1 };
    struct buf want = { 0 }, got = { 0 };
    size_t nsets = 0;
    bool moved = false, good = open_document(&old, format, text);
    for (size_t i = 0; good && i < old.n; i++) {
        struct edit *last = old.edits.last;
        moved |= edit_message(&old, i, s, sets, &nsets);
        dump(&want, edits_copy(last ? last->next : old.edits.first, old.messages[i], &old.kit.arena));
    }
    struct slice bytes = good && old.edits.n ? patched(&old, &sink) : (struct slice){ "", 0 };
    if (bytes.n) {
        if (!open_document(&now, format, bytes)) {
            kit_show(&now.kit);
            differ("cannot be read", &old, bytes, (struct slice){ "", 0 });
        }
        for (size_t i = 0; i < now.n; i++)
            dump(&got, now.messages[i]);
        if (!slice_equal(buf_slice(&want), buf_slice(&got)))
            differ("PutGet", &old, bytes, buf_slice(&want));
        same_bytes(&old, &now);
        if (!moved)
            set_again(&now, sets, nsets);
        kit_close(&now.kit);
    }
    sink_release(&sink);
    buf_release(&want);
    buf_release(&got);
    kit_close(&old.kit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 3)
        return 0;
    size_t length = data[1] % SCRIPT;
    length = length < n - 2 ? length : n - 2;
    struct script s = { data + 2, data + 2 + length };
    run(formats[data[0] % (sizeof formats / sizeof *formats)], &s, (struct slice){ (const char *)data + 2 + length, n - 2 - length });
    return 0;
}
