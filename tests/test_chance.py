"""Intervals: what the tables of the books say, and that they hold the truth as often as they promise."""

import itertools
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from walktall_host import chance


def test_wilsons_interval_is_the_books() -> None:
    # Agresti & Coull 1998, table: 0 of 10 and 8 of 10.
    none, most = chance.share(0, 10), chance.share(8, 10)
    assert none is not None and most is not None
    assert (none.low, round(none.high, 3)) == (0.0, 0.278)
    assert (round(most.low, 2), round(most.high, 2)) == (0.49, 0.94)
    assert chance.share(0, 0) is None


@pytest.mark.parametrize(
    ("n", "rank"),
    # Hollander & Wolfe 1999, table A.4: the greatest t with P(T+ <= t) <= 0.025 is one less than the rank.
    [(6, 1), (7, 3), (8, 4), (9, 6), (10, 9), (15, 26), (20, 53), (25, 90), (30, 138)],
)
def test_ranks_of_the_signed_rank_interval_are_the_books(n: int, rank: int) -> None:
    assert chance._signed_rank_limit(n) == rank


@pytest.mark.parametrize("n", [5, 6, 7])
def test_ranks_of_kendalls_interval_are_counted_right(n: int) -> None:
    orders = list(itertools.permutations(range(n)))
    inversions = [sum(a > b for a, b in itertools.combinations(order, 2)) for order in orders]
    rank = chance._kendall_limit(n)
    assert Fraction(sum(i < rank for i in inversions), len(orders)) <= Fraction(25, 1000)
    assert Fraction(sum(i <= rank for i in inversions), len(orders)) > Fraction(25, 1000)


def test_exact_and_normal_ranks_meet_where_one_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = (chance._signed_rank_limit(30), chance._kendall_limit(30))
    monkeypatch.setattr(chance, "_EXACT_MAX", 20)
    chance._signed_rank_limit.cache_clear()
    chance._kendall_limit.cache_clear()
    try:
        assert abs(chance._signed_rank_limit(30) - exact[0]) <= 1
        assert abs(chance._kendall_limit(30) - exact[1]) <= 1
    finally:
        chance._signed_rank_limit.cache_clear()
        chance._kendall_limit.cache_clear()


def test_too_little_gives_no_interval() -> None:
    assert chance.shift([1.0] * (chance.WALKS_MIN - 1)) is None
    assert chance.shift([1.0] * chance.WALKS_MIN) is not None
    assert chance.slope(range(chance.WEEKS_MIN - 1), [1.0] * (chance.WEEKS_MIN - 1)) is None
    assert chance.slope([1, 1, 2, 3, 4], [1.0] * 5) is None


@given(values=st.lists(st.floats(-100, 100), min_size=6, max_size=40), by=st.floats(-50, 50))
def test_an_interval_moves_with_its_values_and_turns_with_them(values: list[float], by: float) -> None:
    here, moved, turned = (
        chance.shift(values),
        chance.shift([v + by for v in values]),
        chance.shift([-v for v in values]),
    )
    assert here is not None and moved is not None and turned is not None
    assert here.low <= here.middle <= here.high
    assert moved.middle == pytest.approx(here.middle + by, abs=1e-9)
    assert (turned.low, turned.high) == pytest.approx((-here.high, -here.low), abs=1e-9)


@pytest.mark.parametrize("n", [6, 9, 20, 40])
def test_the_truth_lies_within_as_often_as_is_promised(n: int, chance_seed: int = 5) -> None:
    draw = random.Random(chance_seed)
    rounds = 600
    shifts = slopes = 0
    for _ in range(rounds):
        # Heavy tails: walks differ, and some are odd.
        noise = [draw.gauss(0, 1) * (4 if draw.random() < 0.1 else 1) for _ in range(n)]
        interval = chance.shift([3 + v for v in noise])
        assert interval is not None
        shifts += interval.low <= 3 <= interval.high
        trend = chance.slope(range(n), [0.5 * k + v for k, v in enumerate(noise)])
        assert trend is not None
        slopes += trend.low <= 0.5 <= trend.high
    # 95 % less three standard errors of 600 rounds.
    assert min(shifts, slopes) / rounds > 0.95 - 3 * (0.05 * 0.95 / rounds) ** 0.5
