"""The trace's way to the host: every block once, only whole ones, on from the byte at which it broke off."""

import random
import sqlite3
from pathlib import Path

import pytest
from walktall import records as r
from walktall import wire
from walktall_host import blocks
from walktall_host.client import Client
from walktall_host.download import SESSIONS, TRACE, TRACE_WINDOW, Downloaded, download
from walktall_host.errors import TransferFailed
from walktall_host.store import Store

from tests.desk_device import UTC_S, Desk, frames_in, trace_block
from tests.host_clip import DirectPort, FakeTime

NOW_S = float(UTC_S + 3600 + r.EPOCH_UNIX_S)


def traced(n: int, capacity: int = 64, sessions: int = 2) -> Desk:
    """A clip with some sessions and ``n`` blocks of trace written so far."""
    desk = Desk()
    for k in range(sessions):
        desk.record(300 + k)
    assert desk.handler.trace is not None
    desk.handler.trace.capacity = capacity
    for number in range(n):
        desk.handler.trace.add(trace_block(number))
    return desk


def fetch(port: DirectPort, path: Path, told: list[tuple[str, int, int]] | None = None) -> Downloaded:
    client = Client(port, FakeTime())
    with Store(path) as store:
        return download(
            client,
            client.hello(),
            store,
            lambda: NOW_S,
            lambda what, done, total: told.append((what, done, total)) if told is not None else None,
        )


def held(path: Path) -> dict[int, bytes]:
    with sqlite3.connect(path) as db:
        return dict(db.execute("SELECT block, raw FROM trace_block ORDER BY block").fetchall())


def ring(desk: Desk) -> dict[int, bytes]:
    assert desk.handler.trace is not None
    return dict(desk.handler.trace.blocks)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.sqlite3"


def test_every_block_comes_after_the_sessions_and_the_progress_is_told(path: Path) -> None:
    desk = traced(2 * TRACE_WINDOW + 5)
    told: list[tuple[str, int, int]] = []
    result = fetch(DirectPort(desk), path, told)
    assert (result.new, result.blocks, result.blocks_lost) == (2, 37, 0)
    assert held(path) == ring(desk)
    assert [what for what, _, _ in told] == [SESSIONS] * 2 + [TRACE] * 4
    assert told[-1] == (TRACE, 37, 37) and told[2] == (TRACE, 0, 37)


def test_a_second_download_asks_for_no_block_again(path: Path) -> None:
    desk = traced(20)
    fetch(DirectPort(desk), path)
    port = DirectPort(desk)
    assert fetch(port, path).blocks == 0
    assert port.received < 2 * wire.MAX_FRAME
    assert desk.handler.trace is not None
    desk.handler.trace.add(trace_block(20))
    port = DirectPort(desk)
    assert fetch(port, path).blocks == 1
    assert port.received < 6 * wire.MAX_FRAME


def test_a_ring_that_went_round_leaves_a_gap_and_all_that_is_there(path: Path) -> None:
    desk = traced(10, capacity=8)
    fetch(DirectPort(desk), path)
    assert desk.handler.trace is not None
    for number in range(10, 30):
        desk.handler.trace.add(trace_block(number))
    assert fetch(DirectPort(desk), path).blocks == 8
    assert sorted(held(path)) == [*range(2, 10), *range(22, 30)]


def test_a_torn_block_is_told_once_never_kept_and_never_asked_for_again(path: Path) -> None:
    desk = traced(12)
    trace = desk.handler.trace
    assert trace is not None
    trace.blocks[4] = trace.blocks[4][:100] + b"\xff" * 412
    trace.blocks[7] = trace.blocks[6]  # whole, but another block
    del trace.blocks[9]  # the clip itself cannot read it
    result = fetch(DirectPort(desk), path)
    assert (result.blocks, result.blocks_lost) == (9, 3)
    assert any("3 blocks of the trace" in warning for warning in result.warnings)
    assert sorted(held(path)) == [0, 1, 2, 3, 5, 6, 8, 10, 11]
    again = fetch(DirectPort(desk), path)
    assert (again.blocks, again.blocks_lost, again.warnings) == (0, 0, [])
    trace.blocks[9] = trace_block(9)  # it could be read after all
    assert fetch(DirectPort(desk), path).blocks == 1
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT block, torn FROM trace_lost").fetchall() == [(4, 1), (7, 1)]


def test_a_block_of_a_later_layout_is_kept_as_it_came_and_read_after_the_upgrade(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = traced(2)
    trace = desk.handler.trace
    assert trace is not None
    trace.add(trace_block(2, layout=blocks.LAYOUT + 1, boot=7, start_s=99))
    result = fetch(DirectPort(desk), path)
    assert (result.blocks, result.blocks_lost) == (3, 0)
    assert held(path)[2] == trace.blocks[2]
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT layout, session_boot FROM trace_block ORDER BY block").fetchall()
    assert rows[2] == (blocks.LAYOUT + 1, None) and rows[0][1] is not None
    monkeypatch.setattr(blocks, "LAYOUT", blocks.LAYOUT + 1)
    Store(path).close()
    with sqlite3.connect(path) as db:
        query = "SELECT session_boot, session_start_s FROM trace_block WHERE block = 2"
        assert db.execute(query).fetchall() == [(7, 99)]


def test_another_ring_of_the_same_clip_is_another_ring(path: Path) -> None:
    desk = traced(5)
    fetch(DirectPort(desk), path)
    assert desk.handler.trace is not None
    desk.handler.trace.wipe()
    for number in range(3):
        desk.handler.trace.add(trace_block(number, ring_id=desk.handler.trace.ring_id))
    assert fetch(DirectPort(desk), path).blocks == 3
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM ring").fetchone() == (2,)
        assert db.execute("SELECT count(*) FROM trace_block").fetchone() == (8,)


def test_a_line_cut_in_a_block_goes_on_from_that_byte(path: Path) -> None:
    desk = traced(6, sessions=0)
    fetch_sizes: list[tuple[int, int]] = []
    lost = [False]
    decoder = wire.Decoder()

    class Watched(DirectPort):
        def write(self, data: bytes) -> None:
            for kind, _, body in frames_in(data, decoder):
                if kind == wire.FETCH_TRACE:
                    asked = wire.unpack(wire.FETCH_TRACE_REQUEST_FIELDS, body)
                    fetch_sizes.append((asked["from_block"], asked["offset"]))
            super().write(data)

    inner = wire.Decoder()

    def lose_the_second_piece(data: bytes) -> bytes:
        out = b""
        at = 0
        while at < len(data):
            at = inner.feed(data, at, len(data))
            if inner.size:
                kind, body = wire.frame_kind(inner.frame), wire.frame_body(inner)
                piece = kind == wire.TRACE_DATA and body[:6] == b"\x02\0\0\0\xac\0"
                if piece and not lost[0]:
                    lost[0] = True
                    continue
                out += wire.encode(kind, wire.frame_id(inner.frame), body)
        return out

    assert fetch(Watched(desk, lose_the_second_piece), path).blocks == 6
    assert lost[0] and held(path) == ring(desk)
    assert fetch_sizes == [(0, 0), (2, 172)]


def test_a_line_that_breaks_at_any_point_of_the_trace_loses_nothing(tmp_path: Path) -> None:
    whole = DirectPort(traced(5, sessions=1))
    fetch(whole, tmp_path / "whole.sqlite3")
    for after in range(600, whole.received, 97):
        desk = traced(5, sessions=1)
        path = tmp_path / f"{after}.sqlite3"
        port = DirectPort(desk)
        port.breaks_after = after
        with pytest.raises(TransferFailed):
            fetch(port, path)
        assert all(blocks.whole(raw, number, b"ring") for number, raw in held(path).items())
        desk.port.connected = False
        desk.poll()
        desk.port.connected = True
        fetch(DirectPort(desk), path)
        assert held(path) == ring(desk)


def test_a_bad_line_brings_whole_blocks_or_says_so(tmp_path: Path, chance: random.Random) -> None:
    ended = 0
    for n in range(12):
        desk = traced(20)

        def spoil(data: bytes) -> bytes:
            out = bytearray()
            for byte in data:
                what = chance.random()
                if what < 0.0002:
                    continue
                out.append(byte ^ (1 << chance.randrange(8)) if what < 0.0006 else byte)
            return bytes(out * 2 if data and chance.random() < 0.1 else out)

        path = tmp_path / f"{n}.sqlite3"
        try:
            fetch(DirectPort(desk, spoil), path)
            ended += 1
            assert held(path) == ring(desk)
        except TransferFailed:
            pass
        for number, raw in held(path).items():
            assert raw == ring(desk)[number]
    assert ended >= 9


def test_what_no_honest_clip_says_of_its_trace_is_left_alone(path: Path) -> None:
    desk = traced(3)
    trace = desk.handler.trace
    assert trace is not None
    for first, following in ((0, 2**30 - 1), (7, 3)):
        trace.first_block, trace.next_block = first, following
        result = fetch(DirectPort(desk), path)
        assert any("makes no sense" in warning for warning in result.warnings)
    assert held(path) == {}


def test_a_clip_that_sends_more_or_other_blocks_than_asked_for_is_no_honest_clip(path: Path) -> None:
    for number, offset, size in ((0, 0, 172), (900, 500, 172), (900, 0, 0)):
        desk = traced(40)
        decoder = wire.Decoder()

        def other(
            data: bytes, number: int = number, offset: int = offset, size: int = size, inner: wire.Decoder = decoder
        ) -> bytes:
            out = b""
            for kind, request_id, body in frames_in(data, inner):
                if kind == wire.TRACE_DATA and wire.u16(body, 0) > 20:
                    body = wire.pack(wire.TRACE_DATA_FIELDS, (number, offset)) + bytes(size)
                out += wire.encode(kind, request_id, body)
            return out

        with pytest.raises(TransferFailed, match="not asked for"):
            fetch(DirectPort(desk, other), path)
        with Store(path) as store:
            assert len(store.sessions()) == 2 and all(session.acked for session in store.sessions())


def test_a_firmware_from_before_the_trace_is_downloaded_as_ever(path: Path) -> None:
    desk = traced(3)
    inner = wire.Decoder()

    def of_old(data: bytes) -> bytes:
        out = b""
        for kind, request_id, body in frames_in(data, inner):
            if kind == wire.HELLO | wire.REPLY:
                body = body[: wire.fields_size(wire.HELLO_FIELDS[: wire.H_TRACE_ID])]
            out += wire.encode(kind, request_id, body)
        return out

    result = fetch(DirectPort(desk, of_old), path)
    assert (result.new, result.blocks) == (2, 0)
    assert not [warning for warning in result.warnings if "trace" in warning]
