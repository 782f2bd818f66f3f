#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "cmd/commands.h"
#include "cmd/places.h"
#include "drop/lease.h"
#include "flow/fence.h"
#include "flow/fsck.h"
#include "flow/site.h"

enum { LOOK_MS = 200 };

/* Each problem as one object, then the counts. */
static void show_json(struct cmd *c, struct buf *out, const struct fsck_report *r)
{
    json_open(out, '{');
    json_number(out, "work", (int64_t)r->work);
    json_number(out, "error", (int64_t)r->error);
    json_number(out, "archived", (int64_t)r->archived);
    json_number(out, "ledgers", (int64_t)r->ledgers);
    json_number(out, "records", (int64_t)r->records);
    json_number(out, "configs", (int64_t)r->configs);
    json_number(out, "sequences", (int64_t)r->sequences);
    json_number(out, "errors", (int64_t)c->problems->errors);
    json_key(out, "problems");
    json_open(out, '[');
    for (const struct problem *p = c->problems->first; p; p = p->next)
        problem_json(out, p);
    json_close(out, ']');
    json_close(out, '}');
    buf_byte(out, '\n');
}

static void show(struct cmd *c, struct buf *out, const struct fsck_report *r)
{
    buf_printf(out, "%llu batches at work, %llu in error/, %llu archived; %llu ledgers with %llu records, "
               "%llu kept mappings and formats, %llu sequences: %s\n",
               (unsigned long long)r->work, (unsigned long long)r->error,
               (unsigned long long)r->archived, (unsigned long long)r->ledgers, (unsigned long long)r->records,
               (unsigned long long)r->configs, (unsigned long long)r->sequences,
               c->problems->errors ? "FAULTS" : "all good");
}

/* Of a shared site a holder that died is only not heard of: until its next beat would come, or it counts as dead. */
static int take(struct lease *lease, struct spool *spool, struct problems *ps)
{
    struct arena a;
    struct problems said;
    int rc;
    for (;;) {
        arena_init(&a, 0);
        problems_init(&said, &a, 4);
        rc = lease_take(lease, spool, &said);
        if (rc != STOP || !lease_is_unsure(lease))
            break;
        arena_release(&a);
        usleep(LOOK_MS * 1000);
    }
    for (const struct problem *p = said.first; p; p = p->next)
        problem_add(ps, p);
    arena_release(&a);
    return rc;
}

/* Only who has the site may do it. */
static int reindex(struct cmd *c, struct places *p, const char *dir)
{
    struct site *site;
    struct site_env env = { .roots = c->finder.roots };
    struct reindex_report r;
    site_load(c->arena, &env, dir, &site, c->problems);
    problems_init(c->problems, c->arena, c->problems->max);     /* a wrong site.conf is nothing to this */
    struct lease lease = { .fd = -1, .shared = site->shared, .expire_ms = (int64_t)site->limits.lease };
    p->spool.durable = p->store.durable = true;
    int rc = take(&lease, &p->spool, c->problems);
    if (rc > WARN)
        return TEMP;
    rc = site_fence(&p->store, &p->spool, &lease, c->problems);
    if (rc <= WARN)
        rc = fsck_reindex(&p->site, &r, c->problems);
    lease_give(&lease, &p->spool);
    if (rc <= WARN && !c->json)
        fprintf(stderr, "%llu batches looked at, %llu contents entered anew, %llu stale entries removed\n",
                (unsigned long long)r.batches, (unsigned long long)r.entered, (unsigned long long)r.stale);
    return rc;
}

static int look(struct cmd *c, const char *dir, bool anew, struct buf *out)
{
    struct places places;
    struct fsck_report r = { 0 };
    long pid = 0;
    int rc = places_open(&places, c, dir);
    if (rc <= WARN && anew)
        rc = reindex(c, &places, dir);
    if (rc <= WARN)
        rc = lease_holder(&places.spool, &pid, c->problems);
    if (rc <= WARN && pid)
        problem_addf(c->problems, PROBLEM_WARNING, "FSCK_BUSY",
                     (struct place){ .file = dir, .offset = PLACE_NO_OFFSET },
                     "process %ld works on this site: what it moves now may look wrong", pid);
    if (rc <= WARN)
        rc = fsck_run(&places.site, &r, c->problems);
    if (rc <= WARN)
        (c->json ? show_json : show)(c, out, &r);
    places_close(&places);
    return rc;
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { { 'r', "reindex", NULL }, { 0 } };
    struct cmd_args args;
    struct buf out = { 0 };
    if (cmd_args(c, argc, argv, options, &args))
        return EXIT_USAGE;
    if (args.n > 1)
        return cmd_usage(c, "one site at a time");
    int rc = look(c, args.n ? args.operand[0] : ".", cmd_arg(&args, 'r') != NULL, &out);
    bool faults = c->problems->errors > 0;
    if (!c->json || rc > WARN)
        cmd_flush(c);
    int code = rc > STOP ? EXIT_SYSTEM : rc > WARN ? EXIT_INVALID : cmd_print(c, &out);
    buf_release(&out);
    if (c->json)
        problems_init(c->problems, c->arena, c->problems->max);
    return code == EXIT_GOOD && faults ? EXIT_REJECTED : code;
}

const struct command command_fsck = {
    .verb = "fsck",
    .run = run,
    .usage = "fsck [--reindex] [--json] [DIR]",
    .summary = "check that everything in a site is as its waybills say",
    .help = "  -r, --reindex   first make anew what can be derived from waybills: which content was taken before\n"
            "      --json      one JSON object\n\n"
            "Checks waybills and the chains of their histories, inputs, lines, staged outputs, zips against their\n"
            "manifests, kept mappings and formats, ledgers and sequences. Nothing is changed without --reindex; each\n"
            "fault is told with its file and what to do. Meant for a site at rest. Exit code 1 when a fault was found.\n",
};
