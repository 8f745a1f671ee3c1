"""`make soak` itself: it tells how far it is, can be cancelled, and says in the end what was run."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests import soaking

ROOT = Path(__file__).resolve().parent.parent


def soak(tests: str, scale: str, rest: bool = False) -> subprocess.Popen[str]:
    """The soak of some tests in a process of its own, told of every second, at a part of the full counts."""
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-m", "soak", *tests.split()],
        cwd=ROOT,
        env={
            **os.environ,
            "WALKTALL_SOAK": "rest" if rest else "1",
            "WALKTALL_SOAK_SCALE": scale,
            "WALKTALL_SOAK_EVERY_S": "0.5",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Whoever runs the tests in the background has Ctrl-C ignored, and children inherit that.
        preexec_fn=None if sys.platform == "win32" else lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_each_part_is_told_with_its_number_cases_and_seconds_and_all_of_them_in_the_end(seed: int) -> None:
    before = soaking.runs()
    told = soak("tests/test_fuzz.py -k device_for_long", "0.0004").communicate()[0]
    for number in range(4):
        name = re.escape(f"tests/test_fuzz.py::test_the_device_for_long[{number}]")
        assert re.search(rf"{number + 1} of 4: passed: {name}: [5-9],\d\d\d bytes, [\d.]+ s of one core", told), told
    assert re.search(rf"4 of 4 parts run \(4 passed\); .* by the clock; WALKTALL_SEED={seed}; at 0.0004 of", told), told
    assert soaking.runs() == before, "a part of the counts was written down as all of them"


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another matter there")
def test_it_says_what_runs_and_how_far_it_is_and_ends_when_it_is_cancelled() -> None:
    with soak("tests/test_fuzz.py -k host_for_long", "1") as process:
        assert process.stdout is not None
        late = threading.Timer(60, process.kill)
        late.start()
        told = ""
        for line in process.stdout:
            told += line
            if re.search(r"test_the_host_for_long\[0\]: [\d,]+ of 12,500,000 bytes", line):
                process.send_signal(signal.SIGINT)
                break
        told += process.stdout.read()
        late.cancel()
        assert process.wait() != 0
    assert "0 of 4 parts run (none)" in told and "KeyboardInterrupt" in told, told


def test_the_rest_is_what_was_not_run_with_this_firmware(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(soaking, "RUNS", tmp_path / "soak.json")
    ran = {"ran": 5, "unit": "bytes", "core_s": 1.0, "seed": soaking.SEED, "on": "2026-01-02"}
    soaking.write_down({"a[1]": {**ran, "firmware": soaking.firmware()}, "a[2]": {**ran, "firmware": "0" * 16}})
    soaking.write_down({"b": {**ran, "firmware": soaking.firmware(), "seed": soaking.SEED + 1}})
    assert [soaking.has_run(name) for name in ("a[1]", "a[2]", "b", "c")] == [True, False, False, False]
    assert len(soaking.of_test("a", soaking.runs().items())) == 2


@pytest.mark.parametrize(
    ("value", "told"), [(0.04, "0.0 s"), (2.13, "2.1 s"), (43.2, "43 s"), (720.0, "12 min"), (7200.0, "2.0 h")]
)
def test_seconds_are_told_as_somebody_says_them(value: float, told: str) -> None:
    assert soaking.seconds(value) == told
