"""A recording as a picture: what both sensors measured, and how far its rows are apart.

Long recordings are drawn as the range of each piece of time, so that no spike is lost and the file stays small; gaps
are marked over all panels. It draws the rows as they are: nothing is resampled, and nothing is played.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from walktall_sim import mounting, recordings, resample
from walktall_sim.formats import Columns
from walktall_sim.plot import STYLE, clock, png_of, svg_of
from walktall_sim.printable import printable
from walktall_sim.recordings import Floats
from walktall_sim.replay import ReplayError

_COLOURS = ("#D55E00", "#009E73", "#0072B2")
_STYLES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))
_INK, _GREY = "#222222", "#777777"
# More points than these are drawn as ranges.
_MANY = 6000
_PIECES = 1500


def draw(path: Path, trial: str | None, columns: Columns | None, kind: str) -> bytes:
    """The picture of one trial as the bytes of an SVG or PNG file.

    :param trial: its name or number; None where there is one
    :param kind: svg or png
    :raises ReplayError: there are several, or none of that name
    :raises recordings.RecordingError: the file cannot be used
    """
    t_s: list[Floats] = []
    values: list[Floats] = []
    index = 0
    for batch in recordings.batches(path, columns):
        if trial is not None and trial not in (batch.trial, str(batch.index)):
            continue
        if index and batch.index != index:
            raise ReplayError("--plot draws one trial and there are several; choose one with --trial")
        index = batch.index
        t_s.append(batch.t_s)
        values.append(batch.values)
    if not index:
        raise ReplayError(f"{path}: no trial {trial!r}")
    name = printable(path.name if trial is None else f"{path.name}, trial {trial}")
    with mpl.rc_context(STYLE):
        figure = _figure(np.concatenate(t_s), np.concatenate(values), name)
        if kind == "svg":
            return svg_of(figure, name)
        return png_of(figure)


def _figure(t_s: Floats, values: Floats, title: str) -> Figure:
    figure = Figure(figsize=(10.0, 6.0), layout="constrained")
    force, turn, steps = figure.subplots(3, 1, sharex=True, height_ratios=[3.0, 3.0, 1.2])
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", parse_math=False)
    _lines(force, t_s, values[:, :3] / mounting.G, ("x", "y", "z"))
    _lines(turn, t_s, np.degrees(values[:, 3:]), ("x", "y", "z"))
    force.set_ylabel("specific force, g")
    turn.set_ylabel("turning, degrees/s")
    _clip(force, 4.0)
    _clip(turn, 500.0)
    apart = np.diff(t_s)
    _range(steps, t_s[1:], np.maximum(1000.0 * apart, 0.1), _INK, "-", None)
    steps.set_yscale("log")
    # Even stamps are a line in the middle, not their rounding all over the picture.
    low, high = steps.get_ylim()
    steps.set_ylim(low / 2.0, high * 2.0)
    steps.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=6))
    steps.yaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    steps.yaxis.set_minor_formatter(NullFormatter())
    steps.set_ylabel("rows apart, ms")
    try:
        limit_s = resample.gap_limit_s(resample.nominal_rate_hz(t_s[: resample.RATE_ROWS]))
    except resample.RateError:
        limit_s = math.inf
    gaps = np.flatnonzero(apart > limit_s)
    for at in gaps[:200]:
        for axes in (force, turn, steps):
            axes.axvspan(t_s[at], t_s[at + 1], color=_GREY, alpha=0.25, linewidth=0.0)
    if len(gaps):
        steps.axhline(1000.0 * limit_s, color=_GREY, linewidth=0.8, linestyle="--")
    for axes in (force, turn):
        axes.grid(axis="y")
        axes.axhline(0.0, color=_GREY, linewidth=0.6)
    steps.set_xlim(t_s[0], t_s[-1])
    steps.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 1.5, 2, 3, 6, 10]))
    steps.xaxis.set_major_formatter(FuncFormatter(lambda at_s, _: clock(at_s)))
    steps.set_xlabel("time, h:mm:ss" if t_s[-1] >= 3600.0 else "time, m:ss")
    force.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, fontsize=8.5, frameon=False)
    return figure


def _lines(axes: Any, t_s: Floats, values: Floats, names: Sequence[str]) -> None:
    for column, name in enumerate(names):
        _range(axes, t_s, values[:, column], _COLOURS[column], _STYLES[column], name)


def _range(axes: Any, t_s: Floats, values: Floats, colour: str, style: Any, name: str | None) -> None:
    if len(t_s) <= _MANY:
        axes.plot(t_s, values, color=colour, linestyle=style, linewidth=0.9, label=name)
        return
    edges = np.linspace(0, len(t_s), _PIECES + 1).astype(int)[:-1]
    low, high = np.minimum.reduceat(values, edges), np.maximum.reduceat(values, edges)
    axes.fill_between(t_s[edges], low, high, color=colour, alpha=0.45, linewidth=0.7, label=name)


def _clip(axes: Any, limit: float) -> None:
    """The clip's own range, where the recording comes near it."""
    low, high = axes.get_ylim()
    for edge, near in ((limit, high > 0.8 * limit), (-limit, low < -0.8 * limit)):
        if near:
            axes.axhline(edge, color=_INK, linewidth=0.8, linestyle=":")
            axes.annotate(
                "the clip's range",
                (1.0, edge),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="bottom",
                fontsize=7.5,
            )
