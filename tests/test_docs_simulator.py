"""docs/simulator.md names every command, every option and every exit status of `walktall-sim`, and no others."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from walktall_sim import cli, page, scoring, sweep

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "simulator.md").read_text()
COMMANDS: dict[str, Any] = dict(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]
OPTIONS = {
    name: {one for parameter in command.params for one in (*parameter.opts, *parameter.secondary_opts) if "--" in one}
    - {"--help"}
    for name, command in COMMANDS.items()
}


def rows(head: str) -> list[str]:
    """The first cells of the table that begins with this head."""
    body = PAGE.split(f"| {head} |")[1].split("\n\n")[0]
    return [one for one in re.findall(r"^\| `?([\w./-]+)`? \|", body, re.MULTILINE) if one.strip("-")]


def test_the_table_of_commands_is_that_of_the_program() -> None:
    assert sorted(rows("command")) == sorted(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_option_is_in_the_document(name: str) -> None:
    # --json is said once for all where it is the same everywhere.
    missing = {one for one in OPTIONS[name] if not re.search(rf"{one}\b", PAGE)}
    assert not missing


def test_the_document_names_no_option_that_is_not_there() -> None:
    # What other programs take stands in their own commands.
    own = re.sub(r"^.*\b(?:walktall [a-z]|pip |socket:|walktall_sim\.twin).*$", "", PAGE, flags=re.MULTILINE)
    said = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]*)", own))
    assert said <= set().union(*OPTIONS.values()) | {"--full", "--fast"}, said


def test_exit_statuses_are_those_of_the_program() -> None:
    known = {0, 1, cli.EXIT_FAILED, cli.EXIT_USAGE, cli.EXIT_NO_DEVICE, cli.EXIT_CANCELLED}
    assert {int(one) for one in rows("exit status")} == known


def test_every_column_of_a_sweep_is_told() -> None:
    section = PAGE.split("## Sweep\n")[1].split("\n## ")[0]
    for name in sweep.COLUMNS:
        assert f"`{name}`" in section, name
    for name in scoring.METRICS:
        assert name in sweep.COLUMNS


def test_the_page_of_results_ships_with_the_package() -> None:
    assert page._TEMPLATE.is_file() and page._TEMPLATE.parent.name == "walktall_sim"
