"""Noise and mutated requests to the whole device: `step()` feeds some 2 KB and tells what it came to.

`step` is called from outside, so that the machine can collect: it cannot while Python runs. What it prints: bytes fed
so far, bytes of heap in use as the step began, faults, frames dropped, frames answered.
"""

import gc

from bus_of_bytes import BusOfBytes
from kit import Chance
from parts import Bank, Clock, File, Motor, no_sleep, some_bytes
from walktall import wire
from walktall.device import Device
from walktall.hw.imu import Imu

BYTES_A_STEP = 2000
_MOST = 24  # requests begun to be fed at once


class Port:
    """Gives from a standing buffer and takes without keeping; counts the zeros, two of which are a frame."""

    connected = True

    def __init__(self):
        self.given = bytearray(4096)
        self.at = 0
        self.n = 0
        self.zeros = 0

    @property
    def in_waiting(self):
        return self.n - self.at

    def readinto(self, buf):
        n = min(len(buf), self.n - self.at)
        for i in range(n):
            buf[i] = self.given[self.at + i]
        self.at += n
        return n

    def write(self, buf):
        for i in range(len(buf)):
            if not buf[i]:
                self.zeros += 1
        return len(buf)


STANDING_FROM, STANDING_TO = 52, 260  # of the vector

chance = Chance(7)
clock = Clock(5000)
port = Port()
bus = BusOfBytes(False, "walk")
device = Device(
    Imu(lambda: bus, sleep=no_sleep),
    Motor(),
    (Bank(), Bank()),
    port,
    clock.ticks_ms,
    random_bytes=some_bytes,
    trace_file=File(512),
)
while device.link is None:
    device.poll()
fed = [0]
owed = [0]  # samples, in 1/1000


def poll():
    """Ten milliseconds of standing still."""
    clock.advance(10)
    owed[0] += 520
    if owed[0] >= 1000:
        owed[0] -= 1000
        bus.level += 1
        if bus.next + bus.level >= STANDING_TO:
            bus.next = STANDING_FROM
    device.poll()


def put(data):
    for i in range(len(data)):
        port.given[port.n] = data[i]
        port.n += 1


def one():
    """A request, whole or changed, or noise."""
    kind = 1 + chance.below(wire.N_KINDS)
    if kind in (wire.MAINTENANCE, wire.RAW, wire.SETTINGS_SET):
        kind = wire.HELLO  # these change what is kept, and with it the heap in use
    body = bytearray(chance.below(12))
    for i in range(len(body)):
        body[i] = chance.below(256) if kind != wire.FORMAT or i > 3 else 0
    if kind == wire.CLOCK and len(body) > 3:
        body[3] &= 0x3F
    frame = bytearray(wire.encode(kind, chance.below(30000), body))
    what = chance.below(4)
    if what == 0:
        frame[chance.below(len(frame))] = chance.below(256)
    elif what == 1:
        frame = bytearray(chance.below(200))
        for i in range(len(frame)):
            frame[i] = chance.below(256)
    put(frame)


def step():
    # What the machine could free since the last step it has freed.
    used = gc.mem_alloc()
    begun = fed[0]
    while fed[0] - begun < BYTES_A_STEP:
        port.at = port.n = 0
        for _ in range(_MOST):
            one()
            if port.n > 3500:
                break
        fed[0] += port.n
        for _ in range(400):
            poll()
            if port.at == port.n and not device.link.busy:
                break
    put(b"\0")
    put(wire.encode(wire.LIVE, 30001, b"\0"))  # nobody listens while it is weighed
    for _ in range(20):
        poll()
    gc.collect()
    print(fed[0], used, device.errors + device.link.faults, device.link.bad_frames, port.zeros // 2)
