#!/usr/bin/env python3
"""run.py BUILD [--quick] - measure, print tables.  Figures, not tests: nothing here fails.

start-up     CPU time from process start to the first guest instruction, the best of several
memory       resident memory of a machine that sits halted after it, guest RAM aside
Linux boot   CPU and wall time from process start to the shell's first prompt, and the most memory
             meanwhile, guest RAM aside; the same under QEMU's translator where that is installed;
             CPU time under the interpreter
translating  CPU time of each stage for a kernel's code
loops        see loops.py
workloads    see workloads.py
SPDX-License-Identifier: MIT
"""
import collections
import os
import re
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import loops  # noqa: E402
import workloads  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# 64 KiB of firmware whose first instructions, at the reset vector, write 0 to isa-debug-exit, which
# ends the process with status 1 (2 * value + 1), and halt where there is none.
EXIT_PORT = 0xf4
# mov al, 0; out 0xf4, al; hlt; jmp .
FIRST_CODE = bytes([0xb0, 0x00, 0xe6, EXIT_PORT, 0xf4, 0xeb, 0xfe])
PROMPT = b'rhea:/root#'
SAMPLE_S = 0.5

Run = collections.namedtuple('Run', 'wall cpu peak_kib status output')


def memory_kib(pid):
    """Resident memory of a process without guest RAM: what is mapped twice counts once."""
    total, counts = 0, True
    try:
        with open(f'/proc/{pid}/smaps', encoding='utf-8') as f:
            for line in f:
                if line.startswith('Pss:'):
                    total += int(line.split()[1]) if counts else 0
                elif re.match(r'[0-9a-f]+-', line):
                    counts = 'memfd:' not in line
    except OSError:  # it ended meanwhile
        pass
    return total


def measure(command, until=None, limit_s=600):
    """Run to the end, or till `until` is in the output."""
    start, peak, output = time.monotonic(), 0, b''
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True) as process:
        sampled = start
        while time.monotonic() < start + limit_s and not (until and until in output):
            if until and time.monotonic() >= sampled + SAMPLE_S:
                peak, sampled = max(peak, memory_kib(process.pid)), time.monotonic()
            if not select.select([process.stdout], [], [], SAMPLE_S)[0]:
                continue
            chunk = os.read(process.stdout.fileno(), 1 << 16)
            output += chunk
            if not chunk:
                break
        wall = time.monotonic() - start
        if until and until in output:
            peak = max(peak, memory_kib(process.pid))
            process.terminate()
        elif wall >= limit_s:
            process.kill()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Run(wall, usage.ru_utime + usage.ru_stime, peak, process.returncode, output)


def first_command(rhea, folder):
    image = bytearray(b'\xf4' * 65536)
    image[-16:-16 + len(FIRST_CODE)] = FIRST_CODE
    bios = os.path.join(folder, 'first.bin')
    with open(bios, 'wb') as f:
        f.write(image)
    return [rhea, '-M', 'microvm', '-m', '128', '-nodefaults', '-display', 'none', '-bios', bios]


def first_instruction(rhea, folder):
    """CPU seconds, or why not."""
    command = first_command(rhea, folder) + [
        '-device', f'isa-debug-exit,iobase={EXIT_PORT:#x},iosize=1']
    best = None
    for _ in range(20):
        run = measure(command, limit_s=20)
        if run.status != 1 or run.output.strip():
            return f'status {run.status}: {last_line(run.output)}'
        best = min(best or run.cpu, run.cpu)
    return best


def idle_memory(rhea, folder):
    """Resident KiB of a halted machine without guest RAM (shared memory), or why not."""
    with subprocess.Popen(first_command(rhea, folder), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        time.sleep(0.5)
        if process.poll() is not None:
            return f'status {process.returncode}: {last_line(process.stdout.read())}'
        kib = memory_kib(process.pid)
        process.kill()
        return kib


def guest_folder():
    """Where the small Linux is, or None."""
    fetch = subprocess.run([os.path.join(ROOT, 'tools/guest/fetch')], stdout=subprocess.PIPE,
                           text=True, check=False)
    return fetch.stdout.strip() if fetch.returncode == 0 else None


def linux_boot(program, guest, cpus, accel='tcg'):
    """How it went, or why not."""
    command = program + [
        '-accel', accel, '-m', '512', '-smp', str(cpus), '-nodefaults', '-display', 'none',
        '-serial', 'stdio', '-kernel', f'{guest}/vmlinuz', '-initrd', f'{guest}/initrd',
        '-append', 'console=ttyS0 quiet']
    run = measure(command, until=PROMPT)
    return run if PROMPT in run.output else f'status {run.status}: {last_line(run.output)}'


def linux_rows(rhea):
    guest = guest_folder()
    if not guest:
        print('no guest to boot')
        return
    qemu = [loops.QEMU, '-object', 'memory-backend-memfd,id=ram,size=512M', '-M',
            'pc,memory-backend=ram']
    for cpus in (1, 4):
        boot = linux_boot([rhea, '-M', 'microvm'], guest, cpus)
        name = f'Linux to shell, {cpus} CPU{"s" if cpus > 1 else ""}'
        if isinstance(boot, str):
            row(name, 'failed', '', boot)
            continue
        other = linux_boot(qemu, guest, cpus) if shutil.which(loops.QEMU) else 'not installed'
        if isinstance(other, str):
            other = Run(None, None, None, None, other)
        row(f'{name}, wall', boot.wall, 's', '', other.wall)
        row(f'{name}, CPU', boot.cpu, 's', "< 0.6 of QEMU's", other.cpu)
        row(f'{name}, memory', boot.peak_kib / 1024, 'MiB', "< QEMU's",
            other.peak_kib and other.peak_kib / 1024)
    boot = linux_boot([rhea, '-M', 'microvm'], guest, 1, 'tcg,tier=0')
    if isinstance(boot, str):
        row('Linux to shell, interpreter', 'failed', '', boot)
    else:
        row('Linux to shell, interpreter, CPU', boot.cpu, 's')


def last_line(output):
    text = re.sub(r'[^\x20-\x7e\n]', '', output.decode(errors='replace'))
    return (text.strip().splitlines() or ['no output'])[-1][:70]


def row(name, value, unit='', aim='', qemu=None):
    value, qemu = (f'{v:.1f}' if isinstance(v, float) else v for v in (value, qemu or ''))
    print(f'{name:<42} {value:>10} {qemu:>10}  {unit:<4} {aim}'.rstrip(), flush=True)


def translation_rows(build):
    """Nanoseconds of each stage of translation per guest instruction."""
    program = os.path.join(build, 'tests/bench/translate')
    fetch = subprocess.run([os.path.join(ROOT, 'tools/guest/fetch'), '--elf'],
                           stdout=subprocess.PIPE, text=True, check=False)
    if fetch.returncode or not os.path.exists(program):
        row('translating', 'no guest')
        return
    done = subprocess.run([program, os.path.join(fetch.stdout.strip(), 'vmlinux')],
                          stdout=subprocess.PIPE, text=True, check=False)
    for stage, ns in re.findall(r'(\w+) ([\d.]+) ns', done.stdout):
        row(f'translating an instruction: {stage}', float(ns), 'ns')


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = os.path.abspath(sys.argv[1])
    rhea = os.path.join(build, 'rhea')
    if not os.path.exists(rhea):
        sys.exit(f'run.py: no {rhea}: build it first')
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    row('', 'Rhea', '', '', 'QEMU')
    with tempfile.TemporaryDirectory() as folder:
        first = first_instruction(rhea, folder)
        if isinstance(first, str):
            row('start to first guest instruction, CPU', 'failed', '', first)
        else:
            row('start to first guest instruction, CPU', first * 1000, 'ms', '< 10')
        idle = idle_memory(rhea, folder)
        if isinstance(idle, str):
            row('memory of a halted machine', 'failed', '', idle)
        else:
            row('memory of a halted machine', idle / 1024, 'MiB', '< 16')
        if '--quick' in sys.argv:
            return
    linux_rows(rhea)
    translation_rows(build)
    print()
    loops.table(build)
    print()
    workloads.table(build)


if __name__ == '__main__':
    main()
