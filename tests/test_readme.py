"""Every command of the README is run, in order, as a newcomer would, with a virtual clip for the one to plug in."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.newcomer import ROOT, Newcomer, newcomer_in

README = ROOT / "README.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.strip()]


def alike(one: str, other: str, share: float = 0.05, least: float = 5.0) -> bool:
    """The same words, and numbers that differ by little: a float may fall otherwise on another machine."""
    number = re.compile(r"\d+(?:\.\d+)?")
    if number.sub("#", one).split() != number.sub("#", other).split():
        return False
    pairs = zip(map(float, number.findall(one)), map(float, number.findall(other)), strict=True)
    return all(abs(a - b) <= max(least, share * max(a, b)) for a, b in pairs)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    # The commands are those that pipx puts there, until the README says to activate the development environment.
    somebody = newcomer_in(tmp_path_factory.mktemp("newcomer"), activated=False)
    yield somebody
    somebody.leave()


def test_readme_shows_a_picture_and_begins_with_the_demo() -> None:
    text = README.read_text()
    picture = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)[0]
    assert (ROOT / picture).stat().st_size > 1000
    assert text.index(picture) < text.index("## "), "the picture leads"
    assert COMMANDS[0] == "make demo"


@pytest.mark.parametrize("line", COMMANDS)
def test_command_of_the_readme_works(newcomer: Newcomer, line: str) -> None:
    newcomer.run(line)


def test_readme_shows_the_report_that_the_demo_prints(newcomer: Newcomer, request: pytest.FixtureRequest) -> None:
    told = newcomer.told["make demo"]
    # From the accounting on: what stands above is dated.
    report = told[told.index("Where each second went") : told.index("The clip\n")].rstrip()
    begin, end = "<!-- begin: report -->\n```\n", "```\n<!-- end: report -->"
    head, rest = README.read_text().split(begin)
    shown, tail = rest.split(end)
    if request.config.getoption("--rewrite"):
        README.write_text(f"{head}{begin}{report}\n{end}{tail}")
        return
    assert alike(shown, report), "run: pytest tests/test_readme.py --rewrite"


def test_replay_of_the_readme_buzzes_and_recovers(newcomer: Newcomer) -> None:
    (line,) = [line for line in COMMANDS if line.startswith("walktall-sim replay")]
    told = newcomer.told[line]
    assert "recovered" in told

    def buzzed_behind_the_turn(told: str) -> int:
        return len([when for when in re.findall(r"^ *([\d.]+) s  buzz", told, re.MULTILINE) if float(when) > 150])

    # As docs/start.md says of it: once for the turn, not at all at 9 degrees, again where the limit is 8.
    start = (ROOT / "docs" / "start.md").read_text()
    assert line in start
    assert "Try 9° instead of 20" in start
    assert "`--set on_deg=8 --set off_deg=5`" in start
    nine = line.replace("20@", "9@")
    assert buzzed_behind_the_turn(told) == 1
    assert buzzed_behind_the_turn(newcomer.run(f"{nine} --fast")) == 0
    assert buzzed_behind_the_turn(newcomer.run(f"{nine} --fast --set on_deg=8 --set off_deg=5")) == 1


def test_make_targets_that_the_readme_names_exist() -> None:
    for target in re.findall(r"`make ([a-z]+)`", README.read_text()):
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_picture_is_what_the_firmware_draws_today() -> None:
    """The committed picture comes from real output: where the detector has changed, it is drawn anew."""
    env = dict(os.environ, PYTHONPATH=str(ROOT / "scripts"))
    code = "import picture, sys; sys.stdout.write(picture.picture())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    committed = (ROOT / "docs" / "pictures" / "walk.svg").read_text()
    # The buzzes and their times, then the curve; a second that changes its class is not worth a new picture.
    for part in (r'aria-label="[^"]*"', r'points="[^"]*" fill="none" stroke="#0072b2"'):
        (drawn,), (kept,) = re.findall(part, done.stdout), re.findall(part, committed)
        assert alike(drawn, kept), "run: make pictures"
