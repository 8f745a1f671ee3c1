"""A real headless Chromium for the tests of pages: Debian's, driven by Playwright; axe-core judges accessibility.

``WALKTALL_CHROMIUM`` names another browser of the family. Where there is none the tests skip and say so; in CI, where
`.ci/run` installs it, they fail.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

AXE = Path(__file__).resolve().parent / "vm" / "node_modules" / "axe-core" / "axe.min.js"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Quiet, without a sandbox (root has none), without what it asks the network for by itself.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def find_chromium() -> str | None:
    """Path of the browser, None where there is none."""
    named = os.environ.get("WALKTALL_CHROMIUM")
    if named:
        return named
    return next((path for path in map(shutil.which, _NAMES) if path), None)


@dataclass
class Seen:
    """What opening a page came to."""

    page: Any
    #: Of the console, uncaught errors and violations of the page's policy.
    complaints: list[str] = field(default_factory=list)
    #: Every address that was asked for.
    requests: list[str] = field(default_factory=list)


class Browser:
    """One Chromium for a file of tests."""

    def __init__(self, chromium: Any) -> None:
        self._chromium = chromium

    @contextlib.contextmanager
    def opened(
        self,
        path: Path,
        *,
        width: int = 1000,
        scheme: Literal["light", "dark"] = "light",
        media: Literal["screen", "print"] = "screen",
        scale: float = 1.0,
        judged: bool = False,
    ) -> Iterator[Seen]:
        """The page of a file.

        :param judged: let axe-core in, which the page's own policy forbids
        """
        context = self._chromium.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            device_scale_factor=scale,
            bypass_csp=judged,
            offline=True,
        )
        try:
            page = context.new_page()
            seen = Seen(page)
            page.on("console", lambda message: seen.complaints.append(message.text))
            page.on("pageerror", lambda fault: seen.complaints.append(str(fault)))
            page.on("request", lambda request: seen.requests.append(request.url))
            if media == "print":
                page.emulate_media(media="print")
            page.goto(path.resolve().as_uri(), wait_until="load")
            yield seen
        finally:
            context.close()


def violations(page: Any) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA and its own best practice, a line each."""
    page.evaluate(AXE.read_text())
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    result = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", tags)
    return [
        f"{found['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for found in result["violations"]
        for node in found["nodes"]
    ]


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """The browser; skips (fails in CI) where there is none."""
    path = find_chromium()
    if path is None:
        words = "no Chromium here: apt-get install chromium, or set WALKTALL_CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        try:
            yield Browser(chromium)
        finally:
            chromium.close()
