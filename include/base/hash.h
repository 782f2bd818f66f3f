/*
 * hash - SHA-256 of content (FIPS 180-4, by nettle)
 *
 *     struct sha256 h; sha256_init(&h); sha256_add(&h, bytes); sha256_hex(&h, text);      text: 65 bytes
 */
#ifndef WAYBILL_BASE_HASH_H
#define WAYBILL_BASE_HASH_H

#include <stdint.h>

#include "base/slice.h"

#define SHA256_HEX 65

struct sha256 {
    uint64_t state[16];             /* room for nettle's context; checked at compile time in hash.c */
    uint64_t more[16];
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, struct slice bytes);
void sha256_hex(struct sha256 *h, char out[SHA256_HEX]);
void sha256_of(struct slice bytes, char out[SHA256_HEX]);

#endif
