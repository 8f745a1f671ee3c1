"""Recordings in other people's forms give the same rows as the simulator's own; what is wrong is told in one line."""

from __future__ import annotations

import json
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from walktall import rows as layout
from walktall_sim import chips, formats, recordings
from walktall_sim.cli import run

from tests.sim_files import real

G = 9.80665


def made(seconds: float = 12.0, hz: float = 100.0, seed: int = 1) -> np.ndarray:
    """Rows (n, 7) of somebody who stands with a phone at the chest, and turns a little."""
    t = np.arange(round(seconds * hz)) / hz
    rng = np.random.default_rng(seed)
    rows = np.column_stack([t, rng.normal(0.0, 0.1, (len(t), 3)), rng.normal(0.0, 0.02, (len(t), 3))])
    rows[:, 2] += G
    rows[:, 4] += 0.3 * np.sin(2.0 * np.pi * 0.5 * t)
    return rows


def read(path: Path, columns: str | None = None) -> np.ndarray:
    """The rows (n, 7) of a recording of one trial."""
    (trial,) = recordings.read_trials(path, None if columns is None else formats.parse_columns(columns))
    return np.column_stack([trial.t_s, trial.values])


def table(header: str, *columns: np.ndarray, sep: str = ",", decimal: str = ".") -> str:
    lines = [header]
    lines += [sep.join(f"{v:.9g}".replace(".", decimal) for v in row) for row in np.column_stack(columns)]
    return "\n".join(lines) + "\n"


def refused(path: Path, columns: str | None = None) -> str:
    with pytest.raises(recordings.RecordingError) as told:
        read(path, columns)
    text = str(told.value)
    assert text.startswith(str(path)) and "\n" not in text
    return text


# --- BROAD --------------------------------------------------------------------------------------------------------


def write_broad(
    path: Path, rows: np.ndarray, hz: float, moves: np.ndarray | None = None, how: str = "attribute"
) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["imu_acc"], file["imu_gyr"] = rows[:, 1:4], rows[:, 4:]
        file["imu_mag"] = np.zeros((len(rows), 3))
        if moves is not None:
            file["movement"] = moves.astype(np.uint8)
        if how == "attribute":
            file.attrs["sampling_rate"] = hz
        elif how == "dataset":
            file["sampling_rate"] = np.array([[hz]])
    return path


@pytest.mark.parametrize("how", ["attribute", "dataset"])
def test_broad_reads_as_the_cut_down_copy_of_the_same_trial(tmp_path: Path, how: str) -> None:
    (own,) = recordings.read_trials(real("broad/01_undisturbed_slow_rotation_A.csv.gz"))
    assert own.label is not None
    rows = np.column_stack([own.t_s, own.values])
    hz = 1.0 / float(np.median(np.diff(own.t_s)))
    path = write_broad(tmp_path / "01.hdf5", rows, hz, own.label == "movement", how)
    (got,) = recordings.read_trials(path)
    assert np.allclose(got.t_s, own.t_s - own.t_s[0], atol=2e-3) and np.array_equal(got.values, own.values)
    assert got.label is not None and list(got.label) == list(own.label)


def test_broad_by_matlabs_order_of_axes(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    rows = made()
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["imu_acc"], file["imu_gyr"], file["sampling_rate"] = rows[:, 1:4].T, rows[:, 4:].T, np.array([[100.0]])
    assert np.allclose(read(tmp_path / "a.mat"), rows)


def test_hdf5_of_something_else_or_cut_short_is_refused(tmp_path: Path) -> None:
    path = write_broad(tmp_path / "a.hdf5", made(), 100.0, how="nothing")
    assert "sampling_rate" in refused(path)
    path.write_bytes(path.read_bytes()[:3000])
    assert "cut short" in refused(path)


def test_without_h5py_one_line_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_broad(tmp_path / "a.hdf5", made(), 100.0)
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    assert run(["info", str(path)]) == 2
    assert capsys.readouterr().err == "walktall-sim: h5py is not installed: pip install 'walktall[hdf5]'\n"


# --- UMAFall ------------------------------------------------------------------------------------------------------

HEAD = """\
%Universidad de Malaga - ETSI de Telecomunicacion (Spain)
%Type of Movement: ADL
%Description of the movement: Walking
%Sensor ID; Position; Device Model
%0; RIGHTPOCKET; phone
%3; CHEST; SensorTag
%4; ANKLE; SensorTag
%
% TimeStamp; Sample No; X-Axis; Y-Axis; Z-Axis; Sensor Type; Sensor ID
"""


def write_umafall(path: Path, rows: np.ndarray, head: str = HEAD) -> Path:
    lines = []
    for n, row in enumerate(rows):
        at = f"{round(row[0] * 1000)};{n};"
        for sensor, turn in ((0, 9.0), (3, 0.0)):
            force = row[1:4] / G + turn
            lines.append(at + ";".join(f"{v:.6f}" for v in force) + f";0;{sensor};")
            lines.append(at + ";".join(f"{np.degrees(v):.6f}" for v in row[4:]) + f";1;{sensor};")
            lines.append(at + f"1;2;3;2;{sensor};")
    path.write_text(head + "\n".join(lines) + "\n")
    return path


def test_umafall_gives_the_chest_in_our_units_and_the_activity(tmp_path: Path) -> None:
    rows = made(hz=20.0)
    path = write_umafall(tmp_path / "UMAFall_Subject_01_ADL_Walking_1_2016-06-13_20-23-52.csv", rows)
    (got,) = recordings.read_trials(path)
    assert np.allclose(np.column_stack([got.t_s, got.values]), rows, atol=2e-5)
    assert got.label is not None and set(got.label) == {"walking"}


def test_umafall_without_its_head_needs_the_number_of_the_sensor(tmp_path: Path) -> None:
    path = write_umafall(tmp_path / "a.csv", made(hz=20.0), "% nothing\nTimeStamp; Sample No; X; Y; Z; Type; ID;\n")
    assert "sensor=N" in refused(path)
    assert np.allclose(read(path, "sensor=3"), made(hz=20.0), atol=2e-5)
    assert "sensor 7" in refused(path, "sensor=7")


def test_umafall_cut_short_is_refused_with_the_line(tmp_path: Path) -> None:
    path = write_umafall(tmp_path / "a.csv", made(hz=20.0))
    path.write_text(path.read_text()[:-9])
    assert f"line {len(path.read_text().splitlines())}" in refused(path)


# --- telephones ---------------------------------------------------------------------------------------------------

LOGGER = "time,seconds_elapsed,z,y,x"


def logger_files(rows: np.ndarray, platform: str, standard: str = "false", total: bool = False) -> dict[str, str]:
    """An export of Sensor Logger; the gyroscope's rows lie between the accelerometer's."""
    sign = -1.0 if platform == "ios" and standard == "false" else 1.0
    t, force, turn = rows[:, 0], sign * rows[:, 1:4], rows[:, 4:]

    def stream(t: np.ndarray, values: np.ndarray) -> str:
        return table(LOGGER, 1.7e18 + t * 1e9, t, *values[:, ::-1].T)

    gravity = np.zeros_like(force)
    gravity[:, 1] = sign * G
    files = {
        "Metadata.csv": f"version,device name,platform,standardisation\n3,x,{platform},{standard}\n",
        "Gyroscope.csv": stream(t, turn),
        "Annotation.csv": "time,seconds_elapsed,text\n1,1,hello\n",
    }
    if total:
        return {**files, "TotalAcceleration.csv": stream(t, force), "Accelerometer.csv": stream(t, force - gravity)}
    return {**files, "Gravity.csv": stream(t, gravity), "Accelerometer.csv": stream(t, force - gravity)}


def as_zip(path: Path, files: dict[str, str], folder: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, text in files.items():
            out.writestr(folder + name, text)
    return path


@pytest.mark.parametrize(
    ("platform", "standard", "total"),
    [("android", "false", True), ("android", "false", False), ("ios", "false", False), ("ios", "true", False)],
)
def test_sensor_logger_gives_specific_force_from_both_systems(
    tmp_path: Path, platform: str, standard: str, total: bool
) -> None:
    rows = made()
    files = logger_files(rows, platform, standard, total)
    for path in (as_zip(tmp_path / "walk.zip", files, "2026-01-01/"), tmp_path / "walk"):
        if path.suffix != ".zip":
            path.mkdir()
            for name, text in files.items():
                (path / name).write_text(text)
        assert np.allclose(read(path), rows, atol=1e-6)


def test_sensor_logger_says_what_is_missing(tmp_path: Path) -> None:
    files = logger_files(made(), "ios")
    del files["Metadata.csv"]
    assert "Metadata.csv" in refused(as_zip(tmp_path / "a.zip", files))
    path = tmp_path / "Gyroscope.csv"
    path.write_text(files["Gyroscope.csv"])
    assert "whole export" in refused(path)
    del files["Gravity.csv"]
    assert "no export" in refused(as_zip(tmp_path / "b.zip", files))


def test_two_streams_are_joined_and_a_gap_of_either_stays_one(tmp_path: Path) -> None:
    rows = made()
    files = logger_files(rows, "android", total=True)
    shifted = rows.copy()
    shifted[:, 0] += 0.004
    files["Gyroscope.csv"] = logger_files(np.delete(shifted, slice(500, 600), axis=0), "android")["Gyroscope.csv"]
    got = read(as_zip(tmp_path / "a.zip", files))
    steps = np.diff(got[:, 0])
    assert np.sum(steps > 0.5) == 1 and steps.max() == pytest.approx(1.01, abs=0.02)
    # Between two rows the straight line, so a slow turn is met to a thousandth.
    slow = rows[:, 4] - (rows[:, 4] - 0.3 * np.sin(np.pi * rows[:, 0]))
    assert np.abs(np.interp(got[:, 0], rows[:, 0], slow) - got[:, 4]).std() < 0.03


PHYPHOX_FORCE = '"Time (s)";"Acceleration x (m/s^2)";"Acceleration y (m/s^2)";"Acceleration z (m/s^2)"'
PHYPHOX_TURN = '"Time (s)";"Gyroscope x (rad/s)";"Gyroscope y (rad/s)";"Gyroscope z (rad/s)"'


@pytest.mark.parametrize(("sep", "decimal"), [(",", "."), (";", ","), ("\t", ".")])
def test_phyphox_in_each_of_its_forms(tmp_path: Path, sep: str, decimal: str) -> None:
    rows = made()
    force = table(PHYPHOX_FORCE.replace(";", sep), *rows[:, :4].T, sep=sep, decimal=decimal)
    turn = table(PHYPHOX_TURN.replace(";", sep), rows[:, 0], *rows[:, 4:].T, sep=sep, decimal=decimal)
    files = {"Accelerometer.csv": force, "Gyroscope.csv": turn, "meta/device.csv": "property,value\nx,y\n"}
    assert np.allclose(read(as_zip(tmp_path / "a.zip", files)), rows, atol=1e-6)
    # Names of columns as older versions had them: the file says which sensor.
    for axis in "xyz":
        force = force.replace(f"Acceleration {axis}", axis.upper())
        turn = turn.replace(f"Gyroscope {axis}", axis.upper())
    old = {
        "Accelerometer.csv": force,
        "Linear Accelerometer.csv": table('"Time (s)","X (m/s^2)","Y (m/s^2)","Z (m/s^2)"', *(0.0 * rows[:, :4]).T),
        "Gyroscope.csv": turn,
    }
    assert np.allclose(read(as_zip(tmp_path / "b.zip", dict(sorted(old.items(), reverse=True)))), rows, atol=1e-6)


def test_phyphox_as_one_table_with_empty_cells(tmp_path: Path) -> None:
    rows = made()
    header = PHYPHOX_FORCE.replace(";", ",") + PHYPHOX_TURN.replace(";", ",")[len('"Time (s)"') :]
    lines = [header]
    for n, row in enumerate(rows):
        cells = [f"{v:.9g}" for v in row]
        lines.append(",".join([*cells[:4], "", "", ""] if n % 2 else [*cells[:4], *cells[4:]]))
    path = tmp_path / "Raw Data.csv"
    path.write_text("\n".join(lines) + "\n")
    got = read(path)
    assert len(got) >= len(rows) - 1 and np.allclose(got[::2], rows[: len(got) : 2], atol=1e-6)


def test_one_sensor_of_phyphox_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "Accelerometer.csv"
    path.write_text(table(PHYPHOX_FORCE.replace(";", ","), *made()[:, :4].T))
    assert "whole export" in refused(path)


@pytest.mark.parametrize("damage", ["cut", "empty", "other"])
def test_a_zip_that_will_not_do_is_refused(tmp_path: Path, damage: str) -> None:
    path = as_zip(tmp_path / "a.zip", logger_files(made(), "ios") if damage == "cut" else {"x.csv": "a,b\n1,2\n"})
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "empty":
        as_zip(path, {"readme.txt": "x"})
    refused(path)


# --- a map of columns ---------------------------------------------------------------------------------------------


def test_any_table_by_a_map_of_its_columns(tmp_path: Path) -> None:
    rows = made()
    path = tmp_path / "lab.csv"
    text = table(
        "Zeit;AX;AY;AZ;GX;GY;GZ;Person",
        rows[:, 0] * 1000.0, -rows[:, 1] / G, *(rows[:, 2:4] / G).T, *np.degrees(rows[:, 4:]).T, np.ones(len(rows)),
        sep=";", decimal=",",
    )  # fmt: skip
    path.write_text("made by a lab\n" + text)
    columns = "time=Zeit,ax=-AX,ay=AY,az=AZ,gx=GX,gy=GY,gz=GZ,trial=Person"
    columns += ",unit=g,rate=dps,time_unit=ms,sep=semicolon,skip=1"
    assert np.allclose(read(path, columns), rows, atol=1e-6)
    parquet = tmp_path / "lab.parquet"
    pl.DataFrame(rows[:, 1:], schema=list("abcdef"), orient="row").write_parquet(parquet)
    assert np.allclose(read(parquet, "hz=100,ax=a,ay=b,az=c,gx=d,gy=e,gz=f"), rows, atol=1e-9)


def test_what_a_mapped_table_lacks_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = table("t,a,b,c,d,e,f", *made().T).splitlines()
    columns = "time=t,ax=a,ay=b,az=c,gx=d,gy=e,gz=f"
    path.write_text("\n".join([*lines[:40], lines[40].replace(",", ",x", 1), *lines[41:]]) + "\n")
    told = refused(path, columns)
    assert "line 41, column a" in told, told
    assert "no column 'q'" in refused(path, columns.replace("gz=f", "gz=q"))
    assert "gz" in refused(path, "time=t,ax=a,ay=b,az=c,gx=d,gy=e")


@pytest.mark.parametrize(
    "text", ["", "time", "speed=x", "unit=stone", "hz=0", "hz=x", "skip=1.5", "time=t,hz=50", "sensor=-1"]
)
def test_a_map_that_is_none_is_one_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", "walk.csv", "--columns", text]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- the clip's own -----------------------------------------------------------------------------------------------


def raw_block(number: int, boot: int, sample: int, counts: np.ndarray) -> bytes:
    head = bytearray(layout.HEADER_BYTES + 4)
    head[:4] = bytes([layout.MAGIC, layout.LAYOUT, layout.KIND_RAW, 0])
    struct.pack_into("<I4sH", head, layout.H_NUMBER, number, b"ring", boot)
    struct.pack_into("<H", head, layout.H_ROWS_END, len(head) + 12 * len(counts))
    struct.pack_into("<I", head, layout.HEADER_BYTES, sample)
    body = (bytes(head) + counts.astype("<i2").tobytes()).ljust(layout.CRC_AT, b"\xff")
    return body + struct.pack("<I", zlib.crc32(body))


def test_the_clips_raw_recording_is_counts_at_its_own_scale_with_gaps(tmp_path: Path) -> None:
    rows = made(hz=52.0)
    counts = chips.quantise(rows[:, 1:], 4, 500)
    # Samples 111..147 were lost; then another boot.
    blocks = [raw_block(n, 7, 37 * n, counts[37 * n : 37 * n + 37]) for n in (0, 1, 2, 4, 5)]
    blocks.append(raw_block(6, 8, 100, counts[:30]))
    path = tmp_path / "clip.raw"
    path.write_bytes(b"".join(blocks))
    first, second = recordings.read_trials(path)
    assert (first.trial, second.trial, len(first.t_s), len(second.t_s)) == ("boot 7", "boot 8", 5 * 37, 30)
    assert np.abs(first.values[:100] - rows[:100, 1:]).max() < 1.2e-3
    assert np.diff(first.t_s).max() == pytest.approx(38 / 52)
    path.write_bytes(b"".join(blocks)[:-100])
    assert "block 6" in refused(path)


@pytest.mark.parametrize("seed", range(40))
def test_noise_behind_any_magic_is_refused_in_one_line(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    known = [b"", b"PAR1", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"\x1f\x8b", b"% a\n", b"Time (s),", b"\x57\x01\x02"]
    magic = known[seed % len(known)]
    path = tmp_path / "noise"
    path.write_bytes(magic + rng.bytes(4000))
    with pytest.raises(recordings.RecordingError) as told:
        read(path)
    assert "\n" not in str(told.value)


# --- all of them in the commands ----------------------------------------------------------------------------------


def test_replay_and_suites_take_them_as_any_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", "--plan", "stand:6,walk:24", "--out", str(tmp_path / "w.csv")]) == 0
    rows = read(tmp_path / "w.csv")
    zipped = as_zip(tmp_path / "phone.zip", logger_files(rows, "ios"))
    capsys.readouterr()
    told = []
    for path in (tmp_path / "w.csv", zipped):
        assert run(["replay", str(path), "--fast", "--json", "--up", "+y", "--forward", "+z"]) == 0
        told.append([json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()])
    assert told[0] == told[1]
    odd = tmp_path / "odd.csv"
    odd.write_text(table("t,a,b,c,d,e,f", *rows.T))
    suite = tmp_path / "s.toml"
    suite.write_text(
        "[defaults]\ncolumns = 'time=t,ax=a,ay=b,az=c,gx=d,gy=e,gz=f'\n"
        "[[case]]\nname = 'x'\nrecording = 'odd.csv'\nexpect = [{ event = 'walking' }]\n"
    )
    assert run(["check", str(suite), "--jobs", "1"]) == 0
    suite.write_text(suite.read_text().replace("time=t", "time=t,unit=stone"))
    capsys.readouterr()
    assert run(["check", str(suite)]) == 2
    assert f"{suite}:3: " in capsys.readouterr().err


def test_the_document_names_every_key_of_a_map_and_its_example_works(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "simulator.md").read_text()
    section = page.split("### Other people's forms\n")[1].split("\n### ")[0]
    for key in formats.COLUMN_KEYS:
        assert f"`{key}`" in section or key in formats.AXES, key
    for choices in formats.CHOICES.values():
        for choice in choices:
            assert f"`{choice}`" in section, choice
    (example,) = re.findall(r'--columns "(.*?)"', section)
    rows = made()
    values = (rows[:, 0], -rows[:, 1] / G, *(rows[:, 2:4] / G).T, *np.degrees(rows[:, 4:]).T)
    path = tmp_path / "lab.csv"
    path.write_text(table("Zeit;AX;AY;AZ;GX;GY;GZ", *values, sep=";"))
    assert np.allclose(read(path, example), rows, atol=1e-6)
