"""The columns of what is exported: names that stay, each with its unit and its meaning. docs/export.md holds them.

A name is never changed or given another meaning; new ones come at the end of a table. Whole numbers are the clip's own;
degrees and times are worked out here. What is not known is empty, never zero.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from walktall import events, meanings, records

from . import dates
from .figures import figures_of
from .store import Session

if TYPE_CHECKING:
    from .trace import Row

Value = int | float | str | None
#: What a column holds, for formats that have types.
INTEGER, NUMBER, TEXT = "integer", "number", "text"
TICKS = 4


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    unit: str
    kind: str
    meaning: str


_WHICH = (
    Column("session", "", INTEGER, "the session's number in this store, which `walktall report` takes"),
    Column("device_id", "", TEXT, "which clip, in hexadecimal"),
)
_BEFORE = (
    *_WHICH,
    Column("journal_id", "", TEXT, "which journal of it, new with each wipe"),
    Column("begin", "", TEXT, "begin, ISO 8601 with the zone's offset; empty where it is undated"),
    Column("begin_unix_s", "s", INTEGER, "begin, seconds since 1970-01-01 UTC; empty where it is undated"),
    Column("begin_source", "", TEXT, "`clock`, `derived` (counted back from the download) or `undated`"),
)
_BEHIND = (
    Column("judged_s", "s", INTEGER, "seconds that could be judged: good and faults"),
    Column("left_out_s", "s", INTEGER, "all other seconds worn"),
    Column("upright_pct", "%", NUMBER, "good of judged; empty where nothing was judged"),
    Column("flag_names", "", TEXT, "names of the bits in `flags`, with spaces between"),
    Column("person", "", TEXT, "who wore the clip, as `walktall name --person` was told; empty where nobody was named"),
)
SESSIONS = (
    *_BEFORE,
    *(Column(str(row[0]), str(row[2]), INTEGER, meanings.SESSION[row[0]]) for row in records.SESSION_FIELDS),
    *_BEHIND,
)

_WHEN = (
    *_WHICH,
    Column("time", "", TEXT, "when, ISO 8601 with the zone's offset; empty where the session is undated"),
    Column("t_s", "s", NUMBER, "seconds since the session began; empty behind a loss of power, when nobody knows"),
    Column("boot", "", INTEGER, "the clip's boot"),
    Column("uptime_s", "s", NUMBER, "seconds since that boot"),
)
TRACES = (
    *_WHEN,
    *(Column(f"pitch_{k}_deg", "deg", NUMBER, f"forward pitch from upright, quarter {k}") for k in range(1, TICKS + 1)),
    *(Column(f"roll_{k}_deg", "deg", NUMBER, f"roll to the right, quarter {k}") for k in range(1, TICKS + 1)),
    Column("offset_deg", "deg", NUMBER, "walking offset in force, which is taken off the pitch; 0 where none is known"),
    Column("cadence_spm", "steps/min", INTEGER, "cadence"),
    Column("class", "", TEXT, "what the second was judged as: good, a fault, or why it was left out"),
    Column("walking", "", INTEGER, "1 while the wearer walked"),
    Column("jogging", "", INTEGER, "1 while running"),
    Column("still", "", INTEGER, "1 while sitting or standing still"),
    Column("shaken", "", INTEGER, "1 while the motor shook the sensor"),
)
EVENTS = (
    *_WHEN,
    Column("event", "", TEXT, "`buzz`, `fault_begin`, `fault_end`, `recovered`, `wrong`, `mark`, `slip` ..."),
    Column("fault", "", TEXT, "`forward`, `back`, `side`, or empty"),
    Column("label", "", TEXT, "`LEAN`, `SLOUCH`, `UNSURE`, or empty"),
    Column("value", "", INTEGER, "what the event carries, as the clip told it"),
)
TABLES = {"sessions": SESSIONS, "traces": TRACES, "events": EVENTS}


def name_of(names: tuple[str, ...], number: int) -> str:
    """The name of a code that a clip told, or its number where this version has no name for it."""
    return names[number] if 0 <= number < len(names) else str(number)


def session_row(session: Session) -> dict[str, Value]:
    """A session under the names of :data:`SESSIONS`."""
    begin = dates.begin_of(session)
    start = begin.local()
    figures = figures_of(session)
    flags = session["flags"]
    return {
        "session": session.number,
        "device_id": session.device_id.hex(),
        "journal_id": session.journal_id.hex(),
        "begin": start.isoformat(timespec="seconds") if start else None,
        "begin_unix_s": begin.utc_s + int(records.EPOCH_UNIX_S) if begin.utc_s else None,
        "begin_source": begin.source,
        **session.values,
        "judged_s": figures.judged_s,
        "left_out_s": figures.left_out_s,
        "upright_pct": figures.upright_pct,
        "flag_names": " ".join(name for bit, name in enumerate(records.FLAG_NAMES) if flags >> bit & 1),
        "person": session.person or None,
    }


def seconds_in(session: Session, row: "Row") -> int | None:
    """How long after the session's begin a row's second began, None where nobody knows."""
    return row.uptime_s - session["start_uptime_s"] if row.boot == session["boot"] else None


def _when(session: Session, row: "Row", tick: int) -> dict[str, Value]:
    t_s = seconds_in(session, row)
    begin = dates.begin_of(session)
    quarter_s = tick / TICKS
    time = None
    if t_s is not None and begin.utc_s:
        time = dates.local_time(begin.utc_s + t_s).isoformat(timespec="seconds")
    return {
        "session": session.number,
        "device_id": session.device_id.hex(),
        "time": time,
        "t_s": None if t_s is None else t_s + quarter_s,
        "boot": row.boot,
        "uptime_s": row.uptime_s + quarter_s,
    }


def trace_rows(session: Session, rows: Iterable["Row"]) -> Iterator[dict[str, Value]]:
    """Seconds under the names of :data:`TRACES`; missing seconds are no rows."""
    for row in rows:
        yield {
            **_when(session, row, 0),
            **{f"pitch_{k + 1}_deg": value / 100 for k, value in enumerate(row.pitch_cdeg)},
            **{f"roll_{k + 1}_deg": value / 100 for k, value in enumerate(row.roll_cdeg)},
            "offset_deg": row.offset_cdeg / 100,
            "cadence_spm": row.cadence_spm,
            "class": name_of(events.CLASS_NAMES, row.second_class),
            "walking": int(row.walking),
            "jogging": int(row.jogging),
            "still": int(row.still),
            "shaken": int(row.shaken),
        }


def event_rows(session: Session, rows: Iterable["Row"]) -> Iterator[dict[str, Value]]:
    """Events under the names of :data:`EVENTS`."""
    for row in rows:
        for mark in row.marks:
            yield {
                **_when(session, row, mark.tick),
                "event": name_of(events.NAMES, mark.code),
                "fault": name_of(events.FAULT_NAMES, mark.fault),
                "label": name_of(events.LABEL_NAMES, mark.label),
                "value": mark.value,
            }
