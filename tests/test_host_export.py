"""What is taken out: the same numbers in every format, under names that stay, in files that are whole or not there."""

import csv
import io
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from walktall import records
from walktall_host import columns, export, fitfile
from walktall_host.store import Store

from tests.desk_device import DAY_S, UTC_S, Desk
from tests.host_clip import on_socket
from tests.test_host_cli import one_line, run

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "export.md"
GOLDEN = ROOT / "tests" / "golden" / "export_columns.txt"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of three dated walks and an undated one."""
    path = tmp_path_factory.mktemp("store") / "s.sqlite3"
    desk = Desk()
    for n in range(3):
        desk.record(
            600 + n,
            utc_s=UTC_S + n * DAY_S,
            good_s=400,
            forward_s=100 + n,
            still_s=100,
            walking_s=500 + n,
            steps=901 + n,
            cadence_mean_spm=107,
            pitch_mean_cdeg=-150 + n,
            buzzes=n,
            answered=n,
            lean_events=n,
            calibration_quality=90,
        )
    desk.record(900, utc_s=0, boot=7, start_uptime_s=5)
    with on_socket(desk) as port:
        from walktall_host.cli import main

        assert main(["download", "--port", port, "--store", str(path), "--quiet"]) == 0
    return path


def exported(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    status, out, err = run(capsys, "export", *arguments)
    assert status == 0, err
    return out


def test_every_format_holds_the_same_values(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import polars

    text = exported(capsys, "sessions", "--store", path)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["wear_s"] for row in rows] == ["600", "601", "602", "900"]
    assert list(rows[0]) == [column.name for column in columns.SESSIONS]
    exported(capsys, "sessions", "--store", path, "--out", tmp_path / "s.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    exported(capsys, "sessions", "--store", path, "--out", tmp_path / "s.parquet")
    frame = polars.read_parquet(tmp_path / "s.parquet")
    assert frame.to_dicts() == lines
    for line, row in zip(lines, rows, strict=True):
        assert {name: "" if value is None else str(value) for name, value in line.items()} == row
    for column in columns.SESSIONS:
        told = frame.schema[column.name]
        assert told == {"integer": polars.Int64, "number": polars.Float64, "text": polars.String}[column.kind]


def test_values_are_the_stores_own_and_what_is_not_known_is_empty(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store.to_read(path) as store:
        sessions = {session.number: session for session in store.sessions()}
    rows = [
        json.loads(line) for line in exported(capsys, "sessions", "--format", "jsonl", "--store", path).splitlines()
    ]
    for row in rows:
        session = sessions[row["session"]]
        assert {name: row[name] for name in session.values} == session.values
        assert row["judged_s"] + row["left_out_s"] == row["wear_s"]
    dated, undated = rows[0], rows[-1]
    assert dated["begin_unix_s"] == UTC_S + records.EPOCH_UNIX_S
    assert dated["begin"].startswith("2026-03-01T")
    assert (undated["begin"], undated["begin_unix_s"], undated["begin_source"]) == (None, None, "undated")
    nothing = {**sessions[1].values, **dict.fromkeys(("good_s", "forward_s", "back_s", "side_s"), 0)}
    object.__setattr__(sessions[1], "values", nothing)
    assert columns.session_row(sessions[1])["upright_pct"] is None


def test_one_session_or_the_last_ones(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, numbers in ((("--session", "2"), ["2"]), (("--last", "2"), ["3", "4"])):
        text = exported(capsys, "sessions", *arguments, "--store", path)
        assert [row["session"] for row in csv.DictReader(io.StringIO(text))] == numbers


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sessions", "--session", "77"], "no session 77"),
        (["sessions", "--session", "1", "--last", "1"], "exclude each other"),
        (["sessions", "--device", "zz"], "no clip zz"),
        (["sessions", "--out", "{tmp}/there.csv"], "is there already"),
        (["sessions", "--out", "{tmp}"], "is a folder"),
        (["sessions", "--out", "{tmp}/x.xls"], "which format?"),
        (["sessions", "--out", "{tmp}/none/x.csv"], "cannot be written"),
        (["sessions", "--format", "parquet"], "Parquet is for files"),
        (["fit"], "FIT is for files"),
        (["fit", "--out", "{tmp}/all.fit"], "4 walks are meant"),
        (["fit", "--session", "4", "--out", "{tmp}/undated.fit"], "undated"),
        (["photos"], "photos"),
        (["sessions", "--store", "{tmp}/empty.sqlite3"], "there is no store"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_one_line_and_writes_nothing(
    arguments: list[str], words: str, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there.csv").write_text("mine")
    arguments = [a.replace("{tmp}", str(tmp_path)) for a in arguments]
    if "--store" not in arguments:
        arguments += ["--store", str(path)]
    status, out, err = run(capsys, "export", *arguments)
    assert (status, out) == (2, "")
    assert words in one_line(err)
    assert [each.name for each in tmp_path.iterdir()] == ["there.csv"]
    assert (tmp_path / "there.csv").read_text() == "mine"


def test_a_file_is_whole_or_as_it_was(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "s.csv"
    out.write_text("before")

    def breaks(*_: object) -> Iterator[dict[str, columns.Value]]:
        raise KeyboardInterrupt
        yield {}

    monkeypatch.setattr(export, "_table", breaks)
    assert run(capsys, "export", "sessions", "--out", out, "--force", "--store", path)[0] == 130
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]
    monkeypatch.undo()
    exported(capsys, "sessions", "--out", out, "--force", "--store", path)
    assert out.read_text().startswith("session,device_id,")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("command", [["export", "sessions", "--force", "--out"], ["report", "--html"]])
def test_a_link_is_followed_and_a_pipe_written_to(
    command: list[str], path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, link, pipe = (tmp_path / name for name in ("kept.html", "link.csv", "pipe.csv"))
    link.symlink_to(kept)  # which leads nowhere yet
    for _ in range(2):
        assert run(capsys, *command, link, "--store", path)[0] == 0
        assert link.is_symlink() and kept.stat().st_size > 100
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    assert run(capsys, *command, pipe, "--store", path)[0] == 0
    reader.join(10)
    assert pipe.is_fifo()
    # A page says when it was made: its minute.
    assert len(read[0]) == kept.stat().st_size
    assert sorted(each.name for each in tmp_path.iterdir()) == ["kept.html", "link.csv", "pipe.csv"]


def test_a_null_device_stays_one_and_asks_for_no_force(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    null = Path(os.devnull)
    assert run(capsys, "export", "sessions", "--format", "csv", "--out", null, "--store", path)[0] == 0
    assert null.is_char_device()


@pytest.mark.parametrize(
    ("module", "arguments", "words"),
    [
        ("polars", ["sessions", "--out", "{tmp}/s.parquet"], "walktall[parquet]"),
        ("fit_tool", ["fit", "--out", "{tmp}/walks"], "walktall[fit]"),
    ],
)
def test_an_extra_that_is_missing_is_named_in_one_line(
    module: str,
    arguments: list[str],
    words: str,
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, module, None)
    arguments = [a.replace("{tmp}", str(tmp_path)) for a in arguments]
    status, _, err = run(capsys, "export", *arguments, "--store", path)
    assert status == 2
    assert words in one_line(err)
    assert list(tmp_path.iterdir()) == []


# --- FIT -------------------------------------------------------------------------------------------------------------


def decoded(path: Path) -> dict[str, list[dict[str, Any]]]:
    """A FIT file by Garmin's own decoder."""
    from garmin_fit_sdk import Decoder, Stream  # type: ignore[import-untyped]

    assert Decoder(Stream.from_file(str(path))).check_integrity()
    messages, errors = Decoder(Stream.from_file(str(path))).read()
    assert errors == []
    found: dict[str, list[dict[str, Any]]] = messages
    return found


def own(messages: dict[str, list[dict[str, Any]]], message: dict[str, Any]) -> dict[str, Any]:
    """The developer fields of a message by name."""
    names = {field["key"]: field["field_name"] for field in messages["field_description_mesgs"]}
    return {names[key]: value for key, value in message.get("developer_fields", {}).items()}


def test_a_walk_as_fit_is_what_garmins_decoder_reads(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exported(capsys, "fit", "--session", "3", "--out", tmp_path / "walk.fit", "--store", path)
    messages = decoded(tmp_path / "walk.fit")
    (file_id,) = messages["file_id_mesgs"]
    assert (file_id["type"], file_id["manufacturer"]) == ("activity", "development")
    (session,) = messages["session_mesgs"]
    begin = UTC_S + 2 * DAY_S + records.EPOCH_UNIX_S
    assert session["start_time"].timestamp() == begin
    assert session["timestamp"].timestamp() == begin + 602
    assert (session["sport"], session["total_elapsed_time"]) == ("walking", 602.0)
    assert (session["total_cycles"], session["avg_cadence"]) == (903 // 2, 53)
    told = own(messages, session)
    assert told["judged_time"] == 502
    assert told["buzzes"] == 2
    assert told["upright_share"] == pytest.approx(80.0, abs=0.5)
    assert told["mean_pitch"] == pytest.approx(-1.48)
    assert [event["event_type"] for event in messages["event_mesgs"]] == ["start", "stop_all"]
    assert len(messages["activity_mesgs"]) == len(messages["lap_mesgs"]) == 1
    # No place is claimed, and no speed or distance.
    said = {key for found in messages.values() for message in found for key in message}
    assert not {
        key for key in said if isinstance(key, str) and ("position" in key or "distance" in key or "speed" in key)
    }
    units = {field["field_name"]: field.get("units", "") for field in messages["field_description_mesgs"]}
    assert units["pitch"] == units["mean_pitch"] == "deg"


def test_walks_as_fit_go_into_a_folder_a_file_each_and_undated_ones_are_told(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "walks"
    status, _, err = run(capsys, "export", "fit", "--out", folder, "--store", path)
    assert status == 0
    assert "1 session left out: undated" in err
    assert len(list(folder.glob("walk-2026-03-*-[123].fit"))) == 3
    status, _, err = run(capsys, "export", "fit", "--last", "2", "--out", folder, "--store", path)
    assert status == 2
    assert "is there already" in err
    assert run(capsys, "export", "fit", "--out", folder, "--force", "--store", path)[0] == 0


# --- names that stay -------------------------------------------------------------------------------------------------


def names() -> dict[str, list[str]]:
    found = {name: [column.name for column in table] for name, table in columns.TABLES.items()}
    fields = (*fitfile.RECORD_FIELDS, *fitfile.SESSION_FIELDS)
    return found | {"fit": [f"{name} {unit} {base}".replace("  ", " ") for name, unit, base, _ in fields]}


def test_names_of_columns_stay(request: pytest.FixtureRequest) -> None:
    """A column that was once exported has its name for ever; new ones are added."""
    told = "".join(f"{table}: {name}\n" for table, found in names().items() for name in found)
    if request.config.getoption("--rewrite"):
        before = GOLDEN.read_text().splitlines() if GOLDEN.exists() else []
        assert set(before) <= set(told.splitlines()), "a name may not go"
        GOLDEN.write_text(told)
        return
    assert GOLDEN.read_text() == told, "new columns: pytest tests/test_host_export.py --rewrite"


def table_of(name: str) -> str:
    if name == "fit":
        rows = ["| developer field | unit | type | of |", "| --- | --- | --- | --- |"]
        for of, fields in (("each second", fitfile.RECORD_FIELDS), ("the walk", fitfile.SESSION_FIELDS)):
            rows += [f"| `{field}` | {unit} | {base} | {of} |" for field, unit, base, _ in fields]
        return "\n".join(rows)
    rows = ["| column | unit | type | meaning |", "| --- | --- | --- | --- |"]
    rows += [f"| `{c.name}` | {c.unit} | {c.kind} | {c.meaning} |" for c in columns.TABLES[name]]
    return "\n".join(rows)


@pytest.mark.parametrize("name", [*columns.TABLES, "fit"])
def test_the_page_tells_every_column(name: str, request: pytest.FixtureRequest) -> None:
    begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
    head, rest = PAGE.read_text().split(begin)
    told, tail = rest.split(end)
    if request.config.getoption("--rewrite"):
        PAGE.write_text(f"{head}{begin}{table_of(name)}\n{end}{tail}")
        return
    assert told.strip() == table_of(name), "run: pytest tests/test_host_export.py --rewrite"


def test_every_column_has_a_meaning_and_no_name_comes_twice() -> None:
    for table in columns.TABLES.values():
        assert all(column.meaning for column in table)
        assert len({column.name for column in table}) == len(table)


def test_a_pipe_that_closes_is_no_error(path: Path) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        f"{sys.executable} -m walktall_host export sessions --store {path} | head -1; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("session,")
