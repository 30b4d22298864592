# tests/boot/ring0_rows.py - what the host's processor cannot vouch for, a ring-0 guest must check.
# ring0_rows.py RING0 NAME IMAGE CPUS [NAME IMAGE CPUS ...]: runs all guests, then tells which rows of
# the encodings table are marked `nonnative` and reached by none of them.
# SPDX-License-Identifier: MIT
import os
import subprocess
import sys
import tempfile


def reached_rows(ring0, name, image, cpus, rows):
    """{row: (name, whether this guest reached it)}"""
    subprocess.run([ring0, name, image, cpus, rows], check=True, timeout=120)
    result = {}
    with open(rows, encoding='ascii') as lines:
        for line in lines:
            number, reached, title = line.rstrip('\n').split(' ', 2)
            result[int(number)] = (title, reached == '1')
    return result


def main(ring0, *guests):
    titles, reached = {}, set()
    with tempfile.TemporaryDirectory() as folder:
        for name, image, cpus in zip(*[iter(guests)] * 3):
            rows = reached_rows(ring0, name, image, cpus, os.path.join(folder, name))
            titles.update((number, title) for number, (title, _) in rows.items())
            reached.update(number for number, (_, is_reached) in rows.items() if is_reached)
    missing = sorted(titles.keys() - reached)
    print(f'{len(titles)} rows do not run natively, the guests reach {len(titles) - len(missing)}')
    for number in missing:
        print(f'no guest reaches row {number}: {titles[number]}')
    return not titles or bool(missing)


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
