from kit import Digest, samples
from walktall.tilt import Tilt

for name in ("corners", "extreme", "walk"):
    counts = samples(name)
    for use_accel in (1, 0):
        tilt = Tilt()
        tilt.bias_x, tilt.bias_y, tilt.bias_z = 41, -37, 12
        if not use_accel:
            tilt.seed(120, 8100, -300)
        digest = Digest("tilt %s %d" % (name, use_accel), 15600)
        n = len(counts) // 6
        for i in range(n):
            ax, ay, az, wx, wy, wz = counts[i * 6 : i * 6 + 6]
            tilt.step(ax, ay, az, wx, wy, wz, use_accel)
            digest.add(tilt.gx)
            digest.add(tilt.gy)
            digest.add(tilt.gz)
            if i % 13 == 12:
                tilt.tick()
                for axis in range(3):
                    digest.add(tilt.mean(axis, 1))
                    digest.add(tilt.mean(axis, 4))
        digest.tell()
        print(tilt.gx, tilt.gy, tilt.gz)
