/* tempdir - a fresh folder for a test, removed at its end. */
#ifndef WAYBILL_TESTS_TEMPDIR_H
#define WAYBILL_TESTS_TEMPDIR_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline char *tempdir_make(char path[256])
{
    const char *base = getenv("TMPDIR");
    snprintf(path, 256, "%s/waybill-test-XXXXXX", base ? base : "/tmp");
    return mkdtemp(path);
}

static inline int tempdir_unlink(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static inline void tempdir_remove(const char *path)
{
    nftw(path, tempdir_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void tempdir_write(const char *dir, const char *name, const char *bytes, size_t n)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n || close(fd) != 0)
        abort();
}

static inline size_t tempdir_read(const char *dir, const char *name, char *bytes, size_t max)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, bytes, max);
    close(fd);
    return n > 0 ? (size_t)n : 0;
}

static inline int tempdir_has(const char *dir, const char *name)
{
    char path[1024];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return lstat(path, &st) == 0;
}

#endif
