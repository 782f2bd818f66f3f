/* fuzz_manifest - any bytes as the manifest of a site's mappings: refused with a reason, or a list of files. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "flow/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size };
    struct arena a;
    struct problems problems;
    struct config_file *list;
    size_t n;
    arena_init(&a, 0);
    problems_init(&problems, &a, 10);
    int rc = config_read(&a, text, "manifest", &list, &n, &problems);
    if ((rc != OK) != (problems.n > 0))
        abort();
    for (size_t i = 0; i < n && rc == OK; i++)
        if (!list[i].path[0] || strlen(list[i].hash) != SHA256_HEX - 1)
            abort();
    arena_release(&a);
    return 0;
}
