"""Heap in use after each visit of a computer: what is loaded for it is let go as `code.py` does.

`step` is called from outside, one visit each time, so that the machine collects in between.
"""

import gc
import sys

from parts import Bank, Clock, File, Motor, Nobody, NoPort, no_sleep, some_bytes
from walktall.device import Device
from walktall.hw import let_go
from walktall.hw.imu import Imu

VISIT = ["walktall." + name for name in "visit telling link sending frames answers selftest".split()]
HELLO = b"\x00\x04\x01\x01\x01\x05\x0f\xe3\x21\x81\x00"


class Port(NoPort):
    """Says HELLO once, and takes what comes."""

    def __init__(self):
        self.connected = False
        self.in_waiting = 0
        self.taken = 0

    def readinto(self, buf):
        n = self.in_waiting
        self.in_waiting = 0
        for i in range(n):
            buf[i] = HELLO[i]
        return n

    def write(self, buf):
        self.taken += len(buf)
        return len(buf)


class Driver:
    """Sets nothing: the chip is nobody."""

    def __init__(self, bus, address):
        pass


port = Port()
clock = Clock(1000)
device = Device(
    Imu(Nobody, sleep=no_sleep, drivers=(Driver, Driver)),
    Motor(),
    (Bank(), Bank()),
    port,
    clock.ticks_ms,
    random_bytes=some_bytes,
    trace_file=File(1024),
)


def turns(n, ms):
    for _ in range(n):
        clock.advance(ms)
        device.poll()


def step():
    gc.collect()
    print(gc.mem_alloc(), port.taken, device.visit is None, "walktall.link" in sys.modules)
    port.connected = True
    turns(6, 20)
    port.in_waiting = len(HELLO)
    port.taken = 0
    turns(20, 20)
    port.connected = False
    turns(30, 500)
    let_go(sys.modules, *VISIT)
