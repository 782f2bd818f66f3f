#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/fsck_private.h"
#include "store/archive.h"

/* The manifest agrees with the members already: the input is the waybill's when its line there has the same hash. */
static bool input_listed(struct slice manifest, const char *sha256)
{
    static const char head[] = "{\"name\":\"in\",";
    const char *line = memmem(manifest.p, manifest.n, head, sizeof head - 1);
    const char *end = line ? memchr(line, '\n', (size_t)(slice_end(manifest) - line)) : NULL;
    return end && memmem(line, (size_t)(end - line), sha256, SHA256_HEX - 1) != NULL;
}

/* The copy beside the zip, for people and `status`: the zip's own is the one that counts. */
static int check_beside(struct fsck *f, const char *path, const char *file, struct slice text)
{
    char beside[ARCHIVED_PATH + WAYBILL_FILE_NAME];
    struct slice copy;
    struct problems ignored;
    problems_init(&ignored, &f->arena, 1);
    snprintf(beside, sizeof beside, "%s/%.*s/%s", f->s->spool->path, (int)(strrchr(path, '/') - path), path, file);
    if (file_read(&f->arena, beside, 0, &copy, &ignored) != OK)
        fsck_say(f, PROBLEM_WARNING, "FSCK_BESIDE", path, "the copy of the waybill beside the zip is missing",
                 "take it out of the zip");
    else if (!slice_equal(copy, text))
        fsck_say(f, PROBLEM_ERROR, "FSCK_BESIDE", path, "the waybill beside the zip is not the one in the zip",
                 "the zip counts: take the waybill out of it again");
    return OK;
}

/* TEMP: it could not be read, which is told. */
static int check_zip(struct fsck *f, const char *path)
{
    char file[WAYBILL_FILE_NAME];
    struct slice text, manifest;
    struct waybill *w;
    int rc = archived_verify(f->s->store, f->batch, f->ps);
    waybill_file_name(f->batch, file);
    if (rc == OK)
        rc = archived_read(f->s->store, f->batch, slice_of(file), 0, &f->arena, &text, f->ps);
    if (rc == OK)
        rc = archived_read(f->s->store, f->batch, SLICE("manifest.json"), 0, &f->arena, &manifest, f->ps);
    if (rc == OK)
        rc = waybill_read(&f->arena, text, path, &w, f->ps);
    if (rc == TEMP)
        return rc;
    if (rc != OK) {
        fsck_say(f, PROBLEM_ERROR, "FSCK_ZIP", path, "the archived batch does not verify",
                 "bring the zip back from a backup");
        return OK;
    }
    fsck_waybill(f, w, path);
    if (w->place != PLACE_ARCHIVED || !slice_is(w->batch, f->batch))
        fsck_say(f, PROBLEM_ERROR, "FSCK_PLACE", path, "the waybill in the zip is that of another batch or place",
                 "bring the zip back from a backup");
    if (!input_listed(manifest, w->sha256))
        fsck_say(f, PROBLEM_ERROR, "FSCK_INPUT", path, "the input in the zip is not what its waybill says",
                 "bring the zip back from a backup");
    return check_beside(f, path, file, text);
}

static int one_zip(void *owner, const char *batch)
{
    struct fsck *f = owner;
    char path[ARCHIVED_PATH];
    f->out->archived++;
    snprintf(f->batch, sizeof f->batch, "%s", batch);
    if (archived_path(batch, path))
        check_zip(f, path);
    arena_reset(&f->arena);
    return OK;                                      /* what is wrong with one is told: so are the others */
}

static int one_config(struct fsck *f, const char *name)
{
    char path[512];
    struct slice bytes;
    int rc = OK;
    snprintf(path, sizeof path, "archive/config/%.300s", name);
    if (name[0] == '.')
        return OK;                                  /* of a run that was killed: written again when it is needed */
    if (strlen(name) == SHA256_HEX - 1)
        rc = config_get(f->s->store, name, &f->arena, &bytes, f->ps);
    else
        fsck_say(f, PROBLEM_WARNING, "FSCK_STRANGE", path, "only files named by their SHA-256 belong here",
                 "move it elsewhere");
    f->out->configs++;
    arena_reset(&f->arena);
    return rc;
}

int fsck_archive(struct fsck *f)
{
    int rc = archived_each(f->s->store, one_zip, f, f->ps);
    return rc == TEMP ? TEMP : fsck_folder(f, f->archive, "config", one_config);
}
