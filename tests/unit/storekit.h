/*
 * storekit - dirkit, and the store of a site in the folder
 *
 *     cmocka_unit_test_setup_teardown(test, store_begin, store_end)
 */
#ifndef WAYBILL_TESTS_STOREKIT_H
#define WAYBILL_TESTS_STOREKIT_H

#include "store/store.h"
#include "unit/dirkit.h"

static struct store store;

static inline int store_begin(void **state)
{
    return dir_begin(state) == 0 ? store_open(&store, &arena, dir, true, &problems) : -1;
}

static inline int store_end(void **state)
{
    store_close(&store);
    return dir_end(state);
}

#endif
