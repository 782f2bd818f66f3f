/* The first byte picks the charset: what decodes is valid UTF-8, does not depend on how it is cut, and encodes back. */
#include <stdlib.h>

#include "base/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In pieces of n bytes; the rest of an unfinished character is tried again with the next piece. */
static size_t decode_pieces(enum charset c, struct slice text, size_t n, struct buf *out)
{
    size_t at = 0, step = n;
    while (at < text.n) {
        bool unfinished;
        size_t left = text.n - at, n_now = left < step ? left : step;
        size_t taken = charset_decode(c, (struct slice){ text.p + at, n_now }, out, &unfinished);
        at += taken;
        if (taken == n_now) {
            step = n;
            continue;
        }
        if (!unfinished || left <= step)
            return at;
        step = step - taken + n;
    }
    return at;
}

static void check_guesses(struct slice text)
{
    enum charset found[64];
    size_t n = charset_guess(text, found, 64);
    for (size_t i = 0; i < n; i++) {
        struct buf out = { 0 };
        bool unfinished;
        if (charset_decode(found[i], text, &out, &unfinished) != text.n)
            abort();
        buf_release(&out);
    }
}

static void check_texts(struct slice utf8)
{
    struct buf lower = { 0 }, upper = { 0 }, shown = { 0 };
    text_fold(utf8, &lower);
    text_upper(utf8, &upper);
    buf_add_shown(&shown, utf8, 1000);
    if (utf8_valid(buf_slice(&lower)) != lower.n || utf8_valid(buf_slice(&upper)) != upper.n
        || utf8_valid(buf_slice(&shown)) != shown.n)
        abort();
    buf_release(&lower);
    buf_release(&upper);
    buf_release(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = { 0 }, pieces = { 0 }, back = { 0 };
    bool unfinished;
    if (size == 0)
        return 0;
    enum charset c = (enum charset)(data[0] % CHARSET_COUNT);
    struct slice text = { (const char *)data + 1, size - 1 };
    size_t taken = charset_decode(c, text, &whole, &unfinished);
    if (taken > text.n || utf8_valid(buf_slice(&whole)) != whole.n)
        abort();
    if (c != CHARSET_UTF_16 && (decode_pieces(c, text, 1 + data[0] % 5, &pieces) != taken
                                || !slice_equal(buf_slice(&whole), buf_slice(&pieces))))
        abort();
    if (charset_encode(c, buf_slice(&whole), &back) != whole.n)
        abort();
    if (c != CHARSET_UTF_16 && !slice_equal(buf_slice(&back), (struct slice){ text.p, taken }))
        abort();
    check_guesses(text);
    check_texts(buf_slice(&whole));
    buf_release(&whole);
    buf_release(&pieces);
    buf_release(&back);
    return 0;
}
