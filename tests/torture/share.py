"""share.py - what the trials of torture.py are made of: runs that end in time, folders that are made again and again, and
work that several processes share

    result = run([program, 'run', site], env)           exit code and standard error; subprocess.TimeoutExpired after 60 s
    copies = Template(folder); copies.put(path)         a copy of the folder as it was, out of memory
    for result in share(2, work): ...                   work(turn) in two processes; each number of turn() goes to one of them
"""
import multiprocessing, multiprocessing.connection, os, select, signal, stat, subprocess, time, traceback


class Run:
    def __init__(self, returncode, stderr):
        self.returncode, self.stderr = returncode, stderr


def run(command, env, seconds=60):
    """Without the sleeps of subprocess; like it, it waits for all that hold the standard error."""
    said, theirs = os.pipe()
    pid = os.posix_spawnp(command[0], command, env, setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
                          file_actions=[(os.POSIX_SPAWN_OPEN, 0, '/dev/null', os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, '/dev/null', os.O_WRONLY, 0),
                                        (os.POSIX_SPAWN_DUP2, theirs, 2)])
    os.close(theirs)
    process, end, parts = os.pidfd_open(pid), time.monotonic() + seconds, []

    def wait(fd):
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(max(0, end - time.monotonic()) * 1000):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise subprocess.TimeoutExpired(command, seconds)
    try:
        while not parts or parts[-1]:
            wait(said)
            parts.append(os.read(said, 1 << 16))
        wait(process)
    finally:
        os.close(said)
        os.close(process)
    return Run(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), b''.join(parts))


class Template:
    """A folder kept in memory: names, bytes, rights, times, links."""

    def __init__(self, path):
        self.folders, self.files, self.links = [], [], []
        self.load(path, '')

    def load(self, path, name):
        st = os.stat(path)
        self.folders.append((name, stat.S_IMODE(st.st_mode), (st.st_atime_ns, st.st_mtime_ns)))
        with os.scandir(path) as it:
            entries = sorted(it, key=lambda e: e.name)
        for e in entries:
            st, below = e.stat(follow_symlinks=False), f'{name}/{e.name}'
            if e.is_symlink():
                self.links.append((below, os.readlink(e.path)))
            elif e.is_dir():
                self.load(e.path, below)
            else:
                with open(e.path, 'rb') as f:
                    self.files.append((below, f.read(), stat.S_IMODE(st.st_mode), (st.st_atime_ns, st.st_mtime_ns)))

    def put(self, path):
        for name, mode, _ in self.folders:
            os.mkdir(path + name)
            os.chmod(path + name, mode)
        for name, data, mode, times in self.files:
            write(path + name, data, mode, times)
        for name, target in self.links:
            os.symlink(target, path + name)
        for name, _, times in reversed(self.folders):
            os.utime(path + name, ns=times)


def write(path, data, mode=None, times=None):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        at = 0
        while at < len(data):
            at += os.write(fd, memoryview(data)[at:] if at else data)
        if mode is not None:
            os.fchmod(fd, mode)
        if times:
            os.utime(fd, ns=times)
    finally:
        os.close(fd)


def share(workers, work):
    """What work(turn), a generator, yields in each of so many processes, in the order in which it comes. Whoever stops asking
    lets them end: no further turn is given out."""
    fork = multiprocessing.get_context('fork')
    turns, far = fork.Value('l', 0), 1 << 60

    def turn():
        with turns.get_lock():
            turns.value += 1
            return turns.value - 1

    def body(pipe):
        try:
            for result in work(turn):
                pipe.send(('result', result))
            pipe.send(('end', None))
        except BaseException:
            pipe.send(('fault', traceback.format_exc()))

    pipes, processes = [], []
    for _ in range(workers):
        mine, theirs = fork.Pipe(False)
        processes.append(fork.Process(target=body, args=(theirs,)))
        processes[-1].start()
        theirs.close()
        pipes.append(mine)
    try:
        while pipes:
            for pipe in multiprocessing.connection.wait(pipes):
                kind, result = pipe.recv()
                if kind == 'fault':
                    raise RuntimeError(result)
                if kind == 'end':
                    pipes.remove(pipe)
                else:
                    yield result
    finally:
        turns.value = far
        for pipe in pipes:                      # nobody waits for a reader
            try:
                while pipe.recv()[0] == 'result':
                    pass
            except EOFError:
                pass
        for p in processes:
            p.join()
