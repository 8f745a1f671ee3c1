"""``walktall export``: sessions, traces and events as CSV, JSON Lines, Parquet; a walk as a FIT activity.

Column names, units and meanings are those of ``columns`` and stay. A file appears whole or not at all, and none is
overwritten unless asked for.
"""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from . import columns, dates, fitfile
from .errors import BadInput
from .options import Device, Quiet, StorePath, note
from .selection import chosen, reading
from .store import Session, Store
from .terminal import abandon_stdout, count, counting, safe, typed
from .whole import refuse_to_overwrite, whole_file

if TYPE_CHECKING:
    from .trace import Row

#: What ``--out -`` stands for.
STDOUT = Path("-")


class What(StrEnum):
    """What is exported."""

    sessions = "sessions"
    traces = "traces"
    events = "events"
    fit = "fit"


class Format(StrEnum):
    """How tables are written."""

    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"


_SUFFIXES = {".csv": Format.csv, ".jsonl": Format.jsonl, ".ndjson": Format.jsonl, ".parquet": Format.parquet}


# --- the formats ----------------------------------------------------------------------------------------------------

Rows = Iterable[dict[str, columns.Value]]


class _Encoded:
    """Text into a file of bytes. Not a TextIOWrapper: that would close standard output when a reader goes away."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode())


def write_csv(file: IO[bytes], table: Sequence[columns.Column], rows: Rows) -> int:
    """UTF-8, a line of names first, lines end with a line feed; how many rows."""
    writer = csv.writer(_Encoded(file), lineterminator="\n")
    names = [column.name for column in table]
    writer.writerow(names)
    n = 0
    for row in rows:
        writer.writerow([row[name] for name in names])
        n += 1
    return n


def write_jsonl(file: IO[bytes], table: Sequence[columns.Column], rows: Rows) -> int:
    """An object a line; how many."""
    names = [column.name for column in table]
    n = 0
    for row in rows:
        file.write(json.dumps({name: row[name] for name in names}).encode() + b"\n")
        n += 1
    return n


def write_parquet(file: IO[bytes], table: Sequence[columns.Column], rows: Rows) -> int:
    """By Polars, with the columns' types; how many rows.

    :raises BadInput: Polars is not there
    """
    try:
        import polars
    except ImportError:
        raise BadInput(
            "Parquet needs an extra: pipx inject walktall polars (or pip install 'walktall[parquet]')"
        ) from None
    kinds: dict[str, Any] = {
        columns.INTEGER: polars.Int64,
        columns.NUMBER: polars.Float64,
        columns.TEXT: polars.String,
    }
    schema = {column.name: kinds[column.kind] for column in table}
    frames = []
    held: list[dict[str, columns.Value]] = []
    for row in rows:
        held.append(row)
        if len(held) == _PARQUET_ROWS:
            frames.append(polars.DataFrame(held, schema=schema, orient="row"))
            held = []
    frames.append(polars.DataFrame(held, schema=schema, orient="row"))
    frame = polars.concat(frames)
    frame.write_parquet(file)
    return int(frame.height)


_PARQUET_ROWS = 50_000
Writer = Callable[[IO[bytes], Sequence[columns.Column], Rows], int]
_WRITERS: dict[Format, Writer] = {
    Format.csv: write_csv,
    Format.jsonl: write_jsonl,
    Format.parquet: write_parquet,
}


# --- what is in them ------------------------------------------------------------------------------------------------


def rows_of(store: Store, session: Session) -> Sequence["Row"]:
    """The trace of a session, empty where none was kept."""
    from .trace import session_rows

    return session_rows(store, session)


def _table(store: Store, what: What, sessions: Sequence[Session], step: Callable[[], None]) -> Rows:
    if what is What.sessions:
        yield from map(columns.session_row, sessions)
        return
    rows = columns.trace_rows if what is What.traces else columns.event_rows
    for session in sessions:
        yield from rows(session, rows_of(store, session))
        step()


def _format_of(format_: Format | None, out: Path | None) -> Format:
    """What ``--format`` or the file's ending says; CSV where nothing does.

    :raises BadInput: the ending is none that is known
    """
    if format_ is not None:
        return format_
    if out is None or out == STDOUT:
        return Format.csv
    found = _SUFFIXES.get(out.suffix.lower())
    if found is None:
        raise BadInput(
            f"{safe(out.name)}: which format? End it in {', '.join(_SUFFIXES)}, or say --format csv, jsonl or parquet"
        )
    return found


def fit_name(session: Session) -> str:
    """``walk-2026-03-01-1000-12.fit``."""
    start = dates.begin_of(session).local()
    return f"walk-{start:%Y-%m-%d-%H%M}-{session.number}.fit" if start else f"walk-undated-{session.number}.fit"


def _write_fit(store: Store, sessions: Sequence[Session], out: Path | None, force: bool, quiet: bool) -> None:
    """One file for each walk, in a folder; a single walk also under a name of its own.

    :raises BadInput: see ``fitfile.encode``
    """
    told = fitfile.missing()
    if told:
        raise BadInput(told)
    if out is None or out == STDOUT:
        raise BadInput("FIT is for files: --out walk.fit for one walk, --out FOLDER for several")
    if out.suffix.lower() == ".fit":
        if len(sessions) != 1:
            raise BadInput(
                f"{safe(out.name)} is one file, and {len(sessions)} walks are meant: --out FOLDER, or --session"
            )
        targets = [(out, sessions[0])]
    else:
        dated = [session for session in sessions if dates.begin_of(session).utc_s]
        if len(dated) < len(sessions):
            note(f"note: {count(len(sessions) - len(dated), 'session')} left out: undated, and FIT needs a date")
        targets = [(out / fit_name(session), session) for session in dated]
        for path, _ in targets:
            refuse_to_overwrite(path, force)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise BadInput(f"{safe(str(out))} cannot be made: {fault.strerror or fault}") from fault
    with counting("writing", len(targets), not quiet) as step:
        for path, session in targets:
            data = fitfile.encode(session, rows_of(store, session))
            with whole_file(path, force) as file:
                file.write(data)
            step()
    if not quiet:
        note(f"{count(len(targets), 'walk')} written to {safe(str(out))}")


def _write_case(store: Path | None, device: str | None, name: str, out: Path | None, force: bool, quiet: bool) -> None:
    from .buzzes import named
    from .cases import write_case

    folder = Path() if out is None else out
    if out == STDOUT:
        raise BadInput("a test case is two files: --out FOLDER")
    with reading(store) as opened:
        buzz = named(opened, chosen(opened, device, None, None), name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise BadInput(f"{safe(str(folder))} cannot be made: {fault.strerror or fault}") from fault
        suite, blocks = write_case(opened, buzz, folder, force)
    if not quiet:
        note(f"{safe(blocks.name)} and {safe(suite.name)} written to {safe(str(folder))}")
        note(f"judge it: walktall-sim check {typed(suite)}")


# --- the command ----------------------------------------------------------------------------------------------------


def command(
    what: Annotated[What | None, typer.Argument(metavar="WHAT", help="sessions, traces, events or fit.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to; standard output if left out.")
    ] = None,
    format_: Annotated[
        Format | None, typer.Option("--format", help="If the file's ending does not say it: csv, jsonl or parquet.")
    ] = None,
    session: Annotated[
        int | None, typer.Option("--session", metavar="NO", help="This session alone, by its number.")
    ] = None,
    last: Annotated[int | None, typer.Option("--last", metavar="N", min=1, help="Only the last N sessions.")] = None,
    case: Annotated[
        str | None,
        typer.Option("--case", metavar="EVENT", help="A wrong buzz (12.3) as a test case of walktall-sim check."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there already.")] = False,
    device: Device = None,
    store: StorePath = None,
    quiet: Quiet = False,
) -> None:
    """Take your walks out, for other programs: tables as CSV, JSON Lines or Parquet, a walk as a FIT activity.

    sessions: a row a walk. traces: a row a second. events: a row for each buzz, answer, press. fit: an activity a walk
    (walking, cadence, posture; no place), for other walking diaries.

    Example: walktall export sessions --out walks.csv
    """
    if case is not None:
        if what is not None or format_ is not None or session is not None or last is not None:
            raise BadInput("--case goes with --out FOLDER and --force alone")
        _write_case(store, device, case, out, force, quiet)
        return
    if what is None:
        raise BadInput("what? sessions, traces, events or fit, for example: walktall export sessions --out walks.csv")
    with reading(store) as opened:
        found = chosen(opened, device, session, last)
        if what is What.fit:
            _write_fit(opened, found, out, force, quiet)
            return
        if out is not None and out != STDOUT:
            refuse_to_overwrite(out, force)
        kind = _format_of(format_, out)
        table = columns.TABLES[what.value]
        if out is None or out == STDOUT:
            if kind is Format.parquet:
                raise BadInput("Parquet is for files: --out FILE.parquet")
            try:
                _WRITERS[kind](sys.stdout.buffer, table, _table(opened, what, found, lambda: None))
                sys.stdout.flush()
            except BrokenPipeError:
                abandon_stdout()
            return
        bar = counting("reading", len(found), not quiet and what is not What.sessions)
        with whole_file(out, force) as file, bar as step:
            n = _WRITERS[kind](file, table, _table(opened, what, found, step))
    if not quiet:
        note(f"{count(n, 'row')} of {len(table)} columns written to {safe(str(out))}")
