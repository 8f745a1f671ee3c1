"""Minutes of walking out of trials of seconds: the honest way to try a detector on people who were recorded briefly.

Published walks last 5 to 15 s. This module joins one person's trials into one walk, as the recordings' README says:
each trial is turned so that its mean specific force has the same pitch and no roll (straps slip between trials),
entered where its next second goes on best from the last one (searched over one stride), cross-faded for a quarter of
a second, and a few seconds of standing are put in front.

It invents no motion, and it does not hide that a joined walk repeats itself: :attr:`JoinedWalk.unique_s` says how many
different seconds of walking are in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RATE_HZ = 52
_MATCH = RATE_HZ  # compare one second
_STRIDE = int(1.3 * RATE_HZ)  # a slow stride: where the next trial may be entered
_FADE = RATE_HZ // 4


@dataclass(frozen=True)
class JoinedWalk:
    """A joined walk: `t_s` (n,), `data` (n, 6) in m/s² and rad/s at 52 Hz, `label` (n,), and how much is unique."""

    t_s: Array
    data: Array
    label: NDArray[np.str_]
    unique_s: float
    trials: int


def rotation_between(a: Array, b: Array) -> Array:
    """The smallest rotation (3, 3) that turns direction `a` (3,) into direction `b` (3,)."""
    a = a / np.linalg.norm(a)
    b = b / np.linalg.norm(b)
    v = np.cross(a, b)
    c = float(a @ b)
    if c < -0.999999:
        raise ValueError("opposite directions: no smallest rotation")
    k = np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])
    out: Array = np.eye(3) + k + k @ k / (1.0 + c)
    return out


def direction_at(pitch_deg: float, up: Array, forward: Array) -> Array:
    """The direction of the specific force (3,) at rest of a trunk pitched forward by `pitch_deg`, without roll."""
    p = np.radians(pitch_deg)
    out: Array = up * np.cos(p) - forward * np.sin(p)
    return out


def level(data: Array, pitch_deg: float, up: Array, forward: Array) -> Array:
    """`data` (n, 6) turned so that its mean specific force has `pitch_deg` and no roll."""
    rot = rotation_between(data[:, :3].mean(axis=0), direction_at(pitch_deg, up, forward))
    return np.hstack([data[:, :3] @ rot.T, data[:, 3:] @ rot.T])


def _mirror(data: Array, n: int) -> Array:
    """Standing of `n` samples out of a shorter piece: played forward and backward (angular rates change sign)."""
    back = data[::-1].copy()
    back[:, 3:] *= -1.0
    pieces = [data, back] * (n // (2 * len(data)) + 1)
    return np.concatenate(pieces)[:n]


def _append(out: Array, piece: Array) -> Array:
    """`piece` joined to the end of `out` where its next second fits best, cross-faded for a quarter of a second."""
    last = out[-_MATCH:]
    scale = np.array([9.81, 9.81, 9.81, 1.0, 1.0, 1.0])
    room = min(_STRIDE, len(piece) - 2 * _MATCH)
    costs = [float((((piece[e : e + _MATCH] - last) / scale) ** 2).sum()) for e in range(max(room, 1))]
    at = int(np.argmin(costs)) + _MATCH
    w = np.linspace(0.0, 1.0, _FADE)[:, None]
    fade = out[-_FADE:] * (1.0 - w) + piece[at - _FADE : at] * w
    return np.concatenate([out[:-_FADE], fade, piece[at:]])


def join_trials(
    trials: list[Array],
    standing: Array,
    *,
    minutes: float,
    up: Array,
    forward: Array,
    walk_pitch_deg: float = 2.0,
    stand_s: float = 4.0,
    label: str = "walk",
    seed: int = 0,
) -> JoinedWalk:
    """Join one person's walking trials, each (n, 6) at 52 Hz in m/s² and rad/s, into one walk of `minutes`.

    :param Array standing: (m, 6), at least half a second of quiet standing; it is turned to pitch 0 and put in front
    :param float walk_pitch_deg: the pitch of the walking, from standing, that all trials are turned to
    :raises ValueError: no trial of at least 3 s
    """
    usable = [level(t, walk_pitch_deg, up, forward) for t in trials if len(t) >= 3 * RATE_HZ]
    if not usable:
        raise ValueError("no walking trial of at least 3 s")
    rng = np.random.default_rng(seed)
    n_stand = int(stand_s * RATE_HZ)
    want = int(minutes * 60 * RATE_HZ)
    quiet = _mirror(level(standing, 0.0, up, forward), n_stand)
    order: list[int] = []
    walk = usable[0]
    while len(walk) < want:
        if not order:
            order = [int(i) for i in rng.permutation(len(usable))]
        walk = _append(walk, usable[order.pop()])
    walk = walk[:want]
    # From standing to walking there is no stride to match: a plain cross-fade of a quarter of a second.
    w = np.linspace(0.0, 1.0, _FADE)[:, None]
    data = np.concatenate([quiet[:-_FADE], quiet[-_FADE:] * (1 - w) + walk[:_FADE] * w, walk[_FADE:]])
    labels = np.array(["stand"] * n_stand + [label] * (len(data) - n_stand))
    unique_s = min(sum(len(t) for t in usable), want) / RATE_HZ
    return JoinedWalk(np.arange(len(data)) / RATE_HZ, data, labels, unique_s, len(usable))
