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
SESSION_SLOT_BYTES = const(92)

#: Codes of the fields, as :class:`walktall.packing.Table` has them.
SESSION_CODES = (
    "H H I I H H H H H H H H H H H H H H H H T B B B B B B B B B H H h h h B B b*10 B B B B B*20 B*20 B B B B "
    "B H B H H H B"
)

# Index of each field; a test holds them to the table.
S_SEQ = const(0)
S_BOOT = const(1)
S_START_UTC_S = const(2)
S_START_UPTIME_S = const(3)
S_WEAR_S = const(4)
S_GOOD_S = const(5)
S_FORWARD_S = const(6)
S_BACK_S = const(7)
S_SIDE_S = const(8)
S_STILL_S = const(9)
S_BEND_S = const(10)
S_JOG_S = const(11)
S_BUZZING_S = const(12)
S_CHARGING_S = const(13)
S_GAP_S = const(14)
S_UNSURE_S = const(15)
S_SNOOZED_S = const(16)
S_OFF_BODY_S = const(17)
S_WALKING_S = const(18)
S_BRISK_S = const(19)
S_STEPS = const(20)
S_CADENCE_MEAN_SPM = const(21)
S_LEAN_EVENTS = const(22)
S_SLOUCH_EVENTS = const(23)
S_UNSURE_EVENTS = const(24)
S_BACK_EVENTS = const(25)
S_SIDE_EVENTS = const(26)
S_BUZZES = const(27)
S_ANSWERED = const(28)
S_IGNORED = const(29)
S_ANSWER_MEAN_DS = const(30)
S_LONGEST_GOOD_S = const(31)
S_PITCH_MEAN_CDEG = const(32)
S_PITCH_SLOW_CDEG = const(33)
S_PITCH_BRISK_CDEG = const(34)
S_UPRIGHT_FIRST_PCT = const(35)
S_UPRIGHT_LAST_PCT = const(36)
S_WALK_OFFSET_CDEG = const(37)
S_CALIBRATION_QUALITY = const(38)
S_SLIPS = const(39)
S_DISCOMFORT_MARKS = const(40)
S_WRONG_MARKS = const(41)
S_BATTERY_START_MV = const(42)
S_BATTERY_END_MV = const(43)
S_ON_DEG = const(44)
S_OFF_DEG = const(45)
S_HOLD_S = const(46)
S_MODE = const(47)
S_COACHING = const(48)
S_FLAGS = const(49)
S_MERGED_WALKS = const(50)
S_FW_VERSION = const(51)
S_SILENT_S = const(52)
S_SILENT_FORWARD_S = const(53)
S_CUES = const(54)
#: Of the two upright shares: too little walking to compare.
NOT_TOLD = const(255)

#: Fields that each layout holds, by layout number: a later one only appends.
SESSION_COUNTS = (0, 55)

#: Seconds of class c (``events.CLASS_...``, 1..13) are counted in field ``S_CLASS_BASE + c``.
S_CLASS_BASE = const(4)
S_CLASS_COUNT = const(13)

# Bits of the field ``flags``.
FLAG_RESUMED = const(1)  # taken up from a checkpoint after a loss of power
FLAG_MERGED = const(2)  # several walks in one record
FLAG_SATURATED = const(4)  # a count reached the end of its width
FLAG_SPLIT = const(8)  # ended by SESSION_SPLIT_S, goes on in the next record
FLAG_UNCALIBRATED = const(16)  # no upright known for a part of it
FLAG_SETTINGS = const(32)  # a setting changed in mid-session
FLAG_RECALIBRATED = const(64)  # the upright was taken again in mid-session
FLAG_CUT = const(128)  # ended by a loss of power: the last seconds may be missing
FLAG_SLIPPED = const(256)  # the clip slipped: judged as unsure from then on
FLAG_LOW_BATTERY = const(512)  # ended by the battery
FLAG_SENSOR = const(1024)  # the sensor failed for a part of it
FLAG_HILL = const(2048)  # hill mode was used
FLAG_SHORT = const(4096)  # every walk in it was shorter than SHORT_WALK_S: further ones may merge into it
FLAG_CLOCK_SET = const(8192)  # the clock was set in mid-session: start_utc_s is counted back from it

#: 18 h: a session is split before its seconds outgrow 16 bits (65,535 s = 18 h 12 min).
SESSION_SPLIT_S = const(64800)

#: Walks worn for less than this merge into one record of the day.
SHORT_WALK_S = const(180)

# What reading a record comes to.
RECORD_OK = const(0)
RECORD_NEWER = const(1)  # a layout of a later firmware: keep the bytes, read them after an upgrade
RECORD_BAD = const(2)  # too short, or a layout or a value that no firmware wrote

SESSION = _Table(SESSION_CODES)
S_COUNT = SESSION.count

#: Bytes of a record of this layout, the layout byte included.
SESSION_SIZE = 1 + SESSION.size


def new_session_fields():
    """An ``array('i')`` of zeros, one for each field, in order."""
    return array("i", bytes(4 * S_COUNT))


def version_number(text=__version__):
    """``major*10000 + minor*100 + patch`` of a version such as ``1.2.3``, as ``fw_version`` holds it."""
    number = 0
    parts = text.split(".")
    for i in range(3):
        digits = ""
        if i < len(parts):
            for letter in parts[i]:
                if not "0" <= letter <= "9":
                    break
                digits += letter
        number = number * 100 + int(digits or "0")
    return number


#: This firmware's version as ``fw_version`` holds it.
FW_VERSION = version_number()


def pack_session_into(buf, offset, fields):
    """Offset behind the record packed at ``offset``; :data:`SESSION_SIZE` bytes are written.

    A count beyond its width is packed as the greatest that fits, and the record (not ``fields``) is flagged
    ``FLAG_SATURATED``.
    """
    buf[offset] = SESSION_LAYOUT
    end = SESSION.pack_into(buf, offset + 1, fields)
    if SESSION.clipped:
        position = offset + 1
        for i in range(S_FLAGS):
            position += SESSION.widths[i]
        buf[position] |= FLAG_SATURATED
    return end


def unpack_session_into(buf, offset, fields):
    """RECORD_OK with ``fields`` filled, or RECORD_NEWER or RECORD_BAD with ``fields`` left as they were or zeroed.

    :param fields: an ``array('i')`` or list of :data:`S_COUNT` values
    """
    if offset >= len(buf) or buf[offset] == 0 or buf[offset] == 0xFF:  # 0xFF: erased flash
        return RECORD_BAD
    layout = buf[offset]
    if layout > SESSION_LAYOUT:
        return RECORD_NEWER
    if SESSION.unpack_into(buf, offset + 1, fields, SESSION_COUNTS[layout]) < 0:
        return RECORD_BAD
    return RECORD_OK
