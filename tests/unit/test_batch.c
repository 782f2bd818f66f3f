#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>

#include "batch/bundle.h"
#include "batch/lines.h"
#include "base/file.h"
#include "store/archive.h"
#include "unit/batchkit.h"

static const struct batch_accept how = { .flow = { "orders", 6 }, .operation = { "convert", 7 } };

static void take(struct claim *c)
{
    struct drop d;
    char id[BATCH_ID_SIZE];
    inbox_begin(inbox, 0);
    assert_int_equal(inbox_next(inbox, &d, &problems), OK);
    batch_new_id(&site, id);
    assert_int_equal(claim_take(&spool, inbox, &d, id, NULL, c, &problems), OK);
}

static struct batch *accept(const char *name, const char *text)
{
    struct claim c;
    struct batch *b;
    kit_drop(name, text);
    take(&c);
    assert_int_equal(batch_accept(&site, &arena, &c, &how, &b, &problems), OK);
    claim_close(&c);
    return b;
}

static void convert(struct batch *b)
{
    unsigned n;
    int fd;
    batch_restart(b);
    assert_int_equal(batch_output(b, "outbox", SLICE("result.xml"), &n, &fd, &problems), OK);
    assert_int_equal(write(fd, "<a/>", 4), 4);
    assert_int_equal(batch_output_done(b, n, fd, NULL, &problems), OK);
    assert_int_equal(batch_output(b, "outbox", SLICE("result.xml"), &n, &fd, &problems), OK);
    assert_int_equal(write(fd, "<b/>", 4), 4);
    assert_int_equal(batch_output_done(b, n, fd, NULL, &problems), OK);
    b->w->messages = 2;
    waybill_total(b->w, &b->w->totals, "done", 2);
}

static bool has_text(const char *file, const char *want)
{
    char bytes[8192];
    size_t n = tempdir_read(dir, file, bytes, sizeof bytes);
    return n == strlen(want) && memcmp(bytes, want, n) == 0;
}

static void a_batch_lives_from_inbox_to_archive(void **state)
{
    (void)state;
    struct slice text;
    struct waybill *w;
    struct batch *b = accept("orders.csv", "a;b\n");
    char id[BATCH_ID_SIZE];
    snprintf(id, sizeof id, "%s", b->id);
    assert_string_equal(id, "20261122-034431-1-1");
    assert_false(tempdir_has(dir, "inbox/orders.csv"));
    assert_true(has_text(".waybill/work/20261122-034431-1-1/in", "a;b\n"));
    assert_false(tempdir_has(dir, ".waybill/claim/20261122-034431-1-1"));
    convert(b);
    struct lines lines;
    assert_int_equal(lines_open(&lines, b->dir, b->id, lines_next(b->w), &problems), OK);
    assert_int_equal(lines_add(&lines, &(struct line){ .message = 1, .key = SLICE("4711"), .state = SLICE("done") },
                               &problems), OK);
    assert_int_equal(lines_close(&lines, true, b->w, &problems), OK);
    assert_int_equal(batch_written(b, &problems), OK);
    assert_false(tempdir_has(dir, "outbox/result.xml"));
    assert_int_equal(batch_deliver(b, kit_outbox, NULL, &problems), OK);
    assert_true(has_text("outbox/result.xml", "<a/>"));
    assert_true(has_text("outbox/result-2.xml", "<b/>"));
    assert_int_equal(batch_archive(b, &problems), OK);
    batch_close(b);
    assert_false(tempdir_has(dir, ".waybill/work/20261122-034431-1-1"));
    assert_int_equal(archived_read(&store, id, SLICE("in"), 0, &arena, &text, &problems), OK);
    assert_true(slice_is(text, "a;b\n"));
    assert_int_equal(batch_find(&site, &arena, id, &w, &problems), OK);
    assert_int_equal(w->place, PLACE_ARCHIVED);
    assert_true(slice_is(w->name, "orders.csv"));
    assert_true(slice_is(w->outputs->next->name, "result-2.xml"));
    assert_true(waybill_history_ok(w));
    assert_int_equal(w->nevents, 4);
    assert_int_equal(batch_known(&site, id, &problems), OK);
    assert_int_equal(problems.n, 0);
}

/* --- crashes: stop between any two steps, start again, and the same end comes ------------------------------------- */

struct course {
    int steps;                      /* steps to do before the crash */
    int convert, deliver, archive, accept, dispose, aside;
};

static bool crash(struct course *c)
{
    return c->steps-- <= 0;
}

static int step(void *owner, struct recovery *r, struct problems *ps)
{
    struct course *c = owner;
    struct claim claim;
    int rc = OK;
    if (crash(c))
        return STOP;
    switch (r->next) {
    case NEXT_CONVERT:
        c->convert++;
        convert(r->b);
        return crash(c) ? STOP : batch_written(r->b, ps);
    case NEXT_DELIVER:
        c->deliver++;
        return batch_deliver(r->b, kit_outbox, NULL, ps);
    case NEXT_ARCHIVE:
        c->archive++;
        return batch_archive(r->b, ps);
    case NEXT_SET_ASIDE:
        c->aside++;
        return batch_set_aside(r->b, "", slice_none(), ps);
    case NEXT_NOTHING:
        return recover_leftover(&site, r->batch, ps);
    case NEXT_DISPOSE:
        c->dispose++;
        return recover_dispose(&site, r->batch, ps);
    case NEXT_ACCEPT:
        c->accept++;
        rc = claim_open(&spool, r->batch, &claim, ps);
        assert_string_equal(claim.inbox, "inbox");
        if (rc == OK)
            rc = batch_accept(&site, &arena, &claim, &how, &r->b, ps);
        claim_close(&claim);
        return rc == SKIP ? OK : rc;
    default:
        fail();
    }
    return rc;
}

static void run_to_the_end(void)
{
    for (int i = 0; i < 10; i++) {
        struct course all = { .steps = 100 };
        assert_int_equal(recover_each(&site, &arena, step, &all, &problems), OK);
    }
}

static int count(void *owner, const char *id)
{
    (void)id;
    ++*(int *)owner;
    return OK;
}

static void check_end(int archived, int aside)
{
    int n = 0;
    assert_int_equal(batch_each(&site, false, count, &n, &problems), OK);
    assert_int_equal(claim_each(&spool, count, &n, &problems), OK);
    assert_int_equal(n, 0);
    assert_int_equal(archived_each(&store, count, &n, &problems), OK);
    assert_int_equal(n, archived);
    n = 0;
    assert_int_equal(batch_each(&site, true, count, &n, &problems), OK);
    assert_int_equal(n, aside);
    assert_true(has_text("outbox/result.xml", "<a/>"));
    assert_true(has_text("outbox/result-2.xml", "<b/>"));
}

static void a_crash_anywhere_ends_the_same(void **state)
{
    (void)state;
    struct claim c;
    for (int stop = 0; stop < 8; stop++) {
        kit_end(state);
        kit_begin(state);
        kit_drop("orders.csv", "a;b\n");
        take(&c);
        claim_close(&c);
        for (int round = 0; round < 6; round++) {
            struct course course = { .steps = stop };
            recover_each(&site, &arena, step, &course, &problems);
            kit_restart();
        }
        run_to_the_end();
        check_end(1, 0);
    }
}

/* Everything that acceptance leaves at each of its points. */
static void a_crash_within_acceptance_loses_nothing(void **state)
{
    struct claim c;
    struct batch *b;
    for (int stop = 0; stop < 4; stop++) {
        kit_end(state);
        kit_begin(state);
        kit_drop("orders.csv", "a;b\n");
        take(&c);
        if (stop >= 1)
            assert_int_equal(stop == 1 ? claim_copy(&spool, &c, 0, NULL, &problems)
                             : batch_copy(&site, &arena, &c, &how, &b, &problems), OK);
        if (stop == 3)
            assert_int_equal(batch_commit(b, &problems), OK);
        claim_close(&c);
        if (stop >= 2)
            batch_close(b);
        kit_restart();
        run_to_the_end();
        check_end(1, 0);
    }
}

/* Half published, half archived, half removed. */
static void a_crash_within_later_steps_is_done_again(void **state)
{
    struct batch *b;
    struct batch_zip zip;
    struct batch_bundle bundle;
    char path[512], id[BATCH_ID_SIZE];
    for (int stop = 0; stop < 4; stop++) {
        kit_end(state);
        kit_begin(state);
        b = accept("orders.csv", "a;b\n");
        snprintf(id, sizeof id, "%s", b->id);
        convert(b);
        assert_int_equal(batch_written(b, &problems), OK);
        if (stop == 0)
            assert_int_equal(outbox_publish(&spool, &outbox, b->id, 1, "result.xml", NULL, &problems), OK);
        if (stop >= 1)
            assert_int_equal(batch_deliver(b, kit_outbox, NULL, &problems), OK);
        if (stop >= 2) {
            assert_int_equal(batch_zip_prepare(b, &zip, &problems), OK);
            batch_bundle_of(b, &zip, &bundle);
            batch_bundles_archive(&store, &arena, &bundle, 1, &problems);
            assert_int_equal(bundle.status, OK);
        }
        if (stop == 3) {
            snprintf(path, sizeof path, "%s/.waybill/work/%s/%s.waybill.json", dir, id, id);
            assert_int_equal(unlink(path), 0);
        }
        batch_close(b);
        kit_restart();
        run_to_the_end();
        check_end(1, 0);
    }
}

/* The waybill in work/ may be as old as the acceptance when the zip is there and the input is removed already. */
static void a_zip_is_the_end_however_old_the_waybill_is(void **state)
{
    (void)state;
    char folder[400], file[200], beside[600], zip[ARCHIVED_PATH], id[BATCH_ID_SIZE];
    struct slice old;
    struct batch *b = accept("orders.csv", "a;b\n");
    snprintf(id, sizeof id, "%s", b->id);
    snprintf(folder, sizeof folder, "%s/.waybill/work/%s", dir, id);
    snprintf(file, sizeof file, ".waybill/work/%s/%s.waybill.json", id, id);
    assert_int_equal(file_read(&arena, file_join(&arena, dir, file), 0, &old, &problems), OK);
    convert(b);
    assert_int_equal(batch_written(b, &problems), OK);
    assert_int_equal(batch_deliver(b, kit_outbox, NULL, &problems), OK);
    assert_int_equal(batch_archive(b, &problems), OK);
    batch_close(b);
    assert_int_equal(mkdir(folder, 0700), 0);
    tempdir_write(dir, file, old.p, old.n);
    assert_true(archived_path(id, zip));
    snprintf(beside, sizeof beside, "%s/%.*s/%s.waybill.json", dir, (int)(strrchr(zip, '/') - zip), zip, id);
    assert_int_equal(unlink(beside), 0);
    kit_restart();
    run_to_the_end();
    check_end(1, 0);
    assert_true(file_exists(beside));
}

/* The disk is full when the zip has its name already: tried again, what lies beside it is the zip's own waybill. */
static void what_lies_beside_a_zip_is_what_is_in_it(void **state)
{
    (void)state;
    char file[200], beside[600], zip[ARCHIVED_PATH], in_the_way[610];
    struct slice inside, copy;
    struct batch *b = accept("orders.csv", "a;b\n");
    convert(b);
    assert_int_equal(batch_written(b, &problems), OK);
    assert_int_equal(batch_deliver(b, kit_outbox, NULL, &problems), OK);
    assert_true(archived_path(b->id, zip));
    snprintf(file, sizeof file, "%s.waybill.json", b->id);
    snprintf(beside, sizeof beside, "%s/%.*s/%s", dir, (int)(strrchr(zip, '/') - zip), zip, file);
    snprintf(in_the_way, sizeof in_the_way, "%s/x", beside);
    assert_int_equal(file_make_dirs(in_the_way, 0700, &problems), OK);
    assert_int_equal(batch_archive(b, &problems), TEMP);
    assert_true(archived_exists(&store, b->id));
    assert_int_equal(b->w->place, PLACE_DELIVERED);
    assert_int_equal(rmdir(in_the_way) || rmdir(beside), 0);
    clock_init(&now, "2026-11-22T03:44:36Z");
    assert_int_equal(batch_archive(b, &problems), OK);
    assert_int_equal(b->w->place, PLACE_ARCHIVED);
    assert_int_equal(archived_read(&store, b->id, slice_of(file), 0, &arena, &inside, &problems), OK);
    assert_int_equal(file_read(&arena, beside, 0, &copy, &problems), OK);
    assert_true(slice_equal(copy, inside));
    batch_close(b);
}

static void starting_anew_forgets_what_was_written(void **state)
{
    (void)state;
    struct batch *b = accept("orders.csv", "a;b\n");
    waybill_file(b->w, "companion", "with.1");
    waybill_file(b->w, "lines", "x.lines.1.jsonl");
    waybill_file(b->w, "rejects", "rejects/orders.csv");
    batch_restart(b);
    assert_int_equal(lines_next(b->w), 1);
    assert_null(waybill_find_file(b->w, "rejects"));
    assert_non_null(waybill_find_file(b->w, "companion"));
    batch_close(b);
}

/* What is read of it; NULL = there is none. */
static const char *beside_of(struct batch *b, const char *entry, int64_t stable_ms, char out[64])
{
    struct batch_beside of = { .from = inbox_fd(inbox), .entry = entry, .max = 20, .stable_ms = stable_ms };
    int fd;
    assert_int_equal(batch_companion(b, &of, &fd, &problems), OK);
    if (fd < 0)
        return NULL;
    ssize_t n = read(fd, out, 63);
    assert_true(n >= 0);
    out[n] = '\0';
    close(fd);
    return out;
}

/* What others do while something is made durable, once. */
static void (*meanwhile)(void);

int fsync(int fd)
{
    void (*act)(void) = meanwhile;
    meanwhile = NULL;
    if (act)
        act();
    return fdatasync(fd);
}

/* A look that fails, once. */
static bool blind;

int fstat(int fd, struct stat *st)
{
    bool fails = blind;
    blind = false;
    errno = EIO;
    return fails ? -1 : fstatat(fd, "", st, AT_EMPTY_PATH);
}

static size_t companions_of(const struct batch *b)
{
    size_t n = 0;
    for (const struct waybill_file *f = b->w->files; f; f = f->next)
        n += slice_is(f->kind, "companion");
    return n;
}

/* The zip is there, but the folder cannot be removed: that is tried again. */
static void a_folder_that_stays_is_removed_later(void **state)
{
    (void)state;
    char folder[400], deep[410];
    struct batch *b = accept("orders.csv", "a;b\n");
    convert(b);
    assert_int_equal(batch_written(b, &problems), OK);
    assert_int_equal(batch_deliver(b, kit_outbox, NULL, &problems), OK);
    snprintf(folder, sizeof folder, "%s/.waybill/work/%s", dir, b->id);
    snprintf(deep, sizeof deep, "%s/x/y/z/u", folder);
    assert_int_equal(file_make_dirs(deep, 0700, &problems), OK);
    assert_int_equal(batch_archive(b, &problems), TEMP);
    assert_true(archived_exists(&store, b->id));
    assert_int_equal(rmdir(deep), 0);
    assert_int_equal(batch_archive(b, &problems), OK);
    assert_int_equal(access(folder, F_OK), -1);
    batch_close(b);
}

/* A waybill that cannot be saved leaves the batch as it was: what the next attempt writes is what the waybill names. */
static void what_cannot_be_noted_is_not_written(void **state)
{
    (void)state;
    char in_the_way[600];
    struct batch *b = accept("orders.csv", "a;b\n"), *again;
    uint64_t events = b->w->nevents;
    convert(b);
    waybill_file(b->w, "lines", "x.lines.1.jsonl");
    snprintf(in_the_way, sizeof in_the_way, "%s/.waybill/work/%s/.%s.waybill.json.new", dir, b->id, b->id);
    assert_int_equal(mkdir(in_the_way, 0700), 0);
    assert_int_equal(batch_written(b, &problems), TEMP);
    assert_int_equal(b->w->place, PLACE_ACCEPTED);
    assert_int_equal(b->w->nevents, events);
    assert_int_equal(rmdir(in_the_way), 0);
    convert(b);
    assert_null(waybill_find_file(b->w, "lines"));
    assert_int_equal(batch_written(b, &problems), OK);
    assert_int_equal(batch_open(&site, &arena, b->id, &again, &problems), OK);
    assert_int_equal(again->w->place, PLACE_WRITTEN);
    batch_close(again);
    batch_close(b);
}

static void a_companion_becomes_the_batchs_own(void **state)
{
    char text[64], path[300];
    (void)state;
    struct batch *b = accept("orders.csv", "a;b\n");
    assert_null(beside_of(b, "a.pdf", 0, text));
    kit_drop("a.pdf", "first");
    assert_null(beside_of(b, "a.pdf", 60000, text));        /* somebody may still be writing it */
    assert_string_equal(beside_of(b, "a.pdf", 0, text), "first");
    snprintf(path, sizeof path, "%s/inbox/a.pdf", dir);
    assert_false(file_exists(path));
    assert_string_equal(beside_of(b, "a.pdf", 0, text), "first");
    assert_int_equal(companions_of(b), 1);
    kit_drop("a.pdf", "second");                           /* a newer one takes its place, nothing is thrown away */
    assert_string_equal(beside_of(b, "a.pdf", 0, text), "second");
    assert_int_equal(companions_of(b), 2);
    batch_close(b);
    kit_restart();
    char id[BATCH_ID_SIZE];
    snprintf(id, sizeof id, "%s", b->id);
    assert_int_equal(batch_open(&site, &arena, id, &b, &problems), OK);
    assert_string_equal(beside_of(b, "a.pdf", 0, text), "second");
    batch_close(b);
}

/* The program died when the copy was there and the waybill did not name it: it is made once more. */
static void a_companion_that_is_half_taken_is_taken_again(void **state)
{
    char text[64], file[300];
    (void)state;
    struct batch *b = accept("orders.csv", "a;b\n");
    snprintf(file, sizeof file, ".waybill/work/%s/with.1", b->id);
    tempdir_write(dir, file, "torn", 4);
    kit_drop("a.pdf", "whole");
    assert_string_equal(beside_of(b, "a.pdf", 0, text), "whole");
    assert_int_equal(companions_of(b), 1);
    batch_close(b);
}

static void somebody_writes_on(void)
{
    kit_drop("a.pdf", "changed");
}

static void somebody_sends_another(void)
{
    char from[300], to[300];
    kit_drop("new", "another");
    snprintf(from, sizeof from, "%s/inbox/new", dir);
    snprintf(to, sizeof to, "%s/inbox/a.pdf", dir);
    assert_int_equal(rename(from, to), 0);
}

static void a_companion_that_changes_is_not_lost(void **state)
{
    char text[64], path[300];
    (void)state;
    struct batch *b = accept("orders.csv", "a;b\n");
    snprintf(path, sizeof path, "%s/inbox/a.pdf", dir);
    kit_drop("a.pdf", "half");
    meanwhile = somebody_writes_on;
    assert_null(beside_of(b, "a.pdf", 0, text));
    assert_true(file_exists(path));
    assert_int_equal(companions_of(b), 0);
    assert_string_equal(beside_of(b, "a.pdf", 0, text), "changed");
    kit_drop("a.pdf", "whole");
    meanwhile = somebody_sends_another;
    assert_string_equal(beside_of(b, "a.pdf", 0, text), "whole");
    assert_true(file_exists(path));
    assert_string_equal(beside_of(b, "a.pdf", 0, text), "another");
    assert_false(file_exists(path));
    batch_close(b);
}

/* A waybill that cannot be saved: the file stays until one names it. */
static void a_companion_that_is_not_noted_stays(void **state)
{
    char in_the_way[600], text[64];
    (void)state;
    struct batch *b = accept("orders.csv", "a;b\n"), *again;
    struct batch_beside of = { .from = inbox_fd(inbox), .entry = "a.pdf", .max = 20 };
    int fd;
    snprintf(in_the_way, sizeof in_the_way, "%s/.waybill/work/%s/.%s.waybill.json.new", dir, b->id, b->id);
    kit_drop("a.pdf", "text");
    assert_int_equal(mkdir(in_the_way, 0700), 0);
    assert_int_equal(batch_companion(b, &of, &fd, &problems), TEMP);
    assert_int_equal(rmdir(in_the_way), 0);
    assert_string_equal(beside_of(b, "a.pdf", 0, text), "text");
    assert_int_equal(batch_open(&site, &arena, b->id, &again, &problems), OK);
    assert_int_equal(companions_of(again), 1);
    batch_close(again);
    batch_close(b);
}

static void nobody_can_look(void)
{
    blind = true;
}

/* A fault of the disk is not "there is none": the document would go out without it. */
static void a_companion_that_cannot_be_looked_at_is_waited_for(void **state)
{
    char text[64];
    (void)state;
    struct batch *b = accept("orders.csv", "a;b\n");
    struct batch_beside of = { .from = inbox_fd(inbox), .entry = "a.pdf", .max = 20 };
    int fd;
    kit_drop("a.pdf", "text");
    meanwhile = nobody_can_look;
    assert_int_equal(batch_companion(b, &of, &fd, &problems), TEMP);
    assert_string_equal(beside_of(b, "a.pdf", 0, text), "text");
    assert_int_equal(companions_of(b), 1);
    batch_close(b);
}

static void what_is_no_companion_is_left_alone(void **state)
{
    char text[64], path[300];
    (void)state;
    struct batch *b = accept("orders.csv", "a;b\n");
    snprintf(path, sizeof path, "%s/inbox/link", dir);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_null(beside_of(b, "link", 0, text));
    kit_drop("large", "more than twenty bytes are in this file");
    assert_non_null(beside_of(b, "large", 0, text));        /* whoever reads it says that it is too large */
    assert_int_equal(companions_of(b), 0);
    snprintf(path, sizeof path, "%s/inbox/large", dir);
    assert_true(file_exists(path));
    batch_close(b);
}

static void the_same_content_is_refused_and_explained(void **state)
{
    (void)state;
    struct claim c;
    struct batch *b = accept("one.csv", "same\n"), *twin;
    char first[BATCH_ID_SIZE], file[400];
    snprintf(first, sizeof first, "%s", b->id);
    batch_close(b);
    kit_drop("two.csv", "same\n");
    take(&c);
    assert_int_equal(batch_accept(&site, &arena, &c, &how, &twin, &problems), SKIP);
    claim_close(&c);
    assert_int_equal(twin->w->place, PLACE_ERROR);
    assert_true(slice_is(twin->w->duplicate_of, first));
    assert_string_equal(problems.last->code, "DUP_CONTENT");
    snprintf(file, sizeof file, "error/%s/two.csv", twin->id);
    assert_true(has_text(file, "same\n"));
    batch_close(twin);
    struct batch_accept lax = how;
    lax.content = DUPLICATE_PROCESS;
    kit_drop("three.csv", "same\n");
    take(&c);
    assert_int_equal(batch_accept(&site, &arena, &c, &lax, &b, &problems), OK);
    claim_close(&c);
    batch_close(b);
}

static void a_taken_name_waits_and_nothing_is_overwritten(void **state)
{
    (void)state;
    struct batch *b = accept("orders.csv", "x");
    tempdir_write(dir, "outbox/result.xml", "other", 5);
    convert(b);
    assert_int_equal(batch_written(b, &problems), OK);
    assert_int_equal(batch_deliver(b, kit_outbox, NULL, &problems), SKIP);
    assert_string_equal(problems.last->code, "OUTBOX_TAKEN");
    assert_true(has_text("outbox/result.xml", "other"));
    char path[300];
    snprintf(path, sizeof path, "%s/outbox/result.xml", dir);
    unlink(path);
    assert_int_equal(batch_deliver(b, kit_outbox, NULL, &problems), OK);
    assert_true(has_text("outbox/result.xml", "<a/>"));
    batch_close(b);
}

static void refused_moves_change_nothing(void **state)
{
    (void)state;
    struct batch *b = accept("orders.csv", "x");
    assert_int_equal(batch_archive(b, &problems), STOP);
    assert_string_equal(problems.last->code, "BATCH_MOVE");
    assert_int_equal(b->w->place, PLACE_ACCEPTED);
    assert_int_equal(batch_deliver(b, kit_outbox, NULL, &problems), OK);      /* nothing to deliver */
    assert_int_equal(b->w->place, PLACE_DELIVERED);
    batch_close(b);
}

static void a_fault_of_the_world_is_tried_until_it_is_given_up(void **state)
{
    (void)state;
    int64_t minute = 60000;
    struct retry_policy policy = { .delays_ms = &minute, .n = 1, .give_up_ms = 3600000, .poison = 3 };
    struct batch *b = accept("orders.csv", "x");
    struct batch *again;
    int64_t due;
    assert_int_equal(batch_retry(b, "SYS_FULL", &policy, &problems), OK);
    assert_int_equal(batch_due(b), 60000);
    assert_int_equal(recover_next(&site, b->w, &due), NEXT_WAIT);
    assert_int_equal(due, 60000);
    clock_init(&now, "2026-11-22T03:45:32Z");
    assert_int_equal(recover_next(&site, b->w, &due), NEXT_CONVERT);
    clock_init(&now, "2026-11-22T04:44:31Z");
    assert_int_equal(batch_retry(b, "SYS_FULL", &policy, &problems), SKIP);
    assert_int_equal(b->w->place, PLACE_ERROR);
    assert_int_equal(batch_open(&site, &arena, b->id, &again, &problems), OK);
    assert_true(slice_is(again->w->error_code, "GAVE_UP"));
    int fd;
    assert_int_equal(batch_input(again, &fd, &problems), OK);
    close(fd);
    assert_int_equal(batch_check_input(again, &problems), OK);
    batch_close(again);
    batch_close(b);
    b = accept("poison.csv", "y");
    assert_int_equal(batch_retry(b, "WORKER_DIED", &policy, &problems), OK);
    assert_int_equal(batch_retry(b, "WORKER_DIED", &policy, &problems), OK);
    assert_int_equal(batch_retry(b, "WORKER_DIED", &policy, &problems), SKIP);
    batch_close(b);
}

static void only_a_dead_worker_is_tried_again_without_a_pause(void **state)
{
    (void)state;
    int64_t none = 0;
    struct retry_policy policy = { .delays_ms = &none, .n = 1, .give_up_ms = 3600000, .poison = 3 };
    struct batch *b = accept("again.csv", "z");
    assert_int_equal(batch_retry(b, "OUTBOX_TAKEN", &policy, &problems), OK);
    assert_int_equal(batch_due(b), 1000);
    assert_int_equal(batch_retry(b, "WORKER_DIED", &policy, &problems), OK);
    assert_int_equal(batch_due(b), 0);
    batch_close(b);
}

static void refused_messages_appear_beside_their_waybill(void **state)
{
    (void)state;
    char path[400];
    struct batch *b = accept("orders.csv", "x");
    assert_int_equal(mkdirat(b->dir, "rejects", 0700), 0);
    snprintf(path, sizeof path, ".waybill/work/%s/rejects/orders.csv", b->id);
    tempdir_write(dir, path, "bad", 3);
    convert(b);
    assert_int_equal(batch_written(b, &problems), OK);
    assert_int_equal(batch_rejects(b, &problems), OK);
    assert_int_equal(batch_rejects(b, &problems), OK);
    snprintf(path, sizeof path, "error/%s/orders.csv", b->id);
    assert_true(has_text(path, "bad"));
    snprintf(path, sizeof path, "error/%s/%s.waybill.json", b->id, b->id);
    assert_true(tempdir_has(dir, path));
    assert_int_equal(batch_deliver(b, kit_outbox, NULL, &problems), OK);
    assert_int_equal(batch_archive(b, &problems), OK);
    char id[BATCH_ID_SIZE];
    snprintf(id, sizeof id, "%s", b->id);
    batch_close(b);
    assert_int_equal(batch_open(&site, &arena, id, &b, &problems), END);
}

static int see_damage(void *owner, struct recovery *r, struct problems *ps)
{
    *(enum next_step *)owner = r->next;
    return r->next == NEXT_DAMAGED ? recover_damaged(&site, r->batch, ps) : OK;
}

static void a_damaged_waybill_is_set_aside_with_its_bytes(void **state)
{
    (void)state;
    char path[512], id[BATCH_ID_SIZE];
    enum next_step next = NEXT_WAIT;
    struct batch *b = accept("orders.csv", "x");
    snprintf(id, sizeof id, "%s", b->id);
    batch_close(b);
    snprintf(path, sizeof path, ".waybill/work/%s/%s.waybill.json", id, id);
    tempdir_write(dir, path, "{\"version\":1", 12);
    assert_int_equal(recover_each(&site, &arena, see_damage, &next, &problems), OK);
    assert_int_equal(next, NEXT_DAMAGED);
    snprintf(path, sizeof path, "error/%s/in", id);
    assert_true(has_text(path, "x"));
    assert_int_equal(batch_known(&site, id, &problems), OK);
}

static void late_bytes_are_kept(void **state)
{
    (void)state;
    struct claim c;
    struct batch *b;
    char path[400];
    kit_drop("slow.csv", "first");
    take(&c);
    assert_int_equal(batch_copy(&site, &arena, &c, &how, &b, &problems), OK);
    assert_int_equal(batch_commit(b, &problems), OK);
    snprintf(path, sizeof path, ".waybill/claim/%s/slow.csv", b->id);
    tempdir_write(dir, path, "first and more", 14);
    assert_int_equal(batch_dispose(b, &problems), OK);
    assert_string_equal(problems.last->code, "INBOX_LATE");
    snprintf(path, sizeof path, "error/%s-late/slow.csv", b->id);
    assert_true(has_text(path, "first and more"));
    claim_close(&c);
    batch_close(b);
}

static void a_second_watcher_is_answered(void **state)
{
    (void)state;
    struct spool other;
    struct lease second = { .fd = -1 };
    long pid;
    assert_int_equal(spool_open(&other, &arena, dir, false, &problems), OK);
    assert_int_equal(lease_take(&second, &other, &problems), STOP);
    assert_string_equal(problems.last->code, "SITE_BUSY");
    assert_int_equal(lease_holder(&other, &pid, &problems), OK);
    assert_int_equal(pid, getpid());
    lease_give(&lease, &spool);
    assert_int_equal(lease_holder(&other, &pid, &problems), OK);
    assert_int_equal(pid, 0);
    assert_int_equal(lease_take(&second, &other, &problems), OK);
    assert_int_equal(other.epoch, spool.epoch + 1);
    lease_give(&second, &other);
    spool_close(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_begin, kit_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_lives_from_inbox_to_archive), TEST(a_crash_anywhere_ends_the_same),
            TEST(a_crash_within_acceptance_loses_nothing),
        TEST(a_crash_within_later_steps_is_done_again), TEST(a_zip_is_the_end_however_old_the_waybill_is),
        TEST(what_lies_beside_a_zip_is_what_is_in_it), TEST(what_cannot_be_noted_is_not_written),
        TEST(a_folder_that_stays_is_removed_later),
        TEST(starting_anew_forgets_what_was_written), TEST(the_same_content_is_refused_and_explained),
        TEST(a_taken_name_waits_and_nothing_is_overwritten), TEST(refused_moves_change_nothing),
        TEST(a_fault_of_the_world_is_tried_until_it_is_given_up),
        TEST(only_a_dead_worker_is_tried_again_without_a_pause), TEST(refused_messages_appear_beside_their_waybill),
        TEST(a_damaged_waybill_is_set_aside_with_its_bytes), TEST(late_bytes_are_kept),
            TEST(a_second_watcher_is_answered), TEST(a_companion_becomes_the_batchs_own),
        TEST(a_companion_that_is_half_taken_is_taken_again), TEST(what_is_no_companion_is_left_alone),
        TEST(a_companion_that_changes_is_not_lost), TEST(a_companion_that_is_not_noted_stays),
        TEST(a_companion_that_cannot_be_looked_at_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
