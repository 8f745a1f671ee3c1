from kit import Chance, Digest
from walktall.fixmath import atan2_cdeg, clamp, isqrt

digest = Digest("isqrt")
chance = Chance(1)
for n in range(3000):
    digest.add(isqrt(n))
for _ in range(3000):
    digest.add(isqrt(chance.between(0, (1 << 28) - 1) * 4 + chance.below(4)))
for n in (1, 2, 3, 4, (1 << 28) - 1, 1 << 28, (1 << 30) - 1):
    print("isqrt", n, isqrt(n))
digest.tell()

digest = Digest("atan2")
for _ in range(5000):
    bits = chance.below(28) + 1
    high = (1 << bits) - 1
    digest.add(atan2_cdeg(chance.between(0, high) - high // 2, chance.between(0, high) - high // 2))
for y in (-(1 << 30) + 1, -1, 0, 1, (1 << 30) - 1):
    for x in (-(1 << 30) + 1, -1, 0, 1, (1 << 30) - 1):
        print("atan2", y, x, atan2_cdeg(y, x))
digest.tell()
print(clamp(5, 1, 3), clamp(-5, 1, 3), clamp(2, 1, 3))
