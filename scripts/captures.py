"""`make pictures`: what a person sees on the terminal: docs/pictures/live.svg, download.svg, explain.svg.

A walk is made up and worn by the virtual clip; the ordinary commands run on a real pty, a terminal emulator (pyte)
keeps the screen, and Rich draws it. Nothing is touched up: what the picture shows is what the program printed.
docs/pictures/captures.digests.json keeps what they were made from; a test holds it against the files of today.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyte
from rich.style import Style
from rich.text import Text
from walktall_host.terminal import drawn

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "pictures"
NAMES = ("live", "download", "explain")
DIGESTS = OUT / "captures.digests.json"
# What the pictures show comes from here; the detector's own changes are seen in other tests.
SOURCES = (
    "scripts/captures.py",
    "host_tools/walktall_host/live.py",
    "host_tools/walktall_host/download.py",
    "host_tools/walktall_host/explain.py",
    "host_tools/walktall_host/buzzes.py",
    "host_tools/walktall_host/textplot.py",
    "host_tools/walktall_host/terminal.py",
)
COLUMNS, ROWS = 84, 24
# A walk whose lean is under way when the picture is taken.
PLAN = "stand:8,walk:24,lean 18:60,walk:20"
WALK = "stand:8,walk:90,slouch 18:60,walk:60"
SEED = 5


class Terminal:
    """A command on a pty, and the screen of whoever sits before it."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        columns: int = COLUMNS,
        rows: int = ROWS,
        folder: Path | None = None,
    ) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={"TERM": "xterm-256color", **env},
            cwd=folder,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def _take(self, timeout_s: float) -> bool:
        """Read what is there; False when the command has closed its end."""
        if select.select([self._master], [], [], timeout_s)[0]:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return False
            if not data:
                return False
            self.raw += data
            self._stream.feed(data)
        return True

    def until(self, seen: Callable[[str], object], timeout_s: float = 30.0) -> str:
        """The screen once it satisfies `seen`.

        :raises AssertionError: it never does
        """
        end = time.monotonic() + timeout_s
        while not seen(self.text):
            assert time.monotonic() < end, self.text
            if not self._take(0.05):
                assert seen(self.text), self.text
        return self.text

    def press(self, keys: bytes) -> None:
        """What is typed; b"\\x03" is Ctrl-C."""
        os.write(self._master, keys)

    def end(self, timeout_s: float = 30.0) -> int:
        """Read to the end; the exit status."""
        end = time.monotonic() + timeout_s
        while self._take(0.05) and time.monotonic() < end:
            pass
        status = self.process.wait(max(0.1, end - time.monotonic()))
        os.close(self._master)
        return status

    @property
    def text(self) -> str:
        """The screen as lines without the spaces at their ends."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def drawn(self, title: str) -> str:
        """The screen as SVG."""
        lines = []
        for row in range(len(self.text.splitlines())):
            line = Text(no_wrap=True)
            for column in range(self._screen.columns):
                cell = self._screen.buffer[row][column]
                colour = None if cell.fg == "default" else _rich_colour(cell.fg)
                line.append(cell.data, Style(color=colour, bold=cell.bold))
            line.rstrip()
            lines.append(line)
        return drawn([], lines, title, self._screen.columns)


def _rich_colour(name: str) -> str:
    """pyte's names of colours, as Rich calls them."""
    if re.fullmatch(r"[0-9a-f]{6}", name):
        return "#" + name
    return {"brown": "yellow", "brightbrown": "bright_yellow"}.get(name, name.replace("bright", "bright_"))


def walktall(*arguments: str) -> list[str]:
    """The walker's command, by this Python."""
    return [sys.executable, "-m", "walktall_host", *arguments]


@contextlib.contextmanager
def served(folder: Path, plan: str, seed: int, speed: str) -> Iterator[str]:
    """A virtual clip that wears a made-up walk; yields its port."""
    recording, link = folder / f"walk-{speed}.csv", folder / f"clip-{speed}"
    sim = [sys.executable, "-m", "walktall_sim"]
    made = [*sim, "generate", "--plan", plan, "--seed", str(seed), "--out", str(recording)]
    subprocess.run(made, check=True, capture_output=True, timeout=120)
    with open(folder / "serve.log", "w") as log:
        process = subprocess.Popen(
            [*sim, "serve", str(recording), "--speed", speed, "--link", str(link)], stdout=log, stderr=log
        )
        try:
            end = time.monotonic() + 90
            while not link.exists():
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError((folder / "serve.log").read_text())
                time.sleep(0.05)
            yield str(link)
        finally:
            process.terminate()
            process.wait(20)


def environment(folder: Path) -> dict[str, str]:
    """A home of its own: the pictures show nobody's walks."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("WALKTALL", "NO_COLOR"))}
    return env | {"WALKTALL_STORE": str(folder / "walks.sqlite3"), "XDG_CONFIG_HOME": str(folder / "config")}


def digests() -> dict[str, str]:
    """Of every source, so that it can be seen which one is newer."""
    return {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest()[:16] for name in SOURCES}


def main() -> int:
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = environment(folder)
        with served(folder, PLAN, SEED, "1") as port:
            terminal = Terminal(walktall("live", "--port", port), env)
            terminal.until(lambda text: re.search(r"(?s)hold [^\n]*  [6-9]\.\d of.*Ctrl-C ends it", text), 90)
            (OUT / "live.svg").write_text(terminal.drawn("walktall live"))
            terminal.press(b"\x03")
            terminal.end()
        with served(folder, WALK, SEED, "max") as port:
            # As it would be called from beside the clip: nobody's folders stand in a picture.
            for name, words in (
                ("download", ["download", "--port", Path(port).name]),
                ("explain", ["explain", "1.1"]),
            ):
                terminal = Terminal(walktall(*words), env, rows=40, folder=folder)
                if terminal.end():
                    raise RuntimeError(terminal.text)
                (OUT / f"{name}.svg").write_text(terminal.drawn(f"walktall {' '.join(words)}"))
    DIGESTS.write_text(json.dumps(digests(), indent=2) + "\n")
    print("docs/pictures: live.svg, download.svg, explain.svg")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
