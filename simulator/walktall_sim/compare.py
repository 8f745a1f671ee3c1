"""What changed between two runs of the same cases: events gained, lost, moved, and figures of the session record.

An event is the same one in both when it is of the same kind and fault and not more than half a minute away; of several
candidates the nearest are paired, in their order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from walktall_sim.checking import FAILED, PASSED, SKIPPED, Result, totals
from walktall_sim.printable import printable
from walktall_sim.replay import Line

FAR_S = 30.0
# Half a sample: times are whole samples, and printed to a thousandth of a second.
_SAME_S = 0.01
_FIGURES = ("buzzes", "answered", "good_s", "forward_s", "back_s", "side_s", "unsure_s", "gap_s", "walking_s", "steps")


class CompareError(ValueError):
    """A file that `--save` did not write; the text is one line."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change in a case: ``kind`` is gained, lost, moved, relabelled, figure, status or case."""

    case: str
    kind: str
    text: str


def load(path: Path) -> dict[str, Line]:
    """What `--save` wrote, by case.

    :raises CompareError: told in one line
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise CompareError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise CompareError(f"{path}: is not what --save writes") from None
    number = 0
    out: dict[str, Line] = {}
    try:
        for number, line in enumerate(lines, 1):
            row = json.loads(line)
            if number == 1:
                if row["walktall_check"] != 1:
                    raise CompareError(f"{path}: was saved by another version of walktall-sim; save it anew")
                continue
            if not isinstance(row["events"], list) or not isinstance(row["summary"], dict):
                raise KeyError
            for event in row["events"]:
                float(event["t_s"]), str(event["event"])
            out[row["case"]] = row
    except CompareError:
        raise
    except (ValueError, KeyError, TypeError):
        raise CompareError(f"{path}:{number}: is not what --save writes") from None
    if not lines:
        raise CompareError(f"{path}: is empty")
    return out


def compare(before: dict[str, Line], after: Sequence[Result]) -> list[Change]:
    """The changes, case by case, in the order of the cases."""
    out: list[Change] = []
    for result in after:
        then = before.get(result.key)
        if then is None:
            out.append(Change(result.key, "case", "new"))
            continue
        if SKIPPED in (result.status, then["status"]):
            if result.status != then["status"]:
                out.append(Change(result.key, "status", f"{then['status']} -> {result.status}"))
            continue
        if result.status != then["status"]:
            out.append(Change(result.key, "status", f"{then['status']} -> {result.status}"))
        out += _events(result.key, then["events"], result.events)
        for name in _FIGURES:
            old, new = then["summary"].get(name), result.summary.get(name)
            if old != new:
                out.append(Change(result.key, "figure", f"{name} {old} -> {new}"))
    known = {result.key for result in after}
    out += [Change(key, "case", "gone") for key in before if key not in known]
    return out


def _kind(line: Line) -> tuple[Any, ...]:
    return line["event"], line.get("fault")


def _shown(line: Line) -> str:
    return " ".join(str(part) for part in (line.get("fault"), line["event"], line.get("label")) if part)


def _events(case: str, before: Sequence[Line], after: Sequence[Line]) -> list[Change]:
    timed: list[tuple[float, Change]] = []
    for kind in dict.fromkeys([_kind(line) for line in (*before, *after)]):
        old = [line for line in before if _kind(line) == kind]
        new = [line for line in after if _kind(line) == kind]
        for a, b in _pairs(old, new):
            if a is None and b is not None:
                timed.append((b["t_s"], Change(case, "gained", f"{_shown(b)} at {b['t_s']:.2f} s")))
            elif b is None and a is not None:
                timed.append((a["t_s"], Change(case, "lost", f"{_shown(a)} at {a['t_s']:.2f} s")))
            elif a is not None and b is not None:
                by_s = b["t_s"] - a["t_s"]
                if abs(by_s) > _SAME_S:
                    text = f"{_shown(b)} {a['t_s']:.2f} s -> {b['t_s']:.2f} s ({by_s:+.2f} s)"
                    timed.append((b["t_s"], Change(case, "moved", text)))
                if a.get("label") != b.get("label"):
                    text = f"{b['event']} at {b['t_s']:.2f} s: {a.get('label')} -> {b.get('label')}"
                    timed.append((b["t_s"], Change(case, "relabelled", text)))
    return [change for _, change in sorted(timed, key=lambda pair: pair[0])]


def _pairs(old: Sequence[Line], new: Sequence[Line]) -> list[tuple[Line | None, Line | None]]:
    """Events of one kind paired in their order, so that as many pair as can and their distances are least."""
    n, m = len(old), len(new)
    # cost[i][j]: of the first i and the first j; one left alone costs half of FAR_S, so that none pairs beyond it.
    alone = FAR_S / 2.0
    cost = [[alone * (i + j) if not (i and j) else 0.0 for j in range(m + 1)] for i in range(n + 1)]
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            apart = abs(old[i - 1]["t_s"] - new[j - 1]["t_s"])
            cost[i][j] = min(cost[i - 1][j - 1] + apart, cost[i - 1][j] + alone, cost[i][j - 1] + alone)
    out: list[tuple[Line | None, Line | None]] = []
    i, j = n, m
    while i or j:
        if i and j and cost[i][j] == cost[i - 1][j - 1] + abs(old[i - 1]["t_s"] - new[j - 1]["t_s"]):
            i, j = i - 1, j - 1
            out.append((old[i], new[j]))
        elif i and cost[i][j] == cost[i - 1][j] + alone:
            i -= 1
            out.append((old[i], None))
        else:
            j -= 1
            out.append((None, new[j]))
    return out[::-1]


def as_text(changes: Sequence[Change]) -> str:
    """The changes for a terminal."""
    if not changes:
        return "against the saved run: no change"
    out = [f"against the saved run: {_counted(changes)}"]
    case = None
    for change in changes:
        if change.case != case:
            case = change.case
            out.append(f"  {printable(case)}")
        out.append(f"    {change.kind:<10} {change.text}")
    return "\n".join(out)


# A comment on a pull request holds 65,536 characters.
_MOST_ROWS = 250


def as_markdown(changes: Sequence[Change] | None, results: Sequence[Result] = ()) -> str:
    """How the cases stand and what changed, for a pull request or a job's summary; None: nothing was compared."""
    out = ["### Detector check", ""]
    if results:
        counts = totals(results)
        words = [f"{counts[status]} {status}" for status in (FAILED, PASSED, SKIPPED) if counts[status]]
        out += [f"{counts['cases']} case{'s'[: counts['cases'] != 1]}: {', '.join(words)}.", ""]
        failed = [one for one in results if one.status == FAILED]
        if failed:
            out += ["| failed case | expected | found |", "| --- | --- | --- |"]
            rows = [
                (one.key, check.expected, check.found or one.why)
                for one in failed
                for check in one.checks
                if not check.held
            ]
            out += _rows(rows, "failed expectations")
            out.append("")
    if changes is None:
        return "\n".join(out).rstrip("\n") + "\n"
    if not changes:
        return "\n".join([*out, "No change in any case.", ""])
    out += [f"{_counted(changes)}.", "", "| case | change | |", "| --- | --- | --- |"]
    told = []
    for change in changes:
        kind = f"**{change.kind}**" if change.kind in ("gained", "lost", "status") else change.kind
        told.append((change.case, kind, change.text.replace("->", "→")))
    return "\n".join([*out, *_rows(told, "changes")]) + "\n"


def _rows(rows: Sequence[tuple[str, str, str]], what: str) -> list[str]:
    """Rows of a table, the first cell only where it changes."""
    out: list[str] = []
    last = None
    for first, *rest in rows[:_MOST_ROWS]:
        shown = ["" if first == last else first, *rest]
        last = first
        out.append("| " + " | ".join(_cell(text) for text in shown) + " |")
    if len(rows) > _MOST_ROWS:
        out += ["", f"and {len(rows) - _MOST_ROWS} more {what}."]
    return out


def _cell(text: str) -> str:
    return printable(text.replace("\n", " ")).replace("|", "\\|").replace("<", "&lt;")


def _counted(changes: Sequence[Change]) -> str:
    words = []
    for kind in ("gained", "lost", "moved", "relabelled"):
        count = sum(change.kind == kind for change in changes)
        if count:
            words.append(f"{count} event{'s' if count > 1 else ''} {kind}")
    cases = len({change.case for change in changes})
    return (", ".join(words) or "no event changed") + f", in {cases} case{'s' if cases > 1 else ''}"
