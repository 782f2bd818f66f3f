/* lim_waves DIR ROUNDS RENAMES SYNCFS FDATASYNCS [CREATES BYTES]
   What the disk takes for the durable points of W6, and nothing else: in each round RENAMES renames between two folders and then
   SYNCFS times syncfs and FDATASYNCS times an appended line with fdatasync, the renames spread evenly before them.  With CREATES
   each round makes so many files of BYTES bytes too and removes those of the round before.  Prints seconds; all that is needed
   before is made and synced before the clock starts. */
#include "common.h"
#include <dirent.h>

static void die(const char *what) { perror(what); exit(1); }

static int folder(int at, const char *name)
{
    if (mkdirat(at, name, 0700) != 0) die(name);
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY);
    if (fd < 0) die(name);
    return fd;
}

static void fill(int dir, int round, int n, int bytes)
{
    static char data[65536]; char name[64];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "c%d-%d", round, i);
        int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (fd < 0 || write(fd, data, bytes) != bytes || close(fd) != 0) die(name);
    }
}

static void empty(int dir, int round, int n)
{
    char name[64];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "c%d-%d", round, i);
        if (unlinkat(dir, name, 0) != 0) die(name);
    }
}

int main(int c, char **v)
{
    if (c != 6 && c != 8) return 2;
    int rounds = atoi(v[2]), renames = atoi(v[3]), syncs = atoi(v[4]), appends = atoi(v[5]);
    int creates = c == 8 ? atoi(v[6]) : 0, bytes = c == 8 ? atoi(v[7]) : 0, points = syncs + appends;
    int root = open(v[1], O_RDONLY | O_DIRECTORY);
    if (root < 0 || points < 1 || bytes > 65536) die(v[1]);
    int dirs[2] = { folder(root, "a"), folder(root, "b") }, made = folder(root, "c");
    int log = openat(root, "log", O_WRONLY | O_CREAT | O_APPEND, 0600), files = (renames + points - 1) / points;
    static char line[20000];
    char name[64];
    for (int i = 0; i < files; i++) {
        snprintf(name, sizeof name, "f%d", i);
        int fd = openat(dirs[0], name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (fd < 0 || close(fd) != 0) die(name);
    }
    syncfs(root);
    begin();
    for (int r = 0, side = 0; r < rounds; r++) {
        if (creates) fill(made, r, creates, bytes);
        for (int p = 0, done = 0; p < points; p++, side = !side) {
            int want = (int)((long)renames * (p + 1) / points) - done;
            for (int i = 0; i < want; i++) {    /* each stands in the same folder at the same time */
                snprintf(name, sizeof name, "f%d", i);
                if (renameat(dirs[side], name, dirs[!side], name) != 0 && renameat(dirs[!side], name, dirs[side], name) != 0) die(name);
            }
            done += want;
            if (p < syncs ? syncfs(root) != 0 : write(log, line, sizeof line) < 0 || fdatasync(log) != 0) die("sync");
        }
        if (creates && r) empty(made, r - 1, creates);
    }
    printf("%.4f\n", now_s() - t_start);
    return 0;
}
