"""Heap that importing and making the device takes, step by step; banks left out, which are flash.

`step` is called from outside, because the machine collects only between calls. Each call prints the bytes in use before
(collected), those after (with all the garbage of compiling, which a board collects in between: its peak lies below),
and the name of what was done. The last line tells of the names (qstr) that all the code has brought in.
"""

import gc
import sys

import micropython

from parts import Bank, Clock, Motor, NoPort, no_sleep, some_bytes

# In the order that each module is compiled by its own step: nobody imports what has not been there.
MODULES = (
    "events ticks fixmath retained boards hw hw.motor hw.banks hw.power hw.light hw.wallclock hw.imu "
    "packing limits slots frames tilt gait calibrate buttons supply coach detector buzz session chain journal link "
    "device"
).split()

LET_GO = ("adafruit_lsm6ds", "adafruit_register", "walktall.boards")


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


def make(kept):
    from walktall.device import Device
    from walktall.hw.imu import Imu

    imu = Imu(Nobody, sleep=no_sleep)
    kept.append(Device(imu, Motor(), banks, NoPort(), Clock(1).ticks_ms, random_bytes=some_bytes))
    kept[0].poll()


def step():
    gc.collect()
    at = state[0]
    state[1] ^= 1
    if at == len(names) or not state[1]:
        return  # every second call only lets the machine collect
    state[0] = at + 1
    name = names[at]
    before = gc.mem_alloc()
    if name == "bus_device":
        __import__("adafruit_bus_device.i2c_device")
    elif name == "driver":
        __import__("adafruit_lsm6ds.lsm6ds3trc")
        micropython.qstr_info()
    elif name == "device made":
        make(kept)
    elif name == "let go":
        # As `code.py` does once the sensor runs.
        sys.modules["walktall.hw"].let_go(sys.modules, *LET_GO)
    elif name != "nothing":
        __import__("walktall." + name)
    peak = gc.mem_alloc()
    print(before, peak, name)


banks = (Bank(), Bank())
kept = []
state = [0, 0]
names = ["nothing"] + MODULES + ["bus_device", "driver", "device made", "let go", "selftest", "nothing"]
