#!/usr/bin/env python3
"""run.py PROGRAM WORKDIR - waybill against the limits of its libraries and against what users would script instead.

W1 is orders.csv to grouped orders.xml, W2 orders.xml to flat csv, W6 small files through the watcher (watch.py), W8 the consolidation
of N orders into N open invoices, by itself and as a whole site.  In one run, alternating, each contestant converts the same
file; counted is the CPU time (user and system, median of at least three) and the largest memory, by limits/meas.  What comes
out is compared byte for byte with the generator's own file; who differs is shown and is nobody's best peer.

Writes WORKDIR/results.tsv (item size who mb_per_cpu_s ratio_limit ratio_best_peer peak_mb; 1 MB = 10^6 bytes) and
WORKDIR/more.tsv (flatness over sizes, two workers against one).  No time is ever asserted; a wrong output is an error.

BENCH_QUICK=1  one size of 2 MB, for a look whether all works
BENCH_BIG=1    1 GB too (limits, waybill and the best peer)
BENCH_SIZES="10 100"  sizes in MB of input; BENCH_FILES=10000 files of W6
BENCH_ONLY="waybill limit"  contestants; "W6" or "folder": only that
"""
import filecmp, os, re, shutil, statistics, subprocess, sys, time

import watch

HERE = os.path.dirname(os.path.abspath(__file__))
NECS = os.path.join(HERE, "../../mappings/necs")
BYTES_PER_ORDER = {"csv": 477, "xml": 856}      # of gen.py's default orders
ITEMS = {"W1": ("csv", "xml"), "W2": ("xml", "csv")}
BIG = 500                                       # MB from which only the best peer runs


def have(*commands):
    return all(shutil.which(c) for c in commands)


def quiet(*command):
    return bool(shutil.which(command[0])) and subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def busy():
    """Seconds so far: on the clock, of all processors at work for anybody (stolen ones too), of them for the bench."""
    with open("/proc/stat") as f:
        user, nice, system, _, _, irq, softirq, steal = map(int, f.readline().split()[1:9])
    return time.monotonic(), (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4])


def foreign_share(before, after):
    clock, everybody, ours = (b - a for a, b in zip(before, after))
    return max(0, everybody - ours) / (clock * os.cpu_count()) * 100


class Bench:
    def __init__(self, program, work):
        self.program, self.work = os.path.abspath(program), os.path.abspath(work)
        self.data = os.path.join(self.work, "data")
        self.limits = os.path.join(self.work, "limits")
        self.rows, self.more, self.wrong, self.best = [], [], [], {}
        self.only = os.environ.get("BENCH_ONLY", "").split()

    def build(self):
        """The limit programs, outside of the source tree."""
        os.makedirs(self.data, exist_ok=True)
        shutil.copytree(os.path.join(HERE, "limits"), self.limits, dirs_exist_ok=True)
        subprocess.run(["make", "-s", "-C", self.limits, "meas", "lim_csv", "lim_sax", "conv_csv_xml_libcsv", "lim_waves", "drop", "flush.so"], check=True)

    def generate(self, item, mb):
        """The input of about that size and the generator's own output for it; kept between runs."""
        orders = int(mb * 1e6 / BYTES_PER_ORDER[ITEMS[item][0]])
        prefix = os.path.join(self.data, "orders-%d" % orders)
        stamp = prefix + ".done"
        if not os.path.exists(stamp):
            print("generating %d orders" % orders, file=sys.stderr, flush=True)
            subprocess.run([sys.executable, os.path.join(HERE, "gen/gen.py"), "--orders", str(orders), "--format", "csv,xml",
                            "--out", prefix], check=True, stderr=subprocess.DEVNULL)
            open(stamp, "w").close()
        return tuple(prefix + "." + kind for kind in ITEMS[item])

    def contestants(self, item, source, out):
        """(who, command, output or None): waybill, the limit and every peer that this machine has."""
        peers = os.path.join(HERE, "peers")
        node = {"NODE_PATH": os.path.join(self.work, "node_modules")}
        mapping = os.path.join(HERE, "mappings/csv-xml")
        lxml = next((p for p in (sys.executable, "/usr/bin/python3") if quiet(p, "-c", "import lxml")), None)
        shell = lambda line: ["sh", "-c", line, "sh", source, out]
        if item == "W1":
            yield "waybill", [self.program, "convert", "-m", mapping, "-o", out, source], out
            yield "limit", [self.limits + "/lim_csv", source], None
            yield "hand-coded", [self.limits + "/conv_csv_xml_libcsv", source, out], out
            if have("perl") and quiet("perl", "-MText::CSV_XS", "-e1"):
                yield "perl", ["perl", peers + "/perl/plconv.pl", "csv2xml", source, out], out
            yield "python", [sys.executable, peers + "/python/pyconv.py", "csv2xml", source, out], out
            if lxml:
                yield "python-lxml", [lxml, peers + "/python/pyconv.py", "csv2xmllx", source, out], out
            if have("mlr"):
                yield "miller", shell('exec mlr --icsv --ocsv -S -A --from "$1" put -q -f %s/miller/csv2xml.mlr > "$2"' % peers), out
            if have("node") and os.path.isdir(node["NODE_PATH"] + "/csv-parse"):
                yield "node-csv-parse", ["env", "NODE_PATH=" + node["NODE_PATH"], "node", peers + "/node/nodeconv.js", "csv2xml", source, out], out
        else:
            yield "waybill", [self.program, "convert", "-m", mapping, "--backward", "-o", out, source], out
            yield "limit", [self.limits + "/lim_sax", source], None
            if have("perl") and quiet("perl", "-MXML::LibXML::Reader", "-e1"):
                yield "perl", ["perl", peers + "/perl/plconv.pl", "xml2csv", source, out], out
            yield "python", [sys.executable, peers + "/python/pyconv.py", "xml2csv", source, out], out
            if lxml:
                yield "python-lxml", [lxml, peers + "/python/pyconv.py", "xml2csvlx", source, out], out
            if have("xsltproc"):
                yield "xsltproc", ["xsltproc", "--huge", "-o", out, peers + "/xslt/xml2csv.xsl", source], out
            if have("xmlstarlet"):
                yield "xmlstarlet", shell('exec %s/xslt/xmlstarlet_w2.sh "$1" > "$2"' % peers), out
            if have("node") and os.path.isdir(node["NODE_PATH"] + "/sax"):
                yield "node-sax", ["env", "NODE_PATH=" + node["NODE_PATH"], "node", peers + "/node/nodeconv.js", "xml2csv", source, out], out

    def measure(self, command):
        """One run: CPU seconds, peak KiB, whether it succeeded."""
        run = subprocess.run([self.limits + "/meas", "1"] + command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        words = run.stdout.split()
        ok = len(words) == 4 and words[3] == "0"
        if not ok:
            print("failed: %s\n%s" % (" ".join(command), run.stderr[-1000:]), file=sys.stderr)
        return (float(words[1]), int(words[2]), ok) if len(words) == 4 else (0.0, 0, False)

    def wanted(self, who, item, mb):
        if self.only and who not in self.only:
            return False
        if who not in ("waybill", "limit") and mb >= BIG:
            return who == self.best.get(item)
        return True

    def run(self, item, mb):
        source, expected = self.generate(item, mb)
        size = os.path.getsize(source)
        out = os.path.join(self.data, "out")
        field = [c for c in self.contestants(item, source, out) if self.wanted(c[0], item, mb)]
        open(source, "rb").read(1 << 20)
        cpu, peak, state = {c[0]: [] for c in field}, {c[0]: 0 for c in field}, {c[0]: "ok" for c in field}
        for turn in range(9):
            for who, command, result in field:
                # Three runs each; quick ones get more, so that one disturbance does not decide. A slow peer runs once.
                spent = sum(cpu[who])
                if state[who] == "failed" or (turn >= 3 and spent > 2) or (turn >= 1 and spent > 15):
                    continue
                if result and os.path.exists(out):
                    os.unlink(out)
                seconds, kib, ok = self.measure(command)
                if not ok:
                    state[who] = "failed"
                    continue
                if result and turn == 0 and not (os.path.exists(out) and filecmp.cmp(out, expected, shallow=False)):
                    state[who] = "differs"
                cpu[who].append(seconds)
                peak[who] = max(peak[who], kib)
        self.report(item, mb, size, field, cpu, peak, state)
        if os.path.exists(out):
            os.unlink(out)

    def report(self, item, mb, size, field, cpu, peak, state):
        speed = {who: size / 1e6 / max(statistics.median(times), 1e-4) for who, times in cpu.items() if times}
        limit = speed.get("limit")
        peers = {w: s for w, s in speed.items() if w not in ("waybill", "limit", "hand-coded") and state[w] == "ok"}
        if peers:
            self.best[item] = max(peers, key=peers.get)
        best = peers.get(self.best.get(item))
        for who, _, _ in field:
            if state[who] == "failed":
                print("%-4s %4dMB  %-28s failed" % (item, mb, who), flush=True)
            else:
                ratio = lambda other: "%.3f" % (speed[who] / other) if other else ""
                row = (item, "%dMB" % mb, who if state[who] == "ok" else who + " (output differs)", "%.1f" % speed[who], ratio(limit), ratio(best), "%.1f" % (peak[who] * 1024 / 1e6))
                self.rows.append(row)
                print("%-4s %6s  %-28s %7s MB/s  %6s of the limit  %7s x best peer  %7s MB"
                      % (row[0], row[1], row[2], row[3], row[4], row[5], row[6]), flush=True)
            if who == "waybill" and state[who] != "ok":
                self.wrong.append("%s at %d MB: waybill %s" % (item, mb, state[who]))

    def flatness(self):
        """CPU per byte at the smallest size against the largest."""
        for item in ITEMS:
            mine = [(int(r[1][:-2]), float(r[3])) for r in self.rows if r[0] == item and r[2] == "waybill"]
            if len(mine) > 1:
                (small, a), (large, b) = min(mine), max(mine)
                self.more.append((item + " flatness", "%d to %d MB" % (small, large), "a byte of the large file takes %.3f of the CPU time of one of the small" % (a / b)))

    def folder(self, files, orders):
        """A folder of files through a site: one worker, then two, alternating; wall time, median of five.  Without fsync, so
        that it is the program that is measured, not the disk."""
        inputs = os.path.join(self.data, "folder-%d-%d" % (files, orders))
        if not os.path.exists(inputs + "/done"):
            os.makedirs(inputs, exist_ok=True)
            for i in range(files):
                subprocess.run([sys.executable, os.path.join(HERE, "gen/gen.py"), "--orders", str(orders), "--seed", str(i + 1), "--format",
                                "csv,xml", "--out", "%s/o%03d" % (inputs, i)], check=True, stderr=subprocess.DEVNULL)
            open(inputs + "/done", "w").close()
        wall = {1: [], 2: []}
        before = busy()
        for turn in range(5):
            for workers in sorted(wall, reverse=turn % 2):
                site = self.site(inputs)
                start = time.monotonic()
                done = subprocess.run([self.program, "run", "--no-fsync", "--workers", str(workers), site], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                wall[workers].append(time.monotonic() - start)
                fault = self.folder_fault(inputs, site, done)
                if fault:
                    self.wrong.append("folder of files, %d workers: %s" % (workers, fault))
                    return
        size = sum(os.path.getsize(os.path.join(inputs, n)) for n in os.listdir(inputs) if n.endswith(".csv"))
        one, two = statistics.median(wall[1]), statistics.median(wall[2])
        self.more.append(("folder", "%d files, %.0f MB" % (files, size / 1e6),
                          "one worker %.1f MB/s, two workers %.1f MB/s: %.2f x (other programs took %.0f %% of the processors)"
                          % (size / 1e6 / one, size / 1e6 / two, one / two, foreign_share(before, busy()))))

    def consolidation(self, sizes):
        """W8: N orders into N open invoices. What they cost, and how that grows: the conversion, and a whole site with all that follows."""
        for n in sizes:
            dir = self.consolidation_dir(n)
            if not os.path.exists(dir + "/orders.csv"):
                subprocess.run([sys.executable, os.path.join(HERE, "gen/consolidation.py"), str(n), dir], check=True)
        self.growth("W8 consolidation", sizes, self.consolidate)
        self.growth("W8 site", sizes, self.consolidate_site)

    def consolidation_dir(self, n):
        return os.path.join(self.data, "consolidation-%d" % n)

    def growth(self, what, sizes, run):
        done = []
        for n in sizes:
            runs = [run(n, turn) for turn in range(3)]
            if not all(ok for _, _, ok in runs):
                self.wrong.append("%s with %d orders: it failed, or a quantity was lost or doubled" % (what, n))
                return
            done.append((n, statistics.median(s for s, _, _ in runs), max(k for _, k, _ in runs) * 1024 / 1e6))
            self.more.append((what, "%d orders" % n, "%.2f s CPU, %.0f MB, %.1f us and %.0f bytes an order"
                              % (done[-1][1], done[-1][2], done[-1][1] / n * 1e6, done[-1][2] / n * 1e6)))
        (small, time, memory), (large, more_time, more_memory) = done[0], done[-1]
        self.more.append((what + " growth", "%d to %d" % (small, large), "%.1f times the orders: %.1f times the time, %.1f times the memory"
                          % (large / small, more_time / time, more_memory / memory)))

    def consolidate(self, n, turn):
        dir = self.consolidation_dir(n)
        seconds, kib, ok = self.measure([self.program, "convert", "-m", os.path.join(NECS, "consolidate"), "-c", dir + "/case.conf",
                                         "--original", dir + "/invoices.jsonl", "-o", dir + "/out.jsonl", dir + "/orders.jsonl"])
        ok = ok and (turn or self.nothing_lost(dir, dir + "/out.jsonl"))
        if os.path.exists(dir + "/out.jsonl"):
            os.unlink(dir + "/out.jsonl")
        return seconds, kib, ok

    def consolidate_site(self, n, turn):
        """Staged, merged, registered, sheets and confirmations: the largest process of the run counts.  Without the mails, which
        are a file for each order."""
        dir, site = self.consolidation_dir(n), os.path.join(self.work, "entree")
        shutil.rmtree(site, ignore_errors=True)
        subprocess.run([self.program, "init", site, "--from", NECS], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(site + "/site.conf") as f:
            conf = [re.sub(r"(sequence \S+ +from) \d+", r"\1 900000", line) for line in f if "outbox/mail" not in line]
        with open(site + "/site.conf", "w") as f:
            f.writelines(conf)
        os.makedirs(site + "/inbox/orders", exist_ok=True)
        shutil.copy(dir + "/invoices.jsonl", site + "/tables")
        shutil.copy(dir + "/orders.csv", site + "/inbox/orders")
        os.utime(site + "/inbox/orders/orders.csv", (1e9, 1e9))
        seconds, kib, ok = self.measure([self.program, "run", "-q", "--no-fsync", site])
        ok = ok and (turn or self.nothing_lost(dir, site + "/tables/invoices.jsonl"))
        shutil.rmtree(site, ignore_errors=True)
        return seconds, kib, ok

    @staticmethod
    def nothing_lost(dir, out):
        """The quantities of invoices and orders are those of the invoices that came out."""
        def total(name):
            with open(name) as f:
                return sum(int(part.split(",", 1)[0].split("}", 1)[0]) for text in f for part in text.split('"Quantity":')[1:])
        return total(dir + "/invoices.jsonl") + total(dir + "/orders.jsonl") == total(out)

    def site(self, inputs, most=10**9):
        site = os.path.join(self.work, "site")
        shutil.rmtree(site, ignore_errors=True)
        os.makedirs(site + "/inbox/orders")
        os.makedirs(site + "/outbox/orders")
        shutil.copytree(os.path.join(HERE, "mappings"), site + "/mappings")
        shutil.copy(os.path.join(HERE, "site.conf"), site)
        for name in sorted(os.listdir(inputs))[:most] if os.path.isdir(inputs) else ():
            if name.endswith(".csv"):
                shutil.copy(os.path.join(inputs, name), site + "/inbox/orders")
        return site

    def folder_fault(self, inputs, site, done):
        """What is wrong with the outbox, or None."""
        if done.returncode:
            return "exit code %d: %s" % (done.returncode, done.stderr.decode("utf-8", "replace")[-500:])
        for name in sorted(os.listdir(inputs)):
            out = os.path.join(site, "outbox/orders", name.replace(".xml", ".csv.xml"))
            if name.endswith(".xml") and not (os.path.exists(out) and filecmp.cmp(os.path.join(inputs, name), out, shallow=False)):
                return "%s is missing or differs" % name
        return None

    def write(self):
        for name, head, rows in (("results.tsv", "item size who mb_per_cpu_s ratio_limit ratio_best_peer peak_mb", self.rows),
                                 ("more.tsv", "what of result", self.more)):
            with open(os.path.join(self.work, name), "w") as f:
                f.write("\t".join(head.split()) + "\n")
                f.writelines("\t".join(r) + "\n" for r in rows)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"      # nothing is written outside of build/
    bench = Bench(*sys.argv[1:])
    quick = os.environ.get("BENCH_QUICK")
    sizes = [int(s) for s in os.environ.get("BENCH_SIZES", "2" if quick else "10 100").split()]
    if os.environ.get("BENCH_BIG"):
        sizes.append(1000)
    if not os.access(sys.argv[1], os.X_OK):
        sys.exit("no program " + sys.argv[1])
    bench.build()
    for item in ITEMS:
        for mb in sizes if bench.only != ["W6"] else ():
            bench.run(item, mb)
    bench.flatness()
    if not bench.only or "folder" in bench.only:
        bench.folder(*((4, 1000) if quick else (40, 10000)))
    if not bench.only or "W6" in bench.only:
        watch.run(bench, int(os.environ.get("BENCH_FILES", 500 if quick else 10000)))
    if not bench.only or "consolidation" in bench.only:
        bench.consolidation([1000, 3000] if quick else [10000, 30000, 100000])
    bench.write()
    for row in bench.more:
        print("%s (%s): %s" % row)
    for fault in bench.wrong:
        print("error: " + fault, file=sys.stderr)
    sys.exit(1 if bench.wrong else 0)


if __name__ == "__main__":
    main()
