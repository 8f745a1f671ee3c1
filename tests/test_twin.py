"""The compiled twin of the detection chain does what the firmware's Python does: event for event and state for state.

Where `make compiled` has been run, that twin is tried. Else one is built for the tests: it looks for indices beyond
an array, and is not optimised, which is quicker to make. Skipped where there is no compiler.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import subprocess
import sys
import zipfile
from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from walktall import chain as pure_chain
from walktall.settings import Settings, parse_text
from walktall_sim import chips, engine, fullpath, generate, mounting, recordings, replay
from walktall_sim.turn import Turn
from walktall_sim.twin import build

FIRMWARE = Path(pure_chain.__file__).parent
SCALE = float(os.environ.get("WALKTALL_SOAK_SCALE", "1"))
RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "recordings"
NO_COMPILER = "needs a C compiler and Cython"
Events = list[tuple[int, ...]]


@pytest.fixture(scope="session")
def twin(tmp_path_factory: pytest.TempPathFactory) -> engine.Engine:
    """The compiled chain."""
    found = engine.compiled()
    if isinstance(found, engine.Engine):
        return found
    if shutil.which(os.environ.get("CC", "cc")) is None:
        pytest.skip(NO_COMPILER)
    pytest.importorskip("Cython", reason=NO_COMPILER)
    # One build for all of pytest-xdist's workers.
    shared = tmp_path_factory.getbasetemp()
    folder = (shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) / "twin"
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context((folder.parent / "twin.lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / build.BUILT).exists():
            folder.mkdir(exist_ok=True)
            command = [sys.executable, "-m", "walktall_sim.twin.build", "--into", str(folder)]
            command += ["--optimise", "0", "--checked"]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
    found = engine.compiled(folder)
    assert isinstance(found, engine.Engine), found
    return found


# --- types against sources ------------------------------------------------------------------------------------------


def test_the_types_name_every_attribute_and_method_of_the_sources_and_no_other() -> None:
    told = build.differences(FIRMWARE)
    assert not told, "simulator/walktall_sim/twin has to follow the sources:\n" + "\n".join(told)


def test_what_the_types_lack_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "walktall"
    shutil.copytree(FIRMWARE, folder)
    path = folder / "tilt.py"
    text = path.read_text()
    assert "self._young = 0\n" in text and "def drop_tick(self)" in text
    path.write_text(
        text.replace("self._young = 0\n", "self._young = 0\n        self.novel = 1\n", 1).replace(
            "def drop_tick(self)", "def drop_tock(self)"
        )
    )
    assert build.differences(folder) == [
        "tilt.pxd: Tilt lacks the attribute novel",
        "tilt.pxd: Tilt lacks the method drop_tock(self)",
        "tilt.pxd: Tilt has the method drop_tick(self), which tilt.py does not have",
    ]


def test_constants_that_are_folded_in_are_those_of_the_modules() -> None:
    names = [*build.MODULES, *build.shared(FIRMWARE)]
    seen = 0
    for name in names:
        module = __import__(f"walktall.{name}", fromlist=["_"])
        for constant, value in build.constants(FIRMWARE, name).items():
            assert getattr(module, constant) == value, f"{name}.{constant}"
            seen += 1
    assert seen > 200


# --- which one runs -------------------------------------------------------------------------------------------------


def test_python_runs_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALKTALL_PURE", "1")
    engine.select.cache_clear()
    assert engine.select().name == engine.PURE
    assert engine.describe() == "detection chain: pure (WALKTALL_PURE is set)"
    engine.select.cache_clear()


def test_a_twin_of_other_sources_does_not_run(tmp_path: Path) -> None:
    assert engine.compiled(tmp_path) == "not compiled (make compiled)"
    tag = sys.implementation.cache_tag
    (tmp_path / build.BUILT).write_text(f'{{"digest": "0", "sources": ["tilt"], "python": "{tag}"}}')
    assert engine.compiled(tmp_path) == "compiled from other sources than those in use (make compiled)"
    (tmp_path / build.BUILT).write_text('{"digest": "0", "sources": ["tilt"], "python": "cpython-27"}')
    assert str(engine.compiled(tmp_path)).startswith("compiled for cpython-27")


def test_the_command_says_which_chain_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "walktall_sim", "info"],
        capture_output=True,
        text=True,
        env={**os.environ, "WALKTALL_PURE": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "detection chain: pure (WALKTALL_PURE is set)" in done.stdout


# --- the same events and the same state -----------------------------------------------------------------------------


def state(thing: Any, like: Any) -> dict[str, Any]:
    """All that a chain knows, by the names that the Python one (``like``) has."""
    found: dict[str, Any] = {}
    for name, value in vars(like).items():
        mine = getattr(thing, name)
        if name == "settings" or value is None:
            continue
        if isinstance(value, (int, bool)):
            assert isinstance(mine, (int, bool)), name
            found[name] = int(mine)
        elif isinstance(value, (array, bytearray, list)):
            found[name] = [list(one) if hasattr(one, "__len__") else one for one in mine]
        else:
            found[name] = state(mine, value)
    return found


def different(twin: Any, plain: Any) -> list[str]:
    """Paths of all that differs, with both values."""

    def compare(a: Any, b: Any, path: str) -> Iterator[str]:
        if isinstance(b, dict):
            for name in b:
                yield from compare(a[name], b[name], f"{path}.{name}")
        elif a != b:
            yield f"{path}: {a} where Python has {b}"

    return list(compare(state(twin, plain), state(plain, plain), "chain"))


def drained(chain: Any) -> Events:
    ring, told = chain.ring, []
    while ring.take():
        told.append((ring.sample, ring.code, ring.fault, ring.label, ring.value))
    return told


def fed(one: engine.Engine, chain: Any, counts: NDArray[np.int16]) -> Events:
    """A block fed to its end: the events."""
    told: Events = []
    block, at = one.ready(counts), 0
    while at < len(counts):
        at, _ = one.burst(chain, block, at, False)
        told += drained(chain)
    return told


def both(twin: engine.Engine, values: Settings) -> tuple[Any, Any]:
    return twin.make(values), engine.pure().make(values)


def assert_alike(twin: engine.Engine, walk: replay.Walk, every_s: int) -> int:
    """Play a walk to both, and compare every so many seconds; how many events there were."""
    compiled, plain = both(twin, walk.settings)
    for chain in (compiled, plain):
        replay.calibrate(chain, walk)
        chain.session.start(1, 1, 0, 0, 0)
        chain.begin()
        chain.configure(walk.settings)
    n_events = 0
    step = every_s * 52
    for begin in range(0, walk.n, step):
        rows = walk.source.block(begin, step)
        counts = chips.quantise(rows[chips.present(rows)], replay.ACCEL_FS_G, replay.GYRO_FS_DPS)
        lost = len(rows) - len(counts)
        events = fed(twin, compiled, counts)
        assert events == fed(engine.pure(), plain, counts)
        if lost:
            compiled.missed(lost)
            plain.missed(lost)
        assert not different(compiled, plain)
        n_events += len(events)
    for chain in (compiled, plain):
        chain.session.finish(0, 0)
    assert not different(compiled, plain)
    return n_events


@pytest.mark.parametrize(
    ("plan", "seed", "values"),
    [
        ("stand:6,walk:40,lean 20:30,walk:20,slouch 18:45,walk:30,jog:15,walk:10,bend 60:6,walk:20", 1, {}),
        ("stand:6,walk:60,arch 14:30,walk:30,side 14:30,walk:30", 2, {"side_buzz": "on"}),
        ("stand:4,sit:60,lean 25:90,sit:30", 3, {"mode": "desk"}),
        ("stand:6,walk 70:60,lean 30:60,walk:10,stairs:30", 4, {"hold_s": "5", "coaching": "trial"}),
    ],
)
def test_made_walks_give_the_same_events_and_the_same_state(
    twin: engine.Engine, plan: str, seed: int, values: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "walk.parquet"
    generate.write(generate.Walk(generate.parse_plan(plan), seed), path)
    pairs = [(name, text) for name, text in values.items() if parse_text(name, text) is not None]
    assert len(pairs) == len(values)
    options = replay.Options(settings=pairs, turns=[Turn(15.0, 20.0, 20.0, 1.0)])
    (walk,) = replay.walks(path, options, pytest.fail)
    assert assert_alike(twin, walk, every_s=2) > 5


def real() -> list[Path]:
    if not RECORDINGS.is_dir():
        return []
    found = (path for path in RECORDINGS.rglob("*") if path.name.endswith((".csv.gz", ".csv", ".parquet")))
    # What opticians measured of the trials of one set is no recording.
    return sorted(path for path in found if path.name != "trials.csv")


REAL = real()


def options_of(path: Path) -> replay.Options:
    """As the manifest says; where it does not, whatever axis is up in the first two seconds."""
    if mounting.mounting_for(path, None, None).origin == "manifest":
        return replay.Options()
    first = next(iter(recordings.batches(path)))
    up = mounting.nearest_axis(first.values[first.t_s < first.t_s[0] + 2.0, :3].mean(axis=0))
    names = mounting.AXIS_NAMES
    return replay.Options(up=names[up], forward=names[(up + 2) % 6])


@pytest.mark.skipif(not REAL, reason="the project's recordings do not stand here")
@pytest.mark.parametrize("path", REAL, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_recordings_give_the_same_events_and_the_same_state(twin: engine.Engine, path: Path) -> None:
    """All of them, with all of their trials, from the first sample to the last."""
    played = 0
    skipped: list[str] = []
    for walk in replay.walks(path, options_of(path), skipped.append):
        assert_alike(twin, walk, every_s=15)
        played += 1
    assert played > len(skipped)


def _played_with(one: engine.Engine, walk: replay.Walk, options: replay.Options) -> tuple[list[replay.Line], Any]:
    """The device on bare counts around the chain of ``one``: its lines, and the chain."""
    player = fullpath.Player(walk, options, registers=False, make=one.make)
    lines: list[replay.Line] = []
    while not player.over:
        lines += player.step()
    lines += player.leave()
    return lines + player.kept.summaries(), player.device.chain


@pytest.mark.skipif(not REAL, reason="the project's recordings do not stand here")
def test_recordings_with_gaps_are_replayed_alike(twin: engine.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the device around either chain: the first trial of each recording in which samples are missing or stale."""
    options = replay.Options(full=False, all_events=True)
    played = 0
    for path in REAL:
        walk = next(replay.walks(path, replace(options_of(path), full=False, all_events=True), lambda _: None))
        if replay.is_sound(walk):
            continue
        played += 1
        lines, compiled = _played_with(twin, walk, options)
        expected, plain = _played_with(engine.pure(), walk, options)
        assert lines == expected, path
        assert not different(compiled, plain), path
        monkeypatch.setattr(engine, "select", lambda: twin)
        assert list(replay.play_fast(walk, options))[-1] == expected[-1]
    assert played >= 5


_HARM = st.tuples(
    st.sampled_from(("lost", "frozen", "high")),
    st.integers(300, 5000),
    st.one_of(st.integers(1, 40), st.integers(1, 900)),
)


@settings(max_examples=25, deadline=None, print_blob=True)
@given(harms=st.lists(_HARM, min_size=1, max_size=6), answered=st.booleans())
def test_whatever_is_missing_or_stale_both_do_the_same(
    twin: engine.Engine, harms: list[tuple[str, int, int]], answered: bool
) -> None:
    rows = _made_rows().copy()
    for kind, at, n in harms:
        part = rows[at : at + n, 1:]
        if kind == "frozen":
            part[:] = part[0]
        elif kind == "high":
            part[:, 1] = 500.0
        else:
            part[:] = np.nan
    rows = rows[np.isfinite(rows).all(axis=1)]
    options = replay.Options(
        full=False,
        all_events=True,
        turns=[Turn(20.0, 30.0, 25.0, 1.0)],
        answer_s=0.5 if answered else None,
    )
    chosen = mounting.mounting_for(Path(), "+y", "+z")
    told = []
    for one in (twin, engine.pure()):
        # A wearer has answered once: each meets a fresh one.
        told.append(_played_with(one, replay.walk_of(rows[:, 0], rows[:, 1:], chosen, options), options))
    assert told[0][0] == told[1][0]
    assert not different(told[0][1], told[1][1])


@functools.cache
def _made_rows() -> NDArray[np.float64]:
    """A minute and a half of standing, walking and sitting at 52 Hz: time and six axes."""
    walk = generate.Walk(generate.parse_plan("stand:6,walk:70,sit:20"), 3)
    made = np.concatenate([frame.select(recordings.NEEDED).to_numpy() for frame in walk.blocks()])
    return made[::2]


def test_replays_print_the_same_lines(twin: engine.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "walk.parquet"
    generate.write(generate.Walk(generate.parse_plan("stand:6,walk:200"), 5), path)
    turns = [Turn(20.0, 30.0, 60.0, 2.0), Turn(18.0, 120.0, 60.0, 15.0)]
    said = []
    looked: list[int] = []
    for one in (twin, engine.pure()):
        monkeypatch.setattr(engine, "select", lambda one=one: one)
        looked.clear()
        options = replay.Options(
            full=False,
            turns=turns,
            answer_s=0.5,
            all_events=True,
            watch=lambda chain: looked.append(chain.n_samples),
        )
        lines = list(replay.replay(path, options))
        assert len(looked) == 206 * 4
        # A watcher changes nothing.
        plain = replay.Options(full=False, turns=turns, answer_s=0.5, all_events=True)
        assert list(replay.replay(path, plain)) == lines
        said.append((lines, list(looked)))
    assert said[0] == said[1]
    assert sum(line["event"] == "recovered" for line in said[0][0]) >= 2


# --- adversarial ----------------------------------------------------------------------------------------------------

_COUNT = st.integers(-32768, 32767)
_ENDS = st.sampled_from((-32768, -32767, -8197, -1, 0, 1, 8197, 32766, 32767))


@st.composite
def blocks(draw: st.DrawFn) -> NDArray[np.int16]:
    """Counts of up to some seconds: noise of any size about any mean, or jumps between the ends of the scale."""
    n = draw(st.integers(1, 260))
    seed = draw(st.integers(0, 2**32 - 1))
    made = np.random.default_rng(seed)
    mean = np.array([draw(st.one_of(_COUNT, _ENDS)) for _ in range(6)], dtype=float)
    kind = draw(st.sampled_from(("noise", "jumps", "still", "steps", "walk")))
    if kind == "jumps":
        rows = made.choice([-32768.0, 32767.0, 0.0, 8197.0], (n, 6))
    elif kind == "still":
        rows = np.tile(mean, (n, 1))
    elif kind == "steps":
        t = np.arange(n)[:, None] / 52.0
        rows = mean + draw(st.sampled_from((500.0, 4000.0, 30000.0))) * np.sin(
            2.0 * np.pi * made.uniform(0.3, 8.0, 6) * t + made.uniform(0.0, 6.3, 6)
        )
    elif kind == "walk":
        rows = np.array([0.0, 8197.0, 0.0, 0.0, 0.0, 0.0]) + made.normal(0.0, 1.0, (n, 6)) * [900.0] * 6
    else:
        rows = mean + made.normal(0.0, draw(st.sampled_from((1.0, 60.0, 3000.0, 20000.0))), (n, 6))
    counts: NDArray[np.int16] = np.clip(np.rint(rows), -32768, 32767).astype(np.int16)
    return counts


_CALLS = st.one_of(
    st.tuples(st.just("missed"), st.tuples(st.integers(-5, 2000))),
    st.tuples(st.just("shake"), st.tuples(st.integers(0, 300))),
    st.tuples(st.just("snooze"), st.tuples(st.integers(0, 60))),
    st.tuples(st.just("begin_calibration"), st.just(())),
    st.tuples(st.just("cancel_calibration"), st.just(())),
    st.tuples(st.just("begin_bow"), st.just(())),
    st.tuples(st.just("mark"), st.just(())),
    st.tuples(st.just("wrong"), st.just(())),
    st.tuples(st.just("hill"), st.just(())),
    st.tuples(st.just("hill"), st.just((False,))),
    st.tuples(st.just("begin"), st.just(())),
    st.tuples(st.just("forget_upright"), st.just(())),
    st.tuples(st.just("set_upright"), st.tuples(*[_COUNT] * 3, *[st.integers(-9000, 9000)] * 3, st.integers(0, 100))),
    st.tuples(st.just("set_axis"), st.tuples(*[_COUNT] * 3, st.integers(0, 5))),
    st.tuples(
        st.just("judge"),
        st.tuples(
            st.integers(-900, 900).map(lambda n: 20 * n),
            st.integers(-450, 450).map(lambda n: 20 * n),
            st.integers(0, 31),
            st.integers(0, 255),
        ),
    ),
    st.tuples(st.just("sample"), st.tuples(*[_COUNT] * 6)),
)
_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "hold_s": st.integers(3, 60).map(str),
        "on_deg": st.integers(10, 20).map(str),
        "mode": st.sampled_from(("walk", "desk")),
        "coaching": st.sampled_from(("every", "faded", "trial")),
        "side_buzz": st.sampled_from(("on", "off")),
        "bow": st.sampled_from(("on", "off")),
    },
)


def _values(wanted: dict[str, str]) -> Settings:
    values = Settings()
    pairs = [(replay.index_of(name), parse_text(name, text)) for name, text in wanted.items()]
    values.set_together([(at, value) for at, value in pairs if at >= 0 and value is not None])
    return values


STEPS = st.lists(st.one_of(blocks(), blocks(), _CALLS), min_size=1, max_size=14)
ADVERSARIAL: dict[str, Any] = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}


def do_the_same(twin: engine.Engine, wanted: dict[str, str], upright: bool, steps: list[Any]) -> None:
    compiled, plain = both(twin, _values(wanted))
    for chain in (compiled, plain):
        chain.session.start(1, 1, 0, 0, 0)
        if upright:
            assert chain.set_upright(0, 8197, 0, 0, 0, 0, 100)
    for step in steps:
        if isinstance(step, tuple):
            name, arguments = step
            assert getattr(compiled, name)(*arguments) == getattr(plain, name)(*arguments), name
        else:
            assert fed(twin, compiled, step) == fed(engine.pure(), plain, step)
        assert drained(compiled) == drained(plain)
        assert not different(compiled, plain), f"after {step if isinstance(step, tuple) else 'a block'}"


@settings(max_examples=60, **ADVERSARIAL)
@given(wanted=_SETTINGS, upright=st.booleans(), steps=STEPS)
def test_whatever_comes_both_do_the_same(
    twin: engine.Engine, wanted: dict[str, str], upright: bool, steps: list[Any]
) -> None:
    do_the_same(twin, wanted, upright, steps)


@pytest.mark.soak
@settings(max_examples=round(3000 * SCALE), **ADVERSARIAL)
@given(wanted=_SETTINGS, upright=st.booleans(), steps=STEPS)
def test_whatever_comes_for_long_both_do_the_same(
    twin: engine.Engine, wanted: dict[str, str], upright: bool, steps: list[Any]
) -> None:
    do_the_same(twin, wanted, upright, steps)


@pytest.mark.soak
def test_a_wheel_built_with_walktall_compile_holds_the_twin(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(tmp_path), "."],
        cwd=FIRMWARE.parents[2],
        env={**os.environ, "WALKTALL_COMPILE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert not wheel.name.endswith("-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "there")
    assert f"walktall_sim/twin/{build.BUILT}" in names
    assert sum(name.startswith("walktall_sim/twin/") and name.endswith((".so", ".pyd")) for name in names) == 11
    ask = "import walktall_sim.engine as e; print(e.__file__); print(e.describe())"
    done = subprocess.run(
        [sys.executable, "-c", ask],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "there")},
        capture_output=True,
        text=True,
    )
    where, what = done.stdout.splitlines()
    assert Path(where).is_relative_to(tmp_path)
    assert what.startswith("detection chain: compiled")


# --- the way to the chain -------------------------------------------------------------------------------------------


def test_a_loop_over_blocks_is_a_loop_over_samples() -> None:
    made = np.random.default_rng(11)
    counts = (made.normal(0.0, 900.0, (700, 6)) + np.array([0, 8197, 0, 0, 0, 0])).astype(np.int16)
    blockwise, single = both(engine.pure(), Settings())
    for chain in (blockwise, single):
        chain.set_upright(0, 8197, 0, 0, 0, 0, 100)
    told = fed(engine.pure(), blockwise, counts)
    expected: Events = []
    for row in counts.tolist():
        if single.sample(*row):
            single.buzz_request = 0
        expected += drained(single)
    assert told == expected
    assert not single.tilt._phase
    # A group that lay in the block as a whole was never put aside.
    single.tilt._part = blockwise.tilt._part
    single.closed = blockwise.closed
    single._one = blockwise._one
    single._views = blockwise._views
    assert not different(blockwise, single)


def test_answers_come_as_soon_whatever_the_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "walk.parquet"
    generate.write(generate.Walk(generate.parse_plan("stand:6,walk:160"), 6), path)
    options = replay.Options(
        full=False, turns=[Turn(20.0, 30.0, 40.0, 2.0), Turn(20.0, 110.0, 40.0, 2.0)], answer_s=0.25
    )
    monkeypatch.setattr(engine, "select", engine.pure)
    lines = list(replay.replay(path, options))
    monkeypatch.setattr(replay, "_lump", lambda *_: 13)
    assert list(replay.replay(path, options)) == lines
    assert sum(line["event"] == "recovered" for line in lines) == 2


class _Rows:
    """Rows as a walk has them."""

    def __init__(self, rows: NDArray[np.float64]) -> None:
        self.source, self.n, self._rows = self, len(rows), rows

    def untouched(self, i0: int, n: int) -> NDArray[np.float64]:
        return self._rows[i0 : i0 + n]


def _sound(rows: NDArray[np.float64]) -> bool:
    same = 0
    last = np.full(6, 32767)
    for row in chips.quantise(rows, replay.ACCEL_FS_G, replay.GYRO_FS_DPS).astype(int):
        if not row[:3].any():
            return False
        stale = (row == last).all() or ((row[:3] == 32767) | (row[:3] == -32768)).any()
        same = same + 1 if stale else 0
        if same >= 12:
            return False
        last = row
    return True


def test_stale_runs_are_found_wherever_blocks_are_cut() -> None:
    made = np.random.default_rng(5)
    unsound = 0
    for trial in range(200):
        n = int(made.integers(4090, 4400)) if trial % 10 == 0 else int(made.integers(1, 60))
        rows = made.normal(0.0, 3.0, (n, 6)) + np.array([0.0, 9.8, 0.0, 0.0, 0.0, 0.0])
        for _ in range(int(made.integers(0, 3))):
            at = min(n - 1, 4096 + int(made.integers(-16, 8))) if n > 60 else int(made.integers(0, n))
            run = slice(at, at + int(made.integers(1, 15)))
            if made.random() < 0.5:
                rows[run] = rows[at]
            else:
                rows[run, int(made.integers(0, 3))] = made.choice([-500.0, 500.0])
        assert replay.is_sound(_Rows(rows)) == _sound(rows)  # type: ignore[arg-type]
        unsound += not _sound(rows)
    assert 20 < unsound < 180
    rows[0, 0] = np.nan
    assert not replay.is_sound(_Rows(rows))  # type: ignore[arg-type]


def test_a_day_is_read_in_batches(tmp_path: Path) -> None:
    """Of ten hours no batch holds more than twenty minutes."""
    n = 10 * 3600 * 52
    import polars as pl

    path = tmp_path / "long.parquet"
    axes = dict.fromkeys(recordings.AXES, pl.repeat(9.8, n, dtype=pl.Float32, eager=True))
    pl.DataFrame({"t_s": np.arange(n) / 52.0, **axes}).write_parquet(path)
    sizes = [len(batch.t_s) for batch in recordings.batches(path)]
    assert sum(sizes) == n
    assert max(sizes) <= 20 * 60 * 52 + 4096
