"""``walktall raw``: a walk recorded as the sensor gives it, six axes at 52 Hz, and taken out as a file that
``walktall-sim`` replays.

The clip records for some minutes from when it is asked, plugged in or worn; a download brings the blocks like any other
of its trace. One recording is what one boot recorded without a pause of more than a minute.
"""

from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer
from walktall import rows, wire

from .errors import BadInput
from .names import Names
from .options import Device, Json, Port, Quiet, StorePath
from .selection import nothing_words
from .store import Store, default_path
from .terminal import count, duration, safe, typed, write_json
from .whole import whole_file

_MINUTES_MAX = 60
# 52 samples a second; a pause of a minute ends a recording.
_SAMPLES_A_S = 52
_PAUSE_SAMPLES = 60 * _SAMPLES_A_S
_SAMPLE_BYTES = 12


def recordings(store: Store, device_ids: set[bytes] | None = None) -> list[list[bytes]]:
    """The blocks of each raw recording in the store, oldest first."""
    found: list[list[bytes]] = []
    last: tuple[bytes, bytes, int] | None = None
    following = 0
    for device_id, ring_id, _, raw in store.raw_blocks():
        if device_ids is not None and device_id not in device_ids:
            continue
        key = (device_id, ring_id, int.from_bytes(raw[rows.H_BOOT : rows.H_BOOT + 2], "little"))
        first, n = samples_of(raw)
        if key != last or not following <= first <= following + _PAUSE_SAMPLES:
            found.append([])
        found[-1].append(raw)
        last, following = key, first + n
    return found


def samples_of(raw: bytes) -> tuple[int, int]:
    """(number of the first sample since the boot, how many) of a block of a raw recording."""
    begin = rows.HEADER_BYTES + 4
    end = min(int.from_bytes(raw[rows.H_ROWS_END : rows.H_ROWS_END + 2], "little"), rows.CRC_AT)
    return int.from_bytes(raw[rows.HEADER_BYTES : begin], "little"), max(0, end - begin) // _SAMPLE_BYTES


def missing_in(blocks: list[bytes]) -> int:
    """Samples that a recording lacks between its first and its last."""
    spans = [samples_of(raw) for raw in blocks]
    return sum(later[0] - earlier[0] - earlier[1] for earlier, later in pairwise(spans))


def command(
    minutes: Annotated[
        int | None, typer.Option("--minutes", metavar="N", min=1, max=_MINUTES_MAX, help="Record so long from now on.")
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End the recording now.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the last one that was downloaded.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    port: Port = None,
    device: Device = None,
    store: StorePath = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Record a walk as the sensor gives it, or write the last such recording to a file for 'walktall-sim replay'.

    Ask for it, unplug the clip, walk; then 'walktall download', and 'walktall raw --out walk.raw'. It takes room in the
    trace: some 86 blocks a minute, over its oldest ones. Without an option it says whether one runs.

    Example: walktall raw --minutes 5
    """
    if sum((minutes is not None, stop, out is not None)) > 1:
        raise BadInput("--minutes, --stop and --out exclude each other")
    if out is not None:
        _write(out, store or default_path(), device, force, json_, quiet)
        return
    from .ports import one_clip

    with one_clip(port, device) as clip:
        ran = stop and clip.client.raw(wire.RAW_ASK) > 0
        asked = minutes if minutes is not None else 0 if stop else wire.RAW_ASK
        left_s = clip.client.raw(asked)
        name = clip.hello.name
    if json_:
        write_json({"name": name, "left_s": left_s})
        return
    if quiet:
        return
    if minutes is not None:
        short = f" (the clip's trace holds no more than {duration(left_s)})" if left_s < 60 * minutes else ""
        print(f"Clip {name} records for {duration(left_s)}{short}. You can unplug it and walk; it ends by itself.")
        print("Then: walktall download, and walktall raw --out walk.raw")
    elif left_s:
        print(f"Clip {name} records for another {duration(left_s)}.")
    elif ran:
        print(f"The recording on clip {name} has ended. Next: walktall download, then walktall raw --out walk.raw")
    else:
        print(f"No raw recording runs on clip {name}.")


def _write(out: Path, store: Path, device: str | None, force: bool, json_: bool, quiet: bool) -> None:
    with Store.to_read(store) as opened:
        wanted = {Names(opened.devices()).only(device).device_id} if device is not None else None
        found = recordings(opened, wanted)
        if opened.path is None and store != default_path():
            raise BadInput(nothing_words(opened))
    if not found:
        raise BadInput("no raw recording was downloaded yet: 'walktall raw --minutes 5', walk, 'walktall download'")
    blocks = found[-1]
    with whole_file(out, force, private=True) as file:
        file.write(b"".join(blocks))
    n = sum(samples_of(raw)[1] for raw in blocks)
    missing = missing_in(blocks)
    if json_:
        write_json({"file": str(out), "samples": n, "missing_samples": missing, "recordings": len(found)})
    elif not quiet:
        lack = f", {count(missing, 'sample')} missing in between" if missing else ""
        print(
            f"{duration(n // _SAMPLES_A_S)} of raw samples{lack} in {safe(str(out))}: walktall-sim replay {typed(out)}"
        )
