"""Any order of what can happen to a clip, against a tiny model: the journal by itself, and the whole device.

A sequence is a string of bytes that hypothesis draws, three of them an act; what fails is shrunk to the shortest, and
its acts are printed. CI runs 2,000 sequences of each; `make soak` runs 200,000 of the journal and 20,000, longer ones,
of the whole device, in batches, each of which is drawn anew from a seed of its own and can be repeated by itself.
"""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, note
from hypothesis import seed as hypothesis_seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from walktall import events as e
from walktall import journal as j
from walktall import records as r
from walktall import retrace
from walktall import settings as s
from walktall.session import merge_into
from walktall_host import blocks
from walktall_host.client import Client
from walktall_host.download import download
from walktall_host.errors import NotAClip, TransferFailed

from tests.desk_device import DAY_S, UTC_S, Flash, PowerCut, walk
from tests.host_clip import store_in_memory
from tests.soaking import SCALE, SEED, Tally
from tests.test_journal import AFTER, SMALL, fields_of, image, opened, slots
from tests.ticking_device import Life, pitch_of, roll_of

#: Held to docs/reliability.md by tests/test_reliability.py.
JOURNAL_SEQUENCES = 2000
DEVICE_SEQUENCES = 2000
SOAK_JOURNAL_SEQUENCES = 200_000
SOAK_DEVICE_SEQUENCES = 20_000
#: Sequences a batch, of which one is some seconds.
_JOURNAL_BATCH = 1000
_DEVICE_BATCH = 100
#: Parts of the soak: each of a minute or two, so that little is lost when it is cancelled.
_PARTS = 10

_ACT_BYTES = 3
_AFTERS = sorted(AFTER)


class JournalLife:
    """The journal against a list: write, cut, boot, fetch, acknowledge, fill up, change settings, in any order."""

    def __init__(self) -> None:
        self.banks = (Flash(SMALL), Flash(SMALL))
        self.journal = opened(self.banks)
        self.host: dict[int, bytes] = {}
        self.now_s = 10
        #: What has to be there after a boot: one of these.
        self.durable = [unfrozen(self.journal)]
        self.acts: tuple[Callable[[int, int], str], ...] = (
            self.walk,
            self.walk,
            self.walk,
            self.change,
            self.commit,
            self.commit,
            self.cut,
            self.boot,
            self.next_days,
            self.fetch,
            self.fetch,
            self.acknowledge,
        )

    def act(self, code: int, a: int, b: int) -> str:
        told = self.acts[code % len(self.acts)](a, b)
        self.check()
        return told

    def check(self) -> None:
        journal = self.journal
        seqs = [journal.seq_at(k) for k in range(journal.count)]
        assert seqs == list(range(journal.next_seq - len(seqs), journal.next_seq)), "a hole among the numbers"
        for k, seq in enumerate(seqs):
            if seq <= journal.acked_seq:
                start = j.SLOTS_AT + k * r.SESSION_SLOT_BYTES
                held = bytes(journal._image[start : start + r.SESSION_SLOT_BYTES])
                assert self.host[seq] == held, "acknowledged, and not the host's byte for byte"

    def settle(self) -> None:
        """What is in memory is what is in the flash."""
        self.durable = [image(opened(self.banks))]
        assert self.durable[0] == unfrozen(self.journal)

    def walk(self, a: int, b: int) -> str:
        wear_s = (20, 60, 179, 180, 600, 4000)[a % 6]
        day = b % 2
        journal = self.journal
        dropped = journal.head[j.J_DROPPED_ACKED] + journal.head[j.J_DROPPED_UNACKED]
        count, following = journal.count, journal.next_seq
        seq = journal.append(walk(wear_s, UTC_S + day * DAY_S, journal.boot), merge_into)
        assert seq
        gone = journal.head[j.J_DROPPED_ACKED] + journal.head[j.J_DROPPED_UNACKED] - dropped
        if seq < following:
            assert (journal.count, gone) == (count, 0)
        else:
            assert journal.count - count + gone == 1
        return f"a walk of {wear_s} s on day {day}: record {seq}"

    def change(self, a: int, b: int) -> str:
        self.journal.settings.set("hold_s", 2 + a % 119)
        self.journal.touch(j.WHY_SETTINGS, self.now_s)
        return f"hold_s={2 + a % 119}"

    def commit(self, a: int, b: int) -> str:
        self.now_s += 10
        outcome = self.journal.commit(UTC_S + self.now_s, self.now_s, bool(a & 1))
        if outcome == j.COMMITTED:
            self.settle()
        assert outcome in (j.COMMITTED, j.NOTHING, j.DEFERRED)
        return f"commit: {outcome}"

    def cut(self, a: int, b: int) -> str:
        self.now_s += 10
        kept = (a | b << 8) % (SMALL + 1)
        target = self.banks[1 - self.journal.bank]
        target.cut = (target.writes + 1, kept, AFTER[_AFTERS[b % len(_AFTERS)]])
        wanted = unfrozen(self.journal)
        try:
            self.journal.commit(UTC_S + self.now_s, self.now_s, True)
        except PowerCut:
            self.durable.append(wanted)
        target.cut = None
        return f"cut after {kept} bytes; " + self.boot(0, 0)

    def boot(self, a: int, b: int) -> str:
        self.journal = opened(self.banks)
        found = unfrozen(self.journal)
        assert found in self.durable, "neither what was committed last nor what was being committed"
        self.durable = [found]
        return "boot"

    def next_days(self, a: int, b: int) -> str:
        self.now_s += a % 70 * 3600
        return f"{a % 70} h later"

    def fetch(self, a: int, b: int) -> str:
        for seq, raw in slots(self.journal).items():
            if seq in self.host and self.host[seq] != raw:
                # A number never names another walk: the record has grown, and was not acknowledged.
                old, new = fields_of(self.host[seq]), fields_of(raw)
                assert new["merged_walks"] > old["merged_walks"] and new["start_utc_s"] == old["start_utc_s"]
                assert seq > self.journal.acked_seq
            self.host[seq] = raw
        return "fetch"

    def acknowledge(self, a: int, b: int) -> str:
        held = sorted(seq for seq in self.host if seq > self.journal.acked_seq and seq >= self.journal.first_seq)
        upto = held[: max(0, len(held) - a % 4)]
        if not upto:
            return "nothing to acknowledge"
        crc = 0
        for seq in upto:
            crc = r.crc32(self.host[seq], crc)
        outcome = self.journal.acknowledge(upto[-1], crc, self.now_s)
        assert outcome in (j.ACK_OK, j.ACK_MISMATCH, j.ACK_UNKNOWN)
        return f"acknowledge up to {upto[-1]}: {outcome}"


def unfrozen(journal: j.Journal) -> tuple[object, ...]:
    """`image` without the side effect of a fetch."""
    frozen = journal._fetched_seq
    found = image(journal)
    journal._fetched_seq = frozen
    return found


class Rtc:
    """A clock that a reset leaves alone and a loss of power does not."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._base_s = 0

    @property
    def utc_s(self) -> int:
        return self._base_s + self._life.now_ms // 1000 if self._base_s else 0

    @utc_s.setter
    def utc_s(self, value: int) -> None:
        self._base_s = value - self._life.now_ms // 1000

    def lose(self) -> None:
        self._base_s = 0


class LifePort:
    """The host's end of the clip's port: the clip lives on while the host waits."""

    name = "memory"

    def __init__(self, life: Life) -> None:
        self.life = life
        self.s = 0.0

    def monotonic(self) -> float:
        self.s += 0.0001
        return self.s

    def read(self, timeout_s: float) -> bytes:
        life = self.life
        for _ in range(30):
            life.now_ms += 5
            life.device.poll()
            if life.port.from_device:
                break
            link = life.device.link
            if link is not None and not link.busy and not life.port.to_device:
                break
        data = bytes(life.port.from_device)
        life.port.from_device.clear()
        if not data:
            self.s += timeout_s
        return data

    def write(self, data: bytes) -> None:
        self.life.port.to_device += data

    def close(self) -> None:
        """Nothing to give back."""


class DeviceLife:
    """A clip with journal, trace and link, worn, cut, plugged in and wiped in any order; and its walker's store.

    The model is a ledger: what was walked stands in records, on the clip or here, but for a minute or two at each loss
    of power; what stands there was walked.
    """

    #: Seconds of a walk that a loss of power may take: a minute since the last checkpoint; the block that was torn
    #: holds another; and a second on each side.
    LOST_AT_A_CUT_S = 2 * 60 + 4
    #: ... and what a beginning or an end of a session rounds off.
    ROUNDED_S = 2

    def __init__(self, parts: int = 1) -> None:
        # Six records fit, and some two hours of walking: both are soon full.
        self.life = Life(SMALL, 160, parts)
        self.rtc = Rtc(self.life)
        self.store = store_in_memory()
        self.journal_id = self.life.device.journal.head[j.J_JOURNAL_ID]
        self.walked_s = 0
        self.losses = 0
        self.done = 0
        self.base_s = 0
        self.dropped = False
        self.downloads = 0
        self._rtc_in()
        self.acts: tuple[Callable[[int, int], str], ...] = (
            self.walk,
            self.walk,
            self.walk,
            self.stand,
            self.plug_in,
            self.plug_in,
            self.change,
            self.power_off,
            self.reset,
            self.cut_later,
            self.cut_later,
            self.wipe,
        )

    def _rtc_in(self) -> None:
        self.life.device._rtc = self.rtc

    def close(self) -> None:
        self.store.close()

    def act(self, code: int, a: int, b: int) -> str:
        self.done += 1
        try:
            told = self.acts[code % len(self.acts)](a, b)
        except PowerCut:
            self.losses += 1
            self._boot(0, 0)
            told = "the power went in a write"
        self.check()
        return told

    # Acts.

    def walk(self, a: int, b: int) -> str:
        seconds = (25, 61, 130, 190, 260)[a % 5]
        self._live(seconds, True)
        return f"walk {seconds} s"

    def stand(self, a: int, b: int) -> str:
        seconds = (5, 40, 610)[min(2, a % 8 // 3)]
        self._live(seconds, False)
        return f"stand {seconds} s"

    def _live(self, seconds: int, walks: bool) -> None:
        life = self.life
        life.walks = walks
        before = life.worn_s
        try:
            life.run(seconds)
        finally:
            life.walks = False
            if walks:
                self.walked_s += life.worn_s - before

    def _boot(self, reason: int, off_s: int) -> None:
        self.life.now_ms += 1000 * off_s
        if not reason:
            self.rtc.lose()
        device = self.life.device
        cuts = self.life.cuts
        self.life.boot(reason)
        self.losses += self.life.cuts - cuts
        assert self.life.device is not device
        self._rtc_in()
        # The clock that is there is read when the device starts; the double comes a moment later.
        self.life.device._read_clock()

    def power_off(self, a: int, b: int) -> str:
        off_s = (1, 300, 2 * DAY_S)[a % 3]
        self.losses += 1
        self._boot(0, off_s)
        return f"without power for {off_s} s"

    def reset(self, a: int, b: int) -> str:
        self.losses += 1
        self._boot(3, 1)
        return "reset"

    def cut_later(self, a: int, b: int) -> str:
        write = 1 + a % 3
        after = AFTER[_AFTERS[b % len(_AFTERS)]]
        if a & 128:
            self.life.drive.cut = (self.life.drive.writes + write, b * 2 % 513, after)
            return f"the power will go in write {write} of the trace, after {b * 2 % 513} bytes"
        bank = self.life.banks[1 - self.life.device.journal.bank]
        bank.cut = (bank.writes + 1, (a * 7 + b * 3) % (SMALL + 1), after)
        return "the power will go in the next write of a bank"

    def _client(self) -> Client:
        self.life.port.connected = True
        port = LifePort(self.life)
        return Client(port, port.monotonic, first_id=2000)

    def plug_in(self, a: int, b: int) -> str:
        """Download everything; now and then the plug comes out in the middle."""
        client = self._client()
        unix_s = float(UTC_S + self.life.now_ms // 1000 + r.EPOCH_UNIX_S)
        told = "download"
        try:
            if a % 5 == 0:
                left = [3 + b]
                read = client.port.read

                def breaks(timeout_s: float) -> bytes:
                    left[0] -= 1
                    if left[0] < 0:
                        raise TransferFailed("the plug came out")
                    return read(timeout_s)

                client.port.read = breaks  # type: ignore[method-assign]
            result = download(client, client.hello(), self.store, lambda: unix_s)
            assert not result.not_acknowledged and not result.unread, result.warnings
            self.downloads += 1
            journal = self.life.device.journal
            assert journal.unacknowledged == 0 or journal.unsaved, "downloaded, and not acknowledged"
            assert set(slots(journal).values()) <= self._here()
        except (TransferFailed, NotAClip) as fault:
            assert a % 5 == 0, fault
            told += " broken off"
        self._unplug()
        return told

    def _unplug(self) -> None:
        self.life.port.connected = False
        self.life.device.poll()
        self.life.port.from_device.clear()
        self.life.port.to_device.clear()

    def change(self, a: int, b: int) -> str:
        client = self._client()
        client.set_settings({s.SET_ON_DEG: 8 + a % 12, s.SET_OFF_DEG: 3 + b % 5})
        self._unplug()
        return f"on_deg={8 + a % 12} off_deg={3 + b % 5}"

    def wipe(self, a: int, b: int) -> str:
        """FORMAT, but seldom: it begins the ledger anew."""
        if a % 4:
            return "nothing"
        client = self._client()
        client.hello()
        before = self.life.device.journal.head[j.J_JOURNAL_ID]
        nonce, journal_id = client.format()
        client.format(nonce, journal_id)
        self._unplug()
        assert self.life.device.journal.head[j.J_JOURNAL_ID] != before
        assert self.life.device.journal.count == 0
        return "wiped"

    # The model.

    def _here(self) -> set[bytes]:
        return {row[0] for row in self.store._db.execute("SELECT raw FROM record")}

    def check(self) -> None:
        device = self.life.device
        journal = device.journal
        assert device.errors == 0 and (device.link is None or device.link.faults == 0), device.last_error
        assert not device.trace.fault, "no trace is kept"
        assert not journal.formatted or journal.boot == 1
        head = journal.head
        journal_id = head[j.J_JOURNAL_ID]
        if journal_id != self.journal_id:
            # Wiped, perhaps in the moment in which the power went: nothing of before may come back.
            self.journal_id = journal_id
            self.walked_s = self.losses = 0
            self.base_s = self.life.worn_s
            self.dropped = False
        here = {
            row[0]: row[1]
            for row in self.store._db.execute(
                "SELECT seq, raw FROM record JOIN journal USING (journal_key) WHERE journal_id = ?", (journal_id,)
            )
        }
        there = {}
        for k in range(journal.count):
            start = j.SLOTS_AT + k * r.SESSION_SLOT_BYTES
            there[journal.seq_at(k)] = bytes(journal._image[start : start + r.SESSION_SLOT_BYTES])
        assert sorted(there) == list(range(journal.next_seq - len(there), journal.next_seq))
        for seq, raw in there.items():
            if seq <= journal.acked_seq:
                assert here[seq] == raw, "acknowledged, and not here byte for byte"
        # Each walk once: what stands in records was walked, and what was walked stands in records.
        self.dropped |= head[j.J_DROPPED_UNACKED] > 0
        records = [fields_of(raw) for raw in {**here, **there}.values()]
        worn_s = sum(fields["wear_s"] - fields["gap_s"] for fields in records)
        walked_s = sum(fields["walking_s"] for fields in records)
        if device.session.open:
            worn_s += device.session.fields[r.S_WEAR_S] - device.session.fields[r.S_GAP_S]
            walked_s += device.session.fields[r.S_WALKING_S]
        assert worn_s <= self.life.worn_s - self.base_s, "seconds that nobody wore it"
        if not self.dropped:
            least = self.walked_s - self.LOST_AT_A_CUT_S * self.losses - self.ROUNDED_S * self.done
            assert walked_s >= least, f"{self.walked_s} s were walked, {walked_s} are left after {self.losses} losses"

    def check_trace(self) -> int:
        """Blocks here; each is whole, and each of its rows is the very second that was worn."""
        found = 0
        for (raw,) in self.store._db.execute("SELECT raw FROM trace_block ORDER BY ring_key, block").fetchall():
            found += 1
            block = retrace.read(raw)
            assert blocks.head_of(raw).number == block.number
            expected = None
            for row in block.rows:
                if not row.second_class or row.states[3] & e.KIND >= e.MISSING:
                    expected = None
                    continue
                near = self.life.told.get((block.boot, row.uptime_s))
                tick = self._tick_of(row.pitch_cdeg[0], row.roll_cdeg[0], near)
                assert expected is None or tick == expected, "rows that do not follow each other"
                assert row.pitch_cdeg == tuple(pitch_of(tick + k) for k in range(4)), "a row that nobody wore"
                assert row.roll_cdeg == tuple(roll_of(tick + k) for k in range(4)), "a row that nobody wore"
                expected = tick + 4
        return found

    def _tick_of(self, pitch_cdeg: int, roll_cdeg: int, near: int | None) -> int:
        """The tick of the life with these angles, near to the one that was told at that time."""
        assert near is not None, "a row of a time at which nothing was worn"
        for away in range(13):
            for tick in (near - away, near + away):
                if pitch_of(tick) == pitch_cdeg and roll_of(tick) == roll_cdeg:
                    return tick
        raise AssertionError("a row that nobody wore at that time")


def live(script: bytes, life: JournalLife | DeviceLife) -> None:
    for k in range(0, len(script) - len(script) % _ACT_BYTES, _ACT_BYTES):
        note(life.act(*script[k : k + _ACT_BYTES]))


SCRIPTS = st.binary(min_size=12 * _ACT_BYTES, max_size=30 * _ACT_BYTES)
QUICK = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def one_journal(script: bytes) -> None:
    live(script, JournalLife())


def one_device(script: bytes) -> None:
    life = DeviceLife(parts=1 + (script[0] >> 7) if script else 1)
    try:
        live(script, life)
        # In the end everything comes.
        life.life.banks[0].cut = life.life.banks[1].cut = life.life.drive.cut = None
        note(life.plug_in(1, 0))
        life.check()
        life.check_trace()
    finally:
        life.close()


@hypothesis_settings(max_examples=JOURNAL_SEQUENCES, suppress_health_check=QUICK)
@given(SCRIPTS)
def test_the_journal_in_any_order(script: bytes) -> None:
    one_journal(script)


@hypothesis_settings(max_examples=DEVICE_SEQUENCES, suppress_health_check=QUICK)
@given(st.binary(min_size=5 * _ACT_BYTES, max_size=16 * _ACT_BYTES))
def test_the_whole_device_in_any_order(script: bytes) -> None:
    one_device(script)


def for_long(
    script: st.SearchStrategy[bytes],
    live_one: Callable[[bytes], None],
    wanted: int,
    batch: int,
    part: int,
    tally: Tally,
) -> None:
    """A part of so many sequences, batch by batch.

    :raises AssertionError: by hypothesis, with the shortest sequence that fails; the batch is noted
    """
    mine = int(wanted * SCALE) // _PARTS
    done = 0
    for number in range(-(-mine // batch)):
        count = min(batch, mine - done)
        drawn = SEED + 1_000_000 * part + number
        several = hypothesis_settings(max_examples=count, suppress_health_check=QUICK, database=None)
        try:
            hypothesis_seed(drawn)(several(given(script)(live_one)))()
        except BaseException:
            print(f"part {part}, batch {number}: drawn from the seed {drawn}")
            raise
        done += count
        tally(done, mine, "sequences")
    print(f"{done} sequences")


@pytest.mark.soak
@pytest.mark.parametrize("part", range(_PARTS))
def test_the_journal_in_any_order_for_long(part: int, tally: Tally) -> None:
    for_long(SCRIPTS, one_journal, SOAK_JOURNAL_SEQUENCES, _JOURNAL_BATCH, part, tally)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(_PARTS))
def test_the_whole_device_in_any_order_for_long(part: int, tally: Tally) -> None:
    scripts = st.binary(min_size=8 * _ACT_BYTES, max_size=40 * _ACT_BYTES)
    for_long(scripts, one_device, SOAK_DEVICE_SEQUENCES, _DEVICE_BATCH, part, tally)
