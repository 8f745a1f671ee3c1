"""Recordings in other people's forms, read as they were published or exported, and handed on as the simulator's own.

Told apart by what is in them, whatever the name says:

* BROAD (Laidig et al. 2021), HDF5: ``imu_acc`` [m/s²], ``imu_gyr`` [rad/s], ``sampling_rate``, ``movement``
* UMAFall (Casilari et al. 2017), text with ``;``: a head of lines with ``%``, then time [ms], number, x, y, z, kind of
  sensor (0 accelerometer [g], 1 gyroscope [degrees/s]), number of the sensor; the head says which one was at the chest
* Sensor Logger, zip or folder: ``TotalAcceleration.csv``, or ``Accelerometer.csv`` and ``Gravity.csv``, and
  ``Gyroscope.csv``; iOS reports forces with the other sign, and ``Metadata.csv`` says which phone it was
* phyphox, zip, folder or one table: ``Acceleration x (m/s^2)``, ``Gyroscope x (rad/s)``
* the clip's own raw recording: blocks of the trace, 512 bytes each
* any table with a header by a map of its columns (:class:`Columns`)

A phone's axes are those of the clip: +y up its long side, +z out of its screen. Two streams become one at the times of
the accelerometer, the gyroscope's values on the straight line between its two neighbours; where these are further
apart than a gap, the rows are left out. Nothing else is made up, and what cannot be read is refused with one line.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from walktall import rows as layout

from walktall_sim import chips, resample
from walktall_sim.recordings import AXES, NEEDED, OPTIONAL, RecordingError, Table, is_number, scanned

Floats = NDArray[np.float64]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_GZIP = b"\x1f\x8b"
_G = chips.STANDARD_GRAVITY_MS2
# A phone's recording of a day is 1 GB unpacked.
_MOST_BYTES = 4 << 30
_HEAD = 1 << 16

_FORCE_UNITS = {"m/s2": 1.0, "g": _G, "mg": _G / 1000.0}
_RATE_UNITS = {"rad/s": 1.0, "dps": math.radians(1.0), "mdps": math.radians(0.001)}
_TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "space": " "}
#: units and separators that a map may name
CHOICES: Mapping[str, Mapping[str, object]] = {
    "unit": _FORCE_UNITS,
    "rate": _RATE_UNITS,
    "time_unit": _TIME_UNITS,
    "sep": _SEPARATORS,
}


class ColumnsError(ValueError):
    """A map of columns that is none; the text is one line."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of a table is what, and in which unit.

    :param names: the table's own names by ours (``time, ax .. gz, label, trial``); ``-`` in front turns the sign
    :param hz: rows a second, where there is no column of time
    :param sensor: the number of the sensor, for UMAFall
    """

    names: Mapping[str, str] = field(default_factory=dict)
    unit: str = "m/s2"
    rate: str = "rad/s"
    time_unit: str = "s"
    hz: float | None = None
    sep: str = "comma"
    skip: int = 0
    sensor: int | None = None

    @property
    def scales(self) -> Floats:
        """What time and the six axes are multiplied by (7,)."""
        time, force, rate = _TIME_UNITS[self.time_unit], _FORCE_UNITS[self.unit], _RATE_UNITS[self.rate]
        signs = [-1.0 if self.names.get(name, "").startswith("-") else 1.0 for name in AXES]
        out: Floats = np.array([time, *([force] * 3), *([rate] * 3)]) * np.array([1.0, *signs])
        return out


#: what a map may say
COLUMN_KEYS = ("time", *AXES, *OPTIONAL, "unit", "rate", "time_unit", "hz", "sep", "skip", "sensor")


def parse_columns(text: str) -> Columns:
    """A map of columns out of ``time=t,ax=acc_x,...,unit=g``; commas in a name are written ``\\,``.

    :raises ColumnsError: told in one line
    """
    names: dict[str, str] = {}
    values: dict[str, Any] = {}
    for part in re.split(r"(?<!\\),", text):
        key, equals, value = (one.strip().replace("\\,", ",") for one in part.partition("="))
        if not equals or not value:
            raise ColumnsError(f"--columns {part.strip()!r}: expected KEY=VALUE, such as time=t or unit=g")
        if key not in COLUMN_KEYS:
            raise ColumnsError(f"--columns: no {key!r}; one of {', '.join(COLUMN_KEYS)}")
        choices = CHOICES.get(key)
        if key in ("time", *AXES, *OPTIONAL):
            names[key] = value
        elif choices is not None:
            if value not in choices:
                raise ColumnsError(f"--columns {key}={value}: one of {', '.join(choices)}")
            values[key] = value
        else:
            number = float(value) if re.fullmatch(r"\d+(\.\d+)?", value) else -1.0
            if number < 0.0 or (key != "hz" and number != int(number)) or (key == "hz" and number == 0.0):
                raise ColumnsError(f"--columns {key}={value}: must be a {'' if key == 'hz' else 'whole '}number")
            values[key] = number if key == "hz" else int(number)
    if "hz" in values and "time" in names:
        raise ColumnsError("--columns: time and hz exclude each other")
    return Columns(names, **values)


def tables(file: Path, columns: Columns | None) -> tuple[str, Iterator[Table]] | None:
    """The rows of a recording that is not of the simulator's own form: how its rows are counted, and the rows.

    None where the ordinary reader is to read it.

    :raises RecordingError: it cannot be used, told in one line
    """
    if file.is_dir():
        members = {path.name: path for path in sorted(file.rglob("*.csv"))}
        found = _phone(file, {name: _opener(path) for name, path in members.items()})
        return None if found is None else ("row", found)
    try:
        with file.open("rb") as handle:
            head = handle.read(_HEAD)
    except OSError:
        return None  # the ordinary reader says so
    if head.startswith(_HDF5):
        return "row", _broad(file)
    if head.startswith(_ZIP):
        return "row", _zip(file)
    if head[:1] == bytes([layout.MAGIC]) and len(head) >= layout.BLOCK_BYTES and head[2] == layout.KIND_RAW:
        return "sample", _raw(file)
    if head.startswith(_GZIP):
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, _HEAD)
        except zlib.error:
            return None
    if head.lstrip(b"\xef\xbb\xbf").startswith(b"%"):
        return "line", _umafall(file, columns)
    if columns is not None and columns.names:
        return "row" if head.startswith(b"PAR1") else "line", _mapped(file, columns)
    if head.startswith(b"PAR1"):
        return None
    names = _fields(head.split(b"\n", 1)[0].decode("utf-8-sig", "replace"))
    if _phyphox_columns(names, file.name):
        found = _phone(file, {file.name: _opener(file)})
        if found is not None:
            return "row", found
        raise RecordingError(f"{file}: one sensor alone of phyphox; give the whole export (folder or .zip)")
    if {"seconds_elapsed", "x", "y", "z"} <= set(names):
        raise RecordingError(f"{file}: one sensor alone of Sensor Logger; give the whole export (folder or .zip)")
    return None


def _opener(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(_GZIP) else data

    return read


# --- BROAD --------------------------------------------------------------------------------------------------------


def _broad(file: Path) -> Iterator[Table]:
    import h5py

    try:
        with h5py.File(file, "r") as data:
            lacking = [name for name in ("imu_acc", "imu_gyr") if name not in data]
            if lacking:
                raise RecordingError(f"{file}: is HDF5 without {', '.join(lacking)}; known is BROAD's form")
            rate = data.attrs["sampling_rate"] if "sampling_rate" in data.attrs else data.get("sampling_rate")
            if rate is None:
                raise RecordingError(f"{file}: does not say its sampling_rate")
            rate_hz = float(np.asarray(rate[()] if hasattr(rate, "shape") else rate).reshape(-1)[0])
            force, turn = (np.asarray(data[name], dtype=np.float64) for name in ("imu_acc", "imu_gyr"))
            moves = np.asarray(data["movement"]).reshape(-1).astype(bool) if "movement" in data else None
    except (OSError, ValueError, TypeError, KeyError):
        raise RecordingError(f"{file}: the HDF5 file is cut short or damaged; copy or download it again") from None
    # Matlab's order of axes is the other way round.
    force, turn = (values.T if values.shape[0] == 3 != values.shape[-1] else values for values in (force, turn))
    if force.ndim != 2 or force.shape != turn.shape or force.shape[1] != 3 or not rate_hz > 0.0:
        raise RecordingError(f"{file}: imu_acc {force.shape} and imu_gyr {turn.shape} are not (n, 3) each")
    label = None
    if moves is not None and len(moves) == len(force):
        label = np.where(moves, "movement", "rest").astype(object)
    yield from _pieces(np.column_stack([np.arange(len(force)) / rate_hz, force, turn]), label)


def _pieces(numbers: Floats, label: NDArray[np.object_] | None, trial: str | None = None) -> Iterator[Table]:
    """Rows in tables of the size that the ordinary reader gives, without those that hold no number."""
    there = np.isfinite(numbers).all(axis=1)
    rows = np.flatnonzero(there) + 1
    numbers = np.ascontiguousarray(numbers[there])
    label = None if label is None else label[there]
    for begin in range(0, len(numbers), 1 << 16):
        part = slice(begin, begin + (1 << 16))
        name = None if trial is None else np.full(len(numbers[part]), trial, dtype=object)
        yield Table(int(rows[begin]), numbers[part], None if label is None else label[part], name)


# --- UMAFall ------------------------------------------------------------------------------------------------------

_CHEST = re.compile(r"^%.*?\b(\d+)\s*[;:,=]\s*CHEST\b", re.IGNORECASE | re.MULTILINE)
_ACTIVITY = re.compile(r"_(?:ADL|Fall)_([A-Za-z_]+?)_\d", re.IGNORECASE)


def _umafall(file: Path, columns: Columns | None) -> Iterator[Table]:
    text = _text(file, _opener(file))
    sensor = columns.sensor if columns is not None else None
    if sensor is None:
        found = _CHEST.search(text)
        if found is None:
            raise RecordingError(f"{file}: its head names no sensor at the chest; give --columns sensor=N")
        sensor = int(found[1])
    rows: list[tuple[float, ...]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("%"):
            continue
        fields = [part.strip() for part in line.rstrip().rstrip(";").split(";")]
        if len(fields) == 7 and not is_number(fields[0]):
            continue  # the header, where it has no %
        try:
            rows.append(tuple(map(float, fields)))
            if len(fields) != 7:
                raise ValueError
        except ValueError:
            raise RecordingError(
                f"{file}: line {number}: {line.strip()[:40]!r} where seven numbers belong; is the file cut short there?"
            ) from None
    numbers = np.array(rows, dtype=np.float64).reshape(-1, 7)
    own = numbers[numbers[:, 6] == sensor]
    force, turn = own[own[:, 5] == 0.0], own[own[:, 5] == 1.0]
    if not len(force) or not len(turn):
        known = ", ".join(f"{one:g}" for one in np.unique(numbers[:, 6]))
        raise RecordingError(f"{file}: sensor {sensor} has no acceleration or no turning (sensors: {known})")
    activity = _ACTIVITY.search(file.name)
    merged = _merge(file, force[:, 0] / 1000.0, force[:, 2:5] * _G, turn[:, 0] / 1000.0, np.radians(turn[:, 2:5]))
    label = None if activity is None else np.full(len(merged), activity[1].lower(), dtype=object)
    yield from _pieces(merged, label)


def _merge(file: Path, force_s: Floats, force: Floats, turn_s: Floats, turn: Floats) -> Floats:
    """Two streams at the times of the first (n, 7), in the order of time; rows in a gap of the second are left out."""
    order, turn_order = np.argsort(force_s, kind="stable"), np.argsort(turn_s, kind="stable")
    force_s, force, turn_s, turn = force_s[order], force[order], turn_s[turn_order], turn[turn_order]
    try:
        limit_s = resample.gap_limit_s(resample.nominal_rate_hz(turn_s[: resample.RATE_ROWS]))
    except resample.RateError as error:
        raise RecordingError(f"{file}: the second sensor's rows: {error}") from None
    right = np.clip(np.searchsorted(turn_s, force_s), 1, len(turn_s) - 1)
    near = (turn_s[right] - turn_s[right - 1] <= limit_s) & (force_s >= turn_s[0]) & (force_s <= turn_s[-1])
    turned = np.column_stack([np.interp(force_s, turn_s, turn[:, axis]) for axis in range(3)])
    rows: Floats = np.column_stack([force_s, force, turned])[near]
    if len(rows) < 2:
        raise RecordingError(f"{file}: its two sensors have no time in common")
    return rows


# --- telephones ---------------------------------------------------------------------------------------------------


def _zip(file: Path) -> Iterator[Table]:
    broken = RecordingError(f"{file}: the zip file is cut short, damaged or locked; export or copy it again")
    try:
        with zipfile.ZipFile(file) as packed:
            infos = [one for one in packed.infolist() if one.filename.lower().endswith(".csv")]
            if sum(one.file_size for one in infos) > _MOST_BYTES:
                raise RecordingError(f"{file}: unpacks to over {_MOST_BYTES >> 30} GB; unpack it and give the folder")

            def opener(one: zipfile.ZipInfo) -> Callable[[], bytes]:
                return lambda: packed.read(one)

            found = _phone(file, {Path(one.filename).name: opener(one) for one in infos})
            if found is None:
                names = ", ".join(Path(one.filename).name for one in infos[:6]) or "no .csv"
                raise RecordingError(f"{file}: holds no export of Sensor Logger or phyphox that can be used ({names})")
            yield from found
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError):
        raise broken from None


Members = Mapping[str, Callable[[], bytes]]


def _phone(file: Path, members: Members) -> Iterator[Table] | None:
    """The rows of a telephone's export, None where it is none."""
    if "Gyroscope.csv" in members and ("TotalAcceleration.csv" in members or "Gravity.csv" in members):
        return _sensor_logger(file, members)
    force: tuple[Floats, Floats] | None = None
    turn: tuple[Floats, Floats] | None = None
    for name, read in members.items():
        data = read()
        names = _fields(data[:_HEAD].split(b"\n", 1)[0].decode("utf-8-sig", "replace"))
        known = _phyphox_columns(names, name)
        if not known:
            continue
        numbers = _numbers(file / name if file.is_dir() else file, data, names)
        if "force" in known and force is None:
            force = numbers[:, known["time"][0]], numbers[:, known["force"]]
        if "turn" in known and turn is None:
            turn = numbers[:, known["time"][0]], numbers[:, known["turn"]]
    if force is None or turn is None:
        return None
    return _pieces(_merge(file, *_there(*force), *_there(*turn)), None)


def _there(t_s: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Rows that are numbers: a stream of another rate leaves cells empty in a table that two of them share."""
    good = np.isfinite(t_s) & np.isfinite(values).all(axis=1)
    return t_s[good], values[good]


def _sensor_logger(file: Path, members: Members) -> Iterator[Table]:
    def stream(name: str) -> tuple[Floats, Floats]:
        where = file / name if file.is_dir() else file
        data = members[name]()
        names = _fields(data[:_HEAD].split(b"\n", 1)[0].decode("utf-8-sig", "replace"))
        lacking = [one for one in ("seconds_elapsed", "x", "y", "z") if one not in names]
        if lacking:
            raise RecordingError(f"{where}: {name}: column {', '.join(lacking)} missing; is it Sensor Logger's?")
        numbers = _numbers(where, data, names)
        at = [names.index(one) for one in ("seconds_elapsed", "x", "y", "z")]
        return _there(numbers[:, at[0]], numbers[:, at[1:]])

    if "TotalAcceleration.csv" in members:
        force_s, force = stream("TotalAcceleration.csv")
        # Only Android has it, where forces are specific forces.
        sign = _sign(file, members) if "Metadata.csv" in members else 1.0
    else:
        if "Accelerometer.csv" not in members:
            raise RecordingError(f"{file}: Gravity.csv without Accelerometer.csv; record both")
        if "Metadata.csv" not in members:
            raise RecordingError(f"{file}: Metadata.csv is missing, which says whether signs are an iPhone's")
        joint = _merge(file, *stream("Accelerometer.csv"), *stream("Gravity.csv"))
        force_s, force = joint[:, 0], joint[:, 1:4] + joint[:, 4:]
        sign = _sign(file, members)
    return _pieces(_merge(file, force_s, sign * force, *stream("Gyroscope.csv")), None)


def _sign(file: Path, members: Members) -> float:
    """-1 where forces have an iPhone's sign: unless the export was standardised (Sensor Logger's CROSSPLATFORM.md)."""
    rows = list(csv.DictReader(io.StringIO(_text(file, members["Metadata.csv"]))))
    first = rows[0] if rows else {}
    said = {name.strip().lower(): (value or "").strip().lower() for name, value in first.items() if name}
    platform = said.get("platform", "")
    if platform not in ("ios", "android"):
        raise RecordingError(f"{file}: Metadata.csv says platform {platform!r}: ios or android tells the signs")
    return -1.0 if platform == "ios" and said.get("standardisation") != "true" else 1.0


_PHYPHOX = {
    "time": re.compile(r"Time \(s\)"),
    "force": re.compile(r"Acceleration ([xyz]) \(m/s(?:\^2|²)\)"),
    "turn": re.compile(r"Gyroscope ([xyz]) \(rad/s\)"),
}
_PHYPHOX_OLD = {
    "time": re.compile(r"Time \(s\)"),
    "force": re.compile(r"([XYZ]) \(m/s(?:\^2|²)\)"),
    "turn": re.compile(r"([XYZ]) \(rad/s\)"),
}


def _phyphox_columns(names: Sequence[str], file: str) -> dict[str, list[int]]:
    """Where phyphox keeps time, force and turning; {} where that is no such table. (Linear lacks gravity.)"""
    for patterns in (_PHYPHOX, _PHYPHOX_OLD):
        found = {
            kind: [at for at, name in enumerate(names) if pattern.fullmatch(name)] for kind, pattern in patterns.items()
        }
        if patterns is _PHYPHOX_OLD and "linear" in file.lower():
            continue
        known = {kind: at for kind, at in found.items() if len(at) == (1 if kind == "time" else 3)}
        if "time" in known and len(known) > 1:
            return known
    return {}


# --- tables -------------------------------------------------------------------------------------------------------


def _text(file: Path, read: Callable[[], bytes]) -> str:
    try:
        return read().decode("utf-8-sig")
    except UnicodeDecodeError:
        return read().decode("latin-1")
    except (OSError, EOFError, zlib.error):
        raise RecordingError(f"{file}: cannot be read, or its gzip data is cut short") from None


def _separator(line: str) -> str:
    return max(",;\t", key=line.count)


def _fields(line: str) -> list[str]:
    """The names of a header; none where it is no text."""
    try:
        return [name.strip() for name in next(csv.reader([line.strip()], delimiter=_separator(line)), [])]
    except csv.Error:
        return []


def _numbers(file: Path, data: bytes, names: Sequence[str]) -> Floats:
    """A table of numbers with a header (n, columns); what is empty or text is NaN. Decimal commas are understood."""
    head = data.split(b"\n", 1)[0].decode("utf-8-sig", "replace")
    try:
        frame = pl.read_csv(
            io.BytesIO(data),
            separator=_separator(head),
            has_header=True,
            new_columns=[f"c{at}" for at in range(len(names))],
            infer_schema=False,
            truncate_ragged_lines=True,
        )
    except pl.exceptions.PolarsError:
        raise RecordingError(f"{file}: is no table that can be read; export it again") from None
    text = pl.all().str.strip_chars()
    if _separator(head) != ",":
        text = text.str.replace(",", ".", literal=True)
    frame = frame.select(text.cast(pl.Float64, strict=False)).fill_null(np.nan)
    numbers: Floats = frame.to_numpy(order="c")
    return numbers


def _mapped(file: Path, columns: Columns) -> Iterator[Table]:
    lacking = [name for name in AXES if name not in columns.names]
    if columns.hz is None and "time" not in columns.names:
        lacking.insert(0, "time (or hz)")
    if lacking:
        raise RecordingError(f"{file}: --columns says nothing of {', '.join(lacking)}")
    wanted = {name: columns.names[name].lstrip("-") for name in ("time", *AXES, *OPTIONAL) if name in columns.names}
    first = 1
    for frame, line in _frames(file, columns):
        missing = [name for name in wanted.values() if name not in frame.columns]
        if missing:
            shown = ", ".join(frame.columns[:12]) + (", ..." if len(frame.columns) > 12 else "")
            raise RecordingError(f"{file}: no column {', '.join(map(repr, missing))} (found: {shown})")
        number = [name for name in wanted if name not in OPTIONAL]
        comma = columns.sep != "comma"
        numbers = np.empty((frame.height, 7))
        if columns.hz is not None:
            numbers[:, 0] = (first - 1 + np.arange(frame.height)) / columns.hz
        for name in number:
            text = frame[wanted[name]].cast(pl.String).str.strip_chars()
            values = (text.str.replace(",", ".", literal=True) if comma else text).cast(pl.Float64, strict=False)
            bad = values.is_null() | values.is_nan()
            if bad.any():
                at = int(bad.arg_true()[0])
                raise RecordingError(
                    f"{file}: {'row' if line == 0 else 'line'} {max(line, 1) + at}, column {wanted[name]}: "
                    f"{text[at]!r} where a number belongs; mend it, or leave the row out (a gap is fine)"
                )
            numbers[:, 0 if name == "time" else NEEDED.index(name)] = values.to_numpy()
        numbers *= columns.scales if columns.hz is None else np.array([1.0, *columns.scales[1:]])
        texts = {
            name: np.array(frame[wanted[name]].cast(pl.String).fill_null("").to_list(), dtype=object)
            for name in OPTIONAL
            if name in wanted
        }
        yield Table(max(line, first), numbers, texts.get("label"), texts.get("trial"))
        first += frame.height


def _frames(file: Path, columns: Columns) -> Iterator[tuple[pl.DataFrame, int]]:
    """A table in frames of text, and the line at which each begins; 0 where rows are counted."""
    try:
        with file.open("rb") as handle:
            if handle.read(4) == b"PAR1":
                for frame in scanned(file).collect_batches(chunk_size=1 << 16, maintain_order=True):
                    yield frame, 0
                return
        data = _opener(file)()
    except (pl.exceptions.PolarsError, OSError, EOFError, zlib.error):
        raise RecordingError(f"{file}: cannot be read, is cut short or damaged") from None
    try:
        frame = pl.read_csv(
            io.BytesIO(data),
            separator=_SEPARATORS[columns.sep],
            skip_lines=columns.skip,
            infer_schema=False,
            encoding="utf8-lossy",
        )
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        why = str(error).split("\n")[0][:80]
        raise RecordingError(f"{file}: is no such table ({why}); are sep and skip of --columns right?") from None
    frame.columns = [name.strip() for name in frame.columns]
    for begin in range(0, frame.height, 1 << 16):
        yield frame.slice(begin, 1 << 16), columns.skip + 2 + begin


# --- the clip's raw recording -------------------------------------------------------------------------------------


def _raw(file: Path) -> Iterator[Table]:
    """Counts as the chip gave them, at the ranges that the firmware sets; a boot is a trial, numbers missing a gap."""
    scale = chips.counts_per_unit(4, 500)
    size = int(layout.BLOCK_BYTES)
    with file.open("rb") as handle:
        for number in itertools.count(1):
            block = handle.read(size)
            if not block:
                return
            crc = int.from_bytes(block[layout.CRC_AT : layout.CRC_AT + 4], "little")
            if len(block) < size or block[0] != layout.MAGIC or zlib.crc32(block[: layout.CRC_AT]) != crc:
                raise RecordingError(f"{file}: block {number} is cut short or damaged; download it again")
            if block[layout.H_KIND] != layout.KIND_RAW:
                continue  # rows of a walk between raw blocks
            begin = layout.HEADER_BYTES + 4
            end = int.from_bytes(block[layout.H_ROWS_END : layout.H_ROWS_END + 2], "little")
            n = (min(end, layout.CRC_AT) - begin) // 12
            if n <= 0:
                continue
            counts = np.frombuffer(block, dtype="<i2", offset=begin, count=6 * n).reshape(n, 6)
            sample = int.from_bytes(block[layout.HEADER_BYTES : begin], "little")
            boot = int.from_bytes(block[layout.H_BOOT : layout.H_BOOT + 2], "little")
            t_s = (sample + np.arange(n)) / resample.CHIP_HZ
            names = np.full(n, f"boot {boot}", dtype=object)
            yield Table(sample, np.column_stack([t_s, counts / scale]), None, names)


def described(columns: Columns | None) -> str:
    """A map of columns as a text that is the same for the same map, for digests."""
    return "" if columns is None else json.dumps(asdict(columns), sort_keys=True, default=str)
