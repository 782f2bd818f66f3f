/*
 * manifest - files of an inbox that list others with their hashes, as sha256sum writes them
 *
 *     <64 hex digits> <blank or *>NAME
 *
 * Other lines are ignored.  Read anew in each pass.
 *
 * Limits:  1,000 manifests of 1 MiB.
 */
#ifndef WAYBILL_DROP_MANIFEST_H
#define WAYBILL_DROP_MANIFEST_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/map.h"

struct manifest_entry {
    char sha256[SHA256_HEX];
    const char *name, *manifest;
    struct manifest_entry *next;    /* of the same manifest */
    struct manifest_entry *first;
};

struct manifests {
    struct arena arena;
    struct map by_name;
};

void manifests_init(struct manifests *m);
void manifests_release(struct manifests *m);
/* Reads all files of the folder whose names fit the pattern. */
void manifests_load(struct manifests *m, int dirfd, const char *pattern);
/* The line about a file, or NULL. */
const struct manifest_entry *manifests_find(const struct manifests *m, const char *name);
/* Whether the file is what its line says. */
bool manifest_fits(const struct manifest_entry *e, int fd);
/* Whether no other file of the entry's manifest is left in the folder. */
bool manifest_last(const struct manifest_entry *e, int dirfd);

#endif
