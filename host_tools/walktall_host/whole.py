"""Files that appear whole or not at all: written beside their place, and moved there when all of them is on the disk.

A link is followed: what it leads to is replaced, never the link. A device or a pipe is written to as it is, for it
cannot be replaced. None is overwritten unless asked for.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from .errors import BadInput
from .terminal import safe


def refuse_to_overwrite(path: Path, force: bool) -> None:
    """Before anything is made.

    :raises BadInput: something is there already that would be lost
    """
    if path.is_dir():
        raise BadInput(f"{safe(str(path))} is a folder: name a file in it")
    if path.exists() and not force and not _holds_nothing(path):
        raise BadInput(f"{safe(str(path))} is there already: --force overwrites it")


def _holds_nothing(path: Path) -> bool:
    """Of a terminal, ``/dev/null`` or a pipe nothing can be lost; a disk is none of them."""
    return path.is_char_device() or path.is_fifo() or path.is_socket()


def is_special(path: Path) -> bool:
    """Whether something is there that is neither a file nor a folder."""
    return path.exists() and not path.is_file() and not path.is_dir()


def followed(path: Path) -> Path:
    """Where a file of that name really lies or would lie, behind all links."""
    return Path(os.path.realpath(path))


@contextmanager
def whole_file(path: Path, force: bool, private: bool = False) -> Iterator[IO[bytes]]:
    """A file to write to, which takes its name when all is written; what was there before stays until then.

    :param private: for its owner alone from its first moment
    :raises BadInput: it is there already, or cannot be written
    """
    refuse_to_overwrite(path, force)
    try:
        if is_special(path):
            with path.open("wb") as file:
                yield file
            return
        target = followed(path)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with open(part, "wb", opener=_for_its_owner if private else None) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, target)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
    except OSError as fault:
        raise BadInput(f"{safe(str(path))} cannot be written: {fault.strerror or fault}") from fault


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
