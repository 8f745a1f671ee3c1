"""What the wheel holds, and that it gives working commands in an environment where there is nothing else."""

import email
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BASE = {"adafruit-board-toolkit", "jinja2", "platformdirs", "pyserial", "rich", "typer"}
EXTRAS = {"sim", "bench", "parquet", "plot", "fit", "hdf5", "compile", "dask", "soak", "dev", "docs"}


def run(*command: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, env=env, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = run(sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--wheel-dir", folder, ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def metadata(wheel: Path, names: list[str]) -> email.message.Message:
    (name,) = (name for name in names if name.endswith(".dist-info/METADATA"))
    with zipfile.ZipFile(wheel) as archive:
        return email.message_from_bytes(archive.read(name))


def test_wheel_is_pure(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")


def test_wheel_holds_the_three_packages_whole(names: list[str]) -> None:
    for folder in ("firmware/lib/walktall", "host_tools/walktall_host", "simulator/walktall_sim"):
        parent = (ROOT / folder).parent
        for path in (ROOT / folder).rglob("*"):
            # What `make compiled` left there stays there.
            built = path.suffix in (".so", ".pyd") or path.name == "built.json"
            if path.is_file() and "__pycache__" not in path.parts and not built:
                assert path.relative_to(parent).as_posix() in names


def test_wheel_holds_nothing_else(names: list[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"walktall", "walktall_host", "walktall_sim"}
    for name in names:
        assert not re.search(r"(^|/)tests?/|recordings/|\.(pyc|gz|parquet)$|(^|/)test_", name), name


def test_wheel_carries_the_suites_that_check_names(names: list[str]) -> None:
    assert {"walktall_sim/suites/made.toml", "walktall_sim/suites/people.toml"} <= set(names)
    assert "walktall_sim/page.html.j2" in names


def test_wheel_carries_what_belongs_on_a_drive_and_the_libraries_licences(wheel: Path, names: list[str]) -> None:
    """`walktall install` needs no checkout: our root files and the pinned libraries lie in it, byte for byte."""
    from walktall_host import drive

    with zipfile.ZipFile(wheel) as archive:
        for path, data in drive.content().items():
            assert archive.read(f"walktall_host/on_drive/{path}") == data, path
        for path, data in drive.content(plain=True).items():
            if path.parts[:2] == ("lib", "walktall"):
                assert archive.read(str(path.relative_to("lib"))) == data, path
            elif path.suffix == ".py" and len(path.parts) == 1:
                assert archive.read(f"walktall_host/on_drive_plain/{path}") == data, path
    assert sum(name.startswith("walktall_host/on_drive/lib/licenses/") for name in names) == 5


def test_wheel_carries_its_licence(names: list[str], metadata: email.message.Message) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert metadata["License-Expression"] == "MIT"


def test_version_is_stated_in_one_place(metadata: email.message.Message) -> None:
    import walktall

    assert metadata["Version"] == walktall.__version__
    assert "version" not in (ROOT / "pyproject.toml").read_text().split("[project]")[1].split("dynamic")[0]


def test_walkers_install_stays_light(metadata: email.message.Message) -> None:
    required = metadata.get_all("Requires-Dist") or []
    base = {re.split(r"[^A-Za-z0-9_.-]", line)[0].lower() for line in required if "extra ==" not in line}
    assert base == BASE
    assert set(metadata.get_all("Provides-Extra") or []) == EXTRAS


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands that pipx leaves behind."""
    home = tmp_path_factory.mktemp("pipx")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    env |= {
        "PIPX_HOME": str(home / "home"),
        "PIPX_BIN_DIR": str(home / "bin"),
        "PIPX_MAN_DIR": str(home / "man"),
        "PIPX_DEFAULT_BACKEND": "pip",
    }
    done = run(sys.executable, "-m", "pipx", "install", "--quiet", "--python", sys.executable, wheel, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return home / "bin"


def test_pipx_install_gives_both_commands(installed: Path) -> None:
    assert {"walktall", "walktall-sim"} <= {path.stem for path in installed.iterdir()}


def test_walktall_works_in_an_empty_environment(installed: Path) -> None:
    import walktall

    told = run(installed / "walktall", "--version")
    assert told.returncode == 0, told.stderr
    assert walktall.__version__ in told.stdout
    helped = run(installed / "walktall", "--help")
    assert helped.returncode == 0, helped.stderr
    for command in ("ports", "info", "download", "sessions", "report"):
        assert command in helped.stdout


def test_walktall_installs_the_firmware_without_a_checkout(wheel: Path, installed: Path, tmp_path: Path) -> None:
    """On a folder that plays the drive of a new board: what lies there then is what the wheel holds."""
    from walktall import selftest

    (tmp_path / "boot_out.txt").write_text(
        "Adafruit CircuitPython 10.0.3 on 2025-10-17; x\nBoard ID:Seeed_XIAO_nRF52840_Sense\n"
    )
    done = run(installed / "walktall", "install", tmp_path)
    assert done.returncode == 0, done.stderr
    lies = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    del lies["boot_out.txt"]
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    top = "walktall_host/on_drive/"
    wanted = {name.removeprefix(top): data for name, data in held.items() if name.startswith(top)}
    assert lies == wanted
    assert run(installed / "walktall", "install", "--check", tmp_path).returncode == 0
    assert run(installed / "walktall", "install", "--plain", tmp_path).returncode == 0
    package = {path: path.read_bytes() for path in (tmp_path / "lib" / "walktall").rglob("*.py")}
    assert {
        f"walktall/{path.relative_to(tmp_path / 'lib' / 'walktall').as_posix()}": data for path, data in package.items()
    } == {
        name: data
        for name, data in held.items()
        if name.startswith("walktall/") and name.endswith(".py") and name.split("/")[-1] not in selftest.HOST_ONLY
    }
    assert (tmp_path / "code.py").read_bytes() == held["walktall_host/on_drive_plain/code.py"]


def test_the_installed_tool_makes_the_whole_report(installed: Path, tmp_path: Path) -> None:
    """Templates and style sheet travel in the wheel, and no extra is needed."""
    from tests.made_pages import full_walk, walk_of

    walk_of(full_walk(), tmp_path)
    done = run(
        installed / "walktall", "report", "--store", tmp_path / "one.sqlite3", "--html", tmp_path / "walk.html",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "walk.html").read_text()
    assert "Pitch over the walk" in text
    assert "<path d=" in text


def test_walktall_sim_names_the_extra_that_is_missing(installed: Path, tmp_path: Path) -> None:
    told = run(installed / "walktall-sim", "--version")
    assert told.returncode == 0, told.stderr
    done = run(installed / "walktall-sim", "generate", "--minutes", "1", "--seed", "1", "--out", tmp_path / "w.csv")
    assert done.returncode == 2
    assert "walktall[sim]" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
