"""Heap that importing and making the device takes, step by step, as `code.py` goes about it; banks left out (flash).

`step` is called from outside, because the machine collects only between calls. Each call prints the bytes in use before
(collected), those at the most while it was done, those after (with all the garbage of compiling, which a board collects
in between), and the name of what was done. The parser frees its tree by name, so that it is no garbage: sources are
read through `Reader`, which looks at the heap with each piece and so sees the tree grow. One line tells of the names
(qstr) that all the code has brought in.
"""

import gc
import io
import os
import sys

import micropython
import vfs
from parts import Bank, Clock, Motor, Nobody, NoPort, no_sleep, some_bytes

top = [0]


class Reader(io.IOBase):
    """A source that is being compiled."""

    def __init__(self, file):
        self.file = file

    def readinto(self, buf):
        n = self.file.readinto(buf)
        used = gc.mem_alloc()
        if used > top[0]:
            top[0] = used
        return n

    def ioctl(self, request, argument):
        if request == 4:  # close
            self.file.close()
        return 0


class Sources:
    """A file system over /lib."""

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        pass

    def open(self, path, mode):
        return Reader(open("/lib" + path, "rb"))

    def stat(self, path):
        return os.stat("/lib" + path)

    def chdir(self, path):
        pass

    def getcwd(self):
        return "/"


class Nothing:
    """Stands for a module of CircuitPython."""


class Visitor(NoPort):
    """A computer is there, and says nothing."""

    connected = False


# As `code.py` goes about it, each module compiled by a step of its own: nobody imports what has not been there.
# Parts of all boards: a driver chip's motor and the LSM6DSOX's FIFO, which the reference board lacks, too.
FIRST = (
    "code.py retained boards hw hw.start hw.motor hw.haptic hw.imu hw.tagged hw.pins hw.banks hw.power hw.light "
    "hw.wallclock"
).split()
MODULES = (
    "events ticks fixmath packing limits slots rows tilt gait motion "
    "calibrate buttons supply coach detector buzz session chain journal trace resume wearing sensing device"
).split()
VISIT = "answers frames sending link telling visit".split()
# What `code.py` lets go, and when.
LET_GO = {
    "driver gone": ("adafruit_lsm6ds", "adafruit_register", "adafruit_bus_device"),
    "start gone": ("walktall.hw.start", "walktall.boards"),
    "resume gone": ("walktall.resume",),
    "visit gone": ["walktall." + name for name in VISIT] + ["walktall.selftest"],
}


def meet_sensor():
    """Import the driver, and start a sensor by it."""
    from walktall.hw.imu import Imu

    imu = Imu(Nobody, sleep=no_sleep)
    imu.start()
    kept.append(imu)


def make_device():
    from walktall.device import Device

    device = Device(kept[-1], Motor(), banks, port, clock.ticks_ms, random_bytes=some_bytes)
    kept.append(device)
    device.poll()


def be_visited():
    device = kept[-1]
    port.connected = True
    while device.visit is None:
        device.poll()
    device.poll()


def be_left():
    device = kept[-1]
    port.connected = False
    for _ in range(20):
        clock.advance(1000)
        device.poll()
    assert device.visit is None


def step():
    gc.collect()
    at = state[0]
    state[1] ^= 1
    if at == len(names) or not state[1]:
        return  # every second call only lets the machine collect
    state[0] = at + 1
    name = names[at]
    before = gc.mem_alloc()
    top[0] = 0
    if name == "code.py":
        with open("/drive/code.py") as file:
            kept.append(compile(file.read(), name, "exec"))
    elif name == "bus_device":
        __import__("adafruit_bus_device.i2c_device")
    elif name == "driver":
        meet_sensor()
    elif name == "device made":
        make_device()
    elif name == "visit made":
        be_visited()
    elif name in LET_GO:
        if name == "visit gone":
            be_left()
        sys.modules["walktall.hw"].let_go(sys.modules, *LET_GO[name])
    elif name != "nothing":
        __import__("walktall." + name)
    after = gc.mem_alloc()
    # What was made of the tree stands beside it at last; what a step leaves is at least that.
    print(before, max(after, top[0] + after - before if top[0] else 0), after, name)
    if name == "resume gone":
        micropython.qstr_info()


for name in ("board", "microcontroller", "supervisor"):
    sys.modules[name] = Nothing()
os.mkdir("/sources")
vfs.mount(Sources(), "/sources")
sys.path[sys.path.index("/lib")] = "/sources"
banks = (Bank(), Bank())
port = Visitor()
clock = Clock(1)
kept = []
state = [0, 0]
names = (
    ["nothing"]
    + FIRST
    + ["bus_device", "driver", "driver gone", "start gone"]
    + MODULES
    + ["device made", "resume gone"]
    + VISIT
    + ["visit made", "selftest", "visit gone", "nothing"]
)
