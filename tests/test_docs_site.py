"""The documentation site builds without a warning, and its drawings are those that the code makes today."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import launched

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
_SCRIPTS = dict(os.environ, PYTHONPATH=str(ROOT / "scripts"))


def made_by(code: str) -> str:
    """What a script of ``scripts`` makes, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=_SCRIPTS, check=True)
    return done.stdout


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(folder / "trees"), str(DOCS), str(folder / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


def test_site_builds_without_a_warning_and_has_every_page(site: Path) -> None:
    pages = {page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md")}
    assert len(pages) > 20
    assert [page for page in pages if not (site / page).exists()] == []


def test_site_asks_nothing_of_the_network(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text()
        # What a browser fetches by itself; a link that somebody follows is another matter.
        fetched = re.findall(r"""<(?:script|img|iframe)[^>]*\ssrc=["']([^"']+)""", text)
        fetched += re.findall(r"""<link[^>]*rel=["'](?:stylesheet|preload|icon)["'][^>]*href=["']([^"']+)""", text)
        away = [target for target in fetched if re.match(r"(?:https?:)?//", target)]
        assert not away, f"{page.relative_to(site)} fetches {away}"


def test_links_inside_the_site_lead_somewhere(site: Path) -> None:
    """Pages and the places in them: Sphinx warns of what it resolves itself, this looks at what came out."""
    ids: dict[Path, set[str]] = {}
    for page in site.rglob("*.html"):
        ids[page] = set(re.findall(r"""\sid=["']([^"']+)""", page.read_text()))
    broken = []
    for page in ids:
        for target in re.findall(r"""<a[^>]*\shref=["']([^"']+)""", page.read_text()):
            if re.match(r"[a-z]+:|//", target):
                continue
            path, _, place = target.partition("#")
            there = (page.parent / path).resolve() if path else page
            if not there.exists() or (place and there in ids and place not in ids[there]):
                broken.append(f"{page.relative_to(site)} -> {target}")
    assert broken == []


@pytest.mark.parametrize("board", ["xiao", "nano", "pico"])
def test_wiring_diagram_is_drawn_from_the_profile_of_today(board: str) -> None:
    kept = (DOCS / "pictures" / f"wiring-{board}.svg").read_text()
    code = f"""
import sys, wiring
(board,) = [name for name, row in wiring.BOARDS.items() if row[0] == "wiring-{board}.svg"]
sys.stdout.write(wiring.draw(board))
"""
    assert made_by(code) == kept, "run: python scripts/wiring.py"


def test_every_supported_board_has_a_wiring_diagram() -> None:
    code = "import wiring; from walktall import boards; print(set(boards.names()) == set(wiring.BOARDS))"
    assert made_by(code) == "True\n"


def test_drawing_of_the_modules_is_made_from_the_imports_of_today() -> None:
    kept = (DOCS / "pictures" / "imports.svg").read_text()
    assert made_by("import imports, sys; sys.stdout.write(imports.picture())") == kept, "run: python scripts/imports.py"


def test_pages_are_read_on_a_phone_without_scrolling_sideways(site: Path) -> None:
    pages = sorted(page for page in site.rglob("*.html") if page.name not in ("genindex.html", "search.html"))
    with launched() as browser:
        for page in pages:
            with browser.opened(page, width=375) as seen:
                wide = seen.page.evaluate("document.documentElement.scrollWidth")
                assert wide <= 375, f"{page.relative_to(site)} is {wide} pixels wide"
                away = [url for url in seen.requests if not url.startswith(("file:", "data:"))]
                assert not away, f"{page.relative_to(site)} asks for {away}"
