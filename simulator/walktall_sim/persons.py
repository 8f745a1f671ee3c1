"""The people of the project's recordings: which rows are walking, which standing, and walks of minutes joined of them.

The layout is that of ``../shared/recordings``: a ``manifest.json`` that names each set's axes, and in each set's folder
one file a person. How pieces are joined is `walktall_sim.join`'s; reading and resampling are the simulator's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from walktall_sim import chips, join, mounting, recordings, resample

Floats = NDArray[np.float64]
Names = NDArray[np.str_]

_HZ = join.RATE_HZ
# Which labels are walking; jogging is not.
WALKING = {
    "grouvel_sternum": ("walk", "walk_slow", "walk_fast"),
    "umafall_chest": ("walk",),
    "forth_trace": ("walk", "walk_talk"),
    "ipol_l5": ("walk",),
}
_MOVING_MS2 = 0.3  # SD of |a| over a second, below which nobody walks (facts: energy)
_LEAST_WALK = 4 * _HZ
_LEAST_STAND = _HZ // 2
_CUT_IN, _CUT_OUT = _HZ // 2, _HZ // 4


class PersonError(ValueError):
    """Nobody of that name, or nothing to join; the text is one line."""


def names(root: Path, kit: str) -> list[str]:
    """The people of a set, sorted.

    :raises PersonError: no such set
    """
    if kit not in WALKING:
        raise PersonError(f"no set of walks is called {kit!r}; one of {', '.join(sorted(WALKING))}")
    found = sorted(path.name.removesuffix(".csv.gz") for path in (root / kit).glob("*.csv.gz"))
    if not found:
        raise PersonError(f"{root / kit}: holds no recordings")
    return found


def mounting_of(root: Path, kit: str) -> mounting.Mounting:
    """Which axes point up and forward in a set.

    :raises PersonError: the manifest does not say
    """
    try:
        entry = json.loads((root / "manifest.json").read_text(encoding="utf-8"))["sets"][kit]
        up, forward = mounting.parse_axis(entry["up"]), mounting.parse_axis(entry["forward"])
    except (OSError, ValueError, KeyError, TypeError):
        raise PersonError(f"{root / 'manifest.json'}: does not say how the sensor of {kit} sits") from None
    return mounting.Mounting(up, forward, "manifest")


def runs(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Begin and end of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def spread(x: Floats, width: int) -> Floats:
    """The standard deviation of ``x`` (n,) over the ``width`` rows around each."""
    padded = np.pad(x, (width // 2, width - width // 2), mode="edge")
    sums = np.concatenate([[0.0], np.cumsum(padded)])
    squares = np.concatenate([[0.0], np.cumsum(padded * padded)])
    n = len(x)
    mean = (sums[width : width + n] - sums[:n]) / width
    return np.asarray(np.sqrt(np.maximum((squares[width : width + n] - squares[:n]) / width - mean * mean, 0.0)))


def moving(values: Floats) -> NDArray[np.bool_]:
    """Where the trunk moves at all, by the second around each row of ``values`` (n, 6) at 52 Hz."""
    return np.asarray(spread(np.linalg.norm(values[:, :3], axis=1), _HZ) > _MOVING_MS2)


def cut(
    trials: Iterable[tuple[Floats, Names]], kit: str, wanted: tuple[str, ...], *, softly: bool = False
) -> tuple[list[Floats], Floats | None]:
    """A person's pieces of walking (n, 6), and the quietest standing (m, 6), None where nobody stands still.

    Standing is what is labelled so and does not move; in `umafall_chest` the first second of a trial of walking.

    :param trials: rows (n, 6) at 52 Hz with NaN in gaps, and the label (n,) of each
    :param softly: also walking that hardly moves the trunk
    """
    walking: list[Floats] = []
    standing: list[Floats] = []
    for rows, labels in trials:
        for a, b in runs(chips.present(rows)):
            if b - a < _LEAST_STAND:
                continue
            values, label = rows[a:b], labels[a:b]
            moves = moving(values)
            walks = np.isin(label, wanted) & (moves | softly)
            if kit == "umafall_chest" and walks.any():
                # Nobody stands in this set, but each trial of walking begins so.
                standing.append(values[:_HZ])
            standing += [values[i:j] for i, j in runs((label == "stand") & ~moves) if j - i >= _LEAST_STAND]
            walking += [values[i + _CUT_IN : j - _CUT_OUT] for i, j in runs(walks) if j - i >= _LEAST_WALK]
    # Some trials of `umafall_chest` begin with rows of nothing.
    standing = [v for v in standing if 0.9 < np.linalg.norm(v[:, :3].mean(axis=0)) / mounting.G < 1.1]
    return walking, min(standing, key=lambda v: float(v[:, 3:].std()), default=None)


def _trials(path: Path) -> Iterator[tuple[Floats, Names]]:
    """Each labelled trial of a file at 52 Hz, and its labels."""
    for trial in recordings.read_trials(path):
        if trial.label is None:
            continue
        start_s, _, rows = resample.resample([(trial.t_s, trial.values)])
        at_s = start_s + np.arange(len(rows)) / _HZ
        labels = trial.label.astype(str)[np.clip(np.searchsorted(trial.t_s, at_s), 0, len(trial.t_s) - 1)]
        yield rows.astype(np.float64), labels


def joined(root: Path, kit: str, name: str, minutes: float, pitch_deg: float, seed: int = 0) -> join.JoinedWalk:
    """A walk of ``minutes`` joined from a person's pieces, with 4 s of standing in front.

    :raises PersonError: nobody of that name, or no walking that is long enough
    :raises recordings.RecordingError: the file cannot be used
    """
    known = names(root, kit)
    if name not in known:
        raise PersonError(f"nobody in {kit} is called {name!r}; one of {', '.join(known)}")
    chosen = mounting_of(root, kit)
    path = root / kit / f"{name}.csv.gz"
    walking, standing = cut(_trials(path), kit, WALKING[kit])
    if standing is None:
        raise PersonError(f"{path}: nobody stands still in it")
    try:
        return join.join_trials(
            walking,
            standing,
            minutes=minutes,
            up=mounting.axis_vector(chosen.up),
            forward=mounting.axis_vector(chosen.forward),
            walk_pitch_deg=pitch_deg,
            seed=seed,
        )
    except ValueError as error:
        raise PersonError(f"{kit} {name}: {error}") from None
