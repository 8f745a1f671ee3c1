"""A made-up walk judged by the real chain, with the record and the trace that it leaves: no board, no port, 2 s."""

import functools
import io
import tempfile
from pathlib import Path

from walktall import events, records
from walktall import rows as w
from walktall.chain import Chain
from walktall.trace import Trace
from walktall_host import blocks
from walktall_host.client import Sent
from walktall_host.store import Store
from walktall_sim import chips, generate, replay

from tests.desk_device import UTC_S
from tests.test_host_store import hello_of

PLAN = "stand:8,walk:80,lean 20:30,walk:70,slouch 18:60,walk:60,arch 14:25,walk:40"
START_UPTIME_S = 4
CAPACITY_BLOCKS = 1024


class Walked:
    """What a walk left: the record's bytes, its blocks, and the buzzes as the chain gave them."""

    def __init__(
        self,
        plan: str = PLAN,
        seed: int = 3,
        seq: int = 1,
        answer_s: float | None = 3.0,
        wrong_after_s: float | None = None,
        settings: tuple[tuple[str, str], ...] = (),
        utc_s: int = UTC_S,
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "w.csv"
            generate.write(generate.Walk(generate.parse_plan(plan), seed), path)
            options = replay.Options(full=False, answer_s=answer_s, settings=settings)
            (walk,) = replay.walks(path, options, print)
        self.chain = chain = Chain(walk.settings)
        self.trace = trace = Trace(io.BytesIO(b"\xff" * w.BLOCK_BYTES * CAPACITY_BLOCKS), 1, chain)
        trace.load(lambda n: b"ring"[:n])
        replay.calibrate(chain, walk)
        while chain.ring.take():
            pass
        chain.begin()
        chain.session.start(seq, 1, utc_s, START_UPTIME_S, 3900)
        chain.rows = trace.rows
        trace.begin(1, seq)
        self.buzzes: list[tuple[int, int, int]] = []
        wrong_at = None
        second = 0
        for begin in range(0, walk.n, events.TICK_SAMPLES):
            tick = begin // events.TICK_SAMPLES
            for row in chips.quantise(
                walk.source.block(begin, events.TICK_SAMPLES), replay.ACCEL_FS_G, replay.GYRO_FS_DPS
            ).tolist():
                if chain.sample(*row) & events.SECOND:
                    second += 1
                    trace.note(START_UPTIME_S + second, utc_s + second if utc_s else 0, False)
            chain.buzz_request = 0
            while chain.ring.take():
                if chain.ring.code == events.BUZZ:
                    walk.source.buzzed(chain.ring.sample - 1)
                    self.buzzes.append((tick // events.TICKS_PER_S, tick % events.TICKS_PER_S, chain.ring.fault))
                    wrong_at = None if wrong_after_s is None else tick + round(wrong_after_s * events.TICKS_PER_S)
            if tick == wrong_at:
                chain.wrong()
        self.seconds = second
        chain.session.finish(utc_s + second if utc_s else 0, 3880)
        trace.end(START_UPTIME_S + second, utc_s + second if utc_s else 0, True)
        raw = bytearray(records.SESSION_SLOT_BYTES)
        records.pack_session_into(raw, 0, chain.session.fields)
        self.record = Sent(seq, True, bytes(raw))
        self.blocks = [self._block(number) for number in range(trace.first_block, trace.next_block)]

    def _block(self, number: int) -> bytes:
        buf = bytearray(w.BLOCK_BYTES)
        assert self.trace.read_into(number, 0, buf) == w.BLOCK_BYTES
        return bytes(buf)

    def keep(self, store: Store, device_id: bytes = b"\x01" * 8, without: tuple[int, ...] = ()) -> None:
        """Put record and blocks into a store, as a download does.

        :param without: blocks that are lost, by their place
        """
        hello = hello_of(device_id=device_id)
        journal = store.meet(hello, UTC_S + 9000)
        store.keep(journal, [self.record], hello, UTC_S + 9000)
        ring = store.meet_ring(journal, self.trace.ring_id, 5)
        kept = [raw for place, raw in enumerate(self.blocks) if place not in without]
        store.keep_blocks(ring, {blocks.head_of(raw).number: raw for raw in kept})


@functools.cache
def walked(**how: object) -> Walked:
    """The walk made so; made once."""
    return Walked(**how)  # type: ignore[arg-type]
