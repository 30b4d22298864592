#!/usr/bin/env python3
"""guest_test.py - the archives and kernels that tools/guest/fetch makes.

SPDX-License-Identifier: MIT
"""
import lzma
import os
import struct
import tempfile

import cases

fetch = cases.load('tools/guest/fetch')
run_script = cases.load('tools/guest/run-script')


def read_cpio(data):
    """[(name, mode, bytes)], as the kernel reads a newc archive."""
    entries, pos = [], 0
    while True:
        assert data[pos:pos + 6] == b'070701'
        fields = [int(data[pos + 6 + 8 * i:pos + 14 + 8 * i], 16) for i in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = data[pos + 110:pos + 110 + name_size - 1].decode()
        pos = pos + 110 + name_size + -(pos + 110 + name_size) % 4
        if name == 'TRAILER!!!':
            assert pos == len(data)
            return entries
        entries.append((name, mode, data[pos:pos + size]))
        pos += size + -size % 4


def bzimage(payload):
    image = bytearray(5 * 512)
    image[0x1f1] = 4
    image[0x202:0x206] = b'HdrS'
    struct.pack_into('<II', image, 0x248, 16, len(payload))
    return bytes(image) + b'\0' * 16 + payload


def refused(image):
    try:
        fetch.unpack_kernel(image)
    except fetch.debian.FetchError as e:
        return str(e)
    raise AssertionError('was accepted')


def test_an_archive_reads_back():
    cpio = fetch.Cpio()
    cpio.folder('bin')
    for size in range(5):
        cpio.file(f'bin/{"x" * size}', b'y' * size, 0o755)
    cpio.link('init', 'bin/x')
    entries = read_cpio(cpio.bytes())
    assert entries[0] == ('bin', 0o40755, b'')
    assert entries[4] == ('bin/xxx', 0o100755, b'yyy')
    assert entries[6] == ('init', 0o120777, b'bin/x')


def test_the_initrd_has_an_init_and_a_shell():
    entries = {name: (mode, data) for name, mode, data in read_cpio(fetch.make_initrd(b'BUSY'))}
    assert entries['bin/busybox'] == (0o100755, b'BUSY')
    assert entries['init'] == (0o120777, b'bin/busybox')
    assert entries['dev/console'][0] == 0o20600
    assert entries['etc/inittab'][0] == 0o100644
    assert entries['etc/start'][0] == entries['etc/session'][0] == 0o100755


def test_lz4_blocks():
    assert fetch.unlz4_block(b'\x30abc') == b'abc'
    # a literal, then a match that overlaps itself: distance 1, 4 + 15 + 1 bytes
    assert fetch.unlz4_block(b'\x1fa\x01\x00\x01\x10b') == b'a' * 21 + b'b'
    # distance 3, 8 bytes
    assert fetch.unlz4_block(b'\x34abc\x03\x00\x00') == b'abcabcabcab'
    # 15 + 255 + 5 literals
    assert fetch.unlz4_block(b'\xf0\xff\x05' + b'z' * 275) == b'z' * 275


def test_kernels_are_unpacked():
    elf = b'\x7fELF' + b'code' * 100
    for payload in (lzma.compress(elf, check=lzma.CHECK_CRC32) + struct.pack('<I', len(elf)),
                    b'\x02!L\x18' + struct.pack('<I', len(elf) + 3) + b'\xf0\xff' +
                    bytes([len(elf) - 15 - 255]) + elf + struct.pack('<I', len(elf))):
        assert fetch.unpack_kernel(bzimage(payload)) == elf


def test_foreign_kernels_are_refused():
    assert refused(b'') == 'the kernel is not a bzImage'
    assert refused(b'\x7fELF' * 1000) == 'the kernel is not a bzImage'
    assert refused(bzimage(b'\x1f\x8bgzip')) == 'the kernel is packed neither with xz nor with lz4'
    assert refused(bzimage(lzma.compress(b'text'))) == 'the kernel holds no ELF file'
    assert refused(bzimage(lzma.compress(b'text')[:-20] + b'z' * 20)).startswith(
        'the kernel cannot be unpacked')
    assert refused(bzimage(b'\x02!L\x18\x05\0\0\0\x10a\x09\0\0\0\0\0\0')).startswith(
        'the kernel cannot be unpacked')


def test_a_scripts_output_is_cut_out_of_the_console():
    console = (b'[    0.1] kernel\r\nrhea-guest: script begins\r\none\r\ntwo\r\n'
               b'rhea-guest: script ended with status 7\r\n[    0.9] reboot: Power down\r\n')
    assert run_script.script_output(console) == (b'one\ntwo\n', 7)
    assert run_script.script_output(console[:60]) is None
    assert run_script.script_output(console[30:]) is None
    assert run_script.script_output(b'') is None


def test_files_are_replaced_whole():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'x')
        fetch.debian.replace_file(path, b'one')
        fetch.debian.replace_file(path, b'two')
        assert os.listdir(folder) == ['x']
        with open(path, 'rb') as f:
            assert f.read() == b'two'
        try:
            fetch.debian.replace_file(path, 'not bytes')
        except TypeError:
            pass
        assert os.listdir(folder) == ['x']


cases.run(dict(globals()))
