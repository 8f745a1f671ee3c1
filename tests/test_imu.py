"""hw.imu on the virtual chips: what comes out of the FIFO is what went in, whatever goes wrong in between."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import adafruit_lsm6ds
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from walktall.hw.imu import MAX_SAMPLES, Imu
from walktall_sim.bus import TIMEOUT_US, VirtualI2C
from walktall_sim.chips import CHIPS, ArraySource, Lsm6ds, quantise
from walktall_sim.clock import VirtualClock
from walktall_sim.motor import DigitalOut

from tests.vm.machine import Machine

BOTH = pytest.mark.parametrize("name", sorted(CHIPS))
PERIOD_US = 1_000_000 / 52


@contextmanager
def driver_sleeps_on(clock: VirtualClock) -> Any:
    before = adafruit_lsm6ds.sleep
    adafruit_lsm6ds.sleep = clock.sleep
    yield
    adafruit_lsm6ds.sleep = before


class Rig:
    """A chip, its supply pin, and an Imu on them, not yet started."""

    def __init__(self, name: str, rows: np.ndarray | None = None, **options: Any) -> None:
        self.clock = VirtualClock()
        self.bus = VirtualI2C(self.clock)
        self.rows = np.random.default_rng(7).normal(0, 5, (3000, 6)) if rows is None else rows
        self.chip: Lsm6ds = CHIPS[name](ArraySource(self.rows), self.clock, **options)
        self.bus.attach(0x6A, self.chip)
        self.pin = DigitalOut(True, self.chip.set_power)
        self.clock.sleep(0.1)
        self.imu = Imu(self.bus.reopen, power=self.pin, sleep=self.clock.sleep)
        self.out: list[list[int]] = []

    def start(self) -> None:
        with driver_sleeps_on(self.clock):
            self.imu.start()

    def power_cycle(self) -> None:
        with driver_sleeps_on(self.clock):
            self.imu.power_cycle()

    def drain(self) -> int:
        """All there is; also kept in ``out``."""
        total = 0
        while n := self.imu.drain():
            assert n <= MAX_SAMPLES
            # The FIFO has the rates first.
            self.out += np.roll(np.array(self.imu.counts[: 6 * n]).reshape(-1, 6), 3, axis=1).tolist()
            total += n
        return total

    def samples(self, n: float) -> None:
        self.clock.advance_us(round(n * PERIOD_US))

    @property
    def expected(self) -> list[list[int]]:
        return quantise(self.rows, 4, 500).tolist()


@BOTH
def test_start_configures_52_hz_4_g_500_dps_with_bdu(name: str) -> None:
    rig = Rig(name)
    rig.start()
    assert rig.chip.accel_odr_mhz == rig.chip.gyro_odr_mhz == 52_000
    assert (rig.chip.accel_fs_g, rig.chip.gyro_fs_dps) == (4, 500)
    assert rig.chip.register(0x12) == 0x44
    assert rig.imu.check()


@BOTH
def test_every_sample_comes_out_once_in_order_and_exact(name: str) -> None:
    rig = Rig(name)
    rig.start()
    while not rig.chip.exhausted:
        rig.samples(13)
        rig.drain()
    assert rig.out == rig.expected
    assert not rig.imu.overrun


@BOTH
@settings(max_examples=25)
@given(waits=st.lists(st.floats(0, 60), min_size=1, max_size=30))
def test_however_unevenly_it_is_drained_nothing_is_lost_before_the_fifo_is_full(name: str, waits: list[float]) -> None:
    rig = Rig(name)
    rig.start()
    for wait in waits:
        rig.samples(wait)
        rig.drain()
    rig.drain()
    assert rig.out == rig.expected[: len(rig.out)]
    assert 0 <= rig.chip.n_due - len(rig.out) <= 1, "one may fall due while the last burst is under way"
    assert not rig.imu.overrun


def test_the_ox_may_put_either_word_of_a_sample_first() -> None:
    rig = Rig("lsm6dsox", accel_first=True)
    rig.start()
    for _ in range(20):
        rig.samples(11.7)
        rig.drain()
    assert rig.out == rig.expected[: len(rig.out)]
    assert len(rig.out) > 230


@BOTH
def test_full_scale_counts_keep_their_sign(name: str) -> None:
    rows = np.array([[1e3, -1e3, 0, 1e3, -1e3, 0], [-1e-9, 1e-3, -1e-2, 0, 0, 0]] * 20)
    rig = Rig(name, rows)
    rig.start()
    rig.samples(30)
    rig.drain()
    assert rig.out[0] == [32767, -32768, 0, 32767, -32768, 0]
    assert rig.out[:30] == rig.expected[:30]


@BOTH
def test_an_overrun_is_told_and_the_newest_samples_are_kept(name: str) -> None:
    rig = Rig(name)
    rig.start()
    rig.samples(600.5)
    rig.drain()
    assert rig.imu.overrun
    first = 600 - (341 if name == "lsm6ds3trc" else 256)
    rig.imu.overrun = False
    rig.samples(13)
    rig.drain()
    assert rig.out == rig.expected[first : first + len(rig.out)]
    assert first + len(rig.out) > 613
    assert not rig.imu.overrun


def test_words_lost_from_the_ox_cost_their_sample_alone() -> None:
    for lost in range(1, 8):
        rig = Rig("lsm6dsox")
        rig.start()
        rig.samples(13.5)
        rig.chip.drop_fifo_words(lost)
        rig.samples(13)
        rig.drain()
        assert rig.out == rig.expected[-(-lost // 2) : 26]
        assert rig.imu.overrun == (lost % 2 == 1)


def test_a_pattern_that_slips_by_itself_on_the_trc_is_not_believed() -> None:
    """Shifted words would be posture out of nothing: the FIFO starts anew and what was in it is lost."""
    for lost in range(1, 8):
        rig = Rig("lsm6ds3trc")
        rig.start()
        rig.samples(13.5)
        rig.chip.drop_fifo_words(lost)
        rig.samples(13)
        rig.drain()
        if lost == 6:
            assert rig.out == rig.expected[1:26]
            continue
        assert rig.out == []
        assert rig.imu.overrun
        rig.samples(13.5)
        rig.drain()
        assert len(rig.out) >= 13
        assert rig.out == rig.expected[26 : 26 + len(rig.out)]


@BOTH
def test_a_burst_broken_off_anywhere_never_mixes_up_words(name: str) -> None:
    """However many bytes had left the chip: what comes next is whole samples in their order, and the loss is told."""
    for after in range(13 * 12):
        rig = Rig(name)
        rig.start()
        rig.samples(13.5)
        rig.bus.break_next_burst(after)
        with pytest.raises(OSError):
            rig.imu.drain()
        rig.samples(13)
        rig.drain()
        n = len(rig.out)
        assert n >= 13
        assert rig.out == rig.expected[26 - n : 26], after
        assert rig.imu.overrun or n + after // (12 if name == "lsm6ds3trc" else 14) == 26


@BOTH
def test_a_gap_in_the_source_is_silence_and_not_zeros(name: str) -> None:
    rows = np.random.default_rng(2).normal(0, 5, (200, 6))
    rows[50:90] = np.nan
    rig = Rig(name, rows)
    rig.start()
    while not rig.chip.exhausted:
        rig.samples(13)
        rig.drain()
    present = ~np.isnan(rows).any(axis=1)
    assert rig.out == quantise(rows[present], 4, 500).tolist()


# Faults.


@BOTH
def test_check_sees_a_silent_reset_and_a_changed_register(name: str) -> None:
    rig = Rig(name)
    rig.start()
    for register in (0x10, 0x11, 0x12, 0x0A, 0x08 if name == "lsm6ds3trc" else 0x09):
        good = rig.chip.register(register)
        rig.chip.flip_register(register, good ^ 0x10)
        assert not rig.imu.check(), hex(register)
        rig.chip.flip_register(register, good)
        assert rig.imu.check()
    rig.chip.silent_reset()
    assert not rig.imu.check()
    rig.samples(50)
    assert rig.drain() == 0, "no zeros out of a chip that has reset itself"
    rig.start()
    assert rig.imu.check()
    rig.samples(13)
    assert rig.drain() > 0


@BOTH
def test_a_chip_without_power_is_an_error_within_a_second_and_comes_back(name: str) -> None:
    rig = Rig(name)
    rig.start()
    rig.samples(13)
    rig.drain()
    rig.chip.set_power(False)
    for act in (rig.imu.drain, rig.imu.check):
        before = rig.clock.now_us
        with pytest.raises(OSError):
            act()
        assert rig.clock.now_us - before <= TIMEOUT_US
    rig.chip.set_power(True)
    rig.power_cycle()
    n_missed = rig.chip.n_due
    rig.out.clear()
    rig.samples(13.5)
    rig.drain()
    assert rig.out == rig.expected[n_missed : n_missed + len(rig.out)]
    assert len(rig.out) >= 13


@BOTH
def test_a_stuck_bus_is_freed_by_a_power_cycle(name: str) -> None:
    rig = Rig(name)
    rig.start()
    rig.chip.stick_bus()
    with pytest.raises(OSError):
        rig.imu.drain()
    with pytest.raises(RuntimeError):
        rig.start()
    rig.power_cycle()
    assert rig.imu.check()


@BOTH
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda chip: chip.wrong_id(0x69), RuntimeError),
        (lambda chip: chip.stick_reset(), RuntimeError),
        (lambda chip: chip.nack_next(1000), OSError),
        (lambda chip: chip.set_power(False), (OSError, RuntimeError)),
    ],
)
def test_start_ends_in_bounded_time_whatever_is_wrong(name: str, fault: Callable[[Any], None], error: Any) -> None:
    rig = Rig(name)
    fault(rig.chip)
    before = rig.clock.now_us
    with pytest.raises(error):
        rig.start()
    assert rig.clock.now_us - before < 2 * TIMEOUT_US
    with pytest.raises(OSError):
        rig.imu.drain()


@BOTH
def test_every_failing_transfer_of_a_start_is_an_error_and_the_next_start_works(name: str) -> None:
    rig = Rig(name)
    rig.start()
    n_transfers = rig.bus.n_transfers
    for k in range(n_transfers):
        rig = Rig(name)
        countdown = k

        class Flaky(VirtualI2C):
            def _select(self, address: int) -> Any:
                nonlocal countdown
                countdown -= 1
                if countdown == -1:
                    raise OSError(19, "flaky")
                return super()._select(address)

        bus = Flaky(rig.clock)
        bus.attach(0x6A, rig.chip)
        rig.imu = Imu(bus.reopen, power=rig.pin, sleep=rig.clock.sleep)
        try:
            rig.start()
        except (OSError, ValueError):
            pass
        rig.start()
        assert rig.imu.check(), k
        rig.samples(13)
        assert rig.drain() >= 12, k


def test_a_drain_before_start_is_an_error_and_not_a_crash() -> None:
    rig = Rig("lsm6dsox")
    with pytest.raises(OSError):
        rig.imu.drain()
    rig.imu.stop()


@BOTH
def test_the_driver_never_needs_circuitpythons_board_module(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "board", raising=False)  # a stub's, of a test before
    rig = Rig(name)
    rig.start()
    assert "board" not in sys.modules


# On the device's machine.


@BOTH
@pytest.mark.parametrize("call", ["drains", "adafruit"])
def test_draining_and_checking_allocate_nothing_on_the_device(machine: Machine, name: str, call: str) -> None:
    """With a stand-in for the driver, and with Adafruit's own unmodified beneath."""
    identity = CHIPS[name].WHO_AM_I
    lines = machine.micropython("exercise_imu", driver=True, call=f"{call}({identity})", times=2).split("\n")
    assert [line for line in lines if line.startswith("heap")] == ["heap 0"] * 2
