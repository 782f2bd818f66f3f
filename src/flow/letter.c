#include <stdio.h>

#include "base/base64.h"
#include "flow/care_private.h"

/* Each sentence may be said in the site's language: `texts no { REPLY_REFUSED "Filen {file} …" }`. */
static const struct {
    const char *code, *text;
} sentences[] = {
    { "REPLY_REFUSED", "The file {file} was refused. Nothing of it was taken. Please correct it and send it again." },
    { "REPLY_PARTLY", "{rejected} of {messages} messages of the file {file} were refused; the others were taken.\n"
                      "Please correct the refused ones and send only those again." },
    { "REPLY_REASON", "The reason: {text}" },
    { "REPLY_FOUND", "What was found:" },
    { "REPLY_ONCE", "line {line}: {text}" },
    { "REPLY_OFTEN", "{count} times, first in line {line}: {text}" },
    { "REPLY_NOWHERE", "{count} times: {text}" },
    { "REPLY_MORE", "… and {count} more kinds of errors." },
    { "REPLY_NUMBER", "Our number for it: {batch}" },
};

struct letter {
    const struct site *site;
    const struct waybill *w;
    const struct waybill_group *g;
    struct slice text;
    uint64_t count;
    struct buf *out;
};

static bool put(struct letter *l, struct slice name)
{
    struct slice value = slice_none();
    uint64_t number = 0;
    if (slice_is(name, "file"))
        value = l->w->name;
    else if (slice_is(name, "batch"))
        value = l->w->batch;
    else if (slice_is(name, "text"))
        value = l->text;
    else if (slice_is(name, "count"))
        number = l->count;
    else if (slice_is(name, "line"))
        number = l->g ? l->g->line : 0;
    else if (slice_is(name, "messages"))
        number = l->w->messages;
    else if (slice_is(name, "rejected"))
        number = waybill_total_of(l->w->totals, "rejected");
    else
        return false;
    if (value.p)
        buf_add_shown(l->out, value, 0);
    else
        buf_printf(l->out, "%llu", (unsigned long long)number);
    return true;
}

static void sentence(struct letter *l, const char *code)
{
    struct slice text = site_text(l->site, code);
    for (size_t i = 0; !text.n && i < sizeof sentences / sizeof *sentences; i++)
        if (strcmp(sentences[i].code, code) == 0)
            text = slice_of(sentences[i].text);
    while (text.n) {
        const char *open = memchr(text.p, '{', text.n), *end = text.p + text.n;
        const char *close = open ? memchr(open, '}', (size_t)(end - open)) : NULL;
        buf_add(l->out, slice_range(text.p, close ? open : end));
        if (!close)
            break;
        if (!put(l, slice_range(open + 1, close)))
            buf_add(l->out, slice_range(open, close + 1));
        text = slice_range(close + 1, end);
    }
    buf_byte(l->out, '\n');
}

/* The site's own words for a code, when they need nothing of the message. */
static struct slice words(const struct site *site, struct slice code, struct slice text)
{
    char name[80];
    snprintf(name, sizeof name, "%.*s", SLICE_ARG(code));
    struct slice own = site_text(site, name);
    return own.n && !memchr(own.p, '{', own.n) ? own : text;
}

/* "a number like 12.50 (rows.format:6)": where we have it from is nothing to the sender. */
static struct slice plain_hint(struct slice hint)
{
    const char *ours = hint.n ? memmem(hint.p, hint.n, ".format:", 8) : NULL;
    const char *open = ours ? memrchr(hint.p, '(', (size_t)(ours - hint.p)) : NULL;
    if (!ours)
        return hint;
    while (open && open > hint.p && open[-1] == ' ')
        open--;
    return open ? slice_range(hint.p, open) : slice_none();
}

static void groups(struct letter *l)
{
    for (l->g = l->w->groups; l->g; l->g = l->g->next) {
        if (l->g->severity != PROBLEM_ERROR)
            continue;
        l->text = words(l->site, l->g->code, l->g->text);
        l->count = l->g->count;
        buf_text(l->out, "- ");
        if (l->g->path.n) {
            buf_add_shown(l->out, l->g->path, 0);
            buf_text(l->out, ", ");
        }
        sentence(l, !l->g->line ? "REPLY_NOWHERE" : l->count > 1 ? "REPLY_OFTEN" : "REPLY_ONCE");
        struct slice hint = plain_hint(l->g->hint);
        if (hint.n) {
            buf_text(l->out, "  ");
            buf_add_shown(l->out, hint, 0);
            buf_byte(l->out, '\n');
        }
    }
    l->count = l->w->more_groups;
    if (l->count)
        sentence(l, "REPLY_MORE");
}

void letter_text(const struct site *site, const struct waybill *w, const char *code, struct slice text,
                 struct buf *out)
{
    struct letter l = { .site = site, .w = w, .out = out };
    bool any = false;
    for (const struct waybill_group *g = w->groups; g; g = g->next)
        any = any || g->severity == PROBLEM_ERROR;
    sentence(&l, code ? "REPLY_REFUSED" : "REPLY_PARTLY");
    if (code && text.n && !any) {
        l.text = words(site, slice_of(code), text);
        sentence(&l, "REPLY_REASON");
    }
    if (any) {
        buf_byte(out, '\n');
        sentence(&l, "REPLY_FOUND");
        groups(&l);
    }
    buf_byte(out, '\n');
    sentence(&l, "REPLY_NUMBER");
}

/* RFC 2047: what is not plain goes as base64, in pieces that a line can hold and that end between characters. */
static void subject(struct slice text, struct buf *out)
{
    bool plain = !memmem(text.p, text.n, "=?", 2);  /* else a name could look like an encoded one */
    for (size_t i = 0; i < text.n; i++)
        plain = plain && text.p[i] >= ' ' && text.p[i] < 127;
    buf_text(out, "Subject:");
    if (plain && text.n < 70) {
        buf_printf(out, " %.*s\n", SLICE_ARG(text));
        return;
    }
    while (text.n) {
        size_t n = text.n < 42 ? text.n : 42;
        while (n < text.n && n > 36 && ((unsigned char)text.p[n] & 0xC0) == 0x80)
            n--;
        buf_text(out, " =?UTF-8?B?");
        base64_write((struct slice){ text.p, n }, out);
        buf_text(out, "?=\n");
        text = slice_range(text.p + n, text.p + text.n);
    }
}

static void mail_subject(const struct site *site, const struct waybill *w, const char *event, struct buf *out)
{
    struct buf line = { 0 };
    buf_add_shown(&line, site->title.n ? site->title : SLICE("waybill"), 40);
    buf_printf(&line, ": %s", event);
    if (w) {
        buf_text(&line, " ");
        buf_add_shown(&line, w->name, 60);
    }
    subject(buf_slice(&line), out);
    buf_release(&line);
}

void letter_mail(const struct site *site, const struct waybill *w, const char *event, const char *address,
                 struct buf *out)
{
    buf_printf(out, "To: %s\n", address);
    mail_subject(site, w, event, out);
    buf_text(out, "Auto-Submitted: auto-generated\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
                  "Content-Transfer-Encoding: 8bit\n\n");
    buf_printf(out, "Event: %s\nSite:  ", event);
    buf_add_shown(out, slice_of(site->dir), 0);
    if (!w) {
        buf_byte(out, '\n');
        return;
    }
    buf_text(out, "\nFlow:  ");
    buf_add_shown(out, w->flow, 0);
    buf_text(out, "\nFile:  ");
    buf_add_shown(out, w->name, 0);
    buf_printf(out, "\nBatch: %.*s\n\n", SLICE_ARG(w->batch));
    if (w->error_code.n || waybill_total_of(w->totals, "rejected"))
        letter_text(site, w, w->error_code.n ? "REPLY_REFUSED" : NULL, w->error_text, out);
    buf_printf(out, "\nwaybill show %.*s tells more.\n", SLICE_ARG(w->batch));
}
