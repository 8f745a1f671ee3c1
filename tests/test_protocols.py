"""Every protocol version ever released is read: a download as a clip of each said it, byte for byte, kept for good.

``tests/golden/protocol_N.txt`` holds the exchange and what the store held after it. A file is made once, by
``--rewrite`` while there is none, and never again: what clips in the field say does not change.
"""

from pathlib import Path
from zlib import crc32

import pytest
from walktall import journal as j
from walktall import records as r
from walktall import wire
from walktall.session import merge_into
from walktall_host.client import Client
from walktall_host.download import download
from walktall_host.store import Store

from tests.desk_device import UTC_S, Desk, Flash, frames_in, walk
from tests.host_clip import DirectPort, FakeTime, store_in_memory
from tests.made_trace import RING_ID, blocks, plain_walk

GOLDEN = Path(__file__).resolve().parent / "golden"
NOW_S = float(UTC_S + 3600 + r.EPOCH_UNIX_S)
Frame = tuple[int, bytes]


class Recorder(DirectPort):
    """A line on which each request and what was answered to it is written down."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, self._note)
        self.exchanges: list[tuple[Frame, list[Frame]]] = []
        self._asked, self._answered = wire.Decoder(), wire.Decoder()

    def write(self, data: bytes) -> None:
        self.exchanges += [((kind, body), []) for kind, _, body in frames_in(data, self._asked)]
        super().write(data)

    def _note(self, data: bytes) -> bytes:
        self.exchanges[-1][1].extend((kind, body) for kind, _, body in frames_in(data, self._answered))
        return data


class Replayed:
    """The clip of a file: what it said to a request, it says to the same request again."""

    name = "replayed"

    def __init__(self, exchanges: list[tuple[Frame, list[Frame]]], version: int) -> None:
        self.left = list(exchanges)
        self._version = version
        self._decoder = wire.Decoder()
        self._out = b""

    def write(self, data: bytes) -> None:
        for kind, request_id, body in frames_in(data, self._decoder):
            for n, (asked, answers) in enumerate(self.left):
                if asked == (kind, body):
                    del self.left[n]
                    self._out += b"".join(wire.encode(got, request_id, said, self._version) for got, said in answers)
                    break

    def read(self, timeout_s: float) -> bytes:
        data, self._out = self._out, b""
        return data

    def close(self) -> None:
        """Nothing to give back."""


def in_store(store: Store) -> list[str]:
    """What the store holds, a line each: records, what is read of them, blocks."""
    db = store._db
    lines = [
        f"= record {seq} {'acknowledged' if acked else 'not acknowledged'} {raw.hex()}"
        for seq, acked, raw in db.execute("SELECT seq, acked, raw FROM record ORDER BY seq")
    ]
    for session in store.sessions():
        told = " ".join(f"{name}={value}" for name, value in session.values.items() if value)
        lines.append(f"= session {told}")
    lines += [f"= unread {unread.seq}" for unread in store.unread()]
    blocks_here = db.execute("SELECT block, raw FROM trace_block ORDER BY block")
    return lines + [f"= block {block} {crc32(raw[:-4]):08x}" for block, raw in blocks_here]


def recorded() -> str:
    """A download from a clip of today: two walks, one that a later firmware wrote, three blocks of trace."""
    desk = Desk((Flash(), Flash()))
    for wear_s in (600, 650, 700):
        desk.journal.append(walk(wear_s), merge_into)
    desk.journal.commit(UTC_S, 5, True)
    # The second record is of a later layout.
    bank = desk.banks[desk.journal.bank].data
    bank[j.SLOTS_AT + r.SESSION_SLOT_BYTES] = 9
    r.seal_into(bank, 0, len(bank) - 4)
    desk = Desk(desk.banks)
    assert desk.handler.trace is not None
    for raw in list(blocks(plain_walk(300), number=0, ring_id=RING_ID).values())[:3]:
        desk.handler.trace.add(raw)
    port = Recorder(desk)
    with store_in_memory() as store:
        client = Client(port, FakeTime(), first_id=2000)
        download(client, client.hello(), store, lambda: NOW_S)
        held = in_store(store)
    lines = []
    for (kind, body), answers in port.exchanges:
        lines.append(f"> {kind} {body.hex()}")
        lines += [f"< {got} {said.hex()}" for got, said in answers]
    return "\n".join([*lines, *held]) + "\n"


def read(text: str) -> tuple[list[tuple[Frame, list[Frame]]], list[str]]:
    exchanges: list[tuple[Frame, list[Frame]]] = []
    held = []
    for line in text.splitlines():
        mark, _, rest = line.partition(" ")
        kind, _, body = rest.partition(" ")
        if mark == ">":
            exchanges.append(((int(kind), bytes.fromhex(body)), []))
        elif mark == "<":
            exchanges[-1][1].append((int(kind), bytes.fromhex(body)))
        else:
            held.append(line)
    return exchanges, held


@pytest.mark.parametrize("version", range(1, wire.PROTOCOL + 1))
def test_a_download_from_a_clip_of_every_version_ever_released_is_what_it_was(
    version: int, request: pytest.FixtureRequest
) -> None:
    path = GOLDEN / f"protocol_{version}.txt"
    if request.config.getoption("--rewrite") and version == wire.PROTOCOL and not path.exists():
        path.write_text(recorded())
    exchanges, held = read(path.read_text())
    port = Replayed(exchanges, version)
    with store_in_memory() as store:
        client = Client(port, FakeTime(), first_id=500)
        result = download(client, client.hello(), store, lambda: NOW_S)
        assert in_store(store) == held
    assert port.left == [], "a request that this host no longer makes"
    assert (result.new, result.unread, result.not_acknowledged) == (3, 1, "")


def test_what_this_version_cannot_read_is_kept_and_acknowledged_on_its_bytes() -> None:
    """The promise is about bytes that are safe here, not about what can be made of them."""
    _, held = read((GOLDEN / "protocol_1.txt").read_text())
    assert sum(line.startswith("= record") and " acknowledged " in line for line in held) == 3
    assert "= unread 2" in held and sum(line.startswith("= session") for line in held) == 2
    assert sum(line.startswith("= block") for line in held) == 3
