"""Where is up? Gravity in the sensor's frame, from raw counts, in integers.

A complementary filter. Samples are taken by four, 13 times a second; in the middle of a group, between the rotations by
its first and its last two rates, the estimate is pulled toward the group's mean force:

    g <- g + g x w             (an axis after the other, each from what the ones before have become; w of two rates)
    g <- g + (a - g) / 2^K     (low pass of the specific force in the turning frame)
    g <- g + g x w             (by the other two, the axes in the other order)

and once a tick

    g <- g (3 - |g|^2) / 2     (one Newton step of renormalisation)

with w less the bias. All axes at once would drag g away from the axis of turning by sin(2a) w^2 / 4 a step, 0.7 degrees
when somebody turns at 40 deg/s; so it is right to second order once a group is through. State in Q20 of 1 g; products
in Q12 x 2^-16 rad.

What it does not do: normalise or gate the accelerometer a sample. Footfalls are not symmetric, and either adds a
bias of -3 degrees (measured). The loop over samples stands in `motion`. Angles come once a tick, from the detector.
"""

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


# 2^-5 at 13 Hz: a time constant of 2.46 s. A gyro bias of b leaves 2.46 s x b. Twice as long was 0.15 degrees better on
# slow boards and worse on people: what a stumble or a shove of the clip leaves is forgotten half as fast.
_K = const(5)
_ONE = const(1 << 20)
# |g|^2 above which a Newton step would overshoot: (1.5)^2.
_LONG = const(2359296)


class Tilt:
    """Gravity in the sensor's frame (`g`, Q20) and its sums over ticks. `motion.take` feeds it.

    What comes in threes or more stands in lists: an interpreter takes all of a list in the time of one attribute.
    """

    def __init__(self):
        self.g = [0, 0, 0]
        #: The gyroscope's bias in quarter counts (4.375 mdps each).
        self.bias = [0, 0, 0]
        self._shift = 0
        self._young = 0
        # Of a group that is not whole yet: how many samples there are, and in `_part` sums of rates and forces (counts)
        # of its first two, the same of its other two, and whether none of them was shaken.
        self._phase = 0
        self._part = [0] * 13
        #: Of this second so far the sums of the angular rate (counts) while it is still.
        self.rate = [0, 0, 0]
        #: Of this tick the sums of g (Q20) in the middle of groups, and how many groups.
        self.sums = [0, 0, 0, 0]

    def restart(self):
        """Forget the estimate (after a gap): the next group sets it, and the gain falls back to 2^-5 in 2.5 s."""
        self._shift = 0
        self._young = 0
        self.drop_group()

    def seed(self, ax, ay, az):
        """Begin from a known gravity (counts), such as the mean of a calibration."""
        self.restart()
        self._set(ax << 7, ay << 7, az << 7)
        for _ in range(4):
            self.renormalise()
        self._shift = _K

    def _set(self, x, y, z):
        g = self.g
        g[0] = x
        g[1] = y
        g[2] = z

    def renormalise(self):
        """Gravity gets its length back, which pulls change by a hundredth or two within a tick. For each tick."""
        gx, gy, gz = self.g
        x = gx >> 10
        y = gy >> 10
        z = gz >> 10
        n2 = x * x + y * y + z * z
        while n2 > _LONG:
            x >>= 1
            y >>= 1
            z >>= 1
            n2 >>= 2
            gx >>= 1
            gy >>= 1
            gz >>= 1
        k = (_ONE - n2) >> 3
        g = self.g
        g[0] = gx + (x * k >> 8)
        g[1] = gy + (y * k >> 8)
        g[2] = gz + (z * k >> 8)

    def meet(self, ax, ay, az):
        """Gravity is what the first group felt (sums of counts)."""
        self._set(ax << 5, ay << 5, az << 5)
        self.renormalise()

    def grow(self, ex, ey, ez):
        """The pull of a young filter toward a group that is off by so much (Q15): gain 1, 1/2, 1/2, 1/4 ... so that the
        start is a plain mean. False when it is grown up."""
        self._young += 1
        if self._young >> self._shift > 1:
            self._shift += 1
        k = _K - self._shift
        gx, gy, gz = self.g
        self._set(gx + (ex << k), gy + (ey << k), gz + (ez << k))
        self.renormalise()
        return k > 0

    def drop_tick(self):
        """What was summed begins anew."""
        rate = self.rate
        rate[0] = rate[1] = rate[2] = 0
        sums = self.sums
        sums[0] = sums[1] = sums[2] = sums[3] = 0

    def drop_group(self):
        """A gap: what is left of a group does not go on behind it, nor does the tick or the second."""
        self._phase = 0
        self.drop_tick()
        # Nobody looks at a tick that a gap closes.
        self.renormalise()

    def loosen(self, shift):
        """Trust the accelerometer more for a while (gain 2^-shift a group, back to 2^-5 within 2.5 s): after a gap
        without gyroscope."""
        if shift < self._shift:
            self._shift = shift
            self._young = 1 << shift
