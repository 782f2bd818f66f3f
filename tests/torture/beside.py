"""beside.py - files that do not come alone, as workloads of torture.py: companions, archives whose members are batches, and
documents that are refused in all the ways there are, with what belongs to them

Companions end with the batch that took them ('companion'); members exist as long as the archive that holds them does.
"""
import io, os, subprocess, zipfile

HEADED = 'syntax csv delimiter ";" header yes\n'
DOCS = {
    'mappings/rows.format': HEADED + 'message Doc key No {\n    No   text required\n    File text\n'
                            '    group Line 0..* file lines join No {\n        Qty decimal\n    }\n}\n',
    'mappings/call.format': 'syntax json lines\nmessage Call key No {\n    No    text\n    Sum   decimal\n    Bytes binary\n}\n',
    'mappings/calls.map': 'mapping rows => call\nDoc => Call {\n    key No           => No\n    sum(Line/Qty)    => Sum\n'
                          '    attachment(File) => Bytes\n}\n',
    'site.conf': 'site "Docs"\nzone "UTC"\nflow docs {\n    on yes\n    operation convert {\n'
                 '        take inbox "inbox/docs" ready stable 0s companion lines "lines*.csv" companion "files/{File}"\n'
                 '        give outbox "outbox/calls" name "{file}.jsonl" map calls\n    }\n}\n',
}
PACKED = {
    'mappings/rows.format': HEADED + 'message Row key No {\n    No  text required\n    Qty decimal\n}\n',
    'mappings/copy.map': 'mapping rows => rows\nRow => Row {\n    key No => No\n    Qty    => Qty\n}\n',
    'site.conf': 'site "Packed"\nzone "UTC"\nflow rows {\n    on yes\n    operation convert {\n'
                 '        take inbox "inbox/rows" ready name unpack\n'
                 '        give outbox "outbox/rows" name "{file}" map copy\n    }\n}\n',
}
REFUSED = {
    'mappings/rows.format': HEADED + 'message Doc key No {\n    No   text required\n    File text\n    Cust text\n'
                            '    group Line 0..* file lines join No {\n        Qty decimal\n    }\n'
                            '    group Tax 0..* file taxes join No {\n        Rate decimal\n    }\n}\n',
    'mappings/call.format': DOCS['mappings/call.format'],
    'mappings/short.format': 'syntax csv delimiter ";" header yes\nmessage Row key No {\n    No  text\n    Qty decimal max 5\n}\n',
    'mappings/note.format': 'syntax csv delimiter ";" header yes\nmessage Note {\n    No    text\n    State text\n    Code  text\n}\n',
    'mappings/calls.map': 'mapping rows => call\ntable customers key Cust columns Name\nDoc => Call {\n'
                          '    require $customers[Cust] else wait NO_CUSTOMER "{Cust} is no customer"\n'
                          '    require not(Cust = "no") else reject NOT_THIS "not for {Cust}"\n'
                          '    key No           => No\n    sum(Line/Qty)    => Sum\n    attachment(File) => Bytes\n}\n',
    'mappings/shorts.map': 'mapping rows => short\nDoc => Row {\n    key No => No\n    sum(Line/Qty) * 100 => Qty\n}\n',
    'mappings/notes.map': 'mapping rows => note\nDoc => Note {\n    No => No\n    $outcome/State => State\n    $outcome/Code => Code\n}\n',
    'mappings/customers.format': HEADED + 'message Customer key Cust {\n    Cust text\n    Name text\n}\n',
    'tables/customers.csv': 'Cust;Name\na;A\nno;N\n',
    'site.conf': 'site "Docs"\nzone "UTC"\ntable customers "tables/customers.csv" format customers key Cust\nflow docs {\n    on yes\n'
                 '    reply "outbox/partner"\n    operation convert {\n'
                 '        take inbox "inbox/docs" ready stable 0s companion lines "lines*.csv" companion taxes "taxes*.csv" '
                 'companion "files/{File}"\n'
                 '        give outbox "outbox/calls" name "{No}.jsonl" each map calls\n'
                 '        give outbox "outbox/short" name "{file}.csv" map shorts\n'
                 '        give outbox "outbox/log" name "{file}.log" map notes report\n    }\n}\n',
}


def make(program, site, files):
    for name, text in files.items():
        os.makedirs(os.path.dirname(f'{site}/{name}'), exist_ok=True)
        with open(f'{site}/{name}', 'w') as f:
            f.write(text)
    subprocess.run([program, 'run', '-q', site], check=True)


def workloads(drop):
    def companions(program, site):
        make(program, site, DOCS)
        inbox, inputs = 'inbox/docs', []
        for n in 'AB':
            doc = f'No;File\n{n}1;{n}.txt\n{n}2;\n'
            inputs.append(drop(site, inbox, f'main{n}.csv'.encode(), doc.encode(), 'archive'))
            inputs.append(drop(site, inbox, f'lines{n}.csv'.encode(), f'No;Qty\n{n}1;2\n{n}1;3\n{n}2;4\n'.encode(), 'companion'))
            inputs.append(drop(site, f'{inbox}/files', f'{n}.txt'.encode(), f'attached {n}'.encode(), 'companion'))
        return inputs

    def unpack(program, site):
        make(program, site, PACKED)
        members = {'a.csv': b'No;Qty\n1;1\n', 'b.csv': b'No;Qty\n2;2\n3;3x\n', 'c.csv': b'No;Qty\n4;"4\n'}
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, 'w') as z:
            for name, data in members.items():
                z.writestr(zipfile.ZipInfo(name), data)
        inputs = [drop(site, 'inbox/rows', b'three.zip', packed.getvalue(), 'archive')]
        for name, end in (('a.csv', 'archive'), ('b.csv', 'archive'), ('c.csv', 'error')):
            inputs.append(('inbox/rows', name.encode(), members[name], end, b'three.zip'))
        return inputs

    def refused(program, site):
        make(program, site, REFUSED)
        inbox, inputs = 'inbox/docs', []
        head, docs = 'No;File;Cust\n', {
            'A': 'A1;A1.txt;a\nA2;A2.txt;who\nA3;A3.txt;a\n;;a\nA4;A4.txt;a\nA5;;no\nA6;;a\n', 'B': 'B1;B1.txt;a\n"B2;;a\n', 'C': 'C1;C1.txt;a\n'}
        for n, rows in docs.items():
            inputs.append(drop(site, inbox, f'main{n}.csv'.encode(), (head + rows).encode(), 'error' if n == 'B' else 'archive'))
            lines = {'A': 'A1;1\nA2;2\nA3;3x\nA4;1234\nA9;9\nA5;5\nA6;6\n'}.get(n, f'{n}1;1\n{n}1;2\n{n}2;3\n')
            inputs.append(drop(site, inbox, f'lines{n}.csv'.encode(), f'No;Qty\n{lines}'.encode(), 'companion'))
            inputs.append(drop(site, inbox, f'taxes{n}.csv'.encode(), f'No;Rate\n{n}1;1\n{n}2;2\n'.encode(), 'companion'))
        for name in 'A1', 'A4', 'B1', 'C1':
            inputs.append(drop(site, f'{inbox}/files', f'{name}.txt'.encode(), f'attached {name}'.encode(), 'companion'))
        return inputs

    return {'companions': companions, 'unpack': unpack, 'refused': refused}
