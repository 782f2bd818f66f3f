#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flow/work.h"
#include "store/ledger.h"

/* A table's file as it was when it was read: another file under the name, or a changed one, is read again. */
struct cached {
    const struct site_table *site;
    struct arena arena;
    struct table *table;
    struct stat was;
    char sha256[SHA256_HEX];
    bool there;
    uint64_t job;                   /* that looked last */
    int fd;                         /* what was read, until it is handed over; -1 = it was, or there is none */
};

struct opened_ledger {
    struct ledger *ledger;
    struct arena arena;
};

struct table_cache {
    const struct site *site;
    struct arena arena;
    uint64_t job;                   /* counted: all mappings of one job see a table as its first one does */
    struct cached *tables;          /* by site_table.index */
    struct opened_ledger *ledgers;  /* by flow.index */
    struct store store;
    bool store_open;
    const struct waybill_pin *pins; /* of ledgers as they were */
    bool past;                      /* … those count */
};

struct table_cache *table_cache_new(const struct site *site)
{
    struct arena a;
    arena_init(&a, 0);
    struct table_cache *c = arena_zero(&a, sizeof *c);
    c->site = site;
    c->tables = arena_zero(&a, (site->ntables + 1) * sizeof *c->tables);
    c->ledgers = arena_zero(&a, (site->nflows + 1) * sizeof *c->ledgers);
    for (size_t i = 0; i < site->ntables; i++)
        c->tables[i].fd = -1;
    c->arena = a;
    return c;
}

void table_cache_begin(struct table_cache *c)
{
    c->job++;
}

void table_cache_as_of(struct table_cache *c, const struct waybill_pin *pins)
{
    c->pins = pins;
    c->past = true;
}

static void drop_fd(struct cached *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void table_cache_free(struct table_cache *c)
{
    struct arena a = c->arena;
    for (size_t i = 0; i < c->site->ntables; i++) {
        drop_fd(&c->tables[i]);
        if (c->tables[i].table)
            arena_release(&c->tables[i].arena);
    }
    for (size_t i = 0; i < c->site->nflows; i++)
        if (c->ledgers[i].ledger) {
            ledger_close(c->ledgers[i].ledger);
            arena_release(&c->ledgers[i].arena);
        }
    if (c->store_open)
        store_close(&c->store);
    arena_release(&a);
}

static int read_all_rows(struct reader *r, struct arena *message, int (*each)(void *, struct node *, struct problems *),
                         void *owner, struct problems *ps)
{
    for (;;) {
        struct node *row = NULL;
        int rc = reader_read(r, message, &row, ps);
        if (rc == END)
            return OK;
        if (rc <= WARN)
            rc = each(owner, row, ps);
        if (rc >= STOP)
            return rc;
        arena_reset(message);
    }
}

static int read_opened(int fd, const char *path, const struct format *f, const struct limits *limits,
                       struct sha256 *hash, int (*each)(void *owner, struct node *row, struct problems *ps),
                       void *owner, struct problems *ps)
{
    struct arena own, message;
    struct source source;
    struct reader r = { .source = &source, .format = f, .limits = limits };
    const struct problems before = *ps;
    arena_init(&own, 0);
    arena_init(&message, limits->message);
    source_open_fd(&source, fd, path, limits);
    source.hash = hash;
    source_locate(&source, ps);
    int rc = reader_open(&r, &own, ps);
    if (rc <= WARN)
        rc = read_all_rows(&r, &message, each, owner, ps);
    reader_close(&r);
    source_close(&source);
    ps->file = before.file;                          /* the message at hand is not of the table */
    ps->locate = before.locate;
    ps->locate_owner = before.locate_owner;
    arena_release(&message);
    arena_release(&own);
    return rc;
}

int read_rows(const char *path, const struct format *f, const struct limits *limits, struct sha256 *hash,
              int (*each)(void *owner, struct node *row, struct problems *ps), void *owner, struct problems *ps)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? END : problem_system(ps, path, "the table cannot be read", errno);
    int rc = read_opened(fd, path, f, limits, hash, each, owner, ps);
    close(fd);
    return rc;
}

static int add_row(void *owner, struct node *row, struct problems *ps)
{
    struct cached *c = owner;
    const struct format *f = c->site->format;
    if (row->group != f->messages[0])
        return OK;
    return table_add(c->table, row->values, TABLE_REFUSE, (struct place){ .offset = row->at }, ps);
}

static struct table *new_table(struct cached *c, const struct limits *limits)
{
    const struct group *g = c->site->format->messages[0];
    struct slice *names = arena_alloc(&c->arena, (g->nfields + 1) * sizeof *names);
    enum type *types = arena_alloc(&c->arena, (g->nfields + 1) * sizeof *types);
    for (size_t i = 0; i < g->nfields; i++) {
        names[i] = g->fields[i]->name;
        types[i] = g->fields[i]->type;
    }
    struct table_shape shape = { .name = c->site->name, .columns = names, .types = types, .ncolumns = g->nfields,
                                 .limit = limits->table };
    return table_new(&c->arena, &shape);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size
        && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec
           && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int load(struct cached *c, const struct limits *limits, struct problems *ps)
{
    struct sha256 hash;
    sha256_init(&hash);
    if (c->table)
        arena_release(&c->arena);
    arena_init(&c->arena, 0);
    c->table = new_table(c, limits);
    drop_fd(c);
    c->fd = open(c->site->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int rc = c->fd >= 0 ? read_opened(c->fd, c->site->path, c->site->format, limits, &hash, add_row, c, ps)
        : errno == ENOENT ? END : problem_system(ps, c->site->path, "the table cannot be read", errno);
    sha256_hex(&hash, c->sha256);
    if (rc == END && c->fd < 0) {
        problem_addf(ps, PROBLEM_WARNING, "TABLE_NONE_YET",
                     (struct place){ .file = c->site->path, .offset = PLACE_NO_OFFSET },
                     "table %.*s has no file yet, it counts as empty", SLICE_ARG(c->site->name));
        return OK;
    }
    if (rc >= STOP) {
        arena_release(&c->arena);
        c->table = NULL;
    }
    return rc >= STOP ? rc : OK;
}

/* Only what has changed since then is read again: no mapping holds the old one any more. */
static int look_again(struct cached *c, const struct limits *limits, struct problems *ps)
{
    struct stat st;
    memset(&st, 0, sizeof st);
    bool there = stat(c->site->path, &st) == 0;
    int rc = OK;
    if (!c->table || !there || !c->there || !same_file(&st, &c->was))
        rc = load(c, limits, ps);
    if (rc != OK)
        return rc;
    c->was = st;
    c->there = there;
    return OK;
}

int cache_table(struct table_cache *cache, const struct site_table *t, const struct limits *limits,
                char sha256[SHA256_HEX], uint64_t *rows, struct table **out, struct problems *ps)
{
    struct cached *c = &cache->tables[t->index];
    int rc = OK;
    c->site = t;
    *out = NULL;
    if (!c->table || c->job != cache->job)
        rc = look_again(c, limits, ps);
    if (rc != OK)
        return rc;
    c->job = cache->job;
    memcpy(sha256, c->sha256, SHA256_HEX);
    *rows = c->table->count;
    *out = c->table;
    return OK;
}

void cache_hand_over(struct table_cache *cache, const struct site_table *t, const struct port *port)
{
    struct cached *c = &cache->tables[t->index];
    if (c->fd >= 0 && port->table)
        port->table(port->owner, c->sha256, c->fd);
    drop_fd(c);
}

static int go_back(const struct table_cache *c, const struct flow *f, struct ledger *l, struct problems *ps)
{
    const struct waybill_pin *p = c->pins;
    while (p && !(slice_is(p->kind, "ledger") && slice_equal(p->name, f->name)))
        p = p->next;
    if (p && ledger_as_of(l, p->sha256))
        return OK;
    problem_addf(ps, PROBLEM_ERROR, "REPLAY_LEDGER", PLACE_NONE,
                 "the ledger of flow %.*s as it was then cannot be found in that of now", SLICE_ARG(f->name));
    return STOP;
}

int cache_ledger(struct table_cache *c, const struct flow *f, struct ledger **out, struct problems *ps)
{
    struct opened_ledger *l = &c->ledgers[f->index];
    int rc = c->store_open ? OK : store_open(&c->store, &c->arena, c->site->dir, false, ps);
    *out = NULL;
    if (rc > WARN)
        return rc;
    c->store_open = true;
    if (l->ledger) {
        rc = ledger_refresh(l->ledger, ps);
    } else {
        arena_init(&l->arena, 0);
        rc = ledger_open(&l->arena, &c->store, arena_cstr(&l->arena, f->name), &l->ledger, ps);
        if (rc > WARN) {
            arena_release(&l->arena);
            l->ledger = NULL;
        }
    }
    if (rc <= WARN && c->past)
        rc = go_back(c, f, l->ledger, ps);
    *out = rc <= WARN ? l->ledger : NULL;
    return rc <= WARN ? OK : rc;
}
