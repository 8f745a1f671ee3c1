"""The virtual flash against what CircuitPython's sources say, the cuts, and the firmware's banks on top."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from walktall.hw.banks import FILE_SIZE, PAGE_SIZE, FileBank, NvmBank, create_file
from walktall_sim.clock import VirtualClock
from walktall_sim.flash import (
    BLOCK_BYTES,
    SECTOR_BYTES,
    Cut,
    Drive,
    FlashArray,
    NordicNvm,
    PowerCut,
    PowerSupply,
    QspiDrive,
    Rp2040Drive,
    Rp2040Nvm,
    VirtualDrive,
    every_cut,
)

KINDS = ("old", "new", "ff", "random")


def pattern(n: int, seed: int = 1) -> bytes:
    """``n`` random bytes that do not begin with FF."""
    return b"\x00" + random.Random(seed).randbytes(n - 1)


def kinds(power: PowerSupply) -> list[str]:
    assert power.log is not None
    return [f"{kind} {address // SECTOR_BYTES}" for _, kind, address, _ in power.log]


# The array.


def test_programming_clears_bits_and_only_an_erase_sets_them() -> None:
    flash = FlashArray(2 * SECTOR_BYTES, PowerSupply(), "x")
    flash.program(10, b"\xf0")
    flash.program(10, b"\x3c")
    assert flash.memory[10] == 0x30
    flash.erase(0)
    assert flash.memory[10] == 0xFF
    assert flash.wear == [1, 0]


@pytest.mark.parametrize("torn", KINDS)
@pytest.mark.parametrize("offset", [0, 1, 700, SECTOR_BYTES])
def test_a_cut_leaves_new_bytes_up_to_the_offset_and_the_chosen_rest(torn: str, offset: int) -> None:
    power = PowerSupply()
    flash = FlashArray(SECTOR_BYTES, power, "x")
    flash.program(0, bytes(SECTOR_BYTES))
    power.plan(Cut(2, torn, offset, seed=5))  # type: ignore[arg-type]
    with pytest.raises(PowerCut):
        flash.erase(0)
    memory = bytes(flash.memory)
    assert memory[:offset] == b"\xff" * offset
    rest = memory[offset:]
    if torn == "old":
        assert rest == bytes(len(rest))
    elif torn in ("new", "ff"):
        assert rest == b"\xff" * len(rest)
    elif rest:
        assert len(set(rest)) > 100
    with pytest.raises(PowerCut):
        flash.program(0, b"\x00")
    power.switch_on()
    flash.program(0, b"\x00")


def test_no_handler_for_exceptions_catches_a_power_cut() -> None:
    assert not issubclass(PowerCut, Exception)


def test_a_random_rest_is_the_same_for_the_same_seed() -> None:
    images = []
    for seed in (1, 1, 2):
        power = PowerSupply()
        flash = FlashArray(SECTOR_BYTES, power, "x")
        power.plan(Cut(1, "random", 100, seed))
        with pytest.raises(PowerCut):
            flash.erase(0)
        images.append(bytes(flash.memory))
    assert images[0] == images[1] != images[2]


# nvm.


def test_on_nrf_an_assignment_erases_and_rewrites_each_page_that_it_touches() -> None:
    power = PowerSupply()
    nvm = NordicNvm(power)
    power.log = []
    nvm[10:20] = b"0123456789"
    nvm[SECTOR_BYTES - 2 : SECTOR_BYTES + 2] = b"abcd"
    nvm[5] = 7
    assert kinds(power) == [f"{kind} {page}" for page in (0, 0, 1, 0) for kind in ("erase", "program")]
    assert nvm[10:20] == b"0123456789"
    assert nvm[5] == 7
    assert len(nvm) == 8192


def test_on_rp2040_bytes_still_ff_are_programmed_without_an_erase() -> None:
    power = PowerSupply()
    nvm = Rp2040Nvm(power)
    power.log = []
    nvm[250:260] = b"0123456789"
    assert kinds(power) == ["program 0", "program 0"], "it crosses a page of 256 bytes"
    assert nvm[250:260] == b"0123456789"
    power.log.clear()
    nvm[255:262] = b"abcdefg"
    assert kinds(power) == ["erase 0", "program 0"]
    assert nvm[250:262] == b"01234abcdefg"
    assert len(nvm) == 4096


def test_nvm_refuses_what_circuitpython_refuses() -> None:
    nvm = NordicNvm(PowerSupply())
    with pytest.raises(ValueError, match="different lengths"):
        nvm[0:4] = b"abc"
    with pytest.raises(ValueError, match="between 0 and 255"):
        nvm[0] = 256
    with pytest.raises(IndexError):
        nvm[8192] = 1
    with pytest.raises(NotImplementedError):
        nvm[0:8:2]


# Drives.


def fresh(kind: type[Drive]) -> tuple[Drive, PowerSupply, VirtualClock]:
    power = PowerSupply()
    clock = VirtualClock()
    drive = kind(16, power, clock)
    power.log = []
    return drive, power, clock


def test_external_flash_programs_a_block_that_looks_erased_at_once() -> None:
    drive, power, _ = fresh(QspiDrive)
    drive.write_blocks(3, pattern(512))
    assert kinds(power) == ["program 0"] * 2
    assert drive.flush_due_us is None
    assert drive.read_blocks(3, 1) == pattern(512)


def test_external_flash_takes_a_block_that_begins_with_four_ff_for_erased() -> None:
    drive, _, _ = fresh(QspiDrive)
    drive.write_blocks(0, b"\xff\xff\xff\xff" + bytes(508))
    drive.write_blocks(0, bytes(4) + b"\xff" * 508)
    assert drive.read_blocks(0, 1) == bytes(512), "programmed over, not erased: the two are mixed"


def test_external_flash_caches_a_rewritten_block_for_a_second() -> None:
    drive, power, clock = fresh(QspiDrive)
    drive.write_blocks(0, pattern(4096, 1))
    power.log = []
    drive.write_blocks(2, pattern(512, 2))
    assert power.log == []
    assert drive.read_blocks(2, 1) == pattern(512, 2), "read from the cache"
    drive.lose_cache()
    assert drive.read_blocks(2, 1) == pattern(4096, 1)[1024:1536], "and gone with the power"
    drive.write_blocks(2, pattern(512, 2))
    clock.sleep(0.9)
    drive.tick()
    assert power.log == []
    clock.sleep(0.1)
    drive.tick()
    assert kinds(power) == ["erase 0"] + ["program 0"] * 16
    expected = bytearray(pattern(4096, 1))
    expected[1024:1536] = pattern(512, 2)
    assert drive.read_blocks(0, 8) == bytes(expected)


def test_external_flash_loses_the_second_write_to_a_cached_block_whose_flash_is_erased() -> None:
    """A trap in CircuitPython's cache: the erased-page shortcut looks at the flash while the cache holds newer data."""
    drive, _, _ = fresh(QspiDrive)
    drive.write_blocks(0, pattern(512, 1))
    drive.write_blocks(0, pattern(512, 2))  # not erased: the sector is cached
    drive.write_blocks(1, pattern(512, 3))  # into the cache, though its flash is erased
    drive.write_blocks(1, pattern(512, 4))  # programmed, because its flash is erased
    drive.flush()  # and overwritten by what the cache held
    assert drive.read_blocks(1, 1) == pattern(512, 3)


def test_external_flash_flushes_when_another_sector_is_written() -> None:
    drive, power, _ = fresh(QspiDrive)
    drive.write_blocks(0, pattern(512))
    drive.write_blocks(8, pattern(512))
    drive.write_blocks(0, pattern(512, 2))
    power.log = []
    drive.write_blocks(8, pattern(512, 3))
    assert kinds(power)[0] == "erase 0"


def test_rp2040_erases_a_sector_for_every_write_even_of_erased_blocks() -> None:
    drive, power, clock = fresh(Rp2040Drive)
    drive.write_blocks(0, pattern(512))
    assert kinds(power) == []
    clock.sleep(1)
    drive.tick()
    assert kinds(power) == ["erase 0", "program 0"]
    drive.write_blocks(1, pattern(512, 2))
    drive.write_blocks(2, pattern(512, 3))
    assert kinds(power) == ["erase 0", "program 0"] * 2
    assert drive.read_blocks(0, 3) == pattern(512) + pattern(512, 2) + pattern(512, 3)
    assert kinds(power) == ["erase 0", "program 0"] * 3, "a read writes the cache back"


@pytest.mark.parametrize("kind", [QspiDrive, Rp2040Drive])
@settings(max_examples=40)
@given(data=st.data())
def test_a_drive_reads_back_what_was_written_whatever_the_order(kind: type[Drive], data: st.DataObject) -> None:
    """Against a model of a plain array. No block begins with FF FF FF FF, none is written twice without a flush."""
    drive, _, clock = fresh(kind)
    recent: set[int] = set()
    model = bytearray(b"\xff" * (16 * SECTOR_BYTES))
    for step in range(data.draw(st.integers(1, 30))):
        first = data.draw(st.integers(0, 120))
        n = data.draw(st.integers(1, 8))
        action = data.draw(st.sampled_from(["write", "write", "read", "flush", "wait"]))
        if action == "write":
            piece = b"".join(pattern(512, step * 10 + k) for k in range(n))
            blocks = set(range(first, first + n))
            if recent & blocks:
                drive.flush()
                recent.clear()
            recent |= blocks
            drive.write_blocks(first, piece)
            model[first * 512 : (first + n) * 512] = piece
        elif action == "read":
            assert drive.read_blocks(first, n) == bytes(model[first * 512 : (first + n) * 512])
        elif action == "flush":
            drive.flush()
        else:
            clock.sleep(data.draw(st.floats(0, 1.5)))
            drive.tick()
    assert drive.read_blocks(0, drive.n_blocks) == bytes(model)


def test_a_file_reads_back_what_was_written_at_any_offset(chance: random.Random) -> None:
    drive, _, _ = fresh(Rp2040Drive)
    files = VirtualDrive(drive, first_block=8)
    files.create("/data/x", 6000)
    file = files.open("/data/x", "r+b")
    model = bytearray(b"\xff" * file.size)
    for _ in range(200):
        offset = chance.randrange(file.size - 1)
        piece = bytes(chance.randrange(255) for _ in range(chance.randrange(1, min(1500, file.size - offset + 1))))
        if chance.random() < 0.5:
            file.seek(offset)
            assert file.write(piece) == len(piece)
            model[offset : offset + len(piece)] = piece
        else:
            file.seek(offset)
            assert file.read(len(piece)) == bytes(model[offset : offset + len(piece)])
    file.flush()
    file.seek(0)
    assert file.read() == bytes(model)
    with pytest.raises(OSError):
        files.open("/data/y")
    file.seek(0, 2)
    with pytest.raises(OSError):
        file.write(b"x")


# The firmware's banks.


class Store:
    """Two banks of a board, and where they wear the flash."""

    def __init__(self, board: str) -> None:
        self.power = PowerSupply()
        self.clock = VirtualClock()
        self.nvm = NordicNvm(self.power) if board == "nrf" else Rp2040Nvm(self.power)
        self.drive: Drive = Rp2040Drive(32, self.power, self.clock)
        self.files = VirtualDrive(self.drive)
        self.files.create("/data/a.bin", 5000)
        self.files.create("/data/journal.bin", FILE_SIZE, skew_blocks=3)
        self.files.create("/data/z.bin", 5000)
        self.board = board

    def banks(self) -> list[NvmBank | FileBank]:
        if self.board == "nrf":
            return [NvmBank(self.nvm, 0), NvmBank(self.nvm, 1)]
        return [NvmBank(self.nvm, 0), FileBank("/data/journal.bin", self.files.open)]

    def reboot(self) -> list[NvmBank | FileBank]:
        self.power.switch_on()
        self.drive.lose_cache()
        return self.banks()


def read(bank: NvmBank | FileBank, n: int = PAGE_SIZE) -> bytes:
    buf = bytearray(n)
    bank.read_into(0, buf)
    return bytes(buf)


@pytest.mark.parametrize("board", ["nrf", "rp2040"])
@pytest.mark.parametrize("n", [1, 511, 512, 513, 4000, PAGE_SIZE])
def test_a_bank_reads_back_what_was_written(board: str, n: int) -> None:
    for bank in Store(board).banks():
        assert bank.size == PAGE_SIZE
        bank.write(pattern(n, 1))
        assert read(bank, n) == pattern(n, 1)
        buf = bytearray(min(n, 100))
        bank.read_into(n - len(buf), buf)
        assert bytes(buf) == pattern(n, 1)[n - len(buf) :]
        with pytest.raises(ValueError, match="full"):
            bank.write(bytes(PAGE_SIZE + 1))


@pytest.mark.parametrize("board", ["nrf", "rp2040"])
@pytest.mark.parametrize("target", [0, 1])
def test_a_cut_at_any_operation_of_one_bank_never_touches_the_other(board: str, target: int, seed: int) -> None:
    """Every erase and program of a commit, torn in every way at 512-byte boundaries and seeded offsets."""
    old, new = pattern(4000, 1), pattern(3900, 2)

    def prepared() -> tuple[Store, list[NvmBank | FileBank]]:
        store = Store(board)
        banks = store.banks()
        for bank in banks:
            bank.write(old)
        return store, banks

    store, banks = prepared()
    before = store.power.n_operations
    banks[target].write(new)
    n_operations = store.power.n_operations - before
    assert n_operations >= 2
    chance = random.Random(seed)
    offsets = [*range(0, SECTOR_BYTES + 1, BLOCK_BYTES), *(chance.randrange(SECTOR_BYTES) for _ in range(4))]
    cuts = every_cut(n_operations, lambda operation: offsets, KINDS)
    for cut in cuts:
        store, banks = prepared()
        store.power.plan(Cut(before + cut.operation, cut.torn, cut.offset, cut.seed))
        with pytest.raises(PowerCut):
            banks[target].write(new)
        banks = store.reboot()
        assert read(banks[1 - target], 4000) == old, cut
        banks[target].write(new)
        assert read(banks[target], 3900) == new, cut
    assert len(cuts) == n_operations * len(offsets) * 4


def test_writing_the_file_bank_erases_no_sector_of_another_file() -> None:
    store = Store("rp2040")
    for name, seed in (("/data/a.bin", 1), ("/data/z.bin", 2)):
        with store.files.open(name, "r+b") as file:
            file.write(pattern(5000, seed))
    wear = list(store.drive.flash.wear)
    bank = store.banks()[1]
    for k in range(5):
        bank.write(pattern(PAGE_SIZE, k))
    worn = {i for i, (a, b) in enumerate(zip(wear, store.drive.flash.wear, strict=True)) if a != b}
    neighbours = set()
    for name in ("/data/a.bin", "/data/z.bin"):
        first, n = store.files._files[name]
        neighbours |= {block * BLOCK_BYTES // SECTOR_BYTES for block in range(first, first + n)}
    assert worn
    assert not worn & neighbours


def test_a_write_to_the_file_bank_is_in_the_flash_at_once_and_not_a_second_later() -> None:
    store = Store("rp2040")
    store.banks()[1].write(pattern(PAGE_SIZE))
    assert read(store.reboot()[1]) == pattern(PAGE_SIZE)


def test_a_commit_to_nvm_is_one_erase_of_one_page() -> None:
    store = Store("nrf")
    store.banks()[0].write(pattern(4000))
    assert store.nvm.flash.wear == [1, 0]


def test_a_file_that_is_missing_or_too_short_is_refused() -> None:
    store = Store("rp2040")
    with pytest.raises(OSError):
        FileBank("/data/none.bin", store.files.open)
    with pytest.raises(OSError):
        FileBank("/data/a.bin", store.files.open)


def test_nvm_of_one_page_has_no_second_bank() -> None:
    with pytest.raises(ValueError, match="no page"):
        NvmBank(Rp2040Nvm(PowerSupply()), 1)


def test_create_file_lays_out_what_the_bank_wants(tmp_path: object) -> None:
    path = f"{tmp_path}/journal.bin"
    create_file(path)
    bank = FileBank(path)
    assert read(bank) == b"\xff" * PAGE_SIZE
    bank.write(pattern(700))
    assert read(bank, 1024) == pattern(700) + b"\xff" * 324
