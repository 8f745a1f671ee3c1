from kit import Chance, Digest, fifo, samples
from walktall.gait import Gait
from walktall.motion import take
from walktall.tilt import Tilt


def state(tilt, gait):
    """What a burst leaves behind."""
    told = [tilt.gx, tilt.gy, tilt.gz, tilt.sum_x, tilt.sum_y, tilt.sum_z, tilt.n]
    told += [tilt.rate_x, tilt.rate_y, tilt.rate_z]
    told += [gait._sq, gait._sx, gait._sy, gait._sz, gait._n, gait._age, gait._up, gait._ext, gait._f1, gait._low]
    return told + [gait.steps, tilt._phase, gait._doubt, gait._mean] + list(gait._corr)


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
    at = 0
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
            take(tilt, gait, counts, 6 * at, taken, use_accel)
            for k in range(at, at + taken):
                take(one_tilt, one_gait, counts, 6 * k, 1, use_accel)
            at += taken
        same = same and state(tilt, gait) == state(one_tilt, one_gait)
        for value in state(tilt, gait):
            digest.add(value)
        if chance.below(3) == 0:
            gait.tick(tilt)
            one_gait.tick(one_tilt)
            for each in (tilt, one_tilt):
                each.drop_tick()
    digest.tell()
    print(same, tilt.gx, tilt.gy, tilt.gz, gait.steps, gait.walking)
