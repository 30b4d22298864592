#!/usr/bin/env python3
"""counting_test.py - run-suites counts what test programs printed.

SPDX-License-Identifier: MIT
"""
import contextlib
import io

import cases

suites = cases.load('tools/run-suites')


def judge(stdout, result='OK', returncode=0, command=('./prog',), stderr=''):
    """((passed, failed, skipped), what was printed)"""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        c = suites.judge('build', {'name': 'rhea:unit / base/err', 'stdout': stdout,
                                   'stderr': stderr, 'result': result, 'returncode': returncode,
                                   'command': list(command)})
    return (c.passed, c.failed, c.skipped), out.getvalue()


def test_passing_cases_are_counted():
    assert judge('1..2\nok 1 /a\n# note\nok 2 - /b\n')[0] == (2, 0, 0)


def test_the_plan_may_come_last():
    assert judge('ok 1 a\nok 2 b\n1..2\n')[0] == (2, 0, 0)


def test_a_failing_glib_case_names_its_line():
    counts, text = judge('1..2\nok 1 /a\nnot ok 2 /b\n', 'FAIL', 1, ['./prog', '--tap', '-k'])
    assert counts == (1, 1, 0)
    assert 'FAILED  base/err /b: failed' in text
    assert 'alone: ./prog -p /b' in text


def test_a_failing_other_case_names_its_program():
    _, text = judge('1..1\nnot ok 1 - thing\n', 'FAIL', 1)
    assert 'alone: meson test -v -C build base/err' in text


def test_skips_tell_the_reason():
    counts, text = judge('1..1\nok 1 - kvm # SKIP no /dev/kvm\n')
    assert counts == (0, 0, 1)
    assert 'skipped base/err kvm: no /dev/kvm' in text


def test_a_whole_program_may_skip():
    assert judge('1..0 # SKIP not here\n', 'SKIP')[0] == (0, 0, 1)
    counts, text = judge('no compiler\n', 'SKIP', 77)
    assert counts == (0, 0, 1) and 'no compiler' in text


def test_a_short_run_is_a_failure():
    counts, text = judge('1..3\nok 1 a\n')
    assert counts == (1, 1, 0) and 'planned 3 cases, ran 1' in text


def test_a_crash_is_one_failure():
    counts, text = judge('1..3\nok 1 a\n', 'ERROR', -11)
    assert counts == (1, 1, 0) and 'killed by signal 11' in text


def test_a_crash_after_all_cases_is_a_failure():
    assert judge('1..1\nok 1 a\n', 'ERROR', -6)[0] == (1, 1, 0)


def test_a_timeout_is_a_failure():
    counts, text = judge('1..1\nok 1 a\n', 'TIMEOUT', -15)
    assert counts == (1, 1, 0) and 'timed out' in text


def test_bailing_out_is_a_failure():
    counts, text = judge('1..1\nok 1 a\nBail out! no memory\n', 'ERROR', 1)
    assert counts == (1, 1, 0) and 'gave up: no memory' in text


def test_a_missing_plan_is_a_failure():
    assert judge('ok 1 a\n')[0] == (1, 1, 0)


def test_a_program_without_tap_counts_once():
    assert judge('whatever\n')[0] == (1, 0, 0)
    assert judge('whatever\n', 'FAIL', 1)[0] == (0, 1, 0)


def test_counts_add_up_and_print():
    c = suites.Counts(1, 2, 3)
    c += suites.Counts(10, 20, 30)
    assert str(c) == '11 passed, 22 failed, 33 skipped'


cases.run(dict(globals()))
