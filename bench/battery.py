"""How long a cell lasts: a model, from datasheet currents and what the loop does on the virtual board.

    mA = asleep + (awake - asleep) * share of the time awake + sensor + divider + motor

The share of the time awake is counted: turns, their opcodes, bus time and looks at the button's pin are those of the
ordinary ``Device`` on the virtual board, walking, dozing and switched off. What an opcode takes on a board is assumed,
and so is what a typical day looks like; both are written beside the figures. No current was measured: this page tells
which parts weigh, and what a cell should last if the sources are right.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from walktall import buzz
from walktall_sim.board import VirtualBoard

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "battery.md"
PICTURE = ROOT / "docs" / "pictures" / "battery.svg"
FIRMWARE_LIB = ROOT / "firmware" / "lib" / "walktall"

CELLS_MAH = (40, 100, 150, 400)
USABLE = 0.9
"""Of the nominal capacity: the device stops at 3.4 V with about 3 % left, and cells age."""
TARGET_DAYS = 5
OPCODE_US = 2.0
LOOK_US = 150.0
"""Waking from ``time.sleep``, reading a pin, sleeping again."""
MOTOR_MA = 80.0
STRENGTH = 0.8
BUZZES = 12


@dataclass(frozen=True, slots=True)
class Board:
    """Currents in mA at the cell.

    :param sensor_ma: accelerometer and gyroscope at 52 Hz, high performance, as the driver leaves them
    :param doze_ma: the accelerometer alone at 26 Hz in low power
    """

    name: str
    asleep_ma: float
    awake_ma: float
    sensor_ma: float
    doze_ma: float
    sources: str


BOARDS = (
    Board(
        "XIAO nRF52840 Sense",
        0.5,
        6.0,
        0.9,
        0.014,
        "asleep and awake: field reports of CircuitPython on this board; sensor: LSM6DS3TR-C datasheet, electrical"
        " characteristics (0.9 mA; 9 µA at 12.5 Hz, taken half as much again for 26 Hz)",
    ),
    Board(
        "Nano RP2040 Connect",
        18.0,
        24.0,
        0.55,
        0.015,
        "asleep and awake: an RP2040 at 125 MHz, whose `time.sleep()` stops no clock (assumed); sensor: LSM6DSOX"
        " datasheet (0.55 mA; low power taken like the TR-C's)",
    ),
    Board("Pico, LSM6DSOX breakout", 18.0, 24.0, 0.55, 0.015, "as the Nano's"),
)


@dataclass(frozen=True, slots=True)
class Use:
    """A day, in hours.

    :param roused: share of the time worn and not walked in which the sensor is awake because something moved
    :param night_off: the button was held, else the clip lies there and dozes
    """

    name: str
    worn_h: float
    walked_h: float
    roused: float
    night_off: bool = False


USES = (
    Use("12 h worn, 1 h walking", 12, 1, 0.10),
    Use("the same, much moving about", 12, 1, 0.25),
    Use("12 h worn, 3 h walking", 12, 3, 0.10),
    Use("the same as the first, never dozing (`doze_s=0`, or desk mode)", 12, 1, 1.0),
    Use("8 h worn, 1 h walking, switched off at night", 8, 1, 0.10, True),
)


@dataclass(frozen=True, slots=True)
class Loop:
    """What the loop does in a second: turns, milliseconds on the bus, looks at the button, CPython's opcodes."""

    turns: float
    bus_ms: float
    looks: float
    opcodes: float = 0.0


STATES = ("walking", "dozing", "off")


class _Collar:
    """Somebody who walks, or sits still, for ever."""

    def __init__(self, walks: bool) -> None:
        rng = np.random.default_rng(1)
        self._noise = rng.normal(0.0, 1.0, (1021, 6)) * np.array([0.02] * 3 + [0.002] * 3)
        self._walks = 1.0 if walks else 0.0

    def block(self, i0: int, n: int) -> NDArray[np.float64]:
        """Rows ``i0 ..``: m/s^2 and rad/s."""
        step = 2 * np.pi * 1.9 * np.arange(i0, i0 + n) / 52.0
        rows = self._noise.take(range(i0, i0 + n), axis=0, mode="wrap").copy()
        rows[:, 1] += 9.80665 + self._walks * 2.6 * np.sin(step)
        rows[:, 2] += self._walks * 1.1 * np.cos(step)
        out: NDArray[np.float64] = rows
        return out


def loop_of(state: str, seconds: int = 60) -> Loop:
    """The loop counted on the virtual board, behind the first two minutes.

    :param state: of ``STATES``
    """
    board = VirtualBoard(_Collar(state == "walking"))
    board.device.chain.set_upright(0, 8197, 0, 0, 0, 0, 90)
    if state == "off":
        board.press(100.0, 3.4)
    board.run_until(130)
    device = board.device
    assert (device.off, device._dozing == 1) == (state == "off", state == "dozing")
    counts = {"turns": 0, "looks": 0, "bus_us": 0, "opcodes": 0}
    poll: Any = board.device.poll
    sleep = board._sleep

    def each_opcode(frame: FrameType, event: str, what: Any) -> Any:
        if event == "opcode":
            counts["opcodes"] += 1
        return each_opcode

    def each_call(frame: FrameType, event: str, what: Any) -> Any:
        if str(FIRMWARE_LIB) not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return each_opcode

    def turned() -> None:
        counts["turns"] += 1
        before_us = board.clock.now_us
        traced = sys.gettrace()
        sys.settrace(each_call)
        try:
            poll()
        finally:
            sys.settrace(traced)
        counts["bus_us"] += board.clock.now_us - before_us

    def slept(length_s: float) -> None:
        counts["looks"] += 1
        sleep(length_s)

    board.device.poll = turned
    board._sleep = slept  # type: ignore[assignment,method-assign]
    board.run_for(seconds)
    # Two figures: more would say more than the model knows, and change the page with each line of the firmware.
    opcodes = float(f"{counts['opcodes'] / seconds:.2g}")
    return Loop(counts["turns"] / seconds, counts["bus_us"] / 1000 / seconds, counts["looks"] / seconds, opcodes)


def loops_of(seconds: int = 60) -> dict[str, Loop]:
    """Each state's."""
    return {state: loop_of(state, seconds) for state in STATES}


def opcodes_told(page: str) -> dict[str, float]:
    """State: opcodes a second, as a page has them. Other versions of Python have other opcodes."""
    found = re.findall(r"(?m)^\| (\w+) \| [\d.]+ \| (\d+) \| [\d.]+ \| \d+ \|$", page)
    return {state: float(opcodes) for state, opcodes in found}


def awake_share(loop: Loop, opcode_us: float = OPCODE_US) -> float:
    """Share of the time in which the processor works."""
    return (loop.opcodes * opcode_us + loop.bus_ms * 1000 + loop.looks * LOOK_US) / 1e6


@dataclass(frozen=True, slots=True)
class Draw:
    """Mean currents of a board in each of its states, mA."""

    walking_ma: float
    dozing_ma: float
    off_ma: float


def draw_of(board: Board, loops: dict[str, Loop], opcode_us: float = OPCODE_US) -> Draw:
    """Currents of a board from the loops that were counted."""
    sensor = {"walking": board.sensor_ma, "dozing": board.doze_ma, "off": 0.0}
    span = board.awake_ma - board.asleep_ma
    return Draw(*(board.asleep_ma + span * awake_share(loops[state], opcode_us) + sensor[state] for state in STATES))


def motor_mah() -> float:
    """Of a day's buzzes and their ticks of recovery, mAh."""

    def on_ms(pattern: int) -> int:
        return sum(buzz.PATTERNS[pattern][:-1:2])

    seconds = BUZZES * (on_ms(buzz.P_FORWARD) + on_ms(buzz.P_RECOVERED)) / 1000
    return MOTOR_MA * STRENGTH * seconds / 3600


def day_mah(draw: Draw, use: Use) -> float:
    """What a day with its night takes, mAh."""
    rest_h = use.worn_h - use.walked_h
    awake_h = use.walked_h + rest_h * use.roused
    dozed_h = rest_h * (1 - use.roused) + (0 if use.night_off else 24 - use.worn_h)
    off_h = 24 - use.worn_h if use.night_off else 0
    return awake_h * draw.walking_ma + dozed_h * draw.dozing_ma + off_h * draw.off_ma + motor_mah()


def days(cell_mah: float, draw: Draw, use: Use) -> float:
    """How many days and nights a cell lasts."""
    return USABLE * cell_mah / day_mah(draw, use)


def page(loops: dict[str, Loop]) -> str:
    """``docs/battery.md``."""
    draws = {board: draw_of(board, loops) for board in BOARDS}
    xiao = BOARDS[0]
    first = days(100, draws[xiao], USES[0])
    lines = [
        "# How long a charge lasts",
        "",
        "Made by `make battery`; do not edit.",
        "",
        "A model, not a measurement: **no current was measured on a board.** It says what a cell should last if its",
        "sources are right, and which parts weigh. Days are days with their nights, in which the clip lies there and",
        "dozes unless it says otherwise.",
        "",
        f"With 100 mAh on the XIAO, worn 12 hours a day with an hour of walking: **{first:.1f} days** and nights"
        f" (wanted: {TARGET_DAYS}).",
        "",
        "![Days by cell and use](pictures/battery.svg)",
        "",
    ]
    for board in BOARDS:
        lines += [f"## {board.name}", "", "| use | mAh a day | " + " | ".join(f"{c} mAh" for c in CELLS_MAH) + " |"]
        lines += ["| --- | --- |" + " --- |" * len(CELLS_MAH)]
        for use in USES:
            lasts = " | ".join(_lasts(days(cell, draws[board], use)) for cell in CELLS_MAH)
            lines.append(f"| {use.name} | {day_mah(draws[board], use):.1f} | {lasts} |")
        lines.append("")
        if board is not xiao:
            lines += ["No target: CircuitPython does not stop the RP2040's clocks in `time.sleep()`.", ""]
    lines += [
        "## Where it goes",
        "",
        "On the XIAO, mA in each state:",
        "",
        "| state | asleep | processor | sensor | in all |",
        "| --- | --- | --- | --- | --- |",
    ]
    span = xiao.awake_ma - xiao.asleep_ma
    for name, sensor in (("walking", xiao.sensor_ma), ("dozing", xiao.doze_ma), ("off", 0.0)):
        busy = span * awake_share(loops[name])
        total = xiao.asleep_ma + busy + sensor
        lines.append(f"| {name} | {xiao.asleep_ma:.2f} | {busy:.2f} | {sensor:.3f} | {total:.2f} |")
    lines += [
        "",
        f"The motor takes {motor_mah():.2f} mAh a day; the light is dark while all is well.",
        "",
        "## What went in",
        "",
        "Counted on the virtual board, each second; opcodes are CPython 3.11's:",
        "",
        "| state | turns of the loop | opcodes | ms on the bus | looks at the button |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {name} | {loop.turns:.1f} | {loop.opcodes:.0f} | {loop.bus_ms:.1f} | {loop.looks:.0f} |"
            for name, loop in loops.items()
        ),
        "",
        "Assumed:",
        "",
        f"* an opcode takes {OPCODE_US:g} µs on a board, a look at the button {LOOK_US:g} µs; the processor is awake on"
        " the bus. What an opcode takes weighs so much:",
        "",
        "  | µs an opcode | days of 100 mAh |",
        "  | --- | --- |",
    ]
    for opcode_us in (1.0, OPCODE_US, 4.0):
        lasted = days(100, draw_of(xiao, loops, opcode_us), USES[0])
        lines.append(f"  | {opcode_us:g} | {lasted:.1f} |")
    lines += [
        "",
        f"* of the nominal capacity {USABLE:.0%} can be used: the device stops at 3.4 V, and cells age;",
        f"* a coin motor at {MOTOR_MA:g} mA and {STRENGTH:.0%} strength, {BUZZES} buzzes a day, each answered;",
        "* worn and not walking, something moves the sensor awake for the share of the time that stands in the use"
        f" ({USES[0].roused:.0%}; much moving about: {USES[1].roused:.0%}). How often people do is not known: each time"
        " costs ten seconds, and a walk's end a minute (`doze_s`);",
        "* the XIAO's cell feeds a linear regulator: what flows at 3.3 V flows at the cell.",
        "",
        "Sources of the currents:",
        "",
    ]
    lines += [f"* {board.name}: {board.sources}." for board in BOARDS]
    return "\n".join(lines) + "\n"


def _lasts(n_days: float) -> str:
    return f"{n_days * 24:.0f} h ({n_days:.1f} d)" if n_days >= 1 else f"{n_days * 24:.0f} h"


def picture(path: Path, loops: dict[str, Loop]) -> None:
    """Days by cell for each use, on the XIAO."""
    from matplotlib import pyplot as plt

    from bench import plots

    draw = draw_of(BOARDS[0], loops)
    with plt.rc_context(plots._STYLE):
        figure, axes = plt.subplots(figsize=(7.5, 3.6))
        cells = np.linspace(20, 400, 50)
        colours = (plots._BLUE, plots._GREEN, plots._ORANGE, plots._RED, plots._GREY)
        for use, colour in zip(USES, colours, strict=True):
            label = use.name.replace("`", "")
            axes.plot(cells, [days(cell, draw, use) for cell in cells], color=colour, linewidth=1.4, label=label)
        axes.axhline(TARGET_DAYS, color=plots._GREY, linewidth=0.8, linestyle="--")
        axes.axvline(100, color=plots._GREY, linewidth=0.8, linestyle="--")
        axes.set_xlabel("cell, mAh")
        axes.set_ylabel("days and nights")
        axes.set_title("XIAO nRF52840 Sense: modelled, not measured", fontsize=9)
        axes.legend(fontsize=7)
        plots._save(figure, path)


def main() -> None:
    """Write the page and the picture."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    loops = loops_of()
    OUT.write_text(page(loops), encoding="utf-8")
    picture(PICTURE, loops)
    print(f"{OUT.relative_to(ROOT)}, {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
