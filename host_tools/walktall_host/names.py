"""What the walker calls clips and who wears them: nicknames and persons, kept in the store on this computer.

Wherever a command takes ``--device``, it takes a nickname, a person's name or how the clip's id begins. A nickname
counts for more than a person, a person for more than an id; upper and lower case are alike. The clip itself knows no
names: what is lent or lost tells nobody whose it was.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from .client import short_name
from .errors import BadInput, StoreUnusable
from .options import Json, Quiet, StorePath, note
from .store import Known, Session, Store, default_path
from .terminal import count, out, safe, write, write_json

#: Longest name, in characters: it stands in tables.
NAME_MAX = 40


class Names:
    """Who is called how, by what the store knows of each clip."""

    def __init__(self, known: Sequence[Known] = ()) -> None:
        self._known = {each.device_id: each for each in known}

    @classmethod
    def of_store(cls, path: Path | None = None) -> "Names":
        """The names in the store; none where it cannot be read: a clip can be reached without it."""
        try:
            with Store.to_read(path or default_path()) as store:
                return cls(store.devices())
        except StoreUnusable:
            return cls()

    def nickname(self, device_id: bytes) -> str:
        """What the walker calls it, '' = nothing."""
        known = self._known.get(device_id)
        return known.name if known else ""

    def means(self, device_id: bytes, text: str) -> bool:
        """True when ``--device TEXT`` means this clip."""
        wanted = text.casefold()
        if any(each.name.casefold() == wanted for each in self._known.values()):
            return self.nickname(device_id).casefold() == wanted
        if any(each.person.casefold() == wanted for each in self._known.values()):
            known = self._known.get(device_id)
            return known is not None and known.person.casefold() == wanted
        return device_id.hex().startswith(text.lower())

    def only(self, text: str) -> Known:
        """The one clip of the store that is meant.

        :raises BadInput: none is, or several are
        """
        found = [each for each in self._known.values() if self.means(each.device_id, text)]
        if not found:
            raise BadInput(f"no clip {safe(text)} was ever downloaded here: 'walktall name' lists those that were")
        if len(found) > 1:
            names = ", ".join(each.name or short_name(each.device_id) for each in found)
            raise BadInput(f"{safe(text)} may be any of {names}: say more")
        return found[0]


def chosen(store: Store, found: Sequence[Session], text: str | None) -> list[Session]:
    """The sessions that ``--device TEXT`` means: of a clip, or of a person whichever clip that was.

    :raises BadInput: no clip and nobody here is called so
    """
    if text is None:
        return list(found)
    known = store.devices()
    wanted = text.casefold()
    if not any(each.name.casefold() == wanted for each in known):
        persons = {person.casefold() for person in store.persons()}
        if wanted in persons:
            return [session for session in found if session.person.casefold() == wanted]
    names = Names(known)
    if not any(names.means(each.device_id, text) for each in known):
        raise BadInput(f"no clip {safe(text)} was ever downloaded here: 'walktall name' lists those that were")
    return [session for session in found if names.means(session.device_id, text)]


def checked(text: str, what: str) -> str:
    """A name fit to be shown and typed; '' is none.

    :raises BadInput: it is not
    """
    name = " ".join(text.split())
    if len(name) > NAME_MAX:
        raise BadInput(f"a {what} has at most {NAME_MAX} characters")
    if name != safe(name):
        raise BadInput(f"a {what} has letters, digits, punctuation and spaces only")
    if name.startswith("-"):
        raise BadInput(f"a {what} does not begin with a dash")
    return name


def name(
    clip: Annotated[
        str | None, typer.Argument(metavar="[CLIP]", help="Which clip: how its id begins, or its name so far.")
    ] = None,
    new: Annotated[str | None, typer.Argument(metavar="[NAME]", help="What to call it from now on.")] = None,
    person: Annotated[
        str | None, typer.Option("--person", metavar="WHO", help="Who wears it; '' = not told any more.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take its name away.")] = False,
    store: StorePath = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """List the clips this computer knows, or give one a name and a wearer.

    The name is for '--device', here and in every other command. A wearer is told of the sessions since the clip was
    last wiped, so two people with one computer keep apart what is whose.

    Example: walktall name 3f9a blue --person Anna
    """
    path = store or default_path()
    if clip is None:
        if person is not None or remove:
            raise BadInput("say which clip: 'walktall name' lists them")
        with Store.to_read(path) as opened:
            _list(opened.devices(), json_, quiet)
        return
    if remove and new is not None:
        raise BadInput("a new name and --remove exclude each other")
    with Store.to_read(path) as opened:
        known = Names(opened.devices()).only(clip)
        if new is not None:
            called = checked(new, "name")
            if not called:
                raise BadInput("a name needs a letter: --remove takes it away")
            opened.set_name(known.device_id, called)
        elif remove:
            opened.set_name(known.device_id, "")
        if person is not None:
            opened.set_person(known.device_id, checked(person, "person's name"))
        if json_ or not quiet:
            _list([each for each in opened.devices() if each.device_id == known.device_id], json_, quiet)


def _list(known: Sequence[Known], json_: bool, quiet: bool) -> None:
    if json_:
        write_json(
            {
                "devices": [
                    {
                        "device_id": each.device_id.hex(),
                        "name": each.name or None,
                        "person": each.person or None,
                        "sessions": each.records,
                    }
                    for each in known
                ]
            }
        )
        return
    if not known:
        if not quiet:
            note("no clip was ever downloaded here: plug it in, then 'walktall download'")
        return
    table = Table.grid(padding=(0, 2))
    for _ in range(4):
        table.add_column(overflow="fold")
    for each in known:
        table.add_row(
            Text(short_name(each.device_id), "bold"),
            Text(safe(each.name)),
            Text(f"worn by {safe(each.person)}" if each.person else ""),
            Text(count(each.records, "session")),
        )
    write(out(), table)
