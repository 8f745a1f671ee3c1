from array import array

from kit import Chance, Digest
from walktall import records

print(records.SESSION_SIZE, records.SESSION_SLOT_BYTES, records.S_COUNT, records.version_number("1.2.3"))
chance = Chance(5)
buf = bytearray(200)
back = records.new_session_fields()
digest = Digest("records")
for turn in range(300):
    fields = records.new_session_fields()
    for i in range(records.S_COUNT):
        low, high = records.SESSION.bounds(i)
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
    end = records.pack_session_into(buf, 3, fields)
    for k in range(3, end):
        digest.add(buf[k])
    code = records.unpack_session_into(buf, 3, back)
    digest.add(code)
    for i in range(records.S_COUNT):
        digest.add(back[i])
    for letter in records.session_fault(back):
        digest.add(ord(letter))
    end = records.seal_into(buf, 3, end - 3)
    for k in range(4):
        digest.add(buf[end - 4 + k])
    print(turn, code, end, records.sealed(buf, 3, end - 7)) if turn % 50 == 0 else None
digest.tell()
for first in (0, 1, 2, 200, 255):
    buf[0] = first
    print(first, records.unpack_session_into(buf, 0, back), records.record_size(first))
print(records.unpack_session_into(buf[:40], 3, back))

table = records.Table((("name", "8t", ""), ("raw", "4s", ""), ("n", "h*10", ""), ("wide", "I", "")))
values = ["Größe and more", b"\x00\x01\x02\x03\x04", -12344, 0x3FFFFFFF]
print(table.size, table.pack_into(buf, 0, values), table.clipped, bytes(buf[: table.size]))
values = ["", b"", 0, 0]
print(table.unpack_into(buf, 0, values), values, table.index("n"), table.index("none"))
print(table.unpack_into(buf[:5], 0, values))
print(array("i", bytes(8)))
