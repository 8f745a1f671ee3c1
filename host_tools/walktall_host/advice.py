"""What walking coaches say beside what the figures show: the advice, when it is given, and where it comes from.

One table, held to ``docs/report.md`` by a test. Each line is a reminder that follows from a figure; nothing here
diagnoses or treats. What no figure of ours can tell (gaze, shoulders, arms, feet) is advised always and measured never.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from walktall import records

from .store import Session

if TYPE_CHECKING:
    from .weeks import Weeks

#: When the sources below were last read.
REVIEWED = "2026-11-21"

#: Where advice comes from: key, what it is, where ('' for a paper that is found by its name).
SOURCES = {
    "mayo": (
        "Mayo Clinic, walking technique, as told in Royal Examiner, 'Step Right Up: Mastering the Art of Walking', "
        "and in HealthDay, 'Walk Wisely', after the Mayo Clinic Health Letter of October 2003",
        "https://royalexaminer.com/?p=118255",
    ),
    "coaches": (
        "Active.com, 'Walk Longer and Stronger': the walking coaches Ken Mattsson and Bonnie Stein on common mistakes",
        "https://www.active.com/walking/articles/walk-longer-and-stronger",
    ),
    "bumgardner": (
        "Wendy Bumgardner, '10 Walking Mistakes to Avoid: Overstriding', About.com, 16 April 2014",
        "http://walking.about.com/cs/beginners/a/10mistakes1.htm",
    ),
    "back": (
        "Northern Health and Social Care Trust, physiotherapy: 'Low back pain: when to seek urgent help'",
        "https://www.northerntrust.hscni.net/services/physiotherapy-services/physiotherapy-service-outpatient-service/low-back-pain/",
    ),
    "goal": (
        "American Family Physician, 15 February 2008, page 513: brisk walking for 30 minutes or longer, five times a "
        "week or more; WHO 2020: 150 to 300 minutes of moderate activity a week",
        "https://www.aafp.org/pubs/afp/issues/2008/0215/p513/",
    ),
    "cadence": (
        "Tudor-Locke et al. 2019 (CADENCE-Adults), IJBNPA 16:8: 100 steps/min is moderate walking",
        "",
    ),
    "faded": (
        "Marco-Ahulló et al. 2024 and Aoyagi et al. 2019: feedback on some faults kept more than feedback on all",
        "",
    ),
    "haptics": (
        "Martinsson 2011: a vibration is felt better while walking the longer it lasts, up to a second",
        "",
    ),
}


@dataclass(frozen=True)
class Advice:
    """One line of advice."""

    key: str
    words: str
    #: What has to be seen for it, in words, for the documents.
    when: str
    #: Keys of :data:`SOURCES`; none for what is about the clip itself.
    sources: tuple[str, ...]
    #: Whether a session (and its judged seconds) asks for it; None for lines of other places.
    asked: Callable[[Session, int], bool] | None = None


# Lines of advice wait for this much: below it, chance speaks.
_FATIGUE_PCT = 15
_FATIGUE_JUDGED_S = 600
_PACE_CDEG = 300
_PACE_BAND_S = 120
_OFTEN_PCT = 25
_OFTEN_BACK_PCT = 10
_OFTEN_JUDGED_S = 120


def _often(session: Session, judged_s: int, name: str, pct: int) -> bool:
    return judged_s >= _OFTEN_JUDGED_S and 100 * session[name] > pct * judged_s


def _tired(session: Session, judged_s: int) -> bool:
    first, last = session["upright_first_pct"], session["upright_last_pct"]
    return max(first, last) <= 100 and judged_s >= _FATIGUE_JUDGED_S and first - last >= _FATIGUE_PCT


def _leans_with_pace(session: Session, judged_s: int) -> bool:
    slow_s = session["walking_s"] - session["brisk_s"]
    more_cdeg = session["pitch_brisk_cdeg"] - session["pitch_slow_cdeg"]
    return min(slow_s, session["brisk_s"]) >= _PACE_BAND_S and more_cdeg >= _PACE_CDEG


#: For one walk, the most pressing first. Lines have 120 characters at the most.
FOR_A_WALK = (
    Advice(
        "discomfort",
        "You marked discomfort. Stop when it hurts; see a doctor about numbness, tingling or pain that spreads.",
        "discomfort was marked",
        ("back",),
        lambda s, judged_s: bool(s["discomfort_marks"]),
    ),
    Advice(
        "slipped",
        "The clip slipped: fasten it more firmly, stand tall and press twice.",
        "the clip noticed a slip",
        (),
        lambda s, judged_s: bool(s["slips"] or s.has(records.FLAG_SLIPPED)),
    ),
    Advice(
        "uncalibrated",
        "The clip does not know your upright: put it on, stand tall, press twice, hold still.",
        "there was no calibration",
        (),
        lambda s, judged_s: not s["calibration_quality"] and not (s["slips"] or s.has(records.FLAG_SLIPPED)),
    ),
    Advice(
        "gaps",
        "Much sensor data is missing. If it happens again, see 'walktall info' for the clip's last error.",
        "more than 5 % of the time worn without data",
        (),
        lambda s, judged_s: bool(s["gap_s"]) and 20 * s["gap_s"] > s["wear_s"],
    ),
    Advice(
        "forward",
        "Much of it was spent leaning forward: look ahead, not down, and let the breastbone rise.",
        "more than 25 % of the judged time forward",
        ("mayo", "coaches"),
        lambda s, judged_s: _often(s, judged_s, "forward_s", _OFTEN_PCT),
    ),
    Advice(
        "back",
        "You often leaned back: tall, not arched. Draw the belly lightly in and let the ribs settle over the hips.",
        "more than 10 % of the judged time back",
        ("mayo", "coaches"),
        lambda s, judged_s: _often(s, judged_s, "back_s", _OFTEN_BACK_PCT),
    ),
    Advice(
        "side",
        "Much of it leaned to one side: a bag's strap or a crooked clip is likelier than your back. Swap the shoulder.",
        "more than 25 % of the judged time to a side",
        (),
        lambda s, judged_s: _often(s, judged_s, "side_s", _OFTEN_PCT),
    ),
    Advice(
        "tired",
        "Less upright towards the end: a pause, or two shorter walks, may serve you better.",
        "the last third at least 15 points less upright than the first, of 10 judged minutes or more",
        ("goal",),
        _tired,
    ),
    Advice(
        "pace",
        "You lean more when you walk faster: quicker, shorter steps keep the trunk above the feet.",
        "at least 3° more forward at 100 steps/min and more, with 2 minutes on either side",
        ("bumgardner",),
        _leans_with_pace,
    ),
    Advice(
        "unanswered",
        "Most buzzes went unanswered: a stronger one may be easier to feel, a longer hold less of a nag.",
        "3 or more buzzes not answered, and more than were answered",
        ("haptics",),
        lambda s, judged_s: s["ignored"] > s["answered"] and s["ignored"] >= 3,
    ),
    Advice(
        "wrong",
        "You called several buzzes wrong: calibrate again at the start of a walk, standing as you walk.",
        "3 or more buzzes called wrong",
        (),
        lambda s, judged_s: s["wrong_marks"] >= 3,
    ),
)

FOR_WEEKS = {
    "discomfort": FOR_A_WALK[0],
    "more": Advice(
        "more",
        "Most weeks fell short of the goal: one more half-hour walk, at a pace at which you can talk, is a start.",
        "fewer than half of the whole weeks had 3 days with 30 minutes of walking",
        ("goal", "cadence"),
    ),
    "habit": Advice(
        "habit",
        "You answer fewer buzzes than you did. Buzzing less often may help: 'walktall settings set coaching=faded'.",
        "the share of answered buzzes falls, and the interval of the trend excludes zero",
        ("faded",),
    ),
    "try": Advice(
        "try",
        "Does the buzz help you? 'walktall settings set coaching=trial' keeps blocks of a walk silent, to compare.",
        "no walk in trial mode, and 6 walks or more with buzzes",
        ("faded",),
    ),
    "pace": Advice(
        "pace",
        "Over these weeks you lean more when you walk faster: quicker, shorter steps keep the trunk above the feet.",
        "brisk walking at least 2° further forward, and the interval excludes zero",
        ("bumgardner",),
    ),
}

#: What walking coaches say of things that one sensor on the collar cannot feel.
UNSEEN = (
    ("Eyes and head", "Look well ahead, chin level, ears over the shoulders.", ("mayo", "coaches")),
    ("Shoulders", "Down, back and loose; both at one height.", ("mayo",)),
    ("Arms", "Elbows bent a little, arms swinging from the shoulder, hands open.", ("mayo",)),
    ("Belly and hips", "Belly lightly drawn in, back straight but not arched, hips steady.", ("mayo",)),
    ("Feet", "Land softly, roll from heel to toe; quicker steps, not longer ones.", ("mayo", "bumgardner")),
)

#: Beside every discomfort marker.
DOCTOR = (
    "Stop the walk when something hurts. See a doctor about numbness, tingling, weakness, or pain that spreads or "
    "stays; at once if both legs are numb or weak, if you feel numb between the legs, if you cannot hold or pass "
    "water, or if your chest hurts."
)


def for_walk(session: Session, judged_s: int) -> list[Advice]:
    """What follows from the figures of one walk, the most pressing first."""
    return [advice for advice in FOR_A_WALK if advice.asked is not None and advice.asked(session, judged_s)]


def for_weeks(weeks: "Weeks") -> list[Advice]:
    """What follows from many walks, the most pressing first."""
    keys = []
    if weeks.discomfort:
        keys.append("discomfort")
    # The week under way may still reach it.
    whole = weeks.weeks[:-1] if not weeks.weeks[-1].met else weeks.weeks
    if len(whole) >= 2 and 2 * sum(week.met for week in whole) < len(whole):
        keys.append("more")
    if weeks.answers.change is not None and weeks.answers.change.high < 0:
        keys.append("habit")
    if weeks.pace_effect is not None and weeks.pace_effect.low > 0 and weeks.pace_effect.middle >= 2:
        keys.append("pace")
    if not weeks.trial.walks and sum(session["buzzes"] > 0 for session in weeks.sessions) >= 6:
        keys.append("try")
    return [FOR_WEEKS[key] for key in keys]


def sources_of(lines: Sequence[Advice]) -> list[str]:
    """Keys of the sources of these lines, each once, in order."""
    return list(dict.fromkeys(key for line in lines for key in line.sources))
