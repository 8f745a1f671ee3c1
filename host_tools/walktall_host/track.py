"""What the trace of a walk shows: pitch over time, lean by cadence, each buzz with its answer, the best stretch.

Made from the rows of one session, a row a second; seconds that the trace lacks are told and never filled in. The
angle is what the clip judged: the mean of a second's four, less the walking offset in force. Whatever the record
counts, the record says; this adds when and how. Nothing here draws.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from walktall import events, settings

from .store import Session

if TYPE_CHECKING:
    from .trace import Row

#: Begin of each cadence band, steps a minute: all below the second is the first band, the last one is open.
#: 100 is moderate, 130 vigorous. Source: CADENCE-Adults (Tudor-Locke et al. 2019).
BANDS_SPM = (0, 80, 90, 100, 110, 120, 130)
#: A band of fewer seconds says nothing.
BAND_MIN_S = 30
#: A buzz is answered when the walker is back within this; the firmware counts the same (session.ANSWER_LIMIT_S).
ANSWER_LIMIT_S = 20

ANSWERED = "answered"
IGNORED = "not answered"
UNDECIDED = "undecided"

_JUDGED = range(events.CLASS_GOOD, events.CLASS_SIDE + 1)
_FAULTS = range(events.CLASS_FORWARD, events.CLASS_SIDE + 1)
# More columns than a wide screen shows are of no use to anybody.
_COLUMNS_MAX = 600
# After a restart nobody knows how long the clip was off: a gap of this width stands for it.
_RESTART_S = 30
# Whole degrees that a histogram of pitch holds: beyond lie bends, which are not judged.
_DEG_MAX = 60


@dataclass(frozen=True)
class Column:
    """Some neighbouring seconds of the walk, as one column of a chart."""

    begin_s: int
    end_s: int
    low_cdeg: int
    mean_cdeg: int
    high_cdeg: int
    cadence_spm: int


@dataclass(frozen=True)
class Buzz:
    """A buzz and what came of it."""

    at_s: float
    fault: str
    label: str
    pitch_cdeg: int
    outcome: str
    #: Time to the recovery, None where there was none.
    answer_s: float | None


@dataclass(frozen=True)
class Happening:
    """Something at a moment: ``calibrated``, ``slip``, ``mark`` (discomfort), ``wrong``, ``snooze``, ``cue``."""

    at_s: float
    name: str


@dataclass(frozen=True)
class Band:
    """Lean in one band of cadence, over judged seconds of walking."""

    low_spm: int
    high_spm: int | None
    seconds: int
    #: Quarter, half and three quarters of its seconds lie below these, in whole degrees and their fractions.
    lower_deg: float
    middle_deg: float
    upper_deg: float

    @property
    def words(self) -> str:
        """``below 80``, ``100 to 109``, ``130 and more``."""
        if not self.low_spm:
            return f"below {self.high_spm}"
        return f"{self.low_spm} and more" if self.high_spm is None else f"{self.low_spm} to {self.high_spm - 1}"


@dataclass
class Histogram:
    """Seconds of judged walking by band of cadence and whole degree of pitch; those of many walks add up."""

    seconds: dict[int, Counter[int]] = field(default_factory=dict)

    def add(self, cadence_spm: int, pitch_cdeg: int) -> None:
        """Count one second."""
        band = BANDS_SPM[bisect_right(BANDS_SPM, cadence_spm) - 1]
        deg = max(-_DEG_MAX, min(_DEG_MAX, round(pitch_cdeg / 100)))
        counted = self.seconds.get(band)
        if counted is None:
            counted = self.seconds[band] = Counter()
        counted[deg] += 1

    def merge(self, other: "Histogram") -> None:
        """Add another walk's seconds."""
        for band, counted in other.seconds.items():
            self.seconds.setdefault(band, Counter()).update(counted)

    def bands(self) -> list[Band]:
        """The bands that say something, slow ones first."""
        found = []
        for low, high in zip(BANDS_SPM, (*BANDS_SPM[1:], None), strict=True):
            counted = self.seconds.get(low, Counter())
            n = sum(counted.values())
            if n >= BAND_MIN_S:
                quarters = (_quantile(counted, n, q) for q in (0.25, 0.5, 0.75))
                found.append(Band(low, high, n, *quarters))
        return found


def _quantile(counted: Counter[int], n: int, q: float) -> float:
    """Where a share ``q`` of the seconds lies below; linear within the degree."""
    below = 0
    for deg in sorted(counted):
        if below + counted[deg] >= q * n:
            return deg - 0.5 + (q * n - below) / counted[deg]
        below += counted[deg]
    raise AssertionError("counts add up")


@dataclass(frozen=True)
class Track:
    """All of that for one walk."""

    #: From the first row to the last, gaps included.
    length_s: int
    #: Seconds between them that no row tells of.
    missing_s: int
    columns: list[list[Column]]
    #: (begin, end, class of the seconds), each second in one; what is missing is in none.
    runs: list[tuple[int, int, int]]
    buzzes: list[Buzz]
    happenings: list[Happening]
    histogram: Histogram
    #: Begin and end of the longest run of good seconds that no fault broke, in seconds of the walk; seconds left out
    #: may lie in between. None where there is none.
    longest_good: tuple[int, int] | None
    #: Where backward begins, in degrees; None where the trace does not tell.
    back_on_deg: int | None = None

    @property
    def answers_s(self) -> list[float]:
        """Times to correct of the answered buzzes."""
        return [b.answer_s for b in self.buzzes if b.outcome == ANSWERED and b.answer_s is not None]


def pitch_of(row: "Row") -> int:
    """What the clip judged in that second, in centidegrees: mean of the ticks less the walking offset."""
    return round(sum(row.pitch_cdeg) / len(row.pitch_cdeg)) - row.offset_cdeg


def _timed(session: Session, rows: Sequence["Row"]) -> Iterator[tuple[int, "Row"]]:
    """(second of the walk, row): by the clip's own seconds; behind a restart, from where it was.

    A row that does not lie behind the one before it is dropped: a trace from a strange device must not draw backwards.
    """
    at = -1
    boot = session["boot"]
    base = -session["start_uptime_s"]
    for row in rows:
        if row.boot != boot:
            boot = row.boot
            base = at + 1 + _RESTART_S - row.uptime_s
        here = row.uptime_s + base
        if here > at:
            yield here, row
            at = here


def track_of(session: Session, rows: Sequence["Row"], settings_in_force: Sequence[int] | None = None) -> Track | None:
    """What the trace shows of a session; None where there are no rows of it.

    :param settings_in_force: at its begin, by their numbers, None where they are not known
    """
    timed = list(_timed(session, rows))
    if not timed:
        return None
    first = timed[0][0]
    timed = [(at - first, row) for at, row in timed]
    length_s = timed[-1][0] + 1
    histogram = Histogram()
    for _, row in timed:
        if row.walking and row.second_class in _JUDGED and row.cadence_spm:
            histogram.add(row.cadence_spm, pitch_of(row))
    runs = _runs((at, row.second_class) for at, row in timed)
    return Track(
        length_s=length_s,
        missing_s=length_s - len(timed),
        columns=_columns(timed, length_s),
        runs=runs,
        buzzes=_buzzes(timed),
        happenings=_happenings(timed),
        histogram=histogram,
        longest_good=_longest_good(runs),
        back_on_deg=_back_on_deg(settings_in_force),
    )


def _back_on_deg(values: Sequence[int] | None) -> int | None:
    """The setting, if it is one that a clip can have."""
    _, _, _, least, greatest = settings.SETTINGS[settings.SET_BACK_ON_DEG]
    found = values[settings.SET_BACK_ON_DEG] if values else 0
    return int(found) if least <= found <= greatest else None


def _columns(timed: Sequence[tuple[int, "Row"]], length_s: int) -> list[list[Column]]:
    """Columns of equal width, in pieces that no gap interrupts."""
    width = max(1, -(-length_s // _COLUMNS_MAX))
    pieces: list[list[Column]] = []
    held: list[tuple[int, Row]] = []

    def close() -> None:
        if held:
            ticks = [p - row.offset_cdeg for _, row in held for p in row.pitch_cdeg]
            spm = [row.cadence_spm for _, row in held if row.cadence_spm]
            column = Column(
                held[0][0],
                held[-1][0] + 1,
                min(ticks),
                round(sum(ticks) / len(ticks)),
                max(ticks),
                round(sum(spm) / len(spm)) if spm else 0,
            )
            pieces[-1].append(column)
            held.clear()

    last = -2
    for at, row in timed:
        if row.second_class == events.CLASS_GAP:
            continue  # the sensor told nothing: what the row carries is the angle before it
        if at != last + 1:
            close()
            pieces.append([])
        elif at // width != last // width:
            close()
        held.append((at, row))
        last = at
    close()
    return pieces


def _runs(seconds: Iterable[tuple[int, int]]) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    for at, value in seconds:
        if found and found[-1][1] == at and found[-1][2] == value:
            found[-1] = (found[-1][0], at + 1, value)
        else:
            found.append((at, at + 1, value))
    return found


def _longest_good(runs: Sequence[tuple[int, int, int]]) -> tuple[int, int] | None:
    """By the firmware's own rule (session.Session.second): a fault ends a stretch, a second left out neither adds nor
    ends. Missing seconds end it: what happened in them nobody knows."""
    best_s = good_s = 0
    found: tuple[int, int] | None = None
    first = last = 0
    for begin, end, value in runs:
        if begin != last or value in _FAULTS:
            good_s = 0
        last = end
        if value == events.CLASS_GOOD:
            if not good_s:
                first = begin
            good_s += end - begin
            if good_s > best_s:
                best_s, found = good_s, (first, end)
    return found


def _marks(timed: Sequence[tuple[int, "Row"]]) -> Iterator[tuple[float, "Row", int, int, int, int]]:
    for at, row in timed:
        for mark in row.marks:
            yield at + mark.tick / events.TICKS_PER_S, row, mark.code, mark.fault, mark.label, mark.value


def _buzzes(timed: Sequence[tuple[int, "Row"]]) -> list[Buzz]:
    """Each buzz with its outcome, by the firmware's own rule (session.Session.event)."""
    found: list[Buzz] = []
    waiting: tuple[float, str, str, int] | None = None

    def decide(outcome: str, answer_s: float | None = None) -> None:
        nonlocal waiting
        if waiting is not None:
            found.append(Buzz(*waiting, outcome, answer_s))
            waiting = None

    for at_s, row, code, fault, label, value in _marks(timed):
        if waiting is not None and at_s - waiting[0] > ANSWER_LIMIT_S:
            decide(IGNORED)
        if code == events.BUZZ:
            decide(IGNORED)
            waiting = (at_s, name_in(events.FAULT_NAMES, fault), name_in(events.LABEL_NAMES, label), pitch_of(row))
        elif code == events.RECOVERED:
            after_s = value / events.TICKS_PER_S
            decide(ANSWERED if 0 <= after_s <= ANSWER_LIMIT_S else IGNORED, after_s)
        elif code in (events.STOPPED, events.WRONG):
            decide(UNDECIDED)
    if waiting is not None:
        decide(UNDECIDED if timed[-1][0] - waiting[0] < ANSWER_LIMIT_S else IGNORED)
    return found


def name_in(names: Sequence[str], index: int) -> str:
    """A name of the firmware's tables; a number that a later one may send has none."""
    return names[index] if 0 <= index < len(names) else ""


_TOLD = (events.CALIBRATED, events.SLIP, events.MARK, events.WRONG, events.SNOOZE, events.CUE)


def _happenings(timed: Sequence[tuple[int, "Row"]]) -> list[Happening]:
    return [Happening(at_s, events.NAMES[code]) for at_s, _, code, _, _, _ in _marks(timed) if code in _TOLD]


# What a report of many walks needs of each: small, and kept in the store so that no trace is read twice.

#: Of the plain form below: another number, and all are made anew.
DIGEST_LAYOUT = 1
_SPARKS = 32


def digest(track: Track) -> dict[str, object]:
    """The track as plain numbers, about half a kilobyte."""
    means = [(column.begin_s, column.mean_cdeg) for piece in track.columns for column in piece]
    held: list[list[int]] = [[] for _ in range(_SPARKS)]
    for at, mean in means:
        held[at * _SPARKS // track.length_s].append(mean)
    return {
        "length_s": track.length_s,
        "missing_s": track.missing_s,
        "bands": {str(band): {str(deg): c[deg] for deg in sorted(c)} for band, c in track.histogram.seconds.items()},
        "answers_ds": [round(10 * s) for s in track.answers_s],
        "spark_deg": [round(sum(part) / len(part) / 100) if part else None for part in held],
    }


def histogram_from(plain: dict[str, dict[str, int]]) -> Histogram:
    """The histogram out of a digest's ``bands``."""
    return Histogram({int(band): Counter({int(deg): n for deg, n in c.items()}) for band, c in plain.items()})
