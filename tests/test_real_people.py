"""On real people: upright walks do not buzz, a lean put on every one of them does, in time, and is told to have ended.

Minutes-long walks are joined from the trials of each person of three published sets (how: walktall_sim.join), written
as recordings and replayed through the whole virtual board, as anybody would from the command line. Skipped where the
recordings do not stand beside the project; in CI that is a failure.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from walktall import chain, limits, tilt
from walktall_sim import replay, turn

from bench import people

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "recordings"
SETS = ("grouvel_sternum", "umafall_chest", "forth_trace")
HOLD_S = 10.0
START_S = 90.0
TURN = "20@90+40/2"


def _everybody() -> list[tuple[str, str]]:
    if not RECORDINGS.is_dir():
        return []
    people.set_root(RECORDINGS)
    return [(one.kit, one.name) for one in people.people(SETS)]


EVERYBODY = _everybody()


def test_the_recordings_stand_beside_the_project() -> None:
    # GitHub's machines have the project alone; the recordings are others' and not published with it.
    if not EVERYBODY and (not os.environ.get("CI") or os.environ.get("GITHUB_ACTIONS")):
        pytest.skip("../shared/recordings is not beside the project: nothing was tried on real people")
    assert len(EVERYBODY) >= 15


@pytest.fixture
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, replay.Options]:
    kit, name = request.param
    people.set_root(RECORDINGS)
    walk = people.joined(kit, name, 3.0)
    path = tmp_path / f"{kit}-{name}.csv"
    rows = np.column_stack([walk.t_s, walk.data])
    np.savetxt(path, rows, delimiter=",", header="t_s,ax,ay,az,gx,gy,gz", comments="", fmt="%.5f")
    chosen = people.mounting_of(kit)
    axes = ["+x", "-x", "+y", "-y", "+z", "-z"]
    return path, replay.Options(up=axes[chosen.up], forward=axes[chosen.forward], settings=[("hold_s", "10")])


@pytest.mark.parametrize("recording", EVERYBODY, indirect=True, ids=lambda one: "-".join(one))
def test_upright_walk_is_left_in_peace(recording: tuple[Path, replay.Options]) -> None:
    path, options = recording
    lines = list(replay.replay(path, options))
    assert [line for line in lines if line["event"] == "buzz" and line.get("fault") == "forward"] == []
    summary = lines[-1]
    assert summary["event"] == "summary"
    # It was awake: a detector that never looks never buzzes either.
    assert summary["walking_s"] >= 0.9 * 170


@pytest.mark.parametrize("recording", EVERYBODY, indirect=True, ids=lambda one: "-".join(one))
def test_lean_put_on_the_walk_buzzes_in_time_and_is_told_to_have_ended(
    recording: tuple[Path, replay.Options],
) -> None:
    path, options = recording
    turned = turn.parse_turn(TURN)
    lines = list(
        replay.replay(
            path,
            replay.Options(up=options.up, forward=options.forward, settings=options.settings, turns=[turned]),
        )
    )
    forward = [line for line in lines if line.get("fault") == "forward"]
    first = next(float(line["t_s"]) for line in forward if line["event"] == "buzz")
    assert START_S + HOLD_S <= first <= START_S + HOLD_S + 2.5
    ended = [float(line["t_s"]) for line in forward if line["event"] == "recovered"]
    returns = turned.returns_s(8.0)
    assert returns is not None
    assert ended and returns - 1.0 <= ended[0] <= returns + 4.0


def test_within_a_tick_the_pulls_change_the_length_of_gravity_by_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/algorithm.md says of it ("Why its length once a tick"): 1.0 % RMS, 4 % at the worst."""
    if not EVERYBODY:
        pytest.skip("../shared/recordings is not beside the project: nothing was tried on real people")
    people.set_root(RECORDINGS)
    lengths: list[float] = []
    renormalise = tilt.Tilt.renormalise

    def told(self: tilt.Tilt) -> None:
        lengths.append(math.hypot(*self.g) / 2**20)
        renormalise(self)

    for kit, name in EVERYBODY[::2]:
        counts = people.quantised(people.joined(kit, name, 3.0).data)
        made = chain.Chain(limits.Settings())
        made.tilt.seed(*counts[:104, :3].mean(axis=0).round().astype(int).tolist())
        with monkeypatch.context() as patch:
            patch.setattr(tilt.Tilt, "renormalise", told)
            for row in counts.tolist():
                made.sample(*row)
    off = np.array(lengths) - 1.0
    print(f"{len(off)} ticks: {np.sqrt(np.mean(off**2)):.4f} RMS, {np.abs(off).max():.3f} at the worst")
    assert len(off) > 5000
    assert 0.002 < np.sqrt(np.mean(off**2)) < 0.0105
    assert np.abs(off).max() < 0.045
