#!/usr/bin/env python3
"""soak.py WAYBILL [--seconds 600] [--seed N] [--keep] [-v] - a long day of a site, against a model

A site with a flow that converts and a flow that stages (orders with lines, in the shape of mappings/ovotrack).  At random:
orders come, batches are sent, answered (one answer for several batches, for lines and orders that nobody knows), committed,
corrected, held, released, cancelled; meanwhile the watcher is killed, stopped and started with a clock that jumps.  The
model in this file knows nothing of waybill's code: it says what must be in the staged documents, the outboxes, the archive
and error/.  It is asked after each hundred steps or so, and at the end, with fsck.

Prints `soak: N steps, K kills, B batches, F files, M faults`; exit code 1 when there are faults.
"""
import argparse, collections, json, os, random, shutil, signal, subprocess, sys, tempfile, time, zipfile

FILES = {
    'site.conf': '''site "Soak"
zone "Europe/Oslo"
flow rows {
    on yes
    order any
    operation convert {
        take inbox  "inbox/rows" ready name
        give outbox "outbox/rows" name "{file}" map copy
    }
}
flow orders {
    on yes
    batch staged track Order/Line {
        state staged
        state sent      when SendDate
        state received  when ReceivedDate
        state committed when CommitDate
    }
    operation create {
        take inbox "inbox/orders" ready name
        give batch new map create
    }
    operation receive {
        take inbox "inbox/answers" ready name
        give batch map receive
    }
    operation send {
        manual
        take batch
        give outbox "outbox/sent" name "{batch}_{n}.csv" map send empty skip
        done {
            batch-time() => Order/Line/SendDate
        }
    }
    operation commit {
        manual
        take batch
        give outbox "outbox/commit" name "{batch}_{n}.csv" map commit empty skip
        done {
            batch-time() => Order/Line/CommitDate
        }
    }
}
''',
    'mappings/rows.format': 'syntax csv delimiter ";" header yes\nencoding utf-8\n\nmessage Row {\n    Id  text required\n    Qty decimal\n}\n',
    'mappings/copy.map': 'mapping rows <=> rows\n\nRow <=> Row {\n    Id  <=> Id\n    Qty <=> Qty\n}\n',
    'mappings/orders.format': 'syntax csv delimiter ";" header yes\nencoding utf-8\n\nmessage Order key No {\n    No   text required\n    Name text\n'
                              '    group Line 1..* key Item {\n        Item text required\n        Qty  decimal\n    }\n}\n',
    'mappings/staged.format': 'syntax json lines\nencoding utf-8\n\nmessage Order key No {\n    No   text required\n    Name text\n'
                              '    group Line 1..* key Item at lines {\n        Item         text required\n        Qty          decimal\n        Got          decimal\n'
                              '        SendDate     datetime\n        ReceivedDate datetime\n        CommitDate   datetime\n    }\n}\n',
    'mappings/answers.format': 'syntax xml\nencoding utf-8\n\nmessage Order at /Answers/Order key No {\n    No text required at @no\n'
                               '    group Line 0..* key Item {\n        Item text required at @item\n        Got  decimal at @got\n    }\n}\n',
    'mappings/create.map': 'mapping orders => staged\n\nOrder => Order {\n    key No => No\n    Name   => Name\n    Line => Line {\n'
                           '        require Qty > 0 else BAD_QTY "Order {../No}: no quantity."\n        key Item => Item\n        Qty      => Qty\n    }\n}\n',
    'mappings/send.map': 'mapping staged => orders\n\nOrder => Order {\n    key No => No\n    Name   => Name\n    Line => Line {\n'
                         '        require not(SendDate) else skip SENT\n        key Item => Item\n        Qty      => Qty\n    }\n}\n',
    'mappings/commit.map': 'mapping staged => orders\n\nOrder => Order {\n    key No => No\n    Name   => Name\n    Line => Line {\n'
                           '        require ReceivedDate    else skip NOT_YET\n        require not(CommitDate) else skip DONE\n'
                           '        key Item => Item\n        Got      => Qty\n    }\n}\n',
    'mappings/receive.map': 'mapping answers => staged\n\nOrder => Order {\n    key No => No\n    Line => Line {\n        key Item     => Item\n'
                            '        Got          => Got\n        batch-time() => ReceivedDate\n        new     ignore else warn NO_LINE "Order {../No} has no line {Item}."\n'
                            '        missing keep\n    }\n    new     ignore else warn NOT_OURS "Order {No}: nobody asked for it."\n    missing keep\n}\n',
}
STAMPS = ('SendDate', 'ReceivedDate', 'CommitDate')


# --- the model ------------------------------------------------------------------------------------------------------------

class Line:
    def __init__(self, item, qty):
        self.item, self.qty, self.got, self.stamps = item, qty, None, set()

    def done(self):
        return all(s in self.stamps for s in STAMPS)


class Batch:
    def __init__(self, file, orders):
        self.file, self.orders = file, orders               # {number: (name, [Line])}, in their order
        self.id, self.held, self.ended = None, False, False

    def lines(self):
        return [l for _, lines in self.orders.values() for l in lines]

    def settle(self):
        """All lines in the last state: its life is over."""
        self.ended = self.ended or all(l.done() for l in self.lines())


class Model:
    def __init__(self):
        self.batches, self.rows, self.steps = [], {}, 0
        self.sent, self.committed = collections.Counter(), collections.Counter()
        self.archived, self.error = collections.Counter(), collections.Counter()       # (inbox, name)
        self.rejected = collections.Counter()               # orders that were refused one by one

    def open(self, held=False):
        return [b for b in self.batches if not b.ended and (held or not b.held)]

    def create(self, file, orders):
        good = {no: o for no, o in orders.items() if all(l.qty > 0 for l in o[1])}
        for no in orders.keys() - good.keys():
            self.rejected[no] += 1
        if good:
            self.batches.append(Batch(file, good))
        else:
            self.archived['inbox/orders', file] += 1
        return self.batches[-1] if good else None

    def take(self, b, wanted, stamp, value, out):
        rows = [(no, name, l.item, value(l)) for no, (name, lines) in b.orders.items() for l in lines if wanted(l)]
        if rows:
            out[b.id, csv_of('No;Name;Item;Qty', rows)] += 1
        for l in b.lines():
            if wanted(l):
                l.stamps.add(stamp)
        b.settle()

    def send(self, b):
        self.take(b, lambda l: 'SendDate' not in l.stamps, 'SendDate', lambda l: l.qty, self.sent)

    def commit(self, b):
        self.take(b, lambda l: 'ReceivedDate' in l.stamps and 'CommitDate' not in l.stamps, 'CommitDate', lambda l: l.got, self.committed)

    def receive(self, file, answer):
        self.archived['inbox/answers', file] += 1
        for b in self.open(held=True):
            for no, items in answer.items():
                for l in b.orders[no][1] if no in b.orders else []:
                    if l.item in items:
                        l.got = items[l.item]
                        l.stamps.add('ReceivedDate')
            b.settle()


def csv_of(head, rows):
    return head + '\n' + ''.join(';'.join(str(c) for c in r) + '\n' for r in rows)


# --- the site -------------------------------------------------------------------------------------------------------------

def read(path, how='r'):
    try:
        with open(path, how) as f:
            return f.read()
    except FileNotFoundError:
        return None


def names(path):
    try:
        return [n for n in os.listdir(path) if not n.startswith('.')]
    except FileNotFoundError:
        return []


class Site:
    def __init__(self, program, top, rng):
        self.program, self.path, self.rng, self.top = program, top + '/site', rng, top
        self.watcher, self.kills, self.starts = None, 0, 0
        for name, text in FILES.items():
            os.makedirs(os.path.dirname(f'{self.path}/{name}'), exist_ok=True)
            with open(f'{self.path}/{name}', 'w') as f:
                f.write(text)
        for inbox in ('rows', 'orders', 'answers'):
            os.makedirs(f'{self.path}/inbox/{inbox}')
        self.log = open(top + '/log', 'w')

    def clock(self):
        """Mostly the true time; else it stands still somewhere in the past or the future."""
        env = dict(os.environ)
        env.pop('WAYBILL_CLOCK', None)
        if self.rng.random() < 0.3:
            env['WAYBILL_CLOCK'] = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() + self.rng.randint(-400, 400) * 86400 + self.rng.randint(0, 86399)))
        return env

    def start(self):
        self.starts += 1
        self.watcher = subprocess.Popen([self.program, 'watch', '--standby', '--quiet', self.path], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=self.clock())

    def stop(self, how):
        if self.watcher:
            self.watcher.send_signal(how)
            self.watcher.wait()
            self.watcher = None

    def shake(self, wanted=0.5):
        """Perhaps the watcher dies a moment from now, and another one goes on."""
        if not self.watcher:
            return self.start()
        if self.rng.random() < wanted:
            time.sleep(self.rng.choice((0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)) * self.rng.random())
            self.stop(signal.SIGKILL if self.rng.random() < 0.8 else signal.SIGTERM)
            self.kills += 1
            self.start()

    def drop(self, inbox, name, text):
        with open(f'{self.path}/inbox/{inbox}/.part', 'w') as f:
            f.write(text)
        os.rename(f'{self.path}/inbox/{inbox}/.part', f'{self.path}/inbox/{inbox}/{name}')

    def waybill(self, batch):
        text = read(f'{self.path}/.waybill/work/{batch}/{batch}.waybill.json')
        return json.loads(text) if text else None

    def busy(self):
        """What is still under way: nothing when every file was taken and every batch waits for somebody."""
        for d in ('inbox/rows', 'inbox/orders', 'inbox/answers', '.waybill/claim', '.waybill/requests', '.waybill/tmp'):
            if names(f'{self.path}/{d}'):
                return d
        for b in names(f'{self.path}/.waybill/work'):
            w = self.waybill(b)
            if not w or w['place'] != 'delivered' or w.get('waits') not in ('open', 'person') or w.get('due'):
                return f'{b}: {w and (w["place"], w.get("waits"), w.get("due"))}'
        return ''

    def settle(self, seconds=60):
        end, calm = time.monotonic() + seconds, 0
        while calm < 2:
            why = self.busy()
            calm = 0 if why else calm + 1
            if not self.watcher or self.watcher.poll() is not None:
                self.start()
            if time.monotonic() > end:
                return f'the site does not come to rest: {why}'
            time.sleep(0.004)
        return ''

    def command(self, *args):
        """The command, with the watcher shaken meanwhile; its exit code and what it said."""
        p = subprocess.Popen([self.program, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.clock())
        self.shake()
        try:
            said = p.communicate(timeout=90)[0]
        except subprocess.TimeoutExpired:
            p.kill()
            said = 'it did not end: ' + p.communicate()[0]
        self.log.write(f'$ {" ".join(args)}\n{said}(exit code {p.returncode})\n')
        return p.returncode, said


class Soak:
    def __init__(self, args, top):
        self.rng, self.args, self.faults, self.number = random.Random(args.seed), args, [], 0
        self.site, self.model = Site(os.path.abspath(args.program), top, self.rng), Model()

    def fault(self, text):
        self.faults.append(f'step {self.model.steps}: {text}')

    def next(self):
        self.number += 1
        return self.number

    # Steps.  Each tells the model, and waits until the site is at rest where the next one depends on it.

    def rows(self):
        n, first = self.next(), self.rng.randint(1, 999)
        good = [(f'r{n}-{k}', first + k) for k in range(self.rng.randint(1, 60))]
        text, name = csv_of('Id;Qty', good), f'rows{n:05}.csv'
        kind = self.rng.random()
        if kind < 0.15:
            text += f'bad{n};1x\n'
            self.model.rejected[f'bad{n}'] += 1
        elif kind < 0.25:
            text, good = text + '"open;1\n', None
            self.model.error['inbox/rows', name] += 1
        elif kind < 0.35 and self.model.rows:
            text, good = self.rng.choice(list(self.model.rows.values())), None         # the same again
            self.model.error['inbox/rows', name] += 1
        if good is not None:
            self.model.rows[name] = text
            self.model.archived['inbox/rows', name] += 1
        self.site.drop('rows', name, text)
        self.site.shake(0.2)

    def create(self):
        n, orders = self.next(), {}
        for k in range(self.rng.randint(1, 6)):
            lines = [Line(f'I{i}', 0 if self.rng.random() < 0.06 else self.rng.randint(1, 500)) for i in range(1, self.rng.randint(2, 7))]
            orders[f'{n}-{k}'] = (self.rng.choice(('Ærø', 'Bergen', '"x"', 'a; b')), lines)
        name = f'orders{n:05}.csv'
        quoted = lambda t: '"%s"' % t.replace('"', '""') if '"' in t or ';' in t else t
        text = csv_of('No;Name;Item;Qty', [(no, quoted(nm), l.item, l.qty) for no, (nm, lines) in orders.items() for l in lines])
        orders = {no: (quoted(nm), lines) for no, (nm, lines) in orders.items()}
        b = self.model.create(name, orders)
        self.site.drop('orders', name, text)
        self.site.shake()
        self.rest()
        if b:
            found = [i for i in names(self.site.path + '/.waybill/work') if (self.site.waybill(i) or {}).get('name') == name]
            if len(found) != 1:
                raise SystemExit(self.fault(f'{name} is in the batches {found}') or self.end())
            b.id = found[0]

    def some(self):
        return self.rng.choice(self.model.open()) if self.model.open() else None

    def on_batches(self, verb, act):
        b = self.some() if self.rng.random() < 0.7 else None
        if b:
            self.tell(self.site.command(verb, '--dir', self.site.path, '--quiet', '--batch', b.id), verb)
        elif self.model.open():
            self.tell(self.site.command(verb, '--dir', self.site.path, '--quiet'), verb)
        for one in [b] if b else self.model.open():
            act(one)
        self.rest()

    def tell(self, result, what, want=(0,)):
        if result[0] not in want:
            self.fault(f'{what}: exit code {result[0]}: {result[1][-300:]}')

    def send(self):
        self.on_batches('send', self.model.send)

    def commit(self):
        self.on_batches('commit', self.model.commit)

    def answer(self):
        n, answer = self.next(), collections.OrderedDict()
        for b in self.rng.sample(self.model.open(), min(len(self.model.open()), self.rng.choice((1, 1, 2, 3)))):
            for no, (_, lines) in b.orders.items():
                if self.rng.random() < 0.8:
                    answer[no] = {l.item: self.rng.randint(0, 500) for l in lines if self.rng.random() < 0.9}
                    if self.rng.random() < 0.1:
                        answer[no]['I99'] = 1
        if not answer:
            return
        if self.rng.random() < 0.15:
            answer[f'unknown{n}'] = {'I1': 5}
        body = ''.join(f'<Order no="{no}">' + ''.join(f'<Line item="{i}" got="{g}"/>' for i, g in items.items()) + '</Order>' for no, items in answer.items())
        name = f'answer{n:05}.xml'
        self.model.receive(name, answer)
        self.site.drop('answers', name, f'<!-- {n}: no two are alike --><Answers>{body}</Answers>')
        self.site.shake()
        self.rest()

    def amend(self):
        b = self.some()
        if b:
            no = self.rng.choice(list(b.orders))
            k = self.rng.randrange(len(b.orders[no][1]))
            b.orders[no][1][k].qty = self.rng.randint(501, 999)
            self.tell(self.site.command('amend', '--dir', self.site.path, '--message', no, b.id, f'Line[{k + 1}]/Qty={b.orders[no][1][k].qty}'), 'amend')
            self.rest()

    def hold(self):
        b = self.some()
        if b:
            b.held = True
            self.tell(self.site.command('hold', '--dir', self.site.path, b.id), 'hold')
            self.rest()
            self.tell(self.site.command('send', '--dir', self.site.path, '--quiet', '--batch', b.id), 'send what is held', (1,))
            self.rest()

    def release(self):
        held = [b for b in self.model.open(held=True) if b.held]
        if held:
            b = self.rng.choice(held)
            b.held = False
            self.tell(self.site.command('release', '--dir', self.site.path, b.id), 'release')
            self.rest()

    def cancel(self):
        b = self.some()
        if b and len(self.model.open()) > 1:
            b.ended = True
            self.tell(self.site.command('cancel', '--dir', self.site.path, b.id), 'cancel')
            self.rest()

    def rest(self):
        why = self.site.settle()
        if why:
            self.fault(why)
            raise SystemExit(self.end())

    # What is there.

    def check(self):
        self.rest()
        m, path = self.model, self.site.path
        work = set(names(path + '/.waybill/work'))
        if work != {b.id for b in m.batches if not b.ended}:
            self.fault(f'open batches: {sorted(work ^ {b.id for b in m.batches if not b.ended})} are there or not')
        zips = {f[:-4].split('_')[-1]: f'{d}/{f}' for d, _, files in os.walk(path + '/archive') for f in files if f.endswith('.zip')}
        for b in m.batches:
            self.check_batch(b, work, zips)
        self.compare('outbox/sent', self.outputs('sent'), m.sent)
        self.compare('outbox/commit', self.outputs('commit'), m.committed)
        rows = {n: read(f'{path}/outbox/rows/{n}') for n in names(path + '/outbox/rows')}
        want = {n: '\n'.join(l for l in t.split('\n') if not l.startswith('bad')) for n, t in m.rows.items()}
        self.compare('outbox/rows', collections.Counter(rows.items()), collections.Counter(want.items()))
        self.check_ends(zips)

    def outputs(self, folder):
        return collections.Counter((n.split('_')[0], read(f'{self.site.path}/outbox/{folder}/{n}')) for n in names(f'{self.site.path}/outbox/{folder}'))

    def compare(self, what, have, want):
        if have != want:
            self.fault(f'{what}: too much {list((have - want).items())[:2]}, missing {list((want - have).items())[:2]}')

    def check_batch(self, b, work, zips):
        if b.id in work:
            stage = read(f'{self.site.path}/.waybill/work/{b.id}/{self.site.waybill(b.id)["stage"]}')
        elif b.id in zips:
            with zipfile.ZipFile(zips[b.id]) as z:
                w = json.loads(z.read(next(n for n in z.namelist() if n.endswith('.waybill.json'))))
                stage = z.read(next(n for n in z.namelist() if n.endswith(w['stage']))).decode()
        else:
            return self.fault(f'{b.id} is nowhere')
        have = {}
        for line in stage.splitlines():
            o = json.loads(line)
            if 'No' in o:
                have[o['No']] = [(l['Item'], l.get('Qty'), l.get('Got'), tuple(s for s in STAMPS if l.get(s))) for l in o['lines']]
        want = {no: [(l.item, l.qty, l.got, tuple(s for s in STAMPS if s in l.stamps)) for l in lines] for no, (_, lines) in b.orders.items()}
        if have != want:
            self.fault(f'{b.id} ({b.file}): {[(no, have.get(no), want.get(no)) for no in sorted(have.keys() | want.keys()) if have.get(no) != want.get(no)][:2]}')

    def check_ends(self, zips):
        m, path = self.model, self.site.path
        archived, error, rejects = collections.Counter(), collections.Counter(), collections.Counter()
        for b, z in zips.items():
            w = json.loads(read(f'{os.path.dirname(z)}/{os.path.basename(z)[:-4]}.waybill.json') or read(f'{os.path.dirname(z)}/{b}.waybill.json'))
            archived[w['inbox'], w['name']] += 1
        for b in names(path + '/error'):
            text = read(f'{path}/error/{b}/{b}.waybill.json')
            if text is None:
                self.fault(f'error/{b}: no waybill of that name')
                continue
            w = json.loads(text)
            if w.get('error_code'):
                error[w['inbox'], w['name']] += 1
            else:
                for n in names(f'{path}/error/{b}'):
                    if '.json' not in n:
                        for no in {l.split(';')[0] for l in read(f'{path}/error/{b}/{n}').splitlines()[1:]}:
                            rejects[no] += 1
        self.compare('archive', archived, m.archived + collections.Counter(('inbox/orders', b.file) for b in m.batches if b.ended))
        self.compare('error', error, m.error)
        self.compare('refused messages', rejects, m.rejected)

    def end(self):
        self.site.stop(signal.SIGKILL)
        m = self.model
        for f in self.faults[:20]:
            print('# ' + f)
        print(f'soak: {m.steps} steps, {self.site.kills} kills, {len(m.batches)} batches, {self.number} files, seed {self.args.seed}, {len(self.faults)} faults')
        if self.faults:
            print('# the site is left in ' + self.site.top)
        return 1 if self.faults else 0

    def run(self):
        steps = [(self.rows, 10), (self.create, 3), (self.send, 5), (self.answer, 6), (self.commit, 4), (self.amend, 2), (self.hold, 2), (self.release, 3), (self.cancel, 0.6)]
        end = time.monotonic() + self.args.seconds
        self.site.start()
        while time.monotonic() < end and not self.faults:
            self.model.steps += 1
            step = self.rng.choices([s for s, _ in steps], [w for _, w in steps])[0]
            if len(self.model.open(held=True)) > 12 and step == self.create:
                step = self.commit
            if self.args.verbose:
                print(self.model.steps, step.__name__, flush=True)
            step()
            if self.model.steps % 100 == 0:
                self.check()
        self.check()
        self.site.stop(signal.SIGTERM)
        fsck = subprocess.run([self.site.program, 'fsck', self.site.path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if fsck.returncode:
            self.fault('fsck: ' + fsck.stdout[:500])
        return self.end()


def main():
    p = argparse.ArgumentParser()
    p.add_argument('program')
    p.add_argument('--seconds', type=float, default=600)
    p.add_argument('--seed', type=int, default=int(time.time()))
    p.add_argument('--keep', action='store_true')
    p.add_argument('-v', '--verbose', action='store_true')
    args = p.parse_args()
    top = tempfile.mkdtemp(prefix='waybill-soak-')
    code = 1
    soak = Soak(args, top)
    try:
        code = soak.run()
    finally:
        soak.site.stop(signal.SIGKILL)
        if code == 0 and not args.keep:
            shutil.rmtree(top, True)
    return code


if __name__ == '__main__':
    sys.exit(main())
