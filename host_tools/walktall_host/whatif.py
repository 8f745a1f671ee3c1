"""``walktall whatif``: what other settings would have made of your own walks.

Each walk is judged again from its trace, once with the settings of then and once with yours, by the very detector that
is on the clip. The walk itself stays as it was: had the clip buzzed at another moment, you would have straightened up
at another one. Settings that act before the trace, or on the motor alone, are refused: a trace knows nothing of them.
"""

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text
from walktall import events, retrace, settings

from . import trace
from .buzzes import buzz_keys, judged_again
from .configure import complete_change
from .errors import BadInput
from .options import Device, Json, Quiet, StorePath, note
from .report import begin_text
from .selection import chosen, reading
from .store import Session, Store
from .terminal import count, counting, out, safe, write, write_json

_LAST = 10

#: Settings that have done their part before a row is written.
BEFORE_THE_TRACE = {
    "forward_axis": "says how the clip sits",
    "bow": "says how the clip sits",
    "doze_s": "says when the sensor may doze",
}
#: Settings that decide no buzz for a fault.
NO_BUZZ = {
    "strength_pct": "says how strong a buzz is, not when it comes",
    "recovery_tick": "says whether a recovery is told, not when it buzzes",
    "snooze_min": "says how long a press silences: the trace has the presses with their minutes",
}


@dataclass(frozen=True)
class Compared:
    """One walk, judged with the settings of then and with others."""

    session: Session
    #: As the clip told them, as judged again with its own settings, and with the others.
    recorded: int
    then: retrace.Again
    now: retrace.Again
    #: Judged with its own settings it buzzes at the very moments at which it did.
    same: bool

    @property
    def buzzes_then(self) -> int:
        return len(buzz_keys(self.then.events))

    @property
    def buzzes_now(self) -> int:
        return len(buzz_keys(self.now.events))


def parse_changes(texts: Sequence[str]) -> dict[str, int]:
    """``["hold_s=15"]`` as values by name.

    :raises BadInput: no such setting, no such value, or one that a trace knows nothing of
    """
    changes: dict[str, int] = {}
    for text in texts:
        name, equals, value_text = (part.strip() for part in text.partition("="))
        if not equals:
            raise BadInput(f"{safe(text)}: write it as NAME=VALUE, for example hold_s=15")
        index = int(settings.index_of(name))
        if index < 0:
            near = difflib.get_close_matches(name, [row[0] for row in settings.SETTINGS], 1)
            raise BadInput(f"no setting is called {safe(name)}{f': did you mean {near[0]}?' if near else ''}")
        for table in (BEFORE_THE_TRACE, NO_BUZZ):
            if name in table:
                raise BadInput(f"{name} {table[name]}: what-if begins behind that, and cannot tell")
        value = settings.parse_text(name, value_text)
        if value is None:
            raise BadInput(f"{name} must be {settings.describe_limits(index)}, not {safe(value_text) or 'nothing'}")
        changes[name] = int(value)
    return changes


class Missing(Enum):
    """Why a walk cannot be judged again."""

    TRACE = "no trace here"
    SETTINGS = "the trace here does not tell the settings of then"


def compare(store: Store, session: Session, changes: Mapping[str, int]) -> Compared | Missing:
    """A walk judged twice, or what of it is not here.

    :raises BadInput: the changed settings do not fit together with those of then
    """
    blocks = trace.blocks_of(store, session)
    if not blocks:
        return Missing.TRACE
    if not any(block.settings is not None for block in blocks):
        return Missing.SETTINGS
    then = judged_again(blocks)
    now = judged_again(blocks, changes) if changes else then
    recorded = buzz_keys(then.recorded)
    return Compared(session, len(recorded), then, now, recorded == buzz_keys(then.events))


def command(
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A setting that shall differ; any number.",
            autocompletion=complete_change,
        ),
    ] = None,
    session: Annotated[
        int | None, typer.Option("--session", metavar="NO", help="This session alone, by its number.")
    ] = None,
    last: Annotated[
        int | None, typer.Option("--last", metavar="N", min=1, help=f"The last N sessions, {_LAST} if left out.")
    ] = None,
    device: Device = None,
    store: StorePath = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show when the clip would have buzzed with other settings, on your own walks.

    Your walks are judged again from their traces by the very detector that is on the clip. Without --set: whether
    that gives the buzzes that there were.

    Example: walktall whatif --set hold_s=15 --set on_deg=14 --last 5
    """
    changes = parse_changes(set_ or ())
    found: list[Compared] = []
    without: Counter[Missing] = Counter()
    with reading(store) as opened:
        sessions = chosen(opened, device, session, last if last or session is not None else _LAST)
        with counting("judging again", len(sessions), not quiet and not json_) as step:
            for each in sessions:
                compared = compare(opened, each, changes)
                if isinstance(compared, Missing):
                    without[compared] += 1
                else:
                    found.append(compared)
                step()
    if json_:
        write_json(_document(changes, found))
        return
    if not found:
        if without[Missing.SETTINGS]:
            raise BadInput(
                "the trace of these sessions does not tell the settings of then, which stand at its beginning: what-if "
                "needs them"
            )
        raise BadInput("no trace of these sessions is here: what-if needs the seconds, not the summary alone")
    write(out(), _table(found, bool(changes)))
    if changes and len(found) == 1:
        for words, again in (("then", found[0].then), ("with the change", found[0].now)):
            print(f"{words}: {_moments(found[0].session, again)}")
    if not quiet:
        _tell(found, without, bool(changes))


def _buzzes(session: Session, again: retrace.Again) -> list[tuple[float, str]]:
    """(seconds since the session began, fault) of each buzz; of a later boot, seconds of trace since its beginning."""
    found = []
    for each in again.events:
        if each.code == events.BUZZ:
            since_s = each.uptime_s - session["start_uptime_s"]
            whole_s = since_s if since_s >= 0 else each.second
            found.append((whole_s + each.tick / events.TICKS_PER_S, str(events.FAULT_NAMES[each.fault])))
    return found


def _moments(session: Session, again: retrace.Again) -> str:
    """When it buzzes in a walk: ``1:39 forward, 3:29 forward``."""
    told = [f"{int(at_s) // 60}:{int(at_s) % 60:02d} {fault}" for at_s, fault in _buzzes(session, again)]
    return ", ".join(told) or "no buzz"


def upright_pct(again: retrace.Again) -> int | None:
    """Good of judged seconds, in percent."""
    good = again.classes.count(events.CLASS_GOOD)
    faults = sum(again.classes.count(kind) for kind in (events.CLASS_FORWARD, events.CLASS_BACK, events.CLASS_SIDE))
    return round(100 * good / (good + faults)) if good + faults else None


def _table(found: Sequence[Compared], changed: bool) -> Table:
    table = Table.grid(padding=(0, 2))
    for justify in ("right", "left", "right", "right", "right", "right"):
        table.add_column(overflow="fold", justify=justify)
    headings = ["", "walk", "buzzes", "judged again", *(["with the change", "upright"] if changed else [])]
    table.add_row(*(Text(heading, "bold") for heading in headings))
    for each in found:
        row = [str(each.session.number), begin_text(each.session).strip(), str(each.recorded), str(each.buzzes_then)]
        if changed:
            pcts = ["?" if pct is None else f"{pct} %" for pct in (upright_pct(each.then), upright_pct(each.now))]
            row += [str(each.buzzes_now), " -> ".join(pcts) if pcts[0] != pcts[1] else pcts[0]]
        table.add_row(*map(Text, row))
    if len(found) > 1:
        sums = [sum(each.recorded for each in found), sum(each.buzzes_then for each in found)]
        row = ["", "all", *map(str, sums)] + ([str(sum(each.buzzes_now for each in found)), ""] if changed else [])
        table.add_row(*(Text(cell, "bold") for cell in row))
    return table


def _tell(found: Sequence[Compared], without: Mapping[Missing, int], changed: bool) -> None:
    others = [each for each in found if not each.same]
    if not others:
        print("Judged again with the settings of then, every buzz comes at the very moment at which it came.")
    for each in others:
        why = (
            "the beginning of its trace is not here"
            if not each.then.exact
            else f"{each.then.missing_s} s of its trace are missing"
            if each.then.missing_s
            else "another firmware judged it then"
        )
        note(f"note: session {each.session.number} is not judged exactly as it was: {why}")
    if changed:
        print("Your walks are taken as they were: with other buzzes you would have straightened up at other moments.")
    for missing, n in without.items():
        note(f"note: {count(n, 'session')} left out: {missing.value}")


def _document(changes: Mapping[str, int], found: Sequence[Compared]) -> dict[str, Any]:
    def told(session: Session, again: retrace.Again) -> dict[str, Any]:
        return {
            "buzzes": [{"t_s": at_s, "fault": fault} for at_s, fault in _buzzes(session, again)],
            "upright_pct": upright_pct(again),
        }

    return {
        "changes": dict(changes),
        "sessions": [
            {
                "number": each.session.number,
                "recorded": each.recorded,
                "same": each.same,
                "exact": bool(each.then.exact),
                "missing_s": each.then.missing_s,
                "then": told(each.session, each.then),
                "now": told(each.session, each.now),
            }
            for each in found
        ],
    }
