#!/usr/bin/env python3
"""kvm.py BUILD - what KVM costs here; a table.  Nothing here fails.

exits        port writes per second of a guest that does nothing else, beside a bare loop around
             KVM_RUN in the same process
start-up     from process start till the guest's first instruction, and till N CPUs of N run; the best
             of several; the same under tcg
Linux boot   till its init has run, and what was assisted
SPDX-License-Identifier: MIT
"""
import os
import re
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from run import ROOT, guest_folder, measure, row  # noqa: E402

TURNS, MAX_CPUS, LIMIT_S = 5, 4, 20


def exits(build):
    done = subprocess.run([os.path.join(build, 'tests/bench/kvm_exits')], capture_output=True,
                          text=True, check=False)
    found = dict(re.findall(r'(\w+) (\d+)', done.stdout))
    if done.returncode or len(found) != 2:
        row('exits', 'failed', '', (done.stderr.strip().splitlines() or ['?'])[-1][:70])
        return
    row('port writes, a bare loop', int(found['bare']), '1/s')
    row('port writes, Rhea', int(found['rhea']), '1/s')
    row('of the bare loop', f'{int(found["rhea"]) / max(int(found["bare"]), 1):.2f}', '', '>= 0.8')


def till(build, accel, cpus, byte):
    """Seconds from process start till the guest says it, or None."""
    began = time.perf_counter()
    with subprocess.Popen(
            [os.path.join(build, 'rhea'), '-M', 'microvm', '-accel', accel, '-smp', str(cpus), '-m', '16',
             '-nodefaults', '-display', 'none', '-serial', 'stdio', '-kernel',
             os.path.join(build, 'tests/bench/start.elf')],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        os.set_blocking(process.stdout.fileno(), True)
        seconds = None
        while time.perf_counter() < began + LIMIT_S:
            data = os.read(process.stdout.fileno(), 64)
            if not data:
                break
            if byte in data:
                seconds = time.perf_counter() - began
                break
        process.kill()
    return seconds


def best(build, accel, cpus, byte):
    times = [t for t in (till(build, accel, cpus, byte) for _ in range(TURNS)) if t]
    return min(times) * 1000 if times else 'failed'


def start_up(build):
    row('', 'kvm', '', '', 'tcg')
    row('start to first guest instruction', best(build, 'kvm', 1, b'1'), 'ms', '',
        best(build, 'tcg', 1, b'1'))
    for cpus in range(2, MAX_CPUS + 1):
        byte = str(cpus).encode()
        row(f'start till {cpus} of {cpus} CPUs run', best(build, 'kvm', cpus, byte), 'ms', '',
            best(build, 'tcg', cpus, byte))


def linux(build):
    folder = guest_folder()
    if not folder:
        row('Linux boot', 'no guest')
        return
    with tempfile.TemporaryDirectory() as scratch:
        script, initrd = os.path.join(scratch, 'script'), os.path.join(scratch, 'initrd')
        with open(script, 'w', encoding='ascii') as f:
            f.write('#!/bin/sh\ntrue\n')
        sys.path.insert(0, os.path.join(ROOT, 'tests/tools'))
        import cases
        cases.load('tools/guest/fetch').write_script_initrd(script, initrd)
        for cpus in (1, 2):
            run = measure([os.path.join(build, 'rhea'), '-M', 'microvm', '-accel', 'kvm,stats=on', '-m',
                           '512', '-smp', str(cpus), '-nodefaults', '-display', 'none', '-serial',
                           'stdio', '-no-reboot', '-kernel', f'{folder}/vmlinuz', '-initrd', initrd,
                           '-append', 'console=ttyS0 quiet panic=-1'], limit_s=120)
            text = run.output.decode(errors='replace')
            assisted = re.search(r'assisted (\d+) times, (\d+) instructions', text)
            if 'script ended with status 0' not in text or not assisted:
                row(f'Linux boot, {cpus} CPUs', 'failed')
                continue
            row(f'Linux till init ended, {cpus} CPUs', run.wall, 's')
            row('  instructions assisted', int(assisted[2]) / 1e6, '1e6')


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = os.path.abspath(sys.argv[1])
    if not os.access('/dev/kvm', os.R_OK | os.W_OK):
        sys.exit('kvm.py: /dev/kvm does not open')
    exits(build)
    start_up(build)
    linux(build)


if __name__ == '__main__':
    main()
