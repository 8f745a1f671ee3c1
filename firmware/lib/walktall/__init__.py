"""Walktall: the device. The same files run on CircuitPython, MicroPython and CPython.

The version is stated here and nowhere else: the wheel, the device's greeting and ``walktall --version`` read it.
"""

__version__ = "0.1.0"
