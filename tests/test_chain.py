"""The rules, one claim a test, on made walking whose angles are known to the degree."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from walktall import buzz as b
from walktall import calibrate as c
from walktall import events as e
from walktall.chain import Chain
from walktall.settings import Settings
from walktall.tilt import Tilt

from tests.made_walk import HZ, G, Wearer, counts, ramp, still

WARM_S = 70.0  # a walk in which the walking offset is learned


def warm(**settings: int) -> Wearer:
    wearer = Wearer(**settings)
    wearer.stand(3)
    wearer.wear(WARM_S)
    return wearer


def test_upright_walk_is_good_and_silent() -> None:
    wearer = warm()
    wearer.wear(60)
    assert not [x for x in wearer.told if x[1] in ("buzz", "fault_begin")]
    assert wearer.classes[20:].count(e.CLASS_GOOD) == len(wearer.classes[20:])
    assert wearer.times("walking")[0] < 8


@pytest.mark.parametrize("deg", [13, 15, 20, 30, 45])
def test_lean_buzzes_after_the_hold_and_recovers(deg: float) -> None:
    wearer = warm()
    start = wearer.t
    wearer.wear(45, ramp(deg, start, 1.0, start + 30))
    passed = next(k for k in range(1000) if ramp(deg, 0, 1.0)(k / 1000) > 12) / 1000
    assert 10 <= wearer.times("buzz")[0] - start - passed <= 11.5
    assert 30.0 <= wearer.times("recovered")[0] - start <= 32.5
    assert wearer.labels()[0] == "LEAN"


@pytest.mark.parametrize("deg", [4, 8, 10, 11])
def test_short_of_the_limit_nothing_buzzes(deg: float) -> None:
    wearer = warm()
    wearer.wear(60, ramp(deg, wearer.t, 2.0))
    assert not wearer.times("buzz")


def test_who_crosses_once_and_hovers_below_the_limit_is_not_buzzed() -> None:
    wearer = warm()
    start = wearer.t
    wearer.wear(60, lambda t: ramp(14, start, 0.5, start + 2)(t) + ramp(10, start + 2, 0.5)(t))
    assert wearer.times("fault_begin")
    assert not wearer.times("buzz")


def test_slow_creep_is_a_slouch_and_quick_rise_a_lean() -> None:
    for seconds, label in ((1.0, "LEAN"), (3.0, "LEAN"), (15.0, "SLOUCH")):
        wearer = warm()
        wearer.wear(45, ramp(20, wearer.t, seconds))
        assert wearer.labels()[0] == label


def test_repeats_come_at_15_45_and_120_s_and_then_silence() -> None:
    wearer = warm()
    start = wearer.t
    # It dips by 6 degrees a while after the third buzz, else the clip would be taken for slipped.
    wearer.wear(260, lambda t: ramp(25, start, 1.0)(t) - ramp(6, start + 60, 2, start + 70)(t))
    buzzes = wearer.times("buzz")
    assert len(buzzes) == 4
    gaps = [later - buzzes[0] for later in buzzes[1:]]
    # Each buzz holds the timers while it shakes the sensor: 1.3 s more.
    for gap, due, buzzed in zip(gaps, (15, 45, 120), (1, 2, 3), strict=True):
        assert due <= gap <= due + 1.75 * buzzed


def test_next_episode_waits_for_the_minute_between() -> None:
    wearer = warm()
    start = wearer.t
    wearer.wear(80, lambda t: ramp(20, start, 1.0, start + 15)(t) + ramp(20, start + 25, 1.0)(t))
    buzzes = wearer.times("buzz")
    assert len(buzzes) >= 2
    assert 60 <= buzzes[1] - buzzes[0] <= 62
    quick = warm(spacing_s=0)
    start = quick.t
    quick.wear(50, lambda t: ramp(20, start, 1.0, start + 15)(t) + ramp(20, start + 25, 1.0)(t))
    assert quick.times("buzz")[1] - quick.times("buzz")[0] < 30


def test_timer_decays_four_times_as_fast_when_good() -> None:
    wearer = warm()
    start = wearer.t
    detector = wearer.chain.detector
    wearer.wear(8, ramp(20, start, 0.5))
    gathered = detector.forward.timer
    assert gathered > 20
    wearer.wear(12, ramp(20, start, 0.5, start + 8))
    assert detector.forward.timer == 0
    assert not wearer.times("buzz")


def test_timer_is_held_while_nobody_walks() -> None:
    wearer = warm()
    start = wearer.t
    lean = ramp(20, start, 0.5)
    wearer.wear(6, lean)
    wearer.stand(3, lean)
    held = wearer.chain.detector.forward.timer
    wearer.stand(20, lean)
    assert wearer.chain.detector.forward.timer == held > 0
    assert not wearer.times("buzz")
    wearer.wear(14, lean)
    assert wearer.times("buzz")


def test_bend_of_eight_seconds_does_not_buzz() -> None:
    wearer = warm()
    start = wearer.t
    wearer.stand(12, ramp(70, start, 1.0, start + 7))
    wearer.wear(10)
    assert not wearer.times("buzz")
    assert e.CLASS_BEND in wearer.classes


def test_deep_lean_of_somebody_who_walks_on_is_a_fault() -> None:
    wearer = warm()
    wearer.wear(20, ramp(45, wearer.t, 1.5))
    assert wearer.times("buzz")


def test_jog_is_left_out() -> None:
    wearer = warm()
    start = wearer.t
    wearer.wear(40, ramp(20, start, 1.0), bounce=1.3, step_hz=2.8)
    assert not wearer.times("buzz")
    assert wearer.classes[-20:].count(e.CLASS_JOG) == 20


def test_arch_buzzes_back_with_its_own_pattern() -> None:
    wearer = warm()
    wearer.wear(20, ramp(-14, wearer.t, 1.0))
    assert wearer.times("buzz", "back")
    assert not wearer.times("buzz", "forward")
    assert wearer.patterns[0][1] == b.P_BACK


def test_side_is_logged_and_buzzes_only_when_asked() -> None:
    wearer = warm()
    wearer.wear(20, still, ramp(12, wearer.t, 1.0))
    assert wearer.times("fault_begin", "side")
    assert not wearer.times("buzz", "side")
    assert e.CLASS_SIDE in wearer.classes
    asked = warm(side_buzz=1)
    asked.wear(20, still, ramp(-12, asked.t, 1.0))
    assert asked.times("buzz", "side")


def test_gap_holds_the_timer_and_is_never_good() -> None:
    wearer = warm()
    start = wearer.t
    lean = ramp(20, start, 1.0)
    wearer.wear(6, lean)
    before = wearer.chain.detector.forward.timer
    seconds = len(wearer.classes)
    wearer.lose(30)
    assert wearer.chain.detector.forward.timer == before
    wearer.wear(1, lean)
    assert wearer.chain.session.fields[0] is not None
    assert wearer.times("gap")
    wearer.wear(15, lean)
    assert wearer.times("buzz")
    assert e.CLASS_GOOD not in wearer.classes[seconds:]


def test_motor_shake_is_not_seen_by_the_accelerometer() -> None:
    wearer = warm()
    pitch = wearer.chain.detector.pitch_cdeg
    wearer.chain.shake(80)
    for k in range(80):
        # 208 Hz folded to 0 Hz: a constant push of 0.5 g forward.
        ax, ay, az, wx, wy, wz = counts(wearer.t, still)
        wearer.chain.sample(ax, ay, az - 4000, wx, wy, wz)
        wearer.t += 1 / HZ
        assert k >= 0
    wearer.wear(2)
    assert abs(wearer.chain.detector.pitch_cdeg - pitch) < 60


def test_snooze_keeps_quiet_and_says_so() -> None:
    wearer = warm()
    wearer.chain.snooze(1)
    wearer.wear(40, ramp(20, wearer.t, 1.0))
    assert not wearer.times("buzz")
    assert wearer.classes[-10:].count(e.CLASS_SNOOZED) == 10


def test_that_was_wrong_mutes_a_minute() -> None:
    wearer = warm()
    start = wearer.t
    wearer.wear(13, ramp(20, start, 1.0))
    assert len(wearer.times("buzz")) == 1
    wearer.chain.wrong()
    wearer.wear(50, ramp(20, start, 1.0))
    assert len(wearer.times("buzz")) == 1


def test_hill_widens_the_forward_limit() -> None:
    wearer = warm()
    wearer.chain.hill()
    wearer.wear(30, ramp(15, wearer.t, 1.0))
    assert not wearer.times("buzz")
    wearer.wear(20, ramp(20, wearer.t, 1.0))
    assert wearer.times("buzz")


@pytest.mark.parametrize(
    ("sensitivity", "deg", "buzzes"), [(1, 10, True), (0, 10, False), (0, 14, True), (2, 14, False)]
)
def test_presets_move_the_limits(sensitivity: int, deg: float, buzzes: bool) -> None:
    wearer = warm(sensitivity=sensitivity)
    wearer.wear(25, ramp(deg, wearer.t, 1.0))
    assert bool(wearer.times("buzz")) == buzzes


def test_walking_offset_is_learned_and_capped() -> None:
    for own, learned in ((3.0, 300), (7.0, 400), (-3.0, -300)):
        wearer = Wearer()
        wearer.stand(3)
        wearer.wear(80, lambda t, own=own: ramp(own, 3, 1.0)(t))
        assert wearer.chain.detector.walk_offset_cdeg == pytest.approx(learned, abs=40)


def test_who_leans_from_the_first_step_is_buzzed_not_learned() -> None:
    wearer = Wearer()
    wearer.stand(3)
    wearer.wear(90, ramp(15, 3, 1.0))
    # For 15 s the limit is 4 degrees wider, for nobody knows this walker yet.
    assert wearer.times("buzz")[0] < 36
    assert wearer.chain.detector.walk_offset_cdeg == 0


def test_slow_zero_never_moves_more_than_three_degrees() -> None:
    wearer = Wearer()
    wearer.stand(3)
    wearer.wear(70)
    detector = wearer.chain.detector
    # Six degrees forward, for ever: below the limit, above the zero.
    for _ in range(5):
        wearer.wear(301, ramp(6, 73, 1.0))
    moved = detector.rezero_cdeg
    assert 0 < moved <= 25 * 5
    for _ in range(20):
        detector._rezero_n = 1199
        wearer.wear(2, ramp(6, 73, 1.0))
    assert detector.rezero_cdeg <= 300


def test_desk_mode_judges_who_sits_and_holds_longer() -> None:
    wearer = Wearer(mode=1)
    sway = ramp(0.5, 0, 1.0)
    wearer.stand(5, sway)
    start = wearer.t

    def slump(t: float) -> float:
        return ramp(18, start, 3.0)(t) + 0.4 * ((t * 0.3) % 1.0)

    wearer.stand(58, slump)
    assert not wearer.times("buzz")
    wearer.stand(12, slump)
    assert wearer.times("buzz")


def test_clip_on_a_table_is_off_the_body_in_both_modes() -> None:
    for mode in (0, 1):
        wearer = Wearer(mode=mode)
        wearer.stand(400)
        assert wearer.classes[-60:].count(e.CLASS_OFF_BODY) == 60
        fields = wearer.chain.session.fields
        from walktall import records as r

        if mode == 0:
            assert fields[r.S_GOOD_S] == 0


def test_three_buzzes_without_an_answer_are_taken_for_a_slip() -> None:
    wearer = warm()
    start = wearer.t
    wearer.wear(200, ramp(18, start, 1.0))
    assert len(wearer.times("buzz")) == 3
    assert wearer.times("slip")
    assert wearer.patterns[-1][1] == b.P_SLIP
    assert wearer.classes[-10:].count(e.CLASS_UNSURE) == 10
    # A new zero ends it.
    assert wearer.chain.set_upright(0, 7796, -2533, 0, 0, 0, 100)
    wearer.wear(20, ramp(18, start, 1.0))
    assert wearer.classes[-5:].count(e.CLASS_GOOD) == 5


def test_clip_that_falls_askew_in_a_blink_is_a_slip_and_a_quick_lean_is_not() -> None:
    wearer = warm()
    wearer.wear(10, ramp(25, wearer.t, 0.1))
    assert wearer.times("slip")
    for seconds in (1.0, 1.5, 2.0):
        quick = warm()
        quick.wear(20, ramp(25, quick.t, seconds))
        assert not quick.times("slip")
        assert quick.times("buzz")


def test_uncalibrated_clip_is_unsure_and_silent() -> None:
    wearer = Wearer(upright=False)
    wearer.wear(60, ramp(30, 20, 1.0))
    assert not wearer.times("buzz")
    assert set(wearer.classes) == {e.CLASS_UNSURE}


def test_calibration_takes_a_still_person_and_their_bias() -> None:
    wearer = Wearer(upright=False)
    wearer.chain.begin_calibration()
    for _ in range(4 * HZ):
        wearer.chain.sample(0, 8000, -1800, 30, -12, 5)
    assert wearer.chain.calibration_result == c.DONE
    assert wearer.chain.calibrated
    assert wearer.chain.calibration_quality > 90
    tilt = wearer.chain.tilt
    # Quarter counts; in the second since it was set, what is followed in motion may have moved it by one.
    assert all(abs(b - wanted) <= 1 for b, wanted in zip(tilt.bias, (120, -48, 20), strict=True))
    wearer.t = 0.0
    for _ in range(2 * HZ):
        wearer.chain.sample(0, 8000, -1800, 30, -12, 5)
    assert abs(wearer.chain.detector.pitch_cdeg) < 20


def test_calibration_is_refused_while_moving_and_leaves_the_old_one() -> None:
    wearer = Wearer()
    before = list(wearer.chain.upright)
    wearer.chain.begin_calibration()
    wearer.wear(4, lambda t: 6 * ((t * 1.3) % 1.0))
    assert wearer.chain.calibration_result == c.MOVING
    assert list(wearer.chain.upright) == before


def test_calibration_is_refused_far_from_the_last_one() -> None:
    wearer = Wearer()
    wearer.chain.begin_calibration()
    wearer.stand(4, lambda t: 40.0)
    assert wearer.chain.calibration_result == c.ANGLE
    assert wearer.chain.upright[2] == 0


@pytest.mark.parametrize("yaw_deg", [0, 20, 90, 135, 180, 270])
def test_bow_finds_forward_whatever_way_the_clip_sits(yaw_deg: float) -> None:
    import math

    wearer = Wearer()
    chain = wearer.chain
    yaw = math.radians(yaw_deg)

    def turned(sample: tuple[int, int, int, int, int, int]) -> tuple[int, int, int, int, int, int]:
        ax, ay, az, wx, wy, wz = sample
        cos, sin = math.cos(yaw), math.sin(yaw)
        turn = lambda x, z: (round(cos * x + sin * z), round(-sin * x + cos * z))  # noqa: E731
        (ax, az), (wx, wz) = turn(ax, az), turn(wx, wz)
        return ax, ay, az, wx, wy, wz

    def play(seconds: float, pitch) -> None:  # type: ignore[no-untyped-def]
        for _ in range(round(seconds * HZ)):
            chain.sample(*turned(counts(wearer.t, pitch, bounce=0.0)))
            wearer.t += 1 / HZ

    play(3, still)
    chain.begin_bow()
    start = wearer.t
    play(6, ramp(30, start, 1.5, start + 3))
    assert chain.bowed
    assert chain.buzz_request == b.P_CALIBRATED
    start = wearer.t
    play(8, ramp(15, start, 2.0))
    assert chain.detector.pitch_cdeg == pytest.approx(1500, abs=60)
    assert abs(chain.detector.roll_cdeg) < 60


def test_without_a_bow_nothing_changes() -> None:
    wearer = Wearer()
    wearer.chain.begin_bow()
    wearer.stand(12)
    assert not wearer.chain.bowed
    assert wearer.chain.bow.left == 0


@pytest.mark.parametrize("n", [0, 3, 4, 13])
def test_a_ticks_angles_are_those_of_floats_rounded_to_a_step(n: int, chance: random.Random) -> None:
    """However many samples were summed; with none, those of gravity as it stands."""
    detector: Any = Chain(Settings()).detector
    worst = 0.0
    for _ in range(2000):
        up, forward, g = ([chance.gauss(0, 1) for _ in range(3)] for _ in range(3))
        if not detector.set_frame(
            *(round(8197 * x / math.hypot(*up)) for x in up), *(round(9000 * x) for x in forward)
        ):
            continue
        if chance.random() < 0.7:  # near upright, which most ticks are
            size = math.tan(math.radians(chance.uniform(0, 35))) / math.hypot(*g)
            g = [u / 16384 + size * x for u, x in zip(detector.up, g, strict=True)]
        tilt = Tilt()
        g = [x / math.hypot(*g) for x in g]
        tilt.sums[:] = [round(n * (1 << 20) * x) for x in g] + [n]
        tilt.g[:] = [round((1 << 20) * x) for x in g]
        above, ahead, left = (sum(x * y for x, y in zip(g, axis, strict=True)) for axis in frame_of(detector))
        level = math.hypot(above, ahead)
        if level < 0.3:
            continue  # lying on the side, pitch is a matter of chance
        detector.look(tilt)
        pitch = math.degrees(math.atan2(-ahead, above))
        off = (detector.look_pitch_cdeg / 100 - pitch + 180) % 360 - 180
        worst = max(worst, abs(off), abs(detector.look_roll_cdeg / 100 - math.degrees(math.atan2(left, level))))
        assert detector.look_pitch_cdeg % 20 == detector.look_roll_cdeg % 20 == 0
    # Half a step, and what the arithmetic adds, most where few samples were summed.
    assert 0.09 < worst < 0.1 + (0.05 if 0 < n < 13 else 0.025)


def frame_of(detector: Any) -> list[list[float]]:
    return [[x / 16384 for x in axis] for axis in (detector.up, detector._f, detector._l)]


def test_bias_is_followed_at_rest_and_in_motion() -> None:
    wearer = Wearer()
    tilt = wearer.chain.tilt
    for _ in range(60 * HZ):
        wearer.chain.sample(0, G, 0, 57, 0, 0)  # 1 deg/s about the side axis
    assert tilt.bias[0] == pytest.approx(4 * 57, abs=8)
    walking = Wearer()
    for k in range(240 * HZ):
        ax, ay, az, wx, wy, wz = counts(k / HZ, still)
        walking.chain.sample(ax, ay, az, wx + 57, wy, wz)
    assert walking.chain.tilt.bias[0] == pytest.approx(4 * 57, abs=60)


def test_every_second_is_exactly_one_class() -> None:
    from walktall import records as r

    wearer = warm()
    start = wearer.t
    wearer.wear(60, ramp(20, start, 1.0, start + 30))
    wearer.lose(17.3)
    wearer.stand(20)
    fields = wearer.chain.session.fields
    parts = sum(fields[r.S_CLASS_BASE + kind] for kind in range(1, 14))
    assert fields[r.S_WEAR_S] == parts == int(wearer.t + 1e-6)


def test_clip_whose_forward_axis_lies_along_up_calibrates_when_a_bow_will_tell() -> None:
    refused = Wearer(upright=False, forward_axis=2)
    assert not refused.chain.set_upright(0, G, 0, 0, 0, 0, 100)
    asked = Wearer(upright=False, forward_axis=2, bow=1)
    assert asked.chain.set_upright(0, G, 0, 0, 0, 0, 100)
    assert not Wearer(upright=False, bow=1).chain.set_upright(0, 0, 0, 0, 0, 0, 100)


def test_who_straightened_up_before_the_spacing_ended_is_left_in_peace() -> None:
    wearer = warm()
    start = wearer.t
    # The second lean lasts from 25 to 69.7 s; the minute between first buzzes ends at about 71 s.
    first = ramp(20, start, 1.0, start + 15)
    second = ramp(20, start + 25, 1.0, start + 69.7)
    wearer.wear(85, lambda t: first(t) + second(t))
    for at in wearer.times("buzz"):
        assert first(at - 0.75) + second(at - 0.75) > 8
