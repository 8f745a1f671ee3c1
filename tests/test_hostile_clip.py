"""A clip that says anything at all: terminal, store and HTML stay what they are."""

import json
import random
import re
import sqlite3
from pathlib import Path

import pytest
from walktall import records as r
from walktall import wire
from walktall_host.cli import main
from walktall_host.client import Sent
from walktall_host.store import Store

from tests import made_trace
from tests.desk_device import UTC_S, Desk
from tests.host_clip import on_socket
from tests.test_page import read

TEXTS = {
    "escapes": "\x1b]0;owned\x07\x1b[2J\x9b31m\r\b",
    "script": "</title><script>alert(1)</script><img src=x onerror=alert(2)>",
    "markup": "[bold red]x[/bold red] {{ 7*7 }} {% raw %} &lt; %s %n",
    "reversed": "\u202egnp.exe\u2066\u200b\ufeff\u2028",
    "nothing": "\0\0\0\0",
    "huge": "W" * 200,
    "sql": "x'); DROP TABLE record; --",
}
_ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    status = main([str(a) for a in arguments])
    done = capsys.readouterr()
    return status, done.out, done.err


def sound(path: Path) -> None:
    """The store is whole, and all that is in it can be read."""
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        for (hello,) in db.execute("SELECT hello FROM device"):
            assert isinstance(json.loads(hello), dict)
    with Store(path) as store:
        store.sessions()
        store.devices()


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_of_a_clip_are_texts_everywhere(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk()
    for n in range(2):
        desk.record(600 + n, buzzes=n)
    text = TEXTS[kind]
    names = (wire.H_BOARD, wire.H_CHIP, wire.H_LAST_ERROR)
    honest = desk.handler.hello_into

    def hello_into(values: list[int | bytes | str]) -> None:
        honest(values)
        for name in names:
            values[name] = text
        values[wire.H_ERRORS] = 5

    monkeypatch.setattr(desk.handler, "hello_into", hello_into)
    store = tmp_path / "s.sqlite3"
    page = tmp_path / "r.html"
    with on_socket(desk) as port:
        for words in (
            ["info", "--port", port],
            ["info", "--port", port, "--json"],
            ["download", "--port", port, "--store", store],
            ["sessions", "--store", store],
            ["report", "--store", store],
            ["report", "--store", store, "--html", page],
            ["report", "--weeks", "4", "--store", store, "--html", page],
        ):
            status, out, err = run(capsys, *words)
            # A text that does not fit the frame is the clip's own fault, and told in a line.
            assert status == 0 or (kind == "huge" and status in (2, 3, 4)), err
            assert not _ACTS.search(out + err), words
            assert all(len(line) < 400 for line in err.splitlines())
    sound(store)
    if page.exists():
        assert "script" not in read(page.read_text()).tags


def test_records_and_blocks_of_noise_are_kept_or_refused_and_never_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], chance: random.Random
) -> None:
    """Bytes that carry right checks and wrong contents: what a faulty or malicious clip may send."""
    store = tmp_path / "s.sqlite3"
    walk = made_trace.plain_walk(300, leans=((100, 130),))
    good = made_trace.slot_of(made_trace.record_of(walk, seq=1, start_uptime_s=40, start_utc_s=UTC_S))
    blocks = made_trace.blocks(walk, start_uptime_s=40)
    with Store(store) as opened:
        hello = made_trace.hello_of()
        journal = opened.meet(hello, UTC_S + 9000)
        opened.keep(journal, [Sent(1, True, good)], hello, UTC_S + 9000)
        for seq in range(2, 60):
            raw = bytearray(good)
            raw[1:3] = seq.to_bytes(2, "little")
            for _ in range(chance.randint(1, 40)):
                raw[chance.randrange(3, len(raw))] = chance.randrange(256)
            opened.keep(journal, [Sent(seq, True, bytes(raw))], hello, UTC_S + 9000)
        ring = opened.meet_ring(journal, made_trace.RING_ID, UTC_S + 9000)
        for number, raw_block in blocks.items():
            noisy = bytearray(raw_block)
            for _ in range(chance.randint(0, 6)):
                noisy[chance.randrange(40, 500)] = chance.randrange(256)
            opened.keep_blocks(ring, {number: made_trace.placed(bytes(noisy), number, 1, 40, 40 + number)})
    sound(store)
    page = tmp_path / "r.html"
    for words in (["sessions"], ["report", "1"], ["report", "1", "--html", page], ["report", "--weeks", "9"]):
        status, out, err = run(capsys, *words, "--store", store)
        assert status == 0, err
        assert not _ACTS.search(out + err)
    read(page.read_text())
    with Store(store) as opened:
        for session in opened.sessions():
            if not session.has(r.FLAG_SATURATED):
                assert session["good_s"] <= session["wear_s"]
