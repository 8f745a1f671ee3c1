"""``walktall explain``: why the clip buzzed: the seconds before it, the limit, the hold timer, the rule that fired.

The walk is judged again by the firmware's own detector, which is watched; nothing is reckoned a second time here. Where
the beginning of a walk is no longer there, the watching begins late, and that is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text
from walktall import events, retrace

from . import dates, textplot, trace
from .buzzes import Buzz, buzz_keys, buzzes_of, judged_again, named
from .errors import BadInput
from .figures import UNCERTAINTY_DEG
from .options import Device, Json, Quiet, StorePath, note
from .report import begin_text
from .selection import chosen, reading
from .store import Session, Store
from .terminal import count, drawn, duration, out, tenths, write, write_json, write_lines
from .whole import refuse_to_overwrite, whole_file

#: Seconds behind the buzz that are shown: the time in which an answer counts.
_AFTER_S = 20
_BEFORE_MOST_S = 90
_LABEL_CELLS = 8
_LIST_SESSIONS = 10
#: A walking lean smaller than this is not worth a sentence.
_TOLD_CDEG = 10

_STYLES = {
    events.CLASS_GOOD: "green",
    events.CLASS_FORWARD: "red",
    events.CLASS_BACK: "magenta",
    events.CLASS_SIDE: "yellow",
}
_LABELS = {
    events.LEAN: "It is called a lean: it came on within 4 s, or as you sped up.",
    events.SLOUCH: "It is called a slouch: it crept in over more than 7 s, at a steady cadence.",
    events.UNSURE: "It is called neither lean nor slouch: how it came on does not say which.",
}
_DIRECTIONS = {events.FORWARD: "forward", events.BACK: "back", events.SIDE: "to a side"}


@dataclass(frozen=True)
class Explained:
    """What is known of one buzz."""

    buzz: Buzz
    #: What the detector knew at the end of each second around it.
    seconds: Sequence[retrace.Second]
    #: Judged again it buzzes at the same quarter of the same second.
    confirmed: bool
    #: Nothing of the walk before it is missing.
    exact: bool
    missing_s: int
    #: The buzz before it in this walk, if any.
    before: Buzz | None

    @property
    def at(self) -> retrace.Second:
        """The second of the buzz."""
        return next(second for second in self.seconds if second.number == self.buzz.second)

    def fault_of(self, second: retrace.Second) -> retrace.FaultSecond:
        found: retrace.FaultSecond = {
            events.FORWARD: second.forward,
            events.BACK: second.back,
            events.SIDE: second.side,
        }[self.buzz.fault]
        return found

    def angle_of(self, second: retrace.Second) -> float:
        """Degrees into the direction of the fault."""
        if self.buzz.fault == events.SIDE:
            return abs(float(second.roll_cdeg)) / 100
        pitch_deg = float(second.pitch_cdeg) / 100
        return pitch_deg if self.buzz.fault == events.FORWARD else -pitch_deg

    @property
    def begun_s(self) -> float:
        """Seconds from the fault's beginning to the buzz."""
        begun = self.buzz.second
        for second in reversed([each for each in self.seconds if each.number <= self.buzz.second]):
            if not self.fault_of(second).active:
                break
            begun = second.number
        return self.buzz.second - begun + self.buzz.tick / events.TICKS_PER_S


def explained(store: Store, buzz: Buzz, before_s: int, after_s: int = _AFTER_S) -> Explained:
    """What led to a buzz.

    :raises BadInput: the walk cannot be judged again
    """
    blocks = trace.blocks_of(store, buzz.session)
    kept: list[retrace.Second] = []

    def watch(second: retrace.Second) -> None:
        if buzz.second - before_s <= second.number <= buzz.second + after_s:
            kept.append(second)

    again = judged_again(blocks, watch=watch)
    confirmed = (buzz.second, buzz.tick, buzz.fault) in buzz_keys(again.events)
    if not any(second.number == buzz.second for second in kept) or not (confirmed or again.exact):
        # Figures of a detector that began too late would be made up.
        raise BadInput(f"{buzz.name} cannot be explained: too much of the trace before it is not here")
    before = [each for each in buzzes_of(store, buzz.session) if each.number == buzz.number - 1]
    return Explained(buzz, kept, confirmed, bool(again.exact), int(again.missing_s), before[0] if before else None)


# --- in words -------------------------------------------------------------------------------------------------------


def when(buzz: Buzz) -> str:
    """``Sunday 1 March 2026, 10:14:32, 8 min 12 s into the walk``."""
    into = f"{duration(int(buzz.at_s))} into the walk" if 0 <= buzz.at_s <= 86400 else ""
    begin = dates.begin_of(buzz.session)
    if not begin.utc_s or not into:
        return into or "at a time that nobody knows"
    moment = dates.local_time(begin.utc_s + int(buzz.at_s))
    return f"{moment:%A} {moment.day} {moment:%B %Y, %H:%M:%S}, {into}"


def sentences(told: Explained) -> list[str]:
    """The buzz in words: the angle, the timer, the rule, what came of it."""
    buzz, at = told.buzz, told.at
    fault = told.fault_of(at)
    direction = _DIRECTIONS[buzz.fault]
    on_deg, off_deg = fault.on_cdeg / 100, fault.off_cdeg / 100
    found = []
    if buzz.count == 1:
        found += _first_buzz(told, fault, direction, on_deg, off_deg)
    else:
        found += _repeat(told, direction, off_deg)
    if buzz.fault == events.FORWARD:
        found += _wider(at)
        if buzz.label in _LABELS and buzz.count == 1:
            found.append(_LABELS[buzz.label])
    if buzz.fault != events.SIDE and abs(at.offset_cdeg) >= _TOLD_CDEG:
        found.append(f"Your own walking lean of {at.offset_cdeg / 100:+.1f}° is taken off all these angles.")
    found.append(_outcome(buzz, off_deg))
    found.append(f"Angles hold to about ±{UNCERTAINTY_DEG}°: closer than that to a limit, which side of it is chance.")
    if not told.confirmed:
        found.append("Judged again it does not buzz at this very moment: another firmware judged it then.")
    elif not told.exact:
        found.append(f"{told.missing_s} s of the walk before it are missing: the timer is as far as they are known.")
    return found


def _first_buzz(
    told: Explained, fault: retrace.FaultSecond, direction: str, on_deg: float, off_deg: float
) -> list[str]:
    mean = "" if fault.mean_cdeg is None else f" {fault.mean_cdeg / 100:.1f}° on average,"
    hold_s, needs_s = fault.hold / events.TICKS_PER_S, fault.needs / events.TICKS_PER_S
    unsure = ""
    if needs_s > hold_s:
        unsure = f", and {needs_s - hold_s:.1f} s more, because the moment of crossing the limit was unsure"
    return [
        f"You leaned {direction},{mean} beyond the limit of {on_deg:.0f}° (a fault until below {off_deg:.0f}°).",
        f"The fault began {told.begun_s:.1f} s before the buzz. The hold timer, which runs while you walk, has to "
        f"reach {hold_s:.0f} s{unsure}.",
        f"Rule: a {told.buzz.fault_name} fault held for {needs_s:.1f} s, its mean beyond the limit, no buzz shortly "
        "before.",
    ]


def _repeat(told: Explained, direction: str, off_deg: float) -> list[str]:
    buzz = told.buzz
    since = ""
    if told.before is not None:
        quarters = events.TICKS_PER_S * (buzz.second - told.before.second) + buzz.tick - told.before.tick
        since = f" {quarters / events.TICKS_PER_S:.0f} s after the buzz before"
    return [
        f"You still leaned {direction}{since}, and had not come back below {off_deg:.0f}°.",
        f"Rule: repeat {buzz.count - 1} of 3 of a fault that goes on.",
    ]


def _wider(at: retrace.Second) -> list[str]:
    """Why the forward limit was wider than the setting says."""
    reasons = (
        (at.ease_cdeg, "you had only begun with the clip (progressive)"),
        (at.hill_cdeg, "hill mode was on"),
        (at.stranger_cdeg, "in the first 15 s of walking your own way of walking is not known yet"),
    )
    return [f"The limit was {extra / 100:.0f}° wider than set: {why}." for extra, why in reasons if extra]


def _outcome(buzz: Buzz, off_deg: float) -> str:
    if buzz.answer_s is not None:
        text = f"You were back below {off_deg:.0f}° {tenths(buzz.answer_s)} s after it"
    elif buzz.again_s is not None:
        text = f"You were not back below {off_deg:.0f}° when it buzzed again, {buzz.again_s:.0f} s later"
    elif buzz.stopped:
        text = "You stopped walking before an answer was due"
    else:
        text = f"You were not back below {off_deg:.0f}° within {_AFTER_S} s"
    return text + (", and called it wrong." if buzz.wrong else ".")


# --- as a picture ---------------------------------------------------------------------------------------------------


def picture(told: Explained, others: Sequence[Buzz]) -> list[Text]:
    """The angle around the buzz against its limits, and the hold timer, a column a second."""
    buzz = told.buzz
    first, last = told.seconds[0].number, told.seconds[-1].number
    by_number = {second.number: second for second in told.seconds}
    columns = [by_number.get(number) for number in range(first, last + 1)]
    at = told.at
    fault = told.fault_of(at)
    marks = {each.second - first: "△" for each in others if first <= each.second <= last}
    marks[buzz.second - first] = "▲"
    if buzz.answer_s is not None:
        back = buzz.second - first + round(buzz.tick / events.TICKS_PER_S + buzz.answer_s)
        marks.setdefault(min(back, len(columns) - 1), "✓")
    times = {
        number - first: f"{number - buzz.second:+d} s" if number != buzz.second else "buzz"
        for number in range(first, last + 1)
        if not (number - buzz.second) % 10
    }
    made = textplot.lines(
        textplot.Curve(
            [None if second is None else told.angle_of(second) for second in columns],
            ["" if second is None else _STYLES.get(second.second_class, "bright_black") for second in columns],
            {fault.on_cdeg / 100: "", fault.off_cdeg / 100: ""},
            marks,
            times,
        )
    )
    shares = [
        None if second is None else told.fault_of(second).timer / max(1, told.fault_of(second).needs)
        for second in columns
    ]
    made.append(Text(f"{'hold':<7}").append(textplot.bar(shares), "yellow"))
    return made


# --- the command ----------------------------------------------------------------------------------------------------


def command(
    event: Annotated[
        str | None, typer.Argument(metavar="[EVENT]", help="Which buzz: 12.3 is the third of session 12.")
    ] = None,
    session: Annotated[
        int | None, typer.Option("--session", metavar="NO", help="List the buzzes of this session alone.")
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(
            "--last", metavar="N", min=1, help=f"List those of the last N sessions, {_LIST_SESSIONS} if left out."
        ),
    ] = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="The explanation as a picture, too.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the picture if it is there already.")] = False,
    wrong: Annotated[bool, typer.Option("--wrong", help="List those that you called wrong, of all sessions.")] = False,
    device: Device = None,
    store: StorePath = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show why the clip buzzed: the seconds before, the limit, the hold timer, the rule. Without EVENT: the buzzes.

    The walk is judged again, by the very detector that is on the clip.

    Example: walktall explain 12.3
    """
    console = out()
    if svg is not None:
        if event is None:
            raise BadInput("--svg is of one buzz: walktall explain 12.3 --svg buzz.svg")
        refuse_to_overwrite(svg, force)
    with reading(store) as opened:
        if event is None:
            found = _listed(opened, device, session, last, wrong)
            if json_:
                write_json({"buzzes": [_document(buzz) for buzz in found]})
            elif found:
                write(console, _table(found))
            elif not quiet:
                note("no buzz" + (" that was called wrong" if wrong else "") + " in the traces of these sessions")
            return
        buzz = named(opened, chosen(opened, device, None, None), event)
        before_s = max(20, min(_BEFORE_MOST_S, console.width - _LABEL_CELLS - _AFTER_S - 6))
        told = explained(opened, buzz, before_s)
        others = [each for each in buzzes_of(opened, buzz.session) if each.number != buzz.number]
    if json_:
        write_json(_explained_document(told))
        return
    label = f", {buzz.label_name}" if buzz.label_name else ""
    head = [Text(f"Buzz {buzz.name}: {buzz.fault_name}{label}", "bold"), Text(when(buzz)), Text()]
    said = [Text(sentence) for sentence in sentences(told)]
    plot = [Text(), *picture(told, others)]
    write_lines(console, head)
    write(console, *said)
    write_lines(console, plot)
    if svg is not None:
        with whole_file(svg, force) as file:
            file.write(drawn([*head, *said], plot, f"walktall explain {buzz.name}", console.width).encode())
    if not quiet:
        number, hold_s = buzz.session.number, told.fault_of(told.at).hold // events.TICKS_PER_S
        note(f"what another hold would have done: walktall whatif --session {number} --set hold_s={hold_s + 5}")


def _listed(store: Store, device: str | None, number: int | None, last: int | None, wrong: bool) -> list[Buzz]:
    sessions = chosen(store, device, number, last)
    if wrong:
        sessions = [session for session in sessions if session["wrong_marks"]]
    elif number is None and last is None:
        sessions = sessions[-_LIST_SESSIONS:]
    found = [buzz for session in sessions for buzz in buzzes_of(store, session)]
    return [buzz for buzz in found if buzz.wrong] if wrong else found


def _table(found: Sequence[Buzz]) -> Table:
    table = Table.grid(padding=(0, 2))
    # Its number is what is typed next; the rest gives way on a narrow terminal.
    table.add_column(no_wrap=True)
    for _ in range(4):
        table.add_column(overflow="fold")
    shown: Session | None = None
    for buzz in found:
        if shown is not buzz.session:
            shown = buzz.session
            heading = Text(begin_text(buzz.session).strip(), "bold")
            table.add_row(
                Text(str(buzz.session.number), "bold"), heading, Text(count(buzz.session["buzzes"], "buzz", "buzzes"))
            )
        kind = buzz.fault_name + (f", {buzz.label_name}" if buzz.label_name else "")
        repeat = f"repeat {buzz.count - 1}" if buzz.count > 1 else ""
        into = f"at {duration(int(buzz.at_s))}" if buzz.at_s >= 0 else ""
        table.add_row(Text(buzz.name), Text(into), Text(kind), Text(repeat), Text(buzz.outcome))
    return table


def _document(buzz: Buzz) -> dict[str, Any]:
    begin = dates.begin_of(buzz.session)
    moment = dates.local_time(begin.utc_s + int(buzz.at_s)) if begin.utc_s else None
    return {
        "buzz": buzz.name,
        "session": buzz.session.number,
        "time": moment.isoformat(timespec="seconds") if moment else None,
        "t_s": buzz.at_s,
        "fault": buzz.fault_name,
        "label": buzz.label_name or None,
        "count": buzz.count,
        "answer_s": buzz.answer_s,
        "wrong": buzz.wrong,
    }


def _explained_document(told: Explained) -> dict[str, Any]:
    return {
        **_document(told.buzz),
        "sentences": sentences(told),
        "confirmed": told.confirmed,
        "exact": told.exact,
        "seconds": [
            {
                "from_buzz_s": second.number - told.buzz.second,
                "angle_deg": told.angle_of(second),
                "pitch_deg": second.pitch_cdeg / 100,
                "roll_deg": second.roll_cdeg / 100,
                "class": events.CLASS_NAMES[second.second_class],
                "cadence_spm": second.cadence_spm,
                "active": bool(told.fault_of(second).active),
                "on_deg": told.fault_of(second).on_cdeg / 100,
                "off_deg": told.fault_of(second).off_cdeg / 100,
                "hold_s": told.fault_of(second).timer / events.TICKS_PER_S,
                "hold_needed_s": told.fault_of(second).needs / events.TICKS_PER_S,
            }
            for second in told.seconds
        ],
    }
