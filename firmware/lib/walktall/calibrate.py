"""Finding upright: two presses, stand tall. And finding the gyroscope's bias whenever the clip lies still.

`Calibrator`: wait 0.5 s (the hand leaves the clip), average 2.5 s, refuse when it moved; optionally a bow shows
which way is forward. `BiasTracker`: the angular rate of quiet ticks is bias; it follows temperature.

Source of the times and limits: docs/algorithm.md, "Calibration". It changes nothing by itself: `chain` takes the
results.
"""

from .fixmath import isqrt

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


_WAIT = const(26)  # 0.5 s
_AVERAGE = const(130)  # 2.5 s
# People sway: standing trunks turn at 1 to 9 deg/s (measured). A quarter-second mean further than 5 deg/s from the
# whole mean, or a force that wanders by 0.04 g, is not standing still.
_RATE_RANGE = const(570)  # counts between the least and greatest 1/4 s mean: 10 deg/s
_FORCE_RANGE = const(330)  # 0.04 g
_G_LOW = const(7377)  # 0.9 g
_G_HIGH = const(9017)  # 1.1 g
_BOW_MIN_Q14 = const(4240)  # sin 15 degrees
_BOW_TICKS = const(32)  # 8 s to bow and come back

IDLE = const(0)
WAITING = const(1)
AVERAGING = const(2)
BOWING = const(3)

NONE = const(0)
DONE = const(1)
MOVING = const(2)
ANGLE = const(3)


class Calibrator:
    """Averages a standing person. After `step` returned DONE: `ax`, `ay`, `az` (counts), `bx`, `by`, `bz` (1/16
    counts), `quality`."""

    def __init__(self):
        self.state = IDLE
        self.ax = self.ay = self.az = 0
        self.bx = self.by = self.bz = 0
        self.quality = 0
        self._clear()

    def _clear(self):
        self._n = 0
        self._sx = self._sy = self._sz = 0
        self._wx = self._wy = self._wz = 0
        self._qx = self._qy = self._qz = 0
        self._px = self._py = self._pz = 0
        self._low = 32767
        self._high = -32768
        self._lowx = self._lowy = self._lowz = 32767 * 13
        self._highx = self._highy = self._highz = -32768 * 13
        self._flow = 32767
        self._fhigh = -32768

    def begin(self):
        """Start waiting for the hand to leave the clip."""
        self._clear()
        self.state = WAITING

    def cancel(self):
        """Forget what was begun."""
        self.state = IDLE

    def step(self, ax, ay, az, wx, wy, wz):
        """Take one sample; NONE while it goes on, DONE, or MOVING when the wearer did not stand still."""
        self._n += 1
        if self.state == WAITING:
            if self._n >= _WAIT:
                self._clear()
                self.state = AVERAGING
            return NONE
        self._sx += ax
        self._sy += ay
        self._sz += az
        self._wx += wx
        self._wy += wy
        self._wz += wz
        self._qx += wx
        self._qy += wy
        self._qz += wz
        self._px += ax
        self._py += ay
        self._pz += az
        if self._n % 13:
            return NONE
        # A quarter of a second: its mean rate on each axis, and the length of its mean force.
        if self._qx < self._lowx:
            self._lowx = self._qx
        if self._qx > self._highx:
            self._highx = self._qx
        if self._qy < self._lowy:
            self._lowy = self._qy
        if self._qy > self._highy:
            self._highy = self._qy
        if self._qz < self._lowz:
            self._lowz = self._qz
        if self._qz > self._highz:
            self._highz = self._qz
        x = self._px // 26
        y = self._py // 26
        z = self._pz // 26
        length = isqrt(x * x + y * y + z * z) << 1
        if length < self._flow:
            self._flow = length
        if length > self._fhigh:
            self._fhigh = length
        self._qx = self._qy = self._qz = 0
        self._px = self._py = self._pz = 0
        if self._n < _AVERAGE:
            return NONE
        self.state = IDLE
        swing = self._highx - self._lowx
        if self._highy - self._lowy > swing:
            swing = self._highy - self._lowy
        if self._highz - self._lowz > swing:
            swing = self._highz - self._lowz
        swing //= 13
        if swing > _RATE_RANGE or self._fhigh - self._flow > _FORCE_RANGE:
            return MOVING
        if self._flow < _G_LOW or self._fhigh > _G_HIGH:
            return MOVING
        self.ax = self._sx // _AVERAGE
        self.ay = self._sy // _AVERAGE
        self.az = self._sz // _AVERAGE
        self.bx = self._wx * 16 // _AVERAGE
        self.by = self._wy * 16 // _AVERAGE
        self.bz = self._wz * 16 // _AVERAGE
        # 100 for a statue, 0 at the limit of what is taken.
        self.quality = 100 - 100 * swing // (_RATE_RANGE + 1)
        return DONE


class Bow:
    """Which way is forward? The direction in which gravity leaves upright in a bow of 15 degrees or more."""

    def __init__(self):
        self.left = 0  # ticks that the wearer still has
        self.fx = self.fy = self.fz = 0
        self._best = 0

    def begin(self):
        """Give the wearer 8 s to bow and come back."""
        self.left = _BOW_TICKS
        self._best = 0

    def step(self, ux, uy, uz, gx, gy, gz):
        """Take a tick's gravity and upright (both Q14, unit); DONE when a bow is over, MOVING when the time is, else
        NONE."""
        self.left -= 1
        # What of up is left when the upright part is taken away points backward when one bows forward.
        dot = (gx * ux + gy * uy + gz * uz) >> 14
        dx = gx - (dot * ux >> 14)
        dy = gy - (dot * uy >> 14)
        dz = gz - (dot * uz >> 14)
        n = isqrt(dx * dx + dy * dy + dz * dz)
        if n > self._best:
            self._best = n
            if n >= _BOW_MIN_Q14:
                self.fx = -(dx << 14) // n
                self.fy = -(dy << 14) // n
                self.fz = -(dz << 14) // n
        elif self._best >= _BOW_MIN_Q14 and n < _BOW_MIN_Q14 >> 1:
            self.left = 0
            return DONE
        return MOVING if self.left <= 0 else NONE


_REST_S = const(3)
_REST_RANGE = const(20 * 52)  # a second's mean within 0.35 deg/s of the last rest
_REST_VAR = const(12)  # (0.13 m/s^2)^2 of linear acceleration, in (1/256 g)^2
_BIAS_MAX = const(4 * 572)  # 10 deg/s: more is not a bias, it is turning


# 1 rad of lag at a time constant of 2.46 s is 5.2 quarter counts for each 1/1024 rad; a second of 60 s of it is 88 /
# 1024.
_DRIFT_MUL = const(88)


def _held(bias):
    """A bias (quarter counts) kept within 10 deg/s."""
    if bias > _BIAS_MAX:
        return _BIAS_MAX
    if bias < -_BIAS_MAX:
        return -_BIAS_MAX
    return bias


class BiasTracker:
    """Follows the gyroscope's bias, which drifts with temperature: quickly at rest, slowly in motion.

    At rest the angular rate is the bias. In motion a bias b leaves the filter's gravity behind the accelerometer's
    mean by e = t b x g, with t the filter's time constant, so b (across gravity) = g x e / t (Mahony's integral
    term, as in Mahony et al. 2008, with a time constant of 60 s so that strides, starts and turns average out). Bias
    along gravity does no harm to tilt.
    """

    def __init__(self):
        self._n = 0
        self._x = self._y = self._z = 0
        self._fx = self._fy = self._fz = 0
        self._ix = self._iy = self._iz = 0
        self._still = 0  # it was still when the second began
        self.updates = 0

    def second(self, tilt, gait, jogs):
        """Look at the second that `tilt` and `gait` have gathered. After 3 s of rest the bias moves a quarter of the
        way; and in each second it follows what lags, one's starts and turns averaged out."""
        x, y, z = tilt.rate
        if not gait.still:
            self._n = self._still = 0
        elif (
            gait.var1 > _REST_VAR
            or not self._still
            or not -_REST_RANGE < x - self._fx < _REST_RANGE
            or not -_REST_RANGE < y - self._fy < _REST_RANGE
            or not -_REST_RANGE < z - self._fz < _REST_RANGE
        ):
            self._n = 0
            self._fx = x
            self._fy = y
            self._fz = z
            # Rates are summed while it is still.
            self._still = 1
        else:
            if not self._n:
                self._x = self._y = self._z = 0
            self._n += 1
            self._x += x
            self._y += y
            self._z += z
            if self._n == _REST_S:
                # 156 samples; the bias is kept in quarter counts.
                x = self._x * 4 // 156
                y = self._y * 4 // 156
                z = self._z * 4 // 156
                self._n = 0
                if -_BIAS_MAX < x < _BIAS_MAX and -_BIAS_MAX < y < _BIAS_MAX and -_BIAS_MAX < z < _BIAS_MAX:
                    bias = tilt.bias
                    bias[0] += (x - bias[0]) >> 2
                    bias[1] += (y - bias[1]) >> 2
                    bias[2] += (z - bias[2]) >> 2
                    self.updates += 1
        ex = gait.mean_x
        ey = gait.mean_y
        ez = gait.mean_z
        # A mean beyond 0.125 g (a bias of 2.9 deg/s) is a start, a jog or a bump.
        if jogs or not (-128 < ex < 128 and -128 < ey < 128 and -128 < ez < 128):
            return
        x, y, z = tilt.g
        x >>= 6
        y >>= 6
        z >>= 6
        bias = tilt.bias
        k = self._ix + ((y * ez - z * ey) >> 14) * _DRIFT_MUL
        self._ix = k & 1023
        bias[0] = _held(bias[0] + (k >> 10))
        k = self._iy + ((z * ex - x * ez) >> 14) * _DRIFT_MUL
        self._iy = k & 1023
        bias[1] = _held(bias[1] + (k >> 10))
        k = self._iz + ((x * ey - y * ex) >> 14) * _DRIFT_MUL
        self._iz = k & 1023
        bias[2] = _held(bias[2] + (k >> 10))
