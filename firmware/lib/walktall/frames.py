"""Frames between device and host, and the numbers in them: what the board needs of the wire.

A frame on the wire (docs/protocol.md has the bytes of every message)::

    00 | COBS( version  kind  id_lo id_hi  body ...  crc0 crc1 crc2 crc3 ) | 00

COBS (Cheshire & Baker 1999, consistent overhead byte stuffing) takes every zero out of a frame, so that a zero ends it
whatever came before: after any garbage the next frame is read. CRC-32 covers everything from ``version`` to the end
of the body. A reply carries its request's ``id`` and ``kind | 0x80``; an id of 0 is unasked. A frame that does not
check is dropped without a word, and counted: the asker asks again.

Decoder and writer stand on buffers of :data:`MAX_FRAME` bytes that never grow. The messages' field tables with names
and units, THE definition, stand in :mod:`walktall.wire`, which no board imports; a test holds codes and indexes to it.

It moves no bytes (``link`` does) and knows no port.
"""

from struct import pack_into

from .packing import Table, seal_into, sealed

try:
    from micropython import const
except ImportError:

    def const(value):
        """The value itself: CPython folds nothing."""
        return value


PROTOCOL = const(1)

#: Bytes of a frame before stuffing: header, body, CRC.
MAX_FRAME = const(256)
HEADER_SIZE = const(4)
MAX_BODY = const(248)
#: ... and on the wire: one byte of stuffing for each 254 begun, and the two zeros around it.
MAX_ENCODED = const(260)

#: Codes of the fields of the reply to HELLO, as :class:`walktall.packing.Table` has them.
HELLO_CODES = "8s 4s B H B B 32t 16t 8s H I I I B H 24t H H H H H H H H H H I B H B B H I 4s B H I I H H I I"

#: Codes of the fields of LIVE_DATA.
LIVE_CODES = "I h h B B B B B H T h h B B H H h h B H"

HELLO_TABLE = Table(HELLO_CODES)
LIVE_TABLE = Table(LIVE_CODES)


def frame_into(frame, body_size, kind, request_id, version=PROTOCOL):
    """Size of the frame whose body of ``body_size`` bytes lies at HEADER_SIZE: header and CRC are put around it."""
    pack_into("<BBH", frame, 0, version, kind, request_id & 0xFFFF)
    return seal_into(frame, 0, HEADER_SIZE + body_size)


def stuff_into(frame, size, out, offset):
    """Offset behind the stuffed frame, its zeros around it, written to ``out``; -1, with nothing of use written, when
    it does not fit."""
    if offset + size + size // 254 + 3 > len(out):
        return -1
    out[offset] = 0
    code_at = offset + 1
    end = code_at + 1
    run = 1
    for i in range(size):
        byte = frame[i]
        if byte:
            out[end] = byte
            end += 1
            run += 1
        if not byte or (run == 0xFF and i + 1 < size):
            out[code_at] = run
            code_at = end
            end += 1
            run = 1
    out[code_at] = run
    out[end] = 0
    return end + 1


class Decoder:
    """Frames out of a stream of bytes, into one standing buffer.

    ``feed`` until :attr:`size` is not 0: then a whole frame that checks lies in :attr:`frame`, and stays until the next
    ``feed``. Garbage, frames too long and frames that do not check are dropped and counted in :attr:`bad`.
    """

    def __init__(self, max_frame=MAX_FRAME):
        self.frame = bytearray(max_frame)
        #: Frames dropped, counted up to 65535.
        self.bad = 0
        self.reset()

    def reset(self):
        """Forget what came so far of a frame, as when the port went away."""
        #: Bytes of the frame that is ready, header and CRC included; 0 while there is none.
        self.size = 0
        self._n = 0
        self._left = 0  # bytes until the next code byte
        self._code = 0  # the code byte being worked off, 0 = none yet in this frame
        self._lost = False

    def feed(self, data, start, end):
        """Index behind the bytes of ``data[start:end]`` used up; it stops behind a frame that is ready."""
        self.size = 0
        frame = self.frame
        n = self._n
        left = self._left
        i = start
        while i < end:
            byte = data[i]
            i += 1
            if byte == 0:
                whole = left == 0 and not self._lost
                begun = self._code != 0
                self.reset()
                if begun and whole and n >= HEADER_SIZE + 4 and sealed(frame, 0, n - 4):
                    self.size = n
                    return i
                if begun and self.bad < 65535:
                    self.bad += 1
                n = 0
                left = 0
            elif left:
                left -= 1
                if n < len(frame):
                    frame[n] = byte
                    n += 1
                else:
                    self._lost = True
            else:
                # A code byte: the one before it stood for a zero, unless it was the frame's first or 0xFF.
                if self._code and self._code != 0xFF:
                    if n < len(frame):
                        frame[n] = 0
                        n += 1
                    else:
                        self._lost = True
                self._code = byte
                left = byte - 1
        self._n = n
        self._left = left
        return i
