"""Recorded walks from CSV, gzip CSV or Parquet, checked row by row and handed on in batches.

A recording has the columns ``t_s`` [s], ``ax, ay, az`` [m/s², specific force: +9.81 on the axis that points up at
rest] and ``gx, gy, gz`` [rad/s], in any order; ``label`` and ``trial`` are read where they exist, others left alone.
A recording whose time starts again, or whose ``trial`` changes, is several trials.

Everything comes through :func:`batches`, which never holds more than a few MB, so that a day of recording can be
read on a small machine; :func:`read_trials` puts the batches of each trial together.

What is wrong with a file is told in one line, with the place and what to do: :class:`RecordingError`. It is not
repaired here, and nothing is guessed: resampling and gaps are `walktall_sim.resample`'s, mounting is
`walktall_sim.mounting`'s.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import math
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from walktall_sim.printable import is_utf8

if TYPE_CHECKING:
    from walktall_sim.formats import Columns

Floats = NDArray[np.float64]

TIME = "t_s"
AXES = ("ax", "ay", "az", "gx", "gy", "gz")
NEEDED = (TIME, *AXES)
OPTIONAL = ("label", "trial")

# Beyond these no trunk goes and no sensor of this kind measures: 40 g and 4000 degrees/s.
_MAX_FORCE = 400.0
_MAX_RATE = 70.0
_MAX_TIME_S = 1e10
# Time that starts again (a new trial) lands this close to the old start, after at least so long, and goes on from it.
_RESTART_S = 0.5
_RESTART_AFTER_S = 1.0
_RESTART_STEP_S = 1.0

_CHUNK = 1 << 22
_ROWS = 1 << 16
# Polars reads row groups ahead, by default as many as there are processors and more: a day of them is 250 MB.
os.environ.setdefault("POLARS_ROW_GROUP_PREFETCH_SIZE", "1")


class RecordingError(Exception):
    """A recording cannot be used; the text is one line: which file, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive rows of one trial.

    ``t_s`` (n,); ``values`` (n, 6) in the order of :data:`AXES`; ``label`` (n,) of str, None where the file has none;
    ``trial`` the name from the trial column, else the trial's number; ``index`` its number, from 1; ``first_row`` the
    place of the first row as a person counts it (line of a text file, row of a Parquet file).
    """

    trial: str
    index: int
    named: bool
    first_row: int
    t_s: Floats
    values: Floats
    label: NDArray[np.object_] | None


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial of a recording, whole: the fields are those of :class:`Batch`."""

    trial: str
    index: int
    named: bool
    t_s: Floats
    values: Floats
    label: NDArray[np.object_] | None

    @property
    def duration_s(self) -> float:
        """Seconds from the first to the last row."""
        return float(self.t_s[-1] - self.t_s[0])


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as they were read: numbers (n, 7) in the order of :data:`NEEDED`; codes into a list of names, or None."""

    first_row: int
    numbers: Floats
    label: NDArray[np.object_] | None
    trial: NDArray[np.object_] | None


def read_trials(path: Path | str, columns: Columns | None = None) -> list[Trial]:
    """All trials of a recording, in order.

    :param columns: as for :func:`batches`
    :raises RecordingError: the file cannot be used, told in one line
    """
    trials: list[Trial] = []
    parts: list[Batch] = []
    for batch in batches(path, columns):
        if parts and parts[0].index != batch.index:
            trials.append(_joined(parts))
            parts = []
        parts.append(batch)
    trials.append(_joined(parts))
    return trials


def _joined(parts: Sequence[Batch]) -> Trial:
    head = parts[0]
    labels = [p.label for p in parts if p.label is not None]
    return Trial(
        head.trial,
        head.index,
        head.named,
        np.concatenate([p.t_s for p in parts]),
        np.concatenate([p.values for p in parts]),
        np.concatenate(labels) if labels else None,
    )


def batches(path: Path | str, columns: Columns | None = None, *, labels: bool = True) -> Iterator[Batch]:
    """The rows of a recording in batches of at most some ten thousand, each within one trial, all checked.

    :param columns: which column is what, in a table of another form (`walktall_sim.formats`)
    :param labels: False where nobody asks for them: they take longer to read than the numbers
    :raises RecordingError: as soon as something wrong is met, told in one line
    """
    from walktall_sim import formats

    file = Path(path)
    foreign = formats.tables(file, columns)
    if foreign is not None:
        where, tables = foreign
    else:
        kind = _kind(file)
        texts = OPTIONAL if labels else ("trial",)
        if kind == "parquet":
            tables = _parquet_tables(file, texts)
        else:
            tables = _text_tables(file, texts, packed=kind == "gzip")
        where = "row" if kind == "parquet" else "line"
    n_rows = 0
    for batch in _split(file, where, tables):
        n_rows += len(batch.t_s)
        yield batch
    if n_rows == 0:
        raise RecordingError(f"{file}: no rows after the header; a recording needs at least 2")
    if n_rows == 1:
        raise RecordingError(f"{file}: only one row; a recording needs at least 2")


def _kind(file: Path) -> str:
    """'parquet', 'gzip' or 'text', by the first bytes and not by the name."""
    try:
        if file.is_dir():
            raise RecordingError(f"{file}: is a folder; name one recording in it (.csv, .csv.gz or .parquet)")
        with file.open("rb") as handle:
            head = handle.read(4)
    except FileNotFoundError:
        raise RecordingError(f"{file}: no such file") from None
    except OSError as error:
        raise RecordingError(f"{file}: cannot be read ({error.strerror or error})") from None
    if not head:
        raise RecordingError(f"{file}: is empty; a recording begins with the header {','.join(NEEDED)}")
    if head == b"PAR1":
        return "parquet"
    if file.suffix in {".parquet", ".pq"}:
        raise RecordingError(f"{file}: is not a Parquet file, whatever its name says")
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    if file.suffix == ".gz":
        raise RecordingError(f"{file}: is not gzip data, whatever its name says; rename it or compress it again")
    return "text"


# --- text ---------------------------------------------------------------------------------------------------------


def _text_chunks(file: Path, handle: BinaryIO) -> Iterator[bytes]:
    """The file in pieces of some MB that end at the end of a line."""
    rest = b""
    while True:
        try:
            piece = handle.read(_CHUNK)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise RecordingError(
                f"{file}: the gzip data is cut short or damaged; copy or download the file again"
            ) from None
        except OSError as error:
            raise RecordingError(f"{file}: cannot be read ({error.strerror or error})") from None
        if not piece:
            break
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield rest + piece[:cut]
            rest = piece[cut:]
        else:
            rest += piece
            if len(rest) > 16 * _CHUNK:
                raise RecordingError(f"{file}: has no line ends; a recording is a CSV file with one sample a line")
    if rest:
        yield rest


def _text_tables(file: Path, texts: Sequence[str], *, packed: bool) -> Iterator[Table]:
    with gzip.open(file, "rb") if packed else file.open("rb") as handle:
        names: list[str] | None = None
        line = 1
        for piece in _text_chunks(file, handle):  # type: ignore[arg-type]
            data = piece
            if names is None:
                head, _, data = piece.partition(b"\n")
                names = _header(file, head)
                line = 2
            if data.strip():
                yield _parse(file, data, names, texts, line)
            line += data.count(b"\n")


def _header(file: Path, head: bytes) -> list[str]:
    try:
        text = head.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise RecordingError(f"{file}: is not text; recordings are .csv, .csv.gz or .parquet") from None
    if "\0" in text:
        raise RecordingError(f"{file}: is not text; recordings are .csv, .csv.gz or .parquet")
    names = [name.strip() for name in next(csv.reader([text]), [])]
    if ";" in text and "," not in text:
        raise RecordingError(f"{file}: columns are separated by ';'; save it with ',' and decimal points")
    if names and all(is_number(name) for name in names):
        raise RecordingError(f"{file}: line 1 holds numbers; put the header {','.join(NEEDED)} in front")
    _check_names(file, names)
    return names


def is_number(text: str) -> bool:
    """Whether a cell holds a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_names(file: Path, names: Sequence[str]) -> None:
    missing = [name for name in NEEDED if name not in names]
    if missing:
        shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        plural = "columns" if len(missing) > 1 else "column"
        raise RecordingError(
            f"{file}: {plural} {', '.join(missing)} missing (found: {shown}); needed: {','.join(NEEDED)}"
        )
    double = next((name for name in (*NEEDED, *OPTIONAL) if names.count(name) > 1), None)
    if double is not None:
        raise RecordingError(f"{file}: column {double} is there twice; keep one")


def _parse(file: Path, data: bytes, names: Sequence[str], texts: Sequence[str], line: int) -> Table:
    """Rows of a piece of CSV whose first line has the number ``line``."""
    schema = {
        (name if name in NEEDED or name in OPTIONAL else f"_{i}"): (pl.Float64 if name in NEEDED else pl.String)
        for i, name in enumerate(names)
    }
    wanted = [*NEEDED, *(name for name in texts if name in names)]
    try:
        frame = pl.read_csv(io.BytesIO(data), has_header=False, schema=schema).select(wanted)
        if frame.height == data.count(b"\n") + (not data.endswith(b"\n")):
            numbers = frame.select(NEEDED)
            if not any(numbers.null_count().row(0)):
                return Table(line, _columns(numbers), _texts(frame, "label"), _texts(frame, "trial"))
    except (pl.exceptions.PolarsError, UnicodeDecodeError):
        pass
    return _parse_slowly(file, data, names, line)


def _columns(frame: pl.DataFrame) -> Floats:
    """The columns that are needed (n, 7), each in one piece of memory: what looks at all of one is quick."""
    out = np.empty((len(NEEDED), frame.height))
    for i, name in enumerate(NEEDED):
        column = frame.get_column(name)
        out[i] = column if column.dtype.is_float() else column.cast(pl.Float64)
    return out.T


def _texts(frame: pl.DataFrame, name: str) -> NDArray[np.object_] | None:
    """A column of text (n,), equal texts being one object; None where there is no such column."""
    if name not in frame.columns:
        return None
    column = frame.get_column(name).cast(pl.String).fill_null("")
    seen = column.unique()
    codes = column.replace_strict(seen, pl.Series(range(len(seen)), dtype=pl.UInt32)).to_numpy()
    texts: NDArray[np.object_] = np.array(seen.to_list(), dtype=object)[codes]
    return texts


def _parse_slowly(file: Path, data: bytes, names: Sequence[str], line: int) -> Table:
    """The same, row by row: it finds the row that is wrong, or reads what the fast reader is too strict for."""
    where = [names.index(name) for name in NEEDED]
    texts = {name: names.index(name) for name in OPTIONAL if name in names}
    rows: list[list[float]] = []
    extra: dict[str, list[str]] = {name: [] for name in texts}
    first = 0
    for number, text in enumerate(data.decode("utf-8", "replace").splitlines(), line):
        if not text.strip():
            continue
        fields = next(csv.reader([text]), [])
        if len(fields) != len(names):
            raise RecordingError(
                f"{file}: line {number} has {len(fields)} fields where the header has {len(names)}; "
                "is the file cut short there?"
            )
        row = []
        for name, at in zip(NEEDED, where, strict=True):
            try:
                row.append(float(fields[at]))
            except ValueError:
                shown = repr(fields[at][:20]) if fields[at].strip() else "nothing"
                raise RecordingError(
                    f"{file}: line {number}, column {name}: {shown} where a number belongs; "
                    "mend the line, or leave it out (a gap is fine)"
                ) from None
        first = first or number
        rows.append(row)
        for name, at in texts.items():
            extra[name].append(fields[at])
    numbers = np.array(rows, dtype=np.float64).reshape(len(rows), len(NEEDED))
    columns = {name: np.array(values, dtype=object) for name, values in extra.items()}
    return Table(first or line, numbers, columns.get("label"), columns.get("trial"))


# --- Parquet ------------------------------------------------------------------------------------------------------


def scanned(file: Path) -> pl.LazyFrame:
    """A Parquet file as Polars scans it.

    :raises RecordingError: Polars takes names as text alone
    """
    if not is_utf8(file):
        raise RecordingError(f"{file}: a Parquet file needs a name in UTF-8; .csv and .csv.gz do not")
    return pl.scan_parquet(file)


def _parquet_tables(file: Path, texts: Sequence[str]) -> Iterator[Table]:
    broken = RecordingError(f"{file}: the Parquet file is cut short or damaged; copy or write it again")
    try:
        scan = scanned(file)
        schema = scan.collect_schema()
    except (pl.exceptions.PolarsError, OSError):
        raise broken from None
    _check_names(file, schema.names())
    for name in NEEDED:
        if not schema[name].is_numeric():
            raise RecordingError(f"{file}: column {name} holds {schema[name]}, not numbers; write it as Float64")
    wanted = [*NEEDED, *(name for name in texts if name in schema)]
    row = 1
    try:
        for frame in scan.select(wanted).collect_batches(chunk_size=_ROWS, maintain_order=True):
            numbers = frame.select(NEEDED)
            if any(numbers.null_count().row(0)):
                nulls = numbers.select(pl.any_horizontal(pl.all().is_null())).to_series()
                at = int(nulls.arg_true()[0])
                name = next(n for n in NEEDED if numbers[n][at] is None)
                raise RecordingError(
                    f"{file}: row {row + at}, column {name}: nothing where a number belongs; "
                    "leave such rows out (a gap is fine)"
                )
            if frame.height:
                # Cast there: in the query it would hold a hundred MB more.
                yield Table(row, _columns(numbers), _texts(frame, "label"), _texts(frame, "trial"))
            row += frame.height
    except pl.exceptions.PolarsError:
        raise broken from None


# --- trials -------------------------------------------------------------------------------------------------------


def _check_values(file: Path, where: str, table: Table) -> None:
    """Every number finite and possible."""
    limits = np.array([_MAX_TIME_S] + [_MAX_FORCE] * 3 + [_MAX_RATE] * 3)
    # A NaN goes through, and compares false, so that this finds it, infinity and absurd values alike.
    if (table.numbers.max(axis=0) <= limits).all() and (table.numbers.min(axis=0) >= -limits).all():
        return
    good = np.abs(table.numbers) <= limits
    at, column = (int(i) for i in np.argwhere(~good)[0])
    value = float(table.numbers[at, column])
    name = NEEDED[column]
    place = f"{file}: {where} {table.first_row + at}, column {name}"
    if not math.isfinite(value):
        raise RecordingError(f"{place}: {value} is not a number to work with; leave such rows out (a gap is fine)")
    unit = "s" if column == 0 else ("m/s²" if column < 4 else "rad/s")
    raise RecordingError(f"{place}: {value:g} {unit} is beyond what a trunk can do; are the units right?")


@dataclass(slots=True)
class _State:
    """Where the splitting into trials stands."""

    index: int = 0
    name: str = ""
    start_s: float = 0.0
    last_s: float = 0.0


def _split(file: Path, where: str, tables: Iterator[Table]) -> Iterator[Batch]:
    """Batches out of tables. Each table waits for the next one, which shows whether time goes on."""
    state = _State()
    held: Table | None = None
    for table in tables:
        if not len(table.numbers):
            continue
        if held is not None:
            yield from _split_table(file, where, held, float(table.numbers[0, 0]), state)
        _check_values(file, where, table)
        held = table
    if held is not None:
        yield from _split_table(file, where, held, math.nan, state)


def _split_table(file: Path, where: str, table: Table, ahead_s: float, state: _State) -> Iterator[Batch]:
    """The batches of ``table``; ``ahead_s`` is the time of the row after them, NaN where there is none."""
    t_s = table.numbers[:, 0]
    n = len(t_s)
    back = np.empty(n, dtype=bool)
    back[0] = state.index > 0 and t_s[0] < state.last_s
    np.less(t_s[1:], t_s[:-1], out=back[1:])
    if table.trial is None:
        new = np.zeros(n, dtype=bool)
    else:
        new = np.concatenate([[table.trial[0] != state.name], table.trial[1:] != table.trial[:-1]])
    new[0] |= state.index == 0
    starts = np.flatnonzero(new | back)
    edges = [*(int(i) for i in starts), n]
    if edges[0] != 0:
        edges.insert(0, 0)
    for begin, end in itertools.pairwise(edges):
        if new[begin] or back[begin]:
            then_s = float(t_s[begin + 1]) if begin + 1 < n else ahead_s
            if not new[begin] and not _restarts(float(t_s[begin]), then_s, state):
                raise RecordingError(
                    f"{file}: {where} {table.first_row + begin}: time goes backwards, from {state.last_s:g} s to "
                    f"{t_s[begin]:g} s; sort the rows, or give each trial a name in a column 'trial'"
                )
            state.index += 1
            state.name = "" if table.trial is None else str(table.trial[begin])
            state.start_s = float(t_s[begin])
        state.last_s = float(t_s[end - 1])
        named = table.trial is not None and bool(state.name)
        yield Batch(
            state.name if named else str(state.index),
            state.index,
            named,
            table.first_row + begin,
            t_s[begin:end],
            table.numbers[begin:end, 1:],
            None if table.label is None else table.label[begin:end],
        )


def _restarts(now_s: float, then_s: float, state: _State) -> bool:
    """Whether time that went back to ``now_s`` begins a new trial: near the old start, and going on from there."""
    near = min(abs(now_s), abs(now_s - state.start_s)) <= _RESTART_S
    went_on = 0.0 <= then_s - now_s <= _RESTART_STEP_S
    return near and went_on and state.last_s - now_s >= _RESTART_AFTER_S
