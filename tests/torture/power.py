"""power.py - a real power cut of one file system: un-fsynced data is gone

An ext4 in a file on /dev/shm is mounted by a loop device; the site lies on it.  The run is killed at a point, the file
system is shut down without its log being flushed (FS_IOC_SHUTDOWN, as xfstests do), unmounted, mounted again (its journal
is replayed), looked at, run to rest and looked at again.  Needs root, loop devices and mkfs.ext4: `why_not` says what is
missing, and torture.py prints it.
"""
import ctypes, fcntl, os, shutil, struct, subprocess

import check
from look import Look
from share import share

SHUTDOWN, NOLOGFLUSH = 0x8004587D, 2
NEW_MOUNTS, PRIVATE = 0x20000, 1 << 18 | 1 << 14    # CLONE_NEWNS; MS_PRIVATE, MS_REC
LIBC = ctypes.CDLL(None, use_errno=True)


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Disk:
    """A file system of its own; what it is called to do is done by calls of the system, not by programs: they cost more."""

    def __init__(self, base):
        self.image, self.at, self.device = f'{base}/disk.{os.getpid()}.img', f'{base}/disk.{os.getpid()}', None
        os.makedirs(self.at, exist_ok=True)
        with open(self.image, 'wb') as f:
            f.truncate(96 << 20)

    def mount(self):
        # a commit every 600 s: nothing becomes durable by waiting
        if LIBC.mount(self.device.encode(), self.at.encode(), b'ext4', 0, b'commit=600') == 0:
            return ''
        return f'mount: {os.strerror(ctypes.get_errno())}'

    def make(self):
        r = run('mkfs.ext4', '-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0', self.image)
        if r.returncode == 0:
            r = run('losetup', '-f', '--show', self.image)
            self.device = r.stdout.decode().strip()
        return r.stderr.decode().strip() if r.returncode else self.mount()

    def sync(self):
        fd = os.open(self.at, os.O_RDONLY)
        LIBC.syncfs(fd)
        os.close(fd)

    def cut(self):
        fd = os.open(self.at, os.O_RDONLY)
        fcntl.ioctl(fd, SHUTDOWN, struct.pack('I', NOLOGFLUSH))
        os.close(fd)
        LIBC.umount2(self.at.encode(), 0)
        return self.mount()

    def close(self):
        LIBC.umount2(self.at.encode(), 0)
        if self.device:
            run('losetup', '-d', self.device)
        os.unlink(self.image)


def alone():
    """Others who begin a mount namespace of their own meanwhile get no copy of a disk here, which would hold it beyond its cut."""
    if LIBC.unshare(NEW_MOUNTS) == 0 and LIBC.mount(None, b'/', None, PRIVATE, None) == 0:
        return ''
    return f'a power cut needs mounts of its own: {os.strerror(ctypes.get_errno())}'


def why_not(base):
    """What this machine lacks; otherwise this process is ready for it."""
    if os.geteuid() != 0:
        return 'a power cut needs root'
    for tool in ('mkfs.ext4', 'losetup'):
        if not shutil.which(tool):
            return f'a power cut needs {tool}'
    lacks = alone()
    if lacks:
        return lacks
    disk = Disk(base)
    try:
        return disk.make()
    finally:
        disk.close()


def trial(bench, disk, strike):
    """Findings, and how many outputs that were visible came back (P4 allows that, with the same name and bytes)."""
    site = f'{disk.at}/site'
    if os.path.exists(site):
        shutil.rmtree(site)
    bench.copies.put(site)
    disk.sync()
    bench.waybill(site, strike, f'{disk.at}.log', ask=True)
    before = list(check.outputs(Look(site)))
    fault = disk.cut()
    if fault:
        raise SystemExit(f'torture: the disk cannot be mounted again: {fault}')
    look = Look(site)
    again = len(before) - len([o for o in check.outputs(look) if o in before])
    bad = ['after the cut: ' + x for x in check.any_moment(look, bench.truth)]
    said, look = bench.settle(site)
    bad += check.at_rest(look, bench.truth, cut=True)
    if bad:
        bad.append(f'({said.strip()[:300]})')
    return bad, again


def cuts(bench, strikes, jobs):
    """Each cut: what was struck, the findings, and how many outputs come a second time. Each process has a disk of its own."""
    def work(turn):
        disk = Disk(bench.base)
        try:
            fault = disk.make()
            if fault:
                raise SystemExit(f'torture: {fault}')
            while (n := turn()) < len(strikes):
                yield strikes[n].text(), *trial(bench, disk, strikes[n])
        finally:
            disk.close()
    return share(jobs, work)
