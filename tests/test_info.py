"""`walktall-sim info`: rate, gaps, saturation and how the sensor seems to sit; and the recording drawn."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from walktall_sim.cli import run

from tests.sim_files import REAL, real, standing, write_csv


def told(capsys: pytest.CaptureFixture[str], path: Path, *arguments: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run(["info", str(path), "--json", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


# --- saturation, stuck rows, gaps ---------------------------------------------------------------------------------


def test_what_a_good_recording_has_to_say(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = standing(seconds=8.0)
    rows[:, 1:] += np.random.default_rng(1).normal(0.0, 0.02, (len(rows), 6))
    (line,) = told(capsys, write_csv(tmp_path / "a.csv", rows))
    assert (line["rate_hz"], line["gaps"], line["saturated_rows"], line["stuck_rows"]) == (52.0, 0, 0, 0)
    assert (line["beyond_4g_rows"], line["beyond_500dps_rows"], line["looks_up"]) == (0, 0, "+y")
    assert line["looks_forward"] is None and line["greatest_g"] == pytest.approx(1.0, abs=0.02)
    assert run(["info", str(tmp_path / "a.csv")]) == 0
    assert capsys.readouterr().out.count("\n") == 1


def test_values_that_stand_at_the_end_of_the_scale_are_counted_by_axis(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = standing(seconds=20.0)
    t = rows[:, 0]
    rows[:, 1:] += np.random.default_rng(1).normal(0.0, 0.02, (len(rows), 6))
    rows[:, 1] = np.clip(30.0 * np.sin(2 * np.pi * 0.5 * t), -19.6133, 19.6133)
    rows[:, 6] = 20.0 * np.sin(2 * np.pi * 0.5 * t)
    (line,) = told(capsys, write_csv(tmp_path / "a.csv", rows))
    railed = np.abs(rows[:, 1]) == 19.6133
    # The first two rows of each stretch are not yet known to stand still.
    stretches = np.sum(np.diff(railed.astype(int)) == 1)
    assert line["saturated_axes"] == ["ax"]
    assert line["saturated_rows"] == pytest.approx(railed.sum() - 2 * stretches, abs=2)
    assert line["beyond_500dps_rows"] == int((np.abs(rows[:, 6]) > np.radians(500)).sum()) > 0
    assert run(["info", str(tmp_path / "a.csv")]) == 0
    assert "at the end of the scale (ax)" in capsys.readouterr().out


def test_rows_that_stand_still_and_gravity_of_another_strength_are_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = standing(seconds=8.0)
    rows[:, 1:] += np.random.default_rng(1).normal(0.0, 0.02, (len(rows), 6))
    rows[:, 1:4] *= 1.3
    rows[200:240, 1:] = rows[199, 1:]
    (line,) = told(capsys, write_csv(tmp_path / "a.csv", rows))
    assert line["stuck_rows"] == 39
    assert run(["info", str(tmp_path / "a.csv")]) == 0
    said = capsys.readouterr().out
    assert "1.30 g, where standing is 1 g" in said and "39 rows that repeat" in said


def test_the_same_counts_come_from_small_batches(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from walktall_sim import recordings

    rows = standing(seconds=60.0)
    rows[:, 1:] += np.random.default_rng(1).normal(0.0, 0.02, (len(rows), 6))
    rows[1000:1300, 1] = 21.0
    rows[2000:2100, 1:] = rows[2000, 1:]
    path = write_csv(tmp_path / "a.csv", rows)
    whole = told(capsys, path)
    monkeypatch.setattr(recordings, "_CHUNK", 700)
    assert told(capsys, path) == whole and whole[0]["saturated_rows"] == 298


# --- how the sensor sits ------------------------------------------------------------------------------------------

MANIFEST = json.loads((REAL / "manifest.json").read_text())["sets"] if (REAL / "manifest.json").is_file() else {}
WALKERS = [
    *(f"grouvel_sternum/P{n:02}" for n in range(2, 7)),
    *(f"ipol_l5/s{n:02}" for n in (1, 4, 8)),
    "forth_trace/part4",
]


@pytest.mark.parametrize("name", WALKERS)
def test_walking_tells_which_axes_point_up_and_forward(capsys: pytest.CaptureFixture[str], name: str) -> None:
    last = told(capsys, real(f"{name}.csv.gz"))[-1]
    entry = MANIFEST[name.split("/")[0]]
    assert (last["looks_up"], last["looks_forward"]) == (entry["up"], entry["forward"])


@pytest.mark.parametrize("turned", ["+x+y", "-y+x", "-z-y"])
def test_it_is_the_body_that_is_found_and_not_a_sensors_habit(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, turned: str
) -> None:
    """The same walks with the sensor put on otherwise."""
    from walktall_sim import mounting, recordings

    up, forward = (mounting.axis_vector(mounting.parse_axis(one)) for one in (turned[:2], turned[2:]))
    old_up, old_forward = (mounting.axis_vector(mounting.parse_axis(one)) for one in ("-x", "+z"))
    new = np.column_stack([up, forward, np.cross(up, forward)])
    turn = new @ np.column_stack([old_up, old_forward, np.cross(old_up, old_forward)]).T
    lines = ["t_s,ax,ay,az,gx,gy,gz,trial"]
    for trial in recordings.read_trials(real("grouvel_sternum/P05.csv.gz")):
        values = np.hstack([trial.values[:, :3] @ turn.T, trial.values[:, 3:] @ turn.T])
        rows = np.column_stack([trial.t_s, values])
        lines += [",".join(f"{v:.6g}" for v in row) + f",{trial.trial}" for row in rows]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    last = told(capsys, tmp_path / "a.csv")[-1]
    assert last["trial"] is None and last["looks_up"] + last["looks_forward"] == turned
    assert run(["info", str(tmp_path / "a.csv")]) == 0
    assert f"it looks like --up {turned[:2]} --forward {turned[2:]}" in capsys.readouterr().out


def test_who_hardly_walks_gives_no_forward(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, real("broad/01_undisturbed_slow_rotation_A.csv.gz"))[-1]["looks_forward"] is None


# --- the picture --------------------------------------------------------------------------------------------------


def test_the_picture_shows_both_sensors_and_one_trial(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = np.delete(standing(seconds=20.0), slice(300, 500), axis=0)
    path, out = write_csv(tmp_path / "a.csv", rows), tmp_path / "a.svg"
    assert run(["info", str(path), "--plot", str(out)]) == 0
    said = "|".join("".join(node.itertext()) for node in ET.parse(out).iter("{http://www.w3.org/2000/svg}text"))
    for word in ("specific force, g", "turning, degrees/s", "rows apart, ms", "a.csv"):
        assert word in said, word
    first = out.read_bytes()
    assert run(["info", str(path), "--plot", str(out)]) == 0
    assert out.read_bytes() == first
    both = write_csv(tmp_path / "b.csv", np.concatenate([rows, rows]))
    assert run(["info", str(both), "--plot", str(out)]) == 2
    assert "--trial" in capsys.readouterr().err
    assert run(["info", str(both), "--trial", "2", "--plot", str(tmp_path / "b.png")]) == 0
    assert (tmp_path / "b.png").read_bytes()[:4] == b"\x89PNG"


def test_a_long_recording_is_drawn_small(tmp_path: Path) -> None:
    rows = standing(seconds=1200.0)
    rows[30_000, 1] = 35.0
    out = tmp_path / "a.svg"
    assert run(["info", str(write_csv(tmp_path / "a.csv", rows)), "--plot", str(out)]) == 0
    # The one row that stands out is still there: the scale goes up to it.
    assert out.stat().st_size < 1_000_000 and ">3<" in out.read_text().replace("−", "-")


@pytest.mark.parametrize("arguments", [["--trial", "7"], ["--plot", "x.pdf"], ["--plot", "gone/x.svg"]], ids=" ".join)
def test_wrong_use_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str]) -> None:
    path = write_csv(tmp_path / "a.csv", standing())
    assert run(["info", str(path), *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_without_a_recording_it_tells_the_installation(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info"]) == 0
    assert capsys.readouterr().out.startswith("walktall-sim ")
    assert run(["info", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"version", "fast_path", "why"}
    assert run(["info", "--trial", "1"]) == 2
