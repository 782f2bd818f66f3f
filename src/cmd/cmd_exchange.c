#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/running.h"
#include "drop/exchange.h"

/* One exchange, all its ways; what fails does not hinder the others. */
static int carry_out(struct cmd *c, struct spool *spool, const struct site_exchange *of)
{
    struct arena a;
    struct exchange x = { .name = of->name, .stable_ms = of->stable,
                          .server = { .host = of->host, .user = of->user, .port = of->port, .identity = of->identity,
                                      .known_hosts = of->known_hosts } };
    arena_init(&a, 0);
    int rc = exchange_open(&x, spool, &a, c->problems), worst = rc;
    for (size_t i = 0; i < of->nways && rc <= SKIP; i++) {
        const struct exchange_way *w = &of->ways[i];
        rc = w->push ? exchange_push(&x, w->local, w->remote, c->problems)
                     : exchange_fetch(&x, w->remote, w->local, c->problems);
        worst = rc > worst ? rc : worst;
    }
    exchange_close(&x);
    if (x.pushed || x.fetched) {
        struct log l = log_begin(LOG_LEVEL_INFO, "exchanged");
        log_text(&l, "exchange", slice_of(of->name));
        log_number(&l, "pushed", (int64_t)x.pushed);
        log_number(&l, "fetched", (int64_t)x.fetched);
        log_end(&l);
    }
    arena_release(&a);
    return worst;
}

static int round_of(struct cmd *c, struct spool *spool, const struct site *site, const char *name, int64_t *every)
{
    int worst = OK;
    for (size_t i = 0; i < site->nexchanges; i++) {
        const struct site_exchange *x = &site->exchanges[i];
        if (name && strcmp(name, x->name) != 0)
            continue;
        *every = x->every < *every ? x->every : *every;
        int rc = carry_out(c, spool, x);
        worst = rc > worst ? rc : worst;
    }
    return worst;
}

static bool known(const struct site *site, const char *name)
{
    for (size_t i = 0; i < site->nexchanges; i++)
        if (!name || strcmp(name, site->exchanges[i].name) == 0)
            return true;
    return false;
}

static int no_exchange(struct cmd *c, const struct site *site, const char *name)
{
    if (name)
        return cmd_usage(c, "the site has no exchange %s", name);
    return cmd_usage(c, "%s has no `exchange`: see `waybill explain SITE_EXCHANGE`", site->file);
}

/* Its problems have an arena of their own, for rounds are many. */
static void one_round(struct cmd *c, struct spool *spool, const struct site *site, const char *name, int64_t *every)
{
    struct problems of_all = *c->problems;
    struct arena a;
    arena_init(&a, 0);
    problems_init(c->problems, &a, of_all.max);
    round_of(c, spool, site, name, every);
    cmd_flush(c);
    *c->problems = of_all;
    arena_release(&a);
}

/* Until a signal comes: the rounds of all exchanges at the shortest of their intervals. */
static int for_ever(struct cmd *c, struct spool *spool, const struct site *site, const char *name)
{
    sigset_t set;
    int64_t every;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    cmd_flush(c);
    do {
        every = INT64_MAX;
        one_round(c, spool, site, name, &every);
    } while (sigtimedwait(&set, NULL, &(struct timespec){ every / 1000, every % 1000 * 1000000 }) < 0);
    return EXIT_GOOD;
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { { 'f', "forever", NULL }, { 0 } };
    struct running r = { .cmd = c };
    struct cmd_args args;
    struct spool spool;
    int64_t every = INT64_MAX;
    if (cmd_args(c, argc, argv, options, &args))
        return EXIT_USAGE;
    if (args.n < 1 || args.n > 2)
        return cmd_usage(c, "which site? Give its folder, and perhaps the name of one exchange");
    r.dir = args.operand[0];
    const char *name = args.n > 1 ? args.operand[1] : NULL;
    struct site *site = running_load(&r);
    if (!site)
        return EXIT_INVALID;
    if (!known(site, name))
        return no_exchange(c, site, name);
    log_setup(LOG_LEVEL_INFO, &c->clock);
    if (spool_open(&spool, c->arena, site->dir, true, c->problems) > WARN)
        return EXIT_SYSTEM;
    int rc = OK, code = cmd_arg(&args, 'f') ? for_ever(c, &spool, site, name) : EXIT_GOOD;
    if (!cmd_arg(&args, 'f'))
        rc = round_of(c, &spool, site, name, &every);
    spool_close(&spool);
    cmd_flush(c);
    return rc == OK ? code : rc <= SKIP ? EXIT_REJECTED : EXIT_SYSTEM;
}

const struct command command_exchange = {
    .verb = "exchange",
    .run = run,
    .usage = "exchange [--forever] DIR [NAME]",
    .summary = "push outboxes to partners' SFTP servers, fetch from them into inboxes",
    .help = "  -f, --forever          again and again, at the interval that site.conf gives\n\n"
            "Carries out what `exchange` in site.conf declares, by the system's sftp: never asks, needs the server's key in\n"
            "known-hosts. Files travel under a temporary name and are renamed when they are whole; only then the\n"
            "other end loses its copy. Runs beside `watch`, which needs no network.\n"
            "A fetched file that the server refuses to remove is told in each round, and neither fetched nor removed\n"
            "again while its name, size and listed time stay the same.\n",
};
