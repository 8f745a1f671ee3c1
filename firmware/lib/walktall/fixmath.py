"""Integer arithmetic for 31-bit small ints: square root and arc tangent. No intermediate leaves -2^30 .. 2^30 - 1.

It does no floating point and no angles finer than a centidegree: the sensor's own accuracy in gait is about 3°.
"""


def clamp(value, low, high):
    """`value` held between `low` and `high`."""
    if value < low:
        return low
    if value > high:
        return high
    return value


def isqrt(n):
    """The integer square root, floor(sqrt(n)), for 0 <= n < 2^30.

    Newton's iteration from above (a power of two not below the root): it falls until it no longer does, 3 to 6 rounds.
    """
    if n < 2:
        return n
    root = 2
    k = n >> 2
    while k:
        root <<= 1
        k >>= 2
    while True:
        better = (root + n // root) >> 1
        if better >= root:
            return root
        root = better


def atan2_cdeg(y, x):
    """The angle of (x, y), in centidegrees, -18000 .. 18000; 0 for (0, 0). |x|, |y| < 2^30.

    Octant reduction and the polynomial of Abramowitz & Stegun 4.4.49 in Q15 (max error 0.01° here).
    """
    ay = -y if y < 0 else y
    ax = -x if x < 0 else x
    # As many places as it takes for both to stay below 2^14, in few steps.
    if ay > 1048575 or ax > 1048575:
        ay >>= 7
        ax >>= 7
    if ay > 131071 or ax > 131071:
        ay >>= 4
        ax >>= 4
    while ay > 16383 or ax > 16383:
        ay >>= 1
        ax >>= 1
    if ay > ax:
        ratio = (ax << 15) // ay
    elif ax:
        ratio = (ay << 15) // ax
    else:
        return 0
    if ratio > 32767:
        ratio = 32767  # at 45 degrees its square would be 2^30: no small int
    r2 = ratio * ratio >> 15
    # 0.9998660, -0.3302995, 0.1801410, -0.0851330, 0.0208351 in Q15
    p = 683 * r2 >> 15
    p = (p - 2790) * r2 >> 15
    p = (p + 5903) * r2 >> 15
    p = (p - 10823) * r2 >> 15
    p = (p + 32764) * ratio >> 15
    angle = (p * 5730 + 16384) >> 15
    if ay > ax:
        angle = 9000 - angle
    if x < 0:
        angle = 18000 - angle
    return -angle if y < 0 else angle


def log2_q8(n):
    """log2(n) in 1/256, for 1 <= n < 2^30; 0 for n < 1. Linear between powers of two (at most 22/256 low)."""
    if n < 1:
        return 0
    k = 0
    m = n
    if m >= 65536:
        m >>= 16
        k = 16
    if m >= 256:
        m >>= 8
        k += 8
    if m >= 16:
        m >>= 4
        k += 4
    if m >= 4:
        m >>= 2
        k += 2
    if m >= 2:
        k += 1
    if k >= 8:
        return (k << 8) + (n >> (k - 8)) - 256
    return (k << 8) + (n << (8 - k)) - 256
