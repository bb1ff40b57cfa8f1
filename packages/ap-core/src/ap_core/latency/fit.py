"""Rates of a network's features, fitted to latencies that were measured."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ap_core.latency.features import Feature
from ap_core.network import Term
from ap_core.scores import FloatArray

SWEEPS = 3000
"""Of the descent: each is a product of two small matrices."""

RIDGE = 1e-6
"""Pull towards no time at all, relative to every feature's own weight: it decides what nothing
else does.
"""

WHOLE = 3.0
"""Weight of the whole network, which every budget is compared with."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A network that was cut and timed. share: of the whole network's time."""

    widths: Mapping[str, int]
    share: float


def fitted(
    features: Sequence[Feature], whole: Mapping[str, int], samples: Sequence[Sample]
) -> FloatArray:
    """Rate of every feature, as a share of the whole network's time, (features,); none below 0.

    Least squares of relative errors, by coordinate descent: a network of twice the time may be
    mistaken by twice as much; the whole network is not, since all others were compared with it.
    whole: widths of the whole network, whose share is 1.
    Source: Franc et al. 2005, Sequential coordinate-wise algorithm for the NNLS problem.
    """
    rows = [(whole, 1.0, WHOLE), *((each.widths, each.share, 1.0) for each in samples)]
    amounts = np.array([[float(f.at(widths)) for f in features] for widths, _, _ in rows])
    of_whole = amounts[0].copy()
    shares = np.array([share for _, share, _ in rows])
    weights = np.array([weight for _, _, weight in rows])
    amounts *= (weights / shares)[:, None]
    sizes = np.linalg.norm(amounts, axis=0)
    sizes[sizes == 0] = 1.0
    amounts /= sizes
    products = amounts.T @ amounts + RIDGE * np.eye(len(sizes))
    wanted = amounts.T @ weights
    rates = np.zeros(len(sizes))
    for _ in range(SWEEPS):
        before = rates.copy()
        for j in range(len(rates)):
            step = (wanted[j] - products[j] @ rates) / products[j, j]
            rates[j] = max(0.0, rates[j] + step)
        if np.abs(rates - before).max() <= 1e-12:
            break
    rates /= sizes
    found: FloatArray = rates / (of_whole @ rates)
    return found


def latency_terms(
    features: Sequence[Feature], rates: FloatArray, femtoseconds: int
) -> tuple[Term, ...]:
    """Latency as a sum of terms, in femtoseconds. femtoseconds: of the whole network."""
    sums: dict[tuple[str, ...], float] = defaultdict(float)
    for feature, rate in zip(features, rates.tolist(), strict=True):
        for term in feature.terms:
            sums[term.groups] += rate * femtoseconds * term.coefficient
    rounded = {groups: round(each) for groups, each in sums.items()}
    return tuple(Term(coefficient=c, groups=groups) for groups, c in rounded.items() if c)
