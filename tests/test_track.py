"""What a trace shows: each buzz with its outcome, lean by cadence, the best stretch; what it lacks is told."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from walktall import events as e
from walktall_host import digests, trace, words
from walktall_host.client import Sent
from walktall_host.store import Session, Store
from walktall_host.terminal import duration
from walktall_host.track import (
    ANSWERED,
    DIGEST_LAYOUT,
    IGNORED,
    UNDECIDED,
    Histogram,
    Track,
    digest,
    histogram_from,
    track_of,
)

from tests import made_trace
from tests.made_trace import Second, blocks, hello_of, plain_walk, record_of, slot_of

NOW_S = 194_486_400


def stored(path: Path, walk: Sequence[Second], lost: Sequence[int] = (), **values: int) -> tuple[Session, Store]:
    """A store with one walk, less the blocks that are lost."""
    store = Store(path)
    hello = hello_of()
    journal = store.meet(hello, NOW_S)
    fields = record_of(walk, seq=1, start_uptime_s=40, start_utc_s=NOW_S - 9000, **values)
    store.keep(journal, [Sent(1, True, slot_of(fields))], hello, NOW_S)
    found = blocks(walk, start_uptime_s=40)
    ring = store.meet_ring(journal, made_trace.RING_ID, NOW_S)
    store.keep_blocks(ring, {number: raw for number, raw in found.items() if number not in lost})
    (session,) = store.sessions()
    return session, store


def track(path: Path, walk: Sequence[Second], lost: Sequence[int] = ()) -> Track:
    session, store = stored(path, walk, lost)
    with store:
        found = track_of(session, trace.session_rows(store, session))
    assert found is not None
    return found


def buzzing(*marks: tuple[int, int, int, int, int, int]) -> list[Second]:
    """A walk of two minutes with events: (second, tick, code, fault, label, value)."""
    walk = plain_walk(120)
    for at, *mark in marks:
        walk[at].marks.append(tuple(mark))  # type: ignore[arg-type]
    return walk


BUZZ = (1, e.BUZZ, e.FORWARD, e.SLOUCH, 1500)


@pytest.mark.parametrize(
    ("marks", "outcomes"),
    [
        ([(30, *BUZZ), (36, 1, e.RECOVERED, e.FORWARD, 0, 24)], [(ANSWERED, 6.0)]),
        ([(30, *BUZZ), (45, *BUZZ), (50, 1, e.RECOVERED, e.FORWARD, 0, 20)], [(IGNORED, None), (ANSWERED, 5.0)]),
        ([(30, *BUZZ), (55, 1, e.RECOVERED, e.FORWARD, 0, 100)], [(IGNORED, None)]),
        ([(30, *BUZZ), (40, 0, e.STOPPED, 0, 0, 0)], [(UNDECIDED, None)]),
        ([(30, *BUZZ), (33, 0, e.WRONG, 0, 0, 0)], [(UNDECIDED, None)]),
        ([(112, *BUZZ)], [(UNDECIDED, None)]),
        ([(30, *BUZZ)], [(IGNORED, None)]),
        ([(50, 1, e.RECOVERED, e.FORWARD, 0, 8)], []),
    ],
)
def test_a_buzz_comes_out_as_the_firmware_counts_it(
    tmp_path: Path, marks: list[tuple[int, int, int, int, int, int]], outcomes: list[tuple[str, float | None]]
) -> None:
    found = track(tmp_path / "s.sqlite3", buzzing(*marks))
    assert [(buzz.outcome, buzz.answer_s) for buzz in found.buzzes] == outcomes
    assert all((buzz.fault, buzz.label) == ("forward", "SLOUCH") for buzz in found.buzzes)


def test_each_second_of_the_trace_is_in_one_run_and_lost_blocks_leave_a_gap(tmp_path: Path) -> None:
    walk = plain_walk(600, leans=((200, 230),))
    whole = track(tmp_path / "whole.sqlite3", walk)
    assert (whole.length_s, whole.missing_s) == (600, 0)
    assert sum(end - begin for begin, end, _ in whole.runs) == 600
    assert len(whole.columns) == 1
    session, store = stored(tmp_path / "torn.sqlite3", walk, lost=(4, 5))
    with store:
        torn = track_of(session, trace.session_rows(store, session))
        told = trace.told_of(store, session)
    assert torn is not None
    assert torn.length_s == 600
    assert torn.missing_s == told.missing_s > 20
    assert sum(end - begin for begin, end, _ in torn.runs) == 600 - torn.missing_s
    assert len(torn.columns) == 2
    assert torn.columns[0][-1].end_s + torn.missing_s == torn.columns[1][0].begin_s
    assert f"lacks {duration(torn.missing_s)}" in " ".join(words.trace_remarks(session, torn))


def test_seconds_without_sensor_data_have_no_angle(tmp_path: Path) -> None:
    walk = plain_walk(300)
    for second in walk[100:130]:
        second.second_class = e.CLASS_GAP
    found = track(tmp_path / "s.sqlite3", walk)
    assert not [c for piece in found.columns for c in piece if c.end_s > 100 and c.begin_s < 130]
    assert (100, 130, e.CLASS_GAP) in found.runs
    assert sum(n for counted in found.histogram.seconds.values() for n in counted.values()) == 300 - 30 - 8


def test_the_longest_good_stretch_is_where_it_was(tmp_path: Path) -> None:
    walk = plain_walk(600, leans=((100, 130), (400, 430)))
    # A pause: left out, but no fault breaks the stretch, as the firmware counts it.
    for second in walk[200:220]:
        second.second_class = e.CLASS_STILL
    found = track(tmp_path / "s.sqlite3", walk)
    assert found.longest_good == (130, 400)
    assert words.longest_words(found) == "between 2:10 and 6:40"


def test_a_long_walk_has_no_more_columns_than_a_screen_shows(tmp_path: Path) -> None:
    found = track(tmp_path / "s.sqlite3", plain_walk(4000))
    assert sum(len(piece) for piece in found.columns) <= 601
    assert found.columns[0][0].begin_s == 0
    assert found.columns[-1][-1].end_s == 4000


def test_a_digest_is_kept_until_other_blocks_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walk = plain_walk(600, leans=((200, 230),))
    session, store = stored(tmp_path / "s.sqlite3", walk, lost=(4,))
    with store:
        first = digests.digests_of(store, [session])
        assert first[session.number]["missing_s"] > 0
        assert store.digests(DIGEST_LAYOUT)
        read = 0

        def counted(*_: object) -> None:
            nonlocal read
            read += 1

        again = digests.digests_of(store, [session], counted)
        assert (dict(again[session.number]), read) == (dict(first[session.number]), 0)
        ring = store.meet_ring(store.meet(hello_of(), NOW_S), made_trace.RING_ID, NOW_S)
        store.keep_blocks(ring, {4: blocks(walk, start_uptime_s=40)[4]})
        assert digests.digests_of(store, [session], counted)[session.number]["missing_s"] == 0
        assert read > 0


def test_a_digest_gives_back_its_histogram(tmp_path: Path) -> None:
    found = track(tmp_path / "s.sqlite3", plain_walk(900))
    plain = digest(found)
    assert histogram_from(plain["bands"]).seconds == found.histogram.seconds  # type: ignore[arg-type]
    assert len(str(plain)) < 2000


@given(pitches=st.lists(st.integers(-9000, 9000), min_size=30, max_size=200))
def test_quarters_lie_in_order_and_within_what_was_measured(pitches: list[int]) -> None:
    histogram = Histogram()
    for pitch in pitches:
        histogram.add(105, pitch)
    (band,) = histogram.bands()
    assert band.seconds == len(pitches)
    assert band.lower_deg <= band.middle_deg <= band.upper_deg
    assert max(-61, min(pitches) / 100 - 1) <= band.lower_deg and band.upper_deg <= min(61, max(pitches) / 100 + 1)


def test_a_trace_of_nonsense_draws_something_or_nothing_but_never_fails(tmp_path: Path, seed: int) -> None:
    import random

    chance = random.Random(seed)
    for n in range(20):
        walk = plain_walk(60, seed=n)
        for second in walk:
            ticks = [chance.randrange(-1800, 1800) * 10 for _ in range(4)]
            second.pitch_cdeg = (ticks[0], ticks[1], ticks[2], ticks[3])
            second.second_class = chance.randrange(1, 14)
            second.cadence_spm = chance.randrange(256)
            if chance.random() < 0.3:
                second.marks.append(
                    (chance.randrange(4), chance.randrange(32), chance.randrange(8), chance.randrange(32), -32768)
                )
        found = track(tmp_path / f"{n}.sqlite3", walk)
        assert words.pitch_words(found)
        assert digest(found)
