"""Suites: TOML files that say which walks are played and what is expected of the clip, read and checked.

A suite is a list of ``[[case]]``; docs/simulator.md, "Suites", gives the whole form. This module reads and expands them
and refuses what is wrong with file and line; it plays nothing (`walktall_sim.checking` does).
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from walktall import records

from walktall_sim import formats, generate, mounting, persons, replay, scoring
from walktall_sim.printable import printable
from walktall_sim.source import Faults
from walktall_sim.turn import TurnError, parse_turn

SHIPPED = Path(__file__).resolve().parent / "suites"
VARIABLE = "${RECORDINGS}"
EVENTS = ("calibrated", "walking", "stopped", "fault_begin", "fault_end", "buzz", "recovered", "gap", "slip")
FAULTS = ("forward", "back", "side")
LABELS = ("LEAN", "SLOUCH", "UNSURE")
#: what an expectation on the session may name beside the record's own fields
DERIVED = ("upright_pct",)


class SuiteError(ValueError):
    """A suite that cannot be used; the text is one line with file and line."""


@dataclass(frozen=True, slots=True)
class Generated:
    """A made-up walk."""

    plan: str
    seed: int

    def __str__(self) -> str:
        return f"seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Joined:
    """A walk joined of one person's trials."""

    root: Path
    kit: str
    person: str
    minutes: float
    pitch_deg: float
    seed: int

    def __str__(self) -> str:
        return f"{self.kit} {self.person}"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording."""

    path: Path

    def __str__(self) -> str:
        return self.path.name


@dataclass(frozen=True, slots=True)
class Traced:
    """A walk as a clip's trace has it, block by block: judged again from its angles, a sensor is not played."""

    path: Path

    def __str__(self) -> str:
        return self.path.name


Source = Generated | Joined | Recorded | Traced


@dataclass(frozen=True, slots=True)
class Event:
    """So many events of a kind, within a window of time."""

    name: str
    fault: str | None
    label: str | None
    from_s: float
    to_s: float
    least: int
    most: int | None

    def __str__(self) -> str:
        kind = " ".join(part for part in (self.fault, self.name, self.label) if part)
        if self.most == 0:
            count = "no"
        elif self.most is None:
            count = f"{self.least} or more"
        elif self.most == self.least:
            count = str(self.least)
        else:
            count = f"{self.least} to {self.most}"
        window = ""
        if self.from_s > -math.inf and self.to_s < math.inf:
            window = f" within {self.from_s:g}..{self.to_s:g} s"
        elif self.from_s > -math.inf:
            window = f" from {self.from_s:g} s on"
        elif self.to_s < math.inf:
            window = f" until {self.to_s:g} s"
        return f"{count} {kind}{window}"


@dataclass(frozen=True, slots=True)
class Recovered:
    """Each buzz is followed by `recovered` of the same fault within so many seconds."""

    within_s: float

    def __str__(self) -> str:
        return f"recovered within {self.within_s:g} s of each buzz"


@dataclass(frozen=True, slots=True)
class Field:
    """A figure of the session record within bounds."""

    name: str
    least: float
    most: float

    def __str__(self) -> str:
        if self.least == self.most:
            return f"{self.name} = {self.least:g}"
        if self.most == math.inf:
            return f"{self.name} at least {self.least:g}"
        if self.least == -math.inf:
            return f"{self.name} at most {self.most:g}"
        return f"{self.name} within {self.least:g}..{self.most:g}"


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of the alarms against what was put on the walk (`walktall_sim.scoring`) within bounds."""

    name: str
    least: float
    most: float

    def __str__(self) -> str:
        return str(Field(self.name, self.least, self.most))


@dataclass(frozen=True, slots=True)
class Pitch:
    """The 1 s mean of pitch from upright (no walking offset taken off) at a time."""

    deg: float
    at_s: float
    within_deg: float

    def __str__(self) -> str:
        return f"pitch {self.deg:g}±{self.within_deg:g}° at {self.at_s:g} s"


Expectation = Event | Recovered | Field | Metric | Pitch


@dataclass(frozen=True, slots=True)
class Case:
    """One walk and what is expected of it; ``missing`` says why it cannot be played here."""

    suite: str
    name: str
    walk: Source | None
    options: replay.Options
    faults: Faults | None
    expect: tuple[Expectation, ...]
    where: str
    missing: str = ""


@dataclass(slots=True)
class _Place:
    """Where in a suite a table stands, for messages."""

    file: Path
    text: Sequence[str]
    line: int
    end: int

    def error(self, message: str, key: str | None = None) -> SuiteError:
        """What is wrong, with the line: that of ``key`` and what the message quotes, else of ``key``, else the head."""
        pattern = re.compile(rf"(?:^|[\s{{,]){re.escape(key or '')}\s*=")
        lines = [n for n in range(self.line, self.end + 1) if key and pattern.search(self.text[n - 1].split("#", 1)[0])]
        quoted = re.search(r"'([^']+)'", message)
        nearer = [n for n in lines if quoted and quoted[1] in self.text[n - 1]]
        return SuiteError(f"{self.file}:{(nearer or lines or [self.line])[0]}: {message}")


def find(argument: str) -> list[Path]:
    """The suites that an argument names: a file, a folder of them, or one that ships with the project.

    :raises SuiteError: there is none
    """
    path = Path(argument)
    if path.is_dir():
        found = sorted(path.glob("*.toml"))
        if not found:
            raise SuiteError(f"{path}: holds no suites (*.toml)")
        return found
    if path.exists():
        return [path]
    shipped = SHIPPED / f"{argument}.toml"
    if re.fullmatch(r"[a-z_]+", argument) and shipped.is_file():
        return [shipped]
    known = ", ".join(sorted(one.stem for one in SHIPPED.glob("*.toml")))
    raise SuiteError(f"{argument}: no such file, and no suite that ships is called so ({known})")


def recordings_root(suite: Path) -> Path | None:
    """Where ``${RECORDINGS}`` is: that environment variable, else ``shared/recordings`` beside a folder above."""
    told = os.environ.get("RECORDINGS")
    if told:
        return Path(told) if Path(told).is_dir() else None
    for start in (suite.resolve().parent, Path.cwd()):
        for folder in (start, *start.parents):
            if (folder / "shared" / "recordings" / "manifest.json").is_file():
                return folder / "shared" / "recordings"
    return None


def read(file: Path) -> list[Case]:
    """The cases of a suite, those for many people or seeds expanded.

    :raises SuiteError: told in one line, with file and line
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SuiteError(f"{file}: is not text in UTF-8") from None
    except OSError as error:
        raise SuiteError(f"{file}: cannot be read ({error.strerror})") from None
    try:
        suite = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"^(.*) \(at line (\d+), column \d+\)$", str(error), re.DOTALL)
        line, why = (found[2], found[1]) if found else (str(text.count("\n") + 1), str(error).split(" (")[0])
        raise SuiteError(f"{file}:{line}: not TOML: {why}") from None
    lines = text.split("\n")
    heads = [n for n, line in enumerate(lines, 1) if re.match(r"\s*\[\[\s*case\s*\]\]", line)]
    whole = _Place(file, lines, 1, len(lines))
    _known(whole, suite, ("title", "defaults", "case"), "a suite")
    if "title" in suite and not isinstance(suite["title"], str):
        raise whole.error("title must be text", "title")
    defaults = suite.get("defaults", {})
    if not isinstance(defaults, dict):
        raise whole.error("defaults must be a table: [defaults]", "defaults")
    _known(whole, defaults, OPTIONS, "[defaults]")
    tables = suite.get("case")
    if not isinstance(tables, list) or not tables or not all(isinstance(one, dict) for one in tables):
        raise whole.error("a suite needs cases: [[case]]", "case")
    cases: list[Case] = []
    for index, table in enumerate(tables):
        begin = heads[index] if index < len(heads) else 1
        end = heads[index + 1] - 1 if index + 1 < len(heads) else len(lines)
        place = _Place(file, lines, begin, end)
        for case in _case(place, file, defaults, table):
            if any(case.name == other.name for other in cases):
                raise place.error(f"two cases are called {case.name!r}", "name")
            cases.append(case)
    return cases


#: what a case is played on: one of these
WALKS = ("walk", "joined", "recording", "trace")
#: keys of a case that [defaults] may hold as well
OPTIONS = ("path", "chip", "up", "forward", "upright", "trial", "columns", "settings", "turns", "answer_s", "faults")


def _known(place: _Place, table: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    for key in table:
        if key not in known:
            raise place.error(f"{what} knows no {key!r}; one of {', '.join(known)}", key)


def _number(place: _Place, table: Mapping[str, Any], key: str, default: float | None = None) -> float:
    value = table.get(key, default)
    if value is None:
        raise place.error(f"{key} is missing")
    if key in table and not _is_number(value):
        raise place.error(f"{key} must be a number", key)
    return float(value)


def _text(place: _Place, table: Mapping[str, Any], key: str, choices: Sequence[str] | None = None) -> str | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise place.error(f"{key} must be text", key)
    if choices is not None and value not in choices:
        raise place.error(f"{key} is {value!r}; one of {', '.join(choices)}", key)
    return value


def _case(place: _Place, file: Path, defaults: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[Case]:
    _known(place, own, ("name", *WALKS, "expect", *OPTIONS), "a case")
    table = {**defaults, **own}
    for key in ("settings", "faults"):
        if isinstance(defaults.get(key), dict) and isinstance(own.get(key), dict):
            table[key] = {**defaults[key], **own[key]}
    name = _text(place, table, "name")
    if not name:
        raise place.error("a case needs a name")
    expect = table.get("expect")
    if not isinstance(expect, list) or not expect or not all(isinstance(one, dict) for one in expect):
        raise place.error("expect must be a list of tables, such as [{ event = 'buzz', times = 0 }]", "expect")
    expected = tuple(_expectation(place, one) for one in expect)
    faults = _faults(place, table)
    walks, several, missing = _walks(place, file, table)
    for walk in walks:
        options = _options(place, table, walk)
        shown = printable(f"{name} ({walk})" if several else name)
        yield Case(printable(file.stem), shown, walk, options, faults, expected, f"{place.file}:{place.line}", missing)


def _walks(place: _Place, file: Path, table: Mapping[str, Any]) -> tuple[list[Source | None], bool, str]:
    """What a case is played on; whether it is one of several; why it cannot be played here."""
    kinds = [key for key in WALKS if key in table]
    if len(kinds) != 1:
        raise place.error("a case needs one of walk, joined, recording and trace", kinds[1] if kinds else None)
    nowhere = "the recordings do not stand here (RECORDINGS, or shared/recordings beside the project)"
    if kinds[0] in ("recording", "trace"):
        path = _text(place, table, kinds[0]) or ""
        if VARIABLE in path:
            root = recordings_root(file)
            if root is None:
                return [None], False, nowhere
            path = path.replace(VARIABLE, str(root))
        found = file.parent / path
        if not found.is_file() and not (kinds[0] == "recording" and found.is_dir()):
            raise place.error(f"{found}: no such {kinds[0]}", kinds[0])
        if kinds[0] == "trace":
            sensor = next((key for key in OPTIONS if key != "settings" and key in table), None)
            if sensor is not None:
                raise place.error(f"a trace has no sensor: {sensor} says nothing to it; settings does", sensor)
            return [Traced(found)], False, ""
        return [Recorded(found)], False, ""
    of = table[kinds[0]]
    if not isinstance(of, dict):
        raise place.error(f"{kinds[0]} must be a table, such as {_LIKE[kinds[0]]}", kinds[0])
    if kinds[0] == "walk":
        _known(place, of, ("plan", "minutes", "seed"), "walk")
        seeds = of.get("seed", 1)
        many = isinstance(seeds, list)
        chosen = seeds if isinstance(seeds, list) else [seeds]
        if not chosen or not all(type(one) is int and 0 <= one < 2**63 for one in chosen):
            raise place.error(f"seed must be a whole number within 0 and {2**63 - 1}, or a list of such", "seed")
        plan = _text(place, of, "plan")
        if (plan is None) == ("minutes" not in of):
            raise place.error("walk needs plan or minutes, not both", "walk")
        out: list[Source | None] = []
        for seed in chosen:
            try:
                if plan is not None:
                    generate.parse_plan(plan)
                    out.append(Generated(plan, seed))
                else:
                    script = generate.default_plan(_number(place, of, "minutes"), seed)
                    out.append(Generated(",".join(map(str, script)), seed))
            except generate.PlanError as error:
                raise place.error(str(error), "plan" if plan is not None else "minutes") from None
        return out, many, ""
    _known(place, of, ("set", "person", "minutes", "pitch_deg", "seed"), "joined")
    kit = _text(place, of, "set", sorted(persons.WALKING))
    person = _text(place, of, "person")
    if kit is None or person is None:
        raise place.error("joined needs set and person ('*' is everybody)", "joined")
    minutes = _number(place, of, "minutes")
    if not 0.25 <= minutes <= 120.0:
        raise place.error("minutes must lie within 0.25 and 120", "minutes")
    pitch_deg, seed = _number(place, of, "pitch_deg", 2.0), int(_number(place, of, "seed", 0))
    root = recordings_root(file)
    if root is None:
        return [None], False, nowhere
    try:
        known = persons.names(root, kit)
    except persons.PersonError as error:
        raise place.error(str(error), "joined") from None
    if person != "*" and person not in known:
        raise place.error(f"nobody in {kit} is called {person!r}; one of {', '.join(known)}", "person")
    wanted = known if person == "*" else [person]
    return [Joined(root, kit, one, minutes, pitch_deg, seed) for one in wanted], person == "*", ""


_LIKE = {
    "walk": "{ plan = 'stand:6,walk:114', seed = 3 }",
    "joined": "{ set = 'grouvel_sternum', person = 'P02', minutes = 3, pitch_deg = 2 }",
}


def _options(place: _Place, table: Mapping[str, Any], walk: Source | None) -> replay.Options:
    def asked(key: str, parse: Callable[[str], Any]) -> Any:
        value = _text(place, table, key)
        if value is None:
            return None
        try:
            return parse(value)
        except ValueError as error:
            raise place.error(str(error), key) from None

    full = (_text(place, table, "path", ("fast", "full")) or "fast") == "full"
    chip = _text(place, table, "chip", replay.CHIPS) or replay.CHIPS[0]
    for key in ("up", "forward"):
        asked(key, mounting.parse_axis)
    if isinstance(walk, Joined) and ("up" in table or "forward" in table):
        raise place.error("a joined walk is mounted as its set's manifest says", "up" if "up" in table else "forward")
    settings = table.get("settings", {})
    if not isinstance(settings, dict):
        raise place.error("settings must be a table, such as { hold_s = 10 }", "settings")
    pairs = []
    for key, value in settings.items():
        try:
            pairs.append(replay.parse_setting(f"{key}={value}"))
        except replay.ReplayError as error:
            raise place.error(str(error).replace("--set ", "settings: "), key) from None
    turns = table.get("turns", [])
    if not isinstance(turns, list):
        raise place.error("turns must be a list, such as ['20@90+40/2']", "turns")
    try:
        parsed = [parse_turn(str(one)) for one in turns]
    except TurnError as error:
        raise place.error(str(error), "turns") from None
    answer_s = _number(place, table, "answer_s") if "answer_s" in table else None
    if answer_s is not None and answer_s < 0.0:
        raise place.error("answer_s must be 0 or more seconds", "answer_s")
    return replay.Options(
        trial=_text(place, table, "trial"),
        up=_text(place, table, "up"),
        forward=_text(place, table, "forward"),
        upright=asked("upright", replay.parse_window),
        settings=pairs,
        turns=parsed,
        answer_s=answer_s,
        full=full,
        chip=chip,
        columns=asked("columns", formats.parse_columns),
    )


def _faults(place: _Place, table: Mapping[str, Any]) -> Faults | None:
    given = table.get("faults")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise place.error("faults must be a table, such as { lost_share = 0.01 }", "faults")
    _known(place, given, [one.name for one in fields(Faults)], "faults")
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key.startswith("gyro_"):
            if not isinstance(value, list) or len(value) != 3 or not all(_is_number(one) for one in value):
                raise place.error(f"{key} must be three numbers, for x, y and z", key)
            values[key] = tuple(float(one) for one in value)
        elif not _is_number(value) or (key in ("lost_run", "seed") and not isinstance(value, int)):
            raise place.error(f"{key} must be a {'whole ' if key in ('lost_run', 'seed') else ''}number", key)
        else:
            values[key] = value
    if not 0.0 <= values.get("lost_share", 0.0) <= 1.0 or values.get("lost_run", 1) < 1:
        raise place.error("lost_share must lie within 0 and 1, and lost_run be 1 or more", "lost_share")
    return Faults(**values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _bounds(place: _Place, table: Mapping[str, Any], key: str) -> tuple[float, float]:
    """`key = 3`, `key = [3, 5]`."""
    value = table[key]
    pair = value if isinstance(value, list) else [value, value]
    if len(pair) != 2 or not all(_is_number(one) for one in pair) or pair[0] > pair[1]:
        raise place.error(f"{key} must be a number, or two of which the first is not above the second", key)
    return float(pair[0]), float(pair[1])


#: keys of expectations
EXPECTATION_KEYS = (
    *("event", "fault", "label", "from_s", "to_s", "times"),
    *("field", "metric", "is", "least", "most"),
    "recovered_within_s",
    *("pitch_deg", "at_s", "within_deg"),
)


def _expectation(place: _Place, table: Mapping[str, Any]) -> Expectation:
    if "event" in table:
        _known(place, table, ("event", "fault", "label", "from_s", "to_s", "times"), "an expected event")
        name = _text(place, table, "event", EVENTS)
        fault = _text(place, table, "fault", FAULTS)
        label = _text(place, table, "label", LABELS)
        from_s, to_s = _number(place, table, "from_s", -math.inf), _number(place, table, "to_s", math.inf)
        if from_s > to_s:
            raise place.error("from_s lies behind to_s", "from_s")
        least, most = (1.0, None) if "times" not in table else _bounds(place, table, "times")
        if least < 0.0 or not (least.is_integer() and (most is None or most.is_integer())):
            raise place.error("times must be a whole number from 0, or two of them", "times")
        assert name is not None
        return Event(name, fault, label, from_s, to_s, int(least), None if most is None else int(most))
    if "recovered_within_s" in table:
        _known(place, table, ("recovered_within_s",), "an expected recovery")
        return Recovered(_number(place, table, "recovered_within_s"))
    if "pitch_deg" in table:
        _known(place, table, ("pitch_deg", "at_s", "within_deg"), "an expected pitch")
        return Pitch(*(_number(place, table, key) for key in ("pitch_deg", "at_s", "within_deg")))
    if "field" in table:
        _known(place, table, ("field", "is", "least", "most"), "an expected field")
        known = [*DERIVED, *(spec[0] for spec in records.SESSION_FIELDS)]
        name = _text(place, table, "field")
        if name not in known:
            raise place.error(f"the session record has no field {name!r}: docs/records.md", "field")
        return Field(name, *_within(place, table, "field"))
    if "metric" in table:
        _known(place, table, ("metric", "is", "least", "most"), "an expected metric")
        metric = _text(place, table, "metric", scoring.METRICS)
        assert metric is not None
        return Metric(metric, *_within(place, table, "metric"))
    raise place.error("an expectation begins with event, field, metric, pitch_deg or recovered_within_s", "expect")


def _within(place: _Place, table: Mapping[str, Any], key: str) -> tuple[float, float]:
    """`is = 3`, or `least = 1, most = 3`, or one of these."""
    if "is" in table:
        exact = _number(place, table, "is")
        return exact, exact
    if "least" not in table and "most" not in table:
        raise place.error(f"a {key} needs is, least or most", key)
    least, most = _number(place, table, "least", -math.inf), _number(place, table, "most", math.inf)
    if least > most:
        raise place.error("least lies above most", "least")
    return least, most
