"""The board's compiler knows less of Python than ruff and CPython do: it is asked about every file of the drive."""

from pathlib import Path

from scripts import drive
from tests.vm.machine import Machine


def test_every_module_of_the_drive_compiles_on_the_board(vectors: Path, tmp_path: Path) -> None:
    files = drive.content()
    drive.write(files, tmp_path / "drive")
    machine = Machine(vectors, mounts=((tmp_path / "drive", "/drive"),))
    told = machine.micropython("compiles", heap_bytes=8 * 1024 * 1024).splitlines()
    assert told == [str(sum(path.suffix == ".py" for path in files))]
