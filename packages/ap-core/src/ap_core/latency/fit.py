"""Rates of a network's features, fitted to latencies that were measured."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ap_core.cost import evaluate, merged
from ap_core.latency.features import Feature
from ap_core.network import Term
from ap_core.scores import FloatArray

STEPS = 30
"""Of the active set, for each feature, at the most: one or two are usual."""

RIDGE = 1e-6
"""Pull of the square of a feature's share of the time: it decides what nothing else does."""

LOCAL_RIDGE = 0.3
"""Of the features of single stages besides; `benchmarks/latency_fit.py` says what others do."""

ROUNDING_RIDGE = 0.03
"""Of those of rounded widths besides."""

WHOLE = 3.0
"""Weight of the whole network, which every budget is compared with."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A network that was cut and timed. share: of the whole network's time."""

    widths: Mapping[str, int]
    share: float


def fitted(
    features: Sequence[Feature],
    whole: Mapping[str, int],
    samples: Sequence[Sample],
    *,
    local_ridge: float = LOCAL_RIDGE,
) -> FloatArray:
    """Rate of every feature, as a share of the whole network's time, (features,); none below 0.

    Least squares of relative errors: a network of twice the time may be mistaken by twice as much;
    the whole network is not, since all others were compared with it.
    whole: widths of the whole network, whose share is 1. local_ridge: how strongly the features of
    single stages are pulled to no time at all.
    """
    from scipy.optimize import nnls  # Takes half a second, and only a fit needs it.

    rows = [(whole, 1.0, WHOLE), *((each.widths, each.share, 1.0) for each in samples)]
    amounts = np.array([[float(f.at(widths)) for f in features] for widths, _, _ in rows])
    of_whole = amounts[0].copy()
    shares = np.array([share for _, share, _ in rows])
    weights = np.array([weight for _, _, weight in rows])
    # Every column as a share of the whole network's: then its rate is a share of the time.
    sizes = np.where(of_whole > 0, of_whole, 1.0)
    amounts *= (weights / shares)[:, None] / sizes
    pull = np.array(
        [RIDGE + local_ridge * each.local + ROUNDING_RIDGE * each.rounds for each in features]
    )
    pulled = np.vstack([amounts, np.diag(np.sqrt(pull))])
    wanted = np.concatenate([weights, np.zeros(len(sizes))])
    rates, _ = nnls(pulled, wanted, maxiter=STEPS * len(sizes))
    rates /= sizes
    found: FloatArray = rates / (of_whole @ rates)
    return found


def share_at(features: Sequence[Feature], rates: FloatArray, widths: Mapping[str, int]) -> float:
    """Share of the whole network's time that a cut takes. rates: (features,), as fitted."""
    return float(np.array([float(each.at(widths)) for each in features]) @ rates)


def latency_terms(
    features: Sequence[Feature],
    rates: FloatArray,
    whole: Mapping[str, int],
    femtoseconds: int,
) -> tuple[Term, ...]:
    """Latency as a sum of terms, in femtoseconds.

    whole: widths of the whole network, which takes just `femtoseconds`: what the rounding of
    coefficients leaves of these is in the term that no width changes.
    """
    sums: dict[tuple[tuple[str, ...], tuple[int, ...]], float] = defaultdict(float)
    for feature, rate in zip(features, rates.tolist(), strict=True):
        for term in feature.terms:
            sums[term.groups, term.multiples] += rate * femtoseconds * term.coefficient
    rounded = {size: round(each) for size, each in sums.items()}
    terms = [
        Term(coefficient=coefficient, groups=groups, multiples=multiples)
        for (groups, multiples), coefficient in rounded.items()
    ]
    left = Term(coefficient=femtoseconds - evaluate(terms, whole))
    return merged((left, *terms))
