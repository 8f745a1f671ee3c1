"""Builds the compiled twin: the very firmware files, by Cython, with the types that stand beside this file.

``python -m walktall_sim.twin.build`` (or ``make compiled``) puts the extension modules into this folder, where
`walktall_sim.engine` finds them. Needed: Cython (``walktall[compile]``) and a C compiler.

The sources are not touched. What makes them quick is told beside them:

* the ``.pxd`` files give the types of attributes, arguments and results: C ints, which hold all that 31-bit small ints
  hold (promise 2), and views of the standing arrays. :func:`differences` tells what they lack against their sources.
* constants made by ``const()`` are folded into the code that uses them, as MicroPython's compiler does.

Floor division, shifts of negative numbers and indices from the end stay those of Python. That an index
misses an array is not looked for each time: ``--checked`` makes a twin that does look, for tests.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
PACKAGE = "walktall_sim.twin"
#: Compiled, in the order of their imports.
MODULES = ("fixmath", "tilt", "gait", "motion", "events", "coach", "calibrate", "detector", "session", "chain")
OWN = "burst"
BUILT = "built.json"
# -fwrapv: an overflow, which promise 2 rules out, would wrap and not be undefined.
FLAGS = [
    "-fwrapv",
    "-g0",
    "-fno-semantic-interposition",
    "-Wno-unused-function",
    "-Wno-stringop-overflow",
    "-Wno-maybe-uninitialized",
]


# Views count who holds them by locked instructions, a tenth of a sample's time. The GIL is held throughout, so
# plain ones will do.
VIEWS = """\
#ifndef __cplusplus
#include <stdatomic.h>
#undef atomic_fetch_add_explicit
#define atomic_fetch_add_explicit(at, n, order) ((*(int *)(at) += (n)) - (n))
#undef atomic_fetch_sub_explicit
#define atomic_fetch_sub_explicit(at, n, order) ((*(int *)(at) -= (n)) + (n))
#endif
"""


class BuildError(RuntimeError):
    """The twin cannot be built; the text is one line, or one a difference."""


def firmware_folder() -> Path:
    """Where the sources are: the checkout's, else those of the installed package."""
    checkout = FOLDER.parents[2] / "firmware" / "lib" / "walktall"
    if (checkout / "chain.py").is_file():
        return checkout
    beside = FOLDER.parents[1] / "walktall"
    if (beside / "chain.py").is_file():
        return beside
    raise BuildError("the firmware's sources are not to be found")


def shared(firmware: Path) -> tuple[str, ...]:
    """Modules that the compiled ones import and that stay as they are: the twin sees them under its own package's
    name."""
    found = set()
    for module in MODULES:
        for node in ast.parse((firmware / f"{module}.py").read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                found |= {node.module} if node.module else {one.name for one in node.names}
    return tuple(sorted(name for name in found - {*MODULES} if name))


def digest(firmware: Path, names: Iterable[str]) -> str:
    """What the twin was built from: sources, types and loop; 16 hexadecimal digits."""
    seen = hashlib.sha256()
    for name in names:
        seen.update((firmware / f"{name}.py").read_bytes())
    for path in sorted([*FOLDER.glob("*.pxd"), *FOLDER.glob("*.pyx"), Path(__file__)]):
        seen.update(path.read_bytes())
    return seen.hexdigest()[:16]


# --- types against sources ------------------------------------------------------------------------------------------


def _source_shape(text: str) -> dict[str, dict[str, set[str]]]:
    """Classes of a module: attributes that its methods set, and methods with their arguments (properties left out)."""
    found: dict[str, dict[str, set[str]]] = {}
    for node in ast.parse(text).body:
        if not isinstance(node, ast.ClassDef):
            continue
        attributes: set[str] = set()
        methods: set[str] = set()
        for part in ast.walk(node):
            if (
                isinstance(part, ast.Attribute)
                and isinstance(part.ctx, ast.Store)
                and isinstance(part.value, ast.Name)
                and part.value.id == "self"
            ):
                attributes.add(part.attr)
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and not part.decorator_list and not part.name.startswith("__"):
                methods.add(f"{part.name}({', '.join(a.arg for a in part.args.args)})")
        found[node.name] = {"attribute": attributes, "method": methods}
    return found


def _typed_shape(text: str) -> dict[str, dict[str, set[str]]]:
    """The same of a ``.pxd``."""
    found: dict[str, dict[str, set[str]]] = {}
    where: dict[str, set[str]] | None = None
    text = re.sub(r"\(\s*\n\s*([^)]*?)\s*\n\s*\)", r"(\1)", text)
    for line in text.splitlines():
        if made := re.match(r"cdef class (\w+):", line):
            where = found[made[1]] = {"attribute": set(), "method": set()}
        elif where is not None and (made := re.match(r"    cdef public (?:unsigned |signed )?[\w.\[:\]]+ (.+)", line)):
            where["attribute"] |= {name.strip() for name in made[1].split(",")}
        elif where is not None and (made := re.match(r"    cpdef \w+ (\w+)\((.*)\)", line)):
            names = [part.removesuffix("=*").split()[-1] for part in made[2].split(",")]
            where["method"].add(f"{made[1]}({', '.join(names)})")
    return found


def differences(firmware: Path) -> list[str]:
    """What the ``.pxd`` files lack, or have too much, against the sources; a line each, empty when they agree."""
    told = []
    for module in MODULES:
        typed_path = FOLDER / f"{module}.pxd"
        source = _source_shape((firmware / f"{module}.py").read_text(encoding="utf-8"))
        typed = _typed_shape(typed_path.read_text(encoding="utf-8"))
        for name in sorted(source.keys() | typed.keys()):
            for kind in ("attribute", "method"):
                there = source.get(name, {}).get(kind, set())
                given = typed.get(name, {}).get(kind, set())
                told += [f"{module}.pxd: {name} lacks the {kind} {one}" for one in sorted(there - given)]
                told += [
                    f"{module}.pxd: {name} has the {kind} {one}, which {module}.py does not have"
                    for one in sorted(given - there)
                ]
    return told


# --- constants ------------------------------------------------------------------------------------------------------


def constants(firmware: Path, module: str) -> dict[str, int]:
    """The module's own names that are made by ``const()``."""
    known: dict[str, int] = {}
    for node in ast.parse((firmware / f"{module}.py").read_text(encoding="utf-8")).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Name)
            and node.value.func.id == "const"
        ):
            expression = ast.Expression(node.value.args[0])
            try:
                value = eval(compile(expression, module, "eval"), {"__builtins__": {}}, dict(known))
            except NameError:  # made of another module's: left to be looked up
                continue
            if isinstance(value, int):
                known[node.targets[0].id] = value
    return known


def _aliases(text: str) -> dict[str, str]:
    """Names under which a module imports its siblings: {"e": "events"}."""
    return {
        one.asname or one.name: one.name
        for node in ast.parse(text).body
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module is None
        for one in node.names
    }


def _module(name: str) -> Any:
    """A module of the build tools, which carry no types."""
    return importlib.import_module(name)


def _fold_constants(firmware: Path) -> Any:
    """Have Cython read constants as the numbers that they are, within functions. Returns what undoes it."""
    ExprNodes = _module("Cython.Compiler.ExprNodes")
    Pipeline = _module("Cython.Compiler.Pipeline")
    PostParse = _module("Cython.Compiler.ParseTreeTransforms").PostParse
    VisitorTransform = _module("Cython.Compiler.Visitor").VisitorTransform

    tables = {module: constants(firmware, module) for module in (*MODULES, *shared(firmware))}
    aliases = {module: _aliases((firmware / f"{module}.py").read_text(encoding="utf-8")) for module in MODULES}

    def number(at: Any, value: int) -> Any:
        return ExprNodes.IntNode.for_int(at, value)

    class Fold(VisitorTransform):  # type: ignore[misc, valid-type]
        depth = 0
        module = ""

        def __call__(self, tree: Any) -> Any:
            self.module = str(tree.full_module_name).rpartition(".")[2]
            return super().__call__(tree) if self.module in aliases else tree

        def visit_Node(self, node: Any) -> Any:
            self.visitchildren(node)
            return node

        def visit_FuncDefNode(self, node: Any) -> Any:
            self.depth += 1
            self.visitchildren(node)
            self.depth -= 1
            return node

        def visit_IntNode(self, node: Any) -> Any:
            # Cython's literals are longs, and what is reckoned with them becomes so: a division of longs is slow.
            value = int(str(node.value), 0)
            return number(node.pos, value) if self.depth and value < 1 << 30 else node

        def visit_NameNode(self, node: Any) -> Any:
            value = tables[self.module].get(str(node.name)) if self.depth else None
            return node if value is None else number(node.pos, value)

        def visit_AttributeNode(self, node: Any) -> Any:
            if self.depth and isinstance(node.obj, ExprNodes.NameNode):
                value = tables.get(aliases[self.module].get(str(node.obj.name), ""), {}).get(str(node.attribute))
                if value is not None:
                    return number(node.pos, value)
            self.visitchildren(node)
            return node

    plain = Pipeline.create_py_pipeline

    def folding(*args: Any) -> Any:
        stages = plain(*args)
        at = next(i for i, stage in enumerate(stages) if isinstance(stage, PostParse))
        return [*stages[: at + 1], Fold(), *stages[at + 1 :]]

    Pipeline.create_py_pipeline = folding
    return lambda: setattr(Pipeline, "create_py_pipeline", plain)


# --- building -------------------------------------------------------------------------------------------------------


def build(
    target: Path = FOLDER, firmware: Path | None = None, *, quiet: bool = True, optimise: int = 3, checked: bool = False
) -> list[Path]:
    """Compile into ``target``; the files made there.

    :raises BuildError: types and sources disagree, Cython or the C compiler is missing or fails
    """
    firmware = firmware or firmware_folder()
    told = differences(firmware)
    if told:
        raise BuildError("\n".join(told))
    try:
        # A view's descriptor has room for 8 dimensions, which each call clears on its stack; here 1 is used.
        _module("Cython.Compiler.Options").buffer_max_dims = 2
        cythonize = _module("Cython.Build").cythonize
        setuptools = _module("setuptools")
        BaseError: type[Exception] = _module("setuptools.errors").BaseError
        CompileError: type[Exception] = _module("Cython.Compiler.Errors").CompileError
    except ImportError as error:
        raise BuildError(f"{error.name} is not installed: pip install 'walktall[compile]'") from None
    names = [*MODULES, *shared(firmware)]
    made = digest(firmware, names)
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder) / "walktall_sim" / "twin"
        stage.mkdir(parents=True)
        (stage.parent / "__init__.py").touch()
        (stage / "__init__.py").touch()
        for module in MODULES:
            shutil.copy(firmware / f"{module}.py", stage)
            shutil.copy(FOLDER / f"{module}.pxd", stage)
        shutil.copy(FOLDER / f"{OWN}.pyx", stage)
        files = {**{module: f"{module}.py" for module in MODULES}, OWN: f"{OWN}.pyx"}
        views = Path(folder) / "views.h"
        views.write_text(VIEWS, encoding="utf-8")
        flags = [f"-O{optimise}", *FLAGS, "-include", str(views)]
        unfold = _fold_constants(firmware)
        try:
            os.chdir(folder)
            extensions = cythonize(
                [
                    setuptools.Extension(f"{PACKAGE}.{name}", [f"walktall_sim/twin/{file}"], extra_compile_args=flags)
                    for name, file in files.items()
                ],
                quiet=quiet,
                force=True,
                show_all_warnings=False,
                compiler_directives={
                    "language_level": 3,
                    "infer_types": True,
                    "initializedcheck": False,
                    "boundscheck": checked,
                    "binding": False,
                    "annotation_typing": False,
                },
            )
            made_of = setuptools.Distribution({"ext_modules": extensions, "verbose": not quiet})
            command = made_of.get_command_obj("build_ext")
            command.inplace = True
            command.parallel = os.cpu_count() or 1
            command.ensure_finalized()
            command.run()
        except CompileError as error:
            raise BuildError(f"Cython failed: {error} (--verbose says where)") from None
        except (BaseError, OSError) as error:
            raise BuildError(f"the C compiler failed: {error}") from None
        finally:
            os.chdir(before)
            unfold()
        clean(target)
        found = []
        for path in sorted(stage.iterdir()):
            if path.suffix in (".so", ".pyd"):
                shutil.copy(path, target)
                found.append(target / path.name)
    if len(found) != len(files):
        raise BuildError(f"only {len(found)} of {len(files)} modules were built")
    if digest(firmware, names) != made:
        raise BuildError("the sources changed while they were compiled: build again")
    cython = _module("Cython").__version__
    note = {"digest": made, "sources": names, "python": sys.implementation.cache_tag, "cython": cython}
    (target / BUILT).write_text(json.dumps(note) + "\n", encoding="utf-8")
    return [*found, target / BUILT]


def clean(target: Path = FOLDER) -> None:
    """Take away what was built."""
    for path in [target / BUILT, *target.glob("*.so"), *target.glob("*.pyd")]:
        path.unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(prog="walktall_sim.twin.build", description="Compile the detection chain.")
    parser.add_argument("--check", action="store_true", help="only compare types and sources; 1 when they differ")
    parser.add_argument("--clean", action="store_true", help="take away what was built")
    parser.add_argument("--into", type=Path, default=FOLDER, metavar="FOLDER", help="put the modules there")
    parser.add_argument("--optimise", type=int, default=3, metavar="N", help="how much the C compiler does (3)")
    parser.add_argument("--checked", action="store_true", help="look for indices beyond an array")
    parser.add_argument("--verbose", action="store_true", help="show what Cython and the compiler say")
    given = parser.parse_args(arguments)
    try:
        if given.clean:
            clean(given.into)
        elif given.check:
            told = differences(firmware_folder())
            print("\n".join(told) or "types and sources agree")
            return 1 if told else 0
        else:
            made = build(given.into, quiet=not given.verbose, optimise=given.optimise, checked=given.checked)
            print(f"compiled: {len(made) - 1} modules")
    except BuildError as error:
        print(f"walktall_sim.twin.build: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
