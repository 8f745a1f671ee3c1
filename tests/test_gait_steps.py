"""Steps and cadence: made walks counted to the step, published walks within the figures of docs/algorithm.md."""

import csv
import itertools
import json
import math
import random
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from walktall.gait import Gait
from walktall.motion import take, views_of
from walktall.tilt import Tilt
from walktall_sim.chips import quantise
from walktall_sim.recordings import Trial, read_trials
from walktall_sim.resample import resample

from tests.sim_files import REAL, real

HZ = 52
STEP_MG = 180  # half the height of a normal step's vertical acceleration at the collar


class Walker:
    """A trunk that does as told, and the gait it leads to."""

    def __init__(self, chance: random.Random) -> None:
        self.gait = Gait()
        self.cadences: list[int] = []
        self._tilt = Tilt()
        self._chance = chance
        self._n = 0
        self._tilt.seed(0, 8192, 0)

    def feel(self, up_mg: float, noise_mg: float = 4.0) -> None:
        """One sample of vertical acceleration, gravity along +y as if it were known."""
        y = round((up_mg + self._chance.gauss(0, noise_mg)) * 8.192)
        x = round(self._chance.gauss(0, noise_mg + abs(up_mg) / 8) * 8.192)
        z = round(self._chance.gauss(0, noise_mg + abs(up_mg) / 8) * 8.192)
        # As if it were known.
        self._tilt.g[:] = [0, 1 << 20, 0]
        take(self._tilt, self.gait, views_of(array("h", (0, 0, 0, x, 8192 + y, z))), 0, 1, 1)
        self._n += 1
        if self._n % 13 == 0:
            self.gait.tick(self._tilt)
            self.cadences.append(self.gait.cadence_spm)

    def stand(self, seconds: float) -> None:
        for _ in range(round(seconds * HZ)):
            self.feel(0.0)

    def walk(self, steps: int, spm: float, height_mg: float = STEP_MG, bump: float = 0.25, limp: float = 0.1) -> None:
        """So many steps: the footfall's wave with a second, smaller one, left and right unlike by `limp`."""
        period = HZ * 60 / spm
        for k in range(round(steps * period)):
            phase = 2 * math.pi * k / period
            side = 1 + (limp if int(k / period) % 2 else -limp)
            self.feel(side * height_mg * (-math.cos(phase) - bump * math.cos(2 * phase + 0.8) + bump * 0.7))


@pytest.mark.parametrize("spm", [60, 75, 90, 105, 120, 135, 150, 165])
def test_a_made_walk_is_counted_to_the_step_and_its_cadence_to_one_in_fifty(spm: int, chance: random.Random) -> None:
    walker = Walker(chance)
    walker.stand(4)
    walker.walk(100, spm)
    assert abs(walker.gait.cadence_spm - spm) <= spm / 50
    walker.stand(4)
    assert abs(walker.gait.steps - 100) <= 2
    assert walker.gait.cadence_spm == 0


@pytest.mark.parametrize("height_mg", [60, 120, 240, 480])
def test_soft_and_hard_walkers_are_counted_alike(height_mg: int, chance: random.Random) -> None:
    walker = Walker(chance)
    walker.stand(3)
    walker.walk(60, 110, height_mg)
    walker.stand(3)
    assert abs(walker.gait.steps - 60) <= 2


def test_steps_taken_before_the_gate_opened_are_counted_when_it_opens(chance: random.Random) -> None:
    walker = Walker(chance)
    walker.stand(4)
    taken = 0
    while not walker.gait.walking:
        assert walker.gait.steps == 0
        walker.walk(1, 110)
        taken += 1
    assert taken >= 3
    assert taken - 2 <= walker.gait.steps <= taken


def test_a_shift_of_weight_is_no_step(chance: random.Random) -> None:
    walker = Walker(chance)
    for _ in range(20):
        walker.stand(6)
        walker.walk(1, 60, height_mg=40)
    assert walker.gait.steps == 0


def test_standing_counts_nothing(chance: random.Random) -> None:
    walker = Walker(chance)
    for _ in range(120 * HZ):
        walker.feel(0.0, noise_mg=8.0)
    assert walker.gait.steps == 0


def test_the_second_bump_of_a_slow_walk_is_no_step(chance: random.Random) -> None:
    walker = Walker(chance)
    walker.stand(3)
    for k in range(60 * HZ):
        phase = k / HZ % 1
        bump = 1.8 * (math.exp(-(((phase - 0.85) / 0.08) ** 2)) - math.exp(-(((phase - 0.72) / 0.08) ** 2)))
        walker.feel(90 * (bump - math.cos(2 * math.pi * phase)))
    assert abs(walker.gait.cadence_spm - 60) <= 2
    assert abs(walker.gait.steps - 60) <= 3


def test_a_limp_does_not_halve_the_cadence(chance: random.Random) -> None:
    walker = Walker(chance)
    walker.stand(3)
    walker.walk(60, 100, limp=0.35)
    assert abs(walker.gait.cadence_spm - 100) <= 3


@pytest.mark.parametrize("change", [8, -8])
def test_a_change_of_eight_steps_a_minute_shows_within_six_seconds(change: int, chance: random.Random) -> None:
    walker = Walker(chance)
    walker.stand(3)
    walker.walk(50, 110)
    before = walker.gait.cadence_spm
    walker.walk(round((110 + change) * 6 / 60), 110 + change)
    assert abs(walker.gait.cadence_spm - before - change) <= 2


def test_a_gap_forgets_the_walk_and_keeps_the_count(chance: random.Random) -> None:
    walker = Walker(chance)
    walker.stand(3)
    walker.walk(40, 110)
    steps = walker.gait.steps
    walker.gait.restart()
    assert walker.gait.cadence_spm == 0
    walker.walk(40, 110)
    assert abs(walker.gait.steps - steps - 40) <= 2


def test_hours_without_a_step_do_not_wear_the_counter_out(chance: random.Random) -> None:
    walker = Walker(chance)
    walker.stand(300)
    assert walker.gait._age <= 4096 + HZ
    walker.walk(40, 110)
    assert abs(walker.gait.steps - 40) <= 2


# --- published walks ------------------------------------------------------------------------------------------------


def _gait_of(trial: Trial) -> tuple[Gait, list[int]]:
    """The gait after a whole trial, and its cadence at each tick that knew one."""
    _, _, rows = resample([(trial.t_s, trial.values)])
    tilt = Tilt()
    gait = Gait()
    cadences: list[int] = []
    for k, row in enumerate(quantise(np.nan_to_num(np.asarray(rows, dtype=np.float64)), 4, 500).tolist()):
        ax, ay, az, wx, wy, wz = row
        take(tilt, gait, views_of(array("h", (wx, wy, wz, ax, ay, az))), 0, 1, 1)
        if k % 13 == 12:
            tilt.renormalise()
            tilt.drop_tick()
            gait.tick(tilt)
            if gait.cadence_spm:
                cadences.append(gait.cadence_spm)
    return gait, cadences


def _step_errors(person: Path, truth: dict[str, dict[str, float]]) -> list[float]:
    errors = []
    for trial in read_trials(person):
        wanted = truth[trial.trial]["n_steps"]
        errors.append((_gait_of(trial)[0].steps - wanted) / wanted)
    return errors


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def test_hand_counted_steps_of_ten_people_are_met_by_both_halves() -> None:
    truth = json.loads(real("ipol_l5/steps.json").read_text(encoding="utf-8"))
    people = sorted((REAL / "ipol_l5").glob("*.csv.gz"))
    tuned = list(itertools.chain.from_iterable(_step_errors(p, truth) for p in people[::2]))
    held_out = list(itertools.chain.from_iterable(_step_errors(p, truth) for p in people[1::2]))
    for name, errors in (("tuned", tuned), ("held out", held_out), ("all", tuned + held_out)):
        print(f"{name}: {len(errors)} trials, {_mean([abs(e) for e in errors]):.2%}, bias {_mean(errors):+.2%}")
    assert _mean([abs(e) for e in tuned]) <= 0.035
    assert _mean([abs(e) for e in held_out]) <= 0.035
    assert _mean([abs(e) for e in tuned + held_out]) <= 0.03
    assert abs(_mean(tuned + held_out)) <= 0.01


@pytest.mark.parametrize("person", ["P03", "P06"])
def test_cadence_at_the_sternum_agrees_with_the_laboratory(person: str) -> None:
    with real("grouvel_sternum/trials.csv").open(encoding="utf-8") as table:
        truth = {row["trial"]: 60 * float(row["step_hz"]) for row in csv.DictReader(table) if row["step_hz"]}
    ratios = []
    for trial in read_trials(real(f"grouvel_sternum/{person}.csv.gz")):
        _, cadences = _gait_of(trial)
        if trial.trial in truth and "Running" not in trial.trial and cadences:
            ratios.append(sorted(cadences)[len(cadences) // 2] / truth[trial.trial])
    print(person, [round(r, 2) for r in ratios])
    assert len(ratios) >= 10
    assert all(0.9 <= r <= 1.1 for r in ratios)
    assert abs(sorted(ratios)[len(ratios) // 2] - 1) <= 0.03
