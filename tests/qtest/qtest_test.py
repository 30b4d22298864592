#!/usr/bin/env python3
"""qtest_test.py RHEA - the qtest protocol of the built program, over sockets.

SPDX-License-Identifier: MIT
"""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tools'))
import cases  # noqa: E402

RHEA = os.path.abspath(sys.argv[1])
LIMIT_S = 20
PIT_PERIOD = 1000  # its clocks: 1193182 a second


class Session:
    """A machine whose CPUs do not run; the emulator is the client of our socket."""

    def __init__(self, *more, machine='microvm', log='none'):
        self.dir = tempfile.TemporaryDirectory()
        path = os.path.join(self.dir.name, 's')
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen(1)
        server.settimeout(LIMIT_S)
        self.process = subprocess.Popen(
            [RHEA, '-M', machine, '-m', '16', '-nodefaults', '-display', 'none',
             '-qtest', f'unix:{path}', '-qtest-log', log, '-accel', 'qtest', *more],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.socket = server.accept()[0]
        self.socket.settimeout(LIMIT_S)
        self.file = self.socket.makefile('rwb')
        server.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.file.close()
        self.socket.close()
        self.dir.cleanup()

    def send(self, *lines):
        self.file.write(''.join(f'{line}\n' for line in lines).encode())
        self.file.flush()

    def line(self):
        return self.file.readline().decode().rstrip('\n')

    def ask(self, line):
        """The answer, and the lines about interrupts that came before it."""
        self.send(line)
        got = [self.line()]
        while got[-1].startswith('IRQ'):
            got.append(self.line())
        return got if len(got) > 1 else got[0]

    def value(self, line):
        answer = self.ask(line)
        assert answer.startswith('OK 0x'), (line, answer)
        return int(answer[3:], 16)

    def number(self, line):
        answer = self.ask(line)
        assert answer.startswith('OK '), (line, answer)
        return int(answer[3:])

    def start_pit(self, mode=2):
        for port, byte in (0x43, 0x30 | mode << 1), (0x40, PIT_PERIOD & 255), (0x40, PIT_PERIOD >> 8):
            assert self.ask(f'outb {port:#x} {byte}')[-2:] in ('OK', ['IRQ lower 2', 'OK'],
                                                              ['IRQ lower 0', 'OK'])


def test_ports_of_all_sizes():
    with Session() as s:
        assert s.ask('outb 0x21 0xff') == 'OK'
        assert s.ask('inb 0x21') == 'OK 0x00ff'
        assert s.ask('outb 0x21 0x12345') == 'OK'  # the upper part is cut
        assert s.ask('inb 0x21') == 'OK 0x0045'
        assert s.ask('outw 0x510 0') == 'OK'  # fw_cfg's selector: "QEMU"
        assert [s.value('inb 0x511') for _ in range(4)] == list(b'QEMU')
        assert s.ask('inw 0x8000') == 'OK 0xffff'
        assert s.ask('inl 0x8000') == 'OK 0xffffffff'


def test_memory_of_all_sizes():
    with Session() as s:
        assert s.ask('writeq 0x1000 0x1122334455667788') == 'OK'
        assert s.ask('readb 0x1000') == 'OK 0x0000000000000088'
        assert s.ask('readw 0x1002') == 'OK 0x0000000000005566'
        assert s.ask('readl 0x1004') == 'OK 0x0000000011223344'
        assert s.ask('writeb 0x1007 0xaa') == s.ask('writew 0x1000 1') == 'OK'
        assert s.ask('writel 0x1002 0x02030405') == 'OK'
        assert s.ask('readq 0x1000') == 'OK 0xaa22020304050001'
        assert s.ask('endianness') == 'OK little'


def test_bytes():
    with Session() as s:
        assert s.ask('write 0xffe 4 0x01020304') == 'OK'
        assert s.ask('read 0xffc 8') == 'OK 0x0000010203040000'
        assert s.ask('write 0xffe 4 0x05') == 'OK'  # the rest is zeros
        assert s.ask('read 0xffe 4') == 'OK 0x05000000'
        assert s.ask('b64write 0x3000 4 AQIDBA==') == 'OK'
        assert s.ask('b64read 0x3000 4') == 'OK AQIDBA=='
        assert s.ask('memset 0x2fff 0x1002 0xee') == 'OK'
        assert s.ask('read 0x2ffe 3') == 'OK 0x00eeee'
        assert s.ask('read 0x3fff 3') == 'OK 0xeeee00'
        assert s.ask('memset 0 0 1') == 'OK'
        # registers take part: the version of the I/O APIC, by its window
        assert s.ask('write 0xfec00000 4 0x01000000') == 'OK'
        assert s.ask('read 0xfec00010 4') == 'OK 0x20001700'


def test_long_lines_go_through():
    with Session() as s:
        data = bytes(i * 7 & 255 for i in range(1 << 20))
        assert s.ask(f'write 0x100000 {len(data)} 0x{data.hex()}') == 'OK'
        assert s.ask(f'read 0x100000 {len(data)}') == f'OK 0x{data.hex()}'


def test_time_is_in_our_hands():
    with Session() as s:
        assert s.number('clock_step 0') == 0
        assert s.number('clock_step 100') == 100
        assert s.number('clock_set 1000') == 1000
        assert s.number('clock_set 5') == 1000  # never back
        s.start_pit()
        at = s.number('clock_step')  # to its edge
        assert 0 < at - 1000 < 1e9 * PIT_PERIOD / 1193182 + 1000, at


def test_interrupts_in():
    with Session() as s:
        assert s.ask('irq_intercept_in ioapic') == 'OK'
        assert s.ask('irq_intercept_in ioapic') == 'OK'  # again
        assert s.ask('irq_intercept_in i8259') == 'FAIL IRQ intercept already enabled'
        assert s.ask('set_irq_in ioapic unnamed-gpio-in 5 1') == ['IRQ raise 5', 'OK']
        assert s.ask('set_irq_in ioapic unnamed-gpio-in 5 1') == 'OK'  # no change
        assert s.ask('set_irq_in ioapic unnamed-gpio-in 5 0') == ['IRQ lower 5', 'OK']
        s.start_pit(mode=0)  # line 0 is pin 2; the level stays until the next count
        assert s.ask('clock_step 2000000') == ['IRQ raise 2', 'OK 2000000']


def test_interrupts_out():
    with Session() as s:
        assert s.ask('irq_intercept_out i8254') == 'OK'
        s.start_pit(mode=0)
        assert s.ask('clock_step 2000000') == ['IRQ raise 0', 'OK 2000000']
        # the wire still leads where it did: line 0 is requested
        assert s.ask('outb 0x20 0x0a') == 'OK'
        assert s.value('inb 0x20') & 1


def test_bad_lines():
    for line, answer in (
            ('foo bar', "FAIL Unknown command 'foo'"),
            ('', "FAIL Unknown command ''"),
            ('inb', 'FAIL the command is inb PORT'),
            ('inb 1 2', 'FAIL the command is inb PORT'),
            ('endianness 1', 'FAIL the command is endianness'),
            ('inb 0x10000', 'FAIL 0x10000 is more than 0xffff'),
            ('inb x', "FAIL 'x' is not a number"),
            ('inb -1', "FAIL '-1' is not a number"),
            ('inb 99999999999999999999', "FAIL '99999999999999999999' is not a number"),
            ('read 0 0', 'FAIL size is 0'),
            ('read 0xffffffffffffffff 2',
             'FAIL 2 bytes from 0xffffffffffffffff on go beyond the last address'),
            ('read 0 0x40000000', 'FAIL 0x40000000 is more than 0x1000000'),
            ('write 0 1 12', 'FAIL data is not 0x and pairs of hexadecimal digits'),
            ('write 0 1 0x1', 'FAIL data is not 0x and pairs of hexadecimal digits'),
            ('b64write 0 2 AQ==', 'FAIL data is 1 bytes, not 2'),
            ('irq_intercept_in nosuch', 'FAIL Unknown device'),
            ('irq_intercept_in i8254', "FAIL a device of type 'i8254' has no input lines"),
            ('irq_intercept_in lapic',
             "FAIL Unknown device: 'lapic' could be several; give its path"),
            ('irq_intercept_out i8254 tick',
             "FAIL a device of type 'i8254' has no lines called 'tick'"),
            ('set_irq_in ioapic unnamed-gpio-in 24 1',
             "FAIL a device of type 'ioapic' has 24 input lines, no line 24"),
            ('module_load hw- nosuch',
             "FAIL no module 'hw-nosuch': this program has none, what it knows is built in"),
            ('clock_set 0xffffffffffffffff',
             'FAIL 0xffffffffffffffff is more than 0xfffffffffffffff')):
        assert SHARED.ask(line) == answer, (line, SHARED)
    assert SHARED.ask('rtas x 0 0 0 0').startswith('FAIL rtas')
    assert SHARED.ask('inb 1 2 3 4 5 6 7 8 9 10') == 'FAIL the command is inb PORT'
    SHARED.send('x' * (33 << 20))
    assert SHARED.line().startswith('FAIL a line is at most ')
    assert SHARED.ask('endianness') == 'OK little'  # all is well


def wait_until_idle(pid):
    """It has used no time for a while."""
    def used():
        with open(f'/proc/{pid}/schedstat', encoding='utf-8') as f:
            return f.read().split()[0]

    before = None
    while used() != before:
        before = used()
        time.sleep(0.2)


def test_a_client_that_does_not_read_costs_one_answer():
    with Session() as s:
        s.send(*['read 0 0x100000'] * 200)  # 2 MiB of digits each
        wait_until_idle(s.process.pid)
        with open(f'/proc/{s.process.pid}/status', encoding='utf-8') as f:
            rss = next(int(line.split()[1]) for line in f if line.startswith('VmRSS:'))
        assert rss < 100 << 10, f'{rss} KiB'


def test_no_clock_of_a_running_guest():
    with Session('-S', '-accel', 'tcg') as s:  # the first one starts
        assert s.number('clock_step 7') == 7


def test_sigterm_ends_it_well():
    with Session() as s:
        s.process.send_signal(signal.SIGTERM)
        assert s.process.wait(LIMIT_S) == 0


def test_log():
    with tempfile.TemporaryDirectory() as path:
        name = os.path.join(path, 'log')
        with Session(log=name) as s:
            s.ask('endianness')
            s.process.send_signal(signal.SIGTERM)
            s.process.wait(LIMIT_S)
        with open(name, encoding='ascii') as f:
            lines = [line.rstrip('\n') for line in f]
        said = [line for line in lines if line.startswith(('[R', '[S'))]
        assert [line.split('] ')[1] for line in said] == ['endianness', 'OK little'], lines


def test_options_are_checked():
    for words, args in (
            ('there is nothing to write without -qtest', ['-qtest-log', 'none']),
            ("cannot create '/nonexistent/log'", ['-qtest', 'null', '-qtest-log', '/nonexistent/log']),
            ('-qtest unix:/nonexistent/s: ', ['-qtest', 'unix:/nonexistent/s'])):
        r = subprocess.run([RHEA, '-M', 'none', '-accel', 'qtest', '-nodefaults', *args],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                           timeout=LIMIT_S)
        assert r.returncode == 1 and words in r.stderr, (args, r)


with Session('-smp', '2') as SHARED:
    cases.run(globals())
