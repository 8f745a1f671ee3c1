"""How many hours of walking without a pause the ring of each board holds: `python -m bench.trace` prints the table.

Real walking of every person of the sets worn on the upper trunk (`people.TRUNK`), joined to walks of equal length that
make thirteen hours in one session, goes through the firmware's own chain, rows and trace into a ring of blocks
in memory. Rows, checkpoints that grow with the walk, and the room that a row leaves behind it: all of it is counted.
The recordings lie beside the project. Decision 006 has the figures, tests/test_trace.py holds the boards to them.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from walktall import boards, events, rows
from walktall.trace import Trace

from bench import people, play

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "recordings"
HOURS = 13.0


class Memory:
    """A file in memory that lies in the flash: blocks are blank or written."""

    def __init__(self, blocks: int) -> None:
        self.data = bytearray(b"\xff" * (rows.BLOCK_BYTES * blocks))
        self.at = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """As a file's."""
        self.at = offset if whence == 0 else len(self.data) + offset
        return self.at

    def readinto(self, buf: Any) -> int:
        """As a file's."""
        buf[:] = self.data[self.at : self.at + len(buf)]
        return len(buf)

    def write(self, buf: Any) -> int:
        """As a file's."""
        self.data[self.at : self.at + len(buf)] = buf
        return len(buf)


@dataclass(slots=True)
class Found:
    """What was counted."""

    seconds: int = 0
    row_bytes: int = 0
    rows: int = 0
    #: (seconds worn so far, bytes of the checkpoint) of each block
    checkpoints: list[tuple[int, int]] = field(default_factory=list)
    blocks: int = 0
    people: int = 0
    #: Seconds worn when each block was written.
    ends: list[int] = field(default_factory=list)

    @property
    def seconds_a_block(self) -> float:
        """In the last twelve hours, when the checkpoints are largest."""
        late = [at for at in self.ends if at > self.seconds - 12 * 3600]
        return (late[-1] - late[0]) / (len(late) - 1)


def measure(root: Path, hours: float = HOURS) -> Found:
    """Walk so long, everybody in turn, in one session."""
    people.set_root(root)
    everyone = people.people(people.TRUNK)
    minutes = 60.0 * hours / len(everyone)
    file = Memory(4096)
    found = Found(people=len(everyone))
    trace: Any = None
    carried: tuple[Any, Any] | None = None
    for person in everyone:
        source = play.Plain(people.joined(person.kit, person.name, minutes).data)
        chain = play.new_chain(people.mounting_of(person.kit), play.upright_of(source))
        if trace is None:
            trace = Trace(file, 1, chain)
            trace.load(bytes)
            _watch(trace, found)
        chain.rows = trace.rows
        trace._chain = chain
        if carried is None:
            trace.begin(1, 1)
        else:  # the next person's, into one long session
            chain.session.fields[:], chain.session.state[:] = carried
        for minute in range(int(minutes)):
            for second in range(60):
                begin = (60 * minute + second) * people.HZ
                play.feed(chain, source, begin, begin + people.HZ, lump=people.HZ)
                found.seconds += 1
                trace.note(found.seconds, 0, False)
        carried = (chain.session.fields, chain.session.state)
    found.blocks = trace.next_block - 1
    return found


def _watch(trace: Any, found: Found) -> None:
    """Count the bytes of each row of walking and of each checkpoint."""
    second, pack = trace.rows.second, trace._pack_checkpoint

    def counted(second_class: int, cadence_spm: int) -> None:
        before = trace.rows.at
        walks = trace.rows._state[3] & events.WALKS
        second(second_class, cadence_spm)
        if walks:
            found.rows += 1
            found.row_bytes += trace.rows.at - before

    def packed(at: int) -> int:
        end = int(pack(at))
        if end >= 0:
            found.checkpoints.append((found.seconds, end - at))
        return end

    write = trace._write

    def written(buf: bytearray) -> bool:
        found.ends.append(found.seconds)
        return bool(write(buf))

    trace._write = written
    trace.rows.second = counted
    trace._pack_checkpoint = packed


def hours_of(found: Found, blocks: int, parts: int) -> float:
    """Hours that a board's file holds when the ring has come round: a sector at either end and, on external flash, what
    is kept blank ahead are none of it."""
    capacity = (blocks // 16 - 1) * 16
    return (capacity - (16 if parts == 1 else 0)) * found.seconds_a_block / 3600


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=Path, default=RECORDINGS)
    parser.add_argument("--hours", type=float, default=HOURS)
    chosen = parser.parse_args()
    found = measure(chosen.recordings, chosen.hours)
    late = [size for at, size in found.checkpoints if at > found.seconds // 2]
    print(
        f"{found.people} people, {found.seconds / 3600:.1f} h: {found.row_bytes / found.rows:.2f} bytes a row, "
        f"{statistics.mean(late):.0f} a checkpoint in the second half ({max(late)} at the most), "
        f"{found.seconds_a_block:.1f} s a block"
    )
    for name in boards.names():
        profile = boards.select(name)
        hours = hours_of(found, profile.trace_blocks, profile.trace_parts)
        print(f"{name}: {profile.trace_blocks} blocks, {hours:.1f} h")


if __name__ == "__main__":
    main()
