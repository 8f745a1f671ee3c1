"""The rules of the house, read from the source: who may import whom, and what the board cannot do."""

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from walktall.selftest import HOST_ONLY

ROOT = Path(__file__).resolve().parent.parent
WALKTALL = ROOT / "firmware" / "lib" / "walktall"
HOST = ROOT / "host_tools" / "walktall_host"
SIM = ROOT / "simulator" / "walktall_sim"

# Imports run one way: a module of `walktall` may import only from layers below its own.
LAYERS = (
    {"fixmath", "ticks", "events", "retained"},
    {"packing", "limits"},
    {"slots", "frames", "rows", "settings"} | {"tilt", "gait", "motion", "calibrate", "buttons", "supply", "coach"},
    {"detector", "records", "meanings", "answers"},
    {"buzz", "session", "wire", "sending"},
    {"chain", "journal", "trace"},
    {"link", "selftest", "retrace"},
    {"telling"},
    {"visit", "resume", "wearing"},
    {"sensing"},
    {"device"},
)
LAYER_OF = {name: level for level, names in enumerate(LAYERS) for name in names}
# Between the sensor's bytes and the motor's duty, once a sample, a tick or a second. `packing`, `frames`, `journal`
# and `link` compute CRC-32 and 32-bit fields, a few times a walk: there an allocation does no harm.
HOT = {"fixmath", "ticks", "tilt", "gait", "detector", "calibrate", "chain", "events", "buzz", "session", "buttons"}
HOT |= {"supply", "coach", "motion", "rows"}
INTEGERS_ONLY = {"fixmath", "ticks", "tilt", "gait", "detector", "calibrate", "chain", "events", "session"} | {"motion"}
# What the host may know of the device: field tables, framing, names of events and boards; `rows` and `retrace` for
# what-if and explained buzzes.
# `selftest` runs the same walk through the same files that the device has, and tells the digest to compare with.
HOST_MAY_IMPORT = {"records", "wire", "settings", "detector", "events", "meanings", "selftest"}
HOST_MAY_IMPORT |= {"boards", "rows", "retrace"}
NO_SUCH_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}


def sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def imported(path: Path) -> Iterator[str]:
    """Absolute dotted names of what a file imports, wherever in it; relative ones keep their leading dots."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            if node.module in (None, "walktall", "walktall_sim", "walktall_host"):
                # `from . import events`, `from walktall import events`: the names are modules, or the package's own.
                joint = "" if start.endswith(".") else "."
                yield from (f"{start}{joint}{alias.name}" for alias in node.names)
            else:
                yield start


def siblings(path: Path) -> set[str]:
    """The modules of `walktall` that one of them imports."""
    names = {name[1:].split(".")[0] for name in imported(path) if name.startswith(".")}
    return names - {"__version__"}


def absolute(paths: list[Path], package: str) -> dict[str, set[Path]]:
    """First names below `package` that the files import, and by which files."""
    found: dict[str, set[Path]] = {}
    for path in paths:
        for name in imported(path):
            parts = name.split(".")
            if parts[0] == package:
                found.setdefault(parts[1] if len(parts) > 1 else "", set()).add(path)
    return found


def module_level(folder: Path) -> list[Path]:
    """The pure modules: those that lie in the package itself, `hw` apart."""
    return [path for path in sources(folder) if path.parent == folder and path.stem != "__init__"]


def test_every_module_of_the_device_has_a_layer() -> None:
    assert {path.stem for path in module_level(WALKTALL)} <= set(LAYER_OF) | {"boards"}


@pytest.mark.parametrize("path", module_level(WALKTALL), ids=lambda path: path.stem)
def test_imports_run_one_way(path: Path) -> None:
    if path.stem == "boards":
        assert siblings(path) <= {"hw"}
        return
    level = LAYER_OF[path.stem]
    upward = {name for name in siblings(path) if LAYER_OF.get(name, len(LAYERS)) >= level}
    assert not upward, f"{path.stem} imports {upward}, which do not lie below it"


def test_imports_inside_walktall_are_relative() -> None:
    assert absolute(sources(WALKTALL), "walktall") == {}


def test_no_board_module_imports_what_boards_lack() -> None:
    """Names, units, words and text are for the host: on a board they would take a sixth of the heap."""
    host_only = {name.removesuffix(".py") for name in HOST_ONLY}
    assert host_only < set(LAYER_OF)
    for path in [*sources(WALKTALL), *(ROOT / "firmware").glob("*.py")]:
        if path.stem not in host_only:
            names = siblings(path) | {name.split(".")[1] for name in imported(path) if name.startswith("walktall.")}
            assert not names & host_only, f"{path.name} imports {names & host_only}"


COPIED = re.compile(r"^# Of `(\w+)`; private.*\n((?:_\w+ = const\(.*\).*\n)+)", re.MULTILINE)


@pytest.mark.parametrize("path", sources(WALKTALL), ids=lambda path: str(path.relative_to(WALKTALL)))
def test_private_copies_of_constants_agree_with_the_module_that_defines_them(path: Path) -> None:
    """A public constant costs a board 30 bytes of heap and two look-ups at each use; a private one is folded."""
    text = path.read_text()
    assert text.count("; private, so that they fold") == len(COPIED.findall(text))
    for home, block in COPIED.findall(text):
        defined = vars(importlib.import_module(f"walktall.{home}"))
        for name, value in re.findall(r"^_(\w+) = const\((\w+)\)", block, re.MULTILINE):
            assert int(value, 0) == defined[name], f"{path.name}: _{name}"


def test_hw_is_imported_only_by_code_boards_and_the_simulators_board() -> None:
    # `record` drives a real sensor on a computer's own I2C bus; `fullpath` has a stand-in for the sensor, with the
    # figures of the real one.
    allowed = {ROOT / "firmware" / "code.py", WALKTALL / "boards.py", SIM / "board.py"}
    allowed |= {SIM / "record.py", SIM / "fullpath.py"}
    by = {path for path in sources(WALKTALL) if "hw" not in path.parts and "hw" in siblings(path)}
    for folder in (SIM, HOST):
        by |= absolute(sources(folder), "walktall").get("hw", set())
    by |= absolute(sorted((ROOT / "firmware").glob("*.py")), "walktall").get("hw", set())
    assert by <= allowed


def test_hw_imports_nothing_of_the_device() -> None:
    above = set(LAYER_OF) - {"ticks"}
    for path in sources(WALKTALL / "hw"):
        names = {name.lstrip(".").split(".")[0] for name in imported(path) if name.startswith("..")}
        assert not names & above, f"{path.name} imports {names & above}"


def test_the_host_knows_only_the_tables_and_the_framing() -> None:
    found = absolute(sources(HOST), "walktall")
    extra = {
        name: [p.name for p in by] for name, by in found.items() if name not in HOST_MAY_IMPORT | {"__version__", ""}
    }
    assert not extra
    assert absolute(sources(HOST), "walktall_sim") == {}


def test_the_simulator_never_imports_the_host() -> None:
    assert absolute(sources(SIM), "walktall_host") == {}


def test_nothing_opens_a_connection_but_to_a_clip() -> None:
    """Nobody's data leaves their computer: of what reaches a network, pyserial's ``socket://`` alone is there."""
    reaching = {"socket", "socketserver", "ssl", "http", "ftplib", "smtplib", "imaplib", "xmlrpc", "asyncio"}
    reaching |= {"webbrowser", "requests", "httpx", "aiohttp", "urllib3", "websockets", "pycurl"}
    for folder, allowed in ((HOST, set()), (WALKTALL, set()), (SIM, {SIM / "serialport.py"})):
        for path in sources(folder):
            found = {name for name in imported(path) if name.partition(".")[0] in reaching or name == "urllib.request"}
            assert not found or path in allowed, f"{path}: {found}"


def test_the_device_imports_neither_host_nor_simulator() -> None:
    for package in ("walktall_host", "walktall_sim"):
        assert absolute(sources(ROOT / "firmware"), package) == {}


def test_the_walkers_install_needs_no_numpy() -> None:
    """The host imports heavy extras only inside the command that needs them."""
    heavy = {"numpy", "polars", "altair", "vl_convert", "dask", "adafruit_lsm6ds", "fit_tool"}
    for path in sources(HOST):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import):
                assert not {alias.name.split(".")[0] for alias in node.names} & heavy, path.name
            elif isinstance(node, ast.ImportFrom) and node.module:
                assert node.module.split(".")[0] not in heavy, path.name


@pytest.mark.parametrize("path", sources(WALKTALL), ids=lambda path: str(path.relative_to(WALKTALL)))
def test_firmware_uses_only_what_circuitpython_has(path: Path) -> None:
    absent = {"typing", "dataclasses", "enum", "functools", "abc", "contextlib", "datetime", "logging", "pathlib"}
    assert not {name.split(".")[0] for name in imported(path)} & absent
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None and not any(arg.annotation for arg in node.args.args), (
                f"annotation, line {line}"
            )
        assert not isinstance(node, (ast.AnnAssign, ast.Match, ast.AsyncFunctionDef)), f"line {line}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            assert name not in ("bit_length", "bit_count", "removeprefix", "removesuffix"), f"{name}, line {line}"
            if name in ("from_bytes", "to_bytes"):
                assert not any(word.arg == "signed" for word in node.keywords), f"signed {name}, line {line}"


@pytest.mark.parametrize("name", sorted(HOT))
def test_hot_code_holds_nothing_that_allocates_by_its_nature(name: str) -> None:
    tree = ast.parse((WALKTALL / f"{name}.py").read_text())
    tree.body = [node for node in tree.body if not (isinstance(node, ast.FunctionDef) and node.name in SELDOM)]
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        assert not isinstance(node, ast.JoinedStr), f"f-string, line {line}"
        assert not isinstance(node, (ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.Lambda, ast.Yield)), (
            f"line {line}"
        )
        assert not isinstance(node, ast.Starred), f"*args, line {line}"
        assert not isinstance(node, ast.Slice), f"slice, line {line}"


# What is called once a wearing, once for an array or at a change of settings may build things.
SELDOM = {"__init__", "configure", "views_of"}


@pytest.mark.parametrize("name", sorted(HOT))
def test_hot_functions_build_no_tuples_or_lists(name: str) -> None:
    """A tuple of variables takes 32 bytes; one of constants none, and `a, b = b, a` none up to three."""
    for function in ast.walk(ast.parse((WALKTALL / f"{name}.py").read_text())):
        if not isinstance(function, ast.FunctionDef) or function.name in SELDOM:
            continue
        swaps = {
            id(node.value)
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Tuple)
            and len(node.targets[0].elts) <= 3
        }
        for node in ast.walk(function):
            place = f"{function.name}, line {getattr(node, 'lineno', 0)}"
            assert not isinstance(node, (ast.List, ast.Dict, ast.Set)), place
            if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and id(node) not in swaps:
                # Upper-case names are const() and fold.
                fixed = (
                    isinstance(part, ast.Constant) or ast.unparse(part).split(".")[-1].isupper() for part in node.elts
                )
                assert all(fixed), place


@pytest.mark.parametrize("name", sorted(INTEGERS_ONLY))
def test_the_signal_path_has_no_floats(name: str) -> None:
    path = WALKTALL / f"{name}.py"
    for node in ast.walk(ast.parse(path.read_text())):
        line = getattr(node, "lineno", 0)
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), f"float, line {line}"
        assert not isinstance(node, ast.Div), f"true division, line {line}"
    assert not {"math"} & set(imported(path))


def test_firmware_folder_is_never_on_the_path() -> None:
    """Its code.py would shadow the standard library's `code`, which pdb imports."""
    assert not [entry for entry in sys.path if entry and Path(entry).resolve() == ROOT / "firmware"]
    import code

    assert Path(code.__file__).resolve() != ROOT / "firmware" / "code.py"


def test_no_module_has_a_name_that_says_nothing() -> None:
    for folder in (ROOT / "firmware", HOST, SIM, ROOT / "tests"):
        for path in sources(folder):
            if "node_modules" not in path.parts:
                assert not ({path.stem, *path.relative_to(ROOT).parent.parts} & NO_SUCH_NAMES), path


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in done.stdout.split("\0") if name]


def test_no_machines_own_paths_or_registries_are_in_the_tree() -> None:
    # Built from parts, or this file would find itself.
    sep = "/"
    words = "|".join(
        (
            sep + "work" + sep,
            sep + "root" + sep,
            sep + "opt" + sep + "(?:wheels|pypi)",
            "registry" + r"\.(?:npmjs|yarnpkg)",
            r"pypi\.(?:org|python\.org)" + sep + "simple",
            "file:" + sep * 3,
            '"resolved"' + ":",
        )
    )
    found = []
    for path in tracked():
        if path.is_file() and path.suffix not in (".png", ".gz", ".parquet", ".pyc"):
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                if re.search(words, line):
                    found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert not found


def test_no_module_exists_twice() -> None:
    """One detector: the files on the board are the files that the simulator runs."""
    names = {path.stem for path in module_level(WALKTALL)}
    for folder in (ROOT / "firmware").glob("*.py"):
        assert folder.stem not in names
    for path in [*sources(SIM), *sources(HOST)]:
        assert path.stem not in (names & INTEGERS_ONLY), (
            f"{path.relative_to(ROOT)} bears the name of a module of the device"
        )


def test_sources_are_not_links() -> None:
    for path in tracked():
        assert not path.is_symlink(), path
