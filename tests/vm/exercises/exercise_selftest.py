from kit import Digest
from walktall import selftest

digest = Digest("vector", 52 * 5)
vector = selftest.Vector()
for _ in range(selftest.SAMPLES):
    vector.step()
    for count in (vector.ax, vector.ay, vector.az, vector.wx, vector.wy, vector.wz):
        digest.add(count)
digest.tell()


def shown(data):
    return "".join(["%02x" % byte for byte in data])


print("known", shown(selftest.vector_digest()))
print(shown(selftest.source_digest(selftest.__file__.rsplit("/", 1)[0])))
print(shown(selftest.source_digest("/nowhere")), shown(selftest.source_digest("")))
