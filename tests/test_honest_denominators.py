"""What was no walking adds no good minute anywhere: through the whole chain, from the sensor's registers to reports.

A virtual clip is walked with, put on a charger, laid into a drawer, and its sensor fails; then the ordinary download
and every report. The made-up wearer walks upright for a known time: no report may tell of more.
"""

import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console
from walktall import records as r
from walktall_host import digests, page, report, trace, weekly, weeks
from walktall_host.client import Client
from walktall_host.download import download
from walktall_host.figures import figures_of
from walktall_host.store import Session, Store
from walktall_host.track import Track, track_of

from tests.desk_device import UTC_S
from tests.host_clip import FakeTime
from tests.walking_board import Clip, Walker

BERLIN = ZoneInfo("Europe/Berlin")
NOW_S = float(UTC_S + r.EPOCH_UNIX_S)


class BoardPort:
    """The host's end of a virtual board's serial port; the board lives on while the host reads."""

    def __init__(self, clip: Clip) -> None:
        self.name = "board"
        self._clip = clip
        self._host = clip.port.host  # type: ignore[attr-defined]
        self._host.open()
        clip.run_for(0.2)

    def read(self, timeout_s: float) -> bytes:
        for _ in range(40):
            self._clip.step()
            if self._host.in_waiting:
                break
        return bytes(self._host.read(self._host.in_waiting))

    def write(self, data: bytes) -> None:
        self._host.write(data)

    def close(self) -> None:
        self._host.close()


@dataclass(frozen=True)
class Lived:
    """What a clip went through, and what the host has of it."""

    #: Seconds in which the made-up wearer walked; all upright.
    walked_s: int
    sessions: list[Session]
    tracks: list[Track | None]
    weeks: weeks.Weeks
    path: Path


def lived(path: Path, clip: Clip, walked_s: int) -> Lived:
    """Download what the clip holds, as `walktall download` does."""
    client = Client(BoardPort(clip), FakeTime())
    with Store(path) as store:
        download(client, client.hello(), store, lambda: NOW_S)
        sessions = store.sessions()
        tracks = [track_of(session, trace.session_rows(store, session)) for session in sessions]
        found = weeks.last_weeks(sessions, 4, digests.digests_of(store, sessions), BERLIN)
    assert found is not None
    return Lived(walked_s, sessions, tracks, found, path)


def charger(clip: Clip) -> int:
    """Four minutes of walking, then on the charger for longer than a session goes on there: a night is no more."""
    clip.run_until(START_S + 240)
    clip.supply.charging = True
    clip.run_for(800)
    clip.supply.charging = False
    return 240


def drawer(clip: Clip) -> int:
    """Four minutes of walking, then upright and still in a drawer, for longer than any session goes on there."""
    clip.run_until(START_S + 240 + 1000)
    return 240


def failed(clip: Clip) -> int:
    """Four minutes of walking, ten minutes of a frozen sensor in the midst of walking, one minute more."""
    clip.run_until(START_S + 240)
    clip.chip.freeze(True)
    clip.run_for(600)
    clip.chip.freeze(False)
    clip.run_for(60)
    return 240 + 60


START_S = 6
LIVES = {
    "charger": (charger, Walker(still=((0.0, 6.0), (246.0, 99999.0)))),
    "drawer": (drawer, Walker(still=((0.0, 6.0), (246.0, 99999.0)))),
    "failed sensor": (failed, Walker()),
}


@pytest.fixture(scope="module", params=LIVES)
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    live, walker = LIVES[request.param]
    clip = Clip(walker).calibrated()
    began = time.monotonic()
    walked_s = live(clip)
    print(f"{request.param}: {clip.clock.now_us / 1e6:.0f} s in {time.monotonic() - began:.1f} s")
    yield lived(tmp_path_factory.mktemp("life") / "s.sqlite3", clip, walked_s)


# What opens the walking gate and what ends it take some seconds: a walk may be told that much longer, never by minutes.
SLACK_S = 10


def test_no_report_tells_of_more_good_minutes_than_were_walked(life: Lived) -> None:
    assert life.sessions
    good_s = sum(session["good_s"] for session in life.sessions)
    walking_s = sum(session["walking_s"] for session in life.sessions)
    assert 0.8 * life.walked_s - 20 <= good_s <= life.walked_s + SLACK_S
    assert walking_s <= life.walked_s + SLACK_S
    assert sum(figures_of(session).judged_s for session in life.sessions) <= life.walked_s + SLACK_S
    assert sum(week.walking_s for week in life.weeks.weeks) == walking_s
    assert sum(week.good_s for week in life.weeks.weeks) == good_s
    assert sum(week.judged_s for week in life.weeks.weeks) <= life.walked_s + SLACK_S
    assert life.weeks.met == 0
    document = json.loads(json.dumps(weekly.document(life.weeks)))
    assert sum(week["good_s"] for week in document["weeks"]) == good_s


def test_each_second_worn_is_told_once_and_what_was_left_out_is_named(life: Lived) -> None:
    for session, track in zip(life.sessions, life.tracks, strict=True):
        figures = figures_of(session)
        assert not figures.inexact
        assert figures.judged_s + figures.left_out_s == session["wear_s"]
        text = page.walks_page([(session, track)], BERLIN)
        stream = io.StringIO()
        report.report(Console(file=stream, width=100), session, BERLIN, track)
        for part in figures.left_out:
            assert part.words in text
            assert part.words in stream.getvalue()


def test_the_trace_is_no_kinder_than_the_record(life: Lived) -> None:
    """The chart's good seconds, the best stretch and the lean by pace are of walking alone, too."""
    from walktall import events as e

    for session, track in zip(life.sessions, life.tracks, strict=True):
        assert track is not None
        good_s = sum(end - begin for begin, end, value in track.runs if value == e.CLASS_GOOD)
        assert good_s <= session["good_s"] + 2
        counted = sum(n for band in track.histogram.seconds.values() for n in band.values())
        assert counted <= life.walked_s + SLACK_S
        assert session["longest_good_s"] <= life.walked_s + SLACK_S
