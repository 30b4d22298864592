#!/usr/bin/env python3
"""gates_test.py - each style gate lets good files pass and names the bad ones.

SPDX-License-Identifier: MIT
"""
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import gates  # noqa: E402
import tree  # noqa: E402

HEAD = '/* SPDX-License-Identifier: MIT */\n'


def body(lines):
    return f'{HEAD}static void long_one(int x)\n{{\n' + '\tx++;\n' * lines + '}\n'


# gate, files of a tree, a piece of each expected complaint ([]: the gate holds)
ROWS = [
    ('layers', {'src/memory/a.c': '#include "base/b.h"\n', 'src/base/b.h': ''}, []),
    ('layers', {'src/base/a.c': '#include "memory/b.h"\n'}, ['base must not include "memory/b.h"']),
    ('layers', {'src/event/a.c': '#include "object/b.h"\n'}, ['event must not include']),
    ('layers', {'src/dev/intc/a.c': '#include "arch/x86/b.h"\n'}, ['dev/intc must not include']),
    ('layers', {'src/dev/intc/a.c': '#include "accel/b.h"\n'}, ['dev/intc must not include']),
    ('layers', {'src/dev/intc/a.c': '#include "cpu/vcpu.h"\n'}, []),
    ('layers', {'src/jit/a.c': '#include "event/b.h"\n'}, ['jit must not include']),
    ('layers', {'src/accel/tcg/a.c': '#include "arch/x86/b.h"\n#include "accel/b.h"\n'}, []),
    ('layers', {'src/accel/tcg/a.c': '#include "accel/kvm/b.h"\n'}, ['accel/tcg must not include']),
    ('layers', {'src/arch/x86/a.c': '#include "arch/arm64/b.h"\n'}, ['arch/x86 must not include']),
    ('layers', {'src/base/a.c': '#include "b.h"\n'}, ['"b.h" is not a path below src/']),
    ('layers', {'src/misc/a.c': ''}, ['src/misc/a.c: no such layer']),
    ('layers', {'src/a.c': ''}, ['src/a.c: no such layer']),

    ('voices', {'src/dev/a.c': '\tprintf("x");\n'}, ['src/dev/a.c:1: printf(']),
    ('voices', {'src/dev/a.c': '\tfprintf(stderr, "x");\n'}, ['src/dev/a.c:1: fprintf(stderr']),
    ('voices', {'src/dev/a.c': '\tif (x)\n\t\texit (1);\n'}, ['src/dev/a.c:2: exit (']),
    ('voices', {'src/dev/a.c': '/* printf("x") */ snprintf(a, 1, "exit(1)"); ops->exit(1);\n'}, []),
    ('voices', {'src/main/a.c': '\texit(1);\n', 'src/monitor/a.c': '\tputs("x");\n'}, []),

    ('sizes', {'src/dev/a.c': body(110)}, []),
    ('sizes', {'src/dev/a.c': body(130)}, ['src/dev/a.c:3: long_one() has 132 lines']),
    ('sizes', {'src/dev/a.c': 'int x;\n' * 1201}, ['src/dev/a.c: 1201 lines']),
    ('sizes', {'src/dev/a.c': 'static const int t[] = {\n' + '\t1,\n' * 2000 + '};\n'}, []),
    ('sizes', {'tools/a.py': 'x = 1\n' * 1201}, ['tools/a.py: 1201 lines']),

    ('budget', {'src/dev/a.c': '#include "base/a.h"\n', 'src/base/a.h': '\n' * 3999}, []),
    ('budget', {'src/dev/a.c': '#include "base/a.h"\n', 'src/base/a.h': '#include "base/b.h"\n',
                'src/base/b.h': '\n' * 3999}, ['src/dev/a.c: pulls in 2 project headers of 4000']),
    ('budget', {'src/dev/a.c': ''.join(f'#include "base/{i}.h"\n' for i in range(25)),
                **{f'src/base/{i}.h': '' for i in range(25)}}, ['pulls in 25 project headers']),

    ('heads', {'src/a.c': HEAD, 'src/a.h': HEAD + '#pragma once\n', 'docs/a.md': ''}, []),
    ('heads', {'src/a.c': 'int x;\n'}, ['src/a.c: no "SPDX']),
    ('heads', {'tools/a': '#!/bin/sh\n'}, ['tools/a: no "SPDX']),
    ('heads', {'src/a.h': HEAD}, ['src/a.h: no #pragma once']),

    ('words', {'README.md': 'see docs/Users/home.md, $(HOME)/home/x and /tmp\n'}, []),
    ('words', {'README.md': 'see /home/jane/rhea\n'}, ['README.md:1: "/home/": a path of one']),
    ('words', {'src/a.c': 'open("/tmp/x");\n'}, ['src/a.c:1']),
    ('words', {'src/a.c': '/* FIXME: later */\n'}, ['src/a.c:1: "FIXME": unfinished']),
    ('words', {'tests/a.c': '\tg_test_trap_subprocess(NULL, 0, 0);\n'}, ['tests/a.c:1']),
    ('words', {'docs/a.md': 'as issue 12 says\n'}, ['docs/a.md:1: "issue 12"']),

    ('strays', {'src/a.c': HEAD, 'LICENSE': ''}, []),
    ('strays', {'out/a.o': '', 'core': ''}, ['core: nothing', 'out: nothing']),
    ('strays', {'docs/a.png': 'x' * 300000}, ['docs/a.png: over 256 KiB']),
]


def run_row(files, gate):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full) or root, exist_ok=True)
            with open(full, 'w', encoding='utf-8') as f:
                f.write(text)
        if gate is gates.strays:
            for command in (['init', '-q'], ['add', '-A', '-f']):
                subprocess.run(['git', '-C', root, *command], check=True)
        result = gate(tree.Tree(root))
        return result[0] if isinstance(result, tuple) else result


def main():
    status = 0
    print(f'1..{len(ROWS)}')
    for number, (name, files, expected) in enumerate(ROWS, 1):
        if name == 'strays' and not shutil.which('git'):
            print(f'ok {number} - {name} # SKIP no git')
            continue
        got = run_row(files, dict(gates.GATES)[name])
        good = len(got) == len(expected) and all(e in g for e, g in zip(expected, got))
        title = f'{name}: {expected[0] if expected else "good files pass"}'.replace('#', '')
        print(f'{"" if good else "not "}ok {number} - {title}')
        if not good:
            print(f'# expected {expected}\n# got {got}')
            status = 1
    sys.exit(status)


if __name__ == '__main__':
    main()
