"""Walks held to their expectations in another project's tests: a fixture that replays, and suites as test items.

It comes with the extra ``walktall[sim]`` (entry point `pytest11`). Files called ``*.walktall.toml`` are collected where
pytest looks for tests, and those that the ini option ``walktall_suites`` names; each case is a test. The fixture
``walktall`` plays a recording, or rows of an array, to the device's own code::

    def test_a_short_lean_is_left_alone(walktall):
        walk = walktall.replay("walk.csv", turns=["18@60+5/1"], settings={"hold_s": 10})
        assert not walk.of("buzz")

NumPy and Polars are imported when something is played, so that a project which only has walktall installed for
something else pays nothing.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ReprExceptionInfo, ReprFileLocation, ReprTracebackNative

if TYPE_CHECKING:
    from walktall_sim.checking import Result
    from walktall_sim.suites import Case

SUFFIX = ".walktall.toml"
INI = "walktall_suites"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The ini option."""
    parser.addini(
        INI,
        f"suites of walks to collect beside those called *{SUFFIX}: paths from the rootdir, * and ? allowed",
        type="linelist",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    """A pattern that names no file would leave its suites out unseen."""
    for pattern in config.getini(INI):
        if not _names_any(pattern, config.rootpath):
            hint = "; each pattern has a line of its own" if len(pattern.split()) > 1 else ""
            config.issue_config_time_warning(pytest.PytestConfigWarning(f"{INI}: no file {pattern!r}{hint}"), 2)


def _names_any(pattern: str, root: Path) -> bool:
    """Whether a pattern names a file; * stands for folders as well, as it does where files are collected."""
    if any(glob.iglob(pattern, root_dir=root)):
        return True
    head = re.split(r"[*?[]", pattern, maxsplit=1)[0].rpartition("/")[0]
    return any(
        fnmatch(one.relative_to(root / head).as_posix(), pattern[len(head) + bool(head) :])
        for one in (root / head).rglob("*.toml")
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A suite is a file of tests."""
    if file_path.suffix != ".toml":
        return None
    config = parent.config
    try:
        inside = file_path.relative_to(config.rootpath).as_posix()
    except ValueError:
        inside = file_path.as_posix()
    named = any(fnmatch(inside, pattern) for pattern in config.getini(INI))
    if not named and not file_path.name.endswith(SUFFIX):
        return None
    return SuiteFile.from_parent(parent, path=file_path)


class SuiteFile(pytest.File):
    """A suite; its cases are tests."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item a case.

        :raises pytest.Collector.CollectError: the suite is wrong; the text has file and line
        """
        try:
            _needed()
        except pytest.UsageError as error:
            raise self.CollectError(str(error)) from None
        from walktall_sim import suites

        try:
            cases = suites.read(self.path)
        except suites.SuiteError as error:
            raise self.CollectError(str(error)) from None
        for case in cases:
            yield CaseItem.from_parent(self, name=case.name, case=case)


class CaseFailed(Exception):
    """A case whose expectations did not all hold."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.name)
        self.result = result


class CaseItem(pytest.Item):
    """One case of a suite."""

    def __init__(self, *, case: Case, **options: Any) -> None:
        super().__init__(**options)
        self.case = case

    def runtest(self) -> None:
        """Play it and judge it."""
        from walktall_sim import checking

        result = checking.play(self.case)
        for note in result.notes:
            self.warn(pytest.PytestWarning(f"{result.where}: {note}"))
        if result.status == checking.SKIPPED:
            pytest.skip(result.why)
        if result.status == checking.FAILED:
            raise CaseFailed(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What was expected and what came, and the command that shows it in a picture."""
        if isinstance(excinfo.value, CaseFailed):
            result = excinfo.value.result
            lines = [f"{line}\n" for line in _complaint(result, self.path)]
            where = ReprFileLocation(str(self.path), (self.reportinfo()[1] or 0) + 1, _short(result))
            return ReprExceptionInfo(ReprTracebackNative(lines), where)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the case stands."""
        line = self.case.where.rpartition(":")[2]
        return self.path, int(line) - 1 if line.isdigit() else None, self.name


def _complaint(result: Result, path: Path) -> Iterator[str]:
    yield f"{result.where}: {result.name}"
    if result.why:
        yield f"  {result.why}"
    for check in result.checks:
        mark = "held" if check.held else "FAILED"
        yield f"  {mark:<7}expected {check.expected}" + (f"; found {check.found}" if check.found else "")
    told = [line for line in result.events if line["event"] in ("buzz", "recovered", "slip", "gap")]
    for line in told[:12]:
        words = [str(line[key]) for key in ("fault", "label") if line.get(key)]
        yield f"  {line['t_s']:9.2f} s  {line['event']} {' '.join(words)}".rstrip()
    if len(told) > 12:
        yield f"  and {len(told) - 12} more events"
    yield f"  to see it: walktall-sim check {path} --case {_quoted(result.name)} --html case.html"


def _short(result: Result) -> str:
    """What did not hold, in the one line that pytest's short summary and reporters show of a failure."""
    lost = [one for one in result.checks if not one.held]
    if result.why or not lost:
        return result.why or "failed"
    more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
    return f"expected {lost[0].expected}; found {lost[0].found or 'nothing'}{more}"


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def _needed() -> None:
    """One line where the simulator's packages are missing."""
    try:
        import numpy  # noqa: F401
        import polars  # noqa: F401
    except ModuleNotFoundError as error:
        raise pytest.UsageError(f"{error.name} is not installed: pip install 'walktall[sim]'") from None


# --- the fixture --------------------------------------------------------------------------------------------------


def _one_of(what: str, word: str | None, known: Sequence[str]) -> None:
    if word is not None and word not in known:
        raise ValueError(f"no {what} is called {word!r}; one of {', '.join(known)}")


@dataclass(frozen=True)
class Replayed:
    """A walk that was played: ``events`` in their order, each a dict as `walktall-sim replay --json` prints it, and the
    session record as ``summary``."""

    events: list[dict[str, Any]]
    summary: dict[str, Any] = field(default_factory=dict)

    def of(self, event: str, *, fault: str | None = None, label: str | None = None) -> list[dict[str, Any]]:
        """The events of a name; "stopped" is the end of walking.

        :raises ValueError: no event, fault or label is called so: a test that counts none of them would always hold
        """
        from walktall_sim import suites

        _one_of("event", event, suites.EVENTS)
        _one_of("fault", fault, suites.FAULTS)
        _one_of("label", label, suites.LABELS)
        name = "walking" if event == "stopped" else event
        return [
            line
            for line in self.events
            if line["event"] == name
            and (name != "walking" or line["walking"] == (event == "walking"))
            and (fault is None or line.get("fault") == fault)
            and (label is None or line.get("label") == label)
        ]

    def times_s(self, event: str, *, fault: str | None = None) -> list[float]:
        """When events of a name were told, in seconds of the recording."""
        return [float(line["t_s"]) for line in self.of(event, fault=fault)]


class Walktall:
    """Plays walks to the device's own code; what the fixture ``walktall`` gives.

    :param folder: where names of recordings begin
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def replay(
        self,
        walk: Any,
        *,
        trial: str | None = None,
        up: str | None = None,
        forward: str | None = None,
        upright: tuple[float, float] | None = None,
        settings: Mapping[str, Any] | None = None,
        turns: Sequence[str] = (),
        answer_s: float | None = None,
        full: bool = False,
        rate_hz: float | None = None,
    ) -> Replayed:
        """Play one walk; the options are those of ``walktall-sim replay``.

        :param walk: a recording's path, from the test's own folder; or rows (n, 7) of ``t_s, ax, ay, az, gx, gy, gz``
            in s, m/s² and rad/s; or (n, 6) without the time, with ``rate_hz``; or a data frame with those columns
        :param full: through registers, driver and poll; else straight to the detector
        :raises ValueError: told in one line: the options or the walk will not do
        """
        _needed()
        from walktall_sim import mounting, recordings, replay
        from walktall_sim.turn import parse_turn

        options = replay.Options(
            trial=trial,
            up=up,
            forward=forward,
            upright=upright,
            settings=[replay.parse_setting(f"{name}={value}") for name, value in (settings or {}).items()],
            turns=[parse_turn(text) for text in turns],
            answer_s=answer_s,
            full=full,
        )
        if isinstance(walk, str | Path):
            try:
                walks = list(replay.walks(self._folder / walk, options, lambda _: None))
            except (recordings.RecordingError, mounting.MountingError) as error:
                raise ValueError(str(error)) from None
            if len(walks) > 1:
                names = ", ".join(one.trial for one in walks[:6])
                raise ValueError(f"{walk}: {len(walks)} trials; choose one with trial= ({names})")
            ready = walks[0]
        else:
            t_s, values = _rows(walk, rate_hz)
            chosen = mounting.mounting_for(Path(), up or mounting.DEFAULT_UP, forward or mounting.DEFAULT_FORWARD)
            ready = replay.walk_of(t_s, values, chosen, options)
        lines = list(replay.play(ready, options))
        summary = next(line for line in lines if line["event"] == "summary")
        return Replayed([line for line in lines if line["event"] != "summary"], summary)

    def generate(self, plan: str, seed: int = 1) -> Any:
        """Rows (n, 7) of a made-up walk, by a plan such as ``"stand:6,walk:60,lean 20:20"``; see
        ``walktall-sim generate --help``."""
        _needed()
        import numpy as np

        from walktall_sim import generate, recordings

        frames = generate.Walk(generate.parse_plan(plan), seed).blocks()
        return np.concatenate([frame.select(recordings.NEEDED).to_numpy() for frame in frames])

    def check(self, suite: str | Path) -> list[Result]:
        """The results of a suite's cases, by its path from the test's own folder or the name of one that ships."""
        _needed()
        from walktall_sim import checking, suites

        path = self._folder / suite
        files = suites.find(str(path if path.exists() else suite))
        return [checking.play(case) for file in files for case in suites.read(file)]


def _rows(walk: Any, rate_hz: float | None) -> tuple[Any, Any]:
    """Times (n,) and rows (n, 6) out of what a test has."""
    import numpy as np

    from walktall_sim import recordings

    if hasattr(walk, "columns") and not isinstance(walk, np.ndarray):
        missing = [name for name in recordings.AXES if name not in walk.columns]
        if missing:
            raise ValueError(f"the data frame lacks {', '.join(missing)}")
        names = recordings.NEEDED if recordings.TIME in walk.columns else recordings.AXES
        walk = np.column_stack([np.asarray(walk[name], dtype=np.float64) for name in names])
    rows = np.asarray(walk, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] not in (6, 7):
        raise ValueError(f"rows have the shape {rows.shape}; needed is (n, 7) with the time first, or (n, 6)")
    if rows.shape[1] == 6:
        if rate_hz is None or not rate_hz > 0.0:
            raise ValueError("rows without time need rate_hz")
        rows = np.column_stack([np.arange(len(rows)) / rate_hz, rows])
    if not np.isfinite(rows).all():
        raise ValueError("rows hold values that are no numbers; leave such rows out (a gap is fine)")
    if (np.diff(rows[:, 0]) < 0.0).any():
        raise ValueError("time goes backwards")
    return rows[:, 0], rows[:, 1:]


@pytest.fixture
def walktall(request: pytest.FixtureRequest) -> Walktall:
    """Plays walks to the posture clip's own code: ``walktall.replay(recording or rows)``."""
    return Walktall(request.path.parent)
