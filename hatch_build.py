"""What a wheel holds beside the packages: the content of a clip's drive, and on request the compiled twin.

The firmware is made compact here, once (walktall_host.compact), so that every computer installs the same bytes on a
clip. With WALKTALL_COMPILE=1 a build also compiles the simulator's twin of the detection chain (walktall_sim.twin);
without it the wheel is pure. An editable install gets the twin's modules beside their types, and makes the drive's
content as it is asked for.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WANTED = os.environ.get("WALKTALL_COMPILE", "0") not in ("", "0")


def _load(path: Path) -> ModuleType:
    """A module of this checkout by its file: nothing is installed yet."""
    spec = importlib.util.spec_from_file_location(f"walktall_hatch_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def drive_files(root: Path) -> dict[str, Path]:
    """Our Python files of the drive made compact, in build/on_drive, by their names on the drive."""
    work = _load(root / "host_tools" / "walktall_host" / "compact.py")
    firmware = root / "firmware"
    made = work.of_folders(firmware, firmware / "lib" / "walktall", root / "vendor")
    target = root / "build" / "on_drive"
    found = {}
    for name, text in made.files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        found[str(name)] = path
    return found


class Made(BuildHookInterface):  # type: ignore[type-arg]
    """Adds what is made of the sources."""

    def dependencies(self) -> list[str]:
        """What compiling needs beside a C compiler."""
        return ["cython>=3.1,<4", "setuptools"] if WANTED else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make and compile before the wheel is put together."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        if version != "editable":
            for name, path in drive_files(root).items():
                build_data["force_include"][str(path)] = f"walktall_host/on_drive/{name}"
        if not WANTED:
            return
        work = _load(root / "simulator" / "walktall_sim" / "twin" / "build.py")
        if version == "editable":
            work.build()
            return
        target = root / "build" / "twin"
        target.mkdir(parents=True, exist_ok=True)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        for path in work.build(target):
            build_data["force_include"][str(path)] = f"walktall_sim/twin/{path.name}"
