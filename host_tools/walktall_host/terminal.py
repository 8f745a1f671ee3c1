"""What reaches the terminal: consoles, and text made safe and readable.

Everything that came from a device or a port's descriptor goes through :func:`safe` before it is shown: a clip's board
name must not move the cursor, set the window's title or be taken for Rich's markup.
"""

import io
import json
import os
import re
import shlex
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

_SHOWN_MAX = 120
_TYPED_MAX = 1000
# Letters, marks, numbers, punctuation, symbols, the plain space: no control, format (bidirectional), private or
# unassigned characters, no line or paragraph separators.
_SHOWN = frozenset("LMNPS")


def safe(text: str, limit: int = _SHOWN_MAX) -> str:
    """The text with everything that could act on a terminal replaced by ``?``, at most ``limit`` characters."""
    cleaned = "".join(c if c == " " or unicodedata.category(c)[0] in _SHOWN else "?" for c in text[: limit + 1])
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"


def typed(path: Path) -> str:
    """A path as it is typed in this system's shell, whatever blanks and signs it holds."""
    text = safe(str(path), _TYPED_MAX)
    if sys.platform == "win32":
        from subprocess import list2cmdline

        return list2cmdline([text])
    return shlex.quote(text)


def drawn(words: Sequence[Text], rows: Sequence[Text], title: str, width: int) -> str:
    """What would stand on a terminal, as an SVG picture that asks nothing of any server.

    :param words: broken at ``width``, as on the terminal
    :param rows: below them, of a plot or a screen; they cannot be broken, so the picture is as wide as the widest
    """
    width = max([width, *(row.cell_len for row in rows)])
    console = Console(
        record=True, width=width, file=io.StringIO(), force_terminal=True, highlight=False, markup=False, emoji=False
    )
    for line in words:
        console.print(line)
    for row in rows:
        console.print(row, no_wrap=True, crop=False)
    svg = console.export_svg(title=title, unique_id="walktall")
    # Rich would fetch its font: the reader's own will do.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono")


@contextmanager
def counting(text: str, total: int, wanted: bool) -> Iterator[Callable[[], None]]:
    """A bar on standard error where that is a terminal and there is more than one step; yields what makes a step."""
    console = err()
    if not wanted or total < 2 or not console.is_terminal:
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    with Progress(TextColumn(text), BarColumn(), MofNCompleteColumn(), console=console, transient=True) as progress:
        task = progress.add_task(text, total=total)
        yield lambda: progress.advance(task)


# A bar of fewer cells shows nothing that the figure beside it does not.
_BAR_LEAST_CELLS = 6


def bar_room(table: Table, width: int | None, most: int) -> int:
    """How wide the bars beside a table may be, 0 for none: figures are never cut or broken for the sake of a bar.

    :param table: as it is without them
    :param width: of the terminal, None where no bars are wanted
    :param most: wider than this they are not
    """
    if width is None:
        return 0
    needed = Console(file=io.StringIO(), width=_UNBOUNDED).measure(table).maximum
    room = min(most, width - needed - _BAR_GAP_CELLS)
    return room if room >= _BAR_LEAST_CELLS else 0


_BAR_GAP_CELLS = 2
_UNBOUNDED = 10_000


# Wide enough for the widest table: nobody's pipe is cut.
_PIPE_WIDTH = 100


def out() -> Console:
    """Standard output; colours and bars only where it is a terminal."""
    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else _PIPE_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def err() -> Console:
    """Standard error, for notes and progress."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def write(console: Console, *renderables: RenderableType) -> None:
    """Print; into a pipe without the spaces that tables leave at the ends of lines."""
    if console.is_terminal:
        for renderable in renderables:
            console.print(renderable)
        return
    with console.capture() as capture:
        for renderable in renderables:
            console.print(renderable)
    lines = capture.get().splitlines()
    console.file.write("".join(line.rstrip() + "\n" for line in lines))


def write_lines(console: Console, lines: Sequence[Text]) -> None:
    """Print lines that are as wide as they are: a terminal may wrap them, a pipe gets them whole."""
    if console.is_terminal:
        console.print(Text("\n").join(lines), soft_wrap=True)
    else:
        console.file.write("".join(line.plain + "\n" for line in lines))


def write_json(document: Mapping[str, Any]) -> None:
    """One JSON object on standard output, ASCII only: safe on every terminal and in every pipe."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def harden_streams() -> None:
    """A character that the terminal's encoding lacks becomes ``?`` instead of an error; a stream that the caller closed
    becomes one that nobody reads."""
    if sys.stdout is None:  # ``>&-``
        sys.stdout = io.StringIO()
    if sys.stderr is None:
        sys.stderr = io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def abandon_stdout() -> None:
    """Nobody reads any more (``| head``), or nothing can be written: let the interpreter close without a complaint."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def duration(seconds: int) -> str:
    """``45 s``, ``12 min 05 s``, ``1 h 02 min``: two units, whole ones."""
    seconds = max(0, seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


def tenths(seconds: float) -> str:
    """``1.7`` of 1.75: cut, as the clip cuts each answer before it takes their mean."""
    return f"{int(seconds * 10 + 1e-6) / 10:.1f}"


def count(n: int, noun: str, plural: str | None = None) -> str:
    """``1 buzz``, ``3 buzzes``, ``1,204 steps``."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
