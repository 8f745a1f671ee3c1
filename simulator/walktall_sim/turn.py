"""A known lean put on a real walk: the sensor turned forward by a known angle about the side axis.

``DEG@START+SECONDS/RAMP``: a smoothstep in over RAMP seconds from START (recording time), the full angle held
for SECONDS, a smoothstep out over the lesser of RAMP and 2 s. Several turns add up. The accelerometer's
and the gyroscope's axes turn alike, and the turning itself is what a gyroscope would feel of it:

    a' = R(-θ) a,   ω' = R(-θ) ω + θ̇ · left,   R about the side axis `left` = up x forward

smoothstep(x) = 3 x² - 2 x³. θ̇ is the mean over the sample's own interval, so that the sum of the rates is the angle
even where the ramp is shorter than a sample.

It is 'rotated real walking', never 'slouched walking': the steps, and the acceleration that a real bend of the trunk
would add at the collar, stay those of the upright walk.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MAX_OUT_S = 2.0
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)"
_SPEC = re.compile(rf"({_NUMBER})@({_NUMBER})\+({_NUMBER})/({_NUMBER})")


class TurnError(ValueError):
    """A turn that cannot be understood; the text is one line."""


def smoothstep(x: Floats) -> Floats:
    """0 below 0, 1 above 1, 3x² - 2x³ between."""
    y = np.clip(x, 0.0, 1.0)
    return y * y * (3.0 - 2.0 * y)


@dataclass(slots=True)
class Turn:
    """One turn of ``deg`` degrees forward: from ``start_s`` over ``ramp_s``, held ``hold_s``, and out again.

    ``cut_s`` is where an answer ended it (None: it runs its course): from there the way out begins at the angle
    reached by then.
    """

    deg: float
    start_s: float
    hold_s: float
    ramp_s: float
    cut_s: float | None = field(default=None)

    @property
    def out_s(self) -> float:
        """Seconds that the way out takes."""
        return min(self.ramp_s, MAX_OUT_S)

    @property
    def out_from_s(self) -> float:
        """When the way out begins."""
        planned = self.start_s + self.ramp_s + self.hold_s
        return planned if self.cut_s is None else min(planned, self.cut_s)

    @property
    def end_s(self) -> float:
        """When the angle is 0 again."""
        return self.out_from_s + self.out_s

    def answer(self, at_s: float) -> None:
        """End the turn at ``at_s``, unless it has not begun, or ended before."""
        if self.start_s <= at_s < self.out_from_s:
            self.cut_s = at_s

    def _rise(self, t_s: Floats) -> Floats:
        if self.ramp_s <= 0.0:
            return np.where(t_s >= self.start_s, self.deg, 0.0)
        return self.deg * smoothstep((t_s - self.start_s) / self.ramp_s)

    def angle_deg(self, t_s: Floats) -> Floats:
        """The angle at each time (n,), in degrees, forward positive."""
        left = self._rise(np.minimum(t_s, self.out_from_s))
        if self.out_s <= 0.0:
            return np.where(t_s >= self.out_from_s, 0.0, left)
        return left * (1.0 - smoothstep((t_s - self.out_from_s) / self.out_s))

    def passes_s(self, limit_deg: float) -> float | None:
        """When the angle first passes ``limit_deg`` (of the turn's own sign), or None: latency runs from here."""
        if abs(self.deg) <= abs(limit_deg) or (self.deg < 0.0) != (limit_deg < 0.0):
            return None
        at = self.start_s + self.ramp_s * _smoothstep_inverse(limit_deg / self.deg)
        return at if at < self.out_from_s else None

    def returns_s(self, limit_deg: float) -> float | None:
        """When the angle has come back to ``limit_deg``, or None where it never was beyond: recovery runs from here."""
        top = float(self.angle_deg(np.array([self.out_from_s]))[0]) if self.out_s else self.deg
        if abs(top) <= abs(limit_deg) or (top < 0.0) != (limit_deg < 0.0):
            return None
        return self.out_from_s + self.out_s * _smoothstep_inverse(1.0 - limit_deg / top)


def _smoothstep_inverse(y: float) -> float:
    """x with smoothstep(x) = y, for y in 0..1 (the cubic's middle root, by its trigonometric form)."""
    return 0.5 - math.sin(math.asin(1.0 - 2.0 * min(max(y, 0.0), 1.0)) / 3.0)


def parse_turn(text: str) -> Turn:
    """A turn out of ``DEG@START+SECONDS/RAMP``, such as ``20@90+40/2``.

    :raises TurnError: not of that form, or out of range
    """
    match = _SPEC.fullmatch(text.strip())
    if match is None:
        raise TurnError(f"turn {text!r}: expected DEG@START+SECONDS/RAMP, such as 20@90+40/2")
    deg, start_s, hold_s, ramp_s = (float(part) for part in match.groups())
    if not 0.0 < abs(deg) <= 180.0:
        raise TurnError(f"turn {text!r}: DEG must lie within -180..180 and not be 0")
    if hold_s < 0.0 or ramp_s < 0.0:
        raise TurnError(f"turn {text!r}: SECONDS and RAMP must not be negative")
    return Turn(deg, start_s, hold_s, ramp_s)


def total_deg(turns: Sequence[Turn], t_s: Floats) -> Floats:
    """The sum of all turns at each time (n,), in degrees."""
    out = np.zeros(len(t_s))
    for turn in turns:
        out += turn.angle_deg(t_s)
    return out


def apply(values: Floats, t_s: Floats, left: Floats, turns: Sequence[Turn]) -> Floats:
    """``values`` (n, 6) [m/s², rad/s] as a sensor so turned would have measured them.

    :param t_s: the time of the sample before the first row, then of each row (n + 1,)
    :param left: the side axis (3,), unit length, in the sensor's frame
    """
    angles = np.radians(total_deg(turns, t_s))
    if not angles.any():
        return values
    rate = np.diff(angles) / np.diff(t_s)
    angle = angles[1:]
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    # Rodrigues' rotation by -θ about `left`, of both sensors at once: along it, and across.
    x, y, z = left
    across = np.array([[0.0, z, -y], [-z, 0.0, x], [y, -x, 0.0]])
    v = values.reshape(-1, 3)
    along = (v @ np.outer(left, left)).reshape(-1, 6)
    out: Floats = values * c - (v @ across).reshape(-1, 6) * s + along * (1.0 - c)
    out[:, 3:] += rate[:, None] * left
    return out
