"""The synthetic walk is one rigid body measured by two sensors, the same by seed, and as long as it was asked to be."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from walktall_sim import generate
from walktall_sim.cli import run
from walktall_sim.generate import PlanError, Segment, Walk, default_plan, parse_plan
from walktall_sim.mounting import frame_of, mounting_for, upright_of
from walktall_sim.recordings import read_trials


def _frame(plan: str, seed: int) -> pl.DataFrame:
    return pl.concat(list(Walk(parse_plan(plan), seed).blocks()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_gyroscope_integrated_shows_the_pitch_that_the_truth_column_holds(seed: int) -> None:
    walk = Walk(parse_plan("stand:5,walk:20,lean 20:20,walk:10,bend 60:5,jog:10,stand:5"), seed)
    data = pl.concat(list(walk.blocks()))
    person = walk.person
    rate = data.select("gx", "gy", "gz").to_numpy() - np.radians(person.gyro_bias_dps)
    # Sensor to body: the clip's own tilt, then x left, y up, z forward -> forward, left, up.
    body = rate @ walk._to_sensor
    rot = np.eye(3)
    up = np.array([0.0, 0.0, 1.0])
    pitch = []
    for w in body:
        angle = np.linalg.norm(w) / generate.RATE_HZ
        k = w / max(np.linalg.norm(w), 1e-12)
        cross = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
        rot = rot @ (np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)
        tip = rot.T @ up
        pitch.append(np.degrees(np.arctan2(-tip[0], tip[2])))
    error = np.array(pitch) - data["pitch_deg"].to_numpy()
    # Only the sensor's noise is left: 0.07 dps a sample walks about 0.05 degrees in 75 s.
    assert np.abs(error - error[0]).max() < 0.35


@pytest.mark.parametrize("seed", [1, 5])
def test_the_mean_acceleration_is_gravity_along_the_true_pitch(seed: int) -> None:
    walk = Walk(parse_plan("stand:10,walk:60,lean 20:60"), seed)
    data = pl.concat(list(walk.blocks()))
    force = (data.select("ax", "ay", "az").to_numpy() - np.array(walk.person.accel_offset)) @ walk._to_sensor
    t = data["t_s"].to_numpy()
    for begin, end in ((1.0, 8.0), (20.0, 60.0), (80.0, 120.0)):
        part = (t >= begin) & (t < end)
        mean = force[part].mean(axis=0)
        pitch = np.degrees(np.arctan2(-mean[0], mean[2]))
        # Sway and acceleration go together in a stride: that costs real sensors about a degree too.
        assert pitch == pytest.approx(data["pitch_deg"].to_numpy()[part].mean(), abs=1.0)
        assert np.linalg.norm(mean) == pytest.approx(9.80665, rel=0.01)


def test_walking_is_as_lively_as_people_are() -> None:
    """The facts' table: SD of |a| 0.7 to 4.9 m/s² and rate 13 to 50 deg/s in walking, regular at the step."""
    for seed in range(6):
        data = _frame("stand:5,walk:60", seed).filter(pl.col("t_s") > 10.0)
        length = np.linalg.norm(data.select("ax", "ay", "az").to_numpy(), axis=1)
        rate = np.degrees(data.select("gx", "gy", "gz").to_numpy())
        assert 0.7 < length.std() < 4.9
        assert 10.0 < np.sqrt((rate.std(axis=0) ** 2).sum()) < 50.0
        quiet = _frame("stand:20", seed)
        assert np.linalg.norm(quiet.select("ax", "ay", "az").to_numpy(), axis=1).std() < 0.14


@pytest.mark.parametrize("spm", [80, 110, 130])
def test_steps_and_cadence_are_those_of_the_plan(spm: int) -> None:
    data = _frame(f"stand:5,walk {spm}:60", 3)
    inside = data.filter((pl.col("t_s") > 10.0) & (pl.col("t_s") < 60.0))
    steps = inside["steps"][-1] - inside["steps"][0]
    assert steps == pytest.approx(spm * 50 / 60, abs=2)
    assert inside["cadence_spm"].mean() == pytest.approx(spm, rel=0.02)


def test_postures_reach_their_angle_and_are_labelled() -> None:
    data = _frame("stand:5,walk:20,lean 20:20,walk:10,slouch 18:40,walk:10,arch 14:20,side 12:20,bend 60:5,stand:5", 2)
    pitch = data.group_by("state", maintain_order=True).agg(pl.col("pitch_deg").quantile(0.9).alias("p90"))
    high = dict(pitch.iter_rows())
    low = dict(data.group_by("state").agg(pl.col("pitch_deg").quantile(0.1)).iter_rows())
    assert 18.0 < high["lean"] < 23.0
    assert 16.0 < high["slouch"] < 21.0
    assert -17.0 < low["arch"] < -12.0
    assert 55.0 < high["bend"] <= 60.5
    assert data.filter(pl.col("state") == "side")["roll_deg"].quantile(0.8) == pytest.approx(12.0, abs=2.5)
    assert set(data["label"]) == {"stand", "walk", "bend"}


def test_a_lean_comes_at_once_with_more_steps_and_a_slouch_creeps() -> None:
    data = _frame("stand:5,walk:30,lean 20:30,walk:20,slouch 20:40,walk:5", 4)

    def rise_s(state: str) -> float:
        part = data.filter(pl.col("state") == state)
        smooth = np.convolve(part["pitch_deg"].to_numpy(), np.ones(104) / 104, "valid")
        first = np.argmax(smooth > 4.0), np.argmax(smooth > 18.0)
        return float(first[1] - first[0]) / 104.0

    assert rise_s("lean") < 4.0
    assert rise_s("slouch") > 7.0
    cadence = dict(data.group_by("state").agg(pl.col("cadence_spm").median()).iter_rows())
    assert cadence["lean"] - cadence["slouch"] > 8.0


def test_equal_seeds_give_equal_bytes_and_others_do_not(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert (
            run(["generate", "--minutes", "0.5", "--seed", str(seed), "--out", str(tmp_path / f"{name}.csv.gz")]) == 0
        )
    a, b, c = ((tmp_path / f"{name}.csv.gz").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_blocks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = "stand:3,walk:20,lean 20:10,bend 60:5"
    want = _frame(plan, 6)
    monkeypatch.setattr(generate, "_BLOCK", 700)
    got = _frame(plan, 6)
    truth = ["t_s", "pitch_deg", "roll_deg", "cadence_spm", "steps", "label", "state"]
    assert got.select(truth).equals(want.select(truth))
    a, b = (x.select("ax", "ay", "az", "gx", "gy", "gz").to_numpy() for x in (got, want))
    assert np.abs(a - b).max() < 0.3  # the noise is drawn anew in each block


def test_all_three_formats_hold_the_same_walk(tmp_path: Path) -> None:
    trials = []
    for name in ("a.csv", "a.csv.gz", "a.parquet"):
        assert run(["generate", "--plan", "stand:3,walk:10", "--out", str(tmp_path / name)]) == 0
        trials.append(read_trials(tmp_path / name)[0])
    for other in trials[1:]:
        np.testing.assert_array_equal(other.values, trials[0].values)


@pytest.mark.parametrize("minutes", [0.25, 1.0, 3.3, 12.0])
def test_the_walk_is_as_long_as_it_was_asked_to_be(minutes: float) -> None:
    plan = default_plan(minutes, 1)
    assert sum(s.seconds for s in plan) == pytest.approx(minutes * 60.0)
    kinds = [s.kind for s in plan]
    assert kinds[0] == "stand" and kinds[-1] == "walk"
    if minutes == 12.0:
        assert {"lean", "slouch", "arch", "bend", "jog", "stairs"} <= set(kinds)


@pytest.mark.parametrize("seed", range(5))
def test_the_clip_sits_near_the_axes_that_it_is_said_to_sit_on(seed: int) -> None:
    rows = _frame("stand:2", seed).select("ax", "ay", "az", "gx", "gy", "gz").to_numpy()
    upright = upright_of(rows, generate.RATE_HZ)
    frame_of(mounting_for(Path("walk.csv"), None, None), upright)
    assert upright.still


@pytest.mark.parametrize(
    "text", ["", "walk", "walk:", "walk:0", "run:10", "lean 20:1", "walk 900:10", "lean 20 30:10", "walk:10,,walk:10"]
)
def test_a_plan_that_cannot_be_made_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(text)
    assert "\n" not in str(caught.value)


def test_a_plan_reads_as_it_is_written() -> None:
    assert parse_plan("stand:10, walk 110:120 ,lean 20:40") == [
        Segment("stand", 10.0, 0.0),
        Segment("walk", 120.0, 110.0),
        Segment("lean", 40.0, 20.0),
    ]
    assert [str(s) for s in parse_plan("walk:5,lean:9")] == ["walk:5", "lean 20:9"]


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_csv", full)
    with pytest.raises(PlanError, match="No space left"):
        generate.write(Walk(parse_plan("stand:3"), 1), target)
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]
