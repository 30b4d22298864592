#!/usr/bin/env python3
"""qmp.py BUILD - QMP commands per second, here and in QEMU; a table.  Nothing here fails.

"in turn": each command waits for the answer to the one before; "at once": all are sent first.
Both machines are empty and stand; sides take turns, the best round of each counts.
SPDX-License-Identifier: MIT
"""
import os
import shutil
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'qmp'))
from qmp import Rhea  # noqa: E402

ROUNDS = 3
COMMANDS = {
    'query-status': (10000, b'{"execute":"query-status"}'),
    'qom-list /machine': (3000, b'{"execute":"qom-list","arguments":{"path":"/machine"}}'),
    'query-qmp-schema': (60, b'{"execute":"query-qmp-schema"}'),
}


def in_turn(q, line, count):
    begin = time.perf_counter()
    for _ in range(count):
        q.socket.sendall(line)
        q.file.readline()
    return count / (time.perf_counter() - begin)


def at_once(q, line, count):
    begin = time.perf_counter()
    thread = threading.Thread(target=q.socket.sendall, args=(line * count,))
    thread.start()
    for _ in range(count):
        q.file.readline()
    thread.join()
    return count / (time.perf_counter() - begin)


def main():
    sides = {'rhea': os.path.join(sys.argv[1], 'rhea')}
    if shutil.which('qemu-system-x86_64'):
        sides['qemu'] = 'qemu-system-x86_64'
    best = {}
    for _ in range(ROUNDS):
        for side, program in sides.items():
            with Rhea(program, '-M', 'none', '-nodefaults', '-display', 'none', '-S') as r:
                q = r.client()
                for name, (count, line) in COMMANDS.items():
                    for how in (in_turn, at_once):
                        key = name, how.__name__, side
                        best[key] = max(best.get(key, 0), how(q, line, count))
    print(f'{"commands per second":20}' + ''.join(
        f'{side + ", " + how:>16}' for side in sides for how in ('in turn', 'at once')))
    for name in COMMANDS:
        print(f'{name:20}' + ''.join(f'{best[name, how, side]:16.0f}' for side in sides
                                     for how in ('in_turn', 'at_once')))


if __name__ == '__main__':
    main()
