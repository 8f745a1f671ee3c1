"""``walktall report``: a walk, or weeks of them, on the terminal, as JSON or as one HTML file."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from . import dates, names
from . import report as reports
from .errors import BadInput
from .options import Device, Json, Quiet, StorePath, note
from .selection import nothing_words
from .store import Session, Store, default_path
from .terminal import err, out, safe, write, write_json

#: More weeks than five years of them are nobody's.
_WEEKS_MAX = 600
# So many digests are made without a word: about a second.
_QUIET_DIGESTS = 40


def command(
    number: Annotated[
        int | None,
        typer.Argument(metavar="[NO]", help="Which session: its number in 'walktall sessions'; else the last."),
    ] = None,
    device: Device = None,
    store: StorePath = None,
    last: Annotated[int | None, typer.Option("--last", metavar="N", min=1, help="The last N, oldest first.")] = None,
    weeks: Annotated[
        int | None,
        typer.Option("--weeks", metavar="N", min=1, max=_WEEKS_MAX, help="The last N weeks: goal, trends, trial."),
    ] = None,
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="One HTML file instead; - for standard output.")
    ] = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show how you walked: each second accounted for, the buzzes and your answers, and how sure that is.

    Example: walktall report 12

    Example: walktall report --html walk.html

    Example: walktall report --weeks 12 --html weeks.html
    """
    if sum(given is not None for given in (number, last, weeks)) > 1:
        raise BadInput("a number, --last and --weeks exclude each other")
    if json_ and html is not None:
        raise BadInput("--json and --html exclude each other")
    with Store.to_read(store or default_path()) as opened:
        found = names.chosen(opened, dates.in_order(opened.sessions()), device)
        shown = _picked(found, number, last)
        if not shown and json_ and weeks is None:
            write_json({"sessions": []})
            return
        if not shown:
            raise BadInput(nothing_words(opened))
        if weeks is not None:
            _weeks(opened, found, weeks, html, json_, quiet)
        else:
            _walks(opened, shown, html, json_, quiet)


def _picked(found: Sequence[Session], number: int | None, last: int | None) -> Sequence[Session]:
    if number is None:
        return found[-(last or 1) :]
    shown = [session for session in found if session.number == number]
    if not shown:
        raise BadInput(f"there is no session {number}: 'walktall sessions' lists those that are there")
    return shown


def _walks(opened: Store, shown: Sequence[Session], html: str | None, json_: bool, quiet: bool) -> None:
    if json_:
        write_json({"sessions": [reports.document(session) for session in shown]})
        return
    from .trace import session_rows, settings_of
    from .track import track_of

    tracks = [
        (session, track_of(session, session_rows(opened, session), settings_of(opened, session))) for session in shown
    ]
    if html is not None:
        from . import page

        _deliver(html, page.walks_page(tracks), quiet)
        return
    console = out()
    for n, (session, track) in enumerate(tracks):
        if n:
            write(console, Text(""), Text(""))
        reports.report(console, session, track=track)


def _weeks(opened: Store, found: Sequence[Session], count: int, html: str | None, json_: bool, quiet: bool) -> None:
    from . import digests, weekly
    from . import weeks as many

    people = {session.person for session in found}
    if len(people) > 1:
        named = ", ".join(sorted(safe(person) or "nobody named" for person in people))
        raise BadInput(f"these are the walks of several people ({named}): choose one with --device NAME")
    # Only the traces of what is shown are read; which weeks those are, their dates say.
    shown = many.last_weeks(found, count, {})
    if shown is None:
        raise BadInput("no walk here has a date, so none is in any week: 'walktall sessions' lists them")
    with _progress(quiet or json_) as tell:
        digested = digests.digests_of(opened, shown.sessions, tell)
    shown = many.last_weeks(found, count, digested)
    assert shown is not None
    if json_:
        write_json(weekly.document(shown))
    elif html is not None:
        from . import page

        _deliver(html, page.weeks_page(shown, digested), quiet)
    else:
        console = out()
        write(console, *weekly.blocks(shown, console.width if console.is_terminal else None))


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error while many traces are read for the first time."""
    console = err()
    if quiet or not console.is_terminal:
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    with Progress(
        TextColumn("reading traces"), BarColumn(), MofNCompleteColumn(), console=console, transient=True
    ) as progress:
        task = progress.add_task("reading traces", total=None, visible=False)
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=total > _QUIET_DIGESTS)


def _deliver(html: str, text: str, quiet: bool) -> None:
    if html == "-":
        sys.stdout.write(text)
        return
    from . import page

    path = Path(html)
    page.write(path, text)
    if not quiet:
        note(f"wrote {safe(str(path), 300)} ({len(text.encode()) // 1024 + 1} KiB): open it in any browser")
