"""Any rate and uneven stamps become the chip's 52 Hz, gaps stay gaps, and nothing is invented."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from walktall_sim.recordings import read_trials
from walktall_sim.resample import CHIP_HZ, RateError, nominal_rate_hz, resample

from tests.sim_files import real


def _rows(t: np.ndarray, one: np.ndarray) -> np.ndarray:
    return np.repeat(one[:, None], 6, axis=1)


def _at_chip(t: np.ndarray, one: np.ndarray) -> np.ndarray:
    return resample([(t, _rows(t, one))])[2][:, 0].astype(np.float64)


def test_a_recording_at_the_chips_rate_comes_through_unchanged() -> None:
    t = 7.0 + np.arange(520) / CHIP_HZ
    x = np.random.default_rng(3).normal(size=520)
    np.testing.assert_array_equal(_at_chip(t, x), x.astype(np.float32))


def test_stamps_to_the_microsecond_are_the_chips_own_instants_wherever_the_rows_are_cut() -> None:
    t = 7.0 + np.arange(520) / CHIP_HZ
    x = _rows(t, np.random.default_rng(3).normal(size=520))
    stamped = np.round(t, 6)
    # One stamp is off by more: that batch, and no other row, is on the straight line.
    stamped[300] += 0.004
    pieces = [(stamped[at : at + 100], x[at : at + 100]) for at in range(0, 520, 100)]
    for got in (resample([(stamped, x)])[2], resample(pieces)[2]):
        changed = np.flatnonzero((got != x.astype(np.float32)).any(axis=1))
        assert set(changed) <= {299, 300, 301} and 300 in changed


@pytest.mark.parametrize("rate", [20.0, 30.0, 52.0, 57.14, 100.0, 104.0, 128.0, 200.0, 400.0])
def test_slow_motion_comes_through_at_any_rate(rate: float) -> None:
    t = np.arange(int(20 * rate)) / rate
    got = _at_chip(t, np.sin(2 * np.pi * 1.0 * t))
    want = np.sin(2 * np.pi * np.arange(len(got)) / CHIP_HZ)
    # The straight line between samples of a 1 Hz sine at 20 Hz is off by (pi/20)^2/2 at the most.
    tolerance = 0.013 if rate < 52.0 else 0.01
    assert np.abs(got - want)[52:-52].max() < tolerance


@pytest.mark.parametrize("rate", [104.0, 200.0, 400.0])
@pytest.mark.parametrize("hz", [35.0, 45.0, 51.5])
def test_what_the_chip_filters_away_does_not_fold_into_slow_motion(rate: float, hz: float) -> None:
    t = np.arange(int(20 * rate)) / rate
    got = _at_chip(t, np.sin(2 * np.pi * hz * t + 0.3))
    assert np.abs(got[52:-52]).max() < 0.02


@pytest.mark.parametrize("rate", [20.0, 40.0, 104.0, 400.0])
def test_a_constant_stays_the_constant_however_uneven_the_stamps(rate: float) -> None:
    rng = np.random.default_rng(5)
    t = np.cumsum(rng.uniform(0.1, 1.9, int(10 * rate)) / rate)
    got = _at_chip(t, np.full(len(t), 9.81))
    np.testing.assert_allclose(got, 9.81, atol=1e-5)


@pytest.mark.parametrize("rate", [25.0, 36.0, 52.0, 104.0])
def test_a_gap_stays_a_gap(rate: float) -> None:
    t = np.arange(int(20 * rate)) / rate
    keep = (t < 5.0) | (t >= 7.5)
    got = _at_chip(t[keep], t[keep])
    missing = np.isnan(got)
    at = np.arange(len(got)) / CHIP_HZ
    assert missing[(at > 5.0) & (at < 7.5 - 1e-6)].all()
    assert not missing[(at < 5.0 - 1.0 / rate) | (at > 7.5 + 1.0 / rate)].any()
    # Nothing of beyond the gap is drawn into what is before or behind it.
    assert np.nanmax(np.abs(got - at)) < 1.0


def test_a_short_wait_is_no_gap() -> None:
    t = np.array([0.0, 0.05, 0.10, 0.15, 0.29, 0.34])
    assert not np.isnan(_at_chip(t, t)).any()


def test_equal_stamps_are_averaged() -> None:
    t = np.sort(np.concatenate([np.arange(100) / 25.0, np.arange(100) / 25.0]))
    x = np.tile([0.0, 2.0], 100)
    np.testing.assert_allclose(_at_chip(t, x), 1.0, atol=1e-6)


@pytest.mark.parametrize("rate", [10.0, 0.05, 2000.0])
def test_rates_that_cannot_stand_for_the_chips_are_refused(rate: float) -> None:
    with pytest.raises(RateError):
        nominal_rate_hz(np.arange(100) / rate)
    with pytest.raises(RateError):
        nominal_rate_hz(np.zeros(10))


@given(st.sampled_from([21.0, 36.0, 52.0, 104.0, 350.0]), st.integers(0, 2**32 - 1))
def test_how_the_rows_are_cut_into_pieces_changes_nothing(rate: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    t = np.round(np.cumsum(rng.exponential(1.0 / rate, 4400)), 3)  # with equal stamps and gaps
    x = rng.normal(size=(len(t), 6))
    cuts = np.sort(rng.integers(0, len(t), 30))
    pieces = [(t[a:b], x[a:b]) for a, b in zip([0, *cuts], [*cuts, len(t)], strict=True) if b > a]
    try:
        want = resample([(t, x)])
    except RateError:
        return
    got = resample(pieces)
    assert got[:2] == want[:2]
    np.testing.assert_allclose(got[2], want[2], atol=1e-5)


def test_a_line_never_leaves_the_range_of_what_was_measured() -> None:
    rng = np.random.default_rng(8)
    t = np.cumsum(rng.uniform(0.01, 0.06, 600))
    x = rng.normal(size=600)
    got = _at_chip(t, x)
    assert got.min() >= x.min() - 1e-6
    assert got.max() <= x.max() + 1e-6


def test_the_gaps_of_a_published_recording_stay_gaps() -> None:
    trial = read_trials(real("forth_trace/part4.csv.gz"))[0]
    steps = np.diff(trial.t_s)
    _, rate, rows = resample([(trial.t_s, trial.values)])
    assert 28.0 <= rate <= 36.0
    missing_s = np.isnan(rows[:, 0]).sum() / CHIP_HZ
    assert missing_s == pytest.approx(steps[steps > 0.15].sum(), rel=0.01)
