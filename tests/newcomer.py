"""Somebody new who runs the documents' commands: an empty folder, the commands at hand, a worn clip to plug in."""

import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# `make demo` and `make test` put the commands here.
BIN = Path(sys.executable).parent


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
        words = shlex.split(line, comments=True)
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
        if set(words) & {"|", ">", "<", "&&"}:
            words = ["bash", "-o", "pipefail", "-c", line]
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

    def leave(self) -> None:
        """End what runs in the background."""
        for process in self.background:
            process.send_signal(signal.SIGINT)
            limit = time.monotonic() + 10
            while process.poll() is None and time.monotonic() < limit:
                time.sleep(0.05)
            process.kill()


def newcomer_in(folder: Path, *, activated: bool) -> Newcomer:
    """A newcomer in an empty folder.

    :param activated: the development environment's commands are at hand; else only what pipx will install
    """
    rest = [part for part in os.environ["PATH"].split(os.pathsep) if Path(part) != BIN]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "MAKE"))}
    first = [str(BIN)] if activated else []
    env |= {
        "PATH": os.pathsep.join([*first, str(folder / "bin"), *rest]),
        "PIPX_HOME": str(folder / "pipx"),
        "PIPX_BIN_DIR": str(folder / "bin"),
        "PIPX_MAN_DIR": str(folder / "man"),
        "PIPX_DEFAULT_BACKEND": "pip",
        "WALKTALL_STORE": str(folder / "walks.db"),
        "PIP_QUIET": "2",
    }
    return Newcomer(folder, env)
