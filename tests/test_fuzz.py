"""Random and mutated bytes to the device's parser and the host's: no crash, no hang, no growth, nothing wrong taken."""

import gc
import importlib.util
import random
import re
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from walktall import retrace, rows, wire
from walktall_host.store import read_record

from tests.fuzz_targets import (
    DeviceTarget,
    block_like,
    host_block,
    host_body,
    host_download,
    host_frames,
    host_record,
    mutated,
    record_like,
    replies,
    request,
    requests,
    write_seeds,
)
from tests.soaking import SCALE, SEED, Tally, Tell, silence
from tests.vm.machine import Machine

ROOT = Path(__file__).resolve().parent.parent
#: Bytes to each side. Held to docs/reliability.md by tests/test_reliability.py.
CI_BYTES = 400_000
SOAK_BYTES = 50_000_000
SOAK_GUIDED_INPUTS = 100_000
#: ... and to the link on the on-device VM.
VM_BYTES = 60_000
_PARTS = 4


def fuzz_device(n_bytes: int, seed: int, tell: Tell = silence) -> DeviceTarget:
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
            tell(target.fed, n_bytes, "bytes")
        target.feed(requests(chance) if turn % 8 else chance.randbytes(2000))
    target.check()
    tell(target.fed, n_bytes, "bytes")
    return target


def fuzz_host(n_bytes: int, seed: int, tell: Tell = silence) -> dict[str, int]:
    chance = random.Random(seed)
    targets: tuple[tuple[Callable[[bytes], object], Callable[[], bytes]], ...] = (
        (host_frames, lambda: chance.randbytes(1500)),
        (host_body, lambda: chance.randbytes(chance.randrange(249))),
        (host_record, lambda: record_like(chance)),
        (host_block, lambda: block_like(chance)),
        (host_download, lambda: chance.randbytes(chance.randrange(2000))),
    )
    fed: dict[str, int] = {}
    total = 0
    while total < n_bytes:
        k = chance.randrange(len(targets) + 1)
        if k == len(targets):
            data, sent = replies(chance)
            host_frames(data, sent)
            name = "replies"
        else:
            target, make = targets[k]
            name, data = target.__name__, make()
            target(data)
        fed[name] = fed.get(name, 0) + len(data)
        total += len(data)
        tell(total, n_bytes, "bytes")
    return fed


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


def test_the_host_takes_nothing_wrong_out_of_any_bytes_and_grows_by_nothing(seed: int) -> None:
    fuzz_host(20_000, seed)
    fuzz_host(20_000, seed + 1)
    tracemalloc.start()
    fuzz_host(20_000, seed)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    fuzz_host(20_000, seed + 1)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 8192
    fed = fuzz_host(CI_BYTES - 80_000, seed + 2)
    print(f"{sum(fed.values()) + 80_000} bytes to the host, WALKTALL_SEED={seed}: {fed}")
    assert len(fed) == 6


def test_what_is_fed_reaches_what_is_behind_the_parsers(seed: int) -> None:
    """A fuzzer whose bytes all stop at the first check proves little: half of the requests are done, some of each kind
    but ACK, for which a CRC would have to be guessed; of the records and blocks some are read and some refused."""
    chance = random.Random(seed)
    target = DeviceTarget()
    answered: dict[int, int] = {}
    for _ in range(2000):
        kind, body = request(chance)
        for got, _, _ in target.desk.ask(kind, mutated(chance, body, 2)):
            answered[got] = answered.get(got, 0) + 1
    print({hex(kind): n for kind, n in sorted(answered.items())})
    wanted = {kind | wire.REPLY for kind in range(1, wire.N_KINDS) if kind != wire.ACK}
    assert set(answered) >= wanted | {wire.ERROR, wire.RECORD, wire.TRACE_DATA}
    assert sum(answered.values()) - answered[wire.ERROR] > 1000
    for read, make in ((read_record, record_like), (retrace_of, block_like)):
        outcomes = [bool(read(make(chance))[0]) for _ in range(400)]
        assert 20 < sum(outcomes) < 380, (make.__name__, sum(outcomes))


def retrace_of(data: bytes) -> tuple[object, str]:
    """A block's rows, as `walktall_host.store.read_record` gives a record's fields."""
    raw = bytearray(data[: rows.BLOCK_BYTES].ljust(rows.BLOCK_BYTES, b"\0"))
    raw[rows.H_MAGIC], raw[rows.H_LAYOUT] = rows.MAGIC, rows.LAYOUT
    raw[rows.CRC_AT :] = zlib.crc32(bytes(raw[: rows.CRC_AT])).to_bytes(4, "little")
    try:
        return retrace.read(bytes(raw)), ""
    except retrace.BadBlock as fault:
        return None, str(fault)


def test_on_the_board_fuzzing_the_link_leaves_the_heap_as_it_was(machine: Machine) -> None:
    """The whole device under MicroPython, fed with noise and mutated requests: what is in use stays, to 16 of its
    blocks of memory, where one that each frame kept would be a thousand."""
    told = machine.micropython("fuzz_link", driver=True, heap_bytes=1024 * 1024, call="step()", times=30)
    lines = [[int(word) for word in line.split()] for line in told.splitlines()]
    fed, used, faults, bad, answered = zip(*lines, strict=True)
    print(f"{fed[-1]} bytes, {bad[-1]} frames dropped, {answered[-1]} answered; {min(used)} to {max(used)} in use")
    assert len(lines) == 30 and fed[-1] >= VM_BYTES and max(faults) == 0
    assert bad[-1] > 100 and answered[-1] > 300
    assert max(used[15:]) <= max(used[:15]) + 256


@pytest.mark.soak
@pytest.mark.parametrize("part", range(_PARTS))
def test_the_device_for_long(part: int, tally: Tally) -> None:
    target = fuzz_device(int(SOAK_BYTES * SCALE) // _PARTS, SEED + 100 + part, tally)
    print(f"{target.fed} bytes to the device")


@pytest.mark.soak
@pytest.mark.parametrize("part", range(_PARTS))
def test_the_host_for_long(part: int, tally: Tally) -> None:
    fed = fuzz_host(int(SOAK_BYTES * SCALE) // _PARTS, SEED + 200 + part, tally)
    print(f"{sum(fed.values())} bytes to the host: {fed}")


@pytest.mark.soak
@pytest.mark.parametrize("part", range(_PARTS))
def test_the_host_guided_by_coverage(part: int, tmp_path: Path, tally: Tally) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed (pip install 'walktall[soak]'): the host is fuzzed at random only")
    wanted = max(500, int(SOAK_GUIDED_INPUTS * SCALE) // _PARTS)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_seeds(corpus, SEED + part)
    options = (f"-runs={wanted}", "-max_len=3000", "-timeout=180", f"-seed={SEED + part}")
    command = [sys.executable, "-m", "tests.fuzz_targets", *options, f"-artifact_prefix={tmp_path}/", str(corpus)]
    told: list[str] = []
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as fuzzer:
        assert fuzzer.stderr is not None
        for line in fuzzer.stderr:
            told = [*told[-40:], line]
            at = re.match(r"#(\d+)\s", line)
            if at:
                tally(int(at[1]), wanted, "inputs")
    print("".join(told))
    ran = re.search(r"Done (\d+) runs", "".join(told))
    assert fuzzer.returncode == 0 and ran and int(ran[1]) >= wanted
    tally(int(ran[1]), wanted, "inputs")
