"""Which sessions of the store a command is about: by number, by clip or wearer, the last ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import dates, names
from .errors import BadInput
from .store import Session, Store, default_path
from .terminal import safe


@contextmanager
def reading(store: Path | None) -> Iterator[Store]:
    """The store, for a command that changes nothing."""
    with Store.to_read(store or default_path()) as opened:
        yield opened


def nothing_words(store: Store) -> str:
    """Why a store holds no session, and what to do."""
    asked = store.asked
    if store.path is None and asked is not None and asked != default_path():
        what = "is empty" if asked.exists() else "is not there"
        return f"there is no store: {safe(str(asked), 300)} {what}; 'walktall download' makes it"
    if store.unread():
        return "nothing here that this version can read: 'walktall sessions' says why"
    if store.devices():
        return "no walk yet: a session without walking leaves no record; walk, then 'walktall download'"
    return "nothing downloaded yet: plug the clip in, then 'walktall download'"


def chosen(store: Store, device: str | None, number: int | None, last: int | None) -> list[Session]:
    """The sessions that are meant, oldest first; all of them when nothing says which.

    :raises BadInput: there is none, or what says which contradicts itself
    """
    if number is not None and last is not None:
        raise BadInput("--session and --last exclude each other")
    found = names.chosen(store, dates.in_order(store.sessions()), device)
    if number is not None:
        found = [session for session in found if session.number == number]
        if not found:
            raise BadInput(f"there is no session {number}: 'walktall sessions' lists those that are there")
    if not found:
        raise BadInput(nothing_words(store))
    return found[-last:] if last else found
