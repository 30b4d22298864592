#!/usr/bin/env python3
"""qmp_test.py RHEA - QMP on the built program: the protocol, and each command on what it acts.

SPDX-License-Identifier: MIT
"""
import os
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'tools'))
sys.dont_write_bytecode = True
import cases  # noqa: E402
from qmp import Rhea  # noqa: E402

RHEA = os.path.abspath(sys.argv[1])
NONE = ['-M', 'none', '-display', 'none', '-nodefaults', '-S']
# A board that stands, with a CPU.
IDLE = ['-M', 'microvm', '-m', '16', '-display', 'none', '-nodefaults', '-S']


def none(*args, **kw):
    return Rhea(RHEA, *NONE, *args, **kw)


def idle(*args, **kw):
    return Rhea(RHEA, *IDLE, *args, **kw)


def generic(text):
    return 'GenericError', text


# ---- the protocol

def test_greeting_then_negotiation():
    with none() as r:
        q = r.client(negotiate=False)
        version = q.greeting['QMP']['version']
        assert (version['qemu']['major'], version['qemu']['minor']) == (7, 2), version
        assert version['package'].startswith('Rhea '), version
        assert q.greeting['QMP']['capabilities'] == ['oob']
        want = 'CommandNotFound', "Expecting capabilities negotiation with 'qmp_capabilities'"
        assert q.fails('query-status') == want
        assert q.fails('nosuch') == want
        assert q.fails('qmp_capabilities', enable=['fly'])[0] == 'GenericError'
        assert q.run('qmp_capabilities') == {}
        assert q.fails('qmp_capabilities') == (
            'CommandNotFound', 'Capabilities negotiation is already complete, command ignored')
        assert q.fails('nosuch') == ('CommandNotFound',
                                     'The command nosuch has not been found')
        assert q.raw('{"exec-oob":"query-status"}')['error']['desc'] == \
            "QMP input member 'exec-oob' is unexpected"
        q.close()
        q = r.client(negotiate=False)  # the next one begins anew
        assert q.fails('query-status') == want


def test_envelope_errors_and_ids():
    with none() as r:
        q = r.client(enable=['oob'])
        for text, want in (
                ('[]', 'QMP input must be a JSON object'),
                ('null\n', 'QMP input must be a JSON object'),
                ('{}', "QMP input lacks member 'execute'"),
                ('{"execute":1}', "QMP input member 'execute' must be a string"),
                ('{"execute":"stop","foo":1}', "QMP input member 'foo' is unexpected"),
                ('{"execute":"stop","arguments":1}',
                 "QMP input member 'arguments' must be an object"),
                ('{"exec-oob":"stop","execute":"stop"}',
                 "QMP input member 'execute' clashes with 'exec-oob'"),
                ('{"exec-oob":"stop"}', 'The command stop does not support OOB'),
                ('{"execute" "stop"}', 'JSON parse error, missing : in object pair'),
                ('foo\n', "JSON parse error, invalid keyword 'foo'")):
            answer = q.raw(text)
            assert answer['error'] == {'class': 'GenericError', 'desc': want}, answer
        for text, want in (('3', 3), ('[3,"a"]', [3, 'a']), ('null', None), ('1.5', 1.5),
                           ('{"a":{}}', {'a': {}})):
            for command in ('query-name', 'nosuch'):
                answer = q.raw(f'{{"execute":"{command}","id":{text}}}')
                assert 'id' in answer and answer['id'] == want, answer


def test_arguments_are_checked_by_the_table():
    with none() as r:
        q = r.client()
        assert q.fails('stop', a=1) == generic("Parameter 'a' is unexpected")
        assert q.fails('watchdog-set-action') == generic("Parameter 'action' is missing")
        assert q.fails('watchdog-set-action', action=1) == generic(
            "Invalid parameter type for 'action', expected: string")
        assert q.fails('set-action', panic='foo') == generic(
            "Parameter 'panic' does not accept value 'foo'")


def test_pretty_sessions_and_several_at_once():
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    with none('-chardev', f'socket,id=c,fd={theirs.fileno()}', '-mon',
              'chardev=c,mode=control,pretty=on', pass_fds=[theirs.fileno()]) as r:
        theirs.close()
        q = r.client()
        f = ours.makefile('rb')
        lines = []
        while not lines or lines[-1] != b'}\r\n':
            lines.append(f.readline())
        assert lines[:2] == [b'{\n', b'    "QMP": {\n'], lines
        ours.sendall(b'{"execute":"qmp_capabilities"}')
        assert f.readline() + f.readline() + f.readline() == b'{\n    "return": {}\n}\r\n'
        assert q.run('query-name') == {}  # and the other one lives
        ours.close()
        f.close()
        assert q.run('query-name') == {}


def test_slow_readers_are_not_read_from():
    with none() as r:
        q = r.client()
        q.socket.settimeout(0.3)
        sent = 0
        try:
            while sent < 64 << 20:
                sent += q.socket.send(b'{"execute":"query-qmp-schema"}' * 1000)
        except TimeoutError:
            pass
        assert sent < 8 << 20, sent  # it stopped taking
        with open(f'/proc/{r.process.pid}/statm') as f:
            assert int(f.read().split()[1]) * 4096 < 200 << 20
        q.socket.settimeout(20)
        for _ in range(20):
            assert len(q.answer()['return']) > 50


def test_garbage_costs_its_sender_only():
    with none() as r:
        for junk in (b'[' * (5 << 20), b'\xff\xfe\x00' * 1000, b'{"execute":"query',
                     b'"' + b'x' * (20 << 20), b'{"a":' * 100000, os.urandom(1 << 20)):
            q = r.client(negotiate=False)
            q.socket.settimeout(0.5)
            try:
                q.send(junk)
            except (TimeoutError, ConnectionError):
                pass
            q.close()
        q = r.client()
        assert q.run('query-status')['running'] is False
        q.send(b'@@@\n')
        assert 'stray' in q.answer()['error']['desc']
        assert q.run('query-name') == {}


# ---- run states

def test_stop_cont_reset_quit_and_their_events():
    with idle() as r:
        q = r.client()
        assert q.run('query-status') == {'status': 'prelaunch', 'singlestep': False,
                                         'running': False}
        q.run('cont')
        event = q.event('RESUME')
        assert abs(event['timestamp']['seconds'] - time.time()) < 60
        assert 0 <= event['timestamp']['microseconds'] < 1000000
        assert q.run('query-status')['status'] == 'running'
        q.run('stop')
        q.event('STOP')
        assert q.run('query-status')['status'] == 'paused'
        q.run('system_reset')
        assert q.event('RESET')['data'] == {'guest': False, 'reason': 'host-qmp-system-reset'}
        assert q.run('query-status')['status'] == 'prelaunch'
        q.run('system_powerdown')
        q.event('POWERDOWN')
        assert q.run('quit') == {}
        assert q.event('SHUTDOWN')['data'] == {'guest': False, 'reason': 'host-qmp-quit'}
        assert q.is_closed()
        assert r.end() == (0, '')


def test_a_signal_is_told():
    with idle() as r:
        q = r.client()
        r.process.terminate()
        assert q.event('SHUTDOWN')['data'] == {'guest': False, 'reason': 'host-signal'}
        assert r.end()[0] == 0


def test_actions_follow_set_action():
    with idle('-action', 'reboot=shutdown,shutdown=pause') as r:
        q = r.client()
        q.run('system_reset')  # is a shutdown, which pauses
        assert q.event('SHUTDOWN')['data']['reason'] == 'host-qmp-system-reset'
        assert q.run('query-status')['status'] == 'shutdown'
        assert q.fails('cont') == generic('Resetting the Virtual Machine is required')
        q.run('set-action', reboot='reset')
        q.run('system_reset')
        q.event('RESET')
        assert q.run('query-status')['status'] == 'prelaunch'
        q.run('cont')
        assert q.fails('watchdog-set-action', action='none') == generic(
            'there is no watchdog device')


def test_no_power_button_is_told():
    with none() as r:
        q = r.client()
        assert q.fails('system_powerdown') == generic("machine 'none' has no power button")
        assert q.fails('inject-nmi') == generic("machine 'none' has no CPU")


def test_names():
    uuid = '12345678-9abc-def0-1234-56789abcdef0'
    with idle('-name', 'guest=web', '-uuid', uuid) as r:
        q = r.client()
        assert q.run('query-name') == {'name': 'web'}
        assert q.run('query-uuid') == {'UUID': uuid}
        assert q.run('query-target') == {'arch': 'x86_64'}
        assert q.run('query-kvm')['enabled'] is False
        names = [c['name'] for c in q.run('query-commands')]
        assert len(names) == len(set(names)) and 'query-commands' in names


if __name__ == '__main__':
    cases.run(globals())
