"""The pins that the firmware drives: a PWM output that records its edges, and plain digital pins.

``PwmOut`` has the surface of ``pwmio.PWMOut`` that the motor driver uses. What the motor does to the sensor (it shakes
it) is the source's business: ``is_running`` and ``edges`` tell when it turned.
"""

from __future__ import annotations

from collections.abc import Callable

from walktall_sim.clock import Clock


class PwmOut:
    """A PWM output whose changes of duty are kept with their times.

    :param clock: the board's
    :param on_edge: called with (time in us, duty) at each change
    """

    def __init__(self, clock: Clock, on_edge: Callable[[int, int], None] | None = None, frequency: int = 20000) -> None:
        self._clock = clock
        self._duty = 0
        self._on_edge = on_edge
        self.frequency = frequency
        self.edges: list[tuple[int, int]] = []
        """(time in us, duty 0..65535) of each change."""

    @property
    def duty_cycle(self) -> int:
        """0..65535."""
        return self._duty

    @duty_cycle.setter
    def duty_cycle(self, duty_u16: int) -> None:
        if not 0 <= duty_u16 <= 0xFFFF:
            raise ValueError("duty_cycle must be 0-65535")
        if duty_u16 == self._duty:
            return
        self._duty = duty_u16
        now_us = self._clock.now_us
        self.edges.append((now_us, duty_u16))
        if self._on_edge is not None:
            self._on_edge(now_us, duty_u16)

    @property
    def is_running(self) -> bool:
        """Whether the motor is driven now."""
        return self._duty > 0

    def deinit(self) -> None:
        """The pin goes back to being nothing: the gate's pull-down stops the motor."""
        self.duty_cycle = 0


class DigitalOut:
    """A digital output.

    :param value: at the start
    :param on_change: called with the new value
    """

    def __init__(self, value: bool = False, on_change: Callable[[bool], None] | None = None) -> None:
        self._value = value
        self._on_change = on_change

    @property
    def value(self) -> bool:
        """High or low."""
        return self._value

    @value.setter
    def value(self, value: bool) -> None:
        value = bool(value)
        if value == self._value:
            return
        self._value = value
        if self._on_change is not None:
            self._on_change(value)

    def deinit(self) -> None:
        """Nothing to give back."""


class ButtonScript:
    """A button with presses planned beforehand; ``pressed`` reads the clock.

    :param clock: the board's
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._presses: list[tuple[int, int]] = []

    def press(self, at_us: int, duration_us: int = 150_000) -> None:
        """Press at ``at_us`` for ``duration_us``."""
        self._presses.append((at_us, at_us + duration_us))
        self._presses.sort()

    @property
    def pressed(self) -> bool:
        """Whether it is held down now."""
        now_us = self._clock.now_us
        while self._presses and self._presses[0][1] <= now_us:
            self._presses.pop(0)
        return bool(self._presses) and self._presses[0][0] <= now_us

    @property
    def next_change_us(self) -> int | None:
        """When it will next go down or up, if that is planned."""
        now_us = self._clock.now_us
        changes = [t for press in self._presses for t in press if t > now_us]
        return min(changes) if changes else None
