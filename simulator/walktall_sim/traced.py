"""A walk out of a clip's own trace, judged again by the device's code: what `walktall export --case` takes out.

The file holds the trace's blocks of one session, 512 bytes each, one after the other. They carry the settings and the
state that were in force, so that the same settings give the very buzzes that were worn; other settings give what-if.
Times are seconds of the walk as the trace has them; what was lost in between is a gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from walktall import events, retrace, rows
from walktall.settings import Settings, index_of, parse_text

from walktall_sim import replay
from walktall_sim.replay import Line, ReplayError


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a trace: its events and record, and for each second pitch without and with the walking offset taken
    off, and its class; cadence as the trace has it; the limits in force, as `walktall_sim.plot` draws them."""

    lines: list[Line]
    raw_pitch_deg: list[float]
    pitch_deg: list[float]
    classes: list[int]
    cadence_spm: list[int]
    limits_deg: tuple[float, float, float, float]


def play(path: Path, settings: Sequence[tuple[str, str]]) -> Judged:
    """The events of a trace, then its summary.

    :param settings: those that shall differ from the trace's own
    :raises ReplayError: told in one line
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ReplayError(f"{path}: cannot be read ({error.strerror})") from None
    size = int(rows.BLOCK_BYTES)
    if not data or len(data) % size:
        raise ReplayError(f"{path}: {len(data)} bytes are no whole blocks of {size}; export the case again")
    blocks = []
    for at in range(0, len(data), size):
        try:
            blocks.append(retrace.read(data[at : at + size]))
        except retrace.BadBlock as error:
            where = f"{path}: block {at // size + 1}"
            raise ReplayError(f"{where} cannot be read ({error}); export the case again") from None
    changes = {name: parse_text(name, text) for name, text in settings}
    try:
        again = retrace.judge_again(blocks, changes)
    except ValueError as error:
        raise ReplayError(f"{path}: {error}") from None
    lines: list[Line] = []
    for told in again.events:
        # An event is told at the end of its tick, as a replay tells it.
        told.sample = told.second * 52 + (told.tick + 1) * events.TICK_SAMPLES
        line = replay.line_of(told, 0.0, all_events=False)
        if line is not None:
            lines.append(line)
    lines.append({"event": "summary", **replay.record_fields(again.fields)})
    pitch = [cdeg / 100.0 for cdeg in again.pitches_cdeg]
    raw = [deg + cdeg / 100.0 for deg, cdeg in zip(pitch, again.offsets_cdeg, strict=True)]
    cadence = [int(row.cadence_spm) for block in blocks for row in block.rows if row.second_class]
    # Blocks in front of the first one that tells the settings are not judged.
    cadence = cadence[len(cadence) - len(pitch) :]
    return Judged(lines, raw, pitch, [int(one) for one in again.classes], cadence, _limits(blocks, changes))


def _limits(blocks: Sequence[Any], changes: Mapping[str, int]) -> tuple[float, float, float, float]:
    settings = Settings()
    kept = next((block.settings for block in blocks if block.settings is not None), settings.values)
    for index, value in enumerate(kept):
        settings.values[index] = value
    settings.set_together([(index_of(name), value) for name, value in changes.items()])
    forward = float(settings.on_limit_deg()), float(settings.off_limit_deg())
    return (*forward, -float(settings.get("back_on_deg")), -float(settings.get("back_off_deg")))
