"""A virtual I2C bus with the surface of ``busio.I2C`` that Adafruit's ``I2CDevice`` uses.

Each transfer moves the clock on by the time that its bits take at 400 kHz: start, stop, and nine bits for the
address and every byte. So a driver that polls a register until a bit clears does get to the end of its loop.

What goes wrong on a real bus goes wrong here: nobody answers (``ENODEV`` at once), the bus is held low or its pull-ups
have lost their supply (``ETIMEDOUT`` after one second, as CircuitPython's ports do), a transfer without the lock
(``RuntimeError``). Clock stretching, arbitration and 10-bit addresses are not modelled.
"""

from __future__ import annotations

import errno
from array import array
from typing import Protocol, TypeAlias

from walktall_sim.clock import Clock

WritableBuffer: TypeAlias = "bytearray | memoryview | array[int]"
# What a chip fills: bytes, whatever the caller handed to the bus.
ByteBuffer: TypeAlias = bytearray | memoryview
ReadableBuffer: TypeAlias = bytes | bytearray | memoryview

# CircuitPython's I2C gives up after a second (facts: "reads raise OSError after up to 1 s").
TIMEOUT_US = 1_000_000
# 400 kHz: 2.5 us a bit. 9 bits a byte (8 and the acknowledge), 2 bit times for start and stop.
_HALF_US_PER_BIT = 5


class I2cTarget(Protocol):
    """A chip on the bus."""

    @property
    def answers(self) -> bool:
        """Whether the chip acknowledges its address now."""

    @property
    def holds_bus(self) -> bool:
        """Whether the chip (or its missing supply) keeps the lines low."""

    def write(self, data: bytes, at_us: int) -> None:
        """Take the bytes of a write transfer that began at ``at_us``."""

    def read_into(self, buf: ByteBuffer, start: int, end: int, at_us: int) -> None:
        """Fill ``buf[start:end]``, the transfer having begun at ``at_us``."""


def transfer_us(n_bytes: int) -> int:
    """Microseconds that ``n_bytes`` (addresses included) take on the bus, rounded up."""
    return ((9 * n_bytes + 2) * _HALF_US_PER_BIT + 1) // 2


def _bytewise(buffer: WritableBuffer, start: int, end: int) -> tuple[ByteBuffer, int, int]:
    """The same part of a buffer in bytes: CircuitPython counts elements, wider ones in an array."""
    if isinstance(buffer, bytearray):
        return buffer, start, end
    view = memoryview(buffer)
    return (view, start, end) if view.itemsize == 1 else (view.cast("B"), view.itemsize * start, view.itemsize * end)


class VirtualI2C:
    """The bus.

    :param clock: advanced by each transfer
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._targets: dict[int, I2cTarget] = {}
        self._locked = False
        self._open = True
        self.stuck = False
        """Somebody outside holds the bus low."""
        self.n_transfers = 0
        self._break_after = -1

    def break_next_burst(self, after_bytes: int) -> None:
        """Fault: the next read of more than 8 bytes fails when ``after_bytes`` of them have left the chip."""
        self._break_after = after_bytes

    def attach(self, address: int, target: I2cTarget) -> None:
        """Put ``target`` on the bus under the 7-bit ``address``."""
        self._targets[address] = target

    # The surface of busio.I2C.

    def try_lock(self) -> bool:
        """Take the lock: True if it was free."""
        if self._locked or not self._open:
            return False
        self._locked = True
        return True

    def unlock(self) -> None:
        """Give the lock back."""
        self._locked = False

    def deinit(self) -> None:
        """Close the bus; ``reopen`` opens it again, as making a new ``busio.I2C`` does."""
        self._open = False
        self._locked = False

    def reopen(self) -> VirtualI2C:
        """The bus as a new ``busio.I2C`` on the same pins would be.

        :raises RuntimeError: the lines are low: CircuitPython finds no pull-ups
        """
        if self._held():
            raise RuntimeError("No pull up found on SDA or SCL; check your wiring")
        self._open = True
        self._locked = False
        return self

    def scan(self) -> list[int]:
        """Addresses that answer, ascending."""
        self._check()
        found = []
        for address in sorted(self._targets):
            if self._targets[address].answers:
                found.append(address)
        self._clock.advance_us(transfer_us(1) * 112)  # CircuitPython tries 0x08..0x77
        return found

    def writeto(self, address: int, buffer: ReadableBuffer, *, start: int = 0, end: int | None = None) -> None:
        """Write ``buffer[start:end]`` to the chip; an empty write asks whether it is there.

        :raises OSError: nobody answers, or the bus is stuck
        """
        target = self._select(address)
        data = bytes(buffer[start : len(buffer) if end is None else end])
        at_us = self._clock.now_us
        self._clock.advance_us(transfer_us(1 + len(data)))
        if data:
            target.write(data, at_us)

    def readfrom_into(self, address: int, buffer: WritableBuffer, *, start: int = 0, end: int | None = None) -> None:
        """Read into ``buffer[start:end]``.

        :raises OSError: nobody answers, or the bus is stuck
        """
        target = self._select(address)
        if end is None:
            end = len(buffer)
        buffer, start, end = _bytewise(buffer, start, end)
        at_us = self._clock.now_us
        self._clock.advance_us(transfer_us(1 + end - start))
        target.read_into(buffer, start, end, at_us)

    def writeto_then_readfrom(
        self,
        address: int,
        out_buffer: ReadableBuffer,
        in_buffer: WritableBuffer,
        *,
        out_start: int = 0,
        out_end: int | None = None,
        in_start: int = 0,
        in_end: int | None = None,
    ) -> None:
        """Write, then read with a repeated start: how registers are read.

        :raises OSError: nobody answers, or the bus is stuck
        """
        target = self._select(address)
        if out_end is None:
            out_end = len(out_buffer)
        if in_end is None:
            in_end = len(in_buffer)
        in_buffer, in_start, in_end = _bytewise(in_buffer, in_start, in_end)
        written_us = transfer_us(1 + out_end - out_start)
        breaks = 0 <= self._break_after < in_end - in_start > 8
        if breaks:
            in_end = in_start + self._break_after
            self._break_after = -1
        at_us = self._clock.now_us
        target.write(bytes(out_buffer[out_start:out_end]), at_us)
        target.read_into(in_buffer, in_start, in_end, at_us + written_us)
        self._clock.advance_us(written_us + transfer_us(1 + in_end - in_start))
        if breaks:
            raise OSError(errno.EIO, "I2C transfer broken off")

    def _held(self) -> bool:
        if self.stuck:
            return True
        return any(target.holds_bus for target in self._targets.values())

    def _check(self) -> None:
        if not self._open:
            raise ValueError("Object has been deinitialized and can no longer be used. Create a new object.")
        if not self._locked:
            raise RuntimeError("Function requires lock")

    def _select(self, address: int) -> I2cTarget:
        """The chip that acknowledges ``address``."""
        if not self._locked or not self._open:
            self._check()
        self.n_transfers += 1
        if self._held():
            self._clock.advance_us(TIMEOUT_US)
            raise OSError(errno.ETIMEDOUT, "I2C bus is held low")
        target = self._targets.get(address)
        if target is None or not target.answers:
            self._clock.advance_us(transfer_us(1))
            raise OSError(errno.ENODEV, f"no I2C device at address 0x{address:02x}")
        return target
