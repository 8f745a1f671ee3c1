"""The report as one HTML file that needs nothing else: no script, no picture, no font, no network.

Jinja2 with autoescape writes it; charts are SVG whose colours are the style sheet's (light, dark, print). A content
security policy in the page allows its one style sheet, by its digest, and forbids everything else: even a string that
slipped through could do nothing. Figures and words come from ``figures``, ``track``, ``weeks``, ``words``, ``report``
and ``advice``; this only lays them out.
"""

import base64
import hashlib
import time
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from walktall import __version__

from . import advice, charts, dates, report, weeks, words
from .chance import share
from .figures import UNCERTAINTY_DEG, figures_of, judged_of, upright_of
from .store import Session
from .terminal import count, duration, safe, tenths
from .track import ANSWER_LIMIT_S, Track
from .whole import whole_file

if TYPE_CHECKING:
    from jinja2 import Environment

#: What the page may load: nothing. What it may apply: its own style sheet.
_POLICY = "default-src 'none'; style-src '{style}'; base-uri 'none'; form-action 'none'"


@cache
def _environment() -> "Environment":
    # Here, not above: no other command needs it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("walktall_host"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(
        duration=duration,
        degrees=words.degrees,
        minutes=report.minutes,
        tenths=tenths,
        signed=words.signed,
        clock=words.clock,
        number="{:,}".format,
    )
    made.globals.update(
        count=count,
        percent=charts.percent,
        UNCERTAINTY_DEG=UNCERTAINTY_DEG,
        ANSWER_LIMIT_S=ANSWER_LIMIT_S,
        UNSEEN=advice.UNSEEN,
        DOCTOR=advice.DOCTOR,
        SOURCES=advice.SOURCES,
        REVIEWED=advice.REVIEWED,
        VIEW=charts.VIEW,
        goal=weeks,
        version=__version__,
    )
    return made


def _style() -> tuple[str, str]:
    """The style sheet, and its digest as a policy names it."""
    environment = _environment()
    assert environment.loader is not None
    text = environment.loader.get_source(environment, "report.css")[0]
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return text, f"sha256-{digest}"


def _render(title: str, template: str, **context: Any) -> str:
    style, digest = _style()
    return (
        _environment()
        .get_template(template)
        .render(
            title=title,
            style=style,
            policy=_POLICY.format(style=digest),
            made=time.strftime("%Y-%m-%d %H:%M"),
            **context,
        )
    )


def _walk(session: Session, track: Track | None, zone: tzinfo | None) -> dict[str, Any]:
    """What the template of a walk needs."""
    figures = figures_of(session)
    lines = advice.for_walk(session, figures.judged_s)
    bands = track.histogram.bands() if track else []
    return {
        "session": session,
        "figures": figures,
        "track": track,
        "title": report.heading(session, zone),
        "which": report.which_words(session),
        "pitch": charts.pitch_chart(session, track) if track else None,
        "cadence": charts.cadence_chart(track) if track else None,
        "bands": charts.whiskers(bands),
        "fault_rows": report.fault_rows(session, figures),
        "walking_rows": report.walking_rows(session, figures.judged_s),
        "clip_rows": report.clip_rows(session),
        "remarks": report.remarks_of(session, figures, zone),
        "advice": lines,
        "sources": advice.sources_of(lines),
        "pitch_words": words.pitch_words(track) if track else "",
        "answer_words": words.answer_words(track) if track else "",
        "longest": words.longest_words(track) if track else "",
        "trace_remarks": words.trace_remarks(session, track),
        "pace_words": words.pace_words(bands) if bands else "",
        "thirds_words": words.thirds_words(session),
        "blind": words.BLIND,
    }


def walks_page(walks: Sequence[tuple[Session, Track | None]], zone: tzinfo | None = None) -> str:
    """One walk, or several below each other, as a page.

    :param walks: each session with what its trace shows, None without a trace
    """
    shown = [_walk(session, track, zone) for session, track in walks]
    title = shown[0]["title"] if len(shown) == 1 else f"{len(shown)} walks"
    return _render(f"{title} · Walktall", "walks.html.j2", walks=shown)


def weeks_page(found: weeks.Weeks, digests: Mapping[int, Mapping[str, Any]], zone: tzinfo | None = None) -> str:
    """Many walks as a page.

    :param digests: as ``weeks.last_weeks`` takes them
    """
    lines = advice.for_weeks(found)
    rows = []
    for session in reversed(found.sessions):
        begin = dates.begin_of(session).local(zone)
        spark = digests.get(session.number, {}).get("spark_deg")
        rows.append(
            {
                "session": session,
                "judged_s": judged_of(session),
                "upright_pct": upright_of(session),
                "begin": begin,
                "spark": charts.spark(spark) if spark else "",
            }
        )
    title = words.weeks_heading(found)
    return _render(
        f"{title} · Walktall",
        "weeks.html.j2",
        heading=title,
        whose=", ".join(sorted({safe(session.person) for session in found.sessions if session.person})),
        weeks=found,
        rows=rows,
        minutes_chart=charts.minutes_chart(found.weeks),
        calendar=charts.calendar(found.weeks),
        upright_chart=charts.trend_chart(found.upright, found.weeks, 100, "%", 100),
        answers_chart=charts.trend_chart(found.answers, found.weeks, 100, "%", 100),
        times_chart=charts.trend_chart(found.answer_times, found.weeks, ANSWER_LIMIT_S, "s"),
        bands=charts.whiskers(found.bands),
        forest=charts.forest(found.trial),
        said={
            "goal": words.goal_words(found),
            "upright": words.trend_conclusion(found.upright, "the upright share", "points", 100, True, "walking"),
            "habit": words.habit_conclusion(found),
            "times": words.trend_conclusion(found.answer_times, "the time to correct", "s", 1, False, "buzzes"),
            "trial": words.trial_conclusion(found.trial),
            "pace": words.pace_conclusion(found),
            "blind": words.BLIND,
        },
        answered=share(found.total("answered"), found.total("answered") + found.total("ignored")),
        advice=lines,
        sources=advice.sources_of(lines),
    )


def write(path: Path, text: str) -> None:
    """Put the page where it is wanted: whole, or not at all.

    :raises BadInput: it cannot be written there
    """
    with whole_file(path, force=True) as file:
        file.write(text.encode())
