"""How sure one can be of a median, and of the ratio of two networks' times."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

CONFIDENCE = 0.95
ONE_IN = 40
"""How seldom the true median may lie beyond either end of its interval: twice that is 5 %."""

FENCE = 1.5
"""Interquartile ranges beyond a quartile from which a value is an outlier: Tukey 1977."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure, and the interval that holds the true one with a confidence of 95 %."""

    value: float
    low: float
    high: float


def estimated_median(values: Sequence[float]) -> Estimate:
    """Median, with the interval of the sign test: two of the values, whatever they are spread like.

    It holds the true median with at least 95 %: 95.1 % for 17 values, 96.9 % for 6.
    Raises: ValueError for fewer than 6 values.
    Source: Thompson 1936, Ann. Math. Stat. 7, 122.
    """
    ordered = sorted(values)
    out = _left_out(len(ordered))
    return Estimate(value=median(ordered), low=ordered[out], high=ordered[-1 - out])


def paired_ratio(first: Sequence[float], other: Sequence[float]) -> Estimate:
    """How many times faster the other is than the first: median of the ratios of every round.

    first, other: seconds of the same rounds: what slows down a round slows down both.
    """
    return estimated_median([a / b for a, b in zip(first, other, strict=True)])


def percentile(values: Sequence[float], share: float) -> float:
    """Value that this share of them, 0 to 1, does not exceed; between two of them, a straight line.

    Source: Hyndman and Fan 1996, Am. Stat. 50, 361, definition 7.
    """
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def outliers(values: Sequence[float]) -> int:
    """How many lie further from the quartiles than 1.5 times the range between these."""
    low, high = percentile(values, 0.25), percentile(values, 0.75)
    reach = FENCE * (high - low)
    return sum(not low - reach <= value <= high + reach for value in values)


def _left_out(count: int) -> int:
    """How many values at either end can be left out of an interval that holds the median."""
    allowed = 2**count // ONE_IN
    if allowed < 1:
        raise ValueError(f"{count} values are too few for an interval of {CONFIDENCE:.0%}")
    out, outside = 0, 1
    while (outside := outside + comb(count, out + 1)) <= allowed:
        out += 1
    return out
