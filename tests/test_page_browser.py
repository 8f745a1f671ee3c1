"""The report in a real browser: it asks nothing of the network, nothing complains, all can read it, at any width."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from walktall_host import page

from tests.browser import Browser, launched, violations
from tests.made_pages import pages, weeks_html

NAMES = ("walk", "walk-without-trace", "night", "hostile", "several", "weeks", "first-week")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def made(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = pages(tmp_path_factory.mktemp("pages"))
    assert set(found) == set(NAMES)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_page_asks_for_nothing_but_itself_and_nothing_complains(
    browser: Browser, made: dict[str, Path], name: str
) -> None:
    with browser.opened(made[name]) as seen:
        assert seen.requests == [made[name].as_uri()]
        assert seen.complaints == []
        assert seen.page.evaluate("document.scripts.length") == 0
        # Its own style sheet was let in by the policy: without it a page is as wide as its text.
        assert seen.page.evaluate("getComputedStyle(document.querySelector('.page')).maxWidth") == "1024px"


def test_the_policy_forbids_what_a_string_might_bring(browser: Browser, made: dict[str, Path], tmp_path: Path) -> None:
    """Were a script, a picture or a style attribute to slip through, nothing of it would run."""
    text = made["walk"].read_text()
    smuggled = tmp_path / "smuggled.html"
    bad = '<script>document.title="caught"</script><img src="https://example.org/x.png"><p style="position:fixed">x</p>'
    smuggled.write_text(text.replace("</main>", bad + "</main>"))
    with browser.opened(smuggled) as seen:
        assert seen.page.title() != "caught"
        assert seen.page.evaluate("getComputedStyle(document.querySelector('main > p[style]')).position") == "static"
        told = [line for line in seen.complaints if "Content Security Policy" in line]
        for what in ("inline script", "example.org/x.png", "inline style"):
            assert any(what in line for line in told), (what, seen.complaints)


@pytest.mark.parametrize(
    ("name", "scheme"), [*((name, "light") for name in NAMES), ("walk", "dark"), ("weeks", "dark")]
)
def test_axe_finds_nothing_to_complain_of(browser: Browser, made: dict[str, Path], name: str, scheme: str) -> None:
    with browser.opened(made[name], scheme=scheme, judged=True) as seen:  # type: ignore[arg-type]
        # What is folded away is read too.
        seen.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert violations(seen.page) == []


@pytest.mark.parametrize(("name", "width"), [*((name, 375) for name in NAMES), ("walk", 320), ("weeks", 320)])
def test_no_page_is_wider_than_the_screen(browser: Browser, made: dict[str, Path], name: str, width: int) -> None:
    with browser.opened(made[name], width=width) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


def test_letters_of_a_chart_keep_their_size_and_their_places_on_a_telephone(
    browser: Browser, made: dict[str, Path], year: Path
) -> None:
    overlaps = """() => {
        const found = [];
        for (const svg of document.querySelectorAll('figure svg[role=img]')) {
            const texts = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
            for (const [k, [words, a]] of texts.entries())
                for (const [other, b] of texts.slice(k + 1))
                    if (a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom)
                        found.push(words + ' / ' + other);
        }
        return found;
    }"""
    made = {**made, "year": year}
    size = "[...document.querySelectorAll('.plot text')].map(t => parseFloat(getComputedStyle(t).fontSize))"
    for name in ("walk", "weeks", "year"):
        with browser.opened(made[name], width=375) as seen:
            assert min(seen.page.evaluate(size)) >= 11
            assert seen.page.evaluate(overlaps) == []


@pytest.fixture(scope="module")
def year(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many weeks as the calendar shows at the most."""
    folder = tmp_path_factory.mktemp("year")
    page.write(folder / "year.html", weeks_html(folder, 371))
    return folder / "year.html"


@pytest.mark.parametrize(
    ("width", "media", "whole"),
    [(375, "screen", False), (900, "screen", True), (1200, "screen", True), (700, "print", True)],
)
def test_the_calendar_of_a_year_shows_its_newest_week(
    browser: Browser, year: Path, width: int, media: Literal["screen", "print"], whole: bool
) -> None:
    edges = """(() => {
        const box = document.querySelector('.calendar').getBoundingClientRect();
        const days = [...document.querySelectorAll('.calendar rect')].map(day => day.getBoundingClientRect());
        return [box.left, box.right, days[0].left, days[days.length - 1].right];
    })()"""
    with browser.opened(year, width=width, media=media) as seen:
        left, right, oldest, newest = seen.page.evaluate(edges)
        assert left < newest <= right
        assert (left <= oldest) is whole
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        if not whole:  # the rest is reached by scrolling
            seen.page.evaluate("document.querySelector('.calendar').scrollLeft = -10000")
            left, right, oldest, newest = seen.page.evaluate(edges)
            assert left <= oldest


def test_a_short_calendar_begins_at_the_left_on_a_telephone(browser: Browser, made: dict[str, Path]) -> None:
    with browser.opened(made["first-week"], width=375) as seen:
        gap = "document.querySelector('.calendar svg').getBoundingClientRect().left" + (
            " - document.querySelector('.calendar').getBoundingClientRect().left"
        )
        assert seen.page.evaluate(gap) < 5


def test_charts_are_drawn_and_told(browser: Browser, made: dict[str, Path]) -> None:
    with browser.opened(made["walk"]) as seen:
        page = seen.page
        for label in ("Pitch from upright", "Cadence over the walk"):
            chart = page.get_by_role("img", name=label)
            assert chart.count() == 1
            box = chart.bounding_box()
            assert box["width"] > 600 and box["height"] > 80
        drawn = page.evaluate("[...document.querySelectorAll('path.curve')].map(p => p.getTotalLength())")
        assert len(drawn) == 2 and min(drawn) > 500
        # The limit forward lies where 12 degrees are on the scale.
        ticks = page.evaluate(
            "[...document.querySelectorAll('.plot')][0].querySelectorAll('svg')[0].querySelectorAll('text').length"
        )
        assert ticks >= 4
        rows = page.get_by_role("table").first.get_by_role("row").all_inner_texts()
        assert any(row.startswith("upright") for row in rows)
        assert any(row.startswith("worn") and "100 %" in row for row in rows)
        words = page.inner_text("main")
    for told in ("see a doctor", "±3°", "First against last third", "Each buzz", "calibration", "not answered"):
        assert told.lower() in words.lower(), told
    with browser.opened(made["weeks"]) as seen:
        for label in (
            "Minutes of walking",
            "Calendar",
            "Upright share",
            "Share of buzzes",
            "Mean time",
            "Time forward",
        ):
            assert seen.page.get_by_role("img", name=label).count() == 1, label
        words = seen.page.inner_text("main")
    for told in ("goal", "It helps", "It wears off", "95 %", "Hodges and Lehmann", "cannot see"):
        assert told in words, told


def test_all_that_can_be_operated_is_reached_by_the_keyboard(browser: Browser, made: dict[str, Path]) -> None:
    with browser.opened(made["weeks"]) as seen:
        reached = []

        def tab() -> None:
            seen.page.keyboard.press("Tab")
            reached.append(seen.page.evaluate("document.activeElement.className || document.activeElement.tagName"))

        for _ in range(4):
            tab()
        assert reached == ["skip", "calendar", "SUMMARY", "SUMMARY"]
        seen.page.keyboard.press("Enter")
        tab()
        assert reached[-1] == "scroll"


def test_dark_light_and_paper_are_three_looks_of_one_page(browser: Browser, made: dict[str, Path]) -> None:
    look = "(() => {const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]})()"
    curve = "getComputedStyle(document.querySelector('path.curve')).stroke"
    seen_as = {}
    for name, how in {
        "light": {"scheme": "light"},
        "dark": {"scheme": "dark"},
        "paper": {"scheme": "dark", "media": "print"},
    }.items():
        with browser.opened(made["walk"], **how) as seen:  # type: ignore[arg-type]
            seen_as[name] = (*seen.page.evaluate(look), seen.page.evaluate(curve))
    assert len(set(seen_as.values())) == 3
    assert seen_as["paper"][:2] == ("rgb(255, 255, 255)", "rgb(0, 0, 0)")
    assert seen_as["paper"][2] == seen_as["light"][2]


def test_printing_unfolds_what_is_folded_and_fills_whole_pages(browser: Browser, made: dict[str, Path]) -> None:
    with browser.opened(made["weeks"], media="print", width=800) as seen:
        pdf = seen.page.pdf(format="A4")
        height = seen.page.evaluate("document.querySelector('details').getBoundingClientRect().height")
    assert pdf.startswith(b"%PDF")
    assert height > 200
