from kit import Chance, Digest
from walktall import limits as settings
from walktall.coach import Coach

chance = Chance(17)
for coaching in (0, 1, 2):
    for progressive in (0, 1):
        held = settings.Settings()
        held.set("coaching", coaching)
        held.set("progressive", progressive)
        held.set("mode", progressive)
        held.set("stretch_min", 3)
        held.set("sit_nudge_min", 2)
        coach = Coach(held)
        coach.seed(chance.between(0, (1 << 28) - 1))
        digest = Digest("coach %d %d" % (coaching, progressive))
        cues = 0
        withheld = 0
        for day in (0, 3, 7, 20, 400):
            coach.set_day(day)
            digest.add(coach.ease_cdeg)
            for tick in range(6000):
                walking = 1 if tick // 1500 % 2 else 0
                coach.tick(walking, 1 - walking)
                cues += coach.cue
                digest.add(coach.silent)
                if chance.below(40) == 0:
                    given = coach.give()
                    digest.add(given)
                    withheld += 1 - given
        coach.configure(held)
        digest.tell()
        print(cues, withheld)
