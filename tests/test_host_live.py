"""``live`` and ``selftest`` against a desk clip: what is shown is what was sent, and it always ends in order."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from walktall import __version__, events, wire
from walktall_host import live, selftest
from walktall_host.client import Client, Message
from walktall_host.errors import NoAnswer

from tests.desk_device import Desk
from tests.host_clip import DirectPort, FakeTime, on_pty
from tests.test_host_cli import WALKTALL, environment, one_line, run


def values(**changes: int) -> dict[str, int]:
    named = dict.fromkeys((row[0] for row in wire.LIVE_DATA_FIELDS), 0)
    named |= {
        "cadence_spm": 110,
        "walking": 1,
        "second_class": events.CLASS_GOOD,
        "limit_on_cdeg": 1200,
        "limit_off_cdeg": 800,
        "hold_needed_ticks": 40,
        "limit_back_cdeg": 800,
        "limit_side_cdeg": 800,
        "battery_mv": 3900,
    }
    return named | changes


class Telling(Desk):
    """A clip that tells a lean which is buzzed twice, a quarter second at each poll that finds room."""

    def __init__(self) -> None:
        super().__init__()
        self.tick = 0
        self.apart = 1

    def moment(self) -> dict[str, int]:
        t = self.tick
        leans = t >= 40
        return values(
            sample=13 * t,
            pitch_cdeg=1610 if leans else 120,
            roll_cdeg=-230,
            fault=events.FORWARD if leans else 0,
            label=events.LEAN if t >= 80 else 0,
            second_class=events.CLASS_FORWARD if leans else events.CLASS_GOOD,
            hold_ticks=max(0, t - 40),
            buzzes=(t >= 80) + (t >= 140),
            buzzing=int(80 <= t < 85),
            steps=t // 2,
        )

    def poll(self, times: int = 1) -> None:
        super().poll(times)
        wanted = self.link.live and self.now_ms % self.apart == 0
        if wanted and self.link.push_live(list(self.moment().values())):
            self.tick += 1


@pytest.fixture
def clip() -> Iterator[tuple[Telling, str]]:
    desk = Telling()
    with on_pty(desk) as port:
        yield desk, port


def test_json_is_an_object_a_line_with_the_wires_own_fields(
    clip: tuple[Telling, str], capsys: pytest.CaptureFixture[str]
) -> None:
    desk, port = clip
    status, out, err = run(capsys, "live", "--port", port, "--seconds", "1", "--json")
    assert (status, err) == (0, "")
    told = [json.loads(line) for line in out.splitlines()]
    assert len(told) > 100
    for tick, moment in enumerate(told[:200]):
        desk.tick = tick
        assert {name: moment[name] for name in values()} == desk.moment()
    late = told[150]
    assert late["t_s"] == round(150 * 13 / 52, 2)
    assert (late["class_name"], late["fault_names"], late["label_name"]) == ("forward", ["forward"], "LEAN")
    assert late["buzzes_total"] == 2
    assert desk.live_asked == [True, False]


def test_a_pipe_gets_a_plain_line_a_second(clip: tuple[Telling, str], capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "live", "--port", clip[1], "--seconds", "1")
    assert status == 0
    *lines, last = out.splitlines()
    assert last == "You can unplug the clip."
    assert "\x1b" not in out
    seconds = [float(line.split()[0]) for line in lines]
    assert seconds == [float(n) for n in range(len(seconds))]
    assert lines[25].split("  ")[-1] == "leaning forward"
    assert "tilt  +16.1°" in lines[25]
    assert "hold 15.0/10.0 s" in lines[25]
    assert "1 buzz" in lines[25]


def test_the_view_shows_the_angle_against_the_limits() -> None:
    from rich.console import Console

    view = live.View("3f9a")
    desk = Telling()
    counted = live.Buzzes()
    for desk.tick in range(150):
        message = Message(desk.moment())
        view.show(live.Moment(message, counted.after(message)))
    for width in (60, 80, 120):
        console = Console(width=width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
        console.print(view)
        text = console.export_text()
        lines = text.splitlines()
        assert max(map(len, lines)) <= width
        assert "clip 3f9a   leaning forward" in text
        (tilt,) = [line for line in lines if line.startswith("tilt")]
        assert "█" in tilt and tilt.count("│") == 2 and "+16.1°" in tilt
        (hold,) = [line for line in lines if line.startswith("hold")]
        assert hold.endswith("27.2 of 10.0 s") and "·" not in hold
        assert "2 buzzes" in text
        assert "battery 3.90 V" in text
        assert "forward beyond 12°, until below 8°; back beyond 8°" in text


def test_no_value_that_a_clip_may_send_breaks_the_view() -> None:
    from rich.console import Console

    for wild in (
        dict.fromkeys(values(), 255),
        values(pitch_cdeg=32767, roll_cdeg=-32768, limit_on_cdeg=-32768, limit_back_cdeg=32767),
        values(second_class=250, fault=255, label=255, hold_ticks=65535, hold_needed_ticks=1),
        dict.fromkeys(values(), 0),
    ):
        view = live.View("3f9a")
        moment = live.Moment(Message({**wild, "sample": 1 << 29}), 0)
        view.show(moment)
        console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
        console.print(view)
        assert all(len(line) <= 80 for line in console.export_text().splitlines())
        json.dumps(moment.document())
        assert moment.line()


def test_a_clip_of_the_first_firmware_counts_buzzes_by_its_motor() -> None:
    counted = live.Buzzes()
    first = {row[0] for row in wire.LIVE_DATA_FIELDS[: wire.LIVE_LOST + 1]}
    told = []
    for tick in range(20):
        motor = int(5 <= tick < 8 or 12 <= tick < 15)
        message = {name: value if name in first else 0 for name, value in values(buzzing=motor, fault=1).items()}
        told.append(counted.after(Message(message)))
    assert (told[4], told[5], told[11], told[12]) == (0, 1, 1, 2)


def test_silence_is_told_and_ends_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    port = DirectPort(Desk())
    client = Client(port, FakeTime())
    with pytest.raises(NoAnswer, match="sends nothing"), live.switched_on(client):
        list(live.moments(client, None, FakeTime()))
    assert port.desk.live_asked == [True, False]


def test_ctrl_c_switches_it_off(clip: tuple[Telling, str], tmp_path: Path) -> None:
    desk, port = clip
    desk.apart = 50
    process = subprocess.Popen(
        [*WALKTALL, "live", "--port", port],
        env=environment(tmp_path / "s.sqlite3"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 20
    while not desk.link.live:
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "walktall: stopped; you can unplug the clip"
    assert desk.live_asked == [True, False]


# --- selftest --------------------------------------------------------------------------------------------------------

DESK_DIGESTS = (bytes(range(0xA0, 0xA8)), bytes(range(0xA8, 0xB0)))


def test_what_was_tested_is_told_so(
    clip: tuple[Telling, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    vector, sources = DESK_DIGESTS
    # Its files may be those that are installed, or the sources as they are.
    monkeypatch.setattr(selftest, "expected", lambda: (vector, b"x" * 8, sources))
    assert run(capsys, "selftest", "--port", clip[1], "--quiet")[0] == 0
    monkeypatch.setattr(selftest, "expected", lambda: (vector, sources, b"x" * 8))
    status, out, err = run(capsys, "selftest", "--port", clip[1])
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == "What you wear is what was tested. You can unplug the clip."
    told = json.loads(run(capsys, "selftest", "--port", clip[1], "--json")[1])
    assert told["as_tested"] and told["firmware_here"] == __version__


@pytest.mark.parametrize(
    ("here", "passed", "words"),
    [
        ((b"x" * 8, DESK_DIGESTS[1], b"y" * 8), 0, "judges otherwise"),
        ((DESK_DIGESTS[0], b"x" * 8, b"y" * 8), 0, "files on the clip are not those"),
        ((*DESK_DIGESTS, b"y" * 8), 1, "its sensor does not answer"),
    ],
)
def test_a_difference_is_told_in_one_line_with_status_1(
    here: tuple[bytes, bytes, bytes],
    passed: int,
    words: str,
    clip: tuple[Telling, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk, port = clip
    told = desk.handler.selftest_into
    monkeypatch.setattr(desk.handler, "selftest_into", lambda buf: told(buf) + passed)
    monkeypatch.setattr(selftest, "expected", lambda: here)
    status, out, err = run(capsys, "selftest", "--port", port)
    assert status == 1
    assert words in one_line(err)
    assert "What you wear" not in out
    assert json.loads(run(capsys, "selftest", "--port", port, "--json")[1])["as_tested"] is False


def test_a_running_test_is_asked_again_and_one_that_never_ends_is_told() -> None:
    desk = Desk()
    told = desk.handler.selftest_into
    left = [3]

    def runs(buf: bytearray) -> int:
        left[0] -= 1
        return wire.SELFTEST_RUNNING if left[0] >= 0 else told(buf)

    desk.handler.selftest_into = runs  # type: ignore[method-assign,assignment]
    client = Client(DirectPort(desk), FakeTime())
    waits: list[float] = []
    outcome = selftest.run(client, monotonic=FakeTime(), sleep=waits.append)
    assert (outcome.vector, outcome.sources) == DESK_DIGESTS
    assert len(waits) == 3
    left[0] = 10**9
    with pytest.raises(NoAnswer, match="does not end"):
        selftest.run(client, monotonic=FakeTime(), sleep=waits.append)
