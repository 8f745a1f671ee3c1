"""What the sensor delivers against what it should: samples that are missing by the clock, and samples that are stale.

The chip counts its 52 Hz by an oscillator of its own that may be 5 % off; a rate that is off is harmless and must not
be told as a gap. A gap is a *step*: samples stop while time goes on. So two things are followed:

* the grid of samples. Time is counted in 1/52 ms, of which one sample at the nominal rate takes 1000, all integers.
  `_phase` is the time since the last sample received or given up; more than `_period` of it says that one is late.
* the rate. Where 30 s without a gap came slower or faster than 0.4 % off, that becomes the period expected.

Late samples are waited for. Four or more of them at once are a gap; fewer that stay away for 450 ms are taken for the
rate (10 % off makes three). Within a gap every late sample belongs to it. Counted from grid to grid, the length of a
gap is exact as long as the rate is.

A sample is stale when the six counts have stood still for 13 samples (white noise of the datasheet, 0.6 mg and 0.07 dps
rms, moves at least one), when an axis of the accelerometer has stood at its end for 13, or when the accelerometer reads
nothing at all, as it does after a reset: free fall for an eighth of a second is no posture. Of a burst in which the
rates move, the middle and the last sample are looked at for that, each sample only where one of them is suspect.

It reads no clock and no bus.
"""

from array import array

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


from .ticks import ticks_diff

_UNITS_PER_MS = const(52)
PERIOD_NOMINAL = const(1000)  # units of 1/52 ms: 19.23 ms
_PERIOD_MIN = const(900)
_PERIOD_MAX = const(1111)
_PERIOD_DEAD = const(4)  # 0.4 %: below that the nominal rate stands, so that an exact clock gives exact gaps
_GAP_SAMPLES = const(4)
_LATE_MS = const(450)
_RATE_SAMPLES = const(1560)  # 30 s
# The FIFO holds 6.5 s. Somebody who reads it whole after a longer time did not wait: the clock jumped.
JUMP_MS = const(10000)
# The sample is in the FIFO a moment after its time; waking up too early costs another wake-up.
_MARGIN_MS = const(3)
_NUDGE = const(416)  # 8 ms
_RETRY_MS = const(20)  # one sample, when a late one is waited for
STALE_SAMPLES = const(13)
_COUNT_MAX = const(32767)
_COUNT_MIN = const(-32768)


class Supply:
    """`elapse` with each reading of the clock, then `receive` with what was drained; `believe` with its samples."""

    def __init__(self):
        self.synced = False
        #: Samples were late at the last `receive`, or a gap is open: what is missing now lies before what comes.
        self.gap_first = False
        self.in_gap = False
        #: Since the last sample, in ms.
        self.silent_ms = 0
        self.period = PERIOD_NOMINAL
        #: Clock jumps seen.
        self.jumps = 0
        self._last_ms = 0
        self._dt_ms = 0
        self._phase = 0
        self._late_ms = 0
        self._rate_n = 0
        self._rate_ms = 0
        self._last = array("h", [0] * 6)
        #: Samples in a row that were the one before again, `STALE_SAMPLES` at the most.
        self.same = 0
        self._ended = 0
        #: Stale samples in a row.
        self.stale = 0

    def begin(self, now_ms):
        """The sensor has just been started for the first time: nothing is missing until it has delivered."""
        self.begin_counting(now_ms)
        self.synced = False

    def begin_counting(self, now_ms):
        """From now on a sample is due every period, whether the sensor ever delivered or not."""
        self.synced = True
        self.gap_first = False
        self.in_gap = False
        self.silent_ms = 0
        self._last_ms = now_ms
        self._dt_ms = 0
        self._phase = 0
        self._late_ms = 0
        self._restart_rate()

    def _restart_rate(self):
        self._rate_n = 0
        self._rate_ms = 0

    def elapse(self, now_ms):
        """Let the time pass up to `now_ms`; the milliseconds that passed, 0 where the clock went backwards."""
        dt_ms = ticks_diff(now_ms, self._last_ms)
        self._last_ms = now_ms
        if dt_ms < 0:
            dt_ms = 0
            self.jumps += 1
            self._restart_rate()
        self._dt_ms += dt_ms
        if self.silent_ms < 1000000:
            self.silent_ms += dt_ms
        return dt_ms

    def receive(self, n, overrun):
        """How many samples are missing after `n` were drained; `gap_first` as it was *before* says on which side.

        :param bool overrun: the FIFO lost samples, so a long time is a long time and no jump of the clock
        """
        dt_ms = self._dt_ms
        self._dt_ms = 0
        if n:
            self.silent_ms = 0
        if not self.synced:
            if n:
                self.synced = True
                self._phase = 0
                self._late_ms = 0
                self._restart_rate()
            return 0
        missing = 0
        if dt_ms > JUMP_MS:
            if n and not overrun:
                self.jumps += 1
                self._phase = 0
                self._late_ms = 0
                self._restart_rate()
                return 0
            # Whole periods of 13 samples = 250 ms apart, lest the product leave 31 bits.
            missing = dt_ms // 250 * 13 - n
            if missing < 0:
                missing = 0
            dt_ms %= 250
            self._phase += dt_ms * _UNITS_PER_MS
        else:
            self._phase += dt_ms * _UNITS_PER_MS - n * self.period
        self._rate_n += n
        self._rate_ms += dt_ms
        if self._phase < 0:
            # Earlier than thought, or more than 4 s of samples at once: what is there is there.
            self._phase = 0
        late = self._phase // self.period
        if not late and not missing:
            if self._late_ms and not self.in_gap:
                # It came, only later than thought: the grid is a little later, and so is the next waking.
                self._phase = self._phase - _NUDGE if self._phase > _NUDGE else 0
            self._late_ms = 0
            self.in_gap = False
            self.gap_first = False
            self._follow_rate()
            return 0
        self._late_ms += dt_ms
        excess = dt_ms * _UNITS_PER_MS // PERIOD_NOMINAL - 26
        limit = _GAP_SAMPLES
        if self.in_gap:
            limit = 1
        elif excess > 0:
            limit += excess >> 3
        if missing or late >= limit:
            self._phase -= late * self.period
            missing += late
            self._late_ms = 0
            self.in_gap = n == 0 or not self.in_gap
            self.gap_first = self.in_gap
            self._restart_rate()
            return missing
        if self._late_ms >= _LATE_MS:
            self._phase -= late * self.period
            self._late_ms = 0
            self.gap_first = False
            self._follow_rate()
            return 0
        self.gap_first = True
        return 0

    def pass_by(self):
        """How many samples would have come in the time that has passed: of a sensor that was told to gather none."""
        dt_ms = self._dt_ms
        self._dt_ms = 0
        self.silent_ms = 0
        self._late_ms = 0
        self.in_gap = False
        self.gap_first = False
        self._restart_rate()
        if dt_ms > JUMP_MS:
            self.jumps += 1
            return 0
        self._phase += dt_ms * _UNITS_PER_MS
        n = self._phase // self.period
        if n < 0:
            n = 0
        self._phase -= n * self.period
        return n

    def took(self, n):
        """`n` samples were drained and the rest could not be: they are on the grid, and nothing is judged yet."""
        self._phase -= n * self.period

    def _follow_rate(self):
        if self._rate_n < _RATE_SAMPLES:
            return
        period = self._rate_ms * _UNITS_PER_MS // self._rate_n
        self._restart_rate()
        if -_PERIOD_DEAD <= period - PERIOD_NOMINAL <= _PERIOD_DEAD:
            period = PERIOD_NOMINAL
        elif period < _PERIOD_MIN:
            period = _PERIOD_MIN
        elif period > _PERIOD_MAX:
            period = _PERIOD_MAX
        self.period = period

    def wait_ms(self, n, now_ms):
        """Milliseconds from `now_ms` until `n` more samples should lie in the FIFO."""
        due = (n * self.period - self._phase + _UNITS_PER_MS - 1) // _UNITS_PER_MS + _MARGIN_MS
        due -= ticks_diff(now_ms, self._last_ms)
        return due if due > 0 else _RETRY_MS

    def believe(self, counts, at, n):
        """How many of `n` samples from `counts[at]` on may be believed, up to the first that may not: that one is
        counted in `stale`, and done with.

        :param counts: six a sample, as `walktall.hw.imu` has them: rate x, y, z, force x, y, z
        """
        same = self.same
        ended = self._ended
        last = self._last
        if not (same or ended) and 1 < n <= STALE_SAMPLES:
            # Nothing stood still or at an end before. Where rates move in the middle and at the last sample, which is
            # at no end, there are no thirteen that stood still or at an end, and nothing has begun to.
            mid = at + 6 * (n >> 1)
            end = at + 6 * n - 6
            ax = counts[end + 3]
            ay = counts[end + 4]
            az = counts[end + 5]
            if (
                (counts[mid] != counts[mid - 6] or counts[mid + 1] != counts[mid - 5])
                and (counts[end] != counts[end - 6] or counts[end + 1] != counts[end - 5])
                and _COUNT_MIN < ax < _COUNT_MAX
                and _COUNT_MIN < ay < _COUNT_MAX
                and _COUNT_MIN < az < _COUNT_MAX
                and (ax or ay or az)
                and (counts[mid + 3] or counts[mid + 4] or counts[mid + 5])
            ):
                last[0] = counts[end]
                last[1] = counts[end + 1]
                last[2] = counts[end + 2]
                last[3] = ax
                last[4] = ay
                last[5] = az
                self.stale = 0
                return n
        believed = n
        if not (
            last[5] == counts[at + 5]
            and last[4] == counts[at + 4]
            and last[3] == counts[at + 3]
            and last[2] == counts[at + 2]
            and last[1] == counts[at + 1]
            and last[0] == counts[at]
        ):
            same = -1
        for i in range(n):
            # Each against the one before it; the first has just been looked at.
            if i and not (
                counts[at + 5] == counts[at - 1]
                and counts[at + 4] == counts[at - 2]
                and counts[at + 3] == counts[at - 3]
                and counts[at + 2] == counts[at - 4]
                and counts[at + 1] == counts[at - 5]
                and counts[at] == counts[at - 6]
            ):
                same = 0
            elif same < STALE_SAMPLES:
                same += 1
            ax = counts[at + 3]
            ay = counts[at + 4]
            az = counts[at + 5]
            at += 6
            if _COUNT_MIN < ax < _COUNT_MAX and _COUNT_MIN < ay < _COUNT_MAX and _COUNT_MIN < az < _COUNT_MAX:
                ended = 0
            elif ended < STALE_SAMPLES:
                ended += 1
            if same >= STALE_SAMPLES - 1 or ended >= STALE_SAMPLES or not (ax or ay or az):
                if self.stale < 30000:
                    self.stale += 1
                believed = i
                break
            self.stale = 0
        for i in range(6):
            last[i] = counts[at - 6 + i]
        self.same = same
        self._ended = ended
        return believed
