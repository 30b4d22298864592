#!/usr/bin/env python3
"""run.py BUILD [--quick] - measure, print a table.  Figures, not tests: nothing here fails.

start-up     CPU time from process start to the first guest instruction, the best of several
memory       resident memory of a machine that sits halted after it, guest RAM aside
Linux boot   CPU and wall time from process start to the shell's first prompt
SPDX-License-Identifier: MIT
"""
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# 64 KiB of firmware whose first instructions, at the reset vector, write 0 to isa-debug-exit, which
# ends the process with status 1 (2 * value + 1), and halt where there is none.
EXIT_PORT = 0xf4
# mov al, 0; out 0xf4, al; hlt; jmp .
FIRST_CODE = bytes([0xb0, 0x00, 0xe6, EXIT_PORT, 0xf4, 0xeb, 0xfe])


def measure(command, until=None, limit_s=600):
    """Run; (wall s, CPU s, exit status, output).  Ends early when `until` is in the output."""
    start = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True) as process:
        signal.signal(signal.SIGALRM, lambda *_: process.kill())
        signal.alarm(limit_s)
        output = b''
        while chunk := os.read(process.stdout.fileno(), 1 << 16):
            output += chunk
            if until and until in output:
                process.terminate()
                break
        wall = time.monotonic() - start
        _, status, usage = os.wait4(process.pid, 0)
        signal.alarm(0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return wall, usage.ru_utime + usage.ru_stime, process.returncode, output


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
        _, cpu, code, output = measure(command, limit_s=20)
        if code != 1 or output.strip():
            return f'status {code}: {last_line(output)}'
        best = min(best or cpu, cpu)
    return best


def idle_memory(rhea, folder):
    """Resident KiB of a halted machine without guest RAM (shared memory), or why not."""
    with subprocess.Popen(first_command(rhea, folder), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        time.sleep(0.5)
        if process.poll() is not None:
            return f'status {process.returncode}: {last_line(process.stdout.read())}'
        with open(f'/proc/{process.pid}/status', encoding='utf-8') as f:
            fields = dict(re.findall(r'^(Rss\w+):\s+(\d+) kB', f.read(), re.M))
        process.kill()
        return int(fields['RssAnon']) + int(fields['RssFile'])


def linux_boot(rhea, folder, cpus):
    fetch = subprocess.run([os.path.join(ROOT, 'tools/guest/fetch')], stdout=subprocess.PIPE,
                           text=True, check=False)
    if fetch.returncode:
        return 'no guest'
    guest = fetch.stdout.strip()
    command = [rhea, '-M', 'microvm', '-m', '512', '-smp', str(cpus), '-nodefaults', '-display',
               'none', '-serial', 'stdio', '-kernel', f'{guest}/vmlinuz', '-initrd',
               f'{guest}/initrd', '-append', 'console=ttyS0 quiet']
    wall, cpu, code, output = measure(command, until=b'rhea:/root#')
    if b'rhea:/root#' not in output:
        return f'status {code}: {last_line(output)}'
    return wall, cpu


def last_line(output):
    text = re.sub(r'[^\x20-\x7e\n]', '', output.decode(errors='replace'))
    return (text.strip().splitlines() or ['no output'])[-1][:70]


def row(name, value, unit='', aim=''):
    print(f'{name:<44} {value:>10} {unit:<6} {aim}', flush=True)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = os.path.abspath(sys.argv[1])
    rhea = os.path.join(build, 'rhea')
    if not os.path.exists(rhea):
        sys.exit(f'run.py: no {rhea}: build it first')
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as folder:
        first = first_instruction(rhea, folder)
        if isinstance(first, str):
            row('start to first guest instruction, CPU', 'failed', '', first)
        else:
            row('start to first guest instruction, CPU', f'{first * 1000:.1f}', 'ms', '< 10')
        idle = idle_memory(rhea, folder)
        if isinstance(idle, str):
            row('memory of a halted machine', 'failed', '', idle)
        else:
            row('memory of a halted machine, guest RAM aside', f'{idle / 1024:.1f}', 'MiB', '< 16')
        if '--quick' in sys.argv:
            return
        for cpus in (1, 4):
            boot = linux_boot(rhea, folder, cpus)
            name = f'Linux to shell, {cpus} CPU{"s" if cpus > 1 else ""}'
            if isinstance(boot, str):
                row(name, 'failed', '', boot)
                continue
            row(f'{name}, wall', f'{boot[0]:.1f}', 's')
            row(f'{name}, CPU', f'{boot[1]:.1f}', 's', '< 60')


if __name__ == '__main__':
    main()
