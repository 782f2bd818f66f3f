#include "base/problem.h"

#include "base/charset.h"
#include "base/json.h"

enum { SHOW_VALUE = 60, SHOW_INDENT = 4, SHOW_BEFORE = 60, SHOW_LINE = 110 };   /* characters as shown */

static const char *severity_name(enum severity s)
{
    return s == PROBLEM_ERROR ? "error" : s == PROBLEM_WARNING ? "warning" : "note";
}

void problem_text(struct buf *out, const struct problem *p)
{
    bool quoted = p->text.n && memchr(p->text.p, '"', p->text.n) != NULL;
    if (p->value.p && !quoted) {
        buf_byte(out, '"');
        buf_add_shown(out, p->value, SHOW_VALUE);
        buf_text(out, p->text.n ? "\" " : "\"");
    }
    buf_add_shown(out, p->text, 0);
}

static void show_head(struct buf *out, const struct problem *p)
{
    if (p->place.file) {
        buf_add_shown(out, slice_of(p->place.file), 0);
        buf_byte(out, ':');
        if (p->place.line)
            buf_printf(out, "%u:", p->place.line);
        if (p->place.line && p->place.column)
            buf_printf(out, "%u:", p->place.column);
        buf_byte(out, ' ');
    }
    buf_printf(out, "%s: ", severity_name(p->severity));
    if (p->message)
        buf_printf(out, "message %llu", (unsigned long long)p->message);
    if (p->message && p->path.n)
        buf_text(out, ", ");
    buf_add_shown(out, p->path, 0);
    if (p->message || p->path.n)
        buf_text(out, ": ");
    problem_text(out, p);
    if (p->code)
        buf_printf(out, " [%s]", p->code);
    buf_byte(out, '\n');
}

/* One character of the source line; a tab is one blank, so that the caret stays below its place. */
static void show_character(struct buf *out, struct slice c)
{
    if (slice_is(c, "\t"))
        buf_byte(out, ' ');
    else
        buf_add_shown(out, c, 0);
}

/* How wide a character of the source line is shown: an escape is as wide as it is spelled. */
static size_t shown_width(struct slice c, struct buf *room)
{
    room->n = 0;
    show_character(room, c);
    return slice_chars(buf_slice(room));
}

static size_t shown_since(const struct buf *out, size_t start)
{
    return slice_chars(slice_range(out->p + start, out->p + out->n));
}

/* The first character to show of a line: as many ahead of the column as fit, all when the whole line does. */
static uint32_t first_shown(struct slice line, uint32_t column, struct buf *room)
{
    const char *at = line.p, *end = slice_end(line);
    size_t all = 0, before = 0;
    for (uint32_t i = 1; at < end; i++) {
        size_t w = shown_width(utf8_take(&at, end), room);
        all += w;
        before += i < column ? w : 0;
    }
    uint32_t first = 1;
    at = line.p;
    for (; all > SHOW_LINE && before > SHOW_BEFORE; first++)
        before -= shown_width(utf8_take(&at, end), room);
    return first;
}

/* The source line around the column; returns where the caret stands and how wide it is, in characters shown. */
static void show_source(struct buf *out, const struct problem *p, size_t *caret, size_t *width)
{
    const char *at = p->source.p, *end = at + p->source.n;
    uint32_t column = p->place.column > p->source_skip ? p->place.column - p->source_skip : 1;
    uint32_t wanted = p->place.width ? p->place.width : 1, last = column + wanted;
    struct buf room = { 0 };
    uint32_t first = first_shown(p->source, column, &room);
    size_t start = out->n, shown = 0;
    if (first > 1 || p->source_skip)
        buf_text(out, "…");
    *caret = *width = 0;
    for (uint32_t i = 1; at < end; i++) {
        if (i == column)
            *caret = shown_since(out, start) + 1;
        if (i == last)
            *width = shown_since(out, start) + 1 - *caret;
        const char *next = at;
        struct slice c = utf8_take(&next, end);
        shown += i < first ? 0 : shown_width(c, &room);
        if (shown > SHOW_LINE)
            break;
        if (i >= first)
            show_character(out, c);
        at = next;
    }
    shown = shown_since(out, start);
    if (*caret == 0)
        *caret = shown + 1;         /* just behind the last character */
    if (*width == 0)
        *width = shown + 1 > *caret ? shown + 1 - *caret : 1;
    buf_text(out, at < end ? "…\n" : "\n");
    buf_release(&room);
}

static void indent(struct buf *out, size_t n)
{
    memset(buf_room(out, n), ' ', n);
    out->n += n;
}

void problem_show(struct buf *out, const struct problem *p)
{
    show_head(out, p);
    size_t caret = 1, width = 0;
    if (p->source.n && p->place.column) {        /* below an empty line a caret says nothing */
        indent(out, SHOW_INDENT);
        show_source(out, p, &caret, &width);
    }
    if (width == 0 && p->hint.n == 0)
        return;
    indent(out, SHOW_INDENT + caret - 1);
    for (size_t i = 0; i < width; i++)
        buf_byte(out, '^');
    if (width && p->hint.n)
        buf_byte(out, ' ');
    buf_add_shown(out, p->hint, 0);
    buf_byte(out, '\n');
}

void problem_json(struct buf *out, const struct problem *p)
{
    json_open(out, '{');
    json_text(out, "severity", slice_of(severity_name(p->severity)));
    json_text(out, "code", slice_of(p->code));
    json_text(out, "file", slice_of(p->place.file));
    if (p->place.line)
        json_number(out, "line", p->place.line);
    if (p->place.column)
        json_number(out, "column", p->place.column);
    if (p->place.offset != PLACE_NO_OFFSET && p->place.file)
        json_number(out, "offset", (int64_t)p->place.offset);
    if (p->message)
        json_number(out, "message", (int64_t)p->message);
    json_text(out, "path", p->path);
    json_text(out, "value", p->value);
    json_text(out, "text", p->text);
    json_text(out, "hint", p->hint);
    if (p->count > 1)
        json_number(out, "count", (int64_t)p->count);
    json_close(out, '}');
}
