"""hosts.py - two hosts on one shared site: one is paused before each point, another takes the site and goes on, the first wakes up

    make_shared(site)                       site.conf says so
    for what, bad in paused(bench, idle, points, jobs): ...

The other host hears nothing of the first and takes the site.  It works until nothing is left to do, and a consumer takes what
came out; or (idle) it does nothing yet.  Then the first goes on, and nothing that counts may change any more: it may have claimed
one more file, and write into files that it has open, which nobody looks at.  No lock counts between hosts (PLANT=locks).
"""
import collections, os, re, signal, time

import check
from look import Look
from share import run, share

SECONDS = 30
HEARD = re.compile(r'^\.waybill/(epoch|lock|\.?lease\.[^/]*)$')     # says who has the site, nothing of what is in it
CLAIM = re.compile(r'^\.waybill/claim/')
# What is looked at when all is done; copies, and what has its hash as its name.
UNDER_WAY = re.compile(r'^\.waybill/(claim|tmp|work|replies|requests|ledger|seen)/|^inbox/|^archive/.*jsonl?(\.new)?$|^archive/config/')
NOTHING = re.compile(r'^\.waybill/(seen/|sequences/\.lock$)')       # an entry of a batch that nobody knows, an empty file to lock
PART = re.compile(r'^\.waybill/(claim|tmp|work|replies)(?=/|$)')


class Shared(Look):
    """A shared site as if it were not: claim, tmp, work and replies lie in .waybill, and nothing is told of epochs."""

    def __init__(self, site):
        super().__init__(site)
        names = os.listdir(f'{site}/.waybill') if os.path.isdir(f'{site}/.waybill') else []
        self.epochs = sorted((n for n in names if re.match(r'epoch-\d+$', n)), key=lambda n: int(n[6:]))

    def path(self, name):
        return super().path(PART.sub(rf'.waybill/{self.epochs[-1]}/\1', name) if self.epochs else name)

    def kinds(self, folder):
        kinds = super().kinds(folder)
        if folder == '.waybill' and self.epochs and self.epochs[-1] in kinds:
            for name in [n for n in kinds if HEARD.match(f'.waybill/{n}')] + self.epochs[-1:]:
                del kinds[name]
            kinds.update((n, 'dir') for n in ('claim', 'tmp', 'work', 'replies'))
        return kinds

    def remove(self):
        for folder, _, files in os.walk(self.site, topdown=False):
            for f in files:
                os.unlink(f'{folder}/{f}')
            for f in os.listdir(folder):
                path = f'{folder}/{f}'
                os.unlink(path) if os.path.islink(path) else os.rmdir(path)
        os.rmdir(self.site)


def make_shared(site):
    with open(f'{site}/site.conf') as f:
        conf = f.read()
    with open(f'{site}/site.conf', 'w') as f:
        f.write(re.sub(r'(?m)^zone .*\n', r'\g<0>shared yes\nlimit lease 1\n', conf, count=1))


def wait(pid, until):
    """What waitpid says; None when nothing came in time."""
    while time.monotonic() < until:
        got, status = os.waitpid(pid, os.WUNTRACED | os.WNOHANG)
        if got:
            return status
        time.sleep(0.002)
    return None


def begin(bench, site, at, log):
    command = [f'{bench.args.tools}/ce', '-m', 'pause', '-n', str(at), '-c', 'disk', '-t', str(2 * SECONDS), '-o', log] + bench.asking(site)
    out = (os.POSIX_SPAWN_OPEN, 1, '/dev/null', os.O_WRONLY, 0)
    err = (os.POSIX_SPAWN_OPEN, 2, f'{site}.err', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.posix_spawn(command[0], command, bench.env, file_actions=[(os.POSIX_SPAWN_OPEN, 0, '/dev/null', os.O_RDONLY, 0), out, err])


def leases(site):
    names = os.listdir(f'{site}/.waybill') if os.path.isdir(f'{site}/.waybill') else []
    return sorted((n for n in names if re.match(r'lease\.\d+$', n)), key=lambda n: int(n[6:]))


def take(look):
    """A consumer takes what is visible: what it took, comparable."""
    taken = list(check.outputs(look))
    for folder, f in look.below('outbox'):
        if not f.startswith('.'):
            os.unlink(look.path(f'{folder}/{f}'))
    return taken


def changes(before, after, ours):
    """What is new, lost or another, but for paths that `ours` matches."""
    before, after = ({p: data for p, data in tree.items() if not ours.match(p)} for tree in (before, after))
    gone, come = before.keys() - after.keys(), {p for p in after.keys() - before.keys() if not NOTHING.match(p)}
    other = [p for p in before.keys() & after.keys() if before[p] != after[p]]
    told = [f'{word} {check.plain_path(p)}' for word, paths in (('lost', gone), ('new', come), ('changed', other)) for p in sorted(paths)]
    return [f'H1 the host that lost the site did something to it: {told[:4]}'] if told else []


def reindexed(bench, site):
    """Taken and given back; the index of what was seen holds what it must, whoever wrote it."""
    said = run([bench.args.program, 'fsck', '--reindex', site], bench.env)
    return ['reindex: ' + said.stderr.decode(errors='replace')[:300]] if said.returncode > 1 else []


def others_turn(bench, site, idle, bad):
    """What the other host does meanwhile; what a consumer took."""
    if idle:
        bad += reindexed(bench, site)
        return []
    said = bench.settle(site)[0]
    bad += reindexed(bench, site)
    look = Shared(site)
    bad += ['other host: ' + x for x in check.at_rest(look, bench.truth)]
    if bad:
        bad.append(said.strip()[:300])
    return take(look)


def trial(bench, idle, at):
    site = bench.fresh(f'{os.getpid()}')
    log, bad, end = f'{site}.log', [], time.monotonic() + SECONDS
    pid = begin(bench, site, at, log)
    status = wait(pid, end)
    if status is not None and os.WIFSTOPPED(status) and not leases(site):
        os.kill(pid, signal.SIGCONT)                    # it has no site yet that it could lose
        status = wait(pid, end)
    elif status is not None and os.WIFSTOPPED(status):
        taken = others_turn(bench, site, idle, bad)
        before = Shared(site).tree()
        os.kill(pid, signal.SIGCONT)
        status = wait(pid, time.monotonic() + SECONDS)
        bad += changes(before, Shared(site).tree(), UNDER_WAY if idle else CLAIM) if status is None or os.WEXITSTATUS(status) > 1 else []
        bench.settle(site)
        bad += reindexed(bench, site)
        look = Shared(site)
        bad += [f'at the end: {x}' for x in check.at_rest(look, bench.truth, taken)]
    if status is None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        bad.append('it hung')
    if bad:
        with open(log, errors='replace') as f, open(f'{site}.err', errors='replace') as err:
            hit = next((l.strip() for l in f if l.startswith('hit')), 'no hit')
            bad.append(f'({check.plain_path(hit)}; status {status}; {err.read().strip()[:300]})')
    Shared(site).remove()
    return bad


def paused(bench, idle, points, jobs):
    def work(turn):
        while (n := turn()) < len(points):
            yield f'paused before {points[n]}', trial(bench, idle, points[n])
    return share(jobs, work)
