"""`make bench-sim` in short, and the committed page: what it promises, and whether it is of this code."""

import re
from pathlib import Path

import numpy as np
import pytest
from walktall_sim import engine

from bench import simulator

PAGE = simulator.OUT


def rows_of(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, its head left out."""
    section = text.split(f"{heading}\n", 1)[1]
    found = re.search(r"((?:^\|.*\n)+)", section, re.M)
    assert found
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()[2:]]


def test_a_short_run_measures_the_pipelines_and_the_full_path() -> None:
    made = np.random.default_rng(4)
    rows = (made.normal(0.0, 1.0, (60 * 60, 6)) + np.array([0.0, 9.8, 0.0, 0.0, 0.0, 0.0])).astype(np.float32)
    rows[:200, :3] = rows[:200, :3] * 0.01 + np.array([0.0, 9.7, 0.0])
    rows[:, 3:] *= 0.1
    fast, vqf, pure, madgwick, stepwise = simulator.pipelines(rows, rounds=1, minutes=1)
    assert min(vqf, madgwick, stepwise) > 0.0
    # Loose: a busy machine. What is promised is measured by `make bench-sim`.
    assert pure < madgwick
    if engine.select().name == engine.COMPILED:
        assert fast < vqf < pure
    assert simulator.full_path(rows, 1, "lsm6dsox", minutes=1) > 20.0


def test_the_line_of_cost_against_length_is_found() -> None:
    run = {f"{n}": (n, simulator.Run(0.5 + n / 86400.0, 1.0, 100.0)) for n in (60, 600, 3600, 86400, 604800)}
    start, a_day, off = simulator.linear(run)
    assert start == pytest.approx(0.5)
    assert a_day == pytest.approx(1.0)
    assert off == pytest.approx(0.0, abs=1e-9)
    run["86400"] = (86400, simulator.Run(3.0, 1.0, 100.0))
    assert simulator.linear(run)[2] > simulator.LINEAR_MOST


def test_every_row_that_falls_short_says_why() -> None:
    rows = rows_of(PAGE.read_text(encoding="utf-8"), "## What must be shown")
    assert len(rows) == 8
    for row in rows:
        assert row[3] in ("yes", "no")
        assert (row[3] == "no") == (len(row[4]) > 20), row[0]


def test_the_page_names_no_machine() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert not re.search(r"\b(GHz|Intel|AMD|Xeon|Ryzen|x86|µs|ms)\b", text)


def test_the_picture_is_there_and_the_same_each_time() -> None:
    text = (PAGE.parent / "length.svg").read_text(encoding="utf-8")
    assert "7 days" in text
    assert "<dc:date>" not in text


def test_the_committed_page_was_made_with_this_code() -> None:
    found = re.search(r"^Code: `([0-9a-f]{16})`", PAGE.read_text(encoding="utf-8"), re.M)
    assert found
    assert found[1] == simulator.digest(), f"docs/benchmarks/{Path(PAGE).name} is stale: run `make bench-sim`"
