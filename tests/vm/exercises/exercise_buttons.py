from kit import Chance, Digest
from walktall import buttons
from walktall.ticks import PERIOD, ticks_add

keys = buttons.Buttons()
chance = Chance(4)
digest = Digest("buttons")
told = [0] * len(buttons.NAMES)
now_ms = PERIOD - 5000
pressed = False
left_ms = 0
for _ in range(60000):
    now_ms = ticks_add(now_ms, 1 + chance.below(35))
    left_ms -= 18
    if left_ms <= 0:
        pressed = not pressed
        left_ms = (5, 20, 120, 120, 120, 250, 300, 800, 1500, 3500)[chance.below(10)]
    code = keys.step(now_ms, pressed)
    told[code] += 1
    digest.add(code)
    digest.add(1 if keys.active else 0)
digest.tell()
for code in range(len(told)):
    print(buttons.NAMES[code], told[code])
