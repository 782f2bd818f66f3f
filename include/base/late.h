/*
 * late - a shared library that is loaded when it is first needed
 *
 * For libraries that few runs need and that take long to load: libarchive and libxml2 bring ICU and libstdc++ along,
 * 1.2 of the 2.4 ms of CPU that the conversion of a small file took (2026-11-22, Xeon).
 *
 *     #define FUNCTIONS(F) F(xmlInitParser) F(xmlParseChunk)
 *     struct functions { FUNCTIONS(LATE_MEMBER) };                        of the types that the header declares
 *     static const struct late_library libxml2 = { "libxml2.so.2", "libxml2", FUNCTIONS(LATE_NAME) };
 *     LATE_NOTE("libxml2.so.2");                                          for who packages the program
 *
 *     struct functions lib;
 *     int rc = late_load(&libxml2, &lib, problems);
 *     lib.xmlInitParser();
 *
 * The table of functions is the caller's and is filled anew at every load: no state, nothing to lock, and once the
 * library is there a load takes 40 ns for each function.
 *
 * Owner:   the library stays until the process ends.
 * Errors:  OK; TEMP with SYS_LIBRARY when the library is missing, broken or too old, and the table is not to be used.
 * Source:  dlopen(3); the note is that of the UAPI group's "ELF dlopen metadata".
 * Limits:  thread-safe, as dlopen is; not behind a sandbox that keeps files from being opened.
 */
#ifndef WAYBILL_BASE_LATE_H
#define WAYBILL_BASE_LATE_H

#include <stdint.h>

#include "base/problem.h"

struct late_library {
    const char *soname;             /* as the linker would have recorded it */
    const char *package;            /* of Debian and Ubuntu, for the message */
    const char *names;              /* of the functions, in the order of the table, each ended by NUL; "" is the end */
};

#define LATE_MEMBER(function) __typeof__(&function) function;
#define LATE_NAME(function) #function "\0"

/* `table` is a struct of LATE_MEMBERs. */
int late_load(const struct late_library *library, void *table, struct problems *ps);

/* Tells the tools of packagers of a library that no NEEDED entry names: namesz, descsz, type, "FDO", JSON. */
#define LATE_NOTE(soname) \
    __attribute__((used, section(".note.dlopen"), aligned(4))) static const struct { \
        uint32_t name_size, text_size, type; \
        char name[4]; \
        char text[sizeof LATE_NOTE_TEXT(soname)]; \
    } late_note = { 4, sizeof LATE_NOTE_TEXT(soname), 0x407c0c0a, "FDO", LATE_NOTE_TEXT(soname) }
#define LATE_NOTE_TEXT(soname) "[{\"soname\":[\"" soname "\"],\"priority\":\"required\"}]"

#endif
