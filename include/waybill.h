/*
 * libwaybill - convert a buffer or a file with a mapping, from any program
 *
 *     struct waybill *w = waybill_new();
 *     if (waybill_load(w, "mappings/24so-ongoing/articles.map") == WAYBILL_OK) {
 *         waybill_set(w, "goods-owner", "NORDISK");
 *         int rc = waybill_convert_file(w, WAYBILL_FORWARD, "products.xml", "articles.xml");
 *         for (size_t i = 0; i < waybill_problem_count(w); i++)
 *             puts(waybill_problem(w, i)->shown);
 *     }
 *     waybill_free(w);
 *
 * The library never exits and never prints.  It keeps no state outside `struct waybill`, so each thread may have its own.
 *
 * Units:   sizes in bytes; line and column from 1, in characters.
 * Owner:   what waybill_new gives is freed by waybill_free; problems and the bytes of waybill_convert live until the next
 *          conversion, load or waybill_free.
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

enum waybill_result {
    WAYBILL_OK = 0,
    WAYBILL_REJECTED = 1,           /* done, but at least one message was rejected; the output holds the good ones */
    WAYBILL_USAGE = 2,              /* the call makes no sense: no mapping loaded, unknown param */
    WAYBILL_INVALID = 3,            /* the mapping or one of its formats is invalid */
    WAYBILL_INPUT = 4,              /* the input is not what it claims to be; the output is not to be used */
    WAYBILL_SYSTEM = 5,             /* I/O */
};

enum waybill_direction { WAYBILL_FORWARD, WAYBILL_BACKWARD };
enum waybill_severity { WAYBILL_NOTE, WAYBILL_WARNING, WAYBILL_ERROR };

struct waybill;

struct waybill_problem {
    enum waybill_severity severity;
    const char *code;               /* "NUM_BAD"; `waybill explain NUM_BAD` tells more */
    const char *file;
    uint32_t line, column;          /* 0 = not known */
    uint64_t message;               /* number of the message in the file, 0 = none */
    const char *path, *value, *text, *hint;     /* "" where there is none */
    const char *shown;              /* all of it as the program would print it, escaped, without the last newline */
};

#if defined(__GNUC__)
#define WAYBILL_API __attribute__((visibility("default")))
#else
#define WAYBILL_API
#endif

WAYBILL_API const char *waybill_version(void);
WAYBILL_API struct waybill *waybill_new(void);
WAYBILL_API void waybill_free(struct waybill *w);
/* A folder where formats and mappings are looked up after the folder of the referring file; may be called several times. */
WAYBILL_API int waybill_search(struct waybill *w, const char *folder);
WAYBILL_API int waybill_load(struct waybill *w, const char *mapping_path);
/* A parameter that the mapping declares. */
WAYBILL_API int waybill_set(struct waybill *w, const char *name, const char *value);
/* A table that the mapping declares: a file, read through a format (NULL: comma-separated text with a header row). */
WAYBILL_API int waybill_table(struct waybill *w, const char *name, const char *path, const char *format);
WAYBILL_API int waybill_convert_file(struct waybill *w, enum waybill_direction d, const char *in_path, const char *out_path);
/* The output's bytes are given in *out and *out_size. */
WAYBILL_API int waybill_convert(struct waybill *w, enum waybill_direction d, const void *in, size_t in_size, const void **out, size_t *out_size);
/* Update: the answer changes the original (backward with the original, as `convert --backward --original`). */
WAYBILL_API int waybill_update(struct waybill *w, const void *answer, size_t answer_size, const void *original, size_t original_size,
                               const void **out, size_t *out_size);

WAYBILL_API size_t waybill_problem_count(const struct waybill *w);
WAYBILL_API const struct waybill_problem *waybill_problem(const struct waybill *w, size_t i);

#ifdef __cplusplus
}
#endif
#endif
