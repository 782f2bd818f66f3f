/*
 * arena - memory that is freed all at once
 *
 *     struct arena a;
 *     arena_init(&a, LIMIT_MESSAGE);
 *     struct node *n = arena_zero(&a, sizeof *n);
 *     ...
 *     arena_reset(&a);                 after each message: the first block is kept
 *     arena_release(&a);
 *
 * Three lifetimes exist: program (formats, mappings), batch (report), message (tree, texts).
 *
 * Owner:   the caller owns the struct; everything allocated lives until arena_reset or arena_release.
 * Errors:  allocation never returns NULL.  When the system has no memory the out-of-memory hook runs, which does not
 *          return (the default prints one line and aborts; a library's host may set its own).  `limit` is a soft
 *          bound: readers ask arena_full() and answer with the problem LIMIT_MESSAGE.
 * Limits:  not for use by two threads at once.  Alignment is that of max_align_t (16 bytes).
 */
#ifndef WAYBILL_BASE_ARENA_H
#define WAYBILL_BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *block;      /* newest first */
    char *at, *end;                 /* free room of the newest block */
    size_t used;                    /* bytes handed out since init or reset, padding included */
    size_t limit;                   /* arena_full() compares with this; 0 = none */
};

void arena_init(struct arena *a, size_t limit);
void arena_reset(struct arena *a);
void arena_release(struct arena *a);

/* For a process that does one small job after the other: what one frees stays with it for the next, up to 4 MiB. */
void arena_hoard(void);

/* Slow path of arena_alloc: opens a new block. */
void *arena_grow(struct arena *a, size_t n);

static inline void *arena_alloc(struct arena *a, size_t n)
{
    n = (n + 15) & ~(size_t)15;
    if (n > (size_t)(a->end - a->at))
        return arena_grow(a, n);
    void *p = a->at;
    a->at += n;
    a->used += n;
    return p;
}

/* Like arena_alloc, all bytes 0. */
void *arena_zero(struct arena *a, size_t n);

static inline bool arena_full(const struct arena *a)
{
    return a->limit != 0 && a->used > a->limit;
}

/* Copies text; the copy is NUL-terminated too.  slice_none() stays slice_none(). */
struct slice arena_copy(struct arena *a, struct slice text);
char *arena_cstr(struct arena *a, struct slice text);
struct slice arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct slice arena_vprintf(struct arena *a, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));

/*
 * A growing array of any type in an arena: room for one more element behind the `n` that are there.
 *     ARENA_PUSH(a, list, n, cap) = element;
 */
void *arena_room(struct arena *a, void *list, size_t n, size_t *cap, size_t size);
#define ARENA_PUSH(a, list, n, cap) (*((list) = arena_room((a), (list), (n), &(cap), sizeof *(list)), &(list)[(n)++]))

/* What happens when the system has no memory; `hook` must not return.  The library lets its host set it. */
void arena_on_exhausted(void (*hook)(void));
/* malloc and realloc for the few growing buffers of layer base; they never return NULL. */
void *arena_malloc(size_t n);
void *arena_realloc(void *p, size_t n);
void arena_free(void *p);

#endif
