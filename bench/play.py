"""The firmware's own chain, fed with counts: events, and what it thought each tick.

Rows come from a source of the simulator, are quantised as the chip would, and go straight into `walktall.chain.Chain`;
rows of NaN are samples that the device knows it has lost. Nothing of the detector is written again here.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from walktall import events
from walktall.chain import Chain
from walktall_sim import chips, mounting, replay

from bench.people import HZ, Floats

Ints = NDArray[np.int64]


class Source(Protocol):
    """What rows come from."""

    def block(self, i0: int, n: int) -> Floats:
        """Rows i0 .. i0+n-1, fewer at the end, NaN where a sample was lost."""

    def buzzed(self, index: int) -> None:
        """The motor began to buzz after sample `index`."""


class Plain:
    """Rows as they are."""

    def __init__(self, values: Floats) -> None:
        self._values = values

    def block(self, i0: int, n: int) -> Floats:
        """See `Source`."""
        return self._values[i0 : i0 + n].copy()

    def buzzed(self, index: int) -> None:
        """Nobody answers."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the chain; `at_s` in seconds of 52 samples since the source's row 0."""

    at_s: float
    name: str
    fault: str
    label: str
    value: int


@dataclass(slots=True)
class Trace:
    """What stood in the chain after each tick."""

    columns: tuple[str, ...] = (
        "sample", "pitch_cdeg", "roll_cdeg", "timer", "second_class", "walking", "steps", "cadence_spm", "offset_cdeg",
        "active", "jogging", "gx", "gy", "gz",
    )  # fmt: skip
    rows: list[tuple[int, ...]] = field(default_factory=list)

    def note(self, chain: Any) -> None:
        """Take down the tick that has just closed."""
        d, g, t = chain.detector, chain.gait, chain.tilt
        self.rows.append(
            (
                chain.n_samples, d.pitch_cdeg, d.roll_cdeg, d.forward.timer, d.second_class, g.walking, g.steps,
                g.cadence_spm, d.walk_offset_cdeg, d.forward.active, g.jogging, *t.g,
            )
        )  # fmt: skip

    def __getitem__(self, name: str) -> Ints:
        at = self.columns.index(name)
        return np.array([row[at] for row in self.rows], dtype=np.int64)


def new_chain(chosen: mounting.Mounting, upright: mounting.Upright, **settings: str) -> Any:
    """A chain as it stands after the wearer's calibration, within a session.

    :raises replay.ReplayError: that upright is refused
    """
    chain: Any = Chain(replay.settings_for(chosen, list(settings.items())))
    scale = chips.counts_per_unit(replay.ACCEL_FS_G, replay.GYRO_FS_DPS)
    force = [round(float(v)) for v in upright.force * scale[:3]]
    bias = [round(float(v)) for v in upright.gyro_bias * scale[3:] * 16.0]
    if not chain.set_upright(*force, *bias, 100 if upright.still else 50):
        raise replay.ReplayError("the upright is refused")
    chain.session.start(1, 1, 0, 0, 0)
    chain.configure(chain.settings)
    return chain


def upright_of(source: Source, samples: int = 2 * HZ) -> mounting.Upright:
    """The upright of the first 2 s of data."""
    head = source.block(0, 10 * HZ)
    return mounting.upright_of(head[chips.present(head)][:samples], HZ)


def feed(
    chain: Any, source: Source, begin: int, end: int, trace: Trace | None = None, *, lump: int = 832
) -> list[Event]:
    """Play rows `begin` .. `end` - 1 to the chain. `lump` rows are made at a time: 13 where the wearer answers."""
    told: list[Event] = []
    sample, ring = chain.sample, chain.ring
    for at in range(begin, end, lump):
        rows = source.block(at, min(lump, end - at))
        if not len(rows):
            break
        there = chips.present(rows)
        if there.all():
            counts = chips.quantise(rows, 4, 500).tolist()
            lost = None
        else:
            counts = chips.quantise(np.nan_to_num(rows), 4, 500).tolist()
            lost = (~there).tolist()
        gap = 0
        for k, row in enumerate(counts):
            if lost is not None:
                if lost[k]:
                    gap += 1
                    continue
                if gap:
                    chain.missed(gap)
                    gap = 0
            if sample(*row):
                chain.buzz_request = 0
                if trace is not None:
                    trace.note(chain)
                if len(ring):
                    told += _take(ring, source)
        if gap:
            chain.missed(gap)
        if len(ring):
            told += _take(ring, source)
    return told


def _take(ring: Any, source: Source) -> list[Event]:
    out = []
    while ring.take():
        if ring.code == events.BUZZ:
            source.buzzed(ring.sample - 1)
        out.append(
            Event(
                ring.sample / HZ,
                events.NAMES[ring.code],
                events.FAULT_NAMES[ring.fault],
                events.LABEL_NAMES[ring.label],
                ring.value,
            )
        )
    return out


def snapshot(chain: Any) -> Any:
    """The chain as it stands, to go on from several times."""
    return copy.deepcopy(chain)
