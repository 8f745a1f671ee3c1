"""A recording from a real sensor: an LSM6DS3TR-C or LSM6DSOX breakout on a Raspberry Pi, or on a PC by an I2C bridge.

The chip is driven by the firmware's own ``walktall.hw.imu`` over adafruit-blinka: the same ranges, the same FIFO, so
that nothing is lost between two looks, and what is lost is seen. The chip has a clock of its own, a few percent off:
the times of the samples are the straight line through what this computer's clock said at each look, one rate for the
whole recording and a start for each stretch without a loss. A gap between two stretches is as long as the computer's
clock says.

Nothing is written before the end, and then the file is whole. Who cancels gets what was measured until then.
"""

from __future__ import annotations

import os
import sys
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from walktall.hw.imu import Imu

from walktall_sim import chips, mounting, recordings, resample
from walktall_sim.recordings import Floats
from walktall_sim.whole import write_whole

#: bridges that Blinka finds only when it is told of them, and the variable that tells it
BRIDGES = {"auto": "", "mcp2221": "BLINKA_MCP2221", "ft232h": "BLINKA_FT232H"}
KINDS = (".csv", ".csv.gz", ".parquet")
# The FIFO holds 6 s; four looks a second are far from that and leave the bus alone.
LOOK_S = 0.25
_CHECK_S = 1.0
_RETRY_S = 0.5
_GIVE_UP_S = 10.0
# A line through less than this says little of the chip's clock, which is within 5 % of what it should be.
_LEAST_LINE_S = 5.0
_MOST_OFF = 0.05


class RecordError(ValueError):
    """The recording cannot be made as it was asked for; the text is one line."""


class NoSensorError(RecordError):
    """There is no such sensor, or no bus that it could be on."""


def kind_of(out: Path) -> str:
    """'.csv', '.csv.gz' or '.parquet', by the name.

    :raises RecordError: another, or it cannot be written there
    """
    kind = next((end for end in KINDS if out.name.lower().endswith(end)), None)
    if kind is None:
        raise RecordError(f"--out {out}: the name must end in {', '.join(KINDS)}")
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise RecordError(f"--out {out}: cannot be written there")
    return kind


# --- the bus ------------------------------------------------------------------------------------------------------


class ByteBus:
    """Blinka's ``busio.I2C`` with the surface that CircuitPython's has.

    CircuitPython fills an array of 16-bit numbers and counts its bounds in them, which is how the firmware empties the
    FIFO; Blinka fills any buffer byte by byte. Here such a buffer is read as bytes and put in place, low byte first.
    """

    def __init__(self, i2c: Any) -> None:
        self._i2c = i2c
        self.try_lock: Callable[[], bool] = i2c.try_lock
        self.unlock: Callable[[], None] = i2c.unlock
        self.deinit: Callable[[], None] = i2c.deinit
        self.scan: Callable[[], list[int]] = i2c.scan
        self.writeto: Callable[..., None] = i2c.writeto
        self.readfrom_into: Callable[..., None] = i2c.readfrom_into

    def writeto_then_readfrom(
        self,
        address: int,
        out_buffer: Any,
        in_buffer: Any,
        *,
        out_start: int = 0,
        out_end: int | None = None,
        in_start: int = 0,
        in_end: int | None = None,
    ) -> None:
        """Write, then read with a repeated start."""
        out_end = len(out_buffer) if out_end is None else out_end
        in_end = len(in_buffer) if in_end is None else in_end
        size = memoryview(in_buffer).itemsize
        data = bytearray(size * (in_end - in_start))
        self._i2c.writeto_then_readfrom(
            address, out_buffer, data, out_start=out_start, out_end=out_end, in_start=0, in_end=len(data)
        )
        if size == 2 and sys.byteorder == "big":
            data[0::2], data[1::2] = data[1::2], data[0::2]
        memoryview(in_buffer).cast("B")[size * in_start : size * in_end] = data


def open_bus(bridge: str) -> Callable[[], Any]:
    """What opens the board's I2C bus, anew at each call.

    :param bridge: one of :data:`BRIDGES`; 'auto' is what Blinka finds, a Raspberry Pi's pins for one
    :raises NoSensorError: Blinka knows of no board here, or of no bus on it
    """
    if BRIDGES[bridge]:
        os.environ.setdefault(BRIDGES[bridge], "1")
    try:
        import board
    except ModuleNotFoundError as error:
        if error.name == "board":
            raise
        package = {"hid": "hidapi", "pyftdi": "pyftdi", "usb": "pyusb"}.get(error.name or "", error.name)
        raise NoSensorError(f"the {bridge} bridge needs one more package: pip install {package}") from None
    except Exception as error:
        # What Blinka raises where it knows no board, or a bridge is not there, depends on the board.
        raise NoSensorError(f"no board with I2C is found here ({_first_line(error)}); see --bridge") from None

    def bus() -> Any:
        try:
            return ByteBus(board.I2C())
        except Exception as error:
            raise NoSensorError(f"the I2C bus cannot be opened ({_first_line(error)})") from None

    return bus


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].strip().rstrip(".")


# --- recording ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Stretch:
    """Samples without a loss: counts, six a sample, and at each look the clock and how many there were by then."""

    counts: array[int] = field(default_factory=lambda: array("h"))
    at_s: list[float] = field(default_factory=list)
    by_then: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.counts) // 6


@dataclass(frozen=True, slots=True)
class State:
    """How a recording stands: seconds since its start, samples, stretches lost, and the last look's mean force in g."""

    seconds: float
    samples: int
    gaps: int
    force_g: tuple[float, float, float]


class Recorder:
    """Gathers samples from a sensor until it is told to stop.

    :param imu: ``walktall.hw.imu.Imu``, not yet started
    :param clock: seconds that never go back
    :param sleep: waits so many seconds
    """

    def __init__(self, imu: Any, clock: Callable[[], float] = time.monotonic, sleep: Any = time.sleep) -> None:
        self._imu = imu
        self._clock = clock
        self._sleep = sleep
        self._stretches: list[_Stretch] = []
        self._force: tuple[float, float, float] = (0.0, 0.0, 0.0)
        self.lost_contact = ""

    def start(self) -> None:
        """Find the sensor and set it going.

        :raises NoSensorError: nobody answers, or somebody else
        """
        try:
            self._imu.start()
        except NoSensorError:
            raise
        except (OSError, RuntimeError, ValueError) as error:
            why = f"no LSM6DS3TR-C or LSM6DSOX answers on the bus ({_first_line(error)})"
            raise NoSensorError(f"{why}; check power, SDA, SCL and --address") from None
        self._stretches = [_Stretch()]

    def run(self, seconds: float | None, tell: Callable[[State], None] = lambda _: None) -> None:
        """Record for so long, or until an exception (Ctrl-C) comes; what there is stays.

        :param tell: called at each look
        """
        began = checked = self._clock()
        while True:
            now = self._clock()
            if seconds is not None and now - began >= seconds:
                break
            left = LOOK_S if seconds is None else min(LOOK_S, max(began + seconds - now, 0.001))
            self._sleep(left)
            try:
                self._look()
                now = self._clock()
                if now - checked >= _CHECK_S:
                    checked = now
                    if not self._imu.check():
                        # It has quietly lost its settings: what it measures since is not what it says.
                        self._begin_anew()
            except (OSError, RuntimeError):
                if not self._find_again():
                    self.lost_contact = f"the sensor has not answered for {_GIVE_UP_S:g} s"
                    break
            samples = sum(len(one) for one in self._stretches)
            gaps = sum(1 for one in self._stretches if len(one)) - 1
            tell(State(self._clock() - began, samples, max(gaps, 0), self._force))

    def _look(self) -> None:
        """Empty the FIFO."""
        imu, stretch = self._imu, self._stretches[-1]
        fresh = array("h")
        while n := imu.drain():
            if imu.overrun:
                break
            fresh.extend(imu.counts[: 6 * n])
        if imu.overrun:
            # Samples are missing somewhere in what came: none of it can be given a time.
            self._begin_anew()
            return
        if not fresh:
            return
        stretch.counts.extend(fresh)
        stretch.at_s.append(self._clock())
        stretch.by_then.append(len(stretch))
        scale = chips.counts_per_unit(4, 500)[:3] * mounting.G
        mean = np.asarray(fresh, dtype=np.float64).reshape(-1, 6)[:, 3:].mean(axis=0) / scale
        self._force = (float(mean[0]), float(mean[1]), float(mean[2]))

    def _begin_anew(self) -> None:
        self._imu.start()
        self._stretches.append(_Stretch())

    def _find_again(self) -> bool:
        """Whether a sensor that fell silent answers again in time."""
        began = self._clock()
        while self._clock() - began < _GIVE_UP_S:
            self._sleep(_RETRY_S)
            try:
                self._begin_anew()
                return True
            except (OSError, RuntimeError, ValueError):
                continue
        return False

    def stop(self) -> None:
        """Let go of the sensor."""
        try:
            self._imu.switch_off()
        except (OSError, RuntimeError, ValueError):
            pass

    # --- what was measured ---

    def rows(self) -> Floats:
        """What was measured, as a recording holds it (n, 7), from 0 s on; (0, 7) where there is nothing."""
        kept = [one for one in self._stretches if len(one.at_s) > 1 and len(one) > 1]
        if not kept:
            return np.empty((0, 7))
        period_s = 1.0 / self.rate_hz()
        scale = chips.counts_per_unit(4, 500)
        parts = []
        for one in kept:
            at_s, by_then = np.asarray(one.at_s), np.asarray(one.by_then)
            # The newest sample at a look is at most a period old, half of one on the average. The first look is left
            # out of it: what the FIFO held before it was begun anew may have waited.
            start_s = float(np.mean(at_s[1:] - by_then[1:] * period_s)) - 0.5 * period_s
            t_s = start_s + (1.0 + np.arange(len(one))) * period_s
            counts = np.asarray(one.counts, dtype=np.float64).reshape(-1, 6)
            parts.append(np.column_stack([t_s, counts[:, 3:] / scale[:3], counts[:, :3] / scale[3:]]))
        rows = np.concatenate(parts)
        rows[:, 0] -= rows[0, 0]
        # Two stretches a hair apart must not swap.
        rows[:, 0] = np.maximum.accumulate(rows[:, 0])
        return rows

    def rate_hz(self) -> float:
        """Samples a second by this computer's clock; the chip's own figure where too little is known."""
        top = bottom = 0.0
        for one in self._stretches:
            if len(one.at_s) < 3 or one.at_s[-1] - one.at_s[0] < _LEAST_LINE_S:
                continue
            x, y = np.asarray(one.at_s), np.asarray(one.by_then, dtype=np.float64)
            top += float((x - x.mean()) @ (y - y.mean()))
            bottom += float((x - x.mean()) @ (x - x.mean()))
        rate = top / bottom if bottom else resample.CHIP_HZ
        return rate if abs(rate / resample.CHIP_HZ - 1.0) <= _MOST_OFF else resample.CHIP_HZ

    @property
    def gaps(self) -> int:
        """Times when samples were lost."""
        return max(sum(1 for one in self._stretches if len(one.at_s) > 1) - 1, 0)


def write(rows: Floats, out: Path) -> None:
    """Write a recording, whole or not at all.

    :raises RecordError: it cannot be written
    """
    import gzip
    import io

    frame = pl.DataFrame({name: np.round(rows[:, at], 6) for at, name in enumerate(recordings.NEEDED)})
    data = io.BytesIO()
    if kind_of(out) == ".parquet":
        frame.write_parquet(data)
    else:
        frame.write_csv(data)
    packed = gzip.compress(data.getvalue(), 6, mtime=0) if kind_of(out) == ".csv.gz" else data.getvalue()
    try:
        write_whole(out, packed)
    except OSError as error:
        raise RecordError(f"--out {out}: cannot be written ({error.strerror})") from None


def sensor(bridge: str, address: int) -> Any:
    """The firmware's own driver on this computer's I2C bus.

    :raises NoSensorError: there is no bus
    """
    return Imu(open_bus(bridge), address)
