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
_FLOOR = const(64)  # 8 mg: below it nothing is a step
_HYSTERESIS = const(3)  # of 16, of the usual amplitude, which stands at two thirds of a steady step's
_OWN = const(7)  # of 16: what a candidate must reach to be counted when the gate opens
_GAP_MIN = const(6)  # 0.23 s: 260 steps a minute
_GAP_MAX = const(31)  # 1.19 s: 50 steps a minute; after longer pauses a walk begins anew
_PENDING = const(8)  # the gate opens within six steps
_INTERVALS = const(8)
_DOUBT_TICKS = const(120)  # 30 s
_AGE_MAX = const(4096)


class Gait:
    """Steps, cadence and the walking gate.

    `walking`, `jogging`, `still` are 0 or 1; `cadence_spm` is steps a minute (0 when unknown); `steps` counts since
    the start.
    """

    def __init__(self):
        self._q = array("i", [0] * _TICKS)
        self._mx = array("i", [0] * _TICKS)
        self._my = array("i", [0] * _TICKS)
        self._mz = array("i", [0] * _TICKS)
        # Gravity at the end of each of the last 8 ticks, Q10.
        self._gx = array("h", [0] * _TICKS)
        self._gy = array("h", [0] * _TICKS)
        self._gz = array("h", [0] * _TICKS)
        self._history = array("h", [0] * _HISTORY)
        self._corr = array("i", [0] * (_LAG_MAX + 1))
        # Rises of the steps that wait for the gate; the last intervals between steps (1/26 s), and room to sort them.
        self._pending = array("i", [0] * _PENDING)
        self._gaps = array("i", [0] * _INTERVALS)
        self._sorted = array("i", [0] * _INTERVALS)
        # Mean linear acceleration of the last tick, 1/1024 g.
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
        for i in range(_TICKS):
            self._q[i] = 0
            self._mx[i] = 0
            self._my[i] = 0
            self._mz[i] = 0
        # Sums of `_q`, `_mx`, `_my`, `_mz` over the last four ticks, and over all eight.
        self._q4 = self._x4 = self._y4 = self._z4 = 0
        self._q8 = self._x8 = self._y8 = self._z8 = 0
        self._doubt = 0
        self._mean = 0
        self._h_at = 0
        self._at = 0
        self._n_ticks = 0
        self._sq = 0
        self._sx = 0
        self._sy = 0
        self._sz = 0
        self._n = 0
        self._gate = 0
        self._quiet = 0
        self._jog = 0
        self.walking = 0
        self.jogging = 0
        self.still = 1
        self.cadence_spm = 0
        self.score = 0
        self.var1 = 0
        self.var2 = 0
        self.span2 = 0
        self._f1 = 0
        self._low = 0
        self._up = 0
        self._ext = 0
        self._ext_age = 0
        self._trough = 0
        self._age = 0
        self._amp = 0
        self._hysteresis = _FLOOR
        self._n_pending = 0
        self._n_gaps = 0
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
            self._doubt = _DOUBT_TICKS
            if gap << 2 < self._lag * 3:
                return
        if gap > _GAP_MAX:
            self._n_gaps = 0
            if not self.walking:
                self._n_pending = 0
        else:
            self._gaps[self._n_gaps % _INTERVALS] = gap
            self._n_gaps += 1
            if self._n_gaps == 2 * _INTERVALS:
                self._n_gaps = _INTERVALS
        self._age -= gap
        if self.walking:
            amp += (rise - amp) >> 3
            self.steps += 1
            self._pace()
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
        if n > _INTERVALS:
            n = _INTERVALS
        if n < 3:
            return
        ordered = self._sorted
        for i in range(n):
            gap = self._gaps[i]
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

    def _forget_old_steps(self):
        """Once a tick: the usual amplitude fades in 8 s, the cadence when no step came for two long intervals."""
        amp = self._amp
        amp -= amp >> 5
        self._amp = amp
        amp = amp * _HYSTERESIS >> 4
        self._hysteresis = amp if amp > _FLOOR else _FLOOR
        if self._age > 2 * _GAP_MAX:
            self.cadence_spm = 0
            self._n_gaps = 0
            if self._age > _AGE_MAX:
                self._age = _AGE_MAX
                self._ext_age = _AGE_MAX

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
        self._pace()

    def _variance(self, q, x, y, z, ticks):
        """Variance of linear acceleration, (1/256 g)^2, all axes, of `ticks` ticks: from the sums of their mean squares
        and of their means, in 1/1024 g."""
        x //= ticks
        y //= ticks
        z //= ticks
        v = (q // ticks - x * x - y * y - z * z) >> 4
        return v if v > 0 else 0

    def _stopped(self):
        """Has there been no motion for the last half second?"""
        i = (self._at - 1) % _TICKS
        j = (self._at - 2) % _TICKS
        q = self._q
        x = self._mx
        y = self._my
        z = self._mz
        return self._variance(q[i] + q[j], x[i] + x[j], y[i] + y[j], z[i] + z[j], 2) < _DEAD_VAR

    def tick(self, tilt):
        """Close a tick: judge whether somebody walks."""
        n = self._n
        if not n:
            return
        at = self._at
        # Four ticks ago: it leaves the sums of four as this one enters. The one that this one replaces was eight ago.
        old = (at + 4) % _TICKS
        new = self._sq // n
        ring = self._q
        self._q4 += new - ring[old]
        self._q8 += new - ring[at]
        ring[at] = new
        new = self._sx // n
        self.mean_x = new
        ring = self._mx
        self._x4 += new - ring[old]
        self._x8 += new - ring[at]
        ring[at] = new
        new = self._sy // n
        self.mean_y = new
        ring = self._my
        self._y4 += new - ring[old]
        self._y8 += new - ring[at]
        ring[at] = new
        new = self._sz // n
        self.mean_z = new
        ring = self._mz
        self._z4 += new - ring[old]
        self._z8 += new - ring[at]
        ring[at] = new
        have = self._n_ticks
        if have:
            self._gx[at] = tilt.gx >> 10
            self._gy[at] = tilt.gy >> 10
            self._gz[at] = tilt.gz >> 10
        else:
            # What was before is not known, or no longer.
            for old in range(_TICKS):
                self._gx[old] = tilt.gx >> 10
                self._gy[old] = tilt.gy >> 10
                self._gz[old] = tilt.gz >> 10
        self._at = (at + 1) % _TICKS
        self._sq = self._sx = self._sy = self._sz = self._n = 0
        if have < _TICKS:
            have += 1
            self._n_ticks = have
            if have < 4:
                return
        self.var1 = self._variance(self._q4, self._x4, self._y4, self._z4, 4)
        if self._doubt:
            self._doubt -= 1
            self._find_period()
        self._judge()

    def _score(self):
        """How much like walking the last two seconds were, in 1/256."""
        self.var2 = self._variance(self._q8, self._x8, self._y8, self._z8, self._n_ticks)
        reach = max(self._gx) - min(self._gx)
        span2 = reach * reach
        reach = max(self._gy) - min(self._gy)
        span2 += reach * reach
        reach = max(self._gz) - min(self._gz)
        span2 += reach * reach
        self.span2 = span2
        self.score = (
            (_W_SD1 * log2_q8(self.var1) + _W_SD2 * log2_q8(self.var2) - _W_SPAN * log2_q8(span2)) >> 8
        ) + _BIAS
        return self.score

    def _judge(self):
        var1 = self.var1
        quiet = var1 < _QUIET_VAR
        if quiet:
            self._quiet += 1
        else:
            self._quiet = 0
        self.still = 1 if quiet else 0
        self._forget_old_steps()
        if self.walking:
            if quiet and (self._quiet >= _QUIET_TICKS or self._stopped()):
                self.walking = 0
                self.score = 0
                self._gate = 0
                self.cadence_spm = 0
        elif quiet:
            self._gate = 0
            self.score = 0
        else:
            score = self._score()
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
