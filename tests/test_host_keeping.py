"""Backup, restore, forget and names: whole or not at all, and gone when it is gone."""

import os
import signal
import sqlite3
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from walktall import wire
from walktall_host import keeping
from walktall_host import store as stores
from walktall_host.cli import main
from walktall_host.client import Client
from walktall_host.download import download
from walktall_host.errors import BadInput, StoreUnusable, TransferFailed
from walktall_host.names import Names, chosen
from walktall_host.store import Store

from tests.desk_device import Desk, trace_block
from tests.host_clip import DirectPort, FakeTime, on_socket
from tests.test_host_trace_transfer import NOW_S


def a_clip(sessions: int, wear_s: int = 300, seed: int = 0) -> Desk:
    desk = Desk(seed=seed)
    for k in range(sessions):
        desk.record(wear_s + k)
    assert desk.handler.trace is not None
    for number in range(4):
        desk.handler.trace.add(trace_block(number))
    return desk


def fetch(desk: Desk, path: Path) -> bytes:
    client = Client(DirectPort(desk), FakeTime())
    hello = client.hello()
    with Store(path) as store:
        download(client, hello, store, lambda: NOW_S)
    return hello.device_id


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(path) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in names}


def wears(path: Path) -> list[int]:
    with Store.to_read(path) as store:
        return [session["wear_s"] for session in store.sessions()]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "s.sqlite3"
    monkeypatch.setenv(stores.STORE_VARIABLE, str(path))
    return path


def test_a_backup_holds_every_row_for_its_owner_alone(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetch(a_clip(3), path)
    to = path.parent / "b.sqlite3"
    assert main(["backup", str(to)]) == 0
    assert "3 sessions are safe" in capsys.readouterr().out
    assert rows(to) == rows(path)
    if sys.platform != "win32":
        assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert sorted(file.name for file in path.parent.iterdir() if "part" in file.name) == []
    with Store(to) as copy:  # a store like any other
        assert len(copy.sessions()) == 3


def test_a_backup_replaces_nothing_unless_told(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetch(a_clip(1), path)
    to = path.parent / "b"
    to.write_text("precious")
    assert main(["backup", str(to)]) == 2 and to.read_text() == "precious"
    assert "--force" in capsys.readouterr().err
    assert main(["backup", str(to), "--force"]) == 0 and wears(to) == [300]
    assert main(["backup", str(path), "--force"]) == 2
    assert main(["backup", str(path.parent)]) == 2
    assert main(["backup", str(path.parent / "no" / "folder")]) == 2
    assert wears(path) == [300]


@pytest.mark.skipif(sys.platform == "win32", reason="names are Unicode there")
def test_a_backup_follows_a_link_and_replaces_no_device(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetch(a_clip(1), path)
    kept, link = path.parent / "kept", path.parent / "link"
    kept.write_text("old")
    link.symlink_to(kept)
    assert main(["backup", str(link), "--force"]) == 0
    assert link.is_symlink() and wears(kept) == [300]
    capsys.readouterr()
    pipe = path.parent / "pipe"
    os.mkfifo(pipe)
    assert main(["backup", str(pipe), "--force"]) == 2 and pipe.is_fifo()
    assert "a device or a pipe" in capsys.readouterr().err
    # A name that no UTF-8 gives, as the shell's $'\xffb.db' hands it over.
    assert main(["backup", os.fsdecode(os.fsencode(path.parent) + b"/\xffb.db")]) == 2
    assert "b.db is no name for a store" in capsys.readouterr().err


def test_a_backup_while_another_host_writes_is_a_moment_of_it(path: Path) -> None:
    fetch(a_clip(2), path)
    with Store(path) as other:
        other._db.execute("BEGIN IMMEDIATE")
        other._db.execute("DELETE FROM record")
        with Store(path) as store:
            assert keeping.copy_to(store, path.parent / "b") == 2
        other._db.execute("ROLLBACK")
    assert len(wears(path.parent / "b")) == 2


def test_restore_brings_everything_back_and_keeps_what_was_there(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = a_clip(3)
    fetch(desk, path)
    main(["backup", str(path.parent / "b")])
    before = rows(path)
    desk.record(999)
    fetch(desk, path)
    assert main(["restore", str(path.parent / "b")]) == 0
    told = capsys.readouterr().out
    assert rows(path) == before
    aside = Path(told.strip().splitlines()[-1].removeprefix("What was there before is kept in "))
    assert wears(aside) == [300, 301, 302, 999]
    assert fetch(desk, path) and len(wears(path)) == 4  # and a download goes on from there
    if sys.platform != "win32":
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_restore_into_a_store_that_another_program_has_open_is_seen_by_it(path: Path) -> None:
    fetch(a_clip(2), path)
    main(["backup", str(path.parent / "b")])
    with Store(path) as other:
        other.forget()
        assert keeping.bring_back(path.parent / "b", path)[0] == 2
        assert len(other.sessions()) == 2


def test_restore_refuses_what_is_damaged_or_no_backup_and_changes_nothing(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(a_clip(3), path)
    good = path.parent / "good"
    main(["backup", str(good)])
    before = rows(path)
    files = {file.name for file in path.parent.iterdir()}
    text = path.parent / "text"
    text.write_text("no database at all, " * 300)
    torn = path.parent / "torn"
    torn.write_bytes(good.read_bytes()[: 4096 * 3])
    bent = path.parent / "bent"
    data = bytearray(good.read_bytes())
    data[4096 * 2 : 4096 * 2 + 60] = b"\xa5" * 60
    bent.write_bytes(data)
    later = path.parent / "later"
    later.write_bytes(good.read_bytes())
    with sqlite3.connect(later) as db:
        db.execute(f"PRAGMA user_version = {stores.VERSION + 1}")
    other = path.parent / "other"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE record (x)")
    for bad in (text, torn, bent, later, other, path.parent / "none", path):
        assert main(["restore", str(bad)]) == 2, bad
        told = capsys.readouterr().err
        assert "Traceback" not in told and told.count("\n") == 1
        assert rows(path) == before
    assert {file.name for file in path.parent.iterdir()} == files | {"text", "torn", "bent", "later", "other"}


def test_restore_over_a_store_that_is_damaged_keeps_it_as_it_is(path: Path) -> None:
    fetch(a_clip(2), path)
    keeping_to = path.parent / "b"
    main(["backup", str(keeping_to)])
    path.write_bytes(b"\xa5" * 5000)
    held, aside = keeping.bring_back(keeping_to, path)
    assert held == 2 and aside is not None and aside.read_bytes() == b"\xa5" * 5000
    assert len(wears(path)) == 2


def test_an_older_store_is_brought_up_to_date_by_restore(path: Path) -> None:
    old = path.parent / "old"
    with sqlite3.connect(old) as db:
        for statement in stores.MIGRATIONS[0]:
            db.execute(statement)
        db.execute("PRAGMA user_version = 1")
        db.execute(f"PRAGMA application_id = {stores.APPLICATION_ID}")
    before = old.read_bytes()
    keeping.bring_back(old, path)
    assert old.read_bytes() == before
    with Store(path) as store:
        assert store.devices() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_backup_and_restore_killed_at_any_statement_leave_the_old_or_the_new(tmp_path: Path) -> None:
    desk = a_clip(2)
    path, to = tmp_path / "s.sqlite3", tmp_path / "b"
    fetch(desk, path)
    with Store(path) as store:
        keeping.copy_to(store, to)
    desk.record(999)
    fetch(desk, path)
    old, new = wears(path), wears(to)

    def run(act: Callable[[], object], at: int) -> bool:
        """True when it was killed at the ``at``-th statement that any store sends."""
        child = os.fork()
        if not child:
            left = [at]

            def kill(_: str) -> None:
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)

            opened = Store._prepare

            def prepare(store: Store, name: str) -> None:
                store._db.set_trace_callback(kill)
                opened(store, name)

            Store._prepare = prepare  # type: ignore[method-assign]
            try:
                act()
                os._exit(0)
            finally:
                os._exit(1)
        status = os.waitpid(child, 0)[1]
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)

    at = 0
    while True:
        at += 1
        target = tmp_path / f"t{at}"

        def backup(target: Path = target) -> None:
            with Store(path) as store:
                keeping.copy_to(store, target)

        killed = run(backup, at)
        assert not target.exists() or wears(target) == old
        if not killed:
            break
    backups = at - 1
    at = 0
    while True:
        at += 1
        killed = run(lambda: keeping.bring_back(to, path), at)
        assert wears(path) in (old, new)
        if not killed:
            break
        keeping.bring_back(next(iter(sorted(tmp_path.glob("t[0-9]*")))), path)
        assert wears(path) == old
    assert wears(path) == new
    print(f"{backups + at - 1} kills")
    assert backups > 5 and at > 20


def two_clips(path: Path) -> tuple[bytes, bytes]:
    return fetch(a_clip(2, 300), path), fetch(a_clip(3, 600, seed=40), path)


def test_forgetting_a_clip_leaves_the_others_and_no_byte_of_it(path: Path) -> None:
    one, two = two_clips(path)
    with Store(path) as store:
        raws = [row[0] for row in store._db.execute("SELECT raw FROM record WHERE record_key < 3")]
        store.set_name(one, "blue")
    assert main(["forget", "--clip", "blue", "--yes"]) == 0
    assert wears(path) == [600, 601, 602]
    assert len(raws) == 2
    with Store(path) as store:
        assert [known.device_id for known in store.devices()] == [two]
        for file in path.parent.glob(path.name + "*"):
            data = file.read_bytes()
            assert one not in data and not any(raw in data for raw in raws)


def test_forgetting_a_person_takes_her_sessions_and_traces_and_nobody_elses(path: Path) -> None:
    one, two = two_clips(path)
    main(["name", one.hex(), "--person", "Anna"])
    main(["name", two.hex(), "--person", "Ben"])
    assert main(["forget", "--person", "anna", "--yes"]) == 0
    assert wears(path) == [600, 601, 602]
    assert len(rows(path)["trace_block"]) == 4
    assert main(["forget", "--person", "Anna", "--yes"]) == 2


def test_forgetting_everything_leaves_an_empty_store_and_the_clips_can_be_fetched_again(path: Path) -> None:
    desk = a_clip(2)
    fetch(desk, path)
    assert main(["forget", "--everything", "--yes"]) == 0
    assert {name: got for name, got in rows(path).items() if got and name not in ("note", "sqlite_sequence")} == {}
    fetch(desk, path)
    assert wears(path) == [300, 301]


def test_forgetting_asks_and_without_anybody_to_ask_does_nothing(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(a_clip(2), path)
    with open(os.devnull) as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        assert main(["forget", "--everything"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert main(["forget"]) == 2 and main(["forget", "--everything", "--wipe"]) == 2
    assert main(["forget", "--clip", "nobody", "--yes"]) == 2
    assert len(wears(path)) == 2


def test_a_clip_is_wiped_only_when_all_it_holds_is_safe_here(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = a_clip(3)
    trace = desk.handler.trace
    assert trace is not None
    with on_socket(desk) as port:
        assert main(["forget", "--wipe", "--yes", "--port", port]) == 0
    assert "is wiped" in capsys.readouterr().out
    assert desk.journal.count == 0 and not trace.blocks
    assert wears(path) == [300, 301, 302] and len(rows(path)["trace_block"]) == 4


def test_a_clip_whose_sessions_are_not_safe_is_not_wiped(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = a_clip(1)
    desk.banks[0].fails = desk.banks[1].fails = 99
    desk.journal.append(desk.journal._merged)
    with on_socket(desk) as port:
        assert main(["forget", "--wipe", "--yes", "--port", port]) == 4
    assert "not wiped" in capsys.readouterr().err
    assert desk.journal.count == 2


def test_a_clip_that_only_says_that_it_is_wiped_is_told() -> None:
    desk = a_clip(2)
    desk.acknowledge(desk.fetch())
    client = Client(DirectPort(desk), FakeTime())
    hello = client.hello()
    assert desk.handler.trace is not None
    desk.handler.trace.wipe = lambda: None  # type: ignore[method-assign]
    with pytest.raises(TransferFailed, match="trace"):
        keeping.wipe(client, hello)


def test_a_wipe_waits_until_the_trace_is_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = a_clip(1)
    trace = desk.handler.trace
    assert trace is not None
    wiped = trace.wipe

    def begin() -> None:
        trace.wiping = True
        wiped()

    slept: list[float] = []

    def sleep(s: float) -> None:
        slept.append(s)
        trace.wiping = len(slept) < 3

    monkeypatch.setattr(trace, "wipe", begin)
    monkeypatch.setattr(keeping.time, "sleep", sleep)
    client = Client(DirectPort(desk), FakeTime())
    keeping.wipe(client, client.hello())
    assert len(slept) == 3


def test_names_stand_for_clips_wherever_a_device_is_named(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = two_clips(path)
    assert main(["name", one.hex()[:4], "Blue one", "--person", "Anna"]) == 0
    assert main(["name", two.hex()[:6], "red"]) == 0
    capsys.readouterr()
    assert main(["name", "--json"]) == 0
    assert '"name": "Blue one"' in capsys.readouterr().out
    for text, count in (("blue ONE", 2), ("RED", 3), ("anna", 2), (two.hex()[:5], 3)):
        with Store(path) as store:
            assert len(chosen(store, store.sessions(), text)) == count
    assert main(["sessions", "--device", "red"]) == 0
    with on_socket(a_clip(1)) as port:
        assert main(["info", "--port", port, "--device", "anna"]) == 0
        assert "Blue one" in capsys.readouterr().out
        assert main(["info", "--port", port, "--device", "red"]) == 3
    with pytest.raises(BadInput, match="called"):
        Store(path).set_name(two, "BLUE ONE")
    for bad in (["name", "red", "blue one"], ["name", "red", " "], ["name", "red", "x" * 41], ["name", "nobody", "x"]):
        assert main(bad) == 2
    assert main(["name", "red", "a\x1b[31mb"]) == 2
    assert main(["name", "red", "--remove"]) == 0
    assert Names.of_store(path).nickname(two) == ""


def test_two_people_with_one_clip_keep_apart_after_a_wipe(path: Path) -> None:
    desk = a_clip(2)
    device_id = fetch(desk, path)
    main(["name", device_id.hex(), "--person", "Anna"])
    desk.journal.format(0, 5)
    desk.record(700)
    fetch(desk, path)
    with Store(path) as store:  # nobody said otherwise
        assert [session.person for session in store.sessions()] == ["Anna"] * 3
    main(["name", device_id.hex(), "--person", "Ben"])
    with Store(path) as store:
        assert [session.person for session in store.sessions()] == ["Anna", "Anna", "Ben"]
        assert [session["wear_s"] for session in chosen(store, store.sessions(), "ben")] == [700]
    assert main(["forget", "--person", "Anna", "--yes"]) == 0
    assert wears(path) == [700]


def test_a_store_that_cannot_be_read_does_not_keep_a_clip_from_being_reached(path: Path) -> None:
    path.write_bytes(b"no store" * 100)
    assert Names.of_store(path).nickname(bytes(8)) == ""
    with pytest.raises(StoreUnusable):
        Store(path)
    with on_socket(a_clip(1)) as port:
        assert main(["info", "--port", port, "--quiet"]) == 0


def test_format_flags_are_those_of_the_wire() -> None:
    assert wire.HELLO_FLAG_NAMES[wire.HF_WIPING.bit_length() - 1] == "wiping"
