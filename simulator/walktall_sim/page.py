"""The results of `check` as one page: a section a case, with what was expected, what was found, and the walk drawn.

The file stands alone: no script, nothing fetched, light or dark as the reader's system is, and readable on a telephone.
Failed cases are open, others unfold. It tells the same as the table on the terminal, in the same order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from walktall import __version__

from walktall_sim.checking import FAILED, PASSED, SKIPPED, Result, totals
from walktall_sim.compare import Change
from walktall_sim.printable import printable

_TEMPLATE = Path(__file__).with_name("page.html.j2")
TITLE = "Detector check"


def render(results: Sequence[Result], changes: Sequence[Change] | None = None, before: str = "") -> bytes:
    """The page as the bytes of an HTML file.

    :param changes: since ``before``; None where nothing was compared
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    suites = [
        (suite, [(number, _case(number, one)) for number, one in enumerate(results, 1) if one.suite == suite])
        for suite in dict.fromkeys(one.suite for one in results)
    ]
    return template.render(
        title=TITLE,
        version=__version__,
        totals=totals(results),
        statuses=(FAILED, PASSED, SKIPPED),
        changes=changes,
        before=before,
        suites=suites,
    ).encode(errors="replace")


def _case(number: int, one: Result) -> dict[str, object]:
    buzzes = [line for line in one.events if line["event"] == "buzz"]
    count = f"{len(buzzes)} buzz{'' if len(buzzes) == 1 else 'es'}"
    times = ", ".join(f"{line['t_s']:.1f} s" for line in buzzes[:6])
    return {
        "name": one.name,
        "status": one.status,
        "where": printable(one.where),
        "why": printable(one.why),
        "notes": one.notes,
        "checks": one.checks,
        "buzzes": None if one.status == SKIPPED else count,
        "picture": Markup(_apart(one.picture, f"c{number}-")),
        "alt": f"Pitch from upright over time with the limits: {count}" + (f" at {times}" if times else ""),
    }


def _apart(svg: str, prefix: str) -> str:
    """An SVG element whose names do not meet those of another on the same page."""
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}", svg)
