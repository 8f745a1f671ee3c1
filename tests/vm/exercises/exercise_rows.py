from array import array

from kit import Chance, Digest
from walktall import events, rows

chance = Chance(41)
digest = Digest("rows", 200)

# Rows of every kind into one block after the other.
writer = rows.RowWriter()
writer.take(1)
pitch = roll = 0
for block in range(60):
    writer.begin(rows.HEADER_BYTES, rows.CRC_AT)
    seconds = 0
    while writer.at < rows.CRC_AT - rows.ROW_MAX and seconds < 70:
        seconds += 1
        quiet = chance.below(5) == 0
        for k in range(4):
            reach = (0, 20, 200, 3000, 36000)[chance.below(5)] if chance.below(8) == 0 else 60
            pitch = max(-18000, min(18000, pitch + chance.between(-reach, reach)))
            roll = max(-9000, min(9000, roll + chance.between(-reach, reach)))
            kind = (0, events.SHAKEN, events.SETTLING, events.MISSING, events.DOZED)[chance.below(5)] if quiet else 0
            if chance.below(40) == 0:
                kind = events.MISSING
            writer.tick(k, pitch // 20 * 20, roll // 20 * 20, kind | chance.below(8))
            if chance.below(30) == 0:
                writer.mark(k, chance.below(17), chance.below(5), chance.below(4), chance.between(-70000, 70000))
        if quiet and chance.below(2):
            for k in range(4):
                writer.tick(k, 0, 0, events.DOZED | events.STILL)
        if chance.below(20) == 0:
            writer.cut()
        else:
            writer.second(1 + chance.below(13), chance.below(300))
    for k in range(rows.HEADER_BYTES, writer.at):
        digest.add(writer.buf[k])
    print(block, writer.at, writer.seconds, writer.lost, writer.pitch, writer.roll)
    if block == 30:
        writer.take(0)
        writer.tick(0, 500, 500, 1)
        writer.mark(0, 3, 1, 0, 5)
        writer.second(1, 100)
        writer.cut()
        print("off", writer.at)
        writer.take(1)
digest.tell()

# Lists of integers, there and back, and cut off anywhere.
buf = bytearray(512)
for case in range(60):
    values = array("i", [0] * (1 + chance.below(62)))
    for k in range(len(values)):
        if chance.below(2):
            values[k] = chance.between(-(1 << 27), 1 << 27) >> chance.below(27)
    values[0] = (0, 1073741823, -1073741823, 64, -64)[case % 5]
    first = chance.below(2) if len(values) > 1 else 0
    end = rows.pack_ints(buf, 7, values, len(values) - first, 512, first)
    back = array("i", [9] * len(values))
    print(case, end, rows.unpack_ints(buf, 7, end, back, first), list(back)[first:] == list(values)[first:])
    digest.add(end)
    for k in range(7, end):
        digest.add(buf[k])
    short = array("i", [9] * (1 + len(values) // 2))
    cut = end - 1 - chance.below(end - 8 or 1)
    print(rows.unpack_ints(buf, 7, cut, short), rows.pack_ints(buf, 300, values, 8, 309))
digest.tell()
