#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/site_parse.h"

#define OVERDUE_MS (24 * 3600 * 1000LL)

const char *const notice_names[] = { "rejected", "overdue", "gave-up", "delivered", "stopped", NULL };

int parse_keep(struct cursor *c)
{
    static const char *const words[] = { "archive", "log", "error", NULL };
    struct site *s = c->l->site;
    int64_t *kept[] = { &s->keep_archive, &s->keep_log, &s->keep_error };
    for (size_t i = 0; words[i]; i++)
        if (cursor_take(c, words[i]))
            return word_duration(c, kept[i]) == OK ? word_end(c, NULL) : STOP;
    return word_unknown(c, words);
}

/* A path as the site means it: below its folder unless it begins with "/". */
static const char *path_of(const struct cursor *c, struct slice text)
{
    return file_join(c->l->arena, c->l->site->dir, arena_cstr(c->l->arena, text));
}

static int event_word(struct cursor *c, unsigned *events)
{
    for (unsigned i = 0; notice_names[i]; i++)
        if (cursor_take(c, notice_names[i])) {
            *events |= 1U << i;
            return OK;
        }
    return word_unknown(c, notice_names);
}

int parse_secret(struct cursor *c, struct setting *out)
{
    struct slice file, bytes;
    struct stat st;
    const struct token *t = cursor_token(c);
    if (!cursor_is(c, "secret") || c->at + 1 >= c->s->n || t[1].kind != TOKEN_STRING)
        return word_value(c, &out->value, "its value");
    c->at++;
    if (word_string(c, &file, "a file") != OK)
        return STOP;
    const char *path = path_of(c, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool there = fd >= 0 && fstat(fd, &st) == 0;
    if (fd >= 0)
        close(fd);
    if (!there || !S_ISREG(st.st_mode))
        return site_problem(c->l, &t[1], "SITE_SECRET", "a path below the site, or one that begins with /",
                            "the secret %s cannot be read", path);
    if (st.st_mode & 077)
        return site_problem(c->l, &t[1], "SITE_SECRET",
                            arena_cstr(c->l->arena, arena_printf(c->l->arena, "chmod 600 %s", path)),
                            "others may read the secret %s (mode %04o)", path, (unsigned)st.st_mode & 07777);
    if (file_read(c->l->arena, path, 64 * 1024, &bytes, c->l->ps) != OK)
        return STOP;
    const char *end = bytes.n ? memchr(bytes.p, '\n', bytes.n) : NULL;
    out->value = end ? slice_range(bytes.p, end) : bytes.n ? bytes : SLICE("");
    if (out->value.n && out->value.p[out->value.n - 1] == '\r')
        out->value.n--;                             /* written with a Windows editor */
    out->secret = true;
    return OK;
}

/* It stands in the head of a letter: nothing but what an address may hold. */
static bool is_address(struct slice text)
{
    const char *at = memchr(text.p, '@', text.n);
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= ' ' || text.p[i] > '~' || strchr("<>,;:\"()[]\\", text.p[i]))
            return false;
    return at && at > text.p && at + 1 < text.p + text.n && text.p[0] != '-';
}

static int parse_mail(struct cursor *c, struct site_notice *n)
{
    const struct token *t = cursor_token(c);
    struct slice address;
    if (word_string(c, &address, "an address") != OK)
        return STOP;
    if (!is_address(address))
        return site_problem(c->l, t, "SITE_NOTICE", "one plain address like \"orders@example.com\"",
                            "\"%.*s\" is no mail address", SLICE_ARG(address));
    n->address = arena_cstr(c->l->arena, address);
    return word_end(c, NULL);
}

/* notice EVENT, EVENT … [after DURATION] ("program" | mail "address") */
int parse_notice(struct cursor *c, struct notices *out)
{
    struct site_notice n = { .token = *cursor_token(c), .after = OVERDUE_MS };
    struct slice program;
    do {
        if (event_word(c, &n.events) != OK)
            return STOP;
    } while (cursor_more(c) && token_op(cursor_token(c), OP_COMMA) && ++c->at);
    if (cursor_take(c, "after") && word_duration(c, &n.after) != OK)
        return STOP;
    int rc = OK;
    if (cursor_take(c, "mail"))
        rc = parse_mail(c, &n);
    else if ((rc = word_string(c, &program, "a program, or `mail \"address\"`")) == OK) {
        n.program = path_of(c, program);
        rc = word_end(c, NULL);
    }
    if (rc == OK)
        ARENA_PUSH(c->l->arena, out->list, out->n, out->cap) = n;
    return rc;
}

/* Below the site, in a folder of the partners. */
static bool is_partners(struct slice folder)
{
    static const char *const own[] = { ".waybill", "archive", "error", "tables", "mappings" };
    if (folder.n == 0 || folder.p[0] == '/' || folder.p[0] == '.' || memmem(folder.p, folder.n, "..", 2))
        return false;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (slice_starts(folder, slice_of(own[i])))
            return false;
    return true;
}

int parse_reply(struct cursor *c, struct flow *f)
{
    struct slice folder;
    f->reply_token = *cursor_token(c);
    if (word_string(c, &folder, "a folder like \"outbox/NAME\"") != OK)
        return STOP;
    if (!is_partners(folder))
        return site_problem(c->l, &f->reply_token, "SITE_OUTSIDE", "a folder like \"outbox/partner\"",
                            "the sender cannot be answered in \"%.*s\"", SLICE_ARG(folder));
    f->reply = path_of(c, folder);
    return word_end(c, NULL);
}

int parse_metrics(struct cursor *c)
{
    struct slice path;
    const struct token *t = cursor_token(c);
    if (word_string(c, &path, "the path of a file ending in .prom") != OK)
        return STOP;
    if (path.n < 6 || memcmp(path.p + path.n - 5, ".prom", 5) != 0)
        return site_problem(c->l, t, "SITE_METRICS", "end it in .prom", "node_exporter reads only files that end in .prom");
    c->l->site->metrics = path_of(c, path);
    return word_end(c, NULL);
}

static void check_notices(struct site_loading *l, const struct notices *of, bool flow)
{
    for (size_t i = 0; i < of->n; i++) {
        const struct site_notice *n = &of->list[i];
        struct stat st;
        if (flow && n->events & 1U << NOTICE_STOPPED)
            site_problem(l, &n->token, "SITE_NOTICE", "put it outside of the flow", "`stopped` is of the whole site");
        if (n->program && (stat(n->program, &st) != 0 || !S_ISREG(st.st_mode)))
            site_warning(l, &n->token, "SITE_NOTICE", "a path below the site, or one that begins with /",
                         "there is no program %s", n->program);
        else if (n->program && faccessat(AT_FDCWD, n->program, X_OK, AT_EACCESS) != 0)
            site_warning(l, &n->token, "SITE_NOTICE", "chmod +x", "%s cannot be executed", n->program);
    }
}

void check_care(struct site_loading *l)
{
    struct site *s = l->site;
    check_notices(l, &s->notices, false);
    for (size_t i = 0; i < s->nflows; i++)
        check_notices(l, &s->flows[i]->notices, true);
}
