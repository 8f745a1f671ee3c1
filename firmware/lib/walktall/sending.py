"""Records and blocks of the trace on their way to a computer: a frame at a time, as the port takes them.

Apart from `answers`, so that neither takes much to compile.
"""

# mypy: disable-error-code="attr-defined, has-type"
# The other parts have the attributes.

from struct import pack_into

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
_RECORD = const(0xC0)
_REPLY = const(0x80)
_TRACE_DATA = const(0xC2)
_HEADER_SIZE = const(4)

# Of `journal`; private, so that they fold: tests/test_house_rules.py holds them to it.
_WHY_SESSION = const(1)

_BODY = const(_HEADER_SIZE)
_BLOCK_BYTES = const(512)
_PIECE_AT = const(_BODY + 6)  # in TRACE_DATA
# Blocks in a row that cannot be read before FETCH_TRACE ends early: a poll must not search a whole ring.
_UNREADABLE_MAX = const(16)


class Sending:
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
