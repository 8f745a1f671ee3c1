"""The step for GitHub's CI, as far as it can be tried without GitHub: its form, its shell, the document's workflow."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
SUITE = """\
[[case]]
name = "a lean"
walk = { plan = "stand:6,walk:44", seed = 3 }
turns = ["20@25+15/1"]
settings = { hold_s = 5 }
expect = [{ event = "buzz" }, { field = "wear_s", is = 50 }]
"""


class Runner:
    """What GitHub's runner is to a composite action: expressions filled in, files to write to, bash as it calls it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.summary, self.path = folder / "summary.md", folder / "path"
        self.summary.touch()
        self.path.touch()

    def run(self, inputs: dict[str, str], bin_folder: Path) -> tuple[int, str]:
        """All steps with these inputs: the first status that is not 0, and what was printed."""
        values = {name: one.get("default", "") for name, one in ACTION["inputs"].items()} | inputs
        assert set(values) == set(ACTION["inputs"])
        told = ""
        for step in ACTION["runs"]["steps"]:
            wanted = re.fullmatch(r"\$\{\{ inputs\.(\w+) == '(\w+)' \}\}", step.get("if", ""))
            if "if" in step and wanted and values[wanted[1]] != wanted[2]:
                continue
            env = {name: self._filled(value, values) for name, value in step.get("env", {}).items()}
            done = subprocess.run(
                # As the runner's own documentation gives it for `shell: bash`.
                ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
                cwd=self.folder,
                capture_output=True,
                text=True,
                env={
                    **os.environ,
                    **env,
                    "PATH": os.pathsep.join([str(bin_folder), os.environ["PATH"]]),
                    "GITHUB_ACTION_PATH": str(ROOT),
                    "GITHUB_STEP_SUMMARY": str(self.summary),
                    "GITHUB_PATH": str(self.path),
                    "RUNNER_TEMP": str(self.folder / "temp"),
                },
            )
            told += done.stdout + done.stderr
            if done.returncode:
                return done.returncode, told
        return 0, told

    @staticmethod
    def _filled(text: str, values: dict[str, str]) -> str:
        return re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda found: values[found[1]], text)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    (tmp_path / "temp").mkdir()
    (tmp_path / "walks").mkdir()
    (tmp_path / "walks" / "my walks.toml").write_text(SUITE)
    return Runner(tmp_path)


OWN = Path(sys.executable).parent


def test_the_action_is_of_the_form_that_github_asks_for() -> None:
    assert {"name", "description", "runs"} <= set(ACTION) and ACTION["runs"]["using"] == "composite"
    for name, one in ACTION["inputs"].items():
        assert one["description"] and isinstance(one["default"], str), name
    for step in ACTION["runs"]["steps"]:
        assert step["shell"] == "bash" and step["name"]
        # Inputs reach the shell as variables alone: pasted into a script they could say anything.
        assert "${{" not in step["run"]
        used = {re.fullmatch(r"\$\{\{ inputs\.(\w+) \}\}", value)[1] for value in step.get("env", {}).values()}  # type: ignore[index]
        assert used <= set(ACTION["inputs"])
    assert {"suites", "against", "junit", "summary"} <= set(ACTION["inputs"])


def test_it_checks_writes_and_tells_the_summary(runner: Runner) -> None:
    inputs = {"install": "false", "suites": "walks/my walks.toml\n", "junit": "out.xml", "save": "now.jsonl"}
    status, told = runner.run({**inputs, "against": "before.jsonl"}, OWN)
    assert status == 0, told
    assert "1 case: 1 passed" in told and "::notice::before.jsonl is not there" in told
    assert runner.summary.read_text() == "### Detector check\n\n1 case: 1 passed.\n"
    assert (runner.folder / "out.xml").exists()
    os.rename(runner.folder / "now.jsonl", runner.folder / "before.jsonl")
    suite = runner.folder / "walks" / "my walks.toml"
    suite.write_text(SUITE.replace("hold_s = 5", "hold_s = 7").replace("is = 50", "is = 51"))
    status, told = runner.run({**inputs, "against": "before.jsonl", "suites": "walks"}, OWN)
    assert status == 1, told
    said = runner.summary.read_text().split("### Detector check")[2]
    assert "| my walks: a lean | wear_s = 51 | 50 |" in said and "passed → failed" in said and "moved" in said


def test_it_fails_on_wrong_input_and_is_quiet_in_the_summary_when_asked(runner: Runner) -> None:
    assert runner.run({"install": "false", "suites": "nothing"}, OWN)[0] == 2
    status, told = runner.run({"install": "false", "suites": "walks", "summary": "false"}, OWN)
    assert status == 0, told
    assert runner.summary.read_text() == ""


def test_what_an_input_says_is_never_run(runner: Runner) -> None:
    status, _ = runner.run({"install": "false", "suites": "$(touch pwned)\n`touch pwned`;touch pwned"}, OWN)
    assert status == 2 and not (runner.folder / "pwned").exists()


def test_it_installs_this_very_tree_with_extras_that_exist(runner: Runner) -> None:
    """The steps themselves, with a python3 that takes down what it is asked for in the place of downloads."""
    fake = runner.folder / "fake"
    fake.mkdir()
    (fake / "python3").write_text(
        "#!/bin/bash\n"
        'if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; exit; fi\n'
        f'echo "$@" > {runner.folder}/asked\n'
    )
    (fake / "python3").chmod(0o755)
    (fake / "walktall-sim").write_text(f'#!/bin/bash\nexec "{OWN}/walktall-sim" "$@"\n')
    (fake / "walktall-sim").chmod(0o755)
    status, told = runner.run({"suites": "walks"}, fake)
    assert status == 0, told
    asked = (runner.folder / "asked").read_text().split()
    path, extras = re.fullmatch(r"(.*)\[(.*)\]", asked[-1]).groups()  # type: ignore[union-attr]
    assert asked[:3] == ["-m", "pip", "install"] and Path(path) == ROOT
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras.split(",")) <= set(known)
    assert runner.path.read_text().strip() == str(runner.folder / "temp" / "walktall" / "bin")


def test_the_workflow_in_the_document_uses_the_action_rightly() -> None:
    page = (ROOT / "docs" / "simulator.md").read_text()
    section = page.split("## In GitHub's CI\n")[1].split("\n## ")[0]
    (text,) = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    workflow: dict[Any, Any] = yaml.safe_load(text)
    # YAML 1.1 takes the bare word `on` for true.
    assert {"push", "pull_request"} <= set(workflow.get("on", workflow.get(True)))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    for step in steps:
        assert ("uses" in step) != ("run" in step)
        assert re.fullmatch(r"[\w./-]+@[\w.]+", step.get("uses", "x/y@v1")), step
    (own,) = [step for step in steps if "walktall" in step.get("uses", "").split("@")[0]]
    assert set(own["with"]) <= set(ACTION["inputs"])
    for name in ACTION["inputs"]:
        assert f"`{name}`" in section, name
