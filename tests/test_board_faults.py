"""A fault of our own while the program starts: in the import of any module, or in the first call of any part of it."""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from walktall.retained import Retained
from walktall_sim.clock import US_PER_S

from tests import circuitpython_surface as surface
from tests.test_board_files import NANO, XIAO, Desk, Enough, Reload, Reset
from tests.test_faults import BACK_AFTER_RESTART_S

FIRMWARE_LIB = Path(__file__).resolve().parent.parent / "firmware" / "lib" / "walktall"
#: What the program does not load when it starts.
LATER = {
    *("answers", "frames", "link", "selftest", "sending", "telling", "visit"),  # when a computer comes
    *("meanings", "records", "retrace", "settings", "wire"),  # the computer's side
}
#: A call of each part that the start makes: where it hangs, and its name.
STARTS = (
    ("boards", "select"),
    ("boards", "pin"),
    ("buttons.Buttons", "__init__"),
    ("buzz.Buzz", "__init__"),
    ("calibrate.Calibrator", "__init__"),
    ("chain.Chain", "__init__"),
    ("coach.Coach", "__init__"),
    ("detector.Detector", "__init__"),
    ("device.Device", "__init__"),
    ("events.EventRing", "__init__"),
    ("gait.Gait", "__init__"),
    ("hw", "let_go"),
    ("hw.banks.NvmBank", "__init__"),
    ("hw.imu.Imu", "__init__"),
    ("hw.imu.Imu", "start"),
    ("hw.light.Light", "__init__"),
    ("hw.motor.PwmMotor", "__init__"),
    ("hw.pins.Button", "__init__"),
    ("hw.pins.Opener", "__init__"),
    ("hw.power.Power", "__init__"),
    ("hw.wallclock.WallClock", "__init__"),
    ("journal.Journal", "__init__"),
    ("journal.Journal", "load"),
    ("limits.Settings", "__init__"),
    ("packing.Table", "__init__"),
    ("resume", "recover"),
    ("retained.Retained", "__init__"),
    ("rows.RowWriter", "__init__"),
    ("session.Session", "__init__"),
    ("supply.Supply", "__init__"),
    ("tilt.Tilt", "__init__"),
    ("trace.Trace", "__init__"),
    ("trace.Trace", "load"),
)


def names() -> list[str]:
    """Every module of the firmware, as it is called within the package."""
    found = []
    for path in sorted(FIRMWARE_LIB.rglob("*.py")):
        name = ".".join(path.relative_to(FIRMWARE_LIB).with_suffix("").parts).removesuffix("__init__").rstrip(".")
        if name:
            found.append(name)
    return found


@pytest.fixture
def afresh() -> Iterator[None]:
    """The firmware's modules are imported anew, as after a reset, and those of the tests come back afterwards."""
    kept = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "walktall"}
    for name in kept:
        del sys.modules[name]
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "walktall"]:
        del sys.modules[name]
    sys.modules.update(kept)


class Gate:
    """``__import__`` that fails once for one module.

    :param target: its full name
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.failed = 0
        self._import = builtins.__import__

    def __call__(self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        base = name
        if level:
            package = (globals["__package__"] or "").split(".")
            base = ".".join([*package[: len(package) - level + 1], *([name] if name else [])])
        wanted = {base, *(f"{base}.{one}" for one in fromlist or ())}
        if self.target in wanted and not self.failed:
            self.failed += 1
            raise MemoryError
        return self._import(name, globals, locals, fromlist, level)


def restarts(one: Desk, patch: pytest.MonkeyPatch, name: str) -> None:
    """The program, broken once, stops with the motor off and the fault kept, and starts again, whole."""
    began_us = one.clock.now_us
    end = one.work(200)
    patch.undo()
    assert isinstance(end, (Reset, Reload)), f"{name}: {end!r}"
    assert not one.duties or one.duties[-1] == 0
    # What would keep the count of crashes is broken itself: then it is tried once a minute from the first time on.
    uncounted = name.startswith("retained")
    assert (one.clock.now_us - began_us) / US_PER_S <= (70 if uncounted else BACK_AFTER_RESTART_S)
    assert Retained(one.memory).crashes == (0 if uncounted else 1)
    before = one.bus.n_transfers
    assert isinstance(one.work(6), Enough)
    assert one.bus.n_transfers - before > 4 * 4


@pytest.mark.parametrize("name", names())
def test_a_module_that_cannot_be_imported_once_costs_a_restart_and_no_more(
    name: str, tmp_path: Path, afresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Parts that the reference board has not.
    one = Desk(NANO if name == "hw.tagged" else XIAO, tmp_path)
    if name == "hw.haptic":
        one.env["WALKTALL_MOTOR"] = "drv2605"
        surface.fit_driver_chip(monkeypatch)
    gate = Gate("walktall." + name)
    monkeypatch.setattr(builtins, "__import__", gate)
    if name == "hw.start":
        # It imports what only boards have, so the desk makes it by hand.
        source = Path.read_text

        def unreadable(path: Path, *rest: Any, **more: Any) -> str:
            if path.name == "start.py" and not gate.failed:
                gate.failed += 1
                raise MemoryError
            return source(path, *rest, **more)

        monkeypatch.setattr(Path, "read_text", unreadable)
    if name in LATER:
        assert isinstance(one.work(3), Enough)
        assert not gate.failed
        return
    restarts(one, monkeypatch, name)
    assert gate.failed


@pytest.mark.parametrize(("where", "name"), STARTS, ids=[".".join(row) for row in STARTS])
def test_a_part_that_fails_once_in_the_start_costs_a_restart_and_no_more(
    where: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Desk(XIAO, tmp_path)
    owner: Any = importlib.import_module("walktall")
    for part in where.split("."):
        owner = getattr(owner, part, None) or importlib.import_module(f"{owner.__name__}.{part}")
    honest = getattr(owner, name)
    failed: list[int] = []

    def gated(*args: Any, **named: Any) -> Any:
        if not failed:
            failed.append(1)
            raise MemoryError
        return honest(*args, **named)

    monkeypatch.setattr(owner, name, gated)
    restarts(one, monkeypatch, where)
    assert failed


def test_every_part_of_the_start_is_broken_once() -> None:
    """Or has no part that it makes: arithmetic and tables, whose import is broken above."""
    silent = {"fixmath", "motion", "sensing", "slots", "ticks", "wearing", "hw.start", "hw.haptic", "hw.tagged"}
    broken = {name for name in names() if any(where == name or where.startswith(name + ".") for where, _ in STARTS)}
    assert set(names()) - LATER - silent <= broken
