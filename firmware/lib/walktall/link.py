"""Requests in, replies out: the device's end of the wire.

``poll`` reads a bounded number of bytes, hands whole requests to the device and writes what the port takes. It never
blocks and stands on buffers that never grow, whatever comes: bytes that make no frame are dropped and counted; while
a reply waits for room no request is read; a host that stops reading loses what it was sent, not the device its time.

What it asks of the device goes to a ``handler``: `visit.Visit`, or one with the same methods, and with ``journal`` (a
:class:`walktall.journal.Journal`, loaded; its ``settings`` are those in force) and ``trace`` (a `Trace`, or None).
``hello_into`` fills of HELLO what the device alone knows; the rest is filled by `sending`.

A request that arrives twice, because a port doubled it or the host lost the reply, does no harm: reading repeats
itself, ACK and FORMAT know that they are done, IDENTIFY, MARK and CALIBRATE act once for one request id, and SELFTEST
says again what it said to that id.

It decides nothing about posture and keeps nothing: ``journal`` does.
"""

# mypy: disable-error-code="has-type"

from . import frames as w
from .sending import Sending
from .ticks import ticks_diff

try:
    from micropython import const
except ImportError:

    def const(value):
        """The value itself: CPython folds nothing."""
        return value


# Of `wire`; private, so that they fold: tests/test_house_rules.py holds them to it.
_E_PROTOCOL = const(3)
_E_INTERNAL = const(10)
_HEADER_SIZE = const(4)
_FETCH = const(3)
_HELLO = const(1)
_LIVE_DATA = const(0xC1)
_LIVE_LOST = const(13)
_MAX_FRAME = const(256)
_MAX_ENCODED = const(260)
_PROTOCOL = const(1)
_REPLY = const(0x80)
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
_BODY = const(_HEADER_SIZE)
_PIECE_AT = const(_BODY + 6)  # in TRACE_DATA
_NO_NONCE = b"\x00\x00\x00\x00"


class Link(Sending):
    """The device's end of the wire.

    :param port: ``connected``, ``in_waiting``, ``readinto(buf)`` and ``write(buf)``, both of which return the number of
        bytes moved (or None for none) without waiting
    :param handler: see above
    :param int bad_frames: dropped before
    """

    def __init__(self, port, handler, bad_frames=0):
        self._port = port
        self._handler = handler
        self._rx = bytearray(_RX_SIZE)
        self._rx_view = memoryview(self._rx)
        self._decoder = w.Decoder()
        self._decoder.bad = bad_frames
        self._frame = bytearray(_MAX_FRAME)
        self._tx = bytearray(_TX_SIZE)
        self._tx_view = memoryview(self._tx)
        self._tx_moved_ms = 0
        self._hello = w.HELLO_TABLE.new_values()
        self._piece = memoryview(self._frame)[_PIECE_AT : _PIECE_AT + _TRACE_PIECE]
        self._live_lost = 0
        self._host_gone()
        #: Requests that a fault in the device's own code could not answer.
        self.faults = 0

    @property
    def busy(self):
        """True while bytes wait to go out or to be worked off: poll again soon."""
        return self._tx_n > self._tx_at or self._fetching != 0 or self._rx_n > self._rx_at

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
            while self._fetching and records > 0 and self._room():
                records -= 1
                if self._fetching == _FETCH:
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
        #: True while a host is there.
        self.connected = False
        #: True while the host wants live data.
        self.live = False
        self._tx_at = 0
        self._tx_n = 0
        self._rx_at = 0
        self._rx_n = 0
        self._decoder.reset()
        self._fetching = 0  # the kind of the request that is being answered piece by piece
        self._acted_id = -1
        self._tested_id = -1  # request id to which the outcome of a self-test was told
        self._nonce = _NO_NONCE
        self._nonce_done = _NO_NONCE

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
            self._fetching = 0
            self._tx_moved_ms = now_ms

    # Requests.

    def _answer(self):
        """Answer the request that is ready in the decoder."""
        frame = self._decoder.frame
        kind = frame[1]
        if kind & _REPLY:  # another device's reply, or an echo
            return
        self._kind = kind
        self._request_id = frame[2] | frame[3] << 8
        if frame[0] != _PROTOCOL and kind != _HELLO:
            self._error(_E_PROTOCOL, "this device speaks protocol %d" % _PROTOCOL)
            return
        try:
            n = self._dispatch(kind, frame, self._decoder.size - _HEADER_SIZE - 4)
            if n >= 0:
                self._send(kind | _REPLY, self._request_id, n)
        except Exception as fault:  # a fault of ours must not take the walk with it
            self.faults += 1
            self._error(_E_INTERNAL, type(fault).__name__)
