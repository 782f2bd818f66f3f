"""check.py - what must be true of a site at every moment, and what at rest

It trusts nothing that waybill says: hashes, zips, waybills and ledgers are read here anew, by other libraries.  The truth
(what was dropped, what must come out) is kept outside of the site.  Every finding is one line of text; none is good.

    I1  each visible output is whole and one of those that are wanted         I2  the bytes of each input exist somewhere
    I3  a batch is in one place; its waybill and its input verify             I4  an input is accepted at most once
    I5  staged outputs are those of the waybill; accepted: nothing is visible
    I6  what the waybill of a batch that stays names is there, whole          I8  no number of a sequence is given twice
    Q1  inboxes, claims, tmp and work are empty                               Q2  each input is in archive or error, once
    Q3  the outputs are the wanted ones, each once                            Q4  each error says why
    Q5  running again changes nothing (asked by torture.py)                   Q6  the tree is that of the undisturbed run
    Q7  staged documents are those of the undisturbed run                     Q8  beside each zip lies its own waybill
"""
import binascii, collections, hashlib, json, os, re, zipfile

ID = re.compile(rb'\d{8}-\d{6}-\d+-\d+')
STAMP = re.compile(rb'\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?|\d\d/\d\d/\d{4} \d\d:\d\d:\d\d')
TORN = re.compile(r'^\.waybill/(requests|sequences)/\.[^/]*\.new$')     # its name is written again, or removed a day later
NUMBER = re.compile(rb'#\d+')       # of a sequence: a crash may leave a gap, but never gives one twice


def sha(data):
    return hashlib.sha256(data).hexdigest()


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def names(path):
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []


def plain(data):
    """Without what differs from run to run: batch ids, stamps and numbers."""
    return NUMBER.sub(b'#N', STAMP.sub(b'STAMP', ID.sub(b'ID', data)))


def plain_path(path):
    path = re.sub(r'archive/\d{4}/\d\d/\d\d/', 'archive/DATE/', path)
    path = re.sub(r'/\d{6}_(?=\d{8}-)', '/', path)
    return ID.sub(b'ID', os.fsencode(path)).decode('utf-8', 'backslashreplace')


def tree(site):
    """Every path below the site with its bytes; links with their target."""
    out = {}
    for folder, dirs, files in os.walk(site):
        for n in files + [d for d in dirs if os.path.islink(os.path.join(folder, d))]:
            p = os.path.join(folder, n)
            out[os.path.relpath(p, site)] = os.readlink(p).encode() if os.path.islink(p) else read(p)
    return out


def waybill(data, where, bad):
    """The document, its checksum and the chain of its history checked; None when it cannot be believed."""
    at = data.rfind(b'"check":"')
    if at < 0 or data[at + 9:at + 73].decode('ascii', 'replace') != sha(data[:at]):
        bad.append(f'I3 waybill does not verify: {where}')
        return None
    w = json.loads(data)
    chain = b''
    for e in w.get('history', []):
        h = hashlib.sha256()
        for part in (chain, e['time'].encode(), e['what'].encode(), e.get('detail', '').encode()):
            h.update(history_part(part))
        chain = e['sha256'].encode()
        if h.hexdigest() != e['sha256']:
            bad.append(f'I3 history breaks: {where}')
            break
    return w


def history_part(part):
    return b'%d:' % len(part) + part


def ledger(data, where, bad):
    chain, n = b'0' * 64, 0
    for line in data.split(b'\n'):
        if not line:
            continue
        n += 1
        chain = sha(chain + line[74:]).encode()
        if line[:8] != b'%08x' % binascii.crc32(line[74:]) or line[9:73] != chain:
            bad.append(f'ledger breaks: {where} line {n}')
            break
    return n


def zipped(path, bad):
    """Members of a zip that agrees with its manifest."""
    try:
        with zipfile.ZipFile(path) as z:
            m = {n: z.read(n) for n in z.namelist()}
        listed = json.loads(m.pop('manifest.json'))['members']
        if sorted(m) != sorted(e['name'] for e in listed):
            bad.append(f'zip and manifest differ: {path}')
        for e in listed:
            if sha(m[e['name']]) != e['sha256'] or len(m[e['name']]) != e['size']:
                bad.append(f'member {e["name"]} is damaged: {path}')
        return m
    except Exception as x:
        bad.append(f'zip cannot be read: {path}: {x}')
        return {}


def log(data):
    """What the log of a wave says of each of its batches: id, waybill, input, whether it has a folder."""
    told, whole = [], False
    while data:
        head, _, rest = data.partition(b'\n')
        words = head.split(b' ')
        if len(words) != 6:
            break
        one, two = int(words[3]), int(words[4])
        body = rest[:one + two]
        if sha(head[:-64] + body) != words[5].decode('ascii', 'replace'):
            break
        data, slot = rest[one + two + 1:], int(words[1])
        if words[0] == b'A':
            told.append([words[2].decode(), body[:one], body[one:], False])
        elif words[0] == b'E':
            whole = slot == len(told)
        elif words[0] == b'W':
            told[slot][1] = body[:one]
        elif words[0] == b'L':
            told[slot][3] = True
    return told, whole


class Batches:
    """All batches of a site, by id: where each is, its waybill, its input."""

    def __init__(self, site, bad):
        self.at = collections.defaultdict(dict)
        self.bare, self.companions = [], set()
        self.afloat = {}                # in a wave's log and without a folder: the wave and the number there
        for folder in ('.waybill/work', 'error'):
            for name in names(f'{site}/{folder}'):
                if not (folder == '.waybill/work' and name.startswith('w')):
                    self.folder(site, folder, name, bad)
        for name in names(f'{site}/.waybill/work'):
            if name.startswith('w'):
                self.wave(site, name, bad)
        for d, _, files in os.walk(f'{site}/archive'):
            for f in files:
                if f.endswith('.zip') and not f.startswith('.'):
                    self.zip(f'{d}/{f}', f[7:-4], bad)
        # The folder in work/ is emptied once the zip is good.
        bad += [f'I3 no waybill: {where}/{batch}' for where, batch, full in self.bare
                if full and (where == 'error' or 'archive' not in self.at.get(batch, ()))]
        bad += [f'I3 input does not verify: {where}/{batch}' for batch, places in self.at.items()
                for where, (_, data) in places.items() if data is None and 'archive' not in places]

    def folder(self, site, folder, name, bad):
        path = f'{site}/{folder}/{name}'
        batch = re.sub(r'(-\d+-\d+)-\d+$', r'\1', name) if name.count('-') == 4 else name
        file = f'{path}/{batch}.waybill.json'
        if not os.path.exists(file):
            self.bare.append((folder, batch, folder == 'error' or os.path.exists(f'{path}/in')))
            return                  # what an archived batch leaves while it is removed
        w = waybill(read(file), f'{folder}/{name}', bad)
        if w is None:
            return
        if folder == 'error' and w['place'] != 'error':
            return                  # refused messages of a batch that went on
        own = os.fsencode(path) + b'/'
        candidates = [own + n for n in os.listdir(os.fsencode(path)) if not n.endswith(b'.json') and not n.endswith(b'.jsonl')]
        self.companions |= {sha(read(c)) for c in candidates if os.path.isfile(c)}
        data = next((read(c) for c in candidates if os.path.isfile(c) and sha(read(c)) == w['sha256']), None)
        self.at[batch][folder] = (w, data)

    def wave(self, site, name, bad):
        """Batches that were accepted together and have no folder of their own."""
        path = f'{site}/.waybill/work/{name}'
        if not os.path.exists(f'{path}/log'):
            return                  # all of them have ended
        told, whole = log(read(f'{path}/log'))
        if not whole:
            bad.append(f'I3 the log of the wave is not whole: {name}')
        for slot, (batch, text, data, landed) in enumerate(told):
            if landed or os.path.exists(f'{site}/.waybill/work/{batch}') or os.path.exists(f'{site}/error/{batch}'):
                continue
            w = waybill(text, f'{name}/{batch}', bad)
            if w:
                self.at[batch]['.waybill/work'] = (w, data if sha(data) == w['sha256'] else None)
                self.afloat[batch] = (name, slot)

    def zip(self, path, batch, bad):
        m = zipped(path, bad)
        w = waybill(m.get(f'{batch}.waybill.json', b''), path, bad)
        self.companions |= {sha(data) for name, data in m.items() if name.startswith('with.')}
        if w and (sha(m.get('in', b'')) != w['sha256'] or w['place'] != 'archived'):
            bad.append(f'I3 zip holds another input or place: {path}')
        if w:
            self.at[batch]['archive'] = (w, m.get('in', b''))


class Truth:
    """inputs: (inbox, name bytes, data, end[, name of the archive that it is in]); from `learn` what the undisturbed run gave.

    end: 'archive', 'error', 'work', or 'companion': it goes with another input and has no batch.
    loose: what comes out depends on the order of the flows, which a fault may change: only where each input ends is known."""

    def __init__(self, inputs):
        self.inputs = inputs
        self.outputs, self.tree, self.asks, self.loose = None, None, False, False
        # Of two files with the same bytes either may be the duplicate.
        first = {}
        for _, name, data, *_ in inputs:
            first.setdefault(data, name.decode('utf-8', 'backslashreplace'))
        self.twins = {name.decode('utf-8', 'backslashreplace'): first[data] for _, name, data, *_ in inputs}

    def same(self, text):
        """The text with each name of a twin as that of the first."""
        for name, one in self.twins.items():
            if name != one:
                text = text.replace(re.sub(r'[^A-Za-z0-9._-]', '_', name), re.sub(r'[^A-Za-z0-9._-]', '_', one))
        return text

    def learn(self, site):
        self.outputs = collections.Counter(outputs(site))
        self.rejects = collections.Counter((self.same(n), h) for n, h in rejects(site))
        self.tables = {n: read(f'{site}/tables/{n}') for n in names(f'{site}/tables')}
        self.ledgers = {n: ledger(read(f'{site}/.waybill/ledger/{n}'), n, []) for n in names(f'{site}/.waybill/ledger')}
        self.stages = stages(site)
        self.tree = shape(site, self)


def files(folder):
    return [os.path.join(d, f) for d, _, fs in os.walk(folder) for f in fs if not f.startswith('.')]


def outputs(site):
    """(folder, name, bytes) of every visible output, made comparable."""
    for folder, _, files in os.walk(f'{site}/outbox'):
        for f in files:
            if not f.startswith('.'):
                p = os.path.join(folder, f)
                yield os.path.relpath(folder, site), plain_path(f), sha(plain(read(p)))


def rejects(site):
    """What lies in error/: file names and bytes, without our papers."""
    for folder, _, files in os.walk(f'{site}/error'):
        for f in files:
            if not f.endswith('.waybill.json') and not f.endswith('.jsonl'):
                yield plain_path(f), sha(read(os.path.join(folder, f)))


def shape(site, truth):
    return collections.Counter(truth.same(plain_path(p)) for p in tree(site)
                               if not p.startswith('outbox/') and not p.startswith('.waybill/answers/') and not TORN.search(p))


def stages(site):
    """What the open batches hold, by the name of their file."""
    out = {}
    for name in names(f'{site}/.waybill/work'):
        path = f'{site}/.waybill/work/{name}'
        if os.path.exists(f'{path}/{name}.waybill.json'):
            w = json.loads(read(f'{path}/{name}.waybill.json'))
            if w.get('stage') and os.path.exists(f'{path}/{w["stage"]}'):
                out[w['name']] = plain(read(f'{path}/{w["stage"]}'))
    return out


def left(site, stay=None):
    """What is still to do: batches but those that rest (and are to stay), claims, requests."""
    def rests(name):
        path = f'{site}/.waybill/work/{name}/{name}.waybill.json'
        w = json.loads(read(path)) if os.path.exists(path) else {}
        return w.get('waits') == 'open' and (stay is None or w.get('name') in stay)
    batches = [n for n in names(f'{site}/.waybill/work') if not rests(n)]
    return batches + names(f'{site}/.waybill/claim') + [n for n in names(f'{site}/.waybill/requests') if n[0] != '.']


def told(site, truth):
    """Whether what was asked for is done."""
    return stages(site) == truth.stages and not any(names(f'{site}/{i[0]}') for i in truth.inputs)


def without_copies(paths):
    return collections.Counter({p: n for p, n in paths.items() if not re.match(r'archive/DATE/.*json', p)})


def any_moment(site, truth, taken=()):
    bad = []
    have = collections.Counter(outputs(site)) + collections.Counter(taken)
    for o, n in have.items():
        if truth.outputs[o] < n and not truth.loose:
            bad.append(f'I1 {"visible twice" if truth.outputs[o] else "not a wanted output"}: {o[0]}/{o[1]}')
    numbers = collections.Counter(n for f in files(f'{site}/outbox') for n in NUMBER.findall(read(f)))
    bad += [f'I8 number {n.decode()} was given {k} times' for n, k in numbers.items() if k > 1]
    b = Batches(site, bad)
    for batch, places in b.at.items():
        where = set(places)
        if len(where) > 1 and where != {'.waybill/work', 'archive'}:
            bad.append(f'I3 {batch} is in {sorted(where)}')
        if '.waybill/work' in places:
            staged(site, batch, places['.waybill/work'][0], b.afloat.get(batch), bad)
            if 'archive' not in places and batch not in b.afloat:
                listed(site, batch, places['.waybill/work'][0], bad)
    for inbox, name, data, end, *archive in truth.inputs:
        if end == 'companion':
            find_companion(site, b, inbox, name, data, bad)
        elif not archive or not held(site, b, truth, archive[0]):
            find_input(site, b, inbox, name, data, bad)
    return bad


def held(site, b, truth, archive):
    """Whether the archive's members need not exist by themselves: it was not opened to its end."""
    inbox, _, data, *_ = next(i for i in truth.inputs if i[1] == archive)
    return not any(w.get('name') == archive.decode() and 'archive' in places for places in b.at.values() for w, _ in places.values())


def find_companion(site, b, inbox, name, data, bad):
    paths = [os.fsencode(f'{site}/{inbox}/') + name]
    paths += [os.fsencode(f'{site}/.waybill/claim/{c}/.with/') + name for c in names(f'{site}/.waybill/claim')]
    if not any(os.path.isfile(p) and read(p) == data for p in paths) and sha(data) not in b.companions:
        bad.append(f'I2 LOST companion: {os.fsdecode(name)}')


def find_input(site, b, inbox, name, data, bad):
    bname = name.decode('utf-8', 'backslashreplace')
    paths = [os.fsencode(f'{site}/{inbox}/') + name]
    paths += [os.fsencode(f'{site}/.waybill/claim/{c}/') + name for c in names(f'{site}/.waybill/claim')]
    found = sum(1 for p in paths if os.path.isfile(p) and read(p) == data)
    accepted = 0
    for places in b.at.values():
        w, _ = next(iter(places.values()))
        if w.get('inbox') == inbox and w.get('name') == bname and w['sha256'] == sha(data):
            accepted += 1
            found += any(d == data for _, d in places.values())
    if not found:
        bad.append(f'I2 LOST: {bname}')
    if accepted > 1:
        bad.append(f'I4 accepted {accepted} times: {bname}')


def listed(site, batch, w, bad):
    """Every file that the waybill of an open batch names is there, whole; members of an archive are batches of their own by then."""
    for f in w.get('files', []):
        p = f'{site}/.waybill/work/{batch}/{f["file"]}'
        if f['kind'] == 'member' or '/' in f['file'] or (f.get('name') and f['kind'] in ('stage', 'log')) or w['place'] != 'delivered':
            continue
        if not os.path.exists(p) or (f.get('sha256') and sha(read(p)) != f['sha256']):
            bad.append(f'I6 {f["file"]} does not verify: {batch}')


def staged(site, batch, w, afloat, bad):
    listed = {o['n']: o for o in w.get('outputs', [])}
    for n, o in listed.items():
        p = f'{site}/.waybill/work/{batch}/out.{n}'
        if afloat:
            p = f'{site}/.waybill/work/{afloat[0]}/out.{afloat[1] << 16 | n}'
        if w['place'] == 'written' and os.path.exists(p) and sha(read(p)) != o['sha256']:
            bad.append(f'I5 staged output {n} does not verify: {batch}')
        under_way = w.get('stage') and not o.get('published') and w.get('operation') and not w.get('waits')
        if w['place'] == 'delivered' and os.path.exists(p) and not under_way:
            bad.append(f'I5 delivered, but output {n} is still staged: {batch}')


def beside(site, bad):
    for d, _, fs in os.walk(f'{site}/archive'):
        for f in fs:
            if f.endswith('.zip') and not f.startswith('.'):
                name = f'{f[7:-4]}.waybill.json'
                copy = read(f'{d}/{name}') if os.path.exists(f'{d}/{name}') else None
                if copy != zipped(f'{d}/{f}', bad).get(name):
                    bad.append(f'Q8 beside the zip lies another waybill: {f}')


def at_rest(site, truth, taken=(), cut=False):
    """`cut`: the power was cut, so the copies beside a zip may be missing or torn: they are not synced, the zip holds them."""
    bad = any_moment(site, truth, taken)
    for d in {i[0] for i in truth.inputs} | {'.waybill/claim', '.waybill/tmp'}:
        lie = [plain_path(n) for n in names(f'{site}/{d}') if d[0] == '.' or not os.path.isdir(f'{site}/{d}/{n}')]
        if lie:
            bad.append(f'Q1 {d} is not empty: {lie}')
    still = left(site, {i[1].decode('utf-8', 'backslashreplace') for i in truth.inputs if i[3] == 'work'})
    if still:
        bad.append(f'Q1 there is still something to do: {[plain_path(n) for n in still]}')
    if stages(site) != truth.stages:
        bad.append(f'Q7 staged documents differ: {stages(site)} instead of {truth.stages}')
    if not cut:
        beside(site, bad)
    b = Batches(site, [])
    ends = collections.Counter()
    for places in b.at.values():
        for where, (w, _) in places.items():
            if 'inbox' in w:            # not what an operation made of a table
                ends[(truth.twins.get(w['name']), where)] += 1
            if where == 'error' and not (w.get('error_code') and w.get('error_text')):
                bad.append(f'Q4 {w["name"]}: no code or text')
    want = collections.Counter((truth.twins[i[1].decode('utf-8', 'backslashreplace')], {'work': '.waybill/work'}.get(i[3], i[3]))
                               for i in truth.inputs if i[3] != 'companion')
    if ends != want:
        bad.append(f'Q2 ends {sorted((ends - want).items())} instead of {sorted((want - ends).items())}')
    if not truth.loose:
        bad += what_came_out(site, truth, taken, cut)
    return bad


def what_came_out(site, truth, taken, cut):
    bad = []
    have = collections.Counter(outputs(site)) + collections.Counter(taken)
    if have != truth.outputs:
        bad.append(f'Q3 outputs missing {sorted(x[1] for x in (truth.outputs - have))}')
    if collections.Counter((truth.same(n), h) for n, h in rejects(site)) != truth.rejects:
        bad.append('Q3 refused messages differ')
    for n, data in truth.tables.items():
        if not os.path.exists(f'{site}/tables/{n}') or plain(read(f'{site}/tables/{n}')) != plain(data):
            bad.append(f'Q3 table differs: {n}')
    for n, lines in truth.ledgers.items():
        p = f'{site}/.waybill/ledger/{n}'
        have = ledger(read(p), n, bad) if os.path.exists(p) else -1
        if have < lines or (have > lines and not truth.asks):   # a command that is given again notes its run again
            bad.append(f'Q3 ledger has another number of records: {n}')
    have, want = shape(site, truth), truth.tree
    if cut:
        have, want = without_copies(have), without_copies(want)
    if have != want:
        bad.append(f'Q6 tree: too much {sorted((have - want))[:4]}, missing {sorted((want - have))[:4]}')
    return bad
