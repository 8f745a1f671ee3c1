"""Rotated real walking: known leans put on joined walks, and what the chain makes of them.

One job is one person under one strain: the walk up to the first turn is played once, and each turn goes on from there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from walktall_sim import mounting
from walktall_sim.turn import Turn

from bench import people as p
from bench import play
from bench.strain import Strain, scene

ANGLES_DEG = (8.0, 10.0, 12.0, 14.0, 15.0, 20.0, 30.0)
HOLDS_S = (15.0, 20.0, 40.0)
RAMPS_S = (1.0, 3.0, 15.0)
LIMIT_DEG, OFF_DEG, HOLD_S = 12.0, 8.0, 10.0  # the settings of a new clip
_SHARED_S = 84.0  # played once; turns start a little later, each elsewhere in the stride and the walk
_BEFORE_S, _AFTER_S = 2.0, 3.0  # an alarm belongs to a turn from 2 s before it to 3 s behind it (facts: alarm quality)
_TAIL_S = 12.0


@dataclass(frozen=True, slots=True)
class Plan:
    """One turn to be tried."""

    deg: float
    hold_s: float
    ramp_s: float
    start_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one turn; times in s, NaN or None where there was nothing."""

    kit: str
    name: str
    tuned: bool
    strain: str
    plan: Plan
    buzz_s: float | None  # first matching forward buzz, true time
    label: str
    false: int  # buzzes of any fault that match nothing
    passes_s: float | None  # the imposed angle passes 12 degrees
    returns_s: float | None  # and comes back to 8 degrees
    recovered_s: float | None
    fault_s: float  # time between fault_begin and fault_end, forward
    true_fault_s: float  # time of the imposed angle from 12 up to 8 down
    offset_deg: float
    slips: int
    answered: bool
    own_deg: float  # how far the walk's own 1 s pitch strays from its usual, from the turn's start to the expected buzz


def plans(
    angles: tuple[float, ...] = ANGLES_DEG, holds: tuple[float, ...] = HOLDS_S, ramps: tuple[float, ...] = RAMPS_S
) -> list[Plan]:
    """All turns of a matrix; the k-th begins (7 k mod 13) x 1.3 s after the walk's shared part."""
    matrix = itertools.product(angles, holds, ramps)
    return [Plan(d, h, r, _SHARED_S + 1.0 + (7 * k % 13) * 1.3) for k, (d, h, r) in enumerate(matrix)]


def try_person(
    person: p.Person, wanted: list[Plan], strain: Strain, answer_s: float | None = None, seed: int = 0
) -> list[Outcome]:
    """All turns on one person's joined walk under one strain."""
    longest = max(plan.start_s + plan.ramp_s + plan.hold_s for plan in wanted) + 2.0 + _TAIL_S
    pitch = p.WALK_PITCH_DEG if strain.pitch_deg is None else strain.pitch_deg
    walk = p.joined(person.kit, person.name, np.ceil(longest * 1.1) / 60.0, pitch, None, seed)
    values = walk.data
    if strain.rate != 1.0:
        at = np.arange(int(len(values) * strain.rate)) / strain.rate
        values = np.stack([np.interp(at, np.arange(len(values)), values[:, k]) for k in range(6)], axis=1)
    frame = p.frame_of(person.kit, values)
    chosen = p.mounting_of(person.kit)
    shared = scene(values, frame, chosen, strain, seed=seed)
    chain = play.new_chain(shared.chosen, shared.upright)
    # A whole number of ticks, so that closed loops cut rows where ticks end.
    split = int(_SHARED_S * p.HZ * min(strain.rate, 1.0) * (1.0 - strain.lost_share)) // 13 * 13
    early = play.feed(chain, shared.source, 0, split)
    own = _own_pitch(values, chosen, shared.upright) if strain.name == "none" else np.zeros((1, 2))
    out = []
    for plan in wanted:
        turn = Turn(plan.deg, plan.start_s, plan.hold_s, plan.ramp_s)
        here = scene(values, frame, chosen, strain, [turn], answer_s, seed)
        end_s = plan.start_s + plan.ramp_s + plan.hold_s + turn.out_s + _TAIL_S
        end = int(end_s * p.HZ * strain.rate * (1.0 - strain.lost_share * strain.unseen))
        mine = play.snapshot(chain)
        # The motor's own shaking has to be seen before the next rows are made, as an answer has.
        lump = 13 if answer_s is not None or strain.shake else 832
        told = play.feed(mine, here.source, split, end, lump=lump)
        until = (turn.passes_s(LIMIT_DEG) or plan.start_s + plan.ramp_s) + HOLD_S + 3.0
        near = own[(own[:, 0] >= plan.start_s - 1.0) & (own[:, 0] <= until), 1]
        swing = float(np.abs(near).max()) if len(near) else math.nan
        out.append(_judge(person, strain, plan, turn, here.true_s, early, told, mine, swing))
    return out


def _own_pitch(values: p.Floats, chosen: mounting.Mounting, upright: mounting.Upright) -> p.Floats:
    """Time and 1 s pitch in degrees, walking offset taken off, at each tick of the walk without a turn (n, 2)."""
    chain = play.new_chain(chosen, upright)
    trace = play.Trace()
    play.feed(chain, play.Plain(values), 0, len(values), trace)
    return np.stack([trace["sample"] / p.HZ, trace["pitch_cdeg"] / 100.0], axis=1)


def _judge(
    person: p.Person,
    strain: Strain,
    plan: Plan,
    turn: Turn,
    true_s: Callable[[float], float],
    early: list[play.Event],
    told: list[play.Event],
    chain: Any,
    own_deg: float,
) -> Outcome:
    buzzes = [e for e in told if e.name == "buzz" and e.fault != "side" and e.value == 1]
    first, last = plan.start_s - _BEFORE_S, turn.end_s + _AFTER_S
    matching = [e for e in buzzes if e.fault == "forward" and first <= true_s(e.at_s) <= last]
    returns = turn.returns_s(OFF_DEG)
    recovered = [true_s(e.at_s) for e in told if e.name == "recovered" and e.fault == "forward"]
    buzz_s = true_s(matching[0].at_s) if matching else None
    passes = turn.passes_s(LIMIT_DEG)
    begins = [true_s(e.at_s) for e in told if e.name == "fault_begin" and e.fault == "forward"]
    ends = [true_s(e.at_s) for e in told if e.name == "fault_end" and e.fault == "forward"]
    fault_s = sum(b - a for a, b in _spans(begins, ends, last) if b >= first and a <= last)
    return Outcome(
        person.kit,
        person.name,
        person.tuned,
        strain.name,
        plan,
        buzz_s,
        matching[0].label if matching else "",
        len(buzzes) - len(matching) + sum(e.name == "buzz" and e.fault != "side" for e in early),
        passes,
        returns,
        next((t for t in recovered if buzz_s is not None and t > buzz_s), None),
        fault_s,
        returns - passes if returns is not None and passes is not None else 0.0,
        chain.detector.walk_offset_cdeg / 100.0,
        sum(e.name == "slip" for e in told),
        turn.cut_s is not None,
        own_deg,
    )


def _spans(begins: list[float], ends: list[float], last: float) -> Iterator[tuple[float, float]]:
    """Pairs of begin and end; one that never ended ends with the turn's time."""
    ends = list(ends)
    for a in begins:
        later = [t for t in ends if t > a]
        yield a, later[0] if later else last


@dataclass(frozen=True, slots=True)
class Slip:
    """A clip that slipped by 10 degrees within 0.2 s on somebody who walks on upright."""

    kit: str
    name: str
    tuned: bool
    way: str
    found_s: float | None  # seconds until the slip was told
    buzzes: int  # in the two minutes after it


def slip_person(person: p.Person) -> list[Slip]:
    """Slips forward, back and to the side on one person's joined walk."""
    at_s = 90.0
    walk = p.joined(person.kit, person.name, (at_s + 122.0) / 60.0)
    frame = p.frame_of(person.kit, walk.data)
    chosen = p.mounting_of(person.kit)
    # A turn is about the frame's side axis: for a slip to the side that is the axis that points forward.
    sideways = mounting.Frame(frame.up, frame.forward, frame.forward)
    out = []
    for way, axes, deg in (("forward", frame, 10.0), ("back", frame, -10.0), ("side", sideways, 10.0)):
        here = scene(walk.data, axes, chosen, Strain(), [Turn(deg, at_s, 1e6, 0.2)])
        chain = play.new_chain(here.chosen, here.upright)
        told = play.feed(chain, here.source, 0, len(walk.data))
        slips = [e.at_s for e in told if e.name == "slip" and e.at_s > at_s]
        buzzes = sum(e.name == "buzz" and e.at_s > at_s for e in told)
        out.append(Slip(person.kit, person.name, person.tuned, way, slips[0] - at_s if slips else None, buzzes))
    return out
