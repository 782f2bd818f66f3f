/*
 * charset - from a file's bytes to UTF-8 and back, strictly
 *
 * Nothing is ever replaced silently: bytes that the charset does not define and characters that it cannot spell are
 * faults. Single-byte sets go through constant tables (written from glibc's iconv by tests/tools/charset_tables.py),
 * UTF-16 through our own loop.  windows-1255 and -1258 are read and written mark by mark: an accented letter that
 * Unicode composes into one character, and windows-1258 spells as two bytes, cannot be written.
 *
 * Units:   bytes.
 * Owner:   the caller's buffers.
 * Errors:  charset_decode and charset_encode stop at the first fault and give its offset.
 */
#ifndef WAYBILL_BASE_CHARSET_H
#define WAYBILL_BASE_CHARSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum charset {
    CHARSET_UNKNOWN, CHARSET_UTF_8,
    /* by its BOM, else LE: who reads in pieces asks charset_bom first; written as LE without BOM */
    CHARSET_UTF_16,
    CHARSET_UTF_16LE, CHARSET_UTF_16BE, CHARSET_US_ASCII,
    CHARSET_ISO_8859_1, CHARSET_ISO_8859_2, CHARSET_ISO_8859_3, CHARSET_ISO_8859_4, CHARSET_ISO_8859_5,
    CHARSET_ISO_8859_6, CHARSET_ISO_8859_7, CHARSET_ISO_8859_8, CHARSET_ISO_8859_9, CHARSET_ISO_8859_10,
    CHARSET_ISO_8859_13, CHARSET_ISO_8859_14, CHARSET_ISO_8859_15, CHARSET_ISO_8859_16,
    CHARSET_WINDOWS_1250, CHARSET_WINDOWS_1251, CHARSET_WINDOWS_1252, CHARSET_WINDOWS_1253, CHARSET_WINDOWS_1254,
    CHARSET_WINDOWS_1255, CHARSET_WINDOWS_1256, CHARSET_WINDOWS_1257, CHARSET_WINDOWS_1258,
    CHARSET_IBM437, CHARSET_IBM850, CHARSET_IBM852, CHARSET_KOI8_R,
    CHARSET_COUNT
};

/* By any usual name ("utf8", "Latin-1", "cp1250", "windows-1250"), case and punctuation ignored; CHARSET_UNKNOWN
   otherwise. */
enum charset charset_find(struct slice name);
/* The name as IANA has it, for declarations: "UTF-8", "windows-1250". */
const char *charset_name(enum charset c);
extern const struct slice *const charset_names; /* all, for suggestions; charset_names_count of them */
extern const size_t charset_names_count;

/* The number of bytes of a BOM at the head of the text (0, 2, 3) and the charset that it means. */
size_t charset_bom(struct slice head, enum charset *out);

/* How many leading bytes are valid UTF-8 (fast for ASCII); == text.n when all. Overlong forms, surrogates, > U+10FFFF
   are not valid. */
size_t utf8_valid(struct slice text);
/* How many leading bytes are below 0x80. */
size_t utf8_ascii(struct slice text);

/* Appends text as UTF-8; returns the number of bytes taken. Less than text.n: a fault at that offset, or, for the
   last bytes of a multi-byte set, an unfinished character (`*unfinished`). */
size_t charset_decode(enum charset c, struct slice text, struct buf *out, bool *unfinished);
/* Appends UTF-8 text in the charset; returns bytes taken, less when a character cannot be spelled at that offset. */
size_t charset_encode(enum charset c, struct slice utf8, struct buf *out);
/* Whether every text of `from` can be spelled in `to` (for the loss table). */
bool charset_holds(enum charset to, enum charset from);

/* The charsets that decode all of this text, likeliest first, for "declared UTF-8, but windows-1250 would decode": at
   most max. */
size_t charset_guess(struct slice text, enum charset *out, size_t max);

/* Decodes one character of valid UTF-8 at *p, moves on; 0 at the end. */
uint32_t utf8_next(const char **p, const char *end);
/* Of text that may be anything: moves over one character, or over one byte that is none. */
struct slice utf8_take(const char **p, const char *end);
/* How many of these there are: what a column counts. */
size_t utf8_chars(struct slice text);

/* Simple case folding and mapping of one character (Latin, Greek, Cyrillic, Armenian): for upper(), lower(), fold(). */
uint32_t char_lower(uint32_t c);
uint32_t char_upper(uint32_t c);
/* Upper, lower or fold of a text, into out; fold also turns ß into ss. */
void text_lower(struct slice text, struct buf *out);
void text_upper(struct slice text, struct buf *out);
void text_fold(struct slice text, struct buf *out);

#endif
