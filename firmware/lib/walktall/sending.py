"""What a computer comes for: HELLO, and records and blocks of the trace, a frame at a time, as the port takes them.

Apart from `answers` and `link`, so that none takes much to compile.
"""

# mypy: disable-error-code="attr-defined, has-type"
# The other parts have the attributes.

from struct import pack_into

from . import frames as w
from .answers import Answers
from .slots import FW_VERSION

try:
    from micropython import const
except ImportError:

    def const(value):
        """The value itself: CPython folds nothing."""
        return value


# Of `wire`; private, so that they fold: tests/test_house_rules.py holds them to it.
_E_BAD_REQUEST = const(1)
_E_REFUSED = const(4)
_FETCH = const(3)
_FETCH_TRACE = const(15)
_H_DEVICE_ID = const(0)
_H_BOARD = const(6)
_H_BOOT = const(9)
_H_FLAGS = const(12)
_H_SESSIONS = const(17)
_H_TRACE_ID = const(33)
_H_DRIVE_KIB = const(40)
_HEADER_SIZE = const(4)
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
_PROTOCOL = const(1)
_RECORD = const(0xC0)
_REPLY = const(0x80)
_TRACE_DATA = const(0xC2)

# Of `limits`; private, so that they fold: tests/test_house_rules.py holds them to it.
_N_SETTINGS = const(30)

# Of `slots`; private, so that they fold: tests/test_house_rules.py holds them to it.
_SESSION_LAYOUT = const(1)

# Of `journal`; private, so that they fold: tests/test_house_rules.py holds them to it.
_CAL_QUALITY = const(9)
_CAL_TAKEN_UTC_S = const(11)
_J_COMMITS = const(13)
_J_COMMITS_DEFERRED = const(16)
_J_COMMITS_TODAY = const(15)
_J_DEVICE_ID = const(4)
_J_DROPPED_ACKED = const(11)
_J_DROPPED_UNACKED = const(12)
_J_JOURNAL_ID = const(5)
_JOURNAL_LAYOUT = const(1)
_WHY_SESSION = const(1)

_BODY = const(_HEADER_SIZE)
_BLOCK_BYTES = const(512)
_PIECE_AT = const(_BODY + 6)  # in TRACE_DATA
# Blocks in a row that cannot be read before FETCH_TRACE ends early: a poll must not search a whole ring.
_UNREADABLE_MAX = const(16)


class Sending(Answers):
    """A part of `link.Link`, which has the buffers, the port and the frames."""

    def _begin(self, what, first, limit):
        self._fetching = what
        self._fetch_id = self._request_id
        self._fetch_seq = first
        self._fetch_limit = limit
        self._fetch_sent = 0
        return -1

    def _begin_fetch(self, from_seq, limit):
        journal = self._handler.journal
        if journal.unsaved & _WHY_SESSION:  # only what is written leaves the house
            journal.commit(self._handler.utc_s(), self._handler.uptime_s(), True)
        return self._begin(_FETCH, from_seq, limit)

    def _fetch_next(self):
        """Send the next record, or the reply that ends them."""
        journal = self._handler.journal
        frame = self._frame
        k = journal.index_from(self._fetch_seq)
        if k < journal.written and (not self._fetch_limit or self._fetch_sent < self._fetch_limit):
            seq = journal.seq_at(k)
            pack_into("<HH", frame, _BODY, seq, seq <= journal.acked_seq)  # a byte; the record lies on the second one
            end = journal.read_into(k, frame, _BODY + 3)
            self._send(_RECORD, self._fetch_id, end - _BODY)
            self._fetch_seq = seq + 1
            self._fetch_sent += 1
            return
        self._fetching = 0
        pack_into("<HH", frame, _BODY, self._fetch_sent, self._fetch_seq)
        self._send(_FETCH | _REPLY, self._fetch_id, 4)

    def _begin_trace(self, from_block, offset, limit):
        trace = self._handler.trace
        if trace is None:
            return self._error(_E_REFUSED, "this device keeps no trace")
        if from_block < 0 or offset >= _BLOCK_BYTES:
            return self._error(_E_BAD_REQUEST, "no block has such bytes")
        if from_block < trace.first_block:
            from_block = trace.first_block
            offset = 0
        self._trace_offset = offset
        return self._begin(_FETCH_TRACE, from_block, limit)

    def _trace_next(self):
        """Send the next piece of a block, or the reply that ends them."""
        trace = self._handler.trace
        frame = self._frame
        skipped = 0
        while (
            self._fetch_seq < trace.next_block
            and skipped < _UNREADABLE_MAX
            and (not self._fetch_limit or self._fetch_sent < self._fetch_limit)
        ):
            block = self._fetch_seq
            offset = self._trace_offset
            pack_into("<iHH", frame, _BODY, block, offset, 0)  # the piece lies on the last two bytes
            n = trace.read_into(block, offset, self._piece)
            end = offset + n
            if n <= 0 or end >= _BLOCK_BYTES:
                self._fetch_seq = block + 1
                self._trace_offset = 0
                if n <= 0:  # torn away or overwritten meanwhile: the host sees which number is missing
                    skipped += 1
                    continue
                self._fetch_sent += 1
            else:
                self._trace_offset = end
            self._send(_TRACE_DATA, self._fetch_id, _PIECE_AT - _BODY + n)
            return
        self._fetching = 0
        pack_into("<HI", frame, _BODY, self._fetch_sent, self._fetch_seq)
        self._send(_FETCH_TRACE | _REPLY, self._fetch_id, 6)

    def _answer_hello(self):
        self._acted_id = -1  # a host says hello when it begins, and its ids with it
        self._tested_id = -1
        values = self._hello
        journal = self._handler.journal
        head = journal.head
        values[_H_FLAGS] = 0
        self._handler.hello_into(values)
        # In the order of `wire.HELLO_FIELDS`.
        values[_H_DEVICE_ID:_H_BOARD] = [
            head[_J_DEVICE_ID],
            head[_J_JOURNAL_ID],
            _PROTOCOL,
            FW_VERSION,
            _SESSION_LAYOUT,
            journal.newer_layout or _JOURNAL_LAYOUT,
        ]
        values[_H_BOOT] = journal.boot
        values[_H_SESSIONS:_H_TRACE_ID] = [
            journal.count,
            journal.capacity,
            journal.unacknowledged,
            journal.first_seq,
            journal.next_seq,
            journal.acked_seq,
            head[_J_DROPPED_ACKED],
            head[_J_DROPPED_UNACKED],
            journal.newer_records(),
            head[_J_COMMITS],
            head[_J_COMMITS_TODAY],
            head[_J_COMMITS_DEFERRED],
            _N_SETTINGS,
            journal.calibration[_CAL_QUALITY],
            self._decoder.bad,
            journal.calibration[_CAL_TAKEN_UTC_S],
        ]
        flags = values[_H_FLAGS]
        trace = self._handler.trace
        if trace is None:
            flags |= _HF_TRACE_FAULT
        else:
            values[_H_TRACE_ID:_H_DRIVE_KIB] = [
                trace.ring_id,
                trace.layout,
                _BLOCK_BYTES,
                trace.first_block,
                trace.next_block,
                trace.capacity,
                trace.torn,
            ]
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
        return w.HELLO_TABLE.size
