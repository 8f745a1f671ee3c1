"""The heap over a day of the whole device, minute by minute: `step()` is one simulated minute.

Five minutes an hour somebody walks while it is worn (12 hours), then come the charger's 12 hours; where nobody walks
the sensor waits for motion, and every tenth minute something nudges it. `step` is called from outside, so that the
machine can collect: it cannot while Python runs. What it prints every ten minutes: minute, bytes in use after
collecting, seconds dozed so far, buzzes, faults, records.
"""

import gc

from bus_of_bytes import BusOfBytes
from parts import Bank, Clock, File, Motor, NoPort, no_sleep, some_bytes
from walktall import events
from walktall.device import Device
from walktall.hw.imu import Imu

WORN_MINUTES = 12 * 60
WALK_EVERY = 60  # minutes
WALK_FOR = 5


class Power:
    """A charger."""

    battery_mv = 3900
    charging = False
    usb = False


bus = BusOfBytes(False, "walk")
clock = Clock((1 << 29) - 100000)
power = Power()
walking = bus.counts
standing_from, standing_to = 52, 260  # of the vector: nobody walks yet
device = Device(
    Imu(lambda: bus, sleep=no_sleep),
    Motor(),
    (Bank(), Bank()),
    NoPort(),
    clock.ticks_ms,
    power=power,
    random_bytes=some_bytes,
    trace_file=File(512),
)
device.poll()
device.chain.set_upright(0, 8197, 0, 0, 0, 0, 90)
# minutes, seconds dozed, buzzes, samples owed in 1/1000
kept = [0, 0, 0, 0]


def minute(walks, nudged):
    end = 60000
    while end > 0:
        wait = device.wait_ms()
        if wait < 1:
            wait = 1
        clock.advance(wait)
        end -= wait
        if device._dozing == 1:
            kept[1] += 1
            kept[3] = 0
            bus.level = 0
            bus.registers[0x1B] = 8 if walks or (nudged and end < 30000) else 0
            nudged = nudged and end >= 30000
        else:
            kept[3] += wait * 52
            n = kept[3] // 1000
            kept[3] %= 1000
            bus.level += n
            last = bus.n_samples if walks else standing_to
            if bus.next + bus.level >= last:
                bus.next = standing_to if walks else standing_from
                if bus.level > 40:
                    bus.level = 40
        device.poll()
        while device.ring.take():
            if device.ring.code == events.BUZZ:
                kept[2] += 1


def step():
    at = kept[0]
    worn = at < WORN_MINUTES
    power.charging = not worn
    minute(worn and at % WALK_EVERY < WALK_FOR, at % 10 == 9)
    gc.collect()
    kept[0] += 1
    if kept[0] % 10 == 0:
        print(kept[0], gc.mem_alloc(), kept[1], kept[2], device.errors, device.journal.count)
