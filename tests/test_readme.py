"""Every command of the README is run, in order, as a newcomer would, with a virtual clip for the one to plug in."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.strip()]
# `make demo` and `make test` put the commands here.
BIN = Path(sys.executable).parent


def alike(one: str, other: str, share: float = 0.05, least: float = 5.0) -> bool:
    """The same words, and numbers that differ by little: a float may fall otherwise on another machine."""
    number = re.compile(r"\d+(?:\.\d+)?")
    if number.sub("#", one).split() != number.sub("#", other).split():
        return False
    pairs = zip(map(float, number.findall(one)), map(float, number.findall(other)), strict=True)
    return all(abs(a - b) <= max(least, share * max(a, b)) for a, b in pairs)


@dataclass
class Newcomer:
    """A folder, an environment and what runs in the background."""

    folder: Path
    env: dict[str, str]
    background: list[subprocess.Popen[str]] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)

    def run(self, line: str) -> str:
        """Run a command line; standard output."""
        if line.endswith("&"):
            return self.start(line[:-1].strip())
        words = shlex.split(line)
        if words == [".", ".venv/bin/activate"]:
            self.env["PATH"] = os.pathsep.join([str(BIN), self.env["PATH"]])
            return ""
        folder = self.folder
        if words[0] in ("make", "pipx"):
            folder = ROOT
        if words[0] == "pipx":
            words = [sys.executable, "-m", *words]
        env = dict(self.env)
        if words[0] == "walktall" and "--port" not in words:
            env["WALKTALL_PORT"] = self.clip()
        done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"$ {line}\n{done.stdout}{done.stderr}"
        self.told[line] = done.stdout
        return done.stdout

    def start(self, line: str) -> str:
        process = subprocess.Popen(shlex.split(line), cwd=self.folder, env=self.env, stdout=subprocess.PIPE, text=True)
        self.background.append(process)
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said, f"$ {line} &\nended with {process.wait()}"
        return said

    def clip(self) -> str:
        """The port of a clip that has been worn: stands in for the one that is plugged in."""
        port = self.folder / "plugged-in"
        if not port.exists():
            recording = self.folder / "worn.csv"
            self.run(f"{BIN}/walktall-sim generate --minutes 4 --seed 3 --out {recording}")
            self.start(f"{BIN}/walktall-sim serve {recording} --speed max --link {port}")
        return str(port)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    folder = tmp_path_factory.mktemp("newcomer")
    # The commands are those that pipx puts there, until the README says to activate the development environment.
    rest = [part for part in os.environ["PATH"].split(os.pathsep) if Path(part) != BIN]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "MAKE"))}
    env |= {
        "PATH": os.pathsep.join([str(folder / "bin"), *rest]),
        "PIPX_HOME": str(folder / "pipx"),
        "PIPX_BIN_DIR": str(folder / "bin"),
        "PIPX_MAN_DIR": str(folder / "man"),
        "PIPX_DEFAULT_BACKEND": "pip",
        "WALKTALL_STORE": str(folder / "walks.db"),
        "PIP_QUIET": "2",
    }
    somebody = Newcomer(folder, env)
    yield somebody
    for process in somebody.background:
        process.send_signal(signal.SIGINT)
        limit = time.monotonic() + 10
        while process.poll() is None and time.monotonic() < limit:
            time.sleep(0.05)
        process.kill()


def test_readme_shows_a_picture_and_begins_with_the_demo() -> None:
    text = README.read_text()
    (picture,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert (ROOT / picture).stat().st_size > 1000
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
    assert "buzz" in told
    assert "recovered" in told


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
