#include "syntax/syntax.h"

#include <string.h>

void patcher_init(struct patcher *p, struct reader *r, struct arena *a)
{
    *p = (struct patcher){ .reader = r, .arena = a };
}

void patcher_put(struct patcher *p, uint64_t at, uint64_t len, struct slice put)
{
    struct slice own = put.n ? arena_copy(p->arena, put) : (struct slice){ "", 0 };
    ARENA_PUSH(p->arena, p->list, p->n, p->cap) = (struct byte_edit){ .at = at, .len = len, .row = at, .put = own };
}

int patcher_add(struct patcher *p, const struct edits *edits, struct problems *ps)
{
    int worst = OK;
    const size_t before = p->n;
    p->edits = edits;
    p->round++;
    for (const struct edit *e = edits->first; e; e = e->next) {
        int rc = p->reader->syntax->patch(p, e, ps);
        worst = rc > worst ? rc : worst;
        if (rc >= STOP)
            break;
    }
    if (worst > WARN)
        p->n = before;              /* all of them or none */
    return worst;
}

static bool in_order(const struct byte_edit *a, const struct byte_edit *b)
{
    if (a->at != b->at)
        return a->at < b->at;
    return a->turn != b->turn ? a->turn < b->turn : a->depth >= b->depth;
}

/* Bottom-up merge sort by `at`: stable, so inserts at one place keep the order in which they came. */
static void sort_edits(struct patcher *p)
{
    bool sorted = true;
    for (size_t i = 1; i < p->n && sorted; i++)
        sorted = in_order(&p->list[i - 1], &p->list[i]);
    if (sorted)
        return;
    struct byte_edit *from = p->list, *to = arena_alloc(p->arena, p->n * sizeof *to);
    for (size_t width = 1; width < p->n; width *= 2) {
        for (size_t lo = 0; lo < p->n; lo += 2 * width) {
            size_t mid = lo + width < p->n ? lo + width : p->n, hi = mid + width < p->n ? mid + width : p->n;
            size_t i = lo, j = mid;
            for (size_t k = lo; k < hi; k++)
                to[k] = j >= hi || (i < mid && in_order(&from[i], &from[j])) ? from[i++] : from[j++];
        }
        struct byte_edit *t = from;
        from = to;
        to = t;
    }
    p->list = from;
    p->cap = p->n;      /* the other array may be the one with room: the next push takes a new one */
}

/* Drops what lies inside a deleted range; two edits that replace the same bytes are a contradiction. */
static int settle_overlaps(struct patcher *p, const char *file, struct problems *ps)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->n; i++) {
        struct byte_edit *last = kept ? &p->list[kept - 1] : NULL, *e = &p->list[i];
        bool gone = last && last->turn == PATCH_GOES && e->turn == PATCH_VALUE && e->row >= last->at &&
                    e->row < last->at + last->len;
        if (gone || (!e->len && !e->put.n)) {
            continue;
        } else if (!last || e->at >= last->at + last->len) {
            if (last && last->turn == PATCH_GOES && e->ahead && e->at == last->at + last->len)
                e->put = slice_range(e->put.p + e->ahead, e->put.p + e->put.n);
            p->list[kept++] = *e;
        } else if (last->put.n == 0 && e->at + e->len <= last->at + last->len) {
            continue;
        } else if (e->put.n == 0 && e->at == last->at && e->len >= last->len) {
            *last = *e;
        } else if (e->at == last->at && e->len == last->len && slice_equal(e->put, last->put)) {
            continue;
        } else {
            problem_addf(ps, PROBLEM_ERROR, "PATCH_OVERLAP", (struct place){ .file = file, .offset = e->at },
                         "two changes meet in the same bytes of the original");
            return STOP;
        }
    }
    p->n = kept;
    return OK;
}

/* Copies the original from where it stands up to offset `to` (UINT64_MAX: to its end), or skips it when `out` is
 * NULL. */
static int pass_on(struct source *in, uint64_t to, struct sink *out, struct problems *ps)
{
    while (source_offset(in, in->at) < to) {
        if (in->at == in->end && !source_fill(in, NULL)) {
            if (in->error)
                return problem_system(ps, in->name, "reading", in->error);
            break;
        }
        uint64_t left = to - source_offset(in, in->at);
        size_t n = (size_t)(in->end - in->at);
        n = left < n ? (size_t)left : n;
        if (out) {
            buf_add(&out->buf, (struct slice){ in->at, n });
            sink_turn(out);
        }
        in->at += n;
    }
    if (to == UINT64_MAX || source_offset(in, in->at) == to)
        return OK;
    problem_addf(ps, PROBLEM_ERROR, "ORIGINAL_SHORT", (struct place){ .file = in->name, .offset = PLACE_NO_OFFSET },
                 "the file ends before byte %llu, where it was read before", (unsigned long long)to);
    return STOP;
}

int patch_run(struct patcher *p, struct source *original, struct sink *out, struct problems *ps)
{
    sort_edits(p);
    int rc = settle_overlaps(p, original->name, ps);
    for (size_t i = 0; rc == OK && i < p->n; i++) {
        rc = pass_on(original, p->list[i].at, out, ps);
        if (rc == OK) {
            buf_add(&out->buf, p->list[i].put);
            sink_turn(out);
            rc = pass_on(original, p->list[i].at + p->list[i].len, NULL, ps);
        }
    }
    return rc == OK ? pass_on(original, UINT64_MAX, out, ps) : rc;
}

int syntax_excerpt(struct source *original, uint64_t head_end, uint64_t tail_at, const struct span *spans, size_t n,
                   struct sink *out, struct problems *ps)
{
    struct reader r = { .head_end = head_end, .tail_at = tail_at };
    return syntax_excerpt_framed(original, &r, spans, n, spans, 0, out, ps);
}

static int one_span(struct source *original, const struct span *s, struct sink *out, struct problems *ps)
{
    int rc = pass_on(original, s->at, NULL, ps);
    return rc == OK ? pass_on(original, s->end, out, ps) : rc;
}

int syntax_excerpt_framed(struct source *original, const struct reader *r, const struct span *spans, size_t n,
                          const struct span *frame, size_t nframe, struct sink *out, struct problems *ps)
{
    size_t i = 0, k = 0;
    bool first = true;
    int rc = pass_on(original, r->head_end, out, ps);
    while (rc == OK && (i < n || k < nframe)) {
        if (k < nframe && (i == n || frame[k].at < spans[i].at)) {
            if (frame[k].at == frame[k].end)
                buf_text(&out->buf, "null");        /* as if it were not there */
            rc = one_span(original, &frame[k++], out, ps);
            first = true;
            continue;
        }
        if (!first)
            buf_add(&out->buf, r->between);
        first = false;
        rc = one_span(original, &spans[i++], out, ps);
    }
    if (rc == OK)
        rc = pass_on(original, r->tail_at, NULL, ps);
    return rc == OK ? pass_on(original, UINT64_MAX, out, ps) : rc;
}
