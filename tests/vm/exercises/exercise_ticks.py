from kit import Chance, Digest
from walktall.ticks import PERIOD, ticks_add, ticks_diff

digest = Digest("ticks")
chance = Chance(2)
for _ in range(3000):
    start = chance.between(0, (1 << 28) - 1) * 2
    delta = chance.between(0, (1 << 28) - 1) - (1 << 27)
    later = ticks_add(start, delta)
    digest.add(later)
    digest.add(ticks_diff(later, start))
digest.tell()
print(ticks_diff(0, PERIOD - 1), ticks_diff(PERIOD - 1, 0), ticks_add(PERIOD - 1, 1))
