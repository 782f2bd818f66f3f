#include <fcntl.h>
#include <unistd.h>

#include "batch/bundle.h"
#include "flow/super.h"
#include "flow/wire.h"

#define BUNDLES_BYTES (4 << 20)     /* of what goes into the zips of one job */

/* --- the supervisor's side ---------------------------------------------------------------------------------------- */

static struct bundles *bundles_new(void)
{
    struct arena a;
    arena_init(&a, 0);
    struct bundles *g = arena_zero(&a, sizeof *g);
    g->arena = a;
    g->list = arena_zero(&g->arena, WAVE * sizeof *g->list);
    return g;
}

static void bundles_free(struct bundles *g)
{
    struct arena a = g->arena;
    arena_release(&a);
}

/* What is archived leaves, each with the status of its bundle. */
static void bundles_end(struct supervisor *s, struct bundles *g)
{
    for (size_t i = 0; i < g->n; i++) {
        struct trip *t = g->trips[i];
        int rc = g->list[i].status;
        if (rc <= WARN)
            rc = batch_zip_done(t->b, &t->zip, s->ps);
        step_archived(s, t, rc);
    }
    bundles_free(g);
}

/* What goes into the zips is in memory from here on. */
static void prepare(struct supervisor *s, struct bundles *g)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++) {
        struct trip *t = g->trips[i];
        int rc = batch_zip_prepare(t->b, &t->zip, s->ps);
        if (rc > WARN) {
            step_archived(s, t, rc);
            continue;
        }
        batch_bundle_of(t->b, &t->zip, &g->list[n]);
        g->trips[n++] = t;
    }
    g->n = n;
}

static void bundles_here(struct supervisor *s, struct bundles *g)
{
    if (g->n)
        batch_bundles_archive(&s->store, &g->arena, g->list, g->n, s->ps);
    bundles_end(s, g);
}

/* Another host that takes over does not know of our workers: on a shared site nothing is left to them. */
static bool for_worker(const struct supervisor *s, const struct trip *t)
{
    return t->b->wave && !s->lease.shared;
}

static void queue(struct supervisor *s, struct bundles *g)
{
    struct bundles **at = &s->bundles;
    while (*at)
        at = &(*at)->next;
    *at = g;
}

void wave_archive(struct supervisor *s, struct trip **t, size_t n)
{
    struct bundles *here = bundles_new(), *there = NULL;
    for (size_t i = 0; i < n; i++) {
        bool worker = for_worker(s, t[i]);
        if (worker && (!there || there->bytes > BUNDLES_BYTES))
            queue(s, there = bundles_new());
        struct bundles *g = worker ? there : here;
        trip_to(s, t[i], TRIP_ZIPPING);
        t[i]->zip.fd = -1;                          /* nothing is to be taken away yet */
        g->trips[g->n++] = t[i];
        g->bytes += t[i]->b->w->bytes + t[i]->b->lines.n;
    }
    prepare(s, here);
    bundles_here(s, here);
    bundles_start(s);
}

static void wire_bundle(struct buf *b, const struct batch_bundle *of)
{
    wire_text(b, slice_of(of->id));
    wire_number(b, of->n);
    for (size_t i = 0; i < of->n; i++) {
        wire_text(b, slice_of(of->members[i].name));
        wire_text(b, of->members[i].original);
        wire_text(b, of->members[i].bytes);
        wire_text(b, slice_of(of->members[i].sha256 ? of->members[i].sha256 : ""));
    }
    wire_number(b, of->nlines);
    for (size_t i = 0; i < of->nlines; i++)
        wire_text(b, slice_of(of->lines[i]));
}

/* The site's lock goes along: as long as a worker writes, no other process takes the site, whatever becomes of us. */
static void hand_over(struct supervisor *s, struct bundles *g, struct helper *h)
{
    struct buf text = { 0 };
    const int fds[] = { s->store.root, s->lease.fd };
    wire_number(&text, WIRE_BUNDLES);
    wire_number(&text, s->store.durable);
    wire_number(&text, g->n);
    for (size_t i = 0; i < g->n; i++)
        wire_bundle(&text, &g->list[i]);
    h->bundles = g;
    if (wire_send_long(h->socket, WIRE_BUNDLES, &text, fds, 2) != 0)
        pool_give_up(s, h);
    buf_release(&text);
}

void bundles_start(struct supervisor *s)
{
    struct helper *h;
    while (s->bundles && pool_busy(s) < s->nhelpers) {
        struct bundles *g = s->bundles;
        s->bundles = g->next;
        prepare(s, g);
        if (g->n && (h = pool_idle(s)))
            hand_over(s, g, h);
        else
            bundles_here(s, g);
    }
    notice_problems(s, s->ps);
}

int bundles_answered(struct supervisor *s, struct helper *h, struct wire *w)
{
    struct bundles *g = h->bundles;
    for (size_t i = 0; i < g->n; i++) {
        uint64_t status = wire_get_number(w);
        w->bad |= status > TEMP;
        g->list[i].status = (int)status;
    }
    struct slice code = wire_get_text(w), text = wire_get_text(w);
    if (w->bad)
        return STOP;
    h->bundles = NULL;
    if (code.n)
        problem_addf(s->ps, PROBLEM_ERROR, arena_cstr(&g->arena, code),
                     (struct place){ .file = "archive", .offset = PLACE_NO_OFFSET }, "%.*s", SLICE_ARG(text));
    bundles_end(s, g);
    return OK;
}

void bundles_lost(struct supervisor *s, struct bundles *g, bool ending)
{
    if (ending) {
        bundles_free(g);                            /* they are delivered: the next start archives them */
        return;
    }
    problem_addf(s->ps, PROBLEM_WARNING, "WORKER_DIED", (struct place){ .file = "archive", .offset = PLACE_NO_OFFSET },
                 "a worker died while it made %zu archives: they are made again", g->n);
    notice_problems(s, s->ps);
    bundles_here(s, g);
}

void bundles_forget(struct supervisor *s)
{
    while (s->bundles) {
        struct bundles *g = s->bundles;
        s->bundles = g->next;
        bundles_free(g);
    }
}

/* --- the worker's side -------------------------------------------------------------------------------------------- */

static const char *get_name(struct wire *w)
{
    return arena_cstr(w->arena, wire_get_text(w));
}

static size_t get_number(struct wire *w, size_t most)
{
    uint64_t n = wire_get_number(w);
    w->bad |= n > most;
    return w->bad ? 0 : (size_t)n;
}

static void get_bundle(struct wire *w, struct batch_bundle *b)
{
    *b = (struct batch_bundle){ .id = get_name(w), .fd = -1 };
    b->n = get_number(w, WIRE_MAX);
    b->members = arena_zero(w->arena, (b->n + 1) * sizeof *b->members);
    for (size_t i = 0; i < b->n; i++) {
        struct archived_member *m = &b->members[i];
        m->name = get_name(w);
        m->original = wire_get_text(w);
        m->bytes = wire_get_text(w);
        m->sha256 = get_name(w);
        if (!*m->sha256)
            m->sha256 = NULL;
    }
    b->nlines = get_number(w, b->n);
    b->lines = arena_zero(w->arena, (b->nlines + 1) * sizeof *b->lines);
    for (size_t i = 0; i < b->nlines; i++)
        b->lines[i] = get_name(w);
}

bool bundles_work(struct wire *packet, const int *fds, size_t nfds, struct buf *answer)
{
    struct problems ps;
    if (nfds != 3)
        return false;
    struct wire w = wire_long(fds[2], packet->arena);
    bool known = wire_get_number(&w) == WIRE_BUNDLES;
    struct store store = { .path = ".", .top = -1, .durable = wire_get_number(&w) != 0 };
    size_t n = get_number(&w, WAVE);
    struct batch_bundle *list = arena_zero(w.arena, (n + 1) * sizeof *list);
    for (size_t i = 0; i < n; i++)
        get_bundle(&w, &list[i]);
    /* Of an own opening: what could not be written back is told once for each, and every worker must hear it. */
    store.root = openat(fds[0], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w.bad || !known || store.root < 0)
        return false;
    problems_init(&ps, w.arena, 10);
    batch_bundles_archive(&store, w.arena, list, n, &ps);
    wire_number(answer, WIRE_BUNDLED);
    for (size_t i = 0; i < n; i++)
        wire_number(answer, (uint64_t)list[i].status);
    wire_text(answer, ps.last ? slice_of(ps.last->code) : slice_none());
    wire_text(answer, ps.last ? ps.last->text : slice_none());
    close(store.root);
    close(fds[0]);
    close(fds[1]);
    return true;
}
