from kit import Chance, Digest
from walktall import journal, link, records, wire

chance = Chance(12)


class Bank:
    def __init__(self):
        self.size = 4096
        self.data = bytearray(4096)

    def read_into(self, offset, buf):
        for i in range(len(buf)):
            buf[i] = self.data[offset + i]

    def write(self, buf):
        for i in range(len(buf)):
            self.data[i] = buf[i]


class Port:
    """Takes and gives a few bytes at a time, as a serial port does."""

    def __init__(self):
        self.connected = True
        self.to_device = []
        self.from_device = bytearray()

    @property
    def in_waiting(self):
        return len(self.to_device)

    def readinto(self, buf):
        n = min(len(buf), len(self.to_device), 1 + chance.below(64))
        for i in range(n):
            buf[i] = self.to_device[i]
        self.to_device = self.to_device[n:]
        return n

    def write(self, buf):
        n = min(len(buf), chance.below(120))
        for i in range(n):
            self.from_device.append(buf[i])
        return n


class Ring:
    """Four blocks, one of them unreadable."""

    ring_id = b"ring"
    layout = 1
    first_block = 7
    next_block = 11
    capacity = 4
    torn = 1
    fault = False
    wiping = False

    def read_into(self, block, offset, buf):
        if block == 9:
            return 0
        n = min(len(buf), 512 - offset)
        for i in range(n):
            buf[i] = (block * 31 + offset + i) & 0xFF
        return n


class Handler:
    def __init__(self, held):
        self.journal = held
        self.trace = Ring()
        self._told = []
        self.clock_s = 0

    def uptime_s(self):
        return 1234

    def utc_s(self):
        return self.clock_s

    def hello_into(self, values):
        values[wire.H_BOARD] = "exercise"
        values[wire.H_CHIP] = "lsm6ds3trc"
        values[wire.H_BATTERY_MV] = 3987
        values[wire.H_FLAGS] = wire.HF_USB

    def set_clock(self, utc_s):
        self.clock_s = utc_s

    def settings_changed(self):
        self._told.append("settings")

    def identify(self):
        self._told.append("identify")

    def begin_calibration(self):
        self._told.append("calibrate")
        return len(self._told) % 2 == 0

    def cancel_calibration(self):
        self._told.append("cancel")

    def calibration_status(self):
        return 4

    def selftest_into(self, buf):
        for i in range(16):
            buf[i] = 16 - i
        return 0

    def mark(self):
        self._told.append("mark")

    def maintenance(self):
        return True

    def wipe(self):
        self.trace.wiping = True

    def raw(self, minutes):
        self._told.append("raw")
        return minutes * 60 if minutes < 9 else -1

    def raw_left_s(self):
        return 5


def random_bytes(n):
    data = bytearray(n)
    for i in range(n):
        data[i] = 1 + chance.below(255)
    return bytes(data)


held = journal.Journal((Bank(), Bank()), random_bytes)
held.load()
for walk in range(5):
    fields = records.new_session_fields()
    fields[records.S_WEAR_S] = fields[records.S_GOOD_S] = 1000 + walk
    held.append(fields)
held.commit(200000000, 10)
handler = Handler(held)
port = Port()
device = link.Link(port, handler)
digest = Digest("link")
now_ms = 0


def ask(data, polls=40):
    global now_ms
    for byte in data:
        port.to_device.append(byte)
    for _ in range(polls):
        now_ms += 10
        device.poll(now_ms)
    decoder = wire.Decoder()
    told = []
    at = 0
    sent = bytes(port.from_device)
    while at < len(sent):
        at = decoder.feed(sent, at, len(sent))
        if decoder.size:
            told.append((wire.frame_kind(decoder.frame), wire.frame_body(decoder)))
    port.from_device = bytearray()
    for byte in sent:
        digest.add(byte)
    return told


for request_id, kind, body in (
    (1, wire.HELLO, b""),
    (2, wire.CLOCK, wire.pack(wire.CLOCK_REQUEST_FIELDS, (200500000,))),
    (3, wire.FETCH, wire.pack(wire.FETCH_REQUEST_FIELDS, (2, 3))),
    (4, wire.SETTINGS_GET, b"\x00"),
    (5, wire.SETTINGS_SET, wire.pack_settings(((1, 15), (2, 14)))),
    (6, wire.SETTINGS_SET, wire.pack_settings(((2, 7), (1, 15)))),
    (7, wire.CALIBRATE, b"\x01"),
    (7, wire.CALIBRATE, b"\x01"),
    (8, wire.IDENTIFY, b""),
    (9, wire.SELFTEST, b""),
    (10, wire.LIVE, b"\x01"),
    (11, wire.MARK, b""),
    (12, wire.FETCH_TRACE, wire.pack(wire.FETCH_TRACE_REQUEST_FIELDS, (3, 0, 0))),
    (13, wire.FETCH_TRACE, wire.pack(wire.FETCH_TRACE_REQUEST_FIELDS, (8, 500, 1))),
    (14, wire.FETCH_TRACE, b"\x00\x00\x00\x80" + bytes(4)),
    (15, wire.RAW, b"\x02"),
    (16, wire.RAW, b"\x09"),
    (17, wire.RAW, b"\xff"),
    (12, wire.FORMAT, bytes(8)),
    (13, 77, b"what"),
    (14, wire.CLOCK, b"\x01"),
):
    for answer in ask(wire.encode(kind, request_id, body)):
        print(request_id, answer)
print(handler._told)

# Garbage, cut frames and doubled ones: the answers still come, and they are the same on both interpreters.
for turn in range(60):
    data = bytearray()
    for _ in range(chance.below(200)):
        data.append(chance.below(256))
    data += b"\x00"
    data += wire.encode(wire.FETCH, 100 + turn, wire.pack(wire.FETCH_REQUEST_FIELDS, (chance.below(7), 0)))
    if chance.below(3) == 0:
        data[chance.below(len(data))] = chance.below(256)
    if chance.below(8) == 0:
        port.connected = False
        device.poll(now_ms)
        port.connected = True
    digest.add(len(ask(data, 60)))
digest.tell()
values = [0] * wire.LIVE_TABLE.count
print(device.push_live(values), device.bad_frames, device.faults, device.live, device.connected)
