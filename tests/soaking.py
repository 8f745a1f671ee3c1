"""What `make soak` tells while it runs and at its end, and what it leaves behind.

Each test of it says how far it is through the fixture ``tally``. While they run, a line a minute says which run and
how far; each one that ends is told with its number, cases and seconds; in the end all of them stand in a table, also
when it was cancelled. What ran in full is written to ``tests/golden/soak.json``, from which docs/reliability.md has its
figures.
"""

import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from walktall.selftest import source_digest

SEED = int(os.environ.get("WALKTALL_SEED", "20260105"))
#: A part of the full counts, to try the soak itself: what ran so is not written down.
SCALE = float(os.environ.get("WALKTALL_SOAK_SCALE", "1"))
RUNS = Path(__file__).resolve().parent / "golden" / "soak.json"
_FIRMWARE_LIB = RUNS.parents[2] / "firmware" / "lib" / "walktall"
_FOLDER = "WALKTALL_SOAK_FOLDER"
#: How often is told what runs.
EVERY_S = float(os.environ.get("WALKTALL_SOAK_EVERY_S", "60"))


def cpu_s() -> float:
    """Seconds of a core that this process and its children have taken: what neighbours take does not count."""
    return sum(os.times()[:4])


@cache
def firmware() -> str:
    """The digest of the firmware's files that a device of these files answers too."""
    return bytes(source_digest(str(_FIRMWARE_LIB))).hex()


Tell = Callable[[int, int, str], None]


def silence(done: int, of: int, unit: str) -> None:
    """A tally for who does not want to be told how far it is."""


class Tally:
    """How far a test is: ``tally(done, of, "sequences")``, as often as it likes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.done = 0
        self.unit = ""
        self._told_s = 0.0

    def __call__(self, done: int, of: int, unit: str) -> None:
        self.done, self.unit = done, unit
        folder = os.environ.get(_FOLDER)
        now_s = time.monotonic()
        if folder and now_s - self._told_s > 1.0:
            self._told_s = now_s
            path = Path(folder) / str(os.getpid())
            path.with_suffix(".new").write_text(f"{self.name}: {done:,} of {of:,} {unit}")
            path.with_suffix(".new").replace(path)


def seconds(value: float) -> str:
    """``2.1 s``, ``43 s``, ``12 min`` or ``1.5 h``."""
    if value < 100:
        return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 6000 else f"{value / 3600:.1f} h"


class Told:
    """The controller's side: progress, the table at the end, and what is written down."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._folder = tempfile.TemporaryDirectory()
        os.environ[_FOLDER] = self._folder.name
        self._total = 0
        self._begun_s = time.monotonic()
        self._rows: list[tuple[str, str, dict[str, Any]]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._each_minute, daemon=True)
        self._thread.start()

    def _say(self, line: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(f"{time.strftime('%H:%M:%S')} {line}")
            reporter.flush()

    def _each_minute(self) -> None:
        while not self._over.wait(EVERY_S):
            for path in sorted(Path(self._folder.name).glob("*")):
                try:
                    if path.suffix != ".new" and path.stat().st_mtime > time.time() - 2 * max(EVERY_S, 60):
                        # Without workers a test runs here, and what is written meanwhile is taken for its output.
                        capture = self._config.pluginmanager.get_plugin("capturemanager")
                        with capture.global_and_fixture_disabled() if capture else nullcontext():
                            self._say(path.read_text())
                except FileNotFoundError:
                    continue

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._total = max(self._total, len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        self._total = max(self._total, len(ids))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and not (report.when == "setup" and not report.passed):
            return
        ran: dict[str, Any] = dict(report.user_properties).get("soak", {})  # type: ignore[assignment]
        outcome = str(report.outcome)
        self._rows.append((report.nodeid, outcome, ran))
        self._say(f"{len(self._rows)} of {self._total}: {outcome}: {told_of(report.nodeid, ran)}")
        if outcome == "passed" and ran and SCALE == 1:
            write_down({report.nodeid: ran})

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        self._over.set()
        write = terminalreporter.write_line
        terminalreporter.section("soak")
        for name, outcome, ran in sorted(self._rows):
            write(f"{outcome}: {told_of(name, ran)}")
        outcomes = [row[1] for row in self._rows]
        counts = ", ".join(f"{outcomes.count(each)} {each}" for each in sorted(set(outcomes)))
        core_s = sum(row[2].get("core_s", 0.0) for row in self._rows)
        write(
            f"{len(self._rows)} of {self._total} parts run ({counts or 'none'}); {seconds(core_s)} of one core, "
            f"{seconds(time.monotonic() - self._begun_s)} by the clock; WALKTALL_SEED={SEED}"
            + ("" if SCALE == 1 else f"; at {SCALE} of the full counts, so nothing is written down")
        )

    def pytest_unconfigure(self) -> None:
        self._over.set()
        self._thread.join()
        self._folder.cleanup()


def told_of(name: str, ran: dict[str, Any]) -> str:
    """One part in a line."""
    if not ran:
        return name
    cases = f"{ran['ran']:,} {ran['unit']}, " if ran["ran"] else ""
    return f"{name}: {cases}{seconds(ran['core_s'])} of one core"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """What a test of the soak ran, with its report; wherever it runs."""
    if item.get_closest_marker("soak") is None:
        return (yield)
    firmware()  # as they are now
    before_s = cpu_s()
    try:
        return (yield)
    finally:
        tally = getattr(item, "funcargs", {}).get("tally")
        ran = {
            "ran": tally.done if tally else 0,
            "unit": tally.unit if tally else "",
            "core_s": round(cpu_s() - before_s, 1),
            "seed": SEED,
            "on": datetime.now(UTC).date().isoformat(),
            "firmware": firmware(),
        }
        item.user_properties.append(("soak", ran))


def runs() -> dict[str, dict[str, Any]]:
    """What was run in full, the last time that each part was, by the names of pytest."""
    return dict(json.loads(RUNS.read_text())) if RUNS.exists() else {}


def has_run(name: str) -> bool:
    """It was run in full with this very firmware and this seed."""
    ran = runs().get(name, {})
    return bool(ran) and (ran["firmware"], ran["seed"]) == (firmware(), SEED)


def write_down(ran: dict[str, dict[str, Any]]) -> None:
    """Put it in the place of what was written of the same parts."""
    lines = (f"{json.dumps(name)}: {json.dumps(each)}" for name, each in sorted({**runs(), **ran}.items()))
    RUNS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def of_test(name: str, among: Iterable[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """The runs of a test, whatever its parameters."""
    return [ran for each, ran in among if each.split("[")[0] == name]
