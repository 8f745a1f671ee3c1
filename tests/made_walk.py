"""Made walking for tests of the detector: raw counts of a trunk at known angles, without noise.

A clip with +y up and +z forward, 8197 counts to 1 g. Walking is a bounce of 2 steps a second; pitch and roll follow
what the test says, and the gyroscope is the derivative of the same angles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from walktall import events as e
from walktall.chain import Chain
from walktall.settings import Settings

G = 8197
HZ = e.SAMPLE_HZ
DPS = 1 / 0.0175
Angle = Callable[[float], float]


def still(_: float) -> float:
    """An angle of nothing."""
    return 0.0


def ramp(deg: float, start_s: float, seconds: float, end_s: float = 1e9) -> Angle:
    """A smooth rise to `deg` from `start_s` within `seconds`, and a fall within a second from `end_s`."""

    def smooth(x: float) -> float:
        x = min(max(x, 0.0), 1.0)
        return x * x * (3 - 2 * x)

    return lambda t: deg * (smooth((t - start_s) / seconds) - smooth(t - end_s))


def counts(
    t: float, pitch: Angle, roll: Angle = still, *, bounce: float = 0.25, step_hz: float = 2.0
) -> tuple[int, int, int, int, int, int]:
    """One sample at `t` seconds: pitch forward and roll to the right in degrees, the bounce in g."""
    p, r = math.radians(pitch(t)), math.radians(roll(t))
    wave = math.sin(2 * math.pi * step_hz * t)
    force = G * (1 + bounce * (wave + 0.3 * math.sin(4 * math.pi * step_hz * t)))
    # Left is up x forward = +x. Roll to the right turns up toward left in the sensor's frame.
    ax = force * math.sin(r)
    ay = force * math.cos(r) * math.cos(p)
    az = -force * math.cos(r) * math.sin(p)
    rate = (pitch(t + 0.005) - pitch(t - 0.005)) / 0.01 * DPS
    rate_r = (roll(t + 0.005) - roll(t - 0.005)) / 0.01 * DPS
    limit = lambda x: max(-32768, min(32767, round(x)))  # noqa: E731
    return limit(ax), limit(ay), limit(az), limit(rate), 0, limit(rate_r)


class Wearer:
    """A chain that somebody wears; `told` gathers its events as (seconds, name, fault, label, value)."""

    def __init__(self, upright: bool = True, **settings: int) -> None:
        self.settings = Settings()
        pairs = list(settings.items())
        from walktall.settings import index_of

        assert self.settings.set_together([(index_of(n), v) for n, v in pairs]), self.settings.why
        self.chain = Chain(self.settings)
        self.chain.session.start(1, 1, 0, 0, 4000)
        self.told: list[tuple[float, str, str, str, int]] = []
        self.classes: list[int] = []
        self.patterns: list[tuple[float, int]] = []
        self.t = 0.0
        if upright:
            assert self.chain.set_upright(0, G, 0, 0, 0, 0, 100)
        self._take()

    def _take(self) -> None:
        ring = self.chain.ring
        while ring.take():
            self.told.append(
                (
                    ring.sample / HZ,
                    e.NAMES[ring.code],
                    e.FAULT_NAMES[ring.fault],
                    e.LABEL_NAMES[ring.label],
                    ring.value,
                )
            )

    def wear(self, seconds: float, pitch: Angle = still, roll: Angle = still, **how: float) -> None:
        """Feed `seconds` of samples; angles are functions of the time since the chain began."""
        for _ in range(round(seconds * HZ)):
            done = self.chain.sample(*counts(self.t, pitch, roll, **how))
            self.t += 1 / HZ
            if done:
                self._take()
                if self.chain.buzz_request:
                    self.patterns.append((self.t, self.chain.buzz_request))
                    self.chain.buzz_request = 0
            if done & e.SECOND:
                self.classes.append(self.chain.second_class)

    def feed(self, samples: Iterator[tuple[int, int, int, int, int, int]]) -> None:
        """Feed raw samples."""
        for sample in samples:
            if self.chain.sample(*sample):
                self._take()
            self.t += 1 / HZ

    def stand(self, seconds: float, pitch: Angle = still, roll: Angle = still) -> None:
        """Stand still."""
        self.wear(seconds, pitch, roll, bounce=0.0)

    def lose(self, seconds: float) -> None:
        """Lose samples."""
        n = round(seconds * HZ)
        self.chain.missed(n)
        self.t += n / HZ
        self._take()

    def times(self, name: str, fault: str = "forward") -> list[float]:
        """When `name` was told of `fault`."""
        return [t for t, told, of, _, _ in self.told if told == name and of in (fault, "")]

    def labels(self) -> list[str]:
        """The labels of the buzzes."""
        return [label for _, name, _, label, _ in self.told if name == "buzz"]
