"""Calls do not go too deep: CircuitPython keeps the frames of Python's calls in 2 KiB, and ends a program that needs
more by `RuntimeError: pystack exhausted`.

How long a frame is stands in the code of each function, in the board's own virtual machine; how deep calls go is seen
where the very same sources live through the fullest turns that are known. What is deepest was found by all other tests'
calls being looked at in the same way.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from walktall import wire
from walktall.selftest import HOST_ONLY
from walktall_host.client import Client

from tests.test_device import LEAN, start_s
from tests.test_journal import SMALL
from tests.test_selftest import ask
from tests.test_sequences import LifePort
from tests.ticking_device import Life
from tests.vm.machine import FIRMWARE_LIB, ROOT, Machine
from tests.walking_board import Clip, Walker

PACKAGE = FIRMWARE_LIB / "walktall"
#: CIRCUITPY_PYSTACK_SIZE, since CircuitPython 10.0 (adafruit/circuitpython, pull request 10236; 1536 before).
PYSTACK_BYTES = 2048
#: What calls by `*` and `**`, of a class and of a method that was kept take beside frames.
NATIVE_BYTES = 256
#: What is not seen in the machine, a property or a module as it is imported, is taken for this long: longer than most.
UNSEEN_BYTES = 104


def module_of(path: str) -> str:
    """A module of the package by its file, or nothing."""
    found = Path(path)
    return ".".join(found.relative_to(PACKAGE).with_suffix("").parts) if found.is_relative_to(PACKAGE) else ""


@pytest.fixture(scope="module")
def sizes(machine: Machine) -> dict[tuple[str, str], int]:
    """Bytes of a frame by module and qualified name."""
    names = sorted(
        module_of(str(path)) for path in PACKAGE.rglob("*.py") if path.name not in (*HOST_ONLY, "__init__.py")
    )
    (machine.vectors / "modules.txt").write_text("\n".join(names), encoding="utf-8")
    beside = Machine(machine.vectors, mounts=((ROOT / "firmware", "/board"),))
    lines = [line.split() for line in beside.micropython("frame_bytes", driver=True, heap_bytes=1 << 20).splitlines()]
    return {(module, name): int(size) for module, name, size in lines}


class Depth:
    """The deepest that calls have gone.

    :param sizes: see the fixture
    """

    def __init__(self, sizes: dict[tuple[str, str], int]) -> None:
        self._sizes = sizes
        self._known: dict[Any, int] = {}
        self._open: list[tuple[FrameType, int]] = []
        self._bytes = 0
        #: Bytes of frames at the deepest, and whose they were.
        self.most = 0
        self.calls: list[str] = []

    def _size_of(self, frame: FrameType) -> int:
        code = frame.f_code
        if code not in self._known:
            module = module_of(code.co_filename)
            self._known[code] = self._sizes.get((module, code.co_qualname), UNSEEN_BYTES) if module else 0
        return self._known[code]

    def _seen(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            size = self._size_of(frame)
            if size:
                self._open.append((frame, size))
                self._bytes += size
                if self._bytes > self.most:
                    self.most = self._bytes
                    self.calls = [f"{inner.f_code.co_qualname} {size}" for inner, size in self._open]
        elif event == "return" and self._open and self._open[-1][0] is frame:
            self._bytes -= self._open.pop()[1]

    @contextmanager
    def watching(self) -> Iterator[None]:
        before = sys.getprofile()
        sys.setprofile(self._seen)
        try:
            yield
        finally:
            sys.setprofile(before)
            self._open.clear()
            self._bytes = 0


def the_trace_is_full_and_a_computer_ends_the_walk(depth: Depth) -> None:
    """HELLO ends the session; its end is a block that is the first of a sector, so that the next one is blanked."""
    life = Life(SMALL, 160)
    assert not life.device.trace.fault
    life.walks = True
    life.run(160 * 80)
    with depth.watching():
        for seconds in range(20, 60):
            life.run(seconds)
            life.port.connected = True
            port = LifePort(life)
            Client(port, port.monotonic, first_id=2000 + 10 * seconds).hello()
            life.port.connected = False
            life.run(12)


def somebody_leans(depth: Depth) -> None:
    clip = Clip(Walker(leans=LEAN)).calibrated()
    clip.run_until(start_s(clip) + 40)
    with depth.watching():
        clip.run_until(start_s(clip) + 60)
    assert "buzz" in clip.names()


def the_clip_tests_itself(depth: Depth) -> None:
    clip = Clip(Walker()).calibrated()
    clip.run_until(20)
    ask(clip, 1)
    with depth.watching():
        for request_id in range(2, 60):
            clip.run_for(0.5)
            if ask(clip, request_id)[0] != wire.SELFTEST_RUNNING:
                break


def test_calls_leave_room_in_the_boards_stack_of_frames(sizes: dict[tuple[str, str], int]) -> None:
    # The program itself, of which no function sees it.
    held = UNSEEN_BYTES + sizes["code", "main"] + sizes["code", "_run"]
    for live, least in (
        (the_trace_is_full_and_a_computer_ends_the_walk, 19),
        (somebody_leans, 11),
        (the_clip_tests_itself, 11),
    ):
        depth = Depth(sizes)
        live(depth)
        print(f"{live.__name__}: {held + depth.most} bytes; {', '.join(depth.calls)}")
        assert len(depth.calls) >= least, "the deepest calls were not seen"
        assert held + depth.most <= PYSTACK_BYTES - NATIVE_BYTES, depth.calls


def test_frames_are_as_long_as_their_functions_make_them(sizes: dict[tuple[str, str], int]) -> None:
    """A loop over a burst with its state in locals has the longest; none is shorter than a call without anything."""
    assert max(sizes.values()) == sizes["motion", "take"]
    assert min(sizes.values()) >= 24
    assert all(size % 8 == 0 for size in sizes.values())
