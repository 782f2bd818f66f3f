#include "flow/sniff.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/charset.h"
#include "syntax/syntax.h"

#define SNIFF 4096

static struct slice read_at(int fd, char *p, uint64_t at)
{
    ssize_t n = pread(fd, p, SNIFF, (off_t)at);
    return (struct slice){ p, n > 0 ? (size_t)n : 0 };
}

static bool name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'
        || c == '.' || c == ':' || (c & 0x80);
}

/* UTF-16 is told by its zero bytes: those are left out here, which is enough for tags. */
static struct slice narrowed(struct slice s, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i])
            out[n++] = s.p[i];
    return (struct slice){ out, n };
}

/* Where the comment or instruction at `i` ends; the end of the head when it does not. */
static size_t skip_aside(struct slice head, size_t i)
{
    struct slice rest = slice_range(head.p + i, slice_end(head));
    const char *end = slice_starts(rest, SLICE("<!--")) ? "-->" : slice_starts(rest, SLICE("<?")) ? "?>" : NULL;
    if (!end)
        return i;
    const char *hit = rest.n > 2 ? memmem(rest.p + 2, rest.n - 2, end, strlen(end)) : NULL;
    return hit ? (size_t)(hit - head.p) : head.n;
}

/* The name in the first start tag; n 0 when there is none in the head. */
static struct slice root_name(struct slice head)
{
    for (size_t i = 0; i + 1 < head.n; i++) {
        i = skip_aside(head, i);
        if (i + 1 >= head.n || head.p[i] != '<' || !name_byte(head.p[i + 1]))
            continue;
        size_t n = 1;
        while (i + n < head.n && name_byte(head.p[i + n]))
            n++;
        return (struct slice){ head.p + i + 1, n - 1 };
    }
    return (struct slice){ "", 0 };
}

static struct slice local_name(struct slice name)
{
    const char *colon = memchr(name.p, ':', name.n);
    return colon ? slice_range(colon + 1, name.p + name.n) : name;
}

/* The last tag is the root's end tag, or the root was an empty one. */
static bool xml_complete(struct slice head, struct slice tail)
{
    struct slice root = root_name(head);
    size_t i = slice_trim(tail).n;
    tail = slice_trim(tail);
    while (i > 0 && tail.p[i - 1] != '<')
        i--;
    struct slice last = { tail.p + i, tail.n - i };
    if (i == 0 || !root.n || !last.n || last.p[last.n - 1] != '>')
        return false;
    if (last.n >= 3 && last.p[0] == '!' && last.p[1] == '-')
        return true;                                /* a comment behind the root */
    if (last.p[0] != '/')
        return slice_starts(last, root) && last.n > 1 && last.p[last.n - 2] == '/';
    last = slice_trim((struct slice){ last.p + 1, last.n - 2 });
    return slice_equal(last, root);
}

bool sniff_complete(int fd, uint64_t size, const struct format *f)
{
    char a[SNIFF], b[SNIFF], x[SNIFF], y[SNIFF];
    struct slice head = narrowed(read_at(fd, a, 0), x);
    struct slice tail = narrowed(read_at(fd, b, size > SNIFF ? size - SNIFF : 0), y);
    if (slice_is(f->syntax, "xml"))
        return xml_complete(head, tail);
    struct slice end = slice_trim(tail);
    if (slice_is(f->syntax, "json"))
        return end.n && (end.p[end.n - 1] == '}' || end.p[end.n - 1] == ']');
    return tail.n && (tail.p[tail.n - 1] == '\n' || tail.p[tail.n - 1] == '\r');
}

/* The text of the first cell, without `sep=` line and empty lines ahead of it. */
static struct slice first_title(struct slice head, const struct format *f)
{
    struct slice delimiter = format_option(f, "delimiter", SLICE(","));
    size_t n = 0;
    if (head.n > 5 && slice_starts(head, SLICE("sep=")) && (head.p[5] == '\n' || head.p[5] == '\r')) {
        delimiter = (struct slice){ head.p + 4, 1 };
        head = slice_range(head.p + 5, slice_end(head));
    }
    while (head.n && (*head.p == '\n' || *head.p == '\r'))
        head.p++, head.n--;
    while (n < head.n && head.p[n] != '\n' && head.p[n] != '\r' && (!delimiter.n || head.p[n] != delimiter.p[0]))
        n++;
    struct slice title = slice_trim((struct slice){ head.p, n });
    if (title.n >= 2 && title.p[0] == '"' && title.p[title.n - 1] == '"')
        title = (struct slice){ title.p + 1, title.n - 2 };
    return title;
}

/* Titles are compared as characters: the file is of the format's charset, or of what its mark tells. */
static bool is_titled(struct slice head, const struct format *f, struct slice type)
{
    char room[2 * SNIFF];
    enum charset c = f->charset;
    size_t bom = charset_bom(head, &c);
    struct buf b = { 0 };
    bool unfinished = false;
    size_t most = head.n - bom < SNIFF / 2 ? head.n - bom : SNIFF / 2;
    charset_decode(c, (struct slice){ head.p + bom, most }, &b, &unfinished);
    b.n = b.n < sizeof room ? b.n : sizeof room;
    bool is = slice_equal(first_title(narrowed(buf_slice(&b), room), f), type);
    buf_release(&b);
    return is;
}

static bool is_root(const struct format *f, struct slice name)
{
    for (size_t i = 0; i < f->nmessages; i++)
        if (f->messages[i]->at.nsteps && slice_equal(f->messages[i]->at.steps[0].name, name))
            return true;
    return false;
}

bool sniff_type(int fd, const struct format *f, struct slice type)
{
    char a[SNIFF], x[SNIFF];
    struct slice raw = read_at(fd, a, 0), head = narrowed(raw, x);
    const struct syntax *s = syntax_detect(head);
    if (slice_is(f->syntax, "xml")) {
        struct slice root = local_name(root_name(head));
        return type.n ? slice_equal(root, type) : is_root(f, root);
    }
    if (slice_is(f->syntax, "csv") || slice_is(f->syntax, "fixed"))
        return type.n ? is_titled(raw, f, type) : !s || slice_is(slice_of(s->name), "csv");
    return s && slice_is(f->syntax, s->name);
}
