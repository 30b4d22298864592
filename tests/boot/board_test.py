#!/usr/bin/env python3
"""board_test.py RHEA KERNEL - a kernel of our own (board/chips.S) on the built program: the chips of
the microvm board, messages between processors, and a triple fault.

SPDX-License-Identifier: MIT
"""
import os
import subprocess
import sys
import tempfile
import time

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


MACHINE = [RHEA, '-M', 'microvm', '-smp', '4', '-m', '16', '-nodefaults', '-display', 'none',
           '-kernel', KERNEL, '-no-reboot']
LEAVE = ['-device', 'isa-debug-exit,iobase=0xf4']


def boot(*more):
    command = MACHINE + ['-serial', 'stdio', '-monitor', 'none']
    done = subprocess.run(command + list(more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=100, check=False, text=True)
    return done.returncode, done.stdout.replace('\r', ''), done.stderr


def test_chips_and_processors():
    status, out, errors = boot(*LEAVE)
    assert (out, errors) == (WORKED, ''), (status, out, errors)
    assert status == 1, status  # 0 << 1 | 1


def test_a_triple_fault_resets():
    status, out, errors = boot('-append', 'triple')
    assert (status, out, errors) == (0, 'triple fault\n', ''), (status, out, errors)


def check_kvm(irqchip, *, assist='on', times=3):
    cases.needs_kvm()
    for _ in range(times):
        status, out, errors = boot(*LEAVE, '-accel',
                                   f'kvm,kernel-irqchip={irqchip},assist={assist}')
        if 'assist=on would' in errors:
            return  # this host's KVM does not know IRET
        assert (status, out) == (1, WORKED), (status, out, errors)


def test_chips_under_kvm_are_the_machines_own():
    check_kvm('off')


def test_chips_under_kvm_are_the_kernels():
    check_kvm('on')


def test_chips_under_kvm_are_the_kernels_and_nobody_helps():
    check_kvm('on', assist='off')


def test_local_apics_under_kvm_are_the_kernels():
    check_kvm('split')


def test_local_apics_under_kvm_are_the_kernels_and_nobody_helps():
    check_kvm('split', assist='off')


def check_moves(irqchip):
    """States go back and forth while timers run, and show what the guest did."""
    cases.needs_kvm()
    with tempfile.TemporaryDirectory() as folder:
        serial = os.path.join(folder, 'serial')
        command = MACHINE + LEAVE + ['-serial', 'file:' + serial, '-monitor', 'stdio', '-accel',
                                     f'kvm,kernel-irqchip={irqchip}']
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True) as p:
            try:
                while p.poll() is None:
                    p.stdin.write('info pic\ninfo lapic\ni /b 0x21\n'
                                  'stop\ninfo pic\ninfo lapic 1\ni /b 0xa1\ncont\n')
                    p.stdin.flush()
                    time.sleep(0.02)
            except BrokenPipeError:
                pass  # it has ended
            shown = p.stdout.read()
        with open(serial, encoding='ascii') as f:
            out = f.read().replace('\r', '')
        assert (p.returncode, out) == (1, WORKED), (p.returncode, out)
        assert 'pic0: irr=' in shown and 'irq_base=20' in shown, shown
        assert 'SPIV\t 0x000001ff APIC enabled' in shown.replace('\r', ''), shown


def test_stops_of_a_machine_whose_chips_are_the_kernels():
    check_moves('on')


def test_stops_of_a_machine_whose_local_apics_are_the_kernels():
    check_moves('split')


cases.run(globals())
