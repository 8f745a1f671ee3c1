"""What `walktall-sim` writes is there whole or not at all, in its own place and with the user's own mode."""

import gzip
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from walktall_sim import generate
from walktall_sim.cli import run
from walktall_sim.generate import Walk, parse_plan
from walktall_sim.whole import write_whole

posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and modes")


def _generate(out: Path) -> None:
    generate.write(Walk(parse_plan("stand:3"), 1), out)


def _whole(out: Path) -> None:
    write_whole(out, b"t_s,ax\n")


WRITERS = pytest.mark.parametrize("write", [_generate, _whole])


@posix
@WRITERS
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path, write: Callable[[Path], None]) -> None:
    (tmp_path / "far").mkdir()
    link, file = tmp_path / "link.csv", tmp_path / "far" / "file.csv"
    for there in (False, True):
        link.unlink(missing_ok=True)
        link.symlink_to(Path("far") / "file.csv")
        assert file.exists() == there
        write(link)
        assert link.is_symlink()
        assert file.read_bytes().startswith(b"t_s,ax")
    assert [one.name for one in file.parent.iterdir()] == ["file.csv"]


@posix
@WRITERS
def test_a_pipe_gets_the_bytes_and_stays_a_pipe(tmp_path: Path, write: Callable[[Path], None]) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    read: list[bytes] = []
    # A daemon: nobody waits for it where nothing ever comes.
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write(pipe)
    reader.join(10)
    assert read and read[0].startswith(b"t_s,ax")
    assert pipe.is_fifo()
    assert [one.name for one in tmp_path.iterdir()] == ["pipe.csv"]


@posix
@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
def test_a_device_is_written_to_and_not_replaced(tmp_path: Path, kind: str) -> None:
    link = tmp_path / f"null.{kind}"
    link.symlink_to(os.devnull)
    assert run(["generate", "--minutes", "1", "--out", str(link)]) == 0
    assert link.is_symlink() and link.is_char_device()


@posix
@WRITERS
@pytest.mark.parametrize("umask", [0o077, 0o002, 0o022])
def test_a_new_file_has_the_mode_of_the_umask_and_an_old_one_keeps_its_own(
    tmp_path: Path, write: Callable[[Path], None], umask: int
) -> None:
    out = tmp_path / "a.csv"
    before = os.umask(umask)
    try:
        write(out)
        assert out.stat().st_mode & 0o777 == 0o666 & ~umask
        out.chmod(0o640)
        write(out)
        assert out.stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
def test_a_second_interrupt_while_it_is_cleaned_up_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """As one Ctrl-C strikes where Polars is at work."""
    unlink = Path.unlink
    struck: list[Path] = []

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def once(self: Path, missing_ok: bool = False) -> None:
        if self not in struck:
            struck.append(self)
            raise KeyboardInterrupt
        unlink(self, missing_ok)

    monkeypatch.setattr(pl.DataFrame, "write_csv", interrupted)
    monkeypatch.setattr(Path, "unlink", once)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        _generate(tmp_path / f"a.{kind}")
    assert struck
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGINT) is handler


@posix
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_cancelled_it_ends_with_130_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"big.{kind}"
    command = [sys.executable, "-m", "walktall_sim", "generate", "--minutes", "600", "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            while not any(one.stat().st_size for one in tmp_path.iterdir()):
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            shown, told = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, shown, told) == (130, b"", b"")
    assert list(tmp_path.iterdir()) == []


def test_a_name_as_long_as_names_may_be_is_written(tmp_path: Path) -> None:
    out = tmp_path / ("a" * 248 + ".csv.gz")
    _generate(out)
    assert gzip.decompress(out.read_bytes()).startswith(b"t_s,ax")
