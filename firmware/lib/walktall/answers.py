"""What each request of a computer comes to: `link` reads and sends, here it is answered.

Apart from `link`, so that neither takes much to compile: both come only when a computer does.
"""

# mypy: disable-error-code="attr-defined, has-type"
# The other half has the attributes.

from .packing import i32, u16

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
_E_REFUSED = const(4)
_E_BUSY = const(5)
_E_NONCE = const(6)
_E_ACK = const(7)
_E_READ_ONLY = const(8)
_E_STORE = const(9)
_ERROR = const(0xFF)
_FETCH = const(3)
_FETCH_TRACE = const(15)
_FORMAT = const(14)
_HELLO = const(1)
_IDENTIFY = const(9)
_LIVE = const(11)
_MAINTENANCE = const(13)
_MARK = const(12)
_MAX_BODY = const(248)
_N_KINDS = const(17)
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
_HEADER_SIZE = const(4)

# Of `limits`; private, so that they fold: tests/test_house_rules.py holds them to it.
_N_SETTINGS = const(30)

# Of `journal`; private, so that they fold: tests/test_house_rules.py holds them to it.
_ACK_OK = const(0)
_ACK_UNKNOWN = const(2)
_CAL_QUALITY = const(9)
_COMMITTED = const(1)
_J_CLOCK_SET_UTC_S = const(10)
_J_JOURNAL_ID = const(5)
_NOTHING = const(0)
_WHY_SESSION = const(1)

_BODY = const(_HEADER_SIZE)
_CRC_AT = const(2)  # in the body of ACK
_BLOCK_BYTES = const(512)
_PIECE_AT = const(6)  # in the body of TRACE_DATA
# Blocks in a row that cannot be read before FETCH_TRACE ends early: a poll must not search a whole ring.
_UNREADABLE_MAX = const(16)
_NO_NONCE = b"\x00\x00\x00\x00"


class Answers:
    """One half of `link.Link`, which has the buffers, the port and the frames; HELLO is answered there."""

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

    def _answer_clock(self, request_id, utc_s):
        handler = self._handler
        if utc_s < 0:
            self._error(_CLOCK, request_id, _E_REFUSED, "a time after 2088")
            return
        self._put_u32(0, handler.utc_s())
        self._put_u32(8, handler.journal.head[_J_CLOCK_SET_UTC_S])
        if utc_s:
            handler.set_clock(utc_s)
            handler.journal.note_clock(utc_s)
        self._put_u32(4, handler.utc_s())
        self._put_u32(12, handler.uptime_s())
        self._send(_CLOCK | _REPLY, request_id, 16)

    def _begin_fetch(self, request_id, from_seq, limit):
        journal = self._handler.journal
        if journal.unsaved & _WHY_SESSION:  # only what is written leaves the house
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
        if code == _ACK_OK:
            self._put_u16(0, journal.acked_seq)
            self._put_u16(2, journal.unacknowledged)
            self._send(_ACK | _REPLY, request_id, 4)
        elif journal.read_only:
            self._error(_ACK, request_id, _E_READ_ONLY, "the journal is of a later firmware")
        elif code == _ACK_UNKNOWN:
            self._error(_ACK, request_id, _E_BAD_REQUEST, "no written record has the number %d" % seq)
        else:
            self._error(_ACK, request_id, _E_ACK, "fetch again from %d" % (journal.acked_seq + 1))

    def _send_settings(self, kind, request_id, first):
        settings = self._handler.journal.settings
        n = max(0, min(_N_SETTINGS - first, _SETTINGS_A_FRAME))
        self._frame[_BODY] = _N_SETTINGS
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
        self._frame[_BODY + 1] = handler.journal.calibration[_CAL_QUALITY]
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
        elif nonce != self._nonce or journal_id != journal.head[_J_JOURNAL_ID]:
            self._error(_FORMAT, request_id, _E_NONCE, "")
        else:
            self._nonce = _NO_NONCE
            done = journal.format(handler.utc_s(), handler.uptime_s())
            if done not in (_COMMITTED, _NOTHING):
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
            self._frame[_BODY + 4 + k] = self._handler.journal.head[_J_JOURNAL_ID][k]
        self._send(_FORMAT | _REPLY, request_id, 8)
