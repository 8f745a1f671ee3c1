"""How much of a difference may be chance: intervals for shares, for paired differences and for trends.

Three classics that ask little of the data (no normal distribution, no equal scatter) and need no library::

    share      k of n                     Wilson's score interval                      Wilson 1927
    shift      differences, one a walk    median of the means of all pairs, with the   Hodges & Lehmann 1963,
                                          interval of Wilcoxon's signed ranks          Hollander & Wolfe 1999, 3.2-3.3
    slope      one value a week           median of the slopes between all pairs,      Theil 1950, Sen 1968
                                          with the interval of Kendall's S

All intervals are of 95 % at least. Where there is too little for one, the answer is None: nothing can be concluded.
They hold each walk (each week) to be one draw; that neighbouring ones are alike makes them somewhat too narrow, which
the report says (Tang & Landes 2020, PLOS ONE 15:e0228077). They compute; what follows from them is said elsewhere.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from statistics import median

#: Two-sided 95 % of the normal distribution.
_Z = 1.959964
_ALPHA = 0.05
# Fewer signs than this cannot fall all to one side by chance in less than 5 % of cases: 2 / 2^5 = 6 %, 2 / 2^6 = 3 %.
WALKS_MIN = 6
#: Kendall's S of fewer weeks cannot reach 95 %: with four in perfect order chance does it in 2 of 24.
WEEKS_MIN = 5
# Exact distributions up to here, the normal one beyond: there they agree to the digit that is shown.
_EXACT_MAX = 30


@dataclass(frozen=True)
class Interval:
    """An estimate and where the truth lies in 95 of 100 such cases."""

    low: float
    middle: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether chance alone is an unlikely explanation."""
        return self.low > 0 or self.high < 0


def share(part: int, whole: int) -> Interval | None:
    """A share of counted cases, 0..1; None of nothing."""
    if not whole:
        return None
    p = part / whole
    z2 = _Z * _Z / whole
    middle = (p + z2 / 2) / (1 + z2)
    half = _Z / (1 + z2) * math.sqrt(p * (1 - p) / whole + z2 / (4 * whole))
    return Interval(max(0.0, middle - half), p, min(1.0, middle + half))


def shift(differences: Sequence[float]) -> Interval | None:
    """By how much the pairs differ, in their unit; None from fewer than :data:`WALKS_MIN`."""
    n = len(differences)
    if n < WALKS_MIN:
        return None
    walsh = sorted((differences[i] + differences[j]) / 2 for i in range(n) for j in range(i, n))
    rank = _signed_rank_limit(n)
    return Interval(walsh[rank - 1], median(walsh), walsh[-rank])


def slope(times: Sequence[float], values: Sequence[float]) -> Interval | None:
    """Change of the values with time, in their unit per unit of time; None from fewer than :data:`WEEKS_MIN`."""
    n = len(values)
    if n < WEEKS_MIN or len(set(times)) < n:
        return None
    slopes = sorted((values[j] - values[i]) / (times[j] - times[i]) for i, j in combinations(range(n), 2))
    rank = _kendall_limit(n)
    return Interval(slopes[rank - 1], median(slopes), slopes[-rank])


@cache
def _signed_rank_limit(n: int) -> int:
    """Which of the ordered means of pairs, from 1, is the limit at either end: P(T < it) is at most 2.5 %."""
    pairs = n * (n + 1) // 2
    if n > _EXACT_MAX:
        half = _Z * math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return max(1, math.floor(pairs / 2 - half))
    ways = [1]  # of reaching each sum with the ranks so far
    for rank in range(1, n + 1):
        ways = [
            (ways[s] if s < len(ways) else 0) + (ways[s - rank] if s >= rank else 0) for s in range(len(ways) + rank)
        ]
    return _limit(ways, 2**n)


@cache
def _kendall_limit(n: int) -> int:
    """The same for the slopes: inversions of a random order of n."""
    pairs = n * (n - 1) // 2
    if n > _EXACT_MAX:
        half = _Z * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
        return max(1, math.floor((pairs - half) / 2))
    ways = [1]
    for k in range(2, n + 1):
        ways = [sum(ways[max(0, s - k + 1) : s + 1]) for s in range(len(ways) + k - 1)]
    return _limit(ways, math.factorial(n))


def _limit(ways: Sequence[int], total: int) -> int:
    """The greatest m with P(statistic < m) <= 2.5 %."""
    below = 0
    for m, count in enumerate(ways):
        if (below + count) / total > _ALPHA / 2:
            return m
        below += count
    raise AssertionError("a distribution reaches 1")
