"""Tables of fields for the documents, made from the code's own, and the check that the documents hold them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from walktall import records

DOCS = Path(__file__).resolve().parent.parent / "docs"

_CODES = {"B": "u8", "b": "i8", "H": "u16", "h": "i16", "T": "u24", "I": "u32", "i": "i32"}


def code_name(code: str) -> str:
    """``u16``, ``i8 × 10`` or ``8 bytes``: how a document names the code of a field."""
    if code[-1] in "st":
        return f"{code[:-1]} bytes" + (" text" if code[-1] == "t" else "")
    return _CODES[code[0]] + (f" × {code[2:]}" if len(code) > 1 else "")


def layout(fields: Sequence[tuple[str, str, str]], meanings: dict[str, str], start: int = 0) -> str:
    """A message's or a record's fields with the offset of each."""
    rows = ["| offset | field | type | unit | meaning |", "| ---: | --- | --- | --- | --- |"]
    offset = start
    for row in fields:
        name, code, unit = row
        rows.append(f"| {offset} | `{name}` | {code_name(code)} | {unit} | {meanings[name]} |")
        offset += records.Table((row,)).size
    return "\n".join(rows)


def numbered(names: Iterable[str], meanings: dict[str, str], heading: str) -> str:
    """Bits with their values, lowest first."""
    rows = [f"| bit | value | {heading} | meaning |", "| ---: | ---: | --- | --- |"]
    for bit, name in enumerate(names):
        rows.append(f"| {bit} | {1 << bit} | `{name}` | {meanings[name]} |")
    return "\n".join(rows)


def hold(document: str, part: str, table: str, request: pytest.FixtureRequest) -> None:
    """The part of a document between its marks is this table; with ``--rewrite`` it becomes it."""
    path = DOCS / document
    begin, end = f"<!-- begin: {part} -->\n", f"\n<!-- end: {part} -->"
    text = path.read_text()
    assert begin in text and end in text, f"docs/{document} has no place for {part}"
    head, rest = text.split(begin)
    told, tail = rest.split(end)
    if request.config.getoption("--rewrite"):
        path.write_text(head + begin + table + end + tail)
    else:
        assert told == table, f"docs/{document}, {part}: run pytest --rewrite on this file"
