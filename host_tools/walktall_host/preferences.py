"""The walker's own defaults for the command line, in a small TOML file; there need not be one.

    # ~/.config/walktall/config.toml on Linux
    device = "blue"
    store = "~/Documents/walks.sqlite3"

What is typed counts for more, and so does the environment. Nothing here is sent to a clip: what the clip does is
``walktall settings``.
"""

import os
import tomllib
from pathlib import Path
from typing import Any

import platformdirs

from .errors import BadInput
from .terminal import safe

CONFIG_VARIABLE = "WALKTALL_CONFIG"
#: Name in the file, and what it stands for.
KEYS = {
    "device": "as `--device`: a clip's name, its wearer's, or how its id begins",
    "port": "as `--port`: the port of the clip",
    "store": "as `--store`: where the store is; `~` is your home",
}


def path() -> Path:
    """Where the file is: what WALKTALL_CONFIG says, else the user's folder for settings on this system."""
    told = os.environ.get(CONFIG_VARIABLE)
    if told:
        return Path(told)
    return Path(platformdirs.user_config_path("walktall", appauthor=False)) / "config.toml"


def load() -> dict[str, str]:
    """What the file says, by its names; empty where there is none.

    :raises BadInput: it cannot be read, is no TOML, or says something that is not known
    """
    file = path()
    shown = safe(str(file))
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as fault:
        raise BadInput(f"{shown} cannot be read: it is no text in UTF-8") from fault
    except OSError as fault:
        why = "it is a folder" if file.is_dir() else fault.strerror or str(fault)
        raise BadInput(f"{shown} cannot be read: {safe(why)}") from fault
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise BadInput(f"{shown} is not TOML: {safe(str(fault))}") from fault
    for name, value in found.items():
        if name not in KEYS:
            raise BadInput(f"{shown}: nothing is called {safe(name)}; there are {', '.join(KEYS)}")
        if not isinstance(value, str) or not value:
            raise BadInput(f'{shown}: {name} is a text: {name} = "..."')
    if "store" in found:
        found["store"] = str(Path(found["store"]).expanduser())
    return found


def default_map(command: Any, values: dict[str, str]) -> dict[str, Any]:
    """The defaults as click wants them, by the names of commands and of their options."""
    names = {parameter.name for parameter in command.params}
    own = {name: value for name, value in values.items() if name in names}
    commands = getattr(command, "commands", {})
    return own | {name: default_map(each, values) for name, each in commands.items()}
