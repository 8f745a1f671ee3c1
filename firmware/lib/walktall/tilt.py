"""Where is up? Gravity in the sensor's frame, from raw counts, in integers.

A complementary filter: each sample turns the last estimate by the gyroscope and pulls it toward the accelerometer,

    g <- g + w x (g + (w x g) / 2)          (rotation to second order: the midpoint rule)
    g <- g + (a - g) / 2^K                  (low pass of the specific force in the turning frame)
    g <- g (3 - |g|^2) / 2                  (one Newton step of renormalisation)

with w the mean of this and the last angular rate (trapezoid), less the bias. The second-order term is what the first
sketch lacked: a first-order step drags g away from the axis of turning by sin(2a) w^2 / 4 a sample, 0.7 degrees when
somebody turns at 40 deg/s. State in Q20 of 1 g; products in Q12 x quarter counts of rate, below 2^29.6 at full scale.

What it does not do: normalise or gate the accelerometer a sample. Footfalls are not symmetric, and either adds a
bias of -3 degrees (measured). Angles come once a tick, from `project`.
"""

from array import array

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


# 2^-7 at 52 Hz: a time constant of 2.46 s. A gyro bias of b leaves 2.46 s x b. 2^-8 was 0.15 degrees better on slow
# boards and worse on people: what a stumble or a shove of the clip leaves is forgotten half as fast.
_K = const(7)
_ONE = const(1 << 20)
# The rotation of one sample by one quarter count: 17.5 mdps / 4 / 52 Hz = 1.468425e-6 rad; from Q12 to Q20 that is
# 3.759168e-4 = 1577 / 2^22 (0.02 % high).
_RATE_MUL = const(1577)
# |g|^2 above which a Newton step would overshoot: (1.5)^2.
_LONG = const(2359296)
_RING = const(4)


class Tilt:
    """Gravity in the sensor's frame (`gx`, `gy`, `gz`, Q20) and its means over ticks.

    `bias_x`, `bias_y`, `bias_z` are the gyroscope's bias in quarter counts (4.375 mdps each).
    """

    def __init__(self):
        self.gx = 0
        self.gy = 0
        self.gz = 0
        # Linear acceleration of the last sample: what the accelerometer felt beside gravity, 1/256 g.
        self.ex = 0
        self.ey = 0
        self.ez = 0
        self.bias_x = 0
        self.bias_y = 0
        self.bias_z = 0
        self._wx = 0
        self._wy = 0
        self._wz = 0
        self._shift = 0
        self._young = 0
        # Sums of the angular rate (counts) over this tick; `tick` leaves the last one's in `rate_x` ...
        self._tx = 0
        self._ty = 0
        self._tz = 0
        self.rate_x = 0
        self.rate_y = 0
        self.rate_z = 0
        # Sums of g (Q14) over this tick, and over each of the last four.
        self._sx = 0
        self._sy = 0
        self._sz = 0
        self._n = 0
        self._ring = array("i", [0] * (3 * _RING))
        self._counts = array("i", [0] * _RING)
        self._at = 0

    def restart(self):
        """Forget the estimate (after a gap): the next sample sets it, and the gain falls back to 2^-7 in 2.5 s."""
        self._shift = 0
        self._young = 0
        self.drop_tick()
        for i in range(3 * _RING):
            self._ring[i] = 0
        for i in range(_RING):
            self._counts[i] = 0

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

    def step(self, ax, ay, az, wx, wy, wz, use_accel):
        """Take one sample: specific force (8197 counts = 1 g) and rate (17.5 mdps a count), both -32768 .. 32767.

        :param int use_accel: 0 while the motor shakes the sensor: the gyroscope alone carries g
        """
        self._tx += wx
        self._ty += wy
        self._tz += wz
        shift = self._shift
        if shift < _K:
            # Young: gain 1, 1/2, 1/2, 1/4 ... so that the start is a plain mean.
            if self._young or use_accel:
                self._young += 1
            if self._young >> shift > 1:
                self._shift = shift + 1
            if self._young == 1:
                self.gx = ax << 7
                self.gy = ay << 7
                self.gz = az << 7
                self._renormalise()
        # Rate as the trapezoid's mean, in quarter counts, less the bias: below 2^17 + 2^12.
        rx = ((self._wx + wx) << 1) - self.bias_x
        ry = ((self._wy + wy) << 1) - self.bias_y
        rz = ((self._wz + wz) << 1) - self.bias_z
        self._wx = wx
        self._wy = wy
        self._wz = wz
        gx = self.gx
        gy = self.gy
        gz = self.gz
        # In the sensor's frame a fixed vector turns by -w: g' = g + g x w. First to the midpoint, half a step.
        x = gx >> 8
        y = gy >> 8
        z = gz >> 8
        hx = (gx + (((y * rz - z * ry + 2048) >> 12) * _RATE_MUL >> 11)) >> 8
        hy = (gy + (((z * rx - x * rz + 2048) >> 12) * _RATE_MUL >> 11)) >> 8
        hz = (gz + (((x * ry - y * rx + 2048) >> 12) * _RATE_MUL >> 11)) >> 8
        gx += (((hy * rz - hz * ry + 2048) >> 12) * _RATE_MUL + 512) >> 10
        gy += (((hz * rx - hx * rz + 2048) >> 12) * _RATE_MUL + 512) >> 10
        gz += (((hx * ry - hy * rx + 2048) >> 12) * _RATE_MUL + 512) >> 10
        if use_accel:
            half = 1 << shift >> 1
            x = (ax << 7) - gx
            y = (ay << 7) - gy
            z = (az << 7) - gz
            self.ex = x >> 12
            self.ey = y >> 12
            self.ez = z >> 12
            gx += (x + half) >> shift
            gy += (y + half) >> shift
            gz += (z + half) >> shift
        # One Newton step: g (3 - |g|^2) / 2. Only a young filter can be so long that it has to be halved first.
        x = gx >> 10
        y = gy >> 10
        z = gz >> 10
        k = x * x + y * y + z * z
        while k > _LONG:
            x >>= 1
            y >>= 1
            z >>= 1
            k >>= 2
            gx >>= 1
            gy >>= 1
            gz >>= 1
        k = (_ONE - k) >> 3
        gx += x * k >> 8
        gy += y * k >> 8
        gz += z * k >> 8
        self.gx = gx
        self.gy = gy
        self.gz = gz
        self._sx += gx >> 6
        self._sy += gy >> 6
        self._sz += gz >> 6
        self._n += 1

    def tick(self):
        """Close a tick: its sums enter the ring of the last four (one second)."""
        at = self._at * 3
        self._ring[at] = self._sx
        self._ring[at + 1] = self._sy
        self._ring[at + 2] = self._sz
        self._counts[self._at] = self._n
        self._at = (self._at + 1) % _RING
        self.rate_x = self._tx
        self.rate_y = self._ty
        self.rate_z = self._tz
        self.drop_tick()

    def drop_tick(self):
        """Forget what this tick gathered (a gap fell into it)."""
        self._sx = self._sy = self._sz = self._n = 0
        self._tx = self._ty = self._tz = 0

    def loosen(self, shift):
        """Trust the accelerometer more for a while (gain 2^-shift, back to 2^-7 within 2.5 s): after a gap without
        gyroscope."""
        if shift < self._shift:
            self._shift = shift
            self._young = 1 << shift

    def mean(self, axis, ticks):
        """The sum of g along sensor axis `axis` (0, 1, 2) over the last `ticks` (1 .. 4) ticks, Q14 x samples."""
        total = 0
        at = self._at
        for _ in range(ticks):
            at = (at - 1) % _RING
            total += self._ring[at * 3 + axis]
        return total
