/* fuzz_site - any text as site.conf, beside two formats and three mappings: loaded or refused, never without a reason. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flow/site.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void put(const char *dir, const char *name, const void *p, size_t n)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, p, n) != (ssize_t)n)
        abort();
    close(fd);
}

static void put_text(const char *dir, const char *name, const char *text)
{
    put(dir, name, text, strlen(text));
}

/* One folder for each process. */
static const char *folder(char *dir, size_t size)
{
    snprintf(dir, size, "/tmp/waybill-fuzz-site-%ld", (long)getpid());
    if (access(dir, F_OK) == 0 || mkdir(dir, 0700) != 0)
        return dir;
    put_text(dir, "rows.format", "syntax csv\nmessage Row key Id {\n Id text required\n Qty decimal\n}\n");
    put_text(dir, "staged.format", "syntax json lines\nmessage Row key Id {\n Id text required\n Qty decimal\n Sent datetime\n}\n");
    put_text(dir, "copy.map", "mapping rows <=> rows\nRow <=> Row {\n key Id <=> Id\n Qty <=> Qty\n}\n");
    put_text(dir, "create.map", "mapping rows => staged\nparam p text\nRow => Row {\n key Id => Id\n $p | \"1\" => Qty\n}\n");
    put_text(dir, "send.map", "mapping staged => rows\ntable t key Id columns Qty optional\nRow => Row {\n Id => Id\n $t[Id]/Qty => Qty\n}\n");
    return dir;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char dir[128];
    struct arena a;
    struct problems ps;
    struct site *site = NULL;
    static const char *const roots[] = { NULL };
    struct site_env env = { .roots = roots };
    put(folder(dir, sizeof dir), "site.conf", data, n);
    arena_init(&a, 0);
    problems_init(&ps, &a, 100);
    if (site_load(&a, &env, dir, &site, &ps) != OK && ps.errors == 0)
        abort();
    arena_release(&a);
    return 0;
}
