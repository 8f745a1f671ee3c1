"""The desk: virtual chips, bus, flash, clock and port under the clip's own firmware; recordings; replay.

It imports ``walktall`` and ``adafruit_lsm6ds``, never ``walktall_host``.
"""
