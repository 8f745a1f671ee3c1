"""Which detection chain the fast path runs: the firmware's own files as Python, or the same files compiled.

The compiled twin (`walktall_sim.twin`) is built on request, by ``make compiled``. It runs when it was built from
exactly the sources that ``import walktall`` finds; else, or with ``WALKTALL_PURE=1`` in the environment, Python does.
Both give the same events and the same state: a test says so.

The full path (registers, driver, ``Device.poll()``) always runs the Python that the device runs.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import walktall
from numpy.typing import NDArray
from walktall import chain as pure_chain
from walktall.events import TICK_SAMPLES
from walktall.motion import views_of

from walktall_sim.twin import build

PURE = "pure"
COMPILED = "compiled"


# A tick as the FIFO has it. What is left of one waits in the chain.
_TICK = array("h", bytes(2 * 6 * TICK_SAMPLES))
_VIEWS = views_of(_TICK)


@dataclass(frozen=True, slots=True)
class Engine:
    """A detection chain and the loop that feeds it.

    ``make(settings)`` gives a ``Chain``; ``ready(counts)`` makes a block (n, 6) in the order ax ay az gx gy gz ready
    for ``burst``;
    ``burst(chain, block, begin, by_tick)`` feeds rows from ``begin`` on, up to the first that closes a tick with events
    in the ring (with ``by_tick``: any tick) or a second of which there is something to decide, and returns the next
    row and what was closed, 0 at the end of the block.
    """

    name: str
    why: str
    make: Callable[[Any], Any]
    ready: Callable[[NDArray[np.int16]], Any]
    burst: Callable[[Any, Any, int, bool], tuple[int, int]]
    #: rows in one block: what is held in memory at once
    rows: int


def _ready(counts: NDArray[np.int16]) -> array[int]:
    """Six counts a sample, end to end, as the FIFO has them: the gyroscope first."""
    return array("h", np.ascontiguousarray(counts[:, (3, 4, 5, 0, 1, 2)], dtype=np.int16).tobytes())


def _flat(counts: NDArray[np.int16]) -> NDArray[np.int16]:
    return np.ascontiguousarray(counts, dtype=np.int16).reshape(-1)


def _burst(chain: Any, block: array[int], begin: int, by_tick: bool) -> tuple[int, int]:
    burst, ring = chain.burst, chain.ring
    at, end = 6 * begin, len(block)
    while at < end:
        some = block[at : at + len(_TICK)]
        _TICK[: len(some)] = some
        at += 6 * burst(_VIEWS, 0, len(some) // 6)
        if chain.closed:
            chain.buzz_request = 0
            if by_tick or chain.closed & 2 or len(ring):
                return at // 6, chain.closed
    return at // 6, 0


def pure(why: str = "asked for") -> Engine:
    """The chain in Python."""
    return Engine(PURE, why, pure_chain.Chain, _ready, _burst, 13 * 256)


def _note(folder: Path) -> dict[str, Any] | str:
    """What `build` left in ``folder``, or in a few words why the twin there is not to be used."""
    try:
        note: dict[str, Any] = json.loads((folder / build.BUILT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "not compiled (make compiled)"
    if note.get("python") != sys.implementation.cache_tag:
        return f"compiled for {note.get('python')}, this is {sys.implementation.cache_tag} (make compiled)"
    try:
        found = build.digest(Path(str(walktall.__file__)).parent, note["sources"])
    except (OSError, KeyError):
        found = ""
    if found != note.get("digest"):
        return "compiled from other sources than those in use (make compiled)"
    return note


def compiled(folder: Path = build.FOLDER) -> Engine | str:
    """The compiled chain, or in a few words why there is none."""
    note = _note(folder)
    if isinstance(note, str):
        return note
    package = sys.modules[build.PACKAGE]
    if str(folder) not in package.__path__:
        package.__path__.insert(0, str(folder))
    for name in note["sources"]:
        if name not in build.MODULES:
            sys.modules.setdefault(f"{build.PACKAGE}.{name}", importlib.import_module(f"walktall.{name}"))
            setattr(package, name, sys.modules[f"{build.PACKAGE}.{name}"])
    try:
        chain = importlib.import_module(f"{build.PACKAGE}.chain")
        loop = importlib.import_module(f"{build.PACKAGE}.{build.OWN}")
    except ImportError as error:
        return f"the compiled modules cannot be loaded: {error}"
    why = f"Cython {note.get('cython')}"
    return Engine(COMPILED, why, chain.Chain, _flat, loop.burst, 13 * 1024)


@functools.cache
def select() -> Engine:
    """The chain that runs: the compiled one where it is there and fits."""
    if os.environ.get("WALKTALL_PURE", "0") not in ("", "0"):
        return pure("WALKTALL_PURE is set")
    found = compiled()
    return pure(found) if isinstance(found, str) else found


def describe() -> str:
    """One line for a person: which chain the fast path runs, and why."""
    one = select()
    return f"detection chain: {one.name} ({one.why})"
