"""`walktall-sim replay`, `info` and `serve` as scripts use them: names, fields, trials, turns, answers, both paths."""

import contextlib
import gzip
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from walktall import records
from walktall_sim import replay as work
from walktall_sim.cli import run, spread
from walktall_sim.fullpath import CountsImu, Player
from walktall_sim.turn import parse_turn

from tests.sim_files import real, standing, write_csv

Line = dict[str, Any]
NAMES = {"calibrated", "walking", "fault_begin", "fault_end", "buzz", "recovered", "gap", "slip", "summary"}
# The board's own affairs: a bare chain has no boot, no battery and no flags of a device.
OF_THE_BOARD = {"start_uptime_s", "battery_start_mv", "battery_end_mv", "flags", "seq", "boot"}


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of upright walking behind a few seconds of standing."""
    path = tmp_path_factory.mktemp("walk") / "walk.csv"
    assert run(["generate", "--plan", "stand:6,walk:114", "--seed", "3", "--out", str(path)]) == 0
    return path


def told(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[Line]:
    """The lines that a replay prints with --json."""
    capsys.readouterr()
    assert run(["replay", "--json", *map(str, arguments)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def named(lines: list[Line], *names: str) -> list[Line]:
    return [line for line in lines if line["event"] in names]


def without_board(lines: list[Line]) -> list[Line]:
    return [{key: value for key, value in line.items() if key not in OF_THE_BOARD} for line in lines]


@pytest.mark.parametrize("path", ["--full", "--fast"])
def test_a_lean_is_told_buzzed_and_answered_as_scripts_expect(
    capsys: pytest.CaptureFixture[str], walk: Path, path: str
) -> None:
    lines = told(capsys, walk, path, "--turn", "20@60+40/2", "--answer", "0.5")
    assert {line["event"] for line in lines} <= NAMES
    assert [line["event"] for line in lines][-1] == "summary"
    assert all(isinstance(line["t_s"], float) for line in lines[:-1])
    begin = named(lines, "fault_begin")[0]
    buzz = named(lines, "buzz")[0]
    end = named(lines, "fault_end")[0]
    back = named(lines, "recovered")[0]
    assert begin["fault"] == buzz["fault"] == end["fault"] == back["fault"] == "forward"
    assert buzz["label"] == end["label"] == "LEAN"
    passed_s = parse_turn("20@60+40/2").passes_s(12.0)
    assert passed_s is not None
    assert passed_s + 9.5 <= buzz["t_s"] <= 60.0 + 12.5
    assert buzz["t_s"] < back["t_s"] < buzz["t_s"] + 0.5 + 2.0 + 1.5
    assert lines[-1]["buzzes"] == lines[-1]["answered"] == 1


def test_without_a_turn_an_upright_walk_is_not_buzzed(capsys: pytest.CaptureFixture[str], walk: Path) -> None:
    assert not named(told(capsys, walk), "buzz", "recovered")


def test_the_summary_holds_the_fields_of_the_session_record(capsys: pytest.CaptureFixture[str], walk: Path) -> None:
    summary = told(capsys, walk)[-1]
    assert set(summary) == {"event"} | {spec[0] for spec in records.SESSION_FIELDS}
    parts = ("good", "forward", "back", "side", "still", "bend", "jog", "buzzing", "charging", "gap", "unsure")
    assert sum(summary[f"{part}_s"] for part in (*parts, "snoozed", "off_body")) == summary["wear_s"] == 120


@pytest.mark.parametrize("chip", ["lsm6ds3trc", "lsm6dsox"])
@pytest.mark.parametrize("answer", [None, "0", "0.5", "4"])
def test_the_full_and_the_fast_path_tell_the_same(
    capsys: pytest.CaptureFixture[str], walk: Path, chip: str, answer: str | None
) -> None:
    arguments = [str(walk), "--turn", "16@40+30/3", "-14@85+15/1", "--chip", chip]
    arguments += [] if answer is None else ["--answer", answer]
    full = told(capsys, *arguments, "--full")
    fast = told(capsys, *arguments, "--fast")
    assert without_board(full) == without_board(fast)
    assert named(full, "buzz")


@pytest.mark.parametrize("name", ["grouvel_sternum/P03.csv.gz", "umafall_chest/s08.csv.gz", "forth_trace/part4.csv.gz"])
def test_both_paths_tell_the_same_of_published_recordings_gaps_included(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    path = real(name)
    entry = json.loads((path.parent.parent / "manifest.json").read_text())["sets"][path.parent.name]
    # Some minutes are enough to meet every kind of gap; a copy has no manifest beside it, so the axes are said.
    part = tmp_path / "part.csv"
    with gzip.open(path, "rt") as whole:
        part.write_text("".join(itertools.islice(whole, 9000)))
    arguments = [str(part), "--up", entry["up"], "--forward", entry["forward"]]
    full = told(capsys, *arguments, "--full")
    assert without_board(full) == without_board(told(capsys, *arguments, "--fast"))
    assert bool(named(full, "gap")) == (name != "grouvel_sternum/P03.csv.gz")


@pytest.mark.parametrize("gap_s", [0.12, 0.5, 1.0, 2.3, 75.0])
def test_both_paths_tell_the_same_gap_and_never_call_it_good(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, walk: Path, gap_s: float
) -> None:
    lines = walk.read_text().splitlines()
    kept = [line for line in lines[1:] if not 20.0 < float(line.split(",", 1)[0]) < 20.0 + gap_s]
    path = tmp_path / "gap.csv"
    path.write_text("\n".join([lines[0], *kept]))
    full, fast = told(capsys, path, "--full"), told(capsys, path, "--fast")
    assert without_board(full) == without_board(fast)
    gaps = named(full, "gap")
    assert gaps[0]["t_s"] == pytest.approx(20.0, abs=0.25)
    # A sensor silent for a second is started anew, which takes 0.9 s: a gap may end later, never earlier.
    total = sum(gap["duration_s"] for gap in gaps)
    assert gap_s - 0.06 <= total <= gap_s + (1.3 if gap_s > 0.9 else 0.06)
    assert gap_s - 1.0 <= full[-1]["gap_s"] <= total + 3.0


def test_frozen_samples_are_a_gap_on_both_paths(capsys: pytest.CaptureFixture[str], tmp_path: Path, walk: Path) -> None:
    lines = walk.read_text().splitlines()
    out = [lines[0]]
    held = ""
    for line in lines[1:]:
        t_s, rest = line.split(",", 1)
        if not 30.0 < float(t_s) < 50.0:
            held = rest
        out.append(f"{t_s},{held}")
    path = tmp_path / "frozen.csv"
    path.write_text("\n".join(out))
    full, fast = told(capsys, path, "--full"), told(capsys, path, "--fast")
    assert without_board(full) == without_board(fast)
    assert full[-1]["gap_s"] >= 18


def test_a_counts_only_sensor_starts_as_the_real_one_does(walk: Path) -> None:
    options = work.Options()
    for chip in work.CHIPS:
        chosen = work.Options(chip=chip)
        sensors = []
        for registers in (True, False):
            one = next(work.walks(walk, options, print))
            player = Player(one, chosen, registers=registers)
            for _ in range(3):
                player.step()
            sensors.append(player)
        real_one, counted = sensors
        assert real_one.board.clock.now_us == pytest.approx(counted.board.clock.now_us, abs=500)
        assert isinstance(counted.device._imu, CountsImu)
        assert real_one.board.chip.time_of_sample_us(100) == counted.device._imu.time_of_sample_us(100)


def test_the_motor_turns_when_a_buzz_is_told(walk: Path) -> None:
    options = work.Options(turns=[parse_turn("20@60+20/2")])
    one = next(work.walks(walk, options, print))
    player = Player(one, options)
    buzzes = []
    while not player.over:
        buzzes += named(player.step(), "buzz")
    starts = [
        at_us
        for (at_us, duty), before in zip(player.board.edges, [(0, 0), *player.board.edges], strict=False)
        if duty and not before[1]
    ]
    first_s = player.board.source_time_s(starts[0]) + one.source.t0_s
    # The tick closes with a sample; the device looks 3 ms later and drives the motor in the same turn.
    assert 0.0 <= first_s - buzzes[0]["t_s"] + 1 / 52 < 0.03


# --- trials -------------------------------------------------------------------------------------------------------


def _trials(tmp_path: Path, names: list[str] | None) -> Path:
    rng = np.random.default_rng(7)
    header = "t_s,ax,ay,az,gx,gy,gz" + (",trial" if names else "")
    lines = [header]
    for i in range(3):
        rows = standing(52.0, 6.0)
        rows[:, 1:] += rng.normal(0.0, 0.01, rows[:, 1:].shape)
        ending = f",{names[i]}" if names else ""
        lines += [",".join(f"{v:.6g}" for v in row) + ending for row in rows]
    path = tmp_path / "trials.csv"
    path.write_text("\n".join(lines))
    return path


def test_trials_are_played_one_by_one_each_with_its_name_and_summary(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lines = told(capsys, _trials(tmp_path, ["a", "b", "c"]))
    assert [line["trial"] for line in named(lines, "summary")] == ["a", "b", "c"]
    assert [line["trial"] for line in named(lines, "calibrated")] == ["a", "b", "c"]
    assert all("trial" in line for line in lines)
    numbered = told(capsys, _trials(tmp_path, None))
    assert [line["trial"] for line in named(numbered, "summary")] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("names", "trial", "want"),
    [(["a", "b", "c"], "b", "b"), (["a", "b", "c"], "3", "c"), (["3", "2", "1"], "3", "3"), (None, "2", "2")],
)
def test_a_trial_is_chosen_by_name_else_by_number(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, names: list[str] | None, trial: str, want: str
) -> None:
    lines = told(capsys, _trials(tmp_path, names), "--trial", trial)
    assert [line["trial"] for line in named(lines, "summary")] == [want]


def test_a_recording_of_one_trial_has_no_trial_in_its_lines(capsys: pytest.CaptureFixture[str], walk: Path) -> None:
    assert not any("trial" in line for line in told(capsys, walk))


def test_a_trial_that_cannot_be_played_is_left_out_aloud(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = _trials(tmp_path, ["a", "b", "c"])
    lines = path.read_text().splitlines()
    lines = [line.replace(",9.8", ",2.4") if line.endswith(",b") else line for line in lines]
    path.write_text("\n".join(lines))
    assert run(["replay", str(path), "--json"]) == 0
    shown = capsys.readouterr()
    assert [json.loads(line)["trial"] for line in shown.out.splitlines() if "summary" in line] == ["a", "c"]
    assert shown.err.count("\n") == 1 and "trial b" in shown.err and "g" in shown.err


# --- options ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", [["--up", "-x", "--forward", "+z"], ["--up=-x", "--forward=+z"]])
def test_an_axis_with_a_minus_is_a_value(capsys: pytest.CaptureFixture[str], tmp_path: Path, style: list[str]) -> None:
    rows = standing(52.0, 6.0)
    rows[:, [1, 2]] = rows[:, [2, 1]] * [-1.0, 1.0]
    rows[:, 1:] += np.random.default_rng(1).normal(0.0, 0.01, rows[:, 1:].shape)
    path = write_csv(tmp_path / "a.csv", rows)
    assert named(told(capsys, path, *style), "calibrated")
    assert run(["replay", str(path)]) == 2
    assert "--up -x" in capsys.readouterr().err


def test_both_notations_of_many_values_are_understood(capsys: pytest.CaptureFixture[str], walk: Path) -> None:
    assert spread(["replay", "a", "--set", "x=1", "y=2", "--json"]) == [
        *("replay", "a", "--set", "x=1", "--set", "y=2", "--json")
    ]
    assert spread(["--turn", "-20@1+2/3", "4@5+6/7", "walk.csv"])[-4:] == ["-20@1+2/3", "--turn", "4@5+6/7", "walk.csv"]
    lines = told(capsys, walk, "--fast", "--set", "on_deg=10", "off_deg=6", "hold_s=5", "--turn", "12@60+20/2")
    summary = lines[-1]
    assert (summary["on_deg"], summary["off_deg"], summary["hold_s"]) == (10, 6, 5)
    assert named(lines, "buzz")


def test_the_upright_window_is_the_recordings_own_before_any_turn(
    capsys: pytest.CaptureFixture[str], walk: Path
) -> None:
    plain = told(capsys, walk, "--fast", "--upright", "1:5")
    turned = told(capsys, walk, "--fast", "--upright", "1:5", "--turn", "20@0+200/0")
    assert not named(plain, "buzz")
    assert named(turned, "buzz")


def test_text_is_for_people_and_plain_when_piped(capsys: pytest.CaptureFixture[str], walk: Path) -> None:
    assert run(["replay", str(walk), "--fast", "--turn", "20@60+20/2"]) == 0
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out and shown.err == ""
    assert "buzz" in shown.out and "forward LEAN" in shown.out and "worn 2:00" in shown.out


def test_info_tells_rate_gaps_and_where_gravity_points(capsys: pytest.CaptureFixture[str], walk: Path) -> None:
    assert run(["info", str(walk), "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["rate_hz"] == pytest.approx(104.0, rel=0.01)
    assert (line["gaps"], line["looks_up"], line["labels"]["walk"]) == (0, "+y", 114 * 104)
    assert line["duration_s"] == pytest.approx(120.0, abs=0.02)
    assert run(["info", str(walk)]) == 0
    assert "104" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["", "replay", "generate", "serve", "info"])
def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run([*([command] if command else []), "--help"]) == 0
    shown = capsys.readouterr().out
    assert "walktall-sim " in shown.split("Options:")[1]


def test_the_version_is_the_firmwares(capsys: pytest.CaptureFixture[str]) -> None:
    from walktall import __version__

    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"walktall-sim {__version__}\n"


# --- serve --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _serve(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A running `walktall-sim serve`, which is gone afterwards whatever happens."""
    command = [sys.executable, "-m", "walktall_sim", "serve", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as device:
        try:
            yield device
        finally:
            device.kill()


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_serve_opens_its_port_when_ready_and_ends_cleanly(
    tmp_path: Path, walk: Path, number: signal.Signals, status: int
) -> None:
    link = tmp_path / "clip"
    with _serve(walk, "--speed", "max", "--link", link) as device:
        assert device.stdout is not None
        assert device.stdout.readline() == f"{link}\n"
        assert link.is_symlink()
        device.send_signal(number)
        assert device.wait(timeout=10) == status
        assert device.stderr is not None and device.stderr.read() == ""
    assert not link.exists() and not link.is_symlink()


def test_serve_answers_a_host_on_a_socket(walk: Path) -> None:
    import serial
    from walktall import wire

    with _serve(walk, "--speed", "max", "--tcp", "0") as device:
        assert device.stdout is not None
        url = device.stdout.readline().strip()
        assert url.startswith("socket://127.0.0.1:")
        with serial.serial_for_url(url, timeout=5) as port:
            port.write(wire.encode(wire.HELLO, 1))
            answer = port.read_until(b"Seeed_XIAO_nRF52840_Sense", 200)
            assert b"Seeed_XIAO_nRF52840_Sense" in answer
        device.terminate()
        assert device.wait(timeout=10) == 0


def test_serve_at_speed_1_plays_in_real_time(tmp_path: Path, walk: Path) -> None:
    with _serve(walk, "--link", tmp_path / "clip") as device:
        assert device.stdout is not None
        assert device.stdout.readline() == f"{tmp_path / 'clip'}\n"
        began = time.monotonic()
        assert "calibrated" in device.stdout.readline()
        assert time.monotonic() - began < 5.0
        device.terminate()
        assert device.wait(timeout=10) == 0


def test_a_file_in_the_place_of_the_link_is_left_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, walk: Path
) -> None:
    link = tmp_path / "clip"
    link.write_text("mine")
    assert run(["serve", str(walk), "--speed", "max", "--link", str(link)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert link.read_text() == "mine"
