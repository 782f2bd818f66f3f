#include "flow/site_parse.h"

#include <stdlib.h>

#include "base/file.h"

static const char *const exchange_words[] = { "push", "fetch", "identity", "known-hosts", "every", "stable", NULL };

static int bad_url(struct cursor *c, const struct token *t)
{
    return site_problem(c->l, t, "SITE_EXCHANGE", "write it as \"sftp://user@host\" or \"sftp://user@host:2222\"",
                        "this is no address of an SFTP server");
}

/* What reaches ssh as an argument: no blanks, no option, nothing of a shell. */
static bool plain_part(struct slice s)
{
    if (s.n == 0 || s.p[0] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        if (!(ch >= '0' && ch <= '9') && !(ch >= 'a' && ch <= 'z') && !(ch >= 'A' && ch <= 'Z') && !strchr("._-+", ch))
            return false;
    }
    return true;
}

static int parse_url(struct cursor *c, struct site_exchange *x)
{
    static const struct slice scheme = { "sftp://", 7 };
    const struct token t = *cursor_token(c);
    struct slice url, user = slice_none(), host, port = slice_none();
    if (word_string(c, &url, "the address of the server") != OK)
        return STOP;
    if (!slice_starts(url, scheme))
        return bad_url(c, &t);
    host = slice_range(url.p + scheme.n, url.p + url.n);
    const char *at = memchr(host.p, '@', host.n);
    if (at) {
        user = slice_range(host.p, at);
        host = slice_range(at + 1, url.p + url.n);
    }
    const char *colon = memchr(host.p, ':', host.n);
    if (colon) {
        port = slice_range(colon + 1, url.p + url.n);
        host = slice_range(host.p, colon);
    }
    if (!plain_part(host) || (at && !plain_part(user)) || (colon && (port.n == 0 || port.n > 5)))
        return bad_url(c, &t);
    for (size_t i = 0; i < port.n; i++) {
        if (port.p[i] < '0' || port.p[i] > '9')
            return bad_url(c, &t);
        x->port = x->port * 10 + (unsigned)(port.p[i] - '0');
    }
    x->host = arena_cstr(c->l->arena, host);
    x->user = at ? arena_cstr(c->l->arena, user) : NULL;
    return x->port > 65535 ? bad_url(c, &t) : OK;
}

/* push "outbox/NAME" to "folder" | fetch "folder" into "inbox/NAME" */
static int parse_way(struct cursor *c, struct site_exchange *x, bool push)
{
    static const char *const to[] = { "to", NULL }, *const into[] = { "into", NULL };
    struct exchange_way way = { .push = push, .token = *cursor_token(c) };
    struct slice first, second = SLICE(".");
    size_t cap = x->nways;
    if (word_string(c, &first, push ? "a folder of the site" : "a folder on the server") != OK)
        return STOP;
    if (!cursor_take(c, push ? "to" : "into")) {
        if (!push || cursor_more(c))
            return word_unknown(c, push ? to : into);
    } else if (word_string(c, &second, push ? "a folder on the server" : "a folder of the site") != OK)
        return STOP;
    way.local = arena_cstr(c->l->arena, push ? first : second);
    way.remote = arena_cstr(c->l->arena, push ? second : first);
    if (!slice_starts(slice_of(way.local), push ? SLICE("outbox/") : SLICE("inbox/")) || strstr(way.local, ".."))
        return site_problem(c->l, &way.token, "SITE_EXCHANGE", push ? "push \"outbox/NAME\" to \"FOLDER\""
                            : "fetch \"FOLDER\" into \"inbox/NAME\"", "files go from an outbox and into an inbox only");
    ARENA_PUSH(c->l->arena, x->ways, x->nways, cap) = way;
    return word_end(c, NULL);
}

static int parse_path(struct cursor *c, const char **out, const char *what)
{
    struct slice path;
    if (word_string(c, &path, what) != OK)
        return STOP;
    *out = file_join(c->l->arena, c->l->site->dir, arena_cstr(c->l->arena, path));
    return word_end(c, NULL);
}

static int parse_line(struct cursor *c, struct site_exchange *x)
{
    if (cursor_take(c, "push"))
        return parse_way(c, x, true);
    if (cursor_take(c, "fetch"))
        return parse_way(c, x, false);
    if (cursor_take(c, "identity"))
        return parse_path(c, &x->identity, "the file of the private key");
    if (cursor_take(c, "known-hosts"))
        return parse_path(c, &x->known_hosts, "the file that holds the server's key");
    if (cursor_take(c, "every"))
        return word_duration(c, &x->every) == OK ? word_end(c, NULL) : STOP;
    if (cursor_take(c, "stable"))
        return word_duration(c, &x->stable) == OK ? word_end(c, NULL) : STOP;
    return word_unknown(c, exchange_words);
}

static int check_exchange(struct cursor *c, const struct site_exchange *x)
{
    const struct site *s = c->l->site;
    for (size_t i = 0; i < s->nexchanges; i++)
        if (strcmp(s->exchanges[i].name, x->name) == 0)
            return site_problem(c->l, &x->token, "SITE_EXCHANGE", "give it another name",
                                "there are two exchanges %s", x->name);
    if (!x->known_hosts)
        return site_problem(c->l, &x->token, "SITE_EXCHANGE",
                            "add `known-hosts \"FILE\"`, made by ssh-keyscan and compared with what the partner told you",
                            "exchange %s does not say which key the server has", x->name);
    if (!x->nways)
        return site_problem(c->l, &x->token, "SITE_EXCHANGE",
                            "add `push \"outbox/NAME\" to \"FOLDER\"` or `fetch \"FOLDER\" into \"inbox/NAME\"`",
                            "exchange %s neither pushes nor fetches", x->name);
    return OK;
}

int parse_exchange(struct cursor *c)
{
    struct site *s = c->l->site;
    struct site_exchange x = { .token = *cursor_token(c), .every = 60 * 1000, .stable = 5000 };
    struct slice name;
    size_t cap = s->nexchanges;
    if (word_name(c, &name, "the name of an exchange") != OK || parse_url(c, &x) != OK || word_end(c, NULL) != OK)
        return STOP;
    x.name = arena_cstr(c->l->arena, name);
    int rc = OK;
    for (struct statement *line = c->s->block; line; line = line->next) {
        struct cursor inner = { c->l, line, 0 };
        if (parse_line(&inner, &x) != OK)
            rc = STOP;
    }
    if (rc == OK)
        rc = check_exchange(c, &x);
    if (rc == OK)
        ARENA_PUSH(c->l->arena, s->exchanges, s->nexchanges, cap) = x;
    return rc;
}
