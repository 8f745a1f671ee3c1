"""What ``settings.toml`` says of a clip's wiring, judged as the clip will judge it.

Both lay the file over the board's profile by ``walktall.boards``; the clip has room to tell one key alone. Which pins a
board has only the board knows. Nothing is written here.
"""

import difflib
import tomllib
from pathlib import Path
from typing import Any

from walktall import boards

from .options import note
from .terminal import safe

NAME = "settings.toml"
PREFIX = "WALKTALL_"
_PIN = "a pin's name in quotes"
_PIN_OR_NONE = _PIN + ', `""` for none'
#: By field of a profile: what the key takes, and what it means.
KEYS = {
    "motor": ('`"pwm"`, `"drv2605"` or `"none"`', "what drives the motor: a transistor, a DRV2605L on I2C, nothing"),
    "motor_pin": (_PIN_OR_NONE, "where the transistor's gate is; with `pwm` alone"),
    "button_pin": (_PIN_OR_NONE, "the push button, to ground"),
    "led_pin": (_PIN_OR_NONE, "the light"),
    "led_active_low": ("0 or 1", "1: the light shines at a low level"),
    "imu_sda": (_PIN, "the motion sensor's bus: data"),
    "imu_scl": (_PIN, "the motion sensor's bus: clock"),
    "imu_power_pin": (_PIN_OR_NONE, "what powers the motion sensor"),
    "imu_address": ("106 or 107", "the motion sensor's address: 6A or 6B"),
    "battery_pin": (_PIN_OR_NONE, "the divider at the battery"),
}


def complaints(data: bytes, board_id: str) -> list[str]:
    """A line for each key that will not hold on a clip with this board, and for each that nobody reads.

    :param data: the file, as it lies on the drive
    """
    try:
        table = tomllib.loads(data.decode())
    except ValueError as fault:
        return [f"cannot be read as TOML: {safe(str(fault))}"]
    profile = boards.select(board_id, lambda key: _value(table, key))
    found = [f"{key} is refused: {_why(key, table[key])}" for key in (profile.refused if profile else ())]
    known = [PREFIX + field.upper() for field in KEYS]
    for key, value in table.items():
        if key.upper().startswith(PREFIX) and key not in known:
            near = difflib.get_close_matches(key[len(PREFIX) :].lower(), KEYS, 1)
            found.append(f"{safe(key)} is not known{f': is {PREFIX}{near[0].upper()} meant?' if near else ''}")
        elif isinstance(value, dict) and key not in known:
            below = [name for name in value if name.upper().startswith(PREFIX)]
            found += [f"{safe(name)} stands below [{safe(key)}], where the clip does not look" for name in below]
    return found


def _value(table: dict[str, Any], key: str) -> int | str | None:
    """As ``os.getenv`` of a board.

    :raises ValueError: neither a text nor a number
    """
    value = table.get(key)
    if value is None or type(value) in (int, str):
        return value
    raise ValueError


def _why(key: str, value: object) -> str:
    field = key.removeprefix(PREFIX).lower()
    if isinstance(value, str) and value and field not in ("motor", "led_active_low", "imu_address"):
        return f"another part has {safe(value)}"
    return f"it takes {KEYS[field][0].replace('`', '')}"


def of_drive(root: Path, board_id: str) -> list[str]:
    """The same of the file on a drive; nothing where there is none."""
    try:
        return complaints((root / NAME).read_bytes(), board_id)
    except OSError:
        return []


def warn(root: Path, board_id: str) -> None:
    """One line each, on standard error."""
    for line in of_drive(root, board_id):
        note(f"{NAME}: {line}")


def words(told: str) -> str:
    """What a clip told of its start, `toml: KEY`, with the whole names; anything else as it is."""
    key = told.removeprefix("toml: ")
    if key == told:
        return told
    return f"{NAME}: {PREFIX}{key} is refused or not known: the board's own wiring holds there"
