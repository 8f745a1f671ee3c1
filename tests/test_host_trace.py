"""Rows out of the store: each second that the clip wrote, none that it did not, of the right walk."""

import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from walktall import events as e
from walktall import retrace
from walktall import rows as w
from walktall_host import blocks, trace
from walktall_host.store import _NAMES, Session, Store

from tests.desk_device import walk
from tests.test_host_store import hello_of
from tests.trace_of_walk import Second, block_of


def session_of(boot: int = 1, start_s: int = 10, wear_s: int = 60, device_id: bytes = b"\x01" * 8) -> Session:
    values = dict(zip(_NAMES, walk(wear_s, boot=boot, start_uptime_s=start_s), strict=True))
    return Session(1, device_id, b"\x02" * 4, values, True, 0, 0, 0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "s.sqlite3")


def keep(store: Store, *raws: bytes, trace_id: bytes = b"ring") -> None:
    hello = hello_of()
    ring = store.meet_ring(store.meet(hello, 5), trace_id, 5)
    found = {blocks.head_of(raw).number: raw for raw in raws}
    assert all(blocks.whole(raw, number, trace_id) for number, raw in found.items())
    store.keep_blocks(ring, found)


def test_every_second_comes_back_as_it_was_packed(store: Store) -> None:
    seconds = [
        Second((1, 2, 3, 4), (-1, -2, -3, -4)),
        Second((500, -500, 13, 0), (0, 1, 0, 1), e.WALKS | e.JOGS, 150, e.CLASS_JOG),
        Second(state=e.STILL, cadence_spm=0, second_class=e.CLASS_STILL),
        Second((9, 9, 9, 9), state=e.WALKS | e.SHAKEN, second_class=e.CLASS_BUZZING, marks=[(2, e.MARK, 1, 2, -77)]),
    ]
    keep(store, block_of(3, seconds, flags=w.B_BEGIN, offset_cdeg=250))
    found = trace.session_rows(store, session_of())
    assert [row.uptime_s for row in found] == [10, 11, 12, 13]
    step = w.STEP_CDEG
    assert found[0].pitch_cdeg == tuple(step * k for k in (1, 2, 3, 4))
    assert found[0].roll_cdeg == tuple(-step * k for k in (1, 2, 3, 4))
    assert found[1].pitch_cdeg == (500 * step, -500 * step, 13 * step, 0)
    assert [(row.walking, row.jogging, row.still, row.shaken) for row in found] == [
        (True, False, False, False),
        (True, True, False, False),
        (False, False, True, False),
        (True, False, False, True),
    ]
    assert [(row.cadence_spm, row.second_class) for row in found] == [
        (110, e.CLASS_GOOD),
        (150, e.CLASS_JOG),
        (0, e.CLASS_STILL),
        (110, e.CLASS_BUZZING),
    ]
    assert found[3].marks == (trace.Mark(e.MARK, 1, 2, -77, 2),)
    assert {row.offset_cdeg for row in found} == {250}


def test_a_block_that_is_missing_is_a_gap_that_is_told(store: Store) -> None:
    whole = [Second()] * 20
    keep(store, block_of(3, whole, uptime_s=10, flags=w.B_BEGIN), block_of(5, whole, uptime_s=50))
    found = trace.session_rows(store, session_of(wear_s=60))
    assert [row.uptime_s for row in found] == [*range(10, 30), *range(50, 70)]
    assert trace.told_of(store, session_of(wear_s=60)) == trace.Told(40, 20, 0)


def test_what_a_sessions_end_cut_off_is_no_second_and_its_marks_are_kept(store: Store) -> None:
    keep(store, block_of(1, [Second(), Second(cut_after=2, marks=[(1, e.MARK, 0, 0, 0)])]))
    (row,) = trace.session_rows(store, session_of())
    assert row.marks == (trace.Mark(e.MARK, 0, 0, 0, 3),)


def test_rows_of_other_walks_and_other_clips_are_not_taken(store: Store) -> None:
    keep(
        store,
        block_of(1, [Second()] * 3, session=(1, 10)),
        block_of(2, [Second()] * 4, session=(1, 500), uptime_s=500),
        block_of(3, [Second()] * 5, session=(2, 10)),
    )
    assert len(trace.session_rows(store, session_of(1, 10))) == 3
    assert len(trace.session_rows(store, session_of(1, 500))) == 4
    assert len(trace.session_rows(store, session_of(2, 10))) == 5
    assert trace.session_rows(store, session_of(3, 10)) == []
    assert trace.session_rows(store, session_of(1, 10, device_id=b"\x09" * 8)) == []


def test_of_boots_that_bear_one_number_the_one_with_the_record_counts(store: Store) -> None:
    keep(
        store,
        block_of(1, [Second()] * 3, flags=w.B_BEGIN, walk=1),
        block_of(2, [Second()] * 4, flags=w.B_BEGIN, walk=2),
        block_of(3, [Second()] * 5, uptime_s=14, walk=2, flags=w.B_END | w.B_KEPT),
    )
    assert len(trace.session_rows(store, session_of())) == 9


def test_a_walk_taken_up_after_a_loss_of_power_is_one_walk(store: Store) -> None:
    keep(
        store,
        block_of(1, [Second()] * 3, flags=w.B_BEGIN, walk=1),
        block_of(2, [Second()] * 4, boot=2, uptime_s=1, flags=w.B_BEGIN | w.B_TAKEN_UP, walk=1),
    )
    found = trace.session_rows(store, session_of())
    assert [(row.boot, row.uptime_s) for row in found] == [(1, 10), (1, 11), (1, 12), (2, 1), (2, 2), (2, 3), (2, 4)]


def test_a_block_that_cannot_be_read_is_counted_and_hides_no_other(store: Store) -> None:
    bad = bytearray(block_of(2, [Second()] * 4))
    bad[w.H_ROWS_END] = 255
    bad[w.H_ROWS_END + 1] = 255
    bad[w.CRC_AT :] = zlib.crc32(bytes(bad[: w.CRC_AT])).to_bytes(4, "little")
    keep(store, block_of(1, [Second()] * 3), bytes(bad), block_of(3, [Second()] * 2, uptime_s=30))
    assert trace.told_of(store, session_of(wear_s=9)) == trace.Told(5, 4, 1)


def test_the_mark_changes_when_a_block_comes(store: Store) -> None:
    keep(store, block_of(1, [Second()]))
    before = trace.mark(store, session_of())
    assert trace.mark(store, session_of()) == before
    keep(store, block_of(2, [Second()]))
    assert trace.mark(store, session_of()) != before


@given(st.binary(min_size=500, max_size=520), st.integers(0, 3))
def test_no_bytes_upset_the_reading_of_a_block(data: bytes, make_it_ours: int) -> None:
    raw = bytearray(data[:512].ljust(512, b"\0"))
    if make_it_ours:
        raw[0:3] = bytes((w.MAGIC, w.LAYOUT, w.KIND_ROWS))
        raw[w.H_ROWS_FROM] = w.HEADER_BYTES
        raw[w.H_ROWS_END : w.H_ROWS_END + 2] = (300).to_bytes(2, "little")
        if make_it_ours > 1:
            raw[3] = 0
        raw[w.CRC_AT :] = zlib.crc32(bytes(raw[: w.CRC_AT])).to_bytes(4, "little")
    blocks.whole(bytes(raw), 1, b"ring")
    blocks.head_of(bytes(raw))
    try:
        found = retrace.read(bytes(raw))
    except retrace.BadBlock:
        return
    assert len(found.rows) <= 65536  # a session is cut in two after 18 h


def test_a_block_that_claims_more_seconds_than_a_session_has_is_none() -> None:
    raw = bytearray(block_of(1, [Second(state=e.MISSING, second_class=e.CLASS_GAP)]))
    run = bytes(raw[w.HEADER_BYTES : w.HEADER_BYTES + 2]) + b"\xff\xff"
    raw[w.HEADER_BYTES : w.HEADER_BYTES + 400] = run * 100
    raw[w.H_ROWS_END : w.H_ROWS_END + 2] = (w.HEADER_BYTES + 400).to_bytes(2, "little")
    raw[w.CRC_AT :] = zlib.crc32(bytes(raw[: w.CRC_AT])).to_bytes(4, "little")
    with pytest.raises(retrace.BadBlock, match="seconds"):
        retrace.read(bytes(raw))


def test_a_clip_that_tells_of_years_in_one_session_is_not_followed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of seconds without a sensor: honest in a block, a lie of all of a ring."""
    assert trace._ROWS_MOST >= 2 * 65536
    monkeypatch.setattr(trace, "_ROWS_MOST", 1000)
    raw = bytearray(block_of(1, [Second(state=e.MISSING, second_class=e.CLASS_GAP)]))
    raw[w.HEADER_BYTES + 2 : w.HEADER_BYTES + 4] = (300).to_bytes(2, "little")
    for number in range(1, 9):
        raw[w.H_NUMBER : w.H_NUMBER + 4] = number.to_bytes(4, "little")
        raw[w.CRC_AT :] = zlib.crc32(bytes(raw[: w.CRC_AT])).to_bytes(4, "little")
        keep(store, bytes(raw))
    told = trace.told_of(store, session_of())
    assert (told.seconds, told.unread) == (4 * 300, 4)
