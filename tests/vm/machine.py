"""The on-device virtual machine: MicroPython's WebAssembly build, whose small ints are the board's 31 bits.

A script of ``exercises`` is run unchanged by CPython and by this machine; what both print has to be the same, line for
line. A machine that is missing fails the tests: without it nobody knows whether the firmware runs on a board.
"""

import ast
import atexit
import functools
import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from walktall.selftest import HOST_ONLY
from walktall_host import drive
from walktall_host.compact import translate

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


_STAR = re.compile(r"^from \.(\w+) import \*.*$", re.MULTILINE)


def _by_name(star: re.Match[str]) -> str:
    """What `import *` brings and no other line does, by name: numbers are no names on the drive."""
    module = importlib.import_module(f"walktall.{star[1]}")
    named = set(re.findall(r"\w+", " ".join(re.findall(rf"^from \.{star[1]} import (.*)", star.string, re.MULTILINE))))
    public = sorted(name for name in vars(module) if not name.startswith("_") and name not in named | {"const"})
    return f"from .{star[1]} import {', '.join(public)}"


@functools.cache
def compact_mounts() -> tuple[tuple[Path, str], tuple[Path, str]]:
    """Mounts of our modules as they lie on the drive, and of the scripts by the names that those have; beside them the
    package's other modules, which only a host has, by those names, too."""
    into = Path(tempfile.mkdtemp(prefix="walktall-compact-"))
    atexit.register(shutil.rmtree, into, ignore_errors=True)
    made = drive.made(ROOT)
    files = dict(made.files)
    for name in HOST_ONLY:
        path = PurePosixPath("lib/walktall", name)
        text = (FIRMWARE_LIB / "walktall" / name).read_text(encoding="utf-8")
        files[path] = translate(_STAR.sub(_by_name, text), made, path)
    for path, text in files.items():
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        (into / path).write_text(text, encoding="utf-8")
    scripts = into / "exercises"
    scripts.mkdir()
    for script in EXERCISES.glob("*.py"):
        text = translate(script.read_text(encoding="utf-8"), made)
        (scripts / script.name).write_text(text, encoding="utf-8")
    return (into / "lib", "/lib"), (scripts, "/exercises")


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
        compact: bool = False,
    ) -> str:
        """What a script of ``exercises`` prints under MicroPython.

        :param str call: an expression evaluated after the script, each time from outside the machine
        :param int times: how often
        :param bool driver: put the Adafruit driver beside the firmware
        :param bool docstrings: False where memory is measured: see `without_docstrings`
        :param bool compact: the firmware's files as they lie on the drive, and the scripts by the names that those have
        """
        node = find_node()
        if node is None or not PACKAGE.is_dir():
            raise MachineMissing("MicroPython's WebAssembly build is not installed: run `make venv`")
        drivers = driver_folders() if driver else []
        with tempfile.TemporaryDirectory() as folder:
            ours, scripts = compact_mounts() if compact else ((FIRMWARE_LIB, "/lib"), (EXERCISES, "/exercises"))
            libraries = [ours, *drivers]
            if not docstrings:
                libraries = copy_without_docstrings(libraries, Path(folder))
            mounts = [*libraries, scripts, (self.vectors, "/vectors"), *self.mounts]
            return self._micropython(node, script, mounts, call, times, heap_bytes)

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
