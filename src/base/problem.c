#include "base/problem.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "base/charset.h"
#include "base/map.h"

/* What a problem keeps of texts that may be a megabyte long. */
enum { KEEP_VALUE = 1024, KEEP_PATH = 1024, KEEP_TEXT = 4096, KEEP_AHEAD = 80, KEEP_SOURCE = 1024,
       KEEP_KEY = KEEP_PATH + 128 };

enum { GROUPS_MAX = 1000 };         /* of one collection: more are only counted */

struct problem_groups {
    struct map map;                 /* code and path -> struct problem */
};

void problems_init(struct problems *ps, struct arena *arena, size_t max)
{
    *ps = (struct problems){ .arena = arena, .max = max };
}

/* At most `max` bytes, not ending within a character. */
static struct slice cut(struct slice text, size_t max)
{
    if (text.n <= max)
        return text;
    text.n = max;
    while (text.n > max - 4 && ((unsigned char)text.p[text.n] & 0xC0) == 0x80)
        text.n--;
    return text;
}

/* Keeps the stretch of a long source line around the column. */
static void cut_source(struct problem *p)
{
    const char *at = p->source.p, *end = slice_end(p->source);
    uint32_t skip = p->place.column > KEEP_AHEAD ? p->place.column - KEEP_AHEAD : 0;
    if (p->source.n <= KEEP_SOURCE)
        return;
    for (uint32_t i = 0; i < skip && at < end; i++)
        utf8_take(&at, end);
    p->source_skip += skip;
    p->source = cut(slice_range(at, end), KEEP_SOURCE);
}

void problems_hide(struct problems *ps, const struct hidden *h)
{
    for (size_t i = 0; i < ps->nhidden; i++)
        if (ps->hidden[i] == h)
            return;
    if (h->n && ps->nhidden < PROBLEMS_HIDE)
        ps->hidden[ps->nhidden++] = h;
    else if (h->n)
        ps->hide_all = true;
}

/* Line["4711"]/Pin[2]: the last step, without what is in brackets. */
static struct slice last_step(struct slice path)
{
    size_t from = 0, end = path.n, depth = 0;
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] == '[' && depth++ == 0)
            end = i;
        else if (path.p[i] == ']' && depth)
            depth--;
        else if (path.p[i] == '/' && depth == 0)
            from = i + 1, end = path.n;
    }
    return (struct slice){ path.p + from, end > from ? end - from : 0 };
}

static bool is_hidden(const struct problems *ps, struct slice path)
{
    struct slice name = last_step(path);
    for (size_t i = 0; i < ps->nhidden; i++)
        for (size_t k = 0; k < ps->hidden[i]->n; k++)
            if (slice_equal(ps->hidden[i]->names[k], name))
                return true;
    return false;
}

/* What stands between quotation marks is the value, or was made of it; it may hold such marks itself. */
static struct slice mask_quoted(struct arena *a, struct slice text)
{
    const char *first = memchr(text.p, '"', text.n), *last = memrchr(text.p, '"', text.n);
    if (!first)
        return text;
    struct slice head = slice_range(text.p, first);
    struct slice tail = last > first ? slice_range(last + 1, slice_end(text)) : SLICE("");
    return arena_printf(a, "%.*s\"" PROBLEM_MASK "\"%.*s", SLICE_ARG(head), SLICE_ARG(tail));
}

/* Lines of a document that has sensitive fields. */
static bool hides_lines(const struct problems *ps)
{
    bool any = ps->hide_all;
    for (size_t i = 0; i < ps->nhidden; i++)
        any = any || !ps->hidden[i]->made;
    return any;
}

static void hide(struct problems *ps, struct problem *p)
{
    bool named = p->path.n && (ps->hide_all || is_hidden(ps, p->path)), lines = hides_lines(ps);
    if (named || lines)
        p->source = slice_none();
    if (p->value.n && (named || (lines && !p->path.n)))
        p->value = SLICE(PROBLEM_MASK);
    if (named && p->text.n)
        p->text = mask_quoted(ps->arena, p->text);
    if (named && slice_starts(p->hint, SLICE("did you mean")))
        p->hint = slice_none();
}

static const char *keep_file(struct problems *ps, const char *file)
{
    if (ps->last && ps->last->place.file && strcmp(ps->last->place.file, file) == 0)
        return ps->last->place.file;
    return arena_cstr(ps->arena, slice_of(file));
}

static struct problem *keep(struct problems *ps, const struct problem *given)
{
    struct problem *p = arena_alloc(ps->arena, sizeof *p);
    *p = *given;
    p->next = NULL;
    p->count = 1;
    if (ps->locate && p->place.line == 0 && p->place.offset != PLACE_NO_OFFSET)
        ps->locate(ps->locate_owner, p, ps->arena);
    if (ps->nhidden)
        hide(ps, p);
    if (p->place.file)
        p->place.file = keep_file(ps, p->place.file);
    if (p->code)
        p->code = arena_cstr(ps->arena, slice_of(p->code));
    cut_source(p);
    p->path = arena_copy(ps->arena, cut(p->path, KEEP_PATH));
    p->value = arena_copy(ps->arena, cut(p->value, KEEP_VALUE));
    p->text = arena_copy(ps->arena, cut(p->text, KEEP_TEXT));
    p->hint = arena_copy(ps->arena, cut(p->hint, KEEP_TEXT));
    p->source = arena_copy(ps->arena, p->source);
    return p;
}

/* The code and the path without numbers of instances: Line[2]/Qty and Line[3]/Qty are one group. */
static struct slice group_key(char room[KEEP_KEY], const struct problem *p)
{
    struct slice path = cut(p->path, KEEP_PATH);
    size_t n = 0;
    for (const char *c = p->code; c && *c && n < KEEP_KEY - KEEP_PATH - 1; c++)
        room[n++] = *c;
    room[n++] = ' ';
    for (size_t i = 0; i < path.n; i++) {
        size_t j = i + 1;
        while (path.p[i] == '[' && j < path.n && isdigit((unsigned char)path.p[j]))
            j++;
        if (path.p[i] == '[' && j > i + 1 && j < path.n && path.p[j] == ']')
            i = j;
        else
            room[n++] = path.p[i];
    }
    return (struct slice){ room, n };
}

/* Counts the problem in its group; `kept` is NULL when the list had no room, then the first of a group is kept here. */
static void count_in_group(struct problems *ps, const struct problem *given, const struct problem *kept)
{
    if (ps->groups == NULL) {
        ps->groups = arena_zero(ps->arena, sizeof *ps->groups);
        map_init(&ps->groups->map, ps->arena);
    }
    char room[KEEP_KEY];
    struct map *map = &ps->groups->map;
    struct slice key = group_key(room, given);
    struct problem *group = map_get(map, key);
    if (group) {
        group->count++;
    } else if (map->n >= GROUPS_MAX) {
        ps->ungrouped++;
    } else {
        group = arena_alloc(ps->arena, sizeof *group);
        *group = kept ? *kept : *keep(ps, given);
        group->next = NULL;
        map_put(map, arena_copy(ps->arena, key), group);
    }
}

void problem_add(struct problems *ps, const struct problem *given)
{
    struct problem p = *given, *kept = NULL;
    ps->errors += p.severity == PROBLEM_ERROR;
    ps->warnings += p.severity == PROBLEM_WARNING;
    ps->notes += p.severity == PROBLEM_NOTE;
    if (p.place.file == NULL)
        p.place.file = ps->file;
    if (p.message == 0)
        p.message = ps->message;
    if (ps->max == 0 || ps->n < ps->max) {
        kept = keep(ps, &p);
        if (ps->last)
            ps->last->next = kept;
        else
            ps->first = kept;
        ps->last = kept;
        ps->n++;
    }
    count_in_group(ps, &p, kept);
}

/* Errors of formats, mappings and sites are found in several passes; those of data come in the order of the file. */
static bool is_behind(const struct problem *p, const struct problem *q)
{
    if (p->message || q->message || !p->place.line || !q->place.line || !p->place.file || !q->place.file)
        return false;
    if (strcmp(p->place.file, q->place.file) != 0)
        return false;
    return p->place.line != q->place.line ? p->place.line > q->place.line : p->place.column > q->place.column;
}

void problems_sort(struct problems *ps)
{
    struct problem *sorted = NULL, *last = NULL;
    for (struct problem *p = ps->first, *next; p; p = next) {
        next = p->next;
        struct problem **at = &sorted;
        if (last && (p->message || !p->place.line))
            at = &last->next;
        while (*at && !is_behind(*at, p))
            at = &(*at)->next;
        p->next = *at;
        *at = p;
        last = p->next ? last : p;
    }
    ps->first = sorted;
    ps->last = last;
}

static void forget(struct problems *ps, const struct problem *p)
{
    ps->n--;
    ps->errors -= p->severity == PROBLEM_ERROR;
    ps->warnings -= p->severity == PROBLEM_WARNING;
    ps->notes -= p->severity == PROBLEM_NOTE;
}

void problems_once(struct problems *ps)
{
    struct map said;
    struct problem **link = &ps->first;
    map_init(&said, ps->arena);
    ps->last = NULL;
    while (*link) {
        struct buf b = { 0 };
        problem_show(&b, *link);
        struct slice words = arena_copy(ps->arena, buf_slice(&b));
        buf_release(&b);
        if (map_get(&said, words)) {
            forget(ps, *link);
            *link = (*link)->next;
            continue;
        }
        map_put(&said, words, *link);
        ps->last = *link;
        link = &(*link)->next;
    }
}

void problem_addf(struct problems *ps, enum severity severity, const char *code, struct place place,
                  const char *format, ...)
{
    char text[KEEP_TEXT];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    size_t length = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    problem_add(ps, &(struct problem){ .severity = severity, .code = code, .place = place, .text = { text, length } });
}

size_t problems_groups(const struct problems *ps, const struct problem **out, size_t max)
{
    size_t n = ps->groups ? ps->groups->map.n : 0;
    for (size_t i = 0; i < n && i < max; i++)
        out[i] = ps->groups->map.entries[i].value;
    return n;
}

static const char *system_code(int err)
{
    switch (err) {
    case ENOSPC: case EDQUOT: return "SYS_FULL";
    case EACCES: case EPERM: case EROFS: return "SYS_DENIED";
    case ENOENT: case ENOTDIR: return "SYS_MISSING";
    default: return "SYS_IO";
    }
}

/* What helps where nothing more is known than what the system says. */
static const char *system_hint(int err)
{
    switch (err) {
    case ENOSPC: return "make room on that disk";
    case EDQUOT: return "make room, or raise the quota of the user that waybill runs as";
    case EACCES: case EPERM: return "give the right to it to the user that waybill runs as (chown, chmod)";
    case EROFS: return "that file system is mounted read-only: look why (`dmesg`), then mount it again";
    case ENOTDIR: return "a file or a link lies where a folder belongs: move it away, or name another folder";
    case EXDEV: return "keep inboxes, outboxes, reply folders, archive, error and .waybill under one mount point";
    case EISDIR: return "a folder lies where a file belongs: name a file";
    case ELOOP: return "a link lies where none may be, or links lead in a circle: remove it";
    case EMFILE: case ENFILE: return "raise the limit of open files (`ulimit -n`; LimitNOFILE= of the service)";
    case EIO: case ESTALE: return "the disk or the network folder has a fault: look at `dmesg` and at its mount";
    case ENAMETOOLONG: return "choose a shorter name";
    default: return NULL;
    }
}

int problem_system_hint(struct problems *ps, const char *file, const char *what, int err, const char *hint)
{
    char room[128], text[KEEP_TEXT];
    int n = snprintf(text, sizeof text, "%s: %s", what, strerror_r(err, room, sizeof room));
    size_t length = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = system_code(err),
                                       .place = { .file = file, .offset = PLACE_NO_OFFSET },
                                       .text = { text, length }, .hint = hint ? slice_of(hint) : slice_none() });
    return TEMP;
}

int problem_system(struct problems *ps, const char *file, const char *what, int err)
{
    return problem_system_hint(ps, file, what, err, system_hint(err));
}

static struct slice lowered(struct slice name, char room[64])
{
    size_t n = name.n < 64 ? name.n : 64;
    for (size_t i = 0; i < n; i++)
        room[i] = (char)tolower((unsigned char)name.p[i]);
    return (struct slice){ room, n };
}

struct slice problem_suggest(struct arena *a, struct slice name, const struct slice *list, size_t n)
{
    char left[64], right[64];
    struct slice best = slice_none(), want = lowered(name, left);
    size_t least = name.n < 3 ? 1 : name.n < 7 ? 2 : 3;
    if (name.n == 0 || name.n > sizeof left)
        return slice_none();
    for (size_t i = 0; i < n; i++) {
        if (list[i].n == 0 || list[i].n > sizeof right)
            continue;
        size_t d = slice_distance(want, lowered(list[i], right), least);
        if (d < least || (d == least && best.p == NULL && d < name.n)) {
            best = list[i];
            least = d;
        }
    }
    if (best.p == NULL)
        return slice_none();
    struct buf text = { 0 };
    buf_text(&text, "did you mean `");
    buf_add_shown(&text, best, 0);
    buf_text(&text, "`?");
    struct slice kept = arena_copy(a, buf_slice(&text));
    buf_release(&text);
    return kept;
}
