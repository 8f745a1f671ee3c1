"""`make bench-device` in short, and the committed page: what it promises, and whether it is of this firmware."""

import re
from pathlib import Path

import pytest

from bench import device

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
    assert all(ratio > 0 for ratio in costs.times.values()), costs.times
    # Twice what it takes now: a slip that doubles the pipeline's cost shows here.
    assert costs.times["pipeline"] < 5
    assert sum(n for _, n in costs.opcodes) < 1500
    text = device.page(costs, 2)
    assert not re.search(r"\bnan\b|inf\b", text)
    assert [row[0] for row in rows_of(text, "## What must be shown")] == [row[0] for row in device.target_rows(costs)]


def test_heap_and_memory_hold_their_bounds(costs: device.Costs) -> None:
    assert [(used, most) for *_, used, most in costs.heap] == [(0, 0), (0, 0)]
    assert all(n > 10000 for _, n, *_ in costs.heap)
    assert {"device", "driver", "device made"} <= set(costs.kept)
    assert costs.imported < 192 * 1024
    assert costs.imported < costs.peak < 224 * 1024


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
