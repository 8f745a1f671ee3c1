from kit import Chance, Digest
from walktall import journal, records

chance = Chance(11)


class Bank:
    """Memory that erases before it programs, and can be cut in the middle."""

    def __init__(self, size):
        self.size = size
        self.data = bytearray(size)
        for i in range(size):
            self.data[i] = 0xFF
        self.cut_at = -1

    def read_into(self, offset, buf):
        for i in range(len(buf)):
            buf[i] = self.data[offset + i]

    def write(self, buf):
        for i in range(self.size):
            self.data[i] = 0xFF
        n = len(buf) if self.cut_at < 0 else min(self.cut_at, len(buf))
        for i in range(n):
            self.data[i] = buf[i]
        if self.cut_at >= 0:
            self.cut_at = -1
            raise OSError(5)


def random_bytes(n):
    data = bytearray(n)
    for i in range(n):
        data[i] = 1 + chance.below(255)
    return bytes(data)


digest = Digest("journal")
banks = (Bank(4096), Bank(4096))
for boot in range(12):
    held = journal.Journal(banks, random_bytes)
    found = held.load()
    print(boot, found, held.bank, list(held.head)[:6] if found else list(held.head), held.settings.get("hold_s"))
    utc_s = 200000000 + boot * 43200
    for walk in range(6):
        fields = records.new_session_fields()
        fields[records.S_BOOT] = boot
        fields[records.S_START_UTC_S] = utc_s + walk * 1000
        fields[records.S_WEAR_S] = 200 + chance.below(2000)
        fields[records.S_GOOD_S] = fields[records.S_WEAR_S]
        digest.add(held.append(fields))
        if chance.below(4) == 0:
            banks[1 - held.bank].cut_at = chance.below(4096)
        digest.add(held.commit(utc_s, walk * 100))
        digest.add(held.written)
    held.settings.set("hold_s", 5 + boot)
    held.touch(journal.WHY_SETTINGS, 1000)
    for i in range(3):
        held.calibration[i] = chance.between(-8197, 8197)
    held.touch(journal.WHY_CALIBRATION, 1000)
    digest.add(held.poll(utc_s, 1001))
    digest.add(held.poll(utc_s, 1010))
    seq = held.head[journal.J_NEXT_SEQ] - 1 - chance.below(3)
    if boot % 3 == 1 and seq > 0:
        digest.add(held.acknowledge(seq, held.unacked_crc(seq), 2000))
        digest.add(held.poll(utc_s, 2010))
    slot = bytearray(92)
    for k in range(held.written):
        held.read_into(k, slot, 0)
        for byte in slot:
            digest.add(byte)
    for bank in banks:
        for at in range(0, 4096, 61):
            digest.add(bank.data[at])
    digest.tell()
held = journal.Journal(banks, random_bytes)
held.load()
print(held.format(200000000, 5), held.head[journal.J_COUNT], held.head[journal.J_NEXT_SEQ])
