"""A release is refused unless it is committed, named and whole; what it holds is compared, not believed."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
try:
    import release
finally:
    sys.path.pop(0)


def test_version_stands_in_one_place_and_in_the_changelog() -> None:
    from walktall import __version__

    assert release.version() == __version__
    release.check_changelog(__version__, (ROOT / "CHANGELOG.md").read_text())
    held = subprocess.run(
        ["git", "grep", "-lF", f'"{__version__}"', "--", "*.py", "*.toml", "*.json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert held.stdout.split() in ([], ["firmware/lib/walktall/__init__.py"])


def test_version_without_an_entry_is_refused() -> None:
    with pytest.raises(release.Refused, match=r"no entry '## 9\.9\.9'"):
        release.check_changelog("9.9.9", "# Changelog\n\n## 9.9.8\n")


def test_changes_that_are_not_committed_are_refused() -> None:
    release.check_clean("")
    with pytest.raises(release.Refused, match=r"firmware/boot\.py"):
        release.check_clean(" M firmware/boot.py\n")


def test_bundle_is_what_install_copies_and_the_same_each_time(tmp_path: Path) -> None:
    from walktall_host import drive

    release.bundle(tmp_path / "one.zip")
    release.bundle(tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as opened:
        held = {name: opened.read(name) for name in opened.namelist()}
    assert held == {str(path): data for path, data in drive.content().items()}
    assert {"boot.py", "code.py", "safemode.py", "lib/walktall/detector.py"} <= set(held)


def test_wheel_and_bundle_with_different_firmware_are_refused(tmp_path: Path) -> None:
    wheel, drive = tmp_path / "walktall.whl", tmp_path / "drive.zip"
    release.bundle(drive)
    files = release.firmware_in(drive, "lib/walktall/")
    with zipfile.ZipFile(wheel, "w") as made:
        for name, data in files.items():
            made.writestr(f"walktall/{name}", data)
            made.writestr(f"walktall_host/on_drive/lib/walktall/{name}", data)
    assert release.compare(wheel, drive) == len(files)
    with zipfile.ZipFile(wheel, "w") as made:
        for name, data in files.items():
            made.writestr(f"walktall/{name}", data)
            changed = b"\n" if name == "detector.py" else b""
            made.writestr(f"walktall_host/on_drive/lib/walktall/{name}", data + changed)
    with pytest.raises(release.Refused, match=r"detector\.py"):
        release.compare(wheel, drive)
    with zipfile.ZipFile(wheel, "w") as made:
        for name, data in list(files.items())[1:]:
            made.writestr(f"walktall/{name}", data)
            made.writestr(f"walktall_host/on_drive/lib/walktall/{name}", data)
    with pytest.raises(release.Refused, match="differ in"):
        release.compare(wheel, drive)
