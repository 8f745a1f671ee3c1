"""What each request of a computer comes to: `link` reads and sends, here it is answered.

Apart from `link` and `sending`, so that none takes much to compile: they come only when a computer does, this one, the
largest, first.
"""

# mypy: disable-error-code="attr-defined, has-type"
# The other parts have the attributes.

from struct import pack_into, unpack_from

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
_SELFTEST = const(10)
_SELFTEST_RUNNING = const(2)
_SETTING_SIZE = const(5)
_SETTINGS_GET = const(5)
_SETTINGS_SET = const(6)
_SETTINGS_RESET = const(7)
_SETTINGS_A_FRAME = const(49)
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

_BODY = const(_HEADER_SIZE)
_NO_NONCE = b"\x00\x00\x00\x00"


class Answers:
    """A part of `link.Link`, which has the buffers, the port and the frames; HELLO is answered by `sending`."""

    def _dispatch(self, kind, frame, size):
        """Size of the reply's body, which stands in `_frame`; -1 where none is to be sent, or it was an error."""
        # A chain of comparisons rather than a table of bound methods: each stored bound method is heap.
        handler = self._handler
        if kind == _HELLO:
            return self._answer_hello()
        if kind == _CLOCK and size >= 4:
            return self._answer_clock(unpack_from("<i", frame, _BODY)[0])
        if kind == _FETCH and size >= 4:
            return self._begin_fetch(*unpack_from("<HH", frame, _BODY))
        if kind == _ACK and size >= 6:
            return self._answer_ack(*unpack_from("<HI", frame, _BODY))
        if kind == _SETTINGS_GET and size >= 1:
            return self._tell_settings(frame[_BODY])
        if kind == _SETTINGS_SET and size >= 1:
            return self._set_settings(frame, size)
        if kind == _SETTINGS_RESET:
            handler.journal.settings.reset()
            return self._settings_changed()
        if kind == _CALIBRATE and size >= 1:
            return self._answer_calibrate(frame[_BODY])
        if kind == _IDENTIFY or kind == _MARK:
            if self._once():
                if kind == _MARK:
                    handler.mark()
                else:
                    handler.identify()
            return 0
        if kind == _SELFTEST:
            return self._answer_selftest()
        if kind == _LIVE and size >= 1:
            self.live = frame[_BODY] != 0
            self._live_lost = 0
            self._frame[_BODY] = 1 if self.live else 0
            return 1
        if kind == _MAINTENANCE:
            return 0 if handler.maintenance() else self._error(_E_REFUSED, "this board has no maintenance boot")
        if kind == _FORMAT and size >= 8:
            return self._answer_format(*unpack_from("<4s4s", frame, _BODY))
        if kind == _FETCH_TRACE and size >= 8:
            return self._begin_trace(*unpack_from("<iHH", frame, _BODY))
        if kind == _RAW and size >= 1:
            return self._answer_raw(frame[_BODY])
        if 0 < kind < _N_KINDS:
            return self._error(_E_BAD_REQUEST, "%d bytes are too few" % size)
        return self._error(_E_UNKNOWN, "")

    def _once(self):
        """True for the first request of that id: a doubled one is answered, not acted upon."""
        if self._request_id == self._acted_id:
            return False
        self._acted_id = self._request_id
        return True

    def _error(self, code, text):
        """-1, with an ERROR reply sent instead of the request's own."""
        text = text.encode()[: _MAX_BODY - 2]
        end = _BODY + 2 + len(text)
        self._frame[_BODY] = self._kind
        self._frame[_BODY + 1] = code
        self._frame[_BODY + 2 : end] = text
        self._send(_ERROR, self._request_id, end - _BODY)
        return -1

    def _answer_clock(self, utc_s):
        handler = self._handler
        if utc_s < 0:
            return self._error(_E_REFUSED, "a time after 2088")
        before_s = handler.utc_s()
        set_s = handler.journal.head[_J_CLOCK_SET_UTC_S]
        if utc_s:
            handler.set_clock(utc_s)
            handler.journal.head[_J_CLOCK_SET_UTC_S] = utc_s  # for the drift; not worth a commit of its own
        pack_into("<IIII", self._frame, _BODY, before_s, handler.utc_s(), set_s, handler.uptime_s())
        return 16

    def _answer_raw(self, minutes):
        left_s = self._handler.raw_left_s()
        if minutes != _RAW_ASK and self._once():
            left_s = self._handler.raw(minutes)
            if left_s < 0:
                self._acted_id = -1
                return self._error(_E_REFUSED, "no raw recording now")
        pack_into("<H", self._frame, _BODY, left_s)
        return 2

    def _answer_ack(self, seq, crc):
        journal = self._handler.journal
        code = journal.acknowledge(seq, crc, self._handler.uptime_s())
        if code == _ACK_OK:
            pack_into("<HH", self._frame, _BODY, journal.acked_seq, journal.unacknowledged)
            return 4
        if journal.read_only:
            return self._error(_E_READ_ONLY, "the journal is of a later firmware")
        if code == _ACK_UNKNOWN:
            return self._error(_E_BAD_REQUEST, "no written record has the number %d" % seq)
        return self._error(_E_ACK, "fetch again from %d" % (journal.acked_seq + 1))

    def _tell_settings(self, first):
        values = self._handler.journal.settings.values
        n = max(0, min(_N_SETTINGS - first, _SETTINGS_A_FRAME))
        self._frame[_BODY] = _N_SETTINGS
        self._frame[_BODY + 1] = n
        at = _BODY + 2
        for index in range(first, first + n):
            pack_into("<Bi", self._frame, at, index, values[index])
            at += _SETTING_SIZE
        return at - _BODY

    def _set_settings(self, frame, size):
        """All of the settings in the request, or none."""
        settings = self._handler.journal.settings
        count = frame[_BODY]
        if size < 1 + _SETTING_SIZE * count:
            return self._error(_E_BAD_REQUEST, "settings cut short")
        pairs = [unpack_from("<Bi", frame, _BODY + 1 + _SETTING_SIZE * k) for k in range(count)]
        if not settings.set_together(pairs):
            return self._error(_E_REFUSED, settings.why)
        return self._settings_changed()

    def _settings_changed(self):
        self._handler.journal.settings.defaulted = False
        self._handler.settings_changed()
        return self._tell_settings(0)

    def _answer_calibrate(self, action):
        handler = self._handler
        if action == _CAL_START and self._once() and not handler.begin_calibration():
            return self._error(_E_BUSY, "not now")
        if action == _CAL_CANCEL:
            handler.cancel_calibration()
        self._frame[_BODY] = handler.calibration_status()
        self._frame[_BODY + 1] = handler.journal.calibration[_CAL_QUALITY]
        return 2

    def _answer_selftest(self):
        if self._request_id != self._tested_id:
            reply = bytearray(17)
            reply[0] = self._handler.selftest_into(memoryview(reply)[1:])
            self._tested_id = -1 if reply[0] == _SELFTEST_RUNNING else self._request_id
            self._test_reply = reply
        self._frame[_BODY : _BODY + 17] = self._test_reply
        return 17

    def _answer_format(self, nonce, journal_id):
        """Twice asked, once done: the first time a nonce is drawn; the second time, with it, the records are given
        up."""
        handler = self._handler
        journal = handler.journal
        if nonce == _NO_NONCE:
            while self._nonce == _NO_NONCE:
                self._nonce = bytes(journal.random_bytes(4))
            nonce = self._nonce
        elif nonce != self._nonce_done:  # else its reply was lost
            if nonce != self._nonce or journal_id != journal.head[_J_JOURNAL_ID]:
                return self._error(_E_NONCE, "")
            self._nonce = _NO_NONCE
            if journal.format(handler.utc_s(), handler.uptime_s()) > _COMMITTED:
                return self._error(_E_STORE, "")
            self._fetching = 0
            handler.wipe()
            self._nonce_done = nonce
            handler.settings_changed()
        pack_into("<4s4s", self._frame, _BODY, nonce, journal.head[_J_JOURNAL_ID])
        return 8
