"""A rhea with a QMP monitor on a unix socket, for tests.

SPDX-License-Identifier: MIT
"""
import json
import os
import socket
import subprocess
import tempfile
import time

SECONDS = 20


class Client:
    """One connection."""

    def __init__(self, path, negotiate=True, enable=()):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(SECONDS)
        end = time.monotonic() + SECONDS
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                assert time.monotonic() < end, f'nobody listens on {path}'
                time.sleep(0.01)
        self.file = self.socket.makefile('rb')
        self.events = []
        self.greeting = self.line()
        if negotiate:
            assert self.run('qmp_capabilities', enable=list(enable)) == {}

    def line(self):
        """The next value; every line ends in CR LF."""
        line = self.file.readline()
        assert line.endswith(b'\r\n'), line
        return json.loads(line)

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def answer(self):
        """The next value that is no event; events are kept."""
        while True:
            value = self.line()
            if 'event' not in value:
                return value
            self.events.append(value)

    def raw(self, text):
        self.send(text)
        return self.answer()

    def call(self, command, /, **args):
        message = {'execute': command}
        if args:
            message['arguments'] = {k.replace('_', '-'): v for k, v in args.items()}
        return self.raw(json.dumps(message))

    def run(self, command, /, **args):
        answer = self.call(command, **args)
        assert 'return' in answer, (command, args, answer)
        return answer['return']

    def fails(self, command, /, **args):
        """(class, text) of the error."""
        answer = self.call(command, **args)
        assert 'error' in answer, (command, args, answer)
        return answer['error']['class'], answer['error']['desc']

    def event(self, name):
        """The next event of this name; those before it are dropped."""
        while True:
            event = self.events.pop(0) if self.events else self.line()
            assert 'event' in event, event
            if event['event'] == name:
                return event

    def send_fds(self, text, *fds):
        socket.send_fds(self.socket, [text.encode()], list(fds))

    def is_closed(self):
        return self.file.read() == b''

    def close(self):
        self.file.close()
        self.socket.close()


class Rhea:
    """A running program; `with` ends it."""

    def __init__(self, program, *args, qmp='server=on,wait=off', **kw):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, 'qmp')
        self.process = subprocess.Popen(
            [program, '-qmp', f'unix:{self.path},{qmp}', *args], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self.folder.cleanup()

    def client(self, **kw):
        return Client(self.path, **kw)

    def end(self):
        """Wait for it: (status, what it said on standard error)."""
        _, text = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, text
