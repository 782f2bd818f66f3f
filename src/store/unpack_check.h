/*
 * unpack_check - what libarchive does not look at when it reads gzip and zip
 *
 *     why = unpack_check_gzip(fd, &limits);                a text for people, NULL: all of it is good
 *     if (unpack_zip_directory(fd, &a, &d) && …)           the members that the directory of a zip lists, and where
 *                                                          its archive begins: what stands before belongs to none
 *
 * Limits:  unpack_check_gzip stops where the limits would refuse the archive in any case.
 * Source:  RFC 1952; APPNOTE.TXT 4.3.16.
 */
#ifndef WAYBILL_STORE_UNPACK_CHECK_H
#define WAYBILL_STORE_UNPACK_CHECK_H

#include "store/unpack.h"

const char *unpack_check_gzip(int fd, const struct unpack_limits *limits);
struct zip_directory {
    uint64_t entries, begins;
    bool goes_on;                   /* there is no end that the file ends with */
};
/* False: it cannot be told; it counts in another way (zip64). */
bool unpack_zip_directory(int fd, struct arena *a, struct zip_directory *out);

#endif
