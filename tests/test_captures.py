"""The pictures of the terminal are not older than what makes them, and show what they are for."""

import json
import re

import pytest

from scripts import captures


def test_captures_are_not_older_than_what_makes_them() -> None:
    kept = json.loads(captures.DIGESTS.read_text())
    today = captures.digests()
    changed = sorted(name for name in today if kept.get(name) != today[name])
    assert not changed, f"older than {', '.join(changed)}: run make pictures"


@pytest.mark.parametrize(
    ("name", "words"),
    [("live", ("tilt", "hold", "battery")), ("download", ("1 new session", "unplug")), ("explain", ("limit", "hold"))],
)
def test_capture_shows_what_it_is_for(name: str, words: tuple[str, ...]) -> None:
    drawn = (captures.OUT / f"{name}.svg").read_text()
    # Each letter is an element of its own.
    text = "".join(re.sub(r"<[^>]*>", "", drawn).replace("&#160;", "").split())
    assert all(word.replace(" ", "") in text for word in words)
