"""docs/reliability.md tells the cases that the tests run: their counts are the tests' own."""

import re
from pathlib import Path

import pytest

from tests import test_fuzz as fuzz
from tests import test_host_store as host_store
from tests import test_line_faults as line
from tests import test_power_cuts as cuts
from tests import test_sequences as sequences
from tests import test_wear as wear
from tests.field_tables import DOCS, hold

ROOT = Path(__file__).resolve().parent.parent


def number(value: int) -> str:
    return f"{value:,}"


def cases() -> str:
    rows = [
        "| what goes wrong | promises | CI | soak | test |",
        "| --- | --- | ---: | ---: | --- |",
        "| the power goes in any write of some days of the whole device, torn at many bytes (old, erased, zero, noise "
        "behind them), and again while it recovers | 1, 2, 3, 7 | "
        f"{number(cuts.CI_CUTS_LEAST)} cuts and more | every byte of every write | `tests/test_power_cuts.py` |",
        "| the power goes in any commit of the journal, at each 512-byte boundary and 16 seeded offsets, then in the "
        "next commit | 1, 3 | each write, 4 kinds of rest | | `tests/test_journal.py` |",
        "| the power goes in any erase or program of the modelled chips while a virtual board, sensor and all, walks "
        "three times | 1, 2, 3 | each once | each, at each 512-byte boundary and 16 offsets, and again in the recovery "
        "| `tests/test_every_cut.py` |",
        "| the power goes in any erase or program of the modelled flash chips under the trace | 2, 3, 7 | each eighth "
        "| each, 200 seeds | `tests/test_trace.py` |",
        "| the journal: write, merge, commit, cut, boot, fetch, acknowledge, fill up, settings, in any order | 1, 3 | "
        f"{number(sequences.JOURNAL_SEQUENCES)} sequences | {number(sequences.SOAK_JOURNAL_SEQUENCES)} | "
        "`tests/test_sequences.py` |",
        "| the whole device: walk, stand, download (broken off too), settings, reset, power off, cut in any write, "
        f"wipe, in any order | 1, 2, 3, 4, 7 | {number(sequences.DEVICE_SEQUENCES)} sequences | "
        f"{number(sequences.SOAK_DEVICE_SEQUENCES)} | `tests/test_sequences.py` |",
        "| the line fails at one byte of a download: cut, late, lost, doubled, changed; towards either end | 4 | "
        f"{number(line.CI_FAULTS_LEAST)} faults and more: every byte of an exchange of about 1 KiB | every byte of a "
        "full journal and 20 blocks | `tests/test_line_faults.py` |",
        "| the line loses, doubles and changes bytes all the time, chatters or is slow | 4 | 37 downloads | | "
        "`tests/test_host_download.py`, `tests/test_host_trace_transfer.py` |",
        f"| the program is killed at a statement of a download | 4 | {number(host_store.KILLS_LEAST)} kills and more: "
        "every statement | | `tests/test_host_store.py` |",
        "| the program is killed at a statement of a backup or a restore | 4 | every statement | | "
        "`tests/test_host_keeping.py` |",
        f"| random and mutated bytes to the device | 5 | {number(fuzz.CI_BYTES)} bytes | {number(fuzz.SOAK_BYTES)} | "
        "`tests/test_fuzz.py` |",
        f"| random and mutated bytes to the host: frames, messages, records, blocks, a hostile clip | 5 | "
        f"{number(fuzz.CI_BYTES)} bytes | {number(fuzz.SOAK_BYTES)}, and {fuzz.SOAK_GUIDED_S // 60} minutes guided by "
        "coverage (atheris) | `tests/test_fuzz.py` |",
        "| heap that the device's link takes for garbage and for requests, on the on-device VM | 5 | each kind of "
        "request | | `tests/test_link.py` |",
        f"| a year of daily use | 6 | 365 days | {wear.YEARS} years, walks of 15 minutes | `tests/test_wear.py` |",
    ]
    return "\n".join(rows)


def test_the_page_tells_the_cases_that_are_run(request: pytest.FixtureRequest) -> None:
    hold("reliability.md", "cases", cases(), request)


def test_every_promise_has_a_test_and_every_test_a_promise() -> None:
    text = (DOCS / "reliability.md").read_text()
    promises = set(re.findall(r"^\*\*(\d)\.", text, re.MULTILINE))
    table = re.findall(r"^\| [^|]+ \| (\d(?:, \d)*) \|", text, re.MULTILINE)
    assert promises == {each for row in table for each in row.replace(" ", "").split(",")} == set("1234567")


def test_the_tests_that_the_page_names_exist() -> None:
    for name in re.findall(r"`(tests/[\w/]+\.py)`", (DOCS / "reliability.md").read_text()):
        assert (ROOT / name).exists(), name


def test_the_wear_that_the_page_tells_is_the_years(request: pytest.FixtureRequest) -> None:
    hold("reliability.md", "wear", wear.table(), request)
