"""A walk second by second, out of the blocks in the store.

A row is one second of wear with all that the detector took in its four ticks. What is missing is missing: a gap in
``uptime_s`` is told by :func:`told_of` and never filled in. Judging a walk again is ``walktall.retrace``'s, for which
:func:`blocks_of` gives the blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from walktall import events, retrace, rows

from .store import Session, Store

# A session is cut in two after 65,536 s, and a few that left no record may stand under its boot and start. A block can
# tell of 65,536 s in three bytes: a clip that tells lies is not followed for hours.
_ROWS_MOST = 4 * 65536


@dataclass(frozen=True, slots=True)
class Mark:
    """An event within a second; ``code``, ``fault`` and ``label`` are of ``walktall.events``."""

    code: int
    fault: int
    label: int
    value: int
    #: Quarter second in, or just before, which it lay: 0 to 3.
    tick: int


@dataclass(frozen=True, slots=True)
class Row:
    """One second of wear. Angles are of the four quarters, from upright, before the walking offset."""

    boot: int
    #: Begin of the second, since that boot.
    uptime_s: int
    pitch_cdeg: tuple[int, int, int, int]
    roll_cdeg: tuple[int, int, int, int]
    #: The walking offset in force, as the checkpoint behind it has it; 0 where none is near.
    offset_cdeg: int
    cadence_spm: int
    second_class: int
    walking: bool
    jogging: bool
    still: bool
    shaken: bool
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Told:
    """How much of a session its trace tells."""

    #: Seconds that have a row.
    seconds: int
    #: Seconds of wear that have none: overwritten, torn, or not downloaded.
    missing_s: int
    #: Blocks of it that are here and cannot be read by this version.
    unread: int


def raws_of(store: Store, session: Session) -> list[bytes]:
    """The blocks of a session as they came, oldest first."""
    return [raw for _, raw in store.blocks_of(session)]


def blocks_of(store: Store, session: Session) -> list[retrace.Block]:
    """The blocks of a session that this version can read, oldest first, as ``retrace.judge_again`` takes them."""
    return _read(store, session)[0]


def session_rows(store: Store, session: Session) -> list[Row]:
    """Every second of a session of which the trace tells, oldest first; empty where there is none."""
    return _rows(blocks_of(store, session))


def told_of(store: Store, session: Session) -> Told:
    """How much of a session its trace tells."""
    found, unread = _read(store, session)
    seconds = len(_rows(found))
    return Told(seconds, max(0, session["wear_s"] - seconds), unread)


def settings_of(store: Store, session: Session) -> list[int] | None:
    """The settings in force at the begin of the session, by their numbers, as far as its trace tells; else None."""
    for raw in raws_of(store, session):
        if raw[rows.H_FLAGS] & rows.B_SETTINGS:
            try:
                values = retrace.read(raw).settings
            except retrace.BadBlock:
                return None
            return None if values is None else list(values)
    return None


def mark(store: Store, session: Session) -> str:
    """Changes whenever the blocks of the session in the store do: for whoever keeps what it made of them."""
    return store.blocks_mark(session)


def _read(store: Store, session: Session) -> tuple[list[retrace.Block], int]:
    found = []
    unread = 0
    held = 0
    for _, raw in store.blocks_of(session):
        if held > _ROWS_MOST:
            unread += 1
            continue
        try:
            block = retrace.read(raw)
        except retrace.BadBlock:  # its CRC holds, so the clip wrote it: of a later firmware, or a faulty one
            unread += 1
            continue
        held += len(block.rows)
        found.append(block)
    return _own_run(found), unread


def _own_run(found: Sequence[retrace.Block]) -> list[retrace.Block]:
    """Of several walks under one boot and start, the one that left the record.

    A boot's number is written with a record: boots that left none bear one number, and a session begins within the
    first seconds of its boot. The one that left the record was the last of them.
    """
    begins = [n for n, block in enumerate(found) if block.flags & rows.B_BEGIN and not block.flags & rows.B_TAKEN_UP]
    walks = {found[n].walk for n in begins}
    if len(walks) < 2:
        return list(found)
    return list(found[begins[-1] :])


def _rows(found: Sequence[retrace.Block]) -> list[Row]:
    made: list[Row] = []
    # A checkpoint stands at the end of the block of whose seconds it tells, so offsets are known from behind.
    offsets = []
    offset_cdeg = 0
    for block in reversed(found):
        if block.offset_cdeg is not None:
            offset_cdeg = block.offset_cdeg
        offsets.append(offset_cdeg)
    for block, offset_cdeg in zip(found, reversed(offsets), strict=True):
        for row in block.rows:
            marks = tuple(Mark(each.code, each.fault, each.label, each.value, each.tick) for each in row.marks)
            if not row.second_class:
                # The rest of a second that the session's end cut off: no second, but what happened in it did happen.
                if marks and made:
                    made[-1] = _with_marks(made[-1], marks)
                continue
            state = row.states[3]
            made.append(
                Row(
                    boot=block.boot,
                    uptime_s=row.uptime_s,
                    pitch_cdeg=row.pitch_cdeg,
                    roll_cdeg=row.roll_cdeg,
                    offset_cdeg=offset_cdeg,
                    cadence_spm=row.cadence_spm,
                    second_class=row.second_class,
                    walking=bool(state & events.WALKS),
                    jogging=bool(state & events.JOGS),
                    still=bool(state & events.STILL),
                    shaken=any(each & events.KIND == events.SHAKEN for each in row.states),
                    marks=marks,
                )
            )
    return made


def _with_marks(row: Row, marks: tuple[Mark, ...]) -> Row:
    late = tuple(Mark(each.code, each.fault, each.label, each.value, 3) for each in marks)
    return replace(row, marks=row.marks + late)
