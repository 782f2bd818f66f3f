/*
 * example - the files of the site that `waybill init` makes (private to cmd)
 */
#ifndef WAYBILL_CMD_EXAMPLE_H
#define WAYBILL_CMD_EXAMPLE_H

#include <stddef.h>

struct example_file {
    const char *name, *text;
};

extern const struct example_file example_files[];
extern const size_t example_count;

#endif
