"""W6: many small files through the watcher, against a program that only makes the same durable points.

What is the same is measured, not claimed: a run under strace counts syncfs, fdatasync, renames and new files per file.  The limit
(limits/lim_waves) does that many, in as many rounds, on the same file system, in the same run, alternating.  Its second row also
makes two new files of 1 KB for each dropped one, the least that anybody can: an output and the sidecar, were the archive the dropped
file renamed; the third as many as waybill makes.  Without strace there is no limit.

All that once more with FLUSH_MS added to each sync (limits/flush.c, the same for waybill and limits), to stand for a slower disk; how
slow is a choice, and the ratio depends on it.
"""
import os, re, shutil, signal, statistics, subprocess, time

BYTES = 2000
LATENCY_FILES = 1000
FLUSH_MS = 5


def make_files(bench, files):
    """Orders of about 2 KB each, all different."""
    folder = os.path.join(bench.data, "watch-%d" % files)
    if not os.path.exists(folder + "/done"):
        head, *rows = open(bench.generate("W1", 2)[0]).read().splitlines(True)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        at = 0
        for i in range(files):
            text = head
            while len(text) < BYTES:
                text += rows[at % len(rows)].replace("PO", "P%dO" % at, 1)
                at += 1
            with open("%s/s%05d.csv" % (folder, i), "w") as f:
                f.write(text)
        open(folder + "/done", "w").close()
    return folder


def cpu_of(pid):
    """Seconds of a process."""
    with open("/proc/%d/stat" % pid) as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def children_of(pid):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % entry) as f:
                if int(f.read().rsplit(")", 1)[1].split()[1]) == pid:
                    found.append(int(entry))
        except OSError:
            pass
    return found


def is_empty(folder):
    with os.scandir(folder) as entries:
        return next(entries, None) is None


def environment(bench, flush):
    """Of a process whose flushes take so many ms longer."""
    return {**os.environ, "LD_PRELOAD": bench.limits + "/flush.so", "FLUSH_MS": str(flush)} if flush else None


class Watched:
    """A site with its watcher, which waits for files; the files lie beside its inbox."""
    def __init__(self, bench, inputs, durable, count, flush=0):
        self.site = bench.site("/nowhere")
        self.staged = self.site + "/staged"
        os.makedirs(self.staged)
        for i in range(count):
            shutil.copy("%s/s%05d.csv" % (inputs, i), self.staged)
        os.sync()
        self.log = open(self.site + "/log", "wb")
        command = [bench.program, "watch", "-q", *([] if durable else ["--no-fsync"]), self.site]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=environment(bench, flush))
        while not os.path.isdir(self.site + "/.waybill/work"):
            time.sleep(0.02)
        time.sleep(0.3)

    def drop(self, bench, count, rate):
        """Seconds to the last output, median and p99 of the latency in ms."""
        run = subprocess.run([bench.limits + "/drop", self.staged, self.site + "/inbox/orders", self.site + "/outbox/orders",
                              str(count), str(rate)], stdout=subprocess.PIPE, text=True, check=True)
        return [float(w) for w in run.stdout.split()]

    def wait(self):
        """Until nothing is in hand any more."""
        while not (is_empty(self.site + "/.waybill/work") and is_empty(self.site + "/.waybill/claim")):
            time.sleep(0.005)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()


def count_calls(bench, inputs, files):
    """Calls per file of a durable run under strace; None without it."""
    if not shutil.which("strace"):
        return None
    trace = os.path.join(bench.work, "trace")
    site = bench.site(inputs, files)
    names = "syncfs,fsync,fdatasync,rename,renameat,renameat2,openat,symlinkat,mkdirat"
    subprocess.run(["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=" + names, "-o", trace, bench.program, "run", "-q", site],
                   stdout=subprocess.DEVNULL, check=True)
    count = dict.fromkeys(("syncs", "appends", "renames", "creates"), 0)
    with open(trace) as f:
        for line in f:
            call = re.match(r"\d+ +(\w+)\(", line)
            name = call.group(1) if call else ""
            count["syncs"] += name in ("syncfs", "fsync")
            count["appends"] += name == "fdatasync"
            count["renames"] += name.startswith("rename")
            count["creates"] += name in ("symlinkat", "mkdirat") or (name == "openat" and "O_CREAT" in line)
    os.unlink(trace)
    return {name: n / files for name, n in count.items()}


def limit(bench, calls, files, creates, flush):
    """Files per second of the limit, with so many new files for each."""
    folder = os.path.join(bench.work, "limit")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    os.sync()
    rounds = max(1, round(files * calls["appends"]))        # one append to the ledger for each wave
    per_round = lambda what: str(round(files * calls[what] / rounds))
    more = [str(round(files * creates / rounds)), "1000"] if creates else []
    run = subprocess.run([bench.limits + "/lim_waves", folder, str(rounds), per_round("renames"), per_round("syncs"), per_round("appends"),
                          *more], stdout=subprocess.PIPE, text=True, check=True, env=environment(bench, flush))
    shutil.rmtree(folder)
    return files / float(run.stdout)


def once(bench, inputs, durable, files, flush):
    """One run: files per second until all are archived, CPU ms per file of supervisor and workers."""
    watched = Watched(bench, inputs, durable, files, flush)
    workers = lambda: sum(cpu_of(p) for p in children_of(watched.process.pid))
    before = cpu_of(watched.process.pid), workers()
    start = time.monotonic()
    watched.drop(bench, files, 0)
    watched.wait()
    seconds = time.monotonic() - start
    after = cpu_of(watched.process.pid), workers()
    watched.end()
    if len(os.listdir(watched.site + "/outbox/orders")) != files:
        bench.wrong.append("W6: not every file came out")
    return files / seconds, *((b - a) / files * 1000 for a, b in zip(before, after))


def rows(bench, inputs, files, calls, durables, flush):
    """The median of three runs of each: what waybill does durably or not, and the limits."""
    found = {how: [] for how in durables}
    creates = {"limit": 0, "limit with output and sidecar": 2, "limit with new files": calls["creates"]} if calls else {}
    limits = {how: [] for how in creates}
    for turn in range(3):
        for how in found:
            found[how].append(once(bench, inputs, how == "durable", files, flush))
        for how in limits:
            limits[how].append(limit(bench, calls, files, creates[how], flush))
    report(bench, files, flush, {how: [statistics.median(x) for x in zip(*runs)] for how, runs in found.items()},
           {how: statistics.median(runs) for how, runs in limits.items()})


def run(bench, files):
    inputs = make_files(bench, files)
    calls = count_calls(bench, inputs, min(files, 2000))
    rows(bench, inputs, files, calls, ("durable", "no fsync"), 0)
    rows(bench, inputs, files, calls, ("durable",), FLUSH_MS)
    if calls:
        bench.more.append(("W6", "durable points", "per 1000 files %.0f syncfs, %.0f appends with fdatasync, %.0f renames, %.0f new files"
                           % tuple(calls[what] * 1000 for what in ("syncs", "appends", "renames", "creates"))))
    for how in ("durable", "no fsync"):
        watched = Watched(bench, inputs, how == "durable", min(files, LATENCY_FILES))
        _, median, p99 = watched.drop(bench, min(files, LATENCY_FILES), 100)
        watched.wait()
        watched.end()
        bench.more.append(("W6 latency", how, "100 files a second: median %.0f ms, p99 %.0f ms from rename-in to output" % (median, p99)))


def report(bench, files, flush, found, limits):
    disk = ", a flush of %d ms more" % flush if flush else ""
    for how, (rate, supervisor, workers) in found.items():
        bench.more.append(("W6", "%d files of 2 KB, %s%s" % (files, how, disk),
                           "%.0f files/s; CPU per file: supervisor %.2f ms, workers %.2f ms" % (rate, supervisor, workers)))
    for how, rate in limits.items():
        bench.more.append(("W6", how + disk, "%.0f files/s; waybill, durable, takes %.1f x its time" % (rate, rate / found["durable"][0])))
