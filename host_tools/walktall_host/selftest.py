"""``walktall selftest``: does the clip judge as the firmware of this tool does, and are its files the tested ones?

The clip runs a made-up walk through its own detector and reads its own files; both digests are held against those of
the firmware that came with this tool: its judgement worked out here from the sources, its files as they were installed,
compact or plain. It tells one version from another; it is no proof against somebody who means harm.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import walktall
from walktall import __version__, selftest, wire

from . import drive
from .client import Client, version_text
from .errors import NoAnswer, WalktallError
from .options import Device, Json, Port, Quiet
from .ports import one_clip
from .terminal import err, safe, write_json

#: How long a clip may take: the made-up walk, and some 300 KiB of files read, a KiB a turn.
WITHIN_S = 30.0
_POLL_S = 0.5
_BYTES_AT, _FILES_AT = 4, 7


class NotAsTested(WalktallError):
    """The clip is not what was tested: a check that failed, not a transfer."""


@dataclass(frozen=True)
class Outcome:
    """What the clip told, beside what the firmware of this tool gives."""

    passed: bool
    vector: bytes
    sources: bytes
    vector_here: bytes
    sources_here: bytes

    @property
    def judges_alike(self) -> bool:
        return self.vector == self.vector_here

    @property
    def same_files(self) -> bool:
        return self.sources == self.sources_here

    @property
    def as_tested(self) -> bool:
        return self.passed and self.judges_alike and self.same_files


def expected() -> tuple[bytes, bytes, bytes]:
    """Of the firmware that came with this tool: its vector digest; its source digest as `walktall install` puts it on a
    clip; and that of the sources as they lie here, which `install --plain` and the virtual clip have.

    :raises BadInput: the firmware did not come with this installation
    """
    folder = Path(walktall.__file__).parent
    compact = drive.source_digest(drive.content())
    return bytes(selftest.vector_digest()), compact, bytes(selftest.source_digest(str(folder)))


def run(
    client: Client,
    tell: Callable[[], None] = lambda: None,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Let the clip test itself, and compare.

    :param tell: called whenever the clip says that it is still at it
    :raises NoAnswer: it does not come to an end
    """
    end_s = monotonic() + WITHIN_S
    while True:
        reply = client.selftest()
        if reply.number("status") != wire.SELFTEST_RUNNING:
            break
        if monotonic() >= end_s:
            raise NoAnswer(
                f"the self-test does not end within {WITHIN_S:.0f} s: unplug the clip, plug it in, try again"
            )
        tell()
        sleep(_POLL_S)
    vector_here, compact, plain = expected()
    sources = reply.raw("source_digest")
    passed = reply.number("status") == wire.SELFTEST_PASSED
    return Outcome(passed, reply.raw("vector_digest"), sources, vector_here, plain if sources == plain else compact)


@contextmanager
def waiting(text: str, wanted: bool) -> Iterator[Callable[[], None]]:
    """Something that turns on standard error where that is a terminal; yields what keeps it turning."""
    console = err()
    if not wanted or not console.is_terminal:
        yield lambda: None
        return
    with console.status(text):
        yield lambda: None


def files_words(digest: bytes) -> str:
    """``28 files, 310,000 bytes`` of a source digest."""
    if digest == bytes(8):
        return "it could not read them"
    size = int.from_bytes(digest[_BYTES_AT:_FILES_AT], "little")
    return f"{digest[_FILES_AT]} files, {size:,} bytes"


def trouble(outcome: Outcome, fw_version: int) -> str:
    """In one line what is wrong, and what to do; '' when nothing is."""
    other = version_text(fw_version) != __version__
    versions = f" (the clip has {version_text(fw_version)}, this tool brings {__version__})" if other else ""
    if not outcome.judges_alike and outcome.vector != bytes(8):
        return f"the clip judges otherwise than the firmware of this tool{versions}: 'walktall install' puts it there"
    if not outcome.same_files:
        return f"the files on the clip are not those of this tool{versions}: 'walktall install' puts them there"
    if not outcome.passed:
        return "the clip's self-test failed: its sensor does not answer, see 'walktall info'"
    return ""


def command(port: Port = None, device: Device = None, json_: Json = False, quiet: Quiet = False) -> None:
    """Show whether what you wear is what was tested: the clip's judgement and its files, against this tool's.

    The clip takes some seconds for it, and records nothing meanwhile. Exit status 1 when something differs.

    Example: walktall selftest --port /dev/ttyACM1
    """
    with one_clip(port, device) as clip:
        hello = clip.hello
        with waiting(f"clip {hello.name} tests itself", not quiet and not json_) as tell:
            outcome = run(clip.client, tell)
    wrong = trouble(outcome, hello.number("fw_version"))
    if json_:
        write_json(_document(clip.port, hello.name, hello.number("fw_version"), outcome))
    elif not quiet:
        for line in lines(outcome):
            print(line)
    if wrong:
        raise NotAsTested(wrong)
    if not quiet and not json_:
        print("What you wear is what was tested. You can unplug the clip.")


def lines(outcome: Outcome) -> list[str]:
    """The three findings, for a person."""
    files = f"those of this tool's firmware ({files_words(outcome.sources)})"
    if not outcome.same_files:
        files = f"others: {files_words(outcome.sources)}; here {files_words(outcome.sources_here)}"
    alike = "as the firmware of this tool does here" if outcome.judges_alike else "otherwise than here"
    return [
        f"sensor   {'answers' if outcome.passed else 'does not answer, or the made-up walk was not judged'}",
        f"judges   a made-up walk {alike} ({outcome.vector.hex()})",
        f"files    {files}",
    ]


def _document(port: str, name: str, fw_version: int, outcome: Outcome) -> dict[str, Any]:
    return {
        "port": safe(port),
        "name": name,
        "firmware": version_text(fw_version),
        "firmware_here": __version__,
        "passed": outcome.passed,
        "judges_alike": outcome.judges_alike,
        "same_files": outcome.same_files,
        "as_tested": outcome.as_tested,
        "vector_digest": outcome.vector.hex(),
        "vector_digest_here": outcome.vector_here.hex(),
        "source_digest": outcome.sources.hex(),
        "source_digest_here": outcome.sources_here.hex(),
    }
