#!/usr/bin/env python3
"""torture.py PROGRAM TOOLS [-w WORKLOADS] [-m MODES] [-s STEP] [-j JOBS] - strikes `waybill run` at every system call

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
    power    killed before and after each point, and everything that was not fsynced is gone: see power.py
    model    any post-crash state of a weaker file system: see model.py
    plants   the tests themselves are tested: with each bug of tools/libplant.c planted, kill, power or model must fail

-s 7 tries every 7th point only.  -x K=V,.. adds variables to the environment of waybill (LD_PRELOAD for libplant).
Ends with `N points tried, M failed`; exit code 0 or 1.
"""
import argparse, collections, concurrent.futures, os, re, shutil, signal, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check, model, power, workloads

ERRORS = {'ENOSPC': 28, 'EIO': 5, 'EDQUOT': 122, 'EMFILE': 24, 'EINTR': 4}
RUNS = 6                            # after a strike the site must be at rest after so many runs


class Strike(collections.namedtuple('Strike', 'mode at error kill calls second')):
    def text(self):
        return ' '.join(str(x) for x in (self.mode, self.at, f'errno {self.error}' if self.error else '',
                                         'one' if self.kill == 'one' else '', f'then {self.second}' if self.second else '') if x)


class Bench:
    """One workload: its template site, its truth, and trials on copies of it."""

    def __init__(self, args, name, base):
        self.args, self.name, self.base = args, name, f'{base}/{name}'
        self.env = dict(os.environ, LC_ALL='C', TZ='UTC', **dict(x.split('=', 1) for x in args.env))
        os.makedirs(self.base)
        self.template = f'{self.base}/template'
        told = workloads.ALL[name](args.program, self.template)
        told = told if isinstance(told, dict) else {'inputs': told}
        self.brisk()
        self.truth, self.command = check.Truth(told['inputs']), told.get('command')
        self.truth.asks, self.loose = self.command is not None, told.get('loose')
        site = self.fresh('truth')
        self.waybill(site, ask=True)
        self.truth.learn(site)
        bad = check.at_rest(site, self.truth)
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
        shutil.rmtree(site, True)
        shutil.copytree(self.template, site, symlinks=True)
        return site

    def waybill(self, site, strike=None, log=None, ask=False):
        """The command of the workload when it is asked for, else a run."""
        command = [self.args.program, 'run', '-q', '-w', '2', site]
        if self.command and ask:
            command = [self.args.program, self.command, '-q', '-w', '2', '--wait', '5', '--dir', site]
        if strike:
            command = [f'{self.args.tools}/ce', '-m', strike.mode, '-n', str(strike.at), '-e', str(strike.error), '-c', strike.calls,
                       '-k', strike.kill, '-t', '20', '-o', log] + command
        return subprocess.run(command, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, timeout=60)

    def busy(self, site):
        try:
            return bool(check.left(site) or any(check.names(f'{site}/{i[0]}') for i in self.truth.inputs) or
                        (self.command and not check.told(site, self.truth)))
        except (FileNotFoundError, ValueError):     # it is just at it
            return True

    def watcher(self, site, strike, log):
        """A watcher that is struck, until nothing is left to do, or 6 s: what needs longer is left to later runs. A command
        asks it; when it does not hold the site yet, the command does the work."""
        p = subprocess.Popen([f'{self.args.tools}/ce', '-m', strike.mode, '-n', str(strike.at), '-e', str(strike.error), '-c',
                              strike.calls, '-k', strike.kill, '-t', '60', '-o', log, self.args.program, 'watch', '-q', '-w', '2', site],
                             env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end, lock = time.time() + 6, f'{site}/.waybill/lock'
        mine = lambda: check.read(f'/proc/{p.pid}/task/{p.pid}/children').split()
        while self.command and p.poll() is None and time.time() < end and check.read(lock).split()[:1] != mine()[:1]:
            time.sleep(0.01)
        asking = self.command and subprocess.Popen([self.args.program, self.command, '-q', '-w', '2', '--wait', '5', '--dir', site],
                                                   env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
        people would. What the runs said."""
        said, ask = '', False
        for _ in range(RUNS):
            r = self.waybill(site, ask=ask)
            said = r.stderr.decode(errors='replace')
            if r.returncode < 0 or r.returncode > 1:
                said = f'exit code {r.returncode}: {said}'
            elif not check.left(site):
                ask = self.command and not check.told(site, self.truth)
                if not ask:
                    break
        return said

    def trial(self, strike, takes=False, stay=False):
        site = self.fresh(f'{os.getpid()}')
        log = f'{site}.log'
        self.truth.loose = self.loose and strike.mode in ('fail', 'late', 'short')
        r = self.watcher(site, strike, log) if stay else self.waybill(site, strike, log, ask=True)
        bad = [f'the struck run hung'] if r.returncode == 124 else []
        bad += check.any_moment(site, self.truth)
        taken = []
        if strike.second:
            r = self.waybill(site, strike._replace(at=strike.second), log)
            bad += ['second: ' + x for x in check.any_moment(site, self.truth)]
        if takes:
            taken = list(check.outputs(site))
            shutil.rmtree(f'{site}/outbox', True)
        said = self.settle(site)
        bad += check.at_rest(site, self.truth, taken)
        before = check.tree(site)
        self.waybill(site)
        after = check.tree(site)
        changed = {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)} - {'.waybill/epoch', '.waybill/lock'}
        if changed:
            bad.append(f'Q5 running again changes {sorted(check.plain_path(p) for p in changed)[:4]}')
        if bad:
            hit = next((l.strip() for l in open(log, errors='replace') if l.startswith('hit')), 'no hit')
            bad.append(f'({check.plain_path(hit)}; {said.strip()[:300]})')
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


BENCHES = {}                        # filled before the workers are forked


def one(job):
    name, mode, strike = job
    try:
        return job, BENCHES[name].trial(strike, mode == 'takes', mode == 'stay')
    except subprocess.TimeoutExpired:
        return job, ['a run hung for 60 s']


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
            for strike in strikes(bench, 'kill', 3):
                tried, caught = tried + 1, bool(bench.trial(strike))
                if caught:
                    break
        elif mode == 'power' and not power.why_not():
            out, sys.stdout = sys.stdout, open(os.devnull, 'w')
            try:
                t, caught = power.main({'mixed': bench}, lambda b: strikes(b, 'kill', 3), base, stop=True)
            finally:
                sys.stdout = out
            tried += t
        elif mode == 'power':
            print(f'skip plant {bug}: {power.why_not()}')
            continue
        elif mode == 'model':
            if model.why_not():
                print(f'skip plant {bug}: {model.why_not()}')
                continue
            t, caught = model.explore(bench, False, 3, stop=True)
            tried += t
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
    p.add_argument('-x', '--env', action='append', default=[])
    p.add_argument('-v', '--verbose', action='store_true')
    a = p.parse_args()
    a.program, a.tools = os.path.abspath(a.program), os.path.abspath(a.tools)
    return a


def main():
    args = arguments()
    base = tempfile.mkdtemp(prefix='torture.', dir='/dev/shm' if os.path.isdir('/dev/shm') else None)
    tried, failed, shown = 0, 0, collections.Counter()
    try:
        for name in args.workloads.split(','):
            BENCHES[name] = Bench(args, name, base)
        for mode in args.modes.split(','):
            if mode in ('power', 'model', 'plants'):
                if mode == 'plants':
                    t, f = plants(args, base)
                elif mode == 'model':
                    t, f = model.main(BENCHES, args.step, args.verbose)
                else:
                    t, f = power.main(BENCHES, lambda b: strikes(b, 'kill', args.step), base, args.verbose)
                tried, failed = tried + t, failed + f
                continue
            for name, bench in BENCHES.items():
                start, jobs = time.time(), [(name, mode, s) for s in strikes(bench, mode, args.step)]
                wrong = 0
                with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
                    for (_, _, strike), bad in pool.map(one, jobs, chunksize=4):
                        wrong += bool(bad)
                        shown[bad[0][:60] if bad else ''] += 1
                        if bad and (args.verbose or shown[bad[0][:60]] <= 3):
                            print(f'# {name} {mode}: {strike.text()}: ' + '\n#     '.join(bad), flush=True)
                tried, failed = tried + len(jobs), failed + wrong
                print(f'{"ok" if not wrong else "not ok"} {name} {mode}: {len(jobs)} points, {wrong} failed, {time.time() - start:.0f} s', flush=True)
    finally:
        shutil.rmtree(base, True)
    print(f'{tried} points tried, {failed} failed')
    return failed > 0 or tried == 0


if __name__ == '__main__':
    sys.exit(main())
