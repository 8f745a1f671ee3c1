"""When a walk was: dated by the clip's clock, or derived from the meeting at which it was fetched, or undated.

A clip counts seconds since its boot always, and UTC once a computer has set its clock. A session that began before
that carries no date. It is dated all the same when the clip was met in the boot in which it began, at the download
that fetched it or at any other::

    begin = (UTC of the meeting) - (uptime at the meeting - uptime at the begin)

A boot's number is written with the next record, so two boots that left nothing may bear one number; a record does tell
them apart, for it was written in its own: a meeting counts when the record was there by then. Nothing else is guessed:
what stays is 'undated', and the most that can be said of it is between which two moments it lay. Times are shown in the
zone of this computer, with the daylight saving of their own day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from walktall import records

from .store import Meeting, Session

CLOCK = "clock"
DERIVED = "derived"
UNDATED = "undated"


@dataclass(frozen=True)
class Begin:
    """When a session began and how that is known; ``utc_s`` counts from 2020-01-01 and is 0 for 'undated'."""

    utc_s: int
    source: str

    def local(self, zone: tzinfo | None = None) -> datetime | None:
        """In the zone of this computer (or ``zone``), None when undated."""
        return local_time(self.utc_s, zone) if self.utc_s else None


def local_time(utc_s: int, zone: tzinfo | None = None) -> datetime:
    """A time that counts from 2020-01-01 UTC, as this computer's zone (or ``zone``) has it on that day."""
    return datetime.fromtimestamp(utc_s + int(records.EPOCH_UNIX_S), UTC).astimezone(zone)


def begin_of(session: Session) -> Begin:
    """When the session began."""
    if session["start_utc_s"]:
        return Begin(session["start_utc_s"], CLOCK)
    if not session.has(records.FLAG_RESUMED):
        seq = session["seq"]
        fetched = Meeting(session.fetched_utc_s, session.fetched_boot, session.fetched_uptime_s, seq + 1)
        for met in (fetched, *session.meetings):
            ago_s = met.uptime_s - session["start_uptime_s"]
            utc_s = met.met_utc_s - ago_s
            if met.boot != session["boot"] or met.next_seq <= seq:
                continue
            # What contradicts itself once is of another boot with that number, whatever a later meeting says.
            return Begin(utc_s, DERIVED) if ago_s >= session["wear_s"] and utc_s > 0 else Begin(0, UNDATED)
    return Begin(0, UNDATED)


def brackets(sessions: Sequence[Session]) -> dict[int, tuple[int, int]]:
    """Of each undated session, by its number: (not before, not after) in seconds since 2020, 0 = nothing is known.

    A clip numbers its sessions in order: an undated one lies behind the end of the dated one before it and before the
    begin of the dated one behind it, and before the download that brought it.

    :param sessions: in the order of each journal
    """
    found: dict[int, tuple[int, int]] = {}
    behind: dict[tuple[bytes, bytes], int] = {}
    waiting: dict[tuple[bytes, bytes], list[Session]] = {}
    for session in sessions:
        journal = (session.device_id, session.journal_id)
        begin_s = begin_of(session).utc_s
        if not begin_s:
            found[session.number] = (behind.get(journal, 0), session.fetched_utc_s)
            waiting.setdefault(journal, []).append(session)
            continue
        for each in waiting.pop(journal, ()):
            found[each.number] = (found[each.number][0], min(found[each.number][1], begin_s))
        behind[journal] = max(behind.get(journal, 0), begin_s + session["wear_s"])
    # A clock that was put back can contradict the order: then nothing is known.
    return {number: (after, before) if after <= before else (0, 0) for number, (after, before) in found.items()}


def in_order(sessions: Sequence[Session]) -> list[Session]:
    """Oldest first, over all clips; an undated one stays behind the one before it in its own journal.

    :param sessions: in the order of each journal
    """
    keys: dict[int, int] = {}
    last: dict[tuple[bytes, bytes], int] = {}
    for session in sessions:
        journal = (session.device_id, session.journal_id)
        when = begin_of(session).utc_s or last.get(journal, 0)
        # A clock that was put back must not mix up what the clip itself counted in order.
        keys[session.number] = last[journal] = max(when, last.get(journal, 0))
    return sorted(sessions, key=lambda session: keys[session.number])
