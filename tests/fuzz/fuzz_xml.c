/* Any bytes: our tokenizer at once, byte by byte, and libxml2 must agree on verdict and events. */
#include <stdint.h>

#include "xmlequal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct told ours, authority;
    char *own = malloc(n ? n : 1);          /* a copy of just that length, so that the sanitizer sees a read beyond it */

    if (!own)
        abort();
    memcpy(own, data, n);
    const char *differ = told_differ((struct slice){ own, n }, &ours, &authority);
    if (differ) {
        fprintf(stderr, "%s\nours: %d %s %s\nlibxml2: %d %s %s\n%.*s\n-----\n%.*s\n", differ, ours.status, ours.code, ours.text, authority.status,
                authority.code, authority.text, (int)ours.events.n, ours.events.p, (int)authority.events.n, authority.events.p);
        abort();
    }
    told_release(&ours);
    told_release(&authority);
    free(own);
    return 0;
}
