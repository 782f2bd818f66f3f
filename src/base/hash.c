#include "base/hash.h"

#include <string.h>

#include <nettle/sha2.h>

#undef sha256_init                  /* nettle renames its own by a macro */

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(struct sha256), "nettle's context fits");
_Static_assert(_Alignof(struct sha256_ctx) <= _Alignof(struct sha256), "and is aligned");

static struct sha256_ctx *context(struct sha256 *h)
{
    return (struct sha256_ctx *)(void *)h;
}

void sha256_init(struct sha256 *h)
{
    memset(h, 0, sizeof *h);
    nettle_sha256_init(context(h));
}

void sha256_add(struct sha256 *h, struct slice bytes)
{
    nettle_sha256_update(context(h), bytes.n, (const uint8_t *)bytes.p);
}

void sha256_hex(struct sha256 *h, char out[SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t sum[SHA256_DIGEST_SIZE];
    nettle_sha256_digest(context(h), sizeof sum, sum);
    for (size_t i = 0; i < sizeof sum; i++) {
        out[2 * i] = digits[sum[i] >> 4];
        out[2 * i + 1] = digits[sum[i] & 15];
    }
    out[2 * sizeof sum] = '\0';
}

void sha256_of(struct slice bytes, char out[SHA256_HEX])
{
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, bytes);
    sha256_hex(&h, out);
}
