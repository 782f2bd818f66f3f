#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/care_private.h"
#include "flow/room.h"

/* Prometheus text format 0.0.4, for node_exporter's textfile collector: written beside and renamed. */
#define EVERY_MS 15000

static struct care_counts *counts_of(struct care *c, struct slice flow, struct slice operation)
{
    struct care_counts *n = c->counts;
    while (n && !(slice_equal(n->flow, flow) && slice_equal(n->operation, operation)))
        n = n->next;
    if (!n) {
        n = arena_zero(&c->arena, sizeof *n);
        n->flow = arena_copy(&c->arena, flow);
        n->operation = arena_copy(&c->arena, operation);
        *c->last_counts = n;
        c->last_counts = &n->next;
    }
    return n;
}

void metrics_event(struct supervisor *s, const char *event, const struct trip *t)
{
    const struct waybill *w = t->b->w;
    struct care_counts *n = counts_of(s->care, w->flow, t->op ? t->op->name : w->operation);
    if (strcmp(event, "accepted") == 0 || strcmp(event, "created") == 0) {
        n->taken++;
        n->bytes += w->bytes;
    } else if (strcmp(event, "duplicate") == 0) {
        n->taken++;
        n->bytes += w->bytes;
        n->rejected++;
    } else if (strcmp(event, "error") == 0 || strcmp(event, "refused") == 0) {
        n->rejected++;
    } else if (strcmp(event, "retry") == 0) {
        n->retries++;
    } else if (strcmp(event, "delivered") == 0) {
        n->delivered++;
        n->success = clock_now(&s->o->clock);
    } else if (strcmp(event, "written") == 0 && t->result) {
        n->done += t->result->done;
        n->refused += t->result->rejected;
        n->skipped += t->result->skipped;
        n->waiting += t->result->waiting;
    }
}

struct metrics {
    struct supervisor *s;
    struct buf out, site;           /* site: its label, escaped */
};

/* A label's value: backslash, quotation mark and newline are escaped. */
static void add_value(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\' || text.p[i] == '"')
            buf_byte(out, '\\');
        if (text.p[i] == '\n')
            buf_text(out, "\\n");
        else
            buf_byte(out, text.p[i]);
    }
}

static void head(struct metrics *m, const char *name, const char *type, const char *help)
{
    buf_printf(&m->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void begin(struct metrics *m, const char *name)
{
    buf_printf(&m->out, "%s{site=\"", name);
    buf_add(&m->out, buf_slice(&m->site));
    buf_byte(&m->out, '"');
}

static void label(struct metrics *m, const char *name, struct slice value)
{
    buf_printf(&m->out, ",%s=\"", name);
    add_value(&m->out, value);
    buf_byte(&m->out, '"');
}

static void end(struct metrics *m, int64_t value)
{
    buf_printf(&m->out, "} %" PRId64 "\n", value);
}

static void gauge(struct metrics *m, const char *name, const char *help, int64_t value)
{
    head(m, name, "gauge", help);
    begin(m, name);
    end(m, value);
}

/* One counter of every operation. */
static void counter(struct metrics *m, const char *name, const char *help, size_t offset)
{
    head(m, name, "counter", help);
    for (const struct care_counts *n = m->s->care->counts; n; n = n->next) {
        uint64_t value;
        memcpy(&value, (const char *)n + offset, sizeof value);
        begin(m, name);
        label(m, "flow", n->flow);
        label(m, "operation", n->operation);
        end(m, (int64_t)value);
    }
}

static void messages(struct metrics *m)
{
    static const char name[] = "waybill_messages_total";
    head(m, name, "counter", "Messages by what became of them.");
    for (const struct care_counts *n = m->s->care->counts; n; n = n->next) {
        const struct { const char *result; uint64_t count; } list[] = {
            { "done", n->done }, { "rejected", n->refused }, { "skipped", n->skipped }, { "waiting", n->waiting },
        };
        for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
            begin(m, name);
            label(m, "flow", n->flow);
            label(m, "operation", n->operation);
            label(m, "result", slice_of(list[i].result));
            end(m, (int64_t)list[i].count);
        }
    }
}

static void success(struct metrics *m)
{
    static const char name[] = "waybill_last_success_timestamp_seconds";
    head(m, name, "gauge", "When an operation last delivered, since 1970.");
    for (const struct care_counts *n = m->s->care->counts; n; n = n->next) {
        if (!n->success)
            continue;
        begin(m, name);
        label(m, "flow", n->flow);
        label(m, "operation", n->operation);
        end(m, n->success);
    }
}

static void flows(struct metrics *m)
{
    struct supervisor *s = m->s;
    static const char name[] = "waybill_batches_in_hand";
    head(m, name, "gauge", "Batches that are worked on or wait for another try.");
    for (size_t i = 0; s->flows && i < s->site->nflows; i++) {
        begin(m, name);
        label(m, "flow", s->site->flows[i]->name);
        end(m, (int64_t)s->flows[i].n);
    }
}

static int64_t entries(int dirfd)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;
    int64_t n = 0;
    while (dir && (e = file_entry(dir, &err)))
        n += e->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n;
}

/* Files that are ready in inboxes and not taken yet. */
static void inboxes(struct metrics *m)
{
    struct timespec now;
    int64_t n = 0, oldest = 0;
    clock_gettime(CLOCK_REALTIME, &now);
    for (size_t i = 0; i < m->s->nintakes; i++) {
        const struct intake *in = &m->s->intakes[i];
        for (size_t k = in->at; k < in->nready; k++) {
            int64_t age = now.tv_sec - in->ready[k].mtime_ns / 1000000000;
            oldest = age > oldest ? age : oldest;
            n++;
        }
    }
    gauge(m, "waybill_inbox_files", "Files that are ready in inboxes and not taken yet.", n);
    gauge(m, "waybill_inbox_oldest_age_seconds", "Age of the oldest of them, 0 without any.", oldest);
}

static void disk(struct metrics *m)
{
    struct statvfs v;
    if (fstatvfs(m->s->spool.top, &v) != 0)
        return;
    gauge(m, "waybill_disk_free_bytes", "Free bytes of the site's disk.", (int64_t)room_free(&v));
    gauge(m, "waybill_disk_reserve_bytes", "Free bytes below which nothing is taken.",
          (int64_t)room_reserve(&m->s->site->limits, &v));
}

static void all(struct metrics *m)
{
    struct care *c = m->s->care;
    counter(m, "waybill_batches_taken_total", "Files taken from inboxes, and batches made.",
            offsetof(struct care_counts, taken));
    counter(m, "waybill_batches_delivered_total", "Batches whose outputs were delivered.",
            offsetof(struct care_counts, delivered));
    counter(m, "waybill_batches_rejected_total", "Batches refused as a whole, or an operation on them.",
            offsetof(struct care_counts, rejected));
    counter(m, "waybill_retries_total", "Times that a batch was put off because of a fault of the world.",
            offsetof(struct care_counts, retries));
    counter(m, "waybill_input_bytes_total", "Bytes of the files that were taken.", offsetof(struct care_counts, bytes));
    messages(m);
    success(m);
    flows(m);
    gauge(m, "waybill_batches_open", "Batches whose life has not ended.", entries(m->s->spool.work));
    gauge(m, "waybill_batches_in_error", "Batches that lie in error/.", entries(m->s->spool.error));
    inboxes(m);
    disk(m);
    head(m, "waybill_notices_dropped_total", "counter", "Notices that were dropped because too many waited.");
    begin(m, "waybill_notices_dropped_total");
    end(m, (int64_t)c->dropped);
    gauge(m, "waybill_start_time_seconds", "When this process took the site, since 1970.", c->started);
    head(m, "waybill_build_info", "gauge", "Version of the program.");
    begin(m, "waybill_build_info");
    label(m, "version", SLICE(WAYBILL_VERSION));
    end(m, 1);
}

static int replace(struct supervisor *s, const char *path, struct slice text)
{
    struct arena a;
    arena_init(&a, 0);
    struct slice folder = file_dir(&a, path);
    int dir = open(folder.n ? arena_cstr(&a, folder) : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
    struct problems said;
    problems_init(&said, &a, 1);
    if (dir < 0) {
        rc = problem_system(&said, path, "the metrics cannot be written", errno);
    } else {
        rc = file_replace(dir, file_base(path), text, 0644, false, &said);
        close(dir);
    }
    if (rc > WARN && !s->care->metrics_failed && said.first)
        problem_add(s->ps, said.first);             /* once, until it works again */
    s->care->metrics_failed = rc > WARN;
    arena_release(&a);
    return rc;
}

void metrics_write(struct supervisor *s)
{
    struct metrics m = { .s = s };
    char dir[PATH_MAX];
    if (!s->site->metrics)
        return;
    add_value(&m.site, slice_of(realpath(s->site->dir, dir) ? dir : s->site->dir));
    all(&m);
    replace(s, s->site->metrics, buf_slice(&m.out));
    notice_problems(s, s->ps);
    buf_release(&m.out);
    buf_release(&m.site);
}

void metrics_turn(struct supervisor *s, int64_t now, int64_t *wait)
{
    if (!s->site->metrics)
        return;
    if (s->care->metrics_due <= now) {
        s->care->metrics_due = now + EVERY_MS;
        metrics_write(s);
    }
    care_wait(wait, now, s->care->metrics_due);
}
