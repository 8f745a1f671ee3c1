"""Is somebody walking, how fast, and how many steps? From linear acceleration, in integers.

Per group of four samples (13 Hz), `motion` sums the energy of the linear acceleration (what the accelerometer feels
beside gravity). The vertical part of two and two (26 Hz) goes through a step counter; where that meets small steps, the
vertical part of the four also through a running autocorrelation. Once a tick (250 ms) a score opens the walking gate:

    score = b + w1 log2 sd1^2 + w2 log2 sd2^2 - ws log2 span^2

with sd1, sd2 the standard deviation of linear acceleration over 1 s and 2 s, and span the reach of gravity's direction
over 2 s. Energy tells walking from standing, shuffling gait included; the span tells it from bends and chairs, whose
energy is the turning of the trunk itself. While the gate is open nobody asks the score. An open gate closes on
stillness alone, so that a deep lean of somebody who walks on does not shut it.

What it does not do: wait for textbook steps (the gate never asks the step counter), or tell stairs from the level.
"""

from array import array

from .fixmath import log2_q8

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


_LAG_MIN = const(4)  # 0.31 s at 13 Hz
_LAG_MAX = const(16)  # 1.23 s
_HISTORY = const(16)
_TICKS = const(8)  # 2 s of ticks
# Sums since the start, of which two make those between: rows of five, one for each of the last 12 ticks.
_ROW = const(5)
_RING = const(12 * 5)
_FOUR = const(4 * 5)
_SQ_MASK = const(0x1FFFFFFF)  # squares are summed modulo 2^29; 2 s of the hardest shaking are 2^27
_FAR = const(1 << 28)  # the other sums begin anew beyond it, after 5 h at 1 g or more

# The score, Q8 of log2 units, fitted by logistic regression on one half of the people (docs/algorithm.md, "Walking
# gate").
_W_SD1 = const(163)  # for log2 of a variance: half of what a deviation would weigh
_W_SD2 = const(224)
_W_SPAN = const(181)
_BIAS = const(-629)
_CLIP = const(320)  # one tick counts 1.25 at the most
_OPEN = const(2048)  # 6.4 ticks of clear walking
_QUIET_VAR = const(71)  # (0.32 m/s^2)^2 in (1/256 g)^2: nobody walks so softly for a second
_QUIET_TICKS = const(3)
_DEAD_VAR = const(10)  # (0.12 m/s^2)^2: below it for half a second, walking has stopped
_JOG_VAR = const(33000)  # (7.0 m/s^2)^2: fast walking stays below 6.2, jogging has its median at 8 to 11 (recordings)
_JOG_STAY_VAR = const(12100)  # (4.2 m/s^2)^2: a jog goes on above it
_JOG_SPM_VAR = const(18100)  # (5.2 m/s^2)^2, with a runner's cadence
_JOG_SPM = const(152)
_JOG_TICKS = const(8)

# The step counter, at 26 Hz, amplitudes in 1/8192 g (docs/algorithm.md, "Steps and cadence").
_G = const(8192)
_FLOOR = const(64)  # 8 mg: below it nothing is a step
_HYSTERESIS = const(3)  # of 16, of the usual amplitude, which stands at two thirds of a steady step's
_OWN = const(7)  # of 16: what a candidate must reach to be counted when the gate opens
_GAP_MIN = const(6)  # 0.23 s: 260 steps a minute
_GAP_MAX = const(31)  # 1.19 s: 50 steps a minute; after longer pauses a walk begins anew
_PENDING = const(8)  # the gate opens within six steps
_INTERVALS = const(8)
_DOUBT_S = const(30)
_AGE_MAX = const(4096)


class Gait:
    """Steps, cadence and the walking gate.

    `walking`, `jogging`, `still` are 0 or 1; `cadence_spm` is steps a minute (0 when unknown); `steps` counts since
    the start.
    """

    def __init__(self):
        # What `motion` sums: squares, x, y, z, groups; and what it had at the end of each of the last ticks.
        self._sums = [0] * _ROW
        self._ring = array("i", [0] * _RING)
        # The step counter: its two poles, whether the signal rises, the extreme since it turned (1/8192 g).
        self._wave = [0] * 4
        # Gravity at the end of each of the last 8 ticks in which nobody walked, Q10.
        self._gx = array("h", [0] * _TICKS)
        self._gy = array("h", [0] * _TICKS)
        self._gz = array("h", [0] * _TICKS)
        self._history = array("h", [0] * _HISTORY)
        self._corr = array("i", [0] * (_LAG_MAX + 1))
        # Rises of the steps that wait for the gate; the last intervals between steps (1/26 s), and room to sort them.
        self._pending = array("i", [0] * _PENDING)
        self._gaps = array("b", [0] * _INTERVALS)
        self._sorted = array("b", [0] * _INTERVALS)
        # Of the last whole second: variance of linear acceleration, (1/256 g)^2, and its mean, 1/1024 g.
        self.var1 = 0
        self.mean_x = 0
        self.mean_y = 0
        self.mean_z = 0
        self.steps = 0
        self.cadence_spm = 0
        self.walking = 0
        self.jogging = 0
        self.still = 1
        self.restart()

    def restart(self):
        """Forget motion (after a gap); the count of steps stays."""
        for i in range(_RING):
            self._ring[i] = 0
        self._doubt = 0
        self._mean = 0
        self._h_at = 0
        self._at = 0
        self._g_at = -1  # where the next tick's gravity goes; -1: what was before is not known, or no longer
        self._n_ticks = 0
        self._steady = 0  # somebody walks, and nothing speaks against it
        sums = self._sums
        for i in range(_ROW):
            sums[i] = 0
        self._gate = 0
        self._quiet = 0
        self._jog = 0
        self.walking = 0
        self.jogging = 0
        self.still = 1
        self.cadence_spm = 0
        self.score = 0
        wave = self._wave
        wave[0] = wave[1] = wave[3] = self._trough = _G
        wave[2] = 0
        self._ext_age = 0
        self._age = 0
        self._amp = 0
        self._hysteresis = _FLOOR
        self._n_pending = 0
        self._n_gaps = 0
        self._gaps_sum = 0
        self._even = 0  # intervals in a row that are much alike
        for i in range(_INTERVALS):
            self._gaps[i] = 0
        self._lag = 0

    def bridge(self):
        """Begin windows anew behind a gap of a few seconds: who walked is held to walk on until seen still."""
        walking = self.walking
        gate = self._gate
        self.restart()
        self.walking = walking
        self._gate = gate

    def candidate(self, rise):
        """Take a peak that rose by `rise` over the trough before it."""
        gap = self._ext_age
        if gap < _GAP_MIN:
            return
        amp = self._amp
        if rise << 1 < amp:
            # The second bump of a slow walker's footfall, or a smaller step? The autocorrelation tells.
            if not self._doubt:
                self._begin_autocorrelation()
            self._doubt = _DOUBT_S
            if gap << 2 < self._lag * 3:
                return
        if gap > _GAP_MAX:
            self._n_gaps = self._even = 0
            if not self.walking:
                self._n_pending = 0
        else:
            k = self._n_gaps
            total = self._gaps_sum + gap - self._gaps[k % _INTERVALS]
            self._gaps_sum = total
            self._gaps[k % _INTERVALS] = gap
            k += 1
            self._n_gaps = k if k < 2 * _INTERVALS else _INTERVALS
            # Within a ninth of the mean, one after the other: then none is a quarter from their median.
            self._even = self._even + 1 if -total <= 9 * (gap * _INTERVALS - total) <= total else 0
        self._age -= gap
        if self.walking:
            amp += (rise - amp) >> 3
            self.steps += 1
        else:
            # Outside a walk the usual amplitude only rises: shuffling after a walk does not pass for walking.
            if amp == 0:
                amp = rise
            elif rise > amp:
                amp += (rise - amp) >> 1
            k = self._n_pending
            self._pending[k % _PENDING] = rise
            k += 1
            self._n_pending = k if k < 2 * _PENDING else _PENDING
        self._amp = amp
        amp = amp * _HYSTERESIS >> 4
        self._hysteresis = amp if amp > _FLOOR else _FLOOR

    def _begin_autocorrelation(self):
        for i in range(_HISTORY):
            self._history[i] = 0
        for i in range(_LAG_MAX + 1):
            self._corr[i] = 0
        self._mean = 0
        self._h_at = 0
        self._lag = 0

    def _find_period(self):
        """The lag (13 Hz) of the autocorrelation's peak: the step's, or the stride's half."""
        corr = self._corr
        best = 0
        peak = 0
        for lag in range(_LAG_MIN, _LAG_MAX + 1):
            r = corr[lag]
            if r > best:
                best = r
                peak = lag
        # A peak whose half is a peak too is a stride: the step is the half.
        if peak >= 2 * _LAG_MIN and (corr[peak >> 1] << 1 > best or corr[(peak + 1) >> 1] << 1 > best):
            peak >>= 1
        self._lag = peak

    def _pace(self):
        """Cadence: the mean of those of the last 8 intervals that lie within a quarter of their median."""
        n = self._n_gaps
        gaps = self._gaps
        if self._even >= _INTERVALS:
            # All of them do.
            total = self._gaps_sum
            self.cadence_spm = (1560 * _INTERVALS + (total >> 1)) // total
            return
        if n > _INTERVALS:
            n = _INTERVALS
        if n < 3:
            return
        ordered = self._sorted
        for i in range(n):
            gap = gaps[i]
            j = i
            while j > 0 and ordered[j - 1] > gap:
                ordered[j] = ordered[j - 1]
                j -= 1
            ordered[j] = gap
        median = ordered[n >> 1]
        least = median - (median >> 2)
        most = median + (median >> 2)
        total = 0
        count = 0
        for i in range(n):
            gap = ordered[i]
            if least <= gap <= most:
                total += gap
                count += 1
        # 60 s x 26 Hz, rounded.
        self.cadence_spm = (1560 * count + (total >> 1)) // total

    def _each_second(self):
        """What need not be known sooner: the usual amplitude fades in 8 s, the cadence when no step came for two long
        intervals."""
        amp = self._amp
        amp -= amp >> 3
        self._amp = amp
        amp = amp * _HYSTERESIS >> 4
        self._hysteresis = amp if amp > _FLOOR else _FLOOR
        if self._doubt:
            self._doubt -= 1
            self._find_period()
        if self._age > 2 * _GAP_MAX:
            self.cadence_spm = 0
            self._n_gaps = self._even = 0
            if self._age > _AGE_MAX:
                self._age = _AGE_MAX
                self._ext_age = _AGE_MAX
        elif self.walking:
            self._pace()
        sums = self._sums
        if not (-_FAR < sums[1] < _FAR and -_FAR < sums[2] < _FAR and -_FAR < sums[3] < _FAR):
            self.bridge()

    def _commit(self):
        """The gate has opened: count those of the waiting steps that are of this walk's own size."""
        own = self._amp * _OWN >> 4
        n = self._n_pending
        if n > _PENDING:
            n = _PENDING
        for i in range(n):
            if self._pending[i] >= own:
                self.steps += 1
        self._n_pending = 0

    def _variance(self, ticks):
        """Variance of linear acceleration over the last ticks, (1/256 g)^2, all axes."""
        ring = self._ring
        at = self._at
        old = (at - ticks * _ROW) % _RING
        n = ring[at + 4] - ring[old + 4]
        x = (ring[at + 1] - ring[old + 1]) // n
        y = (ring[at + 2] - ring[old + 2]) // n
        z = (ring[at + 3] - ring[old + 3]) // n
        v = ((ring[at] - ring[old] & _SQ_MASK) // n - x * x - y * y - z * z) >> 4
        return v if v > 0 else 0

    def tick(self, tilt):
        """Close a tick: `events.WALKS`, `JOGS`, `STILL` as they are then."""
        ring = self._ring
        at = self._at
        square, sum_x, sum_y, sum_z, n = self._sums
        if n == ring[at + 4]:
            # The motor shook all of it.
            return self.walking | self.jogging << 1 | self.still << 2
        at = (at + _ROW) % _RING
        self._at = at
        old = (at - _FOUR) % _RING
        ring[at + 4] = n
        n -= ring[old + 4]
        # As `_variance`, which costs a call.
        ring[at + 1] = sum_x
        x = (sum_x - ring[old + 1]) // n
        ring[at + 2] = sum_y
        y = (sum_y - ring[old + 2]) // n
        ring[at + 3] = sum_z
        z = (sum_z - ring[old + 3]) // n
        ring[at] = square
        var1 = (square - ring[old] & _SQ_MASK) // n - x * x - y * y - z * z >> 4
        if not at % _FOUR:
            self.var1 = var1
            self.mean_x = x
            self.mean_y = y
            self.mean_z = z
            self._each_second()
        if _QUIET_VAR <= var1 <= _JOG_STAY_VAR and self._steady:
            return 1
        return self._judge(tilt, var1)

    def _score(self, var1):
        """How much like walking the last two seconds were, in 1/256."""
        reach = max(self._gx) - min(self._gx)
        span2 = reach * reach
        reach = max(self._gy) - min(self._gy)
        span2 += reach * reach
        reach = max(self._gz) - min(self._gz)
        span2 += reach * reach
        n = self._n_ticks
        return ((_W_SD1 * log2_q8(var1) + _W_SD2 * log2_q8(self._variance(n)) - _W_SPAN * log2_q8(span2)) >> 8) + _BIAS

    def _judge(self, tilt, var1):
        k = self._g_at
        if k < 0 or not self.walking:
            x, y, z = tilt.g
            x >>= 10
            y >>= 10
            z >>= 10
            if k < 0:
                for i in range(_TICKS):
                    self._gx[i] = x
                    self._gy[i] = y
                    self._gz[i] = z
            else:
                self._gx[k] = x
                self._gy[k] = y
                self._gz[k] = z
            self._g_at = (k + 1) % _TICKS
        if self._n_ticks < _TICKS:
            self._n_ticks += 1
            if self._n_ticks < 4:
                return self.walking | self.jogging << 1 | self.still << 2
        quiet = var1 < _QUIET_VAR
        if quiet:
            self._quiet += 1
        else:
            self._quiet = 0
        self.still = 1 if quiet else 0
        if self.walking:
            if quiet and (self._quiet >= _QUIET_TICKS or self._variance(2) < _DEAD_VAR):
                self.walking = 0
                self.score = 0
                self._gate = 0
                self.cadence_spm = 0
                self._g_at = -1
        elif quiet:
            self._gate = 0
            self.score = 0
        else:
            score = self._score(var1)
            self.score = score
            gate = self._gate + (_CLIP if score > _CLIP else (-_CLIP if score < -_CLIP else score))
            if gate < 0:
                gate = 0
            self._gate = gate
            if gate >= _OPEN:
                self.walking = 1
                self._commit()
        # A jog is told by impacts, with or without a runner's cadence, and ends two seconds after them.
        if (
            var1 > _JOG_VAR
            or (self.jogging and var1 > _JOG_STAY_VAR)
            or (var1 > _JOG_SPM_VAR and self.cadence_spm > _JOG_SPM)
        ):
            if self._jog < _JOG_TICKS:
                self._jog += 2
        elif self._jog > 0:
            self._jog -= 1
        if self._jog >= 4:
            self.jogging = 1
        elif self._jog == 0:
            self.jogging = 0
        self._steady = 1 if self.walking and not quiet and not self._jog else 0
        return self.walking | self.jogging << 1 | self.still << 2
