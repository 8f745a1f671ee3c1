"""Blocks of the trace as they lie on the clip's drive: is one whole, and which boot, session and second begin it.

What stands where in every layout: magic, layout and number at the beginning, the CRC-32 over all before it in the last
four bytes. So a block of a later layout is known to be whole, and kept, though its rows cannot be read yet.

It reads no rows (``walktall.rows`` does, by ``trace``) and stores nothing.
"""

from dataclasses import dataclass
from struct import Struct
from zlib import crc32


@dataclass(frozen=True)
class Head:
    """What a block says of itself; None where its layout is a later one."""

    layout: int
    number: int
    boot: int | None
    seq: int | None
    uptime_s: int | None


#: Newest layout whose rows this version reads.
LAYOUT = 1
_HEAD = Struct("<HHI")
_CRC_SIZE = 4
#: Bytes of a block, in this version and in any to come.
LEAST = 64
MOST = 4096


def whole(raw: bytes, number: int) -> bool:
    """True when a block's CRC holds and it is the block of that number."""
    if not LEAST <= len(raw) <= MOST or crc32(raw[:-_CRC_SIZE]) != int.from_bytes(raw[-_CRC_SIZE:], "little"):
        return False
    return head_of(raw).number == number


def head_of(raw: bytes) -> Head:
    """The head of a block that is whole."""
    layout = raw[3]
    number = int.from_bytes(raw[4:8], "little")
    if layout != LAYOUT:
        return Head(layout, number, None, None, None)
    return Head(layout, number, *_HEAD.unpack_from(raw, 8))
