"""Weeks: the goal, trends and the walker's own trial say what the figures carry, and no more."""

import io
import itertools
import random
import re
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console
from walktall import records as r
from walktall_host import advice, charts, page, weekly, weeks, words
from walktall_host.store import Session
from walktall_host.trace import Row
from walktall_host.track import Histogram

from tests.desk_device import DAY_S, UTC_S
from tests.made_trace import record_of

BERLIN = ZoneInfo("Europe/Berlin")
#: Sunday 1 March 2026, 11:00 in Berlin, is a day before a Monday.
MONDAY = date(2026, 3, 2)


def session(day: int, walking_s: int = 1800, **values: int) -> Session:
    """A walk that began so many days after Monday 2 March 2026 at 11 o'clock."""
    fields = record_of([]) | {
        "wear_s": walking_s,
        "good_s": walking_s,
        "walking_s": walking_s,
        "start_utc_s": UTC_S + (day + 1) * DAY_S,
        "calibration_quality": 90,
    }
    return Session(day + 100, b"\x3f" * 8, b"jour", fields | values, True, UTC_S + 400 * DAY_S, 9, 5)


def weeks_of(*sessions: Session, count: int = 12) -> weeks.Weeks:
    found = weeks.last_weeks(sessions, count, {}, BERLIN)
    assert found is not None
    return found


def test_weeks_begin_on_monday_in_the_walkers_zone() -> None:
    # Sunday 8 March, 23:30 UTC, is Monday in Berlin.
    late = session(6, start_utc_s=UTC_S + 7 * DAY_S + 13 * 3600 + 1800)
    found = weeks_of(session(0), session(6), late)
    assert [week.monday for week in found.weeks] == [MONDAY, date(2026, 3, 9)]
    assert [week.walks for week in found.weeks] == [2, 1]


def test_only_the_last_weeks_are_shown_and_walks_without_a_date_are_told() -> None:
    found = weeks_of(session(0), session(70), session(71, start_utc_s=0), count=2)
    assert [week.monday for week in found.weeks] == [date(2026, 5, 4), date(2026, 5, 11)]
    assert (len(found.sessions), found.undated) == (1, 1)
    assert weeks.last_weeks([session(0, start_utc_s=0)], 3, {}, BERLIN) is None


def test_the_goal_counts_days_with_half_an_hour_not_walks() -> None:
    two_halves = [session(0, 900), session(0, 901)]
    short = [session(k, 1799) for k in (2, 4)]
    assert not weeks_of(*two_halves, *short).weeks[0].met
    long = [session(k, 1800) for k in (2, 4)]
    found = weeks_of(*two_halves, *long)
    assert found.weeks[0].goal_days == 3
    assert found.met == 1
    assert "reached in 1 of 1 week" in words.goal_words(found)


def test_charging_and_drawers_add_no_minutes_and_no_upright_share() -> None:
    found = weeks_of(
        session(0, 0, wear_s=28800, charging_s=28800),
        session(1, 0, wear_s=3600, off_body_s=3600),
        session(2, 0, wear_s=3600, gap_s=3600),
    )
    (week,) = found.weeks
    assert (week.walking_s, week.judged_s, week.good_s, week.goal_days) == (0, 0, 0, 0)
    assert week.upright is None
    assert found.upright.points == []


def test_a_trend_is_told_only_when_its_interval_leaves_zero_out() -> None:
    rising = [session(7 * k, good_s=1000 + 80 * k, forward_s=800 - 80 * k) for k in range(8)]
    told = words.trend_conclusion(weeks_of(*rising).upright, "the upright share", "points", 100, True, "walking")
    assert (told.verdict, "rises" in told.text) == ("better", True)
    chance = random.Random(3)
    flat = []
    for k in range(8):
        bad = chance.randrange(100, 700)
        flat.append(session(7 * k, good_s=1800 - bad, forward_s=bad))
    told = words.trend_conclusion(weeks_of(*flat).upright, "the upright share", "points", 100, True, "walking")
    assert told.verdict == "open"
    assert "cannot be concluded" in told.text
    still = weeks_of(*[session(7 * k, good_s=1700, forward_s=100) for k in range(8)])
    told = words.trend_conclusion(still.upright, "the upright share", "points", 100, True, "walking")
    assert told.text == "The upright share does not change."
    told = words.trend_conclusion(weeks_of(*rising[:4]).upright, "it", "points", 100, True, "walking")
    assert told.verdict == "few"


def test_fewer_and_fewer_answers_are_called_habituation_and_advised_on() -> None:
    found = weeks_of(*[session(7 * k, buzzes=10, answered=9 - k, ignored=1 + k, answer_mean_ds=40) for k in range(8)])
    told = words.habit_conclusion(found)
    assert told.verdict == "worse"
    assert "used to the buzz" in told.text
    assert "habit" in {line.key for line in advice.for_weeks(found)}
    steady = weeks_of(*[session(7 * k, buzzes=10, answered=8, ignored=2) for k in range(8)])
    assert "habit" not in {line.key for line in advice.for_weeks(steady)}


def trial_walk(day: int, silent_share: float, buzzing_share: float, buzzing_s: int = 0) -> Session:
    silent, rest = 900, 900
    silent_forward = round(silent * silent_share)
    # Of the buzzing blocks' fault, what the motor shook is in no judged class.
    forward = silent_forward + round(rest * buzzing_share) - buzzing_s
    return session(
        day,
        silent + rest,
        coaching=2,
        silent_s=silent,
        silent_forward_s=silent_forward,
        forward_s=forward,
        good_s=silent + rest - buzzing_s - forward,
        buzzing_s=buzzing_s,
        buzzes=3,
    )


@pytest.mark.parametrize(
    ("shares", "verdict", "told"),
    [
        ([(0.3, 0.1)] * 5, "few", "Cannot be concluded yet: 5 of at least 6"),
        ([(0.3, 0.1 + 0.01 * k) for k in range(8)], "better", "The buzz helps you"),
        ([(0.1, 0.3 + 0.01 * k) for k in range(8)], "worse", "does not help"),
        ([(0.2, 0.2 + 0.05 * (k % 3 - 1)) for k in range(12)], "open", "Cannot be concluded: over 12 walks"),
    ],
)
def test_the_trial_says_what_can_be_concluded(shares: list[tuple[float, float]], verdict: str, told: str) -> None:
    found = weeks_of(*[trial_walk(k, *pair) for k, pair in enumerate(shares)])
    conclusion = words.trial_conclusion(found.trial)
    assert conclusion is not None
    assert (conclusion.verdict, told in conclusion.text) == (verdict, True), conclusion.text


def test_buzzing_cannot_look_better_by_hiding_its_own_seconds() -> None:
    # As much forward on both sides, a part of it hidden by the motor's shaking: no effect.
    found = weeks_of(*[trial_walk(k, 0.2, 0.2, buzzing_s=60) for k in range(8)])
    assert found.trial.differences == pytest.approx([0.0] * 8)


def test_a_trial_walk_with_too_little_of_one_side_or_other_settings_is_not_used() -> None:
    short = session(0, coaching=2, silent_s=100, silent_forward_s=50)
    changed = session(1, coaching=2, silent_s=900, flags=r.FLAG_SETTINGS)
    desk = session(2, coaching=2, silent_s=900, mode=1)
    trial = weeks_of(short, changed, desk).trial
    assert (trial.walks, trial.differences, trial.effect) == (2, [], None)


def test_nobody_is_told_of_a_trial_that_they_did_not_ask_for() -> None:
    found = weeks_of(*[session(k, buzzes=2, answered=2) for k in range(7)])
    assert words.trial_conclusion(found.trial) is None
    assert "try" in {line.key for line in advice.for_weeks(found)}


def test_lean_with_pace_needs_walks_that_have_both() -> None:
    fast = [session(k, brisk_s=900, pitch_slow_cdeg=100, pitch_brisk_cdeg=400 + 10 * k) for k in range(7)]
    found = weeks_of(*fast)
    assert words.pace_conclusion(found).short == "further forward"
    assert "pace" in {line.key for line in advice.for_weeks(found)}
    assert words.pace_conclusion(weeks_of(*fast[:3])).verdict == "few"
    assert weeks_of(session(0, brisk_s=1800, pitch_brisk_cdeg=900)).pace == []


def test_no_label_below_a_chart_of_weeks_runs_into_its_neighbour() -> None:
    """On a telephone, where 17 rem of 16 pixels are left for a chart; widths as a browser draws the words."""
    for n in range(1, 601):
        some = weeks_of(session(7 * (n - 1)), session(0), count=n).weeks
        assert len(some) == n
        wide = 59 if n > 80 else 42
        at = [float(x.rstrip("%")) / 100 * 270 for x, _, _ in charts.week_ticks(some)]
        assert {anchor for _, _, anchor in charts.week_ticks(some)} == {"middle"}
        assert all(later - earlier > wide for earlier, later in itertools.pairwise(at)), n
        # Half of the first and of the last may stand over the edge, which is 16 pixels from the card's.
        assert wide / 2 - at[0] < 18 and at[-1] + wide / 2 - 270 < 18, n


@pytest.mark.parametrize(("n", "bare"), [(100, 0), (101, 101)])
def test_the_rims_of_many_dots_do_not_hide_the_curve(n: int, bare: int) -> None:
    found = weeks_of(*[session(7 * k, buzzes=1500, answered=700, ignored=500) for k in range(n)], count=n)
    made = page.weeks_page(found, {})
    assert made.count('class="dot bare"') == 3 * bare  # upright, answers, times
    # Thousands stand in one form.
    answered, decided = f"{700 * n:,}", f"{1200 * n:,}"
    assert f"In all {answered} of {decided} were answered" in made
    assert f"{1500 * n:,}" in made
    told = replace(found, traced=1825)
    assert "1,825 with a trace" in page.weeks_page(told, {})
    assert any("1,825 with a trace" in str(block) for block in weekly.blocks(told, None))


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("width", [120, 80, 70, 60])
def test_no_figure_of_a_week_is_cut_on_a_narrow_terminal(width: int, terminal: bool) -> None:
    # 24 walks in one week: the widest figures that the columns meet.
    found = weeks_of(*[session(k % 7, buzzes=2, answered=1, ignored=1, steps=3456) for k in range(24)])
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=terminal, color_system=None, highlight=False)
    for block in weekly.blocks(found, width if terminal else None):
        console.print(block)
    text = stream.getvalue()
    assert "…" not in text
    row = next(line for line in text.splitlines() if re.match(r"2026-\d\d-\d\d", line))
    walked = f"{round(found.weeks[-1].walking_s / 60)} min"
    for figure in (walked, "50 %", f"{24 * 3456:,}"):
        assert figure in row
    # Not below six cells: then none. Where there is room, the bar of the week in which most was walked is the whole.
    bar = row.count("█")
    assert (bar >= 6) is (terminal and width >= 70)
    assert bar in (0, *range(6, 21))
    assert len(row.rstrip()) <= width


def test_weeks_as_json_are_whole_and_plain() -> None:
    import json

    document = weekly.document(weeks_of(*[trial_walk(k, 0.3, 0.1 + 0.01 * k) for k in range(8)]))
    assert json.loads(json.dumps(document)) == document
    assert document["trial"]["conclusion"] == "better"  # type: ignore[index]
    assert document["trial"]["walks_used"] == 8  # type: ignore[index]


def test_bands_of_many_walks_add_up() -> None:
    one, other = Histogram(), Histogram()
    for k in range(60):
        one.add(95, 100 * (k % 5))
        other.add(95, 100 * (k % 5))
        other.add(125, 1000)
    one.merge(other)
    assert [(band.words, band.seconds) for band in one.bands()] == [("90 to 99", 120), ("120 to 129", 60)]
    assert one.bands()[0].middle_deg == pytest.approx(2.0, abs=0.1)


def test_advice_names_its_sources_and_every_source_is_used() -> None:
    lines = [*advice.FOR_A_WALK, *advice.FOR_WEEKS.values()]
    used = {key for line in lines for key in line.sources} | {key for *_, keys in advice.UNSEEN for key in keys}
    assert used == set(advice.SOURCES)
    assert all(len(line.words) <= 120 for line in lines)
    assert len({line.key for line in advice.FOR_A_WALK}) == len(advice.FOR_A_WALK)


def test_a_year_of_daily_walks_is_a_small_page_quickly_made() -> None:
    """`make bench-host` times it as a walker does; this keeps it from growing."""
    import time

    from walktall_host import page
    from walktall_host.track import digest, track_of

    from tests.made_pages import full_walk

    rows = [
        Row(
            1,
            at,
            second.pitch_cdeg,
            (0, 0, 0, 0),
            250,
            second.cadence_spm,
            second.second_class,
            True,
            False,
            False,
            False,
            (),
        )
        for at, second in enumerate(full_walk())
    ]
    year = [session(k, buzzes=6, answered=5, ignored=1, brisk_s=900, pitch_brisk_cdeg=k) for k in range(365)]
    track = track_of(year[0], rows)
    assert track is not None
    digests = {each.number: digest(track) for each in year}
    began = time.process_time()
    found = weeks.last_weeks(year, 53, digests, BERLIN)
    assert found is not None
    text = page.weeks_page(found, digests, BERLIN)
    assert time.process_time() - began < 3
    assert len(text.encode()) < 2_000_000
    assert text.count('<tr><th scope="row">2') == 365


@pytest.mark.parametrize("n", [1, 2, 6, 7, 8, 13, 53, 260])
def test_dates_below_a_chart_have_room_on_a_telephone(n: int) -> None:
    """330 pixels, of which a date takes 45."""
    from walktall_host.charts import week_ticks

    ticks = week_ticks([weeks.Week(MONDAY + timedelta(weeks=k)) for k in range(n)])
    at = [float(position.rstrip("%")) * 3.3 for position, _, _ in ticks]
    assert all(b - a >= 45 for a, b in itertools.pairwise(at))
    assert len(ticks) >= min(n, 4)
