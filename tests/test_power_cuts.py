"""The power goes in every write of some days of use, at many bytes of it, and again while the clip recovers.

The whole device runs (`tests.ticking_device`), judged by the ledger of `tests.test_sequences`: no acknowledged record
is lost, none is invented, what was walked is there but for a minute or two at each loss, every boot is unaided.

The days are lived up to each write once; what a cut leaves of it is put into the flash, and the clip goes on from it.
What leaves identical bytes is one case. CI takes each write at its 512-byte boundaries and 16 seeded offsets, `make
soak` at every byte. Every case is booted, looked at and cut again, in the first write of its recovery or, where that
writes nothing, of what follows it; one of so many walks on and is downloaded.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.desk_device import Flash, PowerCut
from tests.soaking import SEED, Tally
from tests.test_journal import AFTER
from tests.test_sequences import DeviceLife
from tests.ticking_device import Drive

#: (act, a, b) of `DeviceLife.acts`: three walks, two downloads, settings, a wipe, and a walk behind it.
SCENARIO = (
    (0, 1, 0),  # walk 61 s
    (4, 1, 0),  # download
    (0, 1, 0),
    (6, 4, 1),  # settings
    (0, 2, 0),  # walk 130 s
    (4, 1, 0),
    (11, 0, 0),  # wipe
    (0, 1, 0),
    (4, 1, 0),
)
#: Held to docs/reliability.md by tests/test_reliability.py.
CI_CUTS_LEAST = 2000
PARTS = 4
#: Of so many cases one lives on.
LIVES_ON_EVERY = 8
_KINDS = sorted(AFTER)


def targets(life: DeviceLife) -> tuple[Flash | Drive, ...]:
    return (*life.life.banks, life.life.drive)


def writes(parts: int) -> list[tuple[int, int]]:
    """(target, number of the write) of every write of the scenario, without a cut."""
    life = DeviceLife(parts)
    first = [target.writes for target in targets(life)]
    for act in SCENARIO:
        life.act(*act)
    life.check_trace()
    found = []
    for n, target in enumerate(targets(life)):
        found += [(n, number) for number in range(first[n] + 1, target.writes + 1)]
    life.close()
    return found


@dataclass
class Moment:
    """The life of a clip in the moment of a write of which nothing has arrived: RAM is about to be lost."""

    life: DeviceLife
    target: int
    at: int
    old: bytes
    new: bytes
    flash: tuple[bytes, ...]
    store: bytes
    rtc_s: int
    ledger: dict[str, Any]
    counted: dict[str, Any]

    _LEDGER = ("journal_id", "walked_s", "losses", "done", "base_s", "dropped", "downloads")
    _COUNTED = ("now_ms", "tick", "worn_s", "cuts")

    @classmethod
    def of(cls, parts: int, target: int, number: int) -> "Moment":
        """Live the scenario up to there."""
        life = DeviceLife(parts)
        hit = targets(life)[target]
        write = hit.write
        came: list[tuple[int, bytes]] = []

        def noted(buf: Any) -> Any:
            if hit.writes + 1 == number:
                came.append((hit.at if isinstance(hit, Drive) else 0, bytes(buf)))
            return write(buf)

        hit.write = noted  # type: ignore[method-assign]
        hit.cut = (number, 0, AFTER["old"])
        with pytest.raises(PowerCut):
            for code, a, b in SCENARIO:
                life.done += 1
                life.acts[code % len(life.acts)](a, b)
                life.check()
        ((at, new),) = came
        life.losses += 1
        flash = tuple(bytes(each.data) for each in targets(life))
        return cls(
            life,
            target,
            at,
            flash[target][at : at + len(new)],
            new,
            flash,
            bytes(life.store._db.serialize()),
            life.rtc._base_s,
            {name: getattr(life, name) for name in cls._LEDGER},
            {**{name: getattr(life.life, name) for name in cls._COUNTED}, "told": dict(life.life.told)},
        )

    def torn(self, kept: int, after: str) -> bytes:
        """What a cut leaves of the write."""
        return self.new[:kept] + bytes(AFTER[after](k, self.old[k]) for k in range(kept, len(self.new)))

    def boot(self, left: bytes, again: tuple[int, str]) -> bool:
        """Put it into the flash and let the power come back, and go again, leaving ``again`` (kept, after), in the
        first write of the recovery, or, where it writes none, of the walk that follows; whether the recovery wrote.

        :raises AssertionError: the ledger does not hold
        """
        life = self.life
        for each, data in zip(targets(life), self.flash, strict=True):
            each.data[:] = data
        hit = targets(life)[self.target]
        hit.data[self.at : self.at + len(left)] = left
        for name, value in self.ledger.items():
            setattr(life, name, value)
        for name, value in self.counted.items():
            setattr(life.life, name, dict(value) if name == "told" else value)
        life.rtc._base_s = self.rtc_s
        life.store._db.deserialize(self.store)
        life.store._db.execute("PRAGMA foreign_keys = ON")
        kept, after = again[0], AFTER[again[1]]
        life.life.recovery = [(kept, after)]
        life._boot(0, 0)
        life.check()
        if life.life.cuts > self.counted["cuts"]:
            return True
        losses = life.losses
        life.life.cut_next(kept, after)
        life.act(0, 1, 0)
        assert life.losses == losses + 1, "nothing was written in a minute of walking"
        return False

    def live_on(self) -> None:
        """Walk, and download everything."""
        life = self.life
        life.act(0, 1, 0)
        life.act(4, 1, 0)
        life.check_trace()


def offsets(size: int, chance: random.Random) -> Iterator[int]:
    yield from range(0, size + 1, 512)
    for _ in range(16):
        yield chance.randrange(size + 1)


def play(parts: int, part: int, n_parts: int, seed: int, soak: bool, tally: Tally) -> tuple[int, int, int, int]:
    """(writes, cases, of these distinct, of these with a second cut in what the recovery writes)."""
    n_writes = cases = distinct = second = 0
    every = writes(parts)
    for n, (target, number) in enumerate(every):
        if n % n_parts != part:
            continue
        n_writes += 1
        chance = random.Random(f"{seed}/{n}")
        moment = Moment.of(parts, target, number)
        try:
            seen: set[bytes] = set()
            size = len(moment.new)
            for kept in range(size + 1) if soak else sorted({*offsets(size, chance), size}):
                for after in _KINDS:
                    cases += 1
                    left = moment.torn(kept, after)
                    if left in seen:
                        continue
                    seen.add(left)
                    again = (chance.choice((0, chance.randrange(513))), _KINDS[chance.randrange(len(_KINDS))])
                    try:
                        second += moment.boot(left, again)
                        if distinct % LIVES_ON_EVERY == 0:
                            moment.live_on()
                    except AssertionError as fault:
                        where = f"{parts=} {target=} {number=} {kept=} {after=} {again=} WALKTALL_SEED={seed}"
                        raise AssertionError(where) from fault
                    distinct += 1
                tally(distinct, len(every) // n_parts * (size + 1) * len(_KINDS), "cuts")
        finally:
            moment.life.close()
    return n_writes, cases, distinct, second


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("parts", [1, 2])
def test_a_cut_in_any_write_and_a_second_one_in_the_recovery(parts: int, part: int, seed: int, tally: Tally) -> None:
    n_writes, cases, distinct, second = play(parts, part, PARTS, seed, False, tally)
    print(f"{n_writes} writes, {cases} cases, {distinct} distinct, {second} recoveries cut, WALKTALL_SEED={seed}")
    assert distinct >= CI_CUTS_LEAST // 2 // PARTS


@pytest.mark.soak
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("parts", [1, 2])
def test_a_cut_at_every_byte_of_every_write(parts: int, part: int, tally: Tally) -> None:
    n_writes, cases, distinct, second = play(parts, part, PARTS, SEED, True, tally)
    print(f"{n_writes} writes, {cases} cases, {distinct} distinct, {second} recoveries cut, WALKTALL_SEED={SEED}")
