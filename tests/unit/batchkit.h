/*
 * batchkit - storekit, and what batches need of a site: spool, lease, clock, an inbox and an outbox
 *
 *     cmocka_unit_test_setup_teardown(test, kit_begin, kit_end)
 *     kit_drop("a.csv", text);                         a file in the inbox
 *     kit_restart();                                   as after a crash: only what is on the disk is known
 *     batch_deliver(b, kit_outbox, NULL, &problems);
 */
#ifndef WAYBILL_TESTS_BATCHKIT_H
#define WAYBILL_TESTS_BATCHKIT_H

#include "batch/batch.h"
#include "batch/recover.h"
#include "drop/lease.h"
#include "unit/storekit.h"

static struct spool spool;
static struct lease lease;
static struct clock now;
static struct batch_site site;
static struct inbox *inbox;
static struct outbox outbox;

static inline int kit_open(void)
{
    clock_init(&now, "2026-11-22T03:44:31Z");
    site = (struct batch_site){ .spool = &spool, .store = &store, .clock = &now };
    struct ready ready = { .terms = READY_NAME };
    assert_int_equal(store_open(&store, &arena, dir, true, &problems), OK);
    assert_int_equal(spool_open(&spool, &arena, dir, true, &problems), OK);
    assert_int_equal(lease_take(&lease, &spool, &problems), OK);
    assert_int_equal(recover_clean(&site, &problems), OK);
    assert_int_equal(inbox_open(&arena, &spool, "inbox", &ready, &inbox, &problems), OK);
    assert_int_equal(outbox_open(&outbox, &spool, &arena, "outbox", &problems), OK);
    return 0;
}

static inline void kit_close(void)
{
    inbox_close(inbox);
    outbox_close(&outbox);
    lease_give(&lease, &spool);
    spool_close(&spool);
    store_close(&store);
}

static inline int kit_begin(void **state)
{
    assert_int_equal(dir_begin(state), 0);
    dir_make("inbox");
    return kit_open();
}

static inline int kit_end(void **state)
{
    kit_close();
    return dir_end(state);
}

static inline void kit_restart(void)
{
    kit_close();
    kit_open();
}

static inline void kit_drop(const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "inbox/%s", name);
    dir_put(path, text);
}

static inline const struct outbox *kit_outbox(void *owner, struct slice path)
{
    (void)owner;
    return slice_is(path, "outbox") ? &outbox : NULL;
}

#endif
