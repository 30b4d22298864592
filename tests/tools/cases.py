"""TAP for tests of our tools: every function named test_* of the caller's module is one case.

SPDX-License-Identifier: MIT
"""
import importlib.machinery
import importlib.util
import os
import sys
import traceback

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Skip(Exception):
    """Raised by a case that cannot run here, with the reason."""


def needs_kvm():
    if not os.access('/dev/kvm', os.R_OK | os.W_OK):
        raise Skip('/dev/kvm does not open')


def load(path):
    """A tool, by its path below the root, as a module."""
    full = os.path.join(ROOT, path)
    name = os.path.basename(path).replace('-', '_').removesuffix('.py')
    loader = importlib.machinery.SourceFileLoader(name, full)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


def run(names):
    tests = [(n, f) for n, f in names.items() if n.startswith('test_')]
    print(f'1..{len(tests)}')
    status = 0
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
            verdict = 'ok'
        except Skip as why:
            print(f'ok {number} - {name.removeprefix("test_")} # SKIP {why}')
            continue
        except Exception:  # any error is a failed case, and the next one runs
            print('# ' + traceback.format_exc().strip().replace('\n', '\n# '))
            verdict, status = 'not ok', 1
        print(f'{verdict} {number} - {name.removeprefix("test_")}')
    sys.exit(status)
