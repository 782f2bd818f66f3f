"""model.py - what may be on the disk after a power cut, by a model that is weaker than any file system in use

One run is recorded by strace.  A model replays it: what a file held at its last fsync is durable, and a change of names is
durable when its folder was fsynced; of the changes since, any may be on the disk and any not.  After each call the model
gives states: none of the pending changes, all, each alone, all but each, each prefix; with the data of files as of their
fsync, or all of it.  Each state is made anew, looked at, run to rest and looked at again (check.py).

    closed   a change implies those before it that it builds on: the folder it lies in, the name it replaces
    strict   only changes of the same thing keep their order

Limits: data of a file is all or nothing, rename is atomic (spool.h refuses file systems without that).
After the idea of ALICE (Pillai et al., OSDI 2014).
"""
import collections, os, re, shutil, subprocess

import check
from look import Look, read
from share import share, write

CALLS = 'openat,creat,write,pwrite64,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,symlinkat,linkat,fsync,' \
        'fdatasync,syncfs,ftruncate'
AT = re.compile(r'(?:AT_FDCWD|\d+)<([^>]*)>')
TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


def decode(hexed):
    return bytes(int(x, 16) for x in re.findall(r'\\x([0-9a-f]{2})', hexed))


class Inode:
    def __init__(self, kind, data=b'', stamp=None):
        self.kind, self.now, self.durable, self.stamp = kind, data, data if kind != 'file' or stamp else b'', stamp
        self.first = set()              # the names in a folder while it has its stamp


class Model:
    def __init__(self, site, strict):
        self.strict, self.site = strict, os.fsencode(site)
        self.top = Inode('dir')
        self.names, self.pending = {}, []
        self.load(self.top, self.site)
        self.durable = dict(self.names)

    def load(self, folder, path):
        for e in os.scandir(path):
            if e.is_symlink():
                i = Inode('link', os.readlink(e.path))
            elif e.is_dir():
                i = Inode('dir', stamp=e.stat().st_mtime_ns)
                self.load(i, e.path)
            else:
                i = Inode('file', read(e.path), e.stat().st_mtime_ns)
            self.names[(folder, e.name)] = i
            folder.first.add(e.name)

    def find(self, path):
        """(folder, name) of a path of the site; None when it lies elsewhere or is gone."""
        if not (path + b'/').startswith(self.site + b'/') or path.endswith(b' (deleted)'):
            return None
        parts = [p for p in path[len(self.site):].split(b'/') if p and p != b'.']
        folder = self.top
        for p in parts[:-1]:
            folder = self.names.get((folder, p))
            if folder is None:
                return None
        return (folder, parts[-1]) if parts else (None, b'')

    def inode(self, path):
        at = self.find(path)
        return None if at is None else self.top if at[0] is None else self.names.get(at)

    # What the calls do.

    def add(self, path, inode):
        at = self.find(path)
        if at and at[0] and at not in self.names:
            self.names[at] = inode
            self.pending.append(('add', at, None, inode))

    def remove(self, path):
        at = self.find(path)
        if at and at in self.names:
            self.pending.append(('del', at, None, self.names.pop(at)))

    def rename(self, a, b):
        at, to = self.find(a), self.find(b)
        if at and to and at in self.names:
            self.names[to] = self.names.pop(at)
            self.pending.append(('ren', at, to, self.names[to]))

    def sync(self, inode):
        if inode is None:
            return
        if inode.kind == 'file':
            inode.durable = inode.now
            return
        chosen = self.close({j for j, (_, at, to, _) in enumerate(self.pending) if inode in (at[0], to and to[0])})
        for j in chosen:
            apply(self.durable, self.pending[j])
        self.pending = [op for j, op in enumerate(self.pending) if j not in chosen]

    def sync_all(self):
        for op in self.pending:
            apply(self.durable, op)
        self.pending = []
        for i in self.names.values():
            i.durable = i.now

    # What may be there.

    def needs(self, q, j):
        """Whether change j cannot be on the disk without the earlier change q."""
        (kind_q, at_q, to_q, i_q), (kind_j, at_j, to_j, i_j) = self.pending[q], self.pending[j]
        if i_q is i_j:
            return True
        if kind_q != 'add' and kind_j != 'del' and at_q == (to_j or at_j):
            return True
        if self.strict:
            return False
        if kind_j != 'del' and kind_q != 'del' and i_q is (to_j or at_j)[0]:
            return True
        return kind_j == 'del' and i_j.kind == 'dir' and i_j in (at_q[0], to_q and to_q[0])

    def close(self, chosen):
        chosen, work = set(chosen), list(chosen)
        while work:
            j = work.pop()
            more = {q for q in range(j) if q not in chosen and self.needs(q, j)}
            chosen |= more
            work += more
        return sorted(chosen)

    def states(self):
        n = len(self.pending)
        sets = [set(), set(range(n))]
        for j in range(n):
            sets += [{j}, set(range(n)) - {j}, set(range(j))]
        for chosen in {tuple(self.close(s)) for s in sets}:
            names = dict(self.durable)
            for j in chosen:
                apply(names, self.pending[j])
            for lost in (True, False):
                yield names, lost


def apply(names, op):
    kind, at, to, inode = op
    if kind == 'add':
        names[at] = inode
    elif names.get(at) is inode:
        del names[at]
        if kind == 'ren':
            names[to] = inode


def content(i, lost):
    return i.durable if lost and i.kind == 'file' else i.now


def make(names, top, lost, site):
    """The state as a folder."""
    if os.path.exists(site):
        shutil.rmtree(site, True)
    below = collections.defaultdict(list)
    for (folder, name), i in names.items():
        below[folder].append((name, i))

    def put(folder, path):
        os.mkdir(path)
        for name, i in below[folder]:
            p = path + b'/' + name
            if i.kind == 'dir':
                put(i, p)
            elif i.kind == 'link':
                os.symlink(i.now, p)
            else:
                write(p, content(i, lost), times=(i.stamp, i.stamp) if i.stamp else None)
        if folder.stamp and {name for name, _ in below[folder]} == folder.first:
            os.utime(path, ns=(folder.stamp, folder.stamp))
    put(top, os.fsencode(site))


def path_of(folder, name):
    return name if name.startswith(b'/') else folder.rstrip(b'/') + b'/' + name


def replay(model, line):
    """One line of strace; whether it changed something."""
    m = re.match(r'\d+\s+(\w+)\((.*)\)\s+= (-?\d+)(?:<([^>]*)>)?', line)
    if not m or int(m[3]) < 0:
        return False
    call, args, result = m[1], m[2], int(m[3])
    dirs, texts = [decode(x) for x in AT.findall(args)], [decode(x) for x in TEXT.findall(args)]
    if call in ('openat', 'creat'):
        path = decode(m[4] or '')
        if 'O_CREAT' in args:
            model.add(path, Inode('file'))
        if 'O_TRUNC' in args and model.inode(path):
            model.inode(path).now = b''
    elif call in ('write', 'pwrite64'):
        i = model.inode(dirs[0]) if dirs else None
        if i is None or i.kind != 'file':
            return False
        i.now += texts[0][:result]
    elif call == 'ftruncate' and dirs and model.inode(dirs[0]):
        model.inode(dirs[0]).now = b''
    elif call in ('fsync', 'fdatasync') and dirs:
        model.sync(model.inode(dirs[0]))
    elif call == 'syncfs':
        model.sync_all()
    elif call in ('renameat', 'renameat2'):
        model.rename(path_of(dirs[0], texts[0]), path_of(dirs[1], texts[1]))
    elif call == 'unlinkat':
        model.remove(path_of(dirs[0], texts[0]))
    elif call == 'mkdirat':
        model.add(path_of(dirs[0], texts[0]), Inode('dir'))
    elif call in ('mkdir', 'unlink', 'rmdir', 'rename'):    # the site's own paths are absolute here
        if call == 'mkdir':
            model.add(texts[0], Inode('dir'))
        elif call == 'rename':
            model.rename(texts[0], texts[1])
        else:
            model.remove(texts[0])
    elif call == 'symlinkat':
        model.add(path_of(dirs[0], texts[1]), Inode('link', texts[0]))
    elif call == 'linkat':
        model.add(path_of(dirs[1], texts[1]), model.inode(path_of(dirs[0], texts[0])))
    else:
        return False
    return True


def why_not():
    return '' if shutil.which('strace') else 'the model needs strace'


def record(bench):
    site, log = bench.fresh('traced'), f'{bench.base}/strace'
    command = ['strace', '-f', '-y', '-xx', '-s', '1000000', '-o', log, '-e', 'trace=' + CALLS, '-E', f'PLANT={bench.env.get("PLANT", "")}']
    if 'LD_PRELOAD' in bench.env:
        command += ['-E', f'LD_PRELOAD={bench.env["LD_PRELOAD"]}']
    env = {k: v for k, v in bench.env.items() if k != 'LD_PRELOAD'}
    subprocess.run(command + bench.asking(site, 1), env=env, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return site, list(whole(open(log, errors='replace').read().splitlines()))


def whole(lines):
    """Calls that strace shows in two halves, because another process came between, put together at their end."""
    begun = {}
    for line in lines:
        pid = line.split(' ', 1)[0]
        if line.endswith('<unfinished ...>'):
            begun[pid] = line[:-len('<unfinished ...>')].rstrip()
            continue
        m = re.match(r'\d+\s+<\.\.\. \w+ resumed>(.*)', line)
        if m:
            line = begun.pop(pid, '') + m[1]
        yield line


def trial(bench, model, names, lost):
    site = f'{bench.base}/state.{os.getpid()}'
    make(names, model.top, lost, site)
    bad = ['after the cut: ' + x for x in check.any_moment(Look(site), bench.truth)]
    said, look = bench.settle(site)
    bad += check.at_rest(look, bench.truth, cut=True)
    look.remove()
    return bad + [f'({said.strip()[:300]})'] if bad else bad


def states(model, lines):
    """The call, and the state that may be on the disk after it; each state once."""
    seen = set()
    for line in lines:
        if not replay(model, line):
            continue
        for names, lost in model.states():
            key = frozenset((d, n, i, content(i, lost)) for (d, n), i in names.items())
            if key not in seen:
                seen.add(key)
                yield line, names, lost


def readable(line):
    return re.sub(r'\\x..', lambda m: decode(m[0]).decode('latin1'), line)[:160]


def explore(bench, strict, step, jobs):
    """Each state: the call that it comes after, and the findings. All who share the work find the same states."""
    site, lines = record(bench)
    shutil.rmtree(site)
    os.rename(bench.fresh('traced.template'), site)         # the state before the run, under the traced name
    model = Model(site, strict)

    def work(turn):
        mine = turn()
        for n, (line, names, lost) in enumerate(states(model, lines), 1):
            if n % step == 0 and n // step - 1 == mine:
                bad = trial(bench, model, names, lost)
                yield 'after ' + readable(line) if bad else '', bad
                mine = turn()
    return share(jobs, work)
