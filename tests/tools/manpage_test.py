#!/usr/bin/env python3
"""manpage_test.py - the option table as roff.

SPDX-License-Identifier: MIT
"""
import cases

manpage = cases.load('tools/manpage.py')


def test_rows_become_roff():
    table = '''/* OPTION( in a comment */
OPTION_GROUP("Boot")
OPTION(KERNEL, "kernel", 1, "FILE",
       "Linux kernel, "
       "or \\"ELF\\"")
OPTION(S, "S", 0, "", "wait")
'''
    assert list(manpage.options(table)) == [
        '.SS Boot', '.TP', '.B \\-kernel \\fIFILE\\fR', 'Linux kernel, or "ELF".',
        '.TP', '.B \\-S', 'Wait.']


def test_rows_without_help_stay_out():
    assert not list(manpage.options('OPTION(HELP, "help", 0, "", NULL)\n'))


def test_roff_is_escaped():
    assert manpage.roff('.a-b\\c') == '\\&.a\\-b\\ec'


def test_a_row_it_cannot_read_is_an_error():
    try:
        list(manpage.options('OPTION(S, S_NAME, 0, "", "wait")\n'))
    except SystemExit as e:
        assert 'understood 0 of 1' in str(e)
        return
    raise AssertionError('was accepted')


cases.run(dict(globals()))
