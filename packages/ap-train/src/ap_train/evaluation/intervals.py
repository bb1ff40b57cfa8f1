"""How sure one can be of an accuracy, a loss, and of the difference between two networks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from ap_core.errors import DataError
from ap_train.measuring.answers import Answers

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure, and the interval that holds the true one with a confidence of 95 %."""

    value: float
    low: float
    high: float


def share(hits: NDArray[np.bool_]) -> Estimate:
    """Share of hits, (n,), with Wilson's interval.

    Source: Wilson 1927, J. Am. Stat. Assoc. 22, 209.
    """
    count, found = len(hits), int(hits.sum())
    interval = binomtest(found, count).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(value=found / count, low=float(interval.low), high=float(interval.high))


def mean(values: NDArray[np.float64]) -> Estimate:
    """Mean of values, (n,), with the interval of the normal distribution.

    Raises: DataError for fewer than two values: nothing tells how far they spread.
    """
    if len(values) < 2:
        raise DataError(
            "one image says nothing of how sure a mean is", hint="evaluate on two or more"
        )
    value = float(values.mean())
    error = float(values.std(ddof=1)) / len(values) ** 0.5
    reach = float(norm.ppf(0.5 + CONFIDENCE / 2)) * error
    return Estimate(value=value, low=value - reach, high=value + reach)


def paired_share(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Estimate:
    """Difference of two shares of hits on the same n images, after less before.

    The interval is that of Bonett and Price: Wald's with half an image added to each of the two
    discordant counts and both others; it holds for few images, too.
    Source: Bonett and Price 2012, J. Educ. Behav. Stat. 37, 479.
    """
    count = len(before)
    won, lost = int((after & ~before).sum()), int((before & ~after).sum())
    more, less = (won + 1) / (count + 2), (lost + 1) / (count + 2)
    error = ((more + less - (more - less) ** 2) / (count + 2)) ** 0.5
    reach = float(norm.ppf(0.5 + CONFIDENCE / 2)) * error
    middle = more - less
    return Estimate(
        value=(won - lost) / count, low=max(-1.0, middle - reach), high=min(1.0, middle + reach)
    )


def paired_mean(before: NDArray[np.float64], after: NDArray[np.float64]) -> Estimate:
    """Mean of the differences of two values on the same images, after less before."""
    return mean(after - before)


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """What a network's answers come to."""

    images: int
    top1: Estimate
    top5: Estimate
    loss: Estimate


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How a network's answers differ from another's on the same images."""

    top1: Estimate
    top5: Estimate
    loss: Estimate


def accuracy(answers: Answers) -> Accuracy:
    """Figures of these answers, each with its interval."""
    return Accuracy(
        images=len(answers.labels),
        top1=share(answers.top1),
        top5=share(answers.top5),
        loss=mean(answers.losses),
    )


def difference(before: Answers, after: Answers) -> Difference:
    """Paired differences, after less before. Both must be of the same images in the same order."""
    return Difference(
        top1=paired_share(before.top1, after.top1),
        top5=paired_share(before.top5, after.top5),
        loss=paired_mean(before.losses, after.losses),
    )
