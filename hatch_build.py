"""With WALKTALL_COMPILE=1 a build also compiles the simulator's twin of the detection chain (walktall_sim.twin).

Without it nothing happens, and the wheel is pure. An editable install gets the modules beside their types.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WANTED = os.environ.get("WALKTALL_COMPILE", "0") not in ("", "0")


class CompiledTwin(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the extension modules to the wheel, where they are asked for."""

    def dependencies(self) -> list[str]:
        """What compiling needs beside a C compiler."""
        return ["cython>=3.1,<4", "setuptools"] if WANTED else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel is put together."""
        if not WANTED or self.target_name != "wheel":
            return
        root = Path(self.root)
        folder = root / "simulator" / "walktall_sim" / "twin"
        spec = importlib.util.spec_from_file_location("walktall_twin_build", folder / "build.py")
        assert spec is not None and spec.loader is not None
        work = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(work)
        if version == "editable":
            work.build()
            return
        target = root / "build" / "twin"
        target.mkdir(parents=True, exist_ok=True)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        for path in work.build(target):
            build_data["force_include"][str(path)] = f"walktall_sim/twin/{path.name}"
