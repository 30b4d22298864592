#!/usr/bin/env python3
"""workloads.py BUILD - programs of a small Linux, here and under QEMU; a table.  Nothing fails.

Seconds for each piece of guest/work.sh, medians over rounds in which the three take turns: by the
same busybox on the host itself, in the guest that "make run" boots under QEMU's translator where
that is installed, in that guest here.  "gain" and "cost" as in loops.py.
SPDX-License-Identifier: MIT
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import loops  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
GUEST_TOOLS = os.path.join(HERE, '..', '..', 'tools', 'guest')
SCRIPT = os.path.join(HERE, 'guest', 'work.sh')
LIMIT_S = 900


def parse(text):
    """name -> loops.Result, from what work.sh prints."""
    words = [line.split(' ', 4) for line in text.splitlines() if line.startswith('work ')]
    if not words:
        raise loops.Failed('no output')
    return {name: loops.Result(float(seconds), value, title)
            for _, name, seconds, value, title in words}


def run(command, environment):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors='replace', check=False,
                              timeout=LIMIT_S, env=environment)
    except subprocess.TimeoutExpired as e:
        raise loops.Failed(f'no end after {LIMIT_S} s') from e
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines() or ['no output']
        raise loops.Failed(f'status {done.returncode}: {last[-1][:80]}')
    return parse(done.stdout)


def guest_command(program, *arguments):
    accel = [] if '-accel' in arguments else ['-accel', 'tcg']
    return [os.path.join(GUEST_TOOLS, 'run-script'), '--timeout', str(LIMIT_S), program, SCRIPT,
            *accel, '-cpu', 'max', *arguments]


def host_busybox(folder):
    """The guest's busybox where it can be executed, or None."""
    fetch = subprocess.run([os.path.join(GUEST_TOOLS, 'fetch')], stdout=subprocess.PIPE, text=True,
                           check=False)
    if fetch.returncode:
        return None
    copy = os.path.join(folder, 'busybox')
    shutil.copyfile(os.path.join(fetch.stdout.strip(), 'busybox'), copy)
    os.chmod(copy, 0o755)
    return copy


def table(build, rounds=3, who=loops.SIDES, rhea_args=()):
    with tempfile.TemporaryDirectory() as folder:
        busybox = host_busybox(folder)
        if not busybox:
            print('workloads: no guest')
            return
        commands = {
            'host': [busybox, 'sh', SCRIPT],
            'qemu': guest_command(loops.QEMU, '-M', 'pc'),
            'rhea': guest_command(os.path.join(build, 'rhea'), *rhea_args),
        }
        if not shutil.which(loops.QEMU):
            del commands['qemu']
        environment = {**os.environ, 'BUSYBOX': busybox}
        sides = {s: lambda c=c: run(c, environment) for s, c in commands.items() if s in who}
        loops.print_table(loops.measure(sides, rounds), 'workload', 'seconds for')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0].split(' - ')[1])
    parser.add_argument('build', help='a build folder')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--who', metavar='SIDE,...', default=','.join(loops.SIDES),
                        help='the columns: ' + ', '.join(loops.SIDES))
    parser.add_argument('--rhea-args', metavar='"ARG ..."', default='',
                        help='more for Rhea, such as "-accel tcg,tier=0"')
    args = parser.parse_args()
    table(os.path.abspath(args.build), max(args.rounds, 1), args.who.split(','),
          args.rhea_args.split())


if __name__ == '__main__':
    main()
