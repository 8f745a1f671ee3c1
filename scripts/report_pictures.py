"""`make pictures`: the report as a browser shows it: docs/pictures/report-*.png.

A made-up walk goes through the virtual clip and the ordinary commands, and `walktall report --html` writes the page;
the weeks are made up (tests/made_pages.py), since nobody has walked them. Chromium takes the pictures.
docs/pictures/report.digests.json keeps what they were made from; a test holds it against the files of today.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser import Browser, find_chromium, launched  # noqa: E402
from tests.made_pages import weeks_html  # noqa: E402

OUT = ROOT / "docs" / "pictures"
DIGESTS = OUT / "report.digests.json"
MINUTES = 24
SEED = 7
DAYS = 140
#: What a picture shows is made by these; when one changes, the pictures have to be made anew.
SOURCES = (
    "scripts/report_pictures.py",
    "tests/made_pages.py",
    "tests/made_trace.py",
    *(
        f"host_tools/walktall_host/{name}.py"
        for name in ("advice", "chance", "charts", "page", "track", "weeks", "words")
    ),
    *(f"host_tools/walktall_host/templates/{name}" for name in ("report.css", "base.html.j2", "parts.html.j2")),
    *(f"host_tools/walktall_host/templates/{name}.html.j2" for name in ("walk", "walks", "weeks")),
)
#: Name, page, width, height, scheme.
PICTURES = (
    ("report-walk", "walk", 1000, 1180, "light"),
    ("report-walk-dark", "walk", 1000, 1180, "dark"),
    ("report-weeks", "weeks", 1000, 1240, "light"),
    ("report-phone", "walk", 375, 1100, "light"),
)


def digests() -> dict[str, str]:
    """Of every source, so that it can be seen which one is newer."""
    return {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest()[:16] for name in SOURCES}


def walked(folder: Path) -> Path:
    """The page of a walk that the virtual clip has felt."""

    def run(*words: str) -> None:
        subprocess.run([sys.executable, "-m", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)

    run("walktall_sim", "generate", "--minutes", str(MINUTES), "--seed", str(SEED), "--out", "walk.csv.gz")
    serve = ["walktall_sim", "serve", "walk.csv.gz", "--speed", "max", "--link", "clip"]
    with subprocess.Popen(
        [sys.executable, "-m", *serve], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as clip:
        try:
            assert clip.stdout is not None
            if not clip.stdout.readline():
                raise SystemExit("report_pictures: the virtual clip did not come up")
            run("walktall_host", "download", "--port", "./clip", "--store", "walks.db", "--quiet")
        finally:
            clip.terminate()
    run("walktall_host", "report", "--html", "walk.html", "--store", "walks.db", "--quiet")
    return folder / "walk.html"


def main() -> int:
    if find_chromium() is None:
        print("make pictures: no Chromium here; the report's pictures stay as they are", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pages = {"walk": walked(folder), "weeks": folder / "weeks.html"}
        (folder / "many").mkdir()
        pages["weeks"].write_text(weeks_html(folder / "many", DAYS), encoding="utf-8")
        with launched() as browser:
            for picture in PICTURES:
                take(browser, pages, *picture)
    DIGESTS.write_text(json.dumps(digests(), indent=2) + "\n")
    return 0


def take(browser: Browser, pages: dict[str, Path], name: str, page: str, width: int, height: int, scheme: str) -> None:
    """One picture."""
    path = OUT / f"{name}.png"
    # Twice as fine on a telephone, as its screen is.
    scale = 2.0 if width < 500 else 1.0
    with browser.opened(pages[page], width=width, scheme=scheme, scale=scale) as seen:  # type: ignore[arg-type]
        seen.page.set_viewport_size({"width": width, "height": height})
        seen.page.screenshot(path=path)
    print(f"{path.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
