"""Backup, restore and forget: taking all that the walker has into safety, back, or away for good.

A backup is one ordinary store in one file: verified before it bears its name, whole or not there. A restore checks what
it is given, keeps the store that was there aside and changes over in one transaction. Forgetting leaves nothing in the
file; backups are the walker's own and are not touched. A clip is wiped only when its sessions are safe here.
"""

import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from walktall import wire

from .client import Client, Hello
from .download import download as fetch
from .errors import BadInput, NoAnswer, Refused, StoreUnusable, TransferFailed
from .names import Names, checked
from .options import Device, Json, Port, Quiet, StorePath, note
from .selection import nothing_words
from .store import Store, default_path, is_there
from .terminal import count, safe, write_json
from .whole import followed, is_special

# Overwriting a whole ring takes a clip up to four minutes; more than this and something is wrong.
_WIPE_S = 900.0
_WIPE_POLL_S = 1.0


def check(path: Path) -> int:
    """Sessions in a store's file that is sound in every page and every reference. Nothing is written to it.

    :raises StoreUnusable: it is not, and why
    """
    # immutable: no lock, no log and no other file is made beside it, wherever it lies.
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True)) as db:
            found = [row[0] for row in db.execute("PRAGMA integrity_check").fetchall()]
            if found != ["ok"]:
                raise StoreUnusable(f"{path} is damaged: {safe(str(found[0]))}")
            if db.execute("PRAGMA foreign_key_check").fetchone() is not None:
                raise StoreUnusable(f"{path} is damaged: rows without the rows they belong to")
            return int(db.execute("SELECT count(*) FROM record").fetchone()[0])
    except sqlite3.Error as fault:
        raise StoreUnusable(f"{path} is not a Walktall store, or it is damaged: {fault}") from fault


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A name for a file not yet finished, in the same folder; nothing of it stays whatever happens."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
    finally:
        for each in (part, Path(f"{part}-wal"), Path(f"{part}-shm"), Path(f"{part}-journal")):
            with suppress(OSError):
                each.unlink()


def _new_private(path: Path) -> None:
    """An empty file for its owner alone.

    :raises BadInput: it cannot be made
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as fault:
        raise BadInput(f"{path.parent} cannot be written to: {fault.strerror or fault}") from fault


def _to_disk(path: Path) -> None:
    """Let a file, and the name it has, survive a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    if sys.platform != "win32":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def copy_to(store: Store, path: Path, force: bool = False) -> int:
    """Sessions in a verified copy of the store at ``path``, which is there whole or not at all.

    :param force: replace what bears that name
    :raises BadInput: something bears that name, or it cannot be written
    """
    path = followed(path)
    try:
        str(path).encode()
    except UnicodeEncodeError:  # SQLite makes the copy, and takes names as UTF-8
        raise BadInput(f"{safe(str(path))} is no name for a store: its letters are not UTF-8") from None
    if is_special(path):
        raise BadInput(f"{path} is a device or a pipe, which cannot hold a store: name a file")
    if path.is_dir():
        raise BadInput(f"{path} is a folder: name a file in it")
    if path.exists() and not force:
        raise BadInput(f"{path} is there already: --force replaces it")
    if not path.parent.is_dir():
        raise BadInput(f"there is no folder {path.parent}")
    if store.path is not None and path.exists() and path.samefile(store.path):
        raise BadInput(f"{path} is the store itself")
    with _beside(path) as part:
        _new_private(part)
        store.save_as(part)
        held = check(part)
        _to_disk(part)
        try:
            if force:
                os.replace(part, path)
            else:
                os.link(part, path)  # unlike a rename it never replaces what came to bear the name meanwhile
        except FileExistsError:
            raise BadInput(f"{path} is there already: --force replaces it") from None
        except OSError:
            # A file system without links (a USB stick): the name was free a moment ago.
            if path.exists():
                raise
            os.replace(part, path)
        _to_disk(path)
    return held


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to.")],
    store: StorePath = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Copy all that was downloaded into one file, checked before it bears its name.

    It may run while a download does: what is committed by then is in it.

    Example: walktall backup walks-2026.sqlite3
    """
    path = store or default_path()
    if not is_there(path):
        with Store.to_read(path) as none:
            raise BadInput(nothing_words(none))
    with Store(path) as opened:
        held = copy_to(opened, file, force)
    if json_:
        write_json({"backup": str(file), "sessions": held, "bytes": file.stat().st_size})
    elif not quiet:
        print(f"{count(held, 'session')} are safe in {file}." if held != 1 else f"1 session is safe in {file}.")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What 'walktall backup' made.")],
    store: StorePath = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a backup the store again. The store that was there is kept beside it, and nothing is merged.

    Example: walktall restore walks-2026.sqlite3
    """
    path = store or default_path()
    if not file.is_file():
        raise BadInput(f"there is no file {file}")
    if path.exists() and file.samefile(path):
        raise BadInput(f"{file} is the store itself")
    held, aside = bring_back(file, path)
    if json_:
        write_json({"store": str(path), "sessions": held, "kept_aside": str(aside) if aside else None})
    elif not quiet:
        print(f"{count(held, 'session')} from {file} in the store.")
        if aside:
            print(f"What was there before is kept in {aside}")


def bring_back(file: Path, path: Path) -> tuple[int, Path | None]:
    """(sessions now in the store at ``path``, where the store that was there before is, None = there was none).

    :raises StoreUnusable: ``file`` is no sound store; nothing has changed
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _beside(path) as part:
        _new_private(part)
        try:
            if Path(f"{file}-wal").exists():
                raise BadInput(f"{file} is in use, as a store and no backup: make one of it with 'walktall backup'")
            part.write_bytes(file.read_bytes())
        except OSError as fault:
            raise BadInput(f"{file} cannot be read: {fault.strerror or fault}") from fault
        try:
            check(part)
        except StoreUnusable as fault:
            raise StoreUnusable(str(fault).replace(str(part), str(file))) from fault
        with Store(part) as source:  # brings an older one up to date, and refuses a newer one
            held = len(source.sessions()) + len(source.unread())
            aside = _put_aside(path) if path.exists() else None
            with Store(path) as target:
                target.take_over(source)
    with Store(path) as now:
        if len(now.sessions()) + len(now.unread()) != held:
            raise StoreUnusable(f"another program wrote to {path} meanwhile: try again")
    return held, aside


def _put_aside(path: Path) -> Path:
    """Where the store at ``path`` is kept now: copied if it is sound, else taken away as it is."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    n = 1
    while (aside := path.with_name(f"{path.stem}-before-restore-{stamp}-{n}{path.suffix}")).exists():
        n += 1
    try:
        with Store(path) as old:
            copy_to(old, aside)
    except StoreUnusable as fault:
        if "in use" in str(fault) or "later" in str(fault):
            raise
        os.replace(path, aside)
        for end in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.replace(f"{path}{end}", f"{aside}{end}")
    return aside


def forget(
    clip: Annotated[str | None, typer.Option("--clip", metavar="CLIP", help="All that came from this clip.")] = None,
    person: Annotated[str | None, typer.Option("--person", metavar="WHO", help="All that is of this person.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="All that is in the store.")] = False,
    wipe: Annotated[
        bool, typer.Option("--wipe", help="Wipe the clip that is plugged in, when its sessions are safe here.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    port: Port = None,
    device: Device = None,
    store: StorePath = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Take sessions and traces away from this computer for good, or wipe a clip before lending it.

    Name one: --clip, --person, --everything or --wipe. Backups are not touched. --wipe downloads first, so that nothing
    is lost, and refuses while something on the clip is not safe here.

    Example: walktall forget --person Anna
    """
    if sum((clip is not None, person is not None, everything, wipe)) != 1:
        raise BadInput("say what to forget: one of --clip, --person, --everything, --wipe")
    path = store or default_path()
    if wipe:
        _wipe(port, device, path, yes, json_, quiet)
        return
    with Store.to_read(path) as opened:
        if clip is not None:
            known = Names(opened.devices()).only(clip)
            what = f"{count(known.records, 'session')} of clip {known.name or known.device_id.hex()[:4]}"
        elif person is not None:
            who = checked(person, "person's name")
            mine = [each for each in opened.sessions() if each.person.casefold() == who.casefold()]
            if who.casefold() not in (each.casefold() for each in opened.persons()):
                raise BadInput(f"nobody here is called {safe(who)}: 'walktall name' lists who is")
            what = f"{count(len(mine), 'session')} of {safe(who)}"
        else:
            what = f"all {count(sum(each.records for each in opened.devices()), 'session')}"
        _ask(f"Forget {what}, with their traces, for good?", yes)
        if clip is not None:
            gone = opened.forget(device=known.device_id)
        elif person is not None:
            gone = opened.forget(person=who)
        else:
            gone = opened.forget()
    if json_:
        write_json({"forgotten": gone})
    elif not quiet:
        print(f"{count(gone, 'session')} forgotten. Backups, if you made any, still hold them.")


def _ask(question: str, yes: bool) -> None:
    """Go on only if the walker means it.

    :raises BadInput: nobody is there to be asked
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadInput("this cannot be undone: say --yes if you mean it")
    if not typer.confirm(question, err=True):
        raise typer.Abort


def _wipe(port: str | None, device: str | None, path: Path, yes: bool, json_: bool, quiet: bool) -> None:
    from .ports import one_clip

    with one_clip(port, device) as clip, Store(path) as opened:
        name = clip.hello.name
        if not json_ and not quiet:
            note(f"clip {name}: fetching what is not here yet")
        result = fetch(clip.client, clip.hello, opened, time.time)
        if result.not_acknowledged:
            raise TransferFailed(f"not wiped, for the clip took no receipt: {result.not_acknowledged}")
        hello = clip.client.hello()
        if hello.number("unacknowledged"):
            raise TransferFailed(
                f"not wiped: {count(hello.number('unacknowledged'), 'session')} on the clip are not safe here yet: "
                "try again in a minute"
            )
        held = count(hello.number("sessions"), "session")
        _ask(f"All is safe here. Wipe clip {safe(name)}: its {held} and its trace?", yes)
        wipe(clip.client, hello)
    if json_:
        write_json({"wiped": hello.device_id.hex(), "new": result.new})
    elif not quiet:
        print(f"Clip {safe(name)} is wiped; all it held is in the store. You can unplug it.")
        print("It keeps its settings and its upright: the next wearer presses twice, standing tall.")


def wipe(client: Client, hello: Hello) -> None:
    """Make the clip give up its records and its trace, and wait until both are overwritten.

    :raises TransferFailed: it did not
    """
    nonce, journal_id = client.format()
    try:
        client.format(nonce, journal_id)
    except Refused as fault:
        raise TransferFailed(f"the clip did not wipe itself: {fault}") from fault
    end_s = time.monotonic() + _WIPE_S
    while True:
        now = client.hello()
        if now.journal_id == hello.journal_id or now.number("sessions"):
            raise TransferFailed("the clip says that it is wiped and still holds what it held: tell the maker")
        if not now.has(wire.HF_WIPING):
            break
        if time.monotonic() > end_s:
            raise NoAnswer("the clip does not finish overwriting its trace: leave it plugged in and try again")
        time.sleep(_WIPE_POLL_S)
    old = hello.raw("trace_id")
    if any(old) and now.raw("trace_id") == old:
        raise TransferFailed("the clip's sessions are gone, but it still holds the trace of them: try again")
