"""The link: answers that are right, bounded whatever comes, and a download that ends right over a bad port."""

import random
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from walktall import journal as j
from walktall import link as link_module
from walktall import records as r
from walktall import settings as s
from walktall import wire as w

from tests.desk_device import DAY_S, UTC_S, Desk, Flash, walk
from tests.vm.machine import Machine


def error_of(replies: list[tuple[int, int, bytes]]) -> tuple[int, int, str]:
    """(request kind, code, text) of the one reply, an error."""
    ((kind, _, body),) = replies
    assert kind == w.ERROR
    return body[0], body[1], body[2:].decode("ascii")


def test_hello_says_who_it_is_and_what_it_holds() -> None:
    desk = Desk()
    for _ in range(3):
        desk.record()
    desk.handler.clock_s = UTC_S
    desk.journal.acknowledge(1, desk.journal.unacked_crc(1), 100)
    told = desk.hello()
    assert told["device_id"] == desk.journal.head[j.J_DEVICE_ID] and told["device_id"] != bytes(8)
    assert told["journal_id"] == desk.journal.head[j.J_JOURNAL_ID]
    assert (told["protocol"], told["record_layout"], told["journal_layout"]) == (1, 1, 1)
    assert told["fw_version"] == r.version_number()
    assert (told["board"], told["chip"]) == ("Seeed_XIAO_nRF52840_Sense", "LSM6DS3TR-C")
    assert (told["sessions"], told["capacity"], told["unacknowledged"]) == (3, 41, 2)
    assert (told["first_seq"], told["next_seq"], told["acked_seq"]) == (1, 4, 1)
    assert (told["boot"], told["uptime_s"], told["utc_s"], told["battery_mv"]) == (1, 100, UTC_S, 3980)
    assert told["settings_count"] == s.N_SETTINGS
    # The first boot of a device formats: that it says, and that the acknowledgement is not yet written.
    assert told["flags"] == w.HF_USB | w.HF_CLOCK_SET | w.HF_FORMATTED | w.HF_UNSAVED


def test_hello_tells_what_is_wrong_with_the_journal() -> None:
    desk = Desk()
    desk.record()
    desk.record()
    desk.banks[desk.journal.bank].data[900] ^= 4
    again = Desk(desk.banks)
    flags = again.hello()["flags"]
    assert isinstance(flags, int)
    assert flags & w.HF_BANK_LOST and not flags & w.HF_FORMATTED
    data = desk.banks[again.journal.bank].data
    data[3] = 7
    r.seal_into(data, 0, len(data) - 4)
    last = Desk(desk.banks)
    told = last.hello()
    assert isinstance(told["flags"], int) and told["flags"] & w.HF_READ_ONLY and told["journal_layout"] == 7
    assert told["device_id"] == again.journal.head[j.J_DEVICE_ID]
    assert error_of(last.ask(w.ACK, bytes(6)))[1] == w.E_READ_ONLY


def test_clock_is_set_and_the_old_one_told_for_the_drift() -> None:
    desk = Desk()
    ((_, _, body),) = desk.ask(w.CLOCK, struct.pack("<I", UTC_S))
    assert w.unpack(w.CLOCK_REPLY_FIELDS, body) == {
        "was_utc_s": 0,
        "utc_s": UTC_S,
        "set_at_utc_s": 0,
        "uptime_s": 100,
    }
    desk.handler.clock_s = UTC_S + DAY_S - 3  # three seconds late after a day
    ((_, _, body),) = desk.ask(w.CLOCK, struct.pack("<I", UTC_S + DAY_S))
    told = w.unpack(w.CLOCK_REPLY_FIELDS, body)
    assert (told["was_utc_s"], told["utc_s"], told["set_at_utc_s"]) == (UTC_S + DAY_S - 3, UTC_S + DAY_S, UTC_S)
    ((_, _, body),) = desk.ask(w.CLOCK, bytes(4))
    assert w.unpack(w.CLOCK_REPLY_FIELDS, body)["utc_s"] == desk.handler.clock_s == UTC_S + DAY_S
    assert error_of(desk.ask(w.CLOCK, b"\0\0\0\x80"))[1] == w.E_REFUSED


def test_fetch_brings_every_record_byte_for_byte_and_says_where_to_go_on() -> None:
    desk = Desk()
    for k in range(41):
        desk.journal.append(walk(600 + k))
    desk.journal.commit(UTC_S, 1, True)
    slots = desk.fetch()
    assert sorted(slots) == list(range(1, 42))
    assert all(len(raw) == r.SESSION_SLOT_BYTES and w.u16(raw, 1) == seq for seq, raw in slots.items())
    assert sorted(desk.fetch(40)) == [40, 41] and desk.fetch(42) == {}
    frames = desk.ask(w.FETCH, struct.pack("<HH", 5, 3))
    assert [kind for kind, _, _ in frames] == [w.RECORD] * 3 + [w.FETCH | w.REPLY]
    assert struct.unpack("<HH", frames[-1][2]) == (3, 8)
    assert [body[2] for _, _, body in frames[:-1]] == [0, 0, 0]


def test_acknowledged_records_stay_and_say_so() -> None:
    desk = Desk()
    desk.record()
    desk.record()
    slots = desk.fetch()
    ((kind, _, body),) = desk.acknowledge({1: slots[1]})
    assert kind == w.ACK | w.REPLY and struct.unpack("<HH", body) == (1, 1)
    assert desk.fetch() == slots
    frames = desk.ask(w.FETCH, bytes(4))
    assert [body[2] for kind, _, body in frames if kind == w.RECORD] == [1, 0]
    ((_, _, body),) = desk.acknowledge({2: slots[2]})
    assert struct.unpack("<HH", body) == (2, 0)
    assert desk.acknowledge({2: slots[2]})[0][0] == w.ACK | w.REPLY  # repeated


def test_an_acknowledgement_of_other_bytes_is_refused() -> None:
    desk = Desk()
    desk.record()
    slots = desk.fetch()
    wrong = {1: slots[1][:-1] + b"\1"}
    assert error_of(desk.acknowledge(wrong)) == (w.ACK, w.E_ACK, "fetch again from 1")
    assert error_of(desk.acknowledge({9: slots[1]}))[1] == w.E_BAD_REQUEST
    assert desk.journal.acked_seq == 0


def test_a_session_still_in_memory_is_written_before_it_is_sent() -> None:
    desk = Desk()
    for _ in range(j.COMMITS_A_DAY + 2):
        desk.journal.append(walk(700))
        desk.journal.commit(UTC_S, 1)
    desk.handler.clock_s = UTC_S
    assert desk.journal.written < desk.journal.count
    assert len(desk.fetch()) == desk.journal.count
    assert Desk(desk.banks).journal.count == desk.journal.count


def test_what_cannot_be_written_is_not_sent() -> None:
    desk = Desk()
    desk.record()
    desk.journal.append(walk(700))
    desk.banks[1 - desk.journal.bank].fails = 9
    assert sorted(desk.fetch()) == [1]
    assert isinstance(flags := desk.hello()["flags"], int) and flags & w.HF_STORE_FAULT


def test_settings_are_told_set_together_refused_whole_and_reset() -> None:
    desk = Desk()
    ((_, _, body),) = desk.ask(w.SETTINGS_GET, b"\0")
    total, pairs = w.unpack_settings(body)
    assert total == s.N_SETTINGS and pairs == [(i, row[2]) for i, row in enumerate(s.SETTINGS)]
    ((_, _, body),) = desk.ask(w.SETTINGS_SET, w.pack_settings([(s.SET_ON_DEG, 8), (s.SET_OFF_DEG, 5)]))
    assert dict(w.unpack_settings(body)[1])[s.SET_ON_DEG] == 8 and desk.handler.settings_taken == 1
    before = list(desk.journal.settings.values)
    refused = error_of(desk.ask(w.SETTINGS_SET, w.pack_settings([(s.SET_HOLD_S, 20), (s.SET_OFF_DEG, 9)])))
    assert refused == (w.SETTINGS_SET, w.E_REFUSED, "off_deg (9) must be below on_deg (8)")
    assert error_of(desk.ask(w.SETTINGS_SET, w.pack_settings([(200, 1)])))[2] == "no setting has the number 200"
    assert error_of(desk.ask(w.SETTINGS_SET, b"\5\0\0\0\0\0"))[1] == w.E_BAD_REQUEST
    assert list(desk.journal.settings.values) == before and desk.handler.settings_taken == 1
    ((_, _, body),) = desk.ask(w.SETTINGS_RESET)
    assert w.unpack_settings(body)[1] == pairs and desk.handler.settings_taken == 2
    ((_, _, body),) = desk.ask(w.SETTINGS_GET, bytes([s.N_SETTINGS + 5]))
    assert w.unpack_settings(body) == (s.N_SETTINGS, [])


def test_calibration_is_begun_asked_after_and_given_up() -> None:
    desk = Desk()
    assert desk.ask(w.CALIBRATE, b"\0")[0][2] == bytes([0, 0])
    assert desk.ask(w.CALIBRATE, b"\1", 11)[0][2][0] == w.CALIBRATION_NAMES.index("running")
    assert desk.ask(w.CALIBRATE, b"\1", 11)[0][2][0] == 4 and desk.handler.calibrations == 1  # doubled
    assert desk.ask(w.CALIBRATE, b"\2", 12)[0][2][0] == 0
    desk.handler.can_calibrate = False
    assert error_of(desk.ask(w.CALIBRATE, b"\1", 13))[1] == w.E_BUSY


def test_what_acts_acts_once_for_one_id() -> None:
    desk = Desk()
    for _ in range(3):
        assert desk.ask(w.IDENTIFY, b"", 20)[0][:2] == (w.IDENTIFY | w.REPLY, 20)
    assert desk.handler.identified == 1
    desk.ask(w.MARK, b"", 21)
    desk.ask(w.MARK, b"", 21)
    desk.ask(w.MARK, b"", 22)
    assert desk.handler.marks == 2
    desk.hello()  # another host, whose ids begin anew
    desk.ask(w.MARK, b"", 22)
    assert desk.handler.marks == 3


def test_selftest_and_maintenance_answer() -> None:
    desk = Desk()
    ((_, _, body),) = desk.ask(w.SELFTEST)
    told = w.unpack(w.SELFTEST_REPLY_FIELDS, body)
    assert told == {"status": 0, "vector_digest": bytes(range(0xA0, 0xA8)), "source_digest": bytes(range(0xA8, 0xB0))}
    assert desk.ask(w.MAINTENANCE)[0][0] == w.MAINTENANCE | w.REPLY
    desk.handler.maintenance_there = False
    assert error_of(desk.ask(w.MAINTENANCE))[1] == w.E_REFUSED


def test_live_data_flow_while_wanted_and_never_wait() -> None:
    desk = Desk()
    values = [0] * w.LIVE_TABLE.count
    assert not desk.link.push_live(values)
    desk.ask(w.LIVE, b"\1")
    assert desk.live_asked == [True]
    values[1] = -1234
    assert desk.link.push_live(values)
    desk.run()
    ((kind, request_id, body),) = desk.replies()
    assert (kind, request_id) == (w.LIVE_DATA, 0)
    assert w.unpack(w.LIVE_DATA_FIELDS, body)["pitch_cdeg"] == -1234
    desk.port.takes = 0
    sent = sum(desk.link.push_live(values) for _ in range(100))
    desk.port.takes = 1024
    desk.run()
    assert len(desk.replies()) == sent < 20
    desk.link.push_live(values)
    desk.run()
    assert w.unpack(w.LIVE_DATA_FIELDS, desk.replies()[0][2])["lost"] == 100 - sent
    desk.port.connected = False
    desk.poll()
    assert desk.live_asked == [True, False] and not desk.link.push_live(values)


def test_format_takes_a_nonce_and_the_journals_own_id() -> None:
    desk = Desk()
    desk.record()
    journal_id = desk.journal.head[j.J_JOURNAL_ID]
    assert error_of(desk.ask(w.FORMAT, b"\1\2\3\4" + journal_id))[1] == w.E_NONCE  # none was given
    ((_, _, body),) = desk.ask(w.FORMAT, bytes(8))
    nonce = body[:4]
    assert nonce != bytes(4) and body[4:] == journal_id
    assert desk.ask(w.FORMAT, bytes(8))[0][2] == body  # asked again: the same nonce
    assert error_of(desk.ask(w.FORMAT, nonce + b"abcd"))[1] == w.E_NONCE
    assert desk.journal.count == 1
    ((kind, _, done),) = desk.ask(w.FORMAT, nonce + journal_id)
    assert (
        kind == w.FORMAT | w.REPLY and done[:4] == nonce and done[4:] == desk.journal.head[j.J_JOURNAL_ID] != journal_id
    )
    assert desk.journal.count == 0 and Desk(desk.banks).journal.count == 0
    writes = desk.banks[0].writes + desk.banks[1].writes
    assert desk.ask(w.FORMAT, nonce + journal_id)[0][2] == done  # its reply was lost
    assert desk.banks[0].writes + desk.banks[1].writes == writes


def block(number: int) -> bytes:
    """512 bytes that tell which block they are of."""
    return bytes((number * 37 + k * 11 + k // 256) & 0xFF for k in range(512))


def traced(n: int, capacity: int = 64) -> Desk:
    desk = Desk()
    assert desk.handler.trace is not None
    desk.handler.trace.capacity = capacity
    for number in range(n):
        desk.handler.trace.add(block(number))
    return desk


def fetch_trace(desk: Desk, from_block: int = 0, offset: int = 0, limit: int = 0) -> tuple[dict[int, bytes], int, int]:
    """(bytes by block, blocks said to be sent, where to go on)."""
    *pieces, end = desk.ask(w.FETCH_TRACE, w.pack(w.FETCH_TRACE_REQUEST_FIELDS, (from_block, offset, limit)))
    assert end[0] == w.FETCH_TRACE | w.REPLY
    found: dict[int, bytes] = {}
    for kind, _, body in pieces:
        assert kind == w.TRACE_DATA
        number, at = struct.unpack_from("<IH", body)
        assert at == len(found.get(number, b"")) + (offset if number == from_block else 0)
        found[number] = found.get(number, b"") + body[6:]
    sent, next_block = struct.unpack("<HI", end[2])
    return found, sent, next_block


def test_the_trace_comes_block_by_block_from_any_offset() -> None:
    desk = traced(9)
    told = desk.hello()
    assert (told["trace_first"], told["trace_next"], told["trace_capacity"], told["trace_id"]) == (0, 9, 64, b"ring")
    assert fetch_trace(desk) == ({n: block(n) for n in range(9)}, 9, 9)
    assert fetch_trace(desk, 4, 0, 2) == ({4: block(4), 5: block(5)}, 2, 6)
    for offset in (1, 171, 172, 173, 344, 511):
        assert fetch_trace(desk, 7, offset, 1) == ({7: block(7)[offset:]}, 1, 8)
    assert fetch_trace(desk, 9) == ({}, 0, 9)
    assert fetch_trace(desk, 2**30) == ({}, 0, 2**30)


def test_what_the_ring_has_overwritten_or_cannot_read_is_left_out() -> None:
    desk = traced(30, 8)
    trace = desk.handler.trace
    assert trace is not None
    del trace.blocks[25]
    found, sent, next_block = fetch_trace(desk, 3, 100)
    assert sorted(found) == [22, 23, 24, 26, 27, 28, 29] and (sent, next_block) == (7, 30)
    assert all(found[n] == block(n) for n in found)  # from 3, gone, the oldest there is, and from its beginning
    desk = traced(60)
    trace = desk.handler.trace
    assert trace is not None
    for n in range(5, 40):
        del trace.blocks[n]
    assert fetch_trace(desk, 0)[1:] == (5, 21)  # it does not search on in one turn: the host asks from there
    assert fetch_trace(desk, 21)[1:] == (0, 37)
    assert fetch_trace(desk, 37)[1:] == (20, 60)


def test_bad_requests_for_the_trace_are_refused() -> None:
    desk = traced(3)
    assert error_of(desk.ask(w.FETCH_TRACE, b"\0\0\0\x80" + bytes(4)))[1] == w.E_BAD_REQUEST
    assert error_of(desk.ask(w.FETCH_TRACE, struct.pack("<IHH", 0, 512, 0)))[1] == w.E_BAD_REQUEST
    assert error_of(desk.ask(w.FETCH_TRACE, bytes(7)))[1] == w.E_BAD_REQUEST
    desk.handler.trace = None
    assert error_of(desk.ask(w.FETCH_TRACE, bytes(8)))[1] == w.E_REFUSED
    flags = desk.hello()["flags"]
    assert isinstance(flags, int) and flags & w.HF_TRACE_FAULT


def test_sessions_asked_for_end_the_sending_of_the_trace_and_the_other_way_round() -> None:
    desk = traced(20)
    desk.record()
    desk.port.to_device += w.encode(w.FETCH_TRACE, 5, bytes(8)) + w.encode(w.FETCH, 6, bytes(4))
    desk.run()
    replies = desk.replies()
    assert replies[-1][:2] == (w.FETCH | w.REPLY, 6)
    assert not [kind for kind, _, _ in replies if kind == w.FETCH_TRACE | w.REPLY]
    desk.port.to_device += w.encode(w.FETCH, 7, bytes(4)) + w.encode(w.FETCH_TRACE, 8, bytes(8))
    desk.run()
    assert desk.replies()[-1][:2] == (w.FETCH_TRACE | w.REPLY, 8)


def test_a_format_wipes_the_trace_and_hello_says_while_it_does() -> None:
    desk = traced(5)
    trace = desk.handler.trace
    assert trace is not None
    body = desk.ask(w.FORMAT, bytes(8), 1)[0][2]
    assert trace.blocks
    desk.ask(w.FORMAT, body, 2)
    assert not trace.blocks and desk.hello()["trace_id"] != b"ring"
    trace.wiping = True
    flags = desk.hello()["flags"]
    assert isinstance(flags, int) and flags & w.HF_WIPING


def test_a_format_that_the_bank_refuses_is_told_and_gives_up_neither_records_nor_trace() -> None:
    desk = traced(5)
    desk.record()
    body = desk.ask(w.FORMAT, bytes(8), 1)[0][2]
    for bank in desk.banks:
        bank.fails = 1
    assert error_of(desk.ask(w.FORMAT, body, 2))[1] == w.E_STORE
    for bank in desk.banks:
        bank.fails = 0
    trace = desk.handler.trace
    assert trace is not None and trace.blocks and desk.hello()["trace_id"] == b"ring"
    assert desk.hello()["sessions"] == 1 and Desk(desk.banks).journal.count == 1
    desk.journal.poll(UTC_S + 90000, 90000)
    assert Desk(desk.banks).journal.count == 1


def test_a_raw_recording_is_begun_asked_after_and_ended_once_for_one_id() -> None:
    desk = traced(0)
    assert desk.ask(w.RAW, b"\2", 1)[0][2] == struct.pack("<H", 120)
    desk.handler.raw_s = 50
    assert desk.ask(w.RAW, b"\2", 1)[0][2] == struct.pack("<H", 50)  # doubled: it does not begin again
    assert desk.ask(w.RAW, b"\xff", 2)[0][2] == struct.pack("<H", 50)
    flags = desk.hello()["flags"]
    assert isinstance(flags, int) and flags & w.HF_RAW
    assert error_of(desk.ask(w.RAW, bytes([desk.handler.raw_most_min + 1]), 3))[1] == w.E_REFUSED
    assert desk.ask(w.RAW, b"\0", 4)[0][2] == bytes(2) and desk.handler.raw_s == 0


def test_a_nonce_dies_with_the_connection() -> None:
    desk = Desk()
    desk.record()
    nonce = desk.ask(w.FORMAT, bytes(8))[0][2]
    desk.port.connected = False
    desk.poll()
    desk.port.connected = True
    assert error_of(desk.ask(w.FORMAT, nonce))[1] == w.E_NONCE
    assert desk.journal.count == 1


def test_what_is_no_request_is_answered_with_an_error_or_nothing() -> None:
    desk = Desk()
    assert error_of(desk.ask(0x55)) == (0x55, w.E_UNKNOWN, "")
    assert error_of(desk.ask(w.FETCH, b"\0")) == (w.FETCH, w.E_BAD_REQUEST, "1 bytes are too few")
    assert desk.ask(w.HELLO | w.REPLY) == [] and desk.ask(w.ERROR) == []
    desk.port.to_device += w.encode(w.FETCH, 7, bytes(4), 9)
    desk.run()
    assert error_of(desk.replies()) == (w.FETCH, w.E_PROTOCOL, "this device speaks protocol 1")
    desk.port.to_device += w.encode(w.HELLO, 7, b"of a later host", 9)
    desk.run()
    assert desk.replies()[0][0] == w.HELLO | w.REPLY


def test_a_fault_in_the_device_is_an_answer_and_not_the_end() -> None:
    desk = Desk()
    for fault in (ValueError("x"), OSError(5), KeyError("y")):
        desk.handler.fault = fault
        assert error_of(desk.ask(w.HELLO)) == (w.HELLO, w.E_INTERNAL, type(fault).__name__)
    assert desk.link.faults == 3
    desk.handler.fault = None
    assert desk.hello()["protocol"] == 1


def test_a_host_that_does_not_read_stops_nothing_and_is_given_up() -> None:
    desk = Desk()
    for _ in range(20):
        desk.record()
    desk.port.takes = 0
    for request_id in range(100):
        desk.port.to_device += w.encode(w.HELLO, request_id)
        desk.port.to_device += w.encode(w.FETCH, request_id, bytes(4))
    desk.poll(400)
    assert desk.link.busy and len(desk.port.to_device) > 500  # no more is read than can be answered
    desk.poll(200)  # 6 s in all: given up, and what is asked now is answered
    desk.port.takes = 1024
    desk.run(5000)
    assert desk.replies()[-1][0] == w.FETCH | w.REPLY
    assert desk.port.offered <= link_module._TX_SIZE


def test_a_host_that_reads_byte_by_byte_gets_it_all() -> None:
    desk = Desk()
    for _ in range(5):
        desk.record()
    desk.port.takes = 1
    desk.port.gives = 1
    desk.port.to_device += w.encode(w.FETCH, 7, bytes(4))
    for _ in range(1500):
        desk.poll()
    assert [kind for kind, _, _ in desk.replies()] == [w.RECORD] * 5 + [w.FETCH | w.REPLY]


def test_nothing_half_heard_survives_a_lost_connection() -> None:
    desk = Desk()
    desk.record()
    request = w.encode(w.FETCH, 7, bytes(4))
    for at in range(len(request)):
        desk.port.to_device += request[:at]
        desk.poll(3)
        desk.port.connected = False
        desk.poll()
        assert not desk.link.connected and not desk.link.busy
        desk.port.from_device.clear()
        desk.port.connected = True
        assert desk.hello()["protocol"] == 1
    desk.port.broken = True
    desk.port.to_device += request
    desk.poll()
    assert not desk.link.connected
    desk.port.broken = False
    desk.port.to_device.clear()
    assert desk.hello()["protocol"] == 1


def test_one_poll_reads_and_sends_a_bounded_amount() -> None:
    desk = Desk()
    for _ in range(30):
        desk.record()
    desk.port.to_device += bytes(10000)
    desk.poll()
    assert 10000 - len(desk.port.to_device) <= 2 * link_module._RX_A_POLL
    desk.run()
    desk.port.to_device += w.encode(w.FETCH, 7, bytes(4))
    desk.poll()
    assert len(desk.replies()) <= 4


@hypothesis_settings(max_examples=60)
@given(st.data())
def test_no_bytes_at_all_harm_the_device(data: st.DataObject) -> None:
    """Random bytes, mutated requests, wrong bodies of every request: the device answers on, and holds what it held."""
    desk = Desk()
    desk.record()
    desk.record(90)
    for _ in range(12):
        body = data.draw(st.binary(max_size=40))
        frame = bytearray(w.encode(data.draw(st.integers(0, 255)), data.draw(st.integers(0, 65535)), body))
        if data.draw(st.booleans()):
            frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
        desk.port.to_device += data.draw(st.binary(max_size=30)) + frame
        desk.poll(data.draw(st.integers(1, 5)))
    desk.run()
    desk.port.from_device.clear()
    desk._decoder.reset()
    desk.port.to_device += b"\0"
    told = desk.hello()
    assert told["sessions"] == 2 and desk.journal.settings.check()
    assert desk.link.faults == 0


def test_a_flood_grows_nothing(chance: random.Random) -> None:
    desk = Desk()
    for _ in range(5):
        desk.record()
    noise = [bytes(chance.randbytes(200)) + w.encode(w.FETCH, k, bytes(4)) for k in range(50)]

    def flood() -> None:
        for piece in noise:
            desk.port.to_device += piece
            desk.run()
            desk.port.from_device.clear()

    flood()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(10):
        flood()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 4096
    assert len(desk.link._tx) == link_module._TX_SIZE and len(desk.link._decoder.frame) == w.MAX_FRAME


def test_on_the_board_idling_and_garbage_take_no_heap_and_a_request_takes_little(machine: Machine) -> None:
    told = {
        line.split()[0]: [int(n) for n in line.split()[1:]] for line in machine.micropython("heap_link").splitlines()
    }
    assert told.pop("idle") == [0]
    taken, bad_frames = told.pop("noise")
    assert bad_frames >= 4 and taken <= 64 * bad_frames  # a frame that ends costs the view over it for its CRC
    assert set(told) == {"hello", "fetch", "ack", "settings_get", "clock", "fetch_trace"}
    for kind, (taken, sent) in told.items():
        print(f"{kind}: {taken} bytes of heap, all garbage, for {sent} bytes sent")
        assert sent > 0 and taken < 1024 + sent  # a frame costs some 300 bytes: its pieces of the buffers, its CRC


class BadPort:
    """What a host sees over a port that loses, doubles, changes and delays bytes."""

    def __init__(self, desk: Desk, chance: random.Random, rate: float) -> None:
        self.desk = desk
        self.chance = chance
        self.rate = rate
        self.decoder = w.Decoder()

    def spoil(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            if self.chance.random() < self.rate:
                kind = self.chance.randrange(3)
                if kind == 0:
                    continue
                out += bytes([byte, byte]) if kind == 1 else bytes([self.chance.randrange(256)])
            else:
                out.append(byte)
        return bytes(out)

    def ask(self, kind: int, body: bytes, request_id: int) -> list[tuple[int, int, bytes]]:
        self.desk.port.to_device += self.spoil(w.encode(kind, request_id, body))
        self.desk.run()
        data = self.spoil(bytes(self.desk.port.from_device))
        self.desk.port.from_device.clear()
        found = []
        at = 0
        while at < len(data):
            at = self.decoder.feed(data, at, len(data))
            if self.decoder.size:
                frame = self.decoder.frame
                if w.frame_id(frame) == request_id:
                    found.append((w.frame_kind(frame), request_id, w.frame_body(self.decoder)))
        return found


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.004])
def test_a_download_over_a_bad_port_ends_right(rate: float, chance: random.Random) -> None:
    """As docs/protocol.md says to: what arrives checks, what is missing is asked for again, the rest follows."""
    desk = Desk()
    for k in range(20):
        desk.record(600 + k)
    true = desk.fetch()
    port = BadPort(desk, chance, rate)
    held: dict[int, bytes] = {}
    request_id = 1000
    for _ in range(400):
        request_id += 1
        lacking = next(seq for seq in range(1, 22) if seq not in held)
        if lacking > 20:
            break
        for kind, _, body in port.ask(w.FETCH, struct.pack("<HH", lacking, 4), request_id):
            if kind == w.RECORD:
                held[w.u16(body, 0)] = body[3:]
    assert held == true
    for _ in range(50):
        request_id += 1
        crc = w.crc_bytes(held[seq] for seq in sorted(held))
        replies = port.ask(w.ACK, struct.pack("<H", 20) + crc, request_id)
        if any(kind == w.ACK | w.REPLY for kind, _, _ in replies):
            break
    assert desk.journal.acked_seq == 20


def test_a_download_cut_at_every_byte_goes_on(chance: random.Random) -> None:
    """The connection falls after each byte of the exchange in turn, and the device boots after some of them."""
    banks = (Flash(), Flash())
    desk = Desk(banks)
    desk.record(600)
    desk.record(700)
    desk.record(100)
    true = desk.fetch()
    length = len(w.encode(w.FETCH, 7, bytes(4))) + 3 * 110
    for cut in range(0, length, 1):
        at = Desk(banks) if cut % 7 == 0 else desk
        at.port.to_device += w.encode(w.FETCH, 7, bytes(4))
        for _ in range(cut):
            at.port.takes = 1
            at.poll()
        at.port.connected = False
        at.poll()
        at.port.connected = True
        at.port.takes = 1024
        at.port.from_device.clear()
        at.port.to_device.clear()
        at._decoder.reset()
        assert at.fetch() == true
