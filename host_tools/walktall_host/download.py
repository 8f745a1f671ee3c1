"""One clip's sessions into the store: greet, set the clock, fetch what is lacking, commit, and only then acknowledge.

The order is the promise. A record is acknowledged after its bytes are committed here, with a CRC over those bytes *as
stored*; whatever breaks before that, the clip still has them, and the next download goes on where this one stopped.
Nothing is erased on the clip, and bytes that are here already change nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from walktall import wire

from .client import Client, Hello, Message, utc_now_s
from .errors import NoAnswer, Refused, TransferFailed
from .store import Store
from .terminal import count

#: Records a FETCH: what a kill in mid-transfer has to fetch again.
WINDOW = 8
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
    warnings: list[str] = field(default_factory=list)


def download(
    client: Client,
    hello: Hello,
    store: Store,
    now_s: Callable[[], float],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Downloaded:
    """Everything that the clip has and the store lacks.

    :param now_s: Unix time, as ``time.time``
    :param progress: told the records done and to do
    :raises TransferFailed: it broke off; what had come is in the store
    """
    met_utc_s = utc_now_s(now_s())
    journal = store.meet(hello, met_utc_s)
    result = Downloaded(hello, wiped=store.journals_of(hello.device_id) > 1)
    result.clock = _set_clock(client, now_s, result)
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
    _warn(result, hello, hello.number("sessions") - held)
    return result


def _fetch(
    client: Client,
    store: Store,
    journal: int,
    hello: Hello,
    met_utc_s: int,
    result: Downloaded,
    progress: Callable[[int, int], None],
) -> None:
    """Everything lacking, window by window, each committed before the next is asked for."""
    lacking = store.lacking(journal, hello.number("first_seq"), hello.number("next_seq"), hello.number("acked_seq"))
    total = len(lacking)
    tries = _TRIES
    progress(0, total)
    while lacking:
        limit = _run(lacking)
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
        progress(total - len(lacking), total)


def _run(lacking: list[int]) -> int:
    """How many numbers in a row are lacking from the first on, at most a window."""
    n = 1
    while n < len(lacking) and n < WINDOW and lacking[n] == lacking[0] + n:
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
    if result.unread:
        tell(f"{count(result.unread, 'record')} cannot be read by this version: the bytes are kept")
    if result.not_acknowledged:
        tell(f"the clip did not take the receipt ({result.not_acknowledged}): its sessions will be fetched again")
    if hello.has(wire.HF_SESSION_OPEN):
        tell("a session is still being recorded: it comes with the next download, when the walk has ended")
