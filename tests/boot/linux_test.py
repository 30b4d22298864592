#!/usr/bin/env python3
"""linux_test.py RHEA [--slow] [WORDS of the case names to run...] - Linux on the built program.

The guest is Debian's kernel with a busybox, as "make run" boots it; where it cannot be had, all is
skipped.  --slow: RHEA is an instrumented build; only what says most, with more time.
SPDX-License-Identifier: MIT
"""
import concurrent.futures
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tools'))
import cases  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
RHEA = os.path.abspath(sys.argv[1])
IS_SLOW = '--slow' in sys.argv
WORDS = [word for word in sys.argv[2:] if word != '--slow']
BOOT_S = 600 if IS_SLOW else 120
# A guest that neither runs nor says anything for so long waits for what will not come.
HANG_S = 30
SLOW_CASES = ('one_cpu', 'refused', 'stopped')
# Tests of their own: only when they are named.
APART = ('compared', 'chaos')

fetch = cases.load('tools/guest/fetch')
run_script = cases.load('tools/guest/run-script')
FOLDER = tempfile.TemporaryDirectory()
# The kernel's own tests of its ciphers take a third of the boot; one case leaves them in.
APPEND = 'console=ttyS0 quiet panic=-1 '
NO_TESTS = 'cryptomgr.notests '
PROMPT = rb'rhea:/root# '
# What a kernel says when something is wrong with its machine, and what sounds like it.
COMPLAINT = re.compile(
    r'\bWARNING\b|\bBUG\b|Oops|Call Trace|cut here|self-tests? .*fail|lockup|hung|rcu.*stall|'
    r'unstable|[Ss]purious|nobody cared|Firmware Bug|unknown reason|unexpected|[Ff]ailed')
HARMLESS = re.compile(r'Speculative Return Stack Overflow|Fast TSC calibration')
WORK = {
    'md5sum': '82483575759cc21ff906d7b380d7687a',
    'sha1sum': '3c0c3d2f5a927c4937d8b1b83c31e21e2af307a9',
    'sha256sum': '8aa1d88dc88f771abb358306c8422152760d56a1dd111ea642065f8cda4bfd76',
    'sha512sum': '626575da11673c7b157bd56d352a24e21f0c062e87e7149e00d7162308076fc2d164fbd33cde12826aa0fba28088825737aa03cd79fa179a314e635a45a54340',
    'gzip': '82483575759cc21ff906d7b380d7687a',
    'sort': '380dcb68227ecb433b72c6566cf54bce',
    'bc': '499445072',
    'shell': '121932631112635269 -3 -2 1099511628031',
    'awk': '1.644734086847 1.64473e+99',
    'factor': '1000036000099: 1000003 1000033',
    'pipes': '1000',
    'processes': '50',
    'signal': 'TERM',
    'idle-cpus': '0',
}


SOME = {
    'sha256sum': '272f0b2925e8b1367aeb88afa839ebbdeabad64a39123778acead827acfe9f95',
    'gzip': 'd7173f0967822dc09b7b1b4874ccaa4b',
    'sort': '39a38dd8e1cd859633c03b3c6459a24a',
    'bc': '499445072',
    'shell': '121932631112635269 -3 -2 1099511628031',
    'awk': '1.642936065515 1.64294e+99',
    'pipes': '100',
}


def guest(name):
    return os.path.join(fetch.GUEST, name)


def initrd_for(script):
    """An initrd that runs a script: its text, or the name of a file in guest/."""
    if '\n' in script:
        path = os.path.join(FOLDER.name, f'script{abs(hash(script))}')
        fetch.debian.replace_file(path, script.encode())  # cases run beside each other
    else:
        path = os.path.join(HERE, 'guest', script)
    out = os.path.join(FOLDER.name, f'initrd-{os.path.basename(path)}')
    if not os.path.exists(out):
        fetch.write_script_initrd(path, out)
    return out


class Machine:
    """A running Rhea with its standard streams on a terminal."""

    def __init__(self, *args, kernel='vmlinuz', initrd=None, append=NO_TESTS, machine='microvm',
                 serial=('-nodefaults', '-display', 'none', '-serial', 'stdio'), memory='512'):
        self.master, self.slave = pty.openpty()
        self.seen = b''
        self.lately = time.monotonic(), 0, 0  # when, with how much seen and run
        self.terminal = termios.tcgetattr(self.slave)
        command = [RHEA, '-M', machine, '-m', memory, *serial, '-kernel', guest(kernel),
                   '-initrd', initrd or guest('initrd'), '-append', APPEND + append, *args]
        self.process = subprocess.Popen(
            command, stdin=self.slave, stdout=self.slave, stderr=self.slave,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if kind:
            print('# ' + self.text()[-3000:].replace('\n', '\n# '))
        os.close(self.master)
        os.close(self.slave)

    def text(self):
        return self.seen.decode(errors='replace')

    def read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        self.seen += os.read(self.master, 65536).replace(b'\r', b'')
        return True

    def cpu_seconds(self):
        with open(f'/proc/{self.process.pid}/stat', encoding='utf-8') as f:
            fields = f.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def check_runs(self):
        """Not all of its CPUs are halted for ever: it has run, or said something, lately."""
        now = time.monotonic()
        ran = self.cpu_seconds() if self.process.poll() is None else 0
        if len(self.seen) != self.lately[1] or ran > self.lately[2] + 0.3:
            self.lately = now, len(self.seen), ran
        assert now < self.lately[0] + HANG_S, f'hangs: has not run for {HANG_S} s'

    def expect(self, pattern, seconds=None, start=0):
        """Wait for the pattern to be seen at or after `start`; where it ends."""
        end = time.monotonic() + (seconds or BOOT_S)
        while not (found := re.compile(pattern).search(self.seen, start)):
            assert time.monotonic() < end, f'no {pattern} in time'
            has_ended = self.process.poll() is not None
            if not self.read(0.5):
                assert not has_ended, f'ended with {self.process.returncode} before {pattern}'
                self.check_runs()
        return found.end()

    def send(self, data):
        os.write(self.master, data)

    def command(self, line, pattern, seconds=30):
        """Type a line at the shell's prompt, wait for its output and the next prompt."""
        start = len(self.seen)
        self.send(line.encode() + b'\r')
        return self.expect(PROMPT, seconds, self.expect(pattern, seconds, start))

    def ends(self, status=0, seconds=30):
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, 'does not end'
            if not self.read(0.05):
                self.check_runs()
        while self.read(0):
            pass
        assert self.process.returncode == status, f'status {self.process.returncode}'
        assert termios.tcgetattr(self.slave) == self.terminal, 'the terminal is left changed'


def script_run(script, *args, status=0, seconds=BOOT_S, **kw):
    """Run a script to its end and the machine's; the lines it printed, and all that was seen."""
    with Machine('-no-reboot', *args, initrd=initrd_for(script), **kw) as m:
        m.ends(0, seconds)
        result = run_script.script_output(m.seen)
        assert result, 'the script did not end'
        assert result[1] == status, f'the script ended with {result[1]}'
        return result[0].decode(errors='replace').splitlines(), m.text()


def script_lines(*args, **kw):
    return script_run(*args, **kw)[0]


def refused(words, *args):
    r = subprocess.run([RHEA, '-M', 'microvm', '-nodefaults', '-display', 'none', *args],
                       stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert r.returncode == 1 and words in r.stderr, (r.returncode, r.stderr)


def complaints(log):
    return [line for line in log if COMPLAINT.search(line) and not HARMLESS.search(line)]


def check_quiet(log):
    """Nothing was complained of."""
    found = complaints(log)
    if found:
        at = log.index(found[0])
        raise AssertionError('\n'.join([*found, '... where the first is:', *log[max(at - 10, 0):at + 30]]))


def check_lines(lines, expected):
    """Lines of "name value" and the kernel's log; the names with their values."""
    at = lines.index('log')
    got = dict(line.split(' ', 1) for line in lines[:at])
    for name, want in expected.items():
        assert got[name] == want, f'{name}: {got[name]}, not {want}'
    log = lines[at + 1:]
    assert len(log) > 100, 'the kernel said next to nothing'
    check_quiet(log)
    return got


def check_work(cpus, append, *args):
    got = check_lines(script_lines('work.sh', '-smp', str(cpus), *args, append=append), WORK)
    assert got['cpus'] == str(cpus), got['cpus']
    assert got['parallel'].split() == [str(cpus), WORK['sha256sum'][:16]], got['parallel']


def test_one_cpu_works():
    check_work(1, '')


def test_four_cpus_work():
    check_work(4, NO_TESTS)


def check_number(text, pattern, least):
    found = re.search(pattern, text)
    assert found and int(found[1]) >= least, f'no or too small: {pattern}'


def test_both_executors_compared():
    lines, seen = script_run('some.sh', '-accel', 'tcg,check=on', kernel='vmlinux', seconds=900)
    check_lines(lines, SOME)
    check_number(seen, r'check: vcpu 0: (\d+) blocks compared', 10_000_000)


def test_two_cpus_in_chaos():
    lines, seen = script_run('some.sh', '-smp', '2', '-accel', 'tcg,chaos=1,stats=on', seconds=500)
    check_lines(lines, SOME)
    check_number(seen, r'; (\d+) evicted, ', 50)
    check_number(seen, r'tcg: (\d+) blocks dropped, ', 20_000)


def test_the_interpreter_works():
    check_work(2, NO_TESTS, '-accel', 'tcg,tier=0')


def test_under_kvm():
    """On hosts without hardware also with kernels' code left to KVM's interpreter."""
    cases.needs_kvm()
    for accel in 'kvm', 'kvm,interpreted=on':
        began = time.monotonic()
        lines, seen = script_run('some.sh', '-smp', '2', '-accel', accel + ',stats=on')
        seconds = time.monotonic() - began
        check_lines(lines, SOME)
        if accel != 'kvm':
            assert any('kvm-clock: Using msrs' in line for line in lines), 'no paravirtual clock'
        runs = int(re.search(r'kvm: (\d+) runs;', seen)[1])
        assisted = re.search(r'kvm: assisted (\d+) times, (\d+) instructions', seen)
        print(f'# {accel}: {seconds:.1f} s, {runs} runs, {int(assisted[2])} instructions assisted')
        assert runs > 100 or (accel == 'kvm' and int(assisted[2]) > 1_000_000), seen[-1000:]


def test_four_cpus_take_turns():
    check_work(4, NO_TESTS, '-accel', 'tcg,thread=single')


def test_host_code_is_made_again_where_room_is_short():
    assert script_lines('#!/bin/sh\nnproc\n', '-smp', '2', '-accel', 'tcg,tb-size=4') == ['2']


def check_kvm(irqchip):
    cases.needs_kvm()
    assert script_lines('#!/bin/sh\nnproc\n', '-smp', '2', '-accel',
                        f'kvm,kernel-irqchip={irqchip}') == ['2']


def test_interrupt_controllers_of_kvm():
    check_kvm('on')


def test_local_apics_of_kvm():
    check_kvm('split')


def test_a_shell_on_a_terminal():
    with Machine(serial=('-nographic',)) as m:
        m.expect(PROMPT)
        m.command('echo $((6 * 7))x', rb'\n42x\n')
        m.command('stty -a', rb'speed')
        # the line discipline's characters
        start = len(m.seen)
        m.send(b'sleep 100\r')
        m.expect(rb'sleep 100\n', 10, start)
        time.sleep(1)
        m.send(b'\x03')
        m.expect(PROMPT, 10, m.expect(rb'\^C', 10, start))
        m.command('echo status $?', rb'\nstatus 130\n')
        # job control
        m.command('sleep 60 &', rb'\n')
        m.command('jobs', rb'\[1\]\+? +Running +sleep 60')
        start = len(m.seen)
        m.send(b'fg\r')
        m.expect(rb'\nsleep 60\n', 10, start)
        time.sleep(1)
        m.send(b'\x1a')
        m.expect(PROMPT, 10, m.expect(rb'Stopped', 10, start))
        m.command('kill %1; fg; echo killed', rb'\nkilled\n')
        # nothing is lost, either way, when there is much
        word = 'abcdefghij' * 60
        m.command(f'echo {word} | md5sum', subprocess.run(
            ['md5sum'], input=f'{word}\n'.encode(), capture_output=True).stdout.split()[0])
        start = len(m.seen)
        end = m.command('seq 3000; echo done', rb'\ndone\n', 60)
        numbers = [int(n) for n in re.findall(rb'\n(\d+)(?=\n)', m.seen[start:end])]
        assert numbers == list(range(1, 3001)), 'output is lost or doubled'
        # keys of the emulator's own, and how to send the first to the guest
        start = len(m.seen)
        m.send(b'\x01h')
        m.expect(rb'[Cc]trl-A|C-a', 10, start)
        m.send(b'\r')
        m.expect(PROMPT, 10, len(m.seen))
        start = len(m.seen)
        m.send(b'poweroff\r')
        m.ends(0)


def test_ctrl_a_x_ends_the_guest():
    with Machine(serial=('-nographic',), append='ignore_loglevel') as m:
        m.expect(rb'Linux version')
        m.send(b'\x01x')
        m.ends(0, 10)


def test_a_reboot_starts_the_kernel_anew():
    begins = rb'script begins'
    with Machine('-smp', '2', initrd=initrd_for('#!/bin/sh\nreboot -f\n')) as m:
        m.expect(begins, None, m.expect(begins))
        m.process.send_signal(signal.SIGTERM)
        m.ends(0)


def test_a_reboot_ends_what_must_not_reboot():
    # by ACPI's reset register; the kernel's own choice goes through code at the reset vector
    with Machine('-no-reboot', initrd=initrd_for('#!/bin/sh\nreboot -f\n'),
                 append='reboot=acpi ' + NO_TESTS) as m:
        m.expect(rb'script begins')
        m.ends(0)


def test_a_stopped_machine_does_nothing():
    with Machine('-S') as m:
        time.sleep(1)
        assert not m.read(0), m.text()
        ran = m.cpu_seconds()
        assert ran < (5 if IS_SLOW else 0.5), ran
        m.process.send_signal(signal.SIGTERM)
        m.ends(0)


def test_an_elf_kernel_starts():
    assert script_lines('#!/bin/sh\nnproc\n', '-smp', '2', kernel='vmlinux') == ['2']


def test_without_acpi():
    with Machine(machine='microvm,acpi=off', initrd=initrd_for(
            '#!/bin/sh\nls /sys/firmware/acpi 2>&1\nsleep 1\n')) as m:
        m.expect(rb'No such file.*\n.*script ended with status 0')


def test_without_a_pit_and_a_clock():
    lines = script_lines('#!/bin/sh\nls /dev/rtc0; sleep 1 && date +%Y\n',
                         machine='microvm,pit=off,rtc=off')
    assert lines == ['ls: /dev/rtc0: No such file or directory', '1970'], lines


def boot_model(model):
    lines = script_lines('#!/bin/sh\ngrep -m1 flags /proc/cpuinfo\nsha256sum /bin/busybox\ndmesg\n',
                         '-cpu', model, append=NO_TESTS + 'tsc=nowatchdog')
    assert ' lm ' in lines[0] + ' ', lines[0]
    return lines[1], complaints(lines[2:])


def test_every_cpu_model_boots():
    text = subprocess.run([RHEA, '-cpu', 'help'], capture_output=True, text=True).stdout
    models = [m for m in re.findall(r'^  (\S+)  ', text, re.M) if m not in ('host', 'max')]
    assert len(models) >= 5, text
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = dict(zip(models, pool.map(boot_model, models)))
    assert len({r[0] for r in results.values()}) == 1, results
    assert not any(r[1] for r in results.values()), results


def test_memory_small_and_large():
    script = '#!/bin/sh\nawk \'/MemTotal/ { print $2 }\' /proc/meminfo\n' \
             'dmesg | grep "BIOS-e820.*usable"\n'
    low = script_lines(script, memory='128')
    assert 80 << 10 < int(low[0]) < 128 << 10, low
    high = script_lines(script, memory='5G')
    assert 4 << 20 < int(high[0]) < 5 << 20, high
    assert any('[mem 0x0000000100000000-0x000000017fffffff]' in line for line in high), high


def test_kernels_that_do_not_fit_are_refused():
    cut = os.path.join(FOLDER.name, 'cut')
    for name, sizes in (('vmlinuz', (100, 0x230, 5000, 4 << 20)), ('vmlinux', (100, 5000, 9 << 20))):
        with open(guest(name), 'rb') as f:
            data = f.read(16 << 20)
        for size in sizes:
            with open(cut, 'wb') as f:
                f.write(data[:size])
            refused('truncated', '-kernel', cut)
    refused('needs 68 MiB of memory, the guest has 64 MiB', '-m', '64', '-kernel', guest('vmlinuz'))
    with open(cut, 'wb') as f:
        f.truncate(200 << 20)
    refused('does not fit in memory', '-m', '128', '-kernel', guest('vmlinuz'), '-initrd', cut)
    refused('takes at most 2047 characters', '-kernel', guest('vmlinuz'), '-append', 'x' * 2048)


def main():
    try:
        fetch.prepare(False, True)
    except (fetch.debian.FetchError, OSError, SystemExit) as e:
        print(f'1..0 # SKIP no guest to be had: {e}')
        return
    chosen = {name: test for name, test in globals().items() if name.startswith('test_') and
              (not IS_SLOW or any(word in name for word in SLOW_CASES)) and
              (any(word in name for word in WORDS) if WORDS else
               not any(word in name for word in APART))}
    cases.run(chosen)


main()
