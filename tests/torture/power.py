"""power.py - a real power cut of one file system: un-fsynced data is gone

An ext4 in a file on /dev/shm is mounted by a loop device; the site lies on it.  The run is killed at a point, the file
system is shut down without its log being flushed (FS_IOC_SHUTDOWN, as xfstests do), unmounted, mounted again (its journal
is replayed), looked at, run to rest and looked at again.  Needs root, loop devices and mkfs.ext4: `why_not` says what is
missing, and torture.py prints it.
"""
import fcntl, os, shutil, struct, subprocess, time

import check

SHUTDOWN, NOLOGFLUSH = 0x8004587D, 2


def run(*command):
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Disk:
    def __init__(self, base):
        self.image, self.at = f'{base}/disk.img', f'{base}/disk'
        os.makedirs(self.at, exist_ok=True)
        with open(self.image, 'wb') as f:
            f.truncate(96 << 20)

    def mount(self):
        # a commit every 600 s: nothing becomes durable by waiting
        r = run('mount', '-o', 'loop,commit=600', self.image, self.at)
        return r.stderr.decode().strip() if r.returncode else ''

    def make(self):
        r = run('mkfs.ext4', '-q', self.image)
        return r.stderr.decode().strip() if r.returncode else self.mount()

    def cut(self):
        fd = os.open(self.at, os.O_RDONLY)
        fcntl.ioctl(fd, SHUTDOWN, struct.pack('I', NOLOGFLUSH))
        os.close(fd)
        run('umount', self.at)
        return self.mount()

    def close(self):
        run('umount', self.at)


def why_not():
    if os.geteuid() != 0:
        return 'a power cut needs root'
    if not shutil.which('mkfs.ext4'):
        return 'a power cut needs mkfs.ext4'
    return ''


def trial(bench, disk, strike):
    """Findings, and whether something that was visible came back (P4 allows that, with the same name and bytes)."""
    site = f'{disk.at}/site'
    shutil.rmtree(site, True)
    shutil.copytree(bench.template, site, symlinks=True)
    os.sync()
    bench.waybill(site, strike, f'{bench.base}/power.log', ask=True)
    before = list(check.outputs(site))
    fault = disk.cut()
    if fault:
        raise SystemExit(f'torture: the disk cannot be mounted again: {fault}')
    again = len(before) - len([o for o in check.outputs(site) if o in before])
    bad = ['after the cut: ' + x for x in check.any_moment(site, bench.truth)]
    said = bench.settle(site)
    bad += check.at_rest(site, bench.truth, cut=True)
    if bad:
        bad.append(f'({said.strip()[:300]})')
    return bad, again


def main(benches, strikes, base, verbose=False, stop=False):
    """tried, failed; -1 tried when this machine cannot do it."""
    disk, tried, failed, again, shown = Disk(base), 0, 0, 0, 0
    fault = why_not() or disk.make()
    if fault:
        print(f'skip power: {fault}', flush=True)
        return 0, 0
    try:
        for name, bench in benches.items():
            start, wrong, points = time.time(), 0, strikes(bench)
            for strike in points:
                bad, back = trial(bench, disk, strike)
                again += back
                wrong += bool(bad)
                if bad and (verbose or shown < 6):
                    shown += 1
                    print(f'# {name} power: {strike.text()}: ' + '\n#     '.join(bad), flush=True)
                tried += 1
                if bad and stop:
                    return tried, failed + wrong
            failed += wrong
            print(f'{"ok" if not wrong else "not ok"} {name} power: {len(points)} cuts, {wrong} failed, {again} outputs came a second time, '
                  f'{time.time() - start:.0f} s', flush=True)
    finally:
        disk.close()
    return tried, failed
