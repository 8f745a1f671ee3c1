"""What belongs on a clip's drive: our files made compact and the pinned libraries, as they came with this installation.

In a wheel all of it lies in ``on_drive`` beside this module, made when the wheel was built, so that every computer has
the same bytes. In a checkout it is made of ``firmware/`` and ``vendor/``. ``make drive`` writes the same content into a
folder. *Plain*, our files are the sources as they lie in ``firmware/``: for a board with memory to spare.
"""

import functools
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import walktall
from walktall import selftest

from . import compact
from .errors import BadInput

_PACKAGE = Path(walktall.__file__).parent
_HERE = Path(__file__).parent
_IN_WHEEL = _HERE / "on_drive"
# Of a wheel: the sources of what lies in the drive's root; those of the package are the installed package.
_PLAIN_IN_WHEEL = _HERE / "on_drive_plain"
#: Files of our own in the drive's root. ``boot.py`` is the last to be written: docs/install.md says why.
ROOT_FILES = ("settings.toml", "safemode.py", "code.py", "boot.py")
LAST = PurePosixPath("boot.py")
#: The walker's wiring: never overwritten.
KEPT = PurePosixPath("settings.toml")
OURS = PurePosixPath("lib/walktall")
LICENSES = PurePosixPath("lib/licenses")
#: FAT12 on 2 MiB has clusters of one block of 512 bytes; a folder takes at least one.
BLOCK_BYTES = 512


def _checkout() -> Path | None:
    """The folder of the checkout, None in a wheel.

    :raises BadInput: it is neither
    """
    if (_IN_WHEEL / "boot.py").is_file():
        return None
    root = _PACKAGE.parent.parent.parent
    if (root / "firmware" / "boot.py").is_file() and (root / "vendor").is_dir():
        return root
    raise BadInput("the firmware's files did not come with this installation of walktall: install it anew")


def _below(folder: Path) -> Iterator[tuple[PurePosixPath, Path]]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and "__pycache__" not in relative.parts:
            yield PurePosixPath(relative.as_posix()), path


def _read(roots: Path, wiring: Path, libraries: Path, licence: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Our sources as they lie there, libraries, licences, wiring."""
    for name in ROOT_FILES:
        path = wiring if PurePosixPath(name) == KEPT else roots / name
        yield PurePosixPath(name), path.read_bytes()
    for relative, path in _below(_PACKAGE):
        if path.suffix == ".py" and relative.name not in selftest.HOST_ONLY:
            yield OURS / relative, path.read_bytes()
    for relative, path in _below(libraries):
        # In a wheel ours lie among them, compact.
        if relative.parts[0] != OURS.name:
            yield PurePosixPath("lib") / relative, path.read_bytes()
    yield LICENSES / "walktall.txt", licence.read_bytes()


@functools.cache
def _compact(checkout: Path) -> compact.Compact:
    return compact.of_folders(checkout / "firmware", _PACKAGE, checkout / "vendor")


def made(checkout: Path) -> compact.Compact:
    """Our files of a checkout made compact, with the names that they have now.

    :raises BadInput: a source is not understood
    :raises OSError: a source cannot be read
    """
    try:
        return _compact(checkout)
    except (compact.NotCompact, SyntaxError, ValueError) as fault:
        raise BadInput(f"the firmware cannot be made ready for a board: {fault}") from fault


def content(plain: bool = False) -> dict[PurePosixPath, bytes]:
    """Everything that belongs on the drive, by path, in order; the same for every supported board.

    :param bool plain: our files as they lie in ``firmware/``
    :raises BadInput: it did not come with this installation
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", walktall.__version__):  # a board's `walktall.slots` reads three numbers
        raise BadInput(f"version {walktall.__version__} is not three numbers: the firmware would not start")
    try:
        checkout = _checkout()
        if checkout is None and not plain:
            return dict(sorted((path, source.read_bytes()) for path, source in _below(_IN_WHEEL)))
        if checkout is None:
            licence = _IN_WHEEL / LICENSES / "walktall.txt"
            files = dict(_read(_PLAIN_IN_WHEEL, _IN_WHEEL / KEPT, _IN_WHEEL / "lib", licence))
        else:
            firmware = checkout / "firmware"
            files = dict(_read(firmware, firmware / KEPT, checkout / "vendor", checkout / "LICENSE"))
        if checkout is not None and not plain:
            files.update((path, text.encode()) for path, text in made(checkout).files.items())
        return dict(sorted(files.items()))
    except OSError as fault:
        raise BadInput(f"a file of the firmware cannot be read: {fault}; install walktall anew") from fault


def source_digest(files: Mapping[PurePosixPath, bytes]) -> bytes:
    """What the self-test of a clip with these files tells of its own: `walktall.selftest.source_digest`."""
    with tempfile.TemporaryDirectory() as folder:
        for path, data in files.items():
            if path.is_relative_to(OURS):
                target = Path(folder) / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
        return bytes(selftest.source_digest(str(Path(folder) / OURS)))


def file_blocks(size_bytes: int) -> int:
    """Blocks that a file of that size takes."""
    return -(-size_bytes // BLOCK_BYTES)


def blocks_bytes(files: dict[PurePosixPath, bytes]) -> int:
    """What files and folders take on a FAT of 512-byte clusters."""
    folders = {parent for path in files for parent in path.parents if parent != PurePosixPath(".")}
    return sum(file_blocks(len(data)) for data in files.values()) * BLOCK_BYTES + len(folders) * BLOCK_BYTES
