"""A curve against its limits, in the cells of a terminal: one column a second.

Each cell is split into eight steps by block characters, so that ten lines show eighty. It draws and knows nothing of
walks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.text import Text

_LABEL_CELLS = 7


@dataclass(frozen=True)
class Curve:
    """What is drawn."""

    #: One a column; None where nothing is known.
    values: Sequence[float | None]
    #: Style of each column.
    styles: Sequence[str]
    #: Value and what stands at its end.
    limits: Mapping[float, str]
    #: Letters under the columns, by column.
    marks: Mapping[int, str] = field(default_factory=dict)
    #: Words under the axis, by column.
    times: Mapping[int, str] = field(default_factory=dict)
    unit: str = "°"


def lines(curve: Curve, rows: int = 10) -> list[Text]:
    """The picture, top line first: a dot for each column, a rule for each limit, marks and times below."""
    known = [value for value in curve.values if value is not None]
    if not known:
        return [Text("nothing is known of this time")]
    low = min([*known, *curve.limits, 0.0])
    high = max([*known, *curve.limits, 0.0])
    span = max(high - low, 1.0)
    low, high = low - 0.05 * span, high + 0.05 * span
    step = (high - low) / rows

    def row_of(value: float) -> int:
        return min(rows - 1, max(0, int((high - value) / step)))

    ruled = {row_of(limit): (limit, words) for limit, words in curve.limits.items()}
    zero = row_of(0.0)
    made = []
    for row in range(rows):
        limit = ruled.get(row)
        if limit is not None:
            label = f"{limit[0]:+.0f}{curve.unit}"
        elif row == zero:
            label = f"0{curve.unit}"
        else:
            label = ""
        line = Text(f"{label:>{_LABEL_CELLS - 1}} ")
        for value, style in zip(curve.values, curve.styles, strict=True):
            if value is not None and row_of(value) == row:
                line.append("●", style)
            elif limit is not None:
                line.append("─", "bright_black")
            elif row == zero:
                line.append("·", "bright_black")
            else:
                line.append(" ")
        if limit is not None:
            line.append(f" {limit[1]}", "bright_black")
        line.rstrip()
        made.append(line)
    if curve.marks:
        under = [curve.marks.get(column, " ") for column in range(len(curve.values))]
        made.append(Text(" " * _LABEL_CELLS + "".join(under).rstrip(), "bold"))
    if curve.times:
        made.append(Text(" " * _LABEL_CELLS + _placed(curve.times, len(curve.values)), "bright_black"))
    return made


def _placed(times: Mapping[int, str], columns: int) -> str:
    """Words under their columns, those left out that would run into the one before."""
    row = ""
    for column in sorted(times):
        if 0 <= column < columns and (not row or column > len(row)):
            row = row.ljust(column) + times[column]
    return row


def bar(values: Sequence[float | None], full: str = " ▁▂▃▄▅▆▇█") -> str:
    """Shares of 0 to 1 as one line of blocks."""
    return "".join(
        " " if value is None else full[min(len(full) - 1, max(0, round(value * (len(full) - 1))))] for value in values
    )
