"""Samples into gravity and gait: the inner loop, 52 times a second, with all of its state in locals.

What it computes stands where its state is: gravity in `tilt`, energy, autocorrelation and the step counter in `gait`.
Here they are one loop over a burst, because looking up an attribute costs an interpreter more than the arithmetic done
with it: in one function the same operations take two thirds of the time.

It decides nothing: `gait` does, once a tick.
"""

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


# Gravity (`tilt` says where these come from; a test holds what both have to the same values).
_K = const(7)
_ONE = const(1 << 20)
# The rotation of one sample by one quarter count: 17.5 mdps / 4 / 52 Hz = 1.468425e-6 rad; from Q12 to Q20 that is
# 3.759168e-4 = 1577 / 2^22 (0.02 % high).
_RATE_MUL = const(1577)
# |g|^2 above which a Newton step would overshoot: (1.5)^2.
_LONG = const(2359296)

# Gait.
_KNOCK = const(256)  # 1 g, in 1/256 g
_LAG_MIN = const(4)
_LAG_MAX = const(16)
_HISTORY = const(16)
_SMOOTH = const(5)  # of 16, twice: -3 dB at 1.0 Hz, a quarter is left at 2.75 Hz


def take(tilt, gait, counts, at, n, use_accel):
    """Take up to `n` samples, six counts each as the FIFO has them (rate x, y, z; force x, y, z), from `counts[at]` on;
    how many were taken: one at a time while gravity is young.

    Rates are 17.5 mdps a count, forces 8197 counts a g; both -32768 .. 32767.

    :param int use_accel: 0 while the motor shakes the sensor: the gyroscope alone carries g, and gait waits
    """
    shift = tilt._shift
    if shift < _K:
        n = 1
        tilt.grow(counts[at + 3], counts[at + 4], counts[at + 5], use_accel)
    half = 1 << shift >> 1
    gx = tilt.gx
    gy = tilt.gy
    gz = tilt.gz
    px = tilt._wx
    py = tilt._wy
    pz = tilt._wz
    bx = tilt.bias_x
    by = tilt.bias_y
    bz = tilt.bias_z
    tx = ty = tz = 0
    sx = sy = sz = 0
    ex = tilt.ex
    ey = tilt.ey
    ez = tilt.ez
    sq = gait._sq
    mx = gait._sx
    my = gait._sy
    mz = gait._sz
    phase = gait._phase
    qx = gait._px
    qy = gait._py
    qz = gait._pz
    f1 = gait._f1
    f2 = gait._f2
    age = gait._age
    up = gait._up
    extreme = gait._ext
    for _ in range(n):
        rx = counts[at]
        ry = counts[at + 1]
        rz = counts[at + 2]
        tx += rx
        ty += ry
        tz += rz
        # Rate as the trapezoid's mean, in quarter counts, less the bias: below 2^17 + 2^12.
        x = ((px + rx) << 1) - bx
        y = ((py + ry) << 1) - by
        z = ((pz + rz) << 1) - bz
        px = rx
        py = ry
        pz = rz
        # In the sensor's frame a fixed vector turns by -w: g' = g + g x w. First to the midpoint, half a step.
        rx = gx >> 8
        ry = gy >> 8
        rz = gz >> 8
        hx = (gx + (((ry * z - rz * y + 2048) >> 12) * _RATE_MUL >> 11)) >> 8
        hy = (gy + (((rz * x - rx * z + 2048) >> 12) * _RATE_MUL >> 11)) >> 8
        hz = (gz + (((rx * y - ry * x + 2048) >> 12) * _RATE_MUL >> 11)) >> 8
        gx += (((hy * z - hz * y + 2048) >> 12) * _RATE_MUL + 512) >> 10
        gy += (((hz * x - hx * z + 2048) >> 12) * _RATE_MUL + 512) >> 10
        gz += (((hx * y - hy * x + 2048) >> 12) * _RATE_MUL + 512) >> 10
        if use_accel:
            x = (counts[at + 3] << 7) - gx
            y = (counts[at + 4] << 7) - gy
            z = (counts[at + 5] << 7) - gz
            ex = x >> 12
            ey = y >> 12
            ez = z >> 12
            gx += (x + half) >> shift
            gy += (y + half) >> shift
            gz += (z + half) >> shift
        at += 6
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
        sx += gx >> 6
        sy += gy >> 6
        sz += gz >> 6
        if not use_accel:
            continue

        # ---- gait: energy of the linear acceleration ----
        k = ex * ex + ey * ey + ez * ez
        if k < _KNOCK * _KNOCK:
            sq += k
            mx += ex
            my += ey
            mz += ez
        else:
            # A knock of the clip at a footfall is one sample of several g; a jog is broad. 1 g of either is enough.
            x = ex if -_KNOCK < ex < _KNOCK else (_KNOCK if ex > 0 else -_KNOCK)
            y = ey if -_KNOCK < ey < _KNOCK else (_KNOCK if ey > 0 else -_KNOCK)
            z = ez if -_KNOCK < ez < _KNOCK else (_KNOCK if ez > 0 else -_KNOCK)
            sq += x * x + y * y + z * z
            mx += x
            my += y
            mz += z
        phase += 1
        if phase & 1:
            qx = ex
            qy = ey
            qz = ez
            continue
        # 26 Hz: the vertical part of two samples, 1/512 g.
        x = gx >> 10
        y = gy >> 10
        z = gz >> 10
        v = ((ex + qx) * x + (ey + qy) * y + (ez + qz) * z) >> 10

        # ---- steps (26 Hz, 1/8192 g): two poles, then peaks that stand out of the trough before them ----
        f1 += ((v << 4) - f1) * _SMOOTH >> 4
        f2 += (f1 - f2) * _SMOOTH >> 4
        age += 1
        if up:
            if f2 > extreme:
                extreme = f2
                gait._ext_age = age
            elif f2 < extreme - gait._hysteresis:
                up = 0
                gait._age = age
                gait.candidate(extreme - gait._trough)
                age = gait._age
                extreme = f2
        elif f2 < extreme:
            extreme = f2
        elif f2 > extreme + gait._hysteresis:
            up = 1
            gait._trough = extreme
            extreme = f2
            gait._ext_age = age
        if phase < 4:
            gait._pv = v
            continue
        phase = 0

        # ---- autocorrelation (13 Hz): vertical part of four samples, 1/1024 g, less its running mean of 1.2 s ----
        v += gait._pv
        k = gait._mean
        k += ((v << 4) - k) >> 4
        gait._mean = k
        v -= k >> 4
        if v > 2047:
            v = 2047
        elif v < -2047:
            v = -2047
        history = gait._history
        corr = gait._corr
        newest = gait._h_at
        k = v << 3
        corr[0] += (k * v - corr[0]) >> 5
        for lag in range(_LAG_MIN, _LAG_MAX + 1):
            r = corr[lag]
            corr[lag] = r + ((k * history[newest - lag] - r) >> 5)
        history[newest] = v
        gait._h_at = (newest + 1) % _HISTORY
        # How far gravity's direction reaches within the tick.
        if x < gait._lx:
            gait._lx = x
        if x > gait._ux:
            gait._ux = x
        if y < gait._ly:
            gait._ly = y
        if y > gait._uy:
            gait._uy = y
        if z < gait._lz:
            gait._lz = z
        if z > gait._uz:
            gait._uz = z

    tilt.gx = gx
    tilt.gy = gy
    tilt.gz = gz
    tilt.ex = ex
    tilt.ey = ey
    tilt.ez = ez
    tilt._wx = px
    tilt._wy = py
    tilt._wz = pz
    tilt.n += n
    tilt.rate_x += tx
    tilt.rate_y += ty
    tilt.rate_z += tz
    tilt.sum_x += sx
    tilt.sum_y += sy
    tilt.sum_z += sz
    if use_accel:
        gait._n += n
        gait._sq = sq
        gait._sx = mx
        gait._sy = my
        gait._sz = mz
        gait._phase = phase
        gait._px = qx
        gait._py = qy
        gait._pz = qz
        gait._f1 = f1
        gait._f2 = f2
        gait._age = age
        gait._up = up
        gait._ext = extreme
    return n
