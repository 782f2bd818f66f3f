/* fuzz_request - any bytes as a request or an answer: refused with a reason, or what was asked makes sense. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "batch/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct request *r)
{
    for (size_t i = 0; i < r->batch.n; i++) {
        if (r->batch.p[i] == '/' || r->batch.p[i] == '.' || r->batch.p[i] == 0)
            abort();
    }
    if (r->kind > REQUEST_RENEW || (r->kind == REQUEST_RUN ? !r->operation.n : !r->batch.n))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size };
    struct arena a;
    struct problems problems;
    struct request *r;
    struct request_answer *answer;
    arena_init(&a, 0);
    problems_init(&problems, &a, 10);
    if (request_read(&a, text, SLICE("1-1"), &r, &problems) == OK)
        check(r);
    else if (problems.n == 0)
        abort();
    request_read_answer(&a, text, SLICE("1-1"), &answer, &problems);
    arena_release(&a);
    return 0;
}
