"""Coaching on the virtual board: faded, silent blocks of a trial, a beginner's limit, cues, hill mode, off the body."""

from __future__ import annotations

import itertools

import pytest
from walktall import buzz, events, journal
from walktall import records as r
from walktall import settings as s

from tests.walking_board import Clip, Walker

DAY_S = 86400
UTC_S = 200_000_000


def worn(walker: Walker, days: int | None = None, seed: int = 7, **changes: int) -> Clip:
    """A calibrated clip with these settings, first worn some days ago (None: it knows no clock)."""
    settings = s.Settings()
    for name, value in changes.items():
        assert settings.set(name, value), settings.why
    clip = Clip(walker, boot=False, settings=settings, seed=seed)
    if days is not None:
        clip.rtc.utc_s = UTC_S
    clip.boot()
    if days is not None:
        clip.device.journal.head[journal.J_FIRST_UTC_S] = UTC_S - days * DAY_S
    return clip.calibrated()


def leaning(count: int, every_s: float = 45.0, deg: float = 20.0, first_s: float = 40.0) -> Walker:
    """Walks from 6 s on, and leans for 16 s ever so often."""
    return Walker(leans=tuple((first_s + every_s * k, first_s + every_s * k + 16, deg) for k in range(count)))


def buzzed_leans(clip: Clip, count: int, every_s: float = 45.0, first_s: float = 40.0) -> list[int]:
    """1 for each lean in which the motor ran, else 0."""
    zero = clip.chip.time_of_sample_us(0) / 1e6
    starts = [at / 1e6 - zero for at, duty in clip.edges if duty]
    return [
        int(any(begin <= at < begin + every_s for at in starts))
        for begin in [first_s + every_s * k for k in range(count)]
    ]


# ---- faded ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coaching", "days", "expected"),
    [
        ("every", 100, [1, 1, 1, 1, 1, 1]),
        ("faded", 0, [1, 1, 1, 1, 1, 1]),
        ("faded", 6, [1, 1, 1, 1, 1, 1]),
        ("faded", 7, [1, 1, 0, 1, 1, 0]),
        ("faded", None, [1, 1, 1, 1, 1, 1]),
    ],
)
def test_faded_after_a_week_two_of_three_are_buzzed(coaching: str, days: int | None, expected: list[int]) -> None:
    value = s.parse_text("coaching", coaching)
    clip = worn(leaning(6), days, coaching=value, spacing_s=0, repeat1_s=30)
    clip.run_until(320)
    assert buzzed_leans(clip, 6) == expected
    assert clip.field("coaching") == value
    assert clip.field("buzzes") == sum(expected)
    assert clip.field("lean_events") == 6  # withheld or not, it was a fault
    assert clip.honest()


# ---- the first day ---------------------------------------------------------------------------------------------------


def test_the_first_session_with_a_clock_is_day_nought_and_is_kept_with_its_record() -> None:
    clip = Clip(Walker(), boot=False)
    clip.boot()
    clip.calibrated()
    clip.run_until(30)
    assert clip.device.session.open
    assert clip.device.journal.head[journal.J_FIRST_UTC_S] == 0
    clip.power_cut()
    clip.rtc.utc_s = UTC_S
    clip.boot()
    clip.calibrated()
    clip.run_for(200)
    first = clip.device.journal.head[journal.J_FIRST_UTC_S]
    assert UTC_S <= first <= UTC_S + 2
    clip.hello()
    clip.power_cut()
    clip.rtc.utc_s = UTC_S + 15 * DAY_S + 60
    clip.boot()
    clip.calibrated()
    clip.run_for(3)
    assert clip.device.session.open
    assert clip.device.journal.head[journal.J_FIRST_UTC_S] == first
    assert clip.device.chain.coach.day == 15


def test_a_clock_before_the_first_day_counts_as_none() -> None:
    clip = worn(Walker(), -3)
    clip.run_until(3)
    assert clip.device.chain.coach.day == 0


# ---- progressive -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "ease_deg"), [(None, 3), (0, 3), (6, 3), (7, 2), (14, 1), (20, 1), (21, 0), (400, 0)])
def test_a_beginner_starts_three_degrees_wider_and_loses_one_a_week(days: int | None, ease_deg: int) -> None:
    clip = worn(Walker(), days, progressive=1)
    clip.run_until(3)
    assert clip.device.session.open
    assert clip.device.chain.coach.ease_cdeg == 100 * ease_deg
    assert clip.field("on_deg") == 12 + ease_deg
    assert clip.field("off_deg") == 8 + ease_deg


@pytest.mark.parametrize(("days", "expected"), [(0, [0, 0]), (21, [1, 1])])
def test_the_wider_limit_is_the_one_that_judges(days: int, expected: list[int]) -> None:
    clip = worn(leaning(2, deg=14.0), days, progressive=1, spacing_s=0, walk_offset_max_deg=0)
    clip.run_until(140)
    assert buzzed_leans(clip, 2) == expected
    assert (clip.field("forward_s") > 0) == bool(sum(expected))


# ---- trial -----------------------------------------------------------------------------------------------------------


def test_a_trials_silent_blocks_are_a_coins_and_no_fault_moves_the_motor_in_them() -> None:
    leans = [(40.0 + 40 * k, 56.0 + 40 * k, 20.0) for k in range(6)]
    leans += [(360.0 + 40 * k, 376.0 + 40 * k, 20.0) for k in range(22)]
    clip = worn(Walker(leans=tuple(leans)), 3, seed=10, coaching=2, spacing_s=0)
    silent: list[tuple[float, int]] = []
    edges: list[tuple[float, int]] = []
    forward_s = silent_s = 0
    wear_s = 0
    while clip.clock.now_us < 1260e6:
        n = len(clip.edges)
        clip.step()
        now = clip.clock.now_us / 1e6
        quiet = clip.device.chain.coach.silent
        if not silent or silent[-1][1] != quiet:
            silent.append((now, quiet))
        if clip.field("wear_s") != wear_s:
            wear_s = clip.field("wear_s")
            if quiet and clip.device.chain.gait.walking:
                kind = clip.device.chain.second_class
                silent_s += kind in (events.CLASS_GOOD, events.CLASS_FORWARD)
                forward_s += kind == events.CLASS_FORWARD
        edges += [(at / 1e6, quiet) for at, duty in clip.edges[n:] if duty]
    assert [quiet for _, quiet in silent] == [0, 1, 0]
    assert all(b - a >= 299 for (a, _), (b, _) in itertools.pairwise(silent))
    assert edges
    assert edges[0][0] < 60 and edges[-1][0] > silent[-1][0]
    assert not [at for at, quiet in edges if quiet]
    assert clip.field("silent_s") == silent_s > 200
    assert clip.field("silent_forward_s") == forward_s > 20
    assert clip.field("coaching") == 2
    assert clip.honest()


def test_two_clips_and_two_sessions_toss_different_coins() -> None:
    coins = set()
    for seed in range(4):
        clip = worn(Walker(), 3, seed=seed, coaching=2)
        clip.run_until(2)
        for _ in range(4):
            coins.add(clip.device.chain.coach._random)
            clip.device.end_session()
            clip.device.journal.head[journal.J_NEXT_SEQ] += 1
            clip.device._open_session()
    assert len(coins) == 16
    assert {coin * 171 % 30269 >> 7 & 1 for coin in coins} == {0, 1}


# ---- cues ------------------------------------------------------------------------------------------------------------


def test_a_cue_to_stretch_comes_after_each_so_many_minutes_of_walking() -> None:
    clip = worn(Walker(still=((0.0, 6.0), (70.0, 170.0))), stretch_min=1)
    clip.run_until(260)
    at = [t for t, name in clip.told if name == "cue"]
    # 60 s of walking from 6 s on; the standing in between does not count.
    assert len(at) == 2
    assert 66 <= at[0] <= 70
    assert at[1] - at[0] >= 60 + 95
    assert clip.field("cues") == 2
    assert clip.field("buzzes") == 0
    assert clip.pulses()[:2] == pytest.approx([300, 300], abs=5)


def test_who_sits_still_at_a_desk_is_nudged_and_who_does_not_ask_is_not() -> None:
    sitting = Walker(still=((0.0, 9999.0),), sway_deg=0.4)
    clip = worn(sitting, mode=1, sit_nudge_min=2)
    clip.run_until(380)
    assert clip.names().count("cue") == 3
    assert clip.field("cues") == 3
    assert clip.field("off_body_s") == 0
    for changes in ({"mode": 1}, {"sit_nudge_min": 2}):
        clip = worn(sitting, **changes)
        clip.run_until(380)
        assert "cue" not in clip.names()
        assert not clip.edges


def test_nobody_is_nudged_on_a_charger() -> None:
    clip = worn(Walker(still=((0.0, 9999.0),), sway_deg=0.4), mode=1, sit_nudge_min=1)
    clip.supply.charging = True
    clip.run_until(300)
    assert not clip.edges


def test_all_of_it_is_off_unless_asked_for() -> None:
    clip = worn(leaning(3), 100)
    clip.run_until(220)
    assert clip.names().count("cue") == 0
    assert clip.field("silent_s") == clip.field("cues") == clip.field("coaching") == 0
    assert clip.field("on_deg") == 12
    coach = clip.device.chain.coach
    assert (coach.ease_cdeg, coach.silent) == (0, 0)


# ---- hill mode -------------------------------------------------------------------------------------------------------


def test_four_presses_begin_hill_mode_and_four_more_end_it() -> None:
    clip = worn(leaning(3, deg=15.0, every_s=50.0), spacing_s=0, walk_offset_max_deg=0)
    for k in range(4):
        clip.press(25.0 + 0.3 * k)
        clip.press(75.0 + 0.3 * k)
    clip.run_until(30)
    assert clip.pulses() == pytest.approx([120, 250, 450], abs=1)
    assert clip.device.chain.detector.hill > 4 * 290
    clip.run_until(70)
    assert "buzz" not in clip.names()
    assert clip.field("flags") & r.FLAG_HILL
    assert clip.field("discomfort_marks") == 0
    clip.run_until(170)
    assert clip.names().count("fault_begin") == 2
    assert clip.names().count("buzz") >= 2
    assert len(buzz.PATTERNS) == buzz.P_HILL + 1


# ---- off the body ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "tilt_deg", "lies_s"), [(0, 0.0, 3600), (1, 0.0, 3600), (0, 80.0, 1000), (1, 80.0, 1000), (1, 20.0, 1200)]
)
def test_an_hour_on_a_table_adds_no_good_second(mode: int, tilt_deg: float, lies_s: int) -> None:
    """As it was left: upright on its edge, flat, or leaning against a cup."""
    table = Walker(still=((180.0, 99999.0),), leans=((180.5, 99999.0, tilt_deg),) if tilt_deg else ())
    clip = worn(table, mode=mode)
    clip.run_until(180 + 2)
    assert clip.device.session.open
    before = clip.field("good_s")
    fault_s = sum(clip.field(name) for name in ("forward_s", "back_s", "side_s"))
    clip.run_until(180 + lies_s)
    assert clip.field("good_s") <= before
    # Leaning beyond the limit, it may be taken for somebody who does not answer before it is known for a table.
    assert sum(clip.field(name) for name in ("forward_s", "back_s", "side_s")) <= fault_s + (120 if mode else 0)
    assert not clip.device.session.open
    assert clip.device.journal.count == 1
    assert clip.field("wear_s") <= 190 + (140 if mode else 0)
    assert clip.honest()
