from kit import Digest, fifo, samples
from walktall.gait import Gait
from walktall.motion import take, views_of
from walktall.tilt import Tilt

for name in ("corners", "extreme", "walk"):
    counts = fifo(samples(name))
    views = views_of(counts)
    for use_accel in (1, 0):
        tilt = Tilt()
        gait = Gait()
        tilt.bias[:] = [41, -37, 12]
        if not use_accel:
            tilt.seed(120, 8100, -300)
        digest = Digest("tilt %s %d" % (name, use_accel), 15600)
        n = len(counts) // 6
        for i in range(n):
            take(tilt, gait, views, i, 1, use_accel)
            for value in tilt.g:
                digest.add(value)
            if i % 13 == 12:
                for value in tilt.sums[:3]:
                    digest.add(value)
                digest.add(tilt.rate[0])
                gait.tick(tilt)
                tilt.renormalise()
                tilt.drop_tick()
        digest.tell()
        print(*tilt.g)
