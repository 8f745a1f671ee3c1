"""What is in a recording, trial by trial: rate, gaps, length, labels, and which way gravity points at its start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from walktall_sim import mounting, recordings, resample
from walktall_sim.formats import Columns

_START_S = 2.0


def trials(path: Path, columns: Columns | None = None) -> Iterator[dict[str, Any]]:
    """One object for each trial of a recording.

    :param columns: which column is what, in a table of another form
    :raises recordings.RecordingError: the file cannot be used
    """
    gathered: _Trial | None = None
    for batch in recordings.batches(path, columns):
        if gathered is None or gathered.index != batch.index:
            if gathered is not None:
                yield gathered.line()
            gathered = _Trial(batch)
        gathered.add(batch)
    if gathered is not None:
        yield gathered.line()


class _Trial:
    """The figures of one trial, gathered batch by batch."""

    def __init__(self, first: recordings.Batch) -> None:
        self.index = first.index
        self._name = first.trial
        self._start_s = self._last_s = float(first.t_s[0])
        self._rows = 0
        self._head: list[recordings.Floats] = []
        self._head_rows = 0
        self._limit_s = 0.0
        self._rate_hz = 0.0
        self._trouble = ""
        self._gaps = 0
        self._gap_s = 0.0
        self._labels: dict[str, int] = {}
        self._force = np.zeros(3)
        self._force_rows = 0

    def add(self, batch: recordings.Batch) -> None:
        """Take the trial's next batch."""
        t_s = np.concatenate([[self._last_s], batch.t_s])
        if self._limit_s:
            self._count_gaps(t_s)
        else:
            # The rate is that of the first rows, as it is for resampling.
            self._head.append(batch.t_s)
            self._head_rows += len(batch.t_s)
            if self._head_rows >= resample.RATE_ROWS:
                self._find_rate()
        self._rows += len(batch.t_s)
        self._last_s = float(batch.t_s[-1])
        if batch.label is not None:
            for name, count in zip(*np.unique(batch.label.astype(str), return_counts=True), strict=True):
                self._labels[str(name)] = self._labels.get(str(name), 0) + int(count)
        first = batch.t_s < self._start_s + _START_S
        self._force += batch.values[first, :3].sum(axis=0)
        self._force_rows += int(first.sum())

    def _find_rate(self) -> None:
        t_s = np.concatenate(self._head)
        self._head.clear()
        try:
            self._rate_hz = resample.nominal_rate_hz(t_s[: resample.RATE_ROWS])
            self._limit_s = resample.gap_limit_s(self._rate_hz)
        except resample.RateError as error:
            self._trouble = str(error)
            self._limit_s = float("inf")
        self._count_gaps(t_s)

    def _count_gaps(self, t_s: recordings.Floats) -> None:
        steps = np.diff(t_s)
        steps = steps[steps > self._limit_s]
        self._gaps += len(steps)
        self._gap_s += float(steps.sum())

    def line(self) -> dict[str, Any]:
        """The trial's figures."""
        if not self._limit_s:
            self._find_rate()
        force = self._force / max(self._force_rows, 1)
        out: dict[str, Any] = {
            "trial": self._name,
            "index": self.index,
            "rows": self._rows,
            "duration_s": round(self._last_s - self._start_s, 3),
            "rate_hz": None,
            "gaps": None,
            "gap_s": None,
            "gravity_g": [round(float(v) / mounting.G, 3) for v in force],
            "looks_up": mounting.AXIS_NAMES[mounting.nearest_axis(force)],
            "labels": self._labels,
        }
        if self._trouble:
            out["trouble"] = self._trouble
        else:
            out.update(rate_hz=round(self._rate_hz, 2), gaps=self._gaps, gap_s=round(self._gap_s, 3))
        return out


def text(line: dict[str, Any]) -> str:
    """One trial's figures for a person, on one line."""
    rate = f"{line['rate_hz']:g} Hz" if line["rate_hz"] else str(line["trouble"])
    gaps = f"{line['gaps']} gaps ({line['gap_s']:g} s)" if line["gaps"] else "no gaps"
    labels = ", ".join(line["labels"])
    return (
        f"trial {line['trial']}: {line['duration_s']:g} s, {line['rows']} rows, {rate}, {gaps}, "
        f"gravity at the start nearest {line['looks_up']}" + (f"; labels {labels}" if labels else "")
    )
