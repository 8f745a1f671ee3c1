"""Samples that are missing by the clock, and samples that are stale."""

import itertools
import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st
from walktall.supply import JUMP_MS, STALE_SAMPLES, Supply
from walktall.ticks import PERIOD, ticks_add

START = PERIOD - 3000  # the clock wraps three seconds into each case


class Chip:
    """A FIFO that is filled ``rate_hz`` times a second, but not within the holes, (from, to) in seconds."""

    def __init__(
        self, rate_hz: float = 52.0, holes: tuple[tuple[float, float], ...] = (), begin_s: float = 0.011
    ) -> None:
        self.step_s = 1 / rate_hz
        self.next_s = begin_s
        self.holes = holes
        self.lost = 0

    def drain(self, now_s: float) -> int:
        n = 0
        while self.next_s <= now_s:
            if any(a <= self.next_s < b for a, b in self.holes):
                self.lost += 1
            else:
                n += 1
            self.next_s += self.step_s
        return n


class Run:
    """A device that drains whenever ``Supply`` says that the tick is complete."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.supply = Supply()
        self.now_ms = 0
        self.told: list[tuple[str, int]] = []
        self.n = 0
        self.wakes = 0
        self.supply.begin(START)

    def drain(self) -> None:
        self.wakes += 1
        self.supply.elapse(ticks_add(START, self.now_ms))
        n = self.chip.drain(self.now_ms / 1000)
        first = self.supply.gap_first
        missing = self.supply.receive(n, False)
        for what, amount in (("gap", missing), ("samples", n)) if first else (("samples", n), ("gap", missing)):
            if amount:
                if self.told and self.told[-1][0] == what:
                    amount += self.told.pop()[1]
                self.told.append((what, amount))
        self.n += n + missing

    def until(self, seconds: float, *, stall: random.Random | None = None) -> "Run":
        while self.now_ms < seconds * 1000:
            self.drain()
            wait = self.supply.wait_ms(13 - self.n % 13, ticks_add(START, self.now_ms))
            assert wait > 0
            if stall is not None and stall.random() < 0.1:
                wait = stall.randint(1, 1500)  # a motor pattern, or somebody at the link
            self.now_ms += wait
        return self

    @property
    def gaps(self) -> int:
        return sum(amount for what, amount in self.told if what == "gap")


@pytest.mark.parametrize("rate", [46.8, 49.4, 51.2, 51.9, 52.0, 52.1, 53.0, 54.6, 57.2])
def test_a_rate_that_is_off_is_never_told_as_a_gap(rate: float) -> None:
    assert Run(Chip(rate)).until(120).gaps == 0


@pytest.mark.parametrize("rate", [48.9, 49.4, 51.2, 51.9, 52.0, 52.1, 53.0, 54.6, 55.1])
def test_nor_is_it_when_the_loop_is_held_up_now_and_then(rate: float, seed: int) -> None:
    assert Run(Chip(rate)).until(300, stall=random.Random(seed)).gaps == 0


def test_at_the_nominal_rate_the_loop_wakes_four_times_a_second() -> None:
    run = Run(Chip()).until(60)
    assert run.wakes <= 4 * 60 + 5


@pytest.mark.parametrize("rate", [49.4, 51.85, 54.6])
def test_a_rate_that_is_off_is_followed_so_that_the_loop_wakes_no_more_often(rate: float) -> None:
    run = Run(Chip(rate)).until(40)
    before = run.wakes
    run.until(100)
    assert run.wakes - before <= 60 * 4 * rate / 52 * 1.2


@given(st.integers(5, 500), st.integers(0, 51), st.integers(1, 19))
def test_a_hole_is_told_to_the_sample(length: int, offset: int, begin_ms: int) -> None:
    begin_s = begin_ms / 1000 + 0.0003
    edge = begin_s + (520 + offset) / 52 - 0.5 / 52
    chip = Chip(holes=((edge, edge + length / 52),), begin_s=begin_s)
    run = Run(chip).until(edge + length / 52 + 5)
    assert chip.lost == length
    assert run.gaps == length
    assert [what for what, _ in run.told].count("gap") == 1


@given(st.integers(30, 500), st.integers(0, 51))
def test_a_hole_longer_than_a_tick_lies_where_it_was(length: int, offset: int) -> None:
    edge = 0.011 + (520 + offset) / 52 - 0.5 / 52
    run = Run(Chip(holes=((edge, edge + length / 52),))).until(edge + length / 52 + 5)
    assert run.told[0] == ("samples", 520 + offset)
    assert run.told[1] == ("gap", length)
    assert run.told[2][0] == "samples"


def test_holes_shorter_than_four_samples_are_taken_for_the_rate() -> None:
    holes = tuple((5 + k, 5 + k + 0.05) for k in range(20))
    assert Run(Chip(holes=holes)).until(40).gaps == 0


@pytest.mark.parametrize("rate", [49.4, 54.6])
def test_a_hole_at_a_rate_that_is_off_is_told_within_a_tenth(rate: float) -> None:
    run = Run(Chip(rate, holes=((40.0, 50.0),))).until(60)
    assert abs(run.gaps - run.chip.lost) <= run.chip.lost // 10 + 4


def test_nothing_is_missing_before_the_first_sample() -> None:
    assert Run(Chip(begin_s=0.6)).until(10).gaps == 0


def test_a_sensor_that_never_came_is_missing_from_when_counting_began() -> None:
    supply = Supply()
    supply.begin_counting(START)
    missing = 0
    for k in range(1, 41):
        supply.elapse(ticks_add(START, 250 * k))
        missing += supply.receive(0, False)
    assert abs(missing - 520) <= 13


def test_a_jump_of_the_clock_is_no_gap_while_samples_come() -> None:
    run = Run(Chip()).until(10)
    for jump_ms in (JUMP_MS + 5000, 3600_000, -60_000):
        run.supply.elapse(ticks_add(START, run.now_ms + jump_ms))
        assert run.supply.receive(13, False) == 0
        assert run.supply.jumps
        run.supply.elapse(ticks_add(START, run.now_ms + jump_ms + 250))
        assert run.supply.receive(13, False) == 0
        run.now_ms += jump_ms


def test_after_an_overrun_a_long_time_is_believed() -> None:
    supply = Supply()
    supply.begin_counting(0)
    supply.elapse(60_000)
    assert abs(supply.receive(341, True) - (60 * 52 - 341)) <= 20


def test_a_very_long_time_stays_within_small_ints() -> None:
    supply = Supply()
    supply.begin_counting(0)
    supply.elapse((1 << 28) - 1)
    assert abs(supply.receive(0, True) - ((1 << 28) - 1) * 52 // 1000) < 52


def fresh(supply: Supply, ax: int, ay: int, az: int, wx: int, wy: int, wz: int) -> bool:
    """Whether one sample is believed."""
    return bool(supply.believe(array("h", (wx, wy, wz, ax, ay, az)), 0, 1))


def moving(supply: Supply, k: int) -> bool:
    return fresh(supply, 100 + k % 3, 8100, 30, 4, 5, 6)


def test_a_burst_is_believed_up_to_its_first_stale_sample(chance: random.Random) -> None:
    rows = [[chance.choice((5, 32767)) if k % 40 < 30 else 7 for _ in range(6)] for k in range(2000)]
    one_by_one, in_bursts = Supply(), Supply()
    want = [bool(one_by_one.believe(array("h", row), 0, 1)) for row in rows]
    assert 100 < sum(want) < 1900
    told: list[bool] = []
    while len(told) < len(rows):
        n = min(chance.randrange(1, 33), len(rows) - len(told))
        counts = array("h", itertools.chain.from_iterable(rows[len(told) : len(told) + n]))
        believed = in_bursts.believe(counts, 0, n)
        told += [True] * believed + [False] * (believed < n)
        assert in_bursts.stale == 0 or not told[-1]
    assert told == want


def test_thirteen_identical_samples_are_stale_until_they_move() -> None:
    supply = Supply()
    assert all(moving(supply, k) for k in range(50))
    told = [fresh(supply, 1, 8197, 3, 4, 5, 6) for _ in range(30)]
    assert told == [True] * (STALE_SAMPLES - 1) + [False] * (30 - STALE_SAMPLES + 1)
    assert supply.stale == 18
    assert fresh(supply, 1, 8197, 3, 4, 5, 7)
    assert supply.stale == 0


def test_zeros_after_a_reset_are_never_believed() -> None:
    supply = Supply()
    assert not fresh(supply, 0, 0, 0, 3, 2, 1)
    assert not fresh(supply, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("end", [32767, -32768])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_axis_stuck_at_its_end_is_stale_but_a_footfall_is_not(end: int, axis: int) -> None:
    supply = Supply()
    believed = []
    for k in range(STALE_SAMPLES + 5):
        accel = [100 + k, 8000 - k, 50]
        accel[axis] = end
        believed.append(fresh(supply, *accel, k, 2, 3))
    assert believed == [True] * (STALE_SAMPLES - 1) + [False] * 6
    for k in range(200):  # three samples at the end of every ten
        accel = [100 + k, 8000 - k, 50]
        if k % 10 > 6:
            accel[axis] = end
        assert fresh(supply, *accel, k, 2, 3)
