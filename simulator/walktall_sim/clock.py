"""Time for the virtual board: one object that every part reads, so that a replay needs no real seconds.

``VirtualClock`` stands still until somebody advances it: the I2C bus by the time its bytes take, the
driver by its sleeps, the board by the time until its next deadline. ``WallClock`` has the same surface and follows
the computer's own clock, for ``walktall-sim serve``. Neither knows of dates: the device has no battery clock.

``ticks_ms()`` behaves as CircuitPython's ``supervisor.ticks_ms()``: it wraps at 2**29, and it starts 65.536 s
before the first wrap, so that code which forgets to wrap fails within minutes and not after six days.
Source: docs.circuitpython.org, ``supervisor.ticks_ms``.
"""

from __future__ import annotations

import time
from typing import Protocol

TICKS_PERIOD = 1 << 29
TICKS_AT_START = TICKS_PERIOD - (1 << 16)
US_PER_S = 1_000_000


class Clock(Protocol):
    """What the parts of the virtual board ask of a clock."""

    @property
    def now_us(self) -> int:
        """Microseconds since the clock was made, never decreasing."""

    def ticks_ms(self) -> int:
        """Milliseconds, 0..2**29-1, wrapping."""

    def advance_us(self, n_us: int) -> None:
        """Let ``n_us`` microseconds pass."""

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""


class VirtualClock:
    """A clock that moves only when told to.

    :param now_us: start, microseconds
    :param ticks_offset_ms: what ``ticks_ms()`` shows at 0
    """

    __slots__ = ("_offset_ms", "now_us")

    def __init__(self, now_us: int = 0, ticks_offset_ms: int = TICKS_AT_START) -> None:
        self.now_us = now_us
        self._offset_ms = ticks_offset_ms

    def ticks_ms(self) -> int:
        """Milliseconds as ``supervisor.ticks_ms()`` gives them, 0..2**29-1."""
        return (self.now_us // 1000 + self._offset_ms) & (TICKS_PERIOD - 1)

    def advance_us(self, n_us: int) -> None:
        """Move on by ``n_us`` microseconds.

        :raises ValueError: time would run backwards
        """
        if n_us < 0:
            raise ValueError("time does not run backwards")
        self.now_us += n_us

    def sleep(self, seconds: float) -> None:
        """Move on by ``seconds``; returns at once."""
        self.advance_us(int(seconds * US_PER_S + 0.5))


class WallClock:
    """A clock that follows the computer's monotonic clock.

    Time that the parts account for themselves (bus transfers) is not slept: the computer takes longer anyway.
    """

    def __init__(self, ticks_offset_ms: int = TICKS_AT_START) -> None:
        self._start_ns = time.monotonic_ns()
        self._offset_ms = ticks_offset_ms

    @property
    def now_us(self) -> int:
        """Microseconds since this clock was made."""
        return (time.monotonic_ns() - self._start_ns) // 1000

    def ticks_ms(self) -> int:
        """Milliseconds as ``supervisor.ticks_ms()`` gives them, 0..2**29-1."""
        return (self.now_us // 1000 + self._offset_ms) & (TICKS_PERIOD - 1)

    def advance_us(self, n_us: int) -> None:
        """Nothing: real time passes by itself."""

    def sleep(self, seconds: float) -> None:
        """Sleep for real."""
        time.sleep(seconds)
