"""A raw recording: asked for, downloaded like any trace, written whole, and read by the simulator sample for sample."""

import re
import shlex
from pathlib import Path

import pytest
from walktall import rows
from walktall.chain import Chain
from walktall.limits import Settings
from walktall.trace import Trace
from walktall_host import rawing
from walktall_host.cli import main
from walktall_host.store import Store

from tests.desk_device import Desk
from tests.host_clip import DirectPort, on_socket
from tests.test_host_trace_transfer import fetch
from tests.ticking_device import Drive


def recorded(desk: Desk, pauses: tuple[int, ...] = ()) -> dict[int, tuple[int, ...]]:
    """Give the desk's clip a real trace in which 1000 samples were recorded; the samples by number."""
    trace = Trace(Drive(272), 1, Chain(Settings()))
    trace.load(lambda n: b"\x07" * n)
    trace.record_raw(1000, 7)
    given = {}
    sample = 100
    while trace.raw_left:
        sample += 1
        if len(given) in pauses:
            sample += 20
        given[sample] = tuple((sample * k) % 3000 - 1500 for k in range(1, 7))
        trace.raw(sample, sample // 52, 0, *given[sample])
    desk.handler.trace = trace
    return given


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WALKTALL_STORE", str(tmp_path / "s.sqlite3"))
    return tmp_path / "s.sqlite3"


def test_a_recording_is_begun_asked_after_and_stopped(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk()
    with on_socket(desk) as port:
        assert main(["raw", "--port", port]) == 0
        assert "No raw recording" in capsys.readouterr().out
        assert main(["raw", "--minutes", "5", "--port", port]) == 0
        assert "records for 5 min" in capsys.readouterr().out and desk.handler.raw_s == 300
        assert main(["raw", "--port", port, "--json"]) == 0
        assert '"left_s": 300' in capsys.readouterr().out
        assert main(["raw", "--minutes", "40", "--port", port]) == 4
        assert "refused" in capsys.readouterr().err
        assert main(["raw", "--stop", "--port", port]) == 0 and desk.handler.raw_s == 0
        assert re.match(r"The recording on clip \w{4} has ended\.", capsys.readouterr().out)
        assert main(["raw", "--stop", "--port", port]) == 0
        assert "No raw recording" in capsys.readouterr().out
    assert main(["raw", "--stop", "--minutes", "3"]) == 2


def test_what_was_recorded_comes_out_sample_for_sample(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from walktall_sim.recordings import read_trials

    desk = Desk()
    given = recorded(desk, pauses=(500,))
    fetch(DirectPort(desk), path)
    to = path.parent / "my walks" / "walk.raw"
    to.parent.mkdir()
    assert main(["raw", "--out", str(to)]) == 0
    told = capsys.readouterr().out
    assert "19 s of raw samples, 20 samples missing" in told
    # What it suggests can be typed as it stands.
    assert shlex.split(told.partition("walktall-sim ")[2]) == ["replay", str(to)]
    blocks = [to.read_bytes()[at : at + 512] for at in range(0, to.stat().st_size, 512)]
    found = {}
    for raw in blocks:
        first, n = rawing.samples_of(raw)
        for k in range(n):
            at = rows.HEADER_BYTES + 4 + 12 * k
            found[first + k] = tuple(
                int.from_bytes(raw[at + 2 * axis : at + 2 * axis + 2], "little", signed=True) for axis in range(6)
            )
    assert found == given
    (trial,) = read_trials(to)
    assert len(trial.t_s) == 1000
    assert main(["raw", "--out", str(to)]) == 2  # it is there already
    assert main(["raw", "--out", str(to), "--force", "--json"]) == 0


def test_a_pause_of_more_than_a_minute_begins_another_recording(path: Path) -> None:
    desk = Desk()
    recorded(desk)
    trace = desk.handler.trace
    assert trace is not None
    trace.record_raw(100, 7)  # type: ignore[attr-defined]
    for sample in range(10_000, 10_100):
        trace.raw(sample, 0, 0, 1, 2, 3, 4, 5, 6)  # type: ignore[attr-defined]
    fetch(DirectPort(desk), path)
    with Store(path) as store:
        found = rawing.recordings(store)
    assert [sum(rawing.samples_of(raw)[1] for raw in blocks) for blocks in found] == [1000, 100]
    assert [rawing.missing_in(blocks) for blocks in found] == [0, 0]


def test_without_a_recording_it_says_what_to_do(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["raw", "--out", str(path.parent / "x")]) == 2
    assert "walktall raw --minutes" in capsys.readouterr().err
    gone = path.parent / "gone.db"
    assert main(["raw", "--out", str(path.parent / "x"), "--store", str(gone)]) == 2
    assert f"there is no store: {gone} is not there" in capsys.readouterr().err
    assert not (path.parent / "x").exists()
