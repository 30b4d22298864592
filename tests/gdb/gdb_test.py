#!/usr/bin/env python3
"""gdb_test.py RHEA GUEST - the gdb stub of the built program, by packets of our own and by real gdb
where it is installed.

SPDX-License-Identifier: MIT
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tools'))
import cases  # noqa: E402

RHEA, GUEST = (os.path.abspath(path) for path in sys.argv[1:3])
LIMIT_S = 60
GDB = shutil.which('gdb')
# A device that opens is used; hosts without one have nothing to test there.
KVM = ['kvm'] if os.access('/dev/kvm', os.R_OK | os.W_OK) else []
if not KVM:
    print('# nothing is tried under kvm: /dev/kvm does not open')
ACCELS = ['tcg', 'tcg,tier=0', *KVM]
SYMBOLS = {name: int(at, 16) for at, _, name in
           (line.split() for line in
            subprocess.run(['nm', GUEST], capture_output=True, text=True, check=True)
            .stdout.splitlines())}


def is_listened_on(path):
    """Whether a unix socket takes connections: its file is there from bind(), before listen()."""
    with open('/proc/net/unix', encoding='utf-8', errors='replace') as sockets:
        return any(words[3] == '00010000' and words[-1] == path  # __SO_ACCEPTCON
                   for words in map(str.split, sockets))


def wait_for_listener(path, process):
    end = time.monotonic() + LIMIT_S
    while not is_listened_on(path):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f'nobody listens on {path}'
        time.sleep(0.01)


class Machine:
    """The guest, waiting for a debugger."""

    def __init__(self, *more, stopped=True, accel='tcg', cpu='max'):
        self.dir = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.dir.name, 's')
        self.process = subprocess.Popen(
            [RHEA, '-M', 'microvm', '-smp', '2', '-m', '16', '-nodefaults', '-display', 'none',
             '-cpu', cpu, '-kernel', GUEST, '-gdb', f'unix:{self.path}', '-accel', accel,
             *(['-S'] if stopped else []), *more],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for_listener(self.path, self.process)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.dir.cleanup()

    def gdb(self, *commands):
        """What gdb says to each command; a command may be several lines' output."""
        words = []
        for n, command in enumerate(commands):
            words += ['-ex', f'echo \\n@{n}@\\n', '-ex', command]
        run = subprocess.run(
            [GDB, '-nx', '-batch', '-iex', 'set debuginfod enabled off', '-ex', 'set confirm off',
             '-ex', 'set width 0', '-ex', f'file {GUEST}', '-ex', f'target remote {self.path}',
             *words, '-ex', f'echo \\n@{len(commands)}@\\n'],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=LIMIT_S, check=False)
        parts = re.split(r'\n@\d+@\n', run.stdout)
        assert len(parts) == len(commands) + 2, run.stdout
        return [part.strip() for part in parts[1:-1]]


class Client:
    """A client that speaks the protocol by hand."""

    def __init__(self, machine):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT_S)
        self.socket.connect(machine.path)
        self.data = b''

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()

    def raw(self, data):
        self.socket.sendall(data)

    def send(self, text):
        self.raw(b'$%s#%02x' % (text.encode(), sum(text.encode()) & 255))

    def byte(self):
        if not self.data:
            self.data = self.socket.recv(4096)
            assert self.data, 'the connection ended'
        first, self.data = self.data[:1], self.data[1:]
        return first

    def packet(self):
        while self.byte() != b'$':
            pass
        out = b''
        while True:
            c = self.byte()
            if c == b'#':
                break
            out += c
        assert int(self.byte() + self.byte(), 16) == sum(out) & 255
        if out[:1] != b'W':  # after that nobody is there
            self.raw(b'+')
        return out.decode()

    def ask(self, text):
        self.send(text)
        return self.packet()


def needs_gdb(test):
    def run():
        if not GDB:
            raise cases.Skip('gdb is not installed')
        test()
    return run


def number(text):
    """The value of "$1 = 0x12"."""
    return int(text.split('=', 1)[1].strip(), 0)


# ---- packets ----

def test_packets():
    with Machine() as m, Client(m) as c:
        assert 'PacketSize=4000' in c.ask('qSupported:multiprocess+;swbreak+;hwbreak+')
        assert c.ask('?') == 'T05thread:p1.1;'
        assert c.ask('vMustReplyEmpty') == c.ask('qNoSuch') == c.ask('y') == ''
        assert c.ask('qfThreadInfo') == 'mp1.1,p1.2' and c.ask('qsThreadInfo') == 'l'
        assert c.ask('Hgp1.2') == 'OK' and c.ask('qC') == 'QCp1.2'
        assert c.ask('Hg3') == 'E03' and c.ask('T9') == 'E03' and c.ask('Tp1.2') == 'OK'
        assert c.ask('Hg0') == 'OK' and c.ask('Hc-1') == 'OK'
        assert c.ask('qAttached') == '1' and c.ask('vCont?') == 'vCont;c;C;s;S'
        assert bytes.fromhex(c.ask('qThreadExtraInfo,p1.2')) == b'CPU#1 [halted]'
        assert c.ask(f'M{SYMBOLS["written"]:x},4:01020304') == 'OK'
        assert c.ask(f'X{SYMBOLS["written"] + 1:x},0:') == 'OK'
        assert c.ask(f'm{SYMBOLS["written"]:x},5') == '0102030400'
        assert c.ask('mfffffff0,4') == 'E14' or c.ask('m90000000,4') == 'E0e'
        for bad in ('m', 'm1', 'Mzz', 'X1,5:ab', 'p', 'pffff', 'P1', 'P1=', 'Z9,1,1', 'Z0', 'Hx1',
                    'vCont;q', 'vCont;c:9', 'D;7', 'qXfer:features:read:target.xml:zz'):
            assert c.ask(bad).startswith('E'), bad
        assert c.ask('qXfer:features:read:other.xml:0,10') == 'E00'
        assert c.ask('qemu') == ''


def test_checksums_and_no_ack():
    with Machine() as m, Client(m) as c:
        c.raw(b'$?#00')
        assert c.byte() == b'-'
        c.raw(b'noise$?#3f')
        assert c.byte() == b'+'
        assert c.packet() == 'T05thread:1;'
        c.raw(b'-')  # once more
        assert c.packet() == 'T05thread:1;'
        assert c.ask('QStartNoAckMode') == 'OK'
        c.send('qAttached')
        assert c.byte() == b'$'
        c.raw(b'$m0,' + b'1' * 20000 + b'#00')  # too long: dropped
        assert c.ask('qAttached').endswith('1')


def test_registers_and_physical_memory():
    with Machine() as m, Client(m) as c:
        xml, at = '', 0
        while True:
            piece = c.ask(f'qXfer:features:read:target.xml:{at:x},200')
            xml += piece[1:]
            at += len(piece) - 1
            if piece[0] == 'l':
                break
        assert '<architecture>i386:x86-64</architecture>' in xml and xml.endswith('</target>')
        names = re.findall(r'<reg name="(\w+)" bitsize="(\d+)"', xml)
        sizes = [int(bits) // 8 for _, bits in names]
        everything = bytes.fromhex(c.ask('g'))
        assert len(everything) == sum(sizes), (len(everything), sum(sizes))
        number_of = {name: n for n, (name, _) in enumerate(names)}
        for name in 'xmm15', 'ymm3h', 'st7', 'fs_base':
            n = number_of[name]
            value = bytes((7 * i + n) & 0x0f for i in range(sizes[n])).hex()
            assert c.ask(f'P{n:x}={value}') == 'OK' and c.ask(f'p{n:x}') == value, name
        mxcsr = number_of['mxcsr']
        assert c.ask(f'P{mxcsr:x}=a01fffff') == 'OK'  # what it does not have stays 0
        assert c.ask(f'p{mxcsr:x}') == 'a01f' + c.ask(f'p{mxcsr:x}')[4:] and 'ff' not in c.ask(f'p{mxcsr:x}')
        assert c.ask('G' + c.ask('g')) == 'OK'
        assert c.ask('qqemu.PhyMemMode') == '0' and c.ask('Qqemu.PhyMemMode:1') == 'OK'
        code = c.ask(f'm{SYMBOLS["start"]:x},4')
        assert c.ask('Qqemu.PhyMemMode:0') == 'OK'
        assert code == c.ask(f'm{SYMBOLS["start"]:x},4') != '00000000'
        assert c.ask('mfee00030,4') == 'E0e'  # a device would notice
        assert c.ask('qqemu.sstep') == '0x7' and c.ask('Qqemu.sstep=1') == 'OK'


def test_an_accelerator_that_runs_nothing():
    with Machine(accel='qtest', stopped=False) as m, Client(m) as c:
        assert c.ask('qC') == 'QC1' and len(c.ask('g')) > 600
        assert c.ask(f'M{SYMBOLS["written"]:x},1:55') == 'OK'
        assert c.ask(f'm{SYMBOLS["written"]:x},1') == '55'
        assert c.ask('Z0,1000,1') == "E.accelerator 'qtest' has no breakpoints"
        assert c.ask('s') == "E.accelerator 'qtest' cannot step"
        assert c.ask('vCont?') == 'vCont;c;C'
        c.send('c')
        c.raw(b'\3')
        assert c.packet().startswith('T02')


def test_the_end_is_told():
    with Machine() as m, Client(m) as c:
        c.send('c')
        m.process.send_signal(signal.SIGTERM)
        told = c.packet()
        assert told == 'W00', told
        assert m.process.wait(LIMIT_S) == 0
    with Machine() as m, Client(m) as c:
        c.send('k')
        assert m.process.wait(LIMIT_S) == 0


# ---- gdb ----

@needs_gdb
def test_breakpoints_in_all_modes():
    for accel in ACCELS:
        with Machine(accel=accel) as m:
            out = m.gdb('break *in_protected_mode', 'c', 'p/x $eax', 'p/x $rbx', 'stepi', 'p/x $pc',
                        'hbreak *registers_set', 'c', 'p/x $rax', 'p/x $r15', 'p/x $fs_base',
                        'p/x $xmm3.uint128', 'p/x $ymm3.v2_int128', 'p $st0', 'p/x $cs',
                        'break *work', 'c', 'c', 'p *(long *)&counter')
            assert 'hit Breakpoint 1' in out[1] and number(out[2]) == 0x11223344, out
            assert number(out[3]) == 0x55667788
            assert number(out[5]) == SYMBOLS['in_protected_mode'] + 1
            assert 'hit Breakpoint 2' in out[7] and number(out[8]) == 0x1122334455667788, out
            assert number(out[9]) == 0x99aabbccddeeff00 and number(out[10]) == 0x7abc12345678
            assert number(out[11]) == 0x0f0e0d0c0b0a09080706050403020100
            assert '0x1f1e1d1c1b1a19181716151413121110' in out[12] and '3.14159265' in out[13], out
            assert number(out[14]) == 0x18
            assert 'hit Breakpoint 3' in out[16] and 'hit Breakpoint 3' in out[17], out
            assert number(out[18]) == 1


@needs_gdb
def test_watchpoints():
    for accel in ACCELS:
        with Machine(accel=accel) as m:
            out = m.gdb('watch *(long *)&written', 'c', 'p/x $pc', 'c', 'p/x $pc', 'delete',
                        'rwatch *(long *)&read', 'c', 'p/x $pc', 'delete',
                        'awatch *(char *)&written', 'c', 'p/x $pc', 'delete',
                        'break *load', 'c', 'p/x $pc')
            assert 'Old value = 0\nNew value = 1' in out[1], out
            assert number(out[2]) == number(out[4]) == number(out[12]) == SYMBOLS['stored'], out
            assert 'Old value = 1\nNew value = 2' in out[3]
            assert 'read watchpoint' in out[7] and number(out[8]) == SYMBOLS['loaded'], out
            assert 'access (read/write) watchpoint' in out[11] and number(out[16]) == SYMBOLS['load']


def has_hardware():
    with open('/proc/cpuinfo', encoding='utf-8', errors='replace') as text:
        return bool(re.search(r'^flags.*\b(vmx|svm)\b', text.read(), re.M))


@needs_gdb
def test_points_of_kvm():
    """Two breakpoints in debug registers, the others in memory; steps by KVM itself, and by the
    translator."""
    cases.needs_kvm()
    for accel in 'kvm,assist=off', 'kvm,interpreted=on':
        with Machine(accel=accel) as m:
            places = 'in_protected_mode', 'in_long_mode', 'work', 'load'
            out = m.gdb('set *(char *)&plain = 1', *(f'break *{name}' for name in places),
                        'c', 'c', 'c', 'p *(long *)&counter', 'stepi', 'p/x $pc', 'c', 'p/x $pc', 'stepi',
                        'p/x $pc', 'c', 'p *(long *)&counter', 'disable 3', 'c', 'p/x $pc',
                        'p *(long *)&counter', 'delete', f'x/2xb {SYMBOLS["load"]}', 'hbreak *store', 'c',
                        'stepi', 'p/x $pc', 'delete', 'watch *(long *)&written', 'c', 'p/x $pc')
            for n in 1, 2, 3:
                assert f'hit Breakpoint {n}' in out[4 + n], out
            assert number(out[8]) == 0 and number(out[10]) == SYMBOLS['work'] + 8, out
            assert 'hit Breakpoint 4' in out[11] and number(out[12]) == SYMBOLS['load'], out
            assert number(out[14]) == SYMBOLS['loaded'] and 'hit Breakpoint 3' in out[15], out
            assert number(out[16]) == 1 and number(out[19]) == SYMBOLS['load'], out
            assert number(out[20]) == 2 and '0x48\t0x8b' in out[22], out
            assert 'hit Breakpoint 5' in out[24] and number(out[26]) == SYMBOLS['stored'], out
            if has_hardware() or 'assist' not in accel:
                assert number(out[30]) == SYMBOLS['stored'], (accel, out)
            else:  # what its interpreter does not see is refused
                assert 'Could not insert hardware watchpoint' in out[29], out
    with Machine(accel='kvm,assist=off') as m, Client(m) as c:
        for n in range(4):
            assert c.ask(f'Z1,{n},1') == 'OK'
        assert c.ask('Z1,9,1').startswith('E.the processor watches and breaks at 4 places')
        assert c.ask('z1,3,1') == 'OK' and c.ask('Z1,9,1') == 'OK'
        assert c.ask('z1,3,1') == 'E.there is none'


@needs_gdb
def test_steps_stay_with_their_vcpu():
    for accel in ACCELS:
        with Machine(accel=accel) as m:
            # when the other one runs too
            out = m.gdb('break *work if *(short *)0x9000 != 0', 'c', 'delete', 'stepi', 'p/x $pc', 'stepi',
                        'stepi', 'p/x $pc',
                        'set scheduler-locking on', 'p *(short *)0x9000', 'stepi', 'stepi',
                        'p *(short *)0x9000', 'thread 2', 'stepi', 'stepi', 'p *(short *)0x9000')
            assert number(out[4]) == SYMBOLS['work'] + 8, (accel, out)  # incq
            assert number(out[7]) == SYMBOLS['stored'], (accel, out)
            assert number(out[9]) == number(out[12]) != number(out[16]), (accel, out)


@needs_gdb
def test_two_vcpus_are_threads():
    for accel in ACCELS:
        with Machine(accel=accel) as m:
            real = SYMBOLS['real_circle_at']
            out = m.gdb('info threads', f'break *{real}', 'c', 'p $_thread', 'p/x $cs', 'p/x $rip',
                        'p/x $rbx', 'p *(short *)0x9000', 'c', 'p *(short *)0x9000', 'delete',
                        'break *work thread 1', 'c', 'p $_thread', 'delete',
                        'watch *(short *)0x9000', 'c', 'p $_thread')
            assert 'CPU#1 [halted]' in out[0], out
            assert number(out[3]) == 2 and number(out[4]) == 0x800, out
            assert number(out[5]) == real - 0x8000 and number(out[6]) == 0x1234
            assert number(out[9]) == number(out[7]) + 1, out  # a breakpoint by its linear address
            assert number(out[13]) == 1 and number(out[17]) == 2, out


@needs_gdb
def test_memory():
    for accel in ACCELS:
        with Machine(accel=accel) as m:
            high = SYMBOLS['written'] + (4 << 30)  # mapped there too
            out = m.gdb('break *registers_set', 'c', f'set *(long *){SYMBOLS["written"]:#x} = 77',
                        f'p *(long *){high:#x}', f'set *(long *){high:#x} = 78',
                        f'p *(long *){SYMBOLS["written"]:#x}', 'p *(char *)0x7fff00000000',
                        'maintenance packet Qqemu.PhyMemMode:1', f'p *(long *){high:#x}',
                        'maintenance packet Qqemu.PhyMemMode:0', 'set $rax = 5', 'p $rax',
                        'set var $xmm3.v4_int32[1] = 9', 'p $xmm3.v4_int32[1]',
                        # code that runs, changed
                        f'set *(unsigned char *){SYMBOLS["stored"]:#x} = 0xf4', f'x/i {SYMBOLS["stored"]}')
            assert number(out[3]) == 77 and number(out[5]) == 78, out
            assert 'Cannot access memory' in out[6] and 'Cannot access memory' in out[8], out
            assert number(out[11]) == 5 and number(out[13]) == 9 and 'hlt' in out[15], out


@needs_gdb
def test_interrupt_and_detach():
    for accel in ACCELS:
        with Machine(stopped=False, accel=accel) as m:
            time.sleep(0.2)
            counts = []
            for _ in range(2):  # the machine goes on after gdb has left, and stops for the next one
                out = m.gdb('p *(long *)&counter', 'break *work', 'c', 'detach')
                assert 'hit Breakpoint' in out[2] and 'detached' in out[3], (accel, out)
                counts.append(number(out[0]))
                time.sleep(0.1)
            assert counts[1] - counts[0] > 1000, (accel, counts)
    with Machine() as m, Client(m) as c:
        c.send('vCont;c')
        time.sleep(0.1)
        c.raw(b'\3')
        assert c.packet().startswith('T02thread:')
        assert c.ask('D') == 'OK'


@needs_gdb
def test_monitor():
    with Machine() as m:
        out = m.gdb('monitor info status', 'monitor gdbserver none', 'monitor nosuch', 'p/x $pc')
        assert 'paused' in out[0] and 'cannot move its own connection' in out[1], out
        assert 'unknown command' in out[2] and number(out[3]) == SYMBOLS['start'], out


def test_gdbserver_of_the_monitor():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'm')
        with Machine('-monitor', f'unix:{path},server=on,wait=off') as m:
            with socket.socket(socket.AF_UNIX) as monitor:
                monitor.settimeout(LIMIT_S)
                wait_for_listener(path, m.process)
                monitor.connect(path)
                text = b''
                for n, device in enumerate(('none', f'unix:{m.path}2', f'unix:{m.path}2')):
                    while text.count(b'(qemu) ') <= n:
                        text += monitor.recv(4096)
                    monitor.sendall(f'gdbserver {device}\n'.encode())
                while text.count(b'(qemu) ') < 4:
                    text += monitor.recv(4096)
                assert b'Disabled gdbserver' in text, text
                assert text.count(b'Waiting for gdb connection') == 2, text
                m.path += '2'
                with Client(m) as c:
                    assert c.ask('?') == 'T05thread:1;'


cases.run(globals())
