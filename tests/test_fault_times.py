"""How long after a fault the motor is still driven, and how soon the device is back: measured, told in docs/device.md.

Each fault comes in the course of a pattern, in the middle of a sleep as well: right behind a look at the sensor, where
it stays unseen for longest, and anywhere between. The page's figures are the worst of these, rounded up;
``--rewrite`` writes them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from walktall_sim import board as board_module
from walktall_sim.board import Hang
from walktall_sim.clock import US_PER_S

from tests.test_faults import (
    BACK_AFTER_RESTART_S,
    BACK_S,
    MOTOR_OFF_US,
    NANO,
    SENSOR,
    XIAO,
    _feels,
    _Wild,
    in_service,
    scene,
)
from tests.walking_board import Clip

PAGE = Path(__file__).resolve().parent.parent / "docs" / "device.md"
BEGIN, END = "<!-- times of faults -->\n\n", "\n<!-- end -->"
PATTERN_US = 1_050_000  # the buzz for leaning forward
STEP_MS, STEP_S = 5, 0.25  # to which the page's figures are rounded up
#: A look at the sensor comes each 40 ms; the worst moment for a fault is right behind one.
GLANCE_US = 40_000

Step = Callable[[Clip], None]


@dataclass(frozen=True)
class Fault:
    """A fault that begins in the course of a pattern, and ends.

    :param lasts_s: for how long; one that has an end of its own ends up to 2 s later. 0: it is over at once
    :param limit_us: for how long the motor may be driven
    :param back_s: by when the device has to be in service again
    """

    name: str
    begin: Step
    end: Step
    lasts_s: float = 3.0
    limit_us: int = MOTOR_OFF_US
    back_s: float = BACK_S


def nothing(clip: Clip) -> None:
    pass


def throws(times: int, fault: type[BaseException]) -> Step:
    """The next turns break off in the chain's own code: what the motor does is looked at each time."""

    def begin(clip: Clip) -> None:
        honest = clip.device._buzz.step
        left = [times]

        def step(now_ms: int) -> int:
            if left[0]:
                left[0] -= 1
                raise fault("made up")
            return int(honest(now_ms))

        clip.device._buzz.step = step

    return begin


def jumps(ms: int) -> Step:
    def begin(clip: Clip) -> None:
        clip.clock._offset_ms += ms  # type: ignore[attr-defined]

    return begin


NAMES = {
    "unpowered": "its power is gone",
    "its supply fails": "its supply fails, whatever its pin says",
    "stuck bus": "somebody holds the bus low",
    "holds the bus": "the sensor holds the bus low",
    "no acknowledge": "it does not answer",
    "wrong id": "it is another chip",
    "frozen": "its values stand still",
    "saturated": "its values stand at their end",
    "nothing but zeros": "its values are nothing",
    "no samples": "it gathers no samples",
    "silent reset": "it was reset behind our back",
    "a register flips": "it has lost a setting",
}
FAULTS = (
    *(
        Fault(told, *SENSOR[name][:2], lasts_s=0.0 if name in ("silent reset", "a register flips") else 3.0)
        for name, told in NAMES.items()
    ),
    Fault("its values jump from end to end", *_feels(lambda: _Wild(5))),
    Fault("an exception in a turn", throws(1, KeyError), nothing, 0.0),
    Fault("exceptions in nine turns", throws(9, MemoryError), nothing, 0.0),
    Fault("the clock is set back", jumps(-3_600_000), nothing, 0.0),
    Fault("the clock jumps ahead", jumps(1 << 27), nothing, 0.0),
    Fault(
        "the program hangs",
        throws(1, Hang),
        nothing,
        board_module.WATCHDOG_S,
        int(board_module.WATCHDOG_S * US_PER_S) + MOTOR_OFF_US,
        BACK_AFTER_RESTART_S,
    ),
)


def strike(clip: Clip, at_us: int, begin: Step) -> list[int]:
    """Let the fault begin at a time, though the board sleeps then; where it was awake, with its next sleep.

    :return: will hold when it began
    """
    sleep = clip._sleep
    began_us: list[int] = []

    def slept(seconds: float) -> None:
        now_us = clip.clock.now_us
        us = int(seconds * US_PER_S + 0.5) - now_us % 1000
        if began_us or us <= 0 or now_us + us <= at_us:
            sleep(seconds)
            return
        if at_us > now_us:
            clip.clock.advance_us(at_us - now_us)
        began_us.append(clip.clock.now_us)
        begin(clip)
        if clip.clock.now_us < now_us + us:
            clip.clock.advance_us(now_us + us - clip.clock.now_us)

    clip._sleep = slept  # type: ignore[method-assign]
    return began_us


def off_after_us(clip: Clip, began_us: int) -> int:
    """How long after a time the pattern that played then went on; rests for a look do not end it."""
    last_us = began_us
    on_us = None
    for at_us, duty in clip.edges:
        if duty and on_us is None:
            on_us = at_us
        elif not duty and on_us is not None:
            if at_us > began_us and on_us < began_us + PATTERN_US:
                last_us = at_us
            on_us = None
    assert on_us is None or on_us > began_us + PATTERN_US, "it is driven still"
    return last_us - began_us


def moments(count: int) -> list[int]:
    """From a pattern's begin, in us: right behind a look in each of its pulses, at their begin, and anywhere."""
    behind = [k * GLANCE_US + 100 for k in (1, 2, 4, 11, 14, 21, 24)]
    between = [42_000 + k * (PATTERN_US - 80_000) // count for k in range(count)]
    return behind + between


def measured(fault: Fault) -> tuple[float, float]:
    """(ms that the motor is driven after the fault, s from its end to service) at the worst of the moments."""
    worst_off_us, worst_back_us = 0, 0
    for number, at_us in enumerate(moments(5)):
        clip = scene(NANO if number % 3 == 2 else XIAO)
        while not clip.motor_on:
            clip.step()
        struck_us = strike(clip, clip.pwm.edges[-1][0] + at_us, fault.begin)
        while not struck_us:
            clip.step()
        (began_us,) = struck_us
        gone_us = began_us + int(fault.lasts_s * US_PER_S)
        if fault.end is not nothing:
            # At any moment between two tries to start the sensor, which are up to 1.5 s apart.
            gone_us += 190_000 * number
        while clip.clock.now_us < max(gone_us, began_us + 120_000):
            clip.step()
        fault.end(clip)
        if fault.end is not nothing:
            gone_us = clip.clock.now_us
        # In service for half a second: what is about to be noticed is not yet back.
        back_us = clip.clock.now_us
        while clip.clock.now_us < back_us + 600_000:
            clip.step()
            if not in_service(clip):
                back_us = clip.clock.now_us
            assert clip.clock.now_us < gone_us + 30_000_000, fault.name
        worst_back_us = max(worst_back_us, back_us - gone_us)
        worst_off_us = max(worst_off_us, off_after_us(clip, began_us))
        clip.run_for(2.0)
        assert clip.honest()
    return worst_off_us / 1000, worst_back_us / US_PER_S


def told() -> dict[str, tuple[int, float]]:
    """The page's rows."""
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| (.+?) \| (\d+) \| ([\d.]+) \|$", text.partition(BEGIN)[2].partition(END)[0])
    return {name: (int(off_ms), float(back_s)) for name, off_ms, back_s in rows}


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_the_motor_is_off_and_the_device_back_within_what_the_page_says(
    fault: Fault, request: pytest.FixtureRequest
) -> None:
    off_ms, back_s = measured(fault)
    assert off_ms <= fault.limit_us / 1000
    assert back_s <= fault.back_s
    rounded = (-int(-off_ms // STEP_MS) * STEP_MS, -int(-back_s // STEP_S) * STEP_S)
    if request.config.getoption("--rewrite"):
        rows = {**told(), fault.name: rounded}
        lines = ["| it happens in a buzz | motor off after, ms | in service after its end, s |", "| --- | --- | --- |"]
        lines += [f"| {one.name} | {rows[one.name][0]} | {rows[one.name][1]:g} |" for one in FAULTS if one.name in rows]
        head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        PAGE.write_text(head + BEGIN + "\n".join(lines) + "\n" + END + rest.partition(END)[2], encoding="utf-8")
    said_ms, said_s = told()[fault.name]
    # Not more than it says, nor so much less that it says nothing.
    assert said_ms - 3 * STEP_MS <= off_ms <= said_ms
    assert said_s - 3 * STEP_S <= back_s <= said_s


def test_every_fault_of_the_page_is_measured_in_its_order() -> None:
    assert list(told()) == [fault.name for fault in FAULTS]


@pytest.mark.parametrize("profile", [XIAO, NANO])
def test_a_look_that_breaks_off_costs_the_buzz_ten_milliseconds(profile: str) -> None:
    clip = scene(profile)
    while not clip.motor_on:
        clip.step()
    began_us = clip.pwm.edges[-1][0]
    clip.bus.break_next_burst(17)
    while clip.clock.now_us < began_us + PATTERN_US + 50_000:
        clip.step()
    assert clip.device.errors == 1
    pulses = [(on_us - began_us, off_us - began_us) for on_us, off_us in clip.pwm.pulses if on_us >= began_us]
    assert sum(off_us - on_us for on_us, off_us in pulses) >= 3 * 250_000 - 15_000
    assert len(pulses) == 4  # one of the three with a rest in it
    assert abs(pulses[-1][1] - PATTERN_US) <= 5_000
    clip.run_for(3)
    assert clip.field("gap_s") == 0


@pytest.mark.parametrize("alike", [2, 5, 11])
def test_no_pattern_begins_on_values_that_stand_still(alike: int) -> None:
    """They are no posture after 13 alike; a buzz that falls due before is not begun either."""
    clip = scene(leaning=False)
    clip.run_for(3.01)
    clip.device._supply.same = alike
    clip.device.chain.buzz_request = 1
    clip.device._answer_buzz(clip.clock.ticks_ms())
    assert not clip.device.buzzing and not clip.motor_on


def test_a_look_is_too_short_to_be_felt_and_too_rare_to_weaken_a_pulse() -> None:
    """2 % of the drive at the most, each rest far below the 50 ms in which a coin motor gathers speed."""
    clip = scene()
    clip.run_for(8)
    rests = [b[0] - a[0] for a, b in itertools.pairwise(clip.edges) if not a[1] and b[1] and b[0] - a[0] < 5_000]
    assert len(rests) >= 3 * 5
    assert max(rests) <= 1_500
    driven_us = sum(off_us - on_us for on_us, off_us in clip.pwm.pulses)
    assert sum(rests) <= 0.03 * driven_us
