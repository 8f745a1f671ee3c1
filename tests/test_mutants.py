"""Detectors broken on purpose are caught by the suites that ship, each by the case that is there for it.

A copy of the firmware's files is broken in one place and put in front of the real ones; the ordinary command plays the
suite to it in a process of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

FIRMWARE = Path(__file__).resolve().parents[1] / "firmware" / "lib" / "walktall"


class Mutant(NamedTuple):
    """``before`` in ``file`` becomes ``after``; ``case`` of suite `made` has to notice."""

    file: str
    before: str
    after: str
    case: str


MUTANTS = {
    "sign of pitch": Mutant(
        "detector.py",
        "t = -ahead // up",
        "t = ahead // up",
        "a quick lean",
    ),
    "hold halved": Mutant(
        "detector.py",
        "self.side.hold = hold * e.TICKS_PER_S",
        "self.side.hold = hold * e.TICKS_PER_S // 2",
        "a quick lean",
    ),
    "gyro scale off by 5 %": Mutant(
        "motion.py",
        "_RATE_MUL = const(6307)\n_SUM_MUL = const(12614)",
        "_RATE_MUL = const(6622)\n_SUM_MUL = const(13244)",
        "a turn of 60",
    ),
    "gyro scale off by -5 %": Mutant(
        "motion.py",
        "_RATE_MUL = const(6307)\n_SUM_MUL = const(12614)",
        "_RATE_MUL = const(5992)\n_SUM_MUL = const(11984)",
        "a turn of 60",
    ),
    "gate stuck open": Mutant(
        "gait.py",
        "                self.walking = 0\n                self.score = 0\n                self._gate = 0",
        "                pass",
        "who stops and leans over a counter",
    ),
    "gate open from the start": Mutant(
        "detector.py",
        "            walking = (\n",
        "            walking = 1 or (\n",
        "who stands and leans over a bench",
    ),
    "dead band": Mutant(
        "detector.py",
        "        self.pitch_cdeg = pitch\n",
        "        if -300 < pitch + self.walk_offset_cdeg < 300:\n            pitch = -self.walk_offset_cdeg\n"
        "        self.pitch_cdeg = pitch\n",
        "small angles",
    ),
    "decay missing": Mutant("detector.py", "fault.timer -= _DECAY", "fault.timer -= 0", "never add up"),
    "timer reset by a bend": Mutant(
        "detector.py",
        "        self.frozen = frozen\n",
        "        self.frozen = frozen\n        if turning:\n            self.forward.timer = 0\n",
        "a glance or a nod",
    ),
    "roll for pitch": Mutant(
        "detector.py",
        "        ahead = x * dx + y * dy + z * dz\n        dx, dy, dz = self._l\n",
        "        dx, dy, dz = self._l\n        ahead = -(x * dx + y * dy + z * dz)\n",
        "a lean to the side",
    ),
    "off threshold above on": Mutant(
        "detector.py",
        "self.forward.off_cdeg = settings.off_limit_deg() * 100",
        "self.forward.off_cdeg = settings.on_limit_deg() * 100 + 200",
        "between the limits",
    ),
    "a lost sample a second": Mutant(
        "chain.py",
        "        left = _TICK_SAMPLES - self._in_tick\n",
        # A call is a tick; each fifth takes a sample and does nothing with it.
        "        self.skip = getattr(self, 'skip', 0) + 1\n        if self.skip % 5 == 0:\n"
        "            self.closed = 0\n            return 1\n        left = _TICK_SAMPLES - self._in_tick\n",
        "counted to the second",
    ),
}


def checked(lib: Path, *cases: str) -> dict[str, list[str]]:
    """What suite `made` finds with the firmware of ``lib``: by case, what did not hold."""
    arguments = [part for case in cases for part in ("--case", case)]
    command = [sys.executable, "-m", "walktall_sim", "check", "made", "--json", "--jobs", "1", *arguments]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(lib)}, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = {
        line["case"]: [f"{one['expected']}: {one['found']}" for one in line["checks"] if not one["held"]]
        for line in lines
        if "case" in line
    }
    assert (done.returncode == 1) == any(found.values())
    return found


@pytest.mark.parametrize("name", MUTANTS)
def test_broken_detector_is_caught(name: str, tmp_path: Path) -> None:
    mutant = MUTANTS[name]
    shutil.copytree(FIRMWARE, tmp_path / "walktall", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "walktall" / mutant.file
    source = path.read_text()
    assert source.count(mutant.before) >= 1, f"{mutant.file} no longer says {mutant.before!r}: break it elsewhere"
    path.write_text(source.replace(mutant.before, mutant.after, 1))
    found = checked(tmp_path, mutant.case)
    print(f"{name}: {found}")
    assert any(found.values()), f"{name}: nobody noticed"


def test_the_detector_as_it_is_passes_the_suite_that_ships() -> None:
    found = checked(FIRMWARE.parent)
    assert {name for name, mutant in MUTANTS.items() if not any(mutant.case in case for case in found)} == set()
    assert not any(found.values()), found
