/* drop STAGED INBOX OUTBOX N RATE [WAIT_S]
   Renames sNNNNN.csv from STAGED into INBOX at a steady rate (files per second; 0 = at once) and watches OUTBOX for
   sNNNNN.csv.xml.  Prints: seconds from the first rename to the last output, median and p99 of the milliseconds from a file's
   rename to its output. */
#include "common.h"
#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>

static double *at, *took;
static int seen, count;

static void hear(int fd)
{
    static char room[1 << 16] __attribute__((aligned(8)));
    ssize_t n = read(fd, room, sizeof room);
    double now = now_s();
    for (char *p = room; p < room + (n > 0 ? n : 0);) {
        struct inotify_event *e = (struct inotify_event *)p;
        int i;
        if (e->len && sscanf(e->name, "s%5d.csv.xml", &i) == 1 && i >= 0 && i < count && took[i] == 0) {
            took[i] = now - at[i];
            seen++;
        }
        p += sizeof *e + e->len;
    }
}

static int cmp(const void *a, const void *b) { double x = *(double *)a, y = *(double *)b; return x < y ? -1 : x > y; }

int main(int c, char **v)
{
    if (c < 6) return 2;
    count = atoi(v[4]);
    double rate = atof(v[5]), wait = c > 6 ? atof(v[6]) : 60, next, first, last;
    int from = open(v[1], O_RDONLY | O_DIRECTORY), to = open(v[2], O_RDONLY | O_DIRECTORY), fd = inotify_init1(IN_NONBLOCK);
    at = calloc(count, sizeof *at);
    took = calloc(count, sizeof *took);
    if (from < 0 || to < 0 || fd < 0 || inotify_add_watch(fd, v[3], IN_MOVED_TO) < 0) { perror("drop"); return 1; }
    first = last = now_s();
    for (int i = 0; i < count || (seen < count && now_s() - last < wait);) {
        next = rate > 0 ? first + i / rate : first;
        double now = now_s();
        if (i < count && now >= next) {
            char name[32];
            snprintf(name, sizeof name, "s%05d.csv", i);
            at[i] = last = now_s();
            if (renameat(from, name, to, name) != 0) { perror(name); return 1; }
            i++;
            if (rate > 0 || i % 64) continue;
        }
        struct pollfd p = { fd, POLLIN, 0 };
        if (poll(&p, 1, i < count ? (int)((next - now) * 1000) : 100) > 0) hear(fd);
    }
    double end = now_s();
    qsort(took, count, sizeof *took, cmp);
    printf("%.4f %.2f %.2f\n", end - first, took[count / 2] * 1000, took[(int)(count * 0.99)] * 1000);
    if (seen < count) fprintf(stderr, "%d of %d outputs were seen\n", seen, count);
    return seen < count;
}
