"""`make bench-host`: how quick the walker's tool is with five years of daily walks and their traces.

2,000 made-up walks of 10 to 50 minutes lie in a store as a download leaves them: records and trace blocks packed by the
firmware's own code. Each command runs as a process of its own, as a walker starts it; the page's figures are of
several runs, beside what Python itself takes to start. Writes docs/benchmarks/host.md.

A walk's seconds are drawn once for a dozen walks and then placed under many sessions: what is timed reads bytes, and
does not mind that some of them are alike.
"""

import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from walktall import records
from walktall_host.client import Sent
from walktall_host.store import Store

from tests import made_trace

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks" / "host.md"
WALKS = int(os.environ.get("WALKTALL_BENCH_WALKS", "2000"))
YEARS = 5
SEED = 1
RUNS = 5
#: What has to hold on a machine of two cores: seconds.
LIMITS_S = {"sessions": 1.0, "report": 1.0, "report --html": 1.0, "report --weeks 52 --html": 3.0}
YEAR_HTML_MAX = 2_000_000
_KINDS = 12
_BATCH = 50


@dataclass(frozen=True)
class Timed:
    """What one command took."""

    command: str
    best_s: float
    median_s: float
    #: Of the processor, the least of all runs: what other programs do in the meantime is not in it.
    cpu_s: float
    out_bytes: int


def fill(path: Path, walks: int) -> None:
    """A store with so many daily walks, the last one a day ago."""
    chance = random.Random(SEED)
    kinds = []
    for k in range(_KINDS):
        seconds = chance.randrange(600, 3000)
        leans = [(a, a + chance.randrange(14, 30)) for a in range(200, seconds - 60, 300)]
        walk = made_trace.plain_walk(seconds, seed=k, leans=leans)
        raws = [(raw, made_trace.seconds_in(raw)) for raw in made_trace.blocks(walk).values()]
        kinds.append((made_trace.record_of(walk), raws))
    hello = made_trace.hello_of()
    now_s = int(time.time()) - int(records.EPOCH_UNIX_S)
    with Store(path) as store:
        journal = store.meet(hello, now_s)
        ring = store.meet_ring(journal, made_trace.RING_ID, now_s)
        number = 1
        batch: list[Sent] = []
        found: dict[int, bytes] = {}
        for n in range(walks):
            fields, raws = kinds[chance.randrange(_KINDS)]
            start_s = now_s - (walks - n) * 86400 * YEARS * 365 // walks
            fields = fields | {
                "seq": n + 1,
                "boot": n + 1,
                "start_utc_s": start_s,
                "start_uptime_s": 30,
                "pitch_brisk_cdeg": fields["pitch_slow_cdeg"] + chance.randrange(0, 400),
            }
            batch.append(Sent(n + 1, True, made_trace.slot_of(fields)))
            uptime_s = 30
            for raw, length_s in raws:
                found[number] = made_trace.placed(raw, number, n + 1, 30, uptime_s)
                uptime_s += length_s
                number += 1
            if len(batch) == _BATCH or n + 1 == walks:
                store.keep(journal, batch, hello, now_s)
                store.keep_blocks(ring, found)
                batch, found = [], {}


def run(store: Path, words: str, runs: int = RUNS) -> Timed:
    """A command's wall-clock times, each run a process of its own; its output goes to a file."""
    took = []
    cpu = []
    out = store.with_name("out.html")
    # Modules are compiled once, as an installer does it, whatever this machine's habits are.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = str(store.with_name("pyc"))
    line = words.replace("--html", f"--html {out}").split()
    for _ in range(runs):
        out.unlink(missing_ok=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "walktall_host", *line, "--store", str(store)],
            capture_output=True,
            env=env,
            check=False,
        )
        took.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if done.returncode:
            raise SystemExit(f"walktall {words}: {done.stderr.decode()}")
    size = out.stat().st_size if out.exists() else len(done.stdout)
    return Timed(words, min(took), statistics.median(took), min(cpu), size)


def bare_s() -> float:
    """What starting Python and importing Typer and Rich takes: no command of this kind can be quicker."""
    took = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", "import typer, rich.console, rich.table"], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(took)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "walks.sqlite3"
        fill(store, WALKS)
        size = store.stat().st_size
        print(f"{WALKS} walks, {size / 1e6:.0f} MB", file=sys.stderr)
        first = run(store, "report --weeks 52 --html", 1)
        timed = [run(store, words) for words in (*LIMITS_S, "report --weeks 12")]
        bare = bare_s()
    PAGE.write_text(page(size, first, timed, bare))
    print(PAGE.relative_to(ROOT), file=sys.stderr)
    late = [each for each in timed if each.cpu_s > LIMITS_S.get(each.command, 60.0)]
    for each in late:
        print(f"too slow: walktall {each.command}: {each.cpu_s:.2f} s of the processor", file=sys.stderr)
    year = next(each for each in timed if each.command == "report --weeks 52 --html")
    if year.out_bytes > YEAR_HTML_MAX:
        print(f"too large: a year of {year.out_bytes} bytes", file=sys.stderr)
        return 1
    return 1 if late else 0


def page(size: int, first: Timed, timed: list[Timed], bare: float) -> str:
    """docs/benchmarks/host.md."""
    lines = [
        "# How quick the walker's tool is",
        "",
        "Made by `make bench-host`; do not edit.",
        "",
        f"A store of {WALKS:,} made-up walks of 10 to 50 minutes over {YEARS} years with all their traces "
        f"({size / 1e6:.0f} MB), packed by the firmware's own code. Each command is a process of its own, as a walker "
        f"starts it, {RUNS} times on two cores that others share; the processor time is held against the limit: each "
        "is one thread that hardly waits, so on an idle core it is the time that passes. Python with Typer and Rich "
        f"alone takes {bare:.2f} s of it to start.",
        "",
        "| command | best | median | processor | times bare Python | limit | size of what it writes |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for each in timed:
        limit = LIMITS_S.get(each.command)
        cells = (
            f"`walktall {each.command}`",
            f"{each.best_s:.2f} s",
            f"{each.median_s:.2f} s",
            f"{each.cpu_s:.2f} s",
            f"{each.cpu_s / bare:.1f}",
            f"{limit:.0f} s" if limit else "–",
            f"{each.out_bytes / 1000:.0f} kB",
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "A trace is read once: what a report of many walks needs of it is kept in the store as a digest of half a "
        "kilobyte (`walktall_host.digests`). A download makes the digests of what it brings. The first "
        f"`report --weeks 52` over a year of traces that have none yet (a store of an older version) took "
        f"{first.cpu_s:.1f} s of the processor.",
        "",
        "The year's page may have 2 MB at the most; `make bench-host` fails when it, or a limit above, does not hold.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
