"""A session that a loss of power, a crash or a watchdog cut: taken up from its last checkpoint, or closed and kept."""

from __future__ import annotations

from typing import Any

import pytest
from walktall import records as r
from walktall import retrace
from walktall.visit import Visit

from tests.walking_board import Clip, Walker

UTC_S = 200_000_000
BOARDS = ("Seeed_XIAO_nRF52840_Sense", "raspberry_pi_pico")
WATCHDOG = 6
PIN = 5


def records_of(clip: Clip) -> list[dict[str, int]]:
    """What the journal holds and a host would be given."""
    journal = clip.device.journal
    found = []
    slot = bytearray(r.SESSION_SLOT_BYTES)
    fields = r.new_session_fields()
    for k in range(journal.written):
        journal.read_into(k, slot, 0)
        assert r.unpack_session_into(slot, 0, fields) == r.RECORD_OK
        assert r.session_fault(fields) == ""
        found.append({name: fields[i] for i, (name, _, _) in enumerate(r.SESSION_FIELDS)})
    return found


def walked(seconds: float, *, profile: str = BOARDS[0], utc_s: int = UTC_S, **how: Any) -> Clip:
    """A clip that was worn for so long, its clock set."""
    clip = Clip(Walker(still=((0.0, 4.0),), leans=((60.0, 80.0, 20.0),)), profile=profile, **how).calibrated()
    if utc_s:
        Visit(clip.device, clip.port).set_clock(utc_s)
    clip.run_until(seconds)
    return clip


def flagged(record: dict[str, int], flag: int) -> bool:
    return bool(record["flags"] & flag)


@pytest.mark.parametrize("profile", BOARDS)
def test_a_walk_cut_in_its_middle_goes_on_and_is_one_record(profile: str) -> None:
    clip = walked(200.3, profile=profile)
    before = clip.field("wear_s")
    assert before >= 195
    clip.power_cut()
    clip.clock.sleep(3)
    clip.boot(1)
    clip.calibrated()
    assert clip.device.session.open
    taken = clip.field("wear_s")
    # At the most a minute is missing, on the RP2040 that and the block whose sector was still in RAM.
    assert before - (60 if profile == BOARDS[0] else 120) <= taken <= before
    clip.run_for(120)
    clip.device.end_session(0, True)
    (record,) = records_of(clip)
    assert record["wear_s"] == pytest.approx(taken + 120, abs=6)
    assert record["boot"] == 1
    assert record["start_utc_s"] == pytest.approx(UTC_S, abs=2)
    assert flagged(record, r.FLAG_RESUMED) and not flagged(record, r.FLAG_CUT)
    assert record["lean_events"] + record["unsure_events"] == 1
    assert clip.device.journal.boot == 2


def test_after_a_watchdog_the_seconds_lost_are_a_gap() -> None:
    clip = walked(200.3)
    clip.restart(WATCHDOG, flush=False)
    clip.calibrated()
    assert clip.device.session.open
    clip.run_for(100)
    clip.device.end_session(0, False)
    (record,) = records_of(clip)
    # The clock went on: every second since the beginning is accounted for.
    assert record["wear_s"] == pytest.approx(clip.clock.now_us / 1e6, abs=5)
    assert 1 <= record["gap_s"] <= 70
    assert flagged(record, r.FLAG_RESUMED)


@pytest.mark.parametrize("lag_s", [70, 511])
def test_a_clock_that_a_reset_set_back_is_put_forward_to_the_last_block(lag_s: int) -> None:
    """An nRF's, of a reset at its pin: the walk goes on, and is no younger than what it holds."""
    clip = walked(200.3)
    before = clip.field("wear_s")
    clip.rtc.utc_s -= lag_s
    clip.restart(PIN, flush=False)
    assert UTC_S + before - 60 <= clip.device.utc_s() <= UTC_S + clip.clock.now_us / 1e6
    assert clip.rtc.utc_s == clip.device.utc_s()
    clip.calibrated()
    assert clip.device.session.open
    assert clip.field("gap_s") == 0
    clip.run_for(60)
    clip.device.end_session(0, False)
    (record,) = records_of(clip)
    assert flagged(record, r.FLAG_RESUMED) and not flagged(record, r.FLAG_CUT)
    assert record["start_utc_s"] == pytest.approx(UTC_S, abs=2)


def test_a_clock_that_is_set_back_further_is_believed() -> None:
    clip = walked(200.3)
    clip.rtc.utc_s -= 900
    clip.restart(PIN, flush=False)
    assert not clip.device.session.open
    (record,) = records_of(clip)
    assert flagged(record, r.FLAG_CUT)


def test_without_a_clock_the_seconds_lost_are_left_out() -> None:
    clip = walked(200.3, utc_s=0)
    before = clip.field("wear_s")
    clip.restart(WATCHDOG, flush=False)
    clip.calibrated()
    assert clip.device.session.open
    assert before - 60 <= clip.field("wear_s") <= before
    assert clip.field("gap_s") == 0


def test_long_ago_it_is_closed_and_recorded_and_a_new_one_begins() -> None:
    clip = walked(300.3)
    before = clip.field("wear_s")
    clip.restart(WATCHDOG, flush=False)  # its clock goes on
    clip.clock.sleep(3600)
    clip.restart(WATCHDOG, flush=False)
    clip.calibrated()
    assert not clip.device.session.open
    clip.run_for(190)
    clip.device.end_session(0, True)
    first, second = sorted(records_of(clip), key=lambda record: record["boot"])
    assert flagged(first, r.FLAG_CUT)
    assert before - 60 <= first["wear_s"] <= before
    assert first["start_utc_s"] == pytest.approx(UTC_S, abs=2)
    assert not second["flags"] & (r.FLAG_CUT | r.FLAG_RESUMED)
    assert second["start_utc_s"] > UTC_S + 3600


def test_who_cuts_the_battery_after_each_walk_does_not_get_all_of_them_in_one() -> None:
    clip = walked(200.3, utc_s=0)
    for boot in range(2, 5):
        clip.power_cut()
        clip.clock.sleep(100)
        clip.boot(1)
        clip.calibrated()
        clip.run_for(200)
        assert clip.device.journal.boot == boot
    clip.device.end_session(0, True)
    assert len(records_of(clip)) == 2


def test_with_a_computer_there_a_cut_walk_is_closed_at_once() -> None:
    clip = walked(200.3)
    clip.power_cut()
    clip.supply.usb = True
    clip.boot(1)
    assert not clip.device.session.open
    (record,) = records_of(clip)
    assert flagged(record, r.FLAG_CUT)


def test_cut_again_and_again_it_is_neither_lost_nor_told_twice() -> None:
    clip = walked(150.0)
    for k in range(6):
        clip.restart(WATCHDOG, flush=False)
        clip.calibrated()
        assert clip.device.session.open, k
        clip.run_for(7.0 + 9 * k)
    clip.device.end_session(0, True)
    clip.restart(3)
    (record,) = records_of(clip)
    assert record["wear_s"] == pytest.approx(clip.clock.now_us / 1e6, abs=15)


@pytest.mark.parametrize("profile", BOARDS)
def test_records_over_a_days_budget_of_commits_survive_a_cut(profile: str) -> None:
    clip = walked(10, profile=profile)
    device = clip.device
    told = []
    for k in range(12):
        if not device.session.open:
            device._open_session()
        clip.run_for(10 + k)
        for _ in range(180):  # three minutes more, which nobody has to wait for
            device.session.second(1, 100, 0, 110, True, 0)
        told.append(clip.field("wear_s"))
        assert device.end_session(0, False)
    clip.run_for(3)
    assert device.journal.written < 12  # the rest waits in memory
    assert device.trace.pending
    clip.power_cut()
    clip.boot(1)
    journal = clip.device.journal
    assert journal.count == 12
    # They are held, and go to a host when they are written: with the next day, or by force.
    journal.commit(UTC_S + 86400, 5)
    assert [record["wear_s"] for record in records_of(clip)] == told
    clip.restart(3)
    assert [record["wear_s"] for record in records_of(clip)] == told
    assert clip.device.trace.pending == 0 or clip.device.journal.unsaved == 0


def test_short_walks_that_merged_are_not_merged_again() -> None:
    clip = walked(60)
    device = clip.device
    device.end_session(0, False)
    for _ in range(3):
        device._open_session()
        clip.run_for(60)
        device.end_session(0, False)
    (record,) = records_of(clip)
    assert record["merged_walks"] == 4
    clip.power_cut()
    clip.boot(1)
    assert records_of(clip) == [record]


def test_after_a_format_nothing_of_before_comes_back() -> None:
    clip = walked(200.3)
    clip.device.end_session(0, False)
    clip.device.journal.format(UTC_S + 300, 300)
    getattr(clip.device, "wipe", clip.device.trace.wipe)()
    clip.restart(3)
    assert clip.device.journal.count == 0
    assert clip.device.trace.pending == 0


@pytest.mark.parametrize("when", ["without a file", "in maintenance"])
def test_without_a_trace_the_walk_goes_on(when: str) -> None:
    clip = walked(30, trace=when != "without a file")
    if when == "in maintenance":
        clip.device.trace._writable = False
        clip.restart(3)
    clip.calibrated()
    clip.run_for(200)
    clip.device.end_session(0, False)
    assert records_of(clip)
    assert clip.device.trace.fault == (when == "without a file")


def test_a_drive_that_fails_in_mid_walk_is_told_and_stops_nothing() -> None:
    clip = walked(100)
    trace = clip.device.trace

    def refuse(data: bytes) -> int:
        raise OSError(5)

    trace._file.write = refuse
    clip.run_for(150)
    assert trace.fault
    assert not trace.rows.on
    clip.device.end_session(0, False)
    (record,) = records_of(clip)
    assert record["wear_s"] > 240


def test_a_raw_recording_runs_beside_the_walk_for_its_minutes() -> None:
    clip = walked(20)
    assert Visit(clip.device, clip.port).raw(1) == 60
    clip.run_for(30)
    assert 28 <= Visit(clip.device, clip.port).raw_left_s() <= 31
    clip.run_for(40)
    assert Visit(clip.device, clip.port).raw_left_s() == 0
    trace = clip.device.trace
    samples: dict[int, Any] = {}
    seconds = 0
    for number in range(trace.first_block, trace.next_block):
        raw = bytearray(512)
        assert trace.read_into(number, 0, raw) == 512
        block = retrace.read(bytes(raw))
        samples.update(dict(enumerate(block.samples, block.first_sample)))
        seconds += len(block.rows)
    assert len(samples) == 60 * 52
    assert sorted(samples) == list(range(min(samples), min(samples) + 60 * 52))
    assert all(abs(one[1] - 8197) < 4000 for one in samples.values())  # gravity on the up axis, in counts
    assert seconds > 40
    assert Visit(clip.device, clip.port).raw(200) < 200 * 60  # as much as half the ring holds
    assert Visit(clip.device, clip.port).raw(0) == 0
    assert Visit(clip.device, clip.port).raw_left_s() == 0


def test_a_raw_recording_ends_when_the_clip_is_switched_off_and_names_its_own_boot() -> None:
    clip = walked(20)
    assert Visit(clip.device, clip.port).raw(5) == 300
    clip.run_for(10)
    clip.device._switch_off(1)
    assert Visit(clip.device, clip.port).raw_left_s() == 0
    trace = clip.device.trace
    raw = bytearray(512)
    assert trace.read_into(trace.next_block - 1, 0, raw) == 512
    block = retrace.read(bytes(raw))
    assert block.samples
    assert block.boot == clip.device.journal.boot


def test_a_boot_number_is_never_given_twice() -> None:
    """A boot writes nothing to the journal, but blocks tell of it: (boot, uptime) stays one moment."""
    clip = walked(150)
    seen = {clip.device.journal.boot}
    for _ in range(4):
        clip.power_cut()
        clip.boot(1)
        clip.calibrated()
        assert clip.device.journal.boot not in seen
        seen.add(clip.device.journal.boot)
        clip.run_for(70)
