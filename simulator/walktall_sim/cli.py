"""The command ``walktall-sim``: play recorded or made-up walks to the device's own code, without a device.

Exit status: 0 fine, 1 a check failed, 2 wrong use or bad input, 3 no sensor, 130 cancelled; what went wrong is one line
on standard error. Commands are thin: they read options, and the modules named after them do the work. NumPy, Polars and
Adafruit's driver are only needed by those (the extra ``walktall[sim]``), so they are imported inside the commands, and
help, version and completion work without them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from walktall_sim.printable import harden_streams, printable

if TYPE_CHECKING:
    from rich.console import Console

    from walktall_sim.replay import Line, Options

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_DEVICE = 3
EXIT_CANCELLED = 130

app = typer.Typer(
    name="walktall-sim",
    help="Play recorded or synthetic walks to the posture clip's own code, without a clip.",
    epilog="A first try: walktall-sim generate --minutes 10 --seed 1 --out walk.csv && walktall-sim replay walk.csv",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class ReaderGoneError(Exception):
    """Whoever read standard output has had enough, as `head` has."""


class UsageError(Exception):
    """Wrong use or bad input; the text is one line."""


def _version(wanted: bool) -> None:
    if wanted:
        from walktall import __version__

        print(f"walktall-sim {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    pass


@contextlib.contextmanager
def _input_errors() -> Iterator[None]:
    """What the work modules say of wrong input, as this command's one line."""
    from walktall_sim.formats import ColumnsError
    from walktall_sim.generate import PlanError
    from walktall_sim.mounting import MountingError
    from walktall_sim.recordings import RecordingError
    from walktall_sim.replay import ReplayError
    from walktall_sim.turn import TurnError

    try:
        yield
    except (ColumnsError, PlanError, MountingError, RecordingError, ReplayError, TurnError) as error:
        raise UsageError(str(error)) from None
    except BrokenPipeError:
        # Typer would make it a failed check (1).
        raise ReaderGoneError from None


def _abandon_stdout() -> None:
    """Nobody reads any more: Python would complain again while it closes the pipe, so give it another."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str) -> None:
    """A line on standard output, as far as somebody reads it: a check goes on to its files and its status."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _abandon_stdout()


def _note(text: str) -> None:
    """One line on standard error."""
    print(f"walktall-sim: {printable(text)}", file=sys.stderr)


# --- replay -------------------------------------------------------------------------------------------------------

_RECORDING = Annotated[
    Path,
    typer.Argument(metavar="RECORDING", help="A .csv, .csv.gz or .parquet recording, or another form that is known."),
]
_COLUMNS = Annotated[
    str | None,
    typer.Option("--columns", metavar="KEY=NAME,...", help="Which column is what: time=t,ax=accX,...,unit=g,rate=dps."),
]
_TRIAL = Annotated[str | None, typer.Option("--trial", metavar="T", help="Only this trial: its name, else its number.")]
_UP = Annotated[str | None, typer.Option("--up", metavar="AXIS", help="The sensor axis that points up, such as -x.")]
_FORWARD = Annotated[
    str | None, typer.Option("--forward", metavar="AXIS", help="The sensor axis that points forward, such as +z.")
]
_UPRIGHT = Annotated[
    str | None,
    typer.Option("--upright", metavar="A:B", help="Seconds of standing that define upright; else the first 2 s."),
]
_SET = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the device; may come again.")
]
_TURN = Annotated[
    list[str] | None,
    typer.Option(
        "--turn",
        metavar="DEG@START+SECONDS/RAMP",
        help="Turn the sensor forward by DEG from START for SECONDS, over RAMP seconds; several add up.",
    ),
]
_ANSWER = Annotated[
    float | None, typer.Option("--answer", metavar="S", help="The wearer ends the turn S seconds after the first buzz.")
]
_CHIP = Annotated[str, typer.Option("--chip", metavar="CHIP", help="lsm6ds3trc or lsm6dsox (full path).")]


def _options(
    trial: str | None,
    up: str | None,
    forward: str | None,
    upright: str | None,
    settings: Sequence[str] | None,
    turns: Sequence[str] | None,
    answer: float | None,
    full: bool = True,
    chip: str = "lsm6ds3trc",
    all_events: bool = False,
    columns: str | None = None,
) -> Options:
    from walktall_sim import mounting, replay
    from walktall_sim.formats import parse_columns
    from walktall_sim.turn import parse_turn

    for axis in (up, forward):
        if axis is not None:
            mounting.parse_axis(axis)
    if answer is not None and not 0.0 <= answer < float("inf"):
        raise UsageError(f"--answer {answer:g}: must be 0 or more seconds")
    if answer is not None and not turns:
        _note("--answer: there is no --turn that it could end")
    if chip not in replay.CHIPS:
        raise UsageError(f"--chip {chip!r}: one of {', '.join(replay.CHIPS)}")
    return replay.Options(
        trial=trial,
        up=up,
        forward=forward,
        upright=None if upright is None else replay.parse_window(upright),
        settings=[replay.parse_setting(text) for text in settings or ()],
        turns=[parse_turn(text) for text in turns or ()],
        answer_s=answer,
        full=full,
        chip=chip,
        all_events=all_events,
        columns=None if columns is None else parse_columns(columns),
    )


@app.command(epilog="Example: walktall-sim replay walk.csv --turn 20@90+40/2 --answer 0.5")
def replay(
    recording: _RECORDING,
    trial: _TRIAL = None,
    up: _UP = None,
    forward: _FORWARD = None,
    upright: _UPRIGHT = None,
    columns: _COLUMNS = None,
    set_: _SET = None,
    turn: _TURN = None,
    answer: _ANSWER = None,
    full: Annotated[
        bool,
        typer.Option("--full/--fast", help="Through registers, driver and poll, or straight to the detector."),
    ] = True,
    chip: _CHIP = "lsm6ds3trc",
    all_events: Annotated[bool, typer.Option("--all-events", help="Also the events that are not for scripts.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Also draw it: pitch, limits, buzzes, steps (.svg or .png)."),
    ] = None,
) -> None:
    """Play a recording to the device's code; print its events and the session record that it would leave.

    A recording whose time starts again is several trials: each meets a fresh device.
    """
    with _input_errors():
        options = _options(trial, up, forward, upright, set_, turn, answer, full, chip, all_events, columns)
        show = _show_json if json else _Person().show
        with _busy(f"playing {recording.name}"):
            for line in _lines(recording, options, plot):
                show(line)


def _lines(recording: Path, options: Options, plot: Path | None) -> Iterator[Line]:
    """The lines of a replay, drawn as well where that is wanted."""
    from walktall_sim import replay as work

    if plot is None:
        return work.replay(recording, options, _note)
    from walktall_sim import plot as pictures

    pictures.kind_of(plot)
    return pictures.play(recording, options, _note, plot)


@contextlib.contextmanager
def _busy(what: str) -> Iterator[None]:
    """A sign of life on standard error where that is a terminal and the output goes elsewhere."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def _show_json(line: Line) -> None:
    print(_dumps(line), flush=True)


def _dumps(line: Line) -> str:
    from walktall_sim.replay import dumps

    return dumps(line)


_COLOUR = {"buzz": "bold red", "fault_begin": "yellow", "recovered": "green", "gap": "magenta", "slip": "magenta"}


class _Person:
    """Events for a person to read: coloured on a terminal, plain elsewhere."""

    def __init__(self) -> None:
        self._console: Console | None = None
        # A day has thousands of lines, and Rich takes as long for them as the detector for the day.
        if sys.stdout.isatty() or os.environ.get("FORCE_COLOR"):
            from rich.console import Console

            self._console = Console(highlight=False, soft_wrap=True)
        self._trial: str | None = None

    def _print(self, text: str, style: str = "", begin: int = 0, end: int | None = None) -> None:
        """A line, styled between two of its columns."""
        if self._console is None:
            print(text.rstrip(), flush=True)
            return
        from rich.text import Text

        styled = Text(text.rstrip())
        styled.stylize(style, begin, end)
        self._console.print(styled)

    def show(self, line: Line) -> None:
        """Print one line of a replay."""
        trial = line.get("trial")
        if trial != self._trial:
            self._trial = trial
            self._print(f"trial {printable(trial)}", "bold")
        if line["event"] == "summary":
            for part in _summary(line):
                self._print(part)
            return
        name = str(line["event"])
        if name == "walking":
            name = "walking" if line["walking"] else "stopped"
        words = [str(line[key]) for key in ("fault", "label") if line.get(key)]
        if "duration_s" in line:
            words.append(f"{line['duration_s']:g} s without data")
        if "after_s" in line:
            words.append(f"{line['after_s']:g} s after the buzz")
        time = f"{line['t_s']:9.2f} s  "
        self._print(f"{time}{name:<12}{' '.join(words)}", _COLOUR.get(name, ""), len(time), len(time) + len(name))


def _clock(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def _summary(line: Line) -> list[str]:
    """The session record in a few lines for a person."""
    judged = {name: line[f"{name}_s"] for name in ("good", "forward", "back", "side")}
    left = ("still", "bend", "jog", "buzzing", "charging", "gap", "unsure", "snoozed", "off_body")
    out = {name.replace("_", " "): line[f"{name}_s"] for name in left}
    total = sum(judged.values())
    share = f" ({100 * judged['good'] / total:.0f} % upright)" if total else ""
    events = {
        "lean": line["lean_events"],
        "slouch": line["slouch_events"],
        "unsure": line["unsure_events"],
        "back": line["back_events"],
        "side": line["side_events"],
    }

    def listed(parts: dict[str, int], shown: Any = _clock) -> str:
        return ", ".join(f"{name} {shown(value)}" for name, value in parts.items() if value) or "none"

    return [
        f"worn {_clock(line['wear_s'])}, walked {_clock(line['walking_s'])}, {line['steps']} steps, "
        f"cadence {line['cadence_mean_spm']} a minute",
        f"judged {_clock(total)}{share}: {listed(judged)}",
        f"left out {_clock(sum(out.values()))}: {listed(out)}",
        f"faults: {listed(events, str)}; buzzes {line['buzzes']}, answered {line['answered']}",
    ]


# --- generate -----------------------------------------------------------------------------------------------------


_PARTS_SHOWN = 24


@app.command(
    epilog="The clip sits with +y up and +z forward, a little crooked as clips are. Examples: "
    "walktall-sim generate --minutes 10 --seed 1 --out walk.csv; "
    "walktall-sim generate --plan 'stand:10,walk:120,lean 20:40,walk:60' --out lean.csv.gz"
)
def generate(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A .csv, .csv.gz or .parquet file to write.")],
    minutes: Annotated[
        float | None, typer.Option("--minutes", metavar="M", help="How long; 10 unless a plan says otherwise.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The person, the way and the noise.")] = 1,
    plan: Annotated[
        str | None,
        typer.Option(
            "--plan",
            metavar="PLAN",
            help="What happens: KIND[ DEGREES]:SECONDS,... with KIND among stand, sit, walk, stairs, jog, lean, "
            "slouch, arch, side, bend; for walk, stairs and jog the number is the steps a minute.",
        ),
    ] = None,
) -> None:
    """Make a synthetic walk at 104 Hz, with truth columns: state, pitch_deg, roll_deg, cadence_spm, steps."""
    with _input_errors():
        from walktall_sim import generate as work

        if plan is not None and minutes is not None:
            raise UsageError("--plan says how long the walk is; leave --minutes out")
        if not 0 <= seed < 2**63:
            raise UsageError(f"--seed {seed}: must lie within 0 and {2**63 - 1}")
        if plan is not None:
            script = work.parse_plan(plan)
        else:
            script = work.default_plan(10.0 if minutes is None else minutes, seed)
        walk = work.Walk(script, seed)
        with _progress("writing", walk.n_rows) as tell:
            rows = work.write(walk, out, tell)
        print(f"{printable(out)}: {_clock(round(rows / work.RATE_HZ))}, {rows} rows, up +y, forward +z")
        shown = [str(segment) for segment in script[:_PARTS_SHOWN]]
        more = f", and {len(script) - len(shown)} more parts" if len(script) > len(shown) else ""
        print("plan: " + ", ".join(shown) + more, flush=True)


@contextlib.contextmanager
def _progress(what: str, total: int) -> Iterator[Any]:
    """A bar on standard error where that is a terminal; yields the function that is told how far it is."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


# --- check --------------------------------------------------------------------------------------------------------


@app.command(
    epilog="Suites that ship: made (made-up walks), people (the project's recordings, where they stand). "
    "Example: walktall-sim check made --save before.jsonl; then, after a change: "
    "walktall-sim check made --against before.jsonl"
)
def check(
    suite: Annotated[
        list[str], typer.Argument(metavar="SUITE...", help="A .toml suite, a folder of them, or one that ships.")
    ],
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Also write JUnit XML.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line: each case, then the totals.")] = False,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FILE", help="Keep all events, to compare with later.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="FILE", help="Say what changed since a file of --save.")
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option("--markdown", metavar="FILE", help="Also write what failed and what changed, for a pull request."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write one page with a picture of each case.")
    ] = None,
    case: Annotated[
        list[str] | None, typer.Option("--case", metavar="TEXT", help="Only cases with this in their name.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", metavar="N", help="Processes; as many as processors unless given.")
    ] = None,
) -> None:
    """Play suites of walks and judge what the clip makes of them; 1 when an expectation does not hold."""
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs {jobs}: must be 1 or more")
    for out in (junit, save, markdown, html):
        if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
            raise UsageError(f"{out}: cannot be written there")
    with _input_errors():
        from walktall_sim import checking, compare, suites
        from walktall_sim.replay import dumps
        from walktall_sim.whole import write_whole

        if html is not None:
            # What is not installed is said before anything is played.
            from walktall_sim import page, plot  # noqa: F401

        try:
            files = list(dict.fromkeys(file for one in suite for file in suites.find(one)))
            cases = [case for file in files for case in suites.read(file)]
            before = compare.load(against) if against is not None else None
        except (suites.SuiteError, compare.CompareError) as error:
            raise UsageError(str(error)) from None
        stems = [printable(file.stem) for file in files]
        if len(set(stems)) < len(stems):
            raise UsageError(f"two suites are called {next(one for one in stems if stems.count(one) > 1)!r}")
        if case:
            cases = [one for one in cases if any(text in one.name for text in case)]
            if not cases:
                raise UsageError(f"--case {case[0]!r}: no case has this in its name")
        table = _CheckTable()
        with _progress("checking", len(cases)) as tell:
            count = 0

            def done(result: Any) -> None:
                nonlocal count
                count += 1
                if tell is not None:
                    tell(count)
                for note in result.notes:
                    _note(f"{result.where}: {note}")
                if json:
                    _say(dumps(checking.as_json(result)))

            results = checking.run(cases, jobs or os.cpu_count() or 1, done, drawn=html is not None)
        changes = compare.compare(before, results) if before is not None else None
        if json:
            if changes is not None:
                for change in changes:
                    line = {"event": "change", "case": change.case, "kind": change.kind, "text": change.text}
                    _say(dumps(line))
            _say(dumps(checking.totals(results)))
        else:
            table.show(results)
            if changes is not None:
                _say(compare.as_text(changes))
        # Last, and each whole: who cancels finds no half of a file.
        wanted: dict[Path | None, bytes] = {
            junit: checking.junit(results),
            save: checking.saved(results),
            markdown: compare.as_markdown(changes, results).encode(),
        }
        if html is not None:
            wanted[html] = page.render(results, changes, against.name if against is not None else "")
        for path, data in wanted.items():
            if path is not None:
                try:
                    write_whole(path, data)
                except OSError as error:
                    raise UsageError(f"{path}: cannot be written ({error.strerror})") from None
    if any(one.status == checking.FAILED for one in results):
        raise typer.Exit(EXIT_FAILED)


class _CheckTable:
    """Results for a person: one line a case, what did not hold below it."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(highlight=False, soft_wrap=True)

    def show(self, results: Sequence[Any]) -> None:
        """Print the table and the totals, as far as somebody reads them."""
        try:
            self._show(results)
        except (BrokenPipeError, SystemExit):
            _abandon_stdout()

    def _show(self, results: Sequence[Any]) -> None:
        from rich.text import Text

        from walktall_sim import checking

        style = {checking.PASSED: "green", checking.FAILED: "bold red", checking.SKIPPED: "yellow"}
        suite = None
        for one in results:
            if one.suite != suite:
                suite = one.suite
                self._console.print(Text(printable(suite), style="bold"))
            text = Text("  ")
            text.append(f"{one.status:<8}", style=style[one.status])
            text.append(one.name)
            if one.why:
                text.append(f": {printable(one.why)}")
            self._console.print(text)
            for held in one.checks:
                if not held.held and held.found:
                    self._console.print(Text(f"            expected {held.expected}; found {held.found}"))
            if one.status == checking.FAILED:
                self._console.print(Text(f"            {printable(one.where)}", style="dim"))
        totals = checking.totals(results)
        spent = sum(one.seconds for one in results)
        words = [f"{totals[status]} {status}" for status in style if totals[status]]
        self._console.print(
            f"{totals['cases']} case{'s'[: totals['cases'] != 1]}: {', '.join(words)} ({spent:.1f} s of work)"
        )


# --- sweep --------------------------------------------------------------------------------------------------------


@app.command(
    epilog="Example: walktall-sim sweep made people --vary hold_s=5,10,15 --vary on_deg=10,12,15 --out sweep.parquet"
)
def sweep(
    suite: Annotated[
        list[str], typer.Argument(metavar="SUITE...", help="A .toml suite, a folder of them, or one that ships.")
    ],
    vary: Annotated[
        list[str], typer.Option("--vary", metavar="NAME=V,V,...", help="A setting and its values; may come again.")
    ],
    jobs: Annotated[
        int | None, typer.Option("--jobs", metavar="N", help="Processes; as many as processors unless given.")
    ] = None,
    dask: Annotated[
        str | None, typer.Option("--dask", metavar="ADDRESS", help="The scheduler of a Dask cluster to work on.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write a row for each combination (.csv or .parquet).")
    ] = None,
    units: Annotated[
        Path | None,
        typer.Option("--units", metavar="FILE", help="Also write a row for each case with each combination."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also draw it: leans found, latency, false alarms.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, one for each combination.")] = False,
    case: Annotated[
        list[str] | None, typer.Option("--case", metavar="TEXT", help="Only cases with this in their name.")
    ] = None,
) -> None:
    """Try settings on many walks: how often a lean is found, how soon, and false alarms an hour, for each combination.

    Cancelled, it keeps what is done beside --out, and the same command goes on from there.
    """
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs {jobs}: must be 1 or more")
    if jobs is not None and dask is not None:
        raise UsageError("--jobs and --dask exclude each other: the cluster has its own workers")
    with _input_errors():
        from walktall_sim import suites
        from walktall_sim import sweep as work

        try:
            for option, path in (("--out", out), ("--units", units)):
                if path is not None:
                    work.kind_of(path, option)
            if plot is not None:
                from walktall_sim import pareto
                from walktall_sim import plot as pictures

                kind = pictures.kind_of(plot)
            varied = [work.parse_vary(text) for text in vary]
            combos = work.combinations(varied, _note)
            files = list(dict.fromkeys(file for one in suite for file in suites.find(one)))
            cases = [one for file in files for one in suites.read(file)]
        except (suites.SuiteError, work.SweepError) as error:
            raise UsageError(str(error)) from None
        if case:
            cases = [one for one in cases if any(text in one.name for text in case)]
            if not cases:
                raise UsageError(f"--case {case[0]!r}: no case has this in its name")
        away = [one for one in cases if one.walk is None]
        cases = [one for one in cases if one.walk is not None]
        if away:
            _note(f"{len(away)} cases left out: {away[0].missing}")
        traces = [one for one in cases if isinstance(one.walk, suites.Traced)]
        cases = [one for one in cases if not isinstance(one.walk, suites.Traced)]
        if traces:
            _note(f"{len(traces)} cases left out: a trace does not say what was worth a buzz")
        if not cases:
            raise UsageError("no case is left to be played")
        done = _sweep(work, cases, combos, out, jobs or os.cpu_count() or 1, dask)
        if units is not None:
            try:
                work.write(work.unit_rows(done), units)
            except work.SweepError as error:
                raise UsageError(str(error)) from None
        rows = work.table(done)
        if json:
            for row in rows:
                _show_json(row)
        else:
            _show_sweep(rows)
        if plot is not None:
            from walktall_sim.whole import write_whole

            names = [one.name for one in varied]
            title = f"{len(combos)} settings on {len(cases)} walks, {rows[0]['hours']:.2f} h each"
            try:
                write_whole(plot, pareto.picture(rows, names, title, kind))
            except OSError as error:
                raise UsageError(f"--plot {plot}: cannot be written ({error.strerror})") from None


def _sweep(work: Any, cases: Any, combos: Any, out: Path | None, jobs: int, dask: str | None) -> Any:
    """All units played and what is wanted of them written; what is done is kept when it is cut short."""
    counts = [0, 0]
    journal = None
    try:
        journal = work.Journal(work.journal_of(out) if out is not None else None)
        with (
            _progress("sweeping", len(cases) * len(combos)) as tell,
            work.cluster(dask) if dask is not None else work.processes(jobs) as executor,
        ):

            def told(n: int, total: int) -> None:
                if n and not counts[1]:
                    _note(f"{n} of {total} units are there from before")
                counts[:] = n, total
                if tell is not None:
                    tell(n)

            done = work.run(cases, combos, journal, executor, 16 if dask is not None else jobs, told)
        if out is not None:
            work.write(work.table(done), out)
            journal.remove()
        return done
    except work.SweepError as error:
        raise UsageError(str(error)) from None
    except KeyboardInterrupt:
        if journal is not None and journal.path is not None:
            kept = f"{counts[0]} of {counts[1]} units are kept in {journal.path}"
            _note(f"cancelled; {kept}; the same command goes on from there")
        raise
    finally:
        if journal is not None:
            journal.close()


_SWEEP_HEADS = {
    "sensitivity": "sensitivity",
    "precision": "precision",
    "latency_median_s": "latency s",
    "latency_p95_s": "p95 s",
    "false_alarms_per_h": "false/h",
    "pareto": "best",
}


def _show_sweep(rows: Sequence[dict[str, Any]]) -> None:
    """A row for each combination, for a person; those that no other beats are marked."""
    from rich.console import Console
    from rich.table import Table

    names = list(rows[0])[: list(rows[0]).index("cases")]
    table = Table(box=None, pad_edge=False)
    for name in [*names, *_SWEEP_HEADS]:
        table.add_column(_SWEEP_HEADS.get(name, name), justify="right")
    for row in rows:
        cells = [str(row[name]) for name in names]
        for name in _SWEEP_HEADS:
            value = row[name]
            if name == "pareto":
                cells.append("*" if value else "")
            elif value is None:
                cells.append("-")
            elif name in ("sensitivity", "precision"):
                cells.append(f"{100.0 * value:.1f} %")
            else:
                cells.append(f"{value:.2f}")
        table.add_row(*cells)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(table)
    one = rows[0]
    print(f"{one['cases']} walks, {one['hours']:.2f} h, {one['episodes']} leans worth a buzz, for each combination")


# --- info ---------------------------------------------------------------------------------------------------------


@app.command(epilog="Example: walktall-sim info walk.csv --plot walk.svg")
def info(
    recording: Annotated[
        Path | None, typer.Argument(metavar="[RECORDING]", help="A recording; none: this installation.")
    ] = None,
    columns: _COLUMNS = None,
    trial: _TRIAL = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also draw both sensors and the gaps (.svg or .png).")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, one for each trial.")] = False,
) -> None:
    """Say what is in a recording: rate, gaps, length, saturation, gravity, and how the sensor seems to sit.

    Without one, say which version this is, and whether the fast path runs Python or the compiled twin.
    """
    if recording is None:
        from walktall import __version__

        from walktall_sim import engine

        if columns or trial or plot:
            raise UsageError("these options are about a recording; name one")
        line = {"version": __version__, "fast_path": engine.select().name, "why": engine.describe()}
        print(_dumps(line) if json else f"walktall-sim {__version__}; {line['why']}", flush=True)
        return
    with _input_errors():
        from walktall_sim import describe
        from walktall_sim.formats import parse_columns
        from walktall_sim.replay import dumps

        known = None if columns is None else parse_columns(columns)
        kind = ""
        if plot is not None:
            from walktall_sim import plot as pictures

            kind = pictures.kind_of(plot)
        found = 0
        for line in describe.trials(recording, known):
            if trial is not None and trial not in (line["trial"], str(line.get("index"))):
                continue
            found += 1
            print(dumps(line) if json else describe.text(line), flush=True)
        if trial is not None and not found:
            raise UsageError(f"{recording}: no trial {trial!r}")
        if plot is not None:
            from walktall_sim import rowsplot
            from walktall_sim.whole import write_whole

            try:
                write_whole(plot, rowsplot.draw(recording, trial, known, kind))
            except OSError as error:
                raise UsageError(f"--plot {plot}: cannot be written ({error.strerror})") from None


# --- record -------------------------------------------------------------------------------------------------------


@app.command(epilog="Example: walktall-sim record --seconds 600 --out walk.csv.gz")
def record(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A .csv, .csv.gz or .parquet file to write.")],
    seconds: Annotated[
        float | None, typer.Option("--seconds", metavar="S", help="How long; until Ctrl-C unless given.")
    ] = None,
    bridge: Annotated[
        str, typer.Option("--bridge", metavar="NAME", help="auto (the board's own pins), mcp2221 or ft232h.")
    ] = "auto",
    address: Annotated[str, typer.Option("--address", metavar="HEX", help="0x6a, or 0x6b where SDO is high.")] = "0x6a",
) -> None:
    """Record a real LSM6DS breakout on a Raspberry Pi or a PC, with the firmware's own driver, for replay.

    Cancelled (Ctrl-C), it writes what was measured until then.
    """
    if seconds is not None and not 0.0 < seconds < 1e7:
        raise UsageError(f"--seconds {seconds:g}: must be more than 0")
    with _input_errors():
        from walktall_sim import record as work

        if bridge not in work.BRIDGES:
            raise UsageError(f"--bridge {bridge!r}: one of {', '.join(work.BRIDGES)}")
        if address not in ("0x6a", "0x6b"):
            raise UsageError(f"--address {address!r}: 0x6a or 0x6b")
        try:
            work.kind_of(out)
            recorder = work.Recorder(work.sensor(bridge, int(address, 16)))
            recorder.start()
            cancelled = _record(recorder, seconds)
            rows = recorder.rows()
            if len(rows):
                work.write(rows, out)
        except work.NoSensorError as error:
            _note(str(error))
            raise typer.Exit(EXIT_NO_DEVICE) from None
        except work.RecordError as error:
            raise UsageError(str(error)) from None
        if not len(rows):
            _note("nothing was measured; no file is written")
        else:
            told = f"{printable(out)}: {_clock(round(rows[-1, 0]))}, {len(rows)} rows, {recorder.rate_hz():.2f} Hz"
            print(told + (f", {recorder.gaps} gaps" if recorder.gaps else ", no gaps"), flush=True)
        if recorder.lost_contact:
            _note(f"{recorder.lost_contact}; what was measured until then is kept")
            raise typer.Exit(EXIT_NO_DEVICE)
        if cancelled:
            _note("cancelled; what was measured until then is kept" if len(rows) else "cancelled")
            raise typer.Exit(EXIT_CANCELLED)


def _record(recorder: Any, seconds: float | None) -> bool:
    """Record, with a line on the terminal that says how it goes; whether it was cancelled."""
    from rich.console import Console

    console = Console(stderr=True)
    status: Any = console.status("recording") if console.is_terminal else contextlib.nullcontext()

    def tell(state: Any) -> None:
        if console.is_terminal:
            force = ", ".join(f"{value:+.2f}" for value in state.force_g)
            left = "" if seconds is None else f" of {_clock(round(seconds))}"
            status.update(
                f"{_clock(round(state.seconds))}{left}, {state.samples} rows, {state.gaps} gaps, force {force} g"
            )

    try:
        with status:
            recorder.run(seconds, tell)
    except KeyboardInterrupt:
        return True
    finally:
        recorder.stop()
    return False


# --- serve --------------------------------------------------------------------------------------------------------


@app.command(
    epilog="Example: walktall-sim serve walk.csv --speed max --link clip & "
    "and, when it has printed 'clip': walktall download --port ./clip"
)
def serve(
    recording: _RECORDING,
    speed: Annotated[
        str, typer.Option("--speed", metavar="1|max", help="Real time, or the walk first and then the port.")
    ] = "1",
    link: Annotated[
        Path | None, typer.Option("--link", metavar="PATH", help="Also make this a link to the serial port.")
    ] = None,
    tcp: Annotated[
        int | None, typer.Option("--tcp", metavar="PORT", help="A socket on this computer instead (0: any free port).")
    ] = None,
    trial: _TRIAL = None,
    up: _UP = None,
    forward: _FORWARD = None,
    upright: _UPRIGHT = None,
    columns: _COLUMNS = None,
    set_: _SET = None,
    turn: _TURN = None,
    answer: _ANSWER = None,
    chip: _CHIP = "lsm6ds3trc",
) -> None:
    """Be the device: play a recording and answer the host's tool on a serial port, until interrupted."""
    if speed not in {"1", "max"}:
        raise UsageError(f"--speed {speed!r}: 1 or max")
    if link is not None and tcp is not None:
        raise UsageError("--link and --tcp exclude each other")
    if tcp is not None and not 0 <= tcp < 65536:
        raise UsageError(f"--tcp {tcp}: must lie within 0 and 65535")
    with _input_errors():
        from walktall_sim import serve as work

        options = _options(trial, up, forward, upright, set_, turn, answer, True, chip, columns=columns)
        try:
            show = _Person().show
            code = work.serve(recording, options, fast=speed == "max", link=link, tcp=tcp, note=_note, show=show)
        except work.ServeError as error:
            raise UsageError(str(error)) from None
    if code:
        raise typer.Exit(code)


# --- the frame around ---------------------------------------------------------------------------------------------

_MANY = {"--set": re.compile(r"[a-z][a-z0-9_]*=\S*"), "--turn": re.compile(r"[+-]?[\d.]+@\S+")}


def spread(arguments: Sequence[str]) -> list[str]:
    """``--set a=1 b=2`` as ``--set a=1 --set b=2``, and the same for ``--turn``: both notations are understood."""
    out: list[str] = []
    many: str | None = None
    values = 0
    for argument in arguments:
        if many is not None and values and _MANY[many].fullmatch(argument) and not Path(argument).exists():
            out += [many, argument]
            continue
        if many is not None and not values:
            values = 1
        else:
            many, values = (argument, 0) if argument in _MANY else (None, 0)
        out.append(argument)
    return out


#: which extra brings a package that is not there; all others come with `sim`
_EXTRAS = {"matplotlib": "plot", "dask": "dask", "distributed": "dask", "h5py": "hdf5"}


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit status. All errors end here, as one line on standard error."""
    harden_streams()
    try:
        code = app(args=spread(arguments), prog_name="walktall-sim", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except UsageError as error:
        _note(str(error))
        return EXIT_USAGE
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in {"walktall_sim", "walktall"}:
            raise
        extra = _EXTRAS.get((error.name or "").partition(".")[0], "sim")
        _note(f"{error.name} is not installed: pip install 'walktall[{extra}]'")
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_CANCELLED
    except (ReaderGoneError, BrokenPipeError, SystemExit):
        # Typer and Rich make a failed check (1) of a closed pipe.
        _abandon_stdout()
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EIO, errno.EBADF) or error.filename is not None:
            raise
        _abandon_stdout()
        _note(f"standard output: {error.strerror}")
        return EXIT_USAGE
    except Exception as error:
        # Typer brings click's exceptions under one name or another; they know their line and their status.
        shown = getattr(error, "format_message", None)
        if shown is None:
            if type(error).__name__ == "Abort":
                return EXIT_CANCELLED
            raise
        _note(" ".join(str(shown()).split()) + _hint(error))
        return int(getattr(error, "exit_code", EXIT_USAGE))


def _hint(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "walktall-sim")
    return f" ({path} --help)"


def main() -> None:
    """The console command."""
    sys.exit(run(sys.argv[1:]))
