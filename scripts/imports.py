"""The drawing of the device's modules, made from their imports: who stands on whom.

``python scripts/imports.py`` writes ``docs/pictures/imports.svg``. A module stands one row above the highest that it
imports; lines that follow from others are left out (transitive reduction), so that what is drawn can be followed.
"""

import ast
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
WALKTALL = ROOT / "firmware" / "lib" / "walktall"
PICTURE = ROOT / "docs" / "pictures" / "imports.svg"

_BOX = (92, 30)
_STEP = (104, 84)
_MARGIN = 20
_INK = "#1c2733"
_HOT = "#cfe3f5"
_COOL = "#f3f1ea"
# Between the sensor's bytes and the motor's duty, once a sample, a tick or a second.
_SIGNAL = {"fixmath", "tilt", "gait", "calibrate", "detector", "coach", "chain", "session", "buzz", "events", "supply"}


def imports() -> dict[str, set[str]]:
    """Module -> the modules of the same package that it imports."""
    names = {path.stem for path in WALKTALL.glob("*.py")} - {"__init__"}
    found: dict[str, set[str]] = {}
    for name in sorted(names):
        found[name] = set()
        for node in ast.walk(ast.parse((WALKTALL / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                parts = [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]
                found[name] |= set(parts) & names
    return found


def heights(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """Row of each module: one above the highest that it stands on."""
    height: dict[str, int] = {}

    def of(name: str) -> int:
        if name not in height:
            height[name] = 1 + max((of(below) for below in graph[name]), default=-1)
        return height[name]

    for name in graph:
        of(name)
    return height


def reduced(graph: Mapping[str, set[str]]) -> list[tuple[str, str]]:
    """The imports that do not follow from others."""

    def reach(name: str) -> set[str]:
        below = set(graph[name])
        for other in graph[name]:
            below |= reach(other)
        return below

    return [
        (name, below)
        for name, all_below in graph.items()
        for below in sorted(all_below)
        if not any(below in reach(other) for other in all_below - {below})
    ]


def _placed(graph: Mapping[str, set[str]]) -> tuple[dict[str, tuple[float, float]], int, int]:
    height = heights(graph)
    rows = [sorted(name for name in graph if height[name] == row) for row in range(max(height.values()) + 1)]
    edges = reduced(graph)
    # A few sweeps of the barycentre rule (Sugiyama et al., 1981): a module stands above the middle of what it uses.
    for sweep in range(8):
        position = {name: k - len(row) / 2 for row in rows for k, name in enumerate(row)}
        for row in rows:
            middle = {}
            for name in row:
                near = [position[b] for a, b in edges if a == name] if sweep % 2 == 0 else []
                near += [position[a] for a, b in edges if b == name] if sweep % 2 else []
                middle[name] = sum(near) / len(near) if near else position[name]
            row.sort(key=lambda name: (middle[name], name))
    widest = max(len(row) for row in rows)
    width = 2 * _MARGIN + (widest - 1) * _STEP[0] + _BOX[0]
    tall = 2 * _MARGIN + (len(rows) - 1) * _STEP[1] + _BOX[1]
    at = {}
    for k, row in enumerate(rows):
        left = (width - (len(row) - 1) * _STEP[0] - _BOX[0]) / 2
        for column, name in enumerate(row):
            at[name] = (left + column * _STEP[0], tall - _MARGIN - _BOX[1] - k * _STEP[1])
    return at, width, tall


def picture() -> str:
    """The drawing as SVG."""
    graph = {name: below for name, below in imports().items() if below or any(name in b for b in imports().values())}
    at, width, tall = _placed(graph)
    lines = []
    for name, below in reduced(graph):
        x1, y1 = at[name][0] + _BOX[0] / 2, at[name][1] + _BOX[1]
        x2, y2 = at[below][0] + _BOX[0] / 2, at[below][1]
        bend = (y2 - y1) / 2
        lines.append(
            f'<path d="M{x1:.0f} {y1:.0f} C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}" '
            f'fill="none" stroke="{_INK}" stroke-opacity="0.45" stroke-width="1.2"/>'
        )
    boxes = [
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{_BOX[0]}" height="{_BOX[1]}" rx="5" '
        f'fill="{_HOT if name in _SIGNAL else _COOL}" stroke="{_INK}"/>'
        f'<text x="{x + _BOX[0] / 2:.0f}" y="{y + 20:.0f}" text-anchor="middle">{escape(name)}</text>'
        for name, (x, y) in at.items()
    ]
    label = "The device's modules, each above those that it imports; " + "; ".join(
        f"{name} imports {', '.join(sorted(below))}" for name, below in sorted(graph.items()) if below
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {tall}" role="img" '
        f'aria-label="{escape(label)}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13" '
        f'fill="{_INK}">\n<rect width="{width}" height="{tall}" fill="white"/>\n'
        + "\n".join(lines + boxes)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    PICTURE.write_text(picture())
    print("docs/pictures/imports.svg")
