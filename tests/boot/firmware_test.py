#!/usr/bin/env python3
"""firmware_test.py RHEA - SeaBIOS, as Debian packages it, on the machines it was made for.

SPDX-License-Identifier: MIT
"""
import os
import select
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tools'))
import cases  # noqa: E402

RHEA = os.path.abspath(sys.argv[1])
IMAGE = '/usr/share/seabios/bios-microvm.bin'


def says(words, *args, seconds=120):
    """The machine's console shows the words."""
    command = [RHEA, '-M', 'microvm', '-m', '64', '-nodefaults', '-display', 'none', '-serial',
               'stdio', '-bios', IMAGE, *args]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as p:
        seen, end = b'', time.monotonic() + seconds
        while words not in seen and (left := end - time.monotonic()) > 0:
            if select.select([p.stdout], [], [], left)[0]:
                data = os.read(p.stdout.fileno(), 4096)
                if not data:
                    break
                seen += data
        p.terminate()
        assert p.wait(20) == 0, p.returncode
    assert words in seen, seen.decode(errors='replace')
    return seen


def test_seabios_looks_for_disks():
    seen = says(b'No bootable device')
    assert b'SeaBIOS (version' in seen and b'Booting from Hard Disk' in seen, seen


def test_seabios_takes_memory_above_4_gib_and_more_cpus():
    says(b'No bootable device', '-m', '5G', '-smp', '4')


if os.path.exists(IMAGE):
    cases.run(dict(globals()))
else:
    print(f'1..0 # SKIP no {IMAGE}: the package seabios is not installed')
