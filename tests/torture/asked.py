"""asked.py - what people do to a batch by hand, and what is done for the whole of a site, as workloads of torture.py

Each function makes a site and tells the command that is struck; `done` sees by the histories of the batches, or by what lies
there, whether it came to its end or must be given again, as people would.
"""
import glob, os, shutil, subprocess

import check, staged

ALONE = ('kill', 'one', 'takes', 'again', 'fail', 'late', 'short', 'stay', 'power', 'model')     # and not two hosts
LONG_AGO = '2020-01-02T03:04:05Z'
KEEPS = {
    'mappings/orders.format': 'syntax csv delimiter ";" header yes\nmessage Order key No {\n    No  text required\n    Qty decimal\n}\n',
    'mappings/copy.map': 'mapping orders => orders\nOrder => Order {\n    key No => No\n    Qty    => Qty\n}\n',
    'site.conf': 'site "Kept"\nzone "UTC"\nkeep archive 2y\nkeep error 2y\n'
                 'flow orders {\n    on yes\n    operation convert {\n        take inbox "inbox/orders" ready name\n'
                 '        give outbox "outbox/orders" name "{file}" map copy\n    }\n}\n',
}

SERVER = '/usr/lib/openssh/sftp-server'
EXCHANGE = '''
exchange far "sftp://p@127.0.0.1:9" {
    push "outbox/far" to "in"
    fetch "out" into "inbox/orders"
    stable 10ms
    known-hosts "known_hosts"
}
'''
# sftp's own client, speaking to a local server whose folder lies in the site.
SFTP = f'''#!/bin/sh
for word; do
    case $word in UserKnownHostsFile=*) site=${{word#*=}} ;; esac
done
exec /usr/bin/sftp -q -b - -D "{SERVER} -d ${{site%/*}}/far"
'''


def command(verb, *words):
    return [verb, '--wait', '5', '--dir', 'SITE', *words]


def quiet(words, **more):
    subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, **more)


def first(site):
    """The batch of a.csv, the older of two."""
    return min(os.listdir(f'{site}/.waybill/work'))


def waybills(look):
    for places in check.batches(look).at.values():
        yield from (w for w, _ in places.values())


def noted(what, detail=''):
    return lambda look: any(event['what'] == what and event.get('detail', '').startswith(detail)
                            for w in waybills(look) for event in w['history'])


def workloads(drop):
    send = staged.workloads(drop)['send']

    def by_hand(verb, *words, before=(), ends='work', done):
        """The command on the first of two staged batches, after others."""
        def make(program, site):
            inputs = send(program, site)['inputs']
            batch = first(site)
            for words_before in before:
                quiet([program, words_before[0], '--dir', site, *words_before[1:], batch])
            if verb == 'resend':                        # the partner has taken what was sent
                for path in glob.glob(f'{site}/outbox/*/*'):
                    os.remove(path)
            inputs[0] = (*inputs[0][:3], ends)
            return {'inputs': inputs, 'command': command(verb, *words[:2], batch, *words[2:]), 'done': done}
        return make

    def row(n, between=';'):
        return f'No{between}Qty\n{n}{between}{n}\n'.encode()

    def kept(program, site, **more):
        """A site with a file that went through and one that was refused, and how they ended."""
        for name, text in KEEPS.items():
            staged.write(f'{site}/{name}', text)
        quiet([program, 'run', '-q', site])
        inputs = [drop(site, 'inbox/orders', b'1.csv', row(1), 'archive'), drop(site, 'inbox/orders', b'2.csv', row(2, ','), 'error')]
        subprocess.run([program, 'run', '-q', site], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
        return inputs

    def retry(program, site):
        """Its format is the right one by now."""
        inputs = kept(program, site)
        path = f'{site}/mappings/orders.format'
        staged.write(path, KEEPS['mappings/orders.format'].replace('delimiter ";"', 'delimiter ","'))
        batch, = os.listdir(f'{site}/error')
        return {'inputs': inputs + [(*inputs[1][:3], 'archive')], 'command': command('retry', batch),
                'done': lambda look: any(w.get('parent') for w in waybills(look))}

    def renew(program, site):
        """A batch whose mapping was changed after it was staged."""
        inputs = send(program, site)['inputs']
        path = f'{site}/mappings/commit.map'
        with open(path) as f:
            text = f.read()
        staged.write(path, text.replace('Got    => Qty', 'Got | 7 => Qty'))
        quiet([program, 'run', '-q', site])
        return {'inputs': inputs, 'command': command('renew', first(site)), 'done': noted('renewed')}

    def purge(program, site):
        """All that lies there is old, but one file."""
        kept(program, site, env=dict(os.environ, WAYBILL_CLOCK=LONG_AGO))
        old = [path for path in glob.glob(f'{site}/archive/2020/**/*', recursive=True)] + glob.glob(f'{site}/error/**', recursive=True)
        for path in sorted(old, reverse=True):
            os.utime(path, (1577934245, 1577934245))
        fresh = drop(site, 'inbox/orders', b'3.csv', row(3), 'archive')
        quiet([program, 'run', '-q', site])
        gone = lambda look: not look.names('archive/2020') and not look.names('error') and not look.names('.waybill/trash')
        return {'inputs': [fresh], 'command': ['purge', 'SITE'], 'done': gone, 'modes': ALONE}

    def reindex(program, site):
        """What was seen is lost; what comes again meanwhile must not be taken for new."""
        inputs = kept(program, site)
        seen = lambda path: sorted(os.path.relpath(p, path) for p in glob.glob(f'{path}/**', recursive=True) if os.path.islink(p))
        want = seen(f'{site}/.waybill/seen')
        shutil.rmtree(f'{site}/.waybill/seen')
        os.mkdir(f'{site}/.waybill/seen', 0o700)
        return {'inputs': inputs, 'command': ['fsck', '--reindex', 'SITE'], 'done': lambda look: seen(look.path('.waybill/seen')) == want,
                'modes': ALONE}

    def exchange(program, site):
        """One file is sent to a partner's server, another is fetched. A power cut here is none there; a server that has done what
        it says it could not do (late) leaves a file that cannot be told from another's, and what it refuses to remove stays."""
        for name, text in KEEPS.items():
            staged.write(f'{site}/{name}', text)
        with open(f'{site}/site.conf', 'a') as f:
            f.write(EXCHANGE)
        bin = f'{os.path.dirname(site)}/bin'
        staged.write(f'{bin}/sftp', SFTP)
        os.chmod(f'{bin}/sftp', 0o755)
        staged.write(f'{site}/known_hosts', '')
        staged.write(f'{site}/far/in/older.csv', 'theirs')
        quiet([program, 'run', '-q', site])
        drop(site, 'outbox/far', b'sent.csv', row(8), '')
        drop(site, 'far/out', b'got.csv', row(9), '')
        left = lambda look: [n for f in ('far/out', 'outbox/far', 'inbox/orders', '.waybill/exchange/far') for n in look.names(f)]
        done = lambda look: left(look) == ['lock'] and look.names('far/in') == ['older.csv', 'sent.csv']
        return {'inputs': [('inbox/orders', b'got.csv', row(9), 'archive')], 'command': ['exchange', 'SITE'], 'done': done,
                'env': {'PATH': f'{bin}:{os.environ["PATH"]}'}, 'modes': ('kill', 'one', 'again', 'fail', 'short'),
                'spares': r' unlink .*/far/out/'}

    sent = [('send', '-q', '-b')]
    return {'hold': by_hand('hold', done=noted('held')), 'release': by_hand('release', before=[('hold',)], done=noted('released')),
            'cancel': by_hand('cancel', ends='archive', done=noted('cancelled')),
            'amend': by_hand('amend', '--message', '1', 'Qty=9', before=sent, done=noted('amended')),
            'resend': by_hand('resend', before=sent, done=noted('began', 'resend')),
            'retry': retry, 'renew': renew, 'purge': purge, 'reindex': reindex, **({'exchange': exchange} if os.path.exists(SERVER) else {})}
