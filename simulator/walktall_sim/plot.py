"""A replay as a picture: pitch with its limits, what each moment was judged as, the hold timer, buzzes and steps.

It shows what the device saw, tick by tick: the 1 s mean of pitch from upright less the walking offset, and the limits
as they were set (for its first 15 s of walking, on a hill, and when coached the device's own limit is wider). SVG files
are the same for the same walk: no dates, no random names.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from array import array
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray
from walktall import events

from walktall_sim import replay, resample, turn
from walktall_sim.printable import printable
from walktall_sim.replay import Line, Options, ReplayError, Walk
from walktall_sim.source import WalkSource
from walktall_sim.whole import write_whole

KINDS = (".svg", ".png")
_PNG_DPI = 160
# An SVG with more points than this is slow to open: such lines are pictures inside it.
_MANY = 20_000
# Colours that people with any sight tell apart (Okabe and Ito 2008); lightness and hatching tell them apart in grey.
_BLUE, _ORANGE, _GREEN, _RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
_INK, _GREY = "#222222", "#777777"
_CLASSES: dict[str, tuple[str, str]] = {
    "good": ("#CDE9DD", ""),
    "forward": (_RED, ""),
    "back": (_BLUE, "||||"),
    "side": ("#CC79A7", ""),
    "still": ("#EEEEEE", ""),
    "bend": ("#F0E442", ""),
    "jog": ("#56B4E9", ""),
    "buzzing": ("#222222", ""),
    "charging": ("#DDDDDD", "----"),
    "gap": ("#FFFFFF", "xxxx"),
    "unsure": ("#DDDDDD", "////"),
    "snoozed": ("#DDDDDD", "...."),
    "off_body": ("#DDDDDD", "\\\\\\\\"),
}
# Beyond these only bends go, and a scale that held them would flatten what is judged: they are cut off, with a number.
_TOP_DEG, _BOTTOM_DEG = 40.0, -30.0
# In a page that is light or dark, colours are the page's (`walktall_sim.page`).
_THEMED = {
    _INK: "ink",
    _GREY: "grey",
    "#CCCCCC": "grid",
    _RED: "forward",
    _BLUE: "back",
    _ORANGE: "hold",
    _GREEN: "recovered",
    "#CDE9DD": "good",
    "#EEEEEE": "still",
    "#DDDDDD": "out",
    "#FFFFFF": "paper",
    "#CC79A7": "side",
    "#F0E442": "bend",
    "#56B4E9": "jog",
}
STYLE: Any = {
    "svg.hashsalt": "walktall",
    "svg.fonttype": "none",
    "font.size": 9.0,
    "font.family": "sans-serif",
    "text.color": _INK,
    "axes.edgecolor": _GREY,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#CCCCCC",
    "grid.linewidth": 0.5,
    "hatch.linewidth": 0.5,
    "hatch.color": _GREY,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


class Trace:
    """What a chain looked like at the end of each tick. Hand :meth:`look` to the replay."""

    def __init__(self) -> None:
        self._sample = array("q")
        self._rows = array("f")
        self.limits_deg = (0.0, 0.0, 0.0, 0.0)

    def look(self, chain: Any) -> None:
        """Take down the tick that has just closed."""
        detector = chain.detector
        if not self._sample:
            forward, back = detector.forward, detector.back
            limits = (forward.on_cdeg, forward.off_cdeg, -back.on_cdeg, -back.off_cdeg)
            self.limits_deg = tuple(one / 100.0 for one in limits)
        # The fuller of the two timers that buzz; a buzz has emptied what it was for.
        held = max(
            (0.0 if one.buzzed else one.timer / (one.hold + one.margin)) for one in (detector.forward, detector.back)
        )
        self._sample.append(chain.n_samples)
        self._rows.extend((detector.pitch_cdeg / 100.0, min(held, 1.0), detector.second_class, chain.gait.steps))
        self._rows.append(chain.gait.cadence_spm)

    def take(self, n_samples: int, deg: float, second_class: int, cadence_spm: int) -> None:
        """Take down a second that was judged without a sensor: of it no timer is known, and no steps."""
        self._sample.append(n_samples)
        self._rows.extend((deg, 0.0, second_class, 0.0, cadence_spm))

    def __len__(self) -> int:
        return len(self._sample)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """The end of each tick (n,), from the walk's first sample."""
        return np.asarray(self._sample, dtype=np.float64) / resample.CHIP_HZ

    def column(self, index: int) -> NDArray[np.float64]:
        """0 pitch in degrees, 1 hold timer (0..1), 2 class, 3 steps so far, 4 cadence (n,)."""
        return np.asarray(self._rows, dtype=np.float64).reshape(-1, 5)[:, index]


def kind_of(path: Path) -> str:
    """'svg' or 'png', by the name.

    :raises ReplayError: another
    """
    if path.suffix.lower() not in KINDS:
        raise ReplayError(f"--plot {path}: the name must end in .svg or .png")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ReplayError(f"--plot {path}: cannot be written there")
    return path.suffix.lower()[1:]


def play(path: Path, options: Options, skipped: Callable[[str], None], out: Path) -> Iterator[Line]:
    """All lines of a replay of one trial; when they are told, its picture is written to ``out``.

    :raises ReplayError: the options do not fit, there are several trials, or the picture cannot be written
    """
    kind = kind_of(out)
    drawn: tuple[Walk, Trace, list[Line]] | None = None
    for walk in replay.walks(path, options, skipped):
        if drawn is not None:
            raise ReplayError("--plot draws one trial and there are several; choose one with --trial")
        trace = Trace()
        drawn = walk, trace, []
        for line in replay.play(walk, replace(options, watch=trace.look)):
            drawn[2].append(line)
            yield {**line, "trial": walk.trial} if walk.several else line
    if drawn is None:
        return
    walk, trace, lines = drawn
    name = printable(f"{path.name}, trial {walk.trial}" if walk.several else path.name)
    try:
        write_whole(out, picture(walk, trace, lines, name, kind))
    except OSError as error:
        raise ReplayError(f"--plot {out}: cannot be written ({error.strerror})") from None


def picture(walk: Walk, trace: Trace, lines: list[Line], title: str, kind: str) -> bytes:
    """The picture of a replayed walk as the bytes of an SVG or PNG file.

    :raises ReplayError: the walk was too short to judge a tick of it
    """
    if len(trace) < 2:
        raise ReplayError("--plot: the walk is too short for a picture")
    with mpl.rc_context(STYLE):
        figure = _draw(walk.source, trace, lines, title)
        if kind == "svg":
            return svg_of(figure, title)
        return png_of(figure)


def element(source: WalkSource, trace: Trace, lines: list[Line]) -> str:
    """The picture as an SVG element for a page: narrow enough for a telephone, in the page's own colours."""
    with mpl.rc_context(STYLE):
        text = svg_of(_draw(source, trace, lines, None), None).decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, count=1, flags=re.DOTALL)
    for colour, name in _THEMED.items():
        text = re.sub(colour, f"var(--{name})", text, flags=re.IGNORECASE)
    return text


@contextlib.contextmanager
def _any_letters() -> Iterator[None]:
    """A title may have letters that Matplotlib's font lacks: the reader's fonts have them, and a PNG shows boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        yield


def png_of(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    out = io.BytesIO()
    with _any_letters():
        figure.savefig(out, format="png", dpi=_PNG_DPI)
    return out.getvalue()


def svg_of(figure: Figure, title: str | None) -> bytes:
    """A figure as the bytes of an SVG file, the same for the same figure; without a title on no ground of its own."""
    out = io.BytesIO()
    metadata = {"Date": None} if title is None else {"Date": None, "Title": title}
    with _any_letters():
        figure.savefig(out, format="svg", metadata=metadata, transparent=title is None)
    text = out.getvalue().decode()
    # Names of clip paths come from addresses in memory: number them in their order instead.
    for number, name in enumerate(dict.fromkeys(re.findall(r'id="(p[0-9a-f]{10})"', text))):
        text = text.replace(name, f"clip{number}")
    # Matplotlib ends some lines with a blank.
    return ("\n".join(line.rstrip() for line in text.splitlines()) + "\n").encode()


def _draw(source: WalkSource, trace: Trace, lines: list[Line], title: str | None) -> Figure:
    """The figure; without a title the small one that stands in a page below its own heading."""
    small = title is None
    figure = Figure(figsize=(5.2, 4.6) if small else (10.0, 6.4), layout="constrained")
    rows = figure.subplots(4, 1, sharex=True, height_ratios=[5.0, 0.55, 1.5, 1.5])
    pitch, bands, hold, steps = rows
    t0_s = source.t0_s
    t = t0_s + trace.seconds
    # Where ticks are missing (a gap of the sensor) lines break.
    broken = np.flatnonzero(np.diff(t) > 1.5 * _step_s(t)) + 1

    def line(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.insert(t, broken, np.nan), np.insert(values, broken, np.nan)

    many = len(trace) > _MANY and not small
    _draw_pitch(pitch, source, trace, lines, line, many, small)
    used = _draw_bands(bands, t, trace.column(2).astype(int))
    hold.fill_between(*line(100.0 * trace.column(1)), color=_ORANGE, alpha=0.55, linewidth=0.0, rasterized=many)
    hold.plot(*line(100.0 * trace.column(1)), color=_INK, linewidth=0.8, rasterized=many)
    hold.set_ylim(0.0, 108.0)
    hold.set_yticks([0, 50, 100])
    hold.set_ylabel("hold timer\n% of a buzz")
    hold.grid(axis="y")
    steps.plot(*line(trace.column(4)), color=_BLUE, linewidth=1.0, rasterized=many)
    steps.set_ylim(bottom=0.0)
    steps.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    steps.set_ylabel("cadence\nsteps/min", color=_BLUE)
    steps.grid(axis="y")
    total = steps.twinx()
    total.spines["right"].set_visible(True)
    total.plot(*line(trace.column(3)), color=_INK, linewidth=1.0, linestyle=(0, (4, 1.5)), rasterized=many)
    total.set_ylim(bottom=0.0)
    total.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    total.set_ylabel("steps so far")
    for at_s, _ in _buzzes(lines):
        hold.axvline(at_s, color=_RED, linewidth=1.0)
    steps.set_xlim(t0_s, t[-1])
    steps.xaxis.set_major_locator(MaxNLocator(6 if small else 10, steps=[1, 1.5, 2, 3, 6, 10]))
    steps.xaxis.set_major_formatter(FuncFormatter(lambda at_s, _: clock(at_s)))
    steps.set_xlabel("time, h:mm:ss" if t[-1] >= 3600.0 else "time, m:ss")
    if title is not None:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", color=_INK, parse_math=False)
        pitch.set_title(_told(lines), loc="left", fontsize=9, color=_INK, pad=18)
    patches = [
        Patch(facecolor=_CLASSES[name][0], hatch=_CLASSES[name][1], edgecolor=_GREY, linewidth=0.4, label=_words(name))
        for name in _CLASSES
        if name in used
    ]
    columns = min(len(patches), 5 if small else 10)
    figure.legend(handles=patches, loc="outside lower center", ncols=columns, frameon=False, fontsize=8.5)
    return figure


def _draw_pitch(
    axes: Any,
    source: WalkSource,
    trace: Trace,
    lines: list[Line],
    line: Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]],
    many: bool,
    small: bool,
) -> None:
    t = source.t0_s + trace.seconds
    values = trace.column(0)
    on, off, back_on, back_off = trace.limits_deg
    low = min(float(values.min()), back_on) - 3.0
    high = max(float(values.max()), on) + 4.0
    low, high = _cut(axes, t, values, min(low, back_on - 3.0), max(high, on + 4.0))
    axes.axhspan(on, 180.0, color=_RED, alpha=0.07, linewidth=0.0)
    axes.axhspan(-180.0, back_on, color=_BLUE, alpha=0.07, linewidth=0.0)
    axes.axhline(0.0, color=_GREY, linewidth=0.6)
    for limit, colour, style, text in (
        (on, _RED, "-", f"forward from {on:g}°"),
        (off, _RED, (0, (5, 3)), f"until {off:g}°"),
        (back_on, _BLUE, "-", f"back from {back_on:g}°".replace("-", "−")),
        (back_off, _BLUE, (0, (5, 3)), f"until {back_off:g}°".replace("-", "−")),
    ):
        axes.axhline(limit, color=colour, linewidth=0.9, linestyle=style)
        axes.annotate(
            f"{limit:g}°".replace("-", "−") if small else text,
            (1.0, limit),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=colour,
        )
    if source.turns:
        imposed = turn.total_deg(source.turns, t)
        axes.plot(t, imposed, color=_GREY, linewidth=1.0, linestyle=":", label="turn put on the walk", rasterized=many)
    axes.plot(*line(values), color=_INK, linewidth=1.2, label="pitch from upright", rasterized=many)
    axes.set_ylim(low, high)
    axes.set_ylabel("pitch, degrees\n(forward is up)")
    axes.grid(axis="y")
    top = axes.get_xaxis_transform()
    last_s = -1e9
    apart_s = (t[-1] - t[0]) / 14.0
    for at_s, label in _buzzes(lines):
        axes.axvline(at_s, color=_RED, linewidth=1.2)
        axes.plot([at_s], [1.02], marker="v", markersize=6, color=_RED, transform=top, clip_on=False)
        if at_s - last_s >= apart_s:
            axes.annotate(
                label,
                (at_s, 1.02),
                xycoords=top,
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=_RED,
                annotation_clip=False,
            )
            last_s = at_s
    for one in lines:
        if one["event"] == "recovered":
            axes.plot(
                [one["t_s"]], [1.02], marker="o", markersize=4.5, color=_GREEN, transform=top, clip_on=False, zorder=4
            )
        elif one["event"] == "slip":
            axes.plot([one["t_s"]], [1.02], marker="x", markersize=6, color=_INK, transform=top, clip_on=False)
    marks = [
        axes.plot([], [], marker="v", markersize=6, color=_RED, linestyle="-", linewidth=1.2, label="buzz")[0],
        axes.plot([], [], marker="o", markersize=4.5, color=_GREEN, linestyle="", label="recovered")[0],
    ]
    if any(one["event"] == "slip" for one in lines):
        marks.append(axes.plot([], [], marker="x", markersize=6, color=_INK, linestyle="", label="slip")[0])
    narrow = {"fontsize": 7.5, "columnspacing": 1.0, "handlelength": 1.4, "handletextpad": 0.5} if small else {}
    form = {"fontsize": 8.0, "ncols": 5, "frameon": False, "borderaxespad": 0.0, **narrow}
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.13), **form)


def _cut(
    axes: Any, t: NDArray[np.float64], values: NDArray[np.float64], low: float, high: float
) -> tuple[float, float]:
    """The limits of the scale; what goes beyond is told by a number where it leaves the picture."""
    top = _TOP_DEG if high > _TOP_DEG + 8.0 else high
    bottom = _BOTTOM_DEG if low < _BOTTOM_DEG - 8.0 else low
    apart_s = (t[-1] - t[0]) / 14.0
    for beyond, edge, place, sign in ((values > top, top, "top", 1.0), (values < bottom, bottom, "bottom", -1.0)):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], beyond.astype(np.int8), [0]])))
        last_s = -np.inf
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            at = int(begin + np.argmax(sign * values[begin:end]))
            if t[at] - last_s >= apart_s:
                text = f" to {values[at]:.0f}°".replace("-", "−")
                axes.annotate(
                    text, (t[at], edge), xytext=(3, -2 * sign), textcoords="offset points", va=place, fontsize=8
                )
                last_s = float(t[at])
    return bottom, top


def _draw_bands(axes: Any, t: NDArray[np.float64], classes: NDArray[np.int_]) -> set[str]:
    """The class of each moment as coloured bands; the names that were used."""
    edges = np.flatnonzero(np.diff(classes)) + 1
    tick_s = _step_s(t)
    used: dict[str, list[tuple[float, float]]] = {}
    for begin, end in zip([0, *edges], [*edges, len(classes)], strict=True):
        name = events.CLASS_NAMES[classes[begin]]
        if name in _CLASSES:
            start = float(t[begin]) - tick_s
            used.setdefault(name, []).append((start, float(t[end - 1]) - start))
    # What no tick stands for is a gap.
    for at in np.flatnonzero(np.diff(t) > 1.5 * tick_s):
        used.setdefault("gap", []).append((float(t[at]), float(t[at + 1] - t[at]) - tick_s))
    for name, spans in used.items():
        colour, hatch = _CLASSES[name]
        axes.broken_barh(
            spans, (0.0, 1.0), facecolor=colour, hatch=hatch, edgecolor=_GREY if hatch else "none", linewidth=0.0
        )
    axes.set_ylim(0.0, 1.0)
    axes.set_yticks([])
    axes.set_ylabel("judged", rotation=0, ha="right", va="center")
    return set(used)


def _step_s(t: NDArray[np.float64]) -> float:
    """From one moment to the next: a tick, or a second where that is all that is known."""
    return max(events.TICK_SAMPLES / resample.CHIP_HZ, float(np.median(np.diff(t))))


def _buzzes(lines: list[Line]) -> list[tuple[float, str]]:
    return [
        (float(one["t_s"]), str(one.get("label") or one.get("fault", "")).lower())
        for one in lines
        if one["event"] == "buzz"
    ]


def _told(lines: list[Line]) -> str:
    """The walk's figures in one line."""
    summaries = [one for one in lines if one["event"] == "summary"]

    def total(name: str) -> int:
        return sum(int(one[name]) for one in summaries)

    judged = sum(total(f"{name}_s") for name in ("good", "forward", "back", "side"))
    words = [f"worn {clock(total('wear_s'))}", f"walked {clock(total('walking_s'))}"]
    if judged:
        words.append(f"upright {100.0 * total('good_s') / judged:.0f} % of {clock(judged)} judged")
    buzzes, steps = total("buzzes"), total("steps")
    words += [f"{buzzes} buzz" + ("" if buzzes == 1 else "es"), f"{steps} steps"]
    return "   ·   ".join(words)


def clock(at_s: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    whole = round(abs(at_s))
    hours, rest = divmod(whole, 3600)
    text = f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
    return "−" + text if at_s < 0.0 and whole else text


def _words(name: str) -> str:
    return name.replace("_", " ")
