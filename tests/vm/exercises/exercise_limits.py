from kit import Chance, Digest
from walktall import limits

held = limits.Settings()
chance = Chance(6)
digest = Digest("limits")
buf = bytearray(400)
for index in range(limits.N_SETTINGS):
    name = limits.name_of(index)
    print(name, limits.index_of(name), held.get(name), list(limits.NUMBERS[3 * index : 3 * index + 3]))
print(limits.index_of("unknown"), held.get("unknown"), held.set("unknown", 1), held.why)
for _ in range(2000):
    index = chance.below(limits.N_SETTINGS + 1)
    digest.add(1 if held.set_index(index, chance.below(200) - 5) else 0)
    for letter in held.why:
        digest.add(ord(letter))
for value in held.values:
    digest.add(value)
digest.tell()
print(list(held.values), held.on_limit_deg(), held.off_limit_deg())
end = held.pack_into(buf, 7)
other = limits.Settings()
print(end, other.unpack_from(buf, 7), list(other.values) == list(held.values), other.defaulted)
for _ in range(1000):
    at = 7 + chance.below(end - 7)
    old = buf[at]
    buf[at] = chance.below(256)
    digest.add(other.unpack_from(buf, 7))
    digest.add(1 if other.defaulted else 0)
    for value in other.values:
        digest.add(value)
    buf[at] = old
digest.tell()
