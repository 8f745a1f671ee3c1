"""Intervals beside figures: Wilson for shares, exact Poisson for rates, and plain quantiles.

What it does not do: correct for people being more alike to themselves than to each other. Events of one person are not
independent, so the intervals are the least that the truth can be away from the figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

_Z95 = 1.959964


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of `hits` in `n` (Wilson 1927); 0..1 where there is nothing."""
    if n == 0:
        return 0.0, 1.0
    p = hits / n
    z2 = _Z95 * _Z95
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _poisson_cdf(k: int, mean: float) -> float:
    term = math.exp(-mean)
    total = term
    for i in range(1, k + 1):
        term *= mean / i
        total += term
    return total


def _root(f: Callable[[float], float], low: float, high: float) -> float:
    """Where the rising function `f` passes 0, by halving."""
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if f(middle) < 0 else (low, middle)
    return 0.5 * (low + high)


def poisson(count: int, exposure: float) -> tuple[float, float]:
    """The exact 95 % interval (Garwood 1936) of a rate of `count` in `exposure`; 0..inf where there is no exposure."""
    if exposure <= 0:
        return 0.0, math.inf
    top = 10.0 * (count + 5)
    low = _root(lambda m: 0.975 - _poisson_cdf(count - 1, m), 0.0, top) if count else 0.0
    high = _root(lambda m: 0.025 - _poisson_cdf(count, m), 0.0, top)
    return low / exposure, high / exposure


def quantile(values: Sequence[float], q: float) -> float:
    """The linear quantile `q` (0..1) of `values`; NaN of none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    at = q * (len(ordered) - 1)
    k = min(int(at), len(ordered) - 2) if len(ordered) > 1 else 0
    if len(ordered) == 1:
        return ordered[0]
    return ordered[k] + (at - k) * (ordered[k + 1] - ordered[k])


def mean(values: Sequence[float]) -> float:
    """The mean; NaN of none."""
    return sum(values) / len(values) if values else math.nan


def rms_of(pairs: Sequence[tuple[float, int]]) -> float:
    """The pooled root mean square of (sum of squares, number) pairs; NaN of none."""
    n = sum(pair[1] for pair in pairs)
    return math.sqrt(sum(pair[0] for pair in pairs) / n) if n else math.nan
