"""A walk judged again from its trace: with the settings in force it gives the very buzzes that were recorded."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from walktall import events, retrace, rows
from walktall import records as r
from walktall.visit import Visit
from walktall_sim.chips import FloatArray

from tests.walking_board import Clip, Walker

LEANS = ((40.0, 75.0, 18.0), (120.0, 150.0, 15.0), (200.0, 260.0, -14.0), (300.0, 380.0, 20.0), (430.0, 470.0, 9.0))


class Gappy(Walker):
    """A walker whose clip loses samples: rows of NaN are no samples."""

    gaps: tuple[tuple[float, float], ...] = ()

    def block(self, i0: int, n: int) -> FloatArray:
        out = super().block(i0, n)
        t = np.arange(i0, i0 + n) / 52.0
        for begin, end in self.gaps:
            out[(t >= begin) & (t < end)] = np.nan
        return out


def blocks_of(clip: Clip) -> list[Any]:
    """All blocks of the clip's ring, read as a host reads them."""
    trace = clip.device.trace
    found = []
    for number in range(trace.first_block, trace.next_block):
        raw = bytearray(512)
        n = 0
        while n < 512:  # in pieces, as they go over the wire
            piece = bytearray(100)
            got = trace.read_into(number, n, piece)
            assert got == min(100, 512 - n)
            raw[n : n + got] = piece[:got]
            n += got
        found.append(retrace.read(bytes(raw)))
    return found


def sessions_of(clip: Clip) -> dict[tuple[int, int], list[Any]]:
    """Blocks by session."""
    found: dict[tuple[int, int], list[Any]] = {}
    for block in blocks_of(clip):
        if block.kind == rows.KIND_ROWS:
            found.setdefault((block.session_boot, block.session_start_s), []).append(block)
    return found


def timed(told: list[Any]) -> list[tuple[Any, ...]]:
    return [(one.second, one.tick, *one.key()) for one in told]


def live_events(clip: Clip) -> list[str]:
    inputs = {events.NAMES[code] for code in retrace.INPUTS}
    return [name for name in clip.names() if name not in inputs]


def meddle(clip: Clip, seed: int) -> list[str]:
    """What a wearer and a host do in a walk of nine minutes, at times that the seed draws."""
    chance = random.Random(seed)
    done = []
    while clip.clock.now_us < 400e6:
        clip.run_for(chance.uniform(4.0, 45.0))
        kind = chance.randrange(9)
        device = clip.device
        chain = device.chain
        if kind == 0:
            device._snooze()
        elif kind == 1:
            device._hill()
        elif kind == 2:
            chain.wrong()
        elif kind == 3:
            chain.mark()
        elif kind == 4:
            device.settings.set("hold_s", chance.choice((5, 10, 15)))
            Visit(device, clip.port).settings_changed()
        elif kind == 5:
            chain.set_upright(0, 8190, chance.choice((0, -300, 300)), 0, 0, 0, 80)
        elif kind == 6:
            chain.set_frame(*chain.upright[:3], 0, 0, 16384)
        elif kind == 7:
            Visit(device, clip.port).identify()
        else:
            chain.set_axis(*chain.upright[:3], 4)
        done.append(f"{clip.clock.now_us / 1e6:.2f} {kind}")
    return done


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(n, marks=pytest.mark.soak) for n in range(3, 60))])
def test_unchanged_settings_give_exactly_the_recorded_events(seed: int) -> None:
    """Snooze, hill mode, marks, mutes, recalibrations, changed settings, gaps of the sensor, buzzes and answers."""
    chance = random.Random(1000 + seed)
    walker = Gappy(((0.0, 5.0), (chance.uniform(270, 300), chance.uniform(300, 330))), LEANS, seed, 0.3)
    walker.gaps = tuple(
        (at, at + chance.choice((0.15, 0.4, 1.1, 2.5, 8.0, 70.0)))
        for at in sorted(chance.uniform(15, 380) for _ in range(6))
    )
    clip = Clip(walker).calibrated()
    done = meddle(clip, seed)
    clip.device.end_session(0, False, True)
    print("seed", seed, "gaps", walker.gaps, "did", done)
    assert clip.device.trace.rows.lost == 0
    told = 0
    for blocks in sessions_of(clip).values():
        again = retrace.judge_again(blocks)
        assert again.exact
        assert again.missing_s == 0
        assert timed(again.events) == timed(again.recorded)
        told += len(again.recorded)
        # And second for second the same classes, angles from the same offset, the same session but for its steps.
        recorded = [row.second_class for block in blocks for row in block.rows if row.second_class]
        assert again.classes == recorded
        last = blocks[-1].fields
        for name in ("good_s", "forward_s", "back_s", "side_s", "still_s", "bend_s", "gap_s", "snoozed_s", "walking_s"):
            index = r.SESSION.index(name)
            assert again.fields[index] == last[index], name
        assert again.fields[r.S_BUZZES] == last[r.S_BUZZES]
    assert told == len(live_events(clip))
    assert told >= 6, "a walk in which little was told shows little"


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": 1, "desk_hold_s": 10, "spacing_s": 0, "side_buzz": 1},
        {"coaching": 2, "hold_s": 5, "spacing_s": 0},
        {"coaching": 1, "faded_after_days": 0, "hold_s": 5, "spacing_s": 0, "rearm_s": 1},
        {"stretch_min": 2, "progressive": 1, "recovery_tick": 0},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_what_a_coach_decides_is_decided_again(settings: dict[str, int]) -> None:
    clip = Clip(Walker(leans=LEANS, sway_deg=0.2)).calibrated()
    held = clip.device.settings
    assert held.set_together([(wire_index(name), value) for name, value in settings.items()])
    Visit(clip.device, clip.port).settings_changed()
    clip.run_until(290)
    clip.device.end_session(0, False, True)
    ((_, blocks),) = sessions_of(clip).items()
    again = retrace.judge_again(blocks)
    assert timed(again.events) == timed(again.recorded)
    assert len(again.recorded) == len(live_events(clip)) > 4


def test_seconds_in_which_the_sensor_dozed_are_judged_again_as_they_were() -> None:
    still = ((0.0, 5.0), (70.0, 190.0), (250.0, 330.0))
    clip = Clip(Walker(still, ((30.0, 55.0, 18.0), (205.0, 240.0, 20.0)), 1, 0.3)).calibrated()
    clip.run_until(380)
    clip.device.end_session(0, False, True)
    ((_, blocks),) = sessions_of(clip).items()
    every = [row for block in blocks for row in block.rows if row.second_class]
    assert sum(row.states[3] & events.KIND == events.DOZED for row in every) > 40
    again = retrace.judge_again(blocks)
    assert timed(again.events) == timed(again.recorded)
    assert again.classes == [row.second_class for row in every]
    assert len(again.recorded) == len(live_events(clip)) > 8


def wire_index(name: str) -> int:
    from walktall import limits

    return int(limits.index_of(name))


def test_changed_settings_change_the_buzzes_and_nothing_else() -> None:
    clip = Clip(Walker(leans=((60.0, 90.0, 15.0), (150.0, 165.0, 25.0)))).calibrated()
    clip.run_until(240)
    clip.device.end_session(0, False, True)
    ((_, blocks),) = sessions_of(clip).items()

    def buzzes(changes: dict[str, int]) -> list[int]:
        return [one.second for one in retrace.judge_again(blocks, changes).events if one.code == events.BUZZ]

    as_it_was = buzzes({})
    assert len(as_it_was) >= 2
    assert 9 <= buzzes({"hold_s": 20})[0] - as_it_was[0] <= 12
    (only,) = buzzes({"on_deg": 20, "off_deg": 15})
    assert 160 <= only <= 164
    assert buzzes({"on_deg": 35}) == []
    with pytest.raises(ValueError, match="on_deg"):
        buzzes({"on_deg": 7})
    with pytest.raises(ValueError, match="no setting"):
        buzzes({"of_deg": 7})


def test_a_session_whose_beginning_was_overwritten_is_judged_from_a_checkpoint() -> None:
    walker = Walker(leans=((1300.0, 1330.0, 16.0), (1360.0, 1390.0, 20.0)))
    clip = Clip(walker).calibrated()
    clip.run_until(1410)
    clip.device.end_session(0, False, True)
    ((_, blocks),) = sessions_of(clip).items()
    whole = retrace.judge_again(blocks)
    late = retrace.judge_again(blocks[8:])
    assert whole.exact and not late.exact
    # Both tell the same of the two leans.
    assert [one.key() for one in late.events if one.fault] == [one.key() for one in whole.events if one.fault]
    assert timed(late.events) == timed(late.recorded)
    with pytest.raises(ValueError, match="settings"):
        retrace.judge_again(blocks[1:5])


def test_blocks_that_were_lost_are_told_and_not_filled_in() -> None:
    walker = Walker(leans=((60.0, 80.0, 16.0), (300.0, 330.0, 20.0)))
    clip = Clip(walker).calibrated()
    clip.run_until(420)
    clip.device.end_session(0, False, True)
    ((_, blocks),) = sessions_of(clip).items()
    gone = blocks[3:5]
    again = retrace.judge_again(blocks[:3] + blocks[5:])
    lost_s = sum(1 for block in gone for row in block.rows if row.second_class)
    assert abs(again.missing_s - lost_s) <= 2
    assert not again.exact
    assert again.fields[r.S_GAP_S] >= again.missing_s


def test_a_hostile_block_is_refused_in_words() -> None:
    clip = Clip(Walker()).calibrated()
    clip.run_until(100)
    clip.device.end_session(0, False, True)
    trace = clip.device.trace
    raw = bytearray(512)
    assert trace.read_into(1, 0, raw) == 512
    retrace.read(raw)
    chance = random.Random(5)
    for _ in range(600):
        bad = bytearray(raw)
        for _ in range(chance.randrange(1, 4)):
            bad[chance.randrange(2, 508)] = chance.randrange(256)
        sealed = bytearray(bad[:508]) + bytearray(4)
        r.seal_into(sealed, 0, 508)
        try:
            block = retrace.read(bytes(sealed))
        except retrace.BadBlock as fault:
            assert str(fault)
            continue
        assert len(block.rows) < 70000
    with pytest.raises(retrace.BadBlock, match="CRC"):
        retrace.read(bytes(raw[:100]) + b"\1" + bytes(raw[101:]))
    with pytest.raises(retrace.BadBlock, match="512"):
        retrace.read(bytes(raw[:511]))
    with pytest.raises(retrace.BadBlock, match="begins"):
        retrace.read(b"\xff" * 512)


def test_wear_is_the_rows_and_rows_are_the_wear() -> None:
    """Every second of the record has a row of its class, none is told twice."""
    clip = Clip(Walker(still=((0.0, 6.0), (100.0, 160.0)), leans=((40.0, 60.0, 20.0),))).calibrated()
    clip.run_until(200)
    clip.device.end_session(0, False, True)
    ((_, blocks),) = sessions_of(clip).items()
    classes = [row.second_class for block in blocks for row in block.rows]
    fields = blocks[-1].fields
    assert blocks[-1].flags & rows.B_END and blocks[-1].flags & rows.B_KEPT
    for second_class in range(1, r.S_CLASS_COUNT + 1):
        assert classes.count(second_class) == fields[r.S_CLASS_BASE + second_class]


@pytest.mark.parametrize("run_s, more", [(65535, 1), (65535, 2), (65534, 3)])
def test_a_block_that_claims_more_seconds_than_a_session_has_is_refused(run_s: int, more: int) -> None:
    """A run of seconds takes four bytes, whatever its length, and single seconds may stand behind it."""
    raw = bytearray(512)
    seconds = bytes([events.CLASS_GOOD << 4 | 14, events.WALKS, *run_s.to_bytes(2, "little")])
    seconds += bytes([events.CLASS_GOOD << 4, events.WALKS]) * more
    begin = rows.HEADER_BYTES
    raw[rows.H_MAGIC], raw[rows.H_LAYOUT], raw[rows.H_KIND] = rows.MAGIC, rows.LAYOUT, rows.KIND_ROWS
    raw[rows.H_ROWS_FROM] = begin
    raw[rows.H_ROWS_END : rows.H_ROWS_END + 2] = (begin + len(seconds)).to_bytes(2, "little")
    raw[begin : begin + len(seconds)] = seconds
    raw[rows.CRC_AT :] = r.crc32(bytes(raw[: rows.CRC_AT])).to_bytes(4, "little")
    if run_s + more <= 65536:
        assert len(retrace.read(bytes(raw)).rows) == run_s + more
    else:
        with pytest.raises(retrace.BadBlock, match="more seconds than a session has"):
            retrace.read(bytes(raw))
