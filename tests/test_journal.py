"""The journal: nothing written is lost whatever the moment of a cut, nothing leaves that a cut could take back."""

import random
from collections.abc import Callable, MutableSequence

import pytest
from walktall import journal as j
from walktall import records as r
from walktall import settings as s
from walktall.session import merge_into

from tests.desk_device import DAY_S, UTC_S, Flash, PowerCut, drawn, walk

SMALL = j.SLOTS_AT + 4 + 6 * r.SESSION_SLOT_BYTES  # room for six records: full is soon reached


def opened(banks: tuple[Flash, Flash], seed: int = 0) -> j.Journal:
    journal = j.Journal(banks, drawn(seed))
    journal.load()
    return journal


def slots(journal: j.Journal, written: bool = True) -> dict[int, bytes]:
    """Records by number, as a fetch reads them (which freezes them)."""
    found = {}
    for k in range(journal.written if written else journal.count):
        buf = bytearray(r.SESSION_SLOT_BYTES)
        journal.read_into(k, buf, 0)
        found[journal.seq_at(k)] = bytes(buf)
    return found


def put(journal: j.Journal, wear_s: int = 600, force: bool = True, **values: int) -> int:
    """Append a session and commit it; its number."""
    seq = journal.append(walk(wear_s, **values), merge_into)
    assert journal.commit(UTC_S, 100, force) == j.COMMITTED
    return int(seq)


def fields_of(slot: bytes) -> dict[str, int]:
    fields = r.new_session_fields()
    assert r.unpack_session_into(slot, 0, fields) == r.RECORD_OK
    return {row[0]: fields[i] for i, row in enumerate(r.SESSION_FIELDS)}


def test_the_head_is_in_its_place() -> None:
    for i, (name, _, _) in enumerate(r.HEAD_FIELDS):
        assert getattr(j, f"J_{name.upper()}") == i
    assert j.HEAD_CODES.split() == [code for _, code, _ in r.HEAD_FIELDS]
    assert j.CALIBRATION_CODES.split() == [code for _, code, _ in r.CALIBRATION_FIELDS]
    assert len(r.CALIBRATION_FIELDS) == j.CALIBRATION_COUNT
    assert r.Table(r.HEAD_FIELDS).size == 52 and r.Table(r.CALIBRATION_FIELDS).size <= 96 - 56
    assert 96 + s.PACKED_MAX <= j.SLOTS_AT
    names = [row[0] for row in r.CALIBRATION_FIELDS]
    assert names[j.CAL_UP].startswith("up_x") and names[j.CAL_BIAS] == "bias_x" and names[j.CAL_FORWARD] == "forward_x"
    assert names[j.CAL_QUALITY] == "quality" and names[j.CAL_TAKEN_UTC_S] == "taken_utc_s"
    assert names[j.CAL_WALK_OFFSET_CDEG] == "walk_offset_cdeg"


def test_a_new_device_is_formatted_once_and_keeps_its_id() -> None:
    banks = (Flash(), Flash())
    journal = j.Journal(banks, drawn())
    assert journal.load() == j.FORMATTED and journal.formatted and not journal.bank_lost
    assert journal.boot == 1 and journal.count == 0 and journal.next_seq == 1
    again = j.Journal(banks, drawn(9))
    assert again.load() == j.LOADED and not again.formatted and not again.bank_lost
    assert again.head[j.J_DEVICE_ID] == journal.head[j.J_DEVICE_ID] != bytes(8)
    assert again.head[j.J_JOURNAL_ID] == journal.head[j.J_JOURNAL_ID]


def test_a_boot_writes_nothing() -> None:
    banks = (Flash(), Flash())
    opened(banks)
    for _ in range(20):
        journal = opened(banks)
        assert journal.poll(UTC_S, 1000) == j.NOTHING
        assert journal.commit(UTC_S, 1000, True) == j.NOTHING
    assert banks[0].writes + banks[1].writes == 1
    assert journal.boot == 2  # counted with the next commit
    put(journal)
    assert opened(banks).boot == 3


def test_the_journal_holds_forty_sessions_and_gives_them_back() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    assert journal.capacity >= 40
    told = {}
    for k in range(journal.capacity):
        seq = journal.append(walk(600 + k, utc_s=UTC_S + k * 2000), merge_into)
        told[seq] = 600 + k
    journal.commit(UTC_S, 1, True)
    again = opened(banks)
    assert {seq: fields_of(raw)["wear_s"] for seq, raw in slots(again).items()} == told
    assert all(fields_of(raw)["seq"] == seq for seq, raw in slots(again).items())


def test_commits_go_to_the_banks_in_turn() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    for _ in range(7):
        put(journal)
    assert (banks[0].writes, banks[1].writes) == (4, 4)


AFTER: dict[str, Callable[[int, int], int]] = {
    "old": lambda k, old: old,
    "erased": lambda k, old: 0xFF,
    "noise": lambda k, old: (k * 193 + 7) & 0xFF,
    "zero": lambda k, old: 0,
}


def scenario(journal: j.Journal) -> None:
    """Some days of use; every commit is a write that can be cut."""
    put(journal, 900)
    put(journal, 700, pitch_mean_cdeg=500)
    journal.settings.set("hold_s", 20)
    journal.touch(j.WHY_SETTINGS, 100)
    journal.poll(UTC_S, 200)
    assert journal.acknowledge(2, journal.unacked_crc(2), 200) == j.ACK_OK
    journal.poll(UTC_S, 300)
    put(journal, 60)
    put(journal, 90)
    put(journal, 1800)


def image(journal: j.Journal) -> tuple[object, ...]:
    """What a device knows, apart from counters that count writes and boots."""
    head = journal.head
    return (
        slots(journal, written=False),
        head[j.J_NEXT_SEQ],
        head[j.J_ACKED_SEQ],
        head[j.J_DEVICE_ID],
        head[j.J_JOURNAL_ID],
        list(journal.settings.values),
        list(journal.calibration),
        head[j.J_DROPPED_ACKED],
        head[j.J_DROPPED_UNACKED],
    )


@pytest.mark.parametrize("after", sorted(AFTER))
def test_a_cut_in_any_write_leaves_the_state_before_or_after_it(after: str, chance: random.Random) -> None:
    """At each 512-byte boundary and at seeded offsets, then a second cut while it recovers."""
    whole = (Flash(), Flash())
    states = [image(opened(whole))]

    class Watched(Flash):
        def write(self, buf: bytes | bytearray) -> None:
            super().write(buf)
            states.append(image(opened((self.bank_a, self.bank_b))))  # type: ignore[attr-defined]

    watched = (Watched(), Watched())
    for bank in watched:
        bank.bank_a, bank.bank_b = watched  # type: ignore[attr-defined]
    states.clear()
    scenario(opened(watched))
    total = watched[0].writes + watched[1].writes
    assert total == len(states) >= 8
    cuts = 0
    offsets = sorted({*range(0, 4097, 512), *(chance.randrange(4096) for _ in range(16)), 1, 4, 52, 4092, 4095})
    for number in range(2, total + 1):
        for kept in offsets:
            banks = (Flash(), Flash())
            bank = banks[(number - 1) % 2]
            bank.cut = ((number + 1) // 2, kept, AFTER[after])
            with pytest.raises(PowerCut):
                scenario(opened(banks))
            cuts += 1
            recovered = opened(banks)
            assert not recovered.formatted
            assert image(recovered) in (states[number - 2], states[number - 1]), (number, kept)
            if kept == 4096:
                assert image(recovered) == states[number - 1]
            # A second cut in the first write after the boot: still nothing of what was there is lost.
            before = image(recovered)
            target = banks[1 - recovered.bank]
            target.cut = (target.writes + 1, chance.randrange(4096), AFTER[after])
            with pytest.raises(PowerCut):
                put(recovered, 500)
            assert image(opened(banks))[0] == before[0]
    print(f"{cuts} cuts, each followed by a second one")


def test_both_banks_damaged_is_a_format_that_says_so() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    put(journal)
    for bank in banks:
        bank.data[100] ^= 1
    again = j.Journal(banks, drawn(5))
    assert again.load() == j.FORMATTED and again.formatted and again.bank_lost
    assert again.head[j.J_DEVICE_ID] != journal.head[j.J_DEVICE_ID]


def test_one_bank_damaged_falls_back_to_the_other_and_says_so() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    put(journal)
    put(journal)
    banks[journal.bank].data[3000] ^= 1
    again = opened(banks)
    assert again.bank_lost and not again.formatted and sorted(slots(again)) == [1]


def test_a_bank_that_does_not_read_back_keeps_the_old_image_and_is_tried_again() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    put(journal)
    banks[1 - journal.bank].fails = 2
    seq = journal.append(walk(700), merge_into)
    assert journal.commit(UTC_S, 100, True) == j.FAILED and journal.store_fault
    assert journal.written == 1 and journal.count == 2
    assert sorted(slots(opened(banks))) == [1]
    assert journal.poll(UTC_S, 130) == j.NOTHING  # not at once again
    assert journal.poll(UTC_S, 160) == j.FAILED
    assert journal.poll(UTC_S, 220) == j.COMMITTED and not journal.store_fault
    assert sorted(slots(opened(banks))) == [1, seq]


def test_banks_that_raise_are_not_formatted() -> None:
    banks = (Flash(), Flash())
    put(opened(banks))

    class Broken(Flash):
        def read_into(self, offset: int, buf: object) -> None:
            raise OSError(5)

    journal = j.Journal((Broken(), Broken()), drawn())
    assert journal.load() == j.UNREADABLE and journal.read_only
    assert journal.append(walk(600), merge_into) == 0 and journal.commit(UTC_S, 1, True) == j.NOTHING
    assert journal.settings.check()


@pytest.mark.parametrize("fails", [1, 2])
def test_banks_that_fail_for_a_moment_are_read_at_the_same_boot(fails: int) -> None:
    banks = (Flash(), Flash())
    put(opened(banks))

    class Shaky(Flash):
        left = fails

        def read_into(self, offset: int, buf: MutableSequence[int]) -> None:
            if self.left and offset:
                self.left -= 1
                raise OSError(5)
            super().read_into(offset, buf)

    shaky = Shaky()
    shaky.data[:] = banks[1].data
    journal = j.Journal((banks[0], shaky), drawn())
    assert journal.load() == j.LOADED and journal.boot == 2
    assert sorted(slots(journal)) == [1] and not journal.read_only and not journal.bank_lost


def test_full_the_oldest_acknowledged_record_goes_and_is_counted() -> None:
    banks = (Flash(SMALL), Flash(SMALL))
    journal = opened(banks)
    assert journal.capacity == 6
    for _ in range(6):
        put(journal)
    assert journal.acknowledge(2, journal.unacked_crc(2), 100) == j.ACK_OK
    put(journal)
    put(journal)
    assert sorted(slots(journal)) == [3, 4, 5, 6, 7, 8]
    assert (journal.head[j.J_DROPPED_ACKED], journal.head[j.J_DROPPED_UNACKED]) == (2, 0)
    put(journal)  # the last resort
    again = opened(banks)
    assert sorted(slots(again)) == [4, 5, 6, 7, 8, 9]
    assert (again.head[j.J_DROPPED_ACKED], again.head[j.J_DROPPED_UNACKED]) == (2, 1)
    assert again.first_seq == 4 and again.unacknowledged == 6


def test_an_acknowledgement_needs_the_very_bytes_and_erases_nothing() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    for _ in range(3):
        put(journal)
    before = slots(journal)
    assert journal.acknowledge(2, journal.unacked_crc(2) ^ 1, 100) == j.ACK_MISMATCH and journal.acked_seq == 0
    assert journal.acknowledge(4, 0, 100) == j.ACK_UNKNOWN
    assert journal.acknowledge(0, 0, 100) == j.ACK_UNKNOWN
    assert journal.acknowledge(2, journal.unacked_crc(2), 100) == j.ACK_OK
    assert journal.acknowledge(2, 12345, 100) == j.ACK_OK  # repeated: its reply was lost
    assert journal.unacknowledged == 1 and slots(journal) == before
    assert opened(banks).acked_seq == 0  # not yet written: the host will find that it has them
    assert journal.poll(UTC_S, 101) == j.NOTHING
    assert journal.poll(UTC_S, 103) == j.COMMITTED
    assert opened(banks).acked_seq == 2 and slots(opened(banks)) == before


def test_what_is_not_written_is_not_sent_nor_acknowledged() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    put(journal)
    journal.append(walk(700), merge_into)
    assert journal.count == 2 and sorted(slots(journal)) == [1]
    assert journal.acknowledge(2, journal.unacked_crc(2), 100) == j.ACK_UNKNOWN
    journal.commit(UTC_S, 100, True)
    assert sorted(slots(journal)) == [1, 2]


def test_short_walks_of_a_day_merge_into_one_record() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    assert put(journal, 100, buzzes=1) == 1
    assert put(journal, 600) == 2
    assert put(journal, 120, utc_s=UTC_S + 3600, buzzes=2) == 1
    assert put(journal, 179, utc_s=UTC_S + 7200) == 1
    assert put(journal, 100, utc_s=UTC_S + DAY_S) == 3
    told = fields_of(slots(opened(banks))[1])
    assert (told["wear_s"], told["good_s"], told["steps"], told["buzzes"]) == (399, 399, 798, 3)
    assert told["merged_walks"] == 3 and told["start_utc_s"] == UTC_S
    assert told["flags"] & r.FLAG_SHORT and told["flags"] & r.FLAG_MERGED
    assert journal.count == 3


def test_undated_short_walks_merge_within_a_boot_alone() -> None:
    journal = opened((Flash(), Flash()))
    assert put(journal, 100, utc_s=0, boot=4) == 1
    assert put(journal, 100, utc_s=0, boot=4) == 1
    assert put(journal, 100, utc_s=0, boot=5) == 2
    assert put(journal, 100, utc_s=UTC_S, boot=5) == 3
    assert put(journal, 180, utc_s=UTC_S, boot=5) == 4


def test_a_record_that_was_fetched_or_acknowledged_does_not_grow() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    put(journal, 100)
    before = slots(journal)
    assert put(journal, 100) == 2
    assert slots(journal)[1] == before[1]
    journal = opened(banks)  # after a boot the fetch is forgotten, the acknowledgement is not
    assert journal.acknowledge(1, journal.unacked_crc(1), 1) == j.ACK_OK
    assert put(journal, 100) == 2
    assert put(journal, 600) == 3
    assert slots(journal)[1] == before[1] and fields_of(slots(journal)[2])["merged_walks"] == 2


def test_a_merge_that_is_refused_makes_a_record_of_its_own() -> None:
    journal = opened((Flash(), Flash()))
    put(journal, 100)
    assert journal.append(walk(100), lambda earlier, later: False) == 2


def test_a_split_session_does_not_merge() -> None:
    journal = opened((Flash(), Flash()))
    put(journal, 100)
    assert put(journal, 100, flags=r.FLAG_SPLIT) == 2


def test_settings_and_calibration_settle_into_one_commit_and_survive() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    for second in range(5):
        assert journal.settings.set("hold_s", 11 + second)
        journal.touch(j.WHY_SETTINGS, second)
        assert journal.poll(UTC_S, second) == j.NOTHING
    for i in range(len(journal.calibration)):
        journal.calibration[i] = 100 + i if i == j.CAL_QUALITY else -7 * i if i < 9 else i * 1000
    journal.touch(j.WHY_CALIBRATION, 5)
    assert [journal.poll(UTC_S, t) for t in (6, 7, 8, 9)] == [j.NOTHING, j.NOTHING, j.COMMITTED, j.NOTHING]
    again = opened(banks)
    assert again.settings.get("hold_s") == 15
    assert list(again.calibration) == list(journal.calibration) and again.calibrated


def test_a_day_has_eight_commits_and_the_rest_waits_for_the_next() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    outcomes = []
    for k in range(10):
        journal.append(walk(600, utc_s=UTC_S + k * 3000), merge_into)
        outcomes.append(journal.commit(UTC_S, 100 + k))
    assert outcomes == [j.COMMITTED] * 8 + [j.DEFERRED] * 2
    assert journal.head[j.J_COMMITS_TODAY] == 8 and journal.head[j.J_COMMITS_DEFERRED] == 1
    assert journal.unsaved and journal.written == 8
    assert journal.poll(UTC_S + 3600, 4000) == j.NOTHING
    assert journal.poll(UTC_S + DAY_S, 90000) == j.COMMITTED
    assert sorted(slots(opened(banks))) == list(range(1, 11))
    assert opened(banks).head[j.J_COMMITS] == 10  # the format's among them


def test_what_can_wait_leaves_the_last_commits_to_sessions() -> None:
    journal = opened((Flash(), Flash()))
    outcomes = []
    for k in range(8):
        journal.touch(j.WHY_SETTINGS, 10 * k)
        outcomes.append(journal.poll(UTC_S, 10 * k + 5))
    assert outcomes == [j.COMMITTED] * 6 + [j.DEFERRED, j.NOTHING]
    assert journal.append(walk(600), merge_into) and journal.commit(UTC_S, 100) == j.COMMITTED
    assert not journal.unsaved


def test_by_force_the_day_does_not_count_but_a_fault_that_repeats_is_bounded() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    for _ in range(200):
        journal.touch(j.WHY_SETTINGS, 0)
        journal.commit(UTC_S, 100, True)
    assert banks[0].writes + banks[1].writes == 1 + j.COMMITS_A_DAY_FORCED


def test_without_a_clock_a_boot_is_a_day() -> None:
    banks = (Flash(), Flash())
    for boot in range(3):
        journal = opened(banks)
        outcomes = []
        for k in range(9):
            journal.append(walk(600, utc_s=0, boot=boot), merge_into)
            outcomes.append(journal.commit(0, 100 + k))
        assert outcomes[:7] == [j.COMMITTED] * 7 and outcomes[8] == j.DEFERRED
        assert journal.poll(0, DAY_S) == j.COMMITTED


def test_five_years_of_daily_use_wear_no_page_out() -> None:
    """Busy days: seven walks, a download, settings twice, a calibration, three boots; every fortieth day by force."""
    banks = (Flash(SMALL), Flash(SMALL))
    days = 60  # the pattern repeats by itself; the tests of soak go on longer
    uptime_s = 0
    for day in range(days):
        utc_s = UTC_S + day * DAY_S
        for part in range(3):
            journal = opened(banks)
            for k in range(7 if part == 1 else 0):
                journal.append(walk(600, utc_s=utc_s + k * 4000), merge_into)
                journal.commit(utc_s, uptime_s)
            for why in (j.WHY_SETTINGS, j.WHY_CALIBRATION, j.WHY_ACK):
                uptime_s += 100
                journal.touch(why, uptime_s)
                journal.poll(utc_s, uptime_s + 5)
            if day % 40 == 0:
                journal.commit(utc_s, uptime_s, True)
    writes = max(bank.writes for bank in banks)
    five_years = writes * 5 * 365 // days
    print(f"fullest page: {writes} writes in {days} days, {five_years} in five years")
    assert five_years < 10000


def newer(image: bytearray, layout: int = 2) -> None:
    image[3] = layout
    r.seal_into(image, 0, len(image) - 4)


def test_a_journal_of_a_later_layout_is_left_untouched_and_says_who_it_is() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    put(journal)
    put(journal)
    newer(banks[journal.bank].data)
    before = [bytes(bank.data) for bank in banks]
    later = j.Journal(banks, drawn(5))
    assert later.load() == j.READ_ONLY and later.read_only and later.newer_layout == 2
    assert later.head[j.J_DEVICE_ID] == journal.head[j.J_DEVICE_ID]
    assert later.head[j.J_JOURNAL_ID] == journal.head[j.J_JOURNAL_ID]
    assert later.count == 0 and later.append(walk(600), merge_into) == 0
    assert later.head[j.J_DROPPED_UNACKED] == 1
    later.touch(j.WHY_SETTINGS, 0)
    assert later.poll(UTC_S, 100) == j.NOTHING and later.commit(UTC_S, 100, True) == j.NOTHING
    assert later.acknowledge(1, 0, 0) == j.ACK_UNKNOWN
    assert [bytes(bank.data) for bank in banks] == before
    assert later.format(UTC_S, 100) == j.COMMITTED  # only because the walker asked
    assert opened(banks).head[j.J_DEVICE_ID] == journal.head[j.J_DEVICE_ID]


def test_an_older_bank_of_a_later_layout_still_keeps_the_journal_from_writing() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    put(journal)
    put(journal)
    newer(banks[1 - journal.bank].data)
    later = opened(banks)
    assert later.read_only and sorted(slots(later)) == [1, 2]


def test_a_record_of_a_later_layout_is_kept_and_sent_as_it_is() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    put(journal)
    put(journal, 100)
    data = banks[journal.bank].data
    data[j.SLOTS_AT] = 9
    data[j.SLOTS_AT + r.SESSION_SLOT_BYTES] = 9
    data[j.SLOTS_AT + 91] = 0x77
    r.seal_into(data, 0, len(data) - 4)
    again = opened(banks)
    assert again.newer_records() == 2
    assert put(again, 100) == 3  # it does not merge into what it cannot read
    raw = slots(again)[1]
    assert raw[0] == 9 and raw[91] == 0x77
    assert again.acknowledge(2, again.unacked_crc(2), 0) == j.ACK_OK


def test_a_format_gives_up_the_records_and_keeps_the_device() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    put(journal)
    journal.settings.set("hold_s", 33)
    journal.calibration[j.CAL_QUALITY] = 90
    old = list(journal.head)
    assert journal.format(UTC_S, 100) == j.COMMITTED
    again = opened(banks)
    assert again.count == 0 and again.next_seq == 1 and again.acked_seq == 0
    assert again.head[j.J_DEVICE_ID] == old[j.J_DEVICE_ID]
    assert again.head[j.J_JOURNAL_ID] != old[j.J_JOURNAL_ID]
    assert again.settings.get("hold_s") == 33 and again.calibrated
    assert again.head[j.J_COMMITS] == old[j.J_COMMITS] + 1


def test_a_cut_format_leaves_the_records() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    put(journal)
    bank = banks[1 - journal.bank]
    bank.cut = (bank.writes + 1, 2000, AFTER["erased"])
    with pytest.raises(PowerCut):
        journal.format(UTC_S, 100)
    assert sorted(slots(opened(banks))) == [1]


def test_a_format_that_fails_gives_up_nothing_now_or_later() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    put(journal)
    journal.settings.set("hold_s", 33)
    journal.touch(j.WHY_SETTINGS, 100)
    seq = journal.append(walk(700), merge_into)  # waits for a commit, as the setting does
    boot, ids = journal.boot, (journal.head[j.J_DEVICE_ID], journal.head[j.J_JOURNAL_ID])
    target = banks[journal.bank]  # the second write from here on: the first keeps what waits
    target.fails = 1
    assert journal.format(UTC_S, 100) == j.FAILED and journal.store_fault
    assert sorted(slots(journal)) == [1, seq] and journal.settings.get("hold_s") == 33 and journal.boot == boot
    assert (journal.head[j.J_DEVICE_ID], journal.head[j.J_JOURNAL_ID]) == ids and journal.next_seq == seq + 1
    for second in range(200, 4000, 100):
        assert journal.poll(UTC_S + second, second) == j.NOTHING
    assert sorted(slots(opened(banks))) == [1, seq] and opened(banks).settings.get("hold_s") == 33
    # And asked again it is done, with nothing of the records left in the image.
    assert journal.format(UTC_S, 5000) == j.COMMITTED and not journal.store_fault
    assert opened(banks).count == 0 and opened(banks).settings.get("hold_s") == 33
    assert not any(banks[journal.bank].data[j.SLOTS_AT : -4])


def test_a_format_whose_day_is_spent_or_whose_bank_fails_at_once_gives_up_nothing() -> None:
    banks = (Flash(), Flash())
    journal = opened(banks)
    put(journal)
    while journal.head[j.J_COMMITS_TODAY] < j.COMMITS_A_DAY_FORCED:
        journal.touch(j.WHY_SETTINGS, 0)
        assert journal.commit(UTC_S, 100, True) == j.COMMITTED
    before = image(journal)
    writes = banks[0].writes + banks[1].writes
    assert journal.format(UTC_S, 100) == j.DEFERRED and image(journal) == before and not journal.unsaved
    journal.touch(j.WHY_SETTINGS, 0)
    assert journal.format(UTC_S, 100) == j.DEFERRED and image(journal) == before
    assert banks[0].writes + banks[1].writes == writes
    assert journal.poll(UTC_S + DAY_S, DAY_S) == j.COMMITTED and image(opened(banks)) == before
    banks[1 - journal.bank].fails = 1
    journal.append(walk(800), merge_into)
    assert journal.format(UTC_S + DAY_S, DAY_S) == j.FAILED and journal.count == 2 and journal.unsaved
    assert journal.format(UTC_S + DAY_S, DAY_S) == j.COMMITTED and journal.count == 0


def test_banks_of_other_sizes_give_what_fits_and_too_small_ones_are_refused() -> None:
    assert opened((Flash(4096), Flash(8192))).capacity == 41
    with pytest.raises(ValueError, match="holds no record"):
        j.Journal((Flash(300), Flash(300)), drawn())


@pytest.mark.parametrize("fill", [0x00, 0xFF, 0x57])
def test_any_bytes_in_the_banks_boot(fill: int, chance: random.Random) -> None:
    for _ in range(30):
        banks = (Flash(SMALL), Flash(SMALL))
        for bank in banks:
            bank.data = bytearray([fill]) * SMALL
            for _ in range(chance.randrange(40)):
                bank.data[chance.randrange(SMALL)] = chance.randrange(256)
            if chance.randrange(2):
                bank.data[:4] = b"WTJ\1"
                length = chance.choice((SMALL - 4, 300, 0xFFFF, chance.randrange(SMALL)))
                bank.data[8:10] = length.to_bytes(2, "little")
                if length + 4 <= SMALL:  # a CRC that is right over nonsense
                    r.seal_into(bank.data, 0, length)
        journal = opened(banks)
        assert journal.settings.check()
        assert journal.count <= journal.capacity
        if not journal.read_only:
            put(journal)
