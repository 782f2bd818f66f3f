#include "batch/shape.h"

#include <stdint.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/json.h"

enum { LIST_MAX = 100000, KEY_MAX = 64 };

/* --- writing ------------------------------------------------------------------------------------------------------ */

static bool is_something(const struct shape_member *m, const char *p)
{
    switch (m->kind) {
    case SHAPE_TEXT: case SHAPE_BYTES: return ((const struct slice *)(const void *)p)->p != NULL;
    case SHAPE_HASH: return *p != '\0';
    case SHAPE_U32: return *(const uint32_t *)(const void *)p != 0;
    case SHAPE_U64: case SHAPE_I64: return *(const uint64_t *)(const void *)p != 0;
    case SHAPE_WORD: return true;
    case SHAPE_OBJECT: return is_something(&m->shape->members[0], p + m->shape->members[0].offset);
    case SHAPE_LIST: return *(void *const *)(const void *)p != NULL;
    }
    return false;
}

static void write_bytes(const char *key, struct slice bytes, struct buf *out)
{
    struct buf shown = { 0 }, coded = { 0 };
    char key64[KEY_MAX];
    buf_add_shown(&shown, bytes, 0);
    json_text(out, key, buf_slice(&shown));
    if (!slice_equal(buf_slice(&shown), bytes)) {
        snprintf(key64, sizeof key64, "%s_b64", key);
        base64_write(bytes, &coded);
        json_text(out, key64, buf_slice(&coded));
    }
    buf_release(&shown);
    buf_release(&coded);
}

/* The comma is written here where a new line follows: the JSON writer adds none behind a newline. */
static void new_line(struct buf *out)
{
    if (out->n && out->p[out->n - 1] != '{' && out->p[out->n - 1] != '[')
        buf_byte(out, ',');
    buf_byte(out, '\n');
}

static void write_list(const struct shape_member *m, const void *first, struct buf *out)
{
    json_key(out, m->key);
    json_open(out, '[');
    for (const char *p = first; p; p = *(char *const *)(const void *)(p + m->shape->next)) {
        new_line(out);
        shape_write(m->shape, p, out);
    }
    json_close(out, ']');
}

/* A needed text that is nothing is written as the empty one. */
static struct slice text_at(const char *p)
{
    struct slice text = *(const struct slice *)(const void *)p;
    return text.p ? text : SLICE("");
}

static void write_member(const struct shape_member *m, const char *p, struct buf *out)
{
    switch (m->kind) {
    case SHAPE_TEXT:
        json_text(out, m->key, text_at(p));
        break;
    case SHAPE_BYTES:
        write_bytes(m->key, text_at(p), out);
        break;
    case SHAPE_HASH:
        json_text(out, m->key, slice_of(p));
        break;
    case SHAPE_U32:
        json_number(out, m->key, *(const uint32_t *)(const void *)p);
        break;
    case SHAPE_U64: case SHAPE_I64:
        json_number(out, m->key, *(const int64_t *)(const void *)p);
        break;
    case SHAPE_WORD:
        json_text(out, m->key, slice_of(m->words[*(const int *)(const void *)p]));
        break;
    case SHAPE_OBJECT:
        json_key(out, m->key);
        shape_write(m->shape, p, out);
        break;
    case SHAPE_LIST:
        write_list(m, *(void *const *)(const void *)p, out);
        break;
    }
}

void shape_write_members(const struct shape *s, const void *thing, struct buf *out, bool lines)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct shape_member *m = &s->members[i];
        const char *p = (const char *)thing + m->offset;
        if (!m->needed && !is_something(m, p))
            continue;
        if (lines)
            new_line(out);
        write_member(m, p, out);
    }
}

void shape_write(const struct shape *s, const void *thing, struct buf *out)
{
    json_open(out, '{');
    shape_write_members(s, thing, out, false);
    json_close(out, '}');
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool read_text(json_t *v, struct slice *out, struct arena *a)
{
    if (!json_is_string(v))
        return false;
    *out = arena_copy(a, (struct slice){ json_string_value(v), json_string_length(v) });
    return true;
}

static bool read_bytes(const struct shape_member *m, json_t *object, json_t *v, struct slice *out, struct arena *a)
{
    char key64[KEY_MAX];
    struct slice coded;
    snprintf(key64, sizeof key64, "%s_b64", m->key);
    json_t *v64 = json_object_get(object, key64);
    if (v64 == NULL)
        return read_text(v, out, a);
    if (!json_is_string(v) || !read_text(v64, &coded, a))
        return false;
    return base64_read(coded, a, out);
}

static bool read_hash(json_t *v, char *out)
{
    const char *text = json_string_value(v);
    if (text == NULL || json_string_length(v) != SHA256_HEX - 1 || strspn(text, "0123456789abcdef") != SHA256_HEX - 1)
        return false;
    memcpy(out, text, SHA256_HEX);
    return true;
}

static bool read_number(const struct shape_member *m, json_t *v, char *p)
{
    json_int_t n = json_integer_value(v);
    if (!json_is_integer(v) || (n < 0 && m->kind != SHAPE_I64) || (n > UINT32_MAX && m->kind == SHAPE_U32))
        return false;
    if (m->kind == SHAPE_U32)
        *(uint32_t *)(void *)p = (uint32_t)n;
    else
        *(int64_t *)(void *)p = n;
    return true;
}

static bool read_word(const struct shape_member *m, json_t *v, int *out)
{
    const char *text = json_string_value(v);
    for (int i = 0; text && m->words[i]; i++) {
        if (strcmp(m->words[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool read_list(const struct shape_member *m, json_t *v, void **first, struct arena *a, const char **fault)
{
    size_t n = json_array_size(v);
    void **link = first;
    if (!json_is_array(v) || n > LIST_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        char *p = arena_zero(a, m->shape->size);
        if (!shape_read(m->shape, json_array_get(v, i), p, a, fault))
            return false;
        *link = p;
        link = (void **)(void *)(p + m->shape->next);
    }
    return true;
}

static bool read_member(const struct shape_member *m, json_t *object, json_t *v, char *p, struct arena *a,
                        const char **fault)
{
    switch (m->kind) {
    case SHAPE_TEXT: return read_text(v, (struct slice *)(void *)p, a);
    case SHAPE_BYTES: return read_bytes(m, object, v, (struct slice *)(void *)p, a);
    case SHAPE_HASH: return read_hash(v, p);
    case SHAPE_U32: case SHAPE_U64: case SHAPE_I64: return read_number(m, v, p);
    case SHAPE_WORD: return read_word(m, v, (int *)(void *)p);
    case SHAPE_OBJECT: return shape_read(m->shape, v, p, a, fault);
    case SHAPE_LIST: return read_list(m, v, (void **)(void *)p, a, fault);
    }
    return false;
}

/* How many keys of the object the table accounts for. */
static size_t known_keys(const struct shape_member *m, json_t *object)
{
    char key64[KEY_MAX];
    snprintf(key64, sizeof key64, "%s_b64", m->key);
    return 1 + (m->kind == SHAPE_BYTES && json_object_get(object, key64) != NULL);
}

bool shape_read(const struct shape *s, json_t *object, void *thing, struct arena *a, const char **fault)
{
    size_t known = 0;
    if (!json_is_object(object))
        return false;
    for (size_t i = 0; i < s->n; i++) {
        const struct shape_member *m = &s->members[i];
        json_t *v = json_object_get(object, m->key);
        *fault = m->key;
        if (v == NULL && m->needed)
            return false;
        if (v == NULL)
            continue;
        if (!read_member(m, object, v, (char *)thing + m->offset, a, fault))
            return false;
        known += known_keys(m, object);
    }
    *fault = "(a key that this version does not know)";
    return known == json_object_size(object);
}
