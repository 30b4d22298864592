#!/usr/bin/env python3
"""outside_test.py RHEA - chips that the kernel has (kernel-irqchip=on), written and read from
outside the guest: by the human monitor and by qtest, while CPUs run and while others sleep.

SPDX-License-Identifier: MIT
"""
import os
import re
import socket
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', 'tools'), os.path.join(HERE, '..', 'qmp')]
sys.dont_write_bytecode = True
import cases  # noqa: E402
from qmp import Rhea  # noqa: E402

RHEA = os.path.abspath(sys.argv[1])
ROM_BYTES = 65536
SECONDS = 20
# A guest that tells what it finds, over and over: at 500h the masks of the 8259s, the two bytes of
# the ELCR, the status of channel 2 of the 8254, port 61h; at 508h how often.
LOOP = bytes.fromhex('e421 a20005'           # in al,21h; mov [500h],al
                     'e4a1 a20105'           # in al,a1h
                     'bad004 ec a20205'      # mov dx,4d0h; in al,dx
                     '42 ec a20305'          # inc dx; in al,dx
                     'b0e8 e643 e442 a20405'  # mov al,e8h; out 43h,al; in al,42h
                     'e461 a20505'           # in al,61h
                     'ff060805')             # inc word [508h]
LOOP += bytes([0xeb, 256 - len(LOOP) - 2])
IOAPIC = 0xfec00000


def rom(folder):
    image = bytearray(b'\xf4' * ROM_BYTES)
    image[:len(LOOP)] = LOOP
    image[-16:-13] = b'\xe9' + (ROM_BYTES - (ROM_BYTES - 16 + 3)).to_bytes(2, 'little')
    path = os.path.join(folder, 'rom')
    with open(path, 'wb') as f:
        f.write(image)
    return path


class Outside:
    """A machine of two CPUs, one of which waits to be started, seen from outside."""

    def __init__(self, irqchip, *more):
        cases.needs_kvm()
        self.folder = tempfile.TemporaryDirectory()
        self.qtest_path = os.path.join(self.folder.name, 'qtest')
        self.rhea = Rhea(
            RHEA, '-M', 'microvm', '-smp', '2', '-m', '16', '-nodefaults', '-display', 'none',
            '-bios', rom(self.folder.name), '-qtest', f'unix:{self.qtest_path},server=on,wait=off',
            '-qtest-log', 'none', '-accel',
            f'kvm,kernel-irqchip={irqchip},assist=off,interpreted=on', *more)

    def __enter__(self):
        try:
            self.qmp = self.rhea.client()
        except AssertionError:
            raise cases.Skip(self.rhea.end()[1]) from None
        return self

    def __exit__(self, *_):
        self.rhea.__exit__()
        self.folder.cleanup()

    def hmp(self, line):
        return self.qmp.run('human-monitor-command', command_line=line).replace('\r', '')

    def bytes_at(self, addr, count):
        text = self.hmp(f'xp /{count}bx {addr:#x}')
        return [int(byte, 16) for byte in re.findall(r' 0x(\w\w)\b', text)]

    def round(self):
        """The guest has looked at all of it once more."""
        end = time.monotonic() + SECONDS
        start = self.bytes_at(0x508, 2)
        for _ in range(2):
            while self.bytes_at(0x508, 2) == start:
                assert time.monotonic() < end, 'the guest stands still'
                time.sleep(0.001)
            start = self.bytes_at(0x508, 2)
        return self.bytes_at(0x500, 6)

    def port(self, number):
        return int(self.hmp(f'i /b {number:#x}').split('= ')[1], 16)


def check_ports(m):
    m.round()
    for line in ('o /b 0x21 0xfb', 'o /b 0xa1 0xee', 'o /b 0x4d0 0x28', 'o /b 0x4d1 0x06',
                 'o /b 0x43 0xb4', 'o /b 0x42 0x34', 'o /b 0x42 0x12', 'o /b 0x61 0x01'):
        assert m.hmp(line) == '', line
    seen = m.round()
    assert seen[:4] == [0xfb, 0xee, 0x28, 0x06], seen
    assert (seen[4] & 0x3f, seen[5] & 3) == (0x34, 1), seen  # mode 2, two bytes; the gate is open
    shown = m.hmp('info pic')
    assert re.search(r'pic0: irr=\w\w imr=fb .*elcr=28', shown), shown
    assert re.search(r'pic1: irr=\w\w imr=ee .*elcr=06', shown), shown
    assert [m.port(p) for p in (0x21, 0xa1, 0x4d0, 0x4d1)] == [0xfb, 0xee, 0x28, 0x06]
    assert m.port(0x61) & 3 == 1


def test_ports_of_the_kernels_chips_are_written_from_outside():
    with Outside('on') as m:
        check_ports(m)


def test_ports_of_our_chips_are_written_from_outside():
    with Outside('off') as m:
        check_ports(m)


def check_io_apic(m, *, has_lines):
    """By qtest, which stores to memory: an entry of the I/O APIC, and its other half."""
    m.round()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(SECONDS)
        s.connect(m.qtest_path)
        with s.makefile('rwb', buffering=0) as f:
            def ask(line):
                f.write(line.encode() + b'\n')
                while (answer := f.readline().decode().rstrip()).endswith((' 2', ' 0')):
                    pass  # the 8254's
                return answer
            for select, value in (0x1a, 0x1a931), (0x1b, 0x02000000):
                assert ask(f'writel {IOAPIC:#x} {select:#x}') == 'OK'
                assert ask(f'writel {IOAPIC + 0x10:#x} {value:#x}') == 'OK'
            shown = m.hmp('info pic')
            assert 'pin 5  0x020000000001a931' in shown, shown
            assert ask(f'readl {IOAPIC + 0x10:#x}') == 'OK 0x0000000002000000'
            assert ask('outb 0xa1 0x77') == 'OK'
            assert m.round()[1] == 0x77
            assert ask('inb 0xa1') == 'OK 0x0077'
            listening = ask('irq_intercept_in ioapic')
            driving = ask('set_irq_in ioapic unnamed-gpio-in 5 1')
            if has_lines:
                assert (listening, driving) == ('OK', 'IRQ raise 5'), (listening, driving)
            else:
                why = "FAIL the lines of 'ioapic' are the accelerator's; use kernel-irqchip=off"
                assert (listening, driving) == (why, why), (listening, driving)


def test_the_kernels_io_apic_is_written_from_outside():
    with Outside('on') as m:
        check_io_apic(m, has_lines=False)


def test_our_io_apic_is_written_from_outside():
    with Outside('split') as m:
        check_io_apic(m, has_lines=True)


cases.run(globals())
