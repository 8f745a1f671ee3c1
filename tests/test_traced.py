"""Suites on a clip's own trace: the buzzes that were worn, judged again, and as they would be with other settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from walktall import events, rows
from walktall_sim import checking, suites, traced
from walktall_sim.cli import run
from walktall_sim.replay import ReplayError

from tests.walking_board import Clip, Walker


@pytest.fixture(scope="module")
def worn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[float, str]]]:
    """A trace as the host takes it out, and what the clip told while it was worn."""
    clip = Clip(Walker(leans=((60.0, 95.0, 18.0), (130.0, 138.0, 20.0), (180.0, 215.0, -14.0)))).calibrated()
    clip.run_until(250)
    clip.device.end_session(0, False, True)
    trace = clip.device.trace
    data = b""
    for number in range(trace.first_block, trace.next_block):
        raw = bytearray(rows.BLOCK_BYTES)
        assert trace.read_into(number, 0, raw) == len(raw)
        if raw[rows.H_KIND] == rows.KIND_ROWS:
            data += bytes(raw)
    path = tmp_path_factory.mktemp("trace") / "walk.trace"
    path.write_bytes(data)
    return path, clip.told


def suite(path: Path, expect: str, more: str = "") -> Path:
    out = path.with_name("mine.toml")
    out.write_text(f"[[case]]\nname = 'worn'\ntrace = '{path.name}'\n{more}\nexpect = [{expect}]\n")
    return out


def checked(capsys: pytest.CaptureFixture[str], path: Path, status: int = 0, *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["check", str(path), "--json", "--jobs", "1", *arguments]) == status
    case: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[0])
    return case


def test_its_own_settings_give_the_buzzes_that_were_worn(worn: tuple[Path, list[tuple[float, str]]]) -> None:
    path, told = worn
    judged = traced.play(path, [])
    got = [line["t_s"] for line in judged.lines if line["event"] == "buzz"]
    live = [at_s for at_s, name in told if name == events.NAMES[events.BUZZ]]
    assert len(got) == len(live) >= 2
    # The trace begins with the session: times are apart by when that was, all by the same.
    apart = {round(a - b, 2) for a, b in zip(live, got, strict=True)}
    assert max(apart) - min(apart) <= 0.03
    assert judged.limits_deg == (12.0, 8.0, -8.0, -5.0)
    summary = judged.lines[-1]
    assert summary["buzzes"] == len(got) and summary["wear_s"] == len(judged.classes)


def test_a_case_expects_of_it_what_any_case_does(
    worn: tuple[Path, list[tuple[float, str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = worn
    buzz = next(line["t_s"] for line in traced.play(path, []).lines if line["event"] == "buzz")
    good = f"{{ event = 'buzz', fault = 'forward', from_s = {buzz - 1}, to_s = {buzz + 1}, times = 1 }}"
    good += f", {{ pitch_deg = 18, at_s = {buzz}, within_deg = 3 }}, {{ event = 'buzz', fault = 'back' }}"
    assert checked(capsys, suite(path, good))["status"] == "passed"
    wrong = f"{{ event = 'buzz', from_s = {buzz - 1}, to_s = {buzz + 1}, times = 0 }}"
    case = checked(capsys, suite(path, wrong), 1)
    assert not case["checks"][0]["held"]
    # What would have been: with a hold that the lean does not reach, that buzz is none.
    assert checked(capsys, suite(path, wrong, "settings = { hold_s = 60 }"))["status"] == "passed"


def test_its_page_has_a_picture(worn: tuple[Path, list[tuple[float, str]]], tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert run(["check", str(suite(worn[0], "{ event = 'buzz' }")), "--jobs", "1", "--html", str(out)]) == 0
    text = out.read_text()
    assert text.count("<svg") == 1 and "cadence" in text and "12°" in text


def test_what_cannot_be_judged_is_one_line(worn: tuple[Path, list[tuple[float, str]]], tmp_path: Path) -> None:
    data = worn[0].read_bytes()
    broken = tmp_path / "a.trace"
    for wrong in (b"", data[:-1], data[:512] + bytes(512), bytes([data[0] ^ 1]) + data[1:], data[512:1024]):
        broken.write_bytes(wrong)
        with pytest.raises(ReplayError) as told:
            traced.play(broken, [])
        assert str(told.value).startswith(f"{broken}: ") and "\n" not in str(told.value)
    (case,) = suites.read(suite(broken, "{ event = 'buzz' }"))
    result = checking.play(case)
    assert result.status == checking.FAILED and str(broken) in result.why
    with pytest.raises(ReplayError):
        traced.play(worn[0], [("on_deg", "7")])


def test_what_only_a_sensor_can_do_is_refused_with_its_line(
    worn: tuple[Path, list[tuple[float, str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    path = suite(worn[0], "{ event = 'buzz' }", "turns = ['20@30+20/1']")
    assert run(["check", str(path)]) == 2
    assert f"{path}:4: a trace has no sensor" in capsys.readouterr().err


def test_a_sweep_leaves_traces_out_aloud(
    worn: tuple[Path, list[tuple[float, str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sweep", str(suite(worn[0], "{ event = 'buzz' }")), "--vary", "hold_s=5,10"]) == 2
    assert "does not say what was worth a buzz" in capsys.readouterr().err
