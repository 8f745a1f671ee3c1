from array import array

from kit import Chance, Digest, fifo, samples
from walktall.gait import Gait
from walktall.motion import take, views_of
from walktall.tilt import Tilt


def state(tilt, gait):
    """What a burst leaves behind."""
    f1, low, up, extreme = gait._wave
    told = tilt.g + tilt.sums + tilt.rate + gait._sums + [gait._age, up, extreme, f1, low]
    return told + [gait.steps, tilt._phase, gait._doubt, gait._mean] + list(gait._corr)


room = array("h", bytes(2 * 6 * 13))
views = views_of(room)

# Bursts of any length, broken anywhere, are the same as sample after sample.
for name in ("corners", "extreme", "walk"):
    counts = fifo(samples(name))
    chance = Chance(3)
    digest = Digest("motion " + name)
    tilt = Tilt()
    gait = Gait()
    one_tilt = Tilt()
    one_gait = Gait()
    same = True
    at = ticked = 0
    n = len(counts) // 6
    while at < n:
        use_accel = 1 if chance.below(9) else 0
        end = min(n, at + 1 + chance.below(33))
        if chance.below(40) == 0:
            tilt.restart()
            one_tilt.restart()
        if chance.below(40) == 0:
            tilt.loosen(3)
            one_tilt.loosen(3)
        while at < end:
            taken = min(end - at, 13)
            room[: 6 * taken] = counts[6 * at : 6 * (at + taken)]
            take(tilt, gait, views, 0, taken, use_accel)
            for k in range(taken):
                take(one_tilt, one_gait, views, k, 1, use_accel)
            at += taken
        same = same and state(tilt, gait) == state(one_tilt, one_gait)
        for value in state(tilt, gait):
            digest.add(value)
        if chance.below(3) == 0 or at - ticked >= 13:  # gravity's length is mended by ticks
            ticked = at
            gait.tick(tilt)
            one_gait.tick(one_tilt)
            for each in (tilt, one_tilt):
                each.renormalise()
                each.drop_tick()
    digest.tell()
    print(same, *tilt.g, gait.steps, gait.walking)
