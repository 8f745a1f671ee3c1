"""Heap that the link takes anew: idle, for garbage, for each kind of request.

The machine frees only when control goes back to JavaScript, so nothing that a turn takes is missed.
"""

import gc

from walktall import journal, link, records, wire


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
    """Gives from a standing buffer and takes without keeping."""

    def __init__(self):
        self.connected = True
        self.given = bytearray(400)
        self.at = 0
        self.n = 0
        self.taken = 0

    @property
    def in_waiting(self):
        return self.n - self.at

    def give(self, data):
        self.at = 0
        self.n = len(data)
        for i in range(self.n):
            self.given[i] = data[i]

    def readinto(self, buf):
        n = self.n - self.at
        if n > len(buf):
            n = len(buf)
        for i in range(n):
            buf[i] = self.given[self.at + i]
        self.at += n
        return n

    def write(self, buf):
        self.taken += len(buf)
        return len(buf)


class Ring:
    ring_id = b"ring"
    layout = 1
    first_block = 0
    next_block = 1000
    capacity = 1000
    torn = 0
    fault = False
    wiping = False

    def read_into(self, block, offset, buf):
        n = len(buf)
        if n > 512 - offset:
            n = 512 - offset
        for i in range(n):
            buf[i] = block & 0xFF
        return n


class Handler:
    def __init__(self, held):
        self.journal = held
        self.trace = Ring()

    def raw_left_s(self):
        return 0

    def uptime_s(self):
        return 1234

    def utc_s(self):
        return 0

    def hello_into(self, values):
        values[wire.H_BOARD] = "exercise"


def drawn(n):
    return bytes(n)


held = journal.Journal((Bank(), Bank()), drawn)
held.load()
fields = records.new_session_fields()
for wear_s in (600, 700):
    fields[records.S_WEAR_S] = wear_s
    held.append(fields)
    held.commit(0, 1, True)
port = Port()
line = link.Link(port, Handler(held))
line.poll(0)


def turns(n):
    taken = gc.mem_alloc()
    for now_ms in range(0, 10 * n, 10):
        line.poll(now_ms)
    return gc.mem_alloc() - taken


print("idle", turns(100))
noise = bytearray(300)
for i in range(300):
    noise[i] = 1 + (i * 37) % 255 if i % 60 else 0
port.give(noise)
print("noise", turns(10), line.bad_frames)
for kind, body in (
    (wire.HELLO, b""),
    (wire.FETCH, bytes(4)),
    (wire.ACK, bytes(6)),
    (wire.SETTINGS_GET, b"\0"),
    (wire.CLOCK, bytes(4)),
    (wire.FETCH_TRACE, b"\5\0\0\0\0\0\1\0"),
):
    port.give(wire.encode(kind, 9, body))
    port.taken = 0
    print(wire.KIND_NAMES[kind], turns(10), port.taken)
