"""Messages between device and host by name: THE definition of their fields, used by both sides.

How a frame lies on the wire, the kinds, codes and indexes stand in :mod:`walktall.frames`, of which all is here too.
A message's fields are tables (:class:`walktall.records.Table`); a later version of a message only appends fields, and
both sides read what they know. docs/protocol.md has the bytes of every message.

No board imports this module: packing by index is enough there, and the names would take 6 KiB of heap.
"""

from . import records
from .frames import *  # noqa: F403 - all of it is this module's too
from .frames import HEADER_SIZE, MAX_BODY, MAX_ENCODED, PROTOCOL, frame_into, stuff_into

# Requests; a reply is the same with bit 7 set. Append only.
HELLO = 1
CLOCK = 2
FETCH = 3
ACK = 4
SETTINGS_GET = 5
SETTINGS_SET = 6
SETTINGS_RESET = 7
CALIBRATE = 8
IDENTIFY = 9
SELFTEST = 10
LIVE = 11
MARK = 12
MAINTENANCE = 13
FORMAT = 14
FETCH_TRACE = 15
RAW = 16
N_KINDS = 17

REPLY = 0x80
# Replies of their own: one FETCH brings many RECORDs and then its reply, one FETCH_TRACE many pieces of blocks;
# LIVE_DATA comes unasked.
RECORD = 0xC0
LIVE_DATA = 0xC1
TRACE_DATA = 0xC2
ERROR = 0xFF

# Codes of an ERROR reply. Append only.
E_BAD_REQUEST = 1
E_UNKNOWN = 2
E_PROTOCOL = 3
E_REFUSED = 4
E_BUSY = 5
E_NONCE = 6
E_ACK = 7
E_READ_ONLY = 8
E_STORE = 9
E_INTERNAL = 10

# Index of each field of HELLO that a device fills; a test holds them to the table.
H_DEVICE_ID = 0
H_JOURNAL_ID = 1
H_PROTOCOL = 2
H_FW_VERSION = 3
H_RECORD_LAYOUT = 4
H_JOURNAL_LAYOUT = 5
H_BOARD = 6
H_CHIP = 7
H_SOURCE_DIGEST = 8
H_BOOT = 9
H_UPTIME_S = 10
H_UTC_S = 11
H_FLAGS = 12
H_RESET_REASON = 13
H_ERRORS = 14
H_LAST_ERROR = 15
H_BATTERY_MV = 16
H_SESSIONS = 17
H_CAPACITY = 18
H_UNACKNOWLEDGED = 19
H_FIRST_SEQ = 20
H_NEXT_SEQ = 21
H_ACKED_SEQ = 22
H_DROPPED_ACKED = 23
H_DROPPED_UNACKED = 24
H_NEWER_RECORDS = 25
H_COMMITS = 26
H_COMMITS_TODAY = 27
H_COMMITS_DEFERRED = 28
H_SETTINGS_COUNT = 29
H_CALIBRATION_QUALITY = 30
H_BAD_FRAMES = 31
H_CALIBRATED_UTC_S = 32
H_TRACE_ID = 33
H_TRACE_LAYOUT = 34
H_TRACE_BLOCK_BYTES = 35
H_TRACE_FIRST = 36
H_TRACE_NEXT = 37
H_TRACE_CAPACITY = 38
H_TRACE_TORN = 39
H_DRIVE_KIB = 40
H_DRIVE_FREE_KIB = 41

# Bits of HELLO's ``flags``.
HF_CALIBRATED = 1
HF_CHARGING = 2
HF_USB = 4
HF_CLOCK_SET = 8
HF_SESSION_OPEN = 16
HF_WALKING = 32
HF_FORMATTED = 64  # no bank could be read at this boot: the journal began anew
HF_BANK_LOST = 128  # one of the two banks could not be read at this boot
HF_READ_ONLY = 256  # a bank of a later firmware: nothing is written
HF_SETTINGS_DEFAULTED = 512
HF_SENSOR_FAULT = 1024
HF_UNSAVED = 2048  # something waits for its commit
HF_MAINTENANCE = 4096  # this boot gave the drive to the computer
HF_SNOOZED = 8192
HF_STORE_FAULT = 16384  # the last write did not read back
HF_TRACE_FAULT = 32768  # no trace is kept: its file cannot be made, read or written
HF_WIPING = 65536  # the trace is being overwritten after a FORMAT
HF_RAW = 131072  # a raw recording runs

#: Bytes of a block of the trace in a frame: a third of 512, so that frames are alike.
TRACE_PIECE = 172
#: Asks RAW how long it still records.
RAW_ASK = 255

#: Bytes of a setting in a frame, and how many settings fit.
SETTING_SIZE = 5
SETTINGS_A_FRAME = 49

# Actions of CALIBRATE.
CAL_ASK = 0
CAL_START = 1
CAL_CANCEL = 2

# Status of SELFTEST.
SELFTEST_PASSED = 0
SELFTEST_FAILED = 1
SELFTEST_RUNNING = 2

# Index of the field of LIVE_DATA that `link` fills.
LIVE_LOST = 13

#: Names of the requests, by kind.
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

#: Names of the codes of an ERROR reply.
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

#: Names of the bits of HELLO's ``flags``, lowest first.
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
#: Minutes of raw recording from now on, 0 ends one, RAW_ASK asks. Seconds left, 0 = none runs.
RAW_REQUEST_FIELDS = (("minutes", "B", "min"),)
RAW_REPLY_FIELDS = (("left_s", "H", "s"),)

#: ``crc`` covers, one after the other, the raw bytes of every record behind the last acknowledged one up to ``seq``.
ACK_REQUEST_FIELDS = (("seq", "H", ""), ("crc", "4s", ""))
ACK_REPLY_FIELDS = (("acked_seq", "H", ""), ("unacknowledged", "H", "records"))

SETTINGS_GET_FIELDS = (("first", "B", ""),)
#: Settings travel as ``count`` of these behind SETTINGS_HEAD_FIELDS.
SETTING_FIELDS = (("index", "B", ""), ("value", "i", ""))
SETTINGS_HEAD_FIELDS = (("total", "B", "settings"), ("count", "B", "settings"))

CALIBRATE_REQUEST_FIELDS = (("action", "B", ""),)
CALIBRATE_REPLY_FIELDS = (("state", "B", ""), ("quality", "B", "%"))
#: States of CALIBRATE.
CALIBRATION_NAMES = ("none", "done", "refused_moving", "refused_angle", "running")

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

#: A nonce of zeros asks for one; the same request with that nonce formats.
FORMAT_FIELDS = (("nonce", "4s", ""), ("journal_id", "4s", ""))

ERROR_FIELDS = (("kind", "B", ""), ("code", "B", ""))  # then text, to the end of the body

HELLO_TABLE = records.Table(HELLO_FIELDS)
LIVE_TABLE = records.Table(LIVE_DATA_FIELDS)


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
