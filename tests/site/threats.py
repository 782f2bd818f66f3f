#!/usr/bin/env python3
"""threats.py PROGRAM TOOLS TOP - a generated hostile inbox: each row is a file with the end that it must have

In the folder it is started in it makes a site, drops everything, runs once and looks at each file: is it whole in the
archive, whole in error/ with its code and place, or still in the inbox?  Each row prints `ok` or `not ok` with its name.
The rows are those of a threat list: names and kinds of files, XML, CSV and encodings, numbers and dates, JSON, archives.
"""
import gzip, hashlib, io, json, lzma, os, re, struct, subprocess, sys, tarfile, zipfile, zlib

FORMATS = {
    'rows': 'syntax csv delimiter ";" header yes\nencoding utf-8\n\nmessage Row {\n    Id   text required\n    Qty  decimal\n    Note text\n}\n',
    'sheet': 'syntax csv delimiter ";" header yes sheet-safe\nencoding utf-8\n\nmessage Row {\n    Id   text required\n    Qty  decimal\n    Note text\n}\n',
    'exact': 'syntax csv delimiter ";" header exact\nencoding utf-8\n\nmessage Row {\n    Id   text required\n    Qty  decimal\n}\n',
    'short': 'syntax csv delimiter ";" header yes\nencoding utf-8\n\nmessage Row {\n    Id   text required max 40\n}\n',
    'typed': 'syntax csv delimiter ";" header yes\nencoding utf-8\n\nmessage Row {\n    Id   text required\n    Dec  decimal scale 0..4\n'
             '    Mark decimal mark "," grouping "."\n    Day  date pattern "yyyyMMdd"\n    Two  date pattern "yyMMdd"\n    Time time pattern "HHmm"\n}\n',
    'items': 'syntax xml\nencoding utf-8\n\nmessage Item at /Items/Item {\n    Id   text required at @id\n    Qty  decimal\n    Note text\n}\n',
    'spaced': 'syntax xml\nencoding utf-8\nnamespace p "urn:one"\n\nmessage Item at /p:Items/p:Item {\n    Id   text required at @id\n    Note text at p:Note\n}\n',
    'shop': 'syntax json\nencoding utf-8\n\nmessage Item at /items {\n    Id   text required at id\n    Qty  decimal at qty\n    Note text at note\n}\n',
}
for charset in ('windows-1250', 'windows-1252', 'iso-8859-2', 'utf-16'):
    FORMATS[charset] = FORMATS['rows'].replace('utf-8', charset)
ROW = '\nROW <=> Row {\n    Id   <=> Id\n    Qty  <=> Qty\n    Note <=> Note\n}\n'
MAPS = {m: f'mapping {m} <=> rows\n' + ROW.replace('ROW', 'Row') for m in ('windows-1250', 'windows-1252', 'iso-8859-2', 'utf-16')}
MAPS.update({
    'copy': 'mapping rows <=> rows\n' + ROW.replace('ROW', 'Row'),
    'sheet': 'mapping rows => sheet\n' + ROW.replace('ROW', 'Row').replace('<=>', '=>'),
    'exact': 'mapping exact => rows\n\nRow => Row {\n    Id  => Id\n    Qty => Qty\n}\n',
    'narrow': 'mapping rows => windows-1252\n\nRow => Row {\n    Id   => Id\n    Qty  => Qty\n    Note => Note\n}\n',
    'typed': 'mapping typed <=> typed\n\nRow <=> Row {\n' + ''.join(f'    {f} <=> {f}\n' for f in ('Id', 'Dec', 'Mark', 'Day', 'Two', 'Time')) + '}\n',
    'items': 'mapping items <=> rows\n' + ROW.replace('ROW', 'Item'),
    'spaced': 'mapping spaced => rows\n\nItem => Row {\n    Id   => Id\n    Note => Note\n}\n',
    'shop': 'mapping shop <=> rows\n' + ROW.replace('ROW', 'Item'),
    'blank': 'mapping rows => rows\n\nRow => Row {\n    concat(Id, Id, Id, Id, Id, Id, Id, Id) => Id\n}\n',
})
# FLOW: (map, name of outputs, more words for take)
FLOWS = {'names': ('copy', '"{batch}.csv"', ''), 'csv': ('copy', '"{file}"', ''), 'exact': ('exact', '"{file}"', ''),
         'sheet': ('sheet', '"{file}"', ''),
         'typed': ('typed', '"{file}"', ''), 'xml': ('items', '"{file}.csv"', ''), 'spaced': ('spaced', '"{file}.csv"', ''),
         'json': ('shop', '"{file}.csv"', ''), 'narrow': ('narrow', '"{file}"', ''), 'cp1250': ('windows-1250', '"{file}"', ''),
         'cp1252': ('windows-1252', '"{file}"', ''), 'latin2': ('iso-8859-2', '"{file}"', ''), 'utf16': ('utf-16', '"{file}"', ''),
         'packed': ('copy', '"{batch}.csv"', ' unpack'), 'paths': ('copy', '"{Id}.csv" each', ''), 'plain': ('copy', '"{file}"', '')}
HEAD = b'Id;Qty;Note\n'
HEADS = {'typed': b'Id;Dec;Mark;Day;Two;Time\n', 'exact': b'Id;Qty\n'}


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Case:
    """`end` is out, part, error or stay; `code` what must be told; `want` text of the output; `at` (line, column) of the problem."""

    def __init__(self, name, flow, data, end, code=None, want=None, file=None, at=None):
        self.name, self.flow, self.data, self.end, self.code, self.want, self.at = name, flow, data, end, code, want, at
        self.file = file if file is not None else None


CASES = []


def case(name, flow, data, end, code=None, want=None, file=None, at=None):
    CASES.append(Case(name, flow, data, end, code, want, file, at))


# --- names of files -------------------------------------------------------------------------------------------------------

def names():
    all_names = {'newline': b'a\nb.csv', 'escape sequence': b'\x1b]0;pwn\x07.csv', 'percent': b'%n%s.csv', 'dollar': b'$(id).csv',
                 'semicolons': b';id;.csv', 'star': b'*.csv', 'dash': b'-rf', 'blanks': b' .csv ', 'backslash': b'a\\b.csv',
                 'direction override': 'a\u202evsc.exe.csv'.encode(), 'not UTF-8': b'\xff\xfe\x80.csv', 'NFC': 'é.csv'.encode(),
                 'NFD': 'e\u0301.csv'.encode(), 'upper case': b'A.csv', 'lower case': b'a.csv', '255 bytes': b'n' * 251 + b'.csv',
                 'quotes': b'"\'`.csv', 'tag': b'<b>&amp;.csv', 'C1 controls': b'\xc2\x9b31m.csv', 'braces': b'{batch}{Id}.csv',
                 'forged sidecar': b'x.csv.waybill.json', 'JSON in the name': b'","place":"archived","x":".csv', 'DEL': b'\x7f.csv'}
    for i, (name, file) in enumerate(all_names.items()):
        case('name: ' + name, 'names', HEAD + b'n%d;1;x\n' % i, 'out', want=HEAD + b'n%d;1;x\n' % i, file=file)
    case('name: a bad row, told without harm', 'names', HEAD + b'ok;1;\nbad\x1b[31m;1x;\n', 'part', 'NUM_BAD', file=b'\x1b[2J\r\nbad.csv')
    for i, file in enumerate((b'.hidden', b'x.part', b'x.csv.tmp', b'~$x.xlsx', b'Thumbs.db', b'.waybill', b'..csv')):
        case('name: ' + file.decode() + ' is passed over', 'names', HEAD + b'h%d;1;\n' % i, 'stay', file=file)
    case('same name came in another inbox', 'plain', HEAD + b'same;1;\n', 'out', file=b'A.csv')
    case('same content, new name: the first', 'plain', HEAD + b'dup;1;\n', 'out', file=b'dup1.csv')
    for i, hostile in enumerate((b'../../x', b'-rf', b'.waybill/x', b'..', b'/etc/x', b'x\ty', b'"";rm', b'a/b', b'$(id)', b'x' * 300, b'\xe2\x80\xae')):
        case(f'output named by data: {hostile[:12]!r}', 'paths', HEAD + b'%s;%d;\n' % (hostile if b'"' not in hostile else b'"' + hostile + b'"', i), 'out')


# --- XML ------------------------------------------------------------------------------------------------------------------

def items(body, head=b''):
    return head + b'<Items>' + body + b'</Items>'


GOOD = b'<Item id="1"><Qty>1</Qty></Item>'


def xml():
    def bad(name, code, data):
        case('xml: ' + name, 'xml', data, 'error', code)
    laughs = b'<!DOCTYPE Items [<!ENTITY a0 "lol">' + b''.join(b'<!ENTITY a%d "%s">' % (i, b'&a%d;' % (i - 1) * 10) for i in range(1, 10)) + b']>'
    bad('billion laughs', 'XML_DTD', items(b'<Item id="&a9;"/>', laughs))
    bad('quadratic entity', 'XML_DTD', items(b'<Item id="q"><Note>' + b'&a;' * 50000 + b'</Note></Item>', b'<!DOCTYPE Items [<!ENTITY a "' + b'x' * 100000 + b'">]>'))
    bad('external entity', 'XML_DTD', items(b'<Item id="&x;"/>', b'<!DOCTYPE Items [<!ENTITY x SYSTEM "file:///etc/passwd">]>'))
    bad('parameter entity', 'XML_DTD', items(GOOD, b'<!DOCTYPE Items [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]>'))
    case('xml: external DTD is never loaded', 'xml', items(GOOD, b'<!DOCTYPE Items SYSTEM "file:///etc/passwd">'), 'out')
    bad('ATTLIST of 20,000', 'XML_DTD', items(GOOD, b'<!DOCTYPE Items [<!ATTLIST Item ' + b''.join(b'a%d CDATA "1" ' % i for i in range(20000)) + b'>]>'))
    bad('200,000 entities', 'XML_DTD', items(GOOD, b'<!DOCTYPE Items [' + b''.join(b'<!ENTITY e%d "x">' % i for i in range(200000)) + b']>'))
    bad('100,000 attributes', 'LIMIT_ATTRIBUTES', items(b'<Item ' + b' '.join(b'a%d="1"' % i for i in range(100000)) + b'/>'))
    bad('depth 100,000', 'LIMIT_DEPTH', b'<Items>' * 100000)
    bad('text of 11 MB', 'LIMIT_FIELD', items(b'<Item id="1"><Note>' + b'x' * (11 << 20) + b'</Note></Item>'))
    bad('attribute of 11 MB', 'LIMIT_TAG', items(b'<Item id="' + b'x' * (11 << 20) + b'"/>'))
    case('xml: xi:include is an element like any other', 'xml', items(b'<Item id="1"><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd" parse="text"/></Item>'), 'out', want=HEAD + b'1;;\n')
    bad('NUL', 'XML_CHAR', items(b'<Item id="a\0b"/>'))
    bad('bytes that are not UTF-8', 'XML_ENCODING', items(b'<Item id="\xff\xfe\xc0\x80"/>'))
    bad('UTF-7 declared', 'XML_ENCODING', items(GOOD, b'<?xml version="1.0" encoding="UTF-7"?>'))
    for name, way in (('ISO-2022-JP', 'iso2022_jp'), ('EBCDIC', 'cp037'), ('UTF-32', 'utf-32-le')):
        first = f'<?xml version="1.0" encoding="{"IBM037" if way == "cp037" else name}"?>'.encode(way)
        bad(f'external entity in {name}', 'XML_', first + items(b'<Item id="1"><Note>&x;</Note></Item>', b'<!DOCTYPE Items [<!ENTITY x SYSTEM "file:///etc/passwd">]>').decode().encode(way))
        bad(f'laughs in {name}', 'XML_', first + items(b'<Item id="&a9;"/>', laughs).decode().encode(way))
        limit = None if 'UTF' in name else 'LIMIT_'         # libxml2 may refuse it before that
        bad(f'100,000 attributes in {name}', limit, first + items(b'<Item ' + b' '.join(b'a%d="1"' % i for i in range(100000)) + b'/>').decode().encode(way))
        bad(f'depth in {name}', limit, first + (b'<Items>' * 1000).decode().encode(way))
        bad(f'text of 11 MB in {name}', limit, first + items(b'<Item id="1"><Note>' + b'x' * (11 << 20) + b'</Note></Item>').decode().encode(way))
    bad('an encoding that is none', 'XML_ENCODING', items(GOOD, b'<?xml version="1.0" encoding="nosuch"?>'))
    bad('UTF-16 without BOM', None, items(GOOD).decode().encode('utf-16-le'))
    bad('BOM against the declaration', 'XML_ENCODING', b'\xef\xbb\xbf' + items(GOOD, b'<?xml version="1.0" encoding="iso-8859-1"?>'))
    bad('EBCDIC', None, items(GOOD).decode().encode('cp500'))
    bad('two roots', 'XML_AFTER_ROOT', items(GOOD) + b'<Items/>')
    bad('trailing garbage', 'XML_AFTER_ROOT', items(GOOD) + b'garbage')
    bad('truncated', 'XML_TRUNCATED', items(GOOD)[:-5])
    bad('&#0;', 'XML_CHAR', items(b'<Item id="&#0;"/>'))
    bad('a surrogate', 'XML_CHAR', items(b'<Item id="&#xD800;"/>'))
    bad('beyond Unicode', 'XML_CHAR', items(b'<Item id="&#x110000;"/>'))
    bad('a number without end', None, items(b'<Item id="&#' + b'9' * 3000 + b';"/>'))
    bad('80,000 namespaces', 'LIMIT_', items(b'<Item ' + b' '.join(b'xmlns:n%d="u"' % i for i in range(80000)) + b' id="1"/>'))
    bad('100 namespaces', 'LIMIT_NAMESPACES', items(b'<Item ' + b' '.join(b'xmlns:n%d="u"' % i for i in range(100)) + b' id="1"/>'))
    case('xml: stylesheet is not followed', 'xml', items(GOOD, b'<?xml-stylesheet href="file:///etc/passwd"?>'), 'out')
    case('xml: 20 MB of comments', 'xml', items(b'<!--' + b'x' * (20 << 20) + b'-->' + b'<Item id="c"/>'), 'out', want=HEAD + b'c;;\n')
    case('xml: CDATA that is split', 'xml', items(b'<Item id="s"><Note><![CDATA[a]]]]><![CDATA[>b]]></Note></Item>'), 'out', want=HEAD + b's;;a]]>b\n')
    p = b'<q:Items xmlns:q="urn:one"><q:Item id="1"><q:Note>yes</q:Note><Note>no</Note></q:Item></q:Items>'
    case('xml: another prefix, the same namespace', 'spaced', p, 'out', want=HEAD + b'1;;yes\n')
    p = b'<p:Items xmlns:p="urn:one"><p:Item id="1" xmlns:p="urn:two"><p:Note>no</p:Note></p:Item><Item xmlns="urn:one" id="2"><Note>yes</Note><Note xmlns="">no</Note></Item></p:Items>'
    case('xml: prefixes that change', 'spaced', p, 'out', want=HEAD + b'2;;yes\n')


# --- CSV, encodings, numbers, dates -----------------------------------------------------------------------------------------

def csv():
    def bad(name, code, data, at=None, flow='csv', end='error', want=None):
        case(f'{flow}: {name}', flow, data, end, code, want, at=at)

    def good(name, data, want=None, flow='csv'):
        case(f'{flow}: {name}', flow, data, 'out', want=data if want is None else want)
    bad('a quote without end, told where it begins', 'CSV_QUOTE', HEAD + b'a;"b\nc;d\n', (2, 3))
    bad('a quote within', 'CSV_STRAY_QUOTE', HEAD + b'a"b;1;\n', (2, 2), end='part')
    bad('text behind a quote', 'CSV_STRAY_QUOTE', HEAD + b'"a"x;1;\n', (2, 4), end='part')
    bad('NUL', 'CSV_NUL', HEAD + b'a\0b;1;\n', (2, 2), end='part')
    good('BOM at the front goes', b'\xef\xbb\xbf' + HEAD + b'bom;1;\n', HEAD + b'bom;1;\n')
    good('BOM within stays, in quotes', HEAD + b'x;1;\xef\xbb\xbfy\n', HEAD + b'x;1;"\xef\xbb\xbfy"\n')
    good('blanks stay', HEAD + b'"  a  ";1;\t b \n', HEAD + b'"  a  ";1;"\t b "\n')
    good('mixed line ends', b'Id;Qty;Note\r\na;1;x\nb;2;"y\rz"\r\nc;3;last', None if False else b'Id;Qty;Note\na;1;x\nb;2;"y\rz"\nc;3;last\n')
    bad('a row of 20 MB', 'LIMIT_FIELD', HEAD + b'x' * (20 << 20))
    bad('20 M columns', None, HEAD + b';' * (20 << 20))
    bad('a heading of a million columns', None, b'c;' * 1000000)
    bad('a short row', 'ROW_SHORT', HEAD + b'a\nb;1;x\n', (2, 1), end='part', want=HEAD + b'b;1;x\n')
    bad('a long row', 'ROW_LONG', HEAD + b'a;1;x;y\nb;1;x\n', (2, 7), end='part', want=HEAD + b'b;1;x\n')
    bad('a title twice', 'CSV_HEADER_TWICE', b'Id;Id;Qty;Note\na;b;1;x\n')
    good('a heading only', HEAD)
    bad('nothing at all', 'EMPTY_FILE', b'')
    bad('the delimiter is another', 'CSV_COLUMN', b'Id,Qty,Note\na,1,x\n')
    bad('another heading', 'CSV_HEADER', b'Qty;Id\n1;a\n', flow='exact')
    good('formulas are data', HEAD + "=cmd|'/c calc'!A0;-5.00;+1+1\n-2+3;1;@SUM(A1)\n\"\t=1\";1;\uff1d1\n".encode())
    case('sheet: formulas are guarded for people, and counted', 'sheet', HEAD + "=cmd|'/c calc'!A0;-5.00;+1+1\n-2+3;1;@SUM(A1)\n+4712;1;\uff1d1\n".encode(),
         'out', 'TEXT_GUARDED', HEAD + "'=cmd|'/c calc'!A0;-5.00;'+1+1\n'-2+3;1;'@SUM(A1)\n+4712;1;'\uff1d1\n".encode())
    good('Polish in windows-1250', HEAD + b'\xb9\xe6\xea\xb3\xf3\x9c\x9f\xbf\xf1;1;\n', HEAD + 'ąćęłóśźżń;1;\n'.encode(), 'cp1250')
    good('the same bytes in windows-1252', HEAD + b'\xb9\xe6\xea\xb3\xf3\x9c\x9f\xbf\xf1;1;\n', HEAD + '¹æê³óœŸ¿ñ;1;\n'.encode(), 'cp1252')
    good('the same bytes in iso-8859-2', HEAD + b'\xb1\xe6\xea\xb3\xf3\xb6\xbc\xbf\xf1;1;\n', HEAD + 'ąćęłóśźżń;1;\n'.encode(), 'latin2')
    for b in (0x81, 0x8d, 0x8f, 0x90, 0x9d):
        bad(f'byte {b:02x} is no character', 'ENCODING_BAD', HEAD + b'ok;1;\na%cb;1;\n' % b, (3, 2), 'cp1252', 'part')
    for b in (0x81, 0x83, 0x88, 0x90, 0x98):
        bad(f'byte {b:02x} is no character', 'ENCODING_BAD', HEAD + b'ok;1;\na%cb;1;\n' % b, (3, 2), 'cp1250', 'part')
    bad('a character without place in the output', 'CHARSET_CANNOT', HEAD + 'ok;1;\na;1;ą\n'.encode(), None, 'narrow', 'part')
    for name, b in (('overlong', b'\xc0\xaf'), ('surrogate', b'\xed\xa0\x80'), ('beyond Unicode', b'\xf4\x90\x80\x80'), ('cut', b'\xe2\x82')):
        bad('UTF-8: ' + name, 'ENCODING_BAD', HEAD + b'ok;1;\na' + b + b';1;\n', (3, 2), end='part')
    bad('UTF-8: cut at the end of a block', 'ENCODING_BAD', HEAD + b'x' * 65500 + b';1;\n' + b'y' * 20 + b'\xe2\x82;1;\n', end='part')
    good('UTF-16 with BOM', '\ufeffId;Qty;Note\na;1;ü\n'.encode('utf-16-le'), HEAD + 'a;1;ü\n'.encode(), 'utf16')
    bad('UTF-16 of odd length', 'ENCODING_BAD', '\ufeffId;Qty;Note\na;1;ü\n'.encode('utf-16-le')[:-1], None, 'utf16', None)
    bad('UTF-16 with a lone surrogate', 'ENCODING_BAD', '\ufeffId;Qty;Note\nok;1;\nb'.encode('utf-16-le') + b'\x00\xd8\x41\x00' + ';1;\n'.encode('utf-16-le'), None, 'utf16', None)
    typed()


def typed():
    def one(column, text, ok):
        cells = [b'bad'] + [text if c == column else b'' for c in ('Dec', 'Mark', 'Day', 'Two', 'Time')]
        code = None if ok else 'NUM_' if column in ('Dec', 'Mark') else 'DATE_'
        case(f'typed: {column} {text[:20].decode()}{"…" if len(text) > 20 else ""}', 'typed', HEADS['typed'] + b'ok;;;;;\n' + b';'.join(cells) + b'\n', 'out' if ok else 'part', code)
    for text in (b'1e308', b'NaN', b'0x10', b'1.234,56', b'1,234.56', b'--5', '\u0661\u0662'.encode(), b'1 000', b'Infinity', b'1.23456', b'+-1'):
        one('Dec', text, False)
    for text in (b'-0', b'.5', b'5.', b'0.1000', b'9' * 10000):
        one('Dec', text, True)
    for text, ok in ((b'1.234,56', True), (b'1,234.56', False), (b'1,2,3', False)):
        one('Mark', text, ok)
    for text in (b'20230229', b'00000000', b'20241301', b'20240230', b'2024-01-01', b'99991232', b'2024W531'):
        one('Day', text, False)
    one('Day', b'99991231', True)
    one('Day', b'20240229', True)
    one('Two', b'240230', False)
    one('Two', b'690101', True)
    for text, ok in ((b'2400', False), (b'2360', False), (b'2359', True), (b'-100', False)):
        one('Time', text, ok)


# --- JSON -----------------------------------------------------------------------------------------------------------------

def json_cases():
    def bad(name, code, data, end='error'):
        case('json: ' + name, 'json', data, end, code)
    bad('a million brackets', 'LIMIT_DEPTH', b'[' * 1000000)
    bad('deep within what no format names', 'LIMIT_DEPTH', b'{"x":' + b'[' * 100000 + b']' * 100000 + b',"items":[]}')
    bad('a name twice', 'JSON_KEY_TWICE', b'{"items":[{"id":"1","id":"2"}]}')
    bad('cut', 'JSON_TRUNCATED', b'{"items":[{"id":"1"}')
    bad('a lone surrogate', None, b'{"items":[{"id":"\\ud800"}]}')
    bad('a raw control byte', 'JSON_CONTROL', b'{"items":[{"id":"a\x1bb"}]}')
    bad('not UTF-8', 'JSON_ENCODING', b'{"items":[{"id":"a\xffb"}]}')
    bad('NaN', None, b'{"items":[{"id":"1","qty":NaN}]}')
    bad('1e999999999', None, b'{"items":[{"id":"1","qty":1e999999999}]}', None)
    bad('a number of 100,000 digits', None, b'{"items":[{"id":"1","qty":' + b'9' * 100000 + b'}]}', None)
    bad('a text of 5 MB', 'LIMIT_FIELD', b'{"items":[{"id":"' + b'x' * (5 << 20) + b'"}]}')
    bad('more behind the end', 'JSON_AFTER', b'{"items":[]} {"items":[]}')
    bad('nothing but blanks', 'JSON_EMPTY', b' \n \n')
    case('json: \\u0000 and \\u001b in a text come out as they can', 'json', b'{"items":[{"id":"a\\u001bb"},{"id":"c"}]}', None)


# --- archives -------------------------------------------------------------------------------------------------------------

def zipped(members, **how):
    b = io.BytesIO()
    with zipfile.ZipFile(b, 'w', zipfile.ZIP_DEFLATED, **how) as z:
        for name, data in members:
            i = zipfile.ZipInfo('x')
            i.filename, i.compress_type = name, zipfile.ZIP_DEFLATED
            z.writestr(i, data)
    return b.getvalue()


def tarred(*members):
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode='w') as t:
        for name, kind, link, data in members:
            i = tarfile.TarInfo(name)
            i.type, i.linkname, i.size = kind, link, len(data)
            t.addfile(i, io.BytesIO(data))
    return b.getvalue()


def overlapping():
    """Many entries of the directory lead to one member: after Fifield, 2019."""
    n, data = 100, b'Id;Qty;Note\n' + b'0;0;\n' * 20000
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packed.compress(data) + packed.flush()
    crc = zlib.crc32(data)
    local = struct.pack('<IHHHHHIIIHH', 0x04034b50, 20, 0, 8, 0, 0x21, crc, len(packed), len(data), 5, 0) + b'a.csv' + packed
    entry = b''
    for i in range(n):
        entry += struct.pack('<IHHHHHHIIIHHHHHII', 0x02014b50, 20, 20, 0, 8, 0, 0x21, crc, len(packed), len(data), 5, 0, 0, 0, 0, 0, 0) + b'%03d.c' % i
    return local + entry + struct.pack('<IHHHHIIH', 0x06054b50, 0, 0, n, n, len(entry), len(local), 0)


def zeros():
    """A zip of one file of 4 GB."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    part = deflate.compress(b'\0' * (16 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)      # refers to nothing before it: may be repeated
    data = part * 255 + zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    head = (20, 0, 8, 0, 0x21, 0xb9401305, len(data), 255 << 24, 5, 0)                 # the checksum of so many zeros
    out = struct.pack('<IHHHHHIIIHH', 0x04034b50, *head) + b'0.dll' + data
    entry = struct.pack('<IHHHHHHIIIHHHHHII', 0x02014b50, 20, *head, 0, 0, 0, 0, 0) + b'0.dll'
    return out + entry + struct.pack('<IHHHHIIH', 0x06054b50, 0, 0, 1, 1, len(entry), len(out), 0)


def bomb():
    """42.zip as it is known: sixteen archives within sixteen archives, five deep, at the bottom files of 4 GB of zeros."""
    out = zeros()
    for name in ('page', 'doc', 'chapter', 'book', 'lib'):
        out = zipped([(f'{name} {i:x}.zip', out) for i in range(16)])
    return out


def archives():
    good = HEAD + b'good;1;\n'

    def bad(name, code, data):
        case('archive: ' + name, 'packed', data, 'error', code)
    for i, name in enumerate(('../../evil.csv', '/abs.csv', 'a\\..\\b.csv', 'C:\\x', 'C:/x', 'a/../../b.csv', 'new\nline.csv', 'm' * 256, 'x/' + 'd/' * 200 + 'e', '..')):
        bad(f'member {name[:16]!r}', 'UNPACK_NAME', zipped([('fine%d.csv' % i, good), (name, good)]))
        if i != 2:
            bad(f'tar member {name[:16]!r}', 'UNPACK_NAME', tarred(('fine.csv', tarfile.REGTYPE, '', good + b'%d;;\n' % i), (name, tarfile.REGTYPE, '', good)))
    reg, sym = tarfile.REGTYPE, tarfile.SYMTYPE
    bad('a link, then a file through it', 'UNPACK_KIND', tarred(('lnk', sym, '/tmp', b''), ('lnk/pwn.csv', reg, '', good)))
    bad('a hard link', 'UNPACK_KIND', tarred(('h.csv', tarfile.LNKTYPE, '/etc/passwd', b'')))
    bad('a device', 'UNPACK_KIND', tarred(('d.csv', tarfile.CHRTYPE, '', b'')))
    bad('a fifo', 'UNPACK_KIND', tarred(('f.csv', tarfile.FIFOTYPE, '', b'')))
    bad('300 MB of zeros', 'LIMIT_UNPACK', zipped([('z.csv', b'\0' * (300 << 20))]))
    nested = bomb()
    bad('42.zip', 'UNPACK_NESTED', nested)
    bad('42.zip whose members have other names', 'UNPACK_NESTED', nested.replace(b'.zip', b'.csv'))
    bad('4 GB of zeros, and nothing within', 'LIMIT_UNPACK', zeros())
    bad('10,001 members', 'LIMIT_UNPACK', zipped([('%05d.csv' % i, b'Id;Qty;Note\n') for i in range(10001)]))
    case('archive: a member name ends at NUL', 'packed', zipped([('nulX/../x.csv', HEAD + b'nul;1;\n')]).replace(b'nulX', b'nul\0'), 'out')
    bad('an archive within', 'UNPACK_NESTED', zipped([('a.csv', good), ('in.zip', zipped([('b.csv', good)]))]))
    bad('gzip of gzip', 'UNPACK_NESTED', gzip.compress(gzip.compress(b'0' * 50000000)))
    bad('members that overlap', None, overlapping())
    bad('a name twice', 'UNPACK_TWICE', tarred(('t.csv', reg, '', good), ('t.csv', reg, '', good)))
    z = zipped([('a.csv', HEAD + b'%d;1;\n' * 30 % tuple(range(30)))])
    at = z.index(b'PK\1\2')
    bad('a member longer than it declares', None, z[:at + 24] + struct.pack('<I', 10) + z[at + 28:])
    bad('encrypted', None, z[:6] + b'\1\0' + z[8:at + 8] + b'\1\0' + z[at + 10:])
    bad('cut off', 'UNPACK_DAMAGED', z[:-30])
    bad('cut off within a member', 'UNPACK_DAMAGED', z[:60])
    bad('names that differ in head and directory', None, z.replace(b'a.csv', b'/evil', 1))
    case('archive: bytes in front', 'packed', b'#!/bin/sh\nexit\n' + z, 'error', None)
    case('archive: text that looks like mtree', 'packed', b'#mtree\n./etc/passwd type=file mode=644\n', 'error', 'CSV_COLUMN')
    bad('a broken checksum in xz', 'UNPACK_DAMAGED', lzma.compress(good * 50)[:-30] + bytes(b ^ 1 for b in lzma.compress(good * 50)[-30:-29]) + lzma.compress(good * 50)[-29:])
    bad('bytes behind the xz', None, lzma.compress(good + b'c;1;\n') + b'garbage')
    bad('gz cut off', 'UNPACK_DAMAGED', gzip.compress(good * 99)[:-20])
    bad('a broken checksum within tar.gz', 'UNPACK_DAMAGED', gzip.compress(tarred(('c.csv', reg, '', good)))[:-8] + b'\0' * 8)
    bad('a tar cut off', 'UNPACK_DAMAGED', tarred(('c.csv', reg, '', good * 100))[:1000])
    bad('a zip without its directory', 'UNPACK_DAMAGED', z[:at])
    bad('another checksum in a zip', 'UNPACK_DAMAGED', z[:14] + b'\0' * 4 + z[18:at + 16] + b'\0' * 4 + z[at + 20:])
    case('archive: two gz in a row are one', 'packed', gzip.compress(good) + gzip.compress(b'two;1;\n'), 'out')
    bad('a broken checksum', 'UNPACK_DAMAGED', gzip.compress(good)[:-8] + b'\0' * 8)
    bad('bytes behind the gz', None, gzip.compress(good + b'b;1;\n') + b'garbage')
    bad('no member at all', None, zipped([]))
    case('archive: a good one beside', 'packed', zipped([('inside.csv', HEAD + b'inside;1;\n')]), 'out')


# --- the site -------------------------------------------------------------------------------------------------------------

def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as f:
        f.write(data)


def make_site(site):
    for n, text in FORMATS.items():
        write(f'{site}/mappings/{n}.format', text.encode())
    for n, text in MAPS.items():
        write(f'{site}/mappings/{n}.map', text.encode())
    conf = 'site "Threats"\nzone "Europe/Oslo"\n'
    for n, (m, name, more) in FLOWS.items():
        conf += f'flow {n} {{\n    on yes\n    operation convert {{\n        take inbox  "inbox/{n}" ready name{more}\n        give outbox "outbox/{n}" name {name} map {m}\n    }}\n}}\n'
        os.makedirs(f'{site}/inbox/{n}')
    write(f'{site}/site.conf', conf.encode())


def drop(site):
    seen = set()
    for i, c in enumerate(CASES):
        if c.file is None:
            c.file = b'%03d.csv' % i
        if (c.flow, c.data) in seen:
            c.data += b'\n' if c.flow == 'csv' else b''
        seen.add((c.flow, c.data))
        write(os.fsencode(f'{site}/inbox/{c.flow}/') + c.file, c.data)


def waybills(site):
    out = {}
    for d, _, files in os.walk(site):
        for f in files:
            if f.endswith('.waybill.json') and '/inbox/' not in d + '/':
                with open(f'{d}/{f}', 'rb') as h:
                    data = h.read()
                w = json.loads(data)
                if not w.get('parent'):
                    out.setdefault((w['inbox'], w['sha256']), []).append((w, os.path.relpath(d, site).split('/')[0], d, data))
    return out


def problems_of(w, folder, site):
    """All that was told of the batch: in the waybill, and in the lines beside it."""
    return w.get('problems', []) + ([{'code': w['error_code'], 'text': w.get('error_text', '')}] if w.get('error_code') else [])


def look(c, site, found, faults):
    path = os.fsencode(f'{site}/inbox/{c.flow}/') + c.file
    here = found.get((f'inbox/{c.flow}', sha(c.data)), [])
    if os.path.lexists(path):
        return faults.append('it is still in the inbox') if c.end != 'stay' else None
    if c.end == 'stay':
        return faults.append('it was taken')
    if not here:
        return faults.append('no waybill tells of it')
    places = {p for _, p, _, _ in here}
    told = [q for w, _, d, _ in here for q in problems_of(w, d, site)]
    codes = {q['code'] for q in told}
    want = {'out': {'archive'}, 'part': {'archive', 'error'}, 'error': {'error'}}.get(c.end)
    if want and places - want or c.end in ('part', 'error') and 'error' not in places:
        faults.append(f'it lies in {sorted(places)}, told {sorted(codes)}')
    if c.code and not any(q.startswith(c.code) for q in codes):
        faults.append(f'told {sorted(codes)} instead of {c.code}')
    if c.end in ('part', 'error') and not any(q.get('line') or q.get('offset') is not None or q.get('byte') is not None or q.get('message') or 'member' in q.get('text', '') for q in told) \
            and not codes & {'EMPTY_FILE', 'UNPACK_DAMAGED', 'UNPACK_NESTED', 'UNPACK_SECRET', 'JSON_EMPTY', 'XML_SYNTAX'}:
        faults.append(f'no place: {told}')
    if c.at and c.at not in {(q.get('line'), q.get('column')) for q in told}:
        faults.append(f'told at {[(q.get("line"), q.get("column")) for q in told]} instead of {c.at}')
    if c.end == 'error' and not kept(c, here):
        faults.append('its bytes are not in error/')
    outs = sorted({(o['name'], f'{site}/outbox/{c.flow}/' + o['name']) for w, _, _, _ in here for o in w.get('outputs', [])})
    if c.end == 'error' and outs:
        faults.append(f'and yet there are outputs: {outs}')
    if c.want is not None:
        got = [open(p, 'rb').read() for _, p in outs if os.path.exists(p)]
        if got != [c.want]:
            faults.append(f'output {got} instead of {c.want}')


def kept(c, here):
    for _, place, d, _ in here:
        for f in os.listdir(os.fsencode(d)) if place == 'error' else []:
            p = os.path.join(os.fsencode(d), f)
            if os.path.isfile(p) and open(p, 'rb').read() == c.data:
                return True
    return False


def verdict(name, faults):
    print(('not ok ' if faults else 'ok ') + name.encode('unicode_escape').decode())
    for f in faults:
        print('# ' + ascii(f)[:600])
    return bool(faults)


def harmless(name, data, many=True):
    """No control bytes, no broken UTF-8, nothing that turns the direction of a text."""
    text = data.decode('utf-8', 'surrogateescape')
    bad = sorted({c for c in text if (ord(c) < 32 and c not in '\n\t') or 0x7f <= ord(c) < 0xa0 or 0xd800 <= ord(c) < 0xe000 or c in '\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff'})
    return verdict(name + ': no raw control bytes', [f'{bad} in {[l for l in text.split(chr(10)) if any(b in l for b in bad)][:2]}'] if bad else [])


class Program:
    def __init__(self, path, site):
        self.path, self.site = path, site

    def run(self, *args, text=False):
        return subprocess.run([self.path, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def told(program, site, found, said):
    """What people and programs are shown of all this."""
    bad = harmless('what `run` says', said)
    taken = sum(len({w['batch'] for w, *_ in entries}) for entries in found.values())
    accepted = sum(1 for l in said.split(b'\n') if re.match(rb'time=\S+ level=info event=accepted batch=\S+ flow=\S+ operation=convert file=.*$', l))
    bad |= verdict('the log has one line for each that was accepted', [] if accepted >= taken > 0 else [f'{accepted} lines, {taken} batches'])
    s = program.run('status', site)
    bad |= harmless('status', s.stdout + s.stderr)
    bad |= verdict('status --json is JSON', [] if json_ok(program.run('status', '--json', site).stdout) else ['it is not'])
    shown, wrong = b'', []
    for entries in found.values():
        for w, _, _, data in entries:
            a, b = program.run('show', '--dir', site, w['batch']), program.run('show', '--json', '--dir', site, w['batch'])
            shown += a.stdout + a.stderr
            if not json_ok(b.stdout):
                wrong.append(f'show --json {w["batch"]}: {b.stdout[:100]} {b.stderr[:200]}')
            shown += data + b.stdout
    bad |= harmless('show, show --json and the waybills', shown)
    bad |= verdict('show --json is JSON', wrong)
    lines = b''
    for d, _, files in os.walk(site + '/archive'):
        for f in files:
            if f.endswith('.jsonl'):
                data = open(f'{d}/{f}', 'rb').read()
                lines += data
                wrong += [f'{f}: {l[:80]}' for l in data.splitlines() if not json_ok(l)]
    bad |= harmless('lines files', lines)
    return bad | verdict('lines files are one JSON a line', wrong)


def json_ok(data):
    try:
        json.loads(data.decode('utf-8'))
        return True
    except ValueError:
        return False


def outside(site, top, before):
    """Nothing may have come into being beside the site."""
    after = listing(top, site)
    return verdict('nothing beside the site was touched', [f'{k}: {before.get(k)} -> {after.get(k)}' for k in sorted(set(before) ^ set(after) | {k for k in before if before[k] != after.get(k)})][:5])


def listing(top, site):
    out = {}
    for d, dirs, files in os.walk(top):
        dirs[:] = [x for x in dirs if os.path.join(d, x) != site]
        for f in files:
            p = os.path.join(d, f)
            out[p] = (os.lstat(p).st_size, os.lstat(p).st_mtime_ns)
    return out


def main():
    path, site = os.path.abspath(sys.argv[1]), os.path.abspath('site')
    only = sys.argv[2] if len(sys.argv) > 2 else ''
    for make in (names, xml, csv, json_cases, archives):
        make()
    CASES[:] = [c for c in CASES if only in c.name]
    make_site(site)
    drop(site)
    program, before = Program(path, site), listing(os.getcwd(), site)
    r = program.run('run', '--no-fsync', site)
    failed = verdict('the run ends with 1: some were refused', [] if r.returncode == 1 or only else [f'{r.returncode}: {r.stderr[-500:]}'])
    found = waybills(site)
    for c in CASES:
        faults = []
        look(c, site, found, faults)
        failed |= verdict(c.name, faults)
    failed |= outside(site, os.getcwd(), before)
    failed |= told(program, site, found, r.stdout + r.stderr)
    out = [f for _, _, files in os.walk(site + '/outbox/paths') for f in files]
    failed |= verdict('names of outputs are jailed', [f for f in out if not re.fullmatch(r'[A-Za-z0-9_][^\x00-\x1f/]{0,254}', f)] + [f for d, sub, _ in os.walk(site + '/outbox/paths') for f in sub])
    f = program.run('fsck', site)
    failed |= verdict('fsck finds nothing', [] if f.returncode == 0 else [f.stdout.decode('latin1')[:1500]])
    again = program.run('run', '--no-fsync', site)
    failed |= verdict('another run has nothing to do', [] if again.returncode == 0 else [again.stderr.decode('latin1')[-500:]])
    return int(failed)


if __name__ == '__main__':
    sys.exit(main())
