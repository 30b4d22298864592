#!/usr/bin/env python3
"""qmp_test.py RHEA - QMP on the built program: the protocol, and each command on what it acts.

SPDX-License-Identifier: MIT
"""
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'tools'))
sys.dont_write_bytecode = True
import cases  # noqa: E402
from qmp import Client, Rhea  # noqa: E402

RHEA = os.path.abspath(sys.argv[1])
NONE = ['-M', 'none', '-display', 'none', '-nodefaults', '-S']
QEMU = '/usr/bin/qemu-system-x86_64'
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


# ---- what the guest does; a test is the guest

class Ports:
    """A machine whose ports a test accesses (docs/qtest.md)."""

    def __init__(self, *args):
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, 'qtest')
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen(1)
        server.settimeout(20)
        self.rhea = Rhea(RHEA, '-M', 'microvm', '-m', '16', '-display', 'none', '-nodefaults',
                         '-accel', 'qtest', '-qtest', f'unix:{path}', '-qtest-log', 'none', *args)
        self.file = server.accept()[0].makefile('rwb')

    def __enter__(self):
        self.rhea.__enter__()
        return self

    def __exit__(self, *_):
        self.rhea.__exit__()
        self.folder.cleanup()

    def outb(self, port, value):
        self.file.write(f'outb {port} {value}\n'.encode())
        self.file.flush()
        assert self.file.readline() == b'OK\n'


def test_a_panic_is_told():
    for action, told, status in (('pause', 'pause', 'guest-panicked'), ('none', 'run', 'running')):
        with Ports('-device', 'pvpanic,id=p', '-action', f'panic={action}') as guest:
            q = guest.rhea.client()
            guest.outb(0x505, 1)
            assert q.event('GUEST_PANICKED')['data'] == {'action': told}
            assert q.run('query-status')['status'] == status
    with Ports('-device', 'pvpanic', '-action', 'panic=exit-failure') as guest:
        q = guest.rhea.client()
        guest.outb(0x505, 1)
        assert q.event('GUEST_PANICKED')['data'] == {'action': 'poweroff'}
        q.event('STOP')
        assert q.event('SHUTDOWN')['data'] == {'guest': True, 'reason': 'guest-panic'}
        assert guest.rhea.end()[0] == 1


def test_a_set_clock_is_told_once_a_second():
    with Ports('-rtc', 'base=2020-01-01T00:00:00') as guest:
        q = guest.rhea.client()
        begin = time.monotonic()
        for day in range(2, 12):
            guest.outb(0x70, 7)
            guest.outb(0x71, day // 10 * 16 + day % 10)
        first = q.event('RTC_CHANGE')['data']
        last = q.event('RTC_CHANGE')['data']
        assert 0.9 < time.monotonic() - begin < 10
        assert first['offset'] // 86400 in range(1, 10), first
        assert last['offset'] // 86400 == 10, last
        assert q.run('qom-get', path=last['qom-path'], property='type') == 'mc146818rtc'


def test_no_power_button_is_told():
    with none() as r:
        q = r.client()
        assert q.fails('system_powerdown') == generic("machine 'none' has no power button")
        assert q.fails('inject-nmi') == generic("machine 'none' has no CPU")


def test_names():
    uuid = '12345678-9abc-def0-1234-56789abcdef0'
    with idle('-name', 'guest=web', '-uuid', uuid, '-accel', 'tcg') as r:
        q = r.client()
        assert q.run('query-name') == {'name': 'web'}
        assert q.run('query-uuid') == {'UUID': uuid}
        assert q.run('query-target') == {'arch': 'x86_64'}
        assert q.run('query-kvm')['enabled'] is False
        accelerators = q.run('query-accelerators')
        assert accelerators['enabled'] == 'tcg' and 'tcg' in accelerators['present']
        names = [c['name'] for c in q.run('query-commands')]
        assert len(names) == len(set(names)) and 'query-commands' in names


# ---- objects and types

def test_the_tree_is_read_and_written():
    with idle('-serial', 'null', '-object', 'iothread,id=io1') as r:
        q = r.client()
        names = {p['name']: p['type'] for p in q.run('qom-list', path='/')}
        assert names['machine'] == 'child<microvm-machine>' and names['type'] == 'string', names
        assert q.run('qom-get', path='/machine', property='type') == 'microvm-machine'
        assert q.run('qom-get', path='/machine', property='acpi') is True
        assert q.run('qom-get', path='/', property='machine') == '/machine'
        path = [p['name'] for p in q.run('qom-list', path='/machine/unattached')
                if p['type'] == 'child<isa-serial>'][0]
        port = q.run('qom-get', path='/machine/unattached/' + path, property='iobase')
        assert isinstance(port, int), port
        assert q.fails('qom-list', path='/nosuch') == (
            'DeviceNotFound', "Device '/nosuch' not found")
        assert q.fails('qom-get', path='/machine', property='nosuch') == generic(
            "Property 'microvm-machine.nosuch' not found")
        assert q.fails('qom-set', path='/machine', property='nosuch', value=1) == generic(
            "Property 'microvm-machine.nosuch' not found")
        assert 'cannot be changed any more' in q.fails(
            'qom-set', path='/machine', property='acpi', value=False)[1]
        assert q.fails('qom-set', path='/objects/io1', property='thread-id', value=1)[0] == \
            'GenericError'


def test_an_empty_tree_has_its_branches():
    with Rhea(RHEA, '-M', 'none', '-nodefaults', '-display', 'none') as r:
        q = r.client()
        for path in ('/objects', '/machine/peripheral', '/machine/unattached'):
            assert q.run('qom-list', path=path) == [{'name': 'type', 'type': 'string'}]


def test_types_and_their_properties():
    with none() as r:
        q = r.client()
        types = {t['name']: t for t in q.run('qom-list-types', abstract=True)}
        assert types['device']['abstract'] and 'abstract' not in types['isa-serial']
        assert types['isa-serial']['parent'], types['isa-serial']
        assert 'tcg-accel' in types and types['max-x86_64-cpu']['parent'] == 'x86_64-cpu'
        names = [t['name'] for t in q.run('qom-list-types', implements='device')]
        assert 'isa-serial' in names and 'device' not in names and 'tcg-accel' not in names
        assert q.run('qom-list-types', implements='nosuch') == []
        props = {p['name']: p for p in q.run('device-list-properties', typename='isa-serial')}
        assert props['chardev']['type'].startswith('link<') and props['iobase'], props
        assert q.run('qom-list-properties', typename='iothread')
        flags = [p['name'] for p in q.run('device-list-properties', typename='max-x86_64-cpu')]
        assert 'avx2' in flags
        assert q.fails('device-list-properties', typename='nosuch') == (
            'DeviceNotFound', "Device 'nosuch' not found")
        assert q.fails('device-list-properties', typename='device') == generic(
            "Parameter 'typename' expects a non-abstract device type")
        assert q.fails('qom-list-properties', typename='nosuch')[0] == 'DeviceNotFound'


def test_objects_come_and_go():
    with none() as r:
        q = r.client()
        assert q.run('query-iothreads') == []
        q.run('object-add', qom_type='iothread', id='io1')
        thread, = q.run('query-iothreads')
        assert thread['id'] == 'io1' and os.path.exists(
            f"/proc/{r.process.pid}/task/{thread['thread-id']}"), thread
        assert 'already' in q.fails('object-add', qom_type='iothread', id='io1')[1]
        assert q.fails('object-add', qom_type='iothread', id='y', foo=1) == generic(
            "Parameter 'foo' is unexpected")
        assert q.fails('object-add', qom_type='nosuch', id='y') == generic(
            "Parameter 'qom-type' does not accept value 'nosuch'")
        q.run('object-del', id='io1')
        assert q.run('query-iothreads') == []
        assert q.fails('object-del', id='io1') == generic("object 'io1' not found")


def test_devices_that_cannot_be_plugged():
    with idle('-device', 'pvpanic,id=p') as r:
        q = r.client()
        assert q.fails('device_add', driver='nosuch') == generic(
            "'nosuch' is not a valid device model name")
        assert q.fails('device_add', driver='pvpanic', id='q') == generic(
            "Bus 'isa' does not support hotplugging")
        assert q.fails('device_del', id='p') == generic("Bus 'isa' does not support hotplugging")
        assert q.fails('device_del', id='q') == ('DeviceNotFound', "Device 'q' not found")


# ---- CPUs and memory

def test_cpus_and_models():
    with idle('-smp', '4,sockets=2,cores=2', '-cpu', 'Nehalem') as r:
        q = r.client()
        cpus = q.run('query-cpus-fast')
        assert [c['cpu-index'] for c in cpus] == [0, 1, 2, 3]
        assert cpus[3]['props'] == {'thread-id': 0, 'core-id': 1, 'die-id': 0, 'socket-id': 1}
        for c in cpus:
            assert os.path.exists(f"/proc/{r.process.pid}/task/{c['thread-id']}"), c
            assert q.run('qom-get', path=c['qom-path'], property='type') == 'Nehalem-x86_64-cpu'
        models = {m['name']: m for m in q.run('query-cpu-definitions')}
        assert models['max']['unavailable-features'] == []
        assert 'svm' in models['EPYC']['unavailable-features']
        assert models['EPYC']['typename'] == 'EPYC-x86_64-cpu'
        props = q.run('query-cpu-model-expansion', type='full',
                      model={'name': 'max', 'props': {'avx2': False}})['model']['props']
        assert props['avx2'] is False and props['sse2'] is True
        assert props['vendor'] == 'GenuineIntel' and props['family'] == 6
        assert q.fails('query-cpu-model-expansion', type='full', model={'name': 'x'})[0] == \
            'GenericError'
        machines = {m['name']: m for m in q.run('query-machines')}
        assert 'default-cpu-type' not in machines['microvm']  # libvirt knows no model "max"
        assert machines['none']['cpu-max'] == 1


def test_memory_is_saved():
    with idle() as r:
        q = r.client()
        assert q.run('query-memory-size-summary') == {'base-memory': 16 << 20,
                                                      'plugged-memory': 0}
        path = os.path.join(r.folder.name, 'mem')
        q.run('pmemsave', val=0, size=5000, filename=path)
        assert os.path.getsize(path) == 5000
        q.run('pmemsave', val=0xa0000000, size=16, filename=path)
        with open(path, 'rb') as f:
            assert f.read() == b'\xff' * 16  # nothing is there
        q.run('memsave', val=4090, size=100, filename=path)
        assert os.path.getsize(path) == 100
        assert q.fails('memsave', val=0, size=1, filename=path, cpu_index=9) == generic(
            "Parameter 'cpu-index' expects a CPU number")
        assert 'Invalid addr' in q.fails('pmemsave', val=1 << 60, size=1, filename=path)[1]
        assert q.fails('pmemsave', val=-1, size=1, filename=path) == generic(
            "Invalid parameter type for 'val', expected: uint64")
        assert q.fails('pmemsave', val=0, size=1, filename='/nosuch/x') == generic(
            "Could not open '/nosuch/x': No such file or directory")


# ---- chardevs and descriptors

def chardev(kind, **data):
    return {'type': kind, 'data': data}


def test_chardevs_come_and_go():
    with none() as r:
        q = r.client()
        q.run('chardev-add', id='n', backend=chardev('null'))
        pty = q.run('chardev-add', id='p', backend=chardev('pty'))['pty']
        path = os.path.join(r.folder.name, 's')
        q.run('chardev-add', id='s', backend=chardev(
            'socket', addr={'type': 'unix', 'data': {'path': path}}))
        assert os.path.exists(path)
        chardevs = {c['label']: c for c in q.run('query-chardev')}
        assert chardevs['p']['filename'] == 'pty:' + pty
        assert chardevs['s'] == {'label': 's', 'filename': f'unix:{path},server=on',
                                 'frontend-open': False}
        assert chardevs['compat_monitor0']['frontend-open']
        assert q.fails('chardev-add', id='n', backend=chardev('null')) == generic(
            "Chardev with id 'n' already exists")
        assert q.fails('chardev-add', id='x', backend={'type': 'null'}) == generic(
            "Parameter 'backend.data' is missing")
        assert q.fails('chardev-add', id='x', backend=chardev('udp'))[0] == 'GenericError'
        assert q.fails('chardev-remove', id='compat_monitor0') == generic(
            "Chardev 'compat_monitor0' is busy")
        q.run('chardev-change', id='n', backend=chardev('ringbuf', size=1024))
        q.run('ringbuf-write', device='n', data='hallo')
        assert q.run('ringbuf-read', device='n', size=2) == 'ha'
        assert q.run('ringbuf-read', device='n', size=99, format='base64') == 'bGxv'
        q.run('chardev-remove', id='s')
        assert not os.path.exists(path)
        assert q.fails('chardev-remove', id='s') == generic("Chardev 's' not found")
        assert {b['name'] for b in q.run('query-chardev-backends')} >= {'socket', 'ringbuf'}


def test_connections_are_broken_out_of_band():
    with none() as r:
        q = r.client(enable=['oob'])
        path = os.path.join(r.folder.name, 's')
        q.run('chardev-add', id='s', backend=chardev(
            'socket', addr={'type': 'unix', 'data': {'path': path}}))
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(path)
        wanted = {'type': 'chardev', 'id': 's'}
        end = time.monotonic() + 20
        while wanted not in q.raw('{"exec-oob":"query-yank"}')['return']:
            assert time.monotonic() < end
        # What is called out of band overtakes what waits.
        q.send('{"execute":"query-name","id":1}{"execute":"query-name","id":2}'
               '{"exec-oob":"yank","id":3,"arguments":'
               '{"instances":[{"type":"chardev","id":"s"}]}}')
        assert [q.answer()['id'] for _ in range(3)] == [3, 1, 2]
        assert peer.recv(1) == b''
        assert q.fails('yank', instances=[{'type': 'chardev', 'id': 'x'}]) == (
            'DeviceNotFound', "Instance not found: 'chardev:x'")
        assert 'does not support OOB' in q.raw('{"exec-oob":"quit"}')['error']['desc']


def test_descriptors_are_handed_over():
    with none() as r:
        q = r.client()
        none_came = generic('No file descriptor supplied via SCM_RIGHTS')
        assert q.fails('getfd', fdname='a') == none_came
        assert q.fails('add-fd') == none_came
        ours, theirs = socket.socketpair()
        q.send_fds('{"execute":"getfd","arguments":{"fdname":"a"}}', theirs.fileno())
        assert q.answer() == {'return': {}}
        theirs.close()
        assert q.fails('getfd', fdname='a') == none_came  # that one is used up
        q.run('chardev-add', id='c', backend=chardev(
            'socket', addr={'type': 'fd', 'data': {'str': 'a'}}, server=False))
        assert q.fails('closefd', fdname='a') == generic("File descriptor named 'a' not found")
        q.run('chardev-remove', id='c')
        assert ours.recv(1) == b''  # closed with it

        # A failed attempt leaves the name, and nothing open besides.
        _, theirs = socket.socketpair()
        q.send_fds('{"execute":"getfd","arguments":{"fdname":"b"}}', theirs.fileno())
        assert q.answer() == {'return': {}}
        before = len(os.listdir(f'/proc/{r.process.pid}/fd'))
        for more in {'server': True}, {'server': False, 'tls_creds': 'x'}:
            more = {k.replace('_', '-'): v for k, v in more.items()}
            q.fails('chardev-add', id='c', backend=chardev(
                'socket', addr={'type': 'fd', 'data': {'str': 'b'}}, **more))
            assert len(os.listdir(f'/proc/{r.process.pid}/fd')) == before
        q.run('closefd', fdname='b')

        path = os.path.join(r.folder.name, 'log')
        with open(path, 'wb') as f:
            q.send_fds('{"execute":"add-fd","arguments":{"opaque":"rdwr:x"}}', f.fileno())
        added = q.answer()['return']
        sets = q.run('query-fdsets')
        assert sets == [{'fdset-id': added['fdset-id'],
                         'fds': [{'fd': added['fd'], 'opaque': 'rdwr:x'}]}], sets
        q.run('pmemsave', val=0, size=3, filename=f"/dev/fdset/{added['fdset-id']}")
        assert os.path.getsize(path) == 3
        q.run('remove-fd', fdset_id=added['fdset-id'])
        assert q.run('query-fdsets') == []
        assert q.fails('remove-fd', fdset_id=3) == generic(
            "File descriptor named 'fdset-id:3' not found")
        # Nobody leaks descriptors into us: what came last replaces what nobody took.
        before = len(os.listdir(f'/proc/{r.process.pid}/fd'))
        with open(path, 'rb') as f:
            for _ in range(50):
                q.send_fds('{"execute":"query-name"}', *[f.fileno()] * 10)
                q.answer()
        assert len(os.listdir(f'/proc/{r.process.pid}/fd')) <= before + 10
        q.close()


# ---- trace points, statistics

def test_trace_points():
    with none() as r:
        q = r.client()
        assert q.run('trace-event-get-state', name='vcpu_state') == [
            {'name': 'vcpu_state', 'state': 'disabled', 'vcpu': False}]
        q.run('trace-event-set-state', name='vcpu_*', enable=True)
        assert q.run('trace-event-get-state', name='vcpu_state')[0]['state'] == 'enabled'
        assert q.run('trace-event-get-state', name='nosuch*') == []
        assert q.fails('trace-event-get-state', name='nosuch') == generic(
            'unknown event "nosuch"')


def test_statistics():
    with idle() as r:
        q = r.client()
        schema, = q.run('query-stats-schemas')
        names = [s['name'] for s in schema['stats']]
        q.run('cont')
        time.sleep(0.05)
        stats, = q.run('query-stats', target='vcpu')
        assert [s['name'] for s in stats['stats']] == names
        assert stats['qom-path'] == q.run('query-cpus-fast')[0]['qom-path']
        some, = q.run('query-stats', target='vcpu',
                      providers=[{'provider': 'tcg', 'names': names[:1]}])
        assert len(some['stats']) == 1
        assert q.run('query-stats', target='vm') == []
        assert q.run('query-stats', target='vcpu', providers=[{'provider': 'kvm'}]) == []


def test_options():
    with none() as r:
        q = r.client()
        options = {o['option']: {p['name']: p['type'] for p in o['parameters']}
                   for o in q.run('query-command-line-options')}
        assert options['smp-opts']['dies'] == 'number' and options['memory'] == {'size': 'size'}
        mon, = q.run('query-command-line-options', option='mon')
        assert {'name': 'mode', 'type': 'string'} in mon['parameters'], mon
        assert q.fails('query-command-line-options', option='nosuch') == generic(
            'invalid option name: nosuch')


# ---- the schema

def test_the_schema_has_no_loose_ends():
    with none() as r:
        q = r.client()
        schema = q.run('query-qmp-schema')
        by_name = {e['name']: e for e in schema}
        assert len(by_name) == len(schema)
        assert {e['meta-type'] for e in schema} == {
            'builtin', 'enum', 'array', 'object', 'alternate', 'command', 'event'}
        for e in schema:
            used = [e[k] for k in ('arg-type', 'ret-type', 'element-type') if k in e]
            used += [m['type'] for m in e.get('members', ()) if 'type' in m]
            used += [v['type'] for v in e.get('variants', ())]
            for name in used:
                assert by_name[name]['meta-type'] not in ('command', 'event'), (e, name)
            if 'tag' in e:
                tag, = [m for m in e['members'] if m['name'] == e['tag']]
                cases = [v['case'] for v in e['variants']]
                assert cases == by_name[tag['type']]['values'], e
        commands = {e['name'] for e in schema if e['meta-type'] == 'command'}
        assert commands == {c['name'] for c in q.run('query-commands')}
        assert {e['name'] for e in schema if e['meta-type'] == 'event'} >= {
            'SHUTDOWN', 'RESET', 'STOP', 'RESUME', 'POWERDOWN', 'GUEST_PANICKED',
            'DEVICE_DELETED'}


# ---- memory of the user's

def test_memory_backends():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'ram')
        with open(path, 'wb') as f:
            f.write(b'rhea' * 1024 + bytes((32 << 20) - 4096))
        for share in 'on', 'off':
            backend = f'memory-backend-file,id=r,size=32M,mem-path={path},share={share}'
            args = ['-M', 'microvm,memory-backend=r', '-object', backend, '-display', 'none',
                    '-nodefaults', '-S']
            with Rhea(RHEA, *args) as r:
                q = r.client()
                assert q.run('query-memory-size-summary')['base-memory'] == 32 << 20
                saved = os.path.join(folder, 'saved')
                q.run('pmemsave', val=0, size=8, filename=saved)
                with open(saved, 'rb') as f:
                    assert f.read() == b'rhearhea'
                assert 'in use' in q.fails('object-del', id='r')[1]
        args[1] = 'microvm,memory-backend=x'
        with Rhea(RHEA, *args) as r:
            assert "there is no memory-backend 'x'" in r.end()[1]
        with Rhea(RHEA, *IDLE, '-M', 'microvm,memory-backend=r', '-object',
                  'memory-backend-ram,id=r,size=32M') as r:
            assert "memory backend 'r' has 33554432 bytes, not 16777216" in r.end()[1]


# ---- libvirt 9's probe of what an emulator can do

def probe(q):
    """Its commands in its order; each answer has what libvirt gives up without."""
    version = q.run('query-version')
    qemu = version['qemu']
    assert (qemu['major'], qemu['minor'], qemu['micro']) >= (4, 2, 0) and version['package']
    assert q.run('query-target')['arch'] == 'x86_64'
    assert q.run('query-qmp-schema')
    assert all(c['name'] for c in q.run('query-commands'))
    kvm = q.run('query-kvm')
    assert isinstance(kvm['enabled'], bool) and isinstance(kvm['present'], bool)
    types = [t['name'] for t in q.run('qom-list-types')]
    assert 'tcg-accel' in types and 'kvm-accel' in types
    for name in ('virtio-blk-pci', 'scsi-hd', 'ide-hd', 'PIIX4_PM', 'kvm-pit', 'ICH9-LPC',
                 'virtio-balloon-pci', 'virtio-balloon-ccw', 'usb-host'):
        answer = q.call('device-list-properties', typename=name)
        assert 'return' in answer or answer['error']['class'] == 'DeviceNotFound', answer
    # It crashes without these two.
    assert all(p['name'] for p in q.run('qom-list-properties', typename='memory-backend-file'))
    assert all(p['name'] for p in q.run('qom-list-properties', typename='max-x86_64-cpu'))
    assert all(m['name'] and m['cpu-max'] for m in q.run('query-machines'))
    assert q.run('qom-list-properties', typename='none-machine')
    assert all(m['name'] and m['typename'] for m in q.run('query-cpu-definitions'))
    assert q.run('query-tpm-models') == [] and q.run('query-tpm-types') == []
    assert all(o['option'] and isinstance(o['parameters'], list)
               for o in q.run('query-command-line-options'))
    assert q.run('query-migrate-capabilities') == [{'capability': 'events', 'state': False}]
    model = q.run('query-cpu-model-expansion', type='static', model={'name': 'host'})['model']
    assert model['name'] == 'host' and model['props']['sse2'] is True


def cpu_models(q):
    """Each model's switches, and its features that cannot be had."""
    out = {}
    for m in q.run('query-cpu-definitions'):
        full = q.run('query-cpu-model-expansion', type='full', model={'name': m['name']})
        out[m['name']] = full['model']['props'], m['unavailable-features']
    return out


def rows_of_what_there_is(program, accel):
    """Those of the models without features of their own, by name."""
    with Rhea(program, *NONE, '-accel', accel) as r:
        return {m['name']: m for m in r.client().run('query-cpu-definitions')
                if m['name'] in ('host', 'max')}


def test_host_and_max_are_defined():
    rows = rows_of_what_there_is(RHEA, 'tcg')
    assert rows['host'] == {
        'name': 'host', 'typename': 'host-x86_64-cpu', 'unavailable-features': ['kvm'],
        'static': False, 'migration-safe': False, 'deprecated': False}, rows
    has_kvm = os.access('/dev/kvm', os.R_OK | os.W_OK)
    if has_kvm:
        assert rows_of_what_there_is(RHEA, 'kvm')['host']['unavailable-features'] == []
        with idle('-accel', 'kvm', '-cpu', 'host') as r:
            q = r.client()
            cpu, = q.run('query-cpus-fast')
            assert q.run('qom-get', path=cpu['qom-path'], property='type') == 'host-x86_64-cpu'
    if os.path.exists(QEMU):
        for accel in ('tcg', 'kvm')[:1 + has_kvm]:
            assert rows_of_what_there_is(QEMU, accel) == rows_of_what_there_is(RHEA, accel)


def test_cpu_models_are_what_kvm_gives():
    cases.needs_kvm()
    with none('-accel', 'tcg') as r:
        tcg = cpu_models(r.client())
    del tcg['host']  # of which KVM tells below
    with none('-accel', 'kvm') as r:
        q = r.client()
        kvm = cpu_models(q)
        del kvm['host']
        host = q.run('query-cpu-model-expansion', type='full', model={'name': 'host'})['model']['props']
        assert 'CPU feature' in q.fails('query-cpu-model-expansion', type='full',
                                        model={'name': 'host', 'props': {'nosuch': True}})[1]
    with open('/proc/cpuinfo', encoding='utf-8', errors='replace') as text:
        name = re.search(r'^model name\s*: (.*)$', text.read(), re.M)[1]
    assert host['model-id'].strip() == name.strip()[:48], (host['model-id'], name)
    assert {k: v for k, v in host.items() if isinstance(v, bool)} == \
        {k: v for k, v in kvm['max'][0].items() if isinstance(v, bool)}
    for model, (props, missing) in kvm.items():
        assert not any(props[feature] for feature in missing), (model, missing)
        assert set(tcg[model][1]) <= set(missing), model
        assert not any(props[k] is True and tcg[model][0][k] is False for k in props
                       if not k.startswith('kvm')), model
    assert kvm['max'][1] == tcg['max'][1] == []


def test_what_libvirt_asks_before_a_guest_runs():
    with none() as r:
        q = r.client()
        q.run('migrate-set-capabilities', capabilities=[{'capability': 'events', 'state': True}])
        assert q.run('query-migrate-capabilities')[0]['state'] is True
        assert 'xbzrle' in q.fails('migrate-set-capabilities', capabilities=[
            {'capability': 'xbzrle', 'state': True}])[1]
        assert q.run('query-migrate') == {}
        assert q.run('query-named-block-nodes', flat=True) == []
        assert q.run('query-blockstats', **{'query-nodes': True}) == []
        for command in 'query-block', 'query-block-jobs', 'query-memory-devices':
            assert q.run(command) == [], command
        assert q.fails('query-balloon')[0] == 'DeviceNotActive'


def test_libvirt_probe():
    with tempfile.TemporaryDirectory() as folder:
        path, pidfile = os.path.join(folder, 'mon'), os.path.join(folder, 'pid')
        started = subprocess.run(
            [RHEA, '-S', '-no-user-config', '-nodefaults', '-nographic', '-machine',
             'none,accel=kvm:tcg', '-qmp', f'unix:{path},server=on,wait=off', '-pidfile', pidfile,
             '-daemonize'], capture_output=True, text=True, timeout=20)
        assert started.returncode == 0, started.stderr
        with open(pidfile) as f:
            pid = int(f.read())
        try:
            q = Client(path)  # it listens by now
            probe(q)
            q.run('quit')
            assert q.event('SHUTDOWN')['data']['reason'] == 'host-qmp-quit'
            assert q.is_closed()
            end = time.monotonic() + 20
            while os.path.exists(pidfile):
                assert time.monotonic() < end
                time.sleep(0.01)
        finally:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


if __name__ == '__main__':
    cases.run(globals())
