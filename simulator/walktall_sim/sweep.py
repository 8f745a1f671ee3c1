"""Many settings tried on many walks: how often a lean is found, how soon, and how much is buzzed without one.

A *unit* is one case of a suite with one combination of the settings that vary. Units are independent of each other, so
they run in any `concurrent.futures.Executor`: processes of this machine, or a Dask cluster's. Both run the same
function on the same bytes, and results are put in the order of the suites, so that they are the same row for row.

Units that are done are kept in a journal beside the file that is to be written, each with a digest of all that it
came from: walk, options, settings, and the code of firmware and simulator. A sweep that was cut short goes on from
there, and one whose detector has changed begins anew by itself. What is worth a buzz is `walktall_sim.scoring`'s.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

import polars as pl
import walktall
from walktall.settings import index_of, parse_text

from walktall_sim import checking, formats, mounting, persons, recordings, replay, scoring, suites, workers
from walktall_sim.scoring import Score
from walktall_sim.source import FaultyWalk, WalkSource
from walktall_sim.turn import Turn
from walktall_sim.whole import write_whole

Pairs = tuple[tuple[str, str], ...]

KINDS = (".csv", ".parquet")
# A worker keeps this many walks ready: an hour of one takes 4.5 MB.
_WALKS_KEPT = 16
# Combinations in a task: enough that handing it over costs nothing, few enough that all processes end together.
_UNITS_A_TASK = 24


class SweepError(ValueError):
    """A sweep that cannot be run as it was asked for; the text is one line."""


@dataclass(frozen=True, slots=True)
class Vary:
    """A setting and the values that are tried."""

    name: str
    values: tuple[str, ...]


def parse_vary(text: str) -> Vary:
    """A setting and its values out of ``name=5,10,15``.

    :raises SweepError: told in one line
    """
    name, equals, rest = text.partition("=")
    values = tuple(dict.fromkeys(part.strip() for part in rest.split(",") if part.strip()))
    if not equals or not values:
        raise SweepError(f"--vary {text!r}: expected NAME=VALUE,VALUE,..., such as hold_s=5,10,15")
    for value in values:
        try:
            replay.parse_setting(f"{name}={value}")
        except replay.ReplayError as error:
            raise SweepError(str(error).replace("--set ", "--vary ")) from None
    return Vary(name.strip(), values)


def combinations(varied: Sequence[Vary], refused: Callable[[str], None]) -> list[Pairs]:
    """Every combination of the values, in their order, that the device takes.

    :param refused: called with one line for each that it does not
    :raises SweepError: a setting comes twice, or no combination is left
    """
    names = [one.name for one in varied]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise SweepError(f"--vary {double}: comes twice; give all of its values at once")
    chosen = mounting.mounting_for(Path(), mounting.DEFAULT_UP, mounting.DEFAULT_FORWARD)
    out: list[Pairs] = []
    why = ""
    for values in itertools.product(*(one.values for one in varied)):
        pairs = tuple(zip(names, values, strict=True))
        try:
            replay.settings_for(chosen, pairs)
        except replay.ReplayError as error:
            why = str(error).removeprefix("--set: ")
            refused(f"{shown(pairs)} left out: {why}")
            continue
        out.append(pairs)
    if not out:
        raise SweepError(f"no combination of these settings is one that the device takes: {why}")
    return out


def shown(pairs: Pairs) -> str:
    """A combination in words."""
    return " ".join(f"{name}={value}" for name, value in pairs)


processes = workers.processes

# Modules that show or hand on what others find; all others make, read, play or score walks.
_SHOWING = frozenset(
    (
        "cli",
        "compare",
        "describe",
        "page",
        "pareto",
        "plot",
        "printable",
        "pytest_plugin",
        "record",
        "serve",
        "whole",
        "workers",
        "__main__",
    )
)

# --- what a unit came from ----------------------------------------------------------------------------------------


def _digest_of(paths: Iterable[Path]) -> str:
    out = hashlib.sha256()
    for path in sorted(paths, key=lambda one: one.name):
        out.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return out.hexdigest()[:24]


@lru_cache(maxsize=1)
def code_digest() -> str:
    """The code that results depend on: the firmware's modules, and those of the simulator that make and play walks."""
    firmware = [path for folder in walktall.__path__ for path in Path(folder).glob("*.py")]
    own = [path for path in Path(__file__).parent.glob("*.py") if path.stem not in _SHOWING]
    return _digest_of([*firmware, *own])


@lru_cache(maxsize=256)
def _file_digest(path: Path) -> str:
    if path.is_dir():
        return _digest_of(path.rglob("*.csv"))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:24]


def _case_digest(case: suites.Case) -> str:
    """What a case is: its walk with the recording's own bytes, and everything that is done to it."""
    walk = case.walk
    if isinstance(walk, suites.Recorded):
        source: list[Any] = ["recorded", _file_digest(walk.path)]
    elif isinstance(walk, suites.Joined):
        file = walk.root / walk.kit / f"{walk.person}.csv.gz"
        source = ["joined", walk.kit, walk.person, walk.minutes, walk.pitch_deg, walk.seed, _file_digest(file)]
        source.append(_file_digest(walk.root / "manifest.json"))
    else:
        source = ["made", str(getattr(walk, "plan", "")), int(getattr(walk, "seed", 0))]
    options = {
        name: getattr(case.options, name) for name in ("trial", "up", "forward", "upright", "settings", "answer_s")
    }
    turns = [(one.deg, one.start_s, one.hold_s, one.ramp_s) for one in case.options.turns]
    faults = None if case.faults is None else asdict(case.faults)
    quiet = [str(one) for one in case.expect if isinstance(one, suites.Event) and one.name == "buzz" and one.most == 0]
    columns = formats.described(case.options.columns)
    text = json.dumps([source, options, turns, faults, quiet, columns], default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def keys_of(case: suites.Case, combos: Sequence[Pairs]) -> list[str]:
    """The digests of all that the results of a case's units depend on."""
    start = f"{_case_digest(case)} {code_digest()} "
    return [hashlib.sha256((start + json.dumps(pairs)).encode()).hexdigest()[:32] for pairs in combos]


# --- playing units, in whatever process ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ready:
    """A case's walk, read and resampled, and its truth."""

    walk: replay.Walk
    truth: scoring.Truth


_ready: OrderedDict[str, _Ready] = OrderedDict()


def _walk_of(case: suites.Case) -> _Ready:
    """The walk of a case, made ready once in each process.

    :raises replay.ReplayError: and the readers' errors, told in one line
    """
    key = _case_digest(case)
    if key in _ready:
        _ready.move_to_end(key)
        return _ready[key]
    walks = list(checking.walks(case, case.options))
    if len(walks) != 1:
        raise replay.ReplayError("several trials; name one: trial = '...'")
    _ready[key] = _Ready(walks[0], checking.truth(case, walks[0]))
    while len(_ready) > _WALKS_KEPT:
        _ready.popitem(last=False)
    return _ready[key]


def play(case: suites.Case, combos: Sequence[Pairs], code: str) -> list[dict[str, Any]]:
    """The scores of one case with each combination.

    :param code: the digest that the results are for
    :raises SweepError: the walk cannot be played, or this process has other code than the one that asks
    """
    if code_digest() != code:
        raise SweepError("a worker runs another version of walktall than this one; install the same on both")
    try:
        ready = _walk_of(case)
        return [_score(case, ready, pairs) for pairs in combos]
    except (mounting.MountingError, persons.PersonError, recordings.RecordingError, replay.ReplayError) as error:
        raise SweepError(f"{case.where}: {error}") from None


def _score(case: suites.Case, ready: _Ready, pairs: Pairs) -> dict[str, Any]:
    walk, own = ready.walk, dict(pairs)
    settings = [*((name, value) for name, value in case.options.settings if name not in own), *pairs]
    options = replace(case.options, settings=settings, full=False)
    # Each replay meets a wearer who has not answered yet.
    source = WalkSource(
        walk.source._values,
        walk.source.t0_s,
        frame=walk.frame,
        turns=[Turn(one.deg, one.start_s, one.hold_s, one.ramp_s) for one in case.options.turns],
        answer_s=case.options.answer_s,
    )
    felt = source if case.faults is None else FaultyWalk(source, case.faults, walk.frame.up)
    again = replace(walk, source=felt, settings=replay.settings_for(walk.chosen, settings))
    lines = [line for line in replay.play(again, options) if line["event"] == "buzz"]
    return asdict(scoring.score(lines, ready.truth))


# --- the journal --------------------------------------------------------------------------------------------------

_HEAD = {"walktall_sweep": 1}


def journal_of(out: Path) -> Path:
    """Where the units that are done are kept until ``out`` is written."""
    return out.with_name(f".{out.name}.journal")


class Journal:
    """Finished units, one a line, each written through to the disk; a line that was cut short is left out.

    :raises SweepError: another sweep writes to it, or it cannot be written
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._done: dict[str, Score] = {}
        self._file: TextIO | None = None
        if path is None:
            return
        try:
            self._file = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise SweepError(f"{path}: cannot be written ({error.strerror})") from None
        if not _lock(self._file):
            self._file.close()
            raise SweepError(f"{path}: another sweep writes to it; wait for it, or give another --out")
        self._file.seek(0)
        text = self._file.read()
        whole = text[: text.rfind("\n") + 1]
        for number, line in enumerate(whole.splitlines()):
            try:
                row = json.loads(line)
                if number == 0 and row != _HEAD:
                    break
                if number:
                    score = Score(**{**row["score"], "latencies_s": tuple(row["score"]["latencies_s"])})
                    self._done[row["unit"]] = score
            except (ValueError, KeyError, TypeError):
                continue
        if not whole.startswith(json.dumps(_HEAD)):
            self._done.clear()
            whole = ""
        # What follows the last whole line would run into the next one.
        self._file.seek(0)
        self._file.truncate(len(whole.encode()))
        if not whole:
            self._write(json.dumps(_HEAD))

    def _write(self, line: str) -> None:
        assert self._file is not None
        self._file.seek(0, os.SEEK_END)
        self._file.write(line + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def get(self, key: str) -> Score | None:
        """What a unit came to, None when it is not done."""
        return self._done.get(key)

    def add(self, rows: Mapping[str, dict[str, Any]]) -> None:
        """Keep units that are done."""
        if self._file is not None:
            self._write("\n".join(json.dumps({"unit": key, "score": score}) for key, score in rows.items()))

    def close(self) -> None:
        """Let go of it; the file stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """The sweep is written: what it was put together from is no longer needed."""
        self.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _lock(file: TextIO) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows: two sweeps into one file are the user's to avoid
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


# --- all of it ----------------------------------------------------------------------------------------------------


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The workers of a Dask cluster as an executor. They need walktall[sim], and recordings at the same paths.

    :raises SweepError: no scheduler answers there
    """
    from distributed import Client

    try:
        client: Any = Client(address, timeout="10s", set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise SweepError(f"--dask {address}: no Dask scheduler answers there ({type(error).__name__})") from None
    try:
        # Results are the same wherever a unit runs, but a random number would not be: none is drawn (pure=True).
        yield client.get_executor(pure=True)
    finally:
        client.close(timeout=5)


@dataclass(frozen=True, slots=True)
class Unit:
    """One case with one combination, and what came of it."""

    case: suites.Case
    pairs: Pairs
    score: Score


def run(
    cases: Sequence[suites.Case],
    combos: Sequence[Pairs],
    journal: Journal,
    executor: Executor | None,
    jobs: int,
    progress: Callable[[int, int], None],
) -> list[Unit]:
    """Every case with every combination, case by case.

    :param executor: None plays in this process
    :param progress: called with the units that are done and with all of them
    :raises SweepError: a walk cannot be played
    """
    keys = [keys_of(case, combos) for case in cases]
    done = {key: score for row in keys for key in row if (score := journal.get(key)) is not None}
    total = sum(len(row) for row in keys)
    n_done = sum(key in done for row in keys for key in row)
    progress(n_done, total)
    tasks = list(_tasks(cases, keys, done, jobs if executor is not None else 0))

    def finish(task: tuple[int, list[int]], rows: list[dict[str, Any]]) -> None:
        nonlocal n_done
        number, wanted = task
        found = {keys[number][at]: row for at, row in zip(wanted, rows, strict=True)}
        journal.add(found)
        for key, row in found.items():
            done[key] = Score(**{**row, "latencies_s": tuple(row["latencies_s"])})
        n_done += len(found)
        progress(n_done, total)

    code = code_digest()
    if executor is None:
        for number, wanted in tasks:
            for at in wanted:
                finish((number, [at]), play(cases[number], [combos[at]], code))
    else:
        futures: dict[Future[list[dict[str, Any]]], tuple[int, list[int]]] = {}
        try:
            for number, wanted in tasks:
                futures[executor.submit(play, cases[number], [combos[at] for at in wanted], code)] = (number, wanted)
            for future in as_completed(futures):
                finish(futures[future], future.result())
        except BaseException:
            for future in futures:
                future.cancel()
            raise
    return [
        Unit(case, pairs, done[key])
        for case, row in zip(cases, keys, strict=True)
        for pairs, key in zip(combos, row, strict=True)
    ]


def _tasks(
    cases: Sequence[suites.Case], keys: list[list[str]], done: Mapping[str, Score], jobs: int
) -> Iterator[tuple[int, list[int]]]:
    """Cases and the combinations that they lack, cut so that no process waits long for the last one."""
    lacking = [(n, [at for at, key in enumerate(row) if key not in done]) for n, row in enumerate(keys)]
    # The slow ones first: a long task at the end would go on alone.
    lacking.sort(key=lambda one: _pace(cases[one[0]]), reverse=jobs > 1)
    for n, wanted in lacking:
        # Cases differ much in length: each is cut for all processes.
        size = min(_UNITS_A_TASK, -(-len(wanted) // max(2 * jobs, 1)))
        for begin in range(0, len(wanted), max(size, 1)):
            yield n, wanted[begin : begin + size]


def _pace(case: suites.Case) -> int:
    """How slowly a case is played, roughly: 2 around the whole device, 1 where the wearer may answer at any time."""
    if case.faults is not None and case.faults.lost_share > 0.0:
        return 2
    return int(case.options.answer_s is not None)


# --- results ------------------------------------------------------------------------------------------------------

#: columns behind the settings that vary
COLUMNS = (
    "cases",
    "hours",
    "episodes",
    "found",
    "sensitivity",
    "precision",
    "latency_median_s",
    "latency_p95_s",
    "buzzes",
    "false_alarms",
    "false_alarms_per_h",
    "pareto",
)


def _value(name: str, text: str) -> int | str:
    """A setting's value as a column holds it: a number where it is one."""
    number = parse_text(name, text)
    return int(number) if index_of(name) >= 0 and text.lstrip("-").isdigit() else text


def table(units: Sequence[Unit]) -> list[dict[str, Any]]:
    """A row for each combination, in their order."""
    sums: dict[Pairs, Score] = {}
    counts: dict[Pairs, int] = {}
    for one in units:
        sums[one.pairs] = sums.get(one.pairs, Score()) + one.score
        counts[one.pairs] = counts.get(one.pairs, 0) + 1
    rows = []
    for pairs, score in sums.items():
        row: dict[str, Any] = {name: _value(name, text) for name, text in pairs}
        row.update(cases=counts[pairs], hours=round(score.duration_s / 3600.0, 6), buzzes=score.buzzes)
        for name in scoring.METRICS:
            value = score.metric(name)
            whole = name in ("episodes", "found", "false_alarms")
            row[name] = None if value is None else (int(value) if whole else round(value, 4))
        rows.append(row)
    for row in rows:
        row["pareto"] = not any(_better(other, row) for other in rows)
    names = [name for name, _ in units[0].pairs] if units else []
    return [{name: row[name] for name in (*names, *COLUMNS)} for row in rows]


def _merits(row: Mapping[str, Any]) -> tuple[float, ...]:
    """Sensitivity, then false alarms and latency (median, p95) turned round: more is better. Nothing found is as late
    as can be."""
    late = [row["latency_median_s"], row["latency_p95_s"]]
    return (
        float(row["sensitivity"] or 0.0),
        -float(row["false_alarms_per_h"] or 0.0),
        *(-float("inf") if value is None else -float(value) for value in late),
    )


def _better(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether ``a`` is as good as ``b`` in everything and better in something."""
    mine, other = _merits(a), _merits(b)
    return mine != other and all(x >= y for x, y in zip(mine, other, strict=True))


def unit_rows(units: Sequence[Unit]) -> list[dict[str, Any]]:
    """A row for each case with each combination, case by case."""
    return [
        {
            "suite": one.case.suite,
            "case": one.case.name,
            **{name: _value(name, text) for name, text in one.pairs},
            "seconds": round(one.score.duration_s, 3),
            "episodes": one.score.episodes,
            "found": len(one.score.latencies_s),
            "latency_median_s": one.score.metric("latency_median_s"),
            "buzzes": one.score.buzzes,
            "false_alarms": one.score.false_alarms,
        }
        for one in units
    ]


def kind_of(path: Path, option: str) -> str:
    """'.csv' or '.parquet', by the name.

    :raises SweepError: another, or it cannot be written there
    """
    if path.suffix.lower() not in KINDS:
        raise SweepError(f"{option} {path}: the name must end in .csv or .parquet")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise SweepError(f"{option} {path}: cannot be written there")
    return path.suffix.lower()


def write(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """The rows as CSV or Parquet, whole or not at all.

    :raises SweepError: it cannot be written
    """
    floats = ("hours", "sensitivity", "precision", "latency_median_s", "latency_p95_s", "false_alarms_per_h", "seconds")
    known = dict.fromkeys((name for name in floats if rows and name in rows[0]), pl.Float64)
    frame = pl.DataFrame(list(rows), infer_schema_length=None, schema_overrides=known)
    out = io.BytesIO()
    if path.suffix.lower() == ".parquet":
        frame.write_parquet(out)
    else:
        frame.write_csv(out)
    try:
        write_whole(path, out.getvalue())
    except OSError as error:
        raise SweepError(f"{path}: cannot be written ({error.strerror})") from None
