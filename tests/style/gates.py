#!/usr/bin/env python3
"""gates.py ROOT - the style gates that only read the tree.

layers     src/X includes only what lies below it (docs/architecture.md)
voices     only main/ and monitor/ print or exit
sizes      no file over 1200 lines, no function over 120, tables aside
budget     a device file pulls in fewer than 25 project headers and 4000 lines of them
heads      every source names its licence, every header has #pragma once
words      no path of one machine, no unfinished business
strays     nothing is tracked that is built, dumped or large
SPDX-License-Identifier: MIT
"""
import os
import re
import sys

sys.dont_write_bytecode = True
import tree  # noqa: E402

LAYERS = {
    'base': 0,
    'event': 1, 'object': 1,
    'memory': 2, 'jit': 2, 'block': 2, 'chardev': 2, 'net': 2, 'ui': 2,
    'cpu': 3, 'arch': 4, 'accel': 5, 'dev': 6, 'firmware': 7, 'machine': 8,
    'migration': 9, 'monitor': 10, 'main': 11,
}
BANS = {('dev', 'arch'), ('dev', 'accel'), ('dev', 'jit'),
        *(('jit', folder) for folder in LAYERS if folder not in ('base', 'jit'))}
# Folders whose subfolders are siblings: one guest, one accelerator, one host does not know another.
SPLIT = ('arch', 'accel', 'jit')
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
FILE_LINES, FILE_NOTE, FUNCTION_LINES, FUNCTION_NOTE = 1200, 800, 120, 60
BUDGET_FILES, BUDGET_LINES = 25, 4000


def includes(tree_, path):
    for number, line in tree_.lines(path):
        if m := INCLUDE.match(line):
            yield number, m[1]


def may_include(own, other):
    """May a file of src/<own> (folders) include src/<other>?"""
    if own[0] == other[0]:
        return not (own[0] in SPLIT and len(own) > 1 and len(other) > 1 and own[1] != other[1])
    return LAYERS[other[0]] < LAYERS[own[0]] and (own[0], other[0]) not in BANS


def layers(tree_):
    for path in tree_.sources('src', endings=('.c', '.h', '.def')):
        own = path.split('/')[1:-1]
        if not own or own[0] not in LAYERS:
            yield f'{path}: no such layer: every source lives in a folder that gates.py knows'
            continue
        for number, name in includes(tree_, path):
            other = name.split('/')[:-1]
            if not other or other[0] not in LAYERS:
                yield f'{path}:{number}: "{name}" is not a path below src/'
            elif not may_include(own, other):
                yield f'{path}:{number}: {"/".join(own)} must not include "{name}"'


VOICE = re.compile(r'(?<![\w.>])(printf|puts|putchar|perror|exit|_exit|_Exit|quick_exit)\s*\('
                   r'|\bf(?:printf|puts|write)\s*\([^;]*\b(?:stdout|stderr)\b')


def voices(tree_):
    for path in tree_.sources('src'):
        if path.split('/')[1] in ('main', 'monitor') or path == 'src/base/log.c':
            continue
        for number, line in tree_.without_comments(path):
            if m := VOICE.search(line):
                yield f'{path}:{number}: {m[0].strip()}...: only main/ and monitor/ print or exit'


def functions(tree_, path):
    """(first line, length, name) of each function: bodies open and close in column 0."""
    start, name = None, ''
    previous = ''
    for number, line in tree_.without_comments(path):
        if line.rstrip() == '{':
            start = number
            m = re.findall(r'(\w+)\s*\(', previous)
            name = m[0] if m else '?'
        elif line.startswith('}') and start:
            yield start, number - start + 1, name
            start, previous = None, ''
        elif start is None:
            previous = line if line[:1].strip() else previous + line


def table_lines(tree_, path):
    """Lines inside initializers at file level: a long table is no long file."""
    total, start = 0, None
    for number, line in tree_.without_comments(path):
        if re.match(r'^[^\s#].*=\s*\{\s*$', line) or re.match(r'^\S.*\]\s*=\s*\{\s*$', line):
            start = number
        elif line.startswith('}') and start:
            total += number - start - 1
            start = None
    return total


def sizes(tree_):
    complaints, notes = [], []
    for path in tree_.sources('src', 'tests', 'tools', endings=('.c', '.h', '.py')):
        is_c = path.endswith(('.c', '.h'))
        length = tree_.text(path).count('\n') - (table_lines(tree_, path) if is_c else 0)
        if length > FILE_NOTE:
            where = complaints if length > FILE_LINES else notes
            where.append(f'{path}: {length} lines')
        for line, lines, name in functions(tree_, path) if is_c else ():
            if lines > FUNCTION_NOTE:
                where = complaints if lines > FUNCTION_LINES else notes
                where.append(f'{path}:{line}: {name}() has {lines} lines')
    return complaints, notes


def closure(tree_, path):
    """Project headers that a file pulls in, itself aside."""
    known = set(tree_.paths)
    found, todo = set(), [path]
    while todo:
        for _, name in includes(tree_, todo.pop()):
            header = f'src/{name}'
            if header in known and header not in found:
                found.add(header)
                todo.append(header)
    return found


def budget(tree_):
    for path in tree_.sources('src/dev', endings=('.c',)):
        headers = closure(tree_, path)
        lines = sum(tree_.text(h).count('\n') for h in headers)
        if len(headers) >= BUDGET_FILES or lines >= BUDGET_LINES:
            yield f'{path}: pulls in {len(headers)} project headers of {lines} lines'


def heads(tree_):
    for path in tree_.paths:
        name = os.path.basename(path)
        is_source = name.endswith(('.c', '.h', '.py', '.S')) or tree_.text(path)[:2] == '#!'
        head = '\n'.join(tree_.text(path).splitlines()[:40])
        if is_source and 'SPDX-License-Identifier: MIT' not in head:
            yield f'{path}: no "SPDX-License-Identifier: MIT" in its head'
        if name.endswith('.h') and '\n#pragma once\n' not in tree_.text(path):
            yield f'{path}: no #pragma once'


WORDS = [
    (re.compile(r'(?<![\w.$})])/(?:work|home|Users)/'), 'a path of one machine'),
    (re.compile(r'"/tmp/|=\s*/tmp/'), 'a fixed path in a shared folder'),
    (re.compile(r'\b(?:FIXME|XXX|HACK)\b|\bTODO\b'), 'unfinished business'),
    (re.compile(r'\bg_test_trap_subprocess\((?!\))'),
     'a second start, which an emulator of another host cannot do: see tests/unit/child.h'),
    (re.compile(r'\b(?:claude|anthropic|chatgpt|openai|copilot|llm)\b', re.I), 'how it was made'),
    (re.compile(r'\bissue #?\d+|\bAI\b(?=[ -](?:generated|written|assist))'), 'how it was made'),
]


def words(tree_):
    for path in tree_.paths:
        if path.startswith('tests/style/') or path == 'tools/run-suites':  # they name the words
            continue
        for number, line in tree_.lines(path):
            for pattern, what in WORDS:
                if m := pattern.search(line):
                    yield f'{path}:{number}: "{m[0]}": {what}'


KNOWN = {*tree.PLACES, *tree.TOP_FILES, '.clang-format', '.gitignore', 'LICENSE'}
LARGEST = 256 << 10


def strays(tree_):
    tracked = tree_.tracked()
    if tracked is None:
        return 'no checkout of git, or no git'
    tops = {path.split('/')[0] for path in tracked}
    return [*(f'{top}: nothing of the project is there' for top in sorted(tops - KNOWN)),
            *(f'{path}: over {LARGEST >> 10} KiB' for path in tracked
              if os.path.getsize(os.path.join(tree_.root, path)) > LARGEST)]


def listed(gate):
    """A generator as a gate."""
    return lambda tree_: list(gate(tree_))


GATES = [
    ('layers', listed(layers)),
    ('voices', listed(voices)),
    ('sizes', sizes),
    ('budget', listed(budget)),
    ('heads', listed(heads)),
    ('words', listed(words)),
    ('strays', strays),
]

if __name__ == '__main__':
    sys.exit(tree.run_gates(GATES, tree.Tree(sys.argv[1])))
