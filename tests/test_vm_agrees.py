"""Every pure module gives the same under MicroPython, with the board's 31-bit small ints, as under CPython."""

import pytest
from walktall.selftest import HOST_ONLY

from tests.vm.machine import EXERCISES, FIRMWARE_LIB, Machine

NAMES = sorted(path.stem for path in EXERCISES.glob("exercise_*.py"))
# `boards` names pins and imports `hw`, which needs CircuitPython's own modules; some are for the host alone.
NOT_PURE = {"__init__", "boards", *(name.removesuffix(".py") for name in HOST_ONLY)}


@pytest.mark.parametrize("name", NAMES)
def test_micropython_agrees_with_cpython_bit_for_bit(machine: Machine, name: str) -> None:
    expected = machine.cpython(name).splitlines()
    told = machine.micropython(name, heap_bytes=1024 * 1024).splitlines()
    assert expected, f"{name} prints nothing"
    assert told == expected


def test_every_pure_module_is_exercised() -> None:
    modules = {path.stem for path in (FIRMWARE_LIB / "walktall").glob("*.py")} - NOT_PURE
    assert modules - {name.removeprefix("exercise_") for name in NAMES} == set()
