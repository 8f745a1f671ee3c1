"""Samples into gravity and gait: the inner loop, with all of its state in locals.

Samples come 52 times a second and are taken by four. Gravity is turned by the rates of two and two (26 Hz); the pull of
the accelerometer, energy, steps and autocorrelation take the mean force of the four (13 Hz). What is computed stands
where its state is: gravity in `tilt`, the rest in `gait`. Here they are one loop over a burst, because looking up an
attribute costs an interpreter more than the arithmetic done with it.

A group may lie across bursts and ticks: what it has so far waits in `tilt`. So a burst broken anywhere gives the same.

It decides nothing: `gait` does, once a tick.
"""

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


# Gravity (`tilt` says where these come from; a test holds what both have to the same values).
_K = const(5)
# The rotation of a pair by one quarter count of bias, twice: 17.5 mdps / 2 / 52 Hz = 2.936850e-6 rad, in 2^-16 rad:
# 0.1924694 = 6307 / 2^15 (0.002 % high). By one count of the pair's sum it is twice that.
_RATE_MUL = const(6307)
_SUM_MUL = const(12614)

# Gait.
_KNOCK = const(1024)  # 1 g, in 1/1024 g
_LAG_MIN = const(4)
_LAG_MAX = const(16)
_HISTORY = const(16)
_SQ_MASK = const(0x1FFFFFFF)
_SMOOTH = const(5)  # of 16, twice: -3 dB at 1.0 Hz, a quarter is left at 2.75 Hz


def views_of(counts):
    """For each sample of an array a view of it and of the three behind it. Indices within a view are constants: `take`
    spares an addition a count.

    :param array counts: six a sample as the FIFO has them: angular rate x, y, z (17.5 mdps a count), specific force x,
        y, z (8197 counts = 1 g)
    """
    whole = memoryview(counts)
    views = []
    for at in range(0, len(counts), 6):
        views.append(whole[at : at + 24])
    return views


def take(tilt, gait, views, at, n, use_accel):
    """Take `n` samples from the one at `at` on. No more than a tick's 13 at a time, and `tilt.renormalise` behind them:
    else the length of gravity may run away, and products out of the small ints.

    :param list views: `views_of` samples
    :param int use_accel: 0 while the motor shakes the sensor: the gyroscope alone carries g, and gait waits
    """
    # An interpreter has the first sixteen variables closest at hand: those that are used most.
    gx, gy, gz = tilt.g
    x = gx >> 8
    y = gy >> 8
    z = gz >> 8
    k = 0
    f1, low, up, extreme = gait._wave
    g = tilt.g
    phase = tilt._phase
    pull = use_accel
    if phase:
        # What the last burst left.
        wx, wy, wz, ax, ay, az, ux, uy, uz, cx, cy, cz, felt = tilt._part
        if not felt:
            pull = 0
    young = tilt._shift < _K
    bx, by, bz = tilt.bias
    bx = bx * _RATE_MUL - 16384
    by = by * _RATE_MUL - 16384
    bz = bz * _RATE_MUL - 16384
    sx, sy, sz, n_groups = tilt.sums
    sq, mx, my, mz, n_felt = gait._sums
    n_felt -= n_groups
    age = gait._age
    hysteresis = gait._hysteresis
    doubt = gait._doubt
    still = gait.still
    while n:
        if not phase and n > 3:
            four = views[at]
            wx = four[0] + four[6]
            wy = four[1] + four[7]
            wz = four[2] + four[8]
            ax = four[3] + four[9]
            ay = four[4] + four[10]
            az = four[5] + four[11]
            ux = four[12] + four[18]
            uy = four[13] + four[19]
            uz = four[14] + four[20]
            cx = four[15] + four[21]
            cy = four[16] + four[22]
            cz = four[17] + four[23]
            at += 4
            n -= 4
        else:
            if not phase:
                wx = wy = wz = ax = ay = az = ux = uy = uz = cx = cy = cz = 0
            while n and phase < 4:
                four = views[at]
                if phase < 2:
                    wx += four[0]
                    wy += four[1]
                    wz += four[2]
                    ax += four[3]
                    ay += four[4]
                    az += four[5]
                else:
                    ux += four[0]
                    uy += four[1]
                    uz += four[2]
                    cx += four[3]
                    cy += four[4]
                    cz += four[5]
                at += 1
                n -= 1
                phase += 1
            if phase < 4:
                break
            phase = 0
        if still:
            # The gyroscope's bias shows where nobody moves.
            rate = tilt.rate
            rate[0] += wx + ux
            rate[1] += wy + uy
            rate[2] += wz + uz
        # The rotation of the first two, less the bias, 2^-16 rad: below 2^15.
        wx = (wx * _SUM_MUL - bx) >> 15
        wy = (wy * _SUM_MUL - by) >> 15
        wz = (wz * _SUM_MUL - bz) >> 15
        # In the sensor's frame a fixed vector turns by -w: g' = g + g x w, an axis after the other, each from what the
        # ones before it have become. y and z are g's since the turn before.
        gx += (y * wz - z * wy) >> 8
        x = gx >> 8
        gy += (z * wx - x * wz) >> 8
        y = gy >> 8
        gz += (x * wy - y * wx) >> 8
        # In the middle of the group: the pull toward its mean force (Q15). What it does to the length of g, each tick
        # mends.
        if pull:
            if young and not tilt._young:
                tilt.meet(ax + cx, ay + cy, az + cz)
                gx, gy, gz = tilt.g
            ex = ax + cx - (gx >> 5)
            ey = ay + cy - (gy >> 5)
            ez = az + cz - (gz >> 5)
            if young:
                g[0] = gx
                g[1] = gy
                g[2] = gz
                young = tilt.grow(ex, ey, ez)
                gx, gy, gz = tilt.g
            else:
                # A gain of 2^-5 into Q20.
                gx += ex
                gy += ey
                gz += ez
        sx += gx
        sy += gy
        sz += gz
        n_groups += 1
        # The force along g of two and two, 1/8192 g.
        x = gx >> 8
        y = gy >> 8
        z = gz >> 8
        v = (ax * x + ay * y + az * z) >> 13
        r = (cx * x + cy * y + cz * z) >> 13
        # The rotation of the other two, the axes in the other order: what is wrong to second order in one is undone.
        wx = (ux * _SUM_MUL - bx) >> 15
        wy = (uy * _SUM_MUL - by) >> 15
        wz = (uz * _SUM_MUL - bz) >> 15
        gz += (x * wy - y * wx) >> 8
        z = gz >> 8
        gy += (z * wx - x * wz) >> 8
        y = gy >> 8
        gx += (y * wz - z * wy) >> 8
        if not pull:
            pull = use_accel
            n_felt -= 1
            continue
        pull = use_accel

        # ---- gait: energy of the linear acceleration, 1/1024 g ----
        ex >>= 5
        ey >>= 5
        ez >>= 5
        k = ex * ex + ey * ey + ez * ez
        if k < _KNOCK * _KNOCK:
            sq += k
            mx += ex
            my += ey
            mz += ez
        else:
            # A knock of the clip at a footfall is short; a jog is broad. 1 g of either is enough.
            ex = ex if -_KNOCK < ex < _KNOCK else (_KNOCK if ex > 0 else -_KNOCK)
            ey = ey if -_KNOCK < ey < _KNOCK else (_KNOCK if ey > 0 else -_KNOCK)
            ez = ez if -_KNOCK < ez < _KNOCK else (_KNOCK if ez > 0 else -_KNOCK)
            sq += ex * ex + ey * ey + ez * ez
            mx += ex
            my += ey
            mz += ez

        # ---- steps (26 Hz, 1/8192 g): two poles twice, then peaks that stand out of the trough before them ----
        f1 += (v - f1) * _SMOOTH >> 4
        low += (f1 - low) * _SMOOTH >> 4
        k = low
        f1 += (r - f1) * _SMOOTH >> 4
        low += (f1 - low) * _SMOOTH >> 4
        age += 2
        if up:
            if k > extreme:
                extreme = k
                gait._ext_age = age - 1
            if low > extreme:
                extreme = low
                gait._ext_age = age
            else:
                if low < k:
                    k = low
                if k < extreme - hysteresis:
                    up = 0
                    gait._age = age
                    gait.candidate(extreme - gait._trough)
                    age = gait._age
                    hysteresis = gait._hysteresis
                    doubt = gait._doubt
                    extreme = k
        else:
            if k < extreme:
                extreme = k
            if low < extreme:
                extreme = low
            else:
                if low > k:
                    k = low
                if k > extreme + hysteresis:
                    up = 1
                    gait._trough = extreme
                    extreme = k
                    gait._ext_age = age if k == low else age - 1

        # ---- autocorrelation of the vertical part, 1/1024 g, less its running mean of 1.2 s: only in doubt ----
        if doubt:
            v = (v + r - 16384) >> 4
            k = gait._mean
            k += ((v << 4) - k) >> 4
            gait._mean = k
            v -= k >> 4
            if v > 2047:
                v = 2047
            elif v < -2047:
                v = -2047
            newest = gait._h_at
            history = gait._history
            corr = gait._corr
            k = v << 3
            for lag in range(_LAG_MIN, _LAG_MAX + 1):
                r = corr[lag]
                corr[lag] = r + ((k * history[newest - lag] - r) >> 5)
            history[newest] = v
            gait._h_at = (newest + 1) % _HISTORY

    g[0] = gx
    g[1] = gy
    g[2] = gz
    tilt._phase = phase
    if phase:
        part = tilt._part
        part[0] = wx
        part[1] = wy
        part[2] = wz
        part[3] = ax
        part[4] = ay
        part[5] = az
        part[6] = ux
        part[7] = uy
        part[8] = uz
        part[9] = cx
        part[10] = cy
        part[11] = cz
        part[12] = pull
    sums = tilt.sums
    sums[0] = sx
    sums[1] = sy
    sums[2] = sz
    sums[3] = n_groups
    # Where the motor shook all of it, gait has nothing new.
    n_felt += n_groups
    sums = gait._sums
    if n_felt != sums[4]:
        sums[0] = sq & _SQ_MASK
        sums[1] = mx
        sums[2] = my
        sums[3] = mz
        sums[4] = n_felt
        wave = gait._wave
        wave[0] = f1
        wave[1] = low
        wave[2] = up
        wave[3] = extreme
        gait._age = age
