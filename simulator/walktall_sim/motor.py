"""What the firmware drives: a PWM output that records its edges, a haptic driver chip, plain digital pins, a button.

``PwmOut`` has the surface of ``pwmio.PWMOut`` that the motor driver uses. ``Drv2605l`` is TI's chip by the registers
that real-time playback needs; its waveform sequencer is not modelled. What the motor does to the sensor (it shakes it)
is the source's business: ``is_running``, ``edges`` and ``pulses`` tell when it turned.
"""

from __future__ import annotations

from collections.abc import Callable

from walktall_sim.bus import ByteBuffer
from walktall_sim.clock import Clock

REST_US = 5_000
"""A rest of the drive that is shorter is none between pulses: the firmware glances at the sensor meanwhile."""


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

    @property
    def pulses(self) -> list[tuple[int, int]]:
        """(begin, end) in us of each pulse that is over, as they are felt: shorter rests than ``REST_US`` are not."""
        told: list[tuple[int, int]] = []
        begin_us = -1
        for at_us, duty_u16 in self.edges:
            if not duty_u16:
                told.append((begin_us, at_us))
                begin_us = -1
            elif begin_us < 0:
                begin_us = at_us
                if told and at_us - told[-1][1] < REST_US:
                    begin_us = told.pop()[0]
        return told

    def deinit(self) -> None:
        """The pin goes back to being nothing: the gate's pull-down stops the motor."""
        self.duty_cycle = 0


class Drv2605l:
    """A DRV2605L on the I2C bus (address 5A) with a motor behind it.

    STATUS (00h) bits 7:5: 7, the DRV2605L. MODE (01h) bits 2:0: 5 is real-time playback, bit 6 standby, bit 7 reset.
    RTP_INPUT (02h): signed drive while in real-time playback. Source: TI SLOS854, register map.

    :param out: the motor; its duty is RTP_INPUT / 127
    """

    ADDRESS = 0x5A
    answers = True
    holds_bus = False

    def __init__(self, out: PwmOut) -> None:
        self.out = out
        self.registers = bytearray(64)
        self._pointer = 0
        self.reset()

    def reset(self) -> None:
        """Power-on: standby, nothing driven."""
        self.registers[:] = bytes(64)
        self.registers[0x00] = 0xE0
        self.registers[0x01] = 0x40
        self.registers[0x1A] = 0x36
        self.registers[0x1D] = 0xA0
        self._drive()

    def write(self, data: bytes, at_us: int) -> None:
        """First byte: register; the rest is written from there on."""
        self._pointer = data[0] & 0x3F
        for value in data[1:]:
            if self._pointer == 0x01 and value & 0x80:
                self.reset()
            elif self._pointer != 0x00:
                self.registers[self._pointer] = value
            self._pointer = (self._pointer + 1) & 0x3F
        self._drive()

    def read_into(self, buf: ByteBuffer, start: int, end: int, at_us: int) -> None:
        """Registers from the pointer on."""
        for i in range(start, end):
            buf[i] = self.registers[self._pointer]
            self._pointer = (self._pointer + 1) & 0x3F

    def _drive(self) -> None:
        rtp = self.registers[0x02]
        playing = self.registers[0x01] & 0x47 == 5
        # Negative values (bit 7) brake in this mode; they do not turn the motor here.
        self.out.duty_cycle = rtp * 65535 // 127 if playing and rtp < 128 else 0


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
