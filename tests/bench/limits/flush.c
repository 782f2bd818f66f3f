/* flush.so, preloaded: each sync takes FLUSH_MS more, as on a disk whose flush takes that long. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long late(long number, int fd)
{
    const char *text = getenv("FLUSH_MS");
    long ns = text ? (long)(atof(text) * 1e6) : 0;
    struct timespec t = { ns / 1000000000, ns % 1000000000 };
    long rc = syscall(number, fd);
    nanosleep(&t, NULL);
    return rc;
}

int syncfs(int fd) { return (int)late(SYS_syncfs, fd); }
int fsync(int fd) { return (int)late(SYS_fsync, fd); }
int fdatasync(int fd) { return (int)late(SYS_fdatasync, fd); }
