/*
 * file - whole files and durable writes
 *
 * Errors:  OK, or TEMP / STOP with a problem (SYS_…); errno is told in it.  fsync is never called twice on one inode:
 *          after a failed one the caller makes a new file (RELIABILITY.md 2.9).
 */
#ifndef WAYBILL_BASE_FILE_H
#define WAYBILL_BASE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/problem.h"

/* The whole file, NUL-terminated behind its end; refuses what is longer than max (0 = 64 MiB) or no regular file. */
int file_read(struct arena *a, const char *path, uint64_t max, struct slice *out, struct problems *ps);
/* Writes all; handles short writes and EINTR. 0 or errno. */
int file_write_all(int fd, struct slice bytes);
/* flock with LOCK_EX or LOCK_SH, for at most ten seconds: a process that was stopped holds up nobody for ever.  `what`:
   the file, for people.  OK, or TEMP. */
int file_lock(int fd, int how, const char *what, struct problems *ps);
/* Reads until `n` bytes are there or the file ends; -1 with errno on a fault. */
ssize_t file_read_full(int fd, void *p, size_t n);
/* NAME replaced by the bytes: temporary file .NAME.new beside it, fsync, rename, fsync of the folder (both fsyncs only
   if durable). What a killed process left of the temporary goes; one process at a time writes a name. */
int file_replace(int dirfd, const char *name, struct slice bytes, unsigned mode, bool durable, struct problems *ps);
/* The same in the folder of that path, which every step goes by: when the folder is renamed nothing happens to it. */
int file_replace_in(int dirfd, const char *below, const char *name, struct slice bytes, unsigned mode, bool durable,
                    struct problems *ps);
/* The same of a path; the temporary file is made in the folder `beside`, which ends with a slash: whoever removes or
   renames that one meanwhile has seen to it that nothing happens. */
int file_replace_from(int dirfd, const char *beside, const char *path, struct slice bytes, unsigned mode, bool durable,
                      struct problems *ps);
/* The same, not durable and in fewer calls: the mode as the umask leaves it. */
int file_put(int dirfd, const char *name, struct slice bytes, unsigned mode, struct problems *ps);
/* The next entry of a folder but . and ..; NULL at its end, or on a fault: *err is errno then, else 0. */
struct dirent *file_entry(DIR *dir, int *err);
/* Folder and its parents. */
int file_make_dirs(const char *path, unsigned mode, struct problems *ps);
bool file_exists(const char *path);
/* "a/b" in the arena; an absolute b stands alone. */
const char *file_join(struct arena *a, const char *dir, const char *name);
const char *file_base(const char *path);
struct slice file_dir(struct arena *a, const char *path);

#endif
