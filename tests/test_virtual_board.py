"""The virtual clip as a whole: the ordinary Device on virtual parts, with the firmware's own drivers between."""

from __future__ import annotations

import ast
import importlib.util
import time
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from walktall import boards, buzz, events, records, wire
from walktall_sim.board import VirtualBoard
from walktall_sim.chips import CHIPS, ArraySource, StillSource
from walktall_sim.clock import VirtualClock, WallClock
from walktall_sim.flash import Cut, PowerCut
from walktall_sim.generate import Walk, parse_plan
from walktall_sim.resample import resample

PROFILES = pytest.mark.parametrize("profile", boards.names())
PLAN = "stand:12,walk:45,lean 20:25,walk:15"


@cache
def walk_rows(plan: str = PLAN, seed: int = 3) -> np.ndarray:
    """A synthetic walk at 52 Hz, ``(n, 6)``."""
    pieces = []
    for frame in Walk(parse_plan(plan), seed).blocks():
        columns = frame.select("ax", "ay", "az", "gx", "gy", "gz").to_numpy()
        pieces.append((frame["t_s"].to_numpy(), columns))
    rows = np.asarray(resample(pieces)[2], dtype=float)
    assert not np.isnan(rows).any()
    return rows


def walking(profile: str = boards.REFERENCE, plan: str = PLAN, **options: Any) -> VirtualBoard:
    """A board that will walk, with its wearer pressing twice after 2 s to calibrate."""
    board = VirtualBoard(ArraySource(walk_rows(plan)), profile=profile, **options)
    board.press(2.0)
    board.press(2.35)
    return board


def told(board: VirtualBoard) -> list[tuple[int, str, int]]:
    """Events in the ring: (sample, name, fault)."""
    ring = board.device.ring
    out = []
    while ring.take():
        out.append((ring.sample, events.NAMES[ring.code], ring.fault))
    return out


# Samples.


@PROFILES
def test_every_sample_of_the_source_reaches_the_chain(profile: str) -> None:
    for chip in boards.select(profile).chips:
        board = VirtualBoard(ArraySource(walk_rows()), chip, profile=profile)
        board.run_to_sample(520)
        assert board.device.chain.n_samples == 520
        assert board.device.errors == 0


def test_time_in_the_source_counts_from_its_first_sample() -> None:
    board = VirtualBoard(StillSource())
    board.run_to_sample(1)
    due_us = board.chip.time_of_sample_us(104)
    assert board.source_time_s(due_us) == pytest.approx(2.0, abs=2e-6)


def test_a_gap_in_the_source_counts_as_gap_and_keeps_the_grid() -> None:
    rows = walk_rows().copy()
    rows[520:1040] = np.nan
    board = VirtualBoard(ArraySource(rows))
    board.run_to_sample(1560)
    chain = board.device.chain
    assert abs(chain.n_samples - 1560) <= 13
    # The sensor is started anew meanwhile, which costs up to two seconds more.
    assert 9 <= chain.session.fields[records.S_GAP_S] <= 13


# A walk.


@PROFILES
def test_a_lean_is_told_by_three_pulses_of_250_ms(profile: str) -> None:
    board = walking(profile)
    board.run_to_sample(len(walk_rows()))
    names = [(name, fault) for _, name, fault in told(board)]
    assert ("calibrated", 0) in names
    assert ("buzz", events.FORWARD) in names
    assert ("recovered", events.FORWARD) in names
    # The pulses of the buzz: on and off times by the edges of the pin.
    edges = [at_us for pulse in board.pwm.pulses for at_us in pulse if board.source_time_s(at_us) > 60]
    lengths_ms = [round((b - a) / 1000) for a, b in pairwise(edges[:6])]
    assert lengths_ms == pytest.approx([250, 150, 250, 150, 250], abs=5)
    assert sorted({duty for _, duty in board.edges}) == pytest.approx([0, 0.8 * 65535], rel=0.01)
    assert sum(lengths_ms) <= buzz.duration_ms(buzz.P_FORWARD) + 25


def test_two_runs_are_the_same_to_the_bit() -> None:
    outcomes = []
    for _ in range(2):
        board = walking(rate_ppm=3000)
        board.run_to_sample(4000)
        board.device.end_session(0, False, True)
        outcomes.append((board.edges, told(board), bytes(board.nvm.flash.memory), board.clock.now_us))
    assert outcomes[0] == outcomes[1]


@PROFILES
def test_the_i2c_bus_rests_while_the_motor_is_driven(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    board = walking(profile)
    driven: list[bool] = []
    for name in ("writeto", "readfrom_into", "writeto_then_readfrom"):
        transfer = getattr(board.bus, name)

        def watched(*what: Any, transfer: Any = transfer, **how: Any) -> None:
            driven.append(board.pwm.is_running)
            transfer(*what, **how)
            driven.append(board.pwm.is_running)

        monkeypatch.setattr(board.bus, name, watched)
    board.imu.power_cycle()  # binds the bus anew
    while board.chip.epoch_us is None or board.chip.n_due < 4600:
        board.step()
    assert board.pwm.pulses
    assert len(driven) > 4 * 60
    assert not any(driven)


# Faults of the sensor.


@PROFILES
def test_a_sensor_that_loses_its_power_is_a_gap_and_comes_back(profile: str) -> None:
    board = walking(profile)
    board.run_to_sample(1040)
    board.chip.fail_supply()
    board.run_for(5)
    assert not board.device.sensor_ok
    assert not board.pwm.is_running
    board.chip.fail_supply(False)
    if not board.profile.imu_power_pin:
        board.chip.set_power(True)
    board.run_for(10)
    assert board.device.sensor_ok
    chain = board.device.chain
    assert abs(chain.n_samples - board.chip.n_due) <= 30, "the grid of samples goes on by the clock"
    # Five seconds, the pause between two tries, a try and its time-out, a start, and two seconds cut into.
    assert 5 <= chain.session.fields[records.S_GAP_S] <= 12


@pytest.mark.parametrize("fault", ["set_power", "stick_bus"])
def test_the_supply_pin_brings_a_sensor_back_by_itself(fault: str) -> None:
    board = walking()
    board.run_to_sample(1040)
    getattr(board.chip, fault)(fault == "stick_bus")
    board.run_for(5)
    assert board.device.sensor_ok
    assert board.device.errors


@PROFILES
def test_a_silent_reset_is_found_within_two_seconds(profile: str) -> None:
    board = walking(profile)
    board.run_to_sample(1040)
    board.chip.silent_reset()
    board.run_for(2.5)
    assert board.device.errors >= 1
    assert board.imu.check()


def test_frozen_samples_never_count_as_posture() -> None:
    board = walking()
    board.run_to_sample(1560)
    good = board.device.session.fields[records.S_GOOD_S]
    board.chip.freeze()
    board.run_for(20)
    assert board.device.session.fields[records.S_GOOD_S] <= good + 1
    assert board.device.errors > 0


def test_no_sensor_at_all_leaves_the_device_alive() -> None:
    board = VirtualBoard(StillSource(), boot=False)
    board.chip.wrong_id(0x33)
    board.boot()
    board.run_for(20)
    assert not board.device.sensor_ok
    assert board.led.changes


# Life.


def test_boots_are_counted_in_flash_and_ram_is_lost() -> None:
    board = walking()
    board.run_to_sample(1040)
    device = board.device
    before = device.journal.boot
    device.end_session(0, False, True)
    device.journal.commit(0, 0, True)
    board.restart()
    assert board.device is not device
    assert board.device.chain.n_samples == 0
    board.run_for(2)
    assert board.device.journal.boot > before
    board.power_cut()
    board.run_for(1)
    board.boot()
    board.run_for(3)
    assert board.device.sensor_ok


class Kept:
    """The flash of a board, taken from it and put into others of its kind."""

    def __init__(self, board: VirtualBoard) -> None:
        self.profile = board.profile.board_id
        self.images = [bytes(flash.memory) for flash in (board.nvm.flash, board.drive.flash)]

    def board(self) -> VirtualBoard:
        board = VirtualBoard(StillSource(), profile=self.profile, boot=False)
        board.nvm.flash.memory[:], board.drive.flash.memory[:] = self.images
        board.boot()
        return board


def commit_session(board: VirtualBoard) -> None:
    """End a session of ten minutes' walking and commit it."""
    device = board.device
    if not device.session.open:
        device._open_session()
    fields = device.session.fields
    fields[records.S_WEAR_S] = fields[records.S_WALKING_S] = fields[records.S_GOOD_S] = 600
    device.end_session(0, False, True)
    device.journal.commit(0, device.uptime_s(), True)


@PROFILES
def test_power_cut_at_every_flash_operation_of_a_commit_boots_unaided_and_loses_nothing(profile: str) -> None:
    """The session's record is there or not; the one committed before is there always."""
    first = VirtualBoard(StillSource(), profile=profile)
    first.run_for(2)
    commit_session(first)
    kept = Kept(first)
    whole = kept.board()
    before = whole.flash_power.n_operations
    commit_session(whole)
    n = whole.flash_power.n_operations - before
    assert n >= 2
    assert (first.device.journal.count, whole.device.journal.count) == (1, 2)
    for operation in range(1, n + 1):
        for torn in ("old", "new", "ff", "random"):
            for offset in (0, 1, 512, 700, 2048, 4095, 4096):
                board = kept.board()
                board.flash_power.plan(Cut(before + operation, torn, offset))  # type: ignore[arg-type]
                with pytest.raises(PowerCut):
                    commit_session(board)
                board.power_cut()
                board.boot()
                assert board.device.journal.count in (1, 2), (operation, torn, offset)
                commit_session(board)
                assert board.device.journal.count in (2, 3), "and it goes on"


def test_a_power_cut_leaves_the_motor_off_and_step_says_so() -> None:
    board = walking()
    board.run_to_sample(1040)
    board.pwm.duty_cycle = 30000
    board.flash_power.plan(Cut(board.flash_power.n_operations + 1))
    board.device.journal.touch(0, 0)
    with pytest.raises(PowerCut):
        for _ in range(100_000):
            board.step()
            if board.chip.n_due > 2000:
                board.device.end_session(0, False, True)
                board.device.journal.commit(0, 0, True)
    board.power_cut()
    assert board.edges[-1][1] == 0


# The port.


def test_hello_is_answered_over_the_port_in_memory() -> None:
    board = walking()
    board.run_for(1)
    host = board.port.host  # type: ignore[attr-defined]
    host.open()
    host.timeout = 2.0
    host.write(wire.encode(wire.HELLO, 7))
    decoder = wire.Decoder()
    data = host.read(wire.MAX_ENCODED)
    at = 0
    while at < len(data) and not decoder.feed(data, at, len(data)):
        break
    assert data, "no answer within two seconds"
    assert b"Seeed_XIAO_nRF52840_Sense"[:8] in data


# Speed.


@pytest.mark.parametrize("chip", sorted(CHIPS))
def test_the_whole_board_runs_far_faster_than_real_time(chip: str) -> None:
    """The aim is 400 times real time on a free core; a tenth of that still holds on a crowded one."""
    board = walking(chip=chip)
    start = time.perf_counter()
    board.run_to_sample(len(walk_rows()))
    speed = len(walk_rows()) / 52 / (time.perf_counter() - start)
    print(f"{chip}: {speed:.0f} x real time")
    assert speed > 40


def test_on_the_wall_clock_time_is_real() -> None:
    board = VirtualBoard(StillSource(), clock=WallClock())
    start = time.monotonic()
    board.run_for(1.5)
    assert time.monotonic() - start >= 1.4
    assert board.device.chain.n_samples > 13


# Wiring.


def test_an_unknown_board_or_sensor_is_refused() -> None:
    with pytest.raises(ValueError, match="no such board"):
        VirtualBoard(profile="Arduino_Uno")
    with pytest.raises(ValueError, match="no such sensor"):
        VirtualBoard(chip="mpu6050")


def pins_of(board_id: str) -> set[str]:
    """The pin names of a board, from circuitpython-stubs."""
    spec = importlib.util.find_spec("board_definitions")
    assert spec is not None, "circuitpython-stubs is not installed"
    assert spec.submodule_search_locations
    path = Path(next(iter(spec.submodule_search_locations))) / board_id / "__init__.pyi"
    tree = ast.parse(path.read_text())
    return {
        node.target.id for node in tree.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


@PROFILES
def test_every_pin_of_a_profile_exists_on_its_board(profile: str) -> None:
    named = vars(boards.select(profile))
    wanted = {name for key, name in named.items() if key.endswith(("_pin", "_sda", "_scl")) and name}
    assert wanted >= {named["motor_pin"], named["button_pin"]}
    assert wanted <= pins_of(profile)


@PROFILES
def test_no_two_functions_share_a_pin(profile: str) -> None:
    named = vars(boards.select(profile))
    pins = [name for key, name in named.items() if key.endswith(("_pin", "_sda", "_scl")) and name]
    assert len(pins) == len(set(pins))


def test_settings_toml_replaces_wiring_and_what_is_wrong_is_named() -> None:
    given = {
        "WALKTALL_MOTOR": "drv2605",
        "WALKTALL_MOTOR_PIN": "",
        "WALKTALL_BUTTON_PIN": "D7",
        "WALKTALL_IMU_ADDRESS": 0x6B,
        "WALKTALL_IMU_SDA": "",
        "WALKTALL_LED_PIN": 5,
        "WALKTALL_LED_ACTIVE_LOW": 2,
        "WALKTALL_IMU_SCL": "D5",
    }
    profile = boards.select(boards.REFERENCE, given.get)
    assert (profile.motor, profile.motor_pin, profile.button_pin) == ("drv2605", "", "D7")
    assert (profile.imu_address, profile.imu_sda, profile.imu_scl) == (0x6B, "IMU_SDA", "D5")
    assert set(profile.refused) == {"WALKTALL_IMU_SDA", "WALKTALL_LED_PIN", "WALKTALL_LED_ACTIVE_LOW"}
    assert boards.select(boards.REFERENCE).motor == "pwm", "the table itself is untouched"


@pytest.mark.parametrize("kind", [int, str])
def test_numbers_of_settings_toml_may_come_as_text(kind: Any) -> None:
    """CircuitPython's os.getenv gave numbers until 10.1, and gives text from 10.2 on."""
    given = {"WALKTALL_IMU_ADDRESS": kind(107), "WALKTALL_LED_ACTIVE_LOW": kind(0)}
    profile = boards.select(boards.REFERENCE, given.get)
    assert (profile.imu_address, profile.led_active_low, profile.refused) == (107, 0, ())
    assert boards.select(boards.REFERENCE, {"WALKTALL_IMU_ADDRESS": "0x6B"}.get).imu_address == 0x6B
    for wrong in ("true", "", "106.0", "D0", True):
        assert boards.select(boards.REFERENCE, {"WALKTALL_LED_ACTIVE_LOW": wrong}.get).refused


def test_a_sensor_at_the_other_address_is_found_there() -> None:
    board = VirtualBoard(StillSource(), getenv={"WALKTALL_IMU_ADDRESS": 0x6B}.get)
    board.run_for(2)
    assert board.device.sensor_ok


def test_an_unknown_board_id_has_no_profile() -> None:
    assert boards.select("something_else") is None
    assert boards.names()[0] == boards.REFERENCE


def test_a_pin_is_looked_up_by_name() -> None:
    class Board:
        D1 = object()

    assert boards.pin(Board, "D1") is Board.D1
    assert boards.pin(Board, "D9") is None
    assert boards.pin(Board, "") is None


def test_a_board_without_power_only_lets_time_pass() -> None:
    board = VirtualBoard(StillSource(), clock=VirtualClock(), boot=False)
    board.run_for(1)
    assert board.device is None
