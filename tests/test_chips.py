"""The virtual sensors, register by register, and the unmodified Adafruit driver on them."""

from __future__ import annotations

import errno

import adafruit_lsm6ds
import numpy as np
import pytest
from adafruit_lsm6ds.lsm6ds3trc import LSM6DS3TRC
from adafruit_lsm6ds.lsm6dsox import LSM6DSOX
from hypothesis import given
from hypothesis import strategies as st
from walktall_sim.bus import TIMEOUT_US, VirtualI2C, transfer_us
from walktall_sim.chips import (
    ACCEL_MG_PER_COUNT,
    CHIPS,
    GYRO_MDPS_PER_COUNT,
    ArraySource,
    Lsm6ds,
    StillSource,
    present,
    quantise,
)
from walktall_sim.clock import TICKS_PERIOD, VirtualClock, WallClock

G = 9.80665
ADDRESS = 0x6A
DRIVERS = {"lsm6ds3trc": LSM6DS3TRC, "lsm6dsox": LSM6DSOX}
BOTH = pytest.mark.parametrize("name", sorted(CHIPS))


class Bench:
    """A chip on a bus, without a driver."""

    def __init__(self, name: str, rows: object = None, **options: object) -> None:
        self.clock = VirtualClock()
        self.bus = VirtualI2C(self.clock)
        source = None if rows is None else ArraySource(np.asarray(rows, dtype=float))
        self.chip: Lsm6ds = CHIPS[name](source, self.clock, **options)
        self.bus.attach(ADDRESS, self.chip)
        self.clock.sleep(0.1)
        assert self.bus.try_lock()

    def read(self, register: int, n: int = 1) -> bytes:
        data = bytearray(n)
        self.bus.writeto_then_readfrom(ADDRESS, bytes([register]), data)
        return bytes(data)

    def write(self, register: int, *values: int) -> None:
        self.bus.writeto(ADDRESS, bytes([register, *values]))

    def words(self, register: int, n: int) -> list[int]:
        return np.frombuffer(self.read(register, 2 * n), dtype="<i2").tolist()

    def start(self, name: str, mode: int = 6) -> None:
        """52 Hz, +-4 g, +-500 dps, both into the FIFO."""
        self.write(0x10, 0x38, 0x34, 0x44)
        if name == "lsm6ds3trc":
            self.write(0x08, 0x09)
            self.write(0x0A, 0x18 | mode)
        else:
            self.write(0x09, 0x33)
            self.write(0x0A, mode)

    def samples(self, n: float) -> None:
        """Let ``n`` sample periods pass."""
        self.clock.advance_us(round(n * 1_000_000 / 52))


def ramp(n: int) -> np.ndarray:
    """Rows whose counts at +-4 g, +-500 dps are (i, -i, 2i, 3i, -3i, 5i)."""
    i = np.arange(n, dtype=float)[:, None]
    accel = 0.122e-3 * G
    gyro = np.radians(17.5e-3)
    return i * np.array([accel, -accel, 2 * accel, 3 * gyro, -3 * gyro, 5 * gyro])


# Reset values and register access.


@pytest.mark.parametrize(("name", "identity"), [("lsm6ds3trc", 0x6A), ("lsm6dsox", 0x6C)])
def test_reset_values_are_those_of_the_datasheet(name: str, identity: int) -> None:
    bench = Bench(name)
    assert bench.read(0x0F)[0] == identity
    assert bench.read(0x10, 4) == b"\x00\x00\x04\x00"
    assert bench.read(0x18)[0] == 0xE0


@BOTH
def test_software_reset_clears_itself_and_everything_else(name: str) -> None:
    bench = Bench(name)
    bench.write(0x10, 0x48, 0x44)
    bench.write(0x12, 0x05)
    assert bench.chip.register(0x12) & 1, "the bit stands until the reset is done, 50 us later"
    bench.clock.advance_us(50)
    assert bench.read(0x10, 3) == b"\x00\x00\x04"


@BOTH
def test_a_reset_that_hangs_stays_visible(name: str) -> None:
    bench = Bench(name)
    bench.chip.stick_reset()
    bench.write(0x12, 0x05)
    bench.clock.sleep(1)
    assert bench.read(0x12)[0] & 1


@BOTH
def test_without_if_inc_a_burst_stays_on_its_register(name: str) -> None:
    bench = Bench(name)
    bench.write(0x12, 0x00)
    assert len(set(bench.read(0x0F, 3))) == 1
    bench.write(0x10, 0x38, 0x50)
    assert bench.read(0x10)[0] == 0x50, "both bytes went to 10h"
    assert bench.read(0x11)[0] == 0


@BOTH
def test_what_is_read_only_cannot_be_written(name: str) -> None:
    bench = Bench(name)
    bench.write(0x0F, 0x55)
    bench.write(0x28, 0x55)
    assert bench.read(0x0F)[0] == bench.chip.WHO_AM_I
    assert bench.read(0x28)[0] == 0


@BOTH
def test_the_embedded_functions_bank_hides_the_user_bank(name: str) -> None:
    bench = Bench(name)
    bench.write(0x10, 0x38)
    bench.write(0x01, 0x80)
    bench.write(0x10, 0x11)
    assert bench.read(0x10)[0] == 0x11
    bench.write(0x01, 0x00)
    assert bench.read(0x10)[0] == 0x38


# Output.


@BOTH
@pytest.mark.parametrize(("code", "fs_g"), [(0, 2), (2, 4), (3, 8), (1, 16)])
def test_one_g_reads_as_the_datasheet_says_at_every_range(name: str, code: int, fs_g: int) -> None:
    bench = Bench(name, [[0, 0, G, 0, 0, 0]] * 60)
    bench.start(name)
    bench.write(0x10, 0x30 | code << 2)
    bench.samples(2)
    assert bench.words(0x28, 3) == [0, 0, round(1000 / ACCEL_MG_PER_COUNT[fs_g])]


@BOTH
@pytest.mark.parametrize(("bits", "fs_dps"), [(0x02, 125), (0x00, 250), (0x04, 500), (0x08, 1000), (0x0C, 2000)])
def test_a_hundred_dps_reads_as_the_datasheet_says_at_every_range(name: str, bits: int, fs_dps: int) -> None:
    rate = np.radians(100)
    bench = Bench(name, [[0, 0, G, rate, -rate, 0]] * 60)
    bench.start(name)
    bench.write(0x11, 0x30 | bits)
    bench.samples(2)
    expected = round(100_000 / GYRO_MDPS_PER_COUNT[fs_dps])
    assert bench.words(0x22, 3) == [expected, -expected, 0]


@BOTH
def test_what_exceeds_the_range_saturates_and_does_not_wrap(name: str) -> None:
    bench = Bench(name, [[99 * G, -99 * G, G, 99, -99, 0]] * 60)
    bench.start(name)
    bench.samples(2)
    assert bench.words(0x22, 6) == [32767, -32768, 0, 32767, -32768, 8197]


@BOTH
def test_in_power_down_the_outputs_are_zero(name: str) -> None:
    bench = Bench(name)
    assert bench.words(0x22, 6) == [0] * 6
    bench.start(name)
    bench.samples(3)
    assert bench.words(0x2C, 1) != [0]
    bench.chip.silent_reset()
    bench.samples(3)
    assert bench.words(0x22, 6) == [0] * 6, "a silent reset leaves zeros, and they go on for ever"


@BOTH
def test_status_shows_new_data_until_it_is_read(name: str) -> None:
    bench = Bench(name)
    bench.start(name)
    bench.samples(1.5)
    assert bench.read(0x1E)[0] & 3 == 3
    bench.read(0x28, 6)
    assert bench.read(0x1E)[0] & 3 == 2
    bench.read(0x22, 6)
    assert bench.read(0x1E)[0] & 3 == 0
    bench.samples(1)
    assert bench.read(0x1E)[0] & 3 == 3


@BOTH
def test_temperature_is_256_counts_a_degree_from_25(name: str) -> None:
    bench = Bench(name)
    bench.start(name)
    bench.chip.temperature_c = 35.5
    bench.samples(2)
    assert bench.words(0x20, 1) == [2688]


def torn_read(bench: Bench) -> list[int]:
    """Read the accelerometer so that sample 1 falls due between the two bytes of its x."""
    due_us = bench.chip.time_of_sample_us(1)
    # Address and register, repeated address, then the low byte: 4 bytes at 22.5 us.
    bench.clock.advance_us(due_us - bench.clock.now_us - 100)
    return bench.words(0x28, 3)


@BOTH
def test_without_bdu_a_sample_that_comes_in_mid_read_tears_a_value(name: str) -> None:
    rows = np.zeros((60, 6))
    rows[0, 0] = 0.122e-3 * G * 0x00FF
    rows[1:, 0] = 0.122e-3 * G * 0x0100
    for bdu, expected in ((0x44, 0x00FF), (0x04, 0x01FF)):
        bench = Bench(name, rows)
        bench.start(name)
        bench.write(0x12, bdu)
        bench.samples(1.5)
        assert torn_read(bench)[0] == expected


# FIFO.


def fifo_level(bench: Bench, name: str) -> int:
    status = bench.read(0x3A, 2)
    return status[0] | (status[1] & (7 if name == "lsm6ds3trc" else 3)) << 8


@BOTH
def test_the_fifo_fills_at_52_hz_by_the_clock(name: str) -> None:
    bench = Bench(name)
    bench.start(name)
    per_sample = 6 if name == "lsm6ds3trc" else 2
    for _ in range(5):
        bench.clock.sleep(0.25)
        bench.clock.advance_us(-bench.clock.now_us % 10)
    elapsed = (bench.clock.now_us - bench.chip.epoch_us) * 52 // 1_000_000
    assert fifo_level(bench, name) == per_sample * elapsed
    assert 64 <= elapsed <= 66


def test_the_trc_writes_gyroscope_first_and_no_tags() -> None:
    bench = Bench("lsm6ds3trc", ramp(50))
    bench.start("lsm6ds3trc")
    bench.samples(4.5)
    assert fifo_level(bench, "lsm6ds3trc") == 24
    expected = [value for i in range(4) for value in (3 * i, -3 * i, 5 * i, i, -i, 2 * i)]
    assert bench.words(0x3E, 24) == expected
    assert fifo_level(bench, "lsm6ds3trc") == 0
    assert bench.read(0x3B)[0] & 0x10, "FIFO_EMPTY"


def test_the_trc_tells_by_its_pattern_which_word_comes_next() -> None:
    bench = Bench("lsm6ds3trc", ramp(50))
    bench.start("lsm6ds3trc")
    bench.samples(4.5)
    for word in range(8):
        assert bench.read(0x3C, 2) == bytes([word % 6, 0])
        bench.read(0x3E, 2)


@pytest.mark.parametrize("accel_first", [False, True])
def test_the_ox_tags_each_word_with_sensor_slot_and_parity(accel_first: bool) -> None:
    bench = Bench("lsm6dsox", ramp(50), accel_first=accel_first)
    bench.start("lsm6dsox")
    bench.samples(5.5)
    words = np.frombuffer(bench.read(0x78, 70), dtype=np.uint8).reshape(10, 7)
    for k, word in enumerate(words):
        i = k // 2
        is_accel = (k % 2 == 0) == accel_first
        tag = int(word[0])
        assert tag >> 3 == (2 if is_accel else 1)
        assert (tag >> 1) & 3 == i % 4
        assert bin(tag).count("1") % 2 == 0
        values = word[1:].copy().view("<i2").tolist()
        assert values == ([i, -i, 2 * i] if is_accel else [3 * i, -3 * i, 5 * i])


def test_the_ox_keeps_a_word_until_its_last_byte_is_read() -> None:
    bench = Bench("lsm6dsox", ramp(50))
    bench.start("lsm6dsox")
    bench.samples(3.5)
    bench.read(0x78)
    assert fifo_level(bench, "lsm6dsox") == 6
    bench.read(0x78, 7)
    assert fifo_level(bench, "lsm6dsox") == 5


@BOTH
def test_thresholds_and_full_flags_follow_the_level(name: str) -> None:
    bench = Bench(name)
    bench.start(name)
    bench.write(*((0x06, 60) if name == "lsm6ds3trc" else (0x07, 20)))
    bench.samples(9.5)
    assert not bench.read(0x3B)[0] & 0x80
    bench.samples(1)
    assert bench.read(0x3B)[0] & 0x80
    assert not bench.read(0x3B)[0] & 0x60
    bench.samples(340)
    flags = bench.read(0x3B)[0]
    assert flags & 0x40, "overrun"
    assert flags & 0x20, "full"


@BOTH
def test_in_continuous_mode_the_oldest_words_go(name: str) -> None:
    bench = Bench(name, ramp(700))
    bench.start(name)
    bench.samples(600.5)
    if name == "lsm6ds3trc":
        assert bench.read(0x3A)[0] == 0, "2048 words: DIFF_FIFO has only 11 bits"
        pattern = bench.read(0x3C)[0]
        assert pattern == 4, "6 x 341 = 2046: two words of a torn sample remain"
        bench.read(0x3E, 2 * (6 - pattern))
        first = bench.words(0x3E, 6)
        assert first[3] == 600 - 341
        assert len(bench.read(0x3E, 2 * 6 * 340)) == 4080
    else:
        assert bench.read(0x3B)[0] & 0x08, "FIFO_OVR_LATCHED stays until FIFO_STATUS2 is read"
        assert fifo_level(bench, name) == 512
        word = bench.read(0x78, 7)
        assert int.from_bytes(word[1:3], "little") == 3 * (600 - 256)
        assert not bench.read(0x3B)[0] & 0x08
    assert not bench.read(0x3B)[0] & 0x40, "reading clears the overrun"


@BOTH
def test_in_fifo_mode_the_newest_words_are_not_taken(name: str) -> None:
    bench = Bench(name, ramp(700))
    bench.start(name, mode=1)
    bench.samples(600.5)
    if name == "lsm6ds3trc":
        assert bench.words(0x3E, 6)[3] == 0
    else:
        assert int.from_bytes(bench.read(0x78, 7)[1:3], "little") == 0


@BOTH
def test_bypass_empties_the_fifo(name: str) -> None:
    bench = Bench(name)
    bench.start(name)
    bench.samples(20)
    bench.write(0x0A, 0)
    assert fifo_level(bench, name) == 0
    bench.samples(20)
    assert fifo_level(bench, name) == 0


def test_decimation_of_the_trc_and_batch_rates_of_the_ox_thin_one_sensor() -> None:
    trc = Bench("lsm6ds3trc", ramp(50))
    trc.start("lsm6ds3trc")
    trc.write(0x0A, 0)
    trc.write(0x08, 0x0A)  # gyroscope every sample, accelerometer every second
    trc.write(0x0A, 0x1E)
    trc.samples(4.5)
    assert trc.words(0x3E, 9)[:9] == [0, 0, 0, 0, 0, 0, 3, -3, 5]
    assert trc.read(0x3C)[0] == 0, "the pattern repeats after nine words"

    ox = Bench("lsm6dsox", ramp(50))
    ox.start("lsm6dsox")
    ox.write(0x0A, 0)
    ox.write(0x09, 0x32)  # gyroscope at 52 Hz, accelerometer at 26 Hz
    ox.write(0x0A, 6)
    ox.samples(4.5)
    sensors = [ox.read(0x78, 7)[0] >> 3 for _ in range(6)]
    assert sensors == [1, 2, 1, 1, 2, 1]


@BOTH
def test_at_104_hz_each_sample_of_the_source_comes_twice(name: str) -> None:
    bench = Bench(name, ramp(50))
    bench.write(0x10, 0x48, 0x44, 0x44)
    if name == "lsm6ds3trc":
        bench.write(0x08, 0x09)
        bench.write(0x0A, 0x26)
    else:
        bench.write(0x09, 0x44)
        bench.write(0x0A, 0x06)
    bench.samples(3.5)
    if name == "lsm6ds3trc":
        assert [bench.words(0x3E, 6)[3] for _ in range(6)] == [0, 0, 1, 1, 2, 2]
    else:
        assert fifo_level(bench, name) == 12


@BOTH
def test_rows_without_a_sample_leave_no_trace_in_the_fifo(name: str) -> None:
    rows = ramp(60)
    rows[5:15] = np.nan
    bench = Bench(name, rows)
    bench.start(name)
    bench.samples(30.5)
    assert fifo_level(bench, name) == 20 * (6 if name == "lsm6ds3trc" else 2)


@BOTH
def test_the_source_is_never_asked_ahead_of_time(name: str) -> None:
    asked: list[tuple[int, int]] = []

    class Watch(StillSource):
        def block(self, i0: int, n: int) -> np.ndarray:
            asked.append((i0, n))
            return super().block(i0, n)

    bench = Bench(name)
    bench.chip.source = Watch()
    bench.start(name)
    for _ in range(20):
        bench.samples(7.3)
        bench.read(0x3A, 2)
        assert max(i0 + n for i0, n in asked) <= bench.chip.n_due
    assert sum(n for _, n in asked) == bench.chip.n_due, "and for nothing twice"


@BOTH
def test_a_slow_oscillator_gives_fewer_samples(name: str) -> None:
    bench = Bench(name, rate_ppm=-50_000)
    bench.start(name)
    bench.clock.sleep(20)
    assert bench.chip.n_due == 988


# Faults.


@BOTH
def test_without_power_nobody_answers_and_the_bus_hangs_for_a_second(name: str) -> None:
    bench = Bench(name)
    bench.start(name)
    bench.chip.set_power(False)
    before = bench.clock.now_us
    with pytest.raises(OSError) as caught:
        bench.read(0x0F)
    assert caught.value.errno == errno.ETIMEDOUT
    assert bench.clock.now_us - before == TIMEOUT_US
    bench.chip.set_power(True)
    with pytest.raises(OSError):
        bench.read(0x0F)  # still booting
    bench.clock.sleep(0.02)
    assert bench.read(0x10, 3) == b"\x00\x00\x04", "its settings are gone"


@BOTH
def test_a_power_cycle_frees_a_stuck_bus(name: str) -> None:
    bench = Bench(name)
    bench.chip.stick_bus()
    with pytest.raises(OSError):
        bench.read(0x0F)
    bench.bus.unlock()
    bench.bus.deinit()
    with pytest.raises(RuntimeError, match="pull up"):
        bench.bus.reopen()
    bench.chip.set_power(False)
    bench.chip.set_power(True)
    bench.clock.sleep(0.02)
    assert bench.bus.reopen().try_lock()
    assert bench.read(0x0F)[0] == bench.chip.WHO_AM_I


@BOTH
def test_frozen_samples_go_on_coming(name: str) -> None:
    bench = Bench(name, ramp(200))
    bench.start(name)
    bench.samples(10.5)
    bench.chip.freeze()
    bench.samples(20)
    n = fifo_level(bench, name)
    data = bench.read(bench.chip.FIFO_DATA, n * (2 if name == "lsm6ds3trc" else 7))
    if name == "lsm6ds3trc":
        accel_x = np.frombuffer(data, dtype="<i2").reshape(-1, 6)[:, 3].tolist()
    else:
        accel_x = np.frombuffer(data, dtype=np.uint8).reshape(-1, 2, 7)[:, 1, 1].tolist()
    assert accel_x == [*range(10), *([9] * 20)]


@BOTH
def test_a_missing_acknowledge_is_an_error_at_once(name: str) -> None:
    bench = Bench(name)
    bench.chip.nack_next(1)
    before = bench.clock.now_us
    with pytest.raises(OSError) as caught:
        bench.read(0x0F)
    assert caught.value.errno == errno.ENODEV
    assert bench.clock.now_us - before < 100
    assert bench.read(0x0F)[0] == bench.chip.WHO_AM_I


# Quantiser.


@given(st.lists(st.floats(-400, 400), min_size=6, max_size=6), st.sampled_from([2, 4, 8, 16]))
def test_quantised_values_are_the_nearest_counts_or_the_end_of_the_range(row: list[float], fs_g: int) -> None:
    counts = quantise(np.array([row]), fs_g, 500)[0].tolist()
    for axis in range(6):
        if axis < 3:
            exact = row[axis] / G * 1000 / ACCEL_MG_PER_COUNT[fs_g]
        else:
            exact = np.degrees(row[axis]) * 1000 / 17.5
        if exact <= -32768:
            assert counts[axis] == -32768
        elif exact >= 32767:
            assert counts[axis] == 32767
        else:
            assert abs(counts[axis] - exact) <= 0.5001


def test_a_row_with_a_nan_is_not_present_and_quantises_to_zeros() -> None:
    rows = np.ones((4, 6))
    rows[2, 5] = np.nan
    assert present(rows).tolist() == [True, True, False, True]
    assert quantise(rows, 4, 500)[2].tolist() == [0] * 6
    assert quantise(np.full((1, 6), np.inf), 4, 500)[0].tolist() == [32767] * 6


# Bus and clock.


def test_a_transfer_takes_nine_bit_times_a_byte_at_400_khz() -> None:
    assert transfer_us(1) == 28
    bench = Bench("lsm6dsox")
    before = bench.clock.now_us
    bench.read(0x10, 10)
    assert bench.clock.now_us - before == transfer_us(2) + transfer_us(11)


def test_a_transfer_needs_the_lock_and_an_open_bus() -> None:
    bench = Bench("lsm6dsox")
    assert not bench.bus.try_lock()
    bench.bus.unlock()
    with pytest.raises(RuntimeError, match="lock"):
        bench.read(0x0F)
    bench.bus.deinit()
    with pytest.raises(ValueError, match="deinitialized"):
        bench.read(0x0F)


def test_scan_finds_the_chip_and_nobody_else() -> None:
    assert Bench("lsm6dsox").bus.scan() == [ADDRESS]


def test_virtual_time_wraps_as_the_board_does_65_s_after_power_on() -> None:
    clock = VirtualClock()
    clock.sleep(65.535)
    assert clock.ticks_ms() == TICKS_PERIOD - 1
    clock.advance_us(1000)
    assert clock.ticks_ms() == 0
    with pytest.raises(ValueError, match="backwards"):
        clock.advance_us(-1)


def test_the_wall_clock_follows_real_time() -> None:
    clock = WallClock()
    before = clock.now_us
    clock.sleep(0.01)
    assert clock.now_us - before >= 9_000


# Adafruit's driver, unmodified.


@BOTH
def test_the_unmodified_driver_runs_on_the_registers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(name, [[1.0, 2.0, G, 0.1, -0.2, 0.3]] * 200)
    bench.bus.unlock()
    monkeypatch.setattr(adafruit_lsm6ds, "sleep", bench.clock.sleep)
    driver = DRIVERS[name](bench.bus)
    bench.bus.try_lock()
    assert bench.read(0x10, 3) == b"\x48\x40\x44", "what its init leaves: 104 Hz, +-4 g, 250 dps, BDU and IF_INC"
    bench.bus.unlock()
    assert driver.acceleration == pytest.approx((1.0, 2.0, G), abs=0.002)
    assert driver.gyro == pytest.approx((0.1, -0.2, 0.3), abs=0.001)
    assert driver.temperature == pytest.approx(25.0)


@BOTH
def test_the_driver_refuses_the_other_chip(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(name)
    bench.bus.unlock()
    monkeypatch.setattr(adafruit_lsm6ds, "sleep", bench.clock.sleep)
    other = DRIVERS["lsm6dsox" if name == "lsm6ds3trc" else "lsm6ds3trc"]
    with pytest.raises(RuntimeError, match="check your wiring"):
        other(bench.bus)
    with pytest.raises(ValueError, match="No I2C device"):
        DRIVERS[name](bench.bus, 0x6B)
