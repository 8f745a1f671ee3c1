"""The on-device virtual machine: MicroPython's WebAssembly build, whose small ints are the board's 31 bits.

A script of ``exercises`` is run unchanged by CPython and by this machine; what both print has to be the same, line for
line. A machine that is missing fails the tests: without it nobody knows whether the firmware runs on a board.
"""

import importlib.util
import json
import os
import subprocess
import sys
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


@dataclass(frozen=True)
class Machine:
    """Both interpreters for the same script.

    :param Path vectors: the folder of test vectors, the scripts' working directory
    """

    vectors: Path
    mounts: Sequence[tuple[Path, str]] = field(default_factory=tuple)

    def micropython(
        self, script: str, *, call: str = "", times: int = 0, heap_bytes: int = HEAP_BYTES, driver: bool = False
    ) -> str:
        """What a script of ``exercises`` prints under MicroPython.

        :param str call: an expression evaluated after the script, each time from outside the machine
        :param int times: how often
        :param bool driver: put the Adafruit driver beside the firmware
        """
        node = find_node()
        if node is None or not PACKAGE.is_dir():
            raise MachineMissing("MicroPython's WebAssembly build is not installed: run `make venv`")
        mounts = [(FIRMWARE_LIB, "/lib"), (EXERCISES, "/exercises"), (self.vectors, "/vectors"), *self.mounts]
        if driver:
            mounts += driver_folders()
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
