"""Every pure module gives the same under MicroPython, with the board's 31-bit small ints, as under CPython."""

import pytest
from walktall import link, selftest, visit
from walktall.selftest import HOST_ONLY
from walktall_host import drive

from tests.vm.machine import EXERCISES, FIRMWARE_LIB, Machine

NAMES = sorted(path.stem for path in EXERCISES.glob("exercise_*.py"))
# Some are for the host alone.
# Parts of a class in another module, with which they are exercised.
WITHIN = {"sending": link.Link, "telling": visit.Visit}
NOT_PURE = {"__init__", *(name.removesuffix(".py") for name in HOST_ONLY)}


@pytest.mark.parametrize("name", NAMES)
def test_micropython_agrees_with_cpython_bit_for_bit(machine: Machine, name: str) -> None:
    """As sources, and as they lie on the drive: promise 1 for what a board runs."""
    expected = machine.cpython(name).splitlines()
    assert expected, f"{name} prints nothing"
    assert machine.micropython(name, heap_bytes=1024 * 1024).splitlines() == expected
    if name == "exercise_selftest":  # it tells the digest of its own files
        at = expected.index(selftest.source_digest(str(FIRMWARE_LIB / "walktall")).hex())
        expected[at] = drive.source_digest(drive.content()).hex()
    assert machine.micropython(name, heap_bytes=1024 * 1024, compact=True).splitlines() == expected


def test_every_pure_module_is_exercised() -> None:
    modules = {path.stem for path in (FIRMWARE_LIB / "walktall").glob("*.py")} - NOT_PURE
    for part, whole in WITHIN.items():
        assert f"walktall.{part}" in {base.__module__ for base in whole.__mro__}
        modules = modules - {part} | {whole.__module__.rpartition(".")[2]}
    assert modules - {name.removeprefix("exercise_") for name in NAMES} == set()
