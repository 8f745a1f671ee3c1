"""The client: whatever a port brings, it ends in time with the right answer or one of its own errors."""

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from walktall import wire
from walktall_host.client import Client, Message, short_name, version_text
from walktall_host.errors import BadReply, ConnectionLost, NoAnswer, NotAClip, Refused, TransferFailed, WalktallError

from tests.desk_device import Desk, frames_in
from tests.host_clip import DirectPort, FakeTime


class ScriptedPort:
    """A port on which a hostile clip answers: whatever it is asked, it sends these bytes.

    ``{id}`` of the last request is put in by ``answer``.
    """

    name = "hostile"

    def __init__(self, answer: "list[bytes] | None" = None) -> None:
        self.answer = answer or []
        self.asked: list[tuple[int, int]] = []
        self.reads = 0
        self._decoder = wire.Decoder()

    def write(self, data: bytes) -> None:
        self.asked += [(kind, request_id) for kind, request_id, _ in frames_in(data, self._decoder)]

    def read(self, timeout_s: float) -> bytes:
        self.reads += 1
        return self.answer[self.reads % len(self.answer)] if self.answer else b""

    def close(self) -> None:
        pass


def client_of(port: object) -> Client:
    return Client(port, FakeTime(), first_id=1)  # type: ignore[arg-type]


def test_hello_tells_what_the_clip_says() -> None:
    desk = Desk()
    desk.record()
    hello = client_of(DirectPort(desk)).hello()
    assert hello.device_id == desk.hello()["device_id"]
    assert hello.text("board") == "Seeed_XIAO_nRF52840_Sense"
    assert hello.number("sessions") == 1
    assert "usb" in hello.flag_names
    assert hello.name == short_name(hello.device_id) == hello.device_id.hex()[:4]


def test_a_port_that_is_only_probed_gets_no_byte_that_a_console_takes_for_a_key() -> None:
    """Ctrl-C would stop the program of another board, Ctrl-D restart it."""
    port = DirectPort(Desk())
    client = client_of(port)
    for _ in range(300):
        client.hello()
    assert not {3, 4} & set(port.sent)


def test_silence_is_no_clip() -> None:
    with pytest.raises(NotAClip, match="console"):
        client_of(ScriptedPort()).hello()


def test_silence_later_is_no_answer() -> None:
    with pytest.raises(NoAnswer):
        client_of(ScriptedPort()).clock(1)


def test_a_request_lost_on_the_way_is_asked_again() -> None:
    desk = Desk()
    lost = [2]

    def lose(data: bytes) -> bytes:
        if data and lost[0]:
            lost[0] -= 1
            return b""
        return data

    assert client_of(DirectPort(desk, lose)).clock(1000).number("utc_s") == 1000


def test_what_acts_acts_once_though_its_answer_was_lost() -> None:
    desk = Desk()
    lost = [1]

    def lose(data: bytes) -> bytes:
        if data and lost[0]:
            lost[0] -= 1
            return b""
        return data

    client_of(DirectPort(desk, lose)).identify()
    assert desk.handler.identified == 1


def test_an_answer_to_an_earlier_request_is_not_taken_for_this_ones() -> None:
    late = wire.encode(
        wire.CLOCK | wire.REPLY,
        9999,
        wire.pack(wire.CLOCK_REPLY_FIELDS, {"was_utc_s": 1, "utc_s": 2, "set_at_utc_s": 3, "uptime_s": 4}),
    )
    desk = Desk()
    client = client_of(DirectPort(desk, lambda data: late + data))
    assert client.clock(1000).number("utc_s") == 1000


def test_live_data_in_between_disturbs_nothing() -> None:
    live = wire.encode(wire.LIVE_DATA, 0, bytes(wire.LIVE_TABLE.size))
    desk = Desk()
    desk.record()
    client = client_of(DirectPort(desk, lambda data: live + data + live))
    assert len(client.fetch(1, 8).records) == 1


def test_a_refusal_is_told_in_the_clips_own_words() -> None:
    desk = Desk()
    with pytest.raises(Refused, match="no written record has the number 7") as refused:
        client_of(DirectPort(desk)).acknowledge(7, bytes(4))
    assert refused.value.code == wire.E_BAD_REQUEST


def test_a_clip_of_another_protocol_is_told_apart_from_no_clip() -> None:
    body = bytearray(wire.HELLO_TABLE.size)
    body[:8] = b"\x01" * 8
    body[12] = wire.PROTOCOL + 1

    class Other(ScriptedPort):
        def read(self, timeout_s: float) -> bytes:
            return bytes(wire.encode(wire.HELLO | wire.REPLY, self.asked[-1][1], bytes(body)))

    with pytest.raises(BadReply, match="upgrade the tool"):
        client_of(Other()).hello()


def test_a_hello_of_an_older_firmware_that_ends_early_reads_with_zeros() -> None:
    desk = Desk()
    body = desk.ask(wire.HELLO)[0][2]

    class Old(ScriptedPort):
        def read(self, timeout_s: float) -> bytes:
            return bytes(wire.encode(wire.HELLO | wire.REPLY, self.asked[-1][1], body[:60]))

    hello = client_of(Old()).hello()
    assert hello.device_id == body[:8]
    assert hello.number("calibrated_utc_s") == 0


class Records(ScriptedPort):
    """Sends these record bodies to every FETCH, then says how many."""

    def __init__(self, bodies: list[bytes], sent: int | None = None) -> None:
        super().__init__()
        self.bodies = bodies
        self.told = len(bodies) if sent is None else sent

    def read(self, timeout_s: float) -> bytes:
        self.reads += 1
        if self.reads > 1:
            return b""
        request = self.asked[-1][1]
        frames = [wire.encode(wire.RECORD, request, body) for body in self.bodies]
        frames.append(wire.encode(wire.FETCH | wire.REPLY, request, wire.pack(wire.FETCH_REPLY_FIELDS, (self.told, 5))))
        return b"".join(frames)


def record_body(seq: int, inner: int | None = None, size: int = 92) -> bytes:
    raw = bytearray(size)
    raw[0] = 1
    raw[1:3] = (seq if inner is None else inner).to_bytes(2, "little")
    return bytes(wire.pack(wire.RECORD_FIELDS, (seq, 0))) + bytes(raw)


@pytest.mark.parametrize(
    "bodies",
    [
        [record_body(4, inner=3)],
        [record_body(2)],
        [record_body(4)[:5]],
        [record_body(seq) for seq in range(3, 20)],
    ],
    ids=["wrong number inside", "not asked for", "empty", "more than asked for"],
)
def test_a_record_that_cannot_be_is_refused(bodies: list[bytes]) -> None:
    with pytest.raises(BadReply):
        client_of(Records(bodies)).fetch(3, 4)


def test_a_batch_is_complete_only_when_as_many_came_as_were_sent() -> None:
    assert client_of(Records([record_body(3), record_body(4)])).fetch(3, 4).complete
    assert not client_of(Records([record_body(3)], sent=2)).fetch(3, 4).complete
    doubled = client_of(Records([record_body(3), record_body(3)], sent=1)).fetch(3, 4)
    assert doubled.complete
    assert len(doubled.records) == 1


def test_a_clip_that_never_stops_sending_is_left_after_a_while() -> None:
    class Endless(ScriptedPort):
        def read(self, timeout_s: float) -> bytes:
            return bytes(wire.encode(wire.RECORD, self.asked[-1][1], record_body(3)))

    assert not client_of(Endless()).fetch(3, 4).complete


_PIECES = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda kind, request, body: bytes(wire.encode(kind, request, body)),
        st.integers(0, 255),
        st.integers(0, 12),
        st.binary(max_size=120),
    ),
)


@settings(max_examples=150)
@given(pieces=st.lists(_PIECES, min_size=1, max_size=8))
@example(pieces=[b"\x00" * 40])
@example(pieces=[b"\xff" * 600])
def test_no_bytes_from_a_port_bring_anything_but_an_answer_or_an_error_of_ours(pieces: list[bytes]) -> None:
    for ask in (
        lambda client: client.hello(),
        lambda client: client.clock(5),
        lambda client: client.fetch(1, 8),
        lambda client: client.acknowledge(1, bytes(4)),
    ):
        try:
            ask(client_of(ScriptedPort(pieces)))
        except WalktallError as fault:
            assert "\n" not in str(fault)
            assert str(fault).isprintable()


def test_a_torn_and_noisy_line_never_gives_a_wrong_answer(chance: random.Random) -> None:
    for _ in range(60):
        desk = Desk()
        desk.record(500)

        def noise(data: bytes) -> bytes:
            broken = bytearray(data)
            for _ in range(len(broken) // 40):
                broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
            return bytes(broken)

        try:
            batch = client_of(DirectPort(desk, noise)).fetch(1, 8)
        except TransferFailed:
            continue
        assert [sent.raw for sent in batch.records] in ([], [desk.fetch(1)[1]])


def test_a_line_that_breaks_says_so() -> None:
    port = DirectPort(Desk())
    port.breaks_after = 0
    with pytest.raises(ConnectionLost):
        client_of(port).hello()


def test_bytes_of_a_message_become_digits_and_texts_lose_what_acts_on_a_terminal() -> None:
    message = Message({"raw": b"\x1b\x00", "text": "\x1b[31mred\u202e\x07", "n": 5})
    assert message.plain() == {"raw": "1b00", "text": "?[31mred??", "n": 5}
    assert message.text("text") == "?[31mred??"


def test_a_version_reads_as_it_was_written() -> None:
    assert version_text(10203) == "1.2.3"
