"""Requests in, replies out: the device's end of the wire.

``poll`` reads a bounded number of bytes, hands whole requests to the device and writes what the port takes. It never
blocks and stands on buffers that never grow, whatever comes: bytes that make no frame are dropped and counted; while
a reply waits for room no request is read; a host that stops reading loses what it was sent, not the device its time.

The device hands itself in as ``handler``. It has

===============================  ======================================================================================
``journal``                      the :class:`walktall.journal.Journal`, loaded; its ``settings`` are those in force
``uptime_s()``, ``utc_s()``      seconds since boot; the clock, 0 = not set
``hello_into(values)``           fills, by ``wire.H_...``: board, chip, source_digest, uptime_s, utc_s, flags (its own),
                                 reset_reason, errors, last_error, battery_mv; the rest is filled here
``set_clock(utc_s)``             sets the clock (more than 0)
``settings_changed()``           the settings have changed: take them over
``identify()``                   buzz to be found
``begin_calibration()``          True when a calibration has begun
``cancel_calibration()``         gives it up
``calibration_status()``         index into ``wire.CALIBRATION_NAMES``
``selftest_into(buf)``           ``wire.SELFTEST_...``: begins one, or tells how the one begun stands; when it is over,
                                 8 bytes of vector digest and 8 of source digest are filled in
``live(on)``                     live data wanted, or not any more: see :meth:`Link.push_live`
``mark()``                       a mark of discomfort
``maintenance()``                True when it restarts, and the drive changes hands
``trace``                        the second-by-second ring, or None: ``ring_id``, ``layout``, ``first_block``,
                                 ``next_block``, ``capacity``, ``torn``, ``fault``, ``wiping`` and
                                 ``read_into(block, offset, buf)``: bytes copied, 0 where the block cannot be read
``wipe()``                       the records were given up: what was done second by second goes with them
``raw(minutes)``                 begins a raw recording (0 ends it); seconds left, -1 = refused
``raw_left_s()``                 seconds of raw recording left, 0 = none runs
===============================  ======================================================================================

Of ``hello_into`` the trace is filled in here, ``drive_kib`` and ``drive_free_kib`` are the device's.

A request that arrives twice, because a port doubled it or the host lost the reply, does no harm: reading repeats
itself, ACK and FORMAT know that they are done, IDENTIFY, MARK and CALIBRATE act once for one request id, and SELFTEST
says again what it said to that id.

It decides nothing about posture and keeps nothing: ``journal`` does.
"""

from . import frames as w
from . import limits as s
from . import slots as r
from .journal import (
    ACK_OK,
    ACK_UNKNOWN,
    CAL_QUALITY,
    CAL_TAKEN_UTC_S,
    COMMITTED,
    J_CLOCK_SET_UTC_S,
    J_COMMITS,
    J_COMMITS_DEFERRED,
    J_COMMITS_TODAY,
    J_DEVICE_ID,
    J_DROPPED_ACKED,
    J_DROPPED_UNACKED,
    J_JOURNAL_ID,
    JOURNAL_LAYOUT,
    NOTHING,
    WHY_SESSION,
)
from .packing import i32, u16
from .ticks import ticks_diff

try:
    from micropython import const
except ImportError:

    def const(value):
        """The value itself: CPython folds nothing."""
        return value


# Of `wire`; private, so that they fold: tests/test_house_rules.py holds them to it.
_ACK = const(4)
_CAL_START = const(1)
_CAL_CANCEL = const(2)
_CALIBRATE = const(8)
_CLOCK = const(2)
_E_BAD_REQUEST = const(1)
_E_UNKNOWN = const(2)
_E_PROTOCOL = const(3)
_E_REFUSED = const(4)
_E_BUSY = const(5)
_E_NONCE = const(6)
_E_ACK = const(7)
_E_READ_ONLY = const(8)
_E_STORE = const(9)
_E_INTERNAL = const(10)
_ERROR = const(0xFF)
_FETCH = const(3)
_FETCH_TRACE = const(15)
_FORMAT = const(14)
_H_DEVICE_ID = const(0)
_H_JOURNAL_ID = const(1)
_H_PROTOCOL = const(2)
_H_FW_VERSION = const(3)
_H_RECORD_LAYOUT = const(4)
_H_JOURNAL_LAYOUT = const(5)
_H_BOOT = const(9)
_H_FLAGS = const(12)
_H_SESSIONS = const(17)
_H_CAPACITY = const(18)
_H_UNACKNOWLEDGED = const(19)
_H_FIRST_SEQ = const(20)
_H_NEXT_SEQ = const(21)
_H_ACKED_SEQ = const(22)
_H_DROPPED_ACKED = const(23)
_H_DROPPED_UNACKED = const(24)
_H_NEWER_RECORDS = const(25)
_H_COMMITS = const(26)
_H_COMMITS_TODAY = const(27)
_H_COMMITS_DEFERRED = const(28)
_H_SETTINGS_COUNT = const(29)
_H_CALIBRATION_QUALITY = const(30)
_H_BAD_FRAMES = const(31)
_H_CALIBRATED_UTC_S = const(32)
_H_TRACE_ID = const(33)
_H_TRACE_LAYOUT = const(34)
_H_TRACE_BLOCK_BYTES = const(35)
_H_TRACE_FIRST = const(36)
_H_TRACE_NEXT = const(37)
_H_TRACE_CAPACITY = const(38)
_H_TRACE_TORN = const(39)
_HEADER_SIZE = const(4)
_HELLO = const(1)
_HF_CALIBRATED = const(1)
_HF_FORMATTED = const(64)
_HF_BANK_LOST = const(128)
_HF_READ_ONLY = const(256)
_HF_SETTINGS_DEFAULTED = const(512)
_HF_UNSAVED = const(2048)
_HF_STORE_FAULT = const(16384)
_HF_TRACE_FAULT = const(32768)
_HF_WIPING = const(65536)
_HF_RAW = const(131072)
_IDENTIFY = const(9)
_LIVE = const(11)
_LIVE_DATA = const(0xC1)
_LIVE_LOST = const(13)
_MAINTENANCE = const(13)
_MARK = const(12)
_MAX_FRAME = const(256)
_MAX_BODY = const(248)
_MAX_ENCODED = const(260)
_N_KINDS = const(17)
_PROTOCOL = const(1)
_RAW = const(16)
_RAW_ASK = const(255)
_RECORD = const(0xC0)
_REPLY = const(0x80)
_SELFTEST = const(10)
_SELFTEST_RUNNING = const(2)
_SETTING_SIZE = const(5)
_SETTINGS_GET = const(5)
_SETTINGS_SET = const(6)
_SETTINGS_RESET = const(7)
_SETTINGS_A_FRAME = const(49)
_TRACE_DATA = const(0xC2)
_TRACE_PIECE = const(172)

_RX_SIZE = const(64)
# Bytes read in one poll at the most: at 10 ms a poll this is faster than any host need be, and a flood costs little.
_RX_A_POLL = const(256)
# ... and records or pieces of blocks sent: stuffing one and its CRC take some milliseconds on the board.
_RECORDS_A_POLL = const(2)
# Room for two frames: while one drains the next is made.
_TX_SIZE = const(520)
# A host that takes nothing for this long has gone, whatever DTR says.
_STALLED_MS = const(5000)
_BODY = _HEADER_SIZE

_CRC_AT = const(2)  # in the body of ACK
_BLOCK_BYTES = const(512)
_PIECE_AT = const(6)  # in the body of TRACE_DATA
# Blocks in a row that cannot be read before FETCH_TRACE ends early: a poll must not search a whole ring.
_UNREADABLE_MAX = const(16)
_NO_NONCE = b"\x00\x00\x00\x00"


class Link:
    """The device's end of the wire.

    :param port: ``connected``, ``in_waiting``, ``readinto(buf)`` and ``write(buf)``, both of which return the number of
        bytes moved (or None for none) without waiting
    :param handler: the device, as drawn above
    """

    def __init__(self, port, handler):
        self._port = port
        self._handler = handler
        self._rx = bytearray(_RX_SIZE)
        self._rx_view = memoryview(self._rx)
        self._rx_at = 0
        self._rx_n = 0
        self._decoder = w.Decoder()
        self._frame = bytearray(_MAX_FRAME)
        self._tx = bytearray(_TX_SIZE)
        self._tx_view = memoryview(self._tx)
        self._tx_at = 0
        self._tx_n = 0
        self._tx_moved_ms = 0
        self._hello = w.HELLO_TABLE.new_values()
        self._fetching = False
        self._fetch_id = 0
        self._fetch_seq = 0
        self._fetch_limit = 0
        self._fetch_sent = 0
        self._piece = memoryview(self._frame)[_BODY + _PIECE_AT : _BODY + _PIECE_AT + _TRACE_PIECE]
        self._tracing = False
        self._trace_offset = 0
        self._acted_id = -1
        self._tested_id = -1  # request id to which the outcome of a self-test was told
        self._test_reply = bytearray(17)
        self._nonce = _NO_NONCE
        self._nonce_done = _NO_NONCE
        self._live_lost = 0
        #: True while a host is there.
        self.connected = False
        #: True while the host wants live data.
        self.live = False
        #: Requests that a fault in the device's own code could not answer.
        self.faults = 0

    @property
    def busy(self):
        """True while bytes wait to go out or to be worked off: poll again soon."""
        return self._tx_n > self._tx_at or self._fetching or self._tracing or self._rx_n > self._rx_at

    @property
    def bad_frames(self):
        """Frames that did not check, since the start, up to 65535."""
        return self._decoder.bad

    def poll(self, now_ms):
        """One turn: write what the port takes, read a bounded number of bytes, answer whole requests."""
        try:
            if not self._port.connected:
                if self.connected:
                    self._host_gone()
                return
            if not self.connected:
                self.connected = True
                self._tx_moved_ms = now_ms
            self._write(now_ms)
            budget = _RX_A_POLL
            while self._room():
                if self._rx_at == self._rx_n:
                    if budget <= 0 or not self._port.in_waiting:
                        break
                    n = self._port.readinto(self._rx)
                    if not n:
                        break
                    budget -= n
                    self._rx_at = 0
                    self._rx_n = n
                self._rx_at = self._decoder.feed(self._rx, self._rx_at, self._rx_n)
                if self._decoder.size:
                    self._answer()
                    self._write(now_ms)
            records = _RECORDS_A_POLL
            while (self._fetching or self._tracing) and records > 0 and self._room():
                records -= 1
                if self._fetching:
                    self._fetch_next()
                else:
                    self._trace_next()
                self._write(now_ms)
        except OSError:  # the port went away while it was used
            self._host_gone()

    def push_live(self, values):
        """True when a LIVE_DATA frame with the values of ``wire.LIVE_DATA_FIELDS`` is on its way; the field ``lost`` is
        filled here. Without room it is dropped and counted: the walk goes on."""
        if not self.live or not self.connected:
            return False
        if not self._room():
            if self._live_lost < 255:
                self._live_lost += 1
            return False
        values[_LIVE_LOST] = self._live_lost
        w.LIVE_TABLE.pack_into(self._frame, _BODY, values)
        self._live_lost = 0
        return self._send(_LIVE_DATA, 0, w.LIVE_TABLE.size)

    def _host_gone(self):
        """Back to the state without a host: nothing half-sent and nothing half-heard survives."""
        self.connected = False
        self._tx_at = 0
        self._tx_n = 0
        self._rx_at = 0
        self._rx_n = 0
        self._decoder.reset()
        self._fetching = False
        self._tracing = False
        self._acted_id = -1
        self._tested_id = -1
        self._nonce = _NO_NONCE
        self._nonce_done = _NO_NONCE
        if self.live:
            self.live = False
            self._handler.live(False)

    # Bytes out.

    def _room(self):
        """True when one more frame of any size fits."""
        return _TX_SIZE - self._tx_n >= _MAX_ENCODED

    def _send(self, kind, request_id, body_size):
        """True when the frame whose body is ready in ``_frame`` is on its way."""
        size = w.frame_into(self._frame, body_size, kind, request_id)
        end = w.stuff_into(self._frame, size, self._tx, self._tx_n)
        if end < 0:
            return False
        self._tx_n = end
        return True

    def _write(self, now_ms):
        if self._tx_at == self._tx_n:
            self._tx_moved_ms = now_ms
            return
        n = self._port.write(self._tx_view[self._tx_at : self._tx_n])
        if n:
            self._tx_moved_ms = now_ms
            self._tx_at += n
            if self._tx_at >= self._tx_n:
                self._tx_at = 0
                self._tx_n = 0
            elif self._tx_n - self._tx_at <= self._tx_at:
                # What is left moves to the front: the two halves do not overlap.
                left = self._tx_n - self._tx_at
                self._tx_view[:left] = self._tx_view[self._tx_at : self._tx_n]
                self._tx_at = 0
                self._tx_n = left
        elif ticks_diff(now_ms, self._tx_moved_ms) > _STALLED_MS:
            # Nobody reads. A zero begins each frame, so that the next one is read whatever was cut here.
            self._tx_at = 0
            self._tx_n = 0
            self._fetching = False
            self._tracing = False
            self._tx_moved_ms = now_ms

    # Requests.

    def _answer(self):
        """Answer the request that is ready in the decoder."""
        frame = self._decoder.frame
        kind = w.frame_kind(frame)
        if kind & _REPLY:  # another device's reply, or an echo
            return
        request_id = w.frame_id(frame)
        size = self._decoder.size - _HEADER_SIZE - 4
        if w.frame_version(frame) != _PROTOCOL and kind != _HELLO:
            self._error(kind, request_id, _E_PROTOCOL, "this device speaks protocol %d" % _PROTOCOL)
            return
        try:
            self._dispatch(kind, request_id, frame, size)
        except Exception as fault:  # a fault of ours must not take the walk with it
            self.faults += 1
            self._error(kind, request_id, _E_INTERNAL, type(fault).__name__)

    def _dispatch(self, kind, request_id, frame, size):
        # A chain of comparisons rather than a table of bound methods: each stored bound method is heap.
        if kind == _HELLO:
            self._answer_hello(request_id)
        elif kind == _CLOCK and size >= 4:
            self._answer_clock(request_id, i32(frame, _BODY))
        elif kind == _FETCH and size >= 4:
            self._begin_fetch(request_id, u16(frame, _BODY), u16(frame, _BODY + 2))
        elif kind == _ACK and size >= 6:
            self._answer_ack(request_id, frame)
        elif kind == _SETTINGS_GET and size >= 1:
            self._send_settings(kind, request_id, frame[_BODY])
        elif kind == _SETTINGS_SET and size >= 1:
            self._set_settings(request_id, frame, size)
        elif kind == _SETTINGS_RESET:
            self._handler.journal.settings.reset()
            self._handler.journal.settings.defaulted = False
            self._handler.settings_changed()
            self._send_settings(kind, request_id, 0)
        elif kind == _CALIBRATE and size >= 1:
            self._answer_calibrate(request_id, frame[_BODY])
        elif kind == _IDENTIFY:
            if self._once(request_id):
                self._handler.identify()
            self._send(kind | _REPLY, request_id, 0)
        elif kind == _SELFTEST:
            self._answer_selftest(request_id)
        elif kind == _LIVE and size >= 1:
            self.live = frame[_BODY] != 0
            self._live_lost = 0
            self._handler.live(self.live)
            self._frame[_BODY] = 1 if self.live else 0
            self._send(kind | _REPLY, request_id, 1)
        elif kind == _MARK:
            if self._once(request_id):
                self._handler.mark()
            self._send(kind | _REPLY, request_id, 0)
        elif kind == _MAINTENANCE:
            if self._handler.maintenance():
                self._send(kind | _REPLY, request_id, 0)
            else:
                self._error(kind, request_id, _E_REFUSED, "this board has no maintenance boot")
        elif kind == _FORMAT and size >= 8:
            self._answer_format(request_id, frame)
        elif kind == _FETCH_TRACE and size >= 8:
            self._begin_trace(request_id, i32(frame, _BODY), u16(frame, _BODY + 4), u16(frame, _BODY + 6))
        elif kind == _RAW and size >= 1:
            self._answer_raw(request_id, frame[_BODY])
        elif 0 < kind < _N_KINDS:
            self._error(kind, request_id, _E_BAD_REQUEST, "%d bytes are too few" % size)
        else:
            self._error(kind, request_id, _E_UNKNOWN, "")

    def _once(self, request_id):
        """True for the first request of that id: a doubled one is answered, not acted upon."""
        if request_id == self._acted_id:
            return False
        self._acted_id = request_id
        return True

    def _error(self, kind, request_id, code, text):
        self._frame[_BODY] = kind
        self._frame[_BODY + 1] = code
        n = min(len(text), _MAX_BODY - 2)
        for i in range(n):
            self._frame[_BODY + 2 + i] = ord(text[i]) & 0x7F
        self._send(_ERROR, request_id, 2 + n)

    def _put_u16(self, offset, value):
        self._frame[_BODY + offset] = value & 0xFF
        self._frame[_BODY + offset + 1] = (value >> 8) & 0xFF

    def _put_u32(self, offset, value):
        self._put_u16(offset, value & 0xFFFF)
        self._put_u16(offset + 2, value >> 16)

    def _answer_hello(self, request_id):
        self._acted_id = -1  # a host says hello when it begins, and its ids with it
        self._tested_id = -1
        values = self._hello
        journal = self._handler.journal
        head = journal.head
        values[_H_FLAGS] = 0
        self._handler.hello_into(values)
        values[_H_DEVICE_ID] = head[J_DEVICE_ID]
        values[_H_JOURNAL_ID] = head[J_JOURNAL_ID]
        values[_H_PROTOCOL] = _PROTOCOL
        values[_H_FW_VERSION] = r.FW_VERSION
        values[_H_RECORD_LAYOUT] = r.SESSION_LAYOUT
        values[_H_JOURNAL_LAYOUT] = journal.newer_layout or JOURNAL_LAYOUT
        values[_H_BOOT] = journal.boot
        values[_H_SESSIONS] = journal.count
        values[_H_CAPACITY] = journal.capacity
        values[_H_UNACKNOWLEDGED] = journal.unacknowledged
        values[_H_FIRST_SEQ] = journal.first_seq
        values[_H_NEXT_SEQ] = journal.next_seq
        values[_H_ACKED_SEQ] = journal.acked_seq
        values[_H_DROPPED_ACKED] = head[J_DROPPED_ACKED]
        values[_H_DROPPED_UNACKED] = head[J_DROPPED_UNACKED]
        values[_H_NEWER_RECORDS] = journal.newer_records()
        values[_H_COMMITS] = head[J_COMMITS]
        values[_H_COMMITS_TODAY] = head[J_COMMITS_TODAY]
        values[_H_COMMITS_DEFERRED] = head[J_COMMITS_DEFERRED]
        values[_H_SETTINGS_COUNT] = s.N_SETTINGS
        values[_H_CALIBRATION_QUALITY] = journal.calibration[CAL_QUALITY]
        values[_H_CALIBRATED_UTC_S] = journal.calibration[CAL_TAKEN_UTC_S]
        values[_H_BAD_FRAMES] = self._decoder.bad
        flags = values[_H_FLAGS]
        trace = self._handler.trace
        if trace is None:
            flags |= _HF_TRACE_FAULT
        else:
            values[_H_TRACE_ID] = trace.ring_id
            values[_H_TRACE_LAYOUT] = trace.layout
            values[_H_TRACE_BLOCK_BYTES] = _BLOCK_BYTES
            values[_H_TRACE_FIRST] = trace.first_block
            values[_H_TRACE_NEXT] = trace.next_block
            values[_H_TRACE_CAPACITY] = trace.capacity
            values[_H_TRACE_TORN] = trace.torn
            if trace.fault:
                flags |= _HF_TRACE_FAULT
            if trace.wiping:
                flags |= _HF_WIPING
        if self._handler.raw_left_s():
            flags |= _HF_RAW
        if journal.calibrated:
            flags |= _HF_CALIBRATED
        if journal.formatted:
            flags |= _HF_FORMATTED
        if journal.bank_lost:
            flags |= _HF_BANK_LOST
        if journal.read_only:
            flags |= _HF_READ_ONLY
        if journal.settings.defaulted:
            flags |= _HF_SETTINGS_DEFAULTED
        if journal.unsaved:
            flags |= _HF_UNSAVED
        if journal.store_fault:
            flags |= _HF_STORE_FAULT
        values[_H_FLAGS] = flags
        w.HELLO_TABLE.pack_into(self._frame, _BODY, values)
        self._send(_HELLO | _REPLY, request_id, w.HELLO_TABLE.size)

    def _answer_clock(self, request_id, utc_s):
        handler = self._handler
        if utc_s < 0:
            self._error(_CLOCK, request_id, _E_REFUSED, "a time after 2088")
            return
        self._put_u32(0, handler.utc_s())
        self._put_u32(8, handler.journal.head[J_CLOCK_SET_UTC_S])
        if utc_s:
            handler.set_clock(utc_s)
            handler.journal.note_clock(utc_s)
        self._put_u32(4, handler.utc_s())
        self._put_u32(12, handler.uptime_s())
        self._send(_CLOCK | _REPLY, request_id, 16)

    def _begin_fetch(self, request_id, from_seq, limit):
        journal = self._handler.journal
        if journal.unsaved & WHY_SESSION:  # only what is written leaves the house
            journal.commit(self._handler.utc_s(), self._handler.uptime_s(), True)
        self._fetching = True
        self._tracing = False
        self._fetch_id = request_id
        self._fetch_seq = from_seq
        self._fetch_limit = limit
        self._fetch_sent = 0

    def _fetch_next(self):
        """Send the next record, or the reply that ends them."""
        journal = self._handler.journal
        k = journal.index_from(self._fetch_seq)
        if k < journal.written and (not self._fetch_limit or self._fetch_sent < self._fetch_limit):
            seq = journal.seq_at(k)
            self._put_u16(0, seq)
            self._frame[_BODY + 2] = 1 if seq <= journal.acked_seq else 0
            end = journal.read_into(k, self._frame, _BODY + 3)
            self._send(_RECORD, self._fetch_id, end - _BODY)
            self._fetch_seq = seq + 1
            self._fetch_sent += 1
            return
        self._fetching = False
        self._put_u16(0, self._fetch_sent)
        self._put_u16(2, self._fetch_seq)
        self._send(_FETCH | _REPLY, self._fetch_id, 4)

    def _begin_trace(self, request_id, from_block, offset, limit):
        trace = self._handler.trace
        if trace is None:
            self._error(_FETCH_TRACE, request_id, _E_REFUSED, "this device keeps no trace")
            return
        if from_block < 0 or offset >= _BLOCK_BYTES:
            self._error(_FETCH_TRACE, request_id, _E_BAD_REQUEST, "no block has such bytes")
            return
        self._fetching = False
        self._tracing = True
        self._fetch_id = request_id
        self._fetch_seq = from_block
        self._fetch_limit = limit
        self._fetch_sent = 0
        self._trace_offset = offset
        if from_block < trace.first_block:
            self._fetch_seq = trace.first_block
            self._trace_offset = 0

    def _trace_next(self):
        """Send the next piece of a block, or the reply that ends them."""
        trace = self._handler.trace
        skipped = 0
        while (
            self._fetch_seq < trace.next_block
            and skipped < _UNREADABLE_MAX
            and (not self._fetch_limit or self._fetch_sent < self._fetch_limit)
        ):
            block = self._fetch_seq
            offset = self._trace_offset
            n = trace.read_into(block, offset, self._piece)
            if n <= 0:  # torn away or overwritten meanwhile: the host sees which number is missing
                skipped += 1
                self._fetch_seq = block + 1
                self._trace_offset = 0
                continue
            self._put_u32(0, block)
            self._put_u16(4, offset)
            self._send(_TRACE_DATA, self._fetch_id, _PIECE_AT + n)
            if offset + n >= _BLOCK_BYTES:
                self._fetch_seq = block + 1
                self._trace_offset = 0
                self._fetch_sent += 1
            else:
                self._trace_offset = offset + n
            return
        self._tracing = False
        self._put_u16(0, self._fetch_sent)
        self._put_u32(2, self._fetch_seq)
        self._send(_FETCH_TRACE | _REPLY, self._fetch_id, 6)

    def _answer_raw(self, request_id, minutes):
        left_s = self._handler.raw_left_s()
        if minutes != _RAW_ASK and self._once(request_id):
            left_s = self._handler.raw(minutes)
            if left_s < 0:
                self._acted_id = -1
                self._error(_RAW, request_id, _E_REFUSED, "no raw recording now")
                return
        self._put_u16(0, left_s)
        self._send(_RAW | _REPLY, request_id, 2)

    def _answer_ack(self, request_id, frame):
        journal = self._handler.journal
        seq = u16(frame, _BODY)
        at = _BODY + _CRC_AT
        crc = frame[at] | frame[at + 1] << 8 | frame[at + 2] << 16 | frame[at + 3] << 24
        code = journal.acknowledge(seq, crc, self._handler.uptime_s())
        if code == ACK_OK:
            self._put_u16(0, journal.acked_seq)
            self._put_u16(2, journal.unacknowledged)
            self._send(_ACK | _REPLY, request_id, 4)
        elif journal.read_only:
            self._error(_ACK, request_id, _E_READ_ONLY, "the journal is of a later firmware")
        elif code == ACK_UNKNOWN:
            self._error(_ACK, request_id, _E_BAD_REQUEST, "no written record has the number %d" % seq)
        else:
            self._error(_ACK, request_id, _E_ACK, "fetch again from %d" % (journal.acked_seq + 1))

    def _send_settings(self, kind, request_id, first):
        settings = self._handler.journal.settings
        n = max(0, min(s.N_SETTINGS - first, _SETTINGS_A_FRAME))
        self._frame[_BODY] = s.N_SETTINGS
        self._frame[_BODY + 1] = n
        for k in range(n):
            at = 2 + _SETTING_SIZE * k
            self._frame[_BODY + at] = first + k
            self._put_u32(at + 1, settings.values[first + k])
        self._send(kind | _REPLY, request_id, 2 + _SETTING_SIZE * n)

    def _set_settings(self, request_id, frame, size):
        """All of the settings in the request, or none."""
        settings = self._handler.journal.settings
        count = frame[_BODY]
        if size < 1 + _SETTING_SIZE * count:
            self._error(_SETTINGS_SET, request_id, _E_BAD_REQUEST, "settings cut short")
            return
        old = settings.snapshot()
        fits = True
        for k in range(count):
            at = _BODY + 1 + _SETTING_SIZE * k
            if fits and not settings.assign(frame[at], i32(frame, at + 1)):
                fits = False
        if not fits or not settings.check():
            settings.restore(old)
            self._error(_SETTINGS_SET, request_id, _E_REFUSED, settings.why)
            return
        settings.defaulted = False
        self._handler.settings_changed()
        self._send_settings(_SETTINGS_SET, request_id, 0)

    def _answer_calibrate(self, request_id, action):
        handler = self._handler
        if action == _CAL_START and self._once(request_id) and not handler.begin_calibration():
            self._error(_CALIBRATE, request_id, _E_BUSY, "not now")
            return
        if action == _CAL_CANCEL:
            handler.cancel_calibration()
        self._frame[_BODY] = handler.calibration_status()
        self._frame[_BODY + 1] = handler.journal.calibration[CAL_QUALITY]
        self._send(_CALIBRATE | _REPLY, request_id, 2)

    def _answer_selftest(self, request_id):
        reply = self._test_reply
        if request_id != self._tested_id:
            for k in range(17):
                reply[k] = 0
            reply[0] = self._handler.selftest_into(memoryview(reply)[1:])
            self._tested_id = -1 if reply[0] == _SELFTEST_RUNNING else request_id
        for k in range(17):
            self._frame[_BODY + k] = reply[k]
        self._send(_SELFTEST | _REPLY, request_id, 17)

    def _answer_format(self, request_id, frame):
        """Twice asked, once done: the first time a nonce is drawn; the second time, with it, the records are given
        up."""
        handler = self._handler
        journal = handler.journal
        nonce = bytes(frame[_BODY : _BODY + 4])
        journal_id = bytes(frame[_BODY + 4 : _BODY + 8])
        if nonce == _NO_NONCE:
            while self._nonce == _NO_NONCE:
                self._nonce = bytes(journal.random_bytes(4))
            self._send_format(request_id, self._nonce)
        elif nonce == self._nonce_done:  # its reply was lost
            self._send_format(request_id, nonce)
        elif nonce != self._nonce or journal_id != journal.head[J_JOURNAL_ID]:
            self._error(_FORMAT, request_id, _E_NONCE, "")
        else:
            self._nonce = _NO_NONCE
            done = journal.format(handler.utc_s(), handler.uptime_s())
            if done not in (COMMITTED, NOTHING):
                self._error(_FORMAT, request_id, _E_STORE, "")
                return
            self._fetching = False
            self._tracing = False
            handler.wipe()
            self._nonce_done = nonce
            handler.settings_changed()
            self._send_format(request_id, nonce)

    def _send_format(self, request_id, nonce):
        for k in range(4):
            self._frame[_BODY + k] = nonce[k]
            self._frame[_BODY + 4 + k] = self._handler.journal.head[J_JOURNAL_ID][k]
        self._send(_FORMAT | _REPLY, request_id, 8)
