#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/file.h"
#include "batch/bundle.h"
#include "batch/wave.h"
#include "unit/batchkit.h"

enum { FILES = 5 };

static const struct batch_accept how = { .flow = { "orders", 6 }, .operation = { "convert", 7 } };

static struct batch_wave *wave;
static struct batch *b[FILES];

/* f0 … f4, of which 0 and 1, 2 and 3 have the same content; accepted, their claims still there. */
static void accept_all(void)
{
    struct drop d;
    struct claim c;
    char ids[FILES][BATCH_ID_SIZE], name[32], text[32];
    int claims;
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "f%d.csv", i);
        snprintf(text, sizeof text, "content %d", i / 2);
        kit_drop(name, text);
        batch_new_id(&site, ids[i]);
    }
    spool.group = store.group = true;
    assert_int_equal(batch_wave_begin(&site, ids[0], FILES, &wave, &problems), OK);
    assert_int_equal(claims_make(&spool, inbox, wave->name, &claims, &problems), OK);
    inbox_begin(inbox, 0);
    for (int i = 0; i < FILES; i++) {
        assert_int_equal(inbox_next(inbox, &d, &problems), OK);
        assert_int_equal(claims_take(inbox, &d, claims, ids[i], &c, &problems), OK);
        assert_int_equal(batch_wave_copy(wave, &arena, &c, &how, &b[i], &problems), OK);
        claim_close(&c);
    }
    close(claims);
    assert_int_equal(batch_wave_seal(wave, &problems), OK);
    assert_int_equal(batch_wave_accept(wave, &problems), OK);
    spool.group = store.group = false;
}

static void write_out(struct batch *of)
{
    unsigned n;
    int fd;
    batch_restart(of);
    assert_int_equal(batch_output(of, "outbox", arena_printf(&arena, "%s.xml", of->id), &n, &fd, &problems), OK);
    assert_int_equal(write(fd, "<a/>", 4), 4);
    assert_int_equal(batch_output_done(of, n, fd, NULL, &problems), OK);
    assert_int_equal(batch_written(of, &problems), OK);
}

static void close_all(void)
{
    for (int i = 0; i < FILES; i++)
        batch_close(b[i]);
    batch_wave_release(wave, &problems);
}

/* As a wave does it. */
static void deliver(struct batch *of)
{
    spool.group = store.group = true;
    assert_int_equal(batch_deliver(of, kit_outbox, NULL, &problems), OK);
    spool.group = store.group = false;
}

static bool exists(const char *format, ...)
{
    char path[400];
    va_list ap;
    va_start(ap, format);
    vsnprintf(path, sizeof path, format, ap);
    va_end(ap);
    return tempdir_has(dir, path);
}

static int count(void *owner, struct waybill *w)
{
    (void)w;
    ++*(int *)owner;
    return OK;
}

static int afloat(void)
{
    int n = 0;
    assert_int_equal(batch_each_afloat(&site, &arena, NULL, count, &n, &problems), OK);
    return n;
}

static void twins_within_a_wave_are_told(void **state)
{
    (void)state;
    struct waybill *w;
    int twins = 0;
    accept_all();
    for (int i = 0; i < FILES; i++)
        twins += b[i]->w->duplicate_of.p != NULL;
    assert_int_equal(twins, 2);
    assert_int_equal(afloat(), FILES);
    assert_true(batch_afloat(&site, b[4]->id));
    assert_true(batch_taken(&site, b[4]->id));
    assert_int_equal(batch_find(&site, &arena, b[2]->id, &w, &problems), OK);
    assert_true(slice_is(w->batch, b[2]->id));
    close_all();
}

static void one_that_is_afloat_ends_in_the_archive(void **state)
{
    (void)state;
    struct batch_zip z;
    accept_all();
    struct batch *of = b[4];
    of->brief = true;
    write_out(of);
    assert_int_equal(batch_wave_write(wave, &problems), OK);
    deliver(of);
    assert_true(exists("outbox/%s.xml", of->id));
    struct batch_bundle bundle;
    assert_int_equal(batch_zip_prepare(of, &z, &problems), OK);
    batch_bundle_of(of, &z, &bundle);
    batch_bundles_archive(&store, &arena, &bundle, 1, &problems);
    assert_int_equal(bundle.status, OK);
    assert_int_equal(batch_zip_done(of, &z, &problems), OK);
    assert_int_equal(archived_verify(&store, of->id, &problems), OK);
    assert_int_equal(wave->left, FILES - 1);
    assert_int_equal(afloat(), FILES - 1);
    close_all();
}

static void one_that_lands_goes_on_in_its_folder(void **state)
{
    (void)state;
    struct batch *again;
    int fd;
    accept_all();
    struct batch *of = b[0];
    write_out(of);
    assert_int_equal(batch_land(of, &problems), OK);
    assert_null(of->wave);
    assert_true(exists(".waybill/work/%s/in", of->id));
    assert_true(exists(".waybill/work/%s/out.1", of->id));
    assert_false(exists(".waybill/work/%s/out.1", wave->name));
    assert_int_equal(afloat(), FILES - 1);
    assert_int_equal(batch_input(of, &fd, &problems), OK);
    close(fd);
    assert_int_equal(batch_open(&site, &arena, of->id, &again, &problems), OK);
    assert_int_equal(again->w->place, PLACE_WRITTEN);
    assert_int_equal(batch_check_input(again, &problems), OK);
    batch_close(again);
    close_all();
}

/* What stands in an outbox under that name. */
static bool holds(const char *name, const char *text)
{
    char path[300], found[64];
    snprintf(path, sizeof path, "outbox/%s", name);
    size_t n = tempdir_read(dir, path, found, sizeof found);
    return n == strlen(text) && memcmp(found, text, n) == 0;
}

static void outbox_put(const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "outbox/%s", name);
    dir_put(path, text);
}

static void outbox_take(const char *name)
{
    assert_int_equal(unlinkat(outbox.fd, name, 0), 0);
}

static const char *name_of(const char *id, int n)
{
    return arena_cstr(&arena, arena_printf(&arena, "%s.%d.xml", id, n));
}

/* Three that are no twins, each with two outputs; the second name of the middle one is somebody else's. */
static void publish_with_one_taken(char ids[3][BATCH_ID_SIZE])
{
    unsigned n;
    int fd;
    accept_all();
    for (int i = 0; i < 3; i++) {
        struct batch *of = b[2 * i];
        memcpy(ids[i], of->id, BATCH_ID_SIZE);
        of->brief = true;
        batch_restart(of);
        for (int k = 1; k <= 2; k++) {
            assert_int_equal(batch_output(of, "outbox", slice_of(name_of(of->id, k)), &n, &fd, &problems), OK);
            assert_int_equal(write(fd, k == 1 ? "one" : "two", 3), 3);
            assert_int_equal(batch_output_done(of, n, fd, NULL, &problems), OK);
        }
        assert_int_equal(batch_written(of, &problems), OK);
    }
    assert_int_equal(batch_wave_write(wave, &problems), OK);
    outbox_put(name_of(ids[1], 2), "other");
    spool.group = store.group = true;
    for (int i = 0; i < 3; i++)
        assert_int_equal(batch_deliver(b[2 * i], kit_outbox, NULL, &problems), i == 1 ? SKIP : OK);
    spool.group = store.group = false;
    assert_true(holds(name_of(ids[1], 1), "one"));
    assert_true(holds(name_of(ids[1], 2), "other"));
}

/* The consumer took its first output already: only the second one comes, once. */
static void ends_once(struct batch *of, const char *id)
{
    assert_int_equal(of->w->place, PLACE_WRITTEN);
    outbox_take(name_of(id, 1));
    assert_int_equal(batch_deliver(of, kit_outbox, NULL, &problems), SKIP);
    assert_true(holds(name_of(id, 2), "other"));
    outbox_take(name_of(id, 2));
    assert_int_equal(batch_deliver(of, kit_outbox, NULL, &problems), OK);
    assert_true(holds(name_of(id, 2), "two"));
    assert_int_equal(batch_deliver(of, kit_outbox, NULL, &problems), OK);
    assert_false(exists("outbox/%s", name_of(id, 1)));
    assert_int_equal(batch_archive(of, &problems), OK);
    assert_true(archived_exists(&store, id));
}

static void one_that_cannot_be_published_lands_and_comes_later(void **state)
{
    (void)state;
    char ids[3][BATCH_ID_SIZE];
    struct retry_policy policy = { .n = 0 };
    publish_with_one_taken(ids);
    assert_int_equal(batch_retry(b[2], "OUTBOX_TAKEN", &policy, &problems), OK);
    assert_null(b[2]->wave);
    assert_int_equal(wave->left, FILES - 1);
    assert_int_equal(afloat(), FILES - 1);
    assert_false(exists(".waybill/work/%s/out.1", ids[1]));
    assert_true(exists(".waybill/work/%s/out.2", ids[1]));
    for (int i = 0; i < 3; i += 2) {
        assert_true(holds(name_of(ids[i], 1), "one") && holds(name_of(ids[i], 2), "two"));
        assert_non_null(b[2 * i]->wave);
        assert_int_equal(b[2 * i]->w->place, PLACE_DELIVERED);
    }
    ends_once(b[2], ids[1]);
    close_all();
}

/* Before it landed, and when it had: the others are delivered and come no second time. */
static void one_that_cannot_be_published_comes_once_after_a_crash(void **state)
{
    char ids[3][BATCH_ID_SIZE];
    struct retry_policy policy = { .n = 0 };
    struct batch *of;
    for (int landed = 0; landed < 2; landed++) {
        kit_end(state);
        kit_begin(state);
        publish_with_one_taken(ids);
        if (landed)
            assert_int_equal(batch_retry(b[2], "OUTBOX_TAKEN", &policy, &problems), OK);
        outbox_take(name_of(ids[0], 1));
        close_all();
        kit_restart();
        assert_int_equal(recover_waves(&site, NULL, NULL, NULL, &problems), OK);
        assert_int_equal(afloat(), 0);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(batch_open(&site, &arena, ids[i], &of, &problems), OK);
            if (i == 1) {
                assert_int_equal(of->w->retry.attempts, landed);
                ends_once(of, ids[i]);
            } else {
                assert_int_equal(batch_deliver(of, kit_outbox, NULL, &problems), OK);
                assert_true(holds(name_of(ids[i], 2), "two"));
                assert_int_equal(exists("outbox/%s", name_of(ids[i], 1)), i == 2);
            }
            batch_close(of);
        }
    }
}

/* Of a crash: one is written, one is written and visible, one landed, the others are accepted. */
static void after_a_crash_each_has_its_folder(void **state)
{
    (void)state;
    struct batch *of;
    char ids[FILES][BATCH_ID_SIZE];
    const enum batch_place places[] = { PLACE_WRITTEN, PLACE_ERROR, PLACE_WRITTEN, PLACE_ERROR, PLACE_ACCEPTED };
    accept_all();
    write_out(b[0]);
    write_out(b[2]);
    assert_int_equal(batch_wave_write(wave, &problems), OK);
    b[2]->brief = true;
    deliver(b[2]);                                  /* known by its staged output alone, which is gone */
    assert_int_equal(batch_land(b[4], &problems), OK);
    for (int i = 0; i < FILES; i++)
        memcpy(ids[i], b[i]->id, sizeof ids[i]);
    close_all();
    kit_restart();
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(recover_waves(&site, NULL, NULL, NULL, &problems), OK);
        for (int i = 0; i < FILES; i++) {
            assert_int_equal(batch_open(&site, &arena, ids[i], &of, &problems), OK);
            assert_int_equal(of->w->place, places[i]);
            assert_int_equal(batch_check_input(of, &problems), OK);
            batch_close(of);
        }
        assert_true(exists(".waybill/work/%s/out.1", ids[0]));
        assert_false(exists(".waybill/work/%s/out.1", ids[2]));
        assert_int_equal(afloat(), 0);
    }
    assert_false(exists(".waybill/claim/w%d-%s", FILES, ids[0]));
    assert_false(exists(".waybill/work/w%d-%s", FILES, ids[0]));
}

/* Claimed, not accepted: each is a claim of its own, in their order. */
static void claims_of_a_wave_that_was_not_accepted_stay(void **state)
{
    (void)state;
    struct drop d;
    struct claim c;
    char id[BATCH_ID_SIZE];
    int claims;
    kit_drop("one.csv", "1");
    kit_drop("two.csv", "2");
    batch_new_id(&site, id);
    assert_int_equal(batch_wave_begin(&site, id, 2, &wave, &problems), OK);
    assert_int_equal(claims_make(&spool, inbox, wave->name, &claims, &problems), OK);
    inbox_begin(inbox, 0);
    while (inbox_next(inbox, &d, &problems) == OK) {
        assert_int_equal(claims_take(inbox, &d, claims, id, &c, &problems), OK);
        claim_close(&c);
    }
    close(claims);
    batch_wave_release(wave, &problems);
    kit_restart();
    assert_int_equal(recover_waves(&site, NULL, NULL, NULL, &problems), OK);
    snprintf(id, sizeof id, "20261122-034431-%llu-1", (unsigned long long)spool.epoch);
    assert_int_equal(claim_open(&spool, id, &c, &problems), OK);
    assert_string_equal(c.inbox, "inbox");
    claim_close(&c);
    assert_false(exists(".waybill/claim/%s", "w2-"));
}

/* What is torn at the end of the log was not told yet; what is torn before is damage. */
static void a_torn_log_is_believed_as_far_as_it_verifies(void **state)
{
    (void)state;
    struct batch *of;
    char id[BATCH_ID_SIZE], name[BATCH_WAVE_NAME], path[400];
    accept_all();
    uint64_t end = wave->end;
    memcpy(id, b[4]->id, sizeof id);
    memcpy(name, wave->name, sizeof name);
    write_out(b[4]);
    assert_int_equal(batch_wave_write(wave, &problems), OK);
    assert_true(wave->end > end);
    assert_int_equal(ftruncate(wave->log, (off_t)wave->end - 3), 0);
    close_all();
    kit_restart();
    assert_int_equal(recover_waves(&site, NULL, NULL, NULL, &problems), OK);
    assert_int_equal(batch_open(&site, &arena, id, &of, &problems), OK);
    assert_int_equal(of->w->place, PLACE_ACCEPTED);
    batch_close(of);
    snprintf(path, sizeof path, "%s/.waybill/work/%s", dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, ".waybill/work/%s/log", name);
    tempdir_write(dir, path, "A 0 x 1 1 y\nzz\n", 15);
    assert_int_equal(recover_waves(&site, NULL, NULL, NULL, &problems), OK);
    assert_string_equal(problems.last->code, "WAYBILL_DAMAGED");
    assert_true(exists("error/%s/log", name));
}

static void names_of_waves(void **state)
{
    (void)state;
    assert_true(batch_wave_name("w12-20261122-034431-12-7"));
    assert_false(batch_wave_name("20261122-034431-12-7"));
    assert_false(batch_wave_name("w-20261122-034431-12-7"));
    assert_false(batch_wave_name("w12-2026"));
    assert_false(batch_wave_name("wx-20261122-034431-12-7"));
    assert_false(batch_afloat(&site, "20261122-034431-12-7"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_begin, kit_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(twins_within_a_wave_are_told), TEST(one_that_is_afloat_ends_in_the_archive),
        TEST(one_that_lands_goes_on_in_its_folder), TEST(one_that_cannot_be_published_lands_and_comes_later),
        TEST(one_that_cannot_be_published_comes_once_after_a_crash), TEST(after_a_crash_each_has_its_folder),
        TEST(claims_of_a_wave_that_was_not_accepted_stay), TEST(a_torn_log_is_believed_as_far_as_it_verifies),
        TEST(names_of_waves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
