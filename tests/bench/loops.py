#!/usr/bin/env python3
"""loops.py BUILD - short loops in the guest, here and under QEMU; a table.  Nothing here fails.

Nanoseconds per iteration, medians over rounds in which the three take turns: on the host itself,
in a guest under QEMU's translator where that is installed, in the same guest here.  "gain" is
QEMU's time by ours, "cost" ours by the host's.  What a loop computes is compared as well.
SPDX-License-Identifier: MIT
"""
import argparse
import collections
import math
import os
import shutil
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True
QEMU = 'qemu-system-x86_64'
SIDES = ('host', 'qemu', 'rhea')
# What is aimed at: a gain of at least, a cost of at most, or so many ns.  Not where the host itself is
# hardly better than that (mem_spread: 2.6 to 3.4 times QEMU, being one chain of dependent loads).
AIMS = {
    'mem': 'gain 3', 'stack': 'gain 3', 'call': 'gain 3', 'icall': 'gain 3',
    'packed_single': 'gain 8', 'packed_double': 'gain 8', 'packed_chains': 'gain 8',
    'simd': 'gain 8', 'simd_bytes': 'gain 8',
    'x87': 'gain 3', 'movsb': 'cost 3', 'cr3': 'gain 5', 'int': 'gain 2', 'translate': '300 ns',
}
MACHINE = ['-cpu', 'max', '-m', '128', '-nodefaults', '-display', 'none', '-serial', 'stdio',
           '-monitor', 'none', '-no-reboot', '-device', 'isa-debug-exit,iobase=0xf4,iosize=1']
EXIT_DONE = 1  # the guest's 0, by isa-debug-exit

Result = collections.namedtuple('Result', 'ns value title')


class Failed(Exception):
    """A side that did not come to the end of its loops."""


def parse(text):
    """name -> Result, from what measure.c prints."""
    lines = text.replace('\r', '').splitlines()
    if not lines or lines[-1] != 'done':
        raise Failed((lines or ['no output'])[-1][:80])
    hz, results = None, {}
    for words in (line.split(' ', 6) for line in lines):
        if words[0] == 'tsc':
            hz = int(words[1])
        elif words[0] == 'loop':
            _, name, units, value, iterations, ticks, title = words
            count = int(units) * int(iterations)
            results[name] = Result(int(ticks) * 1e9 / hz / count if count else None, value, title)
    return results


def host_command(build):
    return [os.path.join(build, 'tests/bench/loops_native')]


def guest_command(program, machine, kernel, more=()):
    accel = [] if '-accel' in more else ['-accel', 'tcg']
    return [program, *accel, '-M', machine, *MACHINE, '-kernel', kernel, *more]


def run(command, words, limit_s=600):
    """Run the loops that `words` names (see measure.c); their results."""
    is_guest = '-kernel' in command
    command = command + (['-append', ' '.join(words)] if is_guest else list(words))
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors='replace', check=False,
                              timeout=limit_s)
    except subprocess.TimeoutExpired as e:
        raise Failed(f'no end after {limit_s} s') from e
    if done.returncode != (EXIT_DONE if is_guest else 0) or done.stderr:
        last = (done.stderr or done.stdout).strip().splitlines() or ['no output']
        raise Failed(f'status {done.returncode}: {last[-1][:80]}')
    return parse(done.stdout)


def measure(sides, rounds):
    """side -> name -> Result with the median, of functions that give name -> Result; a side that
    fails says so once and is left out."""
    found = {side: [] for side in sides}
    for _ in range(rounds):
        for side in [s for s in sides if s in found]:
            try:
                found[side].append(sides[side]())
            except (Failed, OSError) as e:
                print(f'{side}: {e}', flush=True)
                del found[side]
    return {side: {name: first._replace(ns=statistics.median(r[name].ns for r in results))
                   for name, first in results[0].items()}
            for side, results in found.items()}


def number(value, width, digits=2):
    """A figure in a column: four digits or so; "-" for none."""
    if value is None:
        return f'{"-":>{width}}'
    return f'{value:>{width}.{digits if value < 100 else 1 if value < 1000 else 0}f}'


def ratio(a, b):
    return a / b if a and b else None


def print_table(found, what='loop', unit='ns per iteration of'):
    print(f'{what:<14}{unit:<36}{"host":>8}{"QEMU":>8}{"Rhea":>8}'
          f'{"gain":>7}{"cost":>7}  aim')
    names = dict.fromkeys(n for side in reversed(SIDES) for n in found.get(side, {}))
    gains = []
    for name in names:
        here = {side: found[side][name] for side in SIDES if name in found.get(side, {})}
        host, qemu, rhea = (here[side].ns if side in here else None for side in SIDES)
        gain, cost = ratio(qemu, rhea), ratio(rhea, host)
        gains += [gain] if gain else []
        values = {r.value for r in here.values()}
        remark = AIMS.get(name, '') if len(values) == 1 else 'DIFFERS'
        print(f'{name:<14}{next(iter(here.values())).title:<36}{number(host, 8)}{number(qemu, 8)}'
              f'{number(rhea, 8)}{number(gain, 7)}{number(cost, 7)}  {remark}'.rstrip())
    if gains:
        mean = math.exp(sum(map(math.log, gains)) / len(gains))
        print(f'{"geometric mean of the gain":<74}{mean:7.2f}')


def build_guest(build):
    """Build the loops; is there anything to run them with?"""
    targets = ('tests/bench/loops.elf', 'tests/bench/loops_native')
    made = subprocess.run(['ninja', '-C', build, *targets], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if made.returncode:
        print('loops: not built: ' + (made.stdout.strip().splitlines() or ['no output'])[-1][:80])
    return made.returncode == 0


def table(build, names=(), rounds=3, who=SIDES, rhea_args=()):
    if not build_guest(build):
        return
    kernel = os.path.join(build, 'tests/bench/loops.elf')
    commands = {
        'host': host_command(build),
        'qemu': guest_command(QEMU, 'pc', kernel),
        'rhea': guest_command(os.path.join(build, 'rhea'), 'microvm', kernel, rhea_args),
    }
    if not shutil.which(QEMU):
        del commands['qemu']
    sides = {s: lambda c=c: run(c, names) for s, c in commands.items() if s in who}
    print_table(measure(sides, rounds))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0].split(' - ')[1])
    parser.add_argument('build', help='a build folder')
    parser.add_argument('--only', metavar='NAME,...', default='', help='these loops')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--who', metavar='SIDE,...', default=','.join(SIDES),
                        help='the columns: ' + ', '.join(SIDES))
    parser.add_argument('--rhea-args', metavar='"ARG ..."', default='',
                        help='more for Rhea, such as "-accel tcg,tier=0"')
    args = parser.parse_args()
    table(os.path.abspath(args.build), args.only.split(',') if args.only else (),
          max(args.rounds, 1), args.who.split(','), args.rhea_args.split())


if __name__ == '__main__':
    main()
