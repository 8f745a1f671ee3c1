"""The walker's settings as the board keeps them: the values in force, each with its limits, packed and checked.

An index is a promise: it is what lies in the journal and what goes over the wire. A setting is never removed or moved;
one that a later firmware added is kept, unread, by an older one. A refused value changes nothing, and ``why`` says in
one line what was wrong with it.

It does not hold wiring (``settings.toml`` does) and does not act on anything (``chain.configure`` does). Units, words
for values and text stand in :mod:`walktall.settings`, which no board imports; the table is one string for the same
reason: as rows of names and numbers it took 2 KiB of heap.
"""

from array import array
from struct import pack_into

try:
    from micropython import const
except ImportError:

    def const(value):
        """The value itself: CPython folds nothing."""
        return value


#: Name, default, least, greatest. Every value fits 16 bits unsigned.
TABLE = (
    "mode 0 0 1 "
    "hold_s 10 2 120 "
    "on_deg 12 6 40 "
    "off_deg 8 3 35 "
    "back_on_deg 8 4 40 "
    "back_off_deg 5 2 35 "
    "side_on_deg 8 4 40 "
    "side_off_deg 5 2 35 "
    "side_buzz 0 0 1 "
    "sensitivity 0 0 2 "
    "desk_hold_s 60 10 240 "
    "rearm_s 5 1 60 "
    "repeat1_s 15 5 600 "
    "repeat2_s 45 5 1200 "
    "repeat3_s 120 5 3600 "
    "spacing_s 60 0 3600 "
    "snooze_min 10 1 120 "
    "hill_deg 5 0 15 "
    "hill_min 5 1 120 "
    "walk_offset_max_deg 4 0 8 "
    "recovery_tick 1 0 1 "
    "strength_pct 80 10 100 "
    "forward_axis 4 0 5 "
    "coaching 0 0 2 "
    "faded_after_days 7 0 365 "
    "progressive 0 0 1 "
    "stretch_min 0 0 240 "
    "sit_nudge_min 0 0 240 "
    "bow 0 0 1 "
    "doze_s 60 0 3600 "
)

N_SETTINGS = const(30)

# Of `settings`; private, so that they fold: tests/test_house_rules.py holds them to it.
_SET_ON_DEG = const(2)
_SET_OFF_DEG = const(3)
_SET_BACK_ON_DEG = const(4)
_SET_BACK_OFF_DEG = const(5)
_SET_SIDE_ON_DEG = const(6)
_SET_SIDE_OFF_DEG = const(7)
_SET_SENSITIVITY = const(9)
_SET_REPEAT1_S = const(12)
_SET_REPEAT2_S = const(13)
_SET_REPEAT3_S = const(14)

#: (on, off) in degrees of the FORWARD limits by ``sensitivity``, one pair after the other; the first pair stands for
#: ``on_deg``, ``off_deg``. Source: docs/algorithm.md, alarm quality.
PRESETS_DEG = (0, 0, 8, 5, 15, 11)

#: Pairs of less and greater: the first stays below the second, else a fault could not end, or a repeat came before the
#: last one.
ORDERED_PAIRS = (
    _SET_OFF_DEG,
    _SET_ON_DEG,
    _SET_BACK_OFF_DEG,
    _SET_BACK_ON_DEG,
    _SET_SIDE_OFF_DEG,
    _SET_SIDE_ON_DEG,
    _SET_REPEAT1_S,
    _SET_REPEAT2_S,
    _SET_REPEAT2_S,
    _SET_REPEAT3_S,
)

#: Settings that a journal may hold: this firmware's and those of later ones.
SETTINGS_MAX = const(64)
_HEADER = const(2)  # version, count
PACKED_VERSION = const(1)
PACKED_MAX = const(2 + 2 * 64)


def _numbers():
    """Default, least and greatest of each setting, one after the other."""
    words = TABLE.split()
    numbers = array("H", bytes(6 * N_SETTINGS))
    for i in range(N_SETTINGS):
        for k in range(3):
            numbers[3 * i + k] = int(words[4 * i + 1 + k])
    return numbers


NUMBERS = _numbers()


def name_of(index):
    """Name of a setting. It makes the words of the table anew: for a refusal, not for every day."""
    return TABLE.split()[4 * index]


def index_of(name):
    """Index of the setting of that name, -1 where there is none."""
    words = TABLE.split()
    for i in range(N_SETTINGS):
        if words[4 * i] == name:
            return i
    return -1


class Settings:
    """The values in force, in ``values`` by the ``SET_...`` indexes (read them there: no call, no allocation)."""

    def __init__(self):
        self.values = array("i", bytes(4 * N_SETTINGS))
        #: Packed values of settings that only a later firmware knows, kept as they came.
        self.later = bytearray()
        #: Why the last change was refused, in one line; '' when it was not.
        self.why = ""
        #: True when what was read was damaged or against the rules and defaults stand in for it.
        self.defaulted = False
        self.reset()

    def reset(self):
        """Everything to its default."""
        for i in range(N_SETTINGS):
            self.values[i] = NUMBERS[3 * i]
        self.why = ""

    def get(self, name):
        """Value by name; None for an unknown name."""
        index = index_of(name)
        return self.values[index] if index >= 0 else None

    def set(self, name, value):
        """Set one by name; False, with nothing changed and ``why`` told, when refused."""
        index = index_of(name)
        if index < 0:
            self.why = "no setting is called " + name
            return False
        return self.set_index(index, value)

    def set_index(self, index, value):
        """Set one by index; False, with nothing changed and ``why`` told, when refused."""
        return self.set_together(((index, value),))

    def assign(self, index, value):
        """Put a value within its own limits, unchecked against the others. False when refused."""
        if not 0 <= index < N_SETTINGS:
            self.why = "no setting has the number %d" % index
            return False
        least = NUMBERS[3 * index + 1]
        greatest = NUMBERS[3 * index + 2]
        if value < least or value > greatest:
            self.why = "%s must be %d..%d" % (name_of(index), least, greatest)
            return False
        self.values[index] = value
        self.why = ""
        return True

    def set_together(self, pairs):
        """Set several (index, value) at once, checked when all are in place; False, with nothing changed, when refused.

        The limits 12/8 become 8/5 whichever comes first.
        """
        old = array("i", self.values)
        for index, value in pairs:
            if not self.assign(index, value):
                break
        else:
            if self.check():
                return True
        for i in range(N_SETTINGS):
            self.values[i] = old[i]
        return False

    def check(self):
        """True when the values fit together; else ``why`` says which two do not."""
        k = self._misordered()
        if k < 0:
            return True
        less = ORDERED_PAIRS[k]
        greater = ORDERED_PAIRS[k + 1]
        self.why = "%s (%d) must be below %s (%d)" % (
            name_of(less),
            self.values[less],
            name_of(greater),
            self.values[greater],
        )
        return False

    def _misordered(self):
        """Where in ORDERED_PAIRS the first pair stands that is out of order, -1 when none is."""
        for k in range(0, len(ORDERED_PAIRS), 2):
            if self.values[ORDERED_PAIRS[k]] >= self.values[ORDERED_PAIRS[k + 1]]:
                return k
        return -1

    def on_limit_deg(self):
        """The FORWARD limit in force: the preset's, or ``on_deg``."""
        return PRESETS_DEG[2 * self.values[_SET_SENSITIVITY]] or self.values[_SET_ON_DEG]

    def off_limit_deg(self):
        """Where FORWARD ends: the preset's, or ``off_deg``."""
        return PRESETS_DEG[2 * self.values[_SET_SENSITIVITY] + 1] or self.values[_SET_OFF_DEG]

    def pack_into(self, buf, offset):
        """Offset behind the packed settings: version, count, two bytes each, least first; at most PACKED_MAX bytes.

        It carries no CRC of its own: the journal's covers it.
        """
        count = N_SETTINGS + len(self.later) // 2
        buf[offset] = PACKED_VERSION
        buf[offset + 1] = count
        offset += _HEADER
        for value in self.values:
            pack_into("<H", buf, offset, value)
            offset += 2
        end = offset + len(self.later)
        buf[offset:end] = self.later
        return end

    def unpack_from(self, buf, offset):
        """Offset behind the packed settings, or -1, with every default in force, when they are of another make.

        A value out of its limits, or a pair that does not fit together, falls back to its default, and ``defaulted``
        says so.
        """
        self.reset()
        self.defaulted = False
        self.later = bytearray()
        count = buf[offset + 1] if offset + _HEADER <= len(buf) and buf[offset] == PACKED_VERSION else SETTINGS_MAX + 1
        offset += _HEADER
        end = offset + 2 * count
        if count > SETTINGS_MAX or end > len(buf):
            self.defaulted = True
            return -1
        for i in range(min(count, N_SETTINGS)):
            if not self.assign(i, buf[offset] | buf[offset + 1] << 8):
                self.defaulted = True
            offset += 2
        self.later = bytearray(buf[offset:end])
        k = self._misordered()
        while k >= 0:
            for index in (ORDERED_PAIRS[k], ORDERED_PAIRS[k + 1]):
                self.values[index] = NUMBERS[3 * index]
            self.defaulted = True
            k = self._misordered()
        self.why = ""
        return end
