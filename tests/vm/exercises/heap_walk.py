"""Heap taken from the FIFO's bytes through the chain to the motor's duty, under heap_lock. Prints what was walked.

The driver is the real one; the walk is long enough for faults, buzzes, seconds and a session that fills.
"""

import gc

from bus_of_bytes import BusOfBytes
from micropython import heap_lock, heap_unlock
from walktall import events, rows
from walktall import limits as settings
from walktall.buzz import Buzz
from walktall.chain import Chain
from walktall.hw.imu import Imu
from walktall.motion import views_of
from walktall.supply import Supply
from walktall.ticks import ticks_add


def no_sleep(seconds):
    pass


def one_burst(imu, views, supply, chain, buzz, now_ms):
    """What a poll does with a burst: bytes to duty."""
    supply.elapse(now_ms)
    n = imu.drain()
    missing = supply.receive(n, imu.overrun)
    if missing:
        chain.missed(missing)
    counts = imu.counts
    at = 0
    while n:
        believed = supply.believe(counts, 6 * at, n)
        n -= believed
        while believed:
            taken = chain.burst(views, at, believed)
            believed -= taken
            at += taken
        if n:
            n -= 1
            at += 1
            chain.missed(1)
    if chain.buzz_request:
        duty = buzz.start(chain.buzz_request, now_ms, 40000)
        chain.buzz_request = 0
        return duty
    return buzz.step(now_ms)


def measure(name, tagged):
    bus = BusOfBytes(tagged, name)
    imu = Imu(lambda: bus, sleep=no_sleep)
    imu.start()
    views = views_of(imu.counts)
    chain = Chain(settings.Settings())
    chain.session.start(1, 1, 0, 0, 4000)
    chain.set_upright(0, 8197, 0, 0, 0, 0, 90)
    chain.rows = rows.RowWriter()
    chain.rows.take(1)
    supply = Supply()
    buzz = Buzz()
    supply.begin(0)
    now_ms = 0
    used = 0
    most = 0
    duties = 0
    seen = 0
    gc.collect()
    while bus.more(13):
        now_ms = ticks_add(now_ms, 250)
        if chain.rows.at > 400:
            chain.rows.begin(rows.HEADER_BYTES, rows.CRC_AT)
        before = gc.mem_alloc()
        heap_lock()
        try:
            duty = one_burst(imu, views, supply, chain, buzz, now_ms)
        finally:
            heap_unlock()
        taken = gc.mem_alloc() - before
        used += taken
        if taken > most:
            most = taken
        if duty:
            duties += 1
        while chain.ring.take():
            seen |= 1 << chain.ring.code
    print(name, chain.n_samples, used, most, duties, seen, 1 if seen & (1 << events.BUZZ) else 0)


measure("walk", False)
measure("extreme", True)
measure("corners", False)
