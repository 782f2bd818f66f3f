#!/usr/bin/env python3
"""race.py WAYBILL [--watchers 8] [--files 2000] [--seconds 60] [--shared] [--seed N]

Several watchers on one site, random kills, a consumer that reads the outbox all the time and takes what it likes.
At the end: files in = outputs + refused files, no output twice, no partial output ever seen, archive and error account
for every file.  Prints one line `race: N files, K kills, M faults` and each fault; exit code 1 when there is one.
"""
import argparse, hashlib, os, random, shutil, signal, subprocess, sys, tempfile, threading, time

CONF = """site "Race"
zone "Europe/Oslo"
%s
flow one {
    on yes
    order any
    operation convert {
        take inbox  "inbox/one" ready name
        give outbox "outbox/one" name "{file}" map copy
    }
}
"""
ROWS = """syntax csv delimiter ";" header yes
encoding utf-8

message Row {
    Id  text required
    Qty decimal
}
"""
COPY = "mapping rows <=> rows\n\nRow <=> Row {\n    Id  <=> Id\n    Qty <=> Qty\n}\n"


def make_site(site, shared):
    os.makedirs(site + "/mappings")
    os.makedirs(site + "/inbox/one")
    os.makedirs(site + "/outbox/one")
    for name, text in (("site.conf", CONF % ("shared yes\nlimit lease 3000" if shared else "")),
                       ("mappings/rows.format", ROWS), ("mappings/copy.map", COPY)):
        with open(site + "/" + name, "w") as f:
            f.write(text)


def content(i):
    lines = ["Id;Qty"] + ["f%05d-%d;%d" % (i, k, k + 1) for k in range(1 + i * 7919 % 400)]
    if i % 50 == 7:
        lines[-1] += ';";'                              # an open quote: the whole file is refused
    return "\n".join(lines) + "\n"


class Watchers:
    def __init__(self, program, site, n, log):
        self.command = [program, "watch", "--standby", "--quiet", site]
        self.log = log
        self.list = [self.start() for _ in range(n)]

    def start(self):
        return subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def holder(self, site):
        """The one that works on the site, most worth killing."""
        leases = [f for f in os.listdir(site + "/.waybill") if f.startswith("lease.")]
        name = max(leases, key=lambda f: int(f[6:])) if leases else "lock"
        try:
            with open(site + "/.waybill/" + name) as f:
                pid = int(f.read().split()[0])
        except (OSError, ValueError, IndexError):
            return None
        return next((w for w in self.list if w.pid == pid), None)

    def strike(self, w, paused):
        if paused:
            w.send_signal(signal.SIGSTOP)
            threading.Timer(random.uniform(3.5, 5), lambda: w.poll() is None and w.send_signal(signal.SIGCONT)).start()
        else:
            w.kill()
            w.wait()

    def replace_dead(self):
        self.list = [w if w.poll() is None else self.start() for w in self.list]

    def end(self):
        for w in self.list:
            if w.poll() is None:
                w.send_signal(signal.SIGCONT)
                w.terminate()
        for w in self.list:
            w.wait(20)


class Consumer(threading.Thread):
    """Reads every output the moment it is visible; takes about half of them away."""

    def __init__(self, outbox, taken):
        super().__init__(daemon=True)
        self.outbox, self.taken, self.ending = outbox, taken, False
        self.seen, self.faults = {}, []

    def look(self, name):
        try:
            with open(self.outbox + "/" + name, "rb") as f:
                data = f.read()
                inode = os.fstat(f.fileno()).st_ino
        except FileNotFoundError:
            return
        i = int(name[1:6])
        if data != content(i).encode():
            self.faults.append("%s: %d bytes are visible, %d are right" % (name, len(data), len(content(i))))
        if name in self.seen and self.seen[name] != inode:
            self.faults.append("%s was delivered a second time" % name)
        self.seen[name] = inode
        if i % 2:
            os.rename(self.outbox + "/" + name, "%s/%s.%d" % (self.taken, name, time.monotonic_ns()))

    def round(self):
        for name in os.listdir(self.outbox):
            if not name.startswith(".") and (name not in self.seen or int(name[1:6]) % 2):
                self.look(name)

    def run(self):
        while not self.ending:
            self.round()
            time.sleep(0.002)


def drop_all(site, n, seconds, stop):
    for i in range(n):
        part = "%s/inbox/one/.part" % site
        with open(part, "w") as f:
            f.write(content(i))
        os.rename(part, "%s/inbox/one/f%05d.csv" % (site, i))
        if not stop.wait(0):
            time.sleep(seconds * 0.8 / n)


def tree(folder):
    return [os.path.join(d, f) for d, _, files in os.walk(folder) for f in files]


def account(site, taken, consumer, n, faults):
    left = [f for f in os.listdir(site + "/inbox/one") if not f.startswith(".")]
    names = [f for f in os.listdir(site + "/outbox/one") if not f.startswith(".")]
    gone = [f.rsplit(".", 1)[0] for f in os.listdir(taken)]
    zips = [f for f in tree(site + "/archive") if f.endswith(".zip")]
    error = [d for d in os.listdir(site + "/error")]
    bad = {"f%05d.csv" % i for i in range(n) if i % 50 == 7}
    good = {"f%05d.csv" % i for i in range(n)} - bad
    out = names + gone
    if left:
        faults.append("%d files are still in the inbox" % len(left))
    if sorted(out) != sorted(set(out)):
        faults.append("twice: %s" % sorted(x for x in set(out) if out.count(x) > 1)[:5])
    if set(out) != good:
        faults.append("outputs missing %s, unwanted %s" % (sorted(good - set(out))[:5], sorted(set(out) - good)[:5]))
    if len(zips) != len(good):
        faults.append("%d archives for %d good files" % (len(zips), len(good)))
    if len(error) != len(bad):
        faults.append("%d folders in error/ for %d bad files" % (len(error), len(bad)))
    base = site + "/.waybill"
    for folder in [base] + [base + "/" + d for d in os.listdir(base) if d.startswith("epoch-")]:
        for part in ("claim", "tmp", "work"):
            rest = os.listdir(folder + "/" + part) if os.path.isdir(folder + "/" + part) else []
            if rest:
                faults.append("%s holds %s" % (part, rest[:3]))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("program")
    p.add_argument("--watchers", type=int, default=8)
    p.add_argument("--files", type=int, default=2000)
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--shared", action="store_true")
    p.add_argument("--seed", type=int, default=int(time.time()))
    p.add_argument("--keep", action="store_true")
    a = p.parse_args()
    random.seed(a.seed)
    top = tempfile.mkdtemp(prefix="waybill-race-")
    site, taken = top + "/site", top + "/taken"
    os.mkdir(taken)
    make_site(site, a.shared)
    log = open(top + "/log", "w")
    watchers = Watchers(os.path.abspath(a.program), site, a.watchers, log)
    consumer = Consumer(site + "/outbox/one", taken)
    consumer.start()
    stop, kills, end = threading.Event(), 0, time.monotonic() + a.seconds
    dropper = threading.Thread(target=drop_all, args=(site, a.files, a.seconds, stop), daemon=True)
    dropper.start()
    while time.monotonic() < end:
        time.sleep(random.uniform(0.5, 1.5) if a.shared else random.uniform(0.02, 0.3))
        w = watchers.holder(site) if random.random() < 0.8 else None
        watchers.strike(w or random.choice(watchers.list), a.shared and random.random() < 0.7)
        kills += 1
        watchers.replace_dead()
    stop.set()
    dropper.join()
    time.sleep(5.5 if a.shared else 0)
    watchers.end()
    for _ in range(3):                                  # what waits for its time after a kill is tried again
        subprocess.run([os.path.abspath(a.program), "run", "--quiet", site], stdin=subprocess.DEVNULL, stdout=log,
                       stderr=log)
    consumer.ending = True
    consumer.join()
    consumer.round()
    faults = consumer.faults
    account(site, taken, consumer, a.files, faults)
    fsck = subprocess.run([os.path.abspath(a.program), "fsck", site], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if fsck.returncode:
        faults.append("fsck: " + fsck.stdout.strip()[:500])
    for f in faults[:20]:
        print("# " + f)
    print("race: %d files, %d watchers, %d strikes, seed %d, %d faults" % (a.files, a.watchers, kills, a.seed, len(faults)))
    if not a.keep and not faults:
        shutil.rmtree(top)
    elif faults:
        print("# the site is left in " + top)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
