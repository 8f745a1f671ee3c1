"""What is in a recording, trial by trial: rate, gaps, saturation, gravity, labels, and how the sensor seems to sit.

Up is the axis nearest to gravity in the first 2 s. Forward is told from walking, by its physics and not by the sensor's
habits: along the way the trunk is braked and pushed once a step, sideways it sways once in two steps, so of all level
directions the way is the one whose share at the step frequency is greatest against that at half of it. Its sign comes
from the order of things in a step: forward acceleration leads upward acceleration by a quarter to two fifths of a step
(74 to 145 degrees in the 16 people of the project's recordings in whom both keep time). Where there is too little
walking, or it says neither, forward is not told. It is a hint for `--up` and `--forward`; nothing is set by it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walktall_sim import mounting, recordings, resample
from walktall_sim.formats import Columns
from walktall_sim.printable import printable
from walktall_sim.recordings import Floats

_START_S = 2.0
# The clip's own ranges: what goes beyond is cut off there.
_CLIP_MS2 = 4.0 * mounting.G
_CLIP_RADPS = math.radians(500.0)
# A value that stays at the greatest one for so many rows stands at the end of the sensor's scale.
_RAILED = 3
_LEAST_RAIL = np.array([1.5 * mounting.G] * 3 + [math.radians(100.0)] * 3)
# Ten minutes are enough to tell axes.
_AXES_S = 600.0
_WINDOW = 512
_LEAST_WINDOW = 208  # 4 s
_LEAST_S = 20.0
_WALKS_MS2 = 0.6
_STEPS_HZ = (1.3, 2.7)
_NEAR_HZ = 0.13
_LEAST_RATIO = 5.0
_LEAST_COHERENCE = 0.7


def trials(path: Path, columns: Columns | None = None) -> Iterator[dict[str, Any]]:
    """One object for each trial of a recording; where there are several, then one for all (its ``trial`` is None).

    :param columns: which column is what, in a table of another form
    :raises recordings.RecordingError: the file cannot be used
    """
    gathered: _Trial | None = None
    told: list[tuple[dict[str, Any], Gait]] = []
    for batch in recordings.batches(path, columns):
        if gathered is None or gathered.index != batch.index:
            if gathered is not None:
                told.append((gathered.line(), gathered.gait))
                yield told[-1][0]
            gathered = _Trial(batch)
        gathered.add(batch)
    if gathered is not None:
        told.append((gathered.line(), gathered.gait))
        yield told[-1][0]
    if len(told) > 1:
        yield _all(told)


def _all(told: list[tuple[dict[str, Any], Gait]]) -> dict[str, Any]:
    """What all trials together say: the sensor sat one way in them, or so it is hoped."""
    ups = [str(line["looks_up"]) for line, _ in told]
    up = max(dict.fromkeys(ups), key=ups.count)
    gait = Gait()
    for line, one in told:
        if line["looks_up"] == up:
            gait += one
    found = gait.forward(mounting.AXIS_NAMES.index(up))
    return {
        "trial": None,
        "trials": len(told),
        "rows": sum(line["rows"] for line, _ in told),
        "duration_s": round(sum(line["duration_s"] for line, _ in told), 3),
        "gaps": sum(line["gaps"] or 0 for line, _ in told),
        "saturated_rows": sum(line["saturated_rows"] for line, _ in told),
        "looks_up": up,
        "looks_forward": None if found is None else mounting.AXIS_NAMES[found],
    }


class _Trial:
    """The figures of one trial, gathered batch by batch."""

    def __init__(self, first: recordings.Batch) -> None:
        self.index = first.index
        self.gait = Gait()
        self._name = first.trial
        self._start_s = self._last_s = float(first.t_s[0])
        self._rows = 0
        self._head: list[Floats] = []
        self._head_rows = 0
        self._limit_s = 0.0
        self._rate_hz = 0.0
        self._trouble = ""
        self._gaps = 0
        self._gap_s = 0.0
        self._labels: dict[str, int] = {}
        self._force = np.zeros(3)
        self._force_rows = 0
        self._top = np.zeros(6)
        self._railed = np.zeros(6, dtype=np.int64)
        self._beyond = np.zeros(2, dtype=np.int64)
        self._stuck = 0
        self._before: Floats = np.full((_RAILED - 1, 6), np.nan)
        self._pieces: list[tuple[Floats, Floats]] = []

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
        self._count_ends(batch.values)
        early = batch.t_s < self._start_s + _AXES_S
        if early.any():
            self._pieces.append((batch.t_s[early], batch.values[early]))

    def _count_ends(self, values: Floats) -> None:
        size = np.abs(values)
        beyond = (size[:, :3] > _CLIP_MS2).any(axis=1).sum(), (size[:, 3:] > _CLIP_RADPS).any(axis=1).sum()
        self._beyond += np.array(beyond)
        joint = np.concatenate([self._before, values])
        n = len(values)
        same = np.ones((n, 6), dtype=bool)
        for back in range(1, _RAILED):
            same &= joint[_RAILED - 1 : _RAILED - 1 + n] == joint[_RAILED - 1 - back : _RAILED - 1 - back + n]
        self._stuck += int(same.all(axis=1).sum())
        top = size.max(axis=0)
        railed = (same & (size == np.maximum(top, self._top))).sum(axis=0)
        # A greater value says that the old one was no end.
        self._railed = np.where(top > self._top, railed, self._railed + railed)
        self._top = np.maximum(top, self._top)
        self._before = joint[-(_RAILED - 1) :]

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

    def _count_gaps(self, t_s: Floats) -> None:
        steps = np.diff(t_s)
        steps = steps[steps > self._limit_s]
        self._gaps += len(steps)
        self._gap_s += float(steps.sum())

    def line(self) -> dict[str, Any]:
        """The trial's figures."""
        if not self._limit_s:
            self._find_rate()
        force = self._force / max(self._force_rows, 1)
        railed = np.where(self._top >= _LEAST_RAIL, self._railed, 0)
        up = mounting.nearest_axis(force)
        out: dict[str, Any] = {
            "trial": self._name,
            "index": self.index,
            "rows": self._rows,
            "duration_s": round(self._last_s - self._start_s, 3),
            "rate_hz": None,
            "gaps": None,
            "gap_s": None,
            "gravity_g": [round(float(v) / mounting.G, 3) for v in force],
            "looks_up": mounting.AXIS_NAMES[up],
            "looks_forward": None,
            "saturated_rows": int(railed.max()),
            "saturated_axes": [name for name, n in zip(recordings.AXES, railed, strict=True) if n],
            "beyond_4g_rows": int(self._beyond[0]),
            "beyond_500dps_rows": int(self._beyond[1]),
            "stuck_rows": self._stuck,
            "greatest_g": round(float(self._top[:3].max()) / mounting.G, 3),
            "greatest_dps": round(math.degrees(float(self._top[3:].max())), 1),
            "labels": self._labels,
        }
        if self._trouble:
            out["trouble"] = self._trouble
        else:
            out.update(rate_hz=round(self._rate_hz, 2), gaps=self._gaps, gap_s=round(self._gap_s, 3))
            _, _, rows = resample.resample(self._pieces)
            self.gait.add(rows.astype(np.float64))
            found = self.gait.forward(up)
            out["looks_forward"] = None if found is None else mounting.AXIS_NAMES[found]
        return out


class Gait:
    """What walking says of the sensor's axes: spectra of its windows, added up."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._step, self._stride = np.zeros((3, 3)), np.zeros((3, 3))
        self._cross = np.zeros(3, dtype=np.complex128)
        self._level = np.zeros(3)

    def add(self, rows: Floats) -> None:
        """Take rows (n, 6) at 52 Hz, NaN in gaps."""
        force = rows[np.isfinite(rows).all(axis=1), :3]
        size = min(_WINDOW, len(force))
        if size < _LEAST_WINDOW:
            return
        hz = np.fft.rfftfreq(size, 1.0 / resample.CHIP_HZ)
        band = (hz > _STEPS_HZ[0]) & (hz < _STEPS_HZ[1])
        for begin in range(0, len(force) - size + 1, size):
            window = force[begin : begin + size]
            if np.linalg.norm(window, axis=1).std() < _WALKS_MS2:
                continue
            mean = window.mean(axis=0)
            mean /= np.linalg.norm(mean)
            spectrum = np.fft.rfft((window - window.mean(axis=0)) * np.hanning(size)[:, None], axis=0)
            upward = spectrum @ mean
            power = np.abs(upward) ** 2
            at_hz, most = float(hz[band][np.argmax(power[band])]), float(power[band].max())
            at, half = np.abs(hz - at_hz) < _NEAR_HZ, np.abs(hz - at_hz / 2.0) < _NEAR_HZ
            self._step += np.real(spectrum[at].conj().T @ spectrum[at]) / most
            self._stride += np.real(spectrum[half].conj().T @ spectrum[half]) / most
            self._cross += spectrum[at].conj().T @ upward[at] / most
            self._level += mean
            self.seconds += size / resample.CHIP_HZ

    def __iadd__(self, other: Gait) -> Gait:
        self.seconds += other.seconds
        self._step += other._step
        self._stride += other._stride
        self._cross += other._cross
        self._level += other._level
        return self

    def forward(self, up: int) -> int | None:
        """The axis 0..5 that looks forward, None where walking says nothing.

        :param up: the axis that points up
        """
        if self.seconds < _LEAST_S:
            return None
        upright = self._level / np.linalg.norm(self._level)
        way, ratio = _way(self._step, self._stride, upright)
        power = float(way @ self._step @ way) * float(upright @ self._step @ upright)
        coherence = abs(self._cross @ way) / math.sqrt(max(power, 1e-12))
        if ratio < _LEAST_RATIO or coherence < _LEAST_COHERENCE:
            return None
        way = way if float(np.imag(np.conj(self._cross @ way))) > 0.0 else -way
        # The axis that is up is not forward, however the sensor is tilted.
        way[up // 2] = 0.0
        return mounting.nearest_axis(way)


def _way(step: Floats, stride: Floats, up: Floats) -> tuple[Floats, float]:
    """The level direction (3,) with the greatest share at the step frequency against half of it, and how much greater
    that is than across it."""
    other = np.eye(3)[int(np.argmin(np.abs(up)))]
    first = np.cross(up, other)
    first /= np.linalg.norm(first)
    plane = np.column_stack([first, np.cross(up, first)])
    a, b = plane.T @ step @ plane, plane.T @ stride @ plane
    b += 1e-6 * np.trace(a) * np.eye(2)
    values, vectors = np.linalg.eig(np.linalg.solve(b, a))
    best = int(np.argmax(values.real))
    way: NDArray[np.float64] = plane @ vectors[:, best].real
    return way / np.linalg.norm(way), float(values.real.max() / max(values.real.min(), 1e-12))


def text(line: dict[str, Any]) -> str:
    """One trial's figures for a person: a line, and one more for what is wrong with it."""
    if line["trial"] is None:
        axes = f"--up {line['looks_up']}" + (f" --forward {line['looks_forward']}" if line["looks_forward"] else "")
        return f"all {line['trials']} trials: {line['duration_s']:g} s, {line['rows']} rows; it looks like {axes}"
    rate = f"{line['rate_hz']:g} Hz" if line["rate_hz"] else str(line["trouble"])
    gaps = f"{line['gaps']} gaps ({line['gap_s']:g} s)" if line["gaps"] else "no gaps"
    labels = ", ".join(map(printable, line["labels"]))
    forward = f", walking looks forward along {line['looks_forward']}" if line["looks_forward"] else ""
    out = (
        f"trial {printable(line['trial'])}: {line['duration_s']:g} s, {line['rows']} rows, {rate}, {gaps}, "
        f"gravity at the start nearest {line['looks_up']}{forward}" + (f"; labels {labels}" if labels else "")
    )
    odd = []
    if line["saturated_rows"]:
        odd.append(f"{line['saturated_rows']} rows at the end of the scale ({', '.join(line['saturated_axes'])})")
    if line["beyond_4g_rows"] or line["beyond_500dps_rows"]:
        many = f"{line['beyond_4g_rows']} rows beyond 4 g and {line['beyond_500dps_rows']} beyond 500 dps"
        odd.append(f"{many}, which the clip would cut off")
    if line["stuck_rows"]:
        odd.append(f"{line['stuck_rows']} rows that repeat the two before them")
    strength = float(np.linalg.norm(line["gravity_g"]))
    if abs(strength - 1.0) > 0.1:
        odd.append(f"the start is {strength:.2f} g, where standing is 1 g")
    return out + (f"\n  {'; '.join(odd)}" if odd else "")
