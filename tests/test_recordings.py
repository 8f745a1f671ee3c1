"""Recordings are read as they are, split into trials, and refused in one clear line."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from walktall_sim import mounting, recordings
from walktall_sim.recordings import RecordingError, read_trials

from tests.sim_files import HEADER, real, standing, write_csv


def test_csv_gzip_and_parquet_give_the_same_rows(tmp_path: Path) -> None:
    rows = standing()
    plain = write_csv(tmp_path / "a.csv", rows)
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    table = tmp_path / "a.parquet"
    pl.read_csv(plain).write_parquet(table)
    want = read_trials(plain)[0]
    for path in (packed, table):
        got = read_trials(path)[0]
        np.testing.assert_array_equal(got.t_s, want.t_s)
        np.testing.assert_array_equal(got.values, want.values)
    assert want.label is None and not want.named and want.trial == "1"


def test_columns_are_found_by_name_in_any_order_and_others_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("note,gz,gy,gx,az,ay,ax,label,t_s\nx,6,5,4,3,2,1,walk,0\ny,6,5,4,3,2,1,walk,0.02\n")
    trial = read_trials(path)[0]
    np.testing.assert_array_equal(trial.values[0], [1, 2, 3, 4, 5, 6])
    assert trial.label is not None and list(trial.label) == ["walk", "walk"]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_line_ends_blanks_and_a_byte_order_mark_do_not_matter(tmp_path: Path, ending: str, start: str) -> None:
    text = start + ending.join(["t_s, ax, ay, az, gx, gy, gz", "0, 1,2,3,4,5,6", "", "0.02,1,2,3,4,5,6"])
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    assert len(read_trials(path)[0].t_s) == 2


def test_time_that_starts_again_is_a_new_trial(tmp_path: Path) -> None:
    rows = np.concatenate([standing(), standing(), standing()])
    trials = read_trials(write_csv(tmp_path / "a.csv", rows))
    assert [t.index for t in trials] == [1, 2, 3]
    assert [len(t.t_s) for t in trials] == [len(standing())] * 3


def test_a_trial_column_splits_even_where_time_goes_on(tmp_path: Path) -> None:
    rows = standing()
    path = tmp_path / "a.csv"
    names = ["first"] * 100 + ["second"] * (len(rows) - 100)
    lines = [",".join(map(str, row)) + "," + name for row, name in zip(rows, names, strict=True)]
    path.write_text("\n".join([HEADER + ",trial", *lines]))
    trials = read_trials(path)
    assert [(t.trial, len(t.t_s)) for t in trials] == [("first", 100), ("second", len(rows) - 100)]


@pytest.mark.parametrize("rows_a_chunk", [200, 5000, 100_000])
def test_how_the_file_is_cut_into_batches_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_a_chunk: int
) -> None:
    rows = np.concatenate([standing(104.0, 30.0), standing(104.0, 20.0)])
    path = write_csv(tmp_path / "a.csv", rows)
    want = read_trials(path)
    monkeypatch.setattr(recordings, "_CHUNK", rows_a_chunk)
    got = read_trials(path)
    assert [len(t.t_s) for t in got] == [len(t.t_s) for t in want] == [3121, 2081]
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a.values, b.values)


def test_a_day_is_handed_on_in_small_batches(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    t = np.arange(400_000) / 52.0
    pl.DataFrame({"t_s": t, **{name: np.zeros(len(t)) for name in recordings.AXES}}).write_parquet(path)
    sizes = [len(batch.t_s) for batch in recordings.batches(path)]
    assert sum(sizes) == len(t)
    assert max(sizes) <= 1 << 17


@pytest.mark.parametrize("name", ["grouvel_sternum/P02.csv.gz", "umafall_chest/s08.csv.gz", "forth_trace/part4.csv.gz"])
def test_published_recordings_split_where_their_trial_changes(name: str) -> None:
    path = real(name)
    frame = pl.read_csv(path)
    trials = read_trials(path)
    assert sum(len(t.t_s) for t in trials) == frame.height
    if "trial" in frame.columns:
        assert [t.trial for t in trials] == frame["trial"].unique(maintain_order=True).to_list()
    assert all((np.diff(t.t_s) >= 0.0).all() for t in trials)


# --- what is refused ----------------------------------------------------------------------------------------------


def _refusal(path: Path) -> str:
    with pytest.raises(RecordingError) as caught:
        read_trials(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def _broken(tmp_path: Path, row: int, column: str, value: str) -> Path:
    """A sound recording but for one value in one line."""
    path = write_csv(tmp_path / "a.csv", standing())
    lines = path.read_text().splitlines()
    fields = lines[row].split(",")
    fields[HEADER.split(",").index(column)] = value
    lines[row] = ",".join(fields)
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    "value", ["nan", "NaN", "inf", "-inf", "", "abc", "1e999", "0x10", "1,5", "1e6"], ids=lambda v: repr(v)
)
def test_a_value_that_is_no_number_is_told_with_its_line(tmp_path: Path, value: str) -> None:
    text = _refusal(_broken(tmp_path, 42, "ay", value))
    assert "line 43" in text
    if value != "1,5":
        assert "column ay" in text


def test_a_gyroscope_in_degrees_is_told_when_it_shows(tmp_path: Path) -> None:
    assert "rad/s" in _refusal(_broken(tmp_path, 10, "gy", "120"))


@pytest.mark.parametrize(
    ("header", "missing"),
    [("t_s,ax,ay,az,gx,gy", "gz"), ("time,ax,ay,az,gx,gy,gz", "t_s"), ("a,b,c", "ax")],
)
def test_a_missing_column_is_named(tmp_path: Path, header: str, missing: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(header + "\n" + ",".join("1" * (header.count(",") + 1)) + "\n")
    text = _refusal(path)
    assert "missing" in text and missing in text


def test_other_things_that_are_not_recordings_are_refused(tmp_path: Path) -> None:
    assert "no such file" in _refusal(tmp_path / "none.csv")
    assert "folder" in _refusal(tmp_path)
    cases = {
        "empty.csv": b"",
        "header.csv": HEADER.encode() + b"\n",
        "one.csv": HEADER.encode() + b"\n0,0,9.8,0,0,0,0\n",
        "semicolon.csv": HEADER.replace(",", ";").encode() + b"\n0;0;9,8;0;0;0;0\n",
        "numbers.csv": b"0,0,9.8,0,0,0,0\n0.02,0,9.8,0,0,0,0\n",
        "twice.csv": (HEADER + ",ax\n0,0,9.8,0,0,0,0,0\n0.1,0,9.8,0,0,0,0,0\n").encode(),
        "binary.csv": bytes(range(256)) * 8,
        "not.csv.gz": b"t_s,ax",
        "not.parquet": b"t_s,ax",
        "torn.parquet": b"PAR1" + bytes(100),
        "short_row.csv": HEADER.encode() + b"\n0,0,9.8,0,0,0,0\n0.02,0,9.8\n",
        "utf16.csv": HEADER.encode("utf-16"),
    }
    for name, data in cases.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert _refusal(path), name


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.999])
def test_a_truncated_gzip_is_refused(tmp_path: Path, keep: float) -> None:
    rows = standing(104.0, 60.0) + np.random.default_rng(1).normal(0, 0.01, (6241, 7)) * [0, 1, 1, 1, 1, 1, 1]
    data = gzip.compress(write_csv(tmp_path / "a.csv", rows).read_bytes())
    path = tmp_path / "a.csv.gz"
    path.write_bytes(data[: int(len(data) * keep)])
    assert "cut short" in _refusal(path)


def test_parquet_with_holes_or_text_is_refused(tmp_path: Path) -> None:
    frame = pl.DataFrame({name: [0.0, 0.02, 0.04] for name in recordings.NEEDED})
    path = tmp_path / "a.parquet"
    frame.with_columns(pl.Series("ay", [1.0, None, 1.0])).write_parquet(path)
    assert "row 2, column ay" in _refusal(path)
    frame.with_columns(pl.Series("ay", ["a", "b", "c"])).write_parquet(path)
    assert "column ay" in _refusal(path)


@pytest.mark.parametrize("at", [2, 100, 207])
@pytest.mark.parametrize("back_s", [0.005, 0.5, 1e3])
def test_time_going_backwards_is_told_with_its_line(tmp_path: Path, at: int, back_s: float) -> None:
    rows = standing()
    rows[at, 0] -= back_s + 0.0193
    assert f"line {at + 2}: time goes backwards" in _refusal(write_csv(tmp_path / "a.csv", rows))


def test_a_single_stamp_of_zero_is_no_new_trial(tmp_path: Path) -> None:
    rows = standing(seconds=20.0)
    rows[500, 0] = 0.0
    assert "time goes backwards" in _refusal(write_csv(tmp_path / "a.csv", rows))


# --- mounting -----------------------------------------------------------------------------------------------------


def test_the_mounting_comes_from_the_manifest_unless_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"sets": {"some": {"up": "-x", "forward": "+z"}, "none": {"up": null}}}')
    for name in ("some", "none"):
        (tmp_path / name).mkdir()
    known = mounting.mounting_for(tmp_path / "some" / "a.csv", None, None)
    assert (str(known), known.origin) == ("up -x, forward +z", "manifest")
    assert str(mounting.mounting_for(tmp_path / "some" / "a.csv", "+x", None)) == "up +x, forward +z"
    assert mounting.mounting_for(tmp_path / "none" / "a.csv", None, None).origin == "default"
    assert str(mounting.mounting_for(tmp_path / "a.csv", None, None)) == "up +y, forward +z"


@pytest.mark.parametrize(("up", "forward"), [("up", "+z"), ("+y", "-y"), ("", "+z"), ("+w", "+z")])
def test_axes_that_make_no_frame_are_refused(tmp_path: Path, up: str, forward: str) -> None:
    with pytest.raises(mounting.MountingError):
        mounting.mounting_for(tmp_path / "a.csv", up, forward)


def test_gravity_that_contradicts_the_axes_names_the_axis_that_it_looks_like() -> None:
    chosen = mounting.mounting_for(Path("a.csv"), "+y", "+z")
    upright = mounting.Upright(np.array([-9.8, 0.5, 0.3]), np.zeros(3), True, 104)
    with pytest.raises(mounting.MountingError, match="--up -x"):
        mounting.frame_of(chosen, upright)


def test_acceleration_in_g_is_told() -> None:
    chosen = mounting.mounting_for(Path("a.csv"), "+y", "+z")
    with pytest.raises(mounting.MountingError, match="looks like g"):
        mounting.frame_of(chosen, mounting.Upright(np.array([0.0, 1.0, 0.0]), np.zeros(3), True, 104))
