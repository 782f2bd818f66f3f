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
        return LIBWAYBILL_USAGE;
    }
    struct libwaybill *w = libwaybill_new();
    int rc = libwaybill_load(w, argv[1]);
    if (rc == LIBWAYBILL_OK)
        rc = libwaybill_convert_file(w, LIBWAYBILL_FORWARD, argv[2], argv[3]);
    for (size_t i = 0; i < libwaybill_problem_count(w); i++)
        fprintf(stderr, "%s\n", libwaybill_problem(w, i)->shown);
    libwaybill_free(w);
    return rc;
}
