#include "base/late.h"

#include <dlfcn.h>
#include <string.h>

static int unusable(const struct late_library *library, struct problems *ps)
{
    const char *reason = dlerror();
    struct slice text = arena_printf(ps->arena, "a library cannot be loaded: %s", reason ? reason : library->soname);
    struct slice hint = arena_printf(ps->arena, "install it, on Debian and Ubuntu with `apt-get install %s`",
                                     library->package);
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "SYS_LIBRARY", .place = PLACE_NONE,
                                       .text = text, .hint = hint });
    return TEMP;
}

int late_load(const struct late_library *library, void *table, struct problems *ps)
{
    char *to = table;
    void *handle = dlopen(library->soname, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return unusable(library, ps);
    for (const char *name = library->names; *name; name += strlen(name) + 1) {
        void *function = dlsym(handle, name);
        if (!function)
            return unusable(library, ps);
        memcpy(to, &function, sizeof function);     /* POSIX: as wide as any function pointer */
        to += sizeof function;
    }
    return OK;
}
