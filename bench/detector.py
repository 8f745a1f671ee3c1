"""`make bench-detector`: how good the detector is on real people, beside the best; writes docs/benchmarks/detector.md.

Everything is measured on the firmware's own `walktall.chain`, fed with counts as the chip would give them. The result
does not depend on the machine or the number of processes.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import buzzes, gate, inclination, people, turns
from bench.strain import STRAINS, Strain
from bench.turns import Outcome, Slip

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = ROOT.parent / "shared" / "recordings"
OUT = ROOT / "docs" / "benchmarks"
# What the figures depend on: their digest stands in the page, and a test tells when the page is stale.
SIGNAL = ("fixmath", "events", "tilt", "gait", "motion", "coach", "detector", "chain", "calibrate")
CLOSED_DEG = (15.0, 20.0, 30.0)
_STRAIN_PLANS = turns.plans((10.0, 14.0, 15.0, 20.0, 30.0), (15.0,), (1.0, 15.0))
_CLOSED_PLANS = turns.plans(CLOSED_DEG, (40.0,))
_ANSWER_S = 0.5
_GATE_SETS = ("grouvel_sternum", "ipol_l5")
_LITTLE = ("firmware", "VQF online")


def digest() -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the firmware's signal files."""
    whole = hashlib.sha256()
    for name in SIGNAL:
        whole.update((ROOT / "firmware" / "lib" / "walktall" / f"{name}.py").read_bytes())
    return whole.hexdigest()[:16]


@dataclass(slots=True)
class Results:
    """All that was measured."""

    people: list[people.Person] = field(default_factory=list)
    unique_minutes: dict[tuple[str, str], float] = field(default_factory=dict)
    standing: dict[tuple[str, str], bool] = field(default_factory=dict)
    turns: list[Outcome] = field(default_factory=list)
    closed: list[Outcome] = field(default_factory=list)
    slips: list[Slip] = field(default_factory=list)
    quiet: list[buzzes.Quiet] = field(default_factory=list)
    ticks: list[gate.Ticks] = field(default_factory=list)
    steps: list[gate.Steps] = field(default_factory=list)
    boards: list[inclination.Errors] = field(default_factory=list)
    joined_pitch: list[inclination.WalkingErrors] = field(default_factory=list)
    recorded_pitch: list[inclination.WalkingErrors] = field(default_factory=list)


# ---- one job each, in a worker ---------------------------------------------------------------------------------------


def _turns(person: people.Person, strain: Strain, plans: list[turns.Plan]) -> dict[str, Any]:
    # Each person's samples are lost elsewhere.
    return {
        "turns": turns.try_person(person, plans, strain, None, sum(person.name.encode()) if strain.lost_share else 0)
    }


def _closed(person: people.Person, strain: Strain, plans: list[turns.Plan]) -> dict[str, Any]:
    return {"closed": turns.try_person(person, plans, strain, _ANSWER_S)}


def _walk(person: people.Person, strain: Strain, minutes: float) -> dict[str, Any]:
    return {"quiet": [buzzes.upright_walk(person, minutes, strain)]}


def _acts(person: people.Person, jog_minutes: float) -> dict[str, Any]:
    found = buzzes.as_recorded(person)
    if person.kit == "umafall_chest":
        found += buzzes.acts(person)
    jog = buzzes.jogging(person, jog_minutes) if person.kit in ("grouvel_sternum", "umafall_chest") else None
    return {"quiet": found + ([jog] if jog else [])}


def _slips(person: people.Person) -> dict[str, Any]:
    return {"slips": turns.slip_person(person)}


def _gate(person: people.Person, strain: Strain) -> dict[str, Any]:
    ticks, steps = gate.try_person(person, strain)
    return {"ticks": ticks, "steps": steps}


def _board(name: str, strain: Strain, filters: tuple[str, ...]) -> dict[str, Any]:
    return {"boards": [inclination.try_board(name, strain, filters)]}


def _pitch(person: people.Person, minutes: float) -> dict[str, Any]:
    filters = ("firmware", "VQF online", "Mahony", "Madgwick")
    found: dict[str, Any] = {"joined_pitch": [inclination.try_walking(person, minutes, filters)]}
    if person.kit in ("grouvel_sternum", "ipol_l5"):
        found["recorded_pitch"] = [inclination.try_recorded(person, filters)]
    return found


def jobs(everyone: list[people.Person], *, quick: bool) -> list[tuple[Callable[..., dict[str, Any]], tuple[Any, ...]]]:
    """All jobs of a run, the long ones first."""
    none = Strain()
    trunk = [x for x in everyone if x.kit in people.TRUNK]
    walkers = [x for x in everyone if x.kit != "ipol_l5"]
    strains = STRAINS[::6] if quick else STRAINS
    plans = turns.plans((10.0, 15.0, 20.0), (15.0,), (1.0, 15.0)) if quick else turns.plans()
    out: list[tuple[Callable[..., dict[str, Any]], tuple[Any, ...]]] = []
    out += [(_turns, (x, none, plans)) for x in walkers]
    out += [(_acts, (x, 1.0 if quick else 3.0)) for x in everyone]
    out += [(_walk, (x, none, 2.0 if quick else 15.0)) for x in everyone]
    out += [(_closed, (x, none, _CLOSED_PLANS[:2] if quick else _CLOSED_PLANS)) for x in walkers]
    out += [(_turns, (x, s, _STRAIN_PLANS[:2] if quick else _STRAIN_PLANS)) for s in strains for x in trunk]
    out += [(_closed, (x, s, _CLOSED_PLANS[3:6:2])) for s in strains if s.shake or s.rate != 1.0 for x in trunk]
    out += [(_walk, (x, s, 1.0 if quick else 4.0)) for s in strains for x in trunk]
    boards = inclination.boards()[:1] if quick else inclination.boards()
    out += [(_board, (name, none, _LITTLE if quick else inclination.FILTERS)) for name in boards]
    hard = [s for s in strains if s.bias_dps or s.drift_dps_per_s or s.rate != 1.0 or s.unseen]
    out += [(_board, (name, s, _LITTLE)) for s in hard for name in boards]
    out += [(_gate, (x, none)) for x in everyone]
    out += [
        (_gate, (x, s))
        for s in strains
        if s.lost_share or s.rate != 1.0 or s.knocks or s.flip
        for x in everyone
        if x.kit in _GATE_SETS
    ]
    out += [(_pitch, (x, 1.0 if quick else 3.0)) for x in everyone if x.kit in (*people.TRUNK, "ipol_l5")]
    out += [(_slips, (x,)) for x in trunk]
    return out


def _run(root: Path, work: Callable[..., dict[str, Any]], arguments: tuple[Any, ...]) -> dict[str, Any]:
    people.set_root(root)
    return work(*arguments)


def measure(root: Path, *, quick: bool = False, only: tuple[str, ...] = (), workers: int | None = None) -> Results:
    """Run all jobs; `only` names people ('P02') to whom it is confined."""
    people.set_root(root)
    everyone = [x for x in people.people() if not only or x.name in only]
    results = Results(people=everyone)
    for person in everyone:
        got = people.pieces(person.kit, person.name)
        results.unique_minutes[person.kit, person.name] = sum(len(v) for v in got.walking) / people.HZ / 60.0
        results.standing[person.kit, person.name] = got.measured_standing
    work = jobs(everyone, quick=quick)
    done: list[dict[str, Any] | None] = [None] * len(work)
    begin = time.monotonic()
    # Not forked: Polars' threads, which the reading of recordings has started, do not live on in a child.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=fresh) as pool:
        waiting: dict[Future[dict[str, Any]], int] = {
            pool.submit(_run, root, job, arguments): k for k, (job, arguments) in enumerate(work)
        }
        for count, future in enumerate(as_completed(waiting), 1):
            done[waiting[future]] = future.result()
            if count % 10 == 0 or count == len(work):
                _progress(count, len(work), time.monotonic() - begin)
    for name, found in itertools.chain.from_iterable((part or {}).items() for part in done):
        getattr(results, name).extend(found)
    return results


def _progress(count: int, total: int, seconds: float) -> None:
    end = "\n" if count == total or not sys.stderr.isatty() else "\r"
    if end == "\n" and count != total and count % 50:
        return
    print(f"{count}/{total} jobs, {seconds:.0f} s", end=end, file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> int:
    """The command; 0 done, 2 the recordings are not there."""
    parser = argparse.ArgumentParser(prog="make bench-detector", description="Benchmark of the detector on real walks.")
    parser.add_argument("--recordings", type=Path, default=RECORDINGS, help="default: ../shared/recordings")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the page and its pictures")
    parser.add_argument("--person", action="append", default=[], help="only this person (repeat for more)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: to see that it runs")
    parser.add_argument("--workers", type=int, default=None, help="processes (default: one a core)")
    arguments = parser.parse_args(argv)
    if not (arguments.recordings / "manifest.json").is_file():
        print(f"{arguments.recordings}: no manifest.json there; give --recordings", file=sys.stderr)
        return 2
    people.set_root(arguments.recordings)
    known = {x.name for x in people.people()}
    for name in arguments.person:
        if name not in known:
            print(f"--person {name}: nobody of that name; there are {' '.join(sorted(known))}", file=sys.stderr)
            return 2
    version = digest()
    results = measure(
        arguments.recordings, quick=arguments.quick, only=tuple(arguments.person), workers=arguments.workers
    )
    if version != digest():
        print("the firmware changed while the benchmark ran; run it again", file=sys.stderr)
    # Plots and pages need more than the workers do.
    from bench import plots, report

    arguments.out.mkdir(parents=True, exist_ok=True)
    text = report.page(results, version, quick=arguments.quick)
    (arguments.out / "detector.md").write_text(text, encoding="utf-8")
    plots.draw_all(results, arguments.out)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
