"""How much heap a drain of the FIFO takes, by the real driver, on both chips. Prints chip, samples, bytes, digest."""

import gc

from bus_of_bytes import BusOfBytes
from kit import Digest
from micropython import heap_lock, heap_unlock
from walktall.hw.imu import Imu


def no_sleep(seconds):
    pass


def measure(tagged):
    # Locals, because the first store into a new global grows the module's dictionary.
    bus = BusOfBytes(tagged, "corners")
    imu = Imu(lambda: bus, sleep=no_sleep)
    gc.collect()
    imu.start()
    digest = Digest("counts")
    n_drained = 0
    used = 0
    while bus.more(13):
        before = gc.mem_alloc()
        heap_lock()
        n = imu.drain()
        heap_unlock()
        used += gc.mem_alloc() - before
        n_drained += n
        for i in range(6 * n):
            digest.add(imu.counts[i])
    print(imu.who_am_i, n_drained, used, digest.value)


measure(False)
measure(True)
