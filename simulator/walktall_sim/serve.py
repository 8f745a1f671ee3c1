"""The virtual device on a serial port: it wears a recorded walk, and the ordinary host tool talks to it.

At speed 1 the walk is played in real time and the port is open from the start; at speed max it is played first, as
fast as the computer can, and then the port is opened, its clock going on from there. When the walk is over the clip is
taken off: its session ends, it lies still on the desk, on the computer's cable, and answers until it is interrupted.

Its ids come of the walk and of how it is worn: the same one served again is the same clip, with nothing new to fetch,
and another one is another clip, so that a host keeps both.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import numpy as np

from walktall_sim.chips import StillSource
from walktall_sim.clock import TICKS_AT_START, TICKS_PERIOD
from walktall_sim.fullpath import Player
from walktall_sim.replay import Line, Options, Walk, walks
from walktall_sim.serialport import DevicePort, PtyPort, TcpPort
from walktall_sim.source import Floats, WalkSource

_US_PER_S = 1_000_000
# Rows that are read at once for the digest.
_ROWS = 1 << 14


class ServeError(ValueError):
    """The port cannot be opened; the text is one line."""


class PacedClock:
    """A virtual clock that can be handed over to real time: after :meth:`pace` it follows the computer's clock."""

    def __init__(self) -> None:
        self._base_us = 0
        self._since_ns: int | None = None

    @property
    def now_us(self) -> int:
        """Microseconds since the clock was made, never decreasing."""
        if self._since_ns is None:
            return self._base_us
        return self._base_us + (time.monotonic_ns() - self._since_ns) // 1000

    def ticks_ms(self) -> int:
        """Milliseconds, 0..2**29-1, wrapping."""
        return (self.now_us // 1000 + TICKS_AT_START) & (TICKS_PERIOD - 1)

    def advance_us(self, n_us: int) -> None:
        """Let time pass; real time passes by itself."""
        if self._since_ns is None:
            self._base_us += n_us

    def sleep(self, seconds: float) -> None:
        """Let time pass, in real time by waiting for it."""
        if self._since_ns is None:
            self._base_us += int(seconds * _US_PER_S + 0.5)
        elif seconds > 0.0:
            time.sleep(seconds)

    def pace(self) -> None:
        """From here on real time."""
        if self._since_ns is None:
            self._since_ns = time.monotonic_ns()


class LatePort:
    """A port whose cable is put in later: until then nobody is connected."""

    def __init__(self) -> None:
        self.cable: DevicePort | None = None

    @property
    def connected(self) -> bool:
        """Whether somebody has opened the other end."""
        return self.cable is not None and self.cable.connected

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read now."""
        return 0 if self.cable is None else self.cable.in_waiting

    def readinto(self, buf: bytearray | memoryview) -> int:
        """Read what is there: how many bytes."""
        return 0 if self.cable is None else self.cable.readinto(buf)

    def write(self, buf: bytes | bytearray | memoryview) -> int:
        """Write what there is room for; without a cable all is taken and lost."""
        return len(buf) if self.cable is None else self.cable.write(buf)


class WornThenStill(WalkSource):
    """A walk, and after its end a clip that lies on the desk: a silent sensor would be started again and again."""

    def __init__(self, walk: WalkSource) -> None:
        super().__init__(
            walk._values, walk.t0_s, frame=walk._frame, turns=walk.turns, answer_s=walk.answer_s, rate_hz=walk.rate_hz
        )
        self._desk = StillSource()

    def block(self, i0: int, n: int) -> Floats:
        """Rows ``i0 .. i0+n-1`` (n, 6); there is no end."""
        rows = super().block(i0, n)
        if len(rows) == n:
            return rows
        return np.concatenate([rows, self._desk.block(i0 + len(rows), n - len(rows))])


def seed_of(walk: Walk, options: Options) -> str:
    """What a walk's ids come of, 64 hexadecimal digits: all that the clip is to feel, and how it is set.

    The name of the recording has no part in it: a copy is the same walk.
    """
    turns = [(one.deg, one.start_s, one.hold_s, one.ramp_s) for one in options.turns]
    upright = [*walk.upright.force.tolist(), *walk.upright.gyro_bias.tolist()]
    worn = [walk.source.t0_s, upright, turns, options.answer_s, list(walk.settings.values), options.chip]
    digest = hashlib.sha256(json.dumps(worn).encode())
    for begin in range(0, walk.n, _ROWS):
        digest.update(walk.source.untouched(begin, _ROWS).astype("<f4").tobytes())
    return digest.hexdigest()


class _Stop(BaseException):
    """SIGTERM came. Not an Exception: the device takes those for faults of its own and goes on."""


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM ends what runs inside, in an orderly way."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _Stop

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except _Stop:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _opened(link: Path | None, tcp: int | None) -> Iterator[PtyPort | TcpPort]:
    try:
        port: PtyPort | TcpPort = PtyPort(link) if tcp is None else TcpPort(tcp)
    except FileExistsError:
        raise ServeError(f"{link}: is there already and is not a link; choose another --link") from None
    except OSError as error:
        raise ServeError(f"the port cannot be opened: {error.strerror or error}") from None
    with port:
        yield port


def serve(
    recording: Path,
    options: Options,
    *,
    fast: bool,
    link: Path | None,
    tcp: int | None,
    note: Callable[[str], None],
    show: Callable[[Line], None],
) -> int:
    """Be the device until SIGTERM comes (0) or Ctrl-C (``KeyboardInterrupt``).

    The first line on standard output is what the host tool opens; it comes when the port is ready.

    :param fast: the walk first, then the port
    :param show: called with each event of a walk that is played in real time
    :raises ServeError: the port cannot be opened
    """
    todo = walks(recording, options, note)
    walk = next(todo)
    if walk.several and options.trial is None:
        note(f"playing trial {walk.trial} alone; --trial chooses another")
    worn = WornThenStill(walk.source)
    player = Player(
        walk.with_source(worn),
        options,
        port=(port := LatePort()),
        clock=(clock := PacedClock()),
        seed=seed_of(walk, options),
    )
    with _stoppable():
        if fast:
            while not player.over:
                player.step()
            _take_off(player)
        with _opened(link, tcp) as cable:
            port.cable = cable
            print(link or cable.path, flush=True)
            clock.pace()
            while not fast and not player.over:
                for line in player.step():
                    show(line)
            if not fast:
                for line in _take_off(player):
                    show(line)
            while True:
                player.board.step()
    return 0


def _take_off(player: Player) -> list[Line]:
    """The walk is over: the session ends, and the clip comes onto the computer's cable."""
    lines = player.leave() + player.kept.summaries()
    player.board.supply.usb = True
    return lines
