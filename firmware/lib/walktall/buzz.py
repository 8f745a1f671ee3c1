"""Motor patterns, and the player that turns one into a duty as time passes.

A pattern is a row of (on, off) times in milliseconds; the last `off` is the rest that belongs to the pattern. People
who walk feel a buzz the better the longer it is, up to 1 s (Martinsson 2011), and tell rhythms apart (Margossian 2007:
92 % while walking), so each fault pattern drives the motor for 600 ms or more in all and differs from the others in
rhythm.

The player is pure: it is told the time and answers with the duty. It touches no pin, does not sleep, and allocates
nothing. What it does *not* do: decide whether to buzz (detector), or keep the sensor quiet meanwhile (device).
"""

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


from .ticks import ticks_add, ticks_diff

P_NONE = const(0)
P_FORWARD = const(1)
P_BACK = const(2)
P_SIDE = const(3)
P_RECOVERED = const(4)
P_CALIBRATED = const(5)
P_REFUSED = const(6)
P_SLIP = const(7)
P_SNOOZE = const(8)
P_IDENTIFY = const(9)
P_OFF = const(10)
P_LOW_BATTERY = const(11)
P_CUE = const(12)
P_HILL = const(13)

NAMES = (
    "none",
    "forward",
    "back",
    "side",
    "recovered",
    "calibrated",
    "refused",
    "slip",
    "snooze",
    "identify",
    "off",
    "low_battery",
    "cue",
    "hill",
)

# on, off, on, off ... in milliseconds. A coin motor needs 50 to 100 ms to spin up (datasheets of 8 and 10 mm ERMs), so
# no `on` is below 120 ms and no gap is so short that the motor would not stop.
PATTERNS = (  # type: tuple[tuple[int, ...], ...]
    (),
    (250, 150, 250, 150, 250, 0),  # forward: three
    (450, 250, 450, 0),  # back: two long
    (500, 200, 200, 0),  # side: long, short
    (120, 0),  # recovered: one tick
    (150, 350, 150, 350, 150, 0),  # calibrated: three, slow and light
    (900, 0),  # refused: one very long
    (400, 150, 150, 150, 150, 150, 400, 0),  # slip: long, short, short, long
    (200, 200, 450, 0),  # snooze begun or ended: short, long
    (200, 200, 200, 200, 200, 200, 200, 200, 200, 0),  # identify: five
    (450, 200, 250, 200, 120, 0),  # off: dying away
    (120, 120, 120, 600, 120, 120, 120, 0),  # low battery: two pairs
    (300, 400, 300, 0),  # cue to stretch or stand: two, gentle
    (120, 200, 250, 200, 450, 0),  # hill mode begun or ended: rising
)

_RATE_HZ = const(52)


def duration_ms(pattern):
    """Length of `pattern` from its first edge to its last, in ms; 0 for an unknown one."""
    total = 0
    if 0 < pattern < len(PATTERNS):
        for part in PATTERNS[pattern]:
            total += part
    return total


def samples(pattern):
    """Length of `pattern` in samples of 52 Hz, rounded up."""
    return (duration_ms(pattern) * _RATE_HZ + 999) // 1000


class Buzz:
    """Plays one pattern at a time; a new one replaces the one that runs.

    `next_edge_ms` (in ticks) is when `step` should be called next; it means something only while `busy`.
    """

    def __init__(self):
        self.busy = False
        self.pattern = P_NONE
        self.next_edge_ms = 0
        self._index = 0
        self._duty_u16 = 0

    def start(self, pattern, now_ms, duty_u16):
        """Begin `pattern` at `now_ms`; the duty to set now, 0..65535 (0 when the pattern is unknown)."""
        if pattern <= 0 or pattern >= len(PATTERNS):
            return self.stop()
        self.busy = True
        self.pattern = pattern
        self._index = 0
        self._duty_u16 = duty_u16
        self.next_edge_ms = ticks_add(now_ms, PATTERNS[pattern][0])
        return duty_u16

    def stop(self):
        """End at once; 0, the duty to set."""
        self.busy = False
        self.pattern = P_NONE
        self._index = 0
        return 0

    def step(self, now_ms):
        """The duty to set at `now_ms`, 0..65535.

        Called late, it catches up by the pattern's own clock, so that a slow loop cannot stretch a pattern."""
        if not self.busy:
            return 0
        parts = PATTERNS[self.pattern]
        while ticks_diff(now_ms, self.next_edge_ms) >= 0:
            self._index += 1
            if self._index >= len(parts):
                return self.stop()
            self.next_edge_ms = ticks_add(self.next_edge_ms, parts[self._index])
        if self._index & 1:
            return 0
        return self._duty_u16
