"""Wrap-safe milliseconds, as `supervisor.ticks_ms()` counts them: 0 .. 2^29 - 1, then 0 again.

The first wrap comes about 65 s after power-on, so nothing may compare two readings with `<`.
"""

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


PERIOD = const(1 << 29)
_MASK = const((1 << 29) - 1)
_HALF = const(1 << 28)


def ticks_add(ticks_ms, delta_ms):
    """The reading `delta_ms` after (or before, when negative) `ticks_ms`."""
    return (ticks_ms + delta_ms) & _MASK


def ticks_diff(later_ms, earlier_ms):
    """Milliseconds from `earlier_ms` to `later_ms`, right while they lie within 2^28 ms (74 h) of each other."""
    diff = (later_ms - earlier_ms) & _MASK
    return diff - PERIOD if diff >= _HALF else diff
