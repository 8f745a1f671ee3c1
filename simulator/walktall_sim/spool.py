"""Rows of a walk by their number: a short walk's in memory, a long one's in a file that nobody sees.

A replay goes through its rows in order, so that a window of them is all that has to be in memory: a week takes no more
of it than a day.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from typing import IO

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]

_AXES = 6
_ROW_BYTES = 4 * _AXES
#: in memory up to here: 5.6 h at 52 Hz, 25 MB
HELD_ROWS = 1 << 20
#: what is read at once, and how far behind what was asked for it begins
_WINDOW = 1 << 15
_BEHIND = 64


class SpoolError(Exception):
    """There is no room for a long walk; the text is one line."""


class Spool:
    """The rows (n, 6) of ``pieces``, read by slices without a step.

    :param held_rows: beyond so many all of them lie in a file
    :raises SpoolError: there is no room for the file
    """

    def __init__(self, pieces: Iterable[Rows], held_rows: int = HELD_ROWS) -> None:
        # A bytearray grows in place, where a list of arrays would be there twice when it is put together.
        held = bytearray()
        self._file: IO[bytes] | None = None
        self._n = 0
        try:
            for piece in pieces:
                self._n += len(piece)
                data = np.ascontiguousarray(piece, dtype=np.float32).reshape(-1).view(np.uint8).data
                if self._file is None and self._n > held_rows:
                    # It has no name where the system allows that, and goes with this object.
                    self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
                    self._file.write(held)
                    held = bytearray()
                if self._file is None:
                    held += data
                elif self._file.write(data) != len(data):
                    raise OSError(28, "No space left on device")
        except OSError as error:
            raise SpoolError(
                f"{tempfile.gettempdir()}: no room for a walk of this length ({error.strerror or error}); "
                "name another folder by TMPDIR"
            ) from None
        self._begin = 0
        self._window: Rows = np.frombuffer(held, dtype=np.float32).reshape(-1, _AXES)

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, which: slice) -> Rows:
        begin, end, step = which.indices(self._n)
        if step != 1:
            raise ValueError("rows are read one after the other")
        end = max(begin, end)
        if self._file is not None and not self._begin <= begin <= end <= self._begin + len(self._window):
            first = max(begin - _BEHIND, 0)
            size = min(max(end - first, _WINDOW), self._n - first)
            self._window = self._read(self._file, first, size)
            self._begin = first
        return self._window[begin - self._begin : end - self._begin]

    @staticmethod
    def _read(file: IO[bytes], begin: int, n: int) -> Rows:
        file.seek(begin * _ROW_BYTES)
        data = bytearray(n * _ROW_BYTES)
        view = memoryview(data)
        while view:
            got = file.readinto(view)  # type: ignore[attr-defined]
            if not got:
                raise OSError(5, "a temporary file was cut short")
            view = view[got:]
        return np.frombuffer(data, dtype=np.float32).reshape(-1, _AXES)
