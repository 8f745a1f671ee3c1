"""When nothing should buzz: upright walks as they are, and what people do beside walking.

Joined walks carry one person's walking at 2 degrees from standing. Acts (bends, chairs, stairs ...) follow a minute of
the same person's joined walk, trial after trial, each turned so that its own first second is upright: a harder case
than the trials alone, most of which end before a hold could.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from walktall_sim import chips, join, mounting

from bench import people as p
from bench import play
from bench.people import HZ, Floats
from bench.strain import Strain, scene

_WALK_FIRST_S = 60.0
_ROUNDS = 2
_JOG_PITCH_DEG = 12.0  # forward from standing: the middle of a jogger's natural lean of 10 to 20 degrees (facts)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Of one person and one kind of walk or act: how long, how much of it unique, and what buzzed (first ones only)."""

    kit: str
    name: str
    tuned: bool
    strain: str
    kind: str
    minutes: float
    unique_minutes: float
    forward: int
    back: int
    side_faults: int
    slips: int
    when_s: tuple[float, ...]


def _count(
    events: list[play.Event], begin_s: float = 0.0, end_s: float = 1e9
) -> tuple[int, int, int, int, tuple[float, ...]]:
    inside = [e for e in events if begin_s <= e.at_s < end_s]
    first = [e for e in inside if e.name == "buzz" and e.value == 1]
    return (
        sum(e.fault == "forward" for e in first),
        sum(e.fault == "back" for e in first),
        sum(e.name == "fault_begin" and e.fault == "side" for e in inside),
        sum(e.name == "slip" for e in inside),
        tuple(round(e.at_s, 1) for e in first),
    )


def upright_walk(person: p.Person, minutes: float, strain: Strain, kind: str = "joined walk") -> Quiet:
    """A joined walk without any turn."""
    pitch = p.WALK_PITCH_DEG if strain.pitch_deg is None else strain.pitch_deg
    walk = p.joined(person.kit, person.name, minutes, pitch, None, 1)
    values = walk.data
    if strain.rate != 1.0:
        at = np.arange(int(len(values) * strain.rate)) / strain.rate
        values = np.stack([np.interp(at, np.arange(len(values)), values[:, k]) for k in range(6)], axis=1)
    here = scene(values, p.frame_of(person.kit, values), p.mounting_of(person.kit), strain, seed=1)
    chain = play.new_chain(here.chosen, here.upright)
    told = play.feed(chain, here.source, 0, len(values), lump=13 if strain.shake else 832)
    return _quiet(person, strain, kind, len(walk.data) / HZ / 60.0, walk.unique_s / 60.0, told)


def _quiet(
    person: p.Person,
    strain: Strain,
    kind: str,
    minutes: float,
    unique: float,
    told: list[play.Event],
    begin_s: float = 0.0,
) -> Quiet:
    return Quiet(
        person.kit, person.name, person.tuned, strain.name, kind, minutes, min(unique, minutes), *_count(told, begin_s)
    )


def as_recorded(person: p.Person) -> list[Quiet]:
    """Every trial with walking, as it was recorded; buzzes by the label at the time."""
    minutes: dict[str, float] = {}
    found: dict[str, list[tuple[int, int, int, int, tuple[float, ...]]]] = {}
    for one in p.trials(person.kit, person.name):
        if not np.isin(one.label, p.WALKING[person.kit]).any():
            continue
        source = play.Plain(one.values)
        upright = play.upright_of(source)
        if not 0.75 < np.linalg.norm(upright.force) / mounting.G < 1.25:
            continue  # some trials begin with rows of nothing
        chain = play.new_chain(p.mounting_of(person.kit), upright)
        told = play.feed(chain, source, 0, len(one.values))
        there = chips.present(one.values)
        for label in np.unique(one.label):
            minutes[label] = minutes.get(label, 0.0) + float((there & (one.label == label)).sum()) / HZ / 60.0
            mine = [e for e in told if one.label[min(int(e.at_s * HZ) - 1, len(one.label) - 1)] == label]
            found.setdefault(label, []).append(_count(mine))
    out = []
    for label, rows in found.items():
        out.append(
            Quiet(
                person.kit, person.name, person.tuned, "none", f"as recorded: {label}", minutes[label], minutes[label],
                sum(r[0] for r in rows), sum(r[1] for r in rows), sum(r[2] for r in rows), sum(r[3] for r in rows),
                tuple(t for r in rows for t in r[4]),
            )
        )  # fmt: skip
    return out


def _levelled(values: Floats, up: Floats) -> Floats:
    """Rows turned so that the mean force of their first second points along `up`."""
    turned = join.rotation_between(values[:HZ, :3].mean(axis=0), up)
    return np.hstack([values[:, :3] @ turned.T, values[:, 3:] @ turned.T])


def acts(person: p.Person) -> list[Quiet]:
    """Each kind of act of a person, twice over all its trials, behind a minute of that person's walking."""
    frame_up = mounting.axis_vector(p.mounting_of(person.kit).up)
    kinds: dict[str, list[Floats]] = {}
    for one in p.trials(person.kit, person.name):
        label = str(one.label[0])
        if person.kit != "umafall_chest" or label.startswith("walk") or not chips.present(one.values).all():
            continue
        force = one.values[:HZ, :3].mean(axis=0)
        if len(one.values) > 2 * HZ and 0.8 < np.linalg.norm(force) / mounting.G < 1.2:
            if force @ frame_up < 0.3 * np.linalg.norm(force):
                continue  # a fall or a lying-down that begins lying
            kinds.setdefault("fall" if label.startswith("fall") else label, []).append(_levelled(one.values, frame_up))
    out = []
    walk = p.joined(person.kit, person.name, _WALK_FIRST_S / 60.0)
    for kind, found in kinds.items():
        values = np.concatenate([walk.data, *(found * _ROUNDS)])
        source = play.Plain(values)
        chain = play.new_chain(p.mounting_of(person.kit), play.upright_of(source))
        told = play.feed(chain, source, 0, len(values))
        unique = sum(len(v) for v in found) / HZ / 60.0
        minutes = (len(values) - len(walk.data)) / HZ / 60.0
        out.append(_quiet(person, Strain(), kind, minutes, unique, told, len(walk.data) / HZ))
    return out


def jogging(person: p.Person, minutes: float) -> Quiet | None:
    """A person's jogging joined to minutes, at a jogger's lean; None where nobody jogs."""
    try:
        walk = p.joined(person.kit, person.name, minutes, _JOG_PITCH_DEG, ("jog",), 2)
    except ValueError:
        return None
    source = play.Plain(walk.data)
    chain = play.new_chain(p.mounting_of(person.kit), play.upright_of(source))
    told = play.feed(chain, source, 0, len(walk.data))
    return _quiet(person, Strain(), "joined jog at 12°", len(walk.data) / HZ / 60.0, walk.unique_s / 60.0, told)
