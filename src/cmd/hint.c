#include "cmd/hint.h"

#include <string.h>

/* Those that name their site as an operand; the others that work on one say --dir. */
static const char *const with_operand[] = { "status", "run", "watch", "fsck", "health", "purge", "exchange" };
static const char *const with_option[] = { "show", "where", "do", "create", "send", "receive", "commit", "update", "amend",
                                           "retry", "hold", "release", "cancel", "resend", "renew", "replay" };

#define ONE_OF(word, list) one_of(word, list, sizeof(list) / sizeof *(list))
static bool one_of(struct slice word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_is(word, list[i]))
            return true;
    return false;
}

/* As a shell takes it. */
static void add_quoted(struct buf *out, const char *dir)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./+,@%:=-";
    if (*dir && *dir != '-' && dir[strspn(dir, plain)] == '\0') {
        buf_text(out, dir);
        return;
    }
    buf_byte(out, '\'');
    for (; *dir; dir++)
        *dir == '\'' ? buf_text(out, "'\\''") : buf_byte(out, *dir);
    buf_byte(out, '\'');
}

/* What stands behind "`waybill ", up to the closing quote; its site behind the verb, unless it names one. */
static void add_command(struct buf *out, struct slice call, const char *dir)
{
    const char *blank = memchr(call.p, ' ', call.n);
    struct slice verb = blank ? slice_range(call.p, blank) : call;
    bool named = memmem(call.p, call.n, "--dir", 5) != NULL;
    buf_add(out, verb);
    if (!named && ONE_OF(verb, with_option)) {
        buf_text(out, " --dir ");
        add_quoted(out, dir);
    } else if (!blank && ONE_OF(verb, with_operand)) {
        buf_byte(out, ' ');
        add_quoted(out, dir);
    }
    buf_add(out, slice_range(call.p + verb.n, call.p + call.n));
}

struct slice hint_for_site(struct arena *a, struct slice text, const char *dir)
{
    static const char begins[] = "`waybill ";
    const size_t n = sizeof begins - 1;
    const char *p = text.p, *end = slice_end(text), *found;
    if (!dir || strcmp(dir, ".") == 0 || !text.n || !memmem(text.p, text.n, begins, n))
        return text;
    struct buf out = { 0 };
    while ((found = memmem(p, (size_t)(end - p), begins, n))) {
        const char *from = found + n, *close = memchr(from, '`', (size_t)(end - from));
        buf_add(&out, slice_range(p, from));
        p = close ? close : from;
        if (close)
            add_command(&out, slice_range(from, close), dir);
    }
    buf_add(&out, slice_range(p, end));
    struct slice made = arena_copy(a, buf_slice(&out));
    buf_release(&out);
    return made;
}
