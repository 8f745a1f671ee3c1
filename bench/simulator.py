"""`make bench-sim`: how fast the simulator is. Writes docs/benchmarks/simulator.md and length.svg.

Whatever is compared runs in turn with its rival, in the same process on the same samples; each counts by its least
time, so that a busy computer disturbs the ratios little. What a user waits for (a day, a week, a sweep) is the whole
command in a process of its own, imports, reading and output included.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from walktall_sim import chips, engine, generate, mounting, recordings, replay, resample
from walktall_sim.fullpath import play_full
from walktall_sim.twin import build

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "benchmarks" / "simulator.md"
FIRMWARE = ROOT / "firmware" / "lib" / "walktall"
SIMULATOR = ROOT / "simulator" / "walktall_sim"
SEED = 1
HZ = round(resample.CHIP_HZ)
HOUR = 3600 * HZ
#: What the figures depend on, beside the chain: the way of a recording to it.
WAY = ("engine", "replay", "source", "spool", "resample", "recordings", "fullpath", "board", "chips", "bus", "clock")
LENGTHS = {"1 minute": 60, "10 minutes": 600, "1 hour": 3600, "6 hours": 21600, "1 day": 86400, "7 days": 604800}
#: Work for one process, by the first few combinations, which come dearer than the many; 60 s are asked for.
SWEEP_S = 80.0

VQF_LEAST = 4.0
MADGWICK_LEAST = 12.0
PARQUET_MOST_S = 3.0
CSV_MOST_S = 8.0
FULL_LEAST = 400.0
MEMORY_MOST_MB = 300.0
SWEEP_LEAST = 1.8
LINEAR_MOST = 0.25


def digest() -> str:
    """The first 16 hexadecimal digits of the SHA-256 of what was measured."""
    seen = hashlib.sha256()
    for name in (*build.MODULES, *build.shared(FIRMWARE)):
        seen.update((FIRMWARE / f"{name}.py").read_bytes())
    for path in [
        *(SIMULATOR / f"{name}.py" for name in WAY),
        *sorted([*build.FOLDER.glob("*.pxd"), *build.FOLDER.glob("*.pyx")]),
    ]:
        seen.update(path.read_bytes())
    return seen.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Run:
    """One command: wall and processor time in seconds, peak memory in MB."""

    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was measured; times of one sample in seconds."""

    compiled_s: float
    vqf_s: float
    pure_s: float
    madgwick_s: float
    madgwick_step_s: float
    engine: str
    parquet: Run
    csv: Run
    full: float
    full_sox: float
    lengths: dict[str, tuple[int, Run]]
    #: by one process, by two, and how much two sweeps of one process each get done side by side
    sweep: tuple[float, float, float] | None
    processors: int


# --- walks ----------------------------------------------------------------------------------------------------------


def hour(folder: Path) -> NDArray[np.float32]:
    """An hour of everything, made up, at 52 Hz: rows (n, 6)."""
    path = folder / "hour.parquet"
    generate.write(generate.Walk(generate.default_plan(60.5, SEED), SEED), path)
    trial = recordings.read_trials(path)[0]
    return resample.resample([(trial.t_s, trial.values)])[2][:HOUR]


def _frames(rows: NDArray[np.float32], n: int) -> Iterator[pl.DataFrame]:
    """The hour again and again until there are ``n`` rows, an hour at a time."""
    for begin in range(0, n, HOUR):
        some = rows[: min(HOUR, n - begin)]
        t_s = (np.arange(len(some)) + begin) / resample.CHIP_HZ
        yield pl.DataFrame({"t_s": t_s, **{axis: some[:, i] for i, axis in enumerate(recordings.AXES)}})


def write_parquet(rows: NDArray[np.float32], seconds: int, path: Path) -> Path:
    """A recording of so many seconds."""
    parts = list(_frames(rows, seconds * HZ))
    pl.concat(parts).write_parquet(path, compression="zstd", compression_level=1)
    return path


def write_csv(rows: NDArray[np.float32], seconds: int, path: Path) -> Path:
    """The same as gzip CSV, four decimals, as loggers write it; packed by the fastest there is."""
    packer = shutil.which("gzip")
    assert packer is not None, "gzip is needed"
    with path.open("wb") as out, subprocess.Popen([packer, "-1"], stdin=subprocess.PIPE, stdout=out) as pipe:
        assert pipe.stdin is not None
        for number, frame in enumerate(_frames(rows, seconds * HZ)):
            shown = frame.with_columns(pl.col(recordings.NEEDED).cast(pl.Float64).round(4))
            pipe.stdin.write(shown.write_csv(include_header=number == 0).encode())
        pipe.stdin.close()
    return path


# --- measuring ------------------------------------------------------------------------------------------------------


def least(rounds: int, *runs: Callable[[], object]) -> list[float]:
    """The least time of each, all in turn, in seconds."""
    best = [math.inf] * len(runs)
    for _ in range(rounds):
        for at, run in enumerate(runs):
            begin = time.perf_counter()
            run()
            best[at] = min(best[at], time.perf_counter() - begin)
    return best


# A process begins with the peak of the one that it was forked from: so a small one in between.
_LAUNCH = """
import os, subprocess, sys, time
begin = time.perf_counter()
# As on a user's computer, where Python keeps what it has compiled; but beside the work, not in the tree.
env = {**os.environ, "PYTHONPYCACHEPREFIX": sys.argv[1]}
env.pop("PYTHONDONTWRITEBYTECODE", None)
child = subprocess.Popen([sys.executable, "-m", "walktall_sim", *sys.argv[2:]], stdout=subprocess.DEVNULL, env=env)
_, status, used = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
print(time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(child.returncode)
"""


@functools.cache
def _cache() -> tempfile.TemporaryDirectory[str]:
    """Where commands keep their compiled modules; it goes with this process."""
    return tempfile.TemporaryDirectory()


def command(*arguments: str | Path, rounds: int = 1) -> Run:
    """``walktall-sim`` with these, the best of so many; output thrown away.

    :raises RuntimeError: it failed
    """
    found: Run | None = None
    for _ in range(rounds):
        done = subprocess.run(
            [sys.executable, "-c", _LAUNCH, _cache().name, *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"walktall-sim {arguments[0]} ended with {done.returncode}")
        wall_s, cpu_s, peak = (float(part) for part in done.stdout.split())
        # Linux counts in KiB, macOS in bytes.
        run = Run(wall_s, cpu_s, peak / (1024.0 * (1024.0 if sys.platform == "darwin" else 1.0)))
        found = run if found is None or run.wall_s < found.wall_s else found
    assert found is not None
    return found


def _walk(rows: NDArray[np.float32], n: int) -> replay.Walk:
    t_s = np.arange(n) / resample.CHIP_HZ
    options = replay.Options(full=False)
    chosen = mounting.mounting_for(Path(), "+y", "+z")
    return replay.walk_of(t_s, rows[:n].astype(np.float64), chosen, options)


def _feed(one: engine.Engine, walk: replay.Walk, counts: NDArray[np.int16]) -> int:
    """Counts of a whole walk through a fresh chain, events read; how many."""
    chain = one.make(walk.settings)
    replay.calibrate(chain, walk)
    chain.session.start(1, 1, 0, 0, 0)
    chain.configure(walk.settings)
    n_events = 0
    for begin in range(0, len(counts), one.rows):
        block = one.ready(counts[begin : begin + one.rows])
        at, end = 0, min(one.rows, len(counts) - begin)
        while at < end:
            at, _ = one.burst(chain, block, at, False)
            while chain.ring.take():
                n_events += 1
    return n_events


def pipelines(rows: NDArray[np.float32], rounds: int, minutes: int = 30) -> tuple[float, ...]:
    """Seconds a sample: compiled, VQF; then pure, Madgwick over all and sample by sample."""
    from ahrs.filters import Madgwick
    from vqf import VQF

    fast = engine.select()
    n = minutes * 60 * HZ
    walk = _walk(rows, n)
    block = walk.source.block(0, n)
    counts = chips.quantise(block, replay.ACCEL_FS_G, replay.GYRO_FS_DPS)
    accel, gyro = np.ascontiguousarray(block[:, :3]), np.ascontiguousarray(block[:, 3:])
    compiled_s, vqf_s = least(
        4 * rounds, lambda: _feed(fast, walk, counts), lambda: VQF(1.0 / HZ).updateBatch(gyro, accel)
    )
    n_slow = 60 * HZ
    slow_walk, slow = _walk(rows, n_slow), engine.pure()
    a, g = accel[:n_slow], gyro[:n_slow]

    def stepwise() -> None:
        work, q = Madgwick(frequency=HZ), np.array([1.0, 0.0, 0.0, 0.0])
        for i in range(n_slow):
            q = work.updateIMU(q, g[i], a[i])

    pure_s, madgwick_s, step_s = least(
        rounds,
        lambda: _feed(slow, slow_walk, counts[:n_slow]),
        lambda: Madgwick(gyr=g, acc=a, frequency=HZ),
        stepwise,
    )
    return compiled_s / n, vqf_s / n, pure_s / n_slow, madgwick_s / n_slow, step_s / n_slow


def full_path(rows: NDArray[np.float32], rounds: int, chip: str, minutes: int = 10) -> float:
    """How many times faster than the walk itself the virtual board plays it."""
    n = minutes * 60 * HZ
    options = replay.Options(full=True, chip=chip)

    def play() -> None:
        for _ in play_full(_walk(rows, n), options):
            pass

    return n / HZ / least(rounds, play)[0]


def sweep(seconds: float, folder: Path) -> tuple[float, float, float]:
    """Wall time of the same sweep by one process and by two, with about so much work for the one; and how many times
    the work of one two sweeps of one process each do side by side, which share nothing but the computer."""

    def took(combinations: int, jobs: int, name: str = "sweep") -> float:
        # A fast computer wants more combinations than there are seconds of hold: limits then vary as well, and what
        # re-arms.
        rearms = -(-combinations // 2000)
        limits = -(-combinations // (100 * rearms))
        holds = -(-combinations // (limits * rearms))
        out = folder / f"{name}-{combinations}-{jobs}.parquet"
        varied: list[str] = []
        for setting, first, n in (("hold_s", 5, holds), ("on_deg", 12, limits), ("rearm_s", 5, rearms)):
            varied += ["--vary", f"{setting}={','.join(str(first + k) for k in range(n))}"]
        return command("sweep", "made", *varied, "--jobs", str(jobs), "--out", out).wall_s

    # Enough of them that the start, which varies by more than a few take, does not drown what one takes.
    one, some = took(1, 1), took(40, 1)
    each = max((some - one) / 39.0, 1e-3)
    wanted = max(4, math.ceil(1.1 * (seconds - one) / each) + 1)
    alone, both = took(wanted, 1), took(wanted, 2)
    quarter = max(wanted // 4, 4)
    by_itself = took(quarter, 1)
    with ThreadPoolExecutor(2) as pool:
        beside = max(pool.map(lambda name: took(quarter, 1, name), ("left", "right")))
    return alone, both, 2.0 * by_itself / beside


def measure(
    folder: Path,
    rounds: int = 5,
    lengths: Iterable[str] = tuple(LENGTHS),
    sweep_s: float = SWEEP_S,
    tell: Callable[[str], None] = lambda _: None,
) -> Figures:
    """All of it; takes some minutes."""
    warnings.filterwarnings("ignore")
    tell("making an hour of walking")
    rows = hour(folder)
    tell("pipelines")
    compiled_s, vqf_s, pure_s, madgwick_s, step_s = pipelines(rows, rounds)
    tell("full path")
    full = full_path(rows, max(rounds // 2, 1), replay.CHIPS[0])
    full_sox = full_path(rows, max(rounds // 2, 1), replay.CHIPS[1])
    found: dict[str, tuple[int, Run]] = {}
    day_run = None
    for name in lengths:
        tell(f"replay of {name}")
        seconds = LENGTHS[name]
        path = write_parquet(rows, seconds, folder / "length.parquet")
        found[name] = (seconds, command("replay", "--fast", path, rounds=1 if seconds > 86400 else 3))
        if name == "1 day":
            day_run = found[name][1]
        path.unlink()
    if day_run is None:
        day_run = next(iter(found.values()))[1]
    day = 86400 if "1 day" in found else next(iter(found.values()))[0]
    tell("replay of a day from gzip CSV")
    csv_run = command("replay", "--fast", write_csv(rows, day, folder / "day.csv.gz"), rounds=2)
    tell("sweep by one process and by two")
    swept = sweep(sweep_s, folder) if sweep_s else None
    return Figures(
        compiled_s,
        vqf_s,
        pure_s,
        madgwick_s,
        step_s,
        engine.describe(),
        day_run,
        csv_run,
        full,
        full_sox,
        found,
        swept,
        os.cpu_count() or 1,
    )


# --- the page -------------------------------------------------------------------------------------------------------


def linear(lengths: dict[str, tuple[int, Run]]) -> tuple[float, float, float]:
    """Seconds of the command's own start, seconds a day, and how far the worst length of an hour or more lies from
    that line, as a share."""
    seconds = np.array([n for n, _ in lengths.values()], dtype=float)
    took = np.array([run.wall_s for _, run in lengths.values()])
    weight = 1.0 / took
    a = np.stack([np.ones_like(seconds), seconds], axis=1) * weight[:, None]
    (start, slope), *_ = np.linalg.lstsq(a, took * weight, rcond=None)
    off = np.abs(took - (start + slope * seconds)) / took
    return float(start), float(slope * 86400), float(off.max())


def target_rows(found: Figures) -> list[tuple[str, str, str, bool, str]]:
    """Figure, target, measured, met, and why short."""
    start, a_day, off = linear(found.lengths)
    vqf, madgwick = found.vqf_s / found.compiled_s, found.madgwick_s / found.pure_s
    rows = [
        (
            "whole detection pipeline, compiled, against VQF's C++ `updateBatch` (tilt alone)",
            f"≥ {VQF_LEAST:g} times its samples/s",
            f"{vqf:.1f} times",
            vqf >= VQF_LEAST,
            "VQF's is one filter in double precision; a sample here also takes its share of the walking gate, the "
            "detector and the session, which each tick come to more than the tilt of its 13 samples",
        ),
        (
            "the same, pure Python on CPython, against `ahrs` Madgwick (Python)",
            f"≥ {MADGWICK_LEAST:g} times",
            f"{madgwick:.1f} times",
            madgwick >= MADGWICK_LEAST,
            "Madgwick spends its time in few calls of NumPy on three numbers; the chain in bytecode of integer "
            "arithmetic, of which tilt is a third. What is left is the detector's, not the simulator's",
        ),
        (
            "a day of wear (52 Hz, 24 h), `replay --fast`, from Parquet",
            f"≤ {PARQUET_MOST_S:g} s",
            f"{found.parquet.wall_s:.1f} s",
            found.parquet.wall_s <= PARQUET_MOST_S,
            "half a second of it is starting; reading, bringing to 52 Hz, quantising and the chain share the rest",
        ),
        (
            "the same from gzip CSV",
            f"≤ {CSV_MOST_S:g} s",
            f"{found.csv.wall_s:.1f} s",
            found.csv.wall_s <= CSV_MOST_S,
            "unpacking and reading 280 MB of digits takes all that Parquet does not",
        ),
        (
            "full path (registers, driver, poll)",
            f"≥ {FULL_LEAST:g} times real time",
            f"{found.full:.0f} times (LSM6DS3TR-C), {found.full_sox:.0f} (LSM6DSOX)",
            min(found.full, found.full_sox) >= FULL_LEAST,
            "the device's own Python takes most of it, sample by sample; bus and chip take the rest",
        ),
        (
            "memory for a day (read in batches)",
            f"≤ {MEMORY_MOST_MB:g} MB",
            f"{found.parquet.peak_mb:.0f} MB (Parquet), {found.csv.peak_mb:.0f} MB (gzip CSV)",
            max(found.parquet.peak_mb, found.csv.peak_mb) <= MEMORY_MOST_MB,
            "Python, NumPy and Polars take 100 MB, the walk 25 whatever its length, and what is read ahead the rest",
        ),
    ]
    if found.sweep is not None:
        one, two, beside = found.sweep
        rows.append(
            (
                f"sweep with {one:.0f} s of single-process work",
                f"≥ {SWEEP_LEAST:g} times from 1 to 2 processes",
                f"{one / two:.2f} times",
                one / two >= SWEEP_LEAST,
                f"two sweeps side by side, of one process each, which share nothing, come to {beside:.2f} times the "
                f"work of one on this computer ({found.processors} processors); starting a process and making the "
                "walks ready in each take the rest",
            )
        )
    rows.append(
        (
            "cost against length",
            "linear from 1 minute to 7 days",
            f"{start:.1f} s and {a_day:.2f} s a day, the worst {100 * off:.0f} % off that line",
            off <= LINEAR_MOST,
            "the shortest runs are all start, which differs from run to run",
        )
    )
    return rows


def page(found: Figures) -> str:
    """The text of docs/benchmarks/simulator.md."""
    out = [
        "# How fast the simulator is",
        "",
        "Made by `make bench-sim`; do not edit.",
        "",
        f"Code: `{digest()}` (first 16 digits of the SHA-256 of the chain's sources, the twin's types, and "
        f"{', '.join(f'`{name}.py`' for name in WAY)} of the simulator); {found.engine}.",
        "",
        "**How.** Rivals run in turn in one process on the same samples, each by its least time. Days and weeks are a",
        "made-up hour of standing, walking, leaning, bending, stairs and jogging, again and again, and the whole",
        "command is timed: imports, reading, resampling, quantising, the chain, output. Memory is the process's peak.",
        "Absolute times are of one computer; the ratios are what to go by.",
        "",
        "## What must be shown",
        "",
        "| figure | target | measured | met | why short |",
        "| --- | --- | --- | --- | --- |",
    ]
    for figure, target, measured, met, why in target_rows(found):
        out.append(f"| {figure} | {target} | {measured} | {'yes' if met else 'no'} | {'' if met else why} |")
    out += [
        "",
        "## A sample",
        "",
        "| what | times the compiled chain |",
        "| --- | --- |",
        "| the whole chain, compiled: counts to events | 1 |",
        f"| VQF, C++, `updateBatch` | {found.vqf_s / found.compiled_s:.1f} |",
        f"| the whole chain, Python | {found.pure_s / found.compiled_s:.0f} |",
        f"| Madgwick, `ahrs`, over the array | {found.madgwick_s / found.compiled_s:.0f} |",
        f"| Madgwick, `ahrs`, `updateIMU` sample by sample | {found.madgwick_step_s / found.compiled_s:.0f} |",
        "",
        "## Cost against length",
        "",
        "| length | samples | s | s of processor | s a day, start left out | MB at the most |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    start = linear(found.lengths)[0]
    for name, (seconds, run) in found.lengths.items():
        day = (run.wall_s - start) * 86400.0 / seconds
        shown = f"{day:.2f}" if seconds >= 3600 else "–"
        out.append(f"| {name} | {seconds * HZ} | {run.wall_s:.2f} | {run.cpu_s:.2f} | {shown} | {run.peak_mb:.0f} |")
    out += ["", "![seconds against length, both axes logarithmic](length.svg)", ""]
    return "\n".join(out)


def picture(found: Figures, path: Path) -> None:
    """Time against length, with the straight line of start and slope."""
    from bench.plots import length_picture

    start, a_day, _ = linear(found.lengths)
    points: list[Any] = [(seconds, run.wall_s, run.peak_mb) for seconds, run in found.lengths.values()]
    length_picture(points, list(found.lengths), start, a_day / 86400.0, path)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.simulator", description="How fast the simulator is.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sweep", type=float, default=SWEEP_S, metavar="S", help="work for the sweep; 0: none")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args(arguments)
    if engine.select().name != engine.COMPILED:
        print(f"bench-sim: {engine.describe()}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = measure(
                Path(folder), given.rounds, sweep_s=given.sweep, tell=lambda text: print(text, file=sys.stderr)
            )
        except RuntimeError as fault:
            print(f"bench-sim: {fault}", file=sys.stderr)
            return 1
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(page(found), encoding="utf-8")
    picture(found, given.out.parent / "length.svg")
    for figure, target, measured, met, _ in target_rows(found):
        print(f"{'met   ' if met else 'short '} {figure}: {measured} ({target})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
