"""The firmware's files as a board takes them: the same program, without what only people read.

A board keeps every name of a source in its heap for good, parses each module as a whole, and looks a constant of
another module up each time. So the files for the drive are made of ours, by steps that change no meaning:

1. docstrings and comments go;
2. a whole number that a module defines once stands where it is used, in other modules too; its definition goes;
3. names become short ones. One source name has one short name, in all files, wherever it stands: variable, attribute,
   parameter or keyword. Two names share a short one where no module, class or function has both, and a module has few;
4. statements share lines where they may: each line costs a function a byte or two.

What comes from outside keeps its name: whatever we do not define ourselves, what CircuitPython's objects have too
(`OUTSIDE`), what a library has, what stands in a string by itself, and all modules' names.

What it does not do: change an expression, an order, a condition. A file that it does not understand is refused
(`NotCompact`). Why, and what holds the files to the sources: docs/decisions/007-what-lies-on-the-drive.md. Only the
standard library is needed, because the wheel is built by this, too.
"""

import array
import ast
import builtins
import functools
import io
import keyword
import os
import re
import string
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

#: Names of ours that objects of CircuitPython have, too: a test holds them against its stubs.
OUTSIDE = frozenset(
    (
        *("Device", "bits", "calibration", "configure", "connected", "deinit", "edge", "in_waiting", "key", "label"),
        *("path", "phase", "pin", "pull", "scan", "scl", "sda", "tx"),
    )
)

_BUILT_IN = frozenset(dir(builtins)).union(
    *(dir(kind) for kind in (int, str, bytes, bytearray, list, dict, tuple, set, memoryview, BaseException, OSError)),
    *(dir(kind) for kind in (array.array, io.FileIO, io.TextIOWrapper, os.stat_result, property)),
)
_WORD = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")
# `name=` in a row of words, as `boards` has them: an attribute that `setattr` makes of it.
_FIELD = re.compile(r"([A-Za-z_]\w*)=")
#: Our Python files in the drive's root.
ROOTS = ("boot.py", "code.py", "safemode.py")
_PACKAGE = PurePosixPath("lib/walktall")
_SCRIPT = PurePosixPath("script.py")

_Function = ast.FunctionDef | ast.Lambda
_Documented = ast.Module | ast.ClassDef | ast.FunctionDef


class NotCompact(Exception):
    """What in a source cannot be made compact, in one line."""


@dataclass(frozen=True)
class Compact:
    """Files made compact.

    :param files: their text, by path on the drive
    :param names: short names by the names in the sources
    :param numbers: the numbers that stand where they are used, by module and by their names in the sources
    :param local: of `names` those that only variables within functions have: nobody else can see them
    :param members: names in the sources that each class has
    """

    files: dict[PurePosixPath, str]
    names: dict[str, str]
    numbers: dict[str, dict[str, int]]
    local: frozenset[str]
    members: dict[str, frozenset[str]]


def compact(
    sources: Mapping[PurePosixPath, bytes], libraries: Iterable[bytes], beside: Iterable[bytes] = ()
) -> Compact:
    """Make files compact.

    :param sources: our own Python files by their paths on the drive, all of them
    :param libraries: texts of the modules of others that they work with
    :param beside: texts of modules of ours that work with them elsewhere; `translate` fits those to them
    :raises NotCompact: a source uses what is not understood
    """
    trees = {path: ast.parse(data, str(path)) for path, data in sources.items()}
    outside = set().union(*(set(_identifiers(ast.parse(data))) for data in libraries)) | OUTSIDE
    for path, tree in trees.items():
        _refuse(path, tree)
        _drop_docstrings(tree)
    numbers = _fold(trees)
    names = short_names(trees, outside, [ast.parse(data) for data in beside])
    files = {}
    for path, tree in trees.items():
        renamed = _Renamer(names).visit(ast.parse(ast.unparse(tree)))
        # The first line tells a person where to look; `walktall install` knows our code.py by it.
        files[path] = f"# Walktall, made of {path} by `make drive`: docs/install.md\n{_text(renamed)}"
    seen = set().union(*(_seen_from_outside(tree) for tree in trees.values()))
    members = {
        node.name: frozenset(_members(node, {}))
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    return Compact(files, names, numbers, frozenset(set(names) - seen), members)


def of_folders(roots: Path, package: Path, libraries: Path) -> Compact:
    """The firmware made compact.

    :param roots: where `ROOTS` lie
    :param package: the folder of the package `walktall`; what `selftest.HOST_ONLY` names in it is left out
    :param libraries: the folder of the pinned libraries
    :raises NotCompact: see `compact`
    :raises OSError: a file cannot be read
    """
    sources = {PurePosixPath(name): (roots / name).read_bytes() for name in ROOTS}
    beside = []
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package)
        if relative.name in host_only(package):
            beside.append(path.read_bytes())
        elif "__pycache__" not in relative.parts:
            sources[_PACKAGE / relative.as_posix()] = path.read_bytes()
    return compact(sources, [path.read_bytes() for path in sorted(libraries.rglob("*.py"))], beside)


@functools.cache
def host_only(package: Path) -> frozenset[str]:
    """`selftest.HOST_ONLY`, read without importing the package."""
    tree = ast.parse((package / "selftest.py").read_bytes())
    (value,) = (
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "HOST_ONLY"
    )
    return frozenset(ast.literal_eval(value))


def translate(text: str, made: Compact, path: PurePosixPath = _SCRIPT) -> str:
    """A script that uses our modules by the names in the sources, so that it uses compact ones. Its own variables and
    functions keep their names; attributes do not, nor do members of its classes, which may stand in for ours.

    :param path: where it lies, if it is a module of the package that is not on the drive
    :raises NotCompact: two members of one of its classes would have the same name
    """
    tree = ast.parse(text)
    numbers = _fold_into(path, tree, made.numbers)
    if path.is_relative_to(_PACKAGE):
        # Who imports a number from this module still finds it.
        tree.body += ast.parse("\n".join(f"{name} = {value}" for name, value in numbers.items())).body
    names: Mapping[str, str] = {name: short for name, short in made.names.items() if name not in made.local}
    asked = Counter(
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "self")
    )
    for node in [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]:
        members = _members(node, {})
        for one, other in [(a, b) for a in members for b in members if a < b]:
            if names.get(one, one) != names.get(other, other):
                continue
            # One that the class it stands in for does not have is the script's own; of two, the one that is asked for
            # less from outside.
            own = {one, other} - made.members.get(node.name, frozenset())
            if not own:
                raise NotCompact(f"class {node.name}: {one} and {other} would have the same name")
            own = {min(own, key=lambda name: (asked[name], name))}
            names = {name: short for name, short in names.items() if name not in own}
    ours = {_module_of(path) for path in made.files}
    return ast.unparse(_Translator(names, ours, tree, path).visit(tree))


class _Translator(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str], ours: set[str], tree: ast.Module, path: PurePosixPath) -> None:
        self.names = names
        self.ours = ours
        self.path = path
        self.own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        # Modules of the package that are not on the drive.
        self.others = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
            if _source_module(path, node) == "walktall" and f"walktall.{alias.name}" not in ours
        }

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        for inner in node.body:
            if isinstance(inner, ast.FunctionDef):
                inner.name = self.names.get(inner.name, inner.name)
                for decorator in inner.decorator_list:  # @name.setter
                    if isinstance(decorator, ast.Attribute) and isinstance(decorator.value, ast.Name):
                        decorator.value.id = self.names.get(decorator.value.id, decorator.value.id)
        bound = {name.id for name in _class_level(node) if isinstance(name.ctx, ast.Store)}
        for name in _class_level(node):
            if name.id in bound:
                name.id = self.names.get(name.id, name.id)
        self.generic_visit(node)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        self.generic_visit(node)
        if not (isinstance(node.value, ast.Name) and node.value.id in self.others):
            node.attr = self.names.get(node.attr, node.attr)
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if not (isinstance(node.func, ast.Name) and node.func.id in self.own):
            for given in node.keywords:
                given.arg = self.names.get(given.arg, given.arg) if given.arg else None
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if _source_module(self.path, node) in self.ours:
            for alias in node.names:
                short = self.names.get(alias.name)
                if short is not None:
                    alias.asname = alias.asname or alias.name
                    alias.name = short
        return node


# --- writing ---------------------------------------------------------------------------------------------------------


def _text(tree: ast.Module) -> str:
    """A module in as few lines as can be."""
    return "".join(f"{line}\n" for line in _block(tree.body, 0))


def _block(body: list[ast.stmt], depth: int) -> Iterator[str]:
    """Lines of statements that stand in a column."""
    simple: list[str] = []
    for node in body:
        if not hasattr(node, "body"):
            simple.append(ast.unparse(node))
            continue
        if simple:
            yield " " * depth + "; ".join(simple)
            simple = []
        yield from _compound(node, depth)
    if simple:
        yield " " * depth + "; ".join(simple)


def _compound(node: ast.stmt, depth: int) -> Iterator[str]:
    """Lines of a statement that has others in it."""
    match node:
        case ast.If():
            yield from _clause(f"if {ast.unparse(node.test)}:", node.body, depth)
            rest = node.orelse
            while len(rest) == 1 and isinstance(rest[0], ast.If):
                yield from _clause(f"elif {ast.unparse(rest[0].test)}:", rest[0].body, depth)
                rest = rest[0].orelse
            if rest:
                yield from _clause("else:", rest, depth)
        case ast.While():
            yield from _clause(f"while {ast.unparse(node.test)}:", node.body, depth)
            if node.orelse:
                yield from _clause("else:", node.orelse, depth)
        case ast.For():
            yield from _clause(f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}:", node.body, depth)
            if node.orelse:
                yield from _clause("else:", node.orelse, depth)
        case ast.With():
            yield from _clause(f"with {', '.join(map(ast.unparse, node.items))}:", node.body, depth)
        case ast.Try():
            yield from _clause("try:", node.body, depth)
            for handler in node.handlers:
                kind = f" {ast.unparse(handler.type)}" if handler.type else ""
                yield from _clause(f"except{kind}{f' as {handler.name}' if handler.name else ''}:", handler.body, depth)
            if node.orelse:
                yield from _clause("else:", node.orelse, depth)
            if node.finalbody:
                yield from _clause("finally:", node.finalbody, depth)
        case ast.FunctionDef() | ast.ClassDef():
            for decorator in node.decorator_list:
                yield f"{' ' * depth}@{ast.unparse(decorator)}"
            if isinstance(node, ast.FunctionDef):
                head = f"def {node.name}({ast.unparse(node.args)}):"
            else:
                inside = ", ".join([*map(ast.unparse, node.bases), *map(ast.unparse, node.keywords)])
                head = f"class {node.name}({inside}):" if inside else f"class {node.name}:"
            yield from _clause(head, node.body, depth)
        case _:
            raise NotCompact(f"{type(node).__name__} is not understood")


def _clause(head: str, body: list[ast.stmt], depth: int) -> Iterator[str]:
    if any(hasattr(node, "body") for node in body):
        yield " " * depth + head
        yield from _block(body, depth + 1)
    else:
        yield f"{' ' * depth}{head} {'; '.join(map(ast.unparse, body))}"


# --- reading ---------------------------------------------------------------------------------------------------------


def _identifiers(tree: ast.AST) -> Iterator[str]:
    """Every name in a tree, whatever it stands for."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.keyword(arg=str(name)) | ast.ExceptHandler(name=str(name)):
                yield name
            case ast.alias(name=name, asname=other):
                yield from name.split(".")
                if other:
                    yield other
            case ast.ImportFrom(module=str(name)):
                yield from name.split(".")
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                yield from names


_NOT_UNDERSTOOD = (
    *(ast.AsyncFor, ast.AsyncFunctionDef, ast.AsyncWith, ast.JoinedStr, ast.Match, ast.NamedExpr, ast.Nonlocal),
    ast.TryStar,
)


def _refuse(path: PurePosixPath, tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, _NOT_UNDERSTOOD):
            raise NotCompact(f"{path}, line {getattr(node, 'lineno', '?')}: {type(node).__name__} is not understood")
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            raise NotCompact(f"{path}, line {node.lineno}: import * is not understood")


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _drop_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, _Documented) and node.body and _is_text(node.body[0]):
            node.body = node.body[1:] or [ast.Pass()]


def _module_of(path: PurePosixPath) -> str:
    """The dotted name of a file: ``lib/walktall/hw/imu.py`` is ``walktall.hw.imu``."""
    parts = path.with_suffix("").parts
    parts = parts[1:] if parts[0] == "lib" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _source_module(path: PurePosixPath, node: ast.ImportFrom) -> str:
    """The module that a ``from`` names, made absolute."""
    if not node.level:
        return node.module or ""
    package = _module_of(path) if path.name == "__init__.py" else _module_of(path).rpartition(".")[0]
    for _ in range(node.level - 1):
        package = package.rpartition(".")[0]
    return f"{package}.{node.module}" if node.module else package


# --- whole numbers ---------------------------------------------------------------------------------------------------


def _value(node: ast.expr, known: Mapping[str, int]) -> int | None:
    """The whole number that an expression of whole numbers comes to."""
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id=name):
            return known.get(name)
        case ast.Call(func=ast.Name(id="const"), args=[inner], keywords=[]):
            return _value(inner, known)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            number = _value(inner, known)
            return None if number is None else -number
        case ast.BinOp(left=first, op=op, right=second):
            a, b = _value(first, known), _value(second, known)
            if a is None or b is None:
                return None
            match op:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.LShift() if b >= 0:
                    return a << b
                case ast.RShift() if b >= 0:
                    return a >> b
                case ast.BitOr():
                    return a | b
                case ast.FloorDiv() if b:
                    return a // b
    return None


def _is_const_shim(node: ast.stmt) -> bool:
    """``try: from micropython import const`` and what stands in for it on a computer."""
    return (
        isinstance(node, ast.Try)
        and len(node.body) == 1
        and isinstance(node.body[0], ast.ImportFrom)
        and node.body[0].module == "micropython"
        and [alias.name for alias in node.body[0].names] == ["const"]
    )


def _stored(tree: ast.AST) -> list[str]:
    """Names that are bound anywhere in a tree, once for each time."""
    found = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)]
    found += [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)]
    found += [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    found += [node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found += [alias.asname or alias.name.split(".")[0] for alias in node.names]
    return found


def _numbers(tree: ast.Module) -> dict[str, int]:
    """Whole numbers that a module defines by a name bound once in all of it."""
    stored = _stored(tree)
    known: dict[str, int] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            value = _value(node.value, known)
            if value is not None and stored.count(name) == 1:
                known[name] = value
    return known


def _literal(value: int) -> ast.expr:
    """A number as it is written: the minus of a negative one binds less than ``**`` and the dot."""
    return ast.UnaryOp(ast.USub(), ast.Constant(-value)) if value < 0 else ast.Constant(value)


class _Folder(ast.NodeTransformer):
    """Numbers for names.

    :param numbers: of this module's globals
    :param modules: numbers of other modules, by the global name that such a module has here
    """

    def __init__(self, numbers: Mapping[str, int], modules: Mapping[str, Mapping[str, int]]) -> None:
        self.numbers = numbers
        self.modules = modules

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if isinstance(node.ctx, ast.Load) and node.id in self.numbers:
            return ast.copy_location(_literal(self.numbers[node.id]), node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "const" and len(node.args) == 1:
            return node.args[0]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and isinstance(node.ctx, ast.Load):
            value = self.modules.get(node.value.id, {}).get(node.attr)
            if value is not None:
                return ast.copy_location(_literal(value), node)
        self.generic_visit(node)
        return node


def _fold(trees: dict[PurePosixPath, ast.Module]) -> dict[str, dict[str, int]]:
    """Put numbers where their names are used, and drop the definitions: the numbers by module and name."""
    numbers = {_module_of(path): _numbers(tree) for path, tree in trees.items()}
    _refuse_handed_on(trees, numbers)
    for path, tree in trees.items():
        tree.body = [node for node in tree.body if not _is_const_shim(node)]
        _fold_into(path, tree, numbers)
    _drop_definitions(trees, numbers)
    _drop_imports(trees)
    return numbers


def _refuse_handed_on(trees: Mapping[PurePosixPath, ast.Module], numbers: Mapping[str, Mapping[str, int]]) -> None:
    """What a module of ours only has from another one is asked for there: it may not have it any more. Nor does a
    module set another's number.

    :raises NotCompact: one does
    """
    handed: dict[str, set[str]] = {}
    bound: dict[PurePosixPath, dict[str, str]] = {}
    for path, tree in trees.items():
        stored = Counter(_stored(tree))
        brought: Counter[str] = Counter()
        here = bound[path] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                module = _source_module(path, node)
                if module.split(".")[0] == "walktall":
                    brought.update(alias.asname or alias.name for alias in node.names)
                    here.update((alias.asname or alias.name, f"{module}.{alias.name}") for alias in node.names)
        handed[_module_of(path)] = {name for name, times in brought.items() if stored[name] == times}
    for path, tree in trees.items():
        for node in ast.walk(tree):
            asked: list[tuple[str, str]] = []
            if isinstance(node, ast.ImportFrom):
                module = _source_module(path, node)
                asked = [(module, alias.name) for alias in node.names if f"{module}.{alias.name}" not in handed]
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                module = bound[path].get(node.value.id, "")
                asked = [(module, node.attr)]
                if not isinstance(node.ctx, ast.Load) and node.attr in numbers.get(module, {}):
                    raise NotCompact(f"{path}, line {node.lineno}: {node.attr} of {module} is set from outside")
            for module, name in asked:
                if name in handed.get(module, ()):
                    raise NotCompact(f"{path}, line {node.lineno}: {name} is not {module}'s own")  # type: ignore[attr-defined]


def _fold_into(path: PurePosixPath, tree: ast.Module, numbers: Mapping[str, Mapping[str, int]]) -> Mapping[str, int]:
    """Numbers for names in one module: those that were its globals."""
    stored = _stored(tree)
    brought: dict[str, list[tuple[str, str]]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                brought.setdefault(alias.asname or alias.name, []).append((_source_module(path, node), alias.name))
    here = dict(numbers.get(_module_of(path), {}))
    modules: dict[str, Mapping[str, int]] = {}
    for bound, sources in brought.items():
        # More than once the same is the same; a variable of that name would be something else.
        if len(set(sources)) == 1 and stored.count(bound) == len(sources):
            module, name = sources[0]
            if name in numbers.get(module, {}):
                here[bound] = numbers[module][name]
            elif f"{module}.{name}" in numbers:
                modules[bound] = numbers[f"{module}.{name}"]
    _Folder(here, modules).visit(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            node.names = [alias for alias in node.names if (alias.asname or alias.name) not in here]
    _drop_empty(tree)
    return here


def _drop_definitions(trees: Mapping[PurePosixPath, ast.Module], numbers: Mapping[str, Mapping[str, int]]) -> None:
    """Definitions of numbers that nobody asks for by name any more."""
    asked = _words(trees.values())
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                asked.add(node.attr)
            elif isinstance(node, ast.ImportFrom):
                asked |= {alias.name for alias in node.names}
    for path, tree in trees.items():
        here = numbers[_module_of(path)]
        kept = []
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in here:
                if node.targets[0].id not in asked:
                    continue
                node.value = ast.Constant(here[node.targets[0].id])
            kept.append(node)
        tree.body = kept


def _drop_empty(tree: ast.Module) -> None:
    """``from`` that imports nothing any more."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                kept = [inner for inner in block if not isinstance(inner, ast.ImportFrom) or inner.names]
                setattr(node, name, kept if kept or not block else [ast.Pass()])


def _drop_imports(trees: Mapping[PurePosixPath, ast.Module]) -> None:
    """Modules of ours that a module imports at its top and does not use any more."""
    ours = {_module_of(path) for path in trees}
    for path, tree in trees.items():
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        for node in tree.body:
            if isinstance(node, ast.ImportFrom):
                module = _source_module(path, node)
                node.names = [
                    alias
                    for alias in node.names
                    if (alias.asname or alias.name) in used or f"{module}.{alias.name}" not in ours
                ]
        _drop_empty(tree)


# --- names -----------------------------------------------------------------------------------------------------------


def _words(trees: Iterable[ast.Module]) -> set[str]:
    """Names that stand in strings by themselves, dotted ones in parts, or before a ``=``: attributes by name, keywords
    of a dict."""
    found = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= set(_FIELD.findall(node.value))
                if _WORD.match(node.value):
                    found |= set(node.value.split("."))
    return found


def short_names(
    trees: Mapping[PurePosixPath, ast.Module], outside: set[str], others: Iterable[ast.Module] = ()
) -> dict[str, str]:
    """Short names by names: such that no module, class or function has two with the same short one."""
    defined = list(_spaces(trees.values()))
    spaces = list(_spaces([*trees.values(), *others]))
    kept = set(outside) | _BUILT_IN | _words(trees.values())
    for path, tree in trees.items():
        kept |= set(path.with_suffix("").parts) | set(_of_others(tree))
    ours = {
        name
        for name in set().union(*defined)
        if name not in kept and not (name.startswith("__") and name.endswith("__"))
    }
    beside: dict[str, set[str]] = {name: set() for name in ours}
    for space in spaces:
        for name in space & ours:
            beside[name] |= space
    names: dict[str, str] = {}
    looked_up = set().union(*(_seen_from_outside(tree) for tree in trees.values()))
    often = set().union(*(_asked_for_often(tree, _OFTEN.get(path.stem, ())) for path, tree in trees.items()))
    used: Counter[str] = Counter()
    used_often: Counter[str] = Counter()
    # The tables of the modules that have a name: each module keeps one of all that its code names, two bytes an entry.
    tables_of: dict[str, list[set[str]]] = {name: [] for name in ours}
    for tree in trees.values():
        named = _seen_from_outside(tree)
        table = named - ours
        for name in named & ours:
            tables_of[name].append(table)
    # The most crowded first: few short names suffice then.
    for name in sorted(ours, key=lambda name: (-len(beside[name]), name)):
        taken = {names.get(other, "" if other in ours else other) for other in beside[name]}
        free = [short for short in _FREE if short not in taken]
        if not free:
            short = next(short for short in _more() if short not in taken)
        elif name in looked_up:
            # The interpreter remembers where it found a name last: what is looked up often shares its name with nothing
            # else of that kind. The rest takes names that its modules have anyhow, and of others those that few have.
            if name in often:
                short = min(free, key=lambda short: (used_often[short], used[short]))
                used_often[short] += 1
            else:
                short = min(
                    free,
                    key=lambda short: (
                        sum(short not in table for table in tables_of[name]),
                        len(short) > _LONG,
                        used[short],
                    ),
                )
            used[short] += 1
        else:
            short = free[0]
        names[name] = short
        for table in tables_of[name]:
            table.add(short)
    return names


# Functions that run with each tick of a walk, by module.
_OFTEN = {
    "chain": ("burst", "_tick", "judge"),
    "motion": ("take",),
    "gait": ("tick",),
    "detector": ("look", "step"),
}


def _asked_for_often(tree: ast.Module, functions: Collection[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in functions:
            yield from (inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute))


def _of_others(tree: ast.Module) -> Iterator[str]:
    """Names of modules, and what is taken from those that are not ours, with the keywords of calls to it and to what is
    built in."""
    others = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from alias.name.split(".")
                others.add(alias.asname or alias.name.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            yield from (node.module or "").split(".")
            if not node.level and (node.module or "").split(".")[0] != "walktall":
                yield from (alias.name for alias in node.names)
                others |= {alias.asname or alias.name for alias in node.names}
    for node in ast.walk(tree):
        chain = node.func if isinstance(node, ast.Call) else node
        attributes = []
        while isinstance(chain, ast.Attribute):
            attributes.append(chain.attr)
            chain = chain.value
        called = attributes[0] if attributes else getattr(chain, "id", "")
        if isinstance(node, ast.Call) and called in _BUILT_IN and not called.startswith("__"):
            yield from (keyword.arg for keyword in node.keywords if keyword.arg)
        if isinstance(chain, ast.Name) and chain.id in others:
            yield from attributes
            if isinstance(node, ast.Call):
                yield from (keyword.arg for keyword in node.keywords if keyword.arg)


# Names that the interpreter itself has in read-only memory, because it always needs them: as names of ours they cost
# nothing. None of those that it looks for on an object, such as `close`, that decorate, or that its compiler knows
# (`range` in a loop, `super`).
_RESIDENT = (
    *(
        "ArithmeticError",
        "AssertionError",
        "AttributeError",
        "BaseException",
        "Ellipsis",
        "EOFError",
        "Exception",
        "GeneratorExit",
    ),
    *(
        "ImportError",
        "IndentationError",
        "IndexError",
        "KeyError",
        "KeyboardInterrupt",
        "LookupError",
        "MemoryError",
        "NameError",
    ),
    *(
        "NotImplementedError",
        "OSError",
        "OverflowError",
        "RuntimeError",
        "StopIteration",
        "SyntaxError",
        "SystemExit",
        "TypeError",
    ),
    *("ValueError", "ZeroDivisionError", "abs", "all", "any", "bin", "bool", "bytearray"),
    *("bytes", "callable", "chr", "dict", "dir", "divmod", "eval", "exec"),
    *("float", "getattr", "globals", "hasattr", "hash", "hex", "id", "int"),
    *("isinstance", "issubclass", "iter", "len", "list", "locals", "map", "max"),
    *("min", "next", "object", "oct", "open", "ord", "pow", "print"),
    *("repr", "reversed", "round", "set", "setattr", "sorted", "str", "sum"),
    *("tuple", "type", "zip", "append", "clear", "copy", "count", "endswith"),
    *("extend", "find", "format", "from_bytes", "index", "insert", "isalpha", "isdigit"),
    *("islower", "isspace", "isupper", "join", "lower", "lstrip", "pop", "popitem"),
    *("remove", "replace", "reverse", "rfind", "rindex", "rsplit", "rstrip", "setdefault"),
    *("sort", "split", "startswith", "strip", "to_bytes", "upper"),
)


_FREE = (*string.ascii_uppercase, *_RESIDENT)
_LONG = 6  # letters: what the drive has room for


def _more() -> Iterator[str]:
    """More short names, where those that cost next to nothing do not suffice."""
    for first in string.ascii_uppercase:
        for second in string.ascii_lowercase:
            if not keyword.iskeyword(first + second):
                yield first + second


def _spaces(trees: Collection[ast.Module]) -> Iterator[set[str]]:
    """Sets of names that must stay apart: of each module, function and class with those that it is made of."""
    classes: dict[str, list[ast.ClassDef]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                classes.setdefault(node.name, []).append(node)
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if alias.asname and alias.asname != alias.name and alias.name in classes:
                        classes.setdefault(alias.asname, []).extend(classes[alias.name])
    for tree in trees:
        yield _bound_by_module(tree) | {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        for node in ast.walk(tree):
            if isinstance(node, _Function):
                yield set(_identifiers_of_scope(node))
    for same in classes.values():
        for node in same:
            yield _members(node, classes)


def _seen_from_outside(tree: ast.Module) -> set[str]:
    """Attributes, methods, parameters, and what the module itself binds."""
    found = _bound_by_module(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                found.add(name)
    for statement in tree.body:
        if not isinstance(statement, ast.FunctionDef):
            found |= {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    return found


def _bound_by_module(tree: ast.Module) -> set[str]:
    bound = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
            bound |= {alias.name for alias in node.names}
    return bound | {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def _identifiers_of_scope(node: _Function) -> Iterator[str]:
    """Variables, parameters and globals that a function uses, with those of functions in it."""
    for inner in ast.walk(node):
        match inner:
            case ast.Name(id=name) | ast.arg(arg=name):
                yield name
            case ast.ExceptHandler(name=str(name)):
                yield name
            case ast.FunctionDef(name=name) if inner is not node:
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name.split(".")[0]
            case ast.Global(names=names):
                yield from names


def _members(node: ast.ClassDef, classes: Mapping[str, list[ast.ClassDef]]) -> set[str]:
    """What a class and those that it is made of have: methods, variables of its own, what `self` is given; and what
    its body asks for, decorators and defaults of methods, too."""
    found = {inner.name for inner in node.body if isinstance(inner, ast.FunctionDef)}
    found |= {name.id for name in _class_level(node)}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name) and inner.value.id == "self":
            found.add(inner.attr)
    for base in node.bases:
        name = base.id if isinstance(base, ast.Name) else base.attr if isinstance(base, ast.Attribute) else ""
        if hasattr(builtins, name):
            found |= set(dir(getattr(builtins, name)))
        for other in classes.get(name, []):
            if other is not node:  # one may be made of another's namesake
                found |= _members(other, {**classes, name: []})
    return found


def _class_level(node: ast.ClassDef) -> list[ast.Name]:
    """Names in a class outside its methods, decorators and defaults of these among them."""
    outer: list[ast.AST] = []
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef):
            outer += [*inner.decorator_list, *inner.args.defaults, *(one for one in inner.args.kw_defaults if one)]
        else:
            outer.append(inner)
    return [name for part in outer for name in ast.walk(part) if isinstance(name, ast.Name)]


class _Renamer(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def _of(self, name: str) -> str:
        return self.names.get(name, name)

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._of(node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        self.generic_visit(node)
        node.attr = self._of(node.attr)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.arg = self._of(node.arg)
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.keyword:
        self.generic_visit(node)
        if node.arg:
            node.arg = self._of(node.arg)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.name = self._of(node.name)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(node)
        node.name = self._of(node.name)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.ExceptHandler:
        self.generic_visit(node)
        if node.name:
            node.name = self._of(node.name)
        return node

    def visit_alias(self, node: ast.alias) -> ast.alias:
        node.name = ".".join(self._of(part) for part in node.name.split("."))
        if node.asname:
            node.asname = self._of(node.asname)
        return node

    def visit_Global(self, node: ast.Global) -> ast.Global:
        node.names = [self._of(name) for name in node.names]
        return node
