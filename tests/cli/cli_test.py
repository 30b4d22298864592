#!/usr/bin/env python3
"""cli_test.py RHEA - the command line of the built program: what it prints, how it ends.

SPDX-License-Identifier: MIT
"""
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tools'))
import cases  # noqa: E402

RHEA = os.path.abspath(sys.argv[1])  # build/rhea: the links are beside it
# A machine that is built but does not run.
IDLE = ['-M', 'microvm', '-m', '16', '-nodefaults', '-display', 'none', '-S']


def rhea(*args, **kw):
    kw.setdefault('stdin', subprocess.DEVNULL)
    return subprocess.run([RHEA, *args], capture_output=True, text=True, timeout=30, **kw)


def refused(words, *args):
    """Ends with status 1, prints nothing but `rhea: WORDS` on standard error."""
    r = rhea(*args)
    assert r.stderr == f'rhea: {words}\n', r.stderr
    assert (r.returncode, r.stdout) == (1, ''), (r.returncode, r.stdout)


def refused_with(words, *args):
    r = rhea(*args)
    assert r.returncode == 1, r.returncode
    assert words in r.stderr and r.stderr.startswith('rhea: '), r.stderr


def running(*args, **kw):
    return subprocess.Popen([RHEA, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **kw)


def wait_for(what, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, 'did not happen in time'
        time.sleep(0.01)


def test_version_and_help_end_well():
    assert 'Rhea machine emulator version' in rhea('-version').stdout
    text = rhea('-h').stdout
    assert 'usage: rhea [options]' in text and '-kernel FILE' in text
    assert rhea('--help').stdout == text


def test_every_list_is_printed():
    for args, words in ((('-M', 'help'), 'microvm'), (('-cpu', 'help'), 'Haswell'),
                        (('-device', 'help'), 'isa-debug-exit'), (('-accel', 'help'), 'tcg'),
                        (('-object', 'help'), '  iothread '), (('-chardev', 'help'), '  socket '),
                        (('-object', 'help'), '  memory-backend-memfd   guest RAM'),
                        (('-d', 'help'), 'guest_errors'), (('-trace', 'help'), 'startup_step'),
                        (('-M', 'microvm,help'), 'acpi'), (('-device', 'isa-serial,help'), 'irq')):
        r = rhea(*args)
        assert r.returncode == 0 and words in r.stdout, (args, r)


def test_a_full_standard_output_is_an_error():
    with open('/dev/full', 'w') as full:
        r = subprocess.run([RHEA, '-h'], stdout=full, stderr=subprocess.PIPE, text=True)
    assert r.returncode == 1 and 'cannot write to standard output' in r.stderr, r


def test_closed_standard_files_are_no_trouble():
    r = subprocess.run(f'{RHEA} -h <&- >&- 2>&-', shell=True, timeout=30)
    assert r.returncode == 0, r.returncode
    line = ' '.join(IDLE)
    p = subprocess.Popen(f'exec {RHEA} {line} -serial stdio <&- >&- 2>&-', shell=True)
    time.sleep(0.3)
    assert p.poll() is None, p.returncode
    p.send_signal(signal.SIGTERM)
    assert p.wait(20) == 0


def test_unknown_words_get_the_nearest_name():
    refused("unknown option '-kernl' (did you mean '-kernel'?)", '-kernl', 'x')
    refused("unknown machine 'microvn' (did you mean 'microvm'?)", '-M', 'microvn')
    refused_with("(did you mean 'isa-debug-exit'?)", *IDLE, '-device', 'isa-debug-exi')
    refused_with("(did you mean 'iobase'?)", *IDLE, '-device', 'isa-debug-exit,iobas=1')
    refused_with("(did you mean 'iobase'?)", *IDLE, '-global', 'isa-debug-exit.iobas=1')
    refused_with("(did you mean 'iothread'?)", *IDLE, '-object', 'iothreadd,id=x')
    refused_with("unknown accelerator 'tgc' (did you mean 'tcg'?)", '-M', 'none', '-accel', 'tgc')
    refused_with("(did you mean 'Haswell'?)", *IDLE, '-cpu', 'Hasvell')
    refused_with("(did you mean 'avx2'?)", *IDLE, '-cpu', 'max,-avx22')
    refused_with("(did you mean 'pit'?)", *IDLE, '-M', 'microvm,pitt=off')


STAMP = r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z'


def test_messages_begin_with_what_msg_asks_for():
    bad = ['-M', 'microvn']
    for args, begin in (((), ''), (('-msg', 'timestamp=on'), STAMP + ' '),
                        (('-msg', 'timestamp=on', '-msg', 'timestamp=off'), ''),
                        (('-msg', 'guest-name=on'), ''),  # it has none
                        (('-name', 'web'), ''),
                        (('-msg', 'guest-name=on', '-name', 'guest=web'), 'web '),
                        (('-msg', 'guest-name=on,timestamp=on', '-name', 'a,,b'),
                         STAMP + ' a,b ')):
        text = rhea(*args, *bad).stderr
        assert re.fullmatch(f"{begin}rhea: unknown machine .*\n", text), (args, text)
    refused_with("-msg: unknown parameter 'timestmp' (did you mean 'timestamp'?)", '-msg',
                 'timestmp=on')
    refused_with("-msg: timestamp: 'maybe' is neither 'on' nor 'off'", '-msg', 'timestamp=maybe')


def test_lines_of_the_log_begin_as_messages_do():
    p = running(*IDLE, '-msg', 'timestamp=on,guest-name=on', '-name', 'web', '-d', 'cpu_reset')
    line = p.stderr.readline()
    assert re.match(STAMP + ' web cpu 0: reset', line), line
    p.terminate()
    _, text = p.communicate(timeout=20)
    assert re.search(STAMP + ' web rhea: terminating on signal', text), text


def test_the_process_and_its_threads_carry_names():
    p = running(*IDLE, '-name', 'web,process=rhea:web,debug-threads=on')
    tasks = f'/proc/{p.pid}/task'

    def names():
        return [open(f'{tasks}/{t}/comm').read().strip() for t in os.listdir(tasks)]

    wait_for(lambda: len(names()) > 1 and 'rhea:web' in names())
    wait_for(lambda: any('vcpu' in n.lower() for n in names()))
    p.terminate()
    p.communicate(timeout=20)
    refused_with('threads always carry names', *IDLE, '-name', 'web,debug-threads=off')


def test_no_machine_tells_the_way_out():
    refused('no machine given; use -M microvm (-M help lists them)')


def test_host_cpu_needs_kvm():
    refused_with("The 'host' CPU type can only be used with KVM", *IDLE, '-cpu', 'host')


def test_accelerators_are_tried_in_order():
    r = rhea('-M', 'none', '-accel', 'xen', '-accel', 'nonsense')
    assert r.returncode == 1 and "unknown accelerator 'nonsense'" in r.stderr, r.stderr
    refused_with("unknown accelerator 'nonsense'", '-M', 'none', '-accel', 'tcg', '-accel', 'nonsense')
    refused_with("unknown accelerator 'nonsense'", '-M', 'none,accel=tcg:nonsense')
    refused_with('hvf: an accelerator of macOS', '-M', 'none', '-accel', 'hvf')
    refused_with("-accel qtest: 'qtest-accel' has no property 'x'",
                 '-M', 'none', '-accel', 'tcg', '-accel', 'qtest,x=1')
    refused_with('-machine accel=: no name given; -accel help lists them', '-M', 'none,accel=')
    r = rhea('-M', 'none', '-accel', 'xen')
    assert r.returncode == 1 and 'xen: ' in r.stderr, r.stderr
    p = running('-M', 'none', '-nodefaults', '-display', 'none', '-accel', 'xen', '-accel', 'tcg')
    line = p.stderr.readline() + p.stderr.readline()
    p.send_signal(signal.SIGTERM)
    assert 'xen: ' in line and 'falling back to tcg' in line, line
    assert p.wait(20) == 0


def test_doctor_explains_the_choice():
    r = rhea('doctor')
    assert r.returncode == 0 and not r.stderr, r
    assert re.search(r'^kvm: (not usable: .|usable: /dev/kvm opens|this build)', r.stdout, re.M), r
    assert re.search(r'^xen: (not usable: .|this build)', r.stdout, re.M), r
    assert re.search(r'^without -accel, guests run under (tcg|kvm)$', r.stdout, re.M), r
    if 'under tcg' in r.stdout and 'this build' not in r.stdout:
        assert re.search(r'under tcg\n  kvm: .', r.stdout), r
    r = rhea('doctor', '--all')
    assert r.returncode == 1 and "takes no arguments, not '--all'" in r.stderr, r


def test_kernel_irqchip_is_checked_without_kvm():
    for key in 'kernel-irqchip', 'kernel_irqchip':
        refused('-machine kernel-irqchip=maybe: must be on, split, off or auto', *IDLE,
                '-machine', f'accel=tcg,{key}=maybe')


def test_kvm_refuses_what_it_does_not_have():
    cases.needs_kvm()
    refused_with('kernel-irqchip', *IDLE, '-accel', 'kvm,kernel-irqchip=maybe')
    refused_with('are one property', *IDLE, '-machine', 'kernel_irqchip=on,kernel-irqchip=off')
    refused_with('-machine kernel-irqchip=maybe: ', *IDLE, '-machine', 'accel=kvm,kernel_irqchip=maybe')
    refused_with('assist', *IDLE, '-accel', 'kvm,assist=maybe')


def test_what_the_translator_cannot_do_is_refused():
    refused('no accelerator could be started\n'
            'tcg: check=on: there is no host code to compare with tier=0',
            *IDLE, '-accel', 'tcg,tier=0,check=on')
    refused_with('tier', *IDLE, '-accel', 'tcg,tier=2')
    refused_with('thread', *IDLE, '-accel', 'tcg,thread=some')
    refused_with('no host code to name', *IDLE, '-accel', 'tcg,tier=0,perf=on')
    text = rhea('-accel', 'tcg,help').stdout
    for name in ('tier', 'thread', 'tb-size', 'stats', 'perf map file', 'check'):
        assert name in text, name


def test_one_line_tells_that_there_is_no_memory_for_host_code():
    with open(RHEA, 'rb') as f:
        if b'__asan_init' in (text := f.read()) or b'__tsan_init' in text:
            return  # they need the address space
    size = 1 << 30
    p = running(*IDLE, '-accel', 'tcg,tb-size=1024', preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_AS, (size, size)))
    line = p.stderr.readline()
    p.terminate()
    _, rest = p.communicate(timeout=20)
    assert line.startswith('rhea: tcg: guest code is interpreted, not translated'), line
    assert rest.count('\n') == 1 and 'terminating on signal' in rest, rest


def test_a_perf_map_names_guest_code():
    with tempfile.TemporaryDirectory() as d:
        rom = os.path.join(d, 'rom')
        with open(rom, 'wb') as f:  # an endless loop at the reset vector
            f.write(b'\x90' * 0xff0 + b'\xeb\xfe' + b'\x90' * 14)
        p = running('-M', 'microvm', '-nodefaults', '-display', 'none', '-bios', rom,
                    '-accel', 'tcg,perf=on')
        path = f'/tmp/perf-{p.pid}.map'
        wait_for(lambda: p.poll() is not None or (
            os.path.exists(path) and b'guest_' in open(path, 'rb').read()))
        p.terminate()
        _, err = p.communicate(timeout=20)
        if 'perf=on' in err:  # no host code here
            return
        with open(path) as f:
            lines = f.readlines()
        assert any(re.fullmatch(r'[0-9a-f]+ [0-9a-f]+ guest_fffffff0\n', x) for x in lines)
        thunks = sorted((int(x.split()[0], 16), int(x.split()[1], 16)) for x in lines
                        if re.fullmatch(r'[0-9a-f]+ [1-9a-f][0-9a-f]* rhea_thunk_\w+\n', x))
        assert len(thunks) > 20, lines
        assert all(a + size <= b for (a, size), (b, _) in zip(thunks, thunks[1:])), thunks
        os.remove(path)


def test_both_ways_to_name_accelerators_clash():
    refused_with('use one', '-M', 'none,accel=tcg', '-accel', 'tcg')


def test_memory_nobody_has():
    refused_with('-m: machine', *IDLE, '-m', '100000T')
    r = running(*IDLE, '-m', '1T')
    time.sleep(0.3)
    r.send_signal(signal.SIGTERM)
    _, text = r.communicate(timeout=20)
    assert r.returncode == 0 or 'cannot allocate' in text, (r.returncode, text)


def test_memory_beyond_all_numbers():
    refused_with('is too much', *IDLE, '-m', '18446744073709551615b')


def test_files_that_cannot_be_read():
    for option in ('-kernel', '-bios'):
        refused_with("'/nowhere': No such file or directory", *IDLE, option, '/nowhere')
        refused_with("'/': Is a directory", *IDLE, option, '/')
    with tempfile.NamedTemporaryFile() as f:
        f.write(b'x' * 5000)
        f.flush()
        refused_with('is no x86 Linux kernel', *IDLE, '-kernel', f.name)
    refused_with("-append needs a -kernel", *IDLE, '-append', 'quiet')
    refused_with("'/nowhere/log': No such file or directory", *IDLE, '-D', '/nowhere/log')


NOBODY = 65534  # of whom root's tests take the uid: modes do not hold root


def rhea_without_rights(directory, *args):
    """As rhea(), in a directory and as a user to whom a file's mode is all."""
    user = {'user': NOBODY, 'group': NOBODY, 'extra_groups': []} if os.geteuid() == 0 else {}
    fd = os.open(RHEA, os.O_RDONLY)  # the path to it may be closed to that user
    try:
        return subprocess.run(['rhea', *args], executable=f'/proc/self/fd/{fd}', pass_fds=[fd],
                              cwd=directory, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=30, **user)
    finally:
        os.close(fd)


def test_files_that_may_not_be_read():
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o777)
        for name in ('closed', 'open'):
            with open(os.path.join(d, name), 'wb') as f:
                f.write(b'x' * 5000)
        for name in ('p.in', 'p.out'):
            os.mkfifo(os.path.join(d, name))
        for name in ('closed', 'p.in', 'p.out'):
            os.chmod(os.path.join(d, name), 0)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.path.join(d, 'sock'))
        listener.listen()
        os.chmod(os.path.join(d, 'sock'), 0)
        for words, *args in (
                ("cannot open kernel 'closed'", '-kernel', 'closed'),
                ("cannot open initrd 'closed'", '-kernel', 'open', '-initrd', 'closed'),
                ("cannot open firmware 'closed'", '-bios', 'closed'),
                ("cannot read fw_cfg file 'closed'", '-fw_cfg', 'opt/x,file=closed'),
                ("-D: cannot open log file 'closed'", '-D', 'closed'),
                ("cannot write pid file 'closed'", '-pidfile', 'closed'),
                ("cannot open 'closed'", '-chardev', 'file,id=c,path=closed'),
                ("cannot open 'closed'", '-chardev', 'file,id=c,path=out,input-path=closed'),
                ("cannot open 'closed'", '-serial', 'file:closed'),
                ("cannot open 'p.in' and 'p.out', nor 'p'", '-chardev', 'pipe,id=c,path=p'),
                ("cannot open 'p.in' and 'p.out', nor 'p'", '-serial', 'pipe:p'),
                ("'sock'", '-chardev', 'socket,id=c,path=sock')):
            r = rhea_without_rights(d, *IDLE, *args)
            assert words in r.stderr and 'Permission denied' in r.stderr, (args, r.stderr)
            assert r.returncode == 1 and r.stderr.count('\n') == 1, (args, r)
        listener.close()
        r = rhea_without_rights(d, *IDLE, '-kernel', 'open')  # the directory is not the reason
        assert 'is no x86 Linux kernel' in r.stderr, r.stderr


def test_a_full_disk_under_the_log_does_not_stop_the_guest():
    p = running(*IDLE, '-d', 'cpu_reset', '-D', '/dev/full')
    time.sleep(0.3)
    assert p.poll() is None
    p.send_signal(signal.SIGTERM)
    _, text = p.communicate(timeout=20)
    assert p.returncode == 0 and text.count('log') <= 1, text


def test_signals_end_in_order():
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # what is ignored here would stay ignored there
        with tempfile.TemporaryDirectory() as d:
            pidfile = os.path.join(d, 'pid')
            p = running(*IDLE, '-pidfile', pidfile)
            wait_for(lambda: os.path.exists(pidfile) and open(pidfile).read().strip())
            assert int(open(pidfile).read()) == p.pid
            time.sleep(0.2)
            p.send_signal(number)
            _, text = p.communicate(timeout=20)
            assert p.returncode == 0, p.returncode
            assert f'terminating on signal {int(number)} from pid' in text, text
            assert not os.path.exists(pidfile)


def test_a_guest_that_ran_ends_in_order():
    with tempfile.TemporaryDirectory() as d:
        rom = os.path.join(d, 'rom')
        with open(rom, 'wb') as f:  # an endless loop at the reset vector
            f.write(b'\x90' * 0xff0 + b'\xeb\xfe' + b'\x90' * 14)
        p = running('-M', 'microvm', '-nodefaults', '-display', 'none', '-smp', '2', '-bios', rom,
                    '-accel', 'tcg,stats=on', '-trace', 'tcg_translate', '-trace', 'vcpu_state')
        time.sleep(0.5)
        p.terminate()
        _, text = p.communicate(timeout=20)
        assert p.returncode == 0, (p.returncode, text)
        assert 'guest instructions' in text, text
        assert 'vcpu 0: stopped' in text and 'vcpu 1: stopped' in text, text
        assert 'vcpu 0: pc 0xfffffff0' in text, text


def test_a_second_stdio_is_refused():
    refused_with('stdio', *IDLE, '-serial', 'stdio', '-serial', 'stdio')


def test_who_has_the_terminal():
    # Ctrl-A X ends where a serial port has it.
    p = subprocess.Popen([RHEA, '-M', 'microvm', '-S', '-display', 'none'], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    p.stdin.write('\x01x')
    p.stdin.flush()
    try:
        p.wait(0.5)
        assert False, 'the terminal is used with -display none'
    except subprocess.TimeoutExpired:
        p.terminate()
    assert p.communicate(timeout=20)[0] == '' and p.returncode == 0
    quit_it = '{"execute": "qmp_capabilities"} {"execute": "quit"}'
    for args in (('microvm', '-S', '-chardev', 'stdio,id=c', '-mon', 'c,mode=control'),
                 ('microvm', '-S', '-qmp', 'stdio'), ('none', '-nographic', '-qmp', 'stdio'),
                 ('none', '-nographic', '-chardev', 'stdio,id=c', '-qmp', 'chardev:c')):
        r = subprocess.run([RHEA, '-M', *args], input=quit_it, capture_output=True, text=True,
                           timeout=20, check=False)
        assert r.returncode == 0 and '"QMP"' in r.stdout and '(qemu)' not in r.stdout, (args, r)


def test_a_pid_file_in_use_is_refused():
    with tempfile.TemporaryDirectory() as d:
        pidfile = os.path.join(d, 'pid')
        p = running(*IDLE, '-pidfile', pidfile)
        wait_for(lambda: os.path.exists(pidfile) and open(pidfile).read().strip())
        refused_with('in use by another running process', *IDLE, '-pidfile', pidfile)
        assert open(pidfile).read().strip() == str(p.pid)
        p.kill()
        p.communicate()


def test_daemonize_returns_when_the_guest_is_ready():
    with tempfile.TemporaryDirectory() as d:
        pidfile = os.path.join(d, 'pid')
        r = rhea(*IDLE, '-daemonize', '-pidfile', pidfile)
        assert r.returncode == 0, r
        pid = int(open(pidfile).read())
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not os.path.exists(pidfile))
        r = rhea(*IDLE, '-daemonize', '-kernel', '/nowhere')
        assert r.returncode == 1 and 'No such file' in r.stderr, r
    refused_with('-nographic and -daemonize', '-M', 'microvm', '-nographic', '-daemonize')


def test_a_daemon_cleans_up_what_it_made_in_its_old_directory():
    with tempfile.TemporaryDirectory() as d:
        r = rhea(*IDLE, '-daemonize', '-pidfile', 'pid', '-serial', 'unix:s,server=on,wait=off',
                 cwd=d)
        assert r.returncode == 0, r
        assert sorted(os.listdir(d)) == ['pid', 's']
        os.kill(int(open(os.path.join(d, 'pid')).read()), signal.SIGTERM)
        wait_for(lambda: not os.listdir(d))


def test_a_daemon_has_no_stdio():
    for args in (['-serial', 'stdio'], ['-serial', 'mon:stdio'],
                 ['-chardev', 'stdio,id=c', '-serial', 'chardev:c']):
        refused_with('cannot use stdio with -daemonize', *IDLE, '-daemonize', *args)


def test_a_signal_that_the_caller_ignores_stays_ignored():
    p = running(*IDLE, '-trace', 'startup_step',
                preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    while 'start:' not in p.stderr.readline():
        pass
    p.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert p.poll() is None, p.returncode
    p.send_signal(signal.SIGTERM)
    assert 'on signal 15' in p.communicate(timeout=20)[1]


def test_a_machine_without_a_cpu_takes_nothing_to_run():
    for option in ('-kernel', '-initrd', '-append', '-bios', '-cpu'):
        refused(f"{option}: machine 'none' has no CPU", '-M', 'none', '-nodefaults', '-display',
                'none', option, 'x')
    none = ['-M', 'none', '-nodefaults', '-display', 'none']
    refused("-rtc: machine 'none' has no real-time clock", *none, '-rtc', 'base=utc')
    refused("-serial: machine 'none' has no serial ports", *none, '-serial', 'null')
    refused_with("-uuid: machine 'none' has no", *none, '-uuid',
                 '11111111-2222-3333-4444-555555555555')


def test_options_for_chips_that_are_off_are_refused():
    off = ['-M', 'microvm,isa-serial=off,rtc=off', *IDLE[2:]]
    refused('-serial: there are no serial ports with isa-serial=off', *off, '-serial', 'null')
    refused('-rtc: there is no real-time clock with rtc=off', *off, '-rtc', 'base=utc')


def test_a_machine_with_nothing_to_run_is_told_of():
    p = running('-M', 'microvm', '-nodefaults', '-display', 'none')
    line = p.stderr.readline()
    assert 'without -kernel or -bios there is nothing to run' in line, line
    p.terminate()
    p.communicate(timeout=20)
    r = subprocess.run([RHEA, '-M', 'microvm', '-nodefaults', '-display', 'none', '-accel', 'qtest',
                        '-monitor', 'stdio'], input='quit\n', capture_output=True, text=True,
                       timeout=20, check=False)
    assert r.returncode == 0 and 'nothing to run' not in r.stderr, r


def test_each_warning_about_the_cpu_is_a_line():
    p = running(*IDLE, '-cpu', 'Haswell')
    for name in ('hle', 'rtm'):
        line = p.stderr.readline()
        assert line.startswith("rhea: warning: CPU model 'Haswell': ") and name in line, line
    p.terminate()
    assert p.communicate(timeout=20)[1].startswith('rhea: terminating'), 'an empty line'


def test_a_target_that_is_not_built_says_so():
    link = os.path.join(os.path.dirname(RHEA), 'rhea-system-aarch64')
    r = subprocess.run([link, '-M', 'virt'], capture_output=True, text=True)
    assert r.returncode == 1 and "target 'aarch64' is not built into this binary" in r.stderr, r
    r = subprocess.run([link, '-M', 'help'], capture_output=True, text=True)
    assert r.returncode == 1 and not r.stdout, r


def test_devices_that_clash_or_do_not_fit():
    refused_with('I/O port', *IDLE, '-device', 'isa-debug-exit', '-device', 'isa-debug-exit')
    refused_with("has no bus for 'isa-debug-exit'", '-M', 'none', '-device', 'isa-debug-exit')
    refused_with('part of a board', *IDLE, '-device', 'ioapic')


def test_what_managers_add():
    r = rhea('-M', 'nowhere', '-overcommit', 'mem-lock=off,cpu-pm=off', '-boot', 'strict=on',
             '-audiodev', '{"id":"a","driver":"none"}')
    assert "unknown machine 'nowhere'" in r.stderr, r
    refused_with('leave out cpu-pm=on', '-overcommit', 'cpu-pm=on')
    refused_with("leave out 'order'", '-boot', 'cd')
    refused_with("leave out 'menu'", '-boot', 'menu=on')
    refused_with("the driver must be 'none'", '-audiodev', 'alsa,id=a')
    refused_with('needs an id=', '-audiodev', 'none')
    refused_with('usb=on', *IDLE, '-M', 'usb=on')
    refused_with('either data= or file=', *IDLE, '-object', 'secret,id=s')


def test_memory_is_locked():
    with open(RHEA, 'rb') as f:
        if b'__asan_init' in f.read():
            raise cases.Skip('the sanitizer has an mlockall() that does nothing')
    def limit():
        os.setuid(65534)
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (4096, 4096))
    if os.getuid() == 0:
        with tempfile.TemporaryDirectory() as d:  # where everybody may run it
            os.chmod(d, 0o755)
            program = shutil.copy(RHEA, d + '/rhea')
            r = subprocess.run([program, *IDLE, '-overcommit', 'mem-lock=on'], timeout=30,
                               capture_output=True, text=True, preexec_fn=limit)
        assert r.returncode == 1 and '-overcommit: cannot lock memory' in r.stderr, r
    p = running(*IDLE, '-overcommit', 'mem-lock=on')

    def locked():
        with open(f'/proc/{p.pid}/status') as f:
            return int(re.search(r'VmLck:\s+(\d+)', f.read())[1]) > 16 << 10 or p.poll()
    wait_for(locked)
    p.terminate()
    _, text = p.communicate()
    # Where the user may not, it is said.
    assert p.returncode == 0 or '-overcommit: cannot lock memory' in text, text


def test_globals_are_checked():
    refused_with("-global: ", *IDLE, '-global', 'isa-seriel.irq=3')
    refused_with("has no property 'irk'", *IDLE, '-global', 'isa-serial.irk=3')


def rom(code, path):
    """A firmware image of 64 KiB whose reset vector jumps to code at F000:0000."""
    with open(path, 'wb') as f:
        f.write(code.ljust(0xfff0, b'\xf4') + b'\xea\0\0\0\xf0'.ljust(16, b'\xf4'))


def out_byte(port, value):
    """mov dx, port; mov al, value; out dx, al; hlt"""
    return b'\xba' + port.to_bytes(2, 'little') + bytes([0xb0, value, 0xee, 0xf4])


def test_inherited_descriptors():
    with tempfile.TemporaryDirectory() as d, open(d + '/out', 'wb') as f:
        rom(out_byte(0x3f8, ord('x'))[:-1] + out_byte(0x501, 0), d + '/rom')
        r = rhea(*IDLE[:-1], '-bios', d + '/rom', '-device', 'isa-debug-exit', '-add-fd',
                 f'fd={f.fileno()},set=7,opaque=note', '-chardev', 'file,id=c,path=/dev/fdset/7',
                 '-serial', 'chardev:c', pass_fds=[f.fileno()])
        assert r.returncode == 1 and not r.stderr, r
        with open(d + '/out', 'rb') as out:
            assert out.read() == b'x'
    refused('-add-fd: needs fd= and set=', *IDLE, '-add-fd', 'fd=9')
    refused('-add-fd: fd=2 is a standard stream', *IDLE, '-add-fd', 'fd=2,set=1')
    for fd in '3', '900', '4294967299':
        refused(f'-add-fd: fd={fd} is not a descriptor that was inherited', *IDLE,
                '-add-fd', f'fd={fd},set=1')
    refused_with("'x'", *IDLE, '-add-fd', 'fd=x,set=1')


def test_only_the_set_has_an_inherited_descriptor():
    with tempfile.NamedTemporaryFile() as f:
        n = f.fileno()
        add = '-add-fd', f'fd={n},set=1', '-add-fd', f'fd={n},set=2'
        p = running(*IDLE, *add, pass_fds=[n])

        def leads_to(link):
            try:
                return os.readlink(link)
            except FileNotFoundError:  # closed since it was listed
                return None

        def kept():
            at = f'/proc/{p.pid}/fd'
            return [int(fd) for fd in os.listdir(at) if leads_to(f'{at}/{fd}') == f.name]
        try:
            wait_for(lambda: len(kept()) == 2 and n not in kept())
        finally:
            p.kill()
            p.communicate()


def test_a_guest_ends_the_process_with_its_status():
    with tempfile.TemporaryDirectory() as d:
        rom(out_byte(0x501, 0x10), d + '/rom')
        r = rhea(*IDLE[:-1], '-bios', d + '/rom', '-device', 'isa-debug-exit')
        assert r.returncode == 0x21, r


def test_guest_code_is_logged():
    with tempfile.TemporaryDirectory() as d:
        # mov %ax, %ss goes alone, with what follows
        rom(b'\x8e\xd0\x90' + out_byte(0x501, 0), d + '/rom')
        r = rhea(*IDLE[:-1], '-bios', d + '/rom', '-device', 'isa-debug-exit', '-d', 'in_asm,op')
        assert r.returncode == 1, r
        assert 'IN: 0xfffffff0\n' in r.stderr and 'OP: 0xfffffff0\n' in r.stderr, r
        code = re.findall(r'^0x[0-9a-f]+:  (.*)$', r.stderr, re.M)
        assert len(code) > 5 and '' not in code, code


def test_what_happens_when_a_guest_crashes():
    with tempfile.TemporaryDirectory() as d:
        rom(out_byte(0x505, 1), d + '/rom')
        args = (*IDLE[:-1], '-bios', d + '/rom', '-device', 'pvpanic')
        assert rhea(*args, '-action', 'panic=exit-failure').returncode == 1
        assert rhea(*args, '-action', 'panic=shutdown').returncode == 0
        p = running(*args, '-action', 'panic=none')
        time.sleep(0.3)
        assert p.poll() is None
        p.kill()
        p.communicate()


cases.run(globals())
