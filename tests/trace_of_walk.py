"""Blocks of the trace for the host's tests, packed by the board's own writer."""

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from walktall import events as e
from walktall import rows as w


@dataclass
class Second:
    """One second of a walk: tenths of a degree of its four ticks, and what else a row holds."""

    pitch: Sequence[int] = (0, 0, 0, 0)
    roll: Sequence[int] = (0, 0, 0, 0)
    state: int = e.WALKS
    cadence_spm: int = 110
    second_class: int = e.CLASS_GOOD
    #: (tick, code, fault, label, value)
    marks: Sequence[tuple[int, int, int, int, int]] = field(default_factory=tuple)
    #: Ticks of a second that the session's end cut off.
    cut_after: int = 4


def block_of(
    number: int,
    seconds: Iterable[Second],
    *,
    boot: int = 1,
    uptime_s: int = 10,
    session: tuple[int, int] = (1, 10),
    flags: int = 0,
    walk: int = 1,
    ring_id: bytes = b"ring",
    offset_cdeg: int | None = None,
) -> bytes:
    """One block with these seconds in it, its CRC right."""
    writer = w.RowWriter()
    buf = writer.buf
    for k in range(w.BLOCK_BYTES):
        buf[k] = 0
    rows_from = w.HEADER_BYTES
    if flags & w.B_BEGIN:
        rows_from = w.pack_ints(buf, rows_from, [0] * w.STAND_SIZE, w.STAND_SIZE)
    writer.begin(rows_from, w.CRC_AT - 60)
    writer.take(1)
    for second in seconds:
        for tick in range(second.cut_after):
            writer.tick(tick, second.pitch[tick] * w.STEP_CDEG, second.roll[tick] * w.STEP_CDEG, second.state)
        for mark in second.marks:
            writer.mark(*mark)
        if second.cut_after < 4:
            writer.cut()
        else:
            writer.second(second.second_class, second.cadence_spm)
    assert not writer.lost
    end = writer.at
    if offset_cdeg is not None:
        flags |= w.B_CHECKPOINT
        at = w.pack_ints(buf, end, [0], 1)
        at = w.pack_ints(buf, at, [0], 1)
        w.pack_ints(buf, at, [0, 0, 0, 0, offset_cdeg], 5)
    head = struct.pack(
        "<BBBBI4sHIIHHIHhhBxH",
        w.MAGIC,
        w.LAYOUT,
        w.KIND_ROWS,
        flags,
        number,
        ring_id,
        boot,
        uptime_s,
        0,
        1,
        *session,
        walk,
        0,
        0,
        rows_from,
        end,
    )
    buf[: len(head)] = head
    buf[w.CRC_AT :] = struct.pack("<I", zlib.crc32(bytes(buf[: w.CRC_AT])))
    return bytes(buf)
