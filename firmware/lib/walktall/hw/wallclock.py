"""The board's real-time clock, in seconds since 2020-01-01 UTC.

On nRF it survives a reset, but of one at its pin, by a lock-up or a short dip it may forget up to 512 s: `resume` sets
it right. On RP2040 each reset sets it back. Set back, or without its battery, it begins at some date of the past (2000,
2020 or 2021), which no walk can have; anything before the year of this firmware therefore reads as "not set".
"""

_EPOCH_UNIX_S = 1577836800  # 2020-01-01
# 2026-01-01 in seconds since 2020: no device with this firmware was worn before.
_EARLIEST_S = 189388800


class WallClock:
    """
    :param rtc: ``rtc.RTC()``
    :param time: the ``time`` module, for ``localtime`` and ``mktime`` (CircuitPython knows no zones: both are UTC)
    """

    def __init__(self, rtc, time):
        self._rtc = rtc
        self._time = time

    @property
    def utc_s(self):
        """Seconds since 2020-01-01 UTC, 0 when the clock was not set."""
        utc_s = self._time.mktime(self._rtc.datetime) - _EPOCH_UNIX_S
        return utc_s if utc_s >= _EARLIEST_S else 0

    @utc_s.setter
    def utc_s(self, utc_s):
        self._rtc.datetime = self._time.localtime(utc_s + _EPOCH_UNIX_S)
