"""The walker's settings: small integers, each with its limits, in one table that only grows at its end.

An index is a promise: it is what lies in the journal and what goes over the wire. A setting is never removed or moved;
one that a later firmware added is kept, unread, by an older one. A refused value changes nothing, and ``why`` says in
one line what was wrong with it.

It does not hold wiring (``settings.toml`` does) and does not act on anything (``chain.configure`` does). What a setting
means in words stands in :mod:`walktall.meanings`, which no board imports.
"""

from array import array

try:
    from micropython import const
except ImportError:

    def const(value):
        """The value itself: CPython folds nothing."""
        return value


#: (name, unit, default, least, greatest). Every value fits 16 bits unsigned.
SETTINGS = (
    ("mode", "", 0, 0, 1),
    ("hold_s", "s", 10, 2, 120),
    ("on_deg", "deg", 12, 6, 40),
    ("off_deg", "deg", 8, 3, 35),
    ("back_on_deg", "deg", 8, 4, 40),
    ("back_off_deg", "deg", 5, 2, 35),
    ("side_on_deg", "deg", 8, 4, 40),
    ("side_off_deg", "deg", 5, 2, 35),
    ("side_buzz", "", 0, 0, 1),
    ("sensitivity", "", 0, 0, 2),
    ("desk_hold_s", "s", 60, 10, 240),
    ("rearm_s", "s", 5, 1, 60),
    ("repeat1_s", "s", 15, 5, 600),
    ("repeat2_s", "s", 45, 5, 1200),
    ("repeat3_s", "s", 120, 5, 3600),
    ("spacing_s", "s", 60, 0, 3600),
    ("snooze_min", "min", 10, 1, 120),
    ("hill_deg", "deg", 5, 0, 15),
    ("hill_min", "min", 5, 1, 120),
    ("walk_offset_max_deg", "deg", 4, 0, 8),
    ("recovery_tick", "", 1, 0, 1),
    ("strength_pct", "%", 80, 10, 100),
    ("forward_axis", "", 4, 0, 5),
    ("coaching", "", 0, 0, 2),
    ("faded_after_days", "d", 7, 0, 365),
    ("progressive", "", 0, 0, 1),
    ("stretch_min", "min", 0, 0, 240),
    ("sit_nudge_min", "min", 0, 0, 240),
    ("bow", "", 0, 0, 1),
)

# Index of each setting; a test holds them to the table.
SET_MODE = const(0)
SET_HOLD_S = const(1)
SET_ON_DEG = const(2)
SET_OFF_DEG = const(3)
SET_BACK_ON_DEG = const(4)
SET_BACK_OFF_DEG = const(5)
SET_SIDE_ON_DEG = const(6)
SET_SIDE_OFF_DEG = const(7)
SET_SIDE_BUZZ = const(8)
SET_SENSITIVITY = const(9)
SET_DESK_HOLD_S = const(10)
SET_REARM_S = const(11)
SET_REPEAT1_S = const(12)
SET_REPEAT2_S = const(13)
SET_REPEAT3_S = const(14)
SET_SPACING_S = const(15)
SET_SNOOZE_MIN = const(16)
SET_HILL_DEG = const(17)
SET_HILL_MIN = const(18)
SET_WALK_OFFSET_MAX_DEG = const(19)
SET_RECOVERY_TICK = const(20)
SET_STRENGTH_PCT = const(21)
SET_FORWARD_AXIS = const(22)
SET_COACHING = const(23)
SET_FADED_AFTER_DAYS = const(24)
SET_PROGRESSIVE = const(25)
SET_STRETCH_MIN = const(26)
SET_SIT_NUDGE_MIN = const(27)
SET_BOW = const(28)
N_SETTINGS = const(29)

_OFF_ON = ("off", "on")

#: (index, words): settings whose values are words, in the order of the values.
CHOICES = (
    (SET_MODE, ("walk", "desk")),
    (SET_SIDE_BUZZ, _OFF_ON),
    (SET_SENSITIVITY, ("normal", "sensitive", "lenient")),
    (SET_RECOVERY_TICK, _OFF_ON),
    (SET_FORWARD_AXIS, ("+x", "-x", "+y", "-y", "+z", "-z")),
    (SET_COACHING, ("every", "faded", "trial")),
    (SET_PROGRESSIVE, _OFF_ON),
    (SET_BOW, _OFF_ON),
)

#: (on, off) in degrees of the FORWARD limits by ``sensitivity``; the first row stands for ``on_deg``, ``off_deg``.
#: Source: docs/algorithm.md, alarm quality.
PRESETS = ((0, 0), (8, 5), (15, 11))

#: (less, greater): the first stays below the second, else a fault could not end, or a repeat came before the last one.
ORDERED = (
    (SET_OFF_DEG, SET_ON_DEG),
    (SET_BACK_OFF_DEG, SET_BACK_ON_DEG),
    (SET_SIDE_OFF_DEG, SET_SIDE_ON_DEG),
    (SET_REPEAT1_S, SET_REPEAT2_S),
    (SET_REPEAT2_S, SET_REPEAT3_S),
)

#: Settings that a journal may hold: this firmware's and those of later ones.
SETTINGS_MAX = const(64)
_HEADER = const(2)  # version, count
PACKED_VERSION = const(1)
PACKED_MAX = const(2 + 2 * 64)


def index_of(name):
    """Index of the setting of that name, -1 where there is none."""
    for i in range(N_SETTINGS):
        if SETTINGS[i][0] == name:
            return i
    return -1


def choices_of(index):
    """The words for the values of a setting, () where it is a plain number."""
    for i, words in CHOICES:
        if i == index:
            return words
    return ()


def parse_text(name, text):
    """The value that ``text`` says for the setting ``name``; None where it says none within the limits.

    Words where the setting has words (``desk``, ``+z``), whole numbers everywhere.
    """
    index = index_of(name)
    if index < 0:
        return None
    text = text.strip()
    words = choices_of(index)
    for value in range(len(words)):
        if words[value] == text.lower():
            return value
    digits = text[1:] if text[:1] == "+" else text
    if not digits or len(digits) > 9:
        return None
    value = 0
    for letter in digits:
        if not "0" <= letter <= "9":
            return None
        value = value * 10 + (ord(letter) - 48)
    if value < SETTINGS[index][3] or value > SETTINGS[index][4]:
        return None
    return value


def format_text(name, value):
    """How a value reads: the word where the setting has words, else the number."""
    words = choices_of(index_of(name))
    if 0 <= value < len(words):
        return words[value]
    return str(value)


def describe_limits(index):
    """What may be set, in a few words: ``walk, desk`` or ``2..120 s``."""
    words = choices_of(index)
    if words:
        return ", ".join(words)
    row = SETTINGS[index]
    return ("%d..%d %s" % (row[3], row[4], row[1])).strip()


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
            self.values[i] = SETTINGS[i][2]
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
        if not 0 <= index < N_SETTINGS:
            self.why = "no setting has the number %d" % index
            return False
        old = self.values[index]
        if not self.assign(index, value):
            return False
        if not self.check():
            self.values[index] = old
            return False
        return True

    def assign(self, index, value):
        """Put a value within its own limits, unchecked against the others: for several that change together, with
        :meth:`snapshot`, :meth:`check` and :meth:`restore` around them. False when refused."""
        if not 0 <= index < N_SETTINGS:
            self.why = "no setting has the number %d" % index
            return False
        row = SETTINGS[index]
        if value < row[3] or value > row[4]:
            self.why = "%s must be %s" % (row[0], describe_limits(index))
            return False
        self.values[index] = value
        self.why = ""
        return True

    def set_together(self, pairs):
        """Set several (index, value) at once, checked when all are in place; False, with nothing changed, when refused.

        The limits 12/8 become 8/5 whichever comes first.
        """
        old = self.snapshot()
        for index, value in pairs:
            if not self.assign(index, value):
                self.restore(old)
                return False
        if not self.check():
            self.restore(old)
            return False
        return True

    def check(self):
        """True when the values fit together; else ``why`` says which two do not."""
        for less, greater in ORDERED:
            if self.values[less] >= self.values[greater]:
                self.why = "%s (%d) must be below %s (%d)" % (
                    SETTINGS[less][0],
                    self.values[less],
                    SETTINGS[greater][0],
                    self.values[greater],
                )
                return False
        self.why = ""
        return True

    def snapshot(self, into=None):
        """A copy of the values, in ``into`` where one is given (no allocation)."""
        if into is None:
            into = array("i", bytes(4 * N_SETTINGS))
        for i in range(N_SETTINGS):
            into[i] = self.values[i]
        return into

    def restore(self, snapshot):
        """Back to the values of a snapshot."""
        for i in range(N_SETTINGS):
            self.values[i] = snapshot[i]

    def on_limit_deg(self):
        """The FORWARD limit in force: the preset's, or ``on_deg``."""
        return PRESETS[self.values[SET_SENSITIVITY]][0] or self.values[SET_ON_DEG]

    def off_limit_deg(self):
        """Where FORWARD ends: the preset's, or ``off_deg``."""
        return PRESETS[self.values[SET_SENSITIVITY]][1] or self.values[SET_OFF_DEG]

    def pack_into(self, buf, offset):
        """Offset behind the packed settings: version, count, two bytes each, least first; at most PACKED_MAX bytes.

        It carries no CRC of its own: the journal's covers it.
        """
        count = N_SETTINGS + len(self.later) // 2
        buf[offset] = PACKED_VERSION
        buf[offset + 1] = count
        offset += _HEADER
        for i in range(N_SETTINGS):
            buf[offset] = self.values[i] & 0xFF
            buf[offset + 1] = self.values[i] >> 8
            offset += 2
        for byte in self.later:
            buf[offset] = byte
            offset += 1
        return offset

    def unpack_from(self, buf, offset):
        """Offset behind the packed settings, or -1, with every default in force, when they are of another make.

        A value out of its limits, or a pair that does not fit together, falls back to its default, and ``defaulted``
        says so.
        """
        self.reset()
        self.defaulted = False
        self.later = bytearray()
        if offset + _HEADER > len(buf) or buf[offset] != PACKED_VERSION or buf[offset + 1] > SETTINGS_MAX:
            self.defaulted = True
            return -1
        count = buf[offset + 1]
        offset += _HEADER
        if offset + 2 * count > len(buf):
            self.defaulted = True
            return -1
        for i in range(min(count, N_SETTINGS)):
            if not self.assign(i, buf[offset + 2 * i] | buf[offset + 2 * i + 1] << 8):
                self.defaulted = True
        if count > N_SETTINGS:
            self.later = bytearray(buf[offset + 2 * N_SETTINGS : offset + 2 * count])
        for less, greater in ORDERED:
            if self.values[less] >= self.values[greater]:
                self.values[less] = SETTINGS[less][2]
                self.values[greater] = SETTINGS[greater][2]
                self.defaulted = True
        if not self.check():  # one default did not fit its other neighbour
            self.reset()
        self.why = ""
        return offset + 2 * count
