/*
 * fuzz_listing - any bytes as what a partner's server has said: its entries lie in it, each with a name and a size, and
 * those that may stand in a command lead into no other folder.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drop/sftp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void inside(struct slice part, struct slice of)
{
    if (part.n > of.n || part.p < of.p || part.p + part.n > of.p + of.n)
        abort();
}

static void look_at(const struct sftp_entry *e, struct slice all)
{
    inside(e->name, all);
    inside(e->stamp, all);
    if (e->name.n == 0 || memchr(e->name.p, '\n', e->name.n) || e->size > 999999999999999999u)
        abort();
    if (sftp_plain(e->name) && (memchr(e->name.p, '/', e->name.n) || memchr(e->name.p, ' ', e->name.n) ||
                                *e->name.p == '-' || *e->name.p == '.'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *copy = malloc(n ? n : 1);     /* of its size, so that a step beyond it is seen */
    if (n)
        memcpy(copy, data, n);
    struct slice all = { copy, n }, left = all;
    struct sftp_entry e;
    while (sftp_entry(&left, &e))
        look_at(&e, all);
    if (left.n)
        abort();
    bool any = sftp_reached(all, ""), one = sftp_reached(all, "rename ");
    if (one && !any)
        abort();
    free(copy);
    return 0;
}
