/*
 * dirkit - basekit, and a fresh folder
 *
 *     cmocka_unit_test_setup_teardown(test, dir_begin, dir_end)
 *     dir_put("site.conf", text);
 */
#ifndef WAYBILL_TESTS_DIRKIT_H
#define WAYBILL_TESTS_DIRKIT_H

#include "unit/basekit.h"
#include "unit/tempdir.h"

static char dir[256];

static inline int dir_begin(void **state)
{
    return base_begin(state) == 0 && tempdir_make(dir) ? 0 : -1;
}

static inline int dir_end(void **state)
{
    tempdir_remove(dir);
    return base_end(state);
}

static inline void dir_make(const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static inline void dir_put(const char *name, const char *text)
{
    tempdir_write(dir, name, text, strlen(text));
}

#endif
