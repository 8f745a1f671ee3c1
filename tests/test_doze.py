"""Where nobody walks the sensor waits for motion by itself: what that saves, and that no walk begins unseen."""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from walktall import events, sensing, wire
from walktall import records as r
from walktall import settings as s
from walktall.ticks import ticks_diff
from walktall.visit import Visit
from walktall_sim import chips, join, mounting, persons

from tests.sim_files import real, write_csv
from tests.test_replay_cli import told, without_board
from tests.walking_board import Clip, Walker

XIAO, NANO = "Seeed_XIAO_nRF52840_Sense", "arduino_nano_rp2040_connect"
PROFILES = pytest.mark.parametrize("profile", [XIAO, NANO])
DOZE_S = 10
LATE_S = 3.0


def with_settings(**changes: int) -> Any:
    held = s.Settings()
    for name, value in {"doze_s": DOZE_S, **changes}.items():
        assert held.set(name, value)
    return held


def standing(until_s: float = 99999.0, **how: Any) -> Clip:
    """Somebody who walks for ten seconds, stands, and walks again at ``until_s``; the clip dozes by 40 s."""
    walker = Walker(still=((0.0, 6.0), (16.0, until_s)), sway_deg=0.5)
    clip = Clip(walker, settings=how.pop("settings", with_settings()), **how).calibrated()
    clip.run_until(40)
    assert clip.device._dozing == 1
    return clip


# ---- what it saves --------------------------------------------------------------------------------------------------


@PROFILES
def test_a_dozing_clip_turns_once_a_second_and_asks_the_sensor_once(profile: str) -> None:
    clip = standing(profile=profile)
    polls = 0
    poll = clip.device.poll

    def counted() -> None:
        nonlocal polls
        polls += 1
        poll()

    clip.device.poll = counted
    before = clip.bus.n_transfers
    clip.run_for(100)
    assert 99 <= polls <= 102
    assert 99 <= clip.bus.n_transfers - before <= 102
    assert clip.chip.register(0x11) >> 4 == 0  # gyroscope off
    assert clip.chip.register(0x10) == 0x20  # accelerometer 26 Hz, 2 g
    assert clip.chip.register(0x15) & 0x10  # in low power
    assert clip.chip.fifo_level == 0


@PROFILES
def test_a_walking_clip_turns_five_times_a_second_and_only_a_press_comes_between(profile: str) -> None:
    """Four bursts and a second; the bus is not touched in between; the button's pin is, every 25 ms, and no more."""
    clip = Clip(Walker(), profile=profile).calibrated()
    clip.run_until(20)
    polls: list[int] = []
    poll = clip.device.poll

    def counted() -> None:
        polls.append(clip.clock.now_us)
        poll()

    clip.device.poll = counted
    looks: list[int] = []
    pressed = type(clip.button).pressed

    class Watched(type(clip.button)):  # type: ignore[misc]
        @property
        def pressed(self) -> bool:
            looks.append(clip.clock.now_us)
            return bool(pressed.fget(self))  # type: ignore[attr-defined]

    clip.button.__class__ = Watched
    before = clip.bus.n_transfers
    clip.run_for(20)
    assert 4 * 20 <= len(polls) <= 5 * 20 + 2
    # A burst is level and data; a second is two reads that say whether the chip is still set up.
    assert clip.bus.n_transfers - before <= 20 * (4 * 2 + 2) + 4
    gaps_ms = [(b - a) / 1000 for a, b in itertools.pairwise(looks)]
    assert max(gaps_ms) <= 30
    assert len(looks) <= 20 * (1000 / 25 + 7)


def seen_after_ms(clip: Clip, press_us: int) -> int:
    """When the device looked at the button that went down at ``press_us``."""
    at_ms = clip.clock.ticks_ms() - (clip.clock.now_us // 1000 - press_us // 1000)
    return int(ticks_diff(clip.device._buttons._raw_since_ms, at_ms))


@PROFILES
def test_a_press_is_seen_within_thirty_milliseconds_awake_dozing_and_off(profile: str, seed: int) -> None:
    chance = random.Random(seed)
    clip = standing(until_s=60.0, profile=profile)
    for at_s in (45.0, 90.0):  # dozing, walking
        press_us = int((at_s + chance.random()) * 1e6)
        clip.run_until(press_us / 1e6 - 0.4)
        clip.button.press(press_us, 200_000)
        while not clip.device._buttons.active:
            clip.step()
            assert clip.clock.now_us < press_us + 100_000
        assert 0 <= seen_after_ms(clip, press_us) <= 30
        clip.run_for(3)
    clip.press(clip.clock.now_us / 1e6 + 0.5, 3.4)
    clip.run_for(8)
    assert clip.device.off
    press_us = clip.clock.now_us + 333_000
    clip.button.press(press_us, 150_000)
    while not clip.device._buttons.active:
        clip.step()
    assert 0 <= seen_after_ms(clip, press_us) <= 30


@PROFILES
def test_a_press_in_the_course_of_a_buzz_is_seen_within_thirty_milliseconds(profile: str, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(6):
        walker = Walker(leans=((11.0, 60.0, 25.0),))
        clip = Clip(walker, profile=profile, settings=with_settings(hold_s=2)).calibrated()
        while not clip.motor_on:
            clip.step()
        press_us = clip.clock.now_us + chance.randrange(900_000)
        clip.button.press(press_us, 200_000)
        while not clip.device._buttons.active:
            clip.step()
            assert clip.clock.now_us < press_us + 100_000
        assert clip.device.buzzing
        assert 0 <= seen_after_ms(clip, press_us) <= 30


def test_a_stuck_button_does_not_keep_the_loop_awake() -> None:
    clip = Clip(Walker()).calibrated()
    clip.run_until(20)
    clip.press(21.0, 60.0)
    clip.run_until(30)
    assert clip.device.off
    polls = 0
    poll = clip.device.poll

    def counted() -> None:
        nonlocal polls
        polls += 1
        poll()

    clip.device.poll = counted
    clip.run_for(20)
    assert polls <= 25
    clip.run_until(90)
    clip.press(92.0)
    clip.run_until(96)
    assert not clip.device.off


# ---- that no walk begins unseen -------------------------------------------------------------------------------------


def begins(source: Any, doze_s: int, seconds: float, profile: str = XIAO, after_s: float = 0.0) -> tuple[float, Clip]:
    """When walking is told, first after ``after_s`` in the source's time."""
    clip = Clip(source, profile=profile, settings=with_settings(doze_s=doze_s), button=False).calibrated()
    doze = clip.imu.doze
    clip.dozes = 0  # type: ignore[attr-defined]

    def counted() -> None:
        clip.dozes += 1  # type: ignore[attr-defined]
        doze()

    clip.imu.doze = counted
    clip.run_until(seconds)
    told = [at_s for at_s, name in clip.told if name == "walking" and at_s > after_s]
    return (told[0] if told else float("inf")), clip


@PROFILES
@pytest.mark.parametrize("phase", range(4))
def test_a_made_walk_is_noticed_at_most_three_seconds_later_than_without_dozing(profile: str, phase: int) -> None:
    start_s = 40.0 + 0.27 * phase
    still = ((0.0, 6.0), (16.0, start_s), (90.0, 9999.0))
    plain, awake = begins(Walker(still=still, sway_deg=0.5), 0, 100, profile, start_s)
    late, clip = begins(Walker(still=still, sway_deg=0.5), DOZE_S, 100, profile, start_s)
    print(f"{profile} {start_s}: {plain - start_s:.2f} s awake, {late - start_s:.2f} s after a doze")
    assert 0 <= late - plain <= LATE_S
    for name in ("wear_s", "still_s"):
        assert abs(clip.field(name) - awake.field(name)) <= 3
    assert clip.field("gap_s") == 0
    assert 0 <= awake.field("steps") - clip.field("steps") <= 2.2 * LATE_S
    assert 0 <= awake.field("walking_s") - clip.field("walking_s") <= LATE_S + 1
    assert clip.honest()


def recordings() -> Path:
    """The folder of the published recordings."""
    return real("manifest.json").parent


def people(root: Path) -> list[tuple[str, str]]:
    """Everybody whose walking was recorded."""
    return [(kit, name) for kit in sorted(persons.WALKING) for name in persons.names(root, kit)]


def test_real_walks_are_noticed_at_most_three_seconds_later_than_without_dozing(seed: int) -> None:
    root = recordings()
    worst = 0.0
    # Every third person, from another one on each time that the seed is another; all of them in `make soak`.
    who = people(root) if os.environ.get("WALKTALL_SOAK") else people(root)[seed % 3 :: 3]
    for kit, name in who:
        chosen = persons.mounting_of(root, kit)
        walking, quiet = persons.cut(persons._trials(root / kit / f"{name}.csv.gz"), kit, persons.WALKING[kit])
        if quiet is None or not any(len(piece) >= 3 * join.RATE_HZ for piece in walking):
            continue
        walk = join.join_trials(
            walking,
            quiet,
            minutes=0.25,
            up=mounting.axis_vector(chosen.up),
            forward=mounting.axis_vector(chosen.forward),
            stand_s=22.3,
        )
        # A second of standing played back and forth sways like a walker: in front of the walk stands a statue.
        rows, still = walk.data, 22 * join.RATE_HZ
        noise = np.random.default_rng(seed).normal(0.0, 1.0, (still, 6)) * np.array([0.02] * 3 + [0.002] * 3)
        rows[:still] = rows[:still].mean(axis=0) + noise
        plain, _ = begins(chips.ArraySource(rows), 0, 36, after_s=22.0)
        late, clip = begins(chips.ArraySource(rows), DOZE_S, 36, after_s=22.0)
        assert plain < 36, f"{kit} {name}: never noticed"
        worst = max(worst, late - plain)
        assert late - plain <= LATE_S, f"{kit} {name}: {late - plain:.2f} s"
        assert clip.dozes == 1, f"{kit} {name}: it did not doze"
        assert clip.honest()
    print(f"latest: {worst:.2f} s of {len(who)} people")
    assert len(who) >= 5


def test_the_wake_up_function_sees_every_second_of_real_walking() -> None:
    """The threshold of the chip's own function, 31 mg behind the slope filter, on all walks second by second."""
    root = recordings()
    seconds = missed = 0
    for kit, name in people(root):
        walking, _ = persons.cut(persons._trials(root / kit / f"{name}.csv.gz"), kit, persons.WALKING[kit])
        for piece in walking:
            for begin in range(0, len(piece) - 51, 52):
                seconds += 1
                missed += not chips.WakeUp().feed(piece[begin : begin + 52], 0)
    print(f"{missed} of {seconds}")
    assert seconds > 1000
    assert missed <= seconds // 500


def test_what_was_known_comes_back_from_a_doze() -> None:
    """Gravity is found anew within a tick, the gyroscope's bias is the same, timers of minutes have run on."""
    clip = Clip(Walker(still=((0.0, 6.0), (16.0, 9999.0)), sway_deg=0.2), settings=with_settings()).calibrated()
    clip.run_until(30)
    clip.device.chain.snooze(2)
    clip.run_until(40)
    tilt = clip.device.chain.tilt
    bias = list(tilt.bias)
    clip.run_until(100)
    assert clip.device._dozing
    assert abs(clip.device.chain.detector.snoozed - 50 * events.TICKS_PER_S) <= 8
    assert tilt.bias == bias
    clip.device._rouse()
    clip.run_for(1.2)
    assert not clip.device._dozing
    assert abs(clip.device.chain.detector.tick_pitch_cdeg) < 100
    assert clip.field("snoozed_s") >= 60


# ---- accounting -----------------------------------------------------------------------------------------------------


@PROFILES
def test_dozed_seconds_are_still_and_the_session_ends_ten_minutes_after_the_walk(profile: str) -> None:
    walker = Walker(still=((0.0, 6.0), (206.0, 99999.0)), sway_deg=0.5)
    clip = Clip(walker, profile=profile, settings=with_settings(doze_s=60), button=False).calibrated()
    clip.run_until(600)
    assert clip.device.session.open
    assert clip.field("gap_s") == 0
    assert abs(clip.field("wear_s") - 599) <= 2
    assert clip.field("still_s") >= 390
    clip.run_until(830)
    assert not clip.device.session.open
    assert clip.device.journal.count == 1
    assert abs(clip.field("wear_s") - 206) <= 3
    assert clip.honest()


def test_a_false_alarm_costs_ten_seconds_awake() -> None:
    class Nudged(Walker):
        def block(self, i0: int, n: int) -> Any:
            rows = super().block(i0, n)
            t = (i0 + np.arange(len(rows))) / 52
            rows[(t > 50.0) & (t < 50.3), 0] += 2.0
            return rows

    clip = Clip(Nudged(still=((0.0, 6.0), (16.0, 9999.0)), sway_deg=0.3), settings=with_settings()).calibrated()
    clip.run_until(49)
    assert clip.device._dozing == 1
    clip.run_until(53)
    assert clip.device._dozing == 0
    clip.run_until(65)
    assert clip.device._dozing == 1
    assert "walking" not in [name for at_s, name in clip.told if at_s > 20]


def test_at_a_desk_somebody_who_sits_is_judged_and_only_a_clip_on_the_table_dozes() -> None:
    sits = Clip(
        Walker(still=((0.0, 9999.0),), sway_deg=0.5, leans=((30.0, 200.0, 20.0),)),
        settings=with_settings(mode=1, desk_hold_s=20),
    ).calibrated()
    sits.run_until(80)
    assert not sits.device._dozing
    assert "buzz" in sits.names()
    lies = Clip(Walker(still=((0.0, 9999.0),)), settings=with_settings(mode=1)).calibrated()
    lies.run_until(320)
    assert lies.device._dozing
    assert lies.field("off_body_s") >= 300
    assert lies.honest()


def test_nothing_dozes_when_that_is_switched_off_or_while_a_host_is_there() -> None:
    clip = Clip(Walker(still=((0.0, 9999.0),)), settings=with_settings(doze_s=0)).calibrated()
    clip.run_until(90)
    assert not clip.device._dozing
    clip = standing()
    clip.ask(wire.LIVE, b"\x01")
    clip.run_for(2.5)
    assert not clip.device._dozing
    clip.port._to_host.clear()  # type: ignore[attr-defined]
    clip.run_for(5)
    assert bytes(clip.port._to_host).count(b"\x00") >= 15  # type: ignore[attr-defined]
    clip.run_for(60)
    assert not clip.device._dozing


def test_two_presses_wake_it_and_calibrate() -> None:
    clip = standing()
    clip.press(45.0)
    clip.press(45.3)
    clip.run_until(52)
    assert Visit(clip.device, clip.port).calibration_status() == wire.CALIBRATION_NAMES.index("done")
    assert clip.pulses(45) == pytest.approx([150, 150, 150], abs=5)


# ---- what fails meanwhile -------------------------------------------------------------------------------------------

FAULTS: dict[str, tuple[Any, Any]] = {
    "supply": (
        lambda c: c.chip.fail_supply(True),
        lambda c: (c.chip.fail_supply(False), c._has_imu_power or c.chip.set_power(True)),
    ),
    "stuck bus": (lambda c: setattr(c.bus, "stuck", True), lambda c: setattr(c.bus, "stuck", False)),
    "no acknowledge": (lambda c: c.chip.nack_next(10**9), lambda c: c.chip.nack_next(0)),
    "wrong id": (lambda c: c.chip.wrong_id(0x33), lambda c: c.chip.wrong_id(None)),
    "frozen": (lambda c: c.chip.freeze(True), lambda c: c.chip.freeze(False)),
    "silent reset": (lambda c: c.chip.silent_reset(), lambda c: None),
    "a register flips": (lambda c: c.chip.flip_register(0x15, 0), lambda c: None),
}


@PROFILES
@pytest.mark.parametrize("name", FAULTS)
def test_a_sensor_that_fails_while_it_dozes_is_seen_told_and_back(name: str, profile: str, seed: int) -> None:
    clip = standing(profile=profile)
    clip.run_for(random.Random(f"{seed} {name} {profile}").random())
    begin, end = FAULTS[name]
    began_us = clip.clock.now_us
    errors = clip.device.errors
    begin(clip)
    clip.run_for(10)
    assert clip.device.errors > errors
    assert "imu" in clip.device.last_error
    end(clip)
    clip.run_for(3)
    assert clip.device.sensor_ok
    clip.run_for(4)
    passed_s = (clip.clock.now_us - began_us) / 1e6
    # What was not seen at once was still; the rest is a gap, and each second is one of the two.
    assert clip.field("gap_s") >= (0 if name in ("silent reset", "a register flips") else 5)
    assert clip.field("gap_s") <= passed_s
    assert clip.field("good_s") <= 12
    assert clip.honest()
    assert abs(clip.field("wear_s") - (clip.clock.now_us / 1e6 - 1)) <= 3
    assert clip.field("flags") & r.FLAG_SENSOR


def test_one_missing_acknowledge_while_it_dozes_costs_nothing() -> None:
    clip = standing()
    clip.chip.nack_next(1)
    clip.run_for(5)
    assert clip.device._dozing == 1
    assert clip.device.errors == 1
    assert clip.field("gap_s") == 0


def test_the_numbers_here_are_those_of_the_code() -> None:
    assert (sensing._DOZE_SAMPLES, sensing._WAKE_SAMPLES) == (52, 7)


@pytest.mark.parametrize("phase", [0.0, 0.3])
def test_the_fast_path_dozes_and_wakes_at_the_same_samples(
    phase: float, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    walker = Walker(still=((0.0, 6.0), (20.0, 50.0 + phase), (70.0, 110.0 + phase)), leans=((52.0, 60.0, 20.0),))
    rows = walker.block(0, 130 * 52)
    table = np.hstack((np.arange(len(rows))[:, None] / 52.0, rows))
    path = write_csv(tmp_path / "walk.csv", table)
    changes = [word for one in ("doze_s=10", "hold_s=3", "spacing_s=0") for word in ("--set", one)]
    arguments = [path, "--up", "+y", "--forward", "+z", *changes]
    full, fast = (told(capsys, *arguments, way) for way in ("--full", "--fast"))
    assert without_board(full) == without_board(fast)
    assert [line["event"] for line in full].count("walking") >= 3
