"""The self-test: a known answer on both machines, in small steps beside the walk, and digests of the files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from walktall import chain, selftest, wire
from walktall import records as r

from tests.vm.machine import FIRMWARE_LIB, Machine
from tests.walking_board import Clip, Walker

KNOWN = Path(__file__).resolve().parent / "golden" / "selftest.txt"
FOLDER = FIRMWARE_LIB / "walktall"


def test_the_answer_is_the_known_one_on_both_machines(machine: Machine, request: pytest.FixtureRequest) -> None:
    """It changes when the detector does, and with nothing else: then `--rewrite`."""
    answer = selftest.vector_digest().hex()
    if request.config.getoption("--rewrite"):
        KNOWN.write_text(answer + "\n")
    assert answer == KNOWN.read_text().strip()
    told = machine.micropython("exercise_selftest", heap_bytes=1024 * 1024)
    assert f"known {answer}" in told.splitlines()


def test_the_vector_walks_leans_bends_and_is_buzzed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    test = selftest.SelfTest()
    while not test.step():
        pass
    assert test.passed
    fields = test._chain.session.fields
    assert (fields[r.S_WEAR_S], fields[r.S_BUZZES], fields[r.S_ANSWERED], fields[r.S_LEAN_EVENTS]) == (44, 1, 1, 1)
    assert r.session_fault(fields) == ""
    monkeypatch.setattr(chain.Chain, "_ask", lambda self, pattern: None)
    other = selftest.SelfTest()
    while not other.step():
        pass
    assert other.vector_digest != test.vector_digest


@pytest.mark.parametrize(
    ("name", "value"), [("detector._DECAY", 5), ("detector._MARGIN_MIN", 3), ("detector._QUICK", 2)]
)
def test_a_detector_of_another_make_gives_another_digest(
    name: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = selftest.vector_digest()
    monkeypatch.setattr(f"walktall.{name}", value)
    assert selftest.vector_digest() != before


def test_the_files_digest_sees_a_changed_a_new_and_a_missing_file_and_nothing_else(tmp_path: Path) -> None:
    here = tmp_path / "walktall"
    shutil.copytree(FOLDER, here, ignore=shutil.ignore_patterns("__pycache__"))
    digest = selftest.source_digest(str(here))
    assert digest == selftest.source_digest(str(FOLDER)) != bytes(8)
    files = [*here.glob("*.py"), *(here / "hw").glob("*.py")]
    assert digest[7] == len(files) - len(selftest.HOST_ONLY)
    # What a board may lack, or has beside ours.
    for name in selftest.HOST_ONLY:
        (here / name).unlink()
    (here / "._chain.py").write_bytes(b"\0")
    (here / "notes.txt").write_text("mine")
    assert selftest.source_digest(str(here)) == digest
    text = (here / "ticks.py").read_text()
    (here / "ticks.py").write_text(text + " ")
    assert selftest.source_digest(str(here)) != digest
    (here / "ticks.py").write_text(text)
    (here / "hw" / "extra.py").write_text("")
    assert selftest.source_digest(str(here)) != digest
    (here / "hw" / "extra.py").unlink()
    (here / "ticks.py").unlink()
    assert selftest.source_digest(str(here)) != digest


def ask(clip: Clip, request_id: int) -> bytes:
    return bytes(clip.ask(wire.SELFTEST, b"", request_id)[wire.SELFTEST | wire.REPLY][0])


def test_a_device_tests_itself_beside_the_walk_and_tells_it_once() -> None:
    clip = Clip(Walker()).calibrated()
    clip.run_until(20)
    assert clip.device.session.open
    request_id = 1
    reply = ask(clip, request_id)
    assert reply == bytes([wire.SELFTEST_RUNNING]) + bytes(16)
    longest_s = 0.0
    while reply[0] == wire.SELFTEST_RUNNING:
        clip.run_for(0.5)
        request_id += 1
        reply = ask(clip, request_id)
        longest_s += 0.5
    assert longest_s < 30
    assert reply[0] == wire.SELFTEST_PASSED
    assert reply[1:9] == selftest.vector_digest()
    assert reply[9:] == selftest.source_digest(str(FOLDER))
    assert ask(clip, request_id) == reply  # the same request again
    assert clip.field("gap_s") == 0
    assert clip.device.visit._selftest is clip.device.visit.sources is None
    assert clip.hello()["source_digest"] == reply[9:]
    assert ask(clip, request_id + 1)[0] == wire.SELFTEST_RUNNING


def test_a_device_without_its_sensor_or_its_files_says_so() -> None:
    clip = Clip(Walker())
    clip.device._source_folder = "/nowhere"
    clip.chip.nack_next(10**9)
    clip.run_until(5)
    for request_id in range(1, 60):
        reply = ask(clip, request_id)
        if reply[0] != wire.SELFTEST_RUNNING:
            break
        clip.run_for(0.5)
    assert reply == bytes([wire.SELFTEST_FAILED]) + selftest.vector_digest() + bytes(8)


def test_a_self_test_that_fails_in_the_middle_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = Clip(Walker()).calibrated()
    clip.run_until(10)
    ask(clip, 1)

    def broken() -> bool:
        raise MemoryError

    clip.device.visit._selftest.step = broken
    clip.run_for(2)
    assert ask(clip, 2)[0] == wire.SELFTEST_FAILED
    assert clip.device.last_error == "selftest MemoryError"
    wear = clip.field("wear_s")
    clip.run_for(5)
    assert clip.field("wear_s") >= wear + 4
