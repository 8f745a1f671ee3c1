"""Test vectors for both interpreters: raw counts as the chip gives them, six int16 a sample, little-endian.

Made by CPython from seeds, because MicroPython's random numbers are others. Physics as far as the detector needs it:
a trunk that leans, steps, bends and stands still, seen by a sensor at the collar (up +y, forward +z, left +x).
"""

import math
import random
from array import array
from collections.abc import Sequence
from pathlib import Path

SAMPLE_HZ = 52
G_COUNTS = 8197  # 1 g at ±4 g: 0.122 mg a count
DPS_COUNTS = 1000 / 17.5  # 1 deg/s at ±500 dps: 17.5 mdps a count
G_M_S2 = 9.80665


def _int16(value: float) -> int:
    return max(-32768, min(32767, round(value)))


def _samples(rows: Sequence[tuple[float, ...]]) -> bytes:
    data = array("h", [_int16(value) for row in rows for value in row])
    return data.tobytes()


def corners() -> bytes:
    """Every combination of the lowest, middle and highest count on the six axes."""
    values = (-32768, 0, 32767)
    rows = [tuple(values[(i // 3**axis) % 3] for axis in range(6)) for i in range(3**6)]
    return _samples(rows)


def extreme(seed: int, n_samples: int = 4000) -> bytes:
    """Full-scale input to find an overflow: white noise, signs alternating each sample, corners held for a while."""
    chance = random.Random(seed)
    rows: list[tuple[float, ...]] = []
    while len(rows) < n_samples:
        kind = chance.randrange(4)
        run = chance.randrange(1, 200)
        corner = tuple(chance.choice((-32768, 32767)) for _ in range(6))
        for i in range(run):
            if kind == 0:
                rows.append(tuple(chance.randint(-32768, 32767) for _ in range(6)))
            elif kind == 1:
                rows.append(tuple(value if i % 2 else -1 - value for value in corner))
            elif kind == 2:
                rows.append(corner)
            else:
                # Half a stride apart: what the step finder is built for, at full scale.
                high = (i // 13) % 2
                rows.append(tuple(value if high else -1 - value for value in corner))
    return _samples(rows[:n_samples])


# What the walker does: (seconds, pitch in degrees, roll in degrees, cadence in steps/min or 0 for standing).
# Pitch moves by a smoothstep over the piece's first two seconds.
PLAN = (
    (6, 0.0, 0.0, 0.0),
    (30, 2.0, 0.0, 112.0),
    (26, 22.0, 0.0, 112.0),
    (12, 1.0, 0.0, 112.0),
    (20, -14.0, 0.0, 108.0),
    (10, 0.0, 0.0, 110.0),
    (16, 0.0, 13.0, 110.0),
    (8, 0.0, 0.0, 110.0),
    (6, 0.0, 0.0, 0.0),
    (5, 70.0, 0.0, 0.0),
    (5, 0.0, 0.0, 0.0),
    (10, 8.0, 0.0, 165.0),
    (20, 0.0, 0.0, 100.0),
    (24, 17.0, 2.0, 100.0),
    (10, 0.0, 0.0, 100.0),
)


def walk(seed: int) -> bytes:
    """About 3.5 minutes of a synthetic walk with a lean, an arch, a side tilt, a bend, a jog and a second lean."""
    chance = random.Random(seed)
    bias_dps = [chance.uniform(-1.0, 1.0) for _ in range(3)]
    rows: list[tuple[float, ...]] = []
    pitch_from = roll_from = 0.0
    phase = 0.0
    before = (0.0, 0.0)
    for seconds, pitch_to, roll_to, cadence_spm in PLAN:
        for i in range(seconds * SAMPLE_HZ):
            part = min(1.0, i / SAMPLE_HZ / 2.0)
            smooth = part * part * (3.0 - 2.0 * part)
            step_hz = cadence_spm / 60.0
            phase += 2 * math.pi * step_hz / SAMPLE_HZ
            sway = math.radians(1.5) * math.sin(phase) if step_hz else 0.0
            pitch = math.radians(pitch_from + (pitch_to - pitch_from) * smooth) + sway
            roll = math.radians(roll_from + (roll_to - roll_from) * smooth) + (
                math.radians(1.5) * math.sin(phase / 2) if step_hz else 0.0
            )
            # Harmonics of the step; a jog is about four times as hard as a walk.
            amplitude = 0.0 if not step_hz else (9.0 if cadence_spm > 145 else 2.2)
            up = amplitude * (math.sin(phase) + 0.4 * math.sin(2 * phase + 0.7)) / G_M_S2
            ahead = 0.5 * amplitude * math.cos(phase + 0.3) / G_M_S2
            # Gravity's reaction in the sensor's frame after leaning forward by pitch and right by roll.
            ax = math.sin(roll) * math.cos(pitch)
            ay = math.cos(roll) * math.cos(pitch)
            az = -math.sin(pitch)
            noise = [chance.gauss(0.0, 0.004) for _ in range(3)]
            accel = (ax + noise[0], ay * (1 + up) + noise[1], az + ahead * math.cos(pitch) + noise[2])
            rate = (
                math.degrees(pitch - before[0]) * SAMPLE_HZ if rows else 0.0,
                0.0,
                math.degrees(roll - before[1]) * SAMPLE_HZ if rows else 0.0,
            )
            before = (pitch, roll)
            turned = (value + bias + chance.gauss(0.0, 0.1) for value, bias in zip(rate, bias_dps, strict=True))
            rows.append(tuple(value * G_COUNTS for value in accel) + tuple(value * DPS_COUNTS for value in turned))
        pitch_from, roll_from = pitch_to, roll_to
    return _samples(rows)


def write_all(folder: Path, seed: int) -> None:
    """Write corners.bin, extreme.bin and walk.bin."""
    (folder / "corners.bin").write_bytes(corners())
    (folder / "extreme.bin").write_bytes(extreme(seed))
    (folder / "walk.bin").write_bytes(walk(seed))
