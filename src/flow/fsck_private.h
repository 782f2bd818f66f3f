/*
 * fsck_private - shared by the files of fsck
 */
#ifndef WAYBILL_FLOW_FSCK_PRIVATE_H
#define WAYBILL_FLOW_FSCK_PRIVATE_H

#include "base/map.h"
#include "flow/fsck.h"

struct fsck {
    const struct batch_site *s;
    struct fsck_report *out;
    struct problems *ps;
    struct arena arena;             /* of the batch that is looked at */
    struct arena kept;              /* of the map */
    struct map manifests;           /* that were looked at: whether all is kept that they name */
    int archive;                    /* descriptor of archive/ */
    bool aside;                     /* in error/ */
    char batch[BATCH_ID_SIZE];
};

/* `path` is below the site; `hint` says what to do. */
void fsck_say(struct fsck *f, enum severity severity, const char *code, const char *path, const char *text,
              const char *hint);
/* Every entry of a folder but . and ..; a missing folder has none. Ends at TEMP. */
int fsck_folder(struct fsck *f, int dirfd, const char *folder, int (*each)(struct fsck *f, const char *name));
/* The chain of its history, the configuration that it names. */
void fsck_waybill(struct fsck *f, const struct waybill *w, const char *path);
int fsck_archive(struct fsck *f);

#endif
