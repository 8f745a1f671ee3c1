from kit import Chance, Digest
from walktall import events, session

chance = Chance(7)
digest = Digest("session")
kept = None
for walk in range(6):
    now = session.Session()
    now.start(walk + 1, 3, 200000000 + walk, 100 * walk, 4012)
    now.note_calibration(88, -120)
    now.note_rules(12, 8, 10, 0, 0)
    steps = 0
    second_class = events.CLASS_GOOD
    for second in range((100, 170, 900, 4000, 7000, 50)[walk]):
        if chance.below(12) == 0:
            second_class = chance.below(17) - 1
        walking = second_class in (1, 2, 3, 4, 11)
        cadence = 90 + chance.below(40) if walking else 0
        steps += cadence // 60
        pitch = chance.between(-2000, 4000) if chance.below(50) else chance.between(-30000, 30000)
        now.second(second_class, pitch, chance.between(-3000, 3000), cadence, walking, steps)
        if chance.below(25) == 0:
            now.event(1 + chance.below(13), 1 << chance.below(3), chance.below(4), chance.below(120))
        if second % 500 == 250:
            # Taken up from a checkpoint in mid-walk.
            after = session.Session()
            for i in range(len(now.fields)):
                after.fields[i] = now.fields[i]
            for i in range(len(now.state)):
                after.state[i] = now.state[i]
            after.take_up()
            now = after
            steps = 0
    now.finish(200000000 + 8000, 3900)
    for value in now.fields:
        digest.add(value)
    for value in now.state:
        digest.add(value)
    digest.tell()
    print(list(now.fields))
    if kept is None:
        kept = now.fields
    else:
        print(session.merge_into(kept, now.fields))
print(list(kept))
