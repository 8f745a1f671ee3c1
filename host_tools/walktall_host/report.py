"""The report of a walk as text: on a terminal with colours and bars, in a pipe plain and aligned.

It shows what ``figures`` made of a session and adds nothing but words: every second worn in its place, what the clip
did, how sure it can be, and what it cannot see.
"""

from collections.abc import Sequence
from datetime import datetime, tzinfo

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text
from walktall import records, settings

from . import dates
from .client import version_text
from .figures import GOOD, Figures, Part, figures_of, forward_events_of, judged_of, percents, upright_of
from .store import Session
from .terminal import bar_room, count, duration, safe, write
from .track import ANSWERED, Track
from .words import BLIND, bands_words, clock, degrees, longest_words, trace_remarks

_BAR_CELLS = 24
#: As wide as the words before the figures are at least, so that reports stand alike.
_WORDS_CELLS = 26
_STYLES = {GOOD: "green", "forward_s": "red", "back_s": "magenta", "side_s": "yellow"}
_LEFT_OUT_STYLE = "bright_black"
_HEADING = "bold"
_FAINT = "bright_black"

#: From this quality on, by its begin: how a calibration is called.
_QUALITIES = ((80, "good"), (50, "fair"), (1, "poor"))


def calibration_words(quality: int) -> str:
    """A calibration's quality in words."""
    if not quality:
        return "not calibrated"
    for least, word in _QUALITIES:
        if quality >= least:
            return f"{word} ({quality} of 100)"
    raise AssertionError(quality)


def heading(session: Session, zone: tzinfo | None = None) -> str:
    """When it was, in the zone of this computer."""
    begin = dates.begin_of(session)
    start = begin.local(zone)
    if start is None:
        return "Undated walk"
    name = "Walk of" if not session["merged_walks"] else "Short walks of"
    day = f"{name} {start:%A} {start.day} {start:%B %Y}"
    if session["merged_walks"]:
        return f"{day}, the first at {start:%H:%M}"
    end = dates.local_time(begin.utc_s + session["wear_s"], zone)
    return f"{day}, {_clock_times(start, end)}"


def _clock_times(start: datetime, end: datetime) -> str:
    days = (end.date() - start.date()).days
    later = "" if not days else " the next day" if days == 1 else f" {days} days later"
    # On the night when the clocks change, two times of one name need their zone.
    if start.utcoffset() != end.utcoffset():
        return f"{start:%H:%M} (UTC{start:%z}) to {end:%H:%M} (UTC{end:%z}){later}"
    return f"{start:%H:%M} to {end:%H:%M}{later}"


def date_remark(session: Session, zone: tzinfo | None = None) -> str:
    """How the date is known, where it is not simply the clip's clock; else ''."""
    begin = dates.begin_of(session)
    if begin.source == dates.DERIVED:
        return "The clip's clock was not set; the time is counted back from the download."
    if begin.source == dates.UNDATED:
        fetched = dates.local_time(session.fetched_utc_s, zone)
        return (
            f"The clip's clock was not set, so nobody knows when this was: in its boot {session['boot']}, "
            f"{duration(session['start_uptime_s'])} after it started, and before {fetched:%Y-%m-%d %H:%M}, when it was "
            "downloaded."
        )
    return ""


def remarks_of(session: Session, figures: Figures, zone: tzinfo | None = None) -> list[str]:
    """What is worth knowing of the session as a whole, in sentences."""
    return [text for text in (date_remark(session, zone), *(_sentence(r) for r in figures.remarks)) if text]


def report(console: Console, session: Session, zone: tzinfo | None = None, track: Track | None = None) -> None:
    """Print the report of one session.

    :param track: what its trace shows, None without one
    """
    write(console, *blocks(session, console.width if console.is_terminal else None, zone, track))


def blocks(
    session: Session, width: int | None, zone: tzinfo | None = None, track: Track | None = None
) -> list[RenderableType]:
    """The report's parts from top to bottom.

    :param width: of the terminal, for bars beside the shares; None draws none
    :param track: what the trace of the walk shows, None without one
    """
    figures = figures_of(session)
    made: list[RenderableType] = [*_title(session, width is not None, zone), *_upright(session, figures, width)]
    made += [Text(""), Text("Where each second went", _HEADING), _seconds_table(session, figures, width)]
    if figures.inexact:
        made.append(_line("A counter was full: the parts do not add up to the time worn.", "yellow"))
    made += [Text(""), Text("Faults and buzzes", _HEADING), _rows([*fault_rows(session, figures), *_buzz_rows(track)])]
    made += [Text(""), Text("Walking", _HEADING), _rows(walking_rows(session, figures.judged_s, track))]
    if track is not None and width is not None:
        made.append(_line("pitch over the walk, each cell's mean: " + sparkline(track), _FAINT))
    made += [Text(""), Text("The clip", _HEADING), _rows(clip_rows(session))]
    remarks = [*remarks_of(session, figures, zone), *trace_remarks(session, track)]
    if remarks:
        made += [Text(""), Text("Worth knowing", _HEADING), *(_line(text) for text in remarks)]
    if figures.advice:
        made += [Text(""), Text("What you might try", _HEADING), *(_line(text) for text in figures.advice)]
    made += [Text(""), Text("How far to trust this", _HEADING), _line(BLIND, _FAINT)]
    return made


def which_words(session: Session) -> str:
    """Which session of which clip it is, and whose, where that is told."""
    whose = f", worn by {safe(session.person)}" if session.person else ""
    return f"clip {safe(session.clip)}{whose}, session {session.number}"


def _title(session: Session, ruled: bool, zone: tzinfo | None) -> list[RenderableType]:
    when = Text(heading(session, zone), "bold")
    which = Text(which_words(session), _FAINT)
    return [when, which, Rule(style=_FAINT) if ruled else Text("")]


def _upright(session: Session, figures: Figures, width: int | None) -> list[RenderableType]:
    if figures.upright_pct is None:
        return [Text(f"Nothing could be judged in {duration(figures.worn_s)} of wear; the reasons stand below.")]
    line = Text.assemble(
        (f"{figures.upright_pct} % upright", f"bold {_shade(figures.upright_pct)}"),
        f" in the {duration(figures.judged_s)} that could be judged, of {duration(figures.worn_s)} worn",
    )
    made: list[RenderableType] = [line]
    if width is not None:
        parts = [*figures.judged, Part("left_out", "", figures.left_out_s, figures.left_out_pct)]
        cells = min(2 * _BAR_CELLS, width)
        made.append(_stack([(part.seconds, _STYLES.get(part.name, _LEFT_OUT_STYLE)) for part in parts], cells))
    return made


def _shade(pct: int) -> str:
    return "green" if pct >= 80 else "yellow" if pct >= 50 else "red"


def _stack(parts: Sequence[tuple[int, str]], cells: int) -> Text:
    """One bar of all the seconds, each part as wide as its share."""
    shares = percents([seconds for seconds, _ in parts])
    bar = Text()
    drawn = 0
    upto = 0
    for share, (_, style) in zip(shares, parts, strict=True):
        upto += share
        width = round(upto * cells / 100) - drawn
        bar.append("█" * width, style)
        drawn += width
    return bar


def _line(text: str, style: str = "") -> Padding:
    return Padding(Text(text, style), (0, 0, 0, 2))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _seconds_table(session: Session, figures: Figures, width: int | None) -> Table:
    return _seconds(session, figures, bar_room(_seconds(session, figures, 0), width, _BAR_CELLS))


def _seconds(session: Session, figures: Figures, bar_cells: int) -> Table:
    table = Table.grid(padding=(0, 2))
    # The words give way, never the figures.
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    if bar_cells:
        table.add_column(no_wrap=True)

    def row(words: str, seconds: int, pct: int, style: str, indent: int, bar: bool = True) -> None:
        cells: list[RenderableType] = [
            Text((" " * indent + words).ljust(_WORDS_CELLS), style if style != _LEFT_OUT_STYLE or indent == 4 else ""),
            Text(duration(seconds)),
            Text(f"{pct} %"),
        ]
        if bar_cells:
            width = max(1, round(pct * bar_cells / 100)) if pct and bar else 0
            cells.append(Text("█" * width, style))
        table.add_row(*cells)

    for part in figures.judged:
        row(part.words, part.seconds, part.pct, _STYLES.get(part.name, ""), 2)
    row("left out", figures.left_out_s, figures.left_out_pct, _LEFT_OUT_STYLE, 2)
    for part in figures.left_out:
        row(part.words, part.seconds, part.pct, _LEFT_OUT_STYLE, 4, bar=False)
    row("worn", figures.worn_s, 100 if figures.worn_s else 0, "bold", 2, bar=False)
    return table


def _rows(rows: Sequence[tuple[str, str]]) -> Padding:
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=24, no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    return Padding(table, (0, 0, 0, 2))


def fault_rows(session: Session, figures: Figures) -> list[tuple[str, str]]:
    kinds = [
        count(session[f"{label}_events"], label, plural)
        for label, plural in (("lean", "leans"), ("slouch", "slouches"), ("unsure", "unsure"))
        if session[f"{label}_events"]
    ]
    forward = str(figures.forward_events)
    rows = [("forward", f"{forward}: {', '.join(kinds)}" if len(kinds) > 1 else "".join(kinds) or forward)]
    rows.append(("back", str(session["back_events"])))
    rows.append(("to a side", str(session["side_events"])))
    buzzes = str(session["buzzes"])
    if session["buzzes"]:
        told = [f"{session['answered']} answered"]
        if session["ignored"]:
            told.append(f"{session['ignored']} not answered")
        if figures.buzzes_open:
            told.append(f"{figures.buzzes_open} undecided (you stopped first)")
        buzzes += f": {', '.join(told)}"
    rows.append(("buzzes", buzzes))
    if session["answered"]:
        rows.append(("time to correct", f"{session['answer_mean_ds'] / 10:.1f} s on average"))
    if session["wrong_marks"]:
        rows.append(("you said 'wrong'", count(session["wrong_marks"], "time")))
    if session["discomfort_marks"]:
        rows.append(("you marked discomfort", count(session["discomfort_marks"], "time")))
    if session["cues"]:
        rows.append(("other cues", f"{session['cues']} (stretch, sitting)"))
    if session["silent_s"]:
        rows.append(
            (
                "silent blocks (trial)",
                f"{duration(session['silent_forward_s'])} forward in {duration(session['silent_s'])}",
            )
        )
    return rows


# More buzzes than this are told by their numbers alone.
_BUZZES_TOLD = 6


def _buzz_rows(track: Track | None) -> list[tuple[str, str]]:
    """When each buzz was, and the answer."""
    if track is None or not track.buzzes:
        return []
    told = []
    for buzz in track.buzzes[:_BUZZES_TOLD]:
        answer = buzz.outcome if buzz.outcome != ANSWERED else f"back after {buzz.answer_s:.0f} s"
        told.append(f"{clock(buzz.at_s)} {buzz.label.lower() or buzz.fault}, {answer}")
    more = len(track.buzzes) - len(told)
    return [("when", "; ".join(told) + (f"; {more} more" if more else ""))]


_SPARKS = "▁▂▃▄▅▆▇█"
_SPARK_CELLS = 40


def sparkline(track: Track) -> str:
    """Pitch over the walk in block letters, from its least to its greatest mean."""
    cells: list[list[int]] = [[] for _ in range(_SPARK_CELLS)]
    for piece in track.columns:
        for column in piece:
            cells[column.begin_s * _SPARK_CELLS // track.length_s].append(column.mean_cdeg)
    means = [sum(cell) / len(cell) if cell else None for cell in cells]
    known = [mean for mean in means if mean is not None]
    low, high = min(known), max(known)
    top = len(_SPARKS) - 1
    drawn = "".join(" " if mean is None else _SPARKS[round(top * (mean - low) / max(1, high - low))] for mean in means)
    return f"{degrees(round(low))} {drawn} {degrees(round(high))}"


def walking_rows(session: Session, judged_s: int, track: Track | None = None) -> list[tuple[str, str]]:
    rows = [("steps", f"{session['steps']:,}"), ("walking", duration(session["walking_s"]))]
    if session["cadence_mean_spm"]:
        rows.append(("brisk", f"{duration(session['brisk_s'])} at 100 steps/min or more"))
        rows.append(("cadence", f"{session['cadence_mean_spm']} steps/min on average"))
    if session["longest_good_s"]:
        when = f", {longest_words(track)}" if track is not None and longest_words(track) else ""
        rows.append(("longest good stretch", duration(session["longest_good_s"]) + when))
    if judged_s and session["walking_s"]:
        slow_s = session["walking_s"] - session["brisk_s"]
        pitch = degrees(session["pitch_mean_cdeg"])
        if slow_s and session["brisk_s"]:
            pitch += f"; slow {degrees(session['pitch_slow_cdeg'])}, brisk {degrees(session['pitch_brisk_cdeg'])}"
        rows.append(("mean tilt from upright", f"{pitch} (+ is forward)"))
    bands = track.histogram.bands() if track is not None else []
    if len(bands) > 1:
        rows.append(("lean by pace", bands_words(bands)))
    first, last = session["upright_first_pct"], session["upright_last_pct"]
    if first <= 100 and last <= 100:
        rows.append(("upright, first third", f"{first} %, last third {last} %"))
    return rows


def clip_rows(session: Session) -> list[tuple[str, str]]:
    rows = [("calibration", calibration_words(session["calibration_quality"]))]
    if session["walk_offset_cdeg"]:
        rows.append(("your own walking tilt", f"{degrees(session['walk_offset_cdeg'])}, taken off"))
    if session["slips"]:
        rows.append(("slips", str(session["slips"])))
    if session["on_deg"]:
        rows.append(("forward begins", f"beyond {session['on_deg']}°, and ends below {session['off_deg']}°"))
        rows.append(("buzzes after", f"{session['hold_s']} s of it"))
        mode = settings.format_text("mode", session["mode"])
        coaching = settings.format_text("coaching", session["coaching"])
        rows.append(("mode", f"{mode}, coaching: {coaching}"))
    start, end = session["battery_start_mv"], session["battery_end_mv"]
    if start and end:
        rows.append(("battery", f"{start / 1000:.2f} V, then {end / 1000:.2f} V"))
    rows.append(("firmware", version_text(session["fw_version"])))
    return rows


# Several sessions.


_COLUMNS = ("no.", " begin", "worn", "judged", "upright", "fwd", "back", "side", "buzz", "steps", "clip")
_LEFT_ALIGNED = (" begin", "clip")


def list_sessions(sessions: Sequence[Session], zone: tzinfo | None = None) -> list[Text]:
    """Lines of a table of sessions, in the order given; 80 columns, and the clip where there are several.

    By hand, not by Rich's table: five years of daily walks are listed in a blink.
    """
    rows = []
    styles = []
    for session in sessions:
        pct = upright_of(session)
        styles.append(_FAINT if pct is None else _shade(pct))
        rows.append(
            (
                str(session.number),
                begin_text(session, zone),
                minutes(session["wear_s"]),
                minutes(judged_of(session)),
                "–" if pct is None else f"{pct} %",
                str(forward_events_of(session)),
                str(session["back_events"]),
                str(session["side_events"]),
                str(session["buzzes"]),
                str(session["steps"]),
                safe(session.clip),
            )
        )
    n = len(_COLUMNS) if len({session.device_id for session in sessions}) > 1 else len(_COLUMNS) - 1
    widths = [max(len(name), *(len(row[k]) for row in rows)) for k, name in enumerate(_COLUMNS[:n])]

    def cells(row: Sequence[str]) -> list[str]:
        return [
            cell.ljust(width) if name in _LEFT_ALIGNED else cell.rjust(width)
            for cell, width, name in zip(row, widths, _COLUMNS, strict=False)
        ]

    shaded = _COLUMNS.index("upright")
    lines = [Text("  ".join(cells(_COLUMNS)).rstrip(), _HEADING)]
    for row, style in zip(rows, styles, strict=True):
        line = cells(row)
        at = sum(widths[:shaded]) + 2 * shaded
        text = Text("  ".join(line).rstrip())
        text.stylize(style, at, at + widths[shaded])
        lines.append(text)
    return lines


def minutes(seconds: int) -> str:
    """Minutes, for a table: ``12 min``, ``8:05 h``; seconds where there is no whole minute."""
    if seconds < 60:
        return f"{seconds} s"
    whole = round(seconds / 60)
    return f"{whole} min" if whole < 60 else f"{whole // 60}:{whole % 60:02d} h"


def begin_text(session: Session, zone: tzinfo | None = None) -> str:
    """When it began, 17 characters at the most; ``~`` before a date that is derived."""
    begin = dates.begin_of(session)
    start = begin.local(zone)
    if start is None:
        return " undated"
    return f"{'~' if begin.source == dates.DERIVED else ' '}{start:%Y-%m-%d %H:%M}"


# For programs.


def document(session: Session, zone: tzinfo | None = None) -> dict[str, object]:
    """One session as JSON: the stored integers under their own names, and what was derived from them."""
    figures = figures_of(session)
    begin = dates.begin_of(session)
    start = begin.local(zone)
    return {
        "number": session.number,
        "device_id": session.device_id.hex(),
        "journal_id": session.journal_id.hex(),
        "begin": start.isoformat(timespec="seconds") if start else None,
        "begin_source": begin.source,
        "fetched": dates.local_time(session.fetched_utc_s, zone).isoformat(timespec="seconds"),
        "acknowledged": session.acked,
        "judged_s": figures.judged_s,
        "left_out_s": figures.left_out_s,
        "upright_pct": figures.upright_pct,
        "flag_names": [name for bit, name in enumerate(records.FLAG_NAMES) if session["flags"] >> bit & 1],
        **session.values,
    }
