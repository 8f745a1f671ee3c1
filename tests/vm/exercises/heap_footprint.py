"""What the whole device takes of the heap: code, driver, parts, journal.

`tell` is called from outside, so that the machine can collect what compiling has left.
"""

import gc

from parts import Bank, Clock, Motor, NoPort, no_sleep, some_bytes
from walktall.device import Device
from walktall.hw.imu import Imu


class Nobody:
    """A bus with a chip that answers its name and zeros."""

    def try_lock(self):
        return True

    def unlock(self):
        pass

    def deinit(self):
        pass

    def writeto(self, address, buffer, *, start=0, end=None):
        pass

    def writeto_then_readfrom(self, address, out, into, *, out_start=0, out_end=None, in_start=0, in_end=None):
        for i in range(in_start, len(into) if in_end is None else in_end):
            into[i] = 0
        if out[out_start] == 0x0F:
            into[in_start] = 0x6A


device = Device(
    Imu(Nobody, sleep=no_sleep),
    Motor(),
    (Bank(16 * 92), Bank(16 * 92)),
    NoPort(),
    Clock(1).ticks_ms,
    random_bytes=some_bytes,
)
device.poll()


def tell():
    gc.collect()
    print(gc.mem_alloc())
