"""Files that are there whole or not at all: what is written stands beside its place until it is whole.

A link stays a link, and what it leads to is written. What is no file (a pipe, ``/dev/null``) is not replaced either: it
is given the bytes once they are all there. A new file's mode is the umask's, and a file that was there keeps its own.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

# Of a name at most so many characters go into that of its part: 255 bytes are all that a name may have.
_MOST = 50


@contextlib.contextmanager
def part_of(path: Path) -> Iterator[Path]:
    """An empty file to be written, which takes the place of ``path`` when all went well and is gone when not.

    :raises OSError: it cannot be written
    """
    is_file = path.is_file() or not path.exists()
    place = Path(os.path.realpath(path))
    folder = place.parent if is_file else Path(tempfile.gettempdir())
    with removed(folder / f".{place.name[:_MOST]}.{secrets.token_hex(4)}") as part:
        # By its own call, so that the system takes the umask off; `mkstemp` would make it the user's alone.
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        yield part
        if is_file:
            with contextlib.suppress(FileNotFoundError):
                shutil.copymode(place, part)
            part.replace(place)
        else:
            with part.open("rb") as whole, path.open("wb") as sink:
                shutil.copyfileobj(whole, sink)


@contextlib.contextmanager
def removed(path: Path) -> Iterator[Path]:
    """A file that is gone afterwards, whatever happens."""
    try:
        try:
            yield path
        finally:
            _remove(path)
    finally:
        # One Ctrl-C is two `KeyboardInterrupt` where Polars is at work: the second strikes in the first's cleaning up.
        _remove(path)


def _remove(path: Path) -> None:
    """Without being interrupted, as far as this thread has a say in it."""
    if threading.current_thread() is not threading.main_thread():
        path.unlink(missing_ok=True)
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        path.unlink(missing_ok=True)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all.

    :raises OSError: it cannot be written
    """
    with part_of(path) as part:
        part.write_bytes(data)
