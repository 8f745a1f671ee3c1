"""Blocks of the trace as they lie on the clip's drive: is one whole, and of which session and second is it.

Magic, layout, number and ring stand at the beginning of a block in every layout, the CRC-32 over all before it in its
last four bytes. So a block of a later layout is known to be whole, and kept, though it cannot be read yet.

It reads no rows (``walktall.retrace`` does, by ``trace``) and stores nothing.
"""

from dataclasses import dataclass
from zlib import crc32

from walktall import rows

#: Bytes of a block, in this version and in any to come.
LEAST = 64
MOST = 4096
#: Newest layout that this version reads.
LAYOUT = int(rows.LAYOUT)
_CRC_SIZE = 4


@dataclass(frozen=True)
class Head:
    """What a block says of itself; what this version cannot read in it is None.

    A block of rows belongs to the session whose record has these ``boot`` and ``start_uptime_s``; any other kind to
    none.
    """

    layout: int
    number: int
    ring_id: bytes
    kind: int | None = None
    session_boot: int | None = None
    session_start_s: int | None = None
    uptime_s: int | None = None


def whole(raw: bytes, number: int, ring_id: bytes) -> bool:
    """True when a block's CRC holds and it is the block of that number in that ring."""
    if not LEAST <= len(raw) <= MOST or raw[rows.H_MAGIC] != rows.MAGIC:
        return False
    if crc32(raw[:-_CRC_SIZE]) != int.from_bytes(raw[-_CRC_SIZE:], "little"):
        return False
    head = head_of(raw)
    return (head.number, head.ring_id) == (number, ring_id)


def head_of(raw: bytes) -> Head:
    """The head of a block that is whole."""

    def number(at: int, size: int) -> int:
        return int.from_bytes(raw[at : at + size], "little")

    layout = raw[rows.H_LAYOUT]
    ring_id = raw[rows.H_RING_ID : rows.H_RING_ID + 4]
    if not 1 <= layout <= LAYOUT:
        return Head(layout, number(rows.H_NUMBER, 4), ring_id)
    kind = raw[rows.H_KIND]
    of_rows = kind == rows.KIND_ROWS
    return Head(
        layout,
        number(rows.H_NUMBER, 4),
        ring_id,
        kind,
        number(rows.H_SESSION_BOOT, 2) if of_rows else None,
        number(rows.H_SESSION_START_S, 4) if of_rows else None,
        number(rows.H_UPTIME_S, 4),
    )
