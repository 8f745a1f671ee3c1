"""What the figures of a trace and of many weeks say, in sentences: the same on the terminal, in HTML and as what a
screen reader reads in place of a chart.

A sentence says what is known and how surely; where an interval holds zero it says that nothing can be concluded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from . import chance, weeks
from .chance import Interval
from .figures import UNCERTAINTY_DEG
from .store import Session
from .terminal import count, duration
from .track import Band, Track

# What differs by less is the same, within one walk.
_PACE_SEEN_DEG = 2
_THIRDS_SEEN_PCT = 10


def degrees(cdeg: int) -> str:
    """Hundredths of a degree as whole degrees, signed: ``+4°``. Finer would claim too much."""
    whole = (abs(cdeg) + 50) // 100
    if not whole:
        return "0°"
    return f"{'+' if cdeg > 0 else '−'}{whole}°"


def clock(seconds: float) -> str:
    """Second of a walk as minutes and seconds: ``4:07``; from an hour on ``1:04:07``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def signed(value: float, digits: int = 0) -> str:
    """``+3``, ``−0.5``, ``0``."""
    rounded = round(value, digits)
    if not rounded:
        return "0"
    return f"{'+' if rounded > 0 else '−'}{abs(rounded):.{digits}f}"


def pitch_words(track: Track) -> str:
    """The pitch chart in a sentence."""
    columns = [column for piece in track.columns for column in piece]
    means = sorted(column.mean_cdeg for column in columns)
    highest = max(columns, key=lambda column: column.mean_cdeg)
    quarter = len(means) // 4
    text = (
        f"Half of the time between {degrees(means[quarter])} and {degrees(means[-1 - quarter])}; furthest forward "
        f"{degrees(highest.mean_cdeg)} at {clock(highest.begin_s)}."
    )
    if track.buzzes:
        listed = [f"{clock(b.at_s)} ({b.label.lower() or b.fault}, {b.outcome})" for b in track.buzzes[:8]]
        more = f" and {len(track.buzzes) - 8} more" if len(track.buzzes) > 8 else ""
        text += f" {count(len(track.buzzes), 'buzz', 'buzzes')}: {', '.join(listed)}{more}."
    else:
        text += " No buzz."
    return text


def trace_remarks(session: Session, track: Track | None) -> list[str]:
    """What of the walk the trace does not hold."""
    if track is None:
        return [
            "No trace of this walk is here (the clip keeps its latest hours only), so nothing can be shown over time; "
            "all figures are from the clip's own summary."
        ]
    remarks = []
    if track.missing_s:
        remarks.append(f"The trace lacks {duration(track.missing_s)} of this walk; nothing is drawn there.")
    # A session's own seconds are counted by another clock: some may be more.
    if session["wear_s"] > track.length_s + max(5, session["wear_s"] // 50):
        remarks.append(
            f"The trace reaches over {duration(track.length_s)} of {duration(session['wear_s'])} worn (the clip keeps "
            "its latest hours only); the figures are of all of it."
        )
    return remarks


def answer_words(track: Track) -> str:
    """How fast buzzes were answered, in a sentence; '' when none was."""
    answers = sorted(track.answers_s)
    if not answers:
        return ""
    middle = answers[len(answers) // 2]
    slowest = f", the slowest {answers[-1]:.0f} s" if len(answers) > 2 else ""
    return f"Back within {middle:.0f} s at the median{slowest}."


def longest_words(track: Track) -> str:
    """When the longest good stretch was; '' when there was none."""
    if track.longest_good is None:
        return ""
    begin, end = track.longest_good
    return f"between {clock(begin)} and {clock(end)}"


def pace_words(bands: Sequence[Band]) -> str:
    """Whether lean grows with pace, within one walk."""
    if len(bands) < 2:
        return "One band of pace alone: whether you lean more when you walk faster cannot be seen in this walk."
    more = bands[-1].middle_deg - bands[0].middle_deg
    ends = f"at {bands[-1].words} steps/min than at {bands[0].words}"
    if abs(more) < _PACE_SEEN_DEG:
        return f"You lean about as far {ends.replace(' than at', ' as at')}."
    return f"You lean {abs(more):.0f}° {'further forward' if more > 0 else 'less'} {ends}."


def bands_words(bands: Sequence[Band]) -> str:
    """Lean by band of cadence, in a line: ``80 to 89: +1°``."""
    listed = ", ".join(f"{band.words}: {signed(band.middle_deg)}°" for band in bands)
    return f"{listed} (steps/min: median pitch)"


def thirds_words(session: Session) -> str:
    """First against last third, in a sentence."""
    lost = session["upright_first_pct"] - session["upright_last_pct"]
    if lost >= _THIRDS_SEEN_PCT:
        return f"{lost} points less upright at the end: you may have tired."
    if -lost >= _THIRDS_SEEN_PCT:
        return f"{-lost} points more upright at the end than at the begin."
    return "Much the same at the end as at the begin."


# Many walks.


def interval_words(interval: Interval, unit: str, digits: int = 0) -> str:
    """``+3 to +8 points``."""
    return f"{signed(interval.low, digits)} to {signed(interval.high, digits)} {unit}"


@dataclass(frozen=True)
class Conclusion:
    """What can be said of one question, and how surely."""

    #: ``better``, ``worse``, ``open`` (an interval that holds zero) or ``few`` (too little for an interval).
    verdict: str
    short: str
    text: str


def trend_conclusion(
    trend: weeks.Trend, name: str, unit: str, scale: float, up_is_good: bool, enough: str
) -> Conclusion:
    """Whether a value goes anywhere over the weeks."""
    change = trend.change
    if change is None:
        had = f"{len(trend.points)} of {chance.WEEKS_MIN} have enough {enough}"
        text = f"Too few weeks to tell whether {name} changes: {had}."
        return Conclusion("few", "too few weeks", text)
    shown = Interval(scale * change.low, scale * change.middle, scale * change.high)
    digits = 1
    span = interval_words(shown, unit, digits)
    if signed(shown.low, digits) == signed(shown.high, digits) == "0":
        return Conclusion("open", "no change", f"{name[:1].upper()}{name[1:]} does not change.")
    if not change.excludes_zero:
        text = f"Whether {name} changes cannot be concluded: in four weeks anything from {span} fits (95 %)."
        return Conclusion("open", "cannot be concluded", text)
    rises = change.low > 0
    word = "rises" if rises else "falls"
    text = (
        f"{name[:1].upper()}{name[1:]} {word}: by {abs(shown.middle):.{digits}f} {unit} in four weeks (95 %: {span})."
    )
    return Conclusion("better" if rises == up_is_good else "worse", word, text)


def habit_conclusion(found: weeks.Weeks) -> Conclusion:
    """Whether the buzz wears off."""
    answers = trend_conclusion(found.answers, "the share of buzzes that you answer", "points", 100, True, "buzzes")
    if answers.verdict == "worse":
        return Conclusion("worse", "it wears off", f"{answers.text} You are getting used to the buzz.")
    if answers.verdict == "better":
        return Conclusion("better", "it does not wear off", f"{answers.text} No sign of getting used to the buzz.")
    return answers


def trial_conclusion(trial: weeks.Trial) -> Conclusion | None:
    """Whether buzzing helps this walker; None when nobody asked."""
    if not trial.walks:
        return None
    used = len(trial.differences)
    if trial.effect is None:
        text = (
            f"Cannot be concluded yet: {used} of at least {chance.WALKS_MIN} walks have two minutes or more of both "
            "silent and buzzing blocks. With fewer, chance alone could put all of them on one side."
        )
        return Conclusion("few", "too few walks", text)
    points = Interval(100 * trial.effect.low, 100 * trial.effect.middle, 100 * trial.effect.high)
    span = interval_words(points, "points", 1)
    if not trial.effect.excludes_zero:
        text = (
            f"Cannot be concluded: over {used:,} walks, silence costs anything from {span} of time forward (95 %). "
            "More walks in trial mode narrow that."
        )
        return Conclusion("open", "cannot be concluded", text)
    if trial.effect.low > 0:
        text = (
            f"The buzz helps you: over {used:,} walks you lean forward {points.middle:.1f} points more of "
            f"the time while it is silent (95 %: {span})."
        )
        return Conclusion("better", "it helps", text)
    text = (
        f"The buzz does not help you: over {used:,} walks you lean forward less while it is silent, by "
        f"{abs(points.middle):.1f} points (95 %: {span})."
    )
    return Conclusion("worse", "it does not help", text)


def pace_conclusion(found: weeks.Weeks) -> Conclusion:
    """Whether lean grows with pace."""
    effect = found.pace_effect
    if effect is None:
        text = (
            f"Whether you lean more when brisk cannot be concluded yet: {len(found.pace)} of at least "
            f"{chance.WALKS_MIN} walks have two minutes on either side of 100 steps/min."
        )
        return Conclusion("few", "too few walks", text)
    span = interval_words(effect, "degrees", 1)
    if not effect.excludes_zero:
        return Conclusion("open", "no difference seen", f"Brisk and slow lean alike: the difference is {span} (95 %).")
    word = "further forward" if effect.low > 0 else "less far forward"
    text = f"Brisk, you lean {word}: by {abs(effect.middle):.1f}° (95 %: {span}, {len(found.pace):,} walks)."
    return Conclusion("worse" if effect.low > 0 else "better", word, text)


def weeks_heading(found: weeks.Weeks) -> str:
    """``12 weeks, 1 December 2025 to 22 February 2026``."""
    first, last = found.weeks[0].monday, found.weeks[-1].days[-1].date
    year = f" {first.year}" if first.year != last.year else ""
    span = f"{first.day} {first:%B}{year} to {last.day} {last:%B} {last.year}"
    return f"{count(len(found.weeks), 'week')}, {span}"


def goal_words(found: weeks.Weeks) -> str:
    """Weeks against the goal."""
    n = len(found.weeks)
    return (
        f"The goal ({weeks.GOAL_DAYS} days or more with {weeks.GOAL_DAY_MIN} minutes of walking) was reached in "
        f"{found.met} of {count(n, 'week')}."
    )


#: How far angles may be trusted, and what is not seen. Source: docs/algorithm.md.
BLIND = (
    f"Angles hold to about ±{UNCERTAINTY_DEG}°: close to a limit, which side of it is chance. The clip feels the tilt "
    "of the collar alone. It cannot see where the head is or looks, the shoulders, the arms or the hips; a hill or a "
    "loose collar looks to it like a lean. 'Lean' and 'slouch' say how fast it came, not what the spine did; "
    "'unsure' is neither. It reminds; it does not diagnose or treat."
)
