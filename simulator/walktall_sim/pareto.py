"""A sweep as a picture: what each combination of settings finds, how soon, and what it buzzes falsely.

Two panels share the axis of false alarms an hour: the share of leans found, and the median latency. Combinations that
no other one beats in sensitivity, false alarms and latency (median and p95) are named; the others are dots. SVG files
are the same for the same results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from walktall_sim.plot import STYLE, png_of, svg_of

_BLUE, _GREY, _INK = "#0072B2", "#777777", "#222222"
_MOST_NAMED = 12


def picture(rows: Sequence[Mapping[str, Any]], names: Sequence[str], title: str, kind: str) -> bytes:
    """The bytes of an SVG or PNG file.

    :param rows: of `walktall_sim.sweep.table`
    :param names: the settings that vary
    :param kind: svg or png
    """
    with mpl.rc_context(STYLE):
        figure = _draw(rows, names, title)
        if kind == "svg":
            return svg_of(figure, title)
        return png_of(figure)


def _draw(rows: Sequence[Mapping[str, Any]], names: Sequence[str], title: str) -> Figure:
    figure = Figure(figsize=(10.0, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    best = sorted((row for row in rows if row["pareto"]), key=lambda row: float(row["false_alarms_per_h"] or 0.0))
    panels = (
        (left, "sensitivity", 100.0, "leans found, %"),
        (right, "latency_median_s", 1.0, "median latency, s from the limit"),
    )
    for axes, name, factor, label in panels:
        _points(axes, [row for row in rows if not row["pareto"]], name, factor, _GREY, "o", "beaten by another")
        _points(axes, best, name, factor, _BLUE, "D", "beaten by none")
        axes.set_xlabel("false alarms an hour")
        axes.set_ylabel(label)
        axes.grid(visible=True)
        # None is at 0; without any the axis would be made up around it, and nobody buzzes less often than never.
        axes.set_xlim(0.0, None if any((row["false_alarms_per_h"] or 0.0) > 0.0 for row in rows) else 1.0)
        _name(axes, best, names, name, factor)
    left.set_ylim(-4.0, 104.0)
    late = [float(row["latency_median_s"]) for row in rows if row["latency_median_s"] is not None]
    right.set_ylim(right.get_ylim()[0] if min(late, default=0.0) < 0.0 else 0.0, None if any(late) else 1.0)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _points(
    axes: Any, rows: Sequence[Mapping[str, Any]], name: str, factor: float, colour: str, marker: str, label: str
) -> None:
    told = [row for row in rows if row[name] is not None]
    x = [float(row["false_alarms_per_h"] or 0.0) for row in told]
    y = [factor * float(row[name]) for row in told]
    (points,) = axes.plot(x, y, marker, color=colour, markersize=6.0, alpha=0.8, label=label, clip_on=False)
    # No points at all would stand at the figure's corner, for the layout.
    points.set_in_layout(False)


def _name(axes: Any, best: Sequence[Mapping[str, Any]], names: Sequence[str], name: str, factor: float) -> None:
    """The settings beside the points that none beats; those that lie on one point share their words."""
    places: dict[tuple[float, float], list[str]] = {}
    for row in best:
        if row[name] is not None:
            place = round(float(row["false_alarms_per_h"] or 0.0), 3), round(factor * float(row[name]), 2)
            places.setdefault(place, []).append(", ".join(f"{key} {row[key]}" for key in names))
    middle = sum(axes.get_xlim()) / 2.0
    for number, (place, words) in enumerate(places.items()):
        if number == _MOST_NAMED:
            break
        text = words[0] if len(words) == 1 else f"{words[0]} and {len(words) - 1} more"
        right = place[0] > middle
        # Words have no say in where the axes stand.
        axes.annotate(
            text,
            place,
            xytext=(-6 if right else 6, -11 if number % 2 else 5),
            textcoords="offset points",
            ha="right" if right else "left",
            fontsize=7.5,
            color=_INK,
            annotation_clip=False,
        ).set_in_layout(False)
