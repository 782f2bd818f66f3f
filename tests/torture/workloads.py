"""workloads.py - the sites that torture.py strikes: each function makes a site with its inbox full and tells the truth

    one        a site that never ran, one good file: also the making of all folders is struck
    long       a file that is long enough to be copied by a worker, and a short one behind it
    mixed      good, with refused messages, wholly bad, and twice the same content, each with two outputs
    waves      two flows, three files each: one wave is taken while the other settles and is published
    articles   24SevenOffice and Ongoing: a table, an output and a log from one file
    all        the whole integration: five flows, tables that others read
    merge      orders into open invoices: a staged batch, a table that is updated once, three operations one after another

    companions two files, each with lines in a file of its own and a file that it names (beside.py)
    unpack     a zip of three: good, with a refused message, wholly bad
    refused    documents of three files each, refused as a whole or in part: in their rows, by a table, by the second of two gives; the
               partner is answered

and of a flow that stages (staged.py), each with the command that is struck:

    create     a batch is made of the newer of two files, the older one is set aside; a list comes after
    send       two batches are sent, with numbers of a sequence
    receive    an answer that changes both batches; a confirmation of each comes after
    update     a file by hand changes both
    call       a batch is made, and the first of its messages is called for; the answer is awaited
    answer     the answer comes, and the second is called for
    answered   so does the last one; the run of calls and the life of the batch are over
    commit     both are committed, a table operation comes after each, and their lives end

and by hand (asked.py): hold, release, cancel, amend, resend and renew of one of two staged batches, retry of a file that was refused,
and of a whole site purge, reindex (fsck --reindex) and exchange (a file to a partner's server, one from there).
"""
import os, re, subprocess, time

import asked, beside, staged

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
HEAD = 'OrderNo;Order date;Customer;Country;Line;Article;Quantity\n'
GOOD = HEAD + '1;21.11.2026;A;Norway;1;K-1;1\n2;21.11.2026;B;Sweden;1;K-2;2,5\n'
REFUSED = HEAD + '3;21.11.2026;C;Norway;1;K-1;1\n4;21.11.2026;D;Atlantis;1;K-2;2\n5;21.11.2026;E;Norway;1;K-3;12x\n'
BAD = HEAD + '6;21.11.2026;"F;Norway;1;K-1;1\n'


def drop(site, inbox, name, data, end, stamp=[0]):
    """Puts a file into an inbox, old enough to be stable, each a second younger than the one before."""
    path = os.path.join(os.fsencode(f'{site}/{inbox}'), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as f:
        f.write(data)
    stamp[0] = (stamp[0] + 1) % 500
    at = time.time() - 1000 + stamp[0]
    os.utime(path, (at, at))
    return inbox, name, data, end


def make(program, site, *more):
    subprocess.run([program, 'init', site, *more], check=True, stdout=subprocess.DEVNULL)


def warm(program, site):
    """A run without files: the folders and the kept configuration are there."""
    subprocess.run([program, 'run', '-q', site], stdout=subprocess.DEVNULL, check=True)


def one(program, site):
    make(program, site)
    return [drop(site, 'inbox/orders', b'one.csv', GOOD.encode(), 'archive')]


def long(program, site):
    """One that a worker copies, and one behind it."""
    make(program, site)
    warm(program, site)
    rows = ''.join(f'{n};21.11.2026;{"A" * 60000};Norway;1;K-1;1\n' for n in range(10, 30))
    return [drop(site, 'inbox/orders', b'a.csv', (HEAD + rows).encode(), 'archive'),
            drop(site, 'inbox/orders', b'b.csv', GOOD.encode(), 'archive')]


def mixed(program, site):
    make(program, site)
    warm(program, site)
    return [drop(site, 'inbox/orders', b'a good.csv', GOOD.encode(), 'archive'),
            drop(site, 'inbox/orders', b'b-refused.csv', REFUSED.encode(), 'archive'),
            drop(site, 'inbox/orders', b'c-bad.csv', BAD.encode(), 'error'),
            drop(site, 'inbox/orders', b'd-twice.csv', GOOD.encode(), 'error')]


def waves(program, site):
    make(program, site)
    with open(f'{site}/site.conf') as f:
        conf = f.read()
    flow = conf[conf.index('flow orders'):]
    for old, new in ('flow orders', 'flow more'), ('inbox/orders', 'inbox/more'), ('outbox/warehouse', 'outbox/store'), ('outbox/log', 'outbox/notes'):
        flow = flow.replace(old, new)
    with open(f'{site}/site.conf', 'a') as f:
        f.write('\n' + flow)
    warm(program, site)
    order = lambda n: f'{HEAD}{n};21.11.2026;A;Norway;1;K-1;1\n'.encode()
    return [drop(site, f'inbox/{inbox}', b'%d.csv' % n, order(n), 'archive') for inbox in ('orders', 'more') for n in (1, 2, 3)]


def integration(program, site, files):
    make(program, site, '--from', f'{TOP}/mappings/24so-ongoing')
    warm(program, site)
    out = []
    for name, inbox in files:
        with open(f'{TOP}/samples/ongoing24so/in/{name}', 'rb') as f:
            out.append(drop(site, f'inbox/{inbox}', name.encode(), f.read(), 'archive'))
    return out


def articles(program, site):
    return integration(program, site, [('24so_products.xml', 'products')])


def everything(program, site):
    inputs = integration(program, site, [('24so_products.xml', 'products'), ('24so_companies.xml', 'companies'),
                                         ('24so_orders.xml', 'orders'), ('ongoing_shipped.csv', 'shipped'),
                                         ('ongoing_inventory.csv', 'inventory')])
    return {'inputs': inputs, 'loose': True}


def merge(program, site):
    """NECS; the invoices of entrée are there already. Only orders that merge, their own numbers counted by their
    place: what a crash has leased and not used is a gap, and the outputs would differ."""
    samples, maps = f'{TOP}/samples/necs/in', f'{TOP}/mappings/necs'
    subprocess.run([program, 'init', site, '--from', maps], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run([program, 'convert', '-m', f'{maps}/invoice-state.map', '-l', f'lines={samples}/invoice_lines.csv', '-o',
                    f'{site}/tables/invoices.jsonl', f'{samples}/invoices.csv'], check=True, stderr=subprocess.DEVNULL)
    rules = f'{site}/mappings/consolidate.map'
    with open(rules) as f:
        text = f.read().replace('next("invoice-number")', '200000 + message-number()')
    with open(rules, 'w') as f:
        f.write(text)
    warm(program, site)
    merged = ('Source', 'NET,N-9001', 'EOP,E-7001', 'NET,N-9002', 'NET,N-9003', 'NET,N-9005', 'NET,N-9006', 'NET,N-9008')
    with open(f'{samples}/orders.csv', encoding='windows-1252', newline='') as f:
        data = ''.join(row for n, row in enumerate(f) if row.startswith(merged) and n < 22)
    return {'inputs': [drop(site, 'inbox/orders', b'orders.csv', data.encode('windows-1252'), 'archive')],
            'wants': {'NET_N-9001.txt', 'EOP_E-7001.txt', 'loading_sheets_ID.csv'}}


ALL = {'one': one, 'long': long, 'mixed': mixed, 'waves': waves, 'articles': articles, 'all': everything, 'merge': merge, **beside.workloads(drop), **staged.workloads(drop),
       **asked.workloads(drop)}
