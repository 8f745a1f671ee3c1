"""Firmware modules loaded with a range check around every arithmetic result.

Each binary operation, augmented assignment, negation and inversion of a module's source is wrapped in a check
that a real board would make by allocating: outside -2^30 .. 2^30 - 1 an int is no small int any more. This
sees intermediates that a subclass of int would lose at the first store into an array.
"""

import ast
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FIRMWARE_LIB = Path(__file__).resolve().parent.parent / "firmware" / "lib"
LOW, HIGH = -(1 << 30), (1 << 30) - 1


class TooWide(AssertionError):
    """An intermediate left the small ints."""


class Watch:
    """Checks results and remembers the widest of each source line."""

    def __init__(self) -> None:
        self.widest: dict[tuple[str, int], int] = {}
        self.n_checks = 0

    def check(self, value: object, module: str, line: int) -> object:
        # bool and bytes results pass; a float has no place where this is used.
        if type(value) is int:
            self.n_checks += 1
            if not LOW <= value <= HIGH:
                raise TooWide(
                    f"{module} line {line}: {value} (2^{abs(value).bit_length()}) is no small int on the board"
                )
            size = -value if value < 0 else value
            place = (module, line)
            if size > self.widest.get(place, 0):
                self.widest[place] = size
        elif type(value) is float:
            raise TooWide(f"{module} line {line}: a float")
        return value


class _Wrap(ast.NodeTransformer):
    def __init__(self, module: str) -> None:
        self.module = module

    def _checked(self, node: ast.expr, at: ast.AST) -> ast.expr:
        line = getattr(at, "lineno", 0)
        call = ast.Call(
            func=ast.Name("__check_int__", ast.Load()),
            args=[node, ast.Constant(self.module), ast.Constant(line)],
            keywords=[],
        )
        return ast.copy_location(call, at)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        return self._checked(node, node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        return node if isinstance(node.op, ast.Not) else self._checked(node, node)

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        # The target is checked after the store by reading it again: `a[i] += x` becomes that and a check of `a[i]`.
        # Stores into an array('i') are wider than a small int, so the check sees what a store lets through.
        self.generic_visit(node)
        target = ast.parse(ast.unparse(node.target), mode="eval").body
        check = ast.Expr(self._checked(target, node))
        return [node, ast.copy_location(check, node)]


class _Finder:
    """Finds `walktall` modules and loads them wrapped."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        if name != "walktall" and not name.startswith("walktall."):
            return None
        from importlib.machinery import ModuleSpec

        place = FIRMWARE_LIB.joinpath(*name.split("."))
        return ModuleSpec(name, self, is_package=place.is_dir())  # type: ignore[arg-type]

    def create_module(self, spec: object) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        path = FIRMWARE_LIB.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if path.stem == "__init__":
            module.__path__ = [str(path.parent)]
        tree = _Wrap(name).visit(ast.parse(path.read_text(), str(path)))
        ast.fix_missing_locations(tree)
        module.__dict__["__check_int__"] = self.watch.check
        exec(compile(tree, str(path), "exec"), module.__dict__)


@contextmanager
def checked_firmware() -> Iterator[Watch]:
    """While it lasts, `import walktall...` gives checked modules; afterwards the ordinary ones again."""
    watch = Watch()
    finder = _Finder(watch)

    def ours() -> list[str]:
        return [name for name in sys.modules if name == "walktall" or name.startswith("walktall.")]

    kept = {name: sys.modules.pop(name) for name in ours()}
    sys.meta_path.insert(0, finder)  # type: ignore[arg-type]
    try:
        yield watch
    finally:
        sys.meta_path.remove(finder)  # type: ignore[arg-type]
        for name in ours():
            del sys.modules[name]
        sys.modules.update(kept)
