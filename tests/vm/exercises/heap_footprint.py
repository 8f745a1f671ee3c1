"""What the whole device takes of the heap: code, driver, journal's image, buffers; not the banks, which are flash.

`step` is called from outside four times, so that the machine can collect what compiling has left: before, making,
after, after.
"""

import gc

from parts import Bank, Clock, Motor, Nobody, NoPort, no_sleep, some_bytes

banks = (Bank(), Bank())
kept = [0, None]


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
