#!/usr/bin/env python3
"""torture.py PROGRAM TOOLS [-w WORKLOADS] [-m MODES] [-s STEP] [-j JOBS] [-f MODE/WORKLOAD] - strikes `waybill run` at every system call

For each workload a site is made and run undisturbed: what it gives is the truth.  Then, for each point of the run (calls
that change the disk, counted by TOOLS/ce over all processes), a fresh site is run and struck there, looked at (check.py,
any moment), run again until nothing is left to do, looked at again (at rest), and run once more: nothing may change.

    kill     killed before and after each point, every process at once
    one      only the process that made the call is killed
    takes    as kill, with a consumer that takes each output the moment it is visible
    again    killed in the run after a kill as well: pairs of points, sampled
    fail     each point, and each call that opens, reads, locks or looks, is not made and gives ENOSPC, EIO, EDQUOT,
             EMFILE, EINTR in turn (not close: it closes even when it fails; `late` does that)
    late     each point, and each close, is made and gives EIO all the same
    short    each write and each read does half
    stay     as fail (ENOSPC) and late, in a watcher: the process that met the fault tries again itself, and goes on
    hosts    a shared site: paused before each point, and woken when another host has taken over and done all: see hosts.py
    power    killed before and after each point, and everything that was not fsynced is gone: see power.py
    model    any post-crash state of a weaker file system: see model.py
    plants   the tests themselves are tested: with each bug of tools/libplant.c planted, kill, power or model must fail

-s 7 tries every 7th point only.  -f fail/merge leaves out what comes before it: how a long run is taken up again.
-x K=V,.. adds variables to the environment of waybill (LD_PRELOAD for libplant).
A line for each workload of each mode, then one for each mode, then `N points tried, M failed`; exit code 0 or 1.
"""
import argparse, collections, os, re, shutil, signal, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check, hosts, model, power, workloads
from look import Look, read
from share import Template, run, share

ERRORS = {'ENOSPC': 28, 'EIO': 5, 'EDQUOT': 122, 'EMFILE': 24, 'EINTR': 4}
RUNS = 6                            # after a strike the site must be at rest after so many runs


class Strike(collections.namedtuple('Strike', 'mode at error kill calls second')):
    def text(self):
        return ' '.join(str(x) for x in (self.mode, self.at, f'errno {self.error}' if self.error else '',
                                         'one' if self.kill == 'one' else '', f'then {self.second}' if self.second else '') if x)


def hit(log):
    return next((l.strip() for l in open(log, errors='replace') if l.startswith('hit')), 'no hit')


class Bench:
    """One workload: its template site, its truth, and trials on copies of it."""

    def __init__(self, args, name, base, shared=False):
        self.args, self.name, self.base = args, name, f'{base}/{name}{"-shared" if shared else ""}'
        self.env = dict(os.environ, LC_ALL='C', TZ='UTC', **dict(x.split('=', 1) for x in args.env))
        os.makedirs(self.base)
        self.template = f'{self.base}/template'
        told = workloads.ALL[name](args.program, self.template)
        told = told if isinstance(told, dict) else {'inputs': told}
        self.modes, self.spares = told.get('modes'), told.get('spares')
        self.env.update(told.get('env', {}))
        self.brisk()
        self.look = hosts.Shared if shared else Look
        if shared:
            hosts.make_shared(self.template)
            asan = ':'.join(filter(None, (self.env.get('ASAN_OPTIONS'), 'verify_asan_link_order=0')))
            self.env.update(LD_PRELOAD=f'{args.tools}/libplant.so', PLANT='locks', ASAN_OPTIONS=asan)
        self.truth, self.command = check.Truth(told['inputs']), told.get('command')
        self.truth.asks, self.truth.done, self.loose = self.command is not None, told.get('done'), told.get('loose')
        self.copies = Template(self.template)
        site = self.fresh('truth')
        self.waybill(site, ask=True)
        if self.command:
            self.waybill(site)                      # what any run does, this or that command may not do
        if shared:
            hosts.reindexed(self, site)
        look = self.look(site)
        self.truth.learn(look)
        bad = check.at_rest(look, self.truth)
        lacks = told.get('wants', set()) - {o[1] for o in self.truth.outputs}
        if lacks:
            bad.append(f'outputs missing: {sorted(lacks)}')
        if bad:
            raise SystemExit(f'torture: the undisturbed run of {name} is not good: {bad}')

    def brisk(self):
        """A watcher tries again at once, and lays no ballast."""
        with open(f'{self.template}/site.conf') as f:
            conf = re.sub(r'(?m)^ +retry .*\n', '', f.read())
        conf = re.sub(r'(?m)^( +)on +yes$', r'\g<0>\n\1retry 1s', conf)
        with open(f'{self.template}/site.conf', 'w') as f:
            f.write(re.sub(r'(?m)^flow ', r'limit ballast 0\n\g<0>', conf, count=1))

    def fresh(self, name):
        site = f'{self.base}/{name}'
        if os.path.exists(site):
            shutil.rmtree(site, True)
        self.copies.put(site)
        return site

    def asking(self, site, workers=2):
        """The command of the workload, or a run when it has none."""
        if self.command:
            return [self.args.program] + [w.replace('SITE', site).replace('WORKERS', str(workers)) for w in self.command]
        return [self.args.program, 'run', '-q', '-w', str(workers), site]

    def waybill(self, site, strike=None, log=None, ask=False):
        """The command of the workload when it is asked for, else a run."""
        command = self.asking(site) if ask else [self.args.program, 'run', '-q', '-w', '2', site]
        if strike:
            command = [f'{self.args.tools}/ce', '-m', strike.mode, '-n', str(strike.at), '-e', str(strike.error), '-c', strike.calls,
                       '-k', strike.kill, '-t', '20', '-o', log] + command
        return run(command, self.env)

    def busy(self, site):
        look = Look(site)
        try:
            return bool(check.left(look) or any(look.names(i[0]) for i in self.truth.inputs) or
                        (self.command and not check.told(look, self.truth)))
        except (FileNotFoundError, ValueError):     # it is just at it
            return True

    def watcher(self, site, strike, log):
        """A watcher that is struck, until nothing is left to do, or 6 s: what needs longer is left to later runs. A command
        asks it; when it does not hold the site yet, the command does the work."""
        p = subprocess.Popen([f'{self.args.tools}/ce', '-m', strike.mode, '-n', str(strike.at), '-e', str(strike.error), '-c',
                              strike.calls, '-k', strike.kill, '-t', '60', '-o', log, self.args.program, 'watch', '-q', '-w', '2', site],
                             env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end, lock = time.time() + 6, f'{site}/.waybill/lock'
        mine = lambda: read(f'/proc/{p.pid}/task/{p.pid}/children').split()
        while self.command and p.poll() is None and time.time() < end and read(lock).split()[:1] != mine()[:1]:
            time.sleep(0.01)
        asking = self.command and subprocess.Popen(self.asking(site), env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                                   stderr=subprocess.DEVNULL)
        while p.poll() is None and time.time() < end and self.busy(site):
            time.sleep(0.05)
        if p.poll() is None:
            for child in mine():
                os.kill(int(child), signal.SIGTERM)
        p.wait(timeout=60)
        if asking:
            asking.wait(timeout=60)
        return p

    def points(self, calls, only=None, stay=False):
        """The numbers of the points of an undisturbed run; `only` keeps those whose call it matches."""
        site, log = self.fresh('points'), f'{self.base}/points.log'
        if stay:
            self.watcher(site, Strike('list', 0, 0, 'all', calls, 0), log)
        else:
            self.waybill(site, Strike('list', 0, 0, 'all', calls, 0), log, ask=True)
        lines = [l.split() for l in open(log, errors='replace') if re.match(r'\d', l)]
        return [int(l[0]) for l in lines if not only or re.match(only, l[2])]

    def settle(self, site):
        """Runs until nothing is left to do; a command that did not come so far that its request was kept is given again, as
        people would. What the runs said, and what is there."""
        said, ask = '', False
        for _ in range(RUNS):
            r = self.waybill(site, ask=ask)
            if ask and r.returncode in (0, 1):
                r = self.waybill(site)
            said, look = r.stderr.decode(errors='replace'), self.look(site)
            if r.returncode < 0 or r.returncode > 1:
                said = f'exit code {r.returncode}: {said}'
            elif not check.left(look):
                ask = self.command and not check.told(look, self.truth)
                if not ask:
                    break
        return said, look

    def trial(self, strike, takes=False, stay=False):
        site = self.fresh(f'{os.getpid()}')
        log = f'{site}.log'
        self.truth.loose = self.loose and strike.mode in ('fail', 'late', 'short')
        r = self.watcher(site, strike, log) if stay else self.waybill(site, strike, log, ask=True)
        bad = [f'the struck run hung'] if r.returncode == 124 else []
        look = Look(site)
        bad += check.any_moment(look, self.truth)
        taken = []
        if self.spares and re.search(self.spares, hit(log)):
            look.remove()
            return bad                              # the end is another one, by right
        if strike.second:
            r = self.waybill(site, strike._replace(at=strike.second), log)
            look = Look(site)
            bad += ['second: ' + x for x in check.any_moment(look, self.truth)]
        if takes:
            taken = list(check.outputs(look))
            shutil.rmtree(f'{site}/outbox', True)
        said, look = self.settle(site)
        bad += check.at_rest(look, self.truth, taken)
        before = look.tree()
        self.waybill(site)
        look = Look(site)
        after = look.tree()
        changed = {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)} - {'.waybill/epoch', '.waybill/lock'}
        if changed:
            bad.append(f'Q5 running again changes {sorted(check.plain_path(p) for p in changed)[:4]}')
        if bad:
            bad.append(f'({check.plain_path(hit(log))}; {said.strip()[:300]})')
        look.remove()
        return bad


def strikes(bench, mode, step):
    if mode in ('kill', 'takes', 'one'):
        kill = 'one' if mode == 'one' else 'all'
        return [Strike(m, n, 0, kill, 'disk', 0) for n in bench.points('disk')[::step] for m in ('before', 'after')]
    if mode == 'again':
        points = bench.points('disk')
        return [Strike('after', n, 0, 'all', 'disk', 1 + (n * 37 + k * 11) % len(points)) for n in points[::step] for k in range(4)]
    if mode == 'fail':
        return [Strike('fail', n, e, 'all', 'all', 0) for n in bench.points('all', '(?!close$)')[::step] for e in ERRORS.values()]
    if mode == 'late':
        return [Strike('late', n, 5, 'all', 'disk', 0) for n in bench.points('disk')[::step]] + \
               [Strike('late', n, 5, 'all', 'all', 0) for n in bench.points('all', 'close')[::step]]
    if mode == 'stay':
        return [Strike('fail', n, 28, 'all', 'all', 0) for n in bench.points('all', '(?!close$)', True)[::step]] + \
               [Strike('late', n, 5, 'all', 'disk', 0) for n in bench.points('disk', None, True)[::step]]
    return [Strike('short', n, 0, 'all', 'all', 0) for n in bench.points('all', 'p?write|read$|pread')[::step]]


def struck(bench, mode, args):
    """Each point of one mode: what was struck, and the findings."""
    points = strikes(bench, mode, args.step)

    def work(turn):
        while (n := turn()) < len(points):
            try:
                yield points[n].text(), bench.trial(points[n], mode == 'takes', mode == 'stay')
            except subprocess.TimeoutExpired:
                yield points[n].text(), ['a run hung for 60 s']
    return share(args.jobs, work)


# What is planted, what must catch it, and why nothing else does.
PLANTS = {'file': ('power', 'a kill leaves the page cache'),
          'rename': ('kill', 'half a copy is visible'),
          'lost': ('kill', 'a waybill is missing for a moment'),
          'dir': ('model', 'ext4 commits names with the next fsync of any file: only a weaker file system shows it'),
          'syncfs': ('', 'it makes the folders of a new site durable; lost ones are made again')}


def plants(args, base):
    """Each planted bug is caught by the mode that must catch it, or is listed as harmless here with the reason."""
    tried = failed = 0
    for bug, (mode, reason) in PLANTS.items():
        bench = Bench(args, 'mixed', f'{base}/plant-{bug}')
        bench.env.update(LD_PRELOAD=f'{args.tools}/libplant.so', PLANT=bug)
        caught = 0
        if mode == 'kill':
            for strike in strikes(bench, 'kill', 1):
                tried, caught = tried + 1, bool(bench.trial(strike))
                if caught:
                    break
        elif mode:
            reason_not = power.why_not(base) if mode == 'power' else model.why_not()
            if reason_not:
                print(f'skip plant {bug}: {reason_not}')
                continue
            found = power.cuts(bench, strikes(bench, 'kill', 3), args.jobs) if mode == 'power' else model.explore(bench, False, 3, args.jobs)
            for _, bad, *_ in found:
                tried, caught = tried + 1, bool(bad)
                if caught:
                    break
            found.close()
        failed += bool(mode) and not caught
        print(f'{"ok" if caught or not mode else "not ok"} plant {bug}: ' +
              (f'caught by {mode}' if caught else f'not caught: {reason}'), flush=True)
    return tried, failed


def arguments():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument('program')
    p.add_argument('tools')
    p.add_argument('-w', '--workloads', default=','.join(workloads.ALL))
    p.add_argument('-m', '--modes', default='kill,one,takes,again,fail,late,short,power,model,plants')
    p.add_argument('-s', '--step', type=int, default=1)
    p.add_argument('-j', '--jobs', type=int, default=os.cpu_count())
    p.add_argument('-f', '--from', dest='begin', default='')
    p.add_argument('-x', '--env', action='append', default=[])
    p.add_argument('-v', '--verbose', action='store_true')
    a = p.parse_args()
    a.program, a.tools = os.path.abspath(a.program), os.path.abspath(a.tools)
    return a


class Report:
    """What was tried and found: a line per part, a few examples of each finding, and the sum of each mode at the end."""

    def __init__(self, verbose):
        self.verbose, self.shown = verbose, collections.Counter()
        self.modes = {}                 # tried, failed, seconds

    def add(self, mode, tried, failed, seconds):
        self.modes[mode] = [x + y for x, y in zip(self.modes.get(mode, (0, 0, 0)), (tried, failed, seconds))]

    def part(self, mode, title, found):
        start, tried, wrong, again = time.time(), 0, 0, 0
        for what, bad, *came in found:
            tried, wrong, again = tried + 1, wrong + bool(bad), again + sum(came)
            self.shown[bad[0][:60] if bad else ''] += 1
            if bad and (self.verbose or self.shown[bad[0][:60]] <= 3):
                print(f'# {title}: {what}: ' + '\n#     '.join(bad), flush=True)
        self.add(mode, tried, wrong, time.time() - start)
        print(f'{"ok" if not wrong else "not ok"} {title}: {tried} points, {wrong} failed, ' +
              (f'{again} outputs came a second time, ' if mode == 'power' else '') + f'{time.time() - start:.0f} s', flush=True)

    def end(self):
        for mode, (tried, failed, seconds) in self.modes.items():
            print(f'{mode}: {tried} points, {failed} failed, {seconds:.0f} s, {tried / max(seconds, 0.001):.0f} a second')
        tried, failed, seconds = (sum(m[n] for m in self.modes.values()) for n in range(3))
        print(f'{seconds:.0f} s\n{tried} points tried, {failed} failed', flush=True)
        return failed > 0 or tried == 0


def parts(args):
    """The pairs of a run, mode by mode, from where it begins."""
    pairs = [(m, w) for m in args.modes.split(',') for w in (args.workloads.split(',') if m != 'plants' else ['all'])]
    at = [n for n, pair in enumerate(pairs) if '/'.join(pair).startswith(args.begin)]
    if not at:
        raise SystemExit(f'torture: there is no part {args.begin}: MODE or MODE/WORKLOAD')
    return pairs[at[0]:]


def main():
    args = arguments()
    base = tempfile.mkdtemp(prefix='torture.', dir='/dev/shm' if os.path.isdir('/dev/shm') else None)
    report, benches, skipped = Report(args.verbose), {}, {}
    try:
        for mode, name in parts(args):
            if mode == 'plants':
                start = time.time()
                report.add(mode, *plants(args, base), time.time() - start)
                continue
            if mode in ('power', 'model') and mode not in skipped:
                skipped[mode] = power.why_not(base) if mode == 'power' else model.why_not()
            if skipped.get(mode):
                print(f'skip {mode} {name}: {skipped[mode]}', flush=True)
                continue
            key = name, mode == 'hosts'
            bench = benches[key] = benches.get(key) or Bench(args, name, base, mode == 'hosts')
            if bench.modes and mode not in bench.modes:
                continue
            if mode == 'hosts':
                for idle in (False, True):
                    report.part(mode, f'{name} hosts{" idle" if idle else ""}',
                                hosts.paused(bench, idle, bench.points('disk')[::args.step], args.jobs))
            elif mode == 'power':
                report.part(mode, f'{name} power', power.cuts(bench, strikes(bench, 'kill', args.step), args.jobs))
            elif mode == 'model':
                for strict in (False, True):
                    report.part(mode, f'{name} model {"strict" if strict else "closed"}', model.explore(bench, strict, args.step, args.jobs))
            else:
                report.part(mode, f'{name} {mode}', struck(bench, mode, args))
    except KeyboardInterrupt:
        print(f'stopped; the rest: --from {mode}/{name}', flush=True)
        raise
    finally:
        shutil.rmtree(base, True)
    return report.end()


if __name__ == '__main__':
    sys.exit(main())
