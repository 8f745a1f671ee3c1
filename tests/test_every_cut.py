"""The power cut at every erase and program of a scenario with several sessions, journal and trace together.

In CI each operation is cut once, with a rest and an offset that its number draws; `make soak` cuts each at every
512-byte boundary and 16 seeded offsets with every kind of rest, and each again in every operation of the recovery.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from walktall import records as r
from walktall_sim import flash

from tests.walking_board import Clip, Walker

UTC_S = 200_000_000
BOARDS = ("Seeed_XIAO_nRF52840_Sense", "raspberry_pi_pico")
DEEP = pytest.mark.parametrize("soak", [False, pytest.param(True, marks=pytest.mark.soak)], ids=("some", "all"))
TORN: tuple[flash.Torn, ...] = ("old", "new", "ff", "random")


@dataclass
class Model:
    """What must be true whatever happens: told as the scenario goes on."""

    ended: list[int] = field(default_factory=list)
    """wear_s of the walks whose end has been told to the caller."""
    ending: int = 0
    """Of the one that is just ending."""
    acked: int = 0
    """Acknowledged and settled in the bank."""
    hold_s: set[int] = field(default_factory=lambda: {10})


def new_clip(profile: str) -> Clip:
    clip = Clip(Walker(still=((0.0, 1.0),)), profile=profile, trace_blocks=160).calibrated()
    clip.device.set_clock(UTC_S)
    return clip


def wear(clip: Clip, seconds: int) -> None:
    """A walk, most of it told to session and rows directly: nobody has to wait for it."""
    device = clip.device
    if not device.session_open:
        device._open_session()
    clip.run_for(2.0)
    writer = device.trace.rows
    for second in range(seconds):
        for k in range(4):
            writer.tick(k, 20 * (second % 40), -20 * k, 1)
        device.session.second(1, 100, 0, 110, True, 0)
        writer.second(1, 110)
        device._each_worn_second()


def scenario(clip: Clip, model: Model) -> None:
    """Three walks, a changed setting, an acknowledgement."""
    for walk in range(3):
        wear(clip, 185 + 10 * walk)
        device = clip.device
        device._close_gap()
        model.ending = clip.field("wear_s")
        assert device.end_session(0, False)
        model.ended.append(model.ending)
        model.ending = 0
        if walk == 0:
            model.hold_s = {10, 15}
            assert device.settings.set("hold_s", 15)
            device.settings_changed()
        if walk == 1:
            journal = device.journal
            assert journal.acknowledge(2, journal.unacked_crc(2), device.uptime_s()) == 0
            clip.run_for(6.0)
            assert not journal.unsaved
            model.acked = 2
            model.hold_s = {15}


def records_in(journal: Any) -> list[dict[str, int]]:
    slot = bytearray(r.SESSION_SLOT_BYTES)
    fields = r.new_session_fields()
    found = []
    for k in range(journal.count):
        journal.read_into(k, slot, 0)
        assert r.unpack_session_into(slot, 0, fields) == r.RECORD_OK
        assert r.session_fault(fields) == ""
        found.append({name: fields[i] for i, (name, _, _) in enumerate(r.SESSION_FIELDS)})
    return found


def check(clip: Clip, model: Model) -> None:
    """After a boot: nothing that was told is lost, nothing is invented, and it works."""
    device = clip.device
    journal = device.journal
    held = records_in(journal)
    whole = [record["wear_s"] for record in held if not record["flags"] & r.FLAG_CUT]
    for wear_s in model.ended:
        assert whole.count(wear_s) == 1, (wear_s, whole, model)
    others = [wear_s for wear_s in whole if wear_s not in model.ended]
    assert others in ([], [model.ending]), (others, model)
    cut = [record for record in held if record["flags"] & r.FLAG_CUT]
    assert len(cut) + len(others) + bool(device.session_open) <= 1
    assert [record["seq"] for record in held] == list(range(1, len(held) + 1))
    assert journal.acked_seq >= model.acked
    assert device.settings.get("hold_s") in model.hold_s
    assert not journal.store_fault and not device.trace.fault
    # And it goes on: one more walk is written and read back at the next boot.
    clip.calibrated()
    wear(clip, 200)
    assert device.end_session(0, False)
    journal.commit(UTC_S + 200_000, 10)
    n = journal.count
    clip.restart(3)
    assert clip.device.journal.count == n


def cuts(n_operations: int, soak: bool, sizes: list[int]) -> Iterator[flash.Cut]:
    for operation in range(1, n_operations + 1):
        chance = random.Random(operation)
        size = sizes[operation - 1]
        if not soak:
            yield flash.Cut(
                operation, TORN[operation % 4], chance.choice((0, size // 2, chance.randrange(size))), operation
            )
            continue
        offsets = {*range(0, size, 512), *(chance.randrange(size) for _ in range(16))}
        for torn in TORN:
            for offset in sorted(offsets):
                yield flash.Cut(operation, torn, offset, operation)


@DEEP
@pytest.mark.parametrize("profile", BOARDS)
def test_a_cut_at_every_operation_of_three_walks_loses_none_and_invents_none(profile: str, soak: bool) -> None:
    clip = new_clip(profile)
    first = clip.flash_power.n_operations
    log: list[tuple[str, str, int, int]] = []
    clip.flash_power.log = log
    scenario(clip, Model())
    clip.drive.flush()
    sizes = [size for _, _, _, size in log]
    assert len(sizes) >= 30
    tried = 0
    for cut in cuts(len(sizes), soak, sizes):
        clip = new_clip(profile)
        assert clip.flash_power.n_operations == first
        clip.flash_power.plan(flash.Cut(first + cut.operation, cut.torn, cut.offset, cut.seed))
        model = Model()
        try:
            scenario(clip, model)
            clip.drive.flush()
            raise AssertionError(f"{cut} never came")
        except flash.PowerCut:
            tried += 1
        clip._lose_power()
        try:
            # A second cut in the recovery, then a boot that nothing disturbs.
            chance = random.Random(tried)
            clip.flash_power.switch_on()
            if tried % 3 == 0:
                clip.flash_power.plan(flash.Cut(clip.flash_power.n_operations + chance.randrange(1, 4), "random", 99))
            try:
                clip.boot(1)
                clip.drive.flush()
            except flash.PowerCut:
                clip._lose_power()
                clip.boot(1)
            clip.flash_power.plan(None)
            check(clip, model)
        except AssertionError as fault:
            raise AssertionError(f"{profile} {cut}") from fault
    print(tried, "cuts")
    assert tried == len(sizes) or soak
