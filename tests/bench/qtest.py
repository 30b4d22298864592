#!/usr/bin/env python3
"""qtest.py BUILD - qtest commands per second, here and in QEMU; a table.  Nothing here fails.

"in turn": each command waits for the answer to the one before; "at once": all are sent first.
QEMU's machine is stopped under TCG where it lacks the accelerator.
SPDX-License-Identifier: MIT
"""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

COUNT, ROUNDS = 20000, 3
COMMANDS = {'inb': b'inb 0x21\n', 'readl RAM': b'readl 0x1000\n', 'readl I/O APIC': b'readl 0xfec00000\n'}


def start(command, path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(1)
    server.settimeout(20)
    process = subprocess.Popen([*command, '-M', 'microvm', '-nodefaults', '-display', 'none', '-S',
                                '-qtest', f'unix:{path}', '-qtest-log', 'none'],
                               stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return process, server.accept()[0]


def in_turn(file, line):
    begin = time.perf_counter()
    for _ in range(COUNT):
        file.write(line)
        file.flush()
        file.readline()
    return COUNT / (time.perf_counter() - begin)


def at_once(file, line):
    def write():
        file.write(line * COUNT)
        file.flush()
    begin = time.perf_counter()
    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(COUNT):
        file.readline()
    thread.join()
    return COUNT / (time.perf_counter() - begin)


def main():
    build = sys.argv[1]
    sides = {'rhea': [os.path.join(build, 'rhea'), '-accel', 'qtest']}
    if shutil.which('qemu-system-x86_64'):
        sides['qemu'] = ['qemu-system-x86_64', '-accel', 'tcg']
    found = {}
    with tempfile.TemporaryDirectory() as path:
        running = {side: start(command, os.path.join(path, side)) for side, command in sides.items()}
        files = {side: s.makefile('rwb') for side, (_, s) in running.items()}
        for _ in range(ROUNDS):
            for name, line in COMMANDS.items():
                for how in (in_turn, at_once):
                    for side, file in files.items():
                        key = (name, how.__name__.replace('_', ' '), side)
                        found[key] = max(found.get(key, 0), how(file, line))
        for process, _ in running.values():
            process.kill()
            process.wait()
    print(f'{"commands per second":32} {"rhea":>10} {"qemu":>10} {"ratio":>6}')
    for name, how in sorted({key[:2] for key in found}):
        rhea, qemu = (found.get((name, how, side)) for side in ('rhea', 'qemu'))
        print(f'{name + ", " + how:32} {rhea:10.0f} ' +
              (f'{qemu:10.0f} {rhea / qemu:6.2f}' if qemu else f'{"-":>10} {"-":>6}'))


if __name__ == '__main__':
    main()
