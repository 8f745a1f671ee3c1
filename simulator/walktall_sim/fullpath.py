"""A walk played through the whole virtual board: registers, FIFO, bus, Adafruit's driver, the ordinary ``Device``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from walktall import events, journal
from walktall_sim.board import VirtualBoard
from walktall_sim.clock import Clock
from walktall_sim.replay import Line, Options, Records, Walk, calibrate, drain
from walktall_sim.serialport import DevicePort

# The sensor starts within half a second; a board that has not by then is broken.
_START_S = 10.0
# The device looks 3 ms behind the sample that it waits for; a pattern under way keeps it from looking for 1.3 s.
_LATE_US = 3_000_000


class Player:
    """A board that wears a walk: turn it with :meth:`step` until :attr:`over`."""

    def __init__(
        self, walk: Walk, options: Options, *, port: DevicePort | None = None, clock: Clock | None = None
    ) -> None:
        self._walk = walk
        self._options = options
        self.board = VirtualBoard(
            walk.source, options.chip, clock, settings=walk.settings, port=port, button=False, seed=1
        )
        self.device: Any = self.board.device
        self.kept = Records(self.device.session)
        calibrate(self.device.chain, walk)
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
        epoch_us = self.board.chip.epoch_us
        now_us = self.board.clock.now_us
        if epoch_us is None:
            return now_us > _START_S * 1_000_000
        return now_us > self.board.chip.time_of_sample_us(max(self._walk.n - 1, 0)) + _LATE_US

    def leave(self) -> list[Line]:
        """Take the clip off: the session ends with the recording's last sample. The events that this brought."""
        device = self.device
        # What went missing after the recording's end is no gap of the walk.
        device._gap = max(0, min(device._gap, self._walk.n - device.chain.n_samples))
        device.end_session(0, False, True)
        return drain(device.ring, self._walk, self._options)


def play_full(walk: Walk, options: Options) -> Iterator[Line]:
    """Events of one walk, then its summary: through the virtual board."""
    player = Player(walk, options)
    yield from drain(player.device.ring, walk, options)
    while not player.over:
        yield from player.step()
    yield from player.leave()
    yield from player.kept.summaries()
