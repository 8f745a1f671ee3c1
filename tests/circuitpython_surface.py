"""CircuitPython's own modules for code that runs on the board alone, with the surface that its stubs give them.

Each module is generated from the ``.pyi`` of circuitpython-stubs: what is not declared there does not exist here, what
is declared takes the arguments that are declared, and an attribute that is not declared cannot be set. What a part
*does* is handed in as a plain class or value of the same name; a part without behaviour answers None.
"""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import re
import sys
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest


def stubs_folder() -> Path:
    """Where circuitpython-stubs is installed."""
    distribution = importlib.metadata.distribution("circuitpython-stubs")
    return Path(str(distribution.locate_file("")))


class Undeclared(AttributeError):
    """A name that CircuitPython does not have."""


def _signature(node: ast.FunctionDef, bound: bool) -> inspect.Signature:
    """The signature of a stub's function; defaults become a mark, for only their being there counts."""
    a = node.args
    kinds = inspect.Parameter
    parameters = []
    positional = [*a.posonlyargs, *a.args]
    defaults: list[Any] = [kinds.empty] * (len(positional) - len(a.defaults)) + [None] * len(a.defaults)
    for arg, default in zip(positional, defaults, strict=True):
        kind = kinds.POSITIONAL_ONLY if arg in a.posonlyargs else kinds.POSITIONAL_OR_KEYWORD
        parameters.append(kinds(arg.arg, kind, default=default))
    if a.vararg:
        parameters.append(kinds(a.vararg.arg, kinds.VAR_POSITIONAL))
    for arg, kw_default in zip(a.kwonlyargs, a.kw_defaults, strict=True):
        parameters.append(kinds(arg.arg, kinds.KEYWORD_ONLY, default=kinds.empty if kw_default is None else None))
    return inspect.Signature(parameters[1:] if bound else parameters)


def _checked(name: str, signatures: list[inspect.Signature], does: Callable[..., Any] | None, bound: bool) -> Any:
    """A function that takes what one of the signatures takes, and then does what it is given to do."""

    def call(*args: Any, **kwargs: Any) -> Any:
        given = args[1:] if bound else args
        for signature in signatures:
            try:
                signature.bind(*given, **kwargs)
                break
            except TypeError as fault:
                refused = fault
        else:
            raise TypeError(f"{name}{signatures[0]}: {refused}")
        return None if does is None else does(*args, **kwargs)

    call.__name__ = name
    return call


def _functions(body: Iterable[ast.stmt]) -> dict[str, list[ast.FunctionDef]]:
    found: dict[str, list[ast.FunctionDef]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(node)
    return found


def _is_property(node: ast.FunctionDef) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list)


class Mark:
    """A value of an enumeration, told apart by name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def _class(node: ast.ClassDef, does: type | None) -> type:
    """A class with the stub's members; what they do comes from ``does``."""
    behaviour = does if does is not None else type("Nothing", (), {})
    declared: set[str] = set()
    members: dict[str, Any] = {}
    for name, nodes in _functions(node.body).items():
        declared.add(name)
        if _is_property(nodes[0]):
            continue
        own = getattr(behaviour, name, None) if name in dir(behaviour) and name not in dir(object) else None
        if name == "__init__":
            own = behaviour.__dict__.get("__init__")
        members[name] = _checked(f"{node.name}.{name}", [_signature(n, True) for n in nodes], own, True)
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
            declared.add(name)
            if name.isupper() and name not in behaviour.__dict__:
                members[name] = Mark(f"{node.name}.{name}")
    extra = {name for name in behaviour.__dict__ if not name.startswith("_")} - declared
    if extra:
        raise Undeclared(f"{node.name} has no {extra}")

    def set_declared(self: Any, name: str, value: Any) -> None:
        if name not in declared and not name.startswith("_"):
            raise Undeclared(f"{node.name} has no {name}")
        object.__setattr__(self, name, value)

    members["__setattr__"] = set_declared
    return type(node.name, (behaviour,), members)


def _pads(text: str) -> dict[str, str]:
    """By pin name the pad behind it, as the stub of a board tells in a comment: several names may have one."""
    return dict(re.findall(r"^(\w+): microcontroller\.Pin  # (\w+)$", text, re.MULTILINE))


def make_module(name: str, source: Path, does: dict[str, Any], shown: Iterable[str] = ()) -> types.ModuleType:
    """The module ``name`` with the surface of the stub ``source``.

    :param does: by name: classes and functions that do something, values of variables
    :param shown: names of pins: one that has several is shown by the first of these, else by the first of the stub
    """
    text = source.read_text()
    tree = ast.parse(text)
    pads = _pads(text)
    pins = {pads[pin]: Mark(pin) for pin in reversed([*shown, *pads]) if pin in pads}
    module = types.ModuleType(name)
    declared: set[str] = set()
    for function, nodes in _functions(tree.body).items():
        declared.add(function)
        setattr(module, function, _checked(function, [_signature(n, False) for n in nodes], does.get(function), False))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            declared.add(node.name)
            setattr(module, node.name, _class(node, does.get(node.name)))
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            variable = node.target.id
            declared.add(variable)
            value = does.get(variable)
            if value is None and isinstance(node.annotation, ast.Name) and hasattr(module, node.annotation.id):
                # The one instance of a class of this module, such as supervisor.runtime.
                value = getattr(module, node.annotation.id)()
            elif value is None and ast.unparse(node.annotation) == "microcontroller.Pin":
                value = pins[pads[variable]]
            setattr(module, variable, value)
    extra = set(does) - declared
    if extra:
        raise Undeclared(f"{name} has no {extra}")
    return module


def stub(name: str) -> Path:
    """The stub of one of CircuitPython's modules."""
    return stubs_folder() / f"{name}-stubs" / "__init__.pyi"


def board_stub(board_id: str) -> Path:
    """The stub of ``board`` as one board has it."""
    return stubs_folder() / "board_definitions" / board_id / "__init__.pyi"


class Drv2605:
    """A motor's driver chip, as Adafruit's driver has it."""

    realtime_value: Any = 0

    def __init__(self, i2c: Any, address: int = 0x5A) -> None:
        self.mode = 0

    def use_ERM(self) -> None:
        """An eccentric mass, not a linear one."""


def fit_driver_chip(patch: pytest.MonkeyPatch, chip: type[Drv2605] = Drv2605) -> None:
    """Adafruit's driver finds this chip on each bus that it is given."""
    driver = types.ModuleType("adafruit_drv2605")
    driver.DRV2605 = chip  # type: ignore[attr-defined]
    patch.setitem(sys.modules, driver.__name__, driver)
