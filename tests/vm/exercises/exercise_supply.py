from kit import Chance, Digest, samples
from walktall.supply import Supply
from walktall.ticks import PERIOD, ticks_add

chance = Chance(10)
for rate_per_mille in (1000, 950, 1050, 985):
    supply = Supply()
    digest = Digest("supply %d" % rate_per_mille)
    now_ms = PERIOD - 20000
    supply.begin(now_ms)
    made = 0  # samples since the start, in thousandths of a sample
    taken = 0
    lost = 0
    for turn in range(4000):
        step_ms = (250, 250, 250, 20, 1, 900)[chance.below(6)]
        if turn % 700 == 650:
            step_ms = 12000  # the clock jumped, or somebody slept long
        now_ms = ticks_add(now_ms, step_ms)
        digest.add(supply.elapse(now_ms))
        away = turn % 500 > 480
        overrun = False
        fresh = 0
        if not away:
            made += step_ms * 52 * rate_per_mille // 1000
        while made >= 1000:
            made -= 1000
            fresh += 1
        if fresh > 340:
            fresh = 340
            overrun = turn % 2 == 0
        taken += fresh
        missing = supply.receive(fresh, overrun)
        lost += missing
        digest.add(missing)
        digest.add((1 if supply.gap_first else 0) | (2 if supply.in_gap else 0))
        digest.add(supply.wait_ms(1 + chance.below(13), now_ms))
        digest.add(supply.period)
    digest.tell()
    print(taken, lost, supply.period, supply.jumps, supply.silent_ms)

supply = Supply()
for name in ("corners", "extreme", "walk"):
    counts = samples(name)
    believed = 0
    for i in range(len(counts) // 6):
        ax, ay, az, wx, wy, wz = counts[i * 6 : i * 6 + 6]
        believed += 1 if supply.fresh(ax, ay, az, wx, wy, wz) else 0
    print(name, believed, supply.stale)
