"""`make demo`: a walk from the sensor's registers to the walker's report, in the commands that one would type oneself.

A synthetic walk of 12 minutes is generated, played through the whole virtual board faster than real time, downloaded
over a pty by the ordinary host tool, and reported. At the end the report is held against what the walk was made of:
exit status 1 when a fault that was put in is missing, or one is told that was not.
"""

import csv
import gzip
import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MINUTES = 12
SEED = 1
# A fault shorter than the hold time (10 s) is none; the states of generate's truth column that are faults.
FAULT_STATES = ("lean", "slouch", "arch", "side")


@dataclass
class Put:
    """One fault that was put into the walk."""

    state: str
    start_s: float
    end_s: float
    worst_deg: float

    def __str__(self) -> str:
        minutes, seconds = divmod(int(self.start_s), 60)
        lasted_s = self.end_s - self.start_s
        return f"{minutes:2}:{seconds:02}  {self.state} of {abs(self.worst_deg):.0f}° for {lasted_s:.0f} s"


def command(name: str) -> str:
    """The path of a command beside this Python."""
    path = shutil.which(name, path=sysconfig.get_path("scripts"))
    if path is None:
        raise SystemExit(f"{name} is not installed: run `make venv`")
    return path


def run(folder: Path, *words: str) -> str:
    """Run one command as it would be typed in that folder, shown first; what it prints is shown and returned."""
    print(f"\n$ {' '.join(words)}", flush=True)
    done = subprocess.run([command(words[0]), *words[1:]], cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, end="", flush=True)
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout


def faults_in(recording: Path) -> list[Put]:
    """The faults that the truth columns of a generated walk tell."""
    found: list[Put] = []
    last = ""
    with gzip.open(recording, "rt", newline="") as file:
        for row in csv.DictReader(file):
            state, t_s = row["state"], float(row["t_s"])
            if state in FAULT_STATES:
                angle = float(row["roll_deg" if state == "side" else "pitch_deg"])
                if state != last:
                    found.append(Put(state, t_s, t_s, angle))
                found[-1].end_s = t_s
                if abs(angle) > abs(found[-1].worst_deg):
                    found[-1].worst_deg = angle
            last = state
    return found


def told_by(sessions: Sequence[dict[str, int]]) -> Counter[str]:
    """Faults that the device counted, under the truth's names."""
    told: Counter[str] = Counter()
    for session in sessions:
        for state, name in (("lean", "lean"), ("slouch", "slouch"), ("arch", "back"), ("side", "side"), ("", "unsure")):
            told[state or "unsure"] += session[f"{name}_events"]
    return +told


def main() -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="walktall-") as name:
        folder = Path(name)
        print(f"A walk of {MINUTES} minutes, made up but obeying physics; the clip's own code feels it.")
        run(folder, "walktall-sim", "generate", "--minutes", str(MINUTES), "--seed", str(SEED), "--out", "walk.csv.gz")
        put = faults_in(folder / "walk.csv.gz")
        print("\nFaults put in:")
        for one in put:
            print(f"  {one}")

        serve = ["walktall-sim", "serve", "walk.csv.gz", "--speed", "max", "--link", "clip"]
        print(f"\n$ {' '.join(serve)} &", flush=True)
        with subprocess.Popen(
            [command(serve[0]), *serve[1:]], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as device:
            try:
                # It names its port once the walk is over and somebody may plug in.
                assert device.stdout is not None
                if not device.stdout.readline():
                    print("demo: the virtual clip did not come up", file=sys.stderr)
                    return 1
                run(folder, "walktall", "download", "--port", "./clip", "--store", "walks.db", "--quiet")
            finally:
                device.terminate()
                device.wait(timeout=10)
        run(folder, "walktall", "report", "--store", "walks.db")
        listed = subprocess.run(
            [command("walktall"), "sessions", "--store", "walks.db", "--json"],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        told = told_by(json.loads(listed)["sessions"])
    expected = Counter(one.state for one in put)
    print()
    if told != expected:
        print(f"demo: put in {dict(expected)}, told {dict(told)}", file=sys.stderr)
        return 1
    took_s = time.monotonic() - began
    print(f"All {sum(expected.values())} faults that were put in were told, and no other. ({took_s:.0f} s)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
