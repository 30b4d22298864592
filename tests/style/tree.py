"""What every style gate needs: the files of the tree, and TAP.

A gate is a function from a tree to complaints ("path:line: what is wrong"); none means it holds.
SPDX-License-Identifier: MIT
"""
import os
import re
import subprocess
import sys

PLACES = ('src', 'tests', 'tools', 'docs', '.ci')
TOP_FILES = ('Makefile', 'README.md', 'CONTRIBUTING.md', 'meson.build', 'meson_options.txt')


class Tree:
    """The source files below one folder, read once."""

    def __init__(self, root):
        self.root = root
        self.texts = {}
        paths = [f for f in TOP_FILES if os.path.isfile(os.path.join(root, f))]
        for place in PLACES:
            for folder, folders, files in os.walk(os.path.join(root, place)):
                folders[:] = sorted(d for d in folders if d not in ('__pycache__', 'corpus'))
                paths += [os.path.relpath(os.path.join(folder, f), root) for f in sorted(files)]
        self.paths = [p for p in paths if self._is_text(p)]

    def _is_text(self, path):
        with open(os.path.join(self.root, path), 'rb') as f:
            return b'\0' not in f.read(4096)

    def tracked(self):
        """Paths of all files that git tracks; None: that cannot be told."""
        try:
            r = subprocess.run(['git', '-C', self.root, 'ls-files', '-z'], capture_output=True,
                               check=False)
        except FileNotFoundError:
            return None
        paths = [os.fsdecode(p) for p in r.stdout.split(b'\0') if p]
        return None if r.returncode else [p for p in paths
                                          if os.path.isfile(os.path.join(self.root, p))]

    def text(self, path):
        if path not in self.texts:
            with open(os.path.join(self.root, path), encoding='utf-8', errors='replace') as f:
                self.texts[path] = f.read()
        return self.texts[path]

    def lines(self, path):
        """(number, line) pairs."""
        return enumerate(self.text(path).splitlines(), 1)

    def sources(self, *places, endings=('.c', '.h')):
        """C files below the given folders."""
        return [p for p in self.paths
                if p.startswith(tuple(f'{d}/' for d in places)) and p.endswith(tuple(endings))]

    def without_comments(self, path):
        """(number, line) pairs with comments and strings blanked."""
        def blank(m):
            return re.sub(r'[^\n]', ' ', m[0]) if m[0][0] == '/' else '""'
        pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
        text = re.sub(pattern, blank, self.text(path), flags=re.S)
        return enumerate(text.splitlines(), 1)


def run_gates(gates, tree):
    """Print TAP, one case per (name, function); the exit status."""
    print(f'1..{len(gates)}')
    bad = False
    for number, (name, gate) in enumerate(gates, 1):
        result = gate(tree)
        if isinstance(result, str):  # a reason to skip
            print(f'ok {number} - {name} # SKIP {result}')
            continue
        complaints, notes = result if isinstance(result, tuple) else (result, [])
        for line in notes:
            print(f'# note: {line}')
        for line in complaints:
            print(f'# {line}')
            print(line, file=sys.stderr)
        print(f'{"not " if complaints else ""}ok {number} - {name}', flush=True)
        bad = bad or bool(complaints)
    return 1 if bad else 0
