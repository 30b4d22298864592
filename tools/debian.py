"""Fetch files out of Debian packages without installing anything and without being root.

Packages come through apt-get download, so the signatures and hashes that apt checks are checked.
What the system's own package lists do not know (another architecture, lists never fetched) is
looked up in private lists under the cache folder.
SPDX-License-Identifier: MIT
"""
import glob
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading

CACHE = os.path.join(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'rhea')


class FetchError(Exception):
    """What could not be fetched, in words for the user."""


def say(text):
    print(f'{os.path.basename(sys.argv[0])}: {text}', file=sys.stderr, flush=True)


def replace_file(path, data, mode=0o644):
    """Write path so that it is whole or absent, whoever else writes it."""
    temp = f'{path}.{os.getpid()}.{threading.get_ident()}.tmp'
    try:
        with open(temp, 'wb') as f:
            f.write(data)
            os.fchmod(f.fileno(), mode)
        os.rename(temp, path)
    except BaseException:
        if os.path.exists(temp):
            os.unlink(temp)
        raise


class Apt:
    """apt for one architecture: the system's lists where they know it, else private ones."""

    def __init__(self, arch):
        self.arch = arch
        self.private = os.path.join(CACHE, f'apt-{arch}')
        self.options = []
        if not shutil.which('apt-get'):
            raise FetchError('apt-get is not installed: this needs a Debian system')

    def _run(self, command, **kwargs):
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False, **kwargs)

    def _use_private_lists(self):
        """Fetch package lists of this architecture into the cache folder."""
        say(f'fetching the {self.arch} package lists into {self.private}')
        for name in ('lists/partial', 'cache/archives/partial'):
            os.makedirs(os.path.join(self.private, name), exist_ok=True)
        status = os.path.join(self.private, 'status')
        with open(status, 'a', encoding='utf-8'):
            pass
        self.options = [
            '-o', f'APT::Architecture={self.arch}', '-o', f'APT::Architectures={self.arch}',
            '-o', f'Dir::State={self.private}', '-o', f'Dir::State::status={status}',
            '-o', f'Dir::State::lists={self.private}/lists',
            '-o', f'Dir::Cache={self.private}/cache', '-o', 'Acquire::Languages=none',
            '-o', 'APT::Sandbox::User=', '-o', 'Debug::NoLocking=1']
        update = self._run(['apt-get', *self.options, 'update'])
        if update.returncode:
            raise FetchError('cannot fetch the package lists: ' + last_line(update.stderr))

    def _names(self, packages):
        return [f'{p}:{self.arch}' for p in packages]

    def unknown(self, packages):
        """Those that the lists in use do not name."""
        out = self._run(['apt-cache', *self.options, 'show', *self._names(packages)]).stdout
        known = set(re.findall(r'^Package: (\S+)$', out, re.M))
        return [p for p in packages if p not in known]

    def need(self, packages):
        """See to it that the lists in use know all these packages."""
        if self.unknown(packages) and not self.options:
            self._use_private_lists()
        if unknown := self.unknown(packages):
            raise FetchError(f"no package '{unknown[0]}' for {self.arch} in the package lists")

    def depends(self, package, pattern):
        """The first dependency of package whose name matches pattern."""
        out = self._run(['apt-cache', *self.options, 'depends', f'{package}:{self.arch}']).stdout
        for name in re.findall(r'^\s*\|?Depends: (\S+)$', out, re.M):
            name = name.split(':')[0]
            if re.fullmatch(pattern, name):
                return name
        raise FetchError(f"package '{package}' depends on nothing like {pattern}")

    def download(self, packages, folder):
        """Fetch the .debs into folder; their paths."""
        get = self._run(['apt-get', *self.options, '-o', 'APT::Sandbox::User=', 'download',
                         *self._names(packages)], cwd=folder)
        debs = sorted(glob.glob(os.path.join(folder, '*.deb')))
        if get.returncode == 0 and debs:
            return debs
        if not self.options:  # lists older than the archive name packages that are gone
            self._use_private_lists()
            return self.download(packages, folder)
        raise FetchError(f'cannot download {" ".join(packages)}: {last_line(get.stderr)}')


def last_line(text):
    return (text.strip().splitlines() or ['no reason given'])[-1]


def deb_tar(deb):
    """The files of a .deb as a tar stream."""
    # It complains when the reader has what it wants and goes.
    dpkg = subprocess.Popen(['dpkg-deb', '--fsys-tarfile', deb], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)
    return dpkg, tarfile.open(fileobj=io.BufferedReader(dpkg.stdout, 1 << 20), mode='r|')


def deb_read(deb, pattern):
    """The bytes of the first regular file in a .deb whose path matches pattern."""
    process, tar = deb_tar(deb)
    try:
        for member in tar:
            if member.isfile() and re.fullmatch(pattern, member.name.removeprefix('./')):
                return tar.extractfile(member).read()
    except tarfile.TarError as e:
        raise FetchError(f'{os.path.basename(deb)} cannot be unpacked: {e}') from e
    finally:
        process.stdout.close()
        process.wait()
    raise FetchError(f'{os.path.basename(deb)} holds nothing like {pattern}')


def deb_extract(deb, folder):
    """All of a .deb below folder."""
    if subprocess.run(['dpkg-deb', '-x', deb, folder], check=False).returncode:
        raise FetchError(f'cannot unpack {os.path.basename(deb)}')
