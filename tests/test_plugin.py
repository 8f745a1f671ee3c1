"""The pytest plugin in somebody else's project: suites are items, the fixture replays, failures say what came."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

# What the inner runs import has to be there before: NumPy is not loaded twice in a process.
from walktall_sim import checking, fullpath, pytest_plugin  # noqa: F401

pytest_plugins = ["pytester"]

SUITE = """\
[[case]]
name = "a lean"
walk = { plan = "stand:6,walk:54", seed = [3, 4] }
turns = ["20@35+15/1"]
settings = { hold_s = 5 }
expect = [{ event = "buzz", fault = "forward", from_s = 38, to_s = 46 }, { field = "wear_s", is = 60 }]
"""


_PLAIN = ["cacheprovider", "xdist", "hypothesispytest", "benchmark"]


def project(pytester: pytest.Pytester, *arguments: str, own_process: bool = False) -> pytest.RunResult:
    """pytest in the project's own folder; the entry point is what brings the plugin."""
    run = pytester.runpytest_subprocess if own_process else pytester.runpytest_inprocess
    return run(*(f"-pno:{name}" for name in _PLAIN), *arguments)


def test_the_plugin_is_an_entry_point_of_the_distribution() -> None:
    found = importlib.metadata.entry_points(group="pytest11", name="walktall")
    assert {one.value for one in found} == {"walktall_sim.pytest_plugin"}


def test_a_suite_is_collected_case_by_case_and_passes(pytester: pytest.Pytester) -> None:
    (pytester.mkdir("walks") / "mine.walktall.toml").write_text(SUITE)
    pytester.makefile(".toml", pyproject="[project]\nname = 'x'\n", other="[tool]\n")
    result = project(pytester, "-v", own_process=True)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*walks/mine.walktall.toml::a lean (seed 3) PASSED*"])
    # By its name alone, as any test.
    project(pytester, "-k", "seed and 4").assert_outcomes(passed=1, deselected=1)


def test_a_case_that_fails_says_what_was_expected_what_came_and_how_to_see_it(pytester: pytest.Pytester) -> None:
    path = pytester.path / "mine.walktall.toml"
    path.write_text(SUITE.replace("is = 60", "is = 61").replace("[3, 4]", "3"))
    result = project(pytester, "--junitxml=out.xml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            f"{path}:1: a lean",
            "*held *expected 1 or more forward buzz within 38..46 s; found 1 at *",
            "*FAILED expected wear_s = 61; found 60",
            "* s  buzz forward LEAN",
            f"*walktall-sim check {path} --case 'a lean' --html case.html",
            "FAILED mine.walktall.toml::a lean - expected wear_s = 61; found 60",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    case = ET.parse(pytester.path / "out.xml").getroot().find(".//testcase")
    assert case is not None and case.get("name") == "a lean"


def test_suites_that_the_ini_file_names_are_collected_too(pytester: pytest.Pytester) -> None:
    (pytester.mkdir("data") / "held.toml").write_text(SUITE.replace("[3, 4]", "3"))
    pytester.makefile(".toml", other=SUITE)
    pytester.makeini("[pytest]\nwalktall_suites = data/*.toml\n")
    project(pytester).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("ini", "said"),
    [
        ("data/*.toml", ""),
        ("da*.toml", ""),
        ("data/*.toml gone/*.toml", "*no file 'data/[*].toml gone/[*].toml'; each pattern has a line of its own"),
        ("\n  data/*.toml\n  gone.toml", "*walktall_suites: no file 'gone.toml'"),
    ],
)
def test_a_pattern_that_names_no_file_is_warned_of(pytester: pytest.Pytester, ini: str, said: str) -> None:
    (pytester.mkdir("data") / "held.toml").write_text(SUITE.replace("[3, 4]", "3"))
    pytester.makepyfile("def test_nothing():\n    pass\n")
    pytester.makeini(f"[pytest]\nwalktall_suites = {ini}\n")
    result = project(pytester)
    result.assert_outcomes(passed=2 - (" " in ini.strip() and "\n" not in ini), warnings=bool(said))
    if said:
        result.stdout.fnmatch_lines([said])


def test_a_wrong_suite_is_an_error_with_file_and_line(pytester: pytest.Pytester) -> None:
    path = pytester.path / "mine.walktall.toml"
    path.write_text(SUITE.replace("wear_s", "wear"))
    result = project(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"{path}:6: the session record has no field 'wear'*"])
    assert "Traceback" not in result.stdout.str()


def test_a_case_that_cannot_be_played_here_is_skipped_with_the_reason(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECORDINGS", "gone")
    text = "[[case]]\nname = 'x'\nrecording = '${RECORDINGS}/x.csv'\nexpect = [{ event = 'buzz' }]\n"
    (pytester.path / "mine.walktall.toml").write_text(text)
    result = project(pytester, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*recordings do not stand here*"])


FIXTURE = """\
import numpy as np
import polars as pl
import pytest


def test_a_recording_beside_the_test(walktall):
    walk = walktall.replay("walk.csv", turns=["20@35+15/1"], settings={"hold_s": 5})
    assert len(walk.of("buzz", fault="forward")) == 1 and not walk.of("buzz", fault="back")
    assert 38 < walk.times_s("buzz")[0] < 46
    assert walk.summary["wear_s"] == 60 and walk.of("walking") and not walk.of("stopped")


def test_rows_in_three_forms_give_the_same(walktall):
    rows = walktall.generate("stand:6,walk:30,lean 20:20", seed=3)
    settings = {"hold_s": 5}
    told = walktall.replay(rows, settings=settings)
    assert told.of("buzz", label="LEAN")
    frame = pl.DataFrame(rows, schema=["t_s", "ax", "ay", "az", "gx", "gy", "gz"], orient="row")
    assert walktall.replay(frame, settings=settings) == told
    assert walktall.replay(rows[:, 1:], rate_hz=104, settings=settings).summary == told.summary
    assert walktall.replay(rows, settings=settings, full=True).events == told.events


@pytest.mark.parametrize("walk", [np.zeros((5, 3)), np.zeros((5, 6)), np.full((5, 7), np.nan), "gone.csv"])
def test_what_will_not_do_is_told(walktall, walk):
    with pytest.raises(ValueError):
        walktall.replay(walk)


def test_a_word_that_is_none_is_refused(walktall):
    told = walktall.replay("walk.csv")
    assert told.of("buzz", fault="back") == told.of("slip") == []
    for words in ({"event": "buz"}, {"event": "buzz", "fault": "front"}, {"event": "buzz", "label": "lean"}):
        with pytest.raises(ValueError, match="is called .*; one of"):
            told.of(**words)


def test_a_suite_from_a_test(walktall):
    (one,) = [one for one in walktall.check("made") if one.name.startswith("small angles")]
    assert one.status == "passed"
"""


def test_the_fixture_replays_recordings_and_rows(pytester: pytest.Pytester) -> None:
    from walktall_sim.cli import run

    assert run(["generate", "--plan", "stand:6,walk:54", "--seed", "3", "--out", str(pytester.path / "walk.csv")]) == 0
    pytester.makepyfile(FIXTURE.replace("made", "small"))
    (pytester.path / "small").write_text(SUITE.replace("a lean", "small angles").replace("[3, 4]", "3"))
    project(pytester).assert_outcomes(passed=8)
    result = project(pytester, "--fixtures")
    result.stdout.fnmatch_lines(["walktall*", "*Plays walks to the posture clip's own code*"])


def test_a_project_without_walks_imports_nothing_heavy(pytester: pytest.Pytester) -> None:
    heavy = "{'numpy', 'polars', 'walktall'}"
    pytester.makepyfile(f"import sys\ndef test_x():\n    assert not {heavy} & set(sys.modules)\n")
    project(pytester, own_process=True).assert_outcomes(passed=1)


def test_without_the_simulators_packages_one_line_names_the_extra(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = pytester.mkdir("gone")
    (gone / "polars.py").write_text("raise ModuleNotFoundError('gone', name='polars')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(gone), *filter(None, [os.environ.get("PYTHONPATH")])]))
    (pytester.path / "mine.walktall.toml").write_text(SUITE)
    result = project(pytester, own_process=True)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*polars is not installed: pip install 'walktall[[]sim]'"])


def test_two_workers_collect_the_same(pytester: pytest.Pytester) -> None:
    (pytester.path / "mine.walktall.toml").write_text(SUITE)
    pytester.runpytest_subprocess("-pno:cacheprovider", "-n", "2").assert_outcomes(passed=2)


def test_the_document_shows_a_test_and_an_option_that_work(pytester: pytest.Pytester) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "simulator.md").read_text()
    section = page.split("## In your own tests\n")[1].split("\n## ")[0]
    assert pytest_plugin.INI in section and pytest_plugin.SUFFIX in section
    code = section.split("```python\n")[1].split("```")[0]
    done = subprocess.run(
        [sys.executable, "-m", "walktall_sim", "generate", "--minutes", "2", "--out", str(pytester.path / "walk.csv")]
    )
    assert done.returncode == 0
    pytester.makepyfile(code)
    project(pytester).assert_outcomes(passed=code.count("def test_"))
