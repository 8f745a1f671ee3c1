"""The benchmark's pictures, as SVG that is the same for the same figures: no dates, no random names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from walktall import events
from walktall_sim.turn import Turn

from bench import inclination, people, play, stats, turns
from bench.detector import Results
from bench.report import HALVES, late_s, of_half
from bench.strain import Strain, scene

mpl.use("svg")
# Colours that people with any sight tell apart (Okabe and Ito 2008).
_BLUE, _ORANGE, _GREEN, _RED, _GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#777777"
_STYLE: Any = {
    "svg.hashsalt": "walktall",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "figure.constrained_layout.use": True,
}


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)
    # Matplotlib ends some lines with a blank.
    text = "\n".join(line.rstrip() for line in path.read_text(encoding="utf-8").splitlines())
    path.write_text(text + "\n", encoding="utf-8")


def walk_picture(person: people.Person, path: Path) -> None:
    """A real walk: pitch, thresholds, the hold timer and buzzes, with a slouch that is answered and a short bend."""
    lean = [Turn(20.0, 40.0, 60.0, 2.0), Turn(35.0, 78.0, 3.0, 1.0), Turn(20.0, 115.0, 40.0, 15.0)]
    walk = people.joined(person.kit, person.name, 3.0)
    frame, chosen = people.frame_of(person.kit, walk.data), people.mounting_of(person.kit)
    here = scene(walk.data, frame, chosen, Strain(), lean, 3.0)
    chain, trace = play.new_chain(here.chosen, here.upright), play.Trace()
    told = play.feed(chain, here.source, 0, len(walk.data), trace, lump=13)
    t = trace["sample"] / people.HZ
    pitch, timer, kind = trace["pitch_cdeg"] / 100.0, trace["timer"] / 4.0, trace["second_class"]
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(9, 4.6), sharex=True, height_ratios=(3, 1))
    imposed = np.sum([turn.angle_deg(t) for turn in lean], axis=0)
    upper.fill_between(t, imposed, color=_GREY, alpha=0.2, linewidth=0, label="imposed turn")
    upper.plot(t, pitch, color=_BLUE, linewidth=1.1, label="pitch, 1 s mean, from upright less walking offset")
    upper.plot(t, trace["offset_cdeg"] / 100.0, color=_GREEN, linewidth=1, linestyle=":", label="walking offset")
    upper.axhline(12.0, color=_RED, linewidth=0.9, linestyle="--", label="on 12°, off 8°")
    upper.axhline(8.0, color=_RED, linewidth=0.9, linestyle=":")
    for e in told:
        if e.name == "buzz" and e.fault == "forward":
            upper.axvline(e.at_s, color=_RED, linewidth=1.3)
            upper.annotate(f"buzz\n{e.label}", (e.at_s, 40), xytext=(3, 0), textcoords="offset points", color=_RED)
        if e.name == "recovered" and e.fault == "forward":
            upper.axvline(e.at_s, color=_GREEN, linewidth=1.0)
            upper.annotate("recovered", (e.at_s, 34), xytext=(3, 0), textcoords="offset points", color=_GREEN)
    upper.set_ylabel("pitch, °")
    upper.set_ylim(-8, 52)
    upper.legend(loc="upper left", fontsize=7, ncols=2, frameon=False)
    lower.plot(t, timer, color=_ORANGE, linewidth=1.2, label="hold timer, s")
    lower.axhline(turns.HOLD_S, color=_GREY, linewidth=0.8, linestyle="--")
    held = (kind == events.CLASS_BUZZING) | (kind == events.CLASS_BEND) | (kind == events.CLASS_STILL)
    top = max(float(timer.max()), turns.HOLD_S) * 1.1
    lower.fill_between(t, 0, top, where=held, color=_GREY, alpha=0.25, linewidth=0, label="timer held")
    lower.set_ylim(0, top)
    lower.set_xlabel(f"s (walk of {person}, joined; turned by known angles)")
    lower.legend(loc="upper left", fontsize=7, ncols=2, frameon=False)
    _save(figure, path)


def inclination_picture(board: str, path: Path) -> None:
    """The error of inclination over time, by filter."""
    t, curves, scored = inclination.error_curves(board)
    figure, axes = plt.subplots(figsize=(9, 3))
    colours = {"firmware": _BLUE, "VQF online": _ORANGE, "Mahony": _GREY, "Madgwick": _GREEN}
    for name, error in curves.items():
        one_s = np.convolve(error, np.ones(people.HZ) / people.HZ, mode="same")
        axes.plot(t[::13], one_s[::13], color=colours[name], linewidth=1.2 if name == "firmware" else 0.9, label=name)
    axes.fill_between(t[::13], 0, 0.15, where=scored[::13], color=_RED, alpha=0.4, linewidth=0, label="scored (moving)")
    axes.set_ylabel("inclination error, °, 1 s mean")
    axes.set_xlabel(f"s ({board})")
    axes.set_ylim(0, None)
    axes.legend(fontsize=7, ncols=5, frameon=False, loc="upper left")
    _save(figure, path)


def turns_picture(results: Results, path: Path) -> None:
    """The share of turns that buzzed, by angle, and how late they did."""
    rows = [r for r in results.turns if r.strain == "none" and r.kit in people.TRUNK]
    angles = sorted({r.plan.deg for r in rows})
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    for half, colour, shift in zip(HALVES[:2], (_BLUE, _ORANGE), (-0.12, 0.12), strict=True):
        x, y, low, high = [], [], [], []
        for deg in angles:
            those = [r for r in of_half(rows, half) if r.plan.deg == deg]
            hits = sum(r.buzz_s is not None for r in those)
            if those:
                a, b = stats.wilson(hits, len(those))
                x.append(deg + shift)
                y.append(hits / len(those))
                low.append(max(hits / len(those) - a, 0.0))
                high.append(max(b - hits / len(those), 0.0))
        left.errorbar(
            x, y, yerr=(low, high), color=colour, marker="o", markersize=3, linewidth=1, capsize=2, label=half
        )
    left.axvline(12.0, color=_RED, linewidth=0.9, linestyle="--", label="limit")
    left.set_xlabel("turn, °")
    left.set_ylabel("share that buzzed (95 %)")
    left.legend(fontsize=7, frameon=False)
    for ramp_s, colour in zip(turns.RAMPS_S, (_BLUE, _GREEN, _ORANGE), strict=True):
        values = []
        for deg in angles:
            got = [late_s(r) for r in rows if r.plan.deg == deg and r.plan.ramp_s == ramp_s]
            values.append((deg, sorted(v for v in got if v is not None)))
        some = [(deg, v) for deg, v in values if v]
        if some:
            right.plot(
                [d for d, _ in some], [stats.quantile(v, 0.5) for _, v in some], color=colour, marker="o", markersize=3
            )
            right.fill_between(
                [d for d, _ in some],
                [stats.quantile(v, 0.05) for _, v in some],
                [stats.quantile(v, 0.95) for _, v in some],
                color=colour, alpha=0.18, linewidth=0, label=f"ramp {ramp_s:g} s: median, 5–95 %",
            )  # fmt: skip
    right.axhline(-0.5, color=_RED, linewidth=0.9, linestyle="--")
    right.set_xlabel("turn, °")
    right.set_ylabel("buzz after limit + hold, s")
    right.legend(fontsize=7, frameon=False)
    _save(figure, path)


def draw_all(results: Results, folder: Path) -> None:
    """All pictures into a folder."""
    with mpl.rc_context(_STYLE):
        turns_picture(results, folder / "turns.svg")
        walkers = [p for p in results.people if p.kit in people.TRUNK]
        steady = [p for p in walkers if p.kit == "grouvel_sternum"] or walkers
        if steady:
            walk_picture(steady[0], folder / "walk.svg")
        board = inclination.boards()
        if board:
            inclination_picture(board[min(1, len(board) - 1)], folder / "inclination.svg")


def length_picture(
    points: list[tuple[float, float, float]], names: list[str], start_s: float, slope: float, path: Path
) -> None:
    """Seconds that a replay takes against the recording's length; both axes logarithmic."""
    with mpl.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(6.4, 3.6))
        seconds = np.array([one[0] for one in points])
        fine = np.geomspace(seconds.min(), seconds.max(), 200)
        axes.plot(
            fine,
            start_s + slope * fine,
            color=_GREY,
            linewidth=1,
            label=f"{start_s:.1f} s + {slope * 86400:.2f} s a day",
        )
        axes.plot(seconds, [one[1] for one in points], "o", color=_BLUE, label="replay --fast, Parquet")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(seconds, names, rotation=30, ha="right")
        axes.minorticks_off()
        axes.set_xlabel("length of the recording")
        axes.set_ylabel("s, whole command")
        axes.legend(frameon=False)
        _save(figure, path)
