"""What belongs on a clip's drive: our files and the pinned libraries, as they came with this installation.

In a wheel ``boot.py`` and its neighbours, the libraries and their licences lie in ``on_drive`` beside this module, and
``lib/walktall`` is the installed package itself: there is one copy of the detector. In a checkout they are taken from
``firmware/`` and ``vendor/``. ``make drive`` writes the same content into a folder.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import walktall
from walktall import selftest

from .errors import BadInput

_PACKAGE = Path(walktall.__file__).parent
_IN_WHEEL = Path(__file__).parent / "on_drive"
#: Files of our own in the drive's root. ``boot.py`` is the last to be written: docs/install.md says why.
ROOT_FILES = ("settings.toml", "safemode.py", "code.py", "boot.py")
LAST = PurePosixPath("boot.py")
#: The walker's wiring: never overwritten.
KEPT = PurePosixPath("settings.toml")
OURS = PurePosixPath("lib/walktall")
LICENSES = PurePosixPath("lib/licenses")
#: FAT12 on 2 MiB has clusters of one block of 512 bytes; a folder takes at least one.
BLOCK_BYTES = 512


def _folders() -> tuple[Path, Path, Path]:
    """(root files, libraries, our licence), in a wheel or in a checkout.

    :raises BadInput: they are in neither
    """
    if (_IN_WHEEL / "boot.py").is_file():
        return _IN_WHEEL, _IN_WHEEL / "lib", _IN_WHEEL / "LICENSE"
    firmware = _PACKAGE.parent.parent
    checkout = firmware.parent
    if (firmware / "boot.py").is_file() and (checkout / "vendor").is_dir():
        return firmware, checkout / "vendor", checkout / "LICENSE"
    raise BadInput("the firmware's files did not come with this installation of walktall: install it anew")


def _sources() -> Iterator[tuple[PurePosixPath, Path]]:
    root, libraries, licence = _folders()
    for name in ROOT_FILES:
        yield PurePosixPath(name), root / name
    for path in sorted(_PACKAGE.rglob("*.py")):
        relative = path.relative_to(_PACKAGE)
        if "__pycache__" not in relative.parts and relative.name not in selftest.HOST_ONLY:
            yield OURS / relative.as_posix(), path
    for path in sorted(libraries.rglob("*")):
        relative = path.relative_to(libraries)
        if path.is_file() and "__pycache__" not in relative.parts:
            yield PurePosixPath("lib") / relative.as_posix(), path
    yield LICENSES / "walktall.txt", licence


def content() -> dict[PurePosixPath, bytes]:
    """Everything that belongs on the drive, by path, in order; the same for every supported board.

    :raises BadInput: it did not come with this installation
    """
    try:
        return dict(sorted((path, source.read_bytes()) for path, source in _sources()))
    except OSError as fault:
        raise BadInput(f"a file of the firmware cannot be read: {fault}; install walktall anew") from fault


def file_blocks(size_bytes: int) -> int:
    """Blocks that a file of that size takes."""
    return -(-size_bytes // BLOCK_BYTES)


def blocks_bytes(files: dict[PurePosixPath, bytes]) -> int:
    """What files and folders take on a FAT of 512-byte clusters."""
    folders = {parent for path in files for parent in path.parents if parent != PurePosixPath(".")}
    return sum(file_blocks(len(data)) for data in files.values()) * BLOCK_BYTES + len(folders) * BLOCK_BYTES
