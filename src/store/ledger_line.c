#include "store/ledger_line.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <zlib.h>

#include "base/json.h"
#include "store/ledger_index.h"

/* A name counts once: the first value stands. */
static bool first_of_name(const struct ledger_record *r, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (slice_equal(r->fields[i].name, r->fields[at].name))
            return false;
    }
    return true;
}

static void write_json(struct buf *out, const struct ledger_record *r, const uint64_t *commit)
{
    struct buf b = { 0 };
    json_open(&b, '{');
    json_text(&b, "batch", r->batch);
    json_text(&b, "part", r->part);
    json_text(&b, "time", r->time);
    json_number(&b, "message", (int64_t)r->message);
    json_text(&b, "outcome", r->outcome);
    json_text(&b, "code", r->code);
    json_key(&b, "fields");
    json_open(&b, '{');
    for (size_t i = 0; i < r->nfields; i++) {
        if (!first_of_name(r, i))
            continue;
        json_text(&b, NULL, r->fields[i].name.p ? r->fields[i].name : SLICE(""));
        buf_byte(&b, ':');
        if (r->fields[i].value.p)
            json_text(&b, NULL, r->fields[i].value);
        else
            json_raw(&b, NULL, SLICE("null"));
    }
    json_close(&b, '}');
    if (commit) {
        json_number(&b, "commit", (int64_t)*commit);
        json_bool(&b, "end", true);
    }
    json_close(&b, '}');
    buf_add(out, buf_slice(&b));
    buf_release(&b);
}

static void next_chain(char chain[SHA256_HEX], struct slice json)
{
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, (struct slice){ chain, SHA256_HEX - 1 });
    sha256_add(&h, json);
    sha256_hex(&h, chain);
}

void ledger_line_write(struct buf *out, const struct ledger_record *r, const uint64_t *commit, char chain[SHA256_HEX])
{
    size_t at = out->n;
    memset(buf_room(out, LEDGER_HEAD), ' ', LEDGER_HEAD);
    out->n += LEDGER_HEAD;
    write_json(out, r, commit);
    struct slice json = { out->p + at + LEDGER_HEAD, out->n - at - LEDGER_HEAD };
    next_chain(chain, json);
    char head[LEDGER_HEAD + 1];
    snprintf(head, sizeof head, "%08lx %s ", crc32(0, (const unsigned char *)json.p, (unsigned)json.n), chain);
    memcpy(out->p + at, head, LEDGER_HEAD);
    buf_byte(out, '\n');
}

static const char end_mark[] = ",\"end\":true}", commit_mark[] = ",\"commit\":";

static bool ends_with(struct slice a, const char *tail)
{
    size_t n = strlen(tail);
    return a.n >= n && memcmp(a.p + a.n - n, tail, n) == 0;
}

bool ledger_line_is_end(struct slice line)
{
    return line.n > LEDGER_HEAD + sizeof end_mark && ends_with(line, end_mark);
}

bool ledger_line_is_old_end(struct slice line)
{
    return ledger_line_is_end(line) && line.p[line.n - sizeof end_mark] == '}';     /* of the fields */
}

bool ledger_line_commit(struct slice line, uint64_t *out)
{
    if (!ledger_line_is_end(line))
        return false;
    const char *end = line.p + line.n - (sizeof end_mark - 1), *digit = end;
    while (digit > line.p + LEDGER_HEAD && isdigit((unsigned char)digit[-1]))
        digit--;
    struct slice before = slice_range(line.p + LEDGER_HEAD, digit);
    if (digit == end || end - digit > 18 || !ends_with(before, commit_mark))
        return false;
    *out = strtoull(digit, NULL, 10);
    return true;
}

uint64_t ledger_group_hash(struct slice batch, struct slice part)
{
    return ledger_index_hash((struct slice[]){ batch, part }, 2);
}

bool ledger_line_check(struct slice line, char chain[SHA256_HEX])
{
    char crc[12];
    if (line.n <= LEDGER_HEAD || line.n > LEDGER_LINE_MAX || line.p[8] != ' ' || line.p[LEDGER_HEAD - 1] != ' ')
        return false;
    struct slice json = { line.p + LEDGER_HEAD, line.n - LEDGER_HEAD };
    snprintf(crc, sizeof crc, "%08lx", crc32(0, (const unsigned char *)json.p, (unsigned)json.n));
    if (memcmp(crc, line.p, 8) != 0)
        return false;
    char next[SHA256_HEX];
    memcpy(next, chain, SHA256_HEX);
    next_chain(next, json);
    if (memcmp(next, line.p + 9, SHA256_HEX - 1) != 0)
        return false;
    memcpy(chain, next, SHA256_HEX);
    return true;
}

static struct slice text_of(struct arena *a, json_t *value)
{
    if (!json_is_string(value))
        return slice_none();
    return arena_copy(a, (struct slice){ json_string_value(value), json_string_length(value) });
}

static bool read_fields(json_t *object, struct arena *a, struct ledger_record *out)
{
    if (!json_is_object(object))
        return false;
    out->fields = arena_zero(a, json_object_size(object) * sizeof *out->fields + 1);
    for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
        struct ledger_field *f = &out->fields[out->nfields++];
        f->name = arena_copy(a, slice_of(json_object_iter_key(i)));
        f->value = text_of(a, json_object_iter_value(i));
    }
    return true;
}

bool ledger_line_read(struct slice line, struct arena *a, struct ledger_record *out, bool *end)
{
    if (line.n <= LEDGER_HEAD)
        return false;
    json_t *o = json_loadb(line.p + LEDGER_HEAD, line.n - LEDGER_HEAD, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    bool good = json_is_object(o);
    if (good) {
        *out = (struct ledger_record){
            .batch = text_of(a, json_object_get(o, "batch")), .part = text_of(a, json_object_get(o, "part")),
            .time = text_of(a, json_object_get(o, "time")), .outcome = text_of(a, json_object_get(o, "outcome")),
            .code = text_of(a, json_object_get(o, "code")),
            .message = (uint64_t)json_integer_value(json_object_get(o, "message")),
        };
        *end = json_is_true(json_object_get(o, "end"));
        good = out->batch.p && read_fields(json_object_get(o, "fields"), a, out);
    }
    json_decref(o);
    return good;
}
