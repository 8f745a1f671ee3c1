"""The wiring diagrams of the documents, drawn from the boards' own profiles: a diagram cannot disagree with the code.

``python scripts/wiring.py`` writes ``docs/pictures/wiring-*.svg``. The pins of motor, button and sensor are read from
``walktall.boards``; what stands around a pin (resistors, transistor, charger) is written here, with its values, and why
in docs/build.md.
"""

from pathlib import Path
from typing import Any

import schemdraw
import schemdraw.elements as elm
from walktall import boards

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"

#: board id -> (file, what stands on the board, its supply's input, what stands before that, its 3.3 V output)
BOARDS = {
    "Seeed_XIAO_nRF52840_Sense": ("wiring-xiao.svg", "XIAO nRF52840\nSense", "BAT+", "", "3V3"),
    # Its regulator wants 5 V and more at VIN.
    "arduino_nano_rp2040_connect": (
        "wiring-nano.svg",
        "Arduino Nano\nRP2040 Connect",
        "VIN",
        "charger with\n5 V output",
        "3V3",
    ),
    "raspberry_pi_pico": ("wiring-pico.svg", "Raspberry Pi\nPico", "VSYS", "charger module", "3V3"),
}
# The figures stand on white in dark pages, too.
_INK = "#1c2733"


def _board_symbol(profile: Any, title: str, supply: str, rail: str) -> elm.Ic:
    left = [
        elm.IcPin(name="GND", side="left", anchorname="gnd_left"),
        elm.IcPin(name=supply, side="left", anchorname="supply"),
    ]
    right = [
        elm.IcPin(name=profile.button_pin, side="right", anchorname="button"),
        elm.IcPin(name=profile.motor_pin, side="right", anchorname="motor"),
        elm.IcPin(name=rail, side="right", anchorname="rail"),
    ]
    top = []
    if not _sensor_on_board(profile):
        top = [
            elm.IcPin(name=profile.imu_sda, side="top", anchorname="sda"),
            elm.IcPin(name=profile.imu_scl, side="top", anchorname="scl"),
        ]
    return elm.Ic(pins=left + right + top, pinspacing=2.4, edgepadH=1.6, edgepadW=1.6, lblsize=11).label(
        title, loc="bottom", fontsize=12
    )


def _sensor_on_board(profile: Any) -> bool:
    """The XIAO's sensor has pins of its own; the Nano's chip sits on the board's usual bus; a Pico has none."""
    return bool(profile.imu_int_pin)


def _gate_of_mirrored() -> tuple[float, float]:
    """Where a mirrored transistor's gate lies from where it is put: ``anchor`` forgets that it is mirrored."""
    with schemdraw.Drawing(show=False) as scratch:
        probe = elm.NFet().right().reverse().at((0, 0))
        scratch += probe
    return probe.gate[0], probe.gate[1]


def _motor_circuit(d: schemdraw.Drawing, board: elm.Ic) -> None:
    """Pin -> 100 ohm -> gate with 100 kohm to ground; motor from 3.3 V to the drain, a diode across it."""
    d += elm.Resistor().right().at(board.motor).label("R1  100 Ω")
    d += (gate := elm.Dot())
    d += elm.Resistor().down().at(gate.start).length(2.6).label("R2  100 kΩ", loc="top", ofst=0.15)
    d += elm.Ground()
    d += elm.Line().right().at(gate.start).length(1.4)
    at = d.here
    offset = _gate_of_mirrored()
    fet = elm.NFet().right().reverse().at((at[0] - offset[0], at[1] - offset[1]))
    d += fet
    d += elm.Label().at((fet.source[0] + 1.1, fet.gate[1] - 0.15)).label("Q1  AO3400A")
    d += elm.Line().down().at(fet.source).toy(gate.start[1] - 2.6)
    d += elm.Ground()
    motor = elm.Motor().up().at(fet.drain).length(2.6)
    d += motor.label("M1  coin motor", loc="top", ofst=0.2)
    d += elm.Dot().at(motor.start)
    d += elm.Dot().at(motor.end)
    d += elm.Line().right().at(motor.start).length(1.8)
    d += elm.Schottky().up().toy(motor.end).label("D1  1N5819", loc="bottom")
    d += elm.Line().left().tox(motor.end[0])
    d += elm.Line().up().at(motor.end).length(0.7)
    d += (top := elm.Dot())
    d += elm.Line().left().at(top.start).tox(board.rail[0] + 0.8)
    d += elm.Line().down().toy(board.rail[1])
    d += elm.Line().left().to(board.rail)
    d += elm.Line().right().at(top.start).length(5.0)
    d += elm.Capacitor2().down().length(2.2).label("C1  10 µF", loc="bottom")
    d += elm.Ground()


def _button_circuit(d: schemdraw.Drawing, board: elm.Ic) -> None:
    d += elm.Line().right().at(board.button).length(0.6)
    d += elm.Line().down().length(2.4)
    d += elm.Button().right().length(3).label("S1\nbutton")
    d += elm.Ground()


def _sensor_circuit(d: schemdraw.Drawing, board: elm.Ic, profile: Any) -> None:
    chips = " or ".join(chip.upper().replace("LSM6DS3TRC", "LSM6DS3TR-C") for chip in profile.chips)
    sensor = elm.Ic(
        pins=[
            elm.IcPin(name="SDA", side="bottom", anchorname="sda"),
            elm.IcPin(name="SCL", side="bottom", anchorname="scl"),
            elm.IcPin(name="VIN", side="left", anchorname="vin"),
            elm.IcPin(name="GND", side="right", anchorname="gnd"),
        ],
        pinspacing=2.4,
        edgepadW=1.6,
        edgepadH=0.9,
        lblsize=11,
    ).label(f"sensor breakout: {chips}", loc="top", fontsize=11)
    d += sensor.right().anchor("sda").at((board.sda[0], board.sda[1] + 2.4))
    d += elm.Line().at(board.sda).to(sensor.sda)
    d += elm.Line().at(board.scl).to(sensor.scl)
    d += elm.Line().left().at(sensor.vin).length(0.7)
    d += elm.Vdd().label("3V3")
    d += elm.Line().right().at(sensor.gnd).length(0.7)
    d += elm.Ground()


def _supply_circuit(d: schemdraw.Drawing, board: elm.Ic, charger_label: str) -> None:
    d += elm.Line().left().at(board.gnd_left).length(1.2)
    d += elm.Ground()
    if not charger_label:
        # The charger is on the board: the cell goes to its two pads.
        d += elm.Line().left().at(board.supply).length(3.0)
        d += elm.BatteryCell().down().label("B1  LiPo\nprotected", loc="bottom")
        d += elm.Ground()
        return
    d += elm.Line().left().at(board.supply).length(0.8)
    out = d.here
    charger = elm.Ic(
        pins=[
            elm.IcPin(name="OUT", side="right", anchorname="out"),
            elm.IcPin(name="BAT+", side="left", anchorname="bat"),
            elm.IcPin(name="GND", side="bottom", anchorname="gnd"),
        ],
        edgepadH=0.8,
        edgepadW=2.4,
        lblsize=11,
    ).label(charger_label, loc="top", fontsize=11)
    # Without a direction of its own an element takes the last one's, and would come out turned.
    d += charger.right().anchor("out").at(out)
    d += elm.Ground().at(charger.gnd)
    d += elm.Line().left().at(charger.bat).length(1.2)
    d += elm.BatteryCell().down().label("B1  LiPo\nprotected", loc="top")
    d += elm.Ground()


def draw(board_id: str) -> str:
    """The wiring of a board as SVG."""
    _, title, supply, charger, rail = BOARDS[board_id]
    profile = boards.select(board_id, lambda name: None)
    schemdraw.use("svg")
    with schemdraw.Drawing(show=False, fontsize=11, color=_INK, lw=1.6) as d:
        d.config(bgcolor="white", margin=0.4)
        board = _board_symbol(profile, title, supply, rail)
        d += board
        _supply_circuit(d, board, charger)
        _motor_circuit(d, board)
        _button_circuit(d, board)
        if not _sensor_on_board(profile):
            _sensor_circuit(d, board, profile)
    return str(d.get_imagedata("svg").decode())


def main() -> None:
    """Write all of them."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for board_id, (name, *_) in BOARDS.items():
        (PICTURES / name).write_text(draw(board_id))
        print(f"docs/pictures/{name}")


if __name__ == "__main__":
    main()
