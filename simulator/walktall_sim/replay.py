"""A recording played to the device: what it would have told, and the session record that it would have left.

Two ways lead through the same code. The *full* path is the virtual board: registers, FIFO, I2C, Adafruit's
driver, the ordinary ``Device.poll()``. The *fast* path quantises the same rows with the chip's own quantiser and hands
the counts straight to the same ``walktall.chain``; it is for sweeps. A test holds both to the same events.

Upright is the mean of a window of the recording as it is, before any turn: the walker stood straight there, whatever is
imposed later. Times are the recording's own.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from walktall import device, events, records, sensing
from walktall.session import merge_into
from walktall.settings import Settings, describe_limits, index_of, parse_text

from walktall_sim import chips, engine, mounting, recordings, resample
from walktall_sim.formats import Columns
from walktall_sim.mounting import Frame, Mounting, Upright
from walktall_sim.source import WalkSource
from walktall_sim.spool import Spool, SpoolError
from walktall_sim.turn import Turn

# The ranges that the firmware configures (walktall.hw.imu).
ACCEL_FS_G = 4
GYRO_FS_DPS = 500
DEFAULT_UPRIGHT_S = 2.0
# The data of the upright is looked for in the first 10 s.
_SEARCH = 520
# Fewer samples in a row that stand still, or at the end of the scale, are none of the device's business (supply).
_STALE = 12
CHIPS = ("lsm6ds3trc", "lsm6dsox")

# Names that scripts may rely on; the rest of the ring's codes come with `all_events`.
_ALWAYS = frozenset(
    {
        events.CALIBRATED,
        events.WALKING,
        events.STOPPED,
        events.FAULT_BEGIN,
        events.FAULT_END,
        events.BUZZ,
        events.RECOVERED,
        events.GAP,
        events.SLIP,
    }
)

Line = dict[str, Any]


class ReplayError(ValueError):
    """Options that do not go with each other or with the recording; the text is one line."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to replay; see ``walktall-sim replay --help``."""

    trial: str | None = None
    up: str | None = None
    forward: str | None = None
    upright: tuple[float, float] | None = None
    settings: Sequence[tuple[str, str]] = ()
    turns: Sequence[Turn] = ()
    answer_s: float | None = None
    full: bool = True
    chip: str = CHIPS[0]
    all_events: bool = False
    #: which column is what, in a table of another form (`walktall_sim.formats`)
    columns: Columns | None = None
    #: called with the chain at the end of each tick that was judged
    watch: Callable[[Any], None] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Walk:
    """One trial, ready to be played: rows at 52 Hz with everything that the options say of them.

    ``several``: it has a name, or others beside it, so that its lines have to say which trial they belong to.
    """

    trial: str
    several: bool
    source: WalkSource
    chosen: Mounting
    upright: Upright
    frame: Frame
    rate_hz: float
    settings: Settings = field(repr=False)

    @property
    def n(self) -> int:
        """Samples at 52 Hz."""
        return len(self.source)

    def with_source(self, source: WalkSource) -> Walk:
        """The same walk felt through another source."""
        return replace(self, source=source)


def parse_setting(text: str) -> tuple[str, str]:
    """Name and value out of ``name=value``, both checked.

    :raises ReplayError: told in one line
    """
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals:
        raise ReplayError(f"--set {text!r}: expected NAME=VALUE, such as hold_s=10")
    if index_of(name) < 0:
        raise ReplayError(f"--set {text!r}: no setting is called {name!r}")
    if parse_text(name, value) is None:
        raise ReplayError(f"--set {text!r}: {name} must be {describe_limits(index_of(name))}")
    return name, value.strip()


def parse_window(text: str) -> tuple[float, float]:
    """Seconds A and B out of ``A:B``.

    :raises ReplayError: told in one line
    """
    first, colon, last = text.partition(":")
    try:
        window = float(first), float(last)
    except ValueError:
        window = math.nan, math.nan
    if not colon or not window[0] < window[1] or not math.isfinite(window[0] + window[1]):
        raise ReplayError(f"--upright {text!r}: expected A:B in seconds of the recording, A before B, such as 0:2")
    return window


def settings_for(chosen: mounting.Mounting, pairs: Sequence[tuple[str, str]]) -> Settings:
    """The device's settings: the mounting's forward axis, then what was set, checked together.

    :raises ReplayError: values that do not go together
    """
    settings = Settings()
    values = [(index_of("forward_axis"), chosen.forward)]
    values += [(index_of(name), parse_text(name, text)) for name, text in pairs]
    if not settings.set_together(values):
        raise ReplayError(f"--set: {settings.why}")
    return settings


class _Trials:
    """A recording's batches by trial; when one is read to its end, ``ahead`` is the next one's first batch."""

    def __init__(self, path: Path, columns: Columns | None) -> None:
        self._stream = recordings.batches(path, columns, labels=False)
        self.ahead = next(self._stream, None)

    def __iter__(self) -> Iterator[tuple[recordings.Batch, Iterator[recordings.Batch]]]:
        while self.ahead is not None:
            first = self.ahead
            group = self._group(first)
            yield first, group
            for _ in group:  # what was not wanted
                pass

    def _group(self, first: recordings.Batch) -> Iterator[recordings.Batch]:
        batch: recordings.Batch | None = first
        while batch is not None and batch.index == first.index:
            yield batch
            self.ahead = batch = next(self._stream, None)


def _wanted(path: Path, trial: str, columns: Columns | None) -> Callable[[recordings.Batch], bool]:
    """Which trials ``--trial`` means: those of that name, else the one of that number.

    :raises ReplayError: there is none
    """
    names: dict[int, str] = {}
    for batch in recordings.batches(path, columns, labels=False):
        if batch.named:
            names[batch.index] = batch.trial
        last = batch.index
    if trial in names.values():
        return lambda batch: batch.named and batch.trial == trial
    number = int(trial) if trial.isascii() and trial.isdigit() else 0
    if 1 <= number <= last:
        return lambda batch: batch.index == number
    known = f"; the first is called {names[min(names)]!r}" if names else ""
    raise ReplayError(f"{path}: no trial {trial!r}; it has {last}, numbered from 1{known}")


def walks(path: Path, options: Options, skipped: Callable[[str], None]) -> Iterator[Walk]:
    """The trials of a recording that the options ask for, ready to be played, one at a time.

    :param skipped: called with one line for a trial, among several, that cannot be played, and for a turn that a trial
        ends before
    :raises recordings.RecordingError: the file cannot be used
    :raises ReplayError: the options do not fit the recording, or no trial of it can be played
    """
    try:
        chosen = mounting.mounting_for(path, options.up, options.forward)
    except mounting.MountingError as error:
        raise ReplayError(str(error)) from None
    settings_for(chosen, options.settings)
    wanted = _wanted(path, options.trial, options.columns) if options.trial is not None else None
    played = 0
    held: str | None = None
    trials = _Trials(path, options.columns)
    for first, batches in trials:
        if wanted is not None and not wanted(first):
            continue
        pieces = ((batch.t_s, batch.values) for batch in batches)
        try:
            start_s, rate_hz, made = resample.stream(pieces)
            rows = Spool(made)
            several = first.named or first.index > 1 or trials.ahead is not None
            walk = _prepare(first, several, start_s, rate_hz, rows, chosen, options)
            for told in idle_turns(walk):
                skipped(f"{path}: trial {walk.trial}: {told}" if several else f"{path}: {told}")
            yield walk
            played += 1
        except SpoolError as error:
            raise ReplayError(str(error)) from None
        except (resample.RateError, mounting.MountingError) as error:
            # One trial alone may be the whole file: then this is the file's error. Among others it is left out, aloud.
            if held is not None:
                skipped(held)
            held = f"{path}: trial {first.trial}: {error}" if first.named or first.index > 1 else f"{path}: {error}"
    if held is not None and not played:
        raise ReplayError(held)
    if held is not None:
        skipped(held)


def idle_turns(walk: Walk) -> list[str]:
    """A line for each turn that the walk ends before."""
    end_s = walk.source.time_s(len(walk.source))
    return [
        f"ends at {end_s:.1f} s, before the turn at {one.start_s:g} s, which turns nothing"
        for one in walk.source.turns
        if one.start_s >= end_s
    ]


def walk_of(t_s: NDArray[np.float64], values: NDArray[np.float64], chosen: Mounting, options: Options) -> Walk:
    """A walk that lies in no file: times (n,) and rows (n, 6) as a recording holds them, ready to be played.

    :raises ReplayError: the options do not fit it
    """
    first = recordings.Batch("1", 1, False, 1, t_s, values, None)
    try:
        start_s, rate_hz, rows = resample.resample([(t_s, values)])
        return _prepare(first, False, start_s, rate_hz, rows, chosen, options)
    except (resample.RateError, mounting.MountingError) as error:
        raise ReplayError(str(error)) from None


def _prepare(
    first: recordings.Batch,
    several: bool,
    start_s: float,
    rate_hz: float,
    rows: NDArray[np.float32] | Spool,
    chosen: mounting.Mounting,
    options: Options,
) -> Walk:
    if options.upright is None:
        # The first 2 s of data: a recording may begin with a gap.
        head = rows[:_SEARCH]
        there = np.flatnonzero(chips.present(head.astype(np.float64)))
        window = head[there[: round(DEFAULT_UPRIGHT_S * resample.CHIP_HZ)]]
    else:
        begin, end = (max(math.ceil((t - start_s) * resample.CHIP_HZ - 1e-6), 0) for t in options.upright)
        window = rows[begin:end]
    upright = mounting.upright_of(window.astype(np.float64), resample.CHIP_HZ)
    frame = mounting.frame_of(chosen, upright)
    # Each trial meets a fresh device and a wearer who has not answered yet.
    turns = [Turn(one.deg, one.start_s, one.hold_s, one.ramp_s) for one in options.turns]
    source = WalkSource(rows, start_s, frame=frame, turns=turns, answer_s=options.answer_s)
    settings = settings_for(chosen, options.settings)
    return Walk(first.trial, several, source, chosen, upright, frame, rate_hz, settings)


def calibrate(chain: Any, walk: Walk) -> None:
    """Give the chain the upright of the walk's window, in the counts that the chip would have given."""
    scale = chips.counts_per_unit(ACCEL_FS_G, GYRO_FS_DPS)
    force = [round(float(v)) for v in walk.upright.force * scale[:3]]
    bias = [round(float(v)) for v in walk.upright.gyro_bias * scale[3:] * 16.0]
    if not chain.set_upright(*force, *bias, 100 if walk.upright.still else 50):
        raise ReplayError("the device refuses the upright of that window; move it with --upright A:B")


def watch(chain: Any, options: Options) -> None:
    """Let who asked for it look at the chain at the end of each tick."""
    if options.watch is None:
        return
    tick, look = chain._tick, options.watch

    def watched() -> int:
        closed = int(tick())
        look(chain)
        return closed

    chain._tick = watched


def line_of(ring: events.EventRing, t0_s: float, *, all_events: bool) -> Line | None:
    """The event just taken from the ring as a line of output, or None when it is not among those asked for."""
    code = ring.code
    if code not in _ALWAYS and not all_events:
        return None
    name = "walking" if code == events.STOPPED else events.NAMES[code]
    line: Line = {"t_s": round(t0_s + ring.sample / resample.CHIP_HZ, 3), "event": name}
    if code in (events.WALKING, events.STOPPED):
        line["walking"] = code == events.WALKING
    if code in (events.FAULT_BEGIN, events.FAULT_END, events.BUZZ, events.RECOVERED):
        line["fault"] = events.FAULT_NAMES[ring.fault]
    if code in (events.BUZZ, events.FAULT_END):
        line["label"] = events.LABEL_NAMES[ring.label] or None
    if code == events.RECOVERED:
        line["after_s"] = ring.value / events.TICKS_PER_S
    if code == events.GAP:
        line["duration_s"] = round(ring.value / resample.CHIP_HZ, 3)
    return line


def drain(ring: events.EventRing, walk: Walk, options: Options) -> list[Line]:
    """The ring's events as lines, oldest first; a buzz among them tells the wearer."""
    lines = []
    while ring.take():
        if ring.code == events.BUZZ:
            walk.source.buzzed(ring.sample - 1)
        line = line_of(ring, walk.source.t0_s, all_events=options.all_events)
        if line is not None:
            lines.append(line)
    return lines


def record_fields(fields: Sequence[int]) -> Line:
    """A session record by the names of its fields."""
    return {spec[0]: int(fields[i]) for i, spec in enumerate(records.SESSION_FIELDS)}


class Records:
    """The session records of one walk. A day may hold several: they merge as the device merges a day's short walks."""

    def __init__(self, session: Any) -> None:
        self._done: list[array[int]] = []
        self._session = session
        self._finish = session.finish

    def finish(self, utc_s: int, battery_mv: int) -> None:
        """Finish the session, and keep its record."""
        was_open = self._session.open
        self._finish(utc_s, battery_mv)
        if was_open:
            self._done.append(array("i", self._session.fields))

    def summaries(self) -> list[Line]:
        """One summary, or several where they do not fit into one record (18 h)."""
        told: list[array[int]] = []
        for fields in self._done or [array("i", self._session.fields)]:
            if not told or not merge_into(told[-1], fields):
                told.append(fields)
        return [{"event": "summary", **record_fields(fields)} for fields in told]


class _Sessions:
    """Sessions around a bare chain: they end after ten minutes without walking, as ``Device`` ends them."""

    def __init__(self, chain: Any, kept: Records) -> None:
        self._chain = chain
        self._kept = kept

    def second(self) -> None:
        """A second has closed."""
        session = self._chain.session
        if session.open:
            if session.must_split:
                self.finish()
                self.start()
            elif session.idle_s >= device._IDLE_END_S:
                session.cut_idle()
                self.finish()
        elif self._chain.gait.walking:
            self.start()

    def start(self) -> None:
        """Open a session."""
        self._chain.begin()
        self._chain.session.start(1, 1, 0, 0, 0)
        self._chain.configure(self._chain.settings)

    def finish(self) -> None:
        """Close the session."""
        chain = self._chain
        chain.session.note_calibration(chain.calibration_quality, chain.detector.walk_offset_cdeg)
        self._kept.finish(0, 0)


_END = int(np.iinfo(np.int16).max)


def _stale(counts: NDArray[np.int16], before: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Which rows equal those before them, or stand at an end of the accelerometer's scale; shape (n,)."""
    stale: NDArray[np.bool_] = counts[:, 0] == before[:, 0]
    for axis in range(1, 6):
        stale &= counts[:, axis] == before[:, axis]
    for axis in range(3):
        stale |= (counts[:, axis] == _END) | (counts[:, axis] == -_END - 1)
    return stale


def is_sound(walk: Walk) -> bool:
    """Whether every sample of a walk is there, and none is stale (frozen, or at the end of the scale): of such the
    device around the chain tells it."""
    same = 0
    last = np.full((1, 6), _END, dtype=np.int16)
    step = _STALE // 2
    for begin in range(0, walk.n, 4096):
        block = walk.source.untouched(begin, 4096)
        if np.isnan(block.sum()):
            return False
        counts = chips.quantise(block, ACCEL_FS_G, GYRO_FS_DPS)
        nothing = np.flatnonzero(counts[:, 0] == 0)
        if len(nothing) and not counts[nothing, 1:3].any(axis=1).all():
            return False
        if same < step < len(counts) and not _stale(counts[step::step], counts[step - 1 : -1 : step]).any():
            # So many on end would hold a row that is a sixth: only how many end the block has to be known.
            stale = _stale(counts[-step:], counts[-step - 1 : -1])
        else:
            stale = _stale(counts, np.concatenate([last, counts[:-1]]))
            edges = np.concatenate([[-1 - same], np.flatnonzero(~stale), [len(counts)]])
            if np.diff(edges).max() > _STALE:
                return False
        live = np.flatnonzero(~stale)
        same = len(stale) - 1 - int(live[-1]) if len(live) else same + len(stale)
        last = counts[-1:]
    return True


def play_fast(walk: Walk, options: Options) -> Iterator[Line]:
    """Events of one walk, then its summary: counts handed straight to the chain.

    Where samples are missing or stale, what the device makes of that is part of the answer: then the ordinary
    ``Device`` runs on the bare counts, around the same chain, still without registers, bus and driver.
    """
    if not is_sound(walk):
        from walktall_sim.fullpath import play_counts

        yield from play_counts(walk, options)
        return
    runs = engine.select()
    chain: Any = runs.make(walk.settings)
    kept = Records(chain.session)
    sessions = _Sessions(chain, kept)
    calibrate(chain, walk)
    sessions.start()
    yield from drain(chain.ring, walk, options)
    look, ring, second = options.watch, chain.ring, events.SECOND
    begin = 0
    while begin < walk.n:
        rows = walk.source.block(begin, _lump(walk, begin, runs.rows))
        block = runs.ready(chips.quantise(rows, ACCEL_FS_G, GYRO_FS_DPS))
        index = 0
        while index < len(rows):
            index, closed = runs.burst(chain, block, index, look is not None)
            if closed:
                if look is not None:
                    look(chain)
                if closed & second:
                    sessions.second()
                if len(ring):
                    yield from drain(ring, walk, options)
                if chain.may_doze:
                    index = _doze(chain, sessions, walk, begin + index) - begin
        begin += index
    sessions.finish()
    yield from drain(ring, walk, options)
    yield from kept.summaries()


def _doze(chain: Any, sessions: _Sessions, walk: Walk, at: int) -> int:
    """The sample from which the sensor delivers again, which waits for motion from ``at`` on as ``Device`` does."""
    wake_up = chips.WakeUp()
    end = walk.n - walk.n % events.TICK_SAMPLES
    moved = 0
    while at < end and not moved:
        moved = wake_up.feed(walk.source.block(at, sensing._DOZE_SAMPLES), at)
        at += sensing._DOZE_SAMPLES
        if chain.dozed(sensing._DOZE_SAMPLES) & events.SECOND:
            sessions.second()
    if moved:
        chain.woke()
        at += sensing._WAKE_SAMPLES
        if chain.dozed(sensing._WAKE_SAMPLES) & events.SECOND:
            sessions.second()
    return at


def _lump(walk: Walk, begin: int, most: int) -> int:
    """How many rows to make at once from ``begin`` on: while the wearer may answer a tick, because an answer may come
    with any, else up to the moment from which they may."""
    source = walk.source
    if source.answer_s is None:
        return most
    first = min((one.start_s for one in source.turns if one.end_s >= source.time_s(begin - 1)), default=math.inf)
    ahead = (first - source.t0_s) * resample.CHIP_HZ - begin
    ticks = int(max(min(ahead, most), 0)) // events.TICK_SAMPLES
    return events.TICK_SAMPLES * max(ticks, 1)


def play(walk: Walk, options: Options) -> Iterator[Line]:
    """Events of one walk, then its summary."""
    if options.full:
        # The virtual board brings Adafruit's driver along, which the fast path does without.
        from walktall_sim.fullpath import play_full

        return play_full(walk, options)
    return play_fast(walk, options)


def replay(path: Path, options: Options, skipped: Callable[[str], None] = lambda _: None) -> Iterator[Line]:
    """All lines of a replay: each trial's events and its summary, with ``trial`` where there are several.

    :raises recordings.RecordingError: the file cannot be used
    :raises ReplayError: the options do not fit
    """
    for walk in walks(path, options, skipped):
        for line in play(walk, options):
            yield {**line, "trial": walk.trial} if walk.several else line


def dumps(line: Line) -> str:
    """A line of JSON, ASCII only: every terminal, pipe and file takes it."""
    return json.dumps(line, allow_nan=False)
