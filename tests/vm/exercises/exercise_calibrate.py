from kit import Chance, Digest, fifo, samples
from walktall.calibrate import AVERAGING, IDLE, BiasTracker, Bow, Calibrator
from walktall.gait import Gait
from walktall.motion import take, views_of
from walktall.tilt import Tilt

chance = Chance(14)


def stand(name, rows):
    """One calibration from begin to verdict over rows of counts."""
    calibrator = Calibrator()
    calibrator.begin()
    for row in rows:
        verdict = calibrator.step(*row)
        if verdict or calibrator.state == IDLE:
            break
    print(name, verdict, calibrator.state == AVERAGING, calibrator.quality)
    print(calibrator.ax, calibrator.ay, calibrator.az, calibrator.bx, calibrator.by, calibrator.bz)


def noisy(ax, ay, az, swing):
    rows = []
    for i in range(200):
        phase = swing if i // 40 % 2 else -swing
        rows.append([value + chance.below(21) - 10 for value in (ax, ay, az, 40 + phase, -30, 12)])
    return rows


stand("still", noisy(200, 8150, -400, 0))
stand("sways", noisy(200, 8150, -400, 200))
stand("moves", noisy(200, 8150, -400, 500))
stand("light", noisy(0, 7000, 0, 0))
for name in ("extreme", "corners", "walk"):
    counts = samples(name)
    stand(name, [list(counts[i * 6 : i * 6 + 6]) for i in range(200)])
for sign in (-32768, 32767):
    stand("ends", [[sign] * 6] * 200)
calibrator = Calibrator()
calibrator.begin()
calibrator.cancel()
print(calibrator.state)

digest = Digest("bow")
bow = Bow()
for _ in range(300):
    bow.begin()
    top = chance.below(12000)
    verdict = 0
    for tick in range(40):
        fall = top * (tick if tick < 8 else 16 - tick) // 8 if tick < 16 else 0
        verdict = bow.step(0, 16384, 0, chance.below(400), 16384 - fall // 3, -fall)
        if verdict:
            break
    digest.add(verdict)
    digest.add(bow.fx)
    digest.add(bow.fy)
    digest.add(bow.fz)
digest.tell()

for name in ("walk", "extreme"):
    counts = fifo(samples(name))
    views = views_of(counts)
    tilt = Tilt()
    gait = Gait()
    rest = BiasTracker()
    digest = Digest("rest " + name)
    for i in range(len(counts) // 6):
        take(tilt, gait, views, i, 1, 1)
        if i % 13 == 12:
            gait.tick(tilt)
            tilt.renormalise()
        if i % 52 == 51:
            gait.mean_x += chance.below(601) - 300
            gait.mean_y += chance.below(401) - 200
            rest.second(tilt, gait, i // 52 % 5 == 0)
            tilt.drop_tick()
            for value in tilt.bias:
                digest.add(value)
    digest.tell()
    print(rest.updates)
