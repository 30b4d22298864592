#!/usr/bin/env python3
"""manpage.py OPTIONS.DEF TEMPLATE OUTPUT - the manual page, its options from the option table.

The table's rows are OPTION_GROUP("title") and OPTION(ID, "name", takes_argument, "argument", "help");
a row whose help is NULL stays out, as it does from -h.
SPDX-License-Identifier: MIT
"""
import re
import sys

STRING = r'(?:"(?:[^"\\]|\\.)*"\s*)+'
ROW = re.compile(r'^OPTION_GROUP\(\s*(?P<group>' + STRING + r')\)'
                 r'|^OPTION\(\s*(?P<id>\w+)\s*,\s*(?P<name>' + STRING + r'),\s*(?P<has>\w+)\s*,\s*'
                 r'(?P<arg>' + STRING + r'|NULL),\s*(?P<help>' + STRING + r'|NULL)\s*\)', re.M)


def unquote(literal):
    """Adjacent C string literals as text; None for NULL."""
    if literal.strip() == 'NULL':
        return None
    pieces = re.findall(r'"((?:[^"\\]|\\.)*)"', literal)
    return re.sub(r'\\(.)', r'\1', ''.join(pieces))


def roff(text):
    text = text.replace('\\', '\\e').replace('-', '\\-')
    return '\\&' + text if text[:1] in ".'" else text


def options(table):
    rows = list(ROW.finditer(table))
    expected = len(re.findall(r'^OPTION(?:_GROUP)?\(', table, re.M))
    if len(rows) != expected:
        sys.exit(f'manpage.py: understood {len(rows)} of {expected} rows')
    for row in rows:
        if row['group']:
            yield f'.SS {roff(unquote(row["group"]))}'
            continue
        help_text = unquote(row['help'])
        if help_text is None:
            continue
        arg = unquote(row['arg']) or ''
        yield '.TP'
        yield f'.B \\-{roff(unquote(row["name"]))}' + (f' \\fI{roff(arg)}\\fR' if arg else '')
        yield roff(help_text[:1].upper() + help_text[1:]) + '.'


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding='utf-8') as f:
        table = f.read()
    with open(sys.argv[2], encoding='utf-8') as f:
        template = f.read()
    with open(sys.argv[3], 'w', encoding='utf-8') as f:
        f.write(template.replace('@OPTIONS@', '\n'.join(options(table))))


if __name__ == '__main__':
    main()
