"""The tables of wiring in the documents: the keys of ``settings.toml``, and where a driver chip of the motor goes."""

import re
from pathlib import Path

import pytest
from walktall import boards
from walktall_host import wiring

from tests import circuitpython_surface as surface
from tests.field_tables import hold
from tests.test_board_files import Desk

SHORT = {
    "Seeed_XIAO_nRF52840_Sense": "XIAO",
    "arduino_nano_rp2040_connect": "Nano",
    "raspberry_pi_pico": "Pico",
}


def row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def keys() -> str:
    """Every key: what it means, what it takes, and each board's own."""
    rows = [row("key", "meaning", "takes", *SHORT.values()), row(*["---"] * (3 + len(SHORT)))]
    for field, (takes, meaning) in wiring.KEYS.items():
        own = [getattr(boards.select(board_id), field) for board_id in SHORT]
        cells = ["—" if value == "" else f"`{value}`" for value in own]
        rows.append(row(f"`{wiring.PREFIX}{field.upper()}`", meaning, takes, *cells))
    return "\n".join(rows)


def named(board_id: str, name: str) -> str:
    """All names of a pin, that of its bus first."""
    pads = dict(re.findall(r"^(\w+): microcontroller\.Pin  # (\w+)$", surface.board_stub(board_id).read_text(), re.M))
    first, *more = sorted((other for other, pad in pads.items() if pad == pads[name]), reverse=True)
    return f"`{first}`" + (f" ({', '.join(f'`{other}`' for other in sorted(more))})" if more else "")


def driver_buses(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where `code.py` looks for a DRV2605L, on each board."""
    surface.fit_driver_chip(monkeypatch)
    rows = [row("board", "SDA", "SCL", "that bus"), row(*["---"] * 4)]
    for board_id, short in SHORT.items():
        one = Desk(board_id, folder)
        one.env["WALKTALL_MOTOR"] = "drv2605"
        one.work(2)
        # The motor's is made first: the sensor's is another one, or the same.
        opened = [pins for name, pins in one.calls if name == "i2c"]
        scl, sda = opened[0]
        of = "the motion sensor's, too" if len(set(opened)) == 1 else "its own; the motion sensor has another one"
        rows.append(row(short, named(board_id, sda), named(board_id, scl), of))
    return "\n".join(rows)


def test_every_board_has_its_columns() -> None:
    assert tuple(SHORT) == boards.names()


def test_every_key_of_settings_toml_stands_there(request: pytest.FixtureRequest) -> None:
    hold("install.md", "wiring", keys(), request)


def test_the_driver_chips_pins_are_those_that_are_opened(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold("build.md", "drv2605", driver_buses(tmp_path, monkeypatch), request)
