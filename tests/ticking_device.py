"""The whole device but for its sensor: ticks in, and all behind them as on a board. For many lives in little time.

Journal, trace, session, chain, link and the device's own loop are the real ones; flash and drive are memory in which a
write can be torn at any byte; what the sensor would have made of a walker is handed in, four ticks a second. The angle
of each tick tells which tick of this walker's life it is, so that no row can be taken for another.
"""

from collections.abc import Callable
from typing import Any

from walktall import events as e
from walktall import rows
from walktall.device import Device
from walktall.ticks import ticks_add

from tests.desk_device import Flash, MemoryPort, PowerCut, drawn

TICK_MS = 250
#: Ticks whose angles differ: a life is longer, a session is not.
_ANGLES = 1800


class Drive:
    """The ring's file in memory; ``cut`` = (write number from 1, bytes that still arrive, what lies behind them)."""

    def __init__(self, blocks: int, parts: int = 1) -> None:
        self.parts = parts
        self.data = bytearray(b"\xff" * (blocks * rows.BLOCK_BYTES))
        self.at = 0
        self.writes = 0
        #: Erases of each 4 KiB sector: external flash erases where a bit has to rise, an RP2040's at every write.
        self.erases = [0] * (blocks // 8)
        self.cut: tuple[int, int, Callable[[int, int], int]] | None = None

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset if whence == 0 else len(self.data) + offset
        return self.at

    def readinto(self, buf: Any) -> int:
        n = min(len(buf), len(self.data) - self.at)
        buf[:n] = self.data[self.at : self.at + n]
        self.at += n
        return n

    def write(self, buf: Any) -> int:
        self.writes += 1
        at, n = self.at, len(buf)
        assert at % rows.BLOCK_BYTES == 0 and n == rows.BLOCK_BYTES, "a write that is no whole block"
        assert at + n <= len(self.data), "the file grows"
        if self.cut is not None and self.writes == self.cut[0]:
            _, kept, after = self.cut
            self.cut = None
            old = bytes(self.data[at : at + n])
            for k in range(n):
                self.data[at + k] = buf[k] if k < kept else after(k, old[k])
            raise PowerCut
        if self.parts > 1 or any(new & ~old for new, old in zip(buf, self.data[at : at + n], strict=True)):
            self.erases[at // 4096] += 1
        if self.parts == 1 and buf[0] != 0xFF and buf[0] != 0:
            assert self.data[at : at + n] == b"\xff" * n, "a block onto flash that is not blank"
        self.data[at : at + n] = buf
        self.at += n
        return n


class Nothing:
    """An IMU and a motor of which nothing is asked that matters here."""

    who_am_i = 0x6A
    counts = b""
    overrun = False
    duty_u16 = 0

    def check(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def pitch_of(tick: int) -> int:
    """Angle of a tick of the life, in steps of 0.1 degrees as the chain rounds them; all of it upright."""
    return (tick * 7 % 61 - 30) * rows.STEP_CDEG


def roll_of(tick: int) -> int:
    return (tick // 61 % 59 - 29) * rows.STEP_CDEG


class Ticking(Device):  # type: ignore[misc]
    """A device to which each tick is told."""

    def __init__(self, life: "Life", reset_reason: int) -> None:
        self._life = life
        super().__init__(
            Nothing(),
            Nothing(),
            life.banks,
            life.port,
            lambda: life.now_ms & 0x1FFFFFFF,
            board_name="ticking",
            reset_reason=reset_reason,
            random_bytes=life.random_bytes,
            trace_file=life.drive,
            trace_parts=life.drive.parts,
        )
        self.sensor_ok = self._sensor_met = True

    def _sense(self, now_ms: int) -> None:
        life = self._life
        if self._wearing:
            self._open_session()
        tick = life.tick
        life.tick += 1
        self.chain.gait.walking = int(life.walks)
        state = (e.WALKS if life.walks else e.STILL) | (e.SETTLING if tick < 2 else 0)
        self._owed += e.TICK_SAMPLES
        life.told[(self.journal.boot, self._uptime_s)] = tick
        closed = self.chain.judge(pitch_of(tick), roll_of(tick), state, 110 if life.walks else 0)
        self.chain.n_samples += e.TICK_SAMPLES
        self.chain.buzz_request = 0
        if closed & e.SECOND:
            if self.session.open:
                life.worn_s += 1
            self._each_worn_second()
        self._due_ms = ticks_add(now_ms, TICK_MS)

    def _check_sensor(self, now_ms: int) -> None:
        """There is none."""


class Life:
    """One clip from its first boot on, through every loss of power.

    :param bank: size of a bank in bytes: small ones are soon full
    :param blocks: of the trace's ring
    """

    def __init__(self, bank: int, blocks: int, parts: int = 1, seed: int = 0) -> None:
        self.banks = (Flash(bank), Flash(bank))
        self.drive = Drive(blocks, parts)
        self.random_bytes = drawn(seed)
        self.port = MemoryPort()
        self.port.connected = False
        self.now_ms = 0
        #: Ticks since the first boot.
        self.tick = 0
        self.walks = False
        #: Seconds of wear that were counted while a session was open.
        self.worn_s = 0
        #: (boot, uptime) -> a tick of the life, of all that could have gone into a row.
        self.told: dict[tuple[int, int], int] = {}
        self.cuts = 0
        #: Cuts that are to come in the first writes of the next boots, as (kept, after).
        self.recovery: list[tuple[int, Callable[[int, int], int]]] = []
        self.device = Ticking(self, 0)

    def cut_next(self, kept: int, after: Callable[[int, int], int]) -> None:
        """The power goes in the next write, wherever that is."""
        for target in (*self.banks, self.drive):
            target.cut = (target.writes + 1, kept, after)

    def boot(self, reset_reason: int = 0) -> None:
        """The power is back."""
        self.port.connected = False
        self.port.to_device.clear()
        self.port.from_device.clear()
        self.banks[0].cut = self.banks[1].cut = self.drive.cut = None
        while True:
            self.now_ms += 1000
            if self.recovery:
                kept, after = self.recovery.pop()
                self.cut_next(kept, after)
            try:
                self.device = Ticking(self, reset_reason)
                self.banks[0].cut = self.banks[1].cut = self.drive.cut = None
                return
            except PowerCut:
                self.cuts += 1
                self.banks[0].cut = self.banks[1].cut = self.drive.cut = None

    def run(self, seconds: int) -> None:
        """So many seconds pass.

        :raises PowerCut: a write was torn
        """
        poll = self.device.poll
        for _ in range(4 * seconds):
            self.now_ms += TICK_MS
            poll()
