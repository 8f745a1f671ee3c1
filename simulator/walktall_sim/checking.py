"""Cases of suites played and judged: which expectations held, and what came instead.

Cases are independent of each other, so they run in any `concurrent.futures.Executor`; results come in the order of the
suites whatever ran first. What is expected, and how suites look, is `walktall_sim.suites`'s.
"""

from __future__ import annotations

import bisect
import functools
import json
import math
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from walktall import __version__

from walktall_sim import generate, mounting, persons, recordings, replay, resample, scoring, suites, workers
from walktall_sim.printable import printable
from walktall_sim.replay import Line
from walktall_sim.source import FaultyWalk, WalkSource

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
_JUDGED = ("good_s", "forward_s", "back_s", "side_s")


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation: what was expected, whether it held, and what was found."""

    expected: str
    held: bool
    found: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a case: its checks, and its events and session record for comparisons."""

    suite: str
    name: str
    where: str
    status: str
    seconds: float
    checks: tuple[Check, ...] = ()
    why: str = ""
    events: tuple[Line, ...] = ()
    summary: Line = field(default_factory=dict)
    #: the walk drawn, as an SVG element for the page of results; empty unless asked for
    picture: str = field(default="", compare=False)
    #: what the case asks for and does not get; it fails nothing
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The case's name among all suites'."""
        return f"{self.suite}: {self.name}"


# --- one case -----------------------------------------------------------------------------------------------------


def walks(case: suites.Case, options: replay.Options) -> Iterator[replay.Walk]:
    """What a case is played on.

    :raises replay.ReplayError: and the readers' errors, told in one line
    """
    if isinstance(case.walk, suites.Recorded):
        yield from replay.walks(case.walk.path, options, lambda _: None)
    elif isinstance(case.walk, suites.Joined):
        one = case.walk
        joined = persons.joined(one.root, one.kit, one.person, one.minutes, one.pitch_deg, one.seed)
        yield replay.walk_of(joined.t_s, joined.data, persons.mounting_of(one.root, one.kit), options)
    elif isinstance(case.walk, suites.Generated):
        rows, _ = _made(case.walk.plan, case.walk.seed)
        chosen = mounting.mounting_for(Path(), options.up or mounting.DEFAULT_UP, options.forward or "+z")
        yield replay.walk_of(rows[:, 0], rows[:, 1:], chosen, options)


@functools.lru_cache(maxsize=2)
def _made(plan: str, seed: int) -> tuple[recordings.Floats, recordings.Floats]:
    """A made-up walk's rows (n, 7), and the angle (n,) at which its plan holds the trunk wrongly, 0 elsewhere."""
    frames = list(generate.Walk(generate.parse_plan(plan), seed).blocks())
    rows = np.concatenate([frame.select(recordings.NEEDED).to_numpy() for frame in frames])
    wrong = np.concatenate([frame["state"].is_in(("lean", "slouch", "arch")).to_numpy() for frame in frames])
    deg = np.concatenate([frame["pitch_deg"].to_numpy() for frame in frames])
    return rows, np.where(wrong, deg, 0.0)


def truth(case: suites.Case, walk: replay.Walk) -> scoring.Truth:
    """What is worth a buzz in a case: its turns and its plan's leans, less what it expects no buzz of."""
    planned = None
    if isinstance(case.walk, suites.Generated):
        rows, deg = _made(case.walk.plan, case.walk.seed)
        planned = rows[:, 0], deg
    out = scoring.truth_of(walk.source.t0_s, walk.n / resample.CHIP_HZ, case.options.turns, planned)
    for one in case.expect:
        always = isinstance(one, suites.Event) and (one.from_s, one.to_s) == (-math.inf, math.inf)
        if isinstance(one, suites.Event) and one.name == "buzz" and one.most == 0 and one.label is None and always:
            sides = {None: (0.0, 0.0), "forward": (-180.0, 0.0), "back": (0.0, 180.0)}
            if out.deg is not None and one.fault in sides:
                out = replace(out, deg=np.clip(out.deg, *sides[one.fault]))
    return out


def play(case: suites.Case, drawn: bool = False) -> Result:
    """Play one case and judge it. What is wrong with its walk fails it; nothing is raised.

    :param drawn: with its picture
    """
    if case.walk is None:
        return Result(case.suite, case.name, case.where, SKIPPED, 0.0, why=case.missing)
    if isinstance(case.walk, suites.Traced):
        return _play_traced(case, case.walk.path, drawn)
    began = time.perf_counter()
    pitches: list[tuple[float, float]] = []
    lines: list[Line] = []
    t0_s = 0.0
    walk: replay.Walk | None = None
    trace: Any = None
    if drawn:
        from walktall_sim import plot

        trace = plot.Trace()

    def look(chain: Any) -> None:
        raw_cdeg = chain.detector.pitch_cdeg + chain.detector.walk_offset_cdeg
        pitches.append((t0_s + chain.n_samples / resample.CHIP_HZ, raw_cdeg / 100.0))
        if trace is not None:
            trace.look(chain)

    watched = drawn or any(isinstance(one, suites.Pitch) for one in case.expect)
    options = replace(case.options, watch=look) if watched else case.options
    try:
        for played, walk in enumerate(walks(case, options)):
            if played:
                raise replay.ReplayError("several trials; name one: trial = '...'")
            t0_s = walk.source.t0_s
            felt = walk
            if case.faults is not None:
                felt = walk.with_source(FaultyWalk(walk.source, case.faults, walk.frame.up))
            lines = list(replay.play(felt, options))
    except (mounting.MountingError, persons.PersonError, recordings.RecordingError, replay.ReplayError) as error:
        return _unplayable(case, began, error)
    told = [_renamed(line) for line in lines if line["event"] != "summary"]
    summary = next(line for line in lines if line["event"] == "summary")
    score = scoring.Score()
    if walk is not None and any(isinstance(one, suites.Metric) for one in case.expect):
        score = scoring.score(told, truth(case, walk))
    checks = tuple(_judge(one, told, summary, pitches, score) for one in case.expect)
    status = PASSED if all(check.held for check in checks) else FAILED
    spent = time.perf_counter() - began
    picture = plot.element(walk.source, trace, lines) if drawn and walk is not None and len(trace) > 1 else ""
    notes = () if walk is None else tuple(f"the walk {note}" for note in replay.idle_turns(walk))
    return Result(case.suite, case.name, case.where, status, spent, checks, "", tuple(told), summary, picture, notes)


def _unplayable(case: suites.Case, began: float, error: Exception) -> Result:
    spent = time.perf_counter() - began
    checks = (Check("the walk can be played", False, ""),)
    return Result(case.suite, case.name, case.where, FAILED, spent, checks, str(error))


def _play_traced(case: suites.Case, path: Path, drawn: bool) -> Result:
    """A case on a clip's own trace: no truth is known of it, so that each buzz is one too many or as expected."""
    from walktall_sim import traced

    began = time.perf_counter()
    try:
        judged = traced.play(path, case.options.settings)
    except replay.ReplayError as error:
        return _unplayable(case, began, error)
    told = [_renamed(line) for line in judged.lines[:-1]]
    summary = judged.lines[-1]
    pitches = [(second + 1.0, deg) for second, deg in enumerate(judged.raw_pitch_deg)]
    score = scoring.score(told, scoring.Truth(0.0, float(len(pitches)), None))
    checks = tuple(_judge(one, told, summary, pitches, score) for one in case.expect)
    status = PASSED if all(check.held for check in checks) else FAILED
    picture = ""
    if drawn and len(pitches) > 1:
        from walktall_sim import plot

        trace = plot.Trace()
        trace.limits_deg = judged.limits_deg
        hz = round(resample.CHIP_HZ)
        for second, row in enumerate(zip(judged.pitch_deg, judged.classes, judged.cadence_spm, strict=True), 1):
            trace.take(second * hz, *row)
        picture = plot.element(WalkSource(np.empty((0, 6))), trace, judged.lines)
    spent = time.perf_counter() - began
    return Result(case.suite, case.name, case.where, status, spent, checks, "", tuple(told), summary, picture)


def _renamed(line: Line) -> Line:
    """A line whose event says alone whether walking began or stopped."""
    return {**line, "event": "stopped"} if line["event"] == "walking" and not line["walking"] else line


def _judge(
    one: suites.Expectation,
    told: Sequence[Line],
    summary: Line,
    pitches: Sequence[tuple[float, float]],
    score: scoring.Score,
) -> Check:
    if isinstance(one, suites.Event):
        return _judge_event(one, told)
    if isinstance(one, suites.Recovered):
        return _judge_recovered(one, told)
    if isinstance(one, suites.Field):
        value = _figure(one.name, summary)
        if value is None:
            return Check(str(one), False, "nothing was judged")
        return Check(str(one), one.least <= value <= one.most, f"{value:g}")
    if isinstance(one, suites.Metric):
        value = score.metric(one.name)
        if value is None:
            return Check(str(one), False, "nothing to tell it from")
        return Check(str(one), one.least <= value <= one.most, f"{value:.4g}")
    at = bisect.bisect_left(pitches, (one.at_s, -1e9))
    near = [pair for pair in pitches[max(at - 1, 0) : at + 1] if abs(pair[0] - one.at_s) <= 0.5]
    if not near:
        return Check(str(one), False, "no pitch at that time")
    _, deg = min(near, key=lambda pair: abs(pair[0] - one.at_s))
    return Check(str(one), abs(deg - one.deg) <= one.within_deg, f"{deg:.2f}°")


def _judge_event(one: suites.Event, told: Sequence[Line]) -> Check:
    alike = [
        line for line in told if line["event"] == one.name and (one.fault is None or line.get("fault") == one.fault)
    ]
    meant = [
        line
        for line in alike
        if one.from_s <= line["t_s"] <= one.to_s and (one.label is None or line.get("label") == one.label)
    ]
    held = len(meant) >= one.least and (one.most is None or len(meant) <= one.most)
    shown = meant if meant or one.most == 0 else alike
    words = [" ".join([f"{line['t_s']:.2f} s", str(line.get("label") or "")]).strip() for line in shown[:4]]
    if len(shown) > 4:
        words.append("...")
    if not meant and shown:
        return Check(str(one), held, "none there, but at " + ", ".join(words))
    return Check(str(one), held, f"{len(meant)}" + (" at " + ", ".join(words) if words else ""))


def _judge_recovered(one: suites.Recovered, told: Sequence[Line]) -> Check:
    late: list[str] = []
    waits: list[float] = []
    for i, line in enumerate(told):
        if line["event"] != "buzz":
            continue
        ends = (n["t_s"] for n in told[i + 1 :] if n["event"] == "recovered" and n.get("fault") == line.get("fault"))
        wait_s = next(ends, float("inf")) - line["t_s"]
        waits.append(wait_s)
        if wait_s > one.within_s:
            late.append(f"{line['t_s']:.2f} s" + ("" if wait_s == float("inf") else f" (after {wait_s:.2f} s)"))
    if not waits:
        return Check(str(one), False, "no buzz")
    return Check(str(one), not late, "not of the buzz at " + ", ".join(late) if late else f"at most {max(waits):.2f} s")


def _figure(name: str, summary: Line) -> float | None:
    if name != "upright_pct":
        return float(summary[name])
    judged = sum(summary[one] for one in _JUDGED)
    return 100.0 * summary["good_s"] / judged if judged else None


# --- many cases ---------------------------------------------------------------------------------------------------


def run(
    cases: Sequence[suites.Case],
    jobs: int,
    done: Callable[[Result], None],
    executor: Executor | None = None,
    drawn: bool = False,
) -> list[Result]:
    """Play all cases; the results in their order.

    :param jobs: processes; 1 plays in this one
    :param done: called with each result as it comes, in the order of the cases
    :param executor: plays instead of processes of our own
    :param drawn: each with its picture
    """
    out: list[Result] = []
    if executor is None and (jobs <= 1 or len(cases) <= 1):
        for case in cases:
            out.append(play(case, drawn))
            done(out[-1])
        return out
    with workers.processes(min(jobs, len(cases))) if executor is None else nullcontext(executor) as pool:
        assert pool is not None
        futures: list[Future[Result]] = []
        try:
            futures += [pool.submit(play, case, drawn) for case in cases]
            for future in futures:
                out.append(future.result())
                done(out[-1])
        except BaseException:
            for future in futures:
                future.cancel()
            raise
    return out


# --- results out --------------------------------------------------------------------------------------------------


def as_json(result: Result) -> Line:
    """One case as an object."""
    return {
        "suite": result.suite,
        "case": result.name,
        "status": result.status,
        "where": result.where,
        "seconds": round(result.seconds, 3),
        "why": result.why,
        "notes": list(result.notes),
        "checks": [{"expected": one.expected, "held": one.held, "found": one.found} for one in result.checks],
    }


def totals(results: Sequence[Result]) -> Line:
    """How many cases of each status."""
    counts = {status: sum(one.status == status for one in results) for status in (PASSED, FAILED, SKIPPED)}
    return {"event": "totals", "cases": len(results), **counts}


def complaint(result: Result) -> str:
    """What did not hold, one expectation a line."""
    lines = [f"expected {one.expected}; found {one.found or result.why}" for one in result.checks if not one.held]
    return "\n".join(lines) or result.why


def junit(results: Sequence[Result]) -> bytes:
    """The results as JUnit XML, in the form that Jenkins, GitLab and GitHub's reporters read (junit-10.xsd)."""

    def clean(text: str) -> str:
        # XML 1.0 has no other control characters.
        return printable(text, " \t\n")

    root = ET.Element("testsuites", name="walktall-sim check")
    for suite in dict.fromkeys(one.suite for one in results):
        own = [one for one in results if one.suite == suite]
        files = dict.fromkeys(one.where.rpartition(":")[0] for one in own)
        node = ET.SubElement(
            root,
            "testsuite",
            name=clean(suite),
            tests=str(len(own)),
            failures=str(sum(one.status == FAILED for one in own)),
            errors="0",
            skipped=str(sum(one.status == SKIPPED for one in own)),
            time=f"{sum(one.seconds for one in own):.3f}",
            file=clean(", ".join(files)),
        )
        for one in own:
            case = ET.SubElement(
                node,
                "testcase",
                name=clean(one.name),
                classname=f"walktall.{clean(suite)}",
                time=f"{one.seconds:.3f}",
            )
            if one.status == FAILED:
                text = clean(complaint(one))
                failure = ET.SubElement(case, "failure", type="expectation", message=text.split("\n")[0])
                failure.text = f"{text}\n{clean(one.where)}"
            elif one.status == SKIPPED:
                ET.SubElement(case, "skipped", message=clean(one.why))
    ET.indent(root)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode").encode() + b"\n"


def saved(results: Sequence[Result]) -> bytes:
    """The results as `--save` keeps them: all events and figures, one case a line."""
    head = json.dumps({"walktall_check": 1, "version": __version__})
    lines = [
        json.dumps({"case": one.key, "status": one.status, "events": list(one.events), "summary": one.summary})
        for one in results
    ]
    return ("\n".join([head, *lines]) + "\n").encode()
