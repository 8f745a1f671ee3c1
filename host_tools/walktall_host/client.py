"""One clip on one port: requests out, replies checked and typed.

Whatever comes is hostile until it is checked. ``wire.Decoder`` drops what does not check; here a reply has to be of the
right kind, carry its request's id and be long enough, and a stream of replies has an end in number and in time. What
did not come is asked for again under the same id, by which the clip knows what it has done already.

It stores nothing (``store`` does) and does not know the order of a download (``download`` does).
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from walktall import records, wire

from .errors import BadReply, NoAnswer, NotAClip, Refused
from .terminal import safe
from .transport import Port

# A clip answers within some 10 ms; it is blind for as long as a commit takes (two pages of flash: under 0.2 s) and for
# a buzz (under 2 s).
REPLY_TIMEOUT_S = 3.0
TRIES = 3
# However busily a port chatters, one request is over after this.
_CHATTER_S = 20.0
# To somebody that may be no clip at all: brief, and asked twice (the first bytes after opening can be lost).
HELLO_TIMEOUT_S = 1.5
HELLO_TRIES = 2
_ID_MAX = 0xFFFF
# Ctrl-C and Ctrl-D mean something to CircuitPython's console, which a port that is only probed may turn out to be.
_CONSOLE_KEYS = (3, 4)

#: Live data of the first firmware: up to ``lost``.
LIVE_LEAST_BYTES = int(wire.fields_size(wire.LIVE_DATA_FIELDS[: wire.LIVE_LOST + 1]))

Values = Mapping[str, int | str | bytes]
Fields = tuple[tuple[str, str, str], ...]


class Message:
    """The fields of one message, by the names of its table in ``walktall.wire``."""

    def __init__(self, values: Values) -> None:
        self.values = values

    def number(self, name: str) -> int:
        value = self.values[name]
        assert isinstance(value, int), name
        return value

    def text(self, name: str) -> str:
        value = self.values[name]
        assert isinstance(value, str), name
        return safe(value)

    def raw(self, name: str) -> bytes:
        value = self.values[name]
        assert isinstance(value, bytes), name
        return value

    def plain(self) -> dict[str, int | str]:
        """All fields as JSON holds them: bytes as hexadecimal digits."""
        return {
            name: value.hex() if isinstance(value, bytes) else safe(value) if isinstance(value, str) else value
            for name, value in self.values.items()
        }


class Hello(Message):
    """What the clip says of itself."""

    #: What the walker calls it, '' = nothing: the clip does not know.
    nickname = ""

    @property
    def device_id(self) -> bytes:
        return self.raw("device_id")

    @property
    def journal_id(self) -> bytes:
        return self.raw("journal_id")

    @property
    def name(self) -> str:
        """How the walker calls it: its nickname, else the first digits of its id."""
        return self.nickname or short_name(self.device_id)

    def has(self, flag: int) -> bool:
        """One of ``wire.HF_...``."""
        return bool(self.number("flags") & flag)

    @property
    def flag_names(self) -> list[str]:
        flags = self.number("flags")
        return [name for bit, name in enumerate(wire.HELLO_FLAG_NAMES) if flags >> bit & 1]


def short_name(device_id: bytes) -> str:
    """A clip's name: the first four hexadecimal digits of its id."""
    return device_id.hex()[:4]


@dataclass(frozen=True)
class Sent:
    """One record as the clip sent it."""

    seq: int
    acked: bool
    raw: bytes


@dataclass(frozen=True)
class Batch:
    """What one FETCH brought."""

    records: list[Sent]
    #: True when the clip said how many it sent and all of them came.
    complete: bool
    #: With ``complete``: everything below this that the clip holds has come.
    next_seq: int


@dataclass(frozen=True)
class Blocks:
    """What one FETCH_TRACE brought."""

    #: Blocks of which every byte came, by number; not yet looked into.
    whole: dict[int, bytes]
    #: (number, its first bytes) of a block that broke off, None = there is none.
    begun: tuple[int, bytes] | None
    #: True when the clip said how many it sent and all of them came.
    complete: bool
    #: With ``complete``: everything below this that the clip can read has come.
    next_block: int


class Client:
    """Requests to the clip on ``port``."""

    def __init__(
        self, port: Port, monotonic: Callable[[], float] = time.monotonic, first_id: int | None = None
    ) -> None:
        self.port = port
        self._monotonic = monotonic
        self._decoder = wire.Decoder()
        self._left = b""
        # Anywhere: what is still under way for whoever had the port before bears other ids.
        self._id = random.randrange(_ID_MAX) if first_id is None else first_id - 1

    @property
    def bad_frames(self) -> int:
        """Frames from the clip that did not check."""
        return int(self._decoder.bad)

    # Frames.

    def _next_frame(self, until_s: float) -> tuple[int, int, bytes] | None:
        """Kind, id and body of the next frame of our protocol, None when the time is over."""
        while True:
            while self._left:
                used = self._decoder.feed(self._left, 0, len(self._left))
                self._left = self._left[used:]
                if self._decoder.size:
                    frame = self._decoder.frame
                    if wire.frame_version(frame) == wire.PROTOCOL:
                        return wire.frame_kind(frame), wire.frame_id(frame), wire.frame_body(self._decoder)
            now_s = self._monotonic()
            if now_s >= until_s:
                return None
            self._left = self.port.read(until_s - now_s)

    def _encode(self, kind: int, body: bytes, console_safe: bool) -> tuple[int, bytes]:
        """A new request id and the bytes on the wire."""
        while True:
            self._id = self._id % _ID_MAX + 1
            data = bytes(wire.encode(kind, self._id, body))
            if not console_safe or not any(key in data for key in _CONSOLE_KEYS):
                return self._id, data

    def _own_error(self, kind: int, body: bytes) -> Refused | None:
        """The error that an ERROR reply to a request of this kind tells; None when it is not one."""
        if len(body) < 2 or body[0] != kind:
            return None
        return Refused(f"the clip refused: {safe(str(wire.error_text(body)))}", body[1])

    def ask(
        self,
        kind: int,
        body: bytes = b"",
        fields: Fields = (),
        *,
        least: int | None = None,
        timeout_s: float = REPLY_TIMEOUT_S,
        tries: int = TRIES,
        console_safe: bool = False,
    ) -> bytes:
        """The body of the reply to one request.

        :param fields: the reply's table; a body shorter than it is no answer
        :param least: accept this many bytes instead (a later message only appends: an earlier one is shorter)
        :raises NoAnswer: silence after ``tries`` repetitions
        :raises Refused: the clip answered with an error
        """
        if least is None:
            least = int(wire.fields_size(fields))
        short = False
        request_id, data = self._encode(kind, body, console_safe)
        for _ in range(tries):
            self.port.write(data)
            until_s = self._monotonic() + timeout_s
            while (frame := self._next_frame(until_s)) is not None:
                got_kind, got_id, got = frame
                if got_id != request_id:
                    continue
                if got_kind == wire.ERROR:
                    refused = self._own_error(kind, got)
                    if refused is not None:
                        raise refused
                elif got_kind == kind | wire.REPLY:
                    if len(got) >= least:
                        return got
                    short = True
        name = wire.KIND_NAMES[kind]
        if short:
            raise BadReply(f"the clip on {safe(self.port.name)} answers '{name}' with too few bytes")
        raise NoAnswer(f"no answer to '{name}' from {safe(self.port.name)}: unplug the clip, plug it in, try again")

    @staticmethod
    def _read(fields: Fields, body: bytes) -> Values:
        try:
            values: Values = wire.unpack(fields, body)
        except ValueError as fault:
            raise BadReply(f"the clip's answer makes no sense: {fault}") from fault
        return values

    # Requests.

    def hello(self) -> Hello:
        """What the clip says of itself. It may be no clip: nothing is sent that a console would take for a key.

        :raises NotAClip: nothing there answers as a clip does
        """
        try:
            body = self.ask(
                wire.HELLO,
                least=wire.fields_size(wire.HELLO_FIELDS[: wire.H_PROTOCOL + 1]),
                timeout_s=HELLO_TIMEOUT_S,
                tries=HELLO_TRIES,
                console_safe=True,
            )
        except NoAnswer as fault:
            raise NotAClip(
                f"what is on {safe(self.port.name)} does not answer as a Walktall clip: another program's device, the "
                "clip's console (the data port is the other one), or a clip that is not running"
            ) from fault
        hello = Hello(self._read(wire.HELLO_FIELDS, body))
        if hello.number("protocol") != wire.PROTOCOL:
            raise BadReply(
                f"the clip speaks protocol {hello.number('protocol')}, this tool {wire.PROTOCOL}: "
                f"upgrade {'the tool' if hello.number('protocol') > wire.PROTOCOL else 'the clip'}"
            )
        if hello.device_id == bytes(8):
            raise BadReply("the clip cannot read its own memory and has no identity: unplug it, plug it in, try again")
        return hello

    def clock(self, utc_s: int) -> Message:
        """Set the clip's clock (0 asks without setting); what it was before, and when that was set."""
        body = self.ask(wire.CLOCK, wire.pack(wire.CLOCK_REQUEST_FIELDS, (utc_s,)), wire.CLOCK_REPLY_FIELDS)
        return Message(self._read(wire.CLOCK_REPLY_FIELDS, body))

    def fetch(self, from_seq: int, limit: int, timeout_s: float = REPLY_TIMEOUT_S) -> Batch:
        """Up to ``limit`` records from that number on. It does not repeat: what came is returned, for what did not the
        caller asks again.

        :raises Refused: the clip answered with an error
        :raises BadReply: a record that cannot be
        """
        request_id, data = self._encode(wire.FETCH, wire.pack(wire.FETCH_REQUEST_FIELDS, (from_seq, limit)), False)
        self.port.write(data)
        head = wire.fields_size(wire.RECORD_FIELDS)
        found: dict[int, Sent] = {}
        end_s = self._monotonic() + _CHATTER_S
        until_s = self._monotonic() + timeout_s
        while (frame := self._next_frame(min(until_s, end_s))) is not None:
            kind, got_id, body = frame
            if got_id != request_id:
                continue
            if kind == wire.ERROR:
                refused = self._own_error(wire.FETCH, body)
                if refused is not None:
                    raise refused
            elif kind == wire.RECORD:
                sent = self._sent(body, head, from_seq)
                found[sent.seq] = sent
                if len(found) > limit:
                    raise BadReply(f"the clip sent more than the {limit} records it was asked for")
                until_s = self._monotonic() + timeout_s
            elif kind == wire.FETCH | wire.REPLY and len(body) >= wire.fields_size(wire.FETCH_REPLY_FIELDS):
                reply = Message(self._read(wire.FETCH_REPLY_FIELDS, body))
                return Batch(
                    [found[seq] for seq in sorted(found)],
                    reply.number("sent") == len(found),
                    reply.number("next_seq"),
                )
        return Batch([found[seq] for seq in sorted(found)], False, 0)

    def _sent(self, body: bytes, head: int, from_seq: int) -> Sent:
        fields = Message(self._read(wire.RECORD_FIELDS, body))
        raw = body[head:]
        seq = fields.number("seq")
        if seq < from_seq or len(raw) < 3:
            raise BadReply(f"the clip sent a record {seq} that it was not asked for, or an empty one")
        # In every layout the record's own number stands behind its layout byte.
        if wire.u16(raw, 1) != seq:
            raise BadReply(f"the clip sent record {wire.u16(raw, 1)} under the number {seq}")
        return Sent(seq, fields.number("acked") != 0, raw)

    def fetch_trace(
        self,
        from_block: int,
        limit: int,
        block_bytes: int,
        begun: bytes = b"",
        timeout_s: float = REPLY_TIMEOUT_S,
    ) -> Blocks:
        """Up to ``limit`` blocks of the trace from that number on. It does not repeat: what came is returned, for what
        did not the caller asks again.

        :param begun: bytes of the first block that are here already
        :raises Refused: the clip answered with an error
        :raises BadReply: a piece that cannot be
        """
        body = wire.pack(wire.FETCH_TRACE_REQUEST_FIELDS, (from_block, len(begun), limit))
        request_id, data = self._encode(wire.FETCH_TRACE, body, False)
        self.port.write(data)
        head = wire.fields_size(wire.TRACE_DATA_FIELDS)
        found: dict[int, bytearray] = {from_block: bytearray(begun)} if begun else {}
        end_s = self._monotonic() + _CHATTER_S
        until_s = self._monotonic() + timeout_s
        sent = next_block = -1
        while sent < 0 and (frame := self._next_frame(min(until_s, end_s))) is not None:
            kind, got_id, body = frame
            if got_id != request_id:
                continue
            if kind == wire.ERROR:
                refused = self._own_error(wire.FETCH_TRACE, body)
                if refused is not None:
                    raise refused
            elif kind == wire.TRACE_DATA:
                fields = Message(self._read(wire.TRACE_DATA_FIELDS, body))
                number, offset, piece = fields.number("block"), fields.number("offset"), body[head:]
                if number < from_block or not piece or offset + len(piece) > block_bytes:
                    raise BadReply(f"the clip sent a piece of block {number} that it was not asked for")
                have = found.setdefault(number, bytearray())
                if len(found) > limit:
                    raise BadReply(f"the clip sent more than the {limit} blocks of the trace it was asked for")
                if offset == len(have):  # doubled, or behind one that was lost: the clip is asked again
                    have += piece
                until_s = self._monotonic() + timeout_s
            elif kind == wire.FETCH_TRACE | wire.REPLY and len(body) >= wire.fields_size(wire.FETCH_TRACE_REPLY_FIELDS):
                reply = Message(self._read(wire.FETCH_TRACE_REPLY_FIELDS, body))
                sent, next_block = reply.number("sent"), reply.number("next_block")
        whole = {number: bytes(have) for number, have in found.items() if len(have) == block_bytes}
        broken = sorted(number for number, have in found.items() if 0 < len(have) < block_bytes)
        return Blocks(
            whole,
            (broken[0], bytes(found[broken[0]])) if broken else None,
            sent == len(whole) and next_block > from_block,
            next_block,
        )

    def raw(self, minutes: int) -> int:
        """Seconds of raw recording left after asking for so many minutes of it (0 ends it, ``wire.RAW_ASK`` asks).

        :raises Refused: not now, or not for so long
        """
        body = self.ask(wire.RAW, wire.pack(wire.RAW_REQUEST_FIELDS, (minutes,)), wire.RAW_REPLY_FIELDS)
        return Message(self._read(wire.RAW_REPLY_FIELDS, body)).number("left_s")

    def format(self, nonce: bytes = b"\0\0\0\0", journal_id: bytes = b"\0\0\0\0") -> tuple[bytes, bytes]:
        """(nonce, journal id) as FORMAT answers: asked without a nonce nothing happens but that one is drawn; with it
        and the journal's own id the clip gives up everything.

        :raises Refused: ``wire.E_NONCE`` when the nonce is another one
        """
        body = self.ask(wire.FORMAT, wire.pack(wire.FORMAT_FIELDS, (nonce, journal_id)), wire.FORMAT_FIELDS)
        reply = Message(self._read(wire.FORMAT_FIELDS, body))
        return reply.raw("nonce"), reply.raw("journal_id")

    def acknowledge(self, seq: int, crc: bytes) -> Message:
        """Tell the clip that its records up to ``seq`` are safe here.

        :param crc: over the raw bytes of each record that it holds unacknowledged up to there, as stored
        :raises Refused: ``wire.E_ACK`` when the clip holds other bytes: fetch again
        """
        body = self.ask(wire.ACK, wire.pack(wire.ACK_REQUEST_FIELDS, (seq, crc)), wire.ACK_REPLY_FIELDS)
        return Message(self._read(wire.ACK_REPLY_FIELDS, body))

    def settings(self) -> dict[int, int]:
        """Value of each setting in force, by its number."""
        found: dict[int, int] = {}
        # A frame holds 49; whatever the clip claims, numbers are one byte.
        while len(found) < 256:
            total, values = self._settings(wire.SETTINGS_GET, wire.pack(wire.SETTINGS_GET_FIELDS, (len(found),)))
            found.update(values)
            if not values or len(found) >= total:
                break
        return found

    def set_settings(self, values: Mapping[int, int]) -> dict[int, int]:
        """Set several together, all or none; the settings then in force.

        :raises Refused: with the clip's own reason
        """
        self._settings(wire.SETTINGS_SET, bytes(wire.pack_settings(sorted(values.items()))))
        return self.settings()

    def reset_settings(self) -> dict[int, int]:
        """Everything to its default; the settings then in force."""
        self._settings(wire.SETTINGS_RESET, b"")
        return self.settings()

    def _settings(self, kind: int, body: bytes) -> tuple[int, dict[int, int]]:
        try:
            total, pairs = wire.unpack_settings(self.ask(kind, body, wire.SETTINGS_HEAD_FIELDS))
        except ValueError as fault:
            raise BadReply(f"the clip's answer makes no sense: {fault}") from fault
        return total, dict(pairs)

    def calibration(self, action: int = wire.CAL_ASK) -> tuple[str, int]:
        """(one of ``wire.CALIBRATION_NAMES``, quality) after ``wire.CAL_...``.

        :raises Refused: it cannot begin now
        """
        body = self.ask(
            wire.CALIBRATE, wire.pack(wire.CALIBRATE_REQUEST_FIELDS, (action,)), wire.CALIBRATE_REPLY_FIELDS
        )
        reply = Message(self._read(wire.CALIBRATE_REPLY_FIELDS, body))
        state = reply.number("state")
        if state >= len(wire.CALIBRATION_NAMES):
            raise BadReply(f"the clip tells a state of calibration that this tool does not know: {state}")
        return str(wire.CALIBRATION_NAMES[state]), reply.number("quality")

    def identify(self) -> None:
        """Make the clip buzz."""
        self.ask(wire.IDENTIFY)

    def selftest(self) -> Message:
        """Begin the clip's self-test, or ask how it goes: the fields of ``wire.SELFTEST_REPLY_FIELDS``."""
        return Message(
            self._read(wire.SELFTEST_REPLY_FIELDS, self.ask(wire.SELFTEST, fields=wire.SELFTEST_REPLY_FIELDS))
        )

    def maintenance(self) -> None:
        """Make the clip restart with its drive given to this computer, that once; the port goes away.

        :raises Refused: this board has no such way
        """
        self.ask(wire.MAINTENANCE)

    def live(self, on: bool) -> None:
        """Begin or end the stream of live data."""
        self.ask(wire.LIVE, wire.pack(wire.LIVE_REQUEST_FIELDS, (int(on),)), wire.LIVE_REQUEST_FIELDS)

    def next_live(self, timeout_s: float) -> Message | None:
        """The next of the live data, None when none came in that time. What an older clip does not send is 0."""
        until_s = self._monotonic() + timeout_s
        while (frame := self._next_frame(until_s)) is not None:
            kind, _, body = frame
            if kind == wire.LIVE_DATA and len(body) >= LIVE_LEAST_BYTES:
                return Message(self._read(wire.LIVE_DATA_FIELDS, body))
        return None


def version_text(number: int) -> str:
    """``1.2.3`` of a firmware's version number (``records.version_number``)."""
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


def utc_now_s(unix_s: float) -> int:
    """A host's time as the clip counts it: seconds since 2020-01-01 UTC."""
    return int(unix_s) - int(records.EPOCH_UNIX_S)
