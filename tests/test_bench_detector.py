"""The benchmark of the detector: it runs, its page has every row, and the page is no older than the firmware."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from walktall_sim import turn

from bench import detector, people, report, stats
from bench.strain import STRAINS, Strain, scene
from tests.sim_files import real

PAGE = detector.OUT / "detector.md"
ALGORITHM = detector.ROOT / "docs" / "algorithm.md"


@pytest.fixture(scope="module")
def root() -> Path:
    folder = real("manifest.json").parent
    people.set_root(folder)
    return folder


@pytest.fixture(scope="module")
def quick(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A quick run on one person."""
    out = tmp_path_factory.mktemp("bench")
    done = detector.main(["--recordings", str(root), "--out", str(out), "--quick", "--person", "P03", "--workers", "1"])
    assert done == 0
    return out, (out / "detector.md").read_text(encoding="utf-8")


def rows_of(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    section = text.split(f"{heading}\n", 1)[1]
    lines = re.search(r"((?:^\|.*\n)+)", section, re.M)
    assert lines, heading
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines.group(1).splitlines()[2:]]


def test_a_quick_run_on_one_person_writes_page_and_pictures(quick: tuple[Path, str]) -> None:
    out, text = quick
    assert {path.name for path in out.iterdir()} == {"detector.md", "inclination.svg", "turns.svg", "walk.svg"}
    assert "A quick run" in text
    assert detector.digest() in text
    assert not re.search(r"\bnan\b", text)


def test_every_promised_row_stands_in_the_page(quick: tuple[Path, str]) -> None:
    shown = [row[0] for row in rows_of(quick[1], "## What must be shown")]
    assert shown == [text for _, text, _, _ in report.target_rows(detector.Results())]
    committed = [row[0] for row in rows_of(PAGE.read_text(encoding="utf-8"), "## What must be shown")]
    assert committed == shown


def test_the_committed_page_was_made_with_this_firmware() -> None:
    found = re.search(r"^Firmware: `([0-9a-f]{16})`", PAGE.read_text(encoding="utf-8"), re.M)
    assert found
    assert found.group(1) == detector.digest(), "docs/benchmarks/detector.md is stale: run `make bench-detector`"


def test_every_row_that_falls_short_says_why() -> None:
    for row in rows_of(PAGE.read_text(encoding="utf-8"), "## What must be shown"):
        if "no" in row[5]:
            assert len(row[6]) > 20, row[0]


def test_the_committed_page_covers_everybody_and_every_strain(root: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    walkers = rows_of(text, "## Who walked")
    assert [(row[0], row[1]) for row in walkers] == [(one.kit, one.name) for one in people.people()]
    strained = [row[0] for row in rows_of(text, "## Under strain")]
    assert strained == ["none", *(strain.name for strain in STRAINS)]
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text):
        assert (PAGE.parent / picture).is_file()
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", ALGORITHM.read_text(encoding="utf-8")):
        assert (ALGORITHM.parent / picture).is_file()


def test_the_half_rule_takes_turns_over_all_people(root: Path) -> None:
    everyone = people.people()
    assert [one.tuned for one in everyone] == [k % 2 == 0 for k in range(len(everyone))]
    assert [one.tuned for one in people.people(("grouvel_sternum",))] == [
        one.tuned for one in everyone if one.kit == "grouvel_sternum"
    ]


def test_an_unknown_person_or_folder_is_told_in_one_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert detector.main(["--recordings", str(root), "--person", "nobody"]) == 2
    assert detector.main(["--recordings", str(root / "nowhere")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)]
)
def test_wilson_intervals_are_the_published_ones(hits: int, n: int, low: float, high: float) -> None:
    assert stats.wilson(hits, n) == pytest.approx((low, high), abs=5e-4)


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39)])
def test_poisson_intervals_are_the_published_ones(count: int, low: float, high: float) -> None:
    assert stats.poisson(count, 1.0) == pytest.approx((low, high), rel=2e-3, abs=1e-6)
    assert stats.poisson(count, 0.0) == (0.0, math.inf)


@pytest.mark.parametrize("flip", ["upside down", "on the back"])
def test_a_clip_on_another_way_round_feels_the_same_walk(root: Path, flip: str) -> None:
    walk = people.joined("grouvel_sternum", "P03", 0.5)
    frame, chosen = people.frame_of("grouvel_sternum", walk.data), people.mounting_of("grouvel_sternum")
    here = scene(walk.data, frame, chosen, Strain(flip, flip=flip), [turn.Turn(15.0, 10.0, 10.0, 1.0)])
    there = scene(walk.data, frame, chosen, Strain(), [turn.Turn(15.0, 10.0, 10.0, 1.0)])
    rows, plain = here.source.block(0, 1000), there.source.block(0, 1000)
    assert np.linalg.norm(rows[:, :3], axis=1) == pytest.approx(np.linalg.norm(plain[:, :3], axis=1))
    assert (here.chosen.forward, here.chosen.up) != (chosen.forward, chosen.up)
    assert here.chosen.forward // 2 == chosen.forward // 2
