"""Walks with traces, made in no time: records and blocks as a clip packs them, by the firmware's own writer.

For the tests and the benchmark of the report, which need many walks and no detector. A walk is made second by second:
cadence, pitch, what the second was counted as, and events. Blocks are real ones, so that all that reads them is tried.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from zlib import crc32

from walktall import events as e
from walktall import records as r
from walktall import retrace, wire
from walktall import rows as w
from walktall_host.client import Hello

RING_ID = b"ring"
_STATE_WALKS = e.WALKS
_OFFSET_CDEG = 250


@dataclass
class Second:
    """One second of wear."""

    pitch_cdeg: tuple[int, int, int, int]
    second_class: int
    cadence_spm: int = 0
    #: (tick, code, fault, label, value).
    marks: list[tuple[int, int, int, int, int]] = field(default_factory=list)


def plain_walk(seconds: int, seed: int = 1, leans: Sequence[tuple[int, int]] = ()) -> list[Second]:
    """A walk that begins standing, quickens and slows, and leans forward by 16 degrees where told.

    :param leans: (from, to) in seconds; each buzzes after 12 s and is answered 5 s before its end
    """
    chance = random.Random(seed)
    made = []
    wander = 0.0
    for t in range(seconds):
        wander += chance.gauss(0, 40) - 0.05 * wander
        still = t < 8
        cadence = 0 if still else int(102 + 14 * math.sin(t / 200) + chance.gauss(0, 2))
        lean = next((1600 for a, b in leans if a <= t < b), 0)
        middle = _OFFSET_CDEG + wander + lean + (0 if still else (cadence - 102) * 15)
        ticks = [int(middle + chance.gauss(0, 120)) // 10 * 10 for _ in range(4)]
        kind = e.CLASS_STILL if still else e.CLASS_FORWARD if lean else e.CLASS_GOOD
        second = Second((ticks[0], ticks[1], ticks[2], ticks[3]), kind, cadence)
        for a, b in leans:
            if t == a + 12:
                second.marks.append((1, e.BUZZ, e.FORWARD, e.LEAN, int(middle)))
                second.second_class = e.CLASS_BUZZING
            if t == b and b - a > 12:
                second.marks.append((2, e.RECOVERED, e.FORWARD, 0, 4 * (b - a - 12) + 1))
        made.append(second)
    return made


def blocks(
    walk: Sequence[Second], *, boot: int = 1, start_uptime_s: int = 0, number: int = 1, ring_id: bytes = RING_ID
) -> dict[int, bytes]:
    """The blocks of a walk, by number."""
    found: dict[int, bytes] = {}
    writer = w.RowWriter()
    writer.take(1)
    at = 0
    while at < len(walk):
        raw = bytearray(b"\xff" * w.BLOCK_BYTES)
        writer.buf = raw
        writer.begin(w.HEADER_BYTES, w.CRC_AT - 8)
        head = (writer.pitch, writer.roll)
        first = at
        while at < len(walk) and writer.at + w.ROW_MAX <= writer.end:
            second = walk[at]
            state = e.STILL if not second.cadence_spm else e.WALKS
            for k in range(4):
                writer.tick(k, second.pitch_cdeg[k], 0, state)
            for mark in second.marks:
                writer.mark(*mark)
            writer.second(second.second_class, second.cadence_spm)
            at += 1
        raw[w.H_MAGIC], raw[w.H_LAYOUT], raw[w.H_KIND], raw[w.H_FLAGS] = w.MAGIC, w.LAYOUT, w.KIND_ROWS, 0
        raw[w.H_RING_ID : w.H_RING_ID + 4] = ring_id
        _put(raw, w.H_UTC_S, 0, 4)
        _put(raw, w.H_SEQ, 1, 2)
        _put(raw, w.H_WALK, 1, 2)
        _put(raw, w.H_PITCH, head[0] & 0xFFFF, 2)
        _put(raw, w.H_ROLL, head[1] & 0xFFFF, 2)
        raw[w.H_ROWS_FROM] = w.HEADER_BYTES
        _put(raw, w.H_ROWS_END, writer.at, 2)
        found[number] = placed(bytes(raw), number, boot, start_uptime_s, start_uptime_s + first)
        number += 1
    assert not writer.lost
    return found


def placed(raw: bytes, number: int, boot: int, start_uptime_s: int, uptime_s: int) -> bytes:
    """The same rows as those of another block: its number, session and first second, and the CRC over them."""
    block = bytearray(raw)
    _put(block, w.H_NUMBER, number, 4)
    _put(block, w.H_BOOT, boot, 2)
    _put(block, w.H_UPTIME_S, uptime_s, 4)
    _put(block, w.H_SESSION_BOOT, boot, 2)
    _put(block, w.H_SESSION_START_S, start_uptime_s, 4)
    _put(block, w.CRC_AT, crc32(bytes(block[: w.CRC_AT])), 4)
    return bytes(block)


def _put(block: bytearray, at: int, value: int, size: int) -> None:
    block[at : at + size] = value.to_bytes(size, "little")


def record_of(walk: Sequence[Second], **values: int) -> dict[str, int]:
    """The record that a clip would make of such a walk, as far as its seconds tell it; ``values`` say the rest."""
    fields = dict.fromkeys((str(row[0]) for row in r.SESSION_FIELDS), 0)
    for second in walk:
        fields[str(r.SESSION_FIELDS[r.S_CLASS_BASE + second.second_class][0])] += 1
    walking = [second for second in walk if second.cadence_spm]
    buzzes = sum(mark[1] == e.BUZZ for second in walk for mark in second.marks)
    answers = [mark[4] for second in walk for mark in second.marks if mark[1] == e.RECOVERED]
    runs = [0]
    for second in walk:
        fault = e.CLASS_FORWARD <= second.second_class <= e.CLASS_SIDE
        runs.append(0 if fault else runs[-1] + (second.second_class == e.CLASS_GOOD))
    fields |= {
        "boot": 1,
        "wear_s": len(walk),
        "walking_s": len(walking),
        "brisk_s": sum(second.cadence_spm >= 100 for second in walking),
        "steps": sum(second.cadence_spm for second in walking) // 60,
        "cadence_mean_spm": sum(second.cadence_spm for second in walking) // max(1, len(walking)),
        "lean_events": buzzes,
        "buzzes": buzzes,
        "answered": len(answers),
        "ignored": buzzes - len(answers),
        "answer_mean_ds": sum(answers) * 10 // (4 * max(1, len(answers))),
        "longest_good_s": max(runs),
        "pitch_mean_cdeg": 180,
        "pitch_slow_cdeg": 60,
        "pitch_brisk_cdeg": 240,
        "upright_first_pct": 92,
        "upright_last_pct": 88,
        "walk_offset_cdeg": _OFFSET_CDEG,
        "calibration_quality": 90,
        "on_deg": 12,
        "off_deg": 8,
        "hold_s": 10,
        "battery_start_mv": 4020,
        "battery_end_mv": 3960,
        "fw_version": 100,
    }
    return fields | values


def slot_of(fields: dict[str, int]) -> bytes:
    """A record as a clip sends it: the slot's bytes."""
    values = r.new_session_fields()
    for k, row in enumerate(r.SESSION_FIELDS):
        values[k] = fields[str(row[0])]
    raw = bytearray(r.SESSION_SLOT_BYTES)
    r.pack_session_into(raw, 0, values)
    return bytes(raw)


def seconds_in(raw: bytes) -> int:
    """Seconds that a block tells of."""
    return sum(1 for row in retrace.read(raw).rows if row.second_class)


def hello_of(**changes: int | bytes | str) -> Hello:
    """What a clip says of itself, zeros but for its ids."""
    values = dict(zip((row[0] for row in wire.HELLO_FIELDS), wire.HELLO_TABLE.new_values(), strict=True))
    return Hello({**values, "device_id": b"\x3f\x9a" * 4, "journal_id": b"\x02" * 4, "boot": 3, **changes})
