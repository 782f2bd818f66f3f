"""beside.py - files that do not come alone, as workloads of torture.py: companions, and archives whose members are batches

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

    return {'companions': companions, 'unpack': unpack}
