"""Heap taken by each turn of the ordinary `Device.poll()` over a walk, with the real driver on a bus of bytes.

Prints for each chip: samples, polls, bytes in all turns, the most in one turn, motor edges, whether it buzzed, faults,
blocks of the trace, the most bytes of a turn that wrote one. Turns are counted from the first that finds a session
open: starting the sensor and opening a session may allocate, and so may writing a block (its CRC is no small int).
"""

import gc

from bus_of_bytes import BusOfBytes
from micropython import heap_lock, heap_unlock
from parts import Bank, Clock, File, Motor, NoPort, no_sleep, some_bytes
from walktall import events
from walktall.device import Device
from walktall.hw.imu import Imu


def measure(tagged):
    bus = BusOfBytes(tagged, "walk")
    clock = Clock(1000)
    motor = Motor()
    device = Device(
        Imu(lambda: bus, sleep=no_sleep),
        motor,
        (Bank(), Bank()),
        NoPort(),
        clock.ticks_ms,
        random_bytes=some_bytes,
        trace_file=File(144),
    )
    device.poll()
    device.chain.set_upright(0, 8197, 0, 0, 0, 0, 90)
    used = 0
    most = 0
    polls = 0
    gathered = 0
    seen = 0
    blocks = 0
    block_most = 0
    while True:
        wait = device.wait_ms()
        if wait < 1:
            wait = 1
        clock.advance(wait)
        gathered += wait * 52
        if not bus.more(gathered // 1000):
            break
        gathered %= 1000
        if not device.session.open:
            device.poll()
            continue
        polls += 1
        block = device.trace.next_block
        due = device.trace.rows.at > 300  # a block may be full in this turn
        before = gc.mem_alloc()
        if not due:
            heap_lock()
        try:
            device.poll()
        finally:
            if not due:
                heap_unlock()
        taken = gc.mem_alloc() - before
        if device.trace.next_block != block:
            blocks += 1
            if taken > block_most:
                block_most = taken
            continue
        used += taken
        if taken > most:
            most = taken
        while device.ring.take():
            seen |= 1 << device.ring.code
    buzzed = 1 if seen & (1 << events.BUZZ) else 0
    print("walk", device.chain.n_samples, polls, used, most, motor.edges, buzzed, device.errors, blocks, block_most)


measure(False)
measure(True)
