"""A clip on a made-up walker who leans when told to, on the virtual board: for the tests of the device's life."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from walktall import events, wire
from walktall import records as r
from walktall_sim.board import VirtualBoard
from walktall_sim.chips import FloatArray

RATE_HZ = 52.0
G = 9.80665


class Walker:
    """Specific force and angular rate of a collar, ``+y`` up and ``+z`` forward, sample by sample.

    :param still: (from, to) in seconds during which nobody walks
    :param leans: (from, to, degrees), taken up and given back within a second
    :param sway_deg: how far breathing moves the trunk, at 15 a minute: nobody who wears a clip is as still as a table
    """

    def __init__(
        self,
        still: tuple[tuple[float, float], ...] = ((0.0, 6.0),),
        leans: tuple[tuple[float, float, float], ...] = (),
        seed: int = 7,
        sway_deg: float = 0.0,
    ) -> None:
        self._sway_rad = math.radians(sway_deg)
        self.still = still
        self.leans = leans
        self._noise = np.random.default_rng(seed).normal(0.0, 1.0, (1021, 6)) * np.array([0.02] * 3 + [0.002] * 3)

    def _lean_rad(self, t: FloatArray) -> FloatArray:
        total = np.zeros_like(t)
        for begin, end, deg in self.leans:
            up = np.clip(t - begin, 0.0, 1.0)
            down = np.clip(t - end, 0.0, 1.0)
            total += math.radians(deg) * (up * up * (3 - 2 * up) - down * down * (3 - 2 * down))
        breath: FloatArray = total + self._sway_rad * np.sin(2 * math.pi * 0.25 * t)
        return breath

    def block(self, i0: int, n: int) -> FloatArray:
        """Rows ``i0`` to ``i0 + n - 1``: m/s^2 and rad/s."""
        index = np.arange(i0, i0 + n)
        t = index / RATE_HZ
        moving = np.ones_like(t)
        for begin, end in self.still:
            moving[(t >= begin) & (t < end)] = 0.0
        step = 2 * math.pi * 1.85 * t
        lean = self._lean_rad(t)
        rate = (self._lean_rad(t + 0.5 / RATE_HZ) - self._lean_rad(t - 0.5 / RATE_HZ)) * RATE_HZ
        up = G + 2.6 * moving * np.sin(step)
        ahead = 1.1 * moving * np.cos(step)
        rows = np.stack(
            (
                0.8 * moving * np.sin(step / 2),
                up * np.cos(lean) + ahead * np.sin(lean),
                ahead * np.cos(lean) - up * np.sin(lean),
                rate + 0.3 * moving * np.cos(step),
                0.4 * moving * np.sin(step / 2),
                0.2 * moving * np.cos(step / 2),
            ),
            axis=1,
        )
        out: FloatArray = rows + self._noise.take(index, axis=0, mode="wrap")
        return out


class Yawed:
    """A walker whose clip has turned about the vertical: `+z` of the clip points `deg` to the left of forward."""

    def __init__(self, walker: Walker, deg: float) -> None:
        self._walker = walker
        c, s = math.cos(math.radians(deg)), math.sin(math.radians(deg))
        # The clip's axes in the walker's: left, up, forward.
        self._turn = np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])
        #: Which way is forward, in the clip's axes.
        self.forward: tuple[float, float, float] = (-s, 0.0, c)

    def block(self, i0: int, n: int) -> FloatArray:
        rows = self._walker.block(i0, n)
        turned: FloatArray = np.hstack((rows[:, :3] @ self._turn.T, rows[:, 3:] @ self._turn.T))
        return turned


class Clip(VirtualBoard):
    """A board with a walker, and what a test wants to ask of it."""

    def __init__(self, walker: Walker | Yawed | None = None, **how: Any) -> None:
        super().__init__(walker if walker is not None else Walker(), **how)
        self.told: list[tuple[float, str]] = []

    def calibrated(self) -> Clip:
        """Give the chain its upright, as a calibration a minute ago would have."""
        self.device.chain.set_upright(0, 8197, 0, 0, 0, 0, 90)
        return self

    def step(self) -> None:
        """One turn; keeps the events that it brought."""
        super().step()
        if self.device is not None:
            ring = self.device.ring
            while ring.take():
                self.told.append((ring.sample / RATE_HZ, events.NAMES[ring.code]))

    def names(self) -> list[str]:
        """The events so far."""
        return [name for _, name in self.told]

    def field(self, name: str) -> int:
        """A field of the running (or last) session."""
        return int(self.device.session.fields[r.SESSION.index(name)])

    def honest(self) -> bool:
        """Every second has exactly one class."""
        fields = self.device.session.fields
        return fields[r.S_WEAR_S] == sum(fields[r.S_CLASS_BASE + c] for c in range(1, r.S_CLASS_COUNT + 1))

    @property
    def motor_on(self) -> bool:
        """Whether the motor is driven."""
        return bool(self.pwm.duty_cycle)

    def pulses(self, since_s: float = 0.0) -> list[int]:
        """Lengths, in ms, of the pulses that began after ``since_s``."""
        return [round((end_us - at_us) / 1000) for at_us, end_us in self.pwm.pulses if at_us >= since_s * 1e6]

    def ask(self, kind: int, body: bytes = b"", request_id: int = 1, patience_s: float = 3.0) -> dict[int, list[bytes]]:
        """Send a request over the port; the bodies of the replies, by their kind, until the one that ends it."""
        host = self.port.host  # type: ignore[attr-defined]
        if not host.is_open:
            host.open()
            self.run_for(0.1)
        host.write(wire.encode(kind, request_id, body))
        decoder = wire.Decoder()
        replies: dict[int, list[bytes]] = {}
        end_us = self.clock.now_us + int(patience_s * 1e6)
        while self.clock.now_us < end_us:
            self.step()
            data = bytes(self.port._to_host)  # type: ignore[attr-defined]
            self.port._to_host.clear()  # type: ignore[attr-defined]
            at = 0
            while at < len(data):
                at = decoder.feed(data, at, len(data))
                if decoder.size:
                    got = wire.frame_kind(decoder.frame)
                    replies.setdefault(got, []).append(bytes(decoder.frame[wire.HEADER_SIZE : decoder.size - 4]))
                    if got in (kind | wire.REPLY, wire.ERROR):
                        return replies
        return replies

    def hello(self) -> dict[str, Any]:
        """HELLO's fields."""
        (body,) = self.ask(wire.HELLO)[wire.HELLO | wire.REPLY]
        values: dict[str, Any] = wire.unpack(wire.HELLO_FIELDS, body)
        return values
