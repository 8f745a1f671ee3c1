"""Frames and messages: locked by known bytes, held to a second decoder, then fuzzed."""

import random
import re
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from walktall import frames, meanings, records
from walktall import wire as w

from tests.desk_device import UTC_S, Desk
from tests.field_tables import DOCS, hold, layout, numbered

KINDS = {name.upper(): kind for kind, name in enumerate(w.KIND_NAMES) if name}
KINDS |= {
    "RECORD": w.RECORD,
    "LIVE_DATA": w.LIVE_DATA,
    "TRACE_DATA": w.TRACE_DATA,
    "ERROR": w.ERROR,
    "0x7E": 0x7E,
}
REPLIES = ("RECORD", "LIVE_DATA", "TRACE_DATA", "ERROR")
REQUEST_FIELDS = {
    "CLOCK": w.CLOCK_REQUEST_FIELDS,
    "FETCH": w.FETCH_REQUEST_FIELDS,
    "ACK": w.ACK_REQUEST_FIELDS,
    "SETTINGS_GET": w.SETTINGS_GET_FIELDS,
    "CALIBRATE": w.CALIBRATE_REQUEST_FIELDS,
    "LIVE": w.LIVE_REQUEST_FIELDS,
    "FORMAT": w.FORMAT_FIELDS,
    "FETCH_TRACE": w.FETCH_TRACE_REQUEST_FIELDS,
    "RAW": w.RAW_REQUEST_FIELDS,
}
REPLY_FIELDS = {
    "HELLO": w.HELLO_FIELDS,
    "CLOCK": w.CLOCK_REPLY_FIELDS,
    "FETCH": w.FETCH_REPLY_FIELDS,
    "RECORD": w.RECORD_FIELDS,
    "ACK": w.ACK_REPLY_FIELDS,
    "CALIBRATE": w.CALIBRATE_REPLY_FIELDS,
    "SELFTEST": w.SELFTEST_REPLY_FIELDS,
    "LIVE": w.LIVE_REQUEST_FIELDS,
    "LIVE_DATA": w.LIVE_DATA_FIELDS,
    "FORMAT": w.FORMAT_FIELDS,
    "FETCH_TRACE": w.FETCH_TRACE_REPLY_FIELDS,
    "TRACE_DATA": w.TRACE_DATA_FIELDS,
    "RAW": w.RAW_REPLY_FIELDS,
    "ERROR": w.ERROR_FIELDS,
}

# As released. A change here is another protocol version.
KNOWN = (
    (w.HELLO, 1, b"", "00 04 01 01 01 05 0f e3 21 81 00"),
    (w.CLOCK, 2, struct.pack("<I", UTC_S + 7000), "00 04 01 02 02 09 78 48 98 0b 44 e2 97 8d 00"),
    (w.FETCH, 3, struct.pack("<HH", 1, 0), "00 04 01 03 03 02 01 01 01 05 a1 d0 48 a6 00"),
    (w.ACK | w.REPLY, 4, struct.pack("<HH", 2, 0), "00 04 01 84 04 02 02 01 01 05 8b 9b 49 e4 00"),
    (
        w.FETCH_TRACE,
        5,
        struct.pack("<IHH", 70000, 172, 16),
        "00 04 01 0f 05 04 70 11 01 02 ac 02 10 05 21 d4 7b 7e 00",
    ),
    (w.FETCH_TRACE | w.REPLY, 5, struct.pack("<HI", 16, 70016), "00 04 01 8f 05 02 10 04 80 11 01 05 14 8e 34 17 00"),
    (
        w.TRACE_DATA,
        5,
        struct.pack("<IH", 70000, 172) + bytes(range(20)),
        "00 04 01 c2 05 04 70 11 01 02 ac 01 18 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13 6d 79 a6 ed "
        "00",
    ),
    (w.RAW, 6, b"\x05", "00 04 01 10 06 06 05 0f 01 bc df 00"),
    (w.ERROR, 7, b"\x0f\x04no", "00 04 01 ff 07 09 0f 04 6e 6f 15 27 a2 5f 00"),
)


def reference_frame(raw: bytes) -> tuple[int, int, int, bytes]:
    """(version, kind, id, body) by a decoder written from docs/protocol.md with the standard library."""
    assert raw[0] == 0 and raw[-1] == 0 and 0 not in raw[1:-1]
    data = raw[1:-1]
    frame = b""
    while data:
        code, run = data[0], data[1 : data[0]]
        assert len(run) == code - 1
        data = data[code:]
        frame += run + (b"\0" if code < 255 and data else b"")
    assert frame[-4:] == struct.pack("<I", zlib.crc32(frame[:-4]))
    version, kind, request_id = struct.unpack_from("<BBH", frame)
    return version, kind, request_id, frame[4:-4]


def decode(raw: bytes) -> list[tuple[int, int, bytes]]:
    decoder = w.Decoder()
    found = []
    at = 0
    while at < len(raw):
        at = decoder.feed(raw, at, len(raw))
        if decoder.size:
            found.append((w.frame_kind(decoder.frame), w.frame_id(decoder.frame), w.frame_body(decoder)))
    return found


def examples() -> list[tuple[str, str, int, str, bytes]]:
    """(direction, name, id, told fields, bytes) of every example in docs/protocol.md."""
    text = (DOCS / "protocol.md").read_text()
    blocks = re.findall(r"```frame\n([<>]) (\w+) id (\d+)(?:: ([^\n]*))?\n([0-9a-f \n]+)```", text)
    assert len(blocks) == text.count("```frame")
    return [(way, name, int(rid), told, bytes.fromhex(data)) for way, name, rid, told, data in blocks]


@pytest.mark.parametrize(("kind", "request_id", "body", "known"), KNOWN)
def test_known_frames_are_what_they_were(kind: int, request_id: int, body: bytes, known: str) -> None:
    assert w.encode(kind, request_id, body) == bytes.fromhex(known)
    assert decode(bytes.fromhex(known)) == [(kind, request_id, body)]


def test_every_index_and_name_is_its_place() -> None:
    for i, row in enumerate(w.HELLO_FIELDS):
        assert getattr(w, f"H_{row[0].upper()}") == i
    for kind, name in enumerate(w.KIND_NAMES):
        assert not name or getattr(w, name.upper()) == kind
    assert len(w.KIND_NAMES) == w.N_KINDS
    for bit, name in enumerate(w.HELLO_FLAG_NAMES):
        assert getattr(w, f"HF_{name.upper()}") == 1 << bit
    codes = {value: name for name, value in vars(w).items() if name.startswith("E_")}
    assert len(codes) == len(w.ERROR_NAMES) - 1 and set(codes) == set(range(1, len(w.ERROR_NAMES)))


def test_the_boards_codes_are_the_tables() -> None:
    assert frames.HELLO_CODES.split() == [code for _, code, _ in w.HELLO_FIELDS]
    assert frames.LIVE_CODES.split() == [code for _, code, _ in w.LIVE_DATA_FIELDS]
    assert w.LIVE_DATA_FIELDS[w.LIVE_LOST][0] == "lost"
    assert w.fields_size(w.SETTING_FIELDS) == w.SETTING_SIZE


def test_every_message_fits_a_frame() -> None:
    tables = [value for name, value in vars(w).items() if name.endswith("_FIELDS")]
    assert max(w.fields_size(fields) for fields in tables) <= w.MAX_BODY
    assert w.fields_size(w.RECORD_FIELDS) + records.SESSION_SLOT_BYTES <= w.MAX_BODY
    assert w.fields_size(w.TRACE_DATA_FIELDS) + w.TRACE_PIECE <= w.MAX_BODY
    assert w.fields_size(w.SETTINGS_HEAD_FIELDS) + w.SETTINGS_A_FRAME * w.SETTING_SIZE <= w.MAX_BODY
    assert w.fields_size(w.SETTING_FIELDS) == w.SETTING_SIZE
    assert w.HEADER_SIZE + w.MAX_BODY + 4 == w.MAX_FRAME
    assert len(w.encode(1, 0x0101, b"\xff" * w.MAX_BODY)) == w.MAX_ENCODED
    with pytest.raises(ValueError, match="249"):
        w.encode(1, 1, bytes(w.MAX_BODY + 1))


BODIES = st.one_of(
    st.binary(max_size=w.MAX_BODY),
    st.lists(st.sampled_from([0, 1, 254, 255]), max_size=w.MAX_BODY).map(bytes),
    st.integers(0, w.MAX_BODY).map(lambda n: b"\xaa" * n),
)


@given(st.integers(1, 255), st.integers(0, 65535), BODIES)
def test_a_frame_comes_back_and_a_second_decoder_agrees(kind: int, request_id: int, body: bytes) -> None:
    raw = w.encode(kind, request_id, body)
    assert len(raw) <= w.MAX_ENCODED
    assert reference_frame(raw) == (w.PROTOCOL, kind, request_id, body)
    assert decode(raw) == [(kind, request_id, body)]


def test_every_length_of_run_is_stuffed_right() -> None:
    for n in range(w.MAX_BODY + 1):
        for fill in (b"\0", b"\1", b"\xff"):
            for tail in (b"", b"\0"):
                body = (fill * n)[: w.MAX_BODY - 1] + tail
                raw = w.encode(9, n, body)
                assert reference_frame(raw)[3] == body
                assert decode(raw) == [(9, n, body)]


@given(st.lists(BODIES, max_size=6), st.data())
def test_frames_come_through_garbage_in_any_pieces(bodies: list[bytes], data: st.DataObject) -> None:
    """Whole frames between garbage are all found, however the bytes are cut up; garbage is ended by the frame's own
    first zero."""
    stream = b""
    for k, body in enumerate(bodies):
        stream += data.draw(st.binary(max_size=40)) + w.encode(5, k, body)
    decoder = w.Decoder()
    found = []
    at = 0
    while at < len(stream):
        end = min(len(stream), at + data.draw(st.integers(1, 64)))
        piece = stream[at:end]
        i = 0
        while i < len(piece):
            i = decoder.feed(piece, i, len(piece))
            if decoder.size:
                found.append((w.frame_id(decoder.frame), w.frame_body(decoder)))
        at = end
    assert found == list(enumerate(bodies))
    assert len(decoder.frame) == w.MAX_FRAME


def test_one_wrong_bit_anywhere_is_never_taken(chance: random.Random) -> None:
    raw = w.encode(w.ACK, 77, bytes(chance.randbytes(6)))
    for at in range(1, len(raw) - 1):
        for bit in range(8):
            wrong = bytearray(raw)
            wrong[at] ^= 1 << bit
            assert decode(bytes(wrong)) == []


def test_cut_and_doubled_bytes_are_never_taken(chance: random.Random) -> None:
    raw = w.encode(w.FETCH, 3, bytes(chance.randbytes(30)))
    for at in range(1, len(raw) - 1):
        assert decode(raw[:at]) == []
        assert decode(raw[:at] + raw[at + 1 :]) == []
        assert decode(raw[: at + 1] + raw[at:]) == []
        assert decode(raw[:at] + raw) == [(w.FETCH, 3, reference_frame(raw)[3])]


def test_noise_never_makes_a_frame_nor_grows_the_decoder(chance: random.Random) -> None:
    decoder = w.Decoder()
    frame = decoder.frame
    for _ in range(200):
        noise = chance.randbytes(997)
        at = 0
        while at < len(noise):
            at = decoder.feed(noise, at, len(noise))
            assert decoder.size == 0
    assert decoder.frame is frame and len(frame) == w.MAX_FRAME and decoder.bad > 100
    assert decode(noise + w.encode(1, 1))[-1] == (1, 1, b"")


def test_a_frame_too_long_is_dropped_and_the_next_one_read() -> None:
    decoder = w.Decoder(64)
    raw = w.encode(1, 1, b"\x55" * 60) + w.encode(1, 2, b"\x55" * 56)
    at = decoder.feed(raw, 0, len(raw))
    assert decoder.size == 64 and w.frame_id(decoder.frame) == 2 and at == len(raw) and decoder.bad == 1


def test_named_fields_of_a_shorter_and_a_longer_message_are_read() -> None:
    body = w.pack(w.FETCH_REPLY_FIELDS, {"sent": 3, "next_seq": 9})
    assert w.unpack(w.FETCH_REPLY_FIELDS, body + b"later") == {"sent": 3, "next_seq": 9}
    assert w.unpack(w.FETCH_REPLY_FIELDS, body[:3]) == {"sent": 3, "next_seq": 0}
    assert w.unpack(w.HELLO_FIELDS, b"")["board"] == ""
    with pytest.raises(ValueError, match="does not fit"):
        w.pack(w.FETCH_REPLY_FIELDS, (65536, 0))
    with pytest.raises(ValueError, match="31 bits"):
        w.unpack(w.CLOCK_REQUEST_FIELDS, b"\xff\xff\xff\xff")


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(-(2**31), 2**31 - 1)), max_size=w.SETTINGS_A_FRAME))
def test_settings_travel_as_numbers_and_values(pairs: list[tuple[int, int]]) -> None:
    body = bytes([28]) + w.pack_settings(pairs)
    assert w.unpack_settings(body) == (28, pairs)
    for size in range(0, len(body), 3):
        with pytest.raises(ValueError, match="short"):
            w.unpack_settings(body[:size])


def test_crc_over_pieces_is_the_crc_over_the_whole(chance: random.Random) -> None:
    pieces = [chance.randbytes(92) for _ in range(7)]
    assert w.crc_bytes(pieces) == struct.pack("<I", zlib.crc32(b"".join(pieces)))


@given(st.binary(max_size=60))
def test_any_error_body_makes_one_line(body: bytes) -> None:
    assert "\n" not in w.error_text(body)


def test_error_text_names_request_code_and_reason() -> None:
    assert w.error_text(bytes([w.ACK, w.E_ACK]) + b"fetch again from 3") == "ack: ack_mismatch: fetch again from 3"
    assert w.error_text(bytes([99, 88])) == "request 99: error 88"


@pytest.mark.parametrize("example", examples(), ids=lambda example: f"{example[0]}{example[1]}{example[2]}")
def test_the_documents_example_bytes_decode(example: tuple[str, str, int, str, bytes]) -> None:
    way, name, request_id, told, raw = example
    reply = way == "<" and name not in REPLIES
    version, kind, got_id, body = reference_frame(raw)
    assert (version, kind, got_id) == (1, KINDS[name] | (w.REPLY if reply else 0), request_id)
    assert decode(raw) == [(kind, request_id, body)]
    values: dict[str, object] = {}
    fields = (REPLY_FIELDS if way == "<" else REQUEST_FIELDS).get(name)
    if fields:
        values |= w.unpack(fields, body)
    if name == "ERROR":
        values["text"] = body[2:].decode("ascii")
    elif name.startswith("SETTINGS") and name != "SETTINGS_GET":
        values["count"] = body[0]
        values |= {str(index): value for index, value in w.unpack_settings(b"\0" + body)[1]}
    elif name == "SETTINGS_GET" and way == "<":
        values["total"], pairs = w.unpack_settings(body)
        values |= {str(index): value for index, value in pairs} | {"count": len(pairs)}
    for item in re.findall(r"(\w+)=((?:[^=](?!\w+=))*)", told):
        value = values[item[0]]
        assert (value.hex() if isinstance(value, bytes) else str(value)) == item[1].strip()


def lines_of(raw: bytes) -> str:
    """Bytes as an example shows them."""
    return "\n".join(raw[k : k + 32].hex(" ") for k in range(0, len(raw), 32))


def test_the_device_says_what_the_documents_examples_say(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The examples are one exchange with a device that has two walks; a real link gives those bytes."""
    monkeypatch.setattr("walktall.slots.FW_VERSION", 100)
    desk = Desk(seed=2)
    desk.record(600)
    desk.record(
        1200,
        start_utc_s=UTC_S + 5000,
        forward_s=200,
        good_s=1000,
        lean_events=1,
        buzzes=2,
        answered=1,
        answer_mean_ds=23,
        longest_good_s=500,
    )
    trace = desk.handler.trace
    assert trace is not None
    trace.first_block = trace.next_block = 6
    for _ in range(2):
        trace.add(bytes((7 * k) & 0x7F for k in range(512)))
    said = b""
    text = (DOCS / "protocol.md").read_text()
    for way, name, _, _, raw in examples():
        if way == ">":
            assert said == b""
            desk.port.to_device += raw
            desk.run()
            said = bytes(desk.port.from_device)
            desk.port.from_device.clear()
            continue
        if name == "LIVE_DATA":
            assert desk.link.push_live(
                [5200, 1234, -56, 112, 1, 2, 1, 1, 7, 203, 1200, 800, 0, 0, 47, 0, 800, 800, 0, 3980]
            )
            desk.run()
            said = bytes(desk.port.from_device)
            desk.port.from_device.clear()
        if request.config.getoption("--rewrite"):
            now = said[: said.index(0, 1) + 1]
            assert lines_of(raw) in text
            text = text.replace(lines_of(raw), lines_of(now))
            raw = now
        assert said.startswith(raw), name
        said = said[len(raw) :]
    assert said == b""
    if request.config.getoption("--rewrite"):
        (DOCS / "protocol.md").write_text(text)


def plain(*tables: tuple[str, tuple[tuple[str, str, str], ...]]) -> str:
    """Small messages: one row a field, without words."""
    rows = ["| message | offset | field | type | unit |", "| --- | ---: | --- | --- | --- |"]
    for title, fields in tables:
        for line in layout(fields, {row[0]: "" for row in fields}).splitlines()[2:]:
            rows.append(f"| {title} {line.removesuffix('|  |').rstrip()} |")
    return "\n".join(rows)


def document_part(part: str) -> str:
    if part == "kinds":
        rows = ["| kind | reply | request | its body | body of the reply |", "| ---: | ---: | --- | --- | --- |"]
        for name, kind in KINDS.items():
            if kind >= 0x7E:
                continue
            size = {"SETTINGS_SET": "1 + 5 each"}.get(name) or str(w.fields_size(REQUEST_FIELDS.get(name, ())))
            back = "2 + 5 each" if name.startswith("SETTINGS") else str(w.fields_size(REPLY_FIELDS.get(name, ())))
            rows.append(f"| 0x{kind:02X} | 0x{kind | w.REPLY:02X} | {name} | {size} | {back} |")
        rows.append("| | 0xC0 | RECORD, before the reply to FETCH | | 3 + 92 |")
        rows.append(f"| | 0xC1 | LIVE_DATA, unasked | | {w.LIVE_TABLE.size} |")
        rows.append(f"| | 0xC2 | TRACE_DATA, before the reply to FETCH_TRACE | | 6 + {w.TRACE_PIECE} at most |")
        rows.append("| | 0xFF | ERROR, in place of the reply | | 2 + text |")
        return "\n".join(rows)
    if part == "hello flags":
        return numbered(w.HELLO_FLAG_NAMES, meanings.HELLO_FLAGS, "flag")
    if part == "errors":
        words = meanings.ERRORS
        rows = ["| code | name | when |", "| ---: | --- | --- |"]
        return "\n".join(
            rows + [f"| {code} | `{name}` | {words[name]} |" for code, name in enumerate(w.ERROR_NAMES) if name]
        )
    if part == "hello":
        return layout(w.HELLO_FIELDS, meanings.HELLO)
    if part == "settings":
        return plain(
            ("GET", w.SETTINGS_GET_FIELDS),
            ("SET", w.SETTINGS_HEAD_FIELDS[1:]),
            ("each pair", w.SETTING_FIELDS),
            ("reply", w.SETTINGS_HEAD_FIELDS),
        )
    if part == "live":
        return plain(("request and reply", w.LIVE_REQUEST_FIELDS), ("LIVE_DATA", w.LIVE_DATA_FIELDS))
    if part == "record":
        return plain(("RECORD", (*w.RECORD_FIELDS, ("slot", "92s", ""))))
    if part == "trace_data":
        return plain(("TRACE_DATA", (*w.TRACE_DATA_FIELDS, ("bytes", f"{w.TRACE_PIECE}s", ""))))
    if part == "format":
        return plain(("request and reply", w.FORMAT_FIELDS))
    if part == "error":
        return plain(("ERROR", w.ERROR_FIELDS))
    name = part.upper()
    return plain(
        *(
            (title, table[name])
            for title, table in (("request", REQUEST_FIELDS), ("reply", REPLY_FIELDS))
            if name in table
        )
    )


@pytest.mark.parametrize("part", re.findall(r"<!-- begin: (.*?) -->", (DOCS / "protocol.md").read_text()))
def test_the_document_says_what_the_tables_say(part: str, request: pytest.FixtureRequest) -> None:
    hold("protocol.md", part, document_part(part), request)


def test_every_hello_field_and_error_has_its_words() -> None:
    assert list(meanings.HELLO) == [row[0] for row in w.HELLO_FIELDS]
    assert tuple(meanings.HELLO_FLAGS) == w.HELLO_FLAG_NAMES
    assert tuple(meanings.ERRORS) == w.ERROR_NAMES[1:]


def test_the_hosts_side_names_no_field_that_does_not_exist() -> None:
    assert records.SESSION.index("good_s") == records.S_GOOD_S
    assert records.SESSION.index("none") == -1
