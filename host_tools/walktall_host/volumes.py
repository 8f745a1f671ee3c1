"""Drives of CircuitPython boards on this computer: where they are mounted, which board it is, who may write.

A board's drive is known by its ``boot_out.txt``, which CircuitPython writes at each start::

    Adafruit CircuitPython 10.0.3 on 2025-10-17; Seeed XIAO nRF52840 Sense with nRF52840
    Board ID:Seeed_XIAO_nRF52840_Sense

While a clip is worn Python writes the drive, and the computer sees it read-only. Nothing is written here.
"""

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from walktall import boards

from .errors import BadInput
from .terminal import safe

BOOT_OUT = "boot_out.txt"
#: The oldest CircuitPython that the firmware is made for.
CIRCUITPYTHON_LEAST = 10
_BOOT_OUT_MOST = 4096
_MOUNTS = Path("/proc/mounts")


@dataclass(frozen=True)
class Volume:
    """One board's drive; the texts are safe to show."""

    root: Path
    board_id: str
    circuitpython: str


def read(root: Path) -> Volume:
    """What the drive's ``boot_out.txt`` says.

    :raises BadInput: it is no CircuitPython drive
    """
    if not root.is_dir():
        raise BadInput(f"{safe(str(root))} is not a folder: where the drive is mounted is what is meant")
    try:
        with (root / BOOT_OUT).open("rb") as file:
            text = file.read(_BOOT_OUT_MOST).decode("utf-8", "replace")
    except OSError:
        raise BadInput(
            f"{safe(str(root))} is not a CircuitPython board's drive (no {BOOT_OUT}): install CircuitPython first, "
            "circuitpython.org has it for each board"
        ) from None
    version = re.search(r"CircuitPython (\d+\.\d+\.\d+\S*)", text)
    board = re.search(r"^Board ID:\s*(\S+)", text, re.MULTILINE)
    if version is None or board is None:
        raise BadInput(f"{safe(str(root / BOOT_OUT))} names no board and version: is it CircuitPython's?")
    return Volume(root, safe(board[1]), safe(version[1].rstrip(",;"), 30))


def check(volume: Volume) -> None:
    """That Walktall runs there.

    :raises BadInput: another board, or a CircuitPython that is too old
    """
    if volume.board_id not in boards.names():
        known = ", ".join(boards.names())
        raise BadInput(f"the board {volume.board_id} is none that Walktall runs on; those are {known}")
    if int(volume.circuitpython.split(".")[0]) < CIRCUITPYTHON_LEAST:
        raise BadInput(
            f"CircuitPython {volume.circuitpython} is on the board, {CIRCUITPYTHON_LEAST} or newer is needed: "
            f"https://circuitpython.org/board/{volume.board_id.lower()}/"
        )


def mounted() -> list[Path]:
    """Where drives of CircuitPython boards are mounted."""
    found = []
    for root in _mount_points():
        try:
            if (root / BOOT_OUT).is_file():
                found.append(root)
        except OSError:
            pass  # a drive that went away, or another user's
    return found


def _mount_points() -> list[Path]:
    if sys.platform == "win32":
        return [Path(f"{letter}:\\") for letter in "DEFGHIJKLMNOPQRSTUVWXYZ"]
    if sys.platform == "darwin":
        return sorted(Path("/Volumes").glob("*"))
    try:
        lines = _MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        parts = line.split()
        if len(parts) >= 3 and parts[2] in ("vfat", "msdos", "fuseblk"):
            # The kernel writes a space as \040.
            found.append(Path(re.sub(r"\\([0-7]{3})", lambda digits: chr(int(digits[1], 8)), parts[1])))
    return found


def writable(root: Path) -> bool:
    """Whether this computer may write there now."""
    try:
        if sys.platform != "win32" and os.statvfs(root).f_flag & os.ST_RDONLY:
            return False
        return (root / BOOT_OUT).is_file() and os.access(root, os.W_OK) and not _read_only_on_windows(root)
    except OSError:
        return False


def _read_only_on_windows(root: Path) -> bool:
    if sys.platform != "win32":
        return False
    import ctypes

    flags = ctypes.c_ulong()
    told = ctypes.windll.kernel32.GetVolumeInformationW(str(root), None, 0, None, None, ctypes.byref(flags), None, 0)
    return bool(told) and bool(flags.value & 0x00080000)  # FILE_READ_ONLY_VOLUME


def cluster_bytes(root: Path) -> int:
    """What the smallest file takes there."""
    return 512 if sys.platform == "win32" else int(os.statvfs(root).f_frsize) or 512


def free_bytes(root: Path) -> int:
    """What is free there."""
    return shutil.disk_usage(root).free
