"""Each board's wiring, from its row of the profiles to the calls that ``code.py`` makes; settings.toml changes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from walktall import boards, wire
from walktall.retained import Retained

from tests import circuitpython_surface as surface
from tests.test_board_files import FIRMWARE, NANO, PICO, XIAO, Desk, Enough
from tests.vm.machine import compact_mounts

Make = Callable[..., Desk]
#: What the converter of the virtual board reads, of 65536 parts of 3.3 V.
CONVERTED = 26000


@pytest.fixture(params=["sources", "drive"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    firmware = FIRMWARE if request.param == "sources" else compact_mounts()[0][0].parent

    def make(board_id: str = XIAO) -> Desk:
        return Desk(board_id, tmp_path, firmware)

    return make


def hello(one: Desk, seconds: float = 5.0) -> dict[str, Any]:
    """What HELLO tells after some seconds of the program."""
    host = one.port.host
    host.open()
    host.write(wire.encode(wire.HELLO, 1))
    assert isinstance(one.work(seconds), Enough)
    decoder = wire.Decoder()
    data = bytes(one.port._to_host)
    at = 0
    while at < len(data):
        at = decoder.feed(data, at, len(data))
        if decoder.size and wire.frame_kind(decoder.frame) == wire.HELLO | wire.REPLY:
            values: dict[str, Any] = wire.unpack(
                wire.HELLO_FIELDS, bytes(decoder.frame[wire.HEADER_SIZE : decoder.size - 4])
            )
            return values
    raise AssertionError("no answer")


def calls(one: Desk, name: str) -> list[Any]:
    return [what for called, what in one.calls if called == name]


@pytest.mark.parametrize(("board_id", "num", "den"), [(XIAO, 151, 51), (PICO, 3, 1), (NANO, 0, 1)])
def test_each_board_reads_its_cell_through_its_own_divider(desk: Make, board_id: str, num: int, den: int) -> None:
    one = desk(board_id)
    assert hello(one)["battery_mv"] == ((CONVERTED * 3300) >> 16) * num // den
    profile = boards.select(board_id)
    assert calls(one, "analog") == ([profile.battery_pin] if profile.battery_pin else [])


def test_on_the_xiao_the_divider_stays_enabled_and_the_charger_is_seen(desk: Make) -> None:
    one = desk(XIAO)
    one.levels["CHARGE_STATUS"] = False  # open drain: low while it charges
    assert hello(one)["flags"] & wire.HF_CHARGING
    assert ("CHARGE_STATUS", "Pull.UP") in calls(one, "input")
    assert set(one.outputs["READ_BATT_ENABLE"]) == {False}
    one = desk(XIAO)
    assert not hello(one)["flags"] & wire.HF_CHARGING


@pytest.mark.parametrize("board_id", [NANO, PICO])
def test_boards_without_a_charger_look_at_no_pin_for_it(desk: Make, board_id: str) -> None:
    one = desk(board_id)
    assert not hello(one)["flags"] & wire.HF_CHARGING
    profile = boards.select(board_id)
    assert [pin for pin, _ in calls(one, "input")] == [profile.button_pin]
    assert "READ_BATT_ENABLE" not in one.outputs


@pytest.mark.parametrize("board_id", boards.names())
def test_a_board_opens_the_pins_of_its_profile_and_no_others(desk: Make, board_id: str) -> None:
    one = desk(board_id)
    assert isinstance(one.work(5), Enough)
    profile = boards.select(board_id)
    assert set(calls(one, "i2c")) == {(profile.imu_scl, profile.imu_sda)}
    assert [pin for pin, _ in calls(one, "pwm")] == [profile.motor_pin]
    leds = {"LED_RED", "LED_GREEN", "LED_BLUE"} if board_id == XIAO else {profile.led_pin}
    powers = {pin for pin in (profile.imu_power_pin, profile.battery_enable_pin) if pin}
    assert set(one.outputs) == leds | powers
    if profile.imu_power_pin:
        assert one.outputs[profile.imu_power_pin][-1]


@pytest.mark.parametrize("board_id", boards.names())
def test_worn_only_files_in_a_folder_of_their_own_are_written(desk: Make, board_id: str) -> None:
    one = desk(board_id)
    assert isinstance(one.work(70), Enough)
    profile = boards.select(board_id)
    files = {name for name in (*profile.banks, profile.trace_file) if not name.startswith("nvm:")}
    assert set(one.files_written) == files
    assert all(name.count("/") == 2 for name in files)
    assert [path.name for path in one.folder.iterdir()] == ["data"]


def test_settings_toml_moves_every_wire(desk: Make) -> None:
    one = desk(PICO)
    moved = {
        "WALKTALL_MOTOR_PIN": "GP16",
        "WALKTALL_BUTTON_PIN": "GP17",
        "WALKTALL_LED_PIN": "GP18",
        "WALKTALL_LED_ACTIVE_LOW": 1,
        "WALKTALL_IMU_SDA": "GP0",
        "WALKTALL_IMU_SCL": "GP1",
        "WALKTALL_IMU_POWER_PIN": "GP2",
        "WALKTALL_IMU_ADDRESS": 0x6B,
        "WALKTALL_BATTERY_PIN": "A0",
    }
    one.env.update(moved)
    one.profile = boards.select(PICO, one.env.get)
    one.bus._targets.clear()
    one.bus.attach(0x6B, one.chip)
    told = hello(one, 20)
    assert told["chip"] == "LSM6DS3TR-C" and told["last_error"] == ""
    assert one.bus.n_transfers > 15 * 4
    assert set(calls(one, "i2c")) == {("GP1", "GP0")}
    assert [pin for pin, _ in calls(one, "pwm")] == ["GP16"]
    assert [pin for pin, _ in calls(one, "input")] == ["GP17"]
    assert calls(one, "analog") == ["A0"]
    assert one.outputs["GP2"][-1], "its supply is on"
    assert set(one.outputs) == {"GP2", "GP18"}
    assert one.outputs["GP18"][0] is True, "dark, where low is light"


@pytest.mark.parametrize(
    "key", ["WALKTALL_MOTOR_PIN", "WALKTALL_BUTTON_PIN", "WALKTALL_LED_PIN", "WALKTALL_BATTERY_PIN"]
)
def test_what_settings_toml_leaves_empty_is_not_there_and_the_walk_goes_on(desk: Make, key: str) -> None:
    one = desk(XIAO)
    one.env[key] = ""
    assert hello(one)["last_error"] == ""
    gone = {"WALKTALL_MOTOR_PIN": "pwm", "WALKTALL_BATTERY_PIN": "analog"}
    if key in gone:
        assert not calls(one, gone[key])
    elif key == "WALKTALL_BUTTON_PIN":
        assert [pin for pin, _ in calls(one, "input")] == ["CHARGE_STATUS"]
    else:
        assert not [pin for pin in one.outputs if pin.startswith("LED")]
    assert one.bus.n_transfers > 3 * 4


def wired(one: Desk) -> list[tuple[str, Any]]:
    """What was opened on which pins, in some order; the sensor's bus once, however often it was tried."""
    made = {(name, str(what)) for name, what in one.calls if name in ("pwm", "i2c", "input", "analog")}
    return sorted([*made, *(("output", pin) for pin in one.outputs)])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("MOTOR_PIN", "D99"),
        ("BUTTON_PIN", "D99"),
        ("BATTERY_PIN", "D99"),
        ("LED_PIN", "LED_BLEU"),
        ("IMU_POWER_PIN", "D99"),
        ("IMU_SDA", "GP44"),
        ("IMU_SCL", "GP44"),
        # On `board`, and no pins.
        ("MOTOR_PIN", "I2C"),
        ("IMU_SDA", "board_id"),
        # Pins of other parts, the second by another name.
        ("MOTOR_PIN", "D1"),
        ("BUTTON_PIN", "A0"),
        ("BUTTON_PIN", "CHARGE_STATUS"),
        ("IMU_SDA", "IMU_SCL"),
    ],
)
def test_a_pin_that_cannot_be_is_told_and_the_boards_own_holds(desk: Make, key: str, value: str) -> None:
    plain = desk(XIAO)
    plain.work(5)
    one = desk(XIAO)
    one.env["WALKTALL_" + key] = value
    assert hello(one)["last_error"] == "toml: " + key
    assert wired(one) == wired(plain)
    assert one.bus.n_transfers > 3 * 4
    assert one.printed == [] and not Retained(one.memory).crashes


@pytest.mark.parametrize(
    ("given", "told", "motor", "button"),
    [
        ({"MOTOR_PIN": "D1", "BUTTON_PIN": "D0"}, "", "D1", "D0"),
        ({"MOTOR_PIN": "D5", "BUTTON_PIN": "D5"}, "MOTOR_PIN", "D0", "D5"),
        # The motor may not have the button's pin after all.
        ({"MOTOR_PIN": "D1", "BUTTON_PIN": "D99"}, "BUTTON_PIN", "D0", "D1"),
        ({"MOTOR_PIN": "D1", "BUTTON_PIN": "D2", "BATTERY_PIN": "A2"}, "BUTTON_PIN", "D0", "D1"),
    ],
)
def test_parts_may_change_their_pins_and_may_not_share_one(
    desk: Make, given: dict[str, str], told: str, motor: str, button: str
) -> None:
    one = desk(XIAO)
    one.env.update({"WALKTALL_" + key: value for key, value in given.items()})
    assert hello(one)["last_error"] == (told and "toml: " + told)
    assert [pin for pin, _ in calls(one, "pwm")] == [motor]
    assert button in [pin for pin, _ in calls(one, "input")]


@pytest.mark.parametrize(
    ("key", "value", "gone"), [("BATTERY_PIN", "D7", "analog"), ("BUTTON_PIN", "LED_GREEN", "LED_GREEN")]
)
def test_a_pin_that_does_not_do_for_a_part_costs_that_part_alone(desk: Make, key: str, value: str, gone: str) -> None:
    """One without a converter; one that the light has taken for its colours."""
    one = desk(XIAO)
    one.env["WALKTALL_" + key] = value
    assert hello(one)["last_error"] == "toml: " + key
    assert gone not in [name for name, _ in calls(one, "input")] + [name for name, _ in one.calls]
    assert set(one.outputs) >= {"LED_RED", "LED_GREEN", "LED_BLUE"}
    assert one.bus.n_transfers > 3 * 4
    assert one.printed == []


def test_a_driver_chip_leaves_the_motors_pin_free_and_keeps_its_buss(
    desk: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    surface.fit_driver_chip(monkeypatch)
    for pin, told in (("D0", ""), ("D4", "toml: BUTTON_PIN")):  # D4 is SDA
        one = desk(XIAO)
        one.env.update(WALKTALL_MOTOR="drv2605", WALKTALL_BUTTON_PIN=pin)
        assert hello(one)["last_error"] == told
        assert (pin in [name for name, _ in calls(one, "input")]) == (not told)
        assert one.printed == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", ""),
        (b'# WALKTALL_MOTOR_PINN = "D2"\nCIRCUITPY_HEAP_START_SIZE = 8192\n', ""),
        (b'WALKTALL_MOTOR_PIN = "D0"\r\n  WALKTALL_LED_ACTIVE_LOW=1\r\n', ""),
        (b'# \xc2\xb1\n WALKTALL_MOTOR_PINN = "D2"\n', "toml: MOTOR_PINN"),
        (b'WALKTALL_button_pin="D2"', "toml: button_pin"),
        (bytes(range(256)) * 400, ""),
        (b"WALKTALL_\xff\xfe\n" * 200, ""),
    ],
)
def test_a_misspelt_key_is_told_and_no_file_stops_the_device(desk: Make, text: bytes, told: str) -> None:
    one = desk(XIAO)
    (one.folder / "settings.toml").write_bytes(text)
    assert hello(one)["last_error"] == told
    assert one.bus.n_transfers > 3 * 4
    assert one.printed == [] and [path for path in one.files_written if "settings" in path] == []


def test_what_is_told_has_room_for_every_key() -> None:
    (size,) = (form for name, form, *_ in wire.HELLO_FIELDS if name == "last_error")
    for field in boards.SETTABLE.split():
        assert len("toml: " + field) <= int(size.removesuffix("t"))


def test_a_button_on_a_pin_that_is_not_there_still_gives_the_drive_to_the_computer(desk: Make) -> None:
    one = desk(XIAO)
    one.env["WALKTALL_BUTTON_PIN"] = "D99"
    one.levels["D1"] = False
    one.run("boot.py")
    assert not calls(one, "remount")
