"""`make pictures`: the README's picture, from real output: the demo's walk through the firmware's own chain.

Draws docs/pictures/walk.svg: pitch from upright with the limits, what the seconds were counted as, and each buzz. No
library draws it, so that it is the same on every machine.
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

from walktall import events
from walktall.chain import Chain
from walktall_sim import chips, generate, replay

OUT = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "walk.svg"
MINUTES = 12
SEED = 1
ANSWER_S = 3.0

WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 64, 84
LOW_DEG, HIGH_DEG = -20.0, 30.0
# Colours that keep apart for colour-blind readers (Okabe & Ito 2008) and on a dark page alike.
INK, FAINT, PITCH, BUZZ = "#555555", "#bbbbbb", "#0072b2", "#d55e00"
CLASSES = {
    events.CLASS_GOOD: ("good", "#009e73"),
    events.CLASS_FORWARD: ("forward", "#d55e00"),
    events.CLASS_BACK: ("back", "#cc79a7"),
    events.CLASS_SIDE: ("side", "#e69f00"),
}
LEFT_OUT = ("left out", "#999999")


@dataclass
class Track:
    """What the chain told of a walk, once a second and as it came."""

    pitch_deg: list[float] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    buzzes: list[tuple[float, str]] = field(default_factory=list)
    limits_deg: list[tuple[float, float]] = field(default_factory=list)


def follow(recording: Path) -> Track:
    """Play a recording through the chain and note what it thinks."""
    options = replay.Options(full=False, answer_s=ANSWER_S)
    (walk,) = replay.walks(recording, options, print)
    chain = Chain(walk.settings)
    chain.session.start(1, 1, 0, 0, 0)
    replay.calibrate(chain, walk)
    track = Track()
    for begin in range(0, walk.n, events.TICK_SAMPLES):
        block = walk.source.block(begin, events.TICK_SAMPLES)
        for row in chips.quantise(block, replay.ACCEL_FS_G, replay.GYRO_FS_DPS).tolist():
            if chain.sample(*row) & events.SECOND:
                detector = chain.detector
                track.pitch_deg.append(detector.pitch_cdeg / 100)
                track.classes.append(detector.second_class)
                track.limits_deg.append((detector.forward.on_cdeg / 100, detector.forward.off_cdeg / 100))
        chain.buzz_request = 0
        while chain.ring.take():
            if chain.ring.code == events.BUZZ:
                walk.source.buzzed(chain.ring.sample - 1)
                label = events.LABEL_NAMES[chain.ring.label] or events.FAULT_NAMES[chain.ring.fault].upper()
                track.buzzes.append((chain.ring.sample / events.SAMPLE_HZ, label))
    return track


class Sheet:
    """Lines of SVG, with the plot's own coordinates: seconds and degrees."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self.lines: list[str] = []

    def x(self, t_s: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * t_s / self.seconds, 1)

    def y(self, deg: float) -> float:
        held = max(LOW_DEG, min(HIGH_DEG, deg))
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (HIGH_DEG - held) / (HIGH_DEG - LOW_DEG), 1)

    def text(self, x: float, y: float, words: str, *, anchor: str = "start", colour: str = INK, size: int = 13) -> None:
        self.lines.append(
            f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}" font-size="{size}">{escape(words)}</text>'
        )

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float = 1, dash: str = "") -> None:
        path = " ".join(f"{x},{y}" for x, y in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>')

    def box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        self.lines.append(f'<rect x="{x}" y="{y}" width="{round(width, 1)}" height="{height}" fill="{colour}"/>')


def runs(values: Sequence[int]) -> list[tuple[int, int, int]]:
    """(first, end, value) of each run of equal values."""
    found: list[tuple[int, int, int]] = []
    for at, value in enumerate(values):
        if found and found[-1][2] == value:
            found[-1] = (found[-1][0], at + 1, value)
        else:
            found.append((at, at + 1, value))
    return found


def draw(track: Track) -> str:
    """The picture as SVG."""
    seconds = len(track.pitch_deg)
    sheet = Sheet(seconds)
    sheet.text(LEFT, 24, "A walk of twelve minutes, as the clip felt it", size=17)
    for deg in range(-20, 31, 10):
        sheet.line([(LEFT, sheet.y(deg)), (WIDTH - RIGHT, sheet.y(deg))], FAINT, 0.5)
        sheet.text(LEFT - 8, sheet.y(deg) + 4, f"{deg}°", anchor="end")
    sheet.text(LEFT - 48, TOP - 16, "pitch from upright, forward is up")
    for minute in range(0, seconds // 60 + 1, 2):
        sheet.text(sheet.x(minute * 60), HEIGHT - BOTTOM + 20, f"{minute} min", anchor="middle")
    for side in range(2):
        points = [(sheet.x(t), sheet.y(limits[side])) for t, limits in enumerate(track.limits_deg)]
        sheet.line(points, INK, 1, "2 4" if side else "6 3")
    on_deg, off_deg = track.limits_deg[-1]
    sheet.text(sheet.x(0.45 * seconds), sheet.y(on_deg) - 5, f"a fault from {on_deg:g}°")
    sheet.text(sheet.x(0.45 * seconds), sheet.y(off_deg) - 4, f"over below {off_deg:g}°")
    sheet.line([(sheet.x(t), sheet.y(deg)) for t, deg in enumerate(track.pitch_deg)], PITCH, 1.5)
    named_s = -MINUTES * 60.0
    for t_s, label in track.buzzes:
        sheet.line([(sheet.x(t_s), TOP), (sheet.x(t_s), HEIGHT - BOTTOM)], BUZZ, 1.5)
        # A reminder soon after needs no name.
        if t_s - named_s > 60:
            sheet.text(sheet.x(t_s) - 5, TOP + 12, f"buzz: {label}", anchor="end", colour=BUZZ)
            named_s = t_s
    named = [CLASSES.get(value, LEFT_OUT) for value in track.classes]
    names = sorted(
        {name for name, _ in named}, key=lambda name: [*(n for n, _ in CLASSES.values()), "left out"].index(name)
    )
    colours = {**dict(CLASSES.values()), **dict([LEFT_OUT])}
    strip = HEIGHT - BOTTOM + 32
    for first, end, index in runs([names.index(name) for name, _ in named]):
        sheet.box(sheet.x(first), strip, sheet.x(end) - sheet.x(first), 12, colours[names[index]])
    x = LEFT
    for name in names:
        count = sum(1 for other, _ in named if other == name)
        sheet.box(x, strip + 24, 12, 12, colours[name])
        words = f"{name} {count // 60}:{count % 60:02}"
        sheet.text(x + 18, strip + 35, words)
        x += 36 + 8 * len(words)
    told = ", ".join(f"{label} at {int(t_s) // 60}:{int(t_s) % 60:02}" for t_s, label in track.buzzes) or "none"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" aria-label="Pitch over a walk of {MINUTES} minutes; buzzes: {told}">'
    )
    page = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    return "\n".join([head, page, *sheet.lines, "</svg>"]) + "\n"


def picture() -> str:
    """The picture of the demo's walk."""
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "walk.csv"
        generate.write(generate.Walk(generate.default_plan(MINUTES, SEED), SEED), recording)
        return draw(follow(recording))


if __name__ == "__main__":
    OUT.write_text(picture())
    print(f"{OUT.relative_to(Path.cwd()) if OUT.is_relative_to(Path.cwd()) else OUT}", file=sys.stderr)
