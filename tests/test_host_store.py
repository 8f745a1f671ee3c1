"""The store: nothing twice, nothing lost, nothing half, and only for its owner."""

import contextlib
import os
import re
import signal
import socket
import sqlite3
import stat
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from walktall import records as r
from walktall import slots, wire
from walktall_host import store as stores
from walktall_host.client import Client, Hello, Sent
from walktall_host.download import TRACE_WINDOW, download
from walktall_host.errors import ConnectionLost, StoreUnusable
from walktall_host.store import Store

from tests.desk_device import UTC_S, Desk, trace_block, walk
from tests.host_clip import DirectPort, FakeTime, serve

NOW_S = float(UTC_S + r.EPOCH_UNIX_S)


#: Held to docs/reliability.md by tests/test_reliability.py.
KILLS_LEAST = 150


def hello_of(**changes: int | bytes | str) -> Hello:
    values = dict(zip((row[0] for row in wire.HELLO_FIELDS), wire.HELLO_TABLE.new_values(), strict=True))
    return Hello({**values, "device_id": b"\x01" * 8, "journal_id": b"\x02" * 4, "boot": 3, **changes})


def slot(seq: int, wear_s: int = 600, **values: int) -> bytes:
    """A record as a clip sends it: the slot's bytes."""
    fields = walk(wear_s, **values)
    fields[r.S_SEQ] = seq
    raw = bytearray(r.SESSION_SLOT_BYTES)
    r.pack_session_into(raw, 0, fields)
    return bytes(raw)


def everything(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables but what tells of meetings."""
    with sqlite3.connect(path) as db:
        names = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in names - {"device", "meeting"}}


def test_keeping_the_same_bytes_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    with Store(path) as store:
        journal = store.meet(hello_of(), 5)
        batch = [Sent(1, False, slot(1)), Sent(2, False, slot(2))]
        assert store.keep(journal, batch, hello_of(), 5).new == 2
        before = everything(path)
        again = store.keep(store.meet(hello_of(), 9), batch, hello_of(), 9)
        assert (again.new, again.changed) == (0, 0)
        assert everything(path) == before


def test_a_record_that_grew_replaces_the_former_one_and_keeps_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    with Store(path) as store:
        journal = store.meet(hello_of(), 5)
        store.keep(journal, [Sent(1, False, slot(1, 100))], hello_of(), 5)
        kept = store.keep(journal, [Sent(1, False, slot(1, 170))], hello_of(), 6)
        assert (kept.new, kept.changed) == (0, 1)
        (session,) = store.sessions()
        assert session["wear_s"] == 170
    assert everything(path)["former"] == [(1, 1, slot(1, 100), 6)]


def test_the_same_number_of_another_clip_or_journal_is_another_session(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite3") as store:
        for hello in (hello_of(), hello_of(journal_id=b"\x03" * 4), hello_of(device_id=b"\x04" * 8)):
            store.keep(store.meet(hello, 5), [Sent(1, False, slot(1))], hello, 5)
        assert len(store.sessions()) == 3


def test_a_record_of_a_later_layout_is_kept_and_read_after_the_upgrade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.sqlite3"
    raw = bytearray(slot(1, 321))
    raw[0] = r.SESSION_LAYOUT + 1
    with Store(path) as store:
        kept = store.keep(store.meet(hello_of(), 5), [Sent(1, False, bytes(raw))], hello_of(), 5)
        assert (kept.new, kept.unread) == (1, 1)
        assert store.sessions() == []
        assert [unread.fault for unread in store.unread()] == [stores.NEWER]
    # The upgrade: a field table with one layout more, of the same fields.
    for module in (r, slots):
        monkeypatch.setattr(module, "SESSION_LAYOUT", 2)
        monkeypatch.setattr(module, "SESSION_COUNTS", (0, r.S_COUNT, r.S_COUNT))
    with Store(path) as store:
        assert [session["wear_s"] for session in store.sessions()] == [321]
        assert store.unread() == []


def test_a_record_whose_seconds_do_not_add_up_is_kept_and_never_reported(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite3") as store:
        store.keep(store.meet(hello_of(), 5), [Sent(1, False, slot(1, 600, good_s=601))], hello_of(), 5)
        assert store.sessions() == []
        (unread,) = store.unread()
        assert "impossible" in unread.fault


@given(raw=st.binary(min_size=3, max_size=248))
def test_no_bytes_upset_the_reading_of_a_record(raw: bytes) -> None:
    values, fault = stores.read_record(raw)
    assert (values is None) == bool(fault)
    if values is not None:
        assert sum(values[name] for name in stores._NAMES[5:18]) == values["wear_s"] or (
            values["flags"] & r.FLAG_SATURATED
        )


@pytest.mark.skipif(sys.platform == "win32", reason="modes are a matter of POSIX")
def test_the_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "s.sqlite3"
    old = os.umask(0)
    try:
        with Store(path) as store:
            store.meet(hello_of(), 5)
            for file in path.parent.iterdir():
                assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        path.chmod(0o644)
        with Store(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(old)


def test_what_is_not_a_store_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("not a database at all, but long enough to be looked at " * 20)
    text.chmod(0o644)
    other = tmp_path / "other.sqlite3"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE precious (x)")
    db.close()
    later = tmp_path / "later.sqlite3"
    Store(later).close()
    with sqlite3.connect(later) as db:
        db.execute(f"PRAGMA user_version = {stores.VERSION + 1}")
    db.close()
    for path in (text, other, later):
        before = (path.read_bytes(), path.stat().st_mode)
        with pytest.raises(StoreUnusable):
            Store(path)
        assert (path.read_bytes(), path.stat().st_mode) == before
    with pytest.raises(StoreUnusable, match="folder"):
        Store(tmp_path)


def test_reading_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "none" / "s.sqlite3"
    with Store.to_read(path) as store:
        assert store.sessions() == []
    assert not path.parent.exists()


def test_constraints_hold_against_a_careless_hand(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    with Store(path) as store:
        store.keep(store.meet(hello_of(), 5), [Sent(1, False, slot(1))], hello_of(), 5)
    db = sqlite3.connect(path)
    db.execute("PRAGMA foreign_keys = ON")
    for statement in (
        "INSERT INTO record SELECT NULL, journal_key, seq, raw, acked, 1, 1, 1, NULL FROM record",
        "UPDATE record SET raw = 'text'",
        "UPDATE record SET seq = 0",
        "UPDATE record SET journal_key = 99",
        "UPDATE device SET device_id = x'00'",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            db.execute(statement)
    db.execute("DELETE FROM device")
    assert db.execute("SELECT count(*) FROM record").fetchone() == (0,)
    assert db.execute("SELECT count(*) FROM session").fetchone() == (0,)
    db.close()


def filled_desk() -> Desk:
    desk = Desk()
    for n in range(11):
        desk.journal.append(walk(300 + n))
    desk.journal.commit(5, 5, True)
    assert desk.handler.trace is not None
    for n in range(TRACE_WINDOW + 3):
        desk.handler.trace.add(trace_block(n))
    return desk


def fetch_all(desk: Desk, path: Path) -> int:
    desk.port.connected = True
    client = Client(DirectPort(desk), FakeTime())
    with Store(path) as store:
        return download(client, client.hello(), store, lambda: NOW_S).new


class PairPort:
    """The host's end of a pair of sockets; at the other end another process polls the clip."""

    name = "pair"

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def read(self, timeout_s: float) -> bytes:
        self._end.settimeout(max(0.001, timeout_s))
        try:
            data = self._end.recv(4096)
        except TimeoutError:
            return b""
        if not data:
            raise ConnectionLost("the clip has gone")
        return data

    def write(self, data: bytes) -> None:
        self._end.settimeout(None)
        self._end.sendall(data)

    def close(self) -> None:
        self._end.close()


def host_process(desk: Desk, path: Path, kill_at: int, told: Path | None = None) -> int:
    """Status of a process that downloads from this clip, which lives on here, and is killed when it is about to send
    its ``kill_at``-th statement to SQLite, those that make and open the store among them; 0 = never.

    :param told: where it writes its statements, one a line
    """
    ours, theirs = socket.socketpair()
    child = os.fork()
    if not child:
        status = 1
        try:
            ours.close()
            statements: list[str] = []

            def look(statement: str) -> None:
                statements.append(statement.split("\n")[0])
                if len(statements) == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

            prepare = Store._prepare

            def watched(store: Store, name: str) -> None:
                store._db.set_trace_callback(look)
                prepare(store, name)

            Store._prepare = watched  # type: ignore[method-assign]
            client = Client(PairPort(theirs))
            with Store(path) as store:
                download(client, client.hello(), store, lambda: NOW_S)
            if told is not None:
                told.write_text("\n".join(statements))
            status = 0
        finally:
            os._exit(status)
    theirs.close()
    desk.port.connected = True
    with ours, contextlib.suppress(ConnectionError):
        serve(desk, ours.fileno(), threading.Event())
    # The port goes with its process.
    desk.port.connected = False
    desk.poll()
    desk.port.to_device.clear()
    desk.port.from_device.clear()
    return os.waitpid(child, 0)[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_host_killed_at_any_statement_leaves_a_store_from_which_the_download_goes_on(tmp_path: Path) -> None:
    """The clip lives on in another process, and knows what it was told before the kill: also of a receipt that the
    host did not live to write down."""
    told = tmp_path / "statements"
    assert host_process(filled_desk(), tmp_path / "whole.sqlite3", 0, told) == 0
    statements = told.read_text().split("\n")
    print(f"{len(statements)} kills")
    assert len(statements) >= KILLS_LEAST
    assert {"BEGIN IMMEDIATE", "COMMIT"} <= set(statements) and any("CREATE TABLE" in each for each in statements)
    whole = everything(tmp_path / "whole.sqlite3")
    ahead = 0
    for n in range(1, len(statements) + 1):
        desk = filled_desk()
        path = tmp_path / f"{n}.sqlite3"
        assert os.WIFSIGNALED(host_process(desk, path, n)), "it lived on"
        with Store(path) as store:
            assert store._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            here = dict(store._db.execute("SELECT seq, raw FROM record").fetchall())
            for session in store.sessions():
                assert session["wear_s"] == 299 + session["seq"]
            for number, raw in store._db.execute("SELECT block, raw FROM trace_block"):
                assert raw == trace_block(number)
            noted = store._db.execute("SELECT count(*) FROM record WHERE acked = 1").fetchone()[0]
        # What the clip was told is here is here; the store may not have come to noting it.
        assert set(here) >= set(range(1, desk.journal.acked_seq + 1)), "acknowledged, and not committed"
        assert noted <= desk.journal.acked_seq
        ahead += noted < desk.journal.acked_seq
        fetch_all(desk, path)
        assert desk.journal.unacknowledged == 0
        done = everything(path)
        assert [row[2:5] for row in done["record"]] == [row[2:5] for row in whole["record"]]
        assert [row[2:4] for row in done["trace_block"]] == [row[2:4] for row in whole["trace_block"]]
        assert len(done["session"]) == 11
        assert done["former"] == [] and done["trace_lost"] == []
    assert ahead, "no kill between the receipt and its note was tried"


def test_a_full_disk_in_mid_transfer_keeps_what_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    with Store(path) as store:
        journal = store.meet(hello_of(), 5)
        store.keep(journal, [Sent(1, False, slot(1))], hello_of(), 5)
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(StoreUnusable, match="full"):
            store.keep(journal, [Sent(seq, False, slot(seq)) for seq in range(2, 200)], hello_of(), 5)
        assert len(store.sessions()) == 1
        store._db.execute("PRAGMA max_page_count = 100000")
        assert store.keep(journal, [Sent(2, False, slot(2))], hello_of(), 5).new == 1


def test_two_hosts_with_one_store_do_not_harm_each_other(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    desk = filled_desk()
    with Store(path) as one, Store(path) as two:
        for store in (one, two, one):
            journal = store.meet(hello_of(), 5)
            store.keep(journal, [Sent(seq, False, slot(seq)) for seq in (1, 2, 3)], hello_of(), 5)
        assert len(one.sessions()) == len(two.sessions()) == 3
    assert fetch_all(desk, path) == 11


def test_a_store_of_every_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    for version in range(1, stores.VERSION):
        path = tmp_path / f"{version}.sqlite3"
        with sqlite3.connect(path) as db:
            for step in stores.MIGRATIONS[:version]:
                for statement in step:
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {version}")
            db.execute(f"PRAGMA application_id = {stores.APPLICATION_ID}")
        Store(path).close()
    fresh = tmp_path / "fresh.sqlite3"
    Store(fresh).close()
    with sqlite3.connect(fresh) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (stores.VERSION,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_four_processes_download_into_one_store_at_once(tmp_path: Path) -> None:
    """Two clips, each fetched by two processes at the same time: all of it is there once."""
    path = tmp_path / "s.sqlite3"
    desks = []
    for seed in (0, 90):
        desk = Desk(seed=seed)
        for n in range(9):
            desk.journal.append(walk(300 + n))
        desk.journal.commit(5, 5, True)
        assert desk.handler.trace is not None
        desk.handler.trace.ring_id = bytes([seed + 1] * 4)
        for n in range(20):
            desk.handler.trace.add(trace_block(n, ring_id=desk.handler.trace.ring_id))
        desks.append(desk)
    children = []
    for k in range(4):
        child = os.fork()
        if not child:
            status = 1
            try:
                fetch_all(desks[k % 2], path)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*), count(DISTINCT raw) FROM trace_block").fetchone() == (40, 40)
    with Store(path) as store:
        assert len(store.sessions()) == 18 and len(store.devices()) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_processes_that_make_the_same_store_at_once_all_open_it(tmp_path: Path) -> None:
    """Nobody takes a store that is being made for another program's, or gives up because another has it."""
    for n in range(25):
        children = []
        for _ in range(8):
            child = os.fork()
            if not child:
                status = 1
                try:
                    Store(tmp_path / f"{n}.sqlite3").close()
                    status = 0
                finally:
                    os._exit(status)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8


def test_every_table_and_column_of_the_store_is_in_its_page(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    Store(path).close()
    page = (Path(__file__).resolve().parent.parent / "docs" / "host.md").read_text().split("## The store")[1]
    told = {match[1]: match[0] for match in re.findall(r"^(\| `(\w+)` \| .*)$", page, re.MULTILINE)}
    with sqlite3.connect(path) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in set(names) - {"sqlite_sequence"}:
            assert name in told, f"the table {name} is not in docs/host.md"
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({name})")]
            for column in columns[:1] if name == "session" else columns:
                assert f"`{column}`" in told[name], f"{name}.{column} is not in docs/host.md"
