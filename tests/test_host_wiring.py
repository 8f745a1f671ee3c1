"""What ``settings.toml`` says, judged before the clip has to."""

import json
from pathlib import Path

import pytest
from walktall import boards
from walktall_host import wiring

from tests.test_host_cli import run
from tests.test_host_install import _nothing_else_is_plugged_in, root

__all__ = ["_nothing_else_is_plugged_in", "root"]
XIAO = boards.names()[0]


def test_every_key_that_the_clip_reads_is_told_and_no_other() -> None:
    assert set(wiring.KEYS) == set(boards.SETTABLE.split())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", ""),
        ('WALKTALL_MOTOR_PIN = "D5"', ""),
        ('WALKTALL_MOTOR = "drv2605"\nCIRCUITPY_HEAP_START_SIZE = 8192', ""),
        ('WALKTALL_MOTOR_PINN = "D5"', "WALKTALL_MOTOR_PINN is not known: is WALKTALL_MOTOR_PIN meant?"),
        ('walktall_led_pin = "LED"', "walktall_led_pin is not known: is WALKTALL_LED_PIN meant?"),
        ("WALKTALL_QQQQ = 1", "WALKTALL_QQQQ is not known"),
        ("WALKTALL_MOTOR_PIN = 7", """WALKTALL_MOTOR_PIN is refused: it takes a pin's name in quotes, "" for none"""),
        ('WALKTALL_IMU_SDA = ""', "WALKTALL_IMU_SDA is refused: it takes a pin's name in quotes"),
        ('WALKTALL_MOTOR = "pmw"', 'WALKTALL_MOTOR is refused: it takes "pwm", "drv2605" or "none"'),
        ("WALKTALL_MOTOR = { pin = 1 }", 'WALKTALL_MOTOR is refused: it takes "pwm", "drv2605" or "none"'),
        ("WALKTALL_LED_ACTIVE_LOW = true", "WALKTALL_LED_ACTIVE_LOW is refused: it takes 0 or 1"),
        ("WALKTALL_IMU_ADDRESS = 106.0", "WALKTALL_IMU_ADDRESS is refused: it takes 106 or 107"),
        ('WALKTALL_BUTTON_PIN = "D0"', "WALKTALL_BUTTON_PIN is refused: another part has D0"),
        ('[pins]\nWALKTALL_BUTTON_PIN = "D2"', "WALKTALL_BUTTON_PIN stands below [pins], where the clip does not look"),
        ("WALKTALL_MOTOR_PIN = D0", "cannot be read as TOML: Invalid value (at line 1, column 22)"),
    ],
)
def test_what_will_not_hold_is_told_in_a_line(line: str, told: str) -> None:
    assert wiring.complaints(line.encode(), XIAO) == ([told] if told else [])


def test_any_bytes_and_any_board_are_judged() -> None:
    (line,) = wiring.complaints(b"\xff\xfe\x00", XIAO)
    assert line.startswith("cannot be read as TOML")
    assert wiring.complaints(b"WALKTALL_MOTOR = 5", "another_board") == []
    (line,) = wiring.complaints(b'"WALKTALL_\\u001b[31m" = 5', XIAO)
    assert "\x1b" not in line


def test_install_warns_and_goes_on(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "settings.toml").write_text('WALKTALL_MOTOR_PINN = "D5"\nWALKTALL_LED_PIN = 3\n')
    status, _, err = run(capsys, "install", root)
    told = [
        """settings.toml: WALKTALL_LED_PIN is refused: it takes a pin's name in quotes, "" for none""",
        "settings.toml: WALKTALL_MOTOR_PINN is not known: is WALKTALL_MOTOR_PIN meant?",
    ]
    assert (status, err.splitlines()) == (0, told)
    status, _, err = run(capsys, "install", root, "--check")
    assert (status, err.splitlines()) == (0, told)
    for check in ([], ["--check"]):
        assert run(capsys, "install", root, "--quiet", *check) == (0, "", "")
        status, out, err = run(capsys, "install", root, "--json", *check)
        assert (status, err) == (0, "")
        assert [f"settings.toml: {line}" for line in json.loads(out)["settings_wrong"]] == told
    (root / "settings.toml").unlink()
    _, out, err = run(capsys, "install", root, "--json")
    assert (json.loads(out)["settings_wrong"], err) == ([], "")
