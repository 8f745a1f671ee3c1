"""``docs/device.md`` says what the code does."""

import itertools
import re
from pathlib import Path

from walktall import buzz, wearing
from walktall.retained import CRASHES_MAX, SAFE_RESETS_MAX

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "device.md").read_text()


def table(heading: str) -> dict[str, str]:
    """The rows of the first table below a heading, first column to second."""
    part = TEXT.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", part, re.MULTILINE)
    return {first: second for first, second in rows[1:] if set(first) != {"-"}}


def test_every_pattern_stands_there_with_its_times() -> None:
    told = table("What one feels")
    assert list(told) == list(buzz.NAMES[1:])
    for name, times in told.items():
        assert tuple(int(t) for t in times.split(" · ")) == buzz.PATTERNS[buzz.NAMES.index(name)][:-1], name


def test_every_colour_stands_there() -> None:
    names = ("dark", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
    colours = {value for name, value in vars(wearing).items() if name.startswith("LED_")}
    rows = table("What one sees")
    assert {names[value] for value in colours} == set(rows)
    for value in colours:
        rhythm = "".join("●" if wearing.RHYTHMS[value] >> beat & 1 else "·" for beat in range(16))
        assert rows[names[value]].startswith(f"`{rhythm}` |"), names[value]


def test_on_a_single_led_every_state_is_told_apart() -> None:
    """Whatever beat one begins to look at: no rhythm is another one shifted."""
    shifted = [{(rhythm >> k | rhythm << 16 - k) & 0xFFFF for k in range(16)} for rhythm in wearing.RHYTHMS]
    for one, other in itertools.combinations(shifted, 2):
        assert not one & other


def test_its_numbers_are_the_codes() -> None:
    assert f"below {wearing.LOW_BATTERY_MV / 1000:.1f} V" in TEXT
    words = {5: "five"}
    assert f"at most {words[SAFE_RESETS_MAX]} times" in TEXT
    assert f"{words[CRASHES_MAX]} times without ten good minutes" in TEXT
