"""`walktall-sim record` on a virtual chip: what replay reads is what was felt, at its time, whatever goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import adafruit_lsm6ds
import numpy as np
import pytest
from walktall.hw.imu import Imu
from walktall_sim import record, recordings
from walktall_sim.bus import VirtualI2C
from walktall_sim.chips import CHIPS, ArraySource
from walktall_sim.cli import run
from walktall_sim.clock import VirtualClock

BOTH = pytest.mark.parametrize("name", sorted(CHIPS))


def walk(seconds: float = 120.0) -> np.ndarray:
    """Rows (n, 6) at 52 Hz that differ from each other, within the chip's ranges."""
    t = np.arange(round(52 * seconds)) / 52.0
    rng = np.random.default_rng(3)
    rows = rng.normal(0.0, 0.05, (len(t), 6))
    rows[:, 1] += 9.81 + 2.0 * np.sin(2 * np.pi * 1.9 * t)
    rows[:, 2] += np.sin(2 * np.pi * 0.23 * t)
    return rows


class Rig:
    """A chip on a bus, a computer's clock that may run otherwise than the chip's, and a recorder."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str = "lsm6ds3trc", skew: float = 1.0) -> None:
        self.clock = VirtualClock()
        self.bus = VirtualI2C(self.clock)
        self.rows = walk()
        self.chip = CHIPS[name](ArraySource(self.rows), self.clock)
        self.bus.attach(0x6A, self.chip)
        monkeypatch.setattr(adafruit_lsm6ds, "sleep", self.clock.sleep)
        self.clock.sleep(0.1)
        imu = Imu(self.bus.reopen, sleep=self.clock.sleep)
        self.recorder = record.Recorder(
            imu, clock=lambda: self.clock.now_us * skew / 1e6, sleep=lambda s: self.clock.sleep(s / skew)
        )
        self.at: dict[float, Any] = {}

    def go(self, seconds: float) -> np.ndarray:
        self.recorder.start()
        self.recorder.run(seconds, self._tell)
        return self.recorder.rows()

    def _tell(self, state: record.State) -> None:
        self.states = [*getattr(self, "states", []), state]
        for when in [one for one in self.at if state.seconds >= one]:
            self.at.pop(when)()


def same(got: np.ndarray, rows: np.ndarray, first: int) -> None:
    """`got` (n, 7) are the rows from ``first`` on, to half a count."""
    want = rows[first : first + len(got)]
    assert np.abs(got[:, 1:4] - want[:, :3]).max() < 0.7e-3 and np.abs(got[:, 4:] - want[:, 3:]).max() < 0.2e-3


def index_of(rows: np.ndarray, row: np.ndarray) -> int:
    return int(np.argmin(np.abs(rows[:, :3] - row[1:4]).sum(axis=1) + np.abs(rows[:, 3:] - row[4:]).sum(axis=1)))


@BOTH
def test_every_sample_is_there_once_at_its_time(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    rig = Rig(monkeypatch, name)
    got = rig.go(30.0)
    assert len(got) == pytest.approx(30 * 52, abs=8) and rig.recorder.gaps == 0
    same(got, rig.rows, index_of(rig.rows, got[0]))
    assert got[0, 0] == 0.0 and np.abs(np.diff(got[:, 0]) * 52.0 - 1.0).max() < 2e-3
    last = rig.states[-1]
    assert last.samples == len(got) and last.gaps == 0 and last.force_g[1] == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize("skew", [0.97, 1.02])
def test_a_chip_whose_clock_is_off_is_put_on_the_computers(monkeypatch: pytest.MonkeyPatch, skew: float) -> None:
    rig = Rig(monkeypatch, skew=skew)
    got = rig.go(30.0)
    assert rig.recorder.rate_hz() == pytest.approx(52.0 / skew, rel=2e-3)
    assert got[-1, 0] == pytest.approx((len(got) - 1) * skew / 52.0, rel=2e-3)


@BOTH
@pytest.mark.parametrize("fault", ["power", "silent reset", "slow computer"])
def test_what_is_lost_is_a_gap_as_long_as_it_was(monkeypatch: pytest.MonkeyPatch, name: str, fault: str) -> None:
    rig = Rig(monkeypatch, name)
    away_s = 3.0

    def lose() -> None:
        if fault == "power":
            rig.chip.set_power(False)
            rig.at[rig.states[-1].seconds + away_s] = lambda: None
            silent = rig.recorder._sleep

            def back(seconds: float) -> None:
                silent(seconds)
                if rig.clock.now_us > until_us:
                    rig.chip.set_power(True)

            until_us = rig.clock.now_us + int(away_s * 1e6)
            rig.recorder._sleep = back
        elif fault == "silent reset":
            rig.chip.silent_reset()
        else:
            # The FIFO holds 6 s and more: what is older than that is gone.
            rig.clock.sleep(30.0)

    rig.at[10.0] = lose
    got = rig.go(60.0)
    steps = np.diff(got[:, 0])
    (gap,) = np.flatnonzero(steps > 0.1)
    assert rig.recorder.gaps == 1
    before, after = got[: gap + 1], got[gap + 1 :]
    first, second = index_of(rig.rows, before[0]), index_of(rig.rows, after[0])
    same(before, rig.rows, first)
    same(after, rig.rows, second)
    # The samples' own numbers say how long it was; one look is the most that the clock can be off.
    missing_s = (second - first - len(before) + 1) / 52.0
    assert steps[gap] == pytest.approx(missing_s, abs=0.03)


def test_a_sensor_that_stays_away_ends_it_and_what_there_was_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    rig.at[10.0] = lambda: rig.chip.set_power(False)
    got = rig.go(60.0)
    assert "10 s" in rig.recorder.lost_contact and len(got) == pytest.approx(520, abs=20)


def test_cancelled_at_any_look_what_was_measured_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)

    def stop() -> None:
        raise KeyboardInterrupt

    rig.at[7.3] = stop
    with pytest.raises(KeyboardInterrupt):
        rig.go(60.0)
    got = rig.recorder.rows()
    assert len(got) == pytest.approx(7.3 * 52, abs=20)
    same(got, rig.rows, index_of(rig.rows, got[0]))


def test_nothing_on_the_bus_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    rig.chip.set_power(False)
    with pytest.raises(record.NoSensorError, match="check power"):
        rig.recorder.start()
    assert not len(rig.recorder.rows())


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet"])
def test_what_is_written_is_a_recording(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    rig = Rig(monkeypatch)
    got = rig.go(10.0)
    record.write(got, tmp_path / name)
    (trial,) = recordings.read_trials(tmp_path / name)
    assert np.abs(np.column_stack([trial.t_s, trial.values]) - got).max() <= 1e-6
    assert [path.name for path in tmp_path.iterdir()] == [name]


# --- Blinka -------------------------------------------------------------------------------------------------------

# Blinka's own board for any computer, whose I2C knows nothing but a scan: the virtual chip takes the place of wires.
BLINKA = """
import functools, sys, threading, _thread
import adafruit_lsm6ds, numpy as np
from adafruit_blinka.microcontroller.generic_agnostic_board.i2c import I2C
from walktall_sim import record
from walktall_sim.bus import VirtualI2C
from walktall_sim.chips import CHIPS, ArraySource
from walktall_sim.cli import run
from walktall_sim.clock import VirtualClock
sys.path.insert(0, {root!r})
from tests.test_record import walk

clock = VirtualClock()
bus = VirtualI2C(clock)
chip = CHIPS[{chip!r}](ArraySource(walk(60.0)), clock)
if {there!r}:
    bus.attach(0x6A, chip)
clock.sleep(0.1)
adafruit_lsm6ds.sleep = clock.sleep

def locked(transfer):
    # The lock is Blinka's; below it the wires are always free. Blinka's ports fill buffers byte by byte.
    def with_lock(self, address, *buffers, stop=True, **bounds):
        for one in buffers:
            assert memoryview(one).itemsize == 1
        bus._locked = True
        try:
            transfer(address, *buffers, **bounds)
        finally:
            bus._locked = False
    return with_lock

I2C.writeto = locked(bus.writeto)
I2C.readfrom_into = locked(bus.readfrom_into)
I2C.writeto_then_readfrom = locked(bus.writeto_then_readfrom)
record.Imu = functools.partial(record.Imu, sleep=clock.sleep)
looks = 0

def sleep(seconds):
    global looks
    looks += 1
    clock.sleep(seconds)
    if looks == {cancel_at!r}:
        raise KeyboardInterrupt

record.Recorder.__init__.__defaults__ = (lambda: clock.now_us / 1e6, sleep)
sys.exit(run({arguments!r}))
"""


def blinka(
    chip: str, *arguments: str, there: bool = True, cancel_at: int = -1, board: bool = True
) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).resolve().parents[1])
    code = BLINKA.format(root=root, chip=chip, there=there, cancel_at=cancel_at, arguments=["record", *arguments])
    env = {**os.environ, **({"BLINKA_OS_AGNOSTIC": "1"} if board else {})}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)


@BOTH
def test_through_blinka_and_the_real_driver_to_a_file_that_replay_reads(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "walk.csv"
    done = blinka(name, "--seconds", "20", "--out", str(out))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "rows, 52.0" in done.stdout and "no gaps" in done.stdout
    (trial,) = recordings.read_trials(out)
    got, rows = np.column_stack([trial.t_s, trial.values]), walk(60.0)
    same(got, rows, index_of(rows, got[0]))
    assert run(["replay", str(out), "--fast", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["wear_s"] in (19, 20)


def test_cancelled_it_says_what_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "walk.csv"
    done = blinka("lsm6dsox", "--out", str(out), cancel_at=41)
    assert done.returncode == 130 and "kept" in done.stderr and done.stderr.count("\n") == 1
    assert len(recordings.read_trials(out)[0].t_s) == pytest.approx(520, abs=20)
    gone = blinka("lsm6dsox", "--out", str(tmp_path / "no.csv"), cancel_at=1)
    assert gone.returncode == 130 and not (tmp_path / "no.csv").exists() and "no file is written" in gone.stderr


def test_no_sensor_and_no_board_are_status_3_in_one_line(tmp_path: Path) -> None:
    out = tmp_path / "walk.csv"
    done = blinka("lsm6dsox", "--out", str(out), there=False)
    assert done.returncode == 3 and done.stderr.count("\n") == 1 and "check power" in done.stderr
    for bridge in ("mcp2221", "ft232h"):
        done = blinka("lsm6dsox", "--out", str(out), "--bridge", bridge, board=False)
        assert done.returncode == 3 and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr, done.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments",
    [["--out", "x.txt"], ["--out", "gone/x.csv"], ["--seconds", "0"], ["--bridge", "none"], ["--address", "0x10"]],
    ids=" ".join,
)
def test_wrong_use_is_one_line(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    default = [] if "--out" in arguments else ["--out", str(tmp_path / "a.csv")]
    assert run(["record", *arguments, *default]) == 2
    assert capsys.readouterr().err.count("\n") == 1
