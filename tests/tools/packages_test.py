#!/usr/bin/env python3
"""packages_test.py - ensure-packages on systems of our own making.

SPDX-License-Identifier: MIT
"""
import os
import shutil
import subprocess
import tempfile

import cases

TOOL = os.path.join(cases.ROOT, 'tools/ensure-packages')
BUILD = ('gcc libc6-dev meson ninja-build pkgconf python3 libglib2.0-dev libjson-c-dev '
         'liburcu-dev').split()


def run(groups, installed=(), uid=1000, apt='exit 0', dpkg=True):
    """(status, stderr, lines that apt-get was called with)"""
    with tempfile.TemporaryDirectory() as folder:
        def program(name, text):
            path = os.path.join(folder, name)
            with open(path, 'w', encoding='utf-8') as f:
                f.write(f'#!/bin/sh\n{text}\n')
            os.chmod(path, 0o755)

        for name in ('sh', 'env', 'cat'):
            os.symlink(shutil.which(name), os.path.join(folder, name))
        program('id', f'echo {uid}')
        program('apt-get', f'echo "$*" >>{folder}/calls\n{apt}')
        if dpkg:
            program('dpkg-query', 'printf %s "' +
                    ''.join(f'installed:{p} ' for p in installed) + '"')
        done = subprocess.run(['/bin/sh', TOOL, *groups], env={'PATH': folder},
                              capture_output=True, text=True, check=False)
        calls = os.path.join(folder, 'calls')
        if not os.path.exists(calls):
            return done.returncode, done.stderr, []
        with open(calls, encoding='utf-8') as f:
            return done.returncode, done.stderr, f.read().splitlines()


def test_nothing_missing_says_nothing():
    assert run(['build'], BUILD) == (0, '', [])


def test_without_root_the_line_to_type_is_printed():
    status, text, calls = run(['build'], [p for p in BUILD if p != 'meson'])
    assert status == 1 and not calls
    assert '  meson: configures the build\n' in text
    assert 'type this as root, then try again: apt-get install ' in text
    assert text.rstrip().endswith(' meson')


def test_root_installs_what_is_missing():
    status, text, calls = run(['build'], [p for p in BUILD if p not in ('meson', 'gcc')], uid=0)
    assert status == 0
    assert calls == ['install --no-install-recommends -y gcc meson'], calls
    assert '  gcc: the C compiler' in text


def test_stale_lists_are_fetched_once_more():
    status, text, calls = run(['build'], BUILD[1:], uid=0, apt='[ "$1" = update ]')
    assert status == 1 and 'cannot install gcc' in text
    assert [c.split()[0] for c in calls] == ['install', 'update', 'install']


def test_what_is_only_wanted_never_fails():
    status, text, calls = run(['build', 'check'], BUILD)
    assert status == 0 and not calls
    assert 'clang-format-14: the format gate (its tests are skipped without it)' in text
    status, text, _ = run(['check'], BUILD, uid=0, apt='exit 100')
    assert status == 0 and 'going on without qemu-user' in text


def test_a_system_without_dpkg_is_told_what_to_look_for():
    status, text, calls = run(['build'], dpkg=False, uid=0)
    assert status == 1 and not calls
    assert '  meson: configures the build (looked for meson)' in text
    assert 'install what Debian calls gcc libc6-dev meson' in text


def test_usage():
    assert run([])[0] == 2


cases.run(dict(globals()))
