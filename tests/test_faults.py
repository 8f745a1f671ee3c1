"""Never stuck: every fault of the device's list, at a random moment and at the worst ones, on the virtual board.

What is held after each: the motor is off within 100 ms (of a hang: of the watchdog's time-out), nothing is driven while
it lasts, the device is back in service within 3 s of the cause's going (10 s where it takes a restart), every second
that it missed is a gap and none is good, and ``info`` is told the reason. How long each takes is measured in
``test_fault_times``.
"""

from __future__ import annotations

import importlib
import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from walktall import journal, wire
from walktall import records as r
from walktall import settings as s
from walktall.hw.haptic import HapticMotor
from walktall.visit import Visit
from walktall_sim import board as board_module
from walktall_sim import flash
from walktall_sim.board import Hang

from tests.walking_board import Clip, Walker

XIAO, NANO = "Seeed_XIAO_nRF52840_Sense", "arduino_nano_rp2040_connect"
ROOT = Path(__file__).resolve().parent.parent
MOTOR_OFF_US = 100_000
BACK_S = 3.0
BACK_AFTER_RESTART_S = 10.0

Step = Callable[[Clip], None]


def quick_settings() -> Any:
    """A lean buzzes within seconds, so that the tests need not wait for it."""
    held = s.Settings()
    assert held.set_together([(s.SET_HOLD_S, 2), (s.SET_SPACING_S, 0), (s.SET_WALK_OFFSET_MAX_DEG, 0)])
    return held


def scene(profile: str = XIAO, leaning: bool = True, deg: float = 25.0, **how: Any) -> Clip:
    """A walker under way who leans from 11 s on, and is buzzed at about 14 s."""
    leans = ((11.0, 400.0, deg),) if leaning else ()
    clip = Clip(Walker(leans=leans), profile=profile, settings=quick_settings(), **how).calibrated()
    clip.run_until(9.5)
    assert clip.device.session.open
    return clip


# ---- moments --------------------------------------------------------------------------------------------------------


def at_random(clip: Clip, chance: random.Random) -> None:
    clip.run_for(0.5 + chance.random())


def in_a_buzz(clip: Clip, chance: random.Random) -> None:
    while not clip.motor_on:
        clip.step()
        assert clip.clock.now_us < 40e6
    for _ in range(chance.randrange(5)):
        clip.step()


def in_a_calibration(clip: Clip, chance: random.Random) -> None:
    clip.run_for(0.2)
    clip.device.begin_calibration()
    clip.run_for(0.2 + chance.random())
    assert clip.device.chain.calibrator.state


def before_a_commit(clip: Clip, chance: random.Random) -> None:
    """The turn before the journal is written."""
    Visit(clip.device, clip.port).settings_changed()
    uptime_s = clip.device.uptime_s()
    while clip.device.uptime_s() < uptime_s + journal.SETTLE_S:
        clip.step()


def at_the_sessions_end(clip: Clip, chance: random.Random) -> None:
    """A host's HELLO lies in the port: the next turn ends the session."""
    clip.run_for(chance.random())
    host = clip.port.host  # type: ignore[attr-defined]
    host.open()
    host.write(wire.encode(wire.HELLO, 1))


MOMENTS: dict[str, Callable[[Clip, random.Random], None]] = {
    "random": at_random,
    "in a buzz": in_a_buzz,
    "in mid-burst": at_random,
    "in a calibration": in_a_calibration,
    "before a commit": before_a_commit,
    "at the session's end": at_the_sessions_end,
}


# ---- faults of the sensor -------------------------------------------------------------------------------------------


def _wire_off(clip: Clip) -> None:
    clip.imu_power._on_change = None  # the wire is off: what the pin does changes nothing
    clip.chip.set_power(False)


def _wire_on(clip: Clip) -> None:
    clip.imu_power._on_change = clip.chip.set_power
    clip.chip.set_power(clip.imu_power.value or not clip._has_imu_power)


class _Constant:
    """A sensor that feels the same for ever, whatever its scale."""

    def __init__(self, row: list[float]) -> None:
        self._row = row

    def block(self, i0: int, n: int) -> Any:
        return np.array([self._row] * n)


class _Wild:
    """Every value at one end or the other, or nothing: what a broken converter gives."""

    def __init__(self, seed: int) -> None:
        self._rows = np.random.default_rng(seed).choice([-1e9, 0.0, 1e9], (997, 6))

    def block(self, i0: int, n: int) -> Any:
        return self._rows.take(range(i0, i0 + n), axis=0, mode="wrap")


def _feels(make: Callable[[], Any]) -> tuple[Step, Step]:
    def begin(clip: Clip) -> None:
        clip.chip.catch_up()
        clip.walker = clip.chip.source
        clip.chip.source = make()

    def end(clip: Clip) -> None:
        clip.chip.catch_up()
        clip.chip.source = clip.walker

    return begin, end


def _supply_mended(clip: Clip) -> None:
    clip.chip.fail_supply(False)
    if not clip._has_imu_power:
        clip.chip.set_power(True)


def _nobody_looks(clip: Clip) -> None:
    clip.clock.sleep(9.0)  # either chip's FIFO overruns


def _nothing(clip: Clip) -> None:
    pass


#: name: (begin, end, what ``info`` tells)
SENSOR: dict[str, tuple[Step, Step, str]] = {
    "unpowered": (_wire_off, _wire_on, "imu"),
    "its supply fails": (lambda c: c.chip.fail_supply(True), _supply_mended, "imu"),
    "stuck bus": (lambda c: setattr(c.bus, "stuck", True), lambda c: setattr(c.bus, "stuck", False), "imu"),
    "holds the bus": (lambda c: c.chip.stick_bus(True), lambda c: c.chip.stick_bus(False), "imu"),
    "no acknowledge": (lambda c: c.chip.nack_next(10**9), lambda c: c.chip.nack_next(0), "imu OSError 19"),
    "wrong id": (lambda c: c.chip.wrong_id(0x33), lambda c: c.chip.wrong_id(None), "imu"),
    "frozen": (lambda c: c.chip.freeze(True), lambda c: c.chip.freeze(False), "frozen"),
    "saturated": (*_feels(lambda: _Constant([1e9] * 6)), "frozen"),
    "nothing but zeros": (*_feels(lambda: _Constant([0.0] * 6)), "frozen"),
    "no samples": (*_feels(lambda: _Constant([float("nan")] * 6)), "silent"),
    "silent reset": (lambda c: c.chip.silent_reset(), _nothing, "imu"),
    "a register flips": (lambda c: c.chip.flip_register(0x10, 0x48), _nothing, "imu was reset"),
    "FIFO overrun": (_nobody_looks, _nothing, "imu overrun"),
}


def in_service(clip: Clip) -> bool:
    """The sensor delivers, and the chain judges what it delivers."""
    return bool(clip.device.sensor_ok and not clip.device._gap and clip.device._supply.silent_ms < 600)


def driven_between(clip: Clip, from_us: int, to_us: int) -> list[int]:
    """When the motor went on within a time."""
    return [at_us for at_us, duty in clip.edges if duty and from_us < at_us < to_us]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", SENSOR)
def test_a_sensor_that_fails_stops_the_motor_is_a_gap_and_comes_back(name: str, moment: str, seed: int) -> None:
    chance = random.Random(f"{seed} {name} {moment}")
    clip = scene(chance.choice((XIAO, NANO)))
    begin, end, reason = SENSOR[name]
    MOMENTS[moment](clip, chance)
    before = {key: clip.field(key) for key in ("wear_s", "gap_s", "good_s", "forward_s")}
    errors = clip.device.errors
    began_us = clip.clock.now_us
    if moment == "in mid-burst":
        clip.bus.break_next_burst(chance.randrange(1, 150))
        while clip.bus._break_after >= 0:
            clip.step()
    begin(clip)
    seen_us = 0
    mended_us = 0  # by the device's own power cycle, before the cause goes
    # 6 s of it, and no turn of the board is skipped.
    while clip.clock.now_us < began_us + 6_000_000:
        clip.step()
        if not seen_us and clip.device.errors > errors and not clip.device.sensor_ok:
            seen_us = clip.clock.now_us
        elif seen_us and not mended_us and in_service(clip):
            mended_us = clip.clock.now_us
    end(clip)
    gone_us = clip.clock.now_us
    clip.run_for(0.5)
    while not in_service(clip) and clip.clock.now_us < gone_us + 20_000_000:
        clip.step()
    back_us = clip.clock.now_us
    assert (back_us - gone_us) / 1e6 <= BACK_S, clip.device.last_error
    assert reason in clip.device.last_error
    assert clip.device.errors > errors
    if name not in ("silent reset", "a register flips", "FIFO overrun"):
        assert seen_us, "never noticed"
        driven_us = [
            min(off_us, mended_us or gone_us) - max(on_us, began_us + MOTOR_OFF_US)
            for on_us, off_us in clip.pwm.pulses
            if off_us > began_us + MOTOR_OFF_US and on_us < (mended_us or gone_us)
        ]
        # A calibration that had begun is refused, which the wearer is told by one long pulse.
        refused = moment == "in a calibration" and len(driven_us) == 1 and driven_us[0] <= 1_000_000
        assert refused or not driven_us
    # Every second has one class, and those missed are gaps.
    clip.run_for(6)
    assert clip.honest()
    ends = moment == "at the session's end"
    if ends:
        assert clip.device.journal.count + clip.device.session.open >= 1
        return
    lasted_s = ((mended_us or gone_us) - began_us) / 1e6
    passed_s = (clip.clock.now_us - began_us) / 1e6
    gap_s = clip.field("gap_s") - before["gap_s"]
    assert abs(clip.field("wear_s") - before["wear_s"] - passed_s) <= 1.5
    judged_s = sum(clip.field(key) - before[key] for key in ("good_s", "forward_s"))
    if name in ("silent reset", "a register flips"):
        assert 1 <= gap_s <= 4
    else:
        assert lasted_s - 1.5 <= gap_s <= lasted_s + BACK_S + 2
        assert judged_s <= passed_s - lasted_s + 1.5
    assert clip.field("flags") & r.FLAG_SENSOR
    assert reason in clip.hello()["last_error"]


@pytest.mark.parametrize("profile", [XIAO, NANO])
@pytest.mark.parametrize("name", ["its supply fails", "stuck bus", "no acknowledge", "wrong id", "stays in reset"])
def test_a_sensor_that_is_absent_at_boot_is_told_and_taken_into_service_when_it_comes(name: str, profile: str) -> None:
    stays = (lambda c: c.chip.stick_reset(True), lambda c: c.chip.stick_reset(False), "imu")
    faults: dict[str, tuple[Step, Step, str]] = {**SENSOR, "stays in reset": stays}
    begin, end, reason = faults[name]
    clip = Clip(boot=False, profile=profile, settings=quick_settings())
    begin(clip)
    clip.boot()
    clip.calibrated()
    clip.run_until(12)
    assert not clip.device.sensor_ok
    assert reason in clip.device.last_error
    assert not clip.motor_on
    end(clip)
    gone_us = clip.clock.now_us
    while not in_service(clip) and clip.clock.now_us < gone_us + 20_000_000:
        clip.step()
    assert (clip.clock.now_us - gone_us) / 1e6 <= BACK_S
    clip.run_for(5)
    assert gone_us / 1e6 - 2 <= clip.field("gap_s") <= gone_us / 1e6 + BACK_S + 1.5
    assert clip.honest()


def test_extremes_at_random_neither_buzz_nor_are_posture(seed: int) -> None:
    clip = scene(leaning=False)
    clip.chip.source = _Wild(seed)
    good_s = clip.field("good_s")
    clip.run_for(40)
    assert "buzz" not in clip.names()
    assert clip.field("good_s") - good_s <= 2
    assert clip.honest()
    clip.chip.source = Walker()
    clip.run_for(8)
    assert clip.device.sensor_ok


@pytest.mark.parametrize("after_bytes", [1, 11, 12, 13, 77, 100])
@pytest.mark.parametrize("profile", [XIAO, NANO])
def test_one_transfer_that_fails_costs_a_burst_and_no_restart(profile: str, after_bytes: int) -> None:
    clip = scene(profile, leaning=False)
    starts: list[int] = []
    start = clip.imu.start
    clip.imu.start = lambda: (starts.append(1), start())
    before = clip.field("gap_s")
    clip.bus.break_next_burst(after_bytes)
    clip.run_for(3)
    assert clip.device.sensor_ok
    assert not starts
    assert clip.device.errors == 1
    clip.run_for(3)
    assert clip.field("gap_s") - before <= 1  # a torn burst, at the most
    assert clip.honest()


def test_a_single_missing_acknowledge_costs_nothing_at_all() -> None:
    clip = scene(leaning=False)
    before = clip.field("gap_s")
    clip.chip.nack_next(1)
    clip.run_for(6)
    assert clip.field("gap_s") == before
    assert clip.device.errors == 1


# ---- motor ----------------------------------------------------------------------------------------------------------


def test_a_motor_that_goes_away_in_a_buzz_costs_the_buzz_alone() -> None:
    clip = scene()
    in_a_buzz(clip, random.Random(1))

    class Gone:
        duty_u16 = property(lambda self: 0, lambda self, value: (_ for _ in ()).throw(OSError(19)))

    motor, clip.device._motor = clip.device._motor, Gone()
    gap_s = clip.field("gap_s")
    clip.run_for(5)
    assert clip.device.last_error == "motor OSError 19"
    assert clip.field("gap_s") == gap_s
    clip.device._motor = motor
    clip.run_for(15)
    assert not clip.motor_on or clip.device.buzzing
    assert clip.names().count("buzz") >= 2


@pytest.mark.parametrize("deaf", [1, 2, 3, 20])
def test_a_haptic_chip_that_does_not_hear_off_is_told_again_until_it_does(deaf: int) -> None:
    clip = scene()

    class Chip:
        """The first `off` after a drive is not acknowledged, `deaf` times."""

        driven = 0
        left = deaf
        on_us = off_us = 0
        mode = 0

        def use_ERM(self) -> None:
            pass

        @property
        def realtime_value(self) -> int:
            return self.driven

        @realtime_value.setter
        def realtime_value(self, value: int) -> None:
            if self.driven and not value and not clip.device.buzzing and self.left:
                self.left -= 1
                raise OSError(19)
            self.driven = value

    chip = Chip()
    clip.device._motor = HapticMotor(chip)
    while not clip.device.buzzing:
        clip.step()
    while clip.device.buzzing:
        clip.step()
    ended_us = clip.clock.now_us
    while chip.driven and clip.clock.now_us < ended_us + 20_000_000:
        clip.step()
    assert not chip.driven and not chip.left
    # Twice at once, then with each turn, of which four or more lie in a second.
    assert clip.clock.now_us - ended_us <= (0 if deaf < 2 else deaf * 250_000)
    assert clip.device.errors == 1 and clip.device.last_error == "motor OSError 19"


def test_a_haptic_chip_on_a_stuck_bus_costs_a_turn_one_time_out() -> None:
    clip = scene()
    in_a_buzz(clip, random.Random(1))

    class Stuck:
        @property
        def duty_u16(self) -> int:
            return 0

        @duty_u16.setter
        def duty_u16(self, value: int) -> None:
            clip.clock.sleep(1.0)
            raise OSError(110)

    clip.device._motor = Stuck()
    longest_us = 0
    for _ in range(40):
        began_us = clip.clock.now_us
        clip.device.poll()
        longest_us = max(longest_us, clip.clock.now_us - began_us)
    # The sensor's own time-outs come on top, and the watchdog waits 6 s.
    assert 1_000_000 <= longest_us <= 1_100_000
    assert clip.device.errors <= 3


# ---- journal --------------------------------------------------------------------------------------------------------


def full_journal(clip: Clip) -> None:
    """As many records as fit, none of them fetched."""
    fields = clip.device.session.fields
    kept = list(fields)
    for k in range(clip.device.journal.capacity + 2):
        fields[r.S_WEAR_S] = fields[r.S_GOOD_S] = 600 + k
        for c in range(2, r.S_CLASS_COUNT + 1):
            fields[r.S_CLASS_BASE + c] = 0
        assert clip.device.journal.append(fields)
    for k in range(len(kept)):
        fields[k] = kept[k]


@pytest.mark.parametrize("profile", [XIAO, NANO])
def test_full_banks_drop_the_oldest_record_count_it_and_go_on(profile: str) -> None:
    clip = scene(profile)
    full_journal(clip)
    clip.device.journal.commit(0, 100, True)
    count = clip.device.journal.count
    clip.run_for(200)
    hello = clip.hello()
    assert clip.device.journal.count == count
    assert hello["dropped_unacked"] >= 3
    assert clip.device.sensor_ok
    assert not hello["flags"] & wire.HF_STORE_FAULT


@pytest.mark.parametrize("profile", [XIAO, NANO])
@pytest.mark.parametrize("moment", ["in a buzz", "random", "at the session's end"])
def test_a_bank_torn_by_a_power_cut_in_its_write_costs_the_record_in_flight_alone(
    profile: str, moment: str, seed: int
) -> None:
    chance = random.Random(f"{seed} {profile} {moment}")
    clip = scene(profile)
    clip.device.journal.commit(0, 0, True)
    commits = clip.device.journal.head[journal.J_COMMITS]
    MOMENTS[moment](clip, chance)
    before = clip.flash_power.n_operations
    torn = chance.choice(("old", "new", "ff", "random"))
    clip.flash_power.plan(flash.Cut(before + chance.choice((1, 2)), torn, chance.randrange(4096), seed))
    with pytest.raises(flash.PowerCut):
        Visit(clip.device, clip.port).settings_changed()
        clip.run_for(30)
    clip._lose_power()
    assert not clip.motor_on
    clip.boot()
    booted_us = clip.clock.now_us
    while not in_service(clip):
        clip.step()
    assert (clip.clock.now_us - booted_us) / 1e6 <= BACK_S
    assert clip.device.journal.head[journal.J_COMMITS] >= commits
    hello = clip.hello()
    assert not hello["flags"] & wire.HF_FORMATTED
    assert not hello["flags"] & wire.HF_STORE_FAULT


@pytest.mark.parametrize("profile", [XIAO, NANO])
def test_with_both_banks_in_ruins_it_begins_anew_and_says_so(profile: str, seed: int) -> None:
    clip = scene(profile)
    clip.power_cut()
    ruins = random.Random(seed).randbytes(len(clip.nvm.flash.memory))
    clip.nvm.flash.memory[:] = ruins
    clip.drive.flash.memory[:] = ruins * (len(clip.drive.flash.memory) // len(ruins))
    clip.boot()
    clip.run_for(3)
    assert in_service(clip)
    hello = clip.hello()
    assert hello["flags"] & wire.HF_FORMATTED
    assert hello["flags"] & wire.HF_BANK_LOST


@pytest.mark.parametrize("what", ["version", "count", "value", "relation"])
def test_corrupt_settings_are_defaults_and_told_while_the_walk_goes_on(what: str) -> None:
    """Of an image whose CRC holds: what a firmware with a bug, or another tool, has written."""
    clip = scene()
    clip.device.journal.commit(0, 0, True)
    clip.power_cut()
    for page in (0, 4096):
        image = bytearray(clip.nvm.flash.memory[page : page + 4096])
        length = int.from_bytes(image[8:10], "little")
        at = journal._SETTINGS_AT
        if what == "version":
            image[at] = 99
        elif what == "count":
            image[at + 1] = 255
        elif what == "value":
            image[at + 2 + 2 * s.SET_ON_DEG] = 200
        else:
            image[at + 2 + 2 * s.SET_OFF_DEG] = 35
        image[length : length + 4] = (zlib.crc32(image[:length]) & 0xFFFFFFFF).to_bytes(4, "little")
        clip.nvm.flash.memory[page : page + 4096] = image
    clip._settings = None
    clip.boot()
    clip.run_for(4)
    assert in_service(clip)
    assert clip.hello()["flags"] & wire.HF_SETTINGS_DEFAULTED
    assert clip.device.settings.get("on_deg") == 12


def test_a_store_that_refuses_is_told_and_the_walk_goes_on() -> None:
    clip = scene()

    def refused(buf: Any) -> None:
        raise OSError(5)

    for bank in clip.device.journal._banks:
        bank.write = refused
    Visit(clip.device, clip.port).settings_changed()
    clip.run_for(8)
    assert clip.hello()["flags"] & wire.HF_STORE_FAULT
    assert in_service(clip)
    assert clip.field("gap_s") == 0


# ---- host -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["random", "in a buzz", "before a commit"])
@pytest.mark.parametrize("how", ["goes away", "reads slowly", "floods"])
def test_a_bad_host_costs_no_second_and_no_buzz(how: str, moment: str, seed: int) -> None:
    chance = random.Random(f"{seed} {how} {moment}")
    clip = scene()
    host = clip.port.host  # type: ignore[attr-defined]
    host.open()
    MOMENTS[moment](clip, chance)
    end_us = clip.clock.now_us + 12_000_000
    if how == "goes away":
        host.write(wire.encode(wire.LIVE, 1, b"\x01"))
        clip.run_for(0.7)
        host.close()
    on_us = clip.clock.now_us if clip.motor_on else 0
    while clip.clock.now_us < end_us:
        if how == "floods":
            room = 1024 - len(clip.port._to_device)  # type: ignore[attr-defined]
            host.write(chance.randbytes(room))
            host.reset_input_buffer()
        elif how == "reads slowly":
            host.write(wire.encode(wire.LIVE, 1, b"\x01")[: chance.randrange(1, 12)])
            if chance.random() < 0.05:
                host.read(1)
        clip.step()
        if not clip.motor_on:
            on_us = 0
        elif not on_us:
            on_us = clip.clock.now_us
        assert not on_us or clip.clock.now_us - on_us < 500_000 + MOTOR_OFF_US
    assert clip.field("gap_s") == 0
    assert "buzz" in clip.names()
    assert clip.honest()
    assert clip.device.errors == 0
    if how == "floods":
        host.reset_input_buffer()
        clip.run_for(1)
        clip.port._to_device.clear()  # type: ignore[attr-defined]
        assert clip.hello()["bad_frames"] > 10


# ---- clock ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("jump_ms", [-3_600_000, -500, 61_000, 1 << 27])
def test_a_clock_that_jumps_is_told_stops_the_motor_in_time_and_invents_nothing(
    jump_ms: int, moment: str, seed: int
) -> None:
    chance = random.Random(f"{seed} {jump_ms} {moment}")
    clip = scene()
    Visit(clip.device, clip.port).set_clock(200_000_000)
    MOMENTS[moment](clip, chance)
    before = {key: clip.field(key) for key in ("wear_s", "gap_s")}
    clip.clock._offset_ms += jump_ms  # type: ignore[attr-defined]
    began_us = clip.clock.now_us
    on_us = began_us if clip.motor_on else 0
    while clip.clock.now_us < began_us + 8_000_000:
        clip.step()
        if not clip.motor_on:
            on_us = 0
        elif not on_us:
            on_us = clip.clock.now_us
        # No pulse outlasts the longest one, a refusal's, by more than the limit.
        assert not on_us or clip.clock.now_us - on_us <= 900_000 + MOTOR_OFF_US
    assert in_service(clip)
    if moment != "at the session's end":
        assert clip.field("gap_s") - before["gap_s"] <= 1
        assert 6.5 <= clip.field("wear_s") - before["wear_s"] <= 9.5
    assert clip.honest()
    assert abs(clip.device.utc_s() - clip.rtc.utc_s) <= 2
    if abs(jump_ms) > 60_000 or jump_ms < 0:
        assert clip.hello()["last_error"] == "clock jumped"


@pytest.mark.parametrize("moment", MOMENTS)
def test_ticks_that_wrap_at_the_worst_moment_change_nothing(moment: str, seed: int) -> None:
    told = []
    for wraps in (False, True):
        chance = random.Random(f"{seed} {moment}")
        clip = Clip(Walker(leans=((11.0, 400.0, 25.0),)), settings=quick_settings(), boot=False)
        clip.clock._offset_ms = 0  # type: ignore[attr-defined]
        if wraps:
            clip.clock._offset_ms = (1 << 29) - told[0][0]  # type: ignore[attr-defined]
        clip.boot()
        clip.calibrated()
        clip.run_until(9.5)
        MOMENTS[moment](clip, chance)
        now_ms = clip.clock.now_us // 1000 + 5
        clip.run_for(8)
        told.append((now_ms, clip.told, clip.edges, list(clip.device.session.fields), clip.device.errors))
    assert told[0] == told[1]


# ---- our own code ---------------------------------------------------------------------------------------------------

#: (module of the device, where its function hangs on the device or which module holds it, its name)
OURS: tuple[tuple[str, str, str], ...] = (
    ("buttons", "device._buttons", "step"),
    ("buzz", "device._buzz", "step"),
    ("calibrate", "device.chain.bias", "second"),
    ("chain", "device.chain", "burst"),
    ("coach", "device.chain.coach", "tick"),
    ("detector", "device.chain.detector", "step"),
    ("events", "device.ring", "put"),
    ("fixmath", "walktall.detector", "atan2_cdeg"),
    ("gait", "device.chain.gait", "tick"),
    ("rows", "device.chain.rows", "tick"),
    ("trace", "device.trace", "note"),
    ("hw.imu", "imu", "drain"),
    ("hw.light", "led", "set"),
    ("hw.power", "supply", "charging"),
    ("journal", "device.journal", "poll"),
    ("link", "device.link", "poll"),
    ("answers", "device.link", "_tell_settings"),
    ("sending", "device.link", "_begin_fetch"),
    ("telling", "device.visit", "push_live"),
    ("visit", "device.visit", "utc_s"),
    ("wearing", "device", "_show"),
    ("sensing", "device", "_samples_to_tick"),
    ("motion", "walktall.chain", "take"),
    ("session", "device.session", "second"),
    ("supply", "device._supply", "receive"),
    ("ticks", "walktall.device", "ticks_diff"),
    ("tilt", "device.chain.tilt", "_shift"),
    ("frames", "device.link._decoder", "feed"),
)
#: What comes with a computer alone, and what it asks there.
VISITED = {
    "link": b"",
    "frames": b"\x01\x00",
    "answers": wire.encode(wire.SETTINGS_GET, 1, b"\0"),
    "visit": wire.encode(wire.CLOCK, 1, bytes(4)),
    "sending": wire.encode(wire.FETCH, 1, bytes(4)),
    "telling": wire.encode(wire.LIVE, 1, b"\1"),
}
#: What has work only beyond 29 degrees.
STEEP = {"fixmath": 40.0}
#: Modules that do nothing by themselves in a turn (tables), or that another test here breaks.
QUIET = {
    *("boards", "frames", "hw", "limits", "meanings", "packing", "records", "retained", "retrace", "settings", "slots"),
    *("wire", "hw.pins"),
}


#: Those that are broken by a test of their own, above or elsewhere.
ELSEWHERE = {"hw.banks", "hw.haptic", "hw.motor", "hw.start", "hw.tagged", "hw.wallclock", "resume", "selftest"}
#: A caller that knows what may fail there goes on with the turn, pattern included.
KNOWN_TO_CATCH = {"frames", "answers", "sending", "visit"}


class Broken:
    """A function that raises the first times that it is called, and then works as before.

    :param times: how often
    :param fault: what it raises
    """

    def __init__(self, clip: Clip, times: int, fault: Callable[[], BaseException]) -> None:
        self.clip = clip
        self.left = times
        self.fault = fault
        self.raised_us: list[int] = []
        self.motor_was_on = False

    def gate(self) -> None:
        """Raise, if there are times left."""
        if self.left:
            self.left -= 1
            self.motor_was_on = self.motor_was_on or self.clip.motor_on
            self.raised_us.append(self.clip.clock.now_us)
            raise self.fault()


def visited(clip: Clip, module: str) -> Clip:
    """The same clip; for what is loaded with a computer alone, one is there."""
    if module in VISITED:
        clip.port.host.open()  # type: ignore[attr-defined]
        while clip.device.link is None:
            clip.step()
    return clip


def break_into(clip: Clip, broken: Broken, where: str, name: str, patch: pytest.MonkeyPatch) -> None:
    """Put ``broken`` in the way of a function of an object of the board or of a module, or of an object's attribute."""
    if where.startswith("walktall"):
        owner: Any = importlib.import_module(where)
    else:
        owner = clip
        for part in where.split("."):
            owner = getattr(owner, part)
    honest = getattr(owner, name)
    if not callable(honest):
        held = [honest]
        told = property(lambda self: (broken.gate(), held[0])[1], lambda self, value: held.__setitem__(0, value))
        # A property goes before what lies in the instance.
        patch.setattr(owner, "__class__", type("Broken" + type(owner).__name__, (type(owner),), {name: told}))
        return

    def gated(*args: Any) -> Any:
        broken.gate()
        return honest(*args)

    patch.setattr(owner, name, gated, raising=False)
    assert getattr(owner, name) is gated


def test_every_module_of_the_device_is_broken_once() -> None:
    there = {
        path.relative_to(ROOT / "firmware/lib/walktall").with_suffix("").as_posix().replace("/", ".")
        for path in (ROOT / "firmware/lib/walktall").rglob("*.py")
        if path.name != "__init__.py"
    }
    assert there - QUIET - ELSEWHERE <= {module for module, _, _ in OURS} | {"device"}


@pytest.mark.parametrize("moment", ["in a buzz", "random"])
@pytest.mark.parametrize(("module", "where", "name"), OURS, ids=[row[0] for row in OURS])
def test_an_exception_in_any_module_stops_the_motor_and_costs_no_second_that_is_not_told(
    module: str, where: str, name: str, moment: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(f"{seed} {module} {moment}")
    clip = visited(scene(deg=STEEP.get(module, 25.0)), module)
    MOMENTS[moment](clip, chance)
    kind = chance.choice((KeyError, OSError, ValueError, TypeError, MemoryError))
    broken = Broken(clip, 3, lambda: kind("made up"))
    break_into(clip, broken, where, name, monkeypatch)
    errors, began_us = clip.device.errors, clip.clock.now_us
    wear_s = clip.field("wear_s")
    host = clip.port.host  # type: ignore[attr-defined]
    edges: list[int] = []
    if module == "coach":
        clip.device.chain.coach.counts = 1  # it is asked each tick only where a setting wants it
    if module == "hw.light":
        clip.supply.charging = True  # else it is dark
    while clip.clock.now_us < began_us + (18 if module == "events" else 12) * 1_000_000:
        raised = len(broken.raised_us)
        if module in VISITED and raised < 3:
            host.write(VISITED[module])
        clip.step()
        if len(broken.raised_us) > raised:
            edges.append(int(clip.motor_on))
    assert broken.raised_us, "it was not in the way"
    # At the end of the very turn, which took no time at all here: well within 100 ms.
    if module not in KNOWN_TO_CATCH:
        assert not any(edges)
    link = clip.device.link
    assert clip.device.errors + (link.faults if link is not None else 0) >= errors + 1
    # Back within 3 s of the last one.
    last_us = broken.raised_us[-1]
    clip.run_until(max(last_us / 1e6 + BACK_S, clip.clock.now_us / 1e6))
    assert in_service(clip)
    passed_s = (clip.clock.now_us - began_us) / 1e6
    assert clip.honest()
    # What a turn that broke off did not judge is a gap; where the session's own count breaks, those seconds are lost.
    lost_s = len(broken.raised_us) if module == "session" else 0
    assert passed_s - 1.5 - lost_s <= clip.field("wear_s") - wear_s <= passed_s + 1.5


@pytest.mark.parametrize("moment", ["in a buzz", "random"])
@pytest.mark.parametrize(("module", "where", "name"), OURS, ids=[row[0] for row in OURS])
def test_what_hangs_is_reset_by_the_watchdog_with_the_motor_off_and_told(
    module: str, where: str, name: str, moment: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(f"{seed} {module} {moment}")
    clip = visited(scene(deg=STEEP.get(module, 25.0)), module)
    MOMENTS[moment](clip, chance)
    broken = Broken(clip, 1, Hang)
    break_into(clip, broken, where, name, monkeypatch)
    if module in VISITED:
        clip.port.host.write(VISITED[module])  # type: ignore[attr-defined]
    if module == "coach":
        clip.device.chain.coach.counts = 1  # it is asked each tick only where a setting wants it
    if module == "hw.light":
        clip.supply.charging = True
    boot = clip.device.journal.boot
    while not clip.watchdog.n_resets:
        clip.step()
        assert clip.clock.now_us < 60e6
    hung_us = broken.raised_us[0]
    limit_us = hung_us + int(board_module.WATCHDOG_S * 1e6) + MOTOR_OFF_US
    off = [at_us for at_us, duty in clip.edges if not duty and at_us >= hung_us]
    assert not clip.motor_on
    if broken.motor_was_on:
        assert off and off[0] <= limit_us
    assert not driven_between(clip, hung_us, limit_us)
    reset_us = limit_us
    monkeypatch.undo()
    clip.supply.charging = False
    clip.calibrated()
    while not in_service(clip):
        clip.step()
    assert (clip.clock.now_us - reset_us) / 1e6 <= BACK_AFTER_RESTART_S
    clip.run_for(5)
    assert clip.honest()
    hello = clip.hello()
    assert hello["reset_reason"] == board_module.RESET_WATCHDOG
    assert hello["boot"] == boot + 1


def test_a_clock_chip_that_fails_is_told_and_the_host_still_sets_the_time() -> None:
    clip = scene(leaning=False)

    class Gone:
        def __get__(self, *what: Any) -> int:
            raise OSError(5)

        def __set__(self, *what: Any) -> None:
            raise OSError(5)

    clip.rtc.__class__ = type("BrokenRtc", (board_module.Rtc,), {"utc_s": Gone()})
    Visit(clip.device, clip.port).set_clock(200_000_000)
    assert clip.device.last_error == "rtc OSError 5"
    clip.clock._offset_ms += 61_000  # type: ignore[attr-defined]
    clip.run_for(5)
    assert in_service(clip)
    assert abs(clip.device.utc_s() - 200_000_005) <= 1


def test_with_a_computer_there_the_watchdog_sleeps_as_on_the_board() -> None:
    clip = Clip(boot=False)
    clip.supply.usb = True
    clip.boot()
    clip.run_for(5)
    assert not clip.watchdog.armed
    clip.supply.usb = False
    clip.run_for(1)
    assert clip.watchdog.armed
    assert f"_WATCHDOG_S = {board_module.WATCHDOG_S:g}\n" in (ROOT / "firmware/code.py").read_text()


def test_the_watchdog_gives_the_bus_time_to_fail_twice_and_the_sensor_to_start() -> None:
    clip = scene(leaning=False)
    clip.bus.stuck = True
    gaps = []
    last_us = clip.clock.now_us
    while clip.clock.now_us < 30e6:
        clip.step()
        gaps.append(clip.watchdog.fed_us - last_us)
        last_us = clip.watchdog.fed_us
    assert max(gaps) / 1e6 < board_module.WATCHDOG_S / 2
    assert clip.watchdog.n_resets == 0


def test_a_crash_loop_writes_nothing_to_flash_and_a_good_hour_writes_again() -> None:
    """``code.py`` asks for it after five crashes (tests of the board's files); nothing gets past it."""
    clip = scene()
    clip.device.journal.commit(0, 0, True)
    clip.device.write_nothing()
    before = clip.flash_power.n_operations
    Visit(clip.device, clip.port).settings_changed()
    clip.run_for(20)
    clip.device.end_session(0, False, True)
    clip.run_for(700)
    assert clip.flash_power.n_operations == before
    assert clip.hello()["flags"] & wire.HF_READ_ONLY
