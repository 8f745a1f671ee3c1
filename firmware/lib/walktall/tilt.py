"""Where is up? Gravity in the sensor's frame, from raw counts, in integers.

A complementary filter. Samples are taken by four, 13 times a second; in the middle of a group, between the rotations by
its first and its last two rates, the estimate is pulled toward the group's mean force:

    g <- g + g x w             (an axis after the other, each from what the ones before have become; w of two rates)
    g <- g + (a - g) / 2^K     (low pass of the specific force in the turning frame)
    g <- g (3 - |g|^2) / 2     (one Newton step of renormalisation)
    g <- g + g x w             (by the other two, the axes in the other order)

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
    """Gravity in the sensor's frame (`gx`, `gy`, `gz`, Q20) and its sums over ticks. `motion.take` feeds it.

    `bias_x`, `bias_y`, `bias_z` are the gyroscope's bias in quarter counts (4.375 mdps each).
    """

    def __init__(self):
        self.gx = 0
        self.gy = 0
        self.gz = 0
        self.bias_x = 0
        self.bias_y = 0
        self.bias_z = 0
        self._shift = 0
        self._young = 0
        # Of a group that is not whole yet: sums of rates and forces (counts) of its first and its other two samples,
        # how many there are, and whether none of them was shaken.
        self._wx = 0
        self._wy = 0
        self._wz = 0
        self._ux = 0
        self._uy = 0
        self._uz = 0
        self._ax = 0
        self._ay = 0
        self._az = 0
        self._cx = 0
        self._cy = 0
        self._cz = 0
        self._phase = 0
        self._felt = 0
        # Of this second so far the sums of the angular rate (counts) while it is still; of this tick those of g (Q20)
        # in the middle of `n` groups.
        self.rate_x = 0
        self.rate_y = 0
        self.rate_z = 0
        self.sum_x = 0
        self.sum_y = 0
        self.sum_z = 0
        self.n = 0

    def restart(self):
        """Forget the estimate (after a gap): the next group sets it, and the gain falls back to 2^-5 in 2.5 s."""
        self._shift = 0
        self._young = 0
        self.drop_group()

    def seed(self, ax, ay, az):
        """Begin from a known gravity (counts), such as the mean of a calibration."""
        self.restart()
        self.gx = ax << 7
        self.gy = ay << 7
        self.gz = az << 7
        for _ in range(4):
            self._renormalise()
        self._shift = _K

    def _renormalise(self):
        x = self.gx >> 10
        y = self.gy >> 10
        z = self.gz >> 10
        n2 = x * x + y * y + z * z
        while n2 > _LONG:
            x >>= 1
            y >>= 1
            z >>= 1
            n2 >>= 2
            self.gx >>= 1
            self.gy >>= 1
            self.gz >>= 1
        k = (_ONE - n2) >> 3
        self.gx += x * k >> 8
        self.gy += y * k >> 8
        self.gz += z * k >> 8

    def grow(self, ax, ay, az):
        """A young filter meets its next group (sums of counts): gain 1, 1/2, 1/2, 1/4 ... so that the start is a plain
        mean. The new shift; where `_young` is 1, gravity has been set."""
        self._young += 1
        if self._young >> self._shift > 1:
            self._shift += 1
        if self._young == 1:
            self.gx = ax << 5
            self.gy = ay << 5
            self.gz = az << 5
            self._renormalise()
        return self._shift

    def drop_tick(self):
        """What was summed begins anew."""
        self.rate_x = self.rate_y = self.rate_z = 0
        self.sum_x = self.sum_y = self.sum_z = self.n = 0

    def drop_group(self):
        """A gap: what is left of a group does not go on behind it, nor does the tick or the second."""
        self._phase = 0
        self.drop_tick()

    def loosen(self, shift):
        """Trust the accelerometer more for a while (gain 2^-shift a group, back to 2^-5 within 2.5 s): after a gap
        without gyroscope."""
        if shift < self._shift:
            self._shift = shift
            self._young = 1 << shift
