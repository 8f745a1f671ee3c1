"""What goes wrong on a real trunk: faults that are laid over a walk and its turns, each by itself.

The simulator's own `FaultySource` makes lost samples, bias, drift and yaw; this module adds those that depend on the
walk or on the buzz: the motor's shaking, footfalls beyond the range, a slip, a clip put on another way round.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from walktall import buzz
from walktall_sim import mounting, turn
from walktall_sim.source import Faults, FaultySource, WalkSource

from bench.people import HZ, Floats
from bench.play import Plain, Source

G = mounting.G
# A coin motor at arm's length of nothing: 1 g and 20 deg/s at the sensor, 180 to 220 Hz while it spins up and down.
_SHAKE_MS2 = G
_SHAKE_RADPS = math.radians(20.0)
_SHAKE_HZ = (180.0, 220.0)
_SPIN_DOWN_S = 0.1
# A footfall's knock: 4.5 g for one sample, paid back over the next seven (a trunk's mean acceleration is gravity).
_KNOCK_G = 4.5
_PAYBACK = 7


@dataclass(frozen=True, slots=True)
class Strain:
    """One thing that goes wrong; all off: none."""

    name: str = "none"
    lost_share: float = 0.0
    lost_run: int = 1
    unseen: bool = False  # lost samples leave no gap that the device could know of
    rate: float = 1.0
    bias_dps: float = 0.0
    drift_dps_per_s: float = 0.0
    yaw_deg: float = 0.0
    flip: str = ""  # 'upside down' or 'on the back'
    shake: bool = False
    knocks: bool = False
    pitch_deg: float | None = None  # own walking pitch of the joined walk, where it is not the usual
    mended: bool = True  # the forward axis is set to how the clip sits


STRAINS = (
    Strain("5 % lost in bursts of 0.5 s", lost_share=0.05, lost_run=26),
    Strain("10 % lost in bursts of 0.5 s", lost_share=0.10, lost_run=26),
    Strain("5 % lost one by one, unseen", lost_share=0.05, unseen=True),
    Strain("10 % lost one by one, unseen", lost_share=0.10, unseen=True),
    Strain("rate +5 %", rate=1.05),
    Strain("rate -5 %", rate=0.95),
    Strain("gyro bias 1 dps on each axis", bias_dps=1.0),
    Strain("gyro drift 0.02 dps/s on each axis", drift_dps_per_s=0.02),
    Strain("clip yawed 20°", yaw_deg=20.0),
    Strain("clip upside down", flip="upside down"),
    Strain("clip on the back", flip="on the back"),
    Strain("motor 180-220 Hz, folded", shake=True),
    Strain("±4 g knock at each footfall", knocks=True),
    Strain("own walking pitch -1°", pitch_deg=-1.0),
    Strain("own walking pitch 0°", pitch_deg=0.0),
    Strain("own walking pitch 3°", pitch_deg=3.0),
    Strain("own walking pitch 5°", pitch_deg=5.0),
)


def knocked(values: Floats, frame: mounting.Frame) -> Floats:
    """Rows with a knock at each footfall, up and a third backward: the peaks of vertical force at least 0.3 s apart."""
    out = values.copy()
    vertical = values[:, :3] @ frame.up / G
    way = frame.up - 0.3 * frame.forward
    way = way / np.linalg.norm(way)
    last = -HZ
    for k in range(1, len(values) - 1):
        peak = vertical[k - 1] < vertical[k] >= vertical[k + 1] and vertical[k] > 1.08
        if peak and k - last >= 0.3 * HZ:
            last = k
            out[k, :3] += _KNOCK_G * G * way
            out[k + 1 : k + 1 + _PAYBACK, :3] -= _KNOCK_G * G / _PAYBACK * way
    return np.asarray(np.where(np.abs(out) > 4 * G, np.sign(out) * 4 * G, out)) if last >= 0 else out


class _Unseen:
    """Rows of which some are left out, so that those behind them move up: the device never knows."""

    def __init__(self, inner: WalkSource, share: float, seed: int) -> None:
        self._inner = inner
        chance = np.random.default_rng(seed)
        self._kept = np.flatnonzero(chance.random(len(inner)) >= share)

    def true_index(self, index: float) -> float:
        """The place in time of the row that the device takes for number `index`."""
        return float(np.interp(index, np.arange(len(self._kept)), self._kept))

    def block(self, i0: int, n: int) -> Floats:
        at = self._kept[i0 : i0 + n]
        if not len(at):
            return np.empty((0, 6))
        rows = self._inner.block(int(at[0]), int(at[-1] - at[0]) + 1)
        return np.asarray(rows[at - at[0]])

    def buzzed(self, index: int) -> None:
        self._inner.buzzed(int(self.true_index(index)))


class _Faulty:
    """The simulator's faults; a buzz goes through to the wearer."""

    def __init__(self, inner: WalkSource, faults: Faults, up: Floats) -> None:
        self._inner = inner
        self._faulty = FaultySource(inner, faults, up)

    def block(self, i0: int, n: int) -> Floats:
        rows = self._faulty.block(i0, n)
        rows[: max(10 * HZ - i0, 0)] = self._whole(rows, i0)
        return rows

    def _whole(self, rows: Floats, i0: int) -> Floats:
        """The first 10 s have no losses: a wearer calibrates again rather than with half of the samples."""
        head = rows[: max(10 * HZ - i0, 0)].copy()
        lost = np.isnan(head).any(axis=1)
        if lost.any():
            head[lost] = self._inner.untouched(i0, len(head))[lost]
        return head

    def buzzed(self, index: int) -> None:
        self._inner.buzzed(index)


class _Flipped:
    """The sensor put on another way round: rows turned by half a turn about one of the body's axes."""

    def __init__(self, inner: Source, axis: Floats) -> None:
        self._inner = inner
        self._turned = 2.0 * np.outer(axis, axis) - np.eye(3)

    def block(self, i0: int, n: int) -> Floats:
        rows = self._inner.block(i0, n)
        return np.hstack([rows[:, :3] @ self._turned.T, rows[:, 3:] @ self._turned.T])

    def buzzed(self, index: int) -> None:
        self._inner.buzzed(index)


class _Shaken:
    """The motor shakes the sensor while a forward pattern plays, and 0.1 s longer; 52 Hz folds it down."""

    def __init__(self, inner: Source) -> None:
        self._inner = inner
        self._on: list[tuple[float, float]] = []

    def block(self, i0: int, n: int) -> Floats:
        rows = self._inner.block(i0, n)
        t = (i0 + np.arange(len(rows))) / HZ
        for begin, end in self._on:
            on = (t >= begin) & (t < end + _SPIN_DOWN_S)
            if on.any():
                x = (t[on] - begin) / (end + _SPIN_DOWN_S - begin)
                hz = _SHAKE_HZ[0] + (_SHAKE_HZ[1] - _SHAKE_HZ[0]) * np.minimum(4.0 * x, 1.0)
                wave = np.sin(2.0 * np.pi * hz * t[on])
                turned = np.cos(2.0 * np.pi * hz * t[on])
                rows[on, :3] += _SHAKE_MS2 * np.stack([wave, turned, 0.5 * wave], axis=1)
                rows[on, 3:] += _SHAKE_RADPS * np.stack([turned, wave, turned], axis=1)
        return rows

    def buzzed(self, index: int) -> None:
        at = (index + 1) / HZ
        for k, part_ms in enumerate(buzz.PATTERNS[buzz.P_FORWARD]):
            if k % 2 == 0:
                self._on.append((at, at + part_ms / 1000))
            at += part_ms / 1000
        self._inner.buzzed(index)


@dataclass(slots=True)
class Scene:
    """A walk with turns and a strain, ready to be played: where rows come from, and how to tell true time."""

    source: Source
    walk: WalkSource
    chosen: mounting.Mounting
    upright: mounting.Upright

    def true_s(self, at_s: float) -> float:
        """True time of what the device calls `at_s` (52 of its samples a second)."""
        index = at_s * HZ
        if isinstance(self.source, _Unseen):
            index = self.source.true_index(index)
        return self.walk.time_s(0) + index / self.walk.rate_hz


def _flipped_axis(number: int, axis: Floats, up: Floats) -> int:
    """The number of the sensor axis that points where axis `number` did, after half a turn about `axis`."""
    v = mounting.axis_vector(number)
    turned = 2.0 * (axis @ v) * axis - v
    return mounting.nearest_axis(turned)


def scene(
    values: Floats,
    frame: mounting.Frame,
    chosen: mounting.Mounting,
    strain: Strain,
    turns: Sequence[turn.Turn] = (),
    answer_s: float | None = None,
    seed: int = 0,
) -> Scene:
    """A walk (n, 6), sampled at 52 Hz times the strain's rate, with turns and the strain laid over it."""
    if strain.knocks:
        values = knocked(values, frame)
    walk = WalkSource(values, 0.0, frame=frame, turns=turns, answer_s=answer_s, rate_hz=HZ * strain.rate)
    clean = mounting.upright_of(values[: 2 * HZ], HZ)
    source: Source = walk
    faults = Faults(
        lost_share=0.0 if strain.unseen else strain.lost_share,
        lost_run=strain.lost_run,
        gyro_bias_dps=(strain.bias_dps,) * 3,
        gyro_drift_dps_per_s=(strain.drift_dps_per_s,) * 3,
        yaw_deg=strain.yaw_deg,
        seed=seed,
    )
    if faults != Faults(seed=seed):
        source = _Faulty(walk, faults, frame.up)
        clean = _seen_upright(source, clean, keep_bias=bool(strain.bias_dps or strain.drift_dps_per_s))
    if strain.unseen:
        source = _Unseen(walk, strain.lost_share, seed)
    if strain.flip:
        axis = frame.forward if strain.flip == "upside down" else frame.up
        source = _Flipped(source, axis)
        clean = _seen_upright(source, clean, keep_bias=False)
        sensor = mounting.axis_vector(chosen.forward if strain.flip == "upside down" else chosen.up)
        chosen = mounting.Mounting(
            _flipped_axis(chosen.up, sensor, frame.up), _flipped_axis(chosen.forward, sensor, frame.up), "given"
        )
    if strain.shake:
        source = _Shaken(source)
    return Scene(source, walk, chosen, clean)


def _seen_upright(source: Source, clean: mounting.Upright, *, keep_bias: bool) -> mounting.Upright:
    """The upright as the faulty sensor felt it; a bias that came after the calibration is not in it."""
    seen = mounting.upright_of(source.block(0, 2 * HZ), HZ)
    bias = clean.gyro_bias if keep_bias else seen.gyro_bias
    return mounting.Upright(seen.force, bias, seen.still, seen.samples)


def plain_scene(values: Floats, chosen: mounting.Mounting) -> Scene:
    """Rows as they are, of a person who stood upright in their first 2 s."""
    walk = WalkSource(values)
    return Scene(Plain(values), walk, chosen, mounting.upright_of(values[: 2 * HZ], HZ))
