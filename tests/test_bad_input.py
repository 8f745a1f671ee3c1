"""Whatever is wrong with what `walktall-sim` is given: one clear line on standard error, exit status 2."""

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from walktall_sim.cli import run

from tests.sim_files import HEADER, standing, write_csv

Maker = Callable[[Path], Path]


def _lines(change: Callable[[list[str]], list[str]]) -> Maker:
    """A sound recording whose lines are changed."""

    def make(folder: Path) -> Path:
        path = write_csv(folder / "walk.csv", _moving())
        path.write_text("\n".join(change(path.read_text().splitlines())))
        return path

    return make


def _moving(seconds: float = 6.0) -> np.ndarray:
    rows = standing(52.0, seconds)
    rows[:, 1:] += np.random.default_rng(2).normal(0.0, 0.01, rows[:, 1:].shape)
    return rows


def _bytes(name: str, data: bytes) -> Maker:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def _torn_gzip(folder: Path) -> Path:
    data = gzip.compress(write_csv(folder / "walk.csv", _moving(60.0)).read_bytes())
    (folder / "walk.csv.gz").write_bytes(data[: len(data) // 2])
    return folder / "walk.csv.gz"


def _folder(folder: Path) -> Path:
    return folder


def _sideways(folder: Path) -> Path:
    rows = _moving()
    rows[:, [1, 2]] = rows[:, [2, 1]]
    return write_csv(folder / "walk.csv", rows)


def _in_g(folder: Path) -> Path:
    rows = _moving()
    rows[:, 1:4] /= 9.81
    return write_csv(folder / "walk.csv", rows)


def _in_ms(folder: Path) -> Path:
    rows = _moving()
    rows[:, 0] *= 1000.0
    return write_csv(folder / "walk.csv", rows)


FILES: dict[str, tuple[Maker, str]] = {
    "missing file": (lambda folder: folder / "none.csv", "no such file"),
    "folder": (_folder, "folder"),
    "empty file": (_bytes("walk.csv", b""), "empty"),
    "header alone": (_bytes("walk.csv", HEADER.encode()), "no rows"),
    "one row": (_lines(lambda lines: lines[:2]), "one row"),
    "too short for an upright": (_lines(lambda lines: lines[:10]), "upright window"),
    "wrong column": (_lines(lambda lines: [lines[0].replace("gz", "omega"), *lines[1:]]), "gz"),
    "no header": (_lines(lambda lines: lines[1:]), "header"),
    "NaN": (_lines(lambda lines: [*lines[:9], lines[9].replace(",", ",nan,", 1).rsplit(",", 1)[0]]), "line 10"),
    "text": (_lines(lambda lines: [*lines[:9], "a" + lines[9], *lines[10:]]), "line 10"),
    "cut line": (_lines(lambda lines: [*lines[:-1], lines[-1][:9]]), "fields"),
    "time backwards": (_lines(lambda lines: [*lines[:99], lines[101], lines[100], *lines[102:]]), "backwards"),
    "time reversed": (_lines(lambda lines: [lines[0], *lines[:0:-1]]), "backwards"),
    "truncated gzip": (_torn_gzip, "cut short"),
    "not gzip": (_bytes("walk.csv.gz", HEADER.encode()), "not gzip"),
    "not Parquet": (_bytes("walk.parquet", HEADER.encode()), "not a Parquet"),
    "torn Parquet": (_bytes("walk.parquet", b"PAR1" + bytes(40)), "Parquet"),
    "binary": (_bytes("walk.csv", bytes(range(256)) * 9), "not text"),
    "another mounting": (_sideways, "--up +x"),
    "in g": (_in_g, "looks like g"),
    "in milliseconds": (_in_ms, "milliseconds"),
    "absurd value": (_lines(lambda lines: [*lines[:9], lines[9].rsplit(",", 1)[0] + ",900"]), "line 10, column gz"),
}


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one line that a refused command leaves."""
    capsys.readouterr()
    assert run([str(a) for a in arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("walktall-sim: ") and shown.err.endswith("\n") and shown.err.count("\n") == 1
    assert "Traceback" not in shown.err
    return shown.err


@pytest.mark.parametrize("kind", FILES)
def test_a_recording_that_cannot_be_used_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str
) -> None:
    make, hint = FILES[kind]
    path = make(tmp_path)
    text = refused(capsys, "replay", path, "--fast")
    assert hint in text
    assert refused(capsys, "replay", path, "--json") == text
    assert refused(capsys, "serve", path, "--speed", "max") == text
    assert str(path) in text


# `info` describes; mounting, units and length are no fault of the file for it.
@pytest.mark.parametrize(
    "kind",
    [kind for kind in FILES if kind not in {"another mounting", "in g", "in milliseconds", "too short for an upright"}],
)
def test_info_refuses_what_is_no_recording(capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str) -> None:
    make, hint = FILES[kind]
    assert hint in refused(capsys, "info", make(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--up", "up"], "'up'"),
        (["--up", ""], "axis"),
        (["--forward", "+w"], "'+w'"),
        (["--up", "+y", "--forward", "-y"], "one line"),
        (["--upright", "2"], "A:B"),
        (["--upright", "2:1"], "A:B"),
        (["--upright", "a:b"], "A:B"),
        (["--upright", "100:200"], "--upright"),
        (["--set", "hold_s"], "NAME=VALUE"),
        (["--set", "nonsense=1"], "nonsense"),
        (["--set", "hold_s=0"], "hold_s"),
        (["--set", "hold_s=ten"], "hold_s"),
        (["--set", "on_deg=8"], "off_deg"),
        (["--turn", "20"], "DEG@START+SECONDS/RAMP"),
        (["--turn", "20@90+40/-2"], "RAMP"),
        (["--turn", "0@90+40/2"], "DEG"),
        (["--answer", "-1"], "--answer"),
        (["--answer", "nan"], "--answer"),
        (["--answer", "soon"], "--answer"),
        (["--trial", "4"], "no trial"),
        (["--trial", "0"], "no trial"),
        (["--trial", "somebody"], "no trial"),
        (["--chip", "mpu6050"], "lsm6ds3trc"),
        (["--bogus"], "--bogus"),
        (["another"], "another"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_options_that_mean_nothing_are_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], hint: str
) -> None:
    assert hint in refused(capsys, "replay", write_csv(tmp_path / "walk.csv", _moving()), *arguments)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([], "--out"),
        (["--out", "walk.txt"], ".csv"),
        (["--out", "."], ".csv"),
        (["--out", "none/walk.csv"], "no folder"),
        (["--out", "walk.csv", "--minutes", "0"], "--minutes"),
        (["--out", "walk.csv", "--minutes", "-5"], "--minutes"),
        (["--out", "walk.csv", "--minutes", "1e9"], "--minutes"),
        (["--out", "walk.csv", "--minutes", "nan"], "--minutes"),
        (["--out", "walk.csv", "--minutes", "ten"], "--minutes"),
        (["--out", "walk.csv", "--seed", "-1"], "--seed"),
        (["--out", "walk.csv", "--seed", str(2**64 - 1)], f"--seed {2**64 - 1}: must lie within 0 and {2**63 - 1}"),
        (["--out", "walk.csv", "--plan", "swim:10"], "swim"),
        (["--out", "walk.csv", "--plan", ""], "plan"),
        (["--out", "walk.csv", "--plan", "walk:10", "--minutes", "3"], "--plan"),
        (["--out", "walk.csv", "--plan", "walk:99999999"], "24"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_walk_that_cannot_be_made_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    hint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert hint in refused(capsys, "generate", *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--speed", "2"], "--speed"),
        (["--tcp", "70000"], "--tcp"),
        (["--tcp", "0", "--link", "x"], "--link"),
        (["--speed", "max", "--link", "none/clip"], "port"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_port_that_cannot_be_opened_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], hint: str
) -> None:
    assert hint in refused(capsys, "serve", write_csv(tmp_path / "walk.csv", _moving()), *arguments)


@pytest.mark.parametrize(
    "arguments", [[], ["swim"], ["replay"], ["generate", "extra", "--out", "a.csv"], ["--nonsense"]]
)
def test_wrong_use_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    refused(capsys, *arguments)


def test_a_manifest_that_is_none_is_told_unless_the_axes_are_given(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "manifest.json").write_text("{")
    path = write_csv(tmp_path / "set" / "walk.csv", _moving())
    assert "manifest" in refused(capsys, "replay", path)
    assert run(["replay", str(path), "--up", "+y", "--forward", "+z", "--fast"]) == 0


@pytest.mark.parametrize("name", ["polars", "numpy", "adafruit_lsm6ds"])
def test_a_missing_extra_is_named_in_one_line(tmp_path: Path, name: str) -> None:
    path = write_csv(tmp_path / "walk.csv", _moving())
    code = f"import sys; sys.modules[{name!r}] = None\nfrom walktall_sim.cli import run\nsys.exit(run(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "replay", str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr == f"walktall-sim: {name} is not installed: pip install 'walktall[sim]'\n"


@pytest.mark.parametrize("arguments", [["--help"], ["replay", "--help"], ["--version"]])
def test_help_and_version_need_no_extra(arguments: list[str]) -> None:
    code = (
        "import sys\nfor name in ('polars', 'numpy', 'adafruit_lsm6ds'): sys.modules[name] = None\n"
        "from walktall_sim.cli import run\nsys.exit(run(sys.argv[1:]))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_turn_behind_the_recordings_end_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write_csv(tmp_path / "walk.csv", _moving())
    assert run(["replay", str(path), "--fast", "--turn", "20@900+5/1", "20@3+5/1"]) == 0
    (told,) = capsys.readouterr().err.splitlines()
    assert "before the turn at 900 s, which turns nothing" in told


def test_an_answer_to_no_turn_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write_csv(tmp_path / "walk.csv", _moving())
    assert run(["replay", str(path), "--fast", "--answer", "0.5"]) == 0
    assert capsys.readouterr().err == "walktall-sim: --answer: there is no --turn that it could end\n"


def _bash(shell: str) -> tuple[int, str]:
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {shell}"], capture_output=True, check=False, timeout=60)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("as_json", ["", "--json"])
def test_a_reader_who_has_had_enough_is_no_error(tmp_path: Path, as_json: str) -> None:
    path = write_csv(tmp_path / "walk.csv", _moving())
    assert _bash(f"{sys.executable} -m walktall_sim replay {path} {as_json} --fast | true") == (0, "")


@pytest.mark.parametrize("as_json", ["", "--json"])
def test_a_check_that_nobody_reads_still_fails_and_writes_its_files(tmp_path: Path, as_json: str) -> None:
    suite, report = tmp_path / "mine.toml", tmp_path / "report.xml"
    suite.write_text(
        "[[case]]\nname = 'x'\nwalk = { plan = 'stand:6,walk:20', seed = 1 }\nexpect = [{ field = 'steps', is = 1 }]\n"
    )
    check = f"{sys.executable} -m walktall_sim check {suite} {as_json} --jobs 1 --junit {report}"
    assert _bash(f"{check} | true") == (1, "")
    assert b"<failure" in report.read_bytes()


def test_a_full_disk_under_standard_output_is_told_in_one_line(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "walk.csv", _moving())
    assert _bash(f"{sys.executable} -m walktall_sim replay {path} --fast > /dev/full") == (
        2,
        "walktall-sim: standard output: No space left on device\n",
    )
    assert _bash(f"{sys.executable} -m walktall_sim info >&-") == (0, "")
