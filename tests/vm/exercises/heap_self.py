"""Does the measuring measure? An allocation is seen by mem_alloc, and refused under the lock."""

import gc

from micropython import heap_lock, heap_unlock


def allocate(a, b):
    return (a, b, a)


def measure():
    before = gc.mem_alloc()
    allocate(1, 2)
    print("seen", gc.mem_alloc() - before)
    before = gc.mem_alloc()
    big = (1 << 29) + before
    print("small", gc.mem_alloc() - before)
    before = gc.mem_alloc()
    big = big * 4
    print("big", gc.mem_alloc() - before > 0)
    refused = 0
    heap_lock()
    try:
        allocate(1, 2)
    except MemoryError:
        refused = 1
    finally:
        heap_unlock()
    print("refused", refused)


measure()
