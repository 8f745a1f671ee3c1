"""The two motion sensors by their registers: LSM6DS3TR-C (WHO_AM_I 6A) and LSM6DSOX (6C).

What is here: identification, software reset, ranges and rates with power-down, saturation, block data update,
address auto-increment, status, temperature, and the FIFO in each chip's own layout with level, threshold, full, overrun
and empty flags; wake-up by the slope filter, latched; power taken away, silent reset and other faults. What is not:
other filters and their settling, interrupt pins, wake-up by the high-pass filter or after a duration, embedded
functions (pedometer, tap, tilt, machine learning), the sensor hub, SPI and I3C. Registers of those read back what was
written.

Time is lazy: nothing happens between bus accesses; at each access the chip catches up with the clock and takes the
samples that fell due from its source, never one ahead of time, because what the motor does changes what comes next.
Sample 0 of the source falls due one period after the FIFO is first switched on; from there the grid is fixed: a chip
that is reset or loses its power misses samples, it does not postpone them.

Sources: ST's register headers ``lsm6ds3tr-c_reg.h`` and ``lsm6dsox_reg.h`` (STMicroelectronics/lsm6ds3tr-c-pid and
lsm6dsox-pid), ST's AN5130 for the slope filter (half the difference of two samples), ST's FIFO driver in Linux
(st_lsm6dsx_buffer.c) for burst order, facts/hardware.md. Register numbers are
hexadecimal in the comments. Not verified on a chip: the sense of TAG_PARITY (even here), and that DIFF_FIFO of the TR-C
reads 0 when all 2048 words are taken (11 bits cannot say 2048; users report it so).
"""

from __future__ import annotations

import functools
import math
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from walktall_sim.bus import ByteBuffer
from walktall_sim.clock import Clock

FloatArray: TypeAlias = NDArray[np.float64]
Int16Array: TypeAlias = NDArray[np.int16]

STANDARD_GRAVITY_MS2 = 9.80665
SOURCE_RATE_MHZ = 52_000
"""The rate of every source, in millihertz: the chip's 52 Hz."""

# CTRL1_XL (10h) bits 3:2 -> full scale in g; the order is ST's: 0, 2, 3 and then 1.
ACCEL_FS_G = {0: 2, 1: 16, 2: 4, 3: 8}
# mg a count (datasheets, table 3: LA_So).
ACCEL_MG_PER_COUNT = {2: 0.061, 4: 0.122, 8: 0.244, 16: 0.488}
# CTRL2_G (11h) bits 3:1 (FS_G and FS_125) -> full scale in dps.
GYRO_FS_DPS = {0: 250, 2: 500, 4: 1000, 6: 2000}
# mdps a count (datasheets, table 3: G_So).
GYRO_MDPS_PER_COUNT = {125: 4.375, 250: 8.75, 500: 17.5, 1000: 35.0, 2000: 70.0}
# ODR codes of CTRL1_XL and CTRL2_G bits 7:4, of FIFO_CTRL5 bits 6:3 (TR-C), of FIFO_CTRL3 nibbles (OX): millihertz.
ODR_MHZ = (0, 12_500, 26_000, 52_000, 104_000, 208_000, 416_000, 833_000, 1_666_000, 3_332_000, 6_664_000)

BOOT_US = 15_000
"""From power to the first acknowledge (datasheets: 15 ms at the most)."""
SW_RESET_US = 50
"""SW_RESET takes 50 us (ST's application notes)."""
_US_PER_BYTE_ON_BUS = 22.5
_BLOCK_MAX = 4096


class SampleSource(Protocol):
    """Where the motion comes from: physical units at the chip's own sample times, index / 52 s."""

    def block(self, i0: int, n: int) -> FloatArray:
        """Samples ``i0`` to ``i0 + n - 1`` as ``(m, 6)``: ax ay az in m/s^2, gx gy gz in rad/s.

        ``m < n`` says that the source has come to its end; a row with a NaN says that there was no sample.
        """


class StillSource:
    """A sensor that lies still for ever, ``+z`` up, with the noise floor of the chip.

    :param seed: of the noise
    """

    def __init__(self, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        # 90 ug/sqrt(Hz) and 5 mdps/sqrt(Hz) over 26 Hz (datasheets, table 3): about 0.5 mg and 25 mdps.
        self._rows = rng.normal(0.0, 1.0, (521, 6)) * np.array([4.5e-3] * 3 + [4.5e-4] * 3)
        self._rows[:, 2] += STANDARD_GRAVITY_MS2

    def block(self, i0: int, n: int) -> FloatArray:
        """The noise repeats after 521 samples."""
        rows: FloatArray = self._rows.take(range(i0, i0 + n), axis=0, mode="wrap")
        return rows


class ArraySource:
    """Rows of an array, one every 1/52 s, then the end.

    :param rows: ``(n, 6)``, m/s^2 and rad/s
    """

    def __init__(self, rows: FloatArray) -> None:
        self.rows = np.asarray(rows, dtype=np.float64)

    def block(self, i0: int, n: int) -> FloatArray:
        """The rows ``i0`` to ``i0 + n - 1``, as far as there are any."""
        return self.rows[i0 : i0 + n]


_SCALES: dict[tuple[int, int], FloatArray] = {}


def counts_per_unit(accel_fs_g: int, gyro_fs_dps: int) -> FloatArray:
    """Counts per m/s^2 (three times) and per rad/s (three times) at these ranges.

    :raises KeyError: no such range
    """
    scale = _SCALES.get((accel_fs_g, gyro_fs_dps))
    if scale is None:
        accel = 1000.0 / (ACCEL_MG_PER_COUNT[accel_fs_g] * STANDARD_GRAVITY_MS2)
        gyro = math.degrees(1.0) * 1000.0 / GYRO_MDPS_PER_COUNT[gyro_fs_dps]
        scale = np.array([accel] * 3 + [gyro] * 3)
        _SCALES[(accel_fs_g, gyro_fs_dps)] = scale
    return scale


def present(block: FloatArray) -> NDArray[np.bool_]:
    """Which rows hold a sample: True where no value is NaN, shape ``(n,)``."""
    return np.asarray(~np.isnan(block).any(axis=1), dtype=np.bool_)


def quantise(block: FloatArray, accel_fs_g: int, gyro_fs_dps: int) -> Int16Array:
    """Raw counts of a block, ``(n, 6)``: rounded to the nearest and saturated, as the chip's own converter does.

    Shared by the virtual chip and by the fast path, so that both hand the same counts to the detector. Rows that are
    not ``present()`` come out as zeros: leave them out before.

    :param block: ``(n, 6)``, m/s^2 and rad/s
    :param accel_fs_g: 2, 4, 8 or 16
    :param gyro_fs_dps: 125, 250, 500, 1000 or 2000
    """
    if len(block) > _AT_ONCE:
        parts = (block[at : at + _AT_ONCE] for at in range(0, len(block), _AT_ONCE))
        return np.concatenate([quantise(part, accel_fs_g, gyro_fs_dps) for part in parts])
    scaled = block * _scales(accel_fs_g, gyro_fs_dps)[: len(block)]
    np.rint(scaled, out=scaled)
    np.clip(scaled, -32768.0, 32767.0, out=scaled)
    if np.isnan(scaled.sum()):
        scaled[~present(block)] = 0.0
    return scaled.astype(np.int16)


# What a processor's cache holds.
_AT_ONCE = 4096


@functools.cache
def _scales(accel_fs_g: int, gyro_fs_dps: int) -> FloatArray:
    """The same scale for each of many rows: NumPy multiplies equal shapes three times as fast as a row of six."""
    return np.tile(counts_per_unit(accel_fs_g, gyro_fs_dps), (_AT_ONCE, 1))


class WakeUp:
    """The wake-up function: samples at the accelerometer's own rate through the slope filter against a threshold.

    Shared by the virtual chips and by the replay's fast path, so that both wake at the same sample.

    :param rate_mhz: of the accelerometer, millihertz
    :param fs_g: its full scale
    :param threshold: WK_THS, in parts of 1/64 of the full scale
    """

    def __init__(self, rate_mhz: int = 26_000, fs_g: int = 2, threshold: int = 1) -> None:
        self.rate_mhz = rate_mhz
        self.fs_g = fs_g
        self.threshold = threshold * 32768 // 64
        self._last: NDArray[np.int32] | None = None

    def feed(self, rows: FloatArray, i0: int) -> int:
        """The axes that moved among source samples ``i0 ...``, as WAKE_UP_SRC has them: X 4, Y 2, Z 1."""
        rate = min(self.rate_mhz, SOURCE_RATE_MHZ)
        j0 = -(-i0 * rate // SOURCE_RATE_MHZ)
        j1 = -(-(i0 + len(rows)) * rate // SOURCE_RATE_MHZ)
        taken = rows[np.arange(j0, j1) * SOURCE_RATE_MHZ // rate - i0]
        taken = taken[present(taken)]
        if not len(taken):
            return 0
        counts = quantise(taken, self.fs_g, 500)[:, :3].astype(np.int32)
        if self._last is not None:
            counts = np.concatenate([self._last[None, :], counts])
        self._last = counts[-1]
        moved = np.asarray((np.abs(np.diff(counts, axis=0)) >> 1 > self.threshold).any(axis=0))
        return int(moved[0]) << 2 | int(moved[1]) << 1 | int(moved[2]) if len(counts) > 1 else 0


class _Fifo:
    """Packed words in a queue of bytes: appended in blocks, read as slices, the oldest dropped when full.

    :param depth_words: capacity
    :param word_bytes: 2 for the TR-C, 7 for the OX
    """

    __slots__ = ("data", "depth", "head", "n_out", "overrun", "overrun_latched", "word")

    def __init__(self, depth_words: int, word_bytes: int) -> None:
        self.data = bytearray()
        self.head = 0
        self.depth = depth_words
        self.word = word_bytes
        self.overrun = False
        self.overrun_latched = False
        self.n_out = 0
        """Words that have left, read or dropped, since the FIFO was cleared: gives the pattern's position."""

    def clear(self) -> None:
        """Empty it, as bypass mode does."""
        self.data = bytearray()
        self.head = 0
        self.overrun = False
        self.overrun_latched = False
        self.n_out = 0

    @property
    def level(self) -> int:
        """Words held."""
        return (len(self.data) - self.head) // self.word

    def put(self, packed: bytes, stop_when_full: bool) -> None:
        """Append whole words; beyond the depth the oldest go, or in FIFO mode the newest are not taken."""
        n_words = len(packed) // self.word
        excess = self.level + n_words - self.depth
        if excess > 0:
            if stop_when_full:
                packed = packed[: (n_words - excess) * self.word]
            self.overrun = True
            self.overrun_latched = True
        self.data += packed
        if excess > 0 and not stop_when_full:
            self.head += excess * self.word
            self.n_out += excess
        if self.head > 65536:
            del self.data[: self.head]
            self.head = 0

    def get(self, n_bytes: int) -> bytes:
        """The next ``n_bytes``, whole words leaving the queue. Beyond its end come zeros, as an empty FIFO gives."""
        taken = bytes(self.data[self.head : self.head + n_bytes])
        whole = len(taken) // self.word
        self.head += whole * self.word
        self.n_out += whole
        if whole:
            self.overrun = False
        if len(taken) < n_bytes:
            taken += bytes(n_bytes - len(taken))
        return taken


class Lsm6ds:
    """What both chips have in common; use ``Lsm6ds3trc`` or ``Lsm6dsox``.

    :param source: motion; ``StillSource()`` if None
    :param clock: the board's
    :param rate_ppm: how much faster than it says the chip's oscillator runs
    """

    WHO_AM_I = 0
    RESET_VALUES: ClassVar[dict[int, int]] = {}
    READ_ONLY: ClassVar[frozenset[int]] = frozenset()
    FIFO_DATA = 0
    FIFO_DATA_END = 0
    NAME = ""

    def __init__(self, source: SampleSource | None, clock: Clock, rate_ppm: int = 0) -> None:
        self.source: SampleSource = StillSource() if source is None else source
        self._clock = clock
        self._rate_scale_ppm = 1_000_000 + rate_ppm
        self.epoch_us: int | None = None
        """When sample -1 of the source would have fallen due; None until the FIFO is first switched on."""
        self.temperature_c = 25.0
        self.exhausted = False
        """The source has come to its end."""
        self._powered = True
        self._ready_us = clock.now_us + BOOT_US
        self._reset_done_us = 0
        self._regs = bytearray(128)
        self._bank = bytearray(128)
        self._fifo = self._make_fifo()
        self._next = 0
        self._slot = 0
        self._seen_accel = -1
        self._seen_gyro = -1
        self._out_index = -2
        self._out = bytes(14)
        self._pointer = 0
        # Faults.
        self._who_am_i = self.WHO_AM_I
        self._frozen: Int16Array | None = None
        self._freeze = False
        self._holds_bus = False
        self._reset_stuck = False
        self._n_nacks = 0
        self._supply_failed = False
        self._last_row: Int16Array | None = None
        self._wake_up: WakeUp | None = None
        self._wake_up_src = 0
        self._load_reset_values()

    # What each chip defines.

    def _make_fifo(self) -> _Fifo:
        raise NotImplementedError

    def _fifo_rates_mhz(self) -> tuple[int, int]:
        """Rates at which accelerometer and gyroscope go into the FIFO, millihertz."""
        raise NotImplementedError

    def _fifo_mode_code(self) -> int:
        """FIFO_MODE: 0 bypass, 1 FIFO, 3, 4, 6 and 7 (0Ah bits 2:0 in both chips)."""
        return self._regs[0x0A] & 7

    def _pack(self, counts: Int16Array, slot0: int, step_accel: int, step_gyro: int) -> bytes:
        """The words of ``counts`` in this chip's layout; row ``i`` belongs to time slot ``slot0 + i``."""
        raise NotImplementedError

    def _refresh_fifo_status(self) -> None:
        raise NotImplementedError

    # Time.

    @property
    def _source_rate_mhz(self) -> int:
        return SOURCE_RATE_MHZ * self._rate_scale_ppm // 1_000_000

    def _due(self, at_us: int) -> int:
        """Index of the newest source sample that has fallen due at ``at_us``; -1 before the first."""
        if self.epoch_us is None:
            return -1
        return (at_us - self.epoch_us) * self._source_rate_mhz // 1_000_000_000 - 1

    def time_of_sample_us(self, index: int) -> int:
        """When the source's sample ``index`` falls due, on the board's clock.

        :raises RuntimeError: the FIFO has never been switched on
        """
        if self.epoch_us is None:
            raise RuntimeError("the sensor has not been started")
        rate = self._source_rate_mhz
        return self.epoch_us + ((index + 1) * 1_000_000_000 + rate - 1) // rate

    @property
    def n_due(self) -> int:
        """How many source samples have fallen due by now."""
        return self._due(self._clock.now_us) + 1

    def catch_up(self) -> None:
        """Take the samples that have fallen due since the last bus access into the FIFO."""
        due = self._due(self._clock.now_us)
        if due < self._next:
            return
        rate_accel, rate_gyro = self._fifo_rates_mhz()
        mode = self._fifo_mode_code()
        rate = max(rate_accel, rate_gyro)
        if self._wake_up is not None:
            self._watch(due)
        # Without their triggers (not modelled) continuous-to-FIFO (3) is continuous, the two from bypass (4, 7) are
        # bypass.
        if rate == 0 or mode in (0, 4, 7) or not self._powered:
            self._next = due + 1
            return
        step_accel = 0 if rate_accel == 0 else max(1, round(rate / rate_accel))
        step_gyro = 0 if rate_gyro == 0 else max(1, round(rate / rate_gyro))
        while self._next <= due:
            n = min(due + 1 - self._next, _BLOCK_MAX)
            rows = self.source.block(self._next, n)
            if len(rows) < n:
                self.exhausted = True
            if rate != SOURCE_RATE_MHZ:
                rows = self._resampled(rows, self._next, rate)
            if np.isnan(rows.sum()):
                rows = rows[present(rows)]
            if len(rows):
                counts = self._counts(rows)
                self._fifo.put(self._pack(counts, self._slot, step_accel, step_gyro), mode == 1)
                self._slot += len(counts)
            self._next += n

    def _watch(self, due: int) -> None:
        """Let the wake-up function see the samples up to ``due``; the FIFO takes them from the source once more."""
        assert self._wake_up is not None
        i0 = self._next
        while i0 <= due:
            n = min(due + 1 - i0, _BLOCK_MAX)
            rows = self.source.block(i0, n)
            if len(rows) < n:
                self.exhausted = True
            if self._freeze:
                rows = rows[:0]
            axes = self._wake_up.feed(rows, i0)
            if axes:
                self._wake_up_src |= 0x08 | axes
            i0 += n

    def _wake_up_written(self) -> None:
        """After a write: it runs while INTERRUPTS_ENABLE (58h bit 7 in both chips) and the accelerometer are on.

        WK_THS is 5Bh bits 5:0; on the OX 5Ch bit 4 (WAKE_THS_W) makes its parts 1/256.
        """
        self._wake_up = None
        if self._regs[0x58] & 0x80 and self.accel_odr_mhz:
            self._wake_up = WakeUp(self.accel_odr_mhz, self.accel_fs_g, self._regs[0x5B] & 0x3F)
            if self.WHO_AM_I == 0x6C and self._regs[0x5C] & 0x10:
                self._wake_up.threshold >>= 2

    @staticmethod
    def _resampled(rows: FloatArray, i0: int, rate_mhz: int) -> FloatArray:
        """Rows at another rate than the source's: the latest source sample is held (no filter is modelled)."""
        j0 = -(-i0 * rate_mhz // SOURCE_RATE_MHZ)
        j1 = -(-(i0 + len(rows)) * rate_mhz // SOURCE_RATE_MHZ)
        index = np.arange(j0, j1) * SOURCE_RATE_MHZ // rate_mhz - i0
        return rows[np.clip(index, 0, max(0, len(rows) - 1))] if len(rows) else rows

    def _counts(self, rows: FloatArray) -> Int16Array:
        """Counts at the configured ranges, with the faults that are switched on."""
        counts = quantise(rows, self.accel_fs_g, self.gyro_fs_dps)
        if self._freeze:
            if self._frozen is None:
                self._frozen = counts[0].copy() if self._last_row is None else self._last_row.copy()
            counts[:] = self._frozen
        self._last_row = counts[-1]
        return counts

    # Configuration as the registers hold it.

    @property
    def accel_fs_g(self) -> int:
        """Full scale of the accelerometer: CTRL1_XL (10h) bits 3:2."""
        return ACCEL_FS_G[(self._regs[0x10] >> 2) & 3]

    @property
    def gyro_fs_dps(self) -> int:
        """Full scale of the gyroscope: CTRL2_G (11h) bits 3:1, where bit 1 (FS_125) goes before the others."""
        ctrl2 = self._regs[0x11]
        return 125 if ctrl2 & 0x02 else GYRO_FS_DPS[(ctrl2 >> 1) & 6]

    @property
    def accel_odr_mhz(self) -> int:
        """Rate of the accelerometer, millihertz, 0 = power-down: CTRL1_XL (10h) bits 7:4."""
        return self._odr(self._regs[0x10] >> 4)

    @property
    def gyro_odr_mhz(self) -> int:
        """Rate of the gyroscope, millihertz, 0 = power-down: CTRL2_G (11h) bits 7:4."""
        return self._odr(self._regs[0x11] >> 4)

    @staticmethod
    def _odr(code: int) -> int:
        # Code 11 is 1.6 Hz (accelerometer, low power); higher codes are not allowed and stop the sensor here.
        return ODR_MHZ[code] if code < len(ODR_MHZ) else (1_600 if code == 11 else 0)

    # Power and faults.

    @property
    def answers(self) -> bool:
        """Whether the chip acknowledges: powered, booted, and no NACK injected."""
        if self._n_nacks:
            self._n_nacks -= 1
            return False
        return self._powered and self._clock.now_us >= self._ready_us

    @property
    def holds_bus(self) -> bool:
        """True while the bus is stuck, or while there is no supply: the pull-ups hang on the same pin."""
        return self._holds_bus or not self._powered

    def set_power(self, on: bool) -> None:
        """Switch the supply; everything in the chip is lost, a stuck bus is let go."""
        if self._supply_failed:
            on = False
        if on == self._powered:
            return
        if not on:
            self.catch_up()
        self._powered = on
        self._holds_bus = False
        self._load_reset_values()
        self._next = max(self._next, self._due(self._clock.now_us) + 1)
        if on:
            self._ready_us = self._clock.now_us + BOOT_US

    def fail_supply(self, failed: bool = True) -> None:
        """Fault: no power whatever the supply pin says. Mended, it comes back with the pin's next rise."""
        self._supply_failed = failed
        if failed:
            self.set_power(False)

    def silent_reset(self) -> None:
        """Fault: the chip falls back to its reset values without a word (a dip of its supply)."""
        self.catch_up()
        self._load_reset_values()

    def freeze(self, on: bool = True) -> None:
        """Fault: samples go on at their rate, but their values stand still."""
        self.catch_up()
        self._freeze = on
        self._frozen = None

    def wrong_id(self, value: int | None) -> None:
        """Fault: WHO_AM_I (0Fh) reads ``value``; None mends it."""
        self._who_am_i = self.WHO_AM_I if value is None else value

    def stick_bus(self, on: bool = True) -> None:
        """Fault: the chip holds SDA low until its power is taken away."""
        self._holds_bus = on

    def stick_reset(self, on: bool = True) -> None:
        """Fault: SW_RESET never clears itself."""
        self._reset_stuck = on

    def nack_next(self, n: int) -> None:
        """Fault: the next ``n`` transfers are not acknowledged."""
        self._n_nacks = n

    def drop_fifo_words(self, n: int) -> None:
        """Fault: ``n`` words are lost from the FIFO's old end, as when a burst is cut short."""
        self.catch_up()
        self._fifo.get(n * self._fifo.word)

    def flip_register(self, register: int, value: int) -> None:
        """Fault: a register changes by itself."""
        self.catch_up()
        self._regs[register] = value

    def register(self, register: int) -> int:
        """What a register holds, for tests: no side effects."""
        return self._regs[register]

    @property
    def fifo_level(self) -> int:
        """Words in the FIFO now."""
        self.catch_up()
        return self._fifo.level

    def _load_reset_values(self) -> None:
        self._regs = bytearray(128)
        for register, value in self.RESET_VALUES.items():
            self._regs[register] = value
        self._bank = bytearray(128)
        self._fifo.clear()
        self._slot = 0
        self._out_index = -2
        self._out = bytes(14)
        self._seen_accel = self._seen_gyro = self._due(self._clock.now_us)
        self._last_row = None
        self._wake_up = None
        self._wake_up_src = 0

    # The bus.

    def write(self, data: bytes, at_us: int) -> None:
        """First byte: register; the rest is written from there on, counting up while IF_INC (12h bit 2) is set."""
        self._pointer = data[0] & 0x7F
        if len(data) == 1:
            return
        self.catch_up()
        for value in data[1:]:
            self._write_register(self._pointer, value)
            if self._regs[0x12] & 0x04:
                self._pointer = (self._pointer + 1) & 0x7F

    def _write_register(self, register: int, value: int) -> None:
        if register != 0x01 and self._regs[0x01] & 0xE0:
            # FUNC_CFG_ACCESS (01h) bits 7:5 show other banks instead; kept, without effect.
            self._bank[register] = value
            return
        if register in self.READ_ONLY:
            return
        if register == 0x12 and value & 0x81:
            # CTRL3_C: SW_RESET (bit 0) or BOOT (bit 7). All falls back; the bit reads 1 until it is done.
            self._load_reset_values()
            self._regs[0x12] |= value & 0x81
            self._reset_done_us = self._clock.now_us + SW_RESET_US
            return
        old = self._regs[register]
        self._regs[register] = value
        if register == 0x0A and old != value:
            self._fifo_mode_written(old & 7, value & 7)
        if register in (0x10, 0x58, 0x5B, 0x5C):
            self._wake_up_written()

    def _fifo_mode_written(self, old: int, new: int) -> None:
        if new == 0 or old == 0:
            self._fifo.clear()
            self._slot = 0
        if new != 0 and self.epoch_us is None:
            self.epoch_us = self._clock.now_us
            self._next = 0

    def read_into(self, buf: ByteBuffer, start: int, end: int, at_us: int) -> None:
        """Registers from the pointer on, counting up while IF_INC (12h bit 2) is set, FIFO output rolling over."""
        self.catch_up()
        n = end - start
        register = self._pointer
        if self._regs[0x01] & 0xE0:
            for i in range(n):
                buf[start + i] = self._regs[1] if register + i == 1 else self._bank[(register + i) & 0x7F]
            return
        if register == self.FIFO_DATA:
            buf[start:end] = self._fifo.get(n)
            return
        if not self._regs[0x12] & 0x04:
            buf[start:end] = self._read_registers(register, 1, at_us) * n
            return
        buf[start:end] = self._read_registers(register, n, at_us)
        self._pointer = (register + n) & 0x7F

    def _read_registers(self, register: int, n: int, at_us: int) -> bytes:
        if self._regs[0x12] & 0x81 and not self._reset_stuck and at_us >= self._reset_done_us:
            self._regs[0x12] &= 0x7E
        if n == 1:
            last = register
        else:
            last = min(register + n - 1, 0x7F)
        if register <= 0x0F <= last:
            self._regs[0x0F] = self._who_am_i
        if register <= 0x3D and last >= 0x3A:
            self._refresh_fifo_status()
        if register <= 0x1B <= last:
            self._regs[0x1B] = self._wake_up_src
            # Latched (LIR: 58h bit 0, on the OX 56h bit 0) it stays until it is read; unlatched it has long passed.
            latched = self._regs[0x56 if self.WHO_AM_I == 0x6C else 0x58] & 1
            if not latched:
                self._regs[0x1B] = 0
            self._wake_up_src = 0
        if register <= 0x1E <= last:
            self._regs[0x1E] = self._status()
        if register <= 0x2D and last >= 0x20:
            self._load_outputs(register, last, at_us)
        data = bytes(self._regs[register : last + 1])
        if register <= 0x3B <= last:
            self._fifo.overrun_latched = False
        if register <= self.FIFO_DATA_END and last >= self.FIFO_DATA:
            # A burst that runs into the FIFO from below: rare, byte by byte.
            offset = max(0, self.FIFO_DATA - register)
            data = data[:offset] + self._fifo.get(n - offset)
        if len(data) < n:
            data += bytes(n - len(data))
        return data

    # Output registers.

    def _status(self) -> int:
        """STATUS_REG (1Eh): XLDA bit 0, GDA bit 1, TDA bit 2: new since last read."""
        due = self._due(self._clock.now_us)
        status = 0
        if self.accel_odr_mhz and due > self._seen_accel:
            status |= 1
        if self.gyro_odr_mhz and due > self._seen_gyro:
            status |= 2
        return status | (4 if status else 0)

    def _output_bytes(self, index: int) -> bytes:
        """OUT_TEMP_L (20h) to OUTZ_H_A (2Dh) at source sample ``index``; zeros from a sensor in power-down."""
        if index == self._out_index:
            return self._out
        temperature = round((self.temperature_c - 25.0) * 256)
        words = np.zeros(7, dtype="<i2")
        words[0] = max(-32768, min(32767, temperature))
        accel_on = self.accel_odr_mhz > 0
        gyro_on = self.gyro_odr_mhz > 0
        if (accel_on or gyro_on) and index >= 0:
            rows = self.source.block(index, 1)
            if len(rows) and present(rows)[0]:
                counts = self._counts(rows)[0]
                if gyro_on:
                    words[1:4] = counts[3:]
                if accel_on:
                    words[4:7] = counts[:3]
            elif self._out_index >= 0:
                return self._out  # nothing new: the registers keep what they hold
        self._out_index = index
        self._out = words.tobytes()
        return self._out

    def _load_outputs(self, register: int, last: int, at_us: int) -> None:
        """Fill 20h..2Dh as a burst from ``register`` to ``last`` sees them.

        A sample that falls due while the burst is under way tears a value in two unless BDU (12h bit 6) holds its high
        byte back until its low byte has been read.
        """
        first = self._due(at_us)
        final = self._due(at_us + int((last - register + 2) * _US_PER_BYTE_ON_BUS))
        old = self._output_bytes(max(first, 0) if self.epoch_us is None else first)
        self._regs[0x20:0x2E] = old
        if final > first:
            new = self._output_bytes(final)
            bdu = bool(self._regs[0x12] & 0x40)
            for address in range(max(register, 0x20), min(last, 0x2D) + 1):
                low = address & ~1 if bdu and (address & ~1) >= register else address
                at = at_us + int((low - register + 2) * _US_PER_BYTE_ON_BUS)
                if self._due(at) > first:
                    self._regs[address] = new[address - 0x20]
        if register <= 0x27 and last >= 0x22:
            self._seen_gyro = final
        if register <= 0x2D and last >= 0x28:
            self._seen_accel = final


class Lsm6ds3trc(Lsm6ds):
    """LSM6DS3TR-C. FIFO: 4 KiB of untagged 16-bit words, gyroscope first::

        word   0   1   2   3   4   5 | 0 ...      FIFO_STATUS3/4 (3C, 3D) tell which word is read next
               Gx  Gy  Gz  Ax  Ay  Az             FIFO_STATUS1/2 (3A, 3B): words unread, 11 bits

    3B: bit 7 WATERM, 6 OVER_RUN, 5 FIFO_FULL_SMART (full at the next sample), 4 FIFO_EMPTY, 2:0 DIFF_FIFO[10:8].
    """

    NAME = "lsm6ds3trc"
    WHO_AM_I = 0x6A
    RESET_VALUES: ClassVar[dict[int, int]] = {0x0F: 0x6A, 0x12: 0x04, 0x18: 0xE0}
    # WHO_AM_I, the sources of interrupts, status, outputs, FIFO status and data, time stamps, step counter.
    READ_ONLY = frozenset([0x0F, 0x1B, 0x1C, 0x1D, 0x1E, *range(0x20, 0x42), *range(0x49, 0x56)])
    FIFO_DATA = 0x3E
    FIFO_DATA_END = 0x3F
    # FIFO_CTRL3 (08h): decimation codes 0 (not in FIFO) .. 7.
    DECIMATION = (0, 1, 2, 3, 4, 8, 16, 32)

    def _make_fifo(self) -> _Fifo:
        return _Fifo(2048, 2)

    def _fifo_rates_mhz(self) -> tuple[int, int]:
        # FIFO_CTRL5 (0Ah) bits 6:3: the FIFO's rate, which must not exceed those of the sensors.
        fifo = self._odr((self._regs[0x0A] >> 3) & 0x0F)
        ctrl3 = self._regs[0x08]
        by_accel = self.DECIMATION[ctrl3 & 7]
        by_gyro = self.DECIMATION[(ctrl3 >> 3) & 7]
        accel = min(fifo, self.accel_odr_mhz) // by_accel if by_accel else 0
        gyro = min(fifo, self.gyro_odr_mhz) // by_gyro if by_gyro else 0
        return accel, gyro

    def _pack(self, counts: Int16Array, slot0: int, step_accel: int, step_gyro: int) -> bytes:
        if step_accel == 1 and step_gyro == 1:
            words = np.empty((len(counts), 6), dtype="<i2")
            words[:, :3] = counts[:, 3:]
            words[:, 3:] = counts[:, :3]
            return words.tobytes()
        packed = bytearray()
        for i, row in enumerate(counts.astype("<i2")):
            if step_gyro and (slot0 + i) % step_gyro == 0:
                packed += row[3:].tobytes()
            if step_accel and (slot0 + i) % step_accel == 0:
                packed += row[:3].tobytes()
        return bytes(packed)

    def _pattern_words(self) -> int:
        """Words until the order of the data sets repeats; 6 for both sensors at one rate."""
        accel, gyro = self._fifo_rates_mhz()
        if not accel or not gyro:
            return 3
        high, low = max(accel, gyro), min(accel, gyro)
        return 3 * (round(high / low) + 1)

    def _refresh_fifo_status(self) -> None:
        level = self._fifo.level
        threshold = self._regs[0x06] | (self._regs[0x07] & 7) << 8
        flags = (level >> 8) & 7
        if threshold and level >= threshold:
            flags |= 0x80
        if self._fifo.overrun:
            flags |= 0x40
        if level + 6 >= self._fifo.depth:
            flags |= 0x20
        if level == 0:
            flags |= 0x10
        pattern = self._fifo.n_out % self._pattern_words()
        self._regs[0x3A] = level & 0xFF
        self._regs[0x3B] = flags
        self._regs[0x3C] = pattern & 0xFF
        self._regs[0x3D] = pattern >> 8


class Lsm6dsox(Lsm6ds):
    """LSM6DSOX. FIFO: 512 words of 7 bytes, a tag and three values::

        78h  bit 7:3 TAG_SENSOR (1 gyroscope, 2 accelerometer)   bit 2:1 TAG_CNT (time slot)   bit 0 TAG_PARITY
        79h..7Eh  X low, X high, Y low, Y high, Z low, Z high

    3B: bit 7 FIFO_WTM_IA, 6 FIFO_OVR_IA, 5 FIFO_FULL_IA, 3 FIFO_OVR_LATCHED, 1:0 DIFF_FIFO[9:8].

    :param accel_first: the order of the two words of a time slot, which ST does not promise
    """

    NAME = "lsm6dsox"
    WHO_AM_I = 0x6C
    RESET_VALUES: ClassVar[dict[int, int]] = {0x0F: 0x6C, 0x12: 0x04, 0x18: 0xE0}
    READ_ONLY = frozenset(
        [0x0F, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, *range(0x20, 0x2E), *range(0x35, 0x44), *range(0x78, 0x7F)]
    )
    FIFO_DATA = 0x78
    FIFO_DATA_END = 0x7E

    def __init__(self, source: SampleSource | None, clock: Clock, rate_ppm: int = 0, accel_first: bool = False) -> None:
        self._accel_first = accel_first
        super().__init__(source, clock, rate_ppm)
        self._tags = {1: self._tag_bytes(1), 2: self._tag_bytes(2)}

    @staticmethod
    def _tag_bytes(sensor: int) -> NDArray[np.uint8]:
        """The tag byte of a sensor for TAG_CNT 0..3, with a parity bit that makes the number of ones even."""
        tags = []
        for count in range(4):
            tag = sensor << 3 | count << 1
            tags.append(tag | (bin(tag).count("1") & 1))
        return np.array(tags, dtype=np.uint8)

    def _make_fifo(self) -> _Fifo:
        return _Fifo(512, 7)

    def _fifo_rates_mhz(self) -> tuple[int, int]:
        # FIFO_CTRL3 (09h): batch rates, low nibble accelerometer, high nibble gyroscope.
        ctrl3 = self._regs[0x09]
        return min(self._odr(ctrl3 & 0x0F), self.accel_odr_mhz), min(self._odr(ctrl3 >> 4), self.gyro_odr_mhz)

    def _pack(self, counts: Int16Array, slot0: int, step_accel: int, step_gyro: int) -> bytes:
        n = len(counts)
        words = np.empty((n, 2, 7), dtype=np.uint8)
        data = np.ascontiguousarray(counts, dtype="<i2").view(np.uint8).reshape(n, 12)
        slots = np.arange(slot0, slot0 + n)
        gyro, accel = (1, 0) if self._accel_first else (0, 1)
        words[:, gyro, 0] = self._tags[1][slots & 3]
        words[:, gyro, 1:] = data[:, 6:]
        words[:, accel, 0] = self._tags[2][slots & 3]
        words[:, accel, 1:] = data[:, :6]
        if step_accel == 1 and step_gyro == 1:
            return words.tobytes()
        keep = np.zeros((n, 2), dtype=bool)
        if step_gyro:
            keep[:, gyro] = slots % step_gyro == 0
        if step_accel:
            keep[:, accel] = slots % step_accel == 0
        return words[keep].tobytes()

    def _refresh_fifo_status(self) -> None:
        level = self._fifo.level
        threshold = self._regs[0x07] | (self._regs[0x08] & 1) << 8
        flags = (level >> 8) & 3
        if threshold and level >= threshold:
            flags |= 0x80
        if self._fifo.overrun:
            flags |= 0x40
        if level >= self._fifo.depth:
            flags |= 0x20
        if self._fifo.overrun_latched:
            flags |= 0x08
        self._regs[0x3A] = level & 0xFF
        self._regs[0x3B] = flags


CHIPS: dict[str, Any] = {Lsm6ds3trc.NAME: Lsm6ds3trc, Lsm6dsox.NAME: Lsm6dsox}
"""Chip classes by the names that the command line uses."""

__all__ = [
    "CHIPS",
    "ArraySource",
    "Lsm6ds",
    "Lsm6ds3trc",
    "Lsm6dsox",
    "SampleSource",
    "StillSource",
    "counts_per_unit",
    "present",
    "quantise",
]
