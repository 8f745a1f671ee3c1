"""Rows of a walk by their number: the same from memory and from a file, and no more of them in memory than a window."""

import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from walktall_sim import generate, recordings, replay, spool


def _pieces(rows: NDArray[np.float32], size: int) -> Iterator[NDArray[np.float32]]:
    return (rows[at : at + size] for at in range(0, len(rows), size))


def _made(n: int) -> NDArray[np.float32]:
    made: NDArray[np.float32] = np.random.default_rng(8).normal(0.0, 9.0, (n, 6)).astype(np.float32)
    made[n // 3] = np.nan
    return made


@pytest.mark.parametrize("held", [0, 1000, 99_999, 100_000])
def test_rows_are_the_same_from_memory_and_from_a_file(held: int) -> None:
    rows = _made(100_000)
    kept = spool.Spool(_pieces(rows, 777), held)
    assert len(kept) == len(rows)
    made = np.random.default_rng(9)
    windows = [tuple(sorted(made.integers(0, 100_100, 2))) for _ in range(300)]
    windows += [(at, at + 13) for at in range(0, 100_100, 13)] + [(at - 1, at) for at in range(100_000, 1, -997)]
    for begin, end in windows:
        np.testing.assert_array_equal(kept[begin:end], rows[begin:end])
    np.testing.assert_array_equal(kept[:], rows)
    assert len(kept[7:7]) == len(kept[9:7]) == len(kept[200_000:]) == 0


def test_a_walk_of_nothing_has_no_rows() -> None:
    assert len(spool.Spool([])) == 0
    assert spool.Spool([])[0:5].shape == (0, 6)


def test_a_long_walk_takes_no_more_memory_than_a_short_one() -> None:
    def peak(n: int) -> int:
        piece = np.ones((10_000, 6), dtype=np.float32)
        tracemalloc.start()
        kept = spool.Spool((piece for _ in range(n // 10_000)), 100_000)
        for begin in range(0, n, 13_312):
            kept[begin : begin + 13_312]
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(2_000_000) < peak(200_000) + 100_000 < 8_000_000


def test_without_room_for_it_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    walk = tmp_path / "walk.parquet"
    generate.write(generate.Walk(generate.parse_plan("stand:4,walk:10"), 1), walk)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    monkeypatch.setattr(spool.Spool.__init__, "__defaults__", (10,))
    with pytest.raises(replay.ReplayError, match=r"^.*: no room for a walk of this length \(No space left.*TMPDIR$"):
        list(replay.replay(walk, replay.Options(full=False)))


@pytest.mark.parametrize("full", [False, True])
def test_a_replay_from_a_file_tells_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: bool) -> None:
    walk = tmp_path / "walk.parquet"
    generate.write(generate.Walk(generate.parse_plan("stand:6,walk:40,lean 20:30,walk:20"), 1), walk)
    rows = recordings.read_trials(walk)[0]
    assert len(rows.t_s) > 9000
    lines = list(replay.replay(walk, replay.Options(full=full)))
    assert any(line["event"] == "buzz" for line in lines)
    monkeypatch.setattr(spool.Spool.__init__, "__defaults__", (10,))
    monkeypatch.setattr(spool, "_WINDOW", 300)
    assert list(replay.replay(walk, replay.Options(full=full))) == lines
