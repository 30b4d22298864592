#!/usr/bin/env python3
"""loops_test.py RHEA KERNEL NATIVE - the loops of loops.py compute in the guest what they do on the
host; what the harnesses make of output.

SPDX-License-Identifier: MIT
"""
import contextlib
import io
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'tools')]
import cases  # noqa: E402
import loops  # noqa: E402
import workloads  # noqa: E402

RHEA, KERNEL, NATIVE = (os.path.abspath(path) for path in sys.argv[1:4])
# What a loop that needs ring 0 gives for as many iterations as a check has.
SYSTEM_VALUES = {'cr3': '0', 'cr3_touch': '1388', 'invlpg': '2710', 'tlb': '6400', 'int': '64',
                 'fault': '64', 'syscall': '64', 'port': '2328', 'mmio': '64', 'cpuid': '0',
                 'code_page': '13ba', 'patch': '13ba', 'translate': '2d40d2a4'}
OUTPUT = """tsc 2000000000
loop one 2 ff 1000 4000 a title of words
loop two 1 1 0 0 checked only
done
"""


def guest(words, *more):
    return loops.run(loops.guest_command(RHEA, 'microvm', KERNEL, more), words)


def check_against_host(*more):
    found, expected = guest(['check'], *more), loops.run([NATIVE], ['check'])
    values = {name: result.value for name, result in found.items()}
    assert values == SYSTEM_VALUES | {n: r.value for n, r in expected.items()}, values


def test_values_are_the_hosts():
    check_against_host()


def test_words_choose_loops():
    found = guest(['stack', 'check', 'int'])
    assert list(found) == ['int', 'stack'], found
    assert loops.run([NATIVE], ['mem', 'check', 'nothing']).keys() == {'mem'}


def test_a_loop_is_measured():
    found = guest(['stack'])
    assert 0.1 < found['stack'].ns < 1e6, found


def test_an_exception_is_told():
    try:
        guest(['shift', 'check'], '-cpu', 'max,popcnt=off')
    except loops.Failed as e:
        assert 'exception' in str(e), e
        return
    assert False, 'ended as if nothing had happened'


def test_output_is_parsed():
    found = loops.parse(OUTPUT)
    assert found['one'] == loops.Result(1.0, 'ff', 'a title of words'), found
    assert found['two'] == loops.Result(None, '1', 'checked only'), found
    for broken in ('', OUTPUT.removesuffix('done\n')):
        try:
            loops.parse(broken)
        except loops.Failed:
            continue
        assert False, broken


def test_output_of_workloads_is_parsed():
    found = workloads.parse('a line\nwork one 1.5 ff a title\nwork two 2 0 b\n')
    assert found == {'one': loops.Result(1.5, 'ff', 'a title'), 'two': loops.Result(2, '0', 'b')}
    try:
        workloads.parse('')
    except loops.Failed:
        return
    assert False, 'nothing was taken for something'


def test_a_side_that_fails_is_left_out():
    def failing():
        raise loops.Failed('as told')
    times = iter((1.0, 9.0, 2.0))
    good = lambda: {'mem': loops.Result(next(times), 'a', 't')}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        found = loops.measure({'host': good, 'rhea': failing}, 3)
    assert found == {'host': {'mem': loops.Result(2.0, 'a', 't')}}, found
    assert out.getvalue() == 'rhea: as told\n', out.getvalue()


def printed(found):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        loops.print_table(found)
    return out.getvalue().splitlines()


def test_table_compares():
    found = {'host': {'mem': loops.Result(1.0, 'a', 't')},
             'qemu': {'mem': loops.Result(8.0, 'a', 't'), 'cr3': loops.Result(6.0, 'b', 'u')},
             'rhea': {'mem': loops.Result(2.0, 'a', 't'), 'cr3': loops.Result(3.0, 'c', 'u')}}
    _, mem, cr3, mean = printed(found)
    assert mem.split() == ['mem', 't', '1.00', '8.00', '2.00', '4.00', '2.00', 'gain', '3'], mem
    assert cr3.split() == ['cr3', 'u', '-', '6.00', '3.00', '2.00', '-', 'DIFFERS'], cr3
    assert mean.split()[-1] == '2.83', mean
    assert len(printed({'rhea': {'mem': loops.Result(2.0, 'a', 't')}})) == 2


cases.run(globals())
