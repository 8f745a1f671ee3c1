"""The files of the drive are the sources but for names, numbers, docstrings and lines; no two names meet; and on people
they judge alike. That the board's own machine agrees, and that `code.py` runs so, tests/test_vm_agrees.py and
tests/test_board_files.py tell."""

from __future__ import annotations

import ast
import gc
import importlib
import os
import subprocess
import symtable
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from walktall import events, wire
from walktall_host import compact, drive
from walktall_sim import turn

from bench import people
from tests import circuitpython_surface as surface
from tests.test_real_people import EVERYBODY, RECORDINGS
from tests.vm.machine import ROOT, compact_mounts
from tests.walking_board import Clip

FIRMWARE = ROOT / "firmware"
MADE = drive.made(ROOT)


def source(path: PurePosixPath) -> str:
    return (FIRMWARE / path).read_text(encoding="utf-8")


# ---- each file against its source -----------------------------------------------------------------------------------


def numbers_of(path: PurePosixPath) -> dict[str, Any]:
    """A module's globals, as Python itself sees them; of the root's files, which only a board can import, its whole
    numbers."""
    if path.parts[0] == "lib":
        dotted = ".".join(path.relative_to("lib").with_suffix("").parts).removesuffix(".__init__")
        try:
            return dict(vars(importlib.import_module(dotted)))
        except ImportError:
            assert path.name == "start.py"  # it imports what only boards have
    found: dict[str, Any] = {"const": int}
    for node in ast.parse(source(path)).body:
        if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Tuple | ast.Dict):
            exec(compile(ast.Module([node], []), str(path), "exec"), found)
    return found


def imported_in(tree: ast.AST, path: PurePosixPath) -> dict[str, Any]:
    """What functions import of ours."""
    found = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not (node.level or (node.module or "").startswith("walktall")):
            continue
        if node.module == "walktall.hw.start":  # it imports what only boards have
            continue
        package = [*path.relative_to("lib").parts[: -node.level]] if node.level else []
        module = importlib.import_module(".".join([*package, *([node.module] if node.module else [])]))
        for alias in node.names:
            # A module may have been let go, and be no attribute of its package.
            whole = f"{module.__name__}.{alias.name}"
            value = vars(module)[alias.name] if alias.name in vars(module) else importlib.import_module(whole)
            found[alias.asname or alias.name] = value
    return found


class Unlike(AssertionError):
    """Where a compact file is not its source."""


def imported(tree: ast.AST, names: dict[str, str]) -> set[tuple[int, str | None, str, str]]:
    """What a file imports from where, and under which name."""
    return {
        (
            node.level if isinstance(node, ast.ImportFrom) else 0,
            node.module if isinstance(node, ast.ImportFrom) else None,
            names.get(alias.name, alias.name),
            names.get(alias.asname or alias.name, alias.asname or alias.name),
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def body_of(nodes: Iterable[ast.stmt], top: bool, here: dict[str, Any], gone: set[str]) -> Iterator[ast.stmt]:
    """Statements that count: no docstring, import, definition of a number that is gone, or stand-in of `const`."""
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Pass):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            continue
        if top and isinstance(node, ast.Try) and "micropython" in ast.unparse(node):
            continue
        if top and isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if type(here.get(name)) is int and name in gone:
                continue
        yield node


def compare(one: Any, other: Any, here: dict[str, Any], gone: set[str], top: bool = False) -> None:
    """Source against compact, node by node."""
    if isinstance(other, ast.Constant) and type(other.value) is int and not isinstance(one, ast.Constant):
        match one:
            case ast.Name(id=name):
                value = here[name]
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                value = getattr(here[module], name)
            case ast.Call(func=ast.Name(id="const")) | ast.BinOp() | ast.UnaryOp():
                value = eval(compile(ast.Expression(one), "", "eval"), dict(here))
            case _:
                raise Unlike(f"{ast.unparse(one)} became {other.value}")
        if type(value) is not int or value != other.value:
            raise Unlike(f"{ast.unparse(one)} is {value!r} and became {other.value}")
        return
    # A negative number is written by a minus.
    if isinstance(other, ast.UnaryOp) and not isinstance(one, ast.UnaryOp) and isinstance(other.operand, ast.Constant):
        compare(one, ast.Constant(-other.operand.value), here, gone)
        return
    if type(one) is not type(other):
        raise Unlike(f"{ast.dump(one)[:80]} became {ast.dump(other)[:80]}")
    for field, value in ast.iter_fields(one):
        told = getattr(other, field)
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            module = top and isinstance(one, ast.Module)
            a = list(body_of(value, module, here, gone))
            b = list(body_of(told, module, here, set()))
            if len(a) != len(b):
                raise Unlike(f"{len(a)} statements became {len(b)} in {ast.unparse(other)[:60]}")
            for first, second in zip(a, b, strict=True):
                compare(first, second, here, gone)
        elif isinstance(value, list):
            assert len(value) == len(told)
            for first, second in zip(value, told, strict=True):
                if isinstance(first, ast.AST):
                    compare(first, second, here, gone)
                elif MADE.names.get(first, first) != second:
                    raise Unlike(f"{first} became {second}")
        elif isinstance(value, ast.AST):
            compare(value, told, here, gone)
        elif field in ("id", "attr", "arg", "name") and isinstance(value, str):
            if MADE.names.get(value, value) != told:
                raise Unlike(f"{value} became {told}")
        elif field not in ("type_comment", "kind") and (type(value) is not type(told) or value != told):
            raise Unlike(f"{value!r} became {told!r}")


def check(path: PurePosixPath, text: str) -> None:
    tree = ast.parse(source(path))
    here = {**imported_in(tree, path), **numbers_of(path)}
    compact_tree = ast.parse(text)
    still = {
        node.targets[0].id
        for node in compact_tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    gone = {name for name in here if MADE.names.get(name, name) not in still}
    compare(tree, compact_tree, here, gone, top=True)
    wrong = imported(compact_tree, {}) - imported(tree, MADE.names)
    if wrong:
        raise Unlike(f"imported from elsewhere, or otherwise: {sorted(map(str, wrong))}")


@pytest.mark.parametrize("path", MADE.files, ids=str)
def test_each_file_is_its_source_but_for_names_numbers_and_docstrings(path: PurePosixPath) -> None:
    check(path, MADE.files[path])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1000000", "1000001"),
        (" < ", " <= "),
        (" += ", " -= "),
        ("return ", "return not "),
        (
            "self.",
            "tilt.",
        ),
    ],
)
def test_a_file_that_is_not_its_source_is_seen(old: str, new: str) -> None:
    path = PurePosixPath("lib/walktall/supply.py")
    text = MADE.files[path]
    assert old in text
    with pytest.raises((Unlike, AssertionError)):
        check(path, text.replace(old, new, 1))


# ---- names ----------------------------------------------------------------------------------------------------------


def meeting(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that have the same one on the drive."""
    found: dict[str, str] = {}
    pairs = []
    for name in sorted(set(names)):
        short = MADE.names.get(name, name)
        if short in found:
            pairs.append((found[short], name))
        found[short] = name
    return pairs


def scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from scopes(child)


@pytest.mark.parametrize("path", MADE.files, ids=str)
def test_in_no_module_and_no_function_do_two_names_meet(path: PurePosixPath) -> None:
    text = source(path)
    dotted = ".".join(path.relative_to("lib").with_suffix("").parts) if path.parts[0] == "lib" else path.stem
    numbers = MADE.numbers[dotted.removesuffix(".__init__")]
    kept = {
        alias.name
        for node in ast.walk(ast.parse(MADE.files[path]))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    gone = {"const", *numbers}
    for node in ast.parse(text).body:  # modules of which numbers alone were wanted
        if isinstance(node, ast.ImportFrom) and not node.module:
            gone |= {alias.asname or alias.name for alias in node.names if alias.name not in kept}
    tree = ast.parse(text)
    tree.body = list(body_of(tree.body, True, {}, set())) + [
        node for node in tree.body if isinstance(node, ast.ImportFrom)
    ]
    for scope in scopes(symtable.symtable(ast.unparse(tree), str(path), "exec")):
        assert meeting(set(scope.get_identifiers()) - gone) == [], scope.get_name()


def test_no_object_of_a_walk_has_two_attributes_that_meet() -> None:
    """All objects of a device that has walked, with a computer, and their classes' members: seen, not reckoned."""
    clip = Clip()
    clip.run_for(30.0)
    clip.hello()
    clip.ask(wire.SELFTEST)
    ours = {compact._module_of(path) for path in MADE.files}
    seen = set()
    for thing in gc.get_objects():
        kind = type(thing)
        if kind.__module__ in ours:
            seen.add(kind.__name__)
            assert meeting({*vars(thing), *dir(kind)} if hasattr(thing, "__dict__") else dir(kind)) == [], kind
    assert seen >= {"Device", "Chain", "Detector", "Journal", "Link", "Visit", "Decoder", "SelfTest"}, seen
    assert clip.device is not None


def test_no_name_that_circuitpythons_objects_have_is_shortened() -> None:
    """In the stubs of the modules that the firmware imports."""
    theirs: set[str] = set()
    modules = set()
    for path in MADE.files:
        for node in ast.walk(ast.parse(source(path))):
            if isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                modules.add(node.module)
    folder = surface.stubs_folder()
    read = 0
    for name in sorted(module for module in modules if (folder / f"{module}-stubs").is_dir()):
        for stub in (folder / f"{name}-stubs").rglob("*.pyi"):
            try:
                theirs |= set(compact._identifiers(ast.parse(stub.read_text(encoding="utf-8"))))
                read += 1
            except SyntaxError:  # a stub in the grammar of a later Python
                continue
    assert read >= 15
    assert set(MADE.names) & theirs == set()
    # None too many, either.
    assert theirs >= compact.OUTSIDE


def test_few_short_names_do_for_all_and_nothing_of_a_person_is_left() -> None:
    assert len(set(MADE.names.values())) < 160 < 1000 < len(MADE.names)
    for path, text in MADE.files.items():
        rest = text.split("\n", 1)[1]
        assert '"""' not in rest and "#" not in "".join(ast.unparse(ast.parse(rest)).split("'")[::2]), path


# ---- what is made ---------------------------------------------------------------------------------------------------

PROGRAM = {
    "lib/walktall/numbers.py": """
        try:
            from micropython import const
        except ImportError:
            def const(value):
                return value
        LIMIT = const(5)
        _TWICE = const(LIMIT * 2)
        LESS = -3
        TABLE = (LIMIT, _TWICE)
        count = 0

        def clamp(value):
            "Never more."
            return LIMIT if value > LIMIT else value

        def shadowed(LIMIT):
            return LIMIT + _TWICE

        def grow():
            global count
            count += LIMIT
            return count
    """,
    "lib/walktall/shapes.py": """
        from . import numbers as n
        from .numbers import LESS, clamp

        class Base:
            size = n.LIMIT

            def __init__(self, width, *, height=LESS):
                self.width = width
                self.height = height

            @property
            def area(self):
                return self.width * self.height

            @area.setter
            def area(self, value):
                self.height = value // self.width

        class Square(Base):
            def __init__(self, side):
                super().__init__(side, height=side)
                self._side = side

            def tell(self):
                def inner(side):
                    return side + self._side
                total = 0
                for side in (1, 2, n.LIMIT):
                    if side % 2:
                        total += inner(side)
                    elif side == LESS:
                        total = 0
                    else:
                        try:
                            total += clamp(side * 9)
                        except (ValueError, TypeError) as fault:
                            print(fault)
                        finally:
                            total += 1
                while total > 100:
                    total -= 1
                else:
                    total += 2
                return total
    """,
    "lib/walktall/rows.py": """
        from .shapes import Base as Root

        ROW = "width_cm=3 depth_cm=LESS"

        class Row(Root):
            def __init__(self, row):
                super().__init__(1)
                self.first = 1
                self.second = 2
                for word in row.split():
                    name, value = word.split("=")
                    setattr(self, name, value)

        class Ring(list):
            def add(self, thing):
                self.append(thing)
                return self

        def told(row, sep):
            width_cm = row.width_cm
            return print(width_cm, row.width, row.depth_cm, row.first, row.second, sep=sep)
    """,
    "code.py": """
        from walktall.shapes import Base, Square
        from walktall import numbers, rows

        square = Square(7)
        square.area = 70
        base = Base(3, height=numbers.LIMIT)
        print(square.tell(), square.area, base.area, Base.size, numbers.TABLE, numbers.shadowed(1))
        print(getattr(base, "width"))
        print(numbers.grow(), numbers.grow(), numbers.LESS, [side for side in range(numbers.LIMIT)], numbers.count)
        print(numbers.LESS ** 2, numbers.LESS.bit_length(), 7 - numbers.LESS, rows.Ring((1,)).add(2))
        rows.told(rows.Row(rows.ROW), sep="-")
        print("{wide} {deep}".format(wide=1, deep=2), dict(wide=3, deep=4))
    """,
}


def written(files: dict[str, str], folder: Path) -> str:
    """What `code.py` of these files prints."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "lib" / "walktall" / "__init__.py").touch()
    done = subprocess.run(
        [sys.executable, "code.py"], cwd=folder, env={**os.environ, "PYTHONPATH": "lib"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_program_says_the_same_made_compact(tmp_path: Path) -> None:
    sources = {PurePosixPath(name): textwrap.dedent(text).encode() for name, text in PROGRAM.items()}
    made = compact.compact(sources, [])
    told = written({str(path): text for path, text in made.files.items()}, tmp_path / "compact")
    assert told == written({str(path): data.decode() for path, data in sources.items()}, tmp_path / "sources")
    assert told.splitlines()[0] == "28 70 15 5 (5, 10) 11"
    assert told.splitlines()[3:] == ["9 2 10 [1, 2]", "3-1-LESS-1-2", "1 2 {'wide': 3, 'deep': 4}"]
    numbers = made.files[PurePosixPath("lib/walktall/numbers.py")]
    assert "const" not in numbers and "LIMIT" not in numbers
    # What stands in a string keeps its name.
    assert "width" not in made.names and "height" in made.names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("from .numbers import *", "line 1: import * is not understood"),
        ("\nprint(f'{1}')", "line 2: JoinedStr is not understood"),
        ("async def go():\n    pass", "AsyncFunctionDef is not understood"),
        ("try:\n    pass\nexcept* OSError:\n    pass", "line 1: TryStar is not understood"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(compact.NotCompact) as refused:
        compact.compact({PurePosixPath("lib/walktall/some.py"): text.encode()}, [])
    assert words in str(refused.value)
    assert str(refused.value).startswith("lib/walktall/some.py, ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("from .middle import LIMIT", "line 1: LIMIT is not walktall.middle's own"),
        ("from . import middle\nprint(middle.far)", "line 2: far is not walktall.middle's own"),
        ("from . import far\n\nfar.LIMIT = 7", "line 3: LIMIT of walktall.far is set from outside"),
    ],
)
def test_what_a_module_only_hands_on_is_refused(text: str, words: str) -> None:
    """It may not have it any more."""
    sources = {
        "far": "LIMIT = 5",
        "middle": "from . import far\nfrom .far import LIMIT\nprint(far, LIMIT)",
        "near": text,
    }
    files = {PurePosixPath(f"lib/walktall/{name}.py"): text.encode() for name, text in sources.items()}
    with pytest.raises(compact.NotCompact) as refused:
        compact.compact(files, [])
    assert str(refused.value) == f"lib/walktall/near.py, {words}"


def test_a_shift_that_cannot_be_is_left_to_the_board() -> None:
    path = PurePosixPath("lib/walktall/some.py")
    made = compact.compact({path: b"def never():\n    return 1 << -1"}, [])
    assert made.files[path].endswith("return 1 << -1\n")


def test_making_it_again_gives_the_same_bytes() -> None:
    again = compact.of_folders(FIRMWARE, FIRMWARE / "lib" / "walktall", ROOT / "vendor")
    assert again == MADE


# ---- on people ------------------------------------------------------------------------------------------------------

JUDGE = """
import sys
from array import array
from walktall import limits
from walktall.chain import Chain
from walktall.motion import views_of

counts = array("h")
with open(sys.argv[1], "rb") as file:
    counts.frombytes(file.read())
settings = limits.Settings()
settings.values[limits.index_of("forward_axis")] = int(sys.argv[2])
chain = Chain(settings)
chain.session.start(1, 1, 0, 0, 4000)
up = [sum(counts[6 * k + 3 + axis] for k in range(104)) // 104 for axis in range(3)]
print(chain.set_upright(up[0], up[1], up[2], 0, 0, 0, 90))
room = array("h", bytes(2 * 6 * 13))
views = views_of(room)
at = 0
n = len(counts) // 6
while n:
    some = counts[at : at + 78]
    room[: len(some)] = some
    taken = chain.burst(views, 0, len(some) // 6)
    at += 6 * taken
    n -= taken
    chain.buzz_request = 0
    ring = chain.ring
    while ring.take():
        print(ring.sample, ring.code, ring.fault, ring.label, ring.value)
print(list(chain.session.fields))
"""


def judged(script: str, lib: Path, counts: Path, forward: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, str(counts), str(forward)],
        env={**os.environ, "PYTHONPATH": str(lib)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_on_people_the_files_of_the_drive_judge_as_the_sources_do(tmp_path: Path) -> None:
    """Three minutes of each, leaning by 20 degrees for 40 s."""
    if not EVERYBODY:
        pytest.skip("../shared/recordings is not beside the project: nothing was tried on real people")
    people.set_root(RECORDINGS)
    buzzes = 0
    for kit, name in EVERYBODY[::3]:
        walk = people.joined(kit, name, 3.0).data
        times = np.arange(-1, len(walk)) / people.HZ
        walk = turn.apply(walk, times, people.frame_of(kit, walk).left, [turn.Turn(20.0, 90.0, 40.0, 2.0)])
        path = tmp_path / f"{kit}-{name}.bin"
        # The FIFO has the rates first.
        path.write_bytes(people.quantised(walk)[:, (3, 4, 5, 0, 1, 2)].tobytes())
        forward = people.mounting_of(kit).forward
        told = judged(JUDGE, FIRMWARE / "lib", path, forward)
        assert judged(compact.translate(JUDGE, MADE), compact_mounts()[0][0], path, forward) == told
        buzzes += sum(line.split()[1] == str(events.BUZZ) for line in told.splitlines()[1:-1])
    assert buzzes >= len(EVERYBODY[::3])
