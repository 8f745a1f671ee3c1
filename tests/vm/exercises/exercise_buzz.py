from kit import Chance, Digest
from walktall import buzz
from walktall.ticks import PERIOD, ticks_add

for pattern in range(-1, len(buzz.PATTERNS) + 1):
    print(pattern, buzz.duration_ms(pattern), buzz.samples(pattern))

player = buzz.Buzz()
chance = Chance(3)
# Begin near the wrap of the clock, so that every pattern crosses it once.
for pattern in range(1, len(buzz.PATTERNS)):
    now_ms = PERIOD - 300
    print(buzz.NAMES[pattern], player.start(pattern, now_ms, 40000), player.busy)
    edges = []
    last = 40000
    since_ms = 0
    while player.busy:
        step_ms = 1 + chance.below(20)
        since_ms += step_ms
        now_ms = ticks_add(now_ms, step_ms)
        duty = player.step(now_ms)
        if duty != last:
            edges.append((since_ms, duty))
            last = duty
    print(edges)

digest = Digest("buzz")
now_ms = 0
for _ in range(5000):
    now_ms = ticks_add(now_ms, chance.below(300))
    if chance.below(20) == 0:
        digest.add(player.start(chance.below(len(buzz.PATTERNS) + 1), now_ms, chance.below(30000)))
    digest.add(player.step(now_ms))
digest.tell()
