from kit import Chance, Digest, fifo, samples
from walktall import events
from walktall import limits as settings
from walktall.coach import Coach
from walktall.detector import Detector
from walktall.gait import Gait
from walktall.motion import take, views_of
from walktall.tilt import Tilt

chance = Chance(13)

# Uprights of every kind, degenerate and full-scale ones among them.
digest = Digest("uprights")
detector = Detector(settings.Settings(), Coach(settings.Settings()))
for _ in range(400):
    kind = chance.below(4)
    force = [chance.between(-32768, 32767) for _ in range(3)]
    if kind == 0:
        force = [(-32768, 0, 32767)[chance.below(3)] for _ in range(3)]
    elif kind == 1:
        force = [chance.between(-9000, 9000) for _ in range(3)]
    digest.add(1 if detector.set_upright(force[0], force[1], force[2], chance.below(6)) else 0)
    forward = [chance.between(-16384, 16384) for _ in range(3)]
    digest.add(1 if detector.set_frame(force[0], force[1], force[2], *forward) else 0)
digest.tell()


def run(name, changes, up):
    held = settings.Settings()
    for key in sorted(changes):
        if not held.set(key, changes[key]):
            print(held.why)
    detector = Detector(held, Coach(held))
    print(name, sorted(changes.items()), detector.set_upright(up[0], up[1], up[2], held.get("forward_axis")))
    tilt = Tilt()
    gait = Gait()
    counts = fifo(samples(name))
    views = views_of(counts)
    digest = Digest("detector", 200 * 6)
    shaken = 0
    for i in range(len(counts) // 6):
        take(tilt, gait, views, i, 1, 0 if shaken else 1)
        if i % 13 == 12:
            gait.tick(tilt)
            if name == "extreme" and chance.below(9) == 0:
                detector.snoozed = chance.below(20)
                detector.plain = 0
            detector.look(tilt)
            tilt.renormalise()
            tilt.drop_tick()
            state = gait.walking | gait.jogging << 1 | gait.still << 2
            if shaken:
                state |= events.SHAKEN
            elif i % 1300 < 60:
                state |= events.SETTLING if i % 1300 > 30 else events.MISSING
            detector.step(detector.look_pitch_cdeg, detector.look_roll_cdeg, state, gait.cadence_spm)
            shaken = 1 if detector.buzzed or (shaken and chance.below(5)) else 0
            if detector.began or detector.ended or detector.buzzed or detector.recovered:
                print(i, detector.began, detector.ended, detector.buzzed, detector.recovered, detector.label)
            digest.add(detector.pitch_cdeg)
            digest.add(detector.roll_cdeg)
            digest.add(detector.second_class)
            digest.add(detector.walk_offset_cdeg)
            digest.add(detector.forward.timer)
            digest.add(detector.side.timer)
    digest.tell()


run("walk", {}, (0, 8197, 0))
run("walk", {"side_buzz": 1, "hold_s": 5, "spacing_s": 0}, (0, 8197, 0))
run("extreme", {"on_deg": 40, "off_deg": 3}, (32767, 32767, -32768))
run("extreme", {"mode": 1, "desk_hold_s": 10, "spacing_s": 0, "repeat1_s": 5}, (0, 8197, 0))
run("corners", {"mode": 1, "desk_hold_s": 10}, (-32768, -32768, 100))
