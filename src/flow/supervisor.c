#include "flow/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "batch/wave.h"
#include "flow/config.h"
#include "flow/fence.h"
#include "flow/left.h"
#include "flow/super.h"

#define END_MS 4000                 /* after TERM running jobs may go on so long */
#define FOR_EVER (3600 * 1000LL)
#define PAUSE_MS 5000
#define CLAIMS_MS (30 * 1000)       /* a shared site: a host that was cut off may have claimed one more file */
#define STANDBY_MS 200              /* so often one that stands by looks whether the site is free */

static unsigned cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (unsigned)n;
}

/* Formats, mappings and site.conf are kept by their hash, so that a batch goes on with them after a reload, and can be
   done again years later.  While that is not possible – a full disk – batches pin no manifest. */
static void keep_config(struct supervisor *s, struct problems *ps)
{
    if (config_keep(&s->store, s->site, s->config, ps) > WARN)
        s->config[0] = '\0';
    s->config_due = clock_monotonic_ms() + PAUSE_MS;
}

/* Told was it at the start. */
static void keep_config_again(struct supervisor *s, int64_t now)
{
    struct problems unsaid;
    struct arena a;
    if (s->config[0] || s->config_due > now)
        return;
    arena_init(&a, 0);
    problems_init(&unsaid, &a, 1);
    keep_config(s, &unsaid);
    arena_release(&a);
}

/* All that depends on the site: again after a reload. */
static int open_site(struct supervisor *s)
{
    size_t n = s->site->nflows;
    arena_init(&s->arena, 0);
    s->flows = arena_zero(&s->arena, (n + 1) * sizeof *s->flows);
    s->ledgers = arena_zero(&s->arena, (n + 1) * sizeof *s->ledgers);
    s->opens = arena_zero(&s->arena, (n + 1) * sizeof *s->opens);
    s->spare = NULL;
    due_open(s);
    s->outboxes = NULL;
    s->intakes = NULL;
    s->nintakes = 0;
    s->turn = 0;
    s->places.zone = s->site->zone;
    map_init(&s->unrouted, &s->arena);
    ties_find(s);
    keep_config(s, s->ps);
    int rc = s->o->watch ? watch_open(&s->arena, s->o->events, &s->watch, s->ps) : OK;
    return rc <= WARN ? intakes_open(s) : rc;
}

static void close_site(struct supervisor *s)
{
    if (!s->flows)
        return;
    for (size_t i = 0; i < s->site->nflows; i++)
        if (s->ledgers[i].open) {
            ledger_close(s->ledgers[i].open);
            arena_release(&s->ledgers[i].arena);
        }
    for (struct open_outbox *o = s->outboxes; o; o = o->next)
        outbox_close(&o->box);
    intakes_close(s);
    if (s->watch)
        watch_close(s->watch);
    s->watch = NULL;
    s->flows = NULL;
    arena_release(&s->arena);
}

static void read_signals(struct supervisor *s);
static void reload(struct supervisor *s);

static int open_signals(struct supervisor *s)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals < 0 ? problem_system(s->ps, NULL, "signals cannot be received", errno) : OK;
}

/* Waits a while, or until somebody sends a signal; the signals are read later. */
static void wait_turn(struct supervisor *s, int ms)
{
    struct pollfd p = { .fd = s->signals, .events = POLLIN };
    poll(&p, 1, ms);
}

/* Standing by: the site is ours when its holder ends, dies or (on another host) is silent for too long.  Whether that
   one lives, its next beat tells: a run that does not stand by waits for it as well. */
static int take_site(struct supervisor *s)
{
    struct problems asked;
    s->lease = (struct lease){ .fd = -1, .shared = s->site->shared, .expire_ms = (int64_t)s->site->limits.lease };
    for (;;) {
        struct arena a;
        arena_init(&a, 0);
        problems_init(&asked, &a, 4);
        int rc = lease_take(&s->lease, &s->spool, &asked);
        bool again = rc == STOP && (s->o->standby || lease_is_unsure(&s->lease));
        if (again && !s->waited)
            notice_standby(s, asked.first);
        for (const struct problem *p = again ? NULL : asked.first; p; p = p->next)
            problem_add(s->ps, p);
        arena_release(&a);
        if (!again)
            return rc;
        s->waited = true;
        wait_turn(s, STANDBY_MS);
        read_signals(s);
        if (s->ending)
            return OK;
    }
}

/* Waves hold many files open. */
static void more_files(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < WAVE_FILES) {
        l.rlim_cur = l.rlim_max < WAVE_FILES ? l.rlim_max : WAVE_FILES;
        setrlimit(RLIMIT_NOFILE, &l);
    }
}

static int open_all(struct supervisor *s)
{
    more_files();
    struct arena *a = s->site->arena;
    int rc = spool_open(&s->spool, a, s->site->dir, s->o->durable, s->ps);
    if (rc > WARN)
        return rc;
    rc = syncs_open(s);
    if (rc <= WARN)
        rc = open_signals(s);
    if (rc <= WARN)
        rc = take_site(s);
    if (rc <= WARN && s->o->durable)
        rc = spool_check(&s->spool, true, s->ps);
    if (rc <= WARN)
        rc = spool_whole(&s->spool, s->ps);
    if (rc <= WARN)
        rc = store_open(&s->store, a, s->site->dir, s->o->durable, s->ps);
    s->places = (struct batch_site){ .spool = &s->spool, .store = &s->store, .clock = &s->o->clock,
                                     .zone = s->site->zone };
    if (rc <= WARN && !s->ending)
        rc = site_fence(&s->store, &s->spool, &s->lease, s->ps);
    if (rc <= WARN && !s->ending)
        rc = care_open(s);
    if (rc <= WARN && !s->ending)
        rc = open_site(s);
    if (rc <= WARN && !s->ending)
        rc = asked_start(s);
    if (rc <= WARN && !s->ending)
        rc = opens_load(s);
    if (rc <= WARN && !s->ending)
        rc = step_resume(s);                        /* whose answer a claimed file is, the open batches say */
    if (rc <= WARN && s->waited && !s->ending)
        reload(s);                                  /* site.conf may have changed since */
    return rc;
}

/* Signals. */

static void reload(struct supervisor *s)
{
    struct arena *a = s->next_arena ? s->next_arena : NULL;
    struct site *next = NULL;
    if (!s->o->reload || !s->o->watch || a)
        return;                                     /* one reload at a time */
    care_reloading(s);
    s->next_arena = arena_zero(&s->arena, sizeof *s->next_arena);
    arena_init(s->next_arena, 0);
    int rc = s->o->reload(s->o->owner, s->next_arena, &next, s->ps);
    if (rc <= WARN) {
        s->next_site = next;
    } else {
        problem_addf(s->ps, PROBLEM_ERROR, "SITE_KEPT",
                     (struct place){ .file = s->site->file, .offset = PLACE_NO_OFFSET },
                     "the new site.conf is wrong: the site goes on as it was");
        arena_release(s->next_arena);
        s->next_arena = NULL;
    }
    notice_problems(s, s->ps);
}

static void read_signals(struct supervisor *s)
{
    struct signalfd_siginfo got;
    while (read(s->signals, &got, sizeof got) == sizeof got) {
        if (got.ssi_signo == SIGHUP) {
            reload(s);
        } else if (!s->ending) {
            s->ending = true;
            s->ending_since = clock_monotonic_ms();
        }
    }
}

static void free_site(struct supervisor *s, struct arena *of)
{
    struct arena a = *of;                           /* the struct lies in the arena itself */
    if (s->reloaded)
        arena_release(&a);
}

/* When no job is under way the new site takes over; batches in hand find their operation by name. */
static int change_site(struct supervisor *s)
{
    struct trip *all = NULL, **last = &all;
    struct arena kept = *s->next_arena, *before = s->site_arena;
    for (size_t i = 0; i < s->site->nflows; i++)
        for (struct trip *t = s->flows[i].first; t; t = t->next) {
            *last = t;
            last = &t->next;
            t->listed = false;
            if (!t->next)
                break;
        }
    *last = NULL;
    pool_end(s);
    close_site(s);
    s->site = s->next_site;
    s->site->arena = s->site_arena = arena_zero(&kept, sizeof *s->site_arena);
    *s->site_arena = kept;
    free_site(s, before);
    s->reloaded = true;
    s->next_site = NULL;
    s->next_arena = NULL;
    int rc = open_site(s);
    if (s->claims_due != INT64_MAX)
        s->claims_due = 0;                          /* whose they are now, and who waits for them */
    asked_again(s);
    if (rc <= WARN)
        rc = opens_load(s);
    while (rc <= WARN && all) {
        struct trip *t = all;
        all = t->next;
        t->next = NULL;
        resume_operation(s, t);
    }
    if (rc <= WARN)
        care_reloaded(s);
    notice_problems(s, s->ps);
    if (rc <= WARN) {
        struct log l = log_begin(LOG_LEVEL_NOTICE, "reloaded");
        log_end(&l);
    }
    return rc;
}

/* The loop. */

static void start_work(struct supervisor *s, int64_t now)
{
    struct trip *t;
    s->unstarted = false;
    bundles_start(s);
    if (s->ending || s->next_site)
        return;
    while (pool_busy(s) < s->nhelpers && (t = zip_next(s)))
        zip_start(s, t);
    while (pool_busy(s) < s->nhelpers && (t = sched_next(s, now)))
        if (pool_start(s, t) == END) {
            s->unstarted = true;
            return;
        }
}

/* Nothing is under way that will end by itself. */
static bool at_rest(const struct supervisor *s)
{
    return pool_busy(s) == 0 && !s->bundles && !waves_under_way(s);
}

/* Each once: what is due again meanwhile lets other things come first. */
static bool deliver_alone(struct supervisor *s, int64_t now)
{
    struct trip *t;
    bool any = false;
    for (; (t = sched_delivery(s, now)); any = true)
        if (step_deliver(s, t) == OK)
            step_archive(s, t);
    return any;
}

/* In the order of their flow either kind may stand behind the other, and no event tells when it is its turn. */
static void deliver_work(struct supervisor *s, int64_t now)
{
    do
        wave_deliver(s, now);
    while (deliver_alone(s, now));
}

/* The trips are looked through when one of them is due only. */
static int64_t trips_due(struct supervisor *s, int64_t now)
{
    if (s->trips_due > now)
        return s->trips_due;
    s->trips_due = INT64_MAX;
    for (size_t i = 0; i < s->site->nflows; i++)
        for (const struct trip *t = s->flows[i].first; t; t = t->next)
            if (t->due > now && t->due < s->trips_due)
                s->trips_due = t->due;
    return s->trips_due;
}

static int64_t next_due(struct supervisor *s, int64_t now, int64_t wait)
{
    if (trips_due(s, now) - now < wait)
        wait = s->trips_due - now;
    if (later_ready(s) && !s->ending && !s->next_site)
        wait = 0;
    if (wait > calls_due(s))
        wait = calls_due(s);
    if (waves_taken(s) && !s->ending && s->claims_due - now < wait)
        wait = s->claims_due - now;
    if (s->unstarted && wait > PAUSE_MS)
        wait = PAUSE_MS;
    if (s->ndone && wait > WAVE_MS)
        wait = WAVE_MS;
    if (pool_busy(s) && wait > 1000)
        wait = 1000;                                /* the CPU watchdog */
    if (s->lease.shared && wait > s->lease.next - now)
        wait = s->lease.next - now;
    return wait;
}

static void woken(void *owner, int id)
{
    intake_wake(owner, id);
}

static void listen_for(struct supervisor *s, int64_t wait)
{
    struct pollfd fds[WORKERS_MAX + 4];
    struct helper *who[WORKERS_MAX + 4] = { 0 };
    nfds_t n = 0;
    fds[n++] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
    fds[n++] = (struct pollfd){ .fd = s->watch ? watch_fd(s->watch) : -1, .events = POLLIN };
    fds[n++] = (struct pollfd){ .fd = asked_fd(s), .events = POLLIN };
    for (unsigned i = 0; i <= s->nhelpers; i++) {
        struct helper *h = i < s->nhelpers ? &s->helpers[i] : &s->syncs.helper;
        if (h->pid) {
            who[n] = h;
            fds[n++] = (struct pollfd){ .fd = h->socket, .events = POLLIN };
        }
    }
    if (poll(fds, n, wait < 0 ? 0 : wait > FOR_EVER ? (int)FOR_EVER : (int)wait) <= 0)
        return;
    if (!lease_stands(&s->lease, &s->spool))
        return;                                     /* the next turn tells */
    if (fds[0].revents)
        read_signals(s);
    if (fds[1].revents)
        watch_read(s->watch, woken, s, s->ps);
    if (fds[2].revents)
        asked_heard(s);
    for (nfds_t i = 3; i < n; i++)
        if (fds[i].revents && who[i]->pid)
            pool_read(s, who[i]);
    notice_problems(s, s->ps);
}

/* Something can begin now that no event will tell of. */
static bool more_to_do(const struct supervisor *s, int64_t now)
{
    return !s->ending && !s->next_site && (asked_ready(s, now) || (s->pause <= now && due_any(s, now)));
}

/*
 * `run`: nothing to take, and nothing in hand but what waits for a later day – or stands behind such a one, in the
 * order of its flow or because of a table: neither can be started nor delivered.
 */
static bool finished(struct supervisor *s, int64_t now)
{
    if (s->o->watch || !intake_idle(s, now) || !at_rest(s) || s->ndone || later_ready(s) || more_to_do(s, now))
        return false;
    if (s->claims_due <= now)                       /* they are taken up before anything else is */
        return false;
    return !sched_next(s, now) && !sched_delivery(s, now) && !zip_next(s);
}

/* Before `run` ends it looks again: an outbox may be the inbox of another flow. Somebody may have asked meanwhile. */
static bool look_again(struct supervisor *s, uint64_t *last)
{
    if (*last == s->report->batches)
        return false;
    *last = s->report->batches;
    s->asked_news = true;
    for (size_t i = 0; i < s->nintakes; i++)
        s->intakes[i].due = 0;
    return true;
}

/* A file or a batch of it may be in nobody's hands: that is looked at when the wave is over. */
static bool wave_in_hand(void *owner, const char *wave)
{
    struct supervisor *s = owner;
    const struct batch_wave *w = NULL;
    unsigned n = 0;
    for (size_t i = 0; i < s->site->nflows; i++)
        for (const struct trip *t = s->flows[i].first; t; t = t->next)
            if (t->b->wave && strcmp(t->b->wave->name, wave) == 0) {
                w = t->b->wave;
                n++;
            }
    if (w && (w->stays || w->left != n))
        claims_later(s, CLAIMS_AGAIN_MS);
    return w;
}

static int batch_again(void *owner, const char *id)
{
    return resume_batch(owner, id);
}

/* One that cannot be accepted does not stand in the way of others. */
static int claims_again(void *owner, const char *id)
{
    struct supervisor *s = owner;
    for (size_t i = 0; i < s->site->nflows; i++)
        for (const struct trip *t = s->flows[i].first; t; t = t->next)
            if (strcmp(t->b->id, id) == 0)
                return OK;
    for (size_t i = 0; i < s->nintakes; i++)
        if (s->intakes[i].carrying && strcmp(s->intakes[i].carried.batch, id) == 0)
            return OK;
    if (claim_again(s, id) > SKIP)
        claims_later(s, CLAIMS_AGAIN_MS);
    return OK;
}

void claims_later(struct supervisor *s, int64_t wait)
{
    int64_t due = clock_monotonic_ms() + wait;
    if (due < s->claims_due)
        s->claims_due = due;
}

static void take_up_claims(struct supervisor *s)
{
    s->claims_due = INT64_MAX;
    int waves = recover_waves(&s->places, wave_in_hand, batch_again, s, s->ps);
    intakes_taken_up(s);
    if (waves > SKIP)
        left_behind(s);
    if (claim_each(&s->spool, claims_again, s, s->ps) > SKIP)
        claims_later(s, CLAIMS_AGAIN_MS);
}

/* What people asked for, then what is due. */
static int begin_more(struct supervisor *s, int64_t now, int64_t *wait)
{
    int rc = asked_turn(s, now, wait);
    if (s->pause > now) {
        *wait = s->pause - now < *wait ? s->pause - now : *wait;
        return rc;
    }
    return status_worse(rc, due_start(s, now, wait));
}

/* One round: what is due is taken up, what is free is started, what is written is delivered. */
static int turn(struct supervisor *s, int64_t *wait)
{
    int64_t now = clock_monotonic_ms();
    int rc = lease_keep(&s->lease, &s->spool, now, s->ps);
    if (rc > WARN)
        return rc;
    if (s->lease.shared && s->claims_due == INT64_MAX)
        s->claims_due = now + CLAIMS_MS;
    wave_written(s, now);
    if (s->next_site && at_rest(s))
        rc = change_site(s);
    *wait = FOR_EVER;
    keep_config_again(s, now);
    if (rc <= WARN && s->claims_due <= now && !s->ending && waves_taken(s))
        take_up_claims(s);
    if (rc <= WARN && !s->next_site && !s->ending) {
        later_take(s);
        rc = begin_more(s, now, wait);
    }
    if (rc <= WARN)
        rc = waves_go_on(s);
    if (rc <= WARN && !s->next_site)
        rc = step_claim(s, now, wait);
    if (rc == TEMP) {                               /* a full disk: the files stay in the inbox, later again */
        rc = s->o->watch ? OK : TEMP;
        *wait = *wait > 5000 ? 5000 : *wait;
    }
    start_work(s, now);
    deliver_work(s, now);
    pool_watch(s, now);
    care_turn(s, now, wait);
    return rc;
}

static int loop(struct supervisor *s)
{
    uint64_t last = 0;
    int64_t wait;
    int rc = OK;
    for (;;) {
        rc = turn(s, &wait);
        int64_t now = clock_monotonic_ms();
        if (rc > WARN || (s->ending && (at_rest(s) || now - s->ending_since > END_MS)))
            return rc;
        if (finished(s, now) && !look_again(s, &last))
            return s->o->asked ? asked_give_up(s) : OK;
        start_work(s, now);
        bool ready = finished(s, now) || sched_delivery(s, now) ||      /* it became due after its turn */
                     (rc == OK && !s->ending && !s->next_site && (intake_hungry(s) || more_to_do(s, now)));
        listen_for(s, ready ? 0 : next_due(s, now, s->ending ? 200 : wait));
    }
}

static void count_waiting(struct supervisor *s)
{
    for (size_t i = 0; i < s->nintakes && !s->o->watch; i++)        /* `run` ends, and its exit code tells */
        s->report->temporary += inbox_is_denied(s->intakes[i].inbox);
    for (size_t i = 0; s->flows && i < s->site->nflows; i++) {
        for (const struct trip *t = s->flows[i].first; t; t = t->next) {
            s->report->waiting++;
            s->report->temporary += t->b->w->retry.cause.n > 0;
        }
        while (s->flows[i].first)
            trip_free(s, s->flows[i].first);
    }
}

/* The site is another host's: whatever is cleaned up from here on finds nothing that it could touch. */
static void cut_off(struct supervisor *s)
{
    for (size_t i = 0; s->flows && i < s->site->nflows; i++)
        for (struct trip *t = s->flows[i].first; t; t = t->next)
            batch_folder_close(t->b);
    spool_close(&s->spool);
    if (s->store.path)
        store_close(&s->store);
}

static void close_all(struct supervisor *s, int rc)
{
    pool_end(s);
    bundles_forget(s);
    waves_forget(s);
    buf_release(&s->packet);
    count_waiting(s);
    if (rc <= WARN && s->lease.epoch && s->store.path)
        recover_waves(&s->places, NULL, NULL, NULL, s->ps);     /* for people to see while nothing runs */
    if (s->next_arena)
        arena_release(s->next_arena);
    close_site(s);
    asked_end(s);
    if (s->signals >= 0)
        close(s->signals);
    syncs_close(s);
    if (s->store.path)
        store_close(&s->store);
    if (s->spool.path)
        lease_give(&s->lease, &s->spool);
    if (s->spool.path)
        spool_close(&s->spool);
    free_site(s, s->site_arena);
}

/* What stopped us is the caller's to show. */
static void hand_over(struct supervisor *s, struct problems *ps)
{
    for (const struct problem *p = s->said.first; p; p = p->next)
        problem_add(ps, p);
    arena_release(&s->said_arena);
    arena_release(&s->later_arena);
}

int supervisor_run(struct site *site, const struct supervisor_options *o, struct supervisor_report *out,
                   struct problems *ps)
{
    struct supervisor s = { .site = site, .site_arena = site->arena, .o = o, .report = out, .signals = -1,
                            .claims_due = INT64_MAX, .trips_due = INT64_MAX, .syncs.root = -1, .syncs.own = -1,
                            .lease.fd = -1 };
    struct problems unsaid;
    memset(out, 0, sizeof *out);
    arena_init(&s.later_arena, 0);
    arena_init(&s.said_arena, 0);
    problems_init(&s.said, &s.said_arena, 200);
    s.ps = &s.said;
    s.nhelpers = o->workers == 0 ? cores() : o->workers > WORKERS_MAX ? WORKERS_MAX : o->workers;
    int rc = open_all(&s);
    if (rc <= WARN && !s.ending) {
        care_ready(&s);
        rc = loop(&s);
    }
    if (s.lease.shared && s.lease.epoch)            /* it may have been lost since the last turn */
        rc = status_worse(rc, lease_keep(&s.lease, &s.spool, clock_monotonic_ms(), s.ps));
    problems_init(&unsaid, &s.said_arena, 1);
    if (s.lease.shared && !s.lease.epoch) {
        s.ps = &unsaid;
        cut_off(&s);
    }
    care_close(&s, rc);
    close_all(&s, rc);
    hand_over(&s, ps);
    return rc;
}
