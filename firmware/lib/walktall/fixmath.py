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

    Digit by digit in base 4 (Woo, "Square root by abacus algorithm", 1985): no division, at most 15 rounds.
    """
    bit = 1 << 28
    while bit > n:
        bit >>= 2
    root = 0
    while bit:
        if n >= root + bit:
            n -= root + bit
            root = (root >> 1) + bit
        else:
            root >>= 1
        bit >>= 2
    return root


def atan2_cdeg(y, x):
    """The angle of (x, y), in centidegrees, -18000 .. 18000; 0 for (0, 0). |x|, |y| < 2^30.

    Octant reduction and the polynomial of Abramowitz & Stegun 4.4.49 in Q15 (max error 0.01° here).
    """
    ay = -y if y < 0 else y
    ax = -x if x < 0 else x
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
    while n >> k > 1:
        k += 1
    if k >= 8:
        return (k << 8) + (n >> (k - 8)) - 256
    return (k << 8) + (n << (8 - k)) - 256
