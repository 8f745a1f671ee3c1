"""Rows of the trace: THE layout. One row a second of wear holds all that the detector took in its four ticks.

What is here packs rows into a block on the board; `retrace` (on no board) reads them and judges them again.

A block is 512 bytes, little endian, and says everything about itself::

    0     1     2      3       4        8         12     14         18      22    24
    | 57h | 02h | kind | flags | number | ring id | boot | uptime_s | utc_s | seq | session boot | ...
    26              30     32      34     36          37        38         40           44           48        52
    | session start | walk | pitch | roll | rows_from | seconds | rows_end | ring_start | checkpoint | pending |
    52                  rows_from  rows_end       508
    | [stand][settings] | rows ... | [checkpoint] | CRC-32 |

`number` only grows. `uptime_s` and `utc_s` (0: not known) are of the beginning of the first row; session boot and
start are the record's fields `boot` and `start_uptime_s`, which tell of which session the rows are; `seq` is the
record's number as far as it could be known (short walks merge later), `walk` counts all walks, those that left no
record among them; `pitch` and `roll` stand before the first tick, `seconds` are those of wear, 255 at the most.
`ring_start` is the ring's first number; `checkpoint` and `pending` are 1 + the number of the last block before this
one with a checkpoint, and of the last one in which a walk ended whose record is not in the journal's banks (0: none).
A row::

    0                1                    [2]               [cadence] [states] [8 deltas of w bits] [marks]
    | w | class << 4 | state | more << 7 | | marks | mixed << 6 | cadence << 7 |

* `w`: bits of each delta, 0..13: pitch of the four ticks, then roll of the four, each less the tick before it, in steps
  of 0.2 degrees, two's complement, lowest bit first. 14: a run of whole seconds without samples, 15: of seconds in
  which the sensor only waited for motion; then two bytes follow, how many seconds, and no deltas.
* `class`: of the second (`events.CLASS_...`); 0: the rest of a second that a session's end cut off. 14 and 15:
  class and all states are those of the row before in this block, and there are no marks; no byte of state follows,
  with 15 a byte of cadence does. In these rows `w` of 10 says 5 bits for pitch and 3 for roll, 11 the other way
  round, 12 and 13: 6 and 4, 14 and 15: 7 and 5. Layout 1 had none of this; it is read as well.
* `state`: of the fourth tick (`events.WALKS` ...); with `mixed` those of the first three follow, a byte each.
* `cadence`: what the detector is told from the next second on has changed (`chain`): a byte, steps a minute. A block's
  first row always has it where somebody walks; where nobody does it is 0.
* `marks`: how many there are; four bytes each: code | tick << 5, fault | label << 3, value (two, signed).

Stand, settings and checkpoint are lists of integers (`pack_ints`): a count, then for each eight of them a mask of those
that are not 0, and each of these in 6 bits (and a sign), then 7, lowest first, bit 7: more follows.

It does not know files (`trace` does), and allocates nothing.
"""

from array import array

from . import events as e

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


LAYOUT = const(2)
MAGIC = const(0x57)
BLOCK_BYTES = const(512)
# Bytes 0 .. 7 and the CRC stand where they are in every layout.
H_MAGIC = const(0)
H_LAYOUT = const(1)
H_KIND = const(2)
H_FLAGS = const(3)
H_NUMBER = const(4)
H_RING_ID = const(8)
H_BOOT = const(12)
H_UPTIME_S = const(14)
H_UTC_S = const(18)
H_SEQ = const(22)
H_SESSION_BOOT = const(24)
H_SESSION_START_S = const(26)
H_WALK = const(30)
H_PITCH = const(32)
H_ROLL = const(34)
H_ROWS_FROM = const(36)
H_SECONDS = const(37)
H_ROWS_END = const(38)
H_RING_START = const(40)
H_CHECKPOINT = const(44)
H_PENDING = const(48)
HEADER_BYTES = const(52)
CRC_AT = const(508)

KIND_EMPTY = const(0)  # a ring begins here
KIND_ROWS = const(1)
KIND_RAW = const(2)

# Flags of a block.
B_BEGIN = const(1)  # a session's first block: a stand lies before the rows
B_SETTINGS = const(2)  # and settings behind it, in force from here or from the mark that says so
B_CHECKPOINT = const(4)  # behind the rows: record, counters, stand
B_END = const(8)  # the session ended with this block
B_KEPT = const(16)  # and left a record
B_STAND = const(64)  # its checkpoint ends in a whole stand
B_TAKEN_UP = const(32)  # it goes on after a loss of power

W_MISSING = const(14)
W_DOZED = const(15)
STEP_CDEG = const(20)
STAND_SIZE = const(18)  # integers in a stand (`chain.stand_into`)
STAND_SHORT = const(5)  # of it in most checkpoints
DIFFERENCES_FROM = const(38)  # a session's counters: its buckets, which are much alike
FIELDS_FROM = const(2)  # a checkpoint's record lacks seq and boot: the head has them
ROW_MAX = const(3 + 1 + 3 + 13 + 6 * 4)
_AS_BEFORE = const(14)  # in the place of a class
_NEW_CADENCE = const(15)
_SPLIT = const(10)  # in the place of a short row's width: one of the two is narrower
_SPLIT_LEAST = const(5)
_MORE = const(128)
_MIXED = const(64)
_CADENCE = const(128)
_MOST = const(0x3FFFFFFF)
_MARKS = const(6)  # in a second; more are counted, not kept


class RowWriter:
    """Packs rows into `buf` from `at` up to `end`: `tick` four times, `mark` as they come, `second`.

    The chain calls it, `trace` hands the buffer; while `on` is 0 nothing is taken.
    """

    def __init__(self):
        self.on = 0
        self.buf = bytearray(BLOCK_BYTES)
        self.at = HEADER_BYTES
        self.end = CRC_AT
        #: Seconds in the block.
        self.seconds = 0
        #: Rows and marks that found no room.
        self.lost = 0
        #: Before the first tick of the next row.
        self.pitch = 0
        self.roll = 0
        self._run_at = 0  # where the last row's count lies, if that is a run
        self._cadence = 0
        self._before = -1  # class << 8 | state of the block's last row, -1: it has none
        self._n = 0
        self._marked = 0
        self._state = bytearray(e.TICKS_PER_S)
        self._values = array("h", [0] * (2 * e.TICKS_PER_S))
        self._marks = bytearray(4 * _MARKS)

    def begin(self, at, end):
        """Rows go to `at` .. `end` of the buffer from here on."""
        self.at = at
        self.end = end
        self.seconds = 0
        self._run_at = 0
        self._cadence = 0
        self._before = -1

    def take(self, on):
        """Take rows from the next second's beginning on, or none."""
        self.on = on
        self._n = 0
        self._marked = 0

    def tick(self, k, pitch_cdeg, roll_cdeg, state):
        """Take tick `k` (0 .. 3) of a second."""
        if not self.on:
            return
        values = self._values
        if state & e.KIND >= e.MISSING:
            values[k] = values[k - 1] if k else self.pitch
            values[k + 4] = values[k + 3] if k else self.roll
        else:
            values[k] = pitch_cdeg // STEP_CDEG
            values[k + 4] = roll_cdeg // STEP_CDEG
        self._state[k] = state
        self._n = k + 1

    def mark(self, k, code, fault, label, value):
        """Take an event of tick `k`."""
        if not self.on:
            return
        if self._marked == _MARKS:
            self.lost += 1
            return
        at = 4 * self._marked
        self._marked += 1
        if value > 32767:
            value = 32767
        elif value < -32768:
            value = -32768
        marks = self._marks
        marks[at] = code | k << 5
        marks[at + 1] = fault | label << 3
        marks[at + 2] = value & 0xFF
        marks[at + 3] = value >> 8 & 0xFF

    def second(self, second_class, cadence_spm):
        """Pack the row of the second that has closed."""
        if not self.on:
            return
        state = self._state
        last = state[3]
        mixed = state[0] != last or state[1] != last or state[2] != last
        marked = self._marked
        self._n = 0
        self._marked = 0
        buf = self.buf
        at = self.at
        kind = last & e.KIND
        width = 0
        if kind >= e.MISSING and not last & e.WALKS and not mixed and not marked:
            width = W_MISSING if kind == e.MISSING else W_DOZED
            run = self._run_at
            if run and buf[run - 1] == last and buf[run - 2] == (width | second_class << 4) and buf[run + 1] != 255:
                # One more of the same.
                buf[run] = buf[run] + 1 & 0xFF
                if not buf[run]:
                    buf[run + 1] += 1
                self.seconds += 1
                return
        else:
            values = self._values
            before = self.pitch
            most = 0
            for k in range(8):
                if k == 4:
                    before = self.roll
                    width = self._bits(most, width)
                    most = 0
                    of_pitch = width
                    width = 0
                delta = values[k] - before
                before = values[k]
                if delta < 0:
                    delta = -1 - delta
                    if not width:
                        width = 1
                most |= delta
            of_roll = self._bits(most, width)
            width = of_roll if of_roll > of_pitch else of_pitch
        more = marked
        if mixed:
            more |= _MIXED
        if cadence_spm > 255:
            cadence_spm = 255
        if last & e.WALKS and cadence_spm != self._cadence:
            more |= _CADENCE
        if at + ROW_MAX > self.end and at + 7 + 4 * marked + width > self.end:
            self.lost += 1
            return
        self.seconds += 1
        self._run_at = 0
        self._cadence = cadence_spm if last & e.WALKS else 0
        before = second_class << 8 | last
        if before == self._before and width < _SPLIT and not more & ~_CADENCE:
            code = width
            if _SPLIT_LEAST <= width < _SPLIT_LEAST + 3 and (of_pitch < width - 1 or of_roll < width - 1):
                # One of them two bits narrower: a byte less.
                code = _SPLIT + (width - _SPLIT_LEAST << 1)
                if of_roll < width - 1:
                    of_roll = width - 2
                else:
                    of_pitch = width - 2
                    code += 1
            else:
                of_pitch = of_roll = width
            buf[at] = code | (_NEW_CADENCE if more else _AS_BEFORE) << 4
            at += 1
        else:
            self._before = before
            of_pitch = of_roll = width
            buf[at] = width | second_class << 4
            buf[at + 1] = last | (_MORE if more else 0)
            at += 2
            if more:
                buf[at] = more
                at += 1
        if more & _CADENCE:
            buf[at] = cadence_spm
            at += 1
        if mixed:
            for k in range(3):
                buf[at + k] = state[k]
            at += 3
        if width > 13:
            self._run_at = at
            buf[at] = 1
            buf[at + 1] = 0
            self.at = at + 2
            return
        bits = 0
        held = 0
        width = of_pitch
        mask = (1 << width) - 1
        before = self.pitch
        for k in range(8):
            if k == 4:
                before = self.roll
                width = of_roll
                mask = (1 << width) - 1
            bits |= (values[k] - before & mask) << held
            before = values[k]
            held += width
            while held >= 8:
                buf[at] = bits & 0xFF
                at += 1
                bits >>= 8
                held -= 8
        self.pitch = values[3]
        self.roll = values[7]
        for k in range(4 * marked):
            buf[at + k] = self._marks[k]
        self.at = at + 4 * marked

    def _bits(self, most, width):
        """Bits of deltas whose magnitudes make up `most`; `width` where that is 0."""
        if most:
            width = 1
            while most:
                width += 1
                most >>= 1
        return width

    def cut(self):
        """A session ends: what its last second has so far is kept as a row of class 0."""
        n = self._n
        if not self.on or not (n or self._marked):
            return
        for k in range(n, 4):
            self.tick(k, 0, 0, e.MISSING)
        self.second(e.CLASS_NONE, 0)


def pack_ints(buf, at, values, count, end, first=0):
    """Offset behind `count` of `values` from the `first` on, each within 31 bits; -1 where `end` comes before."""
    if at < 0 or at + 1 + (count + 7 >> 3) > end:
        return -1
    buf[at] = count
    at += 1
    mask_at = at
    for k in range(count):
        if at + 6 > end:  # a mask and five bytes are the most that one takes
            return -1
        if not k & 7:
            mask_at = at
            buf[at] = 0
            at += 1
        value = values[first + k]
        if not value:
            continue
        buf[mask_at] |= 1 << (k & 7)
        sign = 0
        if value < 0:
            value = -value
            sign = 64
        byte = value & 63 | sign
        value >>= 6
        while value:
            buf[at] = byte | 128
            at += 1
            byte = value & 127
            value >>= 7
        buf[at] = byte
        at += 1
    return at


def differ(values):
    """Put differences in the place of the last counters; `sum_up` undoes it."""
    for k in range(len(values) - 1, DIFFERENCES_FROM, -1):
        values[k] -= values[k - 1]


def sum_up(values):
    """As they were before `differ`."""
    for k in range(DIFFERENCES_FROM + 1, len(values)):
        value = values[k] + values[k - 1]
        values[k] = value if -_MOST < value < _MOST else 0  # none that was written is so large


def unpack_ints(buf, at, end, values, first=0):
    """Offset behind a list of integers, put into `values` from the `first` on as far as there is room (the others 0);
    -1 where it does not end before `end` or an integer is none of 31 bits."""
    for k in range(len(values)):
        values[k] = 0
    if at >= end:
        return -1
    count = buf[at]
    at += 1
    mask = 0
    for k in range(count):
        if not k & 7:
            if at >= end:
                return -1
            mask = buf[at]
            at += 1
        if not mask >> (k & 7) & 1:
            continue
        if at >= end:
            return -1
        byte = buf[at]
        at += 1
        value = byte & 63
        sign = byte & 64
        shift = 6
        while byte & 128:
            if at >= end or shift > 27:
                return -1
            byte = buf[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
        if value > 0x7FFFFFFF:
            return -1
        if first + k < len(values):
            values[first + k] = -value if sign else value
    return at
