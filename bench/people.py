"""The published recordings as the benchmark needs them: trials at 52 Hz, pieces of walking, joined walks, halves.

Reading, resampling, cutting and joining are the simulator's own.

Half rule: the people of all sets that hold gait, sorted by set and then by name, take turns; the first, third ...
are the half that was looked at while tuning, the others the half that is reported.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from walktall_sim import chips, join, mounting, persons, recordings, resample, turn

Floats = NDArray[np.float64]
Names = NDArray[np.str_]
runs, spread, moving = persons.runs, persons.spread, persons.moving

HZ = 52
WALKING = {**persons.WALKING, "stanford_fog": ("walk_pd",)}
# Sensors on the upper trunk of healthy walkers: what a clip on the collar is nearest to. The lower back and Parkinson
# walkers are reported apart.
TRUNK = ("forth_trace", "grouvel_sternum", "umafall_chest")
WALK_PITCH_DEG = 2.0  # of joined walks, from standing: the median of facts' 1 to 5 degrees, stated with each figure


@dataclass(frozen=True, slots=True, order=True)
class Person:
    """Somebody of a set; `tuned` when they belong to the half that was looked at while tuning."""

    kit: str
    name: str
    tuned: bool

    def __str__(self) -> str:
        return f"{self.kit} {self.name}"


@dataclass(frozen=True, slots=True)
class Rows:
    """A trial at 52 Hz: `values` (n, 6) with NaN in gaps, `label` (n,)."""

    trial: str
    values: Floats
    label: Names


@dataclass(frozen=True, slots=True)
class Pieces:
    """What one person's walks are joined from: pieces of walking (n, 6), the quietest standing (m, 6)."""

    walking: list[Floats]
    standing: Floats
    measured_standing: bool


_root = Path()


def set_root(root: Path) -> None:
    """Say where the recordings are (each worker process has to be told)."""
    global _root
    _root = root


def people(kits: tuple[str, ...] = tuple(WALKING)) -> list[Person]:
    """Everybody whose gait was recorded, in the order of the half rule, of the sets wanted."""
    everyone = [
        (kit, path.name.removesuffix(".csv.gz"))
        for kit in sorted(WALKING)
        for path in sorted((_root / kit).glob("*.csv.gz"))
    ]
    return [Person(kit, name, i % 2 == 0) for i, (kit, name) in enumerate(everyone) if kit in kits]


def path_of(kit: str, name: str) -> Path:
    """The file of a person."""
    return _root / kit / f"{name}.csv.gz"


def mounting_of(kit: str) -> mounting.Mounting:
    """Which axes point up and forward in a set."""
    return persons.mounting_of(_root, kit)


@functools.lru_cache(maxsize=40)
def trials(kit: str, name: str, rate: float = 1.0) -> tuple[Rows, ...]:
    """A person's trials as a chip whose clock runs `rate` times too fast would sample them."""
    out = []
    for trial in recordings.read_trials(path_of(kit, name)):
        _, _, rows = resample.resample([(trial.t_s, trial.values)], resample.CHIP_HZ * rate)
        at_s = trial.t_s[0] + np.arange(len(rows)) / (resample.CHIP_HZ * rate)
        label = np.asarray(trial.label, dtype=np.str_)[np.clip(np.searchsorted(trial.t_s, at_s), 0, len(trial.t_s) - 1)]
        out.append(Rows(trial.trial, rows.astype(np.float64), label))
    return tuple(out)


def quantised(values: Floats) -> NDArray[np.int16]:
    """Raw counts as the chip gives them at the ranges that the firmware sets."""
    return chips.quantise(np.array(values, dtype=np.float64), 4, 500)


@functools.lru_cache(maxsize=40)
def pieces(kit: str, name: str, labels: tuple[str, ...] | None = None) -> Pieces:
    """The walking and the quietest standing of a person.

    Where a set has no standing (`stanford_fog`), gravity along the sensor's own up stands for it.
    """
    rows = ((one.values, one.label) for one in trials(kit, name))
    # Parkinson walkers shuffle so softly that the trunk hardly moves.
    walking, standing = persons.cut(rows, kit, labels or WALKING[kit], softly=kit == "stanford_fog")
    if standing is not None:
        return Pieces(walking, standing, True)
    still = np.zeros((HZ, 6))
    still[:, :3] = mounting.axis_vector(mounting_of(kit).up) * mounting.G
    return Pieces(walking, still, False)


@functools.lru_cache(maxsize=8)
def joined(
    kit: str,
    name: str,
    minutes: float,
    pitch_deg: float = WALK_PITCH_DEG,
    labels: tuple[str, ...] | None = None,
    seed: int = 0,
) -> join.JoinedWalk:
    """A walk of `minutes` joined from a person's pieces, with 4 s of standing in front.

    :raises ValueError: no piece of walking that is long enough
    """
    got = pieces(kit, name, labels)
    chosen = mounting_of(kit)
    return join.join_trials(
        got.walking,
        got.standing,
        minutes=minutes,
        up=mounting.axis_vector(chosen.up),
        forward=mounting.axis_vector(chosen.forward),
        walk_pitch_deg=pitch_deg,
        seed=seed,
    )


def frame_of(kit: str, values: Floats) -> mounting.Frame:
    """The body's frame out of the first 2 s of rows."""
    head = values[: 10 * HZ]
    head = head[chips.present(head)][: 2 * HZ]
    return mounting.frame_of(mounting_of(kit), mounting.upright_of(head, HZ))


def pitched(values: Floats, deg: float, frame: mounting.Frame) -> Floats:
    """Rows turned forward by `deg`, once and for all."""
    held = turn.Turn(deg, -1e6, 2e6, 0.0)
    return turn.apply(values, np.arange(-1, len(values)) / HZ, frame.left, [held])
