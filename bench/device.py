"""`make bench-device`: what the firmware costs in the board's kind of machine; writes docs/benchmarks/device.md.

Under MicroPython (31-bit small ints, 4-byte words): heap, and time as a ratio to reading the sensor by Adafruit's
driver in the same machine in the same run. Told is the median of the rounds' ratios, so that what else the computer
does falls out; no time in seconds is told, because it would say nothing about a board.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import itertools
import statistics
import subprocess
import sys
import tempfile
import textwrap
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Any

from walktall_host import compact
from walktall_host.drive import made

from tests.vm.machine import ExerciseFailed, Machine, MachineMissing, without_docstrings
from tests.vm.vectors import write_all

ROOT = Path(__file__).resolve().parent.parent
FIRMWARE = ROOT / "firmware"
OUT = ROOT / "docs" / "benchmarks" / "device.md"
SEED = 20260105
ROUNDS = 18
STEPS = 160  # more than cost_memory has
# What the figures depend on: the pipeline, and what carries it. Their digest stands in the page.
FILES = (
    *(
        "fixmath",
        "ticks",
        "events",
        "tilt",
        "gait",
        "motion",
        "calibrate",
        "coach",
        "detector",
        "session",
        "chain",
        "supply",
    ),
    *("buzz", "device", "wearing", "hw/imu", "hw/tagged"),
)
RATIO_MAX = 0.4
MEMORY_MAX_KIB = 80
# What `gc.mem_free()` tells after the boot of a board with the reference board's chip, an Adafruit CLUE nRF52840 under
# CircuitPython 5.3 (adafruit/circuitpython, issue 3030). Not seen here; no figure for a XIAO was found.
FREE_ON_A_BOARD = 144080
# The least that was found told of any board of these chips: a Pico W under 9.0.0 (issue 9085).
FREE_AT_LEAST = 126112
# What `cost_memory` tells beside imports; from VISIT on a computer is there.
NOT_IMPORTS = ("code.py", "driver gone", "start gone", "device made", "resume gone", "visit made", "visit gone")
VISIT = ("answers", "frames", "sending", "link", "telling", "visit", "visit made")
_COUNTED_SAMPLES = 5200
_SHOWN = 14


def digest() -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the measured files."""
    whole = hashlib.sha256()
    for name in FILES:
        whole.update((FIRMWARE / "lib" / "walktall" / f"{name}.py").read_bytes())
    whole.update(Path(compact.__file__).read_bytes())
    return whole.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of heap, step by step as `code.py` goes about it.

    :param kept: bytes that each step keeps, in order
    :param crowded: bytes that each step takes beside what is held, at the most
    :param names: how many names (qstr) all the code has, and the bytes that they take
    """

    kept: dict[str, int]
    crowded: dict[str, int]
    names: tuple[int, int]

    @property
    def imported(self) -> int:
        """Bytes of all imports, the driver's, the link's and the self-test's too, as if nothing were let go."""
        return sum(size for name, size in self.kept.items() if name not in NOT_IMPORTS)

    @property
    def worn(self) -> int:
        """Bytes in use while somebody walks: `code.py`, the device made, what is let go taken off."""
        return self.held(VISIT[0])

    @property
    def visited(self) -> int:
        """Bytes in use while a computer is there."""
        return self.held("selftest")

    def held(self, step: str) -> int:
        """Bytes in use before a step."""
        names = list(self.kept)
        return sum(self.kept[name] for name in names[: names.index(step)])

    @property
    def starting(self) -> tuple[int, str]:
        """Bytes in use at the most until somebody walks, and at which step: modules in the order of `code.py`."""
        names = list(self.kept)
        met = names.index("start gone")
        most = max((self.held(name) + self.crowded[name], name) for name in (*names[: met + 1], "device made"))
        held = self.held(names[met + 1])
        for name in compiled():
            most = max(most, (held + self.crowded[name], name))
            held += self.kept[name]
        return most

    @property
    def arriving(self) -> tuple[int, str]:
        """Bytes in use at the most when a computer arrives, and at which step."""
        return max((self.held(name) + self.crowded[name], name) for name in VISIT)


@dataclass(frozen=True, slots=True)
class Costs:
    """All that was measured. Times in readings of both sensors by the driver.

    :param times: by name, of one sample, tick, poll, second or label
    :param memory: of the files that lie on the drive
    :param plain: the same of the sources
    :param heap: (chip, samples, polls, bytes in all, most bytes in one poll)
    :param opcodes: CPython's opcodes a sample by function, the greatest first
    """

    times: dict[str, float]
    memory: Memory
    plain: Memory
    heap: list[tuple[str, int, int, int, int]]
    opcodes: list[tuple[str, float]]


def compiled() -> list[str]:
    """The modules of the package in the order in which `code.py` has them compiled, those that these import behind
    each."""
    tree = ast.parse((FIRMWARE / "code.py").read_text(encoding="utf-8"))
    (given,) = (
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_MODULES"
    )
    found: list[str] = []

    def add(name: str) -> None:
        path = FIRMWARE / "lib" / "walktall" / f"{name}.py"
        if name in found or not path.is_file():
            return
        found.append(name)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                for wanted in [node.module] if node.module else [alias.name for alias in node.names]:
                    add(wanted)

    for name in ast.literal_eval(given):
        add(name)
    return [*found, "resume"]


def ratios(lines: list[str]) -> dict[str, float]:
    """Times in readings from what a round of `cost_time` printed, transfers taken off both."""
    least: dict[str, float] = {}
    for line in lines:
        name, us = line.split()
        least[name] = min(float(us), least.get(name, float("inf")))
    reading = least["reading"] - least["reading_bus"]
    burst_bus = 13 * least["drain_bus"]
    parts = {
        "pipeline": least["pipeline"] - least["drain_bus"],
        "drain": least["drain"] - least["drain_bus"],
        "motion": least["motion"],
        "tick share": least["pipeline"] - least["samples_alone"],
        "believe": least["believe"],
        "poll": least["poll"] - least["poll_clock"] - burst_bus,
        "poll still": least["poll_still"] - least["poll_clock"] - burst_bus,
        "second": least["second"] - least["reading_bus"],  # it too has two transfers
        "label": least["label"],
        "doze": least["doze_second"],
    }
    return {name: us / reading for name, us in parts.items()}


def typical(lines: list[str]) -> dict[str, float]:
    """The median of each round's ratios: what is compared was then timed within a second, whatever else went on. The
    first third is left out: the engine below still makes the machine faster, the reading more than the rest."""
    first = lines[0].split()[0]
    starts = [at for at, line in enumerate(lines) if line.split()[0] == first]
    rounds = [ratios(lines[at:end]) for at, end in itertools.pairwise([*starts, len(lines)])]
    settled = rounds[len(rounds) // 3 :]
    return {name: statistics.median(one[name] for one in settled) for name in settled[0]}


def memory(lines: list[str]) -> Memory:
    """What `cost_memory` told."""
    (pool,) = (line for line in lines if line.startswith("qstr"))
    figures = dict(word.strip(",").split("=") for word in pool.split() if "=" in word)
    told = [line for line in lines if line[0].isdigit()]
    rows = [(int(row[0]), int(row[1]), row[3]) for row in (line.split(maxsplit=3) for line in told)]
    kept = {row[2]: after[0] - row[0] for row, after in itertools.pairwise(rows[1:])}
    crowded = {row[2]: row[1] - row[0] for row in rows[1:-1]}
    return Memory(kept, crowded, (int(figures["n_qstr"]), int(figures["n_total_bytes"])))


def heap(lines: list[str]) -> list[tuple[str, int, int, int, int]]:
    """What `heap_device` told of each chip."""
    rows = []
    for chip, line in zip(("LSM6DS3TR-C", "LSM6DSOX"), lines, strict=True):
        n_samples, polls, used, most = (int(word) for word in line.split()[1:5])
        rows.append((chip, n_samples, polls, used, most))
    return rows


def count_opcodes(vector: Path, n_samples: int) -> list[tuple[str, float]]:
    """Opcodes a sample by function: the same on every machine with this Python, so that a change shows exactly."""
    from array import array

    from walktall import settings
    from walktall.chain import Chain
    from walktall.motion import views_of
    from walktall.supply import Supply

    forces_first = array("h")
    forces_first.frombytes(vector.read_bytes())
    # The FIFO has the rates first.
    counts = array("h", (forces_first[i + (3 if i % 6 < 3 else -3)] for i in range(6 * n_samples)))
    chain: Any = Chain(settings.Settings())
    chain.session.start(1, 1, 0, 0, 4000)
    chain.set_upright(0, 8197, 0, 0, 0, 0, 90)
    supply: Any = Supply()
    room = array("h", bytes(2 * 6 * 13))
    views = views_of(room)
    found: Counter[str] = Counter()

    def entered(frame: FrameType, event: str, arg: Any) -> Any:
        name = f"{Path(frame.f_code.co_filename).stem}: {frame.f_code.co_qualname}"
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False

        def inside(frame: FrameType, event: str, arg: Any) -> Any:
            if event == "opcode":
                found[name] += 1
            return inside

        return inside

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        for at in range(0, 6 * n_samples, 6 * 13):
            room[:] = counts[at : at + len(room)]
            n = supply.believe(room, 0, 13)
            k = 0
            while n:
                taken = chain.burst(views, k, n)
                n -= taken
                k += taken
            chain.buzz_request = 0
    finally:
        sys.settrace(before)
    return [(name, n / n_samples) for name, n in found.most_common() if not name.startswith("device:")]


def measure(rounds: int, counted: int = _COUNTED_SAMPLES) -> Costs:
    """Run everything.

    :raises MachineMissing: MicroPython is not installed
    :raises ExerciseFailed: a part raised
    """
    with tempfile.TemporaryDirectory() as folder:
        vectors = Path(folder)
        write_all(vectors, SEED)
        machine = Machine(vectors)
        big = 4 << 20
        times = machine.micropython(
            "cost_time", call="step()", times=rounds, heap_bytes=big, driver=True, compact=True
        ).splitlines()
        turns = machine.micropython("heap_device", heap_bytes=big, driver=True, compact=True).splitlines()
        return Costs(
            typical(times),
            _memory(vectors, made(ROOT).files[PurePosixPath("code.py")], True),
            _memory(vectors, without_docstrings((FIRMWARE / "code.py").read_text(encoding="utf-8")), False),
            heap(turns),
            count_opcodes(vectors / "walk.bin", counted),
        )


def _memory(vectors: Path, code: str, drive_files: bool) -> Memory:
    """What the firmware takes with this `code.py`."""
    drive = vectors / "drive"
    drive.mkdir(exist_ok=True)
    (drive / "code.py").write_text(code, encoding="utf-8")
    machine = Machine(vectors, mounts=((drive, "/drive"),))
    return memory(
        machine.micropython(
            "cost_memory",
            call="step()",
            times=STEPS,
            heap_bytes=1 << 20,
            driver=True,
            docstrings=False,
            compact=drive_files,
        ).splitlines()
    )


def _kib(size: int) -> str:
    return f"{size / 1024:.1f} KiB"


def target_rows(costs: Costs) -> list[tuple[str, str, str, bool, str]]:
    """What must be shown: figure, target, measured, met, why short."""
    used = sum(row[3] for row in costs.heap)
    held = costs.memory
    driver = held.kept["driver"] + held.kept["bus_device"]
    ratio = costs.times["pipeline"]
    return [
        ("heap a sample, whole turns of the device", "0 B", f"{used} B in all", used == 0, "see the tests of the heap"),
        ("heap a second", "bounded", f"{max(row[4] for row in costs.heap)} B in any turn", used == 0, "as above"),
        (
            "memory after all imports, driver included",
            f"≤ {MEMORY_MAX_KIB} KiB",
            _kib(held.imported),
            held.imported <= MEMORY_MAX_KIB * 1024,
            f"It was {_kib(costs.plain.imported)} with the sources as they are. {_kib(driver)} are Adafruit's driver "
            f"with its names, as published; {_kib(held.names[1])} all names and their table; the rest is everything in "
            "docs/algorithm.md, the trace, the journal and the wire, as bytecode, some 550 functions and 40 classes. "
            f"No board holds all of it at a time: {_kib(held.worn)} while somebody walks, the device's own buffers "
            f"and the journal's image among them, {_kib(held.visited)} with a computer (below)",
        ),
        (
            "pipeline, one sample: decode, tilt, gait, ticks, seconds",
            f"≤ {RATIO_MAX} readings",
            f"{ratio:.2f} readings",
            ratio <= RATIO_MAX,
            "The first sketch (0.25) had decode, tilt to first order and steps alone. Gravity to second order, "
            f"energy, autocorrelation and steps now take {costs.times['motion']:.2f} as one loop over a burst with its "
            f"state in locals, the decisions {costs.times['tick share']:.2f}: all of it integer arithmetic in "
            "bytecode, where the driver spends its time in built-in functions. A reading allocates 336 B, and "
            "collecting them is not in its time",
        ),
    ]


def verdict(costs: Costs) -> str:
    """Whether it would fit a board of which the free heap is known, in a sentence or two."""

    held = costs.memory

    def fits(size: int) -> str:
        return " and ".join(
            f"{_kib(abs(free - size))} {'to spare' if free >= size else 'too much'}"
            for free in (FREE_ON_A_BOARD, FREE_AT_LEAST)
        )

    return (
        f"Beside the free heap of a CLUE and of a Pico W: {fits(held.worn)} while somebody walks, "
        f"{fits(held.starting[0])} at the most crowded moment of the start; {fits(held.visited)} with a computer, "
        f"{fits(held.arriving[0])} when it arrives. Where it does not suffice for a computer the walk "
        f"goes on, and it is "
        "tried again. No figure for a XIAO was found: the CLUE (CircuitPython 5.3, adafruit/circuitpython, issue 3030) "
        "has its chip, and a display; the Pico W (9.0.0; 139 KiB with 8.2; issue 9085) keeps memory "
        "for its radio, which "
        "the boards here do not have. On a "
        "board, `import gc; gc.mem_free()` on the console tells."
    )


def page(costs: Costs, rounds: int) -> str:
    """The text of docs/benchmarks/device.md."""
    names = ", ".join(f"`{name}.py`" for name in FILES)
    held, plain = costs.memory, costs.plain
    out = [
        "# What the firmware costs",
        "",
        "Made by `make bench-device`; do not edit.",
        "",
        f"Firmware: `{digest()}` (first 16 digits of the SHA-256 of {names}, and of",
        "`walktall_host/compact.py`).",
        "",
        "**How.** In MicroPython's WebAssembly build, whose words have 4 bytes and whose small ints 31 bits, as on",
        "the board. The unit of time is *one reading*: `.acceleration` and `.gyro` by Adafruit's driver, in the same",
        f"machine in the same run, in turn with all else: the median of the later of {rounds} rounds. Bus",
        "transfers are left out of both: the bus hands over bytes that stand ready, and the time of the same calls",
        "without anything around them is taken off. The input is 100 s of standing, walking and a lean that buzzes. A",
        "board's interpreter weighs its operations otherwise, and CircuitPython has the driver's bus class built in,",
        "which makes a reading cheaper there than here: the ratios compare versions of this firmware rather than",
        "foretell a board. Between runs on a busy computer they differ by a tenth or two; the opcodes are exact.",
        "",
        "## What must be shown",
        "",
        "| figure | target | measured | met | why short |",
        "| --- | --- | --- | --- | --- |",
    ]
    for figure, target, measured, met, why in target_rows(costs):
        out.append(f"| {figure} | {target} | {measured} | {'yes' if met else 'no'} | {'' if met else why} |")
    times = costs.times
    rest = times["pipeline"] - times["drain"] - times["motion"] - times["tick share"]
    out += [
        "",
        "## Time",
        "",
        "| what | readings |",
        "| --- | --- |",
        f"| one sample, FIFO's bytes to events | {times['pipeline']:.2f} |",
        f"| · out of the FIFO (status and burst, read into the array as they come) | {times['drain']:.2f} |",
        f"| · gravity and gait | {times['motion']:.2f} |",
        f"| · its thirteenth of a tick (detector, gate, each fourth a second) | {times['tick share']:.2f} |",
        f"| · handing it on, counting | {rest:.2f} |",
        f"| is it stale? (asked by the device of every burst) | {times['believe']:.2f} |",
        f"| a whole tick, of which there are four a second | {13 * times['tick share']:.1f} |",
        f"| a turn of the device with a burst of 13 samples | {times['poll']:.1f} |",
        f"| · a sample of it | {times['poll'] / 13:.2f} |",
        f"| the same where nobody walks | {times['poll still']:.1f} |",
        f"| once a second: checks, session | {times['second']:.1f} |",
        f"| a label, at a buzz | {times['label']:.0f} |",
        "",
        f"Reading at 52 Hz would cost 52 readings a second. The whole device takes "
        f"{4 * times['poll'] + times['second']:.0f} of them in a second of walking,",
        f"{4 * times['poll still'] + times['second']:.0f} in one of standing or sitting in the first minute, and "
        f"{times['doze']:.1f} when nobody has walked for a minute and the",
        "sensor waits for motion by itself (transfers, of which there is one a second, included).",
        "",
        "## Heap",
        "",
        "Turns of the whole device over a walk of 3.5 minutes, with buzzes, ticks and seconds; `make test` holds them",
        "to 0. What a second takes is in them.",
        "",
        "| chip | samples | turns | bytes | most in one turn |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {chip} | {n} | {polls} | {used} | {most} |" for chip, n, polls, used, most in costs.heap),
        "",
        "## Memory",
        "",
        *textwrap.wrap(
            "Our files are those of the drive, made compact of the sources "
            "([why](../decisions/007-what-lies-on-the-drive.md)); the driver is as published. Its "
            "docstrings are left out: "
            "this build of MicroPython keeps those of modules and classes, CircuitPython does not "
            "(`MICROPY_ENABLE_DOC_STRING` is 0 in its `py/circuitpy_mpconfig.h`). The driver then gives back "
            f"{_kib(-held.kept['driver gone'])} when it is let go, beside some 2.5 KiB of names, which stay; in "
            "CircuitPython it was measured at 16 KiB in all: the two pack alike. Now and then a step "
            "brings a new table of "
            "names, twice as large as the last, for all that follow. The steps are those of "
            "`code.py`: parts and sensor "
            "first, while the heap is empty; then what made them is let go, Adafruit's driver with "
            "it, because a restart "
            "of the sensor writes the same registers by itself. `adafruit_bus_device` is built into "
            "CircuitPython. What "
            "answers a computer comes when its port is opened, a module a turn, and goes when it has "
            "gone; the self-test "
            "comes when it is asked for. The banks are flash.",
            118,
        ),
        "",
        *textwrap.wrap(
            "*At the most* counts the parser's tree. CircuitPython parses a module as a whole before "
            "it compiles it; the "
            "tree is freed by name, and no collection shows it. Here the sources are read through an "
            "object that looks at "
            "the heap with each piece.",
            118,
        ),
        "",
        "| what a board holds | as installed | most crowded at | `--plain` |",
        "| --- | --- | --- | --- |",
        *(
            f"| {what} | {_kib(a)} | {step} | {_kib(b)} |"
            for what, a, b, step in (
                ("all imports, the driver included, nothing let go", held.imported, plain.imported, ""),
                (
                    "while somebody walks: `code.py`, the device made, what is let go taken off",
                    held.worn,
                    plain.worn,
                    "",
                ),
                ("at the most until then", held.starting[0], plain.starting[0], f"`{held.starting[1]}`"),
                ("with a computer", held.visited, plain.visited, ""),
                ("at the most when it arrives", held.arriving[0], plain.arriving[0], f"`{held.arriving[1]}`"),
                ("names and their table, of all modules and the driver", held.names[1], plain.names[1], ""),
            )
        ),
        "| free after the boot of a CLUE nRF52840, whose chip is the XIAO's, CircuitPython 5.3 | "
        f"{_kib(FREE_ON_A_BOARD)} | | |",
        f"| free after the boot of a Pico W, CircuitPython 9.0.0 | {_kib(FREE_AT_LEAST)} | | |",
        "",
        *textwrap.wrap(verdict(costs), 118),
        "",
        "| step, as installed | kept | beside what is held, at the most |",
        "| --- | --- | --- |",
        *(f"| `{name}` | {_kib(size)} | {_kib(held.crowded[name])} |" for name, size in held.kept.items()),
        "",
        "## Where it goes",
        "",
        "Opcodes a sample by function, on the same walk, as CPython "
        f"{sys.version_info[0]}.{sys.version_info[1]} counts them: "
        f"{sum(n for _, n in costs.opcodes):.0f} in all.",
        "",
        "| function | opcodes a sample |",
        "| --- | --- |",
        *(f"| `{name}` | {n:.1f} |" for name, n in costs.opcodes[:_SHOWN]),
        "",
    ]
    return "\n".join(out)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.device", description="What the firmware costs.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args(arguments)
    try:
        costs = measure(given.rounds)
    except (MachineMissing, ExerciseFailed, subprocess.TimeoutExpired) as fault:
        print(f"bench-device: {fault}", file=sys.stderr)
        return 1
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(page(costs, given.rounds), encoding="utf-8")
    for figure, target, measured, met, _ in target_rows(costs):
        print(f"{'met   ' if met else 'short '} {figure}: {measured} ({target})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
