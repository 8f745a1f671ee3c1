"""Buzzes of the walks in the store: which there were, what came of them, and a walk judged again to see why.

A buzz is called ``12.3``: the third buzz of session 12, as its trace tells them, repeats included. A buzz whose block
is not here has no number. Judging again is the firmware's own detector's, by ``walktall.retrace``.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from walktall import events, retrace

from . import trace
from .errors import BadInput
from .store import Session, Store
from .terminal import safe, tenths
from .track import ANSWER_LIMIT_S

_FAULTS = (events.FORWARD, events.BACK, events.SIDE)


@dataclass(frozen=True)
class Buzz:
    """One buzz as the trace tells it."""

    session: Session
    #: From 1, in its session.
    number: int
    #: Second of the walk, as ``retrace`` counts those that it judges, and the quarter in it; negative: before them.
    second: int
    tick: int
    uptime_s: int
    #: ``events.FORWARD`` ...
    fault: int
    label: int
    #: 1 the first of its fault, 2 its first repeat ...
    count: int
    #: Seconds to the recovery, None where none came in time.
    answer_s: float | None
    #: The walker called it wrong.
    wrong: bool
    #: Seconds to the next buzz where no recovery lies between and it came in that time, None where it did not.
    again_s: float | None = None
    #: The walker stopped walking before the answer was due.
    stopped: bool = False

    @property
    def name(self) -> str:
        return f"{self.session.number}.{self.number}"

    @property
    def at_s(self) -> float:
        """Seconds since the session began, where the boot is the session's own."""
        return self.uptime_s - self.session["start_uptime_s"] + self.tick / events.TICKS_PER_S

    @property
    def fault_name(self) -> str:
        return str(events.FAULT_NAMES[self.fault]) if self.fault < len(events.FAULT_NAMES) else "?"

    @property
    def label_name(self) -> str:
        return str(events.LABEL_NAMES[self.label]) if self.label < len(events.LABEL_NAMES) else "?"

    @property
    def outcome(self) -> str:
        if self.wrong:
            return "called wrong"
        if self.answer_s is None:
            return "not answered"
        return f"answered after {tenths(self.answer_s)} s"


def buzzes_of(store: Store, session: Session) -> list[Buzz]:
    """The buzzes of a session, oldest first; empty where there is no trace."""
    return buzzes_in(session, trace.blocks_of(store, session))


def buzzes_in(session: Session, blocks: Sequence[retrace.Block]) -> list[Buzz]:
    """The buzzes that these blocks of a session tell."""
    marks = list(_marks(blocks))
    found: list[Buzz] = []
    counts: dict[int, int] = {}
    for at, (second, uptime_s, mark) in enumerate(marks):
        if mark.code == events.FAULT_BEGIN:
            counts[mark.fault] = 0
        if mark.code != events.BUZZ or mark.fault not in _FAULTS:
            continue
        counts[mark.fault] = counts.get(mark.fault, 0) + 1
        quarter = events.TICKS_PER_S * second + mark.tick
        answer_s = again_s = None
        wrong = stopped = False
        for later_second, _, later in marks[at + 1 :]:
            after_s = (events.TICKS_PER_S * later_second + later.tick - quarter) / events.TICKS_PER_S
            if later.code == events.WRONG:
                wrong = True
            if later.code == events.RECOVERED and later.fault == mark.fault and after_s <= ANSWER_LIMIT_S:
                answer_s = after_s
            if later.code == events.BUZZ and after_s <= ANSWER_LIMIT_S:
                again_s = after_s
            if later.code == events.STOPPED and after_s <= ANSWER_LIMIT_S:
                stopped = True
            if later.code in (events.BUZZ, events.RECOVERED) or after_s > ANSWER_LIMIT_S:
                break
        found.append(
            Buzz(
                session,
                len(found) + 1,
                second,
                mark.tick,
                uptime_s,
                mark.fault,
                mark.label,
                counts[mark.fault],
                answer_s,
                wrong,
                again_s,
                stopped and answer_s is None,
            )
        )
    return found


def _marks(blocks: Sequence[retrace.Block]) -> Iterator[tuple[int, int, retrace.Mark]]:
    """(second of the walk, uptime, mark) of every event, in order; seconds as ``retrace.judge_again`` counts them."""
    # Judging again begins at the first block that tells the settings; what lies before it counts backward.
    second = 0
    for block in blocks:
        if block.settings is not None:
            break
        second -= sum(bool(row.second_class) for row in block.rows)
    for block in blocks:
        for row in block.rows:
            for mark in row.marks:
                yield second, row.uptime_s, mark
            if row.second_class:
                second += 1


def named(store: Store, sessions: Sequence[Session], name: str) -> Buzz:
    """The buzz of that name.

    :raises BadInput: there is none
    """
    told = re.fullmatch(r"(\d{1,9})\.(\d{1,6})", name)
    if told is None:
        raise BadInput(f"{safe(name)} names no buzz: write SESSION.N, for example 12.3; 'walktall explain' lists them")
    number, n = int(told[1]), int(told[2])
    for session in sessions:
        if session.number == number:
            found = buzzes_of(store, session)
            if 1 <= n <= len(found):
                return found[n - 1]
            if not found:
                raise BadInput(f"session {number} has no buzz that its trace tells ({_why_none(store, session)})")
            raise BadInput(f"session {number} has the buzzes {number}.1 to {number}.{len(found)}")
    raise BadInput(f"there is no session {number}: 'walktall sessions' lists those that are there")


def _why_none(store: Store, session: Session) -> str:
    told = trace.told_of(store, session)
    if told.unread:
        return "this version cannot read its trace: upgrade"
    if not told.seconds:
        return "no trace of it is here"
    return f"{told.missing_s} s of it are missing" if told.missing_s else "it did not buzz"


def judged_again(
    blocks: Sequence[retrace.Block],
    changes: Mapping[str, int] | None = None,
    watch: Callable[[retrace.Second], None] | None = None,
) -> retrace.Again:
    """A walk judged again by the firmware's own detector.

    :raises BadInput: the settings do not fit together, or nothing tells what was in force
    """
    try:
        again: retrace.Again = retrace.judge_again(blocks, dict(changes or {}), watch)
    except ValueError as fault:
        raise BadInput(f"it cannot be judged again: {safe(str(fault))}") from fault
    return again


def buzz_keys(told: Sequence[retrace.Told]) -> list[tuple[int, int, int]]:
    """(second, tick, fault) of every buzz among these events: what two equal runs share."""
    return [(each.second, each.tick, each.fault) for each in told if each.code == events.BUZZ]
