from kit import Digest, fifo, samples
from walktall.gait import Gait
from walktall.motion import take, views_of
from walktall.tilt import Tilt

for name in ("corners", "extreme", "walk"):
    counts = fifo(samples(name))
    views = views_of(counts)
    tilt = Tilt()
    gait = Gait()
    digest = Digest("gait " + name, 600)
    for i in range(len(counts) // 6):
        take(tilt, gait, views, i, 1, 0 if name == "extreme" and i // 100 % 7 == 3 else 1)
        if i % 13 == 12:
            tilt.renormalise()
            tilt.drop_tick()
            gait.tick(tilt)
            digest.add(gait.walking | gait.jogging << 1 | gait.still << 2)
            digest.add(gait.cadence_spm)
            digest.add(gait.steps)
    digest.tell()
    print(gait.walking, gait.jogging, gait.still, gait.cadence_spm, gait.steps)
    gait.restart()
    print(gait.walking, gait.cadence_spm, gait.steps)
