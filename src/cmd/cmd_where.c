#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "cmd/commands.h"
#include "cmd/places.h"

/* One thing of a batch and where it is. */
struct spot {
    struct slice what, path, note;
    struct spot *next;
};

struct finding_out {
    struct cmd *cmd;
    const char *dir;
    struct places places;
    struct waybill *w;
    struct spot *first, **last;
};

static void add(struct finding_out *f, const char *what, struct slice path, const char *note)
{
    struct spot *s = arena_zero(f->cmd->arena, sizeof *s);
    *s = (struct spot){ .what = slice_of(what), .path = path, .note = slice_of(note) };
    *f->last = s;
    f->last = &s->next;
}

static bool there(const struct finding_out *f, struct slice path)
{
    struct stat st;
    return fstatat(f->places.spool.root, arena_cstr(f->cmd->arena, path), &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The folder or the zip, and what was refused of it beside. */
static void add_batch(struct finding_out *f)
{
    struct arena *a = f->cmd->arena;
    struct slice work = arena_printf(a, ".waybill/%swork/%.*s", f->places.spool.below, SLICE_ARG(f->w->batch));
    struct slice aside = arena_printf(a, "error/%.*s", SLICE_ARG(f->w->batch));
    char zip[ARCHIVED_PATH];
    if (there(f, work))
        add(f, "batch", work, NULL);
    if (archived_path(arena_cstr(a, f->w->batch), zip) && there(f, slice_of(zip)))
        add(f, "batch", arena_copy(a, slice_of(zip)), NULL);
    if (there(f, aside))
        add(f, f->w->place == PLACE_ERROR ? "batch" : "refused messages", aside, NULL);
}

static void add_outputs(struct finding_out *f)
{
    for (const struct waybill_output *o = f->w->outputs; o; o = o->next) {
        struct slice path = arena_printf(f->cmd->arena, "%.*s/%.*s", SLICE_ARG(o->outbox), SLICE_ARG(o->name));
        add(f, "output", path, !o->published.p ? "not visible yet" : there(f, path) ? "lies there" : "was taken");
    }
}

static void add_kin(struct finding_out *f)
{
    if (f->w->parent.n)
        add(f, "made from", f->w->parent, NULL);
    if (f->w->duplicate_of.n)
        add(f, "came before as", f->w->duplicate_of, NULL);
    for (const struct waybill_param *p = f->w->answers; p; p = p->next)
        add(f, "answered by", p->name, NULL);
    for (const struct waybill_param *p = f->w->members; p; p = p->next)
        add(f, "holds", p->name, NULL);
    for (const struct waybill_file *x = f->w->files; x; x = x->next) {
        if (slice_is(x->kind, "stage") && x->name.p)
            add(f, "answers", x->name, NULL);
    }
}

static void show(const struct finding_out *f, struct buf *out)
{
    for (const struct spot *s = f->first; s; s = s->next) {
        buf_printf(out, "%-16.*s  ", SLICE_ARG(s->what));
        buf_add_shown(out, s->path, 0);
        if (s->note.n)
            buf_printf(out, "  (%.*s)", SLICE_ARG(s->note));
        buf_byte(out, '\n');
    }
}

static void show_json(const struct finding_out *f, struct buf *out)
{
    json_open(out, '{');
    json_text(out, "batch", f->w->batch);
    json_text(out, "place", slice_of(place_names[f->w->place]));
    json_key(out, "where");
    json_open(out, '[');
    for (const struct spot *s = f->first; s; s = s->next) {
        json_open(out, '{');
        json_text(out, "what", s->what);
        json_text(out, "path", s->path);
        json_text(out, "note", s->note);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
    buf_byte(out, '\n');
}

static int no_batch(struct finding_out *f, const char *id)
{
    problem_add(f->cmd->problems, &(struct problem){
        .severity = PROBLEM_ERROR, .code = "BATCH_NONE", .value = slice_of(id),
        .place = { .file = f->dir, .offset = PLACE_NO_OFFSET }, .text = SLICE("is no batch of this site"),
        .hint = SLICE("`waybill status` lists those at work; the names of zips in archive/ end in the batch") });
    return STOP;
}

static int find(struct finding_out *f, const char *id)
{
    int rc = places_open(&f->places, f->cmd, f->dir);
    if (rc <= WARN)
        rc = batch_find(&f->places.site, f->cmd->arena, id, &f->w, f->cmd->problems);
    if (rc == END)
        rc = no_batch(f, id);
    if (rc > WARN)
        return rc;
    add_batch(f);
    add_outputs(f);
    add_kin(f);
    return OK;
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { { 'd', "dir", "DIR" }, { 0 } };
    struct finding_out f = { .cmd = c };
    struct cmd_args args;
    struct buf out = { 0 };
    f.last = &f.first;
    if (cmd_args(c, argc, argv, options, &args))
        return EXIT_USAGE;
    if (args.n != 1)
        return cmd_usage(c, "which batch?");
    f.dir = cmd_arg(&args, 'd') ? cmd_arg(&args, 'd') : ".";
    int rc = find(&f, args.operand[0]);
    if (rc <= WARN)
        (c->json ? show_json : show)(&f, &out);
    places_close(&f.places);
    cmd_flush(c);
    int code = rc > STOP ? EXIT_SYSTEM : rc > WARN ? EXIT_INVALID : cmd_print(c, &out);
    buf_release(&out);
    return code;
}

const struct command command_where = {
    .verb = "where",
    .run = run,
    .usage = "where [--json] [--dir DIR] BATCH",
    .summary = "where a batch, its outputs, answers and relatives are",
    .help = "  -d, --dir DIR   the site's folder; default: where you are\n      --json      one JSON object\n"
            "\nPaths are below the site. An output that is not in its outbox any more was taken by its receiver.\n",
};
