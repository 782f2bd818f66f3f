/*
 * libwaybill - convert a buffer or a file with a mapping, from any program
 *
 *     struct libwaybill *w = libwaybill_new();
 *     if (libwaybill_load(w, "mappings/24so-ongoing/articles.map") == LIBWAYBILL_OK) {
 *         libwaybill_set(w, "goods-owner", "NORDISK");
 *         int rc = libwaybill_convert_file(w, LIBWAYBILL_FORWARD, "products.xml", "articles.xml");
 *         for (size_t i = 0; i < libwaybill_problem_count(w); i++)
 *             puts(libwaybill_problem(w, i)->shown);
 *     }
 *     libwaybill_free(w);
 *
 * The library never exits and never prints.  It keeps no state outside `struct libwaybill`, so each thread may have its
 * own.
 *
 * Units:   sizes in bytes; line and column from 1, in characters.
 * Owner:   what libwaybill_new gives is freed by libwaybill_free; problems and the bytes of libwaybill_convert live
 *          until the next
 *          conversion, load or libwaybill_free.
 * Errors:  the enum below; what is wrong stands in the problems.
 * Limits:  those of the waybill program (README, "Limits"); memory is bounded by the largest message.
 */
#ifndef WAYBILL_H
#define WAYBILL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum libwaybill_result {
    LIBWAYBILL_OK = 0,
    LIBWAYBILL_REJECTED = 1,           /* done, but at least one message was rejected; the output holds the good ones */
    LIBWAYBILL_USAGE = 2,              /* the call makes no sense: no mapping loaded, unknown param */
    LIBWAYBILL_INVALID = 3,            /* the mapping or one of its formats is invalid */
    LIBWAYBILL_INPUT = 4,              /* the input is not what it claims to be; the output is not to be used */
    LIBWAYBILL_SYSTEM = 5,             /* I/O */
};

enum libwaybill_direction { LIBWAYBILL_FORWARD, LIBWAYBILL_BACKWARD };
enum libwaybill_severity { LIBWAYBILL_NOTE, LIBWAYBILL_WARNING, LIBWAYBILL_ERROR };

struct libwaybill;

struct libwaybill_problem {
    enum libwaybill_severity severity;
    const char *code;               /* "NUM_BAD"; `waybill explain NUM_BAD` tells more */
    const char *file;
    uint32_t line, column;          /* 0 = not known */
    uint64_t message;               /* number of the message in the file, 0 = none */
    const char *path, *value, *text, *hint;     /* "" where there is none */
    const char *shown;              /* all of it as the program would print it, escaped, without the last newline */
};

#if defined(__GNUC__)
#define LIBWAYBILL_API __attribute__((visibility("default")))
#else
#define LIBWAYBILL_API
#endif

LIBWAYBILL_API const char *libwaybill_version(void);
LIBWAYBILL_API struct libwaybill *libwaybill_new(void);
LIBWAYBILL_API void libwaybill_free(struct libwaybill *w);
/* A folder where formats and mappings are looked up after the folder of the referring file; may be called several
   times. */
LIBWAYBILL_API int libwaybill_search(struct libwaybill *w, const char *folder);
LIBWAYBILL_API int libwaybill_load(struct libwaybill *w, const char *mapping_path);
/* A parameter that the mapping declares. */
LIBWAYBILL_API int libwaybill_set(struct libwaybill *w, const char *name, const char *value);
/* A table that the mapping declares: a file, read through a format (NULL: comma-separated text with a header row). */
LIBWAYBILL_API int libwaybill_table(struct libwaybill *w, const char *name, const char *path, const char *format);
LIBWAYBILL_API int libwaybill_convert_file(struct libwaybill *w, enum libwaybill_direction d, const char *in_path,
                                           const char *out_path);
/* The output's bytes are given in *out and *out_size. */
LIBWAYBILL_API int libwaybill_convert(struct libwaybill *w, enum libwaybill_direction d, const void *in, size_t in_size,
                                      const void **out, size_t *out_size);
/* Update: the answer changes the original (backward with the original, as `convert --backward --original`). */
LIBWAYBILL_API int libwaybill_update(struct libwaybill *w, const void *answer, size_t answer_size, const void *original,
                                     size_t original_size, const void **out, size_t *out_size);

LIBWAYBILL_API size_t libwaybill_problem_count(const struct libwaybill *w);
LIBWAYBILL_API const struct libwaybill_problem *libwaybill_problem(const struct libwaybill *w, size_t i);

#ifdef __cplusplus
}
#endif
#endif
