"""What the chain can tell: event, fault, label and second-class codes, and a standing ring of events.

Pure data and one bounded buffer. It does not decide anything: `detector` does.
"""

from array import array

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


# Events, in the order of their codes. Append only: the codes are stored in traces.
CALIBRATED = const(1)
WALKING = const(2)
FAULT_BEGIN = const(3)
FAULT_END = const(4)
BUZZ = const(5)
RECOVERED = const(6)
GAP = const(7)
SLIP = const(8)
STOPPED = const(9)
SNOOZE = const(10)
MARK = const(11)
WRONG = const(12)
CUE = const(13)
# From here on in traces alone, not in the ring.
HILL = const(14)  # value: ticks it will last, 0 = ended
FRAME = const(15)  # which way is up or forward was changed; value: 1 = an upright is known
SETTINGS = const(16)
NAMES = (
    "",
    "calibrated",
    "walking",
    "fault_begin",
    "fault_end",
    "buzz",
    "recovered",
    "gap",
    "slip",
    "stopped",
    "snooze",
    "mark",
    "wrong",
    "cue",
    "hill",
    "frame",
    "settings",
)

# Faults are bits, so that a mask can hold several.
FORWARD = const(1)
BACK = const(2)
SIDE = const(4)
FAULT_NAMES = ("", "forward", "back", "", "side")

# Labels of a FORWARD fault: behaviour, not physics (docs/algorithm.md, "Labels").
LABEL_NONE = const(0)
LEAN = const(1)
SLOUCH = const(2)
UNSURE = const(3)
LABEL_NAMES = ("", "LEAN", "SLOUCH", "UNSURE")

# Each second of wear is exactly one of these: good, a fault, or left out and why.
CLASS_NONE = const(0)
CLASS_GOOD = const(1)
CLASS_FORWARD = const(2)
CLASS_BACK = const(3)
CLASS_SIDE = const(4)
CLASS_STILL = const(5)
CLASS_BEND = const(6)
CLASS_JOG = const(7)
CLASS_BUZZING = const(8)
CLASS_CHARGING = const(9)
CLASS_GAP = const(10)
CLASS_UNSURE = const(11)
CLASS_SNOOZED = const(12)
CLASS_OFF_BODY = const(13)
CLASS_NAMES = (
    "none",
    "good",
    "forward",
    "back",
    "side",
    "still",
    "bend",
    "jog",
    "buzzing",
    "charging",
    "gap",
    "unsure",
    "snoozed",
    "off_body",
)

# What a tick was, in one small int: what gait made of it, and (from KIND_SHIFT on) whether it may be judged.
WALKS = const(1)
JOGS = const(2)
STILL = const(4)
KIND = const(56)
SHAKEN = const(8)  # by the motor, now or within 250 ms
SETTLING = const(16)  # a gap lies within the last second
MISSING = const(24)  # no samples at all
DOZED = const(32)  # the sensor only waits for motion

# What one closing sample returns (bits): a tick is 13 samples (250 ms), a second is 4 ticks.
TICK = const(1)
SECOND = const(2)
SAMPLE_HZ = const(52)
TICK_SAMPLES = const(13)
TICKS_PER_S = const(4)

_SIZE = const(64)


class EventRing:
    """The last 64 events, oldest first; a full ring drops its oldest and counts it in `lost`.

    :meth:`take` moves the oldest event into the attributes `sample`, `code`, `fault`, `label`, `value`.
    """

    def __init__(self):
        self._sample = array("i", [0] * _SIZE)
        self._code = array("b", [0] * _SIZE)
        self._fault = array("b", [0] * _SIZE)
        self._label = array("b", [0] * _SIZE)
        self._value = array("i", [0] * _SIZE)
        self._head = 0
        self._count = 0
        self.lost = 0
        self.sample = 0
        self.code = 0
        self.fault = 0
        self.label = 0
        self.value = 0

    def put(self, sample, code, fault, label, value):
        """Append an event that happened with sample number `sample` (52 a second since the chain began)."""
        if self._count == _SIZE:
            self._head = (self._head + 1) % _SIZE
            self._count -= 1
            if self.lost < 0x3FFFFFFF:
                self.lost += 1
        at = (self._head + self._count) % _SIZE
        self._sample[at] = sample
        self._code[at] = code
        self._fault[at] = fault
        self._label[at] = label
        self._value[at] = value
        self._count += 1

    def take(self):
        """Move the oldest event into the attributes; False when there is none."""
        if not self._count:
            return False
        at = self._head
        self.sample = self._sample[at]
        self.code = self._code[at]
        self.fault = self._fault[at]
        self.label = self._label[at]
        self.value = self._value[at]
        self._head = (at + 1) % _SIZE
        self._count -= 1
        return True

    def __len__(self):
        return self._count
