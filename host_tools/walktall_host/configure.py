"""Commands that change a clip: settings, clock, calibration.

What a setting is called, may be and means comes from ``walktall.settings`` and ``walktall.meanings``; what is in force
comes from the clip. A change is checked here by the very code that checks it there, and told in words.
"""

import difflib
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text
from walktall import meanings, settings, wire

from . import dates
from .client import Client, utc_now_s
from .errors import BadInput, NoAnswer, WalktallError
from .options import Device, Json, Port, Quiet, note
from .ports import one_clip
from .report import calibration_words
from .settings_words import effect
from .terminal import duration, out, safe, write, write_json

app = typer.Typer(help="Show and change a clip's settings.", rich_markup_mode="rich", no_args_is_help=False)

# The clip writes changed settings when it has been quiet for 3 s; then there may be a commit to wait for.
_KEPT_WITHIN_S = 6.0
_POLL_S = 0.3
#: A calibration waits, averages for some seconds and confirms by a buzz.
_CALIBRATED_WITHIN_S = 20.0


class NotCalibrated(WalktallError):
    """The clip refused the calibration: a check that failed, not a transfer."""


def _shown(index: int, value: int) -> str:
    name, unit, *_ = settings.SETTINGS[index]
    return f"{settings.format_text(name, value)} {'' if settings.choices_of(index) else unit}".strip()


def _index_of(name: str) -> int:
    """A setting's number by its name.

    :raises BadInput: there is none of that name; the nearest is told
    """
    index = int(settings.index_of(name))
    if index < 0:
        near = difflib.get_close_matches(name, [row[0] for row in settings.SETTINGS], 1)
        hint = f": did you mean {near[0]}?" if near else ": 'walktall settings get' lists them"
        raise BadInput(f"no setting is called {safe(name)}{hint}")
    return index


def complete_name(incomplete: str) -> list[tuple[str, str]]:
    """For the shell: settings that begin so, with their meaning."""
    return [(row[0], meanings.SETTINGS[row[0]]) for row in settings.SETTINGS if row[0].startswith(incomplete)]


def complete_change(incomplete: str) -> list[tuple[str, str]]:
    """For the shell: ``NAME=``, and behind it the words that a setting may be."""
    name, equals, text = incomplete.partition("=")
    if not equals:
        return [(f"{name}=", meaning) for name, meaning in complete_name(incomplete)]
    index = int(settings.index_of(name))
    words = settings.choices_of(index) if index >= 0 else ()
    return [(f"{name}={word}", meanings.SETTINGS[name]) for word in words if word.startswith(text)]


@app.callback(invoke_without_command=True)
def _alone(context: typer.Context, port: Port = None, device: Device = None, json_: Json = False) -> None:
    if context.invoked_subcommand is None:
        get(None, port, device, json_)
        return
    # The environment's are read by the command itself; what was typed here would be lost on it.
    for name in ("port", "device", "json_"):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = f"--{name.rstrip('_')}"
            raise BadInput(f"{option} belongs behind it: walktall settings {context.invoked_subcommand} {option} ...")


@app.command()
def get(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these.", autocompletion=complete_name)
    ] = None,
    port: Port = None,
    device: Device = None,
    json_: Json = False,
) -> None:
    """Show the settings in force, what they mean and what they may be.

    Example: walktall settings get hold_s on_deg
    """
    wanted = [_index_of(name) for name in names or ()]
    with one_clip(port, device) as clip:
        values = clip.client.settings()
    known = [index for index in sorted(values) if index < len(settings.SETTINGS) and (not wanted or index in wanted)]
    if json_:
        write_json({"settings": [_document(index, values[index]) for index in known]})
        return
    table = Table.grid(padding=(0, 2))
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for index in known:
        name, _, default, *_ = settings.SETTINGS[index]
        changed = values[index] != default
        limits = settings.describe_limits(index)
        table.add_row(
            Text(name, "bold" if changed else ""),
            Text(_shown(index, values[index]), "bold" if changed else ""),
            Text(f"{meanings.SETTINGS[name]} ({limits}{f'; default {_shown(index, default)}' if changed else ''})"),
        )
    write(out(), table)
    later = len([index for index in values if index >= len(settings.SETTINGS)])
    if later and not wanted:
        note(f"note: the clip has {later} more of a later firmware: upgrade this tool to see them")


def _document(index: int, value: int) -> dict[str, Any]:
    name, unit, default, least, greatest = settings.SETTINGS[index]
    return {
        "name": name,
        "value": value,
        "text": settings.format_text(name, value),
        "unit": unit,
        "default": default,
        "least": least,
        "greatest": greatest,
        "choices": list(settings.choices_of(index)),
        "meaning": meanings.SETTINGS[name],
    }


@app.command(name="set")
def set_(
    changes: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=VALUE...", help="All of them, or none, are taken.", autocompletion=complete_change
        ),
    ],
    port: Port = None,
    device: Device = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Change settings, all of them together or none. The clip keeps them.

    Example: walktall settings set hold_s=15 strength_pct=100
    """
    wanted: dict[int, int] = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise BadInput(f"{safe(change)}: write it as NAME=VALUE, for example hold_s=15")
        index = _index_of(name.strip())
        value = settings.parse_text(name.strip(), text)
        if value is None:
            raise BadInput(f"{name.strip()} must be {settings.describe_limits(index)}, not {safe(text) or 'nothing'}")
        wanted[index] = value
    with one_clip(port, device) as clip:
        before = clip.client.settings()
        _check(before, wanted)
        after = clip.client.set_settings(wanted)
        _tell_changes(clip.client, before, after, quiet, json_)


def _check(before: dict[int, int], wanted: dict[int, int]) -> None:
    """The clip's own rules, before anything is sent.

    :raises BadInput: the settings would not fit together, and why
    """
    rules = settings.Settings()
    for index, value in before.items():
        if index < len(settings.SETTINGS):
            rules.values[index] = value
    if not rules.set_together(sorted(wanted.items())):
        raise BadInput(f"refused: {rules.why}")


@app.command()
def reset(
    port: Port = None,
    device: Device = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Bring every setting back to its default. Sessions and calibration stay.

    Example: walktall settings reset
    """
    with one_clip(port, device) as clip:
        before = clip.client.settings()
        after = clip.client.reset_settings()
        _tell_changes(clip.client, before, after, quiet, json_)


def _tell_changes(client: Client, before: dict[int, int], after: dict[int, int], quiet: bool, as_json: bool) -> None:
    """What a change came to, and whether the clip has written it."""
    changed = [index for index in sorted(after) if after[index] != before.get(index)]
    if as_json:
        known = [index for index in changed if index < len(settings.SETTINGS)]
        told = [{**_document(index, after[index]), "was": before.get(index)} for index in known]
        write_json({"changed": told, "kept": _wait_until_kept(client, True)})
        return
    if not quiet:
        _tell_in_words(before, after, changed)
    _wait_until_kept(client, quiet)


def _tell_in_words(before: dict[int, int], after: dict[int, int], changed: list[int]) -> None:
    if not changed:
        print("Nothing changed: it was so already.")
    for index in changed:
        if index < len(settings.SETTINGS):
            name = settings.SETTINGS[index][0]
            old = _shown(index, before[index]) if index in before else "not known"
            means = effect(index, before[index], after[index]) if index in before else ""
            print(f"{name}: {old} -> {_shown(index, after[index])}: {means or meanings.SETTINGS[name]}")


def _wait_until_kept(client: Client, quiet: bool, monotonic: Callable[[], float] = time.monotonic) -> bool:
    """Until the clip has written what changed, and what to do about it; whether it has."""
    end_s = monotonic() + _KEPT_WITHIN_S
    while client.hello().has(wire.HF_UNSAVED):
        if monotonic() >= end_s:
            note("note: they are in force; the clip has not written them yet: leave it switched on for a while")
            return False
        time.sleep(_POLL_S)
    if not quiet:
        print("Kept on the clip. You can unplug it.")
    return True


def clock(
    port: Port = None,
    device: Device = None,
    set_: Annotated[bool, typer.Option("--set", help="Set it to this computer's time.")] = False,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show how right a clip's clock is, or set it. A download sets it anyway.

    Example: walktall clock --set
    """
    with one_clip(port, device) as clip:
        now_s = utc_now_s(time.time())
        reply = clip.client.clock(now_s if set_ else 0)
        name = clip.hello.name
    was, is_, set_at = (reply.number(field) for field in ("was_utc_s", "utc_s", "set_at_utc_s"))
    off_s = was - now_s if was else None
    over_s = now_s - set_at if 0 < set_at < now_s else 0
    if json_:
        write_json(
            {
                "name": name,
                "was_set": was != 0,
                "off_s": off_s,
                "set_before_s": over_s or None,
                "is_set": is_ != 0,
                "uptime_s": reply.number("uptime_s"),
            }
        )
        return
    if off_s is None:
        state = "was not set" if set_ else "is not set: --set sets it, and so does a download"
    elif abs(off_s) <= 1:
        state = "is right"
    else:
        state = f"{'was' if set_ else 'is'} {duration(abs(off_s))} {'fast' if off_s > 0 else 'slow'}"
        if over_s >= 86400:
            state += f", {abs(off_s) * 86400 / over_s:.1f} s a day since it was last set"
    if not quiet or not set_:
        when = f" ({dates.local_time(was):%Y-%m-%d %H:%M:%S})" if was and not set_ else ""
        print(f"The clock of clip {name} {state}{when}{'; it is right now' if set_ and state != 'is right' else ''}.")
        if not quiet:
            print("You can unplug the clip.")


def calibrate(port: Port = None, device: Device = None, json_: Json = False, quiet: Quiet = False) -> None:
    """Teach a clip your upright. The clip can do it alone: stand tall and press twice.

    It confirms by three buzzes. It refuses, and keeps what it knew, if you moved.

    Example: walktall calibrate
    """
    with one_clip(port, device) as clip:
        client: Client = clip.client
        if not quiet and not json_ and sys.stdin.isatty():
            input("Put the clip on, stand tall as you want to walk, press Enter, then hold still. ")
        state, quality = client.calibration(wire.CAL_START)
        end_s = time.monotonic() + _CALIBRATED_WITHIN_S
        try:
            while state == "running":
                if time.monotonic() >= end_s:
                    raise NoAnswer("the calibration does not end: is the clip's sensor all right? See 'walktall info'")
                time.sleep(_POLL_S)
                state, quality = client.calibration()
        except BaseException:
            with suppress(WalktallError):  # what went wrong first is what is told
                client.calibration(wire.CAL_CANCEL)
            raise
        if state == "refused_moving":
            raise NotCalibrated("you moved: what the clip knew stays; stand still and try again")
        if state == "refused_angle":
            raise NotCalibrated("that is too far from your last upright: what the clip knew stays; is it on right?")
        if state != "done":
            raise NotCalibrated("the calibration was given up; what the clip knew stays")
        if not quiet and not json_:
            print(f"Your upright is known: {calibration_words(quality)}.")
        kept = _wait_until_kept(client, quiet or json_)
        if json_:
            write_json({"name": clip.hello.name, "state": state, "quality": quality, "kept": kept})
