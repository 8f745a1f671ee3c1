"""The thin drivers: motor by PWM and by a DRV2605L under Adafruit's library, battery, charger, USB."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import adafruit_drv2605
import pytest
from hypothesis import given
from hypothesis import strategies as st
from walktall.hw.haptic import HapticMotor
from walktall.hw.motor import NoMotor, PwmMotor
from walktall.hw.power import Power
from walktall_sim.board import VirtualBoard
from walktall_sim.bus import VirtualI2C
from walktall_sim.chips import StillSource
from walktall_sim.clock import VirtualClock
from walktall_sim.motor import Drv2605l, PwmOut


class Pin:
    def __init__(self, value: Any) -> None:
        self.value = value


def haptic() -> tuple[HapticMotor, PwmOut, VirtualI2C]:
    clock = VirtualClock()
    out = PwmOut(clock)
    bus = VirtualI2C(clock)
    bus.attach(Drv2605l.ADDRESS, Drv2605l(out))
    return HapticMotor(adafruit_drv2605.DRV2605(bus)), out, bus


def test_a_pwm_motor_is_off_from_the_start_and_edges_are_only_changes() -> None:
    pwm = PwmOut(VirtualClock())
    pwm.duty_cycle = 20_000
    motor = PwmMotor(pwm)
    assert pwm.duty_cycle == 0
    for duty in (0, 40_000, 40_000, 0):
        motor.duty_u16 = duty
        assert motor.duty_u16 == duty
    assert [duty for _, duty in pwm.edges] == [20_000, 0, 40_000, 0]
    motor.duty_u16 = 5
    motor.stop()
    assert pwm.duty_cycle == 0
    with pytest.raises(ValueError, match="0-65535"):
        motor.duty_u16 = 65_536


@given(st.integers(0, 65_535))
def test_a_haptic_motor_turns_as_hard_as_asked_within_a_step_of_the_chip(duty_u16: int) -> None:
    motor, out, _ = haptic()
    motor.duty_u16 = duty_u16
    assert motor.duty_u16 == duty_u16
    assert abs(out.duty_cycle - duty_u16) <= 520
    motor.stop()
    assert out.duty_cycle == 0


def test_a_haptic_motor_speaks_to_its_chip_only_when_the_duty_changes() -> None:
    motor, _, bus = haptic()
    motor.duty_u16 = 30_000
    before = bus.n_transfers
    for _ in range(10):
        motor.duty_u16 = 30_000
    assert bus.n_transfers == before


def test_a_missing_haptic_chip_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="No I2C device"):
        adafruit_drv2605.DRV2605(VirtualI2C(VirtualClock()))


def test_no_motor_takes_what_it_is_given() -> None:
    motor = NoMotor()
    motor.duty_u16 = 30_000
    motor.stop()
    assert motor.duty_u16 == 0


@pytest.mark.parametrize(("kind", "turns"), [("pwm", True), ("drv2605", True), ("none", False)])
def test_the_board_buzzes_with_the_motor_that_its_settings_name(kind: str, turns: bool) -> None:
    board = VirtualBoard(StillSource(), getenv={"WALKTALL_MOTOR": kind}.get)
    board.press(2.0)  # one press: snooze, with a pattern
    board.run_for(5)
    assert board.device.errors == 0
    assert bool([duty for _, duty in board.edges if duty]) == turns


# Power.


def test_battery_millivolts_undo_the_divider() -> None:
    """4.2 V behind 1 Mohm over 510 kohm is 1.419 V at the pin."""
    pin_mv = 4200 * 510 / 1510
    power = Power(Pin(round(pin_mv / 3300 * 65536)), 151, 51)
    assert power.battery_mv == pytest.approx(4200, abs=4)


@given(st.integers(0, 65_535))
def test_battery_stays_within_small_ints(raw: int) -> None:
    assert raw * 3600 < 1 << 30
    assert 0 <= Power(Pin(raw), 151, 51, 3600).battery_mv < 11_000


def test_what_cannot_be_seen_is_zero_or_false() -> None:
    power = Power()
    assert (power.battery_mv, power.charging, power.usb) == (0, False, False)


def test_the_chargers_pin_is_low_while_it_charges() -> None:
    assert Power(charging_pin=Pin(False)).charging
    assert not Power(charging_pin=Pin(True)).charging


def test_usb_is_asked_each_time() -> None:
    runtime = SimpleNamespace(usb_connected=True)
    power = Power(runtime=runtime)
    assert power.usb
    runtime.usb_connected = False
    assert not power.usb
