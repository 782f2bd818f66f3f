#include "base/arena.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_KEEPS 0
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_KEEPS 0               /* every reset really frees, so that the sanitizer sees late uses */
#endif
#ifndef ARENA_KEEPS
#define ARENA_KEEPS 1
#endif

/* Block sizes double from FIRST to LARGEST: short-lived small arenas stay small, a long file's message arena settles
   in one block. */
enum { BLOCK_FIRST = 4 << 10, BLOCK_LARGEST = 1 << 20 };

struct arena_block {
    struct arena_block *next;       /* older */
    size_t size;                    /* bytes behind this header */
};

_Static_assert(sizeof(struct arena_block) % 16 == 0, "blocks keep the alignment of malloc");

static void exhausted_default(void)
{
    static const char text[] = "waybill: out of memory\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    abort();
}

static void (*exhausted)(void) = exhausted_default;

void arena_on_exhausted(void (*hook)(void))
{
    exhausted = hook ? hook : exhausted_default;
}

/* Both thresholds above the largest block: otherwise every job of a worker gives its memory back and takes it anew,
   each page with a fault. */
void arena_hoard(void)
{
    mallopt(M_MMAP_THRESHOLD, 2 * BLOCK_LARGEST);
    mallopt(M_TRIM_THRESHOLD, 4 * BLOCK_LARGEST);
    mallopt(M_TOP_PAD, BLOCK_LARGEST / 4);
}

void *arena_malloc(size_t n)
{
    void *p = n > PTRDIFF_MAX ? NULL : malloc(n ? n : 1);
    if (p == NULL) {
        exhausted();
        abort();
    }
    return p;
}

void *arena_realloc(void *p, size_t n)
{
    void *q = n > PTRDIFF_MAX ? NULL : realloc(p, n ? n : 1);
    if (q == NULL) {
        exhausted();
        abort();
    }
    return q;
}

void arena_init(struct arena *a, size_t limit)
{
    char *nothing = (char *)a;      /* no room, yet not NULL: an allocation of 0 bytes gives a pointer too */
    *a = (struct arena){ .at = nothing, .end = nothing, .limit = limit };
}

static void free_blocks(struct arena_block *b)
{
    while (b) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
}

void arena_release(struct arena *a)
{
    free_blocks(a->block);
    arena_init(a, a->limit);
}

/* Keeps the newest block, which is the largest usual one, unless it was made for one outsized thing. */
void arena_reset(struct arena *a)
{
    struct arena_block *keep = a->block;
    if (!ARENA_KEEPS || keep == NULL || keep->size > BLOCK_LARGEST) {
        arena_release(a);
        return;
    }
    free_blocks(keep->next);
    keep->next = NULL;
    a->at = (char *)(keep + 1);
    a->end = a->at + keep->size;
    a->used = 0;
}

static struct arena_block *new_block(size_t size)
{
    struct arena_block *b = arena_malloc(size > SIZE_MAX - sizeof *b ? SIZE_MAX : size + sizeof *b);
    *b = (struct arena_block){ .size = size };
    return b;
}

/* What is larger than half a block gets its own one, behind the newest, whose rest stays in use. */
static void *grow_apart(struct arena *a, size_t n)
{
    struct arena_block *b = new_block(n);
    b->next = a->block->next;
    a->block->next = b;
    a->used += n;
    return b + 1;
}

void *arena_grow(struct arena *a, size_t n)
{
    size_t size = a->block ? a->block->size * 2 : BLOCK_FIRST;
    if (size > BLOCK_LARGEST)
        size = BLOCK_LARGEST;
    if (a->block && n > size / 2)
        return grow_apart(a, n);
    struct arena_block *b = new_block(n > size ? n : size);
    b->next = a->block;
    a->block = b;
    a->at = (char *)(b + 1) + n;
    a->end = (char *)(b + 1) + b->size;
    a->used += n;
    return b + 1;
}

void *arena_zero(struct arena *a, size_t n)
{
    return memset(arena_alloc(a, n), 0, n);
}

struct slice arena_copy(struct arena *a, struct slice text)
{
    if (text.p == NULL)
        return slice_none();
    return (struct slice){ arena_cstr(a, text), text.n };
}

char *arena_cstr(struct arena *a, struct slice text)
{
    char *p = arena_alloc(a, text.n + 1);
    if (text.n)
        memcpy(p, text.p, text.n);
    p[text.n] = '\0';
    return p;
}

struct slice arena_vprintf(struct arena *a, const char *format, va_list ap)
{
    va_list again;
    size_t room = (size_t)(a->end - a->at);
    char *at = a->at;
    va_copy(again, ap);
    int n = vsnprintf(room ? at : NULL, room, format, again);      /* where it will most likely stand */
    va_end(again);
    if (n < 0)
        return SLICE("");
    char *p = arena_alloc(a, (size_t)n + 1);
    if (p != at || (size_t)n >= room)
        vsnprintf(p, (size_t)n + 1, format, ap);
    return (struct slice){ p, (size_t)n };
}

struct slice arena_printf(struct arena *a, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    struct slice s = arena_vprintf(a, format, ap);
    va_end(ap);
    return s;
}

void *arena_room(struct arena *a, void *list, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return list;
    size_t more = n < 8 ? 8 : n * 2, bytes;
    if (__builtin_mul_overflow(more, size, &bytes))
        bytes = SIZE_MAX / 2;       /* arena_malloc reports it */
    void *wider = arena_alloc(a, bytes);
    if (n)
        memcpy(wider, list, n * size);
    *cap = more;
    return wider;
}

void arena_free(void *p)
{
    free(p);
}
