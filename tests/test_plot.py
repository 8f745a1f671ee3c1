"""`replay --plot` draws what was told: a valid picture, the same for the same walk, and one line where it cannot."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from walktall_sim.cli import run

PLAN = "stand:6,walk:60,lean 20:25,walk:20,stand:9"


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("walk") / "walk.csv"
    assert run(["generate", "--plan", PLAN, "--seed", "3", "--out", str(path)]) == 0
    return path


def drawn(walk: Path, out: Path, *more: str) -> str:
    assert run(["replay", str(walk), "--fast", "--plot", str(out), *more]) == 0
    return out.read_text()


def words(svg: str) -> str:
    return " | ".join(
        "".join(node.itertext()).strip() for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    )


def test_the_picture_says_limits_states_buzzes_and_steps(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, walk: Path
) -> None:
    said = words(drawn(walk, tmp_path / "a.svg", "--set", "on_deg=13"))
    for word in ("forward from 13°", "until 8°", "back from −8°", "lean", "buzz", "recovered", "hold timer", "steps"):
        assert word in said, word
    for state in ("good", "forward", "still", "buzzing"):
        assert f"| {state}" in said, state
    assert "1 buzz " in said and "walk.csv" in said and "jog" not in said


def test_the_picture_is_the_same_for_the_same_walk_and_for_both_paths(tmp_path: Path, walk: Path) -> None:
    first = drawn(walk, tmp_path / "a.svg")
    assert first == drawn(walk, tmp_path / "b.svg")
    assert run(["replay", str(walk), "--full", "--plot", str(tmp_path / "c.svg")]) == 0
    assert (tmp_path / "c.svg").read_text() == first


def test_a_turn_and_a_gap_are_drawn(tmp_path: Path, walk: Path) -> None:
    rows = walk.read_text().splitlines()
    cut = tmp_path / "cut.csv"
    cut.write_text("\n".join(rows[: 104 * 40] + rows[104 * 43 :]))
    said = words(drawn(cut, tmp_path / "a.svg", "--turn", "15@50+10/1"))
    assert "turn put on the walk" in said and "gap" in said


def test_png_is_png(tmp_path: Path, walk: Path) -> None:
    out = tmp_path / "a.PNG"
    assert run(["replay", str(walk), "--fast", "--plot", str(out)]) == 0
    assert out.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("name", ["a.pdf", "plot", "gone/a.svg"])
def test_a_name_that_will_not_do_is_refused_before_anything_is_played(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, walk: Path, name: str
) -> None:
    capsys.readouterr()
    assert run(["replay", str(walk), "--plot", str(tmp_path / name)]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and "--plot" in shown.err


def test_several_trials_are_not_drawn_over_each_other(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, walk: Path
) -> None:
    rows = walk.read_text().splitlines()
    both = tmp_path / "both.csv"
    both.write_text("\n".join([*rows[:1200], *rows[1:1200]]))
    out = tmp_path / "a.svg"
    assert run(["replay", str(both), "--fast", "--plot", str(out)]) == 2
    assert "--trial" in capsys.readouterr().err and not out.exists()
    assert "both.csv, trial 2" in words(drawn(both, out, "--trial", "2"))


def test_without_matplotlib_one_line_names_the_extra(tmp_path: Path, walk: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError('gone', name='matplotlib')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from walktall_sim.cli import main; main()"
    command = [sys.executable, "-c", code, "replay", str(walk), "--plot", str(tmp_path / "a.svg")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "walktall-sim: matplotlib is not installed: pip install 'walktall[plot]'\n"
