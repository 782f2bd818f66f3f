/*
 * limit - every bound on input, in one place
 *
 * Each may be set in site.conf (`limit NAME value`) and ends in a problem LIMIT_….  Source: DESIGN.md section 8.
 *
 * Units: bytes unless the name says otherwise.
 */
#ifndef WAYBILL_BASE_LIMIT_H
#define WAYBILL_BASE_LIMIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct limits {
    uint64_t field;             /* one value: 1 MiB */
    uint64_t row;               /* one record: 16 MiB */
    uint64_t segment;           /* one EDI segment: 1 MiB */
    uint64_t columns;           /* fields of a row: 10,000 */
    uint64_t tag;               /* one XML start tag: 64 KiB */
    uint64_t attributes;        /* of one XML tag: 256 */
    uint64_t namespaces;        /* of one XML tag: 64 */
    uint64_t depth;             /* nesting of elements or objects: 64 (the 65th level is refused) */
    uint64_t hl;                /* nesting of X12 HL loops: 32 */
    uint64_t message;           /* arena of one message: 64 MiB */
    uint64_t binary;            /* one binary object: 256 MiB */
    uint64_t file;              /* one input file: 0 = none */
    uint64_t cpu_base, cpu_mb;  /* CPU milliseconds per file, and per MB of it on top: 30,000 and 2,000 */
    uint64_t output_times, output_base; /* output may be this many times the input, plus base: 64, 1 MiB */
    uint64_t table;             /* rows of one table: 5,000,000 */
    uint64_t keep_table;        /* longest table whose content is kept for `waybill replay`: 64 MiB; 0 = none is */
    uint64_t unpack_members;    /* files in one dropped archive: 10,000 */
    uint64_t unpack_bytes;      /* of all of them: 1 GiB */
    uint64_t unpack_ratio;      /* unpacked to packed, from 1 MiB on: 200 */
    uint64_t lease;             /* milliseconds after which a silent host of a shared site is dead: 60,000 */
    uint64_t disk_reserve;      /* free bytes below which nothing is taken from an inbox: 0 = see flow/disk.c */
    uint64_t inode_reserve;     /* free inodes: 0 = 5 % of all */
    uint64_t ballast;           /* .waybill/reserve, given up when the disk is full: 16 MiB */
};

extern const struct limits limits_default;

/* Sets one limit by name ("field", "depth" …); false when there is none of that name. `names` lists them all. */
int limit_set(struct limits *l, struct slice name, uint64_t value);
extern const struct slice limit_names[];
extern const size_t limit_count;

#endif
