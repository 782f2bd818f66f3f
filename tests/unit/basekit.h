/*
 * basekit - what nearly every test needs: an arena and a list of problems, fresh for each
 *
 *     cmocka_unit_test_setup_teardown(test, base_begin, base_end)
 *     assert_non_null(problem_of("SYS_IO"));
 */
#ifndef WAYBILL_TESTS_BASEKIT_H
#define WAYBILL_TESTS_BASEKIT_H

#include <string.h>

#include "base/arena.h"
#include "base/problem.h"

static struct arena arena;
static struct problems problems;

static inline int base_begin(void **state)
{
    (void)state;
    arena_init(&arena, 0);
    problems_init(&problems, &arena, 0);
    return 0;
}

static inline int base_end(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* The first problem of that code, or NULL. */
static inline const struct problem *problem_of(const char *code)
{
    for (const struct problem *p = problems.first; p; p = p->next)
        if (strcmp(p->code, code) == 0)
            return p;
    return NULL;
}

#endif
