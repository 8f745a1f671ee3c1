"""``walktall``: the walker's command line.

Each command does one thing, says in one line what went wrong, and ends with a status that scripts can read:
0 fine, 2 wrong use or bad input, 3 no clip, 4 the transfer failed, 130 cancelled. Results go to standard output, notes
and progress to standard error.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text
from walktall import __version__, records, wire

from . import (
    configure,
    dates,
    explain,
    export,
    install,
    keeping,
    live,
    names,
    preferences,
    rawing,
    reporting,
    selftest,
    whatif,
    wiring,
)
from . import report as reports
from .client import Hello, short_name, version_text
from .download import Downloaded
from .download import Progress as Tell
from .download import download as fetch
from .errors import CANCELLED, BadInput, NoDevice, TransferFailed, WalktallError
from .options import Device, Json, Port, Quiet, StorePath, note
from .selection import nothing_words
from .store import STORE_VARIABLE, Session, Store, default_path
from .terminal import abandon_stdout, count, duration, err, harden_streams, out, safe, write, write_json, write_lines

app = typer.Typer(
    name="walktall",
    help="Find your Walktall clip, fetch its walks, see how you walked.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 fine, 1 a check failed, 2 wrong use or input, 3 no clip, 4 transfer failed, 130 cancelled.",
)
# What typer raises for wrong use: click's class, or typer's own copy of it in later versions.
_UsageError = typer.BadParameter.__mro__[1]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"walktall {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    values = preferences.load()
    context.default_map = preferences.default_map(context.command, values)
    if context.invoked_subcommand is None:
        _next_step(values)


def _tell_trouble(fault: WalktallError) -> None:
    note(f"note: {fault}")


@contextmanager
def _reading(store: Path | None) -> Iterator[Store]:
    with Store.to_read(store or default_path()) as opened:
        yield opened


# --- alone ---------------------------------------------------------------------------------------------------------


def _next_step(values: dict[str, str]) -> None:
    """``walktall`` by itself: what is there, and what to do next."""
    from .ports import each_clip

    store = Path(os.environ.get(STORE_VARIABLE) or values.get("store") or default_path())
    port = os.environ.get("WALKTALL_PORT") or values.get("port")
    with _reading(store) as opened:
        sessions = dates.in_order(opened.sessions())
        met = bool(opened.devices())
    known = {session.device_id for session in sessions}
    try:
        for clip in each_clip(port, None, _tell_trouble):
            print(_clip_line(clip.hello, safe(clip.port), clip.hello.device_id in known))
    except NoDevice as fault:
        print(f"{str(fault)[:1].upper()}{str(fault)[1:]}.")
    if sessions:
        last = reports.begin_text(sessions[-1]).strip()
        print(f"{count(len(sessions), 'session')} in the store, the last one {last}: 'walktall report' shows it.")
    else:
        print("No walk yet." if met else "Nothing downloaded yet.")
    print("All commands: walktall --help")


def _clip_line(hello: Hello, port: str, known: bool) -> str:
    """What a clip that is plugged in needs first.

    :param known: sessions of it are here
    """
    # What another computer has acknowledged this one may still lack.
    new = hello.number("unacknowledged" if known else "sessions")
    told = [count(new, "session") + " to fetch" if new else "nothing new"]
    if not hello.number("utc_s"):
        told.append("its clock is not set")
    if new or not hello.number("utc_s"):
        todo = "walktall download"
    elif not hello.has(wire.HF_CALIBRATED):
        told.append("it does not know your upright")
        todo = "walktall calibrate"
    elif hello.number("fw_version") < records.version_number():
        told.append(f"its firmware {version_text(hello.number('fw_version'))} is older than this tool")
        todo = "walktall install"
    else:
        todo = "walktall report"
    return f"Clip {hello.name} is on {port}: {', '.join(told)}. Next: {todo}"


# --- ports ---------------------------------------------------------------------------------------------------------


@app.command()
def ports(
    json_: Json = False,
    quiet: Quiet = False,
    all_: Annotated[bool, typer.Option("--all", help="Also ports that no clip can be on.")] = False,
    udev: Annotated[bool, typer.Option("--udev", help="Print the rule that opens the ports on Linux.")] = False,
) -> None:
    """List the ports on which a clip may be.

    Nothing is sent to any of them.

    Example: walktall ports --all
    """
    from .ports import OTHER, list_ports, udev_rule

    if udev:
        sys.stdout.write(udev_rule())
        return
    found = list_ports()
    shown = [port for port in found if all_ or port.role != OTHER]
    if json_:
        write_json(
            {
                "ports": [
                    {
                        "port": port.port,
                        "role": port.role,
                        "description": port.description,
                        "usb": port.usb or None,
                        "serial_number": port.serial_number or None,
                    }
                    for port in shown
                ]
            }
        )
        return
    if not shown:
        if not quiet:
            hidden = f" ({count(len(found), 'other port')}: --all lists them)" if found else ""
            note(f"no clip is plugged in{hidden}: use a cable that carries data, and wait a few seconds")
        return
    words = {"data": "a clip's data", "console": "CircuitPython's console", "possible": "may be a clip", "other": ""}
    table = Table.grid(padding=(0, 2))
    for _ in range(4):
        table.add_column(overflow="fold")
    for port in shown:
        table.add_row(Text(safe(port.port)), Text(words[port.role]), Text(port.description), Text(port.usb))
    write(out(), table)


# --- info ----------------------------------------------------------------------------------------------------------

#: Battery below this: charge soon. A lithium cell's knee; the firmware stops writing well above 2.7 V.
_BATTERY_LOW_MV = 3500
#: Clock off by this much: told.
_CLOCK_OFF_S = 60
#: Why it last started, by HELLO's ``reset_reason`` (firmware/code.py, ``_reset_reason``).
_RESET_REASONS = (
    "",
    "power-on",
    "a brown-out",
    "a restart by software",
    "deep sleep",
    "its reset button",
    "the watchdog's reset",
)


@app.command()
def info(
    port: Port = None,
    device: Device = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show what a clip says of itself: battery, memory, firmware, calibration, errors.

    As whenever the clip is plugged in, a walk that it was recording is over; nothing else changes.

    Example: walktall info --port socket://localhost:7700
    """
    from .ports import each_clip

    shown: list[dict[str, Any]] = []
    console = out()
    for clip in each_clip(port, device, _tell_trouble):
        hello = clip.hello
        if json_:
            shown.append({"port": safe(clip.port), "name": hello.name, **hello.plain(), "flag_names": hello.flag_names})
            continue
        if shown:
            write(console, Text(""))
        shown.append({})
        write(console, *_info_lines(hello, clip.port))
        for warning in _warnings(hello):
            note(f"note: {warning}")
    if json_:
        write_json({"devices": shown})
    elif not quiet:
        print("You can unplug the clip.")


def _info_lines(hello: Hello, port: str) -> list[Table]:
    number = hello.number
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")

    def row(name: str, value: str) -> None:
        table.add_row(Text(name, "bold"), Text(value))

    row("clip", f"{hello.name} on {safe(port)} (id {hello.device_id.hex()})")
    row("board", " with ".join(part for part in (hello.text("board"), hello.text("chip")) if part) or "not told")
    row("firmware", version_text(number("fw_version")))
    row("battery", _battery_words(hello))
    row(
        "memory",
        f"{number('sessions')} of {number('capacity')} sessions, {number('unacknowledged')} not yet downloaded",
    )
    if number("trace_capacity"):
        blocks = max(0, number("trace_next") - number("trace_first"))
        row("trace", f"{blocks} of {number('trace_capacity')} blocks, up to a minute of wear each; the oldest go first")
    if number("drive_kib"):
        row("drive", f"{number('drive_free_kib')} of {number('drive_kib')} KiB free")
    row("calibration", _calibration_words(hello))
    row("clock", _clock_words(hello))
    reason = _RESET_REASONS[number("reset_reason")] if number("reset_reason") < len(_RESET_REASONS) else ""
    row("running", f"{duration(number('uptime_s'))}, its boot {number('boot')}{reason and f', after {reason}'}")
    if number("errors"):
        row("errors", f"{number('errors')} since it started; the last one: {hello.text('last_error') or 'not told'}")
    elif hello.text("last_error"):
        row("errors", f"none since it started; of its start it tells: {wiring.words(hello.text('last_error'))}")
    return [table]


def _battery_words(hello: Hello) -> str:
    millivolts = hello.number("battery_mv")
    text = f"{millivolts / 1000:.2f} V" if millivolts else "not measured"
    if hello.has(wire.HF_CHARGING):
        return text + ", charging"
    return text + (", on USB" if hello.has(wire.HF_USB) else "")


def _calibration_words(hello: Hello) -> str:
    if not hello.has(wire.HF_CALIBRATED):
        return "none: put it on, stand tall, press twice"
    taken = hello.number("calibrated_utc_s")
    when = f", taken {dates.local_time(taken):%Y-%m-%d %H:%M}" if taken else ", undated"
    return reports.calibration_words(hello.number("calibration_quality")) + when


def _clock_words(hello: Hello) -> str:
    utc_s = hello.number("utc_s")
    return f"{dates.local_time(utc_s):%Y-%m-%d %H:%M:%S}" if utc_s else "not set: 'walktall download' sets it"


def _warnings(hello: Hello) -> list[str]:
    """What the walker should do something about, or at least know."""
    number = hello.number
    found = []

    def when(flag: int, text: str) -> None:
        if hello.has(flag):
            found.append(text)

    if number("battery_mv") and number("battery_mv") < _BATTERY_LOW_MV and not hello.has(wire.HF_CHARGING):
        found.append("the battery is low: charge it before the next walk")
    if number("capacity") and 10 * number("unacknowledged") >= 8 * number("capacity"):
        found.append("its memory is nearly full of sessions that are not downloaded: walktall download")
    if not hello.has(wire.HF_CALIBRATED):
        found.append("it does not know your upright and cannot judge: put it on, stand tall, press twice")
    if not number("utc_s"):
        found.append("its clock is not set: 'walktall download' sets it")
    if number("errors"):
        found.append(f"something went wrong in it ({hello.text('last_error') or 'it does not say what'}): it went on")
    elif hello.text("last_error"):
        found.append(f"it tells of its start: {wiring.words(hello.text('last_error'))}")
    if number("utc_s") and abs(_now_utc_s() - number("utc_s")) > _CLOCK_OFF_S:
        off_s = number("utc_s") - _now_utc_s()
        found.append(
            f"its clock is {duration(abs(off_s))} {'fast' if off_s > 0 else 'slow'}: 'walktall download' sets it"
        )
    when(wire.HF_SENSOR_FAULT, "its motion sensor does not answer: nothing is judged until it does")
    when(wire.HF_STORE_FAULT, "its last write did not read back: download now, and tell the maker")
    when(wire.HF_TRACE_FAULT, "its trace cannot be written: walks are counted, and nothing tells them second by second")
    when(wire.HF_MAINTENANCE, "its drive is this computer's: 'walktall install' gives it back, and so does a reset")
    when(wire.HF_READ_ONLY, "its memory is of a later firmware: it records nothing until its firmware is upgraded")
    when(wire.HF_FORMATTED, "it started with an empty memory: it is new, or its memory could not be read")
    when(wire.HF_BANK_LOST, "one of its two memory banks could not be read when it started; the other one served")
    when(wire.HF_SETTINGS_DEFAULTED, "its settings were damaged and stand at their defaults")
    if number("dropped_unacked"):
        found.append(f"it was full and lost {count(number('dropped_unacked'), 'session')} before a download")
    if number("fw_version") < records.version_number():
        found.append(
            f"its firmware is older than this tool ({version_text(records.version_number())}): walktall install"
        )
    return found


def _now_utc_s() -> int:
    from .client import utc_now_s

    return utc_now_s(time.time())


# --- download ------------------------------------------------------------------------------------------------------


@app.command()
def download(
    port: Port = None,
    device: Device = None,
    store: StorePath = None,
    json_: Json = False,
    quiet: Quiet = False,
    no_trace: Annotated[bool, typer.Option("--no-trace", help="Sessions alone, not their traces.")] = False,
) -> None:
    """Fetch what your clips have recorded into the store on this computer.

    It also sets the clip's clock. Stop it when you like: what came is kept, and the next download goes on from there.
    Nothing is erased on the clip; a second download changes nothing.

    Example: walktall download --device 3f9a
    """
    from .ports import each_clip

    results: list[Downloaded] = []
    failed: TransferFailed | None = None
    with Store(store or default_path()) as opened:
        for clip in each_clip(port, device, _tell_trouble, store):
            if failed is not None:  # of several clips, one that fails does not keep the others waiting
                note(f"walktall: {failed}")
            if not quiet and not json_:
                note(f"clip {clip.hello.name} on {safe(clip.port)}")
            try:
                with _progress(not quiet and not json_) as tell:
                    result = fetch(clip.client, clip.hello, opened, time.time, tell, trace=not no_trace)
            except TransferFailed as fault:
                failed = fault
                continue
            results.append(result)
            if not json_:
                _tell_download(result, quiet)
            if result.blocks:
                # After all is said: the clip may go already. Reports of many walks are quick thanks to it.
                from . import digests

                digests.refresh(opened, clip.hello.device_id)
    if json_:
        write_json({"devices": [_download_document(result) for result in results]})
    if failed is not None:
        raise failed


@contextmanager
def _progress(wanted: bool) -> Iterator[Tell]:
    """A bar on standard error where that is a terminal; yields what is told (what, done, total)."""
    console = err()
    if not wanted or not console.is_terminal:
        yield lambda what, done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console, transient=True
    ) as progress:
        task = progress.add_task("fetching", total=None)
        yield lambda what, done, total: progress.update(
            task, description=f"fetching {what}", completed=done, total=total
        )


def _tell_download(result: Downloaded, quiet: bool) -> None:
    if not quiet:
        told = [count(result.new, "new session")] if result.new else []
        if result.blocks and not told:
            told.append(f"{count(result.blocks, 'new block')} of the trace")
        if result.changed:
            told.append(f"{count(result.changed, 'session')} that had grown")
        print(f"{' and '.join(told)} from clip {result.hello.name}." if told else "Nothing new on the clip.")
        if result.wiped and result.new:
            note("note: the clip was wiped since its first download; its earlier sessions stay here")
        clock = result.clock
        if clock is not None and not clock.was_set:
            note("its clock was not set; it is now")
        elif clock is not None and abs(clock.off_s) >= 2:
            drift = clock.seconds_a_day
            rate = f" ({abs(drift):.1f} s a day)" if drift is not None else ""
            note(f"its clock was {abs(clock.off_s)} s {'fast' if clock.off_s > 0 else 'slow'}{rate}; it is right now")
    for warning in result.warnings:
        note(f"note: {warning}")
    if not quiet:
        more = " 'walktall report' shows the last walk." if result.new else ""
        print(f"You can unplug the clip.{more}")


def _download_document(result: Downloaded) -> dict[str, Any]:
    clock = result.clock
    return {
        "name": result.hello.name,
        "device_id": result.hello.device_id.hex(),
        "journal_id": result.hello.journal_id.hex(),
        "new": result.new,
        "changed": result.changed,
        "unread": result.unread,
        "acknowledged": not result.not_acknowledged,
        "trace_blocks": result.blocks,
        "trace_blocks_lost": result.blocks_lost,
        "clock_was_set": clock.was_set if clock else None,
        "clock_off_s": clock.off_s if clock and clock.was_set else None,
        "warnings": result.warnings,
    }


# --- sessions and report -------------------------------------------------------------------------------------------


def _chosen(store: Store, device: str | None) -> list[Session]:
    """Sessions of that clip (of all), oldest first.

    :raises BadInput: no clip in the store is called so
    """
    return names.chosen(store, dates.in_order(store.sessions()), device)


def _bracket(between: tuple[int, int] | None) -> dict[str, str]:
    """Of an undated session: the two moments between which it lay."""
    names = ("begin_not_before", "begin_not_after")
    return {
        name: dates.local_time(utc_s).isoformat(timespec="seconds")
        for name, utc_s in zip(names, between or (), strict=False)
        if utc_s
    }


@app.command()
def sessions(
    device: Device = None,
    store: StorePath = None,
    last: Annotated[int | None, typer.Option("--last", metavar="N", min=1, help="Only the last N.")] = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """List the sessions in the store, oldest first.

    ~ before a date: the clip's clock was not set, and the time is counted back from the download.

    Example: walktall sessions --last 10
    """
    with _reading(store) as opened:
        found = _chosen(opened, device)
        unread = opened.unread()
        nothing = nothing_words(opened)
    shown = found[-last:] if last else found
    if json_:
        between = dates.brackets(found)
        write_json(
            {
                "sessions": [
                    {**reports.document(session), **_bracket(between.get(session.number))} for session in shown
                ],
                "unread": [
                    {"number": u.number, "device_id": u.device_id.hex(), "seq": u.seq, "fault": u.fault} for u in unread
                ],
            }
        )
        return
    if shown:
        write_lines(out(), reports.list_sessions(shown))
    elif not quiet and not unread:
        note(nothing)
    if not quiet:
        for each in unread:
            note(f"note: record {each.seq} of clip {short_name(each.device_id)} is kept but not read: {each.fault}")


app.command("report")(reporting.command)


# --- the clip itself ------------------------------------------------------------------------------------------------

app.add_typer(configure.app, name="settings")
app.command()(names.name)
app.command()(keeping.backup)
app.command()(keeping.restore)
app.command()(keeping.forget)
app.command()(configure.clock)
app.command()(configure.calibrate)
app.command("selftest")(selftest.command)
app.command("live")(live.command)
app.command("raw")(rawing.command)
app.command("install")(install.command)
app.command("export")(export.command)
app.command("explain")(explain.command)
app.command("whatif")(whatif.command)


# --- the rest ------------------------------------------------------------------------------------------------------


@app.command()
def identify(port: Port = None, device: Device = None, json_: Json = False, quiet: Quiet = False) -> None:
    """Make a clip buzz, to see which one it is.

    Example: walktall identify --device 3f9a
    """
    from .ports import each_clip

    buzzing: list[dict[str, str]] = []
    for clip in each_clip(port, device, _tell_trouble):
        clip.client.identify()
        buzzing.append({"name": clip.hello.name, "port": clip.port})
        if not quiet and not json_:
            print(f"clip {clip.hello.name} on {safe(clip.port)} buzzes; you can unplug it")
    if json_:
        write_json({"devices": buzzing})


@app.command()
def db(store: StorePath = None, json_: Json = False) -> None:
    """Print where the store is: an SQLite file that other programs can read.

    Example: sqlite3 "$(walktall db)" "SELECT * FROM session"
    """
    path = store or default_path()
    if json_:
        write_json({"store": str(path), "exists": path.exists()})
    else:
        print(path)


# --- the way in ----------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit status. No traceback reaches the walker."""
    harden_streams()
    try:
        status = app(args=list(arguments) if arguments is not None else None, standalone_mode=False)
        sys.stdout.flush()
    except WalktallError as fault:
        note(f"walktall: {fault}")
        return fault.exit_code
    except (BrokenPipeError, SystemExit):
        # Typer and Rich, who meet a closed pipe first, would make it a failed check (1).
        abandon_stdout()
        return 0
    except OSError as fault:
        abandon_stdout()
        note(f"walktall: {safe(str(fault.filename or 'standard output'))}: {fault.strerror or type(fault).__name__}")
        return BadInput.exit_code
    except (KeyboardInterrupt, typer.Abort):
        status = CANCELLED
    except Exception as fault:
        if isinstance(fault, _UsageError) or hasattr(fault, "format_message"):
            note(f"walktall: {_usage_line(fault)}")
            return BadInput.exit_code
        note(f"walktall: a fault of this tool, please report it: {type(fault).__name__}: {safe(str(fault))}")
        return WalktallError.exit_code
    if status == CANCELLED:
        note("walktall: stopped; what was done is kept")
    return status if isinstance(status, int) else 0


def _usage_line(fault: Exception) -> str:
    """What was wrong with the command line, and where help is, in one line."""
    text = " ".join(str(getattr(fault, "format_message", fault.__str__)()).split())
    context = getattr(fault, "ctx", None)
    command = context.command_path if context is not None else "walktall"
    return f"{safe(text)} ('{command} --help' helps)"
