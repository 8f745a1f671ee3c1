"""A device without a sensor, for the tests of wire, journal and link: banks to cut, a port in memory, a handler."""

import zlib
from collections.abc import Callable, Iterator, MutableSequence

from walktall import records as r
from walktall import rows, wire
from walktall.journal import Journal
from walktall.link import Link
from walktall.session import merge_into

DAY_S = 86400
#: 2026-03-01 10:00 UTC.
UTC_S = (2251 * DAY_S) + 36000


def frames_in(data: bytes, decoder: wire.Decoder) -> Iterator[tuple[int, int, bytes]]:
    """(kind, id, body) of every frame that ends in these bytes; what is begun waits in the decoder."""
    at = 0
    while at < len(data):
        at = decoder.feed(data, at, len(data))
        if decoder.size:
            yield wire.frame_kind(decoder.frame), wire.frame_id(decoder.frame), wire.frame_body(decoder)


class PowerCut(BaseException):
    """The power went away in the middle of a write. Not an Exception: no code of the device may catch it."""


class Flash:
    """One bank. ``cut`` = (write number from 1, bytes that still arrive, what lies behind them) ends a write early.

    :param after: makes the byte at an offset that a cut write no longer reached: erased, old or noise
    """

    def __init__(self, size: int = 4096) -> None:
        self.size = size
        self.data = bytearray(b"\xff" * size)
        self.writes = 0
        self.cut: tuple[int, int, Callable[[int, int], int]] | None = None
        self.fails = 0

    def read_into(self, offset: int, buf: MutableSequence[int]) -> None:
        assert offset + len(buf) <= self.size
        buf[:] = self.data[offset : offset + len(buf)]

    def write(self, buf: bytes | bytearray) -> None:
        self.writes += 1
        if self.fails:
            self.fails -= 1
            raise OSError(5)
        if self.cut is not None and self.writes == self.cut[0]:
            _, kept, after = self.cut
            old = bytes(self.data)
            self.data[:kept] = buf[:kept]
            for k in range(kept, self.size):
                self.data[k] = after(k, old[k])
            self.cut = None
            raise PowerCut
        self.data[: len(buf)] = buf


class MemoryPort:
    """The device's end of a serial port in memory: the test writes ``to_device`` and takes ``from_device``."""

    def __init__(self) -> None:
        self.connected = True
        self.to_device = bytearray()
        self.from_device = bytearray()
        #: Bytes that a write takes at the most; 0 = the host does not read.
        self.takes = 1024
        self.gives = 1024
        #: Largest buffer ever offered for a write, to see that it is bounded.
        self.offered = 0
        self.broken = False

    @property
    def in_waiting(self) -> int:
        return len(self.to_device)

    def readinto(self, buf: MutableSequence[int]) -> int | None:
        if self.broken:
            raise OSError(5)
        n = min(len(buf), len(self.to_device), self.gives)
        for k in range(n):
            buf[k] = self.to_device[k]
        del self.to_device[:n]
        return n or None

    def write(self, buf: bytes | memoryview) -> int | None:
        self.offered = max(self.offered, len(buf))
        n = min(self.takes, len(buf))
        self.from_device += buf[:n]
        return n or None


def trace_block(
    number: int,
    layout: int = 1,
    boot: int = 1,
    start_s: int = 100,
    uptime_s: int = 100,
    kind: int = 1,
    ring_id: bytes = b"ring",
) -> bytes:
    """A block of the trace that is whole, with a head that is right and a pattern in place of rows."""
    raw = bytearray((number * 37 + k * 11 + k // 256) & 0xFF for k in range(rows.BLOCK_BYTES))
    for at, data in (
        (rows.H_MAGIC, bytes((rows.MAGIC, layout, kind, 0))),
        (rows.H_NUMBER, number.to_bytes(4, "little")),
        (rows.H_RING_ID, ring_id),
        (rows.H_BOOT, boot.to_bytes(2, "little")),
        (rows.H_UPTIME_S, uptime_s.to_bytes(4, "little")),
        (rows.H_SESSION_BOOT, boot.to_bytes(2, "little")),
        (rows.H_SESSION_START_S, start_s.to_bytes(4, "little")),
    ):
        raw[at : at + len(data)] = data
    raw[rows.CRC_AT :] = zlib.crc32(bytes(raw[: rows.CRC_AT])).to_bytes(4, "little")
    return bytes(raw)


class DeskTrace:
    """The ring of blocks as ``link`` sees it, in memory: what is in a block does not matter to the wire."""

    def __init__(self, capacity: int = 64) -> None:
        self.ring_id = b"ring"
        self.layout = 1
        self.capacity = capacity
        self.torn = 0
        self.fault = False
        self.wiping = False
        self.blocks: dict[int, bytes] = {}
        self.first_block = 0
        self.next_block = 0

    def add(self, block: bytes) -> int:
        """Write one more block, over the oldest one where the ring is full; its number."""
        number = self.next_block
        self.blocks[number] = block
        self.next_block += 1
        if self.next_block - self.first_block > self.capacity:
            self.blocks.pop(self.first_block, None)
            self.first_block += 1
        return number

    def read_into(self, block: int, offset: int, buf: memoryview) -> int:
        data = self.blocks.get(block, b"")[offset : offset + len(buf)]
        buf[: len(data)] = data
        return len(data)

    def wipe(self) -> None:
        self.blocks.clear()
        self.first_block = self.next_block = 0
        self.ring_id = bytes(byte ^ 0x55 for byte in self.ring_id)


class DeskDevice:
    """What ``link`` asks of a device, with counters in place of a motor and a sensor."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.trace: DeskTrace | None = DeskTrace()
        self.raw_s = 0
        self.raw_most_min = 10
        self.clock_s = 0
        self.up_s = 100
        self.identified = 0
        self.marks = 0
        self.settings_taken = 0
        self.calibration = 0
        self.calibrations = 0
        self.can_calibrate = True
        self.maintenance_there = True
        self.fault: Exception | None = None

    def uptime_s(self) -> int:
        return self.up_s

    def utc_s(self) -> int:
        return self.clock_s

    def hello_into(self, values: list[int | bytes | str]) -> None:
        if self.fault is not None:
            raise self.fault
        values[wire.H_BOARD] = "Seeed_XIAO_nRF52840_Sense"
        values[wire.H_CHIP] = "LSM6DS3TR-C"
        values[wire.H_SOURCE_DIGEST] = bytes(range(8))
        values[wire.H_UPTIME_S] = self.up_s
        values[wire.H_UTC_S] = self.clock_s
        values[wire.H_FLAGS] = wire.HF_USB | (wire.HF_CLOCK_SET if self.clock_s else 0)
        values[wire.H_RESET_REASON] = 1
        values[wire.H_ERRORS] = 0
        values[wire.H_LAST_ERROR] = ""
        values[wire.H_BATTERY_MV] = 3980
        values[wire.H_DRIVE_KIB] = 2044
        values[wire.H_DRIVE_FREE_KIB] = 900

    def set_clock(self, utc_s: int) -> None:
        self.clock_s = utc_s

    def settings_changed(self) -> None:
        self.settings_taken += 1

    def identify(self) -> None:
        self.identified += 1

    def begin_calibration(self) -> bool:
        if not self.can_calibrate:
            return False
        self.calibrations += 1
        self.calibration = 4
        return True

    def cancel_calibration(self) -> None:
        self.calibration = 0

    def calibration_status(self) -> int:
        return self.calibration

    def selftest_into(self, buf: MutableSequence[int]) -> int:
        for k in range(16):
            buf[k] = 0xA0 + k
        return 0

    def wipe(self) -> None:
        if self.trace is not None:
            self.trace.wipe()

    def raw(self, minutes: int) -> int:
        if minutes > self.raw_most_min:
            return -1
        self.raw_s = 60 * minutes
        return self.raw_s

    def raw_left_s(self) -> int:
        return self.raw_s

    def mark(self) -> None:
        self.marks += 1

    def maintenance(self) -> bool:
        return self.maintenance_there


def drawn(seed: int = 0) -> Callable[[int], bytes]:
    """``os.urandom`` that always draws the same."""
    state = [seed]

    def draw(n: int) -> bytes:
        state[0] += 1
        return bytes((17 * state[0] + 31 * k + 1) & 0xFF for k in range(n))

    return draw


def walk(wear_s: int, utc_s: int = UTC_S, boot: int = 1, **values: int) -> MutableSequence[int]:
    """Fields of a finished session, all of it good walking unless ``values`` says otherwise."""
    fields = r.new_session_fields()
    fields[r.S_BOOT] = boot
    fields[r.S_START_UTC_S] = utc_s
    fields[r.S_WEAR_S] = wear_s
    fields[r.S_GOOD_S] = wear_s
    fields[r.S_WALKING_S] = wear_s
    fields[r.S_STEPS] = 2 * wear_s
    fields[r.S_UPRIGHT_FIRST_PCT] = r.NOT_TOLD
    fields[r.S_UPRIGHT_LAST_PCT] = r.NOT_TOLD
    for name, value in values.items():
        fields[r.SESSION.index(name)] = value
    return fields


class Desk:
    """Journal, handler, port and link together, and the host's side of an exchange."""

    def __init__(self, banks: tuple[Flash, Flash] | None = None, seed: int = 0) -> None:
        self.banks = banks or (Flash(), Flash())
        self.journal = Journal(self.banks, drawn(seed))
        self.found = self.journal.load()
        self.handler = DeskDevice(self.journal)
        self.port = MemoryPort()
        self.link = Link(self.port, self.handler)
        self.now_ms = 0
        self.live_asked: list[bool] = []
        self._decoder = wire.Decoder()

    def record(self, wear_s: int = 600, **values: int) -> int:
        """Append one session and commit it; its number."""
        seq = self.journal.append(walk(wear_s, **values), merge_into)
        self.journal.commit(UTC_S, self.handler.up_s, True)
        return int(seq)

    def poll(self, times: int = 1) -> None:
        for _ in range(times):
            live = self.link.live
            self.link.poll(self.now_ms)
            if self.link.live != live:
                self.live_asked.append(not live)
            self.now_ms = (self.now_ms + 10) & 0x1FFFFFFF

    def run(self, most: int = 1000) -> None:
        """Poll until there is nothing left to do."""
        for _ in range(most):
            self.poll()
            if not self.link.busy and not self.port.to_device:
                return
        raise AssertionError("the link does not come to rest")

    def replies(self) -> list[tuple[int, int, bytes]]:
        """(kind, id, body) of every frame that came from the device since the last time."""
        data = bytes(self.port.from_device)
        self.port.from_device.clear()
        return list(frames_in(data, self._decoder))

    def ask(self, kind: int, body: bytes = b"", request_id: int = 7) -> list[tuple[int, int, bytes]]:
        """Every reply to one request."""
        self.port.to_device += wire.encode(kind, request_id, body)
        self.run()
        return self.replies()

    def hello(self) -> dict[str, int | bytes | str]:
        ((_, _, body),) = self.ask(wire.HELLO)
        values: dict[str, int | bytes | str] = wire.unpack(wire.HELLO_FIELDS, body)
        return values

    def fetch(self, from_seq: int = 0, limit: int = 0) -> dict[int, bytes]:
        """Slots by number, as FETCH brings them."""
        *frames, end = self.ask(wire.FETCH, wire.pack(wire.FETCH_REQUEST_FIELDS, (from_seq, limit)))
        assert end[0] == wire.FETCH | wire.REPLY
        found = {}
        for kind, _, body in frames:
            assert kind == wire.RECORD
            found[wire.u16(body, 0)] = body[3:]
        assert wire.unpack(wire.FETCH_REPLY_FIELDS, end[2])["sent"] == len(frames)
        return found

    def acknowledge(self, slots: dict[int, bytes]) -> list[tuple[int, int, bytes]]:
        """Acknowledge these records and those before them."""
        seqs = sorted(slots)
        return self.ask(
            wire.ACK, wire.pack(wire.ACK_REQUEST_FIELDS, (seqs[-1], wire.crc_bytes(slots[s] for s in seqs)))
        )
