from kit import Chance, Digest, samples
from walktall import events
from walktall import limits as settings
from walktall.chain import Chain

chance = Chance(15)


def tell(chain):
    while chain.ring.take():
        ring = chain.ring
        print(ring.sample, events.NAMES[ring.code], ring.fault, ring.label, ring.value)


def run(name, changes, meddle):
    held = settings.Settings()
    for key, value in changes:
        if not held.set(key, value):
            print(held.why)
    chain = Chain(held)
    chain.session.start(1, 1, 200000000, 0, 4000)
    print(name, changes, chain.set_upright(0, 8190, 100, 130, -90, 5, 90))
    counts = samples(name)
    digest = Digest("chain", 5 * 300)
    for i in range(len(counts) // 6):
        ax, ay, az, wx, wy, wz = counts[i * 6 : i * 6 + 6]
        told = chain.sample(ax, ay, az, wx, wy, wz)
        if told & events.SECOND:
            digest.add(chain.second_class)
        if told:
            digest.add(chain.detector.pitch_cdeg)
            digest.add(chain.detector.roll_cdeg)
            digest.add(chain.gait.walking)
            digest.add(chain.buzz_request)
            chain.buzz_request = 0
            tell(chain)
            if meddle:
                kind = chance.below(120)
                if kind == 0:
                    chain.missed(chance.below(300))
                elif kind == 1:
                    chain.shake(chance.below(60))
                elif kind == 2:
                    chain.begin_calibration()
                elif kind == 3:
                    chain.snooze(chance.below(2))
                elif kind == 4:
                    chain.wrong()
                elif kind == 5:
                    chain.mark()
                elif kind == 6:
                    chain.begin_bow()
                elif kind == 7:
                    chain.hill(chance.below(3) != 0)
                elif kind == 8:
                    chain.begin()
                elif kind == 9:
                    chain.configure(held)
                if chain.calibration_result:
                    print("calibration", chain.calibration_result)
                    chain.calibration_result = 0
    tell(chain)
    chain.missed(52 * 30)
    chain.session.finish(200000300, 3900)
    tell(chain)
    digest.tell()
    print(chain.n_samples, list(chain.session.fields))


run("walk", (), False)
run("walk", (("mode", 1), ("desk_hold_s", 10), ("spacing_s", 0), ("side_buzz", 1)), True)
run("extreme", (("sensitivity", 1), ("spacing_s", 0)), True)
run("corners", (("mode", 1), ("forward_axis", 1)), False)
