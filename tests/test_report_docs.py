"""docs/report.md carries the advice as it is given, with sources and their date; pictures are of today's page."""

import json
import sys
from pathlib import Path

import pytest
from walktall_host import advice

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "report.md"


def tables() -> dict[str, str]:
    lines = [*advice.FOR_A_WALK, *(line for line in advice.FOR_WEEKS.values() if line not in advice.FOR_A_WALK)]
    rows = [
        f"| {line.when} | {line.words} | {', '.join(f'`{key}`' for key in line.sources) or 'the clip itself'} |"
        for line in lines
    ]
    sources = [
        f"| `{key}` | {words} | {f'[link]({url})' if url else '–'} |" for key, (words, url) in advice.SOURCES.items()
    ]
    return {
        "advice": "\n".join(["| when | what it says | source |", "| --- | --- | --- |", *rows]),
        "doctor": f"> {advice.DOCTOR}",
        "sources": "\n".join(
            [f"Last read on {advice.REVIEWED}.", "", "| key | what | where |", "| --- | --- | --- |", *sources]
        ),
    }


@pytest.mark.parametrize("name", ["advice", "doctor", "sources"])
def test_the_page_tells_the_advice_that_the_report_gives(name: str, request: pytest.FixtureRequest) -> None:
    begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
    head, rest = PAGE.read_text().split(begin)
    told, tail = rest.split(end)
    if request.config.getoption("--rewrite"):
        PAGE.write_text(head + begin + tables()[name] + "\n" + end + tail)
        return
    assert told.strip() == tables()[name], "run: pytest tests/test_report_docs.py --rewrite"


def test_pictures_of_the_report_are_of_todays_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    import report_pictures

    kept = json.loads(report_pictures.DIGESTS.read_text())
    today = report_pictures.digests()
    changed = sorted(name for name in today if kept.get(name) != today[name])
    assert not changed, f"older than {', '.join(changed)}: run make pictures"
    for name, *_ in report_pictures.PICTURES:
        assert (report_pictures.OUT / f"{name}.png").stat().st_size > 20_000
