"""What the whole device takes of the heap: code, driver, journal's image, buffers; not the banks, which are flash.

`step` is called from outside four times, so that the machine can collect what compiling has left: before, making,
after, after.
"""

import gc

from parts import Bank, Clock, Motor, NoPort, no_sleep, some_bytes

banks = (Bank(), Bank())
kept = [0, None]


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


def step():
    gc.collect()
    used = gc.mem_alloc()
    if kept[0] == 0:
        kept[0] = used
    elif kept[1] is None:
        from walktall.device import Device
        from walktall.hw.imu import Imu

        imu = Imu(Nobody, sleep=no_sleep)
        kept[1] = Device(imu, Motor(), banks, NoPort(), Clock(1).ticks_ms, random_bytes=some_bytes)
        kept[1].poll()
    else:
        print(used - kept[0])
