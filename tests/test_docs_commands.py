"""Commands in the pages are run (docs/conftest.py), or say why they are not."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
_COMMAND = re.compile(r"^\s*(?:\$ )?(?:walktall|walktall-sim|make|pipx|pip|uvx|pytest|git) \S", re.MULTILINE)
_BLOCK = re.compile(
    r"(?P<before>[^\n]*)\n(?P<indent> *)```(?P<language>[\w{}-]*)\n(?P<body>.*?)\n(?P=indent)```", re.DOTALL
)


def unmarked(text: str) -> list[str]:
    """Blocks with commands that nobody runs and that do not say why."""
    found = []
    for block in _BLOCK.finditer(text):
        if block["language"] == "sh" or not _COMMAND.search(block["body"]):
            continue
        if not re.fullmatch(r"\s*<!-- not run here: .{8,} -->", block["before"]):
            found.append(block["body"].splitlines()[0])
    # An indented block behind an empty line, outside of fences and lists.
    outside = _BLOCK.sub("", text)
    found += re.findall(r"\n\n {4}((?:walktall|walktall-sim|make|pipx) [^\n]*)", outside)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_is_run_or_says_why_not(page: Path) -> None:
    assert unmarked(page.read_text()) == []


def test_a_command_that_nobody_runs_is_found() -> None:
    assert unmarked("before\n```text\nwalktall report\n```\n") == ["walktall report"]
    assert unmarked("<!-- not run here: it needs a board -->\n```text\nwalktall report\n```\n") == []
    assert unmarked("text\n\n    walktall-sim check made\n") == ["walktall-sim check made"]
    assert unmarked("text\n```sh\nwalktall report\n```\n") == []
