"""The report: every second in its place, nothing claimed that the clip cannot know, times right in every zone."""

import io
import re
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from walktall import meanings
from walktall import records as r
from walktall_host import figures, report
from walktall_host.store import Session
from walktall_host.terminal import count, duration, safe, write_lines

from tests.desk_device import DAY_S, UTC_S, walk

#: 2026-01-01 00:00 UTC.
NEW_YEAR_S = 2192 * DAY_S
BERLIN = ZoneInfo("Europe/Berlin")


def session_of(wear_s: int = 600, utc_s: int = UTC_S, **values: int) -> Session:
    names = [row[0] for row in r.SESSION_FIELDS]
    fields = walk(wear_s, utc_s, **values)
    return Session(7, bytes(range(8)), b"jour", dict(zip(names, fields, strict=True)), True, UTC_S + 9000, 1, 9000)


def text_of(session: Session, zone: ZoneInfo = BERLIN, width: int = 100, terminal: bool = False) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=terminal, color_system=None, highlight=False)
    report.report(console, session, zone)
    return stream.getvalue()


CLASSES = [r.SESSION_FIELDS[r.S_CLASS_BASE + c][0] for c in range(1, r.S_CLASS_COUNT + 1)]


@given(seconds=st.lists(st.integers(0, 9000), min_size=r.S_CLASS_COUNT, max_size=r.S_CLASS_COUNT))
def test_every_second_worn_stands_in_exactly_one_line(seconds: list[int]) -> None:
    session = session_of(sum(seconds), **dict(zip(CLASSES, seconds, strict=True)))
    found = figures.figures_of(session)
    assert found.judged_s + found.left_out_s == found.worn_s == sum(seconds)
    assert sum(part.seconds for part in found.left_out) == found.left_out_s
    assert not found.inexact
    if any(seconds):
        assert sum(part.pct for part in found.judged) + found.left_out_pct == 100
    assert (found.upright_pct is None) == (sum(seconds[:4]) == 0)


@given(seconds=st.lists(st.integers(0, 10**6), max_size=14))
def test_percents_add_up_and_hide_nothing(seconds: list[int]) -> None:
    shares = figures.percents(seconds)
    assert sum(shares) == (100 if any(seconds) else 0)
    assert all(share > 0 for share, s in zip(shares, seconds, strict=True) if s)
    assert all(share == 0 for share, s in zip(shares, seconds, strict=True) if not s)


def test_every_class_of_seconds_has_a_walkers_word() -> None:
    assert set(figures._WORDS) == set(CLASSES)
    assert figures.words_of("brisk_s") == meanings.SESSION["brisk_s"]


def test_a_night_on_the_charger_is_not_good_posture() -> None:
    text = text_of(session_of(28800, good_s=0, charging_s=28800, walking_s=0, steps=0))
    assert "Nothing could be judged in 8 h 00 min" in text
    assert re.search(r"upright +0 s +0 %", text)
    assert re.search(r"on the charger +8 h 00 min +100 %", text)


def test_almost_all_is_not_all_and_almost_nothing_is_not_nothing() -> None:
    assert figures.figures_of(session_of(9999, good_s=9998, forward_s=1)).upright_pct == 99
    assert figures.figures_of(session_of(9999, good_s=1, forward_s=9998)).upright_pct == 1
    assert figures.figures_of(session_of(9999)).upright_pct == 100


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("width", [120, 80, 70, 60, 45])
def test_no_figure_is_cut_on_a_narrow_terminal(width: int, terminal: bool) -> None:
    """A bar is as wide as there is room for, and rather none than half of one."""
    session = session_of(9000, good_s=7000, forward_s=1500, still_s=500, unsure_s=0)
    text = text_of(session, width=width, terminal=terminal)
    assert "…" not in text
    assert all(len(line) <= width for line in text.splitlines())
    assert re.search(r"upright +1 h 56 min +78 %", text)
    assert re.search(r"worn +2 h 30 min +100 %", text)
    bars = re.findall(r"%  (█+)", text)
    assert bool(bars) is (terminal and width >= 60)
    assert not bars or len(bars[0]) >= 6


def test_a_full_counter_is_told() -> None:
    session = session_of(600, good_s=500, flags=r.FLAG_SATURATED)
    assert "do not add up" in text_of(session)


def test_the_report_says_how_sure_it_is_and_what_it_cannot_see() -> None:
    text = " ".join(text_of(session_of()).split())
    for words in ("±3°", "cannot see", "head", "does not diagnose or treat"):
        assert words in text
    for claim in ("cure", "healthy", "heal ", "therapy", "risk"):
        assert claim not in text


def test_faults_by_kind_buzzes_and_answers_are_there() -> None:
    text = text_of(
        session_of(
            lean_events=2,
            slouch_events=1,
            unsure_events=1,
            back_events=3,
            side_events=5,
            buzzes=9,
            answered=6,
            ignored=1,
            answer_mean_ds=24,
        )
    )
    for line in (
        r"forward +4: 2 leans, 1 slouch, 1 unsure",
        r"back +3",
        r"to a side +5",
        r"buzzes +9: 6 answered, 1 not answered, 2 undecided",
        r"time to correct +2\.4 s",
    ):
        assert re.search(line, text), line


def test_one_kind_of_fault_is_not_counted_twice_in_words() -> None:
    assert re.search(r"forward +2 slouches\n", text_of(session_of(slouch_events=2)))
    assert re.search(r"forward +0\n", text_of(session_of()))


def test_an_undated_session_says_so_and_what_is_known() -> None:
    text = " ".join(text_of(session_of(utc_s=0, boot=4, start_uptime_s=360)).split())
    assert "Undated walk" in text
    assert "boot 4, 6 min 00 s after it started, and before 2026-03-01 13:30" in text


def test_a_derived_date_says_so() -> None:
    text = text_of(session_of(utc_s=0, boot=1, start_uptime_s=5400))
    assert "Walk of Sunday 1 March 2026, 12:30 to 12:40" in text
    assert "counted back from the download" in text
    assert "counted back" not in text_of(session_of())


@pytest.mark.parametrize(
    ("utc_s", "wear_s", "heading"),
    [
        # 2026-07-01 10:00 UTC is noon in Berlin's summer, 2026-01-01 10:00 UTC is 11:00 in its winter.
        (NEW_YEAR_S + 181 * DAY_S + 36000, 600, "Walk of Wednesday 1 July 2026, 12:00 to 12:10"),
        (NEW_YEAR_S + 36000, 600, "Walk of Thursday 1 January 2026, 11:00 to 11:10"),
        # The night of 2026-03-29: 02:00 does not exist; the clock jumps from 01:59 to 03:00.
        (NEW_YEAR_S + 87 * DAY_S + 3000, 1200, "Walk of Sunday 29 March 2026, 01:50 (UTC+0100) to 03:10 (UTC+0200)"),
        # The night of 2026-10-25: 02:30 comes twice.
        (NEW_YEAR_S + 297 * DAY_S + 1800, 3600, "Walk of Sunday 25 October 2026, 02:30 (UTC+0200) to 02:30 (UTC+0100)"),
        (NEW_YEAR_S + 36000 + 46000, 3600, "Walk of Thursday 1 January 2026, 23:46 to 00:46 the next day"),
    ],
)
def test_times_are_the_walkers_own_on_every_day_of_the_year(utc_s: int, wear_s: int, heading: str) -> None:
    assert report.heading(session_of(wear_s, utc_s), BERLIN) == heading


def test_merged_short_walks_claim_no_end() -> None:
    assert (
        report.heading(session_of(merged_walks=3), BERLIN) == "Short walks of Sunday 1 March 2026, the first at 11:00"
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"discomfort_marks": 1, "calibration_quality": 80}, "see a doctor"),
        ({"slips": 1, "calibration_quality": 80}, "slipped"),
        ({"calibration_quality": 0}, "stand tall"),
        ({"calibration_quality": 80, "good_s": 500, "gap_s": 100}, "sensor data"),
        ({"calibration_quality": 80, "good_s": 300, "forward_s": 300}, "look ahead"),
        ({"calibration_quality": 80, "upright_first_pct": 95, "upright_last_pct": 60}, "towards the end"),
        ({"calibration_quality": 80, "brisk_s": 300, "pitch_brisk_cdeg": 700, "pitch_slow_cdeg": 100}, "faster"),
        ({"calibration_quality": 80, "buzzes": 4, "ignored": 4}, "unanswered"),
        ({"calibration_quality": 80, "wrong_marks": 3}, "wrong"),
    ],
)
def test_advice_follows_from_the_figures(values: dict[str, int], words: str) -> None:
    lines = figures.figures_of(session_of(**values)).advice
    assert len(lines) == 1
    assert words in lines[0]
    assert len(lines[0]) <= 120


def test_a_good_walk_gets_no_advice() -> None:
    assert figures.figures_of(session_of(calibration_quality=90)).advice == []


def test_flags_that_matter_are_told_in_words() -> None:
    text = text_of(session_of(flags=r.FLAG_CUT | r.FLAG_SENSOR))
    assert "Ended by a loss of power" in text
    assert "The sensor failed for a part of it." in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal_and_none_ends_in_spaces_in_a_pipe(width: int) -> None:
    session = session_of(
        3000, good_s=100, unsure_s=2900, lean_events=1, buzzes=5, answered=1, on_deg=12, off_deg=8, hold_s=10
    )
    for terminal in (False, True):
        lines = text_of(session, width=width, terminal=terminal).splitlines()
        assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines) <= max(width, 48)
        if not terminal:
            assert not [line for line in lines if line != line.rstrip()]
            assert "\x1b" not in "".join(lines)
            assert "█" not in "".join(lines)


def test_the_table_of_sessions_fits_eighty_columns() -> None:
    stream = io.StringIO()
    sessions = [session_of(5999, steps=12345), session_of(64800, utc_s=0, boot=9), session_of(30, utc_s=0)]
    write_lines(Console(file=stream, width=80), report.list_sessions(sessions, BERLIN))
    lines = stream.getvalue().splitlines()
    assert max(len(line) for line in lines) <= 80
    assert "12345" in lines[1]
    assert "undated" in lines[2]
    assert "18:00 h" in lines[2]
    assert "~2026-03-01 11:00" in lines[3]


def test_json_carries_the_stored_integers_and_what_was_derived() -> None:
    found = report.document(session_of(forward_s=60, good_s=540, flags=r.FLAG_CUT), BERLIN)
    assert {row[0] for row in r.SESSION_FIELDS} <= set(found)
    assert found["begin"] == "2026-03-01T11:00:00+01:00"
    assert found["upright_pct"] == 90
    assert found["flag_names"] == ["cut"]


def test_texts_from_outside_cannot_act_on_the_terminal() -> None:
    hostile = "ok\x1b]0;title\x07\r\n\x9b31m\u202eevil\u2028\u200b\ue000[bold]x[/bold]"
    shown = safe(hostile)
    assert shown.isprintable()
    assert len(safe("x" * 5000)) == 120
    assert safe("Müller-Clip №7 ✓") == "Müller-Clip №7 ✓"


def test_durations_and_counts_read_as_people_say_them() -> None:
    assert [duration(s) for s in (0, 59, 60, 725, 3600, 3725)] == [
        "0 s", "59 s", "1 min 00 s", "12 min 05 s", "1 h 00 min", "1 h 02 min",
    ]  # fmt: skip
    assert (count(1, "buzz", "buzzes"), count(2, "buzz", "buzzes"), count(1204, "step")) == (
        "1 buzz",
        "2 buzzes",
        "1,204 steps",
    )
