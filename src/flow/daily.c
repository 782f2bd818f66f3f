#include "base/log.h"
#include "flow/care_private.h"
#include "flow/config.h"

#define DAY_MS (24 * 3600 * 1000LL)
#define AGAIN_MS (3600 * 1000LL)

static void begin(struct supervisor *s)
{
    const struct site *site = s->site;
    struct purge_terms terms = { .archive = site->keep_archive, .log = site->keep_log, .error = site->keep_error,
                                 .weekly = true };
    char hash[SHA256_HEX];
    config_keep(&s->store, site, hash, s->ps);      /* what is worked with stays young: sweep.h */
    s->care->purging = true;
    purge_begin(&s->care->purge, &s->places, &terms);
}

static void tell(const struct purge_counts *n)
{
    if (n->batches + n->lines + n->errors + n->versions == 0)
        return;
    struct log l = log_begin(LOG_LEVEL_INFO, "purge");
    log_number(&l, "batches", (int64_t)n->batches);
    log_number(&l, "lines", (int64_t)n->lines);
    log_number(&l, "errors", (int64_t)n->errors);
    log_number(&l, "versions", (int64_t)n->versions);
    log_number(&l, "bytes", (int64_t)n->bytes);
    log_end(&l);
}

/* At the start, then every day; one short step per round, so that files never wait for it. */
void daily_turn(struct supervisor *s, int64_t now, int64_t *wait)
{
    struct care *c = s->care;
    if (s->ending || s->next_site)
        return;
    if (!c->purging && c->purge_due <= now)
        begin(s);
    if (!c->purging) {
        care_wait(wait, now, c->purge_due);
        return;
    }
    int rc = purge_step(&c->purge, s->ps);
    if (rc == OK) {
        *wait = 0;
        return;
    }
    if (rc == END)
        tell(&c->purge.counts);
    purge_end(&c->purge);
    c->purging = false;
    c->purge_due = now + (rc == END ? DAY_MS : AGAIN_MS);
    notice_problems(s, s->ps);
}
