"""The ring on the flash: what it writes and when, how it is found again, and what a cut takes, at every operation."""

from __future__ import annotations

import base64
import itertools
import random
import struct
from array import array
from binascii import crc32
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from walktall import boards, events, retrace, rows
from walktall import records as r
from walktall import session as session_module
from walktall import settings as s
from walktall.session import STATE_SIZE, Session
from walktall.trace import ENDED, NOTHING, OPEN, Trace
from walktall_sim import flash
from walktall_sim.clock import VirtualClock

from tests.soaking import Tally

BLOCKS = 128
#: Of its rows, as layout 1's own reader told them.
LAYOUT_1_ROWS_CRC = 2478084213
PATH = "/data/trace.bin"
READS_MAX = 200
"""At a boot; each is 512 bytes, below 1 ms by QSPI at 32 MHz with its CRC, so below a quarter of a second."""

Kind = Literal["qspi", "rp2040"]
DEEP = pytest.mark.parametrize("soak", [False, pytest.param(True, marks=pytest.mark.soak)], ids=("some", "all"))
KINDS: tuple[Kind, ...] = ("qspi", "rp2040")


class FakeChain:
    """As much of a chain as a trace asks for: a real session, settings, and a stand."""

    def __init__(self) -> None:
        self.session = Session()
        self.settings = s.Settings()
        self.detector = SimpleNamespace(tick_pitch_cdeg=0, look_roll_cdeg=0)

    def stand_into(self, values: Any) -> None:
        for k in range(rows.STAND_SIZE):
            values[k] = 7 * k - 20


class Worn:
    """A ring on a virtual drive, and a wearer's seconds in it."""

    def __init__(self, kind: Kind, blocks: int = BLOCKS, skew: int = 3, seed: int = 1) -> None:
        self.kind = kind
        self.clock = VirtualClock()
        self.power = flash.PowerSupply()
        drive = flash.QspiDrive if kind == "qspi" else flash.Rp2040Drive
        self.drive = drive(blocks // 8 + 10, self.power, self.clock)
        self.files = flash.VirtualDrive(self.drive, 8)
        self.files.create(PATH, (blocks + 16) * 512, skew_blocks=skew)
        self.seed = seed
        self.chance = random.Random(seed)
        self.written: dict[int, bytes] = {}
        self.chain = FakeChain()
        self.trace: Any = None
        self.uptime_s = 0

    @property
    def parts(self) -> int:
        return 1 if self.kind == "qspi" else 2

    def boot(self, cut: flash.Cut | None = None) -> int:
        """Power comes, with the next cut planned; what the trace found."""
        self.power.switch_on()
        self.power.plan(cut)
        self.drive.lose_cache()
        self.chain = FakeChain()
        self.trace = Trace(self.files.open(PATH, "r+b"), self.parts, self.chain)
        write = self.trace._write

        def noted(buf: bytearray) -> bool:
            number = self.trace.next_block
            ok = write(buf)
            self.written[number] = bytes(buf)
            return bool(ok)

        def noted_before(buf: bytearray) -> bool:
            # The bytes that are on their way when the power goes count as written, too: they may have arrived.
            number = self.trace.next_block
            try:
                return noted(buf)
            except flash.PowerCut:
                self.written[number] = bytes(buf)
                raise

        self.trace._write = noted_before
        return int(self.trace.load(self.chance.randbytes))

    def begin(self, walk: int = 1, boot: int = 1) -> None:
        self.chain.session.start(1, boot, 0, self.uptime_s, 3900)
        self.trace.begin(boot, walk)

    def wear(self, seconds: int, walking: bool = True) -> None:
        writer = self.trace.rows
        session = self.chain.session
        state = events.WALKS if walking else events.STILL
        reach = 300 if walking else 20
        for _ in range(seconds):
            for k in range(4):
                writer.tick(k, self.chance.randint(-reach, reach), self.chance.randint(-reach, reach), state)
            if self.chance.random() < 0.03:
                writer.mark(self.chance.randrange(4), events.FAULT_BEGIN, events.FORWARD, 0, 1234)
            session.second(events.CLASS_GOOD, 100, 0, 110, walking, 0)
            writer.second(events.CLASS_GOOD, self.chance.randint(100, 120))
            self.uptime_s += 1
            self.clock.advance_us(1_000_000)
            self.drive.tick()
            self.trace.note(self.uptime_s, 0, False)

    def wear_blocks(self, n: int) -> None:
        """Until ``n`` more blocks have been written."""
        end = self.trace.next_block + n
        while self.trace.next_block < end:
            self.wear(1)

    def readable(self) -> dict[int, bytes]:
        """What a host can fetch now, by number."""
        found = {}
        raw = bytearray(512)
        for number in range(self.trace.first_block, self.trace.next_block):
            if self.trace.read_into(number, 0, raw) == 512:
                found[number] = bytes(raw)
        return found

    def believed(self) -> dict[int, bytes]:
        """Of these, what a host accepts: blocks whose CRC is right."""
        found = {}
        for number, raw in self.readable().items():
            if crc32(raw[: rows.CRC_AT]) == int.from_bytes(raw[rows.CRC_AT :], "little"):
                assert int.from_bytes(raw[rows.H_NUMBER : rows.H_NUMBER + 4], "little") == number
                found[number] = raw
        return found

    def sector(self, number: int) -> int:
        """Sector of the flash in which a block lies."""
        first, _ = self.files._files[PATH]
        return int((first + self.trace._place(number)) // flash.BLOCKS_PER_SECTOR)

    def image(self) -> bytes:
        return bytes(self.drive.flash.memory)

    def restore(self, image: bytes) -> None:
        self.drive.flash.memory[:] = image


def full(kind: Kind, blocks: int, skew: int = 3, seed: int = 1) -> Worn:
    """A ring into which so many blocks have been written."""
    worn = Worn(kind, skew=skew, seed=seed)
    worn.boot()
    worn.begin()
    worn.wear_blocks(blocks - 1)  # the ring's first block is empty
    return worn


# What is written.


def test_the_first_pass_on_external_flash_programs_and_never_erases() -> None:
    worn = Worn("qspi")
    worn.power.log = []
    worn.boot()
    worn.begin()
    worn.wear_blocks(BLOCKS - 20)
    assert {kind for _, kind, _, _ in worn.power.log} == {"program"}
    # Two pages of 256 bytes a block, and not one of them twice.
    places = [address for _, _, address, _ in worn.power.log]
    assert len(places) == len(set(places)) == 2 * worn.trace.next_block


@pytest.mark.parametrize("kind", KINDS)
def test_no_block_begins_as_erased_flash_does(kind: Kind) -> None:
    worn = full(kind, 60)
    assert all(raw[:4] != b"\xff\xff\xff\xff" for raw in worn.written.values())


@pytest.mark.parametrize("skew", [0, 3])
def test_once_around_external_flash_erases_a_sector_for_eight_blocks(skew: int) -> None:
    worn = full("qspi", BLOCKS, skew)
    before = sum(worn.drive.flash.wear)
    worn.wear_blocks(BLOCKS)
    erases = sum(worn.drive.flash.wear) - before
    # Where the file lies across the sectors, each is erased for its two halves.
    assert erases <= BLOCKS // 8 * (1 if skew == 0 else 2) + 2


@pytest.mark.parametrize("kind", KINDS)
def test_two_passes_wear_no_sector_more_than_another(kind: Kind) -> None:
    worn = full(kind, 3 * BLOCKS)
    wear = [n for n in worn.drive.flash.wear if n]
    per_pass = 2 if kind == "qspi" else 8
    assert max(wear) <= 3 * per_pass + 1


def test_a_checkpoint_is_never_more_than_a_minute_old() -> None:
    for walking in (True, False):
        worn = Worn("qspi")
        worn.boot()
        worn.begin()
        worn.wear(900, walking)
        times = [b.uptime_s + len(b.rows) for b in map(retrace.read, worn.written.values()) if b.fields is not None]
        assert max(b - a for a, b in itertools.pairwise(times)) <= 60
        assert worn.uptime_s - times[-1] <= 60


#: Of real walking (`python -m bench.trace`), and how far two ticks lie apart, in steps of 0.2 degrees, to reach it.
REAL_ROW_BYTES = 7.08
REAL_SPREAD = 11.8
REAL_NEW_CADENCE = 0.37
#: The stand of the real walks' chain after hours, and the share of their seconds that is good.
REAL_STAND = (3, 0, 0, 0, 248, 0, 240, 60, 4194303, 0, 12345, 0, 0, 0, 0, 0, 1, 90)
REAL_GOOD = 0.95


def twelve_hours(board_id: str) -> tuple[float, float]:
    """(hours that the ring of a board holds, bytes of a row): a walk of 14 h, rows as wide as those of real walking."""
    profile = boards.select(board_id)
    worn = Worn("qspi" if profile.trace_parts == 1 else "rp2040", profile.trace_blocks - 16)
    chance = random.Random(12)
    worn.boot()
    worn.chain.stand_into = lambda values: values.__setitem__(slice(None), array("i", REAL_STAND))  # type: ignore[method-assign]
    worn.begin()
    writer, session, trace = worn.trace.rows, worn.chain.session, worn.trace
    size = n = pitch = roll = steps = 0
    cadence, second_class = 110, events.CLASS_GOOD
    # Written to the flash as it is: the ring alone counts here, and a drive's cache takes its time.
    while worn.uptime_s < 14 * 3600 and trace.next_block < profile.trace_blocks + 64:
        for k in range(4):
            # Around upright, so that it does not wander off: what lies between two ticks is what is wanted.
            pitch = round(chance.gauss(0, REAL_SPREAD / 2**0.5))
            roll = round(chance.gauss(0, REAL_SPREAD / 2**0.5))
            writer.tick(k, pitch * rows.STEP_CDEG, roll * rows.STEP_CDEG, events.WALKS)
        if chance.random() < REAL_NEW_CADENCE:
            cadence = chance.randint(100, 120)
        if chance.random() < 0.03:
            good = chance.random() < REAL_GOOD
            second_class = events.CLASS_GOOD if good else chance.choice((events.CLASS_FORWARD, events.CLASS_BACK))
        if worn.uptime_s % 600 == 0:
            for code in (events.FAULT_BEGIN, events.BUZZ, events.BUZZ, events.FAULT_END, events.RECOVERED):
                writer.mark(1, code, events.FORWARD, 1, 1234)
        at = writer.at
        steps += 2
        session.second(second_class, 100 + pitch, roll, cadence, True, steps)
        writer.second(second_class, cadence)
        size += writer.at - at
        n += 1
        worn.uptime_s += 1
        trace.note(worn.uptime_s, 0, False)
    oldest = min(worn.believed())
    assert not writer.lost
    return (worn.uptime_s - retrace.read(worn.written[oldest]).uptime_s) / 3600, size / n


@pytest.mark.parametrize("board_id", ["raspberry_pi_pico"])
def test_twelve_hours_of_nonstop_walking_fit_the_smallest_ring(board_id: str) -> None:
    hours, row_bytes = twelve_hours(board_id)
    print(f"{board_id}: {hours:.2f} h at {row_bytes:.2f} bytes a row")
    assert abs(row_bytes - REAL_ROW_BYTES) < 0.05
    assert hours >= 12


def test_no_board_has_a_smaller_ring() -> None:
    smallest = boards.select("raspberry_pi_pico").trace_blocks
    for board_id in boards.names():
        profile = boards.select(board_id)
        assert profile.trace_blocks % 16 == 0
        assert profile.trace_blocks - (16 if profile.trace_parts == 1 else 0) >= smallest


# How it is found again.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 9, 100, 120, 121, 128, 129, 250])
def test_the_newest_block_is_found_with_few_reads(kind: Kind, n: int) -> None:
    worn = full(kind, n)
    worn.drive.flush()
    before = worn.believed()
    newest = worn.trace.next_block
    assert worn.boot() == (OPEN if n > 1 else NOTHING)
    assert worn.trace.next_block == newest
    assert worn.trace.reads <= READS_MAX
    assert worn.believed() == before == {k: worn.written[k] for k in before}
    assert len(before) == min(n, len(before)) >= min(n, BLOCKS - 24)


def test_a_large_ring_is_found_in_a_quarter_of_a_second() -> None:
    for kind in KINDS:
        for n in (5, 2000, 4096, 4500):
            worn = Worn(kind, 4096)
            worn.boot()
            worn.trace.boot = 1
            for _ in range(n):
                worn.trace._write_empty()
            worn.drive.flush()
            worn.boot()
            assert worn.trace.next_block == n + 1
            assert worn.trace.reads <= READS_MAX


@pytest.mark.parametrize("kind", KINDS)
def test_garbage_in_a_new_file_is_no_ring_and_is_overwritten(kind: Kind) -> None:
    worn = Worn(kind)
    first, n = worn.files._files[PATH]
    worn.drive.flash.memory[first * 512 : (first + n) * 512] = random.Random(3).randbytes(n * 512)
    for k in range(first, first + n, 3):  # blocks that look erased and are not
        worn.drive.flash.memory[k * 512 : k * 512 + 4] = b"\xff\xff\xff\xff"
    ends = [bytes(worn.drive.flash.memory[at : at + 4096]) for at in (first * 512, (first + n) * 512 - 4096)]
    assert worn.boot() == NOTHING
    worn.begin()
    worn.wear_blocks(2 * BLOCKS)
    # A sector at either end is left alone: other files may share it.
    assert ends == [bytes(worn.drive.flash.memory[at : at + 4096]) for at in (first * 512, (first + n) * 512 - 4096)]
    assert len(worn.believed()) >= BLOCKS - 24
    assert worn.believed().items() <= worn.written.items()


# What a cut takes.


def check_after(worn: Worn, before: dict[int, bytes], cut_at: int) -> None:
    """After a cut in writing block ``cut_at``: what is there is true, and what is gone may be gone."""
    log, worn.power.log = worn.power.log, None
    worn.boot()
    worn.power.log = log
    there = worn.believed()
    for number, raw in there.items():
        assert raw == worn.written[number], f"block {number} is not what was written"
    lost = set(before) - set(there) - {cut_at}
    if worn.kind == "qspi":
        # Blocks of the sectors that were being blanked: the oldest, without a hole among the newer ones.
        assert len(lost) <= 16, sorted(lost)
        assert lost <= set(sorted(before)[:24]), sorted(lost)
    else:
        assert worn.power.log is not None
        sector = worn.power.log[-1][2] // flash.SECTOR_BYTES
        assert all(worn.sector(number) == sector for number in lost), sorted(lost)
        assert len(lost) <= 8
        # Of the two newest, one is left, with its checkpoint.
        assert cut_at - 1 in there or cut_at - 2 in there or cut_at < 2
    assert worn.trace.reads <= READS_MAX + 64
    # It goes on, and nothing that it writes is lost.
    worn.begin(2)
    at = worn.trace.next_block
    worn.wear_blocks(6)
    there = worn.believed()
    assert set(range(at, worn.trace.next_block)) <= set(there)
    assert there.items() <= worn.written.items()


TORN: tuple[tuple[flash.Torn, int], ...] = (
    ("old", 0),
    ("ff", 0),
    ("random", 0),
    ("new", 0),
    ("random", 3),
    ("ff", 130),
)


def cuts(kind: Kind, seed: int) -> Iterator[tuple[int, int, flash.Torn, int, int]]:
    """(blocks before, operation, torn, offset, skew): the first pass, around the turn, and after it."""
    chance = random.Random(seed)
    for blocks in (1, 15, 112, 119, 120, 127, 128, 136, 200):
        for operation in range(1, 40 if kind == "qspi" else 7):
            torn, offset = TORN[chance.randrange(len(TORN))]
            yield blocks, operation, torn, chance.choice((offset, chance.randrange(4096))), (0, 3, 6)[blocks % 3]


@DEEP
@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_at_any_operation_takes_no_more_than_it_may(kind: Kind, soak: bool, tally: Tally) -> None:
    images: dict[tuple[int, int], tuple[bytes, dict[int, bytes], int]] = {}
    tried = 0
    for seed in range(20 if soak else 1):
        for blocks, operation, torn, offset, skew in cuts(kind, seed):
            if not soak and (operation + blocks) % (9 if kind == "qspi" else 2):
                continue
            worn = Worn(kind, skew=skew, seed=blocks)
            if (blocks, skew) not in images:
                made = full(kind, blocks, skew, seed=blocks)
                made.drive.flush()
                images[blocks, skew] = (made.image(), dict(made.written), made.uptime_s)
            image, written, worn.uptime_s = images[blocks, skew]
            worn.restore(image)
            worn.written = dict(written)
            worn.boot()
            worn.begin(2)
            before = worn.believed()
            worn.power.log = []
            start = worn.power.n_operations
            worn.power.plan(flash.Cut(start + operation, torn, offset, seed))
            cut_at = -1
            try:
                while worn.trace.next_block < blocks + 18:
                    cut_at = worn.trace.next_block
                    before.update({k: v for k, v in worn.written.items() if k < cut_at and k >= worn.trace.first_block})
                    before = {k: v for k, v in before.items() if k >= worn.trace.first_block}
                    worn.wear(1)
            except flash.PowerCut:
                tried += 1
                tally(tried, tried, "cuts")
                try:
                    check_after(worn, before, cut_at)
                except AssertionError as fault:
                    raise AssertionError(f"{kind} {blocks=} {operation=} {torn=} {offset=} {skew=} {seed=}") from fault
    print(tried, "cuts")
    assert tried >= (30 if kind == "qspi" else 10)


def recover(worn: Worn) -> None:
    """A boot that is not asked what it found, with the cache written back behind it."""
    worn.drive.lose_cache()
    Trace(worn.files.open(PATH, "r+b"), worn.parts, FakeChain()).load(worn.chance.randbytes)
    worn.drive.flush()


@DEEP
@pytest.mark.parametrize("skew", [0, 3])
def test_a_second_cut_while_it_recovers_loses_nothing_more(skew: int, soak: bool, tally: Tally) -> None:
    """External flash: a cut in each operation of blanking a sector, then in each operation of the boot behind it."""
    chance = random.Random(9)
    made = full("qspi", 127, skew)
    made.drive.flush()
    image = made.image()
    made.power.log = log = []
    made.boot()
    made.begin(2)
    made.wear_blocks(2)
    made.drive.flush()
    erases = [k for k, (_, kind, _, _) in enumerate(log) if kind == "erase"]
    assert erases
    tried = 0
    every = [
        (operation, offset) for operation in range(erases[0], len(log)) for offset in (0, 700, chance.randrange(4096))
    ]
    for operation, offset in every[:: 1 if soak else 2]:
        made.restore(image)
        made.power.log = None
        newest = 127
        with pytest.raises(flash.PowerCut):
            cut = flash.Cut(made.power.n_operations + operation + 1, "random", offset, 1)
            made.boot(cut)
            made.begin(2)
            for _ in range(600):
                newest = made.trace.next_block
                made.wear(1)
        torn_image = made.image()
        for second in range(1, 60):
            made.restore(torn_image)
            made.power.switch_on()
            made.power.plan(flash.Cut(made.power.n_operations + second, "random", chance.randrange(4096), 2))
            try:
                recover(made)
                break
            except flash.PowerCut:
                tried += 1
                tally(tried, tried, "second cuts")
            made.boot()
            there = made.believed()
            assert there.items() <= made.written.items()
            assert set(range(40, newest)) <= set(there), (operation, second)
        else:
            raise AssertionError("a boot that never ends")
    print(tried, "second cuts")
    # Aligned, the blank blocks ahead are whole whatever the cut tore, and the boot writes nothing, unless the torn one
    # was the eighth of them: then it blanks two sectors anew.
    assert tried > 10 if skew else tried in (0, 2)


# Checkpoints.


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_session_counted_is_read_back_whole(kind: Kind) -> None:
    worn = full(kind, 40)
    session = worn.chain.session
    worn.wear_blocks(1)
    fields, state = array("i", session.fields), array("i", session.state)
    worn.drive.flush()
    assert worn.boot() == OPEN
    taken = worn.chain.session
    for index in range(r.S_COUNT):
        assert taken.fields[index] == fields[index], index
    assert list(taken.state) == list(state)
    assert taken.open


def test_an_end_is_known_for_an_end() -> None:
    worn = full("qspi", 5)
    worn.chain.session.finish(0, 3800)
    worn.trace.end(worn.uptime_s, 0, True)
    number = worn.trace.next_block - 1
    worn.drive.flush()
    assert worn.boot() == ENDED
    assert worn.trace.pending == number + 1
    assert worn.trace.walk == 1
    assert not worn.chain.session.open


def layout_1() -> list[bytes]:
    """Five blocks that a clip of layout 1 wrote: 172 s, two leans, four buzzes."""
    text = (Path(__file__).parent / "golden" / "trace_layout_1.txt").read_text()
    return [base64.b64decode(line) for line in text.split()]


def test_blocks_of_layout_1_are_read_for_ever() -> None:
    blocks = [retrace.read(raw) for raw in layout_1()]
    assert [(block.layout, block.flags, len(block.rows)) for block in blocks] == [
        (1, 0, 0),
        (1, 71, 39),
        (1, 4, 38),
        (1, 4, 50),
        (1, 4, 45),
    ]
    every = [row for block in blocks for row in block.rows]
    told = "".join(f"{row.pitch_cdeg}{row.roll_cdeg}{row.states}{row.cadence_spm}{row.second_class}" for row in every)
    assert crc32(told.encode()) == LAYOUT_1_ROWS_CRC
    names = [events.NAMES[mark.code] for row in every for mark in row.marks]
    assert names.count("buzz") == 4 and names.count("fault_end") == 2
    fields, counters = blocks[-1].fields, blocks[-1].counters
    assert (fields[r.S_WEAR_S], fields[r.S_GOOD_S], fields[r.S_STEPS], fields[r.S_BUZZES]) == (172, 97, 297, 4)
    assert list(counters[rows.DIFFERENCES_FROM :])[:12] == [15, 15, 3, 0, 12, 15, 15, 2, 2, 15, 3, 0]
    # The same bytes under layout 2 are something else: the layout's byte is what decides.
    raw = bytearray(layout_1()[-1])
    raw[rows.H_LAYOUT] = 2
    raw[rows.CRC_AT :] = crc32(raw[: rows.CRC_AT]).to_bytes(4, "little")
    assert list(retrace.read(bytes(raw)).counters) != list(counters)


@pytest.mark.parametrize("kind", KINDS)
def test_after_an_upgrade_a_walk_of_layout_1_is_taken_up_and_the_ring_goes_on(kind: Kind) -> None:
    worn = Worn(kind)
    worn.boot()
    for number, raw in enumerate(layout_1()):
        worn.trace._file.seek(worn.trace._place(number) * 512)
        worn.trace._file.write(raw)
        worn.written[number] = raw
    worn.drive.flush()
    assert worn.boot() == OPEN
    session = worn.chain.session
    assert worn.trace.next_block == 5 and session.open
    assert (session.fields[r.S_WEAR_S], session.fields[r.S_BUZZES]) == (172, 4)
    assert list(session.state[rows.DIFFERENCES_FROM :])[:12] == [15, 15, 3, 0, 12, 15, 15, 2, 2, 15, 3, 0]
    worn.trace.begin(2, 1, True)
    worn.wear_blocks(3)
    there = worn.believed()
    assert there == worn.written and [raw[rows.H_LAYOUT] for raw in there.values()] == [1] * 5 + [rows.LAYOUT] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_of_a_later_layout_is_not_guessed_at_and_its_block_is_kept(kind: Kind) -> None:
    worn = Worn(kind)
    worn.boot()
    for number, raw in enumerate(layout_1()):
        later = bytearray(raw)
        later[rows.H_LAYOUT] = rows.LAYOUT + 1
        later[rows.CRC_AT :] = crc32(later[: rows.CRC_AT]).to_bytes(4, "little")
        worn.trace._file.seek(worn.trace._place(number) * 512)
        worn.trace._file.write(later)
        worn.written[number] = bytes(later)
    worn.drive.flush()
    assert worn.boot() == NOTHING and not worn.chain.session.open
    worn.begin(2)
    worn.wear_blocks(3)
    assert worn.believed() == worn.written and len(worn.written) == 8


def test_rows_of_any_widths_are_read_as_they_were_written() -> None:
    chance = random.Random(8)
    wanted = []
    writer = rows.RowWriter()
    writer.take(1)
    raws = []
    for _ in range(300):
        writer.begin(rows.HEADER_BYTES, rows.CRC_AT)
        told = []
        start = (writer.pitch, writer.roll)
        pitch, roll = start
        cadence = 0
        while writer.at < rows.CRC_AT - rows.ROW_MAX:
            pitches, rolls = [], []
            reach = chance.randrange(1, 11), chance.randrange(1, 11)  # bits of pitch and of roll
            for k in range(4):
                pitch = max(-1700, min(1700, pitch + chance.randint(-(1 << reach[0] - 1), (1 << reach[0] - 1) - 1)))
                roll = max(-1700, min(1700, roll + chance.randint(-(1 << reach[1] - 1), (1 << reach[1] - 1) - 1)))
                writer.tick(k, pitch * rows.STEP_CDEG, roll * rows.STEP_CDEG, events.WALKS)
                pitches.append(pitch * rows.STEP_CDEG)
                rolls.append(roll * rows.STEP_CDEG)
            cadence = chance.choice((cadence, 100, 111, 255))
            second_class = chance.choice((1, 1, 1, 2, 13))
            writer.second(second_class, cadence)
            told.append((tuple(pitches), tuple(rolls), cadence, second_class))
        raw = bytearray(writer.buf)
        raw[: rows.HEADER_BYTES] = bytes(rows.HEADER_BYTES)
        raw[rows.H_MAGIC], raw[rows.H_LAYOUT], raw[rows.H_KIND] = rows.MAGIC, rows.LAYOUT, rows.KIND_ROWS
        raw[rows.H_PITCH : rows.H_PITCH + 4] = struct.pack("<hh", *start)
        raw[rows.H_ROWS_FROM] = rows.HEADER_BYTES
        raw[rows.H_ROWS_END : rows.H_ROWS_END + 2] = writer.at.to_bytes(2, "little")
        raw[rows.CRC_AT :] = crc32(raw[: rows.CRC_AT]).to_bytes(4, "little")
        raws.append(bytes(raw))
        wanted.append(told)
    for raw, told in zip(raws, wanted, strict=True):
        block = retrace.read(raw)
        found = [(row.pitch_cdeg, row.roll_cdeg, row.cadence_spm, row.second_class) for row in block.rows]
        assert found == told
    assert not writer.lost


def test_what_a_session_counts_survives_being_written_as_differences() -> None:
    chance = random.Random(2)
    for _ in range(200):
        values = array("i", [chance.choice((0, 1, 15, 240, 3840, chance.randrange(65536))) for _ in range(STATE_SIZE)])
        before = array("i", values)
        rows.differ(values)
        rows.sum_up(values)
        assert values == before
    # Bytes that nobody wrote sum up to nothing that harms.
    values = array("i", [2**31 - 1] * STATE_SIZE)
    rows.sum_up(values)
    assert max(values) <= 2**31 - 1
    assert rows.DIFFERENCES_FROM == session_module._BUCKETS


# Giving it up, raw counts.


@pytest.mark.parametrize("kind", KINDS)
def test_a_wiped_ring_holds_nothing_of_before(kind: Kind) -> None:
    worn = full(kind, 180)
    old = worn.trace.ring_id
    told = [raw for raw in worn.written.values() if raw[rows.H_KIND] == rows.KIND_ROWS]
    worn.trace.wipe()
    assert worn.trace.ring_id != old
    assert len(worn.readable()) == 1
    steps = 0
    while worn.trace.wiping:
        worn.trace.step_wiping()
        steps += 1
        if steps == 5:
            worn.drive.flush()
            worn.boot()  # in the middle of it
            assert worn.trace.wiping
    assert steps <= BLOCKS // 8 + 8
    worn.drive.flush()
    memory = worn.image()
    assert not any(raw[60:90] in memory for raw in told)
    worn.boot()
    assert not worn.trace.wiping
    worn.begin(9)
    worn.wear_blocks(30)
    assert len(worn.believed()) == 31


@pytest.mark.parametrize("kind", KINDS)
def test_raw_counts_lie_beside_the_rows_sample_by_sample(kind: Kind) -> None:
    worn = full(kind, 10)
    trace = worn.trace
    assert trace.record_raw(10**9, 1) == BLOCKS // 2 * 37
    assert trace.record_raw(1000, 1) == 1000
    chance = random.Random(4)
    given = {}
    sample = 500
    while trace.raw_left:
        sample += 40 if chance.random() < 0.01 else 1  # gaps
        given[sample] = tuple(chance.choice((-32768, 32767, 0, chance.randint(-9000, 9000))) for _ in range(6))
        trace.raw(sample, worn.uptime_s, 0, *given[sample])
        if sample % 52 == 0:
            worn.wear(1)
    found = {}
    for raw in worn.believed().values():
        block = retrace.read(raw)
        if block.kind == rows.KIND_RAW:
            found.update(dict(enumerate(block.samples, block.first_sample)))
    assert found == given
    assert worn.boot() == OPEN  # the checkpoint before them is found
