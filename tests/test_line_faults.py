"""The serial line fails at every single byte of a download: cut, late, lost, doubled, changed; towards either end.

Whatever the fault: the download ends right or says why; nothing wrong is stored; what the clip counts as acknowledged
is here; and the next download, over a sound line, ends with everything exactly once. In CI the exchange is of less than
2 KiB, and each fault is lived through to its end; `make soak` does it with a full journal and a ring of blocks, where
what makes no difference to the host is lived through once: see `Case.each`.
"""

import random
from collections.abc import Iterator

import pytest
from walktall import records as r
from walktall import wire
from walktall.session import merge_into
from walktall_host.client import Client
from walktall_host.download import download
from walktall_host.errors import ConnectionLost, NotAClip, TransferFailed
from walktall_host.store import Store

from tests.desk_device import UTC_S, Desk, Flash, trace_block, walk
from tests.host_clip import store_in_memory
from tests.soaking import SCALE, SEED, Tally, Tell, silence
from tests.test_journal import SMALL

NOW_S = float(UTC_S + 3600 + r.EPOCH_UNIX_S)
KINDS = ("cut", "late", "lost", "doubled", "changed")
#: Held to docs/reliability.md by tests/test_reliability.py.
CI_FAULTS_LEAST = 5000
SOAK_SESSIONS = 41
SOAK_BLOCKS = 40
#: Of the faults that `make soak` need not live through, one in so many is lived through all the same.
_TRUST_IN = 500


class Clock:
    """Time that passes only while somebody waits for bytes that do not come."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        self.s += 0.0001
        return self.s


def spoilt(data: bytes, k: int, kind: str, at: int) -> bytes:
    """A piece of what passes, with its byte ``k``, the one ``at`` of all, lost, doubled or changed."""
    if kind == "lost":
        return data[:k] + data[k + 1 :]
    if kind == "doubled":
        return data[: k + 1] + data[k:]
    return data[:k] + bytes([data[k] ^ (1 << at % 8)]) + data[k + 1 :]


def what_is_heard(decoder: wire.Decoder, data: bytes) -> list[bytes]:
    """The frames that end in these bytes."""
    heard = []
    at = 0
    while at < len(data):
        at = decoder.feed(data, at, len(data))
        if decoder.size:
            heard.append(bytes(decoder.frame[: decoder.size]))
    return heard


def state_of(decoder: wire.Decoder) -> tuple[object, ...]:
    """All that the next byte depends on, and what is counted."""
    begun = bytes(decoder.frame[: decoder._n])
    return (begun, decoder._left, decoder._code, decoder._lost, decoder.bad)


class FaultyLine:
    """The host's end of a line to a desk device that fails once, at one byte of one direction.

    :param towards: "host" or "clip": whose bytes are hit
    :param at: index of the byte
    """

    name = "memory"

    def __init__(self, desk: Desk, clock: Clock, towards: str = "", at: int = -1, kind: str = "") -> None:
        self.desk = desk
        self.clock = clock
        self.fault = (towards, at, kind)
        self.passed = {"host": 0, "clip": 0}
        #: The bytes towards the host, a piece for each read that brought some.
        self.pieces: list[bytes] = []
        self.happened = False
        self._held = bytearray()
        self._held_until_s = 0.0
        self._broken = False

    def _through(self, towards: str, data: bytes) -> bytes:
        first = self.passed[towards]
        self.passed[towards] += len(data)
        wanted, at, kind = self.fault
        if wanted != towards or not first <= at < first + len(data):
            return data
        self.happened = True
        k = at - first
        if kind == "cut":
            self._broken = True
            return data[:k]
        if kind == "late":
            # Longer than any time-out: the asker has asked again when these come.
            self._held += data[k:]
            self._held_until_s = self.clock.s + 4.0
            return data[:k]
        return spoilt(data, k, kind, at)

    def read(self, timeout_s: float) -> bytes:
        if self._broken:
            raise ConnectionLost("the line is cut")
        late = self.fault[0]
        for _ in range(40):
            if self._held and late == "clip" and self.clock.s >= self._held_until_s:
                self.desk.port.to_device += self._held
                self._held.clear()
            self.desk.poll()
            if self.desk.port.from_device:
                break
            if not self.desk.link.busy and not self.desk.port.to_device:
                break
        if self.desk.port.from_device:
            self.pieces.append(bytes(self.desk.port.from_device))
        data = self._through("host", bytes(self.desk.port.from_device))
        self.desk.port.from_device.clear()
        if self._held and late == "host":
            if self.clock.s < self._held_until_s:
                if data:  # bytes do not overtake each other
                    self._held += data
                    data = b""
            else:
                data = bytes(self._held) + data
                self._held.clear()
        if not data:
            self.clock.s += timeout_s
        return data

    def write(self, data: bytes) -> None:
        if self._broken:
            raise ConnectionLost("the line is cut")
        if self._held and self.fault[0] == "clip":
            self._held += data
            return
        self.desk.port.to_device += self._through("clip", data)

    def close(self) -> None:
        """Nothing to give back."""


class Case:
    """A clip and an empty store, the same each time and made quickly: both are copies."""

    def __init__(self, sessions: int, blocks: int, bank: int) -> None:
        desk = Desk((Flash(bank), Flash(bank)))
        for k in range(sessions):
            desk.journal.append(walk(300 + k), merge_into)
        desk.journal.commit(UTC_S, 5, True)
        self.banks = [bytes(each.data) for each in desk.banks]
        self.blocks = [trace_block(number) for number in range(blocks)]
        self.sessions = sessions
        self.whole = self.stored(self.run(*self.new()))

    def new(self) -> tuple[Desk, Store]:
        banks = (Flash(len(self.banks[0])), Flash(len(self.banks[1])))
        for bank, data in zip(banks, self.banks, strict=True):
            bank.data[:] = data
        desk = Desk(banks)
        assert desk.handler.trace is not None
        for block in self.blocks:
            desk.handler.trace.add(block)
        return desk, store_in_memory()

    def run(self, desk: Desk, store: Store, towards: str = "", at: int = -1, kind: str = "") -> Store:
        clock = Clock()
        self.line = FaultyLine(desk, clock, towards, at, kind)
        client = Client(self.line, clock, first_id=2000)  # an id that needs no search: see Client.hello
        download(client, client.hello(), store, lambda: NOW_S)
        return store

    def stored(self, store: Store) -> tuple[list[object], ...]:
        """What the store holds of this clip, but for when it met it."""
        db = store._db
        return (
            db.execute("SELECT seq, raw, acked, fault FROM record ORDER BY seq").fetchall(),
            db.execute("SELECT block, raw FROM trace_block ORDER BY block").fetchall(),
            db.execute("SELECT * FROM former").fetchall(),
            db.execute("SELECT block FROM trace_lost WHERE torn").fetchall(),
        )

    def fail(self, towards: str, at: int, kind: str) -> tuple[object, ...]:
        """(did the download end right in spite of the fault, all that passed); whatever it did, nothing is lost or
        wrong."""
        desk, store = self.new()
        ended = True
        try:
            self.run(desk, store, towards, at, kind)
        except (TransferFailed, NotAClip) as fault:
            ended = False
            assert str(fault)
        assert self.line.happened
        outcome = (ended, self.line.pieces, self.line.passed["clip"])
        records, blocks, former, torn = self.stored(store)
        held = {(row[0], row[1]) for row in records}  # type: ignore[index]
        assert held <= {(row[0], row[1]) for row in self.whole[0]}  # type: ignore[index]
        assert set(blocks) <= set(self.whole[1]) and former == [] and torn == []
        assert {seq for seq, _ in held} >= set(range(1, desk.journal.acked_seq + 1))
        if ended:
            assert self.stored(store) == self.whole
            assert desk.journal.unacknowledged == 0 and desk.journal.count == self.sessions
            if at % 16:
                store.close()
                return outcome  # there is nothing left to fetch: now and then that is tried
        # The line is mended: plugged in anew.
        desk.port.connected = False
        desk.poll()
        desk.port.connected = True
        desk.port.to_device.clear()
        desk.port.from_device.clear()
        self.run(desk, store)
        assert self.stored(store) == self.whole
        assert desk.journal.unacknowledged == 0 and desk.journal.count == self.sessions
        store.close()
        return outcome

    def alike(self, kind: str) -> Iterator[tuple[int, object]]:
        """Every byte towards the host, with what tells how the host takes the fault of that kind at it.

        Up to the read that the fault falls into all is as without it. What comes after depends on nothing but what
        the host takes out of that read: the frames it hears, in which state its decoder is left, and, for bytes that
        come late, that something came at all. So two faults of which that is the same go on the same.
        """
        self.run(*self.new())
        decoder = wire.Decoder()
        at = 0
        pieces, total = self.line.pieces, self.line.passed["host"]
        for n, piece in enumerate(pieces):
            before = (bytes(decoder.frame), *state_of(decoder))
            for k in range(len(piece)):
                trial = wire.Decoder()
                trial.frame[:] = before[0]
                trial._n, trial._left, trial._code, trial._lost, trial.bad = len(before[1]), *before[2:]
                if kind in ("cut", "late"):
                    # The rest comes in order, or never: where in a frame it breaks is all one.
                    yield at + k, (n, tuple(what_is_heard(trial, piece[:k])), k > 0)
                else:
                    heard = what_is_heard(trial, spoilt(piece, k, kind, at + k))
                    yield at + k, (n, tuple(heard), state_of(trial))
            what_is_heard(decoder, piece)
            at += len(piece)
        assert at == total

    def each(
        self, towards: str, kind: str, chance: random.Random | None = None, tell: Tell = silence
    ) -> Iterator[bool]:
        """For every byte in that direction: did a download with a fault of that kind at it end right?

        Faults that the host takes alike have to have the same outcome and the same exchange behind them.

        :param chance: given, such faults are lived through once, and again now and then; without it each is
        """
        self.run(*self.new())
        total = self.line.passed[towards]
        known: dict[object, tuple[object, ...]] = {}
        for at, how in self.alike(kind) if towards == "host" else ((at, at) for at in range(total)):
            if how not in known or chance is None or not chance.randrange(_TRUST_IN):
                outcome = self.fail(towards, at, kind)
                assert known.setdefault(how, outcome) == outcome, f"{kind} at {at} is not like the others"
            yield bool(known[how][0])
            tell(at + 1, total, "faults")
        print(f"{len(known)} of {total} differ")


def hit_every_byte(
    case: Case,
    kind: str,
    towards: str,
    chance: random.Random | None = None,
    tell: Tell = silence,
) -> None:
    outcomes = list(case.each(towards, kind, chance, tell))
    right = sum(outcomes)
    print(f"{kind} towards the {towards}: {len(outcomes)} faults, {right} downloads ended right, the others said why")
    if kind == "cut":
        assert right <= 2  # nobody waits for the last zero of the last answer
    elif kind == "late":
        # Later than two greetings wait: then it is told that no clip answers. Anything else is asked for again.
        assert right >= 0.8 * len(outcomes)
    else:
        assert right == len(outcomes)


@pytest.fixture(scope="module")
def case() -> Case:
    case = Case(sessions=2, blocks=1, bank=SMALL)
    assert sum(case.line.passed.values()) <= 2048
    return case


@pytest.mark.parametrize("towards", ["host", "clip"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_at_any_byte_loses_nothing_and_doubles_nothing(case: Case, kind: str, towards: str) -> None:
    hit_every_byte(case, kind, towards)


def test_the_count_of_faults_is_the_one_that_is_told(case: Case) -> None:
    case.run(*case.new())
    faults = len(KINDS) * sum(case.line.passed.values())
    print(f"{faults} faults over an exchange of {sum(case.line.passed.values())} bytes")
    assert faults >= CI_FAULTS_LEAST


@pytest.mark.soak
@pytest.mark.parametrize("towards", ["host", "clip"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_at_any_byte_of_a_full_download(kind: str, towards: str, tally: Tally) -> None:
    full = Case(sessions=SOAK_SESSIONS, blocks=max(1, int(SOAK_BLOCKS * SCALE)), bank=4096)
    hit_every_byte(full, kind, towards, random.Random(SEED), tally)
