from kit import Chance, Digest
from walktall import packing

buf = bytearray(200)
table = packing.Table("8t 4s h*10 I")
values = ["Größe and more", b"\x00\x01\x02\x03\x04", -12344, 0x3FFFFFFF]
print(table.size, table.pack_into(buf, 0, values), table.clipped, bytes(buf[: table.size]))
values = ["", b"", 0, 0]
print(table.unpack_into(buf, 0, values), values)
print(table.unpack_into(buf[:5], 0, values))

chance = Chance(5)
digest = Digest("packing")
table = packing.Table("B b H h T I i B*20 b*10 8s")
back = table.new_values()
for _ in range(500):
    values = [chance.between(-(1 << 29), (1 << 29) - 1) >> chance.below(30) for _ in range(9)] + [b"walktall"]
    end = table.pack_into(buf, chance.below(8), values)
    digest.add(1 if table.clipped else 0)
    digest.add(table.unpack_into(buf, end - table.size, back, table.fitting(chance.below(40))))
    for value in back[:9]:
        digest.add(value & 0xFFFF)
    end = packing.seal_into(buf, 0, end)
    digest.add(1 if packing.sealed(buf, 0, end - 4) else 0)
    buf[chance.below(end)] ^= 1
    digest.add(1 if packing.sealed(buf, 0, end - 4) else 0)
digest.tell()
print([table.bounds(i) for i in range(table.count)])
print(packing.crc(b"walktall", 1, 4) >> 8)
