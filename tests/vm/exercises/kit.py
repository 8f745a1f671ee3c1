"""What the exercises share: vectors from files, a digest, a generator of numbers that is the same on both interpreters.

Runs under CPython and MicroPython alike.
"""

import os
from array import array


class Digest:
    """A checksum of integers of any sign, told every so often, so that a difference shows where it began."""

    def __init__(self, name, every=0):
        self.name = name
        self.value = 0
        self.count = 0
        self.every = every

    def add(self, number):
        # 21 bits of state times 257 stay below 2^30 together with the 16-bit halves added.
        self.value = (self.value * 257 + (number & 0xFFFF)) % 2097143
        self.value = (self.value * 257 + ((number >> 16) & 0xFFFF)) % 2097143
        self.count += 1
        if self.every and self.count % self.every == 0:
            self.tell()

    def tell(self):
        print(self.name, self.count, self.value)


class Chance:
    """Park and Miller's minimal generator with Schrage's division, after Wichmann: numbers below 30323."""

    def __init__(self, seed):
        self.state = seed % 30323 or 1

    def below(self, n):
        """A number from 0 to n - 1, n <= 30323."""
        self.state = self.state * 170 % 30323
        return self.state % n

    def between(self, low, high):
        """A number from low to high, of at most 28 bits."""
        span = high - low + 1
        return low + (self.below(16384) * 16384 + self.below(16384)) % span


def samples(name):
    """All counts of a vector file as one array('h'), six a sample. Both interpreters run on little-endian machines."""
    size = os.stat(name + ".bin")[6]
    counts = array("h", bytearray(size))
    with open(name + ".bin", "rb") as file:
        file.readinto(counts)
    return counts


def fifo(counts):
    """The same samples as the FIFO has them: rate x, y, z before force x, y, z."""
    turned = array("h", counts)
    for i in range(len(counts)):
        turned[i] = counts[i + 3 if i % 6 < 3 else i - 3]
    return turned
