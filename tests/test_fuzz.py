"""Random and mutated bytes to the device's parser and the host's: no crash, no hang, no growth, nothing wrong taken."""

import importlib.util
import os
import random
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SEED
from tests.fuzz_targets import (
    DeviceTarget,
    host_block,
    host_body,
    host_download,
    host_frames,
    host_record,
    replies,
    requests,
    write_seeds,
)

ROOT = Path(__file__).resolve().parent.parent
#: Bytes to each side. Held to docs/reliability.md by tests/test_reliability.py.
CI_BYTES = 400_000
SOAK_BYTES = 50_000_000
SOAK_GUIDED_S = 600
SCALE = float(os.environ.get("WALKTALL_SOAK_SCALE", "1"))


def fuzz_device(n_bytes: int, seed: int) -> DeviceTarget:
    chance = random.Random(seed)
    target = DeviceTarget()
    turn = 0
    while target.fed < n_bytes:
        turn += 1
        if turn % 8 == 0:
            target.desk.port.connected = False
            target.desk.poll()
            target.desk.port.connected = True
        if turn % 16 == 0:
            target.check()
        target.feed(requests(chance) if turn % 4 else chance.randbytes(2000))
    target.check()
    return target


def fuzz_host(n_bytes: int, seed: int) -> dict[str, int]:
    chance = random.Random(seed)
    targets: tuple[tuple[Callable[[bytes], object], Callable[[], bytes]], ...] = (
        (host_frames, lambda: replies(chance)),
        (host_frames, lambda: chance.randbytes(1500)),
        (host_body, lambda: chance.randbytes(chance.randrange(249))),
        (host_record, lambda: bytes([chance.randrange(3)]) + chance.randbytes(91)),
        (host_block, lambda: mostly_zeros(chance)),
        (host_download, lambda: chance.randbytes(chance.randrange(2000))),
    )
    fed: dict[str, int] = {}
    while sum(fed.values()) < n_bytes:
        target, make = targets[chance.randrange(len(targets))]
        data = make()
        target(data)
        fed[target.__name__] = fed.get(target.__name__, 0) + len(data)
    return fed


def mostly_zeros(chance: random.Random) -> bytes:
    """A block with few things in it: rows that can nearly be read."""
    data = bytearray(512)
    data[2] = 1
    data[3] = chance.choice((0, 0, 1, 2, 3, 4, 7, 23))
    data[36] = chance.choice((52, 52, 80, chance.randrange(256)))
    data[38:40] = chance.choice((90, 200, 500, chance.randrange(600))).to_bytes(2, "little")
    for _ in range(chance.randrange(80)):
        data[chance.randrange(40, 508)] = chance.randrange(256)
    return bytes(data)


def test_the_device_answers_on_after_any_bytes_and_grows_by_nothing(seed: int) -> None:
    fuzz_device(20_000, seed)
    tracemalloc.start()
    target = fuzz_device(20_000, seed + 1)
    before = tracemalloc.get_traced_memory()[0]
    fed = target.fed
    chance = random.Random(seed + 2)
    while target.fed < fed + 20_000:
        target.feed(requests(chance))
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 8192
    fuzz_device(CI_BYTES - 60_000, seed + 3)
    print(f"{CI_BYTES} bytes to the device, WALKTALL_SEED={seed}")


def test_the_host_takes_nothing_wrong_out_of_any_bytes(seed: int) -> None:
    fed = fuzz_host(CI_BYTES, seed)
    print(f"{sum(fed.values())} bytes to the host, WALKTALL_SEED={seed}: {fed}")
    assert len(fed) == 5


@pytest.mark.soak
@pytest.mark.parametrize("part", range(4))
def test_the_device_for_long(part: int) -> None:
    target = fuzz_device(int(SOAK_BYTES * SCALE) // 4, SEED + 100 + part)
    print(f"{target.fed} bytes to the device")


@pytest.mark.soak
@pytest.mark.parametrize("part", range(4))
def test_the_host_for_long(part: int) -> None:
    fed = fuzz_host(int(SOAK_BYTES * SCALE) // 4, SEED + 200 + part)
    print(f"{sum(fed.values())} bytes to the host: {fed}")


@pytest.mark.soak
def test_the_host_guided_by_coverage(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed (pip install 'walktall[soak]'): the host is fuzzed at random only")
    seconds = max(5, int(SOAK_GUIDED_S * SCALE))
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_seeds(corpus, SEED)
    command = [sys.executable, "-m", "tests.fuzz_targets", f"-max_total_time={seconds}", "-max_len=3000", str(corpus)]
    done = subprocess.run(
        [*command, f"-seed={SEED}", f"-artifact_prefix={tmp_path}/"], cwd=ROOT, capture_output=True, text=True
    )
    told = re.findall(r"Done (\d+) runs", done.stderr)
    print(done.stderr[-2000:])
    assert done.returncode == 0 and told and int(told[0]) > 100
