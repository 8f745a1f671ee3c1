"""Where everything in a chart stands: figures in, coordinates out, for the templates that write them as SVG.

A chart is as wide as the page: positions along it are percent of its width (SVG takes those for points, boxes and
text), curves are drawn in a box of :data:`VIEW` units that is stretched. Heights are CSS pixels. So letters and lines
keep their size on a telephone, no script measures anything, and colours are the style sheet's alone. Nothing is drawn
here.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from walktall import events, settings

from .figures import UNCERTAINTY_DEG
from .store import Session
from .track import Band, Track
from .weeks import GOAL_DAY_MAX_MIN, GOAL_DAY_MIN, GOAL_DAYS, GOAL_DAYS_MAX, Trend, Trial, Week

#: Width of the box that curves are drawn in.
VIEW = 1000
#: What a class of seconds is called in the style sheet.
KINDS = {
    events.CLASS_GOOD: "good",
    events.CLASS_FORWARD: "forward",
    events.CLASS_BACK: "back",
    events.CLASS_SIDE: "side",
}
LEFT_OUT = "out"
_MINUTES_APART = (1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240)
_TICKS_MAX = 7


def percent(part: float, whole: float) -> str:
    """A position or a width along a chart; nothing of nothing, as a clip with full counters may send it."""
    if whole <= 0:
        return "0%"
    return f"{100 * part / whole:.2f}".rstrip("0").rstrip(".") + "%"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def time_ticks(length_s: int) -> list[tuple[str, str, str]]:
    """(position, words, side of it on which the words stand) along a walk."""
    apart = next((m for m in _MINUTES_APART if length_s / 60 / m <= _TICKS_MAX), _MINUTES_APART[-1])
    found = []
    for minute in range(0, length_s // 60 + 1, apart):
        # The last words must not leave the chart.
        anchor = "start" if not minute else "end" if 60 * minute > 0.96 * length_s else "middle"
        words = str(minute if apart < 60 else minute // 60)
        if not minute:  # the unit once: on a telephone there is no room for it each time
            words += " min" if apart < 60 else " h"
        found.append((percent(60 * minute, length_s), words, anchor))
    return found


@dataclass(frozen=True)
class Limit:
    """A line across the pitch chart."""

    y: float
    words: str
    kind: str
    #: Whether the words stand below the line.
    below: bool = False


@dataclass(frozen=True)
class PitchChart:
    """Pitch over a walk, what each second was counted as, and what the clip did."""

    height: int
    degrees: list[tuple[float, str]]
    times: list[tuple[str, str, str]]
    limits: list[Limit]
    #: (top, height) of the band in which the limit's side is chance.
    unsure: tuple[float, float] | None
    zero_y: float
    swing: str
    mean: str
    #: (position, width, kind) of what each second was counted as.
    ribbon: list[tuple[str, str, str]]
    #: (position, width) where the trace tells nothing.
    gaps: list[tuple[str, str]]
    #: (position, outcome or name, words).
    marks: list[tuple[str, str, str]]
    longest: tuple[str, str] | None


_PITCH_HEIGHT = 250
_LEAST_LOW_DEG, _LEAST_HIGH_DEG = -10, 20
_LOWEST_DEG, _HIGHEST_DEG = -40, 60
_BENDS = 60


def pitch_chart(session: Session, track: Track) -> PitchChart:
    """The chart of a walk's trace."""
    length = track.length_s
    means = sorted(column.mean_cdeg / 100 for piece in track.columns for column in piece)
    # What one second in sixty exceeds is a bend: it may leave the chart, so that the rest can be read.
    low = means[len(means) // _BENDS]
    high = means[-1 - len(means) // _BENDS]
    low_deg = max(_LOWEST_DEG, 5 * math.floor(min(low - 1, _LEAST_LOW_DEG) / 5))
    high_deg = min(_HIGHEST_DEG, 5 * math.ceil(max(high + 1, session["on_deg"] + 6, _LEAST_HIGH_DEG) / 5))

    def y(deg: float) -> float:
        held = max(low_deg, min(high_deg, deg))
        return round(_PITCH_HEIGHT * (high_deg - held) / (high_deg - low_deg), 1)

    def x(at_s: float) -> str:
        return _number(VIEW * at_s / length)

    swing = []
    mean = []
    for piece in track.columns:
        middles = [(x((c.begin_s + c.end_s) / 2), c) for c in piece]
        upper = " ".join(f"{at},{_number(y(c.high_cdeg / 100))}" for at, c in middles)
        lower = " ".join(f"{at},{_number(y(c.low_cdeg / 100))}" for at, c in reversed(middles))
        swing.append(f"M{upper} {lower}Z")
        mean.append("M" + " ".join(f"{at},{_number(y(c.mean_cdeg / 100))}" for at, c in middles))
    on, off = session["on_deg"], session["off_deg"]
    limits = []
    if on:
        limits.append(Limit(y(on), f"forward begins at {on}°", "forward"))
        limits.append(Limit(y(off), f"ends below {off}°", "off", below=True))
    back = track.back_on_deg
    if back is None:
        # The record does not carry this limit: what is drawn is the firmware's own, and said to be.
        back = settings.SETTINGS[settings.SET_BACK_ON_DEG][2]
        words = f"backward begins at −{back}°, unless you changed it"
    else:
        words = f"backward begins at −{back}°"
    limits.append(Limit(y(-back), words, "back", below=True))
    step = 10 if high_deg - low_deg > 30 else 5
    known = [(a, b) for a, b, _ in track.runs]
    gaps = [
        (percent(before[1], length), percent(after[0] - before[1], length))
        for before, after in itertools.pairwise(known)
        if after[0] > before[1]
    ]
    marks = [
        (percent(b.at_s, length), b.outcome.replace(" ", "-"), f"{b.label or b.fault}, {b.outcome}")
        for b in track.buzzes
    ]
    marks += [
        (percent(h.at_s, length), h.name, h.name) for h in track.happenings if h.name in ("mark", "slip", "calibrated")
    ]
    longest = track.longest_good
    return PitchChart(
        height=_PITCH_HEIGHT,
        degrees=[
            (y(deg), f"{deg}°".replace("-", "−")) for deg in range(step * math.ceil(low_deg / step), high_deg + 1, step)
        ],
        times=time_ticks(length),
        limits=limits,
        unsure=(y(on + UNCERTAINTY_DEG), round(y(on - UNCERTAINTY_DEG) - y(on + UNCERTAINTY_DEG), 1)) if on else None,
        zero_y=y(0),
        swing="".join(swing),
        mean="".join(mean),
        ribbon=_ribbon(track.runs, length),
        gaps=gaps,
        marks=marks,
        longest=(percent(longest[0], length), percent(longest[1] - longest[0], length)) if longest else None,
    )


def _ribbon(runs: Sequence[tuple[int, int, int]], length: int) -> list[tuple[str, str, str]]:
    """Neighbouring pieces of one kind as one: a walk has many short pieces that are left out for several reasons."""
    found: list[tuple[int, int, str]] = []
    for begin, end, value in runs:
        kind = KINDS.get(value, LEFT_OUT)
        if found and found[-1][1] == begin and found[-1][2] == kind:
            found[-1] = (found[-1][0], end, kind)
        else:
            found.append((begin, end, kind))
    return [(percent(a, length), percent(b - a, length), kind) for a, b, kind in found]


@dataclass(frozen=True)
class CadenceChart:
    """Cadence over the walk."""

    height: int
    ticks: list[tuple[float, str]]
    times: list[tuple[str, str, str]]
    path: str
    brisk_y: float


_CADENCE_HEIGHT = 84
_CADENCE_LOW, _CADENCE_HIGH = 60, 150


def cadence_chart(track: Track) -> CadenceChart | None:
    """Cadence over the walk; None where nobody walked."""

    def y(spm: float) -> float:
        held = max(_CADENCE_LOW, min(_CADENCE_HIGH, spm))
        return round(_CADENCE_HEIGHT * (_CADENCE_HIGH - held) / (_CADENCE_HIGH - _CADENCE_LOW), 1)

    path: list[str] = []
    for piece in track.columns:
        pen = "M"
        for column in piece:
            if not column.cadence_spm:
                pen = "M"
                continue
            at = VIEW * (column.begin_s + column.end_s) / 2 / track.length_s
            path.append(f"{pen}{_number(at)},{_number(y(column.cadence_spm))}")
            pen = "L"
    if not path:
        return None
    ticks = [(y(spm), str(spm)) for spm in (75, 100, 125)]
    return CadenceChart(_CADENCE_HEIGHT, ticks, time_ticks(track.length_s), "".join(path), y(100))


@dataclass(frozen=True)
class Whisker:
    """One row of a table of spreads on a common scale: positions of low, middle and high."""

    words: str
    seconds: int
    middle_deg: float
    low: str
    width: str
    middle: str


@dataclass(frozen=True)
class Whiskers:
    """Several of them, with the zero line and the ends of the scale."""

    rows: list[Whisker]
    zero: str
    low_deg: int
    high_deg: int


def whiskers(bands: Sequence[Band]) -> Whiskers | None:
    """Lean by band of cadence."""
    if not bands:
        return None
    low = min(-5, math.floor(min(b.lower_deg for b in bands) / 5) * 5)
    high = max(15, math.ceil(max(b.upper_deg for b in bands) / 5) * 5)

    def at(deg: float) -> str:
        return percent(deg - low, high - low)

    rows = [
        Whisker(
            b.words,
            b.seconds,
            b.middle_deg,
            at(b.lower_deg),
            percent(b.upper_deg - b.lower_deg, high - low),
            at(b.middle_deg),
        )
        for b in bands
    ]
    return Whiskers(rows, at(0), low, high)


# Weeks.


@dataclass(frozen=True)
class Bar:
    """A column of a bar chart."""

    x: str
    width: str
    y: float
    height: float
    kind: str
    words: str


@dataclass(frozen=True)
class BarChart:
    """Minutes of walking a week, with the goal as a band."""

    height: int
    ticks: list[tuple[float, str]]
    weeks: list[tuple[str, str, str]]
    bars: list[Bar]
    goal: tuple[float, float]


_BARS_HEIGHT = 170
# On a telephone a chart is 17 rem wide, ``28 Dec`` is 2.6 rem and ``Nov 2021`` 3.7.
_WEEK_LABELS_MAX, _YEAR_LABELS_MAX = 6, 4


def week_ticks(weeks: Sequence[Week]) -> list[tuple[str, str, str]]:
    """(position, date, anchor) below a chart of weeks."""
    n = len(weeks)
    year = n > 80
    apart = -(-n // (_YEAR_LABELS_MAX if year else _WEEK_LABELS_MAX))
    # All stand alike under their week, as far from the left end as from the right: none comes nearer to its neighbour.
    first = (n - 1) % apart // 2
    return [(percent(k + 0.5, n), day_words(weeks[k].monday, year), "middle") for k in range(first, n, apart)]


def day_words(day: date, year: bool = False) -> str:
    """``2 Mar``, or ``Mar 2026``."""
    return f"{day:%b %Y}" if year else f"{day.day} {day:%b}"


def minutes_chart(weeks: Sequence[Week]) -> BarChart:
    """Walking minutes of each week."""
    goal = (GOAL_DAYS * GOAL_DAY_MIN, GOAL_DAYS_MAX * GOAL_DAY_MAX_MIN)
    most = max(goal[1] * 1.1, *(week.walking_s / 60 for week in weeks))
    step = next(s for s in (60, 120, 240, 480, 960, 100000) if most / s <= 6)
    top = step * math.ceil(most / step)
    n = len(weeks)

    def y(minutes: float) -> float:
        return round(_BARS_HEIGHT * (1 - minutes / top), 1)

    bars = []
    for k, week in enumerate(weeks):
        minutes = week.walking_s / 60
        words = f"week of {day_words(week.monday)}: {round(minutes)} min on {week.goal_days} long days"
        bars.append(
            Bar(
                percent(k + 0.12, n),
                percent(0.76, n),
                y(minutes),
                round(_BARS_HEIGHT - y(minutes), 1),
                "met" if week.met else "short",
                words,
            )
        )
    ticks = [(y(m), str(m)) for m in range(0, top + 1, step)]
    return BarChart(_BARS_HEIGHT, ticks, week_ticks(weeks), bars, (y(goal[1]), round(y(goal[0]) - y(goal[1]), 1)))


@dataclass(frozen=True)
class TrendChart:
    """One value a week."""

    height: int
    ticks: list[tuple[float, str]]
    weeks: list[tuple[str, str, str]]
    points: list[tuple[str, float, str]]
    line: str


_TREND_HEIGHT = 150


def trend_chart(trend: Trend, weeks: Sequence[Week], top: float, unit: str, scale: float = 1.0) -> TrendChart | None:
    """Dots and a line between neighbouring weeks.

    :param top: upper end of the axis, in shown units
    :param scale: shown units in one of the trend's
    """
    if not trend.points:
        return None
    n = len(weeks)

    def y(value: float) -> float:
        return round(_TREND_HEIGHT * (1 - min(value, top) / top), 1)

    points = [
        (percent(k + 0.5, n), y(scale * v), f"week of {day_words(weeks[k].monday)}: {_number(scale * v)} {unit}")
        for k, v in trend.points
    ]
    line = []
    last = None
    for k, v in trend.points:
        line.append(f"{'L' if last == k - 1 else 'M'}{_number(VIEW * (k + 0.5) / n)},{_number(y(scale * v))}")
        last = k
    ticks = [(y(top * k / 4), f"{_number(top * k / 4)}") for k in range(5)]
    return TrendChart(_TREND_HEIGHT, ticks, week_ticks(weeks), points, "".join(line))


@dataclass(frozen=True)
class Calendar:
    """A square a day: columns are weeks, rows are weekdays. In units of its own box."""

    width: int
    height: int
    squares: list[tuple[int, int, int, str]]
    months: list[tuple[int, str]]
    weeks: int


_SQUARE = 14
_CALENDAR_LEFT, _CALENDAR_TOP = 30, 18
#: Begin of each shade, minutes of walking.
SHADES_MIN = (0, 1, 10, 20, GOAL_DAY_MIN)
#: A year fits a page.
CALENDAR_WEEKS_MAX = 53


def calendar(weeks: Sequence[Week]) -> Calendar:
    """The last weeks, a year of them at the most."""
    shown = weeks[-CALENDAR_WEEKS_MAX:]
    squares = []
    months: list[tuple[int, str]] = []
    for k, week in enumerate(shown):
        x = _CALENDAR_LEFT + _SQUARE * k
        if k == 0 or week.monday.month != shown[k - 1].monday.month:
            if months and x - months[-1][0] < 2.4 * _SQUARE:
                months.pop()
            months.append((x, f"{week.monday:%b}"))
        for row, day in enumerate(week.days):
            shade = sum(day.walking_s / 60 >= begin for begin in SHADES_MIN) - 1
            words = f"{day.date:%a} {day_words(day.date)}: {round(day.walking_s / 60)} min"
            squares.append((x, _CALENDAR_TOP + _SQUARE * row, shade, words))
    width = _CALENDAR_LEFT + _SQUARE * len(shown)
    return Calendar(width, _CALENDAR_TOP + 7 * _SQUARE, squares, months, len(shown))


@dataclass(frozen=True)
class Forest:
    """The trial: a dot a walk, and the interval."""

    dots: list[tuple[str, float]]
    ticks: list[tuple[str, str, str]]
    zero: str
    low: str
    width: str
    middle: str


def forest(trial: Trial) -> Forest | None:
    """Where the differences lie, in percentage points; None when no walk can be used."""
    if not trial.differences:
        return None
    far = max(10.0, *(abs(100 * d) for d in trial.differences))
    reach = 10 * math.ceil(far / 10)

    def at(difference: float) -> str:
        return percent(100 * difference + reach, 2 * reach)

    dots = [(at(d), 26 + 7 * (k * 5 % 7) / 1.6) for k, d in enumerate(trial.differences)]
    ticks = [
        (
            at(v / 100),
            f"{'+' if v > 0 else '−' if v < 0 else ''}{abs(v)}",
            "start" if v == -reach else "end" if v == reach else "middle",
        )
        for v in (-reach, -reach // 2, 0, reach // 2, reach)
    ]
    effect = trial.effect
    if effect is None:
        return Forest(dots, ticks, at(0), "", "", "")
    return Forest(
        dots, ticks, at(0), at(effect.low), percent(100 * (effect.high - effect.low), 2 * reach), at(effect.middle)
    )


def spark(values: Iterable[int | None], width: int = 96, height: int = 18) -> str:
    """A tiny curve of a walk's pitch, in degrees, between -10 and 25."""
    points = list(values)
    path = []
    pen = "M"
    for k, value in enumerate(points):
        if value is None:
            pen = "M"
            continue
        x = width * k / max(1, len(points) - 1)
        y = height * (25 - max(-10, min(25, value))) / 35
        path.append(f"{pen}{round(x)},{round(y)}")
        pen = "L"
    return "".join(path)
