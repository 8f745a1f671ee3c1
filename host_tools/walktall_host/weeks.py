"""What many walks come to: weeks against the goal, trends, answers to buzzes, and the walker's own trial.

Weeks begin on Monday, in the zone of this computer. A walk without a date is in no week, and told. What follows from a
figure is said only where an interval of 95 % says so (``chance``); else the words are "cannot be concluded".

**The trial** (``coaching=trial``): blocks of five minutes are silent or not by a coin's toss. For each walk that has
two minutes or more of both::

    difference = share forward in silent blocks - share forward in buzzing ones

and over all walks the median difference with its interval. The second in which the motor shakes is judged by nobody
but was a fault: it counts as forward here, so that buzzing cannot look better by hiding its own seconds. Walks are
paired with themselves: day, hill, shoes and mood are the same on both sides (Chen & Chen 2014, PLOS ONE 9:e87752). What
it cannot show: whether silence profits from the buzzes before it, and anything but the angle of the collar.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta, tzinfo

from walktall import records

from . import chance, dates
from .chance import Interval
from .figures import GOOD, judged_of
from .store import Session
from .track import Band, Histogram, histogram_from

#: A day counts for the goal from this much walking on. Source: docs/report.md, "The goal".
GOAL_DAY_MIN = 30
GOAL_DAY_MAX_MIN = 40
GOAL_DAYS = 3
GOAL_DAYS_MAX = 7
# What a week needs before its share stands in a trend: else an outing to the shop weighs as much as ten walks.
_WEEK_JUDGED_S = 600
_WEEK_BUZZES = 3
# Of the trial, what a walk needs of silent and of buzzing blocks.
_TRIAL_SIDE_S = 120
# Of pace, what a walk needs on either side of 100 steps/min.
_PACE_SIDE_S = 120
_COACHING_TRIAL = 2
_MODE_WALK = 0


@dataclass
class Day:
    """A day of the calendar."""

    date: date
    walking_s: int = 0
    judged_s: int = 0
    good_s: int = 0
    walks: int = 0


@dataclass
class Week:
    """Seven days from a Monday."""

    monday: date
    days: list[Day] = field(default_factory=list)
    walks: int = 0
    walking_s: int = 0
    brisk_s: int = 0
    steps: int = 0
    judged_s: int = 0
    good_s: int = 0
    forward_s: int = 0
    buzzes: int = 0
    answered: int = 0
    ignored: int = 0
    answer_ds: int = 0

    @property
    def goal_days(self) -> int:
        """Days with enough walking."""
        return sum(day.walking_s >= GOAL_DAY_MIN * 60 for day in self.days)

    @property
    def met(self) -> bool:
        """Whether the goal was reached."""
        return self.goal_days >= GOAL_DAYS

    @property
    def upright(self) -> float | None:
        """Upright share of the judged seconds, 0..1; None when too few were judged."""
        return self.good_s / self.judged_s if self.judged_s >= _WEEK_JUDGED_S else None

    @property
    def answer_share(self) -> float | None:
        """Share answered of the buzzes that were decided; None of too few."""
        decided = self.answered + self.ignored
        return self.answered / decided if decided >= _WEEK_BUZZES else None

    @property
    def answer_s(self) -> float | None:
        """Mean time to correct; None without an answer."""
        return self.answer_ds / 10 / self.answered if self.answered else None


@dataclass(frozen=True)
class Trend:
    """One value a week, and whether it goes anywhere."""

    #: (index of the week, value), weeks that say something.
    points: list[tuple[int, float]]
    #: Change in four weeks; None when there are too few weeks.
    change: Interval | None


@dataclass(frozen=True)
class Trial:
    """What silent blocks showed."""

    #: Walks worn in trial mode, and those of them that had enough of both.
    walks: int
    differences: list[float]
    silent_s: int
    buzzing_s: int
    #: Share forward while silent less share forward while buzzing, 0..1; None when there are too few walks.
    effect: Interval | None


@dataclass(frozen=True)
class Weeks:
    """All of it."""

    weeks: list[Week]
    #: Dated walks in them, oldest first.
    sessions: list[Session]
    undated: int
    upright: Trend
    answers: Trend
    answer_times: Trend
    trial: Trial
    #: Brisk less slow, in degrees, one a walk that has both.
    pace: list[float]
    pace_effect: Interval | None
    #: From traces, where there are any.
    bands: list[Band]
    traced: int
    answers_s: list[float]
    discomfort: int
    slips: int

    def total(self, name: str) -> int:
        """Sum of a field over all walks."""
        return sum(session[name] for session in self.sessions)

    @property
    def judged_s(self) -> int:
        return sum(week.judged_s for week in self.weeks)

    @property
    def met(self) -> int:
        """Weeks in which the goal was reached."""
        return sum(week.met for week in self.weeks)


def last_weeks(
    sessions: Sequence[Session],
    count: int,
    digests: Mapping[int, Mapping[str, object]],
    zone: tzinfo | None = None,
) -> Weeks | None:
    """The last ``count`` weeks up to the last dated walk; None when no walk has a date.

    :param digests: by the session's number, what ``track.digest`` made of its trace, of those that have one
    """
    begun = [(session, dates.begin_of(session).local(zone)) for session in sessions]
    dated = [(session, begin.date()) for session, begin in begun if begin is not None]
    undated = len(begun) - len(dated)
    if not dated:
        return None
    last = max(day for _, day in dated)
    monday = last - timedelta(days=last.weekday())
    first = max(monday - timedelta(weeks=count - 1), min(day for _, day in dated))
    first -= timedelta(days=first.weekday())
    weeks = [_week(first + timedelta(weeks=n)) for n in range((monday - first).days // 7 + 1)]
    shown = [(session, day) for session, day in dated if day >= first]
    for session, day in shown:
        _add(weeks[(day - first).days // 7], day.weekday(), session)
    inside = [session for session, _ in shown]
    pace = [p for p in map(_pace_deg, inside) if p is not None]
    histogram = Histogram()
    answers_s: list[float] = []
    traced = 0
    for session in inside:
        plain = digests.get(session.number)
        if plain is not None:
            traced += 1
            histogram.merge(histogram_from(plain["bands"]))  # type: ignore[arg-type]
            answers_s += [ds / 10 for ds in plain["answers_ds"]]  # type: ignore[attr-defined]
    return Weeks(
        weeks=weeks,
        sessions=inside,
        undated=undated,
        upright=_trend([week.upright for week in weeks]),
        answers=_trend([week.answer_share for week in weeks]),
        answer_times=_trend([week.answer_s if week.answer_share is not None else None for week in weeks]),
        trial=_trial(inside),
        pace=pace,
        pace_effect=chance.shift(pace),
        bands=histogram.bands(),
        traced=traced,
        answers_s=answers_s,
        discomfort=sum(session["discomfort_marks"] for session in inside),
        slips=sum(session["slips"] for session in inside),
    )


def _week(monday: date) -> Week:
    return Week(monday, [Day(monday + timedelta(days=n)) for n in range(7)])


def _add(week: Week, weekday: int, session: Session) -> None:
    walks = session["merged_walks"] or 1
    day = week.days[weekday]
    for part in (week, day):
        part.walks += walks
        part.walking_s += session["walking_s"]
        part.judged_s += judged_of(session)
        part.good_s += session[GOOD]
    week.brisk_s += session["brisk_s"]
    week.steps += session["steps"]
    week.forward_s += session["forward_s"]
    week.buzzes += session["buzzes"]
    week.answered += session["answered"]
    week.ignored += session["ignored"]
    week.answer_ds += session["answered"] * session["answer_mean_ds"]


def _trend(values: Sequence[float | None]) -> Trend:
    points = [(n, value) for n, value in enumerate(values) if value is not None]
    change = chance.slope([n for n, _ in points], [value for _, value in points])
    if change is not None:
        change = Interval(4 * change.low, 4 * change.middle, 4 * change.high)
    return Trend(points, change)


def _pace_deg(session: Session) -> float | None:
    slow_s = session["walking_s"] - session["brisk_s"]
    if min(slow_s, session["brisk_s"]) < _PACE_SIDE_S or not judged_of(session):
        return None
    return (session["pitch_brisk_cdeg"] - session["pitch_slow_cdeg"]) / 100


def _trial(sessions: Sequence[Session]) -> Trial:
    differences = []
    walks = silent_s = buzzing_s = 0
    for session in sessions:
        if session["coaching"] != _COACHING_TRIAL or session["mode"] != _MODE_WALK:
            continue
        walks += 1
        silent = session["silent_s"]
        rest = judged_of(session) - silent + session["buzzing_s"]
        forward = session["forward_s"] - session["silent_forward_s"] + session["buzzing_s"]
        if min(silent, rest) < _TRIAL_SIDE_S or session.has(records.FLAG_SATURATED | records.FLAG_SETTINGS):
            continue
        silent_s += silent
        buzzing_s += rest
        differences.append(session["silent_forward_s"] / silent - forward / rest)
    return Trial(walks, differences, silent_s, buzzing_s, chance.shift(differences))
