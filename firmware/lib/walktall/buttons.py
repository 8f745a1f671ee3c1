"""Press patterns of one button: one to four presses, held 1 s, held 3 s.

Pure: it is told the time and whether the button is down, and answers with a code, once per pattern. Presses within
400 ms of each other count together; the code of a burst of presses comes when 400 ms of silence follow it. Of a hold,
`HOLD_3S` comes at once when 3 s are reached (the walker feels the answer while the thumb is still down), `HOLD_1S` only
on release, because until then it may become the longer one.

A change must last 30 ms before it counts (contacts of small tactile switches bounce up to 10 ms; their datasheets say
5 to 10), and the moment of the change, not of its acceptance, is what presses are measured by.

What a pattern *means* is the device's business.
"""

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


from .ticks import ticks_diff

NONE = const(0)
SINGLE = const(1)
DOUBLE = const(2)
TRIPLE = const(3)
QUAD = const(4)
HOLD_1S = const(5)
HOLD_3S = const(6)
NAMES = ("none", "single", "double", "triple", "quad", "hold_1s", "hold_3s")

DEBOUNCE_MS = const(30)
BETWEEN_MS = const(400)
_HOLD_SHORT_MS = const(1000)
_HOLD_LONG_MS = const(3000)


class Buttons:
    """`step` it every 30 ms or so while `active`, and otherwise whenever the pin may have changed."""

    def __init__(self):
        self._down = False  # the debounced state
        self._raw = False
        self._raw_since_ms = 0
        self._since_ms = 0  # of the debounced state
        self._presses = 0
        self._spent = False  # this press has been told as a hold already

    @property
    def active(self):
        """True while a pattern is under way, so that time alone can change the answer."""
        # Held beyond its hold it has nothing more to say: a thumb, or a stuck button, shall not keep the loop awake.
        return (self._down and not self._spent) or self._raw != self._down or self._presses > 0

    @property
    def down(self):
        """The debounced state."""
        return self._down

    def step(self, now_ms, pressed):
        """The pattern that is complete at `now_ms`, else `NONE`; allocates nothing."""
        pressed = bool(pressed)
        if pressed != self._raw:
            self._raw = pressed
            self._raw_since_ms = now_ms
        if self._raw != self._down and ticks_diff(now_ms, self._raw_since_ms) >= DEBOUNCE_MS:
            return self._changed(now_ms)
        if self._down:
            if not self._spent and ticks_diff(now_ms, self._since_ms) >= _HOLD_LONG_MS:
                self._spent = True
                self._presses = 0
                return HOLD_3S
            return NONE
        # No verdict while the contact has just closed: that may be the next press of the burst.
        if self._presses and not self._raw and ticks_diff(now_ms, self._since_ms) >= BETWEEN_MS:
            presses = self._presses
            self._presses = 0
            # Five presses and more are a thumb that fidgets: better no command than the wrong one.
            return presses if presses <= QUAD else NONE
        return NONE

    def _changed(self, now_ms):
        held_ms = ticks_diff(self._raw_since_ms, self._since_ms)
        self._down = self._raw
        self._since_ms = self._raw_since_ms
        if self._down:
            self._spent = False
            return NONE
        if self._spent:
            return NONE
        if held_ms >= _HOLD_LONG_MS:
            # Seen only now, because nobody stepped meanwhile.
            self._presses = 0
            return HOLD_3S
        if held_ms >= _HOLD_SHORT_MS:
            self._presses = 0
            return HOLD_1S
        self._presses += 1
        return NONE
