"""Words and names that a terminal or a file cannot hold: `walktall-sim` shows them as well as can be, and goes on."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from walktall_sim.cli import run
from walktall_sim.printable import printable

from tests.sim_files import standing

posix = pytest.mark.skipif(sys.platform != "linux", reason="names that are not UTF-8")
#: as a name's byte ff reaches Python
ODD = "\udcff"
SUITE = """
[[case]]
name = "NAME"
walk = { plan = "stand:6,walk:30", seed = 3 }
expect = [{ event = "buzz", times = 2 }]
"""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Half a minute of standing whose label and trial are no letters of Western Europe."""
    rows = standing(52.0, 30.0)
    rows[:, 1:] += np.random.default_rng(2).normal(0.0, 0.01, rows[:, 1:].shape)
    lines = [",".join(f"{v:.6g}" for v in row) + ",散,步" for row in rows]
    path = tmp_path / "walk.csv"
    path.write_text("\n".join(["t_s,ax,ay,az,gx,gy,gz,label,trial", *lines]), encoding="utf-8")
    return path


def suite(path: Path, name: str = "one") -> Path:
    path.write_text(SUITE.replace("NAME", name), encoding="utf-8")
    return path


@pytest.mark.parametrize("json_", [False, True])
@pytest.mark.parametrize("command", ["info", "replay", "generate", "check"])
def test_a_terminal_that_lacks_the_letters_shows_question_marks_and_json_escapes(
    tmp_path: Path, recording: Path, command: str, json_: bool
) -> None:
    arguments = {
        "info": ["info", recording],
        "replay": ["replay", recording, "--fast"],
        "generate": ["generate", "--minutes", "0.5", "--out", tmp_path / "步.csv"],
        "check": ["check", suite(tmp_path / "mine.toml", "步")],
    }[command]
    if json_ and command != "generate":
        arguments.append("--json")
    shown = subprocess.run(
        [sys.executable, "-m", "walktall_sim", *arguments],
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        text=True,
        encoding="cp1252",
        timeout=60,
    )
    assert (shown.returncode, shown.stderr) == (int(command == "check"), "")
    if "--json" in arguments:
        first = json.loads(shown.stdout.splitlines()[0])
        assert first.get("trial", first.get("case")) == "步"
    else:
        assert "?" in shown.stdout.splitlines()[command == "check"]


@posix
@pytest.mark.parametrize("option", ["", "--json", "--junit", "--markdown", "--html", "--save"])
@pytest.mark.parametrize("place", [f"{ODD}m.toml", f"{ODD}d/m.toml"])
def test_a_suite_is_checked_whatever_it_is_called(
    tmp_path: Path, place: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / place
    file.parent.mkdir(exist_ok=True)
    suite(file)
    out = tmp_path / "out"
    named = file if file.parent == tmp_path else file.parent
    arguments = [option] if option in ("", "--json") else [option, str(out)]
    assert run(["check", str(named), *filter(None, arguments)]) == 1
    assert capsys.readouterr().err == ""
    if out.is_file():
        out.read_text(encoding="utf-8")
    if option == "--junit":
        assert "?" in ET.parse(out).getroot()[0].attrib["file"]


@posix
@pytest.mark.parametrize("kind", ["svg", "png"])
@pytest.mark.parametrize("name", [f"{ODD}w.csv", "a$x^{$.csv", "步.csv"])
def test_a_recording_is_drawn_whatever_it_is_called(
    recording: Path, name: str, kind: str, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    path = recording.rename(recording.with_name(name))
    picture = path.with_name(f"x.{kind}")
    for command in (["replay", "--fast"], ["info"]):
        assert run([command[0], str(path), *command[1:], "--plot", str(picture)]) == 0
        if kind == "svg":
            assert name.replace(ODD, "?") in "".join(ET.parse(picture).getroot().itertext())
        picture.unlink()
    assert capsys.readouterr().err == ""
    assert not recwarn.list


@posix
def test_a_parquet_file_of_a_name_that_polars_does_not_take_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"{ODD}w.parquet"
    assert run(["generate", "--minutes", "0.5", "--out", str(out)]) == 2
    assert "needs a name in UTF-8" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    plain = tmp_path / "w.parquet"
    assert run(["generate", "--minutes", "0.5", "--out", str(plain)]) == 0
    plain.rename(out)
    capsys.readouterr()
    for command in ("replay", "info"):
        assert run([command, str(out)]) == 2
        assert "?w.parquet: a Parquet file needs a name in UTF-8" in capsys.readouterr().err


def test_a_case_name_cannot_act_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = suite(tmp_path / "mine.toml", "a\\u001b[2Jb\\u0000c")
    assert run(["check", str(path)]) == 1
    assert "a?[2Jb?c" in capsys.readouterr().out
    assert run(["check", str(path), "--json", "--junit", str(tmp_path / "j.xml")]) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[0])["case"] == "a?[2Jb?c"
    assert ET.parse(tmp_path / "j.xml").getroot()[0][0].attrib["name"] == "a?[2Jb?c"


def test_a_message_is_one_line_whatever_the_name_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(tmp_path / "a\nb\x1bc.csv")]) == 2
    assert capsys.readouterr().err.endswith("a?b?c.csv: no such file\n")


def test_letters_of_all_scripts_and_signs_are_printable() -> None:
    assert printable("Größe 5°, 散步, 🙂 - ok") == "Größe 5°, 散步, 🙂 - ok"
    assert printable("\x00\x1b\x7f\x9b\u202e\u2028\ud800\ufffe\n") == "?" * 9
