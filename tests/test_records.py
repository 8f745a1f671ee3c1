"""The session record: its table, its bytes, what is refused."""

import binascii
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from walktall import journal, meanings
from walktall import records as r

from tests.desk_device import walk
from tests.field_tables import hold, layout, numbered

_STRUCT = {"B": "B", "b": "b", "H": "H", "h": "h", "I": "I", "i": "i"}

FIELDS = st.tuples(*(st.integers(*r.SESSION.bounds(i)) for i in range(r.S_COUNT)))

# A record of layout 1, byte by byte: it must be read for ever.
KNOWN = bytes.fromhex(
    "01"  # layout
    "2a00 0700 10270000 2c010000"  # seq 42, boot 7, start 10000 s, uptime 300 s
    "b004 8403 7800 1400 0a00 3c00 0500 0600 0700 0800 0900 0a00 0b00 2200"
    "4c04 9001 081801 6e"  # walking 1100 s, brisk 400 s, 71688 steps, cadence 110
    "03 01 02 01 00 05 04 01 2a00 5802"
    "3601 d4fe e803 5f 58 e8 55"  # 310, -300, 1000 cdeg; 95 %, 88 %; -24 x 10 cdeg; quality 85
    "00 01 00 c7 c3 0c 08 0a 00 00"
    "0120 00 6400 0000 0000 02"
)


def reference(fields: list[int]) -> bytes:
    """The packed record by the standard library's struct: a second way, for comparison alone."""
    out = bytes([1])
    for (name, code, _), value in zip(r.SESSION_FIELDS, fields, strict=True):
        scale = int(code[2:]) if "*" in code else 1
        steps = (abs(value) + scale // 2) // scale * (1 if value >= 0 else -1)
        if code[0] == "T":
            out += struct.pack("<I", steps)[:3]
        else:
            low, high = r.SESSION.bounds(r.SESSION.index(name))
            steps = max(low // scale, min(high // scale, steps))
            out += struct.pack("<" + _STRUCT[code[0]], steps)
    return out


def test_every_index_constant_is_its_fields_place() -> None:
    for i, (name, _, _) in enumerate(r.SESSION_FIELDS):
        assert getattr(r, f"S_{name.upper()}") == i
    assert r.SESSION_CODES.split() == [code for _, code, _ in r.SESSION_FIELDS]
    assert r.S_COUNT == len(r.SESSION_FIELDS) == r.SESSION_COUNTS[r.SESSION_LAYOUT]


def test_a_record_fits_its_slot_and_flash_holds_forty() -> None:
    assert r.SESSION_SIZE <= r.SESSION_SLOT_BYTES == 92
    assert (4096 - journal.SLOTS_AT - 4) // r.SESSION_SLOT_BYTES >= 40


def test_seconds_of_each_class_lie_in_the_order_of_the_classes() -> None:
    from walktall import events

    for code, name in enumerate(events.CLASS_NAMES):
        if code:
            assert r.SESSION_FIELDS[r.S_CLASS_BASE + code][0] == f"{name.replace(' ', '_')}_s"
    assert len(events.CLASS_NAMES) - 1 == r.S_CLASS_COUNT


def test_every_field_and_flag_has_its_words() -> None:
    assert list(meanings.SESSION) == [row[0] for row in r.SESSION_FIELDS]
    assert tuple(meanings.FLAGS) == r.FLAG_NAMES
    for bit, name in enumerate(r.FLAG_NAMES):
        assert getattr(r, f"FLAG_{name.upper()}") == 1 << bit


def test_the_known_record_is_read_as_ever() -> None:
    assert len(KNOWN) == r.SESSION_SIZE
    fields = r.new_session_fields()
    assert r.unpack_session_into(KNOWN, 0, fields) == r.RECORD_OK
    told = {row[0]: fields[i] for i, row in enumerate(r.SESSION_FIELDS)}
    assert (told["seq"], told["boot"], told["start_utc_s"], told["start_uptime_s"]) == (42, 7, 10000, 300)
    assert (told["steps"], told["cadence_mean_spm"]) == (71688, 110)
    assert (told["pitch_mean_cdeg"], told["pitch_slow_cdeg"], told["pitch_brisk_cdeg"]) == (310, -300, 1000)
    assert (told["walk_offset_cdeg"], told["calibration_quality"]) == (-240, 85)
    assert (told["battery_start_mv"], told["battery_end_mv"]) == (3980, 3900)
    assert (told["on_deg"], told["off_deg"], told["hold_s"]) == (12, 8, 10)
    assert told["flags"] == r.FLAG_RESUMED | r.FLAG_CLOCK_SET
    assert (told["fw_version"], told["cues"]) == (100, 2)
    assert r.session_fault(fields) == ""
    again = bytearray(r.SESSION_SIZE)
    r.pack_session_into(again, 0, fields)
    assert again == KNOWN


@given(FIELDS)
def test_what_is_packed_comes_back_to_the_step(values: tuple[int, ...]) -> None:
    fields = r.new_session_fields()
    for i, value in enumerate(values):
        fields[i] = value
    buf = bytearray(r.SESSION_SIZE + 10)
    assert r.pack_session_into(buf, 5, fields) == 5 + r.SESSION_SIZE
    assert buf[5 : 5 + r.SESSION_SIZE] == reference(list(values))
    assert buf[:5] == bytes(5) and buf[-5:] == bytes(5)
    back = r.new_session_fields()
    assert r.unpack_session_into(buf, 5, back) == r.RECORD_OK
    for i in range(r.S_COUNT):
        assert abs(back[i] - values[i]) <= r.SESSION.scales[i] // 2


def test_a_count_beyond_its_width_stays_at_the_greatest_and_says_so() -> None:
    fields = walk(600, buzzes=300, steps=1 << 25, battery_end_mv=6000, walk_offset_cdeg=-4000)
    buf = bytearray(r.SESSION_SIZE)
    r.pack_session_into(buf, 0, fields)
    back = r.new_session_fields()
    r.unpack_session_into(buf, 0, back)
    assert back[r.S_BUZZES] == 255 and back[r.S_STEPS] == 0xFFFFFF
    assert back[r.S_BATTERY_END_MV] == 5100 and back[r.S_WALK_OFFSET_CDEG] == -1280
    assert back[r.S_FLAGS] == r.FLAG_SATURATED and fields[r.S_FLAGS] == 0


def test_a_later_layout_is_refused_by_code_and_an_erased_slot_is_none() -> None:
    fields = r.new_session_fields()
    assert r.unpack_session_into(bytes([2]) + KNOWN[1:], 0, fields) == r.RECORD_NEWER
    assert r.unpack_session_into(bytes([254]) + KNOWN[1:], 0, fields) == r.RECORD_NEWER
    assert r.unpack_session_into(b"\xff" * 92, 0, fields) == r.RECORD_BAD
    assert r.unpack_session_into(bytes(92), 0, fields) == r.RECORD_BAD
    assert r.unpack_session_into(b"", 0, fields) == r.RECORD_BAD
    for size in range(r.SESSION_SIZE):
        assert r.unpack_session_into(KNOWN[:size], 0, fields) == r.RECORD_BAD


def test_fields_that_an_older_layout_lacks_read_as_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layout 1 is the first; the reader is held to it with a layout of 30 fields put in its place."""
    monkeypatch.setattr("walktall.slots.SESSION_COUNTS", (0, 30))
    fields = r.new_session_fields()
    fields[r.S_CUES] = 99
    size = 1 + sum(r.SESSION.widths[:30])
    assert r.unpack_session_into(KNOWN[:size], 0, fields) == r.RECORD_OK
    assert fields[29] != 0 and not any(fields[30:])


@given(st.binary(max_size=120))
def test_no_bytes_make_the_reader_fail(data: bytes) -> None:
    fields = r.new_session_fields()
    assert r.unpack_session_into(data, 0, fields) in (r.RECORD_OK, r.RECORD_NEWER, r.RECORD_BAD)
    r.session_fault(fields)


def test_a_record_whose_seconds_do_not_add_up_is_told() -> None:
    assert r.session_fault(walk(600)) == ""
    assert "601" in r.session_fault(walk(600, back_s=1))
    assert "walking_s" in r.session_fault(walk(600, walking_s=601))
    assert "upright_first_pct" in r.session_fault(walk(600, upright_first_pct=101))
    assert r.session_fault(walk(600, upright_first_pct=r.NOT_TOLD)) == ""


def test_crc_is_the_worlds_crc32(chance: random.Random) -> None:
    assert r.crc(b"123456789", 0, 9) == 0xCBF43926  # the check value of CRC-32/ISO-HDLC
    for _ in range(50):
        data = bytearray(chance.randbytes(chance.randrange(80)) + bytes(4))
        end = r.seal_into(data, 0, len(data) - 4)
        assert end == len(data) and data[-4:] == binascii.crc32(data[:-4]).to_bytes(4, "little")
        assert r.sealed(data, 0, len(data) - 4)
        assert not r.sealed(data, 0, len(data) - 3)
        at = chance.randrange(len(data))
        data[at] ^= 1 << chance.randrange(8)
        assert not r.sealed(data, 0, len(data) - 4)


def test_version_number_is_three_numbers_in_one() -> None:
    assert r.version_number("1.2.3") == 10203
    assert r.version_number("0.12") == 1200
    assert r.version_number("2.0.1rc4") == 20001
    assert 0 < r.version_number() == r.FW_VERSION < 65536


@pytest.mark.parametrize("part", ["session", "flags", "head", "calibration"])
def test_the_document_says_what_the_tables_say(part: str, request: pytest.FixtureRequest) -> None:
    table = {
        "session": layout(r.SESSION_FIELDS, meanings.SESSION, 1),
        "flags": numbered(r.FLAG_NAMES, meanings.FLAGS, "flag"),
        "head": layout(r.HEAD_FIELDS, meanings.JOURNAL, 4),
        "calibration": layout(r.CALIBRATION_FIELDS, meanings.CALIBRATION, 56),
    }[part]
    hold("records.md", part, table, request)
