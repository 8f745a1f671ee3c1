"""How good the alarms of a walk are: which leans were found, how soon, and what was buzzed without one.

The truth is what was put on the walk, whatever the settings that are tried: its turns, and in a made-up walk the leans,
slouches and arches of its plan. An *episode* is what the detector's rule calls a fault with the settings' defaults: the
angle passes the limit (12° forward, 8° back) and stays beyond the lower one (8°, 5°) for at least the hold (10 s). A
case that expects no buzz at all has none.

* found: a buzz of that fault from half the limit on until 2 s after the episode; sensitivity is the share so found
* latency: from the moment when the angle passes the limit to the first such buzz
* false alarm: a buzz outside of every episode of its fault; the rate is for the hours outside of episodes
* precision: episodes found, of these and the false alarms. Repeats within an episode count neither way.

A real walker leans by himself, too, and nobody wrote it down: then a false alarm may be none. It is the same for all
settings that are compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from walktall.settings import Settings

from walktall_sim import turn as turning
from walktall_sim.replay import Line

Floats = NDArray[np.float64]

_HZ = 20.0
_AFTER_S = 2.0
#: what may be asked of a walk, or of many together
METRICS = (
    "episodes",
    "found",
    "sensitivity",
    "false_alarms",
    "precision",
    "latency_median_s",
    "latency_p95_s",
    "false_alarms_per_h",
)


def worth() -> tuple[tuple[float, float], tuple[float, float], float]:
    """What is worth a buzz: from and until so many degrees forward, back (negative), and seconds; the defaults."""
    usual = Settings()

    def limit(name: str) -> float:
        return float(usual.get(name))

    forward, back = (limit("on_deg"), limit("off_deg")), (-limit("back_on_deg"), -limit("back_off_deg"))
    return forward, back, limit("hold_s")


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch that is worth a buzz: a buzz counts from ``from_s`` to ``to_s``, and latency from ``passes_s``."""

    fault: str
    from_s: float
    passes_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class Truth:
    """The angle put on a walk (n,), forward positive, 20 times a second from ``t0_s``; none where no buzz is due."""

    t0_s: float
    duration_s: float
    deg: Floats | None

    def episodes(self) -> list[Episode]:
        """What is worth a buzz, in its order."""
        if self.deg is None:
            return []
        forward, back, hold_s = worth()
        found = [*_episodes(self, "forward", forward, hold_s), *_episodes(self, "back", back, hold_s)]
        return sorted(found, key=lambda one: one.passes_s)


def truth_of(
    t0_s: float, duration_s: float, turns: Sequence[turning.Turn], planned: tuple[Floats, Floats] | None = None
) -> Truth:
    """The truth of a walk.

    :param turns: as planned, not as answered
    :param planned: times (m,) and degrees (m,) of what a made-up walk does by itself
    """
    t_s = t0_s + np.arange(int(duration_s * _HZ) + 1) / _HZ
    deg = turning.total_deg([turning.Turn(one.deg, one.start_s, one.hold_s, one.ramp_s) for one in turns], t_s)
    if planned is not None:
        deg = deg + np.interp(t_s, *planned)
    return Truth(t0_s, duration_s, deg)


def _episodes(truth: Truth, fault: str, limits_deg: tuple[float, float], hold_s: float) -> Iterable[Episode]:
    assert truth.deg is not None
    share = truth.deg / limits_deg[0]
    # Stretches beyond the lower limit, each from where it first passes the upper one.
    low = share > limits_deg[1] / limits_deg[0]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], low.astype(np.int8), [0]])))
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        over = np.flatnonzero(share[first:end] > 1.0)
        begin = first + int(over[0]) if len(over) else end
        if (end - begin) / _HZ < hold_s:
            continue
        below = np.flatnonzero(share[:begin] < 0.5)
        onset = int(below[-1]) if len(below) else 0
        passes_s = truth.t0_s + begin / _HZ
        if begin:
            # The straight line between the two samples around the limit.
            before, after = float(share[begin - 1]), float(share[begin])
            passes_s -= (after - 1.0) / (after - before) / _HZ
        yield Episode(fault, truth.t0_s + onset / _HZ, passes_s, truth.t0_s + end / _HZ + _AFTER_S)


@dataclass(frozen=True, slots=True)
class Score:
    """The alarms of one walk against its truth; scores of several walks add up."""

    episodes: int = 0
    false_alarms: int = 0
    quiet_s: float = 0.0
    duration_s: float = 0.0
    buzzes: int = 0
    latencies_s: tuple[float, ...] = ()

    def __add__(self, other: Score) -> Score:
        return Score(
            self.episodes + other.episodes,
            self.false_alarms + other.false_alarms,
            self.quiet_s + other.quiet_s,
            self.duration_s + other.duration_s,
            self.buzzes + other.buzzes,
            self.latencies_s + other.latencies_s,
        )

    def metric(self, name: str) -> float | None:
        """One of :data:`METRICS`; None where there is nothing to tell it from."""
        found = len(self.latencies_s)
        if name == "episodes":
            return float(self.episodes)
        if name == "found":
            return float(found)
        if name == "sensitivity":
            return found / self.episodes if self.episodes else None
        if name == "false_alarms":
            return float(self.false_alarms)
        if name == "precision":
            alarms = found + self.false_alarms
            return found / alarms if alarms else None
        if name == "latency_median_s":
            return percentile(self.latencies_s, 50.0)
        if name == "latency_p95_s":
            return percentile(self.latencies_s, 95.0)
        return 3600.0 * self.false_alarms / self.quiet_s if self.quiet_s > 0.0 else None


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which ``share`` percent lie (linear between two), None of nothing."""
    return float(np.percentile(np.sort(np.asarray(values)), share)) if len(values) else None


def score(events: Sequence[dict[str, Any]] | Sequence[Line], truth: Truth) -> Score:
    """The buzzes among ``events`` against the truth."""
    episodes = truth.episodes()
    firsts: dict[int, float] = {}
    wrong = 0
    buzzes = [line for line in events if line["event"] == "buzz"]
    for line in buzzes:
        at_s = float(line["t_s"])
        own = [n for n, one in enumerate(episodes) if one.fault == line.get("fault") and one.from_s <= at_s <= one.to_s]
        if own:
            firsts.setdefault(own[0], at_s - episodes[own[0]].passes_s)
        else:
            wrong += 1
    ends_s = truth.t0_s + truth.duration_s
    busy_s, until_s = 0.0, -math.inf
    for one in sorted(episodes, key=lambda one: one.from_s):
        begin_s, end_s = max(one.from_s, until_s), min(one.to_s, ends_s)
        busy_s += max(end_s - begin_s, 0.0)
        until_s = max(until_s, end_s)
    latencies = tuple(round(firsts[n], 3) for n in sorted(firsts))
    return Score(len(episodes), wrong, truth.duration_s - busy_s, truth.duration_s, len(buzzes), latencies)
