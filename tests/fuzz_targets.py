"""What the fuzzers feed: each target takes any bytes, and raises only where something is wrong.

The same targets are fed at random (`tests/test_fuzz.py`: a bounded part in CI, 50 million bytes to each side by `make
soak`) and, the host's, guided by coverage (`python -m tests.fuzz_targets`, which needs atheris).
"""

import importlib
import inspect
import random
import sys
import zlib
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from pathlib import Path

from walktall import records as r
from walktall import retrace, rows, wire
from walktall_host import blocks, trace
from walktall_host.client import Client, Hello, Message
from walktall_host.download import download
from walktall_host.errors import ConnectionLost, WalktallError
from walktall_host.store import read_record
from walktall_host.terminal import safe

from tests import made_trace
from tests.desk_device import UTC_S, Desk, Flash, trace_block
from tests.host_clip import store_in_memory
from tests.test_journal import SMALL

NOW_S = float(UTC_S + 3600 + r.EPOCH_UNIX_S)
_TABLES = (
    wire.HELLO_FIELDS,
    wire.CLOCK_REPLY_FIELDS,
    wire.FETCH_REPLY_FIELDS,
    wire.FETCH_TRACE_REPLY_FIELDS,
    wire.TRACE_DATA_FIELDS,
    wire.RECORD_FIELDS,
    wire.ACK_REPLY_FIELDS,
    wire.LIVE_DATA_FIELDS,
    wire.SELFTEST_REPLY_FIELDS,
    wire.FORMAT_FIELDS,
    wire.RAW_REPLY_FIELDS,
)


def host_frames(data: bytes, sent: Container[bytes] | None = None) -> int:
    """The host's decoder and every table behind it: bytes as a port gives them. How many frames were taken.

    :param sent: the frames that were sent, before something happened to them: no other one may be taken
    """
    decoder = wire.Decoder()
    at = frames = 0
    while at < len(data):
        at = decoder.feed(data, at, len(data))
        if decoder.size:
            frames += 1
            assert sent is None or bytes(decoder.frame[: decoder.size]) in sent, "a frame that nobody sent"
            host_body(wire.frame_body(decoder))
    assert len(decoder.frame) == wire.MAX_FRAME
    return frames


def host_body(body: bytes) -> None:
    """Whatever a message's body is, each reader of one takes it or refuses it in its own way."""
    for fields in _TABLES:
        with suppress(ValueError):
            message = Message(wire.unpack(fields, body))
            for value in message.plain().values():
                assert isinstance(value, int) or safe(value) == value
    with suppress(ValueError):
        wire.unpack_settings(body)
    assert "\n" not in safe(str(wire.error_text(body)))


def host_record(data: bytes) -> None:
    """A record is read, or it is told why not; what is read adds up."""
    values, fault = read_record(data)
    assert (values is None) == bool(fault)
    if values is not None:
        assert r.session_fault([values[row[0]] for row in r.SESSION_FIELDS]) == ""


def host_block(data: bytes) -> None:
    """A block whose CRC holds, whatever else is in it."""
    raw = bytearray(data[: rows.BLOCK_BYTES].ljust(rows.BLOCK_BYTES, b"\0"))
    raw[rows.H_MAGIC], raw[rows.H_LAYOUT] = rows.MAGIC, rows.LAYOUT
    raw[rows.CRC_AT :] = zlib.crc32(bytes(raw[: rows.CRC_AT])).to_bytes(4, "little")
    sealed = bytes(raw)
    head = blocks.head_of(sealed)
    assert blocks.whole(sealed, head.number, head.ring_id)
    try:
        block = retrace.read(sealed)
    except retrace.BadBlock:
        return
    assert len(block.rows) <= 65536
    trace._rows([block])


class HostileClip:
    """A port at whose other end the bytes of the fuzzer answer: each request takes the next piece of them.

    What comes bears the id that was asked with and a CRC that is right: so it gets past the decoder.
    """

    name = "hostile"

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._decoder = wire.Decoder()
        self._out = bytearray()
        self.s = 0.0

    def monotonic(self) -> float:
        self.s += 0.0001
        return self.s

    def _take(self, n: int) -> bytes:
        piece = self._data[self._at : self._at + n]
        self._at += n
        return piece

    def read(self, timeout_s: float) -> bytes:
        if not self._out:
            self.s += timeout_s
            if self._at >= len(self._data):
                raise ConnectionLost("no more")
        data = bytes(self._out)
        self._out.clear()
        return data

    def write(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            at = self._decoder.feed(data, at, len(data))
            if self._decoder.size:
                self._answer(wire.frame_kind(self._decoder.frame), wire.frame_id(self._decoder.frame))

    def _answer(self, kind: int, request_id: int) -> None:
        for _ in range(8):
            (what,) = self._take(1) or b"\0"
            size = (self._take(1) or b"\0")[0] % (wire.MAX_BODY + 1)
            if what & 7 == 0:  # noise
                self._out += self._take(size)
                return
            if what & 7 == 1:
                self._out += wire.encode(wire.RECORD, request_id, self._take(95))
            elif what & 7 == 2:
                head = self._take(2).ljust(2, b"\0")
                piece = wire.pack(wire.TRACE_DATA_FIELDS, (head[0] & 31, head[1] % 3 * wire.TRACE_PIECE))
                self._out += wire.encode(wire.TRACE_DATA, request_id, piece + self._take(wire.TRACE_PIECE))
            elif what & 7 == 3:
                self._out += wire.encode(wire.ERROR, request_id, bytes([kind]) + self._take(size % 40))
                return
            else:
                body = bytearray(self._take(size))
                if kind == wire.HELLO and what & 8:
                    body = bytearray(_HELLO)
                    for _ in range(what >> 4):
                        where = self._take(2).ljust(2, b"\0")
                        body[where[0] % len(body)] = where[1]
                self._out += wire.encode(kind | wire.REPLY, request_id, bytes(body[: wire.MAX_BODY]))
                return

    def close(self) -> None:
        """Nothing to give back."""


def _hello() -> bytes:
    desk = Desk((Flash(SMALL), Flash(SMALL)))
    desk.record(300)
    assert desk.handler.trace is not None
    desk.handler.trace.add(trace_block(0))
    return desk.ask(wire.HELLO)[0][2]


_HELLO = _hello()


def host_download(data: bytes) -> None:
    """A download from a clip that says anything: it ends with one of our own errors or with a result; what is stored
    is what came, read or told as unreadable."""
    port = HostileClip(data)
    client = Client(port, port.monotonic, first_id=2000)
    with store_in_memory() as store:
        with suppress(WalktallError):
            hello: Hello = client.hello()
            download(client, hello, store, lambda: NOW_S)
        for session in store.sessions():
            assert r.session_fault([session[row[0]] for row in r.SESSION_FIELDS]) == ""
        for number, raw in store._db.execute("SELECT block, raw FROM trace_block"):
            assert blocks.head_of(raw).number == number
    # However it chatters: it is over within a few requests' time-outs.
    assert port.s < 2000


class DeviceTarget:
    """The device's side: one device that lives on, whatever it is fed."""

    def __init__(self) -> None:
        self.desk = Desk((Flash(SMALL), Flash(SMALL)))
        self.desk.record(300)
        self.desk.record(400)
        for number in range(3):
            assert self.desk.handler.trace is not None
            self.desk.handler.trace.add(trace_block(number))
        self.held = self.desk.fetch()
        self.fed = 0

    def feed(self, data: bytes) -> None:
        desk = self.desk
        self.fed += len(data)
        desk.port.to_device += data
        desk.live_asked.clear()
        for _ in range(len(data) // 64 + 40):
            desk.poll()
            desk.port.from_device.clear()
            if not desk.port.to_device and not desk.link.busy:
                break
        assert not desk.port.to_device
        assert desk.link.faults == 0, "a fault of its own"

    def check(self) -> None:
        """It answers on, and holds what it held."""
        desk = self.desk
        desk._decoder.reset()
        desk.port.to_device += b"\0"
        desk.run()
        desk.port.from_device.clear()
        assert desk.hello()["sessions"] == 2
        assert desk.fetch() == self.held
        assert desk.journal.settings.check()
        assert len(desk.link._tx) == 520 and len(desk.link._decoder.frame) == wire.MAX_FRAME


def mutated(chance: random.Random, data: bytes, most: int = 3) -> bytes:
    """The same bytes with up to ``most`` of them changed, one left out or doubled now and then, or the end cut off."""
    out = bytearray(data)
    for _ in range(chance.randrange(most + 1)):
        if out:
            out[chance.randrange(len(out))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    what = chance.randrange(24)
    if out and what < 3:
        at = chance.randrange(len(out))
        if what == 0:
            del out[at]
        elif what == 1:
            out.insert(at, out[at])
        else:
            del out[at:]
    return bytes(out)


def request(chance: random.Random) -> tuple[int, bytes]:
    """Kind and body of a request such as a host sends."""

    def some(n: int) -> bytes:
        return chance.randrange(n).to_bytes(4, "little")

    kind = chance.randrange(1, wire.N_KINDS)
    if kind == wire.CLOCK:
        body = chance.choice((bytes(4), some(1 << 30)))
    elif kind == wire.FETCH:
        body = some(8)[:2] + some(10)[:2]
    elif kind == wire.ACK:
        body = some(5)[:2] + chance.randbytes(4)
    elif kind == wire.SETTINGS_SET:
        count = chance.randrange(1, 4)
        pairs = (bytes([chance.randrange(48)]) + some(chance.choice((2, 20, 300))) for _ in range(count))
        body = bytes([count]) + b"".join(pairs)
    elif kind == wire.FORMAT:
        # Asking for a nonce is harmless; guessing one is a matter of 2^32.
        body = chance.choice((bytes(4), chance.randbytes(4))) + chance.randbytes(4)
    elif kind == wire.FETCH_TRACE:
        body = some(6) + some(600)[:2] + some(6)[:2]
    else:
        body = some(4)[:1]
    return kind, body


def requests(chance: random.Random) -> bytes:
    """A stream that a host might send, with something wrong in it now and then: noise, anything in a frame that checks,
    requests of which some bytes are others, frames that were changed or cut on their way."""
    out = bytearray()
    for _ in range(chance.randrange(1, 12)):
        what = chance.randrange(8)
        if what == 0:
            out += chance.randbytes(chance.randrange(300))
            continue
        if what < 3:
            kind, body = chance.randrange(256), chance.randbytes(chance.randrange(0, 60))
        else:
            kind, body = request(chance)
            body = mutated(chance, body, 2)
        if kind == wire.CLOCK and len(body) >= 4:
            body = body[:3] + bytes([body[3] & 0x3F]) + body[4:]
        frame = bytes(wire.encode(kind, chance.randrange(65536), body))
        out += mutated(chance, frame) if chance.randrange(4) == 0 else frame
    return bytes(out)


def replies(chance: random.Random) -> tuple[bytes, set[bytes]]:
    """A stream that a clip might send, with something wrong in it now and then; and the frames that it did send."""
    out = bytearray()
    sent = set()
    for _ in range(chance.randrange(1, 6)):
        what = chance.randrange(6)
        if what == 0:
            out += chance.randbytes(chance.randrange(300))
            continue
        kind = chance.choice((wire.RECORD, wire.TRACE_DATA, wire.LIVE_DATA, wire.ERROR, wire.HELLO | wire.REPLY))
        if what == 1:
            body = mutated(chance, _HELLO)
        elif what == 2:
            body = mutated(chance, b"\1\0\0" + chance.choice(_SLOTS))
        else:
            body = chance.randbytes(chance.randrange(wire.MAX_BODY + 1))
        frame = bytearray(wire.MAX_FRAME)
        frame[wire.HEADER_SIZE : wire.HEADER_SIZE + len(body)] = body
        size = wire.frame_into(frame, len(body), kind, chance.randrange(65536))
        sent.add(bytes(frame[:size]))
        coded = bytearray(wire.MAX_ENCODED)
        end = wire.stuff_into(frame, size, coded, 0)
        out += mutated(chance, bytes(coded[:end])) if chance.randrange(3) == 0 else coded[:end]
    return bytes(out), sent


def _made() -> tuple[Sequence[bytes], Sequence[bytes]]:
    walk = made_trace.plain_walk(400, leans=((100, 140), (200, 230)))
    return [made_trace.slot_of(made_trace.record_of(walk))], list(made_trace.blocks(walk).values())


#: A record and blocks as a clip makes them.
_SLOTS, _BLOCKS = _made()


def record_like(chance: random.Random) -> bytes:
    """A record with something wrong in it, or bytes of a record's size."""
    if chance.randrange(2):
        return mutated(chance, chance.choice(_SLOTS))
    return bytes([chance.randrange(3)]) + chance.randbytes(91)


def block_like(chance: random.Random) -> bytes:
    """A block with something wrong in it, or one with few things in it: rows that can nearly be read."""
    if chance.randrange(2):
        return mutated(chance, chance.choice(_BLOCKS), 6)
    data = bytearray(rows.BLOCK_BYTES)
    data[rows.H_KIND] = 1
    data[rows.H_FLAGS] = chance.choice((0, 0, 1, 2, 3, 4, 7, 23))
    data[rows.H_ROWS_FROM] = chance.choice((rows.HEADER_BYTES, rows.HEADER_BYTES, 80, chance.randrange(256)))
    end = chance.choice((90, 200, 500, chance.randrange(600)))
    data[rows.H_ROWS_END : rows.H_ROWS_END + 2] = end.to_bytes(2, "little")
    for _ in range(chance.randrange(80)):
        data[chance.randrange(40, rows.CRC_AT)] = chance.randrange(256)
    return bytes(data)


HOST_TARGETS: dict[str, Callable[[bytes], object]] = {
    "frames": host_frames,
    "body": host_body,
    "record": host_record,
    "block": host_block,
    "download": host_download,
}


_SEEN = (
    "walktall.frames",
    "walktall.packing",
    "walktall.wire",
    "walktall.records",
    "walktall.slots",
    "walktall.rows",
    "walktall.retrace",
    "walktall_host.blocks",
    "walktall_host.client",
    "walktall_host.download",
    "walktall_host.trace",
    "tests.fuzz_targets",
)


def write_seeds(folder: Path, seed: int) -> None:
    """Some inputs for each target from which the fuzzer sets out."""
    chance = random.Random(seed)
    names = sorted(HOST_TARGETS)
    for k, name in enumerate(names):
        for n in range(12):
            data = {
                "frames": replies(chance)[0],
                "record": chance.choice(_SLOTS),
                "block": chance.choice(_BLOCKS),
            }.get(name, chance.randbytes(chance.randrange(1, 512)))
            (folder / f"{name}{n}").write_bytes(bytes([k]) + data)


def main() -> None:
    """Feed the host's targets, guided by coverage: ``python -m tests.fuzz_targets [libFuzzer's options]``."""
    import atheris

    # Only what reads the clip's bytes: to see the coverage of everything would cost nine tenths of the speed.
    for name in _SEEN:
        for each in vars(importlib.import_module(name)).values():
            functions = vars(each).values() if inspect.isclass(each) else (each,)
            for function in functions:
                if inspect.isfunction(function) and function.__module__ == name:
                    atheris.instrument_func(function)
    names = sorted(HOST_TARGETS)

    def one(data: bytes) -> None:
        if data:
            HOST_TARGETS[names[data[0] % len(names)]](data[1:])

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
