#!/usr/bin/env python3
"""hmp_test.py RHEA [QEMU] - the human monitor of the built program, over a socket and a terminal;
where QEMU 7.2 is there, what both print is compared.

SPDX-License-Identifier: MIT
"""
import fcntl
import os
import pty
import re
import select
import socket
import subprocess
import sys
import tempfile
import termios
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', 'tools'), os.path.join(HERE, '..', 'qmp')]
sys.dont_write_bytecode = True
import cases  # noqa: E402
from qmp import Rhea  # noqa: E402

RHEA = os.path.abspath(sys.argv[1])
QEMU = sys.argv[2] if len(sys.argv) > 2 and os.path.exists(sys.argv[2]) else None
IDLE = ['-M', 'microvm', '-m', '16', '-display', 'none', '-nodefaults', '-S']
PROMPT = b'(qemu) '
SECONDS = 20


def idle(*args, **kw):
    return Rhea(RHEA, *IDLE, *args, **kw)


def hmp(q, line, **kw):
    text = q.run('human-monitor-command', **{'command_line': line}, **kw)
    assert '\n' not in text.replace('\r\n', ''), text
    return text.replace('\r\n', '\n')


def read(path):
    with open(path) as f:
        return f.read()


class Typist:
    """Somebody at a monitor behind a descriptor."""

    def __init__(self, fd):
        self.fd = fd
        self.seen = b''

    def until(self, text):
        """All that comes, up to and with text."""
        end = time.monotonic() + SECONDS
        while text not in self.seen:
            assert select.select([self.fd], [], [], max(0, end - time.monotonic()))[0], self.seen
            data = os.read(self.fd, 65536)
            assert data, self.seen
            # A terminal adds a return to each line feed once more.
            self.seen = (self.seen + data).replace(b'\r\r\n', b'\r\n')
        at = self.seen.index(text) + len(text)
        got, self.seen = self.seen[:at], self.seen[at:]
        return got.decode()

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def command(self, line):
        """What a command prints."""
        self.type(line + '\n')
        self.until(line.encode() + b'\r\n')
        return self.until(PROMPT)[:-len(PROMPT)].replace('\r\n', '\n')


def by_socket(*args):
    """(process, Typist) of a monitor on a socket pair."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [RHEA, *IDLE, '-chardev', f'socket,id=c,fd={theirs.fileno()}', '-mon', 'c', *args],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=[theirs.fileno()])
    theirs.close()
    return process, Typist(ours.detach())


def at_terminal(*args):
    """(process, Typist) of a program on a terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen([RHEA, *args], stdin=slave, stdout=slave, stderr=slave,
                               start_new_session=True,
                               preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0))
    os.close(slave)
    stop = time.monotonic() + SECONDS
    while termios.tcgetattr(master)[3] & termios.ECHO:  # what is typed earlier is lost
        if time.monotonic() > stop:
            process.kill()
            raise AssertionError('the terminal is never taken')
        time.sleep(0.01)
    return process, Typist(master)


def end(process, typist):
    process.kill()
    process.wait()
    os.close(typist.fd)


# ---- sessions

def test_banner_prompt_and_commands_over_a_socket():
    p, t = by_socket()
    try:
        assert re.fullmatch(r"QEMU 7\.2\.\d+ monitor - type 'help' for more information\r\n"
                            r'\(qemu\) ', t.until(PROMPT))
        assert t.command('info status') == 'VM status: paused (prelaunch)\n'
        assert t.command('') == ''
        assert t.command('cont') == ''
        assert t.command('info status') == 'VM status: running\n'
        assert t.command('nosuch') == "unknown command: 'nosuch'\n"
        assert t.command('stpo').startswith("unknown command: 'stpo' (did you mean 'stop'?)")
        assert t.command('status') == "unknown command: 'status' (did you mean 'info status'?)\n"
        assert 'info registers [-a|vcpu] -- ' in t.command('help info')
        t.type('quit\n')
        assert p.wait(SECONDS) == 0
    finally:
        end(p, t)


def test_keys_at_a_terminal():
    p, t = at_terminal(*IDLE, '-monitor', 'stdio')
    try:
        t.until(PROMPT)
        t.type('print 2+3\x02\x02\x02\x0b6*7\n')  # back three times, kill, another sum
        text = t.until(PROMPT)
        assert '\r\n0x2a\r\n' in text, text
        t.type('\x1b[A\x7f8\n')  # the last line again, its end changed
        assert '\r\n0x30\r\n' in t.until(PROMPT)
        t.type('info sta\t\n')
        assert 'info status \r\nVM status: paused' in t.until(PROMPT)
        t.type('in\tna\t\n')
        t.until(PROMPT)
        t.type('info history\n')
        assert "1: 'print 6*8'\r\n" in t.until(PROMPT)
        t.type('system_\t')
        text = t.until(PROMPT)
        assert 'system_powerdown  system_reset' in text, text
        t.type('res\t\n')
        t.until(PROMPT)
        t.type('q\n')
        assert p.wait(SECONDS) == 0
    finally:
        end(p, t)


def test_behind_the_serial_port():
    p, t = at_terminal('-M', 'microvm', '-m', '16', '-S', '-nographic')
    try:
        t.type('ignored\n')  # the guest's
        t.type('\x01c')
        assert t.until(PROMPT).count('QEMU 7.2') == 1
        assert t.command('print 1+1') == '0x2\n'
        t.type('half')
        t.until(b'half')
        t.type('\x01c\x01c')
        t.until(PROMPT + b'half')
        t.type('\x15info name\n')
        t.until(PROMPT)
        t.type('\x01x')
        assert p.wait(SECONDS) == 0
    finally:
        end(p, t)


def test_no_monitor_behind_the_serial_port():
    p, t = at_terminal('-M', 'microvm', '-m', '16', '-S', '-nographic', '-monitor', 'none')
    try:
        t.type('\x01ch\n\x01h')
        text = t.until(b'send C-a')
        assert 'QEMU' not in text and '(qemu)' not in text, text
        t.type('\x01x')
        assert p.wait(SECONDS) == 0
    finally:
        end(p, t)


def test_options_that_cannot_be():
    for args, words in (
            (['-monitor', 'vc'], "-monitor vc: there is no window to show a monitor in; use"),
            (['-monitor', 'nosuch'], "unknown character device backend 'nosuch'"),
            (['-mon', 'chardev=none'], "there is no character device 'none'"),
            (['-chardev', 'null,id=n', '-mon', 'n,mode=foo'], 'mode=foo is neither'),
            (['-chardev', 'null,id=n', '-mon', 'n,mode=readline,pretty=on'],
             'pretty=on is for mode=control')):
        r = subprocess.run([RHEA, *IDLE, *args], capture_output=True, text=True,
                           stdin=subprocess.DEVNULL, timeout=SECONDS)
        assert r.returncode == 1 and words in r.stderr, (args, r.stderr)


def test_who_does_not_read_is_not_served():
    p, t = by_socket()
    try:
        t.until(PROMPT)
        os.set_blocking(t.fd, False)
        sent = 0
        quiet = 0
        while quiet < 10 and sent < 32 << 20:
            try:
                sent += os.write(t.fd, b'x/4096xb 0\n' * 1000)
            except BlockingIOError:
                quiet += 1
                time.sleep(0.05)
        assert sent < 4 << 20, sent
        with open(f'/proc/{p.pid}/statm') as f:
            assert int(f.read().split()[1]) * 4096 < 100 << 20
        os.set_blocking(t.fd, True)
        for _ in range(20):
            t.until(PROMPT)  # it goes on where it was
    finally:
        end(p, t)


def test_output_is_bounded():
    with idle() as r:
        q = r.client()
        text = hmp(q, 'xp/1000000000xg 0')
        assert 4 << 20 <= len(text) < 5 << 20 and 'the rest is left out' in text[-100:]


# ---- commands, as human-monitor-command

def test_memory_and_registers():
    with idle() as r:
        q = r.client()
        assert hmp(q, 'x/4xw 0').splitlines()[0] == \
            '0000000000000000: 0x00000000 0x00000000 0x00000000 0x00000000'
        assert hmp(q, 'p/x $eip') == '0xfff0\n'
        assert hmp(q, 'p $pc') == '0xfffffff0\n'
        assert hmp(q, 'x/2i 0').splitlines()[1].split() == [
            '0x00000002:', '00', '00', 'add', 'byte', 'ptr', '[bx+si],', 'al']
        assert hmp(q, 'x/s 0') == '0000000000000000: ""\n'
        assert 'Cannot access memory' in hmp(q, 'x/xw 0xfee00030')
        assert 'Cannot access memory' in hmp(q, 'xp/xw 0xd0000000')
        assert hmp(q, 'xp/xw 0xfec00000') == '00000000fec00000: 0x00000000\n'  # a chip's
        assert hmp(q, 'sum 0 4096') == '00000\n'
        assert hmp(q, 'i/b 0x21') == 'portb[0x0021] = 0x00\n'
        assert hmp(q, 'o/b 0x21 0xa5') == ''
        assert hmp(q, 'i/b 0x21') == 'portb[0x0021] = 0xa5\n'
        assert 'imr=a5' in hmp(q, 'info pic')
        assert hmp(q, 'gva2gpa 0x1234') == 'gpa: 0x1234\n'
        assert hmp(q, 'info mem') == hmp(q, 'info tlb') == 'PG disabled\n'
        assert q.fails('human-monitor-command', command_line='info status', cpu_index=3)[1] == \
            "Parameter 'cpu-index' expects a CPU number"


def test_cpus():
    with idle('-smp', '2') as r:
        q = r.client()
        assert hmp(q, 'info registers -a').count('\nCPU#') == 2
        assert 'CPU#1' in hmp(q, 'info registers', cpu_index=1)
        assert 'CPU#1' in hmp(q, 'info registers 1')
        assert hmp(q, 'info registers 2') == 'CPU#2 not available\n'
        assert hmp(q, 'cpu 2') == 'invalid CPU index\n'
        assert 'for CPU 1' in hmp(q, 'info lapic 1')


def test_a_machine_without_cpu():
    with Rhea(RHEA, '-M', 'none', '-display', 'none', '-nodefaults') as r:
        q = r.client()
        for line in ('info registers', 'info mem', 'info lapic', 'memsave 0 1 f'):
            assert hmp(q, line) == 'No CPU available\n', line
        assert hmp(q, 'x 0') == 'Can not dump without CPU\n'
        assert hmp(q, 'cpu 0') == 'invalid CPU index\n'
        assert 'unknown register' in hmp(q, 'p $eip')


def test_log_and_trace():
    with tempfile.TemporaryDirectory() as d, idle() as r:
        q = r.client()
        path = os.path.join(d, 'log')
        assert hmp(q, f'logfile "{path}"') == ''
        assert hmp(q, 'trace-event vcpu* on') == ''
        assert 'vcpu_state : state 1' in hmp(q, 'info trace-events')
        assert "no trace point matches 'x*'" in hmp(q, 'info trace-events x*')
        hmp(q, 'cont')
        stop = time.monotonic() + SECONDS
        while 'vcpu_state' not in read(path):
            assert time.monotonic() < stop, 'no vCPU is traced'
            time.sleep(0.01)
        assert hmp(q, 'log help').startswith('Log items')
        assert hmp(q, 'log int,nosuch') == "Error: unknown log item 'nosuch'\n"
        assert hmp(q, 'log int') == hmp(q, 'log none') == ''
        assert hmp(q, 'logfile /nosuch/file').startswith('Error: cannot open log file')


def test_what_is_done_by_qmp():
    with tempfile.TemporaryDirectory() as d, idle('-name', 'web') as r:
        q = r.client()
        path = os.path.join(d, 'ram')
        assert re.fullmatch(r'\* CPU #0: thread_id=\d+\n', hmp(q, 'info cpus'))
        assert hmp(q, 'info name') == 'web\n'
        assert hmp(q, 'info version').startswith('7.2.0 Rhea ')
        assert hmp(q, 'info memory_size_summary') == 'base memory: 16777216\nplugged memory: 0\n'
        assert hmp(q, 'object_add iothread,id=a') == ''
        assert re.fullmatch(r'a:\n  thread_id=\d+\n', hmp(q, 'info iothreads'))
        assert hmp(q, 'object_del a') == ''
        assert hmp(q, 'object_del a') == "Error: object 'a' not found\n"
        assert hmp(q, 'device_add nosuch') == \
            "Error: 'nosuch' is not a valid device model name\n"
        assert hmp(q, 'chardev-add ringbuf,id=x,size=64') == ''
        assert 'x: filename=' in hmp(q, 'info chardev')
        assert hmp(q, f'chardev-change x file,path={path}') == ''
        assert 'x: filename=file' in hmp(q, 'info chardev')
        assert hmp(q, 'chardev-change x socket,host=127.0.0.1,port=0,server=on,wait=off') == ''
        assert hmp(q, 'chardev-change y null') == "Error: Chardev 'y' does not exist\n"
        assert hmp(q, 'chardev-remove x') == ''
        assert hmp(q, 'chardev-remove x') == "Error: Chardev 'x' not found\n"
        assert 'objects (child<container>)' in hmp(q, 'qom-list /')
        assert hmp(q, 'qom-get /machine type') == '"microvm-machine"\n'
        assert hmp(q, 'qom-get /machine x').startswith("Error: Property 'microvm-machine.x' not")
        for command in ('memsave', 'pmemsave'):
            assert hmp(q, f'{command} 0 4096 "{path}"') == ''
            assert os.path.getsize(path) == 4096
            os.unlink(path)
        assert hmp(q, 'system_wakeup').startswith('Error: wake-up from suspend')
        assert hmp(q, 'nmi') == ''
        assert 'IRQ statistics for ioapic:\n' in hmp(q, 'info irq')
        assert 'links made: 0\n' in hmp(q, 'info jit')


def test_what_there_is_none_of():
    with idle() as r:
        q = r.client()
        assert hmp(q, 'info block') == 'No block devices\n'
        assert hmp(q, 'info network') == 'No network devices\n'
        assert hmp(q, 'gdbserver nosuch').startswith('Error: ')
        assert hmp(q, 'set_link n on').startswith("unknown command: 'set_link'")


# Firmware that turns paging on and halts: 4 MiB pages at 0 and at the top, a page for users to read
# at 0x401000.
PAGED = bytes.fromhex('31c0 8ed8 66c7060020 83000000 66c706fc2f 8300c0ff 66c7060420 07300000'
                      '66c7060430 05100000 66b800200000 0f22d8 0f20e0 6683c810 0f22e0 0f20c0'
                      '660d01000080 0f22c0 fa f4 ebfd')
ROM = PAGED.ljust(0xff0, b'\x90') + bytes.fromhex('e90df0').ljust(16, b'\x90')  # jmp 0xf000


def test_page_tables():
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, 'rom')
        with open(path, 'wb') as f:
            f.write(ROM)
        with idle('-bios', path) as r:
            q = r.client()
            hmp(q, 'cont')
            stop = time.monotonic() + SECONDS
            while 'HLT=1' not in hmp(q, 'info registers'):
                assert time.monotonic() < stop, hmp(q, 'info registers')
                time.sleep(0.01)
            assert hmp(q, 'info mem') == (
                '0000000000000000-0000000000400000 0000000000400000 -rw\n'
                '0000000000401000-0000000000402000 0000000000001000 ur-\n'
                '00000000ffc00000-0000000100000000 0000000000400000 -rw\n')
            tlb = hmp(q, 'info tlb').splitlines()
            assert [tlb[0], tlb[1]] == ['0000000000000000: 0000000000000000 --P-----W',
                                        '0000000000401000: 0000000000001000 -------U-'], tlb
            assert re.fullmatch('00000000ffc00000: 00000000ffc00000 --P-A---W', tlb[2]), tlb
            assert hmp(q, 'x/xw 0x401000') == '0000000000401000: 0x00000000\n'
            assert 'Cannot access memory' in hmp(q, 'x/xw 0x402000')
            assert hmp(q, 'x/i 0xfffff000').split()[1:] == ['31', 'c0', 'xor', 'ax,', 'ax']
            assert hmp(q, 'gva2gpa 0x401234') == 'gpa: 0x1234\n'
            assert hmp(q, 'gva2gpa 0x402000') == 'Unmapped\n'
            assert hmp(q, 'print $cr3') == '0x2000\n'
            assert 'name="' + path in hmp(q, 'info roms')


# ---- as QEMU prints it

def qemu(*lines):
    text = ''.join(line + '\n' for line in lines) + 'quit\n'
    r = subprocess.run([QEMU, *IDLE, '-accel', 'tcg', '-monitor', 'stdio'], input=text,
                       capture_output=True, text=True, timeout=SECONDS)
    out, got = r.stdout.replace('\x1b[K', '').replace('\x1b[D', ''), []
    for part in out.split('(qemu) ')[1:len(lines) + 1]:
        got.append(part.split('\n', 1)[1])
    return got


def test_the_same_as_qemu():
    if not QEMU:
        raise cases.Skip('no qemu-system-x86_64 to compare with')
    lines = ['info status', 'x/4xw 0', 'x/3uw 0', 'x/5db 0', 'x/10xb 0', 'x/3og 0', 'xp/8ch 0',
             'print 2+3*4', 'print/d -1', 'print/c 65', 'print/o 8', 'p/u -1', 'p/x $pc',
             'p/x 5|8', 'p 010', 'info mem', 'info tlb', 'info registers', 'cpu 1',
             'gva2gpa 0x1000', 'sum 0 64', 'stop 1', 'info nosuchthing',
             'info mice']
    with idle() as r:
        q = r.client()
        for line, want in zip(lines, qemu(*lines)):
            got = hmp(q, line)
            if line == 'info registers':  # the fields and their widths; values differ
                got, want = (re.sub(r'=[0-9a-f]+', lambda m: '=' + '#' * (len(m[0]) - 1), text)
                             for text in (got, want))
            assert got == want, (line, got, want)


if __name__ == '__main__':
    cases.run(globals())
