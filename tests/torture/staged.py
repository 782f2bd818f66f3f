"""staged.py - a flow that stages, and the operations of its batches' lives as workloads of torture.py

Each function makes a site, brings its batches to where the operation begins, and tells what is struck: `command` (None =
run; SITE in it is the site), what is true when it is done (`done` of a Look), and where the inputs are at the end ('work': in a batch that stays).
"""
import os, subprocess

FORMATS = {
    'orders': ('csv delimiter ";" header yes', 'message Order key No {\n    No  text required\n    Qty decimal\n    Tag text\n}'),
    'answers': ('csv delimiter ";" header yes', 'message Order key No {\n    No  text required\n    Got decimal\n}'),
    'staged': ('json lines', '''Batch text

message Order key No {
    No        text required
    Qty       decimal
    Got       decimal
    Sent      datetime
    Day       datetime
    Committed datetime
}'''),
}
MAPS = {
    'create': 'mapping orders => staged\n\nbatch-id() => /Batch\n\nOrder => Order {\n'
              '    require Qty > 0 else BAD_QTY "no quantity"\n    key No => No\n    Qty    => Qty\n}',
    'send': 'mapping staged => orders\n\nOrder[not(Sent)] => Order {\n    key No         => No\n    Qty            => Qty\n'
            '    concat("#", next("number")) => Tag\n}',
    'list': 'mapping staged => orders\n\nOrder => Order {\n    key No    => No\n    Got | Qty => Qty\n}',
    'receive': 'mapping answers => staged\n\nOrder => Order {\n    key No       => No\n    Got          => Got\n'
               '    batch-time() => Day\n    new ignore\n    missing keep\n}',
    'update': 'mapping orders => staged\n\nOrder => Order {\n    key No => No\n    Qty    => Qty\n    new ignore\n    missing keep\n}',
    'changes': 'mapping orders => orders\n\nOrder => Order {\n    require Qty < 50 else MUCH "too much"\n    key No => No\n'
               '    Qty    => Qty\n    concat("#", next("number")) => Tag\n}',
    'commit': 'mapping staged => orders\n\nOrder[not(Committed)] => Order {\n    key No => No\n    Got    => Qty\n}',
    'copy': 'mapping orders => orders\n\nOrder => Order {\n    key No => No\n    Qty    => Qty\n}',
}
SITE = '''site "Staged"
zone "Europe/Oslo"
table known "tables/known.csv" format orders
sequence number from 1
flow orders {
    on yes
    batch staged track Order {
        state staged
        state sent      when Sent
        state got       when Day
        state committed when Committed
    }
    operation create {
        manual
        take inbox "inbox/orders" ready name newest
        give batch new map create
    }
    operation list {
        after create
        take batch
        give outbox "outbox/list" name "{batch}_{n}.csv" map list
    }
    operation send {
        manual
        take batch
        give outbox "outbox/sent" name "{batch}_{n}.csv" map send empty skip
        done {
            batch-time() => Order/Sent
        }
    }
    operation receive {
        take inbox "inbox/answers" ready name
        give batch map receive
    }
    operation confirm {
        after receive
        take batch
        give outbox "outbox/confirm" name "{batch}_{n}.csv" map list
    }
    operation update {
        manual
        take inbox "inbox/update" ready name
        give batch map update
        give outbox "outbox/changes" name "{batch}.csv" map changes
    }
    operation commit {
        manual
        take batch
        give outbox "outbox/commit" name "{batch}.csv" map commit
        done {
            batch-time() => Order/Committed
        }
    }
    operation stock {
        after commit
        take table known
        give outbox "outbox/stock" name "{batch}.csv" map copy
    }
}
'''

CALLS = '''site "Called"
zone "Europe/Oslo"
flow orders {
    on yes
    batch staged track Order {
        state staged
        state got  when Day
        state sent when Sent
    }
    operation create {
        manual
        take inbox "inbox/orders" ready name
        give batch new map create
    }
    operation call {
        after create
        serial yes
        take batch
        give outbox "outbox/calls" name "{batch}_{n}.csv" map list each {
            answer inbox "inbox/answers" ready name map receive by order
        }
        give outbox "outbox/sent" name "{batch}_all.csv" map commit
        done {
            batch-time() => Order/Sent
        }
    }
}
'''


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as f:
        f.write(text)


def make(site, conf=SITE):
    for name, (syntax, message) in FORMATS.items():
        write(f'{site}/mappings/{name}.format', f'syntax {syntax}\nencoding utf-8\n\n{message}\n')
    for name, text in MAPS.items():
        write(f'{site}/mappings/{name}.map', text + '\n')
    write(f'{site}/tables/known.csv', 'No;Qty;Tag\n1;1;\n2;1;\n')
    write(f'{site}/site.conf', conf)


def operation(name):
    return [name, '-q', '-w', 'WORKERS', '--wait', '5', '--dir', 'SITE']


def orders(*rows):
    return ('No;Qty;Tag\n' + ''.join(f'{no};{qty};\n' for no, qty in rows)).encode()


def workloads(drop):
    def ask(program, site, *command):
        subprocess.run([program, *command, '-q', '--dir', site], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)

    def batches(program, site, *operations):
        """Two batches, brought through operations."""
        make(site)
        inputs = []
        for name, rows in ((b'a.csv', ((1, 1), (2, 2))), (b'b.csv', ((3, 3), (4, 4)))):
            inputs.append(drop(site, 'inbox/orders', name, orders(*rows), 'work'))
            ask(program, site, 'create')
        for o in operations:
            if o == 'receive':
                inputs.append(drop(site, 'inbox/answers', b'all.csv', b'No;Got\n1;1\n2;1\n3;1\n4;1\n', 'archive'))
                subprocess.run([program, 'run', '-q', site], stdout=subprocess.DEVNULL, check=True)
            else:
                ask(program, site, o)
        return inputs

    def create(program, site):
        make(site)
        subprocess.run([program, 'run', '-q', site], stdout=subprocess.DEVNULL, check=True)
        inputs = [drop(site, 'inbox/orders', b'older.csv', orders((7, 7)), 'error'),
                  drop(site, 'inbox/orders', b'newer.csv', orders((1, 1), (2, 0), (3, 3)), 'work')]
        return {'inputs': inputs, 'command': operation('create')}

    def send(program, site):
        return {'inputs': batches(program, site), 'command': operation('send')}

    def receive(program, site):
        inputs = batches(program, site, 'send')
        inputs.append(drop(site, 'inbox/answers', b'answer.csv', b'No;Got\n1;10\n3;30\n9;1\n', 'archive'))
        return {'inputs': inputs}

    def update(program, site):
        inputs = batches(program, site, 'send')
        inputs.append(drop(site, 'inbox/update', b'change.csv', orders((2, 20), (1, 99), (4, 40)), 'archive'))
        return {'inputs': inputs, 'command': operation('update')}

    def commit(program, site):
        inputs = [(*i[:3], 'archive') for i in batches(program, site, 'send', 'receive')]
        return {'inputs': inputs, 'command': operation('commit')}

    def calls(answered):
        """One call after another: which answer comes."""
        def begin(program, site):
            make(site, CALLS)
            subprocess.run([program, 'run', '-q', site], stdout=subprocess.DEVNULL, check=True)
            inputs = [drop(site, 'inbox/orders', b'a.csv', orders((1, 1), (2, 2)), 'archive' if answered == 2 else 'work')]
            if not answered:
                return {'inputs': inputs, 'command': operation('create')}
            ask(program, site, 'create')
            for n in range(1, answered + 1):
                inputs.append(drop(site, 'inbox/answers', b'%d.csv' % n, b'No;Got\n%d;%d0\n' % (n, n), 'archive'))
                if n < answered:
                    subprocess.run([program, 'run', '-q', site], stdout=subprocess.DEVNULL, check=True)
            return {'inputs': inputs}
        return begin

    return {'call': calls(0), 'answer': calls(1), 'answered': calls(2), 'create': create, 'send': send, 'receive': receive, 'update': update, 'commit': commit}
