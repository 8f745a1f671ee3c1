"""Recordings of any rate and with uneven time stamps, brought to the chip's 52 Hz without inventing anything.

* A rate up to the chip's: the straight line between the two samples around each instant. A line never
  leaves the range of what was measured.
* A higher rate: first what the chip's own filter does, a low-pass below half the chip's rate, else steps and knocks
  would fold down as false slow motion. A windowed sinc is laid over the samples at their own times, each weighted by
  the time that it stands for, and normalised, so that a constant stays the constant however uneven the stamps are.
* A gap stays a gap: where two neighbours are further apart than 0.1 s and than three nominal periods, the samples
  between are rows of NaN, and neither line nor filter reaches across.
* Equal time stamps are averaged into one.

The work is done in a stream (:class:`Resampler`), so that a day can pass through a small machine; the result does not
depend on how the rows are cut into batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CHIP_HZ = 52.0
MIN_HZ = 15.0
MAX_HZ = 1000.0
GAP_S = 0.1
GAP_PERIODS = 3.0

# Where the low-pass is worth its cost: below this ratio nothing to speak of lies beyond half the chip's rate.
_DOWN_FROM = 1.05
# Hann-windowed sinc, six output periods to each side: half gain at 22 Hz, folded signals (above 30 Hz) below 1 %.
_CUTOFF_HZ = 22.0
_HALF_PERIODS = 6
_BLOCK = 2048
# Stamps to the microsecond are those of the instants that they stand for.
_SAME_S = 1e-6
RATE_ROWS = 4096


class RateError(ValueError):
    """A recording's rate cannot stand for the chip's; the text is one line without the file's name."""


def nominal_rate_hz(t_s: Floats) -> float:
    """Rows a second, from the median distance of those that differ.

    :raises RateError: fewer than two different times, or a rate outside 15..1000 Hz
    """
    steps = np.diff(t_s)
    steps = steps[steps > 0.0]
    if len(steps) == 0:
        raise RateError("fewer than two different times; nothing can be told from it")
    rate = 1.0 / float(np.median(steps))
    if rate < MIN_HZ:
        hint = "; t_s is in seconds: are these milliseconds?" if rate < 1.0 else "; a walk needs 20 Hz or more"
        raise RateError(f"{rate:.3g} rows a second are too few (15..1000 Hz){hint}")
    if rate > MAX_HZ:
        raise RateError(f"{rate:.4g} rows a second are too many (15..1000 Hz); t_s is in seconds: check its unit")
    return rate


def gap_limit_s(rate_hz: float) -> float:
    """The longest distance of two rows that is not a gap."""
    # A hair above, so that rounded time stamps at exactly the limit do not count.
    return max(GAP_S, GAP_PERIODS / rate_hz) + 1e-6


class Resampler:
    """Rows in, rows at 52 Hz out, at the times ``t0_s + k / out_hz``.

    :param rate_hz: the recording's nominal rate (:func:`nominal_rate_hz`)
    :param t0_s: the time of the first row, which is the first output's
    :param out_hz: the rate wanted; other than 52 for a chip whose clock is off
    """

    def __init__(self, rate_hz: float, t0_s: float, out_hz: float = CHIP_HZ) -> None:
        self._out_hz = out_hz
        self._t0_s = t0_s
        self._limit_s = gap_limit_s(rate_hz)
        self._down = rate_hz > _DOWN_FROM * out_hz
        self._half_s = _HALF_PERIODS / out_hz if self._down else 0.0
        self._next = 0
        self._t: Floats = np.empty(0)
        self._x: Floats = np.empty((0, 6))

    def feed(self, t_s: Floats, values: Floats) -> Floats:
        """Take rows (n,), (n, 6), in the order of time; give the output rows (m, 6) that they settle."""
        self._t = np.concatenate([self._t, t_s])
        self._x = np.concatenate([self._x, values])
        if len(self._t) < 2:
            return np.empty((0, 6))
        return self._emit(last=False)

    def finish(self) -> Floats:
        """The output rows up to the last input row."""
        return self._emit(last=True) if len(self._t) else np.empty((0, 6))

    def _emit(self, *, last: bool) -> Floats:
        t, x = _merged(self._t, self._x)
        if last:
            # A hair of rounding must not cost the last sample of an exact grid.
            slack = max(_SAME_S, 1e-9 * abs(float(t[-1])))
            end = int(np.floor((float(t[-1]) + slack - self._t0_s) * self._out_hz)) + 1
        elif len(t) > 1:
            # The last stamp may come again and change its mean: what it touches is not settled yet.
            end = int(np.ceil((float(t[-2]) - self._half_s - self._t0_s) * self._out_hz))
        else:
            end = 0
        if end <= self._next:
            return np.empty((0, 6))
        k = np.arange(self._next, end)
        out = self._at(t, x, self._t0_s + k / self._out_hz)
        self._next = end
        # Keep what the next output can reach: the filter's length and one gap, and a row to its left.
        keep_from = self._t0_s + end / self._out_hz - self._half_s - self._limit_s
        keep = max(int(np.searchsorted(self._t, keep_from)) - 2, 0)
        self._t, self._x = self._t[keep:], self._x[keep:]
        return out

    def _at(self, t: Floats, x: Floats, at: Floats) -> Floats:
        if not self._down:
            # Measured at the chip's own instants already: there is nothing to be done.
            first = int(np.searchsorted(t, at[0] - _SAME_S))
            there = t[first : first + len(at)]
            if len(there) == len(at) and np.abs(there - at).max() < _SAME_S:
                return x[first : first + len(at)]
        right = np.clip(np.searchsorted(t, at), 1, max(len(t) - 1, 1))
        if len(t) == 1:
            return np.where(np.abs(at - t[0])[:, None] < 1e-9, x[0], np.nan)
        left = right - 1
        before = t[left]
        span = t[right] - before
        whole = span <= self._limit_s
        x = np.ascontiguousarray(x)
        if self._down:
            out = self._filtered(t, x, at, left)
        else:
            share = (at - before) / span
            share[np.abs(at - before) < _SAME_S] = 0.0
            share[np.abs(at - t[right]) < _SAME_S] = 1.0
            out = self._straight(x, left, share)
        if whole.all():
            return out
        # At the very stamp of a sample there is data, whatever lies beside it.
        out[~whole] = np.nan
        for side in (left, right):
            exact = ~whole & (np.abs(at - t[side]) < _SAME_S)
            out[exact] = x[side[exact]]
        return out

    @staticmethod
    def _straight(x: Floats, left: NDArray[np.intp], w: Floats) -> Floats:
        """The straight line from row ``left`` to the next; in blocks that a processor's cache holds."""
        np.clip(w, 0.0, 1.0, out=w)
        out = np.empty((len(w), 6))
        for begin in range(0, len(w), _BLOCK):
            some = slice(begin, begin + _BLOCK)
            share = w[some, None]
            part = np.take(x, left[some], axis=0, out=out[some], mode="clip")
            part *= 1.0 - share
            ahead = np.take(x, left[some] + 1, axis=0, mode="clip")
            ahead *= share
            part += ahead
        return out

    def _filtered(self, t: Floats, x: Floats, at: Floats, left: NDArray[np.intp]) -> Floats:
        gap = np.diff(t) > self._limit_s
        segment = np.concatenate([[0], np.cumsum(gap)])
        # The time that each sample stands for: half-way to its neighbours, never across a gap.
        step = np.where(gap, 0.0, np.diff(t))
        share = 0.5 * (np.concatenate([[0.0], step]) + np.concatenate([step, [0.0]]))
        out = np.empty((len(at), 6))
        for begin in range(0, len(at), _BLOCK):
            a = at[begin : begin + _BLOCK]
            lo = np.searchsorted(t, a - self._half_s, "left")
            hi = np.searchsorted(t, a + self._half_s, "right")
            taps = lo[:, None] + np.arange(max(int((hi - lo).max()), 1))
            inside = taps < hi[:, None]
            taps = np.minimum(taps, len(t) - 1)
            d = t[taps] - a[:, None]
            window = 0.5 + 0.5 * np.cos(np.pi * np.clip(d / self._half_s, -1.0, 1.0))
            weight = np.sinc(2.0 * _CUTOFF_HZ * d) * window * share[taps]
            weight *= inside & (segment[taps] == segment[left[begin : begin + _BLOCK]][:, None])
            total = weight.sum(axis=1)
            nothing = np.abs(total) < 1e-12
            weight[nothing, 0] = np.nan
            total[nothing] = 1.0
            out[begin : begin + _BLOCK] = np.einsum("ij,ijk->ik", weight / total[:, None], x[taps])
        return out


def _merged(t: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Rows of equal time averaged into one."""
    first = np.concatenate([[True], np.diff(t) > 0.0])
    if first.all():
        return t, x
    starts = np.flatnonzero(first)
    counts = np.diff(np.concatenate([starts, [len(t)]]))
    return t[starts], np.add.reduceat(x, starts, axis=0) / counts[:, None]


def stream(
    pieces: Iterable[tuple[Floats, Floats]], out_hz: float = CHIP_HZ
) -> tuple[float, float, Iterator[NDArray[np.float32]]]:
    """As :func:`resample`, with the rows in pieces (m, 6) as they come."""
    source = iter(pieces)
    head_t: list[Floats] = []
    head_x: list[Floats] = []
    for t_s, values in source:
        head_t.append(t_s)
        head_x.append(values)
        if sum(len(t) for t in head_t) >= RATE_ROWS:
            break
    if not head_t:
        raise RateError("no rows")
    first, rows = (head_t[0], head_x[0]) if len(head_t) == 1 else (np.concatenate(head_t), np.concatenate(head_x))
    rate = nominal_rate_hz(first[:RATE_ROWS])
    work = Resampler(rate, float(first[0]), out_hz)

    def made() -> Iterator[NDArray[np.float32]]:
        yield work.feed(first, rows).astype(np.float32, order="C")
        for t_s, values in source:
            yield work.feed(t_s, values).astype(np.float32, order="C")
        yield work.finish().astype(np.float32, order="C")

    return float(first[0]), rate, made()


def resample(
    pieces: Iterable[tuple[Floats, Floats]], out_hz: float = CHIP_HZ
) -> tuple[float, float, NDArray[np.float32]]:
    """A whole trial at the chip's rate: the time of its first row, its nominal rate in Hz, and rows (m, 6).

    The nominal rate is the first 4096 rows'. Rows come in single precision: 1e-6 m/s² here, far below one count of the
    chip, in half the memory.

    :raises RateError: see :func:`nominal_rate_hz`
    """
    start_s, rate, made = stream(pieces, out_hz)
    # A bytearray grows in place, where a list of arrays would be there twice when it is put together.
    out = bytearray()
    for rows in made:
        out += rows.reshape(-1).view(np.uint8).data
    return start_s, rate, np.frombuffer(out, dtype=np.float32).reshape(-1, 6)
