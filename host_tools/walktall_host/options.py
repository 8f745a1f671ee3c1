"""Options that mean the same for every command, and the one way to say something on the side."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .store import STORE_VARIABLE
from .terminal import err

Port = Annotated[
    str | None,
    typer.Option(
        "--port",
        metavar="PORT",
        envvar="WALKTALL_PORT",
        help="This port alone: a device path, COM7, socket://HOST:PORT.",
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="CLIP",
        envvar="WALKTALL_DEVICE",
        help="This clip alone: its name, its wearer's, or how its id begins.",
    ),
]
StorePath = Annotated[
    Path | None,
    typer.Option("--store", metavar="FILE", envvar=STORE_VARIABLE, help="The store, if not the usual one."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only what was asked for, and errors.")]


def note(text: str) -> None:
    """One line on standard error."""
    err().print(Text(text))
