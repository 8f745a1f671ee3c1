"""The session record: THE definition of its fields, shared by the device and the host.

A record is what one walk leaves behind: :data:`SESSION_FIELDS` packed little endian without padding behind one layout
byte, 91 bytes (92 is the most that a journal's slot holds)::

    0         1       3        5                9                     91
    | layout  | seq   | boot   | start_utc_s    | ...          | cues |

Integers only: what lies here is what goes over the wire and what the host stores. Degrees and dates appear in the
report alone. A later layout only appends fields: an older record reads with zeros for what it lacks; a newer one is
refused by code, and the host keeps its raw bytes until it can read them. The meaning of each field in words stands in
:mod:`walktall.meanings`, which no board imports (2 KiB of heap).

What it does not do: it does not decide what counts as what (``session`` does), nor when a record is kept (``journal``).
"""

from array import array
from binascii import crc32

from . import __version__

try:
    from micropython import const
except ImportError:

    def const(value):
        """The value itself: CPython folds nothing."""
        return value


#: Unix seconds of 2020-01-01 00:00:00 UTC, the zero of every ``utc_s``: 34 years of it fit a 31-bit small int. Zero
#: itself means 'undated'.
EPOCH_UNIX_S = const(1577836800)

SESSION_LAYOUT = const(1)
SESSION_SLOT_BYTES = const(92)

#: (name, code, unit). The code is a width, B b H h I i as in ``struct``, T for three bytes unsigned; ``*10`` says that
#: the packed integer counts tens of the unit: a battery is not known to better than 20 mV.
SESSION_FIELDS = (
    ("seq", "H", ""),
    ("boot", "H", ""),
    ("start_utc_s", "I", "s"),
    ("start_uptime_s", "I", "s"),
    ("wear_s", "H", "s"),
    ("good_s", "H", "s"),
    ("forward_s", "H", "s"),
    ("back_s", "H", "s"),
    ("side_s", "H", "s"),
    ("still_s", "H", "s"),
    ("bend_s", "H", "s"),
    ("jog_s", "H", "s"),
    ("buzzing_s", "H", "s"),
    ("charging_s", "H", "s"),
    ("gap_s", "H", "s"),
    ("unsure_s", "H", "s"),
    ("snoozed_s", "H", "s"),
    ("off_body_s", "H", "s"),
    ("walking_s", "H", "s"),
    ("brisk_s", "H", "s"),
    ("steps", "T", "steps"),
    ("cadence_mean_spm", "B", "steps/min"),
    ("lean_events", "B", "events"),
    ("slouch_events", "B", "events"),
    ("unsure_events", "B", "events"),
    ("back_events", "B", "events"),
    ("side_events", "B", "events"),
    ("buzzes", "B", "buzzes"),
    ("answered", "B", "events"),
    ("ignored", "B", "events"),
    ("answer_mean_ds", "H", "0.1 s"),
    ("longest_good_s", "H", "s"),
    ("pitch_mean_cdeg", "h", "0.01 deg"),
    ("pitch_slow_cdeg", "h", "0.01 deg"),
    ("pitch_brisk_cdeg", "h", "0.01 deg"),
    ("upright_first_pct", "B", "%"),
    ("upright_last_pct", "B", "%"),
    ("walk_offset_cdeg", "b*10", "0.01 deg"),
    ("calibration_quality", "B", "%"),
    ("slips", "B", "slips"),
    ("discomfort_marks", "B", "presses"),
    ("wrong_marks", "B", "presses"),
    ("battery_start_mv", "B*20", "mV"),
    ("battery_end_mv", "B*20", "mV"),
    ("on_deg", "B", "deg"),
    ("off_deg", "B", "deg"),
    ("hold_s", "B", "s"),
    ("mode", "B", ""),
    ("coaching", "B", ""),
    ("flags", "H", "bits"),
    ("merged_walks", "B", "walks"),
    ("fw_version", "H", ""),
    ("silent_s", "H", "s"),
    ("silent_forward_s", "H", "s"),
    ("cues", "B", "cues"),
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

FLAG_NAMES = (
    "resumed",
    "merged",
    "saturated",
    "split",
    "uncalibrated",
    "settings",
    "recalibrated",
    "cut",
    "slipped",
    "low_battery",
    "sensor",
    "hill",
    "short",
    "clock_set",
)

#: 18 h: a session is split before its seconds outgrow 16 bits (65,535 s = 18 h 12 min).
SESSION_SPLIT_S = const(64800)

#: Walks worn for less than this merge into one record of the day.
SHORT_WALK_S = const(180)

# What reading a record comes to.
RECORD_OK = const(0)
RECORD_NEWER = const(1)  # a layout of a later firmware: keep the bytes, read them after an upgrade
RECORD_BAD = const(2)  # too short, or a layout or a value that no firmware wrote

_INT_MAX = const(0x7FFFFFFF)  # array('i') holds no more; no field needs more
_TYPES = "BbHhTIis"
_WIDTHS = (1, 1, 2, 2, 3, 4, 4)
_BYTES = const(7)  # index of 's' in _TYPES


class Table:
    """A field table made ready to pack and to unpack, for records and for messages alike.

    :param fields: rows of (name, code, unit). Beyond the codes of :data:`SESSION_FIELDS`, ``8s`` is eight raw bytes
        and ``32t`` UTF-8 text, both padded with zeros.
    """

    def __init__(self, fields):
        self.fields = fields
        self.count = len(fields)
        self.types = bytearray(self.count)
        self.scales = array("h", bytes(2 * self.count))
        self.widths = bytearray(self.count)
        self.text = bytearray(self.count)
        self.size = 0
        #: True when the last ``pack_into`` had to bring a value back to its width.
        self.clipped = False
        for i in range(self.count):
            code = fields[i][1]
            last = code[-1]
            if last == "s" or last == "t":
                self.types[i] = _BYTES
                self.widths[i] = int(code[:-1])
                self.text[i] = 1 if last == "t" else 0
            else:
                self.types[i] = _TYPES.index(code[0])
                self.widths[i] = _WIDTHS[self.types[i]]
                self.scales[i] = int(code[2:]) if len(code) > 1 else 1
            self.size += self.widths[i]

    def index(self, name):
        """Index of the field of that name, -1 where there is none."""
        for i in range(self.count):
            if self.fields[i][0] == name:
                return i
        return -1

    def new_values(self):
        """A list of zeros, empty bytes and empty texts, one for each field, for ``unpack_into`` to fill."""
        return [self._empty(i) for i in range(self.count)]

    def _empty(self, i):
        if self.types[i] != _BYTES:
            return 0
        return "" if self.text[i] else b""

    def fitting(self, size):
        """How many whole fields from the first lie in ``size`` bytes: a later version of a message only appends."""
        for i in range(self.count):
            size -= self.widths[i]
            if size < 0:
                return i
        return self.count

    def bounds(self, i):
        """Least and greatest value, in the field's unit, that field ``i`` holds; (0, 0) for bytes."""
        kind = self.types[i]
        if kind == _BYTES:
            return 0, 0
        bits = 8 * self.widths[i]
        scale = self.scales[i]
        if kind == 1 or kind == 3 or kind == 6:  # b, h, i
            return -(1 << (bits - 1)) * scale, ((1 << (bits - 1)) - 1) * scale
        if bits == 32:
            return 0, _INT_MAX
        return 0, ((1 << bits) - 1) * scale

    def pack_into(self, buf, offset, values, count=None):
        """Offset behind the first ``count`` values (all of them by default), packed into ``buf``.

        A value beyond its width is packed as the nearest that fits, and ``clipped`` says so: a full counter must
        never be an exception on a walker's collar. Bytes that are too long are cut.
        """
        if count is None:
            count = self.count
        self.clipped = False
        for i in range(count):
            width = self.widths[i]
            if self.types[i] == _BYTES:
                raw = values[i]
                if isinstance(raw, str):
                    raw = raw.encode()
                n = min(len(raw), width)
                for k in range(width):
                    buf[offset + k] = raw[k] if k < n else 0
            else:
                value = values[i]
                low, high = self.bounds(i)
                if value < low or value > high:
                    value = low if value < low else high
                    self.clipped = True
                if self.scales[i] > 1:  # to the nearest step, halves away from zero
                    half = self.scales[i] >> 1
                    if value >= 0:
                        value = min(value + half, high) // self.scales[i]
                    else:
                        value = -(min(half - value, -low) // self.scales[i])
                for k in range(width):
                    buf[offset + k] = (value >> (8 * k)) & 0xFF
            offset += width
        return offset

    def unpack_into(self, buf, offset, values, count=None):
        """Offset behind the first ``count`` values read into ``values``; -1 when ``buf`` ends before, or a value is
        wider than 31 bits. Values behind ``count`` become 0 (or empty)."""
        if count is None:
            count = self.count
        for i in range(self.count):
            kind = self.types[i]
            width = self.widths[i]
            if i >= count:
                values[i] = self._empty(i)
                continue
            if offset + width > len(buf):
                return -1
            if kind == _BYTES:
                raw = bytes(buf[offset : offset + width])
                values[i] = _text(raw) if self.text[i] else raw
            else:
                value = 0
                for k in range(width):
                    value |= buf[offset + k] << (8 * k)
                if (kind == 1 or kind == 3 or kind == 6) and value >> (8 * width - 1):
                    value -= 1 << (8 * width)
                if value > _INT_MAX:
                    return -1
                values[i] = value * self.scales[i]
            offset += width
        return offset


def _text(raw):
    """The text before the first zero; characters outside ASCII as ``?``: board and chip names have none."""
    text = ""
    for byte in raw:
        if byte == 0:
            break
        text += chr(byte) if 32 <= byte < 127 else "?"
    return text


SESSION = Table(SESSION_FIELDS)
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


def record_size(layout):
    """Bytes of a record of that layout; the whole slot where the layout is not known."""
    if 0 < layout <= SESSION_LAYOUT:
        size = 1
        for i in range(SESSION_COUNTS[layout]):
            size += SESSION.widths[i]
        return size
    return SESSION_SLOT_BYTES


def session_fault(fields):
    """Why no honest device can have written these fields, '' when nothing speaks against them.

    The host asks it before it believes a record: every second worn has exactly one class, and no part is greater than
    its whole.
    """
    total = 0
    for c in range(1, S_CLASS_COUNT + 1):
        total += fields[S_CLASS_BASE + c]
    saturated = fields[S_FLAGS] & FLAG_SATURATED
    if total != fields[S_WEAR_S] and not saturated:
        return "seconds of all classes are %d, worn are %d" % (total, fields[S_WEAR_S])
    for part, whole in ((S_WALKING_S, S_WEAR_S), (S_BRISK_S, S_WALKING_S), (S_LONGEST_GOOD_S, S_WEAR_S)):
        if fields[part] > fields[whole]:
            return "%s is greater than %s" % (SESSION_FIELDS[part][0], SESSION_FIELDS[whole][0])
    for share in (S_UPRIGHT_FIRST_PCT, S_UPRIGHT_LAST_PCT):
        if fields[share] > 100 and fields[share] != NOT_TOLD:
            return "%s is above 100" % SESSION_FIELDS[share][0]
    return ""


def crc(buf, offset, size):
    """CRC-32 (IEEE 802.3, as ``binascii`` and zlib have it) of ``size`` bytes, 0..2^32-1."""
    return crc32(memoryview(buf)[offset : offset + size]) & 0xFFFFFFFF


def seal_into(buf, offset, size):
    """Offset behind the CRC-32 put, least byte first, behind ``size`` bytes: so are records, banks and frames
    sealed."""
    value = crc(buf, offset, size)
    end = offset + size
    for k in range(4):
        buf[end + k] = (value >> (8 * k)) & 0xFF
    return end + 4


def sealed(buf, offset, size):
    """True where ``size`` bytes and the four behind them agree as :func:`seal_into` made them."""
    end = offset + size
    if end + 4 > len(buf):
        return False
    value = crc(buf, offset, size)
    for k in range(4):
        if buf[end + k] != (value >> (8 * k)) & 0xFF:
            return False
    return True
