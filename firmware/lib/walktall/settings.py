"""The walker's settings for whoever reads and writes them as text: units, words for values, what may be set.

The table itself, and the class that holds the values, are the board's (:mod:`walktall.limits`) and reach here under
their own names. No board imports this module. What a setting means in a sentence stands in :mod:`walktall.meanings`.
"""

from .limits import *  # noqa: F403 - all of it is this module's too
from .limits import N_SETTINGS, NUMBERS, ORDERED_PAIRS, PRESETS_DEG, index_of, name_of

# Index of each setting; a test holds them to the table.
SET_MODE = 0
SET_HOLD_S = 1
SET_ON_DEG = 2
SET_OFF_DEG = 3
SET_BACK_ON_DEG = 4
SET_BACK_OFF_DEG = 5
SET_SIDE_ON_DEG = 6
SET_SIDE_OFF_DEG = 7
SET_SIDE_BUZZ = 8
SET_SENSITIVITY = 9
SET_DESK_HOLD_S = 10
SET_REARM_S = 11
SET_REPEAT1_S = 12
SET_REPEAT2_S = 13
SET_REPEAT3_S = 14
SET_SPACING_S = 15
SET_SNOOZE_MIN = 16
SET_HILL_DEG = 17
SET_HILL_MIN = 18
SET_WALK_OFFSET_MAX_DEG = 19
SET_RECOVERY_TICK = 20
SET_STRENGTH_PCT = 21
SET_FORWARD_AXIS = 22
SET_COACHING = 23
SET_FADED_AFTER_DAYS = 24
SET_PROGRESSIVE = 25
SET_STRETCH_MIN = 26
SET_SIT_NUDGE_MIN = 27
SET_BOW = 28
SET_DOZE_S = 29

# Units stand last in names.
_UNITS = {"s": "s", "deg": "deg", "min": "min", "pct": "%", "days": "d"}


def _rows():
    rows = []
    for i in range(N_SETTINGS):
        name = name_of(i)
        unit = _UNITS.get(name.split("_")[-1], "")
        rows.append((name, unit, NUMBERS[3 * i], NUMBERS[3 * i + 1], NUMBERS[3 * i + 2]))
    return tuple(rows)


#: (name, unit, default, least, greatest).
SETTINGS = _rows()

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
PRESETS = tuple(zip(PRESETS_DEG[::2], PRESETS_DEG[1::2], strict=True))

#: (less, greater): the first stays below the second.
ORDERED = tuple(zip(ORDERED_PAIRS[::2], ORDERED_PAIRS[1::2], strict=True))


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
