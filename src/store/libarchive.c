#include "store/libarchive.h"

#define SONAME "libarchive.so.13"       /* of every libarchive 3 */

LATE_NOTE(SONAME);

int libarchive_load(struct libarchive *out, struct problems *ps)
{
    static const struct late_library library = { SONAME, "libarchive13", LIBARCHIVE_FUNCTIONS(LATE_NAME) };
    return late_load(&library, out, ps);
}
