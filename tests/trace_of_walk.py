"""Blocks of the trace for the host's tests, packed by the board's own writer."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from walktall import events as e
from walktall import rows as w


@dataclass
class Second:
    """One second of a walk: the four ticks in steps of a row, and what else it holds."""

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
        rows_from = w.pack_ints(buf, rows_from, [0] * w.STAND_SIZE, w.STAND_SIZE, w.CRC_AT)
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
        at = w.pack_ints(buf, end, [0], 1, w.CRC_AT)
        at = w.pack_ints(buf, at, [0], 1, w.CRC_AT)
        w.pack_ints(buf, at, [0, 0, 0, 0, offset_cdeg], 5, w.CRC_AT)
    for at, size, value in (
        (w.H_MAGIC, 1, w.MAGIC),
        (w.H_LAYOUT, 1, w.LAYOUT),
        (w.H_KIND, 1, w.KIND_ROWS),
        (w.H_FLAGS, 1, flags),
        (w.H_NUMBER, 4, number),
        (w.H_RING_ID, 4, int.from_bytes(ring_id, "little")),
        (w.H_BOOT, 2, boot),
        (w.H_UPTIME_S, 4, uptime_s),
        (w.H_SEQ, 2, 1),
        (w.H_SESSION_BOOT, 2, session[0]),
        (w.H_SESSION_START_S, 4, session[1]),
        (w.H_WALK, 2, walk),
        (w.H_ROWS_FROM, 1, rows_from),
        (w.H_ROWS_END, 2, end),
        (w.CRC_AT, 4, 0),
    ):
        buf[at : at + size] = value.to_bytes(size, "little")
    buf[w.CRC_AT :] = zlib.crc32(bytes(buf[: w.CRC_AT])).to_bytes(4, "little")
    return bytes(buf)
