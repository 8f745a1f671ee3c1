"""Which way the clip sits: the sensor's axes that point up and forward, and the body's frame that follows.

Axes are named as the data sheet draws them: ``+x -x +y -y +z -z``. `left` = up x forward. Where nothing is said, a
recording below a folder with a ``manifest.json`` (the layout of the project's recordings) takes the axes of
its set, any other those of the clip on the collar: up +y, forward +z.

The exact upright is not assumed from the axes: it is the mean specific force of a window of standing, as the device's
own calibration takes it. The axes only have to be near it, and a window that says otherwise is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The order is that of the setting `forward_axis`.
AXIS_NAMES = ("+x", "-x", "+y", "-y", "+z", "-z")
DEFAULT_UP = "+y"
DEFAULT_FORWARD = "+z"

G = 9.80665
# Mean specific force of somebody who stands is 1 g; the sensors of published sets are up to 7 % off.
_MIN_G = 0.75
_MAX_G = 1.25
_MAX_TILT_DEG = 60.0
# A window that moved says nothing about the gyro's bias (facts: refuse when it moved more than 2 dps). Judged on means
# of a quarter of a second: the sensor's noise alone spans more than that from sample to sample.
_STILL_RADPS = math.radians(2.0)
_STILL_S = 0.25
_MIN_WINDOW_S = 0.5


class MountingError(ValueError):
    """Axes that make no frame, or that the recording contradicts; the text is one line."""


def parse_axis(text: str) -> int:
    """The number of an axis, 0..5 in the order of :data:`AXIS_NAMES`; 'y' is '+y'.

    :raises MountingError: no such axis
    """
    name = text.strip().lower()
    if name in {"x", "y", "z"}:
        name = "+" + name
    if name not in AXIS_NAMES:
        raise MountingError(f"unknown axis {text!r}: one of {' '.join(AXIS_NAMES)}")
    return AXIS_NAMES.index(name)


def axis_vector(axis: int) -> Floats:
    """The unit vector (3,) of axis 0..5."""
    out = np.zeros(3)
    out[axis // 2] = -1.0 if axis % 2 else 1.0
    return out


@dataclass(frozen=True, slots=True)
class Mounting:
    """Axes 0..5 that point up and forward, and where that was learned ('given', 'manifest' or 'default')."""

    up: int
    forward: int
    origin: str

    def __str__(self) -> str:
        return f"up {AXIS_NAMES[self.up]}, forward {AXIS_NAMES[self.forward]}"


@dataclass(frozen=True, slots=True)
class Upright:
    """The upright of a window: mean specific force (3,) in m/s², gyro bias (3,) in rad/s (0 unless `still`)."""

    force: Floats
    gyro_bias: Floats
    still: bool
    samples: int


@dataclass(frozen=True, slots=True)
class Frame:
    """The body's axes in the sensor's frame, unit vectors (3,): forward x left = up."""

    up: Floats
    forward: Floats
    left: Floats


def find_manifest(path: Path) -> tuple[Path, str] | None:
    """The manifest above a recording and the name of the set that the recording lies in."""
    folder = path.absolute().parent
    for _ in range(4):
        candidate = folder.parent / "manifest.json"
        if candidate.is_file():
            return candidate, folder.name
        if folder.parent == folder:
            return None
        folder = folder.parent
    return None


def _from_manifest(path: Path) -> Mapping[str, object]:
    found = find_manifest(path)
    if found is None:
        return {}
    file, name = found
    try:
        sets = json.loads(file.read_text(encoding="utf-8"))["sets"]
        entry = sets.get(name, {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise MountingError(f"{file}: not a manifest of recordings; give --up and --forward") from None
    return entry if isinstance(entry, dict) else {}


def mounting_for(path: Path, up: str | None, forward: str | None) -> Mounting:
    """The mounting of a recording: as given, else as its manifest says, else the clip's own.

    :raises MountingError: an unknown axis, or up and forward along one line
    """
    origin = "given"
    if up is None or forward is None:
        entry = _from_manifest(path)
        origin = "default"
        for key in ("up", "forward"):
            value = entry.get(key)
            if isinstance(value, str):
                origin = "manifest"
                if key == "up":
                    up = value if up is None else up
                else:
                    forward = value if forward is None else forward
    up = DEFAULT_UP if up is None else up
    forward = DEFAULT_FORWARD if forward is None else forward
    mounting = Mounting(parse_axis(up), parse_axis(forward), origin)
    if mounting.up // 2 == mounting.forward // 2:
        raise MountingError(f"{mounting}: these lie along one line; give --up and --forward at a right angle")
    return mounting


def nearest_axis(force: Floats) -> int:
    """The axis 0..5 that a specific force (3,) points along most nearly."""
    at = int(np.argmax(np.abs(force)))
    return 2 * at + (1 if force[at] < 0.0 else 0)


def upright_of(values: Floats, rate_hz: float) -> Upright:
    """The upright of a window of rows (n, 6); rows of NaN (gaps) are left out.

    :raises MountingError: less than half a second of data in it
    """
    rows = values[np.isfinite(values).all(axis=1)]
    if len(rows) < _MIN_WINDOW_S * rate_hz:
        raise MountingError(
            f"the upright window holds {len(rows) / rate_hz:.1f} s of data; {_MIN_WINDOW_S} s are the least: "
            "move it with --upright A:B"
        )
    n = max(round(_STILL_S * rate_hz), 1)
    means = rows[: len(rows) // n * n, 3:].reshape(-1, n, 3).mean(axis=1)
    still = bool((np.ptp(means, axis=0) < _STILL_RADPS).all())
    bias = rows[:, 3:].mean(axis=0) if still else np.zeros(3)
    return Upright(rows[:, :3].mean(axis=0), bias, still, len(rows))


def frame_of(mounting: Mounting, upright: Upright) -> Frame:
    """The body's frame: up is where the window's gravity points, forward the named axis made level.

    :raises MountingError: the window's gravity is not 1 g, or not near the axis that is said to be up
    """
    strength = float(np.linalg.norm(upright.force)) / G
    if not _MIN_G <= strength <= _MAX_G:
        hint = ""
        if 0.05 < strength * G < 2.0 and abs(strength * G - 1.0) < 0.2:
            hint = "; it looks like g: a recording is in m/s²"
        elif strength > _MAX_G:
            hint = "; is it in m/s²?"
        raise MountingError(
            f"the mean acceleration in the upright window is {strength:.2f} g, where standing is 1 g{hint}; "
            "mend the recording, or move the window with --upright A:B"
        )
    up = upright.force / np.linalg.norm(upright.force)
    tilt_deg = math.degrees(math.acos(min(max(float(up @ axis_vector(mounting.up)), -1.0), 1.0)))
    if tilt_deg > _MAX_TILT_DEG:
        looks = AXIS_NAMES[nearest_axis(upright.force)]
        raise MountingError(
            f"gravity in the upright window is {tilt_deg:.0f}° from {AXIS_NAMES[mounting.up]}, which is said to be up "
            f"({mounting.origin}); it looks like --up {looks}, or move the window with --upright A:B"
        )
    forward = axis_vector(mounting.forward)
    forward = forward - (forward @ up) * up
    length = float(np.linalg.norm(forward))
    if length < 0.34:  # within 20° of up: no telling which way is forward
        raise MountingError(
            f"gravity in the upright window points along {AXIS_NAMES[mounting.forward]}, which is said to be forward; "
            "give --forward"
        )
    forward /= length
    return Frame(up, forward, np.cross(up, forward))
