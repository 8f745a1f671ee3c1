from kit import Chance, Digest
from walktall import settings

held = settings.Settings()
chance = Chance(6)
digest = Digest("settings")
buf = bytearray(400)
for name in [row[0] for row in settings.SETTINGS] + ["unknown"]:
    index = settings.index_of(name)
    print(name, held.get(name), settings.describe_limits(index) if index >= 0 else "")
for text in "walk desk +z -x z 10 +12 -3 1e3 12.5 99999999999 \u0661 on".split() + ["", " 15 "]:
    print([settings.parse_text(row[0], text) for row in settings.SETTINGS])
for _ in range(2000):
    index = chance.below(settings.N_SETTINGS + 1)
    digest.add(1 if held.set_index(index, chance.below(200) - 5) else 0)
    for letter in held.why:
        digest.add(ord(letter))
for value in held.values:
    digest.add(value)
digest.tell()
print(list(held.values), held.on_limit_deg(), held.off_limit_deg())
end = held.pack_into(buf, 7)
other = settings.Settings()
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
for index in range(settings.N_SETTINGS):
    print(settings.format_text(settings.SETTINGS[index][0], held.values[index]))
