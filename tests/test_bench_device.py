"""`make bench-device` in short, and the committed page: what it promises, and whether it is of this firmware."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from walktall.selftest import HOST_ONLY

from bench import device
from tests.vm.machine import EXERCISES, without_docstrings

PAGE = device.OUT


def rows_of(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, its head left out."""
    section = text.split(f"{heading}\n", 1)[1]
    found = re.search(r"((?:^\|.*\n)+)", section, re.M)
    assert found
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()[2:]]


@pytest.fixture(scope="module")
def costs() -> device.Costs:
    return device.measure(rounds=2, counted=1040)


def test_a_short_run_measures_everything(costs: device.Costs) -> None:
    # What is the small difference of two times may come out below nothing on a busy computer, in so few rounds.
    assert all(ratio > 0 for name, ratio in costs.times.items() if name not in ("drain", "tick share")), costs.times
    # Twice what it takes now: a slip that doubles the pipeline's cost shows here.
    assert costs.times["pipeline"] < 5
    assert sum(n for _, n in costs.opcodes) < 1500
    text = device.page(costs, 2)
    assert not re.search(r"\bnan\b|inf\b", text)
    assert [row[0] for row in rows_of(text, "## What must be shown")] == [row[0] for row in device.target_rows(costs)]


def test_heap_and_memory_hold_their_bounds(costs: device.Costs) -> None:
    assert [(used, most) for *_, used, most in costs.heap] == [(0, 0), (0, 0)]
    assert all(n > 10000 for _, n, *_ in costs.heap)
    held = costs.memory
    assert {"device", "driver", "device made", "code.py", *device.NOT_IMPORTS} <= set(held.kept)
    # Whoever has the least memory, of whom it was told, has room for a walk and for a computer.
    assert held.worn < held.starting[0] < device.FREE_AT_LEAST
    assert held.worn < held.visited < min(device.FREE_AT_LEAST, held.worn + 20 * 1024)
    assert held.arriving[0] < device.FREE_ON_A_BOARD
    assert held.worn < costs.plain.worn - 25 * 1024
    assert held.imported < costs.plain.imported - 35 * 1024
    assert held.names[1] < costs.plain.names[1] // 2
    # When it has gone what it took is free again, but for its names, and a larger table of names that they may bring.
    assert -held.kept["visit gone"] > 14 * 1024
    assert sum(held.kept.values()) < held.worn + 20 * 1024
    # As CircuitPython has it: this machine's figures are then a board's.
    assert 12 * 1024 < -held.kept["driver gone"] < 16 * 1024


def test_every_module_of_the_board_is_measured_by_itself() -> None:
    """One that is not listed would be counted with whoever imports it first."""
    listed = re.findall(r"[\w.]+", (EXERCISES / "cost_memory.py").read_text().split("FIRST = ")[1].split("LET_GO")[0])
    folder = device.FIRMWARE / "lib" / "walktall"
    there = {path.stem for path in folder.glob("*.py")} - {"__init__", "selftest"}
    there -= {name.removesuffix(".py") for name in HOST_ONLY}
    there |= {f"hw.{path.stem}" for path in (folder / "hw").glob("*.py")} - {"hw.__init__"}
    assert there <= set(listed)


def test_modules_are_compiled_in_the_order_that_is_reckoned_with() -> None:
    listed = device.compiled()
    # A finder that finds nothing is asked first, before the module is compiled.
    script = "import sys\nclass Asked:\n def find_spec(name, path=None, target=None):\n  print(name)\n"
    script += "sys.meta_path.insert(0, Asked)\n"
    script += "".join(f"import walktall.{name}\n" for name in listed if name != "resume")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    asked = [name.removeprefix("walktall.") for name in done.stdout.split() if name.startswith("walktall.")]
    assert [*asked, "resume"] == listed


def test_docstrings_are_left_out_and_nothing_else() -> None:
    source = (device.FIRMWARE / "lib" / "walktall" / "hw" / "light.py").read_text()
    bare = without_docstrings(source)
    assert len(bare.splitlines()) == len(source.rstrip("\n").splitlines())
    assert ast.get_docstring(ast.parse(bare)) is None
    for kept in (node for node in ast.walk(ast.parse(bare)) if isinstance(node, ast.FunctionDef)):
        assert ast.get_docstring(kept) is None
    dumped = re.sub(r"(?m)^ *pass$", "", bare)
    assert all(line.strip() in source for line in dumped.splitlines())


def test_every_row_that_falls_short_says_why() -> None:
    for row in rows_of(PAGE.read_text(encoding="utf-8"), "## What must be shown"):
        assert row[3] in ("yes", "no")
        assert (row[3] == "no") == (len(row[4]) > 20), row[0]


def test_the_page_names_no_machine() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert not re.search(r"\b(GHz|Intel|AMD|Xeon|Ryzen|x86|µs|ms)\b", text)


def test_the_committed_page_was_made_with_this_firmware() -> None:
    found = re.search(r"^Firmware: `([0-9a-f]{16})`", PAGE.read_text(encoding="utf-8"), re.M)
    assert found
    assert found[1] == device.digest(), f"docs/benchmarks/{Path(PAGE).name} is stale: run `make bench-device`"
