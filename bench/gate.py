"""Is somebody walking, how fast, how many steps: the gate against labels, steps and cadence against hand counts.

Each recording is played whole, from its own first 2 s as upright. A tick (250 ms) counts as its label says; left out
are the first 4 s after a walk begins (or data begin, or begin again after 2 s of nothing) and 2 s on both sides of a
change of label.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from walktall_sim import chips, mounting

from bench import people as p
from bench import play
from bench.people import HZ, Floats, Names
from bench.play import Source
from bench.strain import Strain, scene

_AFTER_START = 4 * HZ
_AROUND = 2 * HZ
_WINDOW = 2 * HZ
STILL_LABELS = ("stand", "sit", "sit_talk")


@dataclass(frozen=True, slots=True)
class Ticks:
    """Of one person and one kind of label: ticks, in how many the gate was open, and the plain energy gate."""

    kit: str
    name: str
    tuned: bool
    strain: str
    kind: str
    ticks: int
    open: int
    energy_open: int
    moving: int  # ticks in which the trunk moves at all
    open_moving: int


@dataclass(frozen=True, slots=True)
class Steps:
    """Of one trial: steps counted, and by hand; median cadence while walking, and the truth's (steps a minute)."""

    kit: str
    name: str
    tuned: bool
    strain: str
    trial: str
    counted: int
    wanted: int | None
    cadence_spm: float
    wanted_spm: float


def energy_open(values: Floats) -> NDArray[np.bool_]:
    """A plain energy gate: SD of |a| above 0.3 m/s² and SD of the angular rate above 8 deg/s over the last 2 s."""
    a = p.spread(np.linalg.norm(values[:, :3], axis=1), _WINDOW)
    rate = np.sqrt(sum(p.spread(values[:, k], _WINDOW) ** 2 for k in (3, 4, 5)))
    gate = (a > 0.3) & (np.degrees(rate) > 8.0)
    # `spread` looks to both sides; a device only looks back.
    return np.concatenate([np.zeros(_WINDOW // 2, dtype=np.bool_), gate])[: len(gate)]


def ages(label: Names, there: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Of each sample: samples since its label began, until it ends, and since data began (or began again after 2 s)."""
    n = len(label)
    at = np.arange(n)
    begins = np.concatenate([[True], label[1:] != label[:-1]])
    since = at - np.maximum.accumulate(np.where(begins, at, 0))
    ends = np.concatenate([label[1:] != label[:-1], [True]])
    left = np.minimum.accumulate(np.where(ends, at, n)[::-1])[::-1] - at
    # The end of a recording is no change of label.
    last = int(np.flatnonzero(begins)[-1])
    left = np.where(at >= last, n, left)
    fresh = np.zeros(n, dtype=np.bool_)
    fresh[0] = True
    for a, b in p.runs(~there):
        if b - a >= 2 * HZ and b < n:
            fresh[b] = True
    data = at - np.maximum.accumulate(np.where(fresh, at, 0))
    return since.astype(np.float64), left.astype(np.float64), data.astype(np.float64)


def _kinds(person: p.Person, one: p.Rows, there: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Which samples count for which kind."""
    since, left, data = ages(one.label, there)
    began = since == np.arange(len(since))  # a label that was there from the first sample on
    clear = ((since > _AROUND) | began) & (left > _AROUND)
    out = {}
    settled = (np.minimum(since, data) > _AFTER_START) & clear
    out[f"walking, {person.kit}"] = np.isin(one.label, p.WALKING[person.kit]) & settled
    quiet = clear & (data > 2 * HZ)
    standing = np.isin(one.label, STILL_LABELS) & quiet
    if standing.any():
        out[f"standing and sitting, {person.kit}"] = standing
        if person.kit == "ipol_l5":
            last = [b for _, b in p.runs(one.label == "stand")][-1:]
            keep = np.ones(len(standing), dtype=np.bool_)
            if last and last[0] == len(standing):
                keep[[a for a, _ in p.runs(one.label == "stand")][-1] :] = False
            out["standing, ipol_l5, without each trial's last piece"] = standing & keep
    for kind, label in (
        ("bends, umafall_chest", "bend"),
        ("sitting down and getting up, umafall_chest", "sit_and_get_up_chair"),
        ("freezing, stanford_fog", "freeze"),
        ("stairs", "stairs"),
        ("jogging", "jog"),
    ):
        mask = np.char.startswith(one.label, label) if label == "stairs" else one.label == label
        if (mask & quiet).any():
            out[kind] = mask & quiet
    return out


def try_person(person: p.Person, strain: Strain) -> tuple[list[Ticks], list[Steps]]:
    """All trials of a person under one strain: the gate by kind, and steps where they were counted."""
    sums: dict[str, list[int]] = {}
    steps: list[Steps] = []
    truth_steps = _hand_counted() if person.kit == "ipol_l5" else {}
    truth_hz = _laboratory() if person.kit == "grouvel_sternum" else {}
    for one in p.trials(person.kit, person.name, strain.rate):
        there = chips.present(one.values)
        if person.kit == "umafall_chest" and one.label[0].startswith(("fall", "lie", "hop")):
            continue
        trace = _play(person, one, strain)
        index = np.clip(trace["sample"] - 1, 0, len(one.label) - 1)
        walking = trace["walking"].astype(np.bool_)
        whole = np.nan_to_num(one.values)
        energy = energy_open(whole)[index]
        moves = p.moving(whole)[index]
        for kind, mask in _kinds(person, one, there).items():
            m = mask[index]
            row = sums.setdefault(kind, [0] * 5)
            parts = (m, m & walking, m & energy, m & moves, m & moves & walking)
            for k, part in enumerate(parts):
                row[k] += int(part.sum())
        cadence = trace["cadence_spm"][(trace["walking"] > 0) & (trace["cadence_spm"] > 0)]
        counted = int(trace["steps"][-1])
        spm = float(np.median(cadence)) if len(cadence) else float("nan")
        if one.trial in truth_steps:
            wanted, walk_s = truth_steps[one.trial]
            steps.append(
                Steps(
                    person.kit, person.name, person.tuned, strain.name, one.trial, counted, wanted, spm * strain.rate,
                    60.0 * wanted / walk_s,
                )
            )  # fmt: skip
        elif one.trial in truth_hz and "Running" not in one.trial and len(cadence):
            steps.append(
                Steps(
                    person.kit, person.name, person.tuned, strain.name, one.trial, counted, None, spm * strain.rate,
                    60.0 * truth_hz[one.trial],
                )
            )  # fmt: skip
    ticks = [
        Ticks(person.kit, person.name, person.tuned, strain.name, kind, *row) for kind, row in sums.items() if row[0]
    ]
    return ticks, steps


def _play(person: p.Person, one: p.Rows, strain: Strain) -> play.Trace:
    head = one.values[: 10 * HZ]
    chosen = p.mounting_of(person.kit)
    source: Source = play.Plain(one.values)
    upright = play.upright_of(source)
    # The gate does not ask which way is forward; some trials begin in a bend, where the set's own axis points down.
    if not 0.75 < np.linalg.norm(upright.force) / mounting.G < 1.25:  # and some with rows of nothing
        force = mounting.axis_vector(chosen.up) * mounting.G
        upright = mounting.Upright(force, np.zeros(3), False, 2 * HZ)
    across = mounting.Mounting(chosen.up, 2 * int(np.argmin(np.abs(upright.force))), "given")
    if strain.name != "none":
        # Where a trial begins in the middle of a bend there is no frame, and nothing to be turned about.
        frame = p.frame_of(person.kit, head)
        walk = scene(one.values, frame, chosen, strain, seed=1)
        source, across, upright = walk.source, walk.chosen, walk.upright
    chain = play.new_chain(across, upright)
    trace = play.Trace()
    play.feed(chain, source, 0, len(one.values), trace)
    return trace


def _hand_counted() -> dict[str, tuple[int, float]]:
    table = json.loads((p.path_of("ipol_l5", "x").parent / "steps.json").read_text(encoding="utf-8"))
    return {trial: (int(row["n_steps"]), float(row["walk_s"])) for trial, row in table.items()}


def _laboratory() -> dict[str, float]:
    with (p.path_of("grouvel_sternum", "x").parent / "trials.csv").open(encoding="utf-8") as table:
        return {row["trial"]: float(row["step_hz"]) for row in csv.DictReader(table) if row["step_hz"]}
