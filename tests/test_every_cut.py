"""The power cut at every erase and program of a scenario with several sessions, journal and trace together.

The scenario runs once; each of its operations is kept with the flash before it. A case is what a cut in the middle of
one leaves: new bytes up to an offset, behind them the old ones, the new ones, FF or noise. RAM is lost at a cut, so a
case needs no more than these bytes: a clip boots from them, is looked at, and is cut a second time: in what its
recovery writes, or, where that writes nothing, in the first operation that follows. Cases of an operation that leave
identical bytes are one case.

CI tears each operation at each 512-byte boundary and 16 seeded offsets, and cuts a second time in each operation of the
recovery; `make soak` tears at every byte, and there cuts again in one operation of each recovery that writes, drawn.
"""

from __future__ import annotations

import copy
import functools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest
from walktall import records as r
from walktall import rows
from walktall.visit import Visit
from walktall_sim import board, flash
from walktall_sim.clock import VirtualClock

from tests.conftest import SEED
from tests.soaking import Tally
from tests.walking_board import Clip, Walker

UTC_S = 200_000_000
WALKER = Walker(still=((0.0, 1.0),))
BOARDS = ("Seeed_XIAO_nRF52840_Sense", "raspberry_pi_pico")
TORN: tuple[flash.Torn, ...] = ("old", "new", "ff", "random")
#: Parts of a board's cases, for the workers.
PARTS = 4
BLOCKS = 160
#: Walked before the scenario, so that the ring comes round in the middle of it.
BEFORE_S = 137 * 60
#: Of so many cases one goes on to another walk.
GOES_ON_EVERY = 16
#: In soak, of so many cases whose recovery writes nothing one is cut again in what follows.
FOLLOWED_EVERY = 8
#: Of a walk under way a cut takes what came since the last checkpoint, and a block that it tore: two minutes.
LOST_AT_A_CUT_S = 124
#: Distinct cases of a board at the least; held to docs/reliability.md by tests/test_reliability.py.
CI_CASES_LEAST = 1200


@dataclass
class Model:
    """What must be true whatever happens: told as the scenario goes on."""

    ended: list[int] = field(default_factory=list)
    """wear_s of the walks whose end has been told to the caller."""
    ending: int = 0
    """Of the one that is just ending."""
    acked: int = 0
    """Acknowledged and settled in the bank."""
    hold_s: set[int] = field(default_factory=lambda: {10})


@dataclass(frozen=True)
class Operation:
    """An erase or a program of the scenario, and what the flash and the model were before it."""

    name: str
    on_drive: bool
    start: int
    old: bytes
    new: bytes
    model: Model
    now_us: int
    written: int
    """Blocks of the trace that had been sealed."""
    worn_s: int
    """Seconds of the walk that was under way, 0: none was."""


class Recorder(flash.PowerSupply):
    """A supply that keeps every operation."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] | None = None
        self.clip: Any = None
        self.model = Model()
        self.sealed: list[bytes] = []

    def operate(self, part: str, kind: str, address: int, memory: bytearray, start: int, new: bytes) -> None:
        if self.operations is not None:
            self.operations.append(
                Operation(
                    f"{part} {kind} {len(self.operations) + 1}",
                    memory is self.clip.drive.flash.memory,
                    start,
                    bytes(memory[start : start + len(new)]),
                    bytes(new),
                    copy.deepcopy(self.model),
                    self.clip.clock.now_us,
                    len(self.sealed),
                    self.clip.field("wear_s") if self.clip.device.session.open else 0,
                )
            )
        super().operate(part, kind, address, memory, start, new)


def new_clip(profile: str, now_us: int = 0) -> Clip:
    """A clip without power, its flash blank; the drive small, for it is copied often."""
    with mock.patch.dict(board.DRIVE_SECTORS, {profile: 40}), mock.patch.object(board, "FIRMWARE_BLOCKS", 64):
        return Clip(WALKER, profile=profile, trace_blocks=BLOCKS, clock=VirtualClock(now_us), boot=False)


def wear(clip: Clip, seconds: int) -> None:
    """A walk, most of it told to session and rows directly: nobody has to wait for it."""
    device = clip.device
    if not device.session.open:
        device._open_session()
    clip.run_for(2.0)
    writer = device.trace.rows
    for second in range(seconds):
        for k in range(4):
            writer.tick(k, 20 * (second % 40), -20 * k, 1)
        device.session.second(1, 100, 0, 110, True, 0)
        writer.second(1, 110)
        device._each_worn_second()


def scenario(clip: Clip, model: Model) -> None:
    """Three walks, a changed setting, an acknowledgement."""
    for walk in range(3):
        wear(clip, 185 + 10 * walk)
        end(clip, model)
        device = clip.device
        if walk == 0:
            model.hold_s.add(15)
            assert device.settings.set("hold_s", 15)
            Visit(device, clip.port).settings_changed()
        if walk == 1:
            journal = device.journal
            assert journal.acknowledge(2, journal.unacked_crc(2), device.uptime_s()) == 0
            clip.run_for(6.0)
            assert not journal.unsaved
            model.acked = 2
            model.hold_s = {15}


def end(clip: Clip, model: Model) -> None:
    device = clip.device
    device._close_gap()
    model.ending = clip.field("wear_s")
    assert device.end_session(0, False)
    model.ended.append(model.ending)
    model.ending = 0


def note_blocks(clip: Clip, sealed: list[bytes]) -> None:
    """Take down each block from the moment at which it is on its way."""
    trace = clip.device.trace
    write = trace._write

    def noted(buf: bytearray) -> bool:
        sealed.append(bytes(buf[: rows.CRC_AT]))  # the CRC is put in by the write itself
        return bool(write(buf))

    trace._write = noted


@functools.cache
def recorded(profile: str) -> tuple[tuple[Operation, ...], bytes, bytes, tuple[bytes, ...]]:
    """The scenario's operations, the flash (nvm, drive) before the first, and the blocks of the trace."""
    clip = new_clip(profile)
    recorder = Recorder()
    recorder.clip = clip
    clip.flash_power = recorder
    clip.nvm.flash._power = clip.drive.flash._power = recorder
    clip.boot()
    clip.calibrated()
    Visit(clip.device, clip.port).set_clock(UTC_S)
    first = bytearray(rows.BLOCK_BYTES)  # the ring's empty block, which the boot wrote
    assert clip.device.trace.read_into(0, 0, first) == rows.BLOCK_BYTES
    recorder.sealed.append(bytes(first[: rows.CRC_AT]))
    note_blocks(clip, recorder.sealed)
    model = recorder.model
    wear(clip, BEFORE_S)
    end(clip, model)
    clip.drive.flush()
    nvm, drive = bytes(clip.nvm.flash.memory), bytes(clip.drive.flash.memory)
    recorder.operations = []
    scenario(clip, model)
    clip.drive.flush()
    return tuple(recorder.operations), nvm, drive, tuple(recorder.sealed)


@dataclass
class Case:
    """A clip's flash at one moment: what a cut left."""

    profile: str
    nvm: bytes
    drive: bytes
    now_us: int

    def clip(self) -> Clip:
        clip = new_clip(self.profile, self.now_us)
        clip.nvm.flash.memory[:] = self.nvm
        clip.drive.flash.memory[:] = self.drive
        return clip

    @staticmethod
    def of(clip: Clip) -> Case:
        return Case(
            clip.profile.board_id, bytes(clip.nvm.flash.memory), bytes(clip.drive.flash.memory), clip.clock.now_us
        )


def recover(clip: Clip) -> None:
    """Power comes; what the boot wrote reaches the flash."""
    clip.boot(1)
    clip.drive.flush()


def records_in(journal: Any) -> list[dict[str, int]]:
    slot = bytearray(r.SESSION_SLOT_BYTES)
    fields = r.new_session_fields()
    found = []
    for k in range(journal.count):
        journal.read_into(k, slot, 0)
        assert r.unpack_session_into(slot, 0, fields) == r.RECORD_OK
        assert r.session_fault(fields) == ""
        found.append({name: fields[i] for i, (name, _, _) in enumerate(r.SESSION_FIELDS)})
    return found


def check(clip: Clip, model: Model, worn_s: int, cuts: int, walks: int) -> None:
    """After a boot: nothing that was told is lost, of a walk under way two minutes at each cut, nothing is invented."""
    device = clip.device
    journal = device.journal
    held = records_in(journal)
    whole = [record["wear_s"] for record in held if not record["flags"] & r.FLAG_CUT]
    for wear_s in model.ended:
        assert whole.count(wear_s) == 1, (wear_s, whole, model)
    others = [wear_s for wear_s in whole if wear_s not in model.ended]
    assert others in ([], [model.ending]), (others, model)
    cut = [record for record in held if record["flags"] & r.FLAG_CUT]
    assert len(cut) + len(others) + bool(device.session.open) <= walks, (cut, others)
    kept_s = max((record["wear_s"] for record in cut), default=0) + sum(others)
    kept_s += clip.field("wear_s") if device.session.open else 0
    assert kept_s >= worn_s - LOST_AT_A_CUT_S * cuts, f"{worn_s} s were worn, {kept_s} are left"
    assert [record["seq"] for record in held] == list(range(1, len(held) + 1))
    assert journal.acked_seq >= model.acked
    assert not journal.formatted, "a new journal"
    assert device.settings.get("hold_s") in model.hold_s
    assert not journal.store_fault and not device.trace.fault and not device.errors


def check_blocks(clip: Clip, sealed: set[bytes]) -> None:
    """What a host would take for a block was written, byte for byte."""
    trace = clip.device.trace
    raw = bytearray(rows.BLOCK_BYTES)
    found = 0
    for number in range(trace.first_block, trace.next_block):
        if trace.read_into(number, 0, raw) == rows.BLOCK_BYTES:
            body = bytes(raw[: rows.CRC_AT])
            if r.crc32(body) == int.from_bytes(raw[rows.CRC_AT :], "little"):
                assert body in sealed, f"block {number} was never written"
                found += 1
    assert found > 100


def goes_on(clip: Clip, sealed: set[bytes]) -> None:
    """It works: one more walk is written and read back at the next boot."""
    more: list[bytes] = []
    check_blocks(clip, sealed)
    note_blocks(clip, more)
    clip.calibrated()
    wear(clip, 200)
    assert clip.device.end_session(0, False)
    clip.device.journal.commit(UTC_S + 200_000, 10)
    n = clip.device.journal.count
    clip.restart(3)
    assert clip.device.journal.count == n
    check_blocks(clip, sealed | set(more))


def seconds_of(writes: int, chance: random.Random, every: bool) -> Iterator[tuple[int, flash.Torn, int]]:
    """(operation of the recovery, torn, offset) of the second cuts; operation 1 where the recovery writes nothing."""
    most = max(1, writes)
    if not writes and not every and chance.randrange(FOLLOWED_EVERY):
        return
    for number in range(1, most + 1) if every else [chance.randrange(most) + 1]:
        yield number, chance.choice(TORN), chance.choice((0, chance.randrange(256), chance.randrange(4096)))


def live(case: Case, operation: Operation, sealed: set[bytes], chance: random.Random, every: bool, on: bool) -> int:
    """Boot from a case, look, cut again, look again; how many second cuts there were."""
    clip = case.clip()
    before = clip.flash_power.n_operations
    recover(clip)
    writes = clip.flash_power.n_operations - before
    model, worn_s = operation.model, operation.worn_s
    check(clip, model, worn_s, 1, 1)
    tried = 0
    for number, torn, offset in seconds_of(writes, chance, every):
        if writes:
            again = case.clip()
            again.flash_power.plan(flash.Cut(again.flash_power.n_operations + number, torn, offset, tried))
        else:
            # The recovery itself wrote nothing: the first operation of what follows it.
            again = clip
            again.flash_power.plan(flash.Cut(again.flash_power.n_operations + 1, torn, offset, tried))
        more: list[bytes] = []
        try:
            if writes:
                recover(again)
            else:
                note_blocks(again, more)
                again.calibrated()
                wear(again, 130)
                again.drive.flush()
            raise AssertionError(f"the second cut never came: operation {number} of {writes}")
        except flash.PowerCut:
            tried += 1
        again._lose_power()
        recover(again)
        check(again, model, worn_s, 2, 1 if writes else 2)
        if on:
            goes_on(again, sealed | set(more) if not writes else sealed)
    return tried


def torn_bytes(operation: Operation, offset: int, torn: flash.Torn, number: int) -> bytes:
    rest = len(operation.new) - offset
    if torn == "old":
        behind = operation.old[offset:]
    elif torn == "new":
        behind = operation.new[offset:]
    elif torn == "ff":
        behind = b"\xff" * rest
    else:
        behind = random.Random(f"{SEED}/{number}/{offset}").randbytes(rest)
    return operation.new[:offset] + behind


def some_offsets(operation: Operation, number: int) -> list[int]:
    chance = random.Random(f"{SEED}/{number}")
    size = len(operation.new)
    return sorted({*range(0, size, 512), *(chance.randrange(size) for _ in range(16))})


def play(profile: str, part: int, parts: int, soak: bool, tally: Tally) -> tuple[int, int, int, int]:
    """(operations, cases, of these distinct, second cuts) of a part of the operations."""
    operations, nvm, drive, blocks = recorded(profile)
    nvm_now, drive_now = bytearray(nvm), bytearray(drive)
    n_operations = n_cases = distinct = second_cuts = 0
    at_most = sum(len(each.new) for each in operations[part::parts]) * len(TORN)
    for number, operation in enumerate(operations):
        memory = drive_now if operation.on_drive else nvm_now
        start, size = operation.start, len(operation.new)
        assert memory[start : start + size] == operation.old
        if number % parts == part:
            n_operations += 1
            boundaries = some_offsets(operation, number)
            sealed = set(blocks[: operation.written])
            seen: set[bytes] = set()
            for offset in range(size) if soak else boundaries:
                for torn in TORN:
                    n_cases += 1
                    left = torn_bytes(operation, offset, torn, number)
                    if left in seen:
                        continue
                    seen.add(left)
                    memory[start : start + size] = left
                    case = Case(profile, bytes(nvm_now), bytes(drive_now), operation.now_us)
                    chance = random.Random(f"{SEED}/{number}/{offset}/{torn}")
                    every = not soak or offset in boundaries
                    try:
                        on = distinct % GOES_ON_EVERY == 0
                        second_cuts += live(case, operation, sealed, chance, every, on)
                    except AssertionError as fault:
                        where = f"{profile}, {operation.name}: {torn} from byte {offset} on, WALKTALL_SEED={SEED}"
                        raise AssertionError(where) from fault
                    distinct += 1
                tally(distinct, at_most, "cuts")
        memory[start : start + size] = operation.new
    return n_operations, n_cases, distinct, second_cuts


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("profile", BOARDS)
def test_a_cut_at_every_operation_and_again_loses_none_and_invents_none(profile: str, part: int, tally: Tally) -> None:
    n_operations, n_cases, distinct, second_cuts = play(profile, part, PARTS, False, tally)
    print(f"{n_operations} operations, {n_cases} cases, {distinct} of them distinct, {second_cuts} second cuts")
    assert distinct >= CI_CASES_LEAST // PARTS and second_cuts >= distinct


@pytest.mark.parametrize("profile", BOARDS)
def test_the_scenario_has_erases_and_programs_of_journal_and_trace(profile: str) -> None:
    operations, *_ = recorded(profile)
    kinds = {(operation.on_drive, operation.name.split()[1]) for operation in operations}
    assert kinds == {(False, "erase"), (False, "program"), (True, "erase"), (True, "program")}
    assert len(operations[-1].model.ended) >= 3 and operations[-1].model.acked == 2


@pytest.mark.soak
@pytest.mark.parametrize("part", range(2 * PARTS))
@pytest.mark.parametrize("profile", BOARDS)
def test_a_cut_at_every_byte_of_every_operation(profile: str, part: int, tally: Tally) -> None:
    n_operations, n_cases, distinct, second_cuts = play(profile, part, 2 * PARTS, True, tally)
    print(f"{n_operations} operations, {n_cases} cases, {distinct} of them distinct, {second_cuts} second cuts")
    assert second_cuts >= distinct // FOLLOWED_EVERY // 2
