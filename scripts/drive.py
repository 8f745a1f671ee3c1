"""`make drive`: the content of the board's drive, ready to be copied, in build/drive.

Our files made compact (walktall_host.compact; `--plain`: as they lie in firmware/), and the libraries of
firmware/requirements.txt in exactly the versions pinned there, from vendor/: such of their .py files as the firmware
imports, as their packages were published, each held against the package installed here and the hash that it tells, and
their licences. Nothing else. What only a computer imports is left out, and so is requirements.txt itself. It is the
list of `walktall install`. After a change of a pin, `scripts/drive.py --vendor` fetches vendor/ anew.

The folder is made anew each time, beside the old one, and takes its place when it is whole.
"""

import ast
import base64
import hashlib
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath

from walktall_host import drive as walktall_drive
from walktall_host.drive import LICENSES, blocks_bytes
from walktall_host.errors import BadInput

ROOT = Path(__file__).resolve().parent.parent
FIRMWARE = ROOT / "firmware"
OUT = ROOT / "build" / "drive"
VENDOR = ROOT / "vendor"
OURS = "walktall"
# The smallest drive of the boards: Raspberry Pi Pico, 1 MiB of its 2 MiB of flash. Beside this lie the trace (488 KiB:
# twelve hours), the journal's bank (12), the FAT (20), and 16 that code.py leaves free for files being replaced.
SIZE_MAX_BYTES = 488 * 1024


class Refused(Exception):
    """What keeps the drive from being built, in one line."""


def pins(text: str) -> dict[str, str]:
    """Versions by package from the text of requirements.txt.

    :raises Refused: a line that pins nothing
    """
    found = {}
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, equals, version = line.partition("==")
        if not equals or not version:
            raise Refused(f"firmware/requirements.txt: {line!r} does not pin a version")
        found[name.strip()] = version.strip()
    return found


def installed(name: str, version: str) -> metadata.Distribution:
    """The installed package in the pinned version.

    :raises Refused: it is missing, or another version is there
    """
    remedy = f"run `{sys.executable} -m pip install {name}=={version}`"
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise Refused(f"{name} is not installed: {remedy}") from None
    if distribution.version != version:
        raise Refused(f"{name} {distribution.version} is installed, {version} is pinned: {remedy}")
    return distribution


def library(name: str, version: str) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Paths on the drive and contents of a library: its modules and its licence.

    :raises Refused: not installed as pinned, changed since, or without a licence
    """
    distribution = installed(name, version)
    licences = 0
    for entry in distribution.files or ():
        inner = entry.parts[0].endswith(".dist-info")
        if inner and PurePosixPath(entry).stem.upper() in ("LICENSE", "LICENCE", "COPYING"):
            target = LICENSES / f"{name}.txt"
            licences += 1
        elif not inner and entry.suffix == ".py" and ".." not in entry.parts:
            target = PurePosixPath("lib") / entry
        else:
            continue
        content = entry.read_binary()
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        if entry.hash is None or entry.hash.mode != "sha256" or entry.hash.value != digest:
            raise Refused(f"{name}: {entry} is not as published; install the package anew")
        yield target, content
    if licences != 1:
        raise Refused(f"{name}: {licences} licences where there should be one")


def imports(data: bytes, package: str) -> set[str]:
    """Dotted names that a module may import, wherever in it; relative ones made absolute within `package`."""
    found = set()
    for node in ast.walk(ast.parse(data)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(part for part in (package if node.level else "", node.module or "") if part)
            # What is imported from a package may be a module of it.
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found


def needed(libraries: dict[PurePosixPath, bytes]) -> dict[PurePosixPath, bytes]:
    """Of the libraries' files those that our firmware imports, directly or by another, and the licences."""
    paths: dict[str, PurePosixPath] = {}
    for path in libraries:
        parts = path.relative_to("lib").with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    todo = set().union(*(imports(path.read_bytes(), "") for path in FIRMWARE.rglob("*.py")))
    kept = {path for path in libraries if path.is_relative_to(LICENSES)}
    done: set[str] = set()
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done.add(name)
        # A module in a package needs the package, too.
        todo |= {name.rpartition(".")[0]} - {""}
        path = paths.get(name)
        if path is not None:
            kept.add(path)
            todo |= imports(libraries[path], name if path.name == "__init__.py" else name.rpartition(".")[0])
    return {path: data for path, data in libraries.items() if path in kept}


def pinned() -> dict[PurePosixPath, bytes]:
    """What is needed of the pinned libraries, as they are published, by the paths on the drive.

    :raises Refused: see `library`
    """
    return needed(
        dict(
            entry
            for name, version in pins((FIRMWARE / "requirements.txt").read_text()).items()
            for entry in library(name, version)
        )
    )


def content(plain: bool = False) -> dict[PurePosixPath, bytes]:
    """Everything that belongs on the drive, by path, in order: the list of `walktall install`.

    :param bool plain: our files as they lie in firmware/

    :raises Refused: see `library`; or vendor/ holds something else, or a module is not Python
    """
    files = walktall_drive.content(plain)
    libraries = pinned()
    for path, data in files.items():
        ours = path.parts[0] != "lib" or path.parts[1] == OURS or path == LICENSES / "walktall.txt"
        if not ours and libraries.pop(path, None) != data:
            raise Refused(f"vendor/{path.relative_to('lib')} is not as published: run `{__file__} --vendor`")
        if path.suffix == ".py":
            try:
                compile(data, str(path), "exec", dont_inherit=True)
            except (SyntaxError, ValueError) as fault:
                raise Refused(f"{path}: {fault}") from None
    if libraries:
        raise Refused(f"{next(iter(libraries))} is missing from vendor/: run `{__file__} --vendor`")
    return files


def vendor() -> int:
    """Bring vendor/ to what firmware/requirements.txt pins; how many files."""
    files = pinned()
    shutil.rmtree(VENDOR, ignore_errors=True)
    for path, data in files.items():
        target = VENDOR / path.relative_to("lib")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return len(files)


def write(files: dict[PurePosixPath, bytes], out: Path) -> None:
    """Make the folder, read every file back, and let it take the old one's place.

    :raises Refused: a file does not read as it was written
    """
    new = out.with_name(out.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    for path, data in files.items():
        target = new / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    for path, data in files.items():
        if (new / path).read_bytes() != data:
            raise Refused(f"{path} does not read as it was written")
    shutil.rmtree(out, ignore_errors=True)
    new.rename(out)


def main(out: Path = OUT, plain: bool = False) -> int:
    try:
        files = content(plain)
        size = blocks_bytes(files)
        if size > SIZE_MAX_BYTES:
            raise Refused(f"{size // 1024} KiB, more than the {SIZE_MAX_BYTES // 1024} KiB that fit every board")
        write(files, out)
    except (Refused, BadInput, OSError) as fault:
        print(f"drive: {fault}", file=sys.stderr)
        return 1
    shown = out.relative_to(ROOT) if out.is_relative_to(ROOT) else out
    told = sum(len(data) for data in files.values())
    print(f"{shown}: {len(files)} files, {told / 1024:.1f} KiB ({size // 1024} KiB in blocks of 512 bytes)")
    return 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--vendor"]:
        print(f"vendor: {vendor()} files")
    elif sys.argv[1:] not in ([], ["--plain"]):
        raise SystemExit("usage: scripts/drive.py [--plain | --vendor]")
    else:
        raise SystemExit(main(plain=sys.argv[1:] == ["--plain"]))
