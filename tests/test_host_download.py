"""A download: everything once, acknowledged only when it is safe here, from wherever the last one stopped."""

import random
import sqlite3
from pathlib import Path

import pytest
from walktall import records as r
from walktall import wire
from walktall.journal import Journal
from walktall_host.client import Client
from walktall_host.dates import CLOCK, DERIVED, UNDATED, begin_of, in_order
from walktall_host.download import SESSIONS, Downloaded, download
from walktall_host.errors import NotAClip, TransferFailed
from walktall_host.store import Store

from tests.desk_device import DAY_S, UTC_S, Desk, Flash, frames_in, walk
from tests.host_clip import DirectPort, FakeTime
from tests.test_host_store import everything

NOW_UTC_S = UTC_S + 3600


def fetch(
    port: DirectPort, path: Path, now_utc_s: int = NOW_UTC_S, told: list[tuple[int, int]] | None = None
) -> Downloaded:
    client = Client(port, FakeTime())
    with Store(path) as store:
        return download(
            client,
            client.hello(),
            store,
            lambda: float(now_utc_s + r.EPOCH_UNIX_S),
            lambda what, done, total: told.append((done, total)) if told is not None and what == SESSIONS else None,
        )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.sqlite3"


def test_everything_comes_and_is_acknowledged(path: Path) -> None:
    desk = Desk()
    for n in range(20):
        desk.record(300 + n)
    told: list[tuple[int, int]] = []
    result = fetch(DirectPort(desk), path, told=told)
    assert (result.new, result.changed, result.unread, result.not_acknowledged) == (20, 0, 0, "")
    assert desk.journal.unacknowledged == 0
    assert told[0] == (0, 20)
    assert told[-1] == (20, 20)
    with Store(path) as store:
        assert [session["wear_s"] for session in store.sessions()] == [300 + n for n in range(20)]
        assert all(session.acked for session in store.sessions())


def test_a_second_download_changes_nothing_here_and_writes_nothing_there(path: Path) -> None:
    desk = Desk()
    for n in range(5):
        desk.record(300 + n)
    fetch(DirectPort(desk), path)
    desk.journal.commit(NOW_UTC_S, 500, True)
    before = everything(path)
    commits = desk.hello()["commits"]
    result = fetch(DirectPort(desk), path, NOW_UTC_S + 60)
    assert (result.new, result.changed) == (0, 0)
    assert everything(path) == before
    assert desk.hello()["commits"] == commits


def test_only_what_is_lacking_is_fetched(path: Path) -> None:
    desk = Desk()
    for n in range(10):
        desk.record(300 + n)
    fetch(DirectPort(desk), path)
    desk.record(999)
    port = DirectPort(desk)
    assert fetch(port, path).new == 1
    assert port.received < 3 * wire.MAX_FRAME + wire.HELLO_TABLE.size


def test_the_receipt_is_sent_only_when_the_bytes_are_committed_here(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk()
    for n in range(9):
        desk.record(300 + n)
    seen: list[int] = []
    acknowledge = Journal.acknowledge

    def look(journal: Journal, seq: int, crc: int, uptime_s: int) -> int:
        # What another process sees at this moment: what is committed, and nothing else.
        with sqlite3.connect(path) as db:
            rows = db.execute("SELECT raw FROM record ORDER BY seq").fetchall()
        assert [row[0] for row in rows] == [held[seq] for seq in sorted(held)]
        seen.append(seq)
        return int(acknowledge(journal, seq, crc, uptime_s))

    held = desk.fetch()
    monkeypatch.setattr(Journal, "acknowledge", look)
    fetch(DirectPort(desk), path)
    assert seen == [9]


def test_a_line_that_breaks_at_any_point_loses_nothing_and_the_next_download_ends_it(tmp_path: Path) -> None:
    whole = DirectPort(filled := Desk())
    for n in range(10):
        filled.record(300 + n)
    fetch(whole, tmp_path / "whole.sqlite3")
    # Every 23rd byte of the exchange: each frame is hit at several places.
    for after in range(0, whole.received, 23):
        desk = Desk()
        for n in range(10):
            desk.record(300 + n)
        path = tmp_path / f"{after}.sqlite3"
        port = DirectPort(desk)
        port.breaks_after = after
        with pytest.raises(TransferFailed):
            fetch(port, path)
        with Store(path) as store:
            held = {session["seq"] for session in store.sessions()}
        assert set(range(1, desk.journal.acked_seq + 1)) <= held
        desk.port.connected = False
        desk.poll()
        desk.port.connected = True
        fetch(DirectPort(desk), path)
        assert desk.journal.unacknowledged == 0
        with Store(path) as store:
            assert [session["wear_s"] for session in store.sessions()] == [300 + n for n in range(10)]


def test_a_bad_line_ends_right_or_says_so(tmp_path: Path, chance: random.Random) -> None:
    ended = 0
    for n in range(25):
        desk = Desk()
        for k in range(12):
            desk.record(300 + k)

        def spoil(data: bytes) -> bytes:
            if not data:
                return data
            out = bytearray()
            for byte in data:
                what = chance.random()
                if what < 0.0005:
                    continue
                out.append(byte ^ (1 << chance.randrange(8)) if what < 0.001 else byte)
            return bytes(out * 2 if chance.random() < 0.1 else out)

        path = tmp_path / f"{n}.sqlite3"
        try:
            fetch(DirectPort(desk, spoil), path)
            ended += 1
            assert desk.journal.unacknowledged == 0
        except (TransferFailed, NotAClip):
            pass
        if path.exists():
            with Store(path) as store:
                assert store.unread() == []
                for session in store.sessions():
                    assert session["wear_s"] == 299 + session["seq"]
    assert ended >= 20


def test_a_receipt_that_the_clip_forgot_in_a_power_cut_is_given_again(path: Path) -> None:
    banks = (Flash(), Flash())
    desk = Desk(banks)
    desk.record(300)
    fetch(DirectPort(desk), path)
    # The power goes before the clip has written that it was acknowledged.
    again = Desk(banks)
    assert again.journal.unacknowledged == 1
    result = fetch(DirectPort(again), path)
    assert (result.new, result.changed) == (0, 0)
    assert again.journal.unacknowledged == 0


def test_a_short_walk_merged_into_a_record_that_is_here_already_is_counted_once(path: Path) -> None:
    banks = (Flash(), Flash())
    desk = Desk(banks)
    desk.record(100)
    fetch(DirectPort(desk), path)
    again = Desk(banks)  # its receipt was lost with the power: it may merge
    again.record(60)
    assert again.journal.count == 1
    result = fetch(DirectPort(again), path)
    assert (result.new, result.changed) == (0, 1)
    assert again.journal.unacknowledged == 0
    with Store(path) as store:
        assert [session["wear_s"] for session in store.sessions()] == [160]


def test_what_another_computer_has_acknowledged_comes_here_too(tmp_path: Path) -> None:
    desk = Desk()
    for n in range(4):
        desk.record(300 + n)
    fetch(DirectPort(desk), tmp_path / "one.sqlite3")
    desk.record(800)
    fetch(DirectPort(desk), tmp_path / "two.sqlite3")
    fetch(DirectPort(desk), tmp_path / "one.sqlite3")
    assert desk.journal.unacknowledged == 0
    for name in ("one", "two"):
        with Store(tmp_path / f"{name}.sqlite3") as store:
            assert [session["wear_s"] for session in store.sessions()] == [300, 301, 302, 303, 800]


def test_records_that_a_full_clip_dropped_leave_no_hole_in_the_receipt(path: Path) -> None:
    desk = Desk()
    for n in range(desk.journal.capacity + 7):
        desk.journal.append(walk(300 + n))
    result = fetch(DirectPort(desk), path)
    assert result.new == desk.journal.capacity
    assert desk.journal.unacknowledged == 0
    assert any("lost 7 session" in warning for warning in result.warnings)


def test_sessions_that_the_clip_has_not_written_yet_are_told_and_come_later(path: Path) -> None:
    desk = Desk()
    desk.record(300)
    desk.banks[0].fails = desk.banks[1].fails = 1
    desk.journal.append(walk(400))
    result = fetch(DirectPort(desk), path)
    assert result.new == 1
    assert any("1 session is not written" in warning for warning in result.warnings)
    assert fetch(DirectPort(desk), path).new == 1
    assert desk.journal.unacknowledged == 0


def test_a_wiped_clip_starts_anew_and_its_earlier_walks_stay(path: Path) -> None:
    desk = Desk()
    desk.record(300)
    fetch(DirectPort(desk), path)
    desk.journal.format(UTC_S, 5)
    desk.record(400)
    result = fetch(DirectPort(desk), path)
    assert result.wiped
    with Store(path) as store:
        assert [session["wear_s"] for session in store.sessions()] == [300, 400]


def test_the_clock_is_set_and_its_drift_is_told(path: Path) -> None:
    desk = Desk()
    first = fetch(DirectPort(desk), path)
    assert first.clock is not None
    assert not first.clock.was_set
    assert desk.handler.clock_s == NOW_UTC_S
    desk.handler.clock_s += 4 * DAY_S + 8
    second = fetch(DirectPort(desk), path, NOW_UTC_S + 4 * DAY_S)
    assert second.clock is not None
    assert (second.clock.off_s, second.clock.over_s) == (8, 4 * DAY_S)
    assert second.clock.seconds_a_day == pytest.approx(2.0)


def test_a_host_whose_own_clock_is_wrong_leaves_the_clips_alone(path: Path) -> None:
    desk = Desk()
    desk.handler.clock_s = UTC_S
    result = fetch(DirectPort(desk), path, 86400)
    assert result.clock is None
    assert desk.handler.clock_s == UTC_S
    assert any("clock" in warning for warning in result.warnings)


def test_a_session_without_a_date_is_dated_from_the_meeting_in_its_own_boot(path: Path) -> None:
    desk = Desk()
    desk.handler.up_s = 5000
    desk.record(600, start_utc_s=0, start_uptime_s=1000, boot=desk.journal.boot)
    desk.record(600, start_utc_s=0, start_uptime_s=1000, boot=desk.journal.boot + 1)
    desk.record(600, start_utc_s=0, start_uptime_s=4900, boot=desk.journal.boot)
    desk.record(600, start_utc_s=0, start_uptime_s=1000, boot=desk.journal.boot, flags=r.FLAG_RESUMED)
    desk.record(600, start_utc_s=UTC_S)
    fetch(DirectPort(desk), path)
    # A later meeting must not move it.
    desk.handler.up_s = 9000
    fetch(DirectPort(desk), path, NOW_UTC_S + 4000)
    with Store(path) as store:
        begins = [begin_of(session) for session in store.sessions()]
    assert [begin.source for begin in begins] == [DERIVED, UNDATED, UNDATED, UNDATED, CLOCK]
    assert begins[0].utc_s == NOW_UTC_S - 4000


def test_undated_sessions_stay_where_the_clip_counted_them(path: Path) -> None:
    desk = Desk()
    desk.record(300, start_utc_s=UTC_S)
    desk.record(301, start_utc_s=0, boot=99)
    desk.record(302, start_utc_s=UTC_S + DAY_S)
    desk.record(303, start_utc_s=UTC_S + DAY_S - 50)  # the clock was put back
    fetch(DirectPort(desk), path)
    with Store(path) as store:
        assert [session["wear_s"] for session in in_order(store.sessions())] == [300, 301, 302, 303]


def test_a_clip_that_gives_other_bytes_than_it_acknowledges_is_told_not_trusted(path: Path) -> None:
    class Liar(Journal):
        def acknowledge(self, seq: int, crc: int, uptime_s: int) -> int:
            return 1  # ACK_MISMATCH, for ever

    desk = Desk()
    desk.record(300)
    desk.journal.__class__ = Liar
    result = fetch(DirectPort(desk), path)
    assert result.not_acknowledged
    assert result.warnings
    with Store(path) as store:
        assert len(store.sessions()) == 1
        assert not store.sessions()[0].acked


def test_a_clip_that_holds_back_a_record_is_given_up_with_what_came(path: Path) -> None:
    desk = Desk()
    for n in range(6):
        desk.record(300 + n)
    decoder = wire.Decoder()

    def without_three(data: bytes) -> bytes:
        out = b""
        for kind, request_id, body in frames_in(data, decoder):
            if kind != wire.RECORD or wire.u16(body, 0) != 3:
                out += wire.encode(kind, request_id, body)
        return out

    with pytest.raises(TransferFailed):
        fetch(DirectPort(desk, without_three), path)
    with Store(path) as store:
        assert {session["seq"] for session in store.sessions()} == {1, 2, 4, 5, 6}
