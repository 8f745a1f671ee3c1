"""A walk played through the whole virtual board: registers, FIFO, bus, Adafruit's driver, the ordinary ``Device``.

Beside it stands :class:`CountsImu`, which spares registers, bus and driver but not the device: it delivers the same
counts at the same times, and takes as long to start as the real thing does on the virtual board (measured there).
"""

from __future__ import annotations

import contextlib
import functools
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from walktall import chain, device, events, journal
from walktall.hw import imu

from walktall_sim import chips, engine
from walktall_sim.board import VirtualBoard
from walktall_sim.clock import Clock
from walktall_sim.replay import ACCEL_FS_G, GYRO_FS_DPS, Line, Options, Records, Walk, calibrate, drain, watch
from walktall_sim.serialport import DevicePort

# The sensor starts within half a second; a board that has not by then is broken.
_START_S = 10.0
# The device looks 3 ms behind the sample that it waits for; a pattern under way keeps it from looking for 1.3 s.
_LATE_US = 3_000_000
# Rows made at once where nothing can change them any more.
_AHEAD = 2048


@dataclass(frozen=True, slots=True)
class Times:
    """How long the sensor's driver takes on the virtual board, in microseconds."""

    start_us: int
    power_cycle_us: int
    #: from the FIFO's beginning to the end of a start
    lead_us: int
    check_us: int
    #: of a drain that finds 0, 1, 2 ... samples
    drain_us: tuple[int, ...]
    #: to lie down, to ask whether anything moved, to get up, and to switch the FIFO on
    doze_us: int
    moved_us: int
    wake_us: int
    fifo_us: int
    #: a look while the motor plays
    glance_us: int


@functools.cache
def times_of(chip: str) -> Times:
    """The driver's times, measured on a board of their own."""
    board = VirtualBoard(chip=chip, button=False)
    clock, imu = board.clock, board.imu

    def took_us(what: Callable[[], Any]) -> int:
        begin_us = clock.now_us
        what()
        return clock.now_us - begin_us

    start_us = took_us(imu.start)
    epoch_us = board.chip.epoch_us
    assert epoch_us is not None
    lead_us = clock.now_us - epoch_us
    power_cycle_us = took_us(imu.power_cycle)
    check_us = took_us(imu.check)
    drain_us: dict[int, int] = {}
    period_us = 1_000_000_000 // chips.SOURCE_RATE_MHZ + 1
    for wanted in range(imu.max_samples + 1):
        imu.drain()
        clock.advance_us(wanted * period_us - (drain_us.get(0, 0) if wanted else 0))
        begin_us = clock.now_us
        found = imu.drain()
        drain_us.setdefault(found, clock.now_us - begin_us)
    last = drain_us[0]
    table = []
    for n in range(imu.max_samples + 1):
        last = drain_us.get(n, last)
        table.append(last)
    dozes = [took_us(what) for what in (imu.doze, imu.moved, imu.wake, imu.restart_fifo, imu.glance)]
    return Times(start_us, power_cycle_us, lead_us, check_us, tuple(table), *dozes)


class CountsImu:
    """A sensor without registers: counts of a source, with the surface and the times of ``walktall.hw.imu.Imu``.

    :param counts: of the sensor in whose place it comes, of which the device has standing views
    :param ahead: how many rows may be made before they fall due: none where the wearer's answer may change them
    """

    max_samples = imu.MAX_SAMPLES

    def __init__(self, source: chips.SampleSource, clock: Clock, chip: str, counts: array[int], ahead: int = 0) -> None:
        self.counts = counts
        self.overrun = False
        self._source = source
        self._clock = clock
        self._times = times_of(chip)
        self._epoch_us: int | None = None
        self._next = 0
        self._wake_up = chips.WakeUp()
        self._output = bytes(3)  # what the chip's registers show
        self._looked = b""
        self._looks_alike = 0
        self._glanced: list[int] = []
        #: counts that have fallen due, six a sample
        self._ready = array("h")
        # Rows made already: the number of the first, the counts of those that are there, and how many of these lie
        # before each.
        self._ahead = ahead
        self._made_from = 0
        self._made = array("h")
        self._before = [0]

    def _due(self, at_us: int) -> int:
        """Samples that have fallen due by ``at_us``: sample 0 one period after the FIFO was first switched on."""
        if self._epoch_us is None:
            return 0
        return (at_us - self._epoch_us) * chips.SOURCE_RATE_MHZ // 1_000_000_000

    def start(self) -> None:
        """As the real one; what fell due before is lost."""
        self._begin(self._times.start_us)

    def power_cycle(self) -> None:
        """As the real one: the power taken away, and a start."""
        self._begin(self._times.power_cycle_us)

    def _begin(self, takes_us: int) -> None:
        self._clock.advance_us(takes_us)
        on_us = self._clock.now_us - self._times.lead_us
        if self._epoch_us is None:
            self._epoch_us = on_us
        self._next = max(self._next, self._due(on_us))
        del self._ready[:]

    def doze(self) -> None:
        """As the real one: from here on it only waits for motion."""
        self._wake_up = chips.WakeUp()
        self._next = max(self._next, self._due(self._clock.now_us))
        del self._ready[:]
        self._looks_alike = 0
        self._looked = b""
        self._clock.advance_us(self._times.doze_us)

    def moved(self) -> int:
        """Whether anything moved since the last look; -1 where the sample is the same at each of some looks."""
        due = self._due(self._clock.now_us)
        rows = self._source.block(self._next, max(due - self._next, 0))
        axes = self._wake_up.feed(rows, self._next)
        self._next = max(self._next, due)
        self._clock.advance_us(self._times.moved_us)
        newest = self._source.block(due - 1, 1)
        if len(newest) and chips.present(newest)[0]:
            self._output = bytes(int(v) & 0xFF for v in chips.quantise(newest, 2, GYRO_FS_DPS)[0, :3])
        self._looks_alike = self._looks_alike + 1 if self._looked == self._output else 0
        self._looked = self._output
        if self._looks_alike >= imu._STILL_LOOKS:
            return -1
        return 1 if axes else 0

    def wake(self) -> None:
        """As the real one: it delivers after ``restart_fifo``."""
        self._clock.advance_us(self._times.wake_us)

    def restart_fifo(self) -> None:
        """What falls due from now on is delivered."""
        self._clock.advance_us(self._times.fifo_us)
        self._next = max(self._next, self._due(self._clock.now_us))
        del self._ready[:]

    def glance(self) -> int:
        """Whether the newest sample differs from that of the last glance, and is none that stands at its end."""
        before = self._glanced
        newest = self._source.block(self._due(self._clock.now_us) - 1, 1)
        self._clock.advance_us(self._times.glance_us)
        if len(newest) and chips.present(newest)[0]:
            self._glanced = chips.quantise(newest, ACCEL_FS_G, GYRO_FS_DPS)[0].tolist()
        accel = self._glanced[:3]
        ends = {-32768, 32767}
        if self._glanced == before or not any(accel) or (ends & set(accel) and ends & set(before[:3])):
            return 0
        return 1

    def stop(self) -> None:
        """Nothing to close."""

    def check(self) -> bool:
        """Always well."""
        self._clock.advance_us(self._times.check_us)
        return True

    def drain(self) -> int:
        """Up to ``max_samples`` that have fallen due, decoded into ``counts``: how many."""
        due = self._due(self._clock.now_us)
        if due > self._next:
            self._take(due)
        n = min(len(self._ready) // 6, self.max_samples)
        if n:  # an array of which there are views refuses to be given nothing, too
            self.counts[: 6 * n] = self._ready[: 6 * n]
            del self._ready[: 6 * n]
        self._clock.advance_us(self._times.drain_us[n])
        return n

    def _take(self, due: int) -> None:
        """What falls due before sample ``due`` becomes ready."""
        while self._next < due:
            if not 0 <= self._next - self._made_from < len(self._before) - 1:
                rows = self._source.block(self._next, max(due - self._next, self._ahead))
                if not len(rows):
                    self._next = due
                    return
                there = chips.present(rows)
                # The FIFO has the rates first.
                counts = chips.quantise(rows[there], ACCEL_FS_G, GYRO_FS_DPS)[:, (3, 4, 5, 0, 1, 2)]
                self._made_from, self._made = self._next, array("h", counts.tobytes())
                self._before = [0, *np.cumsum(there).tolist()]
            end = min(due, self._made_from + len(self._before) - 1)
            first, last = self._before[self._next - self._made_from], self._before[end - self._made_from]
            self._ready += self._made[6 * first : 6 * last]
            self._next = end

    def time_of_sample_us(self, index: int) -> int:
        """When sample ``index`` falls due."""
        assert self._epoch_us is not None
        return self._epoch_us + ((index + 1) * 1_000_000_000 + chips.SOURCE_RATE_MHZ - 1) // chips.SOURCE_RATE_MHZ


@contextlib.contextmanager
def _device_with(make: Callable[[Any], Any]) -> Iterator[None]:
    """A ``Device`` that is made meanwhile has the chain that ``make`` makes of its settings."""
    names = vars(device)
    before, names["Chain"] = names["Chain"], make
    try:
        yield
    finally:
        names["Chain"] = before


class WatchedSession:
    """A session that hands each record to ``kept`` when it is finished; a compiled one has no room for that itself."""

    def __init__(self, session: Any, kept: Records) -> None:
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "finish", kept.finish)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._session, name, value)


class Player:
    """A board that wears a walk: turn it with :meth:`step` until :attr:`over`.

    :param registers: False: a :class:`CountsImu` in the place of chip, bus and driver
    :param make: makes the detection chain of its settings
    :param seed: of the ids that the board draws
    """

    def __init__(
        self,
        walk: Walk,
        options: Options,
        *,
        port: DevicePort | None = None,
        clock: Clock | None = None,
        registers: bool = True,
        make: Callable[[Any], Any] = chain.Chain,
        seed: int | str = 1,
    ) -> None:
        self._walk = walk
        self._options = options
        with _device_with(make):
            self.board = VirtualBoard(
                walk.source, options.chip, clock, settings=walk.settings, port=port, button=False, seed=seed
            )
        self.device: Any = self.board.device
        ahead = _AHEAD if walk.source.answer_s is None else 0
        self._counts = None
        if not registers:
            counts = self.device._imu.counts
            self._counts = CountsImu(walk.source, self.board.clock, options.chip, counts, ahead)
            self.device._imu = self._counts
        self.kept = Records(self.device.session)
        self.device.session = WatchedSession(self.device.session, self.kept)
        calibrate(self.device.chain, walk)
        watch(self.device.chain, options)
        self._keep_calibration()
        # Whole ticks: what is left over closes none, and the device does not wake for it.
        self._n = walk.n - walk.n % events.TICK_SAMPLES

    def _keep_calibration(self) -> None:
        """The upright into the journal's image, where the device keeps the one that its own calibration finds."""
        device = self.device
        kept = device.journal.calibration
        for index in range(6):
            kept[journal.CAL_UP + index] = device.chain.upright[index]
        kept[journal.CAL_QUALITY] = device.chain.calibration_quality

    def step(self) -> list[Line]:
        """One turn; the events that it brought."""
        self.board.step()
        ring = self.device.ring
        return drain(ring, self._walk, self._options) if len(ring) else []

    @property
    def over(self) -> bool:
        """Whether the device has seen the walk to its end."""
        if self.device.chain.n_samples >= self._n and not self.device.buzzing:
            return True
        now_us = self.board.clock.now_us
        if not self.device._sensor_met:
            return now_us > _START_S * 1_000_000
        sensor = self._counts or self.board.chip
        return now_us > sensor.time_of_sample_us(max(self._walk.n - 1, 0)) + _LATE_US

    def leave(self) -> list[Line]:
        """Take the clip off: the session ends with the recording's last sample. The events that this brought."""
        device = self.device
        # What went missing after the recording's end is no gap of the walk.
        device._gap = max(0, min(device._gap, self._walk.n - device.chain.n_samples))
        device.end_session(0, False, True)
        return drain(device.ring, self._walk, self._options)


def play_full(walk: Walk, options: Options) -> Iterator[Line]:
    """Events of one walk, then its summary: through the virtual board."""
    return _played(Player(walk, options), walk, options)


def play_counts(walk: Walk, options: Options) -> Iterator[Line]:
    """Events of one walk, then its summary: the ordinary device on bare counts, around the chain that is selected."""
    # Who looks at each tick does so in Python.
    make = chain.Chain if options.watch is not None else engine.select().make
    return _played(Player(walk, options, registers=False, make=make), walk, options)


def _played(player: Player, walk: Walk, options: Options) -> Iterator[Line]:
    yield from drain(player.device.ring, walk, options)
    while not player.over:
        yield from player.step()
    yield from player.leave()
    yield from player.kept.summaries()
