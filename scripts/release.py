"""`make release`: the wheel, the source and the drive's bundle in dist, with their SHA-256, each opened and compared.

The version stands in firmware/lib/walktall/__init__.py alone. What is released is what is committed: a work tree with
changes is refused, and so is a version that CHANGELOG.md does not name. Both files are opened again: the firmware in
the wheel and that in the bundle have to be the same, byte for byte, and the same as what `walktall install` copies.
Nothing is uploaded and nothing is tagged.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from walktall import selftest
from walktall_host import drive as walktall_drive

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
_PACKAGE = "walktall/"
# Zip files know no earlier day; with one day for all files the bundle is the same wherever it is made.
_DAY = (1980, 1, 1, 0, 0, 0)


class Refused(Exception):
    """What keeps a release from being built, in one line."""


def version() -> str:
    """The version, from the one place where it stands."""
    text = (ROOT / "firmware" / "lib" / "walktall" / "__init__.py").read_text()
    found = re.search(r'^__version__ = "(\d+\.\d+\.\d+)"$', text, re.MULTILINE)
    if not found:
        raise Refused("firmware/lib/walktall/__init__.py names no version of three numbers")
    return found[1]


def check_changelog(told: str, text: str) -> None:
    """Refuse a version without an entry.

    :raises Refused: CHANGELOG.md does not name it
    """
    if not re.search(rf"^## {re.escape(told)}\b", text, re.MULTILINE):
        raise Refused(f"CHANGELOG.md has no entry '## {told}': say what changed, for walkers first")


def check_clean(status: str) -> None:
    """Refuse a work tree with changes.

    :param status: of `git status --porcelain`
    :raises Refused: there are some
    """
    changed = [line[3:] for line in status.splitlines() if line]
    if changed:
        raise Refused(f"the work tree has changes ({', '.join(changed[:3])}): commit them first")


def bundle(path: Path) -> None:
    """Write the drive's content as a zip, the same bytes each time."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in walktall_drive.content().items():
            made.writestr(zipfile.ZipInfo(str(name), _DAY), data, zipfile.ZIP_DEFLATED)


def firmware_in(path: Path, prefix: str) -> dict[str, bytes]:
    """The files of the package `walktall` in a zip or wheel, by name."""
    with zipfile.ZipFile(path) as opened:
        names = [name for name in opened.namelist() if name.startswith(prefix) and name.endswith(".py")]
        return {name[len(prefix) :]: opened.read(name) for name in names}


def compare(wheel: Path, drive: Path) -> int:
    """How many firmware files both hold alike.

    :raises Refused: one is missing or differs
    """
    in_wheel = firmware_in(wheel, f"walktall_host/on_drive/lib/{_PACKAGE}")
    on_drive = firmware_in(drive, f"lib/{_PACKAGE}")
    sources = set(firmware_in(wheel, _PACKAGE)) - set(selftest.HOST_ONLY)
    for found in (set(on_drive), sources):
        if found != set(in_wheel):
            raise Refused(f"wheel and bundle differ in {', '.join(sorted(found ^ set(in_wheel)))}")
    for name, data in on_drive.items():
        if in_wheel[name] != data:
            raise Refused(f"{name} in the wheel is not the one in the bundle")
    return len(on_drive)


def build(told: str) -> list[Path]:
    """Wheel, source and bundle in dist, made beside it and moved there when all are whole."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        command = [sys.executable, "-m", "build", "--outdir", str(made), str(ROOT)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refused(f"the wheel cannot be built: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
        wheel = made / f"walktall-{told}-py3-none-any.whl"
        if not wheel.exists():
            raise Refused(f"no {wheel.name} came out: is the compiled twin asked for (WALKTALL_COMPILE)?")
        drive = made / f"walktall-{told}-drive.zip"
        bundle(drive)
        count = compare(wheel, drive)
        print(f"{count} files of the firmware, the same in the wheel and in the bundle")
        DIST.mkdir(exist_ok=True)
        return [Path(shutil.copy(path, DIST / path.name)) for path in sorted(made.iterdir())]


def main() -> int:
    """Status: 0, or 2 when refused."""
    try:
        told = version()
        check_changelog(told, (ROOT / "CHANGELOG.md").read_text())
        status = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=False)
        check_clean(status.stdout)
        for path in build(told):
            print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  dist/{path.name}")
        return 0
    except Refused as fault:
        print(f"release: {fault}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
