"""Frames and messages between device and host: THE definition, used by both sides.

A frame on the wire (docs/protocol.md has the bytes of every message)::

    00 | COBS( version  kind  id_lo id_hi  body ...  crc0 crc1 crc2 crc3 ) | 00

COBS (Cheshire & Baker 1999, consistent overhead byte stuffing) takes every zero out of a frame, so that a zero ends it
whatever came before: after any garbage the next frame is read. CRC-32 covers everything from ``version`` to the end
of the body. A reply carries its request's ``id`` and ``kind | 0x80``; an id of 0 is unasked. A frame that does not
check is dropped without a word, and counted: the asker asks again.

Decoder and writer stand on buffers of :data:`MAX_FRAME` bytes that never grow. A message's fields are tables
(:class:`walktall.records.Table`); a later version of a message only appends fields, and both sides read what they know.

It moves no bytes (``link`` does) and knows no port.
"""

from . import records

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

KIND_NAMES = (
    "",
    "hello",
    "clock",
    "fetch",
    "ack",
    "settings_get",
    "settings_set",
    "settings_reset",
    "calibrate",
    "identify",
    "selftest",
    "live",
    "mark",
    "maintenance",
    "format",
    "fetch_trace",
    "raw",
)

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

ERROR_NAMES = (
    "",
    "bad_request",
    "unknown_request",
    "other_protocol",
    "refused",
    "busy",
    "wrong_nonce",
    "ack_mismatch",
    "read_only",
    "store_failed",
    "internal",
)

HELLO_FIELDS = (
    ("device_id", "8s", ""),
    ("journal_id", "4s", ""),
    ("protocol", "B", ""),
    ("fw_version", "H", ""),
    ("record_layout", "B", ""),
    ("journal_layout", "B", ""),
    ("board", "32t", ""),
    ("chip", "16t", ""),
    ("source_digest", "8s", ""),
    ("boot", "H", ""),
    ("uptime_s", "I", "s"),
    ("utc_s", "I", "s"),
    ("flags", "I", "bits"),
    ("reset_reason", "B", ""),
    ("errors", "H", "errors"),
    ("last_error", "24t", ""),
    ("battery_mv", "H", "mV"),
    ("sessions", "H", "records"),
    ("capacity", "H", "records"),
    ("unacknowledged", "H", "records"),
    ("first_seq", "H", ""),
    ("next_seq", "H", ""),
    ("acked_seq", "H", ""),
    ("dropped_acked", "H", "records"),
    ("dropped_unacked", "H", "records"),
    ("newer_records", "H", "records"),
    ("commits", "I", "commits"),
    ("commits_today", "B", "commits"),
    ("commits_deferred", "H", "commits"),
    ("settings_count", "B", "settings"),
    ("calibration_quality", "B", "%"),
    ("bad_frames", "H", "frames"),
    ("calibrated_utc_s", "I", "s"),
    ("trace_id", "4s", ""),
    ("trace_layout", "B", ""),
    ("trace_block_bytes", "H", "bytes"),
    ("trace_first", "I", ""),
    ("trace_next", "I", ""),
    ("trace_capacity", "H", "blocks"),
    ("trace_torn", "H", "blocks"),
    ("drive_kib", "I", "KiB"),
    ("drive_free_kib", "I", "KiB"),
)

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

HELLO_FLAG_NAMES = (
    "calibrated",
    "charging",
    "usb",
    "clock_set",
    "session_open",
    "walking",
    "formatted",
    "bank_lost",
    "read_only",
    "settings_defaulted",
    "sensor_fault",
    "unsaved",
    "maintenance",
    "snoozed",
    "store_fault",
    "trace_fault",
    "wiping",
    "raw",
)

CLOCK_REQUEST_FIELDS = (("utc_s", "I", "s"),)  # 0 asks without setting
CLOCK_REPLY_FIELDS = (
    ("was_utc_s", "I", "s"),  # what the device believed, 0 = nothing
    ("utc_s", "I", "s"),  # what it believes now
    ("set_at_utc_s", "I", "s"),  # when it was last set before this, 0 = never: the drift is over this time
    ("uptime_s", "I", "s"),
)

FETCH_REQUEST_FIELDS = (("from_seq", "H", ""), ("limit", "H", "records"))  # limit 0: all there are
FETCH_REPLY_FIELDS = (("sent", "H", "records"), ("next_seq", "H", ""))
#: Then come the record's own bytes, to the end of the body.
RECORD_FIELDS = (("seq", "H", ""), ("acked", "B", ""))

#: Blocks of the trace from ``from_block`` on, the first of them from ``offset``; limit 0: all there are.
FETCH_TRACE_REQUEST_FIELDS = (("from_block", "I", ""), ("offset", "H", "bytes"), ("limit", "H", "blocks"))
FETCH_TRACE_REPLY_FIELDS = (("sent", "H", "blocks"), ("next_block", "I", ""))
#: Then come bytes of the block from ``offset`` on, to the end of the body.
TRACE_DATA_FIELDS = (("block", "I", ""), ("offset", "H", "bytes"))
#: Bytes of a block in a frame: a third of 512, so that frames are alike.
TRACE_PIECE = const(172)

#: Minutes of raw recording from now on, 0 ends one, RAW_ASK asks. Seconds left, 0 = none runs.
RAW_REQUEST_FIELDS = (("minutes", "B", "min"),)
RAW_REPLY_FIELDS = (("left_s", "H", "s"),)
RAW_ASK = const(255)

#: ``crc`` covers, one after the other, the raw bytes of every record behind the last acknowledged one up to ``seq``.
ACK_REQUEST_FIELDS = (("seq", "H", ""), ("crc", "4s", ""))
ACK_REPLY_FIELDS = (("acked_seq", "H", ""), ("unacknowledged", "H", "records"))

SETTINGS_GET_FIELDS = (("first", "B", ""),)
#: Settings travel as ``count`` of these behind SETTINGS_HEAD_FIELDS.
SETTING_FIELDS = (("index", "B", ""), ("value", "i", ""))
SETTINGS_HEAD_FIELDS = (("total", "B", "settings"), ("count", "B", "settings"))
SETTING_SIZE = const(5)
SETTINGS_A_FRAME = const(49)

CALIBRATE_REQUEST_FIELDS = (("action", "B", ""),)
CALIBRATE_REPLY_FIELDS = (("state", "B", ""), ("quality", "B", "%"))
# Actions and states of CALIBRATE.
CAL_ASK = const(0)
CAL_START = const(1)
CAL_CANCEL = const(2)
CALIBRATION_NAMES = ("none", "done", "refused_moving", "refused_angle", "running")

# Status of SELFTEST.
SELFTEST_PASSED = const(0)
SELFTEST_FAILED = const(1)
SELFTEST_RUNNING = const(2)
SELFTEST_REPLY_FIELDS = (("status", "B", ""), ("vector_digest", "8s", ""), ("source_digest", "8s", ""))

LIVE_REQUEST_FIELDS = (("on", "B", ""),)
LIVE_DATA_FIELDS = (
    ("sample", "I", "samples"),
    ("pitch_cdeg", "h", "0.01 deg"),
    ("roll_cdeg", "h", "0.01 deg"),
    ("cadence_spm", "B", "steps/min"),
    ("walking", "B", ""),
    ("second_class", "B", ""),
    ("fault", "B", ""),
    ("label", "B", ""),
    ("hold_ticks", "H", "0.25 s"),
    ("steps", "T", "steps"),
    ("limit_on_cdeg", "h", "0.01 deg"),
    ("limit_off_cdeg", "h", "0.01 deg"),
    ("buzzing", "B", ""),
    ("lost", "B", "frames"),
    ("hold_needed_ticks", "H", "0.25 s"),  # hold_ticks at which a forward fault buzzes
    ("back_ticks", "H", "0.25 s"),  # hold timer of BACK
    ("limit_back_cdeg", "h", "0.01 deg"),  # how far back, and how far to a side: both positive
    ("limit_side_cdeg", "h", "0.01 deg"),
    ("buzzes", "B", "buzzes"),  # given for the faults under way
    ("battery_mv", "H", "mV"),
)

# Index of the field that `link` fills.
LIVE_LOST = const(13)

#: A nonce of zeros asks for one; the same request with that nonce formats.
FORMAT_FIELDS = (("nonce", "4s", ""), ("journal_id", "4s", ""))

ERROR_FIELDS = (("kind", "B", ""), ("code", "B", ""))  # then text, to the end of the body

HELLO_TABLE = records.Table(HELLO_FIELDS)
LIVE_TABLE = records.Table(LIVE_DATA_FIELDS)


def frame_into(frame, body_size, kind, request_id, version=PROTOCOL):
    """Size of the frame whose body of ``body_size`` bytes lies at HEADER_SIZE: header and CRC are put around it."""
    frame[0] = version
    frame[1] = kind
    frame[2] = request_id & 0xFF
    frame[3] = (request_id >> 8) & 0xFF
    return records.seal_into(frame, 0, HEADER_SIZE + body_size)


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
                if begun and whole and n >= HEADER_SIZE + 4 and records.sealed(frame, 0, n - 4):
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


def u16(buf, offset):
    """Two bytes unsigned, least first."""
    return buf[offset] | buf[offset + 1] << 8


def i32(buf, offset):
    """Four bytes signed, least first."""
    high = buf[offset + 3]
    if high > 127:
        high -= 256
    return buf[offset] | buf[offset + 1] << 8 | buf[offset + 2] << 16 | high << 24


# What follows is for hosts and tests: it makes new objects.


def encode(kind, request_id, body=b"", version=PROTOCOL):
    """The bytes on the wire of one message.

    :raises ValueError: a body of more than MAX_BODY bytes
    """
    if len(body) > MAX_BODY:
        raise ValueError("a body of %d bytes is more than %d" % (len(body), MAX_BODY))
    frame = bytearray(HEADER_SIZE + len(body) + 4)
    for i in range(len(body)):
        frame[HEADER_SIZE + i] = body[i]
    size = frame_into(frame, len(body), kind, request_id, version)
    out = bytearray(MAX_ENCODED)
    return bytes(out[: stuff_into(frame, size, out, 0)])


def frame_body(decoder):
    """The body of the decoder's ready frame, as bytes of its own."""
    return bytes(decoder.frame[HEADER_SIZE : decoder.size - 4])


def pack(fields, values):
    """Bytes of a message body (or the start of one), by its field table.

    :param values: a sequence in the order of the fields, or a dict by their names
    :raises ValueError: a value that does not fit its field
    """
    table = records.Table(fields)
    if isinstance(values, dict):
        values = [values[row[0]] for row in fields]
    body = bytearray(table.size)
    table.pack_into(body, 0, values)
    if table.clipped:
        raise ValueError("a value does not fit its field: %s" % (values,))
    return bytes(body)


def unpack(fields, body):
    """Dict by name of the fields at the start of a body. Fields that a shorter, older message lacks are 0 or empty.

    :raises ValueError: an integer of more than 31 bits, which no device sends
    """
    table = records.Table(fields)
    values = table.new_values()
    if table.unpack_into(body, 0, values, table.fitting(len(body))) < 0:
        raise ValueError("an integer of more than 31 bits")
    named = {}
    for i in range(table.count):
        named[fields[i][0]] = values[i]
    return named


def fields_size(fields):
    """Bytes that a field table takes."""
    return records.Table(fields).size


def pack_settings(pairs):
    """Body of SETTINGS_SET: a count, then (index, value) each."""
    body = bytes((len(pairs),))
    for pair in pairs:
        body += pack(SETTING_FIELDS, pair)
    return body


def unpack_settings(body):
    """(total, [(index, value), ...]) of a reply to SETTINGS_GET, _SET or _RESET.

    :raises ValueError: a body that is shorter than it says
    """
    if len(body) < 2 or len(body) < 2 + body[1] * SETTING_SIZE:
        raise ValueError("settings cut short")
    pairs = []
    for k in range(body[1]):
        pairs.append((body[2 + SETTING_SIZE * k], i32(body, 3 + SETTING_SIZE * k)))
    return body[0], pairs


def crc_bytes(chunks):
    """CRC-32 over several pieces one after the other, as four bytes, least first: what ACK carries."""
    value = 0
    for chunk in chunks:
        value = records.crc32(chunk, value)
    value &= 0xFFFFFFFF
    return bytes((value & 0xFF, value >> 8 & 0xFF, value >> 16 & 0xFF, value >> 24))


def error_text(body):
    """One line of what an ERROR reply says."""
    values = unpack(ERROR_FIELDS, body)
    code = values["code"]
    kind = values["kind"]
    name = ERROR_NAMES[code] if code < len(ERROR_NAMES) else "error %d" % code
    asked = KIND_NAMES[kind] if kind < len(KIND_NAMES) else "request %d" % kind
    text = "".join([chr(byte) if 32 <= byte < 127 else "?" for byte in body[2:]])
    return asked + ": " + name + (": " + text if text else "")
