"""What a session's integers come to: shares whose parts add up, and what may be said beside them.

Pure: a session in, figures out; the text report and every other one are made from these. The denominator is honest:
*judged* seconds are those that could be good or a fault; all others were left out, for a reason each, and

    worn = upright + forward + back + side + left out

holds to the second, or the figures say so themselves. It claims nothing medical: the clip reminds, it does not treat.
"""

from dataclasses import dataclass

from walktall import meanings, records

from . import advice
from .store import Session

#: What inertial sensors on the trunk reach while somebody walks. Source: docs/algorithm.md.
UNCERTAINTY_DEG = 3
# Each second's class is a field of the record, in this order; the first four are judged.
_CLASS_NAMES = tuple(
    str(records.SESSION_FIELDS[records.S_CLASS_BASE + c][0]) for c in range(1, records.S_CLASS_COUNT + 1)
)
GOOD, *FAULTS = _CLASS_NAMES[:4]
LEFT_OUT = _CLASS_NAMES[4:]
# What the chip's own figures call these; a class of a later layout falls back on its meaning.
_WORDS = {
    "good_s": "upright",
    "forward_s": "leaning forward",
    "back_s": "leaning back",
    "side_s": "leaning to a side",
    "still_s": "not walking",
    "bend_s": "bending or turning",
    "jog_s": "running",
    "buzzing_s": "while the clip buzzed",
    "charging_s": "on the charger",
    "gap_s": "no data from the sensor",
    "unsure_s": "not calibrated, or slipped",
    "snoozed_s": "snoozed",
    "off_body_s": "not worn",
}
# Flags that the walker should read; the others say what other figures say already.
_TOLD_FLAGS = (
    records.FLAG_CUT,
    records.FLAG_SENSOR,
    records.FLAG_UNCALIBRATED,
    records.FLAG_RECALIBRATED,
    records.FLAG_SETTINGS,
    records.FLAG_RESUMED,
    records.FLAG_SPLIT,
    records.FLAG_LOW_BATTERY,
    records.FLAG_HILL,
    records.FLAG_SATURATED,
)


@dataclass(frozen=True)
class Part:
    """One class of seconds."""

    name: str
    words: str
    seconds: int
    #: Of the seconds worn, in whole percent; the parts of a session add up to 100.
    pct: int


@dataclass(frozen=True)
class Figures:
    """What is reported of one session."""

    worn_s: int
    judged_s: int
    #: Upright share of the judged seconds in whole percent, None when none was judged.
    upright_pct: int | None
    judged: list[Part]
    #: The reasons that occurred, longest first.
    left_out: list[Part]
    left_out_s: int
    left_out_pct: int
    #: True when the classes do not add up to what was worn: a counter was full.
    inexact: bool
    forward_events: int
    #: Buzzes that were neither answered nor ignored: the walk stopped, or the walker called it wrong.
    buzzes_open: int
    #: Whole-walk remarks of the clip itself, in words.
    remarks: list[str]
    advice: list[str]


def percents(seconds: list[int]) -> list[int]:
    """Whole percents of the total that add up to 100 (or are all 0): the largest remainders are rounded up.

    A part that is there at all is at least 1 where others can give it.
    """
    total = sum(seconds)
    if not total:
        return [0 for _ in seconds]
    shares = [100 * s // total for s in seconds]
    by_remainder = sorted(range(len(seconds)), key=lambda i: 100 * seconds[i] % total, reverse=True)
    for i in by_remainder[: 100 - sum(shares)]:
        shares[i] += 1
    for i, s in enumerate(seconds):
        if s and not shares[i]:
            shares[shares.index(max(shares))] -= 1
            shares[i] = 1
    return shares


def words_of(name: str) -> str:
    """A class of seconds in a walker's words."""
    return _WORDS.get(name) or str(meanings.SESSION.get(name, name))


def judged_of(session: Session) -> int:
    """Seconds that could be good or a fault."""
    return session[GOOD] + sum(session[name] for name in FAULTS)


def upright_of(session: Session) -> int | None:
    """Upright share of the judged seconds in whole percent, None when none was judged: quick, for long lists."""
    return _share_pct(session[GOOD], judged_of(session))


def forward_events_of(session: Session) -> int:
    """Forward faults, whatever their label."""
    return session["lean_events"] + session["slouch_events"] + session["unsure_events"]


def figures_of(session: Session) -> Figures:
    """What is reported of the session."""
    seconds = [session[name] for name in _CLASS_NAMES]
    parts = [
        Part(name, words_of(name), s, pct)
        for name, s, pct in zip(_CLASS_NAMES, seconds, percents(seconds), strict=True)
    ]
    judged = parts[: 1 + len(FAULTS)]
    left_out = parts[1 + len(FAULTS) :]
    judged_s = sum(part.seconds for part in judged)
    return Figures(
        worn_s=session["wear_s"],
        judged_s=judged_s,
        upright_pct=_share_pct(session[GOOD], judged_s),
        judged=judged,
        left_out=sorted((part for part in left_out if part.seconds), key=lambda part: -part.seconds),
        left_out_s=sum(part.seconds for part in left_out),
        left_out_pct=sum(part.pct for part in left_out),
        inexact=sum(seconds) != session["wear_s"],
        forward_events=forward_events_of(session),
        buzzes_open=max(0, session["buzzes"] - session["answered"] - session["ignored"]),
        remarks=[str(meanings.FLAGS[_flag_name(flag)]) for flag in _TOLD_FLAGS if session.has(flag)],
        advice=[line.words for line in advice.for_walk(session, judged_s)],
    )


def _flag_name(flag: int) -> str:
    return str(records.FLAG_NAMES[flag.bit_length() - 1])


def _share_pct(part: int, whole: int) -> int | None:
    """A share in whole percent, None of nothing; 0 and 100 only when they are exact."""
    if not whole:
        return None
    pct = round(100 * part / whole)
    if part < whole:
        pct = min(pct, 99)
    return max(pct, 1) if part else pct
