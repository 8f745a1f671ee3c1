"""`walktall-sim sweep`: each combination scored on each walk, the same from one process, two, or a cluster; resumes."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from walktall_sim import scoring, suites, sweep
from walktall_sim.cli import run

SUITE = """\
[[case]]
name = "a lean"
walk = { plan = "stand:6,walk:74", seed = [3, 4] }
turns = ["20@35+25/1"]
expect = [{ event = "buzz" }]

[[case]]
name = "short leans"
walk = { plan = "stand:6,walk:74", seed = 5 }
turns = ["18@30+6/1", "18@50+6/1"]
expect = [{ event = "buzz", times = 0 }]

[[case]]
name = "a slouch of its plan"
walk = { plan = "stand:6,walk:24,slouch 20:40,walk:10", seed = 6 }
expect = [{ event = "buzz" }]
"""
VARY = ["--vary", "hold_s=5,10", "--vary", "on_deg=12,15"]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(SUITE)
    return path


def swept(*arguments: str | Path, status: int = 0) -> None:
    assert run(["sweep", *map(str, arguments)]) == status


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_combination_is_scored_on_all_walks(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, units = tmp_path / "out.csv", tmp_path / "units.parquet"
    swept(suite, *VARY, "--jobs", "1", "--out", out, "--units", units, "--json")
    rows = rows_of(out)
    assert [(row["hold_s"], row["on_deg"]) for row in rows] == [("5", "12"), ("5", "15"), ("10", "12"), ("10", "15")]
    assert tuple(rows[0]) == ("hold_s", "on_deg", *sweep.COLUMNS)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for row, line in zip(rows, told, strict=True):
        # Two leans put on, one in a plan; the short ones are worth no buzz.
        assert (row["cases"], row["episodes"], row["found"], row["sensitivity"]) == ("4", "3", "3", "1.0")
        assert {name: "" if value is None else str(value).lower() for name, value in line.items()} == row
    quick, slow = rows[0], rows[2]
    # Short leans are buzzed by a hold of 5 s alone, and a lean 5 s sooner.
    assert int(quick["false_alarms"]) > 0 == int(slow["false_alarms"])
    assert 4.5 < float(slow["latency_median_s"]) - float(quick["latency_median_s"]) < 5.5
    assert [row["pareto"] for row in rows] == ["true", "false", "true", "false"]
    frame = pl.read_parquet(units)
    assert frame.height == 16 and frame["false_alarms"].sum() == sum(int(row["false_alarms"]) for row in rows)
    # Nothing is left behind.
    assert {path.name for path in tmp_path.iterdir()} == {"mine.toml", "out.csv", "units.parquet"}


def test_a_unit_is_what_replay_and_scoring_say_of_it(suite: Path, tmp_path: Path) -> None:
    from walktall_sim import checking

    case = suites.read(suite)[0]
    (one,) = sweep.play(case, [(("hold_s", "7"),)], sweep.code_digest())
    options = sweep.replace(case.options, settings=[("hold_s", "7")])
    (walk,) = checking.walks(case, options)
    lines = list(sweep.replay.play(walk, options))
    assert one == sweep.asdict(scoring.score(lines, checking.truth(case, walk))) and one["buzzes"]


@pytest.fixture(scope="module")
def dask_address() -> Iterator[str]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster.scheduler_address


def test_one_process_two_and_a_cluster_give_the_same_bytes(suite: Path, tmp_path: Path, dask_address: str) -> None:
    for name, how in (("one", ["--jobs", "1"]), ("two", ["--jobs", "2"]), ("dask", ["--dask", dask_address])):
        files = ["--out", tmp_path / f"{name}.csv", "--units", tmp_path / f"{name}-units.csv"]
        swept(suite, "--vary", "hold_s=5,10", *how, *files)
    for part in ("", "-units"):
        one = (tmp_path / f"one{part}.csv").read_bytes()
        assert one == (tmp_path / f"two{part}.csv").read_bytes() == (tmp_path / f"dask{part}.csv").read_bytes()


def test_a_worker_with_other_code_is_found_out(suite: Path) -> None:
    with pytest.raises(sweep.SweepError, match="another version"):
        sweep.play(suites.read(suite)[0], [()], "0" * 24)


def cut_short(suite: Path, out: Path, after: int) -> None:
    """A sweep that is cancelled when so many units are done."""
    cases, combos = suites.read(suite), sweep.combinations([sweep.parse_vary("hold_s=5,10")], print)
    journal = sweep.Journal(sweep.journal_of(out))

    def stop(done: int, total: int) -> None:
        if done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep.run(cases, combos, journal, None, 1, stop)
    journal.close()


def test_what_is_done_is_not_done_again(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, out = tmp_path / "plain.csv", tmp_path / "out.csv"
    swept(suite, "--vary", "hold_s=5,10", "--jobs", "1", "--out", plain)
    cut_short(suite, out, 3)
    assert not out.exists() and sweep.journal_of(out).exists()
    # The end of its last line is lost with the power.
    whole = sweep.journal_of(out).read_bytes()
    sweep.journal_of(out).write_bytes(whole[:-9])
    played: list[Any] = []
    play = sweep.play
    monkeypatch.setattr(sweep, "play", lambda case, combos, code: played.append(case) or play(case, combos, code))
    swept(suite, "--vary", "hold_s=5,10", "--jobs", "1", "--out", out)
    assert len(played) == 8 - 2
    assert "2 of 8 units are there from before" in capsys.readouterr().err
    assert out.read_bytes() == plain.read_bytes() and not sweep.journal_of(out).exists()


@pytest.mark.parametrize("what", ["the suite", "the detector", "a recording"], ids=lambda what: what.replace(" ", "-"))
def test_what_came_from_something_else_is_done_again(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = tmp_path / "walk.csv"
    assert run(["generate", "--plan", "stand:6,walk:24", "--out", str(walk)]) == 0
    path = tmp_path / "mine.toml"
    path.write_text("[[case]]\nname = 'x'\nrecording = 'walk.csv'\nexpect = [{ event = 'buzz', times = 0 }]\n")
    combos = sweep.combinations([sweep.parse_vary("hold_s=5")], print)
    before = sweep.keys_of(suites.read(path)[0], combos)
    assert before == sweep.keys_of(suites.read(path)[0], combos)
    if what == "the suite":
        path.write_text(path.read_text() + "answer_s = 2\n")
    elif what == "the detector":
        monkeypatch.setattr(sweep, "code_digest", lambda: "1" * 24)
    else:
        walk.write_text(walk.read_text()[:-40] + "\n")
        sweep._file_digest.cache_clear()
    assert sweep.keys_of(suites.read(path)[0], combos) != before


def test_a_journal_of_something_else_is_begun_anew(suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    sweep.journal_of(out).write_text("not a journal\n" * 3)
    swept(suite, "--vary", "hold_s=5", "--jobs", "1", "--out", out)
    assert len(rows_of(out)) == 1


@pytest.mark.skipif(os.name != "posix", reason="locks")
def test_two_sweeps_do_not_write_to_one_file(suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.csv"
    journal = sweep.Journal(sweep.journal_of(out))
    swept(suite, "--vary", "hold_s=5", "--jobs", "1", "--out", out, status=2)
    assert "another sweep" in capsys.readouterr().err
    journal.close()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_cancelled_it_says_what_is_kept_and_the_same_command_goes_on(suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    vary = "hold_s=" + ",".join(map(str, range(5, 45)))
    command = [sys.executable, "-m", "walktall_sim", "sweep", str(suite), "--vary", vary, "--jobs", "2"]
    with subprocess.Popen(
        [*command, "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        journal = sweep.journal_of(out)
        while not journal.exists() or len(journal.read_text().splitlines()) < 3:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        began = time.monotonic()
        assert process.wait(timeout=30) == 130
        assert time.monotonic() - began < 10.0
        told = process.stderr.read()
    assert told.count("\n") == 1 and "of 160 units are kept in" in told and not out.exists()
    done = len(journal.read_text().splitlines()) - 1
    assert f"cancelled; {done} of 160" in told


def test_units_of_many_tasks_come_in_order_whatever_ran_first(suite: Path) -> None:
    cases, combos = suites.read(suite), sweep.combinations([sweep.parse_vary("hold_s=5,10,15")], print)
    with ThreadPoolExecutor(1) as pool:
        units = sweep.run(cases, combos, sweep.Journal(None), pool, 5, lambda done, total: None)
    told = [(one.case.name, one.pairs) for one in units]
    assert told == [(case.name, pairs) for case in cases for pairs in combos]


def test_a_combination_that_the_device_refuses_is_left_out_aloud(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    swept(suite, "--vary", "on_deg=7,12", "--jobs", "1", "--case", "short", "--json")
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 1
    assert shown.err.startswith("walktall-sim: on_deg=7 left out: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--vary", "hold=5"],
        ["--vary", "hold_s"],
        ["--vary", "hold_s=5,5000"],
        ["--vary", "hold_s=5", "--vary", "hold_s=6"],
        ["--vary", "on_deg=7"],
        ["--vary", "hold_s=5", "--out", "x.json"],
        ["--vary", "hold_s=5", "--out", "gone/x.csv"],
        ["--vary", "hold_s=5", "--plot", "x.pdf"],
        ["--vary", "hold_s=5", "--jobs", "0"],
        ["--vary", "hold_s=5", "--jobs", "2", "--dask", "tcp://127.0.0.1:1"],
        ["--vary", "hold_s=5", "--dask", "nowhere://"],
        ["--vary", "hold_s=5", "--case", "nothing"],
        [],
    ],
    ids=" ".join,
)
def test_wrong_use_is_one_line(suite: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    swept(suite, *arguments, status=2)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 + (arguments == ["--vary", "on_deg=7"]), told
    if arguments == ["--vary", "on_deg=7"]:
        assert told[-1].endswith("that the device takes: off_deg (8) must be below on_deg (7)")


def test_a_walk_that_cannot_be_played_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "walk.csv").write_text("t_s,ax,ay,az,gx,gy,gz\n0,0,0,0,0,0,0\n")
    path = tmp_path / "mine.toml"
    path.write_text("[[case]]\nname = 'x'\nrecording = 'walk.csv'\nexpect = [{ event = 'buzz' }]\n")
    for jobs in ("1", "2"):
        swept(path, "--vary", "hold_s=5,6", "--jobs", jobs, status=2)
        told = capsys.readouterr().err
        assert told.count("\n") == 1 and f"{path}:1: " in told and "only one row" in told


def test_the_picture_names_those_that_none_beats(suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.svg"
    swept(suite, *VARY, "--jobs", "1", "--plot", out)
    said = "|".join("".join(node.itertext()) for node in ET.parse(out).iter("{http://www.w3.org/2000/svg}text"))
    words = ("false alarms an hour", "leans found", "hold_s 5, on_deg 12", "hold_s 10, on_deg 12", "beaten by none")
    for word in words:
        assert word in said, word
    assert "on_deg 15" not in said


def test_the_picture_has_the_hours_of_the_table_and_no_alarms_below_none(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.svg"
    swept(suite, "--vary", "hold_s=10,15", "--case", "short", "--jobs", "1", "--plot", out)
    (hours,) = re.findall(r", ([\d.]+ h), ", capsys.readouterr().out)
    said = ["".join(node.itertext()) for node in ET.parse(out).iter("{http://www.w3.org/2000/svg}text")]
    assert any(f"{hours} each" in one for one in said)
    assert not [one for one in said if one.startswith(("-", "\N{MINUS SIGN}"))]


def test_without_dask_one_line_names_the_extra(suite: Path, tmp_path: Path) -> None:
    (tmp_path / "distributed.py").write_text("raise ModuleNotFoundError('gone', name='distributed')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from walktall_sim.cli import main; main()"
    command = [sys.executable, "-c", code, "sweep", str(suite), "--vary", "hold_s=5", "--dask", "tcp://127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "walktall-sim: distributed is not installed: pip install 'walktall[dask]'\n"
