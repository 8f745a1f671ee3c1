"""Commands that change a clip: checked before they are sent, told in words, kept before they are called kept."""

import json
from collections.abc import Iterator

import pytest
from walktall import settings, wire
from walktall.journal import J_CLOCK_SET_UTC_S, WHY_SETTINGS
from walktall_host import configure, ports

from tests.desk_device import DAY_S, Desk
from tests.host_clip import on_pty
from tests.test_host_cli import one_line, run


class Keeping(Desk):
    """A desk device that writes what changed, as the whole device does when it has settled."""

    keeps = True

    def poll(self, times: int = 1) -> None:
        super().poll(times)
        if self.handler.settings_taken and self.keeps:
            self.handler.settings_taken = 0
            self.journal.touch(WHY_SETTINGS, self.handler.up_s)
            self.journal.commit(0, self.handler.up_s, True)


@pytest.fixture
def clip() -> Iterator[tuple[Keeping, str]]:
    desk = Keeping()
    with on_pty(desk) as port:
        yield desk, port


def test_settings_are_shown_with_their_meaning(clip: tuple[Keeping, str], capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "settings", "get", "--port", clip[1])
    assert (status, err) == (0, "")
    assert len([line for line in out.splitlines() if line[:1].strip()]) == len(settings.SETTINGS)
    status, out, _ = run(capsys, "settings", "get", "hold_s", "mode", "--port", clip[1], "--json")
    found = json.loads(out)["settings"]
    assert [(each["name"], each["value"], each["text"]) for each in found] == [
        ("mode", 0, "walk"),
        ("hold_s", 10, "10"),
    ]


def test_settings_alone_shows_them_on_the_port_of_the_environment(
    clip: tuple[Keeping, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WALKTALL_PORT", clip[1])
    status, out, _ = run(capsys, "settings")
    assert status == 0
    assert "hold_s" in out


def test_a_change_is_told_in_words_and_kept(clip: tuple[Keeping, str], capsys: pytest.CaptureFixture[str]) -> None:
    desk, port = clip
    status, out, _ = run(capsys, "settings", "set", "on_deg=8", "off_deg=5", "mode=desk", "--port", port)
    assert status == 0
    assert "on_deg: 12 deg -> 8 deg: it is stricter: a forward fault begins beyond 8°, before beyond 12°" in out
    assert "mode: walk -> desk" in out
    assert out.splitlines()[-1] == "Kept on the clip. You can unplug it."
    again = Desk(desk.banks)
    assert [again.journal.settings.get(name) for name in ("on_deg", "off_deg", "mode")] == [8, 5, 1]
    status, out, _ = run(capsys, "settings", "set", "mode=desk", "--port", port)
    assert "Nothing changed" in out
    status, out, _ = run(capsys, "settings", "reset", "--port", port)
    assert "mode: desk -> walk" in out
    assert desk.journal.settings.get("on_deg") == 12


def test_what_changed_is_told_to_a_program_too(clip: tuple[Keeping, str], capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(
        capsys, "settings", "set", "hold_s=15", "mode=desk", "on_deg=12", "--port", clip[1], "--json"
    )
    told = json.loads(out)
    assert (status, err, told["kept"]) == (0, "", True)
    assert [(each["name"], each["was"], each["value"]) for each in told["changed"]] == [
        ("mode", 0, 1),
        ("hold_s", 10, 15),
    ]
    _, out, _ = run(capsys, "settings", "reset", "--port", clip[1], "--json")
    assert [(each["name"], each["value"]) for each in json.loads(out)["changed"]] == [("mode", 0), ("hold_s", 10)]
    _, out, _ = run(capsys, "settings", "reset", "--port", clip[1], "--json")
    assert json.loads(out) == {"changed": [], "kept": True}


def test_settings_alone_takes_the_options_of_get_and_no_others_are_lost(
    clip: tuple[Keeping, str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, "settings", "--port", clip[1], "--json")
    assert status == 0
    assert len(json.loads(out)["settings"]) == len(settings.SETTINGS)
    status, out, err = run(capsys, "settings", "--port", clip[1], "set", "hold_s=20")
    assert (status, out) == (2, "")
    assert "--port belongs behind it" in one_line(err)
    assert clip[0].journal.settings.get("hold_s") == 10


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("hold_s=1", "hold_s must be 2..120 s, not 1"),
        ("hold_s=ten", "not ten"),
        ("hold_s=", "not nothing"),
        ("hold_s", "NAME=VALUE"),
        ("holds_s=5", "did you mean hold_s?"),
        ("zzz=5", "no setting is called zzz"),
        ("off_deg=12", "off_deg (12) must be below on_deg (12)"),
        ("mode=run", "walk, desk"),
    ],
)
def test_a_wrong_change_is_refused_before_it_is_sent(
    change: str, words: str, clip: tuple[Keeping, str], capsys: pytest.CaptureFixture[str]
) -> None:
    desk, port = clip
    status, out, err = run(capsys, "settings", "set", "strength_pct=100", change, "--port", port)
    assert (status, out) == (2, "")
    assert words in one_line(err)
    assert desk.journal.settings.get("strength_pct") == 80


def test_what_the_clip_has_not_written_is_not_called_kept(
    clip: tuple[Keeping, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, port = clip
    desk.keeps = False
    desk.journal.touch(WHY_SETTINGS, 0)
    monkeypatch.setattr(configure, "_KEPT_WITHIN_S", 0.1)
    status, out, err = run(capsys, "settings", "set", "hold_s=20", "--port", port)
    assert status == 0
    assert "Kept" not in out
    assert "not written them yet" in err


def test_the_clock_is_shown_and_set(clip: tuple[Keeping, str], capsys: pytest.CaptureFixture[str]) -> None:
    desk, port = clip
    status, out, _ = run(capsys, "clock", "--port", port)
    assert "is not set" in out
    assert desk.handler.clock_s == 0
    status, out, _ = run(capsys, "clock", "--set", "--port", port)
    assert "was not set; it is right now" in out
    assert desk.handler.clock_s > 0
    status, out, _ = run(capsys, "clock", "--port", port)
    assert "is right (" in out
    # Four days later by the clip's count of when it was set, and 100 s fast.
    desk.handler.clock_s += 100
    desk.journal.head[J_CLOCK_SET_UTC_S] = desk.handler.clock_s - 100 - 4 * DAY_S
    status, out, _ = run(capsys, "clock", "--port", port)
    assert "is 1 min 40 s fast, 25.0 s a day" in out or "is 1 min 39 s fast" in out
    status, out, _ = run(capsys, "clock", "--json", "--port", port)
    assert json.loads(out)["off_s"] in (99, 100)
    assert status == 0


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        ("done", 0, "Your upright is known: good (88 of 100)."),
        ("refused_moving", 1, "you moved"),
        ("refused_angle", 1, "too far"),
        ("none", 1, "given up"),
    ],
)
def test_a_calibration_is_followed_to_its_end(
    state: str, status: int, words: str, clip: tuple[Keeping, str], capsys: pytest.CaptureFixture[str]
) -> None:
    desk, port = clip
    asked = [3]

    def calibration_status() -> int:
        asked[0] -= 1
        if asked[0] > 0:
            return wire.CALIBRATION_NAMES.index("running")
        desk.journal.calibration[9] = 88
        return wire.CALIBRATION_NAMES.index(state)

    desk.handler.calibration_status = calibration_status  # type: ignore[method-assign]
    got, out, err = run(capsys, "calibrate", "--port", port)
    assert got == status
    assert words in out + err
    assert desk.handler.calibrations == 1


def test_a_calibration_is_told_to_a_program_too(clip: tuple[Keeping, str], capsys: pytest.CaptureFixture[str]) -> None:
    desk, port = clip
    desk.journal.calibration[9] = 88
    desk.handler.calibration_status = lambda: wire.CALIBRATION_NAMES.index("done")  # type: ignore[method-assign]
    status, out, err = run(capsys, "calibrate", "--port", port, "--json")
    told = json.loads(out)
    assert (status, err) == (0, "")
    assert (told["state"], told["quality"], told["kept"]) == ("done", 88, True)
    desk.handler.calibration_status = (  # type: ignore[method-assign]
        lambda: wire.CALIBRATION_NAMES.index("refused_moving")
    )
    status, out, err = run(capsys, "calibrate", "--port", port, "--json")
    assert (status, out) == (1, "")
    assert "you moved" in one_line(err)


def test_a_calibration_that_does_not_end_is_given_up(
    clip: tuple[Keeping, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, port = clip
    monkeypatch.setattr(configure, "_CALIBRATED_WITHIN_S", 0.1)
    status, _, err = run(capsys, "calibrate", "--port", port)
    assert status == 4
    assert "does not end" in one_line(err)
    assert desk.handler.calibration == 0


def test_with_several_clips_a_change_wants_to_know_which(
    clip: tuple[Keeping, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Keeping(seed=9)
    with on_pty(other) as second:
        found = [ports.Found(at, "", ports.DATA, "", "") for at in (clip[1], second)]
        monkeypatch.setattr(ports, "list_ports", lambda: found)
        status, _, err = run(capsys, "settings", "set", "hold_s=20")
        assert status == 2
        assert "--device" in one_line(err)
        name = bytes(other.journal.head[4]).hex()[:4]
        assert run(capsys, "settings", "set", "hold_s=20", "--device", name)[0] == 0
    assert (clip[0].journal.settings.get("hold_s"), other.journal.settings.get("hold_s")) == (10, 20)
