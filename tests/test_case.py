"""The case's parts that are committed are those that its source makes, and printable: closed, of the size it says."""

import hashlib
import re
import struct
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CASE = ROOT / "docs" / "case"
PARTS = sorted(CASE.glob("*.stl"))


def triangles(path: Path) -> list[tuple[tuple[float, float, float], ...]]:
    """The corners of a binary STL's triangles, mm."""
    raw = path.read_bytes()
    (n,) = struct.unpack_from("<I", raw, 80)
    assert len(raw) == 84 + 50 * n, "not a whole binary STL"
    corners = (struct.unpack_from("<9f", raw, 84 + 50 * k + 12) for k in range(n))
    return [(c[0:3], c[3:6], c[6:9]) for c in corners]


def test_parts_are_not_older_than_their_source() -> None:
    made_from = (CASE / "source.sha256").read_text().strip()
    source = hashlib.sha256((ROOT / "case" / "collar_case.py").read_bytes()).hexdigest()
    assert made_from == source, "run: make case"
    assert [part.name for part in PARTS] == ["xiao-lid.stl", "xiao-tub.stl"]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.stem)
def test_part_is_closed_so_that_a_slicer_takes_it(part: Path) -> None:
    """Each edge of a closed surface belongs to two triangles, once in either direction."""
    edges: Counter[tuple[tuple[float, ...], tuple[float, ...]]] = Counter()
    for triangle in triangles(part):
        points = [tuple(round(x, 4) for x in corner) for corner in triangle]
        for k in range(3):
            if points[k] != points[(k + 1) % 3]:
                edges[points[k], points[(k + 1) % 3]] += 1
    open_edges = [edge for edge, times in edges.items() if edges[edge[1], edge[0]] != times]
    assert edges
    assert not open_edges, f"{len(open_edges)} open edges"


def test_page_tells_the_size_of_the_case() -> None:
    told = re.search(r"above both: (\d+) × (\d+) × (\d+) mm", (ROOT / "docs" / "case.md").read_text())
    assert told
    points = [corner for triangle in triangles(CASE / "xiao-tub.stl") for corner in triangle]
    extent = [max(p[axis] for p in points) - min(p[axis] for p in points) for axis in range(3)]
    assert [round(length) for length in extent] == [int(length) for length in told.groups()]
