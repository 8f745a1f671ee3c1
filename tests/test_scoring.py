"""Alarms against what was put on the walk: found, missed, late, false."""

from __future__ import annotations

from typing import Any

import pytest
from walktall_sim import scoring
from walktall_sim.turn import parse_turn


def buzz(t_s: float, fault: str = "forward") -> dict[str, Any]:
    return {"t_s": t_s, "event": "buzz", "fault": fault}


def scored(turns: list[str], *buzzes: dict[str, Any], seconds: float = 300.0) -> scoring.Score:
    return scoring.score(list(buzzes), scoring.truth_of(0.0, seconds, [parse_turn(one) for one in turns]))


def test_what_is_worth_a_buzz_are_the_settings_defaults() -> None:
    assert scoring.worth() == ((12.0, 8.0), (-8.0, -5.0), 10.0)


def test_an_episode_begins_where_the_angle_passes_the_limit_and_latency_runs_from_there() -> None:
    turn = parse_turn("20@90+40/2")
    (one,) = scoring.truth_of(0.0, 300.0, [turn]).episodes()
    passes_s = turn.passes_s(12.0)
    assert passes_s is not None and one.passes_s == pytest.approx(passes_s, abs=0.005)
    assert scored(["20@90+40/2"], buzz(101.5)).metric("latency_median_s") == pytest.approx(101.5 - passes_s, abs=0.006)


@pytest.mark.parametrize(
    ("turns", "buzzes", "told"),
    [
        # episodes, found, false alarms, sensitivity, precision
        ([], [], (0, 0, 0, None, None)),
        (["20@90+40/2"], [], (1, 0, 0, 0.0, None)),
        (["20@90+40/2"], [buzz(101)], (1, 1, 0, 1.0, 1.0)),
        (["20@90+40/2"], [buzz(101), buzz(116)], (1, 1, 0, 1.0, 1.0)),
        (["20@90+40/2"], [buzz(101, "back")], (1, 0, 1, 0.0, 0.0)),
        (["20@90+40/2"], [buzz(50), buzz(101), buzz(250)], (1, 1, 2, 1.0, 1 / 3)),
        # Too short, too little, or to the side of what counts: not worth one.
        (["20@90+8/1"], [buzz(98)], (0, 0, 1, None, 0.0)),
        (["11@90+60/1"], [], (0, 0, 0, None, None)),
        (["-10@90+40/1"], [buzz(101, "back")], (1, 1, 0, 1.0, 1.0)),
        (["20@60+30/1", "-12@150+30/1"], [buzz(72), buzz(162, "back")], (2, 2, 0, 1.0, 1.0)),
        # Between the limits a fault goes on; what only reaches there is none.
        (["11@90+40/1", "5@90+4/1"], [buzz(101), buzz(116)], (1, 1, 0, 1.0, 1.0)),
        (["11@90+40/1"], [buzz(101)], (0, 0, 1, None, 0.0)),
        # Two turns that add up to one lean.
        (["7@60+60/1", "7@80+30/1"], [buzz(91)], (1, 1, 0, 1.0, 1.0)),
    ],
)
def test_buzzes_are_told_from_false_alarms(
    turns: list[str], buzzes: list[dict[str, Any]], told: tuple[float | None, ...]
) -> None:
    score = scored(turns, *buzzes)
    names = ("episodes", "found", "false_alarms", "sensitivity", "precision")
    assert tuple(score.metric(name) for name in names) == pytest.approx(told)


def test_the_rate_of_false_alarms_is_for_the_time_outside_of_episodes() -> None:
    score = scored(["20@90+40/0"], buzz(10), buzz(200), seconds=402.05)
    # The lean from 90 s on, 40 s and the 2 s of its way out, and 2 s more.
    assert score.quiet_s == pytest.approx(360.0, abs=2.2)
    assert score.metric("false_alarms_per_h") == pytest.approx(3600 * 2 / score.quiet_s)


def test_scores_add_up_as_if_it_were_one_walk() -> None:
    one, two = scored(["20@90+40/2"], buzz(101)), scored(["20@90+40/2"], buzz(107), buzz(20))
    both = one + two
    assert (both.episodes, both.false_alarms, both.buzzes) == (2, 1, 3)
    assert both.metric("latency_p95_s") == pytest.approx(max(both.latencies_s) - 0.05 * 6.0, abs=0.01)
    assert both.metric("precision") == pytest.approx(2 / 3)
