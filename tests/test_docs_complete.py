"""Nothing that the code has is missing from the pages: commands, settings, fields, messages, lights, presses."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from walktall_host.cli import app as host_app
from walktall_sim.cli import app as sim_app

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
HOST = (DOCS / "host.md").read_text()
SIMULATOR = (DOCS / "simulator.md").read_text()
# Explained once for all commands, in a table of their own, or by typer itself.
COMMON = {"--help", "-h", "--version", "--install-completion", "--show-completion"}


def commands(app: typer.Typer, prefix: str) -> Iterator[tuple[str, typer.core.TyperCommand]]:
    """Every command, with its words; groups' own commands, too."""

    def walk(command: object, words: str) -> Iterator[tuple[str, typer.core.TyperCommand]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield words, command  # type: ignore[misc]
            return
        for name, below in inner.items():
            if not getattr(below, "hidden", False):
                yield from walk(below, f"{words} {name}")

    yield from walk(typer.main.get_command(app), prefix)


ALL = [*((words, command, HOST) for words, command in commands(host_app, "walktall"))]
ALL += [*((words, command, SIMULATOR) for words, command in commands(sim_app, "walktall-sim"))]


@pytest.mark.parametrize(("words", "command", "page"), ALL, ids=[words for words, _, _ in ALL])
def test_each_command_has_its_place(words: str, command: typer.core.TyperCommand, page: str) -> None:
    last = words.split()[-1]
    assert re.search(rf"{re.escape(words)}\b|`{last}\b", page), f"{words} stands on no page"


@pytest.mark.parametrize(("words", "command", "page"), ALL, ids=[words for words, _, _ in ALL])
def test_each_option_has_its_place(words: str, command: typer.core.TyperCommand, page: str) -> None:
    every = page + "".join(path.read_text() for path in DOCS.glob("*.md"))
    options = {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
    missing = [name for name in sorted(options - COMMON) if not re.search(rf"{re.escape(name)}\b", every)]
    assert not missing, f"{words}: {', '.join(missing)} stand on no page"


@pytest.mark.parametrize(("words", "command", "page"), ALL, ids=[words for words, _, _ in ALL])
def test_each_command_says_what_it_does_with_an_example(
    words: str, command: typer.core.TyperCommand, page: str
) -> None:
    text = (command.help or "") + (command.epilog or "")
    assert re.search(r"[Ee]xample", text), f"{words} --help has no example"
    assert words in text, f"the example of {words} does not use it"


def test_each_setting_has_its_place() -> None:
    from walktall import settings

    page = (DOCS / "settings.md").read_text()
    assert [row[0] for row in settings.SETTINGS if f"`{row[0]}`" not in page] == []


def test_each_field_and_message_has_its_place() -> None:
    from walktall import records, wire

    page = (DOCS / "records.md").read_text()
    assert [row[0] for row in records.SESSION_FIELDS if f"`{row[0]}`" not in page] == []
    page = (DOCS / "protocol.md").read_text().lower()
    assert [name for name in wire.KIND_NAMES if name and name not in page] == []
    assert [name for name in wire.ERROR_NAMES if name and name not in page] == []


def test_each_light_and_press_has_its_place() -> None:
    from walktall import buttons, wearing

    page = (DOCS / "device.md").read_text()
    lights = page.split("## What one sees")[1].split("\n## ")[0]
    states = [name for name in dir(wearing) if name.startswith("LED_")]
    rows = [line for line in lights.splitlines() if line.startswith("| ") and "---" not in line]
    assert len(states) >= 8
    assert len(rows) - 1 >= len(states), "a state of the light has no row"
    presses = page.split("## The button")[1].split("\n## ")[0]
    starts = {"SINGLE": "| one", "DOUBLE": "| two", "TRIPLE": "| three", "QUAD": "| four"}
    starts |= {"HOLD_1S": "| held 1 s", "HOLD_3S": "| held 3 s"}
    # The patterns are the module's small numbers; its other ones are milliseconds.
    patterns = {name for name in dir(buttons) if name.isupper() and name != "NAMES" and 0 < getattr(buttons, name) < 16}
    assert patterns == set(starts)
    assert [name for name in sorted(patterns) if f"\n{starts[name]}" not in presses] == []
