"""``walktall install``: the firmware of this tool onto a clip's drive, so that it can be broken off anywhere.

``boot.py`` gives the drive to Python. It is taken away before the first other file is touched and written last, when
all others have been read back: from any state in between the board starts with its drive given to the computer, and
the next run goes on. What is right already is not written again. ``settings.toml``, the walker's wiring, is kept.
"""

import errno
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer
from walktall import __version__, wire

from . import drive as drives
from . import selftest, volumes, wiring
from .client import short_name
from .errors import BadInput, NoDevice, TransferFailed, WalktallError
from .options import Device, Json, Port, Quiet, note
from .ports import Clip, each_clip, one_clip
from .terminal import count, err, safe, write_json

#: From the request until the drive is there: the watchdog may have to run out first, then a reset, and mounting.
DRIVE_WITHIN_S = 90.0
#: ... and until the clip answers again: it compiles its modules first.
BACK_WITHIN_S = 60.0
_POLL_S = 0.5
#: The clip's own ring of seconds, by far its largest file.
_TRACE = "data/trace.bin"
# What the first lines of our own code.py say, and what CircuitPython itself puts there.
_OUR_CODE = b"Walktall"
_EMPTY_CODE = re.compile(rb"\s*print\(['\"]Hello World!['\"]\)\s*\Z")
_HELD = "hold its button while you plug it in, then run this again"

Files = dict[PurePosixPath, bytes]


class Differs(WalktallError):
    """What is on the drive is not what this tool would put there: a check that failed."""


@dataclass
class Plan:
    """What has to be done, by paths on the drive."""

    new: list[PurePosixPath] = field(default_factory=list)
    changed: list[PurePosixPath] = field(default_factory=list)
    same: list[PurePosixPath] = field(default_factory=list)
    #: Modules in our own folder that are no longer ours.
    stale: list[PurePosixPath] = field(default_factory=list)
    #: settings.toml is there and is not the one that ships.
    kept: bool = False

    @property
    def write(self) -> list[PurePosixPath]:
        return sorted(self.new + self.changed)

    @property
    def nothing(self) -> bool:
        return not (self.new or self.changed or self.stale)


def _contents(path: Path) -> bytes | None:
    """What a file holds, as far as it can be read; None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise _broken(path, fault) from fault


def _broken(path: Path, fault: OSError) -> WalktallError:
    """What a failed access to the drive means for the walker."""
    name = safe(str(path))
    # By what is there, not by the error's number: each system has its own for this.
    for folder in reversed(path.parents):
        if folder.exists() and not folder.is_dir():
            return BadInput(f"a file is in the place of the folder {safe(str(folder))}: remove it, then run this again")
    if path.is_dir():
        return BadInput(f"a folder is in the place of the file {name}: remove it, then run this again")
    if fault.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return TransferFailed(f"{name} cannot be written: the drive is read-only now; {_HELD}")
    if fault.errno == errno.ENOSPC:
        return TransferFailed(f"the drive is full at {name}: remove what is not Walktall's, then run this again")
    return TransferFailed(f"{name}: {fault.strerror or fault}: plug the clip in anew and run this again; it goes on")


def compare(root: Path, files: Files) -> Plan:
    """What differs between the drive and ``files``.

    :raises TransferFailed: the drive cannot be read
    :raises BadInput: a folder is where a file belongs, or the reverse
    """
    plan = Plan()
    for path, data in files.items():
        there = _contents(root / path)
        if there is None:
            plan.new.append(path)
        elif there == data:
            plan.same.append(path)
        elif path == drives.KEPT:
            plan.kept = True
        else:
            plan.changed.append(path)
    folder = root / drives.OURS
    for found in sorted(folder.rglob("*")) if folder.is_dir() else []:
        path = PurePosixPath(found.relative_to(root).as_posix())
        # A Mac leaves files of its own, which begin with a dot: not modules.
        module = found.suffix in (".py", ".mpy") and not found.name.startswith(".") and found.is_file()
        if module and path not in files:
            plan.stale.append(path)
    return plan


def check_room(root: Path, files: Files, plan: Plan) -> None:
    """Before anything is touched: that it fits.

    :raises BadInput: it does not, and what is lacking
    """
    cluster = volumes.cluster_bytes(root)

    def takes(size_bytes: int) -> int:
        return -(-size_bytes // cluster) * cluster

    def frees(path: PurePosixPath) -> int:
        target = root / path
        return takes(target.stat().st_size) if target.is_file() else 0

    needed = sum(takes(len(files[path])) - frees(path) for path in plan.write) - sum(map(frees, plan.stale))
    folders = {parent for path in plan.new for parent in path.parents if not (root / parent).is_dir()}
    needed += len(folders) * cluster
    free = volumes.free_bytes(root)
    if needed > free:
        trace = "" if not (root / _TRACE).is_file() else f", or {_TRACE} once it is downloaded (the clip makes it anew)"
        raise BadInput(
            f"the drive is full: {-(-needed // 1024)} KiB more are needed and {free // 1024} KiB are free; "
            f"remove what is not Walktall's{trace}; nothing was changed"
        )


def check_owner(root: Path, force: bool) -> str:
    """Firmware version on the drive, '' where there is none.

    :raises BadInput: something that would be lost: another program, or a later firmware
    """
    code = _contents(root / "code.py")
    if code is not None and _OUR_CODE not in code[:200] and not _EMPTY_CODE.match(code) and code.strip() and not force:
        raise BadInput("another program's code.py is on the drive: save it elsewhere, or --force replaces it")
    text = _contents(root / drives.OURS / "__init__.py") or b""
    told = re.search(rb"^__version__ = ['\"]([\d.]{1,20})['\"]$", text, re.MULTILINE)
    version = told[1].decode() if told else ""
    if version and _numbers(version) > _numbers(__version__) and not force:
        raise BadInput(
            f"firmware {version} is on the clip, this tool brings {__version__}: upgrade the tool, or --force goes back"
        )
    return version


def _numbers(version: str) -> list[int]:
    return [int(part or 0) for part in version.split(".")]


def _write(target: Path, data: bytes) -> None:
    """Write a file whole, and read it back from the drive itself where the system allows that."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        back = target.read_bytes()
    except OSError as fault:
        raise _broken(target, fault) from fault
    if back != data:
        raise TransferFailed(f"{safe(str(target))} does not read as it was written: run this again")


def _remove(target: Path) -> None:
    try:
        target.unlink(missing_ok=True)
    except OSError as fault:
        raise _broken(target, fault) from fault


def carry_out(
    root: Path, files: Files, plan: Plan, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Do what the plan says. At each moment either ``boot.py`` is away or every other file is right.

    :param progress: told the bytes written and to write
    :raises TransferFailed: the drive failed; another run goes on
    """
    todo = [path for path in plan.write if path != drives.LAST]
    total = sum(len(files[path]) for path in plan.write)
    done = 0
    progress(0, total)
    if todo or plan.stale:
        _remove(root / drives.LAST)
    for path in plan.stale:
        _remove(root / path)
    for path in todo:
        _write(root / path, files[path])
        done += len(files[path])
        progress(done, total)
    for path, data in files.items():
        if path not in (drives.LAST, drives.KEPT) and _contents(root / path) != data:
            raise TransferFailed(f"{path} does not read as it was written: run this again")
    if _contents(root / drives.LAST) != files[drives.LAST]:
        _write(root / drives.LAST, files[drives.LAST])
    progress(total, total)
    if hasattr(os, "sync"):
        os.sync()


# --- the clip behind the drive --------------------------------------------------------------------------------------


def _writable(given: Path | None) -> list[Path]:
    return [root for root in ([given] if given else volumes.mounted()) if volumes.writable(root)]


def _given(clip: Clip) -> bool:
    """Whether this boot gave the clip's drive to the computer."""
    return clip.hello.has(wire.HF_MAINTENANCE)


def drive_to_write(
    given: Path | None,
    port: str | None,
    device: str | None,
    quiet: bool,
    monotonic: Callable[[], float] = time.monotonic,
) -> tuple[Path, bytes | None]:
    """The drive, and the id of the clip that was asked for it (None where nobody had to be).

    :raises NoDevice: there is none, or it does not come
    :raises BadInput: there are several
    """
    if given is not None:
        volumes.read(given)  # not a drive at all: told before anybody restarts
    found = _writable(given)
    if len(found) > 1:
        raise BadInput(
            f"several drives: {', '.join(safe(str(root)) for root in found)}; say which: walktall install DRIVE"
        )
    if found:
        return found[0], None
    try:
        with one_clip(port, device) as clip:
            device_id, name, given_already = clip.hello.device_id, clip.hello.name, _given(clip)
            if not given_already:
                clip.client.maintenance()
    except NoDevice as fault:
        if given is not None:
            raise NoDevice(f"{safe(str(given))} is read-only, and no clip answers: {_HELD}") from fault
        raise NoDevice(
            f"no drive and no clip that answers: plug the clip in; if it does not answer, {_HELD}; on a new board "
            "install CircuitPython first"
        ) from fault
    if not given_already and not quiet:
        note(f"clip {name} restarts and gives its drive to this computer")
    end_s = monotonic() + DRIVE_WITHIN_S
    with selftest.waiting("waiting for the drive", not quiet):
        while monotonic() < end_s:
            found = _writable(given)
            if found:
                return found[0], device_id
            time.sleep(_POLL_S)
    raise NoDevice(
        "the clip gave its drive, and this computer does not show it: mount it, then run: walktall install DRIVE"
    )


def hand_back(
    port: str | None, device_id: bytes | None, monotonic: Callable[[], float] = time.monotonic
) -> selftest.Outcome | None:
    """Let the clip start with its own drive and test itself; None where no clip can be asked to.

    :param device_id: of the clip, where it is known
    """
    try:
        for clip in each_clip(port, device_id.hex() if device_id else None):
            if _given(clip):
                device_id = clip.hello.device_id
                clip.client.maintenance()
                break
        else:
            return None
    except (NoDevice, TransferFailed):
        return None
    end_s = monotonic() + BACK_WITHIN_S
    while monotonic() < end_s:
        with suppress(NoDevice, TransferFailed):
            for clip in each_clip(port, device_id.hex()):
                if not _given(clip):
                    return selftest.run(clip.client)
        time.sleep(_POLL_S)
    raise NoDevice(f"clip {short_name(device_id)} does not come back: press its reset button, then 'walktall selftest'")


# --- the command ----------------------------------------------------------------------------------------------------


@contextmanager
def _bar(wanted: bool) -> Iterator[Callable[[int, int], None]]:
    console = err()
    if not wanted or not console.is_terminal:
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    with Progress(TextColumn("writing"), BarColumn(), DownloadColumn(), console=console, transient=True) as progress:
        task = progress.add_task("writing", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def command(
    drive: Annotated[
        Path | None, typer.Argument(metavar="[DRIVE]", help="Where the clip's drive is mounted, if it is not found.")
    ] = None,
    port: Port = None,
    device: Device = None,
    check: Annotated[bool, typer.Option("--check", help="Compare only; exit status 1 when something differs.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also over another program's code.py, or over a later firmware.")
    ] = False,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="The sources as they are, not made compact: they need 35 KiB more heap."),
    ] = False,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Put the firmware that came with this tool on a clip, or bring the clip up to it.

    A clip that is worn is asked to restart and give its drive to the computer. Walks, settings and calibration stay.
    Stop it when you like, or unplug: run it again, and it goes on.

    Example: walktall install --check
    """
    files = drives.content(plain)
    if check:
        _check(drive, files, plain, json_, quiet)
        return
    root, device_id = drive_to_write(drive, port, device, quiet or json_)
    volume = volumes.read(root)
    volumes.check(volume)
    before = check_owner(root, force)
    plan = compare(root, files)
    check_room(root, files, plan)
    if not plan.nothing:
        try:
            with _bar(not quiet and not json_) as progress:
                carry_out(root, files, plan, progress)
        except BaseException:
            note("note: the drive is half-written and stays this computer's: run 'walktall install' again, it goes on")
            raise
    if not json_ and not quiet:
        _tell(root, volume, before, plan)
    outcome = hand_back(port, device_id)
    if json_:
        write_json({**_document(root, volume, before, plan), "as_tested": outcome.as_tested if outcome else None})
    if outcome is None:
        if not quiet and not json_:
            print("Eject the drive, then press the clip's reset button once: it starts with what is on it now.")
            print("'walktall selftest' shows whether it is what was tested.")
        return
    wrong = selftest.trouble(outcome, 0) if not outcome.as_tested else ""
    if wrong:
        raise selftest.NotAsTested(wrong)
    if not quiet and not json_:
        print("The clip has its drive back. What you wear is what was tested. You can unplug the clip.")


def _check(drive: Path | None, files: Files, plain: bool, json_: bool, quiet: bool) -> None:
    found = [drive] if drive else volumes.mounted()
    if not found:
        raise NoDevice("no clip's drive is mounted: plug it in, or say where: walktall install --check DRIVE")
    if len(found) > 1:
        raise BadInput(f"several drives: {', '.join(safe(str(root)) for root in found)}; say which")
    volume = volumes.read(found[0])
    plan = compare(found[0], files)
    other = not plan.nothing and compare(found[0], drives.content(not plain)).nothing
    if json_:
        write_json(_document(found[0], volume, check_owner(found[0], True), plan))
    elif not quiet:
        wiring.warn(found[0], volume.board_id)
    if not json_ and not quiet and not other:
        for mark, paths in (("missing", plan.new), ("differs", plan.changed), ("not ours", plan.stale)):
            for path in paths:
                print(f"{mark:<9} {safe(str(path))}")
    if other:
        kind, check = ("compact", "--check") if plain else ("plain", "--check --plain")
        raise Differs(f"these are the {kind} files of this tool: 'walktall install {check}' compares with them")
    if not plan.nothing:
        raise Differs(
            f"{count(len(plan.write), 'file')} to write, {len(plan.stale)} to remove: 'walktall install' does it"
        )
    if not quiet and not json_:
        print(f"All {len(plan.same)} files on {safe(str(found[0]))} are those of this tool ({__version__}).")
        _tell_kept(plan)


def _tell(root: Path, volume: volumes.Volume, before: str, plan: Plan) -> None:
    print(f"{volume.board_id} with CircuitPython {volume.circuitpython} on {safe(str(root))}")
    if before and before != __version__:
        print(f"firmware {before} -> {__version__}")
    elif not before:
        print(f"firmware {__version__}, new on this board")
    if plan.nothing:
        print(f"Nothing to do: all {len(plan.same)} files are right.")
    else:
        print(
            f"{count(len(plan.new), 'file')} new, {len(plan.changed)} changed, {len(plan.stale)} removed, "
            f"{len(plan.same)} as they were; each was read back."
        )
    _tell_kept(plan)
    wiring.warn(root, volume.board_id)


def _tell_kept(plan: Plan) -> None:
    if plan.kept:
        print("settings.toml is yours and stays as it is.")


def _document(root: Path, volume: volumes.Volume, before: str, plan: Plan) -> dict[str, Any]:
    return {
        "drive": safe(str(root)),
        "board": volume.board_id,
        "circuitpython": volume.circuitpython,
        "firmware_before": before or None,
        "firmware": __version__,
        "new": [str(path) for path in plan.new],
        "changed": [str(path) for path in plan.changed],
        "removed": [safe(str(path)) for path in plan.stale],
        "same": len(plan.same),
        "settings_kept": plan.kept,
        "settings_wrong": wiring.of_drive(root, volume.board_id),
    }
