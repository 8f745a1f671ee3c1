"""The on-device virtual machine: MicroPython's WebAssembly build, whose small ints are the board's 31 bits.

A script of ``exercises`` is run unchanged by CPython and by this machine; what both print has to be the same, line for
line. A machine that is missing fails the tests: without it nobody knows whether the firmware runs on a board.
"""

import ast
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.vm.install import PACKAGE, find_node

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FIRMWARE_LIB = ROOT / "firmware" / "lib"
EXERCISES = HERE / "exercises"
# The heap of the reference board after the SoftDevice, stack and statics is about 190 KiB of 4-byte words; the
# WebAssembly build has 4-byte words too.
HEAP_BYTES = 192 * 1024
TIMEOUT_S = 120


class MachineMissing(AssertionError):
    """MicroPython or Node is not installed: `make venv` does it."""


class ExerciseFailed(AssertionError):
    """A script raised; the message is its traceback."""


def driver_folders() -> list[tuple[Path, str]]:
    """The Adafruit driver and what it imports, as installed, to be copied beside the firmware."""
    folders = []
    for name in ("adafruit_lsm6ds", "adafruit_bus_device", "adafruit_register"):
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            raise MachineMissing(f"{name} is not installed: run `make venv`")
        folders.append((Path(next(iter(spec.submodule_search_locations))), f"/lib/{name}"))
    return folders


def without_docstrings(source: str) -> str:
    """A module as CircuitPython keeps it: each docstring a `pass`, lines as they were.

    This build of MicroPython holds the docstrings of modules and classes in memory (MICROPY_ENABLE_DOC_STRING = 1),
    CircuitPython does not (0 in its py/circuitpy_mpconfig.h); its parser drops them before they are code.
    """
    lines = source.split("\n")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            told = node.body[0]
            assert told.end_lineno is not None
            lines[told.lineno - 1 : told.end_lineno] = [""] * (told.end_lineno - told.lineno + 1)
            lines[told.lineno - 1] = " " * told.col_offset + "pass"
    return "\n".join(lines)


def copy_without_docstrings(mounts: Sequence[tuple[Path, str]], into: Path) -> list[tuple[Path, str]]:
    """The same mounts, their modules copied into a folder as CircuitPython keeps them."""
    copied = []
    for number, (folder, target) in enumerate(mounts):
        here = into / str(number)
        for path in folder.rglob("*.py"):
            if "__pycache__" not in path.parts:
                there = here / path.relative_to(folder)
                there.parent.mkdir(parents=True, exist_ok=True)
                there.write_text(without_docstrings(path.read_text(encoding="utf-8")), encoding="utf-8")
        copied.append((here, target))
    return copied


@dataclass(frozen=True)
class Machine:
    """Both interpreters for the same script.

    :param Path vectors: the folder of test vectors, the scripts' working directory
    """

    vectors: Path
    mounts: Sequence[tuple[Path, str]] = field(default_factory=tuple)

    def micropython(
        self,
        script: str,
        *,
        call: str = "",
        times: int = 0,
        heap_bytes: int = HEAP_BYTES,
        driver: bool = False,
        docstrings: bool = True,
    ) -> str:
        """What a script of ``exercises`` prints under MicroPython.

        :param str call: an expression evaluated after the script, each time from outside the machine
        :param int times: how often
        :param bool driver: put the Adafruit driver beside the firmware
        :param bool docstrings: False where memory is measured: see `without_docstrings`
        """
        node = find_node()
        if node is None or not PACKAGE.is_dir():
            raise MachineMissing("MicroPython's WebAssembly build is not installed: run `make venv`")
        libraries = [(FIRMWARE_LIB, "/lib"), *(driver_folders() if driver else ())]
        rest = [(EXERCISES, "/exercises"), (self.vectors, "/vectors"), *self.mounts]
        if docstrings:
            return self._micropython(node, script, [*libraries, *rest], call, times, heap_bytes)
        with tempfile.TemporaryDirectory() as folder:
            bare = copy_without_docstrings(libraries, Path(folder))
            return self._micropython(node, script, [*bare, *rest], call, times, heap_bytes)

    def _micropython(
        self, node: Path, script: str, mounts: list[tuple[Path, str]], call: str, times: int, heap_bytes: int
    ) -> str:
        request = {
            "mounts": [[str(source), target] for source, target in mounts],
            "path": ["", "/lib", "/exercises"],
            "script": f"/exercises/{script}.py",
            "heap_bytes": heap_bytes,
            "call": call,
            "times": times,
        }
        command = [str(node), str(HERE / "runner.mjs")]
        return self._run(command, script, json.dumps(request), dict(os.environ))

    def cpython(self, script: str) -> str:
        """What the same script prints under this CPython."""
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join((str(FIRMWARE_LIB), str(EXERCISES))))
        return self._run([sys.executable, str(EXERCISES / f"{script}.py")], script, "", environment)

    def _run(self, command: list[str], script: str, given: str, environment: dict[str, str]) -> str:
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            cwd=self.vectors,
            env=environment,
            timeout=TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise ExerciseFailed(f"{script} under {Path(command[0]).name}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout
