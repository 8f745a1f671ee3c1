import parts as parts_
from kit import Chance, Digest
from walktall import events, limits, trace
from walktall.chain import Chain

chance = Chance(43)
BLOCKS = 144


class File(parts_.File):
    """A file in memory of which a write may be torn."""

    tear = -1

    def write(self, buf):
        n = len(buf)
        if self.tear >= 0:
            n = self.tear
            self.tear = -1
        for k in range(n):
            self.data[self.at + k] = buf[k]
        self.at += len(buf)
        if n < len(buf):
            raise OSError(5)
        return n


def random_bytes(n):
    data = bytearray(n)
    for k in range(n):
        data[k] = chance.below(256)
    return bytes(data)


def boot(file, parts, number):
    chain = Chain(limits.Settings())
    chain.set_upright(0, 8197, 0, 0, 0, 0, 90)
    ring = trace.Trace(file, parts, chain)
    chain.rows = ring.rows
    found = ring.load(random_bytes)
    print("boot", parts, number, found, ring.first_block, ring.next_block)
    print(ring.torn, ring.reads, ring.pending, ring.walk)
    if found == trace.OPEN:
        print(list(chain.session.fields)[:20], chain.session.state[1])
    chain.session.forget()
    chain.begin()
    chain.session.start(number, number, 200000000, 5, 3900)
    ring.begin(number, number, number % 3 == 0)
    return chain, ring


def wear(chain, ring, seconds, at_s):
    pitch = 0
    for second in range(seconds):
        for _ in range(4):
            pitch = max(-2000, min(2500, pitch + chance.between(-200, 200)))
            kind = (events.SHAKEN, events.SETTLING, events.MISSING)[chance.below(3)] if chance.below(60) == 0 else 0
            chain.judge(pitch // 20 * 20, chance.between(-9, 9) * 20, events.WALKS | kind, 100 + chance.below(9))
            chain.buzz_request = 0
        if ring.raw_left:
            ring.raw(52 * second, at_s, 0, second, -second, 32767, -32768, 0, 7)
        while chain.ring.take():
            pass
        ring.note(at_s + second + 1, 200000000 + second, second % 7 == 0)


for parts in (1, 2):
    file = File(BLOCKS)
    digest = Digest("file")
    for number in range(1, 9):
        chain, ring = boot(file, parts, number)
        if number == 4:
            print("raw", ring.record_raw(120, 1))
        wear(chain, ring, 300 + 80 * number, 10)
        if number == 5:
            chain.settings.set("hold_s", 20)
            chain.configure(chain.settings)
            ring.cut(900, 0)
        if number == 6:
            file.tear = 100
            wear(chain, ring, 90, 900)
            print("fault", ring.fault, ring.rows.on)
        elif number % 2:
            chain.session.finish(0, 3800)
            ring.end(1000, 200000300, number != 3)
        if number == 7:
            ring.wipe()
            while ring.wiping:
                ring.step_wiping()
        piece = bytearray(100)
        for block in range(ring.first_block - 1, ring.next_block + 1):
            digest.add(ring.read_into(block, 450, piece))
        digest.tell()
    for k in range(0, len(file.data), 7):
        digest.add(file.data[k])
    digest.tell()
none = trace.Trace(None, 1, chain)
print(none.load(random_bytes), none.fault, none.first_block, none.read_into(0, 0, bytearray(4)), none.record_raw(5, 1))
