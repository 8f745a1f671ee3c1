"""The power goes in every write of some days of use, at many bytes of it, and again while the clip recovers.

The whole device runs (`tests.ticking_device`), judged by the ledger of `tests.test_sequences`: no acknowledged record
is lost, none is invented, what was walked is there but for a minute or two at each loss, every boot is unaided. CI
takes each write at some of its 512-byte boundaries and seeded offsets; `make soak` takes every byte.
"""

import random
from collections.abc import Iterator

import pytest

from tests.conftest import SEED
from tests.desk_device import Flash
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
CI_CUTS_LEAST = 100
_KINDS = sorted(AFTER)


def targets(life: DeviceLife) -> tuple[Flash | Drive, ...]:
    return (*life.life.banks, life.life.drive)


def writes(parts: int) -> list[tuple[int, int, int]]:
    """(target, number of the write, its size) of every write of the scenario, without a cut."""
    life = DeviceLife(parts)
    first = [target.writes for target in targets(life)]
    for act in SCENARIO:
        life.act(*act)
    life.check_trace()
    found = []
    for n, target in enumerate(targets(life)):
        size = target.size if isinstance(target, Flash) else 512
        found += [(n, number, size) for number in range(first[n] + 1, target.writes + 1)]
    life.close()
    return found


def live_through(parts: int, target: int, number: int, kept: int, after: str, again: tuple[int, int] | None) -> bool:
    """Live the scenario with the power going after ``kept`` bytes of that write, and, with ``again`` (target, kept), a
    second time in the first write of the recovery. True when the first cut came.

    :raises AssertionError: the ledger does not hold
    """
    life = DeviceLife(parts)
    try:
        hit = targets(life)[target]
        hit.cut = (number, kept, AFTER[after])
        if again is not None:
            life.life.recovery.append((targets(life)[again[0]], again[1], AFTER[after]))
        for act in SCENARIO:
            life.act(*act)
        cut = life.life.now_ms > 0 and hit.cut is None
        life.act(4, 1, 0)
        life.check_trace()
    finally:
        life.close()
    return cut


def offsets(size: int, chance: random.Random) -> Iterator[int]:
    yield from range(0, size + 1, 512)
    for _ in range(16):
        yield chance.randrange(size + 1)


@pytest.mark.parametrize("parts", [1, 2])
def test_a_cut_in_any_write_and_a_second_one_in_the_recovery(parts: int, seed: int) -> None:
    chance = random.Random(seed)
    cuts = 0
    for target, number, size in writes(parts):
        # The offsets of a write take turns over the writes: each write is hit at some, each offset in some write.
        chosen = list(offsets(size, chance))
        for kept in chance.sample(chosen, 2):
            after = _KINDS[cuts % len(_KINDS)]
            again = (chance.randrange(3), chance.randrange(513)) if cuts % 2 else None
            assert live_through(parts, target, number, kept, after, again)
            cuts += 1
    print(f"{cuts} cuts, parts={parts}, WALKTALL_SEED={seed}")
    assert cuts >= CI_CUTS_LEAST // 2


@pytest.mark.soak
@pytest.mark.parametrize("after", _KINDS)
@pytest.mark.parametrize("parts", [1, 2])
def test_a_cut_at_every_byte_of_every_write(parts: int, after: str) -> None:
    chance = random.Random(SEED)
    cuts = 0
    for target, number, size in writes(parts):
        for kept in range(size + 1):
            again = (chance.randrange(3), chance.randrange(513)) if chance.randrange(2) else None
            assert live_through(parts, target, number, kept, after, again)
            cuts += 1
    print(f"{cuts} cuts, parts={parts}, {after}")
