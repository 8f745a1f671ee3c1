"""The virtual device's USB serial port: in memory, on a pty, or on a TCP socket, with faults at chosen bytes.

The device's end of each has what the firmware uses of ``usb_cdc.Serial`` with both time-outs at 0: ``connected``,
``in_waiting``, ``readinto(buf)`` and ``write(buf)``, none of which ever waits; a write may take less than it is given.
``MemoryPort.host`` is the other end with the surface of pyserial. The host's end of a pty or a socket is opened by
the ordinary host tool (``/dev/pts/N``, ``socket://HOST:PORT``).

``connected`` is DTR on a board. In memory it follows the host's ``open``; on a socket it says whether there is a
client; a pty has no such line and is always connected, which is what a stale DTR looks like.

Not modelled: baud rate, parity, break (USB has none of them), and the boundaries of USB packets.
"""

from __future__ import annotations

import errno
import os
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from serial import SerialException, SerialTimeoutException

from walktall_sim.clock import Clock

BUFFER_BYTES = 1024
"""CircuitPython's buffer each way on nRF."""

Direction = Literal["to_host", "to_device"]
FaultKind = Literal["drop", "duplicate", "corrupt", "delay", "cut"]


class DevicePort(Protocol):
    """What ``Device`` asks of a port."""

    @property
    def connected(self) -> bool:
        """Whether somebody has opened the other end."""

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read now."""

    def readinto(self, buf: bytearray | memoryview) -> int:
        """Read what is there, at most ``len(buf)``: how many bytes."""

    def write(self, buf: bytes | bytearray | memoryview) -> int:
        """Write what there is room for: how many bytes."""


@dataclass(frozen=True)
class Fault:
    """Something that happens to a byte on its way.

    :param direction: which way
    :param at_byte: number of the byte, counted from 0 since the port was made
    :param kind: drop it, send it twice, change it, hold it and all behind it back, or cut the connection before it
    :param value: what ``corrupt`` XORs
    :param delay_us: how long ``delay`` holds back
    """

    direction: Direction
    at_byte: int
    kind: FaultKind
    value: int = 0xFF
    delay_us: int = 100_000


class Line:
    """One direction of a link, with its faults.

    :param clock: for delays
    :param direction: which faults concern it
    """

    def __init__(self, clock: Clock | None, direction: Direction) -> None:
        self._clock = clock
        self._direction = direction
        self._faults: dict[int, list[Fault]] = {}
        self._random: random.Random | None = None
        self._rates = (0.0, 0.0, 0.0)
        self.n_bytes = 0
        """Bytes that have entered this line."""
        self._held: list[tuple[int, bytes]] = []
        self.cut = False
        """A ``cut`` has come: nothing passes any more."""

    def add(self, fault: Fault) -> None:
        """Plan a fault."""
        if fault.direction == self._direction:
            self._faults.setdefault(fault.at_byte, []).append(fault)

    def be_lossy(self, seed: int, drop: float = 0.0, duplicate: float = 0.0, corrupt: float = 0.0) -> None:
        """From here on each byte meets these fates with these probabilities."""
        self._random = random.Random(f"{seed}/{self._direction}")
        self._rates = (drop, duplicate, corrupt)

    def mend(self) -> None:
        """No more faults, and the connection whole again."""
        self._faults.clear()
        self._random = None
        self.cut = False

    def passes(self, data: bytes) -> bytes:
        """What of ``data`` arrives now, with what was held back and is due."""
        if not self._faults and self._random is None and not self._held and not self.cut:
            self.n_bytes += len(data)
            return data
        out = bytearray()
        delay_until = 0
        for byte in data:
            if self.cut:
                break
            faults = self._faults.pop(self.n_bytes, [])
            self.n_bytes += 1
            copies = 1
            for fault in faults:
                if fault.kind == "drop":
                    copies = 0
                elif fault.kind == "duplicate":
                    copies = 2
                elif fault.kind == "corrupt":
                    byte ^= fault.value
                elif fault.kind == "delay":
                    delay_until = self._now_us() + fault.delay_us
                    self._held.append((delay_until, b""))
                else:
                    self.cut = True
                    copies = 0
            if self._random is not None:
                chance = self._random.random()
                drop, duplicate, corrupt = self._rates
                if chance < drop:
                    copies = 0
                elif chance < drop + duplicate:
                    copies += 1
                elif chance < drop + duplicate + corrupt:
                    byte ^= 1 << self._random.randrange(8)
            piece = bytes([byte & 0xFF]) * copies
            if self._held:
                # Bytes do not overtake each other: all from the delayed one on wait with it.
                due, waiting = self._held[-1]
                self._held[-1] = (due, waiting + piece)
            else:
                out += piece
        return bytes(out) if delay_until else self._due(bytes(out))

    def _due(self, fresh: bytes) -> bytes:
        now_us = self._now_us()
        out = bytearray()
        while self._held and self._held[0][0] <= now_us:
            out += self._held.pop(0)[1]
        return bytes(out) + fresh

    def _now_us(self) -> int:
        return 0 if self._clock is None else self._clock.now_us


class _Faulty:
    """The faults of both directions of a port."""

    def __init__(self, clock: Clock | None) -> None:
        self.to_host = Line(clock, "to_host")
        self.to_device = Line(clock, "to_device")

    def inject(self, *faults: Fault) -> None:
        """Plan faults at byte numbers."""
        for fault in faults:
            self.to_host.add(fault)
            self.to_device.add(fault)

    def be_lossy(self, seed: int, drop: float = 0.0, duplicate: float = 0.0, corrupt: float = 0.0) -> None:
        """Random faults both ways, replayable by ``seed``."""
        self.to_host.be_lossy(seed, drop, duplicate, corrupt)
        self.to_device.be_lossy(seed, drop, duplicate, corrupt)


class MemoryPort(_Faulty):
    """Both ends in one process, without threads: while the host waits, it lets the device run.

    :param clock: the host's time-outs are counted on it
    :param pump: lets the device do one step and time pass; called while the host waits
    :param capacity: of the device's buffers each way
    """

    def __init__(self, clock: Clock, pump: Callable[[], None] | None = None, capacity: int = BUFFER_BYTES) -> None:
        super().__init__(clock)
        self.clock = clock
        self.pump = pump
        self.capacity = capacity
        self._to_host = bytearray()
        self._to_device = bytearray()
        self.plugged = True
        self.host = HostEnd(self)

    # The device's end.

    @property
    def connected(self) -> bool:
        """DTR: the host has opened the port and the cable is in."""
        return self.plugged and self.host.is_open and self.host.dtr and not self._is_cut

    @property
    def _is_cut(self) -> bool:
        return self.to_host.cut or self.to_device.cut

    @property
    def in_waiting(self) -> int:
        """Bytes from the host that can be read."""
        self._arrive(b"")
        return len(self._to_device)

    def readinto(self, buf: bytearray | memoryview) -> int:
        """Read what is there."""
        self._arrive(b"")
        n = min(len(buf), len(self._to_device))
        buf[:n] = self._to_device[:n]
        del self._to_device[:n]
        return n

    def write(self, buf: bytes | bytearray | memoryview) -> int:
        """Write what there is room for; without DTR all is taken and the oldest of it overwritten."""
        if not self.connected:
            self._to_host += bytes(buf)
            del self._to_host[: max(0, len(self._to_host) - self.capacity)]
            return len(buf)
        n = min(len(buf), max(0, self.capacity - len(self._to_host)))
        self._to_host += self.to_host.passes(bytes(buf[:n]))
        return n

    def _arrive(self, data: bytes) -> None:
        self._to_device += self.to_device.passes(data)

    # The cable.

    def unplug(self) -> None:
        """Pull the cable: what is on its way is lost."""
        self.plugged = False
        self._to_host.clear()
        self._to_device.clear()

    def plug(self) -> None:
        """Put the cable in again, whole; the host has to open the port anew."""
        self.plugged = True
        self.to_host.mend()
        self.to_device.mend()
        self.host.is_open = False
        self._to_host.clear()
        self._to_device.clear()


class HostEnd:
    """The host's end of a ``MemoryPort``: as much of ``serial.Serial`` as a host tool uses.

    :param port: the other end
    """

    def __init__(self, port: MemoryPort) -> None:
        self._port = port
        self.is_open = False
        self.dtr = True
        self.timeout: float | None = 1.0
        self.write_timeout: float | None = 5.0
        self.port = self.name = "memory"
        self.baudrate = 115200

    def open(self) -> None:
        """Open the port, which raises DTR.

        :raises SerialException: the cable is out
        """
        if not self._port.plugged:
            raise SerialException("could not open port memory: no such device")
        self.is_open = True

    def close(self) -> None:
        """Close the port."""
        self.is_open = False

    def __enter__(self) -> HostEnd:
        if not self.is_open:
            self.open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def in_waiting(self) -> int:
        """Bytes from the device that can be read without waiting."""
        self._check()
        self._port._to_host += self._port.to_host.passes(b"")
        return len(self._port._to_host)

    def read(self, size: int = 1) -> bytes:
        """Up to ``size`` bytes, fewer when the time-out passes.

        :raises SerialException: the connection is gone
        """
        buffer = self._port._to_host
        self._wait(lambda: self.in_waiting >= size, self.timeout)
        n = min(size, len(buffer))
        data = bytes(buffer[:n])
        del buffer[:n]
        return data

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write all of ``data``, waiting for room.

        :raises SerialException: the connection is gone
        :raises SerialTimeoutException: the device does not take it
        """
        self._check()
        data = bytes(data)
        done = 0
        while done < len(data):
            room = self._port.capacity - len(self._port._to_device)
            if room <= 0:
                if not self._wait(lambda: len(self._port._to_device) < self._port.capacity, self.write_timeout):
                    raise SerialTimeoutException("Write timeout")
                continue
            self._port._arrive(data[done : done + room])
            done += min(room, len(data) - done)
        return done

    def flush(self) -> None:
        """Everything is with the device already."""

    def reset_input_buffer(self) -> None:
        """Throw away what has not been read."""
        self._port._to_host.clear()

    def reset_output_buffer(self) -> None:
        """Throw away what the device has not read."""
        self._port._to_device.clear()

    def _check(self) -> None:
        if not self.is_open:
            raise SerialException("Attempting to use a port that is not open")
        if not self._port.plugged or self._port._is_cut:
            raise SerialException("device disconnected")

    def _wait(self, done: Callable[[], bool], timeout_s: float | None) -> bool:
        """Let the device run until ``done`` or the time-out, counted on the board's clock.

        :raises SerialException: the connection went away, or nobody would ever let time pass
        """
        self._check()
        clock = self._port.clock
        start_us = clock.now_us
        while not done():
            self._check()
            if timeout_s is not None and clock.now_us - start_us >= timeout_s * 1_000_000:
                return False
            if self._port.pump is None:
                if timeout_s is None:
                    raise SerialException("nobody drives the device: the wait would last for ever")
                return False
            before_us = clock.now_us
            self._port.pump()
            if clock.now_us == before_us:
                clock.advance_us(1000)
        return True


class PtyPort(_Faulty):
    """The device's end of a pseudo-terminal; ``path`` is what the host tool opens.

    :param link: a symbolic link to make to it, or None
    :raises OSError: this system has no ptys, or the link cannot be made
    """

    def __init__(self, link: str | os.PathLike[str] | None = None, clock: Clock | None = None) -> None:
        super().__init__(clock)
        try:
            import tty
        except ImportError:
            raise OSError(errno.ENOSYS, "this system has no pseudo-terminals: use --tcp") from None
        # The slave end stays open here: else the master reads EIO once the host has closed its end.
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._waiting = bytearray()
        self._outgoing = bytearray()
        self._link = None if link is None else Path(link)
        if self._link is not None:
            try:
                if self._link.is_symlink():
                    self._link.unlink()
                self._link.symlink_to(self.path)
            except OSError:
                self.close()
                raise

    @property
    def connected(self) -> bool:
        """True: a pty does not say whether anybody listens."""
        return not self.to_host.cut and not self.to_device.cut

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read now."""
        self._fill()
        return len(self._waiting)

    def readinto(self, buf: bytearray | memoryview) -> int:
        """Read what is there."""
        if not self._waiting:
            self._fill()
        n = min(len(buf), len(self._waiting))
        buf[:n] = self._waiting[:n]
        del self._waiting[:n]
        return n

    def write(self, buf: bytes | bytearray | memoryview) -> int:
        """Write what the terminal takes."""
        self._drain()
        if self._outgoing:
            return 0
        n = min(len(buf), BUFFER_BYTES)
        self._outgoing += self.to_host.passes(bytes(buf[:n]))
        self._drain()
        return n

    def close(self) -> None:
        """Close both ends and remove the link."""
        if self._master < 0:
            return
        if self._link is not None and self._link.is_symlink() and os.readlink(self._link) == self.path:
            self._link.unlink()
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def __enter__(self) -> PtyPort:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _fill(self) -> None:
        data = b""
        try:
            data = os.read(self._master, 4096)
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.EIO:
                raise
        self._waiting += self.to_device.passes(data)

    def _drain(self) -> None:
        if not self._outgoing:
            self._outgoing += self.to_host.passes(b"")
        while self._outgoing:
            try:
                n = os.write(self._master, self._outgoing)
            except BlockingIOError:
                return
            del self._outgoing[:n]


class TcpPort(_Faulty):
    """The device's end of a TCP connection on this computer: one client at a time, for systems without ptys.

    :param port: 0 picks a free one
    :param host: the address to listen on; nobody else's computer by default
    :raises OSError: the port is taken
    """

    def __init__(self, port: int = 0, host: str = "127.0.0.1", clock: Clock | None = None) -> None:
        super().__init__(clock)
        self._server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if os.name == "posix":
                # On Windows this option would let two servers share the port.
                self._server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._server.bind((host, port))
            self._server.listen(1)
        except (OSError, OverflowError) as error:
            self._server.close()
            raise OSError(f"cannot listen on {host}:{port}: {error}") from None
        self._server.setblocking(False)
        self._client: socket.socket | None = None
        self._waiting = bytearray()
        self._outgoing = bytearray()
        address = self._server.getsockname()
        self.host, self.port = str(address[0]), int(address[1])
        self.path = f"socket://{self.host}:{self.port}"

    @property
    def connected(self) -> bool:
        """Whether there is a client."""
        self._fill()
        return self._client is not None

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read now."""
        self._fill()
        return len(self._waiting)

    def readinto(self, buf: bytearray | memoryview) -> int:
        """Read what is there."""
        if not self._waiting:
            self._fill()
        n = min(len(buf), len(self._waiting))
        buf[:n] = self._waiting[:n]
        del self._waiting[:n]
        return n

    def write(self, buf: bytes | bytearray | memoryview) -> int:
        """Write what the connection takes; without a client all is taken and lost."""
        if self._client is None:
            return len(buf)
        self._drain()
        if self._outgoing:
            return 0
        n = min(len(buf), BUFFER_BYTES)
        self._outgoing += self.to_host.passes(bytes(buf[:n]))
        self._drain()
        return n

    def close(self) -> None:
        """Hang up and stop listening."""
        self._hang_up()
        self._server.close()

    def __enter__(self) -> TcpPort:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        self._waiting.clear()
        self._outgoing.clear()

    def _fill(self) -> None:
        if self._client is None:
            try:
                self._client, _ = self._server.accept()
            except (BlockingIOError, OSError):
                return
            self._client.setblocking(False)
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = b""
        try:
            data = self._client.recv(4096)
            if not data:
                # The client is gone. What it sent before is still read.
                self._client.close()
                self._client = None
                return
        except BlockingIOError:
            pass
        except OSError:
            self._hang_up()
            return
        self._waiting += self.to_device.passes(data)
        if self.to_device.cut or self.to_host.cut:
            self._hang_up()
            self.to_device.mend()
            self.to_host.mend()

    def _drain(self) -> None:
        if not self._outgoing:
            self._outgoing += self.to_host.passes(b"")
        if self.to_host.cut:
            self._hang_up()
            self.to_host.mend()
        while self._outgoing and self._client is not None:
            try:
                n = self._client.send(self._outgoing)
            except BlockingIOError:
                return
            except OSError:
                self._hang_up()
                return
            del self._outgoing[:n]
