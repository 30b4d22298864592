#!/usr/bin/env python3
"""compile.py ROOT BUILD COMPILER... - the style gates that run a tool.

format     clang-format 14 would change nothing
headers    every header compiles alone
clang      the second compiler has no warning either
SPDX-License-Identifier: MIT
"""
import concurrent.futures
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
import tree  # noqa: E402

FORMATTER = 'clang-format-14'
CLANG = 'clang-14'
LIBRARIES = ('glib-2.0', 'json-c', 'liburcu')
FLAGS = ('-std=gnu11 -D_GNU_SOURCE -fsyntax-only -x c -Wall -Wextra -Wshadow -Wvla '
         '-Wstrict-prototypes -Wno-missing-field-initializers -Wno-unused-function '
         '-Werror').split()
JOBS = 2


def clang_format(tree_):
    if not shutil.which(FORMATTER):
        return f'{FORMATTER} is not installed'
    paths = tree_.sources('src', 'tests')
    if not paths:
        return []
    out = subprocess.run([FORMATTER, '--dry-run', '--ferror-limit=0'] + paths, cwd=tree_.root,
                         capture_output=True, text=True, check=False).stderr
    places = re.findall(r'^(\S+?):(\d+):\d+: (?:warning|error):', out, re.M)
    first = {}
    for path, line in places:
        first.setdefault(path, line)
    return [f'{path}:{line}: make format would change this' for path, line in first.items()]


def headers_alone(build, compiler):
    def gate(tree_):
        flags = subprocess.run(['pkg-config', '--cflags', *LIBRARIES], capture_output=True,
                               text=True, check=True).stdout.split()
        command = [*compiler, *FLAGS, *flags, '-I', 'src', '-I', os.path.join(build, 'src'), '-']

        def compile_alone(path):
            name = path.removeprefix('src/')
            done = subprocess.run(command, cwd=tree_.root, capture_output=True, text=True,
                                  input=f'#include "{name}"\n', check=False)
            errors = [l for l in done.stderr.splitlines() if ': error:' in l]
            return f'{path}: does not compile alone: {errors[0]}' if errors else \
                f'{path}: does not compile alone' if done.returncode else None

        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            results = pool.map(compile_alone, tree_.sources('src', endings=('.h',)))
        return [r for r in results if r]
    return gate


def clang(build):
    """What was compiled by the first compiler, with the same flags."""
    def gate(tree_):
        if not shutil.which(CLANG):
            return f'{CLANG} is not installed'
        with open(os.path.join(build, 'compile_commands.json'), encoding='utf-8') as f:
            commands = [c for c in json.load(f) if c['file'].endswith('.c')]
        if any('-fsanitize' in c['command'] for c in commands):
            return 'this is a sanitizer build'

        def check(command):
            words = shlex.split(command['command'])[1:]
            flags = words[:words.index('-MD' if '-MD' in words else '-o')]
            done = subprocess.run([CLANG, *flags, '-fsyntax-only', '-Werror',
                                   '-fno-color-diagnostics', command['file']],
                                  cwd=command['directory'], capture_output=True, text=True,
                                  check=False)
            errors = [l for l in done.stderr.splitlines() if ': error:' in l or ': fatal ' in l]
            path = os.path.relpath(os.path.join(command['directory'], command['file']), tree_.root)
            return f'{path}: {(errors or ["does not compile"])[0]}' if done.returncode else None

        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            return [r for r in pool.map(check, commands) if r]
    return gate


def main():
    root, build, compiler = sys.argv[1], sys.argv[2], sys.argv[3:]
    gates = [('format', clang_format), ('headers', headers_alone(build, compiler)),
             ('clang', clang(build))]
    sys.exit(tree.run_gates(gates, tree.Tree(root)))


if __name__ == '__main__':
    main()
