#!/usr/bin/env python3
"""final_test.py RING0 NAME IMAGE [NAME IMAGE]... - a guest under kvm ends with the registers and the
memory that it ends with under tcg.

Each guest runs under tcg, under kvm as it comes, and under kvm with what a kernel without hardware
interprets left to it, but for the guests that find such a kernel wrong
(docs/decisions/0005-kvm.md).

SPDX-License-Identifier: MIT
"""
import difflib
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tools'))
import cases  # noqa: E402

RING0, GUESTS = sys.argv[1], dict(zip(sys.argv[2::2], sys.argv[3::2]))
# What tcg has and some kernels' KVM has not.
MODEL = 'max,-pcid,-invpcid,-rdtscp,-rdpid,-pdpe1gb'
KERNEL_IS_WRONG = 'debug', 'long', 'real', 'system'
SKIPPED = 77


def final(accel, name, folder):
    """The state in lines."""
    path = os.path.join(folder, 'state')
    run = subprocess.run([RING0, '--accel', accel, '--cpu', MODEL, '--state', path, name, GUESTS[name]],
                         capture_output=True, text=True, timeout=90, check=False)
    if run.returncode == SKIPPED:
        raise cases.Skip(run.stderr.strip())
    assert run.returncode == 0, (accel, name, run.stderr)
    with open(path, encoding='ascii') as text:
        return text.read().splitlines()


def compare(name):
    with tempfile.TemporaryDirectory() as folder:
        expected = final('tcg', name, folder)
        words = ['kvm'] + ([] if name in KERNEL_IS_WRONG else ['kvm,interpreted=on'])
        for accel in words:
            got = final(accel, name, folder)
            diff = '\n'.join(difflib.unified_diff(expected, got, 'tcg', accel, lineterm='', n=0))
            assert not diff, diff[:4000]


def case(name):
    return lambda: compare(name)


cases.run({f'test_{name}': case(name) for name in GUESTS})
