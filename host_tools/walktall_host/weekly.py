"""The report of many walks as text and as JSON: a line a week, and what can and cannot be concluded.

The same figures and sentences as on the HTML page (``weeks``, ``words``), compact.
"""

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from . import advice, chance, words
from .chance import Interval
from .terminal import bar_room, count
from .track import Band
from .weeks import GOAL_DAY_MAX_MIN, GOAL_DAY_MIN, GOAL_DAYS, GOAL_DAYS_MAX, Trend, Week, Weeks

_FAINT = "bright_black"
_BAR_CELLS = 20
_VERDICTS = {"better": "green", "worse": "red", "open": "", "few": _FAINT}


def blocks(found: Weeks, width: int | None) -> list[RenderableType]:
    """The report's parts from top to bottom.

    :param width: of the terminal, for bars beside the minutes; None draws none
    """
    made: list[RenderableType] = [Text(words.weeks_heading(found), "bold"), Text(_which(found), _FAINT)]
    cells = bar_room(_table(found.weeks, 0), width, _BAR_CELLS)
    made += [Rule(style=_FAINT) if width else Text(""), _table(found.weeks, cells), Text("")]
    lines = [
        ("goal", words.goal_words(found), ""),
        *_concluded(
            "upright", words.trend_conclusion(found.upright, "the upright share", "points", 100, True, "walking")
        ),
        *_concluded("answers", words.habit_conclusion(found)),
        *_concluded("time", words.trend_conclusion(found.answer_times, "the time to correct", "s", 1, False, "buzzes")),
        *_concluded("trial", words.trial_conclusion(found.trial)),
        *_concluded("pace", words.pace_conclusion(found)),
    ]
    if found.bands:
        lines.append(("", words.bands_words(found.bands), ""))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text, style in lines:
        grid.add_row(Text(name, "bold"), Text(text, style))
    made += [Text("What can be concluded", "bold"), Padding(grid, (0, 0, 0, 2))]
    if found.discomfort:
        told = f"You marked discomfort {count(found.discomfort, 'time')}. {advice.DOCTOR}"
        made += [Text(""), Text("Discomfort", "bold"), _line(told)]
    tips = advice.for_weeks(found)
    if tips:
        made += [Text(""), Text("What you might try", "bold"), *(_line(tip.words) for tip in tips)]
    made += [Text(""), Text("How far to trust this", "bold"), _line(words.BLIND, _FAINT)]
    return made


def _which(found: Weeks) -> str:
    text = count(len(found.sessions), "session")
    if found.traced:
        text += f", {found.traced:,} with a trace"
    if found.undated:
        text += f"; {count(found.undated, 'session')} without a date in no week"
    return text


def _line(text: str, style: str = "") -> Padding:
    return Padding(Text(text, style), (0, 0, 0, 2))


def _concluded(name: str, conclusion: words.Conclusion | None) -> list[tuple[str, str, str]]:
    return [] if conclusion is None else [(name, conclusion.text, _VERDICTS[conclusion.verdict])]


def _table(weeks: Sequence[Week], bar_cells: int) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    table.add_column("week of", overflow="fold")
    for name in ("walking", f"days of {GOAL_DAY_MIN} min", "upright", "answered", "steps"):
        table.add_column(name, justify="right", overflow="fold")
    if bar_cells:
        table.add_column(no_wrap=True)
    # The scale ends where the goal does, or where the most was walked.
    most = max(GOAL_DAYS_MAX * GOAL_DAY_MAX_MIN * 60, *(week.walking_s for week in weeks))
    for week in weeks:
        upright, answered = week.upright, week.answer_share
        cells = [
            Text(f"{week.monday:%Y-%m-%d}"),
            Text(f"{round(week.walking_s / 60)} min"),
            Text(str(week.goal_days), "green" if week.met else ""),
            Text("–" if upright is None else f"{100 * upright:.0f} %"),
            Text("–" if answered is None else f"{100 * answered:.0f} %"),
            Text(f"{week.steps:,}"),
        ]
        if bar_cells:
            cells.append(Text("█" * round(bar_cells * week.walking_s / most), "green" if week.met else _FAINT))
        table.add_row(*cells)
    return table


# For programs.


def document(found: Weeks) -> dict[str, object]:
    """All of it as JSON: integers as stored and summed, shares as fractions, intervals of 95 %."""
    return {
        "weeks": [_week(week) for week in found.weeks],
        "sessions": [session.number for session in found.sessions],
        "undated": found.undated,
        "traced": found.traced,
        "goal": {
            "days": GOAL_DAYS,
            "minutes_a_day": GOAL_DAY_MIN,
            "weeks_met": found.met,
        },
        "upright_change_4_weeks": _interval(found.upright),
        "answered_change_4_weeks": _interval(found.answers),
        "answer_s_change_4_weeks": _interval(found.answer_times),
        "trial": {
            "walks": found.trial.walks,
            "walks_used": len(found.trial.differences),
            "walks_needed": chance.WALKS_MIN,
            "silent_s": found.trial.silent_s,
            "buzzing_s": found.trial.buzzing_s,
            "forward_share_silent_less_buzzing": _plain(found.trial.effect),
            "conclusion": _verdict(words.trial_conclusion(found.trial)),
        },
        "brisk_less_slow_deg": _plain(found.pace_effect),
        "lean_by_cadence": [_band(band) for band in found.bands],
        "advice": [{"key": tip.key, "text": tip.words} for tip in advice.for_weeks(found)],
    }


def _verdict(conclusion: words.Conclusion | None) -> str | None:
    return None if conclusion is None else conclusion.verdict


def _plain(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else {name: round(value, 4) for name, value in asdict(interval).items()}


def _interval(trend: Trend) -> dict[str, float] | None:
    return _plain(trend.change)


def _band(band: Band) -> dict[str, float | int | None]:
    return {
        "from_spm": band.low_spm,
        "below_spm": band.high_spm,
        "seconds": band.seconds,
        "lower_quartile_deg": round(band.lower_deg, 1),
        "median_deg": round(band.middle_deg, 1),
        "upper_quartile_deg": round(band.upper_deg, 1),
    }


def _week(week: Week) -> dict[str, object]:
    return {
        "monday": week.monday.isoformat(),
        "walks": week.walks,
        "walking_s": week.walking_s,
        "goal_days": week.goal_days,
        "brisk_s": week.brisk_s,
        "steps": week.steps,
        "judged_s": week.judged_s,
        "good_s": week.good_s,
        "forward_s": week.forward_s,
        "buzzes": week.buzzes,
        "answered": week.answered,
        "ignored": week.ignored,
        "answer_mean_s": None if week.answer_s is None else round(week.answer_s, 2),
    }
