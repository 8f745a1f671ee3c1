"""The device's life on the virtual board: order of things, sessions, button, host, and everything that fails."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from walktall import buzz, journal, retrace, wearing, wire
from walktall import records as r
from walktall import settings as s
from walktall.visit import Visit

from tests.walking_board import Clip, Walker, Yawed

CHIPS = ("Seeed_XIAO_nRF52840_Sense", "arduino_nano_rp2040_connect")
LEAN = ((40.0, 70.0, 20.0),)


def start_s(clip: Clip) -> float:
    """The board's time at which the source's time is 0."""
    while clip.chip.epoch_us is None:
        clip.step()
    return clip.chip.time_of_sample_us(0) / 1e6


def walking(seconds: float = 30.0, **how: Any) -> Clip:
    """A calibrated walker, some seconds under way."""
    clip = Clip(**how).calibrated()
    clip.run_until(start_s(clip) + seconds)
    assert clip.device.session.open
    return clip


# ---- the order of things --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", CHIPS)
def test_a_lean_buzzes_within_hold_and_two_and_a_half_seconds_and_recovers(profile: str) -> None:
    clip = Clip(Walker(leans=LEAN), profile=profile).calibrated()
    zero = start_s(clip)
    clip.run_until(zero + 85)
    began = [at for at, duty in clip.edges if duty]
    assert 40 + 10 <= began[0] / 1e6 - zero <= 40 + 12.5
    assert clip.pulses()[:3] == pytest.approx([250, 250, 250], abs=5)
    assert clip.names().count("buzz") == 2  # once more after 15 s
    assert clip.names()[-1] == "recovered"
    assert clip.honest()


def test_the_bus_is_left_alone_while_the_motor_is_driven() -> None:
    clip = Clip(Walker(leans=LEAN)).calibrated()
    clip.run_until(start_s(clip) + 45)
    driven = 0
    glances = 0
    while clip.clock.now_us < (start_s(clip) + 60) * 1e6:
        busy = clip.device.buzzing
        before = clip.bus.n_transfers
        was_on = clip.motor_on
        clip.step()
        if busy and was_on and clip.motor_on:
            driven += 1
            # One look, for which the drive rests; nothing is drained.
            assert clip.bus.n_transfers - before <= 1
            glances += clip.bus.n_transfers - before
    assert driven
    assert glances


@pytest.mark.parametrize("profile", CHIPS)
def test_nothing_is_lost_while_the_motor_keeps_the_fifo_waiting(profile: str) -> None:
    clip = Clip(Walker(leans=((40.0, 100.0, 20.0),)), profile=profile).calibrated()
    clip.run_until(start_s(clip) + 120)
    assert clip.names().count("buzz") >= 3
    assert "gap" not in clip.names()
    assert clip.field("gap_s") == 0


def test_no_sleep_is_shorter_than_the_shortest_that_an_nrf_can_be_woken_from(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = Clip(Walker(leans=LEAN), profile=CHIPS[0]).calibrated()
    slept: list[float] = []
    rest = clip.device.rest

    def counted(sleep: Callable[[float], None]) -> None:
        def nap(seconds: float) -> None:
            slept.append(seconds)
            sleep(seconds)

        rest(nap)

    monkeypatch.setattr(clip.device, "rest", counted)
    clip.run_until(start_s(clip) + 60)
    clip.port.host.open()
    clip.run_for(5)
    assert len(clip.pulses()) >= 3
    assert len(slept) > 1000
    assert min(slept) >= 0.005
    assert max(slept) < 0.1


def test_the_loop_turns_four_times_a_second_for_the_sensor() -> None:
    clip = Clip(button=False).calibrated()
    clip.run_until(start_s(clip) + 10)
    drained = []
    drain = clip.imu.drain

    def counted() -> int:
        n = int(drain())
        drained.append(n)
        return n

    clip.imu.drain = counted
    clip.run_for(20)
    assert len(drained) <= 20 * 4 + 2
    assert set(drained) <= {12, 13, 14}


@pytest.mark.parametrize("ppm", [-50000, -20000, 3000, 20000, 50000])
def test_an_oscillator_five_percent_off_is_no_gap(ppm: int) -> None:
    clip = Clip(rate_ppm=ppm).calibrated()
    clip.run_until(start_s(clip) + 90)
    assert clip.field("gap_s") == 0
    assert clip.device.errors == 0


def test_a_slow_loop_loses_time_but_no_honesty(seed: int) -> None:
    chance = random.Random(seed)
    clip = walking(20)
    for _ in range(200):
        clip.step()
        clip.clock.sleep(chance.choice((0.0, 0.3, 1.0, 4.0)))
    # Four seconds twice, with a look while the motor is driven in between, are more than the FIFO holds.
    assert clip.field("gap_s") <= 2
    for _ in range(5):
        clip.step()
        clip.clock.sleep(30.0)  # longer than any FIFO
    clip.run_for(3)
    assert 5 * 28 <= clip.field("gap_s") <= 5 * 32 + 2
    assert clip.honest()


def test_ticks_that_wrap_change_nothing() -> None:
    told = []
    for offset_ms in (0, (1 << 29) - 45_000):
        clip = Clip(Walker(leans=LEAN), boot=False)
        clip.clock._offset_ms = offset_ms  # type: ignore[attr-defined]
        clip.boot()
        clip.calibrated()
        clip.run_until(80)
        told.append((clip.told, clip.pulses(), clip.device.uptime_s()))
    assert told[0] == told[1]


@pytest.mark.parametrize("jump_ms", [-3_600_000, -1000, 11_000, 3_600_000, 1 << 27])
def test_a_clock_that_jumps_neither_stops_the_device_nor_invents_time(jump_ms: int) -> None:
    clip = walking(30)
    Visit(clip.device, clip.port).set_clock(200_000_000)
    clip.clock._offset_ms += jump_ms  # type: ignore[attr-defined]
    before = clip.field("wear_s")
    clip.run_for(20)
    assert clip.field("gap_s") == 0
    assert 19 <= clip.field("wear_s") - before <= 21
    assert clip.device.sensor_ok
    assert abs(clip.device.utc_s() - clip.rtc.utc_s) <= 12


# ---- sessions -------------------------------------------------------------------------------------------------------


def test_a_walk_leaves_one_record_of_the_walk_alone() -> None:
    clip = Clip(Walker(still=((0.0, 6.0), (200.0, 99999.0))), button=False).calibrated()
    zero = start_s(clip)
    clip.run_until(zero + 205)
    assert clip.field("wear_s") >= 203
    clip.run_until(zero + 850)
    assert not clip.device.session.open
    assert clip.device.journal.count == 1
    assert 195 <= clip.field("wear_s") <= 205  # ten minutes of sitting are not in it
    assert clip.field("walking_s") >= 185
    clip.run_until(zero + 1000)
    assert clip.device.journal.count == 1
    assert clip.device.journal.unsaved == 0


def test_who_walks_again_opens_the_next_record() -> None:
    clip = Clip(Walker(still=((0.0, 6.0), (200.0, 900.0), (1100.0, 99999.0))), button=False).calibrated()
    clip.run_until(start_s(clip) + 1720)
    assert clip.device.journal.count == 2


def test_a_day_on_a_table_leaves_no_record_and_writes_nothing() -> None:
    clip = Clip(Walker(still=((0.0, 99999.0),)), button=False).calibrated()
    clip.run_until(5)
    commits = clip.device.journal.head[journal.J_COMMITS]
    clip.run_until(1300)
    assert clip.device.journal.count == 0
    assert clip.device.journal.head[journal.J_COMMITS] == commits


@pytest.mark.parametrize("ppm", [0, -50000, 50000])
def test_a_session_begins_in_the_second_of_its_first_row(ppm: int) -> None:
    """Its first quarter of a second lies in the FIFO before it opens; switched on at any moment of a second."""
    starts = set()
    for moment in range(8):
        clip = Clip(Walker(still=((0.0, 1.0),)), rate_ppm=ppm).calibrated()
        clip.run_until(8)
        clip.press(8.05, 3.2)
        clip.run_for(6)
        assert clip.device.off
        clip.press(14.1 + 0.125 * moment)
        began_s = 0.0
        while not clip.device.session.open:
            began_s = clip.clock.now_us / 1e6
            clip.step()
        number = clip.device.trace.next_block
        clip.run_for(63)
        assert clip.device.trace.next_block == number + 1
        rows = blocks_of(clip)[number].rows
        assert clip.field("start_uptime_s") == rows[0].uptime_s
        starts.add((rows[0].uptime_s, int(began_s)))
    assert len({began - start for start, began in starts}) == 2, "never across the edge of a second"


def blocks_of(clip: Clip) -> dict[int, retrace.Block]:
    """What stands in the trace's file, by number."""
    blocks = {}
    with clip.files.open(clip.profile.trace_file, "rb") as file:
        for at in range(clip.profile.trace_blocks):
            file.seek(at * 512)
            raw = file.read(512)
            try:
                block = retrace.Block(raw)
            except retrace.BadBlock:
                continue
            blocks[block.number] = block
    return blocks


def test_no_session_opens_while_a_computer_is_connected_and_one_ends_when_it_comes() -> None:
    clip = Clip(boot=False)
    clip.supply.usb = True
    clip.boot()
    clip.calibrated()
    clip.run_until(60)
    assert not clip.device.session.open
    clip.supply.usb = False
    clip.run_until(250)
    assert clip.device.session.open
    clip.supply.usb = True
    clip.run_until(255)
    assert not clip.device.session.open
    assert clip.device.journal.count == 1


def test_seconds_on_a_charger_are_left_out() -> None:
    clip = walking(60)
    clip.supply.charging = True
    clip.run_for(30)
    assert 28 <= clip.field("charging_s") <= 31
    clip.supply.charging = False
    clip.run_for(10)
    assert clip.honest()


def test_a_session_of_eighteen_hours_is_split() -> None:
    clip = walking(30)
    fields = clip.device.session.fields
    fields[r.S_GOOD_S] += 64700
    fields[r.S_WEAR_S] += 64700
    clip.run_for(200)
    assert clip.device.journal.count == 1
    assert clip.device.session.open
    assert clip.field("wear_s") < 300
    assert clip.field("flags") & r.FLAG_SPLIT


def test_a_low_battery_writes_one_last_record_and_switches_off() -> None:
    clip = walking(200)
    clip.supply.battery_mv = wearing.LOW_BATTERY_MV - 10
    clip.run_for(60)
    assert clip.device.off
    assert clip.device.journal.count == 1
    assert clip.field("flags") & r.FLAG_LOW_BATTERY
    commits = clip.device.journal.head[journal.J_COMMITS]
    clip.run_for(600)
    assert clip.device.journal.head[journal.J_COMMITS] == commits
    assert not clip.motor_on


def test_a_dip_of_the_battery_is_not_low() -> None:
    clip = walking(30)
    for _ in range(4):
        clip.supply.battery_mv = 3200
        clip.run_for(15)
        clip.supply.battery_mv = 3700
        clip.run_for(15)
    assert not clip.device.off


def test_what_was_learned_survives_a_restart() -> None:
    clip = Clip()
    clip.press(8.0)
    clip.press(8.3)
    clip.run_until(30)
    # Nobody stands still on a walk: refused.
    assert not clip.device.journal.calibrated
    clip = Clip(Walker(still=((0.0, 20.0),)))
    clip.press(3.0)
    clip.press(3.3)
    clip.run_until(200)
    assert clip.device.journal.calibrated
    boot = clip.device.journal.boot
    upright = list(clip.device.chain.upright)
    clip.power_cut()
    clip.boot()
    clip.run_for(1)
    assert clip.device.chain.calibrated
    assert list(clip.device.chain.upright) == upright
    assert clip.device.journal.boot == boot + 1


# ---- button ---------------------------------------------------------------------------------------------------------


def test_two_presses_calibrate_and_three_light_buzzes_say_so() -> None:
    clip = Clip(Walker(still=((0.0, 60.0),)))
    clip.press(5.0)
    clip.press(5.3)
    clip.run_until(15)
    assert clip.device.chain.calibrated
    assert clip.pulses() == pytest.approx([150, 150, 150], abs=5)
    assert Visit(clip.device, clip.port).calibration_status() == wire.CALIBRATION_NAMES.index("done")


def test_a_calibration_in_motion_is_refused_with_a_pattern_of_its_own() -> None:
    clip = Clip()
    clip.press(10.0)
    clip.press(10.3)
    clip.run_until(20)
    assert not clip.device.chain.calibrated
    assert clip.pulses() == pytest.approx([900], abs=5)
    assert Visit(clip.device, clip.port).calibration_status() == wire.CALIBRATION_NAMES.index("refused_moving")


def test_two_more_presses_within_ten_seconds_take_it_back_without_a_commit() -> None:
    clip = Clip(Walker(still=((0.0, 200.0),)))
    for at in (6.0, 6.3, 36.0, 36.3, 43.0, 43.3):
        clip.press(at)
    clip.run_until(35)
    before = list(clip.device.chain.upright)
    commits = clip.device.journal.head[journal.J_COMMITS]
    clip.run_until(41)
    assert list(clip.device.chain.upright) != before
    clip.run_until(47)
    assert list(clip.device.chain.upright) == before
    clip.run_until(90)
    assert clip.device.journal.head[journal.J_COMMITS] == commits


def test_the_first_calibration_taken_back_leaves_none() -> None:
    clip = Clip(Walker(still=((0.0, 200.0),)))
    for at in (6.0, 6.3, 13.0, 13.3):
        clip.press(at)
    clip.run_until(12)
    assert clip.device.chain.calibrated
    clip.run_until(17)
    assert not clip.device.chain.calibrated


def test_one_press_snoozes_and_the_next_ends_it() -> None:
    clip = Clip(Walker(leans=((40.0, 100.0, 20.0),))).calibrated()
    zero = start_s(clip)
    clip.press(zero + 30)
    clip.press(zero + 70)
    clip.run_until(zero + 69)
    assert "buzz" not in clip.names()
    assert clip.field("snoozed_s") >= 30
    clip.run_until(zero + 95)
    assert "buzz" in clip.names()


def test_three_presses_are_a_mark() -> None:
    clip = walking(20)
    now = clip.clock.now_us / 1e6
    for k in range(3):
        clip.press(now + 1 + 0.3 * k)
    clip.run_for(5)
    assert clip.field("discomfort_marks") == 1


def test_held_a_second_after_a_buzz_it_was_wrong_and_otherwise_nothing() -> None:
    clip = Clip(Walker(leans=LEAN)).calibrated()
    zero = start_s(clip)
    clip.press(zero + 30, 1.4)
    clip.run_until(zero + 54)
    assert "buzz" in clip.names()
    assert clip.field("wrong_marks") == 0
    clip.press(zero + 55, 1.4)
    clip.run_until(zero + 68)
    assert clip.field("wrong_marks") == 1
    assert clip.names().count("buzz") == 1  # mute: no second buzz


@pytest.mark.parametrize("profile", CHIPS)
def test_held_three_seconds_it_writes_the_walk_and_sleeps_until_pressed(profile: str) -> None:
    clip = walking(200, profile=profile)
    now = clip.clock.now_us / 1e6
    clip.press(now + 1, 3.5)
    clip.run_for(10)
    assert clip.device.off
    assert clip.device.journal.count == 1
    assert clip.device.journal.unsaved == 0
    assert not clip.motor_on
    assert (not clip.imu_power.value) if clip._has_imu_power else clip.chip.register(0x10) == 0
    transfers = clip.bus.n_transfers
    clip.run_for(60)
    assert clip.bus.n_transfers == transfers
    clip.press(clip.clock.now_us / 1e6 + 1)
    clip.run_for(30)
    assert not clip.device.off
    assert clip.device.sensor_ok
    assert clip.device.session.open
    assert clip.device.chain.calibrated


# ---- bow ------------------------------------------------------------------------------------------------------------


def bowing(yaw_deg: float, bow: bool = True, **how: Any) -> tuple[Clip, Yawed]:
    """A clip that sits askew on somebody who stands, presses twice at 4 s and bows at 11 s."""
    source = Yawed(Walker(still=((0.0, 200.0),), leans=((11.5, 13.5, 25.0),)), yaw_deg)
    clip = Clip(source, **how)
    clip.device.settings.set("bow", 1 if bow else 0)
    clip.press(4.0)
    clip.press(4.3)
    return clip, source


def off_forward_deg(clip: Clip, source: Yawed) -> float:
    """How far what the detector takes for forward lies from what is."""
    told = [value / 16384 for value in clip.device.chain.detector._f]
    dot = sum(a * b for a, b in zip(told, source.forward, strict=True))
    return math.degrees(math.acos(max(-1.0, min(1.0, dot))))


@pytest.mark.parametrize("yaw_deg", [-140.0, -60.0, 0.0, 35.0, 90.0, 180.0])
def test_a_bow_finds_forward_whatever_way_the_clip_sits_and_both_are_one_commit(yaw_deg: float) -> None:
    clip, source = bowing(yaw_deg)
    clip.run_until(10)
    assert clip.device.chain.calibrated
    commits = clip.device.journal.head[journal.J_COMMITS]
    clip.run_until(19)
    assert off_forward_deg(clip, source) < 4
    assert clip.pulses() == pytest.approx([150] * 6, abs=5)
    clip.run_until(60)
    assert clip.device.journal.head[journal.J_COMMITS] == commits + 1
    assert clip.device.journal.unsaved == 0
    clip.power_cut()
    clip.boot()
    clip.run_for(1)
    assert off_forward_deg(clip, source) < 4


def test_without_the_setting_a_bow_is_no_matter_and_the_axis_holds() -> None:
    clip, source = bowing(60.0, bow=False)
    clip.run_until(30)
    assert off_forward_deg(clip, source) == pytest.approx(60, abs=1)
    assert clip.pulses() == pytest.approx([150] * 3, abs=5)


def test_a_bow_that_does_not_come_is_told_and_the_axis_holds() -> None:
    clip = Clip(Walker(still=((0.0, 99.0),)))
    clip.device.settings.set("bow", 1)
    clip.press(4.0)
    clip.press(4.3)
    clip.run_until(30)
    assert clip.pulses() == pytest.approx([150] * 3 + [900], abs=1)
    assert clip.device.chain.detector._f[2] > 16300
    assert clip.device.chain.calibrated


def test_a_later_calibration_keeps_what_the_bow_found_unless_another_bow_is_asked_for() -> None:
    clip, source = bowing(120.0)
    clip.press(40.0)
    clip.press(40.3)
    clip.press(80.0)
    clip.press(80.3)
    clip.run_until(35)
    clip.device.settings.set("bow", 0)
    clip.run_until(70)
    assert off_forward_deg(clip, source) < 4
    clip.device.settings.set("bow", 1)
    clip.run_until(120)
    assert off_forward_deg(clip, source) == pytest.approx(120, abs=2)
    assert not any(clip.device.journal.calibration[journal.CAL_FORWARD : journal.CAL_FORWARD + 3])


def test_what_a_bow_found_near_up_of_a_new_upright_is_given_up() -> None:
    clip, _ = bowing(0.0, bow=False)
    clip.device.journal.calibration[journal.CAL_FORWARD + 1] = 16384  # straight up
    clip.run_until(30)
    assert clip.device.chain.calibrated
    assert not any(clip.device.journal.calibration[journal.CAL_FORWARD : journal.CAL_FORWARD + 3])
    assert clip.device.chain.detector._f[2] > 16300


def test_a_bow_is_taken_back_with_its_calibration() -> None:
    clip, source = bowing(50.0)
    clip.press(21.2)
    clip.press(21.5)
    clip.run_until(21)
    assert off_forward_deg(clip, source) < 4
    clip.run_until(40)
    assert not clip.device.chain.calibrated
    assert not any(clip.device.journal.calibration)


def test_an_axis_set_by_a_host_counts_for_more_than_an_earlier_bow() -> None:
    clip, source = bowing(90.0)
    clip.run_until(35)
    assert off_forward_deg(clip, source) < 4
    clip.ask(wire.SETTINGS_SET, bytes([1, s.SET_FORWARD_AXIS, s.parse_text("forward_axis", "+x"), 0, 0, 0]))
    assert clip.device.chain.detector._f[0] > 16300
    assert not any(clip.device.journal.calibration[journal.CAL_FORWARD : journal.CAL_FORWARD + 3])


# ---- host -----------------------------------------------------------------------------------------------------------


def test_a_hosts_hello_ends_the_walk_and_fetch_brings_it() -> None:
    clip = walking(200)
    hello = clip.hello()
    assert hello["sessions"] == 1
    assert hello["board"] == "Seeed_XIAO_nRF52840_Sense"
    assert hello["chip"]
    assert hello["battery_mv"] == 3900
    replies = clip.ask(wire.FETCH, b"\x00\x00\x00\x00", 2)
    (record,) = replies[wire.RECORD]
    fields = r.new_session_fields()
    assert r.unpack_session_into(record, 3, fields) == r.RECORD_OK
    assert r.session_fault(fields) == ""
    assert 190 <= fields[r.S_WEAR_S] <= 205


def test_settings_from_the_host_hold_at_once_and_after_a_restart() -> None:
    clip = walking(20)
    body = bytes([1, s.SET_HOLD_S, 25, 0, 0, 0])
    assert wire.SETTINGS_SET | wire.REPLY in clip.ask(wire.SETTINGS_SET, body)
    assert clip.device.chain.detector.forward.hold == 25 * 4
    clip.run_for(10)
    assert clip.device.journal.unsaved == 0
    clip.power_cut()
    clip.boot()
    assert clip.device.settings.get("hold_s") == 25


def test_the_clock_from_the_host_dates_the_walk_under_way() -> None:
    clip = walking(60)
    Visit(clip.device, clip.port).set_clock(200_000_000)
    assert 200_000_000 - 62 <= clip.field("start_utc_s") <= 200_000_000 - 57
    assert clip.device.utc_s() == 200_000_000
    clip.run_for(10)
    assert clip.device.utc_s() in (200_000_009, 200_000_010)
    assert clip.rtc.utc_s in (200_000_009, 200_000_010)


def test_without_memory_for_a_computer_the_walk_goes_on_and_it_is_let_in_when_there_is_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip = walking(20)

    def no_memory(*args: object) -> None:
        raise MemoryError("memory allocation failed")

    with monkeypatch.context() as short:
        short.setattr("walktall.visit.Visit", no_memory)
        clip.port.host.open()  # type: ignore[attr-defined]
        wear_s = clip.field("wear_s")
        clip.run_for(25)
        assert clip.device.link is None
        assert clip.device.last_error == "link MemoryError memory "  # 24 characters
        assert clip.device.errors == 3  # every ten seconds, not at each turn
        assert clip.field("wear_s") - wear_s >= 24 and clip.honest()
    clip.run_for(11)
    assert clip.device.link is not None
    assert clip.hello()["errors"] == 3


def test_a_computer_that_has_gone_for_a_while_takes_no_memory_any_more_and_is_let_in_again() -> None:
    clip = walking(20)
    host = clip.port.host  # type: ignore[attr-defined]
    for bad in (1, 2):
        host.open()
        clip.run_for(1)
        host.write(b"\x00\x05garbage\x00")
        clip.run_for(1)
        assert clip.device.link.bad_frames == bad  # counted since the start, over all visits
        host.close()
        clip.run_for(8)
        assert clip.device.link is not None
        clip.run_for(4)
        assert clip.device.link is None and clip.device.visit is None
    assert clip.device.session.open


def test_a_computer_that_goes_while_it_is_let_in_costs_no_turn_more() -> None:
    clip = walking(20)
    turns = []
    for visits in (False, True):
        if visits:
            for modules in (1, 2, 3):  # a port that is opened and closed at once, as by a program that looks at all
                clip.port.host.open()  # type: ignore[attr-defined]
                while clip.device.arriving < modules:
                    clip.step()
                clip.port.host.close()  # type: ignore[attr-defined]
                clip.run_for(1)
        assert clip.device.arriving == 0 and clip.device.link is None
        end_us = clip.clock.now_us + 20_000_000
        turns.append(0)
        while clip.clock.now_us < end_us:
            clip.step()
            turns[-1] += 1
    assert abs(turns[1] - turns[0]) <= 20, turns


def test_a_file_that_cannot_be_compiled_keeps_the_computer_out_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip = walking(20)

    def half_written(*args: object) -> None:
        raise SyntaxError("invalid syntax")

    monkeypatch.setattr("walktall.visit.Visit", half_written)
    clip.port.host.open()  # type: ignore[attr-defined]
    wear_s = clip.field("wear_s")
    clip.run_for(125)  # twelve times: ten turns in a row that fail are for `code.py`
    assert clip.device.errors == 13 and clip.device.last_error.startswith("link SyntaxError")
    assert clip.field("wear_s") - wear_s >= 124 and clip.honest()


def test_in_maintenance_what_answers_a_computer_is_loaded_before_its_files_are_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip = walking(20)
    clip.device._maintenance = True
    clip.run_for(1)
    assert clip.device.link is not None  # nobody has opened the port

    def of_another_firmware(*args: object) -> None:
        raise AttributeError("no such attribute")

    monkeypatch.setattr("walktall.visit.Visit", of_another_firmware)
    for _ in range(2):
        clip.hello()
        clip.port.host.close()  # type: ignore[attr-defined]
        clip.run_for(30)  # the files are copied
    assert clip.hello()["errors"] == 0


def test_live_data_comes_with_each_tick_while_wanted() -> None:
    clip = walking(20)
    clip.ask(wire.LIVE, b"\x01")
    clip.run_for(5)
    data = bytes(clip.port._to_host)  # type: ignore[attr-defined]
    assert 18 <= data.count(b"\x00") // 2 <= 22
    clip.port.host.close()  # type: ignore[attr-defined]
    clip.run_for(1)
    assert not clip.device.link.live


def test_a_host_can_calibrate_and_identify() -> None:
    clip = Clip(Walker(still=((0.0, 99.0),)))
    clip.run_until(3)
    running = clip.ask(wire.CALIBRATE, bytes([wire.CAL_START]))[wire.CALIBRATE | wire.REPLY][0]
    assert wire.CALIBRATION_NAMES[running[0]] == "running"
    clip.run_for(6)
    done = clip.ask(wire.CALIBRATE, bytes([wire.CAL_ASK]), 2)[wire.CALIBRATE | wire.REPLY][0]
    assert wire.CALIBRATION_NAMES[done[0]] == "done"
    before = len(clip.pulses())
    clip.ask(wire.IDENTIFY, b"", 3)
    clip.run_for(3)
    assert clip.pulses()[before:] == pytest.approx([200] * 5, abs=5)


def test_maintenance_is_refused_where_nobody_can_restart() -> None:
    clip = Clip()
    clip.run_until(2)
    assert wire.ERROR in clip.ask(wire.MAINTENANCE)
    clip.device._may_restart = True
    assert wire.MAINTENANCE | wire.REPLY in clip.ask(wire.MAINTENANCE, b"", 2)
    assert clip.device.restart_wanted


# ---- what fails -----------------------------------------------------------------------------------------------------

Break = Callable[[Clip], None]


def _power_off(clip: Clip) -> None:
    clip.imu_power._on_change = None  # the wire is off: what the pin does changes nothing
    clip.chip.set_power(False)


def _power_on(clip: Clip) -> None:
    clip.imu_power._on_change = clip.chip.set_power
    clip.chip.set_power(clip.imu_power.value or not clip._has_imu_power)


FAULTS: dict[str, tuple[Break, Break]] = {
    "unpowered": (_power_off, _power_on),
    "stuck bus": (lambda c: setattr(c.bus, "stuck", True), lambda c: setattr(c.bus, "stuck", False)),
    "no acknowledge": (lambda c: c.chip.nack_next(10**9), lambda c: c.chip.nack_next(0)),
    "frozen": (lambda c: c.chip.freeze(True), lambda c: c.chip.freeze(False)),
}


@pytest.mark.parametrize("profile", CHIPS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_failed_sensor_is_a_gap_and_back_within_three_seconds(name: str, profile: str, seed: int) -> None:
    clip = walking(30, profile=profile)
    clip.run_for(random.Random(f"{seed} {name} {profile}").random())
    begin, end = FAULTS[name]
    before = {key: clip.field(key) for key in ("gap_s", "good_s", "wear_s")}
    began_us = clip.clock.now_us
    begin(clip)
    clip.run_for(12)
    end(clip)
    lasted_s = (clip.clock.now_us - began_us) / 1e6
    clip.run_for(3)
    assert clip.device.sensor_ok, clip.device.last_error
    assert clip.device.last_error
    assert not clip.motor_on
    clip.run_for(10)
    assert lasted_s - 2 <= clip.field("gap_s") - before["gap_s"] <= lasted_s + 5
    assert clip.field("good_s") - before["good_s"] <= 12
    assert abs(clip.field("wear_s") - before["wear_s"] - lasted_s - 13) <= 2
    assert clip.field("flags") & r.FLAG_SENSOR
    assert clip.honest()


@pytest.mark.parametrize("name", FAULTS)
def test_a_sensor_that_fails_while_the_motor_runs_stops_it(name: str) -> None:
    clip = Clip(Walker(leans=LEAN)).calibrated()
    clip.run_until(start_s(clip) + 45)
    while not clip.motor_on:
        clip.step()
    FAULTS[name][0](clip)
    clip.run_for(5)
    assert not clip.motor_on
    assert "buzz" in clip.names()
    before = clip.names().count("buzz")
    clip.run_for(20)
    assert clip.names().count("buzz") == before


@pytest.mark.parametrize("profile", CHIPS)
def test_a_sensor_that_was_reset_behind_our_back_is_set_up_again(profile: str, seed: int) -> None:
    clip = walking(30, profile=profile)
    clip.run_for(random.Random(seed).random())
    before = clip.field("gap_s")
    clip.chip.silent_reset()
    clip.run_for(3)
    assert clip.imu.check()
    clip.run_for(5)
    assert 1 <= clip.field("gap_s") - before <= 4
    assert "reset" in clip.device.last_error
    assert clip.honest()


@pytest.mark.parametrize("how", ["absent", "wrong id", "stays in reset"])
def test_a_device_with_a_dead_sensor_boots_says_so_and_works_when_it_comes(how: str) -> None:
    clip = Clip(boot=False)
    breaks: dict[str, tuple[Break, Break]] = {
        "absent": (lambda c: c.chip.nack_next(10**9), lambda c: c.chip.nack_next(0)),
        "wrong id": (lambda c: c.chip.wrong_id(0x33), lambda c: c.chip.wrong_id(None)),
        "stays in reset": (lambda c: c.chip.stick_reset(True), lambda c: c.chip.stick_reset(False)),
    }
    breaks[how][0](clip)
    clip.boot()
    clip.calibrated()
    clip.run_until(20)
    assert not clip.device.sensor_ok
    assert "imu" in clip.device.last_error
    assert clip.led.colour in (wearing.LED_FAULT, wearing.LED_OFF)
    assert {colour for _, colour in clip.led.changes} == {wearing.LED_FAULT, wearing.LED_OFF}
    hello = clip.hello()
    assert 18 <= clip.field("gap_s") <= 22
    assert hello["flags"] & wire.HF_SENSOR_FAULT
    breaks[how][1](clip)
    clip.run_for(3)
    assert clip.device.sensor_ok
    clip.run_for(20)
    assert clip.device.session.open


def test_the_sensor_is_tried_less_and_less_often() -> None:
    clip = walking(10)
    clip.chip.nack_next(10**9)
    clip.run_for(1)
    tried = []
    power_cycle = clip.imu.power_cycle

    def watched() -> None:
        tried.append(clip.clock.now_us / 1e6)
        power_cycle()

    clip.imu.power_cycle = watched
    clip.run_for(20)
    pauses = [b - a for a, b in itertools.pairwise(tried)]
    assert 1.4 < pauses[-1] < 1.8
    assert pauses == sorted(pauses) or max(pauses) < 1.8
    assert 10 <= len(tried) <= 17


def test_extreme_samples_neither_buzz_nor_stop_anything(seed: int) -> None:
    clip = walking(20)
    chance = random.Random(seed)

    class Extreme:
        def block(self, i0: int, n: int) -> Any:
            import numpy as np

            rows = [[chance.choice((-1e9, 1e9, 0.0)) for _ in range(6)] for _ in range(n)]
            return np.array(rows)

    clip.chip.source = Extreme()
    clip.run_for(60)
    assert clip.device.errors == 0 or "imu" in clip.device.last_error
    assert "buzz" not in clip.names()
    assert clip.honest()


def test_a_motor_that_is_missing_does_not_stop_the_walk() -> None:
    clip = Clip(Walker(leans=LEAN)).calibrated()

    class Gone:
        @property
        def duty_u16(self) -> int:
            return 0

        @duty_u16.setter
        def duty_u16(self, duty_u16: int) -> None:
            raise OSError(19)

    clip.device._motor = Gone()
    clip.run_until(start_s(clip) + 85)
    assert clip.device.last_error.startswith("motor OSError 19")
    assert "recovered" in clip.names()
    assert clip.field("gap_s") == 0


@pytest.mark.parametrize(
    "where",
    ["chain.burst", "_buttons.step", "link.poll", "_buzz.step", "journal.poll", "_supply.receive", "session.second"],
)
def test_an_exception_in_any_module_stops_the_motor_and_ends_that_turn_alone(where: str) -> None:
    clip = Clip(Walker(leans=LEAN)).calibrated()
    clip.run_until(start_s(clip) + 20)
    if where == "link.poll":
        clip.port.host.open()
    clip.run_until(start_s(clip) + 45)
    while not clip.motor_on:
        clip.step()
    owner, name = where.rsplit(".", 1)
    owner_object = getattr(clip.device, owner)
    honest = getattr(owner_object, name)
    left = 3

    def broken(*args: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            raise KeyError("made up")
        return honest(*args)

    setattr(owner_object, name, broken)
    while left == 3:
        clip.step()
    assert not clip.motor_on
    clip.run_for(5)
    assert clip.device.last_error == "poll KeyError made up"
    assert clip.device.errors == 3 - left
    wear = clip.field("wear_s")
    clip.run_for(10)
    assert clip.field("wear_s") - wear >= 9
    assert clip.honest()


def test_ten_failed_turns_in_a_row_are_for_the_program_to_start_anew() -> None:
    clip = walking(10)

    def broken(*args: object) -> None:
        raise ZeroDivisionError

    clip.device.chain.burst = broken
    with pytest.raises(ZeroDivisionError):
        clip.run_for(60)
    assert not clip.motor_on


def test_a_memory_that_cannot_be_read_is_read_when_it_can() -> None:
    clip = Clip(Walker(still=((0.0, 20.0),)))
    clip.press(3.0)
    clip.press(3.3)
    clip.run_until(40)
    clip.power_cut()

    class Gone:
        size = 4096
        gone = True

        def __init__(self, bank: Any) -> None:
            self.bank = bank

        def read_into(self, offset: int, buf: Any) -> None:
            if Gone.gone:
                raise OSError(5)
            self.bank.read_into(offset, buf)

        def write(self, buf: Any) -> None:
            self.bank.write(buf)

    banks = clip._banks
    clip._banks = lambda: tuple(Gone(bank) for bank in banks())  # type: ignore[method-assign]
    clip.boot()
    clip.run_for(5)
    assert "journal" in clip.device.last_error
    assert not clip.device.chain.calibrated
    Gone.gone = False
    clip.run_for(70)
    assert clip.device.chain.calibrated
    assert not clip.device.journal.read_only


def test_a_flooding_host_does_not_starve_the_sensor(seed: int) -> None:
    clip = walking(20)
    chance = random.Random(seed)
    host = clip.port.host  # type: ignore[attr-defined]
    host.open()
    end_us = clip.clock.now_us + 20_000_000
    while clip.clock.now_us < end_us:
        room = 1024 - len(clip.port._to_device)  # type: ignore[attr-defined]
        if room > 0:
            host.write(chance.randbytes(room))
        clip.step()
        host.reset_input_buffer()
    assert clip.field("gap_s") == 0
    assert clip.device.link.bad_frames > 100


def test_a_host_that_stops_reading_costs_nothing() -> None:
    clip = walking(20)
    clip.ask(wire.LIVE, b"\x01")
    clip.run_for(60)
    assert clip.field("gap_s") == 0
    assert clip.device.errors == 0


def test_patterns_of_the_device_shake_the_chain() -> None:
    clip = walking(20)
    Visit(clip.device, clip.port).identify()
    assert clip.device.chain._shaken >= buzz.samples(buzz.P_IDENTIFY) + 13
