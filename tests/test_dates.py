"""When a walk was: by the clip's clock, by any meeting in its boot, or undated; and on which day of whose zone."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from walktall import journal as j
from walktall import records as r
from walktall_host import report as reports
from walktall_host.cli import main
from walktall_host.dates import CLOCK, DERIVED, UNDATED, begin_of, brackets, in_order, local_time
from walktall_host.errors import TransferFailed
from walktall_host.store import Meeting, Session, Store
from walktall_host.weeks import Week, last_weeks

from tests.desk_device import DAY_S, UTC_S, Desk, walk
from tests.host_clip import DirectPort
from tests.test_host_download import fetch

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
KATHMANDU = ZoneInfo("Asia/Kathmandu")


def utc_s(text: str) -> int:
    """Seconds since 2020 of an ISO time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) - int(r.EPOCH_UNIX_S)


def session(
    number: int = 1,
    start_utc_s: int = 0,
    wear_s: int = 1800,
    boot: int = 1,
    start_uptime_s: int = 100,
    meetings: tuple[Meeting, ...] = (),
    fetched: tuple[int, int, int] = (UTC_S + 9 * DAY_S, 99, 5),
    flags: int = 0,
) -> Session:
    fields = walk(wear_s, start_utc_s, boot, start_uptime_s=start_uptime_s, flags=flags, seq=number)
    names = [row[0] for row in r.SESSION_FIELDS]
    values = dict(zip(names, fields, strict=True))
    return Session(number, b"\x01" * 8, b"\x02" * 4, values, True, *fetched, meetings=meetings)


def weeks(sessions: list[Session], zone: ZoneInfo) -> list[Week]:
    found = last_weeks(sessions, 1, {}, zone)
    assert found is not None
    return list(found.weeks)


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A computer in Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_each_time_has_the_daylight_saving_of_its_own_day() -> None:
    # Berlin went to summer time on 2026-03-29 at 01:00 UTC and back on 2026-10-25 at 01:00 UTC.
    for when, told in (
        ("2026-03-29T00:59:59", "2026-03-29T01:59:59+01:00"),
        ("2026-03-29T01:00:00", "2026-03-29T03:00:00+02:00"),
        ("2026-10-25T00:30:00", "2026-10-25T02:30:00+02:00"),
        ("2026-10-25T01:30:00", "2026-10-25T02:30:00+01:00"),
    ):
        assert local_time(utc_s(when), BERLIN).isoformat() == told
    assert local_time(utc_s("2026-07-01T22:00:00"), KATHMANDU).isoformat() == "2026-07-02T03:45:00+05:45"
    assert local_time(utc_s("2026-01-01T03:00:00"), NEW_YORK).isoformat() == "2025-12-31T22:00:00-05:00"


def test_a_walk_over_the_change_of_the_clocks_is_as_long_as_it_was() -> None:
    over = session(start_utc_s=utc_s("2026-03-29T00:45:00"), wear_s=1800)
    document = reports.document(over, BERLIN)
    assert document["begin"] == "2026-03-29T01:45:00+01:00"
    assert document["wear_s"] == 1800
    again = session(start_utc_s=utc_s("2026-10-25T00:45:00"), wear_s=3600)
    # 02:45 comes twice that night: the offset tells which.
    assert reports.document(again, BERLIN)["begin"] == "2026-10-25T02:45:00+02:00"


def test_two_walks_of_the_hour_that_comes_twice_stay_in_order() -> None:
    first = session(1, start_utc_s=utc_s("2026-10-25T00:50:00"), wear_s=300)
    second = session(2, start_utc_s=utc_s("2026-10-25T01:10:00"), wear_s=300)
    assert in_order([first, second]) == [first, second]
    assert reports.begin_text(first, BERLIN) == " 2026-10-25 02:50"
    assert reports.begin_text(second, BERLIN) == " 2026-10-25 02:10"


def test_a_walk_across_midnight_belongs_to_the_day_on_which_it_began() -> None:
    late = session(start_utc_s=utc_s("2026-03-01T22:50:00"), wear_s=3000)  # 23:50 in Berlin, a Sunday
    assert reports.begin_text(late, BERLIN) == " 2026-03-01 23:50"
    (week,) = weeks([late], BERLIN)
    assert week.monday.isoformat() == "2026-02-23"
    early = session(start_utc_s=utc_s("2026-03-01T23:10:00"), wear_s=3000)  # 00:10 on Monday
    (week,) = weeks([early], BERLIN)
    assert week.monday.isoformat() == "2026-03-02"


def test_west_of_greenwich_an_evening_walk_is_of_that_evening() -> None:
    evening = session(start_utc_s=utc_s("2026-03-02T01:30:00"), wear_s=1800)  # Sunday 20:30 in New York
    assert reports.begin_text(evening, NEW_YORK) == " 2026-03-01 20:30"
    (week,) = weeks([evening], NEW_YORK)
    assert week.monday.isoformat() == "2026-02-23"


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process cannot be set here")
def test_the_command_tells_times_in_the_computers_own_zone(
    zone: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.sqlite3"
    monkeypatch.setenv("WALKTALL_STORE", str(path))
    desk = Desk()
    desk.record(900, start_utc_s=utc_s("2026-03-29T00:50:00"))
    desk.record(900, start_utc_s=utc_s("2026-03-29T01:20:00"))
    fetch(DirectPort(desk), path)
    assert main(["sessions"]) == 0
    told = capsys.readouterr().out
    assert "2026-03-29 01:50" in told and "2026-03-29 03:20" in told


def test_any_meeting_in_its_own_boot_dates_a_session() -> None:
    met = Meeting(UTC_S, 4, 5000, 2)
    earlier = (Meeting(UTC_S - 900, 3, 9000, 2), Meeting(UTC_S - 800, 4, 9000, 1))  # another boot; not yet there
    begin = begin_of(session(boot=4, start_uptime_s=1000, meetings=(*earlier, met)))
    assert (begin.utc_s, begin.source) == (UTC_S - 4000, DERIVED)
    for wrong in (
        session(boot=5, start_uptime_s=1000, meetings=(met,)),  # of another boot
        session(boot=4, start_uptime_s=4000, meetings=(met,)),  # it was not over by then: another boot of that number
        session(boot=4, start_uptime_s=1000, meetings=(met,), flags=r.FLAG_RESUMED),
    ):
        assert begin_of(wrong).source == UNDATED
    assert begin_of(session(start_utc_s=UTC_S, meetings=(met,))).source == CLOCK


def test_a_session_fetched_after_a_restart_is_dated_by_the_meeting_before_it(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    desk = Desk()
    desk.handler.up_s = 5000
    # It is there at a meeting that breaks off, and comes only after a restart.
    desk.record(600, start_utc_s=0, start_uptime_s=4000, boot=desk.journal.boot)
    port = DirectPort(desk)
    port.breaks_after = 240
    with pytest.raises(TransferFailed):
        fetch(port, path, UTC_S)
    again = Desk(desk.banks)
    again.handler.up_s = 50
    fetch(DirectPort(again), path, UTC_S + 7 * DAY_S)
    with Store(path) as store:
        (only,) = store.sessions()
    begin = begin_of(only)
    assert (begin.utc_s, begin.source) == (UTC_S - 1000, DERIVED)


def test_of_an_undated_session_it_is_known_between_which_it_lay() -> None:
    first = session(1, start_utc_s=UTC_S, wear_s=600)
    lost = session(2)
    third = session(3, start_utc_s=UTC_S + 5 * DAY_S)
    last = session(4)
    assert brackets([first, lost, third, last]) == {
        2: (UTC_S + 600, UTC_S + 5 * DAY_S),
        4: (UTC_S + 5 * DAY_S + 1800, UTC_S + 9 * DAY_S),
    }
    assert brackets([session(1)]) == {1: (0, UTC_S + 9 * DAY_S)}
    # A clock that was put back contradicts the order of the numbers.
    back = session(3, start_utc_s=UTC_S - DAY_S)
    assert brackets([first, lost, back])[2] == (0, 0)


def test_the_drift_over_all_meetings_is_in_the_store(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    desk = Desk()
    for day in range(3):
        desk.handler.clock_s = UTC_S + day * DAY_S + 2 * day if day else 0
        fetch(DirectPort(desk), path, UTC_S + day * DAY_S)
    with Store(path) as store:
        rows = store._db.execute("SELECT met_utc_s, clip_utc_s, set_at_utc_s FROM meeting").fetchall()
    assert rows[0][1] == 0
    assert [(clip - met, met - at) for met, clip, at in rows[1:]] == [(2, DAY_S), (4, DAY_S)]


def test_a_reset_before_the_clip_wrote_down_when_it_was_set_makes_no_drift_up(tmp_path: Path) -> None:
    """Its clock survives the reset, and is 4 s fast after two days; the clip says that it was set four days ago."""
    path = tmp_path / "s.sqlite3"
    desk = Desk()
    fetch(DirectPort(desk), path, UTC_S)
    desk.record(300)  # with this commit the first setting is kept
    desk.handler.clock_s = UTC_S + 2 * DAY_S
    fetch(DirectPort(desk), path, UTC_S + 2 * DAY_S)
    desk = Desk(desk.banks)  # the reset; what was acknowledged was not written either
    assert desk.journal.head[j.J_CLOCK_SET_UTC_S] == UTC_S
    desk.handler.clock_s = UTC_S + 4 * DAY_S + 4
    clock = fetch(DirectPort(desk), path, UTC_S + 4 * DAY_S).clock
    assert clock is not None and (clock.off_s, clock.over_s) == (4, 2 * DAY_S)
    assert clock.seconds_a_day == pytest.approx(2.0)
    # Another computer cannot know, and tells what the clip says.
    desk = Desk(desk.banks)
    desk.handler.clock_s = UTC_S + 4 * DAY_S + 4
    other = fetch(DirectPort(desk), tmp_path / "other.sqlite3", UTC_S + 4 * DAY_S).clock
    assert other is not None and other.over_s == 4 * DAY_S


def test_a_loss_of_power_takes_the_clock_and_invents_neither_date_nor_drift(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    desk = Desk()
    fetch(DirectPort(desk), path, UTC_S)
    desk.record(300, utc_s=UTC_S + 100)
    desk = Desk(desk.banks)  # without a clock from here on
    seq = desk.journal.append(walk(400, 0, desk.journal.boot), None)
    desk.journal.commit(0, 500, True)
    clock = fetch(DirectPort(desk), path, UTC_S + 4 * DAY_S).clock
    assert clock is not None and not clock.was_set and clock.seconds_a_day is None
    with Store(path) as store:
        dated = {session["seq"]: begin_of(session) for session in store.sessions()}
    assert dated[1].source == "clock" and dated[1].utc_s == UTC_S + 100
    # Derived by the uptime of the very boot, or undated: never a date of the earlier boot's clock.
    assert dated[seq].source in ("derived", "undated") and (
        not dated[seq].utc_s or dated[seq].utc_s > UTC_S + 3 * DAY_S
    )
