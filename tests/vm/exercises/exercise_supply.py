from kit import Chance, Digest
from walktall.supply import Supply
from walktall.ticks import ticks_add

digest = Digest("supply", 500)
chance = Chance(12)
supply = Supply()
now = (1 << 29) - 2000
supply.begin(now)
for k in range(4000):
    wait = supply.wait_ms(1 + chance.below(13), now)
    now = ticks_add(now, 20000 if k % 997 == 5 else wait + chance.below(4))
    digest.add(supply.elapse(now))
    digest.add(supply.receive(0 if k % 50 < 5 else chance.below(14), k % 101 == 0))
    digest.add(supply.period)
    counts = [chance.between(-32768, 32767) if k % 31 < 10 else 5 for _ in range(6)]
    digest.add(supply.believe(counts, 0, 1))
digest.tell()
