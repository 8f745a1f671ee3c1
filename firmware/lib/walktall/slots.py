"""The session record as the board counts, packs and reads it: 91 bytes, of the 92 that a slot of the journal holds.

::

    0         1       3        5                9                     91
    | layout  | seq   | boot   | start_utc_s    | ...          | cues |

The field table with names and units, THE definition, stands in :mod:`walktall.records`, which no board imports; a test
holds codes and indexes to it. Integers only: what lies here is what goes over the wire and what the host stores. A
later layout only appends fields: an older record reads with zeros for what it lacks; a newer one is refused by code,
and the host keeps its raw bytes until it can read them.

What it does not do: it does not decide what counts as what (``session`` does), nor when a record is kept (``journal``).
"""

from array import array

from . import __version__
from .packing import Table as _Table

try:
    from micropython import const
except ImportError:

    def const(value):
        """The value itself: CPython folds nothing."""
        return value


SESSION_LAYOUT = const(1)

#: Codes of the fields, as :class:`walktall.packing.Table` has them.
SESSION_CODES = (
    "H H I I H H H H H H H H H H H H H H H H T B B B B B B B B B H H h h h B B b*10 B B B B B*20 B*20 B B B B "
    "B H B H H H B"
)

#: Fields that each layout holds, by layout number: a later one only appends.
SESSION_COUNTS = (0, 55)

# Of `records`; private, so that they fold: tests/test_house_rules.py holds them to it.
_S_FLAGS = const(49)
_FLAG_SATURATED = const(4)
_RECORD_OK = const(0)
_RECORD_NEWER = const(1)
_RECORD_BAD = const(2)

SESSION = _Table(SESSION_CODES)
S_COUNT = SESSION.count

#: Bytes of a record of this layout, the layout byte included.
SESSION_SIZE = 1 + SESSION.size


def new_session_fields():
    """An ``array('i')`` of zeros, one for each field, in order."""
    return array("i", bytes(4 * S_COUNT))


#: This firmware's version as ``fw_version`` holds it: ``major*10000 + minor*100 + patch`` (`records.version_number`).
FW_VERSION = 0
for _part in __version__.split("."):
    FW_VERSION = FW_VERSION * 100 + int(_part)


def pack_session_into(buf, offset, fields):
    """Offset behind the record packed at ``offset``; :data:`SESSION_SIZE` bytes are written.

    A count beyond its width is packed as the greatest that fits, and the record (not ``fields``) is flagged
    ``FLAG_SATURATED``.
    """
    buf[offset] = SESSION_LAYOUT
    end = SESSION.pack_into(buf, offset + 1, fields)
    if SESSION.clipped:
        position = offset + 1
        for i in range(_S_FLAGS):
            position += SESSION.widths[i]
        buf[position] |= _FLAG_SATURATED
    return end


def unpack_session_into(buf, offset, fields):
    """RECORD_OK with ``fields`` filled, or RECORD_NEWER or RECORD_BAD with ``fields`` left as they were or zeroed.

    :param fields: an ``array('i')`` or list of :data:`S_COUNT` values
    """
    if offset >= len(buf) or buf[offset] == 0 or buf[offset] == 0xFF:  # 0xFF: erased flash
        return _RECORD_BAD
    layout = buf[offset]
    if layout > SESSION_LAYOUT:
        return _RECORD_NEWER
    if SESSION.unpack_into(buf, offset + 1, fields, SESSION_COUNTS[layout]) < 0:
        return _RECORD_BAD
    return _RECORD_OK
