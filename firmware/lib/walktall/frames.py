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

# Requests; a reply is the same with bit 7 set. Append only.
HELLO = const(1)
CLOCK = const(2)
FETCH = const(3)
ACK = const(4)
SETTINGS_GET = const(5)
SETTINGS_SET = const(6)
SETTINGS_RESET = const(7)
CALIBRATE = const(8)
IDENTIFY = const(9)
SELFTEST = const(10)
LIVE = const(11)
MARK = const(12)
MAINTENANCE = const(13)
FORMAT = const(14)
FETCH_TRACE = const(15)
RAW = const(16)
N_KINDS = const(17)

REPLY = const(0x80)
# Replies of their own: one FETCH brings many RECORDs and then its reply, one FETCH_TRACE many pieces of blocks;
# LIVE_DATA comes unasked.
RECORD = const(0xC0)
LIVE_DATA = const(0xC1)
TRACE_DATA = const(0xC2)
ERROR = const(0xFF)

# Codes of an ERROR reply. Append only.
E_BAD_REQUEST = const(1)
E_UNKNOWN = const(2)
E_PROTOCOL = const(3)
E_REFUSED = const(4)
E_BUSY = const(5)
E_NONCE = const(6)
E_ACK = const(7)
E_READ_ONLY = const(8)
E_STORE = const(9)
E_INTERNAL = const(10)

#: Codes of the fields of the reply to HELLO, as :class:`walktall.packing.Table` has them.
HELLO_CODES = "8s 4s B H B B 32t 16t 8s H I I I B H 24t H H H H H H H H H H I B H B B H I 4s B H I I H H I I"

# Index of each field of HELLO that a device fills; a test holds them to the table.
H_DEVICE_ID = const(0)
H_JOURNAL_ID = const(1)
H_PROTOCOL = const(2)
H_FW_VERSION = const(3)
H_RECORD_LAYOUT = const(4)
H_JOURNAL_LAYOUT = const(5)
H_BOARD = const(6)
H_CHIP = const(7)
H_SOURCE_DIGEST = const(8)
H_BOOT = const(9)
H_UPTIME_S = const(10)
H_UTC_S = const(11)
H_FLAGS = const(12)
H_RESET_REASON = const(13)
H_ERRORS = const(14)
H_LAST_ERROR = const(15)
H_BATTERY_MV = const(16)
H_SESSIONS = const(17)
H_CAPACITY = const(18)
H_UNACKNOWLEDGED = const(19)
H_FIRST_SEQ = const(20)
H_NEXT_SEQ = const(21)
H_ACKED_SEQ = const(22)
H_DROPPED_ACKED = const(23)
H_DROPPED_UNACKED = const(24)
H_NEWER_RECORDS = const(25)
H_COMMITS = const(26)
H_COMMITS_TODAY = const(27)
H_COMMITS_DEFERRED = const(28)
H_SETTINGS_COUNT = const(29)
H_CALIBRATION_QUALITY = const(30)
H_BAD_FRAMES = const(31)
H_CALIBRATED_UTC_S = const(32)
H_TRACE_ID = const(33)
H_TRACE_LAYOUT = const(34)
H_TRACE_BLOCK_BYTES = const(35)
H_TRACE_FIRST = const(36)
H_TRACE_NEXT = const(37)
H_TRACE_CAPACITY = const(38)
H_TRACE_TORN = const(39)
H_DRIVE_KIB = const(40)
H_DRIVE_FREE_KIB = const(41)

# Bits of HELLO's ``flags``.
HF_CALIBRATED = const(1)
HF_CHARGING = const(2)
HF_USB = const(4)
HF_CLOCK_SET = const(8)
HF_SESSION_OPEN = const(16)
HF_WALKING = const(32)
HF_FORMATTED = const(64)  # no bank could be read at this boot: the journal began anew
HF_BANK_LOST = const(128)  # one of the two banks could not be read at this boot
HF_READ_ONLY = const(256)  # a bank of a later firmware: nothing is written
HF_SETTINGS_DEFAULTED = const(512)
HF_SENSOR_FAULT = const(1024)
HF_UNSAVED = const(2048)  # something waits for its commit
HF_MAINTENANCE = const(4096)  # this boot gave the drive to the computer
HF_SNOOZED = const(8192)
HF_STORE_FAULT = const(16384)  # the last write did not read back
HF_TRACE_FAULT = const(32768)  # no trace is kept: its file cannot be made, read or written
HF_WIPING = const(65536)  # the trace is being overwritten after a FORMAT
HF_RAW = const(131072)  # a raw recording runs

#: Bytes of a block of the trace in a frame: a third of 512, so that frames are alike.
TRACE_PIECE = const(172)
#: Asks RAW how long it still records.
RAW_ASK = const(255)

#: Bytes of a setting in a frame, and how many settings fit.
SETTING_SIZE = const(5)
SETTINGS_A_FRAME = const(49)

# Actions of CALIBRATE.
CAL_ASK = const(0)
CAL_START = const(1)
CAL_CANCEL = const(2)

# Status of SELFTEST.
SELFTEST_PASSED = const(0)
SELFTEST_FAILED = const(1)
SELFTEST_RUNNING = const(2)

# Index of the field of LIVE_DATA that `link` fills.
LIVE_LOST = const(13)

#: Codes of the fields of LIVE_DATA.
LIVE_CODES = "I h h B B B B B H T h h B B H H h h B H"

HELLO_TABLE = Table(HELLO_CODES)
LIVE_TABLE = Table(LIVE_CODES)


def frame_into(frame, body_size, kind, request_id, version=PROTOCOL):
    """Size of the frame whose body of ``body_size`` bytes lies at HEADER_SIZE: header and CRC are put around it."""
    frame[0] = version
    frame[1] = kind
    frame[2] = request_id & 0xFF
    frame[3] = (request_id >> 8) & 0xFF
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
        #: Bytes of the frame that is ready, header and CRC included; 0 while there is none.
        self.size = 0
        #: Frames dropped, counted up to 65535.
        self.bad = 0
        self._n = 0
        self._left = 0  # bytes until the next code byte
        self._code = 0  # the code byte being worked off, 0 = none yet in this frame
        self._lost = False

    def reset(self):
        """Forget what came so far of a frame, as when the port went away."""
        self.size = 0
        self._n = 0
        self._left = 0
        self._code = 0
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
                self._n = 0
                self._left = 0
                self._code = 0
                self._lost = False
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


def frame_version(frame):
    """Protocol version of a frame."""
    return frame[0]


def frame_kind(frame):
    """Kind of a frame: one of the requests, or a reply."""
    return frame[1]


def frame_id(frame):
    """Request id of a frame, 0..65535."""
    return frame[2] | frame[3] << 8
