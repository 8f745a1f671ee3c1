"""When a buzz is due, is it given? Fading, silent blocks of a trial, a beginner's wider limit, cues to stretch and
to stand.

    every   each fault that lasts buzzes
    faded   after the first week two of three do: feedback on 67 % kept more than 0, 33 or 100 % (Marco-Ahullo 2024)
    trial   blocks of 5 minutes of walking are silent or not by a coin's toss, so that the report can compare the two

A beginner (`progressive`) starts 3 degrees wider and loses a degree a week. All of it is off, or gives every buzz,
unless asked for. It measures nothing and drives nothing: `chain` asks it once a tick.
"""

from . import events as e

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


# Of `settings`; private, so that they fold: tests/test_house_rules.py holds them to it.
_SET_MODE = const(0)
_SET_COACHING = const(23)
_SET_FADED_AFTER_DAYS = const(24)
_SET_PROGRESSIVE = const(25)
_SET_STRETCH_MIN = const(26)
_SET_SIT_NUDGE_MIN = const(27)

EVERY = const(0)
FADED = const(1)
TRIAL = const(2)
_BLOCK_TICKS = const(5 * 60 * 4)
_EASE_CDEG = const(300)
_EASE_WEEK_CDEG = const(100)
_WEEK_DAYS = const(7)


class Coach:
    """`silent` is 1 while a trial's block is silent; `ease_cdeg` widens the forward limit; `cue` is 1 in the tick of
    a cue; `counts` is 1 where ticks have to be counted at all."""

    def __init__(self, settings):
        self.day = 0
        self.silent = 0
        self.cue = 0
        self.ease_cdeg = 0
        self._faults = 0
        self._block = 0
        self._walked = 0
        self._sat = 0
        # Park & Miller's generator in 15 bits, so that products stay small: x <- 171 x mod 30269 (Wichmann & Hill
        # 1982).
        self._random = 12345
        self.configure(settings)

    def configure(self, settings):
        """Take the values in force."""
        v = settings.values
        self._kind = v[_SET_COACHING]
        self._faded_days = v[_SET_FADED_AFTER_DAYS]
        self._progressive = v[_SET_PROGRESSIVE]
        self._stretch = v[_SET_STRETCH_MIN] * 60 * e.TICKS_PER_S
        self._nudge = v[_SET_SIT_NUDGE_MIN] * 60 * e.TICKS_PER_S if v[_SET_MODE] == 1 else 0
        if self._kind != TRIAL:
            self.silent = 0
            self._block = 0
        if not self._nudge:
            self._sat = 0
        self.cue = 0
        self.counts = 1 if self._kind == TRIAL or self._stretch or self._nudge else 0
        self.set_day(self.day)

    def restart(self):
        """A new session: blocks, walking and sitting are counted anew; which fault is withheld goes on."""
        self.silent = 0
        self._block = 0
        self._walked = 0
        self._sat = 0

    def stand_into(self, v):
        """What its decisions begin from, into v[9] .. v[15]."""
        v[9] = self.day
        v[10] = self._random
        v[11] = self._faults
        v[12] = self._block
        v[13] = self.silent
        v[14] = self._walked
        v[15] = self._sat

    def take_stand(self, v):
        """Begin from what `stand_into` told."""
        self.set_day(v[9])
        self._random = v[10]
        self._faults = v[11]
        self._block = v[12]
        self.silent = v[13]
        self._walked = v[14]
        self._sat = v[15]

    def set_day(self, day):
        """Tell how many days ago the walker began (0 when unknown)."""
        self.day = day
        ease = _EASE_CDEG - _EASE_WEEK_CDEG * (day // _WEEK_DAYS)
        self.ease_cdeg = ease if self._progressive and ease > 0 else 0

    def seed(self, number):
        """Begin the coin's series anew, from a number that differs by clip and session."""
        self._random = number % 30268 + 1

    def give(self):
        """1 when the buzz that is due now is to be given, 0 when it is withheld."""
        if self.silent:
            return 0
        if self._kind == FADED and self.day >= self._faded_days:
            self._faults += 1
            if self._faults >= 3:
                self._faults = 0
                return 0
        return 1

    def tick(self, walking, still):
        """Count a tick of walking, or of sitting still; asked only where `counts`."""
        self.cue = 0
        if walking:
            self._sat = 0
            if self._kind == TRIAL:
                if self._block == 0:
                    self._random = 171 * self._random % 30269
                    self.silent = self._random >> 7 & 1
                    self._block = _BLOCK_TICKS
                self._block -= 1
            if self._stretch:
                self._walked += 1
                if self._walked >= self._stretch:
                    self._walked = 0
                    self.cue = 1
        elif still and self._nudge:
            self._sat += 1
            if self._sat >= self._nudge:
                self._sat = 0
                self.cue = 1
