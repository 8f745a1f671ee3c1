"""A turn is what the words say: smoothstep in, hold, smoothstep out; both sensors alike; an answer ends it."""

import numpy as np
import pytest
from walktall_sim import turn as turning
from walktall_sim.mounting import Frame
from walktall_sim.source import Faults, FaultySource, WalkSource
from walktall_sim.turn import Turn, TurnError, parse_turn

UP, FORWARD = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
FRAME = Frame(UP, FORWARD, np.cross(UP, FORWARD))


def _still(n: int) -> np.ndarray:
    rows = np.zeros((n, 6))
    rows[:, 1] = 9.80665
    return rows


def _angle(turn: Turn, *times: float) -> list[float]:
    return [float(a) for a in turn.angle_deg(np.array(times))]


def test_the_words_mean_what_the_design_says() -> None:
    one = parse_turn("20@90+40/2")
    assert (one.deg, one.start_s, one.hold_s, one.ramp_s) == (20.0, 90.0, 40.0, 2.0)
    assert _angle(one, 89.9, 90.0, 91.0, 92.0, 132.0, 133.0, 134.0, 135.0) == pytest.approx(
        [0, 0, 10, 20, 20, 10, 0, 0]
    )
    # A long ramp in has a way out of 2 s.
    slow = parse_turn("-10.5@+3.5+15/15")
    assert _angle(slow, 3.5 + 7.5, 3.5 + 15, 3.5 + 30, 3.5 + 31, 3.5 + 32) == pytest.approx(
        [-5.25, -10.5, -10.5, -5.25, 0]
    )


@pytest.mark.parametrize(
    "text",
    ["", "20", "20@90", "20@90+40", "@90+40/2", "20@90+-40/2", "20@90+40/-2", "0@90+40/2", "x@1+2/3", "1e3@1+2/3"],
)
def test_other_words_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(TurnError) as caught:
        parse_turn(text)
    assert "\n" not in str(caught.value)


def test_several_turns_add_up() -> None:
    turns = [parse_turn("10@10+20/2"), parse_turn("5@15+20/2")]
    assert turning.total_deg(turns, np.array([14.0, 20.0, 35.0]))[:3] == pytest.approx([10.0, 15.0, 5.0])


def test_leaning_forward_tips_gravity_backwards_in_the_sensors_frame() -> None:
    source = WalkSource(_still(520), frame=FRAME, turns=[Turn(20.0, 2.0, 4.0, 1.0)])
    force = source.block(0, 520)[int(4.0 * 52), :3]
    pitch = np.degrees(np.arctan2(-force @ FORWARD, force @ UP))
    assert pitch == pytest.approx(20.0, abs=1e-6)
    assert force @ FRAME.left == pytest.approx(0.0)


@pytest.mark.parametrize("spec", ["20@2+4/1", "-12@1+3/0.3", "30@1+1/0", "8@0.5+2/15"])
def test_the_gyroscope_feels_exactly_the_turning_that_the_accelerometer_shows(spec: str) -> None:
    source = WalkSource(_still(1560), frame=FRAME, turns=[parse_turn(spec)])
    rows = source.block(0, 1560)
    turned = np.degrees(np.cumsum(rows[:, 3:] @ FRAME.left) / 52.0)
    pitch = np.degrees(np.arctan2(-rows[:, :3] @ FORWARD, rows[:, :3] @ UP))
    np.testing.assert_allclose(turned, pitch, atol=1e-9)
    assert np.abs(pitch).max() == pytest.approx(abs(parse_turn(spec).deg), abs=0.01)


def test_motion_is_turned_and_not_changed() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(520, 6))
    got = WalkSource(rows, frame=FRAME, turns=[Turn(25.0, 0.0, 100.0, 0.0)]).block(100, 300)
    for part in (slice(0, 3), slice(3, 6)):
        np.testing.assert_allclose(
            np.linalg.norm(got[:, part], axis=1), np.linalg.norm(rows[100:400, part], axis=1), rtol=1e-9
        )
        np.testing.assert_allclose(got[:, part] @ FRAME.left, rows[100:400, part] @ FRAME.left, atol=1e-9)


def test_an_answer_ends_the_turn_and_leaves_the_past_alone() -> None:
    turns = [parse_turn("20@2+100/1"), parse_turn("10@60+5/1")]
    source = WalkSource(_still(52 * 80), frame=FRAME, turns=turns, answer_s=0.5)
    before = source.block(0, 52 * 13)
    source.buzzed(52 * 13 - 1)
    again = source.block(0, 52 * 13)
    np.testing.assert_array_equal(before, again)
    out_s = (52 * 13 - 1) / 52 + 0.5
    assert turns[0].end_s == pytest.approx(out_s + 1.0)
    assert _angle(turns[0], out_s, out_s + 0.5, out_s + 1.0) == pytest.approx([20.0, 10.0, 0.0])
    # A second buzz of the same turn changes nothing; a later turn is answered by its own.
    source.buzzed(52 * 14)
    assert turns[0].cut_s == pytest.approx(out_s)
    assert turns[1].cut_s is None
    source.block(0, 52 * 62)
    source.buzzed(52 * 62 - 1)
    assert turns[1].cut_s == pytest.approx((52 * 62 - 1) / 52 + 0.5)


def test_an_answer_in_the_way_in_goes_back_from_the_angle_reached() -> None:
    one = parse_turn("20@10+20/8")
    one.answer(14.0)
    assert _angle(one, 14.0, 15.0, 16.0) == pytest.approx([10.0, 5.0, 0.0])
    assert one.returns_s(8.0) == pytest.approx(14.0 + 2.0 * 0.2871, abs=0.001)


@pytest.mark.parametrize("deg", [13.0, 20.0, -30.0])
@pytest.mark.parametrize("ramp", [0.5, 3.0, 15.0])
def test_the_passing_of_a_limit_is_where_the_angle_is_the_limit(deg: float, ramp: float) -> None:
    one = Turn(deg, 5.0, 20.0, ramp)
    limit = np.copysign(12.0, deg)
    passes, returns = one.passes_s(limit), one.returns_s(limit)
    assert passes is not None and returns is not None
    assert _angle(one, passes, returns) == pytest.approx([limit, limit])
    assert one.passes_s(-limit) is None
    assert Turn(10.0, 5.0, 20.0, ramp).passes_s(12.0) is None


def test_blocks_of_any_size_give_the_same_walk() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(1000, 6)) + _still(1000)

    def whole(n: int) -> np.ndarray:
        inner = WalkSource(rows, 3.0, frame=FRAME, turns=[Turn(20.0, 6.0, 4.0, 1.0)])
        faults = Faults(0.1, 3, (1.0, 0.0, 0.0), (0.0, 0.02, 0.0), 20.0, 1.1, seed=4)
        source = FaultySource(inner, faults, UP)
        return np.concatenate([source.block(i, n) for i in range(0, 1000, n)])

    want = whole(1000)
    for n in (1, 13, 64):
        np.testing.assert_allclose(whole(n), want, atol=1e-12)
    assert 0.05 < np.isnan(want[:, 0]).mean() < 0.2


def test_a_clip_put_on_crookedly_turns_about_up() -> None:
    rows = _still(10)
    rows[:, 2] = 1.0  # forward
    got = FaultySource(WalkSource(rows), Faults(yaw_deg=20.0), UP).block(0, 10)[0]
    assert got[1] == pytest.approx(9.80665)
    # The sensor looks 20 degrees to the left: what pushed forward now comes from its right front.
    assert got[:3] @ FORWARD == pytest.approx(np.cos(np.radians(20.0)))
    assert got[:3] @ FRAME.left == pytest.approx(-np.sin(np.radians(20.0)))
