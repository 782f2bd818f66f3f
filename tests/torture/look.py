"""look.py - a site as it lies there at one moment: each folder is listed once, each file read once, when somebody asks

    look = Look('/dev/shm/site')
    look.names('inbox')             what lies in a folder, sorted; nothing when it is not there
    look.read('site.conf')          what a file holds
    look.below('archive')           every file below a folder, links too

Paths are relative to the site.  What has changed since then needs a new Look.
"""
import hashlib, os


def sha(data):
    return hashlib.sha256(data).hexdigest()


def read(path):
    """What a file holds; for many small files quicker than open()."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = [os.read(fd, 1 << 16)]
        while len(parts[-1]) == 1 << 16:
            parts.append(os.read(fd, 1 << 20))
        while len(parts) > 1 and parts[-1]:
            parts.append(os.read(fd, 1 << 20))
        return b''.join(parts)
    finally:
        os.close(fd)


class Look:
    def __init__(self, site):
        self.site, self.folders, self.held, self.sums = site, {}, {}, {}
        self.batches = None             # what check.py found here

    def path(self, name):
        return f'{self.site}/{name}' if name else self.site

    def kinds(self, folder):
        """Name -> 'dir', 'link' or 'file'; None when there is no such folder."""
        if folder not in self.folders:
            try:
                with os.scandir(self.path(folder)) as it:
                    self.folders[folder] = {e.name: 'link' if e.is_symlink() else 'dir' if e.is_dir() else 'file' for e in it}
            except (FileNotFoundError, NotADirectoryError):
                self.folders[folder] = None
        return self.folders[folder]

    def names(self, folder):
        return sorted(self.kinds(folder) or ())

    def kind(self, path):
        folder, _, name = path.rpartition('/')
        return (self.kinds(folder) or {}).get(name)

    def exists(self, path):
        return self.kind(path) is not None

    def is_file(self, path):
        kind = self.kind(path)
        return kind == 'file' or (kind == 'link' and os.path.isfile(self.path(path)))

    def read(self, path):
        if path not in self.held:
            self.held[path] = read(self.path(path))
        return self.held[path]

    def sha(self, path):
        if path not in self.sums:
            self.sums[path] = sha(self.read(path))
        return self.sums[path]

    def below(self, folder=''):
        """(folder, name) of each; what is in a folder comes before what is below it."""
        within = folder + '/' if folder else ''
        kinds = self.kinds(folder) or {}
        for name, kind in kinds.items():
            if kind != 'dir':
                yield folder, name
        for name, kind in kinds.items():
            if kind == 'dir':
                yield from self.below(within + name)

    def tree(self):
        """Every path with its bytes; links with their target."""
        out = {}
        for folder, name in self.below():
            path = f'{folder}/{name}' if folder else name
            out[path] = os.readlink(self.path(path)).encode() if self.kinds(folder)[name] == 'link' else self.read(path)
        return out

    def remove(self):
        """Removes all of the site that was seen; what came since then stays, and with it the folders around."""
        self.gone('')

    def gone(self, folder):
        within = folder + '/' if folder else ''
        for name, kind in (self.kinds(folder) or {}).items():
            if kind == 'dir':
                self.gone(within + name)
            else:
                os.unlink(self.path(within + name))
        try:
            os.rmdir(self.path(folder))
        except OSError:
            pass
