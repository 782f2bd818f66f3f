#!/usr/bin/env python3
"""Writes src/base/charset_table.c from the system's iconv, and src/base/case_table.c from Python's Unicode data.
usage: tests/tools/charset_tables.py        in the root of the project"""
import subprocess
import unicodedata

SETS = [(f'ISO_8859_{i}', f'ISO-8859-{i}') for i in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)]
SETS += [(f'WINDOWS_{i}', f'CP{i}') for i in range(1250, 1259)]
SETS += [(f'IBM{i}', f'IBM{i}') for i in (437, 850, 852)] + [('KOI8_R', 'KOI8-R')]

# Latin, Greek, Cyrillic, Armenian
BLOCKS = [(0x41, 0x58F), (0x1E00, 0x1FFF), (0x2C60, 0x2C7F), (0xA640, 0xA69F), (0xA720, 0xA7FF)]


def character(charset, byte):
    done = subprocess.run(['iconv', '-f', charset, '-t', 'UTF-8'], input=bytes([byte]), capture_output=True)
    return ord(done.stdout.decode()) if done.returncode == 0 and done.stdout else 0


def rows(values, per_line, indent):
    return ''.join(indent + ', '.join(values[i:i + per_line]) + ',\n' for i in range(0, len(values), per_line))


def charsets():
    tables = [(symbol, [character(name, b) for b in range(128, 256)]) for symbol, name in SETS]
    out = '/* Written by tests/tools/charset_tables.py from glibc\'s iconv. */\n#include "charset_table.h"\n\n'
    out += 'const uint16_t charset_high[CHARSET_COUNT][128] = {\n'
    for symbol, t in tables:
        out += f'    [CHARSET_{symbol}] = {{\n' + rows(['0x%04X' % c for c in t], 12, '        ') + '    },\n'
    out += '};\n\nconst uint8_t charset_order[CHARSET_COUNT][128] = {\n'
    for symbol, t in tables:
        order = sorted(range(128), key=lambda i: (t[i], i))
        out += f'    [CHARSET_{symbol}] = {{\n' + rows([str(i) for i in order], 20, '        ') + '    },\n'
    open('src/base/charset_table.c', 'w').write(out + '};\n')


def runs(mapping):
    """(first, last, step, delta): every step-th character of first … last moves by delta."""
    found = []
    for c in sorted(mapping):
        delta = mapping[c] - c
        if found:
            run = found[-1]
            step = c - run[1]
            if run[3] == delta and step in (1, 2) and (run[0] == run[1] or run[2] == step):
                run[1], run[2] = c, step
                continue
        found.append([c, c, 1, delta])
    return found


def simple(c, method):
    """The simple mapping of UnicodeData.txt: one character or none."""
    other = getattr(chr(c), method)()
    if c == 0x130 and method == 'lower':
        return 0x69
    if len(other) == 1:
        return ord(other)
    if method == 'upper' and len(chr(c).title()) == 1 and chr(c).title() != chr(c):
        return ord(chr(c).title())          # ᾳ: its simple upper case is its title case
    return c


def cases():
    out = f'/* Written by tests/tools/charset_tables.py from Unicode {unicodedata.unidata_version}. */\n#include "charset_table.h"\n\n'
    for method in ('lower', 'upper'):
        mapping = {c: simple(c, method) for a, b in BLOCKS for c in range(a, b + 1)}
        found = runs({c: d for c, d in mapping.items() if c != d})
        out += f'const struct case_run case_{method}[] = {{\n'
        out += rows(['{ 0x%04X, 0x%04X, %d, %d }' % tuple(r) for r in found], 4, '    ') + '};\n\n'
        out += f'const size_t case_{method}_count = sizeof case_{method} / sizeof *case_{method};\n\n'
    open('src/base/case_table.c', 'w').write(out.rstrip('\n') + '\n')


charsets()
cases()
