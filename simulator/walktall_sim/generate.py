"""A synthetic walk that obeys physics, with the truth beside it: for demonstrations and for tests, not as evidence.

What a detector is worth is shown on people (the recordings); this is where the answer is known to every sample.

One orientation of the trunk is made as a function of time, R(t) = Rz(yaw) Ry(pitch) Rx(roll) in the frame forward,
left, up, and one acceleration a(t) of the collar. Both sensors measure that same motion of one rigid body:

    specific force = R^T (a + g up),    angular rate = log(R(t-dt)^T R(t)) / dt

so that integrating the gyroscope gives the orientation, and no part of the accelerometer contradicts it. a(t) is made
of the gait's harmonics (vertical and fore-aft at the step, sideways at the stride), the knock of each heel, the
speeding up and slowing down, the centripetal part in bends of the way, and what a trunk turning about hip, mid-back or
ankle adds at the collar. Then come the sensor's noise, offset and bias. People differ by seed: cadence, vigour, sway,
asymmetry, walking pitch, and how the clip sits.

Sizes follow the project's facts (algorithm.md): trunk 4° peak to peak within a stride, the walking pitch 0 to 3° ahead
of standing, SD of |a| about 2.4 m/s² and of the angular rate about 20°/s in ordinary walking. Soft tissue, clothing
that swings, stumbles and arm use are *not* modelled. Behind the knock of the heel the trunk is pushed first and braked
then; in people it is braked first. The detector does not ask which way is forward, `walktall_sim.describe` does.

Everything is made in blocks with a few numbers carried over, so that a day is made in the memory of a minute.
"""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from walktall_sim.printable import is_utf8
from walktall_sim.turn import smoothstep
from walktall_sim.whole import part_of, removed

Floats = NDArray[np.float64]

RATE_HZ = 104
G = 9.80665
_BLOCK = 1 << 15
MAX_MINUTES = 24 * 60

# What one may put in a plan: the activity that is its label, the posture that is its state, and its usual value.
KINDS: dict[str, tuple[str, str, float]] = {
    "stand": ("stand", "upright", 0.0),
    "sit": ("sit", "upright", 0.0),
    "walk": ("walk", "upright", 0.0),
    "stairs": ("stairs", "upright", 0.0),
    "jog": ("jog", "upright", 0.0),
    "lean": ("walk", "lean", 20.0),
    "slouch": ("walk", "slouch", 18.0),
    "arch": ("walk", "arch", 14.0),
    "side": ("walk", "side", 12.0),
    "bend": ("bend", "bend", 60.0),
}
STATES = ("upright", "lean", "slouch", "arch", "side", "bend")
LABELS = ("stand", "sit", "walk", "stairs", "jog", "bend")
_CADENCE_KINDS = {"walk", "jog", "stairs"}

# Seconds of way in, and of way out, of each posture; the lever from the pivot to the collar in metres.
_RAMPS_S = {"lean": (1.2, 1.5), "slouch": (15.0, 2.0), "arch": (3.0, 2.0), "side": (2.0, 2.0), "bend": (1.3, 1.3)}
_LEVER_M = {"lean": 1.35, "slouch": 0.25, "arch": 0.35, "side": 0.4, "bend": 0.45}
_TURN_CHANGE_S = 1.2
_LEAN_CADENCE_SPM = 12.0


class PlanError(ValueError):
    """A plan or a length that cannot be made; the text is one line."""


@dataclass(frozen=True, slots=True)
class Segment:
    """``seconds`` of one kind; ``value``: the posture's degrees, or the cadence in steps/min (0: the person's own)."""

    kind: str
    seconds: float
    value: float

    def __str__(self) -> str:
        shown = f" {self.value:g}" if self.value else ""
        return f"{self.kind}{shown}:{self.seconds:g}"


_SEGMENT = re.compile(r"([a-z]+)(?:\s+(\d+(?:\.\d*)?))?\s*:\s*(\d+(?:\.\d*)?)")


def parse_plan(text: str) -> list[Segment]:
    """A script out of ``stand:10,walk:120,lean 20:40``: kind, degrees or steps/min where wanted, seconds.

    :raises PlanError: told in one line
    """
    plan = []
    for part in text.split(","):
        match = _SEGMENT.fullmatch(part.strip().lower())
        if match is None:
            raise PlanError(f"plan part {part.strip()!r}: expected KIND:SECONDS or KIND DEGREES:SECONDS ('lean 20:40')")
        kind, value, seconds = match.group(1), match.group(2), float(match.group(3))
        if kind not in KINDS:
            raise PlanError(f"plan part {part.strip()!r}: unknown kind; one of {', '.join(KINDS)}")
        number = KINDS[kind][2] if value is None else float(value)
        top = 200.0 if kind in _CADENCE_KINDS else 90.0
        if number > top:
            raise PlanError(f"plan part {part.strip()!r}: {number:g} is too much; {top:g} is the most")
        if seconds <= 0.0:
            raise PlanError(f"plan part {part.strip()!r}: SECONDS must be above 0")
        least = sum(_RAMPS_S.get(kind, (0.0, 0.0)))
        if seconds < least:
            raise PlanError(f"plan part {part.strip()!r}: {kind} needs {least:g} s or more to go in and out")
        plan.append(Segment(kind, seconds, number))
    if sum(segment.seconds for segment in plan) > MAX_MINUTES * 60.0:
        raise PlanError("the plan lasts longer than 24 hours, which is the most")
    return plan


def default_plan(minutes: float, seed: int) -> list[Segment]:
    """Standing, then walking with every kind of fault and of harmless act in turn, as many as fit into ``minutes``.

    :raises PlanError: not within 0.25 .. 1440 minutes
    """
    if not 0.25 <= minutes <= MAX_MINUTES:
        raise PlanError(f"--minutes {minutes:g}: must lie within 0.25 and {MAX_MINUTES}")
    rng = np.random.default_rng([seed, 1])
    rest = minutes * 60.0 - 8.0
    plan = [Segment("stand", 8.0, 0.0)]
    walk_s = 75.0
    acts = [
        [("lean", 20.0, 30.0)],
        [("slouch", 18.0, 50.0)],
        [("bend", 60.0, 5.0)],
        [("stand", 0.0, 15.0)],
        [("arch", 14.0, 25.0)],
        [("jog", 0.0, 25.0)],
        [("stairs", 0.0, 20.0)],
        [("bend", 45.0, 4.0), ("walk", 0.0, 10.0), ("bend", 65.0, 5.0)],
    ]
    turn = 0
    while True:
        act = acts[turn % len(acts)]
        need = walk_s + sum(seconds for _, _, seconds in act) + 20.0
        if need > rest:
            break
        plan.append(Segment("walk", walk_s, 0.0))
        for kind, value, seconds in act:
            # A person is no machine: each posture a little more or less than the last.
            shown = round(value + float(rng.uniform(-1.5, 1.5)), 1) if KINDS[kind][2] else value
            plan.append(Segment(kind, seconds, shown))
        rest -= need - 20.0
        walk_s = 60.0
        turn += 1
    plan.append(Segment("walk", round(rest, 3), 0.0))
    return plan


@dataclass(frozen=True, slots=True)
class Person:
    """One person and one way of wearing the clip; angles in degrees, forward and right positive."""

    cadence_spm: float
    vigour: float
    sway: float
    asymmetry: float
    walk_pitch_deg: float
    clip_pitch_deg: float
    clip_roll_deg: float
    clip_yaw_deg: float
    gyro_bias_dps: tuple[float, float, float]
    accel_offset: tuple[float, float, float]

    @classmethod
    def draw(cls, seed: int) -> Person:
        """The person of a seed."""
        rng = np.random.default_rng([seed, 2])
        bias = rng.uniform(-0.8, 0.8, 3)
        offset = rng.uniform(-0.15, 0.15, 3)
        return cls(
            cadence_spm=float(rng.uniform(104.0, 120.0)),
            vigour=float(rng.uniform(0.8, 1.2)),
            sway=float(rng.uniform(0.8, 1.25)),
            asymmetry=float(rng.uniform(-0.08, 0.08)),
            walk_pitch_deg=float(rng.uniform(0.5, 3.0)),
            clip_pitch_deg=float(rng.uniform(-8.0, 15.0)),
            clip_roll_deg=float(rng.uniform(-5.0, 5.0)),
            clip_yaw_deg=float(rng.uniform(-4.0, 4.0)),
            gyro_bias_dps=(float(bias[0]), float(bias[1]), float(bias[2])),
            accel_offset=(float(offset[0]), float(offset[1]), float(offset[2])),
        )


def _rotations(yaw: Floats, pitch: Floats, roll: Floats) -> Floats:
    """R = Rz Ry Rx (n, 3, 3), body to world, in the frame forward, left, up; angles in radians."""
    cy, sy = np.cos(yaw), np.sin(yaw)
    cp, sp = np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    out = np.empty((len(yaw), 3, 3))
    out[:, 0, 0], out[:, 0, 1], out[:, 0, 2] = cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr
    out[:, 1, 0], out[:, 1, 1], out[:, 1, 2] = sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr
    out[:, 2, 0], out[:, 2, 1], out[:, 2, 2] = -sp, cp * sr, cp * cr
    return out


def _rates(before: Floats, after: Floats, dt_s: float) -> Floats:
    """The constant angular rate (n, 3), in the body's frame, that turns ``before`` into ``after`` within ``dt_s``."""
    d = np.einsum("nji,njk->nik", before, after)
    vee = 0.5 * np.stack([d[:, 2, 1] - d[:, 1, 2], d[:, 0, 2] - d[:, 2, 0], d[:, 1, 0] - d[:, 0, 1]], axis=1)
    sine = np.linalg.norm(vee, axis=1)
    angle = np.arctan2(sine, 0.5 * (np.trace(d, axis1=1, axis2=2) - 1.0))
    factor = np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 1.0)
    out: Floats = vee * factor[:, None] / dt_s
    return out


class _Wander:
    """Slow random motion of unit SD as a function of time: a handful of sines of random frequency and phase."""

    def __init__(self, rng: np.random.Generator, low_hz: float, high_hz: float, n: int = 9) -> None:
        self._w = 2.0 * np.pi * np.exp(rng.uniform(math.log(low_hz), math.log(high_hz), n))
        self._phase = rng.uniform(0.0, 2.0 * np.pi, n)
        self._gain = math.sqrt(2.0 / n)

    def __call__(self, t_s: Floats) -> Floats:
        out = np.zeros(len(t_s))
        for w, phase in zip(self._w, self._phase, strict=True):
            out += np.sin(w * t_s + phase)
        return out * self._gain


@dataclass(frozen=True, slots=True)
class _Posture:
    """One posture: pitch and roll that it aims at, in radians, from ``start_s`` to ``end_s``."""

    start_s: float
    end_s: float
    in_s: float
    out_s: float
    pitch: float
    roll: float
    lever_m: float

    def weight(self, t_s: Floats) -> Floats:
        """0 outside, 1 where the posture is held."""
        way_in = smoothstep((t_s - self.start_s) / self.in_s)
        return way_in * (1.0 - smoothstep((t_s - (self.end_s - self.out_s)) / self.out_s))


class _Steps:
    """A value that changes at given times, each change a smoothstep: f(t) from sorted times and targets."""

    def __init__(self, changes: Sequence[tuple[float, float]], width_s: float) -> None:
        self._at = np.array([at for at, _ in changes])
        self._to = np.array([to for _, to in changes])
        self._width_s = width_s

    def __call__(self, t_s: Floats) -> Floats:
        at = np.searchsorted(self._at, t_s, "right") - 1
        first = np.maximum(at, 0)
        before = self._to[np.maximum(first - 1, 0)]
        w = smoothstep((t_s - self._at[first]) / self._width_s)
        out: Floats = before + (self._to[first] - before) * w
        return out


class Walk:
    """A synthetic walk: :meth:`blocks` makes it piece by piece.

    :param plan: what happens, in order
    :param seed: of the person, of the way, and of all noise
    """

    def __init__(self, plan: Sequence[Segment], seed: int) -> None:
        self.plan = list(plan)
        self.seed = seed
        self.person = Person.draw(seed)
        rng = np.random.default_rng([seed, 3])
        self._noise = np.random.default_rng([seed, 4])
        self._wander_pitch = _Wander(rng, 0.02, 0.25)
        self._wander_roll = _Wander(rng, 0.02, 0.25)
        self._wander_yaw = _Wander(rng, 0.02, 0.2)
        self._wander_step = _Wander(rng, 0.1, 0.9)
        self._wander_vigour = _Wander(rng, 0.1, 0.9)
        self._starts = np.cumsum([0.0, *(s.seconds for s in self.plan)])
        self.n_rows = int(self._starts[-1] * RATE_HZ)
        person = self.person
        cadence: list[tuple[float, float]] = []
        jog: list[tuple[float, float]] = []
        stairs: list[tuple[float, float]] = []
        self._postures: list[_Posture] = []
        for segment, start in zip(self.plan, self._starts, strict=False):
            cadence.append((float(start), self._cadence_spm(segment)))
            jog.append((float(start), float(segment.kind == "jog")))
            stairs.append((float(start), float(segment.kind == "stairs")))
            self._add_posture(segment, float(start))
        self._cadence = _Steps(cadence, _TURN_CHANGE_S)
        self._jog = _Steps(jog, _TURN_CHANGE_S)
        self._stairs = _Steps(stairs, _TURN_CHANGE_S)
        self._heading = self._way(rng)
        clip = _rotations(
            np.radians([person.clip_yaw_deg]), np.radians([person.clip_pitch_deg]), np.radians([person.clip_roll_deg])
        )[0]
        # Body (forward, left, up) to the sensor's axes: x left, y up, z forward, then the clip's own tilt.
        self._to_sensor: Floats = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]) @ clip.T

    def _cadence_spm(self, segment: Segment) -> float:
        own = self.person.cadence_spm
        if segment.kind in _CADENCE_KINDS and segment.value:
            return segment.value
        return {
            "stand": 0.0,
            "sit": 0.0,
            "bend": 0.0,
            "jog": own + 48.0,
            "stairs": own - 18.0,
            "lean": own + _LEAN_CADENCE_SPM,
        }.get(segment.kind, own)

    def _add_posture(self, segment: Segment, start_s: float) -> None:
        end_s = start_s + segment.seconds
        kind = segment.kind
        if kind == "sit":
            # Down and up again with a nod of the trunk, and in between a little back.
            nod = min(2.0, segment.seconds / 3.0)
            for at in (start_s, end_s - nod):
                self._postures.append(_Posture(at, at + nod, nod / 2, nod / 2, math.radians(32.0), 0.0, 0.45))
            return
        if kind not in _RAMPS_S:
            return
        way_in, way_out = _RAMPS_S[kind]
        angle = math.radians(segment.value)
        pitch = -angle if kind == "arch" else (0.0 if kind == "side" else angle)
        roll = angle if kind == "side" else 0.0
        self._postures.append(_Posture(start_s, end_s, way_in, way_out, pitch, roll, _LEVER_M[kind]))

    def _way(self, rng: np.random.Generator) -> Callable[[Floats], Floats]:
        """The heading in radians as a function of time: a corner every half minute or so, while walking."""
        corners: list[tuple[float, float]] = [(0.0, 0.0)]
        heading = 0.0
        for segment, start in zip(self.plan, self._starts, strict=False):
            if segment.kind not in {"walk", "lean", "slouch", "arch", "side"}:
                continue
            at = float(start) + float(rng.uniform(12.0, 30.0))
            while at < start + segment.seconds - 5.0:
                heading += float(rng.choice([-1.0, 1.0])) * float(rng.uniform(0.6, 1.7))
                corners.append((at, heading))
                at += float(rng.uniform(20.0, 45.0))
        return _Steps(corners, 3.0)

    def truth(self, row: int) -> tuple[str, str]:
        """Label and state of a row."""
        at = int(np.searchsorted(self._starts, row / RATE_HZ, "right")) - 1
        label, state, _ = KINDS[self.plan[min(at, len(self.plan) - 1)].kind]
        return label, state

    def blocks(self) -> Iterator[pl.DataFrame]:
        """The walk in frames of some ten thousand rows: ``t_s, ax .. gz, label``, then the truth: ``state, pitch_deg,
        roll_deg, cadence_spm, steps``."""
        carry = _Carry()
        for begin in range(0, self.n_rows, _BLOCK):
            yield self._block(begin, min(begin + _BLOCK, self.n_rows), carry)

    def _block(self, begin: int, end: int, carry: _Carry) -> pl.DataFrame:
        dt = 1.0 / RATE_HZ
        person = self.person
        # Two rows of run-up, so that differences at the block's first row are those of an unbroken walk.
        t = np.arange(begin - 2, end, dtype=np.float64) * dt
        cadence = np.maximum(self._cadence(t) * (1.0 + 0.02 * self._wander_step(t)), 0.0)
        # Phase of the step in turns; each whole turn is a heel strike.
        if begin == 0:
            phase = np.concatenate([[0.0, 0.0], np.cumsum(cadence[2:]) * dt / 60.0])
        else:
            phase = np.concatenate([carry.phase, carry.phase[-1] + np.cumsum(cadence[2:]) * dt / 60.0])
        carry.phase = phase[-2:].copy()
        jog, stairs = self._jog(t), self._stairs(t)
        vigour = person.vigour * (cadence / 110.0) ** 1.6 * (1.0 + 0.06 * self._wander_vigour(t))
        vigour *= 1.0 + 1.1 * jog - 0.15 * stairs

        yaw, pitch, roll, lever = self._angles(t, phase, cadence, jog, stairs)
        rot = _rotations(yaw, pitch, roll)
        rates = _rates(rot[1:-1], rot[2:], dt)
        accel = self._acceleration(t, phase, cadence, vigour, jog, carry, begin)
        # What turning about a pivot below adds at the collar: the second difference of the lever, seen from outside.
        accel += (lever[2:] - 2.0 * lever[1:-1] + lever[:-2]) / dt**2

        body = np.einsum("nji,nj->ni", rot[2:], accel + np.array([0.0, 0.0, G]))
        up = rot[2:, 2, :]
        n = end - begin
        force = body @ self._to_sensor.T + np.array(person.accel_offset) + self._noise.normal(0.0, 0.018, (n, 3))
        gyro = rates @ self._to_sensor.T + np.radians(person.gyro_bias_dps)
        gyro += np.radians(self._noise.normal(0.0, 0.07, (n, 3)))

        struck = (np.floor(phase[2:]) > np.floor(phase[1:-1])) & (cadence[2:] > 40.0)
        steps = carry.steps + np.cumsum(struck)
        carry.steps = int(steps[-1])
        at = np.clip(np.searchsorted(self._starts, t[2:] + 1e-9, "right") - 1, 0, len(self.plan) - 1)
        label_of = np.array([LABELS.index(KINDS[s.kind][0]) for s in self.plan])
        state_of = np.array([STATES.index(KINDS[s.kind][1]) for s in self.plan])
        columns: dict[str, Any] = {"t_s": np.round(t[2:], 6)}
        for i, axis in enumerate("xyz"):
            columns[f"a{axis}"] = np.round(force[:, i], 4)
        for i, axis in enumerate("xyz"):
            columns[f"g{axis}"] = np.round(gyro[:, i], 5)
        columns["label"] = pl.Series(np.array(LABELS)[label_of[at]])
        columns["state"] = pl.Series(np.array(STATES)[state_of[at]])
        columns["pitch_deg"] = np.round(np.degrees(np.arctan2(-up[:, 0], up[:, 2])), 3)
        columns["roll_deg"] = np.round(np.degrees(np.arctan2(up[:, 1], np.hypot(up[:, 0], up[:, 2]))), 3)
        columns["cadence_spm"] = np.round(cadence[2:], 1)
        columns["steps"] = steps.astype(np.int64)
        return pl.DataFrame(columns)

    def _angles(
        self, t: Floats, phase: Floats, cadence: Floats, jog: Floats, stairs: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Yaw, pitch, roll in radians, and where the collar is from the pivot (n, 3) in metres, seen from outside."""
        person = self.person
        step, stride = 2.0 * np.pi * phase, np.pi * phase
        walking = np.minimum(cadence / 80.0, 1.0)
        sway = person.sway * walking * (1.0 + 0.8 * jog)
        wander = 0.25 + 0.65 * walking
        base = np.radians(person.walk_pitch_deg * walking + 7.0 * jog + 3.0 * stairs + wander * self._wander_pitch(t))
        roll = np.radians(0.5 * wander * self._wander_roll(t))
        heading = self._heading(t)
        lever = np.zeros((len(t), 3))
        for posture in self._near(t):
            w = posture.weight(t)
            if not w.any():
                continue
            base = base * (1.0 - w) + posture.pitch * w
            roll = roll * (1.0 - w) + posture.roll * w
            # The trunk tips about a pivot; sway within the stride is measured at the collar and has no lever.
            tip = posture.lever_m * np.sin(w * posture.pitch)
            lever[:, 0] += np.cos(heading) * tip
            lever[:, 1] += np.sin(heading) * tip
            side = posture.lever_m * np.sin(w * posture.roll)
            lever[:, 0] += np.sin(heading) * side
            lever[:, 1] -= np.cos(heading) * side
            lever[:, 2] += posture.lever_m * (np.cos(w * posture.pitch) * np.cos(w * posture.roll) - 1.0)
        pitch = base + np.radians(sway * (1.15 * np.sin(step + 0.8) + 0.3 * np.cos(2.0 * step)))
        roll = roll + np.radians(sway * (1.5 * np.sin(stride + 0.3) + 0.25 * np.sin(3.0 * stride)))
        yaw = heading + np.radians(sway * (3.8 * np.sin(stride + 1.2)) + 0.8 * self._wander_yaw(t))
        return yaw, pitch, roll, lever

    def _near(self, t: Floats) -> Iterator[_Posture]:
        first, last = float(t[0]), float(t[-1])
        return (p for p in self._postures if p.start_s <= last and p.end_s >= first)

    def _acceleration(
        self, t: Floats, phase: Floats, cadence: Floats, vigour: Floats, jog: Floats, carry: _Carry, begin: int
    ) -> Floats:
        """The acceleration of the collar (n-2, 3) in m/s², in the world's frame, without gravity."""
        dt = 1.0 / RATE_HZ
        step, stride = 2.0 * np.pi * phase[2:], np.pi * phase[2:]
        k = vigour[2:]
        uneven = 1.0 + self.person.asymmetry * np.cos(stride)
        up = k * uneven * (2.5 * np.cos(step) + 0.7 * np.cos(2.0 * step + 0.6) + 0.25 * np.cos(3.0 * step + 1.1))
        ahead = k * uneven * (1.1 * np.sin(step + 0.4) + 0.5 * np.cos(2.0 * step - 0.3))
        left = k * (0.9 * np.sin(stride) + 0.35 * np.sin(3.0 * stride + 0.5))

        # Each heel knocks: a decaying 13 Hz ring of 40 ms, up and braking, without a mean, which would drive one away.
        struck = np.floor(phase[2:]) > np.floor(phase[1:-1])
        knocks = np.where(struck, k * (1.0 + 0.8 * jog[2:]), 0.0)
        ring_t = np.arange(int(0.25 * RATE_HZ)) * dt
        ring = np.exp(-ring_t / 0.04) * np.cos(2.0 * np.pi * 13.0 * ring_t)
        ring -= ring.sum() * np.exp(-ring_t / 0.08) / np.exp(-ring_t / 0.08).sum()
        late = carry.knocks if begin else np.zeros(len(ring) - 1)
        run = np.concatenate([late, knocks])
        knock = np.convolve(run, ring)[len(late) : len(late) + len(knocks)]
        carry.knocks = run[-(len(ring) - 1) :].copy()
        up = up + 2.6 * knock
        ahead = ahead - 1.1 * knock

        # Speed goes with cadence; a corner needs a force towards its inside.
        speed = 1.35 * (cadence / 110.0) ** 1.5 * (1.0 + 0.3 * jog)
        heading = self._heading(t)
        along = np.diff(speed[1:]) / dt
        inward = speed[2:] * np.diff(heading[1:]) / dt
        ahead = ahead + along
        left = left + inward
        c, s = np.cos(heading[2:]), np.sin(heading[2:])
        return np.stack([c * ahead - s * left, s * ahead + c * left, up], axis=1)


@dataclass(slots=True)
class _Carry:
    """What the next block has to know of the last one."""

    phase: Floats
    knocks: Floats
    steps: int

    def __init__(self) -> None:
        self.phase = np.zeros(2)
        self.knocks = np.zeros(0)
        self.steps = 0


def kind_of(out: Path) -> str:
    """'csv', 'csv.gz' or 'parquet', by the name's end.

    :raises PlanError: another end, a folder, or a folder that is not there
    """
    name = out.name.lower()
    kind = next((end for end in ("csv.gz", "csv", "parquet") if name.endswith("." + end)), None)
    if kind is None:
        raise PlanError(f"{out}: the name must end in .csv, .csv.gz or .parquet")
    if out.is_dir():
        raise PlanError(f"{out}: is a folder; name a file")
    if not out.absolute().parent.is_dir():
        raise PlanError(f"{out}: there is no folder {out.parent}")
    return kind


def write(walk: Walk, out: Path, progress: Callable[[int], None] | None = None) -> int:
    """Write a walk; the rows written. The file appears under its name only when it is whole.

    :param progress: called with the rows written so far
    :raises PlanError: the name or the place will not do
    """
    kind = kind_of(out)
    if kind == "parquet" and not is_utf8(out.absolute()):
        raise PlanError(f"{out}: a Parquet file needs a name in UTF-8; .csv and .csv.gz do not")
    done = 0
    try:
        with part_of(out) as part, removed(part.with_name(part.name + ".rows")) as rows:
            text = rows if kind == "parquet" else part
            # No name and no time in the gzip header: equal seeds give equal bytes.
            with text.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) if kind == "csv.gz" else raw as sink:
                for frame in walk.blocks():
                    sink.write(frame.write_csv(include_header=done == 0).encode())
                    done += frame.height
                    if progress is not None:
                        progress(done)
            if kind == "parquet":
                # Polars streams from file to file; row groups of some ten thousand rows let a reader stream as well.
                pl.scan_csv(rows, schema=frame.schema).sink_parquet(part, row_group_size=_BLOCK)
    except (OSError, pl.exceptions.PolarsError) as error:
        why = getattr(error, "strerror", None) or str(error).split("\n", 1)[0]
        raise PlanError(f"{out}: cannot be written ({why})") from None
    return done
