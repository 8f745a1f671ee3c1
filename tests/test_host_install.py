"""``walktall install`` on a folder that plays the drive: broken off at every step, full, foreign, old, read-only."""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
import walktall
from walktall import selftest as device_selftest
from walktall import wire
from walktall_host import drive, install, ports, selftest, volumes
from walktall_host.errors import BadInput, TransferFailed

from tests.desk_device import Desk
from tests.host_clip import on_pty
from tests.test_host_cli import one_line, run

XIAO = "Seeed_XIAO_nRF52840_Sense"


def boot_out(board: str = XIAO, version: str = "10.0.3") -> str:
    return (
        f"Adafruit CircuitPython {version} on 2025-10-17; Seeed XIAO nRF52840 Sense with nRF52840\r\n"
        f"Board ID:{board}\r\nUID:ABCDEF\r\n"
    )


@pytest.fixture(autouse=True)
def _nothing_else_is_plugged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "list_ports", list)
    monkeypatch.setattr(volumes, "_mount_points", list)
    monkeypatch.setattr(os, "sync", lambda: None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A new board's drive, as CircuitPython leaves it."""
    root = tmp_path / "CIRCUITPY"
    (root / "lib").mkdir(parents=True)
    (root / "boot_out.txt").write_text(boot_out())
    (root / "code.py").write_text('print("Hello World!")\n')
    (root / "settings.toml").write_text("")
    return root


def holds(root: Path) -> dict[PurePosixPath, bytes]:
    found = {
        PurePosixPath(path.relative_to(root).as_posix()): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
    del found[PurePosixPath("boot_out.txt")]
    return found


def expected(root: Path) -> dict[PurePosixPath, bytes]:
    files = drive.content()
    files[drive.KEPT] = (root / "settings.toml").read_bytes()
    return files


def test_a_new_board_gets_everything_and_the_next_run_changes_nothing(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, "install", root)
    assert (status, err) == (0, "")
    assert holds(root) == expected(root)
    assert f"{XIAO} with CircuitPython 10.0.3" in out
    assert f"firmware {walktall.__version__}, new on this board" in out
    assert "settings.toml is yours" in out
    assert "press the clip's reset button" in out
    assert device_selftest.source_digest(str(root / "lib" / "walktall")) == selftest.expected()[1]
    times = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    status, out, _ = run(capsys, "install", root)
    assert status == 0
    assert "Nothing to do" in out
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == times


def test_an_upgrade_tells_what_changed_and_keeps_the_wiring(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "install", root, "--quiet")
    (root / "settings.toml").write_text('WALKTALL_MOTOR = "drv2605"\n')
    (root / "lib" / "walktall" / "__init__.py").write_text('__version__ = "0.0.1"\n')
    (root / "lib" / "walktall" / "gait.py").unlink()
    (root / "lib" / "walktall" / "former.py").write_text("")
    (root / "lib" / "walktall" / "._gait.py").write_text("a Mac's")
    (root / "lib" / "others.py").write_text("somebody's")
    (root / "data").mkdir()
    (root / "data" / "journal.bin").write_bytes(b"walks")
    status, out, _ = run(capsys, "install", root, "--json")
    told = json.loads(out)
    assert (status, told["firmware_before"]) == (0, "0.0.1")
    assert told["new"] == ["lib/walktall/gait.py"]
    assert told["changed"] == ["lib/walktall/__init__.py"]
    assert told["removed"] == ["lib/walktall/former.py"]
    assert told["settings_kept"]
    assert (root / "settings.toml").read_text() == 'WALKTALL_MOTOR = "drv2605"\n'
    assert (root / "data" / "journal.bin").read_bytes() == b"walks"
    rest = {PurePosixPath(name) for name in ("lib/walktall/._gait.py", "lib/others.py", "data/journal.bin")}
    assert {path: data for path, data in holds(root).items() if path not in rest} == expected(root)


def test_plain_files_are_the_sources_and_pass_for_tested_too(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "install", root, "--plain")[0] == 0
    package = Path(walktall.__file__).parent
    assert (root / "lib" / "walktall" / "gait.py").read_bytes() == (package / "gait.py").read_bytes()
    assert device_selftest.source_digest(str(root / "lib" / "walktall")) == selftest.expected()[2]
    assert run(capsys, "install", root, "--plain", "--check")[0] == 0
    # The other way takes nothing for right that is not, and says what is there instead of naming each file.
    status, out, err = run(capsys, "install", root, "--check")
    assert (status, out) == (1, "")
    assert "the plain files of this tool: 'walktall install --check --plain'" in one_line(err)
    assert run(capsys, "install", root)[0] == 0
    assert holds(root) == expected(root)
    status, out, err = run(capsys, "install", root, "--check", "--plain")
    assert (status, out) == (1, "")
    assert "the compact files of this tool: 'walktall install --check'" in one_line(err)


def test_a_check_counts_the_files_that_are_ours(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "install", root, "--quiet")
    (root / "settings.toml").write_text('WALKTALL_MOTOR = "drv2605"\n')
    _, told, _ = run(capsys, "install", root)
    status, out, _ = run(capsys, "install", root, "--check")
    n = len(drive.content()) - 1
    assert status == 0
    assert f"all {n} files are right" in told
    assert f"All {n} files on" in out
    assert "settings.toml is yours" in out


@pytest.mark.parametrize("arguments", [[], ["--check"]], ids=["install", "check"])
@pytest.mark.parametrize("name", ["code.py", "lib/walktall/gait.py"])
def test_a_folder_in_the_place_of_a_file_is_named(
    name: str, arguments: list[str], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not arguments:
        run(capsys, "install", root, "--quiet")
    (root / name).unlink(missing_ok=True)
    (root / name).mkdir(parents=True)
    before = holds(root)
    status, _, err = run(capsys, "install", root, *arguments)
    assert status == 2
    assert f"a folder is in the place of the file {root / name}: remove it" in one_line(err)
    assert holds(root) == before


def test_a_file_in_the_place_of_a_folder_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "lib" / "walktall").write_text("")
    status, _, err = run(capsys, "install", root)
    assert status == 2
    assert f"a file is in the place of the folder {root / 'lib' / 'walktall'}: remove it" in one_line(err)


def test_a_folder_that_is_named_like_a_module_is_not_removed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "install", root, "--quiet")
    (root / "lib" / "walktall" / "old.py").mkdir()
    assert run(capsys, "install", root)[0] == 0
    assert run(capsys, "install", root, "--check")[0] == 0


def test_the_version_on_a_drive_is_read_from_either_kind_of_file(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for plain in ([], ["--plain"]):
        run(capsys, "install", root, "--quiet", "--force", *plain)
        assert install.check_owner(root, force=False) == walktall.__version__
        path = root / "lib" / "walktall" / "__init__.py"
        path.write_text(path.read_text().replace(walktall.__version__, "99.0.0"))
        with pytest.raises(BadInput, match=r"firmware 99\.0\.0 is on the clip"):
            install.check_owner(root, force=False)


def test_check_compares_only(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = holds(root)
    status, out, err = run(capsys, "install", "--check", root)
    assert status == 1
    assert "missing   lib/walktall/detector.py" in out
    assert "differs   code.py" in out
    assert "'walktall install' does it" in one_line(err)
    assert holds(root) == before
    run(capsys, "install", root, "--quiet")
    status, out, err = run(capsys, "install", "--check", root)
    assert (status, err) == (0, "")
    # CircuitPython's empty settings.toml stays.
    assert f"All {len(drive.content()) - 1} files" in out
    assert json.loads(run(capsys, "install", "--check", root, "--json")[1])["new"] == []


class Killed(BaseException):
    """The process is killed: nothing of it runs any more."""


def safe_state(root: Path, files: dict[PurePosixPath, bytes], begun: dict[PurePosixPath, bytes]) -> bool:
    """Either the drive stays the computer's at the next start, or it is as it was, or everything on it is right."""
    there = holds(root)
    if drive.LAST not in there or there == begun:
        return True
    # A part of boot.py is no Python, or all that counts of it: the others are right already.
    return files[drive.LAST].startswith(there[drive.LAST]) and there == {
        **files,
        drive.KEPT: begun[drive.KEPT],
        drive.LAST: there[drive.LAST],
    }


@pytest.mark.parametrize("how", ["before", "half", "after"])
def test_killed_at_any_step_the_next_run_completes_it(
    how: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first, second, third ... access that changes the drive, until the whole run comes through."""
    files = drive.content()
    # An earlier firmware is there: its boot.py gives the drive to Python.
    for path, data in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        old = b"# older\n" + data if path.name in ("boot.py", "code.py", "detector.py", "__init__.py") else data
        target.write_bytes(old)
    (root / "lib" / "walktall" / "former.py").write_text("")
    (root / "lib" / "walktall" / "gait.py").unlink()
    left = {"steps": 0}
    write, remove = install._write, install._remove

    def step() -> bool:
        left["steps"] -= 1
        return left["steps"] < 0

    def cut_write(target: Path, data: bytes) -> None:
        if step():
            if how == "half":
                target.write_bytes(data[: len(data) // 2])
            elif how == "after":
                write(target, data)
            raise Killed
        write(target, data)

    def cut_remove(target: Path) -> None:
        if step():
            if how == "after":
                remove(target)
            raise Killed
        remove(target)

    monkeypatch.setattr(install, "_write", cut_write)
    monkeypatch.setattr(install, "_remove", cut_remove)
    begun = holds(root)
    for n in range(100):
        for path in list(holds(root)):
            (root / path).unlink()
        for path, data in begun.items():
            (root / path).write_bytes(data)
        left["steps"] = n
        try:
            install.carry_out(root, files, install.compare(root, files))
            break
        except Killed:
            assert safe_state(root, files, begun), n
        left["steps"] = 1000
        install.carry_out(root, files, install.compare(root, files))
        assert holds(root) == {**files, drive.KEPT: begun[drive.KEPT]}, n
    assert n >= 8


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "full"), (errno.EROFS, "read-only"), (errno.EIO, "run this again"), (errno.ENODEV, "goes on")],
)
def test_a_drive_that_fails_in_mid_copy_is_told_in_one_line_and_the_next_run_goes_on(
    number: int, words: str, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fsync, calls = os.fsync, []

    def failing(fd: int) -> None:
        calls.append(fd)
        if len(calls) == 9:
            raise OSError(number, os.strerror(number))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", failing)
    status, _, err = run(capsys, "install", root)
    assert status == 4
    assert "run 'walktall install' again" in err.splitlines()[0]
    assert words in one_line(err.splitlines()[-1] + "\n")
    assert not (root / "boot.py").exists()
    status, _, err = run(capsys, "install", root)
    assert (status, err) == (0, "")
    assert holds(root) == expected(root)


def test_what_does_not_read_back_is_not_called_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = drive.content()
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path)[:-1] if path.name == "gait.py" else read(path))
    with pytest.raises(TransferFailed, match=r"gait\.py does not read as it was written"):
        install.carry_out(root, files, install.Plan(new=[PurePosixPath("lib/walktall/gait.py")]))
    assert not (root / "boot.py").exists()


def test_a_full_drive_is_refused_before_anything_is_touched(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = holds(root)
    monkeypatch.setattr(volumes, "free_bytes", lambda root: 100 * 1024)
    status, out, err = run(capsys, "install", root)
    assert (status, out) == (2, "")
    assert "KiB more are needed and 100 KiB are free" in one_line(err)
    assert holds(root) == before
    (root / "data").mkdir()
    (root / "data" / "trace.bin").write_bytes(bytes(512))
    assert "or data/trace.bin once it is downloaded" in one_line(run(capsys, "install", root)[2])
    # What is replaced makes its own room.
    monkeypatch.setattr(volumes, "free_bytes", lambda root: 10**9)
    run(capsys, "install", root, "--quiet")
    (root / "lib" / "walktall" / "gait.py").write_text("# old\n" * 5000)
    monkeypatch.setattr(volumes, "free_bytes", lambda root: 0)
    assert run(capsys, "install", root)[0] == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (boot_out("adafruit_metro_m4_express"), "adafruit_metro_m4_express is none"),
        (boot_out(version="9.2.8"), "CircuitPython 9.2.8 is on the board, 10 or newer is needed"),
        ("nothing of the kind", "names no board"),
        (boot_out("\x1b]0;owned\x07"), "?]0;owned?"),
        (None, "no boot_out.txt"),
    ],
)
def test_another_board_or_an_old_circuitpython_is_refused_untouched(
    text: str | None, words: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "boot_out.txt").unlink()
    if text is not None:
        (root / "boot_out.txt").write_text(text)
    before = sorted(root.rglob("*"))
    status, out, err = run(capsys, "install", root)
    assert (status, out) == (2, "")
    assert words in one_line(err)
    assert sorted(root.rglob("*")) == before


def test_newer_circuitpython_and_betas_are_taken(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "boot_out.txt").write_text(boot_out(version="11.0.0-beta.2"))
    assert run(capsys, "install", root)[0] == 0


def test_another_programs_code_and_a_later_firmware_are_replaced_only_by_force(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "code.py").write_text("import my_lamp\n")
    status, _, err = run(capsys, "install", root)
    assert status == 2
    assert "another program's code.py" in one_line(err)
    assert not (root / "lib" / "walktall").exists()
    assert run(capsys, "install", root, "--force", "--quiet") == (0, "", "")
    (root / "lib" / "walktall" / "__init__.py").write_text('__version__ = "99.0.0"\n')
    status, _, err = run(capsys, "install", root)
    assert status == 2
    assert "firmware 99.0.0 is on the clip" in one_line(err)
    assert run(capsys, "install", root, "--force")[0] == 0


def test_a_read_only_drive_without_a_clip_says_how_to_get_in(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(volumes, "writable", lambda root: False)
    status, _, err = run(capsys, "install", root)
    assert status == 3
    assert "is read-only" in one_line(err)
    assert "hold its button" in err
    status, _, err = run(capsys, "install")
    assert status == 3
    assert "no drive and no clip" in one_line(err)


def test_a_folder_that_is_none_and_several_drives_are_told(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "not a folder" in one_line(run(capsys, "install", tmp_path / "nothing")[2])
    other = tmp_path / "CIRCUITPY1"
    other.mkdir()
    (other / "boot_out.txt").write_text(boot_out())
    monkeypatch.setattr(volumes, "_mount_points", lambda: [root, other, tmp_path])
    for arguments in (["install"], ["install", "--check"]):
        status, _, err = run(capsys, *arguments)
        assert status == 2
        assert "several drives" in one_line(err)


class Restarting(Desk):
    """A clip that gives its drive to the computer, and takes it back, as `code.py` does."""

    def __init__(self) -> None:
        super().__init__()
        self.given = False
        hello, handler = self.handler.hello_into, self.handler

        def hello_into(values: list[int | bytes | str]) -> None:
            hello(values)
            flags = values[wire.H_FLAGS]
            assert isinstance(flags, int)
            values[wire.H_FLAGS] = flags | (wire.HF_MAINTENANCE if self.given else 0)

        def maintenance() -> bool:
            self.given = not self.given
            return True

        handler.hello_into = hello_into  # type: ignore[method-assign]
        handler.maintenance = maintenance  # type: ignore[method-assign]


@pytest.fixture
def worn(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Restarting, str]]:
    """A worn clip: its drive is read-only until it has restarted."""
    clip = Restarting()
    monkeypatch.setattr(volumes, "_mount_points", lambda: [root])
    monkeypatch.setattr(volumes, "writable", lambda root: clip.given)
    monkeypatch.setattr(install, "_POLL_S", 0.02)
    with on_pty(clip) as port:
        yield clip, port


def test_a_worn_clip_gives_its_drive_takes_it_back_and_is_tested(
    worn: tuple[Restarting, str], root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, port = worn
    status, _, err = run(capsys, "install", "--port", port)
    assert "restarts and gives its drive" in err
    # The desk's clip answers digests of its own.
    assert status == 1
    assert "judges otherwise" in err
    assert not clip.given
    assert holds(root) == expected(root)

    told = bytes(0xA0 + k for k in range(8)), bytes(0xA8 + k for k in range(8)), bytes(8)
    monkeypatch.setattr(selftest, "expected", lambda: told)
    status, out, err = run(capsys, "install", "--port", port)
    assert (status, clip.given) == (0, False)
    assert "Nothing to do" in out
    assert "What you wear is what was tested. You can unplug the clip." in out
    assert json.loads(run(capsys, "install", "--port", port, "--json")[1])["as_tested"] is True


def test_a_drive_that_never_comes_is_told(
    worn: tuple[Restarting, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(volumes, "writable", lambda root: False)
    monkeypatch.setattr(install, "DRIVE_WITHIN_S", 0.1)
    status, _, err = run(capsys, "install", "--port", worn[1], "--quiet")
    assert status == 3
    assert "does not show it: mount it" in one_line(err)


def test_drives_are_found_where_linux_mounts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    root = tmp_path / "CIRCUIT PY"
    root.mkdir()
    (root / "boot_out.txt").write_text(boot_out())
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"/dev/root / ext4 rw 0 0\n/dev/sdb1 {str(root).replace(' ', chr(92) + '040')} vfat rw 0 0\n"
        f"/dev/sdc1 {tmp_path}/other vfat rw 0 0\nbroken\n"
    )
    monkeypatch.setattr(volumes, "_MOUNTS", mounts)
    monkeypatch.setattr(volumes.sys, "platform", "linux")
    assert volumes.mounted() == [root]
    assert volumes.writable(root)
    assert not volumes.writable(tmp_path / "nothing")


def test_the_list_is_the_same_for_make_drive() -> None:
    from scripts import drive as script

    assert script.content() == drive.content()
