"""Each command typed by a person, on a real pty, with the virtual clip plugged in: what stands on the screen.

One clip is served for all of them, and they are typed in this order; a screen is kept by a terminal emulator.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.captures import Terminal, served, walktall
from tests.test_host_cli import COMMANDS

PLAN = "stand:8,walk:40,lean 20:30,walk:30"
SEED = 3


@dataclass(frozen=True)
class Typed:
    """A command line, and what a person reads then."""

    line: str
    #: Patterns, each of which stands somewhere on the screen, in this order.
    seen: tuple[str, ...]
    status: int = 0
    #: Keys that are pressed when this stands there.
    asked: str = ""
    keys: bytes = b""


SAFE = r"You can unplug"
LINES = (
    Typed("", (r"Clip \w{4} is on .*1 session to fetch", r"Next:\s+walktall\s+download", r"Nothing downloaded yet")),
    Typed("ports --all", (r"clip|/dev/|COM",)),
    Typed(
        "info",
        (r"clip +\w{4} on ", r"board +Seeed_XIAO_nRF52840_Sense", r"battery +\d\.\d\d V", r"1 of \d+ sessions", SAFE),
    ),
    Typed("download", (r"clip \w{4} on ", r"1 new session from clip \w{4}\.", SAFE, r"'walktall report' shows")),
    Typed("download", (r"Nothing new on the clip\.", SAFE)),
    Typed("sessions", (r"begin|walk", r"~?20\d\d-\d\d-\d\d \d\d:\d\d")),
    Typed("report", (r"upright", r"forward +1 lean", r"buzzes +2: 1 answered", r"steps")),
    Typed("explain", (r"1\.1 +at 59 s|1\.1 +at \d+ (s|min)", r"forward, LEAN")),
    Typed("explain 1.1", (r"Buzz 1\.1: forward, LEAN", r"beyond the limit of 12°", r"hold timer", r"▲", r"hold ")),
    Typed("whatif --set on_deg=30", (r"with the change", r"^1 .* 2 +2 +0 ", r"at the very moment at which it came")),
    Typed("export sessions --out {tmp}/walks.csv", (r"1 row of \d+ columns written",)),
    Typed("export events", (r"session,device_id,time", r",buzz,forward,LEAN,")),
    Typed(
        "live --seconds 2",
        (r"clip \w{4} +not (walking|worn)", r"tilt", r"hold", r"battery 3\.\d\d V", r"Ctrl-C ends it", SAFE),
    ),
    Typed(
        "selftest",
        (r"judges +a made-up walk as the firmware of this tool", r"What you wear is what was tested\. " + SAFE),
    ),
    Typed("install --check {drive}", (r"missing +boot\.py", r"walktall: .* 'walktall install' does it"), 1),
    Typed(
        "install {drive}",
        (r"Seeed_XIAO_nRF52840_Sense with CircuitPython 10", r"files new", r"press the clip's reset button"),
    ),
    Typed("clock --set", (r"The clock of clip \w{4} is right", SAFE)),
    Typed("settings get hold_s", (r"hold_s +10 s +a fault must last this long",)),
    Typed("settings set hold_s=12", (r"hold_s: 10 s -> 12 s", SAFE)),
    Typed("settings reset", (r"hold_s: 12 s -> 10 s", SAFE)),
    Typed("calibrate", (r"Your upright is known: |too far from your last upright",), -1, "press Enter", b"\r"),
    Typed("identify", (r"clip \w{4} on .* buzzes; you can unplug it",)),
    Typed("raw", (r"No raw recording runs on clip \w{4}",)),
    Typed("name {clip} blue --person Anna", (r"blue +worn by Anna +1 session",)),
    Typed("backup {tmp}/walks.backup", (r"walks\.backup",)),
    Typed("restore {tmp}/walks.backup", (r"1 session from .*walks\.backup in the store", r"is kept in")),
    Typed("db", (r"walks\.sqlite3",)),
    Typed("forget --everything", (r"gone|forgotten|nothing",), 0, r"\?", b"yes\r"),
    Typed("", (r"1 session to fetch", r"Next:\s+walktall\s+download", r"Nothing downloaded yet")),
)


@dataclass
class Desk:
    """Where the person sits."""

    folder: Path
    port: str
    env: dict[str, str]
    clip: str = ""

    def type(self, line: str) -> Terminal:
        words = line.format(tmp=self.folder, drive=self.folder / "drive", clip=self.clip).split()
        return Terminal(walktall(*words), self.env, columns=120, rows=120)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    drive = folder / "drive"
    drive.mkdir()
    (drive / "boot_out.txt").write_text(
        "Adafruit CircuitPython 10.0.3 on 2025-10-17; x\r\nBoard ID:Seeed_XIAO_nRF52840_Sense\r\n"
    )
    with served(folder, PLAN, SEED, "max") as port:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("WALKTALL_", "NO_COLOR"))}
        env |= {"WALKTALL_STORE": str(folder / "walks.sqlite3"), "WALKTALL_PORT": port, "PYTHONWARNINGS": "error"}
        yield Desk(folder, port, env)


@pytest.mark.parametrize(
    "typed", LINES, ids=[f"{n}-{typed.line.split(' --')[0] or 'alone'}" for n, typed in enumerate(LINES)]
)
def test_a_person_reads(typed: Typed, desk: Desk) -> None:
    terminal = desk.type(typed.line)
    if typed.asked:
        terminal.until(lambda text: re.search(typed.asked, text))
        terminal.press(typed.keys)
    status = terminal.end(60)
    text = terminal.text
    assert "Traceback" not in text
    if typed.status >= 0:
        assert status == typed.status, text
    at = 0
    for pattern in typed.seen:
        found = re.compile(pattern, re.MULTILINE | re.IGNORECASE).search(text, at)
        assert found, f"{pattern!r} is not read on:\n{text}"
        at = found.start()
    named = re.search(r"[Cc]lip (\w{4})\b", text)
    if named and not desk.clip:
        desk.clip = named[1]


def test_every_command_is_typed() -> None:
    lines = [typed.line for typed in LINES]
    for command in COMMANDS:
        assert any(line == command or line.startswith(command + " ") for line in lines), command


def test_live_is_ended_by_ctrl_c_and_the_clip_answers_at_once(desk: Desk) -> None:
    terminal = desk.type("live")
    terminal.until(lambda text: "Ctrl-C ends it" in text)
    terminal.press(b"\x03")
    assert terminal.end() == 130
    assert "stopped" in terminal.text
    after = desk.type("identify")
    assert after.end() == 0


def test_no_color_and_a_narrow_terminal(desk: Desk) -> None:
    desk.type("download").end()
    narrow = Terminal(walktall("live", "--seconds", "1"), {**desk.env, "NO_COLOR": "1"}, columns=50)
    assert narrow.end() == 0
    assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", narrow.raw)
    assert "tilt" in narrow.text
