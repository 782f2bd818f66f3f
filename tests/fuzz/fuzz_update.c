/*
 * fuzz_update - any bytes as an original, and behind the first byte 0x1e as an answer to it:
 *     an answer that says what the original says changes no byte (GetPut)
 *     an answer that was entered changes nothing when it comes again
 *     edits of the tree and edits of the bytes give the same document
 */
#include <stdint.h>
#include <string.h>

#include "flow/convert.h"
#include "unit/xmlkit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MEMBERS(id, q) "{\n Id text required" id "\n A text\n Q decimal" q "\n group L 0..* key K {\n  K text required\n  V text\n }\n}\n"

static const char *const lefts[] = {
    "syntax csv\nmessage M key Id " MEMBERS("", ""),
    "syntax csv delimiter \";\" header no\nmessage M key Id again " MEMBERS("", " mark \",\""),
    "syntax xml\nmessage M at /r/m key Id " MEMBERS(" at @id", " scale 0..3"),
    "syntax json\nmessage M at /m key Id " MEMBERS("", ""),
    "syntax json lines\nmessage M key Id " MEMBERS("", ""),
};
static const char right[] = "syntax csv\nmessage M key Id again " MEMBERS("", "");
static const char map[] = "mapping l <=> r\nM <=> M {\n key Id <=> Id\n A <=> A\n Q <=> Q\n <= missing keep\n <= new ignore\n"
                          " L <=> L {\n  key K <=> K\n  V <=> V\n  <= missing keep\n }\n}\n";

struct pair {
    struct kit left, right;
    struct mapping *m;
};

static int load(void *owner, struct arena *a, struct slice name, const char *from, struct format **out, struct problems *ps)
{
    struct pair *p = owner;
    (void)a, (void)from, (void)ps;
    *out = slice_is(name, "l") ? p->left.format : p->right.format;
    return OK;
}

static void open_pair(struct pair *p, const char *left)
{
    static const char *const roots[] = { NULL };
    struct finder finder = { .roots = roots };
    struct mapping_env env = { .finder = &finder, .load_format = load, .owner = p };
    struct conf *c = NULL;
    struct arena *a = &p->left.arena;
    if (!kit_format(&p->left, left) || !kit_format(&p->right, right) ||
        conf_parse(a, "m.map", slice_of(map), &c, &p->left.problems) != OK ||
        mapping_compile(a, &env, SLICE("m"), c, &p->m, &p->left.problems) > WARN) {
        kit_show(&p->left);
        abort();
    }
}

/* True: nothing at all was said. */
static bool convert(struct pair *p, enum mapping_direction d, struct slice in, const struct slice *original, struct buf *out)
{
    struct outside o = { .batch_id = SLICE("B"), .file_name = SLICE("f"), .batch_time = SLICE("2026-01-02T03:04:05+01:00") };
    struct conversion c = { .mapping = p->m, .direction = d, .outside = &o, .limits = &limits_default };
    struct problems ps;
    problems_init(&ps, &p->left.arena, 10);
    return convert_text(&c, "in", in, original, out, &ps) == OK && ps.n == 0;
}

static void differ(const char *law, struct slice a, struct slice b)
{
    fprintf(stderr, "%s:\n%.*s\nand:\n%.*s\n", law, SLICE_ARG(a), SLICE_ARG(b));
    abort();
}

static void laws(const char *left, struct slice s, struct slice answer)
{
    struct pair p;
    struct buf t = { 0 }, back = { 0 }, once = { 0 }, twice = { 0 };
    open_pair(&p, left);
    if (convert(&p, MAPPING_FORWARD, s, NULL, &t) && convert(&p, MAPPING_BACKWARD, buf_slice(&t), &s, &back) &&
        !slice_equal(buf_slice(&back), s))
        differ("GetPut", s, buf_slice(&back));
    struct slice first = slice_none();
    if (answer.n && convert(&p, MAPPING_BACKWARD, answer, &s, &once)) {
        first = buf_slice(&once);
        if (convert(&p, MAPPING_BACKWARD, answer, &first, &twice) && !slice_equal(first, buf_slice(&twice)))
            differ("again", first, buf_slice(&twice));
    }
    buf_release(&t);
    buf_release(&back);
    buf_release(&once);
    buf_release(&twice);
    for (int i = 0; i < 2; i++) {
        struct kit *k = i ? &p.right : &p.left;
        arena_release(&k->message);
        arena_release(&k->arena);
        buf_release(&k->out);
    }
}

/* Some change of the message, chosen by the number. */
static void change(struct edits *e, struct node *m, size_t number, bool rows)
{
    static const struct value text = { .p = "n;\"w\"", .n = 5, .state = VALUE_PRESENT, .at = VALUE_NO_PLACE },
                              number_value = { .p = "12", .n = 2, .state = VALUE_PRESENT, .at = VALUE_NO_PLACE };
    const struct field *a = group_field(m->group, SLICE("A")), *q = group_field(m->group, SLICE("Q"));
    struct group *lines = m->group->groups[0];
    struct node *line = node_list(m, lines)->first;
    if (number & 1)
        edit_set(e, m, a, &text);
    if (number & 2)
        edit_set(e, m, q, &number_value);
    if (number & 4 && line)
        edit_set(e, line, group_field(lines, SLICE("V")), &text);
    if (number & 8 && line && line->next && !rows)
        edit_delete(e, line->next);
}

/* The tree with the edits against the bytes with the edits, read again. */
static void agree(const char *left, struct slice s, size_t number)
{
    struct kit k, now;
    struct patcher p;
    struct edits e;
    struct sink sink;
    struct node *m = NULL;
    struct buf want = { 0 };
    kit_open(&k, left, s);
    patcher_init(&p, &k.reader, &k.arena);
    edits_init(&e, &k.arena);
    while (k.rc < STOP && (k.rc = reader_read(&k.reader, &k.arena, &m, &k.problems)) == OK) {
        struct edit *last = e.last;
        change(&e, m, number++, left == lefts[0] || left == lefts[1]);
        node_dump(&want, edits_copy(last ? last->next : e.first, m, &k.arena));
    }
    struct slice text = k.rc == END && k.problems.n == 0 && e.n ? kit_patch(&k, &p, &e, s, &sink) : slice_none();
    if (text.n && k.problems.n == 0) {
        kit_open(&now, left, text);
        const char *got = kit_dump(&now);
        if (!slice_is(buf_slice(&want), got)) {
            fprintf(stderr, "from:\n%.*s\nbytes:\n%.*s\n", SLICE_ARG(s), SLICE_ARG(text));
            differ("trees", buf_slice(&want), slice_of(got));
        }
        kit_close(&now);
    }
    if (text.p)
        sink_release(&sink);
    kit_close(&k);
    buf_release(&want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2)
        return 0;
    const char *left = lefts[data[0] % (sizeof lefts / sizeof *lefts)];
    struct slice s = { (const char *)data + 1, n - 1 }, answer = slice_none();
    const char *cut = memchr(s.p, 0x1e, s.n);
    if (cut) {
        answer = (struct slice){ cut + 1, s.n - (size_t)(cut + 1 - s.p) };
        s.n = (size_t)(cut - s.p);
    }
    laws(left, s, answer);
    agree(left, s, data[0] / 5);
    return 0;
}
