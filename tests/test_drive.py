"""`make drive` gives a folder that could be copied to a board as it is: what belongs there, and nothing else."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path, PurePosixPath

import pytest
from walktall import selftest
from walktall_host import selftest as host_selftest

from scripts import drive

FIRMWARE = drive.FIRMWARE
PINS = drive.pins((FIRMWARE / "requirements.txt").read_text())
# What CircuitPython has built in, of what is imported outside a `try` that may fail.
BUILT_IN = {
    *(
        "alarm",
        "analogio",
        "array",
        "binascii",
        "board",
        "busio",
        "digitalio",
        "errno",
        "gc",
        "math",
        "microcontroller",
    ),
    *("micropython", "os", "pwmio", "rtc", "storage", "struct", "supervisor", "sys", "time", "usb_cdc", "usb_hid"),
    *("usb_midi", "watchdog"),
}


@pytest.fixture(scope="module")
def files() -> dict[PurePosixPath, bytes]:
    return drive.content()


def of_ours(files: dict[PurePosixPath, bytes]) -> dict[PurePosixPath, bytes]:
    return {
        path: data for path, data in files.items() if path.parts[:2] == ("lib", "walktall") or path.parts[0] != "lib"
    }


def test_plain_our_files_lie_there_as_in_firmware_and_else_made_of_them(files: dict[PurePosixPath, bytes]) -> None:
    ours = of_ours(drive.content(plain=True))
    there = {
        PurePosixPath(path.relative_to(FIRMWARE).as_posix()): path.read_bytes()
        for path in FIRMWARE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    left_out = {
        PurePosixPath("requirements.txt"),
        *(PurePosixPath("lib/walktall", name) for name in selftest.HOST_ONLY),
    }
    assert {path: data for path, data in there.items() if path not in left_out} == ours
    assert set(of_ours(files)) == set(ours)
    for path, data in of_ours(files).items():
        if path.suffix == ".py":
            assert data.startswith(f"# Walktall, made of {path} ".encode())
        else:
            assert data == ours[path]
    assert {path: data for path, data in drive.content(plain=True).items() if path not in ours} == {
        path: data for path, data in files.items() if path not in ours
    }
    assert {str(path) for path in ours if len(path.parts) == 1} == {
        "boot.py",
        "code.py",
        "safemode.py",
        "settings.toml",
    }


def test_the_libraries_are_those_pinned_and_nothing_else_lies_there(files: dict[PurePosixPath, bytes]) -> None:
    assert {name: metadata.version(name) for name in PINS} == PINS
    rest = {path for path in files if path.parts[0] == "lib" and path.parts[1] != "walktall"}
    licences = {path for path in rest if path.parts[1] == "licenses"}
    assert {path.name for path in licences} == {f"{name}.txt" for name in (*PINS, "walktall")}
    assert all(b"Permission is hereby granted, free of charge" in files[path] for path in licences)
    modules = {path.parts[1] for path in rest - licences}
    assert modules == {"adafruit_lsm6ds", "adafruit_bus_device", "adafruit_register", "adafruit_drv2605.py"}
    assert {path.suffix for path in rest - licences} == {".py"}


def test_the_libraries_say_the_version_themselves(files: dict[PurePosixPath, bytes]) -> None:
    """Of those that tell one: the text that a board would show."""
    heads = {
        "adafruit-circuitpython-lsm6ds": "lib/adafruit_lsm6ds/__init__.py",
        "adafruit-circuitpython-busdevice": "lib/adafruit_bus_device/i2c_device.py",
        "adafruit-circuitpython-register": "lib/adafruit_register/i2c_struct.py",
        "adafruit-circuitpython-drv2605": "lib/adafruit_drv2605.py",
    }
    for name, path in heads.items():
        told = re.search(rb'^__version__ = "(.+)"$', files[PurePosixPath(path)], re.MULTILINE)
        assert told and told[1].decode() == PINS[name]


def test_everything_imported_lies_there_or_is_built_in(files: dict[PurePosixPath, bytes]) -> None:
    have = {path.parts[1].removesuffix(".py") for path in files if path.parts[0] == "lib"} | BUILT_IN
    for path, data in files.items():
        if path.suffix != ".py":
            continue
        tree = ast.parse(data)
        tried = {child for node in ast.walk(tree) if isinstance(node, ast.Try) for child in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and not node.level and node.module and node not in tried:
                assert node.module.split(".")[0] in have, f"{path}: {node.module}"
            elif isinstance(node, ast.Import) and node not in tried:
                assert {alias.name.split(".")[0] for alias in node.names} <= have, path


def test_of_the_libraries_all_that_is_imported_lies_there_and_no_more(
    files: dict[PurePosixPath, bytes], tmp_path: Path
) -> None:
    """The modules that the firmware asks for, imported from the drive's own folder; without any file one fails."""
    drive.write(files, tmp_path / "drive")
    names = "adafruit_lsm6ds.lsm6ds3trc, adafruit_lsm6ds.lsm6dsox, adafruit_drv2605"
    # CPython evaluates annotations, the board does not: their types are nothing here.
    code = f"""
import sys, types
for name in ("circuitpython_typing", "circuitpython_typing.device_drivers"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__getattr__ = lambda name: object
sys.path.insert(0, {str(tmp_path / "drive" / "lib")!r})
import {names}
print(*(m.__file__ for m in sys.modules.values() if getattr(m, "__file__", None)), sep="\\n")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    paths = [Path(line) for line in done.stdout.splitlines()]
    drive_folder = tmp_path / "drive"
    loaded = {
        PurePosixPath(path.relative_to(drive_folder).as_posix()) for path in paths if path.is_relative_to(drive_folder)
    }
    there = {path for path in files if path.parts[:2] != ("lib", "walktall") and path.parts[0] == "lib"}
    assert loaded == {path for path in there if path.suffix == ".py"}


def test_the_size_leaves_room_on_the_smallest_drive(files: dict[PurePosixPath, bytes]) -> None:
    assert drive.blocks_bytes(files) <= 256 * 1024
    assert drive.blocks_bytes(drive.content(plain=True)) <= drive.SIZE_MAX_BYTES == 488 * 1024
    assert drive.blocks_bytes({PurePosixPath("a/b"): b"x" * 513, PurePosixPath("c"): b""}) == 3 * 512


def test_the_folder_is_exactly_the_content_whatever_lay_there(
    files: dict[PurePosixPath, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "drive"
    (out / "lib").mkdir(parents=True)
    (out / "lib" / "old.py").write_text("left over")
    for _ in range(2):
        assert drive.main(out) == 0
        lies = {
            PurePosixPath(path.relative_to(out).as_posix()): path.read_bytes()
            for path in out.rglob("*")
            if path.is_file()
        }
        assert lies == files
        assert f"{len(files)} files, " in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["drive"]


def test_the_device_tells_the_same_sources_from_the_folder(tmp_path: Path) -> None:
    drive.main(tmp_path / "drive")
    copied = selftest.source_digest(str(tmp_path / "drive" / "lib" / "walktall"))
    assert copied == host_selftest.expected()[1] != bytes(8)
    drive.main(tmp_path / "drive", plain=True)
    copied = selftest.source_digest(str(tmp_path / "drive" / "lib" / "walktall"))
    assert copied == host_selftest.expected()[2] == selftest.source_digest(str(FIRMWARE / "lib" / "walktall"))


def test_another_version_or_a_touched_file_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(drive.Refused, match=r"4\.6\.3 is installed, 4\.6\.2 is pinned"):
        drive.installed("adafruit-circuitpython-lsm6ds", "4.6.2")
    with pytest.raises(drive.Refused, match="is not installed"):
        drive.installed("adafruit-circuitpython-nothing", "1.0")
    with pytest.raises(drive.Refused, match="does not pin"):
        drive.pins("adafruit-circuitpython-lsm6ds>=4\n")

    read = metadata.PackagePath.read_binary

    def touched(self: metadata.PackagePath) -> bytes:
        return read(self) + (b"#" if self.name == "lsm6dsox.py" else b"")

    monkeypatch.setattr(metadata.PackagePath, "read_binary", touched)
    assert drive.main(tmp_path / "drive") == 1
    assert not (tmp_path / "drive").exists()
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "lsm6dsox.py is not as published" in told


def test_the_environment_pins_what_the_board_gets() -> None:
    """`make venv` installs the same versions, so that `make drive` and all tests run what lies on the drive."""
    project = tomllib.loads((drive.ROOT / "pyproject.toml").read_text())["project"]
    asked = project["optional-dependencies"]["dev"]
    assert {f"{name}=={version}" for name, version in PINS.items()} <= set(asked)


def test_the_script_runs_by_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(drive.ROOT / "scripts" / "drive.py")], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("build/drive: ")
