"""Heap that importing and making the device takes, step by step; banks left out, which are flash.

`step` is called from outside, because the machine collects only between calls. Each call prints the bytes in use before
(collected), those after (with all the garbage of compiling, which a board collects in between: its peak lies below),
and the name of what was done. One line tells of the names (qstr) that all the code has brought in.
"""

import gc
import sys

import micropython
from parts import Bank, Clock, Motor, Nobody, NoPort, no_sleep, some_bytes

# As `code.py` goes about it, each module compiled by a step of its own: nobody imports what has not been there.
FIRST = "code.py retained boards hw hw.motor hw.imu bus_device driver".split()
MODULES = (
    "hw.banks hw.power hw.light hw.wallclock events ticks fixmath packing limits slots frames rows tilt gait motion "
    "calibrate buttons supply coach detector buzz session chain journal trace link device"
).split()
# What `code.py` lets go, and when.
LET_GO = {
    "driver gone": ("adafruit_lsm6ds", "adafruit_register", "adafruit_bus_device"),
    "boards gone": ("walktall.boards",),
}


def meet_sensor():
    """Import the driver, and start a sensor by it."""
    from walktall.hw.imu import Imu

    imu = Imu(Nobody, sleep=no_sleep)
    imu.start()
    kept.append(imu)


def make_device():
    from walktall.device import Device

    device = Device(kept[-1], Motor(), banks, NoPort(), Clock(1).ticks_ms, random_bytes=some_bytes)
    kept.append(device)
    device.poll()


def step():
    gc.collect()
    at = state[0]
    state[1] ^= 1
    if at == len(names) or not state[1]:
        return  # every second call only lets the machine collect
    state[0] = at + 1
    name = names[at]
    before = gc.mem_alloc()
    if name == "code.py":
        with open("/drive/code.py") as file:
            kept.append(compile(file.read(), name, "exec"))
    elif name == "bus_device":
        __import__("adafruit_bus_device.i2c_device")
    elif name == "driver":
        meet_sensor()
    elif name == "device made":
        make_device()
    elif name in LET_GO:
        sys.modules["walktall.hw"].let_go(sys.modules, *LET_GO[name])
    elif name != "nothing":
        __import__("walktall." + name)
    peak = gc.mem_alloc()
    print(before, peak, name)
    if name == "boards gone":
        micropython.qstr_info()


banks = (Bank(), Bank())
kept = []
state = [0, 0]
names = ["nothing"] + FIRST + ["driver gone"] + MODULES + ["device made", "boards gone", "selftest", "nothing"]
