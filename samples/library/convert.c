/*
 * convert - libwaybill in one screen:  convert MAPPING IN OUT [NAME=VALUE ...]
 *
 *     cc convert.c $(pkg-config --cflags --libs waybill) -o convert
 */
#include <stdio.h>
#include <string.h>

#include <waybill.h>

static int set_params(struct waybill *w, int n, char **list)
{
    for (int i = 0; i < n; i++) {
        char *eq = strchr(list[i], '=');
        if (!eq)
            return WAYBILL_USAGE;
        *eq = 0;
        if (waybill_set(w, list[i], eq + 1) != WAYBILL_OK) {
            fprintf(stderr, "convert: the mapping has no param %s\n", list[i]);
            return WAYBILL_USAGE;
        }
    }
    return WAYBILL_OK;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: convert MAPPING IN OUT [NAME=VALUE ...]\n");
        return WAYBILL_USAGE;
    }
    struct waybill *w = waybill_new();
    int rc = waybill_load(w, argv[1]);
    if (rc == WAYBILL_OK)
        rc = set_params(w, argc - 4, argv + 4);
    if (rc == WAYBILL_OK)
        rc = waybill_convert_file(w, WAYBILL_FORWARD, argv[2], argv[3]);
    for (size_t i = 0; i < waybill_problem_count(w); i++)
        fprintf(stderr, "%s\n", waybill_problem(w, i)->shown);
    waybill_free(w);
    return rc;
}
