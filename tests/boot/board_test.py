#!/usr/bin/env python3
"""board_test.py RHEA KERNEL - a kernel of our own (board/chips.S) on the built program: the chips of
the microvm board, messages between processors, and a triple fault.

SPDX-License-Identifier: MIT
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tools'))
import cases  # noqa: E402

RHEA, KERNEL = (os.path.abspath(path) for path in sys.argv[1:3])
WORKED = """8254 by 8259
8254 by I/O APIC
clock by I/O APIC
x87 error by line 13
APIC timer, once
APIC timer, periodic
TSC deadline
start-up
IPIs
NMIs
self, task priority
"""


def boot(*more):
    command = [RHEA, '-M', 'microvm', '-smp', '4', '-m', '16', '-nodefaults', '-display', 'none',
               '-serial', 'stdio', '-monitor', 'none', '-kernel', KERNEL, '-no-reboot']
    done = subprocess.run(command + list(more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=100, check=False, text=True)
    return done.returncode, done.stdout.replace('\r', ''), done.stderr


def test_chips_and_processors():
    status, out, errors = boot('-device', 'isa-debug-exit,iobase=0xf4')
    assert (out, errors) == (WORKED, ''), (status, out, errors)
    assert status == 1, status  # 0 << 1 | 1


def test_a_triple_fault_resets():
    status, out, errors = boot('-append', 'triple')
    assert (status, out, errors) == (0, 'triple fault\n', ''), (status, out, errors)


cases.run(globals())
