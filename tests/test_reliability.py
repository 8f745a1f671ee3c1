"""docs/reliability.md tells the cases that the tests run: their counts are the tests' own."""

import re
from pathlib import Path

import pytest

from tests import soaking
from tests import test_every_cut as every_cut
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
        f"{number(cuts.CI_CUTS_LEAST)} distinct cuts and more, at each 512-byte boundary and 16 seeded offsets of each "
        "write, each followed by another | every byte of every write | `tests/test_power_cuts.py` |",
        "| the power goes in any commit of the journal, at each 512-byte boundary and 16 seeded offsets, then in the "
        "next commit | 1, 3 | each write, 4 kinds of rest | | `tests/test_journal.py` |",
        "| the power goes in any erase or program of the modelled chips while a virtual board, sensor and all, walks "
        "four times, until the trace's ring has come round, and again in each operation of the recovery | 1, 2, 3, 7 | "
        f"{number(2 * every_cut.CI_CASES_LEAST)} distinct cuts and more: each at each 512-byte boundary and 16 seeded "
        "offsets (old, new, erased, noise behind them) | each at every byte | `tests/test_every_cut.py` |",
        "| the power goes in any erase or program of the modelled flash chips under the trace | 2, 3, 7 | each eighth "
        "| each, 20 seeds | `tests/test_trace.py` |",
        "| the journal: write, merge, commit, cut, boot, fetch, acknowledge, fill up, settings, in any order | 1, 3 | "
        f"{number(sequences.JOURNAL_SEQUENCES)} sequences | {number(sequences.SOAK_JOURNAL_SEQUENCES)} | "
        "`tests/test_sequences.py` |",
        "| the whole device: walk, stand, download (broken off too), settings, reset, power off, cut in any write, "
        f"wipe, in any order | 1, 2, 3, 4, 7 | {number(sequences.DEVICE_SEQUENCES)} sequences | "
        f"{number(sequences.SOAK_DEVICE_SEQUENCES)} | `tests/test_sequences.py` |",
        "| the line fails at one byte of a download: cut, late, lost, doubled, changed; towards either end | 4 | "
        f"{number(line.CI_FAULTS_LEAST)} faults and more: every byte of an exchange of about 1 KiB | every byte of "
        f"{line.SOAK_SESSIONS} records, a full journal, and {line.SOAK_BLOCKS} blocks | `tests/test_line_faults.py` |",
        "| the line loses, doubles and changes bytes all the time, chatters or is slow | 4 | 37 downloads | | "
        "`tests/test_host_download.py`, `tests/test_host_trace_transfer.py` |",
        "| the clip is older than the program: a download as each protocol version ever released said it | 4 | each "
        "version | | `tests/test_protocols.py` |",
        f"| the program is killed at a statement of a download, the clip living on | 4 | "
        f"{number(host_store.KILLS_LEAST)} kills and more: every statement, those that make the store too | | "
        "`tests/test_host_store.py` |",
        "| the program is killed at a statement of a backup or a restore | 4 | every statement | | "
        "`tests/test_host_keeping.py` |",
        f"| random and mutated bytes to the device | 5 | {number(fuzz.CI_BYTES)} bytes | {number(fuzz.SOAK_BYTES)} | "
        "`tests/test_fuzz.py` |",
        f"| random and mutated bytes to the host: frames, messages, records, blocks, a hostile clip | 5 | "
        f"{number(fuzz.CI_BYTES)} bytes | {number(fuzz.SOAK_BYTES)}, and {number(fuzz.SOAK_GUIDED_INPUTS)} inputs "
        "guided by coverage (atheris) | `tests/test_fuzz.py` |",
        "| random and mutated bytes to the device on the on-device VM: the heap in use stays what it was | 5 | "
        f"{number(fuzz.VM_BYTES)} bytes | | `tests/test_fuzz.py` |",
        "| heap that the device's link takes for garbage and for requests, on the on-device VM | 5 | each kind of "
        "request | | `tests/test_link.py` |",
        f"| a year of daily use | 6 | 365 days | {wear.YEARS} years, walks of 15 minutes | `tests/test_wear.py` |",
    ]
    return "\n".join(rows)


#: Every test of `make soak`: its name, what it tries, and the cases that it has to have run (0 = it counts none).
SOAK = (
    ("test_fuzz.py::test_the_device_for_long", "random and mutated bytes to the device", fuzz.SOAK_BYTES),
    ("test_fuzz.py::test_the_host_for_long", "random and mutated bytes to the host", fuzz.SOAK_BYTES),
    ("test_fuzz.py::test_the_host_guided_by_coverage", "the host guided by coverage", fuzz.SOAK_GUIDED_INPUTS),
    ("test_line_faults.py::test_a_fault_at_any_byte_of_a_full_download", "the line fails at any byte", 0),
    (
        "test_sequences.py::test_the_journal_in_any_order_for_long",
        "the journal in any order",
        sequences.SOAK_JOURNAL_SEQUENCES,
    ),
    (
        "test_sequences.py::test_the_whole_device_in_any_order_for_long",
        "the whole device in any order",
        sequences.SOAK_DEVICE_SEQUENCES,
    ),
    ("test_wear.py::test_five_years_of_daily_use", "five years of wear, two boards", 2 * wear.YEARS * 365),
    ("test_power_cuts.py::test_a_cut_at_every_byte_of_every_write", "the power goes at any byte of a write", 0),
    (
        "test_every_cut.py::test_a_cut_at_every_byte_of_every_operation",
        "the power goes at any byte of any operation of the virtual boards",
        0,
    ),
    ("test_trace.py::test_a_cut_at_any_operation_takes_no_more_than_it_may", "the power goes under the trace", 0),
    ("test_trace.py::test_a_second_cut_while_it_recovers_loses_nothing_more", "... and again in its recovery", 0),
    ("test_retrace.py::test_unchanged_settings_give_exactly_the_recorded_events", "what-if is exact on made walks", 0),
    ("test_soak.py::test_a_week_leaves_seven_records_of_seven_walks_and_nothing_in_memory", "a week worn", 0),
    ("test_soak.py::test_the_heap_is_flat_over_a_day_on_the_boards_machine", "a day on the on-device VM", 0),
    ("test_twin.py::test_whatever_comes_for_long_both_do_the_same", "the twin on anything", 0),
    ("test_twin.py::test_a_wheel_built_with_walktall_compile_holds_the_twin", "the twin in a wheel", 0),
)


def soaked() -> str:
    """The last run in full of each part, as `make soak` wrote it down."""
    every = soaking.runs().items()
    rows = [
        "| part | cases | of one core | seed | firmware | on | test |",
        "| --- | ---: | ---: | --- | --- | --- | --- |",
    ]
    total_s = 0.0
    for name, what, wanted in SOAK:
        ran = soaking.of_test(f"tests/{name}", every)
        path = name.split("::")[0]
        if not ran:
            rows.append(f"| {what} | not run yet | | | | | `tests/{path}` |")
            continue
        cases = sum(each["ran"] for each in ran)
        core_s = sum(each["core_s"] for each in ran)
        total_s += core_s
        so_far = f" of {number(wanted)}" if cases < wanted else ""
        told = f"{number(cases)}{so_far} {ran[0]['unit']}" if cases else f"{len(ran)} runs" if len(ran) > 1 else ""
        firmwares = sorted({each["firmware"][:8] for each in ran})
        seeds = sorted({str(each["seed"]) for each in ran})
        days = sorted({each["on"] for each in ran})
        rows.append(
            f"| {what} | {told} | {soaking.seconds(core_s)} | {', '.join(seeds)} | "
            f"{', '.join(f'`{each}`' for each in firmwares)} | {days[0]} | `tests/{path}` |"
        )
    rows.append(f"| all of it | | {soaking.seconds(total_s)} | | | | |")
    return "\n".join(rows)


def test_the_page_tells_what_make_soak_last_ran(request: pytest.FixtureRequest) -> None:
    hold("reliability.md", "soaked", soaked(), request)


def test_nothing_is_told_to_have_been_run_that_is_no_part_of_the_soak() -> None:
    assert {name.split("[")[0] for name in soaking.runs()} <= {f"tests/{name}" for name, _, _ in SOAK}


def test_no_part_of_the_soak_is_left_out_of_the_page() -> None:
    there = {path.name for path in (ROOT / "tests").glob("test_*.py") if "mark.soak" in path.read_text()}
    assert there - {Path(__file__).name} == {name.split("::")[0] for name, _, _ in SOAK}
    for name, _, _ in SOAK:
        path, test = name.split("::")
        assert f"def {test}(" in (ROOT / "tests" / path).read_text(), name


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
