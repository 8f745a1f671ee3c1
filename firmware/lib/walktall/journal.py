"""The journal: session records, settings and calibration in two banks, so that no loss of power takes what is written.

Each commit writes one whole image, sealed by a CRC-32, into the bank that does *not* hold the newest one, and reads it
back. Whatever a cut leaves there - old, new, erased, torn - the other bank is whole; at load the newest bank that
checks is taken::

    bank A  gen 6  [head | calibration | settings | slot 0 .. slot 40 | crc]   <- newest, untouched by the commit
    bank B  gen 5 -> 7 being written

    0      4        56         96          256                         size-4
    | WTJ1 | head   | calibr.  | settings  | slots of 92 bytes         | crc |

Slots lie oldest first. A slot holds a record's bytes and zeros behind them; a record of a later layout is kept and sent
as it is, for its layout byte and its number stand first in every layout. Acknowledging marks records, it erases
nothing: they go only when room is needed, the oldest acknowledged one first.

The flash is spared: a boot writes nothing, what the host changes settles for some seconds, and when a day's commits are
spent the rest waits in memory for the next day or for :meth:`Journal.commit` by force before the power goes.

A record leaves the house only when it is written: a number that a cut could give to another walk must never be known
to a host.

It does not do the merging of two walks (``session`` does), knows no clock (times are handed in) and does not say what
is in a record (``records`` does). Source of the wear figures: nRF52840 Product Specification, NVMC, 10,000 cycles a
page.
"""

from array import array
from struct import pack_into, unpack_from

from . import limits as s
from . import slots as r
from .packing import Table, crc, crc32, seal_into

try:
    from micropython import const
except ImportError:

    def const(value):
        """The value itself: CPython folds nothing."""
        return value


# Of `records`; private, so that they fold: tests/test_house_rules.py holds them to it.
_FLAG_MERGED = const(2)
_FLAG_SPLIT = const(8)
_FLAG_SHORT = const(4096)
_RECORD_OK = const(0)
_S_SEQ = const(0)
_S_BOOT = const(1)
_S_START_UTC_S = const(2)
_S_WEAR_S = const(4)
_S_FLAGS = const(49)
_SESSION_SLOT_BYTES = const(92)
_SHORT_WALK_S = const(180)

JOURNAL_LAYOUT = const(1)
_MAGIC = b"WTJ"

#: Behind magic and layout. The first six stand where they are in every later layout, so that a device whose journal
#: a later firmware wrote can still say who it is. Names and units: ``records.HEAD_FIELDS``.
HEAD_CODES = "I H B H 8s 4s H H H I I H H I H B H I"
J_GENERATION = const(0)
J_LENGTH = const(1)
J_SLOT_BYTES = const(2)
J_COUNT = const(3)
J_DEVICE_ID = const(4)
J_JOURNAL_ID = const(5)
J_BOOT = const(6)
J_NEXT_SEQ = const(7)
J_ACKED_SEQ = const(8)
J_LAST_UTC_S = const(9)
J_CLOCK_SET_UTC_S = const(10)
J_DROPPED_ACKED = const(11)
J_DROPPED_UNACKED = const(12)
J_COMMITS = const(13)
J_COMMIT_DAY = const(14)
J_COMMITS_TODAY = const(15)
J_COMMITS_DEFERRED = const(16)
J_FIRST_UTC_S = const(17)

#: The calibration, as ``chain.set_upright`` takes it. A forward vector of zeros: the setting ``forward_axis``
#: holds. Names and units: ``records.CALIBRATION_FIELDS``.
CALIBRATION_CODES = "h h h h h h h h h B h I"
CALIBRATION_COUNT = const(12)
CAL_UP = const(0)
CAL_BIAS = const(3)
CAL_FORWARD = const(6)
CAL_QUALITY = const(9)
CAL_WALK_OFFSET_CDEG = const(10)
CAL_TAKEN_UTC_S = const(11)

_HEAD_AT = const(4)
_WALKS_AT = const(228)  # two bytes behind the settings
_CALIBRATION_AT = const(56)
_SETTINGS_AT = const(96)
SLOTS_AT = const(256)
_CRC_SIZE = const(4)
# An image stands in memory: a larger bank is used in part.
_SIZE_MAX = const(8192)
_CHUNK = const(64)

#: A day's commits: 8 x 365 x 5 years = 14,600 over two pages of 10,000 cycles each.
COMMITS_A_DAY = const(8)
#: Of these, what is not a session may use so many: acknowledgements and settings can wait, a walk should not.
COMMITS_A_DAY_MINOR = const(6)
#: By force (power going, format) up to this many a day: a fault that repeats must not burn the page either.
COMMITS_A_DAY_FORCED = const(24)
#: What the host changes is written when it has been quiet this long: several settings are one commit.
SETTLE_S = const(3)

# Why something is unsaved, as bits.
WHY_SESSION = const(1)
WHY_ACK = const(2)
WHY_SETTINGS = const(4)
WHY_CALIBRATION = const(8)
WHY_FORMAT = const(16)

# What ``load`` found.
LOADED = const(0)  # the newest image that checks
FORMATTED = const(1)  # no image: a new journal, already written
READ_ONLY = const(2)  # an image of a later layout: nothing will be written
UNREADABLE = const(3)  # the banks raised an error: nothing will be written; load may be tried again

# What ``commit`` and ``poll`` came to.
NOTHING = const(0)
COMMITTED = const(1)
DEFERRED = const(2)
FAILED = const(3)  # the bank did not read back; the other one still holds what was committed before

# What ``acknowledge`` came to.
ACK_OK = const(0)
ACK_MISMATCH = const(1)  # the host does not hold these bytes: it has to fetch again
ACK_UNKNOWN = const(2)  # no such record


class Journal:
    """Two banks as one journal. ``load`` first.

    :param banks: two objects with ``size``, ``read_into(offset, buf)`` and ``write(buf)`` (one image from offset 0,
        one program operation)
    :param random_bytes: ``os.urandom`` or the like, for the ids drawn at a format
    """

    def __init__(self, banks, random_bytes):
        self._banks = banks
        self.random_bytes = random_bytes
        self._size = min(banks[0].size, banks[1].size, _SIZE_MAX)
        if self._size < SLOTS_AT + _SESSION_SLOT_BYTES + _CRC_SIZE:
            raise ValueError("a bank of %d bytes holds no record" % self._size)
        self._image = bytearray(self._size)
        self._view = memoryview(self._image)
        self._chunk = bytearray(_CHUNK)
        self._head_table = Table(HEAD_CODES)
        self._calibration_table = Table(CALIBRATION_CODES)
        self._merged = r.new_session_fields()
        self._fetched_seq = 0
        # The first record that is not yet written as it stands in memory, 0 = all are.
        self._unwritten_seq = 0
        self._due_s = 0
        self._day_told = -1
        #: The head's values by the J_... indexes.
        self.head = self._head_table.new_values()
        #: By the CAL_... indexes; after a change call ``touch(WHY_CALIBRATION, ...)``.
        self.calibration = array("i", bytes(4 * CALIBRATION_COUNT))
        #: After a change call ``touch(WHY_SETTINGS, ...)``.
        self.settings = s.Settings()
        #: Number of the last walk whose record, if it left one, is in here (`trace` numbers them).
        self.walks = 0
        #: Records that fit.
        self.capacity = (self._size - SLOTS_AT - _CRC_SIZE) // _SESSION_SLOT_BYTES
        self.read_only = True
        self.formatted = False
        self.bank_lost = False
        #: Layout of the later firmware whose journal this is; 0 = it is ours.
        self.newer_layout = 0
        #: The last write did not read back.
        self.store_fault = False
        #: What waits for a commit, as WHY_... bits.
        self.unsaved = 0
        #: Bank of the newest image.
        self.bank = 1
        self._forget()

    # Numbers for HELLO and for the device.

    @property
    def count(self):
        """Records held."""
        return self.head[J_COUNT]

    @property
    def boot(self):
        """Number of this boot, from 1. It is written with the next commit, not for its own sake."""
        return self.head[J_BOOT]

    @property
    def next_seq(self):
        """Number that the next new record will have, from 1."""
        return self.head[J_NEXT_SEQ]

    @property
    def acked_seq(self):
        """All records up to this one are acknowledged."""
        return self.head[J_ACKED_SEQ]

    @property
    def first_seq(self):
        """Number of the oldest record held, 0 where there is none."""
        return self.seq_at(0) if self.head[J_COUNT] else 0

    @property
    def unacknowledged(self):
        """Records held and not acknowledged."""
        return self.head[J_COUNT] - self._first_unacked()

    @property
    def calibrated(self):
        """True when an upright is known."""
        return self.calibration[CAL_QUALITY] > 0

    def newer_records(self):
        """Records held whose layout is later than this firmware's."""
        n = 0
        for k in range(self.head[J_COUNT]):
            if self._image[self._slot(k)] > r.SESSION_LAYOUT:
                n += 1
        return n

    # Loading.

    def load(self):
        """LOADED, FORMATTED, READ_ONLY or UNREADABLE. Counts a boot in memory; writes only when it has to format."""
        # What the trace holds of a walk is taken up at a boot alone: banks that fail for a moment must not hide it.
        found = self._load()
        tries = 2
        while found == UNREADABLE and tries:
            tries -= 1
            found = self._load()
        return found

    def _load(self):
        self.unsaved = 0
        self._unwritten_seq = 0
        self.formatted = False
        self.bank_lost = False
        self.newer_layout = 0
        self.read_only = True
        self._fetched_seq = 0
        try:
            best = -1
            best_generation = -1
            for bank in range(2):
                generation = self._generation(bank)
                if generation > best_generation:
                    best = bank
                    best_generation = generation
            if best < 0:
                self._begin_new(True)
                self.read_only = False
                self.formatted = True
                self.unsaved = WHY_FORMAT
                self.commit(0, 0, True)
                return FORMATTED
            self._banks[best].read_into(0, self._image)
        except (OSError, RuntimeError):
            self._forget()
            return UNREADABLE
        self.bank = best
        if self._image[3] != JOURNAL_LAYOUT:
            self._take_identity()
            return READ_ONLY
        self._take_image()
        if self.newer_layout:
            return READ_ONLY
        self.read_only = False
        return LOADED

    def _generation(self, bank):
        """Generation of a bank's image, -1 where none checks; notes a later layout."""
        chunk = self._chunk
        source = self._banks[bank]
        source.read_into(0, chunk)
        first = bytes(chunk[:1])
        if first in b"\0\xff" and chunk == first * _CHUNK:  # never written, or erased by a write that a cut ended
            return -1
        generation = self._generation_of(source)
        if generation < 0:
            self.bank_lost = True
        return generation

    def _generation_of(self, source):
        chunk = self._chunk
        magic, layout, generation, length, slot_bytes, count = unpack_from("<3sBIHBH", chunk, 0)
        if magic != _MAGIC or length <= SLOTS_AT or length + _CRC_SIZE > source.size or layout == 0:
            return -1
        if layout == JOURNAL_LAYOUT and (
            length + _CRC_SIZE > self._size
            or slot_bytes != _SESSION_SLOT_BYTES
            or SLOTS_AT + count * _SESSION_SLOT_BYTES > length
        ):
            return -1
        value = 0
        offset = 0
        while offset < length:
            piece = memoryview(chunk)[: length - offset]
            source.read_into(offset, piece)
            value = crc32(piece, value)
            offset += _CHUNK
        source.read_into(length, memoryview(chunk)[:_CRC_SIZE])
        if unpack_from("<I", chunk, 0)[0] != value:
            return -1
        if layout > JOURNAL_LAYOUT:
            self.newer_layout = max(self.newer_layout, layout)
        return generation

    def _take_image(self):
        """State out of the image in memory, and a new boot."""
        self._head_table.unpack_into(self._image, _HEAD_AT, self.head)
        self._calibration_table.unpack_into(self._image, _CALIBRATION_AT, self.calibration)
        self.settings.unpack_from(self._image, _SETTINGS_AT)
        self.walks = unpack_from("<H", self._image, _WALKS_AT)[0]
        if self.head[J_BOOT] < 65535:
            self.head[J_BOOT] += 1
        # An image of a smaller bank: what lies behind its slots is not ours.
        self._clear(self._slot(self.head[J_COUNT]), self._size)

    def _clear(self, at, end):
        while at < end:
            self._image[at] = 0
            at += 1

    def _take_identity(self):
        """The ids alone, out of an image of a later layout; for the rest an empty journal."""
        head = self._head_table.new_values()
        self._head_table.unpack_into(self._image, _HEAD_AT, head)
        self._forget()
        self.head[J_DEVICE_ID] = head[J_DEVICE_ID]
        self.head[J_JOURNAL_ID] = head[J_JOURNAL_ID]

    def _forget(self):
        """An empty journal in memory, without ids."""
        self._clear(SLOTS_AT, self._size)
        for i in range(len(self.head)):
            self.head[i] = 0
        self.head[J_DEVICE_ID] = bytes(8)
        self.head[J_JOURNAL_ID] = bytes(4)
        self.head[J_SLOT_BYTES] = _SESSION_SLOT_BYTES
        self.head[J_NEXT_SEQ] = 1
        self.head[J_BOOT] = 1
        for i in range(len(self.calibration)):
            self.calibration[i] = 0
        self.settings.reset()

    def _begin_new(self, new_device):
        """An empty journal in memory, with ids newly drawn."""
        if new_device:
            self._forget()
            self.head[J_DEVICE_ID] = bytes(self.random_bytes(8))
        self.head[J_JOURNAL_ID] = bytes(self.random_bytes(4))
        self.head[J_COUNT] = 0
        self.head[J_NEXT_SEQ] = 1
        self.head[J_ACKED_SEQ] = 0
        self.head[J_DROPPED_ACKED] = 0
        self.head[J_DROPPED_UNACKED] = 0
        self._fetched_seq = 0
        self._unwritten_seq = 0

    # Records.

    def _slot(self, k):
        return SLOTS_AT + k * _SESSION_SLOT_BYTES

    def seq_at(self, k):
        """Number of the ``k``-th oldest record held."""
        return unpack_from("<H", self._image, self._slot(k) + 1)[0]

    def index_from(self, seq):
        """Index of the oldest record numbered ``seq`` or later; ``count`` where there is none."""
        for k in range(self.head[J_COUNT]):
            if self.seq_at(k) >= seq:
                return k
        return self.head[J_COUNT]

    @property
    def written(self):
        """Records, from the oldest, that stand in the bank as they stand here: these alone may go to a host."""
        return self.index_from(self._unwritten_seq) if self._unwritten_seq else self.head[J_COUNT]

    def read_into(self, k, buf, offset):
        """Offset behind the ``k``-th record's slot, copied into ``buf``. It has left the house: nothing merges into it
        any more in this boot."""
        start = self._slot(k)
        end = offset + _SESSION_SLOT_BYTES
        buf[offset:end] = self._view[start : start + _SESSION_SLOT_BYTES]
        self._fetched_seq = max(self._fetched_seq, self.seq_at(k))
        return end

    def _first_unacked(self):
        return self.index_from(self.head[J_ACKED_SEQ] + 1)

    def append(self, fields, merge=None, walk=0):
        """Number under which the finished session is held (in memory: ``commit`` follows), 0 when it cannot be.

        A walk of less than SHORT_WALK_S goes into an earlier unacknowledged record of such walks of the same UTC day
        (undated: of the same boot), if ``merge(earlier, fields)`` (``session.merge_into``) takes it; the record then
        keeps its number, and ``merged_walks`` says that it grew. Full, the oldest acknowledged record goes, or, as a
        last resort, the oldest one, and each is counted.

        :param int walk: its number among all walks, by which a cut is seen to have come before or after the commit
        """
        if walk and not self.read_only:
            self.walks = walk
        if self.read_only:
            if self.head[J_DROPPED_UNACKED] < 65535:
                self.head[J_DROPPED_UNACKED] += 1
            return 0
        if fields[_S_WEAR_S] < _SHORT_WALK_S and not fields[_S_FLAGS] & _FLAG_SPLIT:
            fields[_S_FLAGS] |= _FLAG_SHORT
            if merge is not None:
                seq = self._merge(fields, merge)
                if seq:
                    return seq
        if self.head[J_NEXT_SEQ] > 65534:  # more commits than the flash can bear lie before this
            return 0
        if self.head[J_COUNT] >= self.capacity:
            self._drop_oldest()
        fields[_S_SEQ] = self.head[J_NEXT_SEQ]
        self._put(self.head[J_COUNT], fields)
        self.head[J_COUNT] += 1
        self.head[J_NEXT_SEQ] += 1
        self._changed(fields[_S_SEQ])
        return fields[_S_SEQ]

    def _changed(self, seq):
        self.unsaved |= WHY_SESSION
        if not self._unwritten_seq or seq < self._unwritten_seq:
            self._unwritten_seq = seq

    def _put(self, k, fields):
        start = self._slot(k)
        self._clear(r.pack_session_into(self._image, start, fields), start + _SESSION_SLOT_BYTES)

    def _merge(self, fields, merge):
        """Number of the earlier record that took the walk, 0 when none did. Newest first."""
        merged = self._merged
        k = self.head[J_COUNT] - 1
        first = self._first_unacked()
        while k >= first:
            if self.seq_at(k) <= self._fetched_seq:
                return 0
            if (
                r.unpack_session_into(self._image, self._slot(k), merged) == _RECORD_OK
                and merged[_S_FLAGS] & _FLAG_SHORT
                and same_day(merged, fields)
            ):
                if not merge(merged, fields):
                    return 0
                merged[_S_FLAGS] |= _FLAG_MERGED
                self._put(k, merged)
                self._changed(merged[_S_SEQ])
                return merged[_S_SEQ]
            k -= 1
        return 0

    def _drop_oldest(self):
        key = J_DROPPED_ACKED if self.seq_at(0) <= self.head[J_ACKED_SEQ] else J_DROPPED_UNACKED
        if self.head[key] < 65535:
            self.head[key] += 1
        end = self._slot(self.head[J_COUNT])
        # Both kinds of Python move overlapping memory rightly here.
        self._view[SLOTS_AT : end - _SESSION_SLOT_BYTES] = self._view[SLOTS_AT + _SESSION_SLOT_BYTES : end]
        self.head[J_COUNT] -= 1

    def unacked_crc(self, seq):
        """CRC-32 over the slots behind the last acknowledged one up to ``seq``, 0..2^32-1; what ACK must carry."""
        first = self._slot(self._first_unacked())
        last = self._slot(self.index_from(seq + 1))
        return crc(self._image, first, last - first) if last > first else 0

    def acknowledge(self, seq, crc, uptime_s):
        """ACK_OK, ACK_MISMATCH or ACK_UNKNOWN. Everything up to ``seq`` is the host's; nothing is erased.

        An acknowledgement repeated (its reply was lost) is ACK_OK again.

        :param int crc: over the slots behind the last acknowledged record up to ``seq``, as the host stored them
        """
        if seq < 1 or seq >= self.head[J_NEXT_SEQ] or self.read_only:
            return ACK_UNKNOWN
        if self._unwritten_seq and seq >= self._unwritten_seq:
            return ACK_UNKNOWN
        if seq <= self.head[J_ACKED_SEQ]:
            return ACK_OK
        if crc != self.unacked_crc(seq):
            return ACK_MISMATCH
        self.head[J_ACKED_SEQ] = seq
        self.touch(WHY_ACK, uptime_s)
        return ACK_OK

    # Writing.

    def touch(self, why, uptime_s):
        """Something of the kind ``why`` changed: ``poll`` writes it when it has settled."""
        self.unsaved |= why
        self._due_s = uptime_s + SETTLE_S

    def poll(self, utc_s, uptime_s):
        """NOTHING most of the time; else what ``commit`` came to. To be called about once a second."""
        if not self.unsaved or uptime_s < self._due_s:
            return NOTHING
        if self._day_told == self._day(utc_s, uptime_s):  # put off already today
            return NOTHING
        return self.commit(utc_s, uptime_s)

    def _day(self, utc_s, uptime_s):
        """A number that changes with the day: of the UTC date, or, undated, of boot and days since."""
        if utc_s:
            return utc_s // 86400 & 0x7FFF
        return 0x8000 | (self.head[J_BOOT] + uptime_s // 86400) & 0x7FFF

    def commit(self, utc_s, uptime_s, force=False):
        """NOTHING, COMMITTED, DEFERRED or FAILED: one write of the bank that does not hold the newest image.

        :param int utc_s: the clock, 0 = not set
        :param bool force: the power is going, or the walker asked: the day's budget does not count
        """
        if not self.unsaved or self.read_only:
            return NOTHING
        head = self.head
        day = self._day(utc_s, uptime_s)
        today = head[J_COMMITS_TODAY] if head[J_COMMIT_DAY] == day else 0
        if force:
            limit = COMMITS_A_DAY_FORCED
        elif self.unsaved & (WHY_SESSION | WHY_FORMAT):
            limit = COMMITS_A_DAY
        else:
            limit = COMMITS_A_DAY_MINOR
        if today >= limit:
            if self._day_told != day and head[J_COMMITS_DEFERRED] < 65535:
                head[J_COMMITS_DEFERRED] += 1
            self._day_told = day
            return DEFERRED
        self._day_told = -1
        head[J_GENERATION] += 1
        head[J_LENGTH] = self._size - _CRC_SIZE
        head[J_COMMITS] += 1
        head[J_COMMIT_DAY] = day
        head[J_COMMITS_TODAY] = today + 1
        if utc_s:
            head[J_LAST_UTC_S] = utc_s
        image = self._image
        self._clear(0, SLOTS_AT)
        image[:3] = _MAGIC
        image[3] = JOURNAL_LAYOUT
        self._head_table.pack_into(image, _HEAD_AT, head)
        self._calibration_table.pack_into(image, _CALIBRATION_AT, self.calibration)
        self.settings.pack_into(image, _SETTINGS_AT)
        pack_into("<H", image, _WALKS_AT, self.walks & 0xFFFF)
        seal_into(image, 0, self._size - _CRC_SIZE)
        bank = 1 - self.bank
        try:
            self._banks[bank].write(image)
            whole = self._reads_back(bank)
        except (OSError, RuntimeError):  # CircuitPython's nvm raises RuntimeError when the flash refuses
            whole = False
        if not whole:
            # The old image is the only whole one: the next commit tries this same bank again.
            self.store_fault = True
            self._due_s = uptime_s + 60
            return FAILED
        self.bank = bank
        self.store_fault = False
        self.unsaved = 0
        self._unwritten_seq = 0
        return COMMITTED

    def _reads_back(self, bank):
        chunk = self._chunk
        offset = 0
        while offset < self._size:
            piece = memoryview(chunk)[: self._size - offset]
            self._banks[bank].read_into(offset, piece)
            if piece != self._view[offset : offset + len(piece)]:
                return False
            offset += _CHUNK
        return True

    def format(self, utc_s, uptime_s):
        """What ``commit`` came to: all records are given up under a new journal id, because the walker asked. Device
        id, settings, calibration and the count of commits stay. It also takes over a journal of a later firmware, of
        which only the identity can be read. Unless it is COMMITTED nothing is given up, now or later."""
        # What waits is written first, so that the bank holds all that there is to come back to.
        done = self.commit(utc_s, uptime_s, True)
        if done == DEFERRED or done == FAILED:
            return done
        head = self.head
        if head[J_COMMIT_DAY] == self._day(utc_s, uptime_s) and head[J_COMMITS_TODAY] >= COMMITS_A_DAY_FORCED:
            return DEFERRED
        boot = head[J_BOOT]
        self.newer_layout = 0
        self.read_only = False
        self._begin_new(head[J_DEVICE_ID] == bytes(8))
        self._clear(SLOTS_AT, self._size)
        self.unsaved |= WHY_FORMAT
        done = self.commit(utc_s, uptime_s, True)
        if done == FAILED and self.load() == LOADED:
            head[J_BOOT] = boot
        return done


def same_day(a, b):
    """True when two sessions began on one UTC day, or, both undated, in one boot."""
    if a[_S_START_UTC_S] and b[_S_START_UTC_S]:
        return a[_S_START_UTC_S] // 86400 == b[_S_START_UTC_S] // 86400
    return not a[_S_START_UTC_S] and not b[_S_START_UTC_S] and a[_S_BOOT] == b[_S_BOOT]
