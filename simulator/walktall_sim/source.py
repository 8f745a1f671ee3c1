"""What the virtual sensor feels: a walk at the chip's sample times, with known turns, made as it is asked for.

A chip asks for samples as time passes, so that an answer to the buzz can change what comes later, never what has been.
Rows are physical (m/s², rad/s), NaN where the recording has a gap; quantising and saturating are the chip's, by its
scale registers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from walktall_sim import turn as turning
from walktall_sim.mounting import Frame
from walktall_sim.resample import CHIP_HZ
from walktall_sim.spool import Spool

Floats = NDArray[np.float64]


class Samples(Protocol):
    """Anything that a virtual chip can be fed with."""

    def block(self, i0: int, n: int) -> Floats:
        """Rows ``i0 .. i0+n-1`` (m, 6) in m/s² and rad/s, sample i being taken at i/52 s; shorter at the end."""


class WalkSource:
    """A resampled walk with turns, fed sample by sample.

    :param values: rows (n, 6) at ``rate_hz``, NaN in gaps
    :param t0_s: recording time of row 0
    :param frame: the body's frame; needed for turns
    :param answer_s: seconds after the first buzz of a turn at which the wearer ends it; None: never
    """

    def __init__(
        self,
        values: NDArray[np.float32] | Floats | Spool,
        t0_s: float = 0.0,
        *,
        frame: Frame | None = None,
        turns: Sequence[turning.Turn] = (),
        answer_s: float | None = None,
        rate_hz: float = CHIP_HZ,
    ) -> None:
        if turns and frame is None:
            raise ValueError("a turn needs the body's frame")
        self._values = values
        self._frame = frame
        self.t0_s = t0_s
        self.turns = list(turns)
        self.answer_s = answer_s
        self.rate_hz = rate_hz
        #: samples handed out so far
        self.produced = 0
        self._answered: set[int] = set()

    def __len__(self) -> int:
        return len(self._values)

    def time_s(self, index: int) -> float:
        """Recording time of sample ``index``."""
        return self.t0_s + index / self.rate_hz

    def untouched(self, i0: int, n: int) -> Floats:
        """Rows as recorded, without turns, and without handing them out."""
        return np.asarray(self._values[i0 : i0 + n], dtype=np.float64)

    def block(self, i0: int, n: int) -> Floats:
        """Rows ``i0 .. i0+n-1`` (m, 6) in m/s² and rad/s; shorter at the end, NaN in gaps."""
        rows = self.untouched(i0, n)
        self.produced = max(self.produced, i0 + len(rows))
        if not self.turns or not len(rows) or self._frame is None:
            return rows
        t_s = self.t0_s + np.arange(i0 - 1, i0 + len(rows)) / self.rate_hz
        return turning.apply(rows, t_s, self._frame.left, self.turns)

    def buzzed(self, index: int) -> None:
        """The motor began to buzz after sample ``index``: the wearer will end each turn that has begun and was not yet
        answered, ``answer_s`` later, and never before the samples already handed out."""
        if self.answer_s is None:
            return
        now_s = self.time_s(index)
        for number, one in enumerate(self.turns):
            if number not in self._answered and one.start_s <= now_s < one.end_s:
                self._answered.add(number)
                one.answer(max(now_s + self.answer_s, self.time_s(self.produced - 1)))


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong with a sensor, each off at its default; yaw: the clip put on crookedly, about the body's up."""

    lost_share: float = 0.0
    lost_run: int = 1
    gyro_bias_dps: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gyro_drift_dps_per_s: tuple[float, float, float] = (0.0, 0.0, 0.0)
    yaw_deg: float = 0.0
    saturate_g: float | None = None
    seed: int = 0


class FaultySource:
    """Another source with faults; deterministic by seed, whatever the blocks that it is asked for.

    A wrong sampling rate is not among them: resample the recording at that rate and hand the rows on as if at 52 Hz.
    """

    def __init__(self, inner: Samples, faults: Faults, up: Floats) -> None:
        self._inner = inner
        self._faults = faults
        yaw = math.radians(faults.yaw_deg)
        k = np.array([[0.0, -up[2], up[1]], [up[2], 0.0, -up[0]], [-up[1], up[0], 0.0]])
        # The sensor turned by +yaw about up sees the world turned by -yaw (Rodrigues).
        self._turned: Floats = np.eye(3) - math.sin(yaw) * k + (1.0 - math.cos(yaw)) * (k @ k)
        self._bias = np.radians(np.array(faults.gyro_bias_dps))
        self._drift = np.radians(np.array(faults.gyro_drift_dps_per_s))

    def block(self, i0: int, n: int) -> Floats:
        """Rows ``i0 .. i0+n-1`` (m, 6) as the faulty sensor gives them; lost samples are rows of NaN."""
        faults = self._faults
        rows = self._inner.block(i0, n)
        if not len(rows):
            return rows
        at = np.arange(i0, i0 + len(rows))
        out = np.hstack([rows[:, :3] @ self._turned.T, rows[:, 3:] @ self._turned.T])
        if faults.saturate_g is not None:
            limit = faults.saturate_g * 9.80665
            out[:, :3] = np.clip(out[:, :3], -limit, limit)
        out[:, 3:] += self._bias + np.outer(at / CHIP_HZ, self._drift)
        if faults.lost_share > 0.0:
            out[self._lost(at)] = np.nan
        return out

    def _lost(self, at: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which samples are lost: runs of ``lost_run``, each run by a hash of its number and the seed."""
        x = (at // max(self._faults.lost_run, 1)).astype(np.uint64) + np.uint64(
            (self._faults.seed * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        )
        # splitmix64 (Steele, Lea, Flood 2014): even, and the same for any cut into blocks.
        x = (x + np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
        share: NDArray[np.bool_] = x < np.uint64(int(self._faults.lost_share * 2.0**64))
        return share


class FaultyWalk(WalkSource):
    """A walk felt through a faulty sensor: what the body does, turns and answers included, comes first.

    :param up: the body's up (3,) in the sensor's frame
    """

    def __init__(self, plain: WalkSource, faults: Faults, up: Floats) -> None:
        super().__init__(
            plain._values,
            plain.t0_s,
            frame=plain._frame,
            turns=plain.turns,
            answer_s=plain.answer_s,
            rate_hz=plain.rate_hz,
        )
        self._felt = FaultySource(_Rows(super().block), faults, up)
        self._recorded = FaultySource(_Rows(super().untouched), faults, up)

    def block(self, i0: int, n: int) -> Floats:
        """Rows with turns, as the faulty sensor gives them."""
        return self._felt.block(i0, n)

    def untouched(self, i0: int, n: int) -> Floats:
        """Rows as recorded, as the faulty sensor gives them."""
        return self._recorded.block(i0, n)


class _Rows:
    """A way of making rows, as a source."""

    def __init__(self, make: Callable[[int, int], Floats]) -> None:
        self._make = make

    def block(self, i0: int, n: int) -> Floats:
        """Rows ``i0 .. i0+n-1`` (m, 6)."""
        return self._make(i0, n)
