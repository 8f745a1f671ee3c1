"""The case: a tub with a spring clip for the collar, and a lid with the button's tongue. Parametric, lengths in mm.

``make case`` writes STL files and a hidden-line picture; ``--board pico --out FOLDER`` those for another board. It
needs build123d, which is large: ``make case`` puts it into an environment of its own, and nothing else needs it.

The parts lie in the tub from the bottom (the wall that touches the clothes) up: the motor in its ring, the cell beside
it, the board on two rails above both. Nobody has printed it yet: look at the first print before you trust the clip.
"""

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path

from build123d import (
    Axis,
    Box,
    BuildPart,
    BuildSketch,
    Compound,
    Cylinder,
    ExportSVG,
    LineType,
    Location,
    Locations,
    Mode,
    Part,
    Plane,
    Pos,
    Rectangle,
    RectangleRounded,
    Unit,
    export_stl,
    extrude,
    fillet,
)


@dataclass(frozen=True)
class Size:
    """What goes into the case."""

    board_length: float
    board_width: float
    board_height: float  # with the USB socket
    usb_width: float = 9.4  # of a USB-C plug's opening, with play
    usb_height: float = 3.6
    cell_length: float = 25.0
    cell_width: float = 20.5
    cell_height: float = 4.3  # a pouch cell swells a little with age
    motor_diameter: float = 10.2
    motor_height: float = 3.2


#: Outlines of the boards' own drawings.
BOARDS = {
    "xiao": Size(21.0, 17.8, 4.6),
    "nano": Size(45.0, 18.0, 4.6, usb_width=8.4, usb_height=3.2),
    "pico": Size(51.0, 21.0, 4.2, usb_width=8.4, usb_height=3.2),
}
WALL = 1.2  # three lines of a 0.4 mm nozzle
PLAY = 0.3
CORNER = 4.0
LID = 1.2
LIP = 1.6
BUTTON = 7.0  # the tongue above a 6 x 6 mm button
CLIP_GAP = 1.6  # a folded collar is 1.2 to 2 mm: the clip springs open
CLIP_THICKNESS = 1.8
CLIP_WIDTH = 12.0


@dataclass(frozen=True)
class Inside:
    """The room in the tub."""

    length: float
    width: float
    height: float


def inside(size: Size) -> Inside:
    """Cell and motor side by side, the board above both."""
    below_length = size.cell_length + size.motor_diameter + 1.5
    below_width = max(size.cell_width, size.motor_diameter)
    return Inside(
        max(size.board_length, below_length) + 2 * PLAY,
        max(size.board_width, below_width) + 2 * PLAY,
        max(size.cell_height, size.motor_height) + size.board_height + 1.0,
    )


def tub(size: Size) -> Part:
    """The tub: open above (z up), the clip below its bottom."""
    room = inside(size)
    length, width = room.length + 2 * WALL, room.width + 2 * WALL
    height = room.height + WALL
    with BuildPart() as made:
        with BuildSketch():
            RectangleRounded(length, width, CORNER)
        extrude(amount=height)
        bottom = made.faces().sort_by(Axis.Z)[0]
        fillet(bottom.edges(), 0.8)
        with BuildSketch(Plane.XY.offset(WALL)):
            RectangleRounded(room.length, room.width, CORNER - WALL)
        extrude(amount=room.height, mode=Mode.SUBTRACT)
        # Rails for the board, above cell and motor.
        rail_z = WALL + max(size.cell_height, size.motor_height) + 0.5
        for side in (-1, 1):
            with Locations((0, side * (room.width / 2 - 0.4), rail_z)):
                Box(room.length - 2 * CORNER, 0.8, 0.8)
        # The motor's ring holds it to the wall that touches the clothes.
        x = room.length / 2 - size.motor_diameter / 2 - 0.8
        with Locations((x, 0, WALL + 0.75)):
            Cylinder(size.motor_diameter / 2 + 0.8, 1.5)
            Cylinder(size.motor_diameter / 2, 1.5, mode=Mode.SUBTRACT)
        # USB, at the board's height.
        with Locations((-length / 2, 0, rail_z + 0.4 + size.usb_height / 2 + 0.6)):
            Box(4 * WALL, size.usb_width, size.usb_height, mode=Mode.SUBTRACT)
        # Two grooves for the lid's lips.
        for side in (-1, 1):
            with Locations((0, side * room.width / 2, height - LIP)):
                Box(room.length / 2, 0.8, 0.6, mode=Mode.SUBTRACT)
    return made.part + clip(length)


def clip(length: float) -> Part:
    """A leaf spring under the bottom: rooted at one end, with a bump and a lead-in at the other."""
    reach = length - 8
    root_x = length / 2 - 4 - 2
    with BuildPart() as made:
        with Locations((root_x, 0, -CLIP_GAP / 2)):
            Box(4, CLIP_WIDTH, CLIP_GAP + 0.02)
        with Locations((root_x + 2 - reach / 2, 0, -CLIP_GAP - CLIP_THICKNESS / 2)):
            Box(reach, CLIP_WIDTH, CLIP_THICKNESS)
        edges = made.edges().filter_by(Axis.Y).group_by(Axis.X)[0]
        fillet(edges, 0.8)
        # The bump that bites into the cloth, near the free end.
        bump_x = root_x + 2 - reach + 5
        with Locations(Location((bump_x, 0, -CLIP_GAP), (90, 0, 0))):
            Cylinder(0.9, CLIP_WIDTH)
        # The lead-in: the free end bends away, so that it slips over a collar.
        with Locations(Location((root_x + 2 - reach - 1.2, 0, -CLIP_GAP - CLIP_THICKNESS / 2 - 0.5), (0, -25, 0))):
            Box(4.5, CLIP_WIDTH, CLIP_THICKNESS)
    return made.part


def lid(size: Size) -> Part:
    """The lid, with a tongue that bends onto the button and two lips that snap into the tub."""
    room = inside(size)
    length, width = room.length + 2 * WALL, room.width + 2 * WALL
    with BuildPart() as made:
        with BuildSketch():
            RectangleRounded(length, width, CORNER)
        extrude(amount=LID)
        fillet(made.faces().sort_by(Axis.Z)[-1].edges(), 0.6)
        for side in (-1, 1):
            with Locations((0, side * (room.width / 2 - WALL / 2 - PLAY / 2), -LIP / 2)):
                Box(room.length / 2 - 1, WALL, LIP)
            with Locations((0, side * (room.width / 2 - PLAY / 2), -LIP + 0.3)):
                Box(room.length / 2 - 1, 0.5, 0.5)
        # The tongue: a slot on three sides.
        x = room.length / 2 - BUTTON / 2 - 5
        with BuildSketch(Plane.XY.offset(-0.1)):
            with Locations((x, 0)):
                Rectangle(BUTTON + 5, BUTTON + 1.2)
                Rectangle(BUTTON + 3.8, BUTTON, mode=Mode.SUBTRACT)
            with Locations((x - (BUTTON + 5) / 2, 0)):
                Rectangle(1.4, BUTTON + 2, mode=Mode.SUBTRACT)
        extrude(amount=LID + 0.2, mode=Mode.SUBTRACT)
        with Locations((x + 1, 0, LID)):
            Cylinder(2.0, 0.8)
    return made.part


def picture(parts: list[Part], path: Path) -> None:
    """Hidden lines dashed, seen from above one corner."""
    whole = Compound(children=parts)
    visible, hidden = whole.project_to_viewport((-90, -120, 80))
    largest = max(*Compound(children=visible + hidden).bounding_box().size)
    svg = ExportSVG(unit=Unit.MM, scale=150 / largest)
    svg.add_layer("visible", line_weight=0.5)
    svg.add_layer("hidden", line_color="#969696", line_weight=0.18, line_type=LineType.ISO_DOT)
    svg.add_shape(visible, layer="visible")
    svg.add_shape(hidden, layer="hidden")
    svg.write(str(path))


def main() -> None:
    """Write the parts of one board's case."""
    parser = argparse.ArgumentParser(description="Write the case's parts as STL, and a picture of them.")
    parser.add_argument("--board", choices=sorted(BOARDS), default="xiao")
    parser.add_argument("--out", type=Path, default=Path("docs/case"))
    told = parser.parse_args()
    size = BOARDS[told.board]
    told.out.mkdir(parents=True, exist_ok=True)
    bottom, top = tub(size), lid(size)
    room = inside(size)
    for name, part in (("tub", bottom), ("lid", top)):
        if not part.is_valid or len(part.solids()) != 1:
            raise SystemExit(f"{name}: not one whole solid; look at the sizes")
        export_stl(part, str(told.out / f"{told.board}-{name}.stl"), tolerance=0.05, angular_tolerance=0.3)
        box = part.bounding_box().size
        print(f"{told.board}-{name}.stl  {box.X:.1f} x {box.Y:.1f} x {box.Z:.1f} mm, {part.volume / 1000:.1f} cm3")
    picture([bottom, Pos(0, 0, room.height + 12) * top], told.out / f"{told.board}.svg")
    # A test compares it: parts that are older than their source are told.
    (told.out / "source.sha256").write_text(hashlib.sha256(Path(__file__).read_bytes()).hexdigest() + "\n")


if __name__ == "__main__":
    main()
