/*
 * example - converts one file with libwaybill: example MAPPING IN OUT
 *
 *     cc example.c $(pkg-config --cflags --libs waybill) -o example
 */
#include <stdio.h>
#include <waybill.h>

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s MAPPING IN OUT\n", argv[0]);
        return WAYBILL_USAGE;
    }
    struct waybill *w = waybill_new();
    int rc = waybill_load(w, argv[1]);
    if (rc == WAYBILL_OK)
        rc = waybill_convert_file(w, WAYBILL_FORWARD, argv[2], argv[3]);
    for (size_t i = 0; i < waybill_problem_count(w); i++)
        fprintf(stderr, "%s\n", waybill_problem(w, i)->shown);
    waybill_free(w);
    return rc;
}
