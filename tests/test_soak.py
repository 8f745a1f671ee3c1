"""Days of wear: twelve hours worn, a walk, twelve hours on the charger, which is full before the night is over.

A day of it is part of ``make test``; ``make soak`` (``WALKTALL_SOAK=1``, marker ``soak``) plays a week on each virtual
board, and the whole of 24 hours on the board's own virtual machine. ``WALKTALL_SOAK_DAYS`` sets how many days.
"""

from __future__ import annotations

import gc
import os
import random
from array import array
from typing import Any

import numpy as np
import pytest
from walktall import boards, journal
from walktall import records as r
from walktall_sim.board import VirtualBoard

from tests.soaking import Tally, Tell, silence
from tests.vm import machine as machine_module
from tests.vm.machine import Machine

HZ = 52
HOUR = 3600
DAY = 24 * HOUR
WORN_S = 12 * HOUR
WALK_AT_S = 3 * HOUR
FULL_AFTER_S = 3 * HOUR  # of charging
G = 9.80665


class Life:
    """What a collar feels over days, out of a minute of each kind, so that a day costs seconds.

    ``+y`` is up and ``+z`` forward. Worn and not walking, the trunk sways by half a degree and moves now and then; at
    night the clip lies on a table.

    :param walk_s: how long the day's walk lasts
    """

    def __init__(self, walk_s: int, seed: int) -> None:
        self.walk_s = walk_s
        rng = np.random.default_rng(seed)
        noise = rng.normal(0.0, 1.0, (60 * HZ, 6)) * np.array([0.02] * 3 + [0.002] * 3)
        t = np.arange(60 * HZ) / HZ
        # A whole number of breaths and strides in a minute, so that the minutes join without a jump.
        sway = np.radians(0.5) * np.sin(2 * np.pi * 0.25 * t)
        rate = np.radians(0.5) * 2 * np.pi * 0.25 * np.cos(2 * np.pi * 0.25 * t)
        self.table = noise + np.array([0.0, G, 0.0, 0.0, 0.0, 0.0])
        self.sitting = noise + np.stack((0 * t, G * np.cos(sway), -G * np.sin(sway), rate, 0 * t, 0 * t), axis=1)
        step = 2 * np.pi * 1.9 * t
        self.walking = self.sitting + np.stack(
            (
                0.8 * np.sin(step / 2),
                2.6 * np.sin(step),
                1.1 * np.cos(step),
                0.3 * np.cos(step),
                0.4 * np.sin(step / 2),
                0.2 * np.cos(step / 2),
            ),
            axis=1,
        )
        # A turn in the chair every few minutes.
        chance = random.Random(seed)
        self.moves = sorted(chance.uniform(0, WORN_S) for _ in range(150))

    def block(self, i0: int, n: int) -> Any:
        """Rows ``i0 .. i0+n-1``; a block never lies in two kinds of time for more than its own length."""
        at_s = (i0 / HZ) % DAY
        if at_s >= WORN_S:
            kind = self.table
        elif WALK_AT_S <= at_s < WALK_AT_S + self.walk_s:
            kind = self.walking
        else:
            kind = self.sitting
        begin = i0 % len(kind)
        rows = kind[begin : begin + n] if begin + n <= len(kind) else kind.take(range(begin, begin + n), 0, mode="wrap")
        if kind is self.sitting:
            k = int(np.searchsorted(self.moves, at_s))
            if k < len(self.moves) and self.moves[k] < at_s + n / HZ:
                rows = rows.copy()
                rows[:, 0] += 1.5 * np.sin(np.linspace(0, 6.28, len(rows)))
        return rows


def weight(thing: Any, seen: set[int]) -> int:
    """Entries and bytes in all that hangs on an object of the firmware: what would grow if something were kept."""
    if isinstance(thing, (int, float, type(None))):
        return 1  # each place counts: whether CPython has one object for two equal numbers is its own affair
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, (bytes, bytearray, array, str)):
        return len(thing)
    if isinstance(thing, dict):
        return len(thing) + sum(weight(value, seen) for value in thing.values())
    if isinstance(thing, (list, tuple, set)):
        return len(thing) + sum(weight(value, seen) for value in thing)
    if type(thing).__module__.startswith("walktall.") and hasattr(thing, "__dict__"):
        return weight(vars(thing), seen)
    return 1


def live(days: int, walk_s: int, seed: int, profile: str = boards.REFERENCE, tally: Tell = silence) -> None:
    """Wear a clip for some days, and hold each day's books to what was done."""
    board = VirtualBoard(Life(walk_s, seed), profile=profile, button=False, seed=seed)
    device = board.device
    device.chain.set_upright(0, 8197, 0, 0, 0, 0, 90)
    sizes = []
    for day in range(days):
        begin_s = day * DAY
        board.run_until(begin_s + WALK_AT_S - 60)
        assert device._dozing, "an hour of sitting"
        board.run_until(begin_s + WORN_S)
        assert not device.session.open
        assert device.journal.count == day + 1, "one walk, one record"
        board.supply.charging = True
        board.run_until(begin_s + WORN_S + FULL_AFTER_S)
        board.supply.charging = False  # full; the cable stays, and no computer is there
        board.run_until(begin_s + DAY)
        assert device.journal.count == day + 1, "phantom minutes in the night"
        assert not device.session.open
        gc.collect()
        sizes.append(weight(device, set()))
        fields = device.session.fields
        print(
            f"day {day}: walked {fields[r.S_WALKING_S]} s of {walk_s}, wear {fields[r.S_WEAR_S]} s,"
            f" {fields[r.S_STEPS]} steps, commits {device.journal.head[journal.J_COMMITS]}, size {sizes[-1]}"
        )
        assert walk_s - 8 <= fields[r.S_WALKING_S] <= walk_s + 2
        assert walk_s - 8 <= fields[r.S_WEAR_S] - fields[r.S_STILL_S] <= walk_s + 10
        assert fields[r.S_GAP_S] == 0
        assert abs(fields[r.S_STEPS] - 1.9 * walk_s) <= 0.02 * 1.9 * walk_s + 15
        assert r.session_fault(fields) == ""
        tally(day + 1, days, "days")
    assert device.errors == 0, device.last_error
    assert device.journal.head[journal.J_COMMITS] <= 8 * days
    assert len(set(sizes)) == 1, sizes


def test_a_day_leaves_one_record_of_one_walk_and_nothing_in_memory(seed: int) -> None:
    live(1, 15 * 60, seed)


@pytest.mark.soak
@pytest.mark.parametrize("profile", boards.names())
def test_a_week_leaves_seven_records_of_seven_walks_and_nothing_in_memory(
    profile: str, seed: int, tally: Tally
) -> None:
    live(int(os.environ.get("WALKTALL_SOAK_DAYS", "7")), HOUR, seed, profile, tally)


def flat_over(minutes: int, machine: Machine, tally: Tell = silence) -> None:
    """Heap in use after collecting, on the board's own virtual machine, every ten simulated minutes."""
    told = machine.micropython("heap_day", driver=True, heap_bytes=1024 * 1024, call="step()", times=minutes)
    rows = [[int(word) for word in line.split()] for line in told.splitlines()]
    assert [row[0] for row in rows] == list(range(10, minutes + 1, 10))
    used = [row[1] for row in rows]
    print(f"{used[0]} bytes after ten minutes, {min(used)} to {max(used)} in all")
    # Sessions come and go; what is in use at its most does not grow.
    half = len(used) // 2
    assert max(used[half:]) <= max(used[:half])
    _, _, dozed_s, _, errors, count = rows[-1]
    assert dozed_s >= 0.7 * 60 * minutes
    assert errors == 0
    assert count >= 1
    tally(minutes, minutes, "minutes on the VM")


def test_the_heap_is_flat_over_three_hours_on_the_boards_machine(machine: Machine) -> None:
    """A part of the day, for the time that it takes; `make soak` runs all of it."""
    flat_over(180, machine)


@pytest.mark.soak
def test_the_heap_is_flat_over_a_day_on_the_boards_machine(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    monkeypatch.setattr(machine_module, "TIMEOUT_S", 1800)
    flat_over(1440, machine, tally)
