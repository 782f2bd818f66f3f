#!/usr/bin/env python3
"""spoil.py - the samples of the integrations, spoilt at random, dropped into their sites

usage: spoil.py PROGRAM [--seconds N | --sites N] [--seed N]

No worker dies of them, whatever they hold; nothing that the site does not understand is said of them; no byte of theirs
reaches a terminal unescaped; each dropped file is in its inbox, or is one batch; `fsck` finds all in order.  A program
built with sanitizers says more: a worker that they stop has died.  Sites that fail are left, with the seed that makes them.
"""
import argparse, glob, hashlib, json, os, random, re, shutil, subprocess, sys, tempfile, time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Integration: folder of its samples, (inbox, file or file+companion), what is done by hand after each run.
SITES = {
    '24so-ongoing': ('ongoing24so', [('products', '24so_products.xml'), ('companies', '24so_companies.xml'),
                                     ('orders', '24so_orders.xml'), ('shipped', 'ongoing_shipped.csv'),
                                     ('inventory', 'ongoing_inventory.csv')], []),
    'despatch': ('despatch', [('deliveries', 'evening.csv'), ('deliveries', 'morning.csv'), ('deliveries', 'late.csv')], []),
    'necs': ('necs', [('customers', 'customers.csv'), ('invoices', 'invoices.csv+invoice_lines.csv'),
                      ('orders', 'orders.csv')], []),
    'ovotrack': ('ovotrack', [('divisions', 'divisions.csv'), ('locations', 'customer_locations_0801.csv'),
                              ('items', 'items.csv'), ('orders', 'erp_orders_20240801.csv'),
                              ('ovotrack', 'ovotrack_updates_1.xml'), ('ovotrack', 'ovotrack_updates_2.xml')],
                 [['create', '--set', 'last-modified=2020-01-01T00:00:00'], ['send'], ['commit']]),
    'paripassu_totvs': ('paripassu_totvs', [('SM0', 'totvs_SM0.csv'), ('SA1', 'totvs_SA1.csv'), ('SA2', 'totvs_SA2.csv'),
                                            ('SB1', 'totvs_SB1.csv'), ('mapeamento', 'mapeamento_produtos.csv'),
                                            ('SC7', 'totvs_SC7.csv'), ('nfe', 'nfe_000001234.xml'),
                                            ('selecao', 'selecao_confirmada.csv'), ('vendas', 'rastreador_vendas.csv'),
                                            ('resultado', 'historico_envios.csv')],
                        [['create', '--set', 'de=2020-01-01', '--set', 'ate=2030-01-01'], ['send']]),
    'raks_baselinker': ('raks_baselinker', [('bl-orders', 'bl_getOrders.json'), ('bl-invoices', 'bl_getInvoices.json'),
                                            ('dokumenty', 'raks_dokumenty_20240611.csv'),
                                            ('dokumenty-xml', 'raks_dokumenty_20240611.xml')], []),
}
ODD = [b'\0', b'"', b"'", b';', b',', b'\t', b'\r\n', b'\n', b'\xff', b'\xef\xbb\xbf', b'\xc3', b'&', b'<', b'>', b'</', b'<!--',
       b']]>', b'&#0;', b'&amp;', b'{', b'}', b'[', b']', b'\\u0000', b'\\', b'9' * 40, b'-', b'.', b'1e999', b'..', b'/',
       b'%s%n', b' ' * 5000, b'A' * 70000, b'\x1b[31m', b' xsi:nil="true"', b'0000-00-00', b'\xe2\x80\xa8']
WRONG = [b'WORKER_DIED', b'please report', b'AddressSanitizer', b'runtime error']


def piece(rng, d):
    i = rng.randrange(len(d) + 1)
    return i, i + rng.choice((1, 1, 2, 10, 100))


def spoil(rng, data):
    """One step; each gives bytes."""
    lines, (i, j), how = data.split(b'\n'), piece(rng, data), rng.randrange(9)
    if how == 0:
        return data[:i] + bytes([rng.randrange(256)]) + data[i + 1:]
    if how == 1:
        return data[:i] + data[j:]
    if how == 2:
        return data[:i] + rng.choice(ODD) + data[i:]
    if how == 3:
        k = rng.randrange(len(data) + 1)
        return data[:i] + data[k:k + rng.choice((1, 5, 50, 500))] + data[i:]
    if how == 4:
        lines.insert(rng.randrange(len(lines)), rng.choice(lines))
        return b'\n'.join(lines)
    if how == 5:
        lines.pop(rng.randrange(len(lines)))
        return b'\n'.join(lines)
    if how == 6:
        rng.shuffle(lines) if rng.random() < 0.3 else lines.sort()
        return b'\n'.join(lines) if rng.random() < 0.5 else data[:i]
    places = [m.span() for m in re.finditer(rb'\d+' if how == 7 else rb'[;,\t|"<>{}\[\]:=]', data)]
    if not places:
        return data
    a, b = rng.choice(places)
    wrong = (b'', b'0', b'-1', b'9' * 38, b'1.5', b'1,5', b'x') if how == 7 else (b'', data[a:b] * 2)
    return data[:a] + rng.choice(wrong) + data[b:]


class Spoilt:
    """One site of one integration, and what was dropped into it."""

    def __init__(self, program, rng):
        self.program, self.rng, self.faults, self.dropped = program, rng, [], {}
        self.name = rng.choice(sorted(SITES))
        self.samples, self.inboxes, self.by_hand = SITES[self.name]
        self.path = tempfile.mkdtemp(prefix='waybill-spoilt-')
        self.run('init', self.path, '--from', f'{TOP}/mappings/{self.name}')
        with open(f'{self.path}/site.conf') as f:
            conf = re.sub(r' stable \d+s', ' stable 0s', re.sub(r'\bon(\s+)no\b', r'on\1yes', f.read()))
        with open(f'{self.path}/site.conf', 'w') as f:
            f.write(conf)

    def run(self, *words):
        p = subprocess.run([self.program, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
        said = p.stdout + p.stderr
        for w in WRONG:
            if w in said:
                self.faults.append(f'{words[0]}: ' + said[said.find(w):][:300].decode('utf-8', 'backslashreplace'))
        if p.returncode not in (0, 1, 2, 3, 4):
            self.faults.append(f'{words[0]} ended with {p.returncode}: {said[-300:]}')
        if re.search(rb'[\0-\x08\x0b-\x1f\x7f]', said):
            self.faults.append(f'{words[0]} says control bytes')

    def drop(self, round, n):
        inbox, files = self.rng.choice(self.inboxes)
        for name in files.split('+'):
            with open(f'{TOP}/samples/{self.samples}/in/{name}', 'rb') as f:
                data = f.read()
            for _ in range(self.rng.choice((0, 1, 1, 1, 2, 3, 20))):
                data = spoil(self.rng, data)
            base, end = os.path.splitext(name)
            to = f'{self.path}/inbox/{inbox}/' + (name if '+' in files else f'{base}_{round}_{n}{end}')
            if os.path.exists(to):
                continue
            with open(to + '.tmp', 'wb') as f:
                f.write(data)
            os.utime(to + '.tmp', (time.time() - 60,) * 2)
            os.rename(to + '.tmp', to)
            if name == files.split('+')[0]:
                key = (f'inbox/{inbox}', os.path.basename(to), hashlib.sha256(data).hexdigest())
                self.dropped[key] = self.dropped.get(key, 0) + 1

    def batches(self):
        """(inbox, name, sha256) → ids of its batches"""
        found = {}
        for where in ('.waybill/work/*', 'error/*', 'archive/*/*/*'):
            for path in glob.glob(f'{self.path}/{where}/*.waybill.json'):
                with open(path) as f:
                    w = json.load(f)
                found.setdefault((w.get('inbox'), w.get('name'), w.get('sha256')), set()).add(w['batch'])
        return found

    def count(self):
        found = self.batches()
        for (inbox, name, sha), times in self.dropped.items():
            there = os.path.exists(f'{self.path}/{inbox}/{name}')
            if len(found.get((inbox, name, sha), ())) + there != times:
                self.faults.append(f'{inbox}/{name}: dropped {times} times, batches {found.get((inbox, name, sha))}, {there=}')

    def live(self):
        for round in range(3):
            for n in range(self.rng.randint(3, 12)):
                self.drop(round, n)
            self.run('run', '-q', self.path)
            for words in self.by_hand:
                self.run(*words, '-q', '--dir', self.path)
        self.count()
        p = subprocess.run([self.program, 'fsck', self.path], capture_output=True)
        if p.returncode != 0:
            self.faults.append(f'fsck ended with {p.returncode}: {p.stdout + p.stderr}')
        return sum(self.dropped.values())


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('program')
    p.add_argument('--seconds', type=float, default=0)
    p.add_argument('--sites', type=int, default=0)
    p.add_argument('--seed', type=int, default=int(time.time()))
    a = p.parse_args()
    until, seed, sites, files, bad = time.monotonic() + a.seconds, a.seed, 0, 0, 0
    while sites < a.sites or time.monotonic() < until:
        site = Spoilt(a.program, random.Random(seed))
        files += site.live()
        sites += 1
        for f in site.faults:
            print(f'# seed {seed}, {site.name}: {f}')
        bad += len(site.faults)
        if site.faults:
            print(f'# the site is left in {site.path}')
        else:
            shutil.rmtree(site.path)
        seed += 1
    print(f'spoil: {sites} sites, {files} files, seeds {a.seed} to {seed - 1}, {bad} faults')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
