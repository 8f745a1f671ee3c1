"""The trace: a ring of 512-byte blocks in a file that was laid out beforehand, written so that a cut takes little.

The file is held open and never flushed, closed or grown; blocks are written whole and aligned, and none begins with
FF FF FF FF. Block number n always lies in the same place, so that the newest is found by bisection.

* External flash (`parts` 1): a block goes onto blank flash, one program, no erase. Where the ring comes round, the next
  eight blocks are blanked while eight more that are blank lie between them and the newest: however the flash's sectors
  lie, a cut there takes none but the oldest blocks.
* RP2040 (`parts` 2): each write erases its whole sector. Even blocks lie in the first half, odd ones in the second: a
  cut takes one sector's blocks, of which no two follow each other, and never the last two checkpoints both
  (docs/decisions/006).

Rows are packed by `rows`; a block is closed when it is full or a minute old. Behind the rows stands a checkpoint of the
session: from it a session is taken up after a loss of power, and the records of walks that wait for a commit are found.

It knows no clock, does not decide when a session begins, and reads no rows (`retrace` does, on no board).
"""

from array import array
from binascii import crc32
from struct import pack_into, unpack_from

from . import rows as w
from .limits import N_SETTINGS
from .packing import seal_into, sealed
from .session import STATE_SIZE
from .slots import S_COUNT

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


# Of `records`; private, so that they fold: tests/test_house_rules.py holds them to it.
_S_SEQ = const(0)
_S_BOOT = const(1)
_S_START_UTC_S = const(2)
_S_START_UPTIME_S = const(3)

_BLOCK = const(512)
_SECTOR = const(8)  # blocks
_LEAD = const(8)  # blank blocks between the newest and what is being blanked
_HOLE = const(32)  # more blank blocks than the ring ever keeps ahead
_SPAN = const(40)  # so many blocks in a row are looked at for one that can be read
_WIPED_A_STEP = const(64)  # blocks looked at; one that has to be blanked counts for four
_PIECE = const(64)
_BLANK_CRC_LOW = const(0xC39F)
_BLANK_CRC_HIGH = const(0xBD7B)
_MINUTE = const(60)
_STAND_ROOM = const(20)
_ROW_ROOM = const(14)  # behind a checkpoint that was packed to see: a row, and how far the counters grow in a second
_GROWTH = const(24)  # from one checkpoint to the next, and a row
_ROOM = const(150)  # for the first checkpoint; then what the last one took, and a little
_SETTINGS_EVERY = const(16)  # blocks: a session whose beginning was overwritten can be judged again from there
_RAW_BYTES = const(12)  # a sample: six counts
_RAW_SAMPLES = const(37)  # in a block, behind the number of the first one
_NUMBER_MAX = const(0x3FFFFFF0)

# What `load` found last.
NOTHING = const(0)
OPEN = const(1)  # a session that was cut: its record and counters are in the chain's session
ENDED = const(2)


class Trace:
    """`load` first; then `begin`, `note` with each second of wear, `end`.

    :param file: open to read and write (or to read alone), of whole blocks; None: there is none
    :param int parts: 1 on external flash, 2 on the RP2040's own
    :param chain: whose session, stand and settings the blocks tell of
    """

    def __init__(self, file, parts, chain, writable=True):
        self._file = file
        self._parts = parts
        self._chain = chain
        self._writable = writable
        self.capacity = 0
        #: No file, or it failed.
        self.fault = True
        if file is not None:
            try:
                # A sector at either end is left alone: other files may lie in it.
                self.capacity = (file.seek(0, 2) // (_BLOCK * 16) - 1) * 16
                self.fault = self.capacity < 4 * _HOLE
            except OSError:
                pass
        self.block_bytes = _BLOCK
        self.layout = w.LAYOUT
        self.ring_id = bytes(4)
        self.next_block = 0
        #: Blocks found torn at this boot.
        self.torn = 0
        #: Blocks read by `load`.
        self.reads = 0
        #: Being overwritten, because the walker asked.
        self.wiping = False
        #: 1 + the last block in which a walk ended that is not in the journal's banks, 0: all are.
        self.pending = 0
        self.found = NOTHING
        #: The last block with a checkpoint, -1: none is known.
        self.checkpoint = -1
        #: Number of the boot that wrote the block last read or written.
        self.boot = 0
        #: Number of the last walk that the trace knows.
        self.walk = 0
        self.rows = w.RowWriter()
        self._buf = self.rows.buf
        self._io = self._buf  # what flash is looked at and blanked through
        self._piece = bytearray(_PIECE)
        self._stand = array("i", bytes(4 * w.STAND_SIZE))
        self._ring_start = 0
        self._blank_to = 0
        self._wiped_from = 0
        self._room = _ROOM
        self._flags = 0
        self._dated = False
        self._uptime_s = 0
        self._utc_s = 0
        self._rows_from = 0
        self._settings_in = 0
        self._random = bytes
        self._raw = bytearray()
        self._raw_n = 0
        self._raw_next = 0
        #: Samples that are still to be recorded raw.
        self.raw_left = 0

    # ---- where a block lies ----

    def _place(self, number):
        parts = self._parts
        part = self.capacity // parts
        return _SECTOR + number % parts * part + number // parts % part

    @property
    def first_block(self):
        """Number of the oldest block that may be there."""
        ahead = self._blank_to if self._parts == 1 and self._blank_to > self.next_block else self.next_block
        first = ahead - self.capacity
        return first if first > self._ring_start else self._ring_start

    def read_into(self, block, offset, buf):
        """Fill `buf` from `offset` of a block on; how many bytes there were, 0 where it cannot be read."""
        if self.fault or not self.first_block <= block < self.next_block:
            return 0
        try:
            if not self._is(block):
                return 0
            n = len(buf)
            self._file.seek(self._place(block) * _BLOCK + offset)
            if offset + n > _BLOCK:
                buf = memoryview(buf)[: _BLOCK - offset]
                n = _BLOCK - offset
            self._file.readinto(buf)
        except OSError:
            return 0
        return n

    def _is(self, block):
        """Whether a block of that number and ring begins where it should."""
        piece = self._piece
        self._file.seek(self._place(block) * _BLOCK)
        self._file.readinto(piece)
        number = unpack_from("<I", piece, w.H_NUMBER)[0]
        return piece[0] == w.MAGIC and number == block and piece[w.H_RING_ID : w.H_RING_ID + 4] == self.ring_id

    def _read(self, place):
        """Number of the block that lies in a place, read into the buffer; -1: none that checks, -2: blank."""
        buf = self._io
        self._file.seek(place * _BLOCK)
        self._file.readinto(buf)
        self.reads += 1
        if buf[0] == 0xFF:
            value = crc32(buf)  # of 512 times FF it is BD7BC39F
            return -2 if value & 0xFFFF == _BLANK_CRC_LOW and value >> 16 & 0xFFFF == _BLANK_CRC_HIGH else -1
        if buf[0] == w.MAGIC and sealed(buf, 0, w.CRC_AT):
            number = unpack_from("<I", buf, w.H_NUMBER)[0]
            if number < _NUMBER_MAX and self._place(number) == place:
                return number
        return -1

    # ---- at a boot ----

    def load(self, random_bytes):
        """Find the newest block. OPEN: a session was cut, and stands in the chain's session as it was at its last
        checkpoint; ENDED; or NOTHING."""
        self.found = NOTHING
        self._random = random_bytes
        if self.fault:
            return NOTHING
        try:
            newest = -1
            part = self.capacity // self._parts
            for k in range(self._parts):
                number = self._newest(_SECTOR + k * part, _SECTOR + (k + 1) * part)
                if number > newest:
                    newest = number
            if newest < 0:
                self.ring_id = bytes(random_bytes(4))
                self._prepare()
                self.torn = 0
                if self._writable:
                    self._write_empty()
                return NOTHING
            self.next_block = newest + 1
            self._read(self._place(newest))
            self._take_head()
            self._find_checkpoint(newest)
            self._prepare()
        except OSError:
            self.fault = True
        return self.found

    def _newest(self, low, high):
        """Greatest block number that lies in the places `low` .. `high` - 1, by bisection; -1 where there is none.

        Numbers rise from `low` up to the newest; behind it lie the ring's blank blocks and older ones.
        """
        first = self._first(low, high, True)
        if first < 0:
            # Nothing at the beginning: the ring has just come round, or is new.
            for place in range(high - 1, high - _SPAN, -1):
                number = self._read(place)
                if number >= 0:
                    return number
            return -1
        newest = first
        while high - low > 1:
            middle = (low + high) >> 1
            number = self._first(middle, high)
            if number >= first:
                if number > newest:
                    newest = number
                low = middle
            else:
                high = middle
        return newest

    def _first(self, place, end, every=False):
        """Number of the first block from `place` on that can be read; -1: none within reach.

        :param every: look at each place, for a cut may have kept a ring from beginning at the first one
        """
        if end > place + _SPAN:
            end = place + _SPAN
        while place < end:
            number = self._read(place)
            if number >= 0:
                return number
            if number == -2 and not every and place + _HOLE < end and self._read(place + _HOLE) == -2:
                return -1  # never written
            place += 1
        return -1

    def _take_head(self):
        """The ring's id and beginning, and where the last checkpoint lies, out of the block in the buffer."""
        self.ring_id, self.boot = unpack_from("<4sH", self._buf, w.H_RING_ID)
        self.walk = unpack_from("<H", self._buf, w.H_WALK)[0]
        self._ring_start, next_to_it, self.pending = unpack_from("<III", self._buf, w.H_RING_START)
        self.checkpoint = next_to_it - 1

    def _find_checkpoint(self, newest):
        """The last checkpoint into the chain's session; `found` says what it was."""
        number = newest
        for _ in range(_SPAN):
            if self.read_checkpoint(number):
                self.checkpoint = number
                flags = self._buf[w.H_FLAGS]
                self.found = ENDED if flags & w.B_END else OPEN
                if flags & w.B_END and flags & w.B_KEPT:
                    self.pending = number + 1
                return
            # One that was torn: the one before it.
            last = self.checkpoint
            number = last if number > last >= self._ring_start else number - 1
            if number < self._ring_start:
                return

    def read_checkpoint(self, number):
        """True when block `number` has a checkpoint: it is in the chain's session, its head in `rows.buf`."""
        buf = self._buf
        if self._read(self._place(number)) != number or not buf[w.H_FLAGS] & w.B_CHECKPOINT:
            return False
        if buf[w.H_LAYOUT] > w.LAYOUT:  # of a later firmware: kept, not guessed at
            return False
        session = self._chain.session
        at = unpack_from("<H", buf, w.H_ROWS_END)[0]
        at = w.unpack_ints(buf, at, w.CRC_AT, session.fields, w.FIELDS_FROM)
        session.fields[_S_SEQ], session.fields[_S_BOOT] = unpack_from("<HH", buf, w.H_SEQ)
        if at >= 0:
            at = w.unpack_ints(buf, at, w.CRC_AT, session.state)
            if buf[w.H_LAYOUT] > 1:
                w.sum_up(session.state)
        return at >= 0

    def _prepare(self):
        """Where the next block goes: onto blank flash, with blank blocks ahead of it."""
        if self._parts > 1:
            self._look_for_wiping(self.next_block)
            return
        number = self.next_block
        # Behind the newest may lie what a cut tore.
        for _ in range(_LEAD):
            state = self._read(self._place(number))
            if state == -2 or state >= 0:
                break
            self.torn += 1
            number += 1
        blank = 0
        while blank < 2 * _LEAD and self._read(self._place(number + blank)) == -2:
            blank += 1
        if self._writable:
            if blank < _LEAD:
                # A cut tore what was blank: begin anew where no sector is shared with the newest block.
                number = (number + 2 * _LEAD - 2) // _SECTOR * _SECTOR
                self._blank_to = number
                self._blank(number + _SECTOR)
                self._blank(number + 2 * _SECTOR)
                blank = 2 * _LEAD
            self.next_block = number
        self._blank_to = number + blank
        self._look_for_wiping(self._blank_to)

    def _look_for_wiping(self, ahead):
        """A wiping that a cut ended goes on. It comes from the far end, so that what is left lies ahead; where the
        ring before had its own blank blocks, it lies behind these."""
        end = self._ring_start + self.capacity
        if self._ring_start and ahead < end:
            self._blank_to = ahead
            self._wiped_from = end
            self.wiping = self._read(self._place(ahead)) != -2 or (
                ahead + _HOLE < end and self._read(self._place(ahead + _HOLE)) != -2
            )

    def _blank(self, to):
        """Blank the blocks up to `to`, where they are not blank already; the buffer is used."""
        number = self._blank_to
        while number < to:
            self._blank_one(number)
            number += 1
        self._blank_to = to

    def _blank_one(self, number):
        """True when the block was not blank already."""
        place = self._place(number)
        if self._read(place) == -2:
            return False
        # A block that begins with FF FF FF FF is taken for blank, whatever else it holds: 0 first.
        if self._io[0] & self._io[1] & self._io[2] & self._io[3] == 0xFF:
            self._overwrite(place, 0)
        self._overwrite(place, 0xFF)
        return True

    def _overwrite(self, place, value):
        buf = self._io
        for k in range(_BLOCK):
            buf[k] = value
        self._file.seek(place * _BLOCK)
        self._file.write(buf)

    # ---- writing ----

    def _write_empty(self):
        """A block without rows: a ring begins."""
        buf = self._buf
        for k in range(w.HEADER_BYTES, w.CRC_AT):
            buf[k] = 0xFF
        for k in range(w.H_UPTIME_S, w.HEADER_BYTES):
            buf[k] = 0
        self._head(w.KIND_EMPTY, 0, buf, w.HEADER_BYTES, w.HEADER_BYTES)
        self._write(buf)
        self._ahead()

    def _head(self, kind, flags, buf, rows_from, rows_end):
        fields = self._chain.session.fields
        seconds = min(self.rows.seconds, 255) if kind == w.KIND_ROWS else 0
        pack_into("<BBBBI4sH", buf, 0, w.MAGIC, w.LAYOUT, kind, flags, self.next_block, self.ring_id, self.boot)
        pack_into("<HHIH", buf, w.H_SEQ, fields[_S_SEQ], fields[_S_BOOT], fields[_S_START_UPTIME_S], self.walk & 0xFFFF)
        pack_into("<BBH", buf, w.H_ROWS_FROM, rows_from, seconds, rows_end)
        pack_into("<III", buf, w.H_RING_START, self._ring_start, self.checkpoint + 1, self.pending)

    def _write(self, buf):
        """Seal a block and write it; False when that failed."""
        seal_into(buf, 0, w.CRC_AT)
        try:
            self._file.seek(self._place(self.next_block) * _BLOCK)
            self._file.write(buf)
        except OSError:
            self.fault = True
            self.rows.take(0)
            return False
        self.next_block += 1
        return True

    def write_nothing(self):
        """From now on it is as on a drive that the computer owns."""
        self._writable = False
        self.rows.take(0)

    def _ahead(self):
        """Keep blank blocks ahead; the rows' buffer is used."""
        if self._parts == 1 and self._blank_to - self.next_block <= _LEAD:
            try:
                self._blank((self._blank_to // _SECTOR + 1) * _SECTOR)
            except OSError:
                self.fault = True
                self.rows.take(0)

    # ---- giving it all up ----

    def wipe(self):
        """Begin a new ring, of which nothing of before can be read, and to blank what is there: `step_wiping`."""
        if self.fault or not self._writable:
            return
        self.rows.take(0)
        self.stop_raw()
        self.ring_id = bytes(self._random(4))
        self.checkpoint = -1
        self.pending = 0
        self.found = NOTHING
        # From the beginning of the file: there it is looked for at the next boot.
        number = (self.next_block // self.capacity + 1) * self.capacity
        self._ring_start = self.next_block = self._blank_to = number
        self._wiped_from = number + self.capacity
        try:
            self._blank(number + 2 * _LEAD)
        except OSError:
            self.fault = True
            return
        self._write_empty()
        self.wiping = not self.fault

    def step_wiping(self):
        """Blank some blocks more, the last ones first; not while a session runs."""
        if self.rows.on or self.raw_left:
            return
        low = self._blank_to if self._blank_to > self.next_block else self.next_block
        number = self._wiped_from
        budget = _WIPED_A_STEP
        try:
            while number > low and budget > 0:
                number -= 1
                budget -= 4 if self._blank_one(number) else 1
        except OSError:
            self.fault = True
        self._wiped_from = number
        self.wiping = not self.fault and number > low

    # ---- raw counts ----

    def record_raw(self, n_samples, boot):
        """Record so many samples as they are, at the most half of what the ring holds; how many it will be."""
        if self.fault or not self._writable or self.wiping:
            return 0
        most = self.capacity // 2 * _RAW_SAMPLES
        self.raw_left = n_samples if n_samples < most else most
        self.boot = boot  # no session of this boot need have begun
        self._raw = bytearray(_BLOCK)
        self._raw_n = 0
        return self.raw_left

    def raw(self, sample, uptime_s, utc_s, ax, ay, az, gx, gy, gz):
        """Record a sample; `sample` is its number since the boot, from which gaps can be seen."""
        if not self.raw_left:  # it ended within the burst
            return
        buf = self._raw
        if self._raw_n and sample != self._raw_next:
            self._write_raw()
            if not self.raw_left:
                return
        n = self._raw_n
        if not n:
            pack_into("<II", buf, w.H_UPTIME_S, uptime_s, utc_s)
            pack_into("<I", buf, w.HEADER_BYTES, sample)
        self._raw_next = sample + 1
        pack_into("<hhhhhh", buf, w.HEADER_BYTES + 4 + n * _RAW_BYTES, ax, ay, az, gx, gy, gz)
        self._raw_n = n + 1
        self.raw_left -= 1
        if n + 1 == _RAW_SAMPLES or not self.raw_left:
            self._write_raw()

    def _write_raw(self):
        buf = self._raw
        n = self._raw_n
        self._raw_n = 0
        end = w.HEADER_BYTES + 4 + n * _RAW_BYTES
        for k in range(end, w.CRC_AT):
            buf[k] = 0xFF
        pack_into("<I", buf, w.H_PITCH, 0)
        self._head(w.KIND_RAW, 0, buf, w.HEADER_BYTES + 4, end)
        self._io = buf
        if self._write(buf):
            self._ahead()
        self._io = self._buf
        if self.fault or not self.raw_left:
            self.raw_left = 0
            self._raw = bytearray()

    def stop_raw(self):
        """Record no more; what there is is written."""
        self.raw_left = 0
        if self._raw_n:
            self._write_raw()
        self._raw = bytearray()

    # ---- a session's rows ----

    def begin(self, boot, walk, taken_up=False):
        """A session begins: the chain has begun anew, its record stands in the chain's session."""
        if self.fault or not self._writable or self.next_block >= _NUMBER_MAX:
            return
        detector = self._chain.detector
        fields = self._chain.session.fields
        self._uptime_s = 0 if taken_up else fields[_S_START_UPTIME_S]
        self._utc_s = 0 if taken_up else fields[_S_START_UTC_S]
        self.boot = boot
        self.walk = walk
        self._flags = w.B_BEGIN | w.B_SETTINGS | (w.B_TAKEN_UP if taken_up else 0)
        rows = self.rows
        rows.pitch = detector.tick_pitch_cdeg // w.STEP_CDEG
        rows.roll = detector.look_roll_cdeg // w.STEP_CDEG
        rows.take(1)
        self._start()

    def _start(self):
        """Begin a block."""
        rows = self.rows
        at = w.HEADER_BYTES
        if not self._settings_in:
            self._flags |= w.B_SETTINGS
        self._settings_in = _SETTINGS_EVERY if self._flags & w.B_SETTINGS else self._settings_in
        self._settings_in -= 1
        if self._flags & w.B_BEGIN:
            self._chain.stand_into(self._stand)
            at = w.pack_ints(self._buf, at, self._stand, w.STAND_SIZE, w.CRC_AT)
        if self._flags & w.B_SETTINGS:
            at = w.pack_ints(self._buf, at, self._chain.settings.values, N_SETTINGS, w.CRC_AT)
        # The first row begins with the session: counted back from its end, a fast sensor's second begins too early.
        self._dated = self._flags & (w.B_BEGIN | w.B_TAKEN_UP) == w.B_BEGIN
        pack_into("<hh", self._buf, w.H_PITCH, rows.pitch, rows.roll)
        pack_into("<II", self._buf, w.H_UPTIME_S, self._uptime_s, self._utc_s)
        self._rows_from = at
        rows.begin(at, w.CRC_AT)

    def note(self, uptime_s, utc_s, busy):
        """A second of wear has closed (or several): date the block, and write it where it is full or a minute old.

        :param busy: the motor is driven: only what cannot wait is written
        """
        rows = self.rows
        if not rows.on:
            return
        self._uptime_s = uptime_s
        self._utc_s = utc_s
        if not rows.seconds:
            return
        if not self._dated:
            self._dated = True
            begun_s = uptime_s - rows.seconds if uptime_s > rows.seconds else 0
            pack_into("<II", self._buf, w.H_UPTIME_S, begun_s, utc_s - rows.seconds if utc_s else 0)
        room = self._room + _STAND_ROOM if self._flags & w.B_SETTINGS else self._room
        if rows.at > w.CRC_AT - w.ROW_MAX or (
            not busy and (rows.seconds >= _MINUTE or (rows.at > w.CRC_AT - room and not self._fits_one_more()))
        ):
            self._finish(0)

    def _fits_one_more(self):
        """Whether behind another row there will be room for the checkpoint: it is packed there to see."""
        self._chain.stand_into(self._stand)
        at = self._pack_checkpoint(self.rows.at)
        return 0 <= at <= w.CRC_AT - _ROW_ROOM

    def cut(self, uptime_s, utc_s):
        """Close the block now: settings have changed, and those in force from here on belong to the next one."""
        if self.rows.on:
            self._uptime_s = uptime_s
            self._utc_s = utc_s
            self._finish(0)
            if self.rows.on:
                self._flags |= w.B_SETTINGS
                self._start()

    def end(self, uptime_s, utc_s, kept):
        """The session has ended, its record is final; `kept`: it goes into the journal."""
        rows = self.rows
        if not rows.on:
            return
        rows.cut()
        self._uptime_s = uptime_s
        self._utc_s = utc_s
        if not self._dated:
            pack_into("<II", self._buf, w.H_UPTIME_S, uptime_s, utc_s)
        self._finish(w.B_END | (w.B_KEPT if kept else 0))
        rows.take(0)

    def _pack_checkpoint(self, at):
        session = self._chain.session
        at = w.pack_ints(self._buf, at, session.fields, S_COUNT - w.FIELDS_FROM, w.CRC_AT, w.FIELDS_FROM)
        w.differ(session.state)
        at = w.pack_ints(self._buf, at, session.state, STATE_SIZE, w.CRC_AT)
        w.sum_up(session.state)
        size = w.STAND_SHORT
        if self._flags & w.B_SETTINGS:
            # From here a session whose beginning was overwritten can be judged again.
            self._flags |= w.B_STAND
            size = w.STAND_SIZE
        return w.pack_ints(self._buf, at, self._stand, size, w.CRC_AT)

    def _finish(self, more):
        """Write the block with a checkpoint behind its rows; begin the next."""
        rows = self.rows
        chain = self._chain
        buf = self._buf
        chain.stand_into(self._stand)
        end = rows.at
        at = self._pack_checkpoint(end)
        if at < 0:
            # No room for it: it goes into a block of its own.
            for k in range(end, w.CRC_AT):
                buf[k] = 0xFF
            self._head(w.KIND_ROWS, self._flags, buf, self._rows_from, end)
            self._flags = 0
            if not self._write(buf):
                return
            self._ahead()
            self._start()
            end = rows.at
            at = self._pack_checkpoint(end)
        if not self._flags & w.B_STAND:
            self._room = at - end + _GROWTH
        for k in range(at, w.CRC_AT):
            buf[k] = 0xFF
        self._head(w.KIND_ROWS, self._flags | w.B_CHECKPOINT | more, buf, self._rows_from, end)
        self._flags = 0
        if not self._write(buf):
            return
        self.checkpoint = self.next_block - 1
        if more & w.B_KEPT:
            self.pending = self.next_block
        self._ahead()
        self._start()
