"""Flash as the boards have it: erased by sectors to FF, programmed from 1 to 0 only, worn by each erase, torn by a cut.

Four parts on top of one array model:

* ``NordicNvm``: ``microcontroller.nvm`` of the nRF52840: 8 KiB, two pages of 4 KiB; any assignment erases and rewrites
  each page that it touches, and is not atomic.
* ``Rp2040Nvm``: one sector of 4 KiB; an assignment onto bytes that are still FF is programmed without an erase, any
  other erases and rewrites the sector.
* ``QspiDrive``: an external flash under the CIRCUITPY drive, as CircuitPython's ``external_flash.c`` drives it: blocks
  of 512 bytes; a block whose first four bytes are FF is taken for erased and programmed at once, any other goes to a
  cache of one 4 KiB sector, which is erased and rewritten when another sector is wanted, on a flush, and by itself 1 s
  later. With the trap that is in there: a block of the cached sector that is written twice while its flash is still
  erased keeps the first write.
* ``Rp2040Drive``: the RP2040's own flash, as ``internal_flash.c`` drives it: each write call is cached and the whole
  sector erased and rewritten at the next write, at any read, on a flush, and by itself 1 s later. No shortcut.

``PowerSupply`` counts the erases and programs of all parts in their order and cuts the power in the middle of any one:
the bytes before ``offset`` are the new ones, those from there on are old, new, FF or random. It raises ``PowerCut``,
which is no ``Exception``: no handler of the firmware may swallow the end of the world.

Not modelled: read disturb, bit rot, bytes that read differently each time. The FAT file system above the drives is not
modelled either: ``DriveFile`` is a file that lies in one run of blocks, which is what a preallocated file is.

Sources: adafruit/circuitpython ``supervisor/shared/external_flash/external_flash.c`` (the erased-page check does read
four bytes only: it tests ``short_buffer`` twice), ``ports/raspberrypi/supervisor/internal_flash.c``, facts/hardware.md.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from walktall_sim.clock import Clock

SECTOR_BYTES = 4096
BLOCK_BYTES = 512
BLOCKS_PER_SECTOR = SECTOR_BYTES // BLOCK_BYTES
PROGRAM_PAGE_BYTES = 256
FLUSH_AFTER_US = 1_000_000
"""CircuitPython writes its cache back about a second after the last write."""

Torn = Literal["old", "new", "ff", "random"]


class PowerCut(BaseException):
    """The power went away in the middle of a flash operation.

    Not an ``Exception``: the firmware's own handlers must not catch it.
    """


@dataclass(frozen=True)
class Cut:
    """A planned loss of power.

    :param operation: which erase or program, counted from 1 over all parts of the board
    :param torn: what the bytes from ``offset`` on hold afterwards
    :param offset: where in the operation's bytes the new ones end
    :param seed: of the random bytes
    """

    operation: int
    torn: Torn = "old"
    offset: int = 0
    seed: int = 0


class PowerSupply:
    """The supply of all flash parts of a board, with the count of their operations."""

    def __init__(self) -> None:
        self.n_operations = 0
        self.cut: Cut | None = None
        self.is_on = True
        self.log: list[tuple[str, str, int, int]] | None = None
        """When set to a list: (part, 'erase' or 'program', address, bytes) of each operation."""

    def plan(self, cut: Cut | None) -> None:
        """Cut the power at ``cut``; None: not at all."""
        self.cut = cut

    def switch_off(self) -> None:
        """Take the power away between two operations."""
        self.is_on = False

    def switch_on(self) -> None:
        """Power again; the plan has been spent."""
        self.is_on = True
        self.cut = None

    def operate(self, part: str, kind: str, address: int, memory: bytearray, start: int, new: bytes) -> None:
        """Put ``new`` into ``memory[start:]`` in one operation that a planned cut may tear.

        :raises PowerCut: the power is or went off
        """
        if not self.is_on:
            raise PowerCut(f"{part}: no power")
        self.n_operations += 1
        if self.log is not None:
            self.log.append((part, kind, address, len(new)))
        cut = self.cut
        if cut is None or cut.operation != self.n_operations:
            memory[start : start + len(new)] = new
            return
        k = max(0, min(cut.offset, len(new)))
        old = bytes(memory[start : start + len(new)])
        if cut.torn == "old":
            rest = old[k:]
        elif cut.torn == "new":
            rest = new[k:]
        elif cut.torn == "ff":
            rest = b"\xff" * (len(new) - k)
        else:
            rest = random.Random(f"{cut.seed}/{cut.operation}/{k}").randbytes(len(new) - k)
        memory[start : start + len(new)] = new[:k] + rest
        self.is_on = False
        raise PowerCut(f"{part}: power cut in {kind} {self.n_operations} at byte {k}, rest {cut.torn}")


class FlashArray:
    """Bytes that are erased by sectors and programmed towards 0.

    :param size: bytes, whole sectors
    :param power: counts and cuts
    :param name: in messages and in the log
    """

    def __init__(self, size: int, power: PowerSupply, name: str) -> None:
        if size % SECTOR_BYTES:
            raise ValueError("flash comes in whole sectors of 4 KiB")
        self.memory = bytearray(b"\xff" * size)
        self.wear = [0] * (size // SECTOR_BYTES)
        """Erases of each sector."""
        self._power = power
        self._name = name

    def erase(self, sector: int) -> None:
        """All bytes of the sector become FF.

        :raises PowerCut: planned here
        """
        start = sector * SECTOR_BYTES
        self.wear[sector] += 1
        self._power.operate(self._name, "erase", start, self.memory, start, b"\xff" * SECTOR_BYTES)

    def program(self, address: int, data: bytes) -> None:
        """Bits of ``data`` that are 0 become 0; none becomes 1.

        :raises PowerCut: planned here
        """
        old = self.memory[address : address + len(data)]
        if old.count(0xFF) == len(old):
            new = bytes(data)
        else:
            n = len(data)
            new = (int.from_bytes(old, "little") & int.from_bytes(data, "little")).to_bytes(n, "little")
        self._power.operate(self._name, "program", address, self.memory, address, new)


class Nvm:
    """``microcontroller.nvm``: a byte array that lives in flash. Indices and plain slices, as CircuitPython allows.

    :param size: bytes
    :param power: counts and cuts
    """

    def __init__(self, size: int, power: PowerSupply) -> None:
        self.flash = FlashArray(size, power, "nvm")

    def __len__(self) -> int:
        return len(self.flash.memory)

    def __getitem__(self, index: int | slice) -> int | bytes:
        if isinstance(index, slice):
            if index.step not in (None, 1):
                raise NotImplementedError("only slices with step=1 (aka None) are supported")
            return bytes(self.flash.memory[index])
        return self.flash.memory[index]

    def __setitem__(self, index: int | slice, value: int | bytes | bytearray | memoryview) -> None:
        if isinstance(index, slice):
            start, stop = self._bounds(index)
            if isinstance(value, int):
                raise TypeError("array/bytes required on right side")
            data = bytes(value)
            if len(data) != stop - start:
                raise ValueError("Slice and value different lengths.")
        else:
            if not isinstance(value, int) or not 0 <= value <= 255:
                raise ValueError("Bytes must be between 0 and 255.")
            start = index + len(self) if index < 0 else index
            data = bytes([value])
        if not 0 <= start <= len(self) - len(data):
            raise IndexError("nvm index out of range")
        self._assign(start, data)

    def _bounds(self, index: slice) -> tuple[int, int]:
        start, stop, step = index.indices(len(self))
        if step != 1:
            raise NotImplementedError("only slices with step=1 (aka None) are supported")
        return start, max(start, stop)

    def _assign(self, start: int, data: bytes) -> None:
        raise NotImplementedError

    def _rewrite(self, sector: int, start: int, data: bytes) -> None:
        """Erase a sector and program it again with ``data`` put in at ``start``."""
        base = sector * SECTOR_BYTES
        image = bytearray(self.flash.memory[base : base + SECTOR_BYTES])
        image[start - base : start - base + len(data)] = data
        self.flash.erase(sector)
        self.flash.program(base, bytes(image))


class NordicNvm(Nvm):
    """Two pages of 4 KiB; an assignment erases and rewrites each page that it touches."""

    def __init__(self, power: PowerSupply) -> None:
        super().__init__(2 * SECTOR_BYTES, power)

    def _assign(self, start: int, data: bytes) -> None:
        while data:
            sector = start // SECTOR_BYTES
            n = min(len(data), (sector + 1) * SECTOR_BYTES - start)
            self._rewrite(sector, start, data[:n])
            start += n
            data = data[n:]


class Rp2040Nvm(Nvm):
    """One sector of 4 KiB; bytes that are still FF are programmed without an erase."""

    def __init__(self, power: PowerSupply) -> None:
        super().__init__(SECTOR_BYTES, power)

    def _assign(self, start: int, data: bytes) -> None:
        if not data:
            return
        if bytes(self.flash.memory[start : start + len(data)]).count(0xFF) < len(data):
            self._rewrite(0, start, data)
            return
        # Programs are 256 bytes and aligned; what is not written is programmed as FF, which changes nothing.
        first = start // PROGRAM_PAGE_BYTES * PROGRAM_PAGE_BYTES
        while first < start + len(data):
            page = bytearray(b"\xff" * PROGRAM_PAGE_BYTES)
            for i in range(PROGRAM_PAGE_BYTES):
                if start <= first + i < start + len(data):
                    page[i] = data[first + i - start]
            self.flash.program(first, bytes(page))
            first += PROGRAM_PAGE_BYTES


class Drive:
    """The flash under the CIRCUITPY drive, in blocks of 512 bytes.

    :param n_sectors: of 4 KiB
    :param power: counts and cuts
    :param clock: the cache is written back by itself after ``FLUSH_AFTER_US``
    """

    NAME = "drive"

    def __init__(self, n_sectors: int, power: PowerSupply, clock: Clock) -> None:
        self.flash = FlashArray(n_sectors * SECTOR_BYTES, power, self.NAME)
        self._clock = clock
        self._sector = -1
        self._dirty_us = 0

    @property
    def n_blocks(self) -> int:
        """Blocks of the drive."""
        return len(self.flash.memory) // BLOCK_BYTES

    @property
    def flush_due_us(self) -> int | None:
        """When the cache will be written back by itself; None: nothing is cached."""
        return None if self._sector < 0 else self._dirty_us + FLUSH_AFTER_US

    def tick(self) -> None:
        """CircuitPython's background task: write the cache back when its second has passed.

        :raises PowerCut: planned in there
        """
        due = self.flush_due_us
        if due is not None and self._clock.now_us >= due:
            self.flush()

    def lose_cache(self) -> None:
        """What a loss of power does to RAM."""
        self._sector = -1

    def write_blocks(self, first: int, data: bytes) -> None:
        """One write call of the file system: whole blocks from ``first`` on."""
        raise NotImplementedError

    def read_blocks(self, first: int, n: int) -> bytes:
        """One read call of the file system."""
        raise NotImplementedError

    def flush(self) -> None:
        """Write the cache back."""
        raise NotImplementedError


class QspiDrive(Drive):
    """External flash: cached sector, and the shortcut for blocks that look erased."""

    NAME = "qspi"

    def __init__(self, n_sectors: int, power: PowerSupply, clock: Clock) -> None:
        super().__init__(n_sectors, power, clock)
        self._cache: dict[int, bytes] = {}

    def lose_cache(self) -> None:
        """What a loss of power does to RAM."""
        super().lose_cache()
        self._cache = {}

    def write_blocks(self, first: int, data: bytes) -> None:
        """Block by block, as ``external_flash_write_block`` does."""
        self.tick()
        for i in range(len(data) // BLOCK_BYTES):
            self._write_block(first + i, data[i * BLOCK_BYTES : (i + 1) * BLOCK_BYTES])

    def _write_block(self, block: int, data: bytes) -> None:
        sector = block // BLOCKS_PER_SECTOR
        address = block * BLOCK_BYTES
        if sector != self._sector or block in self._cache:
            if self.flash.memory[address : address + 4] == b"\xff\xff\xff\xff":
                self._program(address, data)
                return
            self.flush()
            self._sector = sector
        self._cache[block] = data
        self._dirty_us = self._clock.now_us

    def _program(self, address: int, data: bytes) -> None:
        """As ``write_flash``: nothing at all if every byte is FF, else page by page."""
        if data.count(0xFF) == len(data):
            return
        for i in range(0, len(data), PROGRAM_PAGE_BYTES):
            self.flash.program(address + i, data[i : i + PROGRAM_PAGE_BYTES])

    def read_blocks(self, first: int, n: int) -> bytes:
        """From the cache where it is newer."""
        self.tick()
        out = bytearray()
        for block in range(first, first + n):
            cached = self._cache.get(block)
            if cached is None:
                out += self.flash.memory[block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES]
            else:
                out += cached
        return bytes(out)

    def flush(self) -> None:
        """Erase the cached sector and program it anew, page by page."""
        if self._sector < 0:
            return
        sector, cache = self._sector, self._cache
        base = sector * SECTOR_BYTES
        image = bytearray(self.flash.memory[base : base + SECTOR_BYTES])
        for block, data in cache.items():
            image[block * BLOCK_BYTES - base : (block + 1) * BLOCK_BYTES - base] = data
        self._sector = -1
        self._cache = {}
        self.flash.erase(sector)
        for i in range(0, SECTOR_BYTES, PROGRAM_PAGE_BYTES):
            self._program(base + i, bytes(image[i : i + PROGRAM_PAGE_BYTES]))


class Rp2040Drive(Drive):
    """The RP2040's own flash: every write call ends in an erase and a program of its whole sector."""

    NAME = "rp2040"

    def __init__(self, n_sectors: int, power: PowerSupply, clock: Clock) -> None:
        super().__init__(n_sectors, power, clock)
        self._cache = bytearray(SECTOR_BYTES)

    def write_blocks(self, first: int, data: bytes) -> None:
        """As ``supervisor_flash_write_blocks``: the cached sector is flushed at each call.

        (The port compares a byte offset with a block number, so it never finds its cache and flushes each time.)
        """
        self.tick()
        block = first
        end = first + len(data) // BLOCK_BYTES
        while block < end:
            sector = block // BLOCKS_PER_SECTOR
            self.flush()
            base = sector * SECTOR_BYTES
            self._cache[:] = self.flash.memory[base : base + SECTOR_BYTES]
            self._sector = sector
            self._dirty_us = self._clock.now_us
            stop = min(end, (sector + 1) * BLOCKS_PER_SECTOR)
            piece = data[(block - first) * BLOCK_BYTES : (stop - first) * BLOCK_BYTES]
            self._cache[block * BLOCK_BYTES - base : stop * BLOCK_BYTES - base] = piece
            block = stop

    def read_blocks(self, first: int, n: int) -> bytes:
        """As ``supervisor_flash_read_blocks``: it never reads from the cache, so it writes that back before."""
        self.flush()
        return bytes(self.flash.memory[first * BLOCK_BYTES : (first + n) * BLOCK_BYTES])

    def flush(self) -> None:
        """Erase the cached sector and program it anew in one go."""
        if self._sector < 0:
            return
        sector = self._sector
        image = bytes(self._cache)
        self._sector = -1
        self.flash.erase(sector)
        self.flash.program(sector * SECTOR_BYTES, image)


class DriveFile:
    """A file held open ``r+b``: one run of blocks on a drive, read and written through FatFs' rules.

    Whole aligned blocks go straight to the drive; a part of a block goes through the file's own buffer of one block,
    which only a flush, a close or the next block writes back.

    :param drive: where it lies
    :param first_block: of the run
    :param n_blocks: of the run
    """

    def __init__(self, drive: Drive, first_block: int, n_blocks: int) -> None:
        self._drive = drive
        self._first = first_block
        self.size = n_blocks * BLOCK_BYTES
        self._position = 0
        self._window_block = -1
        self._window = bytearray(BLOCK_BYTES)
        self._window_dirty = False

    def __enter__(self) -> DriveFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move: 0 from the start, 1 from here, 2 from the end."""
        base = (0, self._position, self.size)[whence]
        self._position = max(0, min(self.size, base + offset))
        return self._position

    def tell(self) -> int:
        """Where the next byte is read or written."""
        return self._position

    def _load(self, block: int) -> None:
        if self._window_block != block:
            self._store()
            self._window[:] = self._drive.read_blocks(self._first + block, 1)
            self._window_block = block

    def _store(self) -> None:
        if self._window_dirty:
            self._drive.write_blocks(self._first + self._window_block, bytes(self._window))
            self._window_dirty = False

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write at the position; a preallocated file does not grow.

        :raises OSError: beyond its end
        """
        data = bytes(data)
        if self._position + len(data) > self.size:
            raise OSError(28, "no room in this preallocated file")
        done = 0
        while done < len(data):
            block, offset = divmod(self._position, BLOCK_BYTES)
            whole = (len(data) - done) // BLOCK_BYTES
            if offset == 0 and whole:
                if block <= self._window_block < block + whole:
                    self._window_block = -1
                    self._window_dirty = False
                else:
                    self._store()
                n = whole * BLOCK_BYTES
                self._drive.write_blocks(self._first + block, data[done : done + n])
            else:
                n = min(BLOCK_BYTES - offset, len(data) - done)
                self._load(block)
                self._window[offset : offset + n] = data[done : done + n]
                self._window_dirty = True
            done += n
            self._position += n
        return done

    def readinto(self, buf: bytearray | memoryview) -> int:
        """Fill ``buf``: how many bytes there were."""
        n = min(len(buf), self.size - self._position)
        buf[:n] = self.read(n)
        return n

    def read(self, n: int = -1) -> bytes:
        """Up to ``n`` bytes from the position, all if negative."""
        if n < 0:
            n = self.size - self._position
        n = min(n, self.size - self._position)
        out = bytearray()
        while len(out) < n:
            block, offset = divmod(self._position, BLOCK_BYTES)
            whole = (n - len(out)) // BLOCK_BYTES
            if offset == 0 and whole:
                self._store()
                piece = self._drive.read_blocks(self._first + block, whole)
            else:
                self._load(block)
                piece = bytes(self._window[offset : offset + n - len(out)])
            out += piece
            self._position += len(piece)
        return bytes(out)

    def flush(self) -> None:
        """The buffer to the drive, the drive's cache to the flash. (On a board the directory is written too.)"""
        self._store()
        self._drive.flush()

    def close(self) -> None:
        """As ``flush``."""
        self.flush()


class VirtualDrive:
    """Names for runs of blocks: enough of a file system for preallocated files.

    :param drive: the flash
    :param first_block: where the files may begin; what lies before belongs to the FAT and is not modelled
    """

    def __init__(self, drive: Drive, first_block: int = 64) -> None:
        self.drive = drive
        self._next = first_block
        self._files: dict[str, tuple[int, int]] = {}

    def create(self, path: str, size: int, skew_blocks: int = 0) -> None:
        """Preallocate a file of ``size`` bytes of FF, whole blocks.

        :param skew_blocks: how far its start lies behind a sector boundary
        """
        n = -(-size // BLOCK_BYTES)
        first = -(-self._next // BLOCKS_PER_SECTOR) * BLOCKS_PER_SECTOR + skew_blocks
        if first + n > self.drive.n_blocks:
            raise OSError(28, "no space left on the drive")
        self._files[path] = (first, n)
        self._next = first + n

    @property
    def free_blocks(self) -> int:
        """Blocks that no file has taken."""
        return self.drive.n_blocks - self._next

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return path in self._files

    def open(self, path: str, mode: str = "rb") -> DriveFile:
        """The file, for reading and writing in place.

        :raises OSError: no such file
        """
        if path not in self._files:
            raise OSError(2, "no such file: " + path)
        if mode not in ("rb", "r+b", "rb+"):
            raise ValueError("files are preallocated: open them with 'rb' or 'r+b'")
        first, n = self._files[path]
        return DriveFile(self.drive, first, n)


def every_cut(n_operations: int, offsets: Callable[[int], list[int]], kinds: tuple[Torn, ...]) -> list[Cut]:
    """All cuts of a scenario of ``n_operations``: each operation, at each offset, with each kind of rest.

    :param offsets: the offsets to try in operation ``n``
    """
    cuts = []
    for operation in range(1, n_operations + 1):
        for offset in offsets(operation):
            for kind in kinds:
                cuts.append(Cut(operation, kind, offset, seed=operation))
    return cuts
