"""One clip's sessions into the store: greet, set the clock, fetch what is lacking, commit, and only then acknowledge;
then its trace, block by block.

The order is the promise. A record is acknowledged after its bytes are committed here, with a CRC over those bytes *as
stored*; whatever breaks before that, the clip still has them, and the next download goes on where this one stopped.
Nothing is erased on the clip, and bytes that are here already change nothing.

The trace comes last, for it is long and the sessions are what counts. Its blocks are numbered for ever, so nothing is
acknowledged: what is lacking here is fetched, from the byte at which the last attempt broke off. A block whose own CRC
does not hold was torn by a loss of power and is left where it is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from walktall import wire

from . import blocks
from .client import Client, Hello, Message, utc_now_s
from .errors import NoAnswer, Refused, TransferFailed
from .store import Store
from .terminal import count

#: Records a FETCH: what a kill in mid-transfer has to fetch again.
WINDOW = 8
#: Blocks of the trace a FETCH_TRACE, for the same reason: 8 KiB, some two minutes of walking each.
TRACE_WINDOW = 16
# No ring has more: HELLO tells its capacity in two bytes.
_RING_MAX = 0xFFFF
#: What is being fetched, as ``progress`` is told.
SESSIONS = "sessions"
TRACE = "trace"
Progress = Callable[[str, int, int], None]


def _tell_nothing(what: str, done: int, total: int) -> None:
    """For who wants no progress."""


# Fetches in a row that bring nothing new: then the port is too bad.
_TRIES = 4
# Rounds of 'the clip holds other bytes than these': one for a merge that came in between, one for another host.
_ROUNDS = 3
# A host whose own clock is before this (2026-01-01) would misdate the walks: it had better not set the clip's.
_HOST_CLOCK_LEAST_UTC_S = 2192 * 86400


@dataclass
class Clock:
    """What setting the clip's clock showed."""

    was_set: bool
    #: The clip's clock minus this computer's, before it was set.
    off_s: int = 0
    #: Since it was last set before; 0 = not known.
    over_s: int = 0

    @property
    def seconds_a_day(self) -> float | None:
        """Drift, None where the time is too short to tell (a second is the clock's step)."""
        return self.off_s * 86400 / self.over_s if self.was_set and self.over_s >= 86400 else None


@dataclass
class Downloaded:
    """What a download came to."""

    hello: Hello
    clock: Clock | None = None
    new: int = 0
    changed: int = 0
    unread: int = 0
    #: Why the clip did not take the acknowledgement, '' when it did or when there was nothing to acknowledge.
    not_acknowledged: str = ""
    #: The clip's earlier journal is known here, and this is another one: it was wiped.
    wiped: bool = False
    #: Blocks of the trace that are new here.
    blocks: int = 0
    #: Blocks of it, newly told, that a loss of power has torn or that the clip cannot read.
    blocks_lost: int = 0
    warnings: list[str] = field(default_factory=list)


def download(
    client: Client,
    hello: Hello,
    store: Store,
    now_s: Callable[[], float],
    progress: Progress = _tell_nothing,
    *,
    trace: bool = True,
) -> Downloaded:
    """Everything that the clip has and the store lacks.

    :param now_s: Unix time, as ``time.time``
    :param progress: told what is fetched (SESSIONS, TRACE), and of it what is done and what there is to do
    :param trace: fetch the trace too
    :raises TransferFailed: it broke off; what had come is in the store
    """
    met_utc_s = utc_now_s(now_s())
    journal = store.meet(hello, met_utc_s)
    result = Downloaded(hello, wiped=store.journals_of(hello.device_id) > 1)
    result.clock = _set_clock(client, now_s, result)
    if result.clock is not None:
        clock = result.clock
        # The clip writes down when it was set with its next commit. A reset before that leaves its clock as it is, and
        # forgets when that was set: then we know better.
        own_s = store.last_meeting_utc_s(journal)
        if clock.over_s and 0 < own_s <= met_utc_s:
            clock.over_s = min(clock.over_s, met_utc_s - own_s)
        clip_utc_s = met_utc_s + clock.off_s if clock.was_set else 0
        store.note_meeting(journal, hello, met_utc_s, clip_utc_s, met_utc_s - clock.over_s if clock.over_s else 0)
    for _ in range(_ROUNDS):
        _fetch(client, store, journal, hello, met_utc_s, result, progress)
        if _acknowledge(client, store, journal, hello, result):
            break
        # The clip holds other bytes than we: it merged a walk, or another computer was faster. Look again.
        hello, met_utc_s = client.hello(), utc_now_s(now_s())
        if hello.device_id != result.hello.device_id or hello.journal_id != result.hello.journal_id:
            raise TransferFailed("another clip is on the port now: nothing is lost; start again")
    else:
        result.not_acknowledged = "it holds other bytes than it sent"
    held = store.held(journal, hello.number("first_seq"), hello.number("next_seq"))
    if trace:
        _fetch_trace(client, store, journal, hello, met_utc_s, result, progress)
    _warn(result, hello, hello.number("sessions") - held)
    return result


def _fetch_trace(
    client: Client,
    store: Store,
    journal: int,
    hello: Hello,
    met_utc_s: int,
    result: Downloaded,
    progress: Progress,
) -> None:
    """Every block that is lacking, window by window, each committed before the next is asked for."""
    trace_id = hello.raw("trace_id")
    if not any(trace_id):  # no ring, or a firmware from before there was one
        return
    first, following, size = hello.number("trace_first"), hello.number("trace_next"), hello.number("trace_block_bytes")
    if not 0 <= following - first <= _RING_MAX or not blocks.LEAST <= size <= blocks.MOST:
        result.warnings.append("what the clip says of its trace makes no sense: it was left there")
        return
    ring = store.meet_ring(journal, trace_id, met_utc_s)
    lacking = store.lacking_blocks(ring, first, following)
    total = len(lacking)
    done = 0
    begun = b""
    tries = _TRIES
    progress(TRACE, 0, total)
    while lacking:
        at = lacking[0]
        limit = _run(lacking, TRACE_WINDOW)
        try:
            got = client.fetch_trace(at, limit, size, begun)
        except Refused as fault:
            result.warnings.append(f"the clip does not give its trace: {fault}")
            return
        sound = {number: raw for number, raw in got.whole.items() if blocks.whole(raw, number, trace_id)}
        unread: list[int] = []
        if got.complete:
            passed = [number for number in lacking if number < got.next_block]
            unread = [number for number in passed if number not in got.whole]
            left, begun = lacking[len(passed) :], b""
        else:
            left = [number for number in lacking if number not in got.whole]
            begun_at, came = got.begun or (-1, b"")
            grown = begun_at == at and len(came) > len(begun)
            begun = came if left and begun_at == left[0] else b""
            if grown:
                tries = _TRIES + 1  # bytes of a block are progress too
        new, lost = store.keep_blocks(ring, sound, got.whole.keys() - sound.keys(), unread)
        result.blocks += new
        result.blocks_lost += lost
        tries = _TRIES if len(left) < len(lacking) else tries - 1
        if not tries:
            raise NoAnswer(
                f"the clip does not send block {at} of its trace: every session is safe, and of the trace what came "
                "before; unplug it, plug it in, try again"
            )
        done += len(lacking) - len(left)
        lacking = left
        progress(TRACE, done, total)


def _fetch(
    client: Client,
    store: Store,
    journal: int,
    hello: Hello,
    met_utc_s: int,
    result: Downloaded,
    progress: Progress,
) -> None:
    """Everything lacking, window by window, each committed before the next is asked for."""
    lacking = store.lacking(journal, hello.number("first_seq"), hello.number("next_seq"), hello.number("acked_seq"))
    total = len(lacking)
    tries = _TRIES
    progress(SESSIONS, 0, total)
    while lacking:
        limit = _run(lacking, WINDOW)
        batch = client.fetch(lacking[0], limit)
        kept = store.keep(journal, batch.records, hello, met_utc_s)
        result.new += kept.new
        result.changed += kept.changed
        result.unread += kept.unread
        if batch.complete:
            # The clip sends in order and leaves out only what it does not hold: fewer than asked for were its last.
            left = [seq for seq in lacking if seq >= batch.next_seq] if len(batch.records) == limit else []
        else:
            came = {sent.seq for sent in batch.records}
            left = [seq for seq in lacking if seq not in came]
        tries = _TRIES if len(left) < len(lacking) else tries - 1
        if not tries:
            raise NoAnswer(
                f"the clip does not send record {lacking[0]}: what came before it is safe; unplug it, plug it in, try "
                "again"
            )
        lacking = left
        progress(SESSIONS, total - len(lacking), total)


def _run(lacking: list[int], window: int) -> int:
    """How many numbers in a row are lacking from the first on, at most a window."""
    n = 1
    while n < len(lacking) and n < window and lacking[n] == lacking[0] + n:
        n += 1
    return n


def _set_clock(client: Client, now_s: Callable[[], float], result: Downloaded) -> Clock | None:
    utc_s = utc_now_s(now_s())
    if utc_s < _HOST_CLOCK_LEAST_UTC_S:
        result.warnings.append("this computer's own clock is wrong: the clip's was left as it is")
        return None
    try:
        reply: Message = client.clock(utc_s)
    except Refused as fault:
        result.warnings.append(f"the clip's clock was not set: {fault}")
        return None
    was = reply.number("was_utc_s")
    set_at = reply.number("set_at_utc_s")
    return Clock(was != 0, was - utc_s if was else 0, utc_s - set_at if 0 < set_at < utc_s else 0)


def _acknowledge(client: Client, store: Store, journal: int, hello: Hello, result: Downloaded) -> bool:
    """True when there is nothing more to say; False when the clip holds other bytes than the store."""
    seq, crc = store.to_acknowledge(
        journal, hello.number("first_seq"), hello.number("next_seq"), hello.number("acked_seq")
    )
    if not seq:
        return True
    if hello.has(wire.HF_READ_ONLY):
        result.not_acknowledged = "its journal is of a later firmware, and it writes nothing"
        return True
    try:
        reply = client.acknowledge(seq, crc)
    except Refused as fault:
        if fault.code == wire.E_ACK:
            return False
        result.not_acknowledged = str(fault)
        return True
    if reply.number("acked_seq") < seq:
        result.not_acknowledged = f"it took it up to record {reply.number('acked_seq')} only"
        return True
    store.note_acknowledged(journal, seq)
    return True


def _warn(result: Downloaded, hello: Hello, not_sent: int) -> None:
    """What the walker should know of the clip at this meeting, in words."""
    tell = result.warnings.append
    lost = hello.number("dropped_unacked")
    if lost:
        tell(f"the clip was full and lost {count(lost, 'session')} before a download: fetch more often")
    if not_sent > 0:
        verb = "is" if not_sent == 1 else "are"
        tell(f"{count(not_sent, 'session')} {verb} not written on the clip yet: keep it on, and download again later")
    if hello.has(wire.HF_TRACE_FAULT):
        tell("the clip keeps no trace: its drive cannot be written; sessions are not touched by that")
    if result.blocks_lost:
        tell(f"{count(result.blocks_lost, 'block')} of the trace cannot be read, as after a loss of power")
    if result.unread:
        tell(f"{count(result.unread, 'record')} cannot be read by this version: the bytes are kept")
    if result.not_acknowledged:
        tell(f"the clip did not take the receipt ({result.not_acknowledged}): its sessions will be fetched again")
    if hello.has(wire.HF_SESSION_OPEN):
        tell("a session is still being recorded: it comes with the next download, when the walk has ended")
