"""check.py - what must be true of a site at every moment, and what at rest

It trusts nothing that waybill says: hashes, zips, waybills and ledgers are read here anew, by other libraries.  The truth
(what was dropped, what must come out) is kept outside of the site.  Every finding is one line of text; none is good.
A site is looked at through look.py; what is found of a waybill, zip or ledger is remembered by its bytes.

    I1  each visible output is whole and one of those that are wanted         I2  the bytes of each input exist somewhere
    I3  a batch is in one place; its waybill and its input verify             I4  an input is accepted at most once
    I5  staged outputs are those of the waybill; accepted: nothing is visible
    I6  what the waybill of a batch that stays names is there, whole          I8  no number of a sequence is given twice
    Q1  inboxes, claims, tmp and work are empty                               Q2  each input is in archive or error, once
    Q3  the outputs are the wanted ones, each once                            Q4  each error says why
    Q5  running again changes nothing (asked by torture.py)                   Q6  the tree is that of the undisturbed run
    Q7  staged documents are those of the undisturbed run                     Q8  beside each zip lies its own waybill
"""
import binascii, collections, functools, hashlib, io, json, os, re, zipfile

from look import sha

ID = re.compile(rb'\d{8}-\d{6}-\d+-\d+')
STAMP = re.compile(rb'\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?|\d\d/\d\d/\d{4} \d\d:\d\d:\d\d')
TORN = re.compile(r'^\.waybill/(requests|sequences)/\.[^/]*\.new$')     # its name is written again, or removed a day later
NUMBER = re.compile(rb'#\d+')       # of a sequence: a crash may leave a gap, but never gives one twice


@functools.lru_cache(256)
def plain(data):
    """Without what differs from run to run: batch ids, stamps and numbers."""
    return NUMBER.sub(b'#N', STAMP.sub(b'STAMP', ID.sub(b'ID', data)))


@functools.lru_cache(256)
def plain_sha(data):
    return sha(plain(data))


@functools.lru_cache(4096)
def plain_path(path):
    path = re.sub(r'archive/\d{4}/\d\d/\d\d/', 'archive/DATE/', path)
    path = re.sub(r'/\d{6}_(?=\d{8}-)', '/', path)
    path = re.sub(r'/run\.\d+$', '/run.N', path)          # a run that was tried again has the next number
    return ID.sub(b'ID', os.fsencode(path)).decode('utf-8', 'backslashreplace')


def waybill(data, where, bad):
    """The document, its checksum and the chain of its history checked; None when it cannot be believed."""
    w, whole = document(data)
    if w is None:
        bad.append(f'I3 waybill does not verify: {where}')
    elif not whole:
        bad.append(f'I3 history breaks: {where}')
    return w


@functools.lru_cache(512)
def document(data):
    """The waybill, or None when its checksum is wrong, and whether its history holds."""
    at = data.rfind(b'"check":"')
    if at < 0 or data[at + 9:at + 73].decode('ascii', 'replace') != sha(data[:at]):
        return None, False
    w = json.loads(data)
    chain = b''
    for e in w.get('history', []):
        h = hashlib.sha256()
        for part in (chain, e['time'].encode(), e['what'].encode(), e.get('detail', '').encode()):
            h.update(history_part(part))
        chain = e['sha256'].encode()
        if h.hexdigest() != e['sha256']:
            return w, False
    return w, True


def history_part(part):
    return b'%d:' % len(part) + part


def ledger(data, where, bad):
    n, breaks = records(data)
    bad += [f'ledger breaks: {where} line {line}' for line in breaks]
    return n


@functools.lru_cache(512)
def records(data):
    """How many there are, and those that break the chain."""
    chain, n, breaks = b'0' * 64, 0, []
    for line in data.split(b'\n'):
        if not line:
            continue
        n += 1
        chain = sha(chain + line[74:]).encode()
        if line[:8] != b'%08x' % binascii.crc32(line[74:]) or line[9:73] != chain:
            breaks.append(n)
            break
    return n, breaks


def zipped(data, path, bad):
    """Members of a zip that agrees with its manifest."""
    members, faults = unzip(data)
    bad += [f'{fault}: {path}' for fault in faults]
    return members


@functools.lru_cache(64)
def unzip(data):
    faults = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as z:
            m = {n: z.read(n) for n in z.namelist()}
        listed = json.loads(m.pop('manifest.json'))['members']
        if sorted(m) != sorted(e['name'] for e in listed):
            faults.append('zip and manifest differ')
        for e in listed:
            if sha(m[e['name']]) != e['sha256'] or len(m[e['name']]) != e['size']:
                faults.append(f'member {e["name"]} is damaged')
        return m, faults
    except Exception as x:
        return {}, faults + [f'zip cannot be read: {x}']


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

    def __init__(self, look):
        self.at = collections.defaultdict(dict)
        self.bare, self.companions = [], set()
        self.afloat = {}                # in a wave's log and without a folder: the wave and the number there
        self.bad = bad = []
        for folder in ('.waybill/work', 'error'):
            for name in look.names(folder):
                if not (folder == '.waybill/work' and name.startswith('w')):
                    self.folder(look, folder, name, bad)
        for name in look.names('.waybill/work'):
            if name.startswith('w'):
                self.wave(look, name, bad)
        for d, f in look.below('archive'):
            if f.endswith('.zip') and not f.startswith('.'):
                self.zip(look, f'{d}/{f}', f[7:-4], bad)
        # The folder in work/ is emptied once the zip is good.
        bad += [f'I3 no waybill: {where}/{batch}' for where, batch, full in self.bare
                if full and (where == 'error' or 'archive' not in self.at.get(batch, ()))]
        bad += [f'I3 input does not verify: {where}/{batch}' for batch, places in self.at.items()
                for where, (_, data) in places.items() if data is None and 'archive' not in places]

    def folder(self, look, folder, name, bad):
        path = f'{folder}/{name}'
        batch = re.sub(r'(-\d+-\d+)-\d+$', r'\1', name) if name.count('-') == 4 else name
        file = f'{path}/{batch}.waybill.json'
        if not look.exists(file):
            self.bare.append((folder, batch, folder == 'error' or look.exists(f'{path}/in')))
            return                  # what an archived batch leaves while it is removed
        w = waybill(look.read(file), f'{folder}/{name}', bad)
        if w is None:
            return
        if folder == 'error' and w['place'] != 'error':
            return                  # refused messages of a batch that went on
        candidates = [f'{path}/{n}' for n in look.names(path) if not n.endswith('.json') and not n.endswith('.jsonl')]
        candidates = [c for c in candidates if look.is_file(c)]
        self.companions |= {look.sha(c) for c in candidates}
        data = next((look.read(c) for c in candidates if look.sha(c) == w['sha256']), None)
        self.at[batch][folder] = (w, data)

    def wave(self, look, name, bad):
        """Batches that were accepted together and have no folder of their own."""
        path = f'.waybill/work/{name}'
        if not look.exists(f'{path}/log'):
            return                  # all of them have ended
        told, whole = log(look.read(f'{path}/log'))
        if not whole:
            bad.append(f'I3 the log of the wave is not whole: {name}')
        for slot, (batch, text, data, landed) in enumerate(told):
            if landed or look.exists(f'.waybill/work/{batch}') or look.exists(f'error/{batch}'):
                continue
            w = waybill(text, f'{name}/{batch}', bad)
            if w:
                self.at[batch]['.waybill/work'] = (w, data if sha(data) == w['sha256'] else None)
                self.afloat[batch] = (name, slot)

    def zip(self, look, path, batch, bad):
        m = zipped(look.read(path), path, bad)
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
        self.outputs, self.tree, self.asks, self.done, self.loose = None, None, False, None, False
        # Of two files with the same bytes either may be the duplicate.
        first = {}
        for _, name, data, *_ in inputs:
            first.setdefault(data, name.decode('utf-8', 'backslashreplace'))
        self.twins = {name.decode('utf-8', 'backslashreplace'): first[data] for _, name, data, *_ in inputs}
        self.alike = [(re.sub(r'[^A-Za-z0-9._-]', '_', name), re.sub(r'[^A-Za-z0-9._-]', '_', one))
                      for name, one in self.twins.items() if name != one]

    def same(self, text):
        """The text with each name of a twin as that of the first."""
        for name, one in self.alike:
            text = text.replace(name, one)
        return text

    def learn(self, look):
        self.outputs = collections.Counter(outputs(look))
        self.rejects = collections.Counter((self.same(n), h) for n, h in rejects(look))
        self.tables = {n: look.read(f'tables/{n}') for n in look.names('tables')}
        self.ledgers = {n: ledger(look.read(f'.waybill/ledger/{n}'), n, []) for n in look.names('.waybill/ledger')}
        self.stages = stages(look)
        self.tree = shape(look, self)


def outputs(look):
    """(folder, name, bytes) of every visible output, made comparable; of one that lies there and has arrived, once."""
    arrived = [f for f in look.names('far/in') if not f.startswith('.')]
    for f in arrived:
        yield 'outbox/far', f, look.sha(f'far/in/{f}')
    for folder, f in look.below('outbox'):
        if not f.startswith('.') and not (folder == 'outbox/far' and f in arrived and look.sha(f'far/in/{f}') == look.sha(f'{folder}/{f}')):
            yield folder, plain_path(f), plain_sha(look.read(f'{folder}/{f}'))


def rejects(look):
    """What lies in error/: file names and bytes, without our papers."""
    for folder, f in look.below('error'):
        if not f.endswith('.waybill.json') and not f.endswith('.jsonl'):
            yield plain_path(f), look.sha(f'{folder}/{f}')


def shape(look, truth):
    paths = (f'{folder}/{name}' if folder else name for folder, name in look.below())
    return collections.Counter(truth.same(plain_path(p)) for p in paths
                               if not p.startswith('outbox/') and not p.startswith('.waybill/answers/') and not TORN.search(p))


def stages(look):
    """What the open batches hold, by the name of their file."""
    out = {}
    for name in look.names('.waybill/work'):
        path = f'.waybill/work/{name}'
        if look.exists(f'{path}/{name}.waybill.json'):
            w = json.loads(look.read(f'{path}/{name}.waybill.json'))
            if w.get('stage') and look.exists(f'{path}/{w["stage"]}'):
                out[w['name']] = plain(look.read(f'{path}/{w["stage"]}'))
    return out


def left(look, stay=None):
    """What is still to do: batches but those that rest (and are to stay), claims, requests."""
    def rests(name):
        path = f'.waybill/work/{name}/{name}.waybill.json'
        w = json.loads(look.read(path)) if look.exists(path) else {}
        return w.get('waits') in ('open', 'person', 'answer') and (stay is None or w.get('name') in stay)
    batches = [n for n in look.names('.waybill/work') if not rests(n)]
    return batches + look.names('.waybill/claim') + [n for n in look.names('.waybill/requests') if n[0] != '.']


def told(look, truth):
    """Whether what was asked for is done."""
    return stages(look) == truth.stages and not any(look.names(i[0]) for i in truth.inputs) and (not truth.done or truth.done(look))


def without_copies(paths):
    return collections.Counter({p: n for p, n in paths.items() if not re.match(r'archive/DATE/.*json', p)})


def batches(look):
    """Those of a look, found once."""
    look.batches = look.batches or Batches(look)
    return look.batches


def any_moment(look, truth, taken=()):
    bad = []
    have = collections.Counter(outputs(look)) + collections.Counter(taken)
    for o, n in have.items():
        if truth.outputs[o] < n and not truth.loose:
            bad.append(f'I1 {"visible twice" if truth.outputs[o] else "not a wanted output"}: {o[0]}/{o[1]}')
    numbers = collections.Counter(n for d, f in look.below('outbox') if f[0] != '.' for n in NUMBER.findall(look.read(f'{d}/{f}')))
    bad += [f'I8 number {n.decode()} was given {k} times' for n, k in numbers.items() if k > 1]
    b = batches(look)
    bad += b.bad
    for batch, places in b.at.items():
        where = set(places)
        if len(where) > 1 and where != {'.waybill/work', 'archive'}:
            bad.append(f'I3 {batch} is in {sorted(where)}')
        if '.waybill/work' in places:
            staged(look, batch, places['.waybill/work'][0], b.afloat.get(batch), bad)
            if 'archive' not in places and batch not in b.afloat:
                listed(look, batch, places['.waybill/work'][0], bad)
    for inbox, name, data, end, *archive in truth.inputs:
        if end == 'companion':
            find_companion(look, b, inbox, name, data, bad)
        elif not archive or not held(b, truth, archive[0]):
            find_input(look, b, inbox, name, data, bad)
    return bad


def held(b, truth, archive):
    """Whether the archive's members need not exist by themselves: it was not opened to its end."""
    inbox, _, data, *_ = next(i for i in truth.inputs if i[1] == archive)
    return not any(w.get('name') == archive.decode() and 'archive' in places for places in b.at.values() for w, _ in places.values())


def find_companion(look, b, inbox, name, data, bad):
    paths = [f'{inbox}/{os.fsdecode(name)}']
    paths += [f'.waybill/claim/{c}/.with/{os.fsdecode(name)}' for c in look.names('.waybill/claim')]
    if not any(look.is_file(p) and look.read(p) == data for p in paths) and sha(data) not in b.companions:
        bad.append(f'I2 LOST companion: {os.fsdecode(name)}')


def find_input(look, b, inbox, name, data, bad):
    bname = name.decode('utf-8', 'backslashreplace')
    paths = [f'{folder}{os.fsdecode(name)}' for folder in (f'{inbox}/', 'far/out/', '.waybill/exchange/far/ready-')]
    paths += [f'.waybill/claim/{c}/{os.fsdecode(name)}' for c in look.names('.waybill/claim')]
    found = sum(1 for p in paths if look.exists(p) and look.is_file(p) and look.read(p) == data)
    accepted, digest = 0, sha(data)
    for places in b.at.values():
        w, _ = next(iter(places.values()))
        if w.get('inbox') == inbox and w.get('name') == bname and w['sha256'] == digest:
            accepted += not retried(b, w)
            found += any(d == data for _, d in places.values())
    if not found:
        bad.append(f'I2 LOST: {bname}')
    if accepted > 1:
        bad.append(f'I4 accepted {accepted} times: {bname}')


def retried(b, w):
    """Whether a batch is that of an input which was set aside before."""
    return any(parent['sha256'] == w['sha256'] for parent, _ in b.at.get(w.get('parent'), {}).values())


def listed(look, batch, w, bad):
    """Every file that the waybill of an open batch names is there, whole; members of an archive are batches of their own by then."""
    for f in w.get('files', []):
        p = f'.waybill/work/{batch}/{f["file"]}'
        if f['kind'] == 'member' or '/' in f['file'] or (f.get('name') and f['kind'] in ('stage', 'log')) or w['place'] != 'delivered':
            continue
        if not look.exists(p) or (f.get('sha256') and look.sha(p) != f['sha256']):
            bad.append(f'I6 {f["file"]} does not verify: {batch}')


def staged(look, batch, w, afloat, bad):
    listed = {o['n']: o for o in w.get('outputs', [])}
    for n, o in listed.items():
        p = f'.waybill/work/{batch}/out.{n}'
        if afloat:
            p = f'.waybill/work/{afloat[0]}/out.{afloat[1] << 16 | n}'
        if w['place'] == 'written' and look.exists(p) and look.sha(p) != o['sha256']:
            bad.append(f'I5 staged output {n} does not verify: {batch}')
        under_way = w.get('stage') and not o.get('published') and w.get('operation') and not w.get('waits')
        if w['place'] == 'delivered' and look.exists(p) and not under_way:
            bad.append(f'I5 delivered, but output {n} is still staged: {batch}')


def beside(look, bad):
    for d, f in look.below('archive'):
        if f.endswith('.zip') and not f.startswith('.'):
            name = f'{f[7:-4]}.waybill.json'
            copy = look.read(f'{d}/{name}') if look.exists(f'{d}/{name}') else None
            if copy != zipped(look.read(f'{d}/{f}'), f'{d}/{f}', bad).get(name):
                bad.append(f'Q8 beside the zip lies another waybill: {f}')


def at_rest(look, truth, taken=(), cut=False):
    """`cut`: the power was cut, so the copies beside a zip may be missing or torn: they are not synced, the zip holds them."""
    bad = any_moment(look, truth, taken)
    for d in {i[0] for i in truth.inputs} | {'.waybill/claim', '.waybill/tmp'}:
        lie = [plain_path(n) for n in look.names(d) if d[0] == '.' or look.kind(f'{d}/{n}') != 'dir']
        if lie:
            bad.append(f'Q1 {d} is not empty: {lie}')
    still = left(look, {i[1].decode('utf-8', 'backslashreplace') for i in truth.inputs if i[3] == 'work'})
    if still:
        bad.append(f'Q1 there is still something to do: {[plain_path(n) for n in still]}')
    if stages(look) != truth.stages:
        bad.append(f'Q7 staged documents differ: {stages(look)} instead of {truth.stages}')
    if not cut:
        beside(look, bad)
    b = batches(look)
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
        bad += what_came_out(look, truth, taken, cut)
    return bad


def what_came_out(look, truth, taken, cut):
    bad = []
    have = collections.Counter(outputs(look)) + collections.Counter(taken)
    if have != truth.outputs:
        bad.append(f'Q3 outputs missing {sorted(x[1] for x in (truth.outputs - have))}')
    if collections.Counter((truth.same(n), h) for n, h in rejects(look)) != truth.rejects:
        bad.append('Q3 refused messages differ')
    for n, data in truth.tables.items():
        if not look.exists(f'tables/{n}') or plain(look.read(f'tables/{n}')) != plain(data):
            bad.append(f'Q3 table differs: {n}')
    for n, lines in truth.ledgers.items():
        p = f'.waybill/ledger/{n}'
        have = ledger(look.read(p), n, bad) if look.exists(p) else -1
        if have < lines or (have > lines and not truth.asks):   # a command that is given again notes its run again
            bad.append(f'Q3 ledger has another number of records: {n}')
    have, want = shape(look, truth), truth.tree
    if cut:
        have, want = without_copies(have), without_copies(want)
    if have != want:
        bad.append(f'Q6 tree: too much {sorted((have - want))[:4]}, missing {sorted((want - have))[:4]}')
    return bad
