from kit import Chance, Digest
from walktall import packing, slots

print(slots.SESSION_SIZE, slots.S_COUNT, slots.FW_VERSION)
chance = Chance(5)
buf = bytearray(200)
back = slots.new_session_fields()
digest = Digest("slots")
for turn in range(300):
    fields = slots.new_session_fields()
    for i in range(slots.S_COUNT):
        low, high = slots.SESSION.bounds(i)
        kind = chance.below(6)
        if kind == 0:
            fields[i] = low
        elif kind == 1:
            fields[i] = high
        elif kind == 2:
            fields[i] = 0
        elif kind == 3 and high < 0x3FFFFFF:
            fields[i] = high + chance.below(1000)  # beyond its width: the nearest that fits
        else:
            fields[i] = chance.between(0, min(high, (1 << 28) - 1))
    end = slots.pack_session_into(buf, 3, fields)
    for k in range(3, end):
        digest.add(buf[k])
    code = slots.unpack_session_into(buf, 3, back)
    digest.add(code)
    for i in range(slots.S_COUNT):
        digest.add(back[i])
    end = packing.seal_into(buf, 3, end - 3)
    for k in range(4):
        digest.add(buf[end - 4 + k])
    print(turn, code, end, packing.sealed(buf, 3, end - 7)) if turn % 50 == 0 else None
digest.tell()
for first in (0, 1, 2, 200, 255):
    buf[0] = first
    print(first, slots.unpack_session_into(buf, 0, back))
print(slots.unpack_session_into(buf[:40], 3, back))
